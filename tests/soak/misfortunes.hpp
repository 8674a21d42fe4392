// What happens to the server while the callers work, on a thread of its own.
#pragma once

#include "caller.hpp"
#include "site.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace soak {

class Misfortunes {
 public:
  Misfortunes(Common& common, Site& site, std::uint64_t seed) : common_(common), site_(site), random_(seed) {}

  /// One of them; blocks while it lasts, at most about half a second.
  void strike();
  /// The primary dies and a replica takes over.
  void fail_over();
  /// Leaves no lock, no shadow and no frozen server behind.
  void make_whole();

  [[nodiscard]] const std::map<std::string, int>& counts() const { return counts_; }

 private:
  void execute(const std::string& what, const std::string& sql);
  [[nodiscard]] int below(int limit) { return static_cast<int>(random_.next() % static_cast<unsigned>(limit)); }

  Common& common_;
  Site& site_;
  sy::Random random_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  int version_ = 1;
  bool extra_ = false;
  bool wide_ = false;
  bool indexed_ = false;
  bool shadow_ = false;
  std::map<std::string, int> counts_;
};

}  // namespace soak

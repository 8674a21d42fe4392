// Collects the mistakes of one load, so that they are reported together. Internal.
#pragma once

#include <switchyard/base/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::config {

class Problems {
 public:
  /// "place: what (hint)"; empty parts are left out. The same text twice is kept once.
  void add(std::string_view place, std::string_view what, std::string_view hint = {});
  void add(std::string_view place, const Error& error);

  [[nodiscard]] bool empty() const noexcept { return texts_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  /// One problem is the message; several become a numbered list.
  [[nodiscard]] Error to_error() const;

 private:
  std::vector<std::string> texts_;
};

}  // namespace switchyard::inline v0::config

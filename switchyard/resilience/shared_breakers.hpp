// What the fleets of one process share: the breakers, by name, so that an endpoint that fails one shard's calls is
// not asked by the others either.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/resilience/breaker.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0::resilience {

/// Hands the same breaker to every shard that asks for the same key. Any thread.
class SharedBreakers {
 public:
  /// `make` is called for a key nobody asked for before, and answers a std::shared_ptr<Breaker>.
  template <class Make>
  [[nodiscard]] std::shared_ptr<Breaker> get(std::string_view key, Make make) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Breaker>& breaker = breakers_[std::string(key)];
    if (!breaker) breaker = std::move(make)();
    return breaker;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Breaker>> breakers_;
};

}  // namespace switchyard::inline v0::resilience

// What the fleets of one process share: how many sessions each database may have, over all shards.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/pool/permits.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// Hands the same counter to every shard that asks for the same name. Any thread.
class SharedPermits {
 public:
  [[nodiscard]] std::shared_ptr<pool::PermitCounter> get(std::string_view name, std::uint32_t max) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<pool::PermitCounter>& counter = counters_[std::string(name)];
    if (!counter) counter = std::make_shared<pool::PermitCounter>(max);
    return counter;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<pool::PermitCounter>> counters_;
};

}  // namespace switchyard::inline v0::fleet

// Further shards of a gateway: threads that have a fleet and a gateway without doors each. Clients come to them
// from the shard that listens, once it is known whom they want (shard_directory.hpp).
//
//     auto permits = std::make_shared<fleet::SharedPermits>();
//     auto more = GatewayShards::open(config, permits, settings, 4).value_or_throw();   // three threads
//     settings.shards = more->directory();
//     auto fleet = Fleet::open(config, permits).value_or_throw();
//     auto gateway = Gateway::open(*fleet, settings).value_or_throw();
//     ...
//     gateway.reset();
//     co_await fleet->close();
//     more.reset();
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/gateway/settings.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace switchyard::inline v0::fleet {
class SharedPermits;
}

namespace switchyard::inline v0::gateway {

class ShardDirectory;

class SWITCHYARD_API GatewayShards {
 public:
  /// Starts shards 1 to `count` - 1 and waits until they are open; shard 0 is the caller's. `settings.listen` is
  /// not looked at. Errors of Fleet::open; Usage for more shards than ShardDirectory::kMaxShards.
  [[nodiscard]] static Result<std::unique_ptr<GatewayShards>> open(const FleetConfig& config,
                                                                   std::shared_ptr<fleet::SharedPermits> permits,
                                                                   const GatewaySettings& settings,
                                                                   std::uint32_t count);
  /// Gateway::drain() on all of them side by side. On shard 0.
  SWITCHYARD_COROUTINE_WRAPPER Task<void> drain(Duration patience);
  /// Ends their clients at once, and waits for the threads.
  ~GatewayShards();
  GatewayShards(const GatewayShards&) = delete;
  GatewayShards& operator=(const GatewayShards&) = delete;

  [[nodiscard]] const std::shared_ptr<ShardDirectory>& directory() const noexcept;
  /// The shards that were started; shard 0 is not among them.
  [[nodiscard]] std::uint32_t size() const noexcept;
  /// Runs `what` on each of them, one after the other, and waits for it. Not from one of their threads.
  void each(const std::function<void(Fleet&, Gateway&)>& what);

 private:
  class Impl;
  explicit GatewayShards(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::gateway

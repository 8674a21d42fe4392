#include <switchyard/gateway/gateway_shards.hpp>

#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/gateway/shard_directory.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <deque>
#include <future>
#include <string>
#include <thread>
#include <utility>

namespace switchyard::inline v0::gateway {

class GatewayShards::Impl {
 public:
  explicit Impl(std::uint32_t count) : parts_(count) {}
  ~Impl() {
    for (Part& part : parts_) {
      if (part.thread.joinable()) part.shard->post([&part] { part.stop.set(); });
    }
    for (Part& part : parts_) {
      if (part.thread.joinable()) part.thread.join();
    }
  }

  Result<void> start(const FleetConfig& config, const std::shared_ptr<fleet::SharedPermits>& permits,
                     GatewaySettings settings) {
    settings.listen.clear();
    settings.handover_path.clear();
    settings.take_over = false;
    settings.shards = directory;
    int number = 0;
    for (Part& part : parts_) {
      part.shard = std::make_unique<runtime::Shard>(++number);
      std::promise<Result<void>> opened;
      part.thread = std::thread([&part, &opened, config, permits, settings] {
        part.shard->run_until_complete(serve(part, config, permits, settings, opened));
      });
      if (Result<void> result = opened.get_future().get(); !result.ok()) {
        part.thread.join();
        return result;
      }
    }
    return {};
  }

  void each(const std::function<void(Fleet&, Gateway&)>& what) {
    for (Part& part : parts_) {
      std::promise<void> done;
      part.shard->post([&] {
        what(*part.fleet, *part.gateway);
        done.set_value();
      });
      done.get_future().get();
    }
  }
  Task<void> drain(Duration patience) {
    runtime::Shard& here = runtime::Shard::current();
    drained_ = 0;
    for (Part& part : parts_) {
      part.shard->post([this, &part, &here, patience] {
        part.draining.start(drain_part(part, patience, [this, &here] {
          here.post([this] {
            if (++drained_ == parts_.size()) all_drained_.set();
          });
        }));
      });
    }
    if (!parts_.empty()) co_await all_drained_.wait();
  }
  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(parts_.size()); }

  std::shared_ptr<ShardDirectory> directory = std::make_shared<ShardDirectory>();

 private:
  struct Part {
    std::unique_ptr<runtime::Shard> shard;
    std::thread thread;
    runtime::AsyncEvent stop;
    std::unique_ptr<Fleet> fleet;
    std::unique_ptr<Gateway> gateway;
    runtime::OwnedTask draining;
  };
  static Task<void> drain_part(Part& part, Duration patience, std::function<void()> done) {
    co_await part.gateway->drain(patience);
    done();
  }

  static Task<void> serve(Part& part, FleetConfig config, std::shared_ptr<fleet::SharedPermits> permits,
                          GatewaySettings settings, std::promise<Result<void>>& opened) {
    const Duration patience = *config.shutdown_timeout;
    auto fleet = Fleet::open(std::move(config), std::move(permits));
    if (!fleet.ok()) {
      opened.set_value(fleet.error());
      co_return;
    }
    part.fleet = *std::move(fleet);
    auto gateway = Gateway::open(*part.fleet, std::move(settings));
    if (!gateway.ok()) {
      opened.set_value(gateway.error());
      co_return;
    }
    part.gateway = *std::move(gateway);
    opened.set_value({});
    co_await part.stop.wait();
    part.draining.reset();
    part.gateway.reset();
    co_await part.fleet->close(patience);
    part.fleet.reset();
  }

  std::deque<Part> parts_;
  std::size_t drained_ = 0;  ///< of the parts; touched on the shard that asked
  runtime::AsyncEvent all_drained_;
};

GatewayShards::GatewayShards(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
GatewayShards::~GatewayShards() = default;

Result<std::unique_ptr<GatewayShards>> GatewayShards::open(const FleetConfig& config,
                                                           std::shared_ptr<fleet::SharedPermits> permits,
                                                           const GatewaySettings& settings, std::uint32_t count) {
  if (count == 0 || count > ShardDirectory::kMaxShards) {
    return Error(ErrorKind::Usage, "a gateway has 1 to " + std::to_string(ShardDirectory::kMaxShards) +
                                       " shards, not " + std::to_string(count));
  }
  auto impl = std::make_unique<Impl>(count - 1);
  if (Result<void> started = impl->start(config, permits, settings); !started.ok()) return started.error();
  return std::unique_ptr<GatewayShards>(new GatewayShards(std::move(impl)));
}

const std::shared_ptr<ShardDirectory>& GatewayShards::directory() const noexcept { return impl_->directory; }
std::uint32_t GatewayShards::size() const noexcept { return impl_->size(); }
SWITCHYARD_COROUTINE_WRAPPER Task<void> GatewayShards::drain(Duration patience) { return impl_->drain(patience); }
void GatewayShards::each(const std::function<void(Fleet&, Gateway&)>& what) { impl_->each(what); }

}  // namespace switchyard::inline v0::gateway

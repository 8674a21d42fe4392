#include "wire_run.hpp"

#include "lane_counts.hpp"
#include "wire_caller.hpp"

#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/shared_permits.hpp>
#include <switchyard/gateway/gateway.hpp>
#include <switchyard/gateway/gateway_shards.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/temp_folder.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;

/// Clients' doors: one Unix-domain path, where the account that runs the gateway needs no proof. Further shards
/// have threads of their own.
class GatewayThread {
 public:
  GatewayThread(sy::FleetConfig config, const std::string& path, std::uint32_t shards, Score& score)
      : shards_(shards), score_(score) {
    std::promise<void> opened;
    auto ready = opened.get_future();
    thread_ = std::thread([this, &opened, path, fleet = std::move(config)]() mutable {
      try {
        sy::runtime::Shard shard;
        shard.run_until_complete(serve(std::move(fleet), path, opened));
      } catch (...) {
        failure_ = std::current_exception();
        if (!opened_) opened.set_exception(failure_);
      }
    });
    try {
      ready.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  GatewayThread(const GatewayThread&) = delete;
  GatewayThread& operator=(const GatewayThread&) = delete;
  ~GatewayThread() {
    if (thread_.joinable()) stop();
  }

  /// What the thread threw, if anything.
  std::exception_ptr stop() {
    stop_ = true;
    thread_.join();
    return failure_;
  }

 private:
  sy::Task<void> serve(sy::FleetConfig config, std::string path, std::promise<void>& opened) {
    auto permits = std::make_shared<sy::fleet::SharedPermits>();
    sy::gateway::GatewaySettings settings;
    settings.listen.push_back(sy::runtime::SocketAddress::unix_domain(path).value_or_throw());
    auto more = sy::gateway::GatewayShards::open(config, permits, settings, shards_).value_or_throw();
    if (shards_ > 1) settings.shards = more->directory();
    auto fleet = sy::Fleet::open(std::move(config), permits).value_or_throw();
    auto gateway = sy::gateway::Gateway::open(*fleet, std::move(settings)).value_or_throw();
    opened_ = true;
    opened.set_value();
    while (!stop_) co_await sy::sleep(5ms);
    gateway.reset();
    count_lanes(*fleet, score_);
    more->each([&](sy::Fleet& its, sy::gateway::Gateway&) { count_lanes(its, score_); });
    co_await fleet->close(10s);
    more.reset();
  }

  const std::uint32_t shards_;
  Score& score_;  ///< nobody else's when the thread has been told to stop
  std::atomic<bool> stop_{false};
  bool opened_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace

void run_wire(Common& common, const Site& site, const SoakOptions& options, std::uint64_t seed) {
  const sy::testing::TempFolder folder;
  const std::string door = folder.file("door");
  GatewayThread gateway(site.config(), door, static_cast<std::uint32_t>(options.shards), common.score);
  std::vector<std::unique_ptr<WireCaller>> callers;
  std::vector<std::thread> threads;
  sy::Random random(seed);
  for (int id = 0; id < options.callers; ++id) {
    // Whose clients a shard serves is decided by database and user.
    const bool second = options.shards > 1 && id % 2 != 0;
    const WirePlace place{.path = door, .user = kRole, .database = second ? kSecondDatabase : "main"};
    callers.push_back(std::make_unique<WireCaller>(common, place, id, random.next()));
    threads.emplace_back([caller = callers.back().get()] { caller->run(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& caller : callers) {
    common.score.merge(caller->score());
    common.kept.insert(common.kept.end(), caller->kept().begin(), caller->kept().end());
  }
  if (const std::exception_ptr failure = gateway.stop()) std::rethrow_exception(failure);
}

}  // namespace soak

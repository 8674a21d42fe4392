#include "soak_run.hpp"

#include "caller.hpp"
#include "lane_counts.hpp"
#include "misfortunes.hpp"
#include "site.hpp"
#include "wire_run.hpp"

#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/wait_until.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

/// A statement that takes longer has been forgotten: every time limit on its way is shorter.
constexpr auto kHang = 150s;
constexpr auto kSettle = 20s;

sy::Task<void> run_callers(Common& common, sy::FleetConfig config, int callers, std::uint64_t seed) {
  auto fleet = sy::Fleet::open(std::move(config)).value_or_throw();
  std::vector<std::unique_ptr<Caller>> all;
  std::vector<sy::Task<void>> tasks;
  sy::Random random(seed);
  for (int id = 0; id < callers; ++id) {
    all.push_back(std::make_unique<Caller>(common, *fleet, id, random.next()));
    tasks.push_back(all.back()->run());
  }
  co_await sy::all(std::move(tasks));

  // What was dropped is still being taken back; then every session is idle.
  const auto patience = SteadyClock::now() + kSettle;
  for (;;) {
    std::string busy;
    for (const auto& database : fleet->status().databases) {
      for (const auto& endpoint : database.endpoints) {
        // Those of a lane are in use as long as it is open.
        const std::uint32_t shared = endpoint.lane ? endpoint.lane->sessions : 0;
        const std::uint32_t under_way = endpoint.lane ? endpoint.lane->outstanding + endpoint.lane->queued : 0;
        if (endpoint.pool && (endpoint.pool->active > shared || endpoint.pool->waiting + under_way != 0)) {
          busy += endpoint.name + ": " + std::to_string(endpoint.pool->active - shared) + " sessions in use, " +
                  std::to_string(endpoint.pool->waiting) + " waiting, " + std::to_string(under_way) +
                  " in the lane; ";
        }
      }
    }
    if (busy.empty()) break;
    if (SteadyClock::now() > patience) {
      common.score.fail("sessions never came back: " + busy);
      break;
    }
    co_await sy::sleep(10ms);
  }
  count_lanes(*fleet, common.score);
  co_await fleet->close(10s);
}

/// Ends the process when a caller waits for too long.
void watch(const Common& common, std::uint64_t seed) {
  const std::int64_t now = SteadyClock::now().time_since_epoch().count();
  for (std::size_t id = 0; id < common.began.size(); ++id) {
    const std::int64_t began = common.began[id];
    if (began == 0 || now - began < std::chrono::nanoseconds(kHang).count()) continue;
    std::fprintf(stderr, "HANG (seed %llu): caller %zu has waited for %lld s\n",
                 static_cast<unsigned long long>(seed), id, static_cast<long long>((now - began) / 1'000'000'000));
    std::fflush(stderr);
    std::_Exit(1);
  }
}

/// All pieces of a tag are there, or none; those of acknowledged writes are.
std::string judge_pieces(Site& site, const Common& common) {
  const auto torn = site.primary()
                        .query_value(
                            "SELECT coalesce(min(tag), '') FROM (SELECT tag FROM pieces GROUP BY tag "
                            "HAVING count(*) <> max(total) OR min(total) <> max(total)) s")
                        .value_or_throw();
  if (!torn.empty()) return "only some pieces of '" + torn + "' are there";
  std::set<std::string> found;
  for (const auto& row : site.primary().execute("SELECT DISTINCT tag FROM pieces").value_or_throw().rows) {
    found.insert(*row[0]);
  }
  for (const std::string& tag : common.kept) {
    if (!found.contains(tag)) return "acknowledged pieces of '" + tag + "' are not there";
  }
  return {};
}

std::string judge_sessions(Site& site) {
  std::string left;
  const bool gone = sy::testing::wait_until([&] {
    left.clear();
    for (auto* server : site.servers()) {
      const auto count =
          server->query_value("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + std::string(kRole) + "'");
      if (!count.ok() || *count != "0")
        left += server->name() + ": " + (count.ok() ? *count : count.error().what());
    }
    return left.empty();
  });
  return gone ? std::string() : "sessions are left on the servers: " + left;
}

void run_epoch(const SoakOptions& options, std::uint64_t seed, double seconds, SoakReport& report) {
  Site site({.callers = options.callers,
             .replicas = options.replicas,
             .fleet_keys = options.fleet_keys,
             .second = options.shards > 1});
  Common common(seed, options.callers);
  common.only = options.only;
  Misfortunes misfortunes(common, site, seed ^ 0x5EED);
  sy::Random random(seed + 1);
  std::exception_ptr broken;
  const std::uint64_t unhandled = sy::unhandled_exceptions();

  std::atomic<bool> over{false};
  std::thread loop([&, config = site.config()]() mutable {
    try {
      if (options.wire) {
        run_wire(common, site, options, seed);
        over = true;
        return;
      }
      sy::runtime::Shard shard;
      shard.run_until_complete(run_callers(common, std::move(config), options.callers, seed));
    } catch (const std::exception& error) {
      common.score.fail(std::string("the callers' loop ended: ") + error.what());
    }
    over = true;
  });

  try {
    const auto begun = SteadyClock::now();
    const auto elapsed = [&] { return std::chrono::duration<double>(SteadyClock::now() - begun).count(); };
    while (elapsed() < seconds && !common.stop) {
      watch(common, seed);
      std::this_thread::sleep_for(std::chrono::milliseconds(10 + static_cast<int>(random.unit() * 100)));
      if (!options.misfortunes) continue;
      misfortunes.strike();
      if (site.can_fail_over() && elapsed() > seconds * 0.6) misfortunes.fail_over();
    }
    if (options.misfortunes) misfortunes.make_whole();
  } catch (...) {
    broken = std::current_exception();
  }
  common.stop = true;
  const auto ended = SteadyClock::now();
  while (!over) {
    watch(common, seed);
    std::this_thread::sleep_for(5ms);
    if (SteadyClock::now() - ended > kHang + 2 * kSettle) {
      std::fprintf(stderr, "HANG (seed %llu): the fleet does not close; %d of %d callers have ended\n",
                   static_cast<unsigned long long>(seed), common.ended.load(), options.callers);
      std::fflush(stderr);
      std::_Exit(1);
    }
  }
  loop.join();
  if (broken) std::rethrow_exception(broken);

  if (!common.score.failed()) {
    for (const std::string& what : {judge_pieces(site, common), judge_sessions(site)}) {
      if (!what.empty()) common.score.fail(what);
    }
    if (sy::unhandled_exceptions() != unhandled)
      common.score.fail("an exception left a task that nobody waits for");
  }
  report.score->merge(common.score);
  for (const auto& [what, count] : misfortunes.counts()) report.misfortunes[what] += count;
  report.failure = common.score.failure();
}

}  // namespace

SoakReport run_soak(const SoakOptions& options) {
  SoakReport report;
  report.score = std::make_unique<Score>(options.seed);
  double left = options.seconds;
  for (std::uint64_t epoch = 0; left > 0 && report.failure.empty(); ++epoch) {
    const double seconds = std::min(left, options.epoch_seconds);
    left -= seconds;
    run_epoch(options, options.seed + epoch, seconds, report);
    if (options.verbose) {
      std::printf("epoch %llu (seed %llu): %llu right, %llu refused, %llu timed out, %llu dropped\n",
                  static_cast<unsigned long long>(epoch + 1), static_cast<unsigned long long>(options.seed + epoch),
                  static_cast<unsigned long long>(report.score->total(Outcome::right)),
                  static_cast<unsigned long long>(report.score->total(Outcome::refused)),
                  static_cast<unsigned long long>(report.score->total(Outcome::timed_out)),
                  static_cast<unsigned long long>(report.score->total(Outcome::dropped)));
      std::fflush(stdout);
    }
  }
  return report;
}

}  // namespace soak

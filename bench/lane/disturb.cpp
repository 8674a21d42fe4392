#include "disturb.hpp"

#include "contenders.hpp"
#include "meter.hpp"
#include "report.hpp"

#include <switchyard/config/load.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <libpq-fe.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <utility>

namespace lane_bench {
namespace {

namespace sy = switchyard;
using namespace std::chrono_literals;

constexpr double kAllowed = 1.5;
/// A half counts from here: what the other one left has gone.
constexpr auto kSettle = 300ms;

constexpr const char* kSlowSql = "SELECT count(*) FROM generate_series(1, 2000000)";
constexpr const char* kHugeSql = "SELECT id, repeat('x', 200) AS text FROM items";
constexpr const char* kLockedSql = "SELECT v FROM locked WHERE id = $1";

struct Run {
  std::atomic<bool> stop{false};
  std::atomic<bool> disturbing{false};
  std::atomic<std::uint64_t> disturbances{0};
  bool counting = false;
  Latencies latencies;
};

sy::Task<void> call(Run& run, sy::DatabaseHandle db, unsigned seed) {
  std::minstd_rand random(seed);
  while (!run.stop) {
    const auto begun = Clock::now();
    co_await db.query_value<int>(kReadSql, 1 + static_cast<int>(random() % kRows));
    if (run.counting) run.latencies.add((Clock::now() - begun).count());
  }
}

/// Runs `once` again and again while the disturbed half lasts.
template <class F>
sy::Task<void> repeat(Run& run, F once, sy::Duration pause) {
  for (unsigned turn = 0; !run.stop; ++turn) {
    if (run.disturbing) {
      co_await once(turn);
      ++run.disturbances;
    }
    co_await sy::sleep(pause);
  }
}

/// Somebody else on the server, in a thread of its own.
class Outsider {
 public:
  /// Runs the statements in turn, with a pause behind each.
  Outsider(Run& run, const Site& site, std::vector<std::pair<std::string, sy::Duration>> statements)
      : thread_([&run, uri = site.server().endpoint().uri(), list = std::move(statements)] {
          PGconn* const connection = PQconnectdb(uri.c_str());
          for (std::size_t at = 0; !run.stop;) {
            // The list is finished even when the half is over: nothing stays locked or half done.
            if (!run.disturbing && at == 0) {
              std::this_thread::sleep_for(2ms);
              continue;
            }
            PGresult* const result = PQexec(connection, list[at].first.c_str());
            if (PQresultStatus(result) != PGRES_COMMAND_OK)
              std::fprintf(stderr, "%s", PQresultErrorMessage(result));
            PQclear(result);
            std::this_thread::sleep_for(list[at].second);
            at = (at + 1) % list.size();
            if (at == 0) ++run.disturbances;
          }
          PQfinish(connection);
        }) {}
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;
  ~Outsider() { thread_.join(); }

 private:
  std::thread thread_;
};

std::vector<std::pair<std::string, sy::Duration>> outside_statements(const std::string& kind) {
  if (kind == "lock")
    return {{"BEGIN", 0ms}, {"LOCK TABLE locked IN ACCESS EXCLUSIVE MODE", 200ms}, {"COMMIT", 50ms}};
  if (kind == "ddl") {
    return {{"ALTER TABLE items ADD COLUMN extra int", 50ms}, {"ALTER TABLE items DROP COLUMN extra", 50ms}};
  }
  return {};
}

std::vector<sy::Task<void>> inside_tasks(Run& run, const sy::DatabaseHandle& db, const std::string& kind) {
  std::vector<sy::Task<void>> tasks;
  const auto add = [&](int count, sy::Duration pause, auto once) {
    for (int i = 0; i < count; ++i) tasks.push_back(repeat(run, once, pause));
  };
  if (kind == "slow") {
    add(1, 100ms, [db](unsigned) -> sy::Task<void> {
      auto own = db;
      co_await own.query_value<std::int64_t>(kSlowSql);
    });
  } else if (kind == "huge") {
    add(1, 100ms, [db](unsigned) -> sy::Task<void> {
      auto own = db;
      co_await own.query<std::pair<int, std::string>>(kHugeSql);
    });
  } else if (kind == "lock") {
    add(4, 10ms, [db](unsigned turn) -> sy::Task<void> {
      auto own = db;
      co_await own.query_value<int>(kLockedSql, static_cast<int>(turn % 100) + 1);
    });
  } else if (kind == "cancel") {
    add(2, 50ms, [db](unsigned turn) -> sy::Task<void> {
      auto own = db;
      if (turn % 2 == 0) {
        (void)co_await own.query_value<std::int64_t>({.sql = kSlowSql, .timeout = 5ms}).result();
      } else {  // dropped while it runs
        auto dropped = [](sy::DatabaseHandle on) -> sy::Task<bool> {
          co_await on.query_value<std::int64_t>(kSlowSql);
          co_return true;
        };
        auto clock = []() -> sy::Task<bool> {
          co_await sy::sleep(5ms);
          co_return false;
        };
        co_await sy::any(dropped(own), clock());
      }
    });
  }
  return tasks;
}

struct Halves {
  std::vector<double> calm_p50, calm_p99, disturbed_p50, disturbed_p99, ratio;
};

sy::Task<void> measure(Run& run, double seconds, int rounds, unsigned seed, Halves& out) {
  std::minstd_rand random(seed);
  co_await sy::sleep(kSettle);
  for (int round = 0; round < rounds; ++round) {
    const bool first = random() / 7 % 2 == 0;
    double p99[2] = {};
    for (const bool disturbed : {first, !first}) {
      run.disturbing = disturbed;
      co_await sy::sleep(kSettle);
      run.latencies.clear();
      run.counting = true;
      co_await sy::sleep(std::chrono::duration_cast<sy::Duration>(std::chrono::duration<double>(seconds)));
      run.counting = false;
      (disturbed ? out.disturbed_p50 : out.calm_p50).push_back(run.latencies.quantile(0.5));
      p99[disturbed ? 1 : 0] = run.latencies.quantile(0.99);
      run.disturbing = false;
    }
    out.calm_p99.push_back(p99[0]);
    out.disturbed_p99.push_back(p99[1]);
    if (p99[0] > 0) out.ratio.push_back(p99[1] / p99[0]);
  }
  run.stop = true;
}

sy::Task<void> play(Run& run, const Load& load, sy::FleetConfig config, const std::string& kind, int rounds,
                    Halves& out) {
  auto fleet = sy::Fleet::open(std::move(config)).value_or_throw();
  auto db = fleet->database("main").value_or_throw();
  std::vector<sy::Task<void>> tasks = inside_tasks(run, db, kind);
  for (int i = 0; i < load.callers; ++i)
    tasks.push_back(call(run, db, load.seed * 7919 + static_cast<unsigned>(i)));
  tasks.push_back(measure(run, load.seconds, rounds, load.seed, out));
  co_await sy::all(std::move(tasks));
  co_await fleet->close(5s);
}

Halves play(const Site& site, const Load& load, const std::string& kind, LaneUse use, int rounds,
            std::uint64_t& disturbances) {
  Run run;
  Halves halves;
  {
    std::unique_ptr<Outsider> outsider;
    if (auto statements = outside_statements(kind); !statements.empty()) {
      outsider = std::make_unique<Outsider>(run, site, std::move(statements));
    }
    sy::Sources sources;
    sources.file = "lane.toml";
    sources.file_text = fleet_text(site, load, use);
    sy::runtime::Shard shard;
    try {
      shard.run_until_complete(play(run, load, sy::load_config(sources).value_or_throw(), kind, rounds, halves));
    } catch (...) {
      run.stop = true;
      throw;
    }
  }
  disturbances = run.disturbances;
  return halves;
}

}  // namespace

const std::vector<std::string>& disturbances() {
  static const std::vector<std::string> kinds{"slow", "huge", "lock", "ddl", "cancel"};
  return kinds;
}

bool disturb(const Site& site, const Load& load, const std::string& kind, int rounds) {
  bool kept = true;
  for (const LaneUse use : {LaneUse::leased, LaneUse::shared}) {
    std::uint64_t disturbances = 0;
    const Halves halves = play(site, load, kind, use, rounds, disturbances);
    const double ratio = median(halves.ratio);
    const bool judged = use == LaneUse::shared;
    if (judged) kept = ratio <= kAllowed && disturbances > 0;
    std::printf("| %s | %s | %.0f > %.0f | %.0f > %.0f | %.2f | %llu | %s |\n", kind.c_str(),
                judged ? kLane : kLeased, median(halves.calm_p50), median(halves.disturbed_p50),
                median(halves.calm_p99), median(halves.disturbed_p99), ratio,
                static_cast<unsigned long long>(disturbances),
                !judged ? ""
                : kept  ? "yes"
                        : "NO");
    std::fflush(stdout);
  }
  return kept;
}

}  // namespace lane_bench

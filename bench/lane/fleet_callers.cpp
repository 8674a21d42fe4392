#include "contenders.hpp"
#include "meter.hpp"

#include <switchyard/config/load.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <random>
#include <utility>

namespace lane_bench {
namespace {

namespace sy = switchyard;

struct Run {
  bool stop = false;
  bool counting = false;
  Latencies latencies;
};

sy::Task<void> call(Run& run, sy::DatabaseHandle db, Mix mix, unsigned seed) {
  std::minstd_rand random(seed);
  while (!run.stop) {
    const int id = 1 + static_cast<int>(random() % kRows);
    const bool update = mix == Mix::reads_and_updates && random() % 100 < kUpdatePercent;
    const auto begun = Clock::now();
    if (update) {
      co_await db.execute(kUpdateSql, id);
    } else {
      co_await db.query_value<int>(kReadSql, id);
    }
    if (run.counting) run.latencies.add((Clock::now() - begun).count());
  }
}

sy::Duration seconds(double count) {
  return std::chrono::duration_cast<sy::Duration>(std::chrono::duration<double>(count));
}

sy::Task<Sample> measure(const Site& site, Load load, sy::FleetConfig config) {
  auto fleet = sy::Fleet::open(std::move(config)).value_or_throw();
  Run run;
  Sample sample;
  std::vector<sy::Task<void>> tasks;
  for (int i = 0; i < load.callers; ++i) {
    tasks.push_back(call(run, fleet->database("main").value_or_throw(), load.mix,
                         load.seed * 7919 + static_cast<unsigned>(i) + 1));
  }
  tasks.push_back([](const Site& on, const Load& with, Run& of, Sample& out) -> sy::Task<void> {
    co_await sy::sleep(seconds(with.warm_up_seconds));
    Meter meter(on.postmaster(), 0);
    of.counting = true;
    co_await sy::sleep(seconds(with.seconds));
    of.counting = false;
    meter.stop();
    of.stop = true;
    out = meter.sample(static_cast<double>(of.latencies.count()));
  }(site, load, run, sample));
  co_await sy::all(std::move(tasks));
  co_await fleet->close(std::chrono::seconds(5));
  sample.p50 = run.latencies.quantile(0.5);
  sample.p99 = run.latencies.quantile(0.99);
  sample.p999 = run.latencies.quantile(0.999);
  co_return sample;
}

}  // namespace

std::string fleet_text(const Site& site, const Load& load, LaneUse use) {
  return "[fleet]\napplication = \"lane\"\n[database.main]\n" +
         std::string(use == LaneUse::leased ? "lane = \"leased\"\n" : "") + "dsn = \"" +
         site.keywords(load.transport) + "\"\npool = { min = 1, max = " + std::to_string(load.pool_max) + " }\n";
}

Sample run_fleet(const Site& site, const Load& load, LaneUse use) {
  sy::Sources sources;
  sources.file = "lane.toml";
  sources.file_text = fleet_text(site, load, use);
  sy::runtime::Shard shard;
  return shard.run_until_complete(measure(site, load, sy::load_config(sources).value_or_throw()));
}

}  // namespace lane_bench

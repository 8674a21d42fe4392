// Reads after writes while replicas are paused and resumed at random: every read of a request shows what the
// request wrote, wherever it is answered. One more caller reads without a request what it writes all the time, and
// must never miss anything that is older than max_lag.
#include <switchyard/base/random.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/program_options.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace {

namespace sy = switchyard;
using namespace std::chrono_literals;

inline constexpr sy::Database<"main"> main_db;

struct Score {
  std::int64_t reads = 0;
  std::int64_t at_replica = 0;
  std::int64_t stale = 0;
  std::int64_t failed = 0;
  std::int64_t lag_reads = 0;
  std::int64_t too_old = 0;
};

/// When each sequence number was acknowledged; the oldest are forgotten.
class Acknowledged {
 public:
  void add(std::int64_t number, sy::TimePoint when) {
    entries_.emplace_back(number, when);
    if (entries_.size() > kKept) entries_.pop_front();
  }
  /// A reader that began at `begun` saw nothing beyond `seen`: how old is the first thing it missed?
  [[nodiscard]] sy::Duration age_of_missed(std::int64_t seen, sy::TimePoint begun) const {
    for (const auto& [number, when] : entries_) {
      if (number > seen) return begun - when;
    }
    return sy::Duration::zero();
  }

 private:
  static constexpr std::size_t kKept = 200'000;
  std::deque<std::pair<std::int64_t, sy::TimePoint>> entries_;
};

constexpr sy::Duration kMaxLag = 2s;

sy::Task<void> caller(sy::Fleet& fleet, int id, std::int64_t count, Score& score) {
  for (std::int64_t n = 1; n <= count; ++n) {
    sy::Request request = fleet.request();
    const auto written =
        co_await request[main_db].execute("UPDATE counters SET n = $2 WHERE id = $1", id, n).result();
    if (!written.ok()) {
      ++score.failed;
      continue;
    }
    using Seen = std::tuple<std::int64_t, bool>;
    const auto seen = co_await request[main_db]
                          .read()
                          .query_one<Seen>("SELECT n, pg_is_in_recovery() FROM counters WHERE id = $1", id)
                          .result();
    if (!seen.ok()) {
      ++score.failed;
      continue;
    }
    ++score.reads;
    score.at_replica += std::get<1>(*seen) ? 1 : 0;
    score.stale += std::get<0>(*seen) == n ? 0 : 1;
  }
}

sy::Task<void> lag_watcher(sy::Fleet& fleet, Score& score, const bool& stop) {
  Acknowledged acknowledged;
  std::int64_t n = 0;
  while (!stop) {
    ++n;
    if ((co_await fleet[main_db].execute("UPDATE counters SET n = $1 WHERE id = 0", n).result()).ok()) {
      acknowledged.add(n, sy::Clock::now());
    }
    const sy::TimePoint begun = sy::Clock::now();
    const auto seen = co_await fleet[main_db]
                          .read({.max_lag = kMaxLag})
                          .query_value<std::int64_t>("SELECT n FROM counters WHERE id = 0")
                          .result();
    if (seen.ok()) {
      ++score.lag_reads;
      score.too_old += acknowledged.age_of_missed(*seen, begun) > kMaxLag ? 1 : 0;
    }
    co_await sy::sleep(5ms);
  }
}

sy::FleetConfig configure(sy::embedded::PrivateCluster& cluster) {
  std::string text = "[fleet]\napplication = \"chaos\"\n[database.main]\nreplica_wait = \"10ms\"\ndsn = \"" +
                     cluster.primary().endpoint().uri() + "\"\n[database.main.pool]\nmin = 0\nmax = 24\n";
  for (sy::embedded::PrivateServer* replica : cluster.replicas()) {
    text += "[[database.main.replica]]\nname = \"" + replica->name() + "\"\ndsn = \"" + replica->endpoint().uri() +
            "\"\n";
  }
  sy::Sources sources;
  sources.file = "chaos.toml";
  sources.file_text = text;
  return sy::load_config(sources).value_or_throw();
}

}  // namespace

int main(int argc, char** argv) {
  const sy::testing::ProgramOptions options(
      argc, argv, "Reads after writes, with replicas paused and resumed at random.",
      {{"reads", "20000"}, {"callers", "16"}, {"replicas", "2"}, {"seed", "1"}});
  auto cluster = sy::embedded::PrivateCluster::start(sy::embedded::test_options()).value_or_throw();
  const int callers = options.count("callers");
  (void)cluster->primary()
      .execute(
          "CREATE TABLE counters (id int PRIMARY KEY, n bigint) WITH (fillfactor = 50);"
          "INSERT INTO counters SELECT g, 0 FROM generate_series(0, " +
          std::to_string(callers) + ") g")
      .value_or_throw();
  for (int i = 0; i < options.count("replicas"); ++i) {
    cluster->add_replica("r" + std::to_string(i)).value_or_throw()->catch_up(cluster->primary()).value_or_throw();
  }

  std::atomic<bool> over{false};
  std::thread pauser([&] {
    sy::Random random(static_cast<std::uint64_t>(options.count("seed")));
    std::vector<bool> paused(cluster->replicas().size());
    while (!over) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + random.next() % 400));
      const std::size_t which = random.next() % paused.size();
      sy::embedded::PrivateServer& replica = *cluster->replicas()[which];
      paused[which] = !paused[which];
      (void)(paused[which] ? replica.pause_replay() : replica.resume_replay());
    }
    for (sy::embedded::PrivateServer* replica : cluster->replicas()) (void)replica->resume_replay();
  });

  Score score;
  const sy::TimePoint begun = sy::Clock::now();
  sy::runtime::Shard shard;
  shard.run_until_complete(
      [](sy::FleetConfig config, int count, std::int64_t each, Score& total) -> sy::Task<void> {
        auto fleet = sy::Fleet::open(std::move(config)).value_or_throw();
        co_await fleet->warm_up();
        bool stop = false;
        const auto all_callers = [&]() -> sy::Task<void> {
          std::vector<sy::Task<void>> tasks;
          for (int id = 1; id <= count; ++id) tasks.push_back(caller(*fleet, id, each, total));
          co_await sy::all(std::move(tasks));
          stop = true;
        };
        co_await sy::all(all_callers(), lag_watcher(*fleet, total, stop));
        co_await fleet->close(2s);
      }(configure(*cluster), callers, (options.count("reads") + callers - 1) / callers, score));
  over = true;
  pauser.join();

  const double seconds = std::chrono::duration<double>(sy::Clock::now() - begun).count();
  std::printf("reads after a write: %lld in %.1f s, at a replica %.1f %%, failed %lld, stale %lld\n",
              static_cast<long long>(score.reads), seconds,
              100.0 * static_cast<double>(score.at_replica) / static_cast<double>(score.reads),
              static_cast<long long>(score.failed), static_cast<long long>(score.stale));
  std::printf("reads with max_lag %s: %lld, older %lld\n", "2s", static_cast<long long>(score.lag_reads),
              static_cast<long long>(score.too_old));
  return score.stale == 0 && score.too_old == 0 ? 0 : 1;
}

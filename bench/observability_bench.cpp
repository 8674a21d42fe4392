// What being looked at costs: point reads on a private server through a fleet, 32 at a time, with and without
// traces (the default share of 1 %, sent to a collector on a thread of its own) and a scrape of /metrics each
// second. A pair is measured in turns of a quarter of a second; the counter `lost` is the share of throughput that
// observing takes, as the median over all pairs. To stay under 0.02. Not measured: what the collector and
// Prometheus do with it.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/http/live_fleet_source.hpp>
#include <switchyard/http/metrics.hpp>
#include <switchyard/httpc/testing/scripted_server.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <benchmark/benchmark.h>
#include <time.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace switchyard;
using namespace std::chrono_literals;

inline constexpr Database<"main"> main_db;
constexpr int kCallers = 32;
constexpr Duration kTurn = 250ms;
constexpr int kPairs = 40;

/// A collector that takes everything, on a thread of its own.
class Collector {
 public:
  Collector() {
    std::promise<std::string> url;
    auto known = url.get_future();
    thread_ = std::thread([this, &url] {
      shard_.run_until_complete([](Collector& self, std::promise<std::string>& where) -> Task<void> {
        httpc::ScriptedServer server;
        server.otherwise = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        where.set_value(server.url(""));
        while (!self.stopping_) {
          co_await sleep(20ms);
          server.requests.clear();
        }
      }(*this, url));
    });
    url_ = known.get();
  }
  ~Collector() {
    shard_.post([this] { stopping_ = true; });
    thread_.join();
  }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  runtime::Shard shard_;
  bool stopping_ = false;
  std::string url_;
  std::thread thread_;
};

FleetConfig config(const std::string& dsn, const std::string& collector) {
  Sources sources;
  sources.file = "bench.toml";
  sources.file_text =
      "[fleet]\napplication = \"bench\"\n[database.main]\ndsn = \"" + dsn + "\"\npool = { min = 8, max = 8 }\n";
  if (!collector.empty()) *sources.file_text += "[telemetry]\notlp_endpoint = \"" + collector + "\"\n";
  return load_config(sources).value_or_throw();
}

Task<void> caller(Fleet& fleet, TimePoint until, std::uint64_t& done) {
  while (Clock::now() < until) {
    (void)co_await fleet[main_db].query_value<std::int32_t>(
        {.sql = "SELECT v FROM t WHERE id = $1", .name = "by-id"}, static_cast<std::int32_t>(done % 1000));
    ++done;
  }
}

Task<void> scrape(http::LiveFleetSource& source) {
  const auto reports = co_await source.health();
  benchmark::DoNotOptimize(http::metrics_text({.status = source.status(),
                                               .reports = *reports,
                                               .statistics = source.statistics(),
                                               .facts = source.facts(),
                                               .events = source.event_counts()}));
}

double thread_seconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

struct Rate {
  double reads = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  Rate& operator+=(const Rate& other) {
    reads += other.reads;
    seconds += other.seconds;
    cpu_seconds += other.cpu_seconds;
    return *this;
  }
  [[nodiscard]] double per_second() const { return reads / seconds; }
  [[nodiscard]] double per_cpu_second() const { return reads / cpu_seconds; }
};

/// One turn, with a scrape meanwhile if there is somebody to be scraped.
Task<Rate> turn(Fleet& fleet, http::LiveFleetSource* scraped = nullptr) {
  std::uint64_t done = 0;
  const TimePoint begun = Clock::now();
  const double cpu_begun = thread_seconds();
  std::vector<Task<void>> callers;
  for (int i = 0; i < kCallers; ++i) callers.push_back(caller(fleet, begun + kTurn, done));
  if (scraped != nullptr) callers.push_back(scrape(*scraped));
  co_await all(std::move(callers));
  co_return Rate{static_cast<double>(done), std::chrono::duration<double>(Clock::now() - begun).count(),
                 thread_seconds() - cpu_begun};
}

Task<void> compare(std::string dsn, std::string collector, benchmark::State& state) {
  auto plain = Fleet::open(config(dsn, "")).value_or_throw();
  auto observed = Fleet::open(config(dsn, collector)).value_or_throw();
  {
    http::LiveFleetSource source(*observed);
    (void)co_await turn(*plain);
    (void)co_await turn(*observed);
    Rate without;
    Rate with;
    for (int pair = 0; pair < kPairs; ++pair) {
      const bool plain_first = pair % 2 == 0;
      if (plain_first) without += co_await turn(*plain);
      with += co_await turn(*observed, pair % 4 == 3 ? &source : nullptr);  // four observed turns are a second
      if (!plain_first) without += co_await turn(*plain);
    }
    state.counters["lost"] = 1 - with.per_second() / without.per_second();
    state.counters["lost_cpu"] = 1 - with.per_cpu_second() / without.per_cpu_second();
    state.counters["reads_per_s"] = without.per_second();
    state.counters["spans"] = static_cast<double>(observed->statistics().traces.exported);
  }
  co_await observed->close();
  co_await plain->close();
}

void observed_throughput(benchmark::State& state) {
  const auto database = embedded::TestDatabase::with(
      "CREATE TABLE t AS SELECT id, id AS v FROM generate_series(0, 999) id; ALTER TABLE t ADD PRIMARY KEY (id)");
  const Collector collector;
  for (auto _ : state) {
    runtime::Shard shard;
    shard.run_until_complete(compare(database.endpoint().uri(), collector.url(), state));
  }
}
BENCHMARK(observed_throughput)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace

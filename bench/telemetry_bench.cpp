// What counting costs the thread that counts. Ceiling: a plain integer; rival: one shared atomic with a locked add.
// Not measured: cache misses of a program that touches thousands of different histograms.
#include <switchyard/base/random.hpp>
#include <switchyard/telemetry/log.hpp>
#include <switchyard/telemetry/registry.hpp>
#include <switchyard/telemetry/text.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <list>

namespace {

using namespace switchyard;

void plain_integer(benchmark::State& state) {
  std::uint64_t number = 0;
  for (auto _ : state) {
    ++number;
    benchmark::DoNotOptimize(&number);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(plain_integer);

void counter(benchmark::State& state) {
  telemetry::Counter number;
  for (auto _ : state) {
    number.add();
    benchmark::DoNotOptimize(&number);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(counter);

void locked_add(benchmark::State& state) {
  std::atomic<std::uint64_t> number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(number.fetch_add(1, std::memory_order_relaxed));
}
BENCHMARK(locked_add);

void histogram_record(benchmark::State& state) {
  telemetry::Histogram histogram;
  Random random(1);
  std::array<std::uint64_t, 1024> values;  // 20 µs to 20 ms, as statements take
  for (auto& value : values) value = 20'000 + random.next() % (std::uint64_t{1} << (random.next() % 11 + 14));
  std::size_t i = 0;
  for (auto _ : state) {
    histogram.record(values[i++ % values.size()]);
    benchmark::DoNotOptimize(&histogram);
  }
}
BENCHMARK(histogram_record);

void log_without_sink(benchmark::State& state) {
  for (auto _ : state) {
    log::info("bench", "tick", "never read", {{"database", "main"}, {"n", 1}});
    benchmark::ClobberMemory();
  }
}
BENCHMARK(log_without_sink);

/// A scrape of 16 pools on 4 shards, each with a counter and a histogram.
void scrape(benchmark::State& state) {
  constexpr telemetry::Metric kTimeouts{.kind = telemetry::Metric::Kind::counter, .name = "timeouts", .help = "-"};
  constexpr telemetry::Metric kWait{.kind = telemetry::Metric::Kind::histogram,
                                    .name = "wait",
                                    .unit = "s",
                                    .help = "-",
                                    .scale = 1e-9,
                                    .boundaries = telemetry::kOperationSeconds};
  telemetry::Registry registry;
  std::list<telemetry::Counter> counters;
  std::list<telemetry::Histogram> histograms;
  std::vector<telemetry::Registration> registered;
  for (int pool = 0; pool < 16; ++pool) {
    for (int shard = 0; shard < 4; ++shard) {
      const telemetry::Labels labels{{"pool", std::to_string(pool)}};
      registered.push_back(registry.add(kTimeouts, labels, counters.emplace_back()));
      registered.push_back(registry.add(kWait, labels, histograms.emplace_back()));
    }
  }
  for (auto _ : state) benchmark::DoNotOptimize(telemetry::to_text(registry.read()));
}
BENCHMARK(scrape)->Unit(benchmark::kMicrosecond);

}  // namespace

// What counting costs the thread that counts. Ceiling: a plain integer; rival: one shared atomic with a locked add.
// Not measured: cache misses of a program that touches thousands of different histograms.
#include <switchyard/base/random.hpp>
#include <switchyard/telemetry/event_log.hpp>
#include <switchyard/telemetry/log.hpp>
#include <switchyard/telemetry/operation_numbers.hpp>
#include <switchyard/telemetry/otlp.hpp>
#include <switchyard/telemetry/registry.hpp>
#include <switchyard/telemetry/span_queue.hpp>
#include <switchyard/telemetry/text.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <list>
#include <string>
#include <vector>

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

/// Everything that is recorded of one operation: its wait, its execution, its outcome, and the same under its name.
/// Names: of 200 statements, in turn. To stay under 50 ns.
void operation(benchmark::State& state) {
  using namespace std::chrono_literals;
  telemetry::OperationNumbers numbers({.latency_target = 10ms});
  std::array<std::string, 200> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = "declarations-by-office-" + std::to_string(i);
  Random random(1);
  std::array<Duration, 1024> times;
  for (Duration& time : times) time = 20us + random.below(20ms);
  const bool named = state.range(0) != 0;
  std::size_t i = 0;
  for (auto _ : state) {
    ++i;
    numbers.acquired(times[(i + 1) % times.size()], false);
    numbers.record({.name = named ? std::string_view(names[i % names.size()]) : std::string_view(),
                    .execution = times[i % times.size()]});
    // Whether it is traced: with the default share.
    bool traced = telemetry::draw_sample(0.01);
    benchmark::DoNotOptimize(traced);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(operation)->ArgName("named")->Arg(0)->Arg(1);

/// An event of which there are too many.
void event_left_out(benchmark::State& state) {
  telemetry::EventLog events({.kept = 10, .burst = 1, .interval = std::chrono::hours(1)});
  for (auto _ : state) {
    events.note(telemetry::kSlowQuery, "main", TimePoint(std::chrono::hours(1)),
                [] { return std::string("[SLOW QUERY] main took 1234ms: SELECT ?"); });
  }
}
BENCHMARK(event_left_out);

telemetry::Span some_span() {
  telemetry::Span span;
  span.trace = telemetry::new_trace_id();
  span.id = telemetry::new_span_id();
  span.name = "declarations-by-office";
  span.attributes.reserve(10);
  for (const char* key :
       {"db.system.name", "db.namespace", "db.operation.name", "db.query.summary", "server.address",
        "db.client.connection.pool.name", "switchyard.access", "switchyard.route"}) {
    span.attributes.emplace_back(key, "some value of this");
  }
  return span;
}

/// Of a sampled operation: putting its span together and queueing it.
void span_queued(benchmark::State& state) {
  telemetry::SpanQueue queue(1024);
  for (auto _ : state) {
    queue.add(some_span());
    if (queue.size() == 1024) benchmark::DoNotOptimize(queue.take(1024));
  }
}
BENCHMARK(span_queued);

/// Of a sampled operation: its part of a batch for the collector.
void span_encoded(benchmark::State& state) {
  std::vector<telemetry::Span> spans;
  for (int i = 0; i < 512; ++i) spans.push_back(some_span());
  const telemetry::ClockPair clocks = telemetry::ClockPair::now();
  for (auto _ : state) benchmark::DoNotOptimize(telemetry::otlp_json({{"service.name", "bench"}}, spans, clocks));
  state.SetItemsProcessed(state.iterations() * 512);
}
BENCHMARK(span_encoded)->Unit(benchmark::kMicrosecond);

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

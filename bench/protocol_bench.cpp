// What the client pays for each row between the socket and the decoder of a column.
//
// Measured: framing, matching the row to its step, the virtual call, and walking over the fields of 12 columns as
// the first columns of pg_type have them, from a buffer of about 64 kB that is in the cache. Not measured: the
// socket and decoding values. The ceiling is copying the same bytes once.
#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/protocol/testing/backend.hpp>

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

namespace {

using namespace switchyard;
using namespace switchyard::protocol;

constexpr int kColumns = 12;
constexpr std::size_t kRows = 512;

/// DataRow messages like those of SELECT typname, typnamespace, typowner, typlen, typbyval, typcategory,
/// typispreferred, typisdefined, typdelim, typrelid, typelem, typarray FROM pg_type in binary.
std::string rows() {
  std::string all;
  for (std::size_t i = 0; i < kRows; ++i) {
    const std::string name = "type_" + std::to_string(i * 7919 % 100'000);
    const std::string_view oid("\0\0\4\1", 4);
    all +=
        testing::data_row({name, oid, oid, std::string_view("\0\4", 2), "\1", "N", "\1", "\1", ",", oid, oid, oid});
  }
  return all;
}

/// Touches every field, as a decoder would.
class WalkingSink final : public ResponseSink {
 public:
  std::size_t bytes = 0;
  void on_row(RowView row) noexcept override {
    std::size_t sum = 0;
    for (FieldCursor cursor = row.fields(); cursor.remaining() > 0;) {
      sum += static_cast<std::size_t>(cursor.next().size);
    }
    bytes += sum;
  }
};
/// Walks as the decoder of a struct does: the columns of known width by their width (RowTable::decode).
class DecodingSink final : public ResponseSink {
 public:
  std::size_t bytes = 0;
  void on_rows(RowRun& run) noexcept override {
    RowRun rows = run;
    std::size_t sum = 0;
    for (RowView row; rows.next(row);) {
      FieldCursor cursor = row.fields();
      sum += static_cast<std::size_t>(cursor.next().size);
      sum += taken<4>(cursor) + taken<4>(cursor) + taken<2>(cursor);
      for (int i = 0; i < 5; ++i) sum += taken<1>(cursor);
      sum += taken<4>(cursor) + taken<4>(cursor) + taken<4>(cursor);
    }
    bytes += sum;
    run = rows;
  }

 private:
  template <std::size_t kSize>
  static std::size_t taken(FieldCursor& cursor) noexcept {
    if (const char* value = cursor.next_of_size<kSize>()) return static_cast<unsigned char>(*value);
    return static_cast<std::size_t>(cursor.next().size);
  }
};
class CountingSink final : public ResponseSink {
 public:
  std::size_t rows = 0;
  void on_row(RowView row) noexcept override { rows += static_cast<std::size_t>(row.count() == kColumns); }
};

template <class Sink>
void run(benchmark::State& state) {
  const std::string messages = rows();
  base::WriteBuffer out;
  base::ReadBuffer in;
  SessionEvents events;
  Pipeline pipeline(out);
  Sink sink;
  if (pipeline.execute("", 0, &sink, kColumns) != Pipeline::Submitted::ok) std::abort();
  std::memcpy(in.prepare(messages.size()), messages.data(), messages.size());
  for (auto _ : state) {
    in.commit(messages.size());  // the bytes are still there
    if (pipeline.on_bytes(in, events) != Pipeline::Outcome::ok) std::abort();
    benchmark::DoNotOptimize(sink);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(messages.size()));
  state.counters["time/row"] = benchmark::Counter(
      static_cast<double>(kRows), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void FramesAndMatches(benchmark::State& state) { run<CountingSink>(state); }
BENCHMARK(FramesAndMatches);
void FramesMatchesAndWalks(benchmark::State& state) { run<WalkingSink>(state); }
BENCHMARK(FramesMatchesAndWalks);
void FramesMatchesAndWalksByWidth(benchmark::State& state) { run<DecodingSink>(state); }
BENCHMARK(FramesMatchesAndWalksByWidth);

void CeilingMemcpy(benchmark::State& state) {
  const std::string messages = rows();
  std::string copy(messages.size(), '\0');
  for (auto _ : state) {
    std::memcpy(copy.data(), messages.data(), messages.size());
    benchmark::DoNotOptimize(copy.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(messages.size()));
  state.counters["time/row"] = benchmark::Counter(
      static_cast<double>(kRows), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(CeilingMemcpy);

/// The other direction: a prepared statement with two parameters and its Sync.
void WritesBindExecuteSync(benchmark::State& state) {
  base::WriteBuffer out;
  base::ReadBuffer in;
  SessionEvents events;
  Pipeline pipeline(out);
  ResponseSink sink;
  const BindArguments arguments{
      .formats = kAllBinary, .count = 2, .values = std::string_view("\0\0\0\4abcd\0\0\0\4abcd", 16)};
  const std::string answer = testing::bind_complete() + testing::command_complete("SELECT 0") + testing::ready();
  for (auto _ : state) {
    (void)pipeline.bind_execute("s12", arguments, kAllBinary, &sink, kColumns);
    (void)pipeline.sync(&sink);
    out.clear();
    std::memcpy(in.prepare(answer.size()), answer.data(), answer.size());
    in.commit(answer.size());
    if (pipeline.on_bytes(in, events) != Pipeline::Outcome::ok) std::abort();
  }
}
BENCHMARK(WritesBindExecuteSync);

}  // namespace

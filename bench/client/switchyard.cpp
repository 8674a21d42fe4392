// The client benchmark through a fleet: one thread, one shard, a pool of 10 sessions, one coroutine a session. Rows
// become structs, vectors and integers that own their data.
#include "worker.hpp"

#include <switchyard/switchyard.hpp>

#include <tuple>
#include <vector>

namespace {

namespace sy = switchyard;
using worker::Count;
using workload::Query;

constexpr sy::Database<"main"> kMain;

using BatchArguments = std::vector<std::tuple<std::int32_t, std::string>>;
const BatchArguments& batch_arguments() {
  static const BatchArguments arguments = [] {
    BatchArguments out;
    for (workload::BatchRow& row : workload::batch_rows()) out.emplace_back(row.a, std::move(row.b));
    return out;
  }();
  return arguments;
}
const std::vector<workload::CopyRow>& copy_values() {
  static const std::vector<workload::CopyRow> rows = workload::copy_rows();
  return rows;
}

/// Runs the query once and gives the number of rows.
template <Query kQuery>
sy::Task<std::uint64_t> run_once(sy::DatabaseHandle db) {
  if constexpr (kQuery == Query::pg_type) {
    co_return (co_await db.query<workload::PgType>(workload::kPgType, -1, true)).size();
  } else if constexpr (kQuery == Query::series) {
    co_return (co_await db.query<std::int32_t>(workload::kSeries)).size();
  } else if constexpr (kQuery == Query::bytea) {
    co_return (co_await db.query<sy::Bytes>(workload::kBytea)).size();
  } else if constexpr (kQuery == Query::int_array) {
    co_return (co_await db.query<std::vector<std::int32_t>>(workload::kIntArray)).size();
  } else if constexpr (kQuery == Query::batch) {
    co_return co_await db.execute_many(workload::kBatch, batch_arguments());
  } else if constexpr (kQuery == Query::copy) {
    auto copy = db.copy_in(workload::kCopyBinary);
    for (const workload::CopyRow& row : copy_values()) co_await copy.row(row.a, row.b, row.c);
    co_return co_await copy.finish();
  } else {
    if (co_await db.query_value<std::int32_t>(workload::kOne) != 2) throw std::runtime_error("1+1 is not 2");
    co_return 1;
  }
}

/// One coroutine's work until the slice ends.
template <Query kQuery>
sy::Task<void> loop(sy::DatabaseHandle db, const worker::Slice& slice, Count& count) {
  while (slice.running()) {
    count.rows += co_await run_once<kQuery>(db);
    ++count.statements;
  }
}

template <Query kQuery>
sy::Task<void> run_slice(sy::Fleet& fleet, const worker::Request& request) {
  // As many sessions as are used know the statement before the clock starts.
  std::vector<sy::Task<std::uint64_t>> warm;
  for (int i = 0; i < request.sessions; ++i) warm.push_back(run_once<kQuery>(fleet[kMain]));
  co_await sy::all(std::move(warm));

  Count count;
  const worker::Slice slice(request.seconds);
  std::vector<sy::Task<void>> loops;
  for (int i = 0; i < request.sessions; ++i) loops.push_back(loop<kQuery>(fleet[kMain], slice, count));
  co_await sy::all(std::move(loops));
  slice.report(count);
}

sy::Task<void> serve(std::string dsn) {
  sy::Sources sources;
  sources.file = "bench.toml";
  sources.file_text =
      "[fleet]\napplication = \"bench\"\n[database.main]\ndsn = \"" + dsn + "\"\npool.min = 10\npool.max = 10\n";
  auto fleet = sy::Fleet::open(sy::load_config(sources).value_or_throw()).value_or_throw();
  worker::say_ready("switchyard " + std::string(sy::kVersion));
  while (const auto request = worker::next_request()) {
    // Waiting for the request has blocked the loop, and the clock of its turn: time-outs must not count from there.
    co_await sy::sleep(std::chrono::milliseconds(1));
    switch (request->query) {
      case Query::pg_type: co_await run_slice<Query::pg_type>(*fleet, *request); break;
      case Query::series: co_await run_slice<Query::series>(*fleet, *request); break;
      case Query::bytea: co_await run_slice<Query::bytea>(*fleet, *request); break;
      case Query::int_array: co_await run_slice<Query::int_array>(*fleet, *request); break;
      case Query::batch: co_await run_slice<Query::batch>(*fleet, *request); break;
      case Query::copy: co_await run_slice<Query::copy>(*fleet, *request); break;
      case Query::one: co_await run_slice<Query::one>(*fleet, *request); break;
    }
  }
  co_await fleet->close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    sy::runtime::Shard shard;
    shard.run_until_complete(serve(argv[1]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

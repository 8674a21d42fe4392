// The client benchmark through libpq: prepared statements, binary results, one thread a session; the batch by its
// pipeline mode. Two ways to use a result: "values" only looks at each value where libpq keeps it (length and first
// byte), the least that a program can do; "objects" makes the same structs, vectors and integers as the other
// clients give.
#include "threads.hpp"

#include <switchyard/base/bytes.hpp>

#include <libpq-fe.h>

#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using switchyard::base::load_be;
using switchyard::base::store_be;
using workload::Query;

constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kBool = 16;

enum class Use { values, objects };

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;
struct ConnectionDeleter {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, ConnectionDeleter>;

ResultPtr checked(PGconn* connection, PGresult* raw, ExecStatusType expected) {
  ResultPtr result(raw);
  if (PQresultStatus(raw) != expected) throw std::runtime_error(PQerrorMessage(connection));
  return result;
}

Connection connect(const char* dsn) {
  Connection connection(PQconnectdb(dsn));
  PGconn* raw = connection.get();
  if (PQstatus(raw) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(raw));
  const auto prepare = [raw](const char* name, const char* sql, std::vector<Oid> types) {
    checked(raw, PQprepare(raw, name, sql, static_cast<int>(types.size()), types.data()), PGRES_COMMAND_OK);
  };
  prepare("pg_type", workload::kPgType, {kInt4, kBool});
  prepare("series", workload::kSeries, {});
  prepare("bytea", workload::kBytea, {});
  prepare("int_array", workload::kIntArray, {});
  prepare("batch", workload::kBatch, {kInt4, kText});
  prepare("one", workload::kOne, {});
  return connection;
}

volatile std::uint64_t g_sink;  // what was read is used

void look_at_values(const PGresult* result) {
  std::uint64_t sum = 0;
  const int rows = PQntuples(result);
  const int columns = PQnfields(result);
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      sum += static_cast<std::uint64_t>(PQgetlength(result, row, column)) +
             static_cast<unsigned char>(*PQgetvalue(result, row, column));
    }
  }
  g_sink = sum;
}

template <class T>
T number(const PGresult* result, int row, int column) {
  return load_be<T>(PQgetvalue(result, row, column));
}

std::vector<workload::PgType> pg_types(const PGresult* result) {
  std::vector<workload::PgType> out;
  out.reserve(static_cast<std::size_t>(PQntuples(result)));
  for (int row = 0; row < PQntuples(result); ++row) {
    out.push_back({.typname = {PQgetvalue(result, row, 0), static_cast<std::size_t>(PQgetlength(result, row, 0))},
                   .typnamespace = number<std::uint32_t>(result, row, 1),
                   .typowner = number<std::uint32_t>(result, row, 2),
                   .typlen = number<std::int16_t>(result, row, 3),
                   .typbyval = *PQgetvalue(result, row, 4) != 0,
                   .typcategory = *PQgetvalue(result, row, 5),
                   .typispreferred = *PQgetvalue(result, row, 6) != 0,
                   .typisdefined = *PQgetvalue(result, row, 7) != 0,
                   .typdelim = *PQgetvalue(result, row, 8),
                   .typrelid = number<std::uint32_t>(result, row, 9),
                   .typelem = number<std::uint32_t>(result, row, 10),
                   .typarray = number<std::uint32_t>(result, row, 11)});
  }
  return out;
}

/// array_send: dimensions, flags, element type, then size and lower bound of each dimension, then the elements.
std::vector<std::int32_t> int_array(const char* at) {
  constexpr std::size_t kHeader = 20;
  const auto size = static_cast<std::size_t>(load_be<std::int32_t>(at + 12));
  std::vector<std::int32_t> out(size);
  at += kHeader;
  for (std::int32_t& value : out) {
    value = load_be<std::int32_t>(at + 4);
    at += 8;
  }
  return out;
}

template <class T>
void use(const std::vector<T>& objects) {
  g_sink = objects.size();
}

void make_objects(Query query, const PGresult* result) {
  const int rows = PQntuples(result);
  const auto size = static_cast<std::size_t>(rows);
  switch (query) {
    case Query::pg_type: use(pg_types(result)); break;
    case Query::series: {
      std::vector<std::int32_t> out;
      out.reserve(size);
      for (int row = 0; row < rows; ++row) out.push_back(number<std::int32_t>(result, row, 0));
      use(out);
      break;
    }
    case Query::bytea: {
      std::vector<std::vector<char>> out;
      out.reserve(size);
      for (int row = 0; row < rows; ++row) {
        const char* value = PQgetvalue(result, row, 0);
        out.emplace_back(value, value + PQgetlength(result, row, 0));
      }
      use(out);
      break;
    }
    case Query::int_array: {
      std::vector<std::vector<std::int32_t>> out;
      out.reserve(size);
      for (int row = 0; row < rows; ++row) out.push_back(int_array(PQgetvalue(result, row, 0)));
      use(out);
      break;
    }
    default: look_at_values(result);
  }
}

std::uint64_t select(PGconn* connection, Query query, const char* name, Use use) {
  char typmod[4];
  store_be<std::int32_t>(typmod, -1);
  const char defined = 1;
  const char* values[] = {typmod, &defined};
  const int lengths[] = {4, 1};
  const int formats[] = {1, 1};
  const int parameters = query == Query::pg_type ? 2 : 0;
  const ResultPtr result = checked(
      connection, PQexecPrepared(connection, name, parameters, values, lengths, formats, 1), PGRES_TUPLES_OK);
  if (use == Use::objects) {
    make_objects(query, result.get());
  } else {
    look_at_values(result.get());
  }
  return static_cast<std::uint64_t>(PQntuples(result.get()));
}

/// Pipeline mode: 1000 statements, one Sync.
std::uint64_t insert_batch(PGconn* connection) {
  static const std::vector<workload::BatchRow> rows = workload::batch_rows();
  const auto require = [connection](int ok) {
    if (ok != 1) throw std::runtime_error(PQerrorMessage(connection));
  };
  require(PQenterPipelineMode(connection));
  for (const workload::BatchRow& row : rows) {
    char a[4];
    store_be(a, row.a);
    const char* values[] = {a, row.b.data()};
    const int lengths[] = {4, static_cast<int>(row.b.size())};
    const int formats[] = {1, 1};
    require(PQsendQueryPrepared(connection, "batch", 2, values, lengths, formats, 1));
  }
  require(PQpipelineSync(connection));
  std::uint64_t inserted = 0;
  for (;;) {
    const ResultPtr result(PQgetResult(connection));
    if (!result) continue;  // the end of one statement's results
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection));
    ++inserted;
  }
  require(PQexitPipelineMode(connection));
  return inserted;
}

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  store_be(bytes, value);
  out.append(bytes, sizeof(T));
}

std::uint64_t copy(PGconn* connection) {
  constexpr std::size_t kPiece = 64 << 10;
  static const std::vector<workload::CopyRow> rows = workload::copy_rows();
  checked(connection, PQexec(connection, workload::kCopyBinary), PGRES_COPY_IN);
  std::string buffer("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  const auto send = [&] {
    if (PQputCopyData(connection, buffer.data(), static_cast<int>(buffer.size())) != 1) {
      throw std::runtime_error(PQerrorMessage(connection));
    }
    buffer.clear();
  };
  for (const workload::CopyRow& row : rows) {
    put<std::int16_t>(buffer, 3);
    put<std::int32_t>(buffer, 4);
    put(buffer, row.a);
    put<std::int32_t>(buffer, 8);
    put(buffer, row.b);
    put(buffer, static_cast<std::int32_t>(row.c.size()));
    buffer += row.c;
    if (buffer.size() >= kPiece) send();
  }
  put<std::int16_t>(buffer, -1);
  send();
  PQputCopyEnd(connection, nullptr);
  const ResultPtr result = checked(connection, PQgetResult(connection), PGRES_COMMAND_OK);
  while (PGresult* more = PQgetResult(connection)) PQclear(more);
  return std::stoull(PQcmdTuples(result.get()));
}

std::uint64_t run_once(PGconn* connection, Query query, Use use) {
  switch (query) {
    case Query::batch: return insert_batch(connection);
    case Query::copy: return copy(connection);
    default: break;
  }
  for (const workload::QueryName& known : workload::kQueries) {
    if (known.query == query) return select(connection, query, known.name.data(), use);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const Use use = std::string_view(argv[2]) == "objects" ? Use::objects : Use::values;
  try {
    std::vector<Connection> sessions;
    for (int i = 0; i < 10; ++i) sessions.push_back(connect(argv[1]));
    const int version = PQlibVersion();
    worker::say_ready("libpq " + std::to_string(version / 10'000) + "." + std::to_string(version % 10'000));
    while (const auto request = worker::next_request()) {
      worker::run_slice(sessions, *request,
                        [&](Connection& session, Query query) { return run_once(session.get(), query, use); });
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

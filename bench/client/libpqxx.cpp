// The client benchmark through libpqxx (text results, as it has no other), one thread a session. The batch is 1000
// prepared statements in one transaction, as it has no pipeline for these; COPY is its stream_to.
#include "threads.hpp"

#include <pqxx/pqxx>
#include <pqxx/stream_to>

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace {

using workload::Query;
using Session = std::unique_ptr<pqxx::connection>;

Session connect(const char* dsn) {
  auto session = std::make_unique<pqxx::connection>(dsn);
  session->prepare("pg_type", workload::kPgType);
  session->prepare("series", workload::kSeries);
  session->prepare("bytea", workload::kBytea);
  session->prepare("int_array", workload::kIntArray);
  session->prepare("batch", workload::kBatch);
  session->prepare("one", workload::kOne);
  return session;
}

volatile std::uint64_t g_sink;

workload::PgType pg_type(const pqxx::row& row) {
  return {row[0].as<std::string>(),   row[1].as<std::uint32_t>(),  row[2].as<std::uint32_t>(),
          row[3].as<std::int16_t>(),  row[4].as<bool>(),           *row[5].c_str(),
          row[6].as<bool>(),          row[7].as<bool>(),           *row[8].c_str(),
          row[9].as<std::uint32_t>(), row[10].as<std::uint32_t>(), row[11].as<std::uint32_t>()};
}

std::vector<std::int32_t> int_array(const pqxx::field& field) {
  std::vector<std::int32_t> out;
  auto parser = field.as_array();
  for (auto item = parser.get_next(); item.first != pqxx::array_parser::done; item = parser.get_next()) {
    if (item.first == pqxx::array_parser::string_value) out.push_back(std::stoi(item.second));
  }
  return out;
}

template <class T, class F>
std::uint64_t collect(const pqxx::result& result, F make) {
  std::vector<T> out;
  out.reserve(result.size());
  for (const auto& row : result) out.push_back(make(row));
  g_sink = out.size();
  return out.size();
}

std::uint64_t run_once(Session& session, Query query) {
  if (query == Query::batch) {
    static const std::vector<workload::BatchRow> rows = workload::batch_rows();
    pqxx::work transaction(*session);
    for (const auto& row : rows) transaction.exec_prepared("batch", row.a, row.b);
    transaction.commit();
    return rows.size();
  }
  if (query == Query::copy) {
    static const std::vector<workload::CopyRow> rows = workload::copy_rows();
    pqxx::work transaction(*session);
    {
      pqxx::stream_to stream(transaction, "_copy");
      for (const auto& row : rows) stream << std::make_tuple(row.a, row.b, row.c);
      stream.complete();
    }
    transaction.commit();
    return rows.size();
  }
  pqxx::nontransaction work(*session);
  switch (query) {
    case Query::pg_type: return collect<workload::PgType>(work.exec_prepared("pg_type", -1, true), pg_type);
    case Query::series:
      return collect<std::int32_t>(work.exec_prepared("series"),
                                   [](const pqxx::row& row) { return row[0].as<std::int32_t>(); });
    case Query::bytea:
      return collect<std::string>(work.exec_prepared("bytea"),
                                  [](const pqxx::row& row) { return pqxx::binarystring(row[0]).str(); });
    case Query::int_array:
      return collect<std::vector<std::int32_t>>(work.exec_prepared("int_array"),
                                                [](const pqxx::row& row) { return int_array(row[0]); });
    default: return collect<int>(work.exec_prepared("one"), [](const pqxx::row& row) { return row[0].as<int>(); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    std::vector<Session> sessions;
    for (int i = 0; i < 10; ++i) sessions.push_back(connect(argv[1]));
    worker::say_ready("libpqxx " PQXX_VERSION);
    while (const auto request = worker::next_request()) worker::run_slice(sessions, *request, run_once);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}

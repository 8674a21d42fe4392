#include <tests/support/libpq.hpp>

#include <libpq-fe.h>

#include <stdexcept>

namespace switchyard::testing {

namespace {

std::string text_of(const char* text) { return text == nullptr ? std::string() : std::string(text); }

}  // namespace

void PqResult::clear(pg_result* result) { PQclear(result); }

bool PqResult::ok() const {
  switch (PQresultStatus(result_.get())) {
    case PGRES_BAD_RESPONSE:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_ABORTED: return false;
    default: return result_ != nullptr;
  }
}
std::string PqResult::sqlstate() const { return error_field(PG_DIAG_SQLSTATE); }
std::string PqResult::error() const { return text_of(PQresultErrorMessage(result_.get())); }
std::string PqResult::error_field(char code) const { return text_of(PQresultErrorField(result_.get(), code)); }
std::string PqResult::command_tag() const { return text_of(PQcmdStatus(result_.get())); }
int PqResult::rows() const { return PQntuples(result_.get()); }
int PqResult::columns() const { return PQnfields(result_.get()); }
std::string PqResult::column_name(int column) const { return text_of(PQfname(result_.get(), column)); }
unsigned PqResult::column_type(int column) const { return PQftype(result_.get(), column); }
std::optional<std::string> PqResult::value(int row, int column) const {
  if (PQgetisnull(result_.get(), row, column) != 0) return {};
  return std::string(PQgetvalue(result_.get(), row, column),
                     static_cast<std::size_t>(PQgetlength(result_.get(), row, column)));
}

PqSession::PqSession(const std::string& connection_string)
    : connection_(PQconnectdb(connection_string.c_str()), &finish) {}

void PqSession::finish(pg_conn* connection) { PQfinish(connection); }
bool PqSession::connected() const { return PQstatus(connection_.get()) == CONNECTION_OK; }
std::string PqSession::error() const { return text_of(PQerrorMessage(connection_.get())); }
bool PqSession::uses_tls() const { return PQsslInUse(connection_.get()) != 0; }
int PqSession::backend_pid() const { return PQbackendPID(connection_.get()); }
std::string PqSession::parameter_status(const std::string& name) const {
  return text_of(PQparameterStatus(connection_.get(), name.c_str()));
}

PqResult PqSession::execute(const std::string& sql) { return PqResult(PQexec(connection_.get(), sql.c_str())); }

PqResult PqSession::query(const std::string& sql, const std::vector<PqParameter>& parameters, PqFormat results) {
  std::vector<const char*> values;
  for (const PqParameter& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  return PqResult(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                               values.data(), nullptr, nullptr, static_cast<int>(results)));
}

PqResult PqSession::query_binary(const std::string& sql, const std::vector<unsigned>& types,
                                 const std::vector<PqParameter>& parameters, PqFormat results) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats(parameters.size(), 1);
  for (const PqParameter& parameter : parameters) {
    values.push_back(parameter ? parameter->data() : nullptr);
    lengths.push_back(parameter ? static_cast<int>(parameter->size()) : 0);
  }
  return PqResult(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), types.data(),
                               values.data(), lengths.data(), formats.data(), static_cast<int>(results)));
}

std::string PqSession::value(const std::string& sql) {
  PqResult result = execute(sql);
  if (!result.ok()) throw std::runtime_error(sql + ": " + result.error());
  if (result.rows() != 1 || result.columns() != 1) throw std::runtime_error(sql + ": not exactly one value");
  return result.value(0, 0).value_or("");
}

PqParsed pq_parse(const std::string& connection_string) {
  PqParsed parsed;
  char* error = nullptr;
  PQconninfoOption* options = PQconninfoParse(connection_string.c_str(), &error);
  if (options == nullptr) {
    parsed.error = error == nullptr ? "out of memory" : error;
    PQfreemem(error);
    return parsed;
  }
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parsed.options.push_back({option->keyword, std::string(option->val)});
  }
  PQconninfoFree(options);
  return parsed;
}

int pq_version() { return PQlibVersion(); }

}  // namespace switchyard::testing

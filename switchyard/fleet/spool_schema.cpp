#include <switchyard/fleet/route_querier.hpp>
#include <switchyard/fleet/spool_schema.hpp>

#include <string>

namespace switchyard::inline v0::fleet {
namespace {

constexpr std::string_view kInsufficientPrivilege = "42501";

// spool_gate      one row a database: is its spool open?
// spool_drainer   one row a database: who drains it, how long he is alone, and the token that fences those before
// him spool           what is kept; `position` is the order, `entry` the identity spool_refused   what the database
// did not take
constexpr std::string_view kHome = R"(CREATE SCHEMA IF NOT EXISTS switchyard;
CREATE TABLE IF NOT EXISTS switchyard.spool_gate (
  database text PRIMARY KEY,
  open boolean NOT NULL DEFAULT false,
  epoch bigint NOT NULL DEFAULT 0,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  reason text NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS switchyard.spool_drainer (
  database text PRIMARY KEY,
  holder uuid,
  token bigint NOT NULL,
  lease_until timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS switchyard.spool (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  database text NOT NULL,
  entry uuid NOT NULL UNIQUE,
  summary text NOT NULL,
  payload bytea NOT NULL,
  sealed boolean NOT NULL,
  bytes bigint NOT NULL,
  label text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX IF NOT EXISTS spool_database_position ON switchyard.spool (database, position);
CREATE TABLE IF NOT EXISTS switchyard.spool_refused (
  entry uuid PRIMARY KEY,
  position bigint NOT NULL,
  database text NOT NULL,
  summary text NOT NULL,
  payload bytea NOT NULL,
  sealed boolean NOT NULL,
  bytes bigint NOT NULL,
  label text NOT NULL,
  created_at timestamptz NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  sqlstate text NOT NULL,
  error text NOT NULL);
CREATE TABLE IF NOT EXISTS switchyard.maintenance (
  database text PRIMARY KEY,
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  until timestamptz,
  begun_by text NOT NULL DEFAULT current_user);
CREATE TABLE IF NOT EXISTS switchyard.ownership (
  database text PRIMARY KEY,
  owner text NOT NULL,
  location text NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT clock_timestamp());
)";

constexpr std::string_view kProgress = R"(CREATE SCHEMA IF NOT EXISTS switchyard;
CREATE TABLE IF NOT EXISTS switchyard.spool_progress (
  source text NOT NULL,
  database text NOT NULL,
  token bigint NOT NULL,
  applied uuid[] NOT NULL,
  last_position bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (source, database));
)";

// Of the lock under which the tables are made.
constexpr std::int64_t kDdlLock = 0x7379'7370'6f6f'6c31;

Task<void> make_missing(RouteQuerier& querier, std::string_view ddl, std::string_view database) {
  const auto made = co_await as_result(
      querier.transaction([ddl](Transaction& tx) -> Task<void> { co_await make_tables(tx, ddl); }));
  if (!made.ok()) throw explain_missing(made.error(), ddl, database);
}

}  // namespace

Task<void> make_tables(Transaction& transaction, std::string_view ddl) {
  co_await transaction.execute("SELECT pg_advisory_xact_lock($1)", kDdlLock);
  co_await transaction.script(ddl);
}

Error explain_missing(const Error& refused, std::string_view ddl, std::string_view database) {
  if (refused.sqlstate() != kInsufficientPrivilege) return refused;
  return Error(ErrorKind::Config, "the tables of the spool are missing, and the login may not make them: " +
                                      std::string(refused.message()))
      .with_hint(
          "as the owner of the database run: " + std::string(ddl) +
          "GRANT USAGE ON SCHEMA switchyard TO <login>; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN "
          "SCHEMA switchyard TO <login>;")
      .with_database(std::string(database));
}

std::string_view home_ddl() noexcept { return kHome; }
std::string_view progress_ddl() noexcept { return kProgress; }

Task<bool> has_home_tables(RouteQuerier& home) {
  co_return co_await home.query_value<bool>(
      "SELECT to_regclass('switchyard.spool_gate') IS NOT NULL AND to_regclass('switchyard.ownership') IS NOT "
      "NULL");
}

Task<void> ensure_home_tables(RouteQuerier& home, std::string_view database) {
  const bool there = co_await has_home_tables(home);
  if (!there) co_await make_missing(home, kHome, database);
}

Task<void> ensure_progress_table(RouteQuerier& target, std::string_view database) {
  const bool there =
      co_await target.query_value<bool>("SELECT to_regclass('switchyard.spool_progress') IS NOT NULL");
  if (!there) co_await make_missing(target, kProgress, database);
}

}  // namespace switchyard::inline v0::fleet

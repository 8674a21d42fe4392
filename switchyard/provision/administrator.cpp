#include <switchyard/provision/administrator.hpp>

#include <switchyard/fleet/database.hpp>
#include <switchyard/provision/catalogue_reader.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <chrono>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

constexpr Duration kCloseTimeout = std::chrono::milliseconds(500);
constexpr Duration kLockPause = std::chrono::milliseconds(200);
/// "provision", as PostgreSQL's advisory locks have it: two numbers of 32 bits.
constexpr std::string_view kTryLock = "SELECT pg_try_advisory_lock(1937326706, 1886547830)";
constexpr std::string_view kSettings =
    "SET search_path = ''; SET lock_timeout = '10s'; SET statement_timeout = 0; "
    "SET idle_in_transaction_session_timeout = 0; SET default_transaction_read_only = off";

}  // namespace

FleetConfig single_config(std::string application, const ConnectionOptions& connection) {
  FleetConfig config;
  config.application = std::move(application);
  config.share_budget = false;
  // A program's fleet wants the names that its code uses.
  for (const std::string_view name : fleet::used_names()) {
    if (name != connection.dbname) config.databases.emplace_back().name = std::string(name);
  }
  DatabaseConfig& database = config.databases.emplace_back();
  database.name = connection.dbname;
  database.primary.connection = connection;
  database.primary.is_configured = true;
  database.pool.min = 0u;
  database.pool.max = 2u;
  database.pool.acquire_timeout = Duration(std::chrono::seconds(30));
  database.command_timeout = Duration::zero();
  database.lane = LaneMode::leased;
  database.breaker.enabled = false;
  return config;
}

Task<Lease> Administrator::lease(std::string database) {
  std::unique_ptr<Fleet>& fleet = fleets_[database];
  if (fleet == nullptr) {
    ConnectionOptions options = server_.admin;
    options.dbname = database;
    fleet = Fleet::open(single_config(server_.application, options)).value_or_throw();
  }
  Lease lease = co_await fleet->database(database).value_or_throw().lease(fleet::OnConnectFailure::fail);
  co_await lease.script(kSettings);
  co_return lease;
}

Task<void> Administrator::lock(const ProgressSink& told) {
  lock_.emplace(co_await lease());
  for (bool first = true;; first = false) {
    const bool mine = co_await lock_->query_value<bool>(kTryLock);
    if (mine) co_return;
    if (first && told) told(server_.place + ": somebody else provisions this server; waiting");
    co_await sleep(kLockPause);
  }
}

Task<ServerImage> Administrator::look() {
  Lease begin = co_await lease();
  ServerImage image = co_await read_server(begin);
  begin.release();
  for (const DesiredDatabase& database : server_.databases) {
    const DatabaseImage* there = image.database(database.name);
    if (there == nullptr || !there->allows_connections) continue;
    Lease inside = co_await lease(database.name);
    ContentImage content = co_await read_contents(inside, database.name);
    image.contents.emplace(database.name, std::move(content));
  }
  co_return image;
}

Task<void> Administrator::close() {
  lock_.reset();
  for (auto& [name, fleet] : fleets_) {
    if (fleet != nullptr) co_await fleet->close(kCloseTimeout);
  }
  fleets_.clear();
}

}  // namespace switchyard::inline v0::provision

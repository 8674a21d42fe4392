#include <switchyard/gateway/auth_query.hpp>

#include <switchyard/fleet/lease.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <optional>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

constexpr Duration kQueryTimeout = std::chrono::seconds(10);
/// Names that are remembered, those of nobody included; whoever guesses names does not make us remember more.
constexpr std::size_t kMostEntries = 10'000;

}  // namespace

Task<Result<AuthQuery::Answer>> AuthQuery::find(const GatewaySettings& settings, const DatabaseConfig& database,
                                                std::string user) {
  const Duration age = *settings.config.auth_cache;
  const std::string key = database.name + '\0' + user;
  if (const auto known = entries_.find(key); known != entries_.end()) {
    const std::shared_ptr<Entry> entry = known->second;
    if (entry->asking) co_await entry->answered.wait();
    if (entry->asked != TimePoint() && runtime::now() - entry->asked < age) co_return entry->answer;
  }
  co_return co_await ask_again(settings, database, std::move(user));
}

Task<Result<AuthQuery::Answer>> AuthQuery::ask_again(const GatewaySettings& settings,
                                                     const DatabaseConfig& database, std::string user) {
  const std::string key = database.name + '\0' + user;
  if (entries_.size() >= kMostEntries) make_room(runtime::now(), *settings.config.auth_cache);
  std::shared_ptr<Entry>& place = entries_[key];
  if (!place) place = std::make_shared<Entry>();
  const std::shared_ptr<Entry> entry = place;
  entry->asking = true;
  entry->answered.reset();
  // Also when whoever asked goes away in the middle.
  struct Done {
    Entry& entry;
    ~Done() {
      entry.asking = false;
      entry.answered.set();
    }
  };
  const Done done{*entry};
  Result<Answer> answer = co_await ask(settings, database, std::move(user));
  if (answer.ok()) {
    entry->answer = *answer;
    entry->asked = runtime::now();
  }
  co_return answer;
}

Task<Result<AuthQuery::Answer>> AuthQuery::ask(const GatewaySettings& settings, const DatabaseConfig& wanted,
                                               std::string user) {
  const GatewayConfig& config = settings.config;
  const DatabaseConfig* database = &wanted;
  if (!config.auth_database->empty()) database = fleet_.config().find(*config.auth_database);
  if (database == nullptr || !database->configured()) {
    co_return Error(ErrorKind::Config, "gateway.auth_database is not configured");
  }
  RoleLogin login{.role = *config.auth_user, .password = *config.auth_password, .keys = {}};
  if (const Credential* known = settings.users.find(login.role); login.password.empty() && known != nullptr) {
    if (known->is_password()) login.password = known->stored;
  }
  auto place = roles_.open(*database, login, config);
  if (!place.ok()) co_return place.error();
  auto handle = (*place)->fleet->database(database->name);
  if (!handle.ok()) co_return handle.error();
  auto lease = co_await as_result(handle->lease(fleet::OnConnectFailure::fail));
  if (!lease.ok()) co_return lease.error();
  auto made_safe =
      co_await lease->execute({.sql = "SET search_path TO pg_catalog", .timeout = kQueryTimeout}).result();
  if (!made_safe.ok()) co_return made_safe.error();
  const std::string sql = config.auth_query->empty() ? std::string(kDefaultAuthQuery) : *config.auth_query;
  auto row = co_await lease
                 ->query_optional<std::tuple<std::string, std::optional<std::string>>>(
                     {.sql = sql, .timeout = kQueryTimeout}, user)
                 .result();
  if (!row.ok()) co_return row.error();
  if (!row->has_value()) co_return Answer();
  const std::optional<std::string>& secret = std::get<1>(**row);
  if (!secret) co_return std::make_shared<const Credential>();
  Result<Credential> credential = make_credential(Secret(*secret));
  if (!credential.ok()) co_return credential.error();
  co_return std::make_shared<const Credential>(*std::move(credential));
}

void AuthQuery::make_room(TimePoint now, Duration age) {
  std::erase_if(entries_, [&](const auto& one) { return !one.second->asking && now - one.second->asked >= age; });
  if (entries_.size() >= kMostEntries) {
    std::erase_if(entries_, [](const auto& one) { return !one.second->asking; });
  }
}

}  // namespace switchyard::inline v0::gateway

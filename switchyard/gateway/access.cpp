#include <switchyard/gateway/access.hpp>
#include <switchyard/gateway/refusal.hpp>
#include <switchyard/gateway/shard_directory.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/telemetry/log.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

/// A server that can't be asked is told of this often.
constexpr Duration kTellInterval = std::chrono::seconds(10);
/// Addresses whose cancel requests are counted at a time.
constexpr std::size_t kMostAddresses = 10'000;

/// What the rule asks of the client's certificate.
Result<void> check_certificate(const AccessRule& rule, const PeerProof& peer, std::string_view user) {
  if (rule.certificate == AccessRule::Certificate::any) return {};
  if (!peer.certificate) return refusal(kInvalidAuthorization, "connection requires a valid client certificate");
  if (rule.certificate == AccessRule::Certificate::trusted || peer.certificate_name == user) return {};
  return refusal(kInvalidAuthorization, "certificate authentication failed for user \"" + std::string(user) + "\"");
}

/// Of this gateway alone, or of all its shards.
std::shared_ptr<ClientCounts> counts_of(const GatewaySettings& settings) {
  if (!settings.shards) return std::make_shared<ClientCounts>();
  return {settings.shards, &settings.shards->counts};
}

}  // namespace

Result<LoginDecision> decide_login(const GatewaySettings& settings, const AccessQuestion& question,
                                   std::string_view database, const PeerProof& peer) {
  const AccessRule* rule = settings.rules.find(question);
  if (rule == nullptr) {
    return refusal(kInvalidAuthorization, access_denied_message(question, database, false));
  }
  LoginDecision decision{.method = rule->method, .login = {}};
  if (rule->method == AccessMethod::reject) {
    return refusal(kInvalidAuthorization, access_denied_message(question, database, true));
  }
  SY_TRY(check_certificate(*rule, peer, question.user));
  if (rule->method == AccessMethod::peer && peer.os_user != question.user) {
    return refusal(kInvalidAuthorization,
                   "Peer authentication failed for user \"" + std::string(question.user) + "\"");
  }
  const bool known_user = settings.users.names(question.user) || settings.config.users.contains(question.user);
  const bool unknown = settings.trust_known_only && rule->method == AccessMethod::trust && !known_user;
  if (unknown && settings.config.auth_user->empty()) {
    return refusal(kInvalidAuthorization, "\"trust\" authentication failed");
  }
  const bool proven = (rule->method == AccessMethod::trust && !unknown) || rule->method == AccessMethod::peer ||
                      rule->method == AccessMethod::cert;
  if (proven) {
    decision.login = protocol::TrustLogin();
    return decision;
  }
  const auto kept = settings.kept ? settings.kept->find(question.user) : nullptr;
  const Credential* known = kept ? kept.get() : settings.users.find(question.user);
  const bool asks = !settings.config.auth_user->empty();
  if (known != nullptr || !asks) decision.login = login_method(rule->method, known, settings.users, question.user);
  return decision;
}

protocol::LoginMethod login_method(AccessMethod method, const Credential* credential, const UserList& users,
                                   std::string_view user) {
  if (method == AccessMethod::trust && credential != nullptr) return protocol::TrustLogin();
  const bool known = credential != nullptr && !credential->stored.empty();
  if (method == AccessMethod::password) {
    // Compared through a verifier where there is one, or nobody's: it takes as long for names that do not exist.
    const protocol::LoginMethod shape = known ? credential->method : users.disguise(user);
    const auto* const scram = std::get_if<protocol::ScramLogin>(&shape);
    protocol::PasswordLogin login{scram != nullptr ? Secret(scram->verifier.text()) : credential->stored};
    if (scram != nullptr) {
      for (const protocol::ScramVerifier& other : scram->others) login.others.emplace_back(other.text());
    }
    return login;
  }
  const bool fits = known && (method != AccessMethod::scram_sha_256 ||
                              std::holds_alternative<protocol::ScramLogin>(credential->method));
  return fits ? credential->method : users.disguise(user);
}

Access::Access(Fleet& fleet, const GatewaySettings& settings, EndClient end_client)
    : settings_(settings),
      end_client_(std::move(end_client)),
      roles_(fleet, settings.shards),
      query_(fleet, roles_),
      counts_(counts_of(settings)) {}

Task<Result<AuthQuery::Answer>> Access::look_up(const DatabaseConfig& database, std::string user) {
  Result<AuthQuery::Answer> answer = co_await query_.find(settings_, database, std::move(user));
  const TimePoint now = runtime::now();
  if (!answer.ok() && now - told_ >= kTellInterval) {
    told_ = now;
    log::warning(
        "gateway", "lookup_failed",
        "users of database " + database.name + " can't be looked up: " + std::string(answer.error().what()));
  }
  co_return answer;
}

Result<void> Access::count(const std::string& database, const std::string& user) {
  const ClientPolicy policy = policy_of(settings_.config, database, user);
  const ClientCounts::Entry entry =
      counts_->enter(database, user, {.database = policy.database_clients, .user = policy.user_clients});
  if (entry == ClientCounts::Entry::counted) return {};
  const bool full = entry == ClientCounts::Entry::database_full;
  return refusal(
      kTooManyConnections,
      full ? "client connections exceeded (max_db_client_connections)"
           : "client connections exceeded (max_user_client_connections)",
      full ? "gateway.database_max_clients is " + std::to_string(policy.database_clients) + " for \"" + database +
                 "\"."
           : "gateway.user_max_clients is " + std::to_string(policy.user_clients) + " for \"" + user + "\".");
}

Result<void> Access::enter_console(std::uint32_t client, const std::string& database, const std::string& user) {
  SY_TRY(count(database, user));
  clients_.insert_or_assign(client, Client{nullptr, database, user, false});
  return {};
}

Result<void> Access::enter(std::uint32_t client, const DatabaseConfig& database, const std::string& user,
                           bool looked_up) {
  SY_TRY(count(database.name, user));
  clients_.insert_or_assign(client, Client{&database, database.name, user, looked_up});
  if (looked_up && !probe_.armed()) probe_.arm(deadline_after(runtime::now(), *settings_.config.auth_cache));
  return {};
}

void Access::leave(std::uint32_t client) noexcept {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  counts_->leave(found->second.counted_as, found->second.user);
  clients_.erase(found);
}

bool Access::may_cancel(const std::string& address) {
  const TimePoint now = runtime::now();
  const double rate = *settings_.config.cancel_rate;
  if (cancels_.size() >= kMostAddresses && !cancels_.contains(address)) {
    std::erase_if(cancels_, [&](const auto& one) { return now - one.second.at > std::chrono::seconds(1); });
    if (cancels_.size() >= kMostAddresses) return false;
  }
  const auto [found, added] = cancels_.try_emplace(address, Bucket{rate, now});
  Bucket& bucket = found->second;
  const double passed = std::chrono::duration<double>(now - bucket.at).count();
  bucket.tokens = std::min(rate, bucket.tokens + passed * rate);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void Access::close() noexcept {
  probe_.disarm();
  probing_.reset();
  roles_.close();
  for (const auto& [id, client] : clients_) counts_->leave(client.counted_as, client.user);
  clients_.clear();
}

void Access::on_probe(void* self) noexcept {
  auto& access = *static_cast<Access*>(self);
  if (!access.probing_.running()) access.probing_.start(access.probe());
}

/// A role that was dropped, or may not log in any more, loses its clients. What can't be asked now is asked later.
Task<void> Access::probe() {
  std::set<std::pair<const DatabaseConfig*, std::string>> users;
  for (const auto& [id, client] : clients_) {
    if (client.looked_up) users.emplace(client.database, client.user);
  }
  for (const auto& [database, user] : users) {
    const Result<AuthQuery::Answer> answer = co_await query_.ask_again(settings_, *database, user);
    if (!answer.ok() || (*answer != nullptr && !(*answer)->stored.empty())) continue;
    std::vector<std::uint32_t> gone;
    for (const auto& [id, client] : clients_) {
      if (client.looked_up && client.database == database && client.user == user) gone.push_back(id);
    }
    for (const std::uint32_t id : gone) end_client_(id, "role \"" + user + "\" is no longer permitted to log in");
  }
  if (!users.empty()) probe_.arm(deadline_after(runtime::now(), *settings_.config.auth_cache));
}

}  // namespace switchyard::inline v0::gateway

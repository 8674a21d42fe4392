#include <switchyard/gateway/console_show.hpp>

#include <switchyard/base/version.hpp>
#include <switchyard/gateway/client_policy.hpp>
#include <switchyard/gateway/client_session.hpp>
#include <switchyard/gateway/console.hpp>
#include <switchyard/gateway/console_config.hpp>
#include <switchyard/runtime/loop.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>
#include <tuple>
#include <utility>

#include <sys/socket.h>

namespace switchyard::inline v0::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMicros = 1'000'000;

std::int64_t micros(Duration value) noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(value).count();
}

/// "2026-01-31 12:00:00 UTC" of a time on the monotonic clock.
std::string wall_text(TimePoint at) {
  if (at == TimePoint{}) return {};
  const auto wall = std::chrono::system_clock::now() - (runtime::now() - at);
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(wall));
  std::tm parts{};
  char text[40] = "";
  if (::gmtime_r(&seconds, &parts) != nullptr)
    (void)std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

/// As of something that PgBouncer would show as an address in its memory: to compare with `link`.
std::string handle_text(char kind, std::uint64_t id) { return kind + std::to_string(id); }

runtime::SocketAddress local_address(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (socket < 0 || ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&address), size};
}

int peer_pid(const ClientReport& client) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  const bool known = client.address.is_unix() && client.socket >= 0 &&
                     ::getsockopt(client.socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  return known ? peer.pid : 0;
}

/// Of a Unix-domain path ".s.PGSQL.6432".
int port_of(const runtime::SocketAddress& address) {
  if (!address.is_unix()) return address.port();
  const std::string path = address.host();
  const std::size_t dot = path.rfind('.');
  int port = 0;
  for (std::size_t i = dot == std::string::npos ? path.size() : dot + 1; i < path.size(); ++i) {
    if (path[i] < '0' || path[i] > '9' || port > 65535) return 0;
    port = port * 10 + (path[i] - '0');
  }
  return port;
}

std::string host_of(const runtime::SocketAddress& address) {
  return address.is_unix() || address.empty() ? "unix" : address.host();
}

std::string_view activity_text(ClientActivity activity) noexcept {
  switch (activity) {
    case ClientActivity::login: return "login";
    case ClientActivity::idle:
    case ClientActivity::console: return "idle";
    case ClientActivity::active: return "active";
    case ClientActivity::waiting: return "waiting";
    case ClientActivity::cancelling: return "active_cancel_req";
  }
  return "";
}

/// The name of a state as SHOW SOCKETS has it.
std::string_view socket_state(ClientActivity activity) noexcept {
  switch (activity) {
    case ClientActivity::login: return "cl_login";
    case ClientActivity::waiting: return "cl_waiting";
    default: return "cl_active";
  }
}
std::string_view socket_state(const SessionStatus& session) noexcept {
  if (session.state == "active") return "sv_active";
  return session.state == "tested" ? "sv_tested" : "sv_idle";
}

enum class Detail : std::uint8_t { plain, sockets, active_sockets };

void add_client(ConsoleAnswer& answer, const ClientReport& client, const SessionStatus* session, Detail detail) {
  const runtime::SocketAddress local = local_address(client.socket);
  const std::int64_t waited = client.waits_since == TimePoint{} ? 0 : micros(runtime::now() - client.waits_since);
  ConsoleRow& row = answer.add_row();
  row.add("C").add(client.user.empty() ? "(nouser)" : std::string_view(client.user));
  row.add(client.database.empty() ? "(nodb)" : std::string_view(client.database));
  row.add("none").add(detail == Detail::plain ? activity_text(client.activity) : socket_state(client.activity));
  row.add(host_of(client.address)).add(port_of(client.address.is_unix() ? local : client.address));
  row.add(host_of(local)).add(port_of(local));
  row.add(wall_text(client.connected)).add(wall_text(client.asked));
  row.add(waited / kMicros).add(waited % kMicros).add(0);
  row.add(handle_text('C', client.id));
  row.add(session == nullptr ? std::string() : handle_text('S', static_cast<std::uint32_t>(session->server_pid)));
  row.add(peer_pid(client)).add(client.tls).add(client.application_name);
  row.add(client.prepared_statements).add(client.id).add(client.route).add(client.pin);
  if (detail == Detail::plain) return;
  row.add(client.received).add(0).add(0).add(0).add(client.unsent).add(client.received).add(client.unsent);
}

void add_session(ConsoleAnswer& answer, const SessionStatus& session, const ClientReport* client, Detail detail) {
  const runtime::SocketAddress local = local_address(session.socket);
  const bool path = session.host.starts_with('/') || session.host.starts_with('@');
  const auto unix_address = runtime::SocketAddress::unix_domain(session.host);
  const int port = path && unix_address.ok() ? port_of(*unix_address) : session.port;
  const TimePoint opened = runtime::now() - session.age;
  ConsoleRow& row = answer.add_row();
  row.add("S").add(session.user).add(session.database).add("none");
  row.add(detail == Detail::plain ? std::string_view(session.state) : socket_state(session));
  row.add(path ? std::string("unix") : session.host).add(port);
  row.add(host_of(local)).add(local.is_unix() ? port : local.port());
  row.add(wall_text(opened)).add(wall_text(client != nullptr ? client->asked : opened));
  row.add(0).add(0).add(session.outdated ? 1 : 0);
  row.add(handle_text('S', static_cast<std::uint32_t>(session.server_pid)));
  row.add(client == nullptr ? std::string() : handle_text('C', client->id));
  row.add(session.server_pid).add(session.tls ? "TLS" : "");
  row.add(client == nullptr ? std::string_view() : std::string_view(client->application_name));
  row.add(session.prepared_statements)
      .add(session.server_pid)
      .add(session.endpoint)
      .add(client == nullptr ? std::string_view() : std::string_view(client->pin));
  if (detail == Detail::plain) return;
  for (int i = 0; i < 7; ++i) row.add(0);
}

/// Clients and sessions, and who has whom.
struct Pairs {
  explicit Pairs(const ConsoleView& view) : sessions(view.all.sessions), clients(view.all.clients) {
    for (const SessionStatus& session : sessions) by_session[session.session].first = &session;
    for (const ClientReport& client : clients) {
      if (client.session != nullptr) by_session[client.session].second = &client;
    }
  }
  [[nodiscard]] const SessionStatus* session_of(const ClientReport& client) const {
    const auto found = by_session.find(client.session);
    return client.session == nullptr || found == by_session.end() ? nullptr : found->second.first;
  }
  [[nodiscard]] const ClientReport* client_of(const SessionStatus& session) const {
    return by_session.at(session.session).second;
  }

  const std::vector<SessionStatus>& sessions;
  const std::vector<ClientReport>& clients;
  std::map<const void*, std::pair<const SessionStatus*, const ClientReport*>> by_session;
};

void show_clients(ConsoleAnswer& answer, const ConsoleView& view) {
  const Pairs pairs(view);
  for (const ClientReport& client : view.all.clients) {
    if (client.activity != ClientActivity::login)
      add_client(answer, client, pairs.session_of(client), Detail::plain);
  }
}

void show_servers(ConsoleAnswer& answer, const ConsoleView& view) {
  const Pairs pairs(view);
  for (const SessionStatus& session : pairs.sessions) {
    add_session(answer, session, pairs.client_of(session), Detail::plain);
  }
}

void show_sockets(ConsoleAnswer& answer, const ConsoleView& view, Detail detail) {
  const Pairs pairs(view);
  const bool all = detail == Detail::sockets;
  for (const ClientReport& client : view.all.clients) {
    if (all || client.unsent != 0 || client.received != 0)
      add_client(answer, client, pairs.session_of(client), detail);
  }
  for (const SessionStatus& session : pairs.sessions) {
    if (all) add_session(answer, session, pairs.client_of(session), detail);
  }
}

void show_fds(ConsoleAnswer& answer, const ConsoleView& view) {
  const Pairs pairs(view);
  const auto add = [&](int fd, std::string_view task, std::string_view user, std::string_view database,
                       const std::string& host, int port, int link) {
    ConsoleRow& row = answer.add_row();
    row.add(fd).add(task).add(user).add(database).add(host).add(port).add(0).add(link);
    for (int i = 0; i < 7; ++i) row.add_null();
  };
  for (const ClientReport& client : view.all.clients) {
    const SessionStatus* session = pairs.session_of(client);
    add(client.socket, "client", client.user, client.database, host_of(client.address), port_of(client.address),
        session != nullptr ? session->socket : 0);
  }
  for (const SessionStatus& session : pairs.sessions) {
    const ClientReport* client = pairs.client_of(session);
    add(session.socket, "server", session.user, session.database,
        session.host.starts_with('/') ? std::string("unix") : session.host, session.port,
        client != nullptr ? client->socket : 0);
  }
}

bool is_served(const ClientReport& client) noexcept {
  return client.activity == ClientActivity::idle || client.activity == ClientActivity::active;
}

/// "main", "main:api": an endpoint's pool as the console names it. Sessions of a database's primary that log in
/// apart (for writes, for reads) count as the primary's where the role is the same.
std::string pool_name(const DatabaseStatus& database, const EndpointStatus& endpoint) {
  return endpoint.role == EndpointRole::replica ? database.name + ":" + endpoint.name : database.name;
}

const std::string& role_of(const ConsoleView& view, const std::string& database) {
  static const std::string nobody;
  const DatabaseConfig* config = view.config.find(database);
  return config == nullptr ? nobody : config->primary.connection.user;
}

/// Of the fleet's role (which is empty then), and of others.
template <class Each>
void each_pool(const ConsoleView& view, Each each) {
  for (const ShardReport::Pools& pools : view.all.pools) {
    for (const DatabaseStatus& database : pools.fleet.databases) {
      for (const EndpointStatus& endpoint : database.endpoints) each(pools.role, database, endpoint);
    }
  }
}

void show_pools(ConsoleAnswer& answer, const ConsoleView& view) {
  struct Row {
    std::uint32_t active = 0, waiting = 0, cancelling = 0;
    std::uint32_t sv_active = 0, sv_idle = 0, sv_tested = 0, sv_login = 0;
    Duration longest{};
  };
  std::map<std::pair<std::string, std::string>, Row> pools;
  each_pool(view, [&](const std::string& role, const DatabaseStatus& database, const EndpointStatus& endpoint) {
    if (!endpoint.pool) return;
    Row& row = pools[{pool_name(database, endpoint), role.empty() ? role_of(view, database.name) : role}];
    row.sv_active += endpoint.pool->active - endpoint.pool->tested;
    row.sv_tested += endpoint.pool->tested;
    row.sv_idle += endpoint.pool->idle;
    row.sv_login += endpoint.pool->connecting;
    row.longest = std::max(row.longest, endpoint.pool->longest_wait);
  });
  for (const ClientReport& client : view.all.clients) {
    if (client.activity == ClientActivity::login || client.database.empty()) continue;
    Row& row = pools[{client.database, client.user}];
    row.active += is_served(client) || client.activity == ClientActivity::console ? 1 : 0;
    row.waiting += client.activity == ClientActivity::waiting ? 1 : 0;
    row.cancelling += client.activity == ClientActivity::cancelling ? 1 : 0;
    if (client.waits_since != TimePoint{}) row.longest = std::max(row.longest, runtime::now() - client.waits_since);
  }
  for (const auto& [name, row] : pools) {
    answer.add_row()
        .add(name.first)
        .add(name.second)
        .add(row.active)
        .add(row.waiting)
        .add(row.cancelling)
        .add(0)
        .add(row.sv_active)
        .add(0)
        .add(0)
        .add(row.sv_idle)
        .add(0)
        .add(row.sv_tested)
        .add(row.sv_login)
        .add(micros(row.longest) / kMicros)
        .add(micros(row.longest) % kMicros)
        .add(std::ranges::count(view.settings.console.aliases, name.first) != 0 || name.first == kConsoleDatabase
                 ? "statement"
                 : std::string_view(to_string(*view.config.gateway.pool_mode)))
        .add_null();
  }
}

void show_databases(ConsoleAnswer& answer, const ConsoleView& view) {
  std::map<std::string, std::uint32_t, std::less<>> sessions;
  each_pool(view, [&](const std::string&, const DatabaseStatus& database, const EndpointStatus& endpoint) {
    if (endpoint.pool) sessions[database.name] += endpoint.pool->active + endpoint.pool->idle;
  });
  for (const DatabaseConfig& config : view.config.databases) {
    if (!config.configured()) continue;
    const auto clients = std::ranges::count(view.all.clients, config.name, &ClientReport::database);
    const ConnectionOptions& primary = config.primary.connection;
    const auto gateway = view.config.gateway.databases.find(config.name);
    const bool known = gateway != view.config.gateway.databases.end();
    ConsoleRow& row = answer.add_row();
    row.add(config.name);
    row.add(primary.hosts.empty() ? std::string_view() : std::string_view(primary.hosts.front().host));
    row.add(primary.hosts.empty() ? 0 : primary.hosts.front().port).add(primary.dbname).add(primary.user);
    row.add(*config.pool.max).add(*config.pool.min).add(0);
    row.add(micros(*config.pool.max_lifetime) / kMicros);
    if (known && gateway->second.pool_mode.is_set()) {
      row.add(to_string(*gateway->second.pool_mode));
    } else {
      row.add_null();
    }
    row.add_null();
    row.add(0).add(sessions[config.name]);
    row.add(policy_of(view.settings.config, config.name, {}).database_clients);
    row.add(clients).add(view.all_paused || view.paused.contains(config.name) ? 1 : 0);
    row.add(view.disabled.contains(config.name) ? 1 : 0);
  }
}

/// The console is a database like the others there.
void show_console(ConsoleAnswer& answer, const ConsoleView& view) {
  const std::vector<std::string>& aliases = view.settings.console.aliases;
  const std::string name = aliases.empty() ? std::string(kConsoleDatabase) : aliases.front();
  ConsoleRow& row = answer.add_row();
  row.add(name).add_null();
  row.add(view.settings.listen.empty() ? 0 : port_of(view.settings.listen.front())).add(name).add(name);
  row.add(2).add(0).add(0).add(0).add("statement").add_null().add(0).add(0);
  row.add(policy_of(view.settings.config, name, {}).database_clients);
  row.add(std::ranges::count(view.all.clients, name, &ClientReport::database)).add(0).add(0);
}

void show_users(ConsoleAnswer& answer, const ConsoleView& view) {
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>, std::less<>> users;  // sessions, clients
  for (const SessionStatus& session : view.all.sessions) ++users[session.user].first;
  for (const ClientReport& client : view.all.clients) {
    if (!client.user.empty() && client.activity != ClientActivity::login) ++users[client.user].second;
  }
  for (const auto& [name, config] : view.config.gateway.users) users[name];
  for (const auto& [name, counts] : users) {
    const auto config = view.config.gateway.users.find(name);
    const bool known = config != view.config.gateway.users.end();
    ConsoleRow& row = answer.add_row();
    row.add(name).add("").add("");
    if (known && config->second.pool_mode.is_set()) {
      row.add(to_string(*config->second.pool_mode));
    } else {
      row.add_null();
    }
    const ClientPolicy policy = policy_of(view.settings.config, {}, name);
    row.add(policy.user_sessions).add(counts.first).add(policy.user_clients).add(counts.second);
  }
}

void show_lanes(ConsoleAnswer& answer, const ConsoleView& view) {
  each_pool(view, [&](const std::string&, const DatabaseStatus& database, const EndpointStatus& endpoint) {
    if (!endpoint.lane) return;
    const LaneStatus& lane = *endpoint.lane;
    const auto add = [&](std::string_view kind, std::string_view why, std::uint64_t count) {
      answer.add_row()
          .add(database.name)
          .add(endpoint.name)
          .add(lane.sessions)
          .add(lane.outstanding)
          .add(lane.queued)
          .add(lane.statements)
          .add(lane.syncs)
          .add(lane.reissued)
          .add(lane.cancels)
          .add(lane.alarms)
          .add(kind)
          .add(why)
          .add(count);
      for (int i = 0; i < 7; ++i) answer.rows.back().add_null();
    };
    add("lane", "", lane.statements);
    for (const LaneStatus::Reason& reason : lane.exits) add("exit", reason.why, reason.count);
    for (const LaneStatus::Reason& reason : lane.refusals) add("refusal", reason.why, reason.count);
  });
  // For whom the servers work now, those that a client has for itself included.
  for (const ClientReport& client : view.all.clients) {
    if (client.server_pid == 0) continue;
    const runtime::SocketAddress local = local_address(client.socket);
    ConsoleRow& row = answer.add_row();
    row.add(client.database).add_null();
    for (int i = 0; i < 8; ++i) row.add_null();
    row.add(client.in_lane ? "shared" : "leased").add(client.in_lane ? client.route : client.pin).add_null();
    row.add(client.server_pid).add(client.id).add(client.user);
    row.add(host_of(client.address)).add(port_of(client.address.is_unix() ? local : client.address));
    row.add(client.application_name).add(wall_text(client.asked));
  }
}

void show_prepared(ConsoleAnswer& answer, const ConsoleView& view) {
  for (const PreparedReport& statement : view.all.statements) {
    std::string types;
    for (const std::uint32_t type : statement.types) types += (types.empty() ? "" : ",") + std::to_string(type);
    answer.add_row()
        .add(statement.number)
        .add(statement.database)
        .add(statement.name)
        .add(statement.sql)
        .add("{" + types + "}")
        .add(statement.holders)
        .add(statement.uses);
  }
}

void show_lists(ConsoleAnswer& answer, const ConsoleView& view) {
  const std::vector<SessionStatus>& sessions = view.all.sessions;
  std::set<std::pair<std::string, std::string>> pools;
  std::set<std::string> users;
  std::uint64_t databases = 0;
  for (const DatabaseConfig& database : view.config.databases) databases += database.configured() ? 1 : 0;
  for (const SessionStatus& session : sessions) {
    pools.emplace(session.database, session.user);
    users.insert(session.user);
  }
  std::uint64_t login = 0;
  for (const ClientReport& client : view.all.clients) {
    login += client.activity == ClientActivity::login ? 1 : 0;
    if (!client.user.empty()) users.insert(client.user);
    if (!client.database.empty()) pools.emplace(client.database, client.user);
  }
  const std::pair<std::string_view, std::uint64_t> rows[] = {
      {"databases", databases},
      {"users", users.size()},
      {"peers", 0},
      {"pools", pools.size()},
      {"peer_pools", 0},
      {"free_clients", 0},
      {"used_clients", view.all.clients.size()},
      {"login_clients", login},
      {"free_servers", 0},
      {"used_servers", sessions.size()},
      {"dns_names", 0},
      {"dns_zones", 0},
      {"dns_queries", 0},
      {"dns_pending", 0},
  };
  for (const auto& [name, count] : rows) answer.add_row().add(name).add(count);
}

void show_mem(ConsoleAnswer& answer, const ConsoleView& view) {
  const auto add = [&](std::string_view name, std::size_t size, std::size_t used) {
    answer.add_row().add(name).add(size).add(used).add(0).add(size * used);
  };
  add("client_cache", sizeof(ClientSession), view.all.clients.size());
  add("server_cache", sizeof(session::Session), view.all.sessions.size());
}

void show_stats(ConsoleAnswer& answer, const ConsoleView& view, bool totals, bool averages) {
  for (const auto& [database, page] : view.all.traffic.pages()) {
    ConsoleRow& row = answer.add_row();
    row.add(database);
    const Traffic& now = page.now;
    if (totals) {
      row.add(now.assignments).add(now.transactions).add(now.queries).add(now.received).add(now.sent);
      row.add(micros(now.in_transactions)).add(micros(now.in_queries)).add(micros(now.waited));
      row.add(now.client_parses).add(now.server_parses).add(now.binds).add(now.logins);
    }
    if (averages) {
      const TrafficAverages rate = averages_of(page.newer, page.older, view.all.traffic.period());
      row.add(rate.assignments).add(rate.transactions).add(rate.queries).add(rate.received).add(rate.sent);
      row.add(micros(rate.transaction)).add(micros(rate.query)).add(micros(rate.wait));
      row.add(rate.client_parses).add(rate.server_parses).add(rate.binds).add(rate.logins);
    }
  }
}

void show_totals(ConsoleAnswer& answer, const ConsoleView& view) {
  Traffic now, newer, older;
  for (const auto& [database, page] : view.all.traffic.pages()) {
    now += page.now;
    newer += page.newer;
    older += page.older;
  }
  const TrafficAverages rate = averages_of(newer, older, view.all.traffic.period());
  const auto add = [&](std::string_view name, auto value) {
    answer.add_row().add(name).add(static_cast<std::uint64_t>(value));
  };
  add("total_server_assignment_count", now.assignments);
  add("total_xact_count", now.transactions);
  add("total_query_count", now.queries);
  add("total_client_bytes", now.received);
  add("total_server_bytes", now.sent);
  add("total_xact_time", micros(now.in_transactions));
  add("total_query_time", micros(now.in_queries));
  add("total_wait_time", micros(now.waited));
  add("total_ps_client_parse_count", now.client_parses);
  add("total_ps_server_parse_count", now.server_parses);
  add("total_ps_bind_count", now.binds);
  add("total_client_login_count", now.logins);
  add("avg_server_assignment_count", rate.assignments);
  add("avg_xact_count", rate.transactions);
  add("avg_query_count", rate.queries);
  add("avg_client_bytes", rate.received);
  add("avg_server_bytes", rate.sent);
  add("avg_xact_time", micros(rate.transaction));
  add("avg_query_time", micros(rate.query));
  add("avg_wait_time", micros(rate.wait));
  add("avg_ps_client_parse_count", rate.client_parses);
  add("avg_ps_server_parse_count", rate.server_parses);
  add("avg_ps_bind_count", rate.binds);
  add("avg_client_login_count", rate.logins);
}

constexpr std::string_view kHelp =
    "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION\n"
    "\tSHOW LANES|PREPARED_STATEMENTS\n"
    "\tSHOW PEERS|PEER_POOLS\n"
    "\tSHOW FDS|SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE\n"
    "\tSHOW DNS_HOSTS|DNS_ZONES\n"
    "\tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS\n"
    "\tSET key = arg\n"
    "\tRELOAD\n"
    "\tPAUSE [<db>]\n"
    "\tRESUME [<db>]\n"
    "\tDISABLE <db>\n"
    "\tENABLE <db>\n"
    "\tRECONNECT [<db>]\n"
    "\tKILL [<db>]\n"
    "\tKILL_CLIENT <client_id>\n"
    "\tSUSPEND\n"
    "\tSHUTDOWN\n"
    "\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS\n"
    "\tWAIT_CLOSE [<db>]";

void show_state(ConsoleAnswer& answer, const ConsoleView& view) {
  answer.add_row().add("active").add(!view.all_paused && !view.suspended ? "yes" : "no");
  answer.add_row().add("paused").add(view.all_paused ? "yes" : "no");
  answer.add_row().add("suspended").add(view.suspended ? "yes" : "no");
}

}  // namespace

ReportParts parts_of(ConsoleTable table) noexcept {
  ReportParts parts;
  switch (table) {
    case ConsoleTable::active_sockets:
    case ConsoleTable::clients:
    case ConsoleTable::fds:
    case ConsoleTable::lists:
    case ConsoleTable::mem:
    case ConsoleTable::servers:
    case ConsoleTable::sockets:
    case ConsoleTable::users: parts.clients = parts.sessions = true; break;
    case ConsoleTable::databases:
    case ConsoleTable::lanes:
    case ConsoleTable::pools: parts.clients = true; break;
    case ConsoleTable::stats:
    case ConsoleTable::stats_averages:
    case ConsoleTable::stats_totals:
    case ConsoleTable::totals: parts.traffic = true; break;
    case ConsoleTable::prepared_statements: parts.statements = true; break;
    default: break;
  }
  return parts;
}

ConsoleAnswer show_table(ConsoleTable table, const ConsoleView& view) {
  ConsoleAnswer answer;
  answer.tag = "SHOW";
  answer.table = table;
  switch (table) {
    case ConsoleTable::active_sockets: show_sockets(answer, view, Detail::active_sockets); break;
    case ConsoleTable::clients: show_clients(answer, view); break;
    case ConsoleTable::config:
      for (const ConsoleConfigEntry& entry : console_config(view.settings)) {
        answer.add_row()
            .add(entry.key)
            .add(entry.value)
            .add(entry.default_value)
            .add(entry.changeable ? "yes" : "no");
      }
      break;
    case ConsoleTable::databases:
      show_databases(answer, view);
      show_console(answer, view);
      break;
    case ConsoleTable::fds: show_fds(answer, view); break;
    case ConsoleTable::help:
      answer.notice = "Console usage";
      answer.notice_detail = kHelp;
      break;
    case ConsoleTable::lanes: show_lanes(answer, view); break;
    case ConsoleTable::lists: show_lists(answer, view); break;
    case ConsoleTable::mem: show_mem(answer, view); break;
    case ConsoleTable::pools: show_pools(answer, view); break;
    case ConsoleTable::servers: show_servers(answer, view); break;
    case ConsoleTable::prepared_statements: show_prepared(answer, view); break;
    case ConsoleTable::sockets: show_sockets(answer, view, Detail::sockets); break;
    case ConsoleTable::state: show_state(answer, view); break;
    case ConsoleTable::stats: show_stats(answer, view, true, true); break;
    case ConsoleTable::stats_averages: show_stats(answer, view, false, true); break;
    case ConsoleTable::stats_totals: show_stats(answer, view, true, false); break;
    case ConsoleTable::totals: show_totals(answer, view); break;
    case ConsoleTable::users: show_users(answer, view); break;
    case ConsoleTable::version: answer.add_row().add("Switchyard " + std::string(kVersion)); break;
    // Names are looked up when they are needed and nothing of it is kept here; there are no peers.
    case ConsoleTable::dns_hosts:
    case ConsoleTable::dns_zones:
    case ConsoleTable::peers:
    case ConsoleTable::peer_pools:
    case ConsoleTable::none:
    case ConsoleTable::setting: break;
  }
  return answer;
}

}  // namespace switchyard::inline v0::gateway

#include "doctor_budget.hpp"

#include <switchyard/embedded/private_server.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace switchyard::cli {

namespace {

using embedded::quote_identifier;

/// Sessions that count together, and what they may come to.
struct Group {
  std::vector<const LivePlace*> places;
  std::vector<std::string> terms;  ///< "main 100"
  std::int64_t per_worker = 0;

  void add(const LivePlace& place, const std::string& name, std::int64_t count) {
    if (places.empty() || places.back() != &place) places.push_back(&place);
    terms.push_back(name + " " + std::to_string(count));
    per_worker += count;
  }
};

std::string join(const std::vector<std::string>& terms) {
  std::string out;
  for (const std::string& term : terms) out += (out.empty() ? "" : " + ") + term;
  return out;
}

std::string sum_of(std::int64_t workers, const Group& group) {
  return std::to_string(workers) + (workers == 1 ? " worker x (" : " workers x (") + join(group.terms) + ")";
}

/// Room for people and monitoring above what is needed: a twelfth, at least ten, as `config explain` recommends.
std::int64_t with_headroom(std::int64_t connections) {
  return connections + std::max<std::int64_t>(10, (connections + 11) / 12);
}

const PoolConfig& pool_of(const LivePlace& place) {
  return place.replica != nullptr ? place.replica->pool : place.database->pool;
}

std::string pool_key(const LivePlace& place) {
  std::string key = "database." + place.database->name + ".";
  if (place.replica != nullptr) key += "replica." + place.replica->name + ".";
  return key + "pool.max";
}

/// The other way out: the largest pool small enough, if that is possible at all.
std::string smaller_pool(std::int64_t workers, const Group& group, std::int64_t room) {
  const LivePlace* largest = nullptr;
  for (const LivePlace* place : group.places) {
    if (largest == nullptr || *pool_of(*place).max > *pool_of(*largest).max) largest = place;
  }
  const std::int64_t rest = group.per_worker - std::int64_t{*pool_of(*largest).max};
  const std::int64_t possible = room / workers - rest;
  if (possible < 1) return "or use fewer workers";
  return "or --set " + pool_key(*largest) + "=" + std::to_string(possible);
}

std::string at_server(const LivePlace& place) {
  std::string hosts;
  for (const HostSpec& host : place.connection().hosts) hosts += (hosts.empty() ? "" : ",") + host.display();
  return hosts;
}

BudgetLine server_line(std::int64_t workers, const Group& group) {
  const LivePlace& place = *group.places.front();
  const std::int64_t reserved = place.superuser_reserved + place.reserved;
  BudgetLine line;
  line.subject = "server " + at_server(place);
  line.sum = sum_of(workers, group);
  line.wanted = workers * group.per_worker;
  line.others = place.others;
  line.open = place.ours;
  line.allowed = place.max_connections - reserved;
  line.because =
      "max_connections " + std::to_string(place.max_connections) + " - " + std::to_string(reserved) + " reserved";
  line.fits = line.wanted + line.others <= line.allowed;
  if (!line.fits) {
    const std::int64_t enough = with_headroom(line.wanted + line.others + reserved);
    line.fix =
        administrator_line(place.connection(), "ALTER SYSTEM SET max_connections = " + std::to_string(enough)) +
        "   # and restart it; " + smaller_pool(workers, group, line.allowed - line.others);
  }
  return line;
}

BudgetLine role_line(std::int64_t workers, const Group& group, const std::string& role) {
  const LivePlace& place = *group.places.front();
  BudgetLine line;
  line.subject = "role " + role + " at " + at_server(place);
  line.sum = sum_of(workers, group);
  line.wanted = workers * group.per_worker;
  line.others = place.role_others;
  line.allowed = place.role_limit;
  line.because = "its CONNECTION LIMIT";
  line.fits = line.wanted + line.others <= line.allowed;
  if (!line.fits) {
    line.fix =
        administrator_line(place.connection(), "ALTER ROLE " + quote_identifier(role) + " CONNECTION LIMIT " +
                                                   std::to_string(line.wanted + line.others)) +
        "   # " + smaller_pool(workers, group, line.allowed - line.others);
  }
  return line;
}

BudgetLine database_line(std::int64_t workers, const Group& group, const std::string& database) {
  const LivePlace& place = *group.places.front();
  BudgetLine line;
  line.subject = "database " + database + " at " + at_server(place);
  line.sum = sum_of(workers, group);
  line.wanted = workers * group.per_worker;
  line.others = place.database_others;
  line.allowed = place.database_limit;
  line.because = "its CONNECTION LIMIT";
  line.fits = line.wanted + line.others <= line.allowed;
  if (!line.fits) {
    line.fix = administrator_line(place.connection(), "ALTER DATABASE " + quote_identifier(database) +
                                                          " CONNECTION LIMIT " +
                                                          std::to_string(line.wanted + line.others)) +
               "   # " + smaller_pool(workers, group, line.allowed - line.others);
  }
  return line;
}

}  // namespace

std::string administrator_line(const ConnectionOptions& connection, const std::string& sql,
                               const std::string& database) {
  const HostSpec& host = connection.hosts.front();
  std::string quoted;
  for (const char c : sql) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "psql -h " + (host.host.empty() ? host.hostaddr : host.host) + " -p " + std::to_string(host.port) +
         " -U postgres" + (database.empty() ? "" : " -d " + database) + " -c '" + quoted + "'";
}

std::vector<BudgetLine> prove_budget(const FleetConfig& config, const std::vector<LivePlace>& places) {
  const std::int64_t workers = *config.workers;
  std::map<std::string, Group> servers;
  std::map<std::pair<std::string, std::string>, Group> roles;
  std::map<std::pair<std::string, std::string>, Group> databases;
  Group budget;
  for (const LivePlace& place : places) {
    const std::int64_t most = *pool_of(place).max;
    if (place.replica == nullptr) budget.add(place, place.subject, most);
    if (place.pooled) continue;  // the server's limits are the pooler's affair
    const auto count = [&](const std::string& name, std::int64_t sessions) {
      servers[place.server].add(place, name, sessions);
      if (place.role_limit >= 0) roles[{place.server, place.connection().user}].add(place, name, sessions);
      if (place.database_limit >= 0) {
        databases[{place.server, place.connection().dbname}].add(place, name, sessions);
      }
    };
    count(place.subject, most);
    const bool watched = std::ranges::any_of(place.database->replicas,
                                             [](const ReplicaConfig& r) { return r.endpoint.configured(); });
    if (watched) count("probe of " + place.subject, 1);
  }
  std::vector<BudgetLine> lines;
  for (const auto& [server, group] : servers) lines.push_back(server_line(workers, group));
  for (const auto& [key, group] : roles) lines.push_back(role_line(workers, group, key.second));
  for (const auto& [key, group] : databases) lines.push_back(database_line(workers, group, key.second));
  if (*config.connection_budget > 0 && !budget.places.empty()) {
    BudgetLine line;
    line.subject = "fleet";
    line.sum = sum_of(workers, budget);
    line.wanted = workers * budget.per_worker;
    line.allowed = *config.connection_budget;
    line.because = "fleet.connection_budget";
    line.fits = line.wanted <= line.allowed;
    if (!line.fits) {
      line.fix = "--set fleet.connection_budget=" + std::to_string(line.wanted) + "   # " +
                 smaller_pool(workers, budget, line.allowed);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<Finding> budget_findings(const std::vector<BudgetLine>& lines) {
  std::vector<Finding> findings;
  for (const BudgetLine& line : lines) {
    std::string text = line.subject + ": " + line.sum + " = " + std::to_string(line.wanted) + " connections";
    if (line.others > 0) text += ", and " + std::to_string(line.others) + " of others";
    text += (line.fits ? ", fit into " : ", do not fit into ") + std::to_string(line.allowed) + " (" +
            line.because + ")";
    findings.push_back({line.fits ? Severity::good : Severity::problem, "fleet", std::move(text), line.fix});
    if (line.open > line.wanted) {
      findings.push_back({Severity::warning, "fleet",
                          line.subject + ": the fleet has " + std::to_string(line.open) +
                              " sessions open, more than its workers may have: there are more processes than " +
                              "fleet.workers says",
                          "--set fleet.workers=N with the number of processes"});
    }
  }
  return findings;
}

std::vector<Finding> pooler_findings(const std::vector<LivePlace>& places) {
  std::vector<Finding> findings;
  for (const LivePlace& place : places) {
    if (!place.pooled) continue;
    findings.push_back(
        {Severity::warning, place.subject,
         "a connection pooler stands in between: how many connections it makes of these can't be "
         "seen, so only fleet.connection_budget limits them",
         "--set fleet.connection_budget=N with what the pooler accepts (PgBouncer: max_client_conn)"});
  }
  return findings;
}

}  // namespace switchyard::cli

#include <switchyard/config/validate.hpp>

#include <switchyard/base/suggest.hpp>
#include <switchyard/base/units.hpp>

#include <algorithm>
#include <charconv>
#include <set>

namespace switchyard::inline v0::config {
namespace {

constexpr std::size_t kLongestIdentifier = 63;  // NAMEDATALEN - 1

class Validation {
 public:
  Validation(FleetConfig& fleet, Problems& problems) : fleet_(fleet), problems_(problems) {}

  void run() {
    check_address("http.address", fleet_.http_address);
    check_gateway();
    if (fleet_.application->empty()) problem("fleet.application", fleet_.application, "is empty", "name it");
    if (fleet_.databases.empty()) {
      problems_.add(fleet_.file, "no database is declared", "add [database.main], or set POSTGRES_DSN");
    }
    for (DatabaseConfig& database : fleet_.databases) check_database(database);
    check_stand_ins();
    fit_budget();
  }

 private:
  template <class T>
  void problem(const std::string& path, const Setting<T>& setting, std::string_view what,
               std::string_view hint = {}) {
    problems_.add(setting.origin.to_string() + ": " + path, what, hint);
  }

  void check_address(const std::string& path, const Setting<std::string>& address) {
    if (*address == "auto" || *address == "off") return;
    const std::size_t colon = address->rfind(':');
    int port = -1;
    if (colon != std::string::npos) {
      const char* const end = address->data() + address->size();
      const auto [at, ec] = std::from_chars(address->data() + colon + 1, end, port);
      if (ec != std::errc() || at != end) port = -1;
    }
    if (port < 0 || port > 65535) {
      problem(path, address, "'" + *address + "' is not an address", "write HOST:PORT, such as 127.0.0.1:8420");
    }
  }

  void check_gateway() {
    const GatewayConfig& gateway = fleet_.gateway;
    for (const std::string& address : *gateway.listen) {
      const std::string_view port = std::string_view(address).substr(address.rfind(':') + 1);  // all without ':'
      unsigned value = 0;
      const auto [at, ec] = std::from_chars(port.data(), port.data() + port.size(), value);
      if (ec == std::errc() && at == port.data() + port.size() && value <= 65535) continue;
      problem("gateway.listen", gateway.listen, "'" + address + "' is not an address",
              "write HOST:PORT, such as 127.0.0.1:6433, or *:6433 for every address of this machine");
    }
    unsigned mode = 0;
    const std::string& digits = *gateway.unix_socket_mode;
    const auto [at, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), mode, 8);
    if (ec != std::errc() || at != digits.data() + digits.size() || mode > 0777) {
      problem("gateway.unix_socket_mode", gateway.unix_socket_mode, "'" + digits + "' are no permissions",
              "write them as for chmod: 0600 for the own account, 0777 for everybody");
    }
    if (gateway.tls_certificate->empty() != gateway.tls_key->empty()) {
      const auto& given = gateway.tls_key->empty() ? gateway.tls_certificate : gateway.tls_key;
      problem(gateway.tls_key->empty() ? "gateway.tls_certificate" : "gateway.tls_key", given,
              "certificate and key belong together", "set gateway.tls_certificate and gateway.tls_key");
    } else if (!gateway.tls_client_ca->empty() && gateway.tls_certificate->empty()) {
      problem("gateway.tls_client_ca", gateway.tls_client_ca, "without TLS no client shows a certificate",
              "set gateway.tls_certificate and gateway.tls_key");
    }
    if (gateway.auth_query.is_set() && gateway.auth_user->empty()) {
      problem("gateway.auth_query", gateway.auth_query, "nobody asks it", "set gateway.auth_user");
    }
    const std::string& asked = *gateway.auth_database;
    if (!asked.empty() && fleet_.find(asked) == nullptr) {
      problem("gateway.auth_database", gateway.auth_database, "unknown database '" + asked + "'",
              suggestion(asked));
    }
    for (const auto& [name, database] : gateway.databases) {
      if (fleet_.find(name) != nullptr) continue;
      problems_.add(fleet_.file, "unknown database '" + name + "' in [gateway.database." + name + "]",
                    suggestion(name));
    }
  }

  void check_pool(const std::string& prefix, const PoolConfig& pool) {
    if (pool.min <= pool.max) return;
    problems_.add("",
                  prefix + "pool.min = " + std::to_string(pool.min.value) + " (" + pool.min.origin.to_string() +
                      ") is above " + prefix + "pool.max = " + std::to_string(pool.max.value) + " (" +
                      pool.max.origin.to_string() + ")",
                  "raise the maximum or lower the minimum");
  }

  void check_identifier(const std::string& path, const Setting<std::string>& name) {
    if (!name.is_set()) return;
    if (name->empty()) problem(path, name, "is empty");
    if (name->size() > kLongestIdentifier) problem(path, name, "'" + *name + "' is longer than 63 bytes");
    if (name->find('\0') != std::string::npos) problem(path, name, "holds a zero byte");
  }

  [[nodiscard]] std::string suggestion(std::string_view name) const {
    std::vector<std::string_view> known;
    for (const DatabaseConfig& d : fleet_.databases) known.push_back(d.name);
    std::string out = did_you_mean(name, known);
    if (!out.empty()) return out;
    out = "known databases:";
    for (std::string_view d : known) out += " " + std::string(d);
    return out;
  }

  void check_database(DatabaseConfig& database) {
    const std::string prefix = "database." + database.name + ".";
    check_pool(prefix, database.pool);
    for (ReplicaConfig& replica : database.replicas)
      check_pool(prefix + "replica." + replica.name + ".", replica.pool);
    check_identifier(prefix + "schema", database.schema);
    check_identifier(prefix + "role", database.role);
    check_identifier(prefix + "dbname", database.primary.dbname);
    check_server(prefix, database);
    const EndpointConfig& primary = database.primary;
    if (database.role.is_set() && primary.user.is_set() && *database.role != *primary.user) {
      problem(prefix + "role", database.role,
              "'" + *database.role + "' and user '" + *primary.user + "' (" + primary.user.origin.to_string() +
                  ") differ",
              "keep one: role and user mean the same");
    }
    if (*database.retry.initial_delay > *database.retry.max_delay) {
      problem(prefix + "retry.initial_delay", database.retry.initial_delay,
              "is above " + prefix + "retry.max_delay = " + format_duration(database.retry.max_delay));
    }
    if (*database.limiter.min > *database.limiter.max) {
      problem(prefix + "limiter.min", database.limiter.min,
              "is above " + prefix + "limiter.max = " + std::to_string(*database.limiter.max));
    }
    if (*database.breaker.open_for > *database.breaker.open_max) {
      problem(prefix + "breaker.open_for", database.breaker.open_for,
              "is above " + prefix + "breaker.open_max = " + format_duration(database.breaker.open_max));
    }
    check_fallback(prefix, database);
  }

  void check_server(const std::string& prefix, const DatabaseConfig& database) {
    if (!database.server.is_set()) return;
    std::vector<std::string_view> known;
    for (const ServerConfig& server : fleet_.servers) known.push_back(server.name);
    if (std::find(known.begin(), known.end(), *database.server) != known.end()) return;
    const std::string hint = did_you_mean(*database.server, known);
    problem(prefix + "server", database.server, "there is no [server." + *database.server + "]",
            hint.empty() ? "add it, or give the database a dsn" : hint);
  }

  void check_fallback(const std::string& prefix, const DatabaseConfig& database) {
    if (database.when_down == WhenDown::fail) return;
    const std::string& name = *database.fallback;
    if (name == database.name) {
      problem(prefix + "when_down", database.when_down, "a database can't be its own fallback",
              "set " + prefix + "fallback to another database");
    } else if (fleet_.find(name) == nullptr) {
      problem(prefix + "fallback", database.fallback, "unknown database '" + name + "'", suggestion(name));
    }
    if (database.confidential.value && database.spool_key->empty()) {
      problem(
          prefix + "when_down", database.when_down,
          "database '" + database.name + "' is confidential: nothing of it is kept or read elsewhere in the clear",
          "set " + prefix + "spool_key, or when_down = \"fail\"");
    }
  }

  void check_stand_ins() {
    for (const DatabaseConfig& database : fleet_.databases) {
      if (!database.has_stand_in()) continue;
      const std::string path = "database." + database.name + ".when_unconfigured";
      const std::string& name = *database.when_unconfigured;
      if (fleet_.find(name) == nullptr) {
        // ParaFort's default names main; a fleet without main simply has no stand-in.
        if (database.when_unconfigured.is_set()) {
          problem(path, database.when_unconfigured, "unknown database '" + name + "'",
                  suggestion(name) + "; or \"fail\"");
        }
        continue;
      }
      std::set<std::string_view> seen;
      const DatabaseConfig* at = &database;
      while (at != nullptr && at->has_stand_in() && seen.insert(at->name).second) {
        at = fleet_.find(*at->when_unconfigured);
      }
      if (at != nullptr && at->has_stand_in()) {
        problem(path, database.when_unconfigured, "databases stand in for each other in a circle",
                "one of them must say \"fail\"");
      }
    }
  }

  /// An explicit budget bounds what the primaries may be asked for. Maxima that nobody set shrink to fit; those
  /// that were set are kept: then the processes share the budget as they need it, which is worth a warning, or,
  /// where they don't know of each other, is a mistake.
  void fit_budget() {
    if (fleet_.connection_budget == 0u) return;
    const std::uint64_t budget = fleet_.connection_budget;
    const std::uint64_t workers = fleet_.workers;
    std::vector<DatabaseConfig*> counted;
    const bool any = std::any_of(fleet_.databases.begin(), fleet_.databases.end(),
                                 [](const DatabaseConfig& d) { return d.configured(); });
    for (DatabaseConfig& d : fleet_.databases) {
      if (!any || d.configured()) counted.push_back(&d);
    }
    std::uint64_t fixed = 0, flexible = 0, flexible_count = 0;
    for (const DatabaseConfig* d : counted) {
      if (d->pool.max.is_set()) {
        fixed += d->pool.max;
      } else {
        flexible += std::max(d->pool.max.value, 1u);
        ++flexible_count;
      }
    }
    const std::uint64_t share = budget / workers;
    if (fixed + flexible <= share) return;
    if (fixed + flexible_count > share) {
      const std::string what = std::to_string(budget) + " is too small: " + sizing(fleet_).formula;
      if (!fleet_.share_budget) {
        problem("fleet.connection_budget", fleet_.connection_budget, what,
                "raise the budget, or lower pool.max or fleet.workers");
      } else {
        fleet_.warnings.push_back("fleet.connection_budget " + what +
                                  "; the processes share it as they need it, and wait for each other: raise it, or "
                                  "lower pool.max or fleet.workers");
      }
      return;
    }
    std::uint64_t used = 0;
    for (DatabaseConfig* d : counted) {
      PoolConfig& pool = d->pool;
      if (pool.max.is_set()) continue;
      pool.max.value = static_cast<std::uint32_t>(
          std::max<std::uint64_t>(1, std::uint64_t{pool.max.value} * (share - fixed) / flexible));
      pool.max.origin.place = "reduced to fit connection_budget " + std::to_string(budget);
      used += pool.max;
    }
    for (; used > share - fixed; --used) {  // rounding up to 1 may have gone too far
      DatabaseConfig* largest = nullptr;
      for (DatabaseConfig* d : counted) {
        if (!d->pool.max.is_set() && (largest == nullptr || d->pool.max > largest->pool.max)) largest = d;
      }
      --largest->pool.max.value;
    }
    for (DatabaseConfig* d : counted) {
      PoolConfig& pool = d->pool;
      if (pool.min <= pool.max) continue;
      if (pool.min.is_set()) {
        check_pool("database." + d->name + ".", pool);
      } else {
        pool.min.value = pool.max.value;
        pool.min.origin.place = "not above pool.max";
      }
    }
  }

  FleetConfig& fleet_;
  Problems& problems_;
};

}  // namespace

void validate(FleetConfig& fleet, Problems& problems) { Validation(fleet, problems).run(); }

}  // namespace switchyard::inline v0::config

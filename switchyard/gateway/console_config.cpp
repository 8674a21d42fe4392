#include <switchyard/gateway/console_config.hpp>

#include <switchyard/base/suggest.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <limits>
#include <optional>

namespace switchyard::inline v0::gateway {
namespace {

std::string seconds_text(Duration value) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
  std::string text = std::to_string(micros / 1'000'000);
  if (const auto rest = micros % 1'000'000; rest != 0) {
    std::string fraction = std::to_string(1'000'000 + rest).substr(1);
    while (fraction.ends_with('0')) fraction.pop_back();
    text += "." + fraction;
  }
  return text;
}

std::string list_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view name = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

Error not_a(std::string_view what, std::string_view value) {
  return Error(ErrorKind::Usage, "'" + std::string(value) + "' is not " + std::string(what));
}

Result<std::uint32_t> number_of(std::string_view value, std::uint32_t least) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least) {
    return not_a("a number of at least " + std::to_string(least), value);
  }
  return number;
}

/// Seconds, with a fraction.
Result<Duration> duration_of(std::string_view value) {
  constexpr double kMost = 365.0 * 24 * 3600;
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc() || end != value.data() + value.size() || !(seconds > 0) || seconds > kMost) {
    return not_a("a number of seconds above 0", value);
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

/// The same, or zero: never.
Result<Duration> time_of(std::string_view value) {
  if (value == "0") return Duration::zero();
  return duration_of(value);
}

/// PgBouncer's words, and ours. Transactions are not refused where it is told to.
Result<PoolMode> mode_of(std::string_view value) {
  if (value == "auto") return PoolMode::automatic;
  if (value == "session") return PoolMode::session;
  if (value == "transaction" || value == "statement") return PoolMode::transaction;
  return not_a("one of auto, session, transaction, statement", value);
}

template <class T>
Result<void> assign(T& to, Result<T> value) {
  if (!value.ok()) return value.error();
  to = *std::move(value);
  return {};
}

struct Key {
  std::string_view name;
  std::string (*get)(const GatewaySettings&);
  /// Null: not while the gateway runs.
  Result<void> (*set)(GatewaySettings&, std::string_view);
};

const Key kKeys[] = {
    {"admin_users", [](const GatewaySettings& s) { return list_text(s.console.admin_users); },
     [](GatewaySettings& s, std::string_view v) -> Result<void> {
       s.console.admin_users = list_of(v);
       return {};
     }},
    {"client_idle_timeout", [](const GatewaySettings& s) { return seconds_text(*s.config.client_idle_timeout); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.config.client_idle_timeout.value, time_of(v)); }},
    {"client_login_timeout", [](const GatewaySettings& s) { return seconds_text(s.login_timeout); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.login_timeout, duration_of(v)); }},
    {"client_tls_sslmode", [](const GatewaySettings& s) { return std::string(s.tls ? "allow" : "disable"); },
     nullptr},
    {"default_pool_size", [](const GatewaySettings& s) { return std::to_string(*s.config.role_pool_max); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.config.role_pool_max.value, number_of(v, 1)); }},
    {"idle_transaction_timeout",
     [](const GatewaySettings& s) { return seconds_text(*s.config.idle_transaction_timeout); },
     [](GatewaySettings& s, std::string_view v) {
       return assign(s.config.idle_transaction_timeout.value, time_of(v));
     }},
    {"listen_addr",
     [](const GatewaySettings& s) {
       std::vector<std::string> hosts;
       for (const auto& address : s.listen) {
         if (!address.is_unix()) hosts.push_back(address.text());
       }
       return list_text(hosts);
     },
     nullptr},
    {"max_client_conn", [](const GatewaySettings& s) { return std::to_string(s.max_clients); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.max_clients, number_of(v, 1)); }},
    {"max_db_client_connections",
     [](const GatewaySettings& s) { return std::to_string(*s.config.database_max_clients); },
     [](GatewaySettings& s, std::string_view v) {
       return assign(s.config.database_max_clients.value, number_of(v, 0));
     }},
    {"max_logins", [](const GatewaySettings& s) { return std::to_string(s.max_logins); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.max_logins, number_of(v, 1)); }},
    {"max_packet_size", [](const GatewaySettings& s) { return std::to_string(s.max_message_size); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.max_message_size, number_of(v, 1024)); }},
    {"max_prepared_statements", [](const GatewaySettings& s) { return std::to_string(s.max_prepared_statements); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.max_prepared_statements, number_of(v, 1)); }},
    {"max_unsent", [](const GatewaySettings& s) { return std::to_string(s.max_unsent); }, nullptr},
    {"max_user_client_connections",
     [](const GatewaySettings& s) { return std::to_string(*s.config.user_max_clients); },
     [](GatewaySettings& s, std::string_view v) {
       return assign(s.config.user_max_clients.value, number_of(v, 0));
     }},
    {"max_user_connections", [](const GatewaySettings& s) { return std::to_string(*s.config.user_max_sessions); },
     [](GatewaySettings& s, std::string_view v) {
       return assign(s.config.user_max_sessions.value, number_of(v, 0));
     }},
    {"pool_mode", [](const GatewaySettings& s) { return std::string(to_string(*s.config.pool_mode)); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.config.pool_mode.value, mode_of(v)); }},
    {"query_wait_timeout", [](const GatewaySettings& s) { return seconds_text(*s.config.query_wait_timeout); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.config.query_wait_timeout.value, time_of(v)); }},
    {"stats_period", [](const GatewaySettings& s) { return seconds_text(s.console.stats_period); },
     [](GatewaySettings& s, std::string_view v) { return assign(s.console.stats_period, duration_of(v)); }},
    {"stats_users", [](const GatewaySettings& s) { return list_text(s.console.stats_users); },
     [](GatewaySettings& s, std::string_view v) -> Result<void> {
       s.console.stats_users = list_of(v);
       return {};
     }},
    {"unix_socket_dir",
     [](const GatewaySettings& s) {
       std::vector<std::string> paths;
       for (const auto& address : s.listen) {
         if (address.is_unix()) paths.push_back(address.text());
       }
       return list_text(paths);
     },
     nullptr},
};

}  // namespace

std::vector<ConsoleConfigEntry> console_config(const GatewaySettings& settings) {
  static const GatewaySettings defaults;
  std::vector<ConsoleConfigEntry> entries;
  for (const Key& key : kKeys) {
    entries.push_back({key.name, key.get(settings), key.get(defaults), key.set != nullptr});
  }
  return entries;
}

bool is_console_config(std::string_view key) noexcept {
  const auto found = std::ranges::find(kKeys, key, &Key::name);
  return found != std::end(kKeys) && found->set != nullptr;
}

Result<void> set_console_config(GatewaySettings& settings, std::string_view key, std::string_view value) {
  std::vector<std::string_view> names;
  for (const Key& known : kKeys) {
    names.push_back(known.name);
    if (known.name != key) continue;
    if (known.set == nullptr) {
      return Error(ErrorKind::Usage, std::string(key) + " cannot be changed while the gateway runs");
    }
    return known.set(settings, value);
  }
  std::string what = "there is no setting '" + std::string(key) + "'";
  if (const std::string meant = did_you_mean(key, names); !meant.empty()) what += ": " + meant;
  return Error(ErrorKind::Usage, std::move(what));
}

}  // namespace switchyard::inline v0::gateway

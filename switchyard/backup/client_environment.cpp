#include <switchyard/backup/client_environment.hpp>

#include <switchyard/embedded/launcher.hpp>

#include <cstdlib>

namespace switchyard::inline v0::backup {

namespace {

/// "-c search_path=commerce_schema", with the backslashes that libpq's options need.
std::string session_options(const ConnectionOptions& options) {
  std::string out = options.options;
  for (const auto& [name, value] : options.settings) {
    out += (out.empty() ? "-c " : " -c ") + name + '=';
    for (const char c : value) {
      if (c == ' ' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> libpq_variables(const ConnectionOptions& options,
                                                                 std::string_view fallback_name) {
  std::string hosts, addresses, ports;
  for (const HostSpec& host : options.hosts) {
    const bool first = &host == &options.hosts.front();
    hosts += (first ? "" : ",") + host.host;
    addresses += (first ? "" : ",") + host.hostaddr;
    ports += (first ? "" : ",") + std::to_string(host.port);
  }
  if (addresses.find_first_not_of(',') == std::string::npos) addresses.clear();
  const Secret& password = options.hosts.empty() ? options.password : options.hosts.front().password;
  const auto chosen = [&](std::string_view keyword, std::string_view value) {
    return options.was_given(keyword) ? std::string(value) : std::string();
  };
  return {{"PGHOST", hosts},
          {"PGHOSTADDR", addresses},
          {"PGPORT", ports},
          {"PGDATABASE", options.dbname},
          {"PGUSER", options.user},
          {"PGPASSWORD", password.reveal()},
          {"PGAPPNAME", options.application_name.empty() ? std::string(fallback_name) : options.application_name},
          {"PGOPTIONS", session_options(options)},
          {"PGSSLMODE", chosen("sslmode", to_string(options.sslmode))},
          {"PGSSLNEGOTIATION", chosen("sslnegotiation", to_string(options.sslnegotiation))},
          {"PGCHANNELBINDING", chosen("channel_binding", to_string(options.channel_binding))},
          {"PGSSLCERT", options.sslcert},
          {"PGSSLKEY", options.sslkey},
          {"PGSSLROOTCERT", options.sslrootcert},
          {"PGSSLCRL", options.sslcrl},
          {"PGTARGETSESSIONATTRS", options.target_session_attrs == TargetSessionAttrs::any
                                       ? std::string()
                                       : std::string(to_string(options.target_session_attrs))},
          {"PGSERVICE", ""}};
}

std::vector<std::string> client_environment(const ConnectionOptions& options, std::string_view fallback_name) {
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nobody here calls setenv
  std::vector<std::string> environment = embedded::clean_environment(home == nullptr ? "/" : home);
  for (const auto& [name, value] : libpq_variables(options, fallback_name)) {
    if (!value.empty()) environment.push_back(name + '=' + value);
  }
  return environment;
}

}  // namespace switchyard::inline v0::backup

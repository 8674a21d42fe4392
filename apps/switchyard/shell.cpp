#include "commands.hpp"
#include "fleet_choice.hpp"

#include <switchyard/backup/client_environment.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace switchyard::cli {

namespace {

/// The endpoint that a name stands for: a database's primary, or a replica for a read view.
Result<const EndpointConfig*> find_endpoint(const FleetConfig& fleet, const std::string& name) {
  auto resolved = fleet.resolve(name);
  if (!resolved.ok()) return resolved.error().with_kind(ErrorKind::Usage);
  const DatabaseConfig* database = resolved->database;
  if (resolved->read_view) {
    const ReplicaConfig* wanted = resolved->purpose.empty() ? nullptr : database->replica_for(resolved->purpose);
    const auto any = std::ranges::find_if(
        database->replicas, [](const ReplicaConfig& replica) { return replica.endpoint.configured(); });
    if (wanted != nullptr && wanted->endpoint.configured()) return &wanted->endpoint;
    if (any != database->replicas.end()) return &any->endpoint;
  }
  if (!database->configured() && database->has_stand_in()) database = fleet.find(database->when_unconfigured.value);
  if (database == nullptr || !database->configured()) {
    return Error(ErrorKind::Config, resolved->database->missing_dsn_message);
  }
  return &database->primary;
}

/// Everything goes by environment: arguments can be read by every user of the machine.
void export_connection(const ConnectionOptions& options) {
  for (const auto& [name, value] : backup::libpq_variables(options, "switchyard shell")) {
    if (value.empty()) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
}

}  // namespace

ExitCode run_shell(const GlobalOptions& global, const ShellOptions& options, const Console& console) {
  auto choice = choose_fleet(global);
  if (!choice.ok()) return fail(console, choice.error());
  const std::string name = options.on.value_or("main");
  auto endpoint = find_endpoint(choice->config, name);
  if (!endpoint.ok()) return fail(console, endpoint.error());
  console.note(console.err()(Tone::quiet, name + ": " + (*endpoint)->connection.location()));
  export_connection((*endpoint)->connection);

  std::vector<std::string> words{"psql"};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  ::execvp("psql", argv.data());
  for (const embedded::PostgresBinaries& installed : embedded::list_postgres()) {
    ::execv(installed.program("psql").c_str(), argv.data());
  }
  console.complain(std::string("can't start psql: ") + std::strerror(errno), "apt-get install postgresql-client");
  return ExitCode::failed;
}

}  // namespace switchyard::cli

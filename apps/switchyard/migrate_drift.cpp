#include "migrate_drift.hpp"

#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/schema/fleet_migration.hpp>
#include <switchyard/schema/migrator.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::cli {

namespace {

using embedded::quote_identifier;

Task<schema::CatalogueImage> migrate_and_read(const FleetConfig& fleet, schema::MigrationTarget& target,
                                              const schema::MigrateOptions& options, schema::Rights rights) {
  std::vector<schema::MigrationTarget> targets{target};
  const auto reports = co_await schema::migrate_all(fleet, targets, options, 1);
  const schema::TargetReport& report = reports.front();
  if (report.error) throw *report.error;
  if (!report.problems.empty()) throw Error(ErrorKind::Config, report.problems.front());
  auto opened = Fleet::open(schema::config_for(fleet, target.runs_on)).value_or_throw();
  auto lease = co_await opened->database(target.runs_on).value_or_throw().lease();
  auto image = co_await schema::read_catalogue(lease, report.schema, target.table, rights);
  lease.release();
  co_await opened->close();
  co_return image;
}

}  // namespace

Result<schema::CatalogueImage> image_of_migrations(const FleetConfig& fleet, schema::MigrationTarget target,
                                                   const schema::MigrateOptions& options, const LiveServer& live) {
  embedded::ClusterOptions cluster_options;
  cluster_options.name = "drift";
  // Of the live server's version where that is installed: another one may write a definition otherwise.
  const auto installed = embedded::list_postgres();
  if (std::ranges::find(installed, live.major_version, &embedded::PostgresBinaries::major) != installed.end()) {
    cluster_options.binaries.major = live.major_version;
  }
  auto cluster = embedded::PrivateCluster::start(std::move(cluster_options));
  if (!cluster.ok()) return cluster.error();
  embedded::PrivateServer& server = (*cluster)->primary();
  FleetConfig private_fleet = schema::config_for(fleet, target.runs_on);
  DatabaseConfig& database = *private_fleet.find(target.runs_on);
  const std::string user = database.primary.connection.user;
  const std::string dbname = database.primary.connection.dbname;
  for (const std::string& role : live.roles) {
    // Whoever logs in may do everything here: the question is what the scripts make, not who may run them.
    const bool self = role == user;
    static_cast<void>(server.execute("CREATE ROLE " + quote_identifier(role) + (self ? " LOGIN SUPERUSER" : "")));
  }
  if (dbname != "postgres") {
    if (auto made = server.create_database(dbname); !made.ok()) return made.error();
  }
  database.write = {};
  database.read_only = false;
  auto endpoint = server.endpoint(dbname);
  if (!user.empty()) endpoint.user = user;
  SY_TRY(relocate(private_fleet, database, endpoint.uri(), "private server"));
  schema::MigrateOptions unhurried = options;
  unhurried.lock_timeout = unhurried.statement_timeout = "0";
  runtime::Shard shard;
  try {
    return shard.run_until_complete(migrate_and_read(private_fleet, target, unhurried, live.rights));
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace switchyard::cli

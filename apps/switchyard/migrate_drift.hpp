// What the migrations of a database give on a private server.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/schema/catalogue_image.hpp>
#include <switchyard/schema/migrate_options.hpp>
#include <switchyard/schema/targets.hpp>

#include <string>
#include <vector>

namespace switchyard::cli {

/// Roles and extensions that the live server knows, so that scripts which name them run.
struct LiveServer {
  int major_version = 0;
  std::vector<std::string> roles;
  schema::Rights rights = schema::Rights::left_out;
};

/// Starts a server, applies the migrations, reads what is there, and removes it all. Blocks; call it on no shard.
/// Errors: no server programs, and those of the migrations.
[[nodiscard]] Result<schema::CatalogueImage> image_of_migrations(const FleetConfig& fleet,
                                                                 schema::MigrationTarget target,
                                                                 const schema::MigrateOptions& options,
                                                                 const LiveServer& live);

}  // namespace switchyard::cli

// From the settings of an endpoint (dsn, user, host, server, role, schema ...) to the ConnectionOptions of its
// sessions. Internal.
//
// Within one endpoint a key (user, host, port, dbname, options.*, role, schema) is stronger than the same thing in
// the dsn, unless the dsn comes from a stronger layer. A [server.NAME] only fills what the endpoint does not say;
// an endpoint with a dsn of its own does not take its place or credentials from the server.
#pragma once

#include <switchyard/config/connection_string.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/config/problems.hpp>

namespace switchyard::inline v0::config {

/// Fills primary and write of `database` (connection, is_configured) and its application_name.
void assemble_database(const FleetConfig& fleet, DatabaseConfig& database, const ConnectionEnvironment& environment,
                       Problems& problems);
/// Fills the endpoint of one replica; `database` has been assembled.
void assemble_replica(const FleetConfig& fleet, const DatabaseConfig& database, ReplicaConfig& replica,
                      const ConnectionEnvironment& environment, Problems& problems);

}  // namespace switchyard::inline v0::config

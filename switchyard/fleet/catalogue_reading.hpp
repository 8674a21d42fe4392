// Reads the catalogue of a database over one session: the driver of sql::catalogue_queries().
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/session/querier.hpp>
#include <switchyard/sql/catalogue.hpp>
#include <switchyard/sql/safe_names.hpp>

#include <memory>
#include <string>

namespace switchyard::inline v0::fleet {

/// See sql::catalogue_digest_sql().
struct CatalogueDigest {
  std::string catalogue, system, settings;
  friend bool operator==(const CatalogueDigest&, const CatalogueDigest&) = default;
};

struct CatalogueReading {
  CatalogueDigest digest;  ///< of the same moment
  std::shared_ptr<const sql::CatalogueSnapshot> snapshot;
};

/// One round trip.
[[nodiscard]] Task<Result<CatalogueDigest>> ask_catalogue_digest(session::OperationHost& session);

/// One round trip and one transaction. `former`, if not null, spares the system's objects; the caller knows from
/// the digests whether they are still the same.
[[nodiscard]] Task<Result<CatalogueReading>> read_catalogue(session::OperationHost& session, sql::SafeNames safe,
                                                            std::shared_ptr<const sql::CatalogueSnapshot> former);

/// The same over what has a session of its own: a lease. For tools that judge a statement once.
[[nodiscard]] SWITCHYARD_API Task<Result<CatalogueReading>> read_catalogue(Querier& lease, sql::SafeNames safe);

}  // namespace switchyard::inline v0::fleet

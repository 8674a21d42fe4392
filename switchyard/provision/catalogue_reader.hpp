// Reads a ServerImage from the catalogues.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/provision/server_image.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>

#include <string>

namespace switchyard::inline v0::provision {

/// Everything but what is in the databases. Throws Error.
[[nodiscard]] SWITCHYARD_API Task<ServerImage> read_server(Querier& querier);
/// What is in the database of this session. Throws Error.
[[nodiscard]] SWITCHYARD_API Task<ContentImage> read_contents(Querier& querier, std::string database);

}  // namespace switchyard::inline v0::provision

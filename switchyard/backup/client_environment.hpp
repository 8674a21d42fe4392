// How PostgreSQL's client programs are told where to connect: by environment, since every user of the machine can
// read a program's arguments.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/config/connection_options.hpp>

#include <string>
#include <utility>
#include <vector>

namespace switchyard::inline v0::backup {

/// Every variable of libpq that describes a connection, with its value; an empty one is to be unset.
/// `fallback_name` is the application's name where none was given.
[[nodiscard]] SWITCHYARD_API std::vector<std::pair<std::string, std::string>> libpq_variables(
    const ConnectionOptions& options, std::string_view fallback_name);

/// A whole environment for a program that this process starts: PATH, HOME, locale and the connection, and nothing
/// else of ours.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> client_environment(const ConnectionOptions& options,
                                                                         std::string_view fallback_name);

}  // namespace switchyard::inline v0::backup

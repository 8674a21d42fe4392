// PostgreSQL's own functions after which a session is as it was before, by name: versions 15 to 18.
#pragma once

#include <switchyard/base/export.hpp>

#include <string_view>

namespace switchyard::inline v0::session {

/// `name` folded, without schema. A function of somebody's with the name of a built-in one is not told apart: the
/// server takes it only for arguments that the built-in one does not accept, or where a schema stands in front of
/// pg_catalog in search_path.
[[nodiscard]] SWITCHYARD_API bool is_harmless_built_in(std::string_view name) noexcept;

}  // namespace switchyard::inline v0::session

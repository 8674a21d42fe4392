// What the name of a file in a folder of migrations says, by Flyway's rules with its default prefixes:
//
//     V2_1__add_status.sql     versioned                R__views.sql      repeatable, run again when it has changed
//     B7__everything.sql       baseline: 1 to 7 at once U2_1__undo.sql    undo (never run here)
//     afterMigrate__grants.sql callback                 ref_006_name.sql  numbered: versioned, for the database
//     that
//                                                                         its header names
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/scripts/migration_version.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0::scripts {

enum class FileKind : std::uint8_t { versioned, repeatable, baseline, undo, callback, numbered };

struct FileName {
  FileKind kind = FileKind::versioned;
  std::optional<MigrationVersion> version;  ///< of all but repeatable ones and callbacks
  std::string description;                  ///< with spaces for underscores
  std::string prefix;                       ///< of a numbered one: "ref"; of a callback its event
};

/// Events that Flyway calls scripts for.
[[nodiscard]] SWITCHYARD_API std::span<const std::string_view> callback_events() noexcept;

/// Without folders: "V1__a.sql". Nothing for what does not end in .sql. Config error for a .sql file whose name
/// follows none of the rules.
[[nodiscard]] SWITCHYARD_API Result<std::optional<FileName>> parse_file_name(std::string_view name);

/// "create_products_table" from "Create products table!": what `migrate new` puts into a name.
[[nodiscard]] SWITCHYARD_API std::string description_for_file(std::string_view words);

}  // namespace switchyard::inline v0::scripts

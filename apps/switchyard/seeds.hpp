// What a fresh private database is filled with.
#pragma once

#include <switchyard/base/result.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::cli {

/// SQL for a database's first start, and where it is from, for messages.
struct Seed {
  std::string sql;
  std::string place;  ///< "examples/wellwon/main.sql", "the demonstration"
};

/// FOLDER/DATABASE.sql, FOLDER being the fleet file without its extension; nothing if there is no such file.
[[nodiscard]] Result<std::optional<Seed>> seed_beside(const std::string& config_file, std::string_view database);

/// Rows to play with; nothing for a database that the demonstration does not have.
[[nodiscard]] std::optional<Seed> demonstration_seed(std::string_view database);

/// The demonstration's fleet file.
[[nodiscard]] std::string_view demonstration_config() noexcept;

}  // namespace switchyard::cli

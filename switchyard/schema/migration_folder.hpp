// Reads folders of migrations.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/schema/migration.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::schema {

/// Longer scripts are refused.
inline constexpr std::size_t kMaxScriptBytes = 64u << 20;
/// More files in one target are refused.
inline constexpr std::size_t kMaxMigrations = 100'000;

/// All files below a folder, in `encoding` where their .conf does not say another (text_encoding.hpp). Config
/// errors name the file: unreadable, wrong encoding, wrong .conf.
[[nodiscard]] SWITCHYARD_API Result<std::vector<Migration>> read_folder(const std::string& folder,
                                                                        std::vector<std::string>& ignored,
                                                                        std::string_view encoding = "UTF-8");
/// Sorts them. Config error when two have one version, or two repeatable ones one description.
[[nodiscard]] SWITCHYARD_API Result<MigrationSet> arrange(std::vector<Migration> files,
                                                          std::vector<std::string> ignored);

}  // namespace switchyard::inline v0::schema

// Files and history side by side: in which state each migration is, what validation says, and what runs next.
// Flyway's rules, as it documents them for `info`, `validate` and `migrate`.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/schema/history_row.hpp>
#include <switchyard/schema/migration.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::schema {

enum class MigrationState : std::uint8_t {
  pending,
  above_target,
  below_baseline,
  baseline_ignored,  ///< a B script that is not run: there is a history already, or a later one
  ignored,           ///< older than what was applied, and out_of_order is off
  success,
  out_of_order,
  baseline,
  missing,  ///< applied, and there is no file
  missing_failed,
  future,  ///< the same, and newer than every file
  future_failed,
  failed,
  unfinished,  ///< begun outside a transaction and not ended; the next run goes on
  outdated,    ///< repeatable, and the file has changed since
  superseded,  ///< repeatable, and run again since
  deleted,     ///< undone or marked as deleted
};
/// "Pending", "Out of Order": as Flyway prints it.
[[nodiscard]] SWITCHYARD_API std::string_view to_string(MigrationState state) noexcept;

struct MigrationInfo {
  MigrationState state = MigrationState::pending;
  const Migration* file = nullptr;      ///< null: there is none
  const HistoryRow* applied = nullptr;  ///< null: never applied
  [[nodiscard]] std::string version() const;
  [[nodiscard]] std::string description() const;
  [[nodiscard]] std::string script() const;
};

struct StateOptions {
  bool out_of_order = false;
  std::optional<scripts::MigrationVersion> target;  ///< later ones are left alone
  /// Flyway's "type:state", with type versioned, repeatable or *, and state missing, pending, ignored, future or *.
  std::vector<std::string> ignore_patterns{"*:future"};
};

/// Points into `set` and `history`, which is ordered by installed_rank. Applied ones first, in that order; then
/// what is not applied, versions before repeatable ones.
[[nodiscard]] SWITCHYARD_API std::vector<MigrationInfo> states_of(const MigrationSet& set,
                                                                  const std::vector<HistoryRow>& history,
                                                                  const StateOptions& options);

/// One sentence for each thing that is wrong, with what to do. `pending_is_wrong` for `validate`, which wants
/// everything applied.
[[nodiscard]] SWITCHYARD_API std::vector<std::string> problems_of(const std::vector<MigrationInfo>& infos,
                                                                  const StateOptions& options,
                                                                  bool pending_is_wrong);

/// What runs next, in order: a B script if nothing was ever applied, versions, repeatable ones by description.
[[nodiscard]] SWITCHYARD_API std::vector<const MigrationInfo*> runnable(const std::vector<MigrationInfo>& infos);

/// Of the last versioned one that was applied; nothing if none was.
[[nodiscard]] SWITCHYARD_API std::optional<scripts::MigrationVersion> current_version(
    const std::vector<HistoryRow>& history);

}  // namespace switchyard::inline v0::schema

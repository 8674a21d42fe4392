// The owner's map at work: stands before the statements of a fleet in development and test, and where the setting
// owner_check says so. What a text means is decided once and remembered. Where the check is off there is no guard,
// and its cost is a null pointer.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/owner_map.hpp>
#include <switchyard/fleet/write_unit.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace switchyard::inline v0::fleet {

class OwnerGuard {
 public:
  /// Texts that are remembered; then it begins anew.
  static constexpr std::size_t kTexts = 8192;

  OwnerGuard(OwnerCheck check, OwnerMap map) : check_(check), map_(std::move(map)) {}
  OwnerGuard(const OwnerGuard&) = delete;
  OwnerGuard& operator=(const OwnerGuard&) = delete;

  /// A transaction among those that are open in one unit.
  struct Membership {
    std::shared_ptr<WriteUnit> unit;
    WriteUnit::Handle transaction;
  };

  /// Why `operation` may not run at `database`: it is not where it belongs, or would make a transaction write to
  /// two databases. Nothing when it may, or was only warned about. `memberships` are those of the transaction that
  /// it is part of; without one it stands for itself in `unit` (null: in none).
  [[nodiscard]] std::optional<Error> check(std::string_view database, const session::OperationState& operation,
                                           std::span<const Membership> memberships, WriteUnit* unit,
                                           WriteUnit* second_unit);

  /// The same for a text alone. Null: it may run.
  [[nodiscard]] const OwnerMap::Verdict* refusal(std::string_view database, std::string_view sql);
  [[nodiscard]] const OwnerMap& map() const noexcept { return map_; }

 private:
  struct Judged {
    std::shared_ptr<const sql::StatementFacts> facts;
    bool writes = false;
    std::map<std::string, OwnerMap::Verdict, std::less<>> verdicts;  ///< by database
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  [[nodiscard]] Judged& judged(std::string_view sql);
  [[nodiscard]] const OwnerMap::Verdict& verdict(Judged& known, std::string_view database);
  /// True: it is an error; else it was logged.
  [[nodiscard]] bool fails(std::string_view database, const OwnerMap::Verdict& verdict);

  const OwnerCheck check_;
  const OwnerMap map_;
  std::unordered_map<std::string, Judged, Hash, std::equal_to<>> texts_;
  std::unordered_map<std::string, bool> warned_;
};

/// Makes the guard of a fleet; null when the check is off or nobody claims anything and there is one database.
[[nodiscard]] std::unique_ptr<OwnerGuard> make_owner_guard(const FleetConfig& config);

/// Where the claims of migrations come from: a room above this one reads them. Set once, by that room; null: only
/// what the configuration says is known.
using OwnerClaimSource = Result<std::vector<OwnerClaim>> (*)(const FleetConfig& config);
SWITCHYARD_API void set_owner_claim_source(OwnerClaimSource source) noexcept;
/// The owner's map of a configuration. A folder of migrations that can't be read is a warning in the log: the map
/// is made without it.
[[nodiscard]] SWITCHYARD_API OwnerMap owner_map_of(const FleetConfig& config);

}  // namespace switchyard::inline v0::fleet

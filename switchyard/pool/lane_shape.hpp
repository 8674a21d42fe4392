// A statement as a lane sees it: one text with one set of parameter types, whoever sends it. Keeps what was judged
// and what was measured, and decides from it whether the statement may share.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/protocol/row.hpp>
#include <switchyard/sql/verdict.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::pool {

/// From how many runs on a statement is worth a place in the server: the third within kInternWindow.
inline constexpr std::uint32_t kInternFrom = 3;
inline constexpr Duration kInternWindow = std::chrono::seconds(60);
/// Runs longer than this are slow: they would hold up whoever stands behind. For each session that works beside the
/// lane a little more: where many processes share few cores a run takes longer than its statement.
inline constexpr Duration kSlowInLane = std::chrono::milliseconds(4);
inline constexpr Duration kSlackInLane = std::chrono::microseconds(250);
/// The same for runs on leases, where callers may have crowded the server.
inline constexpr Duration kSlowOnLease = std::chrono::milliseconds(25);
inline constexpr Duration kSlackOnLease = std::chrono::milliseconds(2);
/// Statements that took longer lately get a Sync of their own.
inline constexpr Duration kSlowInGroup = std::chrono::milliseconds(1);
/// A slow statement is leased for this long, and twice as long each time it comes back slow.
inline constexpr Duration kLeastBar = std::chrono::seconds(5);
inline constexpr Duration kMostBar = std::chrono::minutes(1);
/// Followers of a statement leave after eight times what it took lately, within these bounds.
inline constexpr Duration kLeastBudget = std::chrono::milliseconds(8);
inline constexpr Duration kMostBudget = std::chrono::milliseconds(100);
/// The server may turn to a generic plan with the sixth execution (manual, PREPARE). So many runs after are
/// compared with those before.
inline constexpr std::uint32_t kCustomPlans = 5;
inline constexpr std::uint32_t kPlansCompared = 6;
/// Runs in a Sync of its own before a statement shares one.
inline constexpr std::uint32_t kRunsAlone = 24;
/// Where it was sure before: of a machine that is busy everything is slow now and then.
inline constexpr std::uint32_t kRunsAgain = 8;

class SWITCHYARD_API LaneShape {
 public:
  LaneShape(std::uint32_t number, std::string_view text, std::span<const Oid> types);

  [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
  [[nodiscard]] const std::string& sql() const noexcept { return sql_; }
  [[nodiscard]] std::span<const Oid> types() const noexcept { return types_; }

  // ---- what it is ----

  /// Judged under this epoch of the catalogue; nothing was yet: kNoEpoch.
  static constexpr std::uint64_t kNoEpoch = ~std::uint64_t{0};
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  void judge(sql::Verdict verdict, std::uint64_t epoch);
  [[nodiscard]] bool may_share() const noexcept { return may_share_; }

  /// Its columns in this epoch: as the server described them, and as untyped rows want them. Null: not known.
  std::shared_ptr<const protocol::RowDescription> description;
  std::shared_ptr<const protocol::RowDescription> native;
  std::vector<std::int16_t> native_formats;
  /// What the server takes its parameters for.
  std::vector<Oid> parameter_types;
  bool described = false;
  /// Generic plans are bad for it: it is parsed anew each time, unnamed.
  bool wants_custom_plans = false;

  // ---- what it did lately ----

  /// A caller came with it. False: too seldom so far to be worth a place in the server.
  [[nodiscard]] bool note_use(TimePoint now) noexcept;
  /// It ran in a Sync of its own and took so long, beside `others` sessions that worked.
  void note_run(Duration took, std::uint32_t others, TimePoint now) noexcept;
  /// It ran on a lease.
  void note_leased_run(Duration took, std::uint32_t others, TimePoint now) noexcept;
  /// A group with it in took much longer than it should have.
  void suspect() noexcept { alone_runs_ = std::min(alone_runs_, kRunsAlone - kRunsAgain); }
  /// Its answer failed for a reason of its own.
  void note_failure() noexcept { alone_runs_ = 0; }
  /// It had to be run on a lease after all.
  void note_fault(TimePoint now) noexcept;
  /// Leased until then. `reason` is static text.
  void bar(TimePoint until, std::string_view reason) noexcept;
  void note_loss(TimePoint now) noexcept;

  /// Why it is leased now; empty: it may share.
  [[nodiscard]] std::string_view objection(TimePoint now) const noexcept;
  /// It may stand in one Sync with others.
  [[nodiscard]] bool is_sure() const noexcept {
    return may_share_sync_ && alone_runs_ >= kRunsAlone && recent_max_ < kSlowInGroup;
  }
  [[nodiscard]] Duration expected() const noexcept { return recent_max_ < kSlowInGroup ? usual_ : recent_max_; }
  [[nodiscard]] Duration budget() const noexcept;

  TimePoint used{};
  /// Statements under way that refer to it.
  std::uint32_t calls = 0;

 private:
  void count_run(bool slow, TimePoint now) noexcept;

  std::uint32_t id_;
  std::string sql_;
  std::vector<Oid> types_;
  std::uint64_t epoch_ = kNoEpoch;
  bool may_share_ = false;
  bool may_share_sync_ = false;
  std::string refusal_;

  std::uint32_t uses_ = 0;
  TimePoint window_{};
  std::uint32_t runs_ = 0;  // of the last ones, halved now and then
  std::uint32_t slow_runs_ = 0;
  Duration next_bar_ = kLeastBar;
  std::uint32_t alone_runs_ = 0;
  std::uint32_t faults_ = 0;
  TimePoint last_fault_{};
  std::uint32_t losses_ = 0;
  Duration usual_ = std::chrono::microseconds(20);
  Duration recent_max_{};  // halves every kMaxHalfLife
  TimePoint recent_since_{};
  TimePoint barred_until_{};
  std::string_view bar_reason_;
};

}  // namespace switchyard::inline v0::pool

#include <switchyard/pool/lane_shape.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::inline v0::pool {
namespace {

constexpr Duration kMaxHalfLife = std::chrono::seconds(10);
/// Counts of runs are halved at this number: what was long ago fades.
constexpr std::uint32_t kRunsKept = 64;
/// One slow run in so many is too many. Fewer are left to those who wait behind: they leave. Where the machine is
/// busy everything is slow now and then, and leases would only make it busier.
constexpr std::uint32_t kSlowShare = 4;
constexpr std::uint32_t kLeastSlowRuns = 3;
constexpr std::uint32_t kQuickRuns = 8;
constexpr Duration kFaultWindow = std::chrono::seconds(10);
constexpr Duration kLossBar = std::chrono::minutes(10);

constexpr std::string_view kJudging = "leased: not judged yet";

}  // namespace

LaneShape::LaneShape(std::uint32_t number, std::string_view text, std::span<const Oid> types)
    : id_(number), sql_(text), types_(types.begin(), types.end()), refusal_(kJudging) {}

void LaneShape::judge(sql::Verdict verdict, std::uint64_t epoch) {
  epoch_ = epoch;
  may_share_ = verdict.may_share && verdict.may_intern;
  may_share_sync_ = verdict.may_share_sync;
  refusal_.clear();
  if (!may_share_) {
    refusal_ = "leased: ";
    refusal_ += verdict.reasons.empty() ? "nobody knows what it does" : verdict.reasons.front();
  }
  described = false;
  description.reset();
  native.reset();
}

bool LaneShape::note_use(TimePoint now) noexcept {
  used = now;
  if (uses_ >= kInternFrom) return true;
  if (now - window_ > kInternWindow) {
    window_ = now;
    uses_ = 0;
  }
  return ++uses_ >= kInternFrom;
}

void LaneShape::note_run(Duration took, std::uint32_t others, TimePoint now) noexcept {
  usual_ += (std::min(took, kSlowInLane) - usual_) / 16;
  while (recent_max_ > Duration::zero() && now - recent_since_ >= kMaxHalfLife) {
    recent_max_ /= 2;
    recent_since_ += kMaxHalfLife;
  }
  if (took >= recent_max_) {
    recent_max_ = took;
    recent_since_ = now;
  }
  if (took >= kSlowInGroup) {
    suspect();
  } else if (++alone_runs_ % kQuickRuns == 0) {
    recent_max_ /= 2;  // a hiccup of the machine is forgotten sooner than by time alone
  }
  count_run(took >= kSlowInLane + kSlackInLane * others, now);
}

void LaneShape::note_leased_run(Duration took, std::uint32_t others, TimePoint now) noexcept {
  count_run(took >= kSlowOnLease + kSlackOnLease * others, now);
}

void LaneShape::count_run(bool slow, TimePoint now) noexcept {
  ++runs_;
  if (slow) ++slow_runs_;
  if (slow && slow_runs_ >= kLeastSlowRuns && slow_runs_ * kSlowShare >= runs_ && now >= barred_until_) {
    bar(now + next_bar_, "leased: it was slow lately");
    next_bar_ = std::min(next_bar_ * 2, kMostBar);
    runs_ = slow_runs_ = kLeastSlowRuns - 1;
  }
  if (runs_ < kRunsKept) return;
  if (slow_runs_ == 0) next_bar_ = kLeastBar;
  runs_ /= 2;
  slow_runs_ /= 2;
}

void LaneShape::note_fault(TimePoint now) noexcept {
  faults_ = now - last_fault_ < kFaultWindow ? faults_ + 1 : 1;
  last_fault_ = now;
  alone_runs_ = 0;
  if (faults_ >= 2) bar(now + kFaultWindow, "leased: it needed a lease after all, twice lately");
}

void LaneShape::note_loss(TimePoint now) noexcept {
  if (++losses_ < 2) return;
  losses_ = 0;
  bar(now + kLossBar, "leased: two sessions were lost under it");
}

void LaneShape::bar(TimePoint until, std::string_view reason) noexcept {
  if (until < barred_until_) return;
  barred_until_ = until;
  bar_reason_ = reason;
}

std::string_view LaneShape::objection(TimePoint now) const noexcept {
  if (!may_share_) return refusal_;
  return now < barred_until_ ? bar_reason_ : std::string_view();
}

Duration LaneShape::budget() const noexcept { return std::clamp(recent_max_ * 8, kLeastBudget, kMostBudget); }

}  // namespace switchyard::inline v0::pool

#include <switchyard/base/assert.hpp>
#include <switchyard/pool/permits.hpp>

namespace switchyard::inline v0::pool {

PermitCounter::Member* PermitCounter::join() noexcept {
  std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < kMaxMembers; ++i) {
    Member& member = members_[i];
    if (member.joined_) continue;
    member.joined_ = true;
    if (i >= used_members_.load(std::memory_order_relaxed)) used_members_.store(i + 1, std::memory_order_release);
    return &member;
  }
  return nullptr;
}

void PermitCounter::leave(Member& member) noexcept {
  set_starving(member, false);
  std::lock_guard lock(mutex_);
  member.wake_ = nullptr;
  member.context_ = nullptr;
  member.joined_ = false;
  publish_in_use(member, 0);
}

void PermitCounter::set_wake(Member& member, Wake wake, void* context) noexcept {
  std::lock_guard lock(mutex_);
  member.wake_ = wake;
  member.context_ = context;
}

void PermitCounter::give_back(const Member& giver) noexcept {
  const std::uint32_t before = taken_.fetch_sub(1, std::memory_order_seq_cst);
  SY_ASSERT(before > 0);
  (void)before;
  if (source_) source_->give_back();
  if (starving_.load(std::memory_order_seq_cst) == 0) return;
  std::lock_guard lock(mutex_);
  for (Member& member : members_) {
    if (member.starving_ && member.wake_ && &member != &giver) member.wake_(member.context_);
  }
}

void PermitCounter::set_starving(Member& member, bool starving) noexcept {
  std::lock_guard lock(mutex_);
  if (member.starving_ == starving) return;
  member.starving_ = starving;
  if (!starving) {
    const bool last = starving_.fetch_sub(1, std::memory_order_seq_cst) == 1;
    if (last && source_) source_->set_wanting(false);
    return;
  }
  const bool first = starving_.fetch_add(1, std::memory_order_seq_cst) == 0;
  if (first && source_) source_->set_wanting(true);
  for (Member& other : members_) {
    if (other.joined_ && other.wake_ && &other != &member) other.wake_(other.context_);
  }
}

bool PermitCounter::agreed(PermitPurpose purpose) noexcept {
  const bool yes = source_->claim(purpose);
  refused_.store(!yes, std::memory_order_relaxed);
  if (!yes) taken_.fetch_sub(1, std::memory_order_seq_cst);
  return yes;
}

void PermitCounter::look_again() noexcept {
  refused_.store(false, std::memory_order_relaxed);
  wake_all();
}

void PermitCounter::wake_all() noexcept {
  std::lock_guard lock(mutex_);
  for (Member& member : members_) {
    if (member.joined_ && member.wake_) member.wake_(member.context_);
  }
}

void PermitCounter::set_owed(std::uint32_t count) noexcept {
  if (owed_.exchange(count, std::memory_order_relaxed) == count || count == 0) return;
  wake_all();
}

bool PermitCounter::take_owed() noexcept {
  std::uint32_t owed = owed_.load(std::memory_order_relaxed);
  while (owed > 0) {
    if (owed_.compare_exchange_weak(owed, owed - 1, std::memory_order_relaxed)) return source_->take_owed();
  }
  return false;
}

std::uint32_t PermitCounter::in_use() const noexcept {
  std::uint32_t sum = 0;
  const std::uint32_t used = used_members_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < used; ++i) sum += members_[i].in_use_.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace switchyard::inline v0::pool

#include <switchyard/pool/lane_machine.hpp>

#include <switchyard/base/assert.hpp>

#include <algorithm>

namespace switchyard::inline v0::pool {

LaneMachine::LaneMachine(LaneLimits limits) : limits_(limits), slots_(limits.sessions) {
  usual_ = std::chrono::microseconds(20);
}

std::optional<LaneSlot> LaneMachine::add(TimePoint now) noexcept {
  const auto found = std::ranges::find_if(slots_, [](const Slot& slot) { return slot.state == State::absent; });
  if (found == slots_.end()) return std::nullopt;
  *found = Slot{};
  found->state = State::open;
  found->progress = now;
  return index_of(*found);
}

void LaneMachine::retire(LaneSlot index, LaneActions& actions) noexcept {
  Slot& slot = slots_[index];
  if (slot.state == State::absent || slot.state == State::gone || slot.retiring) return;
  slot.retiring = true;
  calm(index, actions);
}

void LaneMachine::submit(LaneEntry& entry) noexcept {
  SY_ASSERT(entry.state_ == LaneEntry::State::free);
  entry.state_ = LaneEntry::State::queued;
  entry.moves_ = 0;
  queue_.push_back(entry);
}

void LaneMachine::submit_again(LaneEntry& entry, const LaneEntry& former) noexcept {
  submit(entry);
  entry.moves_ = former.moves_ + 1;
  entry.shares_sync = false;
}

void LaneMachine::put(LaneSlot index, LaneEntry& entry, TimePoint now) noexcept {
  SY_ASSERT(entry.state_ == LaneEntry::State::free && takes(index));
  ++last_group_;
  send(slots_[index], entry, now);
}

bool LaneMachine::withdraw(LaneEntry& entry) noexcept {
  switch (entry.state_) {
    case LaneEntry::State::free: return true;
    case LaneEntry::State::queued:
      queue_.remove(entry);
      entry.state_ = LaneEntry::State::free;
      return true;
    case LaneEntry::State::held:
    case LaneEntry::State::streaming: entry.state_ = LaneEntry::State::ghost; return false;
    case LaneEntry::State::ghost: return false;
  }
  return false;
}

LaneEntry* LaneMachine::take_queued() noexcept {
  LaneEntry* entry = queue_.front();
  if (entry == nullptr) return nullptr;
  queue_.remove(*entry);
  entry->state_ = LaneEntry::State::free;
  return entry;
}

std::uint32_t LaneMachine::depth() const noexcept {
  const Duration usual = std::max<Duration>(usual_, std::chrono::microseconds(1));
  const auto fits = static_cast<std::uint64_t>(limits_.depth_time / usual);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fits, limits_.least_depth, limits_.most_depth));
}

void LaneMachine::send(Slot& slot, LaneEntry& entry, TimePoint now) noexcept {
  if (slot.wire.empty()) {
    slot.progress = now;
    slot.group_started = now;
    slot.answered = 0;
  }
  entry.state_ = LaneEntry::State::held;
  entry.slot_ = index_of(slot);
  entry.sent_ = now;
  entry.bytes_ = 0;
  entry.group_ = last_group_;
  slot.wire.push_back(entry);
  ++outstanding_;
}

void LaneMachine::plan(TimePoint now, LaneActions& actions) noexcept {
  const std::uint32_t most = depth();
  while (!queue_.empty()) {
    // The session with the shortest wire gets as much as makes it as long as the others would be.
    Slot* best = nullptr;
    std::uint32_t takers = 0;
    std::uint32_t on_wires = 0;
    for (Slot& slot : slots_) {
      if (!takes(slot) || slot.wire.size() >= most) continue;
      ++takers;
      on_wires += slot.wire.size();
      if (best == nullptr || slot.wire.size() < best->wire.size()) best = &slot;
    }
    if (best == nullptr) return;
    const std::uint32_t level = std::min(most, (queue_.size() + on_wires + takers - 1) / takers);
    std::uint32_t share = std::max(1U, level - std::min(level, best->wire.size()));
    while (share > 0 && !queue_.empty()) {
      ++last_group_;
      Duration takes{};
      for (std::uint32_t in_group = 0;;) {
        LaneEntry& entry = *queue_.front();
        queue_.remove(entry);
        send(*best, entry, now);
        ++in_group;
        --share;
        takes += entry.expected;
        const LaneEntry* next = queue_.front();
        const bool goes_on = entry.shares_sync && share > 0 && next != nullptr && next->shares_sync &&
                             in_group < limits_.group && takes + next->expected <= limits_.group_time;
        actions.push_back({LaneAction::Kind::send, index_of(*best), &entry, !goes_on});
        if (!goes_on) break;
      }
    }
  }
}

LaneEntry* LaneMachine::pop(Slot& slot, TimePoint now) noexcept {
  LaneEntry* entry = slot.wire.front();
  SY_ASSERT(entry != nullptr);
  slot.wire.remove(*entry);
  --outstanding_;
  ++slot.answered;
  slot.progress = now;
  return entry;
}

bool LaneMachine::rows(LaneSlot index, std::uint64_t bytes) noexcept {
  LaneEntry& entry = *slots_[index].wire.front();
  entry.bytes_ += bytes;
  if (entry.state_ == LaneEntry::State::held && entry.bytes_ > limits_.held_bytes) {
    entry.state_ = LaneEntry::State::streaming;
  }
  return entry.state_ != LaneEntry::State::ghost;
}

LaneAnswer LaneMachine::completed(LaneSlot index, TimePoint now) noexcept {
  LaneEntry& entry = *pop(slots_[index], now);
  const bool wanted = entry.state_ != LaneEntry::State::ghost;
  entry.state_ = LaneEntry::State::free;
  return wanted ? LaneAnswer::deliver : LaneAnswer::discard;
}

LaneAnswer LaneMachine::suspended(LaneSlot index, TimePoint now) noexcept {
  return failed(index, LaneFault::lane, now);
}

LaneAnswer LaneMachine::failed(LaneSlot index, LaneFault fault, TimePoint now) noexcept {
  Slot& slot = slots_[index];
  LaneEntry& entry = *pop(slot, now);
  const bool elsewhere = may_run_elsewhere(entry);
  const bool wanted = entry.state_ != LaneEntry::State::ghost;
  entry.state_ = LaneEntry::State::free;
  if (!wanted) return LaneAnswer::discard;
  if (fault == LaneFault::statement) return LaneAnswer::deliver;
  return elsewhere ? LaneAnswer::lease : LaneAnswer::broken;
}

LaneAnswer LaneMachine::skipped(LaneSlot index) noexcept {
  Slot& slot = slots_[index];
  LaneEntry& entry = *pop(slot, slot.progress);
  const bool wanted = entry.state_ != LaneEntry::State::ghost;
  entry.state_ = LaneEntry::State::free;
  return wanted ? LaneAnswer::again : LaneAnswer::discard;
}

std::optional<Duration> LaneMachine::synced(LaneSlot index, TimePoint now, TimePoint earliest,
                                            LaneActions& actions) noexcept {
  Slot& slot = slots_[index];
  std::optional<Duration> each;
  if (slot.answered > 0) {
    each = std::max(earliest - slot.group_started, Duration::zero()) / static_cast<int>(slot.answered);
    usual_ += (std::min<Duration>(*each, limits_.depth_time) - usual_) / 16;
  }
  slot.answered = 0;
  slot.progress = now;
  slot.group_started = now;
  calm(index, actions);
  return each;
}

/// Its wire is empty, perhaps: what it was kept from may go on.
void LaneMachine::calm(LaneSlot index, LaneActions& actions) noexcept {
  Slot& slot = slots_[index];
  if (!slot.wire.empty() || slot.cancel_pending) return;
  if (slot.state == State::absent || slot.state == State::gone) return;
  slot.state = State::open;
  if (slot.retiring) actions.push_back({LaneAction::Kind::close, index, nullptr, false});
}

void LaneMachine::lost(LaneSlot index, LaneLoss loss) noexcept {
  Slot& slot = slots_[index];
  slot.state = State::gone;
  slot.loss = loss;
  slot.cancel_pending = false;
  if (const LaneEntry* head = slot.wire.front()) {
    slot.head_group = head->group_;
    slot.head_alone = slot.answered == 0 && alone(*head);
  }
}

LaneMachine::Lost LaneMachine::lose_next(LaneSlot index) noexcept {
  Slot& slot = slots_[index];
  LaneEntry* entry = slot.wire.front();
  if (entry == nullptr) {
    slot.state = State::absent;
    return {};
  }
  slot.wire.remove(*entry);
  --outstanding_;
  Lost out{.entry = entry, .answer = LaneAnswer::lease, .was_head = entry->group_ == slot.head_group};
  // Which statement of a group ran is not known: each gets its chance, alone. One that ran alone is not run again.
  const bool suspect = out.was_head && slot.head_alone && slot.loss == LaneLoss::unexplained;
  if (entry->state_ == LaneEntry::State::ghost) {
    out.answer = LaneAnswer::discard;
  } else if (suspect || !may_run_elsewhere(*entry)) {
    out.answer = LaneAnswer::broken;
  }
  entry->state_ = LaneEntry::State::free;
  return out;
}

void LaneMachine::cancel_settled(LaneSlot index, TimePoint now, LaneActions& actions) noexcept {
  Slot& slot = slots_[index];
  if (!slot.cancel_pending) return;
  slot.cancel_pending = false;
  slot.fenced_at = now;
  // The last answer may be there and its ReadyForQuery not.
  if (slot.answered == 0) calm(index, actions);
}

/// Those behind the head go elsewhere.
void LaneMachine::leave(Slot& slot, LaneActions& actions) noexcept {
  const LaneEntry& head = *slot.wire.front();
  const bool head_is_known = alone(head) && slot.answered == 0;
  for (LaneEntry* entry = slot.wire.front(); entry != nullptr; entry = LaneList::next(*entry)) {
    if (entry == &head && head_is_known) continue;
    if (!may_run_elsewhere(*entry)) continue;
    entry->state_ = LaneEntry::State::ghost;
    actions.push_back({LaneAction::Kind::reissue, index_of(slot), entry, false});
  }
}

void LaneMachine::tick(TimePoint now, LaneActions& actions) noexcept {
  for (Slot& slot : slots_) {
    if (slot.state == State::absent || slot.state == State::gone) continue;
    if (slot.state == State::fenced) {
      if (now - slot.fenced_at >= limits_.cancel_patience) {
        actions.push_back({LaneAction::Kind::close, index_of(slot), nullptr, false});
      }
      continue;
    }
    if (slot.wire.empty() || now < due(slot)) continue;
    // At first it may only have been the machine that stood still.
    const bool again = slot.state == State::stuck;
    slot.state = State::stuck;
    slot.looked = now;
    for (LaneEntry* entry = slot.wire.front(); !again && entry != nullptr; entry = LaneList::next(*entry)) {
      if (entry->group_ != slot.wire.front()->group_) break;
      if (!entry->bound)
        actions.push_back({LaneAction::Kind::slow, index_of(slot), entry, alone(*slot.wire.front())});
    }
    leave(slot, actions);
    bool wanted = false;
    for (const LaneEntry* entry = slot.wire.front(); entry != nullptr; entry = LaneList::next(*entry)) {
      wanted = wanted || (entry->state_ != LaneEntry::State::ghost && !entry->bound);
    }
    if (wanted || !again) continue;
    slot.state = State::fenced;
    slot.fenced_at = now;
    slot.cancel_pending = true;
    actions.push_back({LaneAction::Kind::cancel, index_of(slot), nullptr, false});
  }
}

TimePoint LaneMachine::due(const Slot& slot) const noexcept {
  const LaneEntry& head = *slot.wire.front();
  Duration budget = head.budget;
  // Answers of a group may wait in the server until its end.
  for (const LaneEntry* entry = LaneList::next(head); entry != nullptr && entry->group_ == head.group_;
       entry = LaneList::next(*entry)) {
    budget = std::max(budget, entry->budget);
  }
  return deadline_after(std::max({head.sent_, slot.progress, slot.looked}), budget);
}

TimePoint LaneMachine::next_tick() const noexcept {
  TimePoint next = kNever;
  for (const Slot& slot : slots_) {
    if (slot.state == State::absent || slot.state == State::gone) continue;
    if (slot.state == State::fenced) {
      next = std::min(next, deadline_after(slot.fenced_at, limits_.cancel_patience));
    } else if (!slot.wire.empty()) {
      next = std::min(next, due(slot));
    }
  }
  return next;
}

std::uint32_t LaneMachine::open() const noexcept {
  return static_cast<std::uint32_t>(std::ranges::count_if(slots_, [](const Slot& slot) { return takes(slot); }));
}

std::uint32_t LaneMachine::resting() const noexcept {
  return static_cast<std::uint32_t>(std::ranges::count_if(slots_, [](const Slot& slot) {
    return (slot.state == State::stuck || slot.state == State::fenced) && !slot.retiring;
  }));
}

std::uint32_t LaneMachine::sessions() const noexcept {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(slots_, [](const Slot& slot) { return slot.state != State::absent; }));
}

}  // namespace switchyard::inline v0::pool

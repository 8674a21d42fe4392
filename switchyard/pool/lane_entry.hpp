// One caller's statement in a shared lane: a link that its driver owns.
#pragma once

#include <switchyard/base/time.hpp>

#include <cstdint>

namespace switchyard::inline v0::pool {

/// Sessions of a lane, by number.
using LaneSlot = std::uint32_t;
inline constexpr LaneSlot kNoLaneSlot = 0xffff'ffff;

//  free ──submit──► queued ──sent──► held ──► streaming
//    ▲                ▲ └─withdraw─►free │ │        │
//    │                └── skipped ───────┘ │        │   withdraw, re-issued elsewhere
//    │                                     ▼        ▼
//    └──────── answered, lost ──────────── ghost ◄──┘
class LaneEntry {
 public:
  enum class State : std::uint8_t {
    free,       ///< in no lane
    queued,     ///< nothing of it was sent
    held,       ///< on the wire; nothing of its answer has been given away, so it can be run elsewhere instead
    streaming,  ///< more than LaneLimits::held_bytes came: the answer is being given away
    ghost,      ///< on the wire; its answer is nobody's
  };

  LaneEntry() = default;
  LaneEntry(const LaneEntry&) = delete;
  LaneEntry& operator=(const LaneEntry&) = delete;

  // What the driver says of it before submitting.

  /// Usually quick, rarely fails, asks no clock: may share a Sync with others.
  bool shares_sync = false;
  /// Bytes given away can be taken back: it keeps the right to run elsewhere while it streams.
  bool replayable = false;
  /// About its session alone: it is not run elsewhere.
  bool bound = false;
  /// What it is expected to take.
  Duration expected{};
  /// When it runs longer than this, whoever stands behind it goes elsewhere.
  Duration budget{};

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] LaneSlot slot() const noexcept { return slot_; }
  /// So often it was sent before, as another entry.
  [[nodiscard]] std::uint32_t moves() const noexcept { return moves_; }

 private:
  friend class LaneMachine;
  friend class LaneList;
  LaneEntry* previous_ = nullptr;
  LaneEntry* next_ = nullptr;
  TimePoint sent_{};
  std::uint64_t bytes_ = 0;
  std::uint64_t group_ = 0;
  LaneSlot slot_ = kNoLaneSlot;
  std::uint32_t moves_ = 0;
  State state_ = State::free;
};

/// First in, first out; removal anywhere is O(1).
class LaneList {
 public:
  [[nodiscard]] bool empty() const noexcept { return front_ == nullptr; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] LaneEntry* front() const noexcept { return front_; }
  [[nodiscard]] static LaneEntry* next(const LaneEntry& entry) noexcept { return entry.next_; }

  void push_back(LaneEntry& entry) noexcept {
    entry.previous_ = back_;
    entry.next_ = nullptr;
    (back_ != nullptr ? back_->next_ : front_) = &entry;
    back_ = &entry;
    ++size_;
  }
  void remove(LaneEntry& entry) noexcept {
    (entry.previous_ != nullptr ? entry.previous_->next_ : front_) = entry.next_;
    (entry.next_ != nullptr ? entry.next_->previous_ : back_) = entry.previous_;
    entry.previous_ = entry.next_ = nullptr;
    --size_;
  }

 private:
  LaneEntry* front_ = nullptr;
  LaneEntry* back_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace switchyard::inline v0::pool

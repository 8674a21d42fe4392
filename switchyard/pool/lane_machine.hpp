// LaneMachine: the rules by which many callers' statements share a few sessions, without sockets, clock or SQL.
//
// It knows sessions (slots) and statements (entries), and what each session has on the wire, in order. It is told
// what the server answered and decides whose answer it is and whether it counts. Its promises:
//   - an answer goes to the statement that stands first on that session's wire, or to nobody;
//   - every entry ends exactly once: answered, sent to a lease, lost, or withdrawn;
//   - while an entry is held it can be run elsewhere; one whose bytes were given away can't, unless they can be
//     taken back;
//   - the Sync of a group is sent with the group: nothing is ever added to a group on the wire;
//   - a session whose first statement takes too long is sent nothing more, and those behind it go elsewhere, once;
//   - a session with a cancel request on its way is sent nothing until the request has settled and every answer has
//     come;
//   - a cancel request is only made where nobody's statement is left on the wire.
// Entry points neither throw nor call back.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/pool/lane_entry.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace switchyard::inline v0::pool {

struct LaneLimits {
  /// Sessions of one lane at most.
  std::uint32_t sessions = 4;
  /// An answer is held up to this size, bytes.
  std::uint64_t held_bytes = 16 << 10;
  /// Statements that share one Sync at most, and what they may take together.
  std::uint32_t group = 64;
  Duration group_time = std::chrono::milliseconds(1);
  /// Statements on the wire of one session: at least, at most, and what they may take together.
  std::uint32_t least_depth = 8;
  std::uint32_t most_depth = 128;
  Duration depth_time = std::chrono::milliseconds(2);
  /// A cancel request that has not settled after this long costs the session.
  Duration cancel_patience = std::chrono::seconds(1);
};

/// Whose answer it was, and what becomes of its statement.
enum class LaneAnswer : std::uint8_t {
  deliver,  ///< it is the caller's
  discard,  ///< it is nobody's
  lease,    ///< forget it: the statement is to be run on a session of its own
  again,    ///< the server ignored the statement: it goes on as another entry, by submit_again()
  broken,   ///< a part of it was given away and the rest will not come: the caller gets one error
};

/// What went wrong with a statement.
enum class LaneFault : std::uint8_t {
  statement,  ///< the statement's own error: its answer
  lane,       ///< it would not have happened on a session of its own
};

enum class LaneLoss : std::uint8_t {
  unexplained,  ///< the statement at the head may have been the cause
  clean,        ///< the server was told to end the session
};

struct LaneAction {
  enum class Kind : std::uint8_t {
    send,     ///< `entry` goes to `slot`; a Sync behind it if `sync`
    reissue,  ///< `entry` has become a ghost: its statement goes on as another entry, by submit_again(), or on a
              ///< lease if this one has moved before
    slow,     ///< `entry` is the first on `slot` and has been for longer than its budget, alone or with its group
    cancel,   ///< ask the server to cancel what runs on `slot`, then cancel_settled()
    close,    ///< end the session of `slot`, then lost()
  };
  Kind kind{};
  LaneSlot slot = kNoLaneSlot;
  LaneEntry* entry = nullptr;
  bool sync = false;  ///< of slow: it is the only one of its group
};
using LaneActions = std::vector<LaneAction>;

class SWITCHYARD_API LaneMachine {
 public:
  explicit LaneMachine(LaneLimits limits);
  LaneMachine(const LaneMachine&) = delete;
  LaneMachine& operator=(const LaneMachine&) = delete;

  /// A session is ready for statements. None when there is no place for it.
  [[nodiscard]] std::optional<LaneSlot> add(TimePoint now) noexcept;
  /// Sends it nothing more; when its wire is empty a close action follows.
  void retire(LaneSlot slot, LaneActions& actions) noexcept;

  void submit(LaneEntry& entry) noexcept;
  /// As submit, for a statement that was on the wire as `former`: alone in its group.
  void submit_again(LaneEntry& entry, const LaneEntry& former) noexcept;
  /// Onto this session's wire at once, in a group of its own: for the lane's own questions.
  void put(LaneSlot slot, LaneEntry& entry, TimePoint now) noexcept;
  /// Nobody waits for it. True: it is free; false: it is a ghost until its answer has come.
  [[nodiscard]] bool withdraw(LaneEntry& entry) noexcept;
  /// The first of the queue, for a lane that closes; null when there is none.
  [[nodiscard]] LaneEntry* take_queued() noexcept;

  /// Gives queued statements to sessions.
  void plan(TimePoint now, LaneActions& actions) noexcept;

  // What the session `slot` answers, to the first statement on its wire (head()).

  [[nodiscard]] LaneEntry* head(LaneSlot slot) const noexcept { return slots_[slot].wire.front(); }
  /// So many bytes of rows. True: the caller may have them.
  [[nodiscard]] bool rows(LaneSlot slot, std::uint64_t bytes) noexcept;
  [[nodiscard]] LaneAnswer completed(LaneSlot slot, TimePoint now) noexcept;
  /// The row cap was reached.
  [[nodiscard]] LaneAnswer suspended(LaneSlot slot, TimePoint now) noexcept;
  [[nodiscard]] LaneAnswer failed(LaneSlot slot, LaneFault fault, TimePoint now) noexcept;
  /// An earlier statement of its group failed.
  [[nodiscard]] LaneAnswer skipped(LaneSlot slot) noexcept;
  /// ReadyForQuery of a group: what each of its statements took on average, if it had any. It came after
  /// `earliest`: who reads late does not say that the server was slow.
  std::optional<Duration> synced(LaneSlot slot, TimePoint now, TimePoint earliest, LaneActions& actions) noexcept;

  /// The session has gone. Each statement on its wire comes back through lose_next(), in order.
  void lost(LaneSlot slot, LaneLoss loss) noexcept;
  struct Lost {
    LaneEntry* entry = nullptr;
    LaneAnswer answer{};
    bool was_head = false;  ///< it may have been the cause
  };
  /// Null entry: that was all, and the slot is free.
  [[nodiscard]] Lost lose_next(LaneSlot slot) noexcept;

  void cancel_settled(LaneSlot slot, TimePoint now, LaneActions& actions) noexcept;

  /// Looks for statements that take too long.
  void tick(TimePoint now, LaneActions& actions) noexcept;
  /// When tick() is due; kNever while nothing runs.
  [[nodiscard]] TimePoint next_tick() const noexcept;

  /// Sessions that take statements.
  [[nodiscard]] std::uint32_t open() const noexcept;
  /// Sessions that take none now and will again: something on their wire is slow, or being cancelled.
  [[nodiscard]] std::uint32_t resting() const noexcept;
  /// Sessions in any state.
  [[nodiscard]] std::uint32_t sessions() const noexcept;
  [[nodiscard]] std::uint32_t queued() const noexcept { return queue_.size(); }
  [[nodiscard]] std::uint32_t outstanding(LaneSlot slot) const noexcept { return slots_[slot].wire.size(); }
  [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_; }
  /// Takes statements now.
  [[nodiscard]] bool takes(LaneSlot slot) const noexcept { return takes(slots_[slot]); }
  [[nodiscard]] const LaneLimits& limits() const noexcept { return limits_; }

 private:
  //  absent ──add──► open ──head too slow──► stuck ──only ghosts left──► fenced
  //                   ▲                        │ wire empty                │ settled, wire empty
  //                   └────────────────────────┴───────────────────────────┘   (a retiring one closes instead)
  //  lost(): gone, from any of them; absent once everything has come back
  enum class State : std::uint8_t { absent, open, stuck, fenced, gone };

  struct Slot {
    LaneList wire;
    TimePoint progress{};       // the last answer, or when the wire was last empty
    TimePoint looked{};         // when its head was last found too slow
    TimePoint group_started{};  // of the group at the head
    TimePoint fenced_at{};
    std::uint32_t answered = 0;    // statements of the group at the head that were answered
    std::uint64_t head_group = 0;  // when it was lost
    State state = State::absent;
    LaneLoss loss{};
    bool retiring = false;
    bool cancel_pending = false;
    bool head_alone = false;  // when it was lost
  };

  [[nodiscard]] static bool takes(const Slot& slot) noexcept { return slot.state == State::open && !slot.retiring; }
  void send(Slot& slot, LaneEntry& entry, TimePoint now) noexcept;
  LaneEntry* pop(Slot& slot, TimePoint now) noexcept;
  [[nodiscard]] static bool may_run_elsewhere(const LaneEntry& entry) noexcept {
    return !entry.bound && (entry.state_ == LaneEntry::State::held ||
                            (entry.state_ == LaneEntry::State::streaming && entry.replayable));
  }
  [[nodiscard]] static bool alone(const LaneEntry& head) noexcept {
    return head.next_ == nullptr || head.next_->group_ != head.group_;
  }
  [[nodiscard]] std::uint32_t depth() const noexcept;
  [[nodiscard]] TimePoint due(const Slot& slot) const noexcept;
  void leave(Slot& slot, LaneActions& actions) noexcept;
  void calm(LaneSlot index, LaneActions& actions) noexcept;
  [[nodiscard]] LaneSlot index_of(const Slot& slot) const noexcept {
    return static_cast<LaneSlot>(&slot - slots_.data());
  }

  LaneLimits limits_;
  std::vector<Slot> slots_;
  LaneList queue_;
  std::uint64_t last_group_ = 0;
  std::uint32_t outstanding_ = 0;
  Duration usual_{};  // what a statement takes a session, moving average
};

}  // namespace switchyard::inline v0::pool

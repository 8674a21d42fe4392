// How a spool is emptied: in order, exactly once, by one process at a time, whatever dies in between. No clock, no
// socket: the driver does what next() says and tells the outcome.
//
//   rest ─► lease ─► resume ─► forget ─► read ─► apply ─► forget ─► read ... nothing left ─► close ─► release ─►
//   rest
//             │        │                   ▲       ├─ refused: one at a time, then bury ─► read
//             └ held   └ in doubt: resume ─┴───────┘
//
// Why nothing is lost or doubled:
//   - `apply` writes a batch to the database in one transaction with a progress row that names its entries;
//   - the next batch is applied only after those entries were deleted from the spool (`forget`);
//   - so whoever takes over, after a crash anywhere, reads the progress row first (`resume`) and deletes what it
//     names before it reads on.
// A drainer that was thought dead can't do harm: each lease has a higher token; `resume` writes it into the
// progress row, `apply` and each deletion compare it.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/spool_times.hpp>

#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::fleet {

enum class DrainStep : std::uint8_t {
  rest,     ///< nothing before `until`
  lease,    ///< fallback: be the only drainer. done, held
  resume,   ///< database: take the token over, read the progress row. done with the number of entries it names
  forget,   ///< fallback: delete the entries that the progress row names
  read,     ///< fallback: the next entries, at most `limit`. done with their number
  apply,    ///< database: those entries and the progress row, in one transaction
  bury,     ///< fallback: move the entry that was refused to the refused ones
  close,    ///< fallback: close the gate if nothing is left. done, left
  release,  ///< fallback: give the lease back
};

enum class DrainOutcome : std::uint8_t {
  done,
  held,        ///< somebody else drains
  left,        ///< entries have come meanwhile, or their writers have not committed yet
  fenced,      ///< somebody else has taken over
  refused,     ///< the database refuses the statement itself: constraint, data, ... (apply)
  unprepared,  ///< the database lacks what the statement needs: table, column, right (apply)
  failed,      ///< could not be done now; surely not done for apply
  in_doubt,    ///< the answer was lost (apply)
};

struct DrainAction {
  DrainStep step = DrainStep::rest;
  std::size_t limit = 0;
  TimePoint until = kNever;
};

class SpoolDrain {
 public:
  /// Entries in one transaction.
  static constexpr std::size_t kBatch = 200;
  /// An entry whose table or right is missing is tried this often before it is buried like a refused one: a
  /// migration may be on its way.
  static constexpr unsigned kUnpreparedPatience = 10;

  explicit SpoolDrain(SpoolTimes times) noexcept : times_(times), pause_(times.drain_pause) {}

  /// What to do now; the same until answer() is told how it went.
  [[nodiscard]] DrainAction next(TimePoint now) noexcept;
  /// `count` belongs to resume and read.
  void answer(DrainOutcome outcome, std::size_t count, TimePoint now) noexcept;
  /// There may be something to drain now: rest no longer. Keeps the pause after a failure.
  void poke() noexcept;
  /// The gate is closed and no entry is left: rest until poked.
  [[nodiscard]] bool finished() const noexcept { return step_ == DrainStep::rest && rest_until_ == kNever; }

 private:
  void go(DrainStep step) noexcept { step_ = step; }
  void rest(TimePoint until) noexcept;
  void back_off(TimePoint now) noexcept;
  /// Gives the lease back, then pauses: another process may reach the database.
  void give_up(TimePoint now) noexcept;
  void after_apply(DrainOutcome outcome, TimePoint now) noexcept;

  SpoolTimes times_;
  DrainStep step_ = DrainStep::rest;
  TimePoint rest_until_ = kNever;
  TimePoint rest_after_release_ = kNever;
  Duration pause_;
  bool failing_ = false;
  std::size_t read_ = 0;        ///< entries of the current batch
  std::size_t one_by_one_ = 0;  ///< this many more batches of one entry
  unsigned unprepared_ = 0;
};

}  // namespace switchyard::inline v0::fleet

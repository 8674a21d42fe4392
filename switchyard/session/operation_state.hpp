// One operation from call to answer: the encoded statement, who runs it, what to do with its rows, who waits for
// it. Not for callers: they see Operation<T>.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/protocol/response.hpp>
#include <switchyard/protocol/row.hpp>
#include <switchyard/runtime/ready.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/session/statement.hpp>
#include <switchyard/values/parameters.hpp>

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace switchyard::inline v0::session {

class OperationState;
class Session;

/// Who runs operations: a route through a pool, a lease, a transaction. All calls come from the loop's thread.
class OperationHost {
 public:
  /// Takes the operation over; it ends with OperationState::finish() or fail(), never from inside this call's
  /// caller (resumption goes through the ready list).
  virtual void start(OperationState& operation) noexcept = 0;
  /// Nobody waits for the operation any more (dropped, or its deadline passed). It must still be let go.
  virtual void abandon(OperationState& operation) noexcept = 0;
  /// The deadline passed. A queued operation ends at once; a sent one is cancelled on the server, and ends with the
  /// server's answer or, when that stays away for kCancelPatience, with the session.
  virtual void expire(OperationState& operation) noexcept = 0;
  /// Its answer is complete, with or without error, and its waiter is about to be resumed. Not called for an
  /// abandoned one. True: the host holds on to it and runs it again; it has not ended.
  [[nodiscard]] virtual bool finished(OperationState& operation) noexcept {
    (void)operation;
    return false;
  }

 protected:
  ~OperationHost() = default;
};

/// What a caller's unit of work carries from operation to operation, for its host alone.
class OperationContext {
 public:
  OperationContext() = default;
  OperationContext(const OperationContext&) = delete;
  OperationContext& operator=(const OperationContext&) = delete;
  virtual ~OperationContext() = default;
};

/// What every operation of a unit of work inherits.
struct CallContext {
  TimePoint deadline = kNever;
  std::string_view label;  ///< outlives the operations
  std::shared_ptr<OperationContext> request = nullptr;
};

/// The bytes and the texts of one statement within an operation.
struct StatementPart {
  std::string sql;
  Parameters parameters;
};

/// A result larger than this is an error that names it, unless the database sets another limit.
inline constexpr std::uint64_t kMaxResultBytes = 256ULL << 20;

/// What the caller expects, which decides how rows travel.
enum class RowFormat : std::uint8_t {
  none,    ///< rows are counted, not kept
  binary,  ///< typed mapping: every column in binary
  native,  ///< untyped rows: binary where it can be rendered, text elsewhere; needs the description first
  text,    ///< as the server prints it
  given,   ///< as OperationState::result_formats says
};

/// Base of all operations. Reference counted without atomics: the caller's Operation holds one, whoever runs it
/// another.
class SWITCHYARD_API OperationState : public protocol::ResponseSink {
 public:
  enum class Phase : std::uint8_t { created, queued, sent, finished };

  OperationState() = default;
  OperationState(const OperationState&) = delete;
  OperationState& operator=(const OperationState&) = delete;

  // -- what to do (set by the verb) --
  /// One part for a single statement; several for a batch.
  std::vector<StatementPart> parts{1};
  /// For execute_many: further parameter sets of parts[0].
  std::vector<Parameters> repeats;
  std::string name;
  std::optional<Duration> timeout;
  RowFormat format = RowFormat::none;
  /// For RowFormat::given, as Bind has them: none (all text), one (for all) or one for each column. They outlive
  /// the operation.
  std::span<const std::int16_t> result_formats;
  /// Bytes of rows that a result may hold: the setting max_result_bytes.
  std::uint64_t max_result_bytes = kMaxResultBytes;
  bool idempotent = false;
  /// The text may hold several statements and no parameters: simple query protocol.
  bool script = false;
  /// The caller gets all rows at once: nothing is gained by taking the first ones early.
  bool takes_whole_answer = false;
  /// A verb that reads and gives its rows at the end: it may share a session with others.
  bool shareable = false;
  LaneUse lane = LaneUse::automatic;
  /// It shares a session or is given back: see on_lane_left().
  bool lane_only = false;
  /// With `lane_only`: the settings that its caller has, as fleet::LaneKey has them; the text outlives the
  /// operation.
  std::string_view lane_setup;
  std::uint32_t lane_callers = 0;

  // -- who runs it (set by the engine) --
  OperationHost* host = nullptr;
  /// The unit of work it belongs to; null = none.
  std::shared_ptr<OperationContext> context;
  /// Keeps a host that is not the fleet's (lease, transaction) as long as the operation.
  std::shared_ptr<void> host_keeper;
  TimePoint deadline = kNever;
  /// The limit that `deadline` comes from, for the error: "command_timeout (60s)".
  std::string_view deadline_source;
  /// The route may only read: losing the session leaves nothing in doubt.
  bool read_only = false;
  /// COMMIT or ROLLBACK: a caller who goes away does not stop it.
  bool uncancellable = false;
  /// A script of ours that leaves nothing on the session (BEGIN, COMMIT).
  bool keeps_session_clean = false;
  /// When it was awaited, and when it got its session; for the host.
  TimePoint started{};
  TimePoint granted{};
  /// Runs inside an explicit transaction: losing the session rolls it back.
  bool in_transaction = false;
  /// It takes no effect before more is sent (COPY FROM STDIN before its CopyDone, BEGIN before its COMMIT): losing
  /// the session leaves nothing in doubt.
  bool undecided = false;
  /// A simple query that the session sends behind the operation, in the same write, and that runs after it has
  /// taken effect: a question whose answer costs no round trip. Empty = none; not for COPY FROM STDIN. The text
  /// outlives the operation. An error of it is not one of the operation.
  std::string_view follow_up;
  /// The first field of its first row; empty when it gave none.
  std::string follow_up_answer;
  /// Where it went and why, for errors and logs.
  std::string_view route;
  /// Whether it shared a session, and why or why not: static text, or its own copy. See copy_lane_reason().
  std::string_view lane_reason;
  /// It did not, and may in a moment.
  bool lane_soon = false;
  std::string_view database;
  /// The session it runs on; null before and after.
  Session* session = nullptr;
  /// For the host's own bookkeeping while it runs the operation.
  void* host_data = nullptr;

  /// Rows affected, from the command tag (last statement of a script, sum of a batch).
  std::uint64_t affected = 0;
  /// A command of it was CREATE, ALTER or DROP something.
  bool changes_catalogue = false;

  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  void set_phase(Phase phase) noexcept { phase_ = phase; }
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }
  [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }
  [[nodiscard]] bool saw_row() const noexcept { return saw_row_; }
  /// Its own deadline has passed.
  [[nodiscard]] bool expired() const noexcept { return expired_; }
  /// Nothing of its answer has been handed out yet: it may be run from the start again.
  [[nodiscard]] virtual bool restartable() const noexcept { return true; }

  // -- for Operation<T> --
  /// Starts and remembers who waits.
  void begin(std::coroutine_handle<> waiter) noexcept;
  /// Starts for a caller who follows the answer through callbacks (streams, COPY).
  void start() noexcept { begin(nullptr); }
  /// The caller is gone.
  void drop() noexcept;
  [[nodiscard]] bool finished() const noexcept { return phase_ == Phase::finished; }

  // -- for the engine --
  /// The answer is complete: the result (or the first error) stands, the waiter becomes ready.
  void finish() noexcept;
  /// Ends the operation with `error` (unless an error stands already).
  void fail(Error error) noexcept;
  /// Keeps the first error; the answer is still awaited.
  void note_error(Error error) noexcept;
  /// Says the same better: from OperationHost::finished().
  void replace_error(Error error) noexcept { error_.emplace(std::move(error)); }
  /// Forgets errors and rows of a first try: the session runs the same statement again.
  void restart() noexcept;

  /// Sets lane_reason to a text that may be gone before the operation has ended.
  void copy_lane_reason(std::string_view reason) noexcept;

  /// The columns, before the first row. Sets an error if they don't fit the expected type; called again per part.
  virtual void on_describe(const std::shared_ptr<const protocol::RowDescription>& description) noexcept = 0;

  /// An operation that is `lane_only` has left its lane, and nothing of an answer counts: the last callback. `why`
  /// is static text.
  virtual void on_lane_left(std::string_view why) noexcept { (void)why; }
  /// The answer is complete, or the operation has failed: the last callback.
  virtual void on_finished() noexcept {}
  /// Everything written so far has been taken by the kernel (COPY FROM STDIN waits for it).
  virtual void on_drained() noexcept {}

  void on_error(const ServerFields& fields) noexcept override;
  void on_lost(const Error& error) noexcept override;
  void on_command_complete(std::string_view tag) noexcept override;
  /// Arms the deadline; the host calls it once it has set `deadline`.
  void arm_deadline() noexcept {
    if (deadline != kNever) timer_.arm(deadline);
  }
  /// The error for a passed deadline at this stage, naming the limit.
  [[nodiscard]] Error deadline_error() const;
  /// The error for a session lost under this operation: in doubt when the server may have applied it.
  [[nodiscard]] Error lost_error(const Error& cause) const;

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) recycle();
  }

 protected:
  ~OperationState() override = default;
  /// Back to its free list, or deleted.
  virtual void recycle() noexcept = 0;
  /// Drops results of a first try or of the former use.
  virtual void clear_result() noexcept = 0;
  /// Last check when the answer is complete (cardinality); may set an error.
  virtual void check_result() noexcept {}
  /// Makes a recycled object as good as new.
  void reset() noexcept;
  void mark_row() noexcept { saw_row_ = true; }

  std::optional<Error> error_;

 private:
  static void on_deadline(void* self) noexcept;

  std::string lane_reason_text_;
  std::coroutine_handle<> waiter_;
  runtime::ReadyNode ready_;
  runtime::Timer timer_{&OperationState::on_deadline, this};
  std::uint32_t references_ = 0;
  Phase phase_ = Phase::created;
  bool abandoned_ = false;
  bool expired_ = false;
  bool saw_row_ = false;
};

/// One owner's share of an operation.
template <class State>
class OperationPtr {
 public:
  OperationPtr() = default;
  explicit OperationPtr(State* state) noexcept : state_(state) {
    if (state_ != nullptr) state_->retain();
  }
  OperationPtr(OperationPtr&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  /// As a pointer to a base of the state.
  template <class Derived>
    requires std::is_convertible_v<Derived*, State*>
  OperationPtr(OperationPtr<Derived>&& other) noexcept : state_(other.detach()) {}  // NOLINT: implicit
  OperationPtr& operator=(OperationPtr&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~OperationPtr() {
    if (state_ != nullptr) state_->release();
  }
  [[nodiscard]] State* get() const noexcept { return state_; }
  /// Gives the reference away.
  [[nodiscard]] State* detach() noexcept { return std::exchange(state_, nullptr); }
  State* operator->() const noexcept { return state_; }
  State& operator*() const noexcept { return *state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  State* state_ = nullptr;
};

// Errors of results.
[[nodiscard]] SWITCHYARD_API Error out_of_memory();
[[nodiscard]] SWITCHYARD_API Error undescribed();
[[nodiscard]] SWITCHYARD_API Error result_too_large(std::uint64_t limit);
/// Exactly one row (or at most one) was asked for.
[[nodiscard]] SWITCHYARD_API Error wrong_row_count(std::uint64_t rows, bool exactly_one);

/// Number of rows in a command tag such as "INSERT 0 3" or "SELECT 10"; 0 when it has none.
[[nodiscard]] SWITCHYARD_API std::uint64_t rows_in_tag(std::string_view tag) noexcept;

}  // namespace switchyard::inline v0::session

// The parts of a lane. Internal to the room.
#pragma once

#include <switchyard/base/random.hpp>
#include <switchyard/pool/lane.hpp>
#include <switchyard/pool/lane_shapes.hpp>
#include <switchyard/pool/pool.hpp>
#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>
#include <switchyard/session/operation_state.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::pool {

class LaneSeat;

/// A statement on its way, and the sink of its answer. On the wire once: what is sent again is sent as another
/// call.
class LaneCall final : public LaneEntry, public protocol::ResponseSink {
 public:
  explicit LaneCall(Lane::Impl& owner) noexcept : lane(owner) {}

  /// Somebody waits for its answer.
  [[nodiscard]] bool wanted() const noexcept;
  /// Becomes free once nobody waits for it and the server has nothing more to say of it.
  void let_go() noexcept;

  Lane::Impl& lane;
  LaneRequest* request = nullptr;  ///< null: nobody's
  LaneCall* twin = nullptr;        ///< who waits for the same answer; a list
  LaneCall* lead = nullptr;        ///< the one whose answer this twin waits for; null: it has its own
  LaneShape* shape = nullptr;
  std::uint32_t steps = 0;                                  ///< whose end has not come
  bool described = false;                                   ///< the columns have been compared
  bool mismatch = false;                                    ///< they are not what was expected
  bool noticed = false;                                     ///< the server had something to say of it
  std::shared_ptr<const protocol::RowDescription> columns;  ///< expected
  bool unnamed = false;                                     ///< parsed for itself, and described with its answer
  std::shared_ptr<const protocol::RowDescription> actual;   ///< of an unnamed one

 private:
  void on_bind_complete() noexcept override;
  void on_parse_complete() noexcept override { --steps; }
  void on_row_description(std::shared_ptr<const protocol::RowDescription> description) noexcept override;
  void on_no_data() noexcept override { --steps; }
  void on_row(protocol::RowView row) noexcept override;
  void on_rows(protocol::RowRun& run) noexcept override;
  void on_command_complete(std::string_view tag) noexcept override;
  void on_empty_query() noexcept override;
  void on_portal_suspended() noexcept override;
  void on_error(const ServerFields& fields) noexcept override;
  void on_skipped() noexcept override;
  void on_lost(const Error& error) noexcept override;

  [[nodiscard]] bool on_wire() const noexcept { return state() != State::free && state() != State::queued; }
  [[nodiscard]] bool compare_columns() noexcept;
  /// What came does not count for a reason of the session's own.
  [[nodiscard]] bool spoiled() const noexcept { return mismatch || noticed; }
};

/// One session of the lane.
//  empty ──acquire──► acquiring ──granted──► setting_up ──► live ──► empty (closed, given back)
class LaneSeat final : private Request, private session::Session::Tenant {
 public:
  enum class State : std::uint8_t { empty, acquiring, setting_up, live };

  explicit LaneSeat(Lane::Impl& owner) noexcept : lane_(owner) {}
  ~LaneSeat();

  void open() noexcept;
  /// Gives the session back once it has answered; what was on its way into the lane is stopped.
  void retire() noexcept;
  /// Ends the session, whatever it does.
  void close(const Error& reason) noexcept;
  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] LaneSlot slot() const noexcept { return slot_; }
  [[nodiscard]] TimePoint opened() const noexcept { return opened_; }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] TimePoint audited() const noexcept { return audited_; }
  /// To be closed at the end of the turn.
  [[nodiscard]] bool condemned() const noexcept { return condemned_ && session_ != nullptr; }

  void send(LaneCall& call, bool sync) noexcept;
  void flush() noexcept;
  void cancel() noexcept;
  /// Parse and Describe of a shape, unless it is there already and the shape's columns are known. A group in the
  /// making ends before them: its errors are not theirs.
  void prepare(LaneShape& shape) noexcept;
  /// The server's statement of that number is not to be used any more.
  void forget(std::uint32_t shape) noexcept;
  /// The shape, as far as this session knows its columns.
  [[nodiscard]] const std::shared_ptr<const protocol::RowDescription>* columns_of(const LaneShape& shape) const;
  void note_answer(const LaneShape& shape);
  /// It was the only statement of its group.
  void note_alone(LaneShape& shape, Duration took, TimePoint now) noexcept;
  void send_canary(TimePoint now) noexcept;
  void send_audit(TimePoint now) noexcept;
  [[nodiscard]] std::int32_t server_pid() const noexcept {
    return session_ != nullptr ? session_->server_pid() : 0;
  }

 private:
  struct Prepared {
    std::string name;
    std::uint64_t serial = 0;  // 0: none
    std::uint64_t epoch = 0;
    std::uint64_t used = 0;
    std::size_t bytes = 0;  // estimate of what it costs the server
    std::uint32_t answers = 0;
    std::uint32_t generic_runs = 0;  // of those that were measured
    Duration custom{};               // the least of the runs with a custom plan
    Duration generic{};              // the least of those after
    std::shared_ptr<const protocol::RowDescription> columns;
    std::vector<Oid> parameter_types;
    bool there = false;
    bool described = false;
  };
  /// A Parse on the wire.
  struct Preparing {
    std::uint32_t shape = 0;
    std::uint64_t serial = 0;
  };
  /// Parse and Describe.
  struct PrepareSink final : protocol::ResponseSink {
    explicit PrepareSink(LaneSeat& owner) noexcept : seat(owner) {}
    void on_parameter_description(std::span<const Oid> types) noexcept override;
    void on_row_description(std::shared_ptr<const protocol::RowDescription> description) noexcept override;
    void on_no_data() noexcept override;
    void on_error(const ServerFields& fields) noexcept override;
    void on_ready(char status) noexcept override;
    LaneSeat& seat;
  };
  struct SyncSink final : protocol::ResponseSink {
    explicit SyncSink(LaneSeat& owner) noexcept : seat(owner) {}
    void on_error(const ServerFields& fields) noexcept override;
    void on_ready(char status) noexcept override;
    LaneSeat& seat;
  };
  struct SetupSink final : protocol::ResponseSink {
    explicit SetupSink(LaneSeat& owner) noexcept : seat(owner) {}
    void on_row(protocol::RowView row) noexcept override;
    void on_error(const ServerFields& fields) noexcept override;
    void on_ready(char status) noexcept override;
    LaneSeat& seat;
    bool failed = false;
    std::string objection;
  };
  /// The lane's own questions: is an answer still the one to its question, and is the session as it was?
  struct TripwireSink final : LaneEntry, protocol::ResponseSink {
    explicit TripwireSink(LaneSeat& owner) noexcept : seat(owner) {}
    void on_row(protocol::RowView row) noexcept override;
    void on_command_complete(std::string_view tag) noexcept override;
    void on_error(const ServerFields& fields) noexcept override;
    void on_skipped() noexcept override;
    void on_ready(char status) noexcept override;
    LaneSeat& seat;
    std::string expected;
    bool held = false;
    bool under_way = false;
    bool is_canary = true;
  };

  void on_granted(session::Session& session, Duration waited) noexcept override;
  void on_failed(const Error& error) noexcept override;
  void on_answers() noexcept override;
  void on_cancel_settled() noexcept override;
  void on_parameter_changed(std::string_view name) noexcept override;
  void on_notice(const ServerFields& notice) noexcept override;
  void on_lost(const Error& reason) noexcept override;

  void set_up() noexcept;
  static void on_patience(void* self) noexcept;
  void go_live() noexcept;
  void give_back() noexcept;
  void alarm(std::string_view what) noexcept;
  [[nodiscard]] Prepared& prepared(const LaneShape& shape);
  /// What the answers to Parse and Describe are about now; null when it has been forgotten meanwhile.
  [[nodiscard]] Prepared* being_prepared() noexcept;
  void end_group() noexcept;
  void make_room(std::size_t bytes) noexcept;
  void check(protocol::Pipeline::Submitted submitted) noexcept;
  void ask(TripwireSink& wire, std::string_view sql, TimePoint now) noexcept;

  Lane::Impl& lane_;
  State state_ = State::empty;
  session::Session* session_ = nullptr;
  protocol::Pipeline* pipeline_ = nullptr;
  LaneSlot slot_ = kNoLaneSlot;
  TimePoint opened_{};
  std::uint64_t generation_ = 0;
  bool shares_sync_ = true;
  bool condemned_ = false;
  TimePoint audited_{};
  unsigned refused_ = 0;           ///< sessions that were not as new
  std::deque<Prepared> prepared_;  // by the shape's number
  std::uint64_t uses_ = 0;
  std::size_t prepared_bytes_ = 0;
  std::uint64_t last_serial_ = 0;
  std::vector<Preparing> preparing_;  // in order
  std::size_t preparing_at_ = 0;
  std::vector<std::uint32_t> answered_;  // shapes of the answers since the last ReadyForQuery
  PrepareSink prepare_sink_{*this};
  SyncSink sync_sink_{*this};
  SetupSink setup_sink_{*this};
  TripwireSink canary_{*this};
  TripwireSink audit_{*this};
  std::string text_;  // reused
  runtime::Timer patience_{&LaneSeat::on_patience, this};
};

class Lane::Impl {
 public:
  Impl(LaneSettings settings, Pool& pool, LaneGuard& guard, LaneObserver* observer);
  ~Impl();

  Admission submit(LaneRequest& request, session::OperationState& operation, TimePoint now);
  void note_refusal(std::string_view why);
  void withdraw(LaneRequest& request) noexcept;
  void learn(const session::OperationState& operation, Duration took, TimePoint now) noexcept;
  [[nodiscard]] std::string_view explain(std::string_view sql, TimePoint now);
  void retire() noexcept;
  [[nodiscard]] LaneStats stats() const;

  // ---- for calls and seats ----

  [[nodiscard]] LaneCall& take_call();
  void give_call(LaneCall& call) noexcept;
  /// The answer is complete and the caller's: ends the operations of the call and its twins.
  void finish(LaneCall& call) noexcept;
  /// What came does not count.
  void lease(LaneCall& call, LaneExit why) noexcept;
  void again(LaneCall& call) noexcept;
  void fail(LaneCall& call, const Error& error) noexcept;
  /// When settings of the role, the database or the server were last seen to have changed.
  [[nodiscard]] TimePoint generation_since() noexcept;
  /// Something has changed: look at the queue at the end of this turn.
  void stir() noexcept { turn_end_.schedule(); }
  [[nodiscard]] LaneSeat* seat_at(LaneSlot slot) noexcept {
    return slot < at_slot_.size() ? at_slot_[slot] : nullptr;
  }
  void seat_changed(LaneSeat& seat) noexcept;
  /// No session can be used for a lane: why. Asked again after a while.
  void object(std::string reason, TimePoint now);

  LaneSettings settings;
  Pool& pool;
  LaneGuard& guard;
  LaneObserver* observer;
  LaneMachine machine;
  LaneShapes shapes;
  LaneActions actions;
  LaneStats counters;
  Random random;
  std::string prefix;  ///< of statement names: random, of the process
  std::vector<LaneSeat*> at_slot_;
  bool closing = false;
  bool shares_sync = true;  ///< the server has no transaction_timeout

 private:
  [[nodiscard]] Admission admit(LaneRequest& request, session::OperationState& operation, TimePoint now);
  [[nodiscard]] std::string_view refuse(const session::OperationState& operation) const noexcept;
  [[nodiscard]] std::string_view check_shape(LaneShape& shape, TimePoint now);
  void open_seats(TimePoint now) noexcept;
  /// Sessions that callers could have from the pool now.
  [[nodiscard]] std::uint32_t spare_sessions() const noexcept;
  /// No session takes statements, and one will soon.
  [[nodiscard]] bool rests(TimePoint now) const noexcept;
  void lease_queued(TimePoint now) noexcept;
  void bring_columns(LaneShape& shape) noexcept;
  void forget_shapes(TimePoint now);
  void perform(TimePoint now) noexcept;
  void note_slow(LaneCall& call, bool alone, TimePoint now) noexcept;
  void reissue(LaneCall& call) noexcept;
  void move(LaneCall& from, LaneCall& to) noexcept;
  void close_list(LaneCall& lead) noexcept;
  [[nodiscard]] LaneCall* find_twin(const LaneShape& shape, const session::OperationState& operation) noexcept;
  static void on_turn_end(void* self) noexcept { static_cast<Impl*>(self)->turn(); }
  static void on_tick(void* self) noexcept;
  static void on_look(void* self) noexcept { static_cast<Impl*>(self)->look(); }
  void turn() noexcept;
  void look() noexcept;
  void arm() noexcept;

  std::deque<LaneSeat> seats_;
  std::vector<std::unique_ptr<LaneCall>> calls_;
  std::vector<LaneCall*> free_calls_;
  std::vector<LaneCall*> waiting_;  // queued ones of this turn that may have twins
  std::uint32_t leaving_ = 0;       // in the turn of leaving_at_: they have not asked the pool yet
  TimePoint leaving_at_{};
  bool refused_by_verdict_ = false;
  TimePoint last_used_{};
  TimePoint may_open_at_{};
  TimePoint closed_since_ = kNever;  ///< no session takes statements
  std::optional<std::uint64_t> generation_;
  TimePoint generation_since_{};
  TimePoint shapes_looked_at_{};
  std::string objection_;
  runtime::TurnEnd turn_end_{&Impl::on_turn_end, this};
  runtime::Timer tick_{&Impl::on_tick, this};
  runtime::Timer look_{&Impl::on_look, this};
};

}  // namespace switchyard::inline v0::pool

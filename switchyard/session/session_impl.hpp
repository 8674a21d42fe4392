// The parts of a session. Internal to the room.
#pragma once

#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/protocol/startup_options.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/runtime/turn_end.hpp>
#include <switchyard/session/canceller.hpp>
#include <switchyard/session/connect_plan.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/session/residue.hpp>
#include <switchyard/session/session.hpp>
#include <switchyard/session/statement_cache.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::session {

/// What the server reported with ParameterStatus.
using Parameter = std::map<std::string, std::string, std::less<>>;

/// A connection that has passed startup.
struct Established {
  std::unique_ptr<runtime::Stream> stream;
  protocol::BackendKey key;
  Parameter parameters;
  std::string endpoint;            ///< for people
  runtime::SocketAddress address;  ///< for cancel requests
  HostSpec host;                   ///< the one that was taken
};

//  State of a session (what runs):
//
//     idle ──run──► running ──ReadyForQuery──► idle            (settling first, while a cancel request is out)
//       │             │ abandon, cancel: a cancel request goes out, answers are still consumed
//       ├──reset/ping─► internal ──ReadyForQuery──► idle
//       └── loss, close, protocol error: closed (from anywhere; terminal)
class Session::Impl final : private runtime::Stream::Handler, private protocol::SessionEvents {
 public:
  Impl(Session& self, std::shared_ptr<const ConnectPlan> plan, Established established);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void run(OperationState& operation) noexcept;
  void abandon(OperationState& operation) noexcept;
  void cancel() noexcept;
  void start_internal(std::string_view sql) noexcept;
  void start_reset() noexcept;
  [[nodiscard]] bool needs_reset() noexcept;
  [[nodiscard]] bool must_close() noexcept;
  void say_goodbye() noexcept;
  void close() noexcept;
  void leave() noexcept;

  void copy_data(base::WriteBuffer& message) noexcept;
  void copy_done() noexcept;
  void copy_fail(std::string_view reason) noexcept;
  void pause_reading() noexcept;
  void resume_reading() noexcept;
  [[nodiscard]] std::size_t unsent() const noexcept;

  [[nodiscard]] bool idle() const noexcept {
    return !closed_ && !leaving_ && current_ == nullptr && !internal_ && !settling_ && tenant_ == nullptr &&
           relay_ == nullptr;
  }

  Session& self;
  Session::Owner* owner = nullptr;
  Session::Listener* listener = nullptr;

 private:
  friend class Session;

  /// Parse and Describe of statements on their way into the cache.
  struct PrepareSink final : protocol::ResponseSink {
    explicit PrepareSink(Impl& session) : impl(session) {}
    void on_row_description(std::shared_ptr<const protocol::RowDescription> description) noexcept override;
    void on_no_data() noexcept override;
    void on_error(const ServerFields& fields) noexcept override;
    void on_lost(const Error& error) noexcept override;
    Impl& impl;
  };
  /// The end of a Sync group.
  struct SyncSink final : protocol::ResponseSink {
    explicit SyncSink(Impl& session) : impl(session) {}
    void on_error(const ServerFields& fields) noexcept override;
    void on_ready(char status) noexcept override;
    void on_lost(const Error& error) noexcept override;
    Impl& impl;
  };
  /// A simple query on behalf of the operation, or of the session itself (reset, ping).
  struct QuerySink final : protocol::ResponseSink {
    explicit QuerySink(Impl& session) : impl(session) {}
    void on_row_description(std::shared_ptr<const protocol::RowDescription> description) noexcept override;
    void on_row(protocol::RowView row) noexcept override;
    void on_command_complete(std::string_view tag) noexcept override;
    void on_copy_in(const protocol::CopyFormat& format) noexcept override;
    void on_copy_out(const protocol::CopyFormat& format) noexcept override;
    void on_copy_data(ByteView data) noexcept override;
    void on_copy_done() noexcept override;
    void on_error(const ServerFields& fields) noexcept override;
    void on_ready(char status) noexcept override;
    void on_lost(const Error& error) noexcept override;
    Impl& impl;
  };
  /// OperationState::follow_up.
  struct FollowUpSink final : protocol::ResponseSink {
    explicit FollowUpSink(Impl& session) : impl(session) {}
    void on_row(protocol::RowView row) noexcept override;
    void on_error(const ServerFields& fields) noexcept override;
    void on_ready(char status) noexcept override;
    void on_lost(const Error& error) noexcept override;
    Impl& impl;
  };
  /// Outlives the session while its cancel request is on the way.
  struct CancelTicket {
    Impl* impl;
  };

  // runtime::Stream::Handler
  void on_data(base::ReadBuffer& in) noexcept override;
  void on_closed(const Error& error) noexcept override;
  void on_drained() noexcept override;
  // protocol::SessionEvents
  void on_notice(const ServerFields& fields) noexcept override;
  void on_parameter_status(std::string_view name, std::string_view value) noexcept override;
  void on_notification(std::int32_t process_id, std::string_view channel,
                       std::string_view payload) noexcept override;

  /// Appends the whole operation to the pipeline, or ends it.
  void submit(OperationState& operation) noexcept;
  [[nodiscard]] bool fits(OperationState& operation) noexcept;
  [[nodiscard]] protocol::Pipeline::Submitted make_room(std::size_t wanted) noexcept;
  void drop_statements() noexcept;
  [[nodiscard]] protocol::Pipeline::Submitted submit_part(OperationState& operation, const StatementPart& part);
  [[nodiscard]] protocol::Pipeline::Submitted prepare(const StatementPart& part, PreparedStatement*& prepared);
  [[nodiscard]] protocol::Pipeline::Submitted submit_follow_up(const OperationState& operation) noexcept;
  /// ReadyForQuery of the operation's own group.
  void on_own_ready() noexcept;
  /// The text runs on this session: what does it leave? Nothing if that is not known yet.
  [[nodiscard]] std::optional<Residue> judge(std::string_view sql);
  /// The same, remembered; what is not known is asked again.
  void note_residue(std::string_view sql, std::optional<Residue> known);
  /// Asks again for what was not known.
  void judge_again() noexcept;
  /// The text had an error of syntax: nothing of it ran.
  void forget_residue() noexcept;
  void on_reset_answered() noexcept;
  void refuse(Error error) noexcept;
  static void on_refused(void* impl) noexcept;
  [[nodiscard]] std::optional<Error> check(const OperationState& operation) const;
  void expect_answer() noexcept;
  void expect_batch(std::size_t statements) noexcept;
  void note_answer() noexcept;
  [[nodiscard]] bool should_run_again(const OperationState& operation) const noexcept;
  void on_group_ready() noexcept;
  void finish_operation() noexcept;
  void settle() noexcept;
  void lose(const Error& error) noexcept;
  [[nodiscard]] static Task<void> send_cancel(std::shared_ptr<CancelTicket> ticket,
                                              std::shared_ptr<const ConnectPlan> plan,
                                              runtime::SocketAddress address, HostSpec host,
                                              protocol::BackendKey key, CancelTransport transport);
  void on_cancel_settled() noexcept;
  static void on_patience(void* impl) noexcept;

  std::shared_ptr<const ConnectPlan> plan_;
  std::unique_ptr<runtime::Stream> stream_;
  protocol::Pipeline pipeline_;
  StatementCache cache_;
  Parameter parameters_;
  protocol::BackendKey key_;
  runtime::SocketAddress address_;
  HostSpec host_;
  std::string endpoint_;
  TimePoint opened_{};

  PrepareSink prepare_sink_{*this};
  SyncSink sync_sink_{*this};
  QuerySink query_sink_{*this};
  FollowUpSink follow_up_sink_{*this};

  OperationState* current_ = nullptr;
  Session::Tenant* tenant_ = nullptr;
  Session::Relay* relay_ = nullptr;
  std::unique_ptr<Session::Keepsake> keepsake_;
  bool detached_ = false;  ///< the current operation's caller is gone
  bool internal_ = false;  ///< a reset or ping runs
  bool internal_failed_ = false;
  bool ready_ = false;        ///< ReadyForQuery came; handled once the pipeline has returned
  bool followed_up_ = false;  ///< the answer of a follow-up query is due behind that of the operation
  bool answered_ = false;     ///< the operation's own answer is complete, that of its follow-up is not
  bool describing_ = false;   ///< the group only prepares: the statement itself follows
  bool ran_again_ = false;
  bool used_cached_ = false;
  bool pristine_ = true;    ///< was never reset
  bool dirty_ = false;      ///< to be reset whatever ran
  bool resetting_ = false;  ///< what runs internally is a reset, or the proof behind it
  bool proving_ = false;    ///< it is the proof
  bool proven_ = false;     ///< the last row of what runs internally was true
  bool forgets_statements_ = false;
  bool settling_ = false;  ///< the answer is complete, the cancel request is not
  bool closed_ = false;
  bool leaving_ = false;  ///< goodbye has been said, the server has not closed yet
  bool paused_ = false;
  bool* destroyed_ = nullptr;          ///< set while on_data runs: tells it that the owner destroyed the session
  Residue residue_ = Residue::none;    ///< of all that ran since the last reset
  std::vector<std::string> unjudged_;  ///< what of it is not understood yet
  unsigned looks_ = 0;                 ///< at those since a reset was answered
  Residue residue_before_ = Residue::none;  ///< both before the current operation
  std::size_t unjudged_before_ = 0;
  runtime::TurnEnd refused_{&Impl::on_refused, this};
  PreparedStatement* measured_ = nullptr;  ///< the statement whose answer is measured for its forecast
  std::size_t answer_bytes_ = 0;
  std::size_t guess_ = 0;
  TimePoint submitted_{};
  std::vector<PreparedStatement*> preparing_;  ///< in the order of their Parse; head at preparing_at_
  std::size_t preparing_at_ = 0;
  std::vector<std::string> evicted_;
  std::vector<std::int16_t> formats_;
  std::shared_ptr<CancelTicket> cancel_;
  runtime::Timer patience_{&Impl::on_patience, this};
};

}  // namespace switchyard::inline v0::session

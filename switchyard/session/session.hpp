// One PostgreSQL connection on one loop: it runs one operation at a time (several statements of one operation are
// pipelined), keeps its prepared statements, cancels over the same kind of transport, and is reset before somebody
// else gets it. The pool owns sessions; leases and routes use them.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::protocol {
class Pipeline;
}

namespace switchyard::inline v0::runtime {
class SocketAddress;
}

namespace switchyard::inline v0::session {

class OperationState;
struct ConnectPlan;
enum class Residue : std::uint8_t;

/// A server that leaves a cancel request unanswered this long loses the session.
inline constexpr Duration kCancelPatience = std::chrono::seconds(1);

struct SessionSettings {
  /// Prepared statements kept per session; 0 sends every statement unnamed (for poolers that can't prepare).
  std::size_t statement_cache_size = 256;
  /// Functions of the user after which a session is as before, as "schema.name"; one that calls others must be
  /// proven clean, or is given up (residue.hpp).
  std::vector<std::string> harmless_functions;
};

class SWITCHYARD_API Session {
 public:
  /// Who is told when something happens. Calls come from inside the loop turn; they may start the next operation,
  /// close or destroy the session.
  class Owner {
   public:
    /// The operation (or reset, or ping) ended and the session waits for the next one. Cancel requests have
    /// settled.
    virtual void on_idle(Session& session) noexcept = 0;
    /// The session is gone; its operation has been failed. It may be destroyed from here.
    virtual void on_closed(Session& session, const Error& reason) noexcept = 0;

   protected:
    ~Owner() = default;
  };
  /// Receives NOTIFY messages and notices of this session.
  class Listener {
   public:
    virtual void on_notification(std::int32_t server_pid, std::string_view channel,
                                 std::string_view payload) noexcept = 0;
    virtual void on_notice(const ServerFields& notice) noexcept { (void)notice; }

   protected:
    ~Listener() = default;
  };

  /// Drives the pipeline of a session by himself: many statements of many callers on it (pool/lane.hpp). Calls come
  /// from the loop, outside of Pipeline::on_bytes().
  class Tenant {
   public:
    /// What had been received is with the sinks.
    virtual void on_answers() noexcept = 0;
    /// The cancel request has been taken by the server, or could not be sent; answers may still be outstanding.
    virtual void on_cancel_settled() noexcept = 0;
    /// The server says that a setting has another value now.
    virtual void on_parameter_changed(std::string_view name) noexcept = 0;
    /// Of the statement at the head of the pipeline, or of the server itself.
    virtual void on_notice(const ServerFields& notice) noexcept = 0;
    /// The session is gone; the sinks have had on_lost(). It may be destroyed from here.
    virtual void on_lost(const Error& reason) noexcept = 0;

   protected:
    ~Tenant() = default;
  };

  /// Drives the wire of a session by himself, message by message: a client of the gateway that has the session for
  /// itself. Calls come from the loop.
  class Relay {
   public:
    /// What the server has sent; what is not consumed is shown again with more.
    virtual void on_bytes(base::ReadBuffer& in) noexcept = 0;
    /// Everything has gone to the server after it was too slow to take it at once.
    virtual void on_sent() noexcept = 0;
    /// As of a tenant.
    virtual void on_cancel_settled() noexcept = 0;
    /// The session is gone. The owner is told next, and may destroy it.
    virtual void on_lost(const Error& reason) noexcept = 0;

   protected:
    ~Relay() = default;
  };

  /// What somebody who drives the wire knows of this session, for the next who does: see let(Relay&). It goes when
  /// statements that were prepared here may have been dropped by somebody else.
  class Keepsake {
   public:
    virtual ~Keepsake() = default;
  };

  /// Connects by the plan: hosts in order, TLS, authentication, target_session_attrs. Errors: Unavailable (stage
  /// connecting) with each host's reason, Server for refusals of the server, Config for a plan that can't work.
  static Task<Result<std::unique_ptr<Session>>> open(std::shared_ptr<const ConnectPlan> plan, TimePoint deadline);

  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void set_owner(Owner* owner) noexcept;
  void set_listener(Listener* listener) noexcept;

  /// Sends the operation. Requires idle(). Takes a reference until the operation has ended.
  void run(OperationState& operation) noexcept;
  /// Nobody wants the answer: rows are discarded and the server is asked to cancel. on_idle follows when all has
  /// settled.
  void abandon(OperationState& operation) noexcept;
  /// Asks the server to cancel the running operation; it ends with the server's answer, or with the session when
  /// the server stays silent for kCancelPatience.
  void cancel() noexcept;

  /// Leaves the session to `tenant` until it is closed. Requires idle(); run() and its like are not for it any
  /// more. The tenant submits steps and calls flush(), and owns what becomes of the answers.
  [[nodiscard]] protocol::Pipeline& let(Tenant& tenant) noexcept;
  /// Writes what the tenant has submitted: as much as the socket takes now, the rest by itself.
  void flush() noexcept;
  /// When it had logged in.
  [[nodiscard]] TimePoint opened() const noexcept;
  /// Leaves the wire to `relay` until end_relay(), or until the session is closed. Requires idle(). What runs there
  /// is not looked at: the relay tells what it leaves with note() and note_statement().
  void let(Relay& relay) noexcept;
  /// The wire is the session's again. Requires that the last answer was a ReadyForQuery with 'I', that nothing has
  /// been sent since, and that no cancel request is on its way.
  void end_relay() noexcept;
  /// What the relay sends: append complete messages, then flush_soon().
  [[nodiscard]] base::WriteBuffer& out() noexcept;
  void flush_soon() noexcept;
  /// The relay has seen a ParameterStatus.
  void set_parameter(std::string_view name, std::string_view value) noexcept;
  /// A cancel request has been sent and has not settled.
  [[nodiscard]] bool cancelling() const noexcept;
  /// Something that leaves this ran here.
  void note(Residue residue) noexcept;
  /// This text ran here; what it leaves is found out.
  void note_statement(std::string_view sql) noexcept;
  /// Null: nobody left one.
  [[nodiscard]] Keepsake* keepsake() const noexcept;
  void set_keepsake(std::unique_ptr<Keepsake> keepsake) noexcept;
  /// Calls `visit` with each setting that the server reports.
  void each_parameter(const std::function<void(std::string_view name, std::string_view value)>& visit) const;
  /// Nothing that a reset would have to undo ever ran here.
  [[nodiscard]] bool pristine() const noexcept;

  /// Ends the session at once because of `reason`: the running operation is lost with it, the owner is told.
  void abort(const Error& reason) noexcept;

  // COPY FROM STDIN of the running operation, after its on_copy_in(). Bytes are buffered; see unsent().
  /// A message of Pipeline::open_copy_data() with its data behind; left empty.
  void copy_data(base::WriteBuffer& message) noexcept;
  void copy_done() noexcept;
  void copy_fail(std::string_view reason) noexcept;
  /// Bytes not yet taken by the kernel. The operation's on_drained() tells when they have gone.
  [[nodiscard]] std::size_t unsent() const noexcept;

  /// Backpressure for the running operation: nothing more is read, no further row delivered.
  void pause_reading() noexcept;
  void resume_reading() noexcept;

  /// Puts the session into its initial state, keeping prepared statements (open transaction rolled back, roles,
  /// settings, cursors, LISTEN, advisory locks, temporary tables). on_idle follows; a failure closes the session,
  /// and so does what a reset does not undo, or what is not understood by then.
  void start_reset() noexcept;
  /// One empty round trip. on_idle follows; a failure closes the session.
  void start_ping() noexcept;
  /// Says goodbye and closes. The owner is not told.
  void close() noexcept;
  /// Says goodbye and waits until the server has let the session go: its place there is free when on_closed comes.
  void leave() noexcept;

  /// Nothing runs and the server waits for a statement.
  [[nodiscard]] bool idle() const noexcept;
  [[nodiscard]] bool closed() const noexcept;
  /// 'I' idle, 'T' in a transaction, 'E' in a failed one (manual chapter 55.7, ReadyForQuery).
  [[nodiscard]] char transaction_status() const noexcept;
  /// Something may be left on the session: it must be reset before another caller gets it.
  [[nodiscard]] bool needs_reset() const noexcept;
  /// What is left on it ends with the session only (residue.hpp): nobody else may get it.
  [[nodiscard]] bool must_close() const noexcept;
  /// The next release resets the session whatever ran.
  void mark_dirty() noexcept;

  [[nodiscard]] std::int32_t server_pid() const noexcept;
  /// As SHOW server_version_num, e.g. 150020; 0 when unknown.
  [[nodiscard]] int server_version() const noexcept;
  /// The last value the server reported (ParameterStatus), or empty.
  [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
  /// The server says it may be written to: not in recovery and not read-only by default.
  [[nodiscard]] bool is_primary() const noexcept;
  /// The address that was taken of those of the endpoint.
  [[nodiscard]] const runtime::SocketAddress& address() const noexcept;
  /// Of the socket, to look at; -1 when closed.
  [[nodiscard]] int native_handle() const noexcept;
  /// Statements that it has prepared for its operations.
  [[nodiscard]] std::size_t prepared_statements() const noexcept;
  /// "db1.example:5432" or "/run/postgresql:5432".
  [[nodiscard]] std::string_view endpoint() const noexcept;
  [[nodiscard]] bool uses_tls() const noexcept;

 private:
  class Impl;
  friend class Connector;
  explicit Session(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::session

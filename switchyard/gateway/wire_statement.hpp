// One statement of a client in the shared lane of its database: text and arguments as the client sent them go in,
// the complete answer as messages comes out, in PostgreSQL's order and with its bytes. Whatever the lane refuses or
// gives up comes back to the owner, who runs the same statement on a session: nothing of an answer has been written
// then, and nothing of it counts (pool/lane.hpp).
//
// The statement takes a route of the fleet as any operation does: chooser, breaker, limiter, numbers and traces,
// replicas and the causal token of the handle's request. It never waits for any of them: where an operation would
// wait, it is refused.
//
// What belongs here is one Sync group of a client that holds a single execution, or one simple query. Its owner
// keeps the order of a client's statements: one at a time, and only while nothing else of that client is under way.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/database_handle.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

/// The views are read by WireStatement::start() and not kept.
struct WireRequest {
  /// The bytes of all its messages, for on_lease(): the owner may consume them once it was taken.
  ByteView messages;
  /// One statement. A simple query may end with a semicolon.
  std::string_view sql;
  /// The types that Parse gave; 0 leaves one to the server.
  std::span<const Oid> types;
  /// The body of Bind as it came, its portal and the name of its statement included (the name is not used; a portal
  /// with a name is leased). Empty: a simple query, whose answer is RowDescription, rows and CommandComplete in
  /// text.
  ByteView bind;

  // Which messages of an extended group the client waits for. BindComplete, the rows, CommandComplete and
  // ReadyForQuery are always among them; they come in this order:

  bool parse_complete = false;
  bool statement_description = false;  ///< ParameterDescription and RowDescription: Describe of the statement
  bool portal_description = false;     ///< RowDescription: Describe of the portal
  /// For a group that asks for no description: what the client was told of the columns before, as the body of a
  /// RowDescription with all formats text. They must still be these; empty is leased. Null: it is told now.
  const std::string* columns = nullptr;

  /// What the client has set, as SQL that makes a session so (fleet/lane_set.hpp: equal texts are equal settings;
  /// without application_name and statement_timeout), and how many clients have that now. It outlives the
  /// statement.
  std::string_view settings = {};
  std::uint32_t settings_clients = 0;

  /// When the client's statement_timeout passes, counted from its receipt. The answer is 57014 then. The limits of
  /// the database hold as well.
  TimePoint deadline = kNever;
};

//  idle ──start──► running ──► idle   (on_answered or on_lease, once; neither after cancel() or withdraw())
//          └ refused: stays idle
class WireStatement {
 public:
  /// Called from inside the loop's turn, often while answers of others are being read: the owner may append to its
  /// output, start its next statement and ask a pool for a session. It may end its client here.
  class Owner {
   public:
    /// The answer, ReadyForQuery included, has been appended to the output: it is complete, be it rows or an error.
    /// The owner flushes.
    virtual void on_answered() noexcept = 0;
    /// Run it on a session: `why` is static text, `messages` what start() was given. The output is as it was at
    /// start().
    virtual void on_lease(std::string_view why, ByteView messages) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  WireStatement() = default;
  /// Withdraws.
  ~WireStatement() { withdraw(); }
  WireStatement(const WireStatement&) = delete;
  WireStatement& operator=(const WireStatement&) = delete;

  struct Admission {
    bool taken = false;
    /// Why, or why not; valid until the next start() of any statement.
    std::string_view reason;
    /// Where it went and why, of one that was taken: text that lives as long as the fleet.
    std::string_view route = {};
    /// Of one that was not: it may be in a moment.
    bool soon = false;
  };
  /// Requires that it is idle. Not taken: the owner runs it on a session. Taken: `owner` hears of it later, never
  /// from inside this call; `out` and `owner` outlive that or are withdrawn.
  [[nodiscard]] Admission start(const DatabaseHandle& database, const WireRequest& request, base::WriteBuffer& out,
                                Owner& owner) noexcept;
  /// The client has sent a cancel request: 57014 and ReadyForQuery are appended at once, and the owner is not told.
  /// Nobody else's statement is hit: the server is asked only when nothing that anybody waits for is left on that
  /// session. Does nothing when idle.
  void cancel() noexcept;
  /// The client has gone: nothing is written, and the owner is not told.
  void withdraw() noexcept;
  [[nodiscard]] bool running() const noexcept { return state_ != nullptr; }
  /// The process id of the server that has it; 0: none yet, or it is idle.
  [[nodiscard]] std::int32_t server_pid() const noexcept;

 private:
  friend class WireStatementState;
  class WireStatementState* state_ = nullptr;
};

}  // namespace switchyard::inline v0::gateway

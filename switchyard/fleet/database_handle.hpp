// What `fleet[db]` gives: the verbs on a database, its read view, transactions, leases and notifications. Handles
// are small values; they may be copied and kept as long as the fleet lives.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/fixed_string.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/fleet/database.hpp>
#include <switchyard/fleet/joined_writes.hpp>
#include <switchyard/fleet/lease.hpp>
#include <switchyard/fleet/notifications.hpp>
#include <switchyard/fleet/request.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::inline v0 {

class Fleet;

namespace fleet {
class DatabaseNode;
class RequestContext;
/// The route of a read view.
[[nodiscard]] SWITCHYARD_API Route& read_route(DatabaseNode& node, const ReadOptions& options);
[[nodiscard]] SWITCHYARD_API session::OperationHost& route_host(Route& route) noexcept;
[[nodiscard]] SWITCHYARD_API std::string_view node_name(const DatabaseNode& node) noexcept;
[[nodiscard]] SWITCHYARD_API bool replica_may_answer(DatabaseNode& node, std::string_view sql,
                                                     std::span<const std::uint32_t> types);
[[nodiscard]] SWITCHYARD_API Route& autocommit_route(DatabaseNode& node) noexcept;
[[nodiscard]] SWITCHYARD_API Route& write_route(DatabaseNode& node) noexcept;
[[nodiscard]] SWITCHYARD_API Task<Lease> take_lease(Route& route, session::CallContext call,
                                                    OnConnectFailure on_failure);
}  // namespace fleet

/// Reads that may go to a replica. Sessions are those of the replica, or read-only ones of the primary.
class SWITCHYARD_API ReadView : public Querier {
 public:
  ReadView(fleet::Route& route, session::CallContext call) noexcept
      : Querier(fleet::route_host(route)), route_(&route) {
    call_ = std::move(call);
  }
  /// A transaction whose statements see one endpoint; BEGIN READ ONLY.
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> transaction(TransactionOptions options,
                                                                             F function) {
    options.access = Access::read_only;
    return fleet::run_transaction(*route_, call_, options, std::move(function));
  }
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> transaction(F function) {
    return transaction(TransactionOptions{}, std::move(function));
  }
  /// A session of one's own at the endpoint of this view.
  Task<Lease> lease(fleet::OnConnectFailure on_failure = fleet::OnConnectFailure::wait);

 private:
  fleet::Route* route_;
};

/// The primary of a database: the safe default. Statements here may write.
class SWITCHYARD_API DatabaseHandle : public Querier {
 public:
  explicit DatabaseHandle(fleet::DatabaseNode& node) noexcept
      : Querier(fleet::route_host(fleet::autocommit_route(node)), fleet::route_host(fleet::write_route(node))),
        node_(&node) {}

  /// A handle whose plain verbs are those of a read view: what names such as "main_replica" stand for.
  [[nodiscard]] static DatabaseHandle read_view(fleet::DatabaseNode& node, fleet::Route& route) noexcept {
    return {node, route};
  }
  /// The same as part of a unit of work.
  [[nodiscard]] DatabaseHandle with_context(session::CallContext call) const {
    DatabaseHandle copy = *this;
    copy.call_ = std::move(call);
    return copy;
  }

  [[nodiscard]] std::string_view name() const noexcept { return fleet::node_name(*node_); }

  /// Where its plain reads go, for who brings operations of his own (the gateway), and what they inherit.
  [[nodiscard]] fleet::Route& plain_route() const noexcept {
    return only_reads_ != nullptr ? *only_reads_ : fleet::autocommit_route(*node_);
  }
  [[nodiscard]] const session::CallContext& call() const noexcept { return call_; }
  /// The text is known to be a read that any replica may answer; `types` are those of its parameters, 0 leaves one
  /// to the server. False as well while it is being looked at, which this call starts.
  [[nodiscard]] bool replica_may_answer(std::string_view sql, std::span<const std::uint32_t> types) const {
    return fleet::replica_may_answer(*node_, sql, types);
  }

  /// The read view: a replica if there is one, else the primary.
  [[nodiscard]] ReadView read(ReadOptions options = {}) const {
    fleet::Route& route =
        only_reads_ != nullptr && options.replica.empty() ? *only_reads_ : fleet::read_route(*node_, options);
    return ReadView(route, call_);
  }

  /// Runs `function(Transaction&)` inside BEGIN and COMMIT and gives what it returns. An exception rolls back and
  /// is thrown on. With `retry` set, 40001 and 40P01 run the function again, which must then be callable as const.
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> transaction(TransactionOptions options,
                                                                             F function) {
    session::CallContext call = call_;
    if (options.timeout) call.deadline = fleet::earlier_deadline(call.deadline, *options.timeout);
    return fleet::run_transaction(route(), std::move(call), options, std::move(function));
  }
  template <class F>
  SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> transaction(F function) {
    return transaction(TransactionOptions{}, std::move(function));
  }

  /// Writes on behalf of a transaction on the database that keeps this one's spool: see JoinedWrites. Throws Usage
  /// for a transaction on another one.
  [[nodiscard]] JoinedWrites within(const Transaction& transaction) const;

  /// A session of one's own, until the lease goes.
  Task<Lease> lease(fleet::OnConnectFailure on_failure = fleet::OnConnectFailure::wait);

  /// A session under a transaction that is driven step by step (the blocking facade).
  Task<std::shared_ptr<fleet::Channel>> open_channel();

  /// Notifications on a channel of this database, over a session of its own; reconnects, and says when messages may
  /// have been missed.
  Notifications listen(std::string_view channel);

 private:
  DatabaseHandle(fleet::DatabaseNode& node, fleet::Route& route) noexcept
      : Querier(fleet::route_host(route)), node_(&node), only_reads_(&route) {}
  /// Of transactions and leases.
  [[nodiscard]] fleet::Route& route() const noexcept {
    return only_reads_ != nullptr ? *only_reads_ : fleet::write_route(*node_);
  }
  fleet::DatabaseNode* node_;
  fleet::Route* only_reads_ = nullptr;  ///< set for a read view
};

/// A unit of work: `request[main_db]` is the database with the request's deadline and label.
class SWITCHYARD_API Request {
 public:
  Request(Fleet& fleet, RequestOptions options);
  template <FixedString Name>
  DatabaseHandle operator[](Database<Name> database) {
    return handle(database.use());
  }
  /// The same for a name known only at run time; errors as Fleet::database().
  Result<DatabaseHandle> database(std::string_view name);
  [[nodiscard]] TimePoint deadline() const noexcept { return deadline_; }
  [[nodiscard]] std::string_view label() const noexcept;
  /// The value of a `traceparent` header for calls to others on behalf of this request: what it was given, or what
  /// its first operation began. Empty when there is no trace.
  [[nodiscard]] std::string traceparent() const;
  /// An answer to this request may miss something: see ReadOptions::strict.
  [[nodiscard]] bool partial() const noexcept;
  /// How many writes of this request are kept in a spool instead of being applied.
  [[nodiscard]] std::uint32_t kept() const noexcept;

  /// How far the writes of this request reach, for who works on: the value of the header "Switchyard-Min-LSN"
  /// (causal_token.hpp). Empty when it wrote nothing.
  [[nodiscard]] std::string tokens() const;
  /// Takes over such a value from another request or process: reads of this request see those writes. Usage error
  /// for malformed text, which changes nothing.
  [[nodiscard]] Result<void> accept(std::string_view header);

 private:
  DatabaseHandle handle(std::string_view used_name);
  Fleet* fleet_;
  TimePoint deadline_;
  std::shared_ptr<fleet::RequestContext> context_;
};

}  // namespace switchyard::inline v0

// Transactions: commit when the function returns, roll back when it throws.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/fleet/commit_marker.hpp>
#include <switchyard/fleet/request.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/session/querier.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace switchyard::inline v0 {

class Transaction;

namespace fleet {

class Channel;
class Route;
class TransactionLevel;

[[nodiscard]] SWITCHYARD_API session::OperationHost& level_host(TransactionLevel& level) noexcept;
/// Throws a Usage error when the level has ended, or a savepoint inside it is open.
SWITCHYARD_API void require_current(const TransactionLevel& level);

/// The steps of one transaction (or savepoint) on a channel, without the caller's function. Dropped before it has
/// ended, it lets the session roll back in the background.
class SWITCHYARD_API TransactionScope {
 public:
  /// On the session of `channel`.
  explicit TransactionScope(std::shared_ptr<Channel> channel) noexcept;
  TransactionScope(const TransactionScope&) = delete;
  TransactionScope& operator=(const TransactionScope&) = delete;
  ~TransactionScope();

  /// BEGIN with the options, or SAVEPOINT inside another transaction.
  Task<void> begin(TransactionOptions options);
  /// COMMIT or RELEASE. An answer of ROLLBACK is an error; a lost answer is InDoubt.
  Task<void> commit();
  /// ROLLBACK, or ROLLBACK TO and RELEASE. Never throws: what can't be rolled back is closed.
  Task<void> rollback() noexcept;
  [[nodiscard]] Transaction handle() noexcept;

 private:
  std::shared_ptr<Channel> channel_;
  void end() noexcept;
  /// After a lost COMMIT: returns if it was committed, else throws what is known.
  Task<void> settle(Error in_doubt);
  std::shared_ptr<TransactionLevel> level_;     ///< while it is open
  std::shared_ptr<const CommitMarker> marker_;  ///< null without one
  std::string savepoint_;                       ///< empty for BEGIN
};

/// While no session is open and connecting fails: wait for the server to come back, or hear of it at once.
enum class OnConnectFailure : std::uint8_t { wait, fail };

/// Gets a session from a pool of the route. Errors: PoolExhausted, Unavailable, Deadline, Config, Closed.
[[nodiscard]] SWITCHYARD_API Task<std::shared_ptr<Channel>> open_channel(
    Route& route, session::CallContext call, OnConnectFailure on_failure = OnConnectFailure::wait);
/// The same for a transaction, which may have other ground while the database is down.
[[nodiscard]] SWITCHYARD_API Task<std::shared_ptr<Channel>> open_transaction_channel(Route& route,
                                                                                     session::CallContext call);
SWITCHYARD_API void let_go(std::shared_ptr<Channel> channel) noexcept;
/// Keeps the route of a fleet that may go: it refuses then.
[[nodiscard]] SWITCHYARD_API std::shared_ptr<Route> keep(Route& route);

/// A channel that is given back when its holder goes.
class ChannelHolder {
 public:
  explicit ChannelHolder(std::shared_ptr<Channel> channel) noexcept : channel_(std::move(channel)) {}
  ChannelHolder(const ChannelHolder&) = delete;
  ChannelHolder& operator=(const ChannelHolder&) = delete;
  ~ChannelHolder() { let_go(std::move(channel_)); }
  [[nodiscard]] const std::shared_ptr<Channel>& get() const noexcept { return channel_; }
  [[nodiscard]] std::shared_ptr<Channel> take() noexcept { return std::move(channel_); }

 private:
  std::shared_ptr<Channel> channel_;
};

/// A transaction that has just failed.
struct TransactionTry {
  unsigned attempts = 1;  ///< made so far
  unsigned most = 1;      ///< that may be made
  TimePoint deadline = kNever;
  bool keeps_session = false;  ///< further attempts need the same session
};
/// The pause before it is run again; throws `failure` on, with a hint why, if it is not: nothing but what was
/// rolled back or never sent runs again, within the deadline and the database's retry budget.
[[nodiscard]] SWITCHYARD_API Duration pause_or_throw(Route& route, const std::exception_ptr& failure,
                                                     const TransactionTry& made);
/// A transaction begins: counts for the retry budget.
SWITCHYARD_API void note_transaction(Route& route) noexcept;
/// The table of commit markers is there.
[[nodiscard]] SWITCHYARD_API Task<void> prepare_markers(Route& route, TimePoint deadline);
/// Text of the transaction's commit marker; empty without one.
[[nodiscard]] SWITCHYARD_API std::string marker_of(const TransactionLevel& level);
[[nodiscard]] SWITCHYARD_API Route& route_of(const Channel& channel) noexcept;
[[nodiscard]] SWITCHYARD_API TimePoint deadline_of(const Channel& channel) noexcept;

template <class F>
using TransactionResult = typename std::invoke_result_t<F&, Transaction&>::value_type;

}  // namespace fleet

/// The Querier inside a transaction. A handle: copies mean the same transaction; it is refused once that has ended.
class SWITCHYARD_API Transaction : public Querier {
 public:
  Transaction(std::shared_ptr<fleet::Channel> channel, std::shared_ptr<fleet::TransactionLevel> level) noexcept
      : Querier(fleet::level_host(*level)), channel_(std::move(channel)) {
    keeper_ = level;
    level_ = std::move(level);
  }

  /// With the option `marker`: the commit marker as text, for Fleet::resolve(). Empty otherwise, and in a
  /// savepoint.
  [[nodiscard]] std::string marker() const { return fleet::marker_of(*level_); }

  /// A savepoint: what `function` did is undone when it throws, and the outer transaction goes on. There is no
  /// retry here.
  template <class F>
  Task<fleet::TransactionResult<F>> transaction(F function);

  /// The logical database it runs on.
  [[nodiscard]] std::string_view database() const noexcept;

 private:
  std::shared_ptr<fleet::Channel> channel_;
  std::shared_ptr<fleet::TransactionLevel> level_;
};

namespace fleet {

/// One attempt on a channel.
template <class F>
Task<TransactionResult<F>> attempt_transaction(std::shared_ptr<Channel> channel, TransactionOptions options,
                                               F& function) {
  TransactionScope scope(std::move(channel));
  co_await scope.begin(options);
  Transaction transaction = scope.handle();
  std::exception_ptr failure;
  if constexpr (std::is_void_v<TransactionResult<F>>) {
    try {
      co_await function(transaction);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) {
      co_await scope.rollback();
      std::rethrow_exception(failure);
    }
    co_await scope.commit();
  } else {
    std::optional<TransactionResult<F>> value;
    try {
      value.emplace(co_await function(transaction));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) {
      co_await scope.rollback();
      std::rethrow_exception(failure);
    }
    co_await scope.commit();
    co_return std::move(*value);
  }
}

/// Runs `attempt` again as long as it may.
template <class Attempt>
auto retry_transaction(Route& route, TransactionTry made, Attempt attempt) -> std::invoke_result_t<Attempt&> {
  note_transaction(route);
  for (made.attempts = 1;; ++made.attempts) {
    std::exception_ptr failure;
    try {
      co_return co_await attempt();
    } catch (...) {
      failure = std::current_exception();
    }
    const Duration pause = pause_or_throw(route, failure, made);
    co_await sleep(pause);
  }
}

/// A function that is run again must not remember its first run.
template <class F>
void require_repeatable(const TransactionOptions& options) {
  if constexpr (!std::is_invocable_v<const F&, Transaction&>) {
    if (options.retry > 0) {
      throw Error(
          ErrorKind::Usage,
          "transaction({.retry = ...}) needs a function that is callable as const: it is run several times");
    }
  }
}

/// On a session that the caller holds.
template <class F>
Task<TransactionResult<F>> run_transaction(std::shared_ptr<Channel> channel, TransactionOptions options,
                                           F function) {
  require_repeatable<F>(options);
  const TransactionTry made{.most = options.retry + 1, .deadline = deadline_of(*channel), .keeps_session = true};
  const std::shared_ptr<Route> keeper = keep(route_of(*channel));
  if (options.marker) co_await prepare_markers(*keeper, made.deadline);
  co_return co_await retry_transaction(*keeper, made, [&]() -> Task<TransactionResult<F>> {
    co_return co_await attempt_transaction(channel, options, function);
  });
}

/// On a session of the route's pool, given back at the end of each attempt.
template <class F>
Task<TransactionResult<F>> run_transaction(Route& route, session::CallContext call, TransactionOptions options,
                                           F function) {
  const std::shared_ptr<Route> keeper = keep(route);
  require_repeatable<F>(options);
  const TransactionTry made{.most = options.retry + 1, .deadline = call.deadline};
  if (options.marker) co_await prepare_markers(route, made.deadline);
  co_return co_await retry_transaction(route, made, [&]() -> Task<TransactionResult<F>> {
    ChannelHolder holder(co_await open_transaction_channel(route, call));
    co_return co_await attempt_transaction(holder.get(), options, function);
  });
}

/// Inside the transaction of `level`.
template <class F>
Task<TransactionResult<F>> run_savepoint(std::shared_ptr<Channel> channel, std::shared_ptr<TransactionLevel> level,
                                         F function) {
  require_current(*level);
  co_return co_await attempt_transaction(std::move(channel), TransactionOptions{}, function);
}

}  // namespace fleet

template <class F>
SWITCHYARD_COROUTINE_WRAPPER Task<fleet::TransactionResult<F>> Transaction::transaction(F function) {
  return fleet::run_savepoint(channel_, level_, std::move(function));
}

}  // namespace switchyard::inline v0

// The fleet for programs without coroutines: every verb blocks its thread until the answer is there. A
// BlockingFleet owns a loop that runs while one of its calls waits; it belongs to the thread that made it, and
// inside a running loop it is refused (Usage).
//
//     auto fleet = sy::BlockingFleet::open(config).value_or_throw();
//     auto users = (*fleet)[main_db].query<User>("SELECT id, name FROM users");
//     (*fleet)[main_db].transaction([](sy::BlockingTransaction& tx) { tx.execute("UPDATE ..."); });
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/session/querier.hpp>

#include <memory>
#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// The verbs of Querier, each run to its end. Throws sy::Error.
class BlockingQuerier {
 public:
  BlockingQuerier(runtime::Shard& shard, Querier& querier) noexcept : shard_(&shard), querier_(&querier) {}

  // `statement` is a text or a Statement, as for Querier.
  template <class Text, class... Arguments>
  std::uint64_t execute(const Text& statement, const Arguments&... arguments) {
    return wait(querier_->execute(statement, arguments...));
  }
  template <class T = Row, class Text, class... Arguments>
  std::vector<T> query(const Text& statement, const Arguments&... arguments) {
    return wait(querier_->query<T>(statement, arguments...));
  }
  template <class T = Row, class Text, class... Arguments>
  T query_one(const Text& statement, const Arguments&... arguments) {
    return wait(querier_->query_one<T>(statement, arguments...));
  }
  template <class T = Row, class Text, class... Arguments>
  std::optional<T> query_optional(const Text& statement, const Arguments&... arguments) {
    return wait(querier_->query_optional<T>(statement, arguments...));
  }
  template <class T, class Text, class... Arguments>
  T query_value(const Text& statement, const Arguments&... arguments) {
    return wait(querier_->query_value<T>(statement, arguments...));
  }
  template <class Text, std::ranges::input_range Range>
  std::uint64_t execute_many(const Text& statement, Range&& rows) {
    return wait(querier_->execute_many(statement, std::forward<Range>(rows)));
  }
  std::uint64_t run(Batch batch) { return wait(querier_->run(std::move(batch))); }
  std::uint64_t script(std::string_view sql) { return wait(querier_->script(sql)); }

 private:
  template <class T>
  T wait(Operation<T> operation) {
    return shard_->run_until_complete(
        [](Operation<T> running) -> Task<T> { co_return co_await std::move(running); }(std::move(operation)));
  }

 protected:
  runtime::Shard* shard_;
  Querier* querier_;
};

/// Inside a transaction.
class BlockingTransaction : public BlockingQuerier {
 public:
  using BlockingQuerier::BlockingQuerier;
};

namespace fleet {

/// A handle with a stable address.
struct HandleHolder {
  std::unique_ptr<DatabaseHandle> handle;
};

/// A channel that is given back with its shard made current: there the pool's timers and sockets are.
class BlockingChannel {
 public:
  BlockingChannel(runtime::Shard& shard, std::shared_ptr<Channel> channel) noexcept
      : shard_(shard), channel_(std::move(channel)) {}
  BlockingChannel(const BlockingChannel&) = delete;
  BlockingChannel& operator=(const BlockingChannel&) = delete;
  ~BlockingChannel() {
    const runtime::Shard::Scope scope(shard_);
    let_go(std::move(channel_));
  }
  [[nodiscard]] const std::shared_ptr<Channel>& get() const noexcept { return channel_; }

 private:
  runtime::Shard& shard_;
  std::shared_ptr<Channel> channel_;
};

}  // namespace fleet

class BlockingDatabase : private fleet::HandleHolder, public BlockingQuerier {
 public:
  BlockingDatabase(runtime::Shard& shard, DatabaseHandle database)
      : HandleHolder{std::make_unique<DatabaseHandle>(database)}, BlockingQuerier(shard, *handle) {}

  /// Commits when `function` returns, rolls back when it throws.
  template <class F>
  auto transaction(F function) {
    return transaction(TransactionOptions{}, std::move(function));
  }
  template <class F>
  auto transaction(TransactionOptions options, F function) {
    using Value = std::invoke_result_t<F&, BlockingTransaction&>;
    const fleet::BlockingChannel channel(*shard_, shard_->run_until_complete(handle->open_channel()));
    fleet::TransactionScope scope(channel.get());
    shard_->run_until_complete(scope.begin(options));
    Transaction transaction = scope.handle();
    BlockingTransaction blocking(*shard_, transaction);
    if constexpr (std::is_void_v<Value>) {
      guarded(scope, [&] { function(blocking); });
      shard_->run_until_complete(scope.commit());
    } else {
      std::optional<Value> value;
      guarded(scope, [&] { value.emplace(function(blocking)); });
      shard_->run_until_complete(scope.commit());
      return Value(std::move(*value));
    }
  }

 private:
  template <class Work>
  void guarded(fleet::TransactionScope& scope, Work work) {
    try {
      work();
    } catch (...) {
      shard_->run_until_complete(scope.rollback());
      throw;
    }
  }
};

class SWITCHYARD_API BlockingFleet {
 public:
  static Result<std::unique_ptr<BlockingFleet>> open(FleetConfig config);
  /// Closes; waits at most the configuration's shutdown_timeout for sessions to end.
  ~BlockingFleet();
  BlockingFleet(const BlockingFleet&) = delete;
  BlockingFleet& operator=(const BlockingFleet&) = delete;

  template <FixedString Name>
  BlockingDatabase operator[](Database<Name> database) {
    return BlockingDatabase(shard_, in_loop([&] { return (*fleet_)[database]; }));
  }
  /// A database by its name at run time.
  BlockingDatabase database(std::string_view name);

  /// Runs a coroutine with the fleet underneath: for what has no blocking verb.
  template <class F>
  auto run(F function) {
    return shard_.run_until_complete(function(*fleet_));
  }

 private:
  BlockingFleet();
  template <class F>
  auto in_loop(F function) {
    const runtime::Shard::Scope scope(shard_);
    return function();
  }
  runtime::Shard shard_;
  std::unique_ptr<Fleet> fleet_;
};

}  // namespace switchyard::inline v0

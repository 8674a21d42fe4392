// Querier: the one set of verbs. A database, a read view, a transaction and a lease all are Queriers, so a function
// that takes `sy::Querier&` works with any of them and joins its caller's transaction.
//
// Verbs are not coroutines: they encode statement and arguments at once and return an Operation to be awaited.
#pragma once

#include <switchyard/session/copy.hpp>
#include <switchyard/session/operation.hpp>
#include <switchyard/session/result_states.hpp>
#include <switchyard/session/row_stream.hpp>
#include <switchyard/session/statement.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// Several statements sent together in one round trip, as one implicit transaction (manual chapter 55.2.4): all
/// take effect or none.
class Batch {
 public:
  Batch() = default;
  Batch(Batch&&) = default;
  Batch& operator=(Batch&&) = default;

  template <class... Arguments>
  Batch& add(std::string_view sql, const Arguments&... arguments) & {
    session::StatementPart& part = parts_.emplace_back();
    part.sql = sql;
    if (const auto encoded = part.parameters.encode(arguments...); !encoded.ok() && !error_)
      error_ = encoded.error();
    return *this;
  }
  template <class... Arguments>
  Batch&& add(std::string_view sql, const Arguments&... arguments) && {
    return std::move(add(sql, arguments...));
  }
  [[nodiscard]] std::size_t size() const noexcept { return parts_.size(); }

 private:
  friend class Querier;
  std::vector<session::StatementPart> parts_;
  std::optional<Error> error_;
};

class SWITCHYARD_API Querier {
 public:
  // Each verb takes the text of a statement, or a Statement where options are needed.

  /// Runs a statement and gives the number of rows it affected.
  template <class... Arguments>
  Operation<std::uint64_t> execute(std::string_view sql, const Arguments&... arguments) {
    return execute(Statement{.sql = sql}, arguments...);
  }
  template <class... Arguments>
  Operation<std::uint64_t> execute(Statement statement, const Arguments&... arguments) {
    return make<session::AffectedState>(statement, arguments...);
  }

  /// All rows. T is a struct mapped by member name, a tuple mapped by position, a scalar, or Row (the default)
  /// which is untyped. The result is bounded by the database's `max_result_bytes`.
  template <class T = Row, class... Arguments>
  Operation<std::vector<T>> query(std::string_view sql, const Arguments&... arguments) {
    return query<T>(Statement{.sql = sql}, arguments...);
  }
  template <class T = Row, class... Arguments>
  Operation<std::vector<T>> query(Statement statement, const Arguments&... arguments) {
    return make<session::AllRowsState<T>>(statement, arguments...);
  }

  /// Exactly one row; none or several is an error.
  template <class T = Row, class... Arguments>
  Operation<T> query_one(std::string_view sql, const Arguments&... arguments) {
    return query_one<T>(Statement{.sql = sql}, arguments...);
  }
  template <class T = Row, class... Arguments>
  Operation<T> query_one(Statement statement, const Arguments&... arguments) {
    return make<session::OneRowState<T>>(statement, arguments...);
  }

  /// One row or none; several is an error.
  template <class T = Row, class... Arguments>
  Operation<std::optional<T>> query_optional(std::string_view sql, const Arguments&... arguments) {
    return query_optional<T>(Statement{.sql = sql}, arguments...);
  }
  template <class T = Row, class... Arguments>
  Operation<std::optional<T>> query_optional(Statement statement, const Arguments&... arguments) {
    return make<session::OptionalRowState<T>>(statement, arguments...);
  }

  /// The only column of exactly one row. `std::optional<T>` takes NULL.
  template <class T, class... Arguments>
  Operation<T> query_value(std::string_view sql, const Arguments&... arguments) {
    return query_value<T>(Statement{.sql = sql}, arguments...);
  }
  template <class T, class... Arguments>
  Operation<T> query_value(Statement statement, const Arguments&... arguments) {
    return make<session::ValueState<T>>(statement, arguments...);
  }

  /// Rows as they come, with bounded memory: reading stops while 256 kB wait. Holds its session until the end, and
  /// cancels when it is dropped earlier.
  template <class T = Row, class... Arguments>
  RowStream<T> stream(std::string_view sql, const Arguments&... arguments) {
    return stream<T>(Statement{.sql = sql}, arguments...);
  }
  template <class T = Row, class... Arguments>
  RowStream<T> stream(Statement statement, const Arguments&... arguments) {
    return RowStream<T>(make_state<session::StreamState<T>>(statement, arguments...));
  }

  /// The same statement for each element of a range (tuples, or single values), in one round trip and one implicit
  /// transaction. Gives the sum of affected rows.
  template <std::ranges::input_range Range>
  Operation<std::uint64_t> execute_many(std::string_view sql, Range&& rows) {
    return execute_many(Statement{.sql = sql}, std::forward<Range>(rows));
  }
  template <std::ranges::input_range Range>
  Operation<std::uint64_t> execute_many(Statement statement, Range&& rows) {
    auto state = session::AffectedState::create();
    prepare(*state, statement, Intent::write);
    bool first = true;
    for (const auto& row : rows) {
      Parameters& target = first ? state->parts.front().parameters : state->repeats.emplace_back();
      note(*state, target.encode_row(row));
      first = false;
    }
    if (first) state->parts.clear();
    return Operation<std::uint64_t>(std::move(state));
  }

  /// Sends a batch; gives the sum of affected rows.
  Operation<std::uint64_t> run(Batch batch);

  /// Runs a text of several statements without parameters, as one simple query (an implicit transaction unless it
  /// controls transactions itself).
  Operation<std::uint64_t> script(std::string_view sql);

  /// COPY ... FROM STDIN. `sql` is the whole COPY statement.
  CopyIn copy_in(std::string_view sql);
  /// COPY ... TO STDOUT. `sql` is the whole COPY statement.
  CopyOut copy_out(std::string_view sql);

 protected:
  /// What a verb is known to do, as far as its name says.
  enum class Intent : std::uint8_t { read, write };

  explicit Querier(session::OperationHost& host) noexcept : reads_(&host), writes_(&host) {}
  /// Two hosts where autocommit reads and writes use different sessions.
  Querier(session::OperationHost& reads, session::OperationHost& writes) noexcept
      : reads_(&reads), writes_(&writes) {}
  Querier(const Querier&) = default;
  Querier& operator=(const Querier&) = default;
  ~Querier() = default;

  [[nodiscard]] session::OperationHost& read_host() const noexcept { return *reads_; }
  [[nodiscard]] session::OperationHost& write_host() const noexcept { return *writes_; }
  /// Copies the statement's text and options into `state` and binds it to this querier.
  void prepare(session::OperationState& state, const Statement& statement, Intent intent) const;

  /// Of the request this querier belongs to; every operation inherits it.
  session::CallContext call_;
  /// Keeps the host alive for stored operations; empty when the fleet owns it.
  std::shared_ptr<void> keeper_;

 private:
  /// An argument that can't be sent makes the operation fail when it is awaited.
  static void note(session::OperationState& state, const Result<void>& encoded) noexcept {
    if (!encoded.ok()) state.note_error(encoded.error());
  }
  template <class State, class... Arguments>
  auto make_state(const Statement& statement, const Arguments&... arguments) {
    auto state = State::create();
    prepare(*state, statement, State::kWrites ? Intent::write : Intent::read);
    note(*state, state->parts.front().parameters.encode(arguments...));
    return state;
  }
  template <class State, class... Arguments>
  auto make(const Statement& statement, const Arguments&... arguments) {
    auto state = make_state<State>(statement, arguments...);
    return Operation<typename State::Value>(std::move(state));
  }

  session::OperationHost* reads_;
  session::OperationHost* writes_;
};

}  // namespace switchyard::inline v0

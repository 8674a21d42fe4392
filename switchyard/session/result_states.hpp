// The ends of the verbs: what each does with the rows of its answer. Objects are recycled per thread, so a warm
// verb allocates only what its result needs.
#pragma once

#include <switchyard/session/operation.hpp>
#include <switchyard/session/operation_state.hpp>
#include <switchyard/values/row.hpp>
#include <switchyard/values/row_mapper.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace switchyard::inline v0::session {

/// Up to this many objects of one kind wait per thread for their next use.
inline constexpr std::size_t kRecycledStates = 64;

/// Recycling of final states: create() takes one from this thread's list, the last release puts it back.
template <class State>
class Recycler {
 public:
  [[nodiscard]] static State* take() {
    List& list = free_list();
    if (list.states.empty()) return new State;
    State* state = list.states.back();
    list.states.pop_back();
    return state;
  }
  static void give(State* state) noexcept {
    List& list = free_list();
    if (list.states.size() < kRecycledStates) {
      list.states.push_back(state);  // within the reserved capacity: no allocation
    } else {
      delete state;
    }
  }

 private:
  struct List {
    List() { states.reserve(kRecycledStates); }
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List() {
      for (State* state : states) delete state;
    }
    std::vector<State*> states;
  };
  static List& free_list() {
    thread_local List list;
    return list;
  }
};

/// Number of affected rows; rows themselves are ignored.
class SWITCHYARD_API AffectedState final : public ResultState<std::uint64_t> {
 public:
  using Value = std::uint64_t;
  static constexpr bool kWrites = true;
  [[nodiscard]] static OperationPtr<AffectedState> create() {
    return OperationPtr<AffectedState>(Recycler<AffectedState>::take());
  }
  std::uint64_t take() override { return affected; }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept override {}

 private:
  friend class Recycler<AffectedState>;
  AffectedState() = default;
  ~AffectedState() override = default;
  void recycle() noexcept override {
    reset();
    Recycler<AffectedState>::give(this);
  }
  void clear_result() noexcept override {}
};

/// How a column set becomes a T, and a row a T.
template <class T>
class RowReader {
 public:
  static constexpr RowFormat kFormat = RowFormat::binary;
  [[nodiscard]] Result<void> bind(const std::shared_ptr<const protocol::RowDescription>& description) {
    auto mapper = RowMapper<T>::make(description, Format::binary);
    if (!mapper.ok()) return mapper.error();
    mapper_.emplace(std::move(*mapper));
    return {};
  }
  [[nodiscard]] bool read(protocol::RowView row, T& object, MapError& error) const noexcept {
    return mapper_->decode(row, object, error);
  }
  /// As RowMapper's: rows that are one number.
  static constexpr bool kMayBeNumber = values::is_fixed_number<T>;
  [[nodiscard]] bool is_number() const noexcept { return mapper_->is_number(); }
  [[nodiscard]] Error error(const MapError& error, std::uint64_t row_number) const {
    return mapper_->error(error, row_number);
  }

 private:
  std::optional<RowMapper<T>> mapper_;
};

/// Untyped rows share the description and own their bytes.
template <>
class RowReader<Row> {
 public:
  static constexpr RowFormat kFormat = RowFormat::native;
  static constexpr bool kMayBeNumber = false;
  [[nodiscard]] Result<void> bind(const std::shared_ptr<const protocol::RowDescription>& description) {
    columns_ = description;
    return {};
  }
  [[nodiscard]] bool read(protocol::RowView row, Row& object, MapError& error) const noexcept {
    return object.assign(columns_, row, error);
  }
  [[nodiscard]] Error error(const MapError& error, std::uint64_t /*row_number*/) const {
    if (error.status == DecodeStatus::out_of_memory) return out_of_memory();
    return Error(ErrorKind::Protocol, "the server sent a malformed row", ErrorStage::sent);
  }

 private:
  std::shared_ptr<const protocol::RowDescription> columns_;
};

/// A state whose rows become objects of type T. The reader of the last description is kept: a statement that is run
/// again is not analysed again.
template <class Value_, class T>
class RowsState : public ResultState<Value_> {
 public:
  using Value = Value_;
  static constexpr bool kWrites = false;

  void on_describe(const std::shared_ptr<const protocol::RowDescription>& description) noexcept override {
    if (description == described_) return;
    // Each session has a description of its own of the same statement.
    if (described_ && description && *description == *described_) {
      described_ = description;
      return;
    }
    described_.reset();
    expected_rows_ = 0;
    try {
      if (const Result<void> bound = reader_.bind(description); !bound.ok()) {
        this->note_error(bound.error());
        return;
      }
      described_ = description;
    } catch (const std::bad_alloc&) {
      this->note_error(out_of_memory());
    }
  }

 protected:
  ~RowsState() override = default;

  /// Decodes into `object`; on failure the error is noted, and the result is false.
  [[nodiscard]] bool read(protocol::RowView row, T& object) noexcept {
    MapError problem;
    ++row_number_;
    bytes_ += row.bytes().size();
    this->mark_row();
    if (bytes_ > this->max_result_bytes) [[unlikely]] {
      this->note_error(result_too_large(this->max_result_bytes));
      return false;
    }
    if (!described_) [[unlikely]] {
      this->note_error(undescribed());
      return false;
    }
    if (reader_.read(row, object, problem)) [[likely]]
      return true;
    this->note_error(reader_.error(problem, row_number_));
    return false;
  }
  void forget_rows() noexcept {
    row_number_ = 0;
    bytes_ = 0;
  }
  static void set_format(OperationState& state) noexcept { state.format = RowReader<T>::kFormat; }

  /// Notes what read() would have noted for rows that were read without it.
  [[nodiscard]] bool count(std::uint64_t rows, std::uint64_t bytes) noexcept {
    if (rows == 0) return true;
    row_number_ += rows;
    bytes_ += bytes;
    this->mark_row();
    if (bytes_ <= this->max_result_bytes) return true;
    this->note_error(result_too_large(this->max_result_bytes));
    return false;
  }
  /// Rows are one number each.
  [[nodiscard]] bool is_number() const noexcept {
    if constexpr (RowReader<T>::kMayBeNumber) return described_ && reader_.is_number();
    return false;
  }

  std::uint64_t row_number_ = 0;
  /// What the statement of these columns gave the last time.
  std::size_t expected_rows_ = 0;

 private:
  RowReader<T> reader_;
  std::shared_ptr<const protocol::RowDescription> described_;
  std::uint64_t bytes_ = 0;
};

/// query<T>
template <class T>
class AllRowsState final : public RowsState<std::vector<T>, T> {
 public:
  [[nodiscard]] static OperationPtr<AllRowsState> create() {
    require_owning<T>();
    OperationPtr<AllRowsState> state(Recycler<AllRowsState>::take());
    AllRowsState::set_format(*state);
    state->takes_whole_answer = true;
    state->shareable = true;
    return state;
  }
  std::vector<T> take() override {
    this->expected_rows_ = rows_.size();
    return std::move(rows_);
  }
  void on_row(protocol::RowView row) noexcept override {
    if (this->error()) return;
    try {
      if (rows_.empty()) rows_.reserve(std::min(this->expected_rows_, kMostReserved));
      if (!this->read(row, rows_.emplace_back())) stop();
    } catch (const std::bad_alloc&) {
      this->note_error(out_of_memory());
      stop();
    }
  }
  void on_rows(protocol::RowRun& run) noexcept override {
    protocol::RowRun rows = run;  // nobody else sees this one: it stays in registers
    if constexpr (RowReader<T>::kMayBeNumber) take_numbers(rows);
    for (protocol::RowView row; rows.next(row);) AllRowsState::on_row(row);
    run = rows;
  }

 private:
  friend class Recycler<AllRowsState>;
  /// A forecast should not take much memory in vain.
  static constexpr std::size_t kMostReserved = std::max<std::size_t>(1, (256 << 10) / sizeof(T));
  AllRowsState() = default;
  ~AllRowsState() override = default;
  /// Takes numbers off the run as long as there are any.
  void take_numbers(protocol::RowRun& run) noexcept
    requires RowReader<T>::kMayBeNumber
  {
    if (this->error() || !this->is_number()) return;
    constexpr std::size_t kField = 4 + sizeof(T);
    std::array<T, 256> numbers;
    for (;;) {
      std::size_t size = 0;
      for (; size < numbers.size(); ++size) {
        const char* value = run.template next_value<sizeof(T)>();
        if (value == nullptr) break;
        numbers[size] = RowMapper<T>::load(value);
      }
      if (!this->count(size, size * kField)) return stop();
      try {
        if (rows_.empty()) rows_.reserve(std::min(this->expected_rows_, kMostReserved));
        rows_.insert(rows_.end(), numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(size));
      } catch (const std::bad_alloc&) {
        this->note_error(out_of_memory());
        return stop();
      }
      if (size < numbers.size()) return;
    }
  }
  /// The rest of the rows is of no use: they are freed, and those to come ignored.
  void stop() noexcept { rows_ = {}; }
  void recycle() noexcept override {
    this->reset();
    Recycler<AllRowsState>::give(this);
  }
  void clear_result() noexcept override {
    rows_ = {};
    this->forget_rows();
  }
  std::vector<T> rows_;
};

/// How many rows a verb allows.
enum class Cardinality : std::uint8_t { one, at_most_one };

/// query_one<T>, query_optional<T>, query_value<T>
template <class Value_, class T, Cardinality kCardinality>
class SingleRowState final : public RowsState<Value_, T> {
 public:
  [[nodiscard]] static OperationPtr<SingleRowState> create() {
    require_owning<T>();
    OperationPtr<SingleRowState> state(Recycler<SingleRowState>::take());
    SingleRowState::set_format(*state);
    state->shareable = true;
    return state;
  }
  Value_ take() override {
    if constexpr (kCardinality == Cardinality::one) {
      return std::move(*row_);
    } else {
      return std::move(row_);
    }
  }
  void on_row(protocol::RowView row) noexcept override {
    if (this->error()) return;
    if (this->row_number_ != 0) {
      ++this->row_number_;
      return;
    }
    if (!this->read(row, row_.emplace())) row_.reset();
  }

 private:
  friend class Recycler<SingleRowState>;
  SingleRowState() = default;
  ~SingleRowState() override = default;
  void check_result() noexcept override {
    const bool too_few = kCardinality == Cardinality::one && this->row_number_ == 0;
    if (too_few || this->row_number_ > 1) {
      this->note_error(wrong_row_count(this->row_number_, kCardinality == Cardinality::one));
    }
  }
  void recycle() noexcept override {
    this->reset();
    Recycler<SingleRowState>::give(this);
  }
  void clear_result() noexcept override {
    row_.reset();
    this->forget_rows();
  }
  std::optional<T> row_;
};

template <class T>
using OneRowState = SingleRowState<T, T, Cardinality::one>;
template <class T>
using OptionalRowState = SingleRowState<std::optional<T>, T, Cardinality::at_most_one>;
/// A single value is a row of one column; further columns are ignored, as the first is what was asked for.
template <class T>
using ValueState = SingleRowState<T, T, Cardinality::one>;

}  // namespace switchyard::inline v0::session

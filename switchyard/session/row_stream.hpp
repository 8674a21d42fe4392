// RowStream<T>: rows one at a time, with bounded memory.
//
//     auto rows = db.stream<User>("SELECT id, name FROM users");
//     while (User* user = co_await rows.next()) ...
#pragma once

#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/operation.hpp>
#include <switchyard/session/result_states.hpp>
#include <switchyard/session/session.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>

namespace switchyard::inline v0 {

namespace session {

/// Reading from the server stops while rows of this many bytes wait to be taken.
inline constexpr std::size_t kStreamBytes = 256 << 10;

template <class T>
class StreamState final : public RowsState<void, T> {
 public:
  [[nodiscard]] static OperationPtr<StreamState> create() {
    OperationPtr<StreamState> state(new StreamState);
    StreamState::set_format(*state);
    state->max_result_bytes = UINT64_MAX;
    return state;
  }
  void take() override {}
  [[nodiscard]] bool restartable() const noexcept override { return !this->saw_row(); }

  void on_row(protocol::RowView row) noexcept override {
    if (this->error()) return;
    rows.emplace_back();
    if (!this->read(row, rows.back().first)) {
      rows.pop_back();
      this->session->cancel();
      return;
    }
    rows.back().second = row.bytes().size();
    waiting_bytes += row.bytes().size();
    if (waiting_bytes > kStreamBytes) this->session->pause_reading();
    changed.set();
  }
  void on_finished() noexcept override { changed.set(); }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& description) noexcept override {
    columns = description;
    RowsState<void, T>::on_describe(description);
  }
  void on_command_complete(std::string_view tag) noexcept override {
    command_tag_size = tag.copy(command_tag.data(), command_tag.size());
    RowsState<void, T>::on_command_complete(tag);
  }

  runtime::AsyncEvent changed;
  std::shared_ptr<const protocol::RowDescription> columns;
  std::array<char, 64> command_tag;  // PostgreSQL's own limit, COMPLETION_TAG_BUFSIZE
  std::size_t command_tag_size = 0;
  bool begun = false;
  std::deque<std::pair<T, std::size_t>> rows;
  std::size_t waiting_bytes = 0;

 private:
  StreamState() = default;
  ~StreamState() override = default;
  void recycle() noexcept override { delete this; }
  void clear_result() noexcept override {
    rows.clear();
    waiting_bytes = 0;
    this->forget_rows();
  }
};

}  // namespace session

template <class T>
class RowStream {
 public:
  explicit RowStream(session::OperationPtr<session::StreamState<T>> state) noexcept : state_(std::move(state)) {}
  RowStream(RowStream&&) noexcept = default;
  RowStream& operator=(RowStream&&) = delete;
  ~RowStream() {
    if (state_ && state_->begun && !state_->finished()) state_->drop();
  }

  /// The next row, valid until the next call; null at the end. Throws sy::Error.
  Task<T*> next() {
    auto& state = *state_;
    if (!state.begun) {
      state.begun = true;
      state.start();
    }
    while (state.rows.empty() && !state.finished()) {
      state.changed.reset();
      co_await state.changed.wait();
    }
    if (state.rows.empty()) {
      if (state.error()) throw *state.error();
      co_return nullptr;
    }
    current_ = std::move(state.rows.front().first);
    const std::size_t bytes = state.rows.front().second;
    state.rows.pop_front();
    const bool was_full = state.waiting_bytes > session::kStreamBytes;
    state.waiting_bytes -= bytes;
    if (was_full && state.waiting_bytes <= session::kStreamBytes && state.session != nullptr) {
      state.session->resume_reading();
    }
    co_return &current_;
  }

  /// The columns, after the first next(); null for a statement without rows (INSERT without RETURNING).
  [[nodiscard]] const std::shared_ptr<const protocol::RowDescription>& columns() const noexcept {
    return state_->columns;
  }
  /// "INSERT 0 3", "SELECT 10", "CREATE TABLE": at the end, empty before.
  [[nodiscard]] std::string_view command_tag() const noexcept {
    return {state_->command_tag.data(), state_->command_tag_size};
  }

 private:
  session::OperationPtr<session::StreamState<T>> state_;
  T current_{};
};

}  // namespace switchyard::inline v0

// COPY: bulk data in and out of a table, in the format that the statement names.
//
//     auto copy = tx.copy_in("COPY dc_customs (code, short_name) FROM STDIN (FORMAT binary)");
//     for (const auto& office : offices) co_await copy.row(office.code, office.short_name);
//     std::uint64_t rows = co_await copy.finish();
//
// A CopyIn that is dropped before finish() copies nothing; a CopyOut that is dropped early is cancelled.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/pipeline.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/operation.hpp>
#include <switchyard/values/encode_counted.hpp>
#include <switchyard/values/parameters.hpp>

#include <coroutine>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

namespace session {

/// A COPY statement on its session.
class SWITCHYARD_API CopyState final : public ResultState<std::uint64_t> {
 public:
  CopyState();
  std::uint64_t take() override { return affected; }
  [[nodiscard]] bool restartable() const noexcept override { return !copying_in && !copying_out; }

  void on_describe(const std::shared_ptr<const protocol::RowDescription>& description) noexcept override;
  void on_copy_in(const protocol::CopyFormat& format) noexcept override;
  void on_copy_out(const protocol::CopyFormat& format) noexcept override;
  void on_copy_data(ByteView data) noexcept override;
  void on_drained() noexcept override;
  void on_finished() noexcept override;

  /// Set whenever something changed that a coroutine may wait for.
  runtime::AsyncEvent changed;
  bool begun = false;
  bool copying_in = false;
  bool copying_out = false;
  bool binary = false;
  std::deque<std::string> chunks;
  std::size_t chunk_bytes = 0;

 private:
  void recycle() noexcept override;
  void clear_result() noexcept override;
};

}  // namespace session

class SWITCHYARD_API CopyIn {
 public:
  explicit CopyIn(session::OperationPtr<session::CopyState> state) noexcept : state_(std::move(state)) {}
  CopyIn(CopyIn&&) noexcept = default;
  CopyIn& operator=(CopyIn&&) = delete;
  ~CopyIn();

  /// What write() and row() give: awaiting it costs nothing until a buffer is full.
  class [[nodiscard]] Flow {
   public:
    Flow() noexcept = default;
    explicit Flow(Task<void> task) noexcept : task_(std::move(task)) {}
    [[nodiscard]] bool await_ready() const noexcept { return !task_; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
      awaiter_.emplace(std::move(task_));
      return awaiter_->await_suspend(waiter);
    }
    void await_resume() {
      if (awaiter_) awaiter_->await_resume();
    }

   private:
    Task<void> task_;
    std::optional<Task<void>::Awaiter> awaiter_;
  };

  /// Bytes in the statement's format; cut anywhere. They are sent in pieces of 64 kB; awaiting waits while more
  /// than 256 kB are unsent and throws the server's error as soon as it is known.
  Flow write(ByteView data) {
    if (message_.empty()) protocol::Pipeline::open_copy_data(message_);
    message_.put(data);
    return flow();
  }
  /// One row of a COPY with FORMAT binary; header and trailer are sent for you. The types must be exactly those of
  /// the columns.
  template <class... Values>
  Flow row(const Values&... values) {
    if (message_.empty() || !rows_) [[unlikely]]
      start_rows();
    message_.put_i16(static_cast<std::int16_t>(sizeof...(Values)));
    (append(values), ...);
    return flow();
  }
  /// Completes the COPY and gives the number of rows.
  Task<std::uint64_t> finish();

 private:
  /// With the last row it fits into kMessage, which is what a stream keeps for its next message.
  static constexpr std::size_t kPiece = 60 << 10;
  static constexpr std::size_t kMessage = 64 << 10;

  template <class T>
  void append(const T& value) {
    using Argument = values::Argument<T>;
    if constexpr (values::is_null_literal<Argument>) {
      message_.put_i32(-1);
    } else if constexpr (values::is_optional<Argument>) {
      if (value) {
        append(*value);
      } else {
        message_.put_i32(-1);
      }
    } else {
      if (values::encode_counted<Argument>(message_, value) != EncodeStatus::ok) unencodable_ = true;
    }
  }
  void start_rows();
  Flow flow() { return message_.size() < kPiece ? Flow() : Flow(send()); }
  Task<void> send();
  Task<void> begin();

  session::OperationPtr<session::CopyState> state_;
  /// The CopyData message that is being filled; empty or begun.
  base::WriteBuffer message_;
  bool rows_ = false;
  bool unencodable_ = false;
};

class SWITCHYARD_API CopyOut {
 public:
  explicit CopyOut(session::OperationPtr<session::CopyState> state) noexcept : state_(std::move(state)) {}
  CopyOut(CopyOut&&) noexcept = default;
  CopyOut& operator=(CopyOut&&) = delete;
  ~CopyOut();

  /// The next piece (one CopyData message: a line in text and CSV format), valid until the next call; nothing at
  /// the end.
  Task<std::optional<ByteView>> next();
  /// Number of rows, after the end.
  [[nodiscard]] std::uint64_t rows() const noexcept { return state_->affected; }

 private:
  session::OperationPtr<session::CopyState> state_;
  std::string current_;
};

}  // namespace switchyard::inline v0

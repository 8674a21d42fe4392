// The frontend's bookkeeping of one connection after startup: which answer belongs to whom.
//
// Steps are appended to the outgoing buffer as messages and remembered in order; answers are matched to them.
// No sockets, no clock: the owner sends what is in the WriteBuffer and feeds what it receives to on_bytes().
// An answer that the state does not predict ends the session: nothing is ever guessed, so a row can't reach the
// wrong sink. Once warm nothing is allocated per message (descriptions and server errors excepted).
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/limits.hpp>
#include <switchyard/protocol/response.hpp>
#include <switchyard/protocol/row.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::protocol {

/// The arguments of a Bind, already encoded.
struct BindArguments {
  /// Format codes of the values: none (all text), one (for all) or one for each. See kAllBinary.
  std::span<const std::int16_t> formats{};
  /// How many values; at most kMaxParameters.
  std::size_t count = 0;
  /// For each value its int32 length (-1 is NULL) and its bytes.
  ByteView values{};
};

inline constexpr std::int16_t kAllBinary[1] = {kBinaryFormat};
inline constexpr std::int16_t kAllText[1] = {kTextFormat};

/// Result columns are not checked against a description.
inline constexpr int kAnyColumns = -1;

class SWITCHYARD_API Pipeline {
 public:
  struct Options {
    std::uint32_t max_message_size = kMaxMessageSize;  ///< in both directions, bytes
  };

  enum class StepKind : std::uint8_t {
    parse,
    bind,
    describe_statement,
    describe_portal,
    execute,
    close,
    sync,
    query,
  };

  /// Whether a step was appended. Anything but `ok` appended nothing and its sink hears nothing.
  enum class [[nodiscard]] Submitted : std::uint8_t {
    ok,
    closed,             ///< the session has ended
    copy_in_active,     ///< the server waits for COPY data: only copy_data, copy_done and copy_fail are possible
    copy_not_active,    ///< copy_data, copy_done or copy_fail without a COPY FROM STDIN that waits for them
    sync_required,      ///< a simple query behind extended steps needs a sync between: an error before it would
                        ///< make the server swallow it without an answer
    contains_nul,       ///< a name or text holds a zero byte
    too_many,           ///< more than kMaxParameters parameters, or formats that don't match them
    message_too_large,  ///< above max_message_size
    out_of_memory,      ///< the outgoing buffer could not grow: the session must be closed
  };
  /// The error to give to the caller whose step was not appended.
  [[nodiscard]] static Error to_error(Submitted refusal);

  enum class [[nodiscard]] Outcome : std::uint8_t {
    ok,
    protocol_error,  ///< the peer broke the protocol: see error(); close the connection, then on_closed()
    fatal,           ///< the server said FATAL (SessionEvents::on_fatal had it): see error(); close likewise
  };

  /// `out` belongs to the owner and outlives the pipeline.
  explicit Pipeline(base::WriteBuffer& out) noexcept;
  Pipeline(base::WriteBuffer& out, Options options) noexcept;
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline();

  // Steps of the extended protocol. Names: "" is the unnamed statement or portal. A null sink discards.
  Submitted parse(std::string_view name, std::string_view sql, std::span<const Oid> types,
                  ResponseSink* sink) noexcept;
  Submitted bind(std::string_view portal, std::string_view statement, const BindArguments& arguments,
                 std::span<const std::int16_t> result_formats, ResponseSink* sink) noexcept;
  Submitted describe_statement(std::string_view name, ResponseSink* sink) noexcept;
  Submitted describe_portal(std::string_view name, ResponseSink* sink) noexcept;
  /// `max_rows` 0 is no limit. With `columns` given, a row of another width ends the session.
  Submitted execute(std::string_view portal, std::int32_t max_rows, ResponseSink* sink,
                    int columns = kAnyColumns) noexcept;
  Submitted close_statement(std::string_view name, ResponseSink* sink) noexcept;
  Submitted close_portal(std::string_view name, ResponseSink* sink) noexcept;
  Submitted sync(ResponseSink* sink) noexcept;
  /// Bind to the unnamed portal and Execute of it, written at once: the usual way to run a prepared statement.
  Submitted bind_execute(std::string_view statement, const BindArguments& arguments,
                         std::span<const std::int16_t> result_formats, ResponseSink* sink,
                         int columns = kAnyColumns) noexcept;
  /// Complete messages encoded by the caller, one for each of `steps` and in their order, all for one sink.
  /// `query` is not among them. The bytes are trusted.
  Submitted preencoded(ByteView messages, std::span<const StepKind> steps, ResponseSink* sink,
                       int columns = kAnyColumns) noexcept;
  /// Asks the server to send what it has; no answer of its own.
  Submitted flush() noexcept;

  /// Simple query: one or more statements in one text.
  Submitted query(std::string_view sql, ResponseSink* sink) noexcept;

  // COPY FROM STDIN, after on_copy_in(). Started with execute(), the COPY must be submitted without a sync behind
  // it (use flush()): PostgreSQL ignores a Sync while it waits for data. Send sync() after copy_done() or
  // copy_fail(), and after an error of the COPY.
  Submitted copy_data(ByteView data) noexcept;
  Submitted copy_done() noexcept;
  Submitted copy_fail(std::string_view reason) noexcept;

  /// Says goodbye; nothing can be submitted afterwards.
  void terminate() noexcept;

  /// Decodes every complete message and calls the sinks. Bytes of an incomplete message stay in the buffer.
  Outcome on_bytes(base::ReadBuffer& in, SessionEvents& events) noexcept;
  /// The connection is gone: each step not yet finished gets on_lost(), in order; then nothing can be submitted.
  void on_closed(const Error& error) noexcept;
  /// From a callback: on_bytes() returns after this message, leaving the rest in the buffer. The owner calls
  /// on_bytes() again to go on.
  void hold() noexcept { hold_ = true; }

  /// Forgets a sink wherever it waits; its answers are discarded. An abandoned COPY FROM STDIN that waits for data
  /// is ended with CopyFail.
  void abandon(const ResponseSink* sink) noexcept;

  /// Bytes still missing to complete the next message, as far as is known; at least 1.
  [[nodiscard]] std::size_t need() const noexcept { return need_; }
  /// Steps not finished.
  [[nodiscard]] std::size_t outstanding() const noexcept { return static_cast<std::size_t>(tail_ - head_); }
  /// No step is outstanding and no sync is owed.
  [[nodiscard]] bool idle() const noexcept { return head_ == tail_ && !needs_sync(); }
  /// Extended steps were submitted (or failed) and no sync behind them.
  [[nodiscard]] bool needs_sync() const noexcept { return unsynced_; }
  /// As of the last on_ready: 'I' idle, 'T' in a transaction, 'E' in a failed transaction.
  [[nodiscard]] char transaction_status() const noexcept { return status_; }
  /// The server waits for COPY data from us.
  [[nodiscard]] bool copy_in_active() const noexcept { return copy_ == Copy::in; }
  /// The sink whose answer is due next, or null. A discarded one is null.
  [[nodiscard]] const ResponseSink* head() const noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  /// Why on_bytes() did not return ok; null before.
  [[nodiscard]] const Error* error() const noexcept { return error_ ? &*error_ : nullptr; }

 private:
  struct Step {
    ResponseSink* sink;
    StepKind kind;
    std::int16_t columns;
  };
  /// What the step at the head waits for, where its kind alone does not say.
  enum class Phase : std::uint8_t {
    start,      ///< the first message of the answer
    described,  ///< describe_statement: after ParameterDescription; query: after RowDescription, rows follow
    rows,       ///< execute: at least one row came
    copy,       ///< a COPY is under way
    copy_end,   ///< COPY data is complete: CommandComplete follows
    failed,     ///< query: after ErrorResponse; sync: likewise. Only ReadyForQuery follows
    empty,      ///< query: after EmptyQueryResponse
  };
  enum class Copy : std::uint8_t { none, in, in_ended, in_failed, out };

  [[nodiscard]] bool on_message(char type, ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_any_time(char type, ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_data_row(ByteView body) noexcept;
  [[nodiscard]] bool on_error_response(ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_ready_for_query(ByteView body);
  [[nodiscard]] bool on_row_description(ByteView body);
  [[nodiscard]] bool on_parameter_description(ByteView body);
  [[nodiscard]] bool on_command_complete(ByteView body);
  [[nodiscard]] bool on_copy_response(char type, ByteView body);
  [[nodiscard]] bool on_simple_answer(char type, ByteView body);
  bool unexpected(char type);
  bool malformed(std::string_view message, std::string_view why);
  bool protocol_error(std::string text);

  [[nodiscard]] Step& at(std::uint32_t index) noexcept { return ring_[index & mask_]; }
  [[nodiscard]] const Step& at(std::uint32_t index) const noexcept { return ring_[index & mask_]; }
  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  [[nodiscard]] bool reserve(std::size_t steps) noexcept;
  void push(StepKind kind, ResponseSink* sink, int columns) noexcept;
  void pop() noexcept;
  void skip_to_sync() noexcept;
  [[nodiscard]] Submitted admit(std::size_t steps) noexcept;
  [[nodiscard]] Submitted named_step(char message, char what, StepKind kind, std::string_view name,
                                     ResponseSink* sink) noexcept;
  [[nodiscard]] Submitted copy_end(char message, std::string_view reason) noexcept;
  [[nodiscard]] char* message(char type, std::uint64_t body) noexcept;

  base::WriteBuffer& out_;
  std::unique_ptr<Step[]> ring_;
  std::uint32_t mask_ = 0;
  std::uint32_t head_ = 0;  ///< free-running, as tail_; the ring has a power of two of places
  std::uint32_t tail_ = 0;
  std::uint32_t max_message_size_;
  Phase phase_ = Phase::start;
  Copy copy_ = Copy::none;
  char status_ = 'I';
  bool skipping_ = false;  ///< the server ignores everything up to the next Sync
  bool unsynced_ = false;
  bool closed_ = false;
  bool in_callback_ = false;
  bool hold_ = false;
  bool malformed_row_ = false;
  std::size_t need_ = 5;
  int columns_ = kAnyColumns;  ///< of the result being received
  std::optional<Error> error_;
  Outcome outcome_ = Outcome::ok;
  std::vector<Oid> types_;             ///< reused for ParameterDescription
  std::vector<std::int16_t> formats_;  ///< reused for CopyInResponse and CopyOutResponse
};

}  // namespace switchyard::inline v0::protocol

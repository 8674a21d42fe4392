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
    too_many,           ///< more than kMaxParameters parameters, formats that don't match them, or more than
                        ///< kMaxOutstandingSteps steps
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
  /// `max_rows` as for execute().
  Submitted bind_execute(std::string_view statement, const BindArguments& arguments,
                         std::span<const std::int16_t> result_formats, ResponseSink* sink,
                         int columns = kAnyColumns, std::int32_t max_rows = 0) noexcept;
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
  /// The same without copying the data: append them behind open_copy_data(message). With `ok` the message is empty
  /// afterwards and owns the memory of the outgoing buffer, if that was empty.
  static void open_copy_data(base::WriteBuffer& message) noexcept;
  Submitted copy_data_message(base::WriteBuffer& message) noexcept;
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
  void hold() noexcept { hold_ = run_over_ = true; }

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
  /// Nothing can be submitted any more.
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  /// Why on_bytes() did not return ok; null before.
  [[nodiscard]] const Error* error() const noexcept { return error_ ? &*error_ : nullptr; }

 private:
  struct Step {
    ResponseSink* sink;
    StepKind kind;
    std::int32_t columns;
  };
  /// How far the answer of the step at the head has come, where its kind alone does not say.
  enum class Phase : std::uint8_t {
    start,      ///< nothing came
    described,  ///< describe_statement: ParameterDescription came
    rows,       ///< a row came, or for a query the description of rows
    copy,       ///< CopyInResponse or CopyOutResponse came
    copy_end,   ///< CopyDone of the server came
    completed,  ///< query: CommandComplete or EmptyQueryResponse came; another result or ReadyForQuery follows
    failed,     ///< query, sync: ErrorResponse came; only ReadyForQuery follows
  };
  enum class Copy : std::uint8_t { none, in, in_ended, in_failed, out };

  // Each handles one message; false ends the session, with outcome_ and error_ set.
  [[nodiscard]] bool on_message(char type, ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_data_row(ByteView body);
  [[nodiscard]] bool on_notice(ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_parameter_status(ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_notification(ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_error_response(ByteView body, SessionEvents& events);
  [[nodiscard]] bool on_ready_for_query(ByteView body);
  [[nodiscard]] bool on_bodyless(char type, ByteView body);
  [[nodiscard]] bool on_parameter_description(ByteView body);
  [[nodiscard]] bool on_row_description(ByteView body);
  [[nodiscard]] bool on_no_data();
  [[nodiscard]] bool on_result_end(char type);
  [[nodiscard]] bool on_command_complete(ByteView body);
  [[nodiscard]] bool on_copy_in(ByteView body);
  [[nodiscard]] bool on_copy_out(ByteView body);
  [[nodiscard]] bool on_copy_data(ByteView body);
  [[nodiscard]] bool on_copy_done();
  [[nodiscard]] bool end_session(Error error, Outcome outcome);
  [[nodiscard]] bool unexpected(char type);
  [[nodiscard]] std::string_view expected() const noexcept;

  [[nodiscard]] Step& at(std::uint32_t index) noexcept { return ring_[index & mask_]; }
  [[nodiscard]] const Step& at(std::uint32_t index) const noexcept { return ring_[index & mask_]; }
  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  /// The head is a step of this kind whose answer is due.
  [[nodiscard]] bool due(StepKind kind) const noexcept { return !empty() && !skipping_ && at(head_).kind == kind; }
  [[nodiscard]] bool due(StepKind kind, Phase phase) const noexcept { return due(kind) && phase_ == phase; }
  [[nodiscard]] bool begin_rows() noexcept;
  [[nodiscard]] bool result_begins() const noexcept;
  [[nodiscard]] bool skip_to_sync() noexcept;
  ResponseSink& finish_head() noexcept;
  [[nodiscard]] bool reserve(std::size_t steps) noexcept;
  void push(StepKind kind, ResponseSink* sink, int columns) noexcept;

  struct Room {
    char* at = nullptr;
    Submitted refusal = Submitted::ok;
  };
  [[nodiscard]] Submitted admit(std::size_t steps) noexcept;
  [[nodiscard]] Room room(std::uint64_t bytes) noexcept;
  [[nodiscard]] Submitted targeted(char type, char target, StepKind kind, std::string_view name,
                                   ResponseSink* sink) noexcept;
  [[nodiscard]] Submitted check_arguments(const BindArguments& arguments,
                                          std::span<const std::int16_t> result_formats) const noexcept;

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
  bool run_over_ = false;       ///< the run of rows that is being read goes no further
  bool malformed_row_ = false;  ///< set by the cursor of a RowView
  std::size_t need_ = 5;
  int columns_ = kAnyColumns;  ///< of the result being received
  std::optional<Error> error_;
  Outcome outcome_ = Outcome::ok;
  std::vector<Oid> types_;             ///< reused for ParameterDescription
  std::vector<std::int16_t> formats_;  ///< reused for CopyInResponse and CopyOutResponse
};

}  // namespace switchyard::inline v0::protocol

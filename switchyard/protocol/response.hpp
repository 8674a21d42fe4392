// Who gets the answers of a session.
//
// Callbacks run inside Pipeline::on_bytes() and are noexcept. They may submit steps (which only appends) and
// abandon sinks, their own included; they must not call on_bytes() or on_closed(), nor destroy the pipeline. Every
// view they receive is valid only inside the callback.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/row.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace switchyard::inline v0::protocol {

/// Wants the answers of one or more steps. Each step ends with exactly one of its last callbacks:
///
///     parse               on_parse_complete
///     bind                on_bind_complete
///     describe_statement  on_parameter_description, then on_row_description or on_no_data
///     describe_portal     on_row_description or on_no_data
///     execute             on_rows*, then on_command_complete, on_empty_query or on_portal_suspended;
///                         COPY: on_copy_in, or on_copy_out on_copy_data* on_copy_done, then on_command_complete
///     close               on_close_complete
///     sync                on_ready
///     query               any number of results (as execute, rows preceded by on_row_description), then on_ready
///
/// or, instead of the last one: on_error (not for query and sync, which go on to on_ready after it), on_skipped
/// (not for query and sync), on_lost. on_error before on_ready of a sync means that committing the implicit
/// transaction failed, so nothing since the previous sync took effect although its statements had completed.
class SWITCHYARD_API ResponseSink {
 public:
  virtual ~ResponseSink();
  virtual void on_parse_complete() noexcept;
  virtual void on_bind_complete() noexcept;
  virtual void on_close_complete() noexcept;
  virtual void on_parameter_description(std::span<const Oid> types) noexcept;
  virtual void on_row_description(std::shared_ptr<const RowDescription> description) noexcept;
  virtual void on_no_data() noexcept;
  virtual void on_row(RowView row) noexcept;
  /// Rows that came together: a sink of many rows saves the calls. As it is, each goes to on_row().
  virtual void on_rows(RowRun& run) noexcept;
  /// The command tag: "SELECT 3", "INSERT 0 1", "COMMIT".
  virtual void on_command_complete(std::string_view tag) noexcept;
  virtual void on_empty_query() noexcept;
  /// Execute stopped at its row limit; the portal can be executed again.
  virtual void on_portal_suspended() noexcept;
  /// The server waits for copy_data(), then copy_done() or copy_fail().
  virtual void on_copy_in(const CopyFormat& format) noexcept;
  virtual void on_copy_out(const CopyFormat& format) noexcept;
  virtual void on_copy_data(ByteView data) noexcept;
  virtual void on_copy_done() noexcept;
  /// The server refused this step; the session lives.
  virtual void on_error(const ServerFields& fields) noexcept;
  /// A step behind a failed one: the server has ignored it.
  virtual void on_skipped() noexcept;
  /// 'I' idle, 'T' in a transaction, 'E' in a failed transaction.
  virtual void on_ready(char transaction_status) noexcept;
  /// The session ended before the answer was complete.
  virtual void on_lost(const Error& error) noexcept;
};

/// What a server may say at any time, whoever is being answered.
class SWITCHYARD_API SessionEvents {
 public:
  virtual ~SessionEvents();
  virtual void on_notice(const ServerFields& fields) noexcept;
  virtual void on_parameter_status(std::string_view name, std::string_view value) noexcept;
  virtual void on_notification(std::int32_t process_id, std::string_view channel,
                               std::string_view payload) noexcept;
  /// FATAL or PANIC: the server is about to close the connection.
  virtual void on_fatal(const ServerFields& fields) noexcept;
};

}  // namespace switchyard::inline v0::protocol

#include <switchyard/protocol/response.hpp>

namespace switchyard::inline v0::protocol {

ResponseSink::~ResponseSink() = default;
void ResponseSink::on_parse_complete() noexcept {}
void ResponseSink::on_bind_complete() noexcept {}
void ResponseSink::on_close_complete() noexcept {}
void ResponseSink::on_parameter_description(std::span<const Oid>) noexcept {}
void ResponseSink::on_row_description(std::shared_ptr<const RowDescription>) noexcept {}
void ResponseSink::on_no_data() noexcept {}
void ResponseSink::on_row(RowView) noexcept {}
void ResponseSink::on_rows(RowRun& run) noexcept {
  for (RowView row; run.next(row);) on_row(row);
}
void ResponseSink::on_command_complete(std::string_view) noexcept {}
void ResponseSink::on_empty_query() noexcept {}
void ResponseSink::on_portal_suspended() noexcept {}
void ResponseSink::on_copy_in(const CopyFormat&) noexcept {}
void ResponseSink::on_copy_out(const CopyFormat&) noexcept {}
void ResponseSink::on_copy_data(ByteView) noexcept {}
void ResponseSink::on_copy_done() noexcept {}
void ResponseSink::on_error(const ServerFields&) noexcept {}
void ResponseSink::on_skipped() noexcept {}
void ResponseSink::on_ready(char) noexcept {}
void ResponseSink::on_lost(const Error&) noexcept {}

SessionEvents::~SessionEvents() = default;
void SessionEvents::on_notice(const ServerFields&) noexcept {}
void SessionEvents::on_parameter_status(std::string_view, std::string_view) noexcept {}
void SessionEvents::on_notification(std::int32_t, std::string_view, std::string_view) noexcept {}
void SessionEvents::on_fatal(const ServerFields&) noexcept {}

}  // namespace switchyard::inline v0::protocol

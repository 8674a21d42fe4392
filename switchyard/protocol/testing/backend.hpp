// Messages of a server as strings, for scripts.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/authentication.hpp>
#include <switchyard/protocol/messages/copy.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/rows.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::protocol::testing {

/// The bytes of any message with an encode().
template <class Message>
[[nodiscard]] std::string encoded(const Message& message) {
  base::WriteBuffer out;
  if (!encode(out, message)) return "(not encodable)";
  return std::string(out.view());
}

[[nodiscard]] inline std::string parse_complete() { return encoded(ParseComplete()); }
[[nodiscard]] inline std::string bind_complete() { return encoded(BindComplete()); }
[[nodiscard]] inline std::string close_complete() { return encoded(CloseComplete()); }
[[nodiscard]] inline std::string no_data() { return encoded(NoData()); }
[[nodiscard]] inline std::string portal_suspended() { return encoded(PortalSuspended()); }
[[nodiscard]] inline std::string empty_query() { return encoded(EmptyQueryResponse()); }
[[nodiscard]] inline std::string command_complete(std::string_view tag) { return encoded(CommandComplete{tag}); }
[[nodiscard]] inline std::string ready(char status = 'I') { return encoded(ReadyForQuery{status}); }
[[nodiscard]] inline std::string parameter_status(std::string_view name, std::string_view value) {
  return encoded(ParameterStatus{name, value});
}
[[nodiscard]] inline std::string notification(std::int32_t pid, std::string_view channel,
                                              std::string_view payload) {
  return encoded(NotificationResponse{pid, channel, payload});
}
[[nodiscard]] inline std::string backend_key(std::int32_t pid, std::string_view secret) {
  return encoded(BackendKeyData{pid, secret});
}
[[nodiscard]] inline std::string authentication(std::int32_t code, std::string_view data = {}) {
  return encoded(Authentication{code, data});
}
[[nodiscard]] inline std::string sasl(const std::vector<std::string_view>& mechanisms) {
  base::WriteBuffer out;
  (void)encode_sasl_mechanisms(out, mechanisms);
  return std::string(out.view());
}
[[nodiscard]] inline std::string parameter_description(const std::vector<Oid>& types) {
  return encoded(ParameterDescription{std::span<const Oid>(types)});
}
/// Text columns of type text.
[[nodiscard]] inline std::string row_description(const std::vector<std::string_view>& names) {
  std::vector<FieldDescription> fields;
  for (const std::string_view name : names) {
    FieldDescription field;
    field.name = name;
    field.type = 25;
    field.type_size = -1;
    field.type_modifier = -1;
    fields.push_back(field);
  }
  base::WriteBuffer out;
  (void)encode_row_description(out, fields);
  return std::string(out.view());
}
/// Nothing is NULL.
[[nodiscard]] inline std::string data_row(const std::vector<std::optional<std::string_view>>& values) {
  std::vector<FieldView> fields;
  for (const auto& value : values) {
    fields.push_back(value ? FieldView{value->data(), static_cast<std::int32_t>(value->size())} : FieldView());
  }
  base::WriteBuffer out;
  (void)encode_data_row(out, fields);
  return std::string(out.view());
}
[[nodiscard]] inline ServerFields server_fields(std::string severity, std::string sqlstate, std::string message) {
  ServerFields fields;
  fields.severity_localized = severity;
  fields.severity = std::move(severity);
  fields.sqlstate = std::move(sqlstate);
  fields.message = std::move(message);
  return fields;
}
[[nodiscard]] inline std::string error_response(std::string sqlstate, std::string severity = "ERROR",
                                                std::string message = "refused") {
  base::WriteBuffer out;
  encode_error_response(out, server_fields(std::move(severity), std::move(sqlstate), std::move(message)));
  return std::string(out.view());
}
[[nodiscard]] inline std::string notice_response(std::string message) {
  base::WriteBuffer out;
  encode_notice_response(out, server_fields("NOTICE", "00000", std::move(message)));
  return std::string(out.view());
}
/// One text column.
[[nodiscard]] inline std::string copy_response(char type) {
  static constexpr std::int16_t kFormats[] = {0};
  return encoded(CopyResponse{type, false, std::span<const std::int16_t>(kFormats)});
}
[[nodiscard]] inline std::string copy_data(std::string_view data) { return encoded(CopyData{data}); }
[[nodiscard]] inline std::string copy_done() { return encoded(CopyDone()); }

/// Where each message of a stream of backend messages begins, up to the first that has no valid length.
[[nodiscard]] inline std::vector<std::size_t> message_starts(std::string_view stream) {
  std::vector<std::size_t> starts;
  for (std::size_t at = 0; at + 5 <= stream.size();) {
    starts.push_back(at);
    const std::size_t length = base::load_be<std::uint32_t>(stream.data() + at + 1);
    if (length < 4) break;
    at += 1 + length;
  }
  return starts;
}

}  // namespace switchyard::inline v0::protocol::testing

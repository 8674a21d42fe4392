#include <switchyard/protocol/error_fields.hpp>

#include <switchyard/protocol/body_reader.hpp>
#include <switchyard/protocol/message_writer.hpp>

#include <array>
#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {
namespace {

struct FieldCode {
  char code;
  std::string ServerFields::* field;
};
// Manual chapter 55.8, in the order of a server. S comes first, so that V, which is never translated, wins for the
// severity.
constexpr std::array kFields{
    FieldCode{'S', &ServerFields::severity_localized},
    FieldCode{'V', &ServerFields::severity},
    FieldCode{'C', &ServerFields::sqlstate},
    FieldCode{'M', &ServerFields::message},
    FieldCode{'D', &ServerFields::detail},
    FieldCode{'H', &ServerFields::hint},
    FieldCode{'W', &ServerFields::where},
    FieldCode{'s', &ServerFields::schema},
    FieldCode{'t', &ServerFields::table},
    FieldCode{'c', &ServerFields::column},
    FieldCode{'d', &ServerFields::data_type},
    FieldCode{'n', &ServerFields::constraint},
    FieldCode{'P', &ServerFields::position},
    FieldCode{'p', &ServerFields::internal_position},
    FieldCode{'q', &ServerFields::internal_query},
    FieldCode{'F', &ServerFields::file},
    FieldCode{'L', &ServerFields::line},
    FieldCode{'R', &ServerFields::routine},
};

void encode(base::WriteBuffer& out, char type, const ServerFields& fields) noexcept {
  MessageWriter writer(out, type);
  for (const FieldCode& entry : kFields) {
    const std::string& text = fields.*entry.field;
    if (text.empty()) continue;
    writer.u8(static_cast<std::uint8_t>(entry.code)).cstring(std::string_view(text.c_str()));
  }
  (void)writer.u8(0).finish();
}

}  // namespace

Result<ServerFields> decode_error_fields(ByteView body) {
  ServerFields fields;
  BodyReader reader(body);
  for (;;) {
    const auto code = static_cast<char>(reader.byte());
    if (reader.failed()) return malformed_message("ErrorResponse or NoticeResponse");
    if (code == '\0') break;
    const std::string_view text = reader.cstring();
    if (reader.failed()) return malformed_message("ErrorResponse or NoticeResponse");
    for (const FieldCode& entry : kFields) {
      if (entry.code == code) {
        (fields.*entry.field).assign(text);
        break;
      }
    }
  }
  if (!reader.finished()) return malformed_message("ErrorResponse or NoticeResponse");
  if (fields.severity.empty()) fields.severity = fields.severity_localized;
  return fields;
}

void encode_error_response(base::WriteBuffer& out, const ServerFields& fields) noexcept {
  encode(out, 'E', fields);
}
void encode_notice_response(base::WriteBuffer& out, const ServerFields& fields) noexcept {
  encode(out, 'N', fields);
}

ServerFields make_fields(std::string_view severity, std::string_view sqlstate, std::string message) {
  ServerFields fields;
  fields.severity = fields.severity_localized = severity;
  fields.sqlstate = sqlstate;
  fields.message = std::move(message);
  return fields;
}

bool ends_session(const ServerFields& fields) noexcept {
  return fields.severity == "FATAL" || fields.severity == "PANIC";
}

}  // namespace switchyard::inline v0::protocol

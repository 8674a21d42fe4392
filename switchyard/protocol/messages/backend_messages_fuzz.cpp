// A hostile server against each decoder of a client. What decodes must encode to the same bytes; error fields,
// which may come in any order, must be stable from the first encoding on.
#include <switchyard/protocol/error_fields.hpp>
#include <switchyard/protocol/messages/authentication.hpp>
#include <switchyard/protocol/messages/copy.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/rows.hpp>
#include <switchyard/protocol/messages/session.hpp>

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace switchyard;
using namespace switchyard::protocol;

constexpr std::size_t kHeader = 5;

template <class Message>
void compare(const Message& message, ByteView body) {
  base::WriteBuffer out;
  if (!encode(out, message) || out.view().substr(kHeader) != body) std::abort();
}
template <class Message>
void check(ByteView body) {
  const auto message = Message::decode(body);
  if (message.ok()) compare(*message, body);
}

void check_row_description(ByteView body) {
  const auto description = RowDescription::decode(body);
  if (!description.ok()) return;
  base::WriteBuffer out;
  if (!encode_row_description(out, (*description)->fields()) || out.view().substr(kHeader) != body) std::abort();
}

void check_row(ByteView body) {
  const auto row = DataRow::decode(body);
  if (!row.ok()) return;
  compare(*row, body);
  std::vector<FieldView> fields;
  for (FieldCursor cursor = row->row.fields(); cursor.remaining() > 0;) fields.push_back(cursor.next());
  base::WriteBuffer out;
  if (!encode_data_row(out, fields) || out.view().substr(kHeader) != body) std::abort();
}

void check_error_fields(ByteView body) {
  const auto fields = decode_error_fields(body);
  if (!fields.ok()) return;
  base::WriteBuffer once;
  encode_error_response(once, *fields);
  const auto again = decode_error_fields(once.view().substr(kHeader));
  if (!again.ok()) std::abort();
  base::WriteBuffer twice;
  encode_error_response(twice, *again);
  if (once.view() != twice.view()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 16) {
    case 0: check<CommandComplete>(body); break;
    case 1: check<ReadyForQuery>(body); break;
    case 2: check<FunctionCallResponse>(body); break;
    case 3: check<ParameterDescription>(body); break;
    case 4: check<ParameterStatus>(body); break;
    case 5: check<BackendKeyData>(body); break;
    case 6: check<NotificationResponse>(body); break;
    case 7: check<NegotiateProtocolVersion>(body); break;
    case 8: check_row(body); break;
    case 9: check_row_description(body); break;
    case 10: check_error_fields(body); break;
    case 11: {
      const auto message = CopyResponse::decode('G', body);
      if (message.ok()) compare(*message, body);
      break;
    }
    case 12: {
      const auto message = Authentication::decode(body);
      if (!message.ok()) break;
      compare(*message, body);
      (void)message->mechanisms();
      break;
    }
    default: {
      // A row whose lengths nobody has checked.
      bool malformed = false;
      const RowView row(body, data[0], &malformed);
      FieldCursor cursor = row.fields();
      std::size_t bytes = 0;
      while (cursor.remaining() > 0) bytes += cursor.next().bytes().size();
      if (bytes > body.size() || cursor.failed() == row.well_formed()) std::abort();
      (void)row[data[0] / 2];
    }
  }
  return 0;
}

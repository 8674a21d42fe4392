// A hostile client against the decoders of a server. What decodes must encode to the same bytes.
#include <switchyard/protocol/frame.hpp>
#include <switchyard/protocol/messages/authentication.hpp>
#include <switchyard/protocol/messages/copy.hpp>
#include <switchyard/protocol/messages/extended.hpp>
#include <switchyard/protocol/messages/query.hpp>
#include <switchyard/protocol/messages/session.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>

#include <cstdint>
#include <cstdlib>

namespace {

using namespace switchyard;
using namespace switchyard::protocol;

template <class Message>
void check(ByteView whole, std::size_t header) {
  const auto message = Message::decode(whole.substr(header));
  if (!message.ok()) return;
  base::WriteBuffer out;
  if (!encode(out, *message) || out.view() != whole) std::abort();
}

void check_startup(ByteView input) {
  const auto size = startup_packet_size(input);
  if (!size.ok() || *size == 0 || *size > input.size()) return;
  const auto packet = decode_startup_packet(input.substr(4, *size - 4));
  if (!packet.ok()) return;
  base::WriteBuffer out;
  const bool encoded = std::visit([&](const auto& message) { return encode(out, message); }, *packet);
  if (!encoded || out.view() != input.substr(0, *size)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(reinterpret_cast<const char*>(data), size);
  check_startup(input);
  for (ByteView rest = input; !rest.empty();) {
    const Frame frame = next_frame(rest, frontend_limits());
    if (frame.status != FrameStatus::complete) {
      (void)frame_error(frame, frontend_limits(), kMaxMessageSize);
      break;
    }
    const ByteView whole = rest.substr(0, frame.total);
    rest.remove_prefix(frame.total);
    switch (frame.type) {
      case 'Q': check<Query>(whole, kFrameHeader); break;
      case 'F': check<FunctionCall>(whole, kFrameHeader); break;
      case 'P': check<Parse>(whole, kFrameHeader); break;
      case 'B': check<Bind>(whole, kFrameHeader); break;
      case 'D': check<Describe>(whole, kFrameHeader); break;
      case 'C': check<Close>(whole, kFrameHeader); break;
      case 'E': check<Execute>(whole, kFrameHeader); break;
      case 'S': check<Sync>(whole, kFrameHeader); break;
      case 'H': check<Flush>(whole, kFrameHeader); break;
      case 'X': check<Terminate>(whole, kFrameHeader); break;
      case 'd': check<CopyData>(whole, kFrameHeader); break;
      case 'c': check<CopyDone>(whole, kFrameHeader); break;
      case 'f': check<CopyFail>(whole, kFrameHeader); break;
      case 'p':
        check<PasswordMessage>(whole, kFrameHeader);
        check<SASLInitialResponse>(whole, kFrameHeader);
        check<SASLResponse>(whole, kFrameHeader);
        break;
      default: std::abort();
    }
  }
  return 0;
}

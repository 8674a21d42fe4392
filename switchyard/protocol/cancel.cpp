#include <switchyard/protocol/cancel.hpp>

#include <switchyard/protocol/message_writer.hpp>
#include <switchyard/protocol/messages/startup_packet.hpp>

namespace switchyard::inline v0::protocol {

bool encode_cancel_request(base::WriteBuffer& out, const BackendKey& key) noexcept {
  return encode(out, CancelRequest{key.process_id, key.secret});
}

}  // namespace switchyard::inline v0::protocol

// CancelRequest: sent on a connection of its own, over the same transport as the session's. The server answers by
// closing it.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/startup_options.hpp>

namespace switchyard::inline v0::protocol {

/// Appends the message. False, and nothing is appended, if the key's length is not allowed (4 to 256 bytes).
[[nodiscard]] SWITCHYARD_API bool encode_cancel_request(base::WriteBuffer& out, const BackendKey& key) noexcept;

}  // namespace switchyard::inline v0::protocol

// What two processes say to each other when one takes over from the other, as values and bytes.
//
//     old: HandoverHello, HandoverDoor for each listening socket (with it), HandoverReady
//     old: TravellingClient (with its socket) whenever a client can go, HandoverDone when none is left
//     new: HandoverCancel for keys that it does not know
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/gateway/travelling_client.hpp>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace switchyard::inline v0::gateway {

/// Of the messages; processes that differ in it don't take over from each other.
inline constexpr std::uint32_t kHandoverVersion = 1;

struct HandoverHello {
  std::uint32_t version = kHandoverVersion;
  std::vector<std::uint32_t> ids;  ///< of clients that may still come
  friend bool operator==(const HandoverHello&, const HandoverHello&) = default;
};
struct HandoverDoor {
  friend bool operator==(const HandoverDoor&, const HandoverDoor&) = default;
};
struct HandoverReady {
  friend bool operator==(const HandoverReady&, const HandoverReady&) = default;
};
struct HandoverDone {
  friend bool operator==(const HandoverDone&, const HandoverDone&) = default;
};
struct HandoverCancel {
  std::int32_t process_id = 0;
  std::string secret;
  friend bool operator==(const HandoverCancel&, const HandoverCancel&) = default;
};

using HandoverMessage =
    std::variant<HandoverHello, HandoverDoor, HandoverReady, TravellingClient, HandoverDone, HandoverCancel>;

[[nodiscard]] SWITCHYARD_API std::string encode_handover(const HandoverMessage& message);
/// Total; Protocol for what is none.
[[nodiscard]] SWITCHYARD_API Result<HandoverMessage> decode_handover(ByteView bytes);

}  // namespace switchyard::inline v0::gateway

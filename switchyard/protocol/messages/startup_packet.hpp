// The packets that open a connection. They have no type byte: an int32 length, then an int32 code.
#pragma once

#include <switchyard/protocol/messages/message.hpp>

#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard::inline v0::protocol {

inline constexpr std::uint32_t kSslRequestCode = 80877103;
inline constexpr std::uint32_t kGssEncRequestCode = 80877104;
inline constexpr std::uint32_t kCancelRequestCode = 80877102;

/// The first message of a session. "user" comes first by custom; names and values are not checked.
struct SWITCHYARD_API StartupMessage {
  static constexpr std::string_view kName = "StartupMessage";
  std::uint32_t version = 3U << 16;
  std::vector<std::pair<std::string_view, std::string_view>> parameters;
  friend bool operator==(const StartupMessage&, const StartupMessage&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const StartupMessage& message) noexcept;

struct SslRequest {
  friend bool operator==(const SslRequest&, const SslRequest&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const SslRequest&) noexcept;

struct GssEncRequest {
  friend bool operator==(const GssEncRequest&, const GssEncRequest&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const GssEncRequest&) noexcept;

struct CancelRequest {
  static constexpr std::string_view kName = "CancelRequest";
  std::int32_t process_id = 0;
  ByteView secret;  ///< 4 to 256 bytes
  friend bool operator==(const CancelRequest&, const CancelRequest&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const CancelRequest& message) noexcept;

using StartupPacket = std::variant<StartupMessage, SslRequest, GssEncRequest, CancelRequest>;

/// Length of the packet at the start of `in`, its length word included: 0 if the word is not there yet, an error if
/// it is below 8 or above kMaxStartupPacketSize.
[[nodiscard]] SWITCHYARD_API Result<std::size_t> startup_packet_size(ByteView in);
/// Decodes a packet behind its length word: the code decides what it is. The major version must be 3.
[[nodiscard]] SWITCHYARD_API Result<StartupPacket> decode_startup_packet(ByteView body);

}  // namespace switchyard::inline v0::protocol

// Messages about the session itself.
#pragma once

#include <switchyard/protocol/messages/message.hpp>

#include <vector>

namespace switchyard::inline v0::protocol {

/// Backend: the value of a setting that clients want to know.
struct SWITCHYARD_API ParameterStatus {
  static constexpr char kType = 'S';
  static constexpr std::string_view kName = "ParameterStatus";
  std::string_view name;
  std::string_view value;
  [[nodiscard]] static Result<ParameterStatus> decode(ByteView body);
  friend bool operator==(const ParameterStatus&, const ParameterStatus&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const ParameterStatus& message) noexcept;

/// Backend: what a CancelRequest needs. The key has 4 to 256 bytes.
struct SWITCHYARD_API BackendKeyData {
  static constexpr char kType = 'K';
  static constexpr std::string_view kName = "BackendKeyData";
  std::int32_t process_id = 0;
  ByteView secret;
  [[nodiscard]] static Result<BackendKeyData> decode(ByteView body);
  friend bool operator==(const BackendKeyData&, const BackendKeyData&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const BackendKeyData& message) noexcept;

/// Backend: NOTIFY.
struct SWITCHYARD_API NotificationResponse {
  static constexpr char kType = 'A';
  static constexpr std::string_view kName = "NotificationResponse";
  std::int32_t process_id = 0;  ///< who notified
  std::string_view channel;
  std::string_view payload;
  [[nodiscard]] static Result<NotificationResponse> decode(ByteView body);
  friend bool operator==(const NotificationResponse&, const NotificationResponse&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const NotificationResponse& message) noexcept;

/// Backend: the server speaks an older minor version, or does not know some _pq_. options.
struct SWITCHYARD_API NegotiateProtocolVersion {
  static constexpr char kType = 'v';
  static constexpr std::string_view kName = "NegotiateProtocolVersion";
  std::uint32_t version = 0;  ///< major << 16 | minor, the newest it speaks
  std::vector<std::string_view> unsupported;
  [[nodiscard]] static Result<NegotiateProtocolVersion> decode(ByteView body);
  friend bool operator==(const NegotiateProtocolVersion&, const NegotiateProtocolVersion&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const NegotiateProtocolVersion& message) noexcept;

/// Frontend: goodbye.
struct TerminateName {
  static constexpr std::string_view text = "Terminate";
};
using Terminate = BodylessMessage<'X', TerminateName>;

}  // namespace switchyard::inline v0::protocol

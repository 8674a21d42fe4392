// Splits a stream of bytes into messages: a type byte, an int32 length that counts itself, and a body. The length
// is checked against the limit of its type before anything is allocated or waited for.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/protocol/limits.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace switchyard::inline v0::protocol {

/// Type byte and length.
inline constexpr std::size_t kFrameHeader = 5;

/// The largest allowed value of the length word for each type; 0 marks types that don't exist.
using FrameLimits = std::array<std::uint32_t, 256>;
/// What a server may send.
[[nodiscard]] SWITCHYARD_API const FrameLimits& backend_limits() noexcept;
/// What a client may send after startup.
[[nodiscard]] SWITCHYARD_API const FrameLimits& frontend_limits() noexcept;

enum class FrameStatus : std::uint8_t {
  complete,
  incomplete,    ///< `need` more bytes are wanted
  unknown_type,  ///< no message has this type
  bad_length,    ///< less than 4
  too_large,     ///< above the limit of its type, or max_message_size
};

struct Frame {
  FrameStatus status = FrameStatus::incomplete;
  char type = 0;
  ByteView body{};
  std::size_t total = 0;     ///< bytes of the whole message; with `complete` and with `incomplete` if known
  std::size_t need = 0;      ///< bytes missing, at least 1, if incomplete
  std::uint32_t length = 0;  ///< the length word as sent
};

/// The first message in `in`.
[[nodiscard]] inline Frame next_frame(ByteView in, const FrameLimits& limits,
                                      std::uint32_t max_message_size = kMaxMessageSize) noexcept {
  Frame frame;
  if (in.empty()) {
    frame.need = kFrameHeader;
    return frame;
  }
  frame.type = in.front();
  const std::uint32_t limit = limits[static_cast<unsigned char>(frame.type)];
  if (limit == 0) [[unlikely]] {
    frame.status = FrameStatus::unknown_type;
    return frame;
  }
  if (in.size() < kFrameHeader) {
    frame.need = kFrameHeader - in.size();
    return frame;
  }
  frame.length = base::load_be<std::uint32_t>(in.data() + 1);
  if (frame.length < 4) [[unlikely]] {
    frame.status = FrameStatus::bad_length;
    return frame;
  }
  if (frame.length > limit || frame.length > max_message_size) [[unlikely]] {
    frame.status = FrameStatus::too_large;
    return frame;
  }
  frame.total = std::size_t{frame.length} + 1;
  if (in.size() < frame.total) {
    frame.need = frame.total - in.size();
    return frame;
  }
  frame.status = FrameStatus::complete;
  frame.body = in.substr(kFrameHeader, frame.length - 4);
  return frame;
}

/// The Protocol error for a frame that can't be read; names the limit that was crossed.
[[nodiscard]] SWITCHYARD_API Error frame_error(const Frame& frame, const FrameLimits& limits,
                                               std::uint32_t max_message_size);

/// How a message type is written in errors: 'D', or \x07 if it is not printable.
[[nodiscard]] SWITCHYARD_API std::string show_type(char type);

}  // namespace switchyard::inline v0::protocol

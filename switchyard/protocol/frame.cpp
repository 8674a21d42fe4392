#include <switchyard/protocol/frame.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {
namespace {

constexpr void allow(FrameLimits& limits, std::string_view types, std::uint32_t size) {
  for (const char type : types) limits[static_cast<unsigned char>(type)] = size;
}

constexpr FrameLimits make_backend_limits() {
  FrameLimits limits{};
  // libpq's VALID_LONG_MESSAGE_TYPE: these may be of any size.
  allow(limits, "dDEVNAT", kMaxMessageSize);
  // Authentication, BackendKeyData, Bind/Close/ParseComplete, CommandComplete, CopyIn/Out/Both, CopyDone,
  // EmptyQuery, NegotiateProtocolVersion, NoData, ParameterStatus, PortalSuspended, ReadyForQuery.
  allow(limits, "RK231CGHWcIvnSsZ", kMaxShortMessageSize);
  // A statement may have 65 535 parameters.
  allow(limits, "t", 4 + 2 + 4 * kMaxParameters);
  return limits;
}

constexpr FrameLimits make_frontend_limits() {
  FrameLimits limits{};
  // Bind, CopyData, FunctionCall, Parse, Query.
  allow(limits, "BdFPQ", kMaxMessageSize);
  // Close, CopyDone, CopyFail, Describe, Execute, Flush, Sync, Terminate.
  allow(limits, "CcfDEHSX", kMaxShortClientMessageSize);
  // GSSResponse, PasswordMessage, SASLInitialResponse, SASLResponse.
  allow(limits, "p", kMaxClientTokenSize);
  return limits;
}

constinit const FrameLimits kBackendLimits = make_backend_limits();
constinit const FrameLimits kFrontendLimits = make_frontend_limits();

}  // namespace

const FrameLimits& backend_limits() noexcept { return kBackendLimits; }
const FrameLimits& frontend_limits() noexcept { return kFrontendLimits; }

std::string show_type(char type) {
  if (type > ' ' && type < 0x7f) return std::string("'") + type + "'";
  static constexpr char kDigits[] = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(type);
  return std::string("\\x") + kDigits[value >> 4] + kDigits[value & 15];
}

Error frame_error(const Frame& frame, const FrameLimits& limits, std::uint32_t max_message_size) {
  std::string text;
  switch (frame.status) {
    case FrameStatus::unknown_type: text = "unknown message type " + show_type(frame.type); break;
    case FrameStatus::bad_length:
      text = "message " + show_type(frame.type) + " has length " + std::to_string(frame.length) +
             ", at least 4 is needed";
      break;
    case FrameStatus::too_large:
      text = "message " + show_type(frame.type) + " of " + std::to_string(frame.length) + " bytes is larger than ";
      if (const std::uint32_t limit = limits[static_cast<unsigned char>(frame.type)]; limit < max_message_size) {
        text += "the " + std::to_string(limit) + " bytes allowed for this type";
      } else {
        text += "max_message_size (" + std::to_string(max_message_size) + " bytes)";
      }
      break;
    case FrameStatus::complete:
    case FrameStatus::incomplete: text = "message " + show_type(frame.type) + " is incomplete"; break;
  }
  return Error(ErrorKind::Protocol, std::move(text), ErrorStage::sent).with_session_lost();
}

}  // namespace switchyard::inline v0::protocol

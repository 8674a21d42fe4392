// ErrorResponse and NoticeResponse as ServerFields, both ways.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::protocol {

/// Decodes the body of an ErrorResponse or NoticeResponse. Unknown field codes are ignored, as the manual asks.
/// Fails with Protocol if the body is malformed.
[[nodiscard]] SWITCHYARD_API Result<ServerFields> decode_error_fields(ByteView body);

/// Appends an ErrorResponse ('E') or NoticeResponse ('N') with every field that is not empty. Zero bytes end a
/// field early, as C strings do.
SWITCHYARD_API void encode_error_response(base::WriteBuffer& out, const ServerFields& fields) noexcept;
SWITCHYARD_API void encode_notice_response(base::WriteBuffer& out, const ServerFields& fields) noexcept;

/// An error or a notice of our own; the rest is empty.
[[nodiscard]] SWITCHYARD_API ServerFields make_fields(std::string_view severity, std::string_view sqlstate,
                                                      std::string message);

/// FATAL and PANIC end the session.
[[nodiscard]] SWITCHYARD_API bool ends_session(const ServerFields& fields) noexcept;

}  // namespace switchyard::inline v0::protocol

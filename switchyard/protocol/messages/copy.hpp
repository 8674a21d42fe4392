// COPY in both directions.
#pragma once

#include <switchyard/protocol/messages/message.hpp>

namespace switchyard::inline v0::protocol {

/// Both roles: a piece of data; pieces need not end where rows do.
struct SWITCHYARD_API CopyData {
  static constexpr char kType = 'd';
  static constexpr std::string_view kName = "CopyData";
  ByteView data;
  [[nodiscard]] static Result<CopyData> decode(ByteView body);
  friend bool operator==(const CopyData&, const CopyData&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const CopyData& message) noexcept;

/// Both roles: no more data.
struct CopyDoneName {
  static constexpr std::string_view text = "CopyDone";
};
using CopyDone = BodylessMessage<'c', CopyDoneName>;

/// Frontend: the COPY is to fail with this reason.
struct SWITCHYARD_API CopyFail {
  static constexpr char kType = 'f';
  static constexpr std::string_view kName = "CopyFail";
  std::string_view reason;
  [[nodiscard]] static Result<CopyFail> decode(ByteView body);
  friend bool operator==(const CopyFail&, const CopyFail&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const CopyFail& message) noexcept;

/// Backend: a COPY begins. Type 'G' waits for data, 'H' sends data, 'W' does both (streaming replication).
struct SWITCHYARD_API CopyResponse {
  static constexpr char kIn = 'G';
  static constexpr char kOut = 'H';
  static constexpr char kBoth = 'W';
  char type = kIn;
  bool binary = false;
  FormatList columns;
  [[nodiscard]] static Result<CopyResponse> decode(char type, ByteView body);
  friend bool operator==(const CopyResponse&, const CopyResponse&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const CopyResponse& message) noexcept;

}  // namespace switchyard::inline v0::protocol

// Authentication, both roles.
#pragma once

#include <switchyard/protocol/messages/message.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::protocol {

/// Backend: all Authentication messages are of type 'R' and differ by code.
struct SWITCHYARD_API Authentication {
  static constexpr char kType = 'R';
  static constexpr std::string_view kName = "Authentication";
  enum Code : std::int32_t {
    Ok = 0,
    KerberosV5 = 2,
    CleartextPassword = 3,
    MD5Password = 5,
    SCMCredential = 6,
    GSS = 7,
    GSSContinue = 8,
    SSPI = 9,
    SASL = 10,
    SASLContinue = 11,
    SASLFinal = 12,
  };
  std::int32_t code = Ok;
  ByteView
      data;  ///< MD5Password: 4 bytes of salt. SASL: mechanisms. SASLContinue, SASLFinal, GSSContinue: the token
  /// Checks the length of what it knows; unknown codes decode, refusing them by name is up to the caller.
  [[nodiscard]] static Result<Authentication> decode(ByteView body);
  /// The mechanisms of a SASL request.
  [[nodiscard]] Result<std::vector<std::string_view>> mechanisms() const;
  friend bool operator==(const Authentication&, const Authentication&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const Authentication& message) noexcept;
[[nodiscard]] SWITCHYARD_API bool encode_sasl_mechanisms(base::WriteBuffer& out,
                                                         const std::vector<std::string_view>& mechanisms) noexcept;

/// Frontend: a password in the clear or hashed with MD5. Type 'p' is shared with the two below: what was asked
/// decides.
struct SWITCHYARD_API PasswordMessage {
  static constexpr char kType = 'p';
  static constexpr std::string_view kName = "PasswordMessage";
  std::string_view password;
  [[nodiscard]] static Result<PasswordMessage> decode(ByteView body);
  friend bool operator==(const PasswordMessage&, const PasswordMessage&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const PasswordMessage& message) noexcept;

/// Frontend: the chosen mechanism and its first message.
struct SWITCHYARD_API SASLInitialResponse {
  static constexpr char kType = 'p';
  static constexpr std::string_view kName = "SASLInitialResponse";
  std::string_view mechanism;
  std::optional<ByteView> data;
  [[nodiscard]] static Result<SASLInitialResponse> decode(ByteView body);
  friend bool operator==(const SASLInitialResponse&, const SASLInitialResponse&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const SASLInitialResponse& message) noexcept;

/// Frontend: further SASL messages, and GSSResponse.
struct SWITCHYARD_API SASLResponse {
  static constexpr char kType = 'p';
  static constexpr std::string_view kName = "SASLResponse";
  ByteView data;
  [[nodiscard]] static Result<SASLResponse> decode(ByteView body);
  friend bool operator==(const SASLResponse&, const SASLResponse&) = default;
};
[[nodiscard]] SWITCHYARD_API bool encode(base::WriteBuffer& out, const SASLResponse& message) noexcept;

}  // namespace switchyard::inline v0::protocol

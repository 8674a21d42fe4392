#include <switchyard/protocol/startup_options.hpp>

#include <array>
#include <span>
#include <utility>

namespace switchyard::inline v0::protocol {
namespace {

template <class T>
using Spelling = std::pair<std::string_view, T>;

constexpr std::array<Spelling<SslMode>, 6> kSslModes{{{"disable", SslMode::disable},
                                                      {"allow", SslMode::allow},
                                                      {"prefer", SslMode::prefer},
                                                      {"require", SslMode::require},
                                                      {"verify-ca", SslMode::verify_ca},
                                                      {"verify-full", SslMode::verify_full}}};
constexpr std::array<Spelling<SslNegotiation>, 2> kSslNegotiations{
    {{"postgres", SslNegotiation::postgres}, {"direct", SslNegotiation::direct}}};
constexpr std::array<Spelling<GssEncMode>, 3> kGssEncModes{
    {{"disable", GssEncMode::disable}, {"prefer", GssEncMode::prefer}, {"require", GssEncMode::require}}};
constexpr std::array<Spelling<ChannelBinding>, 3> kChannelBindings{{{"disable", ChannelBinding::disable},
                                                                    {"prefer", ChannelBinding::prefer},
                                                                    {"require", ChannelBinding::require}}};
constexpr std::array<Spelling<ProtocolVersion>, 3> kProtocolVersions{
    {{"3.0", kProtocol30}, {"3.2", kProtocol32}, {"latest", kProtocol32}}};
constexpr std::array<Spelling<RequiredAuth::Method>, 7> kMethods{{{"password", RequiredAuth::password},
                                                                  {"md5", RequiredAuth::md5},
                                                                  {"gss", RequiredAuth::gss},
                                                                  {"sspi", RequiredAuth::sspi},
                                                                  {"scram-sha-256", RequiredAuth::scram_sha_256},
                                                                  {"oauth", RequiredAuth::oauth},
                                                                  {"none", RequiredAuth::none}}};

template <class T>
Result<T> find(std::string_view option, std::string_view text, std::span<const Spelling<T>> spellings) {
  std::string allowed;
  for (const auto& [spelling, value] : spellings) {
    if (spelling == text) return value;
    if (!allowed.empty()) allowed += ", ";
    allowed += spelling;
  }
  return Error(ErrorKind::Config, "invalid " + std::string(option) + " value \"" + std::string(text) +
                                      "\": expected one of " + allowed);
}

}  // namespace

Result<SslMode> parse_ssl_mode(std::string_view text) { return find<SslMode>("sslmode", text, kSslModes); }
Result<SslNegotiation> parse_ssl_negotiation(std::string_view text) {
  return find<SslNegotiation>("sslnegotiation", text, kSslNegotiations);
}
Result<GssEncMode> parse_gss_enc_mode(std::string_view text) {
  return find<GssEncMode>("gssencmode", text, kGssEncModes);
}
Result<ChannelBinding> parse_channel_binding(std::string_view text) {
  return find<ChannelBinding>("channel_binding", text, kChannelBindings);
}
Result<ProtocolVersion> parse_protocol_version(std::string_view option, std::string_view text) {
  return find<ProtocolVersion>(option, text, kProtocolVersions);
}

std::string_view to_string(SslMode mode) noexcept { return kSslModes[static_cast<std::size_t>(mode)].first; }
std::string to_string_version(ProtocolVersion version) {
  return std::to_string(version >> 16) + "." + std::to_string(version & 0xffff);
}

Result<RequiredAuth> RequiredAuth::parse(std::string_view text) {
  RequiredAuth result;
  result.text_ = text;
  if (text.empty()) return result;
  std::uint16_t named = 0;
  bool negated = false;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    std::string_view item = rest.substr(0, comma);
    const bool negative = item.starts_with('!');
    if (negative) item.remove_prefix(1);
    if (rest.data() != text.data() && negative != negated) {
      return Error(ErrorKind::Config, "invalid require_auth value \"" + std::string(text) +
                                          "\": negative and positive methods can't be mixed");
    }
    negated = negative;
    const auto method = find<Method>("require_auth", item, kMethods);
    if (!method.ok()) return method.error();
    if ((named & *method) != 0) {
      return Error(ErrorKind::Config, "invalid require_auth value \"" + std::string(text) + "\": method \"" +
                                          std::string(item) + "\" is specified more than once");
    }
    named |= static_cast<std::uint16_t>(*method);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  result.allowed_ = negated ? static_cast<std::uint16_t>(kAll & ~named) : named;
  return result;
}

}  // namespace switchyard::inline v0::protocol

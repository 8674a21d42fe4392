#include <switchyard/httpc/url.hpp>

#include <algorithm>
#include <charconv>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::httpc {

namespace {

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

Error malformed(std::string_view text, std::string_view what) {
  constexpr std::size_t kShown = 100;
  std::string shown(text.substr(0, kShown));
  for (char& c : shown) {
    if (c < ' ' || c == '\x7f') c = '?';
  }
  return Error(ErrorKind::Config, "'" + shown + "' is no address for HTTP: " + std::string(what));
}

bool starts_with_scheme(std::string_view text, std::string_view scheme) {
  return text.size() >= scheme.size() && std::equal(scheme.begin(), scheme.end(), text.begin(),
                                                    [](char a, char b) { return a == base::to_lower(b); });
}

bool is_host_character(char c) {
  return base::is_lower(c) || base::is_digit(c) || c == '-' || c == '.' || c == '_';
}
bool is_address_character(char c) { return base::is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; }

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  if (text.size() > kMaxUrlBytes) {
    return malformed(text, "it is longer than " + std::to_string(kMaxUrlBytes) + " bytes");
  }
  Url url;
  std::string_view rest = text;
  if (starts_with_scheme(text, kHttps)) {
    url.tls = true;
    rest.remove_prefix(kHttps.size());
  } else if (starts_with_scheme(text, kHttp)) {
    rest.remove_prefix(kHttp.size());
  } else {
    return malformed(text, "it has to begin with http:// or https://");
  }
  if (std::ranges::any_of(rest, [](char c) { return c <= ' ' || c == '\x7f'; })) {
    return malformed(text, "it holds a space or a control character");
  }
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, end);
  url.target = end == std::string_view::npos ? std::string() : std::string(rest.substr(end));
  if (url.target.empty() || url.target.front() == '?') url.target.insert(0, 1, '/');

  if (authority.find('@') != std::string_view::npos) {
    return malformed("(hidden)", "it holds credentials").with_hint("send them in a header");
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return malformed(text, "']' is missing");
    url.host = authority.substr(1, close - 1);
    std::string_view after = authority.substr(close + 1);
    if (!after.empty() && after.front() != ':') return malformed(text, "after ']' only a port may follow");
    if (!after.empty()) port = after.substr(1);
    std::ranges::transform(url.host, url.host.begin(), base::to_lower);
    if (!std::ranges::all_of(url.host, is_address_character)) return malformed(text, "the IPv6 address is wrong");
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    std::ranges::transform(url.host, url.host.begin(), base::to_lower);
    if (!std::ranges::all_of(url.host, is_host_character)) {
      return malformed(text, "the host may hold letters, digits, '-', '.' and '_'");
    }
  }
  if (url.host.empty()) return malformed(text, "the host is missing");
  url.port = url.tls ? kHttpsPort : kHttpPort;
  if (!port.empty()) {
    const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || stop != port.data() + port.size() || url.port == 0) {
      return malformed(text, "the port has to be a number from 1 to 65535");
    }
  }
  return url;
}

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? kHttpsPort : kHttpPort)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::origin() const { return std::string(tls ? kHttps : kHttp) + authority(); }

}  // namespace switchyard::inline v0::httpc

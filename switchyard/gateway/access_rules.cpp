#include <switchyard/gateway/access_rules.hpp>

#include <switchyard/base/suggest.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace switchyard::inline v0::gateway {
namespace {

using Name = AccessRule::Name;
using Network = AccessRule::Network;
using Transport = AccessRule::Transport;

constexpr std::size_t kIpv4Bytes = 4;
constexpr std::size_t kIpv6Bytes = 16;
/// ::ffff:0:0/96
constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

constexpr std::array<std::pair<std::string_view, Transport>, 4> kTransports{{{"local", Transport::local},
                                                                             {"host", Transport::any_tcp},
                                                                             {"hostssl", Transport::tls},
                                                                             {"hostnossl", Transport::plain}}};
constexpr std::array<std::pair<std::string_view, AccessMethod>, 7> kMethods{
    {{"trust", AccessMethod::trust},
     {"reject", AccessMethod::reject},
     {"password", AccessMethod::password},
     {"md5", AccessMethod::md5},
     {"scram-sha-256", AccessMethod::scram_sha_256},
     {"cert", AccessMethod::cert},
     {"peer", AccessMethod::peer}}};

struct Token {
  std::string text;
  bool quoted = false;
  bool comma = false;  ///< another one of the same field follows
};
using Field = std::vector<Token>;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v'; }

/// As the server splits a line: fields after blanks, items after commas, quotes keep both; # begins a comment.
std::optional<std::vector<Field>> split(std::string_view line) {
  std::vector<Field> fields;
  std::size_t at = 0;
  bool continues = false;
  while (at < line.size()) {
    while (at < line.size() && (is_blank(line[at]) || line[at] == ',')) ++at;
    if (at == line.size() || line[at] == '#') break;
    Token token;
    while (at < line.size() && !is_blank(line[at]) && line[at] != ',' && line[at] != '#') {
      if (line[at] != '"') {
        token.text += line[at++];
        continue;
      }
      token.quoted = true;
      for (++at;; ++at) {
        if (at == line.size()) return std::nullopt;
        if (line[at] != '"') {
          token.text += line[at];
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
          token.text += line[at++];
        } else {
          break;
        }
      }
      ++at;
    }
    token.comma = at < line.size() && line[at] == ',';
    const bool next_continues = token.comma;
    if (continues) {
      fields.back().push_back(std::move(token));
    } else {
      fields.emplace_back().push_back(std::move(token));
    }
    continues = next_continues;
  }
  return fields;
}

struct Bytes {
  int family = AF_UNSPEC;
  std::array<unsigned char, kIpv6Bytes> bytes{};
  [[nodiscard]] std::size_t size() const noexcept { return family == AF_INET ? kIpv4Bytes : kIpv6Bytes; }
};

Bytes plain(int family, const unsigned char* bytes) noexcept {
  Bytes out{.family = family};
  if (family == AF_INET6 && std::memcmp(bytes, kMapped.data(), kMapped.size()) == 0) {
    out.family = AF_INET;
    bytes += kMapped.size();
  }
  std::memcpy(out.bytes.data(), bytes, out.size());
  return out;
}

Bytes bytes_of(const runtime::SocketAddress& address) noexcept {
  if (address.family() == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address.data(), std::min<std::size_t>(sizeof(in), address.size()));
    return plain(AF_INET, reinterpret_cast<const unsigned char*>(&in.sin_addr));
  }
  if (address.family() == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address.data(), std::min<std::size_t>(sizeof(in), address.size()));
    return plain(AF_INET6, reinterpret_cast<const unsigned char*>(&in.sin6_addr));
  }
  return {};
}

std::optional<Bytes> read_ip(const std::string& text) noexcept {
  Bytes out;
  for (const int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text.c_str(), out.bytes.data()) != 1) continue;
    out.family = family;
    return out;
  }
  return std::nullopt;
}

bool fits(const Network& network, const AccessQuestion& question) noexcept {
  if (network.kind == Network::Kind::all) return true;
  const Bytes client = bytes_of(question.address);
  if (client.family == AF_UNSPEC) return false;
  if (network.kind == Network::Kind::same_host) {
    const Bytes own = bytes_of(question.own);
    return own.family == client.family && own.bytes == client.bytes;
  }
  if (client.family != network.family) return false;
  for (std::size_t i = 0; i < client.size(); ++i) {
    if (((client.bytes[i] ^ network.address[i]) & network.mask[i]) != 0) return false;
  }
  return true;
}

bool fits(const Name& name, std::string_view given, std::string_view user) noexcept {
  switch (name.kind) {
    case Name::Kind::all: return true;
    case Name::Kind::same_user: return given == user;
    case Name::Kind::never: return false;
    case Name::Kind::name: return name.name == given;
  }
  return false;
}

bool fits(Transport transport, const AccessQuestion& question) noexcept {
  switch (transport) {
    case Transport::local: return question.local;
    case Transport::any_tcp: return !question.local;
    case Transport::tls: return !question.local && question.tls;
    case Transport::plain: return !question.local && !question.tls;
  }
  return false;
}

/// One line, with all that may be wrong with it.
class Line {
 public:
  Line(const std::vector<Field>& fields, std::string place) : fields_(fields), place_(std::move(place)) {}

  Result<AccessRule> read() {
    AccessRule rule;
    rule.place = place_;
    Result<std::string> word = single("connection type");
    if (!word.ok()) return word.error();
    const auto* transport = std::ranges::find(kTransports, *word, &decltype(kTransports)::value_type::first);
    if (transport == kTransports.end()) {
      if (*word == "hostgssenc" || *word == "hostnogssenc") return wrong("GSSAPI encryption is not spoken here");
      if (word->starts_with("include")) return wrong("includes are not followed", "write the rules into one file");
      return wrong("invalid connection type \"" + *word + "\"", "local, host, hostssl or hostnossl");
    }
    rule.transport = transport->second;
    SY_TRY(names("database", rule.databases));
    SY_TRY(names("user", rule.users));
    if (rule.transport != Transport::local) SY_TRY(network(rule.network));
    SY_TRY(method(rule));
    return rule;
  }

 private:
  Error wrong(std::string what, std::string hint = {}) const {
    const Error error(ErrorKind::Config, place_ + ": " + std::move(what));
    return hint.empty() ? error : error.with_hint(std::move(hint));
  }

  /// The next field, which is one word.
  Result<std::string> single(const char* what) {
    if (at_ == fields_.size()) return wrong(std::string("the line ends before the ") + what);
    const Field& field = fields_[at_++];
    if (field.size() > 1) return wrong(std::string("one ") + what + " is expected, not several");
    return field.front().text;
  }

  Result<void> names(const char* what, std::vector<Name>& out) {
    if (at_ == fields_.size()) return wrong(std::string("the line ends before the ") + what);
    for (const Token& token : fields_[at_++]) {
      Name name{.name = token.text};
      if (!token.quoted) {
        if (token.text == "all") name.kind = Name::Kind::all;
        if (token.text == "replication" && *what == 'd') name.kind = Name::Kind::never;
        if (token.text == "sameuser" && *what == 'd') name.kind = Name::Kind::same_user;
        const bool group = token.text.starts_with('+') || token.text == "samerole" || token.text == "samegroup";
        if (group)
          return wrong("\"" + token.text + "\": memberships of roles are not known here", "name the users");
        if (token.text.starts_with('@')) return wrong("\"" + token.text + "\": files of names are not read here");
        if (token.text.starts_with('/'))
          return wrong("\"" + token.text + "\": regular expressions are not understood");
      }
      out.push_back(std::move(name));
    }
    return {};
  }

  Result<void> network(Network& out) {
    Result<std::string> word = single("address");
    if (!word.ok()) return word.error();
    if (*word == "all") return {};
    if (*word == "samehost") {
      out.kind = Network::Kind::same_host;
      return {};
    }
    const std::size_t slash = word->find('/');
    const auto address = read_ip(word->substr(0, slash));
    if (!address) {
      return wrong("\"" + *word + "\" is no IP address",
                   *word == "samenet" ? "write the network: 10.0.0.0/8" : "host names are not looked up here");
    }
    Bytes mask{.family = address->family};
    if (slash == std::string::npos) {
      Result<std::string> text = single("mask");
      if (!text.ok()) return text.error();
      const auto given = read_ip(*text);
      if (!given || given->family != address->family) {
        return wrong("\"" + *text + "\" is no mask for " + *word,
                     "write " + *word + "/32, or a mask like 255.0.0.0");
      }
      mask = *given;
    } else {
      unsigned bits = 0;
      const char* const begin = word->data() + slash + 1;
      const char* const end = word->data() + word->size();
      const auto [at, error] = std::from_chars(begin, end, bits);
      if (error != std::errc() || at != end || bits > mask.size() * 8) {
        return wrong("invalid CIDR mask in address \"" + *word + "\"");
      }
      for (unsigned bit = 0; bit < bits; ++bit) mask.bytes[bit / 8] |= static_cast<unsigned char>(0x80U >> bit % 8);
    }
    const Bytes network = plain(address->family, address->bytes.data());
    out.kind = Network::Kind::network;
    out.family = network.family;
    out.address = network.bytes;
    out.mask = mask.bytes;
    if (network.family == address->family) return {};
    // Of IPv4 in IPv6's clothes: clients are looked at without them.
    if (!std::ranges::all_of(std::span(mask.bytes).first(kMapped.size()), [](auto byte) { return byte == 0xff; })) {
      return wrong("the mask of " + *word + " goes beyond the addresses of IPv4", "write ::/0 or 0.0.0.0/0");
    }
    out.mask = {};
    std::ranges::copy(std::span(mask.bytes).subspan(kMapped.size()), out.mask.begin());
    return {};
  }

  Result<void> method(AccessRule& rule) {
    Result<std::string> word = single("authentication method");
    if (!word.ok()) return word.error();
    const auto* found = std::ranges::find(kMethods, *word, &decltype(kMethods)::value_type::first);
    if (found == kMethods.end()) {
      std::vector<std::string_view> known;
      for (const auto& [name, value] : kMethods) known.push_back(name);
      const std::string close = did_you_mean(*word, known);
      return wrong("invalid authentication method \"" + *word + "\"",
                   close.empty() ? "trust, reject, password, md5, scram-sha-256, cert or peer" : close);
    }
    rule.method = found->second;
    if (rule.method == AccessMethod::cert) {
      if (rule.transport != Transport::tls)
        return wrong("cert authentication is only supported on hostssl connections");
      rule.certificate = AccessRule::Certificate::names_user;
    }
    if (rule.method == AccessMethod::peer && rule.transport != Transport::local) {
      return wrong("peer authentication is only supported on local sockets");
    }
    for (; at_ < fields_.size(); ++at_) {
      const std::string& option = fields_[at_].front().text;
      if (option == "clientcert=verify-full" || option == "clientcert=verify-ca") {
        if (rule.transport != Transport::tls) return wrong("clientcert can only be configured for hostssl rows");
        if (option.ends_with("full")) {
          rule.certificate = AccessRule::Certificate::names_user;
        } else if (rule.certificate == AccessRule::Certificate::any) {
          rule.certificate = AccessRule::Certificate::trusted;
        }
      } else {
        return wrong("unrecognized authentication option \"" + option + "\"",
                     "clientcert=verify-ca or clientcert=verify-full");
      }
    }
    return {};
  }

  const std::vector<Field>& fields_;
  std::string place_;
  std::size_t at_ = 0;
};

Result<void> add_line(std::string_view line, std::string place, std::vector<AccessRule>& out) {
  const auto fields = split(line);
  if (!fields) return Error(ErrorKind::Config, place + ": a quote is not closed");
  if (fields->empty()) return {};
  Result<AccessRule> rule = Line(*fields, std::move(place)).read();
  if (!rule.ok()) return rule.error();
  out.push_back(*std::move(rule));
  return {};
}

}  // namespace

std::string_view to_string(AccessMethod method) noexcept {
  const auto* found = std::ranges::find(kMethods, method, &decltype(kMethods)::value_type::second);
  return found->first;
}

Result<AccessRules> AccessRules::parse(std::string_view text, std::string_view name) {
  AccessRules rules;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    SY_TRY(add_line(line, std::string(name) + ":" + std::to_string(++number), rules.rules_));
  }
  return rules;
}

Result<AccessRules> AccessRules::parse(std::span<const std::string> lines, std::string_view name) {
  AccessRules rules;
  std::size_t number = 0;
  for (const std::string& line : lines) {
    SY_TRY(add_line(line, std::string(name) + "[" + std::to_string(++number) + "]", rules.rules_));
  }
  return rules;
}

void AccessRules::mean_fleet_names() noexcept {
  for (AccessRule& rule : rules_) rule.fleet_names_only = true;
}

void AccessRules::append(const AccessRules& more) {
  rules_.insert(rules_.end(), more.rules_.begin(), more.rules_.end());
}

const AccessRule* AccessRules::find(const AccessQuestion& question) const {
  const auto found = std::ranges::find_if(rules_, [&](const AccessRule& rule) {
    if (!fits(rule.transport, question)) return false;
    if (rule.transport != Transport::local && !fits(rule.network, question)) return false;
    const auto names_database = [&](const Name& name) {
      if (rule.fleet_names_only) return fits(name, question.fleet_database, question.user);
      return std::ranges::any_of(question.databases,
                                 [&](std::string_view given) { return fits(name, given, question.user); });
    };
    const auto names_user = [&](const Name& name) { return fits(name, question.user, question.user); };
    return std::ranges::any_of(rule.databases, names_database) && std::ranges::any_of(rule.users, names_user);
  });
  return found == rules_.end() ? nullptr : &*found;
}

AccessRules default_access_rules() {
  return *AccessRules::parse("local all all md5\nhost all all all md5\n", "the default rules");
}

std::string access_denied_message(const AccessQuestion& question, std::string_view database, bool rejected) {
  std::string text = rejected ? "pg_hba.conf rejects connection" : "no pg_hba.conf entry";
  text += " for host \"" + (question.local ? std::string("[local]") : question.address.host()) + "\", user \"";
  text.append(question.user).append("\", database \"").append(database).append("\", ");
  text += question.tls ? "SSL encryption" : "no encryption";
  return text;
}

}  // namespace switchyard::inline v0::gateway

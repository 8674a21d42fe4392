#include <switchyard/gateway/user_list.hpp>

#include <switchyard/protocol/crypto.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

namespace crypto = protocol::crypto;

constexpr std::size_t kSaltSize = 16;
/// PostgreSQL's default (scram_iterations): those who don't exist look like most who do.
constexpr std::uint32_t kIterations = 4096;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// Takes a quoted text from the front.
std::optional<std::string> take_quoted(std::string_view& rest) {
  rest = trimmed(rest);
  if (!rest.starts_with('"')) return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] != '"') {
      out += rest[i];
    } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
      out += rest[i++];
    } else {
      rest.remove_prefix(i + 1);
      return out;
    }
  }
  return std::nullopt;
}

std::string random(std::size_t size) {
  auto bytes = crypto::random_bytes(size);
  if (!bytes) throw Error(ErrorKind::Unavailable, "OpenSSL has no random bytes");
  return *std::move(bytes);
}

}  // namespace

UserList::UserList() : disguise_(random(kSaltSize)) {}

Result<UserList> UserList::parse(std::string_view text, std::string_view name) {
  UserList list;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.starts_with(';') || line.starts_with('#')) continue;
    const auto wrong = [&](std::string what) {
      return Error(ErrorKind::Config, std::string(name) + ":" + std::to_string(number) + ": " + std::move(what))
          .with_hint("a line is \"user\" \"password, MD5 hash or SCRAM verifier\"");
    };
    std::optional<std::string> user = take_quoted(line);
    std::optional<std::string> secret = take_quoted(line);
    if (!user || !secret || user->empty()) return wrong("a quoted user and a quoted secret are expected");
    if (const std::string_view rest = trimmed(line); !rest.empty() && !rest.starts_with(';')) {
      return wrong("something is behind the secret");
    }
    if (secret->empty()) {  // nothing proves to be it
      list.named_.insert(*std::move(user));
      continue;
    }
    Result<Credential> credential = make_credential(Secret(*std::move(secret)));
    if (!credential.ok()) return wrong("the SCRAM verifier of user \"" + *user + "\" is malformed");
    if (!list.users_.emplace(*user, *std::move(credential)).second)
      return wrong("user \"" + *user + "\" is there twice");
  }
  return list;
}

const Credential* UserList::find(std::string_view user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

protocol::LoginMethod UserList::login_of(std::string_view user) const {
  const Credential* known = find(user);
  return known != nullptr ? known->method : disguise(user);
}

protocol::LoginMethod UserList::disguise(std::string_view user) const {
  const auto derived = [&](std::string_view what) {
    return crypto::hmac_sha256(disguise_, std::string(what) + std::string(user));
  };
  protocol::ScramVerifier nobody;
  nobody.iterations = kIterations;
  nobody.salt = std::string(crypto::view(derived("salt ")).substr(0, kSaltSize));
  nobody.stored_key = derived("stored key ");
  nobody.server_key = derived("server key ");
  return protocol::ScramLogin{std::move(nobody)};
}

}  // namespace switchyard::inline v0::gateway

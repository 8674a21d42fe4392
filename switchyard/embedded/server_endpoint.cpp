#include <switchyard/embedded/server_endpoint.hpp>

#include <string_view>

namespace switchyard::inline v0::embedded {

namespace {

/// A value of a keyword/value connection string (manual chapter 34.1.1.1).
std::string quoted(std::string_view value) {
  if (!value.empty() && value.find_first_of(" '\\\t\n") == std::string_view::npos) return std::string(value);
  std::string out = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string percent_encoded(std::string_view value, std::string_view kept) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (char c : value) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos ||
                       kept.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace

std::string ServerEndpoint::keywords() const {
  std::string out = "host=" + quoted(host) + " port=" + std::to_string(port) + " dbname=" + quoted(database) +
                    " user=" + quoted(user);
  if (!password.empty()) out += " password=" + quoted(password.reveal());
  return out;
}

std::string ServerEndpoint::uri() const {
  std::string out = "postgresql://" + percent_encoded(user, "");
  if (!password.empty()) out += ":" + percent_encoded(password.reveal(), "");
  out += "@";
  if (host.starts_with('/')) {
    return out + "/" + percent_encoded(database, "") + "?host=" + percent_encoded(host, "/") +
           "&port=" + std::to_string(port);
  }
  return out + host + ":" + std::to_string(port) + "/" + percent_encoded(database, "");
}

}  // namespace switchyard::inline v0::embedded

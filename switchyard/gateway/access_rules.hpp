// Who may log in from where, and how they prove who they are: the rules of pg_hba.conf (manual chapter 21.1). The
// first rule that fits a connection decides; what fits none is refused.
//
//     # type    database   user   address          method
//     local     all        all                     peer
//     hostssl   reference  api    10.0.0.0/8       scram-sha-256
//     host      all        all    127.0.0.1/32     trust
//     hostssl   all        all    all              cert
//
// Understood: local, host, hostssl, hostnossl; all, sameuser, replication, names in quotes, several after commas;
// CIDR, address and mask, all, samehost; trust, reject, password, md5, scram-sha-256, cert, peer;
// clientcert=verify-ca and clientcert=verify-full. What is not (host names, +role, @file, regular expressions,
// other methods) is an error: a rule that is skipped would let somebody else in.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/address.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

enum class AccessMethod : std::uint8_t { trust, reject, password, md5, scram_sha_256, cert, peer };
[[nodiscard]] SWITCHYARD_API std::string_view to_string(AccessMethod method) noexcept;

/// A connection that wants in.
struct AccessQuestion {
  bool local = false;  ///< over a Unix-domain socket
  bool tls = false;
  runtime::SocketAddress address;        ///< the client's; unless local
  runtime::SocketAddress own;            ///< the gateway's side of the connection, for samehost
  std::string_view fleet_database = {};  ///< the fleet's own name for it; empty: it knows none
  /// The database by every name it has: as the client wrote it, the fleet's, the server's.
  std::vector<std::string_view> databases;
  std::string_view user;
};

struct AccessRule {
  enum class Transport : std::uint8_t { local, any_tcp, tls, plain };
  /// What the client's certificate has to be beside the method.
  enum class Certificate : std::uint8_t { any, trusted, names_user };
  struct Name {
    enum class Kind : std::uint8_t { all, same_user, never, name };
    Kind kind = Kind::name;
    std::string name;
  };
  /// An IP network. Addresses of IPv4 in IPv6's clothes count as IPv4.
  struct Network {
    enum class Kind : std::uint8_t { all, same_host, network };
    Kind kind = Kind::all;
    int family = 0;
    std::array<unsigned char, 16> address{};
    std::array<unsigned char, 16> mask{};
  };

  Transport transport = Transport::local;
  std::vector<Name> databases;
  std::vector<Name> users;
  Network network;
  AccessMethod method = AccessMethod::reject;
  Certificate certificate = Certificate::any;
  bool fleet_names_only = false;  ///< names of servers' databases do not count
  std::string place;              ///< "pg_hba.conf:12"
};

class SWITCHYARD_API AccessRules {
 public:
  /// No rule: nobody gets in.
  AccessRules() = default;
  /// Lines of a file; `name` is for errors (Config, with name and line).
  [[nodiscard]] static Result<AccessRules> parse(std::string_view text, std::string_view name);
  /// Lines that are values of a list, called "gateway.hba[1]" and so on in errors.
  [[nodiscard]] static Result<AccessRules> parse(std::span<const std::string> lines, std::string_view name);

  /// From now on its names of databases are those of the fleet alone.
  void mean_fleet_names() noexcept;
  void append(const AccessRules& more);
  /// The first that fits; null if none does.
  [[nodiscard]] const AccessRule* find(const AccessQuestion& question) const;
  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return rules_.size(); }

 private:
  std::vector<AccessRule> rules_;
};

/// Everybody proves a password of the user list, by SCRAM, or by MD5 where the list has an MD5 hash.
[[nodiscard]] SWITCHYARD_API AccessRules default_access_rules();

/// PostgreSQL's words for a connection that no rule lets in; `rejected`: a rule says so.
[[nodiscard]] SWITCHYARD_API std::string access_denied_message(const AccessQuestion& question,
                                                               std::string_view database, bool rejected);

}  // namespace switchyard::inline v0::gateway

// Users that the user list does not have are looked up on the server itself: gateway.auth_user asks
// gateway.auth_query there, on a session of its own with nothing but pg_catalog in its search_path. Answers are
// believed for gateway.auth_cache. Internal to the room.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/gateway/credential.hpp>
#include <switchyard/gateway/role_fleets.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/task.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::inline v0::gateway {

/// Who may log in, with the secret that the server keeps of him.
inline constexpr std::string_view kDefaultAuthQuery =
    "SELECT usename, CASE WHEN valuntil IS NULL OR valuntil > pg_catalog.now() THEN passwd END "
    "FROM pg_catalog.pg_shadow WHERE usename = $1";

class AuthQuery {
 public:
  /// Null: the server knows no such user, or none that may log in.
  using Answer = std::shared_ptr<const Credential>;

  AuthQuery(Fleet& fleet, RoleFleets& roles) noexcept : fleet_(fleet), roles_(roles) {}
  AuthQuery(const AuthQuery&) = delete;
  AuthQuery& operator=(const AuthQuery&) = delete;

  /// `database` is a configured one of the fleet. Those who ask for one user at one time share the answer.
  [[nodiscard]] Task<Result<Answer>> find(const GatewaySettings& settings, const DatabaseConfig& database,
                                          std::string user);
  /// The same, whatever is known.
  [[nodiscard]] Task<Result<Answer>> ask_again(const GatewaySettings& settings, const DatabaseConfig& database,
                                               std::string user);
  void forget() noexcept { entries_.clear(); }

 private:
  struct Entry {
    Answer answer;
    TimePoint asked{};
    bool asking = false;
    runtime::AsyncEvent answered;
  };
  [[nodiscard]] Task<Result<Answer>> ask(const GatewaySettings& settings, const DatabaseConfig& database,
                                         std::string user);
  void make_room(TimePoint now, Duration age);

  Fleet& fleet_;
  RoleFleets& roles_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
};

}  // namespace switchyard::inline v0::gateway

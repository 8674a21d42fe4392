// Roles whose passwords provisioning keeps (provision.secrets) log in at the gateway with these. The files are read
// at each login, so a rotation needs no reload; while one password replaces another, both are right: the new one as
// soon as it is proposed, the old one for provision.password_grace after it was replaced. Internal to the room.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/secret.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/gateway/credential.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::gateway {

/// Shared by the shards of a gateway.
class SWITCHYARD_API KeptPasswords {
 public:
  /// `stranger` is who provisions: no password that lies there lets him in.
  KeptPasswords(std::string folder, std::string stranger, Duration grace)
      : folder_(std::move(folder)), stranger_(std::move(stranger)), grace_(grace) {}

  /// Null: none is kept. The first login with a password takes 2 ms for its SCRAM verifier.
  [[nodiscard]] std::shared_ptr<const Credential> find(std::string_view user);
  [[nodiscard]] std::string file_of(std::string_view user) const;

 private:
  struct Entry {
    std::vector<Secret> passwords;
    std::shared_ptr<const Credential> credential;
  };
  [[nodiscard]] std::vector<Secret> passwords_of(const std::string& file) const;

  std::string folder_, stranger_;
  Duration grace_;
  std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;  ///< of users who have a file
};

}  // namespace switchyard::inline v0::gateway

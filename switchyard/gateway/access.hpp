// How a client has to prove who it is: the first rule that fits its connection, and what is stored of its user.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/gateway/access_rules.hpp>
#include <switchyard/gateway/settings.hpp>
#include <switchyard/protocol/server_startup.hpp>

#include <string_view>

namespace switchyard::inline v0::gateway {

/// `database` is the name that the client wrote. `os_user` is the account at the other end of a Unix-domain socket,
/// empty elsewhere. An error has the fields that the client is told.
[[nodiscard]] SWITCHYARD_API Result<protocol::LoginMethod> decide_login(const GatewaySettings& settings,
                                                                        const AccessQuestion& question,
                                                                        std::string_view database,
                                                                        std::string_view os_user);

}  // namespace switchyard::inline v0::gateway

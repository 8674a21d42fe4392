// Where to listen, as people write it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/address.hpp>

#include <string_view>
#include <vector>

namespace switchyard::inline v0::runtime {

/// "127.0.0.1:8420", "[::1]:8420", "localhost:8420", ":8420" and "8420" (the last three on 127.0.0.1), and
/// "*:8420" for every address of this machine: one address for IPv4 and one for IPv6, where there is IPv6. Config
/// error for anything else; `example` is what its hint shows.
[[nodiscard]] SWITCHYARD_API Result<std::vector<SocketAddress>> parse_listen_address(
    std::string_view text, std::string_view example = "127.0.0.1:8420");

}  // namespace switchyard::inline v0::runtime

// Opens the HTTP door's port, with errors that say who has it.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/listener.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace switchyard::inline v0::http {

inline constexpr std::string_view kDefaultAddress = "127.0.0.1:8420";

enum class PortChoice : std::uint8_t {
  exact,      ///< a taken port is an error
  next_free,  ///< the first free port from there on
};

/// Accepts "127.0.0.1:8420", "[::1]:8420", "localhost:8420", ":8420" and "8420" (the last three on 127.0.0.1; write
/// 0.0.0.0 to be reached from other machines); port 0 takes any free one. Errors: Config for a malformed address,
/// Unavailable with the owner's pid and command for a taken port. Must be called on a shard.
[[nodiscard]] SWITCHYARD_API Result<std::unique_ptr<runtime::Listener>> listen(std::string_view address,
                                                                               PortChoice choice);

}  // namespace switchyard::inline v0::http

// What the program's exit status means, the same for every command.
#pragma once

#include <switchyard/base/error.hpp>

namespace switchyard::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1,
  usage = 2,           ///< wrong arguments or configuration
  partial = 3,         ///< some databases serve, some do not
  authentication = 4,  ///< a server refused the role or its password
  unreachable = 5,     ///< no server, or no running fleet, answered
  interrupted = 130,
};

/// The exit code that an error ends a command with.
[[nodiscard]] ExitCode exit_code_of(const Error& error) noexcept;

}  // namespace switchyard::cli

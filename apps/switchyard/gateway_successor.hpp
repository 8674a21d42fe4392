// The process that takes over from a gateway: the same program, started as this one was, with `--takeover`.
#pragma once

#include <switchyard/base/result.hpp>

#include <sys/types.h>

#include <string>

namespace switchyard::cli {

/// Where the gateway of an application waits for its successor.
[[nodiscard]] Result<std::string> handover_path(const std::string& application);

/// Starts it beside this process. The file at the place from which this program was started is what runs: a new
/// version, if one has been put there. Unavailable when it can't be started.
[[nodiscard]] Result<pid_t> start_successor();

/// Has it ended? Looked at by whoever started it.
[[nodiscard]] bool successor_has_ended(pid_t pid);

}  // namespace switchyard::cli

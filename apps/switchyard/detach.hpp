// Going to the background: early, before there is any thread or server, since both belong to the process that
// started them.
#pragma once

#include <switchyard/base/result.hpp>

#include <string>

namespace switchyard::cli {

struct Detached {
  bool parent = false;  ///< which of the two processes this is
  int pid = 0;          ///< the parent's: the background process
  int pipe = -1;        ///< from the background process to its parent
};

/// Forks. The background process is the leader of a session of its own, reads nothing and writes to `log_file`.
[[nodiscard]] Result<Detached> detach(const std::string& log_file);

/// How this program was called, for commands that are suggested: "build/release/bin/switchyard", "switchyard".
[[nodiscard]] std::string program_name();

}  // namespace switchyard::cli

// The library's events, written to standard error (the log file of a detached fleet).
#pragma once

#include "console.hpp"
#include "options.hpp"

namespace switchyard::cli {

/// How much is written until set_log_level(): warnings; with --verbose everything; with --quiet errors.
void install_log(const GlobalOptions& options, const Console& console);

enum class LogLevel { errors, warnings, events, everything };
void set_log_level(LogLevel level);

}  // namespace switchyard::cli

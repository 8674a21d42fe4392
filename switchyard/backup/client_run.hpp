// Runs a client program with one of its streams in our hands, so that nothing of a database lies anywhere in the
// clear on its way. Blocks; may be stopped from another thread.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/embedded/launcher.hpp>

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

/// Takes a piece of what the program printed; an error ends the program.
using Consumer = std::function<Result<void>(std::string_view)>;
/// Appends the next piece of what the program reads; nothing appended: the end.
using Producer = std::function<Result<void>(std::string&)>;

/// Runs it to its end and hands over its standard output. An exit status other than 0 is an error (Unavailable)
/// with the last lines of its standard error; a stop is Cancelled. On error the program has ended.
[[nodiscard]] Result<void> run_and_consume(embedded::LaunchSpec spec, const Consumer& consumer,
                                           std::stop_token stop);

/// Runs it to its end and feeds its standard input. Gives the last lines of its standard error.
[[nodiscard]] Result<std::string> run_and_feed(embedded::LaunchSpec spec, const Producer& producer,
                                               std::stop_token stop);

}  // namespace switchyard::inline v0::backup

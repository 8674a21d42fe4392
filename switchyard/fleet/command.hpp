// Transaction commands: one statement without parameters whose command tag matters.
#pragma once

#include <switchyard/session/operation.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

enum class CommandKind : unsigned char {
  ordinary,
  final,  ///< COMMIT or ROLLBACK: goes on when its caller goes away, and its loss is in doubt
};

/// Runs `sql` by the simple query protocol on `host` and gives the command tag of its last statement.
[[nodiscard]] Operation<std::string> run_command(session::OperationHost& host, std::string_view sql,
                                                 CommandKind kind = CommandKind::ordinary);

}  // namespace switchyard::inline v0::fleet

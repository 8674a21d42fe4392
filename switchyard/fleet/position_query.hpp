// Where a write has put its database: the question that follows a COMMIT, or an autocommit write, in the same round
// trip (session::OperationState::follow_up), and its answer.
//
// It is the position where the next record will begin, which lies behind the commit record however the commit was
// made. What is on disk (the flush position) would do only for synchronous commits, and whether a commit was one
// can't be seen from outside: functions and roles set synchronous_commit as well.
#pragma once

#include <switchyard/fleet/causal_token.hpp>

#include <optional>
#include <string_view>

namespace switchyard::inline v0::fleet {

/// The second form also asks for the system identifier, which costs the server a look into its control file.
enum class PositionDetail : unsigned char { position, with_system_identifier };
[[nodiscard]] std::string_view position_sql(PositionDetail detail) noexcept;

/// The answer; the system identifier is 0 when it was not asked for, the database is left empty.
[[nodiscard]] std::optional<CausalToken> decode_position(std::string_view answer);

}  // namespace switchyard::inline v0::fleet

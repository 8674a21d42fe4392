// What a text may do beside giving an answer: a cautious look at the text alone, where only what is recognised is
// trusted. What stays on the session for its next user is told by residue.hpp.
#pragma once

#include <switchyard/base/export.hpp>

#include <string_view>

namespace switchyard::inline v0::session {

/// True when `sql` may leave something on its session: SET, temporary tables, LISTEN, PREPARE, DECLARE, advisory
/// locks, set_config, LOAD, DO, CALL, transaction control and whatever is not recognised. Functions of the user
/// that change the session can't be seen here.
[[nodiscard]] SWITCHYARD_API bool may_affect_session(std::string_view sql) noexcept;

/// True when `sql` may drop statements that were prepared on its session: it mentions DISCARD or DEALLOCATE.
[[nodiscard]] SWITCHYARD_API bool forgets_prepared_statements(std::string_view sql) noexcept;

/// True when `sql` is a single statement that happens whole or not at all: SELECT, INSERT, UPDATE, DELETE, MERGE,
/// VALUES, TABLE, WITH, SHOW. CALL and DO may commit on their way, VACUUM and CREATE INDEX CONCURRENTLY do.
[[nodiscard]] SWITCHYARD_API bool happens_whole(std::string_view sql) noexcept;

}  // namespace switchyard::inline v0::session

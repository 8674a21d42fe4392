// The tables of the spool and of what the fleet has to remember, all in the schema `switchyard`: made at first use
// by whoever may, under a lock, and never changed when they are there. Who may not gets an error with the
// statements.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/runtime/task.hpp>

#include <string>
#include <string_view>

namespace switchyard::inline v0::fleet {

class RouteQuerier;

/// In the fallback database: gate, drainer, entries, refused entries, maintenance, ownership.
[[nodiscard]] std::string_view home_ddl() noexcept;
/// In a database that spools: how far it has been drained.
[[nodiscard]] std::string_view progress_ddl() noexcept;

/// Under a lock, so that processes that start together do not trip over each other.
Task<void> make_tables(Transaction& transaction, std::string_view ddl);
/// The same error, or one with the statements when the login may not make tables.
[[nodiscard]] Error explain_missing(const Error& refused, std::string_view ddl, std::string_view database);

/// False until the tables have been made.
Task<bool> has_home_tables(RouteQuerier& home);

/// Makes what is missing. Config error with the statements in its hint if the login may not; `database` names the
/// place in errors.
Task<void> ensure_home_tables(RouteQuerier& home, std::string_view database);
Task<void> ensure_progress_table(RouteQuerier& target, std::string_view database);

}  // namespace switchyard::inline v0::fleet

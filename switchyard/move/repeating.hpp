// Repeats on one side what the other side has logged (log_reader.hpp): once, and in an order in which it can be.
#pragma once

#include <switchyard/move/run.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace switchyard::inline v0::move {

/// What is visible in the log of `from`, now or in the snapshot `until`, and was not repeated on `to`. `position`
/// moves with what is committed there. Gives how many changes that were.
[[nodiscard]] Task<std::uint64_t> repeat(Run& run, Querier& from, Lease& to, Position& position,
                                         const std::map<std::int32_t, std::string>* copied, std::string until);
/// On the target, until at most `few` changes were new in a whole look.
[[nodiscard]] Task<void> catch_up(Run& run, std::uint64_t few);
/// The same on the source, once the target owns the tables.
[[nodiscard]] Task<void> catch_up_back(Run& run, std::uint64_t few);
/// What was written in the target before the switch, while it was open for a moment, is brought to the source.
[[nodiscard]] Task<void> take_strays_of_target(Run& run);
/// The same the other way round, after the switch.
[[nodiscard]] Task<void> take_strays_of_source(Run& run);
/// Changes that wait to be repeated.
[[nodiscard]] Task<std::uint64_t> lag(Run& run);
[[nodiscard]] Task<std::string> current_snapshot(Querier& db);

}  // namespace switchyard::inline v0::move

// Tables that come back to a database which an earlier, confirmed move took them from.
//
// In their places stand views that refuse everything, behind them the emptied tables. They make room for the copy;
// a move that is given up, or goes back, puts them there again. The record of the earlier move is what remembers
// them: it goes when this move is confirmed.
#pragma once

#include <switchyard/move/run.hpp>

namespace switchyard::inline v0::move {

/// In the target: the places of the tables are free.
[[nodiscard]] Task<void> clear_former_home(const Run& run, Transaction& tx);
/// In the target, where nothing else of this move is left but its copies in their places: those that were here
/// before are emptied and refuse again, with the words of the earlier move. The others are dropped.
[[nodiscard]] Task<void> drop_or_refuse_again(const Run& run, Transaction& tx);
/// In the target: the earlier move is over.
[[nodiscard]] Task<void> forget_former_home(const Run& run, Transaction& tx);

}  // namespace switchyard::inline v0::move

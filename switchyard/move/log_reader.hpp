// Reads the log of one side in the order in which its changes can be repeated.
//
// A change counts when its transaction is visible in the later of two snapshots and not in the earlier one; the
// changes of such a window are in the order of their numbers. Whoever changed a row after somebody else waited for
// his commit, so his number is higher and he is visible in no earlier window: nothing is lost, nothing is turned
// round.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/move/record.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::inline v0::move {

struct LogBatch {
  std::vector<std::int64_t> seqs;
  std::vector<std::int32_t> tables;
  std::vector<std::string> operations;
  std::vector<std::optional<std::string>> befores, afters;
  std::int64_t last_seq = 0;
  [[nodiscard]] std::size_t size() const noexcept { return tables.size(); }
  [[nodiscard]] bool empty() const noexcept { return tables.empty(); }
};

/// The next changes of the window that `position` has open, `most` at most. `copied`: what a table's copy had seen
/// already is left out; null: everything counts.
[[nodiscard]] SWITCHYARD_API Task<LogBatch> read_log(Querier& from, const MovePlan& plan, Position position,
                                                     const std::map<std::int32_t, std::string>* copied,
                                                     std::uint32_t most);

}  // namespace switchyard::inline v0::move

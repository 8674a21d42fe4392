// Where the sequences of a move's tables are.
#pragma once

#include <switchyard/move/table_plan.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>

#include <cstdint>
#include <vector>

namespace switchyard::inline v0::move {

struct SequenceValue {
  SequencePlan sequence;
  std::int64_t last = 0;
  bool called = false;
};

/// Of the side whose tables are in their places or aside: sequences of their columns went with them.
[[nodiscard]] Task<std::vector<SequenceValue>> read_sequences(Querier& db, const MovePlan& plan);
/// Of the side whose tables are in their places.
[[nodiscard]] Task<void> set_sequences(Querier& db, const std::vector<SequenceValue>& values);
/// The same, where they are not further already; those with CYCLE are left alone.
[[nodiscard]] Task<void> advance_sequences(Querier& db, const std::vector<SequenceValue>& values);

}  // namespace switchyard::inline v0::move

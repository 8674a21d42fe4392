// Compares a table with its copy: counts and checksums of its rows, in parts by the hash of their keys, so that a
// difference says where to look. The order of rows and the place they lie in do not matter.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/fleet/transaction.hpp>
#include <switchyard/move/table_plan.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::move {

struct TableSum {
  struct Part {
    std::int32_t part = 0;
    std::int64_t rows = 0;
    std::string sum;
    friend bool operator==(const Part&, const Part&) = default;
  };
  std::uint64_t rows = 0;
  std::vector<Part> parts;  ///< those with rows, in order
  friend bool operator==(const TableSum&, const TableSum&) = default;
};

/// Of what `tx` sees: in a repeatable-read transaction one moment.
[[nodiscard]] SWITCHYARD_API Task<TableSum> sum_table(Transaction& tx, const TablePlan& table);
[[nodiscard]] SWITCHYARD_API Error difference(const TablePlan& table, const TableSum& source,
                                              const TableSum& target);

}  // namespace switchyard::inline v0::move

// Prints the rows of a result as they come, with bounded memory.
#pragma once

#include "console.hpp"
#include "options.hpp"

#include <switchyard/protocol/row.hpp>
#include <switchyard/values/row.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace switchyard::cli {

class RowPrinter {
 public:
  virtual ~RowPrinter() = default;
  /// The columns of the result, before its rows.
  virtual void begin(const protocol::RowDescription& columns) = 0;
  virtual void row(const Row& row) = 0;
  virtual void end() = 0;
};

[[nodiscard]] std::unique_ptr<RowPrinter> make_row_printer(RowFormat format, const Console& console);

}  // namespace switchyard::cli

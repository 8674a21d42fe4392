// Aligned columns, measured as a terminal shows them.
#pragma once

#include "console.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::cli {

/// Columns that the text takes: code points, wide ones counted twice, combining ones not at all.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// At most `width` columns of it, the last one an ellipsis when something was cut.
[[nodiscard]] std::string fit(std::string_view text, std::size_t width);

struct Cell {
  std::string text;
  Tone tone = Tone::plain;
  Cell(std::string t, Tone c = Tone::plain) : text(std::move(t)), tone(c) {}  // NOLINT: implicit
  Cell(const char* t, Tone c = Tone::plain) : text(t), tone(c) {}             // NOLINT: implicit
};

enum class Align : std::uint8_t { left, right };

/// Borderless: two spaces between columns, a quiet heading.
class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  [[nodiscard]] std::string text(const Paint& paint, std::size_t indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace switchyard::cli

#include "text_table.hpp"

#include <algorithm>
#include <cwchar>
#include <utility>

namespace switchyard::cli {

namespace {

/// The next code point of (supposed) UTF-8 and its length; a stray byte counts as one.
std::pair<wchar_t, std::size_t> next_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (length == 1 || text.size() < length) return {static_cast<wchar_t>(lead), 1};
  wchar_t point = static_cast<wchar_t>(lead & (0xFF >> (length + 1)));
  for (std::size_t i = 1; i < length; ++i) point = static_cast<wchar_t>((point << 6) | (byte(i) & 0x3F));
  return {point, length};
}

std::size_t columns_of(wchar_t point) {
  const int width = ::wcwidth(point);
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto [point, length] = next_point(text);
    width += columns_of(point);
    text.remove_prefix(length);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const auto [point, length] = next_point(text);
    if (used + columns_of(point) + 1 > width) break;
    used += columns_of(point);
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out + "…";
}

std::string TextTable::text(const Paint& paint, std::size_t indent) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  std::string out;
  const auto append = [&](std::size_t i, std::string_view text, Tone tone, bool last) {
    const std::string padding(widths[i] - display_width(text), ' ');
    const bool right = columns_[i].align == Align::right;
    if (right) out += padding;
    out += paint(tone, text);
    if (!right && !last) out += padding;
    if (!last) out += "  ";
  };
  const auto finish = [&] {
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  out.append(indent, ' ');
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    append(i, columns_[i].title, Tone::quiet, i + 1 == columns_.size());
  }
  finish();
  for (const auto& row : rows_) {
    out.append(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) append(i, row[i].text, row[i].tone, i + 1 == row.size());
    finish();
  }
  return out;
}

}  // namespace switchyard::cli

#include "row_printer.hpp"

#include "text_table.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace switchyard::cli {

namespace {

/// A table's columns are as wide as the widest value among this many rows; later rows come in blocks of this size.
constexpr std::size_t kRowsTogether = 500;
constexpr std::size_t kBytesTogether = 1 << 20;
/// Output is gathered up to this size.
constexpr std::size_t kFlushBytes = 64 << 10;
/// A column that has to give room on a narrow terminal keeps at least this.
constexpr std::size_t kNarrowest = 12;

/// Collects output into large writes.
class Output {
 public:
  explicit Output(const Console& console) : console_(console) {}
  std::string& text() noexcept { return text_; }
  void maybe_flush() {
    if (text_.size() >= kFlushBytes) flush();
  }
  void flush() {
    console_.print(text_);
    text_.clear();
  }
  [[nodiscard]] const Console& console() const noexcept { return console_; }

 private:
  const Console& console_;
  std::string text_;
};

/// Type OIDs whose values stand right: int2, int4, int8, oid, float4, float8, numeric, money (pg_type.dat).
bool is_number(Oid type) {
  constexpr Oid kNumbers[] = {20, 21, 23, 26, 700, 701, 790, 1700};
  return std::ranges::find(kNumbers, type) != std::end(kNumbers);
}

/// A value on one line: what would move the cursor is shown as a sign.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "↵";
    } else if (c == '\t') {
      out += ' ';
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += "·";
    } else {
      out += c;
    }
  }
  return out;
}

class TablePrinter final : public RowPrinter {
 public:
  explicit TablePrinter(const Console& console) : out_(console) {}

  void begin(const protocol::RowDescription& columns) override {
    columns_.clear();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      columns_.push_back({one_line(columns[i].name), is_number(columns[i].type), 0});
    }
    heading_ = true;
  }

  void row(const Row& row) override {
    std::vector<std::optional<std::string>>& cells = rows_.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      auto text = row.text(i);
      if (text) text = one_line(*text);
      bytes_ += text ? text->size() : 0;
      cells.push_back(std::move(text));
    }
    if (rows_.size() >= kRowsTogether || bytes_ >= kBytesTogether) print();
  }

  void end() override {
    print();
    out_.flush();
    if (cut_)
      out_.console().note("Wide values were cut at the terminal's width; --csv and --json have them whole.");
    cut_ = false;
  }

 private:
  struct Column {
    std::string name;
    bool right;
    std::size_t width;
  };

  void print() {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      columns_[i].width = std::max(columns_[i].width, display_width(columns_[i].name));
      for (const auto& cells : rows_) {
        const std::size_t width = cells[i] ? display_width(*cells[i]) : 4;
        columns_[i].width = std::max(columns_[i].width, width);
      }
    }
    narrow();
    const Paint& paint = out_.console().out();
    if (std::exchange(heading_, false) && !columns_.empty()) {
      line([&](std::size_t i) { return columns_[i].name; }, [](std::size_t) { return Tone::strong; });
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::string rule;
        for (std::size_t n = 0; n < columns_[i].width; ++n) rule += "─";
        out_.text() += (i > 0 ? "  " : "") + paint(Tone::quiet, rule);
      }
      out_.text() += '\n';
    }
    for (const auto& cells : rows_) {
      line([&](std::size_t i) { return cells[i].value_or("NULL"); },
           [&](std::size_t i) { return cells[i] ? Tone::plain : Tone::quiet; });
      out_.maybe_flush();
    }
    rows_.clear();
    bytes_ = 0;
  }

  template <class TextOf, class ToneOf>
  void line(TextOf text_of, ToneOf tone_of) {
    std::string& out = out_.text();
    const std::size_t last = columns_.size() - 1;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      std::string text = text_of(i);
      if (display_width(text) > columns_[i].width) {
        text = fit(text, columns_[i].width);
        cut_ = true;
      }
      const std::string padding(columns_[i].width - display_width(text), ' ');
      if (columns_[i].right) out += padding;
      out += out_.console().out()(tone_of(i), text);
      if (!columns_[i].right && i != last) out += padding;
      if (i != last) out += "  ";
    }
    out += '\n';
  }

  /// On a terminal no column may be wider than a cap, the largest with which a line fits.
  void narrow() {
    if (!out_.console().out_is_terminal() || columns_.empty()) return;
    const std::size_t gaps = 2 * (columns_.size() - 1);
    std::size_t cap = std::ranges::max(columns_, {}, &Column::width).width;
    const auto line_width = [&] {
      std::size_t total = gaps;
      for (const Column& column : columns_) total += std::min(column.width, cap);
      return total;
    };
    while (cap > kNarrowest && line_width() > out_.console().width()) --cap;
    for (Column& column : columns_) column.width = std::min(column.width, cap);
  }

  Output out_;
  std::vector<Column> columns_;
  std::vector<std::vector<std::optional<std::string>>> rows_;
  std::size_t bytes_ = 0;
  bool heading_ = true;
  bool cut_ = false;
};

/// RFC 4180, lines ending in LF. NULL is nothing, the empty string is "".
class CsvPrinter final : public RowPrinter {
 public:
  explicit CsvPrinter(const Console& console) : out_(console) {}

  void begin(const protocol::RowDescription& columns) override {
    for (std::size_t i = 0; i < columns.size(); ++i) field(i, columns[i].name);
    if (columns.size() > 0) out_.text() += '\n';
  }
  void row(const Row& row) override {
    for (std::size_t i = 0; i < row.size(); ++i) field(i, row.text(i));
    out_.text() += '\n';
    out_.maybe_flush();
  }
  void end() override { out_.flush(); }

 private:
  void field(std::size_t index, const std::optional<std::string>& value) {
    std::string& out = out_.text();
    if (index > 0) out += ',';
    if (!value) return;
    if (!value->empty() && value->find_first_of(",\"\r\n") == std::string::npos) {
      out += *value;
      return;
    }
    out += '"';
    for (const char c : *value) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  void field(std::size_t index, std::string_view value) { field(index, std::optional<std::string>(value)); }

  Output out_;
};

/// One array a statement, one line a row.
class JsonPrinter final : public RowPrinter {
 public:
  explicit JsonPrinter(const Console& console) : out_(console) {}

  void begin(const protocol::RowDescription&) override {
    out_.text() += '[';
    first_ = true;
  }
  void row(const Row& row) override {
    out_.text() += std::exchange(first_, false) ? "\n" : ",\n";
    row.append_json_to(out_.text());
    out_.maybe_flush();
  }
  void end() override {
    out_.text() += first_ ? "]\n" : "\n]\n";
    out_.flush();
  }

 private:
  Output out_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<RowPrinter> make_row_printer(RowFormat format, const Console& console) {
  switch (format) {
    case RowFormat::table: return std::make_unique<TablePrinter>(console);
    case RowFormat::csv: return std::make_unique<CsvPrinter>(console);
    case RowFormat::json: return std::make_unique<JsonPrinter>(console);
  }
  return nullptr;
}

}  // namespace switchyard::cli

#include <switchyard/values/literal.hpp>

#include <charconv>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::values {
namespace {

/// array_isspace, record_out and range_bound_escape quote these.

bool is_null_word(std::string_view text) { return base::equal_ignoring_case(text, "null"); }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && base::is_space(text.front())) text.remove_prefix(1);
}

bool parse_int(std::string_view& text, std::int32_t& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return true;
}

/// Quotes are doubled and backslashes too: composites and ranges.
void append_doubled(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += c;
    out += c;
  }
  out += '"';
}

/// One field of a composite or bound of a range, up to (not including) one of `stops` outside quotes.
bool read_quoted(std::string_view& rest, std::string_view stops, std::string& out) {
  out.clear();
  bool quoted = false;
  while (!rest.empty()) {
    const char c = rest.front();
    if (!quoted && stops.find(c) != std::string_view::npos) return true;
    rest.remove_prefix(1);
    if (c == '\\') {
      if (rest.empty()) return false;
      out += rest.front();
      rest.remove_prefix(1);
    } else if (c == '"') {
      if (quoted && !rest.empty() && rest.front() == '"') {
        out += '"';
        rest.remove_prefix(1);
      } else {
        quoted = !quoted;
      }
    } else {
      out += c;
    }
  }
  return false;
}

}  // namespace

void append_array_element(std::string& out, std::string_view element, char delimiter) {
  bool quote = element.empty() || is_null_word(element);
  for (char c : element) {
    quote = quote || c == '"' || c == '\\' || c == '{' || c == '}' || c == delimiter || base::is_space(c);
  }
  if (!quote) {
    out += element;
    return;
  }
  out += '"';
  for (char c : element) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void append_record_field_text(std::string& out, std::string_view field) {
  bool quote = field.empty();
  for (char c : field)
    quote = quote || c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || base::is_space(c);
  if (quote) {
    append_doubled(out, field);
  } else {
    out += field;
  }
}

void append_range_bound(std::string& out, std::string_view bound) {
  bool quote = bound.empty();
  for (char c : bound) {
    quote = quote || c == '"' || c == '\\' || c == '(' || c == ')' || c == '[' || c == ']' || c == ',' ||
            base::is_space(c);
  }
  if (quote) {
    append_doubled(out, bound);
  } else {
    out += bound;
  }
}

ArrayLiteral::ArrayLiteral(std::string_view text, char delimiter) : rest_(text), delimiter_(delimiter) {
  skip_spaces(rest_);
  std::size_t dimension = 0;
  bool bounds = false;
  while (!rest_.empty() && rest_.front() == '[') {
    bounds = true;
    std::int32_t lower = 0, upper = 0;
    rest_.remove_prefix(1);
    bad_ = dimension == kMaxDimensions || !parse_int(rest_, lower) || !rest_.starts_with(':');
    if (bad_) return;
    rest_.remove_prefix(1);
    bad_ = !parse_int(rest_, upper) || !rest_.starts_with(']');
    if (bad_) return;
    rest_.remove_prefix(1);
    lower_[dimension++] = lower;
  }
  if (bounds) {
    bad_ = !rest_.starts_with('=');
    if (!bad_) rest_.remove_prefix(1);
  }
}

ArrayLiteral::Step ArrayLiteral::fail() noexcept {
  bad_ = true;
  return Step::malformed;
}

ArrayLiteral::Step ArrayLiteral::next() {
  if (bad_) return Step::malformed;
  skip_spaces(rest_);
  if (depth_ == 0 && begun_) return rest_.empty() ? Step::end : fail();
  if (rest_.empty()) return fail();
  if (after_value_ && rest_.front() == delimiter_) {
    rest_.remove_prefix(1);
    skip_spaces(rest_);
    after_value_ = false;
    want_value_ = true;
    if (rest_.empty()) return fail();
  }
  if (rest_.front() == '}') {
    if (depth_ == 0 || want_value_) return fail();
    rest_.remove_prefix(1);
    --depth_;
    after_value_ = true;
    return Step::close;
  }
  if (after_value_) return fail();
  if (rest_.front() == '{') {
    if (depth_ == kMaxDimensions) return fail();
    rest_.remove_prefix(1);
    ++depth_;
    begun_ = true;
    want_value_ = false;
    return Step::open;
  }
  if (depth_ == 0) return fail();
  want_value_ = false;
  after_value_ = true;
  return read_element();
}

ArrayLiteral::Step ArrayLiteral::read_element() {
  if (rest_.front() != '"') {
    // A plain word: up to a delimiter or brace. A backslash takes the next character as it is.
    std::size_t end = 0;
    bool escaped = false;
    while (end < rest_.size() && rest_[end] != delimiter_ && rest_[end] != '}') {
      if (rest_[end] == '{' || rest_[end] == '"') return fail();
      if (rest_[end] == '\\') {
        escaped = true;
        ++end;
      }
      ++end;
    }
    if (end >= rest_.size()) return fail();
    std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    while (!escaped && !word.empty() && base::is_space(word.back())) word.remove_suffix(1);
    if (word.empty()) return fail();
    element_ = word;
    if (!escaped) return is_null_word(word) ? Step::null : Step::element;
    unescaped_.clear();
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (word[i] == '\\') ++i;
      unescaped_ += word[i];
    }
    element_ = unescaped_;
    return Step::element;
  }
  rest_.remove_prefix(1);
  unescaped_.clear();
  while (!rest_.empty()) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"') {
      element_ = unescaped_;
      return Step::element;
    }
    if (c == '\\') {
      if (rest_.empty()) break;
      unescaped_ += rest_.front();
      rest_.remove_prefix(1);
    } else {
      unescaped_ += c;
    }
  }
  return fail();
}

RecordLiteral::Step RecordLiteral::next(std::string_view& field, std::int32_t& size) {
  if (!begun_) {
    if (!rest_.starts_with('(')) return Step::malformed;
    rest_.remove_prefix(1);
    begun_ = true;
    if (rest_ == ")") ended_ = true;  // no fields at all
  }
  if (ended_) return Step::end;
  const std::string_view before = rest_;
  if (!read_quoted(rest_, ",)", unescaped_)) return Step::malformed;
  const bool null = before.size() == rest_.size();
  field = unescaped_;
  size = null ? -1 : static_cast<std::int32_t>(unescaped_.size());
  const char stop = rest_.front();
  rest_.remove_prefix(1);
  if (stop == ')') {
    ended_ = true;
    if (!rest_.empty()) return Step::malformed;
  }
  return Step::field;
}

bool RangeLiteral::read(std::string_view& text) {
  *this = {};
  constexpr std::string_view kEmpty = "empty";
  if (text.starts_with(kEmpty)) {
    text.remove_prefix(kEmpty.size());
    empty = true;
    return true;
  }
  if (text.empty() || (text.front() != '[' && text.front() != '(')) return false;
  lower_inclusive = text.front() == '[';
  text.remove_prefix(1);
  std::size_t before = text.size();
  if (!read_quoted(text, ",", lower)) return false;
  has_lower = text.size() != before;
  text.remove_prefix(1);
  before = text.size();
  if (!read_quoted(text, ")]", upper)) return false;
  has_upper = text.size() != before;
  upper_inclusive = text.front() == ']';
  text.remove_prefix(1);
  return true;
}

DecodeStatus read_array_header(ByteView bytes, ArrayHeader& header) noexcept {
  constexpr std::size_t kHead = 12, kDimension = 8, kSmallestElement = 4;
  if (bytes.size() < kHead) return DecodeStatus::malformed;
  const auto dimensions = base::load_be<std::int32_t>(bytes.data());
  header.element = base::load_be<Oid>(bytes.data() + 8);
  if (dimensions < 0 || dimensions > kMaxDimensions) return DecodeStatus::malformed;
  header.dimensions = dimensions;
  bytes.remove_prefix(kHead);
  if (bytes.size() < static_cast<std::size_t>(dimensions) * kDimension) return DecodeStatus::malformed;
  const std::size_t most = (bytes.size() - static_cast<std::size_t>(dimensions) * kDimension) / kSmallestElement;
  std::size_t count = dimensions == 0 ? 0 : 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(dimensions); ++i) {
    const auto extent = base::load_be<std::int32_t>(bytes.data());
    header.extent[i] = extent;
    header.lower[i] = base::load_be<std::int32_t>(bytes.data() + 4);
    bytes.remove_prefix(kDimension);
    // At most `most` so far, hence no overflow in 64 bits.
    if (extent < 0) return DecodeStatus::malformed;
    count *= static_cast<std::size_t>(extent);
    if (count > most) return DecodeStatus::malformed;
  }
  if (count > 0x7FFFFFFF) return DecodeStatus::malformed;
  header.count = static_cast<std::int32_t>(count);
  header.elements = bytes;
  return DecodeStatus::ok;
}

DecodeStatus read_range(ByteView bytes, RangeParts& range) noexcept {
  if (bytes.empty()) return DecodeStatus::malformed;
  const auto flags = static_cast<std::uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  range.empty = (flags & kRangeEmpty) != 0;
  range.lower_inclusive = (flags & kRangeLowerInclusive) != 0;
  range.upper_inclusive = (flags & kRangeUpperInclusive) != 0;
  range.has_lower = !range.empty && (flags & kRangeLowerInfinite) == 0;
  range.has_upper = !range.empty && (flags & kRangeUpperInfinite) == 0;
  ElementReader reader(bytes);
  const auto read_bound = [&reader](ByteView& bound) {
    const char* data = nullptr;
    std::int32_t size = 0;
    if (!reader.next(data, size) || size < 0) return false;
    bound = ByteView(data, static_cast<std::size_t>(size));
    return true;
  };
  if (range.has_lower && !read_bound(range.lower)) return DecodeStatus::malformed;
  if (range.has_upper && !read_bound(range.upper)) return DecodeStatus::malformed;
  return reader.done() ? DecodeStatus::ok : DecodeStatus::malformed;
}

}  // namespace switchyard::inline v0::values

#include <switchyard/sql/constant_free_text.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/sql/clock_constant.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <new>

namespace switchyard::inline v0::sql {
namespace {

constexpr Oid kInt8 = 20;
constexpr Oid kInt4 = 23;
constexpr Oid kNumeric = 1700;
constexpr Oid kUnspecified = 0;

/// PostgreSQL looks at integers that fit into no int8 as numeric; more digits than these are not worth a look.
constexpr std::size_t kMostDigits = 1000;
constexpr std::size_t kLongestWord = 9;  // of those below

constexpr bool begins_name(char c) noexcept {
  return base::is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
constexpr bool is_name(char c) noexcept { return begins_name(c) || base::is_digit(c) || c == '$'; }
constexpr bool is_operator(char c) noexcept {
  return std::string_view("+-*/<>=~!@#%^&|`?").find(c) != std::string_view::npos;
}

constexpr std::array<std::string_view, 7> kComparisons{"=", "<>", "!=", "<", "<=", ">", ">="};
/// What may follow an expression and begins none of its parts.
constexpr std::array<std::string_view, 22> kEnds{
    "and",  "or",    "order", "group", "limit", "offset", "having", "for", "union",  "except",  "intersect",
    "left", "right", "inner", "join",  "full",  "cross",  "where",  "on",  "window", "natural", "fetch"};

}  // namespace

//  other ──comparison, LIMIT, OFFSET──► alone ──constant──► other
//  other ──BETWEEN──► lower ──constant──► upper_comes ──AND──► alone
//  other ──IN──► list_comes ──(──► list ──constant──► list_next ──,──► list        anything else: other
class ConstantFreeText::Reader {
 public:
  Reader(ConstantFreeText& owner, std::string_view sql) noexcept
      : owner_(owner), at_(sql.data()), end_(sql.data() + sql.size()), copied_(at_) {}

  [[nodiscard]] bool read();

 private:
  enum class Expect : std::uint8_t { other, alone, row_count, lower, upper_comes, list_comes, list, list_next };

  [[nodiscard]] bool token();
  [[nodiscard]] bool comment_begins() const noexcept {
    return end_ - at_ >= 2 && ((at_[0] == '-' && at_[1] == '-') || (at_[0] == '/' && at_[1] == '*'));
  }
  [[nodiscard]] bool comment() noexcept;
  [[nodiscard]] bool quoted_name() noexcept;
  [[nodiscard]] bool string();
  [[nodiscard]] bool number();
  void word() noexcept;
  void operators() noexcept;
  void mark(char c) noexcept;
  [[nodiscard]] std::string_view read_word(const char* from, std::array<char, kLongestWord>& room) const noexcept;
  [[nodiscard]] bool ends_here() const noexcept;
  [[nodiscard]] bool wants_constant() const noexcept {
    return expect_ == Expect::alone || expect_ == Expect::lower || expect_ == Expect::list ||
           expect_ == Expect::row_count;
  }
  void take(const char* from, Oid type);
  void constant_seen() noexcept;

  ConstantFreeText& owner_;
  const char* at_;
  const char* end_;
  const char* copied_;  ///< the text is complete up to here
  Expect expect_ = Expect::other;
};

bool ConstantFreeText::assign(std::string_view sql) {
  text_.clear();
  types_.clear();
  values_.clear();
  return Reader(*this, sql).read();
}

bool ConstantFreeText::Reader::read() {
  while (at_ != end_) {
    if (!token()) return false;
  }
  if (owner_.types_.empty()) return false;
  owner_.text_.append(copied_, end_);
  if (owner_.values_.failed()) throw std::bad_alloc();
  return true;
}

/// False: not understood.
bool ConstantFreeText::Reader::token() {
  const char c = *at_;
  if (base::is_space(c)) {
    ++at_;
    return true;
  }
  if (comment_begins()) return comment();
  if (c == '\'') return string();
  if (c == '"') return quoted_name();
  if (begins_name(c)) {
    word();
    // A prefix of a string: E'', B'', X'', N'', U&''.
    return at_ == end_ || *at_ != '\'';
  }
  if (base::is_digit(c) || (c == '.' && end_ - at_ >= 2 && base::is_digit(at_[1]))) return number();
  if (is_operator(c)) {
    operators();
    return at_ == end_ || *at_ != '\'' || at_[-1] != '&';
  }
  if (std::string_view("()[],;.:").find(c) == std::string_view::npos) return false;
  mark(c);
  return true;
}

bool ConstantFreeText::Reader::comment() noexcept {
  if (*at_ == '-') {
    while (at_ != end_ && *at_ != '\n' && *at_ != '\r') ++at_;
    return true;
  }
  std::size_t depth = 0;
  do {
    if (end_ - at_ < 2) return false;
    if (at_[0] == '/' && at_[1] == '*') {
      ++depth;
      at_ += 2;
    } else if (at_[0] == '*' && at_[1] == '/') {
      --depth;
      at_ += 2;
    } else {
      ++at_;
    }
  } while (depth != 0);
  return true;
}

bool ConstantFreeText::Reader::quoted_name() noexcept {
  expect_ = Expect::other;
  at_ = std::find(at_ + 1, end_, '"');  // a doubled quote begins the name's second half
  if (at_ == end_) return false;
  ++at_;
  return true;
}

bool ConstantFreeText::Reader::string() {
  const char* const from = at_;
  for (++at_;; ++at_) {
    if (at_ == end_ || *at_ == '\\') return false;
    if (*at_ != '\'') continue;
    if (end_ - at_ < 2 || at_[1] != '\'') break;
    ++at_;
  }
  ++at_;
  const bool wanted = wants_constant() && expect_ != Expect::row_count;
  if (wanted && ends_here() && owner_.types_.size() < kMostConstants &&
      !may_be_clock_constant({from, static_cast<std::size_t>(at_ - from)})) {
    take(from, kUnspecified);
  }
  constant_seen();
  return true;
}

bool ConstantFreeText::Reader::number() {
  const char* const from = at_;
  bool whole = true;
  while (at_ != end_ && base::is_digit(*at_)) ++at_;
  if (at_ != end_ && *at_ == '.') {
    whole = false;
    ++at_;
    while (at_ != end_ && base::is_digit(*at_)) ++at_;
    if (at_ != end_ && *at_ == '.') return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    const char* exponent = at_ + 1;
    if (exponent != end_ && (*exponent == '+' || *exponent == '-')) ++exponent;
    if (exponent == end_ || !base::is_digit(*exponent)) return false;
    whole = false;
    at_ = std::find_if_not(exponent, end_, base::is_digit);
  }
  // Versions of PostgreSQL differ in what they make of 1a, 0x1 and 1_000.
  if (at_ != end_ && is_name(*at_)) return false;
  const bool wanted = wants_constant() && (whole || expect_ != Expect::row_count);
  if (wanted && ends_here() && owner_.types_.size() < kMostConstants &&
      static_cast<std::size_t>(at_ - from) <= kMostDigits) {
    Oid type = kNumeric;
    if (whole) {
      std::int64_t value = 0;
      const auto [stop, error] = std::from_chars(from, at_, value);
      if (error == std::errc()) type = value <= 0x7fff'ffff ? kInt4 : kInt8;
    }
    take(from, type);
  }
  constant_seen();
  return true;
}

/// The word in lower case; empty when it is longer than any that matters.
std::string_view ConstantFreeText::Reader::read_word(const char* from,
                                                     std::array<char, kLongestWord>& room) const noexcept {
  std::size_t size = 0;
  for (; from != end_ && is_name(*from); ++from) {
    if (size == room.size()) return {};
    room[size++] = base::to_lower(*from);
  }
  return {room.data(), size};
}

void ConstantFreeText::Reader::word() noexcept {
  std::array<char, kLongestWord> room{};
  const std::string_view name = read_word(at_, room);
  at_ = std::find_if_not(at_, end_, is_name);
  if (name == "and" && expect_ == Expect::upper_comes) {
    expect_ = Expect::alone;
  } else if (name == "in") {
    expect_ = Expect::list_comes;
  } else if (name == "between") {
    expect_ = Expect::lower;
  } else if (name == "limit" || name == "offset") {
    expect_ = Expect::row_count;
  } else {
    expect_ = Expect::other;
  }
}

void ConstantFreeText::Reader::operators() noexcept {
  const char* const from = at_;
  while (at_ != end_ && is_operator(*at_) && !comment_begins()) ++at_;
  const std::string_view name(from, static_cast<std::size_t>(at_ - from));
  expect_ = std::ranges::find(kComparisons, name) != kComparisons.end() ? Expect::alone : Expect::other;
}

void ConstantFreeText::Reader::mark(char c) noexcept {
  ++at_;
  if ((c == '(' && expect_ == Expect::list_comes) || (c == ',' && expect_ == Expect::list_next)) {
    expect_ = Expect::list;
  } else {
    expect_ = Expect::other;
  }
}

/// Nothing that follows belongs to the same operand.
bool ConstantFreeText::Reader::ends_here() const noexcept {
  const char* next = std::find_if_not(at_, end_, base::is_space);
  if (next == end_ || *next == ')' || *next == ',' || *next == ';') return true;
  if (next == at_ || !begins_name(*next)) return false;
  std::array<char, kLongestWord> room{};
  return std::ranges::find(kEnds, read_word(next, room)) != kEnds.end();
}

void ConstantFreeText::Reader::take(const char* from, Oid type) {
  owner_.text_.append(copied_, from);
  owner_.types_.push_back(type);
  std::array<char, 8> number{};
  const auto [stop, error] = std::to_chars(number.data(), number.data() + number.size(), owner_.types_.size());
  owner_.text_ += '$';
  owner_.text_.append(number.data(), stop);
  copied_ = at_;
  base::WriteBuffer& values = owner_.values_;
  if (type != kUnspecified) {
    const ByteView digits(from, static_cast<std::size_t>(at_ - from));
    values.put_i32(static_cast<std::int32_t>(digits.size()));
    values.put(digits);
    return;
  }
  const std::size_t length = values.mark();
  values.put_i32(0);
  for (const char* c = from + 1; c != at_ - 1; ++c) {
    values.put_u8(static_cast<std::uint8_t>(*c));
    if (*c == '\'') ++c;
  }
  values.patch_i32(length, static_cast<std::int32_t>(values.mark() - length - 4));
}

void ConstantFreeText::Reader::constant_seen() noexcept {
  if (expect_ == Expect::list) {
    expect_ = Expect::list_next;
  } else if (expect_ == Expect::lower) {
    expect_ = Expect::upper_comes;
  } else {
    expect_ = Expect::other;
  }
}

}  // namespace switchyard::inline v0::sql

// Reading small texts forward: digits, signs, fixed words. Internal.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace switchyard::inline v0::values {

class Scanner {
 public:
  explicit constexpr Scanner(std::string_view text) noexcept : rest_(text) {}

  [[nodiscard]] constexpr bool done() const noexcept { return rest_.empty(); }
  [[nodiscard]] constexpr std::string_view rest() const noexcept { return rest_; }
  [[nodiscard]] constexpr char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }

  constexpr bool eat(char c) noexcept {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  constexpr bool eat(std::string_view word) noexcept {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  constexpr void skip_spaces() noexcept {
    while (eat(' ')) {
    }
  }
  /// Between `fewest` and `most` digits as a number; false and nothing consumed otherwise. `most` at most 18.
  constexpr bool digits(int fewest, int most, std::int64_t& value) noexcept {
    int n = 0;
    std::int64_t sum = 0;
    while (n < most && static_cast<std::size_t>(n) < rest_.size() && is_digit(rest_[static_cast<std::size_t>(n)])) {
      sum = sum * 10 + (rest_[static_cast<std::size_t>(n)] - '0');
      ++n;
    }
    if (n < fewest) return false;
    rest_.remove_prefix(static_cast<std::size_t>(n));
    value = sum;
    return true;
  }
  /// ".123" as microseconds (six digits count, PostgreSQL prints no more); absent is zero.
  constexpr bool fraction(std::int64_t& micros) noexcept {
    micros = 0;
    if (!eat('.')) return true;
    std::int64_t scale = 100000;
    int n = 0;
    while (is_digit(peek())) {
      micros += (peek() - '0') * scale;
      scale /= 10;
      ++n;
      rest_.remove_prefix(1);
    }
    return n > 0 && n <= 6;
  }

  static constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

 private:
  std::string_view rest_;
};

template <class T>
  requires std::is_integral_v<T>
inline void append_int(std::string& out, T value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  out.append(text, static_cast<std::size_t>(end.ptr - text));
}

/// At least `width` digits, zeros in front. `value` is not negative.
inline void append_padded(std::string& out, std::int64_t value, int width) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  const auto n = static_cast<int>(end.ptr - text);
  if (n < width) out.append(static_cast<std::size_t>(width - n), '0');
  out.append(text, static_cast<std::size_t>(n));
}

}  // namespace switchyard::inline v0::values

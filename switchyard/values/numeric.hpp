// numeric: decimal numbers of any length, NaN and the infinities (manual chapter 8.1.2). A holder, not a
// calculator: it keeps every digit and the display scale on the way from and to the server.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/values/status.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0 {

namespace base {
class WriteBuffer;
}

class Numeric {
 public:
  /// Zero.
  Numeric() noexcept = default;
  /// Exact.
  SWITCHYARD_API Numeric(std::int64_t value);                        // NOLINT: implicit, nothing is lost
  Numeric(int value) : Numeric(static_cast<std::int64_t>(value)) {}  // NOLINT: implicit, nothing is lost
  /// The shortest decimal that reads back as the same double; NaN and the infinities as such.
  [[nodiscard]] SWITCHYARD_API static Numeric from_double(double value);
  /// "-12.50", "1e-7", "NaN", "Infinity", "-Infinity". Up to 131072 digits before and 16383 after the point.
  [[nodiscard]] SWITCHYARD_API static Result<Numeric> parse(std::string_view text);
  [[nodiscard]] SWITCHYARD_API static Numeric nan();
  [[nodiscard]] SWITCHYARD_API static Numeric infinity();
  [[nodiscard]] SWITCHYARD_API static Numeric negative_infinity();

  [[nodiscard]] bool is_nan() const noexcept { return kind_ == Kind::nan; }
  [[nodiscard]] bool is_infinite() const noexcept {
    return kind_ == Kind::infinity || kind_ == Kind::negative_infinity;
  }
  [[nodiscard]] bool is_finite() const noexcept { return kind_ == Kind::finite; }
  [[nodiscard]] bool is_zero() const noexcept { return is_finite() && digits_.empty(); }
  [[nodiscard]] bool is_negative() const noexcept { return negative_ || kind_ == Kind::negative_infinity; }
  /// Digits shown behind the point: 2 for 1.50.
  [[nodiscard]] int scale() const noexcept { return scale_; }

  /// As the server writes it: all digits, the scale kept, no exponent.
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;
  /// Fails if there is a fraction, or no place in 64 bits.
  [[nodiscard]] SWITCHYARD_API Result<std::int64_t> to_int64() const;
  /// The nearest double; infinite when too large.
  [[nodiscard]] SWITCHYARD_API double to_double() const;

  /// By value, as PostgreSQL compares: 1.5 equals 1.50, NaN equals NaN and is greater than everything.
  [[nodiscard]] SWITCHYARD_API std::weak_ordering compare(const Numeric& other) const noexcept;
  std::weak_ordering operator<=>(const Numeric& other) const noexcept { return compare(other); }
  bool operator==(const Numeric& other) const noexcept { return compare(other) == 0; }

  /// The wire form (numeric_send): counts, sign, scale and groups of four digits.
  SWITCHYARD_API void encode(base::WriteBuffer& out) const noexcept;
  [[nodiscard]] SWITCHYARD_API static DecodeStatus decode(ByteView bytes, Numeric& value);
  SWITCHYARD_API void append_to(std::string& out) const;

 private:
  enum class Kind : std::uint8_t { finite, nan, infinity, negative_infinity };
  explicit Numeric(Kind kind) noexcept : kind_(kind) {}
  void strip() noexcept;

  // value = sum of digits_[i] * 10000^(weight_ - i); no zero groups at either end.
  std::vector<std::int16_t> digits_;
  std::int32_t weight_ = 0;
  std::int32_t scale_ = 0;
  Kind kind_ = Kind::finite;
  bool negative_ = false;
};

}  // namespace switchyard::inline v0

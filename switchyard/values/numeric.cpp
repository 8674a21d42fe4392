#include <switchyard/values/numeric.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/buffer.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace switchyard::inline v0 {
namespace {

// numeric_send and numeric_recv (manual chapter 55 leaves the layout to the source): groups of four decimal digits.
constexpr int kGroup = 4;
constexpr std::int16_t kBase = 10000;
constexpr std::int32_t kMaxScale = 16383;           // NUMERIC_DSCALE_MAX
constexpr std::int64_t kMaxIntegerDigits = 131072;  // manual table 8.2
constexpr std::uint16_t kPositive = 0x0000;
constexpr std::uint16_t kNegative = 0x4000;
constexpr std::uint16_t kNaN = 0xC000;
constexpr std::uint16_t kPositiveInfinity = 0xD000;
constexpr std::uint16_t kNegativeInfinity = 0xF000;
constexpr std::size_t kHeader = 8;

Error malformed(std::string_view text) {
  constexpr std::size_t kShown = 64;
  return Error(ErrorKind::Mapping, "'" + std::string(text.substr(0, kShown)) + "' is not a numeric");
}

}  // namespace

Numeric::Numeric(std::int64_t value) {
  negative_ = value < 0;
  auto rest = negative_ ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  while (rest != 0) {
    digits_.insert(digits_.begin(), static_cast<std::int16_t>(rest % kBase));
    rest /= kBase;
  }
  weight_ = static_cast<std::int32_t>(digits_.size()) - 1;
  strip();
}

Numeric Numeric::nan() { return Numeric(Kind::nan); }
Numeric Numeric::infinity() { return Numeric(Kind::infinity); }
Numeric Numeric::negative_infinity() { return Numeric(Kind::negative_infinity); }

Numeric Numeric::from_double(double value) {
  if (std::isnan(value)) return nan();
  if (std::isinf(value)) return value > 0 ? infinity() : negative_infinity();
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  return std::move(parse(std::string_view(text, static_cast<std::size_t>(end.ptr - text)))).value();
}

Result<Numeric> Numeric::parse(std::string_view text) {
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (base::equal_ignoring_case(rest, "nan") && rest.size() == text.size()) return nan();
  if (base::equal_ignoring_case(rest, "infinity") || base::equal_ignoring_case(rest, "inf"))
    return negative ? negative_infinity() : infinity();

  const auto take_digits = [&rest] {
    std::size_t n = 0;
    while (n < rest.size() && base::is_digit(rest[n])) ++n;
    const std::string_view digits = rest.substr(0, n);
    rest.remove_prefix(n);
    return digits;
  };
  std::string_view whole = take_digits();
  std::string_view fraction;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    fraction = take_digits();
  }
  if (whole.empty() && fraction.empty()) return malformed(text);
  std::int64_t exponent = 0;
  if (!rest.empty() && base::to_lower(rest.front()) == 'e') {
    rest.remove_prefix(1);
    if (rest.size() > 1 && rest.front() == '+' && base::is_digit(rest[1])) rest.remove_prefix(1);
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), exponent);
    if (parsed.ec != std::errc() || std::abs(exponent) > 1'000'000) return malformed(text);
    rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()));
  }
  if (!rest.empty()) return malformed(text);

  // digits, with the point behind the first `point` of them.
  std::string digits(whole);
  digits += fraction;
  std::int64_t point = static_cast<std::int64_t>(whole.size()) + exponent;
  const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  digits.erase(0, zeros);
  point -= static_cast<std::int64_t>(zeros);
  const std::int64_t scale = std::max<std::int64_t>(0, static_cast<std::int64_t>(fraction.size()) - exponent);
  if (scale > kMaxScale || (!digits.empty() && point > kMaxIntegerDigits)) {
    return Error(ErrorKind::Mapping,
                 "numeric has more than 131072 digits before or 16383 digits after the decimal point");
  }

  Numeric out;
  out.scale_ = static_cast<std::int32_t>(scale);
  out.negative_ = negative;
  if (!digits.empty()) {
    // Groups of four are counted from the point: pad in front and behind to whole groups.
    const std::int64_t groups_before = point > 0 ? (point + kGroup - 1) / kGroup : -((-point) / kGroup);
    out.weight_ = static_cast<std::int32_t>(groups_before - 1);
    digits.insert(0, static_cast<std::size_t>(groups_before * kGroup - point), '0');
    digits.append((kGroup - digits.size() % kGroup) % kGroup, '0');
    out.digits_.reserve(digits.size() / kGroup);
    for (std::size_t i = 0; i < digits.size(); i += kGroup) {
      int group = 0;
      for (std::size_t j = i; j < i + kGroup; ++j) group = group * 10 + (digits[j] - '0');
      out.digits_.push_back(static_cast<std::int16_t>(group));
    }
  }
  out.strip();
  return out;
}

void Numeric::strip() noexcept {
  std::size_t zeros = 0;
  while (zeros < digits_.size() && digits_[zeros] == 0) ++zeros;
  if (zeros != 0) {
    digits_.erase(digits_.begin(), digits_.begin() + static_cast<std::ptrdiff_t>(zeros));
    weight_ -= static_cast<std::int32_t>(zeros);
  }
  while (!digits_.empty() && digits_.back() == 0) digits_.pop_back();
  if (digits_.empty()) {
    weight_ = 0;
    negative_ = false;
  }
}

std::string Numeric::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

void Numeric::append_to(std::string& out) const {
  switch (kind_) {
    case Kind::nan: out += "NaN"; return;
    case Kind::infinity: out += "Infinity"; return;
    case Kind::negative_infinity: out += "-Infinity"; return;
    case Kind::finite: break;
  }
  const auto group_at = [this](std::int32_t weight) {
    const std::int64_t index = static_cast<std::int64_t>(weight_) - weight;
    return index >= 0 && index < static_cast<std::int64_t>(digits_.size())
               ? digits_[static_cast<std::size_t>(index)]
               : std::int16_t{0};
  };
  const auto put_group = [&out](std::int16_t group, int first_digit, int last_digit) {
    const char text[kGroup] = {static_cast<char>('0' + group / 1000), static_cast<char>('0' + group / 100 % 10),
                               static_cast<char>('0' + group / 10 % 10), static_cast<char>('0' + group % 10)};
    out.append(text + first_digit, static_cast<std::size_t>(last_digit - first_digit));
  };
  if (negative_) out += '-';
  if (digits_.empty() || weight_ < 0) {
    out += '0';
  } else {
    const std::int16_t first = group_at(weight_);
    put_group(first, first >= 1000 ? 0 : first >= 100 ? 1 : first >= 10 ? 2 : 3, kGroup);
    for (std::int32_t weight = weight_ - 1; weight >= 0; --weight) put_group(group_at(weight), 0, kGroup);
  }
  if (scale_ == 0) return;
  out += '.';
  std::int32_t left = scale_;
  for (std::int32_t weight = -1; left > 0; --weight, left -= kGroup) {
    put_group(group_at(weight), 0, std::min(left, kGroup));
  }
}

Result<std::int64_t> Numeric::to_int64() const {
  const auto refused = [this] {
    std::string text = to_string();
    constexpr std::size_t kShown = 40;
    if (text.size() > kShown) text = text.substr(0, kShown) + "...";
    return Error(ErrorKind::Mapping, "numeric " + text + " is not a whole number of 64 bits");
  };
  if (!is_finite()) return refused();
  if (digits_.empty()) return std::int64_t{0};
  // Groups behind the point are not zero: strip() removed trailing zero groups.
  if (weight_ + 1 < static_cast<std::int32_t>(digits_.size())) return refused();
  std::int64_t value = 0;
  for (std::int32_t i = 0; i <= weight_; ++i) {
    const std::int64_t group =
        static_cast<std::size_t>(i) < digits_.size() ? digits_[static_cast<std::size_t>(i)] : 0;
    if (__builtin_mul_overflow(value, std::int64_t{kBase}, &value) ||
        __builtin_add_overflow(value, negative_ ? -group : group, &value)) {
      return refused();
    }
  }
  return value;
}

double Numeric::to_double() const {
  switch (kind_) {
    case Kind::nan: return std::numeric_limits<double>::quiet_NaN();
    case Kind::infinity: return std::numeric_limits<double>::infinity();
    case Kind::negative_infinity: return -std::numeric_limits<double>::infinity();
    case Kind::finite: break;
  }
  const std::string text = to_string();
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc::result_out_of_range) {
    if (weight_ < 0) return negative_ ? -0.0 : 0.0;
    return negative_ ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  return value;
}

std::weak_ordering Numeric::compare(const Numeric& other) const noexcept {
  const auto rank = [](const Numeric& n) {
    switch (n.kind_) {
      case Kind::negative_infinity: return -2;
      case Kind::finite: return n.digits_.empty() ? 0 : n.negative_ ? -1 : 1;
      case Kind::infinity: return 2;
      case Kind::nan: return 3;
    }
    return 0;
  };
  const int mine = rank(*this), theirs = rank(other);
  if (mine != theirs) return mine <=> theirs;
  if (!is_finite() || mine == 0) return std::weak_ordering::equivalent;
  std::weak_ordering magnitude = weight_ <=> other.weight_;
  if (magnitude == 0) {
    magnitude = std::lexicographical_compare_three_way(digits_.begin(), digits_.end(), other.digits_.begin(),
                                                       other.digits_.end());
  }
  return mine > 0 ? magnitude : 0 <=> magnitude;
}

void Numeric::encode(base::WriteBuffer& out) const noexcept {
  std::uint16_t sign = kPositive;
  switch (kind_) {
    case Kind::finite: sign = negative_ ? kNegative : kPositive; break;
    case Kind::nan: sign = kNaN; break;
    case Kind::infinity: sign = kPositiveInfinity; break;
    case Kind::negative_infinity: sign = kNegativeInfinity; break;
  }
  out.put_u16(static_cast<std::uint16_t>(digits_.size()));
  out.put_i16(static_cast<std::int16_t>(weight_));
  out.put_u16(sign);
  out.put_u16(static_cast<std::uint16_t>(scale_));
  for (std::int16_t group : digits_) out.put_i16(group);
}

DecodeStatus Numeric::decode(ByteView bytes, Numeric& value) {
  if (bytes.size() < kHeader) return DecodeStatus::malformed;
  const auto groups = base::load_be<std::uint16_t>(bytes.data());
  const auto weight = base::load_be<std::int16_t>(bytes.data() + 2);
  const auto sign = base::load_be<std::uint16_t>(bytes.data() + 4);
  const auto scale = base::load_be<std::uint16_t>(bytes.data() + 6);
  if (bytes.size() != kHeader + std::size_t{groups} * 2 || scale > kMaxScale) return DecodeStatus::malformed;
  value.kind_ = Kind::finite;
  value.negative_ = false;
  switch (sign) {
    case kPositive: break;
    case kNegative: value.negative_ = true; break;
    case kNaN: value.kind_ = Kind::nan; break;
    case kPositiveInfinity: value.kind_ = Kind::infinity; break;
    case kNegativeInfinity: value.kind_ = Kind::negative_infinity; break;
    default: return DecodeStatus::malformed;
  }
  value.digits_.clear();
  value.weight_ = 0;
  value.scale_ = 0;
  if (!value.is_finite()) return DecodeStatus::ok;
  value.weight_ = weight;
  value.scale_ = scale;
  value.digits_.resize(groups);
  for (std::size_t i = 0; i < groups; ++i) {
    const auto group = base::load_be<std::int16_t>(bytes.data() + kHeader + i * 2);
    if (group < 0 || group >= kBase) return DecodeStatus::malformed;
    value.digits_[i] = group;
  }
  value.strip();
  return DecodeStatus::ok;
}

}  // namespace switchyard::inline v0

// The literals of arrays, composites and ranges (manual chapters 8.15.2, 8.16.2, 8.17.5), read and written; and the
// binary forms of arrays and composites, read. Internal, but used by the codecs in headers.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/values/status.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::values {

/// Appends an element of an array literal, quoted where the server would quote it.
SWITCHYARD_API void append_array_element(std::string& out, std::string_view element, char delimiter = ',');
/// Appends a field of a composite literal. (NULL is nothing at all.)
SWITCHYARD_API void append_record_field_text(std::string& out, std::string_view field);
/// Appends a bound of a range literal.
SWITCHYARD_API void append_range_bound(std::string& out, std::string_view bound);

/// Walks over an array literal: "{1,2}", "{{a,NULL},{\"b c\",d}}", "[0:1]={7,8}".
class SWITCHYARD_API ArrayLiteral {
 public:
  enum class Step : std::uint8_t { open, close, element, null, end, malformed };

  explicit ArrayLiteral(std::string_view text, char delimiter = ',');
  /// Lower bounds before the literal, 1 where not given.
  [[nodiscard]] std::int32_t lower_bound(int dimension) const noexcept {
    return lower_[static_cast<std::size_t>(dimension)];
  }
  [[nodiscard]] Step next();
  /// The element without quotes and escapes; valid until next().
  [[nodiscard]] std::string_view element() const noexcept { return element_; }

 private:
  Step fail() noexcept;
  Step read_element();

  std::string_view rest_;
  std::string unescaped_;
  std::string_view element_;
  std::array<std::int32_t, kMaxDimensions> lower_{1, 1, 1, 1, 1, 1};
  int depth_ = 0;
  char delimiter_;
  bool bad_ = false;
  bool begun_ = false;
  bool after_value_ = false;
  bool want_value_ = false;
};

/// Walks over a composite literal: "(1,,\"a b\")".
class SWITCHYARD_API RecordLiteral {
 public:
  enum class Step : std::uint8_t { field, end, malformed };

  explicit RecordLiteral(std::string_view text) noexcept : rest_(text) {}
  /// `size` is -1 for NULL. The field is valid until the next call.
  [[nodiscard]] Step next(std::string_view& field, std::int32_t& size);

 private:
  std::string_view rest_;
  std::string unescaped_;
  bool begun_ = false;
  bool ended_ = false;
};

/// One range literal: "[1,5)", "(,\"2024-01-01\"]", "empty".
struct RangeLiteral {
  bool empty = false;
  bool lower_inclusive = false;
  bool upper_inclusive = false;
  bool has_lower = false;
  bool has_upper = false;
  std::string lower;
  std::string upper;

  /// Reads the range at the front of `text` and removes it from there.
  [[nodiscard]] SWITCHYARD_API bool read(std::string_view& text);
};

/// The head of a binary array (array_send), checked against the bytes that follow.
struct ArrayHeader {
  Oid element = 0;
  int dimensions = 0;
  std::array<std::int32_t, kMaxDimensions> extent{};
  std::array<std::int32_t, kMaxDimensions> lower{};
  std::int32_t count = 0;  ///< elements in all; the bytes hold at least four for each
  ByteView elements;       ///< count times an int32 length (-1 is NULL) and the element
};
[[nodiscard]] SWITCHYARD_API DecodeStatus read_array_header(ByteView bytes, ArrayHeader& header) noexcept;

/// Reads length-prefixed elements forward, never past the end.
class ElementReader {
 public:
  explicit ElementReader(ByteView bytes) noexcept : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  /// `size` is -1 for NULL. False if the length does not fit.
  [[nodiscard]] bool next(const char*& data, std::int32_t& size) noexcept {
    if (end_ - at_ < 4) return false;
    size = base::load_be<std::int32_t>(at_);
    at_ += 4;
    data = at_;
    if (size < 0) return size == -1;
    if (size > end_ - at_) return false;
    at_ += size;
    return true;
  }
  [[nodiscard]] bool done() const noexcept { return at_ == end_; }

 private:
  const char* at_;
  const char* end_;
};

/// Reads a binary composite (record_send): a count, then type, length and bytes of each field.
class RecordReader {
 public:
  explicit RecordReader(ByteView bytes) noexcept : rest_(bytes) {
    if (bytes.size() < 4) return;
    fields_ = base::load_be<std::int32_t>(bytes.data());
    rest_.remove_prefix(4);
    constexpr std::size_t kSmallestField = 8;
    if (fields_ < 0 || static_cast<std::size_t>(fields_) > rest_.size() / kSmallestField) fields_ = -1;
  }
  /// Number of fields, -1 if malformed.
  [[nodiscard]] std::int32_t fields() const noexcept { return fields_; }
  [[nodiscard]] bool next(Oid& type, ByteView& field, std::int32_t& size) noexcept {
    if (rest_.size() < 8) return false;
    type = base::load_be<Oid>(rest_.data());
    size = base::load_be<std::int32_t>(rest_.data() + 4);
    rest_.remove_prefix(8);
    if (size < -1 || (size >= 0 && static_cast<std::size_t>(size) > rest_.size())) return false;
    field = rest_.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size));
    rest_.remove_prefix(field.size());
    return true;
  }
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

 private:
  ByteView rest_;
  std::int32_t fields_ = -1;
};

/// One binary range (range_send): flags, then the bounds that it has.
struct RangeParts {
  bool empty = false;
  bool lower_inclusive = false;
  bool upper_inclusive = false;
  bool has_lower = false;
  bool has_upper = false;
  ByteView lower;
  ByteView upper;
};
[[nodiscard]] SWITCHYARD_API DecodeStatus read_range(ByteView bytes, RangeParts& range) noexcept;

/// Flags of a binary range (rangetypes.h).
enum RangeFlag : std::uint8_t {
  kRangeEmpty = 0x01,
  kRangeLowerInclusive = 0x02,
  kRangeUpperInclusive = 0x04,
  kRangeLowerInfinite = 0x08,
  kRangeUpperInfinite = 0x10,
};

}  // namespace switchyard::inline v0::values

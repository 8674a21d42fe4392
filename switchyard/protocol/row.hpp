// Rows as they come from the server: the description of a result, and one DataRow read in place.
//
// A RowView and its fields are valid only inside ResponseSink::on_row(). Nothing is copied and nothing allocated;
// a field is a pointer into the read buffer. Lengths are checked while walking: a row whose lengths don't fit ends
// the session with a Protocol error after the callback.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace switchyard::inline v0::protocol {

/// Format codes of parameters and columns.
inline constexpr std::int16_t kTextFormat = 0;
inline constexpr std::int16_t kBinaryFormat = 1;

/// One column of a RowDescription (manual chapter 55.7).
struct FieldDescription {
  std::string_view name;    ///< owned by the RowDescription
  Oid table_oid = 0;        ///< 0 when the column is not a plain table column
  std::int16_t column = 0;  ///< attribute number in that table, or 0
  Oid type = 0;
  std::int16_t type_size = 0;      ///< pg_type.typlen; negative for variable width
  std::int32_t type_modifier = 0;  ///< pg_attribute.atttypmod
  std::int16_t format = 0;         ///< kTextFormat or kBinaryFormat; text when only the statement was described
  friend bool operator==(const FieldDescription&, const FieldDescription&) = default;
};

/// The columns of a result. Immutable; shared by statement caches and rows, hence always behind a shared_ptr.
/// One block of memory holds the fields and their names.
class SWITCHYARD_API RowDescription {
 public:
  /// Decodes the body of a RowDescription message. Fails with Protocol if it is malformed.
  [[nodiscard]] static Result<std::shared_ptr<const RowDescription>> decode(ByteView body);
  /// A description with copies of these fields.
  [[nodiscard]] static std::shared_ptr<const RowDescription> make(std::span<const FieldDescription> fields);

  RowDescription(const RowDescription&) = delete;
  RowDescription& operator=(const RowDescription&) = delete;
  ~RowDescription();

  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  [[nodiscard]] const FieldDescription& operator[](std::size_t i) const noexcept { return fields_[i]; }
  [[nodiscard]] std::span<const FieldDescription> fields() const noexcept { return fields_; }
  /// The same columns, names included.
  friend bool operator==(const RowDescription& a, const RowDescription& b) noexcept {
    return std::equal(a.fields_.begin(), a.fields_.end(), b.fields_.begin(), b.fields_.end());
  }
  /// Bytes of memory it occupies, for caches that count them.
  [[nodiscard]] std::size_t memory() const noexcept { return sizeof(*this) + block_size_; }

 private:
  RowDescription(std::size_t fields, std::size_t name_bytes);
  void* block_;
  std::size_t block_size_;
  std::span<FieldDescription> fields_;
};

/// One field of a row: NULL, or bytes in the column's format.
struct FieldView {
  const char* data = nullptr;
  std::int32_t size = -1;  ///< -1 is NULL

  [[nodiscard]] bool is_null() const noexcept { return size < 0; }
  /// The bytes; empty for NULL.
  [[nodiscard]] ByteView bytes() const noexcept {
    return size < 0 ? ByteView() : ByteView(data, static_cast<std::size_t>(size));
  }
};

/// Reads length-prefixed values (DataRow, Bind) forward. Never reads past the end.
class FieldCursor {
 public:
  /// `malformed`, if not null, is set when a length does not fit or bytes are left over behind the last field.
  FieldCursor(const char* begin, const char* end, int count, bool* malformed) noexcept
      : at_(begin), end_(end), remaining_(count), malformed_(malformed) {
    if (count == 0 && begin != end) [[unlikely]]
      fail();
  }

  /// Fields not read yet.
  [[nodiscard]] int remaining() const noexcept { return remaining_; }
  /// The next field; call it only while remaining() > 0. NULL from the first malformed field on.
  FieldView next() noexcept {
    --remaining_;
    if (end_ - at_ < 4) [[unlikely]]
      return fail();
    const auto size = base::load_be<std::int32_t>(at_);
    at_ += 4;
    FieldView field{at_, size};
    if (static_cast<std::uint64_t>(static_cast<std::uint32_t>(size)) > static_cast<std::uint64_t>(end_ - at_)) {
      if (size != -1) [[unlikely]]
        return fail();
      field.data = nullptr;
    } else {
      at_ += size;
    }
    if (remaining_ == 0 && at_ != end_) [[unlikely]]
      return fail();
    return field;
  }
  /// The next field's bytes if there are exactly so many; else null, and nothing was read. For columns of known
  /// width: the walk then does not wait for each length.
  template <std::size_t kSize>
  [[nodiscard]] const char* next_of_size() noexcept {
    if (end_ - at_ < static_cast<std::ptrdiff_t>(4 + kSize) || base::load_be<std::uint32_t>(at_) != kSize)
        [[unlikely]]
      return nullptr;
    const char* data = at_ + 4;
    at_ = data + kSize;
    if (--remaining_ == 0 && at_ != end_) [[unlikely]]
      fail();
    return data;
  }
  /// True once a field was malformed: what was read from there on is not to be used.
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  FieldView fail() noexcept {
    at_ = end_;
    failed_ = true;
    if (malformed_ != nullptr) *malformed_ = true;
    return {};
  }

  const char* at_;
  const char* end_;
  int remaining_;
  bool failed_ = false;
  bool* malformed_;
};

/// One DataRow, decoded in place. Cheap to copy; valid only inside the callback that received it.
class RowView {
 public:
  RowView() noexcept = default;
  /// `values` are the bytes behind the field count. The flag is the machine's; null in tests and tools.
  RowView(ByteView values, int count, bool* malformed = nullptr) noexcept
      : begin_(values.data()), end_(values.data() + values.size()), count_(count), malformed_(malformed) {}

  [[nodiscard]] int count() const noexcept { return count_; }
  /// A cursor at the first field: the way to read a row.
  [[nodiscard]] FieldCursor fields() const noexcept { return {begin_, end_, count_, malformed_}; }
  /// Field `i`, found by walking over those before it; NULL if i is out of range or the row malformed.
  [[nodiscard]] FieldView operator[](int i) const noexcept {
    if (i < 0 || i >= count_) return {};
    FieldCursor cursor = fields();
    for (; i > 0; --i) cursor.next();
    return cursor.next();
  }
  /// All lengths fit exactly. If not, the session will be closed after the callback.
  [[nodiscard]] bool well_formed() const noexcept {
    FieldCursor cursor = fields();
    while (cursor.remaining() > 0) cursor.next();
    return !cursor.failed();
  }
  /// The encoded fields: count() times an int32 length (-1 is NULL) and that many bytes.
  [[nodiscard]] ByteView bytes() const noexcept { return {begin_, static_cast<std::size_t>(end_ - begin_)}; }

 private:
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  int count_ = 0;
  bool* malformed_ = nullptr;
};

/// The DataRow messages of one result that are complete in the read buffer, one behind the other. Reading it takes
/// them off; what is left when the callback returns is shown again.
class RowRun {
 public:
  /// `columns`: what each row must have; negative: anything. The run goes no further once `over` is true.
  RowRun(const char* begin, const char* end, int columns, std::uint32_t max_message_size, const bool* over,
         bool* malformed) noexcept
      : at_(begin), end_(end), columns_(columns), max_(max_message_size), over_(over), malformed_(malformed) {}

  /// The next row. False when what follows is not a row, or not all of it is there, or it is not as it should be:
  /// the machine looks at it then.
  [[nodiscard]] bool next(RowView& row) noexcept {
    constexpr std::ptrdiff_t kHeader = 1 + 4 + 2;
    if (end_ - at_ < kHeader || *at_ != 'D') return false;
    const auto length = base::load_be<std::uint32_t>(at_ + 1);
    const int count = base::load_be<std::int16_t>(at_ + 5);
    if (length < 6 || length > max_ || static_cast<std::ptrdiff_t>(length) >= end_ - at_ || count < 0 ||
        (count != columns_ && columns_ >= 0) || *over_ || *malformed_) [[unlikely]] {
      return false;
    }
    row = RowView({at_ + kHeader, length - 6}, count, malformed_);
    at_ += std::ptrdiff_t{1} + length;
    return true;
  }
  /// The value of the next row, if that is one field of exactly so many bytes; else null, and nothing was read.
  template <std::size_t kSize>
  [[nodiscard]] const char* next_value() noexcept {
    constexpr std::ptrdiff_t kHeader = 1 + 4 + 2 + 4;
    constexpr std::ptrdiff_t kStride = kHeader + static_cast<std::ptrdiff_t>(kSize);
    if (end_ - at_ < kStride || *at_ != 'D' || base::load_be<std::uint32_t>(at_ + 1) != kStride - 1 ||
        base::load_be<std::uint16_t>(at_ + 5) != 1 || base::load_be<std::uint32_t>(at_ + 7) != kSize ||
        (columns_ != 1 && columns_ >= 0) || *over_ || *malformed_) [[unlikely]] {
      return nullptr;
    }
    const char* value = at_ + kHeader;
    at_ += kStride;
    return value;
  }
  /// The first byte that was not taken.
  [[nodiscard]] const char* position() const noexcept { return at_; }

 private:
  const char* at_;
  const char* end_;
  int columns_;
  std::uint32_t max_;
  const bool* over_;
  bool* malformed_;
};

/// Which bytes a COPY carries (CopyInResponse, CopyOutResponse).
struct CopyFormat {
  bool binary = false;                      ///< the overall format
  std::span<const std::int16_t> columns{};  ///< the format of each column; valid only inside the callback
};

}  // namespace switchyard::inline v0::protocol

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

/// Which bytes a COPY carries (CopyInResponse, CopyOutResponse).
struct CopyFormat {
  bool binary = false;                      ///< the overall format
  std::span<const std::int16_t> columns{};  ///< the format of each column; valid only inside the callback
};

}  // namespace switchyard::inline v0::protocol

// A position in the write-ahead log of a PostgreSQL cluster (pg_lsn): a byte address that only grows, on one
// timeline.
#pragma once

#include <switchyard/base/export.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0 {

/// Written "0/402A018": two hexadecimal halves of 32 bits. Zero is PostgreSQL's "invalid", which stands for
/// unknown.
class SWITCHYARD_API WalPosition {
 public:
  constexpr WalPosition() noexcept = default;
  explicit constexpr WalPosition(std::uint64_t value) noexcept : value_(value) {}

  /// As PostgreSQL's pg_lsn takes it: one to eight hexadecimal digits on each side. Nothing for any other text.
  [[nodiscard]] static std::optional<WalPosition> parse(std::string_view text) noexcept;

  [[nodiscard]] constexpr std::uint64_t value() const noexcept { return value_; }
  [[nodiscard]] constexpr bool known() const noexcept { return value_ != 0; }
  /// As pg_lsn prints it.
  [[nodiscard]] std::string to_string() const;

  /// Bytes from `earlier` to here; 0 when it is not earlier.
  [[nodiscard]] constexpr std::uint64_t bytes_after(WalPosition earlier) const noexcept {
    return value_ > earlier.value_ ? value_ - earlier.value_ : 0;
  }

  friend constexpr auto operator<=>(WalPosition, WalPosition) noexcept = default;

 private:
  std::uint64_t value_ = 0;
};

namespace fleet {

/// pg_current_wal_insert_lsn() tells where the next record will begin. At the start of a page that is just behind
/// the page's header, a place that nothing replayed reaches before that record exists: a replica that has replayed
/// everything stands at the start of the page. This gives that start for such positions, and every other one as it
/// is. `segment_size` is the server's wal_segment_size, whose first page has a longer header; 0 = unknown.
[[nodiscard]] SWITCHYARD_API WalPosition replayable_position(WalPosition insert,
                                                             std::uint64_t segment_size) noexcept;

}  // namespace fleet

}  // namespace switchyard::inline v0

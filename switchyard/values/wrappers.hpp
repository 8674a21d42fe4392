// Small types that give plain storage a PostgreSQL meaning: bytea, json, pg_lsn, xid8, bit strings, money.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/result.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0 {

/// bytea: bytes that are not text.
class Bytes {
 public:
  Bytes() noexcept = default;
  explicit Bytes(std::span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  explicit Bytes(std::vector<std::byte> bytes) noexcept : bytes_(std::move(bytes)) {}
  explicit Bytes(ByteView bytes) { assign(bytes); }

  void assign(ByteView bytes) {
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
    bytes_.assign(begin, begin + bytes.size());
  }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] const std::byte* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::byte* data() noexcept { return bytes_.data(); }
  [[nodiscard]] auto begin() const noexcept { return bytes_.begin(); }
  [[nodiscard]] auto end() const noexcept { return bytes_.end(); }
  [[nodiscard]] ByteView view() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  /// The storage itself, for code that wants a vector.
  [[nodiscard]] std::vector<std::byte>& vector() noexcept { return bytes_; }
  [[nodiscard]] const std::vector<std::byte>& vector() const noexcept { return bytes_; }

  auto operator<=>(const Bytes&) const noexcept = default;

 private:
  std::vector<std::byte> bytes_;
};

/// json and jsonb: the text of a JSON document. As a parameter it is of unspecified type, so it fits both.
struct Json {
  std::string text;

  auto operator<=>(const Json&) const noexcept = default;
};

/// pg_lsn: a position in the write-ahead log.
struct Lsn {
  std::uint64_t value = 0;

  /// "16/B374D848".
  [[nodiscard]] SWITCHYARD_API static Result<Lsn> parse(std::string_view text);
  [[nodiscard]] SWITCHYARD_API std::string to_string() const;

  constexpr auto operator<=>(const Lsn&) const noexcept = default;
};

/// xid8: a transaction identifier that does not wrap around.
struct Xid8 {
  std::uint64_t value = 0;

  constexpr auto operator<=>(const Xid8&) const noexcept = default;
};

/// bit and varbit: a text of '0' and '1'.
struct BitString {
  std::string bits;

  auto operator<=>(const BitString&) const noexcept = default;
};

/// money: the smallest unit of the server's currency. Only the server knows how many digits that has (lc_monetary),
/// so Money reads the binary format only; as a parameter it takes exactly what was read.
struct Money {
  std::int64_t units = 0;

  constexpr auto operator<=>(const Money&) const noexcept = default;
};

}  // namespace switchyard::inline v0

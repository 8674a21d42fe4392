// A list of integers inside a message: either as it lies on the wire or as the program has it in memory. Nothing is
// copied; the bytes belong to somebody else.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace switchyard::inline v0::protocol {

template <class T>
class WireList {
 public:
  WireList() noexcept = default;
  WireList(std::span<const T> values) noexcept  // NOLINT: implicit
      : data_(reinterpret_cast<const char*>(values.data())), size_(values.size()) {}
  /// `bytes` holds big-endian integers.
  [[nodiscard]] static WireList from_wire(ByteView bytes) noexcept {
    WireList list;
    list.data_ = bytes.data();
    list.size_ = bytes.size() / sizeof(T);
    list.big_endian_ = true;
    return list;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T operator[](std::size_t i) const noexcept {
    const char* at = data_ + i * sizeof(T);
    if (big_endian_) return base::load_be<T>(at);
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
  }
  /// Writes the integers, without a count, to `at`.
  void store(char* at) const noexcept {
    if (size_ == 0) return;
    if (big_endian_) {
      std::memcpy(at, data_, size_ * sizeof(T));
      return;
    }
    for (std::size_t i = 0; i < size_; ++i) base::store_be<T>(at + i * sizeof(T), (*this)[i]);
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_ * sizeof(T); }
  friend bool operator==(const WireList& a, const WireList& b) noexcept {
    if (a.size_ != b.size_) return false;
    for (std::size_t i = 0; i < a.size_; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  bool big_endian_ = false;
};

using OidList = WireList<Oid>;
using FormatList = WireList<std::int16_t>;

}  // namespace switchyard::inline v0::protocol

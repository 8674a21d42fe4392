// Growable byte buffers of a connection: one to read into, one to write from. Both are contiguous, keep their
// memory between uses and never throw: when memory or the limit runs out they say so and the session closes.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace switchyard::inline v0::base {

/// Raw storage with a size and a capacity; the memory is not initialised.
class SWITCHYARD_API RawBuffer {
 public:
  RawBuffer() noexcept = default;
  RawBuffer(RawBuffer&& other) noexcept;
  RawBuffer& operator=(RawBuffer&& other) noexcept;
  RawBuffer(const RawBuffer&) = delete;
  RawBuffer& operator=(const RawBuffer&) = delete;
  ~RawBuffer();

  [[nodiscard]] char* data() noexcept { return data_; }
  [[nodiscard]] const char* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  /// Makes the capacity at least `wanted`, keeping the first `keep` bytes. False if memory ran out.
  [[nodiscard]] bool grow(std::size_t wanted, std::size_t keep) noexcept;
  void release() noexcept;

 private:
  char* data_ = nullptr;
  std::size_t capacity_ = 0;
};

/// Bytes that came from the peer and wait to be decoded. Consumed from the front; the rest moves to the start when
/// room is needed.
class ReadBuffer {
 public:
  /// Bytes not consumed yet. Valid until prepare() or consume().
  [[nodiscard]] ByteView readable() const noexcept { return {raw_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  /// Room for at least `wanted` more bytes; null if memory ran out. writable() tells how many fit.
  [[nodiscard]] char* prepare(std::size_t wanted) noexcept {
    if (raw_.capacity() - end_ < wanted && !make_room(wanted)) return nullptr;
    return raw_.data() + end_;
  }
  [[nodiscard]] std::size_t writable() const noexcept { return raw_.capacity() - end_; }
  /// `n` bytes were written at the place prepare() returned.
  void commit(std::size_t n) noexcept { end_ += n; }
  void consume(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() noexcept { begin_ = end_ = 0; }
  [[nodiscard]] std::size_t capacity() const noexcept { return raw_.capacity(); }
  /// Gives memory above `keep` bytes back if nothing is buffered.
  void shrink(std::size_t keep) noexcept {
    if (begin_ == end_ && raw_.capacity() > keep) {
      raw_.release();
      begin_ = end_ = 0;
    }
  }

 private:
  SWITCHYARD_API bool make_room(std::size_t wanted) noexcept;
  RawBuffer raw_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Bytes to be sent. Appending after a failed allocation is a no-op and failed() stays true.
class WriteBuffer {
 public:
  [[nodiscard]] ByteView view() const noexcept { return {raw_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  /// Room for `n` bytes that are counted as written at once; null after failure. The pointer is valid until the
  /// next append.
  [[nodiscard]] char* append(std::size_t n) noexcept {
    if (raw_.capacity() - end_ < n && !make_room(n)) return nullptr;
    char* at = raw_.data() + end_;
    end_ += n;
    return at;
  }
  void put(ByteView bytes) noexcept {
    if (bytes.empty()) return;
    if (char* at = append(bytes.size())) std::memcpy(at, bytes.data(), bytes.size());
  }
  void put_u8(std::uint8_t value) noexcept {
    if (char* at = append(1)) *at = static_cast<char>(value);
  }
  void put_i16(std::int16_t value) noexcept { put_be(value); }
  void put_i32(std::int32_t value) noexcept { put_be(value); }
  void put_i64(std::int64_t value) noexcept { put_be(value); }
  void put_u16(std::uint16_t value) noexcept { put_be(value); }
  void put_u32(std::uint32_t value) noexcept { put_be(value); }
  /// The text and a zero byte. The text must hold no zero byte itself: the caller has checked.
  void put_cstring(std::string_view text) noexcept {
    if (char* at = append(text.size() + 1)) {
      if (!text.empty()) std::memcpy(at, text.data(), text.size());
      at[text.size()] = '\0';
    }
  }
  /// A position for patch_i32(): offsets survive growth and consume_front() does not happen inside a message.
  [[nodiscard]] std::size_t mark() const noexcept { return end_ - begin_; }
  void patch_i32(std::size_t mark, std::int32_t value) noexcept {
    if (!failed_) store_be(raw_.data() + begin_ + mark, value);
  }
  /// Drops everything after `mark`.
  void truncate(std::size_t mark) noexcept { end_ = begin_ + mark; }
  /// `n` bytes were sent.
  void consume_front(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() noexcept {
    begin_ = end_ = 0;
    failed_ = false;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return raw_.capacity(); }
  void shrink(std::size_t keep) noexcept {
    if (empty() && raw_.capacity() > keep) {
      raw_.release();
      begin_ = end_ = 0;
    }
  }

 private:
  template <class T>
  void put_be(T value) noexcept {
    if (char* at = append(sizeof(T))) store_be(at, value);
  }
  SWITCHYARD_API bool make_room(std::size_t wanted) noexcept;
  RawBuffer raw_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool failed_ = false;
};

}  // namespace switchyard::inline v0::base

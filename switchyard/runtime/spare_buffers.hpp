// Memory of buffers that hold nothing, for whichever connection of the loop needs some next: ten thousand idle
// connections keep none, and what is read next goes where the processor's cache is warm.
#pragma once

#include <switchyard/base/buffer.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace switchyard::inline v0::runtime {

class SpareBuffers {
 public:
  /// Larger ones are given back to the system.
  static constexpr std::size_t kLargestRead = 256 * 1024;
  static constexpr std::size_t kLargestWrite = 16 * 1024;

  /// Gives memory to a buffer without any, if there is some.
  void lend(base::ReadBuffer& to) noexcept {
    if (reads_kept_ != 0) to = std::move(reads_[--reads_kept_]);
  }
  void lend(base::WriteBuffer& to) noexcept {
    if (writes_kept_ != 0) to = std::move(writes_[--writes_kept_]);
  }
  /// Takes the memory of an empty buffer; what was read from it must not be looked at any more.
  void take(base::ReadBuffer& from) noexcept {
    if (from.capacity() == 0) return;
    if (reads_kept_ < reads_.size() && from.capacity() <= kLargestRead) {
      reads_[reads_kept_++] = std::move(from);
    }
    from = base::ReadBuffer();
  }
  void take(base::WriteBuffer& from) noexcept {
    if (from.capacity() == 0 || from.failed()) return;
    if (writes_kept_ < writes_.size() && from.capacity() <= kLargestWrite) {
      writes_[writes_kept_++] = std::move(from);
    }
    from = base::WriteBuffer();
  }

 private:
  std::array<base::ReadBuffer, 4> reads_;
  std::array<base::WriteBuffer, 256> writes_;  // of those who write in one turn
  std::size_t reads_kept_ = 0;
  std::size_t writes_kept_ = 0;
};

}  // namespace switchyard::inline v0::runtime

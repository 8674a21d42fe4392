#include <switchyard/base/buffer.hpp>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace switchyard::inline v0::base {
namespace {
constexpr std::size_t kFirstCapacity = 512;
}

RawBuffer::RawBuffer(RawBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}

RawBuffer& RawBuffer::operator=(RawBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

RawBuffer::~RawBuffer() { std::free(data_); }

bool RawBuffer::grow(std::size_t wanted, std::size_t keep) noexcept {
  if (wanted <= capacity_) return true;
  const std::size_t doubled = capacity_ > SIZE_MAX / 2 ? wanted : capacity_ * 2;
  const std::size_t capacity = std::max({wanted, doubled, kFirstCapacity});
  char* fresh = static_cast<char*>(std::malloc(capacity));
  if (fresh == nullptr) return false;
  if (keep != 0) std::memcpy(fresh, data_, keep);
  std::free(data_);
  data_ = fresh;
  capacity_ = capacity;
  return true;
}

void RawBuffer::release() noexcept {
  std::free(data_);
  data_ = nullptr;
  capacity_ = 0;
}

bool ReadBuffer::make_room(std::size_t wanted) noexcept {
  const std::size_t held = end_ - begin_;
  if (begin_ != 0) {
    std::memmove(raw_.data(), raw_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
  }
  if (raw_.capacity() - end_ >= wanted) return true;
  if (wanted > SIZE_MAX - held) return false;
  return raw_.grow(held + wanted, held);
}

bool WriteBuffer::make_room(std::size_t wanted) noexcept {
  if (failed_) return false;
  const std::size_t held = end_ - begin_;
  if (begin_ != 0) {
    std::memmove(raw_.data(), raw_.data() + begin_, held);
    begin_ = 0;
    end_ = held;
    if (raw_.capacity() - end_ >= wanted) return true;
  }
  if (wanted > SIZE_MAX - held || !raw_.grow(held + wanted, held)) failed_ = true;
  return !failed_;
}

}  // namespace switchyard::inline v0::base

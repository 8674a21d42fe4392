// A file descriptor with an owner.
#pragma once

#include <switchyard/base/export.hpp>

#include <utility>

namespace switchyard::inline v0::runtime {

class SWITCHYARD_API Descriptor {
 public:
  Descriptor() noexcept = default;
  /// Owns `fd` from now on; -1: none.
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  /// Another descriptor of the same file, closed on exec; none if the process has no more.
  [[nodiscard]] static Descriptor duplicate(int fd) noexcept;

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

}  // namespace switchyard::inline v0::runtime

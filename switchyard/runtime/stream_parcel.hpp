// A connection on its way from one shard to another: its socket, the bytes that were received and not consumed,
// those that were not sent, and its encryption. Made by Stream::detach(), unpacked by Stream::attach().
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/export.hpp>

#include <memory>

namespace switchyard::inline v0::runtime {

class SWITCHYARD_API StreamParcel {
 public:
  /// Nothing.
  StreamParcel() noexcept;
  /// Closes the connection if nobody has taken it.
  ~StreamParcel();
  StreamParcel(StreamParcel&&) noexcept;
  StreamParcel& operator=(StreamParcel&&) noexcept;

  [[nodiscard]] explicit operator bool() const noexcept { return contents_ != nullptr; }
  /// -1 without a connection; the parcel keeps it.
  [[nodiscard]] int native_handle() const noexcept;
  /// Encrypted: it can't leave the process.
  [[nodiscard]] bool is_tls() const noexcept;
  /// In the clear, also of an encrypted one.
  [[nodiscard]] ByteView received() const noexcept;
  [[nodiscard]] ByteView unsent() const noexcept;

 private:
  friend class Stream;
  struct Contents;
  std::unique_ptr<Contents> contents_;
};

}  // namespace switchyard::inline v0::runtime

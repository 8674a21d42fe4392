// TLS without sockets: bytes from the peer go into cipher_in(), bytes for the peer come out of cipher_out(), and
// the plain side is a pair of buffers. Whoever owns it moves the bytes, in pieces of any size.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/tls.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace switchyard::inline v0::runtime {

//          handshake() false             handshake() true            close_notify / shutdown()
//   start ───────────────────► handshaking ─────────────► established ───────────────► closed
//                any error ──► failed
class SWITCHYARD_API TlsFilter {
 public:
  enum class ReadState : std::uint8_t { open, closed };

  /// An error if OpenSSL has no memory or the server name can't be used.
  [[nodiscard]] static Result<std::unique_ptr<TlsFilter>> create(std::shared_ptr<const TlsContext> context,
                                                                 TlsOptions options);
  ~TlsFilter();
  TlsFilter(const TlsFilter&) = delete;
  TlsFilter& operator=(const TlsFilter&) = delete;

  [[nodiscard]] base::ReadBuffer& cipher_in() noexcept;
  [[nodiscard]] base::WriteBuffer& cipher_out() noexcept;

  /// Goes as far as the received bytes allow. True when done; the peer's certificate has been checked then.
  /// After an error cipher_out() may hold an alert for the peer.
  [[nodiscard]] Result<bool> handshake();
  [[nodiscard]] bool established() const noexcept;
  /// Decrypts what is complete, appending to `plain`. `closed`: the peer has said that it is done.
  [[nodiscard]] Result<ReadState> read(base::ReadBuffer& plain);
  /// Encrypts from the front of `plain` until cipher_out() holds `limit` bytes or `plain` is empty.
  [[nodiscard]] Result<void> write(base::WriteBuffer& plain, std::size_t limit);
  /// Appends the closing alert to cipher_out().
  void shutdown() noexcept;
  /// Valid when established.
  [[nodiscard]] const TlsInfo& info() const noexcept;

 private:
  struct Impl;
  explicit TlsFilter(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::runtime

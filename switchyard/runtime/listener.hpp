// Accepts connections on a TCP port or a Unix-domain path.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/descriptor.hpp>
#include <switchyard/runtime/stream.hpp>
#include <switchyard/runtime/task.hpp>

#include <memory>

namespace switchyard::inline v0::runtime {

class SWITCHYARD_API Listener {
 public:
  struct Options {
    int backlog = 4096;    ///< the system may allow less
    int unix_mode = 0600;  ///< permissions of a Unix-domain path
  };

  /// Listens on the current shard. Port 0 takes a free one. A Unix-domain path left behind by a process that is
  /// gone is replaced. Errors are of kind Unavailable: `could not listen on 127.0.0.1:8420: Address already in
  /// use`.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> open(const SocketAddress& address);
  [[nodiscard]] static Result<std::unique_ptr<Listener>> open(const SocketAddress& address, Options options);
  /// Goes on with a socket that listens already, of another process as a rule. Errors: Config for one that does not
  /// listen.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> adopt(Descriptor socket);
  /// Closes; a Unix-domain path is removed.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The next connection; one caller at a time. An error of kind Closed after close(). Running out of file
  /// descriptors is an error of kind Unavailable, after which the caller may try again later.
  [[nodiscard]] Task<Result<std::unique_ptr<Stream>>> accept();
  void close() noexcept;
  /// Closes and leaves the path where it is: somebody else goes on with the socket.
  void abandon() noexcept;
  /// To give to somebody else; the listener keeps it.
  [[nodiscard]] int native_handle() const noexcept;
  /// With the port that was taken.
  [[nodiscard]] const SocketAddress& address() const noexcept;

 private:
  class Impl;
  explicit Listener(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::runtime

// A connected byte stream, TCP or Unix-domain, with or without TLS. It knows nothing about messages: received bytes
// are handed to a handler, bytes to send are appended to a buffer and written once a turn.
//
// A stream belongs to the shard on which it was made. It may be destroyed at any time, also from within its
// handler's callbacks; the handler is never called afterwards.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/stream_parcel.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/runtime/tls.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace switchyard::inline v0::runtime {

/// How a connection is made. Zero means the system's default.
struct ConnectOptions {
  std::string host;  ///< what the user wrote, for messages: "localhost" where the address says 127.0.0.1
  bool keepalives = true;
  Duration keepalives_idle{};
  Duration keepalives_interval{};
  int keepalives_count = 0;
  Duration tcp_user_timeout{};
};

class SWITCHYARD_API Stream {
 public:
  /// Called by the loop, never from inside a call to the stream. A callback schedules coroutines, it resumes none.
  class Handler {
   public:
    /// New bytes are in. What is not consumed stays and is shown again with the next bytes.
    virtual void on_data(base::ReadBuffer& in) noexcept = 0;
    /// Once, after the last on_data(): the peer closed or reset the connection, TLS failed, memory ran out.
    virtual void on_closed(const Error& error) noexcept = 0;
    /// Everything has been sent after the peer was too slow to take it at once.
    virtual void on_drained() noexcept {}

   protected:
    ~Handler() = default;
  };

  /// One recv() takes at most this much: what the cache can hold until it is decoded.
  static constexpr std::size_t kLargestRead = 128 * 1024;

  /// Connects on the current shard. Errors are of kind Unavailable, stage connecting, in libpq's words:
  /// `connection to server at "127.0.0.1", port 5432 failed: Connection refused`; `timeout expired` at the
  /// deadline.
  [[nodiscard]] static Task<Result<std::unique_ptr<Stream>>> connect(SocketAddress address, ConnectOptions options,
                                                                     TimePoint deadline);
  /// Takes over a connected socket (from a listener or a socketpair) on the current shard.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> adopt(int fd);
  /// The same for a connection of another process, with what that had received and not consumed, and not sent.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> adopt(int fd, ByteView received, ByteView unsent);
  /// Unpacks a connection on the current shard. start() shows what it had received.
  [[nodiscard]] static Result<std::unique_ptr<Stream>> attach(StreamParcel parcel);
  /// Packs the connection for another shard; this stream is closed, without further callbacks, and the connection
  /// is not. Not while it connects or shakes hands. Empty when it was closed or has failed already.
  [[nodiscard]] StreamParcel detach() noexcept;

  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Begins to read. The handler outlives the stream or is replaced.
  void start(Handler* handler) noexcept;
  /// From now on `handler` is called, first with the bytes that are left, if any. Null: reading pauses.
  void set_handler(Handler* handler) noexcept;

  /// What has come and was not consumed; valid until something is.
  [[nodiscard]] ByteView received() const noexcept;
  /// Its first `bytes` are not shown again: for a handler that takes them out of another turn than on_data()'s.
  void consume(std::size_t bytes) noexcept;

  /// What is to be sent. Append, then flush. Of a frugal stream: to be asked for anew in each turn.
  [[nodiscard]] base::WriteBuffer& out() noexcept;
  /// Keeps no memory for output while there is none: for connections of which there are many.
  void set_frugal() noexcept;
  /// Writes at the end of this turn, once for everybody who appended.
  void flush_soon() noexcept;
  /// Writes now as much as the socket takes; the rest follows by itself.
  void flush_now() noexcept;
  /// Bytes that the socket has not taken yet.
  [[nodiscard]] std::size_t unsent() const noexcept;

  /// After pause_reading() no callback comes until resume_reading(), and once the socket's buffer is full the peer
  /// has to wait. A close of the peer is noticed after resuming only.
  void pause_reading() noexcept;
  void resume_reading() noexcept;

  /// A hint: `bytes` more are on their way, and nobody has any use for the first of them alone. The stream then
  /// sleeps until they are there (at most kLargestWait of them at a time) instead of waking up for each piece. A
  /// wrong hint costs time only: after `patience` everything is as without it. TCP without TLS; elsewhere ignored.
  void expect(std::size_t bytes, Duration patience) noexcept;
  /// What was expected, and nothing more, is there. The next expect() will probably say the same: until something
  /// else is sent, or the patience has passed, the stream stays as it is.
  void expected_came() noexcept;
  /// Takes the hint back.
  void stop_expecting() noexcept;
  /// Waiting for more would leave server and client without work by turns.
  static constexpr std::size_t kLargestWait = 64 * 1024;

  /// Changes to TLS; works before start() (direct TLS) and after it. Bytes of the peer that were received before
  /// are fatal (nobody may speak in the clear then), unless TlsOptions::begun says that they belong to it. On error
  /// the stream is closed. Errors: Unavailable for what the network or the peer did, Config for a certificate that
  /// is not trusted or does not fit; stage connecting.
  [[nodiscard]] Task<Result<void>> start_tls(std::shared_ptr<const TlsContext> context, TlsOptions options,
                                             TimePoint deadline);
  [[nodiscard]] bool is_tls() const noexcept { return tls() != nullptr; }
  /// Null without TLS.
  [[nodiscard]] const TlsInfo* tls() const noexcept;

  /// Ends the connection without further callbacks. What was flushed and taken by the socket is still sent.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

  /// For socket options and credentials; -1 when closed. The stream keeps it.
  [[nodiscard]] int native_handle() const noexcept;
  [[nodiscard]] const SocketAddress& peer() const noexcept;

 private:
  class Impl;
  friend class StreamFactory;
  explicit Stream(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::runtime

// Messages between two processes of one machine, each with a file descriptor if it likes: over a connected
// Unix-domain socket (SCM_RIGHTS, unix(7)). For handing connections to another process.
//
// A channel belongs to the shard on which it was made. It may be destroyed at any time, also from within its
// handler's callbacks; the handler is never called afterwards.
#pragma once

#include <switchyard/base/bytes.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/runtime/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace switchyard::inline v0::runtime {

class SWITCHYARD_API DescriptorChannel {
 public:
  /// A larger message ends the channel.
  static constexpr std::uint32_t kMaxMessage = 256U << 20;
  /// So many descriptors may have come whose messages are not complete.
  static constexpr std::size_t kMaxPending = 64;

  class Handler {
   public:
    /// A whole message. `descriptor` is empty if it had none.
    virtual void on_message(ByteView message, Descriptor descriptor) noexcept = 0;
    /// Once: the other side has closed, or what came was no message. Not after close().
    virtual void on_closed() noexcept = 0;
    /// Everything has been sent after it had to wait.
    virtual void on_drained() noexcept {}

   protected:
    ~Handler() = default;
  };

  /// Connects to a path on which somebody listens; does not wait. Unavailable if nobody does.
  [[nodiscard]] static Result<Descriptor> connect(const std::string& path);
  /// One message from a connected socket, waiting for it: before there is anything else to do. Unavailable if it
  /// does not come in time or the other side has closed. The socket may be given to adopt() then.
  struct Message {
    std::string bytes;
    Descriptor descriptor;
  };
  [[nodiscard]] static Result<Message> receive(const Descriptor& socket, Duration patience);

  /// Takes over a connected Unix-domain socket on the current shard. The handler outlives the channel.
  [[nodiscard]] static Result<std::unique_ptr<DescriptorChannel>> adopt(Descriptor socket, Handler& handler);
  ~DescriptorChannel();
  DescriptorChannel(const DescriptorChannel&) = delete;
  DescriptorChannel& operator=(const DescriptorChannel&) = delete;

  /// Sends as much as the socket takes now, the rest by itself. A descriptor (-1: none) is duplicated: the caller
  /// may close his.
  void send(ByteView message, int descriptor = -1) noexcept;
  /// Bytes and descriptors that have not been taken.
  [[nodiscard]] std::size_t unsent() const noexcept;
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept;

 private:
  class Impl;
  explicit DescriptorChannel(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::runtime

#include <switchyard/runtime/descriptor_channel.hpp>

#include <switchyard/base/buffer.hpp>
#include <switchyard/runtime/address.hpp>
#include <switchyard/runtime/shard_loop.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {

Descriptor Descriptor::duplicate(int fd) noexcept { return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

void Descriptor::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

namespace {

// On the wire: the length of what follows (4 bytes), 1 with a descriptor and 0 without, the message.
constexpr std::size_t kHeader = 5;
constexpr std::size_t kRead = 64 << 10;
/// One recvmsg() takes at most so many.
constexpr std::size_t kDescriptorsPerRead = 16;

/// Reads what is there. Descriptors belong to the bytes they came with, and those to messages in their order.
/// Positive: so many bytes; 0: the end; negative: an errno.
ssize_t read_some(int fd, char* to, std::size_t room, std::deque<Descriptor>& descriptors) noexcept {
  iovec piece{.iov_base = to, .iov_len = room};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsPerRead * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0) return -errno;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(received);
    }
  }
  // Descriptors that found no room are lost.
  return (message.msg_flags & MSG_CTRUNC) != 0 ? -EMFILE : size;
}

/// Writes the beginning of `bytes`, with a descriptor at its first byte. As read_some().
ssize_t write_some(int fd, ByteView bytes, int descriptor) noexcept {
  iovec piece{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &descriptor, sizeof(int));
  }
  const ssize_t size = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  return size < 0 ? -errno : size;
}

struct Header {
  std::uint32_t size = 0;
  bool with_descriptor = false;
};

/// Nothing: it is none.
std::optional<Header> read_header(ByteView bytes) noexcept {
  Header header{.size = base::load_be<std::uint32_t>(bytes.data()), .with_descriptor = bytes[4] == 1};
  if (header.size > DescriptorChannel::kMaxMessage || (bytes[4] != 0 && bytes[4] != 1)) return std::nullopt;
  return header;
}

Error system_error(const std::string& what, int error) {
  return Error(ErrorKind::Unavailable, what + ": " + std::generic_category().message(error));
}

}  // namespace

class DescriptorChannel::Impl final : public std::enable_shared_from_this<Impl>, public Resource, private Watch {
 public:
  Impl(ShardLoop& loop, Descriptor socket, Handler& handler)
      : loop_(loop), socket_(std::move(socket)), handler_(&handler) {
    loop.adopt(*this);
  }
  [[nodiscard]] int begin() noexcept { return loop_.watch(*this, socket_.get(), EPOLLIN); }

  void send(ByteView message, int descriptor) noexcept {
    if (!is_open()) return;
    Outgoing& out = outgoing_.emplace_back();
    out.bytes.put_u32(static_cast<std::uint32_t>(message.size()));
    out.bytes.put_u8(descriptor >= 0 ? 1 : 0);
    out.bytes.put(message);
    if (descriptor >= 0) out.descriptor = Descriptor::duplicate(descriptor);
    unsent_ += out.bytes.size();
    // What can't be sent as it is ends the channel: the other side would wait for it.
    if (out.bytes.failed() || message.size() > kMaxMessage || (descriptor >= 0 && !out.descriptor)) return fail();
    if (outgoing_.size() == 1) flush();
  }
  [[nodiscard]] std::size_t unsent() const noexcept { return unsent_; }
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(socket_); }

  void close() noexcept {
    if (!is_open()) return;
    handler_ = nullptr;
    unlink();
    loop_.forget(*this, socket_.get());
    socket_.reset();
    outgoing_.clear();
    unsent_ = 0;
  }
  void loop_ends() noexcept override { close(); }

 private:
  struct Outgoing {
    base::WriteBuffer bytes;
    Descriptor descriptor;
  };

  void on_ready(std::uint32_t events) noexcept override {
    const std::shared_ptr<Impl> alive = shared_from_this();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
    if (is_open() && (events & EPOLLOUT) != 0) flush();
  }

  void receive() noexcept {
    for (;;) {
      char* room = in_.prepare(kRead);
      if (room == nullptr) return fail();
      const ssize_t size = read_some(socket_.get(), room, kRead, received_);
      if (size == -EAGAIN || size == -EINTR) return;
      if (size <= 0) return fail();
      in_.commit(static_cast<std::size_t>(size));
      if (!deliver()) return;
    }
  }

  /// False: the channel has ended.
  bool deliver() noexcept {
    while (in_.size() >= kHeader) {
      const std::optional<Header> header = read_header(in_.readable());
      if (!header) {
        fail();
        return false;
      }
      if (in_.size() < kHeader + header->size) break;
      Descriptor descriptor;
      if (header->with_descriptor) {
        if (received_.empty()) {
          fail();
          return false;
        }
        descriptor = std::move(received_.front());
        received_.pop_front();
      }
      handler_->on_message(in_.readable().substr(kHeader, header->size), std::move(descriptor));
      if (!is_open()) return false;
      in_.consume(kHeader + header->size);
    }
    if (received_.size() <= kMaxPending) return true;
    fail();
    return false;
  }

  void flush() noexcept {
    const bool waited = waiting_;
    while (!outgoing_.empty()) {
      Outgoing& out = outgoing_.front();
      const ssize_t size = write_some(socket_.get(), out.bytes.view(), out.descriptor.get());
      if (size == -EINTR) continue;
      if (size == -EAGAIN) return want_room(true);
      if (size < 0) return fail();
      out.descriptor.reset();  // it has gone with the first byte
      out.bytes.consume_front(static_cast<std::size_t>(size));
      unsent_ -= static_cast<std::size_t>(size);
      if (out.bytes.empty()) outgoing_.pop_front();
    }
    want_room(false);
    if (waited && handler_ != nullptr) handler_->on_drained();
  }

  void want_room(bool wanted) noexcept {
    if (std::exchange(waiting_, wanted) == wanted) return;
    const std::uint32_t events = EPOLLIN | (wanted ? EPOLLOUT : 0U);
    if (loop_.watch(*this, socket_.get(), events) != 0) fail();
  }

  void fail() noexcept {
    Handler* handler = handler_;
    close();
    if (handler != nullptr) handler->on_closed();
  }

  ShardLoop& loop_;
  Descriptor socket_;
  Handler* handler_;
  base::ReadBuffer in_;
  std::deque<Descriptor> received_;
  std::deque<Outgoing> outgoing_;
  std::size_t unsent_ = 0;
  bool waiting_ = false;
};

Result<Descriptor> DescriptorChannel::connect(const std::string& path) {
  const auto address = SocketAddress::unix_domain(path);
  if (!address.ok()) return address.error();
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("could not connect to " + path, errno);
  if (::connect(socket.get(), address->data(), address->size()) != 0) {
    return system_error("could not connect to " + path, errno);
  }
  return socket;
}

Result<DescriptorChannel::Message> DescriptorChannel::receive(const Descriptor& socket, Duration patience) {
  const TimePoint deadline = Clock::now() + patience;
  std::deque<Descriptor> descriptors;
  std::string bytes;
  std::size_t wanted = kHeader;
  while (bytes.size() < wanted) {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd ready{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (rest <= 0 || ::poll(&ready, 1, static_cast<int>(rest)) == 0) {
      return Error(ErrorKind::Unavailable, "the other process did not answer in time");
    }
    const std::size_t had = bytes.size();
    bytes.resize(wanted);
    const ssize_t size = read_some(socket.get(), bytes.data() + had, wanted - had, descriptors);
    bytes.resize(had + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    if (size == -EAGAIN || size == -EINTR) continue;
    if (size <= 0) return Error(ErrorKind::Unavailable, "the other process has closed the connection");
    if (bytes.size() != kHeader || wanted != kHeader) continue;
    const std::optional<Header> header = read_header(bytes);
    if (!header) return Error(ErrorKind::Protocol, "the other process does not speak as this one");
    wanted += header->size;
  }
  const bool with_descriptor = bytes[4] == 1;
  if (with_descriptor != (descriptors.size() == 1)) {
    return Error(ErrorKind::Protocol, "the other process does not speak as this one");
  }
  Message message;
  message.bytes = bytes.substr(kHeader);
  if (with_descriptor) message.descriptor = std::move(descriptors.front());
  return message;
}

Result<std::unique_ptr<DescriptorChannel>> DescriptorChannel::adopt(Descriptor socket, Handler& handler) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return system_error("could not use a socket", errno);
  }
  auto impl = std::make_shared<Impl>(ShardLoop::current(), std::move(socket), handler);
  if (const int error = impl->begin(); error != 0) {
    impl->close();
    return system_error("could not use a socket", error);
  }
  return std::unique_ptr<DescriptorChannel>(new DescriptorChannel(std::move(impl)));
}

DescriptorChannel::DescriptorChannel(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
DescriptorChannel::~DescriptorChannel() { impl_->close(); }
void DescriptorChannel::send(ByteView message, int descriptor) noexcept {
  const std::shared_ptr<Impl> alive = impl_;
  alive->send(message, descriptor);
}
std::size_t DescriptorChannel::unsent() const noexcept { return impl_->unsent(); }
void DescriptorChannel::close() noexcept { impl_->close(); }
bool DescriptorChannel::is_open() const noexcept { return impl_->is_open(); }

}  // namespace switchyard::inline v0::runtime

#include <switchyard/runtime/listener.hpp>

#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard_loop.hpp>
#include <switchyard/runtime/stream_factory.hpp>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {

namespace {

Error listen_error(const SocketAddress& address, int error) {
  return Error(ErrorKind::Unavailable,
               "could not listen on " + address.text() + ": " + std::generic_category().message(error));
}

/// Connections that are accepted before others of the loop have their turn.
constexpr unsigned kMostATurn = 16;

/// True if the path is a socket nobody accepts on: its process is gone.
bool is_left_behind(const SocketAddress& address) {
  struct stat status{};
  if (::lstat(address.host().c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool refused = ::connect(probe, address.data(), address.size()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

/// Binds and listens: 0 or an errno.
int bind_and_listen(int fd, const SocketAddress& address, const Listener::Options& options) {
  const int on = 1;
  if (!address.is_unix()) {
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (::bind(fd, address.data(), address.size()) != 0) {
    const int error = errno;
    if (error != EADDRINUSE || !address.is_unix() || !is_left_behind(address)) return error;
    ::unlink(address.host().c_str());
    if (::bind(fd, address.data(), address.size()) != 0) return errno;
  }
  if (address.is_unix() && address.host().front() != '@' &&
      ::chmod(address.host().c_str(), static_cast<mode_t>(options.unix_mode)) != 0) {
    return errno;
  }
  return ::listen(fd, options.backlog) == 0 ? 0 : errno;
}

/// Errors of a connection that ended before it was accepted: the next one may be fine (accept(2)).
bool concerns_one_connection(int error) noexcept {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP: return true;
    default: return false;
  }
}

}  // namespace

class Listener::Impl final : public Resource, private Watch {
 public:
  Impl(ShardLoop& loop, int fd, const SocketAddress& address) : loop_(loop), address_(address), fd_(fd) {
    loop.adopt(*this);
  }

  void close() noexcept {
    if (closed_) return;
    const Loop::Scope scope(loop_);
    closed_ = true;
    unlink();
    loop_.forget(*this, fd_);
    ::close(fd_);
    if (owns_path_ && address_.is_unix() && address_.host().front() != '@') ::unlink(address_.host().c_str());
    readable_.set();
  }
  void loop_ends() noexcept override { close(); }

  /// From now on readable_ tells when accept() is worth trying, or that the listener was closed. 0 or an errno.
  [[nodiscard]] int watch() noexcept {
    readable_.reset();
    return loop_.watch(*this, fd_, EPOLLIN);
  }

  ShardLoop& loop_;
  SocketAddress address_;
  int fd_;
  AsyncEvent readable_;
  unsigned accepted_ = 0;  ///< in a row, without a look at anything else
  bool closed_ = false;
  bool owns_path_ = true;

 private:
  /// Connections nobody accepts are not reported again and again.
  void on_ready(std::uint32_t /*events*/) noexcept override {
    loop_.forget(*this, fd_);
    readable_.set();
  }
};

Listener::Listener(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Listener::~Listener() { impl_->close(); }

Result<std::unique_ptr<Listener>> Listener::open(const SocketAddress& address) { return open(address, Options()); }

Result<std::unique_ptr<Listener>> Listener::open(const SocketAddress& address, Options options) {
  ShardLoop& loop = ShardLoop::current();
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return listen_error(address, errno);
  if (const int error = bind_and_listen(fd, address, options)) {
    ::close(fd);
    return listen_error(address, error);
  }
  SocketAddress bound = address;
  if (!address.is_unix()) {
    sockaddr_storage native{};
    socklen_t size = sizeof(native);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&native), &size);
    bound = SocketAddress(reinterpret_cast<sockaddr*>(&native), size);
  }
  return std::unique_ptr<Listener>(new Listener(std::make_shared<Impl>(loop, fd, bound)));
}

Result<std::unique_ptr<Listener>> Listener::adopt(Descriptor socket) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
    return Error(ErrorKind::Config, "a socket that was given to this process does not listen");
  }
  const int flags = ::fcntl(socket.get(), F_GETFL);
  (void)::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
  sockaddr_storage native{};
  size = sizeof(native);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&native), &size);
  const SocketAddress address(reinterpret_cast<sockaddr*>(&native), size);
  return std::unique_ptr<Listener>(
      new Listener(std::make_shared<Impl>(ShardLoop::current(), socket.release(), address)));
}

Task<Result<std::unique_ptr<Stream>>> Listener::accept() {
  const std::shared_ptr<Impl> impl = impl_;
  for (;;) {
    if (impl->closed_) co_return Error(ErrorKind::Closed, "the listener was closed");
    int error = EAGAIN;
    // Who connects all the time does not keep the loop from everybody else.
    if (++impl->accepted_ <= kMostATurn) {
      sockaddr_storage peer{};
      socklen_t size = sizeof(peer);
      const int fd = ::accept4(impl->fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) co_return StreamFactory::adopt(fd, SocketAddress(reinterpret_cast<sockaddr*>(&peer), size));
      error = errno;
    }
    if (error == EAGAIN || error == EWOULDBLOCK) {
      impl->accepted_ = 0;
      error = impl->watch();
      if (error == 0) co_await impl->readable_.wait();
    }
    if (error != 0 && !concerns_one_connection(error)) {
      co_return Error(ErrorKind::Unavailable,
                      "could not accept a connection: " + std::generic_category().message(error));
    }
  }
}

void Listener::close() noexcept { impl_->close(); }
void Listener::abandon() noexcept {
  impl_->owns_path_ = false;
  impl_->close();
}
int Listener::native_handle() const noexcept { return impl_->closed_ ? -1 : impl_->fd_; }
const SocketAddress& Listener::address() const noexcept { return impl_->address_; }

}  // namespace switchyard::inline v0::runtime

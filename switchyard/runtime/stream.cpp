#include <switchyard/runtime/stream.hpp>

#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard_loop.hpp>
#include <switchyard/runtime/stream_factory.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/runtime/tls_filter.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::inline v0::runtime {
namespace {

constexpr std::size_t kSmallestRead = 8 * 1024;
constexpr int kSmallReadsBeforeShrinking = 64;    // in a row, before less is read at once
constexpr std::size_t kKeptOut = 64 * 1024;       // a larger output buffer is released when it is empty
constexpr std::size_t kCipherAhead = 256 * 1024;  // encrypted bytes that may wait for the socket
constexpr Duration kFirstRetry = std::chrono::milliseconds(1);  // Unix-domain connect: the server's queue is full
constexpr Duration kLongestRetry = std::chrono::milliseconds(50);

std::string text_of(int error) { return std::generic_category().message(error); }

/// libpq's words: the place as the user wrote it, and the address in parentheses where that says more.
Error connect_error(const SocketAddress& address, const ConnectOptions& options, const std::string& why) {
  std::string where;
  const std::string host = address.host();
  if (address.is_unix()) {
    where = "on socket \"" + host + "\"";
  } else {
    const bool same = options.host.empty() || options.host == host;
    where = same ? "at \"" + host + "\"" : "at \"" + options.host + "\" (" + host + ")";
    where += ", port " + std::to_string(address.port());
  }
  return Error(ErrorKind::Unavailable, "connection to server " + where + " failed: " + why, ErrorStage::connecting);
}

Error closed_by_server() {
  return Error(ErrorKind::Unavailable, "server closed the connection unexpectedly", ErrorStage::sent)
      .with_hint("the server may have terminated abnormally before or while processing the request")
      .with_session_lost();
}

Error receive_error(int error) {
  return Error(ErrorKind::Unavailable, "could not receive data from server: " + text_of(error), ErrorStage::sent)
      .with_session_lost();
}

Error send_error(int error) {
  return Error(ErrorKind::Unavailable, "could not send data to server: " + text_of(error), ErrorStage::sent)
      .with_session_lost();
}

Error memory_error() {
  return Error(ErrorKind::Unavailable, "no memory for the buffers of a connection", ErrorStage::sent)
      .with_session_lost();
}

int seconds_of(Duration value) {
  return static_cast<int>(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(value).count()));
}

/// 0 or an errno. libpq ignores none of these failures either.
int apply_tcp_options(int fd, const ConnectOptions& options) {
  const auto set = [fd](int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : errno;
  };
  if (const int error = set(IPPROTO_TCP, TCP_NODELAY, 1)) return error;
  if (const int error = set(SOL_SOCKET, SO_KEEPALIVE, options.keepalives ? 1 : 0)) return error;
  if (options.keepalives) {
    if (options.keepalives_idle > Duration::zero()) {
      if (const int error = set(IPPROTO_TCP, TCP_KEEPIDLE, seconds_of(options.keepalives_idle))) return error;
    }
    if (options.keepalives_interval > Duration::zero()) {
      if (const int error = set(IPPROTO_TCP, TCP_KEEPINTVL, seconds_of(options.keepalives_interval))) return error;
    }
    if (options.keepalives_count > 0) {
      if (const int error = set(IPPROTO_TCP, TCP_KEEPCNT, options.keepalives_count)) return error;
    }
  }
  if (options.tcp_user_timeout > Duration::zero()) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(options.tcp_user_timeout).count();
    if (const int error =
            set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(std::min<std::int64_t>(ms, INT32_MAX)))) {
      return error;
    }
  }
  return 0;
}

/// A connect to a local port in the ephemeral range, where nobody listens, may connect to itself.
bool connected_to_itself(int fd) {
  std::array<sockaddr_storage, 2> ends{};
  std::array<socklen_t, 2> sizes{sizeof(sockaddr_storage), sizeof(sockaddr_storage)};
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(ends.data()), sizes.data()) != 0) return false;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&ends[1]), &sizes[1]) != 0) return false;
  return SocketAddress(reinterpret_cast<sockaddr*>(ends.data()), sizes[0]) ==
         SocketAddress(reinterpret_cast<sockaddr*>(&ends[1]), sizes[1]);
}

}  // namespace

/// Shared, so that it outlives a Stream that is destroyed in a callback.
class Stream::Impl final : public Resource, private Watch, public std::enable_shared_from_this<Impl> {
 public:
  Impl(ShardLoop& loop, const SocketAddress& peer) : loop_(loop), peer_(peer) { loop.adopt(*this); }

  /// Takes the descriptor, also on failure.
  Result<void> assign(int fd) {
    fd_ = fd;
    // Looked at once, so that a set that is full is noticed here.
    if (const int error = loop_.watch(*this, fd_, kInput)) {
      return Error(ErrorKind::Unavailable, "could not watch a socket: " + text_of(error), ErrorStage::connecting);
    }
    return {};
  }

  // ---- reading

  void start(Handler* handler) noexcept {
    handler_ = handler;
    started_ = true;
    if (closed_) return;
    if (in_.size() != 0 || failure_) {
      kick();
    } else {
      listen();
    }
  }

  void set_handler(Handler* handler) noexcept {
    handler_ = handler;
    if (handler == nullptr || closed_ || !started_) return;
    if (in_.size() != 0 || failure_) {
      kick();
    } else {
      listen();
    }
  }

  [[nodiscard]] ByteView received() const noexcept { return in_.readable(); }
  void consume(std::size_t bytes) noexcept {
    in_.consume(bytes);
    shown_ = 0;
    give_back();
  }

  void pause() noexcept { paused_ = true; }
  void resume() noexcept {
    if (!paused_) return;
    paused_ = false;
    if (!closed_ && started_) kick();
  }

  void expect(std::size_t bytes, Duration patience) noexcept {
    if (closed_ || tls_ || peer_.empty() || peer_.is_unix()) return;
    expected_ = bytes;
    patience_.arm(deadline_after(now(), patience));
    read_size_ = std::max(read_size_, std::min(bytes, kLargestWait));
    wake_at_bytes(std::min(bytes, kLargestWait));
  }
  void expected_came() noexcept {
    expected_ = 0;
    settled_ = true;
  }
  void stop_expecting() noexcept {
    if (expected_ == 0 && low_water_ == 1) return;
    expected_ = 0;
    patience_.disarm();
    wake_at_bytes(1);
  }

  // ---- writing

  void flush() noexcept {
    if (closed_ || write_waiting_) return;
    // Nothing is known about the answer to what goes out now.
    if (expected_ == 0 && low_water_ != 1) stop_expecting();
    if (send_failed_) {
      out_.clear();
      return;
    }
    for (;;) {
      base::WriteBuffer* from = &out_;
      if (tls_) {
        from = &tls_->cipher_out();
        if (tls_->established() && !out_.empty() && from->size() < kCipherAhead) {
          if (frugal_ && from->capacity() == 0) loop_.spare().lend(*from);
          if (Result<void> written = tls_->write(out_, kCipherAhead); !written.ok())
            return fail_later(written.error());
        }
      }
      if (out_.failed() || from->failed()) return fail_later(memory_error());
      if (from->empty()) break;
      const ssize_t sent = ::send(fd_, from->view().data(), from->size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        from->consume_front(static_cast<std::size_t>(sent));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return wait_writable();
      return stop_sending(errno);
    }
    settle(out_);
    if (tls_) settle(tls_->cipher_out());
  }

  /// An empty buffer of output.
  void settle(base::WriteBuffer& out) noexcept {
    if (!out.empty()) return;  // its rest waits for the filter
    if (frugal_) {
      loop_.spare().take(out);
    } else if (out.capacity() > kKeptOut) {
      out.shrink(kKeptOut);
    }
  }

  base::WriteBuffer& out() noexcept {
    if (frugal_ && out_.capacity() == 0 && !closed_) loop_.spare().lend(out_);
    return out_;
  }

  void flush_soon() noexcept {
    if (!closed_) flush_end_.schedule();
  }

  [[nodiscard]] std::size_t unsent() const noexcept { return out_.size() + (tls_ ? tls_->cipher_out().size() : 0); }

  // ---- TLS

  /// Begins the handshake; its end is announced in handshake_.
  void begin_tls(std::unique_ptr<TlsFilter> filter) noexcept {
    stop_expecting();
    tls_ = std::move(filter);
    handshake_.emplace();
    step_handshake();
    if (!closed_ && !failure_) {
      flush();
      listen();
    }
  }
  OneShot<Result<void>>& handshake_end() noexcept { return *handshake_; }

  // ---- the end

  void close() noexcept {
    if (closed_) return;
    const Loop::Scope scope(loop_);
    if (fd_ >= 0 && tls_ && tls_->established() && !send_failed_ && !write_waiting_ && !failure_) {
      tls_->shutdown();
      flush();
    }
    closed_ = true;
    handler_ = nullptr;
    unlink();
    flush_end_.cancel();
    kicked_.cancel();
    writable_timer_.disarm();
    patience_.disarm();
    if (fd_ >= 0) {
      loop_.forget(*this, fd_);
      ::close(fd_);
      fd_ = -1;
    }
    const Error gone(ErrorKind::Closed, "the connection was closed", ErrorStage::connecting);
    if (handshake_) handshake_->set(gone);
    if (connected_) connected_->set(ECANCELED);
  }

  void loop_ends() noexcept override { close(); }

  // ---- moving

  [[nodiscard]] bool can_move() const noexcept { return !closed_ && !failure_ && !send_failed_ && !handshaking(); }

  /// Leaves the shell of a closed stream.
  int release() noexcept {
    const Loop::Scope scope(loop_);
    stop_expecting();
    loop_.forget(*this, fd_);
    const int fd = std::exchange(fd_, -1);
    close();
    return fd;
  }

  // ---- connecting

  /// Waits until the socket has connected or failed: 0 or an errno; ETIMEDOUT at the deadline.
  Task<int> connected(TimePoint deadline) {
    connected_.emplace();
    connecting_ = true;
    writable_timer_.arm(deadline);
    listen();
    const int code = co_await connected_->wait();
    writable_timer_.disarm();
    connected_.reset();
    co_return code;
  }

  ShardLoop& loop_;
  SocketAddress peer_;
  int fd_ = -1;
  base::ReadBuffer in_;
  base::WriteBuffer out_;
  std::unique_ptr<TlsFilter> tls_;
  bool closed_ = false;
  bool frugal_ = false;

 private:
  /// The buffer that receives what the socket gives.
  base::ReadBuffer& raw_in() noexcept { return tls_ ? tls_->cipher_in() : in_; }

  [[nodiscard]] bool wants_bytes() const noexcept {
    return !closed_ && !failure_ && (handshaking() || (started_ && !paused_ && handler_ != nullptr));
  }
  [[nodiscard]] bool handshaking() const noexcept { return tls_ && !tls_->established(); }

  /// A peer that closes its end is told with its last bytes: no wake-up of its own.
  static constexpr std::uint32_t kInput = EPOLLIN | EPOLLRDHUP;
  /// One event takes at most about this much, so that others get their turn.
  static constexpr std::size_t kLargestTake = kLargestRead;

  [[nodiscard]] std::uint32_t wanted_events() const noexcept {
    if (connecting_) return EPOLLOUT;
    return (wants_bytes() ? kInput : 0U) | (write_waiting_ ? std::uint32_t{EPOLLOUT} : 0U);
  }
  /// Makes sure that what is waited for is reported. What is reported in vain is taken out by on_ready(): reading
  /// that pauses and goes on costs nothing as long as nothing comes.
  void listen() noexcept {
    if (!closed_) watch(Poller::events(*this) | wanted_events());
  }
  void watch(std::uint32_t events) noexcept {
    if (const int error = loop_.watch(*this, fd_, events)) {
      fail_later(Error(ErrorKind::Unavailable, "could not watch a socket: " + text_of(error), ErrorStage::sent)
                     .with_session_lost());
    }
  }

  void on_ready(std::uint32_t events) noexcept override {
    const std::shared_ptr<Impl> self = shared_from_this();
    constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;
    if (connecting_) {
      note_connected();
      return watch(kInput);
    }
    if (write_waiting_ && (events & (EPOLLOUT | kBroken)) != 0) on_writable();
    if (wants_bytes() && (events & (kInput | kBroken)) != 0) on_readable((events & (EPOLLRDHUP | kBroken)) != 0);
    give_back();
    if (!closed_) watch(wanted_events());
  }

  void note_connected() noexcept {
    connecting_ = false;
    int code = 0;
    socklen_t size = sizeof(code);
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &size) != 0) code = errno;
    connected_->set(code);
  }

  /// What holds nothing is for others.
  void give_back() noexcept {
    if (closed_) return;
    if (in_.size() == 0) loop_.spare().take(in_);
    if (tls_ && tls_->cipher_in().size() == 0) loop_.spare().take(tls_->cipher_in());
  }

  /// A read that is not full has emptied the socket, unless the end follows.
  void on_readable(bool to_the_end) noexcept {
    for (std::size_t taken = 0; taken < kLargestTake && wants_bytes();) {
      base::ReadBuffer& into = raw_in();
      if (into.capacity() == 0) loop_.spare().lend(into);
      char* at = into.prepare(read_size_);
      if (at == nullptr) {
        fail_now(memory_error());
        return process();
      }
      const std::size_t room = std::min(into.writable(), read_size_);
      const ssize_t received = ::recv(fd_, at, room, MSG_DONTWAIT);
      if (received < 0 && errno == EINTR) continue;
      if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
      if (received <= 0) {
        end_of_input(received == 0 ? 0 : errno);
        return process();
      }
      const auto n = static_cast<std::size_t>(received);
      into.commit(n);
      shown_ = 0;  // the handler may have consumed what it had left, and as much may have come
      loop_.note_received(n);
      adapt(n, room);
      taken += n;
      came_of_expected(n);
      process();
      if (n < room && !to_the_end) return;
    }
  }

  /// A read that fills the buffer is followed by a larger one, many small ones give the memory back.
  void adapt(std::size_t n, std::size_t room) noexcept {
    if (n == room) {
      read_size_ = std::min(read_size_ * 2, kLargestRead);
      small_reads_ = 0;
    } else if (read_size_ > kSmallestRead && n < read_size_ / 4 && ++small_reads_ >= kSmallReadsBeforeShrinking) {
      read_size_ /= 2;
      small_reads_ = 0;
    }
  }

  void came_of_expected(std::size_t n) noexcept {
    settled_ = false;
    expected_ -= std::min(expected_, n);
  }

  /// Lowering it makes the kernel look at once whether enough is there; the end of the input always counts.
  void wake_at_bytes(std::size_t bytes) noexcept {
    if (bytes == low_water_) return;
    const int value = static_cast<int>(bytes);
    if (::setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)) == 0) low_water_ = bytes;
  }

  /// Called from the loop, where callbacks may be made; something keeps this object alive whatever they do.
  void process() noexcept {
    if (tls_) decrypt();
    deliver();
    if (closed_ || low_water_ == 1 || settled_) return;
    // The answer goes on.
    if (expected_ == 0) {
      stop_expecting();
    } else {
      wake_at_bytes(std::min(expected_, kLargestWait));
    }
  }

  void decrypt() noexcept {
    if (handshaking()) {
      if (!failure_) step_handshake();
      if (closed_ || handshaking()) return;
    }
    if (in_.capacity() == 0) loop_.spare().lend(in_);
    Result<TlsFilter::ReadState> state = tls_->read(in_);
    if (!state.ok()) {
      fail_now(state.error());
    } else if (*state == TlsFilter::ReadState::closed) {
      end_of_input(0);
    }
    if (!tls_->cipher_out().empty()) flush();  // an alert, or an answer to a key update
  }

  void step_handshake() noexcept {
    Result<bool> done = tls_->handshake();
    flush();
    if (!done.ok()) {
      fail_now(done.error());
      handshake_->set(done.error());
    } else if (*done) {
      handshake_->set(Result<void>());
    }
  }

  void deliver() noexcept {
    while (!closed_ && !paused_ && started_ && handler_ != nullptr && !handshaking()) {
      if (in_.size() != 0) {
        Handler* const shown_to = handler_;
        const std::size_t before = in_.size();
        if (before != shown_ || shown_to != last_shown_to_) {
          shown_to->on_data(in_);
          shown_ = in_.size();
          last_shown_to_ = shown_to;
          continue;  // to see whether it was paused, closed or replaced meanwhile
        }
      }
      if (failure_) {
        Handler* const handler = std::exchange(handler_, nullptr);
        const Error error = *failure_;
        handler->on_closed(error);
      }
      return;
    }
  }

  // A failure is told after the bytes that came before it.

  void fail_now(const Error& error) noexcept {
    if (!failure_) failure_ = error;
  }
  void fail_later(const Error& error) noexcept {
    fail_now(error);
    kick();
  }

  /// Zero for an orderly end.
  void end_of_input(int error) noexcept {
    if (send_failed_) {
      fail_now(*send_failed_);
    } else if (handshaking()) {
      const std::string why =
          error == 0 ? "server closed the connection during the TLS handshake"
                     : "could not receive data from server during the TLS handshake: " + text_of(error);
      fail_now(Error(ErrorKind::Unavailable, why, ErrorStage::connecting).with_session_lost());
    } else {
      fail_now(error == 0 ? closed_by_server() : receive_error(error));
    }
    if (handshaking()) handshake_->set(*failure_);
  }

  /// The peer takes nothing any more. It may have said why: reading goes on to the end of what it sent.
  void stop_sending(int error) noexcept {
    send_failed_ = send_error(error);
    out_.clear();
    if (tls_) tls_->cipher_out().clear();
    ::shutdown(fd_, SHUT_RDWR);
  }

  void wait_writable() noexcept {
    write_waiting_ = true;
    listen();
  }

  void on_writable() noexcept {
    write_waiting_ = false;
    flush();
    if (!closed_ && unsent() == 0 && handler_ != nullptr && !send_failed_) handler_->on_drained();
  }

  /// Goes through process() from the loop, where callbacks may be made.
  void kick() noexcept {
    const Loop::Scope scope(loop_);
    kicked_.schedule();
  }
  static void on_kicked(void* impl) noexcept {
    const std::shared_ptr<Impl> self = static_cast<Impl*>(impl)->shared_from_this();
    if (self->closed_) return;
    self->shown_ = 0;
    self->process();
    self->give_back();
    self->listen();
  }

  Handler* handler_ = nullptr;
  Handler* last_shown_to_ = nullptr;
  std::size_t shown_ = 0;  // how many bytes the handler left
  std::size_t read_size_ = kSmallestRead;
  int small_reads_ = 0;
  std::size_t expected_ = 0;   // bytes still to come of those that expect() named; 0: nothing is expected
  std::size_t low_water_ = 1;  // SO_RCVLOWAT
  bool started_ = false;
  bool paused_ = false;
  bool connecting_ = false;
  bool write_waiting_ = false;
  bool settled_ = true;  // what came last was all that was expected: low_water_ may stay for the next answer
  std::optional<Error> failure_;
  std::optional<Error> send_failed_;
  std::optional<OneShot<Result<void>>> handshake_;
  std::optional<OneShot<int>> connected_;
  TurnEnd kicked_{&Impl::on_kicked, this};
  TurnEnd flush_end_{[](void* self) noexcept { static_cast<Impl*>(self)->flush(); }, this};
  Timer writable_timer_{[](void* self) noexcept {
                          auto* me = static_cast<Impl*>(self);
                          if (me->connected_) me->connected_->set(ETIMEDOUT);
                        },
                        this};
  Timer patience_{[](void* self) noexcept { static_cast<Impl*>(self)->stop_expecting(); }, this};
};

Stream::Stream(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Stream::~Stream() { impl_->close(); }

Result<std::unique_ptr<Stream>> StreamFactory::adopt(int fd, const SocketAddress& peer) {
  auto impl = std::make_shared<Stream::Impl>(ShardLoop::current(), peer);
  std::unique_ptr<Stream> stream(new Stream(impl));
  if (Result<void> assigned = impl->assign(fd); !assigned.ok()) return assigned.error();
  if (!peer.empty() && !peer.is_unix()) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return stream;
}

Result<std::unique_ptr<Stream>> Stream::adopt(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) size = 0;
  return StreamFactory::adopt(fd, SocketAddress(reinterpret_cast<sockaddr*>(&peer), size));
}

Task<Result<std::unique_ptr<Stream>>> Stream::connect(SocketAddress address, ConnectOptions options,
                                                      TimePoint deadline) {
  ShardLoop& loop = ShardLoop::current();
  const auto failed = [&](int error) {
    return connect_error(address, options, error == ETIMEDOUT ? "timeout expired" : text_of(error));
  };
  Duration retry = kFirstRetry;
  for (;;) {
    const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) co_return connect_error(address, options, "could not create a socket: " + text_of(errno));
    auto impl = std::make_shared<Impl>(loop, address);
    std::unique_ptr<Stream> stream(new Stream(impl));
    if (!address.is_unix()) {
      if (const int error = apply_tcp_options(fd, options)) {
        ::close(fd);
        co_return connect_error(address, options, "could not set socket options: " + text_of(error));
      }
    }
    int code = 0;
    do {
      code = ::connect(fd, address.data(), address.size()) == 0 ? 0 : errno;
    } while (code == EINTR);
    if (code != 0 && code != EINPROGRESS) ::close(fd);
    if (code == EAGAIN && address.is_unix()) {
      // The server's queue is full; unlike TCP the system does not wait for us.
      if (runtime::now() >= deadline) co_return failed(ETIMEDOUT);
      co_await sleep_until(std::min(deadline, deadline_after(runtime::now(), retry)));
      retry = std::min(retry * 2, kLongestRetry);
      continue;
    }
    if (code != 0 && code != EINPROGRESS) co_return failed(code);
    if (Result<void> assigned = impl->assign(fd); !assigned.ok()) co_return assigned.error();
    if (code == EINPROGRESS) {
      code = co_await impl->connected(deadline);
      if (code != 0) co_return failed(code);
    }
    if (!address.is_unix() && connected_to_itself(fd)) co_return failed(ECONNREFUSED);
    co_return stream;
  }
}

struct StreamParcel::Contents {
  SocketAddress peer;
  int fd = -1;
  base::ReadBuffer in;
  base::WriteBuffer out;
  std::unique_ptr<TlsFilter> tls;
  bool frugal = false;

  Contents() = default;
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;
  ~Contents() {
    if (fd >= 0) ::close(fd);
  }
};

StreamParcel::StreamParcel() noexcept = default;
StreamParcel::~StreamParcel() = default;
StreamParcel::StreamParcel(StreamParcel&&) noexcept = default;
StreamParcel& StreamParcel::operator=(StreamParcel&&) noexcept = default;
int StreamParcel::native_handle() const noexcept { return contents_ ? contents_->fd : -1; }
bool StreamParcel::is_tls() const noexcept { return contents_ && contents_->tls; }
ByteView StreamParcel::received() const noexcept { return contents_ ? contents_->in.readable() : ByteView(); }
ByteView StreamParcel::unsent() const noexcept { return contents_ ? contents_->out.view() : ByteView(); }

Result<std::unique_ptr<Stream>> Stream::adopt(int fd, ByteView received, ByteView unsent) {
  auto stream = adopt(fd);
  if (!stream.ok()) return stream;
  Impl& impl = *(*stream)->impl_;
  if (!received.empty()) {
    char* room = impl.in_.prepare(received.size());
    if (room == nullptr) return Error(ErrorKind::Unavailable, "out of memory", ErrorStage::connecting);
    received.copy(room, received.size());
    impl.in_.commit(received.size());
  }
  if (!unsent.empty()) {
    impl.out().put(unsent);
    impl.flush_soon();
  }
  return stream;
}

StreamParcel Stream::detach() noexcept {
  StreamParcel parcel;
  if (!impl_->can_move()) return parcel;
  parcel.contents_ = std::make_unique<StreamParcel::Contents>();
  StreamParcel::Contents& contents = *parcel.contents_;
  contents.peer = impl_->peer_;
  contents.in = std::exchange(impl_->in_, {});
  contents.out = std::exchange(impl_->out_, {});
  contents.tls = std::move(impl_->tls_);
  contents.frugal = impl_->frugal_;
  contents.fd = impl_->release();
  return parcel;
}

Result<std::unique_ptr<Stream>> Stream::attach(StreamParcel parcel) {
  if (!parcel) return Error(ErrorKind::Closed, "the connection was closed", ErrorStage::connecting);
  StreamParcel::Contents& contents = *parcel.contents_;
  auto stream = StreamFactory::adopt(std::exchange(contents.fd, -1), contents.peer);
  if (!stream.ok()) return stream.error();
  Impl& impl = *(*stream)->impl_;
  impl.in_ = std::move(contents.in);
  impl.out_ = std::move(contents.out);
  impl.tls_ = std::move(contents.tls);
  impl.frugal_ = contents.frugal;
  if (impl.unsent() != 0) impl.flush_soon();
  return stream;
}

void Stream::start(Handler* handler) noexcept { impl_->start(handler); }
void Stream::set_handler(Handler* handler) noexcept { impl_->set_handler(handler); }
base::WriteBuffer& Stream::out() noexcept { return impl_->out(); }
void Stream::set_frugal() noexcept { impl_->frugal_ = true; }
void Stream::flush_soon() noexcept { impl_->flush_soon(); }
void Stream::flush_now() noexcept { impl_->flush(); }
std::size_t Stream::unsent() const noexcept { return impl_->unsent(); }
ByteView Stream::received() const noexcept { return impl_->received(); }
void Stream::consume(std::size_t bytes) noexcept { impl_->consume(bytes); }
void Stream::pause_reading() noexcept { impl_->pause(); }
void Stream::resume_reading() noexcept { impl_->resume(); }
void Stream::expect(std::size_t bytes, Duration patience) noexcept { impl_->expect(bytes, patience); }
void Stream::expected_came() noexcept { impl_->expected_came(); }
void Stream::stop_expecting() noexcept { impl_->stop_expecting(); }
void Stream::close() noexcept { impl_->close(); }
bool Stream::is_open() const noexcept { return !impl_->closed_; }
int Stream::native_handle() const noexcept { return impl_->fd_; }
const SocketAddress& Stream::peer() const noexcept { return impl_->peer_; }
const TlsInfo* Stream::tls() const noexcept {
  return impl_->tls_ && impl_->tls_->established() ? &impl_->tls_->info() : nullptr;
}

Task<Result<void>> Stream::start_tls(std::shared_ptr<const TlsContext> context, TlsOptions options,
                                     TimePoint deadline) {
  const std::shared_ptr<Impl> impl = impl_;  // the stream may be destroyed meanwhile
  struct CloseUnlessDone {
    Impl& impl;
    bool done = false;
    ~CloseUnlessDone() {
      if (!done) impl.close();
    }
  };
  CloseUnlessDone guard{*impl};
  if (impl->closed_) co_return Error(ErrorKind::Closed, "the connection was closed", ErrorStage::connecting);
  const bool begun = options.begun;
  if (impl->in_.size() != 0 && !begun) {
    co_return Error(ErrorKind::Protocol, "received unencrypted data after SSL response", ErrorStage::connecting)
        .with_hint("somebody between this program and the server may be inserting bytes")
        .with_session_lost();
  }
  Result<std::unique_ptr<TlsFilter>> filter = TlsFilter::create(std::move(context), std::move(options));
  if (!filter.ok()) co_return filter.error();
  if (const ByteView received = impl->in_.readable(); !received.empty()) {
    char* at = (*filter)->cipher_in().prepare(received.size());
    if (at == nullptr) co_return Error(ErrorKind::Unavailable, "no memory for TLS", ErrorStage::connecting);
    std::memcpy(at, received.data(), received.size());
    (*filter)->cipher_in().commit(received.size());
    impl->in_.clear();
  }
  impl->begin_tls(std::move(*filter));
  Timer timer(
      [](void* shared) noexcept {
        static_cast<Impl*>(shared)->handshake_end().set(
            Error(ErrorKind::Unavailable, "the TLS handshake failed: timeout expired", ErrorStage::connecting));
      },
      impl.get());
  timer.arm(deadline);
  Result<void> result = co_await impl->handshake_end().wait();
  guard.done = result.ok();
  co_return result;
}

}  // namespace switchyard::inline v0::runtime

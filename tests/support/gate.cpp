#include <tests/support/gate.hpp>

#include <tests/support/message_counter.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace switchyard::testing {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::size_t kMostQueued = 1024 * 1024;  // beyond that the sender feels back pressure
constexpr std::size_t kReadSize = 64 * 1024;
constexpr auto kBetweenSmallWrites = 1ms;
constexpr int kBacklog = 512;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }
  ~Descriptor() { reset(); }
  [[nodiscard]] int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void reset() {
    if (number_ >= 0) close(number_);
    number_ = -1;
  }

 private:
  int number_ = -1;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::string socket_path(const std::string& folder, std::uint16_t port) {
  return folder + "/.s.PGSQL." + std::to_string(port);
}

Address address_of(const GateTarget& target) {
  Address address;
  if (target.host.starts_with('/')) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = socket_path(target.host, target.port);
    if (path.size() >= sizeof name.sun_path) throw std::runtime_error("socket path too long: " + path);
    std::memcpy(name.sun_path, path.data(), path.size());
    std::memcpy(&address.storage, &name, sizeof name);
    address.size = sizeof name;
  } else {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(target.port);
    if (inet_pton(AF_INET, target.host.c_str(), &name.sin_addr) != 1) {
      throw std::runtime_error("not an IPv4 address: " + target.host);
    }
    std::memcpy(&address.storage, &name, sizeof name);
    address.size = sizeof name;
  }
  return address;
}

Descriptor listen_on(const GateTarget& where) {
  const Address address = address_of(where);
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (address.storage.ss_family == AF_UNIX) unlink(socket_path(where.host, where.port).c_str());
  if (bind(socket.get(), address.get(), address.size) != 0) fail("bind");
  if (listen(socket.get(), kBacklog) != 0) fail("listen");
  return socket;
}

void make_next_close_a_reset(int socket) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void prepare(int socket) {
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
  const int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // no effect on Unix sockets
}

/// A fault as the test asked for it.
struct Entry {
  GateDirection direction;
  bool by_message;
  std::uint64_t place;  ///< byte, or number of messages
  std::uint64_t extra;
  GateFault fault;
  GateScope scope;
  bool fired = false;
};

/// A fault on its way in one connection.
struct Pending {
  std::shared_ptr<Entry> entry;
  bool located;  ///< `offset` is known
  std::uint64_t offset;
};

struct Chunk {
  std::size_t size;
  Clock::time_point release;
};

/// One direction of one connection.
struct Pipe {
  explicit Pipe(MessageCounter messages) : counter(messages) {}

  std::string queue;
  std::deque<Chunk> chunks;  ///< the queue's parts, by when they may pass
  std::uint64_t forwarded = 0;
  Clock::time_point not_before{};
  MessageCounter counter;
  std::vector<Pending> faults;
  bool stalled = false;
  bool blocked = false;  ///< the receiver's socket is full
  bool ended = false;    ///< the sender has finished
  bool passed_end = false;
};

struct Connection {
  Descriptor client;
  Descriptor server;
  Pipe to_server{MessageCounter::of_client()};
  Pipe to_client{MessageCounter::of_server()};
  bool silent = false;

  Pipe& pipe(GateDirection direction) { return direction == GateDirection::to_server ? to_server : to_client; }
  [[nodiscard]] int receiver(GateDirection direction) const {
    return direction == GateDirection::to_server ? server.get() : client.get();
  }
};

struct Shape {
  std::chrono::milliseconds delay{0};
  std::uint64_t bandwidth = 0;
  std::size_t largest_write = 0;
};

constexpr std::array kDirections = {GateDirection::to_server, GateDirection::to_client};

std::size_t index(GateDirection direction) { return direction == GateDirection::to_server ? 0 : 1; }

}  // namespace

struct Gate::Impl {
  GateTarget target;
  GateTarget listen_address;
  Descriptor listener;
  Descriptor wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  mutable std::mutex mutex;  ///< guards everything below; not held while the thread sleeps in poll
  bool stopping = false;
  GateDoor door = GateDoor::open;
  std::list<Connection> connections;
  std::vector<Descriptor> closing;  ///< FIN was sent; read until the peer closes, lest unread bytes become a RST
  std::vector<std::shared_ptr<Entry>> faults;
  std::array<Shape, 2> shapes;
  std::array<std::uint64_t, 2> bytes_passed{};
  std::array<std::uint64_t, 2> messages_passed{};
  std::size_t accepted = 0;
  std::size_t fired = 0;
  std::thread thread;

  void run();
  void accept_all();
  void read_from(Connection& connection, GateDirection direction);
  bool pump(Connection& connection, GateDirection direction, Clock::time_point now);
  bool fire_due(Connection& connection, GateDirection direction, Clock::time_point now);
  void account(Connection& connection, GateDirection direction, std::string_view bytes);
  void end(Connection& connection, GateCut how);
  void attach(Pipe& pipe, const std::shared_ptr<Entry>& entry);
  void add(Entry entry);
  void notify() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] auto written = write(wake.get(), &one, sizeof one);
  }
};

// --- the thread --------------------------------------------------------------------------------------------------

void Gate::Impl::run() {
  std::vector<pollfd> polled;
  for (;;) {
    polled.clear();
    int wait_ms = -1;
    {
      std::lock_guard lock(mutex);
      if (stopping) return;
      // Move what may move, drop what has ended, then ask for what is missing.
      const auto now = Clock::now();
      auto next = Clock::time_point::max();
      for (auto at = connections.begin(); at != connections.end();) {
        bool alive = at->client.get() >= 0;
        for (GateDirection direction : kDirections) alive = alive && (at->silent || pump(*at, direction, now));
        if (alive && at->to_server.passed_end && at->to_client.passed_end) alive = false;
        at = alive ? std::next(at) : connections.erase(at);
      }
      polled.push_back({.fd = wake.get(), .events = POLLIN, .revents = 0});
      polled.push_back({.fd = listener.get(), .events = POLLIN, .revents = 0});
      for (Connection& connection : connections) {
        short client = 0;
        short server = 0;
        if (!connection.silent) {
          if (!connection.to_server.ended && connection.to_server.queue.size() < kMostQueued) client |= POLLIN;
          if (!connection.to_client.ended && connection.to_client.queue.size() < kMostQueued) server |= POLLIN;
          if (connection.to_server.blocked) server |= POLLOUT;
          if (connection.to_client.blocked) client |= POLLOUT;
          for (GateDirection direction : kDirections) {
            const Pipe& pipe = connection.pipe(direction);
            if (pipe.queue.empty() || pipe.stalled || pipe.blocked) continue;
            next = std::min(next, std::max(pipe.not_before, pipe.chunks.front().release));
          }
        }
        // Without events a hang-up would wake us for ever.
        polled.push_back({.fd = client != 0 ? connection.client.get() : -1, .events = client, .revents = 0});
        polled.push_back({.fd = server != 0 ? connection.server.get() : -1, .events = server, .revents = 0});
      }
      for (const Descriptor& socket : closing)
        polled.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
      if (next != Clock::time_point::max()) {
        wait_ms = static_cast<int>(
            std::clamp<long>(std::chrono::ceil<std::chrono::milliseconds>(next - now).count(), 0, 60'000));
      }
    }
    if (poll(polled.data(), polled.size(), wait_ms) < 0) continue;

    std::lock_guard lock(mutex);
    if (stopping) return;
    std::uint64_t ignored = 0;
    if (polled[0].revents != 0) (void)!read(wake.get(), &ignored, sizeof ignored);
    std::size_t at = 2;
    for (Connection& connection : connections) {
      // A command may have ended connections while we slept; their descriptors are closed then, but still listed.
      const pollfd& client = polled[at++];
      const pollfd& server = polled[at++];
      if ((client.revents & POLLOUT) != 0) connection.to_client.blocked = false;
      if ((server.revents & POLLOUT) != 0) connection.to_server.blocked = false;
      if ((client.revents & ~POLLOUT) != 0 && connection.client) read_from(connection, GateDirection::to_server);
      if ((server.revents & ~POLLOUT) != 0 && connection.server) read_from(connection, GateDirection::to_client);
    }
    for (std::size_t i = 0; at < polled.size(); ++at) {
      char discard[4096];
      bool over = false;
      if (polled[at].revents != 0) {
        const ssize_t got = recv(closing[i].get(), discard, sizeof discard, MSG_DONTWAIT);
        over = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
      }
      if (over)
        closing.erase(closing.begin() + static_cast<std::ptrdiff_t>(i));
      else
        ++i;
    }
    if (polled[1].revents != 0 && polled[1].fd == listener.get()) accept_all();
  }
}

void Gate::Impl::accept_all() {
  for (;;) {
    Descriptor client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    ++accepted;
    prepare(client.get());
    if (door == GateDoor::reset) {
      make_next_close_a_reset(client.get());
      continue;
    }
    Connection connection;
    connection.silent = door == GateDoor::silent;
    if (!connection.silent) {
      const Address address = address_of(target);
      Descriptor server(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (connect(server.get(), address.get(), address.size) != 0) {
        make_next_close_a_reset(client.get());
        continue;
      }
      prepare(server.get());
      connection.server = std::move(server);
    }
    connection.client = std::move(client);
    for (const auto& entry : faults) attach(connection.pipe(entry->direction), entry);
    connections.push_back(std::move(connection));
  }
}

void Gate::Impl::read_from(Connection& connection, GateDirection direction) {
  Pipe& pipe = connection.pipe(direction);
  const int sender = direction == GateDirection::to_server ? connection.client.get() : connection.server.get();
  std::array<char, kReadSize> bytes;
  const ssize_t got = recv(sender, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got > 0) {
    pipe.queue.append(bytes.data(), static_cast<std::size_t>(got));
    pipe.chunks.push_back({static_cast<std::size_t>(got), Clock::now() + shapes[index(direction)].delay});
  } else if (got == 0) {
    pipe.ended = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    end(connection, GateCut::reset);  // as it was done to us
  }
}

/// Fires the faults at the place that this direction has reached. False: the connection has ended.
bool Gate::Impl::fire_due(Connection& connection, GateDirection direction, Clock::time_point now) {
  Pipe& pipe = connection.pipe(direction);
  for (std::size_t i = 0; i < pipe.faults.size();) {
    Pending& pending = pipe.faults[i];
    Entry& entry = *pending.entry;
    const bool over = entry.fired && entry.scope == GateScope::first;
    if (!over && !pending.located && pipe.counter.at_boundary() && pipe.counter.count() == entry.place) {
      pending.located = true;
      pending.offset = pipe.forwarded + entry.extra;
    }
    const bool here = pending.located && pending.offset == pipe.forwarded;
    const bool needs_byte = entry.fault.kind == GateFault::Kind::corrupt;
    if (!over && (!here || (needs_byte && pipe.queue.empty()))) {
      ++i;
      continue;
    }
    const GateFault fault = entry.fault;
    if (!over) {
      entry.fired = true;
      ++fired;
    }
    pipe.faults.erase(pipe.faults.begin() + static_cast<std::ptrdiff_t>(i));
    if (over) continue;
    switch (fault.kind) {
      case GateFault::Kind::cut: end(connection, fault.how); return false;
      case GateFault::Kind::stall: pipe.stalled = true; break;
      case GateFault::Kind::delay: pipe.not_before = std::max(pipe.not_before, now + fault.pause); break;
      case GateFault::Kind::corrupt:
        pipe.queue[0] = static_cast<char>(static_cast<unsigned char>(pipe.queue[0]) ^ fault.mask);
        break;
    }
  }
  return true;
}

/// Moves what may move now. False: the connection has ended.
bool Gate::Impl::pump(Connection& connection, GateDirection direction, Clock::time_point now) {
  Pipe& pipe = connection.pipe(direction);
  const Shape& shape = shapes[index(direction)];
  for (;;) {
    if (!fire_due(connection, direction, now)) return false;
    if (pipe.stalled) return true;
    if (pipe.queue.empty()) break;
    if (pipe.blocked || pipe.not_before > now || pipe.chunks.front().release > now) return true;

    std::size_t size = pipe.chunks.front().size;
    bool by_message = false;
    for (const Pending& pending : pipe.faults) {
      if (!pending.located)
        by_message = true;
      else if (pending.offset > pipe.forwarded)
        size = std::min<std::uint64_t>(size, pending.offset - pipe.forwarded);
    }
    if (by_message) size = std::min(size, pipe.counter.until_end(std::string_view(pipe.queue).substr(0, size)));
    if (shape.largest_write != 0) size = std::min(size, shape.largest_write);
    if (shape.bandwidth != 0)
      size = std::min<std::uint64_t>(size, std::max<std::uint64_t>(1, shape.bandwidth / 100));

    const ssize_t sent = send(connection.receiver(direction), pipe.queue.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        pipe.blocked = true;
        return true;
      }
      end(connection, GateCut::reset);
      return false;
    }
    const auto passed = static_cast<std::size_t>(sent);
    account(connection, direction, std::string_view(pipe.queue).substr(0, passed));
    pipe.queue.erase(0, passed);
    pipe.chunks.front().size -= passed;
    if (pipe.chunks.front().size == 0) pipe.chunks.pop_front();
    if (shape.largest_write != 0) pipe.not_before = now + kBetweenSmallWrites;
    if (shape.bandwidth != 0) {
      pipe.not_before =
          std::max(pipe.not_before, now) + std::chrono::nanoseconds(passed * 1'000'000'000 / shape.bandwidth);
    }
  }
  if (pipe.ended && !pipe.passed_end) {
    shutdown(connection.receiver(direction), SHUT_WR);
    pipe.passed_end = true;
  }
  return true;
}

/// Counts what has passed, message by message.
void Gate::Impl::account(Connection& connection, GateDirection direction, std::string_view bytes) {
  Pipe& pipe = connection.pipe(direction);
  pipe.forwarded += bytes.size();
  bytes_passed[index(direction)] += bytes.size();
  while (!bytes.empty()) {
    const std::size_t part = pipe.counter.until_end(bytes);
    const std::uint64_t before = pipe.counter.count();
    switch (pipe.counter.take(bytes.substr(0, part))) {
      case MessageCounter::Ended::encryption_request: connection.to_client.counter.expect_answer(); break;
      case MessageCounter::Ended::encryption_granted:
        connection.to_client.counter.stop();
        connection.to_server.counter.stop();
        break;
      default: break;
    }
    messages_passed[index(direction)] += pipe.counter.count() - before;
    bytes.remove_prefix(part);
  }
}

void Gate::Impl::end(Connection& connection, GateCut how) {
  for (Descriptor* socket : {&connection.client, &connection.server}) {
    if (!*socket) continue;
    if (how == GateCut::reset) {
      make_next_close_a_reset(socket->get());
      socket->reset();
    } else {
      shutdown(socket->get(), SHUT_WR);
      closing.push_back(std::move(*socket));
    }
  }
}

void Gate::Impl::attach(Pipe& pipe, const std::shared_ptr<Entry>& entry) {
  if (entry->fired && entry->scope == GateScope::first) return;
  pipe.faults.push_back({entry, !entry->by_message, entry->by_message ? 0 : entry->place});
}

void Gate::Impl::add(Entry entry) {
  auto shared = std::make_shared<Entry>(std::move(entry));
  {
    std::lock_guard lock(mutex);
    faults.push_back(shared);
    for (Connection& connection : connections) attach(connection.pipe(shared->direction), shared);
  }
  notify();
}

// --- the public side ---------------------------------------------------------------------------------------------

Gate::Gate(GateTarget target) : impl_(std::make_unique<Impl>()) {
  impl_->target = std::move(target);
  impl_->listener = listen_on(GateTarget::tcp(0));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(impl_->listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
  impl_->listen_address = GateTarget::tcp(ntohs(address.sin_port));
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Gate::Gate(GateTarget target, const std::string& folder, std::uint16_t port) : impl_(std::make_unique<Impl>()) {
  impl_->target = std::move(target);
  impl_->listen_address = GateTarget::unix_socket(folder, port);
  impl_->listener = listen_on(impl_->listen_address);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Gate::~Gate() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->notify();
  impl_->thread.join();
  for (Connection& connection : impl_->connections) impl_->end(connection, GateCut::reset);
  const GateTarget& where = impl_->listen_address;
  if (where.host.starts_with('/')) unlink(socket_path(where.host, where.port).c_str());
}

std::uint16_t Gate::port() const noexcept { return impl_->listen_address.port; }

void Gate::at_byte(GateDirection direction, std::uint64_t offset, GateFault fault, GateScope scope) {
  impl_->add(
      {.direction = direction, .by_message = false, .place = offset, .extra = 0, .fault = fault, .scope = scope});
}

void Gate::after_messages(GateDirection direction, std::uint64_t count, GateFault fault, GateScope scope,
                          std::uint64_t extra) {
  impl_->add(
      {.direction = direction, .by_message = true, .place = count, .extra = extra, .fault = fault, .scope = scope});
}

void Gate::clear_faults() {
  std::lock_guard lock(impl_->mutex);
  impl_->faults.clear();
  for (Connection& connection : impl_->connections) {
    for (GateDirection direction : kDirections) connection.pipe(direction).faults.clear();
  }
}

void Gate::cut_all(GateCut how) {
  {
    std::lock_guard lock(impl_->mutex);
    for (Connection& connection : impl_->connections) impl_->end(connection, how);
  }
  impl_->notify();
}

void Gate::stall(GateDirection direction) {
  std::lock_guard lock(impl_->mutex);
  for (Connection& connection : impl_->connections) connection.pipe(direction).stalled = true;
}

void Gate::resume() {
  {
    std::lock_guard lock(impl_->mutex);
    for (Connection& connection : impl_->connections) {
      for (GateDirection direction : kDirections) connection.pipe(direction).stalled = false;
    }
  }
  impl_->notify();
}

void Gate::set_delay(GateDirection direction, std::chrono::milliseconds delay) {
  std::lock_guard lock(impl_->mutex);
  impl_->shapes[index(direction)].delay = delay;
}

void Gate::set_bandwidth(GateDirection direction, std::uint64_t bytes_per_second) {
  std::lock_guard lock(impl_->mutex);
  impl_->shapes[index(direction)].bandwidth = bytes_per_second;
}

void Gate::set_largest_write(GateDirection direction, std::size_t bytes) {
  std::lock_guard lock(impl_->mutex);
  impl_->shapes[index(direction)].largest_write = bytes;
}

void Gate::set_door(GateDoor door) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->door = door;
    if (door == GateDoor::refused)
      impl_->listener.reset();
    else if (!impl_->listener)
      impl_->listener = listen_on(impl_->listen_address);
  }
  impl_->notify();
}

void Gate::set_target(GateTarget target) {
  std::lock_guard lock(impl_->mutex);
  impl_->target = std::move(target);
}

std::size_t Gate::accepted() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}

std::size_t Gate::open_connections() const {
  std::lock_guard lock(impl_->mutex);
  return static_cast<std::size_t>(
      std::ranges::count_if(impl_->connections, [](auto& c) { return bool(c.client); }));
}

std::uint64_t Gate::bytes(GateDirection direction) const {
  std::lock_guard lock(impl_->mutex);
  return impl_->bytes_passed[index(direction)];
}

std::uint64_t Gate::messages(GateDirection direction) const {
  std::lock_guard lock(impl_->mutex);
  return impl_->messages_passed[index(direction)];
}

std::size_t Gate::fired() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->fired;
}

}  // namespace switchyard::testing

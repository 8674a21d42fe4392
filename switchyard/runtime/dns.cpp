#include <switchyard/runtime/dns.hpp>

#include <switchyard/base/assert.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/shard.hpp>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>

namespace switchyard::inline v0::runtime {
namespace {

using Addresses = std::vector<SocketAddress>;
using Answer = Result<Addresses>;

Error lookup_error(const std::string& host, const std::string& why) {
  return Error(ErrorKind::Unavailable, "could not translate host name \"" + host + "\" to address: " + why,
               ErrorStage::connecting);
}

Answer system_lookup(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int code = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  if (code != 0) {
    const std::string why = code == EAI_SYSTEM ? std::generic_category().message(errno) : ::gai_strerror(code);
    return lookup_error(host, why);
  }
  Addresses addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const SocketAddress address(one->ai_addr, one->ai_addrlen);
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return lookup_error(host, "no address");
  return addresses;
}

using Key = std::pair<std::string, std::uint16_t>;

/// Somebody who waits. The answer is posted to its shard, where it may find that the coroutine has gone meanwhile.
struct Mailbox {
  explicit Mailbox(Shard& s) noexcept : shard(s) {}
  Shard& shard;
  OneShot<Answer> answer;
  bool abandoned = false;  // by the coroutine; touched on its shard only
};

}  // namespace

/// Shared with the threads, which may outlive the resolver.
struct Resolver::State : std::enable_shared_from_this<Resolver::State> {
  explicit State(Options o) : options(std::move(o)) {
    if (!options.lookup) options.lookup = &system_lookup;
  }

  struct Pending {
    std::list<std::shared_ptr<Mailbox>> waiting;
  };
  struct Remembered {
    Addresses addresses;
    std::uint64_t used = 0;  // the larger, the later
  };

  Options options;
  std::mutex mutex;
  std::condition_variable work;
  std::map<Key, Pending> pending;
  std::deque<Key> queue;  // not taken by a thread yet
  std::map<Key, Remembered> remembered;
  std::uint64_t uses = 0;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool closed = false;

  /// Joins the lookup in flight or begins one. An error if the limit is reached.
  Result<void> ask(const Key& key, std::shared_ptr<Mailbox> mailbox) {
    const std::lock_guard lock(mutex);
    auto [at, fresh] = pending.try_emplace(key);
    if (fresh) {
      if (queue.size() >= options.max_waiting_lookups) {
        pending.erase(at);
        return lookup_error(
            key.first, "too many lookups are waiting (limit " + std::to_string(options.max_waiting_lookups) + ")");
      }
      queue.push_back(key);
      if (idle == 0 && threads < options.threads && !start_thread() && threads == 0) {
        queue.pop_back();
        pending.erase(at);
        return lookup_error(key.first, "no thread could be started");
      }
      work.notify_one();
    }
    at->second.waiting.push_back(std::move(mailbox));
    return {};
  }

  bool start_thread() noexcept {
    try {
      std::thread([self = shared_from_this()] { self->run(); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    ++threads;
    return true;
  }

  void forget(const Key& key, const std::shared_ptr<Mailbox>& mailbox) noexcept {
    const std::lock_guard lock(mutex);
    if (const auto at = pending.find(key); at != pending.end()) at->second.waiting.remove(mailbox);
  }

  [[nodiscard]] std::optional<Addresses> last_good(const Key& key) {
    const std::lock_guard lock(mutex);
    const auto at = remembered.find(key);
    if (at == remembered.end()) return std::nullopt;
    at->second.used = ++uses;
    return at->second.addresses;
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      work.wait(lock, [this] { return closed || !queue.empty(); });
      --idle;
      if (closed) return;
      const Key key = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      Answer answer = look_up(key);
      lock.lock();
      finish(key, answer);
    }
  }

  Answer look_up(const Key& key) {
    try {
      return options.lookup(key.first, key.second);
    } catch (const std::exception& error) {
      return lookup_error(key.first, error.what());
    }
  }

  // A mailbox in the list belongs to a coroutine that still waits, so its shard exists while we hold the lock.
  void finish(const Key& key, const Answer& answer) {
    if (answer.ok()) remember(key, *answer);
    const auto at = pending.find(key);
    if (at == pending.end()) return;
    for (const std::shared_ptr<Mailbox>& mailbox : at->second.waiting) {
      mailbox->shard.post([mailbox, answer] {
        if (!mailbox->abandoned) mailbox->answer.set(answer);
      });
    }
    pending.erase(at);
  }

  void remember(const Key& key, const Addresses& addresses) {
    remembered[key] = {addresses, ++uses};
    if (remembered.size() <= options.max_remembered) return;
    remembered.erase(std::min_element(remembered.begin(), remembered.end(),
                                      [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
  }
};

Resolver::Resolver() : Resolver(Options()) {}
Resolver::Resolver(Options options) : state_(std::make_shared<State>(std::move(options))) {}

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
  state_->work.notify_all();
}

namespace {

/// Takes the mailbox back, also when the waiting coroutine is dropped.
template <class State>
struct Registration {
  std::shared_ptr<State> state;
  const Key& key;
  std::shared_ptr<Mailbox> mailbox;
  ~Registration() {
    mailbox->abandoned = true;
    state->forget(key, mailbox);
  }
};

}  // namespace

Task<Result<std::vector<SocketAddress>>> Resolver::resolve(std::string host, std::uint16_t port,
                                                           TimePoint deadline) {
  if (Result<SocketAddress> literal = SocketAddress::ip(host, port); literal.ok()) {
    co_return std::vector<SocketAddress>{*literal};
  }
  if (host.empty() || host.find('\0') != std::string::npos) co_return lookup_error(host, "not a host name");

  const std::shared_ptr<State> state = state_;
  const Key key(std::move(host), port);
  const auto mailbox = std::make_shared<Mailbox>(Shard::current());
  std::optional<Answer> answer;
  if (Result<void> asked = state->ask(key, mailbox); !asked.ok()) {
    answer = asked.error();
  } else {
    const Registration<State> registration{state, key, mailbox};
    struct Late {
      Mailbox& mailbox;
      const Key& key;
    } late{*mailbox, key};
    Timer timer(
        [](void* context) noexcept {
          const Late& at = *static_cast<Late*>(context);
          at.mailbox.answer.set(lookup_error(at.key.first, "timeout expired"));
        },
        &late);
    timer.arm(std::min(deadline, deadline_after(runtime::now(), state->options.timeout)));
    answer = co_await mailbox->answer.wait();
  }
  if (!answer->ok()) {
    if (std::optional<Addresses> known = state->last_good(key)) co_return std::move(*known);
  }
  co_return std::move(*answer);
}

Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port, TimePoint deadline) {
  // Never destroyed: its threads may still be in a lookup when the process ends.
  static Resolver* const resolver = new Resolver();
  co_return co_await resolver->resolve(std::move(host), port, deadline);
}

}  // namespace switchyard::inline v0::runtime

// Many clients in one thread, for what pgbench can't do: thousands of connections, and an open loop, in which
// statements come when they come and not when the last one was answered. Prints one line of JSON.
#include "client.hpp"

#include <tests/support/program_options.hpp>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace gateway_bench;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// Logins under way at one time: a listener's backlog is not what is measured.
constexpr int kLoginsAtOnce = 64;
constexpr Seconds kLoginPatience(120);
constexpr std::string_view kSleepingReport = "SELECT pg_sleep(2)";
/// About two seconds of one core over the million rows of pgbench's scale 10.
constexpr std::string_view kWorkingReport = "SELECT count(*) FROM pgbench_accounts, generate_series(1, 12)";

struct Load {
  Login login;
  Protocol protocol = Protocol::simple;
  int clients = 0;
  double rate = 0;  ///< statements a second of an open loop; 0: closed
  double warm_up = 0;
  double seconds = 0;
  int rows = 0;
  int reporters = 0;
  std::string_view report;
  bool waits = false;
};

class Generator {
 public:
  explicit Generator(const Load& load)
      : load_(load), random_(load.login.port), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw std::runtime_error("epoll_create1");
  }
  ~Generator() { ::close(epoll_); }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  void run() {
    const Clock::time_point begun = Clock::now();
    log_in();
    login_seconds_ = Seconds(Clock::now() - begun).count();
    if (load_.waits) {
      std::printf("connected\n");
      std::fflush(stdout);
      if (std::getchar() == EOF) throw std::runtime_error("nobody said go");
    }
    for (std::size_t i = points(); i < clients_.size(); ++i) clients_[i].ask(load_.report);
    measure();
    print();
  }

 private:
  [[nodiscard]] std::size_t points() const { return static_cast<std::size_t>(load_.clients); }

  void watch(std::size_t index, int how) {
    epoll_event event{};
    event.events = EPOLLIN | (clients_[index].wants_to_write() ? static_cast<unsigned>(EPOLLOUT) : 0U);
    event.data.u64 = index;
    ::epoll_ctl(epoll_, how, clients_[index].socket(), &event);
  }

  void log_in() {
    const std::size_t all = points() + static_cast<std::size_t>(load_.reporters);
    clients_.reserve(all);
    began_.resize(all);
    std::size_t ready = 0;
    const Clock::time_point patience = Clock::now() + std::chrono::duration_cast<Clock::duration>(kLoginPatience);
    while (ready < all) {
      while (clients_.size() < all && clients_.size() - ready < kLoginsAtOnce) {
        Client& added = clients_.emplace_back();
        added.connect(load_.login, load_.protocol);
        if (added.state() == Client::State::broken) throw std::runtime_error(added.error());
        watch(clients_.size() - 1, EPOLL_CTL_ADD);
      }
      if (Clock::now() > patience)
        throw std::runtime_error("logins take too long: " + std::to_string(ready) + " of " + std::to_string(all));
      for (const std::size_t index : turn(100)) {
        if (clients_[index].state() == Client::State::broken)
          throw std::runtime_error("login: " + clients_[index].error());
        if (clients_[index].state() == Client::State::idle) ++ready;
      }
    }
  }

  /// Clients that were heard, after what they had to say.
  const std::vector<std::size_t>& turn(int patience_ms) {
    std::array<epoll_event, 512> events;
    heard_.clear();
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), patience_ms);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const std::size_t index = event.data.u64;
      Client& client = clients_[index];
      if (client.state() == Client::State::broken) continue;
      const bool wrote = client.wants_to_write();
      client.on_ready((event.events & (EPOLLOUT | EPOLLERR)) != 0);
      if (client.state() != Client::State::broken && wrote != client.wants_to_write()) watch(index, EPOLL_CTL_MOD);
      heard_.push_back(index);
    }
    return heard_;
  }

  void ask(std::size_t index, Clock::time_point meant) {
    began_[index] = meant;
    std::uniform_int_distribution<std::int32_t> any(1, load_.rows);
    clients_[index].ask(any(random_));
    if (clients_[index].wants_to_write()) watch(index, EPOLL_CTL_MOD);
  }

  /// Statements of the open loop whose time has come go to who is free, else they wait, and their time runs.
  void arrive(Clock::time_point now) {
    std::exponential_distribution<double> pause(load_.rate);
    for (; next_ <= now; next_ += std::chrono::duration_cast<Clock::duration>(Seconds(pause(random_)))) {
      due_.push_back(next_);
    }
    while (!due_.empty() && !free_.empty()) {
      ask(free_.front(), due_.front());
      free_.pop_front();
      due_.pop_front();
    }
  }

  void measure() {
    const Clock::time_point begun = Clock::now();
    const auto after = [&](double seconds) {
      return begun + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    };
    const Clock::time_point from = after(load_.warm_up), to = after(load_.warm_up + load_.seconds);
    next_ = begun;
    for (std::size_t i = 0; i < points(); ++i) {
      if (load_.rate > 0) {
        free_.push_back(i);
      } else {
        ask(i, Clock::now());
      }
    }
    for (Clock::time_point now = begun; now < to; now = Clock::now()) {
      int patience = 100;
      if (load_.rate > 0) {
        arrive(now);
        patience = free_.empty()
                       ? 100
                       : static_cast<int>(std::clamp<std::int64_t>(
                             std::chrono::duration_cast<std::chrono::milliseconds>(next_ - now).count(), 0, 100));
      }
      for (const std::size_t index : turn(patience)) heard(index, from, to);
    }
    const std::int64_t unanswered = static_cast<std::int64_t>(due_.size());
    unanswered_ = unanswered;
  }

  void heard(std::size_t index, Clock::time_point from, Clock::time_point to) {
    Client& client = clients_[index];
    if (client.state() == Client::State::broken) {
      if (client.error().starts_with("WRONG")) throw std::runtime_error(client.error());
      ++errors_[client.error()];
      return;
    }
    if (client.state() != Client::State::idle) return;
    if (index >= points()) {
      ++reports_;
      return client.ask(load_.report);
    }
    const Clock::time_point now = Clock::now();
    if (client.failed()) {
      ++errors_[client.error()];
    } else if (now >= from && now < to) {
      took_.push_back(static_cast<std::uint32_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(now - began_[index]).count()));
    }
    if (load_.rate > 0) {
      free_.push_back(index);
    } else {
      ask(index, now);
    }
  }

  [[nodiscard]] double quantile(double share) {
    if (took_.empty()) return 0;
    const auto at = took_.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(took_.size() - 1));
    std::nth_element(took_.begin(), at, took_.end());
    return *at;
  }

  void print() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    std::printf(
        "{\"statements\": %zu, \"per_second\": %.1f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, "
        "\"max_us\": %.0f, "
        "\"login_seconds\": %.2f, \"waiting\": %lld, \"reports\": %d, \"errors\": {",
        took_.size(), static_cast<double>(took_.size()) / load_.seconds, quantile(0.5), quantile(0.99),
        quantile(0.999), quantile(1), login_seconds_, static_cast<long long>(unanswered_), reports_);
    bool first = true;
    for (const auto& [what, count] : errors_) {
      std::string quoted = what;
      std::erase_if(quoted, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; });
      std::printf("%s\"%s\": %d", std::exchange(first, false) ? "" : ", ", quoted.c_str(), count);
    }
    std::printf("}}\n");
  }

  Load load_;
  std::mt19937_64 random_;
  int epoll_;
  std::vector<Client> clients_;
  std::vector<Clock::time_point> began_;
  std::vector<std::size_t> heard_;
  std::deque<std::size_t> free_;
  std::deque<Clock::time_point> due_;
  Clock::time_point next_;
  std::vector<std::uint32_t> took_;
  std::map<std::string, int> errors_;
  std::int64_t unanswered_ = 0;
  int reports_ = 0;
  double login_seconds_ = 0;
};

Load read_load(const switchyard::testing::ProgramOptions& words) {
  static const std::map<std::string, Protocol> kProtocols{
      {"simple", Protocol::simple}, {"extended", Protocol::extended}, {"prepared", Protocol::prepared}};
  static const std::map<std::string, std::string_view> kReports{
      {"none", ""}, {"sleeping", kSleepingReport}, {"working", kWorkingReport}};
  const auto protocol = kProtocols.find(words.text("protocol"));
  const auto report = kReports.find(words.text("reports"));
  if (protocol == kProtocols.end() || report == kReports.end())
    throw std::runtime_error("unknown protocol or report");
  return {.login = {words.text("host"), static_cast<std::uint16_t>(words.count("port")), words.text("user"),
                    words.text("dbname")},
          .protocol = protocol->second,
          .clients = words.count("clients"),
          .rate = words.number("rate"),
          .warm_up = words.number("warm-up"),
          .seconds = words.number("seconds"),
          .rows = words.count("rows"),
          .reporters = report->second.empty() ? 0 : words.count("reporters"),
          .report = report->second,
          .waits = words.text("wait") == "yes"};
}

}  // namespace

int main(int argc, char** argv) {
  const switchyard::testing::ProgramOptions words(
      argc, argv,
      "gateway_load: point reads of many clients, in a closed loop or (--rate, statements a second) in an open one",
      {{"host", "127.0.0.1"},
       {"port", "5432"},
       {"user", "postgres"},
       {"dbname", "postgres"},
       {"clients", "1000"},
       {"protocol", "simple"},
       {"rate", "0"},
       {"warm-up", "0.5"},
       {"seconds", "3"},
       {"rows", "1000000"},
       {"reports", "none"},
       {"reporters", "4"},
       {"wait", "no"}});
  try {
    Generator(read_load(words)).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gateway_load: %s\n", error.what());
    return 1;
  }
}

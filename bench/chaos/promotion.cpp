// The primary dies or vanishes and its standby is promoted: how long until a write succeeds again, through a fleet,
// through libpq with several hosts and target_session_attrs, and through PgBouncer whose configuration is changed
// and reloaded in the very moment of the promotion? All three write at the same time to the same servers.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/gate.hpp>
#include <tests/support/libpq.hpp>
#include <tests/support/program_options.hpp>
#include <tests/support/temp_folder.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace {

namespace sy = switchyard;
using namespace std::chrono_literals;
using sy::testing::Gate;
using sy::testing::GateCut;
using sy::testing::GateDirection;
using sy::testing::GateDoor;
using sy::testing::GateTarget;
using sy::testing::PqSession;
using sy::testing::TempFolder;

constexpr auto kPatience = 15s;
constexpr auto kPace = 2ms;

struct Site {
  std::unique_ptr<sy::embedded::PrivateCluster> cluster;
  sy::embedded::PrivateServer* standby = nullptr;
  std::unique_ptr<Gate> primary_gate, standby_gate;
};

Site start_site() {
  Site site;
  auto options = sy::embedded::test_options();
  options.name = "promotion";
  site.cluster = sy::embedded::PrivateCluster::start(options).value_or_throw();
  auto& primary = site.cluster->primary();
  primary.create_role("app", {.password = sy::Secret("secret")}).value_or_throw();
  primary.execute("CREATE TABLE t (id bigint); GRANT ALL ON t TO app").value_or_throw();
  site.standby = site.cluster->add_replica("standby").value_or_throw();
  const auto gate_to = [](sy::embedded::PrivateServer& server) {
    return std::make_unique<Gate>(GateTarget::unix_socket(server.endpoint().host, server.endpoint().port));
  };
  site.primary_gate = gate_to(primary);
  site.standby_gate = gate_to(*site.standby);
  return site;
}

/// One client's writes, as the one who measures sees them.
struct Writes {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
};

void write_by_libpq(Writes& writes, const std::string& keywords) {
  std::unique_ptr<PqSession> session;
  while (!writes.stop) {
    if (!session || !session->connected()) session = std::make_unique<PqSession>(keywords);
    if (session->connected() && session->execute("INSERT INTO t VALUES (1)").ok()) {
      ++writes.done;
    } else {
      session.reset();
    }
    std::this_thread::sleep_for(kPace);
  }
}

sy::Task<void> write_by_fleet(Writes& writes, sy::FleetConfig config) {
  auto fleet = sy::Fleet::open(std::move(config)).value_or_throw();
  auto db = fleet->database("main").value_or_throw();
  while (!writes.stop) {
    if ((co_await db.execute("INSERT INTO t VALUES (2)").result()).ok()) ++writes.done;
    co_await sy::sleep(kPace);
  }
  co_await fleet->close(1s);
}

sy::FleetConfig fleet_config(const Site& site) {
  const auto dsn = [](const Gate& gate) {
    return "\"postgresql://app:secret@127.0.0.1:" + std::to_string(gate.port()) +
           "/postgres?sslmode=disable&connect_timeout=2\"\n";
  };
  sy::Sources sources;
  sources.file = "promotion.toml";
  sources.file_text = "[fleet]\napplication = \"promotion\"\n[database.main]\ncommand_timeout = \"2s\"\ndsn = " +
                      dsn(*site.primary_gate) + "[database.main.pool]\nmin = 0\nmax = 4\n" +
                      "[[database.main.replica]]\nname = \"standby\"\ndsn = " + dsn(*site.standby_gate);
  return sy::load_config(sources).value_or_throw();
}

/// A PgBouncer in transaction mode whose server can be changed.
class PgBouncer {
 public:
  explicit PgBouncer(std::uint16_t server) {
    account_ = getpwnam("postgres");
    if (account_ == nullptr || access("/usr/sbin/pgbouncer", X_OK) != 0) return;
    std::ofstream(path("users.txt")) << "\"app\" \"secret\"\n";
    configure(server);
    if (chown(folder_.path().c_str(), account_->pw_uid, account_->pw_gid) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      if (setgid(account_->pw_gid) != 0 || setuid(account_->pw_uid) != 0) _exit(1);
      execl("/usr/sbin/pgbouncer", "pgbouncer", "-q", path("pgbouncer.ini").c_str(), nullptr);
      _exit(1);
    }
  }
  ~PgBouncer() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  PgBouncer(const PgBouncer&) = delete;
  PgBouncer& operator=(const PgBouncer&) = delete;
  [[nodiscard]] bool runs() const { return pid_ > 0; }
  void move_to(std::uint16_t server) {
    configure(server);
    if (pid_ > 0) kill(pid_, SIGHUP);
  }
  [[nodiscard]] std::string keywords() const {
    return "host=" + folder_.path().string() + " port=6432 user=app password=secret dbname=main connect_timeout=2";
  }

 private:
  [[nodiscard]] std::string path(const char* name) const { return folder_.file(name); }
  void configure(std::uint16_t server) {
    std::ofstream(path("pgbouncer.ini"))
        << "[databases]\nmain = host=127.0.0.1 port=" << server << " dbname=postgres user=app password=secret\n"
        << "[pgbouncer]\nlisten_port=6432\nunix_socket_dir=" << folder_.path().string()
        << "\nauth_type=plain\nauth_file=" << path("users.txt")
        << "\npool_mode=transaction\nlogfile=" << path("log") << "\nquery_timeout=2\n"
        << "server_connect_timeout=2\nserver_login_retry=1\nserver_fast_close=1\n";
  }
  TempFolder folder_;
  passwd* account_ = nullptr;
  pid_t pid_ = -1;
};

enum class Loss { killed, vanished };

/// Seconds from the promotion's end to the first write of each client; nothing = not within kPatience.
std::vector<std::optional<double>> promote_once(Loss loss) {
  Site site = start_site();
  PgBouncer bouncer(site.primary_gate->port());
  std::vector<std::unique_ptr<Writes>> writes;
  for (int i = 0; i < 3; ++i) writes.push_back(std::make_unique<Writes>());
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    sy::runtime::Shard shard;
    shard.run_until_complete(write_by_fleet(*writes[0], fleet_config(site)));
  });
  const std::string hosts = "host=127.0.0.1,127.0.0.1 port=" + std::to_string(site.primary_gate->port()) + "," +
                            std::to_string(site.standby_gate->port()) +
                            " user=app password=secret dbname=postgres connect_timeout=2 sslmode=disable "
                            "target_session_attrs=read-write";
  threads.emplace_back([&] { write_by_libpq(*writes[1], hosts); });
  if (bouncer.runs()) threads.emplace_back([&] { write_by_libpq(*writes[2], bouncer.keywords()); });

  std::this_thread::sleep_for(1s);
  if (loss == Loss::killed) {
    site.primary_gate->set_door(GateDoor::refused);
    site.cluster->primary().kill9();
  } else {
    site.primary_gate->set_door(GateDoor::silent);
    site.primary_gate->stall(GateDirection::to_client);
    site.primary_gate->stall(GateDirection::to_server);
    site.cluster->primary().freeze();
  }
  std::this_thread::sleep_for(1s);  // somebody notices and decides
  site.standby->promote().value_or_throw();
  bouncer.move_to(site.standby_gate->port());
  const auto promoted = std::chrono::steady_clock::now();
  std::vector<std::uint64_t> before;
  for (const auto& client : writes) before.push_back(client->done);

  std::vector<std::optional<double>> took(writes.size());
  while (std::chrono::steady_clock::now() - promoted < kPatience) {
    bool all = true;
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (!took[i] && writes[i]->done != before[i]) {
        took[i] = std::chrono::duration<double>(std::chrono::steady_clock::now() - promoted).count();
      }
      all = all && (took[i] || (i == 2 && !bouncer.runs()));
    }
    if (all) break;
    std::this_thread::sleep_for(1ms);
  }
  for (const auto& client : writes) client->stop = true;
  site.primary_gate->cut_all(GateCut::reset);  // whoever still waits for the lost server
  site.primary_gate->set_door(GateDoor::refused);
  for (std::thread& thread : threads) thread.join();
  if (loss == Loss::vanished) site.cluster->primary().thaw();
  return took;
}

std::string shown(std::vector<std::optional<double>> all) {
  std::ranges::sort(all, [](const auto& a, const auto& b) { return a.value_or(1e9) < b.value_or(1e9); });
  const auto text = [](const std::optional<double>& value) {
    char buffer[32];
    if (!value) return std::string("> 15");
    std::snprintf(buffer, sizeof buffer, "%.3f", *value);
    return std::string(buffer);
  };
  return text(all[all.size() / 2]) + " (worst " + text(all.back()) + ")";
}

}  // namespace

int main(int argc, char** argv) {
  const sy::testing::ProgramOptions options(
      argc, argv, "chaos_promotion: seconds from a promotion to the first write, against rivals",
      {{"rounds", "5"}});
  bool kept = true;
  std::printf("%-10s %-24s %-24s %-24s\n", "loss", "switchyard", "libpq, two hosts", "PgBouncer, reloaded");
  for (const Loss loss : {Loss::killed, Loss::vanished}) {
    std::vector<std::vector<std::optional<double>>> clients(3);
    for (int round = 0; round < options.count("rounds"); ++round) {
      const auto took = promote_once(loss);
      for (std::size_t i = 0; i < took.size(); ++i) clients[i].push_back(took[i]);
    }
    std::printf("%-10s %-24s %-24s %-24s\n", loss == Loss::killed ? "killed" : "vanished",
                shown(clients[0]).c_str(), shown(clients[1]).c_str(), shown(clients[2]).c_str());
    std::fflush(stdout);
    for (const auto& took : clients[0]) kept = kept && took && *took < 1.0;
  }
  return kept ? 0 : 1;
}

// Writers keep a list of what was acknowledged while the cluster under them is killed, frozen, cut off and
// promoted. Afterwards: nothing acknowledged is missing, nothing is there twice, and what is there without an
// acknowledgement was reported in doubt.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/gate.hpp>
#include <tests/support/program_options.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace {

namespace sy = switchyard;
using namespace std::chrono_literals;
using sy::testing::Gate;
using sy::testing::GateCut;
using sy::testing::GateDirection;
using sy::testing::GateFault;
using sy::testing::GateTarget;

enum class Fate { acknowledged, refused, in_doubt };
using Key = std::pair<int, int>;  ///< writer, number

struct Ledger {
  std::map<Key, Fate> entries;
  std::map<std::string, int> errors;
};

struct Run {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> acknowledged{0};
  Ledger ledger;
};

/// Writes one entry in one of several ways. Each entry is attempted once; what the engine retries is its business.
sy::Task<void> write(sy::DatabaseHandle db, Key key, unsigned way) {
  switch (way % 4) {
    case 0: co_await db.execute("INSERT INTO ledger VALUES ($1, $2)", key.first, key.second); break;
    case 1:
      co_await db.query_value<int>("INSERT INTO ledger VALUES ($1, $2) RETURNING number", key.first, key.second);
      break;
    case 2:
      co_await db.transaction([key](sy::Transaction& tx) -> sy::Task<void> {
        co_await tx.execute("INSERT INTO ledger VALUES ($1, $2)", key.first, key.second);
        co_await tx.query_value<int>("SELECT 1");
      });
      break;
    default:
      co_await db.transaction({.retry = 3}, [key](sy::Transaction& tx) -> sy::Task<void> {
        co_await tx.execute("INSERT INTO ledger VALUES ($1, $2)", key.first, key.second);
        co_await tx.execute("UPDATE counter SET n = n + 1 WHERE id = $1", key.second % 4);
      });
  }
}

sy::Task<void> writer(Run& run, sy::Fleet& fleet, int id, unsigned seed) {
  std::mt19937 random(seed);
  for (int number = 0; !run.stop; ++number) {
    sy::Request request = fleet.request({.timeout = 10s, .label = "ledger"});
    (void)request;
    auto db = fleet.database("main").value_or_throw();
    const auto result = co_await sy::as_result(write(db, {id, number}, static_cast<unsigned>(random())));
    Fate fate = Fate::acknowledged;
    if (!result.ok()) {
      fate = result.error().kind() == sy::ErrorKind::InDoubt ? Fate::in_doubt : Fate::refused;
      ++run.ledger
            .errors[std::string(to_string(result.error().kind())) + " " + std::string(result.error().sqlstate())];
      co_await sy::sleep(5ms);
    } else {
      ++run.acknowledged;
    }
    run.ledger.entries[{id, number}] = fate;
    co_await sy::sleep(1ms);
  }
}

struct Site {
  std::unique_ptr<sy::embedded::PrivateCluster> cluster;
  sy::embedded::PrivateServer* replica = nullptr;
  std::unique_ptr<Gate> gate;          ///< to the primary
  std::unique_ptr<Gate> replica_gate;  ///< to the replica
};

Site start_site() {
  Site site;
  auto options = sy::embedded::test_options();
  options.name = "ledger";
  site.cluster = sy::embedded::PrivateCluster::start(options).value_or_throw();
  auto& primary = site.cluster->primary();
  primary.create_role("app", {.password = sy::Secret("secret")}).value_or_throw();
  primary
      .execute(
          "CREATE TABLE ledger (writer int, number int); CREATE TABLE counter (id int PRIMARY KEY, n int);"
          "INSERT INTO counter SELECT i, 0 FROM generate_series(0, 3) i; GRANT ALL ON ledger, counter TO app")
      .value_or_throw();
  site.replica = site.cluster->add_replica("standby").value_or_throw();
  // What is acknowledged is on the standby as well: a promotion loses nothing.
  primary.set("synchronous_standby_names", "*").value_or_throw();
  site.gate = std::make_unique<Gate>(GateTarget::unix_socket(primary.endpoint().host, primary.endpoint().port));
  site.replica_gate =
      std::make_unique<Gate>(GateTarget::unix_socket(site.replica->endpoint().host, site.replica->endpoint().port));
  return site;
}

sy::FleetConfig config(const Site& site) {
  const auto dsn = [](const Gate& gate) {
    return "\"postgresql://app:secret@127.0.0.1:" + std::to_string(gate.port()) +
           "/postgres?sslmode=disable&connect_timeout=2\"\n";
  };
  sy::Sources sources;
  sources.file = "ledger.toml";
  sources.file_text =
      "[fleet]\napplication = \"ledger\"\n[database.main]\ncommand_timeout = \"5s\"\ndsn = " + dsn(*site.gate) +
      "[database.main.pool]\nmin = 0\nmax = 12\nacquire_timeout = \"5s\"\n" +
      "[[database.main.replica]]\nname = \"standby\"\ndsn = " + dsn(*site.replica_gate);
  return sy::load_config(sources).value_or_throw();
}

/// One misfortune, and its end.
std::string strike(Site& site, std::mt19937& random) {
  auto& primary = site.cluster->primary();
  switch (random() % 5) {
    case 0:
      primary.kill9();
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
      primary.start().value_or_throw();
      return "killed the server and started it again";
    case 1:
      (void)primary.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
      return "ended every session";
    case 2: site.gate->cut_all(random() % 2 == 0 ? GateCut::reset : GateCut::close); return "cut every connection";
    case 3:
      site.gate->at_byte(random() % 2 == 0 ? GateDirection::to_client : GateDirection::to_server,
                         1000 + random() % 4000, GateFault::cut(GateCut::reset), sy::testing::GateScope::every);
      std::this_thread::sleep_for(500ms);
      site.gate->clear_faults();
      return "cut connections at a byte";
    default:
      primary.freeze();
      std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 1500));
      primary.thaw();
      return "froze the server";
  }
}

/// The primary dies for good and the standby takes over. Gives the time until a write succeeded again.
double promote(Site& site, Run& run) {
  site.cluster->primary().kill9();
  site.gate->set_door(sy::testing::GateDoor::refused);
  site.replica->promote().value_or_throw();
  const auto begun = std::chrono::steady_clock::now();
  (void)site.replica->execute("ALTER SYSTEM RESET synchronous_standby_names");
  (void)site.replica->execute("SELECT pg_reload_conf()");
  const std::uint64_t before = run.acknowledged;
  while (run.acknowledged == before) {
    std::this_thread::sleep_for(1ms);
    if (std::chrono::steady_clock::now() - begun > 20s) return -1;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

struct Verdict {
  std::size_t acknowledged = 0, refused = 0, in_doubt = 0, missing = 0, twice = 0, unannounced = 0;
};

Verdict judge(const Ledger& ledger, sy::embedded::PrivateServer& server) {
  std::map<Key, int> found;
  const auto rows = server.execute("SELECT writer, number FROM ledger").value_or_throw();
  for (const auto& row : rows.rows) ++found[{std::stoi(*row[0]), std::stoi(*row[1])}];
  Verdict out;
  for (const auto& [key, fate] : ledger.entries) {
    const auto at = found.find(key);
    const int times = at == found.end() ? 0 : at->second;
    out.twice += times > 1 ? 1 : 0;
    switch (fate) {
      case Fate::acknowledged:
        ++out.acknowledged;
        out.missing += times == 0 ? 1 : 0;
        break;
      case Fate::refused:
        ++out.refused;
        out.unannounced += times > 0 ? 1 : 0;
        break;
      case Fate::in_doubt: ++out.in_doubt;
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const sy::testing::ProgramOptions options(
      argc, argv, "chaos_ledger: no acknowledged write is lost, none is applied twice",
      {{"strikes", "50"}, {"writers", "16"}, {"seed", "1"}, {"pause-ms", "700"}});
  std::mt19937 random(static_cast<unsigned>(options.count("seed")));
  constexpr int kStrikesEach = 5;  // then a promotion ends the cluster's life
  Verdict sum;
  std::map<std::string, int> errors;
  bool kept = true;
  for (int done = 0; done < options.count("strikes");) {
    Site site = start_site();
    Run run;
    std::thread loop([&] {
      sy::runtime::Shard shard;
      shard.run_until_complete([](Run& on, sy::FleetConfig with, int writers, unsigned seed) -> sy::Task<void> {
        auto fleet = sy::Fleet::open(std::move(with)).value_or_throw();
        std::vector<sy::Task<std::monostate>> tasks;
        for (int i = 0; i < writers; ++i) {
          tasks.push_back([](Run& r, sy::Fleet& f, int id, unsigned s) -> sy::Task<std::monostate> {
            co_await writer(r, f, id, s);
            co_return std::monostate{};
          }(on, *fleet, i, seed + static_cast<unsigned>(i)));
        }
        co_await sy::all(std::move(tasks));
        co_await fleet->close(2s);
      }(run, config(site), options.count("writers"), static_cast<unsigned>(random())));
    });
    std::this_thread::sleep_for(500ms);
    for (int i = 0; i < kStrikesEach - 1 && done < options.count("strikes") - 1; ++i, ++done) {
      const std::string what = strike(site, random);
      std::this_thread::sleep_for(std::chrono::milliseconds(options.count("pause-ms")));
      std::printf("%3d  %-42s %8llu acknowledged\n", done + 1, what.c_str(),
                  static_cast<unsigned long long>(run.acknowledged));
      std::fflush(stdout);
    }
    const double took = promote(site, run);
    ++done;
    std::printf("%3d  %-42s first write after %.3f s\n", done, "killed the primary and promoted the standby", took);
    run.stop = true;
    loop.join();
    const Verdict verdict = judge(run.ledger, *site.replica);
    kept = kept && verdict.missing == 0 && verdict.twice == 0 && verdict.unannounced == 0 && took >= 0;
    sum.acknowledged += verdict.acknowledged;
    sum.refused += verdict.refused;
    sum.in_doubt += verdict.in_doubt;
    sum.missing += verdict.missing;
    sum.twice += verdict.twice;
    sum.unannounced += verdict.unannounced;
    for (const auto& [kind, count] : run.ledger.errors) errors[kind] += count;
  }
  std::printf(
      "acknowledged %zu, refused %zu, in doubt %zu; missing %zu, twice %zu, there although refused %zu: %s\n",
      sum.acknowledged, sum.refused, sum.in_doubt, sum.missing, sum.twice, sum.unannounced,
      kept ? "kept" : "BROKEN");
  for (const auto& [kind, count] : errors) std::printf("  %6d %s\n", count, kind.c_str());
  return kept ? 0 : 1;
}

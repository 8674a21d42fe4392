// Five databases under a steady load; one of them is killed, stopped, slowed down, cut off or filled up. What do
// the other four notice? Each round has an undisturbed half and a faulty half in random order; the verdict compares
// the medians of the rounds: throughput of the others within 5 %, p99 within 1.2 times.
#include <switchyard/config/load.hpp>
#include <switchyard/embedded/private_cluster.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/runtime/task_tools.hpp>

#include <tests/support/gate.hpp>
#include <tests/support/program_options.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
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
using sy::testing::GateDoor;
using sy::testing::GateTarget;

constexpr std::array<const char*, 5> kNames{"main", "reference", "analytics", "documents", "compliance"};
constexpr std::size_t kVictim = 3;
constexpr int kWorkers = 8;
constexpr int kKeys = 10'000;
constexpr auto kThink = 2ms;
/// A half begins to count after this: caches, reconnects and the fault itself settle.
constexpr auto kSettle = 500ms;

struct Place {
  std::unique_ptr<sy::embedded::PrivateCluster> cluster;
  std::unique_ptr<Gate> gate;
};

struct Half {
  std::vector<std::int64_t> latencies;  ///< of the others, nanoseconds
  std::uint64_t victim_ok = 0;
  std::uint64_t victim_failed = 0;
  double seconds = 0;
};

struct Load {
  sy::Fleet* fleet = nullptr;
  std::atomic<bool> stop{false};
  std::atomic<bool> counting{false};
  Half half;
};

sy::Task<void> worker(Load& load, std::size_t database, unsigned seed) {
  std::mt19937 random(seed);
  auto db = load.fleet->database(kNames[database]).value_or_throw();
  while (!load.stop) {
    const int key = static_cast<int>(random() % kKeys);
    const bool write = random() % 5 == 0;
    const auto begun = std::chrono::steady_clock::now();
    bool ok = false;
    if (write) {
      ok = (co_await db.execute("UPDATE t SET v = v + 1 WHERE id = $1", key).result()).ok();
    } else {
      ok = (co_await db.query_value<int>("SELECT v FROM t WHERE id = $1", key).result()).ok();
    }
    if (load.counting) {
      if (database != kVictim) {
        if (!ok) throw sy::Error(sy::ErrorKind::Server, std::string(kNames[database]) + " was hurt as well");
        load.half.latencies.push_back((std::chrono::steady_clock::now() - begun).count());
      } else {
        ++(ok ? load.half.victim_ok : load.half.victim_failed);
      }
    }
    co_await sy::sleep(kThink);
  }
}

sy::Task<void> run_load(Load& load) {
  std::vector<sy::Task<std::monostate>> tasks;
  for (std::size_t database = 0; database < kNames.size(); ++database) {
    for (int i = 0; i < kWorkers; ++i) {
      tasks.push_back([](Load& on, std::size_t which, unsigned seed) -> sy::Task<std::monostate> {
        co_await worker(on, which, seed);
        co_return std::monostate{};
      }(load, database, static_cast<unsigned>(database * 100 + static_cast<std::size_t>(i))));
    }
  }
  co_await sy::all(std::move(tasks));
}

sy::FleetConfig config(const std::vector<Place>& places) {
  std::string text = "[fleet]\napplication = \"isolation\"\n";
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::string name = kNames[i];
    text += "[database." + name + "]\nwhen_down = \"fail\"\ncommand_timeout = \"2s\"\n" +
            "dsn = \"postgresql://app:secret@127.0.0.1:" + std::to_string(places[i].gate->port()) +
            "/postgres?sslmode=disable&connect_timeout=2\"\n[database." + name +
            ".pool]\nmin = 4\nmax = 8\nacquire_timeout = \"2s\"\n";
  }
  sy::Sources sources;
  sources.file = "isolation.toml";
  sources.file_text = text;
  return sy::load_config(sources).value_or_throw();
}

/// A way to hurt a database and to make it whole again.
struct Fault {
  std::string name;
  std::function<void(Place&)> begin;
  std::function<void(Place&)> end;
};

std::vector<Fault> faults() {
  return {
      {"kill", [](Place& place) { place.cluster->primary().kill9(); },
       [](Place& place) { place.cluster->primary().start().value_or_throw(); }},
      {"stop", [](Place& place) { place.cluster->primary().freeze(); },
       [](Place& place) { place.cluster->primary().thaw(); }},
      {"slow", [](Place& place) { place.gate->set_delay(GateDirection::to_client, 300ms); },
       [](Place& place) { place.gate->set_delay(GateDirection::to_client, 0ms); }},
      {"cut",
       [](Place& place) {
         place.gate->set_door(GateDoor::silent);
         place.gate->stall(GateDirection::to_client);
         place.gate->stall(GateDirection::to_server);
       },
       [](Place& place) {
         place.gate->set_door(GateDoor::open);
         place.gate->cut_all(GateCut::reset);
         place.gate->resume();
       }},
      {"fill",
       [](Place& place) {
         // Every connection slot of the role is taken: sessions end and no new one is let in.
         auto& server = place.cluster->primary();
         server.execute("ALTER ROLE app CONNECTION LIMIT 0").value_or_throw();
         server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
             .value_or_throw();
       },
       [](Place& place) {
         place.cluster->primary().execute("ALTER ROLE app CONNECTION LIMIT -1").value_or_throw();
       }},
  };
}

double quantile(std::vector<std::int64_t>& values, double q) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at) / 1e6;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Place start_place(const std::string& name) {
  sy::embedded::ClusterOptions options = sy::embedded::test_options();
  options.name = name;
  Place place;
  place.cluster = sy::embedded::PrivateCluster::start(options).value_or_throw();
  auto& server = place.cluster->primary();
  server.create_role("app", {.password = sy::Secret("secret")}).value_or_throw();
  server
      .execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(0, " +
               std::to_string(kKeys - 1) + ") i; GRANT ALL ON t TO app; ANALYZE t")
      .value_or_throw();
  const auto endpoint = server.endpoint();
  place.gate = std::make_unique<Gate>(GateTarget::unix_socket(endpoint.host, endpoint.port));
  return place;
}

Half measure(Load& load, double seconds) {
  std::this_thread::sleep_for(kSettle);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto begun = std::chrono::steady_clock::now();
  load.counting = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  load.counting = false;
  std::this_thread::sleep_for(50ms);  // the loop has seen it
  load.half.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun - 50ms).count();
  return std::exchange(load.half, Half{});
}

struct Figures {
  std::vector<double> throughput, p99;
  void add(Half& half) {
    throughput.push_back(static_cast<double>(half.latencies.size()) / half.seconds);
    p99.push_back(quantile(half.latencies, 0.99));
  }
};

}  // namespace

int main(int argc, char** argv) {
  const sy::testing::ProgramOptions options(
      argc, argv, "chaos_isolation: what four databases notice of the misfortune of a fifth",
      {{"seconds", "5"}, {"rounds", "5"}, {"fault", "all"}, {"seed", "1"}});
  std::vector<Place> places;
  for (const char* name : kNames) places.push_back(start_place(name));

  Load load;
  std::thread loop([&] {
    sy::runtime::Shard shard;
    shard.run_until_complete([](Load& on, sy::FleetConfig with) -> sy::Task<void> {
      auto fleet = sy::Fleet::open(std::move(with)).value_or_throw();
      on.fleet = fleet.get();
      co_await fleet->warm_up();
      co_await run_load(on);
      co_await fleet->close(2s);
    }(load, config(places)));
  });
  std::this_thread::sleep_for(1s);

  std::mt19937 random(static_cast<unsigned>(options.count("seed")));
  bool kept = true;
  std::printf("%-6s %22s %22s %14s   %s\n", "fault", "others/s calm > fault", "p99 ms calm > fault", "ratios",
              "victim ok/failed");
  for (const Fault& fault : faults()) {
    if (options.text("fault") != "all" && options.text("fault") != fault.name) continue;
    Figures calm, hurt;
    std::uint64_t ok = 0, failed = 0;
    for (int round = 0; round < options.count("rounds"); ++round) {
      const bool fault_first = random() % 2 == 0;
      for (const bool faulty : {fault_first, !fault_first}) {
        if (faulty) fault.begin(places[kVictim]);
        Half half = measure(load, options.number("seconds"));
        if (faulty) {
          fault.end(places[kVictim]);
          std::this_thread::sleep_for(2s);  // the victim comes back
          ok += half.victim_ok;
          failed += half.victim_failed;
        }
        (faulty ? hurt : calm).add(half);
      }
    }
    const double throughput = median(hurt.throughput) / median(calm.throughput);
    const double p99 = median(hurt.p99) / median(calm.p99);
    const bool good = throughput >= 0.95 && p99 <= 1.2;
    kept = kept && good;
    std::printf("%-6s %10.0f > %9.0f %10.2f > %9.2f %6.3f %6.2f   %llu/%llu %s\n", fault.name.c_str(),
                median(calm.throughput), median(hurt.throughput), median(calm.p99), median(hurt.p99), throughput,
                p99, static_cast<unsigned long long>(ok), static_cast<unsigned long long>(failed),
                good ? "kept" : "BROKEN");
    std::fflush(stdout);
  }
  load.stop = true;
  loop.join();
  return kept ? 0 : 1;
}

// The shared lane, measured beside a session per caller, libpq's pipeline mode, pgbench and a raw pipelined loop,
// all in one interleaved run on one private server. Or, with --disturb, what callers in a lane notice of a bad
// neighbour. docs/lane.md tells how to read it.
#include "contenders.hpp"
#include "disturb.hpp"
#include "report.hpp"

#include <switchyard/base/error.hpp>

#include <tests/support/program_options.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <utility>

namespace {

using namespace lane_bench;

/// Each shape of the raw loop gets this much time once; the best of them is the ceiling from then on.
constexpr double kTrialSeconds = 0.4;

std::vector<std::string> words(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

[[noreturn]] void misuse(const std::string& what) {
  std::fprintf(stderr, "%s (see --help)\n", what.c_str());
  std::exit(2);
}

template <class T>
std::vector<T> chosen(const std::string& option, const std::string& list, const std::map<std::string, T>& known) {
  std::vector<T> out;
  for (const std::string& word : words(list)) {
    const auto at = known.find(word);
    if (at == known.end()) misuse("--" + option + " does not know '" + word + "'");
    out.push_back(at->second);
  }
  return out;
}

class Ceiling {
 public:
  Sample operator()(const Site& site, const Load& load) {
    std::optional<RawShape>& best = best_[{load.transport, load.mix, load.callers}];
    if (!best) best = find_best(site, load);
    return run_raw_loop(site, load, *best);
  }

 private:
  static RawShape find_best(const Site& site, Load load) {
    load.seconds = kTrialSeconds;
    load.warm_up_seconds = kTrialSeconds / 4;
    double most = 0;
    RawShape best;
    for (const RawShape& shape : raw_shapes(load.callers)) {
      const double rate = run_raw_loop(site, load, shape).per_second;
      if (rate > most) best = shape;
      most = std::max(most, rate);
    }
    return best;
  }
  std::map<Place, std::optional<RawShape>> best_;
};

using Contender = std::function<Sample(const Site&, const Load&)>;

std::map<std::string, Contender> contenders() {
  return {{kPgbench, run_pgbench},
          {kLibpq, run_libpq_pipeline},
          {kLeased, [](const Site& site, const Load& load) { return run_fleet(site, load, LaneUse::leased); }},
          {kLane, [](const Site& site, const Load& load) { return run_fleet(site, load, LaneUse::shared); }},
          {kCeiling, Ceiling()}};
}

/// "libpq" will do for "libpq pipeline".
std::map<std::string, Contender> wanted_contenders(const std::string& only) {
  auto all = contenders();
  if (only == "all") return all;
  std::map<std::string, Contender> out;
  for (const std::string& word : words(only)) {
    const auto at = std::ranges::find_if(all, [&](const auto& known) { return known.first.starts_with(word); });
    if (at == all.end()) misuse("--only does not know '" + word + "'");
    out.insert(*at);
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const switchyard::testing::ProgramOptions options(
      argc, argv,
      "bench_lane: point reads and updates by primary key through sessions that callers share, and otherwise.\n"
      "--only takes pgbench, libpq, leased, lane, ceiling; --disturb takes slow, huge, lock, ddl, cancel, all.",
      {{"seconds", "2"},
       {"rounds", "3"},
       {"callers", "1,16,64,128,1000"},
       {"transport", "unix,tcp"},
       {"mix", "reads,95/5"},
       {"only", "all"},
       {"pool-max", "64"},
       {"disturb", "none"},
       {"seed", "1"},
       {"json", "none"}});
  Load load;
  load.seconds = options.number("seconds");
  load.seed = static_cast<unsigned>(options.count("seed"));
  load.pool_max = options.count("pool-max");
  const int rounds = options.count("rounds");
  std::vector<int> callers;
  for (const std::string& word : words(options.text("callers"))) callers.push_back(std::atoi(word.c_str()));
  if (callers.empty() || std::ranges::min(callers) < 1) misuse("--callers takes numbers from 1");
  const auto transports = chosen<Transport>("transport", options.text("transport"),
                                            {{"unix", Transport::unix_socket}, {"tcp", Transport::tcp}});
  const auto mixes =
      chosen<Mix>("mix", options.text("mix"), {{"reads", Mix::reads}, {"95/5", Mix::reads_and_updates}});
  try {
    const Site site;
    std::printf("%s; PostgreSQL %s; table of %d rows; medians of %d rounds of %g s\n", machine().c_str(),
                site.version().c_str(), kRows, rounds, load.seconds);

    if (const std::string& kind = options.text("disturb"); kind != "none") {
      if (kind != "all" && std::ranges::count(disturbances(), kind) == 0) misuse("--disturb does not know " + kind);
      if (options.text("callers").find(',') == std::string::npos) load.callers = callers.front();
      load.transport = transports.front();
      std::printf(
          "\n%d callers of point reads beside a disturbance\n\n| disturbance | sessions | p50 us calm > "
          "disturbed | p99 us | p99 ratio | disturbances | within 1.5 |\n|---|---|---|---|---|---|---|\n",
          load.callers);
      bool kept = true;
      for (const std::string& known : disturbances()) {
        if (kind == "all" || kind == known) kept = disturb(site, load, known, rounds) && kept;
      }
      return kept ? 0 : 1;
    }

    auto named = wanted_contenders(options.text("only"));
    std::vector<std::string> order;
    for (const auto& [name, contender] : named) order.push_back(name);
    Results results;
    std::minstd_rand random(load.seed);
    std::set<std::string> skipped;
    for (int round = 0; round < rounds; ++round) {
      std::fprintf(stderr, "round %d of %d\n", round + 1, rounds);
      for (const Transport transport : transports) {
        for (const Mix mix : mixes) {
          for (const int count : callers) {
            // Another order each time: nobody always follows the same neighbour.
            std::ranges::shuffle(order, random);
            for (const std::string& name : order) {
              if (skipped.contains(name)) continue;
              load.transport = transport;
              load.mix = mix;
              load.callers = count;
              load.seed += 1;
              try {
                results.add({transport, mix, count}, name, round, named.at(name)(site, load));
              } catch (const Unavailable& reason) {
                std::printf("%s is skipped: %s\n", name.c_str(), reason.what());
                skipped.insert(name);
              }
            }
          }
        }
      }
    }
    results.print();
    const int broken = results.print_wanted();
    if (options.text("json") != "none") results.write_json(options.text("json"), machine());
    return broken == 0 ? 0 : 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_lane: %s\n", error.what());
    return 1;
  }
}

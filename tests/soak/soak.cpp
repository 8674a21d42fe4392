// No wrong row: thousands of callers whose every statement answers with its caller's tag, while statements time
// out, callers go away, sessions are killed, tables change underneath and servers fail over. A row, an error or a
// setting that belongs to somebody else ends the run (exit code 1) and prints the seed; so does a caller that waits
// for ever, and a session that is left behind.
#include "soak_run.hpp"

#include <tests/support/program_options.hpp>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  const switchyard::testing::ProgramOptions words(
      argc, argv,
      "soak: no row, error or setting reaches anybody but its caller.\n"
      "An epoch has a cluster of its own; with replicas its primary is killed and replaced on the way.\n"
      "--lane default or leased, --misfortunes all or none, --only a statement's name as in the table at the end.\n"
      "--wire yes: the callers are clients of a gateway and keep session state; each has a thread (take 100).\n"
      "--shards 2: of the gateway; half of the callers know the database by another name, and so go elsewhere.",
      {{"callers", "2000"},
       {"seconds", "60"},
       {"seed", "1"},
       {"replicas", "0"},
       {"epoch-seconds", "60"},
       {"misfortunes", "all"},
       {"only", "all"},
       {"wire", "no"},
       {"shards", "1"},
       {"lane", "default"}});
  soak::SoakOptions options;
  options.callers = words.count("callers");
  options.seconds = words.number("seconds");
  options.seed = static_cast<std::uint64_t>(words.count("seed"));
  options.replicas = words.count("replicas");
  options.epoch_seconds = words.number("epoch-seconds");
  options.misfortunes = words.text("misfortunes") == "all";
  if (words.text("lane") != "default") options.fleet_keys = "lane = \"" + words.text("lane") + "\"\n";
  options.wire = words.text("wire") == "yes";
  options.shards = words.count("shards");
  if (words.text("only") != "all") options.only = words.text("only");
  options.verbose = true;
  try {
    const soak::SoakReport report = soak::run_soak(options);
    report.score->print();
    for (const auto& [what, count] : report.misfortunes) std::printf("  %10d  %s\n", count, what.c_str());
    std::printf("%s\n", report.failure.empty() ? "no wrong row" : report.failure.c_str());
    return report.failure.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "soak: %s\n", error.what());
    return 2;
  }
}

// A whole run: epochs, each on a cluster of its own that lives until its failover and the verdict.
#pragma once

#include "score.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace soak {

struct SoakOptions {
  int callers = 2000;
  double seconds = 60;
  std::uint64_t seed = 1;
  int replicas = 0;
  double epoch_seconds = 60;
  bool misfortunes = true;
  std::string fleet_keys;  ///< more lines for [database.main], such as `lane = "leased"`
  std::string only;        ///< one shape, by its name; empty = all
  bool verbose = false;
  bool wire = false;  ///< callers are clients of a gateway, each on a thread of its own
  int shards = 1;     ///< of the gateway
};

struct SoakReport {
  std::unique_ptr<Score> score;
  std::map<std::string, int> misfortunes;
  /// Empty when nothing was wrong: else what was.
  std::string failure;
};

/// Blocks. A hang ends the process (exit code 1), since nothing can be taken down in order then.
[[nodiscard]] SoakReport run_soak(const SoakOptions& options);

}  // namespace soak

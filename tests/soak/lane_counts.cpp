#include "lane_counts.hpp"

namespace soak {

void count_lanes(const switchyard::Fleet& fleet, Score& score) {
  for (const auto& database : fleet.status().databases) {
    for (const auto& endpoint : database.endpoints) {
      if (!endpoint.lane) continue;
      score.count("statements", endpoint.lane->statements);
      score.count("groups", endpoint.lane->syncs);
      score.count("moved away from a slow one", endpoint.lane->reissued);
      score.count("cancel requests", endpoint.lane->cancels);
      score.count("alarms", endpoint.lane->alarms);
      for (const auto& exit : endpoint.lane->exits) score.count(exit.why, exit.count);
      for (const auto& refusal : endpoint.lane->refusals)
        score.count("not taken in, " + refusal.why, refusal.count);
    }
  }
  if (score.counted("alarms") != 0) score.fail("a tripwire of the lane did not hold");
}

}  // namespace soak

#include <switchyard/fleet/lane_keeper.hpp>

#include <switchyard/sql/facts_cache.hpp>

namespace switchyard::inline v0::fleet {

std::optional<sql::Verdict> LaneKeeper::judge(std::string_view sql) {
  sql::FactsCache& cache = sql::FactsCache::of_process();
  const auto facts = cache.find(sql);
  if (!facts) {
    cache.want(sql);
    return std::nullopt;
  }
  return sql::judge(*facts, nullptr);
}

}  // namespace switchyard::inline v0::fleet

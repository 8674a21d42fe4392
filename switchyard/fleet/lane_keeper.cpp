#include <switchyard/fleet/lane_keeper.hpp>

#include <switchyard/fleet/catalogue_watch.hpp>
#include <switchyard/sql/facts_cache.hpp>
#include <switchyard/sql/safe_names.hpp>

#include <string>
#include <utility>

namespace switchyard::inline v0::fleet {

LaneKeeper::LaneKeeper(const DatabaseConfig& config, std::function<Endpoint*()> primary) {
  if (!config.configured() || *config.lane == LaneMode::leased) return;
  auto safe = sql::parse_safe_names(*config.lane_safe);
  if (!safe.ok()) throw safe.error().with_context("database." + config.name + ".lane_safe");
  watch_ = std::make_unique<CatalogueWatch>(config.name, std::move(primary), *std::move(safe));
}

LaneKeeper::~LaneKeeper() = default;

void LaneKeeper::stop() noexcept { watch_.reset(); }

bool LaneKeeper::trusted() noexcept { return watch_ && watch_->snapshot() != nullptr; }

std::optional<sql::Verdict> LaneKeeper::judge(std::string_view sql, std::span<const std::uint32_t> types) {
  const sql::CatalogueSnapshot* const catalogue = watch_ ? watch_->snapshot() : nullptr;
  sql::FactsCache& cache = sql::FactsCache::of_process();
  const auto facts = cache.find(sql);
  if (!facts) cache.want(sql);
  if (!facts || catalogue == nullptr) return std::nullopt;
  return sql::judge(*facts, catalogue, types);
}

std::uint64_t LaneKeeper::epoch() noexcept { return watch_ ? watch_->epoch() : 0; }

std::uint64_t LaneKeeper::generation() noexcept { return watch_ ? watch_->generation() : 0; }

void LaneKeeper::note_ddl() noexcept {
  if (watch_) watch_->note_ddl();
}

}  // namespace switchyard::inline v0::fleet

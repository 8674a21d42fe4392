// What the shared lanes of a database are told about it: the facts of each text against the live catalogue.
#pragma once

#include <switchyard/config/fleet_config.hpp>
#include <switchyard/pool/lane_guard.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace switchyard::inline v0::fleet {

class CatalogueWatch;
class Endpoint;

class LaneKeeper final : public pool::LaneGuard {
 public:
  /// `config` outlives it; `primary` gives the endpoint where writes go now, or null. A Config error for an entry
  /// of lane_safe that is no name is thrown.
  LaneKeeper(const DatabaseConfig& config, std::function<Endpoint*()> primary);
  ~LaneKeeper();
  LaneKeeper(const LaneKeeper&) = delete;
  LaneKeeper& operator=(const LaneKeeper&) = delete;

  /// Ends the watch: nothing is shared any more. Before the endpoints go.
  void stop() noexcept;

  [[nodiscard]] bool trusted() noexcept override;
  [[nodiscard]] std::optional<sql::Verdict> judge(std::string_view sql,
                                                  std::span<const std::uint32_t> types) override;
  [[nodiscard]] std::uint64_t epoch() noexcept override;
  [[nodiscard]] std::uint64_t generation() noexcept override;
  void note_ddl() noexcept override;

 private:
  std::unique_ptr<CatalogueWatch> watch_;
};

}  // namespace switchyard::inline v0::fleet

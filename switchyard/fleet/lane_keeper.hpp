// What the shared lanes of a database are told about it: the facts of each text against the live catalogue.
#pragma once

#include <switchyard/pool/lane_guard.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::inline v0::fleet {

class LaneKeeper final : public pool::LaneGuard {
 public:
  [[nodiscard]] std::optional<sql::Verdict> judge(std::string_view sql) override;
  [[nodiscard]] std::uint64_t epoch() noexcept override { return 0; }
  [[nodiscard]] std::uint64_t generation() noexcept override { return 0; }
};

}  // namespace switchyard::inline v0::fleet

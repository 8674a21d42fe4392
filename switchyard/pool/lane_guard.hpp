// What a lane must be told about the database it stands in: filled by whoever watches the catalogue.
#pragma once

#include <switchyard/sql/verdict.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace switchyard::inline v0::pool {

class LaneGuard {
 public:
  /// The catalogue is known as it was a moment ago: without that nothing goes in. Asked for every statement.
  [[nodiscard]] virtual bool trusted() noexcept = 0;
  /// What is known of a text; none while it is still being looked at, which this call starts. Never waits.
  /// `types` are the OIDs of its parameters; 0 leaves one to the server.
  [[nodiscard]] virtual std::optional<sql::Verdict> judge(std::string_view sql,
                                                          std::span<const std::uint32_t> types) = 0;
  /// Raised by every change of the catalogue: verdicts and descriptions are of one epoch.
  [[nodiscard]] virtual std::uint64_t epoch() noexcept = 0;
  /// Raised when settings of roles, databases or the server have changed: sessions are of one generation.
  [[nodiscard]] virtual std::uint64_t generation() noexcept = 0;
  /// The catalogue was changed through this process.
  virtual void note_ddl() noexcept = 0;

 protected:
  ~LaneGuard() = default;
};

}  // namespace switchyard::inline v0::pool

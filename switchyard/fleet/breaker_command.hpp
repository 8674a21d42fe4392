// What an operator may do to the breakers of a database.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/fleet/request.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::inline v0 {

enum class BreakerCommand : std::uint8_t {
  open,   ///< refuse every call, until close or reset
  close,  ///< let every call through whatever fails, until open or reset
  reset,  ///< CLOSED, nothing remembered, by its own rules again
};

/// Which breakers: by default all of the primary.
struct BreakerSelection {
  std::string_view replica = {};             ///< a replica's name or purpose; empty = the primary
  std::optional<OperationKind> access = {};  ///< those of reads, or those of writes; none = both
};

}  // namespace switchyard::inline v0

// One thing that `doctor` has found out.
#pragma once

#include <cstdint>
#include <string>

namespace switchyard::cli {

enum class Severity : std::uint8_t { good, notice, warning, problem };

struct Finding {
  Severity severity = Severity::good;
  std::string subject;  ///< database, "main/readReplica", or "fleet"
  std::string text;
  std::string fix;  ///< the SQL statement or shell line that repairs it, or empty
};

}  // namespace switchyard::cli

// The parse trees of texts as libpg_query writes them (JSON), for whoever wants to look at more than what a
// statement does to its session.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <string>
#include <vector>

namespace switchyard::inline v0::sql {

/// One document for each text, {"version": ..., "stmts": [{"stmt": {"Type": {...}}, ...}]}, or why there is none:
/// the grammar (of PostgreSQL 15) does not know it, or it is too long or too deep (analyse.hpp). Blocks; runs on a
/// thread of its own, with the stack that libpg_query needs.
[[nodiscard]] SWITCHYARD_API std::vector<Result<std::string>> parse_documents(
    const std::vector<std::string>& texts);

}  // namespace switchyard::inline v0::sql

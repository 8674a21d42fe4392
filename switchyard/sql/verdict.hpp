// The verdict on a statement in one database: may it run on a session that other callers use at the same time?
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/sql/statement_facts.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace switchyard::inline v0::sql {

class CatalogueSnapshot;

struct Verdict {
  /// It reads, and nothing it calls leaves anything on the session or depends on whose session it is.
  bool may_share = false;
  /// It may also share one Sync, which is one implicit transaction and one now(), with other callers' statements.
  bool may_share_sync = false;
  /// One Parse of it may serve everybody; else it is parsed anew each time.
  bool may_intern = false;
  /// It may share, and reads nothing that only the primary has right: unlogged tables. (Sequences, statistics,
  /// numbers of transactions and positions in the WAL share nowhere.)
  bool replica_safe = false;
  /// Why not, or why: for people, most important first. Never empty.
  std::vector<std::string> reasons;
};

/// Pure and bounded: the text's facts against what the catalogue holds. Without a catalogue nothing may share: that
/// is not a verdict to remember, unless the text alone rules it out.
/// `parameter_types` are the OIDs that Parse gives with the text; 0 leaves one to the server.
[[nodiscard]] SWITCHYARD_API Verdict judge(const StatementFacts& facts, const CatalogueSnapshot* catalogue,
                                           std::span<const std::uint32_t> parameter_types = {});

}  // namespace switchyard::inline v0::sql

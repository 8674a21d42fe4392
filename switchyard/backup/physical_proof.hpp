// Proves a backup of pgBackRest: restores it on a private server, to the moment at which it ended, and reads
// everything that the fleet's databases hold there. There is no copy of what was there when it was made, so nothing
// is compared.
#pragma once

#include <switchyard/backup/pgbackrest.hpp>
#include <switchyard/backup/repository.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/config/fleet_config.hpp>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace switchyard::inline v0::backup {

struct PhysicalProof {
  std::string label;
  Proof proof;
};

/// "restoring", "reading commerce".
using PhysicalProofSink = std::function<void(const std::string& what)>;

/// The newest backup of the stanza's first repository. Blocks. A database that can't be read is in the proof; an
/// error is what kept all of them from being tried: no backup, a stop. A restore that fails is in the proof, too.
[[nodiscard]] SWITCHYARD_API Result<PhysicalProof> prove_physical(const FleetConfig& fleet, const PgBackRest& setup,
                                                                  const Stanza& stanza,
                                                                  const PhysicalProofSink& sink,
                                                                  std::stop_token stop);

/// In the repository's folder, where `status` finds it.
[[nodiscard]] SWITCHYARD_API Result<void> write_physical_proof(const PgBackRest& setup, const Stanza& stanza,
                                                               const PhysicalProof& proof);
/// Nothing: none was made, or it can't be read.
[[nodiscard]] SWITCHYARD_API std::optional<PhysicalProof> read_physical_proof(const std::string& repository,
                                                                              const std::string& stanza);

}  // namespace switchyard::inline v0::backup

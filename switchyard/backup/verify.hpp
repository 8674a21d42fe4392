// Proves a backup: restores it on a private server and compares what is there with what was there when it was made.
#pragma once

#include <switchyard/backup/age_keys.hpp>
#include <switchyard/backup/repository.hpp>
#include <switchyard/backup/restore.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace switchyard::inline v0::backup {

struct VerifyOptions {
  std::vector<AgeIdentity> identities;
  std::vector<std::string> databases;  ///< empty: all that the backup holds
};

/// What is being done: "main: restoring", and how far it is.
using VerifySink = std::function<void(const std::string& database, const RestoreProgress& progress)>;

/// Blocks. A database that can't be restored, or differs, is in the proof; an error is what kept all of them from
/// being tried (a wrong key, no server programs, a stop). The proof is not written anywhere.
[[nodiscard]] SWITCHYARD_API Result<Proof> verify_backup(const StoredBackup& backup, const VerifyOptions& options,
                                                         const VerifySink& sink, std::stop_token stop);

}  // namespace switchyard::inline v0::backup

// Makes the data folder of a new server.
//
// `initdb` takes half a second, a copy of its result a twentieth. The results are kept, one for each version and
// set of options, in /var/cache/switchyard/clusters for root and ~/.cache/switchyard/clusters for others.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/embedded/account.hpp>
#include <switchyard/embedded/postgres_binaries.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace switchyard::inline v0::embedded {

struct InitdbOptions {
  std::string locale;
  std::string superuser;
  bool data_checksums = false;
};

/// Where `initdb` writes.
enum class Origin {
  copy,   ///< a copy of a kept result: fast; all copies have the same system identifier
  fresh,  ///< its own run of initdb, synced to disk: a system identifier of its own
};

/// Fills `folder`, which must not exist, owned by the account.
[[nodiscard]] Result<void> make_data_folder(const std::filesystem::path& folder, const PostgresBinaries& binaries,
                                            const std::optional<Account>& account, const InitdbOptions& options,
                                            Origin origin, TimePoint deadline);

}  // namespace switchyard::inline v0::embedded

// The folder that holds one private cluster: who owns it, who uses it now, and when it may be removed.
//
//   /tmp/sy-XXXXXX/           ours, 0711
//     switchyard.lock         marks the folder as ours; locked (flock) by the process that uses it
//     run/                    the servers' account; Unix sockets
//     primary/  primary.log   data folder (the account's, 0700) and log of each server
//     replicas/NAME/  NAME.log
//
// A folder with the mark that nobody locks was left behind by a process that was killed: the next start removes it,
// after ending whatever server still runs in it. A folder given by the user is never removed.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/embedded/account.hpp>
#include <switchyard/embedded/cluster_options.hpp>

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::embedded {

enum class Keep {
  temporary,  ///< removed when the owner goes
  forever,    ///< never removed
};

class ServerFolder {
 public:
  /// A fresh folder where `storage` says; under /tmp where TMPDIR is too long for socket paths or closed to the
  /// account.
  [[nodiscard]] static Result<ServerFolder> make_temporary(const std::optional<Account>& account, Storage storage);
  /// A folder of the user's: made if absent, refused if it holds anything else than one of ours, or is in use.
  [[nodiscard]] static Result<ServerFolder> open(const std::filesystem::path& folder,
                                                 const std::optional<Account>& account);

  ServerFolder(ServerFolder&& other) noexcept;
  ServerFolder& operator=(ServerFolder&&) = delete;
  /// Removes a temporary folder. The servers in it must have ended.
  ~ServerFolder();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Where the sockets go: path()/run, or a short temporary folder where that would be too long.
  [[nodiscard]] const std::filesystem::path& sockets() const noexcept { return sockets_; }

 private:
  ServerFolder(std::filesystem::path path, Keep keep, int lock)
      : path_(std::move(path)), keep_(keep), lock_(lock) {}
  Result<void> make_sockets(const std::optional<Account>& account);

  std::filesystem::path path_;
  std::filesystem::path sockets_;
  Keep keep_;
  int lock_;              ///< the descriptor that holds the lock; -1 when moved from
  int socket_lock_ = -1;  ///< the same for a socket folder elsewhere
};

/// Longest path of a Unix socket: sockaddr_un holds 108 bytes with the final NUL.
inline constexpr std::size_t kLongestSocketPath = 107;
/// Bytes that PostgreSQL appends to the socket folder: "/.s.PGSQL.65535".
inline constexpr std::size_t kSocketNameLength = 15;

/// Makes `folder` with this mode, owned by the account (or by the caller).
[[nodiscard]] Result<void> make_folder(const std::filesystem::path& folder, mode_t mode,
                                       const std::optional<Account>& account);

/// Makes or replaces a file (mode 0600) in a folder of the account's, owned by the account.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& folder, const std::string& file,
                                      std::string_view text, const std::optional<Account>& account);

/// Ends every server process that works in `data_folder`, gently first, and removes what a killed postmaster
/// leaves behind: postmaster.pid and its shared memory segment. Zombies count as gone.
void end_servers_in(const std::filesystem::path& data_folder);

/// The live processes whose working folder is `data_folder`: a postmaster and its children.
[[nodiscard]] std::vector<pid_t> processes_in(const std::filesystem::path& data_folder);

/// Removes the temporary folders of processes that are no more. Returns how many. Cheap when there are none.
std::size_t reap_abandoned_folders();

}  // namespace switchyard::inline v0::embedded

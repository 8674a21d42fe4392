// The administrator's sessions on one server: a fleet for each physical database, opened when it is asked for.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/lease.hpp>
#include <switchyard/provision/desired_server.hpp>
#include <switchyard/provision/server_image.hpp>
#include <switchyard/runtime/task.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::inline v0::provision {

/// First in a transaction of a superuser that tells verifiers: these do not belong into the server's log.
inline constexpr std::string_view kKeepOutOfLog =
    "SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1; SET LOCAL log_duration = off; "
    "SET LOCAL log_min_error_statement = 'panic'; SET LOCAL pg_stat_statements.track_utility = off";

/// One line of progress.
using ProgressSink = std::function<void(const std::string& text)>;

class Administrator {
 public:
  explicit Administrator(const DesiredServer& server) : server_(server) {}
  Administrator(const Administrator&) = delete;
  Administrator& operator=(const Administrator&) = delete;
  ~Administrator() = default;

  /// The database to begin with.
  [[nodiscard]] const std::string& begins_in() const noexcept { return server_.admin.dbname; }
  [[nodiscard]] SWITCHYARD_COROUTINE_WRAPPER Task<Lease> lease() { return lease(begins_in()); }
  /// A session with nothing but pg_catalog in its search_path, and limits on waiting for locks.
  [[nodiscard]] Task<Lease> lease(std::string database);
  /// Holds until close() that nobody else provisions this server. Tries and waits; `told` once when it has to.
  [[nodiscard]] Task<void> lock(const ProgressSink& told);
  /// The server and what is in the databases of the plan, or those that something of the plan was in.
  [[nodiscard]] Task<ServerImage> look();
  [[nodiscard]] Task<void> close();

 private:
  const DesiredServer& server_;
  std::map<std::string, std::unique_ptr<Fleet>> fleets_;
  std::optional<Lease> lock_;
};

/// A fleet of one database, `connection` alone, for few sessions.
[[nodiscard]] FleetConfig single_config(std::string application, const ConnectionOptions& connection);

}  // namespace switchyard::inline v0::provision

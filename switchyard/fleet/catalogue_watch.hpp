// Keeps what the engine knows of one database's catalogue true: reads it when somebody first asks, and then looks
// once a second, as long as somebody asks, whether it has changed. Nobody ever waits for it: as long as it is not
// known, every statement is leased.
//
// The window that remains: between the COMMIT of a change by somebody else and the next look's answer, a second and
// a round trip at most, statements are judged by what was. After a look that failed the former answer counts until
// kTrustFor; at a replica that lags a change comes later than at the primary, which is the one looked at. DDL that
// went through this process is looked for at once. What no look sees: renamed columns (no verdict depends on them),
// the expression of a virtual generated column (it can call nothing that somebody made), temporary tables of
// sessions, and what a superuser writes into the catalogues by hand.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/catalogue_reading.hpp>
#include <switchyard/runtime/event.hpp>
#include <switchyard/runtime/owned_task.hpp>
#include <switchyard/runtime/timer.hpp>
#include <switchyard/sql/catalogue.hpp>
#include <switchyard/sql/safe_names.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace switchyard::inline v0::fleet {

class Endpoint;
class Route;

/// One per database and shard; belongs to the shard.
class CatalogueWatch {
 public:
  /// Between two looks. A look costs the server 2 to 5 ms (2000 tables).
  static constexpr Duration kLookEvery = std::chrono::seconds(1);
  /// Nobody has asked for so long: no looks until somebody does.
  static constexpr Duration kIdleAfter = std::chrono::seconds(10);
  /// What was seen counts for so long after the look.
  static constexpr Duration kTrustFor = std::chrono::seconds(3);
  /// For a look, or for reading it all, the wait for a session included.
  static constexpr Duration kLookLimit = std::chrono::seconds(2);
  static constexpr Duration kReadLimit = std::chrono::seconds(30);

  /// `primary` gives the endpoint where writes go now, or null; it is asked before every look. `database` is for
  /// log lines.
  CatalogueWatch(std::string database, std::function<Endpoint*()> primary, sql::SafeNames safe);
  CatalogueWatch(const CatalogueWatch&) = delete;
  CatalogueWatch& operator=(const CatalogueWatch&) = delete;
  /// A look under way ends with Closed.
  ~CatalogueWatch();

  /// Null until the catalogue has been read, after a change until it has been read again, and when it can't be.
  /// Asking starts the watch. Valid until the next turn of the loop; keep() keeps it longer.
  [[nodiscard]] const sql::CatalogueSnapshot* snapshot() noexcept;
  [[nodiscard]] std::shared_ptr<const sql::CatalogueSnapshot> keep() noexcept;

  /// Bumped by every change of the catalogue.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  /// Bumped when settings of roles, databases or the server's configuration have changed.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  /// DDL was committed through this process: nothing is known until the next look, which is now.
  void note_ddl() noexcept;
  /// Why there is no snapshot, for people; empty when there is one, or none was asked for.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  Task<void> run();
  /// True: it was all read, or tried to be.
  Task<bool> look();
  Task<Result<void>> ask(bool& was_read);
  [[nodiscard]] std::shared_ptr<Route> route_to(Endpoint& endpoint);
  [[nodiscard]] bool trusted() const noexcept;
  void note_settings(const std::string& settings);
  static void on_timer(void* self) noexcept;

  const std::string database_;
  const std::function<Endpoint*()> primary_;
  const sql::SafeNames safe_;

  Endpoint* endpoint_ = nullptr;  ///< that route_ leads to
  std::shared_ptr<Route> route_;

  std::shared_ptr<const sql::CatalogueSnapshot> snapshot_;
  CatalogueDigest seen_digest_;  ///< of snapshot_
  std::string settings_;
  std::string problem_;
  TimePoint seen_{};  ///< when the last look that was answered began
  TimePoint asked_{};
  std::uint64_t epoch_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t ddl_noted_ = 0;
  std::uint64_t ddl_seen_ = 0;

  runtime::AsyncEvent wake_;
  runtime::Timer timer_{&CatalogueWatch::on_timer, this};
  runtime::OwnedTask task_;
};

}  // namespace switchyard::inline v0::fleet

// The spool's tables in the fallback database, one database's part of them. Every method is one round trip or one
// transaction; all throw Error.
#pragma once

#include <switchyard/base/time.hpp>
#include <switchyard/fleet/route.hpp>
#include <switchyard/fleet/spool_gate.hpp>
#include <switchyard/runtime/task.hpp>
#include <switchyard/session/querier.hpp>
#include <switchyard/values/uuid.hpp>
#include <switchyard/values/wrappers.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::fleet {

class RouteQuerier;

/// What is written of one entry.
struct NewEntry {
  Uuid entry;
  std::string summary;
  Bytes payload;
  bool sealed = false;
  std::string label;
};

/// What a drainer reads of one.
struct StoredEntry {
  std::int64_t position = 0;
  Uuid entry;
  Bytes payload;
  bool sealed = false;
};

/// What keep() tells of an entry that was kept.
struct KeptEntry {
  std::int64_t position = 0;
  /// How long the gate had been open.
  Duration open_for{};
};

enum class CloseOutcome : std::uint8_t {
  closed,
  entries_left,
  writers_busy,  ///< a transaction that has kept something is still open
  fenced,
};

/// A look at the gate, with what only a person wants to know besides.
struct StoreSight {
  GateSight gate;
  std::uint64_t refused = 0;
};

class SpoolStore {
 public:
  /// `home` is the route to the fallback database, `database` the one whose writes are kept.
  SpoolStore(std::shared_ptr<Route> home, std::string database)
      : home_(std::move(home)), database_(std::move(database)) {}

  /// Makes the tables if they are missing.
  Task<void> ensure();
  /// Closed and empty if there are no tables yet.
  Task<StoreSight> look(TimePoint deadline);
  /// Opens the gate, makes the tables if they are missing. Done when it is open, whoever opened it.
  Task<void> open(std::string reason, TimePoint deadline);
  /// Keeps an entry if the gate is open. Without a transaction of the caller the entry is durable when this
  /// returns; `within` one, when that commits.
  Task<std::optional<KeptEntry>> keep(const NewEntry& entry, TimePoint deadline);
  Task<std::optional<KeptEntry>> keep_within(Querier& within, const NewEntry& entry);

  /// "7316...2210/16384": which database the positions belong to.
  Task<std::string> source();
  /// The token of a new lease; none if somebody else has one.
  Task<std::optional<std::int64_t>> lease(const Uuid& holder, Duration length);
  Task<std::vector<StoredEntry>> read(std::size_t limit);
  /// Deletes entries and renews the lease. False if the token is not the latest.
  Task<bool> forget(std::int64_t token, std::vector<Uuid> entries, Duration length);
  /// Moves an entry to the refused ones and renews the lease. False as for forget().
  Task<bool> bury(std::int64_t token, const Uuid& entry, std::string sqlstate, std::string error, Duration length);
  Task<CloseOutcome> close(std::int64_t token, Duration patience);
  Task<void> release(std::int64_t token);

  [[nodiscard]] const std::string& database() const noexcept { return database_; }
  [[nodiscard]] RouteQuerier home(TimePoint deadline = kNever) const;

 private:
  std::shared_ptr<Route> home_;
  std::string database_;
  std::string source_;
  bool has_tables_ = false;
};

}  // namespace switchyard::inline v0::fleet

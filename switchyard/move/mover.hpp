// Moves live tables from one database to another while both are in use.
//
//   1. Changes of the tables are logged from now on (capture.hpp).
//   2. The tables are made in the target, closed to everybody else, and copied, each in one snapshot.
//   3. What was logged is repeated there, transaction by transaction in the order of their commits, until little is
//      left.
//   4. Both sides are compared at one moment: counts and checksums of every table.
//   5. The switch: the source's tables are locked, the rest is repeated, sequences are set, the target is opened;
//   one
//      commit in the source puts the tables aside and names the new owner. Writers wait for less than a second, or
//      the attempt is given up and made again later.
//   6. From now on changes in the target are logged: rollback() goes the way back, until confirm().
//
// Every step is durable in the databases (record.hpp) and the next run goes on from there: a process may end at any
// moment, in whatever way. Nothing is lost or doubled: what is repeated, and how far, commits together.
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/config/fleet_config.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/move/record.hpp>
#include <switchyard/runtime/task.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::move {

/// How far it is; several of one step replace each other.
struct Progress {
  std::string_view step;    ///< "copy", "catch up", "verify", "switch", "wait"
  std::string what;         ///< the table, or why it waits
  std::uint64_t done = 0;   ///< rows
  std::uint64_t total = 0;  ///< about; 0 = unknown
  std::uint64_t lag = 0;    ///< changes that wait to be repeated
};

struct MoveOptions {
  std::vector<std::string> tables;  ///< empty: those that the configuration gives to the target
  std::string schema;               ///< instead: everything in this schema
  /// Writers wait no longer than this for the switch, or it is tried again.
  Duration pause = std::chrono::milliseconds(900);
  Duration switch_patience = std::chrono::minutes(10);  ///< for an attempt that succeeds
  /// Operations for the target's database go to the source until the ownership map says otherwise (ParaFort).
  bool stands_in = false;
  /// The other way round: the target stood in for the database that is moved from, and gets the tables back.
  bool goes_home = false;
  bool verify = true;
  bool stop_before_switch = false;
  /// Bytes that are free in a folder of this machine; empty: the file system is asked.
  std::function<std::optional<std::uint64_t>(const std::string& folder)> free_space = {};
  std::uint32_t batch = 2000;  ///< changes that are repeated in one transaction
  std::function<void(const Progress&)> on_progress = {};
  /// Called after each durable step, and before those that follow, with its name ("captured", "copied", "opened",
  /// "switched" ...): for tests, which stop there.
  std::function<void(std::string_view step)> on_step = {};
};

struct TableReport {
  std::string table;
  std::uint64_t rows = 0;
  bool verified = false;
};

struct MoveReport {
  std::string name;
  Phase phase = Phase::captured;
  std::string from, to, from_place, to_place;
  std::vector<TableReport> tables;
  Duration pause{};            ///< that writers saw at the switch; zero: there was none
  std::uint32_t attempts = 0;  ///< of the switch
  std::uint64_t repeated = 0;  ///< changes
  std::uint64_t lag = 0;       ///< changes that wait to be repeated on the other side
  std::string started_at, changed_at;
  std::vector<std::string> notes;
};

class Run;

class SWITCHYARD_API Mover {
 public:
  /// `fleet` holds both databases under the names `from` and `to` (move_config()); it outlives the mover.
  Mover(Fleet& fleet, std::string from, std::string to, MoveOptions options);
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  /// Begins, or goes on with what was begun, up to the switch. Errors: Config for what can't be moved, Unavailable
  /// when writers leave no gap for the switch (everything else is done then).
  [[nodiscard]] Task<MoveReport> run();
  /// After the switch: repeats in the source what has been written in the target, once; gives what is left.
  [[nodiscard]] Task<MoveReport> follow();
  /// After the switch: the source owns the tables again, with everything that was written meanwhile.
  [[nodiscard]] Task<MoveReport> rollback();
  /// The way back is closed: the old copy is emptied (after rollback: the new one is dropped).
  [[nodiscard]] Task<MoveReport> confirm();
  /// Before the switch: nothing is left of it.
  [[nodiscard]] Task<MoveReport> abort();
  [[nodiscard]] Task<std::optional<MoveReport>> status();

 private:
  Task<MoveReport> carry_out(Task<void> (*verb)(Run&));

  Fleet& fleet_;
  std::string from_, to_;
  MoveOptions options_;
};

/// The configuration of a fleet for it: the two databases at their own places, with sessions of their own, without
/// replicas, fallback and stand-ins. `to_place` empty: `to` is configured; else a copy of `from` at that place.
[[nodiscard]] SWITCHYARD_API Result<FleetConfig> move_config(const FleetConfig& fleet, const std::string& from,
                                                             const std::string& to);

}  // namespace switchyard::inline v0::move

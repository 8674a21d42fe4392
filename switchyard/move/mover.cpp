#include <switchyard/move/mover.hpp>

#include <switchyard/move/beginning.hpp>
#include <switchyard/move/comparing.hpp>
#include <switchyard/move/copying.hpp>
#include <switchyard/move/ending.hpp>
#include <switchyard/move/refusal.hpp>
#include <switchyard/move/repeating.hpp>
#include <switchyard/move/room.hpp>
#include <switchyard/move/run.hpp>
#include <switchyard/move/switching.hpp>
#include <switchyard/schema/fleet_migration.hpp>

#include <utility>

namespace switchyard::inline v0::move {
namespace {

Task<void> forward(Run& run) {
  if (!run.record) co_await begin(run);
  co_await settle(run);
  if (run.record->phase >= Phase::switched) co_return;
  if (!run.copy) co_await make_structure(run);
  if (run.copy->phase == CopyPhase::opened) co_await close_again(run);
  if (run.copy->phase == CopyPhase::tied) co_await take_strays_of_target(run);
  co_await require_room(run);
  co_await copy_tables(run);
  if (run.copy->phase == CopyPhase::structure) co_await make_indexes(run);
  co_await catch_up(run, kFewChanges);
  if (run.copy->phase == CopyPhase::indexed) co_await tie(run);
  if (run.record->phase == Phase::captured && run.options.verify) co_await compare(run);
  if (!run.options.stop_before_switch) co_await switch_over(run);
}

Task<void> follow_once(Run& run) {
  run.require_record();
  co_await settle(run);
  if (run.record->phase != Phase::switched) throw cant("this move has not been switched", "switchyard move status");
  co_await catch_up_back(run, 0);
}

Task<void> back(Run& run) {
  run.require_record();
  if (run.record->phase == Phase::confirmed) {
    throw cant("the move was confirmed: the way back is closed", "move the tables again: switchyard move " +
                                                                     run.plan().shown(" ") + " --from " + run.to +
                                                                     " --to " + run.from);
  }
  if (run.record->phase < Phase::switched) {
    throw cant("the move has not been switched: '" + run.from + "' owns the tables",
               "switchyard move abort " + run.ends());
  }
  co_await settle(run);
  if (run.record->phase == Phase::returned) co_return;
  co_await catch_up_back(run, kFewChanges);
  co_await switch_back(run);
}

Task<MoveReport> report_of(Run& run) {
  MoveReport out = std::move(run.report);
  out.name = run.name();
  out.from = run.from;
  out.to = run.to;
  if (!run.record) co_return out;
  out.phase = run.record->phase;
  out.from_place = run.plan().from_place;
  out.to_place = run.plan().to_place;
  out.started_at = run.record->started_at;
  out.changed_at = run.record->changed_at;
  if (out.tables.empty()) {
    for (const TablePlan& table : run.plan().tables) {
      if (!table.holds_rows()) continue;
      out.tables.push_back({table.shown(), static_cast<std::uint64_t>(table.rows), false});
    }
  }
  out.lag = co_await lag(run);
  co_return out;
}

}  // namespace

Mover::Mover(Fleet& fleet, std::string from, std::string to, MoveOptions options)
    : fleet_(fleet), from_(std::move(from)), to_(std::move(to)), options_(std::move(options)) {}

Task<MoveReport> Mover::carry_out(Task<void> (*verb)(Run&)) {
  Run run(fleet_, from_, to_, options_, Others::kept_away);
  co_await run.open();
  co_await verb(run);
  co_return co_await report_of(run);
}

Task<MoveReport> Mover::run() { co_return co_await carry_out(&forward); }
Task<MoveReport> Mover::follow() { co_return co_await carry_out(&follow_once); }
Task<MoveReport> Mover::rollback() { co_return co_await carry_out(&back); }
Task<MoveReport> Mover::confirm() { co_return co_await carry_out(&move::confirm); }
Task<MoveReport> Mover::abort() { co_return co_await carry_out(&move::abort); }

Task<std::optional<MoveReport>> Mover::status() {
  Run run(fleet_, from_, to_, options_, Others::allowed);
  co_await run.open();
  if (!run.record) co_return std::nullopt;
  co_return co_await report_of(run);
}

Result<FleetConfig> move_config(const FleetConfig& fleet, const std::string& from, const std::string& to) {
  FleetConfig config = schema::config_for(fleet, from);
  if (config.find(to) == nullptr) {
    FleetConfig other = schema::config_for(fleet, to);
    if (DatabaseConfig* database = other.find(to)) config.databases.push_back(std::move(*database));
  }
  for (const std::string& name : {from, to}) {
    DatabaseConfig* database = config.find(name);
    if (database == nullptr) return Error(ErrorKind::Usage, "there is no database '" + name + "'");
    if (!database->configured()) {
      return Error(ErrorKind::Config, database->missing_dsn_message).with_database(name);
    }
    database->pool.max = 4u;
    database->read_only = false;
    if (database->write.configured()) database->primary = database->write;
    database->write = {};
  }
  return config;
}

}  // namespace switchyard::inline v0::move

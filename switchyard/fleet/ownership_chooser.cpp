#include <switchyard/fleet/ownership_chooser.hpp>
#include <switchyard/fleet/route_querier.hpp>
#include <switchyard/fleet/spool_schema.hpp>
#include <switchyard/runtime/loop.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>

#include <tuple>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// How long the first operation waits for the map, and how soon it is tried again.
constexpr Duration kReadLimit = std::chrono::seconds(5);
constexpr Duration kReadAgain = std::chrono::seconds(1);
/// While another database still serves, how soon it is noticed that the tables were moved.
constexpr Duration kLookForMove = std::chrono::seconds(1);

}  // namespace

Ownership::Ownership(OwnershipFacts facts, std::vector<std::string> tables, std::string schema,
                     std::shared_ptr<Route> home)
    : facts_(std::move(facts)), tables_(std::move(tables)), schema_(std::move(schema)), home_(std::move(home)) {}

const OwnershipDecision* Ownership::decision(TimePoint now) noexcept {
  if ((!decision_ || now >= valid_until_) && !reading_ && !retired_) {
    reading_ = true;
    spawn(read(shared_from_this()));
  }
  return decision_ ? &*decision_ : nullptr;
}

Task<void> Ownership::read(std::shared_ptr<Ownership> self) {
  Ownership& me = *self;
  const auto gathered = co_await as_result(with_timeout(me.gather(), kReadLimit));
  me.reading_ = false;
  if (me.retired_) co_return;
  const bool first = !me.decision_;
  if (gathered.ok()) {
    const std::string said = me.decision_ ? me.decision_->note : std::string();
    me.decision_ = decide_ownership(me.facts_);
    const bool waits = me.decision_->verdict == OwnershipVerdict::stand_in && me.facts_.configured;
    me.valid_until_ = waits ? deadline_after(runtime::now(), kLookForMove) : kNever;
    if (!me.decision_->record_owner.empty()) {
      // Who may not record it decides again the next time.
      static_cast<void>(co_await as_result(me.record(me.decision_->record_owner)));
    }
    if (me.retired_) co_return;
    if (me.decision_ && !me.decision_->note.empty() && me.decision_->note != said) {
      log::warning("fleet", "ownership",
                   [&] { return "[OWNERSHIP] " + me.decision_->note + " (" + me.decision_->hint + ")"; },
                   {{"database", std::string_view(me.facts_.database)}});
    }
  } else if (first) {
    // Without the map: who is configured and has no tables to look for needs nobody's word; nor does a stand-in,
    // whose own operations will tell that it can't be reached.
    OwnershipDecision& made = me.decision_.emplace();
    me.valid_until_ = deadline_after(runtime::now(), kReadAgain);
    if (!me.facts_.configured) {
      made.verdict = OwnershipVerdict::stand_in;
    } else if (!me.tables_.empty()) {
      made.verdict = OwnershipVerdict::refuse;
      made.note = "'" + me.facts_.stand_in + "' can't tell whether it still holds tables of '" +
                  me.facts_.database + "': " + std::string(gathered.error().message());
    }
  } else {
    me.valid_until_ = deadline_after(runtime::now(), kReadAgain);
  }
  if (me.listener_) me.listener_();
}

Task<void> Ownership::gather() {
  RouteQuerier home(home_, deadline_after(runtime::now(), kReadLimit));
  // Learn at once that the stand-in is away.
  let_go(co_await open_channel(*home_, {.deadline = deadline_after(runtime::now(), kReadLimit), .label = {}},
                               OnConnectFailure::fail));
  facts_.recorded_owner.clear();
  facts_.recorded_location.clear();
  facts_.tables_left.clear();
  const bool there = co_await has_home_tables(home);
  if (there) {
    using Record = std::tuple<std::string, std::string>;
    const auto record = co_await home.query_optional<Record>(
        "SELECT owner, location FROM switchyard.ownership WHERE database = $1", facts_.database);
    if (record) std::tie(facts_.recorded_owner, facts_.recorded_location) = *record;
  }
  // What stands in the place of tables that were moved away refuses to be read.
  if (!facts_.configured || facts_.recorded_owner == facts_.database) co_return;
  std::vector<std::string> tables = tables_;
  if (tables.empty() && !schema_.empty()) {
    tables = co_await home.query<std::string>(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1",
        schema_);
  }
  for (const std::string& table : tables) {
    // The server quotes the name.
    const auto name = co_await home.query_value<std::optional<std::string>>("SELECT to_regclass($1)::text", table);
    if (!name) continue;
    const bool rows = co_await home.query_value<bool>("SELECT EXISTS (SELECT FROM " + *name + ")");
    if (rows) facts_.tables_left.push_back(table);
  }
}

Task<void> Ownership::record(std::string owner) {
  RouteQuerier home(home_, deadline_after(runtime::now(), kReadLimit));
  co_await ensure_home_tables(home, facts_.stand_in);
  // Somebody may have moved the tables since the map was read: his word counts.
  if (facts_.recorded_owner.empty()) {
    co_await home.execute(
        "INSERT INTO switchyard.ownership (database, owner, location) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        facts_.database, owner, facts_.location);
  } else {
    co_await home.execute(
        "UPDATE switchyard.ownership SET owner = $2, location = $3, decided_at = clock_timestamp()"
        " WHERE database = $1 AND owner = $4",
        facts_.database, owner, facts_.location, facts_.recorded_owner);
  }
}

Choice OwnershipChooser::choose(const ChoiceInput& input) noexcept {
  const OwnershipDecision* decision = ownership_->decision(input.now);
  if (decision == nullptr) return Choice::later(kReadLimit, "the ownership map is being read");
  switch (decision->verdict) {
    case OwnershipVerdict::own: return own_->choose(input);
    case OwnershipVerdict::refuse:
      return Choice::refuse(
          Error(ownership_->facts().configured ? ErrorKind::Unavailable : ErrorKind::Config, decision->note)
              .with_hint(decision->hint)
              .with_database(ownership_->facts().database));
    case OwnershipVerdict::stand_in: break;
  }
  Choice choice = stand_in_.choose(input);
  choice.reason = reason_;
  return choice;
}

void OwnershipChooser::ended(const ChoiceEnd& end) noexcept {
  const OwnershipDecision* decision = ownership_->known();
  if (decision == nullptr) return;
  if (decision->verdict == OwnershipVerdict::own) {
    own_->ended(end);
  } else {
    stand_in_.ended(end);
  }
}

void OwnershipChooser::relayed(const RelayEnd& end) noexcept {
  const OwnershipDecision* decision = ownership_->known();
  if (decision == nullptr) return;
  (decision->verdict == OwnershipVerdict::own ? *own_ : stand_in_).relayed(end);
}

void OwnershipChooser::relay_lost() noexcept {
  const OwnershipDecision* decision = ownership_->known();
  if (decision == nullptr) return;
  (decision->verdict == OwnershipVerdict::own ? *own_ : stand_in_).relay_lost();
}

}  // namespace switchyard::inline v0::fleet

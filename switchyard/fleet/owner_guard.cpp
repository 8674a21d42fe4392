#include <switchyard/fleet/owner_guard.hpp>

#include <switchyard/fleet/statement_text.hpp>
#include <switchyard/sql/facts_cache.hpp>
#include <switchyard/telemetry/log.hpp>

#include <atomic>
#include <utility>

namespace switchyard::inline v0::fleet {
namespace {

/// Statements in errors are cut here.
constexpr std::size_t kStatementLength = 160;

std::atomic<OwnerClaimSource> g_claims = nullptr;

}  // namespace

void set_owner_claim_source(OwnerClaimSource source) noexcept { g_claims.store(source); }

OwnerMap owner_map_of(const FleetConfig& config) {
  std::vector<OwnerClaim> claims;
  if (const OwnerClaimSource source = g_claims.load()) {
    auto found = source(config);
    if (found.ok()) {
      claims = std::move(*found);
    } else {
      log::warning("fleet", "owner_map", [&] {
        return "[OWNERS] the migrations can't be read, so the owner's map is made without them: " +
               std::string(found.error().what());
      });
    }
  }
  return {config, std::move(claims)};
}

std::unique_ptr<OwnerGuard> make_owner_guard(const FleetConfig& config) {
  const OwnerCheck check = config.effective_owner_check();
  if (check == OwnerCheck::off || config.databases.size() < 2) return nullptr;
  return std::make_unique<OwnerGuard>(check, owner_map_of(config));
}

OwnerGuard::Judged& OwnerGuard::judged(std::string_view sql) {
  if (const auto found = texts_.find(sql); found != texts_.end()) return found->second;
  if (texts_.size() >= kTexts) texts_.clear();
  Judged& fresh = texts_[std::string(sql)];
  fresh.facts = sql::FactsCache::of_process().analyse_now(sql);
  fresh.writes = fresh.facts && writes_data(*fresh.facts);
  return fresh;
}

const OwnerMap::Verdict& OwnerGuard::verdict(Judged& known, std::string_view database) {
  if (const auto found = known.verdicts.find(database); found != known.verdicts.end()) return found->second;
  OwnerMap::Verdict fresh;
  if (known.facts) fresh = map_.judge(database, *known.facts);
  return known.verdicts.emplace(std::string(database), std::move(fresh)).first->second;
}

bool OwnerGuard::fails(std::string_view database, const OwnerMap::Verdict& verdict) {
  if (check_ == OwnerCheck::fail) return true;
  if (warned_.size() >= kTexts) warned_.clear();
  if (warned_.emplace(verdict.problem, true).second) {
    log::warning("fleet", "owner_check", [&] { return "[OWNERS] " + verdict.problem + " (" + verdict.hint + ")"; },
                 {{"database", database}});
  }
  return false;
}

const OwnerMap::Verdict* OwnerGuard::refusal(std::string_view database, std::string_view sql) {
  const OwnerMap::Verdict& found = verdict(judged(sql), database);
  return found.ok() || !fails(database, found) ? nullptr : &found;
}

std::optional<Error> OwnerGuard::check(std::string_view database, const session::OperationState& operation,
                                       std::span<const Membership> memberships, WriteUnit* unit,
                                       WriteUnit* second_unit) {
  // BEGIN, COMMIT and their like are ours.
  if (operation.keeps_session_clean || operation.uncancellable) return std::nullopt;
  const auto error = [&](std::string problem, std::string hint) {
    return Error(ErrorKind::Usage, std::move(problem))
        .with_hint(std::move(hint))
        .with_database(std::string(database));
  };
  for (const session::StatementPart& part : operation.parts) {
    Judged& known = judged(part.sql);
    if (const OwnerMap::Verdict& found = verdict(known, database); !found.ok() && fails(database, found)) {
      return error(found.problem, found.hint);
    }
    if (!known.writes) continue;
    const std::string text = shortened_statement(part.sql, kStatementLength);
    std::optional<WriteUnit::Conflict> conflict;
    for (const Membership& one : memberships) {
      if (!conflict) conflict = one.unit->write(one.transaction, database, text);
    }
    if (memberships.empty()) {
      if (unit != nullptr) conflict = unit->write(std::nullopt, database, text);
      if (!conflict && second_unit != nullptr && second_unit != unit) {
        conflict = second_unit->write(std::nullopt, database, text);
      }
    }
    if (conflict && fails(database, {conflict->problem, conflict->hint, {}})) {
      return error(std::move(conflict->problem), std::move(conflict->hint));
    }
  }
  return std::nullopt;
}

}  // namespace switchyard::inline v0::fleet

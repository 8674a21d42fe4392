#include <switchyard/sql/classify.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace switchyard::inline v0::sql {

namespace {

using boost::json::object;
using boost::json::value;

enum class Writes : std::uint8_t { no, yes };

struct Class {
  std::string_view type;
  StatementKind kind;
  Writes writes;
  std::optional<Effect> effect;
};

using enum StatementKind;
using enum Effect;

// Everything that is neither here nor among kCatalogue is unknown. CREATE TABLE AS and the like say more of
// themselves in the walk.
constexpr auto kClasses = std::to_array<Class>({
    {"SelectStmt", StatementKind::select, Writes::no, {}},
    {"InsertStmt", insert, Writes::yes, {}},
    {"UpdateStmt", update, Writes::yes, {}},
    {"DeleteStmt", delete_from, Writes::yes, {}},
    {"MergeStmt", merge, Writes::yes, {}},
    {"CopyStmt", copy, Writes::no, copies},
    {"ExplainStmt", explain, Writes::no, {}},
    {"VariableShowStmt", show, Writes::no, {}},
    {"VariableSetStmt", StatementKind::set, Writes::no, changes_settings},
    {"ConstraintsSetStmt", StatementKind::set, Writes::no, changes_settings},
    {"TransactionStmt", transaction, Writes::no, controls_transaction},
    {"DeclareCursorStmt", cursor, Writes::no, holds_cursor},
    {"FetchStmt", cursor, Writes::yes, holds_cursor},  // of the cursor's query nothing is known
    {"ClosePortalStmt", cursor, Writes::no, holds_cursor},
    {"PrepareStmt", prepared, Writes::no, prepares},
    {"ExecuteStmt", prepared, Writes::yes, prepares},
    {"DeallocateStmt", prepared, Writes::no, prepares},
    {"ListenStmt", notification, Writes::no, listens},
    {"UnlistenStmt", notification, Writes::no, listens},
    {"NotifyStmt", notification, Writes::yes, notifies},
    {"DiscardStmt", discard, Writes::no, discards},
    {"LockStmt", lock, Writes::yes, locks_explicitly},
    {"CallStmt", call, Writes::yes, runs_code},
    {"DoStmt", call, Writes::yes, runs_code},
    {"VacuumStmt", maintenance, Writes::yes, {}},
    {"CheckPointStmt", maintenance, Writes::yes, {}},
    {"ClusterStmt", maintenance, Writes::yes, {}},
    {"ReindexStmt", maintenance, Writes::yes, {}},
    {"RefreshMatViewStmt", maintenance, Writes::yes, {}},
    {"LoadStmt", maintenance, Writes::yes, runs_code},
    {"AlterSystemStmt", maintenance, Writes::yes, changes_settings},
});

constexpr auto kCatalogue = std::to_array<std::string_view>({
    "AlterCollationStmt",
    "AlterDatabaseRefreshCollStmt",
    "AlterDatabaseSetStmt",
    "AlterDatabaseStmt",
    "AlterDefaultPrivilegesStmt",
    "AlterDomainStmt",
    "AlterEnumStmt",
    "AlterEventTrigStmt",
    "AlterExtensionContentsStmt",
    "AlterExtensionStmt",
    "AlterFdwStmt",
    "AlterForeignServerStmt",
    "AlterFunctionStmt",
    "AlterObjectDependsStmt",
    "AlterObjectSchemaStmt",
    "AlterOpFamilyStmt",
    "AlterOperatorStmt",
    "AlterOwnerStmt",
    "AlterPolicyStmt",
    "AlterPublicationStmt",
    "AlterRoleSetStmt",
    "AlterRoleStmt",
    "AlterSeqStmt",
    "AlterStatsStmt",
    "AlterSubscriptionStmt",
    "AlterTSConfigurationStmt",
    "AlterTSDictionaryStmt",
    "AlterTableMoveAllStmt",
    "AlterTableSpaceOptionsStmt",
    "AlterTableStmt",
    "AlterTypeStmt",
    "AlterUserMappingStmt",
    "CommentStmt",
    "CompositeTypeStmt",
    "CreateAmStmt",
    "CreateCastStmt",
    "CreateConversionStmt",
    "CreateDomainStmt",
    "CreateEnumStmt",
    "CreateEventTrigStmt",
    "CreateExtensionStmt",
    "CreateFdwStmt",
    "CreateForeignServerStmt",
    "CreateForeignTableStmt",
    "CreateFunctionStmt",
    "CreateOpClassStmt",
    "CreateOpFamilyStmt",
    "CreatePLangStmt",
    "CreatePolicyStmt",
    "CreatePublicationStmt",
    "CreateRangeStmt",
    "CreateRoleStmt",
    "CreateSchemaStmt",
    "CreateSeqStmt",
    "CreateStatsStmt",
    "CreateStmt",
    "CreateSubscriptionStmt",
    "CreateTableAsStmt",
    "CreateTableSpaceStmt",
    "CreateTransformStmt",
    "CreateTrigStmt",
    "CreateUserMappingStmt",
    "CreatedbStmt",
    "DefineStmt",
    "DropOwnedStmt",
    "DropRoleStmt",
    "DropStmt",
    "DropSubscriptionStmt",
    "DropTableSpaceStmt",
    "DropUserMappingStmt",
    "DropdbStmt",
    "GrantRoleStmt",
    "GrantStmt",
    "ImportForeignSchemaStmt",
    "IndexStmt",
    "ReassignOwnedStmt",
    "RenameStmt",
    "RuleStmt",
    "SecLabelStmt",
    "TruncateStmt",
    "ViewStmt",
});
static_assert(std::ranges::is_sorted(kCatalogue));

const object* object_of(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  return found != nullptr ? found->if_object() : nullptr;
}

std::string_view text_of(const object& fields, std::string_view name) {
  const value* found = fields.if_contains({name.data(), name.size()});
  const boost::json::string* text = found != nullptr ? found->if_string() : nullptr;
  return text != nullptr ? std::string_view(text->data(), text->size()) : std::string_view();
}

StatementKind kind_of(std::string_view type) {
  const auto found = std::ranges::find(kClasses, type, &Class::type);
  if (found != kClasses.end()) return found->kind;
  return std::ranges::binary_search(kCatalogue, type) ? ddl : unknown;
}

/// Of EXPLAIN, DECLARE, PREPARE, COPY (query).
std::optional<StatementKind> inner_kind_of(const object& fields) {
  const object* query = object_of(fields, "query");
  if (query == nullptr || query->size() != 1) return std::nullopt;
  const auto key = query->begin()->key();
  return kind_of({key.data(), key.size()});
}

bool is_temporary(const object* relation) {
  return relation != nullptr &&
         (text_of(*relation, "relpersistence") == "t" || text_of(*relation, "schemaname").starts_with("pg_temp"));
}

/// CREATE TABLE, VIEW and SEQUENCE; CREATE TABLE AS says it in its INTO clause.
bool creates_temporary(const object& fields) {
  return is_temporary(object_of(fields, "relation")) || is_temporary(object_of(fields, "view")) ||
         is_temporary(object_of(fields, "sequence"));
}

}  // namespace

void classify(std::string_view type, const object& fields, StatementFacts& facts) {
  facts.kind = facts.inner_kind = kind_of(type);
  switch (facts.kind) {
    case unknown:
      facts.why_unknown = "a statement of an unknown kind (" + std::string(type) + ")";
      facts.writes = true;
      facts.effects.push_back(anything);
      return;
    case ddl:
      facts.writes = true;
      facts.effects.push_back(changes_catalogue);
      if (creates_temporary(fields)) facts.effects.push_back(temporary_objects);
      return;
    default: break;
  }
  const auto& found = *std::ranges::find(kClasses, type, &Class::type);
  if (found.writes == Writes::yes) facts.writes = true;
  if (found.effect) facts.effects.push_back(*found.effect);
  switch (facts.kind) {
    case explain:
    case cursor:
    case prepared:
    case copy: facts.inner_kind = inner_kind_of(fields).value_or(facts.kind); break;
    case transaction:  // of two phases
      if (const auto step = text_of(fields, "kind"); step.ends_with("PREPARE") || step.ends_with("PREPARED")) {
        facts.writes = true;
      }
      break;
    default: break;
  }
}

}  // namespace switchyard::inline v0::sql

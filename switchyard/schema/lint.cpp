#include <switchyard/schema/lint.hpp>

#include <switchyard/scripts/script.hpp>
#include <switchyard/scripts/statement_kind.hpp>
#include <switchyard/sql/parse_document.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::schema {

namespace {

namespace json = boost::json;
using Object = json::object;

constexpr std::array kRules{
    LintRule{"require-concurrent-index-creation", "squawk"},
    LintRule{"require-concurrent-index-deletion", "squawk"},
    LintRule{"ban-concurrent-index-creation-in-transaction", "squawk"},
    LintRule{"require-concurrent-reindex", "squawk"},
    LintRule{"require-concurrent-partition-attach", "squawk"},
    LintRule{"require-concurrent-partition-detach", "squawk"},
    LintRule{"require-concurrent-refresh", "strong_migrations"},
    LintRule{"adding-field-with-default", "squawk"},
    LintRule{"adding-required-field", "squawk"},
    LintRule{"adding-not-nullable-field", "squawk"},
    LintRule{"adding-foreign-key-constraint", "squawk"},
    LintRule{"constraint-missing-not-valid", "squawk"},
    LintRule{"validating-in-same-transaction", "strong_migrations"},
    LintRule{"adding-serial-primary-key-field", "squawk"},
    LintRule{"disallowed-unique-constraint", "squawk"},
    LintRule{"adding-exclusion-constraint", "strong_migrations"},
    LintRule{"changing-column-type", "squawk"},
    LintRule{"renaming-column", "squawk"},
    LintRule{"renaming-table", "squawk"},
    LintRule{"renaming-object", "squawk"},
    LintRule{"ban-drop-column", "squawk"},
    LintRule{"ban-drop-table", "squawk"},
    LintRule{"ban-drop-database", "squawk"},
    LintRule{"ban-drop-not-null", "squawk"},
    LintRule{"ban-drop-constraint", "squawk"},
    LintRule{"ban-drop-default", "squawk"},
    LintRule{"ban-drop-schema", "squawk"},
    LintRule{"ban-drop-type", "squawk"},
    LintRule{"ban-drop-view", "squawk"},
    LintRule{"ban-drop-function", "squawk"},
    LintRule{"ban-drop-sequence", "squawk"},
    LintRule{"ban-drop-generated-expression", "squawk"},
    LintRule{"ban-alter-identity", "squawk"},
    LintRule{"ban-set-schema", "squawk"},
    LintRule{"ban-truncate-cascade", "squawk"},
    LintRule{"ban-create-domain-with-constraint", "squawk"},
    LintRule{"ban-alter-domain-with-add-constraint", "squawk"},
    LintRule{"ban-char-field", "squawk"},
    LintRule{"prefer-text-field", "squawk"},
    LintRule{"prefer-bigint-over-int", "squawk"},
    LintRule{"prefer-bigint-over-smallint", "squawk"},
    LintRule{"prefer-identity", "squawk"},
    LintRule{"prefer-timestamp-tz", "squawk"},
    LintRule{"prefer-robust-stmts", "squawk"},
    LintRule{"require-lock-timeout", "squawk"},
    LintRule{"transaction-nesting", "squawk"},
    LintRule{"adding-json-column", "strong_migrations"},
    LintRule{"require-enum-value-ordering", "squawk"},
    LintRule{"backfill-in-schema-transaction", "strong_migrations"},
    LintRule{"rewriting-table", "pgroll"},
    LintRule{"locking-table", "strong_migrations"},
    LintRule{"enum-value-in-transaction", "pgroll"},
    LintRule{"not-parsed", "switchyard"},
};

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

const Object* object_in(const Object& fields, std::string_view name) {
  const json::value* value = fields.if_contains(name);
  return value != nullptr ? value->if_object() : nullptr;
}
const json::array& array_in(const Object& fields, std::string_view name) {
  static const json::array kNone;
  const json::value* value = fields.if_contains(name);
  const json::array* found = value != nullptr ? value->if_array() : nullptr;
  return found != nullptr ? *found : kNone;
}
std::string_view text_in(const Object& fields, std::string_view name) {
  const json::value* value = fields.if_contains(name);
  const json::string* found = value != nullptr ? value->if_string() : nullptr;
  return found != nullptr ? view(*found) : std::string_view{};
}
bool flag_in(const Object& fields, std::string_view name) {
  const json::value* value = fields.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}
/// {"Type": {...}}: the fields, if it is of that type.
const Object* as(const json::value& node, std::string_view type) {
  const Object* wrapper = node.if_object();
  return wrapper != nullptr ? object_in(*wrapper, type) : nullptr;
}
std::string_view string_of(const json::value& node) {
  const Object* string = as(node, "String");
  if (string == nullptr) return {};
  const std::string_view text = text_in(*string, "sval");
  return text.empty() ? text_in(*string, "str") : text;
}

std::string relation_name(const Object* relation) {
  if (relation == nullptr) return {};
  const std::string schema(text_in(*relation, "schemaname"));
  const std::string name(text_in(*relation, "relname"));
  return schema.empty() ? name : schema + "." + name;
}
std::string name_of_list(const json::value& node) {
  const Object* list = as(node, "List");
  std::string name;
  if (list == nullptr) {
    const Object* type = as(node, "TypeName");
    if (type == nullptr) return std::string(string_of(node));
    for (const json::value& part : array_in(*type, "names"))
      name += (name.empty() ? "" : ".") + std::string(string_of(part));
    return name;
  }
  for (const json::value& part : array_in(*list, "items"))
    name += (name.empty() ? "" : ".") + std::string(string_of(part));
  return name;
}
std::string type_of(const Object& column) {
  const Object* type = object_in(column, "typeName");
  if (type == nullptr) return {};
  const json::array& names = array_in(*type, "names");
  return names.empty() ? std::string() : std::string(string_of(names.back()));
}

/// A default that is the same for every row is kept in the catalogue (since PostgreSQL 11).
bool is_constant(const json::value& node) {
  if (as(node, "A_Const") != nullptr) return true;
  if (const Object* cast = as(node, "TypeCast")) {
    const json::value* inner = cast->if_contains("arg");
    return inner != nullptr && is_constant(*inner);
  }
  if (const Object* array = as(node, "A_ArrayExpr")) {
    return std::ranges::all_of(array_in(*array, "elements"), is_constant);
  }
  if (as(node, "SQLValueFunction") != nullptr) return true;  // CURRENT_TIMESTAMP is stable
  if (const Object* operation = as(node, "A_Expr")) {  // PostgreSQL's own operators on such values are stable, too
    return std::ranges::all_of(std::array{"lexpr", "rexpr"}, [&](const char* side) {
      const json::value* operand = operation->if_contains(side);
      return operand == nullptr || operand->is_null() || is_constant(*operand);
    });
  }
  if (const Object* call = as(node, "FuncCall")) {
    constexpr std::array<std::string_view, 5> kStable{"now", "transaction_timestamp", "statement_timestamp",
                                                      "current_setting", "pg_current_xact_id"};
    const json::array& names = array_in(*call, "funcname");
    return !names.empty() && std::ranges::find(kStable, string_of(names.back())) != kStable.end();
  }
  return false;
}

/// Constraints of a column, by contype.
const Object* constraint_of(const Object& column, std::string_view contype) {
  for (const json::value& node : array_in(column, "constraints")) {
    const Object* constraint = as(node, "Constraint");
    if (constraint != nullptr && text_in(*constraint, "contype") == contype) return constraint;
  }
  return nullptr;
}

/// Rules that comments silence, by the line of the statement after them; line 0: the whole script.
struct Silence {
  std::size_t line = 0;
  std::vector<std::string> rules;  ///< empty: all
};

class Judge {
 public:
  Judge(std::set<std::string>& known, const LintOptions& options, ScriptJudgement& into)
      : known_(known), options_(options), into_(into) {}

  void statement(const scripts::ScriptStatement& statement, const Result<std::string>& document) {
    line_ = statement.line;
    const scripts::StatementKind kind = scripts::kind_of(statement.sql, options_.server_version);
    StatementPlan& plan = into_.statements.emplace_back();
    plan.line = line_;
    plan.words = scripts::leading_words(statement.sql, 4);
    plan.outside = scripts::runs_outside(kind);
    if (scripts::controls_transaction(kind) && options_.in_transaction) {
      say("transaction-nesting", LintLevel::warning,
          plan.words + " inside a script that runs as one transaction already", "leave it out");
    }
    if (!document.ok()) {
      say("not-parsed", LintLevel::hint, std::string(document.error().message()),
          "nothing is known about it; look yourself");
      return;
    }
    json::error_code error;
    json::parse_options parse;
    parse.max_depth = 4000;
    const json::value tree = json::parse(*document, error, {}, parse);
    const Object* root = tree.if_object();
    if (error || root == nullptr) return;
    for (const json::value& raw : array_in(*root, "stmts")) {
      const Object* wrapper = raw.if_object();
      const Object* node = wrapper != nullptr ? object_in(*wrapper, "stmt") : nullptr;
      if (node == nullptr || node->empty() || !node->begin()->value().is_object()) continue;
      const auto key = node->begin()->key();
      this->node({key.data(), key.size()}, node->begin()->value().get_object());
    }
  }

  void end() {
    if (!timeouts_ && !options_.timeouts_are_set && needs_timeouts_ > 0) {
      line_ = needs_timeouts_;
      say("require-lock-timeout", LintLevel::warning, "takes strong locks without lock_timeout",
          "SET lock_timeout = '1s'; SET statement_timeout = '5s'; before it");
    }
    if (backfill_ > 0 && strong_lock_ && options_.in_transaction) {
      line_ = backfill_;
      say("backfill-in-schema-transaction", LintLevel::danger,
          "changes rows while the transaction holds a strong lock: nobody reads the table until it ends",
          "put it into a script of its own, and change rows in batches");
    }
  }

 private:
  bool is_new(const std::string& table) const { return table.empty() || known_.contains(table); }
  void made(const std::string& table) { known_.insert(table); }

  void say(std::string_view rule, LintLevel level, std::string message, std::string safe) {
    into_.findings.push_back({std::string(rule), level, line_, std::move(message), std::move(safe)});
  }
  void lock(std::string_view mode, const std::string& table) {
    if (is_new(table)) return;
    std::string text = std::string(mode) + " on " + table;
    auto& locks = into_.statements.back().locks;
    if (std::ranges::find(locks, text) == locks.end()) locks.push_back(std::move(text));
    const bool strong = mode == "ACCESS EXCLUSIVE" || mode == "SHARE ROW EXCLUSIVE" || mode == "SHARE";
    if (strong) {
      strong_lock_ = true;
      if (needs_timeouts_ == 0) needs_timeouts_ = line_;
    }
  }

  void node(std::string_view type, const Object& fields) {
    if (type == "CreateStmt") return create_table(fields);
    if (type == "AlterTableStmt") return alter_table(fields);
    if (type == "IndexStmt") return create_index(fields);
    if (type == "DropStmt") return drop(fields);
    if (type == "RenameStmt") return rename(fields);
    if (type == "TruncateStmt") return truncate(fields);
    if (type == "UpdateStmt" || type == "DeleteStmt") return change_rows(type, fields);
    if (type == "InsertStmt") {
      if (!is_new(relation_name(object_in(fields, "relation"))))
        lock("ROW EXCLUSIVE", relation_name(object_in(fields, "relation")));
      return;
    }
    if (type == "CreateTableAsStmt") {
      if (const Object* into = object_in(fields, "into")) made(relation_name(object_in(*into, "rel")));
      return;
    }
    if (type == "VariableSetStmt") {
      const std::string_view name = text_in(fields, "name");
      if (name == "lock_timeout" || name == "statement_timeout") timeouts_ = true;
      return;
    }
    if (type == "DropdbStmt") {
      say("ban-drop-database", LintLevel::danger, "drops a database", "drop databases by hand");
      return;
    }
    if (type == "CreateDomainStmt") {
      if (!array_in(fields, "constraints").empty()) {
        say("ban-create-domain-with-constraint", LintLevel::warning,
            "a domain's constraint can't be changed without looking at every row that uses it",
            "put the constraint on the columns");
      }
      return;
    }
    if (type == "AlterDomainStmt") {
      if (text_in(fields, "subtype") == "C") {
        say("ban-alter-domain-with-add-constraint", LintLevel::danger,
            "looks at every row of every table that uses the domain, under their locks",
            "add it NOT VALID, and ALTER DOMAIN ... VALIDATE CONSTRAINT in a later script");
      }
      return;
    }
    if (type == "RefreshMatViewStmt") return refresh(fields);
    if (type == "ReindexStmt") return reindex(fields);
    if (type == "ClusterStmt" || type == "VacuumStmt") return rewrite(type, fields);
    if (type == "LockStmt") {
      for (const json::value& one : array_in(fields, "relations")) {
        lock("the lock asked for", relation_name(as(one, "RangeVar")));
      }
      say("locking-table", LintLevel::danger, "holds its lock until the transaction ends",
          "let each statement take the lock it needs");
      return;
    }
    if (type == "CreateTrigStmt") {
      lock("SHARE ROW EXCLUSIVE", relation_name(object_in(fields, "relation")));
      return;
    }
    if (type == "RuleStmt" || type == "CreatePolicyStmt" || type == "AlterPolicyStmt") {
      const char* field = type == "RuleStmt" ? "relation" : "table";
      lock("ACCESS EXCLUSIVE", relation_name(object_in(fields, field)));
      return;
    }
    if (type == "AlterObjectSchemaStmt") {
      const std::string name = relation_name(object_in(fields, "relation"));
      lock("ACCESS EXCLUSIVE", name);
      if (is_new(name) && !name.empty()) return;
      say("ban-set-schema", LintLevel::danger, "code that finds it in its old schema fails",
          "make a view in the old schema in the same transaction");
      return;
    }
    if (type == "AlterEnumStmt" && !text_in(fields, "oldVal").empty()) {
      say("renaming-object", LintLevel::warning, "code that writes the old value fails",
          "add a value, and move over");
      return;
    }
    if (type == "AlterEnumStmt" && !text_in(fields, "newVal").empty() && text_in(fields, "oldVal").empty()) {
      if (text_in(fields, "newValNeighbor").empty()) {
        say("require-enum-value-ordering", LintLevel::hint, "the new value becomes the last, wherever it belongs",
            "say BEFORE or AFTER which value it stands");
      }
      if (options_.in_transaction) {
        say("enum-value-in-transaction", LintLevel::hint,
            "the new value can't be used before the transaction has ended", "add it in a script of its own");
      }
    }
  }

  // --- tables

  void create_table(const Object& fields) {
    const std::string table = relation_name(object_in(fields, "relation"));
    if (!flag_in(fields, "if_not_exists") && !options_.in_transaction) {
      say("prefer-robust-stmts", LintLevel::hint, "fails when it is run again after the script was interrupted",
          "CREATE TABLE IF NOT EXISTS");
    }
    for (const json::value& element : array_in(fields, "tableElts")) {
      if (const Object* column = as(element, "ColumnDef")) {
        column_type(*column);
        if (const Object* foreign = constraint_of(*column, "CONSTR_FOREIGN")) {
          lock("SHARE ROW EXCLUSIVE", relation_name(object_in(*foreign, "pktable")));
        }
      }
      if (const Object* constraint = as(element, "Constraint")) {
        if (text_in(*constraint, "contype") == "CONSTR_FOREIGN") {
          lock("SHARE ROW EXCLUSIVE", relation_name(object_in(*constraint, "pktable")));
        }
      }
    }
    made(table);
  }

  /// `named`: where the definition itself does not say which column it is.
  void column_type(const Object& column, const std::string& named = {}) {
    const std::string type = type_of(column);
    const std::string name = named.empty() ? std::string(text_in(column, "colname")) : named;
    if (type == "bpchar") {
      say("ban-char-field", LintLevel::hint, name + ": char(n) pads with blanks",
          "use text, with a CHECK for its length");
    } else if (type == "varchar") {
      const Object* type_name = object_in(column, "typeName");
      if (type_name != nullptr && !array_in(*type_name, "typmods").empty()) {
        say("prefer-text-field", LintLevel::hint,
            name + ": changing the length of varchar(n) later takes a strong lock",
            "use text, with a CHECK for its length");
      }
    } else if (type == "int4") {
      say("prefer-bigint-over-int", LintLevel::hint, name + ": 2^31 values may be too few", "use bigint");
    } else if (type == "int2") {
      say("prefer-bigint-over-smallint", LintLevel::hint, name + ": 2^15 values may be too few", "use bigint");
    } else if (type == "serial" || type == "bigserial" || type == "smallserial" || type == "serial4" ||
               type == "serial8" || type == "serial2") {
      say("prefer-identity", LintLevel::hint, name + ": a serial column's sequence has rights of its own",
          "use bigint GENERATED BY DEFAULT AS IDENTITY");
      if (type == "smallserial" || type == "serial2") {
        say("prefer-bigint-over-smallint", LintLevel::hint, name + ": 2^15 values may be too few", "use bigint");
      }
      if (type == "serial" || type == "serial4") {
        say("prefer-bigint-over-int", LintLevel::hint, name + ": 2^31 values may be too few", "use bigint");
      }
    } else if (type == "timestamp") {
      say("prefer-timestamp-tz", LintLevel::hint, name + ": timestamp does not say which time zone it means",
          "use timestamptz");
    } else if (type == "json") {
      say("adding-json-column", LintLevel::warning, name + ": json has no equality: SELECT DISTINCT fails",
          "use jsonb");
    }
  }

  void alter_table(const Object& fields) {
    const std::string_view what =
        text_in(fields, "objtype").empty() ? text_in(fields, "relkind") : text_in(fields, "objtype");
    if (!what.empty() && what != "OBJECT_TABLE") return;
    table_ = relation_name(object_in(fields, "relation"));
    for (const json::value& node : array_in(fields, "cmds")) {
      if (const Object* command = as(node, "AlterTableCmd")) alter_command(*command);
    }
  }

  void alter_command(const Object& command) {
    const std::string_view type = text_in(command, "subtype");
    const std::string name(text_in(command, "name"));
    const Object* definition = object_in(command, "def");
    const json::value* def = command.if_contains("def");
    if (type == "AT_ValidateConstraint") {
      lock("SHARE UPDATE EXCLUSIVE", table_);
      if (added_not_valid_.contains(name) && options_.in_transaction && !is_new(table_)) {
        say("validating-in-same-transaction", LintLevel::danger,
            "validates under the strong lock that adding the constraint took", "validate in a script of its own");
      }
      return;
    }
    if (type == "AT_SetStatistics" || type == "AT_SetOptions" || type == "AT_SetRelOptions" ||
        type == "AT_ResetRelOptions" || type == "AT_ClusterOn" || type == "AT_DropCluster") {
      lock("SHARE UPDATE EXCLUSIVE", table_);
      return;
    }
    if (type == "AT_EnableTrig" || type == "AT_DisableTrig" || type == "AT_EnableTrigAll" ||
        type == "AT_DisableTrigAll" || type == "AT_EnableTrigUser" || type == "AT_DisableTrigUser") {
      lock("SHARE ROW EXCLUSIVE", table_);
      return;
    }
    if (type == "AT_AttachPartition") return attach(definition);
    if (type == "AT_DetachPartition") {
      const Object* partition = def != nullptr ? as(*def, "PartitionCmd") : nullptr;
      if (partition != nullptr && flag_in(*partition, "concurrent")) {
        lock("SHARE UPDATE EXCLUSIVE", table_);
        return;
      }
      lock("ACCESS EXCLUSIVE", table_);
      if (!is_new(table_)) {
        say("require-concurrent-partition-detach", LintLevel::warning, "locks the whole partitioned table",
            "DETACH PARTITION ... CONCURRENTLY");
      }
      return;
    }
    if (type == "AT_AddColumn") {
      if (def != nullptr && as(*def, "ColumnDef") != nullptr) add_column(*as(*def, "ColumnDef"));
      return;
    }
    if (type == "AT_AddConstraint") {
      if (def != nullptr && as(*def, "Constraint") != nullptr) add_constraint(*as(*def, "Constraint"));
      return;
    }
    lock("ACCESS EXCLUSIVE", table_);
    if (is_new(table_)) return;
    if (type == "AT_SetNotNull") {
      say("adding-not-nullable-field", LintLevel::danger,
          "SET NOT NULL reads the whole table while nobody may use it",
          "ADD CONSTRAINT ... CHECK (" + name +
              " IS NOT NULL) NOT VALID; VALIDATE CONSTRAINT in a later script; then "
              "SET NOT NULL finds it proven, and the constraint may go");
    } else if (type == "AT_AlterColumnType") {
      if (def != nullptr && as(*def, "ColumnDef") != nullptr) column_type(*as(*def, "ColumnDef"), name);
      say("changing-column-type", LintLevel::danger, "may write the whole table anew while nobody may use it",
          "add a column of the new type, fill it in batches, let the application change over, drop the old one");
    } else if (type == "AT_DropColumn") {
      say("ban-drop-column", LintLevel::warning, "code that still names " + name + " fails, and its data is gone",
          "release code that does not use it first, and drop it later");
    } else if (type == "AT_DropNotNull") {
      say("ban-drop-not-null", LintLevel::warning, "readers of " + name + " may not expect NULL",
          "let every reader cope with NULL first");
    } else if (type == "AT_ColumnDefault") {
      if (def != nullptr) return;
      say("ban-drop-default", LintLevel::warning, "writers that leave " + name + " out get NULL, or an error",
          "let every writer give a value first");
    } else if (type == "AT_DropConstraint") {
      say("ban-drop-constraint", LintLevel::warning, "what " + name + " kept out comes in, and stays",
          "let every writer keep the rule first, or do without it");
    } else if (type == "AT_AddIdentity" || type == "AT_SetIdentity" || type == "AT_DropIdentity") {
      say("ban-alter-identity", LintLevel::warning,
          "writers that give " + name + " a value, or leave it out, may fail from now on",
          "release code that copes with both first");
    } else if (type == "AT_DropExpression") {
      say("ban-drop-generated-expression", LintLevel::warning, "writers that leave " + name + " out get NULL",
          "let every writer give a value first, or keep it by a trigger");
    } else if (type == "AT_SetTableSpace" || type == "AT_SetLogged" || type == "AT_SetUnLogged" ||
               type == "AT_SetAccessMethod") {
      say("rewriting-table", LintLevel::danger, "writes the whole table anew while nobody may use it",
          "make a new table, copy in batches, and change over");
    }
  }

  void attach(const Object* definition) {
    lock("SHARE UPDATE EXCLUSIVE", table_);
    std::string partition;
    if (definition != nullptr) {
      if (const Object* command = object_in(*definition, "PartitionCmd")) {
        partition = relation_name(object_in(*command, "name"));
      }
    }
    lock("ACCESS EXCLUSIVE", partition);
    if (!is_new(partition)) {
      say("require-concurrent-partition-attach", LintLevel::warning,
          "reads the whole partition under its lock to see that its rows belong there",
          "add a CHECK constraint with the partition's bounds NOT VALID, validate it, then attach");
    }
  }

  void add_column(const Object& column) {
    lock("ACCESS EXCLUSIVE", table_);
    column_type(column);
    if (is_new(table_)) return;
    const std::string name(text_in(column, "colname"));
    const Object* value = constraint_of(column, "CONSTR_DEFAULT");
    const json::value* expression = value != nullptr ? value->if_contains("raw_expr") : nullptr;
    const Object* identity = constraint_of(column, "CONSTR_IDENTITY");
    const std::string type = type_of(column);
    const bool serial = type.find("serial") != std::string::npos;
    const bool primary = constraint_of(column, "CONSTR_PRIMARY") != nullptr;
    if (expression != nullptr && !is_constant(*expression)) {
      say("adding-field-with-default", LintLevel::danger,
          name + ": a default that differs by row writes the whole table anew while nobody may use it",
          "add the column without it, ALTER COLUMN SET DEFAULT, then fill old rows in batches");
    }
    if (serial || identity != nullptr || primary) {
      say("adding-serial-primary-key-field", LintLevel::danger,
          name + ": writes the whole table anew while nobody may use it",
          "add a nullable bigint, fill it in batches, build a unique index CONCURRENTLY, then ADD PRIMARY KEY "
          "USING "
          "INDEX");
    }
    if (constraint_of(column, "CONSTR_GENERATED") != nullptr) {
      say("adding-field-with-default", LintLevel::danger,
          name + ": writes the whole table anew while nobody may use it",
          "add an ordinary column, keep it by a trigger, and fill it in batches");
    }
    if (constraint_of(column, "CONSTR_NOTNULL") != nullptr && expression == nullptr && !serial &&
        identity == nullptr && constraint_of(column, "CONSTR_GENERATED") == nullptr) {
      say("adding-required-field", LintLevel::danger, name + ": fails on a table with rows",
          "give it a constant DEFAULT, or add it nullable and fill it first");
    }
    if (constraint_of(column, "CONSTR_UNIQUE") != nullptr) {
      say("disallowed-unique-constraint", LintLevel::danger,
          name + ": builds an index while nobody may use the table",
          "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... UNIQUE USING INDEX");
    }
    if (const Object* foreign = constraint_of(column, "CONSTR_FOREIGN")) {
      lock("SHARE ROW EXCLUSIVE", relation_name(object_in(*foreign, "pktable")));
      say("adding-foreign-key-constraint", LintLevel::danger,
          name + ": blocks writes to both tables while it looks",
          "add the column alone, then ADD CONSTRAINT ... FOREIGN KEY ... NOT VALID, and validate in a later "
          "script");
    }
    if (constraint_of(column, "CONSTR_CHECK") != nullptr) {
      say("constraint-missing-not-valid", LintLevel::danger,
          name + ": reads the whole table while nobody may use it",
          "add the CHECK by itself, NOT VALID, and validate it in a later script");
    }
  }

  void add_constraint(const Object& constraint) {
    const std::string_view type = text_in(constraint, "contype");
    const bool not_valid = flag_in(constraint, "skip_validation");
    if (not_valid) added_not_valid_.insert(std::string(text_in(constraint, "conname")));
    const bool foreign = type == "CONSTR_FOREIGN";
    lock(foreign ? "SHARE ROW EXCLUSIVE" : "ACCESS EXCLUSIVE", table_);
    if (foreign) lock("SHARE ROW EXCLUSIVE", relation_name(object_in(constraint, "pktable")));
    if (is_new(table_)) return;
    const bool with_index = !text_in(constraint, "indexname").empty();
    if (foreign && !not_valid) {
      say("adding-foreign-key-constraint", LintLevel::danger,
          "blocks writes to both tables while it looks at every row",
          "add it NOT VALID, and VALIDATE CONSTRAINT in a later script");
      say("constraint-missing-not-valid", LintLevel::danger, "looks at every row under its lock", "add NOT VALID");
    } else if (type == "CONSTR_CHECK" && !not_valid) {
      say("constraint-missing-not-valid", LintLevel::danger, "looks at every row while nobody may use the table",
          "add it NOT VALID, and VALIDATE CONSTRAINT in a later script");
    } else if (type == "CONSTR_UNIQUE" && !with_index) {
      say("disallowed-unique-constraint", LintLevel::danger, "builds an index while nobody may use the table",
          "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... UNIQUE USING INDEX");
    } else if (type == "CONSTR_PRIMARY" && !with_index) {
      say("adding-serial-primary-key-field", LintLevel::danger, "builds an index while nobody may use the table",
          "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... PRIMARY KEY USING INDEX");
    } else if (type == "CONSTR_EXCLUSION") {
      say("adding-exclusion-constraint", LintLevel::danger, "builds an index while nobody may use the table",
          "there is no way without the lock; do it when nobody is there");
    }
  }

  // --- indexes and the rest

  void create_index(const Object& fields) {
    const std::string table = relation_name(object_in(fields, "relation"));
    const bool concurrent = flag_in(fields, "concurrent");
    lock(concurrent ? "SHARE UPDATE EXCLUSIVE" : "SHARE", table);
    if (concurrent && options_.in_transaction) {
      say("ban-concurrent-index-creation-in-transaction", LintLevel::danger, "fails inside a transaction",
          "leave executeInTransaction=true out: the script is then run outside of one");
    }
    if (!concurrent && !is_new(table)) {
      say("require-concurrent-index-creation", LintLevel::danger,
          "blocks writes to " + table + " while the index is built",
          "CREATE INDEX CONCURRENTLY, in a script of its own");
    }
    if (concurrent && text_in(fields, "idxname").empty()) {
      say("prefer-robust-stmts", LintLevel::hint,
          "an index without a name is hard to find when its build was interrupted", "give it a name");
    }
  }

  void drop(const Object& fields) {
    const std::string_view what = text_in(fields, "removeType");
    for (const json::value& object : array_in(fields, "objects")) {
      const std::string name = name_of_list(object);
      if (what == "OBJECT_TABLE") {
        if (is_new(name)) continue;
        lock("ACCESS EXCLUSIVE", name);
        say("ban-drop-table", LintLevel::warning, "code that still uses " + name + " fails, and its data is gone",
            "release code that does not use it first; rename it, and drop it later");
      } else if (what == "OBJECT_INDEX") {
        if (flag_in(fields, "concurrent")) continue;
        lock("ACCESS EXCLUSIVE", "the table of " + name);
        say("require-concurrent-index-deletion", LintLevel::warning,
            "waits for everybody who reads the table, and lets "
            "nobody in meanwhile",
            "DROP INDEX CONCURRENTLY, in a script of its own");
      } else if (what == "OBJECT_VIEW" || what == "OBJECT_MATVIEW") {
        if (is_new(name)) continue;
        lock("ACCESS EXCLUSIVE", name);
        say("ban-drop-view", LintLevel::warning, "code that still reads " + name + " fails",
            "release code that does not use it first, and drop it later");
      } else if (what == "OBJECT_SCHEMA") {
        say("ban-drop-schema", LintLevel::danger, "code that still uses anything of " + name + " fails",
            "drop what is in it, one by one, when nobody uses it any more");
      } else if (what == "OBJECT_FUNCTION" || what == "OBJECT_PROCEDURE" || what == "OBJECT_ROUTINE" ||
                 what == "OBJECT_AGGREGATE") {
        say("ban-drop-function", LintLevel::warning, "code that still calls " + name + " fails",
            "release code that does not call it first, and drop it later");
      } else if (what == "OBJECT_SEQUENCE") {
        say("ban-drop-sequence", LintLevel::warning, "code that still takes numbers from " + name + " fails",
            "release code that does not use it first, and drop it later");
      } else if (what == "OBJECT_TYPE") {
        say("ban-drop-type", LintLevel::warning, "code that still names the type " + name + " fails",
            "release code that does not use it first, and drop it later");
      }
    }
  }

  void rename(const Object& fields) {
    const std::string_view what = text_in(fields, "renameType");
    const std::string table = relation_name(object_in(fields, "relation"));
    constexpr std::array<std::string_view, 6> kByName{"OBJECT_VIEW", "OBJECT_MATVIEW",       "OBJECT_INDEX",
                                                      "OBJECT_TYPE", "OBJECT_TABCONSTRAINT", "OBJECT_SEQUENCE"};
    if (std::ranges::find(kByName, what) != kByName.end()) {
      lock("ACCESS EXCLUSIVE", table);
      if (is_new(table) && !table.empty()) return;
      say("renaming-object", LintLevel::warning, "code that knows the old name fails",
          "make a new one, move over, drop the old one");
      return;
    }
    if (what == "OBJECT_SCHEMA") {
      say("renaming-object", LintLevel::danger, "code that knows the old name fails",
          "make a new one, and move over");
      return;
    }
    lock("ACCESS EXCLUSIVE", table);
    if (is_new(table)) return;
    if (what == "OBJECT_COLUMN") {
      say("renaming-column", LintLevel::danger, "code that knows the old name fails",
          "add a column, keep both by a trigger while code changes over, drop the old one; or put a view before "
          "the table");
    } else if (what == "OBJECT_TABLE") {
      say("renaming-table", LintLevel::danger, "code that knows the old name fails",
          "rename it and make a view with the old name in the same transaction");
    }
  }

  void truncate(const Object& fields) {
    for (const json::value& one : array_in(fields, "relations"))
      lock("ACCESS EXCLUSIVE", relation_name(as(one, "RangeVar")));
    if (text_in(fields, "behavior") == "DROP_CASCADE") {
      say("ban-truncate-cascade", LintLevel::danger, "empties every table that refers to it as well",
          "name the tables that are meant");
    }
  }

  void change_rows(std::string_view type, const Object& fields) {
    const std::string table = relation_name(object_in(fields, "relation"));
    lock("ROW EXCLUSIVE", table);
    if (is_new(table) || backfill_ > 0) return;
    backfill_ = line_;
    if (!fields.contains("whereClause")) {
      say("rewriting-table", LintLevel::warning,
          std::string(type == "UpdateStmt" ? "UPDATE" : "DELETE") + " without WHERE locks every row of " + table,
          "change rows in batches, in a script of its own");
    }
  }

  void refresh(const Object& fields) {
    const std::string view = relation_name(object_in(fields, "relation"));
    const bool concurrent = flag_in(fields, "concurrent");
    lock(concurrent ? "EXCLUSIVE" : "ACCESS EXCLUSIVE", view);
    if (!concurrent && !is_new(view)) {
      say("require-concurrent-refresh", LintLevel::warning, "nobody reads " + view + " meanwhile",
          "REFRESH MATERIALIZED VIEW CONCURRENTLY (it needs a unique index)");
    }
  }

  void reindex(const Object& fields) {
    bool concurrent = flag_in(fields, "concurrent");
    for (const json::value& option : array_in(fields, "params")) {
      const Object* element = as(option, "DefElem");
      concurrent = concurrent || (element != nullptr && text_in(*element, "defname") == "concurrently");
    }
    if (concurrent) return;
    say("require-concurrent-reindex", LintLevel::danger, "blocks writes while the index is built",
        "REINDEX ... CONCURRENTLY");
  }

  void rewrite(std::string_view type, const Object& fields) {
    bool full = type == "ClusterStmt";
    for (const json::value& option : array_in(fields, "options")) {
      const Object* element = as(option, "DefElem");
      if (element != nullptr && text_in(*element, "defname") == "full") full = true;
    }
    if (!full) return;
    const std::string table = relation_name(object_in(fields, "relation"));
    lock("ACCESS EXCLUSIVE", table);
    say("rewriting-table", LintLevel::danger, "writes the whole table anew while nobody may use it",
        "let autovacuum work, or use a tool that copies beside it");
  }

  std::set<std::string>& known_;
  const LintOptions& options_;
  ScriptJudgement& into_;
  std::set<std::string> added_not_valid_;
  std::string table_;
  std::size_t line_ = 1, needs_timeouts_ = 0, backfill_ = 0;
  bool timeouts_ = false, strong_lock_ = false;
};

/// The statement that a comment in this line is in, or before; nullptr: behind the last one.
const scripts::ScriptStatement* statement_at(const std::vector<scripts::ScriptStatement>& statements,
                                             std::size_t line) {
  for (const scripts::ScriptStatement& one : statements) {
    if (one.line + static_cast<std::size_t>(std::ranges::count(one.sql, '\n')) >= line) return &one;
  }
  return nullptr;
}

/// "-- squawk-ignore a, b" in the lines of a statement or before it, "-- squawk-ignore-file" anywhere. Without
/// rules only the latter says something: everything.
void silence(std::string_view text, const std::vector<scripts::ScriptStatement>& statements,
             std::vector<LintFinding>& findings) {
  constexpr std::string_view kMark = "squawk-ignore";
  std::vector<Silence> all;
  std::size_t line = 0;
  for (std::size_t at = 0; at <= text.size();) {
    ++line;
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view one = text.substr(at, end - at);
    at = end + 1;
    const std::size_t mark = one.find(kMark);
    if (mark == std::string_view::npos || std::min(one.find("--"), one.find("/*")) >= mark) continue;
    std::string_view rest = one.substr(mark + kMark.size());
    rest = rest.substr(0, rest.find("*/"));
    Silence found;
    const bool whole_script = rest.starts_with("-file");
    if (whole_script) {
      rest.remove_prefix(5);
    } else {
      const scripts::ScriptStatement* next = statement_at(statements, line);
      if (next == nullptr) continue;
      found.line = next->line;
    }
    while (!rest.empty()) {
      const std::size_t first = rest.find_first_not_of(" ,\t\r:");
      if (first == std::string_view::npos) break;
      rest.remove_prefix(first);
      const std::size_t stop = std::min(rest.find_first_of(" ,\t\r"), rest.size());
      found.rules.emplace_back(rest.substr(0, stop));
      rest.remove_prefix(stop);
    }
    if (whole_script || !found.rules.empty()) all.push_back(std::move(found));
  }
  std::erase_if(findings, [&](const LintFinding& finding) {
    return std::ranges::any_of(all, [&](const Silence& one) {
      return (one.line == 0 || one.line == finding.line) &&
             (one.rules.empty() || std::ranges::find(one.rules, finding.rule) != one.rules.end());
    });
  });
}

}  // namespace

std::span<const LintRule> lint_rules() noexcept { return kRules; }

ScriptJudgement judge_script(std::string_view text, std::set<std::string>& known_new, const LintOptions& options) {
  ScriptJudgement judgement;
  const auto statements = scripts::split_script(text);
  if (!statements.ok()) {
    judgement.findings.push_back({"not-parsed", LintLevel::danger, 1, std::string(statements.error().message()),
                                  "mend it: nothing of the script can be judged"});
    return judgement;
  }
  std::vector<std::string> texts;
  for (const auto& one : *statements) texts.emplace_back(one.sql);
  const auto documents = sql::parse_documents(texts);
  Judge judge(known_new, options, judgement);
  for (std::size_t i = 0; i < statements->size(); ++i) judge.statement((*statements)[i], documents[i]);
  judge.end();
  std::ranges::sort(judgement.findings, {},
                    [](const LintFinding& one) { return std::pair(one.line, std::string_view(one.rule)); });
  silence(text, *statements, judgement.findings);
  return judgement;
}

}  // namespace switchyard::inline v0::schema

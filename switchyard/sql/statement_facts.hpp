// StatementFacts: what one text asks for, as far as the text alone can tell. Names are not resolved here: see
// Verdict. Immutable once made, and shared by everybody who sends the same text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::inline v0::sql {

enum class StatementKind : std::uint8_t {
  select,  ///< SELECT, VALUES, TABLE, WITH ... SELECT
  insert,
  update,
  delete_from,
  merge,
  copy,
  explain,
  show,
  set,           ///< SET, RESET
  transaction,   ///< BEGIN, COMMIT, SAVEPOINT ...
  cursor,        ///< DECLARE, FETCH, MOVE, CLOSE
  prepared,      ///< PREPARE, EXECUTE, DEALLOCATE
  notification,  ///< LISTEN, UNLISTEN, NOTIFY
  discard,
  lock,
  call,         ///< CALL, DO
  ddl,          ///< changes the catalogue
  maintenance,  ///< VACUUM, ANALYZE, CHECKPOINT, CLUSTER, REINDEX, LOAD ...
  empty,        ///< no statement at all
  several,      ///< more than one statement
  unknown,      ///< could not be parsed: every effect is possible
};

/// A name as the server would see it after folding: `schema` is empty when the text gives none.
struct Name {
  std::string schema;
  std::string name;
  friend bool operator==(const Name&, const Name&) = default;
  friend auto operator<=>(const Name&, const Name&) = default;
};

/// What stays on the session, or reaches beyond the statement's own answer.
enum class Effect : std::uint8_t {
  changes_settings,   ///< SET, RESET (SET LOCAL and SET TRANSACTION too)
  temporary_objects,  ///< CREATE TEMP, SELECT INTO TEMP
  listens,
  notifies,
  holds_cursor,
  prepares,  ///< PREPARE, EXECUTE, DEALLOCATE
  discards,
  controls_transaction,
  locks_explicitly,  ///< LOCK TABLE
  locks_rows,        ///< FOR UPDATE, SHARE ...
  runs_code,         ///< DO, CALL, LOAD
  changes_catalogue,
  copies,
  anything,  ///< not understood
};

struct StatementFacts {
  StatementKind kind = StatementKind::unknown;
  /// Why kind is unknown or several, for people: "syntax error at or near "FORM"", "longer than 64 kB".
  std::string why_unknown;
  /// Changes data or the catalogue, or may: also a CTE that modifies, SELECT INTO, anything not understood.
  bool writes = true;

  // Each list sorted, without repetition. Names from sub-selects, CTEs and every other corner are included.
  std::vector<Name> relations;  ///< tables and views, not the names of CTEs in scope
  std::vector<Name> functions;  ///< called by name, also as a table, window or aggregate
  std::vector<Name> operators;  ///< "+", "~~" (LIKE), "=" also where it is implied (IN, BETWEEN, CASE x WHEN ...)
  std::vector<Name> types;      ///< of casts and typed constants
  /// Names that stand where a column does and could be a function as well (manual 8.16.5: `f.fn` is `fn(f)`): the
  /// last part of `a.b`, field selection `(expr).fn`.
  std::vector<std::string> fields;
  /// CURRENT_TIMESTAMP, CURRENT_USER, SESSION_USER, CURRENT_ROLE ...: lower case.
  std::vector<std::string> value_functions;
  std::vector<Effect> effects;

  /// A string constant contains now, today, tomorrow or yesterday: a Parse would fix it for ever.
  bool has_clock_constant = false;
  /// TABLESAMPLE, XMLTABLE, JSON_TABLE, GROUPING SETS ...: constructs whose functions the lists above can't name.
  /// Each with its name in lower case, for the verdict to allow or refuse.
  std::vector<std::string> constructs;
  /// pg_query's fingerprint, 16 hexadecimal digits; empty when it could not be parsed.
  std::string fingerprint;
};

}  // namespace switchyard::inline v0::sql

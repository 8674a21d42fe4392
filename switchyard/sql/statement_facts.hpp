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

/// What the lists name is what the server will look up by search_path. What it finds by the types of values instead
/// (input and output functions, default operator classes, implicit casts, domains, views, policies, defaults) is
/// the catalogue's matter: see Verdict.
struct StatementFacts {
  StatementKind kind = StatementKind::unknown;
  /// The statement inside EXPLAIN, DECLARE, PREPARE and COPY (query); else the same as kind.
  StatementKind inner_kind = StatementKind::unknown;
  /// Why kind is unknown, for people: `syntax error at or near "FORM"`, "longer than 64 kB".
  std::string why_unknown;
  /// Changes data or the catalogue, or may, or needs a transaction that is not read-only: also a CTE that modifies,
  /// SELECT INTO, FOR UPDATE, EXECUTE, FETCH, anything not understood. EXPLAIN without ANALYZE does not.
  bool writes = true;

  // Each list sorted, without repetition. Names from sub-selects, CTEs and every other corner are included.
  std::vector<Name> relations;  ///< tables and views, not the names of CTEs in scope
  /// Called by name, also as a table, window or aggregate, or by syntax (EXTRACT is pg_catalog.extract);
  /// TABLESAMPLE methods too. `f(x)` may also be a cast to a type f, or the column f of x.
  std::vector<Name> functions;
  /// "+", "~~" (LIKE); also where they are implied: "=" (IN, CASE x WHEN, USING, NULLIF ...), "=" and "<" or ">"
  /// where rows are sorted, grouped or made distinct (there the server takes the columns' default operator class,
  /// in whatever schema it is).
  std::vector<Name> operators;
  std::vector<Name> types;  ///< of casts, typed constants and column definitions; of an array its element
  /// Names that stand where a column does and could be a function as well (manual 8.16.5: `f.fn` is `fn(f)`): the
  /// last part of `a.b`, field selection `(expr).fn`.
  std::vector<std::string> fields;
  /// CURRENT_TIMESTAMP, CURRENT_USER, SESSION_USER, CURRENT_ROLE ...: lower case, as written, without precision.
  std::vector<std::string> value_functions;
  std::vector<Effect> effects;

  /// A string constant contains now, today, tomorrow or yesterday, or becomes a timetz (whose zone may be that of
  /// today): a Parse would fix it for ever.
  bool has_clock_constant = false;
  /// Names outside ASCII are folded and truncated as a database in UTF8 does it; others may read them differently.
  bool only_ascii = false;
  /// Constructs whose functions the lists above can't name, for the verdict to allow or refuse: "tablesample",
  /// "xmltable", "xmlserialize", "xmlexpr" (XMLELEMENT, XMLFOREST ...), "range_offset" (a window frame of RANGE n
  /// PRECEDING), "current_of", "explain_of_write"; and the name, in lower case, of a kind of node that is not known
  /// here.
  std::vector<std::string> constructs;
  /// pg_query's fingerprint, 16 hexadecimal digits: equal for texts that differ in constants only. Empty when the
  /// text could not be parsed.
  std::string fingerprint;
};

}  // namespace switchyard::inline v0::sql

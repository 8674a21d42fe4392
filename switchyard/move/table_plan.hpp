// What is moved, as the source's catalogue describes it. Plain values.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/schema/history.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::move {

using schema::quote_name;
/// A string constant that means the same whatever standard_conforming_strings says.
[[nodiscard]] SWITCHYARD_API std::string literal(std::string_view text);

/// `columns` as a list in SQL, each behind `prefix` ("t.").
[[nodiscard]] SWITCHYARD_API std::string column_list(const std::vector<std::string>& columns,
                                                     std::string_view prefix = {});

/// A user's trigger, and whether it was enabled: O (origin), D (disabled), R (replica), A (always).
struct TriggerState {
  std::string name;
  std::string enabled;
};

struct SequencePlan {
  std::string schema, name;
  std::string options;  ///< "AS bigint INCREMENT 1 MINVALUE 1 ... CACHE 1 NO CYCLE"
  bool identity = false;
  [[nodiscard]] std::string qualified() const { return quote_name(schema) + "." + quote_name(name); }
};

struct TablePlan {
  std::int32_t number = 0;  ///< within its move, from 1
  std::string schema, name;
  std::vector<std::string> columns;  ///< that are written: all but generated ones, in their order
  std::vector<std::string> changed;  ///< of these, those that an UPDATE may set: no GENERATED ALWAYS AS IDENTITY
  std::vector<std::string> key;      ///< columns of the primary key, or of a unique index that takes its place
  std::vector<SequencePlan> sequences;
  std::vector<TriggerState> triggers;
  std::string shape;  ///< columns with their types, as text: another shape is another table
  std::int64_t bytes = 0;
  std::int64_t rows = 0;  ///< as the server estimates them

  [[nodiscard]] std::string qualified() const { return quote_name(schema) + "." + quote_name(name); }
  /// For people: schema.name, without `public`.
  [[nodiscard]] std::string shown() const { return schema == "public" ? name : schema + "." + name; }
};

/// What reads the tables by their identity, wherever they are: it stands aside with them.
struct Dependent {
  enum class Kind : char { view = 'v', materialized_view = 'm', function = 'f', procedure = 'p' };
  Kind kind = Kind::view;
  std::string schema, name;
  std::string arguments;  ///< of a routine: "(integer, text)"
  std::string head;       ///< of a routine, with names, defaults and result: "(n integer DEFAULT 1) RETURNS text"
};

/// A move: its tables, and the mark that its objects in both databases bear.
struct MovePlan {
  std::string name;  ///< "main-analytics"
  std::string tag;   ///< eight hexadecimal digits
  std::string from, to;
  std::string from_place, to_place;  ///< host:port/dbname, without credentials
  std::vector<TablePlan> tables;
  std::vector<Dependent> dependents;  ///< of a schema that is split off; each behind what it refers to

  /// "switchyard.move_1a2b3c4d_log"
  [[nodiscard]] std::string object(std::string_view suffix) const {
    return "switchyard.move_" + tag + "_" + std::string(suffix);
  }
  /// Qualified names of the tables, in the plan's order.
  [[nodiscard]] SWITCHYARD_API std::vector<std::string> names() const;
  /// The same as a list in SQL.
  [[nodiscard]] SWITCHYARD_API std::string name_list() const;
  /// For people.
  [[nodiscard]] SWITCHYARD_API std::string shown(std::string_view separator) const;
};

}  // namespace switchyard::inline v0::move

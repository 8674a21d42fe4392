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
  /// That are written: all but generated ones, in their order. Empty: a partitioned table, its rows are in others.
  std::vector<std::string> columns;
  std::vector<std::string> changed;  ///< of these, those that an UPDATE may set: no GENERATED ALWAYS AS IDENTITY
  std::vector<std::string> key;      ///< columns of the primary key, or of a unique index that takes its place
  std::vector<SequencePlan> sequences;
  std::vector<TriggerState> triggers;
  /// Columns with their types, what it is a partition of and its own partitions, as text: another shape is another
  /// table.
  std::string shape;
  std::int64_t bytes = 0;
  std::int64_t rows = 0;  ///< as the server estimates them

  [[nodiscard]] std::string qualified() const { return quote_name(schema) + "." + quote_name(name); }
  [[nodiscard]] bool holds_rows() const noexcept { return !columns.empty(); }
  [[nodiscard]] bool is_partition() const noexcept { return shape.contains(kPartitionOf); }
  /// In the shape of a partition, before the name of its table.
  static constexpr std::string_view kPartitionOf = "; partition of ";
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
  /// For people, without partitions.
  [[nodiscard]] SWITCHYARD_API std::string shown(std::string_view separator) const;
};

}  // namespace switchyard::inline v0::move

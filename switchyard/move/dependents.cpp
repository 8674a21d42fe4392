#include <switchyard/move/dependents.hpp>
#include <switchyard/move/fence.hpp>

#include <ranges>
#include <set>
#include <string_view>

namespace switchyard::inline v0::move {
namespace {

using Kind = Dependent::Kind;

bool routine(const Dependent& one) { return one.kind == Kind::function || one.kind == Kind::procedure; }

std::string word(const Dependent& one) {
  switch (one.kind) {
    case Kind::view: return "VIEW ";
    case Kind::materialized_view: return "MATERIALIZED VIEW ";
    case Kind::function: return "FUNCTION ";
    case Kind::procedure: break;
  }
  return "PROCEDURE ";
}

std::string in(const std::string& schema, const Dependent& one) {
  return quote_name(schema) + "." + quote_name(one.name) + one.arguments;
}
std::string place(const Dependent& one) { return in(one.schema, one); }
std::string aside(const MovePlan& plan, const Dependent& one) { return in(holding_schema(plan, one.schema), one); }

/// That `object` is there, as what it was.
std::string is_there(const Dependent& one, const std::string& object) {
  if (routine(one)) return "to_regprocedure(" + literal(object) + ") IS NOT NULL";
  return "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(" + literal(object) + ") AND relkind = '" +
         static_cast<char>(one.kind) + "')";
}
std::string is_free(const Dependent& one) {
  return std::string(routine(one) ? "to_regprocedure(" : "to_regclass(") + literal(place(one)) + ") IS NULL";
}

std::string when(const std::string& condition, const std::string& statements) {
  return "DO $sy$ BEGIN IF " + condition + " THEN " + statements + "; END IF; END $sy$";
}

std::string refusing(const MovePlan& plan, const Dependent& one) {
  if (!routine(one)) {
    return "CREATE VIEW " + place(one) + " AS SELECT * FROM " + aside(plan, one) + " WHERE " +
           plan.object("moved") + "(); GRANT SELECT, INSERT, UPDATE, DELETE ON " + place(one) + " TO PUBLIC";
  }
  // As its owner: who calls it need not see our schema.
  return "CREATE " + word(one) + quote_name(one.schema) + "." + quote_name(one.name) + one.head +
         " LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM " + plan.object("moved") + "(); END'";
}

/// What refuses there is ours, and not what somebody has put there since.
std::string refuses(const MovePlan& plan, const Dependent& one) {
  if (routine(one)) {
    return "EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure(" + literal(place(one)) + ") AND position(" +
           literal(plan.object("moved")) + " IN prosrc) > 0)";
  }
  return "EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid WHERE r.ev_class = to_regclass(" +
         literal(place(one)) + ") AND d.refobjid = to_regprocedure(" + literal(plan.object("moved") + "()") + "))";
}

/// Functions stay where they are when a table goes, and hold fast to the type of its rows.
std::string drop_functions_of_rows(const std::vector<std::string>& tables) {
  std::string names;
  for (const std::string& table : tables) names += (names.empty() ? "" : ", ") + literal(table);
  return "DO $sy$ DECLARE f regprocedure; BEGIN FOR f IN SELECT DISTINCT p.oid::regprocedure FROM pg_class c"
         " JOIN pg_type t ON t.oid = c.reltype OR t.typelem = c.reltype"
         " JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.oid"
         " AND d.classid = 'pg_proc'::regclass JOIN pg_proc p ON p.oid = d.objid"
         " WHERE c.oid IN (SELECT to_regclass(n) FROM unnest(ARRAY[" +
         names + "]::text[]) n) LOOP EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', f); END LOOP; END $sy$";
}

template <class Place>
std::vector<std::string> drop(const MovePlan& plan, Place where) {
  std::vector<std::string> out;
  if (plan.dependents.empty()) return out;
  std::vector<std::string> rows;
  for (const TablePlan& table : plan.tables) {
    rows.push_back(quote_name(where(table.schema)) + "." + quote_name(table.name));
  }
  for (const Dependent& one : plan.dependents | std::views::reverse) {
    const std::string object = in(where(one.schema), one);
    if (!routine(one)) rows.push_back(object);
  }
  out.push_back(drop_functions_of_rows(rows));
  for (const Dependent& one : plan.dependents | std::views::reverse) {
    const std::string object = in(where(one.schema), one);
    out.push_back(when(is_there(one, object), "DROP " + word(one) + object + " CASCADE"));
  }
  return out;
}

}  // namespace

std::vector<std::string> put_dependents_aside(const MovePlan& plan) {
  std::vector<std::string> out;
  std::set<std::string> schemas;
  for (const Dependent& one : plan.dependents) schemas.insert(holding_schema(plan, one.schema));
  for (const std::string& schema : schemas) out.push_back("CREATE SCHEMA IF NOT EXISTS " + quote_name(schema));
  for (const Dependent& one : plan.dependents | std::views::reverse) {
    const std::string holding = quote_name(holding_schema(plan, one.schema));
    out.push_back(when(is_there(one, place(one)) + " AND NOT " + is_there(one, aside(plan, one)),
                       "ALTER " + word(one) + place(one) + " SET SCHEMA " + holding));
  }
  return out;
}

std::vector<std::string> refuse_in_their_places(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const Dependent& one : plan.dependents) {
    out.push_back(when(is_there(one, aside(plan, one)) + " AND " + is_free(one), refusing(plan, one)));
  }
  return out;
}

std::vector<std::string> drop_refusing_dependents(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const Dependent& one : plan.dependents | std::views::reverse) {
    const std::string kind = routine(one) ? word(one) : "VIEW ";
    out.push_back(when(refuses(plan, one), "DROP " + kind + place(one) + " CASCADE"));
  }
  return out;
}

std::vector<std::string> bring_dependents_back(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const Dependent& one : plan.dependents) {
    out.push_back(when(is_there(one, aside(plan, one)) + " AND " + is_free(one),
                       "ALTER " + word(one) + aside(plan, one) + " SET SCHEMA " + quote_name(one.schema)));
  }
  return out;
}

std::vector<std::string> drop_dependents_aside(const MovePlan& plan) {
  return drop(plan, [&](const std::string& schema) { return holding_schema(plan, schema); });
}

std::vector<std::string> drop_dependents_in_place(const MovePlan& plan) {
  return drop(plan, [](const std::string& schema) { return schema; });
}

std::vector<std::string> empty_dependents(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const Dependent& one : plan.dependents) {
    if (one.kind != Kind::materialized_view) continue;
    out.push_back(
        when(is_there(one, aside(plan, one)), "REFRESH MATERIALIZED VIEW " + aside(plan, one) + " WITH NO DATA"));
  }
  return out;
}

}  // namespace switchyard::inline v0::move

#include <switchyard/move/capture.hpp>
#include <switchyard/move/dependents.hpp>
#include <switchyard/move/fence.hpp>

#include <set>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

std::string trigger(const MovePlan& plan) { return "switchyard_fence_" + plan.tag; }

std::string raise(const FenceText& text) {
  return "RAISE EXCEPTION USING ERRCODE = '" + std::string(kMovedState) + "', MESSAGE = " + literal(text.message) +
         ", HINT = " + literal(text.hint);
}

/// A table that was there before the move need not have all triggers of the source's.
std::string if_there(const TablePlan& table, const TriggerState& one, const std::string& how) {
  return "DO $sy$ BEGIN IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = " + literal(table.qualified()) +
         "::regclass AND tgname = " + literal(one.name) + ") THEN ALTER TABLE " + table.qualified() + " " + how +
         quote_name(one.name) + "; END IF; END $sy$";
}

void append(std::vector<std::string>& all, std::vector<std::string> more) {
  for (std::string& statement : more) all.push_back(std::move(statement));
}

std::set<std::string> schemas_of(const MovePlan& plan) {
  std::set<std::string> schemas;
  for (const TablePlan& table : plan.tables) schemas.insert(table.schema);
  return schemas;
}

}  // namespace

std::string holding_schema(const MovePlan& plan, const std::string& schema) {
  // NAMEDATALEN is 64 in every server that was not built otherwise.
  return ("switchyard_" + plan.tag + "_" + schema).substr(0, 63);
}

std::string held_name(const MovePlan& plan, const TablePlan& table) {
  return quote_name(holding_schema(plan, table.schema)) + "." + quote_name(table.name);
}

std::string held_names(const MovePlan& plan) {
  std::string out;
  for (const TablePlan& table : plan.tables) out += (out.empty() ? "" : ", ") + held_name(plan, table);
  return out;
}

std::vector<std::string> drop_all_functions(const MovePlan& plan) {
  std::vector<std::string> out = drop_capture_statements(plan);
  for (const char* function : {"fence()", "moved()"}) {
    out.push_back("DROP FUNCTION IF EXISTS " + plan.object(function));
  }
  return out;
}

FenceText not_yet(const MovePlan& plan) {
  return {.message = plan.shown(", ") + ": being moved here, and still owned by the database '" + plan.from +
                     "' (" + plan.from_place + ")",
          .hint = "write there until the move has switched: switchyard move status"};
}
FenceText moved_away(const MovePlan& plan) {
  return {.message = plan.shown(", ") + ": moved to the database '" + plan.to + "' (" + plan.to_place + ")",
          .hint = "send the statement there: fleet[" + plan.to + "]"};
}
FenceText back_again(const MovePlan& plan) {
  return {.message = plan.shown(", ") + ": back at the database '" + plan.from + "' (" + plan.from_place + ")",
          .hint = "send the statement there: fleet[" + plan.from + "]"};
}

std::vector<std::string> fence_functions(const MovePlan& plan, const FenceText& text) {
  return {"CREATE OR REPLACE FUNCTION " + plan.object("fence") +
              "() RETURNS trigger LANGUAGE plpgsql AS $sy$ BEGIN IF current_setting('" + kApplySetting +
              "', true) = '" + plan.tag + "' THEN RETURN NULL; END IF; " + raise(text) + "; END $sy$",
          "CREATE OR REPLACE FUNCTION " + plan.object("moved") +
              "() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $sy$ BEGIN " + raise(text) + "; END $sy$"};
}

std::string lock_statement(const MovePlan& plan) {
  // Partitioned tables first, as who writes to them does.
  std::string partitioned;
  std::string others;
  for (const TablePlan& table : plan.tables) {
    std::string& list = table.holds_rows() ? others : partitioned;
    list += (list.empty() ? "" : ", ") + table.qualified();
  }
  if (!partitioned.empty() && !others.empty()) partitioned += ", ";
  return "LOCK TABLE " + partitioned + others + " IN ACCESS EXCLUSIVE MODE";
}

std::vector<std::string> writes_fence(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const TablePlan& table : plan.tables) {
    out.push_back("CREATE OR REPLACE TRIGGER " + trigger(plan) +
                  " BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON " + table.qualified() +
                  " FOR EACH STATEMENT EXECUTE FUNCTION " + plan.object("fence") + "()");
    out.push_back("ALTER TABLE " + table.qualified() + " ENABLE ALWAYS TRIGGER " + trigger(plan));
  }
  return out;
}

std::vector<std::string> lift_writes_fence(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const TablePlan& table : plan.tables) {
    out.push_back("DROP TRIGGER IF EXISTS " + trigger(plan) + " ON " + table.qualified());
  }
  return out;
}

std::vector<std::string> stand_aside(const MovePlan& plan) {
  std::vector<std::string> out = writes_fence(plan);
  for (const std::string& schema : schemas_of(plan)) {
    out.push_back("CREATE SCHEMA IF NOT EXISTS " + quote_name(holding_schema(plan, schema)));
  }
  append(out, put_dependents_aside(plan));
  for (const TablePlan& table : plan.tables) {
    const std::string holding = quote_name(holding_schema(plan, table.schema));
    out.push_back("ALTER TABLE " + table.qualified() + " SET SCHEMA " + holding);
    out.push_back("CREATE VIEW " + table.qualified() + " AS SELECT * FROM " + held_name(plan, table) + " WHERE " +
                  plan.object("moved") + "()");
    // Whoever has no right to the table may be told as well where it is.
    out.push_back("GRANT SELECT, INSERT, UPDATE, DELETE ON " + table.qualified() + " TO PUBLIC");
  }
  append(out, refuse_in_their_places(plan));
  return out;
}

std::vector<std::string> step_back(const MovePlan& plan) {
  std::vector<std::string> out = drop_refusing_dependents(plan);
  for (const TablePlan& table : plan.tables) {
    out.push_back("DROP VIEW " + table.qualified());
    out.push_back("ALTER TABLE " + held_name(plan, table) + " SET SCHEMA " + quote_name(table.schema));
  }
  append(out, bring_dependents_back(plan));
  for (const std::string& schema : schemas_of(plan)) {
    out.push_back("DROP SCHEMA IF EXISTS " + quote_name(holding_schema(plan, schema)));
  }
  append(out, lift_writes_fence(plan));
  return out;
}

std::vector<std::string> drop_aside(const MovePlan& plan) {
  std::vector<std::string> out = drop_refusing_dependents(plan);
  append(out, drop_dependents_aside(plan));
  out.push_back("DROP VIEW IF EXISTS " + plan.name_list());
  out.push_back("DROP TABLE IF EXISTS " + held_names(plan));
  for (const std::string& schema : schemas_of(plan)) {
    const std::string holding = holding_schema(plan, schema);
    // Other tables of the same move may still be there.
    out.push_back("DO $sy$ BEGIN IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace(" +
                  literal(quote_name(holding)) + ")) THEN DROP SCHEMA IF EXISTS " + quote_name(holding) +
                  "; END IF; END $sy$");
  }
  return out;
}

std::vector<std::string> triggers_off(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const TablePlan& table : plan.tables) {
    for (const TriggerState& one : table.triggers) {
      out.push_back(if_there(table, one, "DISABLE TRIGGER "));
    }
  }
  return out;
}

std::vector<std::string> triggers_as_before(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const TablePlan& table : plan.tables) {
    for (const TriggerState& one : table.triggers) {
      const std::string how = one.enabled == "D"   ? "DISABLE TRIGGER "
                              : one.enabled == "R" ? "ENABLE REPLICA TRIGGER "
                              : one.enabled == "A" ? "ENABLE ALWAYS TRIGGER "
                                                   : "ENABLE TRIGGER ";
      out.push_back(if_there(table, one, how));
    }
  }
  return out;
}

}  // namespace switchyard::inline v0::move

#include <switchyard/move/capture.hpp>
#include <switchyard/move/fence.hpp>

namespace switchyard::inline v0::move {
namespace {

std::string on_key(const TablePlan& table, const std::string& row) {
  std::string out;
  for (const std::string& column : table.key) {
    out += (out.empty() ? "" : " AND ") + ("t." + quote_name(column)) + " = " + row + "." + quote_name(column);
  }
  return out;
}

/// Text that reads the same wherever it is read, whatever the writer has set.
constexpr const char* kPlainText =
    " SET search_path = pg_catalog SET datestyle = 'ISO' SET intervalstyle = 'postgres'"
    " SET extra_float_digits = 3 SET bytea_output = 'hex' SET lc_monetary = 'C'";

}  // namespace

std::vector<std::string> capture_statements(const MovePlan& plan) {
  std::vector<std::string> out;
  const std::string log = plan.object("log");
  out.push_back("CREATE TABLE " + log +
                " (seq bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,"
                " txid xid8 NOT NULL DEFAULT pg_current_xact_id(), tab int NOT NULL, op text NOT NULL,"
                " before text, after text)");
  for (const TablePlan& table : plan.tables) {
    if (!table.holds_rows()) continue;
    const std::string number = std::to_string(table.number);
    const std::string function = plan.object("capture_" + number);
    const std::string key_changed =
        "(" + column_list(table.key, "OLD.") + ") IS DISTINCT FROM (" + column_list(table.key, "NEW.") + ")";
    out.push_back("CREATE FUNCTION " + function + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER" +
                  kPlainText +
                  " AS $sy$\nBEGIN\n"
                  "  IF current_setting('" +
                  kApplySetting + "', true) = '" + plan.tag +
                  "' THEN RETURN NULL; END IF;\n"
                  "  IF TG_OP = 'INSERT' THEN INSERT INTO " +
                  log + " (tab, op, after) VALUES (" + number +
                  ", 'I', NEW::text);\n"
                  "  ELSIF TG_OP = 'UPDATE' THEN INSERT INTO " +
                  log + " (tab, op, before, after) VALUES (" + number + ", 'U', CASE WHEN " + key_changed +
                  " THEN OLD::text END, NEW::text);\n"
                  "  ELSIF TG_OP = 'DELETE' THEN INSERT INTO " +
                  log + " (tab, op, before) VALUES (" + number +
                  ", 'D', OLD::text);\n"
                  "  ELSE INSERT INTO " +
                  log + " (tab, op) VALUES (" + number +
                  ", 'T');\n"
                  "  END IF;\n  RETURN NULL;\nEND $sy$");
    const std::string name = "switchyard_capture_" + plan.tag;
    out.push_back("CREATE TRIGGER " + name + " AFTER INSERT OR UPDATE OR DELETE ON " + table.qualified() +
                  " FOR EACH ROW EXECUTE FUNCTION " + function + "()");
    out.push_back("CREATE TRIGGER " + name + "_truncate AFTER TRUNCATE ON " + table.qualified() +
                  " FOR EACH STATEMENT EXECUTE FUNCTION " + function + "()");
    // Also where session_replication_role says otherwise.
    out.push_back("ALTER TABLE " + table.qualified() + " ENABLE ALWAYS TRIGGER " + name);
    out.push_back("ALTER TABLE " + table.qualified() + " ENABLE ALWAYS TRIGGER " + name + "_truncate");
  }
  return out;
}

std::vector<std::string> drop_capture_statements(const MovePlan& plan) {
  std::vector<std::string> out;
  for (const TablePlan& table : plan.tables) {
    out.push_back("DROP FUNCTION IF EXISTS " + plan.object("capture_" + std::to_string(table.number)) +
                  "() CASCADE");
  }
  out.push_back("DROP TABLE IF EXISTS " + plan.object("log"));
  out.push_back("DROP FUNCTION IF EXISTS " + plan.object("apply") + "(int[], text[], text[], text[])");
  return out;
}

std::string apply_function(const MovePlan& plan, Standing standing) {
  std::string declared;
  std::string body;
  for (const TablePlan& table : plan.tables) {
    if (!table.holds_rows()) continue;
    const std::string place = standing == Standing::in_place ? table.qualified() : held_name(plan, table);
    const std::string n = std::to_string(table.number);
    const std::string before = "sy_old_" + n;
    const std::string after = "sy_new_" + n;
    declared += "  " + before + " " + place + ";\n  " + after + " " + place + ";\n";
    std::string assigned;
    for (const std::string& column : table.changed) {
      assigned += (assigned.empty() ? "" : ", ") + quote_name(column) + " = " + after + "." + quote_name(column);
    }
    // Whatever else can't be changed in it stays as it was inserted.
    if (assigned.empty()) assigned = quote_name(table.key.front()) + " = DEFAULT";
    body += "    WHEN " + n +
            " THEN\n"
            "      IF operations[i] = 'I' THEN\n"
            "        " +
            after + " := afters[i]::" + place +
            ";\n"
            "        INSERT INTO " +
            place + " (" + column_list(table.columns) + ") OVERRIDING SYSTEM VALUE VALUES (" +
            column_list(table.columns, after + ".") +
            ");\n"
            "      ELSIF operations[i] = 'U' THEN\n"
            "        " +
            after + " := afters[i]::" + place +
            ";\n"
            "        " +
            before + " := coalesce(befores[i], afters[i])::" + place +
            ";\n"
            "        UPDATE " +
            place + " t SET " + assigned + " WHERE " + on_key(table, before) +
            ";\n"
            "        IF NOT FOUND THEN RAISE EXCEPTION USING MESSAGE = " +
            literal("a row of " + table.shown() + " that was changed is not in the copy") +
            "; END IF;\n"
            "      ELSIF operations[i] = 'D' THEN\n"
            "        " +
            before + " := befores[i]::" + place +
            ";\n"
            "        DELETE FROM " +
            place + " t WHERE " + on_key(table, before) +
            ";\n"
            "      ELSE\n"
            "        TRUNCATE " +
            place +
            " CASCADE;\n"
            "      END IF;\n";
  }
  return "CREATE OR REPLACE FUNCTION " + plan.object("apply") +
         "(numbers int[], operations text[], befores text[], afters text[]) RETURNS void LANGUAGE plpgsql" +
         kPlainText + " AS $sy$\n#variable_conflict use_column\nDECLARE\n" + declared +
         "BEGIN\n"
         "  PERFORM set_config('" +
         kApplySetting + "', '" + plan.tag +
         "', true);\n"
         "  FOR i IN 1 .. coalesce(array_length(numbers, 1), 0) LOOP\n    CASE numbers[i]\n" +
         body + "    END CASE;\n  END LOOP;\nEND $sy$";
}

}  // namespace switchyard::inline v0::move

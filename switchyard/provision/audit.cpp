#include <switchyard/provision/audit.hpp>

#include <switchyard/provision/hba.hpp>
#include <switchyard/provision/sql_text.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

class Audit {
 public:
  Audit(const DesiredServer& desired, const ServerImage& image, const Plan& plan)
      : desired_(desired), image_(image), plan_(plan) {}

  std::vector<AuditFinding> run() {
    from_plan();
    roles();
    for (const DatabaseImage& database : image_.databases) database_access(database);
    for (const DesiredDatabase& database : desired_.databases) {
      const auto content = image_.contents.find(database.name);
      if (content != image_.contents.end()) contents(database, content->second);
    }
    for (const FactImage& fact : image_.facts) server_fact(fact);
    network();
    std::ranges::sort(found_);
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return std::move(found_);
  }

 private:
  void add(std::string rule, std::string database, std::string object, std::string text, std::string fix) {
    found_.push_back(
        {desired_.place, std::move(database), std::move(rule), std::move(object), std::move(text), std::move(fix)});
  }

  [[nodiscard]] bool is_superuser(const std::string& role) const {
    const RoleImage* found = image_.role(role);
    return (found != nullptr && found->superuser) || role == image_.current_user;
  }
  [[nodiscard]] bool is_member_of_anything(const std::string& member) const {
    return std::ranges::any_of(image_.memberships, [&](const auto& one) { return one.member == member; });
  }
  [[nodiscard]] bool has_members(const std::string& role) const {
    return std::ranges::any_of(image_.memberships, [&](const auto& one) { return one.role == role; });
  }

  void from_plan() {
    for (const Step& step : plan_.steps) {
      const bool more = step.effect == Effect::take_away || step.effect == Effect::drop;
      const bool other = step.effect == Effect::change && step.why.starts_with("now ");
      add(more ? "beyond-plan" : "missing", step.database, "",
          (step.why.empty() ? std::string(more ? "more than the plan has" : "not as the plan has it") : step.why) +
              (other ? ", not as the plan has it" : ""),
          step.text());
    }
    for (const std::string& note : plan_.notes) add("missing", "", "", note, "");
  }

  void roles() {
    for (const RoleImage& role : image_.roles) {
      std::string powers;
      const auto power = [&](bool has_it, const char* name) {
        if (has_it) powers += (powers.empty() ? "" : ", ") + std::string(name);
      };
      power(role.superuser, "SUPERUSER");
      power(role.create_role, "CREATEROLE");
      power(role.create_database, "CREATEDB");
      power(role.replication, "REPLICATION");
      power(role.bypass_rls, "BYPASSRLS");
      const bool administrator = role.name == image_.current_user || role.name == desired_.admin.user;
      if (!powers.empty() && !administrator && role.login && desired_.role(role.name) == nullptr) {
        add("powerful-role", "", role.name, role.name + " has " + powers,
            "ALTER ROLE " + name_sql(role.name) + " NOLOGIN");
      }
      if (role.stored_password && role.login) password(role, administrator);
      cannot_log_in(role);
    }
  }

  void password(const RoleImage& role, bool administrator) {
    const std::string& stored = role.stored_password->reveal();
    if (stored.starts_with("md5")) {
      add("password", "", role.name, "the password of " + role.name + " is stored as MD5",
          "switchyard provision rotate --role " + role.name);
    } else if (stored.empty() && !administrator && desired_.role(role.name) != nullptr && !local_only()) {
      add("password", "", role.name, role.name + " has no password", "switchyard provision apply");
    }
  }

  [[nodiscard]] bool local_only() const {
    const auto at = image_.parameters.find("listen_addresses");
    return at != image_.parameters.end() && at->second.empty();
  }

  /// WellWon's wellwon_reference_readonly, as its document makes it.
  void cannot_log_in(const RoleImage& role) {
    if (role.login || has_members(role.name)) return;
    const DesiredRole* planned = desired_.role(role.name);
    if (planned != nullptr && !planned->login) return;
    std::string where;
    for (const DatabaseImage& database : image_.databases) {
      if (has(database.privileges, role.name, "CONNECT")) where = "may connect to " + database.name;
    }
    for (const auto& [name, content] : image_.contents) {
      for (const ObjectImage& object : content.objects) {
        if (has(object.privileges, role.name, "SELECT")) where = "reads " + object.identity;
      }
    }
    if (where.empty()) return;
    add("cannot-log-in", "", role.name,
        role.name + " " + where + ", but can't log in, and nobody is a member of it",
        "ALTER ROLE " + name_sql(role.name) + " LOGIN PASSWORD ...; or provision.readonly = \"" + role.name + "\"");
  }

  void database_access(const DatabaseImage& database) {
    if (!database.allows_connections) return;
    for (const Privilege& one : database.privileges) {
      if (!one.grantee.empty() || one.name != "CONNECT") continue;
      add("public-connect", database.name, database.name,
          "every role may connect to " + database.name + ": PUBLIC has CONNECT, whatever is revoked from a role",
          "REVOKE CONNECT, TEMPORARY ON DATABASE " + name_sql(database.name) + " FROM PUBLIC");
    }
    if (desired_.database(database.name) != nullptr) return;
    for (const Privilege& one : database.privileges) {
      if (desired_.role(one.grantee) == nullptr) continue;
      add("beyond-plan", database.name, database.name, one.grantee + " has " + one.name + " on another database",
          "REVOKE " + one.name + " ON DATABASE " + name_sql(database.name) + " FROM " + name_sql(one.grantee));
    }
  }

  void contents(const DesiredDatabase& database, const ContentImage& content) {
    const auto schema_of = [&](std::string_view name) -> const DesiredSchema* {
      const auto at = std::ranges::find(database.schemas, name, &DesiredSchema::name);
      return at == database.schemas.end() ? nullptr : &*at;
    };
    database_grant_alone(database, content);
    later_tables(database, content);
    for (const SchemaImage& schema : content.schemas) {
      if (schema_of(schema.name) != nullptr || schema.name == "public") continue;
      foreign_schema(database, schema);
    }
    for (const ObjectImage& object : content.objects) {
      if (schema_of(object.schema) != nullptr || object.extension) continue;
      if (object.schema == "public" && !object.follows) {
        add("object-in-public", database.name, object.identity,
            object.keyword + " " + object.identity + " of " + object.owner +
                " lies in schema public, which is nobody's",
            "ALTER " + object.keyword + " " + object.identity + " SET SCHEMA ...");
      }
      for (const Privilege& one : object.privileges) {
        const bool as_made = object.kind == ObjectKind::routine && one.grantee.empty();
        if (is_superuser(one.grantee) || as_made) continue;
        if (!one.grantee.empty() && desired_.role(one.grantee) == nullptr) continue;
        add("beyond-plan", database.name, object.identity,
            (one.grantee.empty() ? "PUBLIC" : one.grantee) + " has " + one.name + " on " + object.identity +
                ", in a schema that the plan does not have",
            "REVOKE " + one.name + " ON " + object.identity + " FROM " + grantee_sql(one.grantee));
      }
    }
    for (const FactImage& fact : content.facts) add(fact.rule, database.name, fact.object, fact.text, fact.fix);
  }

  void foreign_schema(const DesiredDatabase& database, const SchemaImage& schema) {
    const bool of_the_fleet = desired_.role(schema.owner) != nullptr;
    if (of_the_fleet && database.shared) {
      add("foreign-schema", database.name, schema.name,
          schema.owner + " owns schema " + schema.name + ", beyond the plan",
          "ALTER SCHEMA " + name_sql(schema.name) + " OWNER TO " + name_sql(image_.current_user));
    }
    for (const Privilege& one : schema.privileges) {
      if (!one.grantee.empty() && (is_superuser(one.grantee) || desired_.role(one.grantee) == nullptr)) continue;
      add("foreign-schema", database.name, schema.name,
          (one.grantee.empty() ? "PUBLIC" : one.grantee) + " has " + one.name + " on schema " + schema.name +
              ", beyond the plan",
          "REVOKE " + one.name + " ON SCHEMA " + name_sql(schema.name) + " FROM " + grantee_sql(one.grantee));
    }
  }

  /// GRANT ALL PRIVILEGES ON DATABASE, and nothing else.
  void database_grant_alone(const DesiredDatabase& database, const ContentImage& content) {
    const DatabaseImage* there = image_.database(database.name);
    const auto at = std::ranges::find(content.schemas, "public", &SchemaImage::name);
    if (there == nullptr || at == content.schemas.end()) return;
    for (const Privilege& one : there->privileges) {
      if (one.name != "CREATE" || one.grantee.empty() || is_superuser(one.grantee)) continue;
      const bool owns = std::ranges::any_of(content.schemas, [&](const auto& s) { return s.owner == one.grantee; });
      const bool makes = has(at->privileges, one.grantee, "CREATE") || has(at->privileges, "", "CREATE");
      if (owns || makes || is_member_of_anything(one.grantee)) continue;
      add("database-grant-alone", database.name, one.grantee,
          one.grantee + " has every privilege on database " + database.name +
              " and none in its schema public: it makes no table there (since PostgreSQL 15)",
          "ALTER SCHEMA public OWNER TO " + name_sql(one.grantee));
    }
  }

  /// GRANT SELECT ON ALL TABLES: those that were there.
  void later_tables(const DesiredDatabase& database, const ContentImage& content) {
    std::set<std::tuple<std::string, std::string, std::string>> readers;  // schema, reader, maker
    for (const ObjectImage& object : content.objects) {
      if (object.kind != ObjectKind::table || object.extension) continue;
      for (const Privilege& one : object.privileges) {
        if (one.name == "SELECT" && !one.grantee.empty() && !is_superuser(one.grantee)) {
          readers.insert({object.schema, one.grantee, object.owner});
        }
      }
    }
    for (const auto& [schema, reader, maker] : readers) {
      const bool later =
          std::ranges::any_of(content.defaults, [&, s = schema, r = reader, m = maker](const auto& one) {
            return one.role == m && (one.schema == s || one.schema.empty()) && one.type == 'r' &&
                   (has(one.privileges, r, "SELECT") || has(one.privileges, "", "SELECT"));
          });
      if (later) continue;
      add("later-tables", database.name, schema,
          reader + " reads tables of " + maker + " in schema " + schema + ", but not those that are made later",
          "ALTER DEFAULT PRIVILEGES FOR ROLE " + name_sql(maker) + " IN SCHEMA " + name_sql(schema) +
              " GRANT SELECT ON TABLES TO " + name_sql(reader));
    }
  }

  void server_fact(const FactImage& fact) {
    if (fact.rule == "predefined-role") {
      for (const DesiredRole& role : desired_.roles) {
        const bool planned = std::ranges::any_of(role.member_of, [&](const std::string& group) {
          return fact.text == role.name + " is a member of " + group;
        });
        if (planned) return;
      }
    }
    add(fact.rule, "", fact.object, fact.text, fact.fix);
  }

  void network() {
    const auto parameter = [&](const char* name) {
      const auto at = image_.parameters.find(name);
      return at == image_.parameters.end() ? std::string() : at->second;
    };
    const std::string listens = parameter("listen_addresses");
    if (listens.find('*') != std::string::npos || listens.find("0.0.0.0") != std::string::npos || listens == "::") {
      add("listen-address", "", "listen_addresses",
          "the server listens on every address: listen_addresses = '" + listens + "'",
          "ALTER SYSTEM SET listen_addresses = 'the addresses that clients use', and restart");
    }
    if (parameter("password_encryption") == "md5") {
      add("password", "", "password_encryption", "new passwords are stored as MD5",
          "ALTER SYSTEM SET password_encryption = 'scram-sha-256'");
    }
    if (parameter("lo_compat_privileges") == "on") {
      add("large-object", "", "lo_compat_privileges", "everybody reads and writes every large object",
          "ALTER SYSTEM SET lo_compat_privileges = off");
    }
    for (const SessionImage& one : image_.sessions) {
      const bool outside = !one.address.empty() && !one.address.starts_with("127.") && one.address != "::1";
      if (!outside || one.tls) continue;
      add("plain-text", one.database, one.role, one.role + " is connected from " + one.address + " without TLS",
          "options = { sslmode = \"verify-full\" } in the fleet file, and hostssl in pg_hba.conf");
    }
    if (image_.hba) {
      for (const HbaRule& rule : *image_.hba) hba_rule(rule, parameter("ssl") == "on");
    }
  }

  void hba_rule(const HbaRule& rule, bool tls) {
    if (rule.method == "reject") return;
    const std::string line = "pg_hba.conf line " + std::to_string(rule.line);
    const std::string what =
        rule.type + " " + join(rule.databases, ",") + " " + join(rule.users, ",") +
        (rule.address.empty() ? "" : " " + rule.address + (rule.netmask.empty() ? "" : "/" + rule.netmask)) + " " +
        rule.method;
    if (rule.type == "local") {
      const bool everybody = std::ranges::find(rule.users, "all") != rule.users.end();
      if (rule.method == "trust" && everybody && !local_only()) {
        add("hba", "", line, "every account of the machine is whoever it says: " + what,
            "peer or scram-sha-256 instead of trust");
      }
      return;
    }
    if (rule.method == "trust") {
      add("hba", "", line, "nobody is asked for a password: " + what, "scram-sha-256 instead of trust");
    } else if (rule.method == "md5" || rule.method == "password" || rule.method == "ident") {
      add("hba", "", line, "a weak method: " + what, "scram-sha-256 instead of " + rule.method);
    }
    if (is_local(rule)) return;
    const bool all = std::ranges::find(rule.users, "all") != rule.users.end() &&
                     std::ranges::find(rule.databases, "all") != rule.databases.end();
    if (is_wide(rule)) {
      add("hba", "", line,
          std::string("a wide rule: ") + (all ? "everybody, to everything, " : "") +
              "from a large network: " + what,
          "name databases, roles and the network of the clients");
    }
    if (rule.type != "hostssl") {
      add("plain-text", "", line, "sessions from outside may do without TLS: " + what,
          tls ? "hostssl instead of " + rule.type
              : "ALTER SYSTEM SET ssl = on, and hostssl instead of " + rule.type);
    }
  }

  const DesiredServer& desired_;
  const ServerImage& image_;
  const Plan& plan_;
  std::vector<AuditFinding> found_;
};

}  // namespace

std::vector<AuditFinding> audit(const DesiredServer& desired, const ServerImage& image, const Plan& plan) {
  return Audit(desired, image, plan).run();
}

}  // namespace switchyard::inline v0::provision

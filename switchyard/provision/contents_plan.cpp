#include <switchyard/provision/contents_plan.hpp>

#include <switchyard/provision/sql_text.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

/// Objects that one statement names.
constexpr std::size_t kObjectsAStatement = 200;

constexpr const char* kPublicSchema = "public";
constexpr const char* kMakesLargeObjects =
    "lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea)";

/// What writers and readers have on objects of a kind.
std::vector<std::string> rights(ObjectKind kind, bool writer) {
  switch (kind) {
    case ObjectKind::table:
      return writer ? std::vector<std::string>{"SELECT", "INSERT", "UPDATE", "DELETE"}
                    : std::vector<std::string>{"SELECT"};
    case ObjectKind::sequence:
      return writer ? std::vector<std::string>{"USAGE", "SELECT"} : std::vector<std::string>{"SELECT"};
    case ObjectKind::routine: return writer ? std::vector<std::string>{"EXECUTE"} : std::vector<std::string>{};
    case ObjectKind::type: return {};
  }
  return {};
}

const char* plural(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::table: return "TABLES";
    case ObjectKind::sequence: return "SEQUENCES";
    case ObjectKind::routine: return "ROUTINES";
    case ObjectKind::type: return "TYPES";
  }
  return "";
}

const char* keyword(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::table: return "TABLE";
    case ObjectKind::sequence: return "SEQUENCE";
    case ObjectKind::routine: return "ROUTINE";
    case ObjectKind::type: return "TYPE";
  }
  return "";
}

char type_letter(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::table: return 'r';
    case ObjectKind::sequence: return 'S';
    case ObjectKind::routine: return 'f';
    case ObjectKind::type: return 'T';
  }
  return ' ';
}

class Contents {
 public:
  Contents(const DesiredServer& desired, const DesiredDatabase& database, const ContentImage& content,
           const ServerImage& image, Plan& plan)
      : desired_(desired), database_(database), content_(content), image_(image), plan_(plan) {}

  void run() {
    for (const DesiredSchema& schema : database_.schemas) plan_schema(schema);
    if (!managed(kPublicSchema)) close_public();
    if (!database_.large_objects && content_.anybody_makes_large_objects) {
      if (image_.superuser) {
        add(Effect::take_away,
            std::string("REVOKE EXECUTE ON FUNCTION pg_catalog.") + kMakesLargeObjects + " FROM PUBLIC",
            "large objects lie in no schema");
      } else {
        plan_.notes.push_back("only a superuser keeps roles from making large objects in " + database_.name);
      }
    }
  }

 private:
  Step& add(Effect effect, std::string sql, std::string why) {
    Step& step = plan_.steps.emplace_back();
    step.phase = Phase::contents;
    step.effect = effect;
    step.database = database_.name;
    step.sql = std::move(sql);
    step.why = std::move(why);
    return step;
  }

  [[nodiscard]] bool managed(std::string_view schema) const {
    return std::ranges::find(database_.schemas, schema, &DesiredSchema::name) != database_.schemas.end();
  }
  [[nodiscard]] const SchemaImage* schema_image(std::string_view name) const {
    const auto at = std::ranges::find(content_.schemas, name, &SchemaImage::name);
    return at == content_.schemas.end() ? nullptr : &*at;
  }
  [[nodiscard]] bool is_superuser(const std::string& role) const {
    const RoleImage* found = image_.role(role);
    return (found != nullptr && found->superuser) || role == image_.current_user;
  }
  [[nodiscard]] bool is_system(const std::string& role) const { return role.starts_with("pg_"); }

  void plan_schema(const DesiredSchema& schema) {
    const SchemaImage* found = schema_image(schema.name);
    SchemaImage fresh;
    if (found == nullptr) {
      fresh.name = schema.name;
      fresh.owner = schema.owner;
      add(Effect::make, "CREATE SCHEMA " + name_sql(schema.name) + " AUTHORIZATION " + name_sql(schema.owner), "");
      add(Effect::make,
          "COMMENT ON SCHEMA " + name_sql(schema.name) + " IS " +
              text_sql("switchyard " + desired_.application + ": " + schema.owner),
          "");
      found = &fresh;
    } else if (found->owner != schema.owner) {
      Step& step =
          add(Effect::change, "ALTER SCHEMA " + name_sql(schema.name) + " OWNER TO " + name_sql(schema.owner),
              "now " + found->owner);
      step.confirm = !is_superuser(found->owner) && !is_system(found->owner);
    }
    plan_schema_grants(schema, *found);
    plan_owners(schema);
    for (const ObjectKind kind : {ObjectKind::table, ObjectKind::sequence, ObjectKind::routine}) {
      plan_objects(schema, kind);
    }
    plan_defaults(schema);
  }

  void plan_schema_grants(const DesiredSchema& schema, const SchemaImage& found) {
    std::vector<std::string> users = schema.writers;
    users.insert(users.end(), schema.readers.begin(), schema.readers.end());
    std::vector<std::string> missing;
    for (const std::string& role : users) {
      if (!has(found.privileges, role, "USAGE")) missing.push_back(name_sql(role));
    }
    if (!missing.empty()) {
      add(Effect::grant, "GRANT USAGE ON SCHEMA " + name_sql(schema.name) + " TO " + join(missing), "");
    }
    for (const Privilege& one : found.privileges) {
      if (is_superuser(one.grantee) && !one.grantee.empty()) continue;
      if (one.grantee == schema.owner) continue;
      const bool planned = one.name == "USAGE" && std::ranges::find(users, one.grantee) != users.end();
      if (planned && !one.grantable) continue;
      Step& step = add(Effect::take_away,
                       "REVOKE " + std::string(planned ? "GRANT OPTION FOR " : "") + one.name + " ON SCHEMA " +
                           name_sql(schema.name) + " FROM " + grantee_sql(one.grantee) + " CASCADE",
                       one.grantee.empty() ? "nobody but the roles of the plan" : "beyond the plan");
      // What a database comes with is nobody's.
      step.confirm = !(one.grantee.empty() && schema.name == kPublicSchema);
    }
  }

  /// Whatever lies in a schema is its owner's.
  void plan_owners(const DesiredSchema& schema) {
    for (const ObjectImage& object : content_.objects) {
      if (object.schema != schema.name || object.extension || object.follows || object.owner == schema.owner)
        continue;
      Step& step = add(Effect::change,
                       "ALTER " + object.keyword + " " + object.identity + " OWNER TO " + name_sql(schema.owner),
                       "now " + object.owner);
      step.confirm = !is_superuser(object.owner);
    }
  }

  using Names = std::vector<std::string>;

  void say(Effect effect, const std::string& before, ObjectKind kind, const Names& objects,
           const std::string& behind, const std::string& why, bool confirm) {
    for (std::size_t at = 0; at < objects.size(); at += kObjectsAStatement) {
      const std::size_t end = std::min(objects.size(), at + kObjectsAStatement);
      const Names some(objects.begin() + static_cast<std::ptrdiff_t>(at),
                       objects.begin() + static_cast<std::ptrdiff_t>(end));
      add(effect, before + " ON " + keyword(kind) + " " + join(some) + behind, why).confirm = confirm;
    }
  }

  void plan_objects(const DesiredSchema& schema, ObjectKind kind) {
    std::map<std::pair<std::string, std::string>, Names> missing;  // role, privileges -> objects
    std::map<std::pair<std::string, std::string>, Names> extra;
    const auto want = [&](const ObjectImage& object, const std::vector<std::string>& roles, bool writer) {
      for (const std::string& role : roles) {
        Names lacks;
        for (const std::string& right : rights(kind, writer)) {
          if (!has(object.privileges, role, right) && object.owner != role) lacks.push_back(right);
        }
        if (!lacks.empty()) missing[{role, join(lacks)}].push_back(object.identity);
      }
    };
    const auto planned = [&](const Privilege& one) {
      const auto in = [&](const std::vector<std::string>& roles, bool writer) {
        const auto list = rights(kind, writer);
        return std::ranges::find(roles, one.grantee) != roles.end() &&
               std::ranges::find(list, one.name) != list.end();
      };
      return !one.grantable && (in(schema.writers, true) || in(schema.readers, false));
    };
    for (const ObjectImage& object : content_.objects) {
      if (object.schema != schema.name || object.kind != kind || object.extension) continue;
      want(object, schema.writers, true);
      want(object, schema.readers, false);
      for (const Privilege& one : object.privileges) {
        if (planned(one) || one.grantee == schema.owner || (!one.grantee.empty() && is_superuser(one.grantee)))
          continue;
        extra[{one.grantee, one.name}].push_back(object.identity);
      }
    }
    for (const auto& [key, objects] : missing) {
      say(Effect::grant, "GRANT " + key.second, kind, objects, " TO " + name_sql(key.first), "", false);
    }
    for (const auto& [key, objects] : extra) {
      // Every function is everybody's as it is made.
      const bool as_made = key.first.empty() && kind == ObjectKind::routine;
      say(Effect::take_away, "REVOKE " + key.second, kind, objects, " FROM " + grantee_sql(key.first) + " CASCADE",
          as_made ? "PUBLIC executes functions unless told otherwise" : "beyond the plan", !as_made);
    }
  }

  [[nodiscard]] const DefaultPrivilegeImage* defaults_of(const std::string& role, const std::string& schema,
                                                         char type) const {
    for (const DefaultPrivilegeImage& one : content_.defaults) {
      if (one.role == role && one.schema == schema && one.type == type) return &one;
    }
    return nullptr;
  }

  void plan_defaults(const DesiredSchema& schema) {
    // Functions that the owner makes are nobody else's.
    const DefaultPrivilegeImage* functions = defaults_of(schema.owner, "", 'f');
    const std::string owner = "ALTER DEFAULT PRIVILEGES FOR ROLE " + name_sql(schema.owner);
    if ((functions == nullptr || has(functions->privileges, "", "EXECUTE")) && told_.insert(schema.owner).second) {
      add(Effect::take_away, owner + " REVOKE EXECUTE ON ROUTINES FROM PUBLIC",
          "PUBLIC executes functions unless told otherwise");
    }
    // What the administrator makes there is read as well: until it is given to the owner.
    for (const std::string& maker : {schema.owner, image_.current_user}) {
      for (const ObjectKind kind : {ObjectKind::table, ObjectKind::sequence, ObjectKind::routine}) {
        plan_default(schema, maker, kind);
      }
    }
    for (const DefaultPrivilegeImage& one : content_.defaults) {
      if (one.schema != schema.name) continue;
      revoke_defaults(schema, one);
    }
  }

  void plan_default(const DesiredSchema& schema, const std::string& maker, ObjectKind kind) {
    const DefaultPrivilegeImage* found = defaults_of(maker, schema.name, type_letter(kind));
    const auto give = [&](const std::vector<std::string>& roles, bool writer) {
      for (const std::string& role : roles) {
        Names lacks;
        for (const std::string& right : rights(kind, writer)) {
          if (found == nullptr || !has(found->privileges, role, right)) lacks.push_back(right);
        }
        if (lacks.empty()) continue;
        add(Effect::grant,
            "ALTER DEFAULT PRIVILEGES FOR ROLE " + name_sql(maker) + " IN SCHEMA " + name_sql(schema.name) +
                " GRANT " + join(lacks) + " ON " + plural(kind) + " TO " + name_sql(role),
            "what is made later");
      }
    };
    give(schema.writers, true);
    give(schema.readers, false);
  }

  void revoke_defaults(const DesiredSchema& schema, const DefaultPrivilegeImage& found) {
    const ObjectKind kind = found.type == 'r'   ? ObjectKind::table
                            : found.type == 'S' ? ObjectKind::sequence
                            : found.type == 'f' ? ObjectKind::routine
                                                : ObjectKind::type;
    for (const Privilege& one : found.privileges) {
      const auto in = [&](const std::vector<std::string>& roles, bool writer) {
        const auto list = rights(kind, writer);
        return std::ranges::find(roles, one.grantee) != roles.end() &&
               std::ranges::find(list, one.name) != list.end();
      };
      if (in(schema.writers, true) || in(schema.readers, false) || one.grantee == schema.owner ||
          one.grantee == found.role) {
        continue;
      }
      add(Effect::take_away,
          "ALTER DEFAULT PRIVILEGES FOR ROLE " + name_sql(found.role) + " IN SCHEMA " + name_sql(schema.name) +
              " REVOKE " + one.name + " ON " + plural(kind) + " FROM " + grantee_sql(one.grantee),
          "beyond the plan")
          .confirm = true;
    }
  }

  /// Schema public of a database whose schemas belong to services: nobody's, but for extensions that lie there.
  void close_public() {
    const SchemaImage* found = schema_image(kPublicSchema);
    if (found == nullptr) return;
    std::vector<std::string> users;
    if (found->extensions) {
      for (const std::string& role : database_.connect) {
        if (desired_.role(role) == nullptr) continue;
        if (!has(found->privileges, role, "USAGE")) users.push_back(name_sql(role));
      }
      if (!users.empty()) {
        add(Effect::grant, "GRANT USAGE ON SCHEMA public TO " + join(users), "extensions lie there");
      }
    }
    for (const Privilege& one : found->privileges) {
      const bool planned = found->extensions && one.name == "USAGE" && desired_.role(one.grantee) != nullptr;
      if (planned || (!one.grantee.empty() && is_superuser(one.grantee))) continue;
      add(Effect::take_away,
          "REVOKE " + one.name + " ON SCHEMA public FROM " + grantee_sql(one.grantee) + " CASCADE",
          one.grantee.empty() ? "every service has a schema of its own" : "beyond the plan")
          .confirm = !one.grantee.empty();
    }
  }

  const DesiredServer& desired_;
  const DesiredDatabase& database_;
  const ContentImage& content_;
  const ServerImage& image_;
  Plan& plan_;
  std::set<std::string> told_;  ///< owners whose functions are taken from PUBLIC
};

}  // namespace

void plan_contents(const DesiredServer& desired, const DesiredDatabase& database, const ContentImage& content,
                   const ServerImage& image, Plan& plan) {
  Contents(desired, database, content, image, plan).run();
}

}  // namespace switchyard::inline v0::provision

#include <switchyard/provision/plan.hpp>

#include <switchyard/protocol/crypto.hpp>
#include <switchyard/protocol/scram_verifier.hpp>
#include <switchyard/provision/contents_plan.hpp>
#include <switchyard/provision/hba.hpp>
#include <switchyard/provision/rights.hpp>
#include <switchyard/provision/sql_text.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

constexpr std::size_t kSaltSize = 16;
constexpr std::uint32_t kIterations = 4096;
constexpr std::array<std::string_view, 2> kMaintenance{"postgres", "template1"};

class Planner {
 public:
  Planner(const DesiredServer& desired, const ServerImage& image, const PlanOptions& options)
      : desired_(desired), image_(image), options_(options) {}

  Plan run() {
    plan_.notes = desired_.problems;
    for (const DesiredRole& role : desired_.roles) plan_role(role);
    for (const DesiredRole& role : desired_.roles) plan_memberships(role);
    plan_foreign_memberships();
    for (const DesiredDatabase& database : desired_.databases) {
      if (image_.database(database.name) == nullptr) make_database(database);
    }
    for (const DesiredDatabase& database : desired_.databases) plan_database(database);
    for (const std::string_view name : kMaintenance) plan_maintenance(std::string(name));
    plan_retired();
    plan_tls();
    order();
    plan_.missing = missing_rights(desired_, image_, plan_.steps);
    plan_.notes.insert(plan_.notes.end(), plan_.missing.begin(), plan_.missing.end());
    return std::move(plan_);
  }

 private:
  Step& add(Phase phase, Effect effect, std::string database, std::string sql, std::string why) {
    Step& step = plan_.steps.emplace_back();
    step.phase = phase;
    step.effect = effect;
    step.database = std::move(database);
    step.sql = std::move(sql);
    step.why = std::move(why);
    return step;
  }

  /// By phase, otherwise as they came.
  void order() {
    std::vector<Step> steps;
    for (const Phase phase : {Phase::roles, Phase::databases, Phase::contents, Phase::retire}) {
      for (Step& step : plan_.steps) {
        if (step.phase == phase) steps.push_back(std::move(step));
      }
    }
    plan_.steps = std::move(steps);
  }

  // --- roles

  [[nodiscard]] std::string mark() const { return "switchyard " + desired_.application + ": "; }
  [[nodiscard]] std::string comment_of(const DesiredRole& role) const { return mark() + role.purpose; }
  /// It was made for this application, by this tool.
  [[nodiscard]] bool is_ours(const std::string& comment) const { return comment.starts_with(mark()); }

  void plan_role(const DesiredRole& role) {
    const RoleImage* found = image_.role(role.name);
    const auto password = options_.passwords.find(role.name);
    const bool has_password = role.login && password != options_.passwords.end() && !password->second.empty();
    const std::string name = name_sql(role.name);
    if (found == nullptr) {
      std::string attributes = role.login ? " LOGIN" : " NOLOGIN";
      if (role.login && role.connection_limit >= 0) {
        attributes += " CONNECTION LIMIT " + std::to_string(role.connection_limit);
      }
      Step& step = add(Phase::roles, Effect::make, "", "CREATE ROLE " + name + attributes, role.purpose);
      if (has_password) {
        step.shown = step.sql + " PASSWORD (SCRAM verifier)";
        step.sql += " PASSWORD " + text_sql(options_.verifier(password->second));
      }
      add(Phase::roles, Effect::make, "", "COMMENT ON ROLE " + name + " IS " + text_sql(comment_of(role)), "");
      return;
    }
    plan_attributes(role, *found);
    if (has_password) plan_password(role, *found, password->second);
  }

  void plan_attributes(const DesiredRole& role, const RoleImage& found) {
    const std::string alter = "ALTER ROLE " + name_sql(role.name);
    const std::array<std::pair<bool, const char*>, 5> powers{{{found.superuser, "NOSUPERUSER"},
                                                              {found.create_role, "NOCREATEROLE"},
                                                              {found.create_database, "NOCREATEDB"},
                                                              {found.replication, "NOREPLICATION"},
                                                              {found.bypass_rls, "NOBYPASSRLS"}}};
    for (const auto& [power, without] : powers) {
      if (!power) continue;
      Step& step = add(Phase::roles, Effect::take_away, "", alter + " " + without, "more than the plan gives it");
      step.confirm = true;
      step.role = role.name;
    }
    if (!found.inherit) add(Phase::roles, Effect::change, "", alter + " INHERIT", "").role = role.name;
    if (role.login && !found.login) {
      add(Phase::roles, Effect::change, "", alter + " LOGIN", "the fleet logs in as it").role = role.name;
    } else if (!role.login && found.login) {
      Step& step = add(Phase::roles, Effect::take_away, "", alter + " NOLOGIN", "nobody should log in as it");
      step.confirm = true;
      step.role = role.name;
    }
    if (role.login && found.connection_limit != role.connection_limit) {
      Step& step = add(Phase::roles, Effect::change, "",
                       alter + " CONNECTION LIMIT " + std::to_string(role.connection_limit),
                       "now " + std::to_string(found.connection_limit));
      step.role = role.name;
      step.confirm = sessions_of(role.name) > role.connection_limit && role.connection_limit >= 0;
      if (step.confirm) step.why += "; " + std::to_string(sessions_of(role.name)) + " sessions are open";
    }
    if (found.comment.empty()) {
      add(Phase::roles, Effect::change, "",
          "COMMENT ON ROLE " + name_sql(role.name) + " IS " + text_sql(comment_of(role)), "")
          .role = role.name;
    }
  }

  void plan_password(const DesiredRole& role, const RoleImage& found, const Secret& password) {
    if (!found.stored_password) return;  // nobody can tell
    if (options_.fits(*found.stored_password, password)) return;
    const bool none = found.stored_password->empty();
    const bool md5 = found.stored_password->reveal().starts_with("md5");
    Step& step = add(Phase::roles, none ? Effect::make : Effect::change, "",
                     "ALTER ROLE " + name_sql(role.name) + " PASSWORD " + text_sql(options_.verifier(password)),
                     none  ? "it has no password"
                     : md5 ? "its password is stored as MD5"
                           : "its password is another than the fleet's");
    step.shown = "ALTER ROLE " + name_sql(role.name) + " PASSWORD (SCRAM verifier)";
    step.confirm = !none;
    step.role = role.name;
  }

  [[nodiscard]] std::int64_t sessions_of(const std::string& role) const {
    std::int64_t count = 0;
    for (const SessionImage& one : image_.sessions) count += one.role == role ? one.count : 0;
    return count;
  }

  [[nodiscard]] bool is_member(const std::string& role, const std::string& member) const {
    return std::ranges::any_of(image_.memberships,
                               [&](const auto& one) { return one.role == role && one.member == member; });
  }

  [[nodiscard]] bool owns_something(const std::string& role) const {
    return std::ranges::any_of(desired_.databases, [&](const DesiredDatabase& database) {
      return std::ranges::find(database.schemas, role, &DesiredSchema::owner) != database.schemas.end();
    });
  }

  void plan_memberships(const DesiredRole& role) {
    for (const std::string& group : role.member_of) {
      if (is_member(group, role.name)) continue;
      add(Phase::roles, Effect::grant, "", "GRANT " + name_sql(group) + " TO " + name_sql(role.name), role.purpose)
          .role = group;
    }
    // Who is no superuser makes what another role owns only as a member of it.
    const RoleImage* found = image_.role(role.name);
    if (!image_.superuser && owns_something(role.name) && (found == nullptr || !found->acted_as)) {
      add(Phase::roles, Effect::grant, "",
          "GRANT " + name_sql(role.name) + " TO " + name_sql(image_.current_user) +
              (image_.version < 160000 ? "" : " WITH INHERIT TRUE, SET TRUE"),
          "to make what it owns")
          .role = role.name;
    }
  }

  /// Memberships of, and in, the fleet's roles that the plan does not have.
  void plan_foreign_memberships() {
    for (const MembershipImage& one : image_.memberships) {
      const DesiredRole* role = desired_.role(one.role);
      const DesiredRole* member = desired_.role(one.member);
      if (role == nullptr && member == nullptr) continue;
      const bool planned =
          member != nullptr && std::ranges::find(member->member_of, one.role) != member->member_of.end();
      if (planned && !one.admin) continue;
      if (one.member == image_.current_user || one.member == desired_.admin.user) continue;
      const RoleImage* who = image_.role(one.member);
      if (who != nullptr && who->superuser && member == nullptr) continue;
      add(Phase::roles, Effect::take_away, "",
          "REVOKE " + std::string(planned ? "ADMIN OPTION FOR " : "") + name_sql(one.role) + " FROM " +
              name_sql(one.member),
          one.member + " may act as " + one.role)
          .confirm = true;
    }
  }

  // --- databases

  void make_database(const DesiredDatabase& database) {
    add(Phase::databases, Effect::make, "", "CREATE DATABASE " + name_sql(database.name), "");
  }

  [[nodiscard]] bool is_superuser(const std::string& role) const {
    const RoleImage* found = image_.role(role);
    return found != nullptr && found->superuser;
  }

  /// Those who are connected there, and would not get in again without PUBLIC's CONNECT.
  [[nodiscard]] std::string strangers_in(const std::string& database, const std::vector<std::string>& known,
                                         const Privileges& privileges, const std::string& owner) const {
    std::string names;
    for (const SessionImage& one : image_.sessions) {
      const bool stays = std::ranges::find(known, one.role) != known.end() || is_superuser(one.role) ||
                         one.role == owner || has(privileges, one.role, "CONNECT");
      if (one.database != database || stays || one.role.empty()) continue;
      names += (names.empty() ? "" : ", ") + one.role;
    }
    return names;
  }

  void revoke_from_public(const std::string& database, const DatabaseImage& found,
                          const std::vector<std::string>& known) {
    std::vector<std::string> words;
    for (const Privilege& one : found.privileges) {
      if (one.grantee.empty()) words.push_back(one.name);
    }
    if (words.empty()) return;
    Step& step = add(Phase::contents, Effect::take_away, database,
                     "REVOKE " + join(words) + " ON DATABASE " + name_sql(database) + " FROM PUBLIC",
                     "nobody but the roles of the plan comes in");
    const std::string strangers = strangers_in(database, known, found.privileges, found.owner);
    step.confirm = !strangers.empty();
    if (step.confirm) step.why = strangers + " is connected, and would not get in again";
  }

  void plan_database(const DesiredDatabase& database) {
    const DatabaseImage* there = image_.database(database.name);
    DatabaseImage fresh;
    fresh.name = database.name;
    fresh.owner = image_.current_user;
    fresh.privileges = {{"", "CONNECT"}, {"", "TEMPORARY"}};
    const DatabaseImage& found = there != nullptr ? *there : fresh;
    // A database's owner may drop it.
    if (desired_.role(found.owner) != nullptr && found.owner != image_.current_user) {
      add(Phase::contents, Effect::take_away, database.name,
          "ALTER DATABASE " + name_sql(database.name) + " OWNER TO " + name_sql(image_.current_user),
          found.owner + " may drop it")
          .confirm = true;
    }
    Privileges wanted;
    const auto want = [&](const std::vector<std::string>& roles, const char* privilege) {
      for (const std::string& role : roles) {
        if (desired_.role(role) == nullptr && image_.role(role) == nullptr) continue;
        wanted.push_back({role, privilege});
      }
    };
    want(database.connect, "CONNECT");
    want(database.temporary, "TEMPORARY");
    want(database.create, "CREATE");
    plan_grants(database.name, found, wanted);
    revoke_from_public(database.name, found, database.connect);
    plan_settings(database);
    const auto content = image_.contents.find(database.name);
    const ContentImage contents =
        content != image_.contents.end() ? content->second : fresh_contents(database.name, image_.version);
    plan_contents(desired_, database, contents, image_, plan_);
  }

  void plan_grants(const std::string& database, const DatabaseImage& found, const Privileges& wanted) {
    std::map<std::string, std::vector<std::string>> missing;
    for (const Privilege& one : wanted) {
      if (one.grantee != found.owner && !has(found.privileges, one.grantee, one.name)) {
        missing[one.name].push_back(name_sql(one.grantee));
      }
    }
    for (const auto& [privilege, roles] : missing) {
      add(Phase::contents, Effect::grant, database,
          "GRANT " + privilege + " ON DATABASE " + name_sql(database) + " TO " + join(roles), "");
    }
    for (const Privilege& one : found.privileges) {
      if (one.grantee.empty() || is_superuser(one.grantee) || one.grantee == image_.current_user) continue;
      const bool planned = has(wanted, one.grantee, one.name);
      if (planned && !one.grantable) continue;
      add(Phase::contents, Effect::take_away, database,
          "REVOKE " + std::string(planned ? "GRANT OPTION FOR " : "") + one.name + " ON DATABASE " +
              name_sql(database) + " FROM " + name_sql(one.grantee) + " CASCADE",
          "beyond the plan")
          .confirm = true;
    }
  }

  static std::string plain(std::string value) {
    std::erase(value, '"');
    return value;
  }

  void plan_settings(const DesiredDatabase& database) {
    for (const auto& [key, value] : database.settings) {
      const auto& [role, name] = key;
      const auto found = image_.setting(role, database.name, name);
      if (found && plain(*found) == plain(value)) continue;
      if (name == "log_statement" && logs_for_a_while(role, database.name)) continue;
      if (name == "log_statement" && !image_.superuser) {
        plan_.notes.push_back("only a superuser sets log_statement of " + role + " in " + database.name);
        continue;
      }
      const std::string text = name == "search_path" ? name_sql(value) : text_sql(value);
      add(Phase::contents, Effect::change, database.name,
          "ALTER ROLE " + name_sql(role) + " IN DATABASE " + name_sql(database.name) + " SET " + name + " = " +
              text,
          found ? "now " + *found : "")
          .role = role;
    }
    for (const SettingImage& one : image_.settings) {
      if (one.database != database.name || desired_.role(one.role) == nullptr || !is_managed_setting(one.name))
        continue;
      if (database.settings.contains({one.role, one.name})) continue;
      if (is_log(one.name) && logs_for_a_while(one.role, database.name)) continue;
      Step& step =
          add(Phase::contents, Effect::change, database.name,
              "ALTER ROLE " + name_sql(one.role) + " IN DATABASE " + name_sql(database.name) + " RESET " + one.name,
              "now " + one.value + ", beyond the plan");
      step.confirm = !(is_log(one.name) && has_log_end(one.role, database.name));
    }
    for (const SettingImage& one : image_.settings) {
      if (one.name != kLoggingUntil || one.database != database.name || logs_for_a_while(one.role, one.database))
        continue;
      add(Phase::contents, Effect::change, database.name,
          "ALTER ROLE " + name_sql(one.role) + " IN DATABASE " + name_sql(database.name) + " RESET " +
              std::string(kLoggingUntil),
          "its statements were logged until " + one.value);
    }
  }

  static bool is_log(std::string_view name) { return name == "log_statement" || name == "log_duration"; }
  [[nodiscard]] bool has_log_end(const std::string& role, const std::string& database) const {
    return image_.setting(role, database, kLoggingUntil).has_value();
  }
  /// `provision logging` has switched it on, and it is not over.
  [[nodiscard]] bool logs_for_a_while(const std::string& role, const std::string& database) const {
    const auto until = image_.setting(role, database, kLoggingUntil);
    return until && (options_.now.empty() || *until > options_.now);
  }

  /// PUBLIC may connect to these as they come, and make temporary tables there.
  void plan_maintenance(const std::string& name) {
    const DatabaseImage* found = image_.database(name);
    if (found == nullptr || desired_.database(name) != nullptr) return;
    if (!image_.superuser && found->owner != image_.current_user) {
      if (has(found->privileges, "", "CONNECT")) {
        plan_.notes.push_back("the fleet's roles may connect to " + name +
                              ": its owner has to say REVOKE ALL ON DATABASE " + name_sql(name) + " FROM PUBLIC");
      }
      return;
    }
    revoke_from_public(name, *found, {});
  }

  // --- what the fleet had once

  void plan_retired() {
    for (const RoleImage& role : image_.roles) {
      if (desired_.role(role.name) != nullptr || !is_ours(role.comment)) continue;
      std::int64_t schemas = 0;
      for (const auto& [database, content] : image_.contents) {
        for (const SchemaImage& schema : content.schemas) {
          if (schema.owner != role.name || schema.comment != mark() + role.name) continue;
          if (schema.objects != 0) {
            plan_.notes.push_back(schema.name + " of " + database + " is in no fleet file any more, and holds " +
                                  std::to_string(schema.objects) + " objects: it is dropped when it is empty");
            continue;
          }
          ++schemas;
          add(Phase::contents, Effect::drop, database, "DROP SCHEMA " + name_sql(schema.name),
              "in no fleet file any more")
              .confirm = true;
        }
      }
      if (role.owned_objects > schemas) {
        if (!role.login) continue;
        add(Phase::roles, Effect::take_away, "", "ALTER ROLE " + name_sql(role.name) + " NOLOGIN",
            "in no fleet file any more; it still owns " + std::to_string(role.owned_objects) + " objects")
            .confirm = true;
        continue;
      }
      for (const DesiredDatabase& database : desired_.databases) {
        if (image_.database(database.name) == nullptr) continue;
        add(Phase::contents, Effect::drop, database.name, "DROP OWNED BY " + name_sql(role.name),
            "its privileges; it owns nothing")
            .confirm = true;
      }
      add(Phase::retire, Effect::drop, "", "DROP ROLE " + name_sql(role.name), "in no fleet file any more")
          .confirm = true;
    }
  }

  // --- who may connect in plain text

  void plan_tls() {
    if (!image_.hba) return;
    std::vector<std::string> lines;
    bool open = false;
    for (const DesiredDatabase& database : desired_.databases) {
      for (const std::string& name : database.connect) {
        const DesiredRole* role = desired_.role(name);
        if (role == nullptr || !role->tls_only) continue;
        lines.push_back("hostnossl " + name_sql(database.name) + " " + name_sql(name) + " all reject");
        const HbaRule* rule = plain_text_rule(*image_.hba, database.name, name);
        if (rule == nullptr) continue;
        open = true;
        plan_.notes.push_back(name + " may connect to " + database.name + " without TLS, by line " +
                              std::to_string(rule->line) +
                              " of pg_hba.conf: apply --hba puts this line before it: " + lines.back());
      }
    }
    if (!open) return;
    const auto ssl = image_.parameters.find("ssl");
    if (ssl != image_.parameters.end() && ssl->second == "off") {
      plan_.notes.emplace_back(
          "the server offers no TLS: ssl = on, with ssl_cert_file and ssl_key_file, comes first");
      return;
    }
    plan_.hba_lines = std::move(lines);
  }

  const DesiredServer& desired_;
  const ServerImage& image_;
  const PlanOptions& options_;
  Plan plan_;
};

}  // namespace

std::size_t Plan::held_back() const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(steps, &Step::confirm));
}

PlanOptions plan_options() {
  PlanOptions options;
  options.verifier = [](const Secret& password) {
    auto salt = protocol::crypto::random_bytes(kSaltSize);
    if (!salt) throw Error(ErrorKind::Unavailable, "OpenSSL has no random bytes");
    return protocol::ScramVerifier::make(password, *std::move(salt), kIterations).text();
  };
  options.fits = [](const Secret& stored, const Secret& password) {
    const auto parsed = protocol::ScramVerifier::parse(stored.reveal());
    if (!parsed.ok()) return false;
    const auto same = protocol::ScramVerifier::make(password, parsed->salt, parsed->iterations);
    return same.stored_key == parsed->stored_key && same.server_key == parsed->server_key;
  };
  return options;
}

Plan make_plan(const DesiredServer& desired, const ServerImage& image, const PlanOptions& options) {
  return Planner(desired, image, options).run();
}

}  // namespace switchyard::inline v0::provision

#include <switchyard/provision/catalogue_reader.hpp>

#include <switchyard/provision/audit_queries.hpp>

#include <array>
#include <utility>

namespace switchyard::inline v0::provision {

namespace {

// Privileges of others than the owner, as Privilege::parse() reads them: $ACL(column, 'type', owner).
std::string with_privileges(std::string text) {
  static constexpr std::string_view kMark = "$ACL(";
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
    const std::size_t end = text.find(')', at);
    std::string inside = text.substr(at + kMark.size(), end - at - kMark.size());
    std::array<std::string, 3> parts;
    std::size_t from = 0;
    for (std::string& part : parts) {
      const std::size_t comma = inside.find(',', from);
      part = inside.substr(from, comma == std::string::npos ? comma : comma - from);
      from = comma + 1;
    }
    const std::string acl =
        parts[1].empty() ? parts[0] : "coalesce(" + parts[0] + ", acldefault(" + parts[1] + ", " + parts[2] + "))";
    const std::string sql =
        "ARRAY(SELECT e.privilege_type || CASE WHEN e.is_grantable THEN '*' ELSE '' END || ' ' || "
        "CASE e.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(e.grantee) END FROM aclexplode(" +
        acl + ") e WHERE e.grantee <> " + parts[2] + " ORDER BY 1)";
    text.replace(at, end + 1 - at, sql);
    at += sql.size();
  }
  return text;
}

Privileges privileges_of(const std::vector<std::string>& texts) {
  Privileges all;
  for (const std::string& one : texts) all.push_back(Privilege::parse(one));
  return all;
}

struct RoleRow {
  std::string name;
  bool superuser, create_role, create_database, login, replication, bypass_rls, inherit;
  std::int32_t connection_limit;
  std::string comment;
  std::int64_t owned;
  bool administered, acted_as;
};
constexpr std::string_view kRoles = R"(
SELECT r.rolname::text AS name, r.rolsuper AS superuser, r.rolcreaterole AS create_role, r.rolcreatedb AS create_database,
       r.rolcanlogin AS login, r.rolreplication AS replication, r.rolbypassrls AS bypass_rls, r.rolinherit AS inherit,
       r.rolconnlimit AS connection_limit,
       coalesce(shobj_description(r.oid, 'pg_authid'), '') AS comment,
       (SELECT count(*) FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
          AND d.classid <> 'pg_default_acl'::regclass) AS owned,
       me.rolsuper OR me.rolcreaterole AND NOT r.rolsuper AND (current_setting('server_version_num')::int < 160000
         OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')) AS administered,
       pg_has_role(me.oid, r.oid, 'USAGE') AND CASE WHEN current_setting('server_version_num')::int < 160000 THEN true
         ELSE pg_has_role(me.oid, r.oid, 'SET') END AS acted_as
FROM pg_roles me, pg_roles r WHERE me.rolname = current_user AND r.rolname !~ '^pg_' ORDER BY 1)";

struct MembershipRow {
  std::string role, member;
  bool admin;
};
// Who is granted twice (by two grantors, since PostgreSQL 16) is there once.
constexpr std::string_view kMemberships = R"(
SELECT pg_get_userbyid(roleid)::text AS role, pg_get_userbyid(member)::text AS member, bool_or(admin_option) AS admin
FROM pg_auth_members WHERE pg_get_userbyid(member) !~ '^pg_' GROUP BY 1, 2 ORDER BY 1, 2)";

struct DatabaseRow {
  std::string name, owner;
  bool allows;
  std::int64_t connection_limit;
  std::vector<std::string> acl;
};
constexpr std::string_view kDatabases = R"(
SELECT datname::text AS name, pg_get_userbyid(datdba)::text AS owner, datallowconn AS allows, datconnlimit::bigint AS connection_limit,
       $ACL(datacl,'d',datdba) AS acl
FROM pg_database ORDER BY 1)";

struct SettingRow {
  std::string role, database, name, value;
};
constexpr std::string_view kSettings = R"(
SELECT CASE setrole WHEN 0 THEN '' ELSE pg_get_userbyid(setrole)::text END AS role,
       coalesce((SELECT datname::text FROM pg_database d WHERE d.oid = setdatabase), '') AS database,
       split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
FROM pg_db_role_setting, unnest(setconfig) c ORDER BY 1, 2, 3)";

struct SessionRow {
  std::string role, database, address;
  bool tls;
  std::int64_t count;
};
constexpr std::string_view kSessions = R"(
SELECT coalesce(a.usename::text, '') AS role, coalesce(a.datname::text, '') AS database, coalesce(host(a.client_addr), '') AS address,
       coalesce(s.ssl, false) AS tls, count(*) AS count
FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s USING (pid)
WHERE a.pid <> pg_backend_pid() AND a.usename IS NOT NULL AND a.backend_type = 'client backend' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4)";

struct HbaRow {
  std::int32_t line;
  std::string type;
  std::vector<std::string> databases, users;
  std::string address, netmask, method;
};
constexpr std::string_view kHba = R"(
SELECT line_number AS line, type, database AS databases, user_name AS users, coalesce(address, '') AS address,
       coalesce(netmask, '') AS netmask, auth_method AS method
FROM pg_hba_file_rules WHERE error IS NULL ORDER BY line_number)";

struct ParameterRow {
  std::string name, value;
};
constexpr std::string_view kParameters = R"(
SELECT name, coalesce(setting, '') AS value FROM pg_settings
WHERE name IN ('listen_addresses', 'ssl', 'password_encryption', 'max_connections', 'log_statement', 'log_connections',
               'lo_compat_privileges', 'shared_preload_libraries', 'log_line_prefix', 'data_directory_mode'))";

struct SchemaRow {
  std::string name, owner, comment;
  std::vector<std::string> acl;
  std::int64_t objects;
  bool extensions;
};
constexpr std::string_view kSchemas = R"(
SELECT n.nspname::text AS name, pg_get_userbyid(n.nspowner)::text AS owner, coalesce(obj_description(n.oid, 'pg_namespace'), '') AS comment,
       $ACL(n.nspacl,'n',n.nspowner) AS acl,
       (SELECT count(*) FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n') AS objects,
       EXISTS (SELECT FROM pg_extension e WHERE e.extnamespace = n.oid) AS extensions
FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1)";

struct ObjectRow {
  std::string kind, schema, identity, keyword, owner;
  bool extension, follows, security_definer;
  std::vector<std::string> acl;
};
constexpr std::string_view kObjects = R"(
WITH n AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname::text AS schema,
       format('%I.%I', n.nspname, c.relname) AS identity,
       CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS keyword,
       pg_get_userbyid(c.relowner)::text AS owner,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') AS extension,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                 AND d.refclassid = 'pg_class'::regclass AND c.relkind = 'S') AS follows,
       false AS security_definer,
       CASE c.relkind WHEN 'S' THEN $ACL(c.relacl,'s',c.relowner) ELSE $ACL(c.relacl,'r',c.relowner) END AS acl
FROM pg_class c JOIN n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT 'routine', n.nspname::text, format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, pg_get_userbyid(p.proowner)::text,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'), false, p.prosecdef,
       $ACL(p.proacl,'f',p.proowner)
FROM pg_proc p JOIN n ON n.oid = p.pronamespace
UNION ALL
SELECT 'type', n.nspname::text, format('%I.%I', n.nspname, t.typname), CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
       pg_get_userbyid(t.typowner)::text,
       EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'), false, false,
       ARRAY[]::text[]
FROM pg_type t JOIN n ON n.oid = t.typnamespace
WHERE t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND (SELECT relkind FROM pg_class c WHERE c.oid = t.typrelid) = 'c')
ORDER BY 2, 1, 3)";

struct DefaultRow {
  std::string role, schema, type;
  std::vector<std::string> acl;
};
constexpr std::string_view kDefaults = R"(
SELECT pg_get_userbyid(defaclrole)::text AS role, coalesce((SELECT nspname::text FROM pg_namespace n WHERE n.oid = defaclnamespace), '') AS schema,
       defaclobjtype::text AS type, $ACL(defaclacl,,defaclrole) AS acl
FROM pg_default_acl ORDER BY 1, 2, 3)";

constexpr std::string_view kLargeObjects = R"(
SELECT bool_or(has_function_privilege('public', p.oid, 'EXECUTE')) FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea'))";

ObjectKind kind_of(const std::string& word) {
  return word == "table"      ? ObjectKind::table
         : word == "sequence" ? ObjectKind::sequence
         : word == "routine"  ? ObjectKind::routine
                              : ObjectKind::type;
}

struct FactRow {
  std::string rule, object, text, fix;
};

struct PasswordRow {
  std::string name, stored;
};

struct Self {
  std::int32_t version;
  std::string name;
  bool superuser;
};

}  // namespace

Task<ServerImage> read_server(Querier& querier) {
  ServerImage image;
  const Self self = co_await querier.query_one<Self>(
      "SELECT current_setting('server_version_num')::int AS version, current_user::text AS name, rolsuper AS "
      "superuser FROM "
      "pg_roles WHERE rolname = current_user");
  image.version = self.version;
  image.current_user = self.name;
  image.superuser = self.superuser;
  for (RoleRow& row : co_await querier.query<RoleRow>(kRoles)) {
    RoleImage& role = image.roles.emplace_back();
    role.name = std::move(row.name);
    role.superuser = row.superuser;
    role.create_role = row.create_role;
    role.create_database = row.create_database;
    role.login = row.login;
    role.replication = row.replication;
    role.bypass_rls = row.bypass_rls;
    role.inherit = row.inherit;
    role.connection_limit = row.connection_limit;
    role.comment = std::move(row.comment);
    role.owned_objects = row.owned;
    role.administered = row.administered;
    role.acted_as = row.acted_as;
  }
  if (image.superuser) {
    const auto rows = co_await querier.query<PasswordRow>(
        "SELECT rolname::text AS name, coalesce(rolpassword, '') AS stored FROM pg_authid WHERE rolname !~ '^pg_'");
    for (const PasswordRow& row : rows) {
      for (RoleImage& role : image.roles) {
        if (role.name == row.name) role.stored_password = Secret(row.stored);
      }
    }
    auto& rules = image.hba.emplace();
    for (HbaRow& row : co_await querier.query<HbaRow>(kHba)) {
      rules.push_back({row.line, std::move(row.type), std::move(row.databases), std::move(row.users),
                       std::move(row.address), std::move(row.netmask), std::move(row.method)});
    }
  }
  for (MembershipRow& row : co_await querier.query<MembershipRow>(kMemberships)) {
    image.memberships.push_back({std::move(row.role), std::move(row.member), row.admin});
  }
  for (DatabaseRow& row : co_await querier.query<DatabaseRow>(with_privileges(std::string(kDatabases)))) {
    image.databases.push_back(
        {std::move(row.name), std::move(row.owner), row.allows, row.connection_limit, privileges_of(row.acl)});
  }
  for (SettingRow& row : co_await querier.query<SettingRow>(kSettings)) {
    image.settings.push_back(
        {std::move(row.role), std::move(row.database), std::move(row.name), std::move(row.value)});
  }
  for (SessionRow& row : co_await querier.query<SessionRow>(kSessions)) {
    image.sessions.push_back(
        {std::move(row.role), std::move(row.database), std::move(row.address), row.tls, row.count});
  }
  for (ParameterRow& row : co_await querier.query<ParameterRow>(kParameters)) {
    image.parameters.emplace(std::move(row.name), std::move(row.value));
  }
  for (FactRow& row : co_await querier.query<FactRow>(server_facts_query())) {
    image.facts.push_back({std::move(row.rule), std::move(row.object), std::move(row.text), std::move(row.fix)});
  }
  co_return image;
}

Task<ContentImage> read_contents(Querier& querier, std::string database) {
  ContentImage image;
  image.database = std::move(database);
  for (SchemaRow& row : co_await querier.query<SchemaRow>(with_privileges(std::string(kSchemas)))) {
    image.schemas.push_back({std::move(row.name), std::move(row.owner), std::move(row.comment),
                             privileges_of(row.acl), row.objects, row.extensions});
  }
  for (ObjectRow& row : co_await querier.query<ObjectRow>(with_privileges(std::string(kObjects)))) {
    image.objects.push_back({kind_of(row.kind), std::move(row.schema), std::move(row.identity),
                             std::move(row.keyword), std::move(row.owner), row.extension, row.follows,
                             row.security_definer, privileges_of(row.acl)});
  }
  for (DefaultRow& row : co_await querier.query<DefaultRow>(with_privileges(std::string(kDefaults)))) {
    image.defaults.push_back({std::move(row.role), std::move(row.schema), row.type.empty() ? 'r' : row.type.front(),
                              privileges_of(row.acl)});
  }
  image.anybody_makes_large_objects = co_await querier.query_value<bool>(kLargeObjects);
  for (FactRow& row : co_await querier.query<FactRow>(content_facts_query())) {
    image.facts.push_back({std::move(row.rule), std::move(row.object), std::move(row.text), std::move(row.fix)});
  }
  co_return image;
}

}  // namespace switchyard::inline v0::provision

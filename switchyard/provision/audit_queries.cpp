#include <switchyard/provision/audit_queries.hpp>

namespace switchyard::inline v0::provision {

namespace {

// Roles that have powers by themselves or through a predefined role, parameters, tablespaces.
constexpr std::string_view kServer = R"(
SELECT 'predefined-role' AS rule, format('%I', u.rolname) AS object,
       format('%s is a member of %s', u.rolname, g.rolname) AS text, format('REVOKE %I FROM %I', g.rolname, u.rolname) AS fix
FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
WHERE g.rolname ~ '^pg_' AND u.rolname !~ '^pg_' AND NOT u.rolsuper
UNION ALL
SELECT 'parameter', format('%I', pg_get_userbyid(e.grantee)), format('%s may %s %s', CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(e.grantee)::text END, e.privilege_type, p.parname),
       format('REVOKE %s ON PARAMETER %s FROM %s', e.privilege_type, p.parname, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(e.grantee)) END)
FROM pg_parameter_acl p, aclexplode(p.paracl) e LEFT JOIN pg_roles r ON r.oid = e.grantee WHERE NOT coalesce(r.rolsuper, false)
UNION ALL
SELECT 'tablespace', format('%I', t.spcname), format('%s may create in tablespace %s', CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(e.grantee)::text END, t.spcname),
       format('REVOKE CREATE ON TABLESPACE %I FROM %s', t.spcname, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(e.grantee)) END)
FROM pg_tablespace t, aclexplode(t.spcacl) e LEFT JOIN pg_roles r ON r.oid = e.grantee WHERE NOT coalesce(r.rolsuper, false)
ORDER BY 1, 2, 3)";

// $PUBLIC(oid): the role's name, or PUBLIC.
constexpr std::string_view kContents = R"(
WITH n AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
who AS (SELECT oid, format('%I', rolname) AS name, rolname::text AS plain, rolsuper FROM pg_roles UNION ALL SELECT 0, 'PUBLIC', 'PUBLIC', false),
own AS (SELECT oid FROM pg_extension),
member AS (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e')
SELECT 'cross-schema-key' AS rule, format('%s.%I', c.conrelid::regclass, c.conname) AS object,
       format('foreign key %s of %s refers to %s, in another schema', c.conname, c.conrelid::regclass, c.confrelid::regclass) AS text,
       format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname) AS fix
FROM pg_constraint c JOIN pg_class a ON a.oid = c.conrelid JOIN pg_class b ON b.oid = c.confrelid
WHERE c.contype = 'f' AND a.relnamespace <> b.relnamespace AND c.conparentid = 0
UNION ALL
SELECT DISTINCT 'cross-schema-view', v.oid::regclass::text, format('view %s reads %s, in another schema, with the rights of %s', v.oid::regclass, t.oid::regclass, pg_get_userbyid(v.relowner)),
       format('DROP %sVIEW %s', CASE v.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END, v.oid::regclass)
FROM pg_class v JOIN n ON n.oid = v.relnamespace JOIN pg_rewrite w ON w.ev_class = v.oid
JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
JOIN pg_class t ON t.oid = d.refobjid JOIN n tn ON tn.oid = t.relnamespace
WHERE v.relkind IN ('v', 'm') AND t.relnamespace <> v.relnamespace AND NOT EXISTS (SELECT FROM member m WHERE m.objid = v.oid)
UNION ALL
SELECT 'security-definer', p.oid::regprocedure::text,
       format('%s runs with the rights of %s', p.oid::regprocedure, pg_get_userbyid(p.proowner))
         || CASE WHEN EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%') THEN '' ELSE ', with whatever search_path its caller has' END
         || coalesce('; ' || (SELECT string_agg(DISTINCT w.plain, ', ') FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e JOIN who w ON w.oid = e.grantee WHERE e.grantee <> p.proowner) || ' may execute it', ''),
       format('ALTER ROUTINE %s SECURITY INVOKER', p.oid::regprocedure)
FROM pg_proc p JOIN n ON n.oid = p.pronamespace
WHERE p.prosecdef AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
UNION ALL
SELECT 'superuser-object', p.oid::regprocedure::text, format('%s is an untrusted function', p.oid::regprocedure), format('DROP ROUTINE %s', p.oid::regprocedure)
FROM pg_proc p JOIN n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE NOT l.lanpltrusted AND l.lanname NOT IN ('internal', 'c', 'sql') AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
UNION ALL
SELECT 'column-grant', format('%s.%I', c.oid::regclass, a.attname), format('%s may %s column %s of %s', w.plain, e.privilege_type, a.attname, c.oid::regclass),
       format('REVOKE %s (%I) ON %s FROM %s', e.privilege_type, a.attname, c.oid::regclass, w.name)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN n ON n.oid = c.relnamespace, aclexplode(a.attacl) e JOIN who w ON w.oid = e.grantee
WHERE e.grantee <> c.relowner AND NOT w.rolsuper
UNION ALL
SELECT 'large-object', format('large object %s', l.oid), format('%s may %s large object %s of %s', w.plain, e.privilege_type, l.oid, pg_get_userbyid(l.lomowner)),
       format('REVOKE %s ON LARGE OBJECT %s FROM %s', e.privilege_type, l.oid, w.name)
FROM pg_largeobject_metadata l, aclexplode(l.lomacl) e JOIN who w ON w.oid = e.grantee WHERE e.grantee <> l.lomowner AND NOT w.rolsuper
UNION ALL
SELECT 'language', l.lanname::text, format('%s may write functions in %s', w.plain, l.lanname), format('REVOKE USAGE ON LANGUAGE %I FROM %s', l.lanname, w.name)
FROM pg_language l, aclexplode(l.lanacl) e JOIN who w ON w.oid = e.grantee WHERE e.grantee <> l.lanowner AND NOT w.rolsuper AND NOT (l.lanname = 'plpgsql')
UNION ALL
SELECT 'foreign-data', format('%I', f.fdwname), format('%s may use foreign-data wrapper %s', w.plain, f.fdwname), format('REVOKE USAGE ON FOREIGN DATA WRAPPER %I FROM %s', f.fdwname, w.name)
FROM pg_foreign_data_wrapper f, aclexplode(f.fdwacl) e JOIN who w ON w.oid = e.grantee WHERE e.grantee <> f.fdwowner AND NOT w.rolsuper
UNION ALL
SELECT 'foreign-data', format('%I', s.srvname), format('%s may use foreign server %s', w.plain, s.srvname), format('REVOKE USAGE ON FOREIGN SERVER %I FROM %s', s.srvname, w.name)
FROM pg_foreign_server s, aclexplode(s.srvacl) e JOIN who w ON w.oid = e.grantee WHERE e.grantee <> s.srvowner AND NOT w.rolsuper
UNION ALL
SELECT 'foreign-data', format('%I', s.srvname), format('%s reaches foreign server %s', CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(m.umuser)::text END, s.srvname),
       format('DROP USER MAPPING FOR %s SERVER %I', CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(m.umuser)) END, s.srvname)
FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid WHERE m.umuser = 0 OR NOT (SELECT rolsuper FROM pg_roles r WHERE r.oid = m.umuser)
UNION ALL
SELECT 'extension', format('%I', e.extname), format('extension %s reaches beyond the database', e.extname), format('DROP EXTENSION %I', e.extname)
FROM pg_extension e WHERE e.extname IN ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'plpython3u', 'plperlu', 'pltclu')
  AND EXISTS (SELECT FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND d.refobjid = e.oid
              WHERE has_function_privilege('public', p.oid, 'EXECUTE'))
UNION ALL
SELECT 'event-trigger', format('%I', t.evtname), format('event trigger %s runs at %s, with the rights of whoever does that', t.evtname, t.evtevent), format('DROP EVENT TRIGGER %I', t.evtname)
FROM pg_event_trigger t WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid)
UNION ALL
SELECT 'foreign-trigger', format('%s.%I', t.tgrelid::regclass, t.tgname), format('trigger %s of %s calls a function of another schema, %s', t.tgname, t.tgrelid::regclass, t.tgfoid::regprocedure),
       format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN n ON n.oid = c.relnamespace JOIN pg_proc p ON p.oid = t.tgfoid JOIN n pn ON pn.oid = p.pronamespace
WHERE NOT t.tgisinternal AND pn.oid <> n.oid
ORDER BY 1, 2, 3)";

}  // namespace

std::string_view server_facts_query() noexcept { return kServer; }
std::string_view content_facts_query() noexcept { return kContents; }

}  // namespace switchyard::inline v0::provision

#include <switchyard/move/schema_rest.hpp>

#include <switchyard/move/refusal.hpp>
#include <switchyard/move/structure.hpp>

#include <string_view>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kTables = R"(
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') ORDER BY 1)";

/// Views that refuse in the places of what was moved away before are none.
constexpr std::string_view kDependents = R"(
WITH RECURSIVE node AS (
  SELECT c.oid, 'pg_class'::regclass AS class, c.relkind::text AS kind, c.relname::text AS name, '' AS arguments, '' AS head
  FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('v', 'm') AND NOT EXISTS (SELECT FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
    JOIN pg_proc m ON m.oid = d.refobjid WHERE w.ev_class = c.oid AND m.pronamespace = to_regnamespace('switchyard'))
  UNION ALL
  SELECT p.oid, 'pg_proc'::regclass, p.prokind::text, p.proname::text,
    format('(%s)', (SELECT string_agg(format_type(t, NULL), ', ' ORDER BY place)
      FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u(t, place))),
    format('(%s)%s', pg_get_function_arguments(p.oid), ' RETURNS ' || pg_get_function_result(p.oid))
  FROM pg_proc p WHERE p.pronamespace = $1::text::regnamespace AND p.prokind IN ('f', 'p') AND p.prosqlbody IS NOT NULL
), edge AS (
  SELECT DISTINCT r.ev_class AS oid, d.refclassid, d.refobjid FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refobjid <> r.ev_class
  UNION
  SELECT d.objid, d.refclassid, d.refobjid FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
), level(oid, class, n) AS (
  SELECT oid, class, 0 FROM node
  UNION
  SELECT node.oid, node.class, level.n + 1 FROM level JOIN edge ON edge.refclassid = level.class AND edge.refobjid = level.oid
    JOIN node ON node.oid = edge.oid
)
SELECT node.kind, n.nspname::text, node.name, node.arguments, node.head
FROM node JOIN level USING (oid, class), pg_namespace n
WHERE n.oid = $1::text::regnamespace AND (node.class = 'pg_class'::regclass OR level.n > 0 OR EXISTS (SELECT FROM edge JOIN pg_class c
  ON c.oid = edge.refobjid AND edge.refclassid = 'pg_class'::regclass WHERE edge.oid = node.oid AND c.relnamespace = n.oid))
GROUP BY 1, 2, 3, 4, 5 ORDER BY max(level.n), 3, 4)";

constexpr std::string_view kFreeSequences = R"(
SELECT n.nspname::text, s.relname::text,
  format('AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s %s', format_type(q.seqtypid, NULL),
    q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid
WHERE n.oid = $1::text::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i'))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = s.oid)
ORDER BY 2)";

/// Objects of the schema that refer to others, as pg_depend names them, and how people do. `$1` is the schema.
constexpr std::string_view kOwn = R"(
WITH own(classid, objid, text) AS (
  SELECT 'pg_rewrite'::regclass::oid, r.oid, format('%s %s', CASE c.relkind WHEN 'm' THEN 'the materialized view'
    WHEN 'v' THEN 'the view' ELSE 'a rule of' END, c.oid::regclass)
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = $1::text::regnamespace AND NOT EXISTS (SELECT FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
    JOIN pg_proc m ON m.oid = d.refobjid WHERE w.ev_class = c.oid AND m.pronamespace = to_regnamespace('switchyard'))
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid, format('%s %s', CASE p.prokind WHEN 'p' THEN 'the procedure' ELSE 'the function' END,
    p.oid::regprocedure) FROM pg_proc p WHERE p.pronamespace = $1::text::regnamespace
  UNION ALL
  SELECT 'pg_attrdef'::regclass, f.oid, format('the default of %s', f.adrelid::regclass)
    FROM pg_attrdef f JOIN pg_class c ON c.oid = f.adrelid WHERE c.relnamespace = $1::text::regnamespace
  UNION ALL
  SELECT 'pg_constraint'::regclass, k.oid, format('the constraint %s', k.conname)
    FROM pg_constraint k WHERE k.connamespace = $1::text::regnamespace AND k.contype <> 'f'
  UNION ALL
  SELECT 'pg_trigger'::regclass, g.oid, format('the trigger %s of %s', g.tgname, g.tgrelid::regclass) FROM pg_trigger g
    JOIN pg_class c ON c.oid = g.tgrelid WHERE c.relnamespace = $1::text::regnamespace AND NOT g.tgisinternal
  UNION ALL
  SELECT 'pg_class'::regclass, c.oid, format('%s', c.oid::regclass)
    FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind NOT IN ('S', 'c')
), reference AS (
  SELECT own.classid, own.objid, own.text, d.refclassid, d.refobjid, coalesce(c.relnamespace, p.pronamespace, t.typnamespace) AS namespace,
    (SELECT x.extname::text FROM pg_depend e JOIN pg_extension x ON x.oid = e.refobjid WHERE e.classid = d.refclassid
       AND e.objid = d.refobjid AND e.deptype = 'e') AS extension
  FROM own JOIN pg_depend d USING (classid, objid)
  LEFT JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
  LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
  LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
)
)";

constexpr std::string_view kExtensions = "SELECT DISTINCT extension FROM reference WHERE extension IS NOT NULL";

/// Types of columns that are outside are made at the target, as for every table; so are functions of triggers.
constexpr std::string_view kOutside = R"(
SELECT DISTINCT format('%s refers to %s', text, pg_describe_object(refclassid, refobjid, 0)),
  'a schema is split off as a whole: move that into it, or take the reference out'
FROM reference JOIN pg_namespace n ON n.oid = namespace
WHERE extension IS NULL AND namespace <> $1::text::regnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND CASE classid WHEN 'pg_class'::regclass THEN refclassid = 'pg_proc'::regclass
    WHEN 'pg_attrdef'::regclass THEN refclassid = 'pg_proc'::regclass
    WHEN 'pg_trigger'::regclass THEN refclassid = 'pg_proc'::regclass AND false
    WHEN 'pg_constraint'::regclass THEN refclassid = 'pg_proc'::regclass ELSE true END
ORDER BY 1)";

/// From outside to what stands aside.
constexpr std::string_view kFromOutside = R"(
SELECT DISTINCT format('%s refers to %s', CASE WHEN c.oid IS NOT NULL THEN format('the view %s', c.oid::regclass)
    ELSE format('the function %s', p.oid::regprocedure) END, pg_describe_object(d.refclassid, d.refobjid, 0)),
  'drop it first, and make it again where the schema is'
FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class c ON c.oid = r.ev_class
LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
LEFT JOIN pg_class rc ON d.refclassid = 'pg_class'::regclass AND rc.oid = d.refobjid
LEFT JOIN pg_proc rp ON d.refclassid = 'pg_proc'::regclass AND rp.oid = d.refobjid AND rp.prosqlbody IS NOT NULL
WHERE coalesce(c.relnamespace, p.pronamespace) <> $1::text::regnamespace
  AND coalesce(rc.relnamespace, rp.pronamespace) = $1::text::regnamespace
UNION ALL
SELECT format('the schema is a part of the publication %s', pubname),
  format('ALTER PUBLICATION %I DROP TABLES IN SCHEMA %s', pubname, $1::text)
FROM pg_publication_namespace JOIN pg_publication p ON p.oid = pnpubid WHERE pnnspid = $1::text::regnamespace
ORDER BY 1)";

constexpr std::string_view kNotMoved = R"(
SELECT format('%s is not moved: ' || CASE WHEN classid = 'pg_proc'::regclass THEN 'aggregates and window functions are not'
    WHEN classid = 'pg_type'::regclass THEN 'ranges and base types are not' ELSE 'only tables, views, sequences, types and functions are' END,
    pg_describe_object(classid, objid, 0)), 'drop it first, and make it again where the schema is'
FROM (SELECT 'pg_proc'::regclass::oid AS classid, oid AS objid FROM pg_proc WHERE pronamespace = $1::text::regnamespace AND prokind IN ('a', 'w')
  UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = $1::text::regnamespace AND typtype IN ('r', 'b')
    AND typcategory <> 'A'
  UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace = $1::text::regnamespace
  UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE collnamespace = $1::text::regnamespace
  UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config WHERE cfgnamespace = $1::text::regnamespace
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict WHERE dictnamespace = $1::text::regnamespace) x
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = x.classid AND e.objid = x.objid AND e.deptype = 'e')
UNION ALL
SELECT format('the extension %s is in the schema', extname), format('ALTER EXTENSION %I SET SCHEMA ...', extname)
FROM pg_extension WHERE extnamespace = $1::text::regnamespace
ORDER BY 1)";

/// Of functions whose body is text: what is written there with its schema, or is found by search_path behind a word
/// that a table follows. Comments don't count.
constexpr std::string_view kWritten = R"(
WITH body AS (
  SELECT p.oid, lower(regexp_replace(p.prosrc, '--[^\n]*|/\*.*?\*/', ' ', 'g')) AS text,
    (SELECT split_part(s, '=', 2) FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%') AS path
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.pronamespace = $1::text::regnamespace AND p.prosqlbody IS NULL AND l.lanname IN ('sql', 'plpgsql')
), there AS (
  SELECT c.relname AS name, n.nspname AS schema, 'pg_class'::regclass AS class, c.oid FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S')
  UNION ALL
  SELECT p.proname, n.nspname, 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
), other AS (
  SELECT name, schema, class, oid, regexp_replace(lower(name), '([^a-z0-9_])', '\\\1', 'g') AS n,
    regexp_replace(lower(schema), '([^a-z0-9_])', '\\\1', 'g') AS s
  FROM there WHERE schema::text NOT IN ('pg_catalog', 'information_schema', 'switchyard') AND schema !~ '^(pg_|switchyard_)'
    AND schema <> (SELECT nspname FROM pg_namespace WHERE oid = $1::text::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = class AND e.objid = there.oid AND e.deptype = 'e')
)
SELECT DISTINCT format('the function %s names %s.%s', body.oid::regprocedure, other.schema, other.name),
  'a schema is split off as a whole: move that into it, or take it out of the function'
FROM body JOIN other ON position(lower(other.name) IN body.text) > 0 AND (
  body.text ~ format('\m%s"?\s*\.\s*"?%s\M', s, n)
  OR other.class = 'pg_class'::regclass AND coalesce(body.path, 'public') ~ format('\m%s\M', s)
    AND body.text ~ format('\m(from|join|into|update|only|table)\s+"?%s\M"?(?!\s*[.(])', n)
    AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = other.name AND c.relnamespace = $1::text::regnamespace))
ORDER BY 1)";

constexpr std::string_view kTypes = R"(
SELECT CASE t.typtype
  WHEN 'e' THEN format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname,
    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
  WHEN 'd' THEN format('CREATE DOMAIN %I.%I AS %s%s%s%s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
    coalesce(' DEFAULT ' || t.typdefault, ''), CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END,
    coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), '' ORDER BY oid)
      FROM pg_constraint WHERE contypid = t.oid AND contype = 'c'), ''))
  ELSE format('CREATE TYPE %I.%I AS (%s)', n.nspname, t.typname, (SELECT string_agg(format('%I %s', a.attname,
      format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)) END
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE n.oid = $1::text::regnamespace AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY t.oid)";

constexpr std::string_view kFunctions = R"(
SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = $1::text::regnamespace AND p.prokind IN ('f', 'p')
ORDER BY p.oid)";

/// The role that must be there, and the statement.
constexpr std::string_view kRest = R"(
WITH seen AS (SELECT c.oid, c.relkind, c.relowner, c.relacl, c.reloptions, c.relispopulated,
    CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END AS word
  FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('v', 'm') AND NOT EXISTS (SELECT FROM pg_rewrite w
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
    JOIN pg_proc m ON m.oid = d.refobjid WHERE w.ev_class = c.oid AND m.pronamespace = to_regnamespace('switchyard'))),
own AS (SELECT * FROM pg_proc p WHERE p.pronamespace = $1::text::regnamespace AND p.prokind IN ('f', 'p')),
sequence AS (SELECT c.oid, c.relowner, c.relacl FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace AND c.relkind = 'S'),
types AS (SELECT t.oid, t.typowner, t.typacl, CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS word FROM pg_type t
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE t.typnamespace = $1::text::regnamespace AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND c.relkind = 'c')),
granted AS (
  SELECT 'FUNCTION' AS word, p.oid::regprocedure::text AS name, p.proowner AS owner, p.proacl AS acl, 'f'::"char" AS kind FROM own p WHERE prokind = 'f'
  UNION ALL SELECT 'PROCEDURE', p.oid::regprocedure::text, p.proowner, p.proacl, 'f' FROM own p WHERE prokind = 'p'
  UNION ALL SELECT 'TABLE', oid::regclass::text, relowner, relacl, 'r' FROM seen
  UNION ALL SELECT 'SEQUENCE', oid::regclass::text, relowner, relacl, 's' FROM sequence
  UNION ALL SELECT word, format_type(oid, NULL), typowner, typacl, 'T' FROM types
  UNION ALL SELECT 'SCHEMA', quote_ident(nspname), nspowner, nspacl, 'n' FROM pg_namespace WHERE oid = $1::text::regnamespace)
SELECT role, text FROM (
SELECT 1 AS place, p.oid, '' AS role, pg_get_functiondef(p.oid) AS text FROM own p
UNION ALL
SELECT 2, oid, '', format('CREATE %s %s%s AS %s%s', CASE relkind WHEN 'v' THEN 'OR REPLACE VIEW' ELSE 'MATERIALIZED VIEW IF NOT EXISTS' END,
  oid::regclass, ' WITH (' || array_to_string(reloptions, ', ') || ')', rtrim(pg_get_viewdef(oid), ';'),
  CASE WHEN relkind = 'v' OR relispopulated THEN '' ELSE ' WITH NO DATA' END) FROM seen
UNION ALL
SELECT 3, i.indexrelid, '', pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN seen ON seen.oid = i.indrelid WHERE i.indisvalid
UNION ALL
SELECT 3, g.oid, '', pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN seen ON seen.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL
SELECT 3, r.oid, '', pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN seen ON seen.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 3, f.oid, '', format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', f.adrelid::regclass, a.attname, pg_get_expr(f.adbin, f.adrelid))
  FROM pg_attrdef f JOIN seen ON seen.oid = f.adrelid JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
UNION ALL
SELECT 4, d.objoid, '', CASE WHEN d.classoid = 'pg_proc'::regclass THEN format('COMMENT ON ROUTINE %s IS %L', d.objoid::regprocedure, d.description)
    WHEN d.classoid = 'pg_type'::regclass THEN format('COMMENT ON TYPE %s IS %L', format_type(d.objoid, NULL), d.description)
    WHEN d.classoid = 'pg_namespace'::regclass THEN format('COMMENT ON SCHEMA %s IS %L', d.objoid::regnamespace, d.description)
    WHEN d.objsubid <> 0 THEN format('COMMENT ON COLUMN %s.%I IS %L', d.objoid::regclass, (SELECT attname FROM pg_attribute
      WHERE attrelid = d.objoid AND attnum = d.objsubid), d.description)
    ELSE format('COMMENT ON %s %s IS %L', coalesce(seen.word, 'SEQUENCE'), d.objoid::regclass, d.description) END
  FROM pg_description d LEFT JOIN seen ON d.classoid = 'pg_class'::regclass AND seen.oid = d.objoid
  WHERE seen.oid IS NOT NULL OR d.classoid = 'pg_proc'::regclass AND d.objoid IN (SELECT oid FROM own)
    OR d.classoid = 'pg_class'::regclass AND d.objoid IN (SELECT oid FROM sequence)
    OR d.classoid = 'pg_type'::regclass AND d.objoid IN (SELECT oid FROM types)
    OR d.classoid = 'pg_namespace'::regclass AND d.objoid = $1::text::regnamespace
UNION ALL
SELECT 5, 0, pg_get_userbyid(owner)::text, format('ALTER %s %s OWNER TO %I', CASE word WHEN 'TABLE' THEN 'TABLE' ELSE word END,
  name, pg_get_userbyid(owner)) FROM granted WHERE word NOT IN ('SCHEMA', 'SEQUENCE')
UNION ALL
SELECT 5, s.oid, pg_get_userbyid(s.relowner)::text, format('ALTER SEQUENCE %s OWNER TO %I', s.oid::regclass, pg_get_userbyid(s.relowner))
  FROM sequence s WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT 6, 0, '', format('REVOKE ALL ON %s %s FROM PUBLIC', word, name) FROM granted
  WHERE acl IS NOT NULL AND kind IN ('f', 'T') AND NOT EXISTS (SELECT FROM aclexplode(acl) x WHERE x.grantee = 0)
UNION ALL
SELECT 7, 0, CASE WHEN x.grantee = 0 THEN '' ELSE pg_get_userbyid(x.grantee)::text END,
  format('GRANT %s ON %s %s TO %s%s', string_agg(x.privilege_type, ', '), word, name,
    CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
    CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM granted, aclexplode(acl) x WHERE x.grantee <> owner GROUP BY word, name, x.grantee, x.is_grantable
UNION ALL
SELECT 8, 0, pg_get_userbyid(a.defaclrole)::text, format('IF %s THEN ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %s'
    ' GRANT %s ON %s TO %s%s; END IF', CASE WHEN x.grantee = 0 THEN 'true' ELSE format(
      'EXISTS (SELECT FROM pg_roles WHERE rolname = %L)', pg_get_userbyid(x.grantee)) END,
    pg_get_userbyid(a.defaclrole), a.defaclnamespace::regnamespace, string_agg(x.privilege_type, ', '),
    CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES' END,
    CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
    CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_default_acl a, aclexplode(a.defaclacl) x WHERE a.defaclnamespace = $1::text::regnamespace
  AND (x.grantee = 0 OR EXISTS (SELECT FROM pg_roles WHERE oid = x.grantee))
GROUP BY a.defaclrole, a.defaclnamespace, a.defaclobjtype, x.grantee, x.is_grantable
) x ORDER BY place, oid)";

Task<void> all_names_qualified(Transaction& tx) { co_await tx.execute("SET LOCAL search_path = pg_catalog"); }

Task<void> refuse_all(Transaction& tx, std::string_view sql, const std::string& schema) {
  const auto found = co_await tx.query<std::tuple<std::string, std::string>>(sql, quote_name(schema));
  if (found.empty()) co_return;
  std::string all;
  for (const auto& [text, hint] : found) all += (all.empty() ? "" : "; ") + text;
  throw cant(all, std::get<1>(found.front()));
}

}  // namespace

Task<Texts> tables_of_schema(Transaction& tx, const std::string& schema) {
  co_return co_await tx.query<std::string>(kTables, schema);
}

Task<std::vector<Dependent>> dependents_of_schema(Transaction& tx, const std::string& schema) {
  co_await all_names_qualified(tx);
  std::vector<Dependent> out;
  using Row = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  for (const auto& [kind, where, name, arguments, head] : co_await tx.query<Row>(kDependents, quote_name(schema))) {
    out.push_back({static_cast<Dependent::Kind>(kind.front()), where, name, arguments, head});
  }
  co_return out;
}

Task<std::vector<SequencePlan>> free_sequences(Transaction& tx, const std::string& schema) {
  std::vector<SequencePlan> out;
  for (const auto& [where, name, options] :
       co_await tx.query<std::tuple<std::string, std::string, std::string>>(kFreeSequences, quote_name(schema))) {
    out.push_back({where, name, options, false});
  }
  co_return out;
}

Task<Texts> extensions_of_schema(Transaction& tx, const std::string& schema) {
  co_return co_await tx.query<std::string>(std::string(kOwn) + std::string(kExtensions), quote_name(schema));
}

Task<void> require_closed(Transaction& tx, const std::string& schema) {
  co_await all_names_qualified(tx);
  const std::string outside = std::string(kOwn) + std::string(kOutside);
  for (const std::string_view sql : {std::string_view(outside), kFromOutside, kWritten, kNotMoved}) {
    co_await refuse_all(tx, sql, schema);
  }
}

Task<Texts> read_schema_types(Transaction& tx, const std::string& schema) {
  co_await all_names_qualified(tx);
  co_return co_await tx.query<std::string>(kTypes, quote_name(schema));
}

Task<Texts> read_schema_functions(Transaction& tx, const std::string& schema) {
  co_await all_names_qualified(tx);
  co_return co_await tx.query<std::string>(kFunctions, quote_name(schema));
}

Task<Texts> read_schema_rest(Transaction& tx, const std::string& schema) {
  co_await all_names_qualified(tx);
  Texts out;
  for (auto& [role, text] : co_await tx.query<std::tuple<std::string, std::string>>(kRest, quote_name(schema))) {
    out.push_back(where_role_is(role, text));
  }
  co_return out;
}

}  // namespace switchyard::inline v0::move

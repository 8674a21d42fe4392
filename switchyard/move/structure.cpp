#include <switchyard/move/structure.hpp>

#include <switchyard/move/refusal.hpp>

#include <optional>
#include <tuple>
#include <utility>

namespace switchyard::inline v0::move {
namespace {

using Texts = std::vector<std::string>;

/// Tables, their key and their size. One row a name that was asked for.
constexpr std::string_view kTables = R"(
SELECT a.name, c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text,
  greatest(c.reltuples, 0)::int8, pg_total_relation_size(c.oid)::int8,
  c.relrowsecurity, c.relhasrules, c.relkind <> 'p' AND NOT c.relispartition
    AND EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
  (SELECT string_agg(format('%s %s%s', a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated), ', '
     ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  || coalesce((SELECT format('; partition of %I.%I %s', pn.nspname, p.relname, pg_get_expr(c.relpartbound, c.oid))
     FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
     WHERE c.relispartition AND i.inhrelid = c.oid), '')
  || CASE WHEN c.relkind = 'p' THEN format('; partitioned by %s: %s', pg_get_partkeydef(c.oid),
     (SELECT string_agg(format('%I.%I %s', pn.nspname, p.relname, pg_get_expr(p.relpartbound, p.oid)), ', ' ORDER BY pn.nspname, p.relname)
      FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE i.inhparent = c.oid)) ELSE '' END,
  (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
  (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
     AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) up JOIN pg_attribute b ON b.attrelid = up.relid
       WHERE b.attname = a.attname AND b.attidentity = 'a')),
  coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) FROM (
      SELECT i.indrelid, i.indkey FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
        AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
        AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
      GROUP BY i.indexrelid, i.indrelid, i.indkey, i.indisprimary HAVING bool_and(a.attnotnull)
      ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) x,
    unnest(x.indkey::int2[]) WITH ORDINALITY k(attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum), '{}')
FROM unnest($1::text[]) WITH ORDINALITY a(name, place)
LEFT JOIN pg_class c ON c.oid = to_regclass(a.name) LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY n.nspname, c.relname)";

/// A partitioned table goes with its partitions.
constexpr std::string_view kWithPartitions = R"(
SELECT DISTINCT CASE WHEN c.oid IS NULL THEN a.name ELSE format('%I.%I', n.nspname, c.relname) END FROM unnest($1::text[]) a(name)
LEFT JOIN LATERAL (SELECT relid::oid FROM pg_partition_tree(to_regclass(a.name)) UNION SELECT to_regclass(a.name)::oid) t(relid) ON true
LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace)";

/// Sequences that columns of the table own or take their defaults from.
constexpr std::string_view kSequences = R"(
SELECT DISTINCT n.nspname::text, s.relname::text,
  format('AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s %s', format_type(q.seqtypid, NULL),
    q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END),
  coalesce(d.deptype = 'i', false)
FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = $1::oid AND d.deptype IN ('a', 'i')
WHERE d.objid IS NOT NULL OR EXISTS (SELECT FROM pg_depend u JOIN pg_attrdef f ON f.oid = u.objid
  WHERE u.classid = 'pg_attrdef'::regclass AND f.adrelid = $1::oid AND u.refclassid = 'pg_class'::regclass
    AND u.refobjid = s.oid)
ORDER BY 1, 2)";

constexpr std::string_view kTriggers = R"(
SELECT tgname::text, tgenabled::text FROM pg_trigger
WHERE tgrelid = $1::oid AND NOT tgisinternal AND tgparentid = 0 AND tgname NOT LIKE 'switchyard\_%' ORDER BY tgname)";

/// What stands between these tables and other ones.
constexpr std::string_view kTies = R"(
SELECT format('the foreign key %s of %s refers to %s', conname, conrelid::regclass, confrelid::regclass),
  'move both tables, or drop the constraint: it can''t hold across databases'
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
  AND (conrelid = ANY ($1::oid[])) <> (confrelid = ANY ($1::oid[]))
UNION ALL
SELECT DISTINCT format('%s %s reads %s', CASE c.relkind WHEN 'm' THEN 'the materialized view' ELSE 'the view' END,
  c.oid::regclass, d.refobjid::regclass), 'drop it first, and make it again where its tables are'
FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($1::oid[])
  AND c.oid <> d.refobjid AND c.relnamespace IS DISTINCT FROM to_regnamespace(nullif($2, ''))::oid
UNION ALL
SELECT format('%s is a partition of %s', inhrelid::regclass, inhparent::regclass), format('move %s, with all its partitions, or '
  'ALTER TABLE %s DETACH PARTITION %s', inhparent::regclass, inhparent::regclass, inhrelid::regclass)
FROM pg_inherits WHERE inhrelid = ANY ($1::oid[]) AND inhparent <> ALL ($1::oid[])
UNION ALL
SELECT format('%s is a partition of %s, and outside of the schema', c.oid::regclass, inhparent::regclass),
  format('ALTER TABLE %s SET SCHEMA %s', c.oid::regclass, $2)
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE $2 <> '' AND inhrelid = ANY ($1::oid[])
  AND c.relnamespace IS DISTINCT FROM to_regnamespace(nullif($2, ''))::oid
UNION ALL
SELECT format('%s is a part of the publication %s', prrelid::regclass, pubname),
  format('ALTER PUBLICATION %I DROP TABLE %s', pubname, prrelid::regclass)
FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = ANY ($1::oid[])
UNION ALL
SELECT format('%s belongs to %s, and %s may not alter it', c.oid::regclass, pg_get_userbyid(c.relowner), current_user),
  format('log in as %s, or GRANT %I TO %I', pg_get_userbyid(c.relowner), pg_get_userbyid(c.relowner), current_user)
FROM pg_class c WHERE c.oid = ANY ($1::oid[]) AND NOT pg_has_role(c.relowner, 'USAGE'))";

/// Enums and domains that columns are of, functions that triggers call; each as one statement that makes it.
constexpr std::string_view kNeeded = R"(
SELECT text FROM (
SELECT DISTINCT 1 AS place, t.oid, CASE t.typtype
  WHEN 'e' THEN format('CREATE TYPE %s AS ENUM (%s)', format('%I.%I', n.nspname, t.typname),
    (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
  ELSE format('CREATE DOMAIN %I.%I AS %s%s%s%s', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod),
    coalesce(' DEFAULT ' || t.typdefault, ''), CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END,
    coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), '' ORDER BY oid)
      FROM pg_constraint WHERE contypid = t.oid AND contype = 'c'), '')) END AS text,
  format('%I.%I', n.nspname, t.typname) AS name
FROM pg_attribute a JOIN pg_type base ON base.oid = a.atttypid
JOIN pg_type t ON t.oid = CASE WHEN base.typelem <> 0 AND base.typlen = -1 THEN base.typelem ELSE base.oid END
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype IN ('e', 'd')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT DISTINCT 2, p.oid, pg_get_functiondef(p.oid), NULL
FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE g.tgrelid = ANY ($1::oid[]) AND NOT g.tgisinternal AND n.nspname NOT IN ('pg_catalog', 'switchyard')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
) x ORDER BY place, oid)";

/// A table without its keys. A partition is made like any other table, and gets its place afterwards.
constexpr std::string_view kCreate = R"(
SELECT format('CREATE %sTABLE %I.%I (%s)%s', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END,
  n.nspname, c.relname,
  (SELECT string_agg(format('%I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
        THEN (SELECT format(' COLLATE %I.%I', cn.nspname, co.collname) FROM pg_collation co
              JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) ELSE '' END,
      CASE WHEN a.attidentity <> '' AND NOT c.relispartition THEN format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %s %s)',
          CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
          pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname),
          (SELECT format('INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s %s', q.seqincrement, q.seqmin, q.seqmax,
             q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) FROM pg_sequence q
           WHERE q.seqrelid = pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname)::regclass))
        WHEN a.attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%s) %s', pg_get_expr(d.adbin, d.adrelid),
          CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
        WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END,
      CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY a.attnum)
   FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
   LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
  || coalesce((SELECT string_agg(format(', CONSTRAINT %I %s', conname, pg_get_constraintdef(k.oid)), '' ORDER BY conname)
     FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'), ''),
  CASE WHEN c.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END
  || CASE WHEN c.reloptions IS NULL THEN '' ELSE ' WITH (' || array_to_string(c.reloptions, ', ') || ')' END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid)";

/// Partitions get their places while they are empty.
constexpr std::string_view kAttach = R"(
SELECT format('ALTER TABLE %s ATTACH PARTITION %s %s', i.inhparent::regclass, c.oid::regclass, pg_get_expr(c.relpartbound, c.oid))
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.oid = ANY ($1::oid[]) AND c.relispartition ORDER BY c.oid)";

/// What is made once the rows are there. Keys and indexes of partitions are made by their own names, and tied to
/// those of the partitioned table, which are made without any.
constexpr std::string_view kAfter = R"(
SELECT text FROM (
SELECT 1 AS place, k.oid, format('ALTER TABLE %s%s ADD CONSTRAINT %I %s', CASE c.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END,
    k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) AS text
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('p', 'u', 'x')
UNION ALL
SELECT 2, i.indexrelid, pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = ANY ($1::oid[])
  AND i.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p','u','x'))
UNION ALL
SELECT 3, h.inhrelid, format('ALTER INDEX %s ATTACH PARTITION %s', h.inhparent::regclass, h.inhrelid::regclass)
  FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indexrelid WHERE i.indrelid = ANY ($1::oid[])
UNION ALL
SELECT 4, g.oid, pg_get_triggerdef(g.oid) FROM pg_trigger g
  WHERE g.tgrelid = ANY ($1::oid[]) AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgname NOT LIKE 'switchyard\_%'
UNION ALL
SELECT 5, s.oid, pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s WHERE s.stxrelid = ANY ($1::oid[])
UNION ALL
SELECT 6, d.objoid, CASE WHEN d.objsubid = 0 THEN format('COMMENT ON TABLE %s IS %L', d.objoid::regclass, d.description)
    ELSE format('COMMENT ON COLUMN %s.%I IS %L', d.objoid::regclass,
      (SELECT attname FROM pg_attribute WHERE attrelid = d.objoid AND attnum = d.objsubid), d.description) END
  FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objoid = ANY ($1::oid[])
) x ORDER BY place, oid)";

/// Of tables that are moved together.
constexpr std::string_view kForeignKeys = R"(
SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
FROM pg_constraint k WHERE k.conrelid = ANY ($1::oid[]) AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.oid)";

/// Grants, each with the roles that must be there.
constexpr std::string_view kGrants = R"(
SELECT CASE WHEN x.grantee = 0 THEN '' ELSE pg_get_userbyid(x.grantee)::text END,
  format('GRANT %s ON %s TO %s%s', string_agg(x.privilege_type, ', '), c.oid::regclass,
    CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
    CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = ANY ($1::oid[]) AND x.grantee <> c.relowner
GROUP BY c.oid, x.grantee, x.is_grantable
UNION ALL
SELECT pg_get_userbyid(c.relowner)::text, format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner))
FROM pg_class c WHERE c.oid = ANY ($1::oid[]))";

/// The role that must be there, and the statement.
using RoleStatement = std::tuple<std::string, std::string>;

using TableRow = std::tuple<std::string, std::optional<std::int64_t>, std::optional<std::string>,
                            std::optional<std::string>, std::optional<std::string>, std::optional<std::int64_t>,
                            std::optional<std::int64_t>, std::optional<bool>, std::optional<bool>, bool,
                            std::optional<std::string>, std::optional<Texts>, std::optional<Texts>, Texts>;

/// Names in shapes bear their schemas, whatever the session looks through.
Task<std::vector<TableRow>> describe(Transaction& tx, const Texts& names) {
  const auto path = co_await tx.query_value<std::string>("SELECT current_setting('search_path')");
  co_await tx.execute("SET LOCAL search_path = pg_catalog");
  auto rows = co_await tx.query<TableRow>(kTables, names);
  co_await tx.query_value<std::string>("SELECT set_config('search_path', $1, true)", path);
  co_return rows;
}

Task<std::vector<std::int64_t>> oids_of(Transaction& tx, const MovePlan& plan) {
  co_return co_await tx.query<std::int64_t>("SELECT to_regclass(n)::oid::int8 FROM unnest($1::text[]) n",
                                            plan.names());
}

std::string with_schema(const TablePlan& table) {
  return "CREATE SCHEMA IF NOT EXISTS " + quote_name(table.schema);
}

}  // namespace

std::string where_role_is(const std::string& role, const std::string& text) {
  if (role.empty()) return text;
  return "DO $sy$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = " + literal(role) +
         (text.starts_with("GRANT") || text.starts_with("REVOKE") ? "" : " AND pg_has_role(rolname, 'USAGE')") +
         ") THEN " + text + "; END IF; END $sy$";
}

Task<std::vector<TablePlan>> read_tables(Transaction& tx, const Texts& names, const std::string& whole_schema) {
  const auto rows = co_await describe(tx, co_await tx.query<std::string>(kWithPartitions, names));
  std::vector<TablePlan> tables;
  std::vector<std::int64_t> oids;
  for (const TableRow& row : rows) {
    const auto& [name, oid, schema, relation, kind, tuples, bytes, policies, rules, inherits, shape, columns,
                 changed, key] = row;
    if (!oid)
      throw cant("there is no table " + name, "write schema.table; switchyard shell shows what there is: \\dt");
    const std::string shown = *schema == "public" ? *relation : *schema + "." + *relation;
    const bool partitioned = *kind == "p";
    if ((*kind != "r" && !partitioned) || inherits) {
      throw cant(shown + " is neither a plain nor a partitioned table (inherited, a view or foreign)",
                 "only tables with all their rows are moved; a foreign partition can be detached first");
    }
    if (*policies)
      throw cant(shown + " has row security policies, which are not moved",
                 "ALTER TABLE ... DISABLE ROW LEVEL SECURITY, and make them again afterwards");
    if (*rules) throw cant(shown + " has rules, which are not moved", "DROP RULE, or turn them into triggers");
    if (key.empty() && !partitioned) {
      throw cant(shown + " has no primary key, so its rows can't be told apart",
                 "ALTER TABLE " + shown + " ADD PRIMARY KEY (...), or a unique index on columns that are NOT NULL");
    }
    TablePlan table;
    table.number = static_cast<std::int32_t>(tables.size()) + 1;
    table.schema = *schema;
    table.name = *relation;
    table.shape = *shape;
    if (!partitioned) {
      table.rows = *tuples;
      table.bytes = *bytes;
      table.columns = *columns;
      if (changed) table.changed = *changed;
      table.key = key;
    }
    for (const auto& [sequence_schema, sequence, options, identity] :
         co_await tx.query<std::tuple<std::string, std::string, std::string, bool>>(kSequences, *oid)) {
      table.sequences.push_back({sequence_schema, sequence, options, identity});
    }
    for (const auto& [trigger, enabled] :
         co_await tx.query<std::tuple<std::string, std::string>>(kTriggers, *oid)) {
      table.triggers.push_back({trigger, enabled});
    }
    oids.push_back(*oid);
    tables.push_back(std::move(table));
  }
  const auto ties = co_await tx.query<std::tuple<std::string, std::string>>(kTies, oids, whole_schema);
  if (!ties.empty()) {
    std::string all;
    for (const auto& [text, hint] : ties) all += (all.empty() ? "" : "; ") + text;
    throw cant(all, std::get<1>(ties.front()));
  }
  co_return tables;
}

Task<Texts> read_shapes(Transaction& tx, const MovePlan& plan) {
  Texts shapes(plan.tables.size());
  for (const TableRow& row : co_await describe(tx, plan.names())) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const TablePlan& table = plan.tables[i];
      if (std::get<2>(row) == table.schema && std::get<3>(row) == table.name) {
        shapes[i] = std::get<10>(row).value_or("");
      }
    }
  }
  co_return shapes;
}

Task<Structure> read_structure(Transaction& tx, const MovePlan& plan) {
  const auto oids = co_await oids_of(tx, plan);
  Structure out;
  for (const TablePlan& table : plan.tables) {
    if (out.before_copy.empty() || out.before_copy.back() != with_schema(table)) {
      out.before_copy.push_back(with_schema(table));
    }
  }
  // All names with their schemas.
  co_await tx.execute("SET LOCAL search_path = pg_catalog");
  for (std::string& text : co_await tx.query<std::string>(kNeeded, oids))
    out.before_copy.push_back(std::move(text));
  for (const TablePlan& table : plan.tables) {
    for (const SequencePlan& sequence : table.sequences) {
      if (!sequence.identity) {
        out.before_copy.push_back("CREATE SEQUENCE IF NOT EXISTS " + sequence.qualified() + " " + sequence.options);
      }
    }
  }
  for (const std::int64_t oid : oids) out.before_copy.push_back(co_await tx.query_value<std::string>(kCreate, oid));
  for (std::string& text : co_await tx.query<std::string>(kAttach, oids))
    out.before_copy.push_back(std::move(text));
  for (std::string& text : co_await tx.query<std::string>(
           "SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', d.objid::regclass, d.refobjid::regclass, a.attname)"
           " FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'"
           " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
           " WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'a' AND d.refobjid = ANY ($1::oid[])",
           oids)) {
    out.before_copy.push_back(std::move(text));
  }
  out.after_copy = co_await tx.query<std::string>(kAfter, oids);
  out.foreign_keys = co_await tx.query<std::string>(kForeignKeys, oids);
  for (auto& [role, text] : co_await tx.query<RoleStatement>(kGrants, oids)) {
    out.after_copy.push_back(where_role_is(role, text));
  }
  co_return out;
}

}  // namespace switchyard::inline v0::move

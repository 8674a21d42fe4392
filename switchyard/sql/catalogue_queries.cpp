#include <switchyard/sql/catalogue_queries.hpp>

namespace switchyard::inline v0::sql {
namespace {

/// Built-in functions come with their source, to know them from what was put in their place; an aggregate is built
/// in only if all its functions are. Procedures can't be called by a SELECT.
#define SY_FUNCTIONS(condition)                                                                                \
  "SELECT p.oid, n.nspname, p.proname, p.proargtypes, p.prorettype, p.pronargs, p.pronargdefaults,"            \
  " p.provariadic, (p.proargnames IS NOT NULL)::pg_catalog.int4, l.lanname,"                                   \
  " CASE WHEN p.oid < 10000 OR p.prolang = 12 THEN p.prosrc END,"                                              \
  " (p.proconfig IS NOT NULL OR p.prosecdef)::pg_catalog.int4,"                                                \
  " CASE WHEN a.aggfnoid IS NOT NULL THEN pg_catalog.concat_ws(' ', a.aggtransfn::oid, a.aggfinalfn::oid,"     \
  " a.aggcombinefn::oid, a.aggserialfn::oid, a.aggdeserialfn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid," \
  " a.aggmfinalfn::oid) END, e.extname"                                                                        \
  " FROM pg_catalog.pg_proc p"                                                                                 \
  " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"                                                  \
  " JOIN pg_catalog.pg_language l ON l.oid = p.prolang"                                                        \
  " LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid"                                                 \
  " LEFT JOIN pg_catalog.pg_depend d ON p.oid >= 16384 AND d.classid = 1255 AND d.objid = p.oid"               \
  " AND d.refclassid = 3079 AND d.deptype = 'e'"                                                               \
  " LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"                                                 \
  " WHERE p.prokind <> 'p' AND " condition
#define SY_OPERATORS(condition)                                                                               \
  "SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, o.oprcode::oid, o.oprrest::oid, o.oprjoin::oid" \
  " FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE " condition
#define SY_VIEWS(condition)                                                                   \
  "SELECT r.ev_class, r.ev_action FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON" \
  " c.oid = r.ev_class WHERE r.ev_type = '1' AND c.relkind = 'v' AND " condition

constexpr CatalogueQuery kQueries[] = {
    {CataloguePart::functions, CatalogueOwner::system, 14, SY_FUNCTIONS("p.oid < 16384")},
    {CataloguePart::function_bodies, CatalogueOwner::system, 2,
     "SELECT oid, prosqlbody FROM pg_catalog.pg_proc WHERE oid < 10000 AND prosqlbody IS NOT NULL"},
    {CataloguePart::operators, CatalogueOwner::system, 8, SY_OPERATORS("o.oid < 16384")},
    {CataloguePart::views, CatalogueOwner::system, 2, SY_VIEWS("c.oid < 16384")},

    {CataloguePart::server, CatalogueOwner::anybody, 3,
     "SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_setting('client_encoding'),"
     " pg_catalog.current_setting('standard_conforming_strings')"},
    // Triggers can't be called either.
    {CataloguePart::functions, CatalogueOwner::anybody, 14,
     SY_FUNCTIONS("p.oid >= 16384 AND p.prorettype NOT IN (2279, 3838)")},
    {CataloguePart::operators, CatalogueOwner::anybody, 8, SY_OPERATORS("o.oid >= 16384")},

    // Row types of relations come with the relations.
    {CataloguePart::types, CatalogueOwner::anybody, 11,
     "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typispreferred::pg_catalog.int4,"
     " CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typbasetype, t.typrelid,"
     " pg_catalog.concat_ws(' ', t.typinput::oid, t.typoutput::oid, t.typreceive::oid, t.typsend::oid,"
     " t.typmodin::oid, t.typmodout::oid),"
     " CASE WHEN t.typsubscript::oid >= 10000 THEN t.typsubscript::oid ELSE 0 END"
     " FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
     " LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid"
     " WHERE (t.typrelid = 0 OR c.relkind = 'c') AND n.nspname !~ '^pg_(temp|toast)'"},
    {CataloguePart::ranges, CatalogueOwner::anybody, 6,
     "SELECT rngtypid, rngmultitypid, rngsubtype, rngcanonical::oid, rngsubdiff::oid, rngsubopc"
     " FROM pg_catalog.pg_range WHERE rngtypid >= 10000"},
    {CataloguePart::domain_checks, CatalogueOwner::anybody, 2,
     "SELECT contypid, conbin FROM pg_catalog.pg_constraint WHERE contypid > 0 AND conbin IS NOT NULL"},

    {CataloguePart::operator_classes, CatalogueOwner::anybody, 5,
     "SELECT c.oid, c.opcintype, c.opcfamily, c.opcdefault::pg_catalog.int4, a.amname"
     " FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_am a ON a.oid = c.opcmethod WHERE c.oid >= 16384"},
    // Also what was added to built-in families.
    {CataloguePart::family_members, CatalogueOwner::anybody, 5,
     "SELECT amprocfamily, amproclefttype, amprocrighttype, 0, amproc::oid FROM pg_catalog.pg_amproc"
     " WHERE oid >= 16384 OR amprocfamily >= 16384"
     " UNION ALL SELECT amopfamily, amoplefttype, amoprighttype, 1, amopopr FROM pg_catalog.pg_amop"
     " WHERE oid >= 16384 OR amopfamily >= 16384"},
    {CataloguePart::casts, CatalogueOwner::anybody, 4,
     "SELECT castsource, casttarget, castfunc, castcontext FROM pg_catalog.pg_cast WHERE oid >= 16384"},

    {CataloguePart::relations, CatalogueOwner::anybody, 7,
     "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity::pg_catalog.int4, c.reltype"
     " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
     " WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S', 'c') AND c.relpersistence <> 't'"
     " AND n.nspname !~ '^pg_(temp|toast)'"},
    // Only of types that somebody made; the others are harmless.
    {CataloguePart::columns, CatalogueOwner::anybody, 2,
     "SELECT DISTINCT a.attrelid, a.atttypid FROM pg_catalog.pg_attribute a"
     " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
     " WHERE a.atttypid >= 10000 AND a.attnum > 0 AND NOT a.attisdropped"
     " AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'c') AND c.relpersistence <> 't'"},
    {CataloguePart::views, CatalogueOwner::anybody, 2, SY_VIEWS("c.oid >= 16384")},
    {CataloguePart::policies, CatalogueOwner::anybody, 2,
     "SELECT p.polrelid, p.polqual FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid"
     " WHERE c.relrowsecurity AND p.polcmd IN ('*', 'r') AND p.polqual IS NOT NULL"},
    {CataloguePart::generated_columns, CatalogueOwner::anybody, 2,
     "SELECT d.adrelid, d.adbin FROM pg_catalog.pg_attrdef d"
     " JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated = 'v'"},
    {CataloguePart::inheritance, CatalogueOwner::anybody, 2,
     "SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
     " WHERE c.relkind IN ('r', 'p', 'f')"},
    // Functions, operators and operator classes that somebody made, used by the indexes, checks, partition keys and
    // extended statistics of a relation: planning may run them. (pg_depend omits built-in objects.) And the access
    // methods of the relation and of its indexes, by their handlers.
    {CataloguePart::relation_uses, CatalogueOwner::anybody, 3,
     "SELECT coalesce(i.indrelid, k.conrelid, s.stxrelid, d.objid), d.refclassid, d.refobjid"
     " FROM pg_catalog.pg_depend d"
     " LEFT JOIN pg_catalog.pg_index i ON d.classid = 1259 AND i.indexrelid = d.objid"
     " LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 2606 AND k.oid = d.objid AND k.conrelid <> 0"
     " LEFT JOIN pg_catalog.pg_statistic_ext s ON d.classid = 3381 AND s.oid = d.objid"
     " WHERE d.refclassid IN (1255, 2617, 2616) AND d.classid IN (1259, 2606, 3381) AND d.deptype <> 'e'"
     " AND d.refobjid >= 10000 AND (d.classid <> 2606 OR k.oid IS NOT NULL)"
     " UNION ALL SELECT coalesce(i.indrelid, c.oid), 1255, a.amhandler::oid"
     " FROM pg_catalog.pg_am a JOIN pg_catalog.pg_class c ON c.relam = a.oid"
     " LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid WHERE a.oid >= 16384"},

    {CataloguePart::text_search, CatalogueOwner::anybody, 2,
     "SELECT pg_catalog.concat('template ', tmplname),"
     " pg_catalog.concat_ws(' ', tmplinit::oid, tmpllexize::oid) FROM pg_catalog.pg_ts_template WHERE oid >= 16384"
     " UNION ALL SELECT pg_catalog.concat('parser ', prsname), pg_catalog.concat_ws(' ', prsstart::oid,"
     " prstoken::oid, prsend::oid, prsheadline::oid, prslextype::oid) FROM pg_catalog.pg_ts_parser"
     " WHERE oid >= 16384"},
    {CataloguePart::conversions, CatalogueOwner::anybody, 2,
     "SELECT conname, conproc::oid FROM pg_catalog.pg_conversion WHERE oid >= 16384"},
};
#undef SY_VIEWS
#undef SY_OPERATORS
#undef SY_FUNCTIONS

/// Count and sum of a hash of OID and xmin of a catalogue's rows. A range of OIDs is found by index; built-in rows
/// are among the sum where they can be altered in place.
#define SY_SUM(table, condition)                                                                                  \
  "(SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(pg_catalog.hashint8(x.oid::pg_catalog.int8" \
  " << 32 | x.xmin::pg_catalog.text::pg_catalog.int8))) FROM pg_catalog." table " x WHERE " condition ")"
#define SY_MADE(table) SY_SUM(table, "x.oid >= 16384")
constexpr std::string_view kDigest =
    "SELECT pg_catalog.concat_ws(',', "
    // Indexes have no name in a statement; what they run is among the dependencies.
    SY_SUM("pg_class", "x.relkind IN ('r', 'v', 'm', 'f', 'p', 'S', 'c') AND x.relpersistence <> 't'") ", "
    SY_SUM("pg_proc", "true") ", "
    SY_SUM("pg_type", "x.typrelid = 0 AND x.typcategory <> 'A'") ", "
    SY_SUM("pg_namespace", "x.nspname !~ '^pg_(temp|toast)'") ", "
    SY_SUM("pg_rewrite", "x.ev_type = '1'") ", "
    SY_SUM("pg_policy", "true") ", "
    SY_SUM("pg_constraint", "x.contypid > 0") ", "
    SY_SUM("pg_enum", "true") ", "
    SY_MADE("pg_operator") ", "
    SY_MADE("pg_cast") ", "
    SY_MADE("pg_opclass") ", "
    SY_MADE("pg_amop") ", "
    SY_MADE("pg_amproc") ", "
    SY_MADE("pg_ts_template") ", "
    SY_MADE("pg_ts_parser") ", "
    SY_MADE("pg_conversion") ", "
    SY_MADE("pg_extension") ", "
    "(SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(pg_catalog.hashint8("
    "i.inhrelid::pg_catalog.int8 << 32 | i.inhparent::pg_catalog.int8))) FROM pg_catalog.pg_inherits i), "
    // Columns of types that somebody made, and what indexes, checks and partition keys call.
    "(SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(pg_catalog.hashint8("
    "d.objid::pg_catalog.int8 << 32 | d.refobjid::pg_catalog.int8) # d.objsubid)) FROM pg_catalog.pg_depend d"
    " WHERE d.refclassid IN (1247, 1255, 2616, 2617) AND d.classid IN (1259, 2606, 3381))), "
    "pg_catalog.concat_ws(',', " SY_SUM("pg_rewrite", "x.ev_class < 16384") ", "
    SY_SUM("pg_proc", "x.oid < 16384") "), "
    "pg_catalog.concat_ws(',', pg_catalog.date_part('epoch', pg_catalog.pg_conf_load_time()), "
    "(SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(pg_catalog.hashint8("
    "s.setdatabase::pg_catalog.int8 << 32 | s.setrole::pg_catalog.int8) # pg_catalog.hashtext(s.setconfig::"
    "pg_catalog.text))) FROM pg_catalog.pg_db_role_setting s))";
#undef SY_MADE
#undef SY_SUM

}  // namespace

std::span<const CatalogueQuery> catalogue_queries() noexcept { return kQueries; }

std::string_view catalogue_digest_sql() noexcept { return kDigest; }

}  // namespace switchyard::inline v0::sql

#!/usr/bin/env python3
"""Writes switchyard/sql/allow_list_table.cpp: the built-in functions that leave nothing behind on a session and do not
depend on whose session it is. The rules below are the review: what no rule names stays out.

    tools/make_allow_list.py BIN BIN ...      folders with initdb and postgres, one per PostgreSQL version

Each version is asked in a cluster of its own, which is removed at the end. psql is taken from PATH.
"""
import pathlib
import re
import sys

import scratch_cluster

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "switchyard/sql/allow_list_table.cpp"

# Only these OIDs are the same in every installation of a version (access/transam.h: FirstGenbkiObjectId).
FIRST_UNSTABLE_OID = 10000

CLOCK = "clock"            # another answer in another transaction, or each time: no Sync is shared
TYPE_IO = "type_io"          # clear as the input or output function of a type, not in a call: array_in(text, any type, -1)
TEXT_SEARCH = "text_search"  # runs the parser and the dictionaries of a text search configuration

# IMMUTABLE functions in C compute from their arguments and nothing else. Out stay those that say IMMUTABLE and look
# at the server nevertheless, and those that only the server itself can call (argument or result `internal`).
IMMUTABLE_LEFT_OUT = {
    "postgresql_fdw_validator",  # checks options of foreign objects
    "satisfies_hash_partition", "pg_partition_root",  # open relations
    "pg_walfile_name", "pg_walfile_name_offset",  # depend on the timeline, refused by a standby
    "icu_unicode_version", "unicode_version",  # of the installation
    "pg_indexam_progress_phasename", "pg_ddl_command_send",  # of the server's own use
}
IMMUTABLE_PG = {  # of the others whose names begin with pg_
    "pg_encoding_max_length", "pg_lsn", "pg_lsn_cmp", "pg_lsn_eq", "pg_lsn_ge", "pg_lsn_gt", "pg_lsn_hash",
    "pg_lsn_hash_extended", "pg_lsn_larger", "pg_lsn_le", "pg_lsn_lt", "pg_lsn_mi", "pg_lsn_mii", "pg_lsn_ne",
    "pg_lsn_pli", "pg_lsn_send", "pg_lsn_smaller", "pg_size_bytes", "pg_size_pretty", "pg_snapshot_send",
    "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin", "pg_visible_in_snapshot", "pg_wal_lsn_diff",
}

# STABLE functions in C, each looked at: they read settings that key a lane (time zone, date style, search_path,
# languages ...), the catalogue, or the types of their arguments (whose own functions the catalogue judges).
STABLE = """
aclexplode array_to_json array_to_string concat concat_ws convert convert_from convert_to current_database
current_schema current_user date date_add date_cmp_timestamptz date_eq_timestamptz date_ge_timestamptz
date_gt_timestamptz date_le_timestamptz date_lt_timestamptz date_ne_timestamptz date_part date_subtract date_trunc
enum_first enum_last enum_range extract format generate_series get_current_ts_config getdatabaseencoding getpgusername
has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
has_language_privilege has_largeobject_privilege has_parameter_privilege has_schema_privilege has_sequence_privilege
has_server_privilege has_table_privilege has_tablespace_privilege in_range
json_agg json_agg_strict json_build_array json_build_object json_object_agg json_object_agg_strict
json_object_agg_unique json_object_agg_unique_strict json_populate_record json_populate_recordset json_to_record
json_to_recordset jsonb_agg jsonb_agg_strict jsonb_build_array jsonb_build_object jsonb_path_exists_tz
jsonb_path_match_tz jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record
jsonb_populate_record_valid jsonb_populate_recordset jsonb_to_record jsonb_to_recordset length make_timestamptz money
numeric oidvectortypes pg_char_to_encoding pg_client_encoding pg_collation_for pg_column_compression pg_column_size
pg_encoding_to_char pg_get_userbyid pg_has_role pg_typeof regclass row_to_json session_user time timestamp
timestamp_cmp_timestamptz timestamp_eq_timestamptz timestamp_ge_timestamptz timestamp_gt_timestamptz
timestamp_le_timestamptz timestamp_lt_timestamptz timestamp_ne_timestamptz timestamptz timestamptz_cmp_date
timestamptz_cmp_timestamp timestamptz_eq_date timestamptz_eq_timestamp timestamptz_ge_date timestamptz_ge_timestamp
timestamptz_gt_date timestamptz_gt_timestamp timestamptz_le_date timestamptz_le_timestamp timestamptz_lt_date
timestamptz_lt_timestamp timestamptz_mi_interval timestamptz_ne_date timestamptz_ne_timestamp timestamptz_pl_interval
timetz timezone to_char to_date to_json to_jsonb to_number to_regclass to_regcollation to_regnamespace to_regrole
to_timestamp version xml xml_is_well_formed
""".split()

# By name; of VOLATILE functions only these are in.
STABLE_CLOCK = "age mxid_age now statement_timestamp transaction_timestamp".split()
VOLATILE_CLOCK = """array_sample array_shuffle clock_timestamp gen_random_uuid random random_normal timeofday uuidv4
uuidv7""".split()
VOLATILE = ["bernoulli", "system"]  # what TABLESAMPLE names
# Take the zone of a time of day from today's date.
CLOCK_SOURCES = {"time_timetz", "timetz_zone", "timetz_izone", "timetz_at_local", "date_in", "time_in", "timetz_in",
                 "timestamp_in", "timestamptz_in"}
TEXT_SEARCH_NAMES = """json_to_tsvector jsonb_to_tsvector phraseto_tsquery plainto_tsquery to_tsquery to_tsvector
ts_headline ts_lexize ts_match_tq ts_match_tt ts_parse ts_token_type websearch_to_tsquery""".split()

# Functions in SQL: their bodies call what is listed here, and a snapshot of the catalogue scans them again.
SQL_LEFT_OUT = {"pg_relation_size", "pg_sleep_for", "pg_sleep_until", "ts_debug"}

# Input and output functions of types are in, but for types that look up other objects by text while they read it:
# types and functions (whose arguments name types) may run the modifier function of somebody's type.
TYPES_LEFT_OUT = {"regtype", "regprocedure", "regoperator"}
# Of domains and enumerations, which no built-in type is.
MORE_TYPE_IO = {"domain_in", "domain_recv", "enum_in", "enum_out", "enum_recv", "enum_send"}

QUERY = f"""
COPY (
  SELECT p.oid, p.proname, p.proargtypes::text, pg_catalog.pg_get_function_identity_arguments(p.oid), p.prokind,
         p.provolatile, l.lanname, p.prosrc,
         ARRAY[p.prorettype] || p.proargtypes::oid[] && ARRAY(SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typname ~
           '^(internal|cstring|trigger|event_trigger)$|_handler$' AND t.typtype = 'p'),
         (SELECT pg_catalog.string_agg(t.typname, ' ') FROM pg_catalog.pg_type t WHERE t.typtype <> 'p' AND p.oid IN
            (t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout) AND t.oid < {FIRST_UNSTABLE_OID})
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE p.oid < {FIRST_UNSTABLE_OID} AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace ORDER BY p.oid
) TO STDOUT"""


def flags_of(name, kind, volatility, language, source, for_server, io_of):
    """The flags of a function on the list, or None if it is not."""
    flags = set()
    if source in CLOCK_SOURCES:
        flags.add(CLOCK)
    if name in TEXT_SEARCH_NAMES:
        flags.add(TEXT_SEARCH)
    if (io_of or name in MORE_TYPE_IO) and language == "internal":
        if io_of and set(io_of.split()) <= TYPES_LEFT_OUT:
            return None
        return flags | {TYPE_IO} if for_server else flags
    if language == "sql":
        if name in SQL_LEFT_OUT or volatility == "v":
            return None
        return flags | {CLOCK} if name == "age" else flags
    if language != "internal":
        return None
    if kind in "aw":  # their transition functions are built in as well
        return flags
    if volatility == "v":
        if name in VOLATILE:
            return flags
        return flags | {CLOCK} if name in VOLATILE_CLOCK and not for_server else None
    if for_server:
        return None
    if volatility == "s":
        if name in STABLE_CLOCK:
            return flags | {CLOCK}
        return flags if name in STABLE or name in TEXT_SEARCH_NAMES else None
    if name in IMMUTABLE_LEFT_OUT or (name.startswith("pg_") and name not in IMMUTABLE_PG):
        return None
    return flags


def fingerprint(name, argument_types, language, source):
    """FNV-1a, as in allow_list.cpp: a function that was replaced in place is another one."""
    value = 0x811C9DC5
    for byte in "\x1f".join((name, argument_types, language, source)).encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def unescape(field):
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), field)


def rows_of(bin_folder):
    """All built-in functions of one version."""
    for line in scratch_cluster.ask(bin_folder, QUERY).splitlines():
        oid, name, types, arguments, kind, volatility, language, source, for_server, io_of = line.split("\t")
        yield (int(oid), name, types, arguments, kind, volatility, language, unescape(source), for_server == "t",
               "" if io_of == r"\N" else io_of)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    lines = {}
    for bin_folder in sys.argv[1:]:
        for oid, name, types, arguments, kind, volatility, language, source, for_server, io_of in rows_of(bin_folder):
            flags = flags_of(name, kind, volatility, language, source, for_server, io_of)
            if flags is None:
                continue
            bits = " | ".join(f"k_{flag}" for flag in sorted(flags)) or "0"
            entry = (oid, fingerprint(name, types, language, source), bits)
            lines[entry] = f"    {{{oid}, 0x{entry[1]:08x}, {bits}}},  // {name}({arguments})"
    TABLE.write_text("""// Made by tools/make_allow_list.py, which has the reasons: OID, fingerprint, flags of each function.
// clang-format off
#include <switchyard/sql/allow_list.hpp>

namespace switchyard::inline v0::sql {
namespace {

constexpr std::uint8_t k_clock = AllowedFunction::clock;
constexpr std::uint8_t k_text_search = AllowedFunction::text_search;
constexpr std::uint8_t k_type_io = AllowedFunction::type_io;

constexpr AllowedFunction kTable[] = {
""" + "\n".join(lines[entry] for entry in sorted(lines)) + """
};

}  // namespace

std::span<const AllowedFunction> allowed_functions() noexcept { return kTable; }

}  // namespace switchyard::inline v0::sql
""")
    print(f"{len(lines)} functions in {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

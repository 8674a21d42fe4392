#!/usr/bin/env python3
"""Writes switchyard/session/built_in_functions_table.cpp: the names of PostgreSQL's own functions after which a session
is as it was before. What LEAVES_SOMETHING names is judged in switchyard/session/residue.cpp.

    tools/make_built_in_functions.py BIN BIN ...      folders with initdb and postgres, one per PostgreSQL version

Each version is asked in a cluster of its own, which is removed at the end. psql is taken from PATH.
"""
import pathlib
import re
import sys
import textwrap

import scratch_cluster

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "switchyard/session/built_in_functions_table.cpp"

# Session locks, settings, the seed of random(), statements given as text, slots and backups that belong to the
# session, and what is for upgrades and replication only.
LEAVES_SOMETHING = re.compile(
    r"set_config|setseed|pg_(try_)?advisory_(un)?lock.*|query_to_xml.*|cursor_to_xml.*|ts_stat|ts_rewrite"
    r"|pg_replication_origin.*|pg_create_.*slot|pg_copy_.*slot|pg_sync_replication_slots"
    r"|pg_backup_.*|pg_start_backup|pg_stop_backup|binary_upgrade.*|pg_logical_.*|pg_export_snapshot")

QUERY = """
COPY (
  SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
   WHERE p.oid < 16384 AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.prokind IN ('f', 'a', 'w')
     AND NOT ARRAY[p.prorettype] || p.proargtypes::oid[] && ARRAY(SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typname ~
           '^(internal|cstring|trigger|event_trigger)$|_handler$' AND t.typtype = 'p')
) TO STDOUT"""


def names_of(bin_folder):
    """The functions of one version that a statement can call."""
    names = scratch_cluster.ask(bin_folder, QUERY).split()
    return {name for name in names if not LEAVES_SOMETHING.fullmatch(name)}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = set()
    for bin_folder in sys.argv[1:]:
        names |= names_of(bin_folder)
    lines = textwrap.wrap(" ".join(f'"{name}",' for name in sorted(names)), 112, break_long_words=False,
                          break_on_hyphens=False)
    TABLE.write_text("""// Made by tools/make_built_in_functions.py, which says what is left out.
// clang-format off
#include <switchyard/session/built_in_functions.hpp>

#include <algorithm>
#include <array>

namespace switchyard::inline v0::session {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({
    """ + "\n    ".join(lines) + """
});
static_assert(std::ranges::is_sorted(kNames));

}  // namespace

bool is_harmless_built_in(std::string_view name) noexcept { return std::ranges::binary_search(kNames, name); }

}  // namespace switchyard::inline v0::session
""")


if __name__ == "__main__":
    main()

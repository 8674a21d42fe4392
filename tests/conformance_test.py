#!/usr/bin/env python3
"""Conversations and psql through a gateway answer as the server does (tests/conformance has the long runs)."""
# on: postgresql
# needs: build
import json
import os
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent / "conformance"),
                str(pathlib.Path(__file__).resolve().parent.parent / "tools")]
import conversation  # noqa: E402
import harness  # noqa: E402
import script_test  # noqa: E402

PROGRAM = script_test.BUILD.resolve() / "bin" / "switchyard"
SECONDS = 60  # of psql; ends a failed test, decides none
PSQL = r"""
\pset null none
SELECT 1 AS one \gdesc
\d pg_class
CREATE TABLE t (id int PRIMARY KEY, v text);
\copy t FROM PROGRAM 'printf "1\tone\n2\t\\\\N\n"'
SELECT * FROM t ORDER BY id;
\copy t TO STDOUT
\set AUTOCOMMIT off
INSERT INTO t VALUES (3, 'three');
ROLLBACK;
\set AUTOCOMMIT on
\set FETCH_COUNT 2
SELECT generate_series(1, 5);
\unset FETCH_COUNT
SELECT 1/0;
\errverbose
TABLE t;
\c
DROP TABLE t;
"""


def postgresql():
    """The programs of the version that is asked for."""
    wanted = os.environ.get("SWITCHYARD_TEST_PG")
    if not wanted:
        return None
    if "/" in wanted:
        return wanted
    said = subprocess.run([PROGRAM, "version", "--json"], capture_output=True, text=True, check=True).stdout
    return next(one["folder"] for one in json.loads(said)["postgresql"] if one["version"].split(".")[0] == wanted)


def psql(place):
    done = subprocess.run(["psql", "-Xa", "-d", "postgres"], input=PSQL, env=place.local(), capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    return done.stdout + done.stderr


# A client that asks for nothing keeps its session for a second at most: on a busy machine that may be too short for what
# lives on the session (currval, a plan). So a difference counts when it is there each time.
TRIES = 4


def main():
    cases = script_test.Cases()
    if folder := postgresql():
        os.environ["SWITCHYARD_PG_BIN"] = folder
    scripts = sorted((harness.HERE / "conversations").glob("*.txt"))
    with harness.site(pool=4) as (server, gateway):
        talks = {path.stem: lambda place, script=path.read_text(): conversation.hold(place, "postgres", harness.ROLE, script)
                 for path in scripts}
        talks["psql"] = psql
        wanted = {name: talk(server) for name, talk in talks.items()}
        accepted = harness.accepted("talk")
        differences = {}
        for name, talk in talks.items():
            for _ in range(TRIES):
                differences[name] = harness.differences(wanted[name], talk(gateway))
                if not differences[name] or name in accepted:
                    break
    for name, difference in differences.items():
        if name in accepted:
            cases.skip(name, accepted[name])
        else:
            cases.check(f"{name} is answered as by the server", difference)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

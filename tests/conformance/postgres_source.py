"""PostgreSQL's source beside its installed test drivers: what pg_regress and the isolation tests share."""
import pathlib
import re
import subprocess

import harness

PGXS = "lib/pgxs/src/test"  # under the server's prefix
# What the drivers do to a database that they create.
AS_THE_DRIVER_WOULD = ("lc_messages TO 'C'", "lc_monetary TO 'C'", "lc_numeric TO 'C'", "lc_time TO 'C'",
                       "bytea_output TO 'hex'", "timezone_abbreviations TO 'Default'")


def folder(chosen):
    found = [path for pattern in ("postgresql-*", "*/postgresql-*") for path in sorted(chosen.checkouts.glob(pattern))
             if (path / "src" / "test" / "regress").is_dir()]
    if not found:
        raise harness.Missing(f"PostgreSQL's source is missing: {chosen.checkouts}/postgresql-VERSION. Of Debian: "
                              "apt-get source postgresql-15 (needs a deb-src line)")
    return found[-1]


def psql_folder(chosen):
    """Tests print as psql of their own minor version does: the package unpacked to CHECKOUTS/clientVERSION/x, if it
    is there, else the installed one."""
    found = sorted(chosen.checkouts.glob("client*/x/usr/lib/postgresql/*/bin/psql"))
    return found[-1].parent if found else harness.postgres_bin()


def settle(server, database):
    for setting in AS_THE_DRIVER_WOULD:
        server.sql(f'ALTER DATABASE "{database}" SET {setting}')


def outcomes(text, diffs):
    """{test: outcome} of a driver's output; `diffs` is regression.diffs, one part a test."""
    parts = {}
    for part in re.split(r"^diff -U3 ", diffs, flags=re.MULTILINE)[1:]:
        parts[pathlib.PurePath(part.split()[1]).stem] = part.split("\n", 1)[1]
    found = {}
    for name, verdict in re.findall(r"^(?:test |     )(\S+)\s+\.\.\. (ok|FAILED|failed)", text, flags=re.MULTILINE):
        found[name] = "ok" if verdict == "ok" else "failed\n" + parts.get(name, "")
    return found


def run_driver(words, output, account, seconds, **variables):
    """The driver as `account`, for the server writes into its folder as well. Gives outcomes()."""
    environment = harness.clean_environment(HOME=output, PGPASSWORD=harness.PASSWORD, LC_ALL="C", **variables)
    with open(output / "log", "wb") as log:
        process = subprocess.Popen(words, env=environment, cwd=output, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   preexec_fn=harness.follows_us(account))
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    text = (output / "log").read_text(errors="replace")
    diffs = output / "regression.diffs"
    found = outcomes(text, diffs.read_text(errors="replace") if diffs.exists() else "")
    if not found:
        raise harness.Missing(f"the driver did not run: {text[-2000:]}")
    return found

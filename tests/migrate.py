#!/usr/bin/env python3
"""`switchyard migrate` as its users meet it: new, plan, up, status, validate, repair, drift; killed at any moment; and
side by side with a real Flyway (the folder SWITCHYARD_FLYWAY, or flyway.sh in PATH), each going on where the other
stopped."""
# needs: build
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402
from script_test import case  # noqa: E402
from scratch_cluster import Cluster, newest_bin_folder  # noqa: E402

PROGRAM = str(script_test.BUILD.resolve() / "bin" / "switchyard")
SECONDS = 120  # of one command; ends a failed test, decides none
KILLS = int(os.environ.get("SWITCHYARD_MIGRATE_KILLS", "12"))
OK, FAILED, USAGE, PARTIAL = 0, 1, 2, 3


class Project:
    """A folder with a fleet file and migrations."""

    def __init__(self, cluster, databases, more=""):
        self.cluster = cluster
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="migrate-"))
        text = '[fleet]\napplication = "test"\n'
        for name, database in databases.items():
            text += f'[database.{name}]\ndsn = "{cluster.dsn(database)}"\n'
        self.write("switchyard.toml", text + more)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                            "SWITCHYARD_PG_BIN": cluster.bin}

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, *arguments):
        return subprocess.run([PROGRAM, "migrate", *arguments], capture_output=True, text=True, timeout=SECONDS, check=False,
                              cwd=self.folder, env=self.environment)

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, "migrate", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                cwd=self.folder, env=self.environment)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def fresh(cluster, name):
    cluster.psql(f"DROP DATABASE IF EXISTS {name}")
    cluster.psql(f"CREATE DATABASE {name}")
    return name


def daily(cases, cluster):
    project = Project(cluster, {"main": fresh(cluster, "daily"), "reference": fresh(cluster, "daily_reference")})

    @case(cases, "a new migration is one command, its application another")
    def _(p):
        made = project.run("new", "--on", "main", "create", "orders")
        p.ended(made, OK)
        p.same(made.stdout.strip(), "migrations/main/V1__create_orders.sql")
        with open(project.folder / made.stdout.strip(), "a", encoding="utf-8") as file:
            file.write("CREATE TABLE orders (id bigint PRIMARY KEY);\n")
        p.same(project.run("new", "add status").stdout.strip(), "migrations/main/V2__add_status.sql")
        project.write("migrations/main/V2__add_status.sql", "ALTER TABLE orders ADD status text NOT NULL DEFAULT 'open';\n")
        up = project.run("up")
        p.ended(up, OK)
        p.same(cluster.psql("SELECT count(*) FROM flyway_schema_history WHERE success", "daily"), "2")

    @case(cases, "a file for the reference database lies in the shared folder and says so itself")
    def _(p):
        project.write("database/pg/migrations/ref_006_new_reference_table.sql",
                      "-- Target: daily_reference\n\n-- Table: dc_new_reference\n-- Purpose: offices\n-- Data Source: Manual\n"
                      "-- Update Frequency: Weekly\nCREATE TABLE dc_new_reference (id SERIAL PRIMARY KEY);\n")
        p.ended(project.run("up"), OK)
        p.same(cluster.psql("SELECT to_regclass('dc_new_reference')", "daily_reference"), "dc_new_reference")
        shown = project.run("status", "--on", "reference").stdout
        p.want("dc_new_reference; offices; from Manual; Weekly" in shown, shown)

    @case(cases, "plan shows what would run, its locks and what is wrong with it, and changes nothing")
    def _(p):
        project.write("migrations/main/V3__index.sql", "CREATE INDEX orders_status ON orders (status);\n")
        plan = project.run("plan", "--on", "main", "--json")
        p.ended(plan, OK)
        script = json.loads(plan.stdout)["databases"][0]["scripts"][0]
        p.same(script["statements"][0]["locks"], ["SHARE on orders"])
        p.same([one["rule"] for one in script["findings"]], ["require-concurrent-index-creation"])
        p.same(cluster.psql("SELECT to_regclass('orders_status')", "daily"), "")
        p.ended(project.run("lint", "migrations/main/V3__index.sql"), FAILED)
        p.ended(project.run("validate", "--on", "main"), FAILED)

    @case(cases, "some databases failed: exit status 3, the others are done, and it is said where and why")
    def _(p):
        project.write("migrations/reference/V7__wrong.sql", "SELECT 1;\nSELECT x FROM nothing;\n")
        up = project.run("up")
        p.ended(up, PARTIAL)
        p.want("V7__wrong.sql:2" in up.stderr and "nothing" in up.stderr, up.stderr)
        p.same(cluster.psql("SELECT to_regclass('orders_status')", "daily"), "orders_status")
        (project.folder / "migrations/reference/V7__wrong.sql").unlink()
        p.ended(project.run("validate"), OK)

    @case(cases, "drift names what is not as the migrations make it")
    def _(p):
        clean = project.run("drift", "--on", "main")
        p.ended(clean, OK)
        cluster.psql("ALTER TABLE orders ADD note text; DROP INDEX orders_status; "
                     "ALTER TABLE orders ALTER status SET DEFAULT 'new'", "daily")
        drift = project.run("drift", "--on", "main", "--json")
        p.ended(drift, FAILED)
        found = {one["object"]: one["kind"] for one in json.loads(drift.stdout)["databases"][0]["drift"]}
        p.same(found, {"column public.orders.note": "unexpected", "column public.orders.status": "different",
                       "index public.orders_status": "missing"})

    @case(cases, "what is typed wrong is answered with what is meant")
    def _(p):
        wrong = project.run("upp")
        p.ended(wrong, USAGE)
        p.want("did you mean 'up'?" in wrong.stderr, wrong.stderr)
        p.want("did you mean 'reference'?" in project.run("up", "--on", "refrence").stderr)
    project.close()


class Writer(threading.Thread):
    """Inserts rows into a table that is being migrated, until it is told to stop; counts those that were confirmed."""

    def __init__(self, cluster, database):
        super().__init__(daemon=True)
        self.confirmed, self.over = 0, threading.Event()
        self.psql = subprocess.Popen(["psql", "-XAt", "-h", cluster.folder, "-p", str(cluster.port), "-U", "postgres", "-d",
                                      database], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                     **{**cluster.options, "stdin": subprocess.PIPE})

    def run(self):
        while not self.over.is_set():
            self.psql.stdin.write("INSERT INTO live.work (v) VALUES (1);\n")
            self.psql.stdin.flush()
            if self.psql.stdout.readline() != "INSERT 0 1\n":
                return
            self.confirmed += 1
            time.sleep(0.002)

    def stop(self):
        self.over.set()
        self.join(SECONDS)
        self.psql.stdin.close()
        self.psql.wait(SECONDS)
        return self.confirmed


def killed(cases, cluster):
    """Scripts that say what they did; a killed run is followed by another until all is done, while others write."""
    project = Project(cluster, {"main": fresh(cluster, "killed")})
    project.write("migrations/main/V0__log.sql", "CREATE TABLE log (v int); CREATE TABLE t (id int); "
                  "INSERT INTO t SELECT generate_series(1, 20000);")
    cluster.psql("CREATE SCHEMA live; CREATE TABLE live.work (v int)", "killed")
    count = max(200, 7 * KILLS)  # a run that is not killed soon does some
    for i in range(1, count + 1):
        if i % 20 == 0:
            text = (f"INSERT INTO log VALUES ({i});\nCREATE INDEX CONCURRENTLY t_{i} ON t (id);\n"
                    f"DROP INDEX CONCURRENTLY t_{i};\nCREATE UNIQUE INDEX CONCURRENTLY t_u{i} ON t (id);\n"
                    f"INSERT INTO log VALUES ({i});\n")
        else:
            text = (f"CREATE TABLE k{i} (id int);\nINSERT INTO log VALUES ({i});\nALTER TABLE live.work ADD COLUMN c{i} int;\n"
                    f"INSERT INTO log VALUES ({i});\n")
        project.write(f"migrations/main/V{i}__s.sql", text)

    @case(cases, f"killed {KILLS} times in {count} migrations: nothing is half applied, and the next run finishes")
    def _(p):
        seed = int(os.environ.get("SWITCHYARD_SEED", "7"))
        dice = random.Random(seed)
        writers = [Writer(cluster, "killed") for _ in range(2)]
        for writer in writers:
            writer.start()
        kills = 0
        while kills < KILLS:
            run = project.start("up", "--quiet")
            time.sleep(dice.uniform(0.05, 0.35))
            run.kill()
            run.wait()
            kills += 1
            # Each script that the log knows is in the history, whole.
            half = cluster.psql(
                "SELECT string_agg(v::text, ' ') FROM (SELECT v, count(*) AS n FROM log GROUP BY v) l WHERE NOT EXISTS "
                "(SELECT FROM flyway_schema_history h WHERE h.version = v::text AND (NOT h.success OR n = 2))", "killed") \
                if cluster.psql("SELECT to_regclass('log')", "killed") else ""
            p.same(half, "", f"seed {seed}, kill {kills}: half applied:")
        last = project.run("up")
        p.ended(last, OK)
        confirmed = [writer.stop() for writer in writers]
        p.want(min(confirmed) > 0, "nobody wrote meanwhile")
        p.same(cluster.psql("SELECT count(*) FROM live.work", "killed"), str(sum(confirmed)), "rows of those who wrote meanwhile:")
        p.same(cluster.psql("SELECT count(*) FROM log", "killed"), str(2 * count))
        p.same(cluster.psql("SELECT count(*) FROM (SELECT v FROM log GROUP BY v HAVING count(*) = 2) x", "killed"), str(count))
        p.same(cluster.psql("SELECT count(*) FILTER (WHERE success), count(*) FROM flyway_schema_history", "killed"),
               f"{count + 1}|{count + 1}")
        p.same(cluster.psql("SELECT count(*) FILTER (WHERE indisvalid), count(*) FROM pg_index WHERE indrelid = 't'::regclass",
                            "killed"), f"{count // 20}|{count // 20}")
    project.close()


# --- Flyway

def flyway_command():
    folder = os.environ.get("SWITCHYARD_FLYWAY")
    script = shutil.which("flyway.sh", path=folder) if folder else shutil.which("flyway.sh")
    return [script] if script else None


FILES = {
    "V1__create.sql": b"CREATE TABLE a (id int);\r\nCREATE TABLE b (id int);\r\n",
    "V1_1__old_mac.sql": b"CREATE TABLE c (id int);\rINSERT INTO c VALUES (1);\r",
    "V01.2.0__bom.sql": b"\xef\xbb\xbfINSERT INTO c VALUES (2);\n\n\n",
    "V2__utf8.sql": "INSERT INTO c SELECT length('grüße 😀');".encode(),
    "V3__empty.sql": b"",
    "V4__quotes.sql": rb"""CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$ SELECT ';'::text; $body$;
CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;
/* a ; comment */ INSERT INTO c VALUES (length(E'it\'s;')), (length('a''b;')); -- ; end
COPY c FROM STDIN;
7
8
\.
DO $$ BEGIN PERFORM 1; END $$;
""",
    "V5__placeholder.sql": b"CREATE TABLE ${name} (id int DEFAULT ${Number}); -- ${flyway:defaultSchema}\n",
    "V6__index.sql": b"CREATE INDEX CONCURRENTLY a_id ON a (id);\n",
    "V7_1__trailing_white_space.sql": b"SELECT 1;   \n\t\n",
    "sub/V20240101120000__date.sql": b"SELECT 1",
    "R__views.sql": b"CREATE OR REPLACE VIEW v AS SELECT '${name}'::text AS n;\n",
    "R__a_first.sql": b"CREATE OR REPLACE VIEW w AS SELECT 1 AS one;",
    "V99999999999999999999999__big.sql": b"SELECT 1;",
    "V8__cr_comment.sql": b"-- one\rINSERT INTO c VALUES (80);\r-- last",
    "V8_1__mixed_ends.sql": b"INSERT INTO c\r VALUES\n (length('m\r\rx\n\ry'));\r\nSELECT 1;\n\rSELECT 2;",
    "V8_2__crlf_in_text.sql": b"INSERT INTO c VALUES (length('a\r\nb'))\r",
    "V8_3__only_comment.sql": b"-- nothing here",
    "V8_4__only_ends.sql": b"\n\n\r\n\r\r\n",
    "V8_5__white.sql": b" \t \x0c ",
    "V8_6__bom_only.sql": b"\xef\xbb\xbf",
    "V8_7__bom_then_ends.sql": b"\xef\xbb\xbf\r\n\nSELECT 1;\n",
    "V8_8__separators.sql": "INSERT INTO c VALUES (length('a\u2028b\u2029c\u0085d\u00a0'));\n".encode(),
    "V8_9__semicolons.sql": b";;SELECT 1;;\n;\n",
    "V8.10__nested_comment.sql": b"/* a /* b */ c; */ SELECT 1;\n",
    "V8_11__strings.sql": rb"""INSERT INTO c VALUES (length(E'\';\\')), (length('\')), (length(U&'\0041;')), (length(B'101'::text));
SELECT 1 AS "x;""y"; SELECT 3--1
; SELECT $a$;$b$;$a$;""",
    "V8_12__copy_crlf.sql": b"COPY c FROM STDIN;\r\n81\r\n\\.\r\nSELECT 1;\r\n",
    "V9__utf16.sql": "INSERT INTO c SELECT length('grüße € 😀');\r\n".encode("utf-16"),
    "V9__utf16.sql.conf": b"encoding=UTF-16\n",
    "V9_1__utf16le.sql": "INSERT INTO c SELECT length('grüße');".encode("utf-16-le"),
    "V9_1__utf16le.sql.conf": b"encoding=UTF-16LE",
    "V9_2__latin1.sql": "INSERT INTO c SELECT length('grüße');\r\n".encode("latin-1"),
    "V9_2__latin1.sql.conf": b"encoding=ISO-8859-1\n",
    "V9_3__windows.sql": "INSERT INTO c SELECT length('5 €');".encode("cp1252"),
    "V9_3__windows.sql.conf": b"encoding=windows-1252\n",
    "V10__left_alone.sql": b"INSERT INTO c SELECT length('${unknown} ${unclosed');",
    "V10__left_alone.sql.conf": b"placeholderReplacement=false\n",
    "V10_1__near_placeholders.sql": b"SELECT '$${name} {name} $ {name} ${NAME}} $name'; DO $$ BEGIN PERFORM '${name}'; END $$;",
    "V2024.01.01.120000__when.sql": b"SELECT 1;",
    "V1.2.3.4.5.6.7.8.9.10.11.12__many.sql": b"SELECT 1;",
    "V11.sql": b"SELECT 1;",
    "V12__.sql": b"SELECT 1;",
    "V13___three__more.sql": b"SELECT 1;",
    "V14__with space, ünd.more.SQL": b"SELECT 1;",
    "V_15__none.sql": b"SELECT * FROM nowhere;",
    "V16__none.sql.bak": b"SELECT * FROM nowhere;",
    "v17__none.sql": b"SELECT * FROM nowhere;",
    "U2__undo.sql": b"SELECT * FROM nowhere;",
    "R__with__two.sql": b"SELECT 1;",
    "R__A.sql": b"SELECT 1;\r",
    "R__empty.sql": b"",
    "afterMigrate__count.sql": b"CREATE TABLE IF NOT EXISTS calls (what text); INSERT INTO calls VALUES ('${flyway:filename}');",
    "afterVersioned.sql": b"CREATE TABLE IF NOT EXISTS calls (what text); INSERT INTO calls VALUES ('versioned');",
}
LATER = {
    "V100000000000000000000000__later.sql": b"CREATE TABLE later (id int);",
    "R__a_first.sql": b"CREATE OR REPLACE VIEW w AS SELECT 2 AS one;",
}
HISTORY = ("SELECT installed_rank, version, description, type, script, checksum, installed_by, success FROM {} "
           "ORDER BY installed_rank")
PLACEHOLDERS = ["--placeholder", "name=named", "--placeholder", "number=5"]


def beside_flyway(cases, cluster):
    command = flyway_command()
    if command is None:
        cases.skip("side by side with Flyway", "no flyway.sh in PATH or SWITCHYARD_FLYWAY")
        return

    def flyway(project, database, action, *more, schema=None):
        arguments = [*command, f"-url=jdbc:postgresql://127.0.0.1:{cluster.port}/{database}", "-user=postgres", "-password=x",
                     f"-locations=filesystem:{project.folder}/migrations/main", "-placeholders.name=named",
                     "-placeholders.number=5", "-postgresql.transactional.lock=false", *more, action]
        if schema:
            arguments.insert(-1, f"-defaultSchema={schema}")
        return subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=project.folder,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})

    for schema in (None, "commerce_schema"):
        suffix = "" if schema is None else "_schema"
        theirs, ours = fresh(cluster, f"theirs{suffix}"), fresh(cluster, f"ours{suffix}")
        more = "" if schema is None else f'schema = "{schema}"\n'
        on_ours = Project(cluster, {"main": ours}, more)
        on_theirs = Project(cluster, {"main": theirs}, more)
        table = f'"{schema or "public"}".flyway_schema_history'
        for name, text in FILES.items():
            for project in (on_ours, on_theirs):
                project.write(f"migrations/main/{name}", text)

        @case(cases, f"history and tables are as Flyway makes them ({schema or 'public'})")
        def _(p):
            p.ended(flyway(on_theirs, theirs, "migrate", schema=schema), 0)
            p.ended(on_ours.run("up", *PLACEHOLDERS), OK)
            p.same(cluster.psql(HISTORY.format(table), ours).splitlines(), cluster.psql(HISTORY.format(table), theirs).splitlines())
            p.same(cluster.dump(ours, "--schema-only"), cluster.dump(theirs, "--schema-only"))
            for rows in ("c", "calls"):
                p.same(*(cluster.psql(f"SELECT * FROM \"{schema or 'public'}\".{rows}", database) for database in (ours, theirs)))

        @case(cases, f"each finds the other's work valid, and nothing to do ({schema or 'public'})")
        def _(p):
            p.ended(flyway(on_ours, ours, "validate", schema=schema), 0)
            p.ended(on_theirs.run("validate", *PLACEHOLDERS), OK)
            p.ended(flyway(on_ours, ours, "migrate", schema=schema), 0)
            p.ended(on_theirs.run("up", *PLACEHOLDERS), OK)
            p.same(cluster.psql(f"SELECT count(*) FROM {table}", ours), cluster.psql(f"SELECT count(*) FROM {table}", theirs))

        @case(cases, f"each goes on where the other stopped ({schema or 'public'})")
        def _(p):
            for name, text in LATER.items():
                for project in (on_ours, on_theirs):
                    project.write(f"migrations/main/{name}", text)
            p.ended(flyway(on_ours, ours, "migrate", schema=schema), 0)
            p.ended(on_theirs.run("up", *PLACEHOLDERS), OK)
            p.same(cluster.psql(HISTORY.format(table), ours).splitlines(), cluster.psql(HISTORY.format(table), theirs).splitlines())
            p.ended(flyway(on_theirs, theirs, "validate", schema=schema), 0)
            p.ended(on_ours.run("validate", *PLACEHOLDERS), OK)

        @case(cases, f"both refuse a changed file, and either's repair mends it ({schema or 'public'})")
        def _(p):
            for project in (on_ours, on_theirs):
                project.write("migrations/main/V1__create.sql", b"CREATE TABLE a (id int); CREATE TABLE b (id int);")
            p.want(flyway(on_ours, ours, "validate", schema=schema).returncode != 0, "Flyway accepts it")
            p.ended(on_ours.run("validate", *PLACEHOLDERS), FAILED)
            p.ended(on_ours.run("repair", *PLACEHOLDERS), OK)
            p.ended(flyway(on_ours, ours, "validate", schema=schema), 0)
            p.ended(flyway(on_theirs, theirs, "repair", schema=schema), 0)
            p.ended(on_theirs.run("validate", *PLACEHOLDERS), OK)
            p.same(cluster.psql(HISTORY.format(table), ours).splitlines(), cluster.psql(HISTORY.format(table), theirs).splitlines())
        on_ours.close()
        on_theirs.close()

    ours = fresh(cluster, "based")
    theirs = fresh(cluster, "based_theirs")
    project = Project(cluster, {"main": ours})
    project.write("migrations/main/V1__old.sql", "CREATE TABLE old (id int);")
    project.write("migrations/main/V2__new.sql", "CREATE TABLE new (id int);")

    @case(cases, "a baseline is Flyway's")
    def _(p):
        for database in (ours, theirs):
            cluster.psql("CREATE TABLE old (id int)", database)
        p.ended(project.run("baseline", "--on", "main", "--version", "1"), OK)
        p.ended(flyway(project, theirs, "baseline"), 0)
        table = "public.flyway_schema_history"
        p.same(cluster.psql(HISTORY.format(table), ours), cluster.psql(HISTORY.format(table), theirs))
        p.ended(flyway(project, ours, "migrate"), 0)
        p.ended(project.run("validate"), OK)
    project.close()


# --- squawk

CORPUS = [
    "CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON t (a)", "DROP INDEX i", "REINDEX TABLE t",
    "ALTER TABLE t ADD a text", "ALTER TABLE t ADD a text DEFAULT 'x'", "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE t ADD a text NOT NULL", "ALTER TABLE t ADD a bigint GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE t ADD a bigint GENERATED ALWAYS AS (b + 1) STORED", "ALTER TABLE t ADD a bigint REFERENCES o",
    "ALTER TABLE t ADD a text UNIQUE", "ALTER TABLE t ALTER a SET NOT NULL", "ALTER TABLE t ALTER a TYPE bigint",
    "ALTER TABLE t ALTER a DROP NOT NULL", "ALTER TABLE t DROP a", "ALTER TABLE t RENAME a TO b", "ALTER TABLE t RENAME TO u",
    "ALTER SCHEMA s RENAME TO u", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES o",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i",
    "ALTER TABLE t ADD PRIMARY KEY (a)", "ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&)",
    "ALTER TABLE t DETACH PARTITION p", "DROP TABLE t", "DROP DATABASE d", "TRUNCATE t CASCADE",
    "CREATE DOMAIN d AS text CHECK (value <> '')", "ALTER DOMAIN d ADD CHECK (value <> '')", "ALTER TYPE e ADD VALUE 'x'",
    "CREATE TABLE n (a char(3), b varchar(9), c int, d smallint, e serial, f timestamp)",
    "CREATE TABLE n (a text); CREATE INDEX i ON n (a); ALTER TABLE n ADD CHECK (a <> '')",
    # Several actions in one statement, schemas, quotes, options, and what is made and changed in one script.
    "ALTER TABLE s.t ADD a text NOT NULL, DROP b, ALTER c TYPE text USING c::text", "CREATE UNIQUE INDEX i ON s.t (lower(a))",
    "CREATE INDEX i ON t USING gin (a jsonb_path_ops) WHERE b", "CREATE INDEX IF NOT EXISTS i ON t (a)",
    "DROP INDEX IF EXISTS s.i, s.j CASCADE", "DROP INDEX CONCURRENTLY i", "REINDEX INDEX i", "REINDEX INDEX CONCURRENTLY i",
    "REINDEX SCHEMA s", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", "ALTER TABLE \"T\" ADD \"A b\" int NOT NULL DEFAULT 1",
    "ALTER TABLE t ADD a timestamptz DEFAULT now()", "ALTER TABLE t ADD a timestamptz DEFAULT clock_timestamp()",
    "ALTER TABLE t ADD a double precision DEFAULT random()", "ALTER TABLE t ADD a serial", "ALTER TABLE t ADD a int PRIMARY KEY",
    "ALTER TABLE t ADD a int CHECK (a > 0)", "ALTER TABLE t ADD a int REFERENCES o (id) ON DELETE CASCADE",
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES o NOT VALID", "ALTER TABLE t VALIDATE CONSTRAINT c",
    "ALTER TABLE t ADD CONSTRAINT c NOT NULL a", "ALTER TABLE t ADD UNIQUE (a, b)", "ALTER TABLE t DROP CONSTRAINT c",
    "ALTER TABLE t ADD CONSTRAINT c PRIMARY KEY USING INDEX i", "ALTER TABLE t ALTER a SET DATA TYPE varchar(20)",
    "ALTER TABLE t ALTER a SET DEFAULT 0", "ALTER TABLE t ALTER a DROP DEFAULT", "ALTER TABLE t SET SCHEMA s",
    "ALTER TABLE t RENAME CONSTRAINT c TO d", "ALTER VIEW v RENAME TO w", "ALTER INDEX i RENAME TO j",
    "ALTER TABLE t DETACH PARTITION p CONCURRENTLY", "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)",
    "DROP TABLE IF EXISTS s.t, u CASCADE", "DROP SCHEMA s CASCADE", "TRUNCATE s.t, u", "TRUNCATE TABLE ONLY t RESTART IDENTITY",
    "DROP VIEW v", "DROP TYPE e", "ALTER TYPE e ADD VALUE IF NOT EXISTS 'x' BEFORE 'y'", "ALTER TYPE e RENAME VALUE 'x' TO 'y'",
    "CREATE TABLE n (id bigserial PRIMARY KEY, a varchar, b timestamp(3), c integer[], d json)",
    "CREATE TABLE n (id uuid, at timestamptz, PRIMARY KEY (id)); ALTER TABLE n ADD a text",
    "CREATE TABLE n AS SELECT * FROM t; CREATE INDEX i ON n (a)", "CREATE TEMP TABLE n (a int)",
    "CREATE TABLE p (k int) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2)",
    "CREATE MATERIALIZED VIEW m AS SELECT 1; REFRESH MATERIALIZED VIEW m", "REFRESH MATERIALIZED VIEW m",
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "VACUUM FULL t", "CLUSTER t USING i",
    "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "UPDATE t SET a = 1", "DELETE FROM t", "INSERT INTO t SELECT * FROM u",
    "BEGIN; ALTER TABLE t ADD a int; COMMIT", "CREATE EXTENSION IF NOT EXISTS pg_trgm", "COMMENT ON TABLE t IS 'x'",
    "GRANT SELECT ON t TO r", "DO $$ BEGIN ALTER TABLE t DROP a; END $$", "SET lock_timeout = '1s'; CREATE INDEX i ON t (a)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "CREATE TABLE IF NOT EXISTS n (a text CHECK (a <> ''), b int REFERENCES o)", "ALTER TABLE IF EXISTS t ADD IF NOT EXISTS a int",
    "DROP FUNCTION f(int)", "DROP PROCEDURE p", "DROP SEQUENCE s", "DROP TRIGGER g ON t", "DROP MATERIALIZED VIEW m",
    "ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY", "ALTER TABLE t ALTER a DROP IDENTITY", "ALTER TABLE t ALTER a DROP EXPRESSION",
    "CREATE TABLE n (id smallserial, b serial8)", "ALTER TABLE t ADD a smallserial", "ALTER TABLE t ADD a int2, ADD b character(4)",
    "ALTER TABLE t ADD a text[] DEFAULT ARRAY[]::text[]", "ALTER TABLE t ADD a text DEFAULT md5('x')", "ALTER TABLE t ADD a bigint DEFAULT nextval('s')",
    "ALTER TABLE t ADD a text DEFAULT lower('A')", "ALTER TABLE t ALTER a SET NOT NULL, ALTER b SET NOT NULL", "ALTER TABLE t ADD PRIMARY KEY (a), ADD UNIQUE (b)",
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o ON DELETE SET NULL", "CREATE INDEX ON t USING brin (a)", "CREATE UNIQUE INDEX i ON t (a) INCLUDE (b) WHERE c",
    "DROP INDEX a, b", "REINDEX DATABASE CONCURRENTLY d", "TRUNCATE t, u CASCADE", "DROP TABLE a, b CASCADE", "ALTER TYPE e RENAME TO f",
    "CREATE TABLE a (id bigint PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES a (id)", "ALTER DOMAIN d SET NOT NULL",
    "CREATE DOMAIN d AS citext CONSTRAINT e CHECK (VALUE ~ '@') NOT NULL", "SET LOCAL lock_timeout = '5s'; ALTER TABLE t ADD a int",
    "-- squawk-ignore ban-drop-column\nALTER TABLE t DROP a", "-- squawk-ignore\nALTER TABLE t DROP a", "/* squawk-ignore ban-drop-column */ ALTER TABLE t DROP a",
    "-- squawk-ignore-file\nALTER TABLE t DROP a", "ALTER TABLE t -- squawk-ignore ban-drop-column\n DROP a",
    "ALTER TABLE t DROP COLUMN IF EXISTS a CASCADE", "ALTER SEQUENCE s AS bigint", "ALTER TABLE t SET (fillfactor = 70)",
]
# Who runs the scripts sets the limits, and remembers what is done.
NOT_OURS = {"require-lock-timeout", "require-statement-timeout", "require-timeout-settings", "prefer-robust-stmts"}
# The same thing under a rule that says more.
SAID_OTHERWISE = {
    "constraint-missing-not-valid": {"disallowed-unique-constraint", "adding-serial-primary-key-field",
                                     "adding-exclusion-constraint", "validating-in-same-transaction",
                                     "not-parsed"},  # PostgreSQL 18's grammar
    "adding-field-with-default": {"adding-serial-primary-key-field"},
    "syntax-error": {"not-parsed"},
}


def beside_squawk(cases, folder):
    squawk = os.environ.get("SWITCHYARD_SQUAWK") or shutil.which("squawk")
    if not squawk:
        cases.skip("side by side with squawk", "no squawk in PATH or SWITCHYARD_SQUAWK")
        return

    @case(cases, "whatever squawk warns of, lint warns of")
    def _(p):
        files = []
        for number, sql in enumerate(CORPUS):
            files.append(str(folder / f"{number:03}.sql"))
            pathlib.Path(files[-1]).write_text(sql + ";\n", encoding="utf-8")
        theirs = subprocess.run([squawk, "--reporter", "json", "--assume-in-transaction", "--pg-version", "15.0", *files],
                                capture_output=True, text=True, timeout=SECONDS, check=False)
        ours = subprocess.run([PROGRAM, "migrate", "lint", "--json", *files], capture_output=True, text=True, timeout=SECONDS,
                              check=False)
        found = {one["file"]: {finding["rule"] for finding in one["findings"]} for one in json.loads(ours.stdout)["files"]}
        p.same(len(found), len(CORPUS))
        for violation in json.loads(theirs.stdout):
            rule, rules = violation["rule_name"], found[violation["file"]]
            if rule in NOT_OURS or rule in rules or SAID_OTHERWISE.get(rule, set()) & rules:
                continue
            p.want(False, pathlib.Path(violation["file"]).read_text(encoding="utf-8").strip(), "lacks", rule, "has", rules)


def main():
    cases = script_test.Cases()
    folder = newest_bin_folder()
    if folder is None:
        cases.skip("migrations", "no PostgreSQL server is installed")
        return cases.finish()
    with Cluster(folder) as cluster:
        daily(cases, cluster)
        killed(cases, cluster)
        beside_flyway(cases, cluster)
        with tempfile.TemporaryDirectory(prefix="migrate-") as name:
            beside_squawk(cases, pathlib.Path(name))
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

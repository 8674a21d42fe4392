#!/usr/bin/env python3
"""The real program as a user meets it: up, query, status, health, shell, doctor, down, and what goes wrong."""
# on: postgresql
# needs: build
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402
from script_test import case  # noqa: E402

PROGRAM = str(script_test.BUILD.resolve() / "bin" / "switchyard")
EXAMPLES = script_test.ROOT / "examples"
SECONDS = 60  # of one command; ends a failed test, decides none
OK, FAILED, USAGE, PARTIAL, AUTHENTICATION, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Machine:
    """A user's surroundings: an empty folder, state of its own, no variables of ours."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cli-"))
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("PG", "POSTGRES_")) and not key.endswith("DATABASE_URL")}
        self.folder.chmod(0o711)  # for the account that runs the servers when we are root
        runtime = self.folder / "runtime"
        runtime.mkdir(mode=0o700)
        work = self.folder / "work"
        work.mkdir()
        self.work = work
        self.environment.update(XDG_RUNTIME_DIR=str(runtime))
        if folder := self.postgresql():
            self.environment["SWITCHYARD_PG_BIN"] = folder

    def postgresql(self):
        """The programs of the version that is asked for."""
        wanted = os.environ.get("SWITCHYARD_TEST_PG")
        if not wanted:
            return None
        if "/" in wanted:
            return wanted
        for one in json.loads(self.run("version", "--json").stdout)["postgresql"]:
            if one["version"].split(".")[0] == wanted:
                return one["folder"]
        raise SystemExit(f"PostgreSQL {wanted} is not installed")

    def run(self, *arguments, stdin=None, cwd=None, **variables):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False,
                              cwd=cwd or self.work, env={**self.environment, **variables}, input=stdin or "")

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=self.work, env=self.environment)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    return None


def get(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def servers_of(pid):
    """The postmasters whose parent this process is."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
            name = text[text.index("(") + 1:text.rindex(")")]
            if int(text[text.rindex(")") + 2:].split()[1]) == pid and name == "postgres":
                found.append(int(entry))
    return found


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return state[state.rindex(")") + 2] != "Z"
    except OSError:
        return False


def without_a_fleet(cases, machine):
    @case(cases, "version and help go to standard output")
    def _(p):
        result = machine.run("version")
        p.ended(result, OK)
        p.want(re.fullmatch(r"switchyard \d+\.\d+\.\d+\n", result.stdout), result.stdout)
        p.want(json.loads(machine.run("version", "--json").stdout)["version"], "no version in JSON")
        p.want("switchyard up" in machine.run("help").stdout, "help does not mention up")
        p.want("--detach" in machine.run("up", "--help").stdout, "up --help does not mention --detach")

    @case(cases, "typing mistakes are answered with what was meant, on standard error, with status 2")
    def _(p):
        for words, meant in ((("stauts",), "status"), (("up", "--detatch"), "--detach"),
                             (("query", "--onn", "x", "SELECT 1"), "--on"), (("config", "explian"), "explain")):
            result = machine.run(*words)
            p.ended(result, USAGE)
            p.want(meant in result.stderr and not result.stdout, words, result.stderr, result.stdout)

    @case(cases, "no fleet and no configuration: status 5 and what to do; down has nothing to do")
    def _(p):
        for words in (("status",), ("query", "SELECT 1"), ("health",), ("doctor",), ("shell",)):
            result = machine.run(*words)
            p.ended(result, UNREACHABLE)
            p.want("switchyard up" in result.stderr, result.stderr)
        p.ended(machine.run("down"), OK)

    @case(cases, "a wrong configuration is named with place and meaning")
    def _(p):
        file = machine.work / "wrong.toml"
        file.write_text("[database.main]\ndsn = \"postgresql://localhost/x\"\npoool = { max = 3 }\n", encoding="utf-8")
        for words in (("up", "--config", str(file)), ("config", "explain", "--config", str(file))):
            result = machine.run(*words)
            p.ended(result, USAGE)
            p.want("wrong.toml:3" in result.stderr and "pool" in result.stderr, result.stderr)
        result = machine.run("up", "--config", "nowhere.toml")
        p.ended(result, USAGE)
        p.want("nowhere.toml" in result.stderr, result.stderr)

    @case(cases, "config explain says where a value came from and shows no password")
    def _(p):
        result = machine.run("config", "explain", "--set", "database.main.pool.max=7",
                             POSTGRES_DSN="postgresql://u:very-secret@localhost/x", PG_POOL_MIN_SIZE="3")
        p.ended(result, OK)
        p.want("PG_POOL_MIN_SIZE" in result.stdout, result.stdout)
        p.want("very-secret" not in result.stdout + result.stderr, "the password is shown")
        settings = json.loads(machine.run("config", "explain", "--json", PG_POOL_MIN_SIZE="3").stdout)["settings"]
        p.want(any(row["key"] == "database.main.pool.min" and row["value"] == "3" for row in settings), settings)

    @case(cases, "a server that is not there: status 5, doctor has the line that finds out")
    def _(p):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            dsn = f"postgresql://nobody@127.0.0.1:{unused.getsockname()[1]}/nothing"
            result = machine.run("query", "SELECT 1", POSTGRES_DSN=dsn)
            p.ended(result, UNREACHABLE)
            p.want("refused" in result.stderr, result.stderr)
            p.ended(machine.run("health", POSTGRES_DSN=dsn), UNREACHABLE)
            result = machine.run("doctor", POSTGRES_DSN=dsn)
            p.ended(result, FAILED)
            p.want("pg_isready -h 127.0.0.1" in result.stdout, result.stdout, result.stderr)

    @case(cases, "sql explain says what a statement is from its text alone, and that a database decides the rest")
    def _(p):
        result = machine.run("sql", "explain", "SELECT lower(a) FROM s.t WHERE b > 'today' FOR UPDATE")
        p.ended(result, OK)
        for words in ("select, writes", "s.t", "lower", "locks_rows"):
            p.want(words in result.stdout, words, "is not in", result.stdout)
        p.want("database" in result.stderr, result.stderr)
        facts = json.loads(machine.run("sql", "explain", "--json", "-", stdin="SELECT count(*) FROM t\n").stdout)
        p.want((facts["kind"], facts["writes"], facts["relations"], facts["functions"]) ==
               ("select", False, ["t"], ["count"]), facts)
        p.want(facts["may_share"] is False and facts["reasons"] and len(facts["fingerprint"]) == 16, facts)
        facts = json.loads(machine.run("sql", "explain", "--json", "SELECT * FORM t u").stdout)
        p.want(facts["kind"] == "unknown" and facts["writes"] and "syntax error" in facts["why_unknown"], facts)
        # Longer than what is read of it.
        facts = json.loads(machine.run("sql", "explain", "--json", "-", stdin="SELECT " + 100000 * "1+" + "1").stdout)
        p.want(facts["kind"] == "unknown" and "64 kB" in facts["why_unknown"], facts)
        for words in (("sql",), ("sql", "explain"), ("sql", "explain", "SELECT", "1")):
            p.ended(machine.run(*words), USAGE)

    @case(cases, "completion scripts are valid")
    def _(p):
        for shell in ("bash", "zsh", "fish"):
            script = machine.run("completion", shell)
            p.ended(script, OK)
            if shutil.which(shell):
                check = subprocess.run([shell, "-n"], input=script.stdout, text=True, capture_output=True, check=False)
                p.want(check.returncode == 0, shell, check.stderr)
        p.ended(machine.run("completion", "tcsh"), USAGE)

    @case(cases, "a taken port is refused before anything is started, and its owner named; auto finds another")
    def _(p):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            begun = time.monotonic()
            result = machine.run("up", "--detach", "--http", address)
            p.ended(result, UNREACHABLE)
            p.want(f"pid {os.getpid()} (" in result.stderr, result.stderr)
            p.want("server started" not in result.stderr, "servers were started first", time.monotonic() - begun)


def psql(machine, host, port, user, database, sql, **variables):
    return subprocess.run(["psql", "-X", "-w", "-h", host, "-p", str(port), "-U", user, "-d", database, "-Atc", sql],
                          capture_output=True, text=True, timeout=SECONDS, check=False,
                          env={**machine.environment, **variables})


def running_pid(machine, application):
    """Of the process that other commands find; none while that changes."""
    for file in (machine.folder / "runtime").rglob("*.json"):
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(file.read_text(encoding="utf-8"))
            if state.get("application") == application:
                return state.get("pid")
    return None


def gateway_alone(cases, machine, dsn):
    user = dsn.split("//")[1].split("@")[0]
    (machine.work / "users.txt").write_text(f'"{user}" "hunter2"\n', encoding="utf-8")
    file = machine.work / "front.toml"
    file.write_text(f'[fleet]\napplication = "front"\n[database.main]\ndsn = "{dsn}"\n'
                    '[gateway]\nusers_file = "users.txt"\n', encoding="utf-8")

    @case(cases, "gateway lets clients in that know their password, reads users again on SIGHUP, and ends in order")
    def _(p):
        gateway = machine.start("gateway", "--config", str(file), "--listen", "auto", "--json")
        lines = []
        while not lines or lines[-1].rstrip() != "}":
            lines.append(gateway.stdout.readline())
        banner = json.loads("".join(lines))
        host, port = banner["gateway"][0].rsplit(":", 1)
        p.want(banner["databases"] == [{"database": "main", "user": user}], banner)
        good = psql(machine, host, port, user, "main", "SELECT session_user", PGPASSWORD="hunter2")
        p.want(good.stdout == user + "\n", good.stdout, good.stderr)
        bad = psql(machine, host, port, user, "main", "SELECT 1", PGPASSWORD="hunter3")
        p.want("password authentication failed" in bad.stderr, bad.stderr)
        status = machine.run("status", "--application", "front")
        p.want(banner["gateway"][0] in status.stdout, status.stdout, status.stderr)
        taken = machine.run("gateway", "--config", str(file), "--set", "fleet.application=other", "--listen",
                            banner["gateway"][0])
        p.ended(taken, UNREACHABLE)
        p.want(f"pid {gateway.pid} (" in taken.stderr and "--set gateway.listen" in taken.stderr, taken.stderr)

        (machine.work / "users.txt").write_text(f'"{user}" "hunter3"\n', encoding="utf-8")
        gateway.send_signal(signal.SIGHUP)
        p.want(wait_for(lambda: psql(machine, host, port, user, "main", "SELECT 1",
                                     PGPASSWORD="hunter3").returncode == 0), "the new password is not known")
        (machine.work / "users.txt").write_text("nonsense\n", encoding="utf-8")
        gateway.send_signal(signal.SIGHUP)
        p.want("users.txt:1" in wait_for(lambda: next((line for line in gateway.stderr if "stays" in line), None)),
               "a mistake is not told")
        p.want(psql(machine, host, port, user, "main", "SELECT 1", PGPASSWORD="hunter3").returncode == 0,
               "a mistake has changed something")
        gateway.send_signal(signal.SIGINT)
        p.want(gateway.wait(SECONDS) == OK, "exit status", gateway.returncode)
        gateway.stdout.close()
        gateway.stderr.close()

    @case(cases, "gateway on two threads restarts under its clients, by command and by signal")
    def _(p):
        folder = machine.folder / "front"
        folder.mkdir(mode=0o700)
        (machine.work / "users.txt").write_text(f'"{user}" "hunter2"\n', encoding="utf-8")
        gateway = machine.start("gateway", "--config", str(file), "--set", "fleet.application=twice", "--listen", "auto",
                                "--set", f"gateway.unix_socket={folder}", "--shards", "2", "--json")
        banner = ""
        while not banner.endswith("\n}\n") and (line := gateway.stdout.readline()):
            banner += line
        at = json.loads(banner)
        host, port = at["gateway"][0].rsplit(":", 1)
        client = subprocess.Popen(["psql", "-XAtq", "-h", host, "-p", port, "-U", user, "-d", "main"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, bufsize=1,
                                  env={**machine.environment, "PGPASSWORD": "hunter2"})

        def ask(sql):
            client.stdin.write(sql + ";\n")
            client.stdin.flush()
            return client.stdout.readline().strip()

        p.want(ask("SET work_mem = '77kB'; SELECT 1") == "1", "no session")
        scrape = get(at["http"].removeprefix("http://"), "/metrics")[1]
        counts = re.findall(r"^switchyard_gateway_clients\{[^}]*\} (\d+)$", scrape, re.MULTILINE)
        p.want(sum(map(int, counts)) == 1, "clients", counts)
        pids = {gateway.pid}
        before = gateway.pid
        for way in ("command", "signal"):
            if way == "command":
                told = machine.run("gateway", "restart", "--application", "twice")
                p.ended(told, OK)
                p.want(f"pid {before} ends" in told.stderr, told.stderr)
            else:
                os.kill(before, signal.SIGUSR2)
            p.want(wait_for(lambda: running_pid(machine, "twice") not in (None, before)), way, "nobody took over")
            before = running_pid(machine, "twice")
            pids.add(before)
            p.want(ask("SHOW work_mem") == "77kB", way, "the client is not what it was")
        p.want(len(pids) == 3, pids)
        late = psql(machine, host, port, user, "main", "SELECT 2", PGPASSWORD="hunter2")
        p.want(late.stdout == "2\n", late.stdout, late.stderr)
        client.stdin.close()
        client.wait(SECONDS)
        client.stdout.close()
        p.want(gateway.wait(SECONDS) == OK, "exit status of the first", gateway.returncode)
        p.ended(machine.run("down", "--application", "twice"), OK)
        gateway.stdout.close()
        gateway.stderr.close()

    @case(cases, "gateway says what is missing or mistyped")
    def _(p):
        result = machine.run("gateway", cwd=machine.folder)
        p.ended(result, USAGE)
        p.want("no database is configured" in result.stderr and "switchyard up" in result.stderr, result.stderr)
        result = machine.run("gateway", "--config", str(file), "--set", "gateway.listn=1")
        p.want("did you mean 'gateway.listen'?" in result.stderr, result.stderr)
        result = machine.run("gateway", "--config", str(file), "--set", "gateway.users_file=nowhere.txt")
        p.ended(result, USAGE)
        p.want("can't read" in result.stderr and "nowhere.txt" in result.stderr, result.stderr)


def demonstration(cases, machine):
    up = machine.run("up", "--detach", "--http", "auto")

    @case(cases, "up --detach without configuration ends with a fleet and a screen of what to try")
    def _(p):
        p.ended(up, OK)
        for expected in ("http://127.0.0.1:", "main", "streaming replica", "analytics", "compliance", "curl", "psql",
                         "switchyard query", "down stops it"):
            p.want(expected in up.stdout, f"no '{expected}' in", up.stdout)
        p.want("\033" not in up.stdout + up.stderr, "colours off a terminal")
    if up.returncode != 0:
        return
    address = re.search(r"http://(127\.0\.0\.1:\d+)", up.stdout).group(1)

    @case(cases, "psql gets in through the gateway beside it, as the screen says")
    def _(p):
        line = re.search(r"psql -h (\S+) -p (\d+) -U (\S+) -d (\S+)", up.stdout)
        p.want(line, "no line for psql", up.stdout)
        host, port, user, database = line.groups()
        result = psql(machine, host, port, user, database, "SELECT session_user")
        p.want(result.stdout == user + "\n", result.stdout, result.stderr)
        reads = psql(machine, host, port, user, "main:read", "SHOW transaction_read_only")
        p.want(reads.stdout == "on\n", reads.stdout, reads.stderr)
        folder = re.search(r"(\S+)/\.s\.PGSQL\.(\d+)", up.stdout)
        local = psql(machine, folder.group(1), folder.group(2), user, "reference", "SELECT 1")
        p.want(local.stdout == "1\n", local.stdout, local.stderr)
        p.want(port in machine.run("status").stdout, "status does not show the gateway")
        console = psql(machine, host, port, user, "switchyard", "SHOW CLIENTS")
        p.want(console.returncode == 0, "the console is not to be had", console.stderr)
        nobody = psql(machine, host, port, user, "nosuch", "SELECT 1")
        p.want("nosuch" in nobody.stderr and "main" in nobody.stderr and "password" not in nobody.stderr, nobody.stderr)
        p.want("switchyard_gateway_connections_total 5" in get(address, "/metrics")[1], "not counted")

    dsn = re.search(r"psql '(postgresql://\S+)'\s+# main\n", up.stdout).group(1)
    gateway_alone(cases, machine, dsn)

    @case(cases, "a second up of the same application says that the first runs")
    def _(p):
        again = machine.run("up", "--detach", "--http", "auto")
        p.ended(again, UNREACHABLE)
        p.want("runs already (pid" in again.stderr, again.stderr)

    @case(cases, "query prints a table, JSON and CSV, data on standard output alone")
    def _(p):
        table = machine.run("query", "SELECT 1 AS one, NULL AS nothing, 'a' || chr(10) || 'b' AS text")
        p.ended(table, OK)
        p.want(table.stdout.splitlines()[0].split() == ["one", "nothing", "text"], table.stdout)
        p.want("NULL" in table.stdout and "(1 row," in table.stderr and "on main" in table.stderr, table.stderr)
        rows = machine.run("query", "--json", "SELECT code, name FROM countries ORDER BY code", "--on", "reference")
        p.want(json.loads(rows.stdout)[0] == {"code": "DE", "name": "Germany"}, rows.stdout, rows.stderr)
        csv = machine.run("query", "--csv", "SELECT 'a,b' AS x, '' AS y, NULL AS z, 1.50 AS n", "--on", "analytics")
        p.want(csv.stdout == 'x,y,z,n\n"a,b","",,1.50\n', csv.stdout, csv.stderr)
        empty = machine.run("query", "--json", "SELECT 1 AS x WHERE false")
        p.want(json.loads(empty.stdout) == [], empty.stdout)

    @case(cases, "sql explain says in a database whether a statement may share a session, and why not")
    def _(p):
        result = machine.run("sql", "explain", "--on", "main", "SELECT name FROM customers WHERE id = $1")
        p.ended(result, OK)
        p.want(re.search(r"may share a session +yes", result.stdout), result.stdout, result.stderr)
        result = machine.run("sql", "explain", "--on", "main", "SELECT set_config('a.b', 'c', false)")
        p.ended(result, OK)
        p.want(re.search(r"may share a session +no", result.stdout) and "set_config()" in result.stdout, result.stdout)
        facts = json.loads(machine.run("sql", "explain", "--on", "reference", "--json",
                                       "SELECT now(), code FROM countries").stdout)
        p.want(facts["may_share"] and not facts["may_share_sync"] and facts["reasons"], facts)
        p.ended(machine.run("query", "CREATE FUNCTION explained() RETURNS int LANGUAGE sql AS 'SELECT 1'"), OK)
        for setting, shares in ((), False), (("--set", "database.main.lane_safe=public.explained"), True):
            result = machine.run("sql", "explain", "--on", "main", "--json", "SELECT explained()", *setting)
            p.want(json.loads(result.stdout)["may_share"] is shares, setting, result.stdout, result.stderr)
        result = machine.run("sql", "explain", "--on", "mian", "SELECT 1")
        p.ended(result, USAGE)
        p.want("main" in result.stderr and not result.stdout, result.stderr, result.stdout)

    @case(cases, "query reads several statements from standard input and runs them on one session")
    def _(p):
        text = ("CREATE TEMPORARY TABLE t (n int); INSERT INTO t VALUES (1), (2); -- ; \n"
                "SELECT sum(n) AS sum, ';' AS x FROM t;")
        result = machine.run("query", "--csv", "-", stdin=text)
        p.ended(result, OK)
        p.want(result.stdout == "sum,x\n3,;\n", result.stdout, result.stderr)
        p.want("INSERT 0 2" in result.stderr and "CREATE TABLE" in result.stderr, result.stderr)

    @case(cases, "query shows an SQL error with its SQLSTATE, place and hint, and ends with 1")
    def _(p):
        result = machine.run("query", "SELECT nothing FROM customers")
        p.ended(result, FAILED)
        p.want("42703" in result.stderr and "nothing" in result.stderr, result.stderr)
        p.want("LINE 1: SELECT nothing FROM customers\n               ^" in result.stderr, result.stderr)
        p.want(not result.stdout, "an error on standard output")
        slow = machine.run("query", "--timeout", "100ms", "SELECT pg_sleep(30)")
        p.ended(slow, FAILED)
        unknown = machine.run("query", "--on", "refrence", "SELECT 1")
        p.ended(unknown, USAGE)
        p.want("reference" in unknown.stderr, unknown.stderr)

    @case(cases, "a read view reads from the replica, which follows the primary")
    def _(p):
        for words in (("--read",), ("--on", "main_replica")):
            result = machine.run("query", "--csv", *words, "SELECT pg_is_in_recovery() AS r")
            p.want(result.stdout == "r\nt\n", result.stdout, result.stderr)
        p.ended(machine.run("query", "CREATE TABLE seen AS SELECT 7 AS n"), OK)

        def follows():
            return machine.run("query", "--csv", "--read", "SELECT n FROM seen").stdout == "n\n7\n"
        p.want(wait_for(follows), "the replica never showed the row")

    @case(cases, "a large result goes through with bounded memory")
    def _(p):
        command = ("import resource, subprocess, sys\n"
                   "end = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
                   "print(end.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        result = subprocess.run([sys.executable, "-c", command, PROGRAM, "query", "--csv",
                                 "SELECT repeat('x', 1000) FROM generate_series(1, 200000)"], capture_output=True,
                                text=True, timeout=SECONDS, check=False, cwd=machine.work, env=machine.environment)
        code, kilobytes = map(int, result.stdout.split())
        p.want(code == 0, result.stderr)
        p.want(kilobytes < 100_000, f"{kilobytes} kB for a result of 200 MB")

    @case(cases, "query | head ends without a complaint")
    def _(p):
        pipe = subprocess.run(f"'{PROGRAM}' -q query --csv 'SELECT * FROM generate_series(1, 1000000)' | head -n 2",
                              shell=True, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=machine.work,
                              env=machine.environment)
        p.want(pipe.stdout == "generate_series\n1\n" and not pipe.stderr, pipe.stdout, pipe.stderr)

    @case(cases, "status and health know every database and the replica")
    def _(p):
        status = machine.run("status")
        p.ended(status, OK)
        for expected in ("demo", "all serve", "main", "replica", "documents", "CLOSED"):
            p.want(expected in status.stdout, f"no '{expected}' in", status.stdout)
        names = [one["name"] for one in json.loads(machine.run("status", "--json").stdout)["databases"]]
        p.want(names == ["main", "reference", "analytics", "documents", "compliance"], names)
        health = machine.run("health", "--json")
        p.ended(health, OK)
        p.want(json.loads(health.stdout)["status"] == "pass", health.stdout)
        p.ended(machine.run("health", "--on", "main"), OK)
        p.ended(machine.run("health", "--on", "mian"), USAGE)

    @case(cases, "breakers are shown, opened and reset, and an open one refuses that database alone")
    def _(p):
        shown = machine.run("breaker")
        p.ended(shown, OK)
        p.want("reference" in shown.stdout and "CLOSED" in shown.stdout and "write" in shown.stdout, shown.stdout)
        breakers = json.loads(machine.run("breaker", "--on", "main", "--json").stdout)["breakers"]
        p.want({(one["endpoint"], one["access"]) for one in breakers}
               >= {("primary", "read"), ("primary", "write")}, breakers)
        p.want(all(one["database"] == "main" and one["state"] == "CLOSED" for one in breakers), breakers)
        opened = machine.run("breaker", "open", "--on", "reference", "--access", "write", "--json")
        p.ended(opened, OK)
        p.want([(one["access"], one["state"], one["mode"]) for one in json.loads(opened.stdout)["breakers"]]
               == [("write", "OPEN", "forced open")], opened.stdout)
        p.want("OPEN, forced open" in machine.run("breaker").stdout, "the table does not show it")
        states = {one["name"]: one["endpoints"][0]["breaker"]
                  for one in json.loads(machine.run("status", "--json").stdout)["databases"]}
        p.want(states["reference"] == "OPEN" and states["main"] == "CLOSED", states)
        p.ended(machine.run("health"), OK)
        p.ended(machine.run("breaker", "reset", "--on", "reference"), OK)
        p.want("OPEN" not in machine.run("breaker").stdout, "still open")

    @case(cases, "events shows what happened, one line each, or as JSON")
    def _(p):
        lines = machine.run("events")
        p.ended(lines, OK)
        p.want("[CIRCUIT BREAKER] reference" in lines.stdout and "-> OPEN" in lines.stdout, lines.stdout)
        kinds = {json.loads(line)["kind"] for line in machine.run("events", "--json").stdout.splitlines()}
        p.want("circuit_breaker" in kinds, kinds)

    @case(cases, "breaker commands that are not understood say what is")
    def _(p):
        for words, expected in ((("opne", "--on", "main"), "open"), (("open",), "--on main"),
                                (("open", "--on", "mian"), "main"), (("reset", "--on", "main", "--access", "all"), "read"),
                                (("open", "--on", "main", "--replica", "nobody"), "nobody")):
            result = machine.run("breaker", *words)
            p.ended(result, USAGE)
            p.want(expected in result.stderr, words, result.stderr)

    @case(cases, "the operators' route refuses who does not say who he is, and web pages of elsewhere")
    def _(p):
        address = state_of(machine)["http"]

        def post(query, **headers):
            request = urllib.request.Request(f"http://{address}/api/fleet/breaker?{query}", method="POST",
                                             headers={name.replace("_", "-"): value for name, value in headers.items()})
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code
        p.want(post("database=main&command=open") == 403, "nobody may open a breaker")
        p.want(post("database=main&command=open", Switchyard_Operator="me", Host="example.com") == 403, "any page may")
        p.want(post("database=main&command=open&access=all", Switchyard_Operator="me") == 400, "a wrong access")
        p.want(post("database=main", Switchyard_Operator="me") == 400, "no command")
        p.want(post("database=main&command=reset", Switchyard_Operator="me") == 200, "an operator")
        p.want("OPEN" not in machine.run("breaker").stdout, "a refused command did something")

    @case(cases, "doctor finds nothing wrong")
    def _(p):
        result = machine.run("doctor")
        p.ended(result, OK)
        p.want("No problem found" in result.stderr and "streaming replica" in result.stdout, result.stdout)

    @case(cases, "shell is psql on the endpoint")
    def _(p):
        result = machine.run("shell", "--on", "documents", "--", "-AtXc", "SELECT current_database(), count(*) FROM documents")
        p.ended(result, OK)
        p.want(result.stdout == "documents|3\n", result.stdout, result.stderr)
        p.want(machine.run("shell", "--on", "main_replica", "--", "-AtXc", "SELECT pg_is_in_recovery()").stdout == "t\n",
               "not the replica")

    @case(cases, "the HTTP door answers as the documents say")
    def _(p):
        code, body = get(address, "/api/health/databases")
        p.want(code == 200 and json.loads(body) == {"main": True, "reference": True, "analytics": True,
                                                    "documents": True, "compliance": True, "readReplica": True}, body)
        code, body = get(address, "/api/health/connections")
        p.want(set(json.loads(body)["main"]) == {"totalConnections", "idleConnections", "waitingConnections"}, body)
        for path in ("/livez", "/readyz", "/health", "/metrics", "/api/fleet", "/"):
            p.want(get(address, path)[0] == 200, path)
        p.want('switchyard_up{database="main",endpoint="primary",required="true"} 1' in get(address, "/metrics")[1],
               "no switchyard_up")
        p.want(get(address, "/nowhere")[0] == 404, "no 404")

    @case(cases, "a lost database shows in health, and an optional one does not make the service unready")
    def _(p):
        shared = server_of(machine, "reference")
        os.kill(shared, signal.SIGKILL)
        wait_for(lambda: not alive(shared))
        code, body = get(address, "/api/health/databases")
        p.want(code == 200 and json.loads(body)["reference"] is False and json.loads(body)["main"] is True, body)
        p.want(get(address, "/readyz")[0] == 200, "not ready without an optional database")
        p.want('switchyard_up{database="reference",endpoint="primary",required="false"} 0' in get(address, "/metrics")[1],
               "no explicit 0")
        health = machine.run("health")
        p.ended(health, PARTIAL)
        p.ended(machine.run("query", "--on", "reference", "SELECT 1"), UNREACHABLE)
        p.ended(machine.run("query", "SELECT 1"), OK)
    @case(cases, "down stops everything and is content when nothing runs")
    def _(p):
        process = fleet_pid(machine)
        servers = servers_of(process)
        down = machine.run("down")
        p.ended(down, OK)
        p.want(not alive(process) and not any(alive(one) for one in servers), "something still runs")
        p.ended(machine.run("down"), OK)
        p.want(machine.run("status").returncode == UNREACHABLE, "status still finds it")


def state_of(machine):
    folder = machine.folder / "runtime" / "switchyard"
    return json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8"))


def fleet_pid(machine):
    return state_of(machine)["pid"]


def server_of(machine, database):
    """The postmaster of a private database."""
    dsn = next(one["dsn"] for one in state_of(machine)["relocations"]
               if one["database"] == database and not one["replica"])
    sockets = pathlib.Path(urllib.parse.unquote(re.search(r"host=([^&]+)", dsn).group(1)))
    return int((sockets.parent / "primary" / "postmaster.pid").read_text(encoding="utf-8").split()[0])


def applications(cases, machine):
    @case(cases, "examples/wellwon.toml comes up with its rows, a replica for each database, and writes apart from reads")
    def _(p):
        up = machine.run("up", "--detach", "--http", "auto", "--config", str(EXAMPLES / "wellwon.toml"))
        p.ended(up, OK)
        row = machine.run("query", "--csv", "--on", "reference",
                          "SELECT document_mode_id FROM dc_form_definitions WHERE document_mode_id = '1002007E'")
        p.want(row.stdout == "document_mode_id\n1002007E\n", row.stdout, row.stderr)
        types = machine.run("query", "--csv", "--on", "reference_replica", "SELECT string_agg(code, ',' ORDER BY id) AS c "
                            "FROM dc_declaration_types")
        p.want(types.stdout == 'c\n"IM,EX,TR,TI,TE"\n', types.stdout, types.stderr)
        p.want(machine.run("query", "--csv", "SELECT count(*) AS n FROM user_accounts").stdout == "n\n2\n", "accounts")
        p.ended(machine.run("query", "--on", "reference",
                            "INSERT INTO dc_form_sync_history (sync_type, status) VALUES ('single', 'success')"), OK)
        p.ended(machine.run("down"), OK)

    @case(cases, "examples/chiroerp.toml is one database, where commerce_user can't read finance's tables")
    def _(p):
        up = machine.run("up", "--detach", "--http", "auto", "--config", str(EXAMPLES / "chiroerp.toml"))
        p.ended(up, OK)
        for database in ("core", "analytics", "commerce", "crm", "finance", "logistics", "operations", "supply"):
            result = machine.run("query", "--csv", "--on", database,
                                 "SELECT current_database(), current_schema(), current_user")
            p.want(result.stdout.splitlines()[1:] == [f"chiro_erp,{database}_schema,{database}_user"], result.stdout,
                   result.stderr)
        denied = machine.run("query", "--on", "commerce", "SELECT * FROM finance_schema.invoices")
        p.ended(denied, FAILED)
        p.want("42501" in denied.stderr, denied.stderr)
        p.want("--on" in machine.run("query", "SELECT 1").stderr, "main is not there and nobody says so")
        p.ended(machine.run("down"), OK)

    @case(cases, "examples/parafort.toml has every key of its health document")
    def _(p):
        up = machine.run("up", "--detach", "--http", "auto", "--config", str(EXAMPLES / "parafort.toml"))
        p.ended(up, OK)
        address = re.search(r"http://(127\.0\.0\.1:\d+)", up.stdout).group(1)
        _, body = get(address, "/api/health/databases")
        p.want(list(json.loads(body)) == ["main", "analytics", "documents", "compliance", "readReplica"], body)
        p.want(all(json.loads(body).values()), body)
        p.ended(machine.run("down"), OK)


def endings(cases, machine):
    file = machine.work / "small.toml"
    file.write_text("[fleet]\napplication = \"small\"\n[database.main]\n", encoding="utf-8")

    @case(cases, "Ctrl-C ends a fleet in the foreground, its servers and its state")
    def _(p):
        up = machine.start("up", "--http", "auto", "--config", str(file))
        screen = iter(up.stdout.readline, "")
        p.want(any("Ctrl-C stops it" in line for line in screen), "no screen")
        servers = servers_of(up.pid)
        p.want(servers, "no server")
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=SECONDS)
        p.want(up.returncode == OK, "exit status", up.returncode)
        p.want(not any(alive(one) for one in servers), "a server still runs")
        p.want(machine.run("status", "--application", "small").returncode == UNREACHABLE, "still known")

    @case(cases, "kill -9 leaves no server, and the next up is not disturbed")
    def _(p):
        up = machine.start("up", "--http", "auto", "--config", str(file))
        p.want(any("Ctrl-C stops it" in line for line in iter(up.stdout.readline, "")), "no screen")
        servers = servers_of(up.pid)
        up.kill()
        up.communicate(timeout=SECONDS)
        p.want(wait_for(lambda: not any(alive(one) for one in servers)), "a server still runs")
        p.want(machine.run("status", "--application", "small").returncode == UNREACHABLE, "still known")
        again = machine.run("up", "--detach", "--http", "auto", "--config", str(file))
        p.ended(again, OK)
        p.ended(machine.run("down"), OK)

    @case(cases, "--persist keeps rows from one run to the next")
    def _(p):
        folder = machine.folder / "data"
        for statement, expected in (("CREATE TABLE kept AS SELECT 42 AS n", None), ("SELECT n FROM kept", "n\n42\n")):
            up = machine.run("up", "--detach", "--http", "auto", "--config", str(file), "--persist", str(folder))
            p.ended(up, OK)
            result = machine.run("query", "--csv", statement)
            p.ended(result, OK)
            p.want(expected is None or result.stdout == expected, result.stdout)
            p.ended(machine.run("down"), OK)

    @case(cases, "a wrong seed is named with file and line, and nothing is left running")
    def _(p):
        seeds = machine.work / "seeded"
        seeds.mkdir()
        (machine.work / "seeded.toml").write_text("[database.main]\n", encoding="utf-8")
        (seeds / "main.sql").write_text("SELECT 1;\nCREATE TABEL x ();\n", encoding="utf-8")
        up = machine.run("up", "--detach", "--http", "auto", "--config", "seeded.toml")
        p.ended(up, FAILED)
        p.want("main.sql:2" in up.stderr and "42601" in up.stderr, up.stderr)

    @case(cases, "databases of the environment are used as they are")
    def _(p):
        up = machine.run("up", "--detach", "--http", "auto", "--config", str(file), "--json")
        p.ended(up, OK)
        dsn = next(one["dsn"] for one in json.loads(up.stdout)["databases"])
        direct = machine.run("query", "--csv", "SELECT current_setting('application_name') AS a", POSTGRES_DSN=dsn)
        p.want(direct.stdout == "a\nswitchyard-main\n", direct.stdout, direct.stderr)
        missing = machine.run("query", "--on", "reference", "SELECT 1", POSTGRES_DSN=dsn,
                              PG_REFERENCE_POOL_MAX_SIZE="5")
        p.want("DSN not configured for database 'reference'. Set POSTGRES_REFERENCE_DSN in environment."
               in missing.stderr, missing.stderr)
        wrong = machine.run("query", "SELECT 1", POSTGRES_DSN=re.sub(r"/[^/?]+\?", "/nowhere?", dsn))
        p.want("3D000" in wrong.stderr, wrong.stderr)
        p.ended(machine.run("down", "--application", "small"), OK)


def doctor(cases, machine):
    """What doctor finds on a real server, and that the line it gives repairs it."""
    file = machine.work / "clinic.toml"
    file.write_text("[fleet]\napplication = \"clinic\"\n[database.main]\npool = { min = 0, max = 5 }\n",
                    encoding="utf-8")
    up = machine.run("up", "--detach", "--http", "auto", "--config", str(file), "--json")
    if up.returncode != 0:
        cases.check("a server for doctor", [up.stderr])
        return
    dsn = next(one["dsn"] for one in json.loads(up.stdout)["databases"])
    place = re.search(r"host=([^&]+)&port=(\d+)", dsn)
    host, port = urllib.parse.unquote(place.group(1)), place.group(2)

    def at(role, database="postgres", password=""):
        secret = f":{password}" if password else ""
        return f"postgresql://{role}{secret}@/{database}?host={host}&port={port}"

    def admin(*statements, database="postgres"):
        for statement in statements:
            result = machine.run("query", "--csv", statement, POSTGRES_DSN=at("postgres", database))
            if result.returncode != 0:
                raise AssertionError(f"{statement}: {result.stderr}")
        return result.stdout

    def examine(dsn, *words, **variables):
        return machine.run("doctor", *words, POSTGRES_DSN=dsn, PG_POOL_MAX_SIZE="5", **variables)

    def treat(result):
        """Runs the SQL of the lines that doctor gave."""
        lines = re.findall(r"-U postgres(?: -d (\S+))? -c '((?:[^']|'\\'')*)'", result.stdout)
        for database, statement in lines:
            admin(statement.replace("'\\''", "'"), database=database or "postgres")
        return lines

    def repairs(p, dsn, expected, code, *words):
        """The finding is there with a line; query ends with the status for it; after the line all is well."""
        if code is not None:
            p.ended(machine.run("query", "SELECT 1", POSTGRES_DSN=dsn), code)
        ill = examine(dsn, *words)
        p.ended(ill, FAILED)
        p.want(expected in ill.stdout, "no", repr(expected), "in", ill.stdout)
        p.want(treat(ill), "no line to run in", ill.stdout)
        p.ended(examine(dsn, *words), OK)

    @case(cases, "doctor: a role that does not exist, status 4")
    def _(p):
        repairs(p, at("stranger"), "stranger", AUTHENTICATION)

    @case(cases, "doctor: a role that may not log in, status 4")
    def _(p):
        admin("CREATE ROLE nologin NOLOGIN")
        repairs(p, at("nologin"), "not permitted to log in", AUTHENTICATION)

    @case(cases, "doctor: a database that does not exist")
    def _(p):
        admin("CREATE ROLE owner LOGIN")
        repairs(p, at("owner", "missing"), "missing", None)

    @case(cases, "doctor: a role that may not connect to the database")
    def _(p):
        admin("CREATE ROLE outsider LOGIN", "CREATE DATABASE closed", "REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
        repairs(p, at("outsider", "closed"), "closed", None)

    @case(cases, "a wrong password ends query, health and shell with status 4, and doctor says what to do")
    def _(p):
        admin("CREATE ROLE keeper LOGIN PASSWORD 'right'")
        hba = pathlib.Path(admin("SHOW hba_file").splitlines()[1])
        text = hba.read_text(encoding="utf-8")
        try:
            hba.write_text("local all keeper scram-sha-256\n" + text, encoding="utf-8")
            admin("SELECT pg_reload_conf()")
            wrong = at("keeper", password="wr0ng-one")
            p.want(wait_for(lambda: machine.run("query", "SELECT 1", POSTGRES_DSN=wrong).returncode
                            == AUTHENTICATION), "never refused")
            result = machine.run("query", "SELECT 1", POSTGRES_DSN=wrong)
            p.want("28P01" in result.stderr and "wr0ng-one" not in result.stderr + result.stdout, result.stderr)
            ill = examine(wrong)
            p.ended(ill, FAILED)
            p.want("correct the password" in ill.stdout and "wr0ng-one" not in ill.stdout, ill.stdout)
            p.ended(examine(at("keeper", password="right")), OK)
            both = examine(at("keeper", password="right"), POSTGRES_REFERENCE_DSN=wrong)
            p.want("has another password here than for" in both.stdout, both.stdout)
        finally:
            hba.write_text(text, encoding="utf-8")
            admin("SELECT pg_reload_conf()")

    @case(cases, "doctor: a schema that is not there, and tables that the role may not read")
    def _(p):
        admin("CREATE ROLE reader LOGIN", "CREATE TABLE hidden (n int)", "CREATE TABLE hidden_too (n int)")
        dsn = at("reader")
        ill = examine(dsn)
        p.want("may not read 2 tables" in ill.stdout, ill.stdout)
        treat(ill)
        p.want("may not read" not in examine(dsn).stdout, "still hidden")
        admin("DROP TABLE hidden", "DROP TABLE hidden_too")
        repairs(p, dsn, "the schema orders does not exist", None, "--set", "database.main.schema=orders")

    @case(cases, "doctor: a replica whose database has another name, and one that is none")
    def _(p):
        result = examine(at("postgres"), POSTGRES_MAIN_REPLICA_DSN=at("postgres", "template1"))
        p.want("called template1, the primary's postgres" in result.stdout, result.stdout)
        p.want("no streaming replica" in result.stdout, result.stdout)

    @case(cases, "doctor: the limits of role and database hold what the pools may open, with what others have open")
    def _(p):
        admin("CREATE ROLE limited LOGIN CONNECTION LIMIT 4", "CREATE DATABASE small OWNER limited CONNECTION LIMIT 3")
        dsn = at("limited", "small")
        ill = examine(dsn)
        p.ended(ill, FAILED)
        p.want('ALTER ROLE "limited" CONNECTION LIMIT 5' in ill.stdout, ill.stdout)
        p.want('ALTER DATABASE "small" CONNECTION LIMIT 5' in ill.stdout, ill.stdout)
        figures = {line["subject"].split()[0]: line for line in json.loads(examine(dsn, "--json").stdout)["budget"]}
        p.want((figures["role"]["wanted"], figures["role"]["allowed"], figures["role"]["fits"]) == (5, 4, False),
               figures)
        treat(ill)
        p.ended(examine(dsn), OK)

    @case(cases, "doctor: the pools of all workers against max_connections, and both ways out are true")
    def _(p):
        allowed = int(admin("SHOW max_connections").splitlines()[1]) - int(
            admin("SHOW superuser_reserved_connections").splitlines()[1])
        ill = examine(at("owner"), "--set", "fleet.workers=1000")
        p.ended(ill, FAILED)
        p.want("1000 workers x (main 5) = 5000 connections" in ill.stdout, ill.stdout)
        p.want(f"do not fit into {allowed} (max_connections " in ill.stdout, ill.stdout)
        p.want(re.search(r"ALTER SYSTEM SET max_connections = 5\d\d\d", ill.stdout), ill.stdout)
        workers = str(allowed // 3)
        ill = examine(at("owner"), "--set", f"fleet.workers={workers}")
        smaller = re.search(r"--set (database\.main\.pool\.max=\d+)", ill.stdout)
        p.want(smaller, ill.stdout)
        p.ended(examine(at("owner"), "--set", f"fleet.workers={workers}", "--set", smaller.group(1)), OK)
        figures = json.loads(examine(at("owner"), "--json").stdout)["budget"]
        p.want(figures[0]["fits"] and figures[0]["allowed"] == allowed and figures[0]["open"] >= 1, figures)

    p_down = machine.run("down", "--application", "clinic")
    cases.check("the server for doctor stops", [] if p_down.returncode == 0 else [p_down.stderr])


def main():
    cases = script_test.Cases()
    machine = Machine()
    try:
        without_a_fleet(cases, machine)
        demonstration(cases, machine)
        applications(cases, machine)
        endings(cases, machine)
        doctor(cases, machine)
    finally:
        for _ in range(3):
            for state in (machine.folder / "runtime" / "switchyard").glob("*.json"):
                machine.run("down", "--application", state.stem)
        machine.close()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

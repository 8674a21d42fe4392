"""What the conformance runs share: a private PostgreSQL server, a gateway in front of it, and the comparison of what a
suite says of the one and of the other.

A suite of somebody else is run from a checkout of its public repository outside this one: `--checkouts DIR`, else
SWITCHYARD_CHECKOUTS, else ~/.cache/switchyard/checkouts. What is missing is said with how to get it (exit status 2).
"""
import argparse
import contextlib
import ctypes
import difflib
import glob
import itertools
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("SWITCHYARD_BUILD_DIR", ROOT / "build" / "release"))
ROLE = "postgres"  # may do everything, in the server as in the gateway
PASSWORD = "conformance"  # of a server that lives for minutes on loopback
START_SECONDS = 60
PR_SET_PDEATHSIG = 1
MOST_LINES = 60  # of a difference


class Missing(Exception):
    """Something that has to be installed or fetched first."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres_bin():
    """Folder of the server's programs: SWITCHYARD_PG_BIN, else Debian's newest."""
    chosen = os.environ.get("SWITCHYARD_PG_BIN")
    found = [chosen] if chosen else sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found or not os.path.exists(os.path.join(found[-1], "postgres")):
        raise Missing("PostgreSQL's server is not installed (./setup --check), or SWITCHYARD_PG_BIN is wrong")
    return pathlib.Path(found[-1])


def clean_environment(**more):
    """This process's, without variables that point at a server of the user's."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("PG", "POSTGRES_")) and not key.endswith("DATABASE_URL")}
    kept.update({key: str(value) for key, value in more.items()})
    return kept


def follows_us(account=None):
    """For Popen's preexec_fn: the child ends with us, and is `account` if that is given."""
    libc = ctypes.CDLL(None)

    def prepare():
        if account:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    return prepare


class Place:
    """Where a client connects to."""

    def __init__(self, name, folder, port):
        self.name, self.folder, self.port = name, folder, port
        self.host = "127.0.0.1"

    def environment(self, **more):
        """For clients on TCP."""
        return clean_environment(PGHOST=self.host, PGPORT=self.port, PGUSER=ROLE, PGPASSWORD=PASSWORD, **more)

    def local(self, **more):
        """For clients on the Unix-domain socket."""
        return clean_environment(PGHOST=self.folder, PGPORT=self.port, PGUSER=ROLE, PGPASSWORD=PASSWORD, **more)


class Server(Place):
    """A cluster of its own in a folder of its own, on loopback and a socket. Some suites know no way to give a password:
    it trusts, unless `password` asks for SCRAM on TCP."""

    def __init__(self, folder, settings=(), password=False, port=None):
        super().__init__("direct", folder, port or free_port())
        self.data = folder / "data"
        self.bin = postgres_bin()
        self.account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        self.log = open(folder / "server.log", "wb")
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-D", self.data, "-A", "scram-sha-256", "-U", ROLE, f"--pwfile={secret}", "-E", "UTF8",
                  "--locale=C", "-N")
        how = "scram-sha-256" if password else "trust"
        hba = f"local all all trust\nhost all all 127.0.0.1/32 {how}\nlocal replication all trust\n"
        (self.data / "pg_hba.conf").write_text(hba)
        options = {"fsync": "off", "full_page_writes": "off", "listen_addresses": "127.0.0.1", "port": self.port,
                   "unix_socket_directories": folder, "max_connections": 200, **dict(settings)}
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        self.process = subprocess.Popen([self.bin / "postgres", "-D", self.data, *words], stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL, cwd=folder,
                                        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"},
                                        preexec_fn=follows_us(self.account))
        wait_for(self, self.process, folder / "server.log")

    def _run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, cwd=self.folder, preexec_fn=follows_us(self.account),
                              env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C"})
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stdout}")

    def sql(self, text, database="postgres"):
        """What psql prints, unaligned."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text],
                              env=self.local(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{text}: {done.stderr}")
        return done.stdout.strip()

    def close(self):
        stop(self.process, signal.SIGINT)
        self.log.close()


class Gateway(Place):
    """A gateway in front of `server`. `databases` are its databases, each a database of the fleet of that name."""
    ran = None  # by the last that was closed: queries, and of those shared and pinned

    def __init__(self, server, folder, databases, pool=16, keys="", role=ROLE, certificate=None, prepare=None,
                 port=None):
        super().__init__("gateway", folder, port or free_port())
        program = BUILD / "bin" / "gateway_door"
        if not program.exists():
            raise Missing(f"{program} is not built: ninja -C {BUILD} gateway_door")
        fleet = '[fleet]\napplication = "conformance"\n'
        for name in databases:
            fleet += (f'[database.{name}]\ndsn = "host={server.folder} port={server.port} dbname={name} user={role}"\n'
                      f'command_timeout = "1h"\n{keys}[database.{name}.pool]\nmin = 0\nmax = {pool}\n')
        (folder / "fleet.toml").write_text(fleet)
        (folder / "userlist.txt").write_text(f'"{role}" "{PASSWORD}"\n')
        self.log_path = folder / "gateway.log"
        self.log = open(self.log_path, "wb")
        words = [program, "--config", folder / "fleet.toml", "--port", str(self.port), "--path",
                 folder / f".s.PGSQL.{self.port}", "--users", folder / "userlist.txt"]
        if certificate:
            words += ["--certificate", certificate[0], "--certificate-key", certificate[1]]
        follows = follows_us()

        def settle():
            if prepare:
                prepare()
            follows()
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                        env=clean_environment(), cwd=folder, preexec_fn=settle)
        wait_for(self, self.process, self.log_path)

    def close(self):
        stop(self.process, signal.SIGTERM)
        self.log.close()
        said = re.findall(r"^queries (\d+) shared (\d+) pinned (\d+)$", self.log_path.read_text(errors="replace"), re.MULTILINE)
        if said:
            Gateway.ran = dict(zip(("queries", "shared", "pinned"), map(int, said[-1]), strict=True))

    @property
    def alive(self):
        return self.process.poll() is None


def wait_for(place, process, log):
    patience = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < patience:
        with contextlib.suppress(OSError), socket.create_connection((place.host, place.port), timeout=1):
            done = place.name != "direct" or subprocess.run(
                ["psql", "-XAtq", "-d", "postgres", "-c", "SELECT 1"], env=place.local(), capture_output=True,
                check=False).returncode == 0
            if done:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{place.name} does not start: {pathlib.Path(log).read_text(errors='replace')[-2000:]}")


def stop(process, how):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def site(databases=("postgres",), settings=(), prepare=None, keep=False, fixed_port=(None, None), **gateway):
    """(server, gateway) with folders that are removed in the end. `prepare(server)` comes before the gateway.
    `fixed_port`: ("direct" or "gateway", its port), for a suite that knows but one."""
    ports = dict([fixed_port])
    # Short: paths of sockets have at most 107 bytes.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="swc-"))
    folder.chmod(0o755)
    for part in ("s", "g"):
        (folder / part).mkdir()
    opened = []
    try:
        server = Server(folder / "s", settings, port=ports.get("direct"))
        opened.append(server)
        for name in databases:
            if name != "postgres":
                server.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        if prepare:
            prepare(server)
        door = Gateway(server, folder / "g", databases, port=ports.get("gateway"), **gateway)
        opened.append(door)
        yield server, door
    finally:
        for one in reversed(opened):
            one.close()
        if keep:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def options(purpose, **more):
    """The command line all runs have; `more`: further options with their defaults (a bool makes a flag)."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--checkouts", type=pathlib.Path, help="folder of the other projects' checkouts", default=os.environ.get(
        "SWITCHYARD_CHECKOUTS", pathlib.Path.home() / ".cache" / "switchyard" / "checkouts"))
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes (default: build/conformance)")
    parser.add_argument("--places", default="direct,gateway", help="direct, gateway or both")
    parser.add_argument("--keep", action="store_true", help="leave the servers' folders and logs")
    for name, default in more.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, default=default, type=type(default))
    chosen = parser.parse_args()
    chosen.checkouts = pathlib.Path(chosen.checkouts).resolve()
    return chosen


def checkout(chosen, folder, repository, hint=""):
    """The folder of another project's source, or Missing with how to get it."""
    path = chosen.checkouts / folder
    if not path.exists():
        raise Missing(f"{path} is missing: clone the public repository {repository} there. {hint}".strip())
    return path


def built(chosen, name, what):
    """A program that was built from a checkout as its own project says, and put to CHECKOUTS/built."""
    path = chosen.checkouts / "built" / name
    if not path.exists():
        raise Missing(f"{path} is missing: {what}")
    return path


def accepted(suite):
    """{test: why} of tests/conformance/accepted/SUITE.txt: `test: reason` a line, # begins comments."""
    path = HERE / "accepted" / f"{suite}.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name.strip(): why.strip() for name, _, why in
            (line.partition(": ") for line in lines if line.strip() and not line.startswith("#"))}


def report(suite, chosen, results, notes=None):
    """`results`: {place: {test: outcome}}; "ok" is right, anything else says what was wrong. Prints the differences,
    writes them down, and gives the exit status: 0 if none is left that was not accepted."""
    direct, gateway = results.get("direct"), results.get("gateway")
    summary = {place: {"passed": sum(o == "ok" for o in of.values()), "of": len(of)} for place, of in results.items()}
    differences, known = {}, accepted(suite)
    if direct is not None and gateway is not None:
        for test in dict.fromkeys([*direct, *gateway]):
            one, other = direct.get(test, "missing"), gateway.get(test, "missing")
            if one != other:
                differences[test] = {"direct": one, "gateway": other}
                why = next((reason for name, reason in known.items() if test == name or name.endswith("*") and test.startswith(name[:-1])), None)
                if why:
                    differences[test]["accepted"] = why
    passed_direct = sum(o == "ok" for o in (direct or {}).values())
    for place, count in summary.items():
        print(f"{suite}: {place}: {count['passed']} of {count['of']} passed")
    if direct and gateway:
        both = sum(gateway.get(test) == "ok" for test, outcome in direct.items() if outcome == "ok")
        print(f"{suite}: of {passed_direct} that pass direct, {both} pass through the gateway "
              f"({100 * both / max(passed_direct, 1):.1f} %)")
    for test, difference in differences.items():
        print(f"  {'accepted' if 'accepted' in difference else 'DIFFERS'}: {test}")
        for place in ("direct", "gateway"):
            first = difference[place].strip().splitlines() or [""]
            print("".join(f"      {place if i == 0 else '':8} {line[:200]}\n" for i, line in enumerate(first[:12])), end="")
        if "accepted" in difference:
            print(f"      because {difference['accepted']}")
    if Gateway.ran and Gateway.ran["queries"]:
        ran = Gateway.ran
        print(f"{suite}: {ran['queries']} queries through the gateway, {100 * ran['shared'] / ran['queries']:.1f} % in lanes, "
              f"{100 * ran['pinned'] / ran['queries']:.1f} % pinned to a session")
    path = chosen.json or BUILD.parent / "conformance" / f"{suite.replace(' ', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"suite": suite, "summary": summary, "differences": differences, "results": results,
                                "ran": Gateway.ran, "notes": notes or {}}, indent=1))
    say(f"written: {path}")
    return 1 if any("accepted" not in difference for difference in differences.values()) else 0


def differences(direct, gateway):
    """Lines of two traces that differ, the first of them, with what is around."""
    lines = difflib.unified_diff(direct.splitlines(), gateway.splitlines(), "direct", "gateway", n=2, lineterm="")
    return list(itertools.islice(lines, MOST_LINES))


def report_equal(suite, chosen, traces):
    """As report(), for a suite whose outcome is what was seen: {place: {test: text}} that has to be equal."""
    direct, gateway = traces.get("direct"), traces.get("gateway")
    if direct is None or gateway is None:
        for test, text in (direct or gateway or {}).items():
            print(f"== {test}\n{text}")
        return 0
    results = {"direct": {test: "ok" for test in direct}, "gateway": {}}
    for test, text in direct.items():
        lines = differences(text, gateway.get(test, ""))
        results["gateway"][test] = "\n".join(["another trace", *lines]) if lines else "ok"
    return report(suite, chosen, results)


def main(run):
    """Calls `run`, which returns an exit status."""
    try:
        sys.exit(run())
    except Missing as missing:
        say(f"not run: {missing}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)

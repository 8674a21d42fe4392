#!/usr/bin/env python3
"""A cluster that Patroni runs: a fleet whose file names one member finds the others, and follows the leader."""
# on: postgresql
# needs: build
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402

PROGRAM = str(script_test.BUILD.resolve() / "bin" / "switchyard")
SECONDS = 90  # for what a real cluster needs; ends a failed test, decides none


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError, ValueError, StopIteration):
            if value := condition():
                return value
        time.sleep(0.05)
    raise AssertionError(f"in vain: {what}")


def postgresql_folder():
    wanted = os.environ.get("SWITCHYARD_TEST_PG")
    answer = subprocess.run([PROGRAM, "version", "--json"], capture_output=True, text=True, check=True)
    for one in json.loads(answer.stdout)["postgresql"]:
        if not wanted or one["version"].split(".")[0] == wanted:
            return one["folder"]
    raise SystemExit(f"PostgreSQL {wanted} is not installed")


class Cluster:
    """etcd and two Patroni members, as the account of the servers."""

    def __init__(self, folder):
        self.folder = folder
        self.account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.processes = {}
        self.api, self.port = {}, {}
        client, peer = free_port(), free_port()
        self.etcd = f"127.0.0.1:{client}"
        self.start("etcd", ["etcd", "--data-dir", str(folder / "etcd"), "--enable-v2=true",
                            "--listen-client-urls", f"http://{self.etcd}", "--advertise-client-urls", f"http://{self.etcd}",
                            "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                            "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                            "--initial-cluster", f"default=http://127.0.0.1:{peer}"])
        wait_for(lambda: urllib.request.urlopen(f"http://{self.etcd}/health", timeout=2).status == 200, "etcd")
        binaries = postgresql_folder()
        for name in ("pg1", "pg2"):
            self.api[name], self.port[name] = free_port(), free_port()
            file = folder / f"{name}.yml"
            file.write_text(json.dumps({
                "scope": "main", "name": name,
                "restapi": {"listen": f"127.0.0.1:{self.api[name]}", "connect_address": f"127.0.0.1:{self.api[name]}"},
                "etcd3": {"host": self.etcd},
                "bootstrap": {
                    "dcs": {"ttl": 20, "loop_wait": 1, "retry_timeout": 3, "maximum_lag_on_failover": 1048576,
                            "postgresql": {"parameters": {"fsync": "off", "max_connections": 50}}},
                    "initdb": [{"encoding": "UTF8"}, {"locale": "C"}]},
                "postgresql": {
                    "listen": f"127.0.0.1:{self.port[name]}", "connect_address": f"127.0.0.1:{self.port[name]}",
                    "data_dir": str(folder / name), "bin_dir": binaries, "pgpass": str(folder / f"{name}.pgpass"),
                    "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust",
                               "local all all trust"],
                    "parameters": {"unix_socket_directories": str(folder)},
                    "authentication": {"superuser": {"username": "postgres"}, "replication": {"username": "replicator"}}},
            }), encoding="utf-8")
            self.start(name, ["patroni", str(file)])
            if name == "pg1":
                wait_for(lambda: self.leader() == "pg1", "the first leader")
        wait_for(lambda: all(m["state"] in ("running", "streaming") for m in self.members()) and len(self.members()) == 2,
                 "the standby")

    def start(self, name, command):
        as_account = {}
        if self.account:
            as_account = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        log = open(self.folder / f"{name}.log", "w", encoding="utf-8")  # noqa: SIM115 lives as long as the process
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                                                env={"PATH": os.environ["PATH"], "HOME": str(self.folder)}, **as_account)

    def members(self):
        for name, process in self.processes.items():
            if name == "etcd" or process.poll() is not None:
                continue
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api[name]}/cluster", timeout=2) as answer:
                return json.load(answer)["members"]
        return []

    def leader(self):
        return next(m["name"] for m in self.members() if m["role"] in ("leader", "master") and m["state"] == "running")

    def kill(self, name):
        """The member and its servers at once, as a lost machine."""
        process = self.processes.pop(name)
        pid_file = self.folder / name / "postmaster.pid"
        postmaster = int(pid_file.read_text(encoding="utf-8").split()[0]) if pid_file.exists() else None
        process.kill()
        process.wait()
        if postmaster:
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster, 9)

    def close(self):
        for name in [n for n in self.processes if n != "etcd"]:
            process = self.processes.pop(name)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
        for process in self.processes.values():
            process.kill()
            process.wait()


def main():
    cases = script_test.Cases()
    if not shutil.which("patroni") or not shutil.which("etcd"):
        cases.skip("a cluster that Patroni runs", "patroni and etcd are not installed (apt-get install patroni etcd-server)")
        print(f"{cases.passed} passed, {cases.failed} failed, {cases.skipped} skipped")
        return 0
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pt-"))
    folder.chmod(0o777)
    cluster = None
    try:
        cluster = Cluster(folder)
        fleet = folder / "fleet.toml"

        def describe(api):
            fleet.write_text(f'[fleet]\napplication = "patroni-test"\n[database.main]\n'
                             f'dsn = "postgresql://postgres@127.0.0.1:{cluster.port["pg1"]}/postgres"\n'
                             f'patroni = "http://127.0.0.1:{cluster.api[api]}"\n', encoding="utf-8")

        def run(*words):
            return subprocess.run([PROGRAM, *words, "--config", str(fleet)], capture_output=True, text=True,
                                  timeout=SECONDS, check=False, cwd=folder)

        describe("pg2")
        made = run("query", "CREATE TABLE t (id int)")
        cases.check("a fleet whose file names the leader writes there", made.stderr if made.returncode else None)

        explained = run("route", "explain", "--on", "main", "--json")
        places = {c["location"]: c for c in json.loads(explained.stdout)["candidates"]} if explained.stdout else {}
        other = next((c for where, c in places.items() if str(cluster.port["pg2"]) in where), None)
        cases.check("a member that only Patroni names is a place",
                    None if other and other["verdict"] == "is a standby" else explained.stdout + explained.stderr)

        cluster.kill("pg1")
        wait_for(lambda: cluster.leader() == "pg2", "the second leader")
        written = run("query", "INSERT INTO t VALUES (1) RETURNING id")
        cases.check("the leader is found though the file names the one that died",
                    written.stdout + written.stderr if written.returncode else None)
    except Exception as error:  # noqa: BLE001 a broken case is a failed one
        logs = "".join(f"\n--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-8:])
                       for log in sorted(folder.glob("*.log")))
        cases.check("the cluster", f"{type(error).__name__}: {error}{logs}")
    finally:
        if cluster:
            cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""`switchyard backup`, `restore` and `verify-backup` as their users meet them: keys, lists, retention, a second repository;
interrupted at any moment; and pgBackRest on a real server where it is installed."""
# needs: build
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402
from script_test import case  # noqa: E402
from scratch_cluster import Cluster, newest_bin_folder  # noqa: E402

PROGRAM = str(script_test.BUILD.resolve() / "bin" / "switchyard")
SECONDS = 180  # of one command; ends a failed test, decides none
KILLS = int(os.environ.get("SWITCHYARD_BACKUP_KILLS", "6"))
OK, FAILED, USAGE, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130
DATA = ("CREATE TABLE orders (id bigint PRIMARY KEY, note text); "
        "INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 20000) i; "
        "CREATE VIEW recent AS SELECT * FROM orders WHERE id > 19000")


class Project:
    """A folder with a fleet file."""

    def __init__(self, cluster, databases, more=""):
        self.cluster = cluster
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="backup-", dir="/tmp"))
        self.folder.chmod(0o755)  # for the account that runs pgBackRest when we are root
        text = '[fleet]\napplication = "test"\n' + more
        for name, (database, settings) in databases.items():
            text += (f'[database.{name}]\ndsn = "postgresql://postgres@/{database}?host={cluster.folder}&port={cluster.port}"\n'
                     f"{settings}\n")
        (self.folder / "switchyard.toml").write_text(text, encoding="utf-8")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                            "SWITCHYARD_PG_BIN": cluster.bin, "TMPDIR": os.environ.get("TMPDIR", "/tmp")}

    def run(self, *arguments, **variables):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False,
                              cwd=self.folder, env={**self.environment, **variables})

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                cwd=self.folder, env=self.environment)

    def backups(self):
        return json.loads(self.run("backup", "list", "--json").stdout)["repositories"][0]["backups"]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def fresh(cluster, name, sql=""):
    cluster.psql(f"DROP DATABASE IF EXISTS {name}")
    cluster.psql(f"CREATE DATABASE {name}")
    if sql:
        cluster.psql(sql, name)
    return name


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing came of it in {SECONDS} s")
        time.sleep(0.05)


def daily(cases, cluster):
    fresh(cluster, "wellwon", DATA)
    fresh(cluster, "wellwon_reference", "CREATE TABLE dc_customs (code text PRIMARY KEY)")
    project = Project(cluster, {"main": ("wellwon", ""), "reference": ("wellwon_reference", "")},
                      '[backup]\nrepository = "backups"\nsecond_repository = "elsewhere"\n'
                      'identity = "${env:BACKUP_KEY}"\n')
    project.environment["BACKUP_KEY"] = ""

    @case(cases, "a backup of the whole fleet is one command, and says that it is not one moment")
    def _(p):
        made = project.run("backup")
        p.ended(made, OK)
        p.want("not one moment" in made.stderr, made.stderr)
        folder = pathlib.Path(made.stdout.strip())
        p.want((folder / "main.dump").is_file() and (folder / "globals-1.sql").is_file(), os.listdir(folder))
        p.same(subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode, 0)
        p.want((project.folder / "elsewhere" / folder.name / "SHA256SUMS").is_file(), "no copy elsewhere")
        p.same(oct(folder.stat().st_mode & 0o777), "0o700")

    @case(cases, "a restore test proves it, and status shows what is proven")
    def _(p):
        verified = project.run("verify-backup", "--json")
        p.ended(verified, OK)
        tables = {one["database"]: one["rows"] for one in json.loads(verified.stdout)["backups"][0]["databases"]}
        p.same(tables, {"main": 20000, "reference": 0})
        status = json.loads(project.run("status", "--json").stdout)
        main = next(one for one in status["databases"] if one["name"] == "main")
        p.same(main["backup"]["proven"], main["backup"]["last"])
        p.want("proven" in project.run("status").stdout, project.run("status").stdout)

    @case(cases, "encrypted for a public key, it is opened with the secret one alone, and by age as well")
    def _(p):
        made = project.run("backup", "keygen", "backup.key")
        p.ended(made, OK)
        recipient = made.stdout.strip()
        p.ended(project.run("backup", "keygen", "backup.key"), FAILED)  # never replaced
        p.ended(project.run("backup", "--on", "main", "--recipient", recipient, "--clear"), USAGE)
        p.ended(project.run("backup", "--on", "main", "--recipient", recipient), OK)
        newest = project.backups()[0]
        p.want(newest["encrypted"], newest)
        without = project.run("verify-backup")
        p.ended(without, USAGE)
        p.want("--identity-file" in without.stderr, without.stderr)
        project.run("backup", "keygen", "other.key")
        wrong = project.run("restore", "--on", "main", "--into", "never", "--identity-file", "other.key")
        p.ended(wrong, USAGE)
        p.want(wrong.stderr.count("error:") == 1 and "wrong key" in wrong.stderr, wrong.stderr)
        p.same(cluster.psql("SELECT count(*) FROM pg_database WHERE datname = 'never'"), "0")
        key = (project.folder / "backup.key").read_text(encoding="utf-8")
        p.ended(project.run("verify-backup", BACKUP_KEY=key), OK)
        extracted = project.run("restore", "--on", "main", "--extract", "main.dump", "--identity-file", "backup.key")
        p.ended(extracted, OK)
        p.want((project.folder / "main.dump").read_bytes().startswith(b"PGDMP"), "no dump")
        if shutil.which("age"):
            opened = subprocess.run(["age", "-d", "-i", "backup.key", pathlib.Path(newest["folder"]) / "main.dump.age"],
                                    cwd=project.folder, capture_output=True, check=False).stdout
            p.same(opened == (project.folder / "main.dump").read_bytes(), True)

    @case(cases, "a restore goes beside the database, or over it when that is confirmed")
    def _(p):
        key = ("--identity-file", "backup.key")
        cluster.psql("DELETE FROM orders WHERE id > 10", "wellwon")
        refused = project.run("restore", "--on", "main", *key)
        p.ended(refused, USAGE)
        p.want("--confirm=main" in refused.stderr, refused.stderr)
        p.ended(project.run("restore", "--on", "main", "--confirm", "reference", *key), USAGE)
        beside = project.run("restore", "--on", "main", "--into", "beside", *key)
        p.ended(beside, OK)
        p.want("as in the backup" in beside.stdout, beside.stdout)
        p.same(cluster.psql("SELECT count(*) FROM orders", "beside"), "20000")
        p.same(cluster.psql("SELECT count(*) FROM orders", "wellwon"), "10")
        p.ended(project.run("restore", "--on", "main", "--confirm=main", *key), OK)
        p.same(cluster.psql("SELECT count(*) FROM recent", "wellwon"), "1000")

    @case(cases, "a damaged backup is listed as such, not proven, not restored, and not the latest")
    def _(p):
        newest = project.backups()[0]
        dump = pathlib.Path(newest["folder"]) / "main.dump.age"
        whole = dump.read_bytes()
        dump.write_bytes(whole[:-100])
        p.want("damaged" in project.run("backup", "list").stdout, project.run("backup", "list").stdout)
        p.ended(project.run("verify-backup", newest["id"]), FAILED)
        dump.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        found = project.run("verify-backup", newest["id"], "--identity-file", "backup.key")
        p.ended(found, FAILED)
        p.want("SHA-256" in found.stdout, found.stdout)
        p.want("FAILED" in project.run("backup", "list").stdout, project.run("backup", "list").stdout)
        shutil.rmtree(newest["folder"])

    @case(cases, "prune takes what is old, and never the newest")
    def _(p):
        for _ in range(2):
            p.ended(project.run("backup"), OK)
        count = len(project.backups())
        time.sleep(1.5)  # ages are counted in seconds
        dry = project.run("--set", "database.main.backup.retention=1ms", "--set", "database.reference.backup.retention=1ms",
                          "backup", "prune", "--dry-run", "--json")
        p.ended(dry, OK)
        p.want(json.loads(dry.stdout)["removed"], dry.stdout)
        p.same(len(project.backups()), count)
        p.ended(project.run("--set", "database.main.backup.retention=1ms", "--set",
                            "database.reference.backup.retention=1ms", "backup", "prune"), OK)
        p.want(0 < len(project.backups()) < count, project.backups())

    @case(cases, "a pg_dump that is older than the server is one clear error with the fix")
    def _(p):
        older = "/usr/lib/postgresql/15/bin"
        if cluster.bin == older or not os.path.isdir(older):
            return
        refused = project.run("backup", "--on", "main", SWITCHYARD_PG_BIN=older)
        p.ended(refused, USAGE)
        p.want("postgresql-client-" in refused.stderr, refused.stderr)

    @case(cases, "databases that are away do not keep the others from being saved")
    def _(p):
        partial = project.run("--set", "database.reference.dsn=postgresql://nobody@127.0.0.1:1/none", "backup", "--json")
        p.ended(partial, PARTIAL)
        made = json.loads(partial.stdout)["backups"][0]
        p.same(([one["database"] for one in made["databases"]], [one["database"] for one in made["failed"]]),
               (["main"], ["reference"]))

    @case(cases, "a full disk is an error that says so, and leaves nothing that looks like a backup")
    def _(p):
        small = project.folder / "small"
        small.mkdir()
        mounted = os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", small],
                                                      stderr=subprocess.DEVNULL, check=False).returncode == 0
        if not mounted:
            return
        try:
            full = project.run("backup", "--on", "main", "--repository", str(small))
            p.want(full.returncode != OK and "No space left" in full.stderr, full.stderr)
            p.same(os.listdir(small), [])
        finally:
            subprocess.run(["umount", small], check=False)

    project.close()


def interrupted(cases, cluster):
    fresh(cluster, "killed", DATA + "; INSERT INTO orders SELECT i, repeat(md5(i::text), 20) FROM "
                                    "generate_series(20001, 60000) i")
    project = Project(cluster, {"main": ("killed", "")}, '[backup]\nrepository = "backups"\n')

    @case(cases, f"{KILLS} backups killed at random moments are never taken for whole ones")
    def _(p):
        begun = time.monotonic()
        p.ended(project.run("backup"), OK)
        length = time.monotonic() - begun
        random.seed(7)
        for _ in range(KILLS):
            process = project.start("backup")
            time.sleep(random.random() * length)
            process.send_signal(signal.SIGKILL)
            process.wait()
        whole = project.backups()
        p.want(all("damage" not in one for one in whole), whole)
        for one in whole:
            p.same(subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=one["folder"], check=False).returncode, 0)
        p.ended(project.run("backup"), OK)
        p.same(list((project.folder / "backups").glob(".partial-*")), [])
        # No pg_dump of a killed backup goes on.
        wait_for(lambda: cluster.psql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'killed'") == "0")

    @case(cases, "Ctrl-C ends a backup in order")
    def _(p):
        cluster.psql("CREATE TABLE slow (x int)", "killed")
        holder = subprocess.Popen(["psql", "-XAtq", "-h", cluster.folder, "-p", str(cluster.port), "-U", "postgres", "-d",
                                   "killed", "-c", "BEGIN; LOCK TABLE slow; SELECT pg_sleep(100)"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: cluster.psql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND "
                                          "relation = 'slow'::regclass", "killed") != "0")
            process = project.start("backup")
            wait_for(lambda: process.poll() is not None or
                     cluster.psql("SELECT count(*) FROM pg_locks WHERE NOT granted", "killed") != "0")
            process.send_signal(signal.SIGINT)
            p.same(process.wait(SECONDS), INTERRUPTED)
            p.same(list((project.folder / "backups").glob(".partial-*")), [])
        finally:
            holder.kill()
            holder.wait()

    project.close()


def physical(cases, bin_folder):
    if not shutil.which("pgbackrest"):
        cases.skip("physical backups", "pgBackRest is not installed")
        return
    if os.path.isdir("/usr/lib/postgresql/15/bin"):  # Debian's pgBackRest knows Debian's server
        bin_folder = "/usr/lib/postgresql/15/bin"
    with Cluster(bin_folder, "-c fsync=off -c archive_mode=on -c wal_level=replica") as cluster:
        fresh(cluster, "erp", "CREATE SCHEMA commerce_schema; CREATE TABLE commerce_schema.orders (id int); "
                              "INSERT INTO commerce_schema.orders SELECT generate_series(1, 100)")
        project = Project(cluster, {"commerce": ("erp", f'schema = "commerce_schema"\nbackup = {{ data_folder = "{cluster.data}" }}')},
                          '[backup]\nrepository = "backups"\npgbackrest = "physical"\npgbackrest_second = "second"\n'
                          'pgbackrest_passphrase = "correct horse battery staple"\n')

        @case(cases, "pgBackRest is set up from the fleet file, and told what the server still needs")
        def _(p):
            config = project.run("backup", "pgbackrest", "config")
            p.want("repo1-retention-full=30" in config.stdout and "repo2-retention-archive=168" in config.stdout and
                   "correct horse" not in config.stdout, config.stdout)
            first = project.run("backup", "pgbackrest", "setup")
            p.ended(first, FAILED)
            for line in first.stdout.splitlines():
                for statement in line.split(";"):
                    if statement.strip() and not statement.strip().startswith("--"):
                        cluster.psql(statement)
            p.ended(project.run("backup", "pgbackrest", "setup"), OK)
            p.ended(project.run("backup", "pgbackrest", "check"), OK)

        @case(cases, "full and incremental backups go into both repositories")
        def _(p):
            for _ in range(2):
                p.ended(project.run("backup", "pgbackrest", "run"), OK)
            info = json.loads(project.run("backup", "pgbackrest", "info", "--json").stdout)["stanzas"][0]
            p.same(info["status"], "ok")
            p.same(sorted((one["type"], one["repository"]) for one in info["backups"]),
                   [("full", 1), ("full", 2), ("incr", 1), ("incr", 2)])
            status = json.loads(project.run("status", "--json").stdout)["databases"][0]
            p.want(status["backup"]["last"].startswith("pgBackRest "), status["backup"])

        @case(cases, "the newest one is proven on a private server, and a killed proof is cleaned up by the next")
        def _(p):
            def left():
                return sorted(path.name for path in pathlib.Path(temporary).glob("switchyard-pit-*"))
            with tempfile.TemporaryDirectory() as temporary:
                os.chmod(temporary, 0o711)
                project.environment["TMPDIR"] = temporary
                killed = project.start("verify-backup", "pgbackrest")
                deadline = time.monotonic() + SECONDS
                while not left() and killed.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
                killed.kill()
                killed.communicate()
                p.same(len(left()), 1, "folders of a killed process:")
                done = project.run("verify-backup", "pgbackrest", "--json")
                p.ended(done, OK)
                p.same(left(), [])
                del project.environment["TMPDIR"]
            proof = json.loads(done.stdout)["backups"][0]
            newest = json.loads(project.run("backup", "pgbackrest", "info", "--json").stdout)["stanzas"][0]["backups"]
            p.same(proof["backup"], "pgBackRest " + max(one["label"] for one in newest if one["repository"] == 1))
            p.same([(one["database"], one["ok"], one["tables"], one["rows"]) for one in proof["databases"]],
                   [("commerce", True, 1, 100)])
            status = json.loads(project.run("status", "--json").stdout)["databases"][0]["backup"]
            p.same(status["proven"], proof["backup"])

        @case(cases, "one schema is brought back as of a moment between two of them")
        def _(p):
            moment = cluster.psql("SELECT clock_timestamp()")
            time.sleep(1)
            cluster.psql("DELETE FROM commerce_schema.orders; SELECT pg_switch_wal()", "erp")
            p.ended(project.run("backup", "pgbackrest", "check"), OK)  # that WAL has arrived
            restored = project.run("restore", "--on", "commerce", "--at", moment, "--into", "then")
            p.ended(restored, OK)
            p.same(cluster.psql("SELECT count(*) FROM commerce_schema.orders", "then"), "100")
            p.same(cluster.psql("SELECT count(*) FROM commerce_schema.orders", "erp"), "0")

        project.close()


def main():
    cases = script_test.Cases()
    folder = newest_bin_folder()
    if folder is None:
        cases.skip("backups", "no PostgreSQL server is installed")
        return cases.finish()
    with Cluster(folder) as cluster:
        daily(cases, cluster)
        interrupted(cases, cluster)
    physical(cases, folder)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""`switchyard provision` as its users meet it: plan, apply, audit, rotate, logging; killed at any moment, and passwords
replaced while clients work."""
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
KILLS = int(os.environ.get("SWITCHYARD_PROVISION_KILLS", "6"))
SEED = int(os.environ.get("SWITCHYARD_SEED", "7"))
OK, FAILED, USAGE, PARTIAL = 0, 1, 2, 3
SERVICES = ["core", "analytics", "commerce", "crm", "finance", "logistics", "operations", "supply"]


class Project:
    """A folder with a fleet file."""

    def __init__(self, cluster, application, more=""):
        self.cluster = cluster
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="provision-"))
        self.application = application
        text = f'[fleet]\napplication = "{application}"\n[provision]\nadmin_password = "administrator"\n'
        text += f'[server.erp]\nhost = "127.0.0.1"\nport = {cluster.port}\ndbname = "{application}"\n'
        for name in SERVICES:
            text += f'[database.{name}]\nserver = "erp"\nschema = "{name}_schema"\nrole = "{application}_{name}"\n'
            text += 'pool = { min = 0, max = 4, max_lifetime = "200ms" }\n'
        self.text = text + more
        self.write("switchyard.toml", self.text)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder),
                            "SWITCHYARD_PG_BIN": cluster.bin}

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def command(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False,
                              cwd=self.folder, env=self.environment)

    def run(self, *arguments):
        return self.command("provision", *arguments)

    def start(self, *arguments, **options):
        return subprocess.Popen([PROGRAM, *arguments], cwd=self.folder, env=self.environment,
                                **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options})

    def role(self, service):
        return f"{self.application}_{service}"

    def secret(self, role):
        return (self.folder / "secrets" / role).read_text(encoding="utf-8").strip()

    def psql(self, role, sql, password=None, port=None, database=None):
        environment = {**self.environment, "PGPASSWORD": password or self.secret(role), "PGCONNECT_TIMEOUT": "60"}
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
                               str(port or self.cluster.port), "-U", role, "-d", database or self.application, "-c", sql],
                              capture_output=True, text=True, timeout=SECONDS, check=False, env=environment,
                              stdin=subprocess.DEVNULL)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def ask_for_passwords(cluster):
    """As a server that is not for tests would."""
    cluster.psql("ALTER ROLE postgres PASSWORD 'administrator'")
    (cluster.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    cluster.psql("SELECT pg_reload_conf()")
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        refused = subprocess.run(["psql", "-w", "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres", "-c", "SELECT 1"],
                                 capture_output=True, check=False, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
        if refused.returncode != 0:
            return
        time.sleep(0.05)
    raise RuntimeError("the server asks for no password")


def daily(cases, cluster):
    project = Project(cluster, "daily")

    @case(cases, "plan changes nothing, apply makes it, and then there is nothing to do")
    def _(p):
        plan = project.run("plan", "--json")
        p.ended(plan, OK)
        p.want(any(one["sql"] == 'CREATE DATABASE "daily"' for one in json.loads(plan.stdout)["servers"][0]["statements"]))
        p.same(cluster.psql("SELECT count(*) FROM pg_database WHERE datname = 'daily'"), "0")
        p.want(not (project.folder / "secrets").exists(), "plan has kept passwords")
        p.ended(project.run("apply"), OK)
        again = project.run("apply", "--json")
        p.ended(again, OK)
        p.same(json.loads(again.stdout)["servers"][0]["done"], [])
        shown = project.run("plan")
        p.ended(shown, OK)
        p.want("nothing to do" in shown.stdout, shown.stdout)

    @case(cases, "the fleet works with it at once: its roles' passwords are found where they are kept")
    def _(p):
        p.same(project.command("query", "--on", "commerce", "--csv", "SELECT current_user, current_schema").stdout.split(),
               ["current_user,current_schema", "daily_commerce,commerce_schema"])
        p.ended(project.command("query", "--on", "commerce", "SELECT * FROM pg_authid"), FAILED)
        project.write("migrations/commerce/V1__orders.sql", "CREATE TABLE orders (id int PRIMARY KEY);")
        p.ended(project.command("migrate", "up"), OK)
        p.same(cluster.psql("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'", "daily"), "daily_commerce")
        p.ended(project.run("plan", "--quiet"), OK)
        p.same(json.loads(project.run("plan", "--json").stdout)["servers"][0]["statements"], [])

    @case(cases, "no password is in what the program says or the server logs")
    def _(p):
        secret = project.secret("daily_commerce")
        p.same((project.folder / "secrets" / "daily_commerce").stat().st_mode & 0o777, 0o600)
        cluster.psql("ALTER SYSTEM SET log_statement = 'all'")
        cluster.psql("SELECT pg_reload_conf()")
        cluster.psql("DROP OWNED BY daily_supply", "daily")
        cluster.psql("DROP ROLE daily_supply")
        done = project.run("apply", "--verbose", "--json")
        p.ended(done, OK)
        p.ended(project.run("rotate", "--role", "daily_crm", "--verbose"), OK)
        cluster.psql("ALTER SYSTEM RESET log_statement")
        log = (cluster.folder / "log").read_text(encoding="utf-8", errors="replace")
        for text in (done.stdout, done.stderr, log):
            p.want(secret not in text and project.secret("daily_supply") not in text and "SCRAM-SHA-256$" not in text, text[-2000:])

    @case(cases, "what is beyond the plan is found, and taken away only with the application's name")
    def _(p):
        cluster.psql("GRANT USAGE ON SCHEMA finance_schema TO daily_crm", "daily")
        held = project.run("apply")
        p.ended(held, PARTIAL)
        p.want("--confirm daily" in held.stdout, held.stdout)
        p.ended(project.run("apply", "--confirm", "dayly"), USAGE)
        p.same(cluster.psql("SELECT has_schema_privilege('daily_crm', 'finance_schema', 'USAGE')", "daily"), "t")
        p.ended(project.run("apply", "--confirm", "daily"), OK)
        p.same(cluster.psql("SELECT has_schema_privilege('daily_crm', 'finance_schema', 'USAGE')", "daily"), "f")

    @case(cases, "audit ends with 3 when it finds something, and says what is new since the last report")
    def _(p):
        first = project.run("audit", "--report", "reports/")
        p.want(first.returncode in (OK, PARTIAL), first.stderr)
        time.sleep(1.1)  # reports are named by their second
        cluster.psql("CREATE TABLE public.left_there (id int)", "daily")
        second = project.run("audit", "--report", "reports/", "--json")
        p.ended(second, PARTIAL)
        found = json.loads(second.stdout)
        p.want(any(one["rule"] == "object-in-public" and "left_there" in one["object"] for one in found["new"]), found["new"])
        cluster.psql("DROP TABLE public.left_there", "daily")
        time.sleep(1.1)
        third = json.loads(project.run("audit", "--report", "reports/", "--json").stdout)
        p.want(any("left_there" in one["object"] for one in third["gone"]), third["gone"])
        p.same(len(list((project.folder / "reports").glob("audit-*.json"))), 3)

    @case(cases, "statements are logged for a while, and then they are not")
    def _(p):
        asked = "SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) c WHERE c = 'log_statement=all'"
        running = project.start("provision", "logging", "--on", "commerce", "--for", "2s")
        deadline = time.monotonic() + SECONDS
        while cluster.psql(asked) == "0" and time.monotonic() < deadline and running.poll() is None:
            time.sleep(0.05)
        p.same(cluster.psql(asked), "1")
        p.same(running.wait(SECONDS), OK)
        p.same(cluster.psql(asked), "0")
        p.ended(project.run("logging", "--on", "commerce", "--for", "1s", "--detach"), OK)
        time.sleep(2.1)
        p.ended(project.run("apply"), OK)
        p.same(cluster.psql(asked), "0")
        p.ended(project.run("logging", "--for", "1s"), USAGE)

    @case(cases, "what is typed wrong is answered with what is meant")
    def _(p):
        p.want("did you mean 'apply'?" in project.run("aply").stderr)
        p.want("did you mean 'commerce'?" in project.run("plan", "--on", "comerce").stderr)
        p.want("daily_crm" in project.run("rotate", "--role", "daily_crn").stderr)
    project.close()


def family(cases, cluster):
    project = Project(cluster, "fam")
    text = project.text.replace('application = "fam"\n', 'application = "fam"\nroles = "family"\n')
    project.write("switchyard.toml", text.replace('role = "fam_', '# "fam_'))

    @case(cases, "families: the migrator changes tables, the application works with them")
    def _(p):
        p.ended(project.run("apply"), OK)
        project.write("migrations/commerce/V1__orders.sql", "CREATE TABLE orders (id int PRIMARY KEY);")
        project.write("migrations/commerce/V2__more.sql", "SET ROLE commerce_migrator; RESET ROLE; CREATE TABLE more (id int);")
        p.ended(project.command("migrate", "up"), OK)
        p.same(cluster.psql("SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'commerce_schema'", "fam"),
               "commerce_owner")
        p.ended(project.command("query", "--on", "commerce", "INSERT INTO orders VALUES (1)"), OK)
        p.ended(project.command("query", "--on", "commerce", "CREATE TABLE mine (id int)"), FAILED)
        p.same(json.loads(project.run("plan", "--json").stdout)["servers"][0]["statements"], [])
    project.close()


def killed(cases, cluster):
    @case(cases, f"apply, killed at {KILLS} moments: the next run finishes")
    def _(p):
        dice = random.Random(SEED)
        project = Project(cluster, "killed")
        for _kill in range(KILLS):
            run = project.start("provision", "apply", "--quiet")
            time.sleep(dice.uniform(0.02, 0.4))
            run.kill()
            run.wait()
        p.ended(project.run("apply"), OK)
        p.same(json.loads(project.run("plan", "--json").stdout)["servers"][0]["statements"], [])
        for service in SERVICES:
            p.ended(project.psql(project.role(service), "CREATE TABLE t (id int)"), OK)
        project.close()


class Worker(threading.Thread):
    """Logs in anew, with what is kept, and writes; again and again."""

    def __init__(self, project, service, port):
        super().__init__()
        self.project, self.service, self.port = project, service, port
        self.ending = threading.Event()
        self.done, self.errors = 0, []

    def run(self):
        role = self.project.role(self.service)
        while not self.ending.is_set():
            result = self.project.psql(role, "INSERT INTO work VALUES (1)", port=self.port, database=self.service)
            if result.returncode == 0:
                self.done += 1
            else:
                self.errors.append(result.stderr)


def rotated(cases, cluster):
    project = Project(cluster, "rota", '[gateway]\nunix_socket = ""\n')

    @case(cases, f"passwords replaced, and {KILLS} times killed at that, while clients write: nobody is refused")
    def _(p):
        dice = random.Random(SEED)
        p.ended(project.run("apply"), OK)
        for service in ("commerce", "finance"):
            p.ended(project.psql(project.role(service), "CREATE TABLE work (id int)"), OK)
        workers = []
        gateway = project.start("gateway", "--listen", "auto", "--http", "auto", "--json", stdout=subprocess.PIPE, text=True)
        try:
            lines = []
            while not lines or lines[-1].rstrip() not in ("}", ""):
                lines.append(gateway.stdout.readline())
            port = int(json.loads("".join(lines))["gateway"][0].rsplit(":", 1)[1])
            workers += [Worker(project, service, port) for service in ("commerce", "finance")]
            for worker in workers:
                worker.start()
            used = {project.secret(project.role("commerce"))}
            for turn in range(KILLS + 2):
                before = [worker.done + len(worker.errors) for worker in workers]
                arguments = ("provision", "rotate", "--role", "rota_commerce", "--role", "rota_finance", "--quiet")
                run = project.start(*arguments)
                if turn % 4 == 3:
                    run.wait(SECONDS)
                else:
                    time.sleep(dice.uniform(0.01, 0.3))
                    run.kill()
                    run.wait()
                used.add(project.secret(project.role("commerce")))
                # Whoever has read a file logs in before it changes again.
                deadline = time.monotonic() + SECONDS
                while time.monotonic() < deadline and any(
                        worker.done + len(worker.errors) < count + 2 for worker, count in zip(workers, before)):
                    time.sleep(0.02)
            p.ended(project.run("rotate", "--finish"), OK)
            for worker in workers:
                worker.ending.set()
            for worker in workers:
                worker.join()
                p.same(worker.errors, [], worker.service)
                p.same(cluster.psql(f"SELECT count(*) FROM {worker.service}_schema.work", "rota"), str(worker.done))
            used.add(project.secret(project.role("commerce")))
            p.want(len(used) > 2, "the password did not change")
            p.want(not list((project.folder / "secrets").glob("*.next")), "a rotation is unfinished")
            for service in ("commerce", "finance"):
                p.ended(project.psql(project.role(service), "SELECT 1"), OK)
            p.same(json.loads(project.run("plan", "--json").stdout)["servers"][0]["statements"], [])
        finally:
            for worker in workers:
                worker.ending.set()
            gateway.terminate()
            gateway.wait(SECONDS)
    project.close()


def main():
    cases = script_test.Cases()
    folder = newest_bin_folder()
    if folder is None:
        cases.skip("provisioning", "no PostgreSQL server is installed")
        return cases.finish()
    with Cluster(folder) as cluster:
        ask_for_passwords(cluster)
        daily(cases, cluster)
        family(cases, cluster)
        killed(cases, cluster)
        rotated(cases, cluster)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

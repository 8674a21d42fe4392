"""Who is measured: the server itself, our gateway, and other poolers in transaction mode, each with the same number of
server sessions over the same Unix-domain socket. Poolers are built from checkouts of their public repositories
(docs/conformance.md says where they are looked for and how each is built)."""
import os
import pathlib
import pwd
import resource
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests" / "conformance"))
import harness  # noqa: E402

DATABASE = "postgres"
ROLE = harness.ROLE
MANY = 12000  # clients that a pooler has to let in


def lift_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Rival(harness.Place):
    """A pooler that runs: its processes, and where clients connect to."""
    title = ""
    offers_tls = True

    def __init__(self, folder, server, sessions, certificate):
        super().__init__(self.title, folder, harness.free_port())
        self.server, self.sessions, self.certificate = server, sessions, certificate
        self.processes = []
        account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self.account = account
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        self.start()

    def launch(self, words, name="log"):
        log = open(self.folder / name, "wb")
        follows = harness.follows_us(self.account)

        def prepare():
            lift_file_limit()
            follows()
        process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   cwd=self.folder, env=harness.clean_environment(HOME=self.folder), preexec_fn=prepare)
        log.close()
        self.processes.append(process)
        harness.wait_for(self, process, self.folder / name)

    def write(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def close(self):
        for process in self.processes:
            harness.stop(process, 15)


class PgBouncer(Rival):
    title = "PgBouncer"
    workers = 1

    @staticmethod
    def program(checkouts):
        return next((path for path in (checkouts / "pgbouncer" / "build" / "pgbouncer", checkouts / "pgbouncer" / "pgbouncer")
                     if path.exists()), None)

    def start(self):
        for number in range(self.workers):
            ini = f"""[databases]
{DATABASE} = host={self.server.folder} port={self.server.port} dbname={DATABASE} user={ROLE}
[pgbouncer]
listen_addr = {self.host}
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {max(1, self.sessions // self.workers)}
max_client_conn = {MANY}
max_prepared_statements = 200
logfile = /dev/null
log_connections = 0
log_disconnections = 0
so_reuseport = {int(self.workers > 1)}
listen_backlog = 4096
server_tls_sslmode = disable
"""
            if self.certificate:
                ini += f"client_tls_sslmode = allow\nclient_tls_cert_file = {self.certificate[0]}\nclient_tls_key_file = {self.certificate[1]}\n"
            self.launch([self.program(self.checkouts), self.write(f"bouncer{number}.ini", ini)], f"log{number}")


class TwoPgBouncers(PgBouncer):
    title = "PgBouncer x2"
    workers = 2


class Odyssey(Rival):
    title = "Odyssey"

    @staticmethod
    def program(checkouts):
        path = checkouts / "odyssey" / "build" / "sources" / "odyssey"
        return path if path.exists() else None

    def start(self):
        tls = f'\n  tls "allow"\n  tls_cert_file "{self.certificate[0]}"\n  tls_key_file "{self.certificate[1]}"' if self.certificate else ""
        locks = self.folder / "locks"
        locks.mkdir(exist_ok=True)
        locks.chmod(0o777)
        self.launch([self.program(self.checkouts), self.write("odyssey.conf", f"""daemonize no
log_to_stdout no
log_session no
log_stats no
log_config no
log_format "%p %t %l [%i %s] (%c) %m\\n"
unix_socket_dir "{self.server.folder}"
unix_socket_mode "0644"
locks_dir "{locks}"
workers 2
client_max {MANY}
listen {{
  host "{self.host}"
  port {self.port}
  backlog 4096{tls}
}}
storage "server" {{
  type "remote"
  port {self.server.port}
}}
database "{DATABASE}" {{
  user "{ROLE}" {{
    authentication "none"
    storage "server"
    storage_db "{DATABASE}"
    storage_user "{ROLE}"
    pool "transaction"
    pool_size {self.sessions}
    pool_timeout 0
    pool_reserve_prepared_statement yes
  }}
}}
""")])


class PgDoorman(Rival):
    title = "pg_doorman"

    @staticmethod
    def program(checkouts):
        path = checkouts / "pg_doorman" / "target" / "release" / "pg_doorman"
        return path if path.exists() else None

    def start(self):
        tls = f'tls_certificate = "{self.certificate[0]}"\ntls_private_key = "{self.certificate[1]}"\n' if self.certificate else ""
        self.launch([self.program(self.checkouts), self.write("pg_doorman.toml", f"""[general]
host = "{self.host}"
port = {self.port}
worker_threads = 2
max_connections = {MANY}
query_wait_timeout = 60000
admin_username = "admin"
admin_password = "{harness.PASSWORD}"
pg_hba = {{ content = "host all all 127.0.0.1/32 trust" }}
{tls}
[pools.{DATABASE}]
server_host = "{self.server.folder}"
server_port = {self.server.port}
pool_mode = "transaction"
[pools.{DATABASE}.users.0]
username = "{ROLE}"
password = ""
pool_size = {self.sessions}
""")])


class Ours(Rival):
    title = "Switchyard"

    @staticmethod
    def program(_):
        return harness.BUILD / "bin" / "gateway_door"

    def start(self):
        self.door = harness.Gateway(self.server, self.folder, [DATABASE], pool=self.sessions, prepare=lift_file_limit,
                                    certificate=self.certificate)
        self.port = self.door.port
        self.processes = [self.door.process]


ALL = {"pgbouncer": PgBouncer, "pgbouncer2": TwoPgBouncers, "odyssey": Odyssey, "pg_doorman": PgDoorman,
       "switchyard": Ours}


def available(name, checkouts):
    """The class, or Missing."""
    kind = ALL[name]
    kind.checkouts = checkouts
    program = kind.program(checkouts)
    if not program or not pathlib.Path(program).exists():
        raise harness.Missing(f"{kind.title} is not built in {checkouts}")
    return kind


def make_certificate(folder):
    """(certificate, key) for loopback, readable by every account."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o644)
    if os.getuid() == 0:
        # The server wants its key to be its own.
        own = folder / "server-key.pem"
        shutil.copy(key, own)
        account = pwd.getpwnam("postgres")
        os.chown(own, account.pw_uid, account.pw_gid)
        own.chmod(0o600)
    return certificate, key

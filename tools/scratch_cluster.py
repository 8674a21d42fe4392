"""A cluster of one PostgreSQL version for one question: started in a folder of its own, removed with its answer."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile


def ask(bin_folder, query):
    """What psql (of PATH) prints for `query` on a fresh cluster of the version in `bin_folder`."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="scratch-"))
    owner = {}
    if os.getuid() == 0:  # the server refuses root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    options = {"env": {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"}, "cwd": folder, "check": True,
               **owner}
    data = folder / "data"
    quietly = {"stdout": subprocess.DEVNULL, **options}
    try:
        subprocess.run([f"{bin_folder}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8",
                        "--locale=C"], **quietly)
        subprocess.run([f"{bin_folder}/pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o",
                        f"-c listen_addresses='' -k {folder} -p 5432", "start"], **quietly)
        try:
            return subprocess.run(["psql", "-X", "-h", folder, "-U", "postgres", "-d", "postgres", "-c", query],
                                  stdout=subprocess.PIPE, text=True, **options).stdout
        finally:
            subprocess.run([f"{bin_folder}/pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], **quietly)
    finally:
        shutil.rmtree(folder)


def newest_bin_folder():
    """Of the servers that Debian installs, or what SWITCHYARD_PG_BIN names."""
    if folder := os.environ.get("SWITCHYARD_PG_BIN"):
        return folder
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return str(found[-1]) if found else None


class Cluster:
    """A cluster for one test, on 127.0.0.1 at a free port; everybody is trusted. Removed at the end."""

    def __init__(self, bin_folder, settings="-c fsync=off -c full_page_writes=off -c max_connections=200"):
        self.bin = bin_folder
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="scratch-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.owner = {}
        if os.getuid() == 0:  # the server refuses root
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.options = {"env": {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
                        "cwd": self.folder, "stdin": subprocess.DEVNULL}
        self.data = self.folder / "data"
        quietly = {"stdout": subprocess.DEVNULL, "check": True, **self.options, **self.owner}
        subprocess.run([f"{self.bin}/initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N",
                        "--locale=C.UTF-8"], **quietly)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        subprocess.run([f"{self.bin}/pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o",
                        f"-c listen_addresses=127.0.0.1 -k {self.folder} -p {self.port} {settings}", "start"], **quietly)

    def try_psql(self, sql, database="postgres"):
        """What psql says, whether it succeeds or not."""
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U",
                               "postgres", "-d", database, "-c", sql], capture_output=True, text=True, check=False,
                              **self.options)

    def psql(self, sql, database="postgres"):
        """Rows as text, columns separated by |."""
        result = self.try_psql(sql, database)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return result.stdout.rstrip("\n")

    def dump(self, database, *arguments):
        """pg_dump's text, without what differs from run to run."""
        text = subprocess.run([f"{self.bin}/pg_dump", "-h", self.folder, "-p", str(self.port), "-U", "postgres", *arguments,
                               database], capture_output=True, text=True, check=True, **self.options).stdout
        return "\n".join(line for line in text.splitlines() if not line.startswith(("--", "\\restrict", "\\unrestrict")))

    def dsn(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def close(self):
        subprocess.run([f"{self.bin}/pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, **self.options, **self.owner)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

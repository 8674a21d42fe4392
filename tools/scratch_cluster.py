"""A cluster of one PostgreSQL version for one question: started in a folder of its own, removed with its answer."""
import os
import pathlib
import pwd
import shutil
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

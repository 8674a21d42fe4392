#!/usr/bin/env python3
"""Runs one test program and makes sure that nothing of it stays.

    supervise.py --seconds N --report FILE -- COMMAND...

Every process that the command starts, daemons included, falls to this process when its parent ends (it is a child
subreaper). What still lives when the command has ended gets a moment to finish, is then named in the report and
killed. The report is JSON: {"status": exit status, "timed_out": bool, "left": ["pid name", ...]}.
"""
import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 3.0  # a server that was told to stop, and its children, may take this long


def prctl(option, value):
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def processes():
    """{pid: (parent, state, name)} of the machine."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        state, parent = text[text.rindex(")") + 2:].split()[:2]
        found[int(entry)] = (int(parent), state, name)
    return found


def descendants():
    table = processes()
    mine, changed = {os.getpid()}, True
    while changed:
        grown = {pid for pid, (parent, _, _) in table.items() if parent in mine} | mine
        changed, mine = grown != mine, grown
    mine.discard(os.getpid())
    return {pid: table[pid] for pid in mine if table[pid][1] != "Z"}


def reap():
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def command_line(pid, name):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        words = ""
    return f"{pid} {words[:100] or name}"


def kill_all():
    for _ in range(50):
        left = descendants()
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.05)
        reap()


class Stop(Exception):
    pass


def stop(number, frame):
    raise Stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--report", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    report = {"status": None, "timed_out": False, "left": []}
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            report["status"] = child.wait(args.seconds)
        except subprocess.TimeoutExpired:
            report["timed_out"] = True
        else:
            end = time.monotonic() + GRACE_SECONDS
            while descendants() and time.monotonic() < end:
                time.sleep(0.02)
                reap()
            report["left"] = [command_line(pid, row[2]) for pid, row in descendants().items()]
    except Stop:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kill_all()
    with open(args.report, "w", encoding="utf-8") as file:
        json.dump(report, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Builds and runs the tests. ./check calls it after ./setup --check.

A unit is one thing that is run: a test program (`pool_test`), a test program on one PostgreSQL
(`pool_pgtest@18`), a script of tests/ (`arrows`), a fuzzer (`frame_fuzz`). Each prints one line; the last line
counts test cases.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"

UNITS_AT_ONCE = 2
UNIT_SECONDS = 300           # a unit that takes longer hangs
PG_UNIT_SECONDS = 600
SANITIZER_FACTOR = 3         # sanitized programs are slower
FUZZ_SECONDS_IN_CHECK = 1
FUZZ_SECONDS = 60            # ./check fuzz
FUZZ_INPUT_BYTES = 16384
TAIL_LINES = 25

# What programs might leave behind beside their TMPDIR.
FOLDERS_WATCHED = ("/tmp", "/dev/shm", "/var/tmp")
SCRATCH_PREFIX = "sycheck."
FOLDER_PREFIXES = ("switchyard", "sy-", "sy_", ".s.PGSQL")

SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "LLVM_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19",
    "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19",
}

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)


def postgresql_versions():
    """Major versions of the servers installed here: Debian's, and 18 where tools/install-postgresql-18 puts it."""
    found = [folder.parent.name for folder in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
             if (folder / "postgres").exists() and (folder / "initdb").exists()]
    asked = subprocess.run([TOOLS / "install-postgresql-18", "--print-bin"], capture_output=True, check=False)
    return found + (["18"] if asked.returncode == 0 and "18" not in found else [])


@dataclasses.dataclass
class Unit:
    name: str
    kind: str                      # "gtest", "script", "fuzz"
    command: list
    seconds: float
    environment: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    problems: list = dataclasses.field(default_factory=list)


class Check:
    def __init__(self, args):
        self.args = args
        self.preset = args.mode if args.mode in ("asan", "tsan", "fuzz") else "release"
        self.build = ROOT / "build" / self.preset
        self.logs = ROOT / "build" / "check" / args.mode
        self.lock = threading.Lock()
        self.running = set()
        self.stopping = False
        self.total = Outcome()
        self.failed_units = []

    # Building

    def configure(self, preset):
        result = subprocess.run(["cmake", "--preset", preset], cwd=ROOT, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SystemExit(f"{result.stdout}{result.stderr}\ncheck: cmake --preset {preset} failed")

    def compile(self, preset, targets=()):
        start = time.monotonic()
        command = ["ninja", "-C", str(ROOT / "build" / preset), "-k", "20"]
        if self.args.build_jobs:
            command += ["-j", str(self.args.build_jobs)]
        command += targets
        log = self.logs / f"build-{preset}.log"
        if sys.stdout.isatty():
            status = subprocess.run(command, check=False).returncode
        else:
            print(f"building {preset} ...", flush=True)
            with open(log, "w", encoding="utf-8") as file:
                status = subprocess.run(command, check=False, stdout=file, stderr=subprocess.STDOUT).returncode
        if status != 0:
            if log.exists():
                text = log.read_text(encoding="utf-8", errors="replace")
                blocks = re.findall(r"^FAILED:.*?(?=^\[\d+/\d+\]|\Z)", text, re.MULTILINE | re.DOTALL)
                for block in blocks[:8]:
                    print("\n".join(block.splitlines()[:40]))
                print(f"the whole log: {log}")
            raise SystemExit(f"check: building {preset} failed")
        print(f"{'built ' + preset:<32} {time.monotonic() - start:7.1f} s", flush=True)

    # What there is to run

    def programs(self, build):
        listing = build / "test_programs.txt"
        return listing.read_text(encoding="utf-8").split() if listing.exists() else []

    def gtest_units(self):
        units = []
        servers = postgresql_versions()
        factor = 1 if self.preset == "release" else SANITIZER_FACTOR
        for name in self.programs(self.build):
            program = str(self.build / "bin" / name)
            if name.endswith("_pgtest"):
                for version in servers:
                    units.append(Unit(f"{name}@{version}", "gtest", [program], PG_UNIT_SECONDS * factor,
                                      {"SWITCHYARD_TEST_PG": version}))
            else:
                units.append(Unit(name, "gtest", [program], UNIT_SECONDS * factor))
        return units

    def script_units(self):
        units = []
        servers = postgresql_versions()
        for script in sorted((ROOT / "tests").glob("*.py")):
            command = [sys.executable, str(script)]
            if re.search(r"^# on: postgresql$", script.read_text(encoding="utf-8"), re.MULTILINE):
                for version in servers:
                    units.append(Unit(f"{script.stem}@{version}", "script", command, PG_UNIT_SECONDS,
                                      {"SWITCHYARD_TEST_PG": version}))
            else:
                units.append(Unit(script.stem, "script", command, PG_UNIT_SECONDS))
        return units

    def fuzz_units(self, seconds):
        names = sorted(path.stem for path in (ROOT / "switchyard").rglob("*_fuzz.cpp"))
        folder = ROOT / "build" / "fuzz"
        units = []
        for name in names:
            command = [str(folder / "fuzz" / name), f"-max_total_time={seconds}", f"-max_len={FUZZ_INPUT_BYTES}",
                       "-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={self.logs}/{name}-"]
            if self.args.mode == "fuzz":  # what was found is kept for the next time
                corpus = folder / "corpus" / name
                corpus.mkdir(parents=True, exist_ok=True)
                command.append(str(corpus))
            units.append(Unit(name, "fuzz", command, UNIT_SECONDS + seconds))
        return units

    def selected(self, units):
        return [unit for unit in units if re.search(self.args.only, unit.name)]

    # Running

    def run_unit(self, unit):
        if self.stopping:
            return
        tag = unit.name
        log, report = self.logs / f"{tag}.log", self.logs / f"{tag}.report"
        results = self.logs / f"{tag}.json"
        for path in (log, report, results):
            path.unlink(missing_ok=True)
        folder = self.scratch / tag
        folder.mkdir()
        folder.chmod(0o1777)
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("PG", "POSTGRES_", "SWITCHYARD_TEST_"))}
        environment.update(SANITIZER_ENVIRONMENT, TMPDIR=str(folder), SWITCHYARD_BUILD_DIR=str(self.build),
                           **unit.environment)
        command = list(unit.command)
        if unit.kind == "gtest":
            command += [f"--gtest_output=json:{results}", f"--gtest_filter={self.args.gtest}"]
        start = time.monotonic()
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, str(TOOLS / "supervise.py"), "--seconds", str(unit.seconds), "--report", str(report),
                 "--"] + command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True)
            with self.lock:
                self.running.add(process)
            process.wait()
            with self.lock:
                self.running.discard(process)
        seconds = time.monotonic() - start
        if not self.stopping:
            self.judge(unit, log, report, results, folder, seconds)

    def judge(self, unit, log, report, results, folder, seconds):
        text = log.read_text(encoding="utf-8", errors="replace")
        try:
            end = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            end = {"status": None, "timed_out": False, "left": []}
        outcome = {"gtest": self.count_gtest, "script": self.count_script, "fuzz": self.count_fuzz}[unit.kind](
            text, results, end["status"])
        if end["timed_out"]:
            outcome.problems.append(f"did not end within {unit.seconds:.0f} s")
        elif end["status"] != 0 and outcome.failed == 0:
            outcome.problems.append(f"ended with {describe_status(end['status'])}")
        outcome.problems += [f"left a process behind: {process}" for process in end["left"]]
        outcome.problems += [f"left a file behind: {path.name}" for path in sorted(folder.iterdir())]
        shutil.rmtree(folder, ignore_errors=True)
        if outcome.problems and outcome.failed == 0:
            outcome.failed = 1
        self.show(unit, outcome, seconds, text, log)

    @staticmethod
    def count_gtest(text, results, status):
        outcome = Outcome()
        try:
            data = json.loads(results.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it died before it could write
            outcome.passed = len(re.findall(r"^\[       OK \]", text, re.MULTILINE))
            outcome.skipped = len(re.findall(r"^\[  SKIPPED \] .*\(", text, re.MULTILINE))
            started = re.findall(r"^\[ RUN      \] (\S+)", text, re.MULTILINE)
            outcome.problems.append(f"died in {started[-1]}" if started else "died before its first test")
            return outcome
        for suite in data["testsuites"]:
            for case in suite["testsuite"]:
                if case["status"] == "NOTRUN":
                    continue
                if case["result"] == "SKIPPED":
                    outcome.skipped += 1
                elif "failures" in case:
                    outcome.failed += 1
                else:
                    outcome.passed += 1
        return outcome

    @staticmethod
    def count_script(text, results, status):
        outcome = Outcome()
        found = COUNTS.findall(text)
        if found:
            outcome.passed, outcome.failed, outcome.skipped = (int(number or 0) for number in found[-1])
        else:
            outcome.problems.append("printed no closing line")
        return outcome

    @staticmethod
    def count_fuzz(text, results, status):
        if status == 0:
            return Outcome(passed=1)
        return Outcome(problems=["found an input that fails; it is kept beside the log"])

    def show(self, unit, outcome, seconds, text, log):
        bad = outcome.failed > 0
        with self.lock:
            self.total.passed += outcome.passed
            self.total.failed += outcome.failed
            self.total.skipped += outcome.skipped
            counts = f"{outcome.passed:5d} passed"
            counts += f", {outcome.failed} failed" if outcome.failed else ""
            counts += f", {outcome.skipped} skipped" if outcome.skipped else ""
            print(f"{'FAIL' if bad else 'ok  '} {unit.name:<27} {seconds:7.1f} s {counts}", flush=True)
            if bad:
                self.failed_units.append(unit.name)
                for line in failure_lines(text):
                    print(f"       | {line}")
                for problem in outcome.problems:
                    print(f"       {problem}")
                print(f"       the whole log: {log.relative_to(ROOT)}", flush=True)

    def run_all(self, units):
        before = watched_folders()
        # Under /tmp, whatever TMPDIR says: socket paths must stay short, and PostgreSQL's account must reach it.
        remove_folders_of_killed_runs()
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}.", dir="/tmp"))
        self.scratch.chmod(0o755)
        order = {"script": 0, "gtest": 1, "fuzz": 2}
        units = sorted(units, key=lambda unit: ("_pgtest" not in unit.name, order[unit.kind], unit.name))
        try:
            with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
                try:
                    for future in [pool.submit(self.run_unit, unit) for unit in units]:
                        future.result()
                except KeyboardInterrupt:
                    self.stop()
                    raise
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
        for path in sorted(watched_folders() - before):
            if is_used(path):  # by somebody else on this machine: nothing of ours runs any more
                continue
            self.total.failed += 1
            print(f"FAIL left behind by one of the programs above: {path}")

    def stop(self):
        with self.lock:
            self.stopping = True
            for process in self.running:
                process.terminate()

    # The modes

    def run(self):
        self.logs.mkdir(parents=True, exist_ok=True)
        if self.args.mode == "tidy":
            return self.tidy()
        fuzz_seconds = self.args.seconds or (FUZZ_SECONDS if self.args.mode == "fuzz" else FUZZ_SECONDS_IN_CHECK)
        units = []
        if self.args.mode != "fuzz":
            self.configure(self.preset)
            units += self.gtest_units()
        if self.args.mode == "all":
            units += self.script_units()
        if self.args.mode in ("all", "fuzz"):
            units += self.fuzz_units(fuzz_seconds)
        units = self.selected(units)
        if self.args.list:
            print("\n".join(unit.name for unit in units))
            return 0
        if not units:
            raise SystemExit(f"check: no unit matches '{self.args.only}'. ./check --list shows them")
        self.build_for(units)
        self.run_all(units)
        if self.args.mode != "fuzz" and "18" not in postgresql_versions():
            self.total.skipped += 1
            print("skip PostgreSQL 18: not installed (tools/install-postgresql-18 tells why)")
        if self.failed_units:
            print(f"failed: {' '.join(self.failed_units)}   (again: ./check {self.again()})")
        print(f"{self.total.passed} passed, {self.total.failed} failed, {self.total.skipped} skipped")
        return 1 if self.total.failed or self.total.passed == 0 else 0

    def again(self):
        mode = "" if self.args.mode == "all" else f"{self.args.mode} "
        return f"{mode}--only '^({'|'.join(self.failed_units)})$'"

    def build_for(self, units):
        everything = self.args.only == ""
        programs = sorted({unit.name.split("@")[0] for unit in units if unit.kind == "gtest"})
        if everything and self.args.mode == "all" or any(unit.kind == "script" and needs_build(unit) for unit in units):
            # Benchmarks are built, so that they do not rot; they are run by hand.
            self.compile("release", ("all", "bench") if everything else ())
        elif programs:
            self.compile(self.preset, programs)
        fuzzers = [unit.name for unit in units if unit.kind == "fuzz"]
        if fuzzers:
            self.configure("fuzz")
            self.compile("fuzz", fuzzers)

    def tidy(self):
        self.configure("release")
        database = json.loads((self.build / "compile_commands.json").read_text(encoding="utf-8"))
        files = sorted({entry["file"] for entry in database
                        if entry["file"].startswith(str(ROOT)) and "/build/" not in entry["file"]
                        and re.search(self.args.only, entry["file"])})
        # Precompiled headers are clang's own format of this build: tidy reads the sources without them.
        commands = self.logs / "compile_commands.json"
        for entry in database:
            entry["command"] = re.sub(r"-Xclang -include-pch -Xclang \S+|-Winvalid-pch|-fpch-instantiate-templates"
                                      r"|-Xclang -fno-pch-timestamp", "", entry["command"])
            entry["command"] = entry["command"].replace("-Xclang -include -Xclang", "-include")
        commands.write_text(json.dumps(database), encoding="utf-8")
        total = Outcome()

        def one(file):
            result = subprocess.run(["clang-tidy-19", "-p", str(self.logs), "--quiet", "--warnings-as-errors=*", file],
                                    capture_output=True, text=True, check=False)
            with self.lock:
                if result.returncode == 0:
                    total.passed += 1
                else:
                    total.failed += 1
                    print(f"FAIL {os.path.relpath(file, ROOT)}\n{result.stdout}", flush=True)

        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            list(pool.map(one, files))
        print(f"{total.passed} passed, {total.failed} failed, 0 skipped")
        return 1 if total.failed or total.passed == 0 else 0


def needs_build(unit):
    script = pathlib.Path(unit.command[1])
    return re.search(r"^# needs: build$", script.read_text(encoding="utf-8"), re.MULTILINE) is not None


def describe_status(status):
    if status is None:
        return "no exit status"
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit status {status}"


def failure_lines(text):
    """What a reader wants to see first: the failures gtest printed, else the end of the log."""
    lines = text.splitlines()
    picked = []
    for number, line in enumerate(lines):
        if "Failure" in line and re.search(r":\d+: Failure$", line):
            picked += lines[number:number + 6]
    picked = picked or lines
    if len(picked) > TAIL_LINES:
        picked = (picked[:TAIL_LINES] + ["..."]) if picked is not lines else lines[-TAIL_LINES:]
    return picked


def watched_folders():
    found = set()
    for folder in FOLDERS_WATCHED:
        try:
            found |= {f"{folder}/{name}" for name in os.listdir(folder) if name.startswith(FOLDER_PREFIXES)}
        except OSError:
            pass
    return found


def is_used(path):
    """True if a process works in the folder, has a file of it open or names it in its command line."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if path.encode() in (process / "cmdline").read_bytes():
                return True
            links = [process / "cwd", *(process / "fd").iterdir()]
        except OSError:
            continue
        for link in links:
            try:
                if os.readlink(link).startswith(path):
                    return True
            except OSError:
                pass
    return False


def remove_folders_of_killed_runs():
    for folder in pathlib.Path("/tmp").glob(f"{SCRATCH_PREFIX}*"):
        owner = folder.name.removeprefix(SCRATCH_PREFIX).split(".")[0]
        if not pathlib.Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(
        prog="./check", description="Builds everything and runs every test; the last line counts test cases.")
    parser.add_argument("mode", nargs="?", default="all", choices=["all", "asan", "tsan", "tidy", "fuzz"],
                        help="all (default); asan, tsan: the test programs with sanitizers; tidy: clang-tidy; "
                             f"fuzz: every fuzzer for {FUZZ_SECONDS} s")
    parser.add_argument("--only", default="", metavar="REGEX", help="only units whose name matches (for tidy: files)")
    parser.add_argument("--gtest", default="*", metavar="FILTER", help="only these cases of the test programs")
    parser.add_argument("--list", action="store_true", help="print the names of the units, run nothing")
    parser.add_argument("--seconds", type=int, default=0, help="how long each fuzzer runs")
    parser.add_argument("-j", "--jobs", type=int, default=UNITS_AT_ONCE, help="units at once (default %(default)s)")
    parser.add_argument("--build-jobs", type=int, default=0, help="compilers at once (default: ninja's)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        return Check(args).run()
    except KeyboardInterrupt:
        print("\ncheck: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

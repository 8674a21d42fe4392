"""What the scripts of tests/ share: counting cases, and reading the repository's includes."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("SWITCHYARD_BUILD_DIR", ROOT / "build" / "release"))

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


class Cases:
    """Collects cases; finish() prints the closing line that ./check reads and gives the exit status."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def check(self, name, problems):
        """`problems`: lines that say what is wrong; none means passed."""
        problems = [problems] if isinstance(problems, str) else list(problems or [])
        if not problems:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAIL {name}")
        for line in problems:
            print(f"  {line}")

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skip {name}: {reason}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or self.passed == 0 else 0


def tracked_files():
    """The files of the repository that exist, relative to it: what git knows and what it would add."""
    result = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
                            text=True, check=False)
    if result.returncode == 0:
        names = [name for name in result.stdout.split("\0") if name]
    else:  # an unpacked archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return sorted(name for name in set(names) if (ROOT / name).is_file())


def includes_of(text):
    """[(line, name)] of the #include lines, <> and "" alike."""
    return [(text.count("\n", 0, match.start()) + 1, match.group(2)) for match in INCLUDE.finditer(text)]


def rooms():
    """{room: the rooms it may include, itself among them}: the sy_room() table of CMakeLists.txt, transitively."""
    table = {}
    text = re.sub(r"#[^\n]*", "", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))
    for body in re.findall(r"\bsy_room\(([^)]*)\)", text):
        words = body.split()
        deps, into = [], False
        for word in words[1:]:
            if word in ("DEPS", "LIBS"):
                into = word == "DEPS"
            elif into:
                deps.append(word)
        table[words[0]] = deps
    closed = {}

    def close(room):
        if room not in closed:
            closed[room] = {room}.union(*(close(dep) for dep in table[room]))
        return closed[room]

    for room, deps in table.items():
        for dep in deps:
            if dep not in table:
                raise SystemExit(f"CMakeLists.txt: room {room} depends on {dep}, which is no room")
        close(room)
    return closed


class Problems(list):
    """Collects what is wrong with one case."""

    def want(self, truth, *what):
        if not truth:
            self.append(" ".join(str(part) for part in what))

    def same(self, found, expected, what=""):
        self.want(found == expected, what, "found", repr(found), "instead of", repr(expected))

    def ended(self, result, code):
        self.want(result.returncode == code, "exit status", result.returncode, "instead of", code, ":", result.stdout,
                  result.stderr)


def case(cases, name):
    """Runs the function that follows with a list of Problems; one that throws has failed."""
    def run(function):
        problems = Problems()
        try:
            function(problems)
        except Exception as error:  # noqa: BLE001 a broken case is a failed one
            problems.append(f"{type(error).__name__}: {error}")
        cases.check(name, problems)
    return run

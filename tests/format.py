#!/usr/bin/env python3
"""The sources are formatted as .clang-format says. `format.py --fix` rewrites what is not."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402


def differs(name):
    result = subprocess.run(["clang-format-19", "--dry-run", "-Werror", name], cwd=script_test.ROOT,
                            capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return []
    first = result.stderr.splitlines()[0] if result.stderr else "clang-format-19 failed"
    return [first, "mend with: python3 tests/format.py --fix"]


def main():
    cases = script_test.Cases()
    names = [name for name in script_test.tracked_files() if name.endswith((".hpp", ".cpp"))]
    if sys.argv[1:] == ["--fix"]:
        return subprocess.run(["clang-format-19", "-i", *names], cwd=script_test.ROOT, check=False).returncode
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, problems in zip(names, pool.map(differs, names)):
            cases.check(f"{name} is formatted", problems)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Misuse does not compile: each file of tests/compile_fail/ must fail, and with the message it names.

A file says what it expects in comments: `// expect: part of the message` (several lines: each must appear), or
`// expect: success` for a control, the correct use beside the misuse. Compiled as users compile: C++20, the installed
warnings, no flags of ours beyond -Werror for the coroutine lifetime warnings.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402

COMPILER = ["clang++-19", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{script_test.ROOT}"]


def try_compile(path):
    result = subprocess.run([*COMPILER, str(path)], capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stderr


def judge(path, compiled, message):
    expected = re.findall(r"^// expect: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if not expected:
        return ["has no '// expect: ...' line"]
    if expected == ["success"]:
        return [] if compiled else ["should compile, but:", *message.splitlines()[:12]]
    if compiled:
        return [f"compiles; expected: {' / '.join(expected)}"]
    missing = [text for text in expected if text not in message]
    return [f"the message lacks: {text}" for text in missing] + (message.splitlines()[:12] if missing else [])


def main():
    cases = script_test.Cases()
    paths = sorted((script_test.ROOT / "tests" / "compile_fail").glob("*.cpp"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, (compiled, message) in zip(paths, pool.map(try_compile, paths)):
            cases.check(path.stem, judge(path, compiled, message))
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

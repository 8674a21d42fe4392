#!/usr/bin/env python3
"""The installed library is what a program outside the tree needs, and refuses compilers that would miscompile it."""
# needs: build
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import public_headers  # noqa: E402
import script_test  # noqa: E402

CONSUMER = script_test.ROOT / "tests" / "consumer"
# What tests/consumer prints.
EXPECTED = ("database 'main': an error\n"
            "DSN not configured for database 'main'. Set POSTGRES_DSN in environment.\n")


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    return result.returncode, result.stdout + result.stderr


def problem_of(status, output, lines=20):
    return output.splitlines()[-lines:] or [f"exit status {status}"] if status != 0 else []


def major_of(compiler):
    if not shutil.which(compiler):
        return 0
    return int(run(compiler, "-dumpversion")[1].split(".")[0])


def build_and_run(compiler, prefix, folder):
    status, output = run("cmake", "-S", CONSUMER, "-B", folder, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={compiler}",
                         f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
    if status == 0:
        status, output = run("ninja", "-C", folder)
    if status == 0:
        status, output = run(folder / "consumer")
        if status == 0 and output != EXPECTED:
            return [f"printed: {output!r}"]
    return problem_of(status, output)


def main():
    cases = script_test.Cases()
    if not public_headers.roots():
        cases.skip("installation", "there is no header directly in switchyard/ yet")
        cases.passed += 1
        return cases.finish()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix = folder / "prefix"
        status, output = run("cmake", "--install", script_test.BUILD, "--prefix", prefix)
        cases.check("cmake --install works", problem_of(status, output))
        if status != 0:
            return cases.finish()

        installed = sorted(str(path.relative_to(prefix / "include")) for path in (prefix / "include").rglob("*.hpp"))
        expected = public_headers.closure(script_test.ROOT, public_headers.roots())
        cases.check("the public headers are installed, and no others", [] if installed == expected else [
            f"installed: {installed}", f"expected: {expected}"])

        compilers = ["clang++-19"] + [f"g++-{major}" for major in range(13, 20) if shutil.which(f"g++-{major}")]
        for compiler in compilers:
            cases.check(f"a program outside the tree builds and runs with {compiler}",
                        build_and_run(compiler, prefix, folder / compiler))
        if 0 < major_of("g++") < 13:
            status, output = run("cmake", "-S", CONSUMER, "-B", folder / "old", "-G", "Ninja",
                                 "-DCMAKE_CXX_COMPILER=g++", f"-DCMAKE_PREFIX_PATH={prefix}")
            flat = " ".join(output.split())
            wanted = "Switchyard needs clang 16 or GCC 13 or newer"
            cases.check("GCC before 13 is refused with the reason",
                        [] if status != 0 and wanted in flat else [f"'{wanted}' is not in:", *output.splitlines()])

        libraries = list((prefix / "lib").rglob("libswitchyard.so"))
        if shutil.which("pkg-config") and libraries:
            environment = dict(os.environ, PKG_CONFIG_PATH=str(libraries[0].parent / "pkgconfig"))
            status, output = run("pkg-config", "--cflags", "--libs", "switchyard", env=environment)
            cases.check("pkg-config finds the library", problem_of(status, output) or
                        ([] if "-lswitchyard" in output else [output]))
        else:
            cases.skip("pkg-config finds the library", "pkg-config is not installed")
        if libraries:
            status, output = run("nm", "-DC", "--defined-only", libraries[0])
            foreign = [line for line in output.splitlines()
                       if " T " in line and "switchyard::" not in line and not line.endswith((" _init", " _fini"))]
            cases.check("only symbols of ours are visible", problem_of(status, output) or foreign[:10])
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

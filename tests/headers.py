#!/usr/bin/env python3
"""Each header compiles alone; the public ones also as C++20 with the oldest compilers users may have.

Results are remembered by content (build/check/headers), so that a second run is quick.

    headers.py [--public HEADER...]   checks just these headers, as if they were public
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import public_headers  # noqa: E402
import script_test  # noqa: E402

CACHE = script_test.ROOT / "build" / "check" / "headers"
WARNINGS = ["-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Wpedantic", "-Wshadow", "-Werror"]
PUBLIC_COMPILERS = ["clang++-19", "clang++-16", "g++-12"]

# What a public header may not include: not there in C++20 with libstdc++ 12, or not for users to install.
STANDARD_TOO_NEW = ("expected", "format", "print", "generator", "flat_map", "mdspan", "stacktrace", "spanstream")
LIBRARIES_HIDDEN = ("boost/", "spdlog/", "fmt/", "toml++/", "CLI/", "openssl/")
BOOST_IS_ALLOWED_IN = ("switchyard/asio.hpp",)


def version_of(compiler):
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]


def compile_alone(job):
    """Compiles `#include <header>` twice over; returns (key, problem text or empty)."""
    header, compiler, standard, key = job
    stamp = CACHE / key
    if stamp.exists():
        return ""
    flags = [f"-std={standard}", "-fsyntax-only", *WARNINGS, f"-I{script_test.ROOT}", "-x", "c++", "-"]
    if compiler.startswith("g++"):
        flags.insert(0, "-fcoroutines")
    # The second inclusion shows a missing include guard.
    text = f"#include <{header}>\n#include <{header}>\n"
    result = subprocess.run([compiler, *flags], input=text, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        stamp.touch()
        return ""
    return "\n".join(result.stderr.splitlines()[:12])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", nargs="+", metavar="HEADER")
    args = parser.parse_args()
    cases = script_test.Cases()
    CACHE.mkdir(parents=True, exist_ok=True)

    root = script_test.ROOT
    if args.public:
        public = set(args.public)
        everything = sorted(public)
    else:
        public = set(public_headers.closure(root, public_headers.roots()))
        everything = sorted(str(path.relative_to(root)) for path in (root / "switchyard").rglob("*.hpp"))

    asio = set(public_headers.closure(root, BOOST_IS_ALLOWED_IN)) - \
        set(public_headers.closure(root, [name for name in public_headers.roots() if name not in BOOST_IS_ALLOWED_IN]))
    for header in sorted(public):
        problems = [f"{header}:{line}: <{include}> is not for public headers"
                    for line, include in script_test.includes_of((root / header).read_text(encoding="utf-8"))
                    if include in STANDARD_TOO_NEW or
                    (include.startswith(LIBRARIES_HIDDEN) and header not in asio)]
        cases.check(f"{header} includes nothing that users may lack", problems)

    compilers = [name for name in PUBLIC_COMPILERS if shutil.which(name)]
    for name in set(PUBLIC_COMPILERS) - set(compilers):
        cases.skip(f"public headers with {name}", "not installed (./setup --check)")
    versions = {name: version_of(name) for name in compilers}
    jobs, names = [], []
    for header in everything:
        content = hashlib.sha256()
        for name in public_headers.closure(root, [header]):
            content.update(name.encode() + b"\0" + (root / name).read_bytes() + b"\0")
        for compiler in (compilers if header in public else compilers[:1]):
            standard = "c++20" if header in public else "c++2b"
            key = hashlib.sha256(json.dumps([header, versions[compiler], standard, WARNINGS,
                                             content.hexdigest()]).encode()).hexdigest()
            jobs.append((header, compiler, standard, key))
            names.append(f"{header} compiles alone ({compiler}, {standard})")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, problem in zip(names, pool.map(compile_alone, jobs)):
            cases.check(name, problem.splitlines())
    if not public:
        cases.skip("public headers", "there is no header directly in switchyard/ yet")
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

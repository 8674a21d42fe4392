#!/usr/bin/env python3
"""The arrows between the rooms point one way, and what is slow to compile stays where it belongs.

A room includes only itself and the rooms its sy_room() line in CMakeLists.txt names, directly or through another.
Its tests may also use the helpers of tests/; its tests on a real server also `embedded`.
"""
import collections
import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import public_headers  # noqa: E402
import script_test  # noqa: E402

SOURCES = (".hpp", ".cpp", ".h", ".cc")

# Libraries that cost seconds for each file that includes them, or that the library must not need.
# name: (pattern of the include, folders where it is allowed, in how many files at most)
RESTRICTED = {
    "Asio": (r"boost/asio|asio/", ("switchyard/runtime/", "switchyard/http/", "switchyard/asio.hpp", "tests/",
                                   "bench/"), None),
    "Beast": (r"boost/beast", ("switchyard/http/", "switchyard/httpc/", "tests/", "bench/"), 2),
    "CLI11": (r"CLI/", ("apps/", "bench/"), 1),
    "spdlog": (r"spdlog/", ("apps/", "bench/"), 1),
    "toml++": (r"toml\+\+/|tomlplusplus|toml\.hpp", ("switchyard/config/",), 1),
    "libpq": (r"libpq-fe\.h|libpq/|pqxx/|postgresql/libpq", ("tests/", "bench/"), None),
}


def allowed_rooms(name, rooms):
    """The rooms that the file may include, or None when it may include all."""
    parts = pathlib.PurePosixPath(name).parts
    if parts[0] != "switchyard" or len(parts) < 3:
        return None
    room = parts[1]
    if room not in rooms:
        return set()
    allowed = set(rooms[room])
    if name.endswith("_pgtest.cpp"):
        allowed |= rooms.get("embedded", set())
    return allowed


@functools.cache
def rooms_reached(include):
    """The room of a header; for a header directly in switchyard/, all rooms that it reaches."""
    parts = pathlib.PurePosixPath(include).parts
    if len(parts) > 2:
        return frozenset([parts[1]])
    names = public_headers.closure(script_test.ROOT, [include])
    return frozenset(name.split("/")[1] for name in names if name.count("/") > 1)


def main():
    cases = script_test.Cases()
    rooms = script_test.rooms()
    files = [name for name in script_test.tracked_files() if name.endswith(SOURCES)]
    wrong = collections.defaultdict(list)
    users = collections.defaultdict(set)
    misplaced = collections.defaultdict(list)
    for name in files:
        text = (script_test.ROOT / name).read_text(encoding="utf-8", errors="replace")
        allowed = allowed_rooms(name, rooms)
        room = pathlib.PurePosixPath(name).parts[1] if name.startswith("switchyard/") else ""
        is_test = re.search(r"_(test|pgtest)\.cpp$", name) is not None
        for line, include in script_test.includes_of(text):
            if include.startswith("switchyard/"):
                if not (script_test.ROOT / include).is_file():
                    wrong[room].append(f"{name}:{line}: {include} does not exist")
                elif allowed is not None and not rooms_reached(include) <= allowed:
                    beyond = ", ".join(sorted(rooms_reached(include) - allowed))
                    wrong[room].append(f"{name}:{line}: {room} may not include {beyond} ({include})")
            for library, (pattern, folders, _) in RESTRICTED.items():
                if re.match(pattern, include):
                    if not name.startswith(folders) and not (library == "libpq" and is_test):
                        misplaced[library].append(f"{name}:{line}: {library} is not for this place, only for "
                                                  f"{', '.join(folders)}")
                    elif not name.startswith(("tests/", "bench/")):
                        users[library].add(name)
    for folder in sorted({pathlib.PurePosixPath(name).parts[1] for name in files
                          if name.startswith("switchyard/") and name.count("/") > 1}):
        problems = wrong.pop(folder, [])
        if folder not in rooms:
            problems.insert(0, f"switchyard/{folder} has no sy_room() line in CMakeLists.txt")
        cases.check(f"{folder} includes only the rooms it may", problems)
    cases.check("headers of ours that are included exist", [line for lines in wrong.values() for line in lines])
    for library, (_, _, most) in RESTRICTED.items():
        problems = misplaced[library]
        if most is not None and len(users[library]) > most:
            problems.append(f"{library} is in {len(users[library])} files, at most {most}: "
                            f"{', '.join(sorted(users[library]))}")
        cases.check(f"{library} stays where it belongs", problems)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Prints the public headers, one a line, relative to the repository: the headers directly in switchyard/ (what
programs include) and everything of ours that they include in turn. `--under FOLDER` reads another tree.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import script_test  # noqa: E402


def closure(root, roots):
    """The headers of ours reachable from `roots` (relative names), roots included, sorted."""
    found, waiting = set(), list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or not (root / name).is_file():
            continue
        found.add(name)
        text = (root / name).read_text(encoding="utf-8")
        waiting += [include for _, include in script_test.includes_of(text) if include.startswith("switchyard/")]
    return sorted(found)


def roots(root=script_test.ROOT):
    return sorted(str(path.relative_to(root)) for path in (root / "switchyard").glob("*.hpp"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--under", type=pathlib.Path, default=script_test.ROOT)
    args = parser.parse_args()
    for name in closure(args.under, roots(args.under)):
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

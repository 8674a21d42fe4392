#!/usr/bin/env python3
"""Where the time of a build went: the slowest steps, from ninja's log.

    tools/build_times.py [PRESET] [--top N]
"""
import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def steps(log):
    """{output: seconds} of the last time each was built."""
    found = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        fields = line.split("\t")
        if len(fields) == 5:
            found[fields[3]] = (int(fields[1]) - int(fields[0])) / 1000
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="release")
    parser.add_argument("--top", type=int, default=20)
    args = parser.parse_args()
    log = ROOT / "build" / args.preset / ".ninja_log"
    if not log.exists():
        print(f"build_times: {log} does not exist; build first", file=sys.stderr)
        return 1
    found = steps(log)
    kinds = {"compiling": 0.0, "precompiled headers": 0.0, "linking": 0.0}
    for output, seconds in found.items():
        kind = "compiling" if output.endswith(".o") else "precompiled headers" if output.endswith(".pch") else "linking"
        kinds[kind] += seconds
    for output, seconds in sorted(found.items(), key=lambda step: -step[1])[:args.top]:
        print(f"{seconds:8.1f} s  {output.replace('.dir/', ': ').replace('CMakeFiles/', '')}")
    print(f"{sum(kinds.values()):8.1f} s  in {len(found)} steps: " +
          ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in kinds.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

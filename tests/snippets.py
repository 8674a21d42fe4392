#!/usr/bin/env python3
"""The programs shown in README.md and docs/ compile: each ```cpp block that includes something of ours."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import public_headers  # noqa: E402
import script_test  # noqa: E402

BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main():
    cases = script_test.Cases()
    for page in [script_test.ROOT / "README.md", *sorted((script_test.ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            if "#include <switchyard/" not in match.group(1):
                continue
            name = f"{page.relative_to(script_test.ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
            if not public_headers.roots():
                cases.skip(name, "there is no header directly in switchyard/ yet")
                cases.passed += 1
                continue
            result = subprocess.run(["clang++-19", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra",
                                     f"-I{script_test.ROOT}", "-x", "c++", "-"], input=match.group(1),
                                    capture_output=True, text=True, check=False)
            cases.check(f"{name} compiles", [] if result.returncode == 0 else result.stderr.splitlines()[:12])
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The repository says what it is, not how it came to be, and leaves nothing open in its text."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import script_test  # noqa: E402

# Work left open belongs in the tracker. (Written so that this file does not match itself.)
LEFT_OPEN = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
# How it was made: who or what wrote it, the documents and places it was written from.
HOW_IT_WAS_MADE = re.compile(
    r"\bA[I]\b|\bL[L]Ms?\b|language m[o]del|chat ?b[o]t|(?:coding|helper|work) (?:a[g]ent|s[e]ssion)\b"
    r"|\bissue #?\d|\b(?:DE[S]IGN|EN[G]INE|FA[C]TS|REA[D]ING|ST[Y]LE|LA[N]E|CONT[R]ACTS)\.md\b|(?:\.\./)?sha[r]ed/requirements"
    r"|(?<![\w.])/wo[r]k/")
# Addresses: of documents a reader may want, of examples and of this machine. Others (package registries above all)
# have no place here.
URL = re.compile(r"\b(?:https?|ftp)://([A-Za-z0-9._-]+)")
HOSTS = re.compile(r"(?:.*\.)?example(?:\.(?:com|org|net))?$|localhost$|[\d.]+$|(?:www\.)?(?:apache|postgresql)\.org$"
                   r"|.*\.(?:test|invalid|internal|local)$|[a-z0-9_-]+$")

TEXT = (".hpp", ".cpp", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".toml", ".json", ".yml", ".yaml", ".html", ".js",
        ".ts", ".css", ".sql", ".in", ".conf", ".env", ".golden")
TEXT_NAMES = ("setup", "run", "check")


def is_text(name):
    path = pathlib.PurePosixPath(name)
    return path.suffix in TEXT or path.name in TEXT_NAMES or path.suffix == ""


def lines_that_match(text, pattern, accept=lambda match: True):
    for number, line in enumerate(text.splitlines(), 1):
        for match in pattern.finditer(line):
            if accept(match):
                yield number, match.group(0)


def main():
    cases = script_test.Cases()
    problems = {"nothing is left open in the text": [], "nothing tells how it was made": [],
                "addresses are of documents, examples and this machine": []}
    left_open, made, addresses = problems.values()
    for name in script_test.tracked_files():
        if not is_text(name):
            continue
        try:
            text = (script_test.ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        left_open += [f"{name}:{line}: {word}" for line, word in lines_that_match(text, LEFT_OPEN)]
        made += [f"{name}:{line}: {word}" for line, word in lines_that_match(text, HOW_IT_WAS_MADE)]
        addresses += [f"{name}:{line}: {word} (if it is a document, add its host to HOSTS here)" for line, word
                      in lines_that_match(text, URL, lambda match: not HOSTS.match(match.group(1).rstrip(".")))]
    for name, lines in problems.items():
        cases.check(name, lines)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes tables.cpp: what SASLprep (RFC 4013) needs of Unicode 3.2.

Everything comes from Python's own modules: `stringprep` (RFC 3454) and `unicodedata.ucd_3_2_0`.
Usage: ./generate.py > tables.cpp && clang-format-19 -i tables.cpp
"""
import stringprep
from unicodedata import ucd_3_2_0 as ucd

LAST = 0x110000
HANGUL = range(0xAC00, 0xAC00 + 11172)


def ranges(matches):
    found, start = [], None
    for code in range(LAST + 1):
        hit = code < LAST and matches(chr(code))
        if hit and start is None:
            start = code
        elif not hit and start is not None:
            found.append((start, code - 1))
            start = None
    return found


def prohibited(c):
    return any(test(c) for test in (
        stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
        stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
        stringprep.in_table_c9, stringprep.in_table_a1))


def print_ranges(name, comment, matches):
    print(f"// {comment}\nconst CodeRange {name}[] = {{")
    found = ranges(matches)
    print(",".join(f"{{0x{a:X},0x{b:X}}}" for a, b in found))
    print(f"}};\nconst std::size_t {name}Size = {len(found)};\n")


def compatibility_decomposition(code):
    text = ucd.normalize("NFKD", chr(code))
    return None if text == chr(code) else [ord(c) for c in text]


def compositions():
    pairs = {}
    for code in range(LAST):
        if code in HANGUL:
            continue
        parts = ucd.decomposition(chr(code)).split()
        if len(parts) != 2 or parts[0].startswith("<"):
            continue
        first, second = (int(p, 16) for p in parts)
        # Composition exclusions are those that normalization does not put together again.
        if ucd.normalize("NFC", chr(first) + chr(second)) == chr(code):
            pairs[(first, second)] = code
    return sorted(pairs.items())


def main():
    print("// Written by generate.py: do not edit.")
    print("#include <switchyard/protocol/unicode/tables.hpp>\n")
    print("namespace switchyard::inline v0::protocol::unicode {\n")
    print_ranges("kNonAsciiSpaces", "RFC 3454 table C.1.2", stringprep.in_table_c12)
    print_ranges("kMappedToNothing", "RFC 3454 table B.1", stringprep.in_table_b1)
    print_ranges("kProhibited", "RFC 4013 section 2.3 and unassigned code points (RFC 3454 table A.1)", prohibited)
    print_ranges("kRandAL", "RFC 3454 table D.1", stringprep.in_table_d1)
    print_ranges("kLCat", "RFC 3454 table D.2", stringprep.in_table_d2)

    pool, entries = [], []
    for code in range(LAST):
        if code in HANGUL or 0xD800 <= code < 0xE000:
            continue
        parts = compatibility_decomposition(code)
        if parts is None:
            continue
        entries.append((code, len(pool), len(parts)))
        pool += parts
    print("// Full compatibility decompositions, Hangul syllables excepted.")
    print("const char32_t kDecompositionPool[] = {" + ",".join(f"0x{c:X}" for c in pool) + "};")
    print("const Decomposition kDecompositions[] = {" +
          ",".join(f"{{0x{c:X},{at},{n}}}" for c, at, n in entries) + "};")
    print(f"const std::size_t kDecompositionsSize = {len(entries)};\n")

    found = compositions()
    print("// Canonical compositions, Hangul syllables excepted.")
    print("const Composition kCompositions[] = {" +
          ",".join(f"{{0x{a:X},0x{b:X},0x{c:X}}}" for (a, b), c in found) + "};")
    print(f"const std::size_t kCompositionsSize = {len(found)};\n")

    classes, start = [], None
    for code in range(LAST + 1):
        value = ucd.combining(chr(code)) if code < LAST else 0
        if start is not None and value != start[1]:
            classes.append((start[0], code - 1, start[1]))
            start = None
        if value and start is None:
            start = (code, value)
    print("// Canonical combining classes other than 0.")
    print("const CombiningClass kCombiningClasses[] = {" +
          ",".join(f"{{0x{a:X},0x{b:X},{v}}}" for a, b, v in classes) + "};")
    print(f"const std::size_t kCombiningClassesSize = {len(classes)};\n")
    print("}  // namespace switchyard::inline v0::protocol::unicode")


main()

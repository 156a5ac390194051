#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check docs/rfc7143.md against the tests, and the tests of tests/wire against their own promise.

The document is a table of what binds a target: clause, MUST or SHOULD, the requirement in our words, and in
the last column what holds it: tests, as `wire/test_x.py::test_y` (below tests/) or `fabric/iscsi/x_test.c::test_y`
(below src/), or "not offered:", "by design:" or "others:" with a reason. The checks:

- each row is of that form, and clauses come in order;
- each test that is named exists;
- each test of tests/wire that is about iSCSI says in its docstring which clause it is from;
- with --count, pytest counts the cases, which must be no fewer than CASES_MIN.

Exit status 1 and a line for each finding.

usage: tools/conformance.py [--root DIR] [--count]
"""

import argparse
import ast
import glob
import os
import re
import subprocess
import sys

DOCUMENT = "docs/rfc7143.md"
CASES_MIN = 400
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
REASONS = ("not offered:", "by design:", "others:")

# tests/wire files that are about SCSI, not iSCSI: they cite SPC-4, SBC-3 and SAM-5 in their own way
SCSI = re.compile(r"test_(?:lu_|pr_|alua)")

CLAUSE = re.compile(r"(?:RFC 7144 )?(?:[A-E]|\d+(?:\.\d+)*)$")
CITED = re.compile(r"(?<![\d.])(?:[3-9]|1[0-3])\.\d+(?:\.\d+)*(?![\d.])|(?:^|[( ;,])1[123](?=[:;,)]| \(|\.? and)|"
                   r"Appendix [A-E]|\bRFC \d{4}|\b(?:SPC|SBC)-\d \d|\bSAM-5 \d")
TEST = re.compile(r"`([\w./-]+)::(\w+)`")
C_TEST = re.compile(r"^(?:static )?void (\w+)\(void \*\*", re.M)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def rows(text):
    """(line number, cells) of each row of the document's tables, heads left out."""
    for i, line in enumerate(text.split("\n"), 1):
        if line.startswith("|") and not re.match(r"\|[ -]*-|\| *clause *\|", line):
            yield i, [c.strip() for c in line.strip().strip("|").split("|")]


def python_tests(path):
    """Name -> docstring of the test functions of a file."""
    return {n.name: ast.get_docstring(n) or "" for n in ast.walk(ast.parse(read(path)))
            if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}


class Tests:
    """The tests of a tree, read once a file."""

    def __init__(self, root):
        self.root, self.files = root, {}

    def has(self, path, name):
        """None when the test exists, else what is missing."""
        if path not in self.files:
            full = os.path.join(self.root, "src" if path.endswith(".c") else "tests", path)
            if not os.path.exists(full):
                self.files[path] = None
            elif path.endswith(".c"):
                self.files[path] = set(C_TEST.findall(read(full)))
            else:
                self.files[path] = set(python_tests(full))
        found = self.files[path]
        if found is None:
            return f"there is no file {path}"
        return None if name in found else f"{path} has no test {name}"


def order(clause):
    """A key by which clauses sort: RFC 7143's sections, its appendices, RFC 7144."""
    rfc7144 = clause.startswith("RFC 7144")
    word = clause.rsplit(" ", 1)[-1]
    return rfc7144, word.isalpha(), [ord(word)] if word.isalpha() else [int(n) for n in word.split(".")]


def check_row(tests, cells):
    """Findings in one row, without place."""
    if len(cells) != 4:
        yield f"{len(cells)} cells, 4 are due"
        return
    clause, level, what, held = cells
    if not CLAUSE.match(clause):
        yield f"'{clause}' is no clause"
    if level not in LEVELS:
        yield f"'{level}' is none of {', '.join(sorted(LEVELS))}"
    if not what:
        yield "no requirement"
    named = TEST.findall(held)
    for path, name in named:
        missing = tests.has(path, name)
        if missing:
            yield missing
    reason = next((r for r in REASONS if held.startswith(r)), None)
    if reason and not held[len(reason):].strip():
        yield f"'{reason}' without a reason"
    if not named and not reason:
        yield f"neither a test nor a reason ({' '.join(REASONS)})"


def check_document(root):
    """Findings in the document."""
    path = os.path.join(root, DOCUMENT)
    if not os.path.exists(path):
        yield f"{DOCUMENT}: missing"
        return
    tests, last, seen = Tests(root), None, 0
    for line, cells in rows(read(path)):
        seen += 1
        for finding in check_row(tests, cells):
            yield f"{DOCUMENT}:{line}: {finding}"
        if CLAUSE.match(cells[0]):
            if last and order(cells[0]) < order(last):
                yield f"{DOCUMENT}:{line}: {cells[0]} comes after {last}"
            last = cells[0]
    if not seen:
        yield f"{DOCUMENT}: no rows"


def check_tests(root):
    """Findings in tests/wire: tests that name no clause."""
    for path in sorted(glob.glob(os.path.join(root, "tests", "wire", "test_*.py"))):
        if SCSI.match(os.path.basename(path)):
            continue
        for name, doc in python_tests(path).items():
            if not CITED.search(doc):
                yield f"{os.path.relpath(path, root)}: {name} names no clause"


def count(root):
    """Cases of tests/wire about iSCSI, by pytest."""
    out = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/wire"], cwd=root,
                         capture_output=True, text=True, check=False).stdout
    return sum("::" in line and not SCSI.search(line) for line in out.split("\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--count", action="store_true", help="count the cases, too")
    args = parser.parse_args()
    findings = [*check_document(args.root), *check_tests(args.root)]
    for line in findings:
        print(line)
    if args.count:
        cases = count(args.root)
        print(f"{cases} cases about iSCSI in tests/wire")
        if cases < CASES_MIN:
            findings.append("too few")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

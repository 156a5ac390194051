#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check what STYLE.md asks for and neither compiler nor clang-format sees.

Sizes of lines, functions and files; the licence line; sleeps in tests; promises of later work;
and, in the libraries of a build directory, global names and mutable globals.
Exit status 1 and a line for each finding.

usage: tools/lint.py [--root DIR] [--build DIR] [FILE...]
"""

import argparse
import glob
import os
import re
import subprocess
import sys

LINE_MAX = {".c": 100, ".h": 100, ".py": 120, ".sh": 120}
FILE_MAX = 800
FUNCTION_MAX = 70

# Mutable globals that may be: symbol -> why. (STYLE.md: the log level alone; the rest cannot be
# passed along.)
GLOBALS = {
    "log_state": "level and sink of the log",
}

SPDX = "SPDX-License-Identifier: BSD-3-Clause"
SLEEP = re.compile(r"\b(?:u|nano)?sleep\s*\(|\bclock_nanosleep\s*\(")
LATER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
ROWS_BEGIN = re.compile(r"^\t+(?:static )?const\b.*=\s*\{$|^\t+(?:static )?const\b.*=\s*\{ \{.*[^;]$")


def is_c(path):
    return path.endswith((".c", ".h"))


def is_table(path):
    return path.endswith((".tbl.h", ".fsm.h"))


def is_test(path):
    return path.startswith("tests/") or path.endswith("_test.c")


def width(line):
    """Columns of a line with tabs of 8."""
    return len(line.expandtabs(8))


def functions(lines):
    """(name, first line, lines without those of const tables) of each function.

    clang-format puts a function's braces, and those of nothing else, into column 0.
    """
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
            while start > 0 and lines[start - 1] and not re.match(r"[}#/ ]|\*/", lines[start - 1]) \
                    and not lines[start - 1].endswith((";", "*/")):
                start -= 1
        elif line == "}" and start is not None:
            name = re.search(r"(\w+)\(", " ".join(lines[start:i]))
            yield (name.group(1) if name else "?", start + 1, function_size(lines[start:i + 1]))
            start = None


def function_size(body):
    size, in_rows = 0, None
    for line in body:
        if in_rows is None and ROWS_BEGIN.match(line):
            in_rows = re.match(r"\t+", line).group(0)
        if in_rows is None:
            size += 1
        elif line.startswith(in_rows + "}") and line.endswith(";"):
            in_rows = None
        elif line.endswith("};"):
            in_rows = None
    return size


def check_c(path, lines):
    if lines and SPDX not in lines[0]:
        yield f"{path}:1: the first line has to be /* {SPDX} */"
    if len(lines) < 2 or not any("/*" in line for line in lines[1:3]):
        yield f"{path}:2: no header comment that says what the file is for"
    if not is_table(path):
        if len(lines) > FILE_MAX:
            yield f"{path}: {len(lines)} lines, at most {FILE_MAX}: split it"
        for name, first, size in functions(lines):
            if size > FUNCTION_MAX:
                yield f"{path}:{first}: {name}() has {size} lines, at most {FUNCTION_MAX}"


def check_text(path, lines):
    """Checks of every source file."""
    limit = LINE_MAX.get(os.path.splitext(path)[1])
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if limit and width(line) > limit and not is_table(path):
            yield f"{where}: {width(line)} columns, at most {limit}"
        if line != line.rstrip():
            yield f"{where}: white space at the end"
        if LATER.search(line) and path != "tools/lint.py":
            yield f"{where}: promises later work; do it or leave it out"
        if is_test(path) and SLEEP.search(line):
            yield f"{where}: sleeps; wait for the event instead"
    if path.endswith((".py", ".sh")) and not any(SPDX in line for line in lines[:3]) and lines:
        yield f"{path}:1: no line # {SPDX}"


def check_file(root, path):
    try:
        with open(os.path.join(root, path), encoding="utf-8") as f:
            lines = f.read().split("\n")
    except UnicodeDecodeError:
        return [f"{path}: is not UTF-8"]
    if lines and lines[-1] == "":
        lines.pop()
    elif lines:
        return [f"{path}: no newline at the end"]
    found = list(check_text(path, lines))
    if is_c(path):
        found += check_c(path, lines)
    return found


SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)$")


def check_library(path):
    """Symbols of a static library: (exported names, mutable variables) that may not be."""
    out = subprocess.run(["objdump", "-t", path], capture_output=True, text=True, check=True).stdout
    for line in out.split("\n"):
        m = SYMBOL.match(line)
        if not m:
            continue
        flags, section, name = m.groups()
        if section == "*UND*":
            continue
        if flags[0] == "g" and re.match(r"i?scsi_", name):
            yield f"{path}: global {name}: libiscsi owns names that begin with scsi_ and iscsi_"
        if section.startswith((".tdata", ".tbss")):
            yield f"{path}: {name} is thread-local: pass it as an argument"
        mutable = re.match(r"\.(data|bss)(?!\.rel\.ro)", section) or section == "*COM*"
        if mutable and flags[6] == "O" and re.sub(r"\.\d+$", "", name) not in GLOBALS:
            yield f"{path}: {name} is a mutable global ({section}): pass it as an argument"


def sanitized(build):
    """Instrumented libraries hold variables of the sanitizer."""
    with open(os.path.join(build, "build.ninja"), encoding="utf-8") as f:
        return "-fsanitize=" in f.read()


def check_build(build):
    if sanitized(build):
        return [f"{build}: built with sanitizers, cannot be checked for globals"]
    libs = sorted(glob.glob(os.path.join(build, "src", "**", "*.a"), recursive=True))
    if not libs:
        return [f"{build}: no libraries of src/ in it"]
    return [finding for lib in libs for finding in check_library(lib)]


def tracked(root):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root,
                         capture_output=True, text=True, check=True).stdout
    for path in out.split("\n"):
        if path.endswith((".c", ".h", ".py", ".sh", ".build", ".md")) and \
                os.path.isfile(os.path.join(root, path)):
            yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--build", help="build directory, without sanitizers, whose libraries to check")
    parser.add_argument("files", nargs="*", help="files to check, relative to the root (default: all)")
    args = parser.parse_args()
    files = args.files or sorted(tracked(args.root))
    findings = [f for path in files for f in check_file(args.root, path)]
    if args.build:
        findings += check_build(args.build)
    for f in findings:
        print(f)
    print(f"lint: {len(findings)} findings in {len(files)} files")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

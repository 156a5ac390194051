#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check that includes point down only, and that every header compiles alone.

A layer is a folder of src/. The table below says what each may include; ARCHITECTURE.md says why.
Tests (*_test.c) and the kits that only they include (*testkit.h) may include anything. Exit status 1
and a line for each breach.

usage: tools/layers.py [--root DIR] [--no-compile]
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

# unit: layers it may include, besides itself. A unit is a layer, or a module of fabric/ and
# backstore/, which must not see each other.
MAY = {
    "base": set(),
    "loop": {"base"},
    "tree": {"base"},
    "scsi": {"base"},
    "block": {"tree", "loop", "base"},
    "backstore": {"block", "loop", "base"},
    "engine": {"block", "scsi", "tree", "loop", "base"},
    "fabric": {"engine", "scsi", "tree", "loop", "base"},
    "control": {"tree", "loop", "base"},
    "cli": {"base"},
    "daemon": {"base", "loop", "tree", "scsi", "block", "backstore", "engine", "fabric", "control"},
}
SPLIT = {"fabric", "backstore"}

# public headers, and who may use them
PUBLIC = {
    "ulio/backstore.h": {"block", "backstore", "engine", "daemon", "examples"},
    "ulio/control.h": {"control", "cli", "daemon"},
}

# libraries: a pattern of the header, and the units that may use it
LIBRARIES = [
    (r"liburing", {"loop"}),
    (r"isa-l", {"base"}),
    (r"openssl/", {"base", "fabric/iscsi"}),
    (r"jansson", {"control", "cli", "daemon"}),
    (r"systemd/", {"daemon"}),
    (r"histedit|editline", {"cli"}),
    (r"fuse", {"control"}),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def unit_of(path):
    """'fabric/iscsi' of fabric/iscsi/pdu.c; 'backstore' of a file in backstore/ itself."""
    parts = path.split("/")
    if parts[0] in SPLIT and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def may_include(src, dst):
    """May a file of src/ include another of src/ (paths below src/)?"""
    us, ud = unit_of(src), unit_of(dst)
    layer, target = us.split("/")[0], ud.split("/")[0]
    if us == ud:
        return True
    if layer == target:
        # a module may use what all of its layer share, never another module; the layer's own
        # files, which belong to no module, may name them all (the table of backstores)
        return layer in SPLIT and ("/" not in ud or us == layer)
    return target in MAY[layer]


def check_public(unit, name):
    users = PUBLIC.get(name)
    if users is None:
        return f"<{name}>: no such public header"
    if unit.split("/")[0] not in users:
        return f"<{name}>: not for {unit}"
    return None


def is_test(path):
    return path.endswith(("_test.c", "testkit.h"))


def check_quoted(root, src, name):
    """A breach by #include "name" in src/<src>, or None."""
    if is_test(name):
        return f'"{name}": for tests only'
    if not os.path.isfile(os.path.join(root, "src", name)):
        return f'"{name}": includes are relative to src/, and there is no such file'
    if name.endswith(".c"):
        return f'"{name}": sources are not included'
    if name.endswith("_priv.h") and os.path.dirname(name) != os.path.dirname(src):
        return f'"{name}": private to its folder'
    if not may_include(src, name):
        return f'"{name}": {unit_of(src)} must not include {unit_of(name)}'
    return None


def check_system(src, name):
    unit = unit_of(src)
    if name.startswith("ulio/"):
        return check_public(unit, name)
    for pattern, users in LIBRARIES:
        if re.match(pattern, name) and unit not in users and unit.split("/")[0] not in users:
            return f"<{name}>: not for {unit}"
    return None


def includes(path):
    """(line number, quoted name or None, system name or None) of each #include."""
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = INCLUDE.match(line)
            if m:
                yield number, m.group(1), m.group(2)


def c_files(root, top):
    for folder, dirs, names in os.walk(os.path.join(root, top)):
        dirs.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), root)


def check_includes(root):
    breaches = []
    for path in c_files(root, "src"):
        src = path[len("src/"):]
        if src.split("/")[0] not in MAY:
            breaches.append(f"{path}: {src.split('/')[0]} is no layer that tools/layers.py knows")
            continue
        if is_test(path):
            continue
        for number, quoted, system in includes(os.path.join(root, path)):
            breach = check_quoted(root, src, quoted) if quoted else check_system(src, system)
            if breach:
                breaches.append(f"{path}:{number}: {breach}")
    for path in c_files(root, "include"):
        for number, quoted, system in includes(os.path.join(root, path)):
            if quoted or system.startswith("ulio/") and system not in PUBLIC:
                breaches.append(f"{path}:{number}: public headers include public ones only")
    for path in c_files(root, "examples"):
        for number, quoted, system in includes(os.path.join(root, path)):
            if quoted or system.startswith("ulio/") and check_public("examples", system):
                breaches.append(f"{path}:{number}: examples use the public headers only")
    return breaches


def compile_alone(root, path):
    """Messages of the compiler for a file that holds nothing but the header."""
    public = path.startswith("include/")
    std = ["-std=c17", "-Wpedantic"] if public else ["-std=gnu17", "-D_GNU_SOURCE"]
    name = path.split("/", 1)[1]
    cmd = [os.environ.get("CC_ALONE", "gcc"), *std, "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter",
           "-fsyntax-only", "-Isrc", "-Iinclude", "-x", "c", "-"]
    # twice: the include guard has to work
    line = f"#include <{name}>\n" if public else f'#include "{name}"\n'
    done = subprocess.run(cmd, input=line * 2, cwd=root, capture_output=True, text=True)
    return f"{path}: does not compile alone:\n{done.stderr}" if done.returncode else None


def is_table(path):
    """Files of rows, included inside a table of somebody else."""
    return path.endswith((".tbl.h", ".fsm.h"))


def check_headers(root):
    headers = [p for top in ("src", "include") for p in c_files(root, top)
               if p.endswith(".h") and not is_table(p)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda p: compile_alone(root, p), headers))
    return len(headers), [b for b in found if b]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--no-compile", action="store_true", help="check the includes only")
    args = parser.parse_args()
    breaches = check_includes(args.root)
    nheaders = 0
    if not args.no_compile:
        nheaders, more = check_headers(args.root)
        breaches += more
    for b in breaches:
        print(b)
    print(f"layers: {len(breaches)} breaches, {nheaders} headers compiled alone")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

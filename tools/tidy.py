#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run clang-tidy on what was compiled in a build directory; tests are left out.

A file whose preprocessed text was clean before is not checked again (.cache/tidy/).
Exit status 1 and clang-tidy's own words for each finding.

usage: tools/tidy.py --build DIR [FILE...]     FILE relative to the root; default: all of them
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, ".cache", "tidy")
CHECKED = ("src/", "bench/", "fuzz/", "examples/")


def commands(build):
    """Source, relative to the root: (directory, compiler arguments), once each."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        rows = json.load(f)
    found = {}
    for row in rows:
        path = os.path.relpath(os.path.join(row["directory"], row["file"]), ROOT)
        if path.startswith(CHECKED) and not path.endswith("_test.c"):
            args = shlex.split(row["command"])
            found.setdefault(path, (row["directory"], args[args[0].endswith("ccache"):]))
    return found


def fingerprint(directory, args, config):
    """What decides clang-tidy's answer: text after preprocessing (comments kept) and its settings."""
    cut = []
    skip = False
    for a in args:
        if skip or a in ("-c", "-MD"):
            skip = False
        elif a in ("-o", "-MF", "-MQ"):
            skip = True
        else:
            cut.append(a)
    done = subprocess.run([*cut, "-E", "-C", "-P", "-o", "-"], cwd=directory, capture_output=True, check=False)
    if done.returncode:
        return None
    return hashlib.sha256(config + done.stdout + " ".join(cut).encode()).hexdigest()


def check(path, directory, args, build, config):
    """clang-tidy's words for a file, None if it is clean."""
    key = fingerprint(directory, args, config)
    mark = os.path.join(CACHE, key) if key else None
    if mark and os.path.exists(mark):
        return None
    done = subprocess.run(["clang-tidy", "-p", build, "--quiet", os.path.join(ROOT, path)], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        if mark:
            with open(mark, "w", encoding="ascii"):
                pass
        return None
    return done.stdout or done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="build directory (of clang)")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    build = os.path.abspath(args.build)
    all_files = commands(build)
    files = args.files or sorted(all_files)
    unknown = [f for f in files if f not in all_files]
    if unknown:
        parser.error(f"not compiled in {args.build}: {' '.join(unknown)}")
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(ROOT, ".clang-tidy"), "rb") as f:
        config = f.read()
    config += subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda p: check(p, *all_files[p], build, config), files))
    findings = [a for a in answers if a is not None]
    for a in findings:
        print(a)
    print(f"tidy: {len(findings)} of {len(files)} files have findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run the libFuzzer targets of a build directory, each for some time, and sum up.

A target fuzz/NAME_fuzz.c has its seeds in fuzz/corpus/NAME/ and, if it wants one, a dictionary
fuzz/NAME.dict. All seeds are run first. What a run finds is kept in .run/fuzz/NAME/: inputs that
reach new code in corpus/, inputs that fail as crash-*, and the log. The last line is
"fuzz: N targets, N failed".

usage: tools/fuzz.py --build DIR [--seconds N] [--jobs N] [NAME...]
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN = os.path.join(ROOT, ".run", "fuzz")
STATUS = re.compile(r"^#(\d+)\s+(\w+)\s+cov: (\d+)")

ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}


class Outcome:
    """What a run of a target showed."""

    def __init__(self, name):
        self.name = name
        self.status = None
        self.runs = self.coverage = 0
        self.quiet_s = 0.0  # time at the end without new coverage
        self.text = ""

    def line(self):
        verdict = "clean" if self.status == 0 else f"FAILED (status {self.status})"
        return f"{self.name}: {verdict}, {self.runs} runs, {self.coverage} edges, " \
               f"none new in the last {self.quiet_s:.0f} s"


def targets(build):
    found = {}
    for path in sorted(glob.glob(os.path.join(build, "fuzz", "*_fuzz"))):
        found[os.path.basename(path)[:-len("_fuzz")]] = path
    return found


def command(program, name, seconds, max_len):
    home = os.path.join(RUN, name)
    # the entropic schedule keeps books for more than half of the time in targets that run the whole program
    cmd = [program, f"-max_total_time={seconds}", "-entropic=0", "-timeout=60", "-rss_limit_mb=2048",
           "-print_final_stats=1",
           f"-artifact_prefix={home}/", f"-max_len={max_len}", os.path.join(home, "corpus")]
    seeds = os.path.join(ROOT, "fuzz", "corpus", name)
    if os.path.isdir(seeds):
        cmd.append(seeds)
    words = os.path.join(ROOT, "fuzz", name + ".dict")
    if os.path.isfile(words):
        cmd.insert(1, f"-dict={words}")
    return cmd


def run(name, program, seconds, max_len):
    home = os.path.join(RUN, name)
    os.makedirs(os.path.join(home, "corpus"), exist_ok=True)
    outcome = Outcome(name)
    new_at = time.monotonic()
    lines = []
    with open(os.path.join(home, "log"), "w", encoding="utf-8") as log, \
            subprocess.Popen(command(program, name, seconds, max_len), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                             env={**os.environ, **ENV}, cwd=home) as proc:
        for line in proc.stdout:
            log.write(line)
            lines.append(line)
            m = STATUS.match(line)
            if m:
                outcome.runs = int(m.group(1))
                if int(m.group(3)) > outcome.coverage:
                    outcome.coverage = int(m.group(3))
                    new_at = time.monotonic()
        outcome.status = proc.wait()
    outcome.quiet_s = time.monotonic() - new_at
    if outcome.status != 0:
        outcome.text = "".join(lines[-60:])
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="build directory, set up with -Dfuzz=true")
    parser.add_argument("--seconds", type=int, default=60, help="time for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time")
    parser.add_argument("--max-len", type=int, default=8192, help="bytes of the longest input")
    parser.add_argument("names", nargs="*", help="targets (default: all)")
    args = parser.parse_args()
    found = targets(os.path.abspath(args.build))
    names = args.names or list(found)
    unknown = [n for n in names if n not in found]
    if unknown or not names:
        parser.error(f"no target {' '.join(unknown)} in {args.build}; there are: {' '.join(found)}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for outcome in pool.map(lambda n: run(n, found[n], args.seconds, args.max_len), names):
            failed += outcome.status != 0
            if outcome.text:
                print(outcome.text)
            print(outcome.line(), flush=True)
    print(f"fuzz: {len(names)} targets, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

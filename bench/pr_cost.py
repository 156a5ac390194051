#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a held persistent reservation costs a READ, in instructions.

Runs cost_test (src/engine/pr/cost_test.c) under callgrind without and under a reservation with 64
registrations, and fails if a READ under it takes more than LIMIT instructions more. The program must be
built without sanitizers: meson setup build -Dbuildtype=release.

usage: bench/pr_cost.py build/src/fabric/loopback/cost_test
"""

import os
import re
import subprocess
import sys
import tempfile

LIMIT = 60
READS = 500
CASES = {"none": "nothing is registered",
         "holder": "exclusive access, by the holder",
         "registrant": "exclusive access, registrants only, by a registrant",
         "reader": "write exclusive, by one that is not registered"}


def instructions(program, case):
    """Of one READ, the test's own part included."""
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "callgrind.out")
        subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=cost_measured",
                        f"--callgrind-out-file={out}", program, case, str(READS)],
                       check=True, capture_output=True, text=True)
        with open(out, encoding="ascii") as f:
            total = re.search(r"^(?:summary|totals): (\d+)", f.read(), re.M)
    if not total or int(total.group(1)) == 0:
        sys.exit("callgrind counted nothing: was cost_measured() inlined?")
    return int(total.group(1)) / READS


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    counted = {case: instructions(sys.argv[1], case) for case in CASES}
    failed = False
    for case, text in CASES.items():
        more = counted[case] - counted["none"]
        print(f"{counted[case]:8.1f} instructions, {more:+6.1f}: {text}")
        failed |= more > LIMIT
    return failed


if __name__ == "__main__":
    sys.exit(main())

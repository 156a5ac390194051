#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`make chaos`: every plan of plans.py in turn, with other seeds each time, until the time is up.

A line for each run; the first that finds something wrong ends it with what led there and the seed that
repeats it. Exit status 1 if anything was wrong.
"""

import argparse
import os
import sys
import time
import traceback
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from chaos import plans  # noqa: E402  pylint: disable=wrong-import-position


def one(name, seconds, seed):
    """A daemon of its own for each run. The report."""
    d = plans.daemon_for()
    d.start()
    try:
        report = plans.run(d, plans.varied(plans.PLANS[name], seconds, seed))
        d.stop()
        return report
    finally:
        d.discard()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=1800, help="of verified I/O in all (1800)")
    parser.add_argument("--each", type=float, default=20, help="seconds of one run (20)")
    parser.add_argument("--only", default="", help="plans, separated by commas")
    parser.add_argument("--seed", type=int, default=None, help="of the first run (by the clock)")
    args = parser.parse_args()
    names = [n for n in args.only.split(",") if n] or list(plans.PLANS)
    seed = int(time.time()) if args.seed is None else args.seed
    done, commands, faults, runs = 0.0, 0, 0, 0
    while done < args.seconds:
        for name in names:
            each = min(args.each, args.seconds - done)
            if each <= 0:
                break
            mine = seed if args.seed is not None and runs == 0 else zlib.crc32(f"{seed} {runs} {name}".encode())
            try:
                report = one(name, each, mine)
            except Exception:       # pylint: disable=broad-except
                traceback.print_exc()
                print(f"chaos: {name} failed; repeat it by --only {name} --each {each:g} --seed {mine}")
                return 1
            print(f"{name}: {report}", flush=True)
            done += each
            runs += 1
            commands += report.counts["read"] + report.counts["written"]
            faults += sum(report.faults.values())
    print(f"chaos: {runs} runs, {done:.0f} s, {commands} verified commands, {faults} faults: no wrong byte, no hang")
    return 0


if __name__ == "__main__":
    sys.exit(main())

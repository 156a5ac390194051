#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The load generator against the bare responder: both must hold before they may measure anything.

Every way in which data can travel is written and verified; then the generator must notice what is
wrong: stale data, a range past the end, a refused login, a target that is gone.

usage: smoke.py BARE LOADGEN
"""

import json
import subprocess
import sys

BARE, LOADGEN = sys.argv[1:3]


def start():
    server = subprocess.Popen([BARE, "--size", "64M"], stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline().split()
    if len(line) != 2:
        sys.exit("bare did not start")
    return server, line[0], line[1]


def load(portal, *args):
    return subprocess.run([LOADGEN, "--portal", portal, "--json", *args],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def good(portal, commands, *args):
    r = load(portal, "--verify", "--count", str(commands), *args)
    if r.returncode:
        sys.exit("%s: %s" % (" ".join(args), r.stderr))
    out = json.loads(r.stdout)
    if out["reads_all"] + out["writes_all"] != commands or not out["verified"]:
        sys.exit("%s: not all commands were run: %s" % (" ".join(args), r.stdout))


def bad(portal, message, *args):
    r = load(portal, *args)
    if r.returncode != 1 or message not in r.stderr:
        sys.exit("%s: expected %r, got status %d and %r" %
                 (" ".join(args), message, r.returncode, r.stderr))


def main():
    server, portal, target = start()
    try:
        good(portal, 64, "--bytes", "1M", "--write", "100", "--depth", "4")
        good(portal, 1000, "--bytes", "4k", "--random", "--target", target)
        good(portal, 64, "--bytes", "1M", "--depth", "8")
        good(portal, 1000, "--bytes", "8k", "--random", "--sessions", "4", "--threads", "2")
        mixed = ["--write", "50", "--random", "--span", "8M"]
        good(portal, 1000, "--bytes", "4k", *mixed)
        good(portal, 500, "--bytes", "64k", "--sessions", "3", "--threads", "2", *mixed)
        good(portal, 100, "--bytes", "256k", "--no-immediate", *mixed)
        good(portal, 100, "--bytes", "256k", "--initial-r2t", "--mrdsl", "8k", *mixed)
        good(portal, 100, "--bytes", "300k", "--depth", "16", "--first-burst", "64k",
             "--max-burst", "128k", *mixed)
        good(portal, 1000, "--bytes", "4608", "--depth", "200", *mixed)
        bad(portal, "wrong data", "--verify", "--count", "10", "--seed", "7")
        bad(portal, "sense 5/25/00", "--lun", "3", "--count", "1")
        bad(portal, "refused", "--target", "iqn.2026-01.org.ulio:other", "--count", "1")
    finally:
        server.kill()
        server.wait()
    bad(portal, "connecting", "--count", "1")


main()

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bring a target to a desired configuration, as configuration management does: show, then do, then save.

usage: desired.py [--dry-run] FILE      a whole configuration, as saveconfig.json
"""

import os
import sys

import ulio


def desired(client, file, dry_run=False, out=sys.stdout):
    """True if something differed."""
    plan = client.plan(file=os.path.abspath(file))
    for change in plan.changes:
        print(change, file=out)
    if plan and not dry_run:
        client.apply(file=os.path.abspath(file))
        client.save()
    return bool(plan)


if __name__ == "__main__":
    args = [a for a in sys.argv[1:] if a != "--dry-run"]
    if len(args) != 1:
        sys.exit(__doc__)
    try:
        with ulio.connect() as c:
            desired(c, args[0], "--dry-run" in sys.argv)
    except OSError as e:
        sys.exit(f"desired.py: {e}")

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print what happens at the target: logins, refusals, units, paths, errors.

usage: watch.py [SECONDS]      ends when nothing has happened for so long
"""

import sys
import time

import ulio


def watch(client, timeout=None, out=sys.stdout):
    client.subscribe("login", "login_refused", "logout", "lun", "alua", "error")
    for e in client.events(timeout):
        what = [e.kind, e.initiator, e.target, e.object, e.state, e.text, f"({e.count})" if e.count else ""]
        print(time.strftime("%H:%M:%S", time.localtime(e.time)), *filter(None, what), file=out, flush=True)


if __name__ == "__main__":
    try:
        with ulio.connect() as c:
            watch(c, float(sys.argv[1]) if len(sys.argv) > 1 else None)
    except KeyboardInterrupt:
        pass
    except OSError as e:
        sys.exit(f"watch.py: {e}")

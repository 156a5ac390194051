#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What ten thousand of everything cost: storage objects and targets, each with portal group, portal, LUN, ACL.

For each number of sets: made through the socket in transactions, saved, and loaded at start: wall-clock and CPU
seconds, and resident memory. The machine should be idle; CPU seconds are worth more where it is not.

usage: bench/density.py [--build DIR] [SETS…]      default 1000 10000
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))
import ulio     # noqa: E402  pylint: disable=wrong-import-position

SETS_PER_REQUEST = 200


class Daemon:
    """uliod with a configuration, and what it has used."""

    def __init__(self, build, directory, config):
        self.control, self.notify = os.path.join(directory, "control"), os.path.join(directory, "notify")
        if os.path.exists(self.notify):
            os.unlink(self.notify)
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(self.notify)
        start = time.monotonic()
        # pylint: disable-next=consider-using-with
        self.proc = subprocess.Popen(
            [os.path.join(build, "src/daemon/uliod"), "--config", config, "--control", self.control, "--state",
             directory, "--dbroot", directory, "--log-level", "error"],
            env=dict(os.environ, NOTIFY_SOCKET=self.notify))
        ready.settimeout(600)
        ready.recv(4096)
        self.start_s = time.monotonic() - start
        ready.close()

    def cpu_s(self):
        with open(f"/proc/{self.proc.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self):
        with open(f"/proc/{self.proc.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * resource.getpagesize() / 1e6

    def stop(self):
        self.proc.kill()
        self.proc.wait()


def operations(i, port):
    disk, target = f"/core/rd_mcp_{i}/d{i}", f"/iscsi/iqn.2024-07.internal.ulio:t{i}"
    tpg, acl = f"{target}/tpgt_1", f"{target}/tpgt_1/acls/iqn.2004-10.com.example:c{i}"
    for path in (f"/core/rd_mcp_{i}", disk):
        yield {"op": "mkdir", "path": path}
    yield {"op": "set", "path": f"{disk}/control", "value": "rd_pages=256"}
    yield {"op": "set", "path": f"{disk}/enable", "value": "1"}
    for path in (target, tpg, f"{tpg}/lun/lun_0", f"{tpg}/np/127.0.0.1:{port}", acl, f"{acl}/lun_0"):
        yield {"op": "mkdir", "path": path}
    yield {"op": "link", "path": f"{tpg}/lun/lun_0/l", "target": disk}
    yield {"op": "link", "path": f"{acl}/lun_0/l", "target": f"{tpg}/lun/lun_0"}
    yield {"op": "set", "path": f"{tpg}/enable", "value": "1"}


def make(client, sets, port):
    for first in range(0, sets, SETS_PER_REQUEST):
        client.call("transaction", ops=[op for i in range(first, min(sets, first + SETS_PER_REQUEST))
                                        for op in operations(i, port)])


def timed(daemon, what):
    """Wall-clock and CPU seconds of what()."""
    cpu, start = daemon.cpu_s(), time.monotonic()
    what()
    return time.monotonic() - start, daemon.cpu_s() - cpu


def measure(build, sets, port):
    with tempfile.TemporaryDirectory(prefix="ulio-density.") as directory:
        config = os.path.join(directory, "saveconfig.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({}, f)
        d = Daemon(build, directory, config)
        try:
            with ulio.connect(d.control, timeout=3600) as client:
                made = timed(d, lambda: make(client, sets, port))
                saved = timed(d, client.save)
            d.stop()
            d = Daemon(build, directory, config)
            loaded, rss = (d.start_s, d.cpu_s()), d.rss_mb()
            with ulio.connect(d.control, timeout=3600) as client:
                assert client.call("status")["targets"] == sets
            size = os.path.getsize(config)
        finally:
            d.stop()
        print(f"{sets:7} sets: made {made[0]:.2f} s (CPU {made[1]:.2f}), saved {saved[0]:.2f} s (CPU {saved[1]:.2f}), "
              f"loaded {loaded[0]:.2f} s (CPU {loaded[1]:.2f}), RSS {rss:.0f} MB, "
              f"file {size / 1e6:.0f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--port", type=int, default=33260)
    parser.add_argument("sets", nargs="*", type=int, default=[1000, 10000])
    args = parser.parse_args()
    for sets in args.sets:
        measure(args.build, sets, args.port)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One session of n connections (RFC 7143 4.2.4) beside n sessions of one, on the same uliod.

Rounds are interleaved and the order alternates; told are the medians over the rounds, their spread
(lowest and highest), and the ratio of each round's pair. CPU time is the server's, for a million commands.
The exit status is 1 if a median ratio of throughput or CPU time is off by more than LIMIT.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import peers

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 0.10
LOADS = {"4k-read": ["--bytes", "4k", "--random"], "4k-mixed": ["--bytes", "4k", "--random", "--write", "50"],
         "256k-read": ["--bytes", "256k"]}
IQN = "iqn.2026-01.org.ulio:mcs"


def parse_args():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--seconds", type=float, default=2.0, help="that count in one measurement (2)")
    p.add_argument("--counts", default="1,2,4", help="of connections, and of sessions (1,2,4)")
    p.add_argument("--loads", default="4k-read", help=", ".join(LOADS))
    p.add_argument("--depth", type=int, default=16, help="commands in flight on a connection (16)")
    p.add_argument("--build", type=os.path.abspath, default=os.path.join(TOP, "build-release"))
    p.add_argument("--json", metavar="FILE", help="write all samples there")
    p.set_defaults(size=256 << 20)
    return p.parse_args()


class Server(peers.Peer):
    """uliod with a RAM disk, MaxConnections and a window that does not limit."""

    def start(self):
        config = os.path.join(self.dir, "saveconfig.json")
        with open(config, "w", encoding="ascii") as f:
            json.dump(self.config(), f)
        self.spawn(os.path.join(self.opts.build, "src/daemon/uliod"), "--config", config, "--control",
                   os.path.join(self.dir, "c"), "--state", self.dir)

    def config(self):
        disk = {"plugin": "ramdisk", "name": "d", "size": self.size, "wwn": "d0000001"}
        return {"storage_objects": [disk], "targets": [{"fabric": "iscsi", "wwn": IQN, "tpgs": [{
            "tag": 1, "enable": True, "luns": [{"index": 0, "storage_object": "/backstores/ramdisk/d"}],
            "portals": [{"ip_address": "127.0.0.1", "port": self.port}],
            "parameters": {"MaxConnections": "64"},
            "attributes": {"authentication": 0, "generate_node_acls": 1, "demo_mode_write_protect": 0,
                           "default_cmdsn_depth": 1024}}]}]}


def measure(o, server, load, sessions, connections):
    cmd = [os.path.join(o.build, "bench/loadgen"), "--portal", f"127.0.0.1:{server.port}", "--target", IQN, "--json",
           "--seconds", str(o.seconds), "--warmup", "0.3", "--depth", str(o.depth), "--threads", "1",
           "--sessions", str(sessions), "--connections", str(connections), *LOADS[load]]
    before = server.cpu_seconds()
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    if r.returncode:
        sys.exit(f"{' '.join(cmd)}: {r.stderr}")
    out = json.loads(r.stdout)
    return {"iops": out["iops"],
            "cpu": (server.cpu_seconds() - before) / (out["reads_all"] + out["writes_all"]) * 1e6}


def told(values, form):
    return f"{form % statistics.median(values)} ({form % min(values)}..{form % max(values)})"


def main():
    o = parse_args()
    counts = [int(n) for n in o.counts.split(",")]
    cells = [(load, n) for load in o.loads.split(",") for n in counts]
    samples = {c: {"sessions": [], "connections": []} for c in cells}
    server = Server(o)
    try:
        server.start()
        for i in range(o.rounds):
            for load, n in cells:
                for kind in (("sessions", "connections"), ("connections", "sessions"))[i % 2]:
                    samples[load, n][kind].append(measure(o, server, load, *((n, 1) if kind == "sessions" else (1, n))))
    except peers.PeerError as e:
        sys.exit(str(e))
    finally:
        server.stop()
    bad = False
    for (load, n), s in samples.items():
        ratios = {}
        for what, form in (("iops", "%.0f"), ("cpu", "%.2f")):
            for kind in ("sessions", "connections"):
                print(f"{load:10} {n} {kind:12} {what:5} {told([x[what] for x in s[kind]], form)}")
            ratios[what] = [c[what] / x[what] for c, x in zip(s["connections"], s["sessions"])]
            print(f"{load:10} {n} ratio        {what:5} {told(ratios[what], '%.3f')}")
            bad |= abs(statistics.median(ratios[what]) - 1) > LIMIT
    if o.json:
        with open(o.json, "w", encoding="ascii") as f:
            json.dump([{"load": load, "n": n, **s} for (load, n), s in samples.items()], f, indent=1)
    print(f"{o.rounds} rounds of {o.seconds:g} s: " + ("off by more than " if bad else "all within ") + f"{LIMIT:.0%}")
    return bad


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""The loads: what is run against a peer, and how its result is read.

A load returns a dict: commands (in all, warm-up included), bytes (of one), iops, mb_per_second, and
where the program tells them the latencies in microseconds.
"""

import json
import os
import re
import subprocess
import time

KIB, MIB = 1 << 10, 1 << 20
SETTLE = 0.5        # seconds between the last login and what counts as idle


class LoadError(Exception):
    pass


def execute(cmd, limit, cpus=None):
    """Run cmd. Its output, the CPU seconds it took, the wall seconds."""
    set_cpus = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    begin = time.monotonic()
    p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, preexec_fn=set_cpus)
    try:
        out, _ = p.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
        raise LoadError("%s: no end after %d s" % (" ".join(cmd), limit))
    wall = time.monotonic() - begin
    text = out.decode(errors="replace")
    if p.returncode:
        raise LoadError("%s: status %d\n%s" % (" ".join(cmd), p.returncode, text[-2000:]))
    return text, wall


class Load:
    """One row of LOADS. `size` bytes a command, `depth` of them in flight a session."""

    def __init__(self, name, about, size, depth, write=0, sessions=1, **more):
        self.name, self.about, self.size, self.depth = name, about, size, depth
        self.write, self.sessions = write, sessions
        self.random = more.get("random", size <= 16 * KIB)
        self.pinned = more.get("pinned", False)
        self.tool = "loadgen"

    def command(self, peer, opts):
        cmd = [opts.program("bench/loadgen"), "--json", "--portal", peer.portal, "--target",
               peer.target, "--lun", str(peer.lun), "--bytes", str(self.size), "--depth",
               str(self.depth), "--write", str(self.write), "--sessions", str(self.sessions),
               "--threads", str(min(self.sessions, os.cpu_count())), "--seconds",
               str(opts.seconds), "--warmup", str(opts.warmup), "--span", str(opts.size)]
        if self.random:
            cmd.append("--random")
        return cmd

    def run(self, peer, opts, cpus):
        out, _ = execute(self.command(peer, opts), opts.seconds + opts.warmup + 60, cpus)
        r = json.loads(out.strip().splitlines()[-1])
        return {"commands": r["reads_all"] + r["writes_all"], "iops": r["iops"],
                "mb_per_second": r["mb_per_second"], "client_cpu_seconds": r["cpu_seconds"],
                "latency_us": r["latency_us"], "immediate": r["immediate"],
                "first_burst": r["first_burst"], "max_burst": r["max_burst"],
                "peer_mrdsl": r["peer_mrdsl"]}


class IscsiPerf(Load):
    """libiscsi's iscsi-perf: reads only. It tells an average, from which commands are derived."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.tool = "iscsi-perf"

    def run(self, peer, opts, cpus):
        seconds = max(1, round(opts.seconds + opts.warmup))
        cmd = ["iscsi-perf", "-m", str(self.depth), "-b", str(self.size // 512), "-t",
               str(seconds)] + (["-r"] if self.random else []) + [peer.url]
        out, _ = execute(cmd, seconds + 60, cpus)
        found = re.findall(r"iops average (\d+) \((\d+) MB/s\)", out)
        if not found:
            raise LoadError("iscsi-perf told no average:\n" + out[-2000:])
        iops = float(found[-1][0])
        return {"commands": iops * seconds, "iops": iops, "mb_per_second": iops * self.size / 1e6}


class QemuBench(Load):
    """qemu-img bench: a fixed number of sequential commands, time told by it."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.tool = "qemu-img"
        self.rates = {}     # of each peer, to choose how many commands fill the time

    def once(self, peer, count, cpus):
        cmd = ["qemu-img", "bench", "-f", "raw", "-t", "none", "-c", str(count), "-d",
               str(self.depth), "-s", str(self.size)] + (["-w"] if self.write else []) + [peer.url]
        out, _ = execute(cmd, 300, cpus)
        m = re.search(r"Run completed in ([0-9.]+) seconds", out)
        if not m:
            raise LoadError("qemu-img bench told no time:\n" + out[-2000:])
        return max(float(m.group(1)), 0.001)

    def prepare(self, peer, opts, cpus):
        """Before what is measured: find the rate."""
        if peer not in self.rates:
            count = max(100, 20000 * 4096 // self.size)
            self.rates[peer] = count / self.once(peer, count, cpus)

    def run(self, peer, opts, cpus):
        count = max(100, int(self.rates[peer] * opts.seconds))
        iops = count / self.once(peer, count, cpus)
        return {"commands": count, "iops": iops, "mb_per_second": iops * self.size / 1e6}


class Idle(Load):
    """Nothing: sessions that stay logged in. What is told is how often the server woke."""

    def __init__(self, name, about, sessions):
        super().__init__(name, about, 4096, 1, sessions=sessions)

    def run(self, peer, opts, cpus):
        before, client = peer.status("VmRSS"), None
        if self.sessions:
            cmd = self.command(peer, opts) + ["--idle", "--seconds", str(opts.seconds + 60)]
            client = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      text=True)
        try:
            if client and client.stdout.readline().strip() != "idle":
                raise LoadError("loadgen could not log in %d sessions" % self.sessions)
            time.sleep(SETTLE)
            switches, cpu = peer.status("voluntary_ctxt_switches"), peer.cpu_seconds()
            time.sleep(opts.seconds)
            sample = {"commands": 0, "idle_seconds": opts.seconds,
                      "switches": peer.status("voluntary_ctxt_switches") - switches,
                      "server_cpu_seconds": peer.cpu_seconds() - cpu}
            if client:
                sample["kib_per_session"] = (peer.status("VmRSS") - before) / self.sessions
            return sample
        finally:
            if client:
                client.kill()
                client.communicate()


LOADS = [
    Load("r4k", "4 KiB random read, QD 32", 4 * KIB, 32),
    Load("w4k", "4 KiB random write, QD 32", 4 * KIB, 32, write=100),
    Load("rw4k", "4 KiB random 70:30, QD 32", 4 * KIB, 32, write=30),
    Load("r4k-pin", "4 KiB random read, QD 32, server on CPU 0, load on 1", 4 * KIB, 32, pinned=True),
    Load("r4k-qd1", "4 KiB random read, QD 1", 4 * KIB, 1),
    Load("r4k-qd1-pin", "the same, server on CPU 0, load on 1", 4 * KIB, 1, pinned=True),
    Load("w4k-qd1", "4 KiB random write, QD 1", 4 * KIB, 1, write=100),
    Load("w4k-qd1-pin", "the same, server on CPU 0, load on 1", 4 * KIB, 1, write=100, pinned=True),
    Load("r256k", "256 KiB sequential read, QD 8", 256 * KIB, 8),
    Load("w256k", "256 KiB sequential write, QD 8", 256 * KIB, 8, write=100),
    Load("r1m", "1 MiB sequential read, QD 4", MIB, 4),
    Load("w1m", "1 MiB sequential write, QD 4", MIB, 4, write=100),
    Load("r4k-2s", "4 KiB random read, 2 sessions x QD 32", 4 * KIB, 32, sessions=2),
    Load("r4k-4s", "4 KiB random read, 4 sessions x QD 32", 4 * KIB, 32, sessions=4),
    Load("w4k-2s", "4 KiB random write, 2 sessions x QD 32", 4 * KIB, 32, write=100, sessions=2),
    Load("w4k-4s", "4 KiB random write, 4 sessions x QD 32", 4 * KIB, 32, write=100, sessions=4),
    IscsiPerf("perf-r4k", "iscsi-perf: 4 KiB random read, QD 32", 4 * KIB, 32),
    IscsiPerf("perf-r256k", "iscsi-perf: 256 KiB sequential read, QD 8", 256 * KIB, 8),
    QemuBench("qemu-r4k", "qemu-img bench: 4 KiB read, QD 32", 4 * KIB, 32),
    QemuBench("qemu-w4k", "qemu-img bench: 4 KiB write, QD 32", 4 * KIB, 32, write=100),
    QemuBench("qemu-r256k", "qemu-img bench: 256 KiB read, QD 8", 256 * KIB, 8),
    QemuBench("qemu-w256k", "qemu-img bench: 256 KiB write, QD 8", 256 * KIB, 8, write=100),
    Idle("idle-0", "no session, nothing to do", 0),
    Idle("idle-100", "100 idle sessions", 100),
]

QUICK = ["r4k", "w4k", "r256k", "w256k", "r4k-qd1"]

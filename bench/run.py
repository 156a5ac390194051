#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measure uliod beside its peers: same loads, same machine, interleaved rounds, medians.

Every peer is started once, filled, and checked to give back what was written. Then each round runs
every load against every peer in turn, the order of peers rotating. CPU time is the server's own,
from /proc/PID/stat. A run in which the bare responder is no ceiling (it costs more than a third of
tgt, or moves less than 15 Gbit/s) is void: exit status 3.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import time

import loads
import peers
import report

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEEDED = {"tgtd": "tgt", "tgtadm": "tgt", "iscsi-ls": "libiscsi-bin", "iscsi-perf": "libiscsi-bin",
          "qemu-img": "qemu-utils and qemu-block-extra"}


def parse_size(s):
    units = {"k": 10, "m": 20, "g": 30}
    n = int(s[:-1]) << units[s[-1].lower()] if s[-1].lower() in units else int(s)
    if n < 64 << 20 or n % (1 << 20):
        raise argparse.ArgumentTypeError("a multiple of 1M, at least 64M")
    return n


def choose(kind, known, default):
    def parse(s):
        names = s.split(",")
        for n in names:
            if n not in known:
                raise argparse.ArgumentTypeError("no %s %s (--list tells them)" % (kind, n))
        return names
    return {"type": parse, "default": default, "metavar": "A,B,..."}


def parse_args():
    names = [x.name for x in loads.LOADS]
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true", help="few loads, 3 rounds of 2 s: two minutes")
    p.add_argument("--list", action="store_true", help="tell loads and peers, and end")
    p.add_argument("--loads", help="instead of all", **choose("load", names, None))
    p.add_argument("--peers", help="instead of uliod,tgt,bare",
                   **choose("peer", peers.PEERS, None))
    p.add_argument("--rounds", type=int, help="default 5")
    p.add_argument("--seconds", type=float, help="that count in one measurement; default 3")
    p.add_argument("--warmup", type=float, default=0.5, help="before them; default 0.5")
    p.add_argument("--size", type=parse_size, default=512 << 20, help="of the disk; default 512M")
    p.add_argument("--tmpfs", default="/dev/shm", help="folder for disks in files")
    p.add_argument("--build", default=os.path.join(TOP, "build-release"),
                   help="release build; made and brought up to date unless --no-build")
    p.add_argument("--no-build", action="store_true")
    p.add_argument("--uliod", help="program to measure instead of that of the build")
    p.add_argument("--uliod-args", default="", help="more options for it, separated by spaces")
    p.add_argument("--save", metavar="NAME", help="write bench/results/NAME.json, which git does not ignore")
    o = p.parse_args()
    o.rounds = o.rounds or (3 if o.quick else 5)
    o.seconds = o.seconds or (2.0 if o.quick else 3.0)
    o.loads = o.loads or (loads.QUICK if o.quick else names)
    o.peers = o.peers or ["uliod", "tgt", "bare"]
    o.uliod_args = o.uliod_args.split()
    o.program = lambda name: os.path.join(o.build, name)
    o.uliod = o.uliod or o.program("src/daemon/uliod")
    return o


def tell_lists():
    print("loads (* also with --quick):")
    for x in loads.LOADS:
        print("  %-12s %s %s" % (x.name, "*" if x.name in loads.QUICK else " ", x.about))
    print("peers:")
    for name, cls in peers.PEERS.items():
        print("  %-12s %s" % (name, cls.__doc__.splitlines()[0]))


def check_tools(o):
    missing = {pkg for tool, pkg in NEEDED.items()
               if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")}
    if missing:
        sys.exit("bench: install %s (apt-get install)" % ", ".join(sorted(missing)))
    os.environ["PATH"] += ":/usr/sbin:/sbin"


def build(o):
    if not os.path.exists(os.path.join(o.build, "build.ninja")):
        subprocess.run(["meson", "setup", o.build, TOP, "--buildtype=release"], check=True,
                       stdout=subprocess.DEVNULL)
    targets = ["bench/bare", "bench/loadgen"]
    if any(p.startswith("uliod") for p in o.peers):
        targets.append("src/daemon/uliod")
    subprocess.run(["ninja", "-C", o.build, *targets], check=True, stdout=subprocess.DEVNULL)


def machine_cpu():
    """CPU seconds that the machine spent busy, of all CPUs, and that passed."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    hz = os.sysconf("SC_CLK_TCK")
    return (sum(v) - v[3] - v[4]) / hz, sum(v) / hz


def fill(peer, o):
    """Write the whole disk and read samples of it back. No number from a target that errs."""
    tool = [o.program("bench/loadgen"), "--portal", peer.portal, "--target", peer.target, "--lun",
            str(peer.lun), "--span", str(o.size), "--verify"]
    loads.execute(tool + ["--bytes", "1M", "--write", "100", "--depth", "4", "--count",
                          str(o.size >> 20)], 120)
    loads.execute(tool + ["--bytes", "4k", "--random", "--count", "5000"], 120)
    loads.execute(tool + ["--bytes", "256k", "--random", "--depth", "8", "--count", "200"], 120)


def measure(load, peer, o):
    """One load on one peer: a sample."""
    client = None
    everywhere = os.sched_getaffinity(0)
    if load.pinned:
        peer.pin({min(everywhere)})
        client = {max(everywhere)}
    try:
        if hasattr(load, "prepare"):
            load.prepare(peer, o, client)
        switches = peer.status("voluntary_ctxt_switches")
        cpu, (busy, passed) = peer.cpu_seconds(), machine_cpu()
        before = os.times()
        sample = load.run(peer, o, client)
        after = os.times()
        busy_end, passed_end = machine_cpu()
        sample.setdefault("server_cpu_seconds", peer.cpu_seconds() - cpu)
        sample.setdefault("switches", peer.status("voluntary_ctxt_switches") - switches)
        own = after.children_user + after.children_system - before.children_user \
            - before.children_system
        others = busy_end - busy - sample["server_cpu_seconds"] - own
        sample["others"] = max(0.0, others / (passed_end - passed))
        sample.setdefault("client_cpu_seconds", own)
    finally:
        if load.pinned:
            peer.pin(everywhere)
    report.derive(load, sample)
    return sample


def environment(o):
    model = ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return {"time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "kernel": platform.release(), "cpu": model, "cpus": os.cpu_count(),
            "tree": peers.version("git", "-C", TOP, "describe", "--always", "--dirty"),
            "tgt": peers.version("tgtd", "-V"), "qemu": peers.version("qemu-img", "--version"),
            "options": {k: getattr(o, k) for k in
                        ("rounds", "seconds", "warmup", "size", "peers", "loads", "uliod_args")}}


def run_rounds(o, chosen, servers):
    samples = {x.name: {p: [] for p in o.peers} for x in chosen}
    for n in range(o.rounds):
        for load in chosen:
            for i in range(len(o.peers)):
                peer = o.peers[(i + n) % len(o.peers)]
                s = measure(load, servers[peer], o)
                samples[load.name][peer].append(s)
                told = "%.0f IOPS, %.2f CPU s/M" % (s["iops"], s["cpu_per_million"]) \
                    if s["commands"] else "%.1f wakes/s" % s["wakeups_per_second"]
                print("round %d/%d  %-12s %-10s %s" % (n + 1, o.rounds, load.name, peer, told),
                      file=sys.stderr, flush=True)
    return samples


def run(o):
    chosen = [x for x in loads.LOADS if x.name in o.loads]
    servers = {name: peers.PEERS[name](o) for name in o.peers}
    result = {"environment": environment(o), "peers": o.peers}
    memory = {"disk_mib": o.size >> 20, "peers": {}}
    try:
        for name, peer in servers.items():
            peer.start()
            memory["peers"][name] = {"version": peer.version,
                                     "start_mib": peer.status("VmRSS") / 1024}
            fill(peer, o)
        result["samples"] = run_rounds(o, chosen, servers)
        for name, peer in servers.items():
            off = memory["disk_mib"] if peer.disk_in_rss else 0
            memory["peers"][name]["end_mib"] = peer.status("VmRSS") / 1024 - off
    finally:
        for peer in servers.values():
            peer.stop()
    result["medians"] = {name: {p: report.medians(s) for p, s in cells.items()}
                         for name, cells in result["samples"].items()}
    result["memory"] = memory
    result["void"], result["void_reasons"] = report.verdict(result["medians"])
    return result


def save(o, result):
    folder = os.path.join(TOP, "bench", "results")
    os.makedirs(folder, exist_ok=True)
    name = o.save or time.strftime("run-%Y-%m-%dT%H%M%S")
    path = os.path.join(folder, name + ".json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    print("written to " + os.path.relpath(path))


def main():
    o = parse_args()
    if o.list:
        tell_lists()
        return 0
    try:
        check_tools(o)
        if not o.no_build:
            build(o)
        result = run(o)
    except (loads.LoadError, peers.PeerError, subprocess.CalledProcessError) as e:
        print("bench: %s" % e, file=sys.stderr)
        return 1
    report.print_result(result)
    save(o, result)
    return 3 if result["void"] else 0


if __name__ == "__main__":
    sys.exit(main())

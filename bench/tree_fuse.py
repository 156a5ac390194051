#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sets of a backstore, a target, its portal group, portal and LUN made through the mounted tree by one process.

Each set is what LIO's tools do for it: eight mkdir, six open-write-close and one symlink. Prints one JSON
object: the seconds of making, listing and removing them, sets a second, and the CPU seconds that making
took this process and the daemon (which tell more than seconds on a busy machine).

usage: bench/tree_fuse.py [--sets N] [--build DIR]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, text)
    os.close(fd)


def make(target, i):
    hba = f"{target}/core/rd_mcp_{i}"
    os.mkdir(hba)
    so = f"{hba}/disk{i}"
    os.mkdir(so)
    write(f"{so}/control", b"rd_pages=16,rd_nullio=1")
    write(f"{so}/enable", b"1\n")
    write(f"{so}/wwn/vpd_unit_serial", b"%032d" % i)
    wwn = f"{target}/iscsi/iqn.2003-01.org.example:t{i}"
    os.mkdir(wwn)
    tpg = f"{wwn}/tpgt_1"
    os.mkdir(tpg)
    write(f"{tpg}/attrib/authentication", b"0")
    lun = f"{tpg}/lun/lun_0"
    os.mkdir(lun)
    os.symlink(f"/sys/kernel/config/target/core/rd_mcp_{i}/disk{i}", f"{lun}/link")
    os.mkdir(f"{tpg}/np/127.0.0.1:3260")
    os.mkdir(f"{tpg}/acls/iqn.1994-05.org.example:i{i}")
    write(f"{tpg}/attrib/demo_mode_write_protect", b"0")
    write(f"{tpg}/enable", b"1\n")


def remove(target, i):
    wwn = f"{target}/iscsi/iqn.2003-01.org.example:t{i}"
    tpg = f"{wwn}/tpgt_1"
    os.rmdir(f"{tpg}/acls/iqn.1994-05.org.example:i{i}")
    os.unlink(f"{tpg}/lun/lun_0/link")
    os.rmdir(f"{tpg}/lun/lun_0")
    os.rmdir(f"{tpg}/np/127.0.0.1:3260")
    os.rmdir(tpg)
    os.rmdir(wwn)
    os.rmdir(f"{target}/core/rd_mcp_{i}/disk{i}")
    os.rmdir(f"{target}/core/rd_mcp_{i}")


def timed(fn):
    start = time.monotonic()
    fn()
    return round(time.monotonic() - start, 2)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(target, sets, pid):
    os.mkdir(f"{target}/iscsi")
    figures, mine, its = {"sets": sets}, time.process_time(), cpu_s(pid)
    figures["make_s"] = timed(lambda: [make(target, i) for i in range(sets)])
    figures["client_cpu_s"], figures["daemon_cpu_s"] = round(time.process_time() - mine, 2), round(cpu_s(pid) - its, 2)
    figures["list_s"] = timed(lambda: os.listdir(f"{target}/iscsi"))
    figures["remove_s"] = timed(lambda: [remove(target, i) for i in range(sets)])
    figures["made_per_s"] = round(sets / figures["make_s"])
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sets", type=int, default=10000)
    parser.add_argument("--build", default=os.path.join(ROOT, "build-release"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ulio-bench.") as folder:
        mount = os.path.join(folder, "config")
        os.mkdir(mount)
        with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
            daemon = subprocess.Popen([os.path.join(args.build, "src/daemon/uliod"), "--config", f"{folder}/none.json",
                                       "--state", folder, "--control", f"{folder}/control", f"--mount={mount}"],
                                      stdout=log, stderr=subprocess.PIPE, text=True)
            for line in daemon.stderr:
                if "ready" in line:
                    break
            try:
                print(json.dumps(measure(f"{mount}/target", args.sets, daemon.pid)))
            finally:
                daemon.terminate()
                daemon.communicate()
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""Saving by itself, disks that come late, and kill -9 at any moment."""

import os
import random
import time

import pytest

from lib import scsi
from lib.saveconfig import IQN, ConfigDaemon, disk, target
from lib.wait import SCALE, wait_readable


VALUE = f"/iscsi/{IQN}/tpgt_1/attrib/login_timeout"


def config_of(d):
    return {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]}


@pytest.fixture(name="autosaving")
def _autosaving():
    d = ConfigDaemon(None, args=("--autosave",))
    d.write(config_of(d))
    d.start()
    yield d
    try:
        d.stop()
    finally:
        d.discard()


def until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"


def quiet(c, seconds):
    """Let time pass in which this client is told nothing, or until it is."""
    wait_readable([c.sock.fileno()], seconds)


def generation(c):
    return c.call("config.status")["generation"]


def test_saves_at_most_once_a_second(autosaving):
    """However many changes: one generation a second; without any: none."""
    with autosaving.control() as c:
        start, first, n = time.monotonic(), generation(c), 0
        while time.monotonic() - start < 2.5:
            c.call("set", path=VALUE, value=str(5 + n % 20))
            n += 1
        until(lambda: not c.call("config.status")["changed"], 5 * SCALE)
        assert n > 20 and 1 <= generation(c) - first <= time.monotonic() - start + 1
        assert autosaving.read()["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] == 5 + (n - 1) % 20
        last = generation(c)
        quiet(c, 1.5)
        assert generation(c) == last


def test_switched_on_and_off(serve):
    """Off unless somebody says so; what had changed before is saved when it is switched on."""
    d = serve(config_of)
    before = d.read()
    with d.control() as c:
        assert c.call("config.autosave") is False
        c.call("set", path=VALUE, value="9")
        quiet(c, 1.5)
        assert d.read() == before
        assert c.call("config.autosave", on=True) is True
        until(lambda: generation(c) == 1, 5 * SCALE)
        assert c.call("config.autosave", on=False) is False
        c.call("set", path=VALUE, value="10")
        quiet(c, 1.5)
        assert generation(c) == 1


def test_the_last_second_is_saved_at_the_end(autosaving):
    """An orderly end loses nothing that autosave was about to write."""
    d = autosaving
    with d.control() as c:
        c.call("set", path=VALUE, value="11")
    d.stop()
    assert d.read()["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] == 11


def kill_at_random(d, points, seed):
    """Changes all the time, kill -9 at a random moment, and what is on disk loads in whole."""
    rng = random.Random(seed)
    for i in range(points):
        with d.control() as c:
            end = time.monotonic() + rng.uniform(0, 0.05)
            n = 0
            while time.monotonic() < end or n < 2:
                hba = 100 + rng.randrange(5)
                name, dev = f"/core/rd_mcp_{hba}", f"/core/rd_mcp_{hba}/x{hba}"
                there = os.path.basename(name) in c.call("ls", path="/core")["dirs"]
                c.call("transaction", ops=[{"op": "rmdir", "path": dev}, {"op": "rmdir", "path": name}]
                       if there else [
                           {"op": "mkdir", "path": name}, {"op": "mkdir", "path": dev},
                           {"op": "set", "path": dev + "/control", "value": "rd_pages=1"},
                           {"op": "set", "path": dev + "/enable", "value": "1"}])
                n += 1
            c.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"save","params":{"force":true}}\n' * 3)
            quiet(c, rng.uniform(0, 0.03) / SCALE)
            d.kill()
        d.start()
        with d.control() as c:
            status = c.call("config.status")
            assert status["left_out"] == 0 and status["source"] == "file", f"point {i}: {status}"
            assert [t["target"] for t in c.call("target.list")] == [IQN], f"point {i}"
            # HBAs get new numbers at each start
            for name in [x["name"] for x in c.call("disk.list") if x["name"].startswith("x")]:
                c.call("disk.remove", name=name)


def test_kill_at_random_points(serve):
    """kill -9 while configurations are written: the file is one that was saved, the old or the new one."""
    points = int(os.environ.get("ULIO_KILL_POINTS", "50"))
    kill_at_random(serve(config_of), points, 20)


# ---- disks that come late

def test_a_disk_comes_without_being_polled(serve):
    """Its directories are made: that is noticed at once, and nothing is tried in between."""
    d = serve(lambda d: {
        "storage_objects": [disk("late", "fileio", dev=f"{d.dir}/a/b/late.img", write_back=True)],
        "targets": [target(d.port, [(0, "fileio/late")])]})
    with d.control() as c:
        assert c.call("status")["pending"] == 1
        with d.session() as s:
            s.clear_ua(0)
            assert s.scsi(scsi.test_unit_ready(), lun=0).status == scsi.CHECK_CONDITION
            quiet(c, 1)
            before = cpu_wakeups(d)
            quiet(c, 4.5)
            assert cpu_wakeups(d) - before <= 1, "it is tried again and again"
            os.makedirs(f"{d.dir}/a/b")
            until(lambda: c.call("status")["pending"] == 0, 5 * SCALE)
            s.clear_ua(0)
            assert s.capacity(0)[0] * s.capacity(0)[1] == 1 << 24


def cpu_wakeups(d):
    """Voluntary context switches of the control thread."""
    with open(f"/proc/{d.proc.pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("voluntary")).split()[1])

# SPDX-License-Identifier: BSD-3-Clause
"""Sessions with many connections under verified load, on several I/O loops (RFC 7143 4.2.4)."""

import json
import os
import subprocess

import pytest

from lib import daemon as daemon_mod

LOADGEN = os.path.join(daemon_mod.BUILD, "bench/loadgen")

pytestmark = pytest.mark.skipif(daemon_mod.IS_TGT or not os.path.exists(LOADGEN), reason="needs bench/loadgen")


@pytest.fixture
def wide(new_daemon):
    return new_daemon(disks=["ram:64M"], params={"MaxConnections": "32", "InitialR2T": "No"}, args=("--loops", "3"))


def load(d, connections, count, *args, ok=True):
    r = subprocess.run([LOADGEN, "--portal", f"{d.host}:{d.port}", "--target", d.iqn, "--json", "--connections",
                        str(connections), "--count", str(count), *args], capture_output=True, text=True, check=False,
                       timeout=120)
    if not ok:
        assert r.returncode == 1
        return r.stderr
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


# The default window is of 64 commands, and the generator's connections do not wait for each other's.
@pytest.mark.parametrize("connections, sessions, depth", [(2, 1, 32), (4, 3, 16), (8, 1, 8), (32, 1, 2)])
def test_verified_load(wide, quick, connections, sessions, depth):
    """4.2.2.1, 4.2.4: reads find what was written, on each of the connections."""
    count = 3000 if quick else 20000
    for size, n in (("4k", count), ("64k", count // 10)):
        told = load(wide, connections, n, "--sessions", str(sessions), "--threads", "2", "--depth", str(depth),
                    "--bytes", size, "--random", "--write", "50", "--verify", "--span", "32M")
        assert told["verified"] and told["reads_all"] + told["writes_all"] == n


def test_list_shows_connections(wide):
    """13.2: what was agreed; each connection with its CID and loop."""
    gen = subprocess.Popen([LOADGEN, "--portal", f"{wide.host}:{wide.port}", "--target", wide.iqn, "--idle",
                            "--seconds", "60", "--connections", "5"], stdout=subprocess.PIPE, text=True)
    try:
        assert gen.stdout.readline() == "idle\n"
        with wide.control() as c:
            (s,) = [x for x in c.call("sessions.list") if not x["discovery"]]
            assert [x["cid"] for x in s["connections"]] == [0, 1, 2, 3, 4]
            assert len({x["loop"] for x in s["connections"]}) > 1
            assert s["negotiated"]["MaxConnections"] == 5
            c.call("sessions.drop", tsih=s["tsih"])
        assert gen.wait(30) != 0
    finally:
        gen.kill()
        gen.wait()
        gen.stdout.close()


def test_more_than_agreed(new_daemon):
    """13.2: MaxConnections is the least of both offers."""
    d = new_daemon(disks=["ram:64M"], params={"MaxConnections": "2"})
    assert "grants 2 connections" in load(d, 3, 1, ok=False)

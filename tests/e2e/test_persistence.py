# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 under load and restart: whatever was answered GOOD is there, nothing is torn.

(This proves restart: the page cache survives a killed process. Power cuts are the simulator's.)
"""

import random

import pytest

from lib import scsi
from lib.initiator import Closed

BLOCKS = 512
PER_WRITE = 8


def block(lba, version):
    return (lba.to_bytes(4, "big") + version.to_bytes(4, "big")) * 64


def load(s, lun, rng, acked, sent, stop_after, kill):
    """Writes of 4 KiB at random places, 16 in flight, until `stop_after` are acknowledged; then kill()."""
    flight, done, version = [], 0, max(sent.values(), default=0)
    try:
        while True:
            while len(flight) < 16:
                busy = {x[1] for x in flight}
                lba = rng.randrange(BLOCKS // PER_WRITE) * PER_WRITE
                if lba in busy:
                    continue
                version += 1
                data = b"".join(block(lba + i, version) for i in range(PER_WRITE))
                sent[lba] = version
                flight.append((s.start(scsi.write10(lba, PER_WRITE), lun=lun, write=data), lba, version))
            cmd, lba, v = flight.pop(0)
            s.wait(cmd).good()
            acked[lba] = v
            done += 1
            if done == stop_after:
                kill()
    except Closed:
        pass


@pytest.mark.parametrize("options", ["", ",direct=no", ",sync=yes"])
def test_kill_under_load(new_daemon, lun, options):
    """Twelve rounds of load and kill -9 over one file."""
    d = new_daemon(disks=["file:{dir}/d.img,size=16M" + options])
    rng = random.Random(11)
    acked, sent = {}, {}
    for _ in range(12):
        s = d.session()
        s.clear_ua(lun)
        load(s, lun, rng, acked, sent, rng.randrange(20, 300), d.kill)
        s.close()
        d.start()
        with d.session() as w:
            w.clear_ua(lun)
            for lba in range(0, BLOCKS, PER_WRITE):
                got = w.scsi(scsi.read10(lba, PER_WRITE), lun=lun, read=PER_WRITE * 512).good().data
                versions = {int.from_bytes(got[i * 512 + 4:i * 512 + 8], "big") for i in range(PER_WRITE)}
                low, high = acked.get(lba, 0), sent.get(lba, 0)
                assert all(low <= v <= high for v in versions), f"LBA {lba}: {versions}, acknowledged {low}"
                for i in range(PER_WRITE):
                    v = int.from_bytes(got[i * 512 + 4:i * 512 + 8], "big")
                    assert got[i * 512:(i + 1) * 512] == (block(lba + i, v) if v else bytes(512)), "torn block"
                if acked.get(lba) is not None:
                    acked[lba] = min(versions)
            w.logout()


def test_orderly_restart_keeps_identity(new_daemon, lun):
    """Serial and designators are the same after a kill: initiators recognise their disk."""
    d = new_daemon()
    seen = []
    for _ in range(3):
        with d.session() as s:
            s.clear_ua(lun)
            seen.append((d.iqn, s.scsi(scsi.inquiry(255, 0x80), lun=lun, read=255).good().data,
                         s.scsi(scsi.inquiry(255, 0x83), lun=lun, read=255).good().data))
        d.kill()
        d.start()
        d._iqn = None
    assert seen[0] == seen[1] == seen[2]


def test_restart_is_quick(new_daemon, lun):
    """Start to first login below a second (a small configuration)."""
    import time
    d = new_daemon()
    for _ in range(3):
        d.stop()
        start = time.monotonic()
        d.start()
        with d.session() as s:
            s.logout()
        assert time.monotonic() - start < 1.0


def test_port_is_free_at_once(new_daemon, lun):
    """A restart does not trip over sockets of the old process (SO_REUSEADDR)."""
    d = new_daemon()
    held = [d.session() for _ in range(5)]
    for _ in range(3):
        d.kill()
        d.start()
    with d.session() as s:
        s.clear_ua(lun).good()
        s.logout()
    for s in held:
        s.close()

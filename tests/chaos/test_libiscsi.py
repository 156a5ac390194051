# SPDX-License-Identifier: BSD-3-Clause
"""libiscsi, by QEMU, through the proxy's cuts, splits and delays: it is at level 0 and logs in again by itself."""

import asyncio
import json
import random

import pytest

from . import plans
from .proxy import Profile, Proxy

STEPS, STEP_KIB = 48, 192
ROUGH = Profile(split=.05, delay=.05, late=.01, cut=.02, cut_login=.05)


def where(address, d, digest):
    """QEMU's blockdev description of the first LUN, by way of the proxy."""
    return "json:" + json.dumps({"driver": "raw", "file": {
        "driver": "iscsi", "transport": "tcp", "portal": f"{address[0]}:{address[1]}", "target": d.iqn, "lun": 0,
        "header-digest": digest, "initiator-name": "iqn.2026-01.example.test:rough"}})


async def qemu_io(steps, at, seconds):
    args = [x for step in steps for x in ("-c", step)]
    proc = await asyncio.create_subprocess_exec("qemu-io", *args, at, stdin=asyncio.subprocess.DEVNULL,
                                                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        async with asyncio.timeout(seconds):
            out = (await proc.communicate())[0].decode()
    except TimeoutError:
        proc.kill()
        out = (await proc.communicate())[0].decode()
        raise AssertionError(f"qemu-io hangs:\n{out[-3000:]}") from None
    assert proc.returncode == 0, out[-3000:]
    assert "failed" not in out and "mismatch" not in out.lower(), out[-3000:]


@pytest.mark.parametrize("digest", ["crc32c", "none"])
def test_writes_and_reads_through_cuts(record_property, digest):
    """All that is written is read again, first through the same network, then past the proxy."""
    async def go(d):
        proxy = await Proxy(d.address, random.Random(digest), ROUGH).start()
        places = [(i, f"{i * STEP_KIB}k {STEP_KIB}k") for i in range(STEPS)]
        writes = [f"write -P {1 + i} {at}" for i, at in places]
        reads = [f"read -P {1 + i} {at}" for i, at in places]
        await qemu_io([*writes, "flush", *reads], where(proxy.address, d, digest), 240)
        proxy.close()
        await qemu_io(reads, where(d.address, d, digest), 60)
        return proxy.totals()

    d = plans.daemon_for()
    d.start()
    try:
        faults = asyncio.run(go(d))
        record_property("figures", f"libiscsi, {2 * STEPS} x {STEP_KIB} KiB, header digest {digest}: {faults}")
        print(faults)
        assert faults.get("cut", 0) > 0
        d.stop()
    finally:
        d.discard()

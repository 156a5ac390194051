# SPDX-License-Identifier: BSD-3-Clause
"""Verified reads and writes through a network that does what none should: each plan for some seconds."""

import asyncio
import random
import zlib

import pytest

from lib.crc32c import digest
from lib.pdu import SCSI_CMD, PDU

from . import plans
from .framing import FramingLost, Splitter
from .load import Plan
from .model import BLOCK, Disk, WrongData, block
from .proxy import Profile, Proxy


@pytest.mark.parametrize("name", plans.PLANS)
def test_plan(quick, record_property, name):
    """No wrong byte, no hang, and nothing lost that the proxy did not take (RFC 7143 7)."""
    d = plans.daemon_for()
    d.start()
    try:
        plan = plans.varied(plans.PLANS[name], 4 if quick else 15, zlib.crc32(name.encode()))
        report = plans.run(d, plan)
        print(report)
        record_property("figures", f"{name}: {report}")
        assert report.counts["written"] > 20 and report.counts["read"] > 20
        assert report.faults or plan.profile.drop == plan.profile.cut == 0
        d.stop()
    finally:
        d.discard()


# --- the kit itself: what must be found is found


def test_spoiled_data_without_a_digest_are_found():
    """Were the digests not what holds the data together, the verification must see it."""
    d = plans.daemon_for()
    d.start()
    try:
        with pytest.raises(WrongData):
            asyncio.run(plans.run_plan(d.address, d.iqn, Plan(
                profile=Profile(data=.01), blind=True, seconds=30, luns=(1,),
                keys={"HeaderDigest": "None", "DataDigest": "None"})))
        d.stop()
    finally:
        d.discard()


def test_model_finds_a_late_write():
    """A block whose write was given up may be old or new, but not change its mind."""
    disk = Disk(0, 8)
    one, data = disk.new_write(0, 8)
    disk.written(0, 8, one)
    two, new = disk.new_write(2, 2)
    disk.may_be_written(2, 2, two)
    disk.check(0, data[:3 * BLOCK] + new[BLOCK:] + data[4 * BLOCK:])     # block 2 is old, block 3 new
    disk.check(2, data[2 * BLOCK:3 * BLOCK] + new[BLOCK:])
    with pytest.raises(WrongData):
        disk.check(2, new[:BLOCK])
    with pytest.raises(WrongData):
        disk.check(3, block(3, one))
    with pytest.raises(WrongData):
        disk.check(7, block(7, one)[:-1] + b"\0")


def test_splitter_skips_one_wrong_header_above_level_0():
    """RFC 7143 7.7: by its claimed length, if the next header is right."""
    good = PDU(SCSI_CMD, data=b"x" * 9).encode(True, True)
    bad = PDU(SCSI_CMD, data=b"y" * 5).encode(True, True, bad_header_digest=True)
    s = Splitter(level=1)
    s.header_digest = s.data_digest = True
    stream = good + bad + good
    got = [raw for i in range(0, len(stream), 7) for raw in s.feed(stream[i:i + 7])]
    assert [r.head_ok for r in got] == [True, False, True] and got[2].data == b"x" * 9
    assert got[0].body_crc == digest(b"x" * 9 + bytes(3))
    with pytest.raises(FramingLost):
        list(s.feed(bad + bad))
    s = Splitter(level=0)
    s.header_digest = s.data_digest = True
    with pytest.raises(FramingLost):
        list(s.feed(bad))


def test_proxy_passes_on_what_it_does_not_touch():
    """Split and late, but byte by byte the same."""
    async def run():
        got = bytearray()
        done = asyncio.Event()

        async def server(reader, writer):
            while len(got) < total:
                got.extend(await reader.read(1000))
            done.set()
            writer.close()

        sent = b"".join(PDU(SCSI_CMD, data=bytes([n]) * n).encode() for n in range(200))
        total = len(sent)
        target = await asyncio.start_server(server, "127.0.0.1", 0)
        proxy = await Proxy(target.sockets[0].getsockname(), random.Random(3), Profile(split=.5, delay=.5)).start()
        _, writer = await asyncio.open_connection(*proxy.address)
        writer.write(sent)
        async with asyncio.timeout(20):
            await done.wait()
        writer.close()
        proxy.close()
        target.close()
        assert bytes(got) == sent

    asyncio.run(run())

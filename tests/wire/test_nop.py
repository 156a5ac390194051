# SPDX-License-Identifier: BSD-3-Clause
"""NOP-Out and NOP-In. RFC 7143 11.18, 11.19."""

import time

import pytest

from helpers import alive, quiet
from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT, make_daemon
from lib.initiator import Closed, Rejected, discover
from lib.pdu import PDU, RESERVED_TAG


@pytest.mark.parametrize("n", [0, 1, 3, 4, 48, 1000, 4096, 8192])
def test_ping_echo(session, n):
    """11.19: ping data is reflected, cut at our MaxRecvDataSegmentLength; TTT FFFFFFFFh."""
    data = bytes(i & 0xFF for i in range(n))
    r = session.nop(data)
    assert r.data == data and r.ttt == RESERVED_TAG


@pytest.mark.parametrize("n", [512, 513, 4096])
def test_ping_longer_than_we_receive(daemon, n):
    """11.19: the echo never exceeds MaxRecvDataSegmentLength of the initiator."""
    with daemon.session(keys={"MaxRecvDataSegmentLength": "512"}) as s:
        data = bytes(i & 0xFF for i in range(n))
        assert s.nop(data).data == data[:512]
        s.logout()


def test_ping_not_immediate(session):
    """11.18: ping not immediate."""
    for i in range(10):
        assert session.nop(b"%d" % i, immediate=False).data == b"%d" % i


def test_many_pings_in_one_segment(session):
    """11.18: All are answered, each once, in order of arrival."""
    raw = b""
    for i in range(50):
        raw += PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=1000 + i, ttt=RESERVED_TAG, cmdsn=session.cmdsn,
                   expstatsn=session.conn.expstatsn, data=b"%d" % i).encode()
    session.conn.send_raw(raw)
    for i in range(50):
        r = session.wait_pdu(p.NOP_IN)
        assert (r.itt, r.data) == (1000 + i, b"%d" % i)


def test_nop_without_answer(session):
    """11.18: ITT FFFFFFFFh wants no NOP-In; it only brings ExpStatSN."""
    session.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=RESERVED_TAG, ttt=RESERVED_TAG))
    assert quiet(session) == []


def test_answer_to_no_question(session):
    """11.18: a TTT that the target never sent: ignored, rejected or closed, not more."""
    session.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=RESERVED_TAG, ttt=0x1234))
    try:
        assert all(x.opcode == p.REJECT for x in quiet(session))
    except (Rejected, Closed):
        pass


def test_ping_with_itt_of_a_task(session, lun):
    """11.2.1.8: an ITT in use."""
    session.take_cmdsn()
    cmd = session.start(scsi.test_unit_ready(), lun=lun)            # held behind a gap
    session.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=cmd.itt, ttt=RESERVED_TAG))
    try:
        pdu = session.recv()
        assert pdu.opcode == p.REJECT, f"two tasks with one ITT: {pdu}"
        assert pdu.reason in (p.REJ_TASK_IN_PROGRESS, p.REJ_PROTOCOL, p.REJ_INVALID_FIELD)
    except Closed:
        pass


def test_immediate_bit_without_cmdsn_in_order(session):
    """11.18: an immediate NOP-Out carries the next CmdSN; the window does not depend on it."""
    session.nop(b"x", cmdsn=session.cmdsn)
    alive(session)


# --- pings of the target

PINGED = "iqn.2026-01.example.test:pinged"


@pytest.fixture(scope="module")
def pinging():
    """A daemon that pings after 3 s of silence and gives up 3 s later (the least that LIO's attributes take)."""
    if IS_TGT:
        pytest.skip("tgt's pings are set up otherwise")
    d = make_daemon(allow=[PINGED])
    try:
        d.start()
        d._iqn = next(iter(discover(d.address, name=PINGED)))
        with d.control() as c:
            for name in ("nopin_timeout", "nopin_response_timeout"):
                c.call("set", path=f"/iscsi/{d.iqn}/tpgt_1/acls/{PINGED}/attrib/{name}", value="3")
        yield d
        d.stop()
    finally:
        d.discard()


def test_target_pings_an_idle_session(pinging):
    """11.19: NOP-In with a TTT, ITT FFFFFFFFh, StatSN not advanced; answered, it goes on and on."""
    with pinging.session(name=PINGED) as s:
        for n in (1, 2):
            while s.pings < n:
                pdu = s.recv()
                assert pdu.opcode == p.NOP_IN and pdu.itt == RESERVED_TAG and pdu.ttt != RESERVED_TAG
        alive(s)
        s.logout()


def test_target_drops_who_does_not_answer(pinging):
    """11.19: an unanswered ping ends the connection (nopin_response_timeout), and its session."""
    with pinging.session(name=PINGED) as s:
        s.answer_pings = False
        assert s.recv().opcode == p.NOP_IN
        s.conn.expect_closed(allow=(p.ASYNC, p.NOP_IN))


def test_busy_session_is_not_pinged(pinging, lun):
    """11.19: Traffic is sign of life enough."""
    with pinging.session(name=PINGED) as s:
        s.clear_ua(lun)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            s.scsi(scsi.read10(0, 8), lun=lun, read=4096).good()
        assert s.pings == 0
        s.logout()


def test_ping_answer_with_a_wrong_ttt(pinging):
    """11.18.2: An answer to another ping is none: the session lives only by the right one."""
    with pinging.session(name=PINGED) as s:
        s.answer_pings = False
        ping = s.recv()
        s.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=RESERVED_TAG, ttt=ping.ttt ^ 0x55, lun=ping.lun))
        s.conn.expect_closed(allow=(p.ASYNC, p.NOP_IN, p.REJECT))

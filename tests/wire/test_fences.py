# SPDX-License-Identifier: BSD-3-Clause
"""Response fences over several connections (RFC 7143 4.2.2.3.3): what is fenced, and that nothing else is stuck
when several fences, ends of connections and new ones meet."""

import time

import pytest

from helpers import alive, quiet, wide_session
from lib import pdu as p
from lib import pr, scsi
from lib.initiator import RESERVED_TAG
from lib.pdu import PDU

OTHER = "iqn.2026-01.example.test:fences"
KINDS = ["RFC3720", "ResponseFence", "FastAbort"]
BASE = 72000


@pytest.fixture(params=[("RFC3720", 0), ("ResponseFence", 1), ("FastAbort", 2), ("ResponseFence", 0), ("FastAbort", 0)],
                ids=lambda x: f"{x[0]}-{x[1]}")
def three(request, wide, lun):
    """A session of three connections, and one of another initiator that resets."""
    kind, level = request.param
    with wide_session(wide, TaskReporting=kind, ErrorRecoveryLevel=level, MaxConnections=8, InitialR2T="Yes",
                      ImmediateData="No") as s, wide_session(wide, name=OTHER) as other:
        s.clear_ua(lun)
        other.clear_ua(lun)
        s.join(1)
        s.join(2)
        for c in s.conns:
            alive(s, c)
        yield s, other


def withhold(s, lun, conn):
    """From here on the connection acknowledges nothing: there is one status that it has not."""
    conn.ack = conn.expstatsn
    s.wait(s.start(scsi.test_unit_ready(), lun=lun, conn=conn))


def acknowledge(s, conn):
    conn.ack = None
    conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=RESERVED_TAG, ttt=RESERVED_TAG, cmdsn=s.cmdsn))


def serve(s, done):
    """All connections, until done."""
    while not done():
        s.recv_any()


def reset_by(other, lun):
    assert other.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
    other.clear_ua(lun)


def waiting_attention(s, other, lun):
    """A command on the first connection, whose unit attention waits for what the second one withholds."""
    one, two, _ = s.conns
    withhold(s, lun, two)
    reset_by(other, lun)
    cmd = s.start(scsi.test_unit_ready(), lun=lun, conn=one)
    quiet(s, one)
    assert cmd.result is None, "the unit attention did not wait"
    return cmd


def test_unit_attention_waits(three, lun):
    """4.2.2.3.4 a, 4.2.2.3.3 b: it is told when all that was sent before is acknowledged, on all connections."""
    s, other = three
    cmd = waiting_attention(s, other, lun)
    acknowledge(s, s.conns[1])
    serve(s, lambda: cmd.result is not None)
    cmd.result.check(scsi.UNIT_ATTENTION, (0x29, 0x03))


def test_others_wait_behind_it(three, lun):
    """4.2.2.3.3 c, d: until it is acknowledged itself no other status goes out, on any connection; then all do."""
    s, other = three
    one, two, _ = s.conns
    reset_by(other, lun)
    one.ack = one.expstatsn
    cmd = s.start(scsi.test_unit_ready(), lun=lun, conn=one)
    serve(s, lambda: cmd.result is not None)
    cmd.result.check(scsi.UNIT_ATTENTION, (0x29, 0x03))
    later = [s.start(scsi.read10(BASE + i, 1), lun=lun, read=512, conn=c) for c in s.conns for i in range(5)]
    for c in s.conns:
        quiet(s, c)                     # pings are answered: they are no status of a command
    assert all(c.result is None for c in later)
    acknowledge(s, one)
    for r in s.wait_all(later):
        r.good()


def test_request_sense_is_fenced(three, lun):
    """SPC-4 6.39: it tells a unit attention, too."""
    s, other = three
    one, two, _ = s.conns
    withhold(s, lun, two)
    reset_by(other, lun)
    cmd = s.start(scsi.request_sense(), lun=lun, read=252, conn=one)
    quiet(s, one)
    assert cmd.result is None
    acknowledge(s, two)
    serve(s, lambda: cmd.result is not None)
    assert scsi.parse_sense(cmd.result.good().data).key == scsi.UNIT_ATTENTION


def test_preempt_and_abort(three, lun):
    """4.2.2.3.4 f"""
    s, other = three
    mine, theirs = pr.Host(s, lun, 0x11), pr.Host(other, lun, 0x22)
    for h in (mine, theirs):
        h.register(h.key)
    try:
        one, two, _ = s.conns
        withhold(s, lun, two)
        data = pr.parameters(0x11, 0x22)
        cmd = s.start(pr.pr_out(pr.PREEMPT_AND_ABORT, length=len(data)), lun=lun, write=data, conn=one)
        s.wait_until(lambda: cmd.r2ts, one)
        quiet(s, one)
        assert cmd.result is None, "the answer did not wait"
        acknowledge(s, two)
        serve(s, lambda: cmd.result is not None)
        cmd.result.good()
    finally:
        mine.out(pr.CLEAR)
        s.clear_ua(lun)
        other.clear_ua(lun)


@pytest.mark.parametrize("who", [0, 1])
def test_connection_lost_at_a_fence(three, lun, who):
    """4.2.2.3.3: the fence, and what waits behind it, does not depend on a connection that is gone: neither the one
    that it waits for, nor the one that its answer was for."""
    s, other = three
    one, two, last = s.conns
    withhold(s, lun, two)
    reset_by(other, lun)
    cmd = s.start(scsi.test_unit_ready(), lun=lun, conn=one)
    behind = [s.start(scsi.read10(BASE, 1), lun=lun, read=512, conn=last) for _ in range(3)]
    quiet(s, last)
    assert cmd.result is None
    lost = (one, two)[who]
    s.drop(lost)
    s.acks_due.clear()
    if who == 0:
        s.commands.pop(cmd.itt)
        acknowledge(s, two)
    else:
        behind.append(cmd)
    s.wait_all(behind)
    alive(s, last)


def test_fence_after_fence(three, lun):
    """4.2.2.3.3: unit attentions, functions, commands from all connections at once: all are answered."""
    s, other = three
    for turn in range(6):
        reset_by(other, lun)
        tags = []
        cmds = []
        for i, c in enumerate(s.conns):
            cmds += [s.start(scsi.read10(BASE + i, 1), lun=lun, read=512, conn=c) for _ in range(3)]
            tags.append(s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.ABORT_TASK_SET, lun=lun,
                                   ref_itt=RESERVED_TAG), c).itt)
            cmds += [s.start(scsi.read10(BASE + i, 1), lun=lun, read=512, conn=c) for _ in range(3)]
        serve(s, lambda tags=tags: {x.itt for x in s.inbox if x.opcode == p.TMF_RSP} >= set(tags))
        last = s.start(scsi.test_unit_ready(), lun=lun, conn=s.conns[turn % 3])
        s.wait_all([last])
        for c in s.conns:
            quiet(s, c)
        for c in cmds:
            if c.result is None:
                s.commands.pop(c.itt)
        s.inbox.clear()
        s.clear_ua(lun)


def test_connection_that_joins(three, lun):
    """4.2.2.3.3: it waits like the others, and no longer than they."""
    s, other = three
    cmd = waiting_attention(s, other, lun)
    new = s.join(3)
    behind = s.start(scsi.read10(BASE, 1), lun=lun, read=512, conn=new)
    quiet(s, new)
    assert cmd.result is None and behind.result is None
    acknowledge(s, s.conns[1])
    s.wait_all([cmd, behind])
    behind.result.good()
    for i in range(20):
        s.wait(s.start(scsi.read10(BASE + i, 1), lun=lun, read=512, conn=new)).good()


def test_logout_at_a_fence(three, lun):
    """11.14: what a connection that logs out has not acknowledged is not waited for."""
    s, other = three
    cmd = waiting_attention(s, other, lun)
    one, two, _ = s.conns
    pdu = s.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F | 1, cid=two.cid), two)
    s.wait_pdu(p.LOGOUT_RSP, pdu.itt, conn=two)
    s.drop(two, "close")
    s.wait_all([cmd])
    cmd.result.check(scsi.UNIT_ATTENTION, (0x29, 0x03))
    alive(s, one)


def test_who_never_acknowledges(three, lun):
    """4.2.2.3.3: a connection whose initiator answers pings but acknowledges nothing is closed in the end; the others
    go on."""
    s, other = three
    one, two, _ = s.conns
    withhold(s, lun, two)
    reset_by(other, lun)
    cmd = s.start(scsi.test_unit_ready(), lun=lun, conn=one)
    s.wait_until(lambda: cmd.result is not None, one, timeout=20)
    cmd.result.check(scsi.UNIT_ATTENTION, (0x29, 0x03))
    two.expect_closed(allow=(p.NOP_IN, p.ASYNC))
    s.drop(two)
    alive(s, one)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_dropped_connection_is_told_of(wide, lun, which):
    """11.9.1, event 2: a connection that the target gives up is told of on another one, with its CID, and that
    no command of it waits (below level 2); one that the initiator ends itself is not."""
    with wide_session(wide, MaxConnections=8, HeaderDigest="CRC32C", ErrorRecoveryLevel=0) as s:
        s.clear_ua(lun)
        s.join(5)
        s.join(6)
        bad = s.conns[which]
        cid = bad.cid
        rest = [c for c in s.conns if c is not bad]
        bad.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=1, ttt=RESERVED_TAG, cmdsn=s.cmdsn),
                 bad_header_digest=True)
        bad.expect_closed()
        s.drop(bad, "close")
        while not any(x.opcode == p.ASYNC for x in s.inbox):
            s.recv_any(rest)
        x = s.wait_pdu(p.ASYNC)
        assert (x.event, x.param1, x.param3) == (2, cid, 0)
        assert x.param2 == s.num("DefaultTime2Wait")
        s.drop(rest[1])
        for _ in range(3):
            assert quiet(s, rest[0]) == []


@pytest.mark.parametrize("function", [p.QUERY_TASK, p.QUERY_TASK_SET])
def test_query_of_what_waits_for_its_turn(wide, lun, function):
    """RFC 7144, 4.2.3: a command that has come is there, also while it waits behind an ORDERED one."""
    with wide_session(wide, MaxConnections=8, iSCSIProtocolLevel=2, InitialR2T="Yes", ImmediateData="No") as s:
        s.clear_ua(lun)
        s.join(1)
        one, two = s.conns
        first = s.start(scsi.write10(BASE, 8), lun=lun, write=bytes(4096), attr=p.ORDERED, hold_r2t=True, conn=one)
        s.wait_until(lambda: first.r2ts, one)
        waits = s.start(scsi.read10(BASE, 1), lun=lun, read=512, conn=two)
        alive(s, two)
        assert waits.result is None
        for ref in (waits.itt, first.itt):
            pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=ref), one)
            assert s.wait_pdu(p.TMF_RSP, pdu.itt, conn=one).response == p.TMF_SUCCEEDED
        s.answer_r2t(first, first.r2ts[0])
        s.wait_all([first, waits])
        pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=waits.itt), one)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt, conn=one).response == p.TMF_COMPLETE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", [p.ABORT_TASK_SET, p.LOGICAL_UNIT_RESET])
def test_function_behind_an_ordered_command(wide, lun, kind, function):
    """4.2.3.3 b, 4.2.3.4 a: a function needs the commands before it to have come, and does not wait for an ORDERED one
    whose data may never come: that ends, and what waits behind it on other connections."""
    with wide_session(wide, MaxConnections=8, TaskReporting=kind, InitialR2T="Yes", ImmediateData="No") as s:
        s.clear_ua(lun)
        s.join(1)
        one, two = s.conns
        first = s.start(scsi.write10(BASE, 8), lun=lun, write=bytes(4096), attr=p.ORDERED, hold_r2t=True, conn=one)
        s.wait_until(lambda: first.r2ts, one)
        waits = [s.start(scsi.read10(BASE, 1), lun=lun, read=512, conn=c) for c in (two, one, two)]
        alive(s, two)
        pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=RESERVED_TAG), two)
        serve(s, lambda: any(x.opcode == p.TMF_RSP for x in s.inbox))
        assert s.wait_pdu(p.TMF_RSP, pdu.itt, conn=two).response == p.TMF_COMPLETE
        for c in [first, *waits]:
            assert c.result is None
            s.commands.pop(c.itt)
        after = [s.start(scsi.read10(BASE, 1), lun=lun, read=512, conn=c) for c in (one, two, one, two)]
        for r in s.wait_all(after):     # a reset is told once
            assert r.status == scsi.GOOD or function == p.LOGICAL_UNIT_RESET


def test_asked_again(three, lun):
    """4.2.2.3.3: the answer to a ping may tell too little, of what was sent again since (level 1), or be lost: the
    target asks again."""
    s, other = three
    one, two, _ = s.conns
    withhold(s, lun, two)
    reset_by(other, lun)
    cmd = s.start(scsi.test_unit_ready(), lun=lun, conn=one)
    assert s.recv(two).opcode == p.NOP_IN       # it is answered, with the old ExpStatSN
    quiet(s, one)
    assert cmd.result is None
    two.ack = None                      # from here on it would tell, if it was asked
    start = time.monotonic()
    s.wait_all([cmd])
    assert time.monotonic() - start < 5
    cmd.result.check(scsi.UNIT_ATTENTION, (0x29, 0x03))

# SPDX-License-Identifier: BSD-3-Clause
"""Command numbering and the window. RFC 7143 4.2.2.1, 4.2.3."""

import pytest

from helpers import alive, pattern, quiet
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, sn_add
from lib.pdu import PDU


def window(s):
    return (s.maxcmdsn - s.expcmdsn + 1) & 0xFFFFFFFF


def test_each_command_counts(session, lun):
    """4.2.2.1: ExpCmdSN grows by one a non-immediate command, and the window moves with it."""
    session.scsi(scsi.test_unit_ready(), lun=lun).good()
    at, top = session.expcmdsn, session.maxcmdsn
    for i in range(1, 10):
        session.scsi(scsi.test_unit_ready(), lun=lun).good()
        assert session.expcmdsn == sn_add(at, i)
    assert session.maxcmdsn == sn_add(top, 9)


def test_immediate_does_not_count(session):
    """4.2.2.1: an immediate command carries CmdSN and does not advance it."""
    alive(session)
    at = session.expcmdsn
    for _ in range(5):
        session.nop(b"i", immediate=True)
    assert session.expcmdsn == at
    session.nop(b"n", immediate=False)
    assert session.expcmdsn == sn_add(at, 1)


def test_too_many_immediate_commands(session, lun):
    """4.2.2.1, 11.17.1: the window does not bound immediate commands; what is too many is rejected with 06h."""
    session.clear_ua(lun)
    n, rejected, asked = 1000, 0, 0
    for i in range(n):
        session.conn.send(PDU(p.SCSI_CMD, immediate=True, flags=p.F | p.W | p.SIMPLE, lun=lun, itt=0x7000 + i,
                              cmdsn=session.cmdsn, expstatsn=session.conn.expstatsn, edtl=512,
                              cdb=scsi.write10(0, 1)))
    for _ in range(n):
        got = session.conn.recv()
        assert got.opcode in (p.R2T, p.REJECT)
        asked += got.opcode == p.R2T
        rejected += got.opcode == p.REJECT and got.reason == p.REJ_IMMEDIATE
    assert asked + rejected == n and 0 < asked < n
    session.tmf(p.ABORT_TASK_SET, lun=lun)
    assert session.scsi(scsi.test_unit_ready(), lun=lun, immediate=True).good(), "there is room again"


def test_gap_holds_until_filled(session, lun):
    """4.2.3: commands are delivered in CmdSN order: a later one waits for the gap to be filled."""
    sn = session.take_cmdsn()
    session.take_cmdsn()
    later = session.start(scsi.read10(0, 1), lun=lun, read=512, cmdsn=sn_add(sn, 1))
    quiet(session)
    assert later.result is None, "a command was run before the one with the lower CmdSN"
    first = session.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn)
    session.wait(first).good()
    session.wait(later).good()


def test_reverse_order_writes(session, lun):
    """4.2.2.1: Commands sent last first take effect first first."""
    base = session.cmdsn
    for _ in range(8):
        session.take_cmdsn()
    cmds = [session.start(scsi.write10(200, 1), lun=lun, write=bytes([i]) * 512, cmdsn=sn_add(base, i),
                          attr=p.ORDERED) for i in range(7, -1, -1)]
    for c in cmds:
        session.wait(c).good()
    assert session.scsi(scsi.read10(200, 1), lun=lun, read=512).good().data == bytes([7]) * 512


def test_immediate_behind_numbered(session, lun):
    """4.2.2.1, SAM-5 8.6.3: an immediate ORDERED command comes after what came before it in the same segment."""
    session.clear_ua(lun)
    with session.conn.together():
        writes = [session.start(scsi.write10(210, 1), lun=lun, write=bytes([i]) * 512, attr=p.ORDERED)
                  for i in range(1, 5)]
        read = session.start(scsi.read10(210, 1), lun=lun, read=512, attr=p.ORDERED, immediate=True)
    for c in writes:
        session.wait(c).good()
    assert session.wait(read).good().data == bytes([4]) * 512


def test_ping_behind_commands(session, lun):
    """4.2.2.1: the answer to a ping tells that the commands in front of it in the same segment have come."""
    session.clear_ua(lun)
    with session.conn.together():
        cmds = [session.start(scsi.read10(i, 1), lun=lun, read=512) for i in range(4)]
        ping = session.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, ttt=RESERVED_TAG, data=b"?"))
    assert session.wait_pdu(p.NOP_IN, ping.itt).expcmdsn == session.cmdsn
    for c in cmds:
        session.wait(c).good()


def test_duplicate_is_dropped(session, lun):
    """4.2.2.1: a CmdSN below ExpCmdSN is silently ignored."""
    session.scsi(scsi.write10(10, 1), lun=lun, write=b"A" * 512).good()
    old = sn_add(session.cmdsn, -1)
    session.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.write10(10, 1),
                     data=b"B" * 512, cmdsn=old))
    assert quiet(session) == []
    assert session.scsi(scsi.read10(10, 1), lun=lun, read=512).good().data == b"A" * 512


def test_duplicate_in_one_segment(session, lun):
    """4.2.2.1: of two commands with one CmdSN the first is run, whether it has to wait for its turn or not."""
    session.clear_ua(lun)
    for gap in (False, True):
        at = session.cmdsn
        if gap:
            session.take_cmdsn()
        with session.conn.together():
            first = session.start(scsi.write10(20, 1), lun=lun, write=b"A" * 512)
            session.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.write10(20, 1),
                             data=b"B" * 512, cmdsn=sn_add(session.cmdsn, -1)))
        if gap:
            assert quiet(session) == []
            session.wait(session.start(scsi.test_unit_ready(), lun=lun, cmdsn=at)).good()
        session.wait(first).good()
        assert quiet(session) == []
        assert session.scsi(scsi.read10(20, 1), lun=lun, read=512).good().data == b"A" * 512


def test_beyond_window_is_dropped(session, lun):
    """4.2.2.1: a CmdSN above MaxCmdSN is silently ignored; so is one half the circle away."""
    alive(session)
    for sn in (sn_add(session.maxcmdsn, 1), sn_add(session.maxcmdsn, 1000), sn_add(session.expcmdsn, 0x7FFFFFF0),
               sn_add(session.expcmdsn, 0x80000001)):
        session.send(PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.read10(0, 1),
                         cmdsn=sn))
        assert quiet(session) == [], f"answer to CmdSN {sn:#x} outside the window"
    session.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_whole_window_in_flight(session, lun):
    """4.2.2.1: As many commands as the window has, sent at once, all end GOOD."""
    alive(session)
    n = window(session)
    assert n >= 16, f"a window of {n} is too small to work with"
    cmds = [session.start(scsi.read10(i, 1), lun=lun, read=512) for i in range(min(n, 512))]
    for c in cmds:
        session.wait(c).good()


def test_window_full_of_held_commands(session, lun):
    """4.2.2.1: A window filled behind a gap: the last place is still taken, and all run when the gap closes."""
    alive(session)
    n = min(window(session), 512)
    sn = session.take_cmdsn()
    cmds = [session.start(scsi.read10(i, 1), lun=lun, read=512) for i in range(n - 1)]
    assert quiet(session) == []
    session.wait(session.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn)).good()
    for c in cmds:
        session.wait(c).good()


def test_window_opens_again(session, lun):
    """4.2.2.1: MaxCmdSN does not stay behind: four windows' worth of commands pass."""
    alive(session)
    total = min(window(session), 512) * 4
    inflight = []
    for i in range(total):
        while (session.maxcmdsn - session.cmdsn) & 0xFFFFFFFF >= 0x80000000:
            session.wait(inflight.pop(0)).good()
        inflight.append(session.start(scsi.read10(i % 1000, 1), lun=lun, read=512))
    for c in inflight:
        session.wait(c).good()


@pytest.mark.parametrize("start", [0xFFFFFFF8, 0x7FFFFFF8, 0])
def test_wrap(daemon, lun, start):
    """4.2.2.1: serial arithmetic, past 2**32 and past 2**31; 0 is a number like others."""
    with daemon.session(cmdsn=start) as s:
        s.clear_ua(lun)
        for i in range(20):
            s.scsi(scsi.read10(i, 1), lun=lun, read=512).good()
        assert s.expcmdsn == s.cmdsn
        s.logout()


def test_immediate_passes_a_gap(session, lun):
    """4.2.2.1: immediate commands are delivered at once, gap or no gap."""
    sn = session.take_cmdsn()
    held = session.start(scsi.test_unit_ready(), lun=lun)
    r = session.scsi(scsi.test_unit_ready(), lun=lun, immediate=True)
    assert r.status == scsi.GOOD and held.result is None
    session.wait(session.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn)).good()
    session.wait(held).good()


def test_write_with_data_behind_a_gap(daemon, lun):
    """4.2.2.1, 4.2.5.2: Immediate and unsolicited data of a command that must wait are kept with it."""
    with daemon.session(keys={"InitialR2T": "No", "ImmediateData": "Yes"}) as s:
        s.clear_ua(lun)
        data = pattern(40 * 512)
        sn = s.take_cmdsn()
        held = s.start(scsi.write10(300, 40), lun=lun, write=data)
        assert [x for x in quiet(s) if x.opcode != p.R2T] == []
        s.wait(s.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn)).good()
        s.wait(held).good()
        assert s.scsi(scsi.read10(300, 40), lun=lun, read=len(data)).good().data == data
        s.logout()


def test_many_immediate_commands(session, lun):
    """4.2.2.1: a target takes at least one immediate task management and one other at any time; what it
    does not take it rejects with 06h, and nothing is lost."""
    cmds = [session.start(scsi.test_unit_ready(), lun=lun, immediate=True) for _ in range(200)]
    while session.commands:
        pdu = session.recv()
        if pdu.opcode == p.REJECT:
            assert pdu.reason == p.REJ_IMMEDIATE
            itt = int.from_bytes(pdu.data[16:20], "big")
            assert session.commands.pop(itt)
    assert any(c.result for c in cmds)
    alive(session)


def test_nop_in_order(session):
    """4.2.3: a non-immediate NOP-Out is ordered like any command."""
    sn = session.take_cmdsn()
    pdu = session.send(PDU(p.NOP_OUT, flags=p.F, ttt=RESERVED_TAG, data=b"later"))
    assert quiet(session) == []
    session.send(PDU(p.NOP_OUT, flags=p.F, ttt=RESERVED_TAG, data=b"first", cmdsn=sn))
    assert session.wait_pdu(p.NOP_IN).data == b"first"
    assert session.wait_pdu(p.NOP_IN, pdu.itt).data == b"later"


def test_busy_itt(session, lun):
    """11.2.1.8: an ITT in use must not be used again: reject 07h (task in progress), or closing."""
    from helpers import outcome
    session.take_cmdsn()
    first = session.start(scsi.test_unit_ready(), lun=lun)           # held behind a gap
    session.send(PDU(p.SCSI_CMD, flags=p.F | p.SIMPLE, lun=lun, itt=first.itt, cdb=scsi.test_unit_ready(),
                     immediate=True))
    kind, what = outcome(session, first)
    if kind == "reject":
        assert what.reason in (p.REJ_TASK_IN_PROGRESS, p.REJ_PROTOCOL, p.REJ_INVALID_FIELD)
    else:
        assert kind == "closed", f"two tasks with one ITT: {what}"

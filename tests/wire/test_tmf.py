# SPDX-License-Identifier: BSD-3-Clause
"""Task management, all functions. RFC 7143 4.2.3.3, 11.5, 11.6; SAM-5 7."""

import pytest

from helpers import alive, pattern, quiet
from lib import pdu as p
from lib import scsi
from lib.initiator import sn_add
from lib.pdu import PDU

BASE = 16384


@pytest.fixture
def rw(daemon, lun):
    """A session in which every write is solicited, so that a write can be held."""
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"}) as s:
        s.clear_ua(lun)
        yield s


def held_write(s, lun, lba=BASE, **kw):
    """A write that waits for its data."""
    cmd = s.start(scsi.write10(lba, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True, **kw)
    while not cmd.r2ts:
        s.recv()
    return cmd


def gone(s, cmd):
    """The aborted command gets no status, and Data-Out for it harms nothing (11.5.1)."""
    assert cmd.result is None
    r = cmd.r2ts[-1]
    s.data_out(cmd, r.ttt, r.offset, r.length)
    seen = quiet(s)
    assert cmd.result is None, "status for an aborted task"
    assert all(x.opcode == p.REJECT for x in seen)
    s.commands.pop(cmd.itt)


def tmf_set(s, function, lun, held):
    """A TMF over a task set. By 4.2.3.3 the initiator answers the R2Ts that it holds, and the target may
    wait for that; the tasks get no status, and their data go nowhere."""
    pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=p.RESERVED_TAG))
    for c in held:
        s.data_out(c, c.r2ts[-1].ttt, c.r2ts[-1].offset, c.r2ts[-1].length)
    response = s.wait_pdu(p.TMF_RSP, pdu.itt).response
    assert all(x.opcode == p.REJECT for x in quiet(s))
    for c in held:
        assert c.result is None, "status for an aborted task"
        s.commands.pop(c.itt)
    return response


def test_abort_task(rw, lun):
    """11.5.1: the task named by the tag ends without status, with no effect on the disk."""
    old = pattern(4096, 1)
    rw.scsi(scsi.write10(BASE, 8), lun=lun, write=old).good()
    cmd = held_write(rw, lun)
    assert rw.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(rw.cmdsn, -1)) == p.TMF_COMPLETE
    gone(rw, cmd)
    assert rw.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == old


def test_abort_task_leaves_others(rw, lun):
    """11.5.1: Only that task."""
    a, b = held_write(rw, lun), held_write(rw, lun, BASE + 8)
    assert rw.tmf(p.ABORT_TASK, lun, ref_itt=a.itt, refcmdsn=sn_add(rw.cmdsn, -2)) == p.TMF_COMPLETE
    gone(rw, a)
    rw.answer_r2t(b, b.r2ts[0])
    rw.wait(b).good()


def test_abort_of_unknown_task(session, lun):
    """11.6.1: no such task: response 1; within the window by RefCmdSN "complete" is lawful too."""
    assert session.tmf(p.ABORT_TASK, lun, ref_itt=0x6666, refcmdsn=sn_add(session.cmdsn, -1)) == p.TMF_NO_TASK


def test_abort_of_a_lost_command(session, lun):
    """11.6.1 b): RefCmdSN in the window, below the TMF's own CmdSN, and never received: the target takes
    the number as received and answers 0; the session goes on after it."""
    alive(session)
    sn = session.take_cmdsn()
    assert session.tmf(p.ABORT_TASK, lun, ref_itt=0x7777, refcmdsn=sn) == p.TMF_COMPLETE
    session.scsi(scsi.test_unit_ready(), lun=lun).good()
    assert session.expcmdsn == session.cmdsn


def test_abort_of_a_command_behind_a_gap(session, lun):
    """11.5.1: a task received and not yet in order is aborted as well, and its number counts."""
    sn = session.take_cmdsn()
    cmd = session.start(scsi.write10(BASE, 1), lun=lun, write=b"\xee" * 512)
    assert session.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(sn, 1)) == p.TMF_COMPLETE
    session.wait(session.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn)).good()
    alive(session)
    assert cmd.result is None
    session.commands.pop(cmd.itt)
    assert session.scsi(scsi.read10(BASE, 1), lun=lun, read=512).good().data != b"\xee" * 512


def test_abort_task_wrong_lun(rw, lun):
    """The nexus is I_T_L_Q: the tag on another LUN is no task there (11.5.4)."""
    cmd = held_write(rw, lun)
    assert rw.tmf(p.ABORT_TASK, lun + 1, ref_itt=cmd.itt, refcmdsn=sn_add(rw.cmdsn, -1)) in (
        p.TMF_NO_TASK, p.TMF_NO_LUN, p.TMF_REJECTED)
    rw.answer_r2t(cmd, cmd.r2ts[0])
    rw.wait(cmd).good()


def test_abort_task_set(rw, daemon, lun):
    """SAM-5 7.3: all tasks of this nexus on the LU, none of another nexus."""
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"},
                        name="iqn.2026-01.example.test:other") as other:
        other.clear_ua(lun)
        theirs = held_write(other, lun, BASE + 64)
        mine = [held_write(rw, lun, BASE + 8 * i) for i in range(4)]
        assert tmf_set(rw, p.ABORT_TASK_SET, lun, mine) == p.TMF_COMPLETE
        other.answer_r2t(theirs, theirs.r2ts[0])
        other.wait(theirs).good()
        other.logout()


def test_clear_task_set(rw, daemon, lun):
    """SAM-5 7.5, 5.14: tasks of every nexus; the others learn by TASK ABORTED or a unit attention 2F/00,
    it may be after they have answered their R2Ts (4.2.3.3)."""
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"},
                        name="iqn.2026-01.example.test:other") as other:
        other.clear_ua(lun)
        theirs = held_write(other, lun, BASE + 64)
        mine = held_write(rw, lun)
        before = rw.scsi(scsi.read10(BASE + 64, 8), lun=lun, read=4096, attr=p.HEAD_OF_QUEUE).good().data
        assert tmf_set(rw, p.CLEAR_TASK_SET, lun, [mine]) == p.TMF_COMPLETE
        other.data_out(theirs, theirs.r2ts[0].ttt, 0, theirs.r2ts[0].length)
        alive(other)
        assert rw.scsi(scsi.read10(BASE + 64, 8), lun=lun, read=4096).good().data == before
        if theirs.result is None:           # TAS=0: unit attention instead of status
            other.commands.pop(theirs.itt)
            other.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION, (0x2F, 0x00))
        else:
            assert theirs.result.status == scsi.TASK_ABORTED
        other.clear_ua(lun).good()
        other.logout()


def test_logical_unit_reset(rw, daemon, lun):
    """SAM-5 6.3.3: all tasks end; each nexus gets 29/xx once; reservations of RESERVE go."""
    with daemon.session(name="iqn.2026-01.example.test:other") as other:
        other.clear_ua(lun)
        cmd = held_write(rw, lun)
        assert tmf_set(rw, p.LOGICAL_UNIT_RESET, lun, [cmd]) == p.TMF_COMPLETE
        for s in (rw, other):
            r = s.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION)
            assert r.sense.asc == 0x29 and r.sense.ascq in (0x00, 0x02, 0x03)
            s.clear_ua(lun).good()
        other.logout()


def test_logical_unit_reset_other_lun_untouched(rw, lun):
    """11.5.1: A reset of one unit is not felt on another."""
    rw.clear_ua(lun + 1)
    cmd = held_write(rw, lun + 1)
    assert rw.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
    rw.answer_r2t(cmd, cmd.r2ts[0])
    rw.wait(cmd).good()
    rw.scsi(scsi.test_unit_ready(), lun=lun + 1).good()
    rw.clear_ua(lun).good()


def test_reset_of_missing_lun(session):
    """11.6.1: LUN does not exist: response 2."""
    assert session.tmf(p.LOGICAL_UNIT_RESET, 99) == p.TMF_NO_LUN
    assert session.tmf(p.ABORT_TASK_SET, 99) == p.TMF_NO_LUN


def test_target_warm_reset(new_daemon, lun):
    """11.5.1: a reset of every LU, or "not supported"/"not authorised"; the session stays."""
    d = new_daemon()
    with d.session() as s:
        s.clear_ua(lun)
        s.clear_ua(lun + 1)
        r = s.tmf(p.TARGET_WARM_RESET)
        assert r in (p.TMF_COMPLETE, p.TMF_NOT_SUPPORTED, p.TMF_AUTH_FAILED)
        if r == p.TMF_COMPLETE:
            for n in (lun, lun + 1):
                s.scsi(scsi.test_unit_ready(), lun=n).check(scsi.UNIT_ATTENTION)
        s.clear_ua(lun).good()
        s.logout()


def test_target_cold_reset(new_daemon, lun):
    """11.5.1: as warm reset, and all connections of the target close."""
    from lib.initiator import Closed
    d = new_daemon()
    a, b = d.session(), d.session()
    a.clear_ua(lun)
    try:
        r = a.tmf(p.TARGET_COLD_RESET)
    except Closed:
        r = p.TMF_COMPLETE
    assert r in (p.TMF_COMPLETE, p.TMF_NOT_SUPPORTED, p.TMF_AUTH_FAILED)
    if r == p.TMF_COMPLETE:
        a.conn.expect_closed(allow=(p.ASYNC,))
        b.conn.expect_closed(allow=(p.ASYNC,))
    with d.session() as s:
        s.clear_ua(lun).good()
        s.logout()
    a.close()
    b.close()


def test_clear_aca(session, lun):
    """11.5.1: no ACA here: "not supported" (or function complete with nothing to clear)."""
    assert session.tmf(p.CLEAR_ACA, lun) in (p.TMF_NOT_SUPPORTED, p.TMF_COMPLETE)


def test_task_reassign_at_erl0(session, lun):
    """11.6.1: no reassignment below ErrorRecoveryLevel 2: 4 or 5."""
    assert session.tmf(p.TASK_REASSIGN, lun, ref_itt=0x4444) in (
        p.TMF_NO_REASSIGN, p.TMF_NOT_SUPPORTED, p.TMF_REJECTED, p.TMF_NO_TASK)


def test_report_supported_tmfs_tells_the_truth(session, lun):
    """SPC-4 6.36: what is reported works, what works is reported."""
    d = session.scsi(scsi.rstmf(), lun=lun, read=16).good().data
    atask, atset, caca, ctset, lur = (bool(d[0] & b) for b in (0x80, 0x40, 0x20, 0x10, 0x08))
    assert atask and lur
    for bit, function in ((atset, p.ABORT_TASK_SET), (caca, p.CLEAR_ACA), (ctset, p.CLEAR_TASK_SET)):
        assert (session.tmf(function, lun) != p.TMF_NOT_SUPPORTED) == bit


def test_tmf_waits_for_lower_cmdsn(session, lun):
    """4.2.3.3: an immediate TMF takes effect after all commands with a lower CmdSN have come: the reset
    waits for (or covers) the missing one, and the session goes on."""
    sn = session.take_cmdsn()
    held = session.start(scsi.test_unit_ready(), lun=lun)
    pdu = session.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.ABORT_TASK_SET, lun=lun,
                             ref_itt=p.RESERVED_TAG))
    session.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn)
    assert session.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
    alive(session)
    assert held.result is None or held.result.status == scsi.GOOD
    session.commands.clear()
    session.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_non_immediate_tmf(session, lun):
    """11.5: a TMF may be a numbered command."""
    sn = session.cmdsn
    assert session.tmf(p.ABORT_TASK_SET, lun, immediate=False) == p.TMF_COMPLETE
    assert session.expcmdsn == sn_add(sn, 1)


def test_many_aborts_under_load(rw, lun):
    """11.5.1: Aborts race completions: each command ends exactly one way, and the unit works on."""
    for round_ in range(20):
        cmds = [rw.start(scsi.read10(BASE + i, 4), lun=lun, read=2048) for i in range(8)]
        for c in cmds[::2]:
            rw.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.ABORT_TASK, lun=lun, ref_itt=c.itt,
                          refcmdsn=sn_add(rw.cmdsn, -1), itt=0x10000 + c.itt))
        for c in cmds[::2]:
            assert rw.wait_pdu(p.TMF_RSP, 0x10000 + c.itt).response in (p.TMF_COMPLETE, p.TMF_NO_TASK,
                                                                       p.TMF_REJECTED)
        for c in cmds[1::2]:
            rw.wait(c).good()
        alive(rw)
        rw.commands.clear()

# SPDX-License-Identifier: BSD-3-Clause
"""ErrorRecoveryLevel 2: connections fail, tasks go on. RFC 7143 6.3.4, 6.3.6, 7.1.4.3, 7.2.2, 11.5.6, 11.14, 11.15.

A connection is lost in each state that a task can be in; it is logged out for recovery, explicitly or by a login
with its CID; TASK REASSIGN takes the tasks to another connection, where not a byte is missing or wrong.
Session states while all connections are gone: test_fsm_session.py.
"""

import time

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, LoginFailed, Session, sn_add
from lib.pdu import PDU
from lib.recovery import replica

BASE = 54000
OTHER = "iqn.2026-01.example.test:reassign"
NBLOCKS = 128
TOTAL = NBLOCKS * 512


def open_two(wide, lun, **keys):
    """A session at level 2 of two connections, CIDs 0 and 1; segments of 4096 bytes."""
    s = wide_session(wide, **{"ErrorRecoveryLevel": 2, "MaxConnections": 8, "MaxRecvDataSegmentLength": 4096,
                              "DefaultTime2Retain": 60, "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes", **keys})
    s.clear_ua(lun)
    s.join(1, MaxRecvDataSegmentLength=4096)
    return s


@pytest.fixture
def two(wide, lun):
    with open_two(wide, lun) as s:
        yield s


def explicit(s, cid):
    """The failed connection is logged out for recovery on another, which the tasks are moved to."""
    r = s.logout_for_recovery(cid, s.conns[0])
    assert r.response == 0, f"Logout for recovery answered {r.response}"
    return s.conns[0]


def fresh(s, cid):
    """... on a connection made for it."""
    conn = s.join(7, MaxRecvDataSegmentLength=4096)
    assert s.logout_for_recovery(cid, conn).response == 0
    return conn


def implicit(s, cid):
    """Login with the same CID: the failed connection is logged out by that (6.3.4)."""
    return s.join(cid, MaxRecvDataSegmentLength=4096)


ways = pytest.mark.parametrize("way", [explicit, fresh, implicit], ids=lambda f: f.__name__)
lost_one = pytest.mark.parametrize("how", ["abort", "close"])


def started_write(s, lun, conn, lba, d):
    cmd = s.start(scsi.write10(lba, len(d) // 512), lun=lun, write=d, imm=0, unsolicited=0, hold_r2t=True, conn=conn)
    s.wait_until(lambda: cmd.r2ts, conn)
    return cmd


def go_on(s, cmd):
    """After a reassignment: answer R2Ts as they come, until the status."""
    cmd.hold_r2t = False
    s.wait_until(lambda: cmd.result is not None, cmd.conn)
    return cmd.result


def lost_read(s, lun, have=0):
    """A read on connection 1 of which `have` Data-In PDUs arrive and no status; all has been sent."""
    conn = s.conns[1]
    conn.lose = lambda pdu: pdu.opcode == p.SCSI_RSP or \
        pdu.opcode == p.DATA_IN and (pdu.datasn >= have or bool(pdu.flags & p.DIN_S))
    cmd = s.start(scsi.read10(BASE + 1000, NBLOCKS), lun=lun, read=TOTAL, conn=conn)
    while not any(x.opcode == p.SCSI_RSP or x.flags & p.DIN_S for x in conn.lost):
        alive(s, conn)
    conn.lose = None
    return cmd


def lost_status(s, conn, cdb, **kw):
    """A command on conn whose status does not arrive, though it was sent."""
    conn.lose = lambda pdu: pdu.opcode == p.SCSI_RSP
    cmd = s.start(cdb, conn=conn, **kw)
    while not conn.lost:
        alive(s, conn)
    conn.lose = None
    return cmd


def read_back(s, lun, lba, n, conn):
    return s.scsi(scsi.read10(lba, n // 512), lun=lun, read=n, conn=conn).good().data


# --- writes

@ways
@pytest.mark.parametrize("sent", [0, 4096, 20480, TOTAL - 4096])
def test_write_in_mid_data_out(two, lun, way, sent):
    """7.2.2: a write of which some data had come: the target asks, on the new connection, for what it lacks."""
    d = pattern(TOTAL, sent + 1)
    cmd = started_write(two, lun, two.conns[1], BASE, d)
    if sent:
        two.data_out(cmd, cmd.r2ts[0].ttt, 0, sent, step=4096, final=False)
    two.drop(two.conns[1])
    conn = way(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert read_back(two, lun, BASE, TOTAL, conn) == d


@ways
def test_write_whose_status_was_lost(two, lun, way):
    """7.2.2: a write that was carried out, but its status got lost: the status comes on the new connection, and
    the write is not carried out again."""
    d = pattern(4096, 3)
    cmd = lost_status(two, two.conns[1], scsi.write10(BASE + 200, 8), lun=lun, write=d)
    two.scsi(scsi.write10(BASE + 200, 8), lun=lun, write=bytes(4096), conn=two.conns[0]).good()
    two.drop(two.conns[1])
    conn = way(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert not cmd.r2ts, "data was asked for again"
    assert read_back(two, lun, BASE + 200, 4096, conn) == bytes(4096), "the write was carried out twice"


def test_check_condition_whose_status_was_lost(two, lun):
    """7.2.2, 11.4.7: status and sense are kept as they were."""
    cmd = lost_status(two, two.conns[1], scsi.read16(1 << 50, 1), lun=lun, read=512)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)
    assert cmd.result.underflow == 512


@pytest.mark.parametrize("n", [2, 16])
def test_many_writes(two, lun, n):
    """7.2.2: each task is reassigned by a request of its own, in any order."""
    blocks = [pattern(8192, i) for i in range(n)]
    cmds = [started_write(two, lun, two.conns[1], BASE + 300 + 16 * i, d) for i, d in enumerate(blocks)]
    for c in cmds[::2]:
        two.data_out(c, c.r2ts[0].ttt, 0, 4096, step=2048, final=False)
    two.drop(two.conns[1])
    conn = implicit(two, 1)
    for c in reversed(cmds):
        assert two.reassign(c, conn) == p.TMF_COMPLETE
        c.hold_r2t = False
    for c in cmds:
        go_on(two, c).good()
    for i, d in enumerate(blocks):
        assert read_back(two, lun, BASE + 300 + 16 * i, 8192, conn) == d


def test_write_moved_twice(two, lun):
    """7.2.2: a task can be moved as often as its connections fail."""
    d = pattern(TOTAL, 9)
    cmd = started_write(two, lun, two.conns[1], BASE + 600, d)
    two.data_out(cmd, cmd.r2ts[0].ttt, 0, 8192, step=4096, final=False)
    two.drop(two.conns[1])
    for turn in range(3):
        conn = implicit(two, 1)
        assert two.reassign(cmd, conn) == p.TMF_COMPLETE
        at = len(cmd.r2ts)
        two.wait_until(lambda: len(cmd.r2ts) > at, conn)
        r = cmd.r2ts[-1]
        two.data_out(cmd, r.ttt, r.offset, 8192, conn=conn, step=4096, final=False)
        two.drop(conn)
        assert turn < 3
    conn = implicit(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert read_back(two, lun, BASE + 600, TOTAL, conn) == d


# --- reads

@pytest.fixture
def data(two, lun):
    d = pattern(TOTAL, 55)
    two.scsi(scsi.write10(BASE + 1000, NBLOCKS), lun=lun, write=d).good()
    return d


@ways
@pytest.mark.parametrize("have", [0, 1, 5, 15, 16])
def test_read_in_mid_data_in(two, lun, data, way, have):
    """7.2.2, 11.5.6: a read of which `have` Data-In PDUs arrived: ExpDataSN tells, and the rest comes on the new
    connection, numbered on."""
    cmd = lost_read(two, lun, have)
    assert min(have, 15) <= len(cmd.seen) <= have
    two.drop(two.conns[1])
    conn = way(two, 1)
    assert two.reassign(cmd, conn, expdatasn=len(cmd.seen)) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    two.complete(cmd)
    assert not cmd.again, "what had arrived came again"
    assert two.data(cmd) == data


@pytest.mark.parametrize("way", [explicit, implicit], ids=lambda f: f.__name__)
def test_read_from_the_start(two, lun, data, way):
    """11.5.6: ExpDataSN 0: all data comes again, as no Data-In was acknowledged."""
    two.ack_data = False
    cmd = lost_read(two, lun, 9)
    two.drop(two.conns[1])
    conn = way(two, 1)
    cmd.seen.clear()
    assert two.reassign(cmd, conn, expdatasn=0) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert two.data(cmd) == data


@pytest.mark.parametrize("mrdsl", [512, 2048, 65536])
def test_read_in_other_segments(two, lun, data, mrdsl):
    """7.2.2, 11.5.6: the new connection has another MaxRecvDataSegmentLength: the data comes again from what is not
    acknowledged (ExpDataSN is the acknowledgement reference), cut for the new connection."""
    two.ack_data = False
    cmd = lost_read(two, lun, 5)
    two.drop(two.conns[1])
    conn = two.join(1, MaxRecvDataSegmentLength=mrdsl)
    cmd.seen.clear()
    cmd.data_in[:] = b""
    assert two.reassign(cmd, conn, expdatasn=0) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert two.data(cmd) == data


def test_read_is_what_was_read(two, lun, data):
    """7.2.2, 11.16: what comes after the reassignment belongs to what came before it: the blocks as they were when
    the command read them, though they were overwritten meanwhile."""
    cmd = lost_read(two, lun, 6)
    two.scsi(scsi.write10(BASE + 1000, NBLOCKS), lun=lun, write=bytes(TOTAL), conn=two.conns[0]).good()
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    assert two.reassign(cmd, conn, expdatasn=6) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert two.data(cmd) == data


@pytest.mark.parametrize("expdatasn", [17, 1000, 0xFFFFFFFF])
def test_expdatasn_never_sent(two, lun, data, expdatasn):
    """11.5.6: an ExpDataSN beyond what was sent is ignored: all that is not acknowledged comes again."""
    cmd = lost_read(two, lun)
    two.drop(two.conns[1])
    assert two.reassign(cmd, explicit(two, 1), expdatasn=expdatasn) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    two.complete(cmd)
    assert two.data(cmd) == data


# --- what else a task can be

def test_command_that_waited_for_its_turn(two, lun):
    """7.2.2, 4.2.2.1: a command that had not been delivered, for a gap in CmdSN, is reassigned, or was lost and is
    sent again; it is carried out once."""
    sn = two.take_cmdsn()
    mine = two.cmdsn
    cmd = two.start(scsi.write10(BASE + 1300, 1), lun=lun, write=b"W" * 512, conn=two.conns[1])
    quiet(two, two.conns[1])
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    response = two.reassign(cmd, conn)
    assert response in (p.TMF_COMPLETE, p.TMF_NO_TASK)
    two.scsi(scsi.test_unit_ready(), lun=lun, cmdsn=sn, conn=conn).good()
    if response == p.TMF_NO_TASK:
        two.commands.pop(cmd.itt)
        cmd = two.start(scsi.write10(BASE + 1300, 1), lun=lun, write=b"W" * 512, cmdsn=mine, conn=conn)
    go_on(two, cmd).good()
    assert read_back(two, lun, BASE + 1300, 512, conn) == b"W" * 512


def test_command_lost_with_the_connection(two, lun):
    """7.2.1: a command that never arrived is no task (response 1, 11.6.1): it is retried with its CmdSN."""
    sn = two.take_cmdsn()
    lost = two.take_itt()
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=lost, conn=conn) == p.TMF_NO_TASK
    waits = two.start(scsi.read10(0, 1), lun=lun, read=512, conn=conn)
    assert quiet(two, conn) == [] and waits.result is None
    two.scsi(scsi.test_unit_ready(), lun=lun, itt=lost, cmdsn=sn, conn=conn).good()
    two.wait(waits).good()


def test_task_whose_status_was_acknowledged(two, lun):
    """7.2.2: what the initiator has acknowledged is no task any more."""
    cmd = two.start(scsi.test_unit_ready(), lun=lun, conn=two.conns[1])
    two.wait(cmd).good()
    alive(two, two.conns[1])
    alive(two, two.conns[1])
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=conn) == p.TMF_NO_TASK


# --- when it does not work

def test_still_allegiant(two, lun):
    """11.6.1 response 3: the task's connection lives: it is not moved, and goes on where it is."""
    d = pattern(8192, 4)
    cmd = started_write(two, lun, two.conns[1], BASE + 1400, d)
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=two.conns[0]) == p.TMF_STILL_ALLEGIANT
    two.answer_r2t(cmd, cmd.r2ts[0])
    two.wait(cmd).good()
    assert read_back(two, lun, BASE + 1400, 8192, two.conns[0]) == d


def test_reassign_on_its_own_connection(two, lun):
    """11.6.1 response 3: neither on the connection that it already has."""
    cmd = started_write(two, lun, two.conns[1], BASE + 1420, pattern(8192, 5))
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=two.conns[1]) == p.TMF_STILL_ALLEGIANT
    two.answer_r2t(cmd, cmd.r2ts[0])
    two.wait(cmd).good()


def test_tag_taken_by_a_new_command(two, lun):
    """11.2.1.8, 11.6.1 response 3: a tag is one task's in the session. Where it was given to a second command, on
    the connection that lives, that one keeps it, and the task that lost its connection is not moved there."""
    d, e = pattern(8192, 7), pattern(8192, 8)
    cmd = started_write(two, lun, two.conns[1], BASE + 1460, d)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    second = two.start(scsi.write10(BASE + 1480, 16), lun=lun, write=e, imm=0, unsolicited=0, hold_r2t=True, conn=conn,
                       itt=cmd.itt)
    two.wait_until(lambda: second.r2ts, conn)
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=conn) == p.TMF_STILL_ALLEGIANT
    two.answer_r2t(second, second.r2ts[0])
    two.wait(second).good()
    assert read_back(two, lun, BASE + 1480, 8192, conn) == e
    # Its tag is free again.
    two.commands[cmd.itt] = cmd
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert read_back(two, lun, BASE + 1460, 8192, conn) == d


def test_command_with_the_tag_of_a_task_that_is_coming(two, lun):
    """11.2.1.8, 11.17.1 reason 7: a command right behind the request that brings a task of its tag is rejected."""
    d = pattern(8192, 9)
    cmd = started_write(two, lun, two.conns[1], BASE + 1500, d)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    tmf = PDU(p.TMF_REQ, immediate=True, flags=p.F | p.TASK_REASSIGN, lun=lun, itt=two.take_itt(), ref_itt=cmd.itt,
              cmdsn=two.cmdsn)
    tur = PDU(p.SCSI_CMD, immediate=True, flags=p.F | p.SIMPLE, lun=lun, itt=cmd.itt, edtl=0,
              cdb=scsi.test_unit_ready(), cmdsn=two.cmdsn)
    tmf.expstatsn = tur.expstatsn = conn.expstatsn
    cmd.conn, cmd.moved = conn, True
    cmd.open_r2t.clear()
    # In one piece, so that the target has read both before the task can have come.
    conn.send_raw(tmf.encode() + tur.encode())
    reject = two.wait_pdu(p.REJECT, conn=conn)
    assert reject.reason == p.REJ_TASK_IN_PROGRESS and reject.data[16:20] == cmd.itt.to_bytes(4, "big")
    assert two.wait_pdu(p.TMF_RSP, tmf.itt, conn=conn).response == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert read_back(two, lun, BASE + 1500, 8192, conn) == d


@pytest.mark.parametrize("itt", [0x7FFF0001, 0, RESERVED_TAG])
def test_no_such_task(two, lun, itt):
    """11.6.1 response 1."""
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=itt, conn=two.conns[0]) in (p.TMF_NO_TASK, p.TMF_REJECTED)
    alive(two)


def test_reassign_of_another_sessions_task(wide, two, lun):
    """11.6.1, 7.2.2: tasks are moved within their session only."""
    cmd = started_write(two, lun, two.conns[1], BASE + 1440, pattern(8192, 6))
    two.drop(two.conns[1])
    with wide_session(wide, ErrorRecoveryLevel=2, MaxConnections=2, name="iqn.2026-01.example.test:other") as other:
        other.clear_ua(lun)
        assert other.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt) in (p.TMF_NO_TASK, p.TMF_REJECTED)
    conn = explicit(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).good()


@pytest.mark.parametrize("level", [0, 1])
def test_no_reassignment_below_level_2(wide, lun, level):
    """11.6.1 response 4, 7.1.5: below level 2 there is no reassignment, and no logout for recovery (11.15.1,
    response 2)."""
    with wide_session(wide, ErrorRecoveryLevel=level) as s:
        s.clear_ua(lun)
        assert s.tmf(p.TASK_REASSIGN, lun, ref_itt=0x4444) in (p.TMF_NO_REASSIGN, p.TMF_NOT_SUPPORTED)
        assert s.logout(reason=2, cid=0, close=False).response == 2
        alive(s)


# --- logout for recovery

@pytest.mark.parametrize("way", [explicit, implicit], ids=lambda f: f.__name__)
def test_who_logs_out_is_not_told_of_it(two, way):
    """11.9.1, 6.3.4: a connection that lives and is logged out, or replaced by one with its CID, is not reported as
    dropped: that CID may be in use again when the message comes."""
    way(two, 1)
    assert all(x.opcode != p.ASYNC for x in quiet(two, two.conns[0]) + two.inbox)


def test_logout_of_a_live_connection_for_recovery(two, lun):
    """11.14.1 reason 2: a connection that lives is closed by it, and its tasks wait to be moved."""
    d = pattern(8192, 7)
    cmd = started_write(two, lun, two.conns[1], BASE + 1500, d)
    assert two.logout_for_recovery(1, two.conns[0]).response == 0
    two.conns[1].expect_closed(allow=(p.ASYNC,))
    two.conns.pop()
    assert two.reassign(cmd, two.conns[0]) == p.TMF_COMPLETE
    go_on(two, cmd).good()
    assert read_back(two, lun, BASE + 1500, 8192, two.conns[0]) == d


def test_logout_of_itself_for_recovery(two, lun):
    """11.14.1 reason 2, on the connection itself: response, close, and its tasks wait."""
    cmd = started_write(two, lun, two.conns[1], BASE + 1520, pattern(8192, 8))
    assert two.logout_for_recovery(1, two.conns[1]).response == 0
    two.conns[1].expect_closed()
    two.conns.pop()
    assert two.reassign(cmd, two.conns[0]) == p.TMF_COMPLETE
    go_on(two, cmd).good()


def test_recovery_logout_of_no_connection(two):
    """11.15.1 response 1: the CID is none of the session's."""
    assert two.logout_for_recovery(99, two.conns[0]).response == 1
    alive(two)


@pytest.mark.parametrize("wait, retain", [(0, 60), (2, 20), (1, 3600)])
def test_times_in_the_logout_response(wide, lun, wait, retain):
    """11.15.3, 11.15.4: Time2Wait and Time2Retain, within what was negotiated."""
    with open_two(wide, lun, DefaultTime2Wait=wait, DefaultTime2Retain=retain) as s:
        s.drop(s.conns[1])
        r = s.logout_for_recovery(1, s.conns[0])
        assert r.response == 0 and r.time2wait <= s.num("DefaultTime2Wait")
        assert r.time2retain <= s.num("DefaultTime2Retain")


def test_close_instead_of_recovery(two, lun):
    """11.14.1 reason 1, 7.6: the failed connection is closed, not recovered: its tasks end."""
    cmd = started_write(two, lun, two.conns[1], BASE + 1540, pattern(8192, 9))
    two.drop(two.conns[1])
    assert two.logout(reason=1, cid=1, conn=two.conns[0], close=False).response == 0
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=two.conns[0]) == p.TMF_NO_TASK


def test_tasks_are_not_kept_for_ever(wide, lun):
    """7.5.1, 7.6: when Time2Wait and Time2Retain are over the tasks of a failed connection end."""
    with open_two(wide, lun, DefaultTime2Wait=0, DefaultTime2Retain=1) as s:
        old = read_back(s, lun, BASE + 1560, 4096, s.conns[0])
        cmd = started_write(s, lun, s.conns[1], BASE + 1560, b"\xee" * 4096)
        s.drop(s.conns[1])
        other = s.start(scsi.write10(BASE + 1570, 8), lun=lun, write=bytes(4096), imm=0, unsolicited=0, hold_r2t=True)
        s.wait_until(lambda: other.r2ts)
        deadline, answers = time.monotonic() + 15, set()
        while p.TMF_NO_TASK not in answers:
            assert time.monotonic() < deadline, "the task was kept longer than Time2Retain"
            answers.add(s.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=s.conns[0]))
        assert answers == {p.TMF_STILL_ALLEGIANT, p.TMF_NO_TASK}
        assert read_back(s, lun, BASE + 1560, 4096, s.conns[0]) == old


# --- other requests about parked tasks

@pytest.mark.parametrize("function", [p.ABORT_TASK, p.ABORT_TASK_SET, p.CLEAR_TASK_SET, p.LOGICAL_UNIT_RESET])
def test_abort_of_a_parked_task(two, lun, function):
    """11.5.1, 7.2.2: a task that waits for its reassignment can be aborted; then it is none."""
    old = read_back(two, lun, BASE + 1600, 8192, two.conns[0])
    cmd = started_write(two, lun, two.conns[1], BASE + 1600, b"\xee" * 8192)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    ref = {"ref_itt": cmd.itt, "refcmdsn": sn_add(two.cmdsn, -1)} if function == p.ABORT_TASK else {}
    assert two.tmf(function, lun, conn=conn, **ref) == p.TMF_COMPLETE
    assert two.tmf(p.TASK_REASSIGN, lun, ref_itt=cmd.itt, conn=conn) == p.TMF_NO_TASK
    two.clear_ua(lun)
    assert read_back(two, lun, BASE + 1600, 8192, conn) == old


def test_abort_after_reassignment(two, lun):
    """11.5.1: after its move a task is aborted as any other."""
    cmd = started_write(two, lun, two.conns[1], BASE + 1620, b"\xee" * 8192)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    quiet(two, conn)
    assert two.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(two.cmdsn, -1), conn=conn) == p.TMF_COMPLETE
    assert cmd.result is None


@pytest.mark.parametrize("acknowledged", ["while it is lost", "after the logout"])
def test_response_that_a_fence_held_back(wide, lun, acknowledged):
    """7.2.2, 4.2.2.3.3: a status that waited at a response fence when its connection was lost moves with its task,
    whenever the fence opens."""
    with open_two(wide, lun, TaskReporting="ResponseFence") as s, wide_session(wide, name=OTHER) as other:
        keeps, lost = s.conns
        other.clear_ua(lun)
        keeps.ack = keeps.expstatsn
        s.wait(s.start(scsi.test_unit_ready(), lun=lun, conn=keeps))
        assert other.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
        cmd = s.start(scsi.test_unit_ready(), lun=lun, conn=lost)
        quiet(s, lost)
        assert cmd.result is None, "the unit attention did not wait"
        s.drop(lost, "close")
        if acknowledged == "while it is lost":
            keeps.ack = None
            alive(s, keeps)
        explicit(s, 1)
        keeps.ack = None
        alive(s, keeps)
        assert s.reassign(cmd, keeps) == p.TMF_COMPLETE
        go_on(s, cmd).check(scsi.UNIT_ATTENTION, (0x29, 0x03))
        alive(s, keeps)


def test_session_reinstatement_ends_parked_tasks(wide, two, lun):
    """6.3.5, 7.6: TSIH 0 ends the session and all that waits in it."""
    old = read_back(two, lun, BASE + 1640, 8192, two.conns[0])
    started_write(two, lun, two.conns[1], BASE + 1640, b"\xee" * 8192)
    two.drop(two.conns[1])
    with Session.open(wide.address, wide.iqn, isid=two.isid) as new:
        new.clear_ua(lun)
        assert new.scsi(scsi.read10(BASE + 1640, 16), lun=lun, read=8192).good().data == old
        new.logout()


def test_logout_of_the_session_ends_parked_tasks(wide, two, lun):
    """11.14.5: reason 0 with tasks parked."""
    old = read_back(two, lun, BASE + 1660, 8192, two.conns[0])
    started_write(two, lun, two.conns[1], BASE + 1660, b"\xee" * 8192)
    two.drop(two.conns[1])
    assert two.logout(close=False).response == 0
    with pytest.raises(LoginFailed):
        two.join(5)
    with wide.session() as w:
        w.clear_ua(lun)
        assert w.scsi(scsi.read10(BASE + 1660, 16), lun=lun, read=8192).good().data == old
        w.logout()


@lost_one
def test_other_connections_go_on(two, lun, how):
    """7.1.4.3: while tasks of a failed connection wait nobody else does."""
    cmd = started_write(two, lun, two.conns[1], BASE + 1700, pattern(8192, 10))
    two.drop(two.conns[1], how)
    for i in range(20):
        two.scsi(scsi.read10(i, 8), lun=lun, read=4096).good()
    conn = explicit(two, 1)
    assert two.reassign(cmd, conn) == p.TMF_COMPLETE
    go_on(two, cmd).good()


def test_statsn_and_snack_on_the_new_connection(two, lun, data):
    """4.2.2.2, 11.16: after the move the task's PDUs count on the new connection, where they can be asked for."""
    cmd = lost_read(two, lun)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    left = {2, 3}
    conn.ack = conn.expstatsn           # no status is acknowledged before all data is there (7.9)
    conn.lose = lambda pdu: pdu.opcode == p.DATA_IN and pdu.datasn in left and not left.discard(pdu.datasn)
    assert two.reassign(cmd, conn, expdatasn=0) == p.TMF_COMPLETE
    two.complete(cmd).good()
    assert two.data(cmd) == data and len(conn.lost) == 2


def test_status_again_when_all_data_had_come(two, lun, data):
    """11.5.6, 11.16: all Data-In had come, so that only the status comes on the new connection; lost there, too, it
    comes by a Status SNACK as it was."""
    cmd = lost_read(two, lun, 16)
    two.drop(two.conns[1])
    conn = explicit(two, 1)
    conn.ack = conn.expstatsn
    conn.lose = lambda pdu: pdu.opcode == p.SCSI_RSP
    assert two.reassign(cmd, conn, expdatasn=16) == p.TMF_COMPLETE
    alive(two, conn)
    conn.lose, conn.replay = None, True
    two.snack_status(conn.lost[0].statsn, 1, conn)
    again = two.recv(conn)
    assert replica(conn.lost[0], again), f"{conn.lost[0]} came again as {again}"
    conn.ack = None
    alive(two, conn)

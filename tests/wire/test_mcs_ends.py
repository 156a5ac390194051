# SPDX-License-Identifier: BSD-3-Clause
"""Connections that leave a session, get lost, are taken over or come under load. RFC 7143 6.3.4, 6.3.5, 7.2.1,
7.14, 11.14, 11.15. At ErrorRecoveryLevel 0; level 2: test_reassign.py.
"""

import threading

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, LoginFailed, Session, sn_add
from lib.pdu import PDU

BASE = 40000


def held(s, lun, conn, lba, byte=b"\xee"):
    cmd = s.start(scsi.write10(lba, 8), lun=lun, write=byte * 4096, imm=0, unsolicited=0, hold_r2t=True, conn=conn)
    s.wait_until(lambda: cmd.r2ts, conn)
    return cmd


def finish(s, cmd):
    s.answer_r2t(cmd, cmd.r2ts[-1])
    s.wait(cmd).good()


def gone(conn):
    conn.expect_closed(allow=(p.ASYNC,))


# --- logout

@pytest.mark.parametrize("leaves, asks", [(1, 0), (3, 2), (0, 1), (0, 3)])
def test_logout_of_another(four, lun, leaves, asks):
    """11.14.1 reason 1, 11.14.3: a connection is closed by a logout on another; the leading one, too. The rest
    of the session goes on, and the CID is free again."""
    conn = four.conns[leaves]
    other = held(four, lun, four.conns[asks], BASE)
    assert four.logout(reason=1, cid=leaves, conn=four.conns[asks], close=False).response == 0
    gone(conn)
    four.conns.remove(conn)
    finish(four, other)
    for c in four.conns:
        alive(four, c)
    alive(four, four.join(leaves))


@pytest.mark.parametrize("which", [0, 1, 3])
def test_logout_of_itself(four, lun, which):
    """11.14.1 reason 1: a connection logs itself out; the others go on."""
    conn = four.conns[which]
    assert four.logout(reason=1, cid=which, conn=conn, close=False).response == 0
    conn.expect_closed()
    four.conns.remove(conn)
    for c in four.conns:
        four.scsi(scsi.test_unit_ready(), lun=lun, conn=c).good()


@pytest.mark.parametrize("which", [0, 2])
def test_logout_of_the_session(four, which):
    """11.14.1 reason 0, T8: whichever connection asks, all connections of the session are closed (N11)."""
    assert four.logout(reason=0, conn=four.conns[which], close=False).response == 0
    for conn in four.conns:
        gone(conn)


def test_logout_of_no_connection(four):
    """11.15.1: response 1, CID not found, on any connection."""
    for conn in four.conns:
        assert four.logout(reason=1, cid=99, conn=conn, close=False).response == 1
        alive(four, conn)


def test_logout_one_after_the_other(four):
    """8.3.4 N11: the session ends with its last connection."""
    for cid in (2, 0, 3):
        assert four.logout(reason=1, cid=cid, conn=four.conns[1], close=False).response == 0
        alive(four, four.conns[1])
    assert four.logout(reason=1, cid=1, conn=four.conns[1], close=False).response == 0
    gone(four.conns[1])
    with pytest.raises(LoginFailed) as e:
        four.join(1)
    assert e.value.status == 0x020A


@pytest.mark.parametrize("reason", [0, 1])
def test_logout_ends_the_tasks(four, lun, reason):
    """11.14.5, 7.6: tasks that belong to the connections that leave end without status, and without effect."""
    old = four.scsi(scsi.read10(BASE + 100, 8), lun=lun, read=4096).good().data
    cmd = held(four, lun, four.conns[1], BASE + 100)
    assert four.logout(reason=reason, cid=1, conn=four.conns[0], close=False).response == 0
    gone(four.conns[1])
    assert cmd.result is None
    with Session.open(four.address, four.target) as w:
        w.clear_ua(lun)
        assert w.scsi(scsi.read10(BASE + 100, 8), lun=lun, read=4096).good().data == old
        w.logout()


def test_commands_before_a_numbered_logout(four, lun):
    """4.2.2.1, 11.14: a numbered logout of another connection takes its turn: a write with a lower CmdSN, on
    the connection that leaves, is delivered before."""
    cmd = four.start(scsi.write10(BASE + 120, 1), lun=lun, write=b"L" * 512, conn=four.conns[2])
    pdu = four.send(PDU(p.LOGOUT_REQ, flags=p.F | 1, cid=3), four.conns[0])
    four.wait(cmd).good()
    assert four.wait_pdu(p.LOGOUT_RSP, pdu.itt, conn=four.conns[0]).response == 0
    gone(four.conns[3])
    alive(four, four.conns[2])


# --- loss

@pytest.mark.parametrize("how", ["abort", "close"])
@pytest.mark.parametrize("lost", [0, 2])
def test_loss_of_one(four, lun, lost, how):
    """7.14, 8.1.4 T15: a lost connection takes its own tasks along and nothing else: the leading one, too."""
    old = four.scsi(scsi.read10(BASE + 200, 8), lun=lun, read=4096).good().data
    dies = held(four, lun, four.conns[lost], BASE + 200)
    lives = held(four, lun, four.conns[1], BASE + 208, b"\x11")
    four.drop(four.conns[lost], how)
    finish(four, lives)
    for c in four.conns:
        alive(four, c)
        assert four.scsi(scsi.read10(BASE + 200, 8), lun=lun, read=4096, conn=c).good().data == old
    assert dies.result is None
    alive(four, four.join(lost))


def test_loss_of_all_but_one(four, lun):
    """7.14, 8.3.4: the session lives while one connection does."""
    for conn in list(four.conns[:3]):
        four.drop(conn)
    four.scsi(scsi.test_unit_ready(), lun=lun, conn=four.conns[0]).good()
    for cid in (0, 1, 2):
        alive(four, four.join(cid))


def test_loss_of_all(wide, four, lun):
    """8.3.4 N5, N6: with the last connection the session fails, and at ErrorRecoveryLevel 0 with
    DefaultTime2Retain 0 nothing is left of it."""
    for conn in list(four.conns):
        four.drop(conn)
    with wide.session(isid=four.isid) as s:
        s.clear_ua(lun).good()
        s.logout()


def test_gap_left_by_a_lost_connection(four, lun):
    """7.2.1, 4.2.2.1: a command that got lost with its connection leaves a gap that blocks the others until
    the initiator sends the command again, same CmdSN, on another connection."""
    sn = four.take_cmdsn()              # "sent" on connection 3 as it broke
    waits = [four.start(scsi.read10(i, 1), lun=lun, read=512, conn=four.conns[i]) for i in range(3)]
    four.drop(four.conns[3])
    for conn in four.conns:
        assert quiet(four, conn) == []
    retry = four.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn, conn=four.conns[1])
    for r in four.wait_all([*waits, retry]):
        r.good()


def test_command_before_what_ends_its_connection(four, lun):
    """4.2.2.1: a command that came in its order has taken its number, also if what follows it in the same
    segment ends the connection: those of others do not wait for it."""
    conn = four.conns[3]
    with conn.together():
        four.start(scsi.test_unit_ready(), lun=lun, conn=conn)
        four.start(scsi.test_unit_ready(), lun=lun, conn=conn, cmdsn=sn_add(four.cmdsn, 1))
        conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=400, ttt=RESERVED_TAG, cmdsn=four.cmdsn),
                  data_len=0xFFFFFF)    # more than MaxRecvDataSegmentLength
    behind = four.start(scsi.test_unit_ready(), lun=lun, conn=four.conns[0])
    gone(conn)
    four.wait(behind).good()
    at = four.cmdsn
    alive(four, four.conns[0])
    assert four.expcmdsn == at, "what waited for its turn on the connection that has gone is not held"


def test_command_held_on_a_lost_connection(four, lun):
    """4.2.5.1, 7.6: a command that waits behind a gap dies with its connection; its number is taken all the
    same, or may be sent again on another: either way the commands behind it get their turn."""
    first = four.take_cmdsn()
    held_sn = four.cmdsn
    four.start(scsi.test_unit_ready(), lun=lun, conn=four.conns[3])
    behind = four.start(scsi.read10(0, 1), lun=lun, read=512, conn=four.conns[0])
    quiet(four, four.conns[3])
    four.drop(four.conns[3])
    gap = four.start(scsi.test_unit_ready(), lun=lun, cmdsn=first, conn=four.conns[1])
    four.wait(gap).good()
    alive(four, four.conns[1])
    if four.expcmdsn == held_sn:
        four.wait(four.start(scsi.test_unit_ready(), lun=lun, cmdsn=held_sn, conn=four.conns[2])).good()
    four.wait(behind).good()


def test_partial_write_of_a_lost_connection(four, lun):
    """7.6: of a write whose connection broke in mid Data-Out nothing lands after the loss was noticed, and
    blocks are old or new as a whole."""
    old = pattern(64 * 512, 1)
    four.scsi(scsi.write10(BASE + 300, 64), lun=lun, write=old).good()
    new = pattern(64 * 512, 2)
    cmd = four.start(scsi.write10(BASE + 300, 64), lun=lun, write=new, imm=0, unsolicited=0, hold_r2t=True,
                     conn=four.conns[2])
    four.wait_until(lambda: cmd.r2ts, four.conns[2])
    four.data_out(cmd, cmd.r2ts[0].ttt, 0, 8192, step=1024, final=False)
    four.drop(four.conns[2])
    got = four.scsi(scsi.read10(BASE + 300, 64), lun=lun, read=len(old)).good().data
    for i in range(64):
        block = got[i * 512:(i + 1) * 512]
        assert block in (old[i * 512:(i + 1) * 512], new[i * 512:(i + 1) * 512])


# --- reinstatement

@pytest.mark.parametrize("cid", [0, 1, 3])
@pytest.mark.parametrize("alive_before", [True, False], ids=["live", "lost"])
def test_connection_reinstatement(four, lun, cid, alive_before):
    """6.3.4: a login with TSIH and the CID of a connection, alive or lost, logs that one out and takes its
    place; at ErrorRecoveryLevel 0 its tasks are gone, those of the others are not."""
    old = four.scsi(scsi.read10(BASE + 400, 8), lun=lun, read=4096).good().data
    dies = held(four, lun, four.conns[cid], BASE + 400)
    lives = held(four, lun, four.conns[2], BASE + 408, b"\x22")
    before = four.conns[cid]
    four.conns.remove(before)
    if not alive_before:
        before.abort()
    conn = four.join(cid)
    if alive_before:
        gone(before)
    alive(four, conn)
    finish(four, lives)
    assert dies.result is None
    assert four.scsi(scsi.read10(BASE + 400, 8), lun=lun, read=4096, conn=conn).good().data == old
    assert four.tmf(p.ABORT_TASK, lun, ref_itt=dies.itt, refcmdsn=sn_add(four.cmdsn, -1)) in (p.TMF_NO_TASK,
                                                                                            p.TMF_COMPLETE)


def test_reinstatement_at_the_limit(wide, lun):
    """6.3.4, 13.2: taking over a CID is no further connection: it works with MaxConnections in use."""
    with wide_session(wide, MaxConnections=2) as s:
        s.clear_ua(lun)
        s.join(1)
        for _ in range(4):
            before = s.conns.pop()
            alive(s, s.join(1))
            gone(before)
        alive(s, s.conns[0])


def test_refused_reinstatement_leaves_the_connection(wide, four):
    """6.3.4: a login that fails before its end reinstates nothing."""
    with pytest.raises(LoginFailed):
        Session.open(wide.address, "iqn.2026-01.example.test:nobody", isid=four.isid, tsih=four.tsih, cid=1)
    for conn in four.conns:
        alive(four, conn)


def test_session_reinstatement_closes_all(wide, four, lun):
    """6.3.5: TSIH 0 with the same name and ISID: all connections of the old session close."""
    old = four.scsi(scsi.read10(BASE + 500, 8), lun=lun, read=4096).good().data
    for conn in four.conns:
        held(four, lun, conn, BASE + 500)
    with wide.session(isid=four.isid) as new:
        for conn in four.conns:
            gone(conn)
        new.clear_ua(lun)
        assert new.scsi(scsi.read10(BASE + 500, 8), lun=lun, read=4096).good().data == old
        new.logout()


# --- under load

def test_come_and_go_under_load(wide, lun):
    """4.2.5.1, 11.14: connections join and leave for a while in which one connection never stops; nothing of
    its commands fails or waits for ever."""
    with wide_session(wide, MaxConnections=4) as s:
        s.clear_ua(lun)
        for turn in range(30):
            cid = 1 + turn % 3
            inflight = [s.start(scsi.read10(i, 8), lun=lun, read=4096) for i in range(8)]
            conn = s.join(cid)
            inflight += [s.start(scsi.write10(BASE + 600 + i, 1), lun=lun, write=bytes([turn]) * 512, conn=conn)
                         for i in range(8)]
            for r in s.wait_all(inflight):
                r.good()
            s.conns.remove(conn)
            if turn % 2:
                assert s.logout(reason=1, cid=cid, close=False).response == 0
                gone(conn)
            else:
                conn.abort()
        assert s.scsi(scsi.read10(BASE + 600, 1), lun=lun, read=512).good().data == bytes([29]) * 512
        s.logout()


def test_sessions_side_by_side(wide, lun):
    """4.4.3: sessions of several connections each, driven by threads: no session feels the others."""
    errors = []

    def run(n):
        try:
            with wide_session(wide, MaxConnections=4, name=f"iqn.2026-01.example.test:side-{n}") as s:
                s.clear_ua(lun)
                for cid in (1, 2, 3):
                    s.join(cid)
                at = BASE + 1000 + 200 * n
                for turn in range(6):
                    d = [pattern(16 * 512, n * 100 + turn * 10 + i) for i in range(4)]
                    s.wait_all([s.start(scsi.write10(at + 16 * i, 16), lun=lun, write=d[i], conn=s.conns[i])
                                for i in range(4)])
                    got = s.wait_all([s.start(scsi.read10(at + 16 * i, 16), lun=lun, read=8192,
                                              conn=s.conns[(i + turn) % 4]) for i in range(4)])
                    assert [r.good().data for r in got] == d
                s.logout(close=False)
        except BaseException as e:      # pylint: disable=broad-exception-caught
            errors.append(e)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_ping_during_loss(four, lun):
    """7.14: a connection that is lost while a command of another is held behind it: nothing stalls."""
    for turn in range(10):
        cmds = [four.start(scsi.write10(BASE + 900 + i, 1), lun=lun, write=bytes([turn]) * 512, attr=p.ORDERED,
                           conn=four.conns[i % len(four.conns)]) for i in range(8)]
        lost = four.conns[-1]
        mine = [c for c in cmds if c.conn is not lost]
        four.drop(lost)
        rounds = 0
        while any(c.result is None for c in mine) or four.expcmdsn != four.cmdsn:
            rounds += 1
            assert rounds < 200, f"stalled: ExpCmdSN {four.expcmdsn}, all sent below {four.cmdsn}"
            for conn in four.conns:             # what was sent on the living ones has come then
                alive(four, conn)
            if four.expcmdsn != four.cmdsn:     # and what got lost on the way is sent again (7.2.1)
                four.send(PDU(p.NOP_OUT, flags=p.F, ttt=RESERVED_TAG, cmdsn=four.expcmdsn))
        for c in cmds:
            if c.conn is lost:
                four.commands.pop(c.itt, None)
        alive(four, four.join(lost.cid))
    four.inbox.clear()

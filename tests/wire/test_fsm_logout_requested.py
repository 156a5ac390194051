# SPDX-License-Identifier: BSD-3-Clause
"""State S7, LOGOUT_REQUESTED, of a target's connection: T10, T11, T12, T16, T18. RFC 7143 8.1.4, 11.9.1, 7.5.2.

An administrator has a session end (sessions.drop): the target asks for logout by an Asynchronous Message.
"""

import socket

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT
from lib.initiator import OPERATIONAL, RESERVED_TAG, Closed, Login, LoginFailed, FULL_FEATURE

pytestmark = pytest.mark.skipif(IS_TGT, reason="asked for by ulio's own method")

BASE = 68000


def ask(daemon, s, seconds):
    """The session is to end within seconds; returns the Asynchronous Message of its leading connection."""
    with daemon.control() as c:
        c.call("sessions.drop", tsih=s.tsih, wait=seconds)
    return s.wait_pdu(p.ASYNC)


@pytest.fixture
def asked(wide, lun):
    """A session in S7 with 30 s to log out."""
    with wide_session(wide, InitialR2T="Yes", ImmediateData="No") as s:
        s.clear_ua(lun)
        event = ask(wide, s, 30)
        assert event.event == 1, f"event {event.event}, wanted 1 (the target requests logout)"
        yield s


@pytest.mark.parametrize("seconds", [1, 3, 3600])
def test_t11(wide, lun, seconds):
    """8.1.4 T11, 11.9.1: event 1 with ITT FFFFFFFFh; Parameter3 is the time in seconds to log out in."""
    with wide_session(wide) as s:
        s.clear_ua(lun)
        event = ask(wide, s, seconds)
        assert (event.event, event.itt, event.param3) == (1, RESERVED_TAG, seconds), f"{event}"
        assert s.logout(close=False).response == 0
        s.conn.expect_closed()


@pytest.mark.parametrize("reason", [0, 1])
def test_t10_t13(asked, reason):
    """8.1.4 T10, T13: S7 to S6 to S1 by a logout, of the session or of the connection."""
    assert asked.logout(reason=reason, cid=0, close=False).response == 0
    asked.conn.expect_closed()


def test_s7_still_serves(asked, lun):
    """8.1.1 S7: until the logout comes the connection is in full feature phase: commands, old and new, are
    served."""
    d = pattern(4096, 5)
    cmd = asked.start(scsi.write10(BASE, 8), lun=lun, write=d, hold_r2t=True)
    while not cmd.r2ts:
        asked.recv()
    asked.answer_r2t(cmd, cmd.r2ts[0])
    asked.wait(cmd).good()
    assert asked.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == d
    alive(asked)
    assert asked.logout(close=False).response == 0


def test_t12(wide, asked):
    """8.1.4 T12: asked again in S7: another message at most, and one logout answers all."""
    with wide.control() as c:
        c.call("sessions.drop", tsih=asked.tsih, wait=30)
    assert all(x.opcode == p.ASYNC and x.event == 1 for x in quiet(asked))
    assert asked.logout(close=False).response == 0
    asked.conn.expect_closed(allow=(p.ASYNC,))


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_t16(wide, asked, lun, how, busy):
    """8.1.4 T16, S7 to S8 to S1: the transport ends instead of a logout; tasks end without effect."""
    old = asked.scsi(scsi.read10(BASE + 20, 8), lun=lun, read=4096).good().data
    if busy:
        cmd = asked.start(scsi.write10(BASE + 20, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True)
        while not cmd.r2ts:
            asked.recv()
    if how == "rst":
        asked.conn.abort()
    else:
        asked.conn.sock.shutdown(socket.SHUT_WR)
        asked.conn.expect_closed(allow=(p.ASYNC,))
    with wide.session(isid=asked.isid) as s:
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE + 20, 8), lun=lun, read=4096).good().data == old
        s.logout()


def test_t16_time_is_over(wide, lun):
    """8.1.4 T16, 7.5.2: nobody logs out in time: the target ends the connection, which it may announce by event 2
    or 3; the session is gone (11.13.5)."""
    with wide_session(wide) as s:
        s.clear_ua(lun)
        assert ask(wide, s, 1).event == 1
        for x in s.conn.expect_closed(allow=(p.ASYNC,)):
            assert x.event in (2, 3)
        with wide.connection() as conn:
            with pytest.raises(LoginFailed) as e:
                Login(conn, isid=s.isid, tsih=s.tsih, cid=1, cmdsn=s.cmdsn).exchange(
                    [("InitiatorName", s.name), ("TargetName", wide.iqn)], OPERATIONAL, FULL_FEATURE)
            assert e.value.status == 0x020A


def test_t18(wide, lun):
    """8.1.4 T11, T18, 11.9.1: each connection of the session is in S7; a logout of the session on one of them takes
    the others from S7 to S1."""
    with wide_session(wide, MaxConnections=4) as s:
        s.clear_ua(lun)
        for cid in (1, 2):
            s.join(cid)
        with wide.control() as c:
            c.call("sessions.drop", tsih=s.tsih, wait=30)
        told = 0
        for conn in s.conns:
            quiet(s, conn)
        told = sum(x.opcode == p.ASYNC and x.event == 1 for x in s.inbox)
        assert told >= 1
        assert s.logout(conn=s.conns[1], close=False).response == 0
        for conn in s.conns:
            conn.expect_closed(allow=(p.ASYNC,))


def test_others_are_not_asked(wide, asked, lun):
    """11.9.1: another session of the same target hears nothing of it."""
    with wide_session(wide, name="iqn.2026-01.example.test:unasked") as other:
        other.clear_ua(lun).good()
        assert quiet(other) == []
        assert asked.logout(close=False).response == 0
        alive(other)


@pytest.mark.parametrize("opcode", [p.LOGIN_REQ, p.SNACK])
def test_s7_takes_no_more_than_s5(asked, opcode):
    """8.1.1, 6.3: what S5 does not take, S7 does not either: Reject, or the end."""
    asked.conn.send(p.PDU(opcode, immediate=opcode == p.LOGIN_REQ, flags=p.F, itt=9))
    try:
        assert asked.wait_pdu(p.REJECT).reason in (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED, p.REJ_SNACK,
                                                   p.REJ_INVALID_FIELD)
    except Closed:
        pass

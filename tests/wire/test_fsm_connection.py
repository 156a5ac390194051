# SPDX-License-Identifier: BSD-3-Clause
"""The connection state diagram of a target through every transition, lawful and not. RFC 7143 8.1, 8.1.4, 7.5.

States of a target's connection: S1 FREE, S3 XPT_UP, S4 IN_LOGIN, S5 LOGGED_IN, S6 IN_LOGOUT,
S7 LOGOUT_REQUESTED, S8 CLEANUP_WAIT. A test brings a connection into a state by lawful steps and lets one
event happen. S8 and its diagram (8.2) show from outside by what becomes of tasks and CID.
"""

import socket

import pytest

from helpers import alive, quiet
from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, RESERVED_TAG, SECURITY, Closed, Login,
                           LoginFailed, Session)
from lib.pdu import PDU, NAME

NOT_LOGIN = [p.NOP_OUT, p.SCSI_CMD, p.TMF_REQ, p.TEXT_REQ, p.DATA_OUT, p.LOGOUT_REQ, p.SNACK]
ENDS = ["fin", "rst"]
FIRST = [("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal")]
opcodes = pytest.mark.parametrize("opcode", NOT_LOGIN, ids=lambda v: NAME[v])


def end(conn, how):
    """The initiator's side of the transport ends."""
    if how == "rst":
        conn.abort()
    else:
        conn.sock.shutdown(socket.SHUT_WR)
        conn.expect_closed(allow=(p.ASYNC, p.LOGIN_RSP))
        conn.close()


def in_login(daemon, stage=SECURITY):
    """A connection in S4 and its login."""
    conn = daemon.connection()
    lg = Login(conn)
    pairs = [*FIRST, ("TargetName", daemon.iqn)]
    if stage == SECURITY:
        lg.exchange([*pairs, ("AuthMethod", "None")], SECURITY)
    else:
        lg.exchange(pairs, OPERATIONAL)
    return conn, lg


def nothing_left(daemon, isid, name=DEFAULT_NAME):
    """S1, and the session FREE: the same initiator port logs in as if it had never been there."""
    with Session.open(daemon.address, daemon.iqn, isid=isid, name=name) as s:
        alive(s)
        s.logout()


# --- S3 XPT_UP

def test_t3_t4_t5(daemon):
    """8.1.4: T3, T4, T5: transport connection, first Login Request, last Login Response: full feature phase."""
    conn, lg = in_login(daemon)
    r, _ = lg.exchange((), SECURITY, FULL_FEATURE)
    assert r.flags & p.T and r.tsih
    conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=9, ttt=RESERVED_TAG, cmdsn=1))
    assert conn.expect(p.NOP_IN).itt == 9
    conn.close()


@pytest.mark.parametrize("how", ENDS)
def test_t6_transport_ends(daemon, how):
    """8.1.4: T6, S3 to S1: the transport ends before any Login Request."""
    end(daemon.connection(), how)
    nothing_left(daemon, None)


@opcodes
def test_xpt_up_other_request(daemon, opcode):
    """S3 takes a Login Request only (6.3): anything else ends the connection."""
    with daemon.connection() as conn:
        conn.send(PDU(opcode, immediate=True, flags=p.F, itt=1))
        conn.expect_closed(allow=(p.REJECT, p.LOGIN_RSP))


@pytest.fixture(scope="module")
def impatient():
    """A daemon that waits 5 s for a login (7.5.1; the least that LIO's attribute takes)."""
    if IS_TGT:
        pytest.skip("tgt's timeout is set up otherwise")
    from lib.daemon import make_daemon
    d = make_daemon()
    try:
        d.start()
        with d.control() as c:
            c.call("set", path=f"/iscsi/{d.iqn}/tpgt_1/attrib/login_timeout", value="5")
        yield d
        d.stop()
    finally:
        d.discard()


def test_t6_t7_login_timeout(impatient):
    """8.1.4: T6 and T7: no login in time, from S3, from S4 in each stage, and from S4 with a text unfinished."""
    waiting = [impatient.connection(), in_login(impatient)[0], in_login(impatient, OPERATIONAL)[0]]
    conn = impatient.connection()
    lg = Login(conn)
    lg.send(b"InitiatorName=iqn.20", OPERATIONAL, cont=True)
    lg.recv()
    waiting.append(conn)
    half = impatient.connection()
    half.send_raw(bytes([0x43]) + bytes(20))
    waiting.append(half)
    for conn in waiting:
        conn.expect_closed(allow=(p.LOGIN_RSP,))
        conn.close()
    nothing_left(impatient, lg.isid)


# --- S4 IN_LOGIN

@opcodes
@pytest.mark.parametrize("stage", [SECURITY, OPERATIONAL], ids=["security", "operational"])
def test_in_login_other_request(daemon, stage, opcode):
    """T7, S4 to S1: another request than Login in the login phase (6.3)."""
    conn, lg = in_login(daemon, stage)
    conn.send(PDU(opcode, immediate=True, flags=p.F, itt=1))
    conn.expect_closed(allow=(p.REJECT, p.LOGIN_RSP))
    conn.close()
    nothing_left(daemon, lg.isid)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("stage", [SECURITY, OPERATIONAL], ids=["security", "operational"])
def test_t7_transport_ends(daemon, stage, how):
    """8.1.4: T7: the transport ends in the login phase."""
    conn, lg = in_login(daemon, stage)
    end(conn, how)
    nothing_left(daemon, lg.isid)


def test_t7_login_refused(daemon):
    """8.1.4: T7: the last Login Response has a Status-Class other than 0, and the connection closes."""
    conn, lg = in_login(daemon)
    with pytest.raises(LoginFailed):
        lg.exchange([("InitiatorName", "iqn.2026-01.example.test:again")], SECURITY, OPERATIONAL)
    conn.expect_closed()
    conn.close()
    nothing_left(daemon, lg.isid)


def test_in_login_of_a_session_that_reinstates(daemon, lun):
    """8.1.4, 6.3.5: a login that is to replace a session leaves it alone while it is in S4, and when it ends
    by T7."""
    with daemon.session() as old:
        old.clear_ua(lun)
        conn = daemon.connection()
        lg = Login(conn, isid=old.isid)
        lg.exchange([*FIRST, ("TargetName", daemon.iqn), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
        old.scsi(scsi.test_unit_ready(), lun=lun).good()
        end(conn, "fin")
        old.scsi(scsi.test_unit_ready(), lun=lun).good()
        old.logout()


# --- S5 LOGGED_IN

def test_logged_in_serves_every_request(session, lun):
    """8.1.4: S5: each request of full feature phase is served."""
    session.scsi(scsi.test_unit_ready(), lun=lun).good()
    assert session.nop(b"n").data == b"n"
    assert session.text([("X-org.example.s5", "1")])
    assert session.tmf(p.ABORT_TASK_SET, lun) == p.TMF_COMPLETE


@pytest.mark.parametrize("csg, nsg", [(0, 1), (0, 3), (1, 3)])
def test_login_request_in_logged_in(session, csg, nsg):
    """6.3: no Login Request in full feature phase: Reject (protocol error), or the end."""
    session.conn.send(PDU(p.LOGIN_REQ, immediate=True, flags=p.T | csg << 2 | nsg, isid=session.isid, itt=77,
                          tsih=session.tsih, cmdsn=session.cmdsn))
    try:
        r = session.wait_pdu(p.REJECT)
    except Closed:
        return
    assert r.reason in (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED)


@pytest.mark.parametrize("reason", [0, 1])
def test_t9_t13(daemon, reason):
    """8.1.4: T9, T13: Logout Request, Logout Response, and the target closes; both reasons, one connection."""
    s = daemon.session()
    assert s.logout(reason=reason, cid=0, close=False).response == 0
    s.conn.expect_closed()
    s.close()
    nothing_left(daemon, s.isid)


def test_failed_logout_keeps_the_connection(session):
    """11.15.1: a logout that fails (CID not found) is no T9: the connection stays in S5."""
    for cid in (1, 2, 0xFFFF):
        assert session.logout(reason=1, cid=cid, close=False).response == 1
    alive(session)


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_t15_transport_ends(daemon, lun, how, busy):
    """8.1.4, 8.2: T15, S5 to S8 and on to S1: the transport ends in full feature phase, with tasks or without; at
    ErrorRecoveryLevel 0 nothing of the session is left."""
    s = daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"})
    s.clear_ua(lun)
    if busy:
        cmd = s.start(scsi.write10(900, 8), lun=lun, write=bytes(4096), hold_r2t=True)
        while not cmd.r2ts:
            s.recv()
    end(s.conn, how)
    with Session.open(daemon.address, daemon.iqn, isid=s.isid) as again:
        again.clear_ua(lun).good()
        assert again.tmf(p.ABORT_TASK, lun, ref_itt=s.next_itt - 1) == p.TMF_NO_TASK
        again.logout()


def test_t8_by_reinstatement(daemon):
    """8.1.4: T8, S5 to S1: the session is reinstated by a login on another connection: this one closes."""
    s = daemon.session()
    with daemon.session(isid=s.isid) as new:
        s.conn.expect_closed(allow=(p.ASYNC,))
        alive(new)
        new.logout()
    s.close()


def test_t15_by_a_format_error(daemon):
    """7.7: a PDU whose framing is lost ends the connection, whatever the state; S5 here."""
    s = daemon.session()
    s.conn.send_raw(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=5, ttt=RESERVED_TAG,
                        cmdsn=s.cmdsn).header(data_len=0xFFFFFF))
    s.conn.expect_closed(allow=(p.REJECT, p.ASYNC))
    s.close()
    nothing_left(daemon, s.isid)


# --- S6 IN_LOGOUT

@opcodes
def test_in_logout_other_request(daemon, lun, opcode):
    """S6: after the Logout Request an initiator sends nothing more on the connection (11.14); if it does,
    nothing of it is carried out, and T13 comes all the same."""
    s = daemon.session()
    s.clear_ua(lun)
    before = s.scsi(scsi.read10(901, 1), lun=lun, read=512).good().data
    raw = PDU(p.LOGOUT_REQ, immediate=True, flags=p.F, itt=500, cmdsn=s.cmdsn, expstatsn=s.conn.expstatsn).encode()
    late = {"flags": p.F | p.W | p.SIMPLE, "lun": lun, "edtl": 512, "cdb": scsi.write10(901, 1),
            "data": b"\xee" * 512, "cmdsn": s.cmdsn} if opcode == p.SCSI_CMD else {"flags": p.F | 1}
    raw += PDU(opcode, immediate=opcode not in (p.SCSI_CMD, p.DATA_OUT, p.SNACK), itt=501, **late).encode()
    s.conn.send_raw(raw)
    r = s.wait_pdu(p.LOGOUT_RSP, 500)
    assert r.response == 0
    s.conn.expect_closed()
    s.close()
    with daemon.session() as w:
        w.clear_ua(lun)
        assert w.scsi(scsi.read10(901, 1), lun=lun, read=512).good().data == before
        w.logout()


@pytest.mark.parametrize("how", ENDS)
def test_t17_transport_ends(daemon, how):
    """8.1.4: T17, S6 to S8: the transport ends with the logout under way."""
    s = daemon.session()
    s.take_cmdsn()
    s.send(PDU(p.LOGOUT_REQ, flags=p.F))            # waits behind a gap: not carried out yet
    if how == "rst":
        s.conn.abort()
    else:
        s.conn.sock.shutdown(socket.SHUT_WR)
        s.conn.expect_closed(allow=(p.LOGOUT_RSP, p.ASYNC))
    s.close()
    nothing_left(daemon, s.isid)


def test_logout_waits_its_turn(daemon, lun):
    """4.2.2.1, 11.14: a numbered Logout Request behind a gap is carried out when the gap closes; until then
    the connection is in S5."""
    s = daemon.session()
    s.clear_ua(lun)
    sn = s.take_cmdsn()
    pdu = s.send(PDU(p.LOGOUT_REQ, flags=p.F))
    assert quiet(s) == []
    s.send(PDU(p.NOP_OUT, flags=p.F, ttt=RESERVED_TAG, cmdsn=sn, data=b"gap"))
    assert s.wait_pdu(p.NOP_IN).data == b"gap"
    assert s.wait_pdu(p.LOGOUT_RSP, pdu.itt).response == 0
    s.conn.expect_closed()
    s.close()

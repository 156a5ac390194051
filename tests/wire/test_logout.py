# SPDX-License-Identifier: BSD-3-Clause
"""Logout, asynchronous messages, lost connections. RFC 7143 11.9, 11.14, 11.15, 7.1.4."""

import signal
import socket

import pytest

from helpers import alive, pattern, quiet
from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT
from lib.initiator import Closed, Session
from lib.pdu import PDU
from lib.wait import SCALE

BASE = 20480


def test_close_session(daemon):
    """11.14.1 reason 0: response 0 and the connection closes."""
    s = daemon.session()
    r = s.logout(reason=0)
    assert r.response == 0


def test_close_connection(daemon):
    """11.14.1 reason 1: the only connection, so the session ends with it."""
    s = daemon.session()
    r = s.logout(reason=1, cid=0, close=False)
    assert r.response == 0
    s.conn.expect_closed()
    s.close()


def test_unknown_cid(session):
    """11.15.1: response 1, CID not found; the connection stays."""
    assert session.logout(reason=1, cid=77, close=False).response == 1
    alive(session)


def test_recovery_logout_at_erl0(session):
    """11.14.1 reason 2, 11.15.1: connection recovery is not supported: response 2."""
    assert session.logout(reason=2, cid=0, close=False).response == 2


def test_not_immediate(daemon):
    """11.14: Logout may be a numbered command."""
    s = daemon.session()
    pdu = s.send(PDU(p.LOGOUT_REQ, flags=p.F | 0, cid=0))
    assert s.wait_pdu(p.LOGOUT_RSP, pdu.itt).response == 0
    s.conn.expect_closed()
    s.close()


def test_outstanding_commands(daemon, lun):
    """11.14: a write that waits for data does not hold up logout, and never lands."""
    s = daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"})
    s.clear_ua(lun)
    old = pattern(4096, 4)
    s.scsi(scsi.write10(BASE, 8), lun=lun, write=old).good()
    cmd = s.start(scsi.write10(BASE, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True)
    while not cmd.r2ts:
        s.recv()
    assert s.logout().response == 0
    with daemon.session() as w:
        w.clear_ua(lun)
        assert w.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == old


def test_commands_before_logout_complete(daemon, lun):
    """11.14: what was sent before the logout is carried out before the connection goes."""
    s = daemon.session()
    s.clear_ua(lun)
    d = pattern(512, 11)
    s.start(scsi.write10(BASE + 100, 1), lun=lun, write=d)
    cmd = s.start(scsi.read10(BASE + 100, 1), lun=lun, read=512, attr=p.ORDERED)
    s.wait(cmd).good()
    assert cmd.result.data == d
    s.logout()


def test_immediate_logout_behind_commands(daemon, lun):
    """11.14, 4.2.2.1: commands in the same segment as an immediate logout, in front of it, are carried out."""
    s = daemon.session()
    s.clear_ua(lun)
    with s.conn.together():
        cmds = [s.start(scsi.read10(BASE + i, 1), lun=lun, read=512) for i in range(4)]
        pdu = s.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F, cid=0))
    for c in cmds:
        s.wait(c).good()
    assert s.wait_pdu(p.LOGOUT_RSP, pdu.itt).response == 0
    s.close()


def test_what_is_held_behind_a_logout(daemon, lun):
    """11.14, 4.2.2.1: a numbered logout has its turn when the gap before it is filled; commands with higher
    CmdSNs, which wait behind it, are not carried out."""
    s = daemon.session()
    s.clear_ua(lun)
    s.scsi(scsi.write10(BASE + 110, 1), lun=lun, write=b"o" * 512).good()
    gap = s.take_cmdsn()
    before = s.start(scsi.read10(BASE, 1), lun=lun, read=512)
    pdu = s.send(PDU(p.LOGOUT_REQ, flags=p.F, cid=0))
    behind = s.start(scsi.write10(BASE + 110, 1), lun=lun, write=b"n" * 512)
    quiet(s)
    s.start(scsi.test_unit_ready(), lun=lun, cmdsn=gap)
    s.wait(before).good()
    assert s.wait_pdu(p.LOGOUT_RSP, pdu.itt).response == 0
    assert behind.result is None
    s.close()
    with daemon.session() as w:
        w.clear_ua(lun)
        assert w.scsi(scsi.read10(BASE + 110, 1), lun=lun, read=512).good().data == b"o" * 512


def test_after_logout(daemon):
    """11.14: Nothing is served after the logout response."""
    s = daemon.session()
    pdu = s.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F, cid=0))
    try:
        for _ in range(8):
            s.conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=400, ttt=p.RESERVED_TAG, cmdsn=s.cmdsn))
        assert s.wait_pdu(p.LOGOUT_RSP, pdu.itt).response == 0
        s.conn.expect_closed()
    except Closed:
        pass
    s.close()


@pytest.mark.parametrize("state", ["idle", "gap", "r2t", "logout", "logout-behind-gap", "logout-with-r2t",
                                   "mid-header", "mid-data"])
def test_end_of_stream_is_noticed(daemon, lun, state):
    """7.1.4.3: a connection whose peer has closed its side is closed, whatever was under way on it."""
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"}) as s:
        s.clear_ua(lun)
        if "gap" in state:
            s.take_cmdsn()
            s.start(scsi.test_unit_ready(), lun=lun)
        if "r2t" in state:
            cmd = s.start(scsi.write10(BASE, 8), lun=lun, write=bytes(4096), hold_r2t=True)
            while not cmd.r2ts:
                s.recv()
        if "logout" in state:
            s.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F))
        if "mid" in state:
            raw = PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=9, ttt=p.RESERVED_TAG, data=b"x" * 400).encode()
            s.conn.send_raw(raw[:20 if state == "mid-header" else 200])
        s.conn.sock.shutdown(socket.SHUT_WR)
        s.conn.timeout = 5 * SCALE
        s.conn.expect_closed(allow=(p.ASYNC, p.LOGOUT_RSP, p.SCSI_RSP, p.NOP_IN))
    with daemon.session() as s:
        s.logout()


@pytest.mark.parametrize("how", ["close", "abort", "half"])
def test_drop_in_mid_data_out(daemon, lun, how):
    """7.1.4: a connection that dies in the middle of a transfer: the old blocks stay whole, and the LUN
    serves others at once."""
    with daemon.session() as w:
        w.clear_ua(lun)
        old = pattern(64 * 512, 21)
        w.scsi(scsi.write10(BASE, 64), lun=lun, write=old).good()
        for cut in (0, 1, 47, 48, 60, 4096, 8192 + 48, 20000):
            s = daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"})
            cmd = s.start(scsi.write10(BASE, 64), lun=lun, write=b"\xee" * 32768, hold_r2t=True)
            try:
                while not cmd.r2ts and cmd.result is None:
                    s.recv()
            except Closed:
                raise AssertionError("closed before any data") from None
            if cmd.result is not None:              # a unit attention came first
                cmd = s.start(scsi.write10(BASE, 64), lun=lun, write=b"\xee" * 32768, hold_r2t=True)
                while not cmd.r2ts:
                    s.recv()
            r = cmd.r2ts[0]
            raw, sn = b"", 0
            for off in range(0, r.length, 4096):
                n = min(4096, r.length - off)
                raw += PDU(p.DATA_OUT, flags=p.F if off + n == r.length else 0, lun=lun, itt=cmd.itt, ttt=r.ttt,
                           expstatsn=s.conn.expstatsn, datasn=sn, offset=off, data=b"\xee" * n).encode()
                sn += 1
            s.conn.send_raw(raw[:cut])
            if how == "abort":
                s.conn.abort()
            elif how == "close":
                s.close()
            else:
                s.conn.sock.shutdown(socket.SHUT_WR)
                s.conn.expect_closed(allow=(p.ASYNC, p.R2T))
                s.close()
            assert w.scsi(scsi.read10(BASE, 64), lun=lun, read=32768).good().data == old, f"cut at {cut}"
        w.logout()


def test_drop_with_reads_in_flight(daemon, lun):
    """7.14: The reader goes away while Data-In is being sent."""
    for _ in range(10):
        s = daemon.session()
        for i in range(16):
            s.start(scsi.read16(0, 512), lun=lun, read=262144)
        s.conn.abort()
    with daemon.session() as s:
        s.clear_ua(lun).good()
        s.logout()


def test_drop_in_every_login_state(daemon):
    """7.14, 8.1.4: Connections that die before, in and after each login exchange."""
    from lib.initiator import FULL_FEATURE, OPERATIONAL, SECURITY, Login
    first = [("InitiatorName", "iqn.2026-01.example.test:drop"), ("TargetName", daemon.iqn)]
    for steps in range(4):
        for how in ("close", "abort"):
            conn = daemon.connection()
            lg = Login(conn)
            if steps > 0:
                lg.send([*first, ("AuthMethod", "None")], SECURITY, OPERATIONAL)
            if steps > 1:
                lg.recv()
            if steps > 2:
                lg.send((), OPERATIONAL, FULL_FEATURE)
            getattr(conn, how)()
    with daemon.session() as s:
        s.logout()


@pytest.mark.skipif(IS_TGT, reason="tgtd outlives SIGTERM while it has a target")
def test_async_message_on_shutdown(new_daemon, lun):
    """11.9.1: event 1 (the target asks for logout) or 2/3 (it drops) before an orderly end."""
    d = new_daemon()
    s = d.session()
    s.clear_ua(lun)
    d.signal(signal.SIGTERM)
    pdu = s.wait_pdu(p.ASYNC)
    assert pdu.event in (1, 2, 3), f"Async event {pdu.event}"
    assert pdu.itt == p.RESERVED_TAG
    if pdu.event == 1:
        try:
            s.logout()
        except Closed:
            pass
    else:
        s.conn.expect_closed(allow=(p.ASYNC,))
    assert d.wait() == 0
    s.close()


@pytest.mark.skipif(IS_TGT, reason="tgtd outlives SIGTERM while it has a target")
def test_shutdown_does_not_wait_for_a_dead_initiator(new_daemon, lun):
    """7.5.2: An initiator that ignores the Async Message does not keep the daemon up."""
    d = new_daemon()
    s = d.session()
    half = d.connection()
    disc = Session.open(d.address, discovery=True)
    d.signal(signal.SIGTERM)
    assert d.wait(timeout=20) == 0
    for x in (s, half, disc):
        x.close()


@pytest.mark.skipif(IS_TGT, reason="tgtd outlives SIGTERM while it has a target")
def test_acknowledged_writes_survive_shutdown(new_daemon, lun):
    """11.4.2: What was answered GOOD is there after a restart with the same disk (file)."""
    d = new_daemon()
    data = pattern(64 * 512, 31)
    with d.session() as s:
        s.clear_ua(lun)
        s.scsi(scsi.write10(BASE, 64), lun=lun, write=data).good()
        d.signal(signal.SIGTERM)
        assert d.wait() == 0
    d.start()
    with d.session() as s:
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE, 64), lun=lun, read=len(data)).good().data == data
        s.logout()

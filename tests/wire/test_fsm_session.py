# SPDX-License-Identifier: BSD-3-Clause
"""The session state diagram of a target through every transition, lawful and not. RFC 7143 8.3, 6.3.5, 6.3.6, 7.5.

States: Q1 FREE, Q2 ACTIVE, Q3 LOGGED_IN, Q4 FAILED, Q5 IN_CONTINUE. Q4 and Q5 are lived through at
ErrorRecoveryLevel 2, where a session waits for its initiator; below it goes through Q4 to Q1 at once.
"""

import time

import pytest

from helpers import alive, pattern, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import (FULL_FEATURE, OPERATIONAL, SECURITY, Closed, Login, LoginFailed, Session)

BASE = 62000


def first(daemon, s):
    return [("InitiatorName", s.name), ("TargetName", daemon.iqn)]


def is_free(daemon, s):
    """Q1: no session has this TSIH (11.13.5: 020Ah)."""
    with daemon.connection() as conn:
        with pytest.raises(LoginFailed) as e:
            Login(conn, isid=s.isid, tsih=s.tsih, cid=40, cmdsn=s.cmdsn).exchange(first(daemon, s), OPERATIONAL,
                                                                                FULL_FEATURE)
        assert e.value.status == 0x020A


def logged_in(daemon, **keys):
    return wide_session(daemon, **{"ErrorRecoveryLevel": 2, "MaxConnections": 4, "DefaultTime2Wait": 0,
                                   "DefaultTime2Retain": 60, **keys})


def held(s, lun, lba, data, conn=None):
    cmd = s.start(scsi.write10(lba, len(data) // 512), lun=lun, write=data, imm=0, unsolicited=0, hold_r2t=True,
                  conn=conn)
    s.wait_until(lambda: cmd.r2ts, conn)
    return cmd


def finish(s, cmd):
    cmd.hold_r2t = False
    s.wait_until(lambda: cmd.result is not None, cmd.conn)
    cmd.result.good()


# --- Q1, Q2

def test_n1_n2(wide, lun):
    """8.3.4 N1, N2: the first Login Request, and a connection in full feature phase: Q1, Q2, Q3."""
    with wide.session() as s:
        s.clear_ua(lun).good()
        s.logout()
        is_free(wide, s)


@pytest.mark.parametrize("how", ["refused", "fin", "rst", "protocol"])
def test_n9(wide, how):
    """8.3.4 N9: the only connection ends before full feature phase: Q2 to Q1, by each way that ends it."""
    conn = wide.connection()
    lg = Login(conn)
    pairs = [("InitiatorName", "iqn.2026-01.example.test:n4"), ("TargetName", wide.iqn), ("AuthMethod", "None")]
    lg.exchange(pairs, SECURITY, OPERATIONAL)
    if how == "refused":
        with pytest.raises(LoginFailed):
            lg.exchange([("AuthMethod", "None")], SECURITY, OPERATIONAL)
    elif how == "protocol":
        conn.send(p.PDU(p.SCSI_CMD, flags=p.F, itt=1, cdb=bytes(6)))
        conn.expect_closed(allow=(p.REJECT, p.LOGIN_RSP))
    if how == "rst":
        conn.abort()
    else:
        conn.close()
    with Session.open(wide.address, wide.iqn, isid=lg.isid, name="iqn.2026-01.example.test:n4") as s:
        alive(s)
        s.logout()


def test_tsih_before_the_session_is(wide):
    """8.3.3 Q2: a session that is not logged in has no TSIH to join by: 0 is not one (6.3.1)."""
    with wide.connection() as a, wide.connection() as b:
        lg = Login(a)
        r, _ = lg.exchange([("InitiatorName", "iqn.2026-01.example.test:q2"), ("TargetName", wide.iqn),
                            ("AuthMethod", "None")], SECURITY, OPERATIONAL)
        assert r.tsih == 0
        other = Login(b, isid=lg.isid, cid=1)
        r, _ = other.finish([("InitiatorName", "iqn.2026-01.example.test:q2"), ("TargetName", wide.iqn)])
        assert r.flags & p.T, "a session of its own"


# --- Q3

@pytest.mark.parametrize("nconns", [1, 3])
@pytest.mark.parametrize("how", ["logout", "each", "reinstated"])
def test_n3(wide, lun, nconns, how):
    """8.3.4 N3: Q3 to Q1: closed by a logout, by the logout of each connection, by reinstatement."""
    with logged_in(wide) as s:
        s.clear_ua(lun)
        for cid in range(1, nconns):
            s.join(cid)
        if how == "logout":
            assert s.logout(close=False).response == 0
        elif how == "each":
            for conn in list(s.conns):
                assert s.logout(reason=1, cid=conn.cid, conn=conn, close=False).response == 0
        else:
            new = wide.session(isid=s.isid)
        for conn in s.conns:
            conn.expect_closed(allow=(p.ASYNC,))
        is_free(wide, s)
        if how == "reinstated":
            alive(new)
            new.logout()


@pytest.mark.parametrize("level", [0, 1])
def test_n5_n6_below_level_2(wide, lun, level):
    """8.3.4 N5, N6: below level 2 with DefaultTime2Retain 0 a session whose last connection failed is gone."""
    with wide_session(wide, ErrorRecoveryLevel=level, DefaultTime2Wait=0, DefaultTime2Retain=0) as s:
        s.clear_ua(lun)
        old = s.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data
        held(s, lun, BASE, b"\xee" * 4096)
        s.drop(s.conn)
        with wide.session() as w:
            w.clear_ua(lun)
            assert w.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == old
            w.logout()


# --- Q4, Q5

@pytest.mark.parametrize("nconns", [1, 3])
@pytest.mark.parametrize("cid", ["same", "new"])
@pytest.mark.parametrize("how", ["abort", "close"])
def test_n5_n7_n10(wide, lun, nconns, cid, how):
    """8.3.4 N5, N7, N10; 6.3.6: all connections of a session fail; a login with its TSIH continues it, by a CID
    that it had or a new one; a task goes on by reassignment."""
    with logged_in(wide) as s:
        s.clear_ua(lun)
        for n in range(1, nconns):
            s.join(n)
        d = pattern(65536, 3)
        cmd = held(s, lun, BASE, d, s.conns[-1])
        last = s.conns[-1].cid
        for conn in list(s.conns):
            s.drop(conn, how)
        conn = s.join(last if cid == "same" else 9)
        if cid == "new":
            assert s.logout_for_recovery(last, conn).response == 0
        assert s.reassign(cmd, conn) == p.TMF_COMPLETE
        finish(s, cmd)
        assert s.scsi(scsi.read10(BASE, 128), lun=lun, read=65536).good().data == d
        assert s.logout(close=False).response == 0


def test_cmdsn_over_a_failure(wide, lun):
    """6.3.6, 4.2.2.1: a continued session counts on from where it was."""
    with logged_in(wide) as s:
        s.clear_ua(lun)
        for _ in range(5):
            s.scsi(scsi.test_unit_ready(), lun=lun).good()
        at = s.cmdsn
        s.drop(s.conn)
        s.join(0)
        alive(s)
        assert s.expcmdsn == at
        s.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_nexus_over_a_failure(wide, lun):
    """6.3.6, 4.4.3.1: a session that is continued is the same I_T nexus: no unit attention of a nexus loss, and a
    reservation by RESERVE(6) stands."""
    with logged_in(wide) as s:
        s.clear_ua(lun)
        s.scsi(scsi.reserve6(), lun=lun).good()
        s.drop(s.conn)
        with wide.session() as other:
            r = other.clear_ua(lun)
            assert r.status == scsi.RESERVATION_CONFLICT
            other.logout()
        s.join(0)
        s.scsi(scsi.test_unit_ready(), lun=lun).good()
        s.scsi(scsi.release6(), lun=lun).good()


@pytest.mark.parametrize("ends", ["fin", "refused"])
def test_n8(wide, lun, ends):
    """8.3.4 N8: an attempt to continue fails: Q5 to Q4, and the next one succeeds."""
    with logged_in(wide) as s:
        s.clear_ua(lun)
        d = pattern(8192, 4)
        cmd = held(s, lun, BASE + 200, d)
        s.drop(s.conn)
        with wide.connection() as conn:
            lg = Login(conn, isid=s.isid, tsih=s.tsih, cid=0, cmdsn=s.cmdsn)
            lg.exchange([*first(wide, s), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
            if ends == "refused":
                with pytest.raises((LoginFailed, Closed)):
                    lg.exchange([("AuthMethod", "None")], SECURITY, OPERATIONAL)
        conn = s.join(0)
        assert s.reassign(cmd, conn) == p.TMF_COMPLETE
        finish(s, cmd)


def test_n6_time_is_over(wide, lun):
    """8.3.4 N6, 7.5.1: nobody came within Time2Wait and Time2Retain: Q4 to Q1: the nexus is lost, tasks end."""
    with logged_in(wide, DefaultTime2Retain=1) as s:
        s.clear_ua(lun)
        s.scsi(scsi.reserve6(), lun=lun).good()
        old = s.scsi(scsi.read10(BASE + 300, 8), lun=lun, read=4096).good().data
        held(s, lun, BASE + 300, b"\xee" * 4096)
        s.drop(s.conn)
        with wide.session() as w:
            deadline = time.monotonic() + 15
            while w.clear_ua(lun).status == scsi.RESERVATION_CONFLICT:
                assert time.monotonic() < deadline, "the session was kept longer than Time2Retain"
            assert w.scsi(scsi.read10(BASE + 300, 8), lun=lun, read=4096).good().data == old
            w.logout()
        is_free(wide, s)


def test_n6_time_starts_anew(wide, lun):
    """7.5.1, 8.3.4: a session that was continued has all of its time again when it fails again."""
    with logged_in(wide, DefaultTime2Retain=2) as s:
        s.clear_ua(lun)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            s.drop(s.conn)
            s.join(0)
            alive(s)
        s.scsi(scsi.test_unit_ready(), lun=lun).good()


@pytest.mark.parametrize("level, retain", [(2, 60), (2, 3600)])
def test_n6_reinstatement(wide, lun, level, retain):
    """8.3.4 N6, 6.3.5: a login with TSIH 0 and the same name and ISID while the session is in Q4: it is closed,
    and a new one is there at once."""
    with logged_in(wide, ErrorRecoveryLevel=level, DefaultTime2Retain=retain) as s:
        s.clear_ua(lun)
        old = s.scsi(scsi.read10(BASE + 400, 8), lun=lun, read=4096).good().data
        held(s, lun, BASE + 400, b"\xee" * 4096)
        s.drop(s.conn)
        with wide.session(isid=s.isid) as new:
            new.clear_ua(lun)
            assert new.tsih
            assert new.scsi(scsi.read10(BASE + 400, 8), lun=lun, read=4096).good().data == old
            if new.tsih != s.tsih:
                is_free(wide, s)
            new.logout()


@pytest.mark.parametrize("wrong", ["name", "isid"])
def test_continuation_by_another(wide, lun, wrong):
    """6.3.6, 11.13.5: a failed session is continued by its own initiator port only."""
    with logged_in(wide) as s:
        s.clear_ua(lun)
        s.drop(s.conn)
        with wide.connection() as conn:
            name = "iqn.2026-01.example.test:thief" if wrong == "name" else s.name
            lg = Login(conn, isid=b"\x80thief" if wrong == "isid" else s.isid, tsih=s.tsih, cid=0, cmdsn=s.cmdsn)
            with pytest.raises(LoginFailed) as e:
                lg.exchange([("InitiatorName", name), ("TargetName", wide.iqn)], OPERATIONAL, FULL_FEATURE)
            assert e.value.status == 0x020A
        s.join(0)
        alive(s)


def test_failed_sessions_do_not_pile_up(wide, lun):
    """7.5.1: many sessions that fail and are reinstated leave one behind each initiator port, none after its
    logout."""
    with logged_in(wide, DefaultTime2Retain=3600) as s:
        s.clear_ua(lun)
        isid = s.isid
        s.drop(s.conn)
    for _ in range(30):
        one = logged_in(wide, DefaultTime2Retain=3600, isid=isid)
        one.drop(one.conn)
    with wide.session(isid=isid) as s:
        s.clear_ua(lun).good()
        s.logout()


def test_discovery_session_is_not_kept(wide):
    """7.4.2: a discovery session whose connection failed is gone; its ISID is free."""
    s = Session.open(wide.address, discovery=True)
    s.conn.abort()
    with Session.open(wide.address, discovery=True, isid=s.isid) as again:
        assert again.text([("SendTargets", "All")])
        again.logout()


@pytest.mark.parametrize("tsih", [1, 0x7FFF, 0xFFFF])
def test_continuation_of_nothing(wide, tsih):
    """11.13.5, 6.3.1: a TSIH that is no session's: 020Ah, session does not exist."""
    with wide.connection() as conn:
        with pytest.raises(LoginFailed) as e:
            Login(conn, tsih=tsih, cid=3).exchange([("InitiatorName", "iqn.2026-01.example.test:nothing"),
                                                    ("TargetName", wide.iqn)], OPERATIONAL, FULL_FEATURE)
        assert e.value.status == 0x020A

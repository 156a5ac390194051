# SPDX-License-Identifier: BSD-3-Clause
"""Sessions as administrators see and end them: lists, rates, requested logout (RFC 7143 11.9.1 event 1, 8.1.3
T11-T18), pings."""

import json
import subprocess
import time

import pytest

from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT, ULIO, sanitizer_env
from lib.initiator import DEFAULT_NAME, Chap, LoginFailed
from lib.wait import SCALE

pytestmark = pytest.mark.skipif(IS_TGT, reason="ulio's own tools")

USER, SECRET = "listuser", "listsecret-0123"


@pytest.fixture
def listd(new_daemon):
    return new_daemon(chap=f"{USER}:{SECRET}", mutual="listtarget:targetsecret-0123")


def sessions(d, **filters):
    with d.control() as c:
        return c.call("sessions.list", **filters)


def none_left(d, **filters):
    """No session is listed: at once, or soon after its last connection was closed."""
    deadline = time.monotonic() + 5 * SCALE
    while sessions(d, **filters):
        assert time.monotonic() < deadline, f"still there: {sessions(d, **filters)}"


def drop(d, **params):
    with d.control() as c:
        return c.call("sessions.drop", **params)


# --- what is told


def test_what_a_list_tells(listd):
    """4.4.3.1, 13: Names, addresses, ISID, TSIH, CID, keys, digests, LUNs, in-flight, who authenticated how."""
    keys = {"HeaderDigest": "CRC32C", "MaxBurstLength": "65536", "FirstBurstLength": "8192"}
    with listd.session(keys=keys) as s:
        s.clear_ua(0)
        got, = sessions(listd, initiator=DEFAULT_NAME, luns=True)
        assert (got["initiator"], got["target"], got["tpg"], got["tsih"]) == (DEFAULT_NAME, listd.iqn, 1, s.tsih)
        assert got["isid"] == s.isid.hex() and got["state"] == "LOGGED_IN" and not got["discovery"]
        assert got["authentication"] == {"user": USER, "algorithm": "MD5", "mutual": True, "next_password": False}
        agreed = got["negotiated"]
        assert agreed["MaxBurstLength"] == 65536 and agreed["FirstBurstLength"] == 8192
        assert agreed["DefaultTime2Retain"] == 0 and agreed["DataPDUInOrder"] is True
        assert agreed["TaskReporting"] == "RFC3720" and agreed["InitialR2T"] is False
        conn, = got["connections"]
        host, port = s.conn.sock.getsockname()
        assert conn["peer"] == f"{host}:{port}" and conn["local"] == f"{listd.host}:{listd.port}"
        assert conn["header_digest"] is True and conn["data_digest"] is False and conn["cid"] == 0
        assert [x["lun"] for x in got["lun_list"]] == [0, 1] and got["luns"] == 2
        assert got["lun_list"][0]["disk"] == "disk0" and got["lun_list"][0]["read_only"] is False
        before = got["lun_list"][0]["read_bytes"]
        s.scsi(scsi.read10(0, 8), lun=0, read=4096).good()
        got, = sessions(listd, tsih=s.tsih, luns=True)
        assert got["lun_list"][0]["read_bytes"] == before + 4096
        assert got["under_way"] == 0 and got["commands"] > 1 and got["last_error"] == ""
        assert "lun_list" not in sessions(listd)[0], "LUNs are told on request"
        s.logout()


def test_filters(listd):
    """4.4.3.1: By handle, initiator and target."""
    with listd.session() as a, listd.session(name=DEFAULT_NAME + "-b") as b:
        assert {x["tsih"] for x in sessions(listd)} == {a.tsih, b.tsih}
        assert [x["tsih"] for x in sessions(listd, tsih=b.tsih)] == [b.tsih]
        assert [x["tsih"] for x in sessions(listd, initiator=DEFAULT_NAME)] == [a.tsih]
        assert len(sessions(listd, target=listd.iqn)) == 2 and not sessions(listd, target="iqn.2026-01.x:y")
        a.logout()
        b.logout()


def test_in_flight(new_daemon, lun):
    """4.2.2.1: Commands under way are counted while they are, at the session and at the connection."""
    d = new_daemon()
    with d.session(keys={"InitialR2T": "Yes", "ImmediateData": "No"}) as s:
        s.clear_ua(lun)
        cmds = [s.start(scsi.write10(8 * i, 8), lun=lun, write=bytes(4096), hold_r2t=True) for i in range(3)]
        while not all(c.r2ts for c in cmds):
            s.recv()
        got, = sessions(d)
        assert got["under_way"] == 3 and got["connections"][0]["tasks"] == 3
        for c in cmds:
            s.answer_r2t(c, c.r2ts[0], s.conn)
            s.wait(c).good()
        got, = sessions(d)
        assert got["under_way"] == 0
        s.logout()


def test_next_password_is_seen(listd):
    """12.1.3: Who has moved on to the new secret and who has not can be seen."""
    with listd.control() as c:
        c.call("set", path=f"/iscsi/{listd.iqn}/tpgt_1/auth/password_next", value="listsecret-next")
    with listd.session() as a, listd.session(chap=Chap(USER, "listsecret-next"), name=DEFAULT_NAME + "-b") as b:
        by = {x["tsih"]: x["authentication"]["next_password"] for x in sessions(listd)}
        assert by == {a.tsih: False, b.tsih: True}
        a.logout()
        b.logout()


def test_for_people(listd):
    """13: ulio sessions, sessions show, sessions rates."""
    with listd.session() as s:
        s.clear_ua(0)
        lines = listd.ulio("sessions").splitlines()
        assert len(lines) == 2 and DEFAULT_NAME in lines[1]
        text = listd.ulio("sessions", "show", str(s.tsih))
        for word in (f"session {s.tsih}", s.isid.hex(), f"user       {USER}, by CHAP with MD5, and the target too",
                     "MaxBurstLength=", "LUN 0", "disk0", "digests: header None"):
            assert word in text
        assert SECRET not in text
        assert "no such session" in listd.ulio("sessions", "show", str(s.tsih % 65535 + 1), fails=True)
        rates = subprocess.Popen([ULIO, "--control", listd.control_path, "sessions", "rates", "1"],
                                 stdout=subprocess.PIPE, text=True, env=sanitizer_env(listd.dir))
        n = 0
        while rates.poll() is None:
            s.scsi(scsi.read10(0, 8), lun=0, read=4096).good()
            n += 1
        out = rates.communicate()[0].splitlines()
        row = dict(zip(out[0].split(), out[1].split()))
        assert 0 < int(row["COMMANDS/S"]) <= n + 1
        s.logout()


# --- ended by an administrator


def asked(s):
    pdu = s.wait_pdu(p.ASYNC)
    assert (pdu.event, pdu.param1, pdu.param2) == (1, 0, 0), "11.9.1: Parameter1 and 2 are reserved"
    return pdu.param3


def test_logout_is_asked_for(daemon, lun):
    """11.9.1: event 1, Parameter3 the seconds; commands still run until the initiator logs out, which it may."""
    with daemon.session() as s:
        s.clear_ua(lun)
        assert drop(daemon, tsih=s.tsih, wait=30) == {"dropped": 1, "wait": 30}
        assert asked(s) == 30
        assert sessions(daemon, tsih=s.tsih)[0]["connections"][0]["state"] == "LOGOUT_REQUESTED"
        s.scsi(scsi.test_unit_ready(), lun=lun).good()
        assert s.nop(b"still").data == b"still"
        s.logout()
    none_left(daemon, tsih=s.tsih)


def test_every_connection_is_asked(new_daemon, lun):
    """11.9.1: on the connection that is to be logged out: each of the session's; one that logs out alone is gone,
    the other one is dropped in time. Both are told of in the list, with their CIDs."""
    d = new_daemon(params={"MaxConnections": "4", "InitialR2T": "No"})
    with d.session(keys={"MaxConnections": "4"}) as s:
        s.clear_ua(lun)
        second = s.add_connection(7)
        got, = sessions(d)
        assert [c["cid"] for c in got["connections"]] == [0, 7] and got["nconns"] == 2
        assert len(d.ulio("sessions").splitlines()) == 3
        drop(d, tsih=s.tsih, wait=2)
        for conn in (s.conn, second):
            pdu = s.wait_pdu(p.ASYNC, conn=conn)
            assert (pdu.event, pdu.param3) == (1, 2)
        with pytest.raises(LoginFailed) as e:       # a session that is to end takes no more connections
            s.add_connection(8)
        assert e.value.status == 0x020A
        pdu = s.wait_pdu(p.ASYNC, conn=second)
        assert (pdu.event, pdu.param1) == (2, 7)
        second.expect_closed()
    none_left(d)


def test_asked_again(daemon, lun):
    """8.1.3 T12: asked once more while it is asked already, with another time."""
    with daemon.session() as s:
        s.clear_ua(lun)
        drop(daemon, tsih=s.tsih, wait=60)
        assert asked(s) == 60
        drop(daemon, tsih=s.tsih, wait=20)
        assert asked(s) == 20
        s.logout()


def test_who_does_not_log_out_is_dropped(daemon, lun):
    """11.9.1: after the time event 2 (CID, Time2Wait, Time2Retain), and the connection ends."""
    with daemon.session() as s:
        s.clear_ua(lun)
        start = time.monotonic()
        drop(daemon, tsih=s.tsih, wait=1)
        assert asked(s) == 1
        pdu = s.wait_pdu(p.ASYNC)
        assert (pdu.event, pdu.param1, pdu.param2, pdu.param3) == (2, 0, s.num("DefaultTime2Wait"), 0)
        s.conn.expect_closed()
        assert time.monotonic() - start >= 0.9
    with daemon.session() as s:
        s.clear_ua(lun)
        s.logout()


def test_at_once(daemon, lun):
    """11.9.1: Without time to log out: event 3, then the connection ends; also of one that was asked before."""
    for before in (False, True):
        with daemon.session() as s:
            s.clear_ua(lun)
            if before:
                drop(daemon, tsih=s.tsih, wait=60)
                asked(s)
            drop(daemon, tsih=s.tsih, wait=0)
            assert s.wait_pdu(p.ASYNC).event == 3
            s.conn.expect_closed()


def test_three_seconds_are_the_custom(daemon):
    """11.9.1: ulio sessions drop gives time unless it is told otherwise."""
    with daemon.session() as s:
        assert "within 3 s" in daemon.ulio("sessions", "drop", "--tsih", str(s.tsih))
        assert asked(s) == 3
        s.logout()


@pytest.mark.parametrize("wait", [-1, 3601])
def test_wait_out_of_range(daemon, wait):
    """11.9.1: An hour is the most."""
    with daemon.control() as c, pytest.raises(Exception, match="wait"):
        c.call("sessions.drop", tsih=1, wait=wait)


# --- pings


def test_ping_is_timed(new_daemon):
    """11.19: an initiator that is silent for nopin_timeout is pinged; how long its answer took is told."""
    d = new_daemon(allow=[DEFAULT_NAME])
    with d.control() as c:
        c.call("set", path=f"/iscsi/{d.iqn}/tpgt_1/acls/{DEFAULT_NAME}/attrib/nopin_timeout", value="3")
    with d.session() as s:
        assert sessions(d)[0]["connections"][0]["ping_ms"] == 0
        while not s.pings:
            s.recv(timeout=20)
        assert s.nop(b"after the answer").data == b"after the answer"
        assert sessions(d)[0]["connections"][0]["ping_ms"] > 0
        s.logout()


def test_json(daemon):
    """13: What programs get is the method's answer, and names the session's keys by the RFC's names."""
    with daemon.session() as s:
        got, = [x for x in json.loads(daemon.ulio("--json", "sessions")) if x["tsih"] == s.tsih]
        assert got["authentication"] is None and got["negotiated"]["ErrorRecoveryLevel"] == 0
        s.logout()

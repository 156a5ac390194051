# SPDX-License-Identifier: BSD-3-Clause
"""Session and connection reinstatement, TSIH rules, MaxConnections. RFC 7143 6.3.4-6.3.6, 4.4.3."""

import pytest

from helpers import alive, pattern
from lib import pdu as p
from lib import scsi
from lib.initiator import Closed, LoginFailed, Session


def test_session_reinstatement(daemon, lun):
    """6.3.5: login with the same name and ISID and TSIH 0 closes the old session, opens a new one."""
    old = daemon.session()
    new = daemon.session(isid=old.isid)
    old.conn.expect_closed(allow=(p.ASYNC,))
    assert new.tsih != 0
    r = new.scsi(scsi.test_unit_ready(), lun=lun)
    if r.status == scsi.CHECK_CONDITION:        # SAM-5 6.3: I_T nexus loss tells itself
        r.check(scsi.UNIT_ATTENTION)
    new.clear_ua(lun).good()
    new.logout()
    old.close()


def test_reinstatement_again_and_again(daemon):
    """6.3.5: each wins over the one before."""
    s = daemon.session()
    for _ in range(20):
        new = daemon.session(isid=s.isid)
        s.conn.expect_closed(allow=(p.ASYNC,))
        s.close()
        s = new
    alive(s)
    s.logout()


def test_reinstatement_ends_tasks(daemon, lun):
    """6.3.5: tasks of the old session are terminated; a write half sent never happens."""
    old = daemon.session(keys={"InitialR2T": "Yes", "ImmediateData": "No"})
    old.clear_ua(lun)
    before = pattern(65536, 1)
    old.scsi(scsi.write10(0, 128), lun=lun, write=before).good()
    cmd = old.start(scsi.write10(0, 128), lun=lun, write=pattern(65536, 2), hold_r2t=True)
    while not cmd.r2ts:
        old.recv()
    new = daemon.session(isid=old.isid)
    old.conn.expect_closed(allow=(p.ASYNC,))
    new.clear_ua(lun)
    assert new.scsi(scsi.read10(0, 128), lun=lun, read=65536).good().data == before
    new.logout()
    old.close()


def test_reinstatement_needs_no_full_login_of_the_old(daemon):
    """A refused login with the same ISID leaves the session alone (6.3.5: after authentication)."""
    s = daemon.session()
    with pytest.raises(LoginFailed):
        Session.open(daemon.address, "iqn.2026-01.example.test:nobody", isid=s.isid)
    alive(s)
    s.logout()


def test_second_connection_over_max_connections(daemon):
    """11.13.5: 0206h, too many connections, when MaxConnections is 1."""
    s = daemon.session(keys={"MaxConnections": "1"})
    with pytest.raises(LoginFailed) as e:
        s.add_connection(cid=1)
    assert e.value.status in (0x0206, 0x0208)
    alive(s)
    s.logout()


def test_second_connection_where_offered(daemon, lun):
    """6.3.3: with MaxConnections above 1 a login with TSIH joins the session."""
    s = daemon.session(keys={"MaxConnections": "4"})
    if s.num("MaxConnections") == 1:
        with pytest.raises(LoginFailed):
            s.add_connection(cid=1)
        s.logout()
        return
    s.clear_ua(lun)
    c1 = s.add_connection(cid=1)
    s.scsi(scsi.test_unit_ready(), lun=lun, conn=c1).good()
    alive(s, conn=c1)
    s.logout(reason=1, cid=1, conn=s.conn, close=False)
    c1.expect_closed(allow=(p.ASYNC,))
    alive(s)
    s.logout()


def test_wrong_tsih_for_isid(daemon):
    """6.3.4: TSIH and ISID must belong together: 020Ah."""
    s = daemon.session()
    with pytest.raises(LoginFailed) as e:
        daemon.session(isid=s.isid, tsih=s.tsih ^ 0x55AA or 1)
    assert e.value.status == 0x020A
    alive(s)
    s.logout()


def test_tsih_of_another_initiator(daemon):
    """11.12.6: A TSIH is no ticket into another initiator's session."""
    s = daemon.session()
    with pytest.raises(LoginFailed) as e:
        daemon.session(name="iqn.2026-01.example.test:thief", isid=s.isid, tsih=s.tsih)
    assert e.value.status == 0x020A
    alive(s)
    s.logout()


def test_discovery_with_tsih(daemon):
    """A discovery session has no second connection (4.3)."""
    s = Session.open(daemon.address, discovery=True)
    with pytest.raises((LoginFailed, Closed)):
        Session.open(daemon.address, discovery=True, isid=s.isid, tsih=s.tsih, cid=1)
    s.logout()


def test_tsih_unique(daemon):
    """11.12.7: TSIHs of sessions that live together differ and are never 0."""
    sessions = [daemon.session(name=f"iqn.2026-01.example.test:u{i}") for i in range(16)]
    assert len({s.tsih for s in sessions}) == 16
    for s in sessions:
        s.logout()


def test_isid_of_every_type(daemon):
    """11.12.6: OUI, EN, random and reserved types of ISID."""
    for first in (0x00, 0x40, 0x80):
        with daemon.session(isid=bytes([first, 0x11, 0x22, 0x33, 0x44, 0x55])) as s:
            s.logout()

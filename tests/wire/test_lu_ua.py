# SPDX-License-Identifier: BSD-3-Clause
"""Unit attentions and RESERVE/RELEASE. SAM-5 5.14; SPC-2 5.5.1, 7.21, 7.27."""

import pytest

from lib import pdu as p
from lib import scsi

OTHER = "iqn.2026-01.example.test:second"


@pytest.fixture
def two(daemon, lun):
    """Two sessions of two initiators, unit attentions taken, no reservation."""
    with daemon.session() as a, daemon.session(name=OTHER) as b:
        for s in (a, b):
            s.clear_ua(lun)
        a.scsi(scsi.release6(), lun=lun)
        b.scsi(scsi.release6(), lun=lun)
        yield a, b


def reset(s, lun):
    assert s.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE


def test_ua_is_told_once(two, lun):
    """SAM-5 5.14: the unit attention ends with the command that reports it."""
    a, b = two
    reset(a, lun)
    for s in (a, b):
        s.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION)
        s.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_inquiry_and_report_luns_leave_ua(two, lun):
    """SAM-5 5.14: INQUIRY and REPORT LUNS run in spite of a unit attention and do not clear it."""
    a, b = two
    reset(a, lun)
    a.scsi(scsi.inquiry(36), lun=lun, read=36).good()
    a.scsi(scsi.report_luns(64), lun=lun, read=64).good()
    a.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION)
    b.clear_ua(lun)


def test_request_sense_takes_ua(two, lun):
    """SAM-5 5.14, SPC-4 6.39: REQUEST SENSE returns it as data, GOOD, and clears it."""
    a, b = two
    reset(a, lun)
    s = scsi.parse_sense(a.scsi(scsi.request_sense(), lun=lun, read=252).good().data)
    assert s.key == scsi.UNIT_ATTENTION and s.asc == 0x29
    a.scsi(scsi.test_unit_ready(), lun=lun).good()
    b.clear_ua(lun)


def test_ua_stops_a_write(two, lun):
    """The command that reports a unit attention is not performed."""
    a, b = two
    a.scsi(scsi.write10(500, 1), lun=lun, write=b"1" * 512).good()
    reset(b, lun)
    a.scsi(scsi.write10(500, 1), lun=lun, write=b"2" * 512).check(scsi.UNIT_ATTENTION)
    assert a.scsi(scsi.read10(500, 1), lun=lun, read=512).good().data == b"1" * 512
    b.clear_ua(lun)


def test_ua_by_lun(two, lun):
    """Unit attentions belong to one logical unit."""
    a, b = two
    a.clear_ua(lun + 1)
    reset(a, lun)
    a.scsi(scsi.test_unit_ready(), lun=lun + 1).good()
    a.clear_ua(lun)
    b.clear_ua(lun)


def test_mode_change_tells_others(daemon, two, lun):
    """SPC-4 6.9: a MODE SELECT that changes a shared page: 2A/01 for every other nexus."""
    a, b = two
    d = bytearray(a.scsi(scsi.mode_sense10(0x08, dbd=1), lun=lun, read=252).good().data)
    mask = a.scsi(scsi.mode_sense10(0x08, dbd=1, pc=1), lun=lun, read=252).good().data
    if not mask[10] & 0x04:
        pytest.skip("WCE is not changeable on this unit")
    d[0:2] = b"\0\0"
    d[3] = 0
    d[8] &= 0x3F
    old = bytes(d)
    d[10] ^= 0x04
    a.scsi(scsi.mode_select10(len(d)), lun=lun, write=bytes(d)).good()
    a.scsi(scsi.test_unit_ready(), lun=lun).good()
    b.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION, (0x2A, 0x01))
    a.scsi(scsi.mode_select10(len(old)), lun=lun, write=old).good()
    b.clear_ua(lun)


# --- RESERVE and RELEASE

@pytest.mark.parametrize("reserve, release", [(scsi.reserve6, scsi.release6), (scsi.reserve10, scsi.release10)])
def test_reserve_release(two, lun, reserve, release):
    """SPC-2 7.21: others get RESERVATION CONFLICT, the holder may reserve again, release frees."""
    a, b = two
    a.scsi(reserve(), lun=lun).good()
    a.scsi(reserve(), lun=lun).good()
    for cdb, n in ((scsi.read10(0, 1), 512), (scsi.test_unit_ready(), 0), (reserve(), 0)):
        assert b.scsi(cdb, lun=lun, read=n).status == scsi.RESERVATION_CONFLICT
    assert b.scsi(scsi.write10(0, 1), lun=lun, write=bytes(512)).status == scsi.RESERVATION_CONFLICT
    a.scsi(scsi.read10(0, 1), lun=lun, read=512).good()
    a.scsi(release(), lun=lun).good()
    b.scsi(scsi.read10(0, 1), lun=lun, read=512).good()


def test_allowed_through_a_reservation(two, lun):
    """SPC-2 table 10: INQUIRY, REPORT LUNS, REQUEST SENSE, RELEASE (without effect) pass."""
    a, b = two
    a.scsi(scsi.reserve6(), lun=lun).good()
    b.scsi(scsi.inquiry(36), lun=lun, read=36).good()
    b.scsi(scsi.report_luns(64), lun=lun, read=64).good()
    b.scsi(scsi.request_sense(), lun=lun, read=252).good()
    b.scsi(scsi.release6(), lun=lun).good()
    assert b.scsi(scsi.test_unit_ready(), lun=lun).status == scsi.RESERVATION_CONFLICT
    a.scsi(scsi.release6(), lun=lun).good()


def test_reservation_ends_with_reset(two, lun):
    """SPC-2 5.5.1: a logical unit reset releases."""
    a, b = two
    a.scsi(scsi.reserve6(), lun=lun).good()
    reset(b, lun)
    b.clear_ua(lun).good()
    a.clear_ua(lun)


@pytest.mark.parametrize("how", ["logout", "close", "abort", "reinstate"])
def test_reservation_ends_with_the_session(daemon, lun, how):
    """SPC-2 5.5.1, SAM-5 6.3.4: loss of the I_T nexus releases; the next command finds it gone."""
    with daemon.session(name=OTHER) as b:
        b.clear_ua(lun)
        a = daemon.session()
        a.clear_ua(lun)
        a.scsi(scsi.reserve6(), lun=lun).good()
        assert b.scsi(scsi.test_unit_ready(), lun=lun).status == scsi.RESERVATION_CONFLICT
        if how == "logout":
            a.logout()
        elif how == "reinstate":
            n = daemon.session(isid=a.isid)
            a.conn.expect_closed(allow=(p.ASYNC,))
            n.logout()
        else:
            getattr(a.conn, how)()
            daemon.session(isid=a.isid).logout()        # the target knows by now that the old one is gone
        b.clear_ua(lun).good()
        b.logout()


def test_reservation_is_by_lun(two, lun):
    """Another unit is not reserved."""
    a, b = two
    b.clear_ua(lun + 1)
    a.scsi(scsi.reserve6(), lun=lun).good()
    b.scsi(scsi.test_unit_ready(), lun=lun + 1).good()
    a.scsi(scsi.release6(), lun=lun).good()

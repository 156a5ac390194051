# SPDX-License-Identifier: BSD-3-Clause
"""Reject and format errors in full feature phase. RFC 7143 7.7, 7.11, 11.16, 11.17."""

import pytest

from helpers import alive, outcome, quiet, reject_or_close
from lib import pdu as p
from lib import scsi
from lib.initiator import Closed, Rejected
from lib.pdu import PDU, RESERVED_TAG

PROTOCOL = (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED, p.REJ_INVALID_FIELD)


@pytest.mark.parametrize("opcode", [0x07, 0x0F, 0x11, 0x1B, 0x1C, 0x1F, 0x20, 0x21, 0x25, 0x31, 0x3F, 0x3E])
@pytest.mark.parametrize("immediate", [True, False])
def test_unknown_opcode(session, opcode, immediate):
    """11.17.1: 05h, command not supported (or 04h); the header comes back; the session goes on after 05h."""
    raw = bytearray(PDU(p.NOP_OUT, immediate=immediate, flags=p.F, itt=0x5151, ttt=RESERVED_TAG,
                        cmdsn=session.cmdsn, expstatsn=session.conn.expstatsn).encode())
    raw[0] = raw[0] & 0x40 | opcode
    session.conn.send_raw(bytes(raw))
    try:
        r = session.wait_pdu(p.REJECT)
    except Closed:
        return
    assert r.reason in PROTOCOL and r.itt == RESERVED_TAG
    assert r.data[:48] == bytes(raw[:48]), "the complete header of the PDU in error (11.17)"
    if r.reason == p.REJ_NOT_SUPPORTED:
        if not immediate and session.expcmdsn != session.cmdsn:
            session.take_cmdsn()
        alive(session)


def test_snack_at_erl0(session):
    """11.16: no SNACK at ErrorRecoveryLevel 0: rejected (03h, 04h or 05h)."""
    for kind in range(4):
        r = reject_or_close(session, PDU(p.SNACK, flags=p.F | kind, itt=RESERVED_TAG, ttt=RESERVED_TAG),
                            (p.REJ_SNACK, *PROTOCOL))
        if r is None:
            return
    alive(session)


def test_data_segment_length_over_the_limit(session):
    """7.7: a length above MaxRecvDataSegmentLength is found from the header alone."""
    pdu = PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=5, ttt=RESERVED_TAG, cmdsn=session.cmdsn)
    session.conn.send_raw(pdu.header(data_len=0xFFFFFF))
    session.conn.expect_closed(allow=(p.REJECT, p.ASYNC))


def test_ahs_length_beyond_reason(session):
    """7.7: TotalAHSLength of 1020 bytes in a PDU whose type has no AHS."""
    pdu = PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=5, ttt=RESERVED_TAG, cmdsn=session.cmdsn,
              expstatsn=session.conn.expstatsn)
    session.conn.send_raw(pdu.header(ahs_len=255) + bytes(1020))
    try:
        got = session.recv()
        assert got.opcode in (p.REJECT, p.NOP_IN)
        alive(session)
    except Closed:
        pass


@pytest.mark.parametrize("ahs", [b"\xff\xff\x01\x00", b"\x00\x00\x01\x00", b"\x00\x40\x01\x00", b"\x00\x01\x3f\x00",
                                 b"\x00\x05\x02\x00\x00\x00\x00\x10", b"\x00\x01\x01\x00" * 64])
def test_malformed_ahs(session, lun, ahs):
    """11.2.2: AHSLength that leads outside, unknown types, repeated AHS: no crash, an orderly end."""
    pdu = PDU(p.SCSI_CMD, flags=p.F | p.SIMPLE, lun=lun, itt=0x66, cmdsn=session.take_cmdsn(),
              expstatsn=session.conn.expstatsn, cdb=bytes(6))
    session.conn.send_raw(pdu.header(ahs_len=len(ahs) // 4) + ahs)
    try:
        got = session.conn.recv()
        assert got.opcode in (p.REJECT, p.SCSI_RSP)
    except Closed:
        pass


@pytest.mark.parametrize("size", [17, 32, 64, 259])
def test_long_cdb(session, lun, size):
    """11.2.2.3: extended CDBs of up to 260 bytes arrive whole: 7Fh is answered by SCSI, not by iSCSI."""
    cdb = bytearray(size)
    cdb[0], cdb[7] = 0x7F, size - 8 & 0xFC
    r = session.scsi(bytes(cdb), lun=lun)
    r.check(scsi.ILLEGAL_REQUEST)
    alive(session)


def test_reserved_itt_in_command(session, lun):
    """11.2.1.8: FFFFFFFFh is no ITT of a command."""
    r = reject_or_close(session, PDU(p.SCSI_CMD, flags=p.F | p.SIMPLE, lun=lun, itt=RESERVED_TAG,
                                     cdb=bytes(6), immediate=True), PROTOCOL)
    if r:
        alive(session)


def test_reserved_task_attribute(session, lun):
    """11.3.1: ATTR 5 to 7 are reserved."""
    for attr in (5, 6, 7):
        cmd = session.start(scsi.test_unit_ready(), lun=lun, attr=attr)
        kind, what = outcome(session, cmd)
        if kind == "closed":
            return
        if kind == "status":
            assert what.status == scsi.CHECK_CONDITION or what.response != 0
        session.commands.clear()


def test_command_for_missing_lun(session):
    """SAM-5 5.11.3: LOGICAL UNIT NOT SUPPORTED, 25/00, whatever the shape of the LUN field."""
    for n in (99, 255, 256, 16383, bytes([0xC1, 2, 0, 0, 0, 0, 0, 0]), b"\xff" * 8, bytes([0x80, 1]) + bytes(6),
              bytes([0, 99, 1, 2, 3, 4, 5, 6])):
        session.scsi(scsi.test_unit_ready(), lun=n).check(scsi.ILLEGAL_REQUEST, scsi.LU_NOT_SUPPORTED)


def test_task_management_with_reserved_function(session, lun):
    """11.5.1, 11.6.1: unknown functions are answered 05h (not supported) or 255, or rejected."""
    for f in (0, 9, 15, 64, 127):
        try:
            assert session.tmf(f, lun) in (p.TMF_NOT_SUPPORTED, p.TMF_REJECTED)
        except Rejected:
            pass
        except Closed:
            return
    alive(session)


def test_reserved_logout_reason(session):
    """11.14.1: reasons 3 and up are reserved: rejected, closed, or answered with a failure (11.15.1)."""
    session.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F | 0x55))
    try:
        pdu = session.recv()
    except Closed:
        return
    assert (pdu.opcode == p.REJECT and pdu.reason in PROTOCOL) or \
        (pdu.opcode == p.LOGOUT_RSP and pdu.response != 0), f"{pdu}"
    session.inbox.clear()
    alive(session)


def test_unsolicited_target_pdus_absent(session, lun):
    """11.19, 11.9: Nothing comes that was not asked for."""
    session.scsi(scsi.test_unit_ready(), lun=lun).good()
    assert quiet(session) == []


def test_session_error_leaves_others(daemon, lun):
    """7.15: One session's protocol error is no other session's trouble."""
    with daemon.session() as good, daemon.session(name="iqn.2026-01.example.test:bad") as bad:
        good.clear_ua(lun)
        bad.conn.send_raw(b"\xff" * (48 + 1020))       # BHS and all the AHS that it promises
        bad.conn.expect_closed(allow=(p.REJECT, p.ASYNC))
        good.scsi(scsi.test_unit_ready(), lun=lun).good()
        good.logout()

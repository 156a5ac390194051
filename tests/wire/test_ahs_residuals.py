# SPDX-License-Identifier: BSD-3-Clause
"""Additional Header Segments. RFC 7143 11.2.2, 11.4.5; 11: reserved codes are errors."""

import pytest

from helpers import alive
from lib import pdu as p
from lib import scsi
from lib.pdu import PDU

EXTENDED, READ_LENGTH = 1, 2


def read_length(n):
    """11.2.2.4"""
    return READ_LENGTH, b"\0" + n.to_bytes(4, "big")


def command(s, lun, ahs, flags=p.F | p.R | p.W | p.SIMPLE, cdb=None, edtl=0):
    """A command with these AHS; its SCSI Response, its Data-In bytes, or its Reject."""
    pdu = PDU(p.SCSI_CMD, flags=flags, lun=lun, edtl=edtl, cdb=(cdb or scsi.inquiry(36))[:16], ahs=ahs)
    s.send(pdu)
    data = b""
    while True:
        got = s.conn.recv()
        if got.opcode == p.DATA_IN:
            assert not got.flags & p.DIN_S, "status of a bidirectional command needs a SCSI Response (11.7.3)"
            assert got.offset == len(data)
            data += got.data
        elif got.opcode in (p.SCSI_RSP, p.REJECT):
            return got, data


def rejected(s, lun, ahs, **kw):
    """11.17.1: the PDU is rejected, and its CmdSN is not taken: another one may have it."""
    sn = s.cmdsn
    got, _ = command(s, lun, ahs, **kw)
    assert got.opcode == p.REJECT and got.reason in (p.REJ_PROTOCOL, p.REJ_INVALID_FIELD)
    s.cmdsn = sn
    s.scsi(scsi.test_unit_ready(), lun=lun).good()
    alive(s)


@pytest.mark.parametrize("length,flags,residual", [
    (36, p.F, 0), (64, p.F | p.RSP_BU, 28), (8, p.F | p.RSP_BO, 28), (0x10000, p.F | p.RSP_BU, 0xFFDC)])
def test_read_length(session, lun, length, flags, residual):
    """11.2.2.4, 11.4.5: what comes in is bounded by the AHS, and its residual has its own field."""
    got, data = command(session, lun, [read_length(length)])
    assert got.opcode == p.SCSI_RSP and got.status == scsi.GOOD
    assert (got.flags, got.bidi_residual, got.residual) == (flags, residual, 0)
    assert len(data) == min(length, 36)


def test_both_residuals(session, lun):
    """11.4.5: the write's residual stands where it always does."""
    got, data = command(session, lun, [read_length(40)], edtl=1024, flags=p.F | p.R | p.W | p.SIMPLE)
    assert (got.flags, got.bidi_residual, got.residual) == (p.F | p.RSP_BU | p.RSP_U, 4, 1024)
    assert len(data) == 36


@pytest.mark.parametrize("flags", [p.F | p.R | p.SIMPLE, p.F | p.W | p.SIMPLE, p.F | p.SIMPLE])
def test_read_length_without_both_bits(session, lun, flags):
    """11.2.2.4: it is for commands with R and W."""
    rejected(session, lun, [read_length(36)], flags=flags)


@pytest.mark.parametrize("body", [b"", b"\0", bytes(4), bytes(6), bytes(9)])
def test_read_length_of_another_length(session, lun, body):
    """11.2.2.4: AHSLength is 0005h."""
    rejected(session, lun, [(READ_LENGTH, body)])


@pytest.mark.parametrize("kind", [0, 3, 7, 0x3E, 0x3F])
def test_reserved_type(session, lun, kind):
    """11, 11.2.2.1: reserved codes are errors, and nothing is run."""
    rejected(session, lun, [(kind, bytes(5))])


@pytest.mark.parametrize("ahs", [[read_length(36), read_length(36)], [(EXTENDED, bytes(17)), (EXTENDED, bytes(17))]])
def test_twice_the_same(session, lun, ahs):
    """11.2.2: a command has one CDB and one read length."""
    rejected(session, lun, ahs)


@pytest.mark.parametrize("order", [1, -1])
def test_both_kinds_in_any_order(session, lun, order):
    """11.2.2: a long CDB and a read length; what the opcode does not have is the engine's to refuse."""
    cdb = bytes([0x7F, 0, 0, 0, 0, 0, 0, 24, 0xAB, 0xCD]) + bytes(6)
    ahs = [(EXTENDED, bytes(17)), read_length(36)][::order]
    got, data = command(session, lun, ahs, cdb=cdb)
    assert got.opcode == p.SCSI_RSP and got.status == scsi.CHECK_CONDITION and not data
    assert got.flags & p.RSP_BU and got.bidi_residual == 36
    alive(session)


@pytest.mark.parametrize("size,ok", [(16, False), (17, True), (260, True), (261, False)])
def test_extended_cdb_length(session, lun, size, ok):
    """11.2.2.3; SPC-4 4.3.3: a variable length CDB has at most 260 bytes."""
    body = bytes(size - 15)
    cdb = bytes([0x7F, 0, 0, 0, 0, 0, 0, max(0, min(252, size - 8))]) + bytes(8)
    if not ok:
        rejected(session, lun, [(EXTENDED, body)], cdb=cdb, flags=p.F | p.SIMPLE)
        return
    got, _ = command(session, lun, [(EXTENDED, body)], cdb=cdb, flags=p.F | p.SIMPLE)
    assert got.opcode == p.SCSI_RSP and got.status == scsi.CHECK_CONDITION

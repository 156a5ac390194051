# SPDX-License-Identifier: BSD-3-Clause
"""Additional header segments: extended CDBs and the read length of bidirectional commands. RFC 7143 11.2.2, 11.3.1,
11.4.5, 11.4.6.
"""

import struct

import pytest

from helpers import alive, outcome, pattern
from lib import pdu as p
from lib import scsi
from lib.pdu import PDU

BASE = 66000
VARIABLE = 0x7F


def variable(action, lba, n, size=32):
    """READ(32), WRITE(32) of SBC-3: service action, LBA and length in a variable-length CDB of 32 bytes; longer
    ones are no such command."""
    cdb = bytearray(size)
    cdb[0], cdb[7] = VARIABLE, size - 8
    struct.pack_into(">H", cdb, 8, action)
    struct.pack_into(">QII", cdb, 12, lba, lba & 0xFFFFFFFF, 0)
    struct.pack_into(">I", cdb, 28, n)
    return bytes(cdb)


def served(s, cdb, lun, **kw):
    """A command's Result; the session must live."""
    r = s.scsi(cdb, lun=lun, **kw)
    alive(s)
    return r


@pytest.mark.parametrize("size", [17, 18, 19, 20, 21, 28, 32, 64, 100, 128, 200, 256, 257, 258, 259, 260])
def test_extended_cdb(session, lun, size):
    """11.2.2.3: a CDB longer than 16 bytes, up to 260, comes whole: a SCSI answer, not one of iSCSI."""
    cdb = variable(0xFFF0, 0, 0, 32)[:size].ljust(size, b"\0")
    cdb = cdb[:7] + bytes([(size - 8) & 0xFF]) + cdb[8:]
    served(session, cdb, lun).check(scsi.ILLEGAL_REQUEST)


@pytest.mark.parametrize("size", [17, 20, 32, 260])
@pytest.mark.parametrize("header", ["None", "CRC32C"])
def test_extended_cdb_and_digest(daemon, lun, size, header):
    """11.2.3, 13.1: the header digest covers BHS and AHS, padding of the AHS included."""
    with daemon.session(keys={"HeaderDigest": header}) as s:
        s.clear_ua(lun)
        served(s, bytes([VARIABLE]) + bytes(6) + bytes([(size - 8) & 0xFF]) + bytes(size - 8), lun).check(
            scsi.ILLEGAL_REQUEST)


@pytest.mark.parametrize("size", [20, 32, 260])
def test_extended_cdb_with_immediate_data(daemon, lun, size):
    """11.2.2, 11.3.6: AHS and a data segment in one PDU: framing holds, and the command fails by SCSI."""
    with daemon.session(keys={"ImmediateData": "Yes", "InitialR2T": "Yes"}) as s:
        s.clear_ua(lun)
        cdb = bytes([VARIABLE]) + bytes(6) + bytes([(size - 8) & 0xFF]) + bytes(size - 8)
        served(s, cdb, lun, write=pattern(1500), imm=1500, unsolicited=0).check(scsi.ILLEGAL_REQUEST)


def test_short_cdb_with_needless_ahs(session, lun):
    """11.2.2.3: an extended CDB AHS with nothing that the command needs: the command as its first byte says, or an
    error; never another one."""
    cmd = session.start(scsi.test_unit_ready().ljust(16, b"\0") + bytes(4), lun=lun)
    kind, what = outcome(session, cmd)
    if kind == "status":
        assert what.status in (scsi.GOOD, scsi.CHECK_CONDITION)
    if kind != "closed":
        alive(session)


@pytest.mark.parametrize("length", [0, 1, 4, 6, 0x7FFF, 0xFFFF])
def test_bidirectional_ahs_of_a_wrong_length(session, lun, length):
    """11.2.2.4: the AHSLength of a bidirectional read length is 5: another one is a format or protocol error."""
    ahs = struct.pack(">HBB", length, 2, 0) + struct.pack(">I", 512)
    pdu = PDU(p.SCSI_CMD, immediate=True, flags=p.F | p.R | p.W | p.SIMPLE, lun=lun, itt=0x77, edtl=0,
              cmdsn=session.cmdsn, expstatsn=session.conn.expstatsn, cdb=scsi.test_unit_ready())
    session.conn.send_raw(pdu.header(ahs_len=2) + ahs)
    try:
        got = session.conn.recv()
    except ConnectionError:
        return
    assert got.opcode == p.REJECT or (got.opcode == p.SCSI_RSP and got.status != scsi.GOOD), f"{got}"
    alive(session)


@pytest.mark.parametrize("read", [0, 1, 512, 4096, 0xFFFFFFFF])
@pytest.mark.parametrize("cdb", [scsi.read10(BASE, 1), scsi.write10(BASE, 1), scsi.test_unit_ready()],
                         ids=["read", "write", "none"])
def test_bidirectional_length_for_a_command_that_is_not(daemon, lun, cdb, read):
    """11.3.1, 11.2.2.4, 11.4.6: R and W with both lengths for a command that moves data one way, or none: an error,
    or the residuals tell what did not move (BU for the read side)."""
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"}) as s:
        s.clear_ua(lun)
        cmd = s.start(cdb, lun=lun, write=bytes(512), flags=p.F | p.R | p.W | p.SIMPLE,
                      ahs=[(2, b"\0" + struct.pack(">I", read))])
        cmd.edtl = max(512, read)
        kind, what = outcome(s, cmd)
        if kind == "closed":
            return
        if kind == "status" and what.status == scsi.GOOD and cdb[0] != 0x28:
            flags = what.pdu.flags
            assert what.pdu.opcode == p.SCSI_RSP and (not read or flags & p.RSP_BU), f"{what.pdu}"
            assert what.pdu.bidi_residual == read
        alive(s)


@pytest.mark.parametrize("ahs_len", [1, 2, 64, 255])
@pytest.mark.parametrize("opcode, answer", [(p.NOP_OUT, p.NOP_IN), (p.TMF_REQ, p.TMF_RSP), (p.TEXT_REQ, p.TEXT_RSP),
                                            (p.LOGOUT_REQ, p.LOGOUT_RSP)])
def test_ahs_where_none_is_due(session, opcode, answer, ahs_len):
    """11.5.2, 11.14.2, 11.2.2: TotalAHSLength is 0 in other requests than SCSI Commands: segments in them are passed
    over, and the request is answered."""
    pdu = PDU(opcode, immediate=True, flags=p.F | (1 if opcode == p.TMF_REQ else 0), itt=5, cmdsn=session.cmdsn,
              expstatsn=session.conn.expstatsn)
    if opcode in (p.NOP_OUT, p.TEXT_REQ):
        pdu.ttt = p.RESERVED_TAG
    session.conn.send_raw(pdu.header(ahs_len=ahs_len) + bytes(4 * ahs_len))
    got = session.conn.recv()
    assert got.opcode == answer and got.itt == 5, f"{got}"
    if opcode == p.LOGOUT_REQ:
        session.conn.expect_closed()
    else:
        alive(session)

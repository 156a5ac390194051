# SPDX-License-Identifier: BSD-3-Clause
"""Sense data: format, field pointers, CDB checks. SPC-4 4.5, SAM-5 5.13."""

import pytest

from lib import scsi


def field(session, lun, cdb, byte, bit=None, **kw):
    """INVALID FIELD IN CDB with a field pointer at byte (and bit)."""
    r = session.scsi(cdb, lun=lun, **kw).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    fp = scsi.field_pointer(r.sense)
    assert fp is not None, "no sense-key specific bytes (SPC-4 4.5.2.4.2)"
    assert fp[0], "C/D must say CDB"
    assert fp[1] == byte, f"field pointer {fp[1]}, wanted {byte}"
    if bit is not None:
        assert fp[2] == bit, f"bit pointer {fp[2]}, wanted {bit}"


def test_fixed_format_by_default(session, lun):
    """SPC-4 4.5.1, 7.5.10: D_SENSE is 0 unless a MODE SELECT set it."""
    r = session.scsi(scsi.read16(1 << 60, 1), lun=lun, read=512)
    r.check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)
    assert r.sense.format == "fixed" and not r.sense.deferred
    assert len(r.sense_raw) >= 18 and r.sense_raw[7] == len(r.sense_raw) - 8


@pytest.mark.parametrize("op", [0xFF, 0x02, 0x3F, 0x60, 0xBE, 0xD0])
def test_invalid_opcode(session, lun, op):
    """SPC-4: INVALID COMMAND OPERATION CODE, 20/00."""
    session.scsi(bytes([op]) + bytes(15), lun=lun).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_OPCODE)


def test_invalid_service_action(session, lun):
    """A known opcode with an unknown service action is an invalid field at the service action."""
    field(session, lun, bytes([0x9E, 0x1F]) + bytes(14), 1, read=32)
    field(session, lun, bytes([0xA3, 0x1F]) + bytes(10), 1, read=32)


@pytest.mark.parametrize("cdb, byte, read", [
    (bytes([0x12, 0, 0x80, 0, 96, 0]), 2, 96),                      # INQUIRY: page code without EVPD
    (bytes([0x12, 1, 0x77, 0, 96, 0]), 2, 96),                      # unknown VPD page
    (bytes([0x1A, 0, 0x2B, 0, 96, 0]), 2, 96),                      # unknown mode page
    (bytes([0xA0, 0, 0x77, 0, 0, 0, 0, 0, 1, 0, 0, 0]), 2, 256),    # REPORT LUNS: reserved SELECT REPORT
    (bytes([0x25, 0, 0, 0, 0, 5, 0, 0, 0, 0]), None, 8),            # READ CAPACITY(10): LBA without PMI
])
def test_field_pointer_byte(session, lun, cdb, byte, read):
    r = session.scsi(cdb, lun=lun, read=read)
    if byte is None:
        assert r.status in (scsi.GOOD, scsi.CHECK_CONDITION)        # SBC-3 made the field reserved
        return
    r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    fp = scsi.field_pointer(r.sense)
    assert fp and fp[0] and fp[1] == byte, f"field pointer {fp}"


@pytest.mark.parametrize("cdb", [scsi.test_unit_ready(), scsi.read10(0, 1), scsi.read16(0, 1),
                                 scsi.inquiry(96), scsi.report_luns(64)])
def test_naca_refused(session, lun, cdb):
    """SAM-5 5.2: NACA=1 where NORMACA is 0: invalid field in the CONTROL byte."""
    cdb = bytearray(cdb)
    cdb[-1] |= 0x04
    r = session.scsi(bytes(cdb), lun=lun, read=512)
    if r.status == scsi.CHECK_CONDITION:
        fp = scsi.field_pointer(r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB).sense)
        assert fp and fp[1] == len(cdb) - 1
    else:
        raise AssertionError("NACA=1 was taken")


@pytest.mark.parametrize("cdb, n", [(scsi.read10, 1), (scsi.read12, 1), (scsi.read16, 1), (scsi.verify10, 0),
                                    (scsi.write10, 1), (scsi.write16, 1)])
def test_lba_out_of_range(session, lun, cdb, n):
    """SBC-3: last block is good, one past it is 21/00; and LBA + length may not wrap."""
    blocks, size = session.capacity(lun)
    writes = cdb in (scsi.write10, scsi.write16)

    def run(lba, count):
        data = count * n * size
        kw = {"write": bytes(data)} if writes and data else {"read": data}
        return session.scsi(cdb(lba, count), lun=lun, **kw)

    run(blocks - 1, 1).good()
    for lba, count in ((blocks, 1), (blocks - 1, 2), (0xFFFFFFFF, 1), (0xFFFFFFFF, 2)):
        run(lba, count).check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)


def test_zero_blocks_past_the_end(session, lun):
    """SBC-3 4.5.x: LBA = capacity with length 0 is accepted or 21/00; beyond it is 21/00."""
    blocks, _ = session.capacity(lun)
    r = session.scsi(scsi.read16(blocks, 0), lun=lun)
    assert r.status == scsi.GOOD or r.check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)
    session.scsi(scsi.read16(blocks + 1, 0), lun=lun).check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)


def test_descriptor_sense_by_request(session, lun):
    """SPC-4 6.39: REQUEST SENSE with DESC=1 answers in descriptor format; nothing pending: NO SENSE."""
    r = session.scsi(scsi.request_sense(desc=1), lun=lun, read=252).good()
    s = scsi.parse_sense(r.data)
    assert s.format == "descriptor" and (s.key, s.asc, s.ascq) == (0, 0, 0)
    s = scsi.parse_sense(session.scsi(scsi.request_sense(), lun=lun, read=252).good().data)
    assert s.format == "fixed" and (s.key, s.asc, s.ascq) == (0, 0, 0)


def test_request_sense_of_a_missing_lun(session):
    """SPC-4 6.39: for an unsupported LUN: GOOD, and 5/25/00 in the parameter data."""
    r = session.scsi(scsi.request_sense(), lun=99, read=252).good()
    s = scsi.parse_sense(r.data)
    assert (s.key, s.asc, s.ascq) == (scsi.ILLEGAL_REQUEST, 0x25, 0x00)


def test_d_sense_switches_autosense(new_daemon, lun):
    """SPC-4 7.5.10: D_SENSE=1 in the Control page makes autosense descriptor format, for this LU."""
    d = new_daemon()
    with d.session() as s:
        s.clear_ua(lun)
        page = bytearray(s.scsi(scsi.mode_sense10(0x0A, dbd=1), lun=lun, read=252).good().data)
        changeable = s.scsi(scsi.mode_sense10(0x0A, dbd=1, pc=1), lun=lun, read=252).good().data
        if not changeable[8 + 2] & 0x04:
            page[8 + 2] |= 0x04
            page[0:2] = b"\0\0"
            s.scsi(scsi.mode_select10(len(page)), lun=lun, write=bytes(page)).check(scsi.ILLEGAL_REQUEST)
            return
        page[0:2] = b"\0\0"
        page[8] &= 0x3F
        page[8 + 2] |= 0x04
        s.scsi(scsi.mode_select10(len(page)), lun=lun, write=bytes(page)).good()
        r = s.scsi(scsi.read16(1 << 60, 1), lun=lun, read=512).check(scsi.ILLEGAL_REQUEST,
                                                                     scsi.LBA_OUT_OF_RANGE)
        assert r.sense.format == "descriptor"
        s.logout()


def test_sense_fits_a_small_segment(daemon, lun):
    """11.4.7: sense comes whole with the smallest MaxRecvDataSegmentLength."""
    with daemon.session(keys={"MaxRecvDataSegmentLength": "512"}) as s:
        s.clear_ua(lun)
        s.scsi(scsi.read16(1 << 60, 1), lun=lun, read=512).check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)
        s.logout()

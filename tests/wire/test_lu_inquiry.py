# SPDX-License-Identifier: BSD-3-Clause
"""INQUIRY, VPD pages, REPORT LUNS, mode pages, capacity, supported operation codes. SPC-4 6.6, 6.33, 7."""

import pytest

from lib import scsi


def vpd(s, lun, page):
    d = s.scsi(scsi.inquiry(255, page), lun=lun, read=255).good().data
    assert d[1] == page and len(d) == min(255, 4 + int.from_bytes(d[2:4], "big"))
    return d


def test_standard_inquiry(session, lun):
    """SPC-4 6.6.2: disk, connected, response data format 2, CMDQUE, printable strings."""
    d = session.scsi(scsi.inquiry(255), lun=lun, read=255).good().data
    assert d[0] == 0 and d[3] & 0x0F == 2 and d[7] & 0x02
    assert d[2] in (0x05, 0x06, 0x07)
    assert len(d) == d[4] + 5 >= 36
    assert all(0x20 <= b < 0x7F for b in d[8:36])


def test_missing_lun_inquiry(session):
    """SPC-4 6.6.2: INQUIRY of a LUN without unit: GOOD with qualifier 011b, type 1Fh."""
    d = session.scsi(scsi.inquiry(36), lun=99, read=36).good().data
    assert d[0] == 0x7F


def test_supported_vpd_pages(session, lun):
    """SPC-4 7.8.x: page 00 lists itself and others in ascending order, and each one listed is there."""
    d = vpd(session, lun, 0x00)
    pages = list(d[4:])
    assert pages == sorted(set(pages)) and pages[0] == 0
    assert {0x80, 0x83} <= set(pages)
    for page in pages:
        vpd(session, lun, page)


def test_device_identification(session, daemon, lun):
    """SPC-4 7.8.5: a NAA, EUI-64 or T10 designator of the logical unit, target port designators well-formed;
    every LUN differs."""
    ids = []
    for n in (lun, lun + 1):
        session.clear_ua(n)
        d = session.scsi(scsi.inquiry(1024 & 0xFF | 0xFF, 0x83), lun=n, read=255).good().data
        full = scsi.inquiry(255, 0x83)[:3] + (2048).to_bytes(2, "big") + b"\0"
        d = session.scsi(full, lun=n, read=2048).good().data
        at, of_lu, types = 4, [], set()
        while at < len(d):
            size = d[at + 3]
            assert at + 4 + size <= len(d)
            kind, assoc = d[at + 1] & 0x0F, d[at + 1] >> 4 & 3
            types.add((assoc, kind))
            if assoc == 0 and kind in (2, 3):
                of_lu.append(d[at + 4:at + 4 + size])
            if assoc in (1, 2) and d[at + 1] & 0x80:
                assert d[at] >> 4 == 5, "protocol identifier of iSCSI (SPC-4 7.6.1)"
            at += 4 + size
        assert of_lu, "no NAA or EUI designator of the unit"
        ids.append(tuple(of_lu))
    assert ids[0] != ids[1]


def test_identity_is_stable(new_daemon, lun):
    """VPD 80 and 83 are the same after a restart of the same configuration."""
    d = new_daemon()
    seen = []
    for _ in range(2):
        with d.session() as s:
            s.clear_ua(lun)
            seen.append((vpd(s, lun, 0x80), vpd(s, lun, 0x83)))
            s.logout()
        d.stop()
        d.start()
    assert seen[0] == seen[1]


def test_block_limits(session, lun):
    """SBC-3 6.6.4: B0 is there, 3Ch long, and what it promises fits the unit."""
    d = vpd(session, lun, 0xB0)
    assert int.from_bytes(d[2:4], "big") == 0x3C


def test_block_device_characteristics(session, lun):
    """SBC-3 6.6.3: B1, 3Ch long."""
    assert int.from_bytes(vpd(session, lun, 0xB1)[2:4], "big") == 0x3C


def test_capacity_agrees(session, lun):
    """SBC-3 5.15, 5.16: READ CAPACITY 10 and 16 tell the same."""
    a = session.scsi(scsi.read_capacity10(), lun=lun, read=8).good().data
    blocks, size = session.capacity(lun)
    assert int.from_bytes(a[:4], "big") == min(blocks - 1, 0xFFFFFFFF)
    assert int.from_bytes(a[4:8], "big") == size
    assert blocks * size == 64 << 20


def test_report_luns(session, lun):
    """SPC-4 6.33: the list length counts all LUNs even when the allocation is short; LUN 0 is answered for."""
    d = session.scsi(scsi.report_luns(1024), lun=lun, read=1024).good().data
    n = int.from_bytes(d[:4], "big")
    luns = [d[8 + i:16 + i] for i in range(0, n, 8)]
    assert len(d) == 8 + n
    assert bytes([0, lun]) + bytes(6) in luns and bytes([0, lun + 1]) + bytes(6) in luns
    short = session.scsi(scsi.report_luns(16), lun=lun, read=16).good().data
    assert int.from_bytes(short[:4], "big") == n and len(short) == 16


def test_report_luns_at_a_missing_lun(session, lun):
    """SAM-5 4.x, SPC-4 6.33: LUN 0 and the well-known LU answer; other missing ones do not have to."""
    session.scsi(scsi.report_luns(1024), lun=0, read=1024).good()


@pytest.mark.parametrize("alloc", [0, 1, 8, 15])
def test_report_luns_small_allocation(session, lun, alloc):
    """SPC-4 6.33: an allocation length below 16 is an invalid field, or simply truncates (SPC-4 r36)."""
    r = session.scsi(scsi.report_luns(alloc), lun=lun, read=alloc)
    if r.status != scsi.GOOD:
        r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    else:
        assert len(r.data) <= alloc


@pytest.mark.parametrize("page", [0x01, 0x08, 0x0A, 0x1C, 0x3F])
def test_mode_sense(session, lun, page):
    """SPC-4 6.11, 7.5: both lengths, every page control; page lengths add up."""
    for pc in range(4):
        r6 = session.scsi(scsi.mode_sense6(page, pc=pc, dbd=1), lun=lun, read=252)
        r10 = session.scsi(scsi.mode_sense10(page, pc=pc, dbd=1), lun=lun, read=1024)
        if pc == 3 and r6.status == scsi.CHECK_CONDITION:
            r6.check(scsi.ILLEGAL_REQUEST, (0x39, 0x00))            # SAVING PARAMETERS NOT SUPPORTED
            r10.check(scsi.ILLEGAL_REQUEST, (0x39, 0x00))
            continue
        d6, d10 = r6.good().data, r10.good().data
        assert d6[0] == len(d6) - 1 and int.from_bytes(d10[:2], "big") == len(d10) - 2
        assert d6[4:] == d10[8:]
        at = 4
        while at < len(d6):
            size = 4 + int.from_bytes(d6[at + 2:at + 4], "big") if d6[at] & 0x40 else 2 + d6[at + 1]
            assert at + size <= len(d6)
            assert page == 0x3F or d6[at] & 0x3F == page
            at += size


def test_mode_sense_block_descriptor(session, lun):
    """SBC-3 6.4.2: a short block descriptor unless DBD; the long one with LLBAA."""
    d = session.scsi(scsi.mode_sense10(0x08), lun=lun, read=1024).good().data
    n = int.from_bytes(d[6:8], "big")
    if n:
        assert n == 8 and int.from_bytes(d[8 + 5:8 + 8], "big") == session.capacity(lun)[1]
    d = session.scsi(scsi.mode_sense10(0x08, llbaa=1), lun=lun, read=1024).good().data
    assert int.from_bytes(d[6:8], "big") in (0, 8, 16)


def test_mode_select_of_current_values(session, lun):
    """SPC-4 6.9: what MODE SENSE gave, MODE SELECT takes."""
    for page in (0x08, 0x0A):
        d = bytearray(session.scsi(scsi.mode_sense10(page, dbd=1), lun=lun, read=1024).good().data)
        d[0:2] = b"\0\0"
        d[3] = 0
        d[8] &= 0x3F
        session.scsi(scsi.mode_select10(len(d)), lun=lun, write=bytes(d)).good()


def test_mode_select_of_unchangeable_field(session, lun):
    """SPC-4 6.9: a change of what is not changeable: 26/00 with a field pointer into the parameter list."""
    d = bytearray(session.scsi(scsi.mode_sense10(0x08, dbd=1), lun=lun, read=1024).good().data)
    mask = session.scsi(scsi.mode_sense10(0x08, dbd=1, pc=1), lun=lun, read=1024).good().data
    at = next(i for i in range(len(d) - 1, 9, -1) if not mask[i])
    d[0:2] = b"\0\0"
    d[3] = 0
    d[8] &= 0x3F
    d[at] ^= 0xFF
    r = session.scsi(scsi.mode_select10(len(d)), lun=lun, write=bytes(d))
    r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_PARAMETERS)
    fp = scsi.field_pointer(r.sense)
    assert fp and not fp[0], "the pointer is into the data, not the CDB"
    assert fp[1] == at, f"field pointer {fp[1]}, wanted {at}"


@pytest.mark.parametrize("length", [1, 4, 7, 9, 11])
def test_mode_select_cut_short(session, lun, length):
    """SPC-4 6.9: a list that ends inside a header or page: PARAMETER LIST LENGTH ERROR, 1A/00."""
    d = bytearray(session.scsi(scsi.mode_sense10(0x08, dbd=1), lun=lun, read=1024).good().data)
    d[0:2] = b"\0\0"
    d[3] = 0
    d[8] &= 0x3F
    session.scsi(scsi.mode_select10(length), lun=lun, write=bytes(d[:length])).check(
        scsi.ILLEGAL_REQUEST, scsi.PARAMETER_LIST_LENGTH_ERROR)


def test_mode_select_empty(session, lun):
    """SPC-4 6.9: a length of 0 is no error."""
    session.scsi(scsi.mode_select10(0), lun=lun).good()
    session.scsi(scsi.mode_select6(0), lun=lun).good()


def supported(session, lun):
    d = session.scsi(scsi.rsoc(alloc=16384), lun=lun, read=16384).good().data
    n = int.from_bytes(d[:4], "big")
    assert len(d) == 4 + n and n % 8 == 0
    for i in range(4, 4 + n, 8):
        yield d[i], int.from_bytes(d[i + 2:i + 4], "big") if d[i + 5] & 1 else None, \
            int.from_bytes(d[i + 6:i + 8], "big")


def test_supported_operation_codes(session, lun):
    """SPC-4 6.35: each listed command has a usage map of its CDB length that starts with its opcode."""
    rows = list(supported(session, lun))
    assert len(rows) == len(set((a, b) for a, b, _ in rows))
    assert {0x00, 0x03, 0x12, 0x28, 0x2A, 0xA0} <= {op for op, _, _ in rows}
    for op, sa, size in rows:
        r = session.scsi(scsi.rsoc(options=1 if sa is None else 2, opcode=op, sa=sa or 0, alloc=512), lun=lun,
                         read=512).good()
        assert r.data[1] & 7 == 3, f"{op:#x}/{sa}: not 'supported in conformance with a standard'"
        n = int.from_bytes(r.data[2:4], "big")
        assert n == size == len(r.data) - 4 and r.data[4] == op


def test_unlisted_operation_codes_fail(session, lun):
    """What REPORT SUPPORTED OPERATION CODES does not list is 20/00; what it lists is not."""
    listed = {op for op, _, _ in supported(session, lun)}
    for op in range(0x100):
        if op in listed or op == 0x7F or 0xC0 <= op:
            continue
        session.scsi(bytes([op]) + bytes(15 if op >= 0x80 else 9), lun=lun).check(
            scsi.ILLEGAL_REQUEST, scsi.INVALID_OPCODE)


def test_cdb_usage_mask_is_enforced(session, lun):
    """SPC-4 4.3.x: a reserved bit (0 in the usage map) that is set in the CDB is an invalid field, with a
    pointer to its byte. READ(10), where all other fields stay lawful."""
    mask = session.scsi(scsi.rsoc(options=1, opcode=0x28, alloc=64), lun=lun, read=64).good().data[4:]
    for byte in range(1, 9):
        for bit in range(8):
            if mask[byte] & 1 << bit:
                continue
            cdb = bytearray(scsi.read10(0, 1))
            cdb[byte] |= 1 << bit
            r = session.scsi(bytes(cdb), lun=lun, read=512)
            r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
            fp = scsi.field_pointer(r.sense)
            assert fp and fp[1] == byte, f"bit {bit} of byte {byte}: pointer {fp}"

# SPDX-License-Identifier: BSD-3-Clause
"""COMPARE AND WRITE, UNMAP, WRITE SAME, VERIFY, SYNCHRONIZE CACHE, task attributes. SBC-3 5, SAM-5 8."""

import pytest

from helpers import pattern
from lib import pdu as p
from lib import scsi

BASE = 30000


@pytest.fixture(params=["file", "ram"])
def unit(request, session, lun):
    """(session, LUN) for each kind of disk."""
    n = lun if request.param == "file" else lun + 1
    session.clear_ua(n)
    return session, n


def limits(s, n):
    """Block Limits VPD page, SBC-3 6.6.4."""
    d = s.scsi(scsi.inquiry(255, 0xB0), lun=n, read=255).good().data

    def be(at, size):
        return int.from_bytes(d[at:at + size], "big")
    return {"caw": d[5], "unmap_lba": be(20, 4), "unmap_desc": be(24, 4), "ws": be(36, 8), "wsnz": d[4] & 1,
            "max_transfer": be(8, 4)}


def provisioning(s, n):
    """(LBPU, LBPWS, LBPWS10, LBPRZ) of VPD B2."""
    d = s.scsi(scsi.inquiry(255, 0xB2), lun=n, read=255).good().data
    return tuple(bool(d[5] & b) for b in (0x80, 0x40, 0x20)) + (d[5] >> 2 & 7,)


def put(s, n, lba, data):
    s.scsi(scsi.write16(lba, len(data) // 512), lun=n, write=data).good()


def get(s, n, lba, blocks):
    return s.scsi(scsi.read16(lba, blocks), lun=n, read=blocks * 512).good().data


# --- COMPARE AND WRITE, SBC-3 5.2

def test_caw_matches(unit):
    s, n = unit
    old, new = pattern(512, 1), pattern(512, 2)
    put(s, n, BASE, old)
    s.scsi(scsi.compare_and_write(BASE, 1), lun=n, write=old + new).good()
    assert get(s, n, BASE, 1) == new


@pytest.mark.parametrize("at", [0, 1, 255, 511])
def test_caw_miscompares(unit, at):
    """MISCOMPARE 1D/00, INFORMATION is the offset of the first unequal byte; nothing is written."""
    s, n = unit
    old = pattern(512, 1)
    put(s, n, BASE, old)
    wrong = bytearray(old)
    wrong[at] ^= 1
    r = s.scsi(scsi.compare_and_write(BASE, 1), lun=n, write=bytes(wrong) + b"\xee" * 512)
    r.check(scsi.MISCOMPARE, scsi.MISCOMPARE_DURING_VERIFY)
    assert r.sense.information == at
    assert get(s, n, BASE, 1) == old


def test_caw_many_blocks(unit):
    s, n = unit
    most = limits(s, n)["caw"]
    assert most >= 1
    count = min(most, 8)
    old, new = pattern(512 * count, 3), pattern(512 * count, 4)
    put(s, n, BASE, old)
    s.scsi(scsi.compare_and_write(BASE, count), lun=n, write=old + new).good()
    assert get(s, n, BASE, count) == new
    if count > 1:
        wrong = bytearray(new)
        wrong[-1] ^= 0xFF
        r = s.scsi(scsi.compare_and_write(BASE, count), lun=n, write=bytes(wrong) + b"\xee" * len(new))
        r.check(scsi.MISCOMPARE)
        assert r.sense.information == 512 * count - 1
        assert get(s, n, BASE, count) == new


def test_caw_over_the_limit(unit):
    """SBC-3 5.2: more than MAXIMUM COMPARE AND WRITE LENGTH: 24/00."""
    s, n = unit
    most = limits(s, n)["caw"]
    if most == 255:
        return
    r = s.scsi(scsi.compare_and_write(BASE, most + 1), lun=n, write=bytes(1024 * (most + 1)))
    r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    assert scsi.field_pointer(r.sense)[1] == 13


def test_caw_zero_blocks(unit):
    s, n = unit
    s.scsi(scsi.compare_and_write(BASE, 0), lun=n).good()


def test_caw_out_of_range(unit):
    s, n = unit
    blocks, _ = s.capacity(n)
    s.scsi(scsi.compare_and_write(blocks, 1), lun=n, write=bytes(1024)).check(
        scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)


def test_caw_is_atomic(daemon, unit):
    """SBC-3 5.2: compare and write are one: of many that race for one value exactly one wins."""
    s, n = unit
    old = pattern(512, 9)
    for round_ in range(10):
        put(s, n, BASE, old)
        cmds = [s.start(scsi.compare_and_write(BASE, 1), lun=n, write=old + bytes([i + 1]) * 512)
                for i in range(8)]
        status = [s.wait(c) for c in cmds]
        won = [i for i, r in enumerate(status) if r.status == scsi.GOOD]
        assert len(won) == 1, f"{len(won)} winners"
        for i, r in enumerate(status):
            if i != won[0]:
                r.check(scsi.MISCOMPARE)
        assert get(s, n, BASE, 1) == bytes([won[0] + 1]) * 512


# --- UNMAP, SBC-3 5.28

def test_unmap(unit):
    """Unmapped blocks read as zeroes where LBPRZ says so; neighbours stay."""
    s, n = unit
    lbpu, _, _, lbprz = provisioning(s, n)
    assert lbpu, "thin disks take UNMAP"
    data = pattern(64 * 512, 1)
    put(s, n, BASE, data)
    s.scsi(scsi.unmap(40), lun=n, write=scsi.unmap_list((BASE + 8, 16), (BASE + 40, 8))).good()
    got = get(s, n, BASE, 64)
    for lo, hi in ((0, 8), (24, 40), (48, 64)):
        assert got[lo * 512:hi * 512] == data[lo * 512:hi * 512]
    if lbprz & 1:
        assert got[8 * 512:24 * 512] == bytes(16 * 512) and got[40 * 512:48 * 512] == bytes(8 * 512)


def test_lba_status(unit):
    """SBC-3 5.4: what was written is mapped, what was unmapped is not, in order and without gaps."""
    s, n = unit
    blocks, _ = s.capacity(n)
    s.scsi(scsi.unmap(24), lun=n, write=scsi.unmap_list((BASE, 512))).good()
    put(s, n, BASE + 64, pattern(64 * 512, 3))
    r = s.scsi(scsi.get_lba_status(BASE), lun=n, read=1032).good()
    got = scsi.lba_status(r.data)
    assert got[0][0] == BASE
    for (lba, count, _), (after, _, _) in zip(got, got[1:]):
        assert lba + count == after
    assert got[-1][0] + got[-1][1] <= blocks

    def status(at):
        return next(st for lba, count, st in got if lba <= at < lba + count)

    assert [status(BASE + i) for i in (0, 63, 64, 127, 128)] == [1, 1, 0, 0, 1]


def test_lba_status_cut_short(unit):
    """The answer tells its whole length, whatever the ALLOCATION LENGTH; the first block must be there."""
    s, n = unit
    blocks, _ = s.capacity(n)
    r = s.scsi(scsi.get_lba_status(0, 8), lun=n, read=8).good()
    assert len(r.data) == 8 and int.from_bytes(r.data[:4], "big") >= 20
    assert scsi.lba_status(s.scsi(scsi.get_lba_status(blocks - 1), lun=n, read=1032).good().data)[0][:2] == \
        (blocks - 1, 1)
    for lba in (blocks, (1 << 64) - 1):
        s.scsi(scsi.get_lba_status(lba), lun=n, read=1032).check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)


def test_unmap_of_odd_ranges(unit):
    """Ranges that are no multiple of the granularity do no harm to their neighbours."""
    s, n = unit
    for lba, count in ((BASE + 1, 1), (BASE + 3, 5), (BASE + 7, 2)):
        data = pattern(16 * 512, lba)
        put(s, n, BASE, data)
        s.scsi(scsi.unmap(24), lun=n, write=scsi.unmap_list((lba, count))).good()
        got = get(s, n, BASE, 16)
        lo, hi = (lba - BASE) * 512, (lba - BASE + count) * 512
        assert got[:lo] == data[:lo] and got[hi:] == data[hi:]


def test_unmap_nothing(unit):
    """SBC-3 5.28.1: no descriptors, zero blocks, an empty list: no error."""
    s, n = unit
    s.scsi(scsi.unmap(0), lun=n).good()
    s.scsi(scsi.unmap(8), lun=n, write=scsi.unmap_list()).good()
    s.scsi(scsi.unmap(24), lun=n, write=scsi.unmap_list((BASE, 0))).good()


@pytest.mark.parametrize("length", [1, 4, 7])
def test_unmap_list_cut_short(unit, length):
    """SBC-3 5.28.1: PARAMETER LIST LENGTH ERROR below 8."""
    s, n = unit
    s.scsi(scsi.unmap(length), lun=n, write=scsi.unmap_list((BASE, 1))[:length]).check(
        scsi.ILLEGAL_REQUEST, scsi.PARAMETER_LIST_LENGTH_ERROR)


def test_unmap_out_of_range(unit):
    """No block is unmapped when one descriptor is out of range (21/00)."""
    s, n = unit
    blocks, _ = s.capacity(n)
    data = pattern(512, 5)
    put(s, n, BASE, data)
    for bad in ((blocks, 1), (blocks - 1, 2), ((1 << 64) - 1, 2), (0, 0xFFFFFFFF)):
        r = s.scsi(scsi.unmap(40), lun=n, write=scsi.unmap_list((BASE, 1), bad))
        assert r.status == scsi.CHECK_CONDITION and r.sense.key == scsi.ILLEGAL_REQUEST
        assert get(s, n, BASE, 1) == data


def test_unmap_over_the_limits(unit):
    """SBC-3 5.28.2: over MAXIMUM UNMAP LBA COUNT or DESCRIPTOR COUNT: 26/00."""
    s, n = unit
    lim = limits(s, n)
    blocks, _ = s.capacity(n)
    assert lim["unmap_lba"] and lim["unmap_desc"]
    if lim["unmap_lba"] < blocks:
        s.scsi(scsi.unmap(24), lun=n, write=scsi.unmap_list((0, lim["unmap_lba"] + 1))).check(
            scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_PARAMETERS)
    if lim["unmap_desc"] < 1000:
        ranges = [(BASE, 1)] * (lim["unmap_desc"] + 1)
        s.scsi(scsi.unmap(8 + 16 * len(ranges)), lun=n, write=scsi.unmap_list(*ranges)).check(
            scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_PARAMETERS)


def test_unmap_anchor(unit):
    """SBC-3 5.28.1: ANCHOR where ANC_SUP is 0: invalid field, bit 0 of byte 1."""
    s, n = unit
    r = s.scsi(scsi.unmap(24, anchor=1), lun=n, write=scsi.unmap_list((BASE, 1)))
    r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    assert scsi.field_pointer(r.sense)[1] == 1


# --- WRITE SAME, SBC-3 5.44

@pytest.mark.parametrize("cdb", [scsi.write_same10, scsi.write_same16])
@pytest.mark.parametrize("count", [1, 2, 100, 1024])
def test_write_same(unit, cdb, count):
    s, n = unit
    data = pattern(512, count)
    put(s, n, BASE, pattern(1026 * 512, 7)[:512 * 511])
    put(s, n, BASE + count, b"n" * 512)
    s.scsi(cdb(BASE, count), lun=n, write=data).good()
    got = get(s, n, BASE, count)
    assert all(got[i:i + 512] == data for i in range(0, len(got), 512))
    assert get(s, n, BASE + count, 1) == b"n" * 512


def test_write_same_ndob(unit):
    """SBC-3 5.45: NDOB writes zeroes and takes no data."""
    s, n = unit
    put(s, n, BASE, pattern(32 * 512, 1))
    r = s.scsi(scsi.write_same16(BASE, 16, ndob=1), lun=n)
    r.good()
    got = get(s, n, BASE, 32)
    assert got[:16 * 512] == bytes(16 * 512) and got[16 * 512:] == pattern(32 * 512, 1)[16 * 512:]


def test_write_same_unmap(unit):
    """SBC-3 5.44: UNMAP=1 with zeroes: the blocks read as zeroes, unmapped or not."""
    s, n = unit
    _, lbpws, lbpws10, _ = provisioning(s, n)
    for cdb, able in ((scsi.write_same16, lbpws), (scsi.write_same10, lbpws10)):
        put(s, n, BASE, pattern(64 * 512, 1))
        r = s.scsi(cdb(BASE + 1, 32, unmap=1), lun=n, write=bytes(512))
        if not able:
            r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
            continue
        r.good()
        got = get(s, n, BASE, 64)
        assert got[512:33 * 512] == bytes(32 * 512)
        assert got[:512] == pattern(64 * 512, 1)[:512] and got[33 * 512:] == pattern(64 * 512, 1)[33 * 512:]


def test_write_same_unmap_with_data(unit):
    """SBC-3 5.44: UNMAP=1 with a block that is not what unmapped blocks read as: it is written."""
    s, n = unit
    if not provisioning(s, n)[1]:
        return
    block = pattern(512, 3)
    s.scsi(scsi.write_same16(BASE, 8, unmap=1), lun=n, write=block).good()
    assert get(s, n, BASE, 8) == block * 8


def test_write_same_zero_blocks(unit):
    """SBC-3 5.44: NUMBER OF LOGICAL BLOCKS 0 is "to the end", or 24/00 with WSNZ=1."""
    s, n = unit
    if not limits(s, n)["wsnz"]:
        return
    r = s.scsi(scsi.write_same16(BASE, 0), lun=n, write=bytes(512))
    r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    assert scsi.field_pointer(r.sense)[1] == 10


def test_write_same_over_the_limit(unit):
    s, n = unit
    most = limits(s, n)["ws"]
    blocks, _ = s.capacity(n)
    if most and most < blocks:
        s.scsi(scsi.write_same16(0, most + 1), lun=n, write=bytes(512)).check(
            scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)


def test_write_same_out_of_range(unit):
    s, n = unit
    blocks, _ = s.capacity(n)
    s.scsi(scsi.write_same16(blocks - 1, 2), lun=n, write=bytes(512)).check(
        scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)


# --- VERIFY, SBC-3 5.32

@pytest.mark.parametrize("cdb", [scsi.verify10, scsi.verify16])
def test_verify_bytchk(unit, cdb):
    """BYTCHK 01b compares block for block, 11b one block with all; the offset is in INFORMATION."""
    s, n = unit
    data = pattern(8 * 512, 1)
    put(s, n, BASE, data)
    s.scsi(cdb(BASE, 8, bytchk=0), lun=n).good()
    s.scsi(cdb(BASE, 8, bytchk=1), lun=n, write=data).good()
    wrong = bytearray(data)
    wrong[1000] ^= 1
    r = s.scsi(cdb(BASE, 8, bytchk=1), lun=n, write=bytes(wrong))
    r.check(scsi.MISCOMPARE, scsi.MISCOMPARE_DURING_VERIFY)
    s.scsi(cdb(BASE, 8, bytchk=3), lun=n, write=data[:512]).check(scsi.MISCOMPARE)
    put(s, n, BASE, data[:512] * 8)
    s.scsi(cdb(BASE, 8, bytchk=3), lun=n, write=data[:512]).good()


def test_verify_bytchk_10b(unit):
    """BYTCHK 10b is reserved."""
    s, n = unit
    s.scsi(scsi.verify10(BASE, 1, bytchk=2), lun=n, write=bytes(512)).check(
        scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)


def test_write_and_verify(unit):
    s, n = unit
    data = pattern(8 * 512, 4)
    s.scsi(scsi.write_verify10(BASE, 8), lun=n, write=data).good()
    assert get(s, n, BASE, 8) == data
    s.scsi(scsi.write_verify10(BASE, 8, bytchk=1), lun=n, write=data).good()


# --- cache, FUA

@pytest.mark.parametrize("cdb", [scsi.sync_cache10, scsi.sync_cache16])
def test_synchronize_cache(unit, cdb):
    s, n = unit
    blocks, _ = s.capacity(n)
    s.scsi(cdb(), lun=n).good()
    s.scsi(cdb(BASE, 8), lun=n).good()
    s.scsi(cdb(0, 0, immed=1), lun=n).good()
    s.scsi(cdb(blocks - 1, 2), lun=n).check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)


def test_fua_and_dpo(unit):
    """SBC-3 4.15: DPO and FUA where DPOFUA says so."""
    s, n = unit
    dpofua = s.scsi(scsi.mode_sense10(0x08), lun=n, read=252).good().data[3] & 0x10
    data = pattern(512, 8)
    r = s.scsi(scsi.write10(BASE, 1, flags=0x18), lun=n, write=data)
    if dpofua:
        r.good()
        assert s.scsi(scsi.read10(BASE, 1, flags=0x18), lun=n, read=512).good().data == data
    else:
        r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)


def test_protect_without_protection(unit):
    """SBC-3 4.22: RDPROTECT/WRPROTECT without protection information: 24/00 at byte 1."""
    s, n = unit
    r = s.scsi(scsi.read10(BASE, 1, flags=0x20), lun=n, read=512)
    r.check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    assert scsi.field_pointer(r.sense)[1] == 1
    s.scsi(scsi.write10(BASE, 1, flags=0x20), lun=n, write=bytes(512)).check(
        scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)


def test_max_transfer_length(unit):
    """SBC-3 6.6.4: over MAXIMUM TRANSFER LENGTH: 24/00 at the length."""
    s, n = unit
    most = limits(s, n)["max_transfer"]
    blocks, _ = s.capacity(n)
    if most and most + 1 <= blocks:
        s.scsi(scsi.read16(0, most + 1), lun=n, read=512).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)


def test_start_stop_and_prevent(unit):
    """SBC-3 5.25, SPC-4 6.x: START UNIT is no error; PREVENT ALLOW of a fixed disk is taken."""
    s, n = unit
    s.scsi(scsi.start_stop(start=1), lun=n).good()
    s.scsi(scsi.test_unit_ready(), lun=n).good()
    s.scsi(scsi.prevent_allow(0), lun=n)


# --- task attributes, SAM-5 8

def test_every_attribute(unit):
    """SIMPLE, ORDERED, HEAD OF QUEUE and UNTAGGED run; ACA without an ACA condition does not matter here."""
    s, n = unit
    for attr in (p.UNTAGGED, p.SIMPLE, p.ORDERED, p.HEAD_OF_QUEUE):
        s.scsi(scsi.test_unit_ready(), lun=n, attr=attr).good()


def test_aca_attribute(unit):
    """SAM-5 8.6.5: the ACA attribute while there is no ACA: CHECK CONDITION, INVALID MESSAGE or field."""
    s, n = unit
    r = s.scsi(scsi.test_unit_ready(), lun=n, attr=p.ACA)
    assert r.status in (scsi.CHECK_CONDITION, scsi.ACA_ACTIVE), "ACA taken where NORMACA is 0"


def test_ordered_sees_all_before(unit):
    """SAM-5 8.9: an ORDERED read runs after the writes before it and before the writes after it."""
    s, n = unit
    for round_ in range(10):
        cmds = [s.start(scsi.write10(BASE + i, 1), lun=n, write=bytes([round_ * 2 + 1]) * 512) for i in range(8)]
        look = s.start(scsi.read10(BASE, 8), lun=n, read=4096, attr=p.ORDERED)
        cmds += [s.start(scsi.write10(BASE + i, 1), lun=n, write=bytes([round_ * 2 + 2]) * 512)
                 for i in range(8)]
        for c in cmds:
            s.wait(c).good()
        assert s.wait(look).good().data == bytes([round_ * 2 + 1]) * 4096


def test_ordered_waits_for_held_write(daemon, unit):
    """An ORDERED command waits for a SIMPLE write whose data has not come (SAM-5 8.9)."""
    _, n = unit
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"}) as s:
        s.clear_ua(n)
        put(s, n, BASE, b"o" * 512)
        w = s.start(scsi.write10(BASE, 1), lun=n, write=b"n" * 512, hold_r2t=True)
        while not w.r2ts:
            s.recv()
        look = s.start(scsi.read10(BASE, 1), lun=n, read=512, attr=p.ORDERED)
        after = s.start(scsi.read10(BASE + 1, 1), lun=n, read=512)
        s.nop(b"settle")
        assert look.result is None, "ORDERED passed a task before it"
        assert after.result is None, "SIMPLE passed an ORDERED task before it"
        head = s.start(scsi.test_unit_ready(), lun=n, attr=p.HEAD_OF_QUEUE)
        s.wait(head).good()
        s.answer_r2t(w, w.r2ts[0])
        s.wait(w).good()
        assert s.wait(look).good().data == b"n" * 512
        s.wait(after).good()
        s.logout()

# SPDX-License-Identifier: BSD-3-Clause
"""Reads: Data-In sequences and residuals. RFC 7143 11.4.5, 11.7, 13.12, 13.13; SPC-4 4.3.5.6.

The scripted initiator checks DataSN, offsets, segment and burst lengths, F and S on each PDU.
"""

import pytest

from helpers import pattern
from lib import pdu as p
from lib import scsi

BASE = 8192


@pytest.fixture
def data(session, lun):
    d = pattern(2048 * 512, 3)
    session.scsi(scsi.write16(BASE, 1024), lun=lun, write=d[:1024 * 512]).good()
    session.scsi(scsi.write16(BASE + 1024, 1024), lun=lun, write=d[1024 * 512:]).good()
    return d


@pytest.mark.parametrize("mrdsl", [512, 513, 1000, 4096, 8192, 65536, 262144, 16777215])
@pytest.mark.parametrize("burst", [512, 4096, 10000, 262144, 16777215])
def test_segments_and_bursts(daemon, lun, data, mrdsl, burst):
    """13.12, 13.13: no Data-In above our MaxRecvDataSegmentLength, no sequence above MaxBurstLength."""
    with daemon.session(keys={"MaxRecvDataSegmentLength": mrdsl, "MaxBurstLength": burst,
                              "FirstBurstLength": 512}) as s:
        s.clear_ua(lun)
        r = s.scsi(scsi.read16(BASE, 100), lun=lun, read=51200).good()
        assert r.data == data[:51200]
        s.logout()


@pytest.mark.parametrize("n", [1, 7, 8, 15, 16, 17, 128, 511, 512, 513, 2048])
def test_sizes(session, lun, data, n):
    """11.7: sizes."""
    assert session.scsi(scsi.read16(BASE, n), lun=lun, read=n * 512).good().data == data[:n * 512]


@pytest.mark.parametrize("cdb", [scsi.read6, scsi.read10, scsi.read12, scsi.read16])
def test_every_read(session, lun, data, cdb):
    """READ 6, 10, 12 and 16 of SBC-3."""
    assert session.scsi(cdb(BASE, 8), lun=lun, read=4096).good().data == data[:4096]


def test_read6_zero_is_256(session, lun, data):
    """SBC-3 5.8: TRANSFER LENGTH 0 of READ(6) is 256 blocks."""
    r = session.scsi(scsi.read6(BASE, 0), lun=lun, read=256 * 512).good()
    assert r.data == data[:256 * 512]


def test_status_in_the_last_data_in(session, lun, data):
    """11.7.3: status with the last Data-In, or by a SCSI Response; one of them, once."""
    r = session.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good()
    assert r.pdu.opcode in (p.DATA_IN, p.SCSI_RSP)
    assert r.cmd.datain_pdus[-1].flags & p.F


def test_many_reads_at_once(session, lun, data):
    """11.2.1.8: Data of commands in flight together is kept apart by ITT."""
    cmds = [session.start(scsi.read10(BASE + i * 8, 8), lun=lun, read=4096) for i in range(32)]
    for i, c in enumerate(cmds):
        assert session.wait(c).good().data == data[i * 4096:(i + 1) * 4096]


# --- residuals (11.4.5.1): EDTL against what the command moves

@pytest.mark.parametrize("blocks, edtl, over, under", [
    (2, 512, 512, 0), (8, 4095, 1, 0), (1, 1024, 0, 512), (1, 513, 0, 1), (4, 0, 2048, 0),
    (1024, 512, 1023 * 512, 0), (1, 65536, 0, 65024), (0, 512, 0, 512),
])
def test_read_residual(session, lun, data, blocks, edtl, over, under):
    """11.4.5.1: Reads move min(EDTL, transfer length), GOOD, with O or U and the exact count."""
    flags = p.F | p.R | p.SIMPLE if edtl else p.F | p.SIMPLE
    r = session.scsi(scsi.read10(BASE, blocks), lun=lun, read=edtl, flags=flags).good()
    assert (r.overflow, r.underflow) == (over, under)
    assert r.data == data[:min(edtl, blocks * 512)]


@pytest.mark.parametrize("blocks, edtl, over, under", [
    (1, 1024, 0, 512), (2, 512, 512, 0), (1, 513, 0, 1), (8, 8192, 0, 4096), (8, 2048, 2048, 0), (0, 512, 0, 512),
])
@pytest.mark.parametrize("immediate", ["Yes", "No"])
def test_write_residual(daemon, lun, data, blocks, edtl, over, under, immediate):
    """11.4.5.1: Writes too: what EDTL covers is written, the rest is untouched, the residual tells."""
    with daemon.session(keys={"ImmediateData": immediate, "InitialR2T": "Yes"}) as s:
        s.clear_ua(lun)
        old = data[:16 * 512]
        s.scsi(scsi.write10(BASE, 16), lun=lun, write=old).good()
        new = pattern(edtl, 99)
        r = s.scsi(scsi.write10(BASE, blocks), lun=lun, write=new)
        r.good()
        assert (r.overflow, r.underflow) == (over, under)
        whole = min(edtl, blocks * 512) // 512 * 512
        got = s.scsi(scsi.read10(BASE, 16), lun=lun, read=8192).good().data
        assert got[:whole] == new[:whole]
        assert got[blocks * 512:] == old[blocks * 512:]
        s.logout()


@pytest.mark.parametrize("alloc, edtl, over, under", [(36, 36, 0, 0), (36, 255, 0, 219), (255, 36, None, 0),
                                                      (5, 36, 0, 31), (0, 36, 0, 36)])
def test_allocation_length_residual(session, lun, alloc, edtl, over, under):
    """SPC-4 4.2.5.6: the allocation length cuts; EDTL cuts further and then overflows."""
    r = session.scsi(scsi.inquiry(alloc), lun=lun, read=edtl).good()
    if over is None:
        assert r.overflow > 0 and len(r.data) == 36
    else:
        assert r.overflow == over and r.underflow >= under
        assert len(r.data) == min(alloc, edtl)


def test_no_data_command_with_edtl(session, lun):
    """11.4.5.1: TEST UNIT READY moves nothing: all of EDTL is residual."""
    r = session.scsi(scsi.test_unit_ready(), lun=lun, read=512).good()
    assert r.underflow == 512 and not r.data


def test_check_condition_residual(session, lun):
    """11.4.5: a command that fails before it moves data tells the whole EDTL as underflow."""
    r = session.scsi(scsi.read16(1 << 40, 1), lun=lun, read=512)
    r.check(scsi.ILLEGAL_REQUEST, scsi.LBA_OUT_OF_RANGE)
    assert r.underflow == 512 and r.overflow == 0 and not r.data


def test_read_with_w_bit(session, lun, data):
    """11.3.1: direction bits that contradict the CDB: no wrong data, no silence."""
    old = session.scsi(scsi.read10(BASE, 1), lun=lun, read=512).good().data
    r = session.scsi(scsi.read10(BASE, 1), lun=lun, write=b"\xee" * 512, imm=512, unsolicited=0,
                     flags=p.F | p.W | p.SIMPLE)
    assert r.status != scsi.GOOD or r.overflow or r.underflow
    assert session.scsi(scsi.read10(BASE, 1), lun=lun, read=512).good().data == old


def test_bidirectional_refused(session, lun):
    """11.3.1: R=W=1 for a command that is not bidirectional ends cleanly."""
    from helpers import alive, outcome
    cmd = session.start(scsi.read10(BASE, 1), lun=lun, read=512, flags=p.F | p.R | p.W | p.SIMPLE)
    kind, _ = outcome(session, cmd)
    if kind != "closed":
        alive(session)

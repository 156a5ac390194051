# SPDX-License-Identifier: BSD-3-Clause
"""ErrorRecoveryLevel 1: PDUs that get lost or spoiled on their way to the target. RFC 7143 7.1.4.1, 7.2.1, 7.8, 7.9.

A Data-Out with a bad data digest, or with a bad header digest, or left out: the target asks for its bytes again
by a recovery R2T, and the write ends GOOD with every byte right. Commands that got lost are retried.
"""

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, Closed, sn_add
from lib.pdu import PDU

BASE = 52000
STEP = 4096
NBLOCKS = 128
TOTAL = NBLOCKS * 512
N = TOTAL // STEP


@pytest.fixture(params=["solicited", "unsolicited", "mixed"])
def mode(request):
    """Keys by which the data of a write comes by R2T, unasked, or both."""
    return {"solicited": {"InitialR2T": "Yes", "ImmediateData": "No", "FirstBurstLength": TOTAL},
            "unsolicited": {"InitialR2T": "No", "ImmediateData": "No", "FirstBurstLength": TOTAL},
            "mixed": {"InitialR2T": "No", "ImmediateData": "Yes", "FirstBurstLength": TOTAL // 2,
                      "MaxBurstLength": TOTAL // 4 * 2}}[request.param]


def open_one(wide, lun, **keys):
    s = wide_session(wide, **{"ErrorRecoveryLevel": 1, "HeaderDigest": "CRC32C", "DataDigest": "CRC32C",
                              "MaxBurstLength": TOTAL, "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes",
                              "MaxOutstandingR2T": 1, **keys})
    s.clear_ua(lun)
    return s


class Spoiler:
    """Sends the data of writes in PDUs of STEP bytes and spoils those that `bad` names, counted over the command."""

    def __init__(self, s, bad, how):
        self.s, self.bad, self.how, self.count = s, set(bad), how, 0
        s.spoiler = self

    def send(self, conn, pdu):
        me = self.count
        self.count += 1
        if me not in self.bad:
            conn.send(pdu)
        elif self.how == "data":
            conn.send(pdu, bad_data_digest=True)
        elif self.how == "header":
            conn.send(pdu, bad_header_digest=True)

    def burst(self, cmd, ttt, offset, length, final=True):
        done, datasn = 0, 0
        while done < length:
            n = min(STEP, length - done)
            last = done + n == length
            self.send(cmd.conn, PDU(
                p.DATA_OUT, flags=p.F if last and final else 0, lun=cmd.lun, itt=cmd.itt, ttt=ttt, datasn=datasn,
                offset=offset + done, data=cmd.data_out[offset + done:offset + done + n]))
            done, datasn = done + n, datasn + 1


def write(s, lun, lba, data, bad, how):
    """A write whose Data-Out PDUs number `bad` are spoiled; returns the command with its result."""
    spoil = Spoiler(s, bad, how)
    first = min(s.num("FirstBurstLength"), len(data)) if not s.yes("InitialR2T") else 0
    imm = min(STEP, first) if s.yes("ImmediateData") else 0
    cmd = s.start(scsi.write10(lba, len(data) // 512), lun=lun, write=data, imm=imm, unsolicited=0, hold_r2t=True,
                  flags=p.W | p.SIMPLE | (0 if first > imm else p.F))
    cmd.unsolicited = first
    if first > imm:
        spoil.burst(cmd, RESERVED_TAG, imm, first - imm)
    answered = 0
    while cmd.result is None:
        s.recv()
        while len(cmd.r2ts) > answered:
            r = cmd.r2ts[answered]
            answered += 1
            cmd.open_r2t.pop(r.ttt, None)
            spoil.burst(cmd, r.ttt, r.offset, r.length)
    return cmd


@pytest.mark.parametrize("bad", [(0,), (1,), (7,), (N - 2,), (0, 1, 2), (3, 9), (2, 4, 6, 8)],
                         ids=lambda v: "-".join(map(str, v)))
@pytest.mark.parametrize("how", ["data", "header", "missing"])
def test_spoiled_data_out(wide, lun, mode, how, bad):
    """7.8, 7.9, 7.1.4.1: Data-Out PDUs that do not arrive whole are asked for again by recovery R2Ts (11.8), within
    the command; each data digest error is told by a Reject (02h) with the header of the PDU."""
    with open_one(wide, lun, **mode) as s:
        d = pattern(TOTAL, len(bad) + bad[0])
        cmd = write(s, lun, BASE, d, bad, how)
        cmd.result.good()
        rejects = [x for x in s.inbox if x.opcode == p.REJECT]
        if how == "data":
            assert len(rejects) == len(bad), "a Reject for each data digest error (7.8)"
            for r in rejects:
                assert r.reason == p.REJ_DATA_DIGEST and r.data[:1] == bytes([p.DATA_OUT])
        else:
            assert not rejects
        s.inbox.clear()
        assert s.scsi(scsi.read10(BASE, NBLOCKS), lun=lun, read=TOTAL).good().data == d
        alive(s)


@pytest.mark.parametrize("how", ["data", "header"])
def test_every_pdu_spoiled_once(wide, lun, how):
    """7.8: all Data-Out PDUs of a write are spoiled the first time that they are sent."""
    with open_one(wide, lun, InitialR2T="Yes", ImmediateData="No") as s:
        if how == "header":
            # nothing at all arrives then: the target learns of it by its timeout only, see below
            bad = range(N - 1)
        else:
            bad = range(N)
        d = pattern(TOTAL, 12)
        write(s, lun, BASE + 200, d, bad, how).result.good()
        s.inbox.clear()
        assert s.scsi(scsi.read10(BASE + 200, NBLOCKS), lun=lun, read=TOTAL).good().data == d


@pytest.mark.parametrize("how", ["header", "missing"])
def test_last_data_out_is_lost(wide, lun, how):
    """7.9, 7.1.4.1: when the PDU with F gets lost nothing tells the target but time (dataout_timeout): then it
    asks for the rest."""
    with open_one(wide, lun, InitialR2T="Yes", ImmediateData="No") as s:
        d = pattern(TOTAL, 13)
        write(s, lun, BASE + 400, d, (N - 1,), how).result.good()
        s.inbox.clear()
        assert s.scsi(scsi.read10(BASE + 400, NBLOCKS), lun=lun, read=TOTAL).good().data == d


def test_recovery_r2t_is_well_formed(wide, lun):
    """11.8, 11.8.2: a recovery R2T has the next R2TSN and a TTT of its own and asks for bytes that were asked for
    before, and for no others."""
    with open_one(wide, lun, InitialR2T="Yes", ImmediateData="No") as s:
        d = pattern(TOTAL, 14)
        cmd = write(s, lun, BASE + 600, d, (3,), "data")
        cmd.result.good()
        assert [x.r2tsn for x in cmd.r2ts] == list(range(len(cmd.r2ts)))
        assert [(x.offset, x.length) for x in cmd.r2ts] == [(0, TOTAL), (3 * STEP, STEP)]
        assert cmd.r2ts[0].ttt != cmd.r2ts[1].ttt


@pytest.mark.parametrize("size", [512, 4096])
def test_immediate_data_with_bad_digest(wide, lun, size):
    """7.8, 7.3: immediate data with a bad digest: Reject 02h with the header of the command, which counts as not
    received: its CmdSN is a gap, and the retry brings command and data."""
    with open_one(wide, lun, InitialR2T="Yes", ImmediateData="Yes") as s:
        old, new = pattern(size, 1), pattern(size, 2)
        s.scsi(scsi.write10(BASE + 800, size // 512), lun=lun, write=old).good()
        sn = s.cmdsn
        cmd = s.start(scsi.write10(BASE + 800, size // 512), lun=lun, write=new, imm=size, bad_data_digest=True)
        s.wait_until(lambda: any(x.opcode == p.REJECT for x in s.inbox))
        reject = s.wait_pdu(p.REJECT)
        assert reject.reason == p.REJ_DATA_DIGEST and reject.data[:1] == bytes([p.SCSI_CMD])
        waits = s.start(scsi.test_unit_ready(), lun=lun)
        assert quiet(s) == []
        assert cmd.result is None and waits.result is None and s.expcmdsn == sn
        assert s.scsi(scsi.read10(BASE + 800, size // 512), lun=lun, read=size, immediate=True).good().data == old
        again = s.start(scsi.write10(BASE + 800, size // 512), lun=lun, write=new, imm=size, cmdsn=sn, itt=cmd.itt)
        s.wait(again).good()
        s.wait(waits).good()
        assert s.scsi(scsi.read10(BASE + 800, size // 512), lun=lun, read=size).good().data == new


# --- header digests

@pytest.mark.parametrize("opcode", [p.SCSI_CMD, p.NOP_OUT, p.TEXT_REQ, p.TMF_REQ, p.LOGOUT_REQ, p.SNACK])
def test_bad_header_digest(wide, lun, opcode):
    """7.8: at level 1 a PDU with a bad header digest is dropped without an answer, framing is kept, and the
    session goes on."""
    with open_one(wide, lun) as s:
        data = b"X-org.example.h=1\0" if opcode == p.TEXT_REQ else b"spoiled" if opcode == p.NOP_OUT else b""
        s.send(PDU(opcode, immediate=opcode != p.SNACK, flags=p.F, itt=0x3131, data=data), bad_header_digest=True)
        assert quiet(s) == []
        s.scsi(scsi.test_unit_ready(), lun=lun).good()


@pytest.mark.parametrize("behind", [0, 1, 5])
def test_lost_command_is_retried(wide, lun, behind):
    """7.2.1, 7.8: a command lost by a header digest error leaves a gap; what is behind it waits, and the retry
    with the same CmdSN fills it."""
    with open_one(wide, lun) as s:
        sn, itt = s.take_cmdsn(), s.take_itt()
        lost = PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, itt=itt, edtl=512, cmdsn=sn, cdb=scsi.read10(0, 1))
        s.send(lost, bad_header_digest=True)
        waits = [s.start(scsi.read10(i, 1), lun=lun, read=512) for i in range(behind)]
        assert quiet(s) == []
        assert s.expcmdsn == sn
        s.wait(s.start(scsi.read10(0, 1), lun=lun, read=512, itt=itt, cmdsn=sn)).good()
        for c in waits:
            s.wait(c).good()


@pytest.mark.parametrize("when", ["waiting", "running", "answered"])
def test_retry_of_a_command_that_arrived(wide, lun, when):
    """7.2.1, 4.2.2.1: a retry of a command that did arrive is discarded, whatever became of it: it is carried out
    once."""
    with open_one(wide, lun, InitialR2T="Yes", ImmediateData="No") as s:
        sn = s.cmdsn
        if when == "waiting":
            s.take_cmdsn()
        mine = s.cmdsn
        cmd = s.start(scsi.write10(BASE + 900, 1), lun=lun, write=b"1" * 512, hold_r2t=True)
        retry = PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, itt=cmd.itt, edtl=512, cmdsn=mine,
                    cdb=scsi.write10(BASE + 900, 1))
        if when == "answered":
            cmd.hold_r2t = False
            s.wait(cmd).good()
        if when == "running":
            s.wait_until(lambda: cmd.r2ts)
        s.send(retry)
        assert quiet(s) == []
        if when == "waiting":
            s.scsi(scsi.test_unit_ready(), lun=lun, cmdsn=sn).good()
        if cmd.result is None:
            s.wait_until(lambda: cmd.r2ts)
            assert len(cmd.r2ts) == 1
            s.answer_r2t(cmd, cmd.r2ts[0])
            s.wait(cmd).good()
        assert quiet(s) == []


def test_garbled_stream_after_a_header_digest_error(wide, lun):
    """7.8: when the length in the spoiled header was the spoiled part, the next header is wrong, too: the
    connection ends, and nothing of what was in between is carried out."""
    with open_one(wide, lun) as s:
        before = s.scsi(scsi.read10(BASE + 950, 1), lun=lun, read=512).good().data
        raw = bytearray(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=9, ttt=RESERVED_TAG, cmdsn=s.cmdsn,
                            expstatsn=s.conn.expstatsn, data=b"n" * 64).encode(True, True))
        raw[7] = 60                     # DataSegmentLength, not as it was when the digest was made
        s.conn.send_raw(bytes(raw))
        try:
            for _ in range(4):
                s.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.write10(BASE + 950, 1),
                           data=b"\xee" * 512))
            s.conn.expect_closed(allow=(p.ASYNC, p.REJECT, p.SCSI_RSP, p.NOP_IN))
        except Closed:
            pass
    with wide.session() as w:
        w.clear_ua(lun)
        assert w.scsi(scsi.read10(BASE + 950, 1), lun=lun, read=512).good().data in (before, b"\xee" * 512)
        w.logout()


@pytest.mark.parametrize("opcode", [p.NOP_OUT, p.TEXT_REQ])
def test_bad_data_digest_of_a_request(wide, lun, opcode):
    """7.8, 7.3: a request with data that is spoiled: Reject 02h with its header; its CmdSN counts as not received,
    and it is sent again with that."""
    with open_one(wide, lun) as s:
        data = b"X-org.example.d=1\0" if opcode == p.TEXT_REQ else b"ping ping"
        sn = s.take_cmdsn()
        for bad in (True, False):
            s.send(PDU(opcode, flags=p.F, itt=0x3232, ttt=RESERVED_TAG, cmdsn=sn, data=data), bad_data_digest=bad)
            if bad:
                r = s.wait_pdu(p.REJECT)
                assert r.reason == p.REJ_DATA_DIGEST and r.data[:1] == bytes([opcode])
                assert r.expcmdsn == sn, "the spoiled one took its number"
        assert any(x.itt == 0x3232 for x in quiet(s)), "the retry was not carried out"
        s.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_reads_are_not_disturbed(wide, lun):
    """7.1.4.1: recovery of one task is no other task's affair."""
    with open_one(wide, lun, InitialR2T="Yes", ImmediateData="No") as s:
        d = pattern(TOTAL, 15)
        reads = [s.start(scsi.read10(i, 8), lun=lun, read=4096) for i in range(8)]
        write(s, lun, BASE + 1000, d, (1, 5), "data").result.good()
        for r in reads:
            s.wait(r).good()
        s.inbox.clear()
        assert s.scsi(scsi.read10(BASE + 1000, NBLOCKS), lun=lun, read=TOTAL).good().data == d

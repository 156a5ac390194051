# SPDX-License-Identifier: BSD-3-Clause
"""Writes: immediate, unsolicited and solicited data. RFC 7143 4.2.4, 4.2.5, 11.3, 11.7, 11.8, 13.10-13.19.

Lawful transfers in the four combinations of ImmediateData and InitialR2T at sizes around every
boundary, then each way in which Data-Out can be wrong: the target ends the task or the connection,
never stores what was not asked for, and never stays behind.
"""

import pytest

from helpers import alive, outcome, pattern, quiet
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, Closed, Rejected
from lib.pdu import PDU

BASE = 4096                             # first LBA of these tests

MODES = [(i, r) for i in ("Yes", "No") for r in ("Yes", "No")]
mode = pytest.mark.parametrize("immediate, initial_r2t", MODES,
                               ids=[f"imm{i}-r2t{r}" for i, r in MODES])


def open_mode(daemon, immediate="Yes", initial_r2t="Yes", **keys):
    return daemon.session(keys={"ImmediateData": immediate, "InitialR2T": initial_r2t, **keys})


def read_back(s, lun, n, lba=BASE):
    return s.scsi(scsi.read16(lba, n), lun=lun, read=n * 512).good().data


@mode
@pytest.mark.parametrize("nblocks", [1, 2, 15, 16, 17, 127, 128, 129, 512, 513, 1024])
def test_sizes(daemon, lun, immediate, initial_r2t, nblocks):
    """4.2.5.2: Every mode writes every size, and reads it back."""
    with open_mode(daemon, immediate, initial_r2t) as s:
        s.clear_ua(lun)
        data = pattern(nblocks * 512, nblocks)
        r = s.scsi(scsi.write16(BASE, nblocks), lun=lun, write=data).good()
        assert not r.overflow and not r.underflow
        if immediate == "No" and initial_r2t == "Yes":
            assert sum(x.length for x in r.cmd.r2ts) == len(data), "everything is solicited"
        assert read_back(s, lun, nblocks) == data
        s.logout()


@mode
@pytest.mark.parametrize("first, burst", [(512, 512), (1024, 4096), (4096, 4096), (65536, 65536), (2048, 16384)])
def test_burst_lengths(daemon, lun, immediate, initial_r2t, first, burst):
    """13.13, 13.14: R2Ts keep MaxBurstLength (checked by the initiator), the first one starts where the
    unsolicited data ended."""
    with open_mode(daemon, immediate, initial_r2t, FirstBurstLength=first, MaxBurstLength=burst) as s:
        s.clear_ua(lun)
        data = pattern(100 * 512, burst)
        s.scsi(scsi.write10(BASE, 100), lun=lun, write=data).good()
        assert read_back(s, lun, 100) == data
        s.logout()


@mode
def test_less_immediate_data_than_allowed(daemon, lun, immediate, initial_r2t):
    """4.2.4.1: immediate data is optional and of any length up to the limit; F=1 ends what comes unasked."""
    with open_mode(daemon, immediate, initial_r2t) as s:
        s.clear_ua(lun)
        for imm in (0, 512, 1024, 5120):
            if imm and immediate == "No":
                continue
            data = pattern(64 * 512, imm)
            s.scsi(scsi.write10(BASE, 64), lun=lun, write=data, imm=imm, unsolicited=0).good()
            assert read_back(s, lun, 64) == data
        s.logout()


def test_unsolicited_in_odd_pieces(daemon, lun):
    """11.7: unsolicited Data-Out PDUs of any length; the initiator fills FirstBurstLength or EDTL."""
    with open_mode(daemon, "No", "No", FirstBurstLength=8192) as s:
        s.clear_ua(lun)
        data = pattern(32 * 512)
        cmd = s.start(scsi.write10(BASE, 32), lun=lun, write=data, imm=0, unsolicited=0, flags=p.W | p.SIMPLE)
        s.data_out(cmd, RESERVED_TAG, 0, 8192, step=1000)
        cmd.unsolicited = 8192
        s.wait(cmd).good()
        assert read_back(s, lun, 32) == data
        s.logout()


def test_solicited_in_odd_pieces(daemon, lun):
    """Solicited data may come in PDUs of any length (11.7), not a multiple of the block or of four."""
    with open_mode(daemon, "No", "Yes") as s:
        s.clear_ua(lun)
        data = pattern(32 * 512)
        cmd = s.start(scsi.write10(BASE, 32), lun=lun, write=data, hold_r2t=True)
        while cmd.result is None:
            s.recv()
            if cmd.open_r2t:
                s.answer_r2t(cmd, cmd.r2ts[-1], step=777)
        cmd.result.good()
        assert read_back(s, lun, 32) == data
        s.logout()


def test_one_byte_pdus(daemon, lun):
    """11.7: As small as it gets."""
    with open_mode(daemon, "No", "Yes") as s:
        s.clear_ua(lun)
        data = pattern(512)
        cmd = s.start(scsi.write10(BASE, 1), lun=lun, write=data, hold_r2t=True)
        while not cmd.r2ts:
            s.recv()
        s.answer_r2t(cmd, cmd.r2ts[0], step=1)
        s.wait(cmd).good()
        assert read_back(s, lun, 1) == data
        s.logout()


@pytest.mark.parametrize("most", [1, 2, 8])
def test_max_outstanding_r2t(daemon, lun, most):
    """13.17: no more R2Ts outstanding than negotiated; all of them may be answered late."""
    with open_mode(daemon, "No", "Yes", MaxOutstandingR2T=most, MaxBurstLength=4096, FirstBurstLength=4096) as s:
        s.clear_ua(lun)
        data = pattern(64 * 512)
        cmd = s.start(scsi.write10(BASE, 64), lun=lun, write=data, hold_r2t=True)
        while cmd.result is None:
            if not cmd.open_r2t:
                s.recv()
                continue
            quiet(s)                    # all R2Ts that the target wants to have outstanding are here now
            s.answer_r2t(cmd, next(x for x in cmd.r2ts if x.ttt in cmd.open_r2t))
        cmd.result.good()
        assert read_back(s, lun, 64) == data
        s.logout()


def test_interleaved_commands(daemon, lun):
    """11.7.4: Data of several writes mixed on one connection finds its own command."""
    with open_mode(daemon, "No", "Yes", MaxBurstLength=4096, FirstBurstLength=4096) as s:
        s.clear_ua(lun)
        blocks = [pattern(16 * 512, i) for i in range(8)]
        cmds = [s.start(scsi.write10(BASE + 16 * i, 16), lun=lun, write=d, hold_r2t=True)
                for i, d in enumerate(blocks)]
        while any(c.result is None for c in cmds):
            waiting = [c for c in cmds if c.open_r2t]
            if len(waiting) == sum(1 for c in cmds if c.result is None):
                for part in range(4):
                    for c in reversed(waiting):
                        r = c.r2ts[-1]
                        s.data_out(c, r.ttt, r.offset + part * r.length // 4, r.length // 4, datasn=part,
                                   final=part == 3)
                for c in waiting:
                    c.open_r2t.clear()
            else:
                s.recv()
        for i, (c, d) in enumerate(zip(cmds, blocks)):
            c.result.good()
            assert read_back(s, lun, 16, BASE + 16 * i) == d
        s.logout()


def test_reads_between_data_outs(daemon, lun):
    """4.2.5.2: A write that waits for data holds nobody up."""
    with open_mode(daemon, "No", "Yes") as s:
        s.clear_ua(lun)
        cmd = s.start(scsi.write10(BASE, 64), lun=lun, write=pattern(64 * 512), hold_r2t=True)
        while not cmd.r2ts:
            s.recv()
        for i in range(20):
            s.scsi(scsi.read10(i, 4), lun=lun, read=2048).good()
        s.answer_r2t(cmd, cmd.r2ts[0])
        s.wait(cmd).good()
        s.logout()


def test_zero_length_write(session, lun):
    """A transfer length of 0 is no error (SBC-3 5.x) and moves nothing."""
    session.scsi(scsi.write10(BASE, 0), lun=lun).good()
    session.scsi(scsi.write16(BASE, 0), lun=lun, flags=p.F | p.W | p.SIMPLE).good()


def test_r2t_offsets_cover_all_once(daemon, lun):
    """11.8: the R2Ts of a command ask for each byte once."""
    with open_mode(daemon, "No", "Yes", MaxBurstLength=8192, FirstBurstLength=512) as s:
        s.clear_ua(lun)
        r = s.scsi(scsi.write10(BASE, 100), lun=lun, write=pattern(51200)).good()
        at = 0
        for x in r.cmd.r2ts:
            assert x.offset == at
            at += x.length
        assert at == 51200
        s.logout()


# --- what must not work -----------------------------------------------------------------------------

def faulty(daemon, lun, fault, nblocks=64, immediate="No", initial_r2t="Yes", start=None, **keys):
    """Start a write over known blocks, let fault(s, cmd) spoil it; the old blocks or a prefix of lawful
    ones must be what a second session reads, and never a byte of poison."""
    old = pattern(nblocks * 512, 7)
    with daemon.session() as watch:
        watch.clear_ua(lun)
        watch.scsi(scsi.write16(BASE, nblocks), lun=lun, write=old).good()
        s = open_mode(daemon, immediate, initial_r2t, **keys)
        s.clear_ua(lun)
        new = pattern(nblocks * 512, 8)
        cmd = s.start(scsi.write16(BASE, nblocks), lun=lun, write=new, hold_r2t=True, **(start or {}))
        try:
            fault(s, cmd)
            kind, what = outcome(s, cmd)
        except Closed:
            kind, what = "closed", None
        if kind == "status":
            assert what.status != scsi.GOOD, "a faulty transfer ended GOOD"
            try:
                alive(s)
            except Rejected:        # what came when the command had been answered already
                alive(s)
        if kind == "reject":
            assert what.reason in (p.REJ_PROTOCOL, p.REJ_INVALID_FIELD, p.REJ_NOT_SUPPORTED), hex(what.reason)
        got = read_back(watch, lun, nblocks)
        s.close()
        for i in range(nblocks):
            block = got[i * 512:(i + 1) * 512]
            assert block in (old[i * 512:(i + 1) * 512], new[i * 512:(i + 1) * 512]), f"block {i} is spoiled"
        alive(watch)
        watch.logout()
    return kind, what


def take_r2t(s, cmd):
    while not cmd.r2ts:
        s.recv()
    return cmd.r2ts[0]


def test_wrong_ttt(daemon, lun):
    """11.7.4: a TTT that no R2T carried: an error at once or at the end, or dropped; then the right data
    count."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.data_out(cmd, r.ttt ^ 0x5555, r.offset, r.length, data=b"\xee" * r.length)
        if not quiet(s) and cmd.result is None:
            s.answer_r2t(cmd, r)
            r = s.wait(cmd)
            if r.status != scsi.GOOD:
                r.check(scsi.ABORTED_COMMAND)
            raise Closed("the PDUs were dropped")
    faulty(daemon, lun, fault)


def test_wrong_offset(daemon, lun):
    """11.7.6, 13.18: Data-Out out of order with DataPDUInOrder=Yes."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.conn.send(PDU(p.DATA_OUT, flags=p.F, lun=lun, itt=cmd.itt, ttt=r.ttt, datasn=0,
                        offset=r.offset + 512, data=b"\xee" * 512))
    faulty(daemon, lun, fault)


def test_offset_beyond_the_burst(daemon, lun):
    """11.7.6: Far outside of what was asked for, 2**32 included."""
    for offset in (64 * 512, 0xFFFFFE00, 0x7FFFFFFF):
        def fault(s, cmd, at=offset):
            r = take_r2t(s, cmd)
            s.conn.send(PDU(p.DATA_OUT, flags=p.F, lun=lun, itt=cmd.itt, ttt=r.ttt, datasn=0, offset=at,
                            data=b"\xee" * 512))
        faulty(daemon, lun, fault)


def test_more_than_the_r2t(daemon, lun):
    """11.8.4: more data than Desired Data Transfer Length."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.data_out(cmd, r.ttt, r.offset, r.length + 512, data=cmd.data_out + b"\xee" * 512, step=4096)
    faulty(daemon, lun, fault)


def test_less_than_the_r2t(daemon, lun):
    """11.8.4: F=1 before the R2T is satisfied. ERL 0 ends the task (7.9) or asks again (recovery R2T)."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.data_out(cmd, r.ttt, r.offset, 512)
        if not quiet(s) and cmd.result is None:
            s.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt)
            s.commands.pop(cmd.itt, None)
            raise Closed("asked again instead; aborted by the test")
    faulty(daemon, lun, fault)


def test_wrong_datasn(daemon, lun):
    """11.7.5, 7.9: DataSN counts from 0 in each sequence."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.data_out(cmd, r.ttt, r.offset, r.length, datasn=5)
    faulty(daemon, lun, fault)


def test_repeated_datasn(daemon, lun):
    """11.7.5: The second PDU repeats DataSN 0."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        for i in range(2):
            s.conn.send(PDU(p.DATA_OUT, flags=p.F if i else 0, lun=lun, itt=cmd.itt, ttt=r.ttt, datasn=0,
                            offset=r.offset + i * r.length // 2,
                            data=cmd.data_out[r.offset + i * r.length // 2:][:r.length // 2]))
    faulty(daemon, lun, fault, nblocks=8)


def test_immediate_data_when_refused(daemon, lun):
    """13.11: immediate data with ImmediateData=No."""
    def fault(s, cmd):
        pass
    faulty(daemon, lun, fault, immediate="No", start={"imm": 512, "unsolicited": 0})


def test_unsolicited_data_when_refused(daemon, lun):
    """13.10: unsolicited Data-Out with InitialR2T=Yes: reject, or CHECK CONDITION 0C/0C (11.4.7.2)."""
    def fault(s, cmd):
        s.data_out(cmd, RESERVED_TAG, 0, 4096)
    kind, what = faulty(daemon, lun, fault, initial_r2t="Yes", start={"flags": p.W | p.SIMPLE})
    if kind == "status":
        assert what.sense.key in (scsi.ABORTED_COMMAND, scsi.ILLEGAL_REQUEST)


def test_unsolicited_over_first_burst(daemon, lun):
    """13.14: more unsolicited data than FirstBurstLength."""
    def fault(s, cmd):
        s.data_out(cmd, RESERVED_TAG, 0, 16384, step=4096)
    faulty(daemon, lun, fault, initial_r2t="No", FirstBurstLength=4096, start={
        "imm": 0, "unsolicited": 0, "flags": p.W | p.SIMPLE})


def test_immediate_over_first_burst(daemon, lun):
    """13.14: immediate data counts."""
    faulty(daemon, lun, lambda s, cmd: None, immediate="Yes", FirstBurstLength=1024,
           start={"imm": 4096, "unsolicited": 0})


def test_immediate_data_over_edtl(daemon, lun):
    """11.3.4: More immediate data than the command says it has."""
    with open_mode(daemon) as s:
        s.clear_ua(lun)
        cmd = s.start(scsi.write10(BASE, 1), lun=lun, write=pattern(4096), edtl=512, imm=4096, unsolicited=0,
                      flags=p.F | p.W | p.SIMPLE)
        kind, what = outcome(s, cmd)
        assert kind != "status" or what.status != scsi.GOOD


def test_data_segment_over_mrdsl(daemon, lun):
    """7.7: a data segment above the target's MaxRecvDataSegmentLength is a format error: session failure."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.conn.send(PDU(p.DATA_OUT, flags=p.F, lun=lun, itt=cmd.itt, ttt=r.ttt, datasn=0, offset=0,
                        data=b"\xee" * (s.target_mrdsl + 4)))
    kind, _ = faulty(daemon, lun, fault)
    assert kind in ("closed", "reject")


def test_data_out_for_no_task(session):
    """11.3: an ITT that names no task: reject, ignore, or close; never more."""
    session.conn.send(PDU(p.DATA_OUT, flags=p.F, itt=0x7777, ttt=0x1234, data=b"x" * 512))
    try:
        got = quiet(session)
    except (Rejected, Closed):
        return
    assert all(x.opcode == p.REJECT for x in got)


def test_data_out_for_a_read(session, lun):
    """11.3.1: Data-Out for a task that takes none."""
    session.take_cmdsn()
    cmd = session.start(scsi.read10(0, 1), lun=lun, read=512)       # held behind a gap
    session.conn.send(PDU(p.DATA_OUT, flags=p.F, lun=lun, itt=cmd.itt, ttt=RESERVED_TAG, data=b"x" * 512))
    try:
        got = quiet(session)
    except (Rejected, Closed):
        return
    assert all(x.opcode in (p.REJECT, p.SCSI_RSP) for x in got)


def test_wrong_lun_in_data_out(daemon, lun):
    """11.7: LUN must be that of the R2T when the TTT is given."""
    def fault(s, cmd):
        r = take_r2t(s, cmd)
        s.conn.send(PDU(p.DATA_OUT, flags=p.F, lun=lun + 7, itt=cmd.itt, ttt=r.ttt, datasn=0, offset=0,
                        data=cmd.data_out[:r.length][:s.target_mrdsl]))
        if cmd.result is None and not quiet(s):
            raise Closed("the target looks at the tags only; ended by the test")
    try:
        faulty(daemon, lun, fault, nblocks=8)
    except AssertionError as e:
        if "ended GOOD" not in str(e):
            raise


def test_write_without_w_bit(session, lun):
    """11.3.1: R=W=0 with a write CDB: no data moves; a residual tells it or the command fails."""
    r = session.scsi(scsi.write10(BASE, 1), lun=lun, flags=p.F | p.SIMPLE)
    assert r.status != scsi.GOOD or r.overflow == 512


def test_no_final_bit_and_no_data(daemon, lun):
    """11.3.1: F=0 announces unsolicited data that InitialR2T=Yes forbids."""
    def fault(s, cmd):
        s.conn.close()
        raise Closed("given up")
    faulty(daemon, lun, fault, initial_r2t="Yes", start={"flags": p.W | p.SIMPLE, "imm": 0, "unsolicited": 0})

# SPDX-License-Identifier: BSD-3-Clause
"""ErrorRecoveryLevel 1: what a target sends again. RFC 7143 7.1.4, 11.7.2, 11.16, 4.2.2.2.

PDUs get lost at the initiator's side, as if their data digest had been wrong (7.8), and are asked for by SNACK:
Status, Data/R2T, DataACK and R-Data. lib/recovery.py checks that what comes again is the same PDU.
What gets lost on the way to the target: test_within_command.py.
"""

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, sn_add
from lib.pdu import PDU
from lib.recovery import SNACK_DATA, SNACK_DATA_ACK, SNACK_RDATA, SNACK_STATUS, replica

BASE = 50000
NBLOCKS = 128
REFUSED = (p.REJ_PROTOCOL, p.REJ_SNACK, p.REJ_INVALID_FIELD)


@pytest.fixture
def s(wide, lun):
    """A session at level 1 whose reads take 16 Data-In PDUs of 4096 bytes, and its data at BASE."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=4096, DataPDUInOrder="Yes",
                      DataSequenceInOrder="Yes") as one:
        one.clear_ua(lun)
        yield one


@pytest.fixture
def data(s, lun):
    d = pattern(NBLOCKS * 512, 77)
    s.scsi(scsi.write10(BASE, NBLOCKS), lun=lun, write=d).good()
    return d


def lose_once(conn, match):
    """The first PDU for which match() is true gets lost."""
    def lose(pdu):
        if not conn.lost and match(pdu):
            return True
        return False
    conn.lost.clear()
    conn.lose = lose


def lose_datasn(conn, *sns):
    """These Data-In PDUs get lost, once each."""
    left = set(sns)

    def lose(pdu):
        if pdu.opcode == p.DATA_IN and pdu.datasn in left:
            left.discard(pdu.datasn)
            return True
        return False
    conn.lost.clear()
    conn.lose = lose


def rejected(s, reasons=REFUSED):
    """The next PDU is the Reject of a SNACK; the session goes on."""
    r = s.wait_pdu(p.REJECT)
    assert r.reason in reasons, f"reason {r.reason:#x}"
    assert r.data[:1] == bytes([p.SNACK]), "the header of the SNACK comes back (11.17)"
    alive(s)
    return r


# --- Status SNACK

def response_kinds():
    def scsi_rsp(s, lun):
        s.start(scsi.test_unit_ready(), lun=lun)

    def sense(s, lun):
        s.start(scsi.read16(1 << 50, 1), lun=lun, read=512)

    def write(s, lun):
        s.start(scsi.write10(BASE + 500, 1), lun=lun, write=bytes(512))

    def nop(s, lun):
        s.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, ttt=RESERVED_TAG, data=b"lost ping"))

    def text(s, lun):
        s.send(PDU(p.TEXT_REQ, immediate=True, flags=p.F, ttt=RESERVED_TAG, data=b"X-org.example.s=1\0"))

    def tmf(s, lun):
        s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.ABORT_TASK_SET, lun=lun, ref_itt=RESERVED_TAG))

    def reject(s, lun):
        s.send(PDU(p.SNACK, flags=p.F | SNACK_DATA, itt=0x7FFF1234, ttt=RESERVED_TAG))

    return [(scsi_rsp, p.SCSI_RSP), (sense, p.SCSI_RSP), (write, p.SCSI_RSP), (nop, p.NOP_IN), (text, p.TEXT_RSP),
            (tmf, p.TMF_RSP), (reject, p.REJECT)]


@pytest.mark.parametrize("send, opcode", response_kinds(), ids=[f.__name__ for f, _ in response_kinds()])
@pytest.mark.parametrize("runlength", [1, 0])
def test_lost_response(s, lun, send, opcode, runlength):
    """11.16, 4.2.2.2: a response of any kind that got lost comes again by a Status SNACK: the same PDU, the same
    StatSN."""
    lose_once(s.conn, lambda pdu: pdu.opcode == opcode)
    send(s, lun)
    after = 0
    while not s.conn.lost or not after:
        after += bool(s.conn.lost)
        s.text([("X-org.example.t", "1")])
    lost = s.conn.lost[0]
    assert s.conn.expstatsn == lost.statsn, "the gap is at the lost response"
    s.conn.lose, s.conn.replay = None, True
    s.snack_status(lost.statsn, runlength)
    again = s.recv()
    assert replica(lost, again), f"{lost} came again as {again}"
    if not runlength:                   # all from there: the answer that showed the gap, too
        assert s.recv().statsn == sn_add(lost.statsn, 1)
    s.inbox.clear()
    alive(s)


def test_run_of_responses(s, lun):
    """11.16.6, 11.16.7: BegRun and RunLength name consecutive StatSNs, which come in their order."""
    s.conn.ack = s.conn.expstatsn       # nothing is acknowledged from here on
    cmds = [s.start(scsi.test_unit_ready(), lun=lun) for _ in range(10)]
    for c in cmds:
        s.wait(c)
    first = cmds[0].result.pdu.statsn
    s.conn.replay = True
    s.snack_status(sn_add(first, 3), 4)
    for i in range(3, 7):
        assert s.recv().statsn == sn_add(first, i)
    assert quiet(s) == []
    assert [len(c.responses) for c in cmds] == [1, 1, 1, 2, 2, 2, 2, 1, 1, 1]


def test_all_responses(s, lun):
    """11.16.6: BegRun 0 and RunLength 0: all that is not acknowledged."""
    s.conn.ack = s.conn.expstatsn
    cmds = [s.start(scsi.test_unit_ready(), lun=lun) for _ in range(10)]
    for c in cmds:
        s.wait(c)
    s.conn.replay = True
    s.snack_status(0, 0)
    s.wait_until(lambda: all(len(c.responses) == 2 for c in cmds))
    assert quiet(s) == []


def test_acknowledged_response(s, lun):
    """11.16: what the initiator has acknowledged by ExpStatSN is gone: Reject, protocol error."""
    r = s.scsi(scsi.test_unit_ready(), lun=lun).good()
    alive(s)                            # its ExpStatSN acknowledges
    s.snack_status(r.pdu.statsn, 1)
    rejected(s)


@pytest.mark.parametrize("ahead, runlength", [(0, 1), (5, 1), (5, 0), (0, 1000), (0x7FFFFFFF, 1)])
def test_response_never_sent(s, lun, ahead, runlength):
    """11.16: a StatSN that was never sent: Reject."""
    alive(s)
    s.snack_status(sn_add(s.conn.expstatsn, ahead), runlength)
    rejected(s)


def test_responses_are_kept_for_a_whole_window(s, lun):
    """7.1.5, 11.16: with no acknowledgement for a whole window of commands every response can be had again,
    and the target stops taking commands before it forgets one."""
    alive(s)
    s.conn.ack = s.conn.expstatsn
    cmds = []
    while (s.maxcmdsn - s.cmdsn) & 0xFFFFFFFF < 0x80000000 and len(cmds) < 2000:
        cmds.append(s.start(scsi.test_unit_ready(), lun=lun))
        s.wait(cmds[-1]).good()
    assert len(cmds) >= 16
    s.conn.replay = True
    s.snack_status(0, 0)
    s.wait_until(lambda: all(len(c.responses) == 2 for c in cmds))
    s.conn.ack = None
    alive(s)                            # acknowledges all: the window opens
    alive(s)
    s.scsi(scsi.test_unit_ready(), lun=lun).good()


# --- Data SNACK

@pytest.mark.parametrize("lost", [(0,), (1,), (7,), (14,), (15,), (0, 1, 2), (3, 9), (0, 15), tuple(range(16))],
                         ids=lambda v: "-".join(map(str, v)))
def test_lost_data_in(s, lun, data, lost):
    """11.16, 7.1.4.1: Data-In PDUs that got lost come again by Data SNACK, and the read is whole; the one with the
    status, too."""
    lose_datasn(s.conn, *lost)
    s.conn.ack = s.conn.expstatsn       # no status is acknowledged before all data is there (7.9)
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    if 15 in lost:
        alive(s)                        # all was sent by now
        s.conn.lose = None
        if cmd.result is None:          # the status was in the last Data-In
            s.snack_data(cmd, 15, 1)
            s.wait_until(lambda: 15 in cmd.seen)
            if cmd.result is None:
                s.snack_status(0, 0)
    s.complete(cmd).good()
    assert s.data(cmd) == data
    for a in s.conn.lost:
        assert replica(a, cmd.seen[a.datasn])


@pytest.mark.parametrize("begrun, runlength, n", [(0, 1, 1), (5, 3, 3), (0, 16, 16), (15, 1, 1), (4, 0, 12),
                                                 (0, 0, 16)])
def test_run_of_data_in(s, lun, data, begrun, runlength, n):
    """11.16.6, 11.16.7: a run of DataSNs; RunLength 0 means all from BegRun on."""
    s.conn.ack = s.conn.expstatsn       # the status is not acknowledged: the task can be asked for
    s.ack_data = False                  # nor is data
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    s.wait(cmd).good()
    s.conn.replay = True
    s.snack_data(cmd, begrun, runlength)
    s.wait_until(lambda: len(cmd.again) == n)
    assert [x.datasn for x in cmd.again] == list(range(begrun, begrun + n))
    assert quiet(s) == []
    assert len(cmd.again) == n


def test_data_in_again_is_what_was_read(s, lun, data):
    """11.16: an exact replica, though the blocks have been overwritten meanwhile."""
    lose_datasn(s.conn, 4)
    s.conn.ack = s.conn.expstatsn
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    s.wait_until(lambda: cmd.result is not None)
    s.conn.lose = None
    s.scsi(scsi.write10(BASE, NBLOCKS), lun=lun, write=bytes(len(data))).good()
    s.complete(cmd).good()
    assert s.data(cmd) == data


def test_data_snack_while_the_task_runs(s, lun, data):
    """11.16, 7.1.4.1: data can be asked for again before the status."""
    # Of whichever comes first only what is asked for here may be lost: the status of the others is acknowledged.
    s.conn.ack = s.conn.expstatsn
    cmds = [s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data)) for _ in range(4)]
    lose_once(s.conn, lambda pdu: pdu.opcode == p.DATA_IN and pdu.itt == cmds[0].itt and pdu.datasn == 0)
    s.wait_until(lambda: cmds[0].seen)
    assert 0 not in cmds[0].seen
    s.snack_data(cmds[0], 0, 1)
    for c in cmds:
        s.complete(c).good()
        assert s.data(c) == data


@pytest.mark.parametrize("begrun, runlength", [(16, 1), (100, 1), (0, 17), (15, 2), (0xFFFFFFFF, 1)])
def test_data_in_never_sent(s, lun, data, begrun, runlength):
    """11.16: DataSNs that were not sent: Reject."""
    s.conn.ack = s.conn.expstatsn
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    s.wait(cmd).good()
    s.conn.replay = True
    s.snack_data(cmd, begrun, runlength)
    rejected(s, (p.REJ_PROTOCOL,))


@pytest.mark.parametrize("kind", [SNACK_DATA, SNACK_DATA_ACK, SNACK_RDATA])
def test_snack_for_no_task(s, kind):
    """11.16: a task or a tag that does not exist: Reject."""
    s.snack(kind, itt=0x7ABCDEF0 if kind != SNACK_DATA_ACK else RESERVED_TAG, ttt=0x1234, begrun=1)
    rejected(s, (*REFUSED, p.REJ_INVALID_ACK))


def test_data_snack_after_the_end(s, lun, data):
    """11.16: a task whose status is acknowledged is no more: Reject."""
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    s.wait(cmd).good()
    alive(s)
    alive(s)
    s.snack_data(cmd, 0, 1)
    rejected(s)


def test_data_snack_for_another_lun(s, lun, data):
    """11.16.4: the LUN of a SNACK is reserved but for DataACK and the like: data comes for the task by its ITT,
    or the SNACK is rejected."""
    s.conn.ack = s.conn.expstatsn
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    s.wait(cmd).good()
    s.conn.replay = True
    s.snack(SNACK_DATA, 0, 1, itt=cmd.itt, lun=lun + 1)
    pdu = s.recv()
    assert pdu.opcode in (p.DATA_IN, p.REJECT)


# --- R2T

def test_lost_r2t(s, lun):
    """11.16: an R2T that got lost comes again by Data/R2T SNACK; R2Ts count as the input PDUs of a write."""
    lose_once(s.conn, lambda pdu: pdu.opcode == p.R2T)
    d = pattern(8192, 4)
    cmd = s.start(scsi.write10(BASE + 600, 16), lun=lun, write=d, imm=0, unsolicited=0, hold_r2t=True)
    alive(s)
    lost = s.conn.lost[0]
    s.conn.lose = None
    s.snack_data(cmd, lost.r2tsn, 1)
    s.wait_until(lambda: cmd.r2ts)
    assert replica(lost, cmd.r2ts[0], {"statsn"})
    s.answer_r2t(cmd, cmd.r2ts[0])
    s.wait(cmd).good()
    assert s.scsi(scsi.read10(BASE + 600, 16), lun=lun, read=8192).good().data == d


@pytest.mark.parametrize("begrun, runlength", [(0, 0), (0, 1), (1, 1), (1, 0)])
def test_run_of_r2ts(wide, lun, begrun, runlength):
    """11.16.6: outstanding R2Ts, several of them, by their R2TSNs; nothing of what was answered comes."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxBurstLength=4096, FirstBurstLength=512, MaxOutstandingR2T=4,
                      DataSequenceInOrder="No") as s:       # 13.19: one R2T with Yes above level 0
        s.clear_ua(lun)
        d = pattern(16384, 5)
        cmd = s.start(scsi.write10(BASE + 620, 32), lun=lun, write=d, imm=0, unsolicited=0, hold_r2t=True)
        alive(s)
        n = len(cmd.r2ts)
        assert n == 4, f"{n} R2Ts with MaxOutstandingR2T 4"
        s.snack_data(cmd, begrun, runlength)
        want = list(range(begrun, n)) if runlength == 0 else list(range(begrun, begrun + runlength))
        s.wait_until(lambda: len(cmd.again) == len(want))
        assert [x.r2tsn for x in cmd.again] == want
        for r in list(cmd.r2ts):
            s.answer_r2t(cmd, r)
        s.wait(cmd).good()
        assert s.scsi(scsi.read10(BASE + 620, 32), lun=lun, read=16384).good().data == d


# --- A bit and DataACK

def test_a_bit(wide, lun, data):
    """11.7.2: at level 1 the target may ask for acknowledgement by an A bit, not more often than every
    MaxBurstLength bytes or at the end of the input; the tag for it comes with it (11.7.4)."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=4096, MaxBurstLength=16384,
                      FirstBurstLength=4096) as s:
        s.clear_ua(lun)
        cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=65536)
        s.wait(cmd).good()
        since = 0
        for x in cmd.datain_pdus:
            since += len(x.data)
            if x.flags & p.DIN_A:
                assert since >= 16384 or x is cmd.datain_pdus[-1]
                since = 0
        assert s.data(cmd) == data


def test_acknowledged_data_is_gone(wide, lun, data):
    """11.16.2: DataACK frees what it acknowledges; asking for that again is rejected, for the rest it is not."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=4096, MaxBurstLength=16384,
                      FirstBurstLength=4096) as s:
        s.clear_ua(lun)
        s.conn.ack = s.conn.expstatsn
        s.ack_data = False
        cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=65536)
        s.wait_until(lambda: cmd.result is not None or s.acks_due)
        assert s.acks_due, "the target asks for no acknowledgement of data"
        asked = s.acks_due[0]
        s.snack(SNACK_DATA_ACK, begrun=asked.datasn + 1, ttt=asked.ttt, lun=asked.lun)
        s.ack_data = True
        for x in s.acks_due[1:]:
            s.snack(SNACK_DATA_ACK, begrun=x.datasn + 1, ttt=x.ttt, lun=x.lun)
        s.wait_until(lambda: cmd.result is not None)
        s.conn.replay = True
        s.snack_data(cmd, 0, 1)
        s.wait_pdu(p.REJECT)
        alive(s)
        assert s.data(cmd) == data


def test_late_data_ack(wide, lun, data):
    """11.7.2: an initiator may ignore A bits: the read comes to its end all the same."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=4096, MaxBurstLength=16384,
                      FirstBurstLength=4096) as s:
        s.clear_ua(lun)
        s.ack_data = False
        cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=65536)
        s.wait(cmd).good()
        assert s.data(cmd) == data


# --- R-Data

@pytest.mark.parametrize("before, after", [(4096, 1024), (4096, 16384), (512, 8192), (16384, 512), (4096, 4096)])
def test_rdata(wide, lun, data, before, after):
    """11.16.3, 11.4.4: after MaxRecvDataSegmentLength has changed, R-Data brings all data again in segments of
    the new size, and the SCSI Response comes last, with the SNACK Tag."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=before) as s:
        s.clear_ua(lun)
        s.conn.ack = s.conn.expstatsn
        s.ack_data = False
        cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=65536)
        s.wait(cmd).good()
        s.text([("MaxRecvDataSegmentLength", str(after))])
        s.conn.max_recv = after
        s.conn.replay = True
        cmd.data_in[:] = bytes(len(cmd.data_in))
        cmd.responses.clear()
        s.snack_rdata(cmd, 0x51AC0001)
        s.wait_until(lambda: cmd.responses)
        assert cmd.responses[-1].snack_tag == 0x51AC0001 and cmd.responses[-1].status == scsi.GOOD
        assert s.data(cmd) == data
        assert cmd.responses[-1].expdatasn == len(cmd.seen)
        assert max(len(x.data) for x in cmd.seen.values()) <= after
        assert quiet(s) == []


def test_data_snack_after_resegmentation(wide, lun, data):
    """11.16.3: after an R-Data SNACK the new DataSNs count for Data SNACKs."""
    with wide_session(wide, ErrorRecoveryLevel=1, MaxRecvDataSegmentLength=4096) as s:
        s.clear_ua(lun)
        s.conn.ack = s.conn.expstatsn
        s.ack_data = False
        cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=65536)
        s.wait(cmd).good()
        s.text([("MaxRecvDataSegmentLength", "1024")])
        s.conn.max_recv, s.conn.replay = 1024, True
        cmd.responses.clear()
        s.snack_rdata(cmd, 7)
        s.wait_until(lambda: cmd.responses)
        s.snack_data(cmd, 60, 4)
        s.wait_until(lambda: len(cmd.again) == 4)
        assert [x.datasn for x in cmd.again] == [60, 61, 62, 63] and all(len(x.data) == 1024 for x in cmd.again)


@pytest.mark.parametrize("begrun, runlength", [(1, 0), (0, 1), (3, 3)])
def test_rdata_with_a_run(s, lun, data, begrun, runlength):
    """11.16.6, 11.16.7: BegRun and RunLength of an R-Data SNACK are 0: rejected, or taken as 0."""
    s.conn.ack = s.conn.expstatsn
    cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=len(data))
    s.wait(cmd).good()
    s.conn.replay = True
    cmd.seen.clear()
    cmd.responses.clear()
    s.snack(SNACK_RDATA, begrun, runlength, itt=cmd.itt, ttt=9, lun=lun)
    s.wait_until(lambda: cmd.responses or any(x.opcode == p.REJECT for x in s.inbox))
    s.inbox.clear()
    alive(s)


# --- at level 0

@pytest.mark.parametrize("kind", [SNACK_DATA, SNACK_STATUS, SNACK_DATA_ACK, SNACK_RDATA])
def test_no_snack_at_level_0(wide, lun, kind):
    """11.16, 7.1.5: SNACK belongs to level 1 and above; below it is rejected, or the connection ends."""
    from helpers import reject_or_close
    with wide_session(wide, ErrorRecoveryLevel=0) as s:
        s.clear_ua(lun)
        pdu = PDU(p.SNACK, flags=p.F | kind, itt=RESERVED_TAG, ttt=RESERVED_TAG)
        if reject_or_close(s, pdu, (*REFUSED, p.REJ_NOT_SUPPORTED)):
            alive(s)


@pytest.mark.parametrize("level", [0, 1])
def test_discovery_has_level_0(wide, level):
    """7.4.1, 13.20: a discovery session has ErrorRecoveryLevel 0, whatever was offered."""
    from lib.initiator import Session
    with Session.open(wide.address, discovery=True, keys={"ErrorRecoveryLevel": str(level)}) as s:
        assert s.num("ErrorRecoveryLevel") == 0
        s.logout()

# SPDX-License-Identifier: BSD-3-Clause
"""Data in any order: DataPDUInOrder=No, DataSequenceInOrder=No, several R2Ts. RFC 7143 11.7.5, 11.7.6, 11.8,
13.17 to 13.19.
"""

import random

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, Rejected
from lib.pdu import PDU

BASE = 60000
NBLOCKS = 64
TOTAL = NBLOCKS * 512
ORDERS = [("No", "Yes"), ("Yes", "No"), ("No", "No")]
orders = pytest.mark.parametrize("pdus, sequences", ORDERS, ids=[f"pdu{a}-seq{b}" for a, b in ORDERS])


def open_any(wide, lun, pdus="No", sequences="No", **keys):
    s = wide_session(wide, **{"DataPDUInOrder": pdus, "DataSequenceInOrder": sequences, "InitialR2T": "Yes",
                              "ImmediateData": "No", "MaxBurstLength": 8192, "FirstBurstLength": 8192, **keys})
    s.clear_ua(lun)
    return s


def pieces(offset, length, step, rng=None):
    out = [(at, min(step, offset + length - at)) for at in range(offset, offset + length, step)]
    if rng:
        rng.shuffle(out)
    return out


def burst(s, cmd, ttt, parts):
    """One sequence of Data-Out PDUs, in the order of parts."""
    for sn, (at, n) in enumerate(parts):
        cmd.conn.send(PDU(p.DATA_OUT, flags=p.F if sn == len(parts) - 1 else 0, lun=cmd.lun, itt=cmd.itt, ttt=ttt,
                          datasn=sn, offset=at, data=cmd.data_out[at:at + n]))


def check(s, lun, d, lba=BASE):
    assert s.scsi(scsi.read10(lba, len(d) // 512), lun=lun, read=len(d)).good().data == d


@pytest.mark.parametrize("key", ["DataPDUInOrder", "DataSequenceInOrder"])
@pytest.mark.parametrize("offer", ["Yes", "No"])
def test_negotiation(wide, key, offer):
    """13.18, 13.19: the OR of both sides: No only where both say No, as this target is set up to."""
    with wide_session(wide, **{key: offer}) as s:
        assert s.params[key] == offer
        s.logout()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("step", [512, 1000, 4096])
def test_shuffled_solicited_data(wide, lun, step, seed):
    """13.18, 11.7.6: with DataPDUInOrder=No the PDUs of a sequence come in any order."""
    with open_any(wide, lun) as s:
        d = pattern(TOTAL, seed)
        cmd = s.start(scsi.write10(BASE, NBLOCKS), lun=lun, write=d, hold_r2t=True)
        rng = random.Random(seed)
        while cmd.result is None:
            s.recv()
            for r in [x for x in cmd.r2ts if x.ttt in cmd.open_r2t]:
                cmd.open_r2t.pop(r.ttt)
                burst(s, cmd, r.ttt, pieces(r.offset, r.length, step, rng))
        cmd.result.good()
        check(s, lun, d)


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_unsolicited_data(wide, lun, seed):
    """13.18, 13.10: unsolicited data, too."""
    with open_any(wide, lun, InitialR2T="No") as s:
        d = pattern(TOTAL, seed + 20)
        cmd = s.start(scsi.write10(BASE, NBLOCKS), lun=lun, write=d, imm=0, unsolicited=0, flags=p.W | p.SIMPLE)
        cmd.unsolicited = 8192
        burst(s, cmd, RESERVED_TAG, pieces(0, 8192, 1024, random.Random(seed)))
        s.wait(cmd).good()
        check(s, lun, d)


@pytest.mark.parametrize("parts", [[(0, 4096), (0, 4096)], [(0, 4096), (2048, 4096), (6144, 2048)],
                                   [(4096, 4096), (4096, 4096)], [(0, 8192), (8192, 512)]],
                         ids=["twice", "overlap", "hole", "beyond"])
def test_not_every_byte_once(wide, lun, parts):
    """11.7.6, 13.18: any order is not any bytes: a sequence with an overlap, a hole or something beyond it is an
    error: the task does not end GOOD, or the target asks again (7.9)."""
    with open_any(wide, lun) as s:
        old = pattern(8192, 30)
        s.scsi(scsi.write10(BASE, 16), lun=lun, write=old).good()
        cmd = s.start(scsi.write10(BASE, 16), lun=lun, write=pattern(8704, 31), edtl=8192, hold_r2t=True)
        s.wait_until(lambda: cmd.r2ts)
        burst(s, cmd, cmd.r2ts[0].ttt, parts)
        try:
            quiet(s)
            assert cmd.result is None or cmd.result.status != scsi.GOOD
        except (Rejected, ConnectionError):
            pass


@pytest.mark.parametrize("most", [1, 2, 4, 8])
@pytest.mark.parametrize("seed", range(3))
def test_r2ts_answered_in_any_order(wide, lun, most, seed):
    """13.17, 13.19, 11.8: several R2Ts outstanding, their sequences sent in any order and mixed."""
    with open_any(wide, lun, MaxOutstandingR2T=most, MaxBurstLength=2048, FirstBurstLength=2048) as s:
        d = pattern(TOTAL, seed + 40)
        rng = random.Random(seed)
        cmd = s.start(scsi.write10(BASE, NBLOCKS), lun=lun, write=d, hold_r2t=True)
        while cmd.result is None:
            if not cmd.open_r2t:
                s.recv()
                continue
            quiet(s)
            mine = [x for x in cmd.r2ts if x.ttt in cmd.open_r2t]
            assert len(mine) <= most
            queues = [[(x, i, part) for i, part in enumerate(pieces(x.offset, x.length, 512, rng))] for x in mine]
            for x in mine:
                cmd.open_r2t.pop(x.ttt)
            while any(queues):
                q = rng.choice([q for q in queues if q])
                x, sn, (at, n) = q.pop(0)
                s.conn.send(PDU(p.DATA_OUT, flags=0 if q else p.F, lun=lun, itt=cmd.itt, ttt=x.ttt, datasn=sn,
                                offset=at, data=d[at:at + n]))
        cmd.result.good()
        check(s, lun, d)


@pytest.mark.parametrize("most", [1, 2, 8])
def test_max_outstanding_r2t_is_used(wide, lun, most):
    """13.17, 11.8: as many R2Ts as were agreed upon are sent where there is that much to ask for, and no more."""
    with open_any(wide, lun, MaxOutstandingR2T=most, MaxBurstLength=2048, FirstBurstLength=2048) as s:
        cmd = s.start(scsi.write10(BASE, NBLOCKS), lun=lun, write=pattern(TOTAL, 3), hold_r2t=True)
        quiet(s)
        assert len(cmd.open_r2t) == most
        assert len({r.ttt for r in cmd.r2ts}) == most, "a TTT is one R2T's while that is outstanding (11.8.5)"
        s.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt)


@pytest.fixture(scope="module")
def disorderly():
    """A daemon whose Data-In PDUs, Data-In sequences and R2Ts come in random order to one initiator."""
    from conftest import WIDE
    from lib.daemon import make_daemon
    d = make_daemon(params=WIDE, allow=["any", "iqn.2026-01.example.test:disorder"])
    try:
        d.start()
        with d.control() as c:
            for key in ("random_datain_pdu_offsets", "random_datain_seq_offsets", "random_r2t_offsets"):
                c.call("set", path=f"/iscsi/{d.iqn}/tpgt_1/acls/iqn.2026-01.example.test:disorder/attrib/{key}",
                       value="1")
        yield d
        d.stop()
    finally:
        d.discard()


@orders
def test_read_in_any_order(disorderly, lun, pdus, sequences):
    """13.18, 13.19, 11.7.5: Data-In out of order where that was agreed, DataSN counting on, every byte once; in
    order within what was not."""
    with open_any(disorderly, lun, pdus, sequences, MaxRecvDataSegmentLength=1024, MaxBurstLength=4096,
                  FirstBurstLength=512, name="iqn.2026-01.example.test:disorder") as s:
        d = pattern(TOTAL, 50)
        s.scsi(scsi.write10(BASE, NBLOCKS), lun=lun, write=d).good()
        seen = []
        for _ in range(8):
            cmd = s.start(scsi.read10(BASE, NBLOCKS), lun=lun, read=TOTAL)
            s.wait(cmd).good()
            assert s.data(cmd) == d
            offsets = [x.offset for x in cmd.datain_pdus if x.data]
            assert len(set(offsets)) == len(offsets) and sum(len(x.data) for x in cmd.datain_pdus) == TOTAL
            assert [x.datasn for x in cmd.datain_pdus] == list(range(len(cmd.datain_pdus)))
            seen.append(offsets)
            runs, run = [], []
            for x in cmd.datain_pdus:
                run.append(x.offset)
                if x.flags & p.F:
                    runs.append(run)
                    run = []
            if pdus == "Yes":
                assert all(r == sorted(r) for r in runs), "PDUs in order within their sequence"
            if sequences == "Yes":
                assert [min(r) for r in runs] == sorted(min(r) for r in runs), "sequences in order"
        assert any(o != sorted(o) for o in seen), "nothing was ever out of order"


@pytest.mark.parametrize("most", [1, 4])
def test_r2ts_in_any_order(disorderly, lun, most):
    """13.19, 11.8: R2Ts out of order where that was agreed, every byte asked for once, R2TSN counting on."""
    with open_any(disorderly, lun, MaxOutstandingR2T=most, MaxBurstLength=2048, FirstBurstLength=512,
                  name="iqn.2026-01.example.test:disorder") as s:
        disorder = False
        for turn in range(8):
            d = pattern(TOTAL, 60 + turn)
            cmd = s.start(scsi.write10(BASE, NBLOCKS), lun=lun, write=d)
            s.wait(cmd).good()
            offsets = [r.offset for r in cmd.r2ts]
            assert sum(r.length for r in cmd.r2ts) == TOTAL and len(set(offsets)) == len(offsets)
            assert [r.r2tsn for r in cmd.r2ts] == list(range(len(cmd.r2ts)))
            disorder |= offsets != sorted(offsets)
            check(s, lun, d)
        assert disorder, "no R2T was ever out of order"


@pytest.mark.parametrize("pdus, sequences", [("Yes", "Yes")])
def test_in_order_all_the_same(disorderly, lun, pdus, sequences):
    """13.18, 13.19: where order was agreed upon it is kept, whatever the attributes say (the plain initiator
    raises on anything else)."""
    with disorderly.session(keys={"DataPDUInOrder": pdus, "DataSequenceInOrder": sequences, "MaxBurstLength": 4096,
                                  "MaxRecvDataSegmentLength": 1024, "FirstBurstLength": 512, "InitialR2T": "Yes",
                                  "ImmediateData": "No"}, name="iqn.2026-01.example.test:disorder") as s:
        s.clear_ua(lun)
        d = pattern(TOTAL, 70)
        s.scsi(scsi.write10(BASE, NBLOCKS), lun=lun, write=d).good()
        assert s.scsi(scsi.read10(BASE, NBLOCKS), lun=lun, read=TOTAL).good().data == d
        alive(s)


def test_pieces_of_a_connection_are_bounded(wide, lun):
    """13.18: data in ever more pieces do not take ever more memory: beyond CONN_EXTENTS_MAX of them on a connection
    a write ends with ABORTED COMMAND (SAM-5 5.3.1); data in order go on, and what ends makes room."""
    length, bursts = 262144, 8
    step = length // 4096               # EXTENTS_MAX pieces a burst, of 65,536 on a connection
    with open_any(wide, lun, MaxBurstLength=length, FirstBurstLength=8192, MaxOutstandingR2T=bursts) as s:
        total = length * bursts

        def write():
            cmd = s.start(scsi.write10(BASE, total // 512), lun=lun, write=bytes(total), hold_r2t=True)
            s.wait_until(lambda: len(cmd.r2ts) == bursts)
            return cmd

        cmds = [write(), write()]
        for cmd in cmds:
            for r in cmd.r2ts:
                at = range(r.offset + 1, r.offset + length, step)
                s.conn.send_raw(b"".join(
                    PDU(p.DATA_OUT, lun=lun, itt=cmd.itt, ttt=r.ttt, datasn=sn, offset=off, data=b"x",
                        expstatsn=s.conn.expstatsn).encode() for sn, off in enumerate(at)))
        alive(s)

        def backwards():
            d = pattern(8192, 5)
            cmd = s.start(scsi.write10(BASE, 16), lun=lun, write=d, hold_r2t=True)
            s.wait_until(lambda: cmd.r2ts)
            burst(s, cmd, cmd.r2ts[0].ttt, [(4096, 4096), (0, 4096)])
            return s.wait(cmd), d

        result, _ = backwards()
        assert result.status == scsi.CHECK_CONDITION and result.sense.key == scsi.ABORTED_COMMAND
        d = pattern(8192, 6)
        s.scsi(scsi.write10(BASE, 16), lun=lun, write=d).good()
        check(s, lun, d)
        assert s.tmf(p.ABORT_TASK, lun, ref_itt=cmds[0].itt) == p.TMF_COMPLETE
        result, d = backwards()
        result.good()
        check(s, lun, d)

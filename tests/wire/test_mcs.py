# SPDX-License-Identifier: BSD-3-Clause
"""Several connections a session: joining, order, allegiance. RFC 7143 4.2.2.1, 4.2.2.2, 4.2.5.1, 6.3.1, 13.2.

Leaving, losing and taking over connections: test_mcs_ends.py.
"""

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import (FULL_FEATURE, OPERATIONAL, RESERVED_TAG, SECURITY, Closed, Login, LoginFailed, Rejected,
                           sn_add)
from lib.keys import UNSUCCESSFUL
from lib.pdu import PDU

BASE = 30000


def read(s, lun, lba, n, conn=None):
    return s.scsi(scsi.read10(lba, n), lun=lun, read=n * 512, conn=conn).good().data


# --- joining

@pytest.mark.parametrize("n", [2, 3, 8, 32])
def test_join(wide, lun, n):
    """6.3.1, 13.2: logins with the TSIH join the session, up to MaxConnections; each connection serves."""
    with wide_session(wide, MaxConnections=n) as s:
        s.clear_ua(lun)
        for cid in range(1, n):
            conn = s.join(cid)
            assert s.nop(b"%d" % cid, conn=conn).data == b"%d" % cid
        for conn in s.conns:
            s.scsi(scsi.test_unit_ready(), lun=lun, conn=conn).good()
        with pytest.raises(LoginFailed) as e:
            s.join(n)
        assert e.value.status == 0x0206, "too many connections (11.13.5)"
        for conn in s.conns:
            alive(s, conn)
        assert s.logout(close=False).response == 0


@pytest.mark.parametrize("offer, granted", [("1", 1), ("2", 2), ("32", 32), ("33", 32), ("65535", 32), ("0x10", 16)])
def test_max_connections(wide, offer, granted):
    """13.2: the lesser of both sides' numbers."""
    with wide.session(keys={"MaxConnections": offer}) as s:
        assert s.num("MaxConnections") == granted
        s.logout()


@pytest.mark.parametrize("cids", [(5, 1, 0), (0xFFFF, 0x7FFF, 0x8000), (7, 8, 9)])
def test_cids_are_the_initiators_choice(wide, lun, cids):
    """11.12.7: any CIDs, in any order, the leading connection's too."""
    with wide_session(wide, MaxConnections=8, cid=cids[0]) as s:
        s.clear_ua(lun)
        for cid in cids[1:]:
            alive(s, s.join(cid))
        for cid in cids[1:]:
            assert s.logout(reason=1, cid=cid, close=False).response == 0
        s.logout()


def test_login_response_of_a_further_connection(four):
    """11.13.3, 11.13: the TSIH of the session; ExpCmdSN and MaxCmdSN are the session's."""
    conn = four.join(4)
    assert four.tsih and conn in four.conns
    assert four.nop(b"x", conn=conn).expcmdsn == four.cmdsn


def test_join_needs_every_stage(wide, four):
    """6.3.1: a further connection logs in by the same stages; security first here, stage by stage."""
    with wide.connection() as conn:
        lg = Login(conn, isid=four.isid, tsih=four.tsih, cid=4, cmdsn=four.cmdsn)
        r, _ = lg.exchange([("InitiatorName", four.name), ("TargetName", wide.iqn), ("SessionType", "Normal"),
                            ("AuthMethod", "None")], SECURITY, OPERATIONAL)
        assert r.flags & p.T
        r, _ = lg.exchange([("HeaderDigest", "None")], OPERATIONAL)
        assert not r.flags & p.T
        r, _ = lg.exchange((), OPERATIONAL, FULL_FEATURE)
        assert r.flags & p.T and r.tsih == four.tsih


@pytest.mark.parametrize("what", ["isid", "tsih", "name", "target"])
def test_join_by_another(wide, four, what):
    """11.13.5, 6.3.1: a TSIH joins together with the name, ISID and target of its session only."""
    isid, tsih, name, target = four.isid, four.tsih, four.name, wide.iqn
    if what == "isid":
        isid = b"\x80wrong"
    if what == "tsih":
        tsih ^= 0x5A5A
    if what == "name":
        name = "iqn.2026-01.example.test:joiner"
    if what == "target":
        target = "iqn.2026-01.example.test:none"
    with wide.connection() as conn:
        lg = Login(conn, isid=isid, tsih=tsih, cid=9, cmdsn=four.cmdsn)
        with pytest.raises(LoginFailed) as e:
            lg.exchange([("InitiatorName", name), ("TargetName", target)], OPERATIONAL, FULL_FEATURE)
        assert e.value.status in ((0x0203,) if what == "target" else (0x020A,))
    for conn in four.conns:
        alive(four, conn)


@pytest.mark.parametrize("key, value", [
    ("MaxConnections", "2"), ("InitialR2T", "Yes"), ("ImmediateData", "No"), ("MaxBurstLength", "512"),
    ("FirstBurstLength", "512"), ("MaxOutstandingR2T", "1"), ("DataPDUInOrder", "Yes"), ("DefaultTime2Wait", "3600"),
    ("DefaultTime2Retain", "0"), ("DataSequenceInOrder", "Yes"), ("ErrorRecoveryLevel", "0"),
    ("TaskReporting", "RFC3720"), ("iSCSIProtocolLevel", "1")])
def test_leading_only_key(wide, lun, four, key, value):
    """13 ("LO"): what holds for a session is negotiated on its leading connection: on another the key is
    declined, or the login refused; the session keeps its values."""
    conn = None
    try:
        with wide.connection() as conn:
            lg = Login(conn, isid=four.isid, tsih=four.tsih, cid=4, cmdsn=four.cmdsn)
            _, got = lg.exchange([("InitiatorName", four.name), ("TargetName", wide.iqn), (key, value)], OPERATIONAL,
                                 FULL_FEATURE)
            answer = dict(got).get(key)
            assert answer in UNSUCCESSFUL or answer == four.params.get(key), f"{key} answered {answer}"
    except LoginFailed as e:
        assert e.pdu.status_class == 2
    except Closed:
        pass
    data = pattern(64 * 512)
    four.scsi(scsi.write10(BASE, 64), lun=lun, write=data).good()
    assert read(four, lun, BASE, 64) == data


@pytest.mark.parametrize("header, data", [("CRC32C", "None"), ("None", "CRC32C"), ("CRC32C", "CRC32C")])
def test_digests_of_each_connection(wide, lun, header, data):
    """13.1: digests are a connection's own."""
    with wide_session(wide, MaxConnections=4) as s:
        s.clear_ua(lun)
        s.params.update(HeaderDigest=header, DataDigest=data)
        conn = s.join(1)
        assert (conn.header_digest, conn.data_digest) == (header == "CRC32C", data == "CRC32C")
        assert not s.conn.header_digest
        d = pattern(8192)
        s.scsi(scsi.write10(BASE, 16), lun=lun, write=d, conn=conn).good()
        assert read(s, lun, BASE, 16) == d == read(s, lun, BASE, 16, conn)


@pytest.mark.parametrize("mrdsl", [512, 4096, 65536])
def test_segments_of_each_connection(four, lun, mrdsl):
    """13.12: MaxRecvDataSegmentLength is declared for a connection."""
    d = pattern(64 * 512, mrdsl)
    four.scsi(scsi.write10(BASE, 64), lun=lun, write=d).good()
    conn = four.join(4, MaxRecvDataSegmentLength=mrdsl)
    assert read(four, lun, BASE, 64, conn) == d
    assert read(four, lun, BASE, 64, four.conns[1]) == d


# --- numbering

def test_statsn_of_each_connection(four):
    """4.2.2.2: StatSN is counted on each connection by itself."""
    before = [c.expstatsn for c in four.conns]
    for _ in range(5):
        four.nop(b"", conn=four.conns[2])
    after = [c.expstatsn for c in four.conns]
    assert [sn_add(a, -b) for a, b in zip(after, before)] == [0, 0, 5, 0]


def test_cmdsn_of_the_session(four, lun):
    """4.2.2.1: CmdSN counts over all connections of the session."""
    four.scsi(scsi.test_unit_ready(), lun=lun).good()
    at = four.expcmdsn
    for i in range(12):
        four.scsi(scsi.test_unit_ready(), lun=lun, conn=four.conns[i % 4]).good()
        assert four.expcmdsn == sn_add(at, i + 1)


@pytest.mark.parametrize("first, second", [(0, 1), (1, 0), (1, 2), (3, 0)])
def test_gap_is_filled_by_another_connection(four, lun, first, second):
    """4.2.2.1: a command waits for the lower CmdSN, whichever connection brings that."""
    sn = four.take_cmdsn()
    later = four.start(scsi.read10(0, 1), lun=lun, read=512, conn=four.conns[first])
    quiet(four, four.conns[first])
    assert later.result is None, "a command was run before the one with the lower CmdSN"
    four.scsi(scsi.test_unit_ready(), lun=lun, cmdsn=sn, conn=four.conns[second]).good()
    four.wait(later).good()


@pytest.mark.parametrize("attr", [p.ORDERED, p.SIMPLE, p.HEAD_OF_QUEUE])
def test_order_over_connections(four, lun, attr):
    """4.2.2.1: commands sent last first over four connections are delivered first first: the last write wins
    where they are ORDERED; in the other cases each gets its status."""
    base = four.cmdsn
    n = 16
    for _ in range(n):
        four.take_cmdsn()
    cmds = [four.start(scsi.write10(BASE + 200, 1), lun=lun, write=bytes([i]) * 512, cmdsn=sn_add(base, i), attr=attr,
                       conn=four.conns[i % 4]) for i in range(n - 1, -1, -1)]
    for r in four.wait_all(cmds):
        r.good()
    if attr == p.ORDERED:
        assert read(four, lun, BASE + 200, 1) == bytes([n - 1]) * 512


@pytest.mark.parametrize("rounds", [1, 8])
def test_chains_of_ordered_writes(four, lun, rounds):
    """4.2.2.1, SAM-5 8: ORDERED writes dealt over the connections, read back by an ORDERED read on another."""
    for r in range(rounds):
        cmds = [four.start(scsi.write10(BASE + 300, 1), lun=lun, write=bytes([r * 16 + i]) * 512, attr=p.ORDERED,
                           conn=four.conns[i % 4]) for i in range(8)]
        cmds.append(four.start(scsi.read10(BASE + 300, 1), lun=lun, read=512, attr=p.ORDERED,
                               conn=four.conns[(r + 1) % 4]))
        four.wait_all(cmds)
        assert cmds[-1].result.good().data == bytes([r * 16 + 7]) * 512


def test_window_is_the_sessions(four, lun):
    """4.2.2.1: commands of all connections fill one window, and a window's worth of them runs at once."""
    alive(four)
    n = min((four.maxcmdsn - four.cmdsn + 1) & 0xFFFFFFFF, 256)
    cmds = [four.start(scsi.read10(i, 1), lun=lun, read=512, conn=four.conns[i % 4]) for i in range(n)]
    for r in four.wait_all(cmds):
        r.good()


def test_beyond_the_window_is_dropped_on_each(four, lun):
    """4.2.2.1: a CmdSN outside the window is ignored, on whatever connection."""
    alive(four)
    for conn in four.conns:
        four.send(PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.read10(0, 1),
                      cmdsn=sn_add(four.maxcmdsn, 9)), conn)
        assert quiet(four, conn) == []
    four.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_window_held_behind_a_gap(four, lun):
    """4.2.2.1: a window full of commands on four connections waits for one number, which comes on the last."""
    alive(four)
    n = min((four.maxcmdsn - four.cmdsn + 1) & 0xFFFFFFFF, 128)
    sn = four.take_cmdsn()
    cmds = [four.start(scsi.read10(i, 1), lun=lun, read=512, conn=four.conns[i % 4]) for i in range(n - 1)]
    for conn in four.conns:
        assert quiet(four, conn) == []
    cmds.append(four.start(scsi.test_unit_ready(), lun=lun, cmdsn=sn, conn=four.conns[3]))
    for r in four.wait_all(cmds):
        r.good()


def test_duplicate_on_another_connection(four, lun):
    """4.2.2.1: a CmdSN that was taken is ignored on every other connection."""
    four.scsi(scsi.write10(BASE + 10, 1), lun=lun, write=b"A" * 512).good()
    old = sn_add(four.cmdsn, -1)
    for conn in four.conns[1:]:
        four.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.write10(BASE + 10, 1),
                      data=b"B" * 512, cmdsn=old), conn)
        assert quiet(four, conn) == []
    assert read(four, lun, BASE + 10, 1) == b"A" * 512


def test_same_cmdsn_on_all_at_once(four, lun):
    """4.2.2.1: of several requests with one CmdSN exactly one is carried out."""
    sn = four.take_cmdsn()
    for i, conn in enumerate(four.conns):
        four.send(PDU(p.NOP_OUT, flags=p.F, itt=0x6000 + i, ttt=RESERVED_TAG, cmdsn=sn, data=b"one"), conn)
    got = sum(sum(x.opcode == p.NOP_IN and x.data == b"one" for x in quiet(four, conn)) for conn in four.conns)
    assert got == 1
    four.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_immediate_on_each_passes_a_gap(four, lun):
    """4.2.2.1: immediate commands wait for nobody, on each connection."""
    sn = four.take_cmdsn()
    for conn in four.conns:
        four.scsi(scsi.test_unit_ready(), lun=lun, immediate=True, conn=conn).good()
        alive(four, conn)
    four.scsi(scsi.test_unit_ready(), lun=lun, cmdsn=sn).good()


@pytest.mark.parametrize("start", [0xFFFFFFF0, 0x7FFFFFF0])
def test_wrap_over_connections(wide, lun, start):
    """4.2.2.1: serial arithmetic, with the numbers dealt to four connections."""
    with wide_session(wide, MaxConnections=4, cmdsn=start) as s:
        s.clear_ua(lun)
        for cid in (1, 2, 3):
            s.join(cid)
        for _ in range(4):
            s.wait_all([s.start(scsi.read10(i, 1), lun=lun, read=512, conn=s.conns[i % 4]) for i in range(8)])
        alive(s)
        assert s.expcmdsn == s.cmdsn


# --- allegiance

@pytest.mark.parametrize("which", [0, 1, 3])
def test_everything_on_the_commands_connection(four, lun, which):
    """4.2.5.1: R2T, Data-Out, Data-In and status of a command travel on the connection that it came on (the
    initiator raises on any other)."""
    conn = four.conns[which]
    d = pattern(300 * 512, which)
    four.scsi(scsi.write10(BASE + 1000, 300), lun=lun, write=d, imm=0, unsolicited=0, conn=conn).good()
    assert read(four, lun, BASE + 1000, 300, conn) == d
    for other in four.conns:
        assert quiet(four, other) == []


def test_writes_interleaved_over_connections(four, lun):
    """4.2.5.1: sixteen writes in parallel on four connections, each with its own R2Ts."""
    blocks = [pattern(64 * 512, i) for i in range(16)]
    cmds = [four.start(scsi.write10(BASE + 2000 + 64 * i, 64), lun=lun, write=d, imm=0, unsolicited=0,
                       conn=four.conns[i % 4]) for i, d in enumerate(blocks)]
    for r in four.wait_all(cmds):
        r.good()
    for i, d in enumerate(blocks):
        assert read(four, lun, BASE + 2000 + 64 * i, 64, four.conns[(i + 1) % 4]) == d


def test_data_out_on_another_connection(four, lun):
    """4.2.5.1, 11.3: Data-Out on a connection that the task does not belong to: not stored, and no harm to
    the task, which takes its data on its own."""
    old = read(four, lun, BASE + 3000, 8)
    cmd = four.start(scsi.write10(BASE + 3000, 8), lun=lun, write=pattern(4096, 5), imm=0, unsolicited=0, hold_r2t=True,
                     conn=four.conns[1])
    four.wait_until(lambda: cmd.r2ts, four.conns[1])
    r = cmd.r2ts[0]
    four.conns[2].send(PDU(p.DATA_OUT, flags=p.F, lun=lun, itt=cmd.itt, ttt=r.ttt, offset=0, data=b"\xee" * 4096))
    try:
        assert all(x.opcode == p.REJECT for x in quiet(four, four.conns[2]))
    except (Rejected, Closed):
        pass
    assert read(four, lun, BASE + 3000, 8) == old
    four.answer_r2t(cmd, r)
    four.wait(cmd).good()
    assert read(four, lun, BASE + 3000, 8) == pattern(4096, 5)


def test_itt_is_unique_in_the_session(four, lun):
    """11.2.1.8: an ITT is unique in the session, which is up to the initiator: one in use on another connection is
    rejected (07h), a protocol error, or a task of its own; in no case does it touch the one that has it."""
    cmd = four.start(scsi.write10(BASE + 3100, 8), lun=lun, write=pattern(4096, 6), imm=0, unsolicited=0, hold_r2t=True,
                     conn=four.conns[1])
    four.wait_until(lambda: cmd.r2ts, four.conns[1])
    four.send(PDU(p.SCSI_CMD, immediate=True, flags=p.F | p.SIMPLE, lun=lun, itt=cmd.itt, cdb=bytes(6)),
              four.conns[2])
    try:
        pdu = four.conns[2].recv()
        assert pdu.opcode == p.SCSI_RSP or pdu.reason in (p.REJ_TASK_IN_PROGRESS, p.REJ_PROTOCOL, p.REJ_INVALID_FIELD)
    except Closed:
        pass
    four.answer_r2t(cmd, cmd.r2ts[0])
    four.wait(cmd).good()


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_text_and_ping_on_each(four, which):
    """4.2.5.1, 11.10, 11.18: requests other than SCSI Commands are answered on their connection, too."""
    conn = four.conns[which]
    assert four.text([("X-org.example.m", "1")], conn=conn) == [("X-org.example.m", "NotUnderstood")]
    assert four.nop(b"not immediate", immediate=False, conn=conn).data == b"not immediate"


# --- task management over connections

def held(s, lun, conn, lba):
    cmd = s.start(scsi.write10(lba, 8), lun=lun, write=b"\xee" * 4096, imm=0, unsolicited=0, hold_r2t=True, conn=conn)
    s.wait_until(lambda: cmd.r2ts, conn)
    return cmd


def wait_fenced(s, pdu, conn):
    """4.2.2.3.3: the target asks the other connections for acknowledgements meanwhile."""
    while not any(x.opcode == p.TMF_RSP for x in s.inbox):
        s.recv_any()
    return s.wait_pdu(p.TMF_RSP, pdu.itt, conn=conn)


@pytest.mark.parametrize("task, manager", [(1, 0), (0, 1), (2, 3)])
def test_abort_task_of_another_connection(four, lun, task, manager):
    """4.2.3.1, 11.5.1: an initiator sends ABORT TASK where the task is, or anywhere once that connection has
    failed; the target does not ask which, and ends a task of any connection."""
    old = read(four, lun, BASE + 4000, 8)
    cmd = held(four, lun, four.conns[task], BASE + 4000)
    assert four.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(four.cmdsn, -1),
                    conn=four.conns[manager]) == p.TMF_COMPLETE
    r = cmd.r2ts[-1]
    four.data_out(cmd, r.ttt, r.offset, r.length)
    assert all(x.opcode == p.REJECT for x in quiet(four, cmd.conn)) and cmd.result is None
    four.commands.pop(cmd.itt)
    assert read(four, lun, BASE + 4000, 8) == old


def test_abort_of_a_held_write_amid_its_data(wide, lun):
    """4.2.2.1, 11.5.1: a write that waits for its turn is ended by another connection while a Data-Out PDU of it has
    come in part: the rest of that goes nowhere, least of all into the data of other commands."""
    with wide_session(wide, MaxConnections=8, InitialR2T="No", FirstBurstLength=65536, MaxBurstLength=65536) as s:
        s.clear_ua(lun)
        for cid in range(1, 6):
            s.join(cid)
        conn, gap, mine = s.conns[1], s.take_cmdsn(), s.cmdsn
        cmd = s.start(scsi.write10(BASE + 5000, 16), lun=lun, edtl=8192, imm=0, flags=p.W | p.SIMPLE, conn=conn)
        raw = PDU(p.DATA_OUT, flags=p.F, lun=lun, itt=cmd.itt, ttt=RESERVED_TAG, datasn=0, offset=0,
                  data=b"\xee" * 8192, expstatsn=conn.expstatsn).encode(conn.header_digest, conn.data_digest)
        conn.send_raw(raw[:1000])
        for c in s.conns:               # on whatever loop it is, that has taken it by then
            if c is not conn:
                alive(s, c)
        assert s.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=mine) == p.TMF_COMPLETE
        s.commands.pop(cmd.itt)
        others = [s.start(scsi.write10(BASE + 5100 + 16 * i, 16), lun=lun, write=pattern(8192, i + 1), imm=0,
                          unsolicited=0, hold_r2t=True, immediate=True, conn=c)
                  for i, c in enumerate(x for x in s.conns if x is not conn)]
        for c in others:
            s.wait_until(lambda c=c: c.r2ts, c.conn)
            s.data_out(c, c.r2ts[0].ttt, 0, 4096, final=False)
            quiet(s, c.conn)
        conn.send_raw(raw[1000:])
        assert quiet(s, conn) == []
        for c in others:
            s.data_out(c, c.r2ts[0].ttt, 4096, 4096, datasn=1)
            c.open_r2t.clear()
        s.wait_all(others)
        s.scsi(scsi.test_unit_ready(), lun=lun, cmdsn=gap).good()
        for i in range(len(others)):
            assert read(s, lun, BASE + 5100 + 16 * i, 16) == pattern(8192, i + 1), "data of the aborted write"
        alive(s, conn)


@pytest.mark.parametrize("function", [p.ABORT_TASK_SET, p.CLEAR_TASK_SET, p.LOGICAL_UNIT_RESET])
def test_task_set_over_connections(four, lun, function):
    """4.2.3.2, 11.5.1: functions that act on many tasks act on those of every connection of the session."""
    cmds = [held(four, lun, conn, BASE + 4100 + 8 * i) for i, conn in enumerate(four.conns)]
    pdu = four.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=RESERVED_TAG),
                    four.conns[2])
    for c in cmds:                      # 4.2.3.3: R2Ts that are out are answered
        four.data_out(c, c.r2ts[-1].ttt, c.r2ts[-1].offset, c.r2ts[-1].length)
    assert wait_fenced(four, pdu, four.conns[2]).response == p.TMF_COMPLETE
    # 4.2.3.3: one whose data came before its loop knew of the function has ended by itself, before the response.
    ended = {c.itt for c in cmds if c.result is not None}
    for c in cmds:
        quiet(four, c.conn)
        if c.itt not in ended:
            assert c.result is None, "status after the response"
            four.commands.pop(c.itt)
    attention = four.start(scsi.test_unit_ready(), lun=lun)
    four.wait_all([attention])          # fenced, too: 4.2.2.3.4 a
    four.clear_ua(lun).good()


def test_tmf_waits_for_commands_of_other_connections(four, lun):
    """4.2.3.3, 11.5.1: a task set function acts on every command with a lower CmdSN, also on one that comes
    later by another connection."""
    sn = four.take_cmdsn()
    pdu = four.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.ABORT_TASK_SET, lun=lun, ref_itt=RESERVED_TAG),
                    four.conns[0])
    late = four.start(scsi.write10(BASE + 4200, 8), lun=lun, write=b"\xee" * 4096, imm=0, unsolicited=0, hold_r2t=True,
                      cmdsn=sn, conn=four.conns[3])
    assert wait_fenced(four, pdu, four.conns[0]).response == p.TMF_COMPLETE
    for x in late.r2ts:
        four.data_out(late, x.ttt, x.offset, x.length)
    quiet(four, four.conns[3])
    assert late.result is None, "a command before the function was carried out"
    four.commands.pop(late.itt, None)
    four.scsi(scsi.test_unit_ready(), lun=lun).good()

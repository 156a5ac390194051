# SPDX-License-Identifier: BSD-3-Clause
"""TaskReporting: RFC3720, ResponseFence, FastAbort; Async event 5. RFC 7143 4.2.2.3, 4.2.3.3, 4.2.3.4, 13.23, 11.9.1.
"""

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import RESERVED_TAG, sn_add, sn_lt
from lib.pdu import PDU

BASE = 64000
KINDS = ["RFC3720", "ResponseFence", "FastAbort"]
MANY = [p.ABORT_TASK_SET, p.CLEAR_TASK_SET, p.LOGICAL_UNIT_RESET]
OTHER = "iqn.2026-01.example.test:third"


def open_one(wide, lun, kind, **keys):
    s = wide_session(wide, **{"TaskReporting": kind, "InitialR2T": "Yes", "ImmediateData": "No", **keys})
    s.clear_ua(lun)
    return s


def held(s, lun, lba, conn=None, n=4096):
    cmd = s.start(scsi.write10(lba, n // 512), lun=lun, write=b"\xee" * n, hold_r2t=True, conn=conn)
    s.wait_until(lambda: cmd.r2ts, conn)
    return cmd


def manage(s, function, lun, conn=None):
    return s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=RESERVED_TAG), conn)


def acknowledge(s, event, conn=None):
    """What 11.9.1 asks of an initiator that got event 5: a NOP-Out without answer, with the event's LUN."""
    (conn or s.conn).send(PDU(p.NOP_OUT, immediate=True, flags=p.F, lun=event.lun, itt=RESERVED_TAG, ttt=RESERVED_TAG,
                              cmdsn=s.cmdsn))


@pytest.mark.parametrize("offer, answer", [
    ("RFC3720", "RFC3720"), ("ResponseFence", "ResponseFence"), ("FastAbort", "FastAbort"),
    ("FastAbort,ResponseFence,RFC3720", "FastAbort"), ("ResponseFence,FastAbort", "ResponseFence"),
    ("RFC3720,FastAbort", "RFC3720"), ("X-other,FastAbort", "FastAbort")])
def test_negotiation(wide, offer, answer):
    """13.23, 6.2.1: the first of the initiator's list that the target has; it has all three."""
    with wide.session(keys={"TaskReporting": offer}) as s:
        assert s.params["TaskReporting"] == answer
        s.logout()


@pytest.mark.parametrize("value", ["fastabort", "RFC7143", "", "None"])
def test_no_kind(wide, value):
    """6.2.1, 13.23: none of the values: Reject, and the default (RFC3720) holds."""
    from lib.initiator import LoginFailed
    try:
        with wide.session(keys={"TaskReporting": value}) as s:
            assert ("TaskReporting", "Reject") in s.keys_seen and s.params["TaskReporting"] == "RFC3720"
            s.logout()
    except LoginFailed as e:
        assert e.pdu.status_class == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", MANY)
def test_tasks_end(wide, lun, kind, function):
    """4.2.3.3, 4.2.3.4: the affected tasks end without status or effect, and the response comes, whichever
    reporting: with the R2Ts answered, as RFC3720 has it, or cut short."""
    with open_one(wide, lun, kind) as s:
        old = s.scsi(scsi.read10(BASE, 64), lun=lun, read=32768).good().data
        cmds = [held(s, lun, BASE + 8 * i) for i in range(8)]
        pdu = manage(s, function, lun)
        if kind != "FastAbort":         # 4.2.3.3: the initiator answers what R2Ts are out
            for c in cmds:
                s.data_out(c, c.r2ts[0].ttt, 0, 4096)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
        quiet(s)
        for c in cmds:
            assert c.result is None
            s.commands.pop(c.itt)
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE, 64), lun=lun, read=32768).good().data == old


@pytest.mark.parametrize("function", MANY)
def test_late_data_after_fast_abort(wide, lun, function):
    """4.2.3.4: Data-Out for a task that was aborted so, on its way when the response was sent, is dropped in
    silence: its TTT stays known; nothing of it is written."""
    with open_one(wide, lun, "FastAbort") as s:
        old = s.scsi(scsi.read10(BASE + 120, 16), lun=lun, read=8192).good().data
        cmd = held(s, lun, BASE + 120, n=8192)
        s.data_out(cmd, cmd.r2ts[0].ttt, 0, 4096, step=1024, final=False)
        pdu = manage(s, function, lun)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
        s.data_out(cmd, cmd.r2ts[0].ttt, 4096, 4096, step=1024, datasn=4)
        assert quiet(s) == []
        assert cmd.result is None
        s.commands.pop(cmd.itt)
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE + 120, 16), lun=lun, read=8192).good().data == old


@pytest.mark.parametrize("function", [p.CLEAR_TASK_SET, p.LOGICAL_UNIT_RESET])
def test_event_5_to_third_parties(wide, lun, function):
    """4.2.3.4, 11.9.1 event 5: a session with FastAbort, whose tasks another session's function ended, is told by
    an Asynchronous Message with the LUN, after all status that it is to have, and acknowledges by NOP-Out."""
    with open_one(wide, lun, "FastAbort", name=OTHER) as third, open_one(wide, lun, "FastAbort") as s:
        third.clear_ua(lun)
        old = s.scsi(scsi.read10(BASE + 140, 8), lun=lun, read=4096).good().data
        cmd = held(third, lun, BASE + 140)
        pdu = manage(s, function, lun)
        event = third.wait_pdu(p.ASYNC)
        assert event.event == 5 and event.itt == RESERVED_TAG, f"{event}"
        assert event.lun == p.lun_bytes(lun), "the LUN of the function (11.9.3)"
        acknowledge(third, event)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
        alive(third)
        assert cmd.result is None or cmd.result.status == scsi.TASK_ABORTED
        third.commands.pop(cmd.itt, None)
        third.clear_ua(lun)
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE + 140, 8), lun=lun, read=4096).good().data == old


def test_event_5_on_each_connection(wide, lun):
    """11.9.1 event 5, 4.2.3.4: a third-party session of several connections is told on each of them that has
    tasks of the logical unit."""
    with open_one(wide, lun, "FastAbort", name=OTHER, MaxConnections=4) as third, \
            open_one(wide, lun, "FastAbort") as s:
        third.clear_ua(lun)
        third.join(1)
        third.join(2)
        cmds = [held(third, lun, BASE + 180 + 8 * i, conn) for i, conn in enumerate(third.conns)]
        pdu = manage(s, p.CLEAR_TASK_SET, lun)
        for conn in third.conns:
            event = third.wait_pdu(p.ASYNC, conn=conn)
            assert event.event == 5
            acknowledge(third, event, conn)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
        for c in cmds:
            assert c.result is None or c.result.status == scsi.TASK_ABORTED


# --- response fence

@pytest.mark.parametrize("kind", ["ResponseFence", "FastAbort"])
@pytest.mark.parametrize("function", MANY)
def test_fence_over_connections(wide, lun, kind, function):
    """4.2.2.3.3, 4.2.2.3.4: the response of a function on many tasks is fenced: it is sent when the initiator has
    acknowledged all status that was sent before on the other connections, and no status of a task before it
    comes after."""
    with open_one(wide, lun, kind, MaxConnections=4) as s:
        s.join(1)
        one, two = s.conns
        two.ack = two.expstatsn         # connection 1 acknowledges nothing of what follows
        done = s.start(scsi.test_unit_ready(), lun=lun, conn=two)
        s.wait(done).good()
        pdu = manage(s, function, lun, one)
        seen = quiet(s, one)
        assert not any(x.opcode == p.TMF_RSP for x in seen), "the response went over the fence"
        two.ack = None
        two.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=RESERVED_TAG, ttt=RESERVED_TAG, cmdsn=s.cmdsn))
        assert s.wait_pdu(p.TMF_RSP, pdu.itt, conn=one).response == p.TMF_COMPLETE


def test_no_fence_on_one_connection(wide, lun):
    """4.2.2.3.3: on one connection order is by StatSN: nothing needs to be acknowledged first."""
    with open_one(wide, lun, "ResponseFence") as s:
        s.conn.ack = s.conn.expstatsn
        s.scsi(scsi.test_unit_ready(), lun=lun).good()
        assert s.tmf(p.ABORT_TASK_SET, lun) == p.TMF_COMPLETE


def test_fence_asks_for_acknowledgement(wide, lun):
    """4.2.2.3.3: what is to be acknowledged may be asked for by NOP-In; a silent but living initiator does not block
    the function for ever."""
    with open_one(wide, lun, "ResponseFence", MaxConnections=4) as s:
        s.join(1)
        one, two = s.conns
        s.wait(s.start(scsi.test_unit_ready(), lun=lun, conn=two)).good()
        pdu = manage(s, p.ABORT_TASK_SET, lun, one)
        while not any(x.opcode == p.TMF_RSP for x in s.inbox):
            s.recv_any()                # answers pings, which acknowledge
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE


def test_fence_falls_with_its_connection(wide, lun):
    """4.2.2.3.3: a connection that is lost with status unacknowledged holds up no fence."""
    with open_one(wide, lun, "ResponseFence", MaxConnections=4) as s:
        s.join(1)
        one, two = s.conns
        two.ack = two.expstatsn
        s.wait(s.start(scsi.test_unit_ready(), lun=lun, conn=two)).good()
        pdu = manage(s, p.ABORT_TASK_SET, lun, one)
        quiet(s, one)
        s.drop(two)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt, conn=one).response == p.TMF_COMPLETE


@pytest.mark.parametrize("kind", KINDS)
def test_status_before_the_response(wide, lun, kind):
    """4.2.3.1, 4.2.2.3: on the connection of the function, every task that ended by itself has its status before
    the function's response."""
    with open_one(wide, lun, kind) as s:
        for _ in range(20):
            cmds = [s.start(scsi.read10(i, 8), lun=lun, read=4096) for i in range(8)]
            pdu = manage(s, p.ABORT_TASK_SET, lun)
            s.wait_until(lambda itt=pdu.itt: any(x.itt == itt for x in s.inbox))
            rsp = s.wait_pdu(p.TMF_RSP, pdu.itt)
            assert rsp.response == p.TMF_COMPLETE
            quiet(s)
            for c in cmds:
                assert c.result is None or sn_lt(c.result.pdu.statsn, rsp.statsn), "status after the response"
                s.commands.pop(c.itt, None)
        d = pattern(4096, 8)
        cmd = s.start(scsi.write10(BASE + 300, 8), lun=lun, write=d)
        s.wait(cmd).good()


@pytest.mark.parametrize("kind", KINDS)
def test_abort_task_in_each(wide, lun, kind):
    """11.5.1, 4.2.3.2: ABORT TASK concerns one task: the same in each way of reporting."""
    with open_one(wide, lun, kind) as s:
        cmd = held(s, lun, BASE + 320)
        assert s.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(s.cmdsn, -1)) == p.TMF_COMPLETE
        alive(s)
        assert cmd.result is None

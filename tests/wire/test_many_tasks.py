# SPDX-License-Identifier: BSD-3-Clause
"""TaskReporting (RFC 7143 13.23): functions that end many tasks, by the standard way (4.2.3.3) and by the
fast one (4.2.3.4), and sessions of both kinds beside each other (4.2.3.5)."""

import time

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import scsi
from lib.initiator import sn_lt
from lib.pdu import PDU

OTHER = "iqn.2026-01.example.test:third-party"
BASE = 28672
MANY = (p.ABORT_TASK_SET, p.CLEAR_TASK_SET, p.LOGICAL_UNIT_RESET, p.TARGET_WARM_RESET)


def keys(reporting=None, **more):
    k = {"ImmediateData": "No", "InitialR2T": "Yes", "MaxBurstLength": "4096", **more}
    if reporting:
        k["TaskReporting"] = reporting
    return k


def held_write(s, lun, lba=BASE, blocks=8, **kw):
    """A write that waits for its data."""
    cmd = s.start(scsi.write10(lba, blocks), lun=lun, write=b"\xee" * (512 * blocks), hold_r2t=True, **kw)
    while not cmd.r2ts:
        s.recv()
    return cmd


def answer(s, cmd):
    r = cmd.r2ts[-1]
    cmd.open_r2t.pop(r.ttt, None)
    s.data_out(cmd, r.ttt, r.offset, r.length)


def over(s, cmd):
    """Ended by another session's function: with TASK ABORTED or without a status (TAS, SAM-5 5.3.1)."""
    if cmd.result is None:
        s.commands.pop(cmd.itt)
    else:
        assert cmd.result.status == scsi.TASK_ABORTED


def send_tmf(s, function, lun):
    return s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=p.RESERVED_TAG))


def events(s, pdus):
    """The LUNs of the Async Messages of event 5 among these; there are no others."""
    out = [x for x in pdus if x.opcode == p.ASYNC]
    assert all(x.event == 5 and x.itt == p.RESERVED_TAG and not x.data for x in out)
    for x in out:
        s.inbox.remove(x)
    return [x.lun for x in out], out


@pytest.mark.parametrize("function", MANY)
@pytest.mark.parametrize("reporting", [None, "RFC3720", "ResponseFence"])
def test_standard_waits_for_asked_data(daemon, lun, function, reporting):
    """4.2.3.3 a: the response waits for data of the issuing session that were asked for; no more are asked
    for, and none of it reaches the medium."""
    with daemon.session(keys=keys(reporting)) as s:
        s.clear_ua(lun)
        old = pattern(8192, 3)
        s.scsi(scsi.write10(BASE, 16), lun=lun, write=old).good()
        one, two = held_write(s, lun, blocks=16), held_write(s, lun, BASE + 64)
        pdu = send_tmf(s, function, lun)
        assert not any(x.opcode == p.TMF_RSP for x in quiet(s)), "the response did not wait"
        answer(s, two)
        assert not any(x.opcode == p.TMF_RSP for x in quiet(s)), "one R2T is still open"
        answer(s, one)
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
        assert len(one.r2ts) == 1, "more data asked for, for a task that is to end"
        for c in (one, two):
            assert c.result is None
            s.commands.pop(c.itt)
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE, 16), lun=lun, read=8192).good().data == old


def test_standard_gives_up_waiting(daemon, lun):
    """4.2.3.3: Initiators that send no data after the function are not waited for longer than a second."""
    with daemon.session(keys=keys()) as s:
        s.clear_ua(lun)
        cmd = held_write(s, lun)
        start = time.monotonic()
        assert s.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
        assert 0.8 < time.monotonic() - start < 6
        answer(s, cmd)                  # late data harm nothing
        assert not any(x.opcode == p.REJECT for x in quiet(s))
        s.commands.pop(cmd.itt)
        s.clear_ua(lun)


def test_refused_function_ends_nothing(daemon, lun):
    """11.5.1: A function for a LUN that is not there: commands go on."""
    with daemon.session(keys=keys()) as s:
        s.clear_ua(lun)
        cmd = held_write(s, lun, blocks=16)
        assert s.tmf(p.ABORT_TASK_SET, 77) == p.TMF_NO_LUN
        while len(cmd.r2ts) < 2:
            answer(s, cmd)
            s.recv()
        answer(s, cmd)
        s.wait(cmd).good()


def test_refused_function_ends_nothing_that_waits(wide, lun):
    """11.5.1: neither a command to that LUN which waits for an ORDERED one, as it does in a session of several
    connections: it is answered when its turn comes."""
    with wide_session(wide, MaxConnections=2, **keys()) as s:
        s.clear_ua(lun)
        conn = s.join(1)
        first = s.start(scsi.write10(BASE, 8), lun=lun, write=bytes(4096), hold_r2t=True, attr=p.ORDERED)
        s.wait_until(lambda: first.r2ts)
        cmd = s.start(scsi.test_unit_ready(), lun=77, conn=conn)
        assert s.tmf(p.ABORT_TASK_SET, 77, conn=conn) == p.TMF_NO_LUN
        s.answer_r2t(first, first.r2ts[0])
        s.wait(first).good()
        assert s.wait(cmd).sense.key == scsi.ILLEGAL_REQUEST


@pytest.mark.parametrize("function", MANY)
def test_fast_does_not_wait(daemon, lun, function):
    """4.2.3.4: without data; the issuing connection is not told of its own function."""
    with daemon.session(keys=keys("FastAbort")) as s:
        s.clear_ua(lun)
        cmd = held_write(s, lun)
        start = time.monotonic()
        assert s.tmf(function, lun) == p.TMF_COMPLETE
        assert time.monotonic() - start < 0.8
        assert events(s, quiet(s))[0] == []
        assert cmd.result is None
        s.commands.pop(cmd.itt)
        s.clear_ua(lun).good()


@pytest.mark.parametrize("issuer", ["RFC3720", "FastAbort"])
@pytest.mark.parametrize("function", [p.CLEAR_TASK_SET, p.LOGICAL_UNIT_RESET, p.TARGET_WARM_RESET])
def test_third_party_is_told(daemon, lun, function, issuer):
    """4.2.3.4 d, 4.2.3.5: event 5 with the LUN, one for each LU with tasks, before what tells by sense; data
    for these are let go until it is acknowledged (11.9.1), and then a tag is unknown again."""
    with daemon.session(keys=keys(issuer)) as s, daemon.session(name=OTHER, keys=keys("FastAbort")) as t:
        for n in (lun, lun + 1):
            s.clear_ua(n)
            t.clear_ua(n)
        cmds = [held_write(t, n, BASE + 64 * i) for i, n in enumerate([lun, lun, lun + 1])]
        luns = {lun, lun + 1} if function == p.TARGET_WARM_RESET else {lun}
        assert s.tmf(function, lun) == p.TMF_COMPLETE
        got, pdus = events(t, quiet(t))
        assert sorted(x[1] for x in got) == sorted(luns)
        # Data that were on their way: no Reject, whatever the number of tasks.
        for c in cmds:
            if c.lun in luns:
                answer(t, c)
        assert not any(x.opcode == p.REJECT for x in quiet(t))
        for x in pdus:                  # 11.9.1: with the LUN, and no tag
            t.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=p.RESERVED_TAG, ttt=p.RESERVED_TAG, lun=x.lun))
        alive(t)
        for c in cmds:
            if c.lun in luns:
                over(t, c)
            else:
                answer(t, c)
                t.wait(c).good()
        for n in (lun, lun + 1):
            s.clear_ua(n)
            t.clear_ua(n).good()


def test_third_party_without_tasks_is_not_told(daemon, lun):
    """4.2.3.4 d: each connection that has at least one affected task."""
    with daemon.session(keys=keys()) as s, daemon.session(name=OTHER, keys=keys("FastAbort")) as t:
        s.clear_ua(lun)
        t.clear_ua(lun)
        assert s.tmf(p.CLEAR_TASK_SET, lun) == p.TMF_COMPLETE
        assert s.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
        assert events(t, quiet(t))[0] == []
        s.clear_ua(lun)
        t.clear_ua(lun)


@pytest.mark.parametrize("reporting", [None, "RFC3720", "ResponseFence"])
def test_other_sessions_hear_nothing(daemon, lun, reporting):
    """4.2.3.5, 11.9.1: event 5 is for sessions that have agreed to FastAbort."""
    with daemon.session(keys=keys("FastAbort")) as s, daemon.session(name=OTHER, keys=keys(reporting)) as t:
        s.clear_ua(lun)
        t.clear_ua(lun)
        cmd = held_write(t, lun)
        assert s.tmf(p.CLEAR_TASK_SET, lun) == p.TMF_COMPLETE
        answer(t, cmd)
        assert [x.opcode for x in quiet(t)] == []
        over(t, cmd)
        t.clear_ua(lun)
        s.clear_ua(lun)


def test_abort_task_tells_nobody(daemon, lun):
    """4.2.3.4 is about functions for many tasks."""
    with daemon.session(keys=keys("FastAbort")) as s:
        s.clear_ua(lun)
        cmd = held_write(s, lun)
        assert s.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=s.cmdsn - 1) == p.TMF_COMPLETE
        assert events(s, quiet(s))[0] == []
        s.commands.pop(cmd.itt)


def test_event_comes_before_the_response(daemon, lun):
    """4.2.3.4: d before e: who asked hears of the end when the others have been told."""
    with daemon.session(keys=keys("FastAbort")) as s, daemon.session(name=OTHER, keys=keys("FastAbort")) as t:
        s.clear_ua(lun)
        t.clear_ua(lun)
        cmd = held_write(t, lun)
        before = t.conn.expstatsn
        assert s.tmf(p.CLEAR_TASK_SET, lun) == p.TMF_COMPLETE
        pdu = t.recv()
        assert pdu.opcode == p.ASYNC and not sn_lt(pdu.statsn, before)
        t.inbox.remove(pdu)
        alive(t)
        over(t, cmd)
        t.clear_ua(lun)
        s.clear_ua(lun)

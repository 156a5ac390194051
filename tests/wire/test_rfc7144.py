# SPDX-License-Identifier: BSD-3-Clause
"""iSCSIProtocolLevel 2: queries of tasks, I_T NEXUS RESET, priority, additional response information. RFC 7144;
SAM-5 7 says what the functions do.

The scripted initiator raises when a field of RFC 7144 comes in a session below level 2.
"""

import pytest

from helpers import alive, pattern, quiet, wide_session
from lib import pdu as p
from lib import pr, scsi
from lib.initiator import RESERVED_TAG, sn_add
from lib.pdu import PDU

BASE = 58000
NEW = [p.QUERY_TASK, p.QUERY_TASK_SET, p.I_T_NEXUS_RESET, p.QUERY_ASYNC_EVENT]


@pytest.fixture
def s(wide, lun):
    with wide_session(wide, iSCSIProtocolLevel=2, InitialR2T="Yes", ImmediateData="No") as one:
        one.clear_ua(lun)
        one.clear_ua(lun + 1)
        yield one


def held(s, lun, lba=BASE):
    cmd = s.start(scsi.write10(lba, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True)
    s.wait_until(lambda: cmd.r2ts)
    return cmd


def finish(s, cmd):
    s.answer_r2t(cmd, cmd.r2ts[-1])
    s.wait(cmd).good()


@pytest.mark.parametrize("offer, level", [("1", 1), ("2", 2), ("3", 2), ("31", 2)])
def test_level(wide, offer, level):
    """RFC 7144 7.1.1, 13.24: the lesser of both."""
    with wide.session(keys={"iSCSIProtocolLevel": offer}) as s:
        assert s.num("iSCSIProtocolLevel") == level
        s.logout()


@pytest.mark.parametrize("function", NEW)
def test_not_below_level_2(wide, lun, function):
    """RFC 7144 4.2, 11.6.1: the functions exist from level 2 on: below, "not supported"; nothing happens."""
    with wide_session(wide, iSCSIProtocolLevel=1, InitialR2T="Yes", ImmediateData="No") as one:
        one.clear_ua(lun)
        cmd = held(one, lun)
        assert one.tmf(function, lun, ref_itt=cmd.itt) == p.TMF_NOT_SUPPORTED
        finish(one, cmd)
        one.scsi(scsi.test_unit_ready(), lun=lun).good()


@pytest.mark.parametrize("level", [1, 2])
def test_report_supported_tmfs(wide, lun, level):
    """SPC-4 6.36: QTS, QTSS, ITNRS and QAES tell what works in this session."""
    with wide_session(wide, iSCSIProtocolLevel=level) as one:
        one.clear_ua(lun)
        d = one.scsi(scsi.rstmf(), lun=lun, read=16).good().data
        bits = [bool(d[0] & 4), bool(d[1] & 2), bool(d[1] & 1), bool(d[1] & 4)]
        works = [one.tmf(f, lun) != p.TMF_NOT_SUPPORTED for f in NEW]
        assert bits == works == [level == 2] * 4


@pytest.mark.parametrize("function", NEW)
@pytest.mark.parametrize("immediate", [True, False])
def test_numbered_and_immediate(s, lun, function, immediate):
    """RFC 7144 4.2, 11.5: as any function, immediate or numbered."""
    assert s.tmf(function, lun, immediate=immediate) in (p.TMF_COMPLETE, p.TMF_SUCCEEDED)
    alive(s)


# --- QUERY TASK

def test_query_task(s, lun):
    """SAM-5 7.10: a task that is there: "function succeeded" (7); RFC 7144 4.2.2."""
    cmd = held(s, lun)
    assert s.tmf(p.QUERY_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(s.cmdsn, -1)) == p.TMF_SUCCEEDED
    finish(s, cmd)
    assert s.tmf(p.QUERY_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn_add(s.cmdsn, -1)) == p.TMF_COMPLETE


@pytest.mark.parametrize("itt", [0, 0x7FFF1111])
def test_query_no_task(s, lun, itt):
    """SAM-5 7.10: a task that is not there: "function complete" (0)."""
    assert s.tmf(p.QUERY_TASK, lun, ref_itt=itt) == p.TMF_COMPLETE


def test_query_task_of_another_lun(s, lun):
    """SAM-5 7.10: the task is that of an I_T_L nexus: not there on another LUN."""
    cmd = held(s, lun)
    assert s.tmf(p.QUERY_TASK, lun + 1, ref_itt=cmd.itt) == p.TMF_COMPLETE
    finish(s, cmd)


def test_query_task_of_another_session(wide, s, lun):
    """SAM-5 7.10: nor on another I_T nexus."""
    cmd = held(s, lun)
    with wide_session(wide, iSCSIProtocolLevel=2, name="iqn.2026-01.example.test:query") as other:
        other.clear_ua(lun)
        assert other.tmf(p.QUERY_TASK, lun, ref_itt=cmd.itt) == p.TMF_COMPLETE
        assert other.tmf(p.QUERY_TASK_SET, lun) == p.TMF_COMPLETE
    finish(s, cmd)


@pytest.mark.parametrize("function", [p.QUERY_TASK, p.QUERY_TASK_SET, p.QUERY_ASYNC_EVENT])
def test_query_on_a_missing_lun(s, function):
    """11.6.1: response 2, LUN does not exist."""
    assert s.tmf(function, 99, ref_itt=1) == p.TMF_NO_LUN


def test_query_many_tasks(s, lun):
    """SAM-5 7.10: each is asked about by its tag."""
    cmds = [held(s, lun, BASE + 8 * i) for i in range(6)]
    for c in cmds:
        assert s.tmf(p.QUERY_TASK, lun, ref_itt=c.itt) == p.TMF_SUCCEEDED
    for c in cmds[::2]:
        finish(s, c)
    assert [s.tmf(p.QUERY_TASK, lun, ref_itt=c.itt) for c in cmds] == [p.TMF_COMPLETE, p.TMF_SUCCEEDED] * 3
    for c in cmds[1::2]:
        finish(s, c)


def test_query_leaves_the_task_alone(s, lun):
    """SAM-5 7.10: a query changes nothing: the write goes on as if nobody had asked."""
    d = pattern(4096, 3)
    cmd = s.start(scsi.write10(BASE + 100, 8), lun=lun, write=d, hold_r2t=True)
    s.wait_until(lambda: cmd.r2ts)
    s.data_out(cmd, cmd.r2ts[0].ttt, 0, 2048, final=False)
    assert s.tmf(p.QUERY_TASK, lun, ref_itt=cmd.itt) == p.TMF_SUCCEEDED
    s.data_out(cmd, cmd.r2ts[0].ttt, 2048, 2048, datasn=1)
    s.wait(cmd).good()
    assert s.scsi(scsi.read10(BASE + 100, 8), lun=lun, read=4096).good().data == d


# --- QUERY TASK SET

def test_query_task_set(s, lun):
    """SAM-5 7.11: "function succeeded" while any task of this nexus is in the task set."""
    assert s.tmf(p.QUERY_TASK_SET, lun) == p.TMF_COMPLETE
    cmd = held(s, lun)
    assert s.tmf(p.QUERY_TASK_SET, lun) == p.TMF_SUCCEEDED
    assert s.tmf(p.QUERY_TASK_SET, lun + 1) == p.TMF_COMPLETE
    finish(s, cmd)
    assert s.tmf(p.QUERY_TASK_SET, lun) == p.TMF_COMPLETE


# --- I_T NEXUS RESET

def test_i_t_nexus_reset(s, lun):
    """SAM-5 7.6, 6.3.4: the tasks of the nexus on every logical unit end without status; a unit attention
    29/07 (I_T NEXUS LOSS OCCURRED) or the general 29/00 tells it."""
    old = [s.scsi(scsi.read10(BASE + 200, 8), lun=n, read=4096).good().data for n in (lun, lun + 1)]
    cmds = [held(s, n, BASE + 200) for n in (lun, lun + 1)]
    pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.I_T_NEXUS_RESET, lun=lun, ref_itt=RESERVED_TAG))
    for c in cmds:
        s.data_out(c, c.r2ts[0].ttt, 0, 4096)
    assert s.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_COMPLETE
    quiet(s)
    for c in cmds:
        assert c.result is None
        s.commands.pop(c.itt)
    for n in (lun, lun + 1):
        r = s.scsi(scsi.test_unit_ready(), lun=n).check(scsi.UNIT_ATTENTION)
        assert r.sense.asc == 0x29 and r.sense.ascq in (0x00, 0x07)
        s.clear_ua(n).good()
    assert [s.scsi(scsi.read10(BASE + 200, 8), lun=n, read=4096).good().data for n in (lun, lun + 1)] == old


def test_i_t_nexus_reset_leaves_others(wide, s, lun):
    """SAM-5 6.3.4: other nexuses feel nothing."""
    with wide_session(wide, InitialR2T="Yes", ImmediateData="No", name="iqn.2026-01.example.test:apart") as other:
        other.clear_ua(lun)
        cmd = held(other, lun, BASE + 220)
        assert s.tmf(p.I_T_NEXUS_RESET, lun) == p.TMF_COMPLETE
        finish(other, cmd)
        other.scsi(scsi.test_unit_ready(), lun=lun).good()
    s.clear_ua(lun)
    s.clear_ua(lun + 1)


def test_i_t_nexus_reset_keeps_reservations(s, wide, lun):
    """SAM-5 6.3.4, SPC-4 5.12.10: an I_T nexus loss ends the nexus's RESERVE(6), but no persistent reservation."""
    s.scsi(scsi.reserve6(), lun=lun).good()
    host = pr.Host(s, lun + 1, 0x33)
    host.register(host.key)
    host.reserve(pr.EA)
    assert s.tmf(p.I_T_NEXUS_RESET, lun) == p.TMF_COMPLETE
    with wide_session(wide, name="iqn.2026-01.example.test:after") as other:
        other.clear_ua(lun)
        other.scsi(scsi.test_unit_ready(), lun=lun).good()
        other.clear_ua(lun + 1)
        assert other.scsi(scsi.read10(0, 1), lun=lun + 1, read=512).status == scsi.RESERVATION_CONFLICT
    s.clear_ua(lun)
    s.clear_ua(lun + 1)
    host.out(pr.CLEAR).good()


# --- QUERY ASYNCHRONOUS EVENT

def test_query_async_event(s, lun):
    """SAM-5 7.9: "function succeeded" while a unit attention waits, and the Additional Response Information tells
    its sense key, ASC and ASCQ; the query clears nothing. RFC 7144 4.2.2."""
    assert s.tmf(p.QUERY_ASYNC_EVENT, lun) == p.TMF_COMPLETE
    assert s.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
    infos = []
    for _ in range(2):
        pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.QUERY_ASYNC_EVENT, lun=lun, ref_itt=RESERVED_TAG))
        r = s.wait_pdu(p.TMF_RSP, pdu.itt)
        assert r.response == p.TMF_SUCCEEDED
        infos.append(int.from_bytes(r.info, "big"))
    assert infos[0] == infos[1]
    assert infos[0] >> 16 & 0x0F == scsi.UNIT_ATTENTION and infos[0] >> 8 & 0xFF == 0x29
    r = s.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION)
    assert (r.sense.asc, r.sense.ascq) == (infos[0] >> 8 & 0xFF, infos[0] & 0xFF)
    s.clear_ua(lun)
    assert s.tmf(p.QUERY_ASYNC_EVENT, lun) == p.TMF_COMPLETE


def test_no_information_with_other_functions(s, lun):
    """RFC 7144 4.2.2: Additional Response Information belongs to QUERY ASYNCHRONOUS EVENT alone."""
    for function in (p.ABORT_TASK_SET, p.QUERY_TASK, p.QUERY_TASK_SET):
        pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=1))
        assert s.wait_pdu(p.TMF_RSP, pdu.itt).info == bytes(3)


# --- priority

@pytest.mark.parametrize("priority", range(16))
def test_priority(s, lun, priority):
    """RFC 7144 4.1, SAM-5 8.7: a command priority from 0 to 15 is taken, whatever it does."""
    s.scsi(scsi.read10(0, 1), lun=lun, read=512, priority=priority).good()


@pytest.mark.parametrize("attr", [p.UNTAGGED, p.SIMPLE, p.ORDERED, p.HEAD_OF_QUEUE])
def test_priority_and_attributes(s, lun, attr):
    """SAM-5 8.7: priority is for SIMPLE tasks and does not change the order of others."""
    cmds = [s.start(scsi.write10(BASE + 300, 1), lun=lun, write=bytes([i]) * 512, attr=p.ORDERED, priority=15 - i)
            for i in range(4)]
    cmds.append(s.start(scsi.read10(BASE + 300, 1), lun=lun, read=512, attr=attr, priority=1))
    for c in cmds:
        if c.open_r2t:
            s.answer_r2t(c, c.r2ts[-1])
        s.wait(c).good()
    assert s.scsi(scsi.read10(BASE + 300, 1), lun=lun, read=512).good().data == bytes([3]) * 512

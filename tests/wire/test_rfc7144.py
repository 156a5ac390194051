# SPDX-License-Identifier: BSD-3-Clause
"""iSCSIProtocolLevel 2: RFC 7144, and SAM-5 7.6 to 7.9 for the functions that it carries."""

import pytest

from helpers import alive, pattern
from lib import pdu as p
from lib import scsi
from lib.initiator import sn_add
from lib.pdu import PDU

OTHER = "iqn.2026-01.example.test:level2"
LEVEL2 = {"iSCSIProtocolLevel": "2", "ImmediateData": "No", "InitialR2T": "Yes"}
NEW = (p.QUERY_TASK, p.QUERY_TASK_SET, p.I_T_NEXUS_RESET, p.QUERY_ASYNC_EVENT)
BASE = 20480


@pytest.fixture
def two(daemon, lun):
    """A session of level 2, and one of another initiator; unit attentions taken."""
    with daemon.session(keys=LEVEL2) as a, daemon.session(name=OTHER, keys=LEVEL2) as b:
        for s in (a, b):
            s.clear_ua(lun)
            s.scsi(scsi.release6(), lun=lun)
        yield a, b


def held_write(s, lun, lba=BASE, **kw):
    """A write that waits for its data."""
    cmd = s.start(scsi.write10(lba, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True, **kw)
    while not cmd.r2ts:
        s.recv()
    return cmd


def finish(s, cmd):
    s.answer_r2t(cmd, cmd.r2ts[0])
    s.wait(cmd).good()


def ask(s, function, lun, ref_itt=p.RESERVED_TAG, **kw):
    """Response and Additional Response Information."""
    pdu = s.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=ref_itt, **kw))
    r = s.wait_pdu(p.TMF_RSP, pdu.itt)
    return r.response, r.info


@pytest.mark.parametrize("offer,agreed", [("0", "0"), ("1", "1"), ("2", "2"), ("3", "2"), ("31", "2")])
def test_level_is_the_smaller(daemon, offer, agreed):
    """13.24: the minimum of both; 2 is what is offered here."""
    with daemon.session(keys={"iSCSIProtocolLevel": offer}) as s:
        assert s.params["iSCSIProtocolLevel"] == agreed
        alive(s)


@pytest.mark.parametrize("level", [None, "0", "1"])
def test_functions_need_level_2(daemon, lun, level):
    """13.24: without level 2 there are no such functions, and none is reported (SPC-4 6.36)."""
    with daemon.session(keys={"iSCSIProtocolLevel": level} if level else None) as s:
        s.clear_ua(lun)
        for function in NEW:
            assert ask(s, function, lun) == (p.TMF_NOT_SUPPORTED, bytes(3))
        d = s.scsi(scsi.rstmf(), lun=lun, read=16).good().data
        assert not d[0] & 0x04 and not d[1] & 0x07


def test_reported(two, lun):
    """SPC-4 6.36: QTS, QAES, QTSS, ITNRS."""
    d = two[0].scsi(scsi.rstmf(), lun=lun, read=16).good().data
    assert d[0] & 0x04 and d[1] & 0x07 == 0x07


def test_query_task(two, lun):
    """SAM-5 7.8: "succeeded" while the command is in the task set, then "complete"; not for others."""
    a, b = two
    cmd = held_write(a, lun)
    assert ask(a, p.QUERY_TASK, lun, cmd.itt) == (p.TMF_SUCCEEDED, bytes(3))
    assert ask(a, p.QUERY_TASK, lun, cmd.itt + 77) == (p.TMF_COMPLETE, bytes(3))
    assert ask(b, p.QUERY_TASK, lun, cmd.itt) == (p.TMF_COMPLETE, bytes(3))
    finish(a, cmd)
    assert ask(a, p.QUERY_TASK, lun, cmd.itt) == (p.TMF_COMPLETE, bytes(3))


def test_query_task_set(two, lun):
    """SAM-5 7.9: whether the nexus has any command there."""
    a, b = two
    assert ask(a, p.QUERY_TASK_SET, lun) == (p.TMF_COMPLETE, bytes(3))
    cmd = held_write(a, lun)
    assert ask(a, p.QUERY_TASK_SET, lun) == (p.TMF_SUCCEEDED, bytes(3))
    assert ask(b, p.QUERY_TASK_SET, lun) == (p.TMF_COMPLETE, bytes(3))
    finish(a, cmd)
    assert ask(a, p.QUERY_TASK_SET, lun) == (p.TMF_COMPLETE, bytes(3))


def test_query_waits_for_older_commands(two, lun):
    """RFC 7143 4.2.3: what was sent before is there when it is asked after."""
    a, _ = two
    sn = a.take_cmdsn()
    pdu = a.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.QUERY_TASK_SET, lun=lun,
                     ref_itt=p.RESERVED_TAG))
    cmd = a.start(scsi.write10(BASE, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True, cmdsn=sn)
    assert a.wait_pdu(p.TMF_RSP, pdu.itt).response == p.TMF_SUCCEEDED
    while not cmd.r2ts:
        a.recv()
    finish(a, cmd)


def test_query_async_event(two, lun):
    """SAM-5 7.7: depth, key and code of what is pending, which stays so."""
    a, b = two
    assert ask(a, p.QUERY_ASYNC_EVENT, lun) == (p.TMF_COMPLETE, bytes(3))
    assert b.tmf(p.LOGICAL_UNIT_RESET, lun) == p.TMF_COMPLETE
    for _ in range(2):
        assert ask(a, p.QUERY_ASYNC_EVENT, lun) == (p.TMF_SUCCEEDED, bytes((0x16, 0x29, 0x03)))
    assert a.tmf(p.I_T_NEXUS_RESET, lun) == p.TMF_COMPLETE
    response, info = ask(a, p.QUERY_ASYNC_EVENT, lun)
    assert response == p.TMF_SUCCEEDED and info[0] == 0x26 and info[1] == 0x29
    a.clear_ua(lun)
    assert ask(a, p.QUERY_ASYNC_EVENT, lun) == (p.TMF_COMPLETE, bytes(3))
    b.clear_ua(lun)


@pytest.mark.parametrize("function", [p.QUERY_TASK, p.QUERY_TASK_SET, p.QUERY_ASYNC_EVENT])
def test_query_of_no_lun(two, function):
    """RFC 7143 11.6.1: response 2, "LUN does not exist"."""
    assert ask(two[0], function, 77, 1) == (p.TMF_NO_LUN, bytes(3))


def test_i_t_nexus_reset(two, lun):
    """SAM-5 7.6, 6.3.4: own commands on all LUs and own reservations end; the session goes on and is told;
    others are not touched."""
    a, b = two
    a.clear_ua(lun + 1)
    old = pattern(4096, 5)
    a.scsi(scsi.write10(BASE, 8), lun=lun, write=old).good()
    mine = [held_write(a, lun + i % 2) for i in range(4)]
    a.scsi(scsi.reserve6(), lun=lun).good()
    b.clear_ua(lun + 1)
    other = held_write(b, lun + 1, BASE + 64)
    # The LUN field is reserved: it is for all of them.
    assert ask(a, p.I_T_NEXUS_RESET, 0) == (p.TMF_COMPLETE, bytes(3))
    assert all(c.result is None for c in mine)
    for c in mine:
        a.commands.pop(c.itt)
    for n in (lun, lun + 1):
        a.scsi(scsi.test_unit_ready(), lun=n).check(scsi.UNIT_ATTENTION, (0x29, 0x07))
        a.scsi(scsi.test_unit_ready(), lun=n).good()
    assert a.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == old
    b.scsi(scsi.test_unit_ready(), lun=lun).good()
    finish(b, other)


def test_abort_task_by_tag_after_query(two, lun):
    """What QUERY TASK has found can be aborted."""
    a, _ = two
    cmd = held_write(a, lun)
    sn = sn_add(a.cmdsn, -1)
    assert ask(a, p.QUERY_TASK, lun, cmd.itt)[0] == p.TMF_SUCCEEDED
    assert a.tmf(p.ABORT_TASK, lun, ref_itt=cmd.itt, refcmdsn=sn) == p.TMF_COMPLETE
    assert ask(a, p.QUERY_TASK, lun, cmd.itt)[0] == p.TMF_COMPLETE
    a.commands.pop(cmd.itt)
    alive(a)


def ends_in_order(s, lun, priorities):
    """Start an ORDERED write that waits for data, behind it reads with these priorities; the order in
    which they end, by their place."""
    head = held_write(s, lun, attr=p.ORDERED)
    cmds = [s.start(scsi.read10(BASE, 1), lun=lun, read=512, priority=n << 4) for n in priorities]
    alive(s)
    s.answer_r2t(head, head.r2ts[0])
    order = []
    while len(order) < len(cmds):
        s.recv()
        order += [i for i, c in enumerate(cmds) if c.result is not None and i not in order]
    s.wait(head).good()
    return order


def test_priority(two, lun):
    """SAM-5 8.7: of SIMPLE tasks that wait, those with the smaller number first; 0 is none."""
    assert ends_in_order(two[0], lun, [0, 15, 7, 1, 7]) == [3, 2, 4, 1, 0]


def test_priority_below_level_2(daemon, lun):
    """11.3: there the field is reserved, and ignored."""
    with daemon.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"}) as s:
        s.clear_ua(lun)
        assert ends_in_order(s, lun, [0, 15, 7, 1, 7]) == [0, 1, 2, 3, 4]


def test_prior_sup(two, lun):
    """SPC-4 7.8.7: PRIOR_SUP of the Extended INQUIRY Data page."""
    assert two[0].scsi(scsi.inquiry(64, page=0x86), lun=lun, read=64).good().data[5] & 0x08


@pytest.mark.parametrize("level,wanted", [("1", 0), ("2", 1)])
def test_status_qualifier(new_daemon, lun, level, wanted):
    """SAM-5 5.3.2: BUSY says that another try is worth it in 100 ms; below level 2 the field is reserved."""
    d = new_daemon(disks=["error:op=read,errno=ENOMEM|ram:16M"])
    with d.session(keys={"iSCSIProtocolLevel": level}) as s:
        s.clear_ua(lun)
        pdus = []
        cmd = s.start(scsi.read10(0, 1), lun=lun, read=512)
        while cmd.result is None:
            pdus.append(s.recv())
        assert cmd.result.status == scsi.BUSY
        assert [x.status_qualifier for x in pdus if x.opcode == p.SCSI_RSP] == [wanted]
        r = s.scsi(scsi.reserve6(), lun=lun).good()
        assert r.status == scsi.GOOD

# SPDX-License-Identifier: BSD-3-Clause
"""Persistent reservations and I_T nexuses: who a registration belongs to, and what becomes of it when
sessions come and go, with RESERVE and RELEASE, with commands that are under way. SPC-4 5.13; SPC-2 5.5.1;
SAM-5 6.3; RFC 7143 4.4 (the I_T nexus of iSCSI)."""

import time

import pytest

from lib import pr, scsi
from lib import pdu as p
from lib.initiator import Closed, Session, new_isid
from lib.ports import give_port, take_port
from lib.saveconfig import ConfigDaemon, disk, portal_group, target_of
from lib.wait import SCALE

KA, KB, KC = 0xA1, 0xB2, 0xC3
CONFLICT = scsi.RESERVATION_CONFLICT
SLOW_MS = 1500


@pytest.fixture(scope="module")
def two_ports():
    """A daemon with one disk behind two portal groups, so two target ports; slow disks, LUN 1, and LUN 2 with
    TAS=0. daemon.port, daemon.port2."""
    d = ConfigDaemon(None)
    d.port2 = take_port()
    luns = [(0, "ramdisk/r0"), (1, "user/slow"), (2, "user/quiet")]
    slow_disk = f"delay/ms={SLOW_MS},op=write|ram/size=16M"
    d.write({"storage_objects": [disk("r0"), disk("slow", "user", config=slow_disk),
                                 disk("quiet", "user", config=slow_disk, attributes={"emulate_tas": 0})],
             "targets": [target_of(portal_group(1, d.port, luns), portal_group(2, d.port2, luns))]})
    try:
        d.start()
        yield d
        d.stop()
    finally:
        d.discard()
        give_port(d.port2)


@pytest.fixture
def three(two_ports):
    with pr.hosts(two_ports, 0, 3) as hosts:
        yield hosts
    two_ports.check()


def writes(host, n=1):
    """The status of a write; unit attentions are taken before."""
    pr.attentions([host])
    return host.scsi(scsi.write10(0, n), write=bytes(512 * n)).status


def reads(host):
    pr.attentions([host])
    return host.scsi(scsi.read10(0, 1), read=512).status


def login(d, of, port=None, **kw):
    """Another session of an initiator: a host without unit attentions."""
    kw = {"name": of.s.name, **kw}
    s = d.session_at(port, **kw) if port else d.session(**kw)
    h = pr.Host(s, of.lun)
    pr.attentions([h])
    return h


# --- what a registration outlives

def lose_by_logout(d, h):
    h.s.logout()


def lose_by_close(d, h):
    h.s.close()


def lose_by_abort(d, h):
    h.s.conn.abort()


def lose_by_reinstatement(d, h):
    n = d.session(name=h.s.name, isid=h.s.isid)
    h.s.conn.expect_closed(allow=(p.ASYNC,))
    n.logout()


def reset_lun(d, h):
    assert h.s.tmf(p.LOGICAL_UNIT_RESET, h.lun) == p.TMF_COMPLETE


def reset_target(d, h):
    assert h.s.tmf(p.TARGET_WARM_RESET) in (p.TMF_COMPLETE, p.TMF_REJECTED)


@pytest.mark.parametrize("how", (lose_by_logout, lose_by_close, lose_by_abort, lose_by_reinstatement, reset_lun,
                                 reset_target))
def test_registrations_stay(two_ports, three, how):
    """5.12.5.1: over I_T nexus loss, logical unit reset and hard reset; while its holder is away others
    are kept out, and when it is back the reservation is still its own."""
    d, (a, b, c) = two_ports, three
    a.register(KA)
    b.register(KB)
    a.reserve(pr.EA)
    before = c.full_status()
    how(d, a)
    if not how.__name__.startswith("reset"):
        assert reads(b) == CONFLICT and writes(b) == CONFLICT and reads(c) == CONFLICT
        assert c.full_status() == before
        a.s.close()
        a.s = d.session(name=a.s.name, isid=a.s.isid)
    pr.attentions(three)
    assert c.full_status() == before
    assert writes(a) == scsi.GOOD and reads(b) == CONFLICT
    a.out(pr.RESERVE, rtype=pr.EA).good()
    a.release(pr.EA)
    assert pr.told(three) == [None] * 3


def test_cold_reset(two_ports, three):
    """The same where a target cold reset ends all sessions (RFC 7143 11.5.1)."""
    d, (a, b, c) = two_ports, three
    a.register(KA)
    a.reserve(pr.WE)
    before = c.full_status()
    assert c.s.send(p.PDU(p.TMF_REQ, immediate=True, flags=p.F | p.TARGET_COLD_RESET,
                          ref_itt=p.RESERVED_TAG)) is not None
    for h in three:
        try:
            while True:
                h.s.recv()
                if h.s.inbox and h.s.inbox[-1].opcode == p.TMF_RSP and h.s.inbox[-1].response != p.TMF_COMPLETE:
                    break               # not offered: nothing has ended
        except Closed:
            pass
        h.s.close()
        h.s = d.session(name=h.s.name, isid=h.s.isid)
    pr.attentions(three)
    assert c.full_status() == before
    assert writes(b) == CONFLICT and writes(a) == scsi.GOOD


def test_unregistering_while_the_holder_is_away(two_ports, three):
    """5.12.11.2.4: a reservation of who is not logged in can be preempted; it is told by its absence."""
    d, (a, b, c) = two_ports, three
    a.register(KA)
    b.register(KB)
    a.reserve(pr.WE_RO)
    a.s.logout()
    b.out(pr.PREEMPT, sark=KA, rtype=pr.WE_RO).good()
    assert b.keys().keys == [KB] and b.reservation().key == KB
    a.s = d.session(name=a.s.name, isid=a.s.isid)
    pr.attentions([a])
    assert writes(a) == CONFLICT
    assert a.out(pr.RELEASE, rtype=pr.WE_RO).status == CONFLICT


# --- whose it is

def test_other_isid_is_another_nexus(two_ports, three):
    """RFC 7143 4.4.2: the SCSI initiator port is name and ISID."""
    d, (a, b, _) = two_ports, three
    a.register(KA)
    a.reserve(pr.EA)
    second = login(d, a)
    assert reads(second) == CONFLICT
    assert second.out(pr.RELEASE, KA, rtype=pr.EA).status == CONFLICT
    second.out(pr.REGISTER, 0, KA).good()
    assert sorted(a.keys().keys) == [KA, KA]
    assert {(x.tid.isid, x.holder) for x in a.full_status()[1]} == {(a.s.isid, True), (second.s.isid, False)}
    assert reads(second) == CONFLICT
    second.out(pr.REGISTER, KA, 0).good()
    assert a.keys().keys == [KA]
    second.s.logout()


def test_isids_not_enforced(two_ports, three):
    """enforce_pr_isids=0: all sessions of an initiator with a port are one nexus, whichever registered."""
    d, (a, b, _) = two_ports, three
    path = "/core/rd_mcp_0/r0/attrib/enforce_pr_isids"
    with d.control() as c:
        c.call("set", path=path, value="0")
    try:
        a.register(KA)
        a.reserve(pr.EA)
        second = login(d, a)
        assert reads(second) == scsi.GOOD and writes(second) == scsi.GOOD and reads(b) == CONFLICT
        second.out(pr.REGISTER, KA, KC).good()
        assert b.keys().keys == [KC] and b.reservation().key == KC
        assert [x.tid.name for x in b.full_status()[1]] == [a.s.name]
        a.s.logout()
        assert reads(second) == scsi.GOOD
        second.out(pr.RELEASE, KC, rtype=pr.EA).good()
        second.out(pr.REGISTER, KC, 0).good()
        assert b.keys().keys == []
        second.s.logout()
        a.s = d.session(name=a.s.name)
        pr.attentions([a])
    finally:
        with d.control() as c:
            c.call("set", path=path, value="1")


def test_other_port_group_is_another_nexus(two_ports, three):
    """RFC 7143 4.4.2: the SCSI target port is the portal group. Registrations are told apart by
    RELATIVE TARGET PORT IDENTIFIER, the same as in VPD page 83h."""
    d, (a, b, c) = two_ports, three
    far = login(d, a, d.port2, isid=a.s.isid)
    assert far.rtpi() != a.rtpi()
    a.register(KA)
    a.reserve(pr.EA)
    assert reads(far) == CONFLICT
    assert far.out(pr.RESERVE, KA, rtype=pr.EA).status == CONFLICT
    far.out(pr.REGISTER, 0, KA).good()
    assert {(x.rtpi, x.holder, x.tid.isid) for x in a.full_status()[1]} == \
        {(a.rtpi(), True, a.s.isid), (far.rtpi(), False, a.s.isid)}
    assert reads(far) == CONFLICT
    # Preempted by key: both go, and each is told on its own nexus.
    b.register(KB)
    b.out(pr.PREEMPT, sark=KA, rtype=pr.EA).good()
    assert pr.told((a, b, c, far)) == [pr.REGISTRATIONS_PREEMPTED, None, None, pr.REGISTRATIONS_PREEMPTED]
    far.s.logout()


def test_attention_on_the_right_port(two_ports, three):
    """5.12.11: the nexus that lost something is told, not others of the same initiator."""
    d, (a, b, c) = two_ports, three
    far, second = login(d, b, d.port2), login(d, b)
    far.out(pr.REGISTER, 0, KC).good()
    a.register(KA)
    everyone = (a, b, c, far, second)
    a.out(pr.PREEMPT, sark=KC).good()
    assert pr.told(everyone) == [None, None, None, pr.REGISTRATIONS_PREEMPTED, None]
    far.out(pr.REGISTER, 0, KC).good()
    second.out(pr.REGISTER, 0, KB).good()
    a.reserve(pr.EA_AR)
    a.release(pr.EA_AR)
    assert pr.told(everyone) == [None, None, None, pr.RESERVATIONS_RELEASED, pr.RESERVATIONS_RELEASED]
    second.out(pr.CLEAR, KB).good()
    assert pr.told(everyone) == [pr.RESERVATIONS_PREEMPTED, None, None, pr.RESERVATIONS_PREEMPTED, None]
    far.s.logout()
    second.s.logout()


def effective(status, ports):
    """{(isid, rtpi): (key, holder)} with ALL_TG_PT descriptors spread over all ports (6.15.5)."""
    out = {}
    for s in status:
        for port in ports if s.all_tg_pt else (s.rtpi,):
            assert out.setdefault((s.tid.isid, port), (s.key, s.holder)) == (s.key, s.holder), "told twice"
    return out


def test_all_tg_pt(two_ports, three):
    """6.16.3: as if the request had come through each port; then each is a registration of its own."""
    d, (a, b, c) = two_ports, three
    far = login(d, a, d.port2, isid=a.s.isid)
    ports = (a.rtpi(), far.rtpi())
    for action in (pr.REGISTER, pr.REGISTER_AND_IGNORE):
        a.out(action, 0, KA, all_tg_pt=1).good()
        assert effective(a.full_status()[1], ports) == {(a.s.isid, x): (KA, False) for x in ports}
        assert sorted(set(a.keys().keys)) == [KA]
        far.out(pr.RESERVE, KA, rtype=pr.WE).good()
        assert writes(far) == scsi.GOOD and writes(a) == CONFLICT, "the holder is the nexus that reserved"
        assert effective(a.full_status()[1], ports) == \
            {(a.s.isid, a.rtpi()): (KA, False), (a.s.isid, far.rtpi()): (KA, True)}
        a.out(pr.REGISTER, KA, 0, all_tg_pt=0).good()
        assert effective(b.full_status()[1], ports) == {(a.s.isid, far.rtpi()): (KA, True)}
        far.out(pr.REGISTER, KA, 0).good()
        assert b.keys().keys == [] and b.reservation().type is None
    # Unregistering through every port.
    a.out(pr.REGISTER, 0, KA, all_tg_pt=1).good()
    a.out(pr.REGISTER, KA, 0, all_tg_pt=1).good()
    assert b.full_status()[1] == []
    # With SPEC_I_PT: each initiator port at each target port (table 69).
    a.out(pr.REGISTER, data=pr.parameters(0, KB, all_tg_pt=1, spec_i_pt=1) + pr.transport_ids(b.tid)).good()
    assert set(effective(c.full_status()[1], ports)) == {(h.s.isid, x) for h in (a, b) for x in ports}
    b.out(pr.CLEAR, KB).good()
    assert pr.told((a, b, c, far)) == [pr.RESERVATIONS_PREEMPTED, None, None, pr.RESERVATIONS_PREEMPTED]
    far.s.logout()


def test_move_to_another_port(two_ports, three):
    """5.12.8: RELATIVE TARGET PORT IDENTIFIER says at which port the new holder is."""
    d, (a, b, c) = two_ports, three
    far = login(d, b, d.port2, isid=b.s.isid)
    a.register(KA)
    a.reserve(pr.EA)
    a.out(pr.REGISTER_AND_MOVE, data=pr.move_parameters(KA, KB, far.rtpi(), b.tid, unreg=1)).good()
    assert reads(far) == scsi.GOOD and reads(b) == CONFLICT and reads(a) == CONFLICT
    status = c.full_status()[1]
    assert [(x.rtpi, x.key, x.holder, x.tid.isid) for x in status] == [(far.rtpi(), KB, True, b.s.isid)]
    # The same initiator port at another target port is no destination (5.12.8).
    far.out(pr.REGISTER_AND_MOVE, data=pr.move_parameters(KB, KC, a.rtpi(), b.tid)).check(
        scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_PARAMETERS)
    far.out(pr.RELEASE, KB, rtype=pr.EA).good()
    far.s.logout()


# --- RESERVE and RELEASE

LEGACY = [(scsi.reserve6, scsi.release6), (scsi.reserve10, scsi.release10)]


@pytest.mark.parametrize("reserve, release", LEGACY, ids=("6", "10"))
def test_crh(three, reserve, release):
    """5.12.3: GOOD without effect for holders, and for those registered with registrants types."""
    a, b, c = three
    assert a.capabilities().crh
    a.register(KA)
    b.register(KB)
    for rtype in pr.TYPES:
        a.reserve(rtype)
        compatible = [a, b] if rtype not in (pr.WE, pr.EA) else [a]
        for h in three:
            want = scsi.GOOD if h in compatible else CONFLICT
            for cdb in (reserve(), release(), reserve()):
                assert h.scsi(cdb).status == want, f"type {rtype}, host {three.index(h)}"
        assert b.reservation().type == rtype
        a.release(rtype)
        pr.attentions(three)
        # What came of RESERVE above is nothing: c may write at once.
        assert writes(c) == scsi.GOOD
    a.out(pr.CLEAR).good()
    pr.attentions(three)
    assert a.scsi(reserve()).status == scsi.GOOD
    a.scsi(release()).good()


@pytest.mark.parametrize("reserve, release", LEGACY, ids=("6", "10"))
def test_persistent_while_reserved(three, reserve, release):
    """SPC-2 5.5.1: while RESERVE holds the unit, PERSISTENT RESERVE IN and OUT conflict, whoever sends them."""
    a, b, _ = three
    a.scsi(reserve()).good()
    for h in (a, b):
        assert h.out(pr.REGISTER, 0, KA).status == CONFLICT
        assert h.scsi(pr.pr_in(pr.READ_KEYS), read=4096).status == CONFLICT
    a.scsi(release()).good()
    assert a.keys().keys == []
    b.register(KB)
    assert a.scsi(reserve()).status == CONFLICT and b.scsi(reserve()).status == CONFLICT


# --- commands under way

def held_write(host, lba, data):
    """A write that waits for its data."""
    cmd = host.start(scsi.write10(lba, len(data) // 512), write=data, imm=0, unsolicited=0, hold_r2t=True)
    while not cmd.r2ts:
        host.s.recv()
    return cmd


@pytest.mark.parametrize("action", (pr.PREEMPT, pr.PREEMPT_AND_ABORT))
@pytest.mark.parametrize("rtype", (pr.WE, pr.EA_RO))
def test_data_that_come_after_the_preemption(three, action, rtype):
    """A write of the preempted nexus whose Data-Out comes after GOOD for PREEMPT does not land (5.12.11.2.4.3:
    either reservation may be what it meets; here it is the new one, and fencing depends on that). Its status
    is told: RESERVATION CONFLICT, or TASK ABORTED where it was aborted."""
    a, b, c = three
    old = b"\x77" * 8192
    a.register(KA)
    b.register(KB)
    b.scsi(scsi.write10(100, 16), write=old).good()
    b.reserve(rtype)
    cmd = held_write(b, 100, b"\xEE" * 8192)
    preempt = a.start_out(action, sark=KB, rtype=rtype)
    if action == pr.PREEMPT:
        a.s.wait(preempt).good()
    else:
        # The abort may wait for the data that were asked for (RFC 7143 4.2.3.3), but keeps others out.
        deadline = time.monotonic() + 20 * SCALE
        while c.keys().keys != [KA]:
            assert time.monotonic() < deadline
    b.s.answer_r2t(cmd, cmd.r2ts[0])
    r = b.s.wait(cmd)
    a.s.wait(preempt).good()
    assert r.status == CONFLICT or action == pr.PREEMPT_AND_ABORT and r.status == scsi.TASK_ABORTED, r
    assert a.scsi(scsi.read10(100, 16), read=8192).good().data == old
    assert pr.told(three) == [None, pr.REGISTRATIONS_PREEMPTED, None]


def test_data_that_come_after_the_release(three):
    """The other way round: a write of a registered host that a release makes a bystander still lands."""
    a, b, _ = three
    a.register(KA)
    b.register(KB)
    a.reserve(pr.WE_RO)
    cmd = held_write(b, 200, b"\x42" * 512)
    a.release(pr.WE_RO)
    b.s.answer_r2t(cmd, cmd.r2ts[0])
    b.s.wait(cmd).good()
    assert pr.told(three)[1] == pr.RESERVATIONS_RELEASED
    assert b.scsi(scsi.read10(200, 1), read=512).good().data == b"\x42" * 512


@pytest.fixture
def slow(two_ports):
    """Hosts at the disk whose writes take SLOW_MS."""
    with pr.hosts(two_ports, 1, 3) as hosts:
        yield hosts
    two_ports.check()


def test_preempt_waits_for_the_disk(slow):
    """DESIGN of every fence: when PREEMPT is GOOD no write of the preempted nexus can reach the disk
    any more; one that is there already ends before, with its status (5.12.11.2.4.3)."""
    a, b, _ = slow
    a.register(KA)
    b.register(KB)
    b.reserve(pr.WE)
    cmd = b.start(scsi.write10(0, 8), write=b"\x33" * 4096)
    b.s.nop()                           # it has been received
    begin = time.monotonic()
    a.out(pr.PREEMPT, sark=KB, rtype=pr.WE).good()
    seen = a.scsi(scsi.read10(0, 8), read=4096).good().data
    b.s.wait(cmd).good()
    assert seen == b"\x33" * 4096 and time.monotonic() - begin > SLOW_MS / 2000
    assert pr.told(slow) == [None, pr.REGISTRATIONS_PREEMPTED, None]
    assert b.scsi(scsi.write10(0, 8), write=bytes(4096)).status == CONFLICT


def test_preempt_and_abort(slow):
    """5.12.11.2.6: the commands of who lost a registration are aborted, those of others are not; with
    TAS=1 each is told TASK ABORTED. After GOOD nothing of them lands any more."""
    a, b, c = slow
    a.register(KA)
    for h in (b, c):
        h.register(KB if h is b else KC)
    b.reserve(pr.WE_RO)
    pr.attentions(slow)
    theirs = [b.start(scsi.write10(64 + 8 * i, 8), write=bytes([0x40 + i]) * 4096) for i in range(6)]
    bystander = c.start(scsi.write10(256, 8), write=b"\x55" * 4096)
    mine = a.start(scsi.write10(300, 8), write=b"\x66" * 4096)
    for h in slow:
        h.s.nop()
    a.out(pr.PREEMPT_AND_ABORT, sark=KB, rtype=pr.WE_RO).good()
    after = a.scsi(scsi.read10(64, 48), read=48 * 512).good().data
    for cmd in theirs:
        assert b.s.wait(cmd).status in (scsi.TASK_ABORTED, scsi.GOOD)
    assert any(cmd.result.status == scsi.TASK_ABORTED for cmd in theirs), "nothing was there to be aborted"
    for h, cmd in ((c, bystander), (a, mine)):
        h.s.wait(cmd).good()            # as long as the disk is slow: a late write of b would be there now
    assert a.scsi(scsi.read10(64, 48), read=48 * 512).good().data == after
    assert a.scsi(scsi.read10(256, 8), read=4096).data == b"\x55" * 4096
    assert pr.told(slow) == [None, pr.REGISTRATIONS_PREEMPTED, None]
    assert a.keys().keys == [KA, KC] or a.keys().keys == [KC, KA]


def test_preempt_and_abort_of_registrants(slow):
    """With an all registrants type and key 0 everyone else is removed and aborted (5.12.11.2.6)."""
    a, b, c = slow
    for h, key in ((a, KA), (b, KB), (c, KC)):
        h.register(key)
    a.reserve(pr.EA_AR)
    started = [(h, h.start(scsi.write10(400 + 8 * i, 8), write=bytes(4096))) for i, h in enumerate((b, c))]
    for h, _ in started:
        h.s.nop()
    a.out(pr.PREEMPT_AND_ABORT, sark=0, rtype=pr.EA_AR).good()
    for h, cmd in started:
        assert h.s.wait(cmd).status == scsi.TASK_ABORTED
    assert a.keys().keys == [KA] and a.reservation().type == pr.EA_AR
    assert pr.told(slow) == [None, pr.REGISTRATIONS_PREEMPTED, pr.REGISTRATIONS_PREEMPTED]


def test_preempt_and_abort_spares_itself(slow):
    """The PERSISTENT RESERVE OUT itself is not aborted, also where the key is its own (5.12.11.2.5)."""
    a, b, _ = slow
    a.register(KA)
    b.register(KA)
    cmd = b.start(scsi.write10(500, 8), write=bytes(4096))
    b.s.nop()
    a.out(pr.PREEMPT_AND_ABORT, sark=KA).good()
    assert b.s.wait(cmd).status == scsi.TASK_ABORTED
    assert a.keys().keys == []
    assert pr.told(slow) == [None, pr.REGISTRATIONS_PREEMPTED, None]


def test_preempt_and_abort_without_tas(two_ports):
    """TAS=0 (SPC-4 7.5.8): the aborted commands have no status; their nexus is told by REGISTRATIONS PREEMPTED,
    COMMANDS CLEARED BY ANOTHER INITIATOR may come with it."""
    with pr.hosts(two_ports, 2, 2) as (a, b):
        a.register(KA)
        b.register(KB)
        started = [b.start(scsi.write10(8 * i, 8), write=b"\x44" * 4096) for i in range(3)]
        b.s.nop()
        a.out(pr.PREEMPT_AND_ABORT, sark=KB).good()
        told = pr.attentions([b])[0]
        assert pr.REGISTRATIONS_PREEMPTED in told and set(told) <= {pr.REGISTRATIONS_PREEMPTED, (0x2F, 0x00)}
        for cmd in started:
            assert cmd.result is None, f"a status for an aborted command: {cmd.result}"
            b.s.commands.pop(cmd.itt)
        assert pr.told([a]) == [None]
        assert a.scsi(scsi.read10(0, 24), read=24 * 512).good().data == bytes(24 * 512)


# --- what an administrator sets

def test_write_protected_unit(new_daemon):
    """Neither command writes to the medium: they run on a LUN that is shown write protected."""
    d = new_daemon(disks=("ram:16M",))
    with d.control() as c:
        c.call("target.access", access="anyone-read")
    with pr.hosts(d, 0, 2) as (a, b):
        a.scsi(scsi.write10(0, 1), write=bytes(512)).check(scsi.DATA_PROTECT)
        a.register(KA)
        a.reserve(pr.EA)
        assert b.scsi(scsi.read10(0, 1), read=512).status == CONFLICT
        assert b.scsi(scsi.write10(0, 1), write=bytes(512)).status == CONFLICT
        a.release(pr.EA)


def test_emulate_pr_off(new_daemon):
    """emulate_pr=0: the commands are not there (LIO), nor are RESERVE and RELEASE."""
    d = new_daemon(disks=("ram:16M",))
    with d.session() as s:
        s.clear_ua(0)
        h = pr.Host(s, 0)
        h.register(KA)
        h.unregister()
        path = f"/core/rd_mcp_0/{d.disk_of(0)}/attrib/emulate_pr"
        with d.control() as c:
            c.call("set", path=path, value="0")
        s.clear_ua(0)
        for cdb in (scsi.reserve6(), scsi.release6(), scsi.reserve10(), scsi.release10()):
            s.scsi(cdb).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_OPCODE)
        h.out(pr.REGISTER, 0, KA).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_OPCODE)
        h.scsi(pr.pr_in(pr.READ_KEYS), read=64).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_OPCODE)
        s.scsi(scsi.write10(0, 1), write=bytes(512)).good()
        s.logout()


# --- clusters

def test_windows_cluster_validation(two_ports):
    """The order of calls of Windows' validation of storage: nodes register, one reserves type 5, the
    reservation is defended and taken over, registrations outlive a new login."""
    d = two_ports
    with pr.hosts(d, 0, 2) as (one, two):
        # Nothing there: a reservation without registration is refused.
        assert one.keys().keys == [] and one.reservation().key is None
        assert one.out(pr.RESERVE, KA, rtype=pr.WE_RO).status == CONFLICT
        # Register and reserve from node 1, twice as if nothing had happened.
        for _ in range(2):
            one.out(pr.REGISTER_AND_IGNORE, 0, KA).good()
            one.key = KA
            one.reserve(pr.WE_RO)
        # Node 2 without registration reads and does not write; it cannot register with a wrong key.
        assert reads(two) == scsi.GOOD and writes(two) == CONFLICT
        assert two.out(pr.REGISTER, KA, KB).status == CONFLICT
        two.out(pr.REGISTER, 0, KB).good()
        two.key = KB
        assert writes(two) == scsi.GOOD
        # It is not the holder: no reserve; a release is GOOD and does nothing.
        assert two.out(pr.RESERVE, rtype=pr.WE_RO).status == CONFLICT
        two.release(pr.WE_RO)
        assert one.reservation().key == KA
        # Node 1 logs out and in again: still registered, still the holder.
        one.s.logout()
        one.s = d.session(name=one.s.name, isid=one.s.isid)
        pr.attentions([one])
        assert sorted(one.keys().keys) == [KA, KB] and one.reservation().key == KA
        one.reserve(pr.WE_RO)
        # Node 2 takes over; node 1 is told, and is out.
        two.out(pr.PREEMPT, sark=KA, rtype=pr.WE_RO).good()
        assert pr.told((one, two)) == [pr.REGISTRATIONS_PREEMPTED, None]
        assert writes(one) == CONFLICT and writes(two) == scsi.GOOD
        assert one.out(pr.RESERVE, rtype=pr.WE_RO).status == CONFLICT
        assert two.keys().keys == [KB] and two.reservation() [1:] == (KB, 0, pr.WE_RO)
        # Release and clear; the unit is free again.
        two.release(pr.WE_RO)
        two.out(pr.CLEAR).good()
        two.key = 0
        assert writes(one) == scsi.GOOD and one.keys().keys == []


def test_fence_of_many_paths(two_ports):
    """fence_mpath: each node registers one key on all of its paths; the victim loses all at once."""
    d = two_ports
    with pr.hosts(d, 0, 2) as (a, b):
        paths = {h: [h, login(d, h, d.port2), login(d, h)] for h in (a, b)}
        for h, key in ((a, KA), (b, KB)):
            for path in paths[h]:
                path.out(pr.REGISTER_AND_IGNORE, 0, key).good()
        a.out(pr.RESERVE, KA, rtype=pr.WE_RO).good()
        assert sorted(a.keys().keys) == [KA] * 3 + [KB] * 3
        assert all(writes(path) == scsi.GOOD for h in paths for path in paths[h])
        paths[b][1].out(pr.PREEMPT_AND_ABORT, KB, KA, pr.WE_RO).good()
        assert pr.told(paths[a] + paths[b]) == [pr.REGISTRATIONS_PREEMPTED] * 3 + [None] * 3
        assert all(writes(path) == CONFLICT for path in paths[a])
        assert all(writes(path) == scsi.GOOD for path in paths[b])
        assert b.reservation()[1:] == (KB, 0, pr.WE_RO)
        # The fenced node may come back only by registering anew.
        assert a.out(pr.REGISTER, KA, KA).status == CONFLICT
        a.out(pr.REGISTER, 0, KA).good()
        assert writes(a) == scsi.GOOD and writes(paths[a][1]) == CONFLICT
        for h in paths:
            for path in paths[h][1:]:
                path.s.logout()

# SPDX-License-Identifier: BSD-3-Clause
"""Asymmetric logical unit access: two target ports in groups of their own, states by the administrator
(implicit) and by SET TARGET PORT GROUPS (explicit). SPC-4 5.15.2, 6.37, 6.45, 7.8.6."""

import os
import struct
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from lib import alua, pr, scsi
from lib import commands as cmds
from lib.alua import (LBA_DEPENDENT, NON_OPTIMIZED, OFFLINE, OPTIMIZED, STANDBY, STATE_CHANGED, TRANSITIONING,
                      UNAVAILABLE)
from lib.control import RpcError
from lib.ports import give_port, take_port
from lib.saveconfig import IQN, ConfigDaemon, disk, portal_group, target_of

ILLEGAL = scsi.ILLEGAL_REQUEST
REFUSAL = {STANDBY: alua.IN_STANDBY, UNAVAILABLE: alua.IS_UNAVAILABLE, TRANSITIONING: alua.IN_TRANSITION,
           OFFLINE: alua.IS_OFFLINE}
INQUIRY_CHANGED = (0x3F, 0x03)


class Tree:
    """The groups of disk r0, by the control socket."""

    def __init__(self, daemon):
        self.c = daemon.control(timeout=60)

    def of(self, disk):
        """Its directory."""
        found = [f"/core/{hba}/{disk}" for hba, sub in self.c.call("dump", path="/core", depth=1)["dirs"].items()
                 if disk in sub.get("dirs", ())]
        assert len(found) == 1, found
        return found[0]

    def get(self, path):
        got = self.c.call("get", path=path)
        return (got["value"] if isinstance(got, dict) else got).rstrip("\n")

    def group(self, name, attr, value=None, of="r0"):
        path = f"{self.of(of)}/alua/{name}/{attr}"
        if value is None:
            return self.get(path)
        return self.c.call("set", path=path, value=str(value))

    def state(self, name, value, of="r0"):
        self.group(name, "alua_access_state", value, of)

    def new_group(self, name, ident, of="r0"):
        self.c.call("mkdir", path=f"{self.of(of)}/alua/{name}")
        self.group(name, "tg_pt_gp_id", ident, of)

    def lun(self, tag, attr, value, lun=0):
        self.c.call("set", path=f"/iscsi/{IQN}/tpgt_{tag}/lun/lun_{lun}/{attr}", value=str(value))

    def refused(self, what, *args, **kw):
        with pytest.raises(RpcError):
            what(*args, **kw)


@pytest.fixture(scope="module")
def two():
    """A daemon with r0 (LUN 0) and r1 (LUN 1) behind two target ports; of r0 each port is in a group of its
    own, "one" (id 10) and "two" (id 20); r1 is in the default groups."""
    d = ConfigDaemon(None)
    d.port2 = take_port()
    luns = [(0, "ramdisk/r0"), (1, "ramdisk/r1")]
    d.write({"storage_objects": [disk("r0", attributes={"emulate_tpu": 1, "emulate_tpws": 1}), disk("r1")],
             "targets": [target_of(portal_group(1, d.port, luns), portal_group(2, d.port2, luns))]})
    try:
        d.start()
        d.tree = Tree(d)
        for tag, name, ident in ((1, "one", 10), (2, "two", 20)):
            d.tree.new_group(name, ident)
            d.tree.lun(tag, "alua_tg_pt_gp", name)
        yield d
        d.stop()
    finally:
        d.discard()
        give_port(d.port2)


@pytest.fixture
def hosts(two):
    """A host at port 1, the same at port 2, and another at each: near, far, near2, far2. Both groups are
    active/optimized before and after, and all unit attentions taken."""
    reset(two)
    with two.session() as a, two.session_at(two.port2, name=a.name, isid=a.isid) as b, \
            two.session(name="iqn.2026-01.example.test:second") as c, \
            two.session_at(two.port2, name="iqn.2026-01.example.test:second") as e:
        out = [pr.Host(s) for s in (a, b, c, e)]
        pr.attentions(out)
        yield out
    reset(two)
    two.check()


def reset(d):
    t = d.tree
    for name in ("one", "two"):
        t.group(name, "alua_access_type", 3)
        t.group(name, "trans_delay_msecs", 0)
        t.group(name, "nonop_delay_msecs", 0)
        t.group(name, "implicit_trans_secs", 0)
        t.group(name, "preferred", 0)
        for s in ("transitioning", "offline", "unavailable", "standby", "active_nonoptimized", "active_optimized"):
            t.group(name, f"alua_support_{s}", 1)
        t.state(name, OPTIMIZED)
    for tag in (1, 2):
        t.lun(tag, "alua_tg_pt_offline", 0)


def report(host, alloc=1024, extended=0):
    """REPORT TARGET PORT GROUPS; unit attentions that wait are taken by it."""
    for _ in range(4):
        r = host.scsi(alua.rtpg(alloc, extended), read=alloc)
        if not r.sense or r.sense.key != scsi.UNIT_ATTENTION:
            break
    return alua.parse_rtpg(r.good().data)


def groups(host):
    """{id: group}"""
    return {g.group: g for g in report(host).groups}


def states(host):
    return {g.group: g.state for g in report(host).groups}


def stpg(host, *descriptors, length=None, data=None):
    data = alua.stpg_list(*descriptors) if data is None else data
    return host.scsi(alua.stpg(len(data) if length is None else length), write=data)


def tur(host):
    return host.scsi(scsi.test_unit_ready())


def inquiry(host):
    return host.scsi(scsi.inquiry(96), read=96).good().data


def tpgs(host):
    return inquiry(host)[5] >> 4 & 3


# --- what is told of it

def test_default_group(two):
    """A unit of which nobody said anything: one group, id 0, both ports, active/optimized, TPGS 11b."""
    with two.session() as s, two.session_at(two.port2) as s2:
        a, b = pr.Host(s, 1), pr.Host(s2, 1)
        pr.attentions([a, b])
        for h in (a, b):
            r = report(h)
            assert len(r.groups) == 1 and tpgs(h) == 3
            g = r.groups[0]
            assert (g.pref, g.state, g.group, g.status) == (0, OPTIMIZED, 0, alua.NO_STATUS)
            assert sorted(g.ports) == sorted((a.rtpi(), b.rtpi())) and len(set(g.ports)) == 2
            assert g.supported == {TRANSITIONING, OFFLINE, UNAVAILABLE, STANDBY, NON_OPTIMIZED, OPTIMIZED}


def test_designators(two, hosts):
    """7.8.6: relative target port (4h), target port group (5h), LU group (6h), names of port and device
    (8h), with PIV and the protocol of iSCSI where the association is the port; LU designators without."""
    for h, tag, group in zip(hosts, (1, 2, 1, 2), (10, 20, 10, 20)):
        found = alua.vpd_designators(h.scsi(scsi.inquiry(1024, page=0x83), read=1024).good().data)
        by = {(d.association, d.type): d for d in found}
        assert by[1, 5].value == group and by[1, 5].protocol == 5
        assert by[1, 4].protocol == 5 and by[1, 4].value in groups(h)[group].ports
        assert by[1, 8].value == f"{IQN},t,0x{tag:04x}" and by[1, 8].protocol == 5
        assert by[2, 8].value == IQN
        assert by[0, 3].protocol is None
    # The unit itself is the same at both ports.
    one, two_ = ([d for d in alua.vpd_designators(h.scsi(scsi.inquiry(1024, page=0x83), read=1024).data)
                  if d.association == 0] for h in hosts[:2])
    assert one == two_


def test_report(two, hosts):
    """6.37: each group once, with its ports, the same at every port."""
    near, far, *_ = hosts
    assert report(near) == report(far)
    g = groups(near)
    assert set(g) >= {10, 20}
    assert g[10].ports == [near.rtpi()] and g[20].ports == [far.rtpi()]
    assert all(x.ports for x in g.values()), "a group without ports is not told of"


def test_report_formats(two, hosts):
    """6.37: length only and extended header; a cut of the allocation length leaves the lengths alone."""
    near = hosts[0]
    two.tree.group("one", "implicit_trans_secs", 7)
    short, long = report(near), report(near, extended=1)
    assert short.format == 0 and long.format == 1 and long.groups == short.groups
    assert long.transition_time == 7 and long.length == short.length + 4
    for extended in (0, 1):
        whole = near.scsi(alua.rtpg(1024, extended), read=1024).good().data
        for n in (0, 1, 3, 4, 5, 7, 8, 12, len(whole) - 1, len(whole), len(whole) + 1):
            r = near.scsi(alua.rtpg(n, extended), read=n).good()
            assert r.data == whole[:n] and r.underflow == max(0, n - len(whole))
    for fmt in range(2, 8):
        r = near.scsi(alua.rtpg(1024, fmt), read=1024)
        if r.status == scsi.GOOD:       # "may ignore" is the short format
            assert alua.parse_rtpg(r.data) == short
        else:
            r.check(ILLEGAL, scsi.INVALID_FIELD_IN_CDB)


def test_access_types(two, hosts):
    """TPGS of standard INQUIRY data, and who may change what (5.15.2.3, 5.15.2.7, 5.15.2.8)."""
    near, far, *_ = hosts
    t = two.tree
    for access, implicit, explicit in ((3, 1, 1), (1, 1, 0), (2, 0, 1)):
        for name in ("one", "two"):
            t.group(name, "alua_access_type", access)
        pr.attentions(hosts)
        assert tpgs(near) == access == tpgs(far)
        assert set(groups(near)) >= {10, 20}
        r = stpg(near, (NON_OPTIMIZED, 20))
        if explicit:
            r.good()
            assert states(near)[20] == NON_OPTIMIZED
            stpg(near, (OPTIMIZED, 20)).good()
        else:
            assert r.status == scsi.CHECK_CONDITION and r.sense.key == ILLEGAL, r
            assert (r.sense.asc, r.sense.ascq) in (scsi.INVALID_OPCODE, scsi.INVALID_FIELD_IN_CDB)
        if implicit:
            t.state("one", NON_OPTIMIZED)
            t.state("one", OPTIMIZED)
        else:
            t.refused(t.state, "one", NON_OPTIMIZED)
        pr.attentions(hosts)
        assert set(states(near).values()) == {OPTIMIZED}
    for name in ("one", "two"):
        t.group(name, "alua_access_type", 0)
    t.group("default_tg_pt_gp", "alua_access_type", 0)
    pr.attentions(hosts)
    assert tpgs(near) == 0
    t.group("default_tg_pt_gp", "alua_access_type", 3)


def test_preference(two, hosts):
    """5.15.2.6: PREF is independent of the state."""
    near = hosts[0]
    two.tree.group("two", "preferred", 1)
    assert {k: g.pref for k, g in groups(near).items() if k} == {10: 0, 20: 1}
    two.tree.state("two", STANDBY)
    assert groups(near)[20].pref == 1


def test_supported_states(two, hosts):
    """6.37: the support bits say which states there may be; others are refused, by both ways."""
    near = hosts[0]
    t = two.tree
    for attr, state in (("standby", STANDBY), ("unavailable", UNAVAILABLE), ("active_nonoptimized", NON_OPTIMIZED)):
        t.group("two", f"alua_support_{attr}", 0)
        assert groups(near)[20].supported == \
            {TRANSITIONING, OFFLINE, UNAVAILABLE, STANDBY, NON_OPTIMIZED, OPTIMIZED} - {state}
        assert state in groups(near)[10].supported
        stpg(near, (state, 20)).check(ILLEGAL, scsi.INVALID_FIELD_IN_PARAMETERS)
        t.refused(t.state, "two", state)
        t.group("two", f"alua_support_{attr}", 1)
    assert set(states(near).values()) == {OPTIMIZED}


def test_moving_a_lun(two, hosts):
    """A port that changes its group: its VPD page 83h is another one, and its nexuses are told."""
    near, far, near2, far2 = hosts
    t = two.tree
    t.lun(1, "alua_tg_pt_gp", "two")
    told = pr.attentions(hosts)
    for h, got in zip(hosts, told):
        if h in (near, near2):
            assert INQUIRY_CHANGED in got, f"{got}: the page has changed (7.8.6, SPC-4 6.6)"
    assert 10 not in groups(near), "the group has no ports"
    assert sorted(groups(near)[20].ports) == sorted((near.rtpi(), far.rtpi()))
    t.state("two", STANDBY)
    pr.attentions(hosts)
    assert all(tur(h).check(scsi.NOT_READY, alua.IN_STANDBY) for h in hosts)
    t.lun(1, "alua_tg_pt_gp", "one")
    pr.attentions(hosts)
    tur(near).good()
    tur(far).check(scsi.NOT_READY, alua.IN_STANDBY)


def test_groups_of_the_tree(two):
    """Ids are given once; the default group stays; a group that goes leaves its ports to the default one."""
    t = two.tree
    t.refused(t.group, "one", "tg_pt_gp_id", 11)
    t.c.call("mkdir", path=f"{t.of('r0')}/alua/three")
    t.refused(t.state, "three", STANDBY)
    t.refused(t.group, "three", "tg_pt_gp_id", 10)
    t.refused(t.group, "three", "tg_pt_gp_id", 65536)
    t.group("three", "tg_pt_gp_id", 65535)
    t.refused(t.c.call, "rmdir", path=f"{t.of('r0')}/alua/default_tg_pt_gp")
    t.lun(1, "alua_tg_pt_gp", "three")
    assert t.group("three", "members").split() == [f"iSCSI/{IQN}/tpgt_1/lun_0"]
    with two.session() as s:
        h = pr.Host(s)
        pr.attentions([h])
        assert groups(h)[65535].ports == [h.rtpi()]
        t.c.call("rmdir", path=f"{t.of('r0')}/alua/three")
        pr.attentions([h])
        assert groups(h)[0].ports == [h.rtpi()]
        t.lun(1, "alua_tg_pt_gp", "one")
    for attr, bad in (("alua_access_type", 4), ("nonop_delay_msecs", 10001), ("trans_delay_msecs", 30001),
                      ("implicit_trans_secs", 256), ("preferred", 2), ("alua_access_state", 5),
                      ("alua_access_status", 3), ("alua_write_metadata", 2)):
        t.refused(t.group, "one", attr, bad)


# --- states and commands

def served(r):
    """It was not refused for the state."""
    return not (r.status == scsi.CHECK_CONDITION and r.sense.key == scsi.NOT_READY and r.sense.asc == 0x04)


def required(when, state):
    """Whether a command of this class is served in the state; None: as the target likes."""
    if state in (OPTIMIZED, NON_OPTIMIZED):
        return True
    if when == cmds.EVER:
        return None if state == OFFLINE else True
    if when == cmds.MAY:
        return None
    if when == cmds.NO_TRANSITION:
        return {STANDBY: True, UNAVAILABLE: True}.get(state)
    if when == cmds.STANDBY:
        return True if state == STANDBY else None
    return False


def enter(two, state):
    """Bring port 1 into a state."""
    if state == OFFLINE:
        two.tree.lun(1, "alua_tg_pt_offline", 1)
    else:
        two.tree.state("one", state)


def every_command(near):
    """All that the target lists, of which each must be in lib/commands.py."""
    listed = set(cmds.listed(near.s, 0))
    known = cmds.commands(cmds.mode_lists(near.s, 0), near.tid)
    assert listed <= {c.key for c in known}
    assert {(0xA3, 0x0A), (0xA4, 0x0A)} <= listed
    return [c for c in known if c.key in listed]


def walk(near, commands, state):
    """Each command through the port; (wrong ones, how many were served and refused)."""
    seen, wrong = Counter(), []
    for c in commands:
        r = near.scsi(c.cdb, read=c.read, write=c.write)
        ok = served(r)
        seen[ok] += 1
        right = required(c.when, state)
        if right is not None and ok != right:
            wrong.append(f"{c.label}: {r}, wanted {'it to be served' if right else 'a refusal'}")
        elif not ok and (r.sense.asc, r.sense.ascq) != REFUSAL[state]:
            wrong.append(f"{c.label}: {r}, wanted {REFUSAL[state]}")
        elif ok and c.key[0] != 0x5F and r.status != scsi.GOOD:
            wrong.append(f"{c.label}: {r}, wanted GOOD")
    return wrong, seen


@pytest.mark.parametrize("state", (OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE, OFFLINE))
def test_commands_by_state(two, hosts, state):
    """5.15.2.4: which commands run in which state; the other port is not concerned."""
    near, far, *_ = hosts
    commands = every_command(near)
    enter(two, state)
    pr.attentions(hosts)
    wrong, seen = walk(near, commands, state)
    assert not wrong, f"state {state:X}h: " + "\n".join(wrong)
    assert seen[True] >= {OFFLINE: 0, UNAVAILABLE: 5, STANDBY: 15}.get(state, 40)
    assert seen[False] > 15 if state in REFUSAL else not seen[False]
    far.scsi(scsi.write10(cmds.LBA, 1), write=bytes(512)).good()
    tur(far).good()


@pytest.mark.parametrize("state", (STANDBY, UNAVAILABLE, OFFLINE))
def test_what_is_refused_is_not_done(two, hosts, state):
    """A write through a port that is not active leaves the blocks alone."""
    near, far, *_ = hosts
    far.scsi(scsi.write10(2048, 1), write=b"\x11" * 512).good()
    enter(two, state)
    pr.attentions(hosts)
    for imm in (None, 0):
        near.scsi(scsi.write10(2048, 1), write=b"\x22" * 512, imm=imm).check(scsi.NOT_READY, REFUSAL[state])
    assert far.scsi(scsi.read10(2048, 1), read=512).good().data == b"\x11" * 512


def test_peripheral_qualifier(two, hosts):
    """5.15.2.4.5: INQUIRY through an unavailable port: peripheral qualifier 001b; else 000b."""
    near, far, *_ = hosts
    for state in (OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE, OPTIMIZED):
        two.tree.state("one", state)
        assert inquiry(near)[0] >> 5 == (1 if state == UNAVAILABLE else 0), f"state {state}"
        assert inquiry(far)[0] >> 5 == 0


def test_request_sense_when_unavailable(two, hosts):
    """6.39: with peripheral qualifier 001b the parameter data are LOGICAL UNIT NOT SUPPORTED."""
    near, far, *_ = hosts
    for state in (UNAVAILABLE, OPTIMIZED):
        two.tree.state("one", state)
        pr.attentions(hosts)
        for h in (near, far):
            s = scsi.parse_sense(h.scsi(scsi.request_sense(), read=252).good().data)
            if h is near and state == UNAVAILABLE:
                assert (s.key, s.asc, s.ascq) == (ILLEGAL, *scsi.LU_NOT_SUPPORTED)
            else:
                assert (s.key, s.asc, s.ascq) == (scsi.NO_SENSE, 0, 0)


def test_task_management_in_standby(two, hosts):
    """5.15.2.4.4: the device takes part in all task management functions."""
    from lib import pdu as p
    near = hosts[0]
    two.tree.state("one", STANDBY)
    pr.attentions(hosts)
    assert near.s.tmf(p.LOGICAL_UNIT_RESET, 0) == p.TMF_COMPLETE
    pr.attentions(hosts)
    tur(near).check(scsi.NOT_READY, alua.IN_STANDBY)


# --- who is told

def test_implicit_change_is_told_to_all(two, hosts):
    """5.15.2.5: every I_T nexus, at each port; once for each change; and the status code says how."""
    near = hosts[0]
    for state in (NON_OPTIMIZED, STANDBY, UNAVAILABLE, OPTIMIZED):
        two.tree.state("one", state)
        assert pr.told(hosts) == [STATE_CHANGED] * 4
        assert groups(near)[10].status == alua.IMPLICITLY and groups(near)[10].state == state
    assert groups(near)[20].status != alua.BY_STPG
    assert two.tree.group("one", "alua_access_state") == str(OPTIMIZED)


def test_explicit_change_is_told_to_the_others(two, hosts):
    """5.15.2.5, 6.45: every I_T nexus but the one that sent the command."""
    near, far, *_ = hosts
    for state in (NON_OPTIMIZED, STANDBY, UNAVAILABLE, OPTIMIZED):
        stpg(near, (state, 20)).good()
        assert pr.told(hosts) == [None] + [STATE_CHANGED] * 3
        assert groups(far)[20].state == state and groups(far)[20].status == alua.BY_STPG
        assert groups(far)[10].state == OPTIMIZED
        assert two.tree.group("two", "alua_access_state") == str(state)
    # Through the port that it concerns: also out of standby and unavailable (5.15.2.4.4, 5.15.2.4.5).
    for state in (STANDBY, OPTIMIZED, UNAVAILABLE, OPTIMIZED):
        stpg(near, (state, 10)).good()
        assert pr.told(hosts) == [None] + [STATE_CHANGED] * 3
        assert (tur(near).status == scsi.GOOD) == (state == OPTIMIZED)


def test_a_state_that_it_has_already(two, hosts):
    """No change, so nobody is told."""
    near = hosts[0]
    stpg(near, (OPTIMIZED, 10), (OPTIMIZED, 20)).good()
    assert pr.told(hosts) == [None] * 4


def test_other_units_are_not_concerned(two, hosts):
    """States belong to a unit: r1 behind the same ports goes on."""
    near = hosts[0]
    other = pr.Host(near.s, 1)
    pr.attentions([other])
    two.tree.state("one", UNAVAILABLE)
    assert pr.told([other]) == [None]
    other.scsi(scsi.write10(0, 1), write=bytes(512)).good()


# --- SET TARGET PORT GROUPS

def test_stpg_several_groups(two, hosts):
    """6.45: all that are named change with one command, and each nexus is told once."""
    near, far, *_ = hosts
    stpg(near, (STANDBY, 10), (NON_OPTIMIZED, 20)).good()
    assert pr.told(hosts) == [None] + [STATE_CHANGED] * 3
    assert {k: v for k, v in states(far).items() if k} == {10: STANDBY, 20: NON_OPTIMIZED}


def test_stpg_refusals(two, hosts):
    """6.45: what cannot be is refused as a whole."""
    near, far, *_ = hosts
    bad = [(LBA_DEPENDENT, 20), (TRANSITIONING, 20), *[(s, 20) for s in range(5, 0xE)],
           (STANDBY, 30), (STANDBY, 0xFFFF), (OPTIMIZED, 30), (OFFLINE, 0x7FFF), (OFFLINE, 0)]
    for d in bad:
        for descriptors in ((d,), ((STANDBY, 10), d), (d, (STANDBY, 10))):
            stpg(near, *descriptors).check(ILLEGAL, scsi.INVALID_FIELD_IN_PARAMETERS)
    assert {k: v for k, v in states(far).items() if k} == {10: OPTIMIZED, 20: OPTIMIZED}
    assert pr.told(hosts) == [None] * 4


def test_stpg_lengths(two, hosts):
    """6.45: length 0 changes nothing and is no error; lists that end within a descriptor are refused."""
    near, far, *_ = hosts
    near.scsi(alua.stpg(0)).good()
    whole = alua.stpg_list((STANDBY, 10), (STANDBY, 20))
    for n in (1, 3, 5, 6, 7, 9, 11):
        r = stpg(near, data=whole[:n])
        assert r.status == scsi.CHECK_CONDITION and r.sense.key == ILLEGAL, r
        assert (r.sense.asc, r.sense.ascq) in (scsi.INVALID_FIELD_IN_CDB, scsi.PARAMETER_LIST_LENGTH_ERROR), r
    for n in (0x10000000, 0xFFFFFFFC):
        r = stpg(near, data=whole, length=n)
        assert r.status == scsi.CHECK_CONDITION and r.sense.key == ILLEGAL, r
    r = stpg(near, data=whole[:8], length=12)          # less than said
    assert r.status == scsi.CHECK_CONDITION, r
    assert {k: v for k, v in states(far).items() if k} == {10: OPTIMIZED, 20: OPTIMIZED}
    assert pr.told(hosts) == [None] * 4


def test_offline_by_stpg(two, hosts):
    """Table 330: offline is of a port: the descriptor has its relative target port identifier."""
    near, far, *_ = hosts
    r = stpg(near, (OFFLINE, far.rtpi()))
    if r.status != scsi.GOOD:           # "vendor specific": it need not be settable
        r.check(ILLEGAL, scsi.INVALID_FIELD_IN_PARAMETERS)
        return
    pr.attentions(hosts)
    tur(far).check(scsi.NOT_READY, alua.IS_OFFLINE)
    tur(near).good()
    assert states(near)[10] == OPTIMIZED


def test_stpg_under_reservations(two, hosts):
    """Table 65: STPG conflicts for who does not hold the reservation; REPORT TARGET PORT GROUPS does not."""
    near, far, near2, _ = hosts
    near2.register(0xA1)
    near2.reserve(pr.WE)
    assert stpg(near, (STANDBY, 20)).status == scsi.RESERVATION_CONFLICT
    assert states(near)[20] == OPTIMIZED
    stpg(near2, (STANDBY, 20)).good()
    stpg(near2, (OPTIMIZED, 20)).good()
    pr.attentions(hosts)
    near2.out(pr.CLEAR).good()


def test_reservations_in_standby(two, hosts):
    """5.15.2.4.4: PERSISTENT RESERVE IN and OUT work in standby, for whoever fences through that path."""
    near, far, *_ = hosts
    two.tree.state("one", STANDBY)
    pr.attentions(hosts)
    near.register(0xA1)
    near.reserve(pr.EA)
    assert far.scsi(scsi.read10(0, 1), read=512).status == scsi.RESERVATION_CONFLICT
    near.out(pr.CLEAR).good()


# --- transitions

@contextmanager
def meanwhile(two, fn):
    """Run fn(Tree) in a thread while the body runs."""
    errors = []

    def run():
        try:
            fn(Tree(two))
        except BaseException as e:      # told below
            errors.append(e)

    t = threading.Thread(target=run)
    t.start()
    try:
        yield t
    finally:
        t.join(60)
    assert not t.is_alive() and not errors, errors


def test_transition(two, hosts):
    """5.15.2.5: while the state changes REPORT TARGET PORT GROUPS says Fh, INQUIRY, REPORT LUNS and REQUEST
    SENSE are served, and what is not says IN TRANSITION; when it is over, the new state holds."""
    near, far, *_ = hosts
    two.tree.group("one", "trans_delay_msecs", 700)
    commands, walked = every_command(near), 0
    with meanwhile(two, lambda t: t.state("one", NON_OPTIMIZED)) as thread:
        while thread.is_alive():
            state = states(far)[10]
            pr.attentions(hosts)
            if state != TRANSITIONING:
                continue
            wrong, seen = walk(near, commands, TRANSITIONING)
            pr.attentions(hosts)
            if states(far)[10] == TRANSITIONING:
                assert not wrong, "\n".join(wrong)
                assert seen[False]
                walked += 1
            assert states(far)[20] == OPTIMIZED
    assert walked, "the transition was seen"
    assert states(near)[10] == NON_OPTIMIZED
    pr.attentions(hosts)
    tur(near).good()


def test_explicit_transition(two, hosts):
    """6.45: STPG is GOOD when its states are there (or it says that they come)."""
    near, far, *_ = hosts
    two.tree.group("two", "trans_delay_msecs", 300)
    cmd = near.start(alua.stpg(8), write=alua.stpg_list((STANDBY, 20)))
    near.s.wait(cmd).good()
    deadline = time.monotonic() + 20
    while states(near)[20] == TRANSITIONING and time.monotonic() < deadline:
        pass
    assert states(near)[20] == STANDBY
    assert STATE_CHANGED in pr.attentions([far])[0]


def test_delay_of_non_optimized(two, hosts):
    """nonop_delay_msecs: commands through an active/non-optimized port take that long; others do not."""
    near, far, *_ = hosts
    two.tree.group("one", "nonop_delay_msecs", 200)
    two.tree.state("one", NON_OPTIMIZED)
    pr.attentions(hosts)
    begin = time.monotonic()
    started = [near.start(scsi.read10(0, 1), read=512) for _ in range(4)]
    for cmd in started:
        near.s.wait(cmd).good()
    took = time.monotonic() - begin
    assert 0.2 <= took, f"{took} s"
    two.tree.state("one", OPTIMIZED)
    pr.attentions(hosts)
    begin = time.monotonic()
    near.scsi(scsi.read10(0, 1), read=512).good()
    assert time.monotonic() - begin < took


def test_states_change_under_load(two, hosts):
    """Writes and reads through both ports while the states go round: each ends with GOOD or with the
    refusal of a state, and a block holds what the last GOOD write said, or what came after it."""
    near, far, *_ = hosts
    lba, rounds = 4096, int(os.environ.get("ULIO_ALUA_ROUNDS", "40"))
    refused = {("one", alua.IN_STANDBY), ("one", alua.IS_UNAVAILABLE), ("one", alua.IN_TRANSITION)}
    seen = Counter()
    over = threading.Event()

    def change(t):
        for i in range(rounds):
            t.state("one", (NON_OPTIMIZED, STANDBY, OPTIMIZED, UNAVAILABLE)[i % 4])
        t.state("one", OPTIMIZED)
        over.set()

    with meanwhile(two, change):
        n = 0
        last = {}
        while not over.is_set():
            batch = []
            for h, name in ((near, "one"), (far, "two")):
                for k in range(8):
                    n += 1
                    at = lba + 16 * k + (8 if h is far else 0)
                    batch.append((h, name, at, n, h.start(scsi.write10(at, 1), write=n.to_bytes(4, "big") * 128)))
            for h, name, at, value, cmd in batch:
                r = h.s.wait(cmd)
                if r.status == scsi.GOOD:
                    last[at] = value
                    seen["good", name] += 1
                elif r.sense.key == scsi.UNIT_ATTENTION:
                    assert (r.sense.asc, r.sense.ascq) == STATE_CHANGED, r
                    seen["attention", name] += 1
                else:
                    assert r.sense.key == scsi.NOT_READY and (name, (r.sense.asc, r.sense.ascq)) in refused, r
                    seen["refused", name] += 1
            for at, value in last.items():
                r = far.scsi(scsi.read10(at, 1), read=512)
                if r.status == scsi.GOOD:
                    assert r.data == value.to_bytes(4, "big") * 128, f"block {at}: lost or written twice"
    assert seen["good", "one"] and seen["refused", "one"] and seen["good", "two"] and not seen["refused", "two"]


def test_data_that_come_after_the_change(two, hosts):
    """A write whose data come when its port is in standby already: done, or refused and not done."""
    near, far, *_ = hosts
    far.scsi(scsi.write10(3000, 1), write=b"\x11" * 512).good()
    cmd = near.start(scsi.write10(3000, 1), write=b"\x22" * 512, imm=0, unsolicited=0, hold_r2t=True)
    while not cmd.r2ts:
        near.s.recv()
    with meanwhile(two, lambda t: t.state("one", STANDBY)) as thread:
        thread.join(0.2)                # it may wait for the write, or not
        near.s.answer_r2t(cmd, cmd.r2ts[0])
        r = near.s.wait(cmd)
    pr.attentions(hosts)
    now = far.scsi(scsi.read10(3000, 1), read=512).good().data
    if r.status == scsi.GOOD:
        assert now == b"\x22" * 512
    else:
        r.check(scsi.NOT_READY, alua.IN_STANDBY)
        assert now == b"\x11" * 512


# --- logical block dependent

REFERRALS = struct.pack(">BBQIBB", 0x9E, 0x13, 0, 1024, 0, 0)


def referrals(data):
    """SBC-3 5.17: (first, last, {group: state}) of each user data segment."""
    assert struct.unpack_from(">H", data, 2)[0] == len(data) - 4
    out, at = [], 4
    while at < len(data):
        n, first, last = struct.unpack_from(">3xBQQ", data, at)
        groups_ = [struct.unpack_from(">BxH", data, at + 20 + 4 * i) for i in range(n)]
        out.append((first, last, {g: s & 15 for s, g in groups_}))
        at += 20 + 4 * n
    return out


def test_logical_block_dependent(two, hosts):
    """5.15.2.4.7, SBC-3 4.25: each segment has its state at each port; a command that needs a segment which
    its port does not reach is refused and not done, the others are served."""
    near, far, *_ = hosts
    t = two.tree
    path = f"{t.of('r0')}/lba_map"
    t.c.call("set", path=path, value="0 0\n0 16383 10:O 20:A\n16384 32767 10:U 20:O\n")
    try:
        for name in ("one", "two"):
            t.group(name, "alua_access_type", 1)
            t.group(name, "alua_support_lba_dependent", 1)
            t.state(name, LBA_DEPENDENT)
        pr.attentions(hosts)
        g = groups(near)
        assert g[10].state == g[20].state == LBA_DEPENDENT and LBA_DEPENDENT in g[10].supported
        assert referrals(near.scsi(REFERRALS, read=1024).good().data) == \
            [(0, 16383, {10: OPTIMIZED, 20: NON_OPTIMIZED}), (16384, 32767, {10: UNAVAILABLE, 20: OPTIMIZED})]
        assert 0xB3 in near.scsi(scsi.inquiry(255, page=0), read=255).good().data[4:], "the Referrals page"
        for h in (near, far):
            tur(h).good()
            for lba in (0, 16376):
                h.scsi(scsi.write10(lba, 8), write=b"\x11" * 4096).good()
        far.scsi(scsi.write10(16384, 8), write=b"\x22" * 4096).good()
        for lba in (16384, 32760, 16380):
            for cdb, write, read in ((scsi.write10(lba, 8), 4096, 0), (scsi.read10(lba, 8), 0, 4096),
                                     (scsi.verify10(lba, 8), 0, 0), (scsi.write_same10(lba, 8), 512, 0)):
                r = near.scsi(cdb, write=b"\xEE" * write, read=read)
                assert r.status == scsi.CHECK_CONDITION, r
                assert (r.sense.key, r.sense.asc, r.sense.ascq) in (
                    (scsi.ABORTED_COMMAND, 0x3F, 0x15), (scsi.NOT_READY, *alua.IS_UNAVAILABLE)), r
                far.scsi(cdb, write=b"\x11" * write, read=read).good()
        assert b"\xEE" not in far.scsi(scsi.read10(16376, 16), read=8192).good().data
    finally:
        for name in ("one", "two"):
            t.state(name, OPTIMIZED)
            t.group(name, "alua_support_lba_dependent", 0)
        t.c.call("set", path=path, value="")
    pr.attentions(hosts)
    assert (0x9E, 0x13) not in cmds.listed(near.s, 0)


# --- groups of units

def test_lu_groups_move_together(two, hosts):
    """LIO's lu_gps: a change of a group's state is one of the groups with its id of all units in it."""
    near = hosts[0]
    t = two.tree
    for tag, name, ident in ((1, "one", 10), (2, "two", 20)):
        t.new_group(name, ident, of="r1")
        t.lun(tag, "alua_tg_pt_gp", name, lun=1)
    other = pr.Host(near.s, 1)
    t.c.call("mkdir", path="/core/alua/lu_gps/pair")
    t.c.call("set", path="/core/alua/lu_gps/pair/lu_gp_id", value="5")
    pr.attentions([*hosts, other])
    try:
        for so in ("r0", "r1"):
            t.c.call("set", path=f"{t.of(so)}/alua_lu_gp", value="pair")
        assert pr.told([*hosts, other]) == [INQUIRY_CHANGED] * 5, "it is in the page"
        page = alua.vpd_designators(near.scsi(scsi.inquiry(1024, page=0x83), read=1024).good().data)
        assert [d.value for d in page if d.type == 6] == [5], "LOGICAL UNIT GROUP (7.8.6.8)"
        t.state("one", STANDBY, of="r1")
        assert pr.told([*hosts, other]) == [STATE_CHANGED] * 5
        assert states(near)[10] == STANDBY and states(other)[10] == STANDBY
        stpg(near, (OPTIMIZED, 10)).good()
        assert states(other)[10] == OPTIMIZED
    finally:
        for so in ("r0", "r1"):
            t.c.call("set", path=f"{t.of(so)}/alua_lu_gp", value="default_lu_gp")
        t.c.call("rmdir", path="/core/alua/lu_gps/pair")
        for tag, name in ((1, "one"), (2, "two")):
            t.c.call("rmdir", path=f"{t.of('r1')}/alua/{name}")
        pr.attentions([*hosts, other])


# --- restarts

def test_restart(two):
    """Identifiers are the same after a restart from the saved file; states where alua_write_metadata=1."""
    d = ConfigDaemon(None)
    port2 = take_port()
    luns = [(0, "ramdisk/r0")]
    d.write({"storage_objects": [disk("r0")],
             "targets": [target_of(portal_group(1, d.port, luns), portal_group(2, port2, luns))]})
    try:
        d.start()
        t = Tree(d)
        for tag, name, ident in ((1, "one", 10), (2, "two", 20)):
            t.new_group(name, ident)
            t.lun(tag, "alua_tg_pt_gp", name)
            t.group(name, "alua_write_metadata", 1 if name == "one" else 0)
        t.c.call("save")

        def look():
            with d.session() as s, d.session_at(port2) as s2:
                a, b = pr.Host(s), pr.Host(s2)
                pr.attentions([a, b])
                found = [[x for x in alua.vpd_designators(h.scsi(scsi.inquiry(1024, page=0x83), read=1024).data)]
                         for h in (a, b)]
                return found, report(a)

        for how in (d.kill, d.stop):
            with d.session() as s:
                a = pr.Host(s)
                pr.attentions([a])
                stpg(a, (STANDBY, 10)).good()
            page, before = look()
            how()
            d.start()
            t = Tree(d)
            page2, after = look()
            assert page2 == page
            assert [(g.group, g.ports) for g in after.groups] == [(g.group, g.ports) for g in before.groups]
            assert {g.group: g.state for g in after.groups}[10] == STANDBY
            t.state("one", OPTIMIZED)
        d.stop()
    finally:
        d.discard()
        give_port(port2)

# SPDX-License-Identifier: BSD-3-Clause
"""Every command under every type of persistent reservation, from the holder, a registered nexus, one that
is not, and another port of the holder. SPC-4 5.12.1 tables 65 and 66, 5.12.3; SBC-3 table 13. What is
right is in lib/commands.py; a command that the target lists and that is not there fails."""

from collections import Counter

import pytest

from lib import commands as cmds
from lib import pr, scsi

KEY = {"holder": 0xA1, "registered": 0xB2, "nobody": 0, "other port": 0}


@pytest.fixture(scope="module")
def everything():
    """A daemon whose LUN offers all that there is: UNMAP, a removable medium."""
    from lib.daemon import make_daemon
    d = make_daemon(disks=("ram:32M",))
    d.start()
    try:
        name = d.disk_of(0)
        with d.control() as c:
            c.call("lun.remove", lun=0)
            for attr in ("attrib/emulate_tpu", "attrib/emulate_tpws", "removable"):
                c.call("set", path=f"/core/rd_mcp_0/{name}/{attr}", value="1")
            c.call("lun.add", disk=name, lun=0)
        yield d
        d.stop()
    finally:
        d.discard()


@pytest.fixture(scope="module")
def logged_in(everything):
    d = everything
    with pr.hosts(d, 0, 3) as (a, b, c), d.session(name=a.s.name) as s:
        yield {"holder": a, "registered": b, "nobody": c, "other port": pr.Host(s)}
        s.logout()


@pytest.fixture
def hosts(logged_in):
    """A holder, a registered host, one that is not, and a second port of the holder's initiator."""
    pr.attentions(logged_in.values())
    pr.wipe(logged_in["holder"])
    pr.attentions(logged_in.values())
    for who, h in logged_in.items():
        if KEY[who]:
            h.register(KEY[who])
    return logged_in


def may(c, who, rtype):
    """Whether the command runs; None: it may do as it likes."""
    rr = rtype in pr.REGISTRANTS_ONLY + pr.ALL_REGISTRANTS
    registered = who in ("holder", "registered")
    holds = who == "holder" if rtype not in pr.ALL_REGISTRANTS else registered
    if c.who == cmds.EITHER:
        return True if registered else None
    if c.who == cmds.MOVER:
        return holds and rtype not in pr.ALL_REGISTRANTS
    if c.who == cmds.REGISTERED:
        return registered
    if c.who == cmds.ALLOWED or holds:
        return True
    if c.who == cmds.HOLDER:
        return False
    if registered and rr:
        return True
    return c.who == cmds.READ and rtype not in pr.EXCLUSIVE_ACCESS


def ends(c, r):
    """An allowed command has come to its normal end."""
    if r.status == scsi.GOOD:
        return not c.fails or None in c.fails
    return r.status == scsi.CHECK_CONDITION and r.sense.key == scsi.ILLEGAL_REQUEST and \
        (r.sense.asc, r.sense.ascq) in c.fails


def run(host, c):
    return host.scsi(c.cdb, read=c.read, write=c.write)


def offered(host, all_commands):
    """Those that the target lists; each that it lists is among them."""
    listed = cmds.listed(host.s, 0)
    known = {c.key for c in all_commands}
    assert set(listed) <= known, f"listed, but not in lib/commands.py: {sorted(set(listed) - known, key=str)}"
    return [c for c in all_commands if c.key in listed]


@pytest.mark.parametrize("rtype", pr.TYPES)
def test_matrix(hosts, rtype):
    """Each command from each nexus ends as the tables say, and the reservation is what it was."""
    holder = hosts["holder"]
    modes = cmds.mode_lists(holder.s, 0)
    holder.reserve(rtype)
    before = holder.full_status()[1]
    seen, wrong = Counter(), []
    for who, h in hosts.items():
        for c in offered(holder, cmds.commands(modes, h.tid, KEY[who], rtype)):
            r = run(h, c)
            right = may(c, who, rtype)
            conflict = r.status == scsi.RESERVATION_CONFLICT
            seen[conflict] += 1
            if conflict:
                assert not r.data and not r.sense
            if conflict and right or not conflict and (right is False or not ends(c, r)):
                wrong.append(f"{c.label} from {who}: {r}, wanted {'it to run' if right else 'a conflict'}")
    assert not wrong, f"type {rtype}: " + "\n".join(wrong)
    assert seen[True] > 30 and seen[False] > 60
    assert holder.full_status()[1] == before
    assert pr.told(hosts.values()) == [None] * 4
    holder.release(rtype)
    pr.attentions(hosts.values())


def test_registered_but_not_reserved(hosts):
    """Registrations keep nobody from anything but RESERVE and RELEASE (SPC-2 5.5.1, SPC-4 5.12.3)."""
    holder = hosts["holder"]
    modes = cmds.mode_lists(holder.s, 0)
    for who, h in hosts.items():
        for c in offered(holder, cmds.commands(modes, h.tid, KEY[who])):
            if c.key[0] == 0x5F:
                continue
            r = run(h, c)
            want = scsi.RESERVATION_CONFLICT if c.who == cmds.LEGACY else scsi.GOOD
            assert r.status == want, f"{c.label} from {who}: {r}"


@pytest.mark.parametrize("rtype", pr.TYPES)
def test_what_is_refused_is_not_done(hosts, rtype):
    """A write that conflicts leaves the blocks alone, with its data along or asked for."""
    holder, nobody = hosts["holder"], hosts["nobody"]
    old, new = b"\x11" * 512, b"\x22" * 512
    holder.scsi(scsi.write10(2048, 1), write=old).good()
    holder.reserve(rtype)
    for cdb in (scsi.write6(2048, 1), scsi.write10(2048, 1), scsi.write16(2048, 1), scsi.write_same10(2048, 1)):
        assert nobody.scsi(cdb, write=new).status == scsi.RESERVATION_CONFLICT
        assert nobody.scsi(cdb, write=new, imm=0).status == scsi.RESERVATION_CONFLICT
    assert nobody.scsi(scsi.compare_and_write(2048, 1), write=old + new).status == scsi.RESERVATION_CONFLICT
    assert nobody.scsi(scsi.unmap(24), write=scsi.unmap_list((2048, 1))).status == scsi.RESERVATION_CONFLICT
    assert holder.scsi(scsi.read10(2048, 1), read=512).good().data == old
    holder.release(rtype)
    pr.attentions(hosts.values())


def test_other_luns_are_free(everything, hosts):
    """5.12.1: the scope is one logical unit."""
    d = everything
    lun = d.add_lun("ram:16M")
    pr.attentions(hosts.values())       # REPORTED LUNS DATA HAS CHANGED
    holder, nobody = hosts["holder"], hosts["nobody"]
    holder.reserve(pr.EA)
    nobody.s.clear_ua(lun)
    nobody.s.scsi(scsi.write10(0, 1), lun=lun, write=bytes(512)).good()
    assert pr.Host(nobody.s, lun).keys().keys == []
    assert nobody.scsi(scsi.write10(0, 1), write=bytes(512)).status == scsi.RESERVATION_CONFLICT
    holder.release(pr.EA)
    d.remove_lun(lun)
    pr.attentions(hosts.values())


def test_prevention_ends_with_a_preemption(hosts):
    """5.12.11.2.6 h): PREEMPT AND ABORT lets the medium go again that the preempted nexus held in place."""
    holder, registered = hosts["holder"], hosts["registered"]
    eject = scsi.start_stop(start=0, loej=1)
    holder.reserve(pr.WE_RO)
    registered.scsi(scsi.prevent_allow(1)).good()
    holder.scsi(eject).check(scsi.ILLEGAL_REQUEST, scsi.PREVENT_REMOVAL)
    holder.out(pr.PREEMPT_AND_ABORT, sark=KEY["registered"], rtype=pr.WE_RO).good()
    assert pr.attentions([registered]) == [[pr.REGISTRATIONS_PREEMPTED]]
    holder.scsi(eject).good()
    holder.scsi(scsi.start_stop(start=1, loej=1)).good()
    pr.attentions(hosts.values())
    holder.scsi(scsi.write10(0, 1), write=bytes(512)).good()

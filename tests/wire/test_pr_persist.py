# SPDX-License-Identifier: BSD-3-Clause
"""Persistence through power loss: what a daemon that was stopped or killed knows when it is back.
SPC-4 5.12.5, 5.12.11.2.1, 6.15.2; LIO's file aptpl_<serial>."""

import glob
import os

import pytest

from lib import alua, pr, scsi
from lib.ports import give_port, take_port
from lib.saveconfig import IQN, ConfigDaemon, disk, portal_group, target, target_of

KA, KB, KC = 0xA1, 0xB2C3D4E5F6071829, 0xC3
CONFLICT = scsi.RESERVATION_CONFLICT
LOST = (0x44, 0x01)                     # PERSISTENT RESERVATION INFORMATION LOST


@pytest.fixture(scope="module")
def machine():
    """A daemon with a file behind two target ports (LUN 0) and a RAM disk (LUN 1), to be restarted."""
    d = ConfigDaemon(None)
    d.port2 = take_port()
    luns = [(0, "fileio/f0"), (1, "ramdisk/r1")]
    d.write({"storage_objects": [disk("f0", "fileio", dev=f"{d.dir}/f0.img", write_back=True), disk("r1")],
             "targets": [target_of(portal_group(1, d.port, luns), portal_group(2, d.port2, luns))]})
    try:
        d.start()
        yield d
        d.stop()
    finally:
        d.discard()
        give_port(d.port2)


def restart(d, hosts, kill=True):
    """Power loss, or an orderly stop; the hosts log in anew with the same names."""
    if kill:
        d.kill()
    else:
        d.stop()
    d.start()
    for h in hosts:
        h.s.close()
        h.s = d.session_at(h.port, name=h.s.name, isid=h.s.isid)
    pr.attentions(hosts)


@pytest.fixture
def four(machine):
    """Hosts 0 to 2 at the first port, host 3 at the second; nothing registered at either LUN."""
    d = machine
    with pr.hosts(d, 1, 1) as (h,):
        pass                            # wipes LUN 1
    with pr.hosts(d, 0, 3) as hosts:
        for h in hosts:
            h.port = d.port
        s = d.session_at(d.port2, name="iqn.2026-01.example.test:host3")
        far = pr.Host(s)
        far.port = d.port2
        pr.attentions([far])
        yield [*hosts, far]
        far.s.close()


def status(h):
    """What must be the same before and after: not PRGENERATION, nor the order."""
    return sorted(h.full_status()[1], key=str), h.reservation()[1:], h.capabilities().ptpl_a


def test_aptpl_bit(machine, four):
    """6.16.3, 6.15.4: the last APTPL bit of a registration is what counts; others ignore it."""
    a, b, c, far = four
    caps = a.capabilities()
    assert caps.ptpl_c and not caps.ptpl_a, "this daemon keeps state in its directory"
    a.register(KA, aptpl=1)
    assert a.capabilities().ptpl_a
    a.out(pr.RESERVE, rtype=pr.WE, aptpl=0).good()
    assert a.capabilities().ptpl_a
    b.register(KB, aptpl=0)
    assert not a.capabilities().ptpl_a
    a.out(pr.RELEASE, rtype=pr.WE, aptpl=1).good()
    a.out(pr.PREEMPT, sark=KB, rtype=pr.WE, aptpl=1).good()
    assert not a.capabilities().ptpl_a
    assert pr.told(four) == [None, pr.REGISTRATIONS_PREEMPTED, None, None]
    a.out(pr.RESERVE, rtype=pr.WE).good()
    a.out(pr.REGISTER_AND_MOVE, data=pr.move_parameters(KA, KB, a.rtpi(), b.tid, aptpl=1)).good()
    assert a.capabilities().ptpl_a
    assert a.out(pr.REGISTER, KC, KB, aptpl=0).status == scsi.RESERVATION_CONFLICT
    assert a.capabilities().ptpl_a, "a refused command changes nothing"
    a.out(pr.REGISTER, KA, 0, aptpl=0).good()
    assert not a.capabilities().ptpl_a


@pytest.mark.parametrize("kill", (True, False), ids=("killed", "stopped"))
def test_everything_is_back(machine, four, kill):
    """5.12.5.1: registrations, the reservation, its holder, at which port; PRGENERATION is 0 (6.15.2);
    who is no holder is kept out from its first command on."""
    a, b, c, far = four
    a.register(KA, aptpl=1)
    b.register(KB, aptpl=1)
    far.register(KC, aptpl=1)
    far.reserve(pr.EA)
    before = status(c)
    restart(machine, four, kill)
    assert status(c) == before
    assert c.generation() == 0, "PRGENERATION after a power on"
    assert c.scsi(scsi.read10(0, 1), read=512).status == CONFLICT
    assert b.scsi(scsi.read10(0, 1), read=512).status == CONFLICT
    far.scsi(scsi.write10(0, 1), write=bytes(512)).good()
    assert b.out(pr.REGISTER, 0, 1).status == CONFLICT, "it is registered"
    a.out(pr.PREEMPT, sark=KC, rtype=pr.WE_RO).good()
    assert pr.told(four) == [None, pr.RESERVATIONS_RELEASED, None, pr.REGISTRATIONS_PREEMPTED]
    assert c.generation() == 1


def test_first_command_meets_the_reservation(machine, four):
    """Not even the first commands after a restart, unit attention taken along, slip in."""
    a, b, *_ = four
    a.register(KA, aptpl=1)
    a.reserve(pr.EA_RO)
    machine.kill()
    machine.start()
    s = machine.session(name=b.s.name, isid=b.s.isid)
    first = [s.start(scsi.write10(0, 1), write=b"\xEE" * 512) for _ in range(8)]
    for cmd in first:
        r = s.wait(cmd)
        assert r.status == CONFLICT or r.sense.key == scsi.UNIT_ATTENTION, r
    s.logout()
    restart(machine, four)


def test_nothing_is_back_without_aptpl(machine, four):
    """5.12.11.2.1: APTPL was 0 in the last registration."""
    a, b, c, _ = four
    a.register(KA, aptpl=1)
    a.reserve(pr.WE)
    b.register(KB, aptpl=0)
    assert not c.capabilities().ptpl_a
    restart(machine, four)
    assert c.full_status() == (0, []) and c.reservation().type is None
    c.scsi(scsi.write10(0, 1), write=bytes(512)).good()
    assert not c.capabilities().ptpl_a


STEPS = (
    ("register more", lambda a, b, c: c.register(KC, aptpl=1)),
    ("reserve", lambda a, b, c: a.reserve(pr.WE_RO)),
    ("change a key", lambda a, b, c: b.out(pr.REGISTER, KB, KC, aptpl=1).good()),
    ("preempt", lambda a, b, c: b.out(pr.PREEMPT, KC, KA, pr.EA_AR).good()),
    ("remove a registration", lambda a, b, c: c.out(pr.REGISTER, KC, 0, aptpl=1).good()),
    ("release", lambda a, b, c: b.out(pr.RELEASE, KC, rtype=pr.EA_AR).good()),
    ("reserve again", lambda a, b, c: b.out(pr.RESERVE, KC, rtype=pr.EA).good()),
    ("move", lambda a, b, c: b.out(pr.REGISTER_AND_MOVE, data=pr.move_parameters(
        KC, KA, b.rtpi(), c.tid, unreg=1, aptpl=1)).good()),
    ("clear", lambda a, b, c: c.out(pr.CLEAR, KA).good()),
)


def test_every_change_is_kept(machine, four):
    """5.12.5.1: with APTPL=1 what GOOD was told of is there after a kill right behind it."""
    a, b, c, far = four
    a.register(KA, aptpl=1)
    b.register(KB, aptpl=1)
    for what, step in STEPS:
        pr.attentions(four)
        step(a, b, c)
        before = status(far)
        assert before[2], "PTPL_A"
        restart(machine, four)
        assert status(far) == before, what


def test_luns_apart(machine, four):
    """Each unit has an APTPL of its own."""
    a, b, *_ = four
    ram = pr.Host(a.s, 1)
    pr.attentions([ram])
    a.register(KA, aptpl=0)
    ram.register(KB, aptpl=1)
    ram.reserve(pr.EA)
    restart(machine, four)
    ram.s = a.s
    pr.attentions([ram])
    assert a.keys().keys == [] and ram.keys().keys == [KB] and ram.reservation().key == KB


def test_all_ports_are_kept(machine, four):
    """What was registered with ALL_TG_PT is there at each port, under the same identifiers."""
    a, b, *_ = four
    a.register(KA, aptpl=1, all_tg_pt=1)
    before = status(b)
    restart(machine, four)
    assert status(b) == before
    twin = pr.Host(machine.session_at(machine.port2, name=a.s.name, isid=a.s.isid))
    pr.attentions([twin])
    twin.out(pr.RESERVE, KA, rtype=pr.WE).good()
    twin.s.logout()


def fields(text):
    """The blocks of an APTPL file as dictionaries."""
    out = []
    for line in text.replace("\0", "").splitlines():
        key, _, value = line.strip().partition("=")
        if line.startswith("PR_REG_START:"):
            out.append({})
        elif "=" in line:
            out[-1][key.strip()] = value.strip()
    return out


def test_the_file_is_lios(machine, four):
    """LIO's format and place: <dbroot>/pr/aptpl_<serial>; no more in it than belongs there."""
    a, b, *_ = four
    a.register(KA, aptpl=1)
    b.register(KB, aptpl=1)
    b.reserve(pr.WE_RO)
    path = the_file(machine)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, encoding="ascii") as f:
        regs = {r["initiator_node"]: r for r in fields(f.read())}
    assert set(regs) == {a.s.name, b.s.name}
    r = regs[b.s.name]
    assert r["initiator_fabric"] == "iSCSI" and r["initiator_sid"] == b.s.isid.hex()
    assert r["sa_res_key"] == str(KB) and r["res_holder"] == "1" and regs[a.s.name]["res_holder"] == "0"
    assert (r["res_type"], r["res_scope"]) == ("05", "00") and "res_type" not in regs[a.s.name]
    assert (r["target_node"], r["tpgt"], r["target_lun"], r["mapped_lun"]) == (IQN, "1", "0", "0")
    assert r["port_rtpi"] == str(b.rtpi())


def the_file(d):
    path, = glob.glob(f"{d.state_dir}/**/pr/aptpl_wwn-f0", recursive=True)
    return path


def restart_after(d, hosts, change):
    """Power loss, after which change() happens to what was kept. The hosts are logged in, no more."""
    d.kill()
    change()
    d.start()
    for h in hosts:
        h.s.close()
        h.s = d.session_at(h.port, name=h.s.name, isid=h.s.isid)


def test_a_damaged_file(machine, four):
    """A file that was cut off, anywhere, or has other bytes in it is not taken for the truth: what was kept
    is there all the same, and the damaged one is kept aside and told of."""
    a, b, *_ = four
    a.register(KA, aptpl=1)
    b.register(KB, aptpl=1)
    a.reserve(pr.EA)
    before = status(b)
    path = the_file(machine)
    size = os.stat(path).st_size

    def flip():
        with open(path, "r+b") as f:
            f.seek(size // 3)
            byte = f.read(1)
            f.seek(size // 3)
            f.write(bytes([byte[0] ^ 0x80]))

    for change in (lambda: os.truncate(path, size // 2), lambda: os.truncate(path, 0), flip,
                   lambda: os.truncate(path, size - 1)):
        restart_after(machine, four, change)
        pr.attentions(four)
        assert status(b) == before
    assert glob.glob(f"{path}.*") and "is damaged" in machine.log()


def test_a_file_that_is_gone(machine, four):
    """The same for one that was removed."""
    a, b, *_ = four
    a.register(KA, aptpl=1)
    a.reserve(pr.EA_AR)
    before = status(b)
    restart_after(machine, four, lambda: os.unlink(the_file(machine)))
    pr.attentions(four)
    assert status(b) == before


def test_a_file_of_lio(machine, four):
    """A valid file that somebody else wrote while the daemon was down is what counts: a site moves here."""
    a, b, c, _ = four
    a.register(KA, aptpl=1)
    path = the_file(machine)
    reg = "".join(f"{line}\n" for line in (
        "PR_REG_START: 0", "initiator_fabric=iSCSI", f"initiator_node={b.s.name}",
        f"initiator_sid={b.s.isid.hex()}", f"sa_res_key={KB}", "res_holder=1", "res_type=06", "res_scope=00",
        "res_all_tg_pt=0", "mapped_lun=0", "target_fabric=iSCSI", f"target_node={IQN}", "tpgt=1", "port_rtpi=1",
        "target_lun=0", "PR_REG_END: 0"))

    def write():
        with open(path, "wb") as f:
            f.write(reg.encode() + b"\0")

    restart_after(machine, four, write)
    pr.attentions(four)
    assert c.keys().keys == [KB] and c.reservation()[1:] == (KB, 0, pr.EA_RO)
    assert c.full_status()[1][0].tid == pr.TransportID(5, 1, b.s.name, b.s.isid)
    b.scsi(scsi.write10(0, 1), write=bytes(512)).good()
    assert a.scsi(scsi.write10(0, 1), write=bytes(512)).status == CONFLICT


def test_lost(machine, four):
    """5.12.5.3.2, 5.12.11.3: what was kept cannot be read at all: all but a few commands are DATA PROTECT,
    PERSISTENT RESERVATION INFORMATION LOST, for everyone, until REPLACE LOST RESERVATION, which starts anew."""
    a, b, c, _ = four
    a.register(KA, aptpl=1)
    a.reserve(pr.WE)
    path = the_file(machine)

    def ruin():
        for name in (path, *glob.glob(f"{os.path.dirname(path)}/*/aptpl_wwn-f0*")):
            with open(name, "wb") as f:
                f.write(b"rubbish")

    restart_after(machine, four, ruin)
    for h in (a, b):
        h.scsi(scsi.test_unit_ready()).check(scsi.UNIT_ATTENTION)
        for cdb, kw in ((scsi.test_unit_ready(), {}), (scsi.read10(0, 1), {"read": 512}),
                        (scsi.write10(0, 1), {"write": bytes(512)}), (scsi.read_capacity16(), {"read": 32}),
                        (scsi.mode_sense6(0x3F), {"read": 252}), (pr.pr_in(pr.READ_KEYS), {"read": 4096}),
                        (scsi.reserve6(), {}), (pr.pr_out(pr.REGISTER), {"write": pr.parameters(0, KA)}),
                        (pr.pr_out(pr.CLEAR), {"write": pr.parameters(KA)})):
            h.scsi(cdb, **kw).check(scsi.DATA_PROTECT, LOST)
        for cdb in (scsi.inquiry(96), scsi.report_luns(), scsi.request_sense(), alua.rtpg()):
            h.scsi(cdb, read=96).good()
        h.scsi(scsi.start_stop(1)).good()
    # It needs a key of zero, and a type.
    assert b.out(pr.REPLACE_LOST_RESERVATION, KB, KB, pr.EA).status == CONFLICT
    b.out(pr.REPLACE_LOST_RESERVATION, 0, KB, 2).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_CDB)
    b.out(pr.REPLACE_LOST_RESERVATION, 0, KB, pr.EA, aptpl=1).good()
    pr.attentions(four)
    assert c.keys() == pr.Keys(0, [KB], 8) and c.reservation()[1:] == (KB, 0, pr.EA)
    assert c.capabilities().ptpl_a
    b.scsi(scsi.write10(0, 1), write=bytes(512)).good()
    assert a.scsi(scsi.read10(0, 1), read=512).status == CONFLICT
    before = status(c)
    restart(machine, four)
    assert status(c) == before


def test_refused_where_it_cannot_be_kept(new_daemon):
    """6.16.3: without a place for it APTPL=1 is INVALID FIELD IN PARAMETER LIST, and PTPL_C tells so."""
    d = new_daemon(disks=("ram:16M",), args=("--dbroot", "none"))
    with pr.hosts(d, 0, 2) as (a, b):
        assert not a.capabilities().ptpl_c
        for action in (pr.REGISTER, pr.REGISTER_AND_IGNORE):
            a.out(action, 0, KA, aptpl=1).check(scsi.ILLEGAL_REQUEST, scsi.INVALID_FIELD_IN_PARAMETERS)
        assert a.keys().keys == []
        a.register(KA)
        a.reserve(pr.EA)
        assert a.out(pr.RELEASE, rtype=pr.EA, aptpl=1).status == scsi.GOOD


def test_force_pr_aptpl():
    """force_pr_aptpl=1 (LIO): every registration is kept, whatever its APTPL bit says."""
    d = ConfigDaemon(None)
    d.write({"storage_objects": [disk("r0", attributes={"force_pr_aptpl": 1})],
             "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    with d:
        with d.session() as s:
            h = pr.Host(s)
            pr.attentions([h])
            h.register(KA, aptpl=0)
            assert h.capabilities().ptpl_a
            d.kill()
        d.start()
        with d.session() as s:
            h = pr.Host(s)
            pr.attentions([h])
            assert h.keys().keys == [KA]

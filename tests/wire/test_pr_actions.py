# SPDX-License-Identifier: BSD-3-Clause
"""PERSISTENT RESERVE OUT, every service action from every situation, and PERSISTENT RESERVE IN. What is
right is said by lib/prmodel.py, which follows SPC-4 5.13; the rest of SPC-4 6.15, 6.16, 7.6.4."""

import random
import struct

import pytest

from lib import pr, scsi
from lib.initiator import new_isid
from lib.prmodel import CONFLICT, GOOD, Model

KA, KB, KC, KD, NOBODY = 0xA1, 0xB2, 0xC3, 0xD4, 0x5EED
ILLEGAL = scsi.ILLEGAL_REQUEST
OLDER = (scsi.INVALID_FIELD_IN_PARAMETERS, scsi.INVALID_FIELD_IN_CDB)
LIST_ERROR = (scsi.INVALID_FIELD_IN_PARAMETERS, scsi.PARAMETER_LIST_LENGTH_ERROR)
# A type of another kind, for each.
ANOTHER = {None: pr.WE, pr.WE: pr.EA, pr.EA: pr.WE_RO, pr.WE_RO: pr.WE_AR, pr.EA_RO: pr.EA,
           pr.WE_AR: pr.EA_AR, pr.EA_AR: pr.EA_RO}


def verdict(r):
    if r.status == scsi.GOOD:
        return GOOD
    if r.status == scsi.RESERVATION_CONFLICT:
        return CONFLICT
    assert r.status == scsi.CHECK_CONDITION and r.sense.key == ILLEGAL, r
    return r.sense.asc, r.sense.ascq


def refused(r, *codes):
    """CHECK CONDITION, ILLEGAL REQUEST, with one of these."""
    assert verdict(r) in codes, f"{r}, wanted one of {codes}"
    return r


class Cluster:
    """Four hosts, of which the last is seldom registered, and the model that they are compared with."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.rtpi = hosts[0].rtpi()
        self.nexus = [((h.s.name, h.s.isid), self.rtpi) for h in hosts]
        self.model = Model()
        self.model.generation = hosts[0].generation()

    def send(self, i, action, key=0, sark=0, rtype=0, scope=0, dest=None, unreg=0):
        data = None
        if action == pr.REGISTER_AND_MOVE:
            data = pr.move_parameters(key, sark, self.rtpi, self.hosts[dest].tid, unreg)
        return self.hosts[i].out(action, key, sark, rtype, scope, data=data)

    def step(self, i, action, **kw):
        """One command: its verdict, the state after it, and the unit attentions of all."""
        r = self.send(i, action, **kw)
        model = self.model.copy()
        before = f"{model.state()}"
        if kw.get("dest") is not None:
            kw["dest"] = self.nexus[kw["dest"]]
        right = self.model.apply(self.nexus[i], action, **kw)
        got = verdict(r)
        what = f"{pr.ACTION[action]} from host {i} {kw}, before: {before}"
        assert got in right, f"{what}: {r}, right are {right}"
        if got != GOOD:
            self.model = model
        told = pr.told(self.hosts)
        assert told == [self.model.told.get(n) for n in self.nexus], f"{what}: unit attentions {told}"
        generation, status = self.hosts[0].full_status()
        shown = {((s.tid.name, s.tid.isid), s.rtpi): (s.key, s.holder, s.type) for s in status}
        assert shown == self.model.state() and len(status) == len(shown), f"{what}: {shown}"
        assert generation == self.model.generation & 0xFFFFFFFF, f"{what}: PRGENERATION {generation:#x}"
        return got

    def become(self, regs, rtype, holder):
        """Bring about a situation: regs are the keys of the hosts, 0 for none."""
        want = {n: k for n, k in zip(self.nexus, regs) if k}
        m = self.model
        if m.regs == want and m.type == rtype and (rtype is None or rtype in pr.ALL_REGISTRANTS or
                                                   m.holder == self.nexus[holder]):
            return
        if m.regs:
            nexus, key = next(iter(m.regs.items()))
            m.apply(nexus, pr.CLEAR, key)
            self.hosts[self.nexus.index(nexus)].out(pr.CLEAR, key).good()
            pr.attentions([self.hosts[self.nexus.index(n)] for n in m.told])
        for cmd in [(i, self.hosts[i].start_out(pr.REGISTER, 0, key)) for i, key in enumerate(regs) if key]:
            self.hosts[cmd[0]].s.wait(cmd[1]).good()
        for n in want:
            m.apply(n, pr.REGISTER, 0, want[n])
        if rtype is not None:
            self.hosts[holder].out(pr.RESERVE, regs[holder], rtype=rtype).good()
            m.apply(self.nexus[holder], pr.RESERVE, regs[holder], rtype=rtype)

    def check_reports(self):
        """READ KEYS and READ RESERVATION agree with the model."""
        m = self.model
        assert sorted(self.hosts[3].keys().keys) == sorted(m.regs.values())
        got = self.hosts[3].reservation()
        key = None if m.type is None else 0 if m.holder is None else m.regs[m.holder]
        assert (got.key, got.type, got.scope) == (key, m.type, None if m.type is None else 0)


@pytest.fixture
def cluster(daemon, lun):
    with pr.hosts(daemon, lun, 4) as hosts:
        yield Cluster(hosts)


@pytest.fixture
def four(daemon, lun):
    with pr.hosts(daemon, lun, 4) as hosts:
        yield hosts


# --- every action from every situation

def situations(rtype):
    """(keys of the four hosts, holder): host 0 acts."""
    for a in (0, KA):
        for b in (0, KB, KA):
            for c in (0, KC):
                regs = (a, b, c, 0)
                if rtype is None:
                    yield regs, None
                    continue
                for holder in (0, 1):
                    if regs[holder] and not (holder and rtype in pr.ALL_REGISTRANTS and a):
                        yield regs, holder


def actions(own, rtype):
    """(action, parameters) of host 0, whose key is own."""
    same, other = rtype or pr.EA_RO, ANOTHER[rtype]
    for key in {own, NOBODY, 0}:
        for sark in (0, KD):
            yield pr.REGISTER, dict(key=key, sark=sark)
    for sark in (0, KD):
        yield pr.REGISTER_AND_IGNORE, dict(key=NOBODY, sark=sark)
    for t in (same, other):
        yield pr.RESERVE, dict(key=own, rtype=t)
        yield pr.RELEASE, dict(key=own, rtype=t)
    yield pr.CLEAR, dict(key=own, rtype=0xF, scope=3)
    for action in (pr.PREEMPT, pr.PREEMPT_AND_ABORT):
        for sark in (0, KA, KB, KC, NOBODY):
            yield action, dict(key=own, sark=sark, rtype=same)
        for sark in (KA, KB):
            yield action, dict(key=own, sark=sark, rtype=other)
        yield action, dict(key=own, sark=KC, rtype=0xF, scope=0)
    for dest in (1, 3):
        for unreg in (0, 1):
            yield pr.REGISTER_AND_MOVE, dict(key=own, sark=KD, dest=dest, unreg=unreg)
    yield pr.REGISTER_AND_MOVE, dict(key=own, sark=0, dest=1)
    yield pr.REGISTER_AND_MOVE, dict(key=own, sark=KD, dest=0)
    for action in (pr.RESERVE, pr.RELEASE, pr.CLEAR, pr.PREEMPT, pr.PREEMPT_AND_ABORT):
        yield action, dict(key=NOBODY, sark=KB, rtype=same)
    yield pr.REGISTER_AND_MOVE, dict(key=NOBODY, sark=KD, dest=1)


@pytest.mark.parametrize("rtype", (None, *pr.TYPES))
def test_every_action(cluster, rtype):
    """SPC-4 5.12.7 to 5.12.11: verdict, registrations, holder, type, PRGENERATION, unit attentions."""
    n = 0
    for regs, holder in situations(rtype):
        cases = []
        for action, kw in actions(regs[0], rtype):
            m = Model()
            m.regs = {x: k for x, k in zip(cluster.nexus, regs) if k}
            m.type, m.holder = rtype, None if holder is None or rtype in pr.ALL_REGISTRANTS else cluster.nexus[holder]
            before = m.state()
            dest = kw.get("dest")
            m.apply(cluster.nexus[0], action, **{**kw, "dest": None if dest is None else cluster.nexus[dest]})
            cases.append((m.state() != before, action, kw))
        for _, action, kw in sorted(cases, key=lambda c: c[0]):
            cluster.become(regs, rtype, holder)
            cluster.step(0, action, **kw)
            n += 1
    assert n > 400


@pytest.mark.parametrize("seed", range(3))
def test_walk(cluster, seed):
    """Random commands of four hosts, each with keys that are often right."""
    rng = random.Random(seed)
    names = (KA, KB, KC, KD)
    done = {}
    for n in range(300):
        action = rng.choice((pr.REGISTER, pr.REGISTER, pr.REGISTER_AND_IGNORE, pr.RESERVE, pr.RESERVE, pr.RESERVE,
                             pr.RELEASE, pr.RELEASE, pr.CLEAR, pr.PREEMPT, pr.PREEMPT, pr.PREEMPT_AND_ABORT,
                             pr.REGISTER_AND_MOVE))
        i = rng.randrange(4)
        if action == pr.REGISTER_AND_MOVE and cluster.model.holder and rng.random() < .7:
            i = cluster.nexus.index(cluster.model.holder)
        mine = cluster.model.regs.get(cluster.nexus[i], 0)
        rtype = rng.choice(pr.TYPES)
        if cluster.model.type and rng.random() < .5:
            rtype = cluster.model.type
        kw = dict(key=mine if rng.random() < .9 else rng.choice(names), sark=rng.choice((*names, *names, 0)),
                  rtype=rtype, dest=rng.randrange(4) if action == pr.REGISTER_AND_MOVE else None,
                  unreg=rng.randrange(2))
        if action == pr.CLEAR and rng.random() < .7:
            kw["key"] = NOBODY
        got = cluster.step(i, action, **kw)
        done[action] = done.get(action, 0) + (got == GOOD)
        if n % 8 == 0:
            cluster.check_reports()
    assert all(done.values()), f"an action never succeeded: {done}"


# --- fields of the CDB and of the parameter list

def test_types_and_scopes(cluster):
    """6.15.3.3, 6.15.3.4: another scope than LU_SCOPE and the reserved and obsolete types are refused
    where they count, and not looked at where they do not (5.12.7, 5.12.11.2.5, 5.12.11.2.7)."""
    cluster.become((KA, KB, KC, 0), None, None)
    for t in range(16):
        if t not in pr.TYPES:
            cluster.step(0, pr.RESERVE, key=KA, rtype=t)
    for scope in (1, 2, 0xF):
        cluster.step(0, pr.RESERVE, key=KA, rtype=pr.WE, scope=scope)
    r = cluster.send(0, pr.RESERVE, key=KA, rtype=2)
    where = scsi.field_pointer(r.sense)
    assert where is None or where[:2] == (True, 2), f"the field pointer is TYPE in byte 2 of the CDB: {where}"
    for t in pr.BAD_TYPES:
        cluster.step(0, pr.REGISTER, key=KA, sark=KA, rtype=t, scope=9)
        cluster.step(0, pr.REGISTER_AND_IGNORE, sark=KA, rtype=t, scope=9)
    cluster.step(0, pr.PREEMPT, key=KA, sark=KC, rtype=2, scope=7)
    cluster.become((KA, KB, 0, 0), pr.WE, 1)
    for t in pr.BAD_TYPES:
        cluster.step(0, pr.PREEMPT, key=KA, sark=KB, rtype=t)
    for scope in (1, 2, 0xF):
        cluster.step(0, pr.PREEMPT_AND_ABORT, key=KA, sark=KB, rtype=pr.WE, scope=scope)
        cluster.step(1, pr.RELEASE, key=KB, rtype=pr.WE, scope=scope)
    cluster.step(1, pr.CLEAR, key=KB, rtype=0xF, scope=0xF)


def test_service_actions_that_are_not_there(four):
    """4.2.5.2: reserved service actions of both commands."""
    a = four[0]
    a.register(KA)
    for action in range(9, 32):
        a.scsi(pr.pr_out(action), write=pr.parameters(KA, KB)).check(ILLEGAL, scsi.INVALID_FIELD_IN_CDB)
    for action in range(4, 32):
        a.scsi(pr.pr_in(action), read=4096).check(ILLEGAL, scsi.INVALID_FIELD_IN_CDB)
    assert a.keys().keys == [KA]


def test_reserved_bits_of_the_cdb(four):
    """What REPORT SUPPORTED OPERATION CODES does not know must not be set (SPC-4 6.35.3)."""
    a = four[0]
    a.register(KA)
    for byte, bit in ((1, 0x20), (1, 0x80), (3, 1), (4, 0x80)):
        cdb = bytearray(pr.pr_out(pr.RESERVE, pr.WE))
        cdb[byte] |= bit
        a.scsi(bytes(cdb), write=pr.parameters(KA)).check(ILLEGAL, scsi.INVALID_FIELD_IN_CDB)
    for byte, bit in ((1, 0x20), (2, 1), (6, 0x80)):
        cdb = bytearray(pr.pr_in(pr.READ_KEYS))
        cdb[byte] |= bit
        a.scsi(bytes(cdb), read=4096).check(ILLEGAL, scsi.INVALID_FIELD_IN_CDB)
    assert a.reservation().type is None


def test_parameter_list_length(four):
    """6.16.2: 24 bytes, unless SPEC_I_PT or REGISTER AND MOVE."""
    a = four[0]
    a.register(KA)
    before = a.generation()
    for action in (pr.REGISTER, pr.RESERVE, pr.RELEASE, pr.CLEAR, pr.PREEMPT, pr.PREEMPT_AND_ABORT,
                   pr.REGISTER_AND_IGNORE):
        for n in (0, 1, 8, 16, 20, 23, 25, 28, 52, 4096):
            data = (pr.parameters(KA, KB) + bytes(4096))[:n]
            r = a.scsi(pr.pr_out(action, pr.WE, length=n), write=data)
            refused(r, scsi.PARAMETER_LIST_LENGTH_ERROR)
    for n in (0xFFFFFFFF, 0x80000018, 1 << 20):
        refused(a.scsi(pr.pr_out(pr.REGISTER, length=n), write=pr.parameters(KA, KB)),
                scsi.PARAMETER_LIST_LENGTH_ERROR, scsi.INVALID_FIELD_IN_CDB)
    assert a.full_status()[1][0].key == KA and a.generation() == before
    assert a.reservation().type is None


def test_less_data_than_said(four):
    """The initiator sends less than PARAMETER LIST LENGTH: nothing is made up for the rest."""
    a = four[0]
    for n in (0, 8, 16, 23):
        r = a.scsi(pr.pr_out(pr.REGISTER), write=pr.parameters(0, KA)[:n])
        assert r.status == scsi.CHECK_CONDITION and r.sense.key in (ILLEGAL, scsi.ABORTED_COMMAND), r
    a.scsi(pr.pr_out(pr.REGISTER), write=pr.parameters(0, KA) + bytes(40)).good()
    assert a.keys().keys == [KA]


def test_replace_lost_reservation(four):
    """5.12.11.3: nothing has been lost. Where the action is not offered (RLR_C) it is not there."""
    a, b, *_ = four
    can = a.capabilities().rlr_c
    right = pr.INVALID_RELEASE if can else scsi.INVALID_FIELD_IN_CDB
    for setup in (lambda: None, lambda: a.register(KA), lambda: a.reserve(pr.EA)):
        setup()
        before = a.full_status()
        refused(a.out(pr.REPLACE_LOST_RESERVATION, 0, KC, pr.WE), right)
        assert a.full_status() == before
    r = b.out(pr.REPLACE_LOST_RESERVATION, 0, KC, pr.WE)
    assert verdict(r) in (CONFLICT, right), r
    assert b.full_status() == before


# --- SPEC_I_PT

def spec(host, sark, *tids, key=0, action=pr.REGISTER, **kw):
    """A command with SPEC_I_PT; the rest of the parameter list may be given as more."""
    more = kw.pop("more", None)
    return host.out(action, data=pr.parameters(key, sark, spec_i_pt=1, **kw) +
                    (pr.transport_ids(*tids) if more is None else more))


def test_spec_i_pt(four):
    """Table 67, 6.16.3: the sender and all that are named are registered, and may reserve at once."""
    a, b, c, d = four
    assert a.capabilities().sip_c
    before = a.generation()
    spec(a, KA, b.tid, c.tid).good()
    generation, status = a.full_status()
    assert {(s.tid.name, s.tid.isid, s.key) for s in status} == {(h.s.name, h.s.isid, KA) for h in (a, b, c)}
    assert len(status) == 3 and generation > before
    assert pr.told(four) == [None] * 4
    b.out(pr.RESERVE, KA, rtype=pr.EA).good()
    assert d.scsi(scsi.read10(0, 1), read=512).status == scsi.RESERVATION_CONFLICT


def test_spec_i_pt_of_absent_hosts(daemon, four, lun):
    """A registration is by name: who is named need not be logged in, and is registered when it is."""
    a = four[0]
    isid = new_isid()
    name = "iqn.2026-01.example.test:later"
    spec(a, KB, pr.iscsi_tid(name, isid)).good()
    a.key = KB
    a.reserve(pr.EA_RO)
    with daemon.session(name=name, isid=isid) as s, daemon.session(name=name) as other:
        later, stranger = pr.Host(s, lun, KB), pr.Host(other, lun)
        pr.attentions([later, stranger])
        later.scsi(scsi.write10(0, 1), write=bytes(512)).good()
        assert stranger.scsi(scsi.write10(0, 1), write=bytes(512)).status == scsi.RESERVATION_CONFLICT
        later.out(pr.PREEMPT, KB, KB, pr.WE_RO).good()
        assert later.reservation().type == pr.WE_RO
        s.logout()
        other.logout()
    a.s.clear_ua(lun)


def test_spec_i_pt_by_device_name(daemon, four, lun):
    """7.6.4.6: TPID FORMAT 00b is every port of that initiator that the device server knows."""
    a, b, *_ = four
    with daemon.session(name=b.s.name) as s:
        second = pr.Host(s, lun)
        pr.attentions([second])
        spec(a, KA, pr.iscsi_tid(b.s.name)).good()
        got = {(x.tid.name, x.tid.isid) for x in a.full_status()[1]}
        assert got == {(h.s.name, h.s.isid) for h in (a, b, second)}
        s.logout()


def test_spec_i_pt_names_are_not_case_sensitive(four):
    """RFC 3722, RFC 7143 4.2.7: names are in lower case; the digits of the ISID are a number."""
    a, b, *_ = four
    text = f"{b.s.name},i,0x{b.s.isid.hex()}".upper().replace(",I,0X", ",i,0x").encode() + b"\0"
    text += bytes(-len(text) % 4)
    spec(a, KA, struct.pack(">BxH", 0x45, len(text)) + text).good()
    assert {(x.tid.name, x.tid.isid) for x in a.full_status()[1]} == {(h.s.name, h.s.isid) for h in (a, b)}


def test_spec_i_pt_refusals(four):
    """Tables 67 and 216: where SPEC_I_PT must not be set, and who must not be named."""
    a, b, c, d = four
    assert verdict(spec(a, KA, b.tid, key=NOBODY)) == CONFLICT
    assert verdict(spec(a, 0, b.tid)) == GOOD
    assert a.keys().keys == []
    c.register(KC)
    refused(spec(a, KA, b.tid, c.tid), *OLDER)
    assert a.keys().keys == [KC], "no registrations are made when one fails"
    a.register(KA)
    for sark in (0, KB):
        refused(spec(a, sark, b.tid, key=KA), *OLDER)
    for action in (pr.RESERVE, pr.RELEASE, pr.CLEAR, pr.PREEMPT, pr.PREEMPT_AND_ABORT, pr.REGISTER_AND_IGNORE):
        for tids in ((d.tid,), ()):
            r = a.out(action, data=pr.parameters(KA, KC, spec_i_pt=1) + (pr.transport_ids(*tids) if tids else b""),
                      rtype=pr.WE)
            refused(r, scsi.INVALID_FIELD_IN_PARAMETERS)
    assert sorted(a.keys().keys) == [KA, KC] and a.reservation().type is None
    assert pr.told(four) == [None] * 4


def test_spec_i_pt_twice_the_same(four):
    """One nexus has one registration, however often it is named."""
    a, b, *_ = four
    got = verdict(spec(a, KA, b.tid, b.tid, a.tid))
    assert got in (GOOD, scsi.INVALID_FIELD_IN_PARAMETERS)
    status = a.full_status()[1]
    assert len(status) == (2 if got == GOOD else 0)


def bad_lists(tid):
    """(what, bytes behind the first 24)."""
    yield "no list", b""
    yield "half a length", b"\0\0"
    yield "more than is there", pr.transport_ids(tid, length=len(tid) + 24)
    yield "far more than is there", pr.transport_ids(tid, length=0xFFFFFFFC)
    yield "cut off", pr.transport_ids(tid, length=len(tid) - 4)
    yield "cut off within the header", pr.transport_ids(tid[:3], length=3)
    yield "not by four", pr.transport_ids(tid, b"\0\0", length=len(tid) + 2)
    yield "reserved protocol", pr.transport_ids(b"\x0E" + tid[1:])
    yield "no protocol", pr.transport_ids(b"\x4F" + tid[1:])
    yield "reserved format", pr.transport_ids(b"\x85" + tid[1:])
    long = bytearray(tid)
    long[2:4] = b"\xFF\xFC"
    yield "ADDITIONAL LENGTH beyond the end", pr.transport_ids(bytes(long))
    short = bytearray(tid[:20])
    short[2:4] = struct.pack(">H", 16)
    yield "ADDITIONAL LENGTH of 16", pr.transport_ids(bytes(short))
    odd = bytearray(tid)
    odd[2:4] = struct.pack(">H", len(tid) - 6)
    yield "ADDITIONAL LENGTH not by four", pr.transport_ids(bytes(odd[:-2]), length=len(tid) - 2)
    yield "no end of the name", pr.transport_ids(struct.pack(">BxH", 0x05, 20) + b"iqn.2026-01.example.")
    yield "no name", pr.transport_ids(struct.pack(">BxH", 0x05, 20) + bytes(20))
    yield "no separator", pr.transport_ids(struct.pack(">BxH", 0x45, 20) + b"iqn.2026-01.exampl" + bytes(2))
    for isid in ("", "8000000000000", "80000000000g", "0x8000000001"):
        text = f"iqn.2026-01.example.test:host1,i,0x{isid}".encode() + b"\0"
        text += bytes(-len(text) % 4)
        yield f"ISID {isid!r}", pr.transport_ids(struct.pack(">BxH", 0x45, len(text)) + text)
    text = b"iqn." + b"x" * 300 + b",i,0x800000000001\0"
    text += bytes(-len(text) % 4)
    yield "a name of 304 bytes", pr.transport_ids(struct.pack(">BxH", 0x45, len(text)) + text)


def test_spec_i_pt_bad_lists(four):
    """6.16.3, 7.6.4: a list that is cut off or holds no initiator port: nothing is registered."""
    a, b, *_ = four
    for what, more in bad_lists(b.tid):
        r = spec(a, KA, more=more)
        assert verdict(r) in LIST_ERROR, f"{what}: {r}"
    for tid in pr.OTHER_PROTOCOLS:
        # No FCP, SAS … initiator port has an I_T nexus with an iSCSI target port.
        assert verdict(spec(a, KA, b.tid, tid)) == scsi.INVALID_FIELD_IN_PARAMETERS, tid.hex()
    assert a.keys().keys == []
    spec(a, KA).good()
    assert a.keys().keys == [KA], "an empty list names nobody"


def registrations(host):
    """How many there are, by the length that READ KEYS does not cut."""
    return struct.unpack(">II", host.scsi(pr.pr_in(pr.READ_KEYS, 8), read=8).good().data)[1] // 8


def test_registration_resources(four):
    """5.12.7: too many registrations are refused as a whole, with INSUFFICIENT REGISTRATION RESOURCES."""
    a = four[0]
    chunk, n, before = 300, 0, 0
    for n in range(0, 1 << 16, chunk):
        tids = [pr.iscsi_tid("iqn.2026-01.example.test:x", struct.pack(">BBI", 0x80, 0, n + i)) for i in range(chunk)]
        before = registrations(a)
        r = spec(a, KA, *tids)
        if r.status == scsi.CHECK_CONDITION:
            break
        r.good()
        a.out(pr.REGISTER, KA, 0).good()
    refused(r, pr.INSUFFICIENT_REGISTRATION_RESOURCES)
    assert registrations(a) == before
    # More than an ALLOCATION LENGTH of 16 bits can take.
    r = a.scsi(pr.pr_in(pr.READ_FULL_STATUS, 0xFFFF), read=0xFFFF).good()
    assert len(r.data) == 0xFFFF and struct.unpack_from(">I", r.data, 4)[0] > 0xFFFF
    assert n >= chunk, "some hundred registrations are possible"


# --- REGISTER AND MOVE

def move(host, key, sark, rtpi, tid, **kw):
    return host.out(pr.REGISTER_AND_MOVE, data=pr.move_parameters(key, sark, rtpi, tid, **kw))


def test_move_refusals(four):
    """5.12.8, 6.16.4: what REGISTER AND MOVE does not take."""
    a, b, *_ = four
    rtpi = a.rtpi()
    a.register(KA)
    a.reserve(pr.EA)
    before = a.full_status()
    for port in (0, rtpi + 1, 0xFFFF):
        refused(move(a, KA, KB, port, b.tid), scsi.INVALID_FIELD_IN_PARAMETERS)
    refused(move(a, KA, KB, rtpi, pr.iscsi_tid(b.s.name)), scsi.INVALID_FIELD_IN_PARAMETERS)
    refused(move(a, KA, KB, rtpi, a.tid), scsi.INVALID_FIELD_IN_PARAMETERS)
    refused(move(a, KA, 0, rtpi, b.tid), *OLDER)
    for tid in pr.OTHER_PROTOCOLS:
        refused(move(a, KA, KB, rtpi, tid), scsi.INVALID_FIELD_IN_PARAMETERS)
    for length in (0, 4, 20, len(b.tid) - 4, len(b.tid) - 1, len(b.tid) + 4, 0xFFFFFFFF):
        refused(move(a, KA, KB, rtpi, b.tid, length=length), *LIST_ERROR)
    data = pr.move_parameters(KA, KB, rtpi, b.tid)
    for n in (0, 8, 20, 23, 24, 47):
        refused(a.out(pr.REGISTER_AND_MOVE, data=data[:n]), *LIST_ERROR)
    assert a.full_status() == before and pr.told(four) == [None] * 4


def test_move_to_who_is_absent(daemon, four, lun):
    """5.12.8: the reservation goes to a name; it works when that host comes."""
    a, b, *_ = four
    isid, name = new_isid(), "iqn.2026-01.example.test:later"
    a.register(KA)
    a.reserve(pr.EA)
    move(a, KA, KC, a.rtpi(), pr.iscsi_tid(name, isid), unreg=1).good()
    assert b.reservation().key == KC and b.keys().keys == [KC]
    assert a.scsi(scsi.read10(0, 1), read=512).status == scsi.RESERVATION_CONFLICT
    with daemon.session(name=name, isid=isid) as s:
        later = pr.Host(s, lun, KC)
        pr.attentions([later])
        later.scsi(scsi.read10(0, 1), read=512).good()
        later.release(pr.EA)
        s.logout()


# --- ALL_TG_PT

def test_all_tg_pt_with_one_port(four):
    """6.16.3: with one target port it is one registration; other actions ignore the bit."""
    a, *_ = four
    assert a.capabilities().atp_c
    a.register(KA, all_tg_pt=1)
    assert [(s.key, s.rtpi) for s in a.full_status()[1]] == [(KA, a.rtpi())]
    a.out(pr.RESERVE, rtype=pr.EA_AR, all_tg_pt=1).good()
    a.out(pr.RELEASE, rtype=pr.EA_AR, all_tg_pt=1).good()
    a.out(pr.CLEAR, all_tg_pt=1).good()


# --- PERSISTENT RESERVE IN

def test_capabilities(four):
    """6.15.4: what is told is what the other tests here find."""
    caps = four[0].capabilities()
    assert caps.types == pr.TYPES and caps.tmv
    assert caps.crh and caps.sip_c and caps.atp_c
    # TEST UNIT READY runs through every type, MODE SENSE through write exclusive ones (test_pr_matrix).
    assert caps.allow_commands in (0, 1, 3)


def test_empty(four):
    """Nothing registered: empty lists, 8 bytes each."""
    a = four[0]
    assert a.keys().keys == [] and a.reservation().key is None and a.full_status()[1] == []


def test_from_anyone(four):
    """Table 65: PERSISTENT RESERVE IN is allowed for every nexus under every type."""
    a, b, *_ = four
    a.register(KA)
    for t in pr.TYPES:
        a.reserve(t)
        assert b.keys().keys == [KA] and b.reservation().type == t and b.full_status()[1][0].holder
        assert b.reservation().key == (0 if t in pr.ALL_REGISTRANTS else KA)
        b.capabilities()
        a.release(t)


def test_allocation_length(four):
    """4.2.5.6: the data are cut, their length fields are not, and the residual tells."""
    for i, h in enumerate(four):
        h.register(KA + i // 2)         # twice the same key
    four[0].reserve(pr.WE_RO)
    h = four[3]
    for action in (pr.READ_KEYS, pr.READ_RESERVATION, pr.REPORT_CAPABILITIES, pr.READ_FULL_STATUS):
        whole = h.scsi(pr.pr_in(action, 0xFFFF), read=0xFFFF).good()
        assert whole.underflow == 0xFFFF - len(whole.data)
        for n in (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 23, 24, 25, 31, 32, len(whole.data) - 1, len(whole.data),
                  len(whole.data) + 1):
            r = h.scsi(pr.pr_in(action, n), read=n).good()
            assert r.data == whole.data[:n], f"action {action}, ALLOCATION LENGTH {n}"
            assert r.underflow == max(0, n - len(whole.data)) and not r.overflow
        # EXPECTED DATA TRANSFER LENGTH below ALLOCATION LENGTH: overflow (RFC 7143 11.4.5.1).
        r = h.scsi(pr.pr_in(action, 0xFFFF), read=6)
        assert r.data == whole.data[:6] and r.overflow == len(whole.data) - 6
    assert h.keys().keys.count(KA) == 2, "duplicates are reported (5.12.6.2)"


def test_key_values(four):
    """A key is 64 bits of anything but zero; others of the same value are left alone."""
    a, b, *_ = four
    for key in (1, 0xFFFFFFFFFFFFFFFF, 0x8000000000000000, 0x0102030405060708):
        a.register(key)
        b.register(key)
        a.reserve(pr.EA)
        assert a.keys().keys == [key, key] and a.reservation().key == key
        assert [s.holder for s in a.full_status()[1] if s.tid.name == b.s.name] == [False]
        a.register(key ^ 2)             # 5.12.7: the reservation stays, under the new key
        assert b.reservation().key == key ^ 2 and sorted(b.keys().keys) == sorted([key, key ^ 2])
        a.release(pr.EA)
    assert pr.told(four) == [None] * 4


def test_commands_in_a_row(four):
    """5.12.1: each command is one indivisible event, in the order in which they came."""
    a = four[0]
    before = a.generation()
    started, key = [], 0
    for n in range(40):
        started.append(a.start_out(pr.REGISTER, key, 0x1000 + n))
        key = 0x1000 + n
    for cmd in started:
        a.s.wait(cmd).good()
    assert a.keys() == pr.Keys(before + 40, [key], 8)


def test_two_at_once(four):
    """Two hosts preempt each other, again and again: one wins each time, and the loser is told."""
    a, b, *_ = four
    rng = random.Random(7)
    wins = [0, 0]
    for _ in range(30):
        for h, key in ((a, KA), (b, KB)):
            h.register(key)
        a.reserve(pr.EA_RO)
        order = [(0, a, KA, KB), (1, b, KB, KA)]
        rng.shuffle(order)
        started = [(i, h, h.start_out(pr.PREEMPT, key, other, pr.EA_RO)) for i, h, key, other in order]
        done = {i: h.s.wait(cmd) for i, h, cmd in started}
        good = [i for i, r in done.items() if r.status == scsi.GOOD]
        assert len(good) == 1, f"one of the two wins: {done}"
        w = good[0]
        wins[w] += 1
        loser = done[1 - w]
        assert loser.status == scsi.RESERVATION_CONFLICT or \
            (loser.sense.key, loser.sense.asc, loser.sense.ascq) == (6, *pr.REGISTRATIONS_PREEMPTED), loser
        assert four[2].keys().keys == [(KA, KB)[w]] and four[2].reservation().key == (KA, KB)[w]
        told = pr.told(four)
        if loser.status == scsi.RESERVATION_CONFLICT:
            assert told[1 - w] == pr.REGISTRATIONS_PREEMPTED
        assert told[w] is None
        (a, b)[w].out(pr.CLEAR).good()
        pr.attentions(four)
    assert all(wins), f"each wins some time: {wins}"

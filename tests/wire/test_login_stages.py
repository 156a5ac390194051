# SPDX-License-Identifier: BSD-3-Clause
"""Stages of the login phase: each combination of T, C, CSG and NSG in each stage. RFC 7143 6.3, 11.12.1-11.12.3.

What is lawful is worked out from the clauses by lawful(); all else must be refused with Status-Class 2
(or by closing), and never lead into full feature phase.
"""

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib.initiator import DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, SECURITY, Closed, Login, LoginFailed

STAGES = {"start": None, "security": SECURITY, "operational": OPERATIONAL}
MATRIX = [(stage, t, c, csg, nsg) for stage in STAGES for t in (0, 1) for c in (0, 1) for csg in range(4)
          for nsg in range(4)]


def lawful(stage, t, c, csg, nsg):
    """What 11.12.1 to 11.12.3 and 6.3 allow."""
    if csg not in (SECURITY, OPERATIONAL):          # 2 is reserved, and in stage 3 there is no login
        return False
    if STAGES[stage] is not None and csg != STAGES[stage]:
        return False                                # the initiator stays in a stage until T was agreed
    if not t:
        return True                                 # NSG is reserved then: ignored (11)
    return not c and nsg in (OPERATIONAL, FULL_FEATURE) and nsg > csg


def declare(daemon):
    return [("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"), ("TargetName", daemon.iqn)]


def enter(lg, daemon, stage):
    """Bring a login into a stage; returns the keys that the next request has to carry."""
    if stage == "start":
        return declare(daemon)
    r, _ = lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY,
                       OPERATIONAL if stage == "operational" else None)
    assert bool(r.flags & p.T) == (stage == "operational")
    return []


@pytest.mark.parametrize("stage, t, c, csg, nsg", MATRIX,
                         ids=[f"{s}-T{t}-C{c}-csg{a}-nsg{b}" for s, t, c, a, b in MATRIX])
def test_stage(daemon, stage, t, c, csg, nsg):
    """6.3, 11.12.1, 11.12.2, 11.12.3, 11.13.6: what is lawful is answered in its stage, the rest refused."""
    with daemon.connection() as conn:
        lg = Login(conn)
        pairs = enter(lg, daemon, stage)
        lg.send(pairs, flags=t << 7 | c << 6 | csg << 2 | nsg)
        try:
            r = lg.recv()
        except (LoginFailed, Closed) as e:
            assert not lawful(stage, t, c, csg, nsg), "a lawful request was refused"
            if isinstance(e, LoginFailed):
                assert e.pdu.status_class == 2, "the initiator's error is class 2 (11.13.5)"
                assert not e.pdu.flags & p.T
                conn.expect_closed()
            return
        assert lawful(stage, t, c, csg, nsg), f"answered {r}"
        assert r.flags >> 2 & 3 == csg, "CSG of the response is that of the request (11.13.6)"
        if r.flags & p.T:
            assert t, "T without the initiator's T (11.13.6)"
            assert r.flags & 3 <= nsg, "no stage beyond the one asked for (11.12.3)"
        if c:
            assert not r.data and not r.flags & (p.T | p.C), "an unfinished text has an empty answer (6.2)"
        assert (r.tsih != 0) == bool(r.flags & p.T and r.flags & 3 == FULL_FEATURE), \
            "TSIH comes with the last response, and only then (11.13.3)"


@pytest.mark.parametrize("path", [
    ((SECURITY, OPERATIONAL), (OPERATIONAL, FULL_FEATURE)),
    ((SECURITY, FULL_FEATURE),),
    ((OPERATIONAL, FULL_FEATURE),),
    ((SECURITY, None), (SECURITY, OPERATIONAL), (OPERATIONAL, None), (OPERATIONAL, FULL_FEATURE)),
    ((SECURITY, None), (SECURITY, None), (SECURITY, FULL_FEATURE)),
    ((OPERATIONAL, None), (OPERATIONAL, None), (OPERATIONAL, FULL_FEATURE)),
], ids=lambda path: "-".join(f"{a}{'' if b is None else b}" for a, b in path))
def test_whole_path(daemon, path):
    """6.3.1, 8.1.4 T5: every order of stages that the clauses allow ends in full feature phase, one response
    a request; then the connection serves."""
    with daemon.connection() as conn:
        lg = Login(conn)
        pairs = declare(daemon) + ([("AuthMethod", "None")] if path[0][0] == SECURITY else [])
        for csg, nsg in path:
            r, _ = lg.exchange(pairs, csg, nsg)
            assert bool(r.flags & p.T) == (nsg is not None)
            if nsg is not None:
                assert r.flags & 3 == nsg
            pairs = []
        conn.send(p.PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=3, ttt=p.RESERVED_TAG, cmdsn=1, data=b"ffp"))
        assert conn.expect(p.NOP_IN).data == b"ffp"


@pytest.mark.parametrize("stage", ["start", "security", "operational"])
@pytest.mark.parametrize("field, value", [("cid", 7), ("tsih", 0x7777), ("isid", b"\x80abcde"), ("itt", 0x99)])
def test_header_changes_in_login(daemon, stage, field, value):
    """11.12.5 to 11.12.7, 6.3.1: ISID, TSIH and CID are the same in every request of a login phase, which is one
    task (11.12); as the first request's own they are the initiator's choice, but for a TSIH that does not
    exist. An answer has the ITT of its request (11.13), whichever that is."""
    with daemon.connection() as conn:
        lg = Login(conn)
        pairs = enter(lg, daemon, stage)
        if stage == "start" and field != "tsih":
            setattr(lg, field, value)
            r, _ = lg.finish(pairs)
            assert r.flags & p.T
            return
        lg.send(pairs, OPERATIONAL if stage != "security" else SECURITY, FULL_FEATURE, **{field: value})
        if field == "itt":
            lg.itt = value
            assert lg.recv().itt == value
            return
        with pytest.raises((LoginFailed, Closed)) as e:
            lg.recv()
        if isinstance(e.value, LoginFailed):
            assert e.value.pdu.status_class == 2


@pytest.mark.parametrize("stage", ["start", "security", "operational"])
def test_versions_change_in_login(daemon, stage):
    """11.12.4: Version-min 1 is none that we have, in whichever request it comes; 11.12.4.1: Version-max is
    the same in all of them."""
    with daemon.connection() as conn:
        lg = Login(conn)
        pairs = enter(lg, daemon, stage)
        lg.send(pairs, OPERATIONAL if stage != "security" else SECURITY, FULL_FEATURE, version_min=1,
                version_max=1)
        with pytest.raises((LoginFailed, Closed)) as e:
            lg.recv()
        if isinstance(e.value, LoginFailed):
            assert e.value.status in (0x0205, 0x0200, 0x020B)


@pytest.mark.parametrize("nparts", [2, 3, 7, 20])
def test_text_over_many_requests(daemon, nparts):
    """6.2, 11.12.2: one text in several requests with C=1 is one text: keys may be cut anywhere."""
    text = textkeys.encode([*declare(daemon), ("MaxBurstLength", "65536"), ("HeaderDigest", "None,CRC32C")])
    step = -(-len(text) // nparts)
    parts = [text[i:i + step] for i in range(0, len(text), step)]
    with daemon.connection() as conn:
        lg = Login(conn)
        for part in parts[:-1]:
            lg.send(part, OPERATIONAL, cont=True)
            r = lg.recv()
            assert not r.data and not r.flags & (p.T | p.C)
        _, got = lg.exchange(parts[-1], OPERATIONAL, FULL_FEATURE)
        assert dict(got)["MaxBurstLength"] == "65536" and dict(got)["HeaderDigest"] == "None"


@pytest.mark.parametrize("cid", [0, 1, 2, 0x7FFF, 0xFFFF])
def test_any_cid(daemon, cid):
    """11.12.7: the CID is the initiator's choice; logout by it works."""
    with daemon.session(cid=cid) as s:
        assert s.logout(reason=1, cid=cid, close=False).response == 0


@pytest.mark.parametrize("cmdsn", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_initial_cmdsn(daemon, lun, cmdsn):
    """11.12.8, 4.2.2.1: the first CmdSN of a session is any number; the login itself does not advance it."""
    with daemon.session(cmdsn=cmdsn) as s:
        assert s.expcmdsn == cmdsn
        s.clear_ua(lun).good()
        s.logout()

# SPDX-License-Identifier: BSD-3-Clause
"""Login phase: stages, transitions, TSIH, versions, what must be refused. RFC 7143 6.3, 11.12, 11.13."""

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib import scsi
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, SECURITY, Closed, Login, LoginFailed,
                           Session)
from lib.pdu import PDU


@pytest.fixture
def conn(daemon):
    with daemon.connection() as c:
        yield c


def declare(daemon, name=DEFAULT_NAME, kind="Normal", target=True):
    pairs = [("InitiatorName", name), ("SessionType", kind)]
    return pairs + ([("TargetName", daemon.iqn)] if target else [])


def refused(lg, statuses, *args, **kw):
    """The exchange must end in one of the login statuses (11.13.5), and the target must close."""
    with pytest.raises(LoginFailed) as e:
        lg.exchange(*args, **kw)
    assert e.value.status in statuses, f"status {e.value.status:04x}, wanted {[hex(s) for s in statuses]}"
    assert not e.value.pdu.flags & p.T, "T is 0 when the status class is not 0 (11.13.3)"
    lg.conn.expect_closed()
    return e.value.pdu


def test_security_then_operational_then_ffp(daemon, conn):
    """6.3.1: the three stages in order; the first answer names the portal group (13.9)."""
    lg = Login(conn)
    r, got = lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
    assert r.flags & p.T and r.flags >> 2 & 3 == SECURITY and r.flags & 3 == OPERATIONAL
    assert r.tsih == 0, "TSIH of a session that is not yet (11.13.4)"
    got = dict(got)
    assert got["AuthMethod"] == "None"
    assert 0 <= int(got["TargetPortalGroupTag"]) <= 65535
    r, _ = lg.finish([("MaxRecvDataSegmentLength", "8192")])
    assert r.flags & p.T and r.flags >> 2 & 3 == OPERATIONAL and r.flags & 3 == FULL_FEATURE
    assert r.tsih != 0


def test_operational_stage_first(daemon, conn):
    """6.3: an initiator may begin in operational negotiation when it needs no security."""
    r, got = Login(conn).finish(declare(daemon))
    assert r.flags & p.T and r.tsih != 0
    assert "TargetPortalGroupTag" in dict(got)


def test_security_straight_to_ffp(daemon, conn):
    """11.12.3: security negotiation may be followed by full feature phase."""
    r, _ = Login(conn).exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, FULL_FEATURE)
    assert r.flags & p.T and r.flags & 3 in (OPERATIONAL, FULL_FEATURE)
    assert (r.tsih != 0) == (r.flags & 3 == FULL_FEATURE), "TSIH comes with the last response (11.13.4)"


def test_many_requests_in_one_stage(daemon, conn):
    """6.2: negotiation may take several exchanges; T comes with the last."""
    lg = Login(conn)
    lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
    for pair in (("HeaderDigest", "None"), ("DataDigest", "None"), ("MaxBurstLength", "131072")):
        r, got = lg.exchange([pair], OPERATIONAL)
        assert not r.flags & p.T, "T without the initiator's T (11.13.3)"
        assert pair[0] in dict(got)
    r, _ = lg.finish()
    assert r.flags & p.T


def test_empty_security_request(daemon, conn):
    """6.3.2: no AuthMethod offered in the security stage; the target may let it pass or ask for it."""
    lg = Login(conn)
    r, _ = lg.exchange(declare(daemon), SECURITY, OPERATIONAL)
    if not r.flags & p.T:
        r, _ = lg.exchange([("AuthMethod", "None")], SECURITY, OPERATIONAL)
    assert r.flags & p.T


def test_session_type_defaults_to_normal(daemon, conn):
    """13.21: SessionType default is Normal."""
    lg = Login(conn)
    r, _ = lg.finish([("InitiatorName", DEFAULT_NAME), ("TargetName", daemon.iqn)])
    assert r.flags & p.T


def test_login_response_header(daemon, conn):
    """11.13: version 0, ISID and ITT echoed, ExpCmdSN = CmdSN of the login, StatSN counts."""
    lg = Login(conn, cmdsn=0x1234)
    r, _ = lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
    assert (r.version_max, r.version_active) == (0, 0)
    assert r.isid == lg.isid and r.itt == lg.itt
    assert r.expcmdsn == 0x1234
    first = r.statsn
    r, _ = lg.finish()
    assert (r.statsn - first) & 0xFFFFFFFF >= 1
    assert r.expcmdsn == 0x1234
    assert (r.maxcmdsn - r.expcmdsn) & 0xFFFFFFFF < 0x80000000, "window is open after login (4.2.2.1)"


@pytest.mark.parametrize("missing, statuses", [("InitiatorName", {0x0207, 0x0200}),
                                               ("TargetName", {0x0207, 0x0200})])
def test_missing_name(daemon, conn, missing, statuses):
    """6.3: InitiatorName always, TargetName in a normal session: "missing parameter" 0207h."""
    pairs = [x for x in declare(daemon) if x[0] != missing]
    refused(Login(conn), statuses, pairs, OPERATIONAL, FULL_FEATURE)


def test_unknown_target(daemon, conn):
    """11.13.5: 0203h, not found."""
    pairs = [*declare(daemon, target=False), ("TargetName", "iqn.2026-01.example.test:nobody")]
    refused(Login(conn), {0x0203}, pairs, OPERATIONAL, FULL_FEATURE)


@pytest.mark.parametrize("name", ["", "iqn", "x" * 300, "iqn.2026-01.example.test:" + "y" * 220])
def test_bad_initiator_name(daemon, conn, name):
    """4.2.7.1: names are formatted and at most 223 bytes: initiator error, class 02h."""
    with pytest.raises(LoginFailed) as e:
        Login(conn).exchange(declare(daemon, name=name), OPERATIONAL, FULL_FEATURE)
    assert e.value.pdu.status_class == 2


def test_bad_session_type(daemon, conn):
    """11.13.5: 0209h, session type not supported."""
    refused(Login(conn), {0x0209, 0x0200}, declare(daemon, kind="Special"), OPERATIONAL, FULL_FEATURE)


def test_unsupported_version(daemon, conn):
    """11.12.5: Version-min above what the target has: 0205h."""
    refused(Login(conn), {0x0205}, declare(daemon), OPERATIONAL, FULL_FEATURE, version_min=1, version_max=1)


def test_version_max_above_ours(daemon, conn):
    """11.12.4: a higher Version-max with Version-min 0 negotiates version 0."""
    r, _ = Login(conn).finish(declare(daemon), version_max=5)
    assert r.version_active == 0 and r.flags & p.T


@pytest.mark.parametrize("csg, nsg", [(0, 2), (1, 2), (2, 3), (3, 3), (1, 0), (1, 1), (0, 0)])
def test_bad_stages(daemon, conn, csg, nsg):
    """11.12.3: stage 2 is reserved, 3 is no current stage, NSG is above CSG."""
    with pytest.raises(LoginFailed) as e:
        Login(conn).exchange(declare(daemon), csg, nsg)
    assert e.value.pdu.status_class == 2


def test_stage_goes_back(daemon, conn):
    """6.3: a stage that has been left does not come back."""
    lg = Login(conn)
    lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
    refused(lg, {0x0200, 0x020B}, [("AuthMethod", "None")], SECURITY, OPERATIONAL)


def test_c_and_t_together(daemon, conn):
    """11.12.2: C=1 demands T=0."""
    refused(Login(conn), {0x0200, 0x020B}, declare(daemon), OPERATIONAL, FULL_FEATURE,
            flags=p.T | p.C | OPERATIONAL << 2 | FULL_FEATURE)


def test_unknown_tsih(daemon, conn):
    """11.13.5: 020Ah, session does not exist."""
    refused(Login(conn, tsih=0xBEEF), {0x020A}, declare(daemon), OPERATIONAL, FULL_FEATURE)


@pytest.mark.parametrize("value", ["KRB5", "SRP", "Foo", "SPKM1,SPKM2"])
def test_no_common_auth_method(daemon, conn, value):
    """6.2.1: a list without an acceptable value is rejected, and authentication is refused (0201h)."""
    with pytest.raises(LoginFailed) as e:
        lg = Login(conn)
        _, got = lg.exchange([*declare(daemon), ("AuthMethod", value)], SECURITY, OPERATIONAL)
        assert dict(got)["AuthMethod"] == "Reject"
        lg.exchange((), SECURITY, OPERATIONAL)
    assert e.value.pdu.status_class == 2


def test_auth_method_list_takes_first_common(daemon, conn):
    """6.2.1: the first of the list that the responder supports."""
    _, got = Login(conn).exchange([*declare(daemon), ("AuthMethod", "KRB5,None")], SECURITY, OPERATIONAL)
    assert dict(got)["AuthMethod"] == "None"


@pytest.mark.parametrize("opcode", [p.NOP_OUT, p.SCSI_CMD, p.TEXT_REQ, p.LOGOUT_REQ, p.DATA_OUT, p.TMF_REQ,
                                    p.SNACK])
def test_other_pdu_before_login(daemon, conn, opcode):
    """6.3: any PDU but a Login Request before full feature phase ends the connection."""
    conn.send(PDU(opcode, flags=p.F, immediate=True, itt=1))
    conn.expect_closed(allow=(p.REJECT, p.LOGIN_RSP))


def test_other_pdu_between_login_requests(daemon, conn):
    """6.3: the same in the middle of the login phase."""
    lg = Login(conn)
    lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
    conn.send(PDU(p.SCSI_CMD, flags=p.F, itt=1, cdb=bytes(6)))
    conn.expect_closed(allow=(p.REJECT, p.LOGIN_RSP))


def test_login_request_in_ffp(session):
    """6.3: a Login Request on a connection in full feature phase is a protocol error."""
    session.conn.send(PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | FULL_FEATURE,
                          isid=session.isid, itt=99, cmdsn=session.cmdsn,
                          data=b"InitiatorName=" + session.name.encode() + b"\0"))
    try:
        r = session.wait_pdu(p.REJECT)
        assert r.reason in (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED)
    except Closed:
        pass


def test_duplicate_key(daemon, conn):
    """6.2: a key sent twice in one negotiation is a protocol error."""
    pairs = [*declare(daemon), ("MaxBurstLength", "65536"), ("MaxBurstLength", "131072")]
    refused(Login(conn), {0x0200, 0x020B}, pairs, OPERATIONAL, FULL_FEATURE)


def test_key_renegotiated_in_later_request(daemon, conn):
    """6.2: nor may it come again in a later request."""
    lg = Login(conn)
    lg.exchange([*declare(daemon), ("MaxBurstLength", "65536")], OPERATIONAL)
    refused(lg, {0x0200, 0x020B}, [("MaxBurstLength", "131072")], OPERATIONAL, FULL_FEATURE)


@pytest.mark.parametrize("data", [b"InitiatorName", b"=value\0", b"InitiatorName=a", b"\0\0\0\0",
                                  b"a" * 64 + b"=1\0", b"Key With Space=1\0", b"\xff\xfe=\x80\0"])
def test_malformed_text(daemon, conn, data):
    """6.1: the text format; whatever is malformed is refused with class 02h or by closing."""
    lg = Login(conn)
    try:
        lg.exchange(textkeys.encode(declare(daemon)) + data, OPERATIONAL, FULL_FEATURE)
    except LoginFailed as e:
        assert e.pdu.status_class == 2
    except Closed:
        pass
    else:
        # empty items, and a key that is simply not understood, harm nobody
        assert data in (b"\0\0\0\0", b"Key With Space=1\0"), f"accepted {data!r}"


def test_login_byte_by_byte(daemon, conn):
    """11.1: TCP may cut anywhere."""
    lg = Login(conn)
    raw = PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | FULL_FEATURE, isid=lg.isid,
              itt=lg.itt, cmdsn=1, data=textkeys.encode(declare(daemon))).encode()
    for i in range(len(raw)):
        conn.send_raw(raw[i:i + 1])
    assert lg.recv().status_class == 0


def test_login_and_command_in_one_segment(daemon, conn, lun):
    """Bytes after the last Login Request belong to full feature phase (6.3)."""
    lg = Login(conn)
    raw = PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | FULL_FEATURE, isid=lg.isid,
              itt=lg.itt, cmdsn=1, data=textkeys.encode(declare(daemon))).encode()
    raw += PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=7, ttt=p.RESERVED_TAG, cmdsn=1, data=b"hi").encode()
    conn.send_raw(raw)
    assert lg.recv().flags & p.T
    assert conn.expect(p.NOP_IN).data == b"hi"


def test_data_segment_over_8192(daemon, conn):
    """13.12: in the login phase the receiver's limit is the default, 8192."""
    lg = Login(conn)
    pairs = declare(daemon) + [(f"X-org.example.k{i}", "v" * 240) for i in range(40)]
    with pytest.raises((LoginFailed, Closed)):
        lg.exchange(pairs, OPERATIONAL, FULL_FEATURE)


def test_huge_data_segment_length(daemon, conn):
    """7.7: The length is judged before anything is allocated or awaited."""
    conn.send_raw(PDU(p.LOGIN_REQ, immediate=True, flags=p.T | 7, itt=1).header(data_len=0xFFFFFF))
    conn.expect_closed(allow=(p.LOGIN_RSP, p.REJECT))


def test_endless_negotiation_ends(daemon, conn):
    """6.2: A login that never makes progress is ended by the target, not served for ever."""
    lg = Login(conn)
    with pytest.raises((LoginFailed, Closed)):
        lg.exchange(declare(daemon), OPERATIONAL)
        for _ in range(4096):
            lg.exchange((), OPERATIONAL)


def test_endless_c_bit_ends(daemon, conn):
    """6.2: Text joined by C bits has a limit."""
    lg = Login(conn)
    with pytest.raises((LoginFailed, Closed)):
        lg.send(textkeys.encode(declare(daemon)) + b"X-a=", OPERATIONAL, cont=True)
        for _ in range(1024):
            lg.recv()
            lg.send(b"v" * 4096, OPERATIONAL, cont=True)


def test_isid_and_itt_change_in_login(daemon, conn):
    """11.12.6, 11.12.9: ISID and ITT are the same over the whole login."""
    lg = Login(conn)
    lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
    lg.send((), OPERATIONAL, FULL_FEATURE, isid=b"\x80ABCDE")
    with pytest.raises((LoginFailed, Closed)):
        lg.recv()


def test_two_sessions_of_one_initiator(daemon, lun):
    """4.4.3: another ISID is another session (another I_T nexus)."""
    with daemon.session() as a, daemon.session() as b:
        assert a.tsih != b.tsih
        a.clear_ua(lun)
        b.clear_ua(lun)
        assert a.scsi(scsi.test_unit_ready(), lun=lun).good()
        assert b.scsi(scsi.test_unit_ready(), lun=lun).good()


def test_same_isid_of_two_initiators(daemon, lun):
    """4.4.3: the nexus is InitiatorName + ISID; another name with the same ISID is another session."""
    with daemon.session(name="iqn.2026-01.example.test:a") as a, \
            daemon.session(name="iqn.2026-01.example.test:b", isid=a.isid) as b:
        assert a.nop(b"a").data == b"a"
        assert b.nop(b"b").data == b"b"


def test_initiator_name_case(daemon):
    """4.2.7.1 (RFC 3722): names are compared after folding case, so this is the same initiator port."""
    with daemon.session(name=DEFAULT_NAME) as a:
        b = Session.open(a.address, daemon.iqn, name=DEFAULT_NAME.upper().replace("IQN", "iqn"), isid=a.isid)
        a.conn.expect_closed(allow=(p.ASYNC,))
        b.logout()

# SPDX-License-Identifier: BSD-3-Clause
"""Negotiation of every key: RFC 7143 6.1, 6.2, 13. Table-driven from lib/keys.py."""

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, Closed, Login, LoginFailed, Rejected)
from lib.keys import KEYS, NORMAL_ONLY, check_answer, number

NEGOTIATED = [k for k, row in KEYS.items() if row.kind in ("min", "max", "and", "or", "list")
              and k not in ("AuthMethod",)]


def negotiate(daemon, pairs, kind="Normal"):
    """Answers of the target to pairs, offered in one operational request."""
    with daemon.connection() as conn:
        first = [("InitiatorName", DEFAULT_NAME), ("SessionType", kind)]
        if kind == "Normal":
            first.append(("TargetName", daemon.iqn))
        return Login(conn).finish([*first, *pairs])


def offers():
    for key in NEGOTIATED:
        row = KEYS[key]
        if row.kind in ("and", "or"):
            values = ["Yes", "No"]
        elif row.kind == "list":
            values = {"TaskReporting": ["RFC3720", "FastAbort,RFC3720", "ResponseFence,FastAbort"]}.get(
                key, ["None", "CRC32C,None", "None,CRC32C", "CRC32C", "X-foo,None"])
        else:
            mid = str((row.low + row.high) // 2)
            values = [str(row.low), str(row.high), mid, hex(row.low + 1), str(row.default)]
        for v in values:
            yield key, v


@pytest.mark.parametrize("key, value", list(offers()))
def test_lawful_offer(daemon, key, value):
    """6.2, 13.1: Each key answers by its function (13.x): minimum, maximum, AND, OR or choice from the list."""
    pairs = [(key, value)]
    if key == "FirstBurstLength":
        pairs.insert(0, ("MaxBurstLength", "16777215"))
    if key == "MaxBurstLength":
        pairs.insert(0, ("FirstBurstLength", "512"))
    _, got = negotiate(daemon, pairs)
    got = dict(got)
    assert key in got, f"{key} not answered (6.2)"
    assert got[key] not in ("Irrelevant",), "relevant in a normal session"
    if key in ("OFMarker", "IFMarker"):
        # 13.25: obsoleted; an answer must be No, Reject or NotUnderstood
        assert got[key] in ("No", "Reject", "NotUnderstood")
        return
    if key in ("TaskReporting", "iSCSIProtocolLevel"):
        check_answer(key, value, got[key])
        return
    if KEYS[key].kind == "list":
        if not set(value.split(",")) & {"None", "CRC32C"}:
            assert got[key] == "Reject"
            return
        first = next(v for v in value.split(",") if v in ("None", "CRC32C"))
        assert got[key] == first, "the first of the list that the responder supports (6.2.1)"
    assert got[key] not in textkeys.UNSUCCESSFUL, f"lawful offer {value} answered {got[key]}"
    check_answer(key, value, got[key])


BAD = [(k, v) for k in NEGOTIATED if KEYS[k].kind in ("min", "max") and k != "iSCSIProtocolLevel"
       for v in (str(KEYS[k].high + 1), "-1", "abc", "", "0x", "1 2", "99999999999999999999")] + \
      [(k, v) for k in NEGOTIATED if KEYS[k].kind in ("and", "or") and k not in ("OFMarker", "IFMarker")
       for v in ("yes", "YES", "1", "", "Yes,No")] + \
      [(k, str(KEYS[k].low - 1)) for k in NEGOTIATED if KEYS[k].kind == "min" and KEYS[k].low]


@pytest.mark.parametrize("key, value", BAD)
def test_unlawful_offer(daemon, key, value):
    """6.2.2: a value that is not admissible is answered Reject; a number out of range may be answered with
    an admissible one; or the login is refused (class 02h)."""
    try:
        _, got = negotiate(daemon, [(key, value)])
    except LoginFailed as e:
        assert e.pdu.status_class == 2
        return
    answer = dict(got)[key]
    if answer == "Reject":
        return
    row = KEYS[key]
    assert row.kind in ("min", "max") and value.isdigit(), f"{key}={value} answered {answer}"
    assert row.low <= number(answer) <= row.high, f"{key}={value} answered {answer}"


@pytest.mark.parametrize("value", ["511", "16777216", "0", "-1", "x", ""])
def test_unlawful_declaration(daemon, value):
    """13.12: MaxRecvDataSegmentLength out of 512 to 2**24-1."""
    try:
        _, got = negotiate(daemon, [("MaxRecvDataSegmentLength", value)])
    except LoginFailed as e:
        assert e.pdu.status_class == 2
        return
    assert ("MaxRecvDataSegmentLength", "Reject") in got or value == "16777216", \
        "no Reject, and no value that could be meant"


@pytest.mark.parametrize("value", ["512", "16777215", "0x1000", "0X1000", "8192"])
def test_lawful_declaration(daemon, value):
    """6.1: decimal and hex constants; a declaration has no answer beside the target's own."""
    _, got = negotiate(daemon, [("MaxRecvDataSegmentLength", value)])
    for key, v in got:
        if key == "MaxRecvDataSegmentLength":
            assert 512 <= number(v) <= 16777215


@pytest.mark.parametrize("key", ["X-org.example.foo", "X#foo", "FooBar", "Z" * 63, "MaxBurstlength", "A"])
def test_unknown_key(daemon, key):
    """6.2: NotUnderstood; keys are case-sensitive; up to 63 bytes (6.1)."""
    _, got = negotiate(daemon, [(key, "1")])
    assert (key, "NotUnderstood") in got


def test_long_values(daemon):
    """6.1: a value of up to 255 bytes must be taken."""
    _, got = negotiate(daemon, [("InitiatorAlias", "a" * 255), ("X-org.example.long", "b" * 255)])
    assert ("X-org.example.long", "NotUnderstood") in got


def test_every_key_at_once(daemon):
    """All of them in one request; each is answered once and in form (6.2)."""
    pairs = [("InitiatorAlias", "all"), ("MaxRecvDataSegmentLength", "65536")]
    pairs += [(k, KEYS[k].default if isinstance(KEYS[k].default, str) else str(KEYS[k].default))
              for k in NEGOTIATED]
    _, got = negotiate(daemon, pairs)
    names = [k for k, _ in got]
    for key in NEGOTIATED:
        assert names.count(key) == 1, f"{key} answered {names.count(key)} times"
    assert names.count("MaxRecvDataSegmentLength") <= 1


@pytest.mark.parametrize("first, most", [("262144", "65536"), ("16777215", "512"), ("65536", "65536")])
def test_first_burst_not_above_max_burst(daemon, first, most):
    """13.14: FirstBurstLength must not exceed MaxBurstLength."""
    _, got = negotiate(daemon, [("MaxBurstLength", most), ("FirstBurstLength", first)])
    got = dict(got)
    assert number(got["FirstBurstLength"]) <= number(got["MaxBurstLength"])


def test_first_burst_without_unsolicited_data(daemon):
    """13.14: irrelevant when InitialR2T=Yes and ImmediateData=No."""
    _, got = negotiate(daemon, [("InitialR2T", "Yes"), ("ImmediateData", "No"),
                                ("FirstBurstLength", "8192")])
    value = dict(got)["FirstBurstLength"]
    assert value == "Irrelevant" or number(value) <= 8192


@pytest.mark.parametrize("key", sorted(NORMAL_ONLY))
def test_irrelevant_in_discovery(daemon, key):
    """6.2, 13.2: 13.x: "Irrelevant when SessionType=Discovery": the answer may be Irrelevant or lawful."""
    row = KEYS[key]
    value = str(row.default) if row.default is not None else "Yes"
    _, got = negotiate(daemon, [(key, value)], kind="Discovery")
    answer = dict(got)[key]
    assert answer == "Irrelevant" or answer not in ("Reject",)


def test_portal_group_tag_once_and_first(daemon):
    """13.9: in the first response of the login of a normal session."""
    _, got = negotiate(daemon, [])
    tags = [v for k, v in got if k == "TargetPortalGroupTag"]
    assert len(tags) == 1 and 0 <= number(tags[0]) <= 65535


def test_keys_split_over_c_bit(daemon):
    """6.2, 11.12.2: text cut at any byte, joined by C; the target answers each part with empty text."""
    text = textkeys.encode([("InitiatorName", DEFAULT_NAME), ("TargetName", daemon.iqn),
                            ("MaxBurstLength", "131072"), ("X-org.example.c", "bit")])
    for cut in (1, 14, 15, 40, len(text) - 1):
        with daemon.connection() as conn:
            lg = Login(conn)
            lg.send(text[:cut], OPERATIONAL, cont=True)
            r = lg.recv()
            assert not r.flags & (p.T | p.C) and not r.data, "only an empty answer to a C=1 part (6.2)"
            r, got = lg.exchange(text[cut:], OPERATIONAL, FULL_FEATURE)
            assert ("MaxBurstLength", "131072") in got and ("X-org.example.c", "NotUnderstood") in got


def test_answers_longer_than_the_segment(daemon):
    """6.2: an answer that does not fit 8192 bytes comes in parts with C=1."""
    pairs = [(f"X-org.example.very-long-key-name-number-{i:03}", "1") for i in range(120)]
    with daemon.connection() as conn:
        lg = Login(conn)
        _, got = lg.exchange([("InitiatorName", DEFAULT_NAME), ("TargetName", daemon.iqn), *pairs],
                             OPERATIONAL)
        answered = {k for k, v in got if v == "NotUnderstood"}
        assert answered == {k for k, _ in pairs}


def test_declare_in_full_feature_phase(session, lun):
    """13.12: MaxRecvDataSegmentLength may be declared anew in full feature phase and then holds."""
    from lib import scsi
    session.text([("MaxRecvDataSegmentLength", "1024")])
    session.conn.max_recv = 1024
    r = session.scsi(scsi.read10(0, 16), lun=lun, read=8192).good()
    assert len(r.cmd.datain_pdus) >= 8


@pytest.mark.parametrize("key, value", [("MaxBurstLength", "512"), ("InitialR2T", "Yes"),
                                        ("HeaderDigest", "None"), ("ErrorRecoveryLevel", "0"),
                                        ("MaxConnections", "1"), ("TargetName", "iqn.x:y")])
def test_login_only_key_in_full_feature_phase(session, key, value):
    """6.4: 13.x "Use: LO": not to be negotiated after login: Reject, or a protocol error."""
    try:
        got = session.text([(key, value)])
    except (Rejected, Closed):
        return
    assert dict(got).get(key) in ("Reject", "Irrelevant", "NotUnderstood"), f"{key} answered {got}"


def test_unknown_key_in_full_feature_phase(session):
    """6.2 holds there too."""
    assert session.text([("X-org.example.y", "1")]) == [("X-org.example.y", "NotUnderstood")]


@pytest.mark.parametrize("initial_r2t", ["Yes", "No"])
@pytest.mark.parametrize("immediate", ["Yes", "No"])
def test_all_four_data_modes(daemon, initial_r2t, immediate):
    """13.10, 13.11: with InitialR2T=No set at the target, the initiator may have each combination."""
    with daemon.session(keys={"InitialR2T": initial_r2t, "ImmediateData": immediate}) as s:
        assert (s.params["InitialR2T"], s.params["ImmediateData"]) == (initial_r2t, immediate)
        s.logout()


def test_session_params_independent(daemon):
    """6.2: Parameters are a session's own."""
    with daemon.session(keys={"MaxBurstLength": "8192", "FirstBurstLength": "4096"}) as a, \
            daemon.session(keys={"MaxBurstLength": "16384"}) as b:
        assert a.num("MaxBurstLength") == 8192 and b.num("MaxBurstLength") == 16384



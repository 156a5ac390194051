# SPDX-License-Identifier: BSD-3-Clause
"""Every key with every kind of value. RFC 7143 6.1, 6.2, 13; RFC 7144 7.1.1.

One table of keys (lib/keys.py), one test for each kind of value: repeated, in a later request, a list where
one value is due, huge, empty, hexadecimal, with signs and blanks, the words that are answers, in the security
stage, absent, in another case, from the wrong side. Ranges and functions: test_text_keys.py.
"""

import pytest

from lib import keys as textkeys
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, SECURITY, Closed, Login, LoginFailed,
                           Rejected)
from lib.keys import KEYS, UNSUCCESSFUL, check_answer, number
from lib import pdu as p

NUMBERS = [k for k, row in KEYS.items() if row.kind in ("min", "max")]
BOOLEANS = [k for k, row in KEYS.items() if row.kind in ("and", "or") and "13.25" not in row.clause]
LISTS = [k for k, row in KEYS.items() if row.kind == "list" and k != "AuthMethod"]
OFFERED = NUMBERS + BOOLEANS + LISTS
FROM_TARGET = ["TargetAlias", "TargetAddress", "TargetPortalGroupTag"]
DECLARED = ["InitiatorName", "TargetName", "SessionType", "InitiatorAlias", "MaxRecvDataSegmentLength"]


def usual(key):
    """A lawful value of a key."""
    special = {"HeaderDigest": "None", "DataDigest": "None", "InitiatorAlias": "an alias",
               "MaxRecvDataSegmentLength": "65536", "InitiatorName": DEFAULT_NAME, "SessionType": "Normal"}
    return special.get(key) or str(KEYS[key].default)


def declare(daemon):
    return [("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"), ("TargetName", daemon.iqn)]


def offer(daemon, pairs, csg=OPERATIONAL, nsg=FULL_FEATURE, first=None):
    """Answers to pairs in the first request, or the LoginFailed of class 2 (or Closed) by which it ends."""
    with daemon.connection() as conn:
        try:
            return Login(conn).exchange([*(declare(daemon) if first is None else first), *pairs], csg, nsg)[1]
        except LoginFailed as e:
            assert e.pdu.status_class == 2, f"the initiator's error is class 2 (11.13.5), not {e.status:04x}"
            return e
        except Closed as e:
            return e


def refused_or(got, key, answers):
    """The login ended, or the key was answered by one of these."""
    if isinstance(got, Exception):
        return
    found = [v for k, v in got if k == key]
    assert found and found[0] in answers, f"{key} answered {found}"


@pytest.mark.parametrize("key", OFFERED)
def test_repeated_in_one_request(daemon, key):
    """6.2: a key is not negotiated twice: the same value twice in one text ends the login."""
    got = offer(daemon, [(key, usual(key))] * 2)
    assert isinstance(got, Exception), f"{key} twice answered {got}"


@pytest.mark.parametrize("key", DECLARED)
def test_declared_twice(daemon, key):
    """6.2: neither is a key declared twice, not even with the same value."""
    pairs = [(key, dict(declare(daemon)).get(key) or usual(key))]
    got = offer(daemon, pairs if key in dict(declare(daemon)) else pairs * 2)
    assert isinstance(got, Exception), f"{key} twice answered {got}"


@pytest.mark.parametrize("key", OFFERED)
def test_again_in_the_next_request(daemon, key):
    """6.2: nor in a later request of the same login phase."""
    with daemon.connection() as conn:
        lg = Login(conn)
        lg.exchange([*declare(daemon), (key, usual(key))], OPERATIONAL)
        with pytest.raises((LoginFailed, Closed)) as e:
            lg.exchange([(key, usual(key))], OPERATIONAL, FULL_FEATURE)
        if isinstance(e.value, LoginFailed):
            assert e.value.pdu.status_class == 2


@pytest.mark.parametrize("key", NUMBERS + BOOLEANS)
def test_list_where_one_value_is_due(daemon, key):
    """6.2.2, 6.1: a list is no value of a numerical or boolean key: Reject, or the login ends."""
    value = "Yes,No" if key in BOOLEANS else f"{KEYS[key].high},{KEYS[key].low}"
    refused_or(offer(daemon, [(key, value)]), key, ["Reject"])


@pytest.mark.parametrize("key", OFFERED)
@pytest.mark.parametrize("length", [256, 4000])
def test_huge_value(daemon, key, length):
    """6.1: values of these keys have at most 255 bytes; the text is not to be trusted to keep to that."""
    value = "9" * length if key in NUMBERS else "A" * length
    refused_or(offer(daemon, [(key, value)]), key, ["Reject"])


@pytest.mark.parametrize("key", [k for k in OFFERED if k not in LISTS])
def test_empty_value(daemon, key):
    """6.1: an empty value is none that a number or a boolean can have."""
    refused_or(offer(daemon, [(key, "")]), key, ["Reject"])


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("form", ["{:d}", "0x{:x}", "0X{:X}", "0x{:08x}", "0x000{:X}"])
def test_number_in_every_form(daemon, key, form):
    """6.1: numerical values as decimal or hexadecimal constants, either case, leading zeros in the latter."""
    row = KEYS[key]
    value = form.format(min(row.high, row.low + 11))
    pairs = [(key, value)]
    if key == "FirstBurstLength":
        pairs.insert(0, ("MaxBurstLength", "16777215"))
    if key == "MaxBurstLength":
        pairs.insert(0, ("FirstBurstLength", "512"))
    got = dict(offer(daemon, pairs))
    assert got[key] not in UNSUCCESSFUL, f"{key}={value} answered {got[key]}"
    check_answer(key, value, got[key])


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", ["+1", "-1", " 1", "1 ", "1.0", "1e3", "0x", "0xg", "0b01", "one", "1~2",
                                   "4294967296", "18446744073709551616"])
def test_no_number(daemon, key, value):
    """6.1: what is not in the form of a numerical value, or does not fit, is never taken for one."""
    got = offer(daemon, [(key, value)])
    if not isinstance(got, Exception) and value.isdigit() and dict(got)[key] != "Reject":
        assert KEYS[key].low <= number(dict(got)[key]) <= KEYS[key].high, "6.2.2: an admissible value instead"
        return
    refused_or(got, key, ["Reject"])


@pytest.mark.parametrize("key", BOOLEANS)
@pytest.mark.parametrize("value", ["yes", "NO", "true", "1", "0", "Yes ", " No", "YesNo", "Y"])
def test_no_boolean(daemon, key, value):
    """6.1: Yes and No, and nothing like them; values are case-sensitive."""
    refused_or(offer(daemon, [(key, value)]), key, ["Reject"])


@pytest.mark.parametrize("key", OFFERED)
@pytest.mark.parametrize("value", ["Reject", "Irrelevant", "NotUnderstood", "?"])
def test_word_of_an_answer(daemon, key, value):
    """6.2: the words by which a responder declines are no offers."""
    refused_or(offer(daemon, [(key, value)]), key, ["Reject"])


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("value", ["X-none", "none", ",", "None,,CRC32C", "FOO,BAR"])
def test_list_without_a_known_value(daemon, key, value):
    """6.2.1: a list of which the responder has nothing is rejected (or ends the login); a list with an empty
    item is malformed, or its lawful items count."""
    refused_or(offer(daemon, [(key, value)]), key, ["Reject", "None"] if value == "None,,CRC32C" else ["Reject"])


@pytest.mark.parametrize("key", LISTS)
def test_long_list(daemon, key):
    """6.2.1: unknown items of a list, which is shorter than 255 bytes, are passed over."""
    last = usual(key)
    value = ",".join([f"X-org.example.{i}" for i in range(14)] + [last])
    assert len(value) <= 255
    assert dict(offer(daemon, [(key, value)]))[key] == last


@pytest.mark.parametrize("key", OFFERED)
def test_in_the_security_stage(daemon, key):
    """6.3.2, 6.3.3: operational keys belong into the operational stage: in the security stage they are answered
    lawfully, declined, or end the login."""
    got = offer(daemon, [("AuthMethod", "None"), (key, usual(key))], SECURITY, OPERATIONAL)
    if not isinstance(got, Exception):
        assert key in dict(got), f"{key} was not answered"
        check_answer(key, usual(key), dict(got)[key])


@pytest.mark.parametrize("key", ["AuthMethod", "CHAP_A", "CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C"])
def test_security_key_in_the_operational_stage(daemon, key):
    """6.3.2, 12: security keys are for the security stage only."""
    value = {"AuthMethod": "None", "CHAP_A": "5", "CHAP_N": "x", "CHAP_R": "0x00", "CHAP_I": "1", "CHAP_C": "0x00"}[key]
    refused_or(offer(daemon, [(key, value)]), key, ["Reject", "Irrelevant", "NotUnderstood"])


@pytest.mark.parametrize("key", ["CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C", "KRB_AP_REQ", "SRP_U"])
def test_security_key_out_of_turn(daemon, key):
    """12.1: keys of a method before the method was chosen."""
    got = offer(daemon, [("AuthMethod", "None"), (key, "0x01")], SECURITY, OPERATIONAL)
    refused_or(got, key, ["Reject", "Irrelevant", "NotUnderstood"])


@pytest.mark.parametrize("key", OFFERED)
def test_absent(daemon, key):
    """6.2: a key that nobody offers has its default: it is not answered, and no login fails for it."""
    others = [(k, usual(k)) for k in OFFERED if k != key]
    got = offer(daemon, others)
    assert not isinstance(got, Exception)
    assert all(k in dict(got) for k, _ in others)
    again = dict(got).get(key)
    if again is not None:               # the target may offer it itself
        assert again not in UNSUCCESSFUL


@pytest.mark.parametrize("key", OFFERED + ["InitiatorAlias"])
@pytest.mark.parametrize("change", [str.lower, str.upper, lambda k: k + "x", lambda k: k[:-1]],
                         ids=["lower", "upper", "longer", "shorter"])
def test_another_name_is_another_key(daemon, key, change):
    """6.1, 6.2: key names are case-sensitive and whole; what is not known is NotUnderstood."""
    name = change(key)
    assert (name, "NotUnderstood") in offer(daemon, [(name, "1")])


@pytest.mark.parametrize("key", FROM_TARGET)
def test_key_of_the_other_side(daemon, key):
    """13.6, 13.8, 13.9: keys by which a target declares are none of an initiator's."""
    value = {"TargetPortalGroupTag": "1", "TargetAddress": "192.0.2.1:3260,1"}.get(key, "alias")
    refused_or(offer(daemon, [(key, value)]), key, ["Reject", "NotUnderstood", "Irrelevant"])


@pytest.mark.parametrize("key, values, answers", [
    ("IFMarker", ["Yes", "No"], ["Reject", "No"]), ("OFMarker", ["Yes", "No"], ["Reject", "No"]),
    ("IFMarkInt", ["2048", "1~65535", "2048~4096", "0"], ["Reject"]),
    ("OFMarkInt", ["2048", "1~65535", "2048~4096", "0"], ["Reject"])])
def test_obsolete_key(daemon, key, values, answers):
    """13.25: the keys of markers are answered Reject (No, too, for the booleans), never NotUnderstood."""
    for value in values:
        got = dict(offer(daemon, [(key, value)]))
        assert got[key] in answers, f"{key}={value} answered {got[key]}"


def test_obsolete_keys_together(daemon):
    """13.25: as initiators of RFC 3720 send them: all four, beside the rest."""
    pairs = [("IFMarker", "No"), ("OFMarker", "No"), ("OFMarkInt", "2048"), ("IFMarkInt", "2048")]
    got = dict(offer(daemon, [("MaxBurstLength", "65536"), *pairs]))
    assert {k: got[k] for k, _ in pairs}.keys() == dict(pairs).keys() and got["MaxBurstLength"] == "65536"


@pytest.mark.parametrize("key, value", [("X#NodeArchitecture", "Linux,x86-64"), ("X#org.example", "1"),
                                        ("X-com.example.do", "1"), ("Y-org.example.digest", "1"),
                                        ("Z-org.example.auth", "1")])
def test_extension_key(daemon, key, value):
    """13.22, 13.26: private and public extension keys: NotUnderstood, or a known one's own answer; never an
    error. NodeArchitecture is a declaration and may go unanswered."""
    got = offer(daemon, [(key, value)])
    assert not isinstance(got, Exception)
    answer = dict(got).get(key)
    if key == "X#NodeArchitecture":
        assert answer != "Reject"
    else:
        assert answer == "NotUnderstood"


@pytest.mark.parametrize("name", ["A", "A" * 63, "a.b-c_d+e@f#9", "9Key", "Key."])
def test_key_name_of_every_form(daemon, name):
    """6.1: a key name begins with a capital letter, is of letters, digits and . - + @ _ #, and has up to 63
    bytes; a well-formed one that is not known is NotUnderstood, another may end the login."""
    got = offer(daemon, [(name, "1")])
    if isinstance(got, Exception):
        assert not name[0].isupper(), f"a lawful name ended the login: {got}"
    else:
        assert (name, "NotUnderstood") in got


def test_key_name_of_64_bytes(daemon):
    """6.1: longer than 63 bytes is no key name."""
    got = offer(daemon, [("K" * 64, "1")])
    if not isinstance(got, Exception):
        assert got == [] or ("K" * 64, "NotUnderstood") in got


@pytest.mark.parametrize("level", ["0", "1", "2", "31"])
def test_protocol_level(daemon, level):
    """13.24, RFC 7144 7.1.1: the lesser of both sides' levels; 1 is RFC 7143, 2 RFC 7144."""
    answer = dict(offer(daemon, [("iSCSIProtocolLevel", level)]))["iSCSIProtocolLevel"]
    assert number(answer) == min(int(level), 2)


@pytest.mark.parametrize("key, value", [("HeaderDigest", "CRC32C"), ("MaxConnections", "1"),
                                        ("InitialR2T", "Yes"), ("iSCSIProtocolLevel", "1")])
def test_late_offer_with_t(daemon, key, value):
    """6.3: the target does not end the stage while an answer is due: offer and T in one request get the answer,
    and T with it or later."""
    with daemon.connection() as conn:
        lg = Login(conn)
        lg.exchange([*declare(daemon), ("AuthMethod", "None")], SECURITY, OPERATIONAL)
        r, got = lg.finish([(key, value)])
        assert dict(got)[key] == value and r.flags & p.T


def test_order_of_answers_is_free_and_complete(daemon):
    """6.2: a request with all keys of section 13 is answered by one text with an answer for each."""
    pairs = [(k, usual(k)) for k in reversed(OFFERED)]
    got = offer(daemon, pairs)
    assert {k for k, _ in pairs} <= {k for k, _ in got}
    assert len([k for k, _ in got]) == len({k for k, _ in got}), "a key answered twice"


@pytest.mark.parametrize("key", sorted(set(OFFERED) - {"TaskReporting", "iSCSIProtocolLevel"}))
def test_not_in_full_feature_phase(session, key):
    """6.4, 13: keys of use LO are negotiated in the login phase only."""
    try:
        got = session.text([(key, usual(key))])
    except (Rejected, Closed):
        return
    assert dict(got).get(key) in UNSUCCESSFUL, f"{key} answered {got}"


@pytest.mark.parametrize("text", [textkeys.encode([("SendTargets", "")]) * 2, b"SendTargets", b"=\0", b"\0", b"=x\0",
                                  b"SendTargets=\0\0", b"X-a=1\0X-a=1\0"])
def test_malformed_text_in_full_feature_phase(session, text):
    """6.1, 6.4, 7.10: what is wrong in a Text Request is rejected or answered key by key; the session is not
    confused by it."""
    itt = session.take_itt()
    session.send(p.PDU(p.TEXT_REQ, immediate=True, flags=p.F, itt=itt, ttt=p.RESERVED_TAG, data=text))
    try:
        pdu = session.recv()
    except Closed:
        return
    assert (pdu.opcode == p.REJECT and pdu.data[16:20] == itt.to_bytes(4, "big")) or \
        (pdu.opcode == p.TEXT_RSP and pdu.itt == itt), f"{pdu}"
    session.inbox.clear()
    assert session.nop(b"on").data == b"on"

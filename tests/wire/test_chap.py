# SPDX-License-Identifier: BSD-3-Clause
"""CHAP: one-way and mutual, every algorithm, and every way to cheat. RFC 7143 12.1.3, RFC 1994."""

import base64
import os

import pytest

from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT, make_daemon
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, SECURITY, Chap, Closed, Login, LoginFailed,
                           Session, chap_binary, chap_response)

USER, SECRET = "wireuser", "wiresecret-0123"
ALGORITHMS = {5: "MD5", 6: "SHA1", 7: "SHA-256", 8: "SHA3-256"}


@pytest.fixture(scope="module")
def chapd():
    d = make_daemon(chap=f"{USER}:{SECRET}")
    try:
        d.start()
        if not IS_TGT:
            with d.control() as c:      # so many wrong secrets would be slowed down (test_peers.py)
                c.call("set", path="/iscsi/login_backoff_max", value="0")
        yield d
        d.stop()
    finally:
        d.discard()


@pytest.fixture
def conn(chapd):
    with chapd.connection() as c:
        yield c
    chapd.check()


def first(d):
    return [("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"), ("TargetName", d.iqn)]


def challenge(lg, d, algorithms="5"):
    """Up to the target's challenge: (algorithm, identifier, challenge bytes)."""
    _, got = lg.exchange([*first(d), ("AuthMethod", "CHAP")], SECURITY)
    assert ("AuthMethod", "CHAP") in got
    _, got = lg.exchange([("CHAP_A", algorithms)], SECURITY)
    got = dict(got)
    return int(got["CHAP_A"]), int(got["CHAP_I"]), chap_binary(got["CHAP_C"])


def refused(lg, pairs, status=(0x0201,)):
    """The answer must be "authentication failure" (0201h) and the connection close."""
    with pytest.raises((LoginFailed, Closed)) as e:
        lg.exchange(pairs, SECURITY, OPERATIONAL)
        lg.exchange((), OPERATIONAL, FULL_FEATURE)
    if isinstance(e.value, LoginFailed):
        assert e.value.status in status, f"status {e.value.status:04x}"
        lg.conn.expect_closed()


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=ALGORITHMS.values())
def test_one_way(chapd, lun, algorithm):
    """12.1.3, RFC 7143 and the IANA registry of CHAP algorithms."""
    with chapd.session(chap=Chap(USER, SECRET, algorithms=(algorithm,))) as s:
        s.clear_ua(lun).good()
        s.logout()


@pytest.mark.parametrize("offer, takes", [("5", 5), ("7,5", 7), ("5,7", 5), ("99,8", 8), ("0,5", 5)])
def test_first_known_algorithm_of_the_list(chapd, conn, offer, takes):
    """12.1.3: one of the proposed, by 6.2.1 the first that the target supports."""
    assert challenge(Login(conn), chapd, offer)[0] == takes


@pytest.mark.parametrize("offer", ["99", "0", "", "abc", "4,3,2,1"])
def test_no_common_algorithm(chapd, conn, offer):
    """12.1.3: no algorithm in common ends the login."""
    lg = Login(conn)
    lg.exchange([*first(chapd), ("AuthMethod", "CHAP")], SECURITY)
    with pytest.raises((LoginFailed, Closed)) as e:
        _, got = lg.exchange([("CHAP_A", offer)], SECURITY)
        assert dict(got).get("CHAP_A") == "Reject"
        lg.exchange((), SECURITY, OPERATIONAL)
    if isinstance(e.value, LoginFailed):
        assert e.value.pdu.status_class == 2


@pytest.mark.parametrize("user, secret", [(USER, "wrong-secret-012"), ("stranger", SECRET), ("", SECRET),
                                          (USER, ""), (USER.upper(), SECRET), (USER + "\t", SECRET)])
def test_wrong_credentials(chapd, conn, user, secret):
    """11.13.5: 0201h; and nothing tells name from secret."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    refused(lg, [("CHAP_N", user), ("CHAP_R", "0x" + chap_response(alg, ident, secret, chal).hex())])


def test_no_security_stage(chapd, conn):
    """6.3: the target demands authentication: starting in the operational stage is refused."""
    with pytest.raises(LoginFailed) as e:
        Login(conn).exchange(first(chapd), OPERATIONAL, FULL_FEATURE)
    assert e.value.status in (0x0201, 0x0202)


@pytest.mark.parametrize("nsg", [OPERATIONAL, FULL_FEATURE])
def test_auth_method_none(chapd, conn, nsg):
    """12: AuthMethod=None where CHAP is demanded."""
    with pytest.raises(LoginFailed) as e:
        lg = Login(conn)
        _, got = lg.exchange([*first(chapd), ("AuthMethod", "None")], SECURITY, nsg)
        assert dict(got).get("AuthMethod") == "Reject"
        lg.exchange((), SECURITY, nsg)
    assert e.value.status in (0x0201, 0x0202)


def test_none_or_chap_list(chapd, conn):
    """6.2.1: of "None,CHAP" the target takes what its policy allows."""
    _, got = Login(conn).exchange([*first(chapd), ("AuthMethod", "None,CHAP")], SECURITY)
    assert dict(got)["AuthMethod"] == "CHAP"


@pytest.mark.parametrize("nsg", [OPERATIONAL, FULL_FEATURE])
def test_transit_before_the_response(chapd, conn, nsg):
    """12.1.3: no way out of the security stage before CHAP is done."""
    lg = Login(conn)
    challenge(lg, chapd)
    with pytest.raises((LoginFailed, Closed)) as e:
        r, _ = lg.exchange((), SECURITY, nsg)
        assert not r.flags & p.T, "the operational stage before authentication"
        lg.exchange((), OPERATIONAL, FULL_FEATURE)
    assert isinstance(e.value, Closed) or e.value.status in (0x0200, 0x0201, 0x0207)


def test_transit_with_method_choice(chapd, conn):
    """T=1 in the first request is not granted while CHAP is open (11.13.3)."""
    r, got = Login(conn).exchange([*first(chapd), ("AuthMethod", "CHAP")], SECURITY, OPERATIONAL)
    assert not r.flags & p.T
    assert ("AuthMethod", "CHAP") in got


def test_stage_jump_in_the_middle(chapd, conn):
    """6.3.2, 12.1.3: CSG=1 while security is not finished."""
    lg = Login(conn)
    challenge(lg, chapd)
    with pytest.raises((LoginFailed, Closed)):
        lg.exchange((), OPERATIONAL, FULL_FEATURE)


@pytest.mark.parametrize("missing", ["CHAP_N", "CHAP_R"])
def test_missing_key(chapd, conn, missing):
    """12.1.3: both are needed."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    pairs = [("CHAP_N", USER), ("CHAP_R", "0x" + chap_response(alg, ident, SECRET, chal).hex())]
    refused(lg, [x for x in pairs if x[0] != missing], (0x0201, 0x0207, 0x0200))


@pytest.mark.parametrize("value", ["0x", "0x00", "", "zz", "0xzz", "0x" + "00" * 2048, "0b!!!!",
                                   "0x" + "00" * 16, "0x" + "00" * 20])
def test_malformed_response(chapd, conn, value):
    """12.1.3: CHAP_R of a wrong length or form."""
    lg = Login(conn)
    challenge(lg, chapd)
    refused(lg, [("CHAP_N", USER), ("CHAP_R", value)], (0x0201, 0x0200))


@pytest.mark.parametrize("form", ["0x%s", "0X%s", "upper", "base64"])
def test_binary_forms(chapd, conn, form):
    """6.1: hex in either case and base64."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    raw = chap_response(alg, ident, SECRET, chal)
    text = {"upper": "0x" + raw.hex().upper(), "base64": "0b" + base64.b64encode(raw).decode()}.get(form)
    text = text or form % raw.hex()
    r, _ = lg.exchange([("CHAP_N", USER), ("CHAP_R", text)], SECURITY, OPERATIONAL)
    assert r.flags & p.T


def test_truncated_response(chapd, conn):
    """12.1.3: A prefix of the right answer is wrong."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    refused(lg, [("CHAP_N", USER), ("CHAP_R", "0x" + chap_response(alg, ident, SECRET, chal)[:8].hex())],
            (0x0201, 0x0200))


def test_challenges_differ(chapd):
    """RFC 1994 2.3: challenges are unpredictable and never repeat; long enough for the hash (12.1.3)."""
    seen = set()
    for _ in range(16):
        with chapd.connection() as c:
            chal = challenge(Login(c), chapd)[2]
            assert len(chal) >= 16
            seen.add(chal)
    assert len(seen) == 16


def test_replayed_response(chapd):
    """12.1.3, RFC 1994 2.3: An answer overheard once opens nothing later."""
    with chapd.connection() as c:
        lg = Login(c)
        alg, ident, chal = challenge(lg, chapd)
        old = "0x" + chap_response(alg, ident, SECRET, chal).hex()
        lg.exchange([("CHAP_N", USER), ("CHAP_R", old)], SECURITY, OPERATIONAL)
    with chapd.connection() as c:
        lg = Login(c)
        challenge(lg, chapd)
        refused(lg, [("CHAP_N", USER), ("CHAP_R", old)])


def test_mutual_not_configured(chapd, conn):
    """12.1.3: the initiator wants the target authenticated, the target has no secret: refused."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    refused(lg, [("CHAP_N", USER), ("CHAP_R", "0x" + chap_response(alg, ident, SECRET, chal).hex()),
                 ("CHAP_I", "1"), ("CHAP_C", "0x" + os.urandom(16).hex())], (0x0201, 0x0202, 0x0200))


def test_reflected_challenge(chapd, conn):
    """12.1.3: the initiator's challenge must not be the target's own: reflection is refused."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    refused(lg, [("CHAP_N", USER), ("CHAP_R", "0x" + chap_response(alg, ident, SECRET, chal).hex()),
                 ("CHAP_I", str(ident)), ("CHAP_C", "0x" + chal.hex())], (0x0201, 0x0202, 0x0200))


def test_reflection_across_connections(chapd):
    """12.1.3, RFC 3720 8.2.1: a second connection cannot be used to have a challenge answered."""
    with chapd.connection() as a, chapd.connection() as b:
        la, lb = Login(a), Login(b)
        alg, ident, chal = challenge(la, chapd)
        _, ident_b, chal_b = challenge(lb, chapd)
        with pytest.raises((LoginFailed, Closed)):
            _, got = lb.exchange([("CHAP_N", USER), ("CHAP_R", "0x" + bytes(16).hex()),
                                  ("CHAP_I", str(ident)), ("CHAP_C", "0x" + chal.hex())], SECURITY, OPERATIONAL)
            assert "CHAP_R" not in dict(got), "the target answered a challenge before it knew the initiator"
            lb.exchange((), SECURITY, OPERATIONAL)


def test_too_long_user(chapd, conn):
    """6.1, 12.1.3: Names of any length end in a refusal, no more."""
    lg = Login(conn)
    alg, ident, chal = challenge(lg, chapd)
    refused(lg, [("CHAP_N", "n" * 4000), ("CHAP_R", "0x" + chap_response(alg, ident, SECRET, chal).hex())],
            (0x0201, 0x0200))


def test_failed_logins_leave_the_daemon_open_to_good_ones(chapd, lun):
    """9.2.1: Fifty failures in a row, then a good login at once."""
    for i in range(50):
        with pytest.raises(LoginFailed):
            chapd.session(chap=Chap(USER, f"guess-{i:012}"))
    with chapd.session() as s:
        s.clear_ua(lun)
        s.scsi(scsi.test_unit_ready(), lun=lun).good()
        s.logout()


def test_secret_is_not_logged(chapd):
    """9.2.1: Secrets appear in no log."""
    with pytest.raises(LoginFailed):
        chapd.session(chap=Chap(USER, "bad-secret-xyzzy"))
    assert SECRET not in chapd.log()
    if not IS_TGT:
        assert USER in chapd.log() or DEFAULT_NAME in chapd.log(), "a refused login says who"


def test_discovery_needs_no_more_than_it_must(chapd):
    """6.3.2, 4.3: A discovery session is authenticated as the target's policy says, and never crashes."""
    try:
        s = Session.open(chapd.address, discovery=True)
    except LoginFailed as e:
        assert e.status in (0x0201, 0x0202)
        s = Session.open(chapd.address, discovery=True, chap=Chap(USER, SECRET))
    s.logout()


@pytest.fixture(scope="module")
def mutuald():
    d = make_daemon(chap=f"{USER}:{SECRET}", mutual="wiretarget:targetsecret-0123")
    try:
        d.start()
        yield d
        d.stop()
    finally:
        d.discard()


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=ALGORITHMS.values())
def test_mutual(mutuald, lun, algorithm):
    """12.1.3: the target answers the initiator's challenge with its own name and secret."""
    creds = Chap(USER, SECRET, "wiretarget", "targetsecret-0123", algorithms=(algorithm,))
    with mutuald.session(chap=creds) as s:
        s.clear_ua(lun).good()
        s.logout()


def test_mutual_not_asked_for(mutuald, lun):
    """12.1.3: the initiator decides whether the target has to prove itself."""
    with mutuald.session(chap=Chap(USER, SECRET)) as s:
        s.clear_ua(lun).good()
        s.logout()


def test_no_proof_for_an_impostor(mutuald):
    """12.1.3: the target proves itself to an initiator only after it has proved itself: with a wrong CHAP_R
    there is no CHAP_R in return."""
    with mutuald.connection() as c:
        lg = Login(c)
        challenge(lg, mutuald)
        lg.send([("CHAP_N", USER), ("CHAP_R", "0x" + bytes(16).hex()), ("CHAP_I", "9"),
                 ("CHAP_C", "0x" + os.urandom(16).hex())], SECURITY, OPERATIONAL)
        r = c.expect(p.LOGIN_RSP)
        assert r.status_class == 2 and b"CHAP_R" not in r.data


def test_mutual_reflection(mutuald):
    """12.1.3: the target's own challenge sent back is refused even where mutual CHAP is set up, and so is an
    identical challenge on a second connection."""
    with mutuald.connection() as a, mutuald.connection() as b:
        la, lb = Login(a), Login(b)
        alg, ident, chal = challenge(la, mutuald)
        good = "0x" + chap_response(alg, ident, SECRET, chal).hex()
        la.send([("CHAP_N", USER), ("CHAP_R", good), ("CHAP_I", str(ident)), ("CHAP_C", "0x" + chal.hex())],
                SECURITY, OPERATIONAL)
        r = a.expect(p.LOGIN_RSP)
        assert r.status_class == 2 and b"CHAP_R" not in r.data
        _, ident_b, chal_b = challenge(lb, mutuald)
        lb.send([("CHAP_N", USER), ("CHAP_R", good), ("CHAP_I", str(ident_b)), ("CHAP_C", "0x" + chal_b.hex())],
                SECURITY, OPERATIONAL)
        r = b.expect(p.LOGIN_RSP)
        assert r.status_class == 2 and b"CHAP_R" not in r.data


def test_same_secret_both_ways(new_daemon):
    """12.1.3 and 9.2.1: the secrets of the two directions must differ; a target that was given one secret
    for both refuses mutual CHAP, or refuses to be set up so."""
    try:
        d = new_daemon(chap=f"{USER}:{SECRET}", mutual=f"wiretarget:{SECRET}")
    except AssertionError:
        assert IS_TGT, "uliod takes it, and refuses the login"
        return
    with pytest.raises(LoginFailed):
        d.session(chap=Chap(USER, SECRET, "wiretarget", SECRET)).close()

# SPDX-License-Identifier: BSD-3-Clause
"""What one address may take, how it is slowed down when it guesses secrets, and the record of refused logins.
RFC 7143 9.2.1 (guessing), 11.13.5 (status of a refused login)."""

import time

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib.connection import TIMEOUT, Closed
from lib.daemon import IS_TGT
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, SECURITY, Chap, Connection, Login, LoginFailed,
                           chap_binary, chap_response)
from lib.pdu import PDU

pytestmark = pytest.mark.skipif(IS_TGT, reason="ulio's own configuration")

USER, SECRET = "peeruser", "peersecret-0123"


@pytest.fixture
def peerd(new_daemon):
    return new_daemon(chap=f"{USER}:{SECRET}")


def limit(d, **values):
    with d.control() as c:
        for name, value in values.items():
            c.call("set", path=f"/iscsi/{name}", value=str(value))


def guess(d, secret="wrong-secret-0123"):
    """One wrong secret; the status and how long the answer took."""
    start = time.monotonic()
    with pytest.raises(LoginFailed) as e:
        d.session(chap=Chap(USER, secret))
    return e.value.status, time.monotonic() - start


def refused(d):
    with d.control() as c:
        return c.call("logins.refused")


# --- back-off


def test_guesses_slow_down(peerd):
    """9.2.1: A few are free; then each waits longer, and a right secret is let in all the same."""
    limit(peerd, login_failures_free=3, login_backoff_max=1)
    assert all(guess(peerd)[0] == 0x0201 for _ in range(4))
    times = [guess(peerd)[1] for _ in range(4)]
    assert times[3] >= 0.7 and sum(times) >= 1.4, f"0.1, 0.2, 0.4, 0.8 s, not {times}"
    with peerd.session() as s:
        s.logout()


def test_guesses_on_many_connections_wait_in_line(peerd):
    """9.2.1: Delays add up over connections: silence is no quicker answer than a refusal."""
    limit(peerd, login_failures_free=0, login_backoff_max=1)
    for _ in range(5):
        guess(peerd)
    logins, start = [], time.monotonic()
    for _ in range(3):
        c = Connection(peerd.address)
        lg = Login(c)
        lg.exchange([("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"), ("TargetName", peerd.iqn),
                     ("AuthMethod", "CHAP")], SECURITY)
        _, got = lg.exchange([("CHAP_A", "7")], SECURITY)
        got = dict(got)
        answer = chap_response(7, int(got["CHAP_I"]), SECRET, chap_binary(got["CHAP_C"]))
        logins.append((c, lg, "0x" + answer.hex()))
    for _, lg, answer in logins:
        lg.send([("CHAP_N", USER), ("CHAP_R", answer)], SECURITY, OPERATIONAL)
    for c, lg, _ in logins:
        lg.recv()
        c.close()
    assert time.monotonic() - start >= 2, "three right secrets, a second between them"


def test_one_that_leaves_while_it_waits(peerd):
    """9.2.1: A connection that ends while its answer waits leaves nothing behind (the sanitizers would tell)."""
    limit(peerd, login_failures_free=0, login_backoff_max=2)
    for _ in range(2):
        guess(peerd)
    for _ in range(3):
        with peerd.connection() as c:
            lg = Login(c)
            lg.exchange([("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"),
                         ("TargetName", peerd.iqn), ("AuthMethod", "CHAP")], SECURITY)
            lg.exchange([("CHAP_A", "7")], SECURITY)
            lg.send([("CHAP_N", USER), ("CHAP_R", "0x" + bytes(32).hex())], SECURITY, OPERATIONAL)
    with peerd.session() as s:
        s.logout()


def test_more_while_an_answer_waits(peerd):
    """6.2: one Login Request at a time. What comes while one is held back ends the connection, and nothing of it is
    judged later (the sanitizers would tell)."""
    limit(peerd, login_failures_free=0, login_backoff_max=1)
    for _ in range(2):
        guess(peerd)
    with peerd.connection() as c:
        lg = Login(c)
        lg.exchange([("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"),
                     ("TargetName", peerd.iqn), ("AuthMethod", "CHAP")], SECURITY)
        wrong = [("CHAP_N", USER), ("CHAP_R", "0x" + bytes(32).hex())]
        pdus = [PDU(p.LOGIN_REQ, data=textkeys.encode(pairs), flags=SECURITY << 2 | nsg, isid=lg.isid, itt=lg.itt,
                    cmdsn=lg.cmdsn, immediate=True, expstatsn=c.expstatsn)
                for pairs, nsg in [([("CHAP_A", "7")], 0)] + [(wrong, p.T | OPERATIONAL)] * 2]
        c.send_raw(b"".join(x.encode() for x in pdus))
        with pytest.raises(Closed):
            for _ in range(3):
                assert not c.expect(p.LOGIN_RSP).status_class, "a request that was followed by another is judged"
    assert any("before the answer" in x for x in peerd.log().splitlines())
    with peerd.session() as s:
        s.logout()


def test_too_long_a_line(peerd):
    """11.13.5: More than can be looked at in time are refused with "service unavailable", which is to be
    tried again."""
    limit(peerd, login_failures_free=0, login_backoff_max=8)
    for _ in range(3):
        guess(peerd)
    limit(peerd, login_backoff_max=8)
    waiting = []
    try:
        for _ in range(40):
            c = Connection(peerd.address)
            waiting.append(c)
            lg = Login(c)
            lg.exchange([("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"),
                         ("TargetName", peerd.iqn), ("AuthMethod", "CHAP")], SECURITY)
            lg.exchange([("CHAP_A", "7")], SECURITY)
            lg.send([("CHAP_N", USER), ("CHAP_R", "0x" + bytes(32).hex())], SECURITY, OPERATIONAL)
        with pytest.raises(LoginFailed) as e:
            lg.recv()
        assert e.value.status == 0x0301
    finally:
        for c in waiting:
            c.close()


# --- limits


def test_connections_of_an_address(peerd):
    """11.13.5: One connection too many is told so at login: 0302h."""
    limit(peerd, peer_connections_max=2)
    with peerd.session() as a:
        with Connection(peerd.address), pytest.raises(LoginFailed) as e:
            peerd.session(name=DEFAULT_NAME + "-b")
        assert e.value.status == 0x0302
        until_gone(peerd, 1)
        with peerd.session(name=DEFAULT_NAME + "-b") as b:
            b.logout()
        a.logout()
    assert "peer_connections_max" in refused(peerd)[0]["cure"]


def until_gone(d, n):
    """Wait until the daemon has closed all but n connections."""
    deadline = time.monotonic() + TIMEOUT
    with d.control() as c:
        while c.call("status")["connections"] > n:
            assert time.monotonic() < deadline, f"more than {n} connections are left"


def test_sessions_of_an_address(peerd):
    """One session too many: 0302h; one that replaces its predecessor (6.3.5) is none too many."""
    limit(peerd, peer_sessions_max=1)
    with peerd.session() as a:
        with pytest.raises(LoginFailed) as e:
            peerd.session(name=DEFAULT_NAME + "-b")
        assert e.value.status == 0x0302
        with peerd.session(isid=a.isid) as again:
            again.logout()
    assert "peer_sessions_max" in refused(peerd)[0]["cure"]
    with peerd.session(name=DEFAULT_NAME + "-b") as b:
        b.logout()


def test_logins_per_second(peerd):
    """11.13.5: More logins in a second than allowed: 0301h, try again later."""
    peerd.iqn
    limit(peerd, peer_logins_per_s=2)
    statuses = []
    for _ in range(6):
        try:
            peerd.session().close()
            statuses.append(0)
        except LoginFailed as e:
            statuses.append(e.status)
    assert 0x0301 in statuses and 0 in statuses


# --- the record


def test_who_stage_cause_cure(peerd):
    """11.13.5: A refused login says who tried, where it ended, with what, why, and what can be done; once for each
    kind."""
    for _ in range(3):
        guess(peerd)
    with pytest.raises(LoginFailed):
        peerd.session(chap=None)
    with peerd.connection() as c, pytest.raises(LoginFailed):
        Login(c).exchange([("InitiatorName", "iqn.2026-01.example.test:lost"), ("SessionType", "Normal"),
                           ("TargetName", "iqn.2026-01.example.test:nowhere")], OPERATIONAL, FULL_FEATURE)
    records = refused(peerd)
    lost = next(r for r in records if r["initiator"].endswith(":lost"))
    assert lost["target"].endswith(":nowhere") and lost["status"] == "0x0203" and lost["status_name"] == "not found"
    assert lost["peer"].startswith("127.0.0.1:") and lost["cause"] and "ulio ls" in lost["cure"]
    wrong = next(r for r in records if "wrong password" in r["cause"])
    assert wrong["times"] == 3 and wrong["stage"] == "SecurityNegotiation" and wrong["initiator"] == DEFAULT_NAME
    assert wrong["target"] == peerd.iqn and wrong["first"] <= wrong["last"] and "auth/" in wrong["cure"]
    assert len(records) == 3
    lines = [x for x in peerd.log().splitlines() if "login refused" in x and "wrong password" in x]
    assert len(lines) == 1, "the same again is not logged again"
    for part in ("peer=127.0.0.1:", f'initiator="{DEFAULT_NAME}"', f'target="{peerd.iqn}"',
                 "stage=SecurityNegotiation", "status=0x0201 (authentication failure)", 'cure="'):
        assert part in lines[0]


def test_a_login_that_is_left(peerd):
    """8.1.4, T7: An initiator that goes away in the midst of its login is recorded too."""
    with peerd.connection() as c:
        Login(c).exchange([("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"),
                           ("TargetName", peerd.iqn), ("AuthMethod", "CHAP")], SECURITY)
    until_gone(peerd, 0)
    records = refused(peerd)
    assert [(r["status_name"], r["stage"]) for r in records] == [("no answer", "SecurityNegotiation")]


def test_text_of_a_peer_forges_nothing(peerd):
    """6.1: What a peer sends appears escaped, and cannot begin a line of its own."""
    with peerd.connection() as c, pytest.raises(LoginFailed):
        Login(c).exchange([("InitiatorName", 'evil"\n2026 error iscsi: forged'), ("SessionType", "Normal"),
                           ("TargetName", peerd.iqn)], OPERATIONAL, FULL_FEATURE)
    assert not [x for x in peerd.log().splitlines() if x.startswith("2026 error")]
    assert refused(peerd)
    with pytest.raises(LoginFailed):
        peerd.session(chap=Chap('x" cure="none', SECRET))
    line, = [x for x in peerd.log().splitlines() if "CHAP_N" in x]
    assert line.count('cure="') == 1 and line.count('"') == 8


def test_records_are_bounded(peerd):
    """11.13.5: However many different ones there are: the latest are kept."""
    for i in range(140):
        with peerd.connection() as c, pytest.raises(LoginFailed):
            Login(c).exchange([("InitiatorName", f"iqn.2026-01.example.test:n{i}"), ("SessionType", "Normal"),
                               ("TargetName", "iqn.2026-01.example.test:nowhere")], OPERATIONAL, FULL_FEATURE)
    names = {r["initiator"].rsplit(":n", 1)[1] for r in refused(peerd)}
    assert len(names) == 128 and "139" in names
    assert sum("login refused" in x for x in peerd.log().splitlines()) <= 25, "the log is limited"

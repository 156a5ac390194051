# SPDX-License-Identifier: BSD-3-Clause
"""What broke the login path of Linux's target, before anybody was authenticated, as published.

Each input must be refused, or answered within RFC 7143, and the daemon be as it was. One more of that list,
CVE-2026-53176, is of iSER; its like over TCP is here: login PDUs that are shorter than they say.
"""

import base64
import itertools
import os
import string
import threading

import pytest

from lib import pdu as p
from lib import scsi
from lib.daemon import IS_TGT, make_daemon
from lib.initiator import (DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, SECURITY, Closed, Login, LoginFailed, Rejected,
                           chap_binary, chap_response)
from lib.pdu import PDU

USER, SECRET = "wireuser", "wiresecret-0123"
BACK_USER, BACK_SECRET = "target", "targetsecret-01"


@pytest.fixture(scope="module")
def chapd():
    d = make_daemon(chap=f"{USER}:{SECRET}", mutual=f"{BACK_USER}:{BACK_SECRET}")
    try:
        d.start()
        yield d
        d.stop()
    finally:
        d.discard()


def first(d):
    return [("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"), ("TargetName", d.iqn)]


def unharmed(d, lun):
    """It runs, no sanitizer spoke, the next login works, and it keeps no memory of this one."""
    with d.session() as s:
        s.clear_ua(lun)
        s.logout()
    d.check()


def refused(call):
    """The login is refused as the initiator's error (11.13.5: class 2) or the connection closed."""
    with pytest.raises((LoginFailed, Closed, Rejected)) as e:
        call()
    if isinstance(e.value, LoginFailed):
        assert e.value.pdu.status_class == 2, f"status {e.value.status:04x}"


def send_text(lg, text, csg, nsg, piece=8192):
    """A text of any length as Login Requests with C bits, and what comes of it."""
    pieces = [text[i:i + piece] for i in range(0, len(text), piece)] or [b""]
    for part in pieces[:-1]:
        lg.send(part, csg, cont=True)
        r = lg.recv()
        assert not r.data and not r.flags & (p.T | p.C), "an answer before the text was complete (6.2)"
    return lg.exchange(pieces[-1], csg, nsg)


# --- CVE-2013-2850: a key that is not understood was copied, name and all, to a buffer of 64 bytes


@pytest.mark.parametrize("csg", [SECURITY, OPERATIONAL])
@pytest.mark.parametrize("length", [64, 65, 127, 255, 1024, 4096, 8000])
def test_cve_2013_2850_long_key_name(daemon, lun, csg, length):
    """6.1: a key name has at most 63 bytes."""
    with daemon.connection() as c:
        refused(lambda: Login(c).exchange([*first(daemon), ("X" * length, "1")], csg, FULL_FEATURE))
    unharmed(daemon, lun)


@pytest.mark.parametrize("csg", [SECURITY, OPERATIONAL])
def test_cve_2013_2850_longest_lawful_name(daemon, csg):
    """6.2: a name of 63 bytes that is not understood is answered so, whole."""
    name = "X-" + "k" * 61
    with daemon.connection() as c:
        _, got = Login(c).exchange([*first(daemon), (name, "v" * 255)], csg)
        assert dict(got)[name] == "NotUnderstood"


def test_cve_2013_2850_name_in_pieces(daemon, lun):
    """6.1: The same, with the name spread over several PDUs by the C bit."""
    text = b"".join(f"{k}={v}\0".encode() for k, v in first(daemon)) + b"Y" * 12000 + b"=1\0"
    for piece in (1000, 8192):
        with daemon.connection() as c:
            refused(lambda: send_text(Login(c), text, OPERATIONAL, FULL_FEATURE, piece))
    unharmed(daemon, lun)


# --- CVE-2018-14633 and CVE-2026-63886: CHAP_R, hexadecimal or base64, decoded past the digest's buffer;
#     and CHAP_C of a mutual login likewise


def challenge(lg, d):
    _, got = lg.exchange([*first(d), ("AuthMethod", "CHAP")], SECURITY)
    assert ("AuthMethod", "CHAP") in got
    got = dict(lg.exchange([("CHAP_A", "5")], SECURITY)[1])
    return int(got["CHAP_A"]), int(got["CHAP_I"]), chap_binary(got["CHAP_C"])


RESPONSES = {
    **{f"hex of {n} bytes": "0x" + "5a" * n for n in (0, 1, 15, 17, 18, 32, 33, 64, 1024, 3900)},
    "33 digits": "0x" + "5" * 33, "no hex": "0x" + "zz" * 16, "no prefix": "5a" * 16, "prefix": "0x", "empty": "",
    **{f"base64 of {n} bytes": "0b" + base64.b64encode(b"Z" * n).decode() for n in (1, 15, 17, 18, 48, 64, 1024, 5000)},
    "base64 without padding": "0b" + base64.b64encode(b"Z" * 16).decode().rstrip("="),
    "base64 padding alone": "0b====", "base64 of padding": "0b" + "=" * 4000, "base64 prefix": "0b",
    "base64 out of its alphabet": "0b" + "-_" * 11 + "==", "base64 with more behind": "0b" + "WVla" * 4 + "WQ==WVla",
    "decimal": "9" * 40, "percent": "%s%n" * 20,
}


@pytest.mark.skipif(IS_TGT, reason="tgt cannot be asked for both ways here")
@pytest.mark.parametrize("value", RESPONSES.values(), ids=RESPONSES)
def test_cve_2018_14633_and_2026_63886_chap_r(chapd, lun, value):
    """12.1.3: what is not a response of the digest's length is refused."""
    with chapd.connection() as c:
        lg = Login(c)
        challenge(lg, chapd)
        refused(lambda: send_text(lg, f"CHAP_N={USER}\0CHAP_R={value}\0".encode(), SECURITY, OPERATIONAL))
    unharmed(chapd, lun)


CHALLENGES = {
    **{f"hex of {n} bytes": "0x" + "5a" * n for n in (0, 1025, 1026, 3900)},
    **{f"base64 of {n} bytes": "0b" + base64.b64encode(b"Z" * n).decode() for n in (1025, 1100, 5000)},
    "odd": "0x" + "5" * 2049, "no hex": "0xyy", "base64 of padding": "0b" + "=" * 2000, "empty": "",
}


@pytest.mark.skipif(IS_TGT, reason="tgt cannot be asked for both ways here")
@pytest.mark.parametrize("value", CHALLENGES.values(), ids=CHALLENGES)
def test_cve_2018_14633_chap_c(chapd, lun, value):
    """12.1.3: CHAP_C has 1 to 1024 bytes; beside a right CHAP_R, so that it is looked at."""
    with chapd.connection() as c:
        lg = Login(c)
        alg, ident, chal = challenge(lg, chapd)
        right = chap_response(alg, ident, SECRET, chal).hex()
        text = f"CHAP_N={USER}\0CHAP_R=0x{right}\0CHAP_I=7\0CHAP_C={value}\0"
        refused(lambda: send_text(lg, text.encode(), SECURITY, OPERATIONAL))
    unharmed(chapd, lun)


@pytest.mark.parametrize("ident", ["256", "-1", "4294967296", "0x100", "", "9" * 300, "1 ", "+1"])
@pytest.mark.skipif(IS_TGT, reason="tgt cannot be asked for both ways here")
def test_chap_i_beyond_a_byte(chapd, lun, ident):
    """12.1.3: CHAP_I is one byte."""
    with chapd.connection() as c:
        lg = Login(c)
        alg, mine, chal = challenge(lg, chapd)
        right = chap_response(alg, mine, SECRET, chal).hex()
        text = f"CHAP_N={USER}\0CHAP_R=0x{right}\0CHAP_I={ident}\0CHAP_C=0x0102\0"
        refused(lambda: send_text(lg, text.encode(), SECURITY, OPERATIONAL))
    unharmed(chapd, lun)


# --- CVE-2026-63887: 2,048 keys of four bytes, whose answers need four times the room of the request


def four_byte_keys(n):
    """n different pairs of four bytes each, with their NUL."""
    words = itertools.product(string.ascii_uppercase, string.ascii_letters + string.digits + ".-+@_")
    names = ["".join(w) for w in itertools.islice(words, n)]
    return b"".join(f"{name}=\0".encode() for name in names)


FOUR = {
    "the same": b"A=1\0" * 2048, "different": four_byte_keys(1742) + b"A=1\0" * 306,
    "no value": b"=1\0\0" * 2048, "NULs": bytes(8192), "as many as are taken": four_byte_keys(120),
}


@pytest.mark.parametrize("csg", [SECURITY, OPERATIONAL])
@pytest.mark.parametrize("text", FOUR.values(), ids=FOUR)
def test_cve_2026_63887_many_short_keys(daemon, lun, csg, text):
    """6.2: as the first request of a login, or behind one that has the names: refused, or each one answered."""
    before = daemon.rss()
    for begun in (False, True):
        with daemon.connection() as c:
            lg = Login(c)
            try:
                if begun:
                    lg.exchange(first(daemon), csg)
                _, got = lg.exchange(text, csg)
            except (LoginFailed, Closed):
                continue
            assert begun, "a login without its InitiatorName"
            assert [k for k, v in got if v == "NotUnderstood"] == [x.split(b"=")[0].decode() for x in
                                                                  text.split(b"\0") if x]
    unharmed(daemon, lun)
    assert daemon.rss() < before + (64 << 20)


# --- CVE-2026-90011: a data segment that fills its buffer has no room for a NUL behind


@pytest.mark.parametrize("total", [8191, 8192, 16383, 16384, 16385, 24576, 65536])
@pytest.mark.parametrize("fill", [b"A", b"A=", b"="], ids=["name", "pair", "equals"])
def test_cve_2026_90011_text_without_nul(daemon, lun, total, fill):
    """6.1: each pair ends with a NUL; a text that does not is refused, whatever its length."""
    text = (fill + b"B" * total)[:total]
    with daemon.connection() as c:
        refused(lambda: send_text(Login(c), text, OPERATIONAL, FULL_FEATURE))
    unharmed(daemon, lun)


@pytest.mark.parametrize("pad", range(4))
def test_cve_2026_90011_value_up_to_the_end(daemon, lun, pad):
    """6.1: The names, then a value that reaches to the last byte of a full data segment, and no NUL."""
    head = b"".join(f"{k}={v}\0".encode() for k, v in first(daemon)) + b"X-key="
    text = head + b"v" * (8192 - pad - len(head))
    with daemon.connection() as c:
        refused(lambda: Login(c).exchange(text, OPERATIONAL, FULL_FEATURE))
    unharmed(daemon, lun)


# --- CVE-2026-53176: a login PDU that is shorter than it says


@pytest.mark.parametrize("sent", [0, 1, 40, 47, 48, 49, 100])
def test_cve_2026_53176_short_login_pdu(daemon, lun, sent):
    """11.1: A connection that ends in the middle of a Login Request: nothing is taken of what is not there."""
    text = b"".join(f"{k}={v}\0".encode() for k, v in first(daemon))
    wire = PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | FULL_FEATURE, isid=b"\x80\0\0\0\0\1",
               data=text).encode()
    for end in ("close", "abort"):
        with daemon.connection() as c:
            c.send_raw(wire[:sent])
            getattr(c, end)()
    unharmed(daemon, lun)


@pytest.mark.parametrize("claims", [8193, 65536, 0xFFFFFF])
@pytest.mark.parametrize("ahs", [0, 1, 255])
def test_login_pdu_that_claims_more_than_may_be(daemon, lun, claims, ahs):
    """13.12: 8192 bytes are the most during login; AHS are none (11.12): nothing is awaited of the rest."""
    with daemon.connection() as c:
        c.send(PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | FULL_FEATURE,
                   isid=b"\x80\0\0\0\0\1"), data_len=claims, ahs_len=ahs)
        c.send_raw(bytes(4 * ahs))
        c.expect_closed(allow=(p.LOGIN_RSP,))
    unharmed(daemon, lun)


# --- CVE-2026-23216: a connection that is closed while others still look at it


def test_cve_2026_23216_closed_while_it_is_looked_at(daemon, lun):
    """8.1.4: Connections that end with commands, logins and a Logout under way, while lists of them are made and their
    sessions reinstated: a sanitizer sees what is used after it was freed."""
    ends, errors = threading.Event(), []

    def look():
        try:
            with daemon.control() as c:
                while not ends.is_set():
                    c.call("sessions.list")
        except Exception as e:      # pylint: disable=broad-except
            errors.append(e)

    threads = [] if IS_TGT else [threading.Thread(target=look) for _ in range(2)]
    for t in threads:
        t.start()
    isid = b"\x80" + os.urandom(5)
    try:
        for i in range(150):
            s = daemon.session(isid=isid)
            for k in range(8):
                s.conn.send(PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, itt=100 + k, cmdsn=s.take_cmdsn(),
                                edtl=65536, cdb=scsi.read10(0, 128)))
            if i % 3 == 0:
                s.conn.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F, itt=200, cmdsn=s.cmdsn))
            if i % 3 == 1:
                daemon.session(isid=isid).close()       # takes its place (6.3.5)
            if i % 2:
                s.conn.abort()
            else:
                s.close()
    finally:
        ends.set()
        for t in threads:
            t.join(20)
    assert not errors, errors[0]
    unharmed(daemon, lun)

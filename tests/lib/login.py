# SPDX-License-Identifier: BSD-3-Clause
"""The login phase of the scripted initiator: key by key, stage by stage; CHAP. See lib/initiator.py."""

import base64
import hashlib
import os

from . import keys as textkeys
from . import pdu as p
from .pdu import PDU, ProtocolViolation

CHAP_HASH = {5: "md5", 6: "sha1", 7: "sha256", 8: "sha3_256"}


class LoginFailed(AssertionError):
    """Login Response with a non-zero status class."""

    def __init__(self, pdu):
        super().__init__(f"login refused: status {pdu.status_class:02x}{pdu.status_detail:02x} "
                         f"{textkeys.decode(pdu.data) if pdu.data else ''}")
        self.pdu = pdu
        self.status = pdu.status_class << 8 | pdu.status_detail


SECURITY, OPERATIONAL, FULL_FEATURE = 0, 1, 3
_isid_counter = [int.from_bytes(os.urandom(2), "big")]


def new_isid():
    """A fresh ISID: type 10b random (11.12.5)."""
    _isid_counter[0] = (_isid_counter[0] + 1) & 0xFFFF
    return bytes([0x80]) + os.urandom(3) + _isid_counter[0].to_bytes(2, "big")


class Chap:
    """Credentials of one login (12.1.3). target_name/target_secret ask for mutual CHAP."""

    def __init__(self, name, secret, target_name=None, target_secret=None, algorithms=(5,)):
        self.name, self.secret = name, secret
        self.target_name, self.target_secret = target_name, target_secret
        self.algorithms = algorithms


def chap_response(algorithm, ident, secret, challenge):
    """RFC 1994 4.1: hash over identifier, secret, challenge."""
    h = hashlib.new(CHAP_HASH[algorithm])
    h.update(bytes([ident]) + secret.encode() + challenge)
    return h.digest()


def chap_binary(text):
    """Binary value of a text key: 0x hex or 0b base64 (6.1)."""
    if text[:2] in ("0x", "0X"):
        digits = text[2:]
        return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)
    assert text[:2] in ("0b", "0B"), f"not a binary value: {text!r}"
    return base64.b64decode(text[2:])


class Login:
    """The login phase of one connection."""

    def __init__(self, conn, isid=None, tsih=0, cid=0, cmdsn=1, itt=0x10001):
        self.conn = conn
        self.isid = isid or new_isid()
        self.tsih, self.cid, self.cmdsn, self.itt = tsih, cid, cmdsn, itt
        self.answers = []
        self.first = True

    def send(self, pairs=(), csg=OPERATIONAL, nsg=None, cont=False, **fields):
        """One Login Request. nsg given: T bit. fields override any field or flags."""
        flags = csg << 2 | (p.T | nsg if nsg is not None else 0) | (p.C if cont else 0)
        base = {"flags": flags, "isid": self.isid, "tsih": self.tsih, "itt": self.itt, "cid": self.cid,
                "cmdsn": self.cmdsn, "immediate": True, "expstatsn": self.conn.expstatsn or 0}
        base.update(fields)
        return self.conn.send(PDU(p.LOGIN_REQ, data=textkeys.encode(pairs), **base))

    def recv(self):
        """One Login Response; raises LoginFailed when its class is not 0."""
        r = self.conn.expect(p.LOGIN_RSP)
        if r.itt != self.itt:
            raise ProtocolViolation(f"Login Response for ITT {r.itt:#x}, sent {self.itt:#x}")
        if r.status_class:
            raise LoginFailed(r)
        if r.isid != self.isid:
            raise ProtocolViolation("Login Response with another ISID (11.13.4)")
        return r

    def exchange(self, pairs=(), csg=OPERATIONAL, nsg=None, **fields):
        """Request and whole answer: follows C bits. Returns (last response, [(key, value)])."""
        self.send(pairs, csg, nsg, **fields)
        data = b""
        while True:
            r = self.recv()
            data += r.data
            if not r.flags & p.C:
                break
            if r.flags & p.T:
                raise ProtocolViolation("Login Response with both C and T (11.13.2)")
            self.send((), csg)
        got = textkeys.decode(data)
        self.answers += got
        return r, got

    def finish(self, pairs=(), **fields):
        """Exchanges of the operational stage until full feature phase is granted; the target may take
        several and offer keys of its own (6.2). Returns (last response, all answers)."""
        pairs, offered, out = list(pairs), set(), []
        for _ in range(8):
            offered |= {k for k, _ in pairs}
            r, got = self.exchange(pairs, OPERATIONAL, FULL_FEATURE, **fields)
            out += got
            pairs = [(k, textkeys.our_answer(k, v)) for k, v in got
                     if k not in offered and textkeys.our_answer(k, v) is not None]
            if r.flags & p.T:
                break
        assert r.flags & p.T and r.flags & 3 == FULL_FEATURE, f"full feature phase not granted: {r}"
        return r, out

    def chap(self, creds, first_keys):
        """CHAP from the first request to the response that grants the operational stage."""
        _, got = self.exchange([*first_keys, ("AuthMethod", "CHAP")], SECURITY)
        assert ("AuthMethod", "CHAP") in got, f"CHAP not chosen: {got}"
        algs = ",".join(str(a) for a in creds.algorithms)
        _, got = self.exchange([("CHAP_A", algs)], SECURITY)
        got = dict(got)
        alg, ident = int(got["CHAP_A"]), int(got["CHAP_I"])
        challenge = chap_binary(got["CHAP_C"])
        assert alg in creds.algorithms, f"CHAP_A={alg} was not offered"
        assert 0 <= ident <= 255 and 1 <= len(challenge) <= 1024
        answer = chap_response(alg, ident, creds.secret, challenge)
        pairs = [("CHAP_N", creds.name), ("CHAP_R", "0x" + answer.hex())]
        mine = os.urandom(24)
        if creds.target_secret is not None:
            pairs += [("CHAP_I", "77"), ("CHAP_C", "0x" + mine.hex())]
        r, got = self.exchange(pairs, SECURITY, OPERATIONAL)
        got = dict(got)
        if creds.target_secret is not None:
            want = chap_response(alg, 77, creds.target_secret, mine)
            assert got.get("CHAP_N") == creds.target_name, f"target's name in mutual CHAP: {got}"
            assert chap_binary(got["CHAP_R"]) == want, "the target's CHAP_R is wrong (12.1.3)"
        return r

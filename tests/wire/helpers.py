# SPDX-License-Identifier: BSD-3-Clause
"""What several wire tests share."""

import random

from lib import pdu as p
from lib.initiator import Closed, Rejected
from lib.recovery import Recovery


def pattern(n, seed=1):
    """n reproducible bytes without repetition, so that misplaced data shows."""
    return random.Random(seed).randbytes(n)


def outcome(session, cmd):
    """How a target ended a faulty exchange: ("status", Result), ("reject", PDU) or ("closed", None)."""
    try:
        return "status", session.wait(cmd)
    except Rejected as e:
        return "reject", e.pdu
    except Closed:
        return "closed", None


def quiet(session, conn=None):
    """A ping proves that whatever the target had to say before has been said; returns what came."""
    before = list(session.inbox)
    session.nop(b"quiet?", conn=conn)
    return [x for x in session.inbox if x not in before]


def alive(session, conn=None):
    """The session still answers."""
    assert session.nop(b"alive", conn=conn).data == b"alive"


def reject_or_close(session, pdu, reasons, **send):
    """Send a faulty PDU: the target rejects it with one of reasons, or closes (7.7, 7.11)."""
    try:
        session.send(pdu, **send)
        r = session.wait_pdu(p.REJECT)
    except Closed:
        return None
    assert r.itt == p.RESERVED_TAG, "Reject carries ITT FFFFFFFFh (11.17)"
    assert r.reason in reasons, f"Reject reason {r.reason:#x}, wanted one of {reasons}"
    return r


def wide_session(daemon, **keys):
    """A session of the recovering initiator with a `wide` daemon; keys are offered as they are, and what the
    target grants must be what was offered."""
    name = keys.pop("name", None)
    extra = {"name": name} if name else {}
    for word in ("isid", "cid", "cmdsn"):
        if word in keys:
            extra[word] = keys.pop(word)
    keys = {k: str(v) for k, v in keys.items()}
    s = Recovery.open(daemon.address, daemon.iqn, keys=keys, **extra)
    for key in ("MaxConnections", "ErrorRecoveryLevel", "DataPDUInOrder", "DataSequenceInOrder", "TaskReporting",
                "iSCSIProtocolLevel"):
        if key in keys and str(s.params[key]) != keys[key]:
            s.close()
            raise AssertionError(f"the target grants {key}={s.params[key]}, not {keys[key]}")
    return s

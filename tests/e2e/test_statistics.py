# SPDX-License-Identifier: BSD-3-Clause
"""What fabric_statistics/ of a target counts: every counter moves by what happened, by no more."""

import time

import pytest

from lib import pdu as p
from lib.pdu import PDU, RESERVED_TAG
from lib.wait import SCALE


class Counters:
    """The counters of errors and logouts of the daemon's target."""

    NAMES = ("iscsi_sess_err/digest_errors", "iscsi_sess_err/cxn_errors", "iscsi_sess_err/format_errors",
             "iscsi_logout_stats/normal_logouts", "iscsi_logout_stats/abnormal_logouts")

    def __init__(self, ctl, iqn):
        self.ctl, self.at = ctl, f"/iscsi/{iqn}/fabric_statistics/"
        self.before = self.read()

    def read(self):
        return {n.split("/")[1]: int(self.ctl.call("get", path=self.at + n)) for n in self.NAMES}

    def since(self):
        now = self.read()
        return {n: now[n] - v for n, v in self.before.items() if now[n] != v}

    def expect(self, **want):
        """Ask until these have moved, each question a round trip; then nothing else has."""
        deadline = time.monotonic() + 5 * SCALE
        while any(self.since().get(n) != v for n, v in want.items()) and time.monotonic() < deadline:
            pass
        assert self.since() == want


@pytest.fixture
def counters(daemon):
    with daemon.control() as ctl:
        yield Counters(ctl, daemon.iqn)


def test_logout(daemon, counters):
    daemon.session().logout()
    counters.expect(normal_logouts=1)


def test_connection_lost(daemon, counters):
    daemon.session().conn.close()
    counters.expect(cxn_errors=1, abnormal_logouts=1)


def test_format_error(daemon, counters):
    """A SNACK at ErrorRecoveryLevel 0 is rejected, and the session lives on to log out."""
    with daemon.session() as s:
        s.conn.send(PDU(p.SNACK, flags=p.F, itt=RESERVED_TAG, ttt=RESERVED_TAG))
        s.wait_pdu(p.REJECT)
        s.logout()
    counters.expect(format_errors=1, normal_logouts=1)


def test_too_long_data_segment(daemon, counters):
    s = daemon.session()
    s.conn.send_raw(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=5, ttt=RESERVED_TAG,
                        cmdsn=s.cmdsn).header(data_len=0xFFFFFF))
    counters.expect(format_errors=1, abnormal_logouts=1)
    s.close()


@pytest.mark.parametrize("where", ["header", "data"])
def test_digest_error(daemon, counters, where):
    key = {"header": "HeaderDigest", "data": "DataDigest"}[where]
    s = daemon.session(keys={key: "CRC32C"})
    s.conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=5, ttt=RESERVED_TAG, cmdsn=s.cmdsn, data=b"ping"),
                **{f"bad_{where}_digest": True})
    if where == "header":
        counters.expect(digest_errors=1, abnormal_logouts=1)
    else:
        s.wait_pdu(p.REJECT)
        s.logout()
        counters.expect(digest_errors=1, normal_logouts=1)
    s.close()

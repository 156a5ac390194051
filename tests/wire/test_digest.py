# SPDX-License-Identifier: BSD-3-Clause
"""Header and data digests, good and bad. RFC 7143 7.8, 11.2.3, 11.17.1, 13.1.

Digests of everything that the target sends are checked by lib/initiator.py on each PDU.
"""

import pytest

from helpers import alive, outcome, pattern
from lib import pdu as p
from lib import scsi
from lib.initiator import Closed, Session
from lib.pdu import PDU

BASE = 12288
BOTH = [("None", "None"), ("CRC32C", "None"), ("None", "CRC32C"), ("CRC32C", "CRC32C")]


def open_digest(daemon, header, data, **keys):
    s = daemon.session(keys={"HeaderDigest": header, "DataDigest": data, **keys})
    assert (s.conn.header_digest, s.conn.data_digest) == (header == "CRC32C", data == "CRC32C")
    return s


@pytest.mark.parametrize("header, data", BOTH)
def test_everything_with_digests(daemon, lun, header, data):
    """11.2.3, 13.1: Commands, data both ways, NOP, text, TMF, logout; odd lengths so that padding is covered."""
    with open_digest(daemon, header, data, MaxRecvDataSegmentLength=4095) as s:
        s.clear_ua(lun)
        for n in (1, 8, 33):
            d = pattern(n * 512, n)
            s.scsi(scsi.write10(BASE, n), lun=lun, write=d).good()
            assert s.scsi(scsi.read10(BASE, n), lun=lun, read=n * 512).good().data == d
        s.scsi(scsi.inquiry(35), lun=lun, read=35).good()
        for n in (0, 1, 2, 3, 4, 5, 511):
            assert s.nop(b"n" * n).data == b"n" * n
        s.text([("X-org.example.z", "1")])
        s.tmf(p.ABORT_TASK, lun, ref_itt=0x4242)
        s.scsi(scsi.read16(1 << 50, 1), lun=lun, read=512).check(scsi.ILLEGAL_REQUEST)
        s.logout()


@pytest.mark.parametrize("header, data", BOTH[1:])
def test_unsolicited_and_solicited_with_digests(daemon, lun, header, data):
    """11.2.3: unsolicited and solicited with digests."""
    with open_digest(daemon, header, data, InitialR2T="No", ImmediateData="Yes", FirstBurstLength=4096,
                     MaxBurstLength=8192) as s:
        s.clear_ua(lun)
        d = pattern(100 * 512)
        s.scsi(scsi.write10(BASE, 100), lun=lun, write=d).good()
        s.conn.max_recv = None
        assert s.scsi(scsi.read10(BASE, 100), lun=lun, read=len(d)).good().data == d
        s.logout()


def test_login_is_without_digests(daemon):
    """13.1: digests begin with full feature phase, not before: the exchange itself proves it."""
    with open_digest(daemon, "CRC32C", "CRC32C") as s:
        alive(s)
        s.logout()


def test_bad_header_digest(daemon, lun):
    """7.8: the length cannot be trusted: without markers only closing is left."""
    with open_digest(daemon, "CRC32C", "None") as s:
        s.clear_ua(lun)
        s.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.write10(BASE, 1),
                   data=b"\xee" * 512), bad_header_digest=True)
        s.conn.expect_closed(allow=(p.ASYNC, p.REJECT))
    with daemon.session() as s:
        s.clear_ua(lun)
        assert s.scsi(scsi.read10(BASE, 1), lun=lun, read=512).good().data != b"\xee" * 512


def test_bad_header_digest_in_data_out(daemon, lun):
    """7.8: bad header digest in data out."""
    with open_digest(daemon, "CRC32C", "CRC32C", InitialR2T="Yes", ImmediateData="No") as s:
        s.clear_ua(lun)
        cmd = s.start(scsi.write10(BASE, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True)
        while not cmd.r2ts:
            s.recv()
        s.answer_r2t(cmd, cmd.r2ts[0], bad_header_digest=True)
        s.conn.expect_closed(allow=(p.ASYNC, p.REJECT))


@pytest.mark.parametrize("header", ["None", "CRC32C"])
def test_bad_data_digest_in_data_out(daemon, lun, header):
    """7.8: Reject 02h, and the task ends with ABORTED COMMAND (47/05 of 11.4.7.2); at ERL 0 the connection
    may close instead. Never is the data stored."""
    with open_digest(daemon, header, "CRC32C", InitialR2T="Yes", ImmediateData="No") as s:
        s.clear_ua(lun)
        old = pattern(4096, 5)
        s.scsi(scsi.write10(BASE, 8), lun=lun, write=old).good()
        cmd = s.start(scsi.write10(BASE, 8), lun=lun, write=b"\xee" * 4096, hold_r2t=True)
        while not cmd.r2ts:
            s.recv()
        s.answer_r2t(cmd, cmd.r2ts[0], bad_data_digest=True)
        kind, what = outcome(s, cmd)
        if kind == "reject":
            assert what.reason == p.REJ_DATA_DIGEST
            assert what.data[:1] == bytes([p.DATA_OUT]), "Reject carries the header of the PDU (11.17)"
            kind, what = outcome(s, cmd)
        if kind == "status":
            what.check(scsi.ABORTED_COMMAND)
            alive(s)
        with daemon.session() as w:
            w.clear_ua(lun)
            assert w.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == old


def test_bad_data_digest_in_immediate_data(daemon, lun):
    """7.8: immediate data too."""
    with open_digest(daemon, "CRC32C", "CRC32C", ImmediateData="Yes") as s:
        s.clear_ua(lun)
        old = pattern(4096, 6)
        s.scsi(scsi.write10(BASE, 8), lun=lun, write=old).good()
        try:
            s.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, itt=900, edtl=4096,
                       cdb=scsi.write10(BASE, 8), data=b"\xee" * 4096), bad_data_digest=True)
            s.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, ttt=p.RESERVED_TAG, itt=901, cmdsn=s.cmdsn))
            while True:
                pdu = s.conn.recv()
                if pdu.opcode == p.REJECT:
                    assert pdu.reason == p.REJ_DATA_DIGEST
                elif pdu.opcode == p.SCSI_RSP and pdu.itt == 900:
                    assert pdu.status == scsi.CHECK_CONDITION
                elif pdu.opcode == p.NOP_IN:
                    break
                else:
                    raise AssertionError(f"unexpected {pdu}")
        except Closed:
            pass
        with daemon.session() as w:
            w.clear_ua(lun)
            assert w.scsi(scsi.read10(BASE, 8), lun=lun, read=4096).good().data == old


def test_bad_data_digest_in_ping(daemon):
    """7.8: Reject 02h (or closing); the ping is not echoed."""
    with open_digest(daemon, "None", "CRC32C") as s:
        s.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, ttt=p.RESERVED_TAG, data=b"spoiled!"),
               bad_data_digest=True)
        try:
            assert s.wait_pdu(p.REJECT).reason == p.REJ_DATA_DIGEST
            alive(s)
        except Closed:
            pass


def test_digest_in_discovery(daemon):
    """13.1 has no session type: discovery may use digests."""
    with Session.open(daemon.address, discovery=True, keys={
            "HeaderDigest": "CRC32C", "DataDigest": "CRC32C"}) as s:
        assert s.conn.header_digest and s.conn.data_digest
        assert ("TargetName", daemon.iqn) in s.text([("SendTargets", "All")])
        s.logout()


def test_ahs_is_covered(daemon, lun):
    """13.1: the header digest covers BHS and AHS."""
    with open_digest(daemon, "CRC32C", "None") as s:
        s.clear_ua(lun)
        s.send(PDU(p.SCSI_CMD, flags=p.F | p.SIMPLE, lun=lun, cdb=bytes(6), ahs=[(1, b"\0" * 17)], itt=77))
        try:
            pdu = s.conn.recv()
            assert pdu.opcode in (p.SCSI_RSP, p.REJECT)
            alive(s)
        except Closed:
            raise AssertionError("a lawful AHS broke the framing") from None

# SPDX-License-Identifier: BSD-3-Clause
"""Bytes that are no iSCSI: the daemon shrugs (RFC 7143 9.x: no peer may bring it down).

Seeded: a failing seed is printed by the parametrisation.
"""

import random
import socket

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib import scsi
from lib.initiator import DEFAULT_NAME, FULL_FEATURE, OPERATIONAL, Closed, new_isid
from lib.pdu import PDU


def poke(daemon, raw):
    """Send raw on a new connection, drain whatever comes until the target closes or falls silent."""
    with daemon.connection() as c:
        try:
            c.send_raw(raw)
            c.sock.shutdown(socket.SHUT_WR)
            c.sock.settimeout(1)        # who does not close: test_logout.py, test_end_of_stream_is_noticed
            while c.sock.recv(65536):
                pass
        except (Closed, ConnectionError, OSError):
            pass


def still_works(daemon, lun):
    with daemon.session() as s:
        s.clear_ua(lun).good()
        s.logout()


GARBAGE = [b"", b"\0", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
           b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 48, b"\xff" * 48, b"\0" * 4096, b"\xff" * 65536,
           b"\x43" + b"\xff" * 47, b"\x43\x87" + bytes(46), b"\x03" * 480]


@pytest.mark.parametrize("i", range(len(GARBAGE)))
def test_garbage(daemon, lun, i):
    """7.7: garbage."""
    poke(daemon, GARBAGE[i])
    still_works(daemon, lun)


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes(daemon, lun, seed):
    """7.7: random bytes."""
    rng = random.Random(seed)
    for _ in range(20):
        poke(daemon, rng.randbytes(rng.randrange(1, 2000)))
    still_works(daemon, lun)


def login_bytes(daemon, keys=()):
    pairs = [("InitiatorName", DEFAULT_NAME), ("TargetName", daemon.iqn), *keys]
    return PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | FULL_FEATURE, isid=new_isid(),
               itt=1, cmdsn=1, data=textkeys.encode(pairs)).encode()


@pytest.mark.parametrize("seed", range(10))
def test_mutated_login(daemon, lun, seed):
    """7.7, 7.12: A lawful login with a few bytes changed, or cut short."""
    rng = random.Random(1000 + seed)
    for _ in range(20):
        raw = bytearray(login_bytes(daemon, [("HeaderDigest", "CRC32C,None"), ("MaxBurstLength", "65536")]))
        for _ in range(rng.randrange(1, 6)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        if rng.random() < 0.3:
            del raw[rng.randrange(len(raw)):]
        poke(daemon, bytes(raw))
    still_works(daemon, lun)


@pytest.mark.parametrize("seed", range(10))
def test_mutated_full_feature(daemon, lun, seed):
    """7.7, 7.13: After a good login, requests with a few bytes changed. Only the RAM disk is written to."""
    rng = random.Random(2000 + seed)
    ram = lun + 1
    for _ in range(10):
        raw = login_bytes(daemon)
        for i in range(rng.randrange(1, 12)):
            choice = rng.randrange(7)
            pdu = [
                PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=ram, itt=i + 2, edtl=4096, cmdsn=i + 1,
                    cdb=scsi.read10(0, 8)),
                PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=ram, itt=i + 2, edtl=4096, cmdsn=i + 1,
                    cdb=scsi.write10(0, 8), data=b"d" * 512),
                PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=i + 2, ttt=p.RESERVED_TAG, data=b"n"),
                PDU(p.TEXT_REQ, flags=p.F, itt=i + 2, ttt=p.RESERVED_TAG, cmdsn=i + 1, data=b"SendTargets=\0"),
                PDU(p.TMF_REQ, immediate=True, flags=p.F | 1, lun=ram, itt=i + 2, ref_itt=1),
                PDU(p.DATA_OUT, flags=p.F, lun=ram, itt=i + 1, ttt=p.RESERVED_TAG, data=b"d" * 512),
                PDU(p.LOGOUT_REQ, immediate=True, flags=p.F, itt=i + 2),
            ][choice]
            one = bytearray(pdu.encode())
            for _ in range(rng.randrange(0, 4)):
                one[rng.randrange(len(one))] = rng.randrange(256)
            # the LUN stays the RAM disk's, or becomes one that does not exist
            if choice in (0, 1, 4, 5):
                one[8:10] = bytes([0, ram])
            raw += bytes(one)
        poke(daemon, raw)
    still_works(daemon, lun)


@pytest.mark.parametrize("seed", range(5))
def test_random_cdbs(daemon, lun, seed):
    """11.3.5: Random CDBs at the RAM disk end with a status each, and the session lives."""
    rng = random.Random(3000 + seed)
    with daemon.session() as s:
        s.clear_ua(lun + 1)
        for _ in range(100):
            size = rng.choice((6, 10, 12, 16))
            cdb = bytearray(rng.randbytes(size))
            if rng.random() < 0.7:
                cdb[0] = rng.choice((0x12, 0x1A, 0x5A, 0x15, 0x55, 0x25, 0x9E, 0xA0, 0xA3, 0x03, 0x28, 0x2A, 0x35,
                                     0x41, 0x42, 0x89, 0x93, 0x2F, 0x8F, 0x5E, 0x5F, 0x1B, 0x1E, 0x08, 0x0A))
            if rng.random() < 0.5:
                s.scsi(bytes(cdb), lun=lun + 1, read=rng.choice((0, 1, 36, 512, 4096)))
            else:
                s.scsi(bytes(cdb), lun=lun + 1, write=rng.randbytes(rng.choice((4, 24, 512, 4096))))
        s.nop(b"alive")
        s.logout()
    still_works(daemon, lun)

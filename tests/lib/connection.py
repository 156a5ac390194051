# SPDX-License-Identifier: BSD-3-Clause
"""One TCP connection of the scripted initiator: PDUs and bytes, digests, StatSN bookkeeping.

See lib/initiator.py, which hands all of this on.
"""

import contextlib
import os
import socket
import time

from . import pdu as p
from .pdu import PDU, ProtocolViolation, RESERVED_TAG

TIMEOUT = 10 * float(os.environ.get("ULIO_TEST_TIMEOUT_SCALE", "1"))


class Closed(ConnectionError):
    """The target closed the connection."""


class Timeout(AssertionError):
    """The target did not send what was awaited."""


class Rejected(AssertionError):
    """A Reject PDU arrived where none was expected."""

    def __init__(self, pdu):
        super().__init__(f"Reject, reason {pdu.reason:#x}: {pdu.data[:48].hex()}")
        self.pdu = pdu


def sn_lt(a, b):
    """a < b in serial number arithmetic (RFC 1982, used by 4.2.2.1)."""
    return a != b and ((b - a) & 0xFFFFFFFF) < 0x80000000


def sn_add(a, n):
    return (a + n) & 0xFFFFFFFF


class Connection:
    """One TCP connection to a portal. address is (host, port)."""

    def __init__(self, address, timeout=TIMEOUT, rcvbuf=None):
        self.address = address
        self.timeout = timeout
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.header_digest = False
        self.data_digest = False
        self.max_recv = 8192            # our MaxRecvDataSegmentLength; the default holds in login (13.12)
        self.expstatsn = None
        self.cid = 0
        self.strict = True
        self.open = True
        self.ack = None                 # ExpStatSN to send instead of the true one: holds back acknowledgement
        self.lose = None                # predicate: PDUs that get lost, as by a data digest error (7.8)
        self.lost = []                  # those
        self.replay = False             # StatSNs already seen may come again: a test asked for them
        self._ahead = set()             # StatSNs beyond a gap
        self._buf = bytearray()
        self._held_back = None          # bytes of together()

    # --- bytes

    @contextlib.contextmanager
    def together(self):
        """What is sent meanwhile leaves at once, so that the target finds all of it in one receive."""
        self._held_back = bytearray()
        yield
        data, self._held_back = self._held_back, None
        self.send_raw(data)

    def send_raw(self, data):
        if self._held_back is not None:
            self._held_back += data
            return
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed(str(e)) from None

    def send(self, pdu, **corrupt):
        """Send one PDU; corrupt: bad_header_digest, bad_data_digest, data_len, ahs_len."""
        if self.expstatsn is not None and "expstatsn" in p.LAYOUT[pdu.opcode] and \
                "expstatsn" not in pdu.fields:
            pdu.expstatsn = self.expstatsn if self.ack is None else self.ack
        self.send_raw(pdu.encode(self.header_digest, self.data_digest, **corrupt))
        return pdu

    def _read(self, n, deadline):
        while len(self._buf) < n:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"nothing more within {self.timeout} s; {len(self._buf)} of {n} bytes")
            self.sock.settimeout(left)
            try:
                got = self.sock.recv(max(65536, n - len(self._buf)))
            except socket.timeout:
                continue
            except ConnectionResetError as e:
                self.open = False
                raise Closed(str(e)) from None
            if not got:
                self.open = False
                raise Closed(f"closed by target, {len(self._buf)} bytes of a PDU pending")
            self._buf += got
        out = bytes(self._buf[:n])
        del self._buf[:n]
        return out

    # --- PDUs

    def buffered(self):
        """Bytes are at hand that select() does not see."""
        return bool(self._buf)

    def recv(self, timeout=None):
        """Next PDU of the target, checked. Raises Closed or Timeout."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            pdu = self._recv(deadline)
            if self.lose is None or not self.lose(pdu):
                self._count(pdu)
                return pdu
            self.lost.append(pdu)

    def _recv(self, deadline):
        head = self._read(48, deadline)
        head += self._read(head[4] * 4, deadline)
        if self.header_digest:
            crc = self._read(4, deadline)
            if crc != p.digest(head):
                raise ProtocolViolation("header digest is wrong (13.1)")
        n = int.from_bytes(head[5:8], "big")
        body = self._read(n + (-n % 4), deadline)
        if n and self.data_digest:
            crc = self._read(4, deadline)
            if crc != p.digest(body):
                raise ProtocolViolation("data digest is wrong (13.1)")
        if self.strict:
            p.check_from_target(head, body[n:])
            if self.max_recv and n > self.max_recv:
                raise ProtocolViolation(f"data segment of {n} over our MaxRecvDataSegmentLength "
                                        f"{self.max_recv} (13.12)")
        return PDU.parse(head, body[:n])

    def _count(self, pdu):
        """StatSN rules of 4.2.2.2, 11.7.3, 11.8, 11.19."""
        if pdu.opcode == p.DATA_IN and not pdu.flags & p.DIN_S:
            return
        if pdu.opcode == p.LOGIN_RSP and pdu.status_class:
            return                      # StatSN is valid with Status-Class 0 only (11.13.5)
        if self.expstatsn is not None and self.strict and pdu.statsn != self.expstatsn and \
                not (self.lost and sn_lt(self.expstatsn, pdu.statsn)) and \
                not (self.replay and sn_lt(pdu.statsn, self.expstatsn)):
            raise ProtocolViolation(f"StatSN {pdu.statsn:#x}, expected {self.expstatsn:#x} (4.2.2.2): {pdu}")
        if pdu.opcode == p.R2T or (pdu.opcode == p.NOP_IN and pdu.itt == RESERVED_TAG):
            return
        if self.expstatsn is None or not (self.lost or self.replay):
            self.expstatsn = sn_add(pdu.statsn, 1)
            return
        if not sn_lt(pdu.statsn, self.expstatsn):
            self._ahead.add(pdu.statsn)
        while self.expstatsn in self._ahead:
            self._ahead.remove(self.expstatsn)
            self.expstatsn = sn_add(self.expstatsn, 1)

    def expect(self, opcode, timeout=None):
        """Next PDU, which must have this opcode."""
        pdu = self.recv(timeout)
        if pdu.opcode != opcode:
            if pdu.opcode == p.REJECT:
                raise Rejected(pdu)
            raise AssertionError(f"expected {p.NAME[opcode]}, got {pdu}")
        return pdu

    def expect_closed(self, timeout=None, allow=()):
        """The target must close; PDUs with opcodes in allow may come before. Returns them."""
        seen = []
        while True:
            try:
                pdu = self.recv(timeout)
            except Closed:
                return seen
            if pdu.opcode not in allow:
                raise AssertionError(f"expected the connection to be closed, got {pdu}")
            seen.append(pdu)

    def close(self):
        self.open = False
        self.sock.close()

    def abort(self):
        """Close with RST, as a host that died does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

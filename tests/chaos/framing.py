# SPDX-License-Identifier: BSD-3-Clause
"""A byte stream cut into PDUs (RFC 7143 11.1, 11.2), for the proxy and for its initiator."""

from lib.crc32c import digest


class FramingLost(Exception):
    """Where the next PDU begins is not known any more (RFC 7143 7.7)."""


class Raw:
    """One PDU as bytes: BHS and AHS, header digest, data segment with padding, data digest."""

    __slots__ = ("head", "head_crc", "body", "body_crc", "head_ok", "body_ok")

    def __init__(self, head, head_crc, body, body_crc):
        self.head, self.head_crc, self.body, self.body_crc = head, head_crc, body, body_crc
        self.head_ok = not head_crc or head_crc == digest(head)
        self.body_ok = not body_crc or body_crc == digest(body)

    @property
    def opcode(self):
        return self.head[0] & 0x3F

    @property
    def data(self):
        """The data segment without its padding."""
        return self.body[:int.from_bytes(self.head[5:8], "big")]

    def wire(self):
        return self.head + self.head_crc + self.body + self.body_crc


class Splitter:
    """feed() gives the PDUs that are complete. Digests and level may be changed between two of them.

    A header whose digest is wrong ends the stream at level 0; above, the PDU is skipped by the length that
    it claims, and the next header must be right (RFC 7143 7.7).
    """

    def __init__(self, level=0, longest=1 << 24):
        self.header_digest = self.data_digest = False
        self.level, self.longest = level, longest
        self.doubt = False              # the last header was wrong
        self.skipping = False           # in the middle of a PDU whose header is wrong
        self._buf = bytearray()

    def feed(self, data):
        self._buf += data
        while True:
            raw = self._next()
            if raw is None:
                return
            yield raw

    def _header(self):
        """(bytes of BHS and AHS, bytes of its digest) when they are there."""
        if len(self._buf) < 48:
            return None
        n = 48 + 4 * self._buf[4]
        crc = 4 if self.header_digest else 0
        return (n, crc) if len(self._buf) >= n + crc else None

    def _next(self):
        at = self._header()
        if at is None:
            return None
        n, crc = at
        length = int.from_bytes(self._buf[5:8], "big")
        good = not crc or digest(self._buf[:n]) == bytes(self._buf[n:n + 4])
        if not good and (self.level == 0 or self.doubt or length > self.longest):
            raise FramingLost("header digest")
        body = length + -length % 4
        tail = 4 if length and self.data_digest else 0
        end = n + crc + body + tail
        self.skipping = not good and len(self._buf) < end
        if len(self._buf) < end:
            return None
        raw = bytes(self._buf[:end])
        del self._buf[:end]
        self.doubt = not good
        return Raw(raw[:n], raw[n:n + crc], raw[n + crc:n + crc + body], raw[end - tail:] if tail else b"")

# SPDX-License-Identifier: BSD-3-Clause
"""CRC32C as RFC 7143 13.1 uses it for header and data digests (polynomial 11EDC6F41h)."""


def _table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
        rows.append(n)
    return tuple(rows)


_TABLE = _table()


def crc32c(data, crc=0):
    """CRC32C of data; crc continues an earlier result."""
    crc ^= 0xFFFFFFFF
    table = _TABLE
    for b in data:
        crc = table[(crc ^ b) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def digest(data):
    """The four bytes that follow a header or data segment on the wire."""
    return crc32c(data).to_bytes(4, "little")


# RFC 7143 appendix (B.4 of RFC 3720): CRC examples, as bytes on the wire.
assert digest(bytes(32)) == bytes.fromhex("aa36918a")
assert digest(b"\xff" * 32) == bytes.fromhex("43aba862")
assert digest(bytes(range(32))) == bytes.fromhex("4e79dd46")

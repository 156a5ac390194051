# SPDX-License-Identifier: BSD-3-Clause
"""CRC32C as RFC 7143 13.1 uses it for header and data digests (polynomial 11EDC6F41h).

Computed by ISA-L where that can be loaded; else, and to judge it, by the table below.
"""

import ctypes


def _table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
        rows.append(n)
    return tuple(rows)


_TABLE = _table()


def by_table(data, crc=0):
    """CRC32C of data; crc continues an earlier result."""
    crc ^= 0xFFFFFFFF
    table = _TABLE
    for b in data:
        crc = table[(crc ^ b) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _fast():
    """The same function, by ISA-L; by_table() where there is no ISA-L."""
    try:
        func = ctypes.CDLL("libisal.so.2").crc32_iscsi
    except (OSError, AttributeError):
        return by_table
    func.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint]
    func.restype = ctypes.c_uint
    return lambda data, crc=0: func(bytes(data), len(data), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


crc32c = _fast()


def digest(data):
    """The four bytes that follow a header or data segment on the wire."""
    return crc32c(data).to_bytes(4, "little")


# RFC 7143 appendix (B.4 of RFC 3720): CRC examples, as bytes on the wire.
assert digest(bytes(32)) == bytes.fromhex("aa36918a")
assert digest(b"\xff" * 32) == bytes.fromhex("43aba862")
assert digest(bytes(range(32))) == bytes.fromhex("4e79dd46")
for _n in (0, 1, 7, 48, 1001):
    assert crc32c(bytes(range(256)) * 4 + bytes(_n), _n) == by_table(bytes(range(256)) * 4 + bytes(_n), _n)

# SPDX-License-Identifier: BSD-3-Clause
"""Asymmetric logical unit access: REPORT and SET TARGET PORT GROUPS (SPC-4 6.37, 6.45) and the
designators of VPD page 83h (SPC-4 7.8.6)."""

import struct
from collections import namedtuple

# ASYMMETRIC ACCESS STATE (SPC-4 table 307)
OPTIMIZED, NON_OPTIMIZED, STANDBY, UNAVAILABLE, LBA_DEPENDENT = range(5)
OFFLINE, TRANSITIONING = 0xE, 0xF

# STATUS CODE (SPC-4 table 308)
NO_STATUS, BY_STPG, IMPLICITLY = range(3)

# Additional sense codes
IN_TRANSITION, IN_STANDBY, IS_UNAVAILABLE, IS_OFFLINE = (0x04, 0x0A), (0x04, 0x0B), (0x04, 0x0C), (0x04, 0x12)
STATE_CHANGED, TRANSITION_FAILED = (0x2A, 0x06), (0x2A, 0x07)
STPG_FAILED = (0x67, 0x0A)

Group = namedtuple("Group", "pref state supported group status ports")
Report = namedtuple("Report", "format transition_time groups length")
Designator = namedtuple("Designator", "association type code_set protocol value")

# Bits of byte 1 of a target port group descriptor
SUPPORT = {0x80: TRANSITIONING, 0x40: OFFLINE, 0x10: LBA_DEPENDENT, 0x08: UNAVAILABLE, 0x04: STANDBY,
           0x02: NON_OPTIMIZED, 0x01: OPTIMIZED}


def rtpg(alloc=1024, extended=0):
    """extended: the PARAMETER DATA FORMAT field."""
    return struct.pack(">BB4xIBB", 0xA3, extended << 5 | 0x0A, alloc, 0, 0)


def stpg(length):
    return struct.pack(">BB4xIBB", 0xA4, 0x0A, length, 0, 0)


def stpg_list(*groups):
    """Parameter list for (state, group or port) pairs."""
    return bytes(4) + b"".join(struct.pack(">BxH", state, group) for state, group in groups)


def parse_rtpg(data):
    """The parameter data in either format; lengths and reserved fields are checked."""
    length = struct.unpack_from(">I", data)[0]
    assert length == len(data) - 4, f"RETURN DATA LENGTH {length} of {len(data)} bytes"
    fmt, seconds, at = 0, None, 4
    if len(data) > 4 and data[4] & 0x70 == 0x10:
        # In the short format this is PREF, three zero bits and the state.
        fmt, seconds, at = 1, data[5], 8
        assert data[4] & 0x8F == 0 and data[6:8] == b"\0\0"
    groups = []
    while at < len(data):
        head, support, group, rsvd, status, _, n = struct.unpack_from(">BBHBBBB", data, at)
        assert head & 0x70 == 0 and support & 0x20 == 0 and rsvd == 0
        assert n, "a target port group holds a port at least"
        ports = []
        for i in range(n):
            zero, rtpi = struct.unpack_from(">HH", data, at + 8 + 4 * i)
            assert zero == 0
            ports.append(rtpi)
        groups.append(Group(head >> 7, head & 15, {s for bit, s in SUPPORT.items() if support & bit}, group,
                            status, ports))
        at += 8 + 4 * n
    return Report(fmt, seconds, groups, length)


def vpd_designators(data):
    """Designators of VPD page 83h; value: an int for types 4h to 6h, text for 8h, bytes else."""
    assert data[1] == 0x83
    end = 4 + struct.unpack_from(">H", data, 2)[0]
    out, at = [], 4
    while at < end:
        code_set, kind, n = data[at] & 15, data[at + 1], data[at + 3]
        raw = bytes(data[at + 4:at + 4 + n])
        piv, association, dtype = kind >> 7, kind >> 4 & 3, kind & 15
        value = raw
        if dtype in (4, 5, 6):
            assert n == 4 and code_set == 1 and raw[:2] == b"\0\0", f"designator {dtype:x}h: {raw.hex()}"
            value = struct.unpack(">HH", raw)[1]
        elif dtype == 8:
            assert n % 4 == 0 and code_set == 3 and raw.endswith(b"\0")
            value = raw.rstrip(b"\0").decode()
        out.append(Designator(association, dtype, code_set, data[at] >> 4 if piv else None, value))
        at += 4 + n
    assert at == end
    return out

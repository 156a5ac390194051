# SPDX-License-Identifier: BSD-3-Clause
"""CDB builders and sense parsing (SAM-5, SPC-4, SBC-3). One function per command."""

import struct
from collections import namedtuple

# SAM-5 5.3.1 status codes
GOOD, CHECK_CONDITION, CONDITION_MET, BUSY = 0x00, 0x02, 0x04, 0x08
RESERVATION_CONFLICT, TASK_SET_FULL, ACA_ACTIVE, TASK_ABORTED = 0x18, 0x28, 0x30, 0x40

# SPC-4 4.5.6 sense keys
NO_SENSE, RECOVERED, NOT_READY, MEDIUM_ERROR, HARDWARE_ERROR, ILLEGAL_REQUEST, UNIT_ATTENTION = range(7)
DATA_PROTECT, BLANK_CHECK, VENDOR, COPY_ABORTED, ABORTED_COMMAND = range(7, 12)
VOLUME_OVERFLOW, MISCOMPARE = 0x0D, 0x0E

# ASC, ASCQ
INVALID_OPCODE = (0x20, 0x00)
LBA_OUT_OF_RANGE = (0x21, 0x00)
INVALID_FIELD_IN_CDB = (0x24, 0x00)
LU_NOT_SUPPORTED = (0x25, 0x00)
INVALID_FIELD_IN_PARAMETERS = (0x26, 0x00)
PARAMETER_LIST_LENGTH_ERROR = (0x1A, 0x00)
MISCOMPARE_DURING_VERIFY = (0x1D, 0x00)
PREVENT_REMOVAL = (0x53, 0x02)

Sense = namedtuple("Sense", "format deferred key asc ascq information sks raw")


def parse_sense(raw):
    """Sense of SPC-4 4.5.2 (descriptor) or 4.5.3 (fixed). None for no sense data."""
    if not raw:
        return None
    code = raw[0] & 0x7F
    if code in (0x70, 0x71):
        valid = raw[0] & 0x80
        info = int.from_bytes(raw[3:7], "big") if valid else None
        length = 8 + raw[7]
        assert len(raw) >= min(length, 18), f"fixed sense cut short: {raw.hex()}"
        sks = bytes(raw[15:18]) if raw[15] & 0x80 else None
        return Sense("fixed", code == 0x71, raw[2] & 0x0F, (raw[12], raw[13])[0], raw[13], info, sks,
                     bytes(raw))
    if code in (0x72, 0x73):
        info = sks = None
        at = 8
        while at + 2 <= min(len(raw), 8 + raw[7]):
            kind, n = raw[at], raw[at + 1]
            if kind == 0x00 and raw[at + 2] & 0x80:
                info = int.from_bytes(raw[at + 4:at + 12], "big")
            if kind == 0x02:
                sks = bytes(raw[at + 4:at + 7])
            at += 2 + n
        return Sense("descriptor", code == 0x73, raw[1] & 0x0F, raw[2], raw[3], info, sks, bytes(raw))
    raise AssertionError(f"response code {code:#x} is not sense data: {raw.hex()}")


def field_pointer(sense):
    """(in_cdb, byte, bit or None) of the sense-key specific bytes (SPC-4 4.5.2.4.2), or None."""
    if not sense or not sense.sks or not sense.sks[0] & 0x80:
        return None
    bit = sense.sks[0] & 7 if sense.sks[0] & 0x08 else None
    return bool(sense.sks[0] & 0x40), int.from_bytes(sense.sks[1:3], "big"), bit


# --- SPC -----------------------------------------------------------------------------------------

def test_unit_ready():
    return bytes(6)


test_unit_ready.__test__ = False


def request_sense(alloc=252, desc=0):
    return bytes([0x03, desc, 0, 0, alloc, 0])


def inquiry(alloc=255, page=None, evpd=None):
    evpd = (page is not None) if evpd is None else evpd
    return struct.pack(">BBBHB", 0x12, int(evpd), page or 0, alloc, 0)


def report_luns(alloc=1024, select=0):
    return struct.pack(">BBBBBBIBB", 0xA0, 0, select, 0, 0, 0, alloc, 0, 0)


def mode_sense6(page, sub=0, alloc=252, pc=0, dbd=0):
    return bytes([0x1A, dbd << 3, pc << 6 | page, sub, alloc, 0])


def mode_sense10(page, sub=0, alloc=1024, pc=0, dbd=0, llbaa=0):
    return struct.pack(">BBBBBBBHB", 0x5A, llbaa << 4 | dbd << 3, pc << 6 | page, sub, 0, 0, 0, alloc, 0)


def mode_select6(length, pf=1, sp=0):
    return bytes([0x15, pf << 4 | sp, 0, 0, length, 0])


def mode_select10(length, pf=1, sp=0):
    return struct.pack(">BBBBBBBHB", 0x55, pf << 4 | sp, 0, 0, 0, 0, 0, length, 0)


def reserve6():
    return bytes([0x16, 0, 0, 0, 0, 0])


def release6():
    return bytes([0x17, 0, 0, 0, 0, 0])


def reserve10():
    return bytes([0x56]) + bytes(9)


def release10():
    return bytes([0x57]) + bytes(9)


def rsoc(options=0, opcode=0, sa=0, alloc=8192, rctd=0):
    """REPORT SUPPORTED OPERATION CODES, SPC-4 6.35."""
    return struct.pack(">BBBBHIBB", 0xA3, 0x0C, rctd << 7 | options, opcode, sa, alloc, 0, 0)


def rstmf(alloc=16, repd=0):
    """REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, SPC-4 6.36."""
    return struct.pack(">BBBBBBIBB", 0xA3, 0x0D, repd << 7, 0, 0, 0, alloc, 0, 0)


def prevent_allow(prevent):
    return bytes([0x1E, 0, 0, 0, prevent, 0])


# --- SBC -----------------------------------------------------------------------------------------

def read_capacity10():
    return bytes([0x25]) + bytes(9)


def read_capacity16(alloc=32):
    return struct.pack(">BBQIBB", 0x9E, 0x10, 0, alloc, 0, 0)


def get_lba_status(lba, alloc=1032):
    """SBC-3 5.4."""
    return struct.pack(">BBQIBB", 0x9E, 0x12, lba, alloc, 0, 0)


def lba_status(data):
    """The descriptors of its parameter data: (lba, nblocks, provisioning status)."""
    n = struct.unpack_from(">I", data)[0] + 4
    return [struct.unpack_from(">QIB", data, at) for at in range(8, n, 16)]


def read6(lba, n):
    return bytes([0x08, lba >> 16 & 0x1F, lba >> 8 & 0xFF, lba & 0xFF, n & 0xFF, 0])


def write6(lba, n):
    return bytes([0x0A, lba >> 16 & 0x1F, lba >> 8 & 0xFF, lba & 0xFF, n & 0xFF, 0])


def _c10(op, lba, n, flags=0):
    return struct.pack(">BBIBHB", op, flags, lba, 0, n, 0)


def _c12(op, lba, n, flags=0):
    return struct.pack(">BBIIBB", op, flags, lba, n, 0, 0)


def _c16(op, lba, n, flags=0):
    return struct.pack(">BBQIBB", op, flags, lba, n, 0, 0)


def read10(lba, n, flags=0):
    return _c10(0x28, lba, n, flags)


def write10(lba, n, flags=0):
    return _c10(0x2A, lba, n, flags)


def read12(lba, n, flags=0):
    return _c12(0xA8, lba, n, flags)


def write12(lba, n, flags=0):
    return _c12(0xAA, lba, n, flags)


def read16(lba, n, flags=0):
    return _c16(0x88, lba, n, flags)


def write16(lba, n, flags=0):
    return _c16(0x8A, lba, n, flags)


def verify10(lba, n, bytchk=0, flags=0):
    return _c10(0x2F, lba, n, flags | bytchk << 1)


def verify16(lba, n, bytchk=0, flags=0):
    return _c16(0x8F, lba, n, flags | bytchk << 1)


def write_verify10(lba, n, bytchk=0, flags=0):
    return _c10(0x2E, lba, n, flags | bytchk << 1)


def sync_cache10(lba=0, n=0, immed=0):
    return _c10(0x35, lba, n, immed << 1)


def sync_cache16(lba=0, n=0, immed=0):
    return _c16(0x91, lba, n, immed << 1)


def write_same10(lba, n, unmap=0, anchor=0):
    return _c10(0x41, lba, n, anchor << 4 | unmap << 3)


def write_same16(lba, n, unmap=0, anchor=0, ndob=0):
    return _c16(0x93, lba, n, anchor << 4 | unmap << 3 | ndob)


def unmap(length, anchor=0):
    return struct.pack(">BBIBHB", 0x42, anchor, 0, 0, length, 0)


def unmap_list(*ranges):
    """UNMAP parameter list for (lba, nblocks) pairs, SBC-3 5.28.2."""
    body = b"".join(struct.pack(">QII", lba, n, 0) for lba, n in ranges)
    return struct.pack(">HHI", len(body) + 6, len(body), 0) + body


def compare_and_write(lba, n):
    return struct.pack(">BBQBBBBBB", 0x89, 0, lba, 0, 0, 0, n, 0, 0)


def start_stop(start=1, loej=0, immed=0, power=0):
    return bytes([0x1B, immed, 0, 0, power << 4 | loej << 1 | start, 0])

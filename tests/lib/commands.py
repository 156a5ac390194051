# SPDX-License-Identifier: BSD-3-Clause
"""Every command that a disk may list in REPORT SUPPORTED OPERATION CODES, with what the standards say
of it in the presence of reservations (SPC-4 tables 65 and 66, SBC-4 table 13) and asymmetric access
states (SPC-4 5.15.2.4, 5.15.2.5). Tests walk what the target lists; what is not here fails them."""

import struct
from collections import namedtuple

from . import alua, pr, scsi

# How a command fares while another nexus holds a persistent reservation.
ALLOWED = "allowed"                     # Allowed in all columns
READ = "read"                           # Conflict under exclusive access types, unless registered with RR
EXCLUSIVE = "exclusive"                 # Conflict in all columns, unless registered with RR
LEGACY = "legacy"                       # RESERVE and RELEASE: the same, and Conflict while anyone is registered
HOLDER = "holder"                       # Conflict for all but holders
MOVER = "mover"                         # Conflict for all but a single holder
REGISTERED = "registered"               # Conflict for those who are not registered
EITHER = "either"                       # Conflict or the end named in fails for those who are not registered

# States (SPC-4 5.15.2.4) in which a command shall be served: all of them; all but transitioning;
# active ones and standby; active ones only. MAY: it may be served anywhere, and leads to no medium.
EVER, NO_TRANSITION, STANDBY, ACTIVE, MAY = "ever", "no transition", "standby", "active", "may"

# key: (operation code, service action or None); read: bytes to ask for; write: data to send; who, when:
# one of each group above; fails: the (asc, ascq) of ILLEGAL REQUEST that are the end of a command that
# is allowed, empty where that is GOOD.
Command = namedtuple("Command", "label key cdb read write who when fails")

BLOCK = bytes(512)
LBA = 1024


def _cmd(label, op, cdb, who, when, read=0, write=None, sa=None, fails=()):
    assert cdb[0] == op and (sa is None or cdb[1] & 0x1F == sa), label
    return Command(label, (op, sa), bytes(cdb), read, write, who, when, fails)


def mode_lists(session, lun):
    """Parameter lists for MODE SELECT(6) and (10) that change nothing: what MODE SENSE gives for the
    control page."""
    out = []
    for sense, header in ((scsi.mode_sense6, 4), (scsi.mode_sense10, 8)):
        d = bytearray(session.scsi(sense(0x0A, dbd=1, alloc=252), lun=lun, read=252).good().data)
        d[:header] = bytes(header)
        d[header] &= 0x3F
        out.append(bytes(d))
    return out


def commands(modes, tid, key=0, rtype=0):
    """All of them, as the initiator port with this TransportID sends them, whose key is key (0: it has
    none), while a reservation of type rtype (0: none) is there. Sent in this order and as often as one
    likes they change nothing but the blocks at LBA. modes: of mode_lists()."""
    out = [
        _cmd("TEST UNIT READY", 0x00, scsi.test_unit_ready(), ALLOWED, ACTIVE),
        _cmd("REQUEST SENSE", 0x03, scsi.request_sense(), ALLOWED, EVER, read=252),
        _cmd("READ(6)", 0x08, scsi.read6(LBA, 1), READ, ACTIVE, read=512),
        _cmd("WRITE(6)", 0x0A, scsi.write6(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("INQUIRY", 0x12, scsi.inquiry(96), ALLOWED, EVER, read=96),
        _cmd("INQUIRY 83h", 0x12, scsi.inquiry(255, page=0x83), ALLOWED, EVER, read=255),
        _cmd("MODE SELECT(6)", 0x15, scsi.mode_select6(len(modes[0])), EXCLUSIVE, STANDBY, write=modes[0]),
        _cmd("RESERVE(6)", 0x16, scsi.reserve6(), LEGACY, MAY),
        _cmd("RELEASE(6)", 0x17, scsi.release6(), LEGACY, MAY),
        _cmd("MODE SENSE(6)", 0x1A, scsi.mode_sense6(0x3F), READ, STANDBY, read=252),
        _cmd("START STOP UNIT, START=1", 0x1B, scsi.start_stop(1), ALLOWED, MAY),
        _cmd("START STOP UNIT, START=0, IMMED=1", 0x1B, scsi.start_stop(0, immed=1), EXCLUSIVE, MAY),
        _cmd("START STOP UNIT, START=1, again", 0x1B, scsi.start_stop(1), ALLOWED, MAY),
        _cmd("PREVENT ALLOW MEDIUM REMOVAL, PREVENT=1", 0x1E, scsi.prevent_allow(1), EXCLUSIVE, MAY),
        _cmd("PREVENT ALLOW MEDIUM REMOVAL, PREVENT=0", 0x1E, scsi.prevent_allow(0), ALLOWED, MAY),
        _cmd("READ CAPACITY(10)", 0x25, scsi.read_capacity10(), ALLOWED, MAY, read=8),
        _cmd("READ(10)", 0x28, scsi.read10(LBA, 1), READ, ACTIVE, read=512),
        _cmd("WRITE(10)", 0x2A, scsi.write10(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("WRITE AND VERIFY(10)", 0x2E, scsi.write_verify10(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("VERIFY(10)", 0x2F, scsi.verify10(LBA, 1), READ, ACTIVE),
        _cmd("VERIFY(10), BYTCHK=1", 0x2F, scsi.verify10(LBA, 1, bytchk=1), READ, ACTIVE, write=BLOCK),
        _cmd("SYNCHRONIZE CACHE(10)", 0x35, scsi.sync_cache10(), EXCLUSIVE, ACTIVE),
        _cmd("WRITE SAME(10)", 0x41, scsi.write_same10(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("UNMAP", 0x42, scsi.unmap(24), EXCLUSIVE, ACTIVE, write=scsi.unmap_list((LBA + 8, 1))),
        _cmd("MODE SELECT(10)", 0x55, scsi.mode_select10(len(modes[1])), EXCLUSIVE, STANDBY, write=modes[1]),
        _cmd("RESERVE(10)", 0x56, scsi.reserve10(), LEGACY, MAY),
        _cmd("RELEASE(10)", 0x57, scsi.release10(), LEGACY, MAY),
        _cmd("MODE SENSE(10)", 0x5A, scsi.mode_sense10(0x3F), READ, STANDBY, read=1024),
        *[_cmd(f"PERSISTENT RESERVE IN/{sa}", 0x5E, pr.pr_in(sa), ALLOWED, STANDBY, read=4096, sa=sa)
          for sa in range(4)],
        *_persistent(tid, key, rtype),
        _cmd("READ(16)", 0x88, scsi.read16(LBA, 1), READ, ACTIVE, read=512),
        _cmd("COMPARE AND WRITE", 0x89, scsi.compare_and_write(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK * 2),
        _cmd("WRITE(16)", 0x8A, scsi.write16(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("WRITE AND VERIFY(16)", 0x8E, _c16(0x8E), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("VERIFY(16)", 0x8F, scsi.verify16(LBA, 1), READ, ACTIVE),
        _cmd("SYNCHRONIZE CACHE(16)", 0x91, scsi.sync_cache16(), EXCLUSIVE, ACTIVE),
        _cmd("WRITE SAME(16)", 0x93, scsi.write_same16(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("WRITE SAME(16), UNMAP=1", 0x93, scsi.write_same16(LBA, 8, unmap=1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("READ CAPACITY(16)", 0x9E, scsi.read_capacity16(), ALLOWED, MAY, read=32, sa=0x10),
        _cmd("GET LBA STATUS", 0x9E, scsi.get_lba_status(0, 24), READ, ACTIVE, read=24, sa=0x12),
        _cmd("REPORT REFERRALS", 0x9E, struct.pack(">BBQIBB", 0x9E, 0x13, 0, 1024, 0, 0), ALLOWED, MAY, read=1024,
             sa=0x13),
        _cmd("REPORT LUNS", 0xA0, scsi.report_luns(), ALLOWED, EVER, read=1024),
        _cmd("REPORT TARGET PORT GROUPS", 0xA3, alua.rtpg(), ALLOWED, EVER, read=1024, sa=0x0A),
        _cmd("REPORT SUPPORTED OPERATION CODES", 0xA3, scsi.rsoc(), READ, MAY, read=8192, sa=0x0C),
        _cmd("REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", 0xA3, scsi.rstmf(), READ, MAY, read=16, sa=0x0D),
        _cmd("SET TARGET PORT GROUPS", 0xA4, alua.stpg(0), EXCLUSIVE, NO_TRANSITION, sa=0x0A),
        _cmd("READ(12)", 0xA8, scsi.read12(LBA, 1), READ, ACTIVE, read=512),
        _cmd("WRITE(12)", 0xAA, scsi.write12(LBA, 1), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("WRITE AND VERIFY(12)", 0xAE, _c12(0xAE), EXCLUSIVE, ACTIVE, write=BLOCK),
        _cmd("VERIFY(12)", 0xAF, _c12(0xAF), READ, ACTIVE),
    ]
    return out


def _persistent(tid, key, rtype):
    """PERSISTENT RESERVE OUT that changes nothing: those that would are sent, by who is registered, with
    SPEC_I_PT, which is a fault (SPC-4 table 216)."""
    fault, fails = pr.parameters(key, 1, spec_i_pt=bool(key)), (scsi.INVALID_FIELD_IN_PARAMETERS,)

    def out(name, action, who, write, t=0, fails=()):
        return _cmd(f"PERSISTENT RESERVE OUT/{name}", 0x5F, pr.pr_out(action, t, length=len(write)), who, STANDBY,
                    sa=action, write=write, fails=fails)

    return [
        out("REGISTER", pr.REGISTER, ALLOWED, pr.parameters(key, key)),
        out("RESERVE", pr.RESERVE, HOLDER, pr.parameters(key), rtype or pr.WE),
        # Of another type than there is: INVALID RELEASE for holders, nothing for the others.
        out("RELEASE", pr.RELEASE, REGISTERED, pr.parameters(key), pr.EA if rtype != pr.EA else pr.WE,
            (pr.INVALID_RELEASE, None)),
        out("CLEAR", pr.CLEAR, REGISTERED, fault, fails=fails),
        out("PREEMPT", pr.PREEMPT, REGISTERED, fault, rtype, fails),
        out("PREEMPT AND ABORT", pr.PREEMPT_AND_ABORT, REGISTERED, fault, rtype, fails),
        out("REGISTER AND IGNORE EXISTING KEY", pr.REGISTER_AND_IGNORE, ALLOWED, pr.parameters(0xBAD, key)),
        # To itself.
        out("REGISTER AND MOVE", pr.REGISTER_AND_MOVE, MOVER, pr.move_parameters(key, 1, 1, tid), fails=fails),
        out("REPLACE LOST RESERVATION", pr.REPLACE_LOST_RESERVATION, EITHER, pr.parameters(0, 1), pr.WE,
            (pr.INVALID_RELEASE,)),
    ]


def _c16(op):
    return struct.pack(">BBQIBB", op, 0, LBA, 1, 0, 0)


def _c12(op):
    return struct.pack(">BBIIBB", op, 0, LBA, 1, 0, 0)


def listed(session, lun):
    """(operation code, service action or None) of all that the target lists (SPC-4 6.35.2)."""
    d = session.scsi(scsi.rsoc(alloc=16384), lun=lun, read=16384).good().data
    n = struct.unpack_from(">I", d)[0]
    assert n == len(d) - 4 and n % 8 == 0
    out = []
    for at in range(4, len(d), 8):
        op, _, sa, _, flags, length = struct.unpack_from(">BBHBBH", d, at)
        assert length in (6, 10, 12, 16) or op == 0x7F
        out.append((op, sa if flags & 1 else None))
    assert len(set(out)) == len(out)
    return out

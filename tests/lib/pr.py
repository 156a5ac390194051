# SPDX-License-Identifier: BSD-3-Clause
"""Persistent reservations: CDBs, parameter lists and data of PERSISTENT RESERVE IN and OUT (SPC-4 6.15,
6.16), TransportIDs (SPC-4 7.6.4), and hosts that speak them over a session."""

import struct
from collections import namedtuple
from contextlib import contextmanager

from . import scsi

# PERSISTENT RESERVE OUT service actions (SPC-4 6.16.2)
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT, REGISTER_AND_IGNORE, REGISTER_AND_MOVE, \
    REPLACE_LOST_RESERVATION = range(9)
ACTION = ("REGISTER", "RESERVE", "RELEASE", "CLEAR", "PREEMPT", "PREEMPT AND ABORT",
          "REGISTER AND IGNORE EXISTING KEY", "REGISTER AND MOVE", "REPLACE LOST RESERVATION")

# PERSISTENT RESERVE IN service actions (SPC-4 6.15.1)
READ_KEYS, READ_RESERVATION, REPORT_CAPABILITIES, READ_FULL_STATUS = range(4)

# Types (SPC-4 6.15.3.4)
WE, EA, WE_RO, EA_RO, WE_AR, EA_AR = 1, 3, 5, 6, 7, 8
TYPES = (WE, EA, WE_RO, EA_RO, WE_AR, EA_AR)
REGISTRANTS_ONLY, ALL_REGISTRANTS = (WE_RO, EA_RO), (WE_AR, EA_AR)
EXCLUSIVE_ACCESS = (EA, EA_RO, EA_AR)
BAD_TYPES = (0, 2, 4, 9, 0xA, 0xF)

# Unit attentions (SPC-4 5.12.11)
RESERVATIONS_PREEMPTED, RESERVATIONS_RELEASED, REGISTRATIONS_PREEMPTED = (0x2A, 3), (0x2A, 4), (0x2A, 5)

INVALID_RELEASE = (0x26, 0x04)
INSUFFICIENT_REGISTRATION_RESOURCES = (0x55, 0x04)


# --- CDBs and parameter lists --------------------------------------------------------------------

def pr_in(action, alloc=4096):
    return struct.pack(">BB5xHB", 0x5E, action, alloc, 0)


def pr_out(action, rtype=0, scope=0, length=24):
    return struct.pack(">BBBBBIB", 0x5F, action, scope << 4 | rtype, 0, 0, length, 0)


def parameters(key=0, sark=0, aptpl=0, all_tg_pt=0, spec_i_pt=0, more=b""):
    """The basic parameter list, SPC-4 6.16.3."""
    return struct.pack(">QQ4xBxxx", key, sark, spec_i_pt << 3 | all_tg_pt << 2 | aptpl) + more


def transport_ids(*tids, length=None):
    """Additional parameter data of SPEC_I_PT: the length, and the TransportIDs."""
    body = b"".join(tids)
    return struct.pack(">I", len(body) if length is None else length) + body


def move_parameters(key, sark, rtpi, tid, unreg=0, aptpl=0, length=None):
    """The parameter list of REGISTER AND MOVE, SPC-4 6.16.4."""
    return struct.pack(">QQxBHI", key, sark, unreg << 1 | aptpl, rtpi,
                       len(tid) if length is None else length) + tid


# --- TransportIDs, SPC-4 7.6.4 -------------------------------------------------------------------

def iscsi_tid(name, isid=None, pad=0):
    """TPID FORMAT 00b (no ISID: the device's name) or 01b (port name: name, ",i,0x", ISID, null)."""
    text = name if isid is None else f"{name},i,0x{isid.hex()}"
    body = text.encode() + b"\0"
    body += bytes(-len(body) % 4) + bytes(pad)
    body += bytes(max(0, 20 - len(body)))
    return struct.pack(">BxH", (0 if isid is None else 1) << 6 | 5, len(body)) + body


def fcp_tid(wwpn):
    return struct.pack(">B7xQ8x", 0x00, wwpn)


def spi_tid(address, rtpi):
    return struct.pack(">BxHxxH16x", 0x01, address, rtpi)


def sbp_tid(eui64):
    return struct.pack(">B7xQ8x", 0x03, eui64)


def srp_tid(port_id):
    return struct.pack(">B7x", 0x04) + port_id


def sas_tid(address):
    return struct.pack(">BxxxQ12x", 0x06, address)


def sop_tid(routing_id):
    return struct.pack(">BxH20x", 0x0A, routing_id)


OTHER_PROTOCOLS = (fcp_tid(0x2100001B32000001), spi_tid(7, 1), sbp_tid(0x0011223344556677),
                   srp_tid(bytes(range(16))), sas_tid(0x5000C50012345678), sop_tid(3))

TransportID = namedtuple("TransportID", "protocol format name isid")


def parse_tid(raw):
    """(TransportID, its length). Checked: multiples of 4, at least 24 bytes, padding of zeroes."""
    protocol, fmt = raw[0] & 0x0F, raw[0] >> 6
    if protocol != 5:
        return TransportID(protocol, fmt, raw[:24], None), 24
    length = struct.unpack_from(">H", raw, 2)[0]
    assert length % 4 == 0 and length >= 20, f"ADDITIONAL LENGTH {length} of an iSCSI TransportID"
    text = raw[4:4 + length]
    end = text.index(0)
    assert not any(text[end:]), f"padded with something: {text}"
    text = text[:end].decode()
    assert fmt in (0, 1) and raw[0] & 0x30 == 0 and raw[1] == 0
    if fmt == 0:
        return TransportID(5, 0, text, None), 4 + length
    name, isid = text.split(",i,0x")
    assert len(isid) == 12, f"ISID {isid}"
    return TransportID(5, 1, name, bytes.fromhex(isid)), 4 + length


# --- data of PERSISTENT RESERVE IN ---------------------------------------------------------------

Keys = namedtuple("Keys", "generation keys length")
Reservation = namedtuple("Reservation", "generation key scope type")
Status = namedtuple("Status", "key all_tg_pt holder scope type rtpi tid")
Capabilities = namedtuple("Capabilities", "rlr_c crh sip_c atp_c ptpl_c tmv allow_commands ptpl_a types raw")


def parse_keys(data):
    generation, length = struct.unpack_from(">II", data)
    assert length == len(data) - 8 and length % 8 == 0, f"ADDITIONAL LENGTH {length} of {len(data)} bytes"
    return Keys(generation, [k for k, in struct.iter_unpack(">Q", data[8:])], length)


def parse_reservation(data):
    """key, scope and type are None when nothing is reserved."""
    generation, length = struct.unpack_from(">II", data)
    assert length == len(data) - 8 and length in (0, 16), f"ADDITIONAL LENGTH {length} of {len(data)} bytes"
    if not length:
        return Reservation(generation, None, None, None)
    key, obsolete, reserved, st, rest = struct.unpack_from(">QIBBH", data, 8)
    assert not obsolete and not reserved and not rest
    return Reservation(generation, key, st >> 4, st & 15)


def parse_capabilities(data):
    assert len(data) == 8 and struct.unpack_from(">H", data)[0] == 8, f"LENGTH is 8: {data.hex()}"
    assert data[2] & 0x62 == 0 and data[3] & 0x0E == 0 and data[6:] == b"\0\0", "reserved bits"
    mask = {WE_AR: data[4] & 0x80, EA_RO: data[4] & 0x40, WE_RO: data[4] & 0x20, EA: data[4] & 0x08,
            WE: data[4] & 0x02, EA_AR: data[5] & 0x01}
    assert data[4] & 0x15 == 0 and data[5] & 0xFE == 0, "reserved bits of the type mask"
    return Capabilities(data[2] >> 7, data[2] >> 4 & 1, data[2] >> 3 & 1, data[2] >> 2 & 1, data[2] & 1,
                        data[3] >> 7, data[3] >> 4 & 7, data[3] & 1,
                        tuple(t for t in TYPES if mask[t]), bytes(data))


def parse_full_status(data):
    """(generation, [Status]); SCOPE and TYPE are None for those that hold nothing."""
    generation, length = struct.unpack_from(">II", data)
    assert length == len(data) - 8, f"ADDITIONAL LENGTH {length} of {len(data)} bytes"
    out, at = [], 8
    while at < len(data):
        key, flags, st, rtpi, n = struct.unpack_from(">Q4xBB4xHI", data, at)
        assert not any(data[at + 8:at + 12]) and flags & 0xFC == 0 and not any(data[at + 14:at + 18])
        tid, used = parse_tid(data[at + 24:at + 24 + n])
        assert used == n, f"ADDITIONAL DESCRIPTOR LENGTH {n}, TransportID of {used}"
        holder = bool(flags & 1)
        out.append(Status(key, bool(flags & 2), holder, st >> 4 if holder else None,
                          st & 15 if holder else None, rtpi, tid))
        at += 24 + n
    return generation, out


# --- hosts ---------------------------------------------------------------------------------------

class Host:
    """An I_T nexus at one LUN: a session, and the key that it last registered (only kept, not used
    unless asked for with key=None)."""

    def __init__(self, session, lun=0, key=0):
        self.s, self.lun, self.key = session, lun, key

    @property
    def tid(self):
        return iscsi_tid(self.s.name, self.s.isid)

    def scsi(self, cdb, **kw):
        return self.s.scsi(cdb, lun=self.lun, **kw)

    def start(self, cdb, **kw):
        return self.s.start(cdb, lun=self.lun, **kw)

    def start_out(self, action, key=None, sark=0, rtype=0, scope=0, data=None, length=None, **bits):
        """Send PERSISTENT RESERVE OUT. key None: the key of this host. data: another parameter list."""
        if data is None:
            data = parameters(self.key if key is None else key, sark, **bits)
        length = len(data) if length is None else length
        return self.start(pr_out(action, rtype, scope, length), write=data)

    def out(self, action, *args, **kw):
        return self.s.wait(self.start_out(action, *args, **kw))

    def register(self, key, **bits):
        """Register or change the key, whatever it was; GOOD."""
        r = self.out(REGISTER_AND_IGNORE, 0, key, **bits).good()
        self.key = key
        return r

    def unregister(self):
        return self.register(0)

    def reserve(self, rtype):
        return self.out(RESERVE, rtype=rtype).good()

    def release(self, rtype):
        return self.out(RELEASE, rtype=rtype).good()

    def _in(self, action, alloc=0xFFFF):
        return self.scsi(pr_in(action, alloc), read=alloc).good().data

    def keys(self):
        return parse_keys(self._in(READ_KEYS))

    def reservation(self):
        return parse_reservation(self._in(READ_RESERVATION))

    def capabilities(self):
        return parse_capabilities(self._in(REPORT_CAPABILITIES))

    def full_status(self, alloc=0xFFFF):
        return parse_full_status(self._in(READ_FULL_STATUS, alloc))

    def generation(self):
        return self.keys().generation

    def rtpi(self):
        """RELATIVE TARGET PORT IDENTIFIER of our target port, by the VPD page (SPC-4 7.8.6.6)."""
        from .alua import vpd_designators
        return next(d.value for d in vpd_designators(self.scsi(scsi.inquiry(1024, page=0x83), read=1024).good().data)
                    if d.type == 4 and d.association == 1)


def attentions(hosts):
    """Take the unit attentions of all: a list of lists of (asc, ascq), in the order of hosts."""
    hosts = list(hosts)
    out = [[] for _ in hosts]
    todo = list(range(len(hosts)))
    while todo:
        started = [(i, hosts[i].start(scsi.test_unit_ready())) for i in todo]
        todo = []
        for i, cmd in started:
            r = hosts[i].s.wait(cmd)
            if r.status == scsi.CHECK_CONDITION and r.sense.key == scsi.UNIT_ATTENTION:
                out[i].append((r.sense.asc, r.sense.ascq))
                assert len(out[i]) < 16, "unit attentions without end"
                todo.append(i)
            else:
                assert r.status in (scsi.GOOD, scsi.RESERVATION_CONFLICT) or r.sense.key == scsi.NOT_READY, r
    return out


def told(hosts):
    """For each host its one unit attention or None; more than one is an error."""
    got = attentions(hosts)
    assert all(len(g) < 2 for g in got), f"several unit attentions: {got}"
    return [g[0] if g else None for g in got]


def wipe(host):
    """No registrations, no reservation; host ends unregistered. Unit attentions are left to the others."""
    host.s.clear_ua(host.lun)
    host.register(0xC1EA12)
    host.out(CLEAR).good()
    host.key = 0


@contextmanager
def hosts(daemon, lun, n, **kw):
    """n hosts with names of their own, nothing registered before and after. A test may give a host another
    session, open as this one was."""
    out = []
    try:
        for i in range(n):
            out.append(Host(daemon.session(name=f"iqn.2026-01.example.test:host{i}", **kw), lun))
        attentions(out)
        wipe(out[0])
        attentions(out)
        yield out
        attentions(out)
        wipe(out[0])
        for h in out:
            h.s.logout()
    finally:
        for h in out:
            h.s.close()

# SPDX-License-Identifier: BSD-3-Clause
"""Reserved bits and fields are ignored, reserved code values are errors. RFC 7143 11 (first page), 11.1, 11.2.

Which bytes of a request are reserved follows from lib/pdu.py's table of fields.
"""

import pytest

from helpers import alive, reject_or_close
from lib import pdu as p
from lib import scsi
from lib.initiator import OPERATIONAL, RESERVED_TAG, Closed, Login
from lib.pdu import PDU, LAYOUT, NAME

REQUESTS = [p.NOP_OUT, p.SCSI_CMD, p.TMF_REQ, p.TEXT_REQ, p.LOGOUT_REQ]

# Fields that mean nothing in the requests that request() makes, and so are reserved there.
UNUSED = {p.NOP_OUT: ["lun"], p.TEXT_REQ: ["lun"], p.TMF_REQ: ["refcmdsn", "expdatasn"], p.LOGOUT_REQ: ["cid"]}

# Bits of byte 1 that are defined.
DEFINED = {p.NOP_OUT: 0x80, p.SCSI_CMD: 0xE7, p.TMF_REQ: 0xFF, p.TEXT_REQ: 0xC0, p.LOGOUT_REQ: 0xFF}


def reserved_bytes(opcode):
    used = {0, 1, 4, 5, 6, 7}
    for name, (at, size) in LAYOUT[opcode].items():
        if name not in UNUSED.get(opcode, ()):
            used.update(range(at, at + size))
    return [i for i in range(48) if i not in used]


def request(session, opcode, lun, **more):
    """A harmless request of each kind: its PDU and the opcode that answers it."""
    fields = {"itt": session.take_itt(), "cmdsn": session.cmdsn, "expstatsn": session.conn.expstatsn}
    kind = {
        p.NOP_OUT: ({"ttt": RESERVED_TAG, "data": b"ping", "flags": p.F}, p.NOP_IN),
        p.SCSI_CMD: ({"lun": lun, "cdb": scsi.test_unit_ready(), "flags": p.F | p.SIMPLE}, p.SCSI_RSP),
        p.TMF_REQ: ({"lun": lun, "ref_itt": RESERVED_TAG, "flags": p.F | p.ABORT_TASK_SET}, p.TMF_RSP),
        p.TEXT_REQ: ({"ttt": RESERVED_TAG, "data": b"X-org.example.r=1\0", "flags": p.F}, p.TEXT_RSP),
        p.LOGOUT_REQ: ({"flags": p.F}, p.LOGOUT_RSP),
    }[opcode]
    return PDU(opcode, immediate=True, **{**fields, **kind[0], **more}), kind[1]


def answered(session, raw, pdu, opcode):
    session.conn.send_raw(raw)
    r = session.conn.recv()
    assert r.opcode == opcode and r.itt == pdu.itt, f"{NAME[pdu.opcode]} answered {r}"
    return r


@pytest.mark.parametrize("opcode, at", [(op, i) for op in REQUESTS for i in reserved_bytes(op)],
                         ids=lambda v: NAME.get(v, str(v)) if v in REQUESTS and v < 8 else str(v))
def test_reserved_byte(session, lun, opcode, at):
    """11: a receiver ignores reserved fields."""
    pdu, opcode_back = request(session, opcode, lun)
    raw = bytearray(pdu.encode())
    raw[at] = 0xFF
    answered(session, bytes(raw), pdu, opcode_back)


@pytest.mark.parametrize("opcode", [op for op in REQUESTS if DEFINED[op] != 0xFF], ids=lambda v: NAME[v])
def test_reserved_bits_of_byte_1(session, lun, opcode):
    """11: a receiver ignores bits that are not defined."""
    pdu, opcode_back = request(session, opcode, lun)
    for bit in range(8):
        if not DEFINED[opcode] >> bit & 1:
            pdu.itt = session.take_itt()
            raw = bytearray(pdu.encode())
            raw[1] |= 1 << bit
            raw[28:32] = session.conn.expstatsn.to_bytes(4, "big")
            answered(session, bytes(raw), pdu, opcode_back)


@pytest.mark.parametrize("opcode", REQUESTS, ids=lambda v: NAME[v])
def test_reserved_bit_of_byte_0(session, lun, opcode):
    """11.2.1: the first bit of a request's byte 0 is reserved, and ignored."""
    pdu, opcode_back = request(session, opcode, lun)
    raw = bytearray(pdu.encode())
    raw[0] |= 0x80
    answered(session, bytes(raw), pdu, opcode_back)


@pytest.mark.parametrize("opcode", [p.NOP_OUT, p.TEXT_REQ], ids=lambda v: NAME[v])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_padding_is_ignored(session, lun, opcode, n):
    """11.1: the padding of a data segment; a receiver does not look at it."""
    data = b"x" * n if opcode == p.NOP_OUT else b"X-a=" + b"y" * (n - 1) + b"\0"
    pdu, opcode_back = request(session, opcode, lun, data=data)
    raw = pdu.encode()
    pad = -len(data) % 4
    r = answered(session, raw[:len(raw) - pad] + b"\xff" * pad, pdu, opcode_back)
    assert r.data == (data if opcode == p.NOP_OUT else b"X-a=NotUnderstood\0")


@pytest.mark.parametrize("byte", [2, 3])
def test_reserved_byte_of_scsi_command_with_data(daemon, lun, byte):
    """11.3: bytes 2 and 3 of a SCSI Command at iSCSIProtocolLevel 1."""
    with daemon.session() as s:
        s.clear_ua(lun)
        raw = bytearray(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, itt=s.take_itt(), edtl=512,
                            cmdsn=s.take_cmdsn(), expstatsn=s.conn.expstatsn, cdb=scsi.write10(50, 1),
                            data=bytes([byte]) * 512).encode())
        raw[byte] = 0xFF
        s.conn.send_raw(bytes(raw))
        assert s.conn.expect(p.SCSI_RSP).status == scsi.GOOD
        assert s.scsi(scsi.read10(50, 1), lun=lun, read=512).good().data == bytes([byte]) * 512


# --- code values that are reserved (11: "MUST be reported as a protocol error")

PROTOCOL = (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED, p.REJ_INVALID_FIELD)


@pytest.mark.parametrize("function", [0, 13, 14, 31, 63, 64, 126, 127])
def test_reserved_tmf_function(session, lun, function):
    """11.5.1: functions that nobody assigned: a reject, or the answer "not supported" (11.6.1: 5 or 255)."""
    session.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | function, lun=lun, ref_itt=RESERVED_TAG))
    r = session.recv()
    assert (r.opcode == p.TMF_RSP and r.response in (p.TMF_NOT_SUPPORTED, p.TMF_REJECTED)) or \
        (r.opcode == p.REJECT and r.reason in PROTOCOL), f"{r}"
    session.inbox.clear()
    alive(session)


@pytest.mark.parametrize("reason", [3, 4, 63, 127])
def test_reserved_logout_reason(session, reason):
    """11.14.1: reasons above 2."""
    session.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F | reason))
    try:
        r = session.recv()
    except Closed:
        return
    assert (r.opcode == p.REJECT and r.reason in PROTOCOL) or (r.opcode == p.LOGOUT_RSP and r.response), f"{r}"
    session.inbox.clear()
    alive(session)


@pytest.mark.parametrize("kind", [4, 7, 15])
def test_reserved_snack_type(session, kind):
    """11.16.1: types above 3."""
    if reject_or_close(session, PDU(p.SNACK, flags=p.F | kind, itt=RESERVED_TAG, ttt=RESERVED_TAG),
                       (p.REJ_SNACK, *PROTOCOL)):
        alive(session)


@pytest.mark.parametrize("opcode", sorted(set(range(0x40)) - set(range(7)) - {p.SNACK, 0x1C, 0x1D, 0x1E}),
                         ids=hex)
def test_opcode_of_no_request(session, opcode):
    """11.2.1.2: opcodes that no initiator sends, those of targets among them: Reject 05h or 04h with the
    header, and after 05h the session goes on."""
    raw = bytearray(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=0x5151, ttt=RESERVED_TAG, cmdsn=session.cmdsn,
                        expstatsn=session.conn.expstatsn).encode())
    raw[0] = 0x40 | opcode
    session.conn.send_raw(bytes(raw))
    try:
        r = session.wait_pdu(p.REJECT)
    except Closed:
        return
    assert r.reason in PROTOCOL and r.data[:48] == bytes(raw)
    if r.reason == p.REJ_NOT_SUPPORTED:
        alive(session)


@pytest.mark.parametrize("opcode", [0x1C, 0x1D, 0x1E], ids=hex)
def test_vendor_opcode(session, opcode):
    """11.2.1.2: opcodes for vendors, which we have none of: Reject 05h."""
    raw = bytearray(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=0x5152, ttt=RESERVED_TAG, cmdsn=session.cmdsn,
                        expstatsn=session.conn.expstatsn).encode())
    raw[0] = 0x40 | opcode
    session.conn.send_raw(bytes(raw))
    assert session.wait_pdu(p.REJECT).reason in PROTOCOL
    alive(session)


@pytest.mark.parametrize("bits", [0x30, 0x10, 0x20])
def test_reserved_bits_of_login(daemon, bits):
    """11.12: bits 2 and 3 of byte 1 of a Login Request are reserved, and ignored."""
    with daemon.connection() as conn:
        lg = Login(conn)
        pairs = [("InitiatorName", "iqn.2026-01.example.test:bits"), ("TargetName", daemon.iqn)]
        lg.send(pairs, flags=p.T | OPERATIONAL << 2 | 3 | bits)
        assert lg.recv().flags & p.T


@pytest.mark.parametrize("at", [22, 23, *range(32, 48)])
def test_reserved_byte_of_login(daemon, at):
    """11.12: so are bytes 22, 23 and 32 to 47."""
    with daemon.connection() as conn:
        lg = Login(conn)
        pairs = [("InitiatorName", "iqn.2026-01.example.test:bytes"), ("TargetName", daemon.iqn)]
        from lib import keys as textkeys
        raw = bytearray(PDU(p.LOGIN_REQ, immediate=True, flags=p.T | OPERATIONAL << 2 | 3, isid=lg.isid, itt=lg.itt,
                            cmdsn=1, data=textkeys.encode(pairs)).encode())
        raw[at] = 0xFF
        conn.send_raw(bytes(raw))
        assert lg.recv().flags & p.T

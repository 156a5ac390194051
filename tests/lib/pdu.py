# SPDX-License-Identifier: BSD-3-Clause
"""Builder and parser for every PDU of RFC 7143 clause 11, with AHS, padding and digests.

A PDU is described by one row of LAYOUT: field name -> (offset, bytes). The same row builds, parses
and, for PDUs that a target sends, tells which bytes are reserved and must be zero (11.1).
"""

from .crc32c import digest

NOP_OUT, SCSI_CMD, TMF_REQ, LOGIN_REQ, TEXT_REQ, DATA_OUT, LOGOUT_REQ = range(0x00, 0x07)
SNACK = 0x10
NOP_IN, SCSI_RSP, TMF_RSP, LOGIN_RSP, TEXT_RSP, DATA_IN, LOGOUT_RSP = range(0x20, 0x27)
R2T, ASYNC, REJECT = 0x31, 0x32, 0x3F

NAME = {
    NOP_OUT: "NOP-Out", SCSI_CMD: "SCSI Command", TMF_REQ: "TMF Request", LOGIN_REQ: "Login Request",
    TEXT_REQ: "Text Request", DATA_OUT: "Data-Out", LOGOUT_REQ: "Logout Request", SNACK: "SNACK",
    NOP_IN: "NOP-In", SCSI_RSP: "SCSI Response", TMF_RSP: "TMF Response", LOGIN_RSP: "Login Response",
    TEXT_RSP: "Text Response", DATA_IN: "Data-In", LOGOUT_RSP: "Logout Response", R2T: "R2T",
    ASYNC: "Async Message", REJECT: "Reject",
}

RESERVED_TAG = 0xFFFFFFFF

# Flags of byte 1.
F = 0x80                                      # final (also T of login, 1 of the requests without F)
R, W = 0x40, 0x20                             # SCSI Command
C = 0x40                                      # login and text: continue
T = 0x80                                      # login: transit
UNTAGGED, SIMPLE, ORDERED, HEAD_OF_QUEUE, ACA = range(5)
RSP_O, RSP_U = 0x04, 0x02                     # residual flags of SCSI Response and Data-In
RSP_BO, RSP_BU = 0x10, 0x08                   # bidirectional residual flags of SCSI Response
DIN_A, DIN_S = 0x40, 0x01                     # Data-In: acknowledge, status

# Task management functions, 11.5.1
ABORT_TASK, ABORT_TASK_SET, CLEAR_ACA, CLEAR_TASK_SET, LOGICAL_UNIT_RESET = range(1, 6)
TARGET_WARM_RESET, TARGET_COLD_RESET, TASK_REASSIGN = 6, 7, 8
QUERY_TASK, QUERY_TASK_SET, I_T_NEXUS_RESET, QUERY_ASYNC_EVENT = range(9, 13)  # RFC 7144
# ... and their responses, 11.6.1
TMF_COMPLETE, TMF_NO_TASK, TMF_NO_LUN, TMF_STILL_ALLEGIANT, TMF_NO_REASSIGN = range(5)
TMF_NOT_SUPPORTED, TMF_AUTH_FAILED, TMF_SUCCEEDED, TMF_REJECTED = 5, 6, 7, 255

# Reject reasons, 11.17.1
REJ_DATA_DIGEST, REJ_SNACK, REJ_PROTOCOL, REJ_NOT_SUPPORTED, REJ_IMMEDIATE = 2, 3, 4, 5, 6
REJ_TASK_IN_PROGRESS, REJ_INVALID_ACK, REJ_INVALID_FIELD, REJ_RESOURCES = 7, 8, 9, 0xA

_SEQ_REQ = {"cmdsn": (24, 4), "expstatsn": (28, 4)}
_SEQ_RSP = {"statsn": (24, 4), "expcmdsn": (28, 4), "maxcmdsn": (32, 4)}

# "priority", "status_qualifier" and "info" are RFC 7144's, reserved below iSCSIProtocolLevel 2: Session looks.
LAYOUT = {
    NOP_OUT: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), **_SEQ_REQ},
    SCSI_CMD: {"priority": (2, 1), "lun": (8, 8), "itt": (16, 4), "edtl": (20, 4), **_SEQ_REQ, "cdb": (32, 16)},
    TMF_REQ: {"lun": (8, 8), "itt": (16, 4), "ref_itt": (20, 4), **_SEQ_REQ,
              "refcmdsn": (32, 4), "expdatasn": (36, 4)},
    LOGIN_REQ: {"version_max": (2, 1), "version_min": (3, 1), "isid": (8, 6), "tsih": (14, 2),
                "itt": (16, 4), "cid": (20, 2), **_SEQ_REQ},
    TEXT_REQ: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), **_SEQ_REQ},
    DATA_OUT: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), "expstatsn": (28, 4),
               "datasn": (36, 4), "offset": (40, 4)},
    LOGOUT_REQ: {"itt": (16, 4), "cid": (20, 2), **_SEQ_REQ},
    SNACK: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), "expstatsn": (28, 4),
            "begrun": (40, 4), "runlength": (44, 4)},
    NOP_IN: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), **_SEQ_RSP},
    SCSI_RSP: {"response": (2, 1), "status": (3, 1), "status_qualifier": (8, 2), "itt": (16, 4),
               "snack_tag": (20, 4), **_SEQ_RSP, "expdatasn": (36, 4), "bidi_residual": (40, 4), "residual": (44, 4)},
    TMF_RSP: {"response": (2, 1), "info": (8, 3), "itt": (16, 4), **_SEQ_RSP},
    LOGIN_RSP: {"version_max": (2, 1), "version_active": (3, 1), "isid": (8, 6), "tsih": (14, 2),
                "itt": (16, 4), **_SEQ_RSP, "status_class": (36, 1), "status_detail": (37, 1)},
    TEXT_RSP: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), **_SEQ_RSP},
    DATA_IN: {"status": (3, 1), "lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), **_SEQ_RSP,
              "datasn": (36, 4), "offset": (40, 4), "residual": (44, 4)},
    LOGOUT_RSP: {"response": (2, 1), "itt": (16, 4), **_SEQ_RSP, "time2wait": (40, 2),
                 "time2retain": (42, 2)},
    R2T: {"lun": (8, 8), "itt": (16, 4), "ttt": (20, 4), **_SEQ_RSP, "r2tsn": (36, 4),
          "offset": (40, 4), "length": (44, 4)},
    ASYNC: {"lun": (8, 8), "itt": (16, 4), **_SEQ_RSP, "event": (36, 1), "vcode": (37, 1),
            "param1": (38, 2), "param2": (40, 2), "param3": (42, 2)},
    REJECT: {"reason": (2, 1), "itt": (16, 4), **_SEQ_RSP, "datasn": (36, 4)},
}

# Byte 1 of target PDUs: bits that must be one, bits that may be set.
_BYTE1 = {
    NOP_IN: (F, F), SCSI_RSP: (F, F | 0x1E), TMF_RSP: (F, F), LOGIN_RSP: (0, 0xCF), TEXT_RSP: (0, F | C),
    DATA_IN: (0, F | DIN_A | RSP_O | RSP_U | DIN_S), LOGOUT_RSP: (F, F), R2T: (F, F), ASYNC: (F, F),
    REJECT: (F, F),
}

_BYTES = {"isid", "cdb", "lun", "info"}


def lun_bytes(n):
    """LUN number -> 8-byte LUN structure (SAM-5 4.7: peripheral below 256, flat space above)."""
    if isinstance(n, (bytes, bytearray)):
        return bytes(n)
    if n < 256:
        return bytes([0, n]) + bytes(6)
    return (0x4000 | n).to_bytes(2, "big") + bytes(6)


class ProtocolViolation(AssertionError):
    """The target sent something that RFC 7143 forbids."""


class PDU:
    """One PDU. Fields of the BHS are attributes; ahs is a list of (type, bytes); data is unpadded."""

    def __init__(self, opcode, data=b"", ahs=(), immediate=False, flags=0, **fields):
        self.__dict__.update(opcode=opcode, data=bytes(data), ahs=list(ahs), immediate=immediate,
                             flags=flags, fields={})
        layout = LAYOUT.get(opcode, {})
        for name, value in fields.items():
            if name not in layout:
                raise TypeError(f"{NAME.get(opcode, hex(opcode))} has no field {name}")
            self.fields[name] = value

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        layout = LAYOUT.get(self.opcode, {})
        if name not in layout:
            raise AttributeError(f"{NAME.get(self.opcode, hex(self.opcode))} has no field {name}")
        return self.fields.get(name, bytes(layout[name][1]) if name in _BYTES else 0)

    def __setattr__(self, name, value):
        if name in self.__dict__:
            self.__dict__[name] = value
        else:
            if name not in LAYOUT.get(self.opcode, {}):
                raise AttributeError(name)
            self.fields[name] = value

    def __repr__(self):
        show = {k: v.hex() if isinstance(v, bytes) else hex(v) for k, v in self.fields.items()}
        body = " ".join(f"{k}={v}" for k, v in show.items())
        return (f"<{NAME.get(self.opcode, hex(self.opcode))}{' I' if self.immediate else ''} "
                f"flags={self.flags:#04x} {body} data={len(self.data)}>")

    def header(self, data_len=None, ahs_len=None):
        """BHS and AHS as bytes. data_len and ahs_len override the true lengths (for bad PDUs)."""
        bhs = bytearray(48)
        bhs[0] = self.opcode | (0x40 if self.immediate else 0)
        bhs[1] = self.flags
        ahs = b""
        for kind, body in self.ahs:
            one = len(body).to_bytes(2, "big") + bytes([kind]) + body
            ahs += one + bytes(-len(one) % 4)
        bhs[4] = len(ahs) // 4 if ahs_len is None else ahs_len
        bhs[5:8] = (len(self.data) if data_len is None else data_len).to_bytes(3, "big")
        for name, value in self.fields.items():
            off, size = LAYOUT[self.opcode][name]
            if name == "lun":
                value = lun_bytes(value)
            if isinstance(value, (bytes, bytearray)):
                bhs[off:off + size] = bytes(value).ljust(size, b"\0")
            else:
                bhs[off:off + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")
        return bytes(bhs) + ahs

    def encode(self, header_digest=False, data_digest=False, bad_header_digest=False,
               bad_data_digest=False, data_len=None, ahs_len=None):
        """The PDU as it goes over the wire."""
        head = self.header(data_len, ahs_len)
        out = head
        if header_digest:
            crc = digest(head)
            out += bytes([crc[0] ^ 1]) + crc[1:] if bad_header_digest else crc
        if self.data:
            body = self.data + bytes(-len(self.data) % 4)
            out += body
            if data_digest:
                crc = digest(body)
                out += bytes([crc[0] ^ 1]) + crc[1:] if bad_data_digest else crc
        return out

    @classmethod
    def parse(cls, head, data):
        """PDU from header bytes (BHS + AHS) and an unpadded data segment."""
        pdu = cls(head[0] & 0x3F, data=data, immediate=bool(head[0] & 0x40), flags=head[1])
        for name, (off, size) in LAYOUT.get(pdu.opcode, {}).items():
            raw = head[off:off + size]
            pdu.fields[name] = bytes(raw) if name in _BYTES else int.from_bytes(raw, "big")
        at = 48
        while at + 4 <= len(head):
            n = int.from_bytes(head[at:at + 2], "big")
            pdu.ahs.append((head[at + 2], bytes(head[at + 3:at + 3 + n])))
            at += (3 + n + 3) // 4 * 4
        return pdu


def check_from_target(head, pad):
    """Raise unless the bytes of a target's PDU obey 11.1: known opcode, reserved fields zero."""
    op = head[0] & 0x3F
    if op not in _BYTE1:
        raise ProtocolViolation(f"opcode {op:#x} is none that a target sends: {head.hex()}")
    if head[0] & 0xC0:
        raise ProtocolViolation(f"{NAME[op]}: bits 0-1 of byte 0 are reserved in a target's PDU (11.1)")
    must, may = _BYTE1[op]
    if head[1] & must != must or head[1] & ~may:
        raise ProtocolViolation(f"{NAME[op]}: byte 1 is {head[1]:#04x} (11.x: must {must:#x}, may {may:#x})")
    known = set(range(8))
    for off, size in LAYOUT[op].values():
        known.update(range(off, off + size))
    for off in range(48):
        if off not in known and head[off]:
            raise ProtocolViolation(f"{NAME[op]}: reserved byte {off} is {head[off]:#04x} (11.1)")
    for off in (2, 3):
        covered = any(o <= off < o + s for o, s in LAYOUT[op].values())
        if not covered and head[off]:
            raise ProtocolViolation(f"{NAME[op]}: reserved byte {off} is {head[off]:#04x} (11.1)")
    if any(pad):
        raise ProtocolViolation(f"{NAME[op]}: padding bytes are not zero (11.2.3)")

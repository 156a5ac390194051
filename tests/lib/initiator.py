# SPDX-License-Identifier: BSD-3-Clause
"""A scripted initiator. Three levels, each usable alone:

Connection  one TCP connection: send and expect PDUs or bytes; digests; StatSN bookkeeping.
Login       login exchanges on a connection, key by key, stage by stage; CHAP.
Session     a full-feature session: commands with every way of data transfer, task management,
            text, NOP, logout, several connections.

Whatever a target sends is checked against RFC 7143 on the way in (reserved fields, digests, StatSN,
ExpCmdSN/MaxCmdSN, DataSN, burst and segment lengths, R2T rules): a violation raises
ProtocolViolation in whichever test meets it.
"""

from . import keys as textkeys
from . import pdu as p
from . import scsi
from .connection import TIMEOUT, Closed, Connection, Rejected, Timeout, sn_add, sn_lt
from .login import (FULL_FEATURE, OPERATIONAL, SECURITY, Chap, Login, LoginFailed, chap_binary, chap_response,
                    new_isid)
from .pdu import PDU, ProtocolViolation, RESERVED_TAG

__all__ = ["TIMEOUT", "Closed", "Connection", "Rejected", "Timeout", "sn_add", "sn_lt", "FULL_FEATURE",
           "OPERATIONAL", "SECURITY", "Chap", "Login", "LoginFailed", "chap_binary", "chap_response", "new_isid",
           "PDU", "ProtocolViolation", "RESERVED_TAG", "Result", "Command", "Session", "discover", "DEFAULT_NAME"]

DEFAULT_NAME = "iqn.2026-01.example.test:wire"


class Result:
    """What a SCSI command came to."""

    def __init__(self, cmd, pdu, sense):
        self.status, self.response = pdu.status, getattr(pdu, "response", 0) if pdu.opcode == p.SCSI_RSP else 0
        self.data = bytes(cmd.data_in[:cmd.received])
        self.overflow = pdu.residual if pdu.flags & p.RSP_O else 0
        self.underflow = pdu.residual if pdu.flags & p.RSP_U else 0
        self.pdu, self.cmd = pdu, cmd
        self.sense_raw = sense
        self.sense = scsi.parse_sense(sense)

    def good(self):
        assert self.response == 0 and self.status == scsi.GOOD, f"not GOOD: {self}"
        return self

    def check(self, key, asc=None):
        """Assert CHECK CONDITION with this sense key and (asc, ascq)."""
        assert self.status == scsi.CHECK_CONDITION, f"no CHECK CONDITION: {self}"
        got = (self.sense.key, (self.sense.asc, self.sense.ascq))
        assert got[0] == key and (asc is None or got[1] == asc), \
            f"sense {got[0]:x}/{got[1][0]:02x}/{got[1][1]:02x}, wanted {key:x}/{asc}"
        return self

    def __repr__(self):
        s = self.sense
        text = f" sense {s.key:x}/{s.asc:02x}/{s.ascq:02x}" if s else ""
        return (f"<status {self.status:#04x}{text} data={len(self.data)} over={self.overflow} "
                f"under={self.underflow} cdb={self.cmd.cdb.hex()}>")


class Command:
    """A command in flight."""

    def __init__(self, itt, cdb, lun, edtl, data_out, read):
        self.itt, self.cdb, self.lun, self.edtl = itt, cdb, lun, edtl
        self.data_out = data_out
        self.data_in = bytearray(read)
        self.received = 0
        self.result = None
        self.conn = None
        self.hold_r2t = False
        self.r2ts = []                  # every R2T seen
        self.open_r2t = {}              # ttt -> bytes still owed
        self.datasn = 0                 # next Data-In DataSN
        self.r2tsn = 0
        self.burst = 0                  # bytes in the present Data-In sequence
        self.unsolicited = 0            # bytes sent without R2T
        self.datain_pdus = []


class Session:
    """A session in full feature phase. Build with Session.open()."""

    def __init__(self):
        self.conns = []
        self.params = {k: v.default for k, v in textkeys.KEYS.items() if v.default is not None}
        self.target_mrdsl = 8192
        self.cmdsn, self.expcmdsn, self.maxcmdsn = 1, None, None
        self.next_itt = 1
        self.commands = {}
        self.inbox = []                 # PDUs that belong to no command
        self.answer_pings = True
        self.pings = 0
        self.keys_seen = []

    # --- login

    @classmethod
    def open(cls, address, target=None, keys=None, name=DEFAULT_NAME, chap=None, isid=None, tsih=0,
             discovery=False, security=True, cmdsn=1, rcvbuf=None, cid=0):
        """Log in and return the session. keys override or (value None) remove the default offers."""
        s = cls()
        s.isid = isid or new_isid()
        s.name, s.target, s.discovery = name, target, discovery
        s.address = address
        s.cmdsn = cmdsn
        offers = {
            "HeaderDigest": "None", "DataDigest": "None", "MaxRecvDataSegmentLength": "262144",
            "DefaultTime2Wait": "0", "DefaultTime2Retain": "0", "ErrorRecoveryLevel": "0",
        }
        if not discovery:
            offers.update({
                "MaxConnections": "1", "InitialR2T": "No", "ImmediateData": "Yes",
                "MaxBurstLength": "262144", "FirstBurstLength": "65536", "MaxOutstandingR2T": "1",
                "DataPDUInOrder": "Yes", "DataSequenceInOrder": "Yes",
            })
        for k, v in (keys or {}).items():
            offers.pop(k, None)
            if v is not None:
                offers[k] = str(v)
        s._login(offers, chap, security, tsih, cid, rcvbuf)
        return s

    def _login(self, offers, chap, security, tsih, cid, rcvbuf=None):
        conn = Connection(self.address, rcvbuf=rcvbuf)
        conn.cid = cid
        lg = Login(conn, isid=self.isid, tsih=tsih, cid=cid, cmdsn=self.cmdsn)
        try:
            first = [("InitiatorName", self.name),
                     ("SessionType", "Discovery" if self.discovery else "Normal")]
            if self.target:
                first.append(("TargetName", self.target))
            if chap:
                r = lg.chap(chap, first)
            elif security:
                r, got = lg.exchange([*first, ("AuthMethod", "None")], SECURITY, OPERATIONAL)
                assert dict(got).get("AuthMethod") == "None", f"AuthMethod answered {got}"
            if chap or security:
                assert r.flags & p.T and r.flags & 3 == OPERATIONAL, "operational stage not granted"
                first = []
            self._operational(lg, [*first, *offers.items()], offers)
        except BaseException:
            conn.close()
            raise
        self.conns.append(conn)
        return conn

    def _operational(self, lg, pairs, offers):
        conn = lg.conn
        answered = set()
        for _ in range(8):
            r, got = lg.exchange(pairs, OPERATIONAL, FULL_FEATURE)
            pairs = []
            for key, value in got:
                self.keys_seen.append((key, value))
                row = textkeys.KEYS.get(key)
                if key in offers and not (row and row.kind == "declare"):
                    textkeys.check_answer(key, offers[key], value)
                    answered.add(key)
                    if value not in textkeys.UNSUCCESSFUL:
                        self.params[key] = value
                elif key == "MaxRecvDataSegmentLength":
                    self.target_mrdsl = textkeys.number(value)
                    assert 512 <= self.target_mrdsl <= 16777215
                else:
                    reply = textkeys.our_answer(key, value)
                    if reply is not None:
                        pairs.append((key, reply))
                        if reply not in textkeys.UNSUCCESSFUL:
                            self.params[key] = reply
            if r.flags & p.T and not pairs:
                break
        assert r.flags & p.T and r.flags & 3 == FULL_FEATURE, "full feature phase not granted"
        for key in offers:
            row = textkeys.KEYS.get(key)
            if not (row and row.kind == "declare") and key not in answered:
                raise ProtocolViolation(f"{key} was offered and never answered (6.2)")
        assert r.tsih != 0, "final Login Response of a new session carries TSIH 0 (11.13.3)"
        assert lg.tsih in (0, r.tsih), "the TSIH of a session does not change (11.13.3)"
        self.tsih = r.tsih
        if self.expcmdsn is None:
            self.expcmdsn, self.maxcmdsn = r.expcmdsn, r.maxcmdsn
        else:
            self._window(r)
        conn.header_digest = self.params["HeaderDigest"] == "CRC32C"
        conn.data_digest = self.params["DataDigest"] == "CRC32C"
        conn.max_recv = textkeys.number(offers.get("MaxRecvDataSegmentLength", "8192"))
        if not self.conns and self.expcmdsn != self.cmdsn:
            raise ProtocolViolation(f"ExpCmdSN {self.expcmdsn:#x} after login with CmdSN {self.cmdsn:#x} "
                                    "(4.2.2.1, 11.12.8)")

    def add_connection(self, cid, chap=None):
        """A further connection of the same session (TSIH given, MC/S)."""
        return self._login({"HeaderDigest": self.params["HeaderDigest"],
                            "DataDigest": self.params["DataDigest"],
                            "MaxRecvDataSegmentLength": "262144"}, chap, True, self.tsih, cid)

    @property
    def conn(self):
        return self.conns[0]

    def yes(self, key):
        return self.params[key] == "Yes"

    def num(self, key):
        return textkeys.number(str(self.params[key]))

    # --- numbering

    def take_itt(self):
        itt = self.next_itt
        self.next_itt = self.next_itt + 1 & 0x7FFFFFFF or 1
        return itt

    def take_cmdsn(self, immediate=False):
        sn = self.cmdsn
        if not immediate:
            self.cmdsn = sn_add(self.cmdsn, 1)
        return sn

    def send(self, pdu, conn=None, **corrupt):
        """Send a request, filling in ITT and CmdSN where the caller gave none."""
        layout = p.LAYOUT[pdu.opcode]
        if "itt" in layout and "itt" not in pdu.fields:
            pdu.itt = self.take_itt()
        if "cmdsn" in layout and "cmdsn" not in pdu.fields:
            pdu.cmdsn = self.take_cmdsn(pdu.immediate)
        return (conn or self.conn).send(pdu, **corrupt)

    # --- receiving

    def recv(self, conn=None, timeout=None):
        """Next PDU; commands in flight are served (data, R2T, status), pings answered."""
        conn = conn or self.conn
        pdu = conn.recv(timeout)
        level2 = pdu.fields.get("status_qualifier") or any(pdu.fields.get("info", b""))
        if level2 and self.num("iSCSIProtocolLevel") < 2:
            raise ProtocolViolation(f"a field of RFC 7144 below iSCSIProtocolLevel 2: {pdu}")
        self._window(pdu)
        if pdu.opcode == p.DATA_IN:
            self._data_in(pdu)
        elif pdu.opcode == p.R2T:
            self._r2t(pdu, conn)
        elif pdu.opcode == p.SCSI_RSP:
            self._response(pdu)
        elif pdu.opcode == p.NOP_IN and pdu.ttt != RESERVED_TAG and pdu.itt == RESERVED_TAG and \
                self.answer_pings:
            self.pings += 1
            conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, lun=pdu.lun, itt=RESERVED_TAG,
                          ttt=pdu.ttt, cmdsn=self.cmdsn))
        else:
            self.inbox.append(pdu)
        return pdu

    def _window(self, pdu):
        if "expcmdsn" not in p.LAYOUT[pdu.opcode]:
            return
        if sn_lt(pdu.maxcmdsn, sn_add(pdu.expcmdsn, -1)):
            raise ProtocolViolation(f"MaxCmdSN < ExpCmdSN-1 (4.2.2.1): {pdu}")
        if sn_lt(self.maxcmdsn, pdu.maxcmdsn):
            self.maxcmdsn = pdu.maxcmdsn
        elif len(self.conns) == 1 and sn_lt(pdu.maxcmdsn, self.maxcmdsn):
            raise ProtocolViolation(f"MaxCmdSN went back on one connection: {pdu}")
        if sn_lt(self.expcmdsn, pdu.expcmdsn):
            self.expcmdsn = pdu.expcmdsn
        elif len(self.conns) == 1 and sn_lt(pdu.expcmdsn, self.expcmdsn):
            raise ProtocolViolation(f"ExpCmdSN went back on one connection: {pdu}")
        if sn_lt(self.cmdsn, pdu.expcmdsn):
            raise ProtocolViolation(f"ExpCmdSN {pdu.expcmdsn:#x} is past anything sent ({self.cmdsn:#x})")

    def _find(self, pdu):
        cmd = self.commands.get(pdu.itt)
        if cmd is None:
            raise ProtocolViolation(f"PDU for a task that is not in flight: {pdu}")
        return cmd

    def _data_in(self, pdu):
        cmd = self._find(pdu)
        cmd.datain_pdus.append(pdu)
        n = len(pdu.data)
        if pdu.datasn != cmd.datasn:
            raise ProtocolViolation(f"DataSN {pdu.datasn}, expected {cmd.datasn} (11.7.5)")
        cmd.datasn += 1
        if self.yes("DataPDUInOrder") and n and pdu.offset != cmd.received:
            raise ProtocolViolation(f"Data-In at offset {pdu.offset}, expected {cmd.received} (13.18)")
        if pdu.flags & p.DIN_A and self.num("ErrorRecoveryLevel") == 0:
            raise ProtocolViolation("A bit at ErrorRecoveryLevel 0 (11.7.2)")
        self._store(cmd, pdu)
        cmd.burst += n
        if cmd.burst > self.num("MaxBurstLength"):
            raise ProtocolViolation(f"Data-In sequence of {cmd.burst} over MaxBurstLength (13.13)")
        if pdu.flags & p.F:
            cmd.burst = 0
        self._data_in_status(cmd, pdu)

    def _store(self, cmd, pdu):
        """The bytes of a Data-In to their place."""
        end = pdu.offset + len(pdu.data)
        if end > cmd.edtl:
            raise ProtocolViolation(f"Data-In beyond the expected length {cmd.edtl} (11.7.6): {pdu}")
        if end > len(cmd.data_in):
            cmd.data_in.extend(bytes(end - len(cmd.data_in)))
        cmd.data_in[pdu.offset:end] = pdu.data
        cmd.received = max(cmd.received, end)

    def _data_in_status(self, cmd, pdu):
        """The status that a Data-In may carry."""
        if pdu.flags & p.DIN_S:
            if not pdu.flags & p.F:
                raise ProtocolViolation("Data-In with S but not F (11.7.1)")
            if pdu.status not in (scsi.GOOD, scsi.CONDITION_MET, 0x10, 0x14):
                raise ProtocolViolation(f"Data-In carries status {pdu.status:#x} (11.7.3)")
            self._finish(cmd, pdu, b"")

    def _r2t(self, pdu, conn):
        cmd = self._find(pdu)
        self._check_r2t(cmd, pdu)
        if pdu.r2tsn != cmd.r2tsn:
            raise ProtocolViolation(f"R2TSN {pdu.r2tsn}, expected {cmd.r2tsn} (11.8.3)")
        cmd.r2tsn += 1
        if self.yes("DataSequenceInOrder") and cmd.r2ts:
            last = cmd.r2ts[-1]
            if pdu.offset != last.offset + last.length:
                raise ProtocolViolation("R2T out of order with DataSequenceInOrder=Yes (13.19)")
        if not cmd.r2ts and pdu.offset != cmd.unsolicited and self.yes("DataSequenceInOrder"):
            raise ProtocolViolation(f"first R2T at {pdu.offset}, {cmd.unsolicited} bytes were sent")
        cmd.r2ts.append(pdu)
        self._open_r2t(cmd, pdu, conn)

    def _check_r2t(self, cmd, pdu):
        """What holds for each R2T by itself."""
        if pdu.ttt == RESERVED_TAG:
            raise ProtocolViolation("R2T with the reserved TTT (11.8.5)")
        if pdu.data:
            raise ProtocolViolation("R2T with a data segment (11.8)")
        if pdu.length == 0 or pdu.length > self.num("MaxBurstLength"):
            raise ProtocolViolation(f"R2T for {pdu.length} bytes (11.8.4)")
        if pdu.offset + pdu.length > cmd.edtl:
            raise ProtocolViolation(f"R2T beyond the expected length {cmd.edtl}: {pdu}")

    def _open_r2t(self, cmd, pdu, conn):
        cmd.open_r2t[pdu.ttt] = pdu.length
        if len(cmd.open_r2t) > self.num("MaxOutstandingR2T"):
            raise ProtocolViolation(f"{len(cmd.open_r2t)} R2Ts outstanding (13.17)")
        if not cmd.hold_r2t:
            self.answer_r2t(cmd, pdu, conn)

    def _response(self, pdu):
        cmd = self._find(pdu)
        sense = self._check_response(pdu)
        if pdu.response == 0 and cmd.datain_pdus and pdu.expdatasn != cmd.datasn:
            raise ProtocolViolation(f"ExpDataSN {pdu.expdatasn}, {cmd.datasn} Data-In were sent (11.4.8)")
        self._finish(cmd, pdu, sense)

    def _check_response(self, pdu):
        """What holds for each SCSI Response by itself; returns its sense data."""
        sense = b""
        if len(pdu.data) >= 2:
            n = int.from_bytes(pdu.data[:2], "big")
            if n > len(pdu.data) - 2:
                raise ProtocolViolation("SenseLength is longer than the data segment (11.4.7.1)")
            sense = pdu.data[2:2 + n]
        if pdu.flags & p.RSP_O and pdu.flags & p.RSP_U:
            raise ProtocolViolation("both O and U (11.4.1)")
        if not pdu.flags & (p.RSP_O | p.RSP_U) and pdu.residual:
            raise ProtocolViolation("Residual Count without O or U (11.4.5.1)")
        return sense

    def _finish(self, cmd, pdu, sense):
        cmd.result = Result(cmd, pdu, sense)
        del self.commands[cmd.itt]

    # --- commands

    def data_out(self, cmd, ttt, offset, length, conn=None, datasn=0, final=True, data=None, step=None,
                 **corrupt):
        """One Data-Out sequence, cut to the target's MaxRecvDataSegmentLength. Returns next DataSN."""
        step = step or self.target_mrdsl
        data = cmd.data_out[offset:offset + length] if data is None else data
        done = 0
        while done < length:
            n = min(step, length - done)
            last = done + n == length
            (conn or cmd.conn).send(PDU(
                p.DATA_OUT, flags=p.F if last and final else 0, lun=cmd.lun, itt=cmd.itt, ttt=ttt,
                datasn=datasn, offset=offset + done, data=data[done:done + n]), **corrupt)
            done += n
            datasn += 1
        return datasn

    def answer_r2t(self, cmd, r2t, conn=None, **kw):
        """Send all the data that an R2T asked for."""
        cmd.open_r2t.pop(r2t.ttt)
        self.data_out(cmd, r2t.ttt, r2t.offset, r2t.length, conn, **kw)

    def start(self, cdb, lun=0, read=0, write=None, edtl=None, attr=p.SIMPLE, immediate=False,
              imm=None, unsolicited=None, hold_r2t=False, conn=None, flags=None, bad_data_digest=False, **fields):
        """Send a SCSI Command with what it may send at once. imm, unsolicited: bytes of immediate
        and of unsolicited Data-Out (default: all that the session's parameters allow)."""
        write = b"" if write is None else write
        edtl = (len(write) or read) if edtl is None else edtl
        cmd = Command(fields.pop("itt", None) or self.take_itt(), bytes(cdb), lun, edtl, write, 0)
        cmd.conn, cmd.hold_r2t = conn or self.conn, hold_r2t
        first = min(edtl, self.num("FirstBurstLength"), len(write))
        if imm is None:
            imm = min(first, self.target_mrdsl) if self.yes("ImmediateData") else 0
        if unsolicited is None:
            unsolicited = max(0, first - imm) if not self.yes("InitialR2T") else 0
        if flags is None:
            flags = attr | (p.R if read else 0) | (p.W if write or (edtl and not read) else 0)
            if not unsolicited:
                flags |= p.F
        ahs = fields.pop("ahs", [])
        if len(cdb) > 16:
            ahs.append((1, b"\0" + bytes(cdb[16:])))
        cmd.unsolicited = imm + unsolicited
        pdu = PDU(p.SCSI_CMD, immediate=immediate, flags=flags, lun=lun, itt=cmd.itt, edtl=edtl,
                  cdb=cdb[:16], data=write[:imm], ahs=ahs, **fields)
        self.commands[cmd.itt] = cmd
        self.send(pdu, cmd.conn, **({"bad_data_digest": True} if bad_data_digest else {}))
        if unsolicited:
            self.data_out(cmd, RESERVED_TAG, imm, unsolicited)
        return cmd

    def wait(self, cmd, timeout=None):
        """Serve the connection until the command has its status."""
        while cmd.result is None:
            pdu = self.recv(cmd.conn, timeout)
            if pdu.opcode == p.REJECT:
                self.inbox.remove(pdu)
                raise Rejected(pdu)
        return cmd.result

    def scsi(self, cdb, **kw):
        """Run one command to its end. See start()."""
        return self.wait(self.start(cdb, **kw))

    def clear_ua(self, lun=0):
        """Take whatever unit attentions wait for this nexus (SAM-5 5.14)."""
        for _ in range(16):
            r = self.scsi(scsi.test_unit_ready(), lun=lun)
            if r.status != scsi.CHECK_CONDITION or r.sense.key != scsi.UNIT_ATTENTION:
                return r
        raise AssertionError("unit attentions without end")

    def capacity(self, lun=0):
        """(blocks, block size) from READ CAPACITY(16)."""
        d = self.scsi(scsi.read_capacity16(), lun=lun, read=32).good().data
        return int.from_bytes(d[:8], "big") + 1, int.from_bytes(d[8:12], "big")

    # --- other requests

    def wait_pdu(self, opcode, itt=None, timeout=None, conn=None):
        """Serve until a PDU of this opcode (and ITT) is in the inbox; take it."""
        while True:
            for i, pdu in enumerate(self.inbox):
                if pdu.opcode == opcode and (itt is None or pdu.itt == itt):
                    return self.inbox.pop(i)
                if pdu.opcode == p.REJECT and opcode != p.REJECT:
                    self.inbox.pop(i)
                    raise Rejected(pdu)
            self.recv(conn, timeout)

    def tmf(self, function, lun=0, ref_itt=RESERVED_TAG, refcmdsn=0, immediate=True, conn=None, **fields):
        """Task management; returns the response code (11.6.1)."""
        pdu = self.send(PDU(p.TMF_REQ, immediate=immediate, flags=p.F | function, lun=lun,
                            ref_itt=ref_itt, refcmdsn=refcmdsn, **fields), conn)
        return self.wait_pdu(p.TMF_RSP, pdu.itt, conn=conn).response

    def nop(self, data=b"", immediate=True, conn=None, **fields):
        """NOP-Out as a ping; returns the NOP-In."""
        fields.setdefault("ttt", RESERVED_TAG)
        pdu = self.send(PDU(p.NOP_OUT, immediate=immediate, flags=p.F, data=data, **fields), conn)
        return self.wait_pdu(p.NOP_IN, pdu.itt, conn=conn)

    def text(self, pairs, immediate=True, conn=None):
        """Text exchange, following C bits and continuation tags; returns [(key, value)]."""
        itt = self.take_itt()
        data = textkeys.encode(pairs)
        ttt, out = RESERVED_TAG, b""
        while True:
            self.send(PDU(p.TEXT_REQ, immediate=immediate, flags=p.F, itt=itt, ttt=ttt, data=data), conn)
            r = self.wait_pdu(p.TEXT_RSP, itt, conn=conn)
            out += r.data
            if r.flags & p.F:
                if r.flags & p.C:
                    raise ProtocolViolation("Text Response with both F and C (11.11.2)")
                if r.ttt != RESERVED_TAG:
                    raise ProtocolViolation("final Text Response with a TTT (11.11.4)")
                return textkeys.decode(out)
            if r.ttt == RESERVED_TAG:
                raise ProtocolViolation("Text Response without F needs a TTT (11.11.4)")
            ttt, data = r.ttt, b""

    def logout(self, reason=0, cid=0, conn=None, close=True):
        """Logout; returns the response PDU. The target closes afterwards (11.14)."""
        conn = conn or self.conn
        pdu = self.send(PDU(p.LOGOUT_REQ, immediate=True, flags=p.F | reason, cid=cid), conn)
        r = self.wait_pdu(p.LOGOUT_RSP, pdu.itt, conn=conn)
        if close and r.response == 0 and reason == 0:
            conn.expect_closed()
            conn.close()
        return r

    def close(self):
        for c in self.conns:
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def discover(address, chap=None, name=DEFAULT_NAME, what="All"):
    """SendTargets over a discovery session: {target name: [address, ...]}."""
    with Session.open(address, discovery=True, chap=chap, name=name) as s:
        targets, at = {}, None
        for key, value in s.text([("SendTargets", what)]):
            if key == "TargetName":
                at = targets.setdefault(value, [])
            else:
                assert key == "TargetAddress" and at is not None, f"unexpected {key}={value} (appendix C)"
                at.append(value)
        s.logout(close=False)
        return targets

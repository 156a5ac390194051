# SPDX-License-Identifier: BSD-3-Clause
"""The scripted initiator at ErrorRecoveryLevel 1 and 2, and with several connections a session.

A test drives the recovery: it makes PDUs get lost (Connection.lose), holds back acknowledgements
(Connection.ack), asks by SNACK, moves tasks by TASK REASSIGN. What comes back is checked here: a PDU that
is sent again must be the one that was sent first (RFC 7143 11.16), DataSN and R2TSN count without a gap, no
byte comes from where it was not asked.
"""

import select
import time

from . import pdu as p
from .initiator import TIMEOUT, Closed, Rejected, Session, Timeout
from .pdu import PDU, ProtocolViolation, RESERVED_TAG

SNACK_DATA, SNACK_STATUS, SNACK_DATA_ACK, SNACK_RDATA = range(4)

# fields that carry current values when a PDU is sent again (11.16)
CURRENT = {"expcmdsn", "maxcmdsn"}


def replica(a, b, but=()):
    """Whether two PDUs are the same but for what may differ when one is sent again."""
    free = CURRENT | set(but)
    return (a.opcode, a.flags, a.data, a.ahs) == (b.opcode, b.flags, b.data, b.ahs) and \
        {k: v for k, v in a.fields.items() if k not in free} == {k: v for k, v in b.fields.items() if k not in free}


class Recovery(Session):
    """A session whose tasks are remembered after their end, as long as anything may be sent again."""

    def __init__(self):
        super().__init__()
        self.done = {}                  # itt -> command with its status
        self.ack_data = True            # answer an A bit by a DataACK SNACK (11.7.2)
        self.acks_due = []              # Data-In PDUs with an A bit that were not answered

    # --- several connections

    def recv_any(self, conns=None, timeout=None):
        """Next PDU of whichever connection has one: (connection, PDU)."""
        conns = [c for c in conns or self.conns if c.open]
        deadline = time.monotonic() + (TIMEOUT if timeout is None else timeout)
        while True:
            ready = [c for c in conns if c.buffered()]
            if not ready:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Timeout("nothing on any connection")
                socks = {c.sock: c for c in conns}
                ready = [socks[s] for s in select.select(list(socks), [], [], left)[0]]
            if ready:
                return ready[0], self.recv(ready[0], timeout)

    def wait(self, cmd, timeout=None):
        """Serve all connections until the command has its status: where answers are fenced (4.2.2.3.3) the target
        asks the others for acknowledgement."""
        serve = [cmd.conn] + [c for c in self.conns if c is not cmd.conn]
        while cmd.result is None:
            before = len(self.inbox)
            try:
                conn, pdu = self.recv_any(serve, timeout)
            except Closed:
                if not cmd.conn.open:
                    raise
                serve = [c for c in serve if c.open]
                continue
            if pdu.opcode == p.REJECT and conn is cmd.conn:
                self.inbox.pop(before)
                raise Rejected(pdu)
        return cmd.result

    def wait_all(self, cmds, timeout=None):
        """Serve all connections until every command has its status; returns the results."""
        while any(c.result is None for c in cmds):
            conn, pdu = self.recv_any(timeout=timeout)
            if pdu.opcode == p.REJECT:
                raise AssertionError(f"Reject {pdu.reason:#x} on CID {conn.cid}")
        return [c.result for c in cmds]

    def drop(self, conn, how="abort"):
        """The transport of a connection ends."""
        getattr(conn, how)()
        if conn in self.conns:
            self.conns.remove(conn)

    def join(self, cid, **keys):
        """A further connection, with keys of its own (declared or negotiated for a connection)."""
        offers = {"HeaderDigest": self.params["HeaderDigest"], "DataDigest": self.params["DataDigest"],
                  "MaxRecvDataSegmentLength": "262144"}
        offers.update({k: str(v) for k, v in keys.items()})
        return self._login(offers, None, True, self.tsih, cid)

    # --- receiving

    def start(self, cdb, **kw):
        cmd = super().start(cdb, **kw)
        cmd.seen, cmd.again, cmd.responses, cmd.moved, cmd.recut = {}, [], [], False, False
        return cmd

    def _find(self, pdu):
        cmd = self.commands.get(pdu.itt) or self.done.get(pdu.itt)
        if cmd is None:
            raise ProtocolViolation(f"PDU for a task that is not in flight: {pdu}")
        return cmd

    @staticmethod
    def _whole(cmd):
        """Nothing of the task got lost, moved or was cut anew: its numbers count without a gap (4.2.2.4)."""
        return not (cmd.conn.lost or cmd.conn.lose or cmd.moved or cmd.recut)

    def _data_in(self, pdu):
        cmd = self._find(pdu)
        first = cmd.seen.get(pdu.datasn)
        if first is not None:
            if not replica(first, pdu):
                raise ProtocolViolation(f"DataSN {pdu.datasn} sent again, but changed: {first} and {pdu} (11.16)")
            cmd.again.append(pdu)
            if pdu.flags & p.DIN_S and cmd.result is None:
                self._finish(cmd, pdu, b"")
            return
        if self._whole(cmd) and pdu.datasn != len(cmd.seen):
            raise ProtocolViolation(f"DataSN {pdu.datasn}, expected {len(cmd.seen)} (11.7.5)")
        cmd.seen[pdu.datasn] = pdu
        cmd.datain_pdus.append(pdu)
        if len(pdu.data) > self.num("MaxBurstLength"):
            raise ProtocolViolation("Data-In longer than MaxBurstLength (13.13)")
        self._store(cmd, pdu)
        if pdu.flags & p.DIN_A:
            self._acknowledge(cmd, pdu)
        self._data_in_status(cmd, pdu)

    def _acknowledge(self, cmd, pdu):
        if self.num("ErrorRecoveryLevel") == 0:
            raise ProtocolViolation("A bit at ErrorRecoveryLevel 0 (11.7.2)")
        if pdu.ttt == RESERVED_TAG:
            raise ProtocolViolation("an A bit needs a TTT to acknowledge by (11.7.4)")
        if self.ack_data and not self.holes(cmd):
            self.snack(SNACK_DATA_ACK, begrun=pdu.datasn + 1, ttt=pdu.ttt, lun=pdu.lun, conn=cmd.conn)
        else:
            self.acks_due.append(pdu)

    def _r2t(self, pdu, conn):
        cmd = self._find(pdu)
        self._check_r2t(cmd, pdu)
        first = next((x for x in cmd.r2ts if x.r2tsn == pdu.r2tsn and not cmd.moved), None)
        if first is not None:
            if not replica(first, pdu, {"statsn"}):
                raise ProtocolViolation(f"R2TSN {pdu.r2tsn} sent again, but changed: {first} and {pdu} (11.16)")
            cmd.again.append(pdu)
        else:
            if self._whole(cmd) and pdu.r2tsn != len(cmd.r2ts):
                raise ProtocolViolation(f"R2TSN {pdu.r2tsn}, expected {len(cmd.r2ts)} (11.8.3)")
            cmd.r2ts.append(pdu)
        self._open_r2t(cmd, pdu, conn)

    def _response(self, pdu):
        cmd = self._find(pdu)
        sense = self._check_response(pdu)
        if self._whole(cmd) and pdu.response == 0 and cmd.seen and pdu.expdatasn != len(cmd.seen):
            raise ProtocolViolation(f"ExpDataSN {pdu.expdatasn}, {len(cmd.seen)} Data-In were sent (11.4.8)")
        if cmd.responses and not replica(cmd.responses[0], pdu, {"expdatasn", "snack_tag"}):
            raise ProtocolViolation(f"a second Response, and another one: {pdu} (11.16)")
        cmd.responses.append(pdu)
        self._finish(cmd, pdu, sense)

    def _finish(self, cmd, pdu, sense):
        if cmd.itt in self.commands:
            super()._finish(cmd, pdu, sense)
        self.done[cmd.itt] = cmd

    # --- asking again

    def holes(self, cmd, upto=None):
        """DataSNs below upto (default: the highest seen) that did not arrive."""
        top = max(cmd.seen, default=-1) + 1 if upto is None else upto
        return [n for n in range(top) if n not in cmd.seen]

    def snack(self, kind, begrun=0, runlength=0, itt=RESERVED_TAG, ttt=RESERVED_TAG, lun=0, conn=None):
        """A SNACK Request (11.16)."""
        return (conn or self.conn).send(PDU(p.SNACK, flags=p.F | kind, lun=lun, itt=itt, ttt=ttt, begrun=begrun,
                                            runlength=runlength))

    def snack_data(self, cmd, begrun=0, runlength=0, conn=None):
        """Data-In or R2T PDUs of a task again, from begrun on (11.16.6, 11.16.7)."""
        return self.snack(SNACK_DATA, begrun, runlength, itt=cmd.itt, lun=cmd.lun, conn=conn or cmd.conn)

    def snack_status(self, begrun=0, runlength=0, conn=None):
        """Responses again, from StatSN begrun on."""
        return self.snack(SNACK_STATUS, begrun, runlength, conn=conn)

    def snack_rdata(self, cmd, tag):
        """All unacknowledged Data-In again in segments of the present size (11.16.3)."""
        cmd.seen.clear()
        cmd.recut = True
        return self.snack(SNACK_RDATA, itt=cmd.itt, ttt=tag, lun=cmd.lun, conn=cmd.conn)

    def wait_until(self, done, conn=None, timeout=None):
        """Serve one connection until done() is true."""
        while not done():
            self.recv(conn, timeout)

    def complete(self, cmd, timeout=None):
        """Serve the task until it has its status and every Data-In, asking again for what is missing."""
        self.wait_until(lambda: cmd.result is not None, cmd.conn, timeout)
        total = getattr(cmd.result.pdu, "expdatasn", 0) if cmd.result.pdu.opcode == p.SCSI_RSP else \
            cmd.result.pdu.datasn + 1
        while self.holes(cmd, total):
            first = self.holes(cmd, total)[0]
            self.snack_data(cmd, first, 1)
            self.wait_until(lambda n=first: n in cmd.seen, cmd.conn, timeout)
        return cmd.result

    def data(self, cmd):
        """All that arrived for a read."""
        return bytes(cmd.data_in[:cmd.received])

    # --- moving tasks

    def logout_for_recovery(self, cid, conn):
        """Logout, reason 2: connection cid is removed so that its tasks can move (11.14.1). Returns the response."""
        return self.logout(reason=2, cid=cid, conn=conn, close=False)

    def reassign(self, cmd, conn, expdatasn=0, **fields):
        """TASK REASSIGN: the task goes on on conn (7.2.2, 11.5.1). Returns the response code."""
        pdu = self.send(PDU(p.TMF_REQ, immediate=True, flags=p.F | p.TASK_REASSIGN, lun=cmd.lun, ref_itt=cmd.itt,
                            expdatasn=expdatasn, **fields), conn)
        while True:
            rsp = self.recv(conn)
            if rsp.opcode == p.TMF_RSP and rsp.itt == pdu.itt:
                self.inbox.remove(rsp)
                break
            if rsp.opcode in (p.DATA_IN, p.R2T, p.SCSI_RSP) and rsp.itt == cmd.itt:
                raise ProtocolViolation("the task went on before its reassignment was answered (11.6)")
        if rsp.response == p.TMF_COMPLETE:
            cmd.conn, cmd.moved = conn, True
            cmd.open_r2t.clear()
        return rsp.response

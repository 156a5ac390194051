# SPDX-License-Identifier: BSD-3-Clause
"""A connection of the chaos initiator: framing, digests, StatSN, login. What a PDU means is the session's.

StatSN (RFC 7143 4.2.2.2): above level 0 a gap is remembered and asked for by a Status SNACK; ExpStatSN stays
at the first missing one. At level 0 a gap ends the connection.
"""

import asyncio
import socket
import time

from lib import keys as textkeys
from lib import pdu as p
from lib.initiator import sn_add, sn_lt
from lib.pdu import PDU, RESERVED_TAG, ProtocolViolation

from .framing import FramingLost, Splitter

SNACK_DATA, SNACK_STATUS, SNACK_DATA_ACK, SNACK_R_DATA = range(4)   # RFC 7143 11.16.1
SNACK_AGAIN_S = .5          # an unanswered SNACK is repeated
WRONG_S = 1.5               # a header whose length was wrong swallows what comes behind it
LOGIN_S = 8                 # a login that makes no progress is given up


class Gone(Exception):
    """The connection has ended before the answer came."""


class Refused(Exception):
    """Login Response with a status that is not success."""

    def __init__(self, status):
        super().__init__(f"login refused: {status:04x}")
        self.status = status


class Conn(asyncio.Protocol):
    def __init__(self, session, cid, max_recv):
        self.session, self.cid, self.max_recv = session, cid, max_recv
        self.transport = None
        self.splitter = Splitter(longest=max_recv)
        self.inbox = asyncio.Queue()        # Login Responses; None at the end
        self.full_feature = False
        self.dead = False
        self.expstatsn = None
        self.missing = {}                   # StatSN -> when it was asked for
        self.skips_since = 0                # in the middle of a PDU whose header was wrong
        self.ping = None                    # (ITT, when) of the last ping, until it is answered
        self.pinged_ok = 0                  # when the last answered ping was sent
        self.asked_at = 0                   # the first ping since anything has come
        self.max_xmit = 8192
        self.let_go = False                 # lost, and the target has confirmed it

    # --- asyncio

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        if self.dead:
            return
        try:
            for raw in self.splitter.feed(data):
                self._raw(raw)
                if self.dead:
                    return
        except FramingLost as e:
            self.lose(str(e))
        except ProtocolViolation as e:
            self.session.violation(e)

    def connection_lost(self, exc):
        self.lose(f"closed by the other side ({exc or 'FIN'})")

    def lose(self, why):
        """End it; the session recovers."""
        if self.dead:
            return
        self.dead = True
        self.inbox.put_nowait(None)
        if self.transport:
            self.transport.abort()
        if self.full_feature:
            self.session.conn_lost(self, why)

    def close(self):
        """End it, and nobody need know."""
        self.dead = True
        self.inbox.put_nowait(None)
        if self.transport:
            self.transport.close()

    @property
    def link(self):
        return self.session.proxy.link_of(self.transport)

    # --- sending

    def send(self, pdu):
        if self.dead or self.transport.is_closing():
            return
        if "expstatsn" in p.LAYOUT[pdu.opcode] and "expstatsn" not in pdu.fields:
            pdu.fields["expstatsn"] = self.acked_statsn()
        full = self.full_feature
        self.transport.write(pdu.encode(full and self.splitter.header_digest, full and self.splitter.data_digest))

    def acked_statsn(self):
        """ExpStatSN: all before it have come, and the data of their commands."""
        low = [*self.missing, *self.session.unfinished(self)] if self.session.level else ()
        if low:
            return min(low, key=lambda sn: sn_add(sn, (1 << 31) - self.expstatsn))
        return self.expstatsn or 0

    def snack(self, kind, begin, run, itt=RESERVED_TAG, ttt=RESERVED_TAG, lun=0):
        self.session.counts["snack " + ("data", "status", "data-ack", "r-data")[kind]] += 1
        self.send(PDU(p.SNACK, flags=p.F | kind, itt=itt, ttt=ttt, lun=lun, begrun=begin, runlength=run))

    # --- receiving

    def _raw(self, raw):
        if not raw.head_ok:
            self.session.counts["header digest errors"] += 1
            return
        self.asked_at = 0
        pdu = PDU.parse(raw.head, raw.data)
        if not raw.body_ok:
            self.session.counts["data digest errors"] += 1
            if self.session.level == 0:
                self.lose("data digest")
            elif pdu.opcode == p.DATA_IN:
                self.session.data_in_damaged(self, pdu)
            return                          # what else it was, a gap in StatSN tells
        p.check_from_target(raw.head, raw.body[len(raw.data):])
        if not self.full_feature:
            self.inbox.put_nowait(pdu)
        elif self._count(pdu):
            self.session.came(self, pdu)

    def _count(self, pdu):
        """StatSN. False: a duplicate."""
        if pdu.opcode == p.DATA_IN and not pdu.flags & p.DIN_S:
            return True
        sn, tells = pdu.statsn, pdu.opcode == p.R2T or (pdu.opcode == p.NOP_IN and pdu.itt == RESERVED_TAG)
        if sn_lt(self.expstatsn, sn):
            if self.session.level == 0:
                self.lose(f"StatSN {sn:#x}, expected {self.expstatsn:#x}")
                return False
            self._gap(sn)
        elif not tells and sn in self.missing:
            del self.missing[sn]
            self.session.counts["statuses retransmitted"] += 1
            return True
        elif not tells and sn_lt(sn, self.expstatsn):
            self.session.counts["duplicate statuses"] += 1
            return False
        if not tells:
            self.expstatsn = sn_add(sn, 1)
        return True

    def _gap(self, sn):
        begin, run = self.expstatsn, sn_add(sn, -self.expstatsn)
        if run > 1 << 16:
            raise ProtocolViolation(f"StatSN {sn:#x}, expected {begin:#x} (4.2.2.2)")
        for i in range(run):
            self.missing[sn_add(begin, i)] = time.monotonic()
        self.snack(SNACK_STATUS, begin, run)
        self.expstatsn = sn

    def tick(self, now):
        """Ask again for what was asked for in vain."""
        self.skips_since = (self.skips_since or now) if self.splitter.skipping else 0
        if self.skips_since and now - self.skips_since > WRONG_S:
            self.lose("no end of a PDU whose header was wrong")
            return
        late = [sn for sn, when in self.missing.items() if now - when > SNACK_AGAIN_S]
        for sn in late:
            self.missing[sn] = now
            self.snack(SNACK_STATUS, sn, 1)

    # --- login

    async def login(self, address, tsih, offers):
        """Connect and log in. Returns the last Login Response. Raises Gone, Refused, OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LOGIN_S):
            await loop.create_connection(lambda: self, *address)
            try:
                return await self._login(tsih, offers)
            except BaseException:
                self.close()
                raise

    async def _login(self, tsih, offers):
        s = self.session
        pairs = [("InitiatorName", s.name), ("TargetName", s.target), ("SessionType", "Normal"), *offers.items()]
        itt = s.take_itt()
        for _ in range(8):
            self.send(PDU(p.LOGIN_REQ, immediate=True, flags=p.T | 1 << 2 | 3, isid=s.isid, tsih=tsih, cid=self.cid,
                          itt=itt, cmdsn=s.cmdsn, data=textkeys.encode(pairs)))
            r = await self.inbox.get()
            if r is None:
                raise Gone
            if r.opcode != p.LOGIN_RSP or r.itt != itt:
                raise ProtocolViolation(f"in a login: {r}")
            if r.status_class:
                raise Refused(r.status_class << 8 | r.status_detail)
            if self.expstatsn is not None and r.statsn != self.expstatsn:
                raise ProtocolViolation(f"StatSN in a login: {r}")
            self.expstatsn = sn_add(r.statsn, 1)
            pairs = self._answers(textkeys.decode(r.data), offers)
            if r.flags & p.T and not pairs:
                return self._ready(r)
        raise ProtocolViolation("the login does not come to an end")

    def _answers(self, got, offers):
        """Take what the target says; what is to be answered."""
        s, pairs = self.session, []
        for key, value in got:
            row = textkeys.KEYS.get(key)
            if key == "MaxRecvDataSegmentLength":
                self.max_xmit = textkeys.number(value)
            elif key in offers:
                textkeys.check_answer(key, offers[key], value)
                s.agreed(key, value)
            elif not (row and row.kind.startswith("declare")):
                reply = textkeys.our_answer(key, value)
                s.agreed(key, reply)
                pairs.append((key, reply))
        return pairs

    def _ready(self, r):
        self.splitter.header_digest = self.session.param("HeaderDigest") == "CRC32C"
        self.splitter.data_digest = self.session.param("DataDigest") == "CRC32C"
        self.splitter.level = self.session.level
        self.full_feature = True
        return r

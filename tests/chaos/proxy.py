# SPDX-License-Identifier: BSD-3-Clause
"""A proxy between an initiator and a target that knows PDUs and does to them what no network should.

Whole PDUs are dropped, doubled and moved behind later ones; bytes of headers, of data and of digests are
turned; bytes are sent in pieces and late; connections are cut, also in the middle of a PDU, and also on one
side only. A login passes whole (it has no digests to find out by), but may be cut, split and delayed.

The proxy remembers what it did: an initiator that loses something can ask whether it was made to.
"""

import asyncio
import collections
import contextlib
import dataclasses
import random
import socket
import struct
import threading

from lib import pdu as p

from .framing import Splitter

TO_TARGET, TO_INITIATOR = "to target", "to initiator"
OUTAGE_S = 6                # at most; shorter than any Time2Retain of the plans
QUEUE_BYTES = 4 << 20       # more than this waiting: its sender is not read


@dataclasses.dataclass(frozen=True)
class Profile:
    """How often (0..1, of the PDUs of a direction) each thing happens."""
    drop: float = 0
    double: float = 0
    reorder: float = 0
    header: float = 0           # bytes of a header turned, not its lengths
    length: float = 0           # its lengths
    data: float = 0             # bytes of a data segment
    digest: float = 0           # bytes of a digest
    split: float = 0
    delay: float = 0
    cut: float = 0
    cut_login: float = 0
    outage: float = 0           # all connections cut, and none made for a while
    late: float = 0.02          # seconds of a delay at most

    def scaled(self, factor):
        """The same, more or less often."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return Profile(**{k: v if k == "late" else min(1.0, v * factor) for k, v in values.items()})


QUIET = Profile()
# what ErrorRecoveryLevel 1 recovers from without losing a connection (RFC 7143 7.3, 7.7, 7.8)
RECOVERABLE = Profile(drop=.004, header=.003, data=.006, digest=.004, split=.02, delay=.01)
CUTS = Profile(split=.03, delay=.02, cut=.0015, cut_login=.02)
OUTAGES = Profile(split=.02, delay=.01, cut=.0005, outage=.0004)
EVERYTHING = Profile(drop=.002, double=.002, reorder=.002, header=.001, length=.0007, data=.002, digest=.001,
                     split=.02, delay=.01, cut=.001, cut_login=.02)
# ... and without duplicates and disorder, which TCP cannot make and no level has an answer to
CUTS_AND_ERRORS = Profile(drop=.002, header=.002, length=.0005, data=.003, digest=.002, split=.02, delay=.01,
                          cut=.001, cut_login=.02)

NO_RECOVERY = ("double", "reorder", "length", "cut", "outage")


class Pipe:
    """One direction of a link: PDUs in, bytes out, in order and in time."""

    def __init__(self, link, direction):
        self.link, self.direction = link, direction
        self.splitter = Splitter()
        self.source = self.sink = None  # transports
        self.queue = collections.deque()
        self.queued = 0
        self.timer = None
        self.held = []                  # [PDUs still to pass before it, bytes]
        self.last_header_bad = False

    # --- in

    def came(self, data):
        for raw in self.splitter.feed(data):
            if self.link.dead:
                return
            self._pdu(raw)

    def _pdu(self, raw):
        if raw.opcode in (p.LOGIN_REQ, p.LOGIN_RSP):
            self._login(raw)
        elif self.link.full_feature:
            self._spoil(raw)
        else:
            self.put(raw.wire())

    def _login(self, raw):
        if self.hit("cut_login"):
            self.note("cut", raw)
            self.link.cut(self, raw.wire())
            return
        if self.direction == TO_INITIATOR and raw.head[36] == 0:
            words = raw.data.split(b"\0")
            self.link.header_digest |= b"HeaderDigest=CRC32C" in words
            self.link.data_digest |= b"DataDigest=CRC32C" in words
            if raw.head[1] & 0x83 == 0x83:
                self.link.begin_full_feature()
        self.put(raw.wire())

    def hit(self, what):
        rate = getattr(self.link.proxy.profile, what)
        return rate and self.link.proxy.rng.random() < rate

    def note(self, what, raw):
        self.link.note(what, self.direction, raw)

    # --- faults

    def _spoil(self, raw):
        if self.hit("drop"):
            self.note("drop", raw)
            return
        if self.hit("cut"):
            self.note("cut", raw)
            self.link.cut(self, raw.wire())
            return
        if self.hit("outage"):
            self.note("outage", raw)
            self.link.proxy.begin_outage()
            return
        wire = self._turn(raw)
        copies = 1
        if self.hit("double"):
            self.note("double", raw)
            copies = 2
        if self.hit("reorder"):
            self.note("reorder", raw)
            self.held.append([self.link.proxy.rng.randrange(1, 4), wire])
            self.link.proxy.later(.05, self._release)
            return
        for _ in range(copies):
            self.put(wire)
        for h in self.held:
            h[0] -= 1
        if self.held and self.held[0][0] <= 0:
            self._release()

    def _release(self):
        held, self.held = self.held, []
        for _, wire in held:
            self.put(wire)

    def _turn(self, raw):
        """The bytes of a PDU, maybe with some of them turned."""
        rng = self.link.proxy.rng
        head, body, bad = bytearray(raw.head), bytearray(raw.body), False
        head_crc, body_crc = bytearray(raw.head_crc), bytearray(raw.body_crc)
        if head_crc and self.hit("header"):
            self.note("header", raw)
            turn(rng, head, lambda at: at not in (4, 5, 6, 7))
            bad = True
        if head_crc and self.hit("length"):
            self.note("length", raw)
            turn(rng, head, lambda at: at in (4, 5, 6, 7), 1)
            bad = True
        if body and (body_crc or self.link.proxy.blind) and self.hit("data"):
            self.note("data", raw)
            turn(rng, body)
        if self.hit("digest") and (head_crc or body_crc):
            self.note("digest", raw)
            if body_crc and (not head_crc or rng.random() < .5):
                turn(rng, body_crc)
            else:
                turn(rng, head_crc)
                bad = True
        if bad and self.last_header_bad:
            self.link.may_close = True  # two in a row: where the third begins nobody knows (7.7)
        self.last_header_bad = bad
        return bytes(head + head_crc + body + body_crc)

    # --- out

    def put(self, wire):
        if self.link.dead:
            return
        rng = self.link.proxy.rng
        wait = rng.random() * self.link.proxy.profile.late if self.hit("delay") else 0
        if self.hit("split") and len(wire) > 1:
            at = 0
            for _ in range(rng.randrange(2, 6)):
                n = rng.choice((1, 3, 47, 48, 49, rng.randrange(1, len(wire))))
                self._queue(wire[at:at + n], wait)
                at += n
                wait = rng.random() * self.link.proxy.profile.late / 8
            self._queue(wire[at:], wait)
        else:
            self._queue(wire, wait)
        self._pump()

    def _queue(self, data, wait):
        if data:
            self.queue.append((data, wait))
            self.queued += len(data)
            if self.queued > QUEUE_BYTES and self.source:
                self.source.pause_reading()

    def _pump(self):
        if self.timer or self.link.dead or not self.sink:
            return
        while self.queue:
            data, wait = self.queue[0]
            if wait:
                self.queue[0] = (data, 0)
                self.timer = self.link.proxy.later(wait, self.wake)
                return
            self.queue.popleft()
            self.queued -= len(data)
            if not self.sink.is_closing():
                self.sink.write(data)
        if self.source and not self.link.blocked:
            self.source.resume_reading()

    def wake(self):
        self.timer = None
        self._pump()


def turn(rng, data, may=lambda at: True, most=4):
    """Change 1 to most bits of the bytes whose place may() allows."""
    places = [at for at in range(len(data)) if may(at)] if len(data) < 4096 else range(len(data))
    for at in set(rng.choice(places) for _ in range(rng.randrange(1, most + 1))):
        data[at] ^= 1 << rng.randrange(8)


class Side(asyncio.Protocol):
    """A socket of a link."""

    def __init__(self, link, pipe):
        self.link, self.pipe = link, pipe   # the pipe that it fills
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pipe.source = transport
        other = self.link.to_initiator if self.pipe is self.link.to_target else self.link.to_target
        other.sink = transport
        self.link.made(self)

    def data_received(self, data):
        if not self.link.dead:
            self.pipe.came(data)

    def connection_lost(self, exc):
        self.link.ended(self)


class Link:
    """A connection of the initiator and ours to the target."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.to_target, self.to_initiator = Pipe(self, TO_TARGET), Pipe(self, TO_INITIATOR)
        self.client, self.server = Side(self, self.to_target), Side(self, self.to_initiator)
        self.full_feature = self.header_digest = self.data_digest = False
        self.dead = False           # nothing is passed on any more
        self.blocked = False
        self.may_close = False      # a fault that no recovery inside a connection mends
        self.faults = []            # what was done to it
        self.target_closed_first = False

    def made(self, side):
        if side is self.client and self.proxy.outage:
            self.dead = True
            side.transport.abort()
        elif side is self.client:
            side.transport.pause_reading()
            self.blocked = True
            self.proxy.by_peer[side.transport.get_extra_info("peername")] = self
            self.proxy.task(self._connect())
        elif self.dead:
            side.transport.abort()
        else:
            self.blocked = False
            self.client.transport.resume_reading()
            self.to_target.wake()

    async def _connect(self):
        try:
            await self.proxy.loop.create_connection(lambda: self.server, *self.proxy.target)
        except OSError:
            self.end()

    def begin_full_feature(self):
        self.full_feature = True
        for pipe in (self.to_target, self.to_initiator):
            pipe.splitter.header_digest, pipe.splitter.data_digest = self.header_digest, self.data_digest

    def note(self, what, direction, raw):
        self.faults.append((what, direction, raw.opcode))
        self.proxy.counts[what, direction, p.NAME.get(raw.opcode, hex(raw.opcode))] += 1
        self.proxy.lossy += 1
        if what in NO_RECOVERY:
            self.may_close = True

    def cut(self, pipe, wire):
        """End it, maybe in the middle of a PDU, on both sides at once or on the target's later."""
        rng = self.proxy.rng
        if wire and pipe.sink and not pipe.sink.is_closing() and rng.random() < .5:
            pipe.sink.write(wire[:rng.randrange(len(wire))])
        self.may_close = self.dead = True
        kind = rng.choice(("both", "both", "initiator first", "target first"))
        late = rng.random() * 2
        for side, first in ((self.client, kind != "target first"), (self.server, kind != "initiator first")):
            if first:
                self._end_side(side)
            else:
                self.proxy.later(late, lambda s=side: self._end_side(s))

    def _end_side(self, side):
        if not side.transport:
            return
        if self.proxy.rng.random() < .5:
            reset(side.transport)
        else:
            side.transport.close()

    def ended(self, side):
        if self.dead:
            return
        if side is self.server:
            self.target_closed_first = True
        self.end()

    def end(self):
        """One side has closed: what is queued goes out, then the other is closed too."""
        self.dead = True
        for side in (self.client, self.server):
            if side.transport and not side.transport.is_closing():
                pipe = self.to_initiator if side is self.client else self.to_target
                side.transport.write(b"".join(data for data, _ in pipe.queue))
                side.transport.close()


def reset(transport):
    """Close by RST."""
    sock = transport.get_extra_info("socket")
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    transport.abort()


class Proxy:
    """Listens on 127.0.0.1 and connects to target, a (host, port)."""

    def __init__(self, target, rng, profile=QUIET):
        self.target, self.rng, self.profile = target, rng, profile
        self.loop = asyncio.get_running_loop()
        self.counts = collections.Counter()     # (what, direction, PDU) -> times
        self.lossy = 0                          # faults so far
        self.outage = False
        self.blind = False                      # turn data although no digest will tell
        self.by_peer = {}
        self.server = None
        self.address = None
        self.tasks = set()

    async def start(self):
        self.server = await self.loop.create_server(lambda: Link(self).client, "127.0.0.1", 0)
        self.address = self.server.sockets[0].getsockname()
        return self

    def task(self, coro):
        t = self.loop.create_task(coro)
        self.tasks.add(t)
        t.add_done_callback(self.tasks.discard)

    def later(self, seconds, func):
        return self.loop.call_later(seconds, func)

    def link_of(self, transport):
        """The link of a connection of the initiator."""
        return self.by_peer.get(transport.get_extra_info("sockname"))

    def begin_outage(self):
        """Nothing gets through for some seconds."""
        self.outage = True
        self.later(.5 + self.rng.random() * (OUTAGE_S - .5), self._end_outage)
        for link in list(self.by_peer.values()):
            if not link.dead:
                link.cut(link.to_target, b"")

    def _end_outage(self):
        self.outage = False

    def close(self):
        self.server.close()
        for link in list(self.by_peer.values()):
            if not link.dead:
                link.end()

    def totals(self):
        """{what: times}"""
        out = collections.Counter()
        for (what, _, _), n in self.counts.items():
            out[what] += n
        return dict(out)


@contextlib.contextmanager
def in_thread(target, seed):
    """A proxy in a thread of its own, for tests that wait in other ways than asyncio's; quiet until its profile
    is set. It may be made before its target listens."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin():
        return await Proxy(target, random.Random(seed)).start()

    async def end(proxy):
        proxy.close()

    try:
        proxy = asyncio.run_coroutine_threadsafe(begin(), loop).result(20)
        yield proxy
        asyncio.run_coroutine_threadsafe(end(proxy), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)

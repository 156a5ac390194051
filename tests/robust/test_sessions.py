# SPDX-License-Identifier: BSD-3-Clause
"""Sessions by the thousand: coming and going all the time, idle, and all gone at once.

ULIO_FLOOD_SECONDS  how long logins go on (20); ten minutes are what was promised
"""

import os
import resource
import select
import threading
import time

import pytest

from lib import pdu as p
from lib import scsi
from lib.initiator import Session
from lib.pdu import PDU

SANITIZED = any(word in os.environ.get("ULIO_BUILD", "") for word in ("asan", "tsan"))
FLOOD_SECONDS = float(os.environ.get("ULIO_FLOOD_SECONDS", "20"))
LOGINS_PER_MINUTE = 10000
IDLE_SESSIONS, IDLE_BYTES = 10000, 32 << 10     # resident bytes of each, everything counted
DROPPED, DROPPED_S = 2000, 1.0 * float(os.environ.get("ULIO_TEST_TIMEOUT_SCALE", "1"))


@pytest.fixture
def d(new_daemon):
    """A daemon that may have as many connections as these tests want, and we too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = IDLE_SESSIONS + 2000
    if hard < want:
        pytest.skip(f"{want} descriptors are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))
    yield new_daemon(disks=["file:{dir}/d.img,size=64M"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def names(n):
    return f"iqn.2026-01.example.test:host{n}"


def flood(d, until, rate, stop_at=None):
    """Logins and logouts, rate of them a second, until the clock says so. Returns how many there were."""
    start, n = time.monotonic(), 0
    while time.monotonic() < until:
        ahead = start + n / rate - time.monotonic()
        if ahead > 0:
            threading.Event().wait(ahead)       # not faster than that
        with d.session(name=names(n % 50), security=n % 2 == 0) as s:
            if n % 10 == 0:
                s.scsi(scsi.inquiry(), read=255)
            if n % 7:
                s.logout()
            elif n % 2:
                s.conn.abort()                  # some just go
        n += 1
        if n == stop_at:
            break
    return n


def test_logins_all_the_time(d, record_property):
    """10,000 logins and logouts a minute: no memory is kept of them."""
    d.iqn
    rate = LOGINS_PER_MINUTE / 60
    flood(d, time.monotonic() + 60, rate, 2000)             # what is kept for reuse is there
    at, before, most = time.monotonic(), d.rss(), d.rss()
    n, start, tenths = 0, at, []
    for tenth in range(1, 11):
        n += flood(d, start + FLOOD_SECONDS * tenth / 10, rate)
        tenths.append(d.rss())
    took = time.monotonic() - start
    most, grown = max(tenths), tenths[-1] - before
    text = (f"{n} logins and logouts in {took:.0f} s ({n * 60 / took:.0f} a minute): RSS {before / 2**20:.2f} MiB "
            f"before, {most / 2**20:.2f} at most, grown by {grown >> 10} KiB")
    print(text)
    record_property("figures", text)
    if not SANITIZED:
        assert grown < 1 << 20, text
        assert n * 60 / took > LOGINS_PER_MINUTE / 2, text     # a busy machine has less
    with d.control() as c:
        assert len(c.call("sessions.list")) <= 50


class Idle(threading.Thread):
    """n sessions that only answer pings (11.19)."""

    def __init__(self, d, n):
        super().__init__(daemon=True)
        self.conns, self.bad = {}, None
        self.poll = select.epoll()
        self.ends = threading.Event()
        self.start()
        try:
            for i in range(n):
                conn = Session.open(d.address, d.iqn, name=names(i), security=False).conn
                self.conns[conn.sock.fileno()] = conn
                self.poll.register(conn.sock.fileno(), select.EPOLLIN)
        except BaseException:
            self.end()
            raise

    def run(self):
        try:
            while not self.ends.is_set():
                for fd, _ in self.poll.poll(.1):
                    conn = self.conns[fd]
                    ping = conn.expect(p.NOP_IN)
                    conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, lun=ping.lun, itt=p.RESERVED_TAG,
                                  ttt=ping.ttt, cmdsn=1))
        except BaseException as e:      # pylint: disable=broad-except
            self.bad = e

    def stop(self):
        """No more answers; what went wrong with one of them is told."""
        self.ends.set()
        self.join(20)
        if self.bad:
            raise self.bad

    def end(self):
        """Close all of them, every other one by RST."""
        self.ends.set()
        self.join(20)
        conns, self.conns = self.conns, {}
        for i, conn in enumerate(conns.values()):
            if i % 2:
                conn.abort()
            else:
                conn.close()


def count(c):
    return len(c.call("sessions.list"))


def wait_for_sessions(c, n, seconds):
    """Seconds until not more than n are there."""
    start = time.monotonic()
    while count(c) > n:
        if time.monotonic() - start > seconds:
            raise AssertionError(f"{count(c)} sessions after {seconds} s, not {n}")
    return time.monotonic() - start


def test_idle_sessions(d, record_property):
    """10,000 sessions that do nothing: what each costs, and that all of it is given back."""
    d.iqn
    n = IDLE_SESSIONS
    before = d.rss()
    start = time.monotonic()
    held = Idle(d, n)
    took = time.monotonic() - start
    try:
        each = (d.rss() - before) / n
        text = f"{n} idle sessions, logged in within {took:.1f} s: {each / 1024:.1f} KiB resident each"
        print(text)
        record_property("figures", text)
        if not SANITIZED:
            assert each < IDLE_BYTES, text
        with d.control(60) as c:
            assert count(c) == n
            with d.session() as s:
                s.clear_ua()
                s.scsi(scsi.read10(0, 8), read=4096).good()
            held.stop()
            held.end()
            wait_for_sessions(c, 0, 30)
    finally:
        held.end()


class Reader(threading.Thread):
    """Reads as fast as it can, and keeps the longest time of one READ."""

    def __init__(self, d):
        super().__init__(daemon=True)
        self.s = d.session()
        self.s.clear_ua()
        self.longest, self.n, self.error = 0, 0, None
        self.ends = threading.Event()

    def run(self):
        try:
            while not self.ends.is_set():
                start = time.monotonic()
                self.s.scsi(scsi.read10(0, 8), read=4096).good()
                self.longest = max(self.longest, time.monotonic() - start)
                self.n += 1
        except BaseException as e:      # pylint: disable=broad-except
            self.error = e

    def stop(self):
        self.ends.set()
        self.join(20)
        self.s.close()
        if self.error:
            raise self.error


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_all_gone_at_once(d, record_property, busy):
    """2,000 sessions whose hosts die in one moment, half by RST and half by FIN, idle or with a command under
    way each: gone within a second, and who stays is not disturbed."""
    d.iqn
    held = Idle(d, DROPPED)
    held.stop()
    if busy:
        write = PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, itt=9, cmdsn=1, edtl=1 << 16, cdb=scsi.write10(0, 128))
        for conn in held.conns.values():
            conn.send(write)            # its data never come
    reader = Reader(d)
    reader.start()
    with d.control(60) as c:
        assert count(c) == DROPPED + 1
        start = time.monotonic()
        held.end()
        closed = time.monotonic() - start
        wait_for_sessions(c, 1, 30)
        took = time.monotonic() - start - closed
    reader.stop()
    text = (f"{DROPPED} {'busy' if busy else 'idle'} sessions dropped within {closed * 1000:.0f} ms: gone "
            f"{took * 1000:.0f} ms after; longest of {reader.n} READs beside it {reader.longest * 1000:.0f} ms")
    print(text)
    record_property("figures", text)
    if not SANITIZED:
        assert took < DROPPED_S, text
        assert reader.longest < DROPPED_S, text

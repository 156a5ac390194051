# SPDX-License-Identifier: BSD-3-Clause
"""Peers that waste the daemon's time: none delays a new login beyond a second, and memory stays bounded.

The daemon serves a file disk only, so its resident memory is its own. What was measured is printed, and
told in the report as the property "figures" of each test.
"""

import os
import random
import resource
import socket
import time

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib import scsi
from lib.initiator import DEFAULT_NAME, OPERATIONAL, SECURITY, Closed, Connection, Login, LoginFailed
from lib.pdu import PDU

LOGIN_LIMIT = 1.0 * float(os.environ.get("ULIO_TEST_TIMEOUT_SCALE", "1"))
RSS_LIMIT = 256 << 20
SANITIZED = "asan" in os.environ.get("ULIO_BUILD", "") or "tsan" in os.environ.get("ULIO_BUILD", "")


@pytest.fixture
def d(new_daemon):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield new_daemon(disks=["file:{dir}/d.img,size=64M"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Slowest:
    """Times logins of a daemon and keeps the slowest."""

    def __init__(self):
        self.seconds = 0

    def __call__(self, d, lun):
        """Seconds from the connect to the first TEST UNIT READY answered."""
        d.iqn       # discovered before the clock starts
        start = time.monotonic()
        with d.session() as s:
            s.scsi(scsi.test_unit_ready(), lun=lun)
            took = time.monotonic() - start
        self.seconds = max(self.seconds, took)
        assert took < LOGIN_LIMIT, f"a login took {took:.2f} s"
        return took


@pytest.fixture
def timed_login():
    return Slowest()


@pytest.fixture
def figures(record_property, timed_login):
    """figures(d, what): say what was done, the slowest login and the most resident memory so far."""
    def tell(d, what):
        text = (f"{what}: slowest login {timed_login.seconds * 1000:.0f} ms, "
                f"RSS at most {d.peak_rss() / (1 << 20):.1f} MiB")
        print(text)
        record_property("figures", text)
    return tell


def bounded(d):
    """Resident memory was within the limit all the time; a sanitizer's shadow is not the daemon's."""
    if not SANITIZED:
        assert d.peak_rss() <= RSS_LIMIT, f"RSS was {d.peak_rss() >> 20} MiB"


def garbage(d, total, pause):
    """Connections that send garbage and go; pause() is called twenty times in between."""
    rng = random.Random(7)
    kinds = [b"", b"\0" * 48, b"\xff" * 48, b"GET / HTTP/1.0\r\n\r\n", None]
    for i in range(total):
        raw = kinds[i % len(kinds)]
        raw = rng.randbytes(rng.randrange(1, 300)) if raw is None else raw
        with socket.create_connection(d.address, timeout=10) as c:
            try:
                c.sendall(raw)
                if i % 7 == 0:
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            except OSError:
                pass
        if i % (total // 20) == 0:
            pause()


def half_logins(d, total, pause):
    """Connections that stop in the middle of their login and stay; pause() after every fifty."""
    held = []
    for i in range(total):
        try:
            c = Connection(d.address)
            held.append(c)
            lg = Login(c)
            first = [("InitiatorName", DEFAULT_NAME), ("TargetName", d.iqn)]
            if i % 4 == 1:
                c.send_raw(bytes(20))
            elif i % 4 == 2:
                lg.send([*first, ("AuthMethod", "None")], SECURITY, OPERATIONAL)
                lg.recv()
            elif i % 4 == 3:
                lg.send(textkeys.encode(first)[:30], OPERATIONAL, cont=True)
        except (Closed, LoginFailed):
            pass                        # it may refuse more than it can hold
        if i % 50 == 49:
            pause()
    return held


def ask_without_reading(s, lun, kind, most):
    """Requests until the daemon takes no more. Returns how many were sent."""
    s.conn.sock.setblocking(False)
    sent = 0
    try:
        for i in range(most):
            itt, sn = 1000 + i, s.take_cmdsn(kind == "pings")
            if kind == "data-in":
                pdu = PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, itt=itt, cmdsn=sn, edtl=262144,
                          cdb=scsi.read10(0, 512))
            elif kind == "inquiry":
                pdu = PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, itt=itt, cmdsn=sn, edtl=255,
                          cdb=scsi.inquiry(255))
            else:
                pdu = PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=itt, ttt=p.RESERVED_TAG, cmdsn=sn,
                          data=b"p" * 4096)
            raw = pdu.encode()
            if s.conn.sock.send(raw) < len(raw):
                break                   # its receive buffer is full: it stopped reading
            sent += 1
    except (BlockingIOError, ConnectionError):
        pass                            # the same, or it ended the connection: both are right
    return sent


def test_all_together(d, lun, timed_login, figures):
    """10,000 garbage connections while 500 half logins stay and an initiator does not read its answers."""
    def pause():
        timed_login(d, lun)
    s = d.session(rcvbuf=4096)
    s.clear_ua(lun)
    sent = ask_without_reading(s, lun, "data-in", 20000)
    assert sent > 1
    held = half_logins(d, 500, pause)
    garbage(d, 10000, pause)
    bounded(d)
    figures(d, f"10,000 garbage connections, 500 half logins, {sent} READs of 256 KiB whose data nobody takes")
    for c in [*held, s]:
        c.close()
    timed_login(d, lun)


def test_garbage_connections(d, lun, timed_login, figures):
    """10,000 connections that send garbage and go; logins in between are prompt."""
    garbage(d, 10000, lambda: timed_login(d, lun))
    timed_login(d, lun)
    bounded(d)
    figures(d, "10,000 garbage connections")


def test_half_logins(d, lun, timed_login, figures):
    """500 connections that stop in the middle of their login and stay: new logins are prompt, and the old
    ones are dropped in the end (login timeout) or stay without harm."""
    held = half_logins(d, 500, lambda: timed_login(d, lun))
    bounded(d)
    figures(d, "500 half logins")
    for c in held:
        c.close()
    timed_login(d, lun)


@pytest.mark.slow
def test_half_logins_are_dropped(d, lun, timed_login):
    """A login that makes no progress is ended by the daemon (its login timeout is 15 s, at most 30)."""
    held = [Connection(d.address, timeout=45) for _ in range(8)]
    for c in held:
        c.expect_closed(allow=(p.LOGIN_RSP,))
        c.close()
    timed_login(d, lun)


@pytest.mark.parametrize("kind", ["data-in", "pings", "inquiry"])
def test_reader_that_never_reads(d, lun, kind, timed_login, figures):
    """An initiator that asks and does not read: its answers pile up for itself alone, within bounds."""
    s = d.session(rcvbuf=4096)
    s.clear_ua(lun)
    sent = ask_without_reading(s, lun, kind, 20000)
    assert sent > 1
    for _ in range(10):
        timed_login(d, lun)
    bounded(d)
    figures(d, f"{kind}: {sent} requests sent")
    s.close()
    timed_login(d, lun)


def test_reader_that_never_reads_keeps_to_the_window(d, lun, timed_login):
    """The window opens when a command has ended, sent or not: receiving stops when too many wait to be sent."""
    def ended():
        """Commands that came and have ended: those still under way may fill the window, which we do not read."""
        with d.control() as c:
            return max((x["commands"] - x["under_way"] for x in c.call("sessions.list")), default=0)

    s = d.session(rcvbuf=4096)
    s.clear_ua(lun)
    n = 0
    while n < 6400:
        before, n = ended(), n + 16
        for i in range(16):
            s.conn.send(PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, itt=1000 + n + i, cmdsn=s.take_cmdsn(),
                            edtl=262144, cdb=scsi.read10(0, 512)))
        end = time.monotonic() + 2
        while ended() < before + 16 and time.monotonic() < end:
            pass
        if ended() < before + 16:
            break
    assert n < 4000, "receiving stops while thousands of answers wait to be sent"
    bounded(d)
    timed_login(d, lun)
    s.close()


def test_many_readers_that_never_read(d, lun, timed_login, figures):
    """Fifty of them at once."""
    held = []
    for i in range(50):
        s = d.session(rcvbuf=4096, name=f"iqn.2026-01.example.test:slow{i}")
        held.append(s)
        for k in range(16):
            s.conn.send(PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, lun=lun, itt=100 + k, cmdsn=s.take_cmdsn(),
                            edtl=262144, cdb=scsi.read10(0, 512)))
    for _ in range(5):
        timed_login(d, lun)
    bounded(d)
    figures(d, "50 x 4 MiB never read")
    for s in held:
        s.close()
    timed_login(d, lun)


def test_writers_that_never_send(d, lun, timed_login, figures):
    """Sixty-four writes of a MiB announced on each of twenty sessions, no data follows."""
    held = []
    for i in range(20):
        s = d.session(keys={"ImmediateData": "No", "InitialR2T": "Yes"}, name=f"iqn.2026-01.example.test:mute{i}")
        held.append(s)
        s.clear_ua(lun)
        for k in range(32):
            s.conn.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, itt=100 + k, cmdsn=s.take_cmdsn(),
                            edtl=1 << 20, cdb=scsi.write16(0, 2048)))
    for _ in range(5):
        timed_login(d, lun)
    bounded(d)
    figures(d, "640 MiB announced")
    for s in held:
        s.close()


def test_descriptors_are_given_back(d, lun, timed_login):
    """After all the trouble no descriptor is left open."""
    def fds():
        return len(os.listdir(f"/proc/{d.proc.pid}/fd"))
    timed_login(d, lun)
    with d.session() as s:
        s.logout()
    before = fds()
    for _ in range(200):
        c = Connection(d.address)
        c.send_raw(b"\xff" * 48)
        c.abort()
    for _ in range(50):
        d.session().conn.abort()
    with d.session() as s:              # logins are served after what came before them
        s.clear_ua(lun)
        s.logout()
    end = time.monotonic() + 10
    while fds() > before + 2 and time.monotonic() < end:
        timed_login(d, lun)
    assert fds() <= before + 2, f"{fds()} descriptors, {before} before"

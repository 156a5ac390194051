# SPDX-License-Identifier: BSD-3-Clause
"""The iSNS client against Debian's open-isns server (RFC 4171): registration, changes, notes of change,
inquiries whether we live, withdrawal, a server that goes and comes back."""

import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from lib import initiator
from lib.daemon import DIE_WITH_US
from lib.ports import give_port, take_port
from lib.wait import SCALE

pytestmark = pytest.mark.skipif(not shutil.which("isnsd") or not shutil.which("isnsadm"),
                                reason="open-isns-server is not installed")

SECOND = "iqn.2026-01.example.test:second"
FRIEND = "iqn.2026-01.example.test:friend"


class Isnsd:
    """isnsd on a port of its own, with a client that looks into its database."""

    def __init__(self, directory):
        self.dir, self.port, self.proc = str(directory), take_port(), None
        self.address = f"127.0.0.1:{self.port}"
        os.makedirs(f"{self.dir}/db", exist_ok=True)
        with open(f"{self.dir}/isnsd.conf", "w", encoding="ascii") as f:
            f.write(f"SourceName = iqn.2026-01.example.test:isns\nDatabase = {self.dir}/db\n"
                    f"DefaultDiscoveryDomain = 1\nSLPRegister = 0\nSecurity = 0\nPIDFile = {self.dir}/pid\n"
                    f"BindAddress = {self.address}\nControlSocket = {self.dir}/control\n"
                    "ESIMinInterval = 1s\nESIMaxInterval = 60s\nESIRetries = 3\nRegistrationPeriod = 10m\n")
        with open(f"{self.dir}/client.conf", "w", encoding="ascii") as f:
            f.write(f"SourceName = {FRIEND}\nServerAddress = {self.address}\nSecurity = 0\n")

    def start(self):
        with open(f"{self.dir}/isnsd.log", "ab") as log:
            self.proc = subprocess.Popen(
                DIE_WITH_US + ["isnsd", "--foreground", "--config", f"{self.dir}/isnsd.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir)
        return self

    def stop(self):
        if self.proc:
            self.proc.send_signal(signal.SIGKILL)
            self.proc.wait()
        self.proc = None

    def forget(self):
        shutil.rmtree(f"{self.dir}/db")
        os.makedirs(f"{self.dir}/db")

    def adm(self, *args):
        done = subprocess.run(["isnsadm", "--config", f"{self.dir}/client.conf", *args], capture_output=True,
                              text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    def join(self):
        """Register an initiator: who asks must be one, and sees what is in the default domain."""
        for _ in range(100):
            if "Successfully" in self.adm("--register", "initiator"):
                return
        raise AssertionError(f"isnsd does not take an initiator:\n{self.adm('--register', 'initiator')}")

    def names(self):
        return sorted(re.findall(r'iSCSI name = "([^"]+)"', self.adm("--list", "nodes")))

    def portals(self):
        text = self.adm("--list", "portals")
        return sorted(zip(re.findall(r"Portal IP address = (\S+)", text),
                          re.findall(r"Portal TCP/UDP port = (\S+)", text)))


@pytest.fixture
def isnsd(tmp_path):
    made = []

    def make(name="isns"):
        s = Isnsd(tmp_path / name)
        made.append(s)
        return s.start()

    yield make
    for s in made:
        s.stop()
        give_port(s.port)


def servers(d):
    with d.control() as c:
        return {row["server"]: row for row in c.call("isns.list")}


def until(condition, seconds=20):
    """Ask until it is so; what it gave."""
    deadline = time.monotonic() + seconds * SCALE
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < deadline, "it did not come about"


def registered(d, s, targets=1):
    row = servers(d).get(s.address, {})
    return row.get("state") == "registered" and row["targets"] == targets and row


def enroll(d, *to, **attrs):
    with d.control() as c:
        for name, value in {"entity": "ulio-test", **attrs}.items():
            c.call("set", path=f"/isns/{name}", value=str(value))
        for s in to:
            c.call("isns.add", server=s.address)


def test_registration(new_daemon, isnsd):
    """5.6.5.1: targets, portals and tags stand in the server's database, and go with the daemon."""
    s, d = isnsd(), new_daemon()
    iqn = d.iqn
    enroll(d, s)
    until(lambda: registered(d, s))
    s.join()
    assert s.names() == sorted([FRIEND, iqn])
    assert s.portals() == [(d.host, f"{d.port}/tcp")]
    d.stop()
    assert s.names() == [FRIEND]
    assert s.portals() == []


def test_many_portals(new_daemon, isnsd):
    """5.6.5.1: more portals than one message may hold (8 KiB in open-isns): all of them are one entity's, in the
    server's view too."""
    s, d = isnsd(), new_daemon()
    more = [f"127.1.{i // 100}.{i % 100 + 1}" for i in range(300)]
    with d.control() as c:
        for address in more:
            c.call("portal.add", address=f"{address}:{d.port}")
    enroll(d, s)
    until(lambda: registered(d, s))
    s.join()
    assert s.names() == sorted([FRIEND, d.iqn])
    assert s.portals() == sorted((a, f"{d.port}/tcp") for a in [*more, d.host])
    d.stop()
    assert s.portals() == []


def test_discovery_by_it(new_daemon, isnsd):
    """An initiator that knows the server alone finds the target, and logs in."""
    s, d = isnsd(), new_daemon()
    enroll(d, s)
    until(lambda: registered(d, s))
    s.join()
    name = next(n for n in s.names() if n != FRIEND)
    (host, port), = s.portals()
    with initiator.Session.open((host, int(port.split("/")[0])), name) as session:
        session.clear_ua(0)
        session.logout()


def test_changes(new_daemon, isnsd):
    """What comes and goes here comes and goes there, and the rest stays."""
    s, d = isnsd(), new_daemon()
    iqn = d.iqn
    enroll(d, s)
    until(lambda: registered(d, s))
    s.join()
    with d.control() as c:
        c.call("target.add", target=SECOND, address=f"127.0.0.2:{d.port}")
    until(lambda: registered(d, s, 2))
    assert s.names() == sorted([FRIEND, iqn, SECOND])
    assert s.portals() == [("127.0.0.1", f"{d.port}/tcp"), ("127.0.0.2", f"{d.port}/tcp")]
    with d.control() as c:
        c.call("target.remove", target=SECOND)
    until(lambda: registered(d, s, 1))
    until(lambda: s.names() == sorted([FRIEND, iqn]))
    assert s.portals() == [("127.0.0.1", f"{d.port}/tcp")]
    with d.control() as c:
        c.call("set", path=f"/iscsi/{iqn}/tpgt_1/enable", value="0")
    until(lambda: s.names() == [FRIEND])
    with d.control() as c:
        c.call("set", path=f"/iscsi/{iqn}/tpgt_1/enable", value="1")
    until(lambda: s.names() == sorted([FRIEND, iqn]))


def test_ipv6_and_any_address(new_daemon, isnsd):
    """6.3.1: IPv6 portals; one on any address stands there as the address that the server is reached from."""
    s, d = isnsd(), new_daemon()
    iqn = d.iqn
    with d.control() as c:
        c.call("portal.add", address=f"[::1]:{d.port}")
        c.call("portal.remove", address=f"{d.host}:{d.port}")
        c.call("portal.add", address=f"0.0.0.0:{d.port}")
    enroll(d, s)
    until(lambda: registered(d, s))
    s.join()
    assert iqn in s.names()
    assert s.portals() == [("127.0.0.1", f"{d.port}/tcp"), ("::1", f"{d.port}/tcp")]


def test_notes_of_change(new_daemon, isnsd):
    """5.6.5.5, 5.7.5.8: the server tells of an initiator that comes."""
    s, d = isnsd(), new_daemon()
    enroll(d, s)
    until(lambda: registered(d, s))
    s.join()
    row = until(lambda: (r := registered(d, s)) and r["notes"] and r)
    assert FRIEND in row["last_note"] and "added" in row["last_note"]


def test_inquiries(new_daemon, isnsd):
    """5.7.5.13: answered, so the server keeps us though it asks each second."""
    s, d = isnsd(), new_daemon()
    enroll(d, s, esi_interval=1)
    row = until(lambda: (r := registered(d, s)) and r["inquiries"] >= 5 and r, 30)
    assert row["registrations"] == 1
    s.join()
    assert d.iqn in s.names()


def test_dead_daemon_is_dropped(new_daemon, isnsd):
    """A daemon that is killed says no goodbye: its inquiries stay unanswered, and it is forgotten."""
    s, d = isnsd(), new_daemon()
    iqn = d.iqn
    enroll(d, s, esi_interval=1)
    until(lambda: registered(d, s))
    s.join()
    assert iqn in s.names()
    d.kill()
    until(lambda: iqn not in s.names(), 60)
    d.proc = None


def test_server_comes_back(new_daemon, isnsd):
    """Killed and started again: with its database nothing is told twice; without it all is told anew."""
    s, d = isnsd(), new_daemon()
    iqn = d.iqn
    enroll(d, s)
    until(lambda: registered(d, s))
    s.stop()
    until(lambda: not registered(d, s))
    assert servers(d)[s.address]["error"]
    s.start()
    row = until(lambda: registered(d, s), 90)
    assert row["registrations"] == 1
    s.stop()
    s.forget()
    until(lambda: not registered(d, s))
    s.start()
    until(lambda: registered(d, s), 90)
    s.join()
    assert s.names() == sorted([FRIEND, iqn])


def test_two_servers(new_daemon, isnsd):
    """Each is told; one that is removed is left in order; one that is not there disturbs nobody."""
    a, b, d = isnsd("a"), isnsd("b"), new_daemon()
    iqn = d.iqn
    enroll(d, a, b)
    until(lambda: registered(d, a) and registered(d, b))
    with d.control() as c:
        c.call("isns.remove", server=a.address)
    a.join()
    b.join()
    until(lambda: a.names() == [FRIEND])
    assert iqn in b.names()
    b.stop()
    with d.control() as c:
        c.call("isns.add", server=a.address)
    until(lambda: registered(d, a))
    until(lambda: iqn in a.names())
    assert list(servers(d)) == [b.address, a.address]


def test_by_command(new_daemon, isnsd):
    """ulio isns add, list, remove; what is wrong is said."""
    s, d = isnsd(), new_daemon()

    assert "no iSNS servers" in d.ulio("isns", "list")
    assert "is no address" in d.ulio("isns", "add", "nobody", fails=True)
    d.ulio("isns", "add", s.address)
    assert "twice" in d.ulio("isns", "add", s.address, fails=True)
    until(lambda: re.search(rf"{s.address} +registered +1 +1 ", d.ulio("isns", "list")))
    assert d.ulio("get", "/isns/state").strip() == f"{s.address} registered, targets 1, portals 1"
    assert "there is no such server" in d.ulio("isns", "remove", "10.0.0.1", fails=True)
    d.ulio("isns", "remove", s.address)
    assert "no iSNS servers" in d.ulio("isns", "list")
    # A list that was set as such may have spaces in it.
    d.ulio("set", "/isns/servers", f"{s.address}, 127.0.0.9")
    d.ulio("isns", "remove", "127.0.0.9:3205")
    assert d.ulio("get", "/isns/servers").strip() == s.address
    d.ulio("isns", "remove", s.address)
    assert "no iSNS servers" in d.ulio("isns", "list")

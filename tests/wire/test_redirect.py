# SPDX-License-Identifier: BSD-3-Clause
"""Login redirection: to another place for a while or for good, and over the portals of a group by their
use. RFC 7143 6.3.1, 11.13.5, 13.8."""

import collections
import itertools

import pytest

from lib import keys as textkeys
from lib import pdu as p
from lib import scsi
from lib.control import RpcError
from lib.initiator import Closed, LoginFailed, Session, discover

TEMPORARY, PERMANENT = 0x0101, 0x0102


def call(d, method, **kw):
    with d.control() as c:
        return c.call(method, **kw)


def redirect(d, host, to, permanent=None):
    np = f"/iscsi/{d.iqn}/tpgt_1/np/{host}:{d.port}"
    with d.control() as c:
        c.call("set", path=f"{np}/redirect", value=to)
        if permanent is not None:
            c.call("set", path=f"{np}/redirect_permanent", value=permanent)


def add(d, *hosts):
    for h in hosts:
        call(d, "portal.add", address=f"{h}:{d.port}")


def refused(d, address=None, **kw):
    """The Login Response that sends an initiator away; the connection is closed after it."""
    with pytest.raises(LoginFailed) as e:
        Session.open(address or d.address, d.iqn, **kw)
    return e.value


def target_address(e):
    """13.8: the only key of the response, without a portal group tag."""
    pairs = textkeys.decode(e.pdu.data)
    pairs = list(pairs.items()) if isinstance(pairs, dict) else list(pairs)
    assert [k for k, _ in pairs] == ["TargetAddress"]
    assert "," not in pairs[0][1]
    return pairs[0][1]


def follow(d, address, hops=3, **kw):
    """Log in as an initiator does that follows redirections; (session, address)."""
    for _ in range(hops):
        try:
            return Session.open(address, d.iqn, **kw), address
        except LoginFailed as e:
            assert e.status == TEMPORARY
            host, port = target_address(e).rsplit(":", 1)
            address = (host.strip("[]"), int(port))
    raise AssertionError("sent around")


@pytest.mark.parametrize("permanent,status", [("0", TEMPORARY), ("1", PERMANENT)])
@pytest.mark.parametrize("to", ["192.0.2.7:3260", "[2001:db8::7]:3299", "other.example.com:3260"])
def test_fixed(new_daemon, permanent, status, to):
    """11.13.5: 0101h or 0102h, and the TargetAddress to use."""
    d = new_daemon()
    redirect(d, d.host, to, permanent)
    e = refused(d)
    assert e.status == status
    assert target_address(e) == to
    assert e.pdu.tsih == 0
    # 4.3: discovery sessions go on as they do.
    assert discover(d.address)[d.iqn] == [f"{d.host}:{d.port},1"]
    redirect(d, d.host, "", "0")
    with d.session() as s:
        s.logout()


def test_either_stage(new_daemon):
    """6.3.1: the first response tells, whichever stage the login begins in."""
    d = new_daemon()
    redirect(d, d.host, "192.0.2.7:3260")
    for security in (False, True):
        assert refused(d, security=security).status == TEMPORARY


def test_sessions_stay(new_daemon):
    """11.13.5: A redirection is for logins; sessions that exist go on."""
    d = new_daemon()
    with d.session() as s:
        s.clear_ua(0)
        redirect(d, d.host, "192.0.2.7:3260")
        s.scsi(scsi.test_unit_ready()).good()
        assert refused(d).status == TEMPORARY
        s.scsi(scsi.test_unit_ready()).good()
        s.logout()


def test_closed_after_it(new_daemon):
    """6.3.1: after a status that is no success the target closes the connection."""
    d = new_daemon()
    redirect(d, d.host, "192.0.2.7:3260")
    with d.connection() as c:
        text = f"InitiatorName=iqn.2026-01.example.test:i\0TargetName={d.iqn}\0SessionType=Normal\0".encode()
        c.send(p.PDU(p.LOGIN_REQ, immediate=True, flags=0x81, isid=b"\x80\0\0\0\0\1", itt=1, cmdsn=1, data=text))
        assert c.expect(p.LOGIN_RSP).status_class == 1
        with pytest.raises(Closed):
            c.recv()


def test_only_whom_it_lets_in(new_daemon):
    """11.13.5: Who has no access is refused as ever, and learns nothing."""
    friend = "iqn.2026-01.example.test:friend"
    d = new_daemon(allow=[friend])
    d._iqn = next(iter(discover(d.address, name=friend)))
    redirect(d, d.host, "192.0.2.7:3260")
    e = refused(d, name="iqn.2026-01.example.test:stranger")
    assert e.status == 0x0202 and not e.pdu.data
    assert refused(d, name=friend).status == TEMPORARY


@pytest.mark.parametrize("value,says", [
    ("nonsense", "is no place"), ("192.0.2.7", "is no place"), ("a b:3260", "is no place"),
    ("10.0.0.1:3260,1", "is no place"), ("{self}", "run in a circle"),
])
def test_bad_places(daemon, value, says):
    """13.8: what is no HOST:PORT, or the portal itself, is refused; nothing changes."""
    with pytest.raises(RpcError, match=says):
        redirect(daemon, daemon.host, value.replace("{self}", f"{daemon.host}:{daemon.port}"))
    with daemon.session() as s:
        s.logout()


def test_permanent_needs_a_place(new_daemon):
    """11.13.5: What depends on the load holds for the moment only."""
    d = new_daemon()
    redirect(d, d.host, "balance")
    with pytest.raises(RpcError, match="name the place"):
        redirect(d, d.host, "balance", "1")
    redirect(d, d.host, "192.0.2.1:3260", "1")
    with pytest.raises(RpcError, match="set redirect_permanent to 0 first"):
        redirect(d, d.host, "elsewhere")


# --- balancing


def spread(d, start, n, **kw):
    """n sessions that follow redirections from the addresses of start in turn; where they ended."""
    sessions, where = [], collections.Counter()
    for address, _ in zip(itertools.cycle(start), range(n)):
        s, at = follow(d, address, **kw)
        sessions.append(s)
        where[at[0]] += 1
    return sessions, where


def test_balance(new_daemon):
    """11.13.5: Portals that all balance: sessions that come to one of them are spread evenly."""
    d = new_daemon()
    hosts = [d.host, "127.0.0.2", "127.0.0.3", "127.0.0.4"]
    add(d, *hosts[1:])
    for h in hosts:
        redirect(d, h, "balance")
    sessions, where = spread(d, [d.address], 20)
    assert where == {h: 5 for h in hosts}
    for s in sessions:
        s.clear_ua(0)
        s.scsi(scsi.test_unit_ready()).good()
        s.logout()
    # Where sessions have ended is room again, and wherever one comes first it is spread.
    sessions, where = spread(d, [(h, d.port) for h in hosts[:2]], 8)
    assert where == {h: 2 for h in hosts}
    for s in sessions:
        s.logout()


def test_group_address(new_daemon):
    """11.13.5: One portal that is told and takes nothing itself; the others take sessions and are not told."""
    d = new_daemon()
    add(d, "127.0.0.2", "127.0.0.3")
    redirect(d, d.host, "elsewhere")
    for h in ("127.0.0.2", "127.0.0.3"):
        call(d, "set", path=f"/iscsi/{d.iqn}/tpgt_1/np/{h}:{d.port}/sendtargets", value="0")
    assert discover(d.address)[d.iqn] == [f"{d.host}:{d.port},1"]
    sessions, where = spread(d, [d.address], 6)
    assert where == {"127.0.0.2": 3, "127.0.0.3": 3}
    for s in sessions:
        s.logout()
    for h in ("127.0.0.2", "127.0.0.3"):
        call(d, "portal.remove", address=f"{h}:{d.port}")
    with d.session() as s:              # nowhere else to go
        s.logout()


def test_all_at_once(new_daemon):
    """11.13.5: Initiators that ask before any has arrived are not all sent to the same portal."""
    d = new_daemon()
    hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    add(d, *hosts)
    redirect(d, d.host, "elsewhere")
    sent = collections.Counter(target_address(refused(d)) for _ in range(9))
    assert sent == {f"{h}:{d.port}": 3 for h in hosts}


def test_absent_address_gets_nobody(new_daemon):
    """13.8: A portal on an address that the host does not have (IP_FREEBIND) takes no part."""
    d = new_daemon()
    add(d, "203.0.113.9", "127.0.0.2")
    redirect(d, d.host, "elsewhere")
    sent = {target_address(refused(d)) for _ in range(4)}
    assert sent == {f"127.0.0.2:{d.port}"}


def test_same_family(new_daemon):
    """13.8: an initiator is sent where it is reached: the address of its portal, as advertised."""
    d = new_daemon()
    add(d, "127.0.0.2")
    call(d, "set", path=f"/iscsi/{d.iqn}/tpgt_1/np/127.0.0.2:{d.port}/advertise", value="nat.example.com:860")
    redirect(d, d.host, "elsewhere")
    assert target_address(refused(d)) == "nat.example.com:860"


def test_over_targets(new_daemon):
    """11.13.5: What is balanced are sessions of all targets: interfaces, not targets, are what is short."""
    d = new_daemon()
    first, second = d.iqn, "iqn.2026-01.example.test:second"
    add(d, "127.0.0.2")
    call(d, "target.add", target=second, address=f"{d.host}:{d.port}")
    call(d, "portal.add", address=f"127.0.0.2:{d.port}", target=second)
    call(d, "target.access", access="anyone-write", target=second)
    with d.control() as c:
        c.call("set", path=f"/iscsi/{second}/tpgt_1/attrib/authentication", value="0")
        for t, h in itertools.product((first, second), (d.host, "127.0.0.2")):
            c.call("set", path=f"/iscsi/{t}/tpgt_1/np/{h}:{d.port}/redirect", value="balance")
    with d.session() as s:
        with pytest.raises(LoginFailed) as e:
            Session.open(d.address, second)
        assert target_address(e.value) == f"127.0.0.2:{d.port}"
        s.logout()


def test_further_connection_stays(new_daemon):
    """6.3.4: a connection that joins a session is taken where the session is, whatever its portal does with
    logins of new ones."""
    d = new_daemon(params={"MaxConnections": "4"})
    with d.session(keys={"MaxConnections": "4"}) as s:
        s.clear_ua(0)
        redirect(d, d.host, "192.0.2.7:3260")
        c = s.add_connection(1)
        s.nop(b"here", conn=c)
        redirect(d, d.host, "elsewhere")
        add(d, "127.0.0.2")
        c = s.add_connection(2)
        s.nop(b"here, too", conn=c)
        assert refused(d).status == TEMPORARY
        s.logout()


def test_connections_count(new_daemon):
    """11.13.5: balancing goes by connections: a session with two weighs as much as two sessions."""
    d = new_daemon(params={"MaxConnections": "4"})
    add(d, "127.0.0.2")
    for h in (d.host, "127.0.0.2"):
        redirect(d, h, "balance")
    with d.session(keys={"MaxConnections": "4"}) as s:
        s.add_connection(1)
        sessions, where = spread(d, [d.address], 2)
        assert where == {"127.0.0.2": 2}
        for x in sessions:
            x.logout()
        s.logout()

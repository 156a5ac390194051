# SPDX-License-Identifier: BSD-3-Clause
"""Portals: many in a group, IPv6, addresses that are not there yet, in other network namespaces, and
who is told of which by SendTargets. RFC 7143 4.3, 13.8, appendix C."""

import re

import pytest

from lib import netns, scsi
from lib.control import RpcError
from lib.initiator import LoginFailed, Session, discover

IQN = "iqn.2026-01.example.test:second"


def tpg(d):
    return f"/iscsi/{d.iqn}/tpgt_1"


def call(d, method, **kw):
    with d.control() as c:
        return c.call(method, **kw)


def put(d, path, attr, value):
    call(d, "set", path=f"{path}/{attr}", value=value)


def listens(address, name):
    """A whole session by that address: login, a command, logout."""
    with Session.open(address, name) as s:
        s.clear_ua(0)
        s.scsi(scsi.test_unit_ready()).good()
        s.logout()


def test_many_portals(new_daemon):
    """4.1: a group may have any number of portals; each takes logins, and all of them are told."""
    d = new_daemon()
    hosts = [f"127.0.1.{i}" for i in range(1, 65)]
    for h in hosts:
        call(d, "portal.add", address=f"{h}:{d.port}")
    told = discover(d.address)[d.iqn]
    assert sorted(told) == sorted(f"{h}:{d.port},1" for h in [d.host] + hosts)
    for h in hosts[::9]:
        listens((h, d.port), d.iqn)
    for h in hosts:
        call(d, "portal.remove", address=f"{h}:{d.port}")
    assert discover(d.address)[d.iqn] == [f"{d.host}:{d.port},1"]
    with pytest.raises(ConnectionRefusedError):
        Session.open((hosts[0], d.port), d.iqn)


def test_ipv6(new_daemon):
    """13.8: an IPv6 address in brackets, told to who came by IPv4 and by IPv6."""
    d = new_daemon()
    call(d, "portal.add", address=f"[::1]:{d.port}")
    both = sorted([f"{d.host}:{d.port},1", f"[::1]:{d.port},1"])
    assert sorted(discover(d.address)[d.iqn]) == both
    assert sorted(discover(("::1", d.port))[d.iqn]) == both
    listens(("::1", d.port), d.iqn)


def test_any_address_is_told_as_it_was_reached(new_daemon):
    """13.8: :: and 0.0.0.0 are no addresses to connect to; each is told to its own family alone."""
    d = new_daemon()
    iqn = d.iqn
    call(d, "portal.remove", address=f"{d.host}:{d.port}")
    call(d, "portal.add", address=f"0.0.0.0:{d.port}")
    assert discover(("127.0.0.3", d.port))[iqn] == [f"127.0.0.3:{d.port},1"]
    call(d, "portal.add", address=f"[::]:{d.port}")
    assert discover(("127.0.0.3", d.port))[iqn] == [f"127.0.0.3:{d.port},1"]
    assert discover(("::1", d.port))[iqn] == [f"[::1]:{d.port},1"]
    call(d, "portal.remove", address=f"0.0.0.0:{d.port}")
    assert discover(("::1", d.port))[iqn] == [f"[::1]:{d.port},1"]


def test_no_name_without_an_address(new_daemon):
    """Appendix C: a name without an address would mean the address that was asked: not told."""
    d = new_daemon()
    call(d, "target.add", target=IQN, address=f"[::]:{d.port}")
    call(d, "target.access", access="anyone-write", target=IQN)
    assert list(discover(d.address)) == [d.iqn]
    assert discover(("::1", d.port))[IQN] == [f"[::1]:{d.port},1"]


def test_address_that_is_not_there_yet(new_daemon):
    """4.1: A portal may listen on an address that the host will get later (IP_FREEBIND), and is told."""
    d = new_daemon()
    for host in ("203.0.113.9", "[2001:db8::9]"):
        call(d, "portal.add", address=f"{host}:{d.port}")
        assert f"{host}:{d.port},1" in discover(d.address)[d.iqn]
    listens(d.address, d.iqn)


@pytest.mark.parametrize("address", [
    "localhost:3260", "10.0.0.256:3260", "10.0.0.1:0", "10.0.0.1:65536", "[::1", "[fe80::1]:3260",
    "[fe80::1%nosuch0]:3260", "[2001:db8::1%lo]:3260", "10.0.0.1:3260@", "10.0.0.1:3260@..",
    "10.0.0.1:3260@a@b",
])
def test_bad_addresses(daemon, address):
    """13.8: Whatever is wrong with the address is said, and nothing is made."""
    with pytest.raises(RpcError) as e:
        call(daemon, "portal.add", address=address)
    assert e.value.message
    assert discover(daemon.address)[daemon.iqn] == [f"{daemon.host}:{daemon.port},1"]


def test_one_address_of_two_groups(new_daemon):
    """4.4.2: two groups of a target never share an address: which one is meant could not be said."""
    d = new_daemon()
    call(d, "mkdir", path=f"/iscsi/{d.iqn}/tpgt_2")
    with pytest.raises(RpcError, match="portal group 1 of the target has"):
        call(d, "mkdir", path=f"/iscsi/{d.iqn}/tpgt_2/np/{d.host}:{d.port}")
    call(d, "mkdir", path=f"/iscsi/{d.iqn}/tpgt_2/np/127.0.0.2:{d.port}")
    put(d, f"/iscsi/{d.iqn}/tpgt_2", "enable", "1")
    put(d, f"/iscsi/{d.iqn}/tpgt_2/attrib", "authentication", "0")
    put(d, f"/iscsi/{d.iqn}/tpgt_2/attrib", "generate_node_acls", "1")
    assert sorted(discover(d.address)[d.iqn]) == [f"127.0.0.1:{d.port},1", f"127.0.0.2:{d.port},2"]


def test_two_targets_at_one_address(new_daemon):
    """4.1: targets may share a portal; the name in the login says which is meant."""
    d = new_daemon()
    assert d.iqn
    call(d, "target.add", target=IQN, address=f"{d.host}:{d.port}")
    call(d, "target.access", access="anyone-write", target=IQN)
    put(d, f"/iscsi/{IQN}/tpgt_1/attrib", "authentication", "0")
    assert sorted(discover(d.address)) == sorted([d.iqn, IQN])
    for name in (d.iqn, IQN):
        with Session.open(d.address, name) as s:
            s.logout()
    call(d, "target.remove", target=IQN)
    with pytest.raises(LoginFailed) as e:
        Session.open(d.address, IQN)
    assert e.value.status == 0x0203
    listens(d.address, d.iqn)


def test_login_through_a_portal_of_another_target(new_daemon):
    """4.4.2: a target is reached by its own portals alone, though another one listens there."""
    d = new_daemon()
    assert d.iqn
    call(d, "target.add", target=IQN, address=f"127.0.0.2:{d.port}")
    call(d, "target.access", access="anyone-write", target=IQN)
    with pytest.raises(LoginFailed) as e:
        Session.open(("127.0.0.2", d.port), d.iqn)
    assert e.value.status == 0x0301, "service unavailable (11.13.5), as LIO says it: the target is there, but not here"


# --- who is told what


def test_filtered_by_initiator(new_daemon):
    """Appendix C: told are the targets that the initiator may use; an ACL lets it know of one."""
    friend, stranger = "iqn.2026-01.example.test:friend", "iqn.2026-01.example.test:stranger"
    d = new_daemon(allow=[friend])
    iqn = next(iter(discover(d.address, name=friend)))
    tpgt = f"/iscsi/{iqn}/tpgt_1"
    put(d, f"{tpgt}/attrib", "demo_mode_discovery", "0")
    assert list(discover(d.address, name=friend)) == [iqn]
    assert not discover(d.address, name=stranger)
    assert not discover(d.address, name=stranger, what=iqn)
    put(d, f"{tpgt}/attrib", "demo_mode_discovery", "1")
    assert list(discover(d.address, name=stranger)) == [iqn]
    put(d, f"{tpgt}/attrib", "tpg_enabled_sendtargets", "0")
    assert not discover(d.address, name=friend)
    put(d, f"{tpgt}/attrib", "tpg_enabled_sendtargets", "1")
    put(d, tpgt, "enable", "0")
    call(d, "target.add", target=IQN, address=f"{d.host}:{d.port}")
    assert list(discover(d.address, name=friend)) == [IQN]


def test_filtered_by_portal(new_daemon):
    """Appendix C: discovery_by_portal: told to those only who ask through a portal of the group."""
    d = new_daemon()
    assert d.iqn
    call(d, "target.add", target=IQN, address=f"127.0.0.2:{d.port}")
    call(d, "target.access", access="anyone-write", target=IQN)
    assert sorted(discover(d.address)) == sorted([d.iqn, IQN])
    put(d, f"/iscsi/{IQN}/tpgt_1", "discovery_by_portal", "1")
    assert list(discover(d.address)) == [d.iqn]
    assert not discover(d.address, what=IQN)
    assert sorted(discover(("127.0.0.2", d.port))) == sorted([d.iqn, IQN])
    put(d, tpg(d), "discovery_by_portal", "1")
    assert list(discover(("127.0.0.2", d.port))) == [IQN]


def test_untold_portal(new_daemon):
    """Appendix C: sendtargets=0: the portal is not told, but takes logins."""
    d = new_daemon()
    call(d, "portal.add", address=f"127.0.0.2:{d.port}")
    put(d, f"{tpg(d)}/np/127.0.0.2:{d.port}", "sendtargets", "0")
    assert discover(("127.0.0.2", d.port))[d.iqn] == [f"{d.host}:{d.port},1"]
    listens(("127.0.0.2", d.port), d.iqn)


def test_advertised_while_running(new_daemon):
    """13.8: what is advertised stands in SendTargets at once, and the socket stays as it is."""
    d = new_daemon()
    np = f"{tpg(d)}/np/{d.host}:{d.port}"
    with d.session() as s:
        put(d, np, "advertise", "storage.example.com:3299")
        got = s.text([("SendTargets", "")])
        assert ("TargetAddress", "storage.example.com:3299,1") in got
        put(d, np, "advertise", "")
        assert ("TargetAddress", f"{d.host}:{d.port},1") in s.text([("SendTargets", "")])
        s.logout()
    for bad in ("storage", "a:0", "a b:1", "a,1:3260", "2001:db8::1:3260"):
        with pytest.raises(RpcError, match="cannot be told to initiators"):
            put(d, np, "advertise", bad)


# --- other network namespaces


def test_other_namespace(new_daemon, space):
    """Appendix C: A portal of another network namespace takes logins there, and only there; neither side is told
    of the other's addresses."""
    d = new_daemon()
    iqn = d.iqn
    call(d, "portal.add", address=f"127.0.0.9:{d.port}@{space}")
    assert discover(d.address)[iqn] == [f"{d.host}:{d.port},1"]
    with pytest.raises(ConnectionRefusedError):
        Session.open(("127.0.0.9", d.port), iqn)
    with netns.inside(space):
        assert discover(("127.0.0.9", d.port))[iqn] == [f"127.0.0.9:{d.port},1"]
        listens(("127.0.0.9", d.port), iqn)
        s = Session.open(("127.0.0.9", d.port), iqn)
    # The session works on when the test has left, and ends with its namespace's portal gone too.
    s.clear_ua(0)
    call(d, "portal.remove", address=f"127.0.0.9:{d.port}@{space}")
    s.scsi(scsi.test_unit_ready()).good()
    s.logout()


def test_same_address_in_two_namespaces(new_daemon, space):
    """Appendix C: Tenants have the same addresses: each portal is its own, and is told as such."""
    d = new_daemon()
    iqn = d.iqn
    call(d, "target.add", target=IQN, address=f"{d.host}:{d.port}@{space}")
    call(d, "target.access", access="anyone-write", target=IQN)
    put(d, f"/iscsi/{IQN}/tpgt_1/attrib", "authentication", "0")
    assert list(discover(d.address)) == [iqn]
    with netns.inside(space):
        assert list(discover(d.address)) == [IQN]
        with pytest.raises(LoginFailed):
            Session.open(d.address, iqn)
        with Session.open(d.address, IQN) as s:
            s.logout()
    with pytest.raises(LoginFailed):
        Session.open(d.address, IQN)


def test_namespace_that_is_not_there(new_daemon):
    """4.1: The error names the namespace and the cure; nothing is made."""
    d = new_daemon()
    with pytest.raises(RpcError, match=re.escape("no network namespace \"nosuch\": make it with `ip netns add")):
        call(d, "portal.add", address=f"127.0.0.9:{d.port}@nosuch")
    assert discover(d.address)[d.iqn] == [f"{d.host}:{d.port},1"]

# SPDX-License-Identifier: BSD-3-Clause
"""Portals in saveconfig.json: network namespaces, redirection, and who is told."""

import pytest

from lib import netns
from lib.initiator import LoginFailed, discover
from lib.saveconfig import IQN, disk, target


def test_saved(serve, space):
    """What portals do with logins, and the namespaces that they are in, outlive a restart and a reload."""
    d = serve(lambda d: {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    np, plain, blue = f"/iscsi/{IQN}/tpgt_1/np", f"127.0.0.1:{d.port}", f"127.0.0.1:{d.port}@{space}"
    want = {f"{np}/{blue}/redirect": "elsewhere", f"{np}/{plain}/redirect": "192.0.2.1:3260",
            f"{np}/{plain}/redirect_permanent": "1", f"{np}/{plain}/sendtargets": "0",
            f"/iscsi/{IQN}/tpgt_1/discovery_by_portal": "1"}
    with d.control() as c:
        c.call("portal.add", address=blue)
        for path, value in want.items():
            c.call("set", path=path, value=value)
        c.call("save")
    portals = d.read()["targets"][0]["tpgs"][0]["portals"]
    assert {"ip_address": "127.0.0.1", "port": d.port, "netns": space, "iser": False, "offload": False} in portals
    d.stop()
    d.start()
    for again in ("reload", "save"):
        with d.control() as c:
            for path, value in want.items():
                assert c.call("get", path=path) == value
            c.call(again)
    with d.control() as c:
        c.call("portal.remove", address=blue)
        c.call("reload")
        assert c.call("get", path=f"{np}/{blue}/redirect") == "elsewhere"


def test_by_command(serve, space):
    """ulio portal add, redirect, remove."""
    d = serve(lambda d: {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    plain, blue = f"127.0.0.1:{d.port}", f"127.0.0.9:{d.port}@{space}"

    assert blue in d.ulio("portal", "add", blue)
    assert f"127.0.0.8:3260@{space}" in d.ulio("portal", "add", f"127.0.0.8@{space}")
    d.ulio("portal", "redirect", plain, "other.example.com:3260", "--permanent")
    with pytest.raises(LoginFailed) as e:
        d.session()
    assert e.value.status == 0x0102
    d.ulio("portal", "redirect", plain, "balance")
    with d.session() as s:
        s.logout()
    assert "name the place" in d.ulio("portal", "redirect", plain, "balance", "--permanent", fails=True)
    assert "there is no such portal" in d.ulio("portal", "redirect", "10.0.0.1:1", "balance", fails=True)
    d.ulio("portal", "redirect", plain, "none")
    d.ulio("portal", "remove", blue)
    assert blue not in d.ulio("target", "list")


def test_isns_settings(serve):
    """The iSNS servers and what they are told of this host; what was not saved goes with a reload."""
    d = serve(lambda d: {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    want = {"servers": "127.0.0.1:1,[::1]:1", "entity": "host-7", "period": "90", "esi_interval": "0"}
    with d.control() as c:
        c.call("isns.add", server="127.0.0.1:1")
        c.call("reload")
        assert c.call("get", path="/isns/servers") == "" and not c.call("isns.list")
        for name, value in want.items():
            c.call("set", path=f"/isns/{name}", value=value)
        c.call("save")
        c.call("reload")
    d.stop()
    d.start()
    with d.control() as c:
        assert {name: c.call("get", path=f"/isns/{name}") for name in want} == want
        assert [row["server"] for row in c.call("isns.list")] == ["127.0.0.1:1", "[::1]:1"]


def test_listen_option(new_daemon, space):
    """--listen in a network namespace, with and without a port."""
    d = new_daemon(args=["--listen", f"127.0.0.7@{space}"])
    iqn = d.iqn
    with netns.inside(space):
        assert list(discover(("127.0.0.7", 3260))) == [iqn]

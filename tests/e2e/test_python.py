# SPDX-License-Identifier: BSD-3-Clause
"""The module ulio, its examples, and the schema of the protocol that they speak."""

import errno
import importlib
import io
import json
import os
import sys
import threading

import pytest

from lib.daemon import SOURCE
from lib.saveconfig import IQN, disk, target

sys.path[:0] = [os.path.join(SOURCE, "python"), os.path.join(SOURCE, "examples", "python")]
ulio = importlib.import_module("ulio")

CLIENT = "iqn.2026-01.example.test:python"
TPG = f"/iscsi/{IQN}/tpgt_1"


def config_of(d):
    return {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]}


@pytest.fixture(name="served")
def _served(serve):
    d = serve(config_of)
    with ulio.connect(d.control_path) as c:
        yield d, c


def test_tree(served):
    _, c = served
    assert c.version()["protocol"] == ulio.PROTOCOL and c.version()["version"] == ulio.__version__
    c.set(f"{TPG}/attrib/login_timeout", 17)
    c.set(f"{TPG}/enable", True)
    assert c.get(f"{TPG}/attrib/login_timeout") == "17" and c.get(f"{TPG}/enable") == "1"
    c.mkdir(f"{TPG}/acls/{CLIENT}")
    c.mkdir(f"{TPG}/acls/{CLIENT}/lun_0")
    c.link(f"{TPG}/acls/{CLIENT}/lun_0/l", f"{TPG}/lun/lun_0")
    assert c.ls(f"{TPG}/acls/{CLIENT}/lun_0")["links"] == {"l": f"{TPG}/lun/lun_0"}
    assert CLIENT in c.dump(f"{TPG}/acls", depth=0)["dirs"]
    c.unlink(f"{TPG}/acls/{CLIENT}/lun_0/l")
    c.rmdir(f"{TPG}/acls/{CLIENT}/lun_0")
    assert "set" in [m["name"] for m in c.methods()]


def test_errors(served):
    d, c = served
    with pytest.raises(ulio.UlioError, match="no such attribute") as e:
        c.get(f"{TPG}/nothing")
    assert e.value.errno == errno.ENOENT and e.value.path == f"{TPG}/nothing" and e.value.code == -32000
    with pytest.raises(ulio.UlioError) as e:
        c.call("no.such.method")
    assert e.value.code == -32601
    with pytest.raises(ValueError, match="too long"):
        c.call("set", path="/x", value="x" * (1 << 20))
    d.kill()
    with pytest.raises(OSError):
        c.version()
    with pytest.raises(OSError):
        ulio.connect(d.control_path)


def test_transaction(served):
    _, c = served
    with pytest.raises(ulio.UlioError) as e:
        with c.transaction() as t:
            t.set(f"{TPG}/attrib/login_timeout", 18)
            t.rmdir(f"{TPG}/acls/none")
    assert e.value.data["op"] == 1 and e.value.data["undone"] is True
    assert c.get(f"{TPG}/attrib/login_timeout") == "15"
    with pytest.raises(KeyError):
        with c.transaction() as t:
            t.set(f"{TPG}/attrib/login_timeout", 18)
            raise KeyError
    assert c.get(f"{TPG}/attrib/login_timeout") == "15"
    with c.transaction() as t:
        t.mkdir(f"{TPG}/acls/{CLIENT}")
        t.mkdir(f"{TPG}/acls/{CLIENT}/lun_0")
        t.link(f"{TPG}/acls/{CLIENT}/lun_0/l", f"{TPG}/lun/lun_0")
    with c.transaction() as t:
        t.unlink(f"{TPG}/acls/{CLIENT}/lun_0/l")
        t.rmdir(f"{TPG}/acls/{CLIENT}/lun_0")


def test_plan_and_apply(served):
    _, c = served
    want = c.config(secrets=True)
    assert not c.plan(**want)
    want["config"]["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] = 19
    plan = c.plan(**want)
    assert plan and [str(x) for x in plan.changes] == [f'set {TPG}/attrib/login_timeout: "15" -> "19"']
    assert c.apply(**want) == plan
    want["config"]["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] = -1
    with pytest.raises(ulio.UlioError) as e:
        c.apply(**want)
    assert e.value.data["problems"]


def test_events(served):
    """They wait while calls are made, and are not mixed up with answers."""
    d, c = served
    c.subscribe("login", "tree")
    assert c.next_event(0) is None
    c.set(f"{TPG}/attrib/login_timeout", 20)
    with d.session(name=CLIENT) as s:
        s.logout()
    assert c.get(f"{TPG}/attrib/login_timeout") == "20"
    first = c.next_event(10)
    assert (first.kind, first.path, first.state) == ("tree", f"{TPG}/attrib/login_timeout", "set")
    second = c.next_event(10)
    assert (second.kind, second.initiator, second.target) == ("login", CLIENT, IQN) and second.time > 1e9
    assert list(c.events(0)) == []


# ---- the examples

def test_example_share(served):
    d, c = served
    share = importlib.import_module("share").share
    args = (f"{d.dir}/s.img", 1 << 20, IQN + "-s", CLIENT, f"127.0.0.1:{d.port}")
    share(c, *args)
    assert c.get(f"/iscsi/{IQN}-s/tpgt_1/enable") == "1"
    before = c.config()
    with pytest.raises(ulio.UlioError):
        share(c, *args)
    assert c.config() == before


def test_example_desired(served):
    d, c = served
    desired = importlib.import_module("desired").desired
    want = c.config(secrets=True)["config"]
    want["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] = 21
    path, out = d.dir + "/want.json", io.StringIO()
    with open(path, "w", encoding="utf-8") as f:
        json.dump(want, f)
    assert desired(c, path, dry_run=True, out=out) and "login_timeout" in out.getvalue()
    assert c.get(f"{TPG}/attrib/login_timeout") == "15"
    assert desired(c, path, out=out) and not desired(c, path, out=out)
    assert d.read() == want


def test_example_watch(served):
    d, c = served
    out = io.StringIO()
    with ulio.connect(d.control_path) as other:
        other.subscribe("login")
        thread = threading.Thread(target=importlib.import_module("watch").watch, args=(c, 1.0, out))
        thread.start()
        while thread.is_alive() and "login" not in out.getvalue():
            with d.session(name=CLIENT) as s:
                s.logout()
            other.next_event(5)
        thread.join(30)
    assert f"login {CLIENT} {IQN} normal" in out.getvalue()


# ---- the schema

def test_schema_is_what_is_there(served):
    """The file in docs/, the method, and help tell the same."""
    _, c = served
    schema = c.call("schema")
    with open(os.path.join(SOURCE, "docs", "control.schema.json"), encoding="utf-8") as f:
        assert json.load(f) == schema
    assert schema["protocol"] == ulio.PROTOCOL
    for m in c.methods():
        params = schema["methods"][m["name"]]["params"]
        assert set(params["properties"]) == {p["name"] for p in m["params"]}
        assert params["required"] == [p["name"] for p in m["params"] if p["required"]]
        assert schema["methods"][m["name"]]["role"] == m["role"]
    assert len(schema["methods"]) == len(c.methods()) == len(schema["request"]["oneOf"])
    events = schema["event"]["properties"]
    assert set(events) == set(ulio.Event.__dataclass_fields__)

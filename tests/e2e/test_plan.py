# SPDX-License-Identifier: BSD-3-Clause
"""plan and apply of a whole configuration, and transactions: what is told is what is done, or nothing is."""

import copy
import json

import pytest

from lib.control import RpcError
from lib.saveconfig import IQN, disk, portal_group, target, target_of
from test_saveconfig import ulio

CLIENT = "iqn.2026-01.example.test:wire"


def config_of(d):
    return {
        "storage_objects": [disk("r0"), disk("r1"), disk("f0", "fileio", dev=f"{d.dir}/f0.img", write_back=True)],
        "targets": [target(d.port, [(0, "ramdisk/r0"), (1, "ramdisk/r1"), (2, "fileio/f0")],
                           acls=[{"node_wwn": CLIENT, "mapped_luns": [
                               {"index": 5, "tpg_lun": 1, "write_protect": False, "alias": "m5"}]}])]}


def first_tpg(config):
    return config["targets"][0]["tpgs"][0]


def find(list_, key, value):
    return next(e for e in list_ if e[key] == value)


def add_disk(c):
    c["storage_objects"].append(disk("new"))
    first_tpg(c)["luns"].append({"index": 9, "storage_object": "/backstores/ramdisk/new", "alias": "l9"})
    first_tpg(c)["node_acls"][0]["mapped_luns"].append({"index": 9, "tpg_lun": 9, "write_protect": True})


def remove_disk(c):
    c["storage_objects"].remove(find(c["storage_objects"], "name", "r1"))
    first_tpg(c)["luns"].remove(find(first_tpg(c)["luns"], "index", 1))
    first_tpg(c)["node_acls"][0]["mapped_luns"] = []


def move_lun(c):
    find(first_tpg(c)["luns"], "index", 1)["storage_object"] = "/backstores/fileio/f0"


def resize_ram(c):
    find(c["storage_objects"], "name", "r1")["size"] = 1 << 25


def set_values(c):
    first_tpg(c)["attributes"]["login_timeout"] = 17
    first_tpg(c)["parameters"]["MaxBurstLength"] = "65536"
    first_tpg(c)["chap_userid"] = "somebody"
    first_tpg(c)["chap_password"] = "correct horse battery"
    find(c["storage_objects"], "name", "r0")["attributes"]["emulate_tpu"] = 0


def second_target(c):
    c["targets"].append({"fabric": "iscsi", "wwn": IQN + "-2", "tpgs": [portal_group(1, 0, [(0, "ramdisk/r0")])]})
    c["targets"][-1]["tpgs"][0]["portals"] = []


def drop_acl(c):
    first_tpg(c)["node_acls"] = []


def nothing(_):
    pass


@pytest.mark.parametrize("change, told", [
    (nothing, []),
    (add_disk, ["create /backstores/ramdisk/new", f"create /iscsi/{IQN}/tpgt_1/lun/lun_9",
                f"create /iscsi/{IQN}/tpgt_1/acls/{CLIENT}/lun_9"]),
    (remove_disk, [f"remove /iscsi/{IQN}/tpgt_1/acls/{CLIENT}/lun_5", f"remove /iscsi/{IQN}/tpgt_1/lun/lun_1",
                   "remove /core/rd_mcp_1/r1"]),
    (move_lun, [f"remove /iscsi/{IQN}/tpgt_1/acls/{CLIENT}/lun_5", f"remove /iscsi/{IQN}/tpgt_1/lun/lun_1",
                f"create /iscsi/{IQN}/tpgt_1/lun/lun_1", f"create /iscsi/{IQN}/tpgt_1/acls/{CLIENT}/lun_5"]),
    (resize_ram, None),
    (set_values, ['set /core/rd_mcp_0/r0/attrib/emulate_tpu: "1" -> "0"',
                  f'set /iscsi/{IQN}/tpgt_1/attrib/login_timeout: "15" -> "17"',
                  f'set /iscsi/{IQN}/tpgt_1/param/MaxBurstLength: "1048576" -> "65536"',
                  f"set /iscsi/{IQN}/tpgt_1/auth/userid", f"set /iscsi/{IQN}/tpgt_1/auth/password"]),
    (second_target, [f"create /iscsi/{IQN}-2"]),
    (drop_acl, [f"remove /iscsi/{IQN}/tpgt_1/acls/{CLIENT}"]),
])
def test_plan_is_what_apply_does(serve, change, told):
    """plan changes nothing; apply does just that; then nothing is left to do, and a session has not noticed."""
    d = serve(config_of)
    with d.control() as c, d.session(name=CLIENT + "-other") as s:
        s.clear_ua(0)
        before = c.call("config.dump", secrets=True)["config"]
        want = copy.deepcopy(before)
        change(want)
        planned = c.call("plan", config=want)
        assert c.call("config.dump", secrets=True)["config"] == before
        assert not planned["problems"], planned
        if told is not None:
            assert [x["text"] for x in planned["changes"]] == told
        else:
            assert planned["changes"]
        done = c.call("apply", config=want)
        assert done["changes"] == planned["changes"]
        assert "horse" not in json.dumps(done)
        again = c.call("plan", config=want)
        assert again == {"changes": [], "problems": []}
        s.clear_ua(0)
        assert s.capacity(0)[0] > 0, "the session goes on"


def test_apply_of_a_file(serve):
    """A configuration that is too long for a request is read by the daemon; the command shows the changes."""
    d = serve(config_of)
    want = d.read()
    second_target(want)
    path = d.dir + "/want.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(want, f)
    out = ulio(d, "plan", path)
    assert out.returncode == 0 and out.stdout == f"create /iscsi/{IQN}-2\n", out
    out = ulio(d, "apply", path)
    assert out.returncode == 0 and out.stdout == f"create /iscsi/{IQN}-2\n", out
    out = ulio(d, "plan", path)
    assert out.returncode == 0 and "nothing to change" in out.stdout, out


def refused(c, want, text, changed_back=None):
    before = c.call("config.dump", secrets=True)
    with pytest.raises(RpcError, match=text) as e:
        c.call("apply", config=want)
    assert e.value.data["problems"]
    assert e.value.data.get("changed_back") is changed_back
    assert unordered(c.call("config.dump", secrets=True)) == unordered(before)
    return e.value


def test_a_bad_configuration_changes_nothing(serve):
    """Whatever is wrong with a configuration is told before anything is touched."""
    d = serve(config_of)
    with d.control() as c:
        good = c.call("config.dump", secrets=True)["config"]
        want = copy.deepcopy(good)
        first_tpg(want)["luns"][0]["storage_object"] = "/backstores/ramdisk/none"
        refused(c, want, "is not among storage_objects")
        want = copy.deepcopy(good)
        remove_disk(want)
        first_tpg(want)["attributes"]["login_timeout"] = 99999
        refused(c, want, "nothing has been changed")
        with pytest.raises(RpcError, match="one of"):
            c.call("apply")
        with pytest.raises(RpcError, match="absolute"):
            c.call("plan", file="x.json")


def test_what_fails_halfway_is_changed_back(serve):
    """A disk that cannot be opened, found out when half is done: the configuration from before is in force."""
    d = serve(config_of)
    with d.control() as c, d.session(name=CLIENT + "-other") as s:
        s.clear_ua(0)
        want = c.call("config.dump", secrets=True)["config"]
        remove_disk(want)
        want["storage_objects"].append(disk("gone", "fileio", dev="/nowhere/at/all.img", write_back=True))
        e = refused(c, want, "/nowhere/at/all.img.*changed back", changed_back=True)
        assert e.data["changing_back_problems"] == []
        s.clear_ua(0)
        assert s.capacity(0)[0] > 0
        assert c.call("apply", config=want, pending=True)["problems"][0]["level"] == "note"


# ---- transactions

def op(word, path, **more):
    return {"op": word, "path": path, **more}


def lun_ops(d, n):
    tpg = f"/iscsi/{IQN}/tpgt_1"
    return [op("mkdir", f"/core/rd_mcp_{n}"), op("mkdir", f"/core/rd_mcp_{n}/x"),
            op("set", f"/core/rd_mcp_{n}/x/control", value="rd_pages=16"),
            op("set", f"/core/rd_mcp_{n}/x/enable", value="1"),
            op("mkdir", f"{tpg}/lun/lun_{n}"), op("link", f"{tpg}/lun/lun_{n}/l", target=f"/core/rd_mcp_{n}/x"),
            op("set", f"{tpg}/attrib/login_timeout", value="20")]


def test_transaction_all_or_nothing(serve):
    """All operations are carried out; or, when one fails at any place, none."""
    d = serve(config_of)
    tpg = f"/iscsi/{IQN}/tpgt_1"
    with d.control() as c:
        before = c.call("config.dump", secrets=True)
        good = lun_ops(d, 70)
        for n in range(len(good) + 1):
            with pytest.raises(RpcError, match="no such attribute") as e:
                c.call("transaction", ops=good[:n] + [op("set", tpg + "/nothing", value="1")])
            assert e.value.data["op"] == n and e.value.data["undone"] is True
            assert c.call("config.dump", secrets=True) == before
        assert c.call("transaction", ops=good) == {"done": len(good)}
        assert c.call("get", path=f"{tpg}/attrib/login_timeout") == "20"


def test_transaction_undoes_removals(serve):
    """What was removed comes back as it was, from the LUN's mapping to the storage object."""
    d = serve(config_of)
    tpg = f"/iscsi/{IQN}/tpgt_1"
    with d.control() as c:
        c.call("set", path="/core/rd_mcp_1/r1/attrib/emulate_tpu", value="1")
        before = c.call("config.dump", secrets=True)
        ops = [op("unlink", f"{tpg}/acls/{CLIENT}/lun_5/m5"), op("rmdir", f"{tpg}/acls/{CLIENT}/lun_5"),
               op("unlink", f"{tpg}/lun/lun_1/link1"), op("rmdir", f"{tpg}/lun/lun_1"),
               op("rmdir", "/core/rd_mcp_1/r1"), op("rmdir", "/core/rd_mcp_1"),
               op("rmdir", f"{tpg}/acls/{CLIENT}"), op("rmdir", f"{tpg}/np/127.0.0.1:{d.port}")]
        for n in range(1, len(ops) + 1):
            with pytest.raises(RpcError) as e:
                c.call("transaction", ops=ops[:n] + [op("rmdir", "/core")])
            assert e.value.data["undone"] is True, e.value
            after = c.call("config.dump", secrets=True)
            assert sorted(map(str, after["config"]["storage_objects"])) == \
                sorted(map(str, before["config"]["storage_objects"]))
            assert unordered(after) == unordered(before)
        with d.session() as s:
            s.clear_ua(0)
        c.call("transaction", ops=ops)


def unordered(x):
    """Lists as sets: what comes back is the last of its kind."""
    if isinstance(x, dict):
        return {k: unordered(v) for k, v in x.items()}
    if isinstance(x, list):
        return sorted((unordered(v) for v in x), key=str)
    return x


@pytest.mark.parametrize("bad, text", [
    ({"op": "move", "path": "/core"}, "mkdir, rmdir, set, link or unlink"),
    ({"op": "mkdir"}, "\"path\" is missing"),
    ({"op": "set", "path": "/dbroot"}, "\"value\" is missing"),
    ({"op": "link", "path": "/core/x", "target": "/none"}, "no directory /none"),
    ({"op": "set", "path": "/core/rd_mcp_0/r0/control", "value": "x=1"}, "could not be undone"),
    (7, "mkdir, rmdir"),
])
def test_transaction_refusals(serve, bad, text):
    d = serve(config_of)
    with d.control() as c:
        with pytest.raises(RpcError, match=text):
            c.call("transaction", ops=[bad])

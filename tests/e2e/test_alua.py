# SPDX-License-Identifier: BSD-3-Clause
"""Asymmetric access for admins: ulio alua, and target port groups, LU groups and secondary states that are the
same after a save and a restart, after a reload, and after a kill where they are kept (alua_write_metadata)."""

import json
import subprocess

from lib.daemon import ULIOD, sanitizer_env
from lib.saveconfig import IQN, disk, portal_group, target_of
from lib.ports import give_port, take_port

CORE = "/core"


def rows(d, *args):
    return json.loads(d.ulio("--json", "alua", "list", *args))


def row(d, group, of="r0"):
    found = [r for r in rows(d, of) if r["group"] == group]
    return found[0] if found else None


def path_of(d, name):
    with d.control() as c:
        hbas = c.call("dump", path=CORE, depth=1)["dirs"]
    return next(f"{CORE}/{hba}/{name}" for hba, sub in hbas.items() if name in sub.get("dirs", ()))


def put(d, path, value):
    with d.control() as c:
        c.call("set", path=path, value=value)


def get(d, path):
    with d.control() as c:
        got = c.call("get", path=path)
    return (got["value"] if isinstance(got, dict) else got).rstrip("\n")


def config(d, second):
    return {"storage_objects": [disk("r0"), disk("r1")], "fabric_modules": [],
            "targets": [target_of(portal_group(1, d.port, [(0, "ramdisk/r0"), (1, "ramdisk/r1")]),
                                  portal_group(2, second, [(0, "ramdisk/r0")]))]}


def test_command(serve):
    """Groups are made, filled, changed and removed by name."""
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        d.ulio("alua", "create", "r0", "far", "--id", "7")
        d.ulio("alua", "move", "0", "far", "--tpg", "2")
        assert "far" in d.ulio("alua", "set", "r0", "far", "standby")
        far = row(d, "far")
        assert far["id"] == 7 and far["state"] == "standby" and far["status"] == "Altered by Implicit ALUA"
        assert far["members"] == [f"iSCSI/{IQN}/tpgt_2/lun_0"] and far["access"] == "Implicit and Explicit"
        assert row(d, "default_tg_pt_gp")["members"] == [f"iSCSI/{IQN}/tpgt_1/lun_0"]
        assert {r["disk"] for r in rows(d)} == {"r0", "r1"}
        assert "STATE" in d.ulio("alua", "list")
        assert "no state" in d.ulio("alua", "set", "r0", "far", "asleep", fails=True)
        assert "no group" in d.ulio("alua", "set", "r0", "near", "standby", fails=True)
        assert "far" in d.ulio("alua", "create", "r0", "far", fails=True)
        assert "no LUN" in d.ulio("alua", "move", "5", "far", "--tpg", "2", fails=True)
        assert "no group" in d.ulio("alua", "move", "1", "far", "--tpg", "1", fails=True)
        # an id that is taken leaves nothing behind
        d.ulio("alua", "create", "r0", "other", "--id", "7", fails=True)
        assert row(d, "other") is None
        d.ulio("alua", "remove", "r0", "far")
        assert row(d, "far") is None
        assert len(row(d, "default_tg_pt_gp")["members"]) == 2
        # a disk goes with its groups
        d.ulio("alua", "create", "r1", "g")
        d.ulio("lun", "remove", "1", "--tpg", "1")
        d.ulio("disk", "remove", "r1")
    finally:
        give_port(second)


def arrange(d):
    """What a restart has to bring back."""
    r0, r1 = path_of(d, "r0"), path_of(d, "r1")
    d.ulio("alua", "create", "r0", "far", "--id", "7")
    d.ulio("alua", "move", "0", "far", "--tpg", "2")
    d.ulio("alua", "set", "r0", "far", "nonoptimized")
    for attr, value in (("preferred", "1"), ("nonop_delay_msecs", "3"), ("alua_support_lba_dependent", "1"),
                        ("alua_access_type", "1"), ("implicit_trans_secs", "9")):
        put(d, f"{r0}/alua/far/{attr}", value)
    put(d, f"{r0}/alua/default_tg_pt_gp/trans_delay_msecs", "4")
    put(d, f"{r0}/lba_map", "64 2\n0 1023 0:O 7:U\n64 1023 0:U 7:A")
    with d.control() as c:
        c.call("mkdir", path=f"{CORE}/alua/lu_gps/pair")
    put(d, f"{CORE}/alua/lu_gps/pair/lu_gp_id", "5")
    put(d, f"{r0}/alua_lu_gp", "pair")
    put(d, f"{r1}/alua_lu_gp", "pair")
    put(d, f"/iscsi/{IQN}/tpgt_1/lun/lun_1/alua_tg_pt_offline", "1")


def picture(d):
    r0, r1 = path_of(d, "r0"), path_of(d, "r1")
    with d.control() as c:
        seen = {p: c.call("dump", path=p, depth=9) for p in (f"{r0}/alua", f"{r1}/alua", f"{CORE}/alua")}
    for p in (f"{r0}/lba_map", f"{r0}/alua_lu_gp", f"/iscsi/{IQN}/tpgt_1/lun/lun_1/alua_tg_pt_offline",
              f"/iscsi/{IQN}/tpgt_2/lun/lun_0/alua_tg_pt_gp", f"/iscsi/{IQN}/tpgt_1/rtpi", f"/iscsi/{IQN}/tpgt_2/rtpi"):
        seen[p] = get(d, p)
    return seen


def test_saved(serve):
    """Save, restart, compare; then a reload changes nothing, but what the file has not goes."""
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        arrange(d)
        want = picture(d)
        with d.control() as c:
            c.call("save")
        groups = d.read()["storage_objects"][0]["alua_tpgs"]
        assert [g["name"] for g in groups] == ["default_tg_pt_gp", "far"]
        assert groups[1]["alua_access_state"] == 1 and groups[1]["alua_access_type"] == 1
        luns = d.read()["targets"][0]["tpgs"][1]["luns"]
        assert luns[0]["alua_tg_pt_gp_name"] == "far"
        d.stop()
        d.start()
        assert picture(d) == want
        # who changed a state meanwhile is not overruled by a reload
        put(d, f"{path_of(d, 'r0')}/alua/far/alua_access_type", "3")
        d.ulio("alua", "set", "r0", "far", "standby")
        d.ulio("alua", "create", "r0", "unsaved")
        with d.control() as c:
            c.call("reload")
        assert row(d, "far")["state"] == "standby" and row(d, "far")["access"] == "Implicit"
        assert row(d, "unsaved") is None
    finally:
        give_port(second)


def test_check(serve):
    """--check knows what a daemon could keep, and what it could not."""
    group = {"name": "far", "tg_pt_gp_id": 7, "alua_access_state": 2, "alua_access_status": 2,
             "alua_access_type": 2, "alua_write_metadata": 1, "preferred": 1}
    d = serve(lambda d: {"storage_objects": [disk("r0", alua_tpgs=[group])], "targets": [], "fabric_modules": []})

    def check(*args):
        return subprocess.run([ULIOD, "--config", d.config_path, "--check", *args], capture_output=True, text=True,
                              timeout=60, env=sanitizer_env(d.dir), check=False)

    r = check()
    assert r.returncode == 0 and "good" in r.stdout, r.stdout + r.stderr
    r = check("--dbroot", "none")
    assert r.returncode == 1 and "/storage_objects/0/alua_tpgs/0/alua_write_metadata" in r.stdout
    far = row(d, "far")
    assert far["state"] == "standby" and far["access"] == "Explicit" and far["preferred"]


def test_kept(serve):
    """A state that is kept is there after a kill, whatever the file of the configuration says."""
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        d.ulio("alua", "create", "r0", "far", "--id", "7")
        d.ulio("alua", "move", "0", "far", "--tpg", "2")
        put(d, f"{path_of(d, 'r0')}/alua/far/alua_write_metadata", "1")
        put(d, f"/iscsi/{IQN}/tpgt_2/lun/lun_0/alua_tg_pt_write_md", "1")
        with d.control() as c:
            c.call("save")
        d.ulio("alua", "set", "r0", "far", "unavailable")
        put(d, f"/iscsi/{IQN}/tpgt_2/lun/lun_0/alua_tg_pt_offline", "1")
        d.kill()
        d.start()
        assert row(d, "far")["state"] == "unavailable"
        assert get(d, f"/iscsi/{IQN}/tpgt_2/lun/lun_0/alua_tg_pt_offline") == "1"
    finally:
        give_port(second)

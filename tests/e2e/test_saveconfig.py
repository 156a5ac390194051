# SPDX-License-Identifier: BSD-3-Clause
"""LIO's saveconfig.json: loaded, served, saved, reloaded, checked, and recovered when it is damaged."""

import json
import os
import signal
import subprocess
import time

import pytest

from lib import scsi
from lib.daemon import ULIO, ULIOD, sanitizer_env
from lib.initiator import Chap
from lib.saveconfig import IQN, disk, target
from lib.wait import SCALE

CLIENT = "iqn.2026-01.example.test:wire"


def until(c, condition, seconds):
    """Ask the daemon until condition(c) holds."""
    deadline = time.monotonic() + seconds * SCALE
    while not condition(c):
        assert time.monotonic() < deadline, "it did not come about"


def ulio(d, *args):
    return subprocess.run([ULIO, "--control", d.control_path, *args], capture_output=True, text=True, timeout=30,
                          env=sanitizer_env(d.dir), check=False)


def capacity(d, lun):
    with d.session() as s:
        s.clear_ua(lun)
        blocks, size = s.capacity(lun)
        s.logout()
    return blocks * size


def test_serves_and_saves_the_same(serve):
    """What is saved is what was loaded, and loads again."""
    d = serve(lambda d: {
        "storage_objects": [disk("r0"), disk("f0", "fileio", dev=f"{d.dir}/f0.img", write_back=True, aio=False),
                            disk("u0", "user", config="delay/ms=0,op=read|null/block=4096")],
        "targets": [target(d.port, [(0, "ramdisk/r0"), (3, "fileio/f0"), (4, "user/u0")])],
        "fabric_modules": []})
    assert capacity(d, 0) == capacity(d, 3) == capacity(d, 4) == 1 << 24
    with d.control() as c:
        c.call("save")
    first = d.read()
    assert [so["name"] for so in first["storage_objects"]] == ["r0", "f0", "u0"]
    assert first["storage_objects"][2]["config"] == "delay/ms=0,op=read|null/block=4096"
    assert first["storage_objects"][1]["write_back"] is True
    tpg = first["targets"][0]["tpgs"][0]
    assert [(x["index"], x["storage_object"], x["alias"]) for x in tpg["luns"]] == \
        [(0, "/backstores/ramdisk/r0", "link0"), (3, "/backstores/fileio/f0", "link3"),
         (4, "/backstores/user/u0", "link4")]
    assert tpg["attributes"]["generate_node_acls"] == 1 and tpg["parameters"]["ErrorRecoveryLevel"] == "0"
    assert os.stat(d.config_path).st_mode & 0o777 == 0o600
    d.stop()
    d.start()
    with d.control() as c:
        c.call("save")
    assert d.read() == first


def test_reload_leaves_sessions_alone(serve):
    """A session goes on while LUNs come and go by a reload."""
    d = serve(lambda d: {"storage_objects": [disk("r0"), disk("r1")],
                         "targets": [target(d.port, [(0, "ramdisk/r0"), (1, "ramdisk/r1")])]})
    with d.session() as s:
        s.clear_ua(0)
        d.write({"storage_objects": [disk("r0"), disk("r2")],
                 "targets": [target(d.port, [(0, "ramdisk/r0"), (2, "ramdisk/r2")])]})
        done = ulio(d, "reload")
        assert done.returncode == 3 and "1 session may be using what this changes: remove /" in done.stderr, done
        done = ulio(d, "reload", "--yes")
        assert done.returncode == 0, done.stderr
        s.clear_ua(0)
        assert s.capacity(0)[0] > 0
        s.clear_ua(2)
        assert s.capacity(2)[0] > 0
        s.logout()
    with d.control() as c:
        assert [x["lun"] for x in c.call("lun.list")] == [0, 2]
        assert [x["name"] for x in c.call("disk.list")] == ["r0", "r2"]


def test_hangup_reloads(serve):
    d = serve(lambda d: {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    d.write({"storage_objects": [disk("r0"), disk("r1")],
             "targets": [target(d.port, [(0, "ramdisk/r0"), (1, "ramdisk/r1")])]})
    d.signal(signal.SIGHUP)
    with d.control() as c:
        until(c, lambda c: len(c.call("lun.list")) == 2, 10)
    assert capacity(d, 1) == 1 << 24


def test_damaged_file_falls_back(serve):
    """An emptied file: the last saved configuration is served, loudly."""
    d = serve(lambda d: {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    assert ulio(d, "save").returncode == 0
    d.stop()
    d.write("")
    d.start()
    assert capacity(d, 0) == 1 << 24
    assert "cannot be used" in d.log() and "generation 1" in d.log()
    with d.control() as c:
        assert c.call("config.status")["source"].startswith("generation 1 ")


def test_pending_disk_comes_alive(serve):
    """A disk that is missing at start: NOT READY, then there without a new login."""
    d = serve(lambda d: {"storage_objects": [disk("f0", "fileio", dev=f"{d.dir}/later/f0.img", write_back=True)],
                         "targets": [target(d.port, [(0, "fileio/f0")])]})
    with d.session() as s:
        s.clear_ua(0)
        s.scsi(scsi.test_unit_ready(), lun=0).check(scsi.NOT_READY)
        os.mkdir(f"{d.dir}/later")
        with d.control() as c:
            until(c, lambda c: c.call("disk.list")[0]["state"] == "ready", 20)
        s.clear_ua(0)
        assert s.capacity(0)[0] * s.capacity(0)[1] == 1 << 24
        s.logout()


def test_what_was_left_out_is_not_lost_by_a_save(serve):
    d = serve(lambda d: {"storage_objects": [disk("r0", attributes={"warp": 9})],
                         "targets": [target(d.port, [(0, "ramdisk/r0")])]})
    before = d.read()
    done = ulio(d, "save")
    assert done.returncode == 1 and "force" in done.stderr
    assert d.read() == before
    assert ulio(d, "save", "--force").returncode == 0


def test_secrets_are_saved_and_never_told(serve):
    acl = {"node_wwn": CLIENT, "attributes": {"authentication": 1}, "chap_userid": "u",
           "chap_password": "a-long-secret-1", "mapped_luns": [{"index": 0, "tpg_lun": 0, "write_protect": False}]}
    d = serve(lambda d: {"storage_objects": [disk("r0")],
                         "targets": [target(d.port, [(0, "ramdisk/r0")], [acl], generate_node_acls=0)]})
    path = f"/iscsi/{IQN}/tpgt_1/acls/{CLIENT}/auth/password"
    for args in (["get", path], ["ls", os.path.dirname(path)], ["dump"], ["--json", "dump"]):
        done = ulio(d, *args)
        assert "a-long-secret-1" not in done.stdout + done.stderr
    assert "a-long-secret-1" not in d.log()
    assert ulio(d, "save").returncode == 0
    assert d.read()["targets"][0]["tpgs"][0]["node_acls"][0]["chap_password"] == "a-long-secret-1"


CHECKS = [
    ("{\"storage_objects\": [\n}", ["line 2 column 1"]),
    ({"storage_objects": [disk("r0", attributes={"block_size": 513})]},
     ["/storage_objects/0/attributes/block_size", "513", "512, 1024, 2048, 4096"]),
    ({"storage_objects": [{"name": "r0", "plugin": "ramdisk"}]}, ["/storage_objects/0/size", "is missing"]),
    ({"targets": [target(3260, [(0, "ramdisk/none")])]},
     ["/targets/0/tpgs/0/luns/0/storage_object", "/backstores/ramdisk/none"]),
    ({"targets": [target(3260, [], login_timeout=99)]},
     ["/targets/0/tpgs/0/attributes/login_timeout", "99", "30"]),
    ({"targets": [{"fabric": "iscsi", "wwn": "no name", "tpgs": []}]}, ["/targets/0", "no name"]),
]


@pytest.mark.parametrize("config, words", CHECKS, ids=[w[0] for _, w in CHECKS])
def test_check(tmp_path, config, words):
    """--check names the place, the value and the cure, and ends with 1."""
    path = tmp_path / "c.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    done = subprocess.run([ULIOD, "--check", "--config", str(path)], capture_output=True, text=True, timeout=30,
                          env=sanitizer_env(str(tmp_path)), check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout + done.stderr
    assert not list(tmp_path.glob("san.*"))


def test_check_of_a_good_file(tmp_path):
    """It touches nothing: no file is made, no port is listened on."""
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"storage_objects": [disk("f0", "fileio", dev=str(tmp_path / "f0.img"))],
                                "targets": [target(3260, [(0, "fileio/f0")])]}))
    done = subprocess.run([ULIOD, "--check", "--config", str(path)], capture_output=True, text=True, timeout=30,
                          env=sanitizer_env(str(tmp_path)), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(os.listdir(tmp_path)) == ["c.json"]


def test_accounts_are_kept(serve):
    """What LIO's schema has no place for: further accounts, second secrets, files of secrets, algorithms.
    They come back with a restart, and a reload takes away what was not saved."""
    d = serve(lambda d: {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])],
                         "fabric_modules": []})
    auth = f"/iscsi/{IQN}/tpgt_1/auth"
    path = f"{d.dir}/a secret"
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write("kept-in-a-file-1\n")
    values = {f"{auth}/userid": "u", f"{auth}/password_file": path, f"{auth}/password_next": "the-next-secret",
              f"{auth}/algorithms": "SHA256,SHA1", "/iscsi/chap_algorithms": "SHA3-256",
              f"{auth}/users/alice/password": "alice-secret-012", "/iscsi/discovery_auth/algorithms": "SHA1"}
    with d.control() as c:
        c.call("mkdir", path=f"{auth}/users/alice")
        for name, value in values.items():
            c.call("set", path=name, value=value)
        c.call("set", path=f"/iscsi/{IQN}/tpgt_1/attrib/authentication", value="1")
        c.call("save")
        text = json.dumps(d.read())
        assert "kept-in-a-file" not in text
        c.call("mkdir", path=f"{auth}/users/bob")
        c.call("set", path=f"{auth}/algorithms", value="")
        c.call("reload")
        assert c.call("get", path=f"{auth}/algorithms") == "SHA256,SHA1"
        assert c.call("ls", path=f"{auth}/users")["dirs"] == ["alice"]
    d.stop()
    with open(path, "w", encoding="ascii") as f:
        f.write("kept-in-a-file-2\n")
    d.start()
    with d.control() as c:
        assert c.call("get", path=f"{auth}/algorithms") == "SHA256,SHA1"
        assert c.call("get", path="/iscsi/chap_algorithms") == "SHA3-256"
        assert c.call("get", path="/iscsi/discovery_auth/algorithms") == "SHA1"
        assert c.call("get", path=f"{auth}/password_file") == path
    for user, secret in (("u", "kept-in-a-file-2"), ("u", "the-next-secret"), ("alice", "alice-secret-012")):
        with d.session(chap=Chap(user, secret, algorithms=(7,))) as s:
            s.logout()
    for name in os.listdir(f"{d.config_path}.ulio"):
        assert os.stat(f"{d.config_path}.ulio/{name}").st_mode & 0o777 == 0o600

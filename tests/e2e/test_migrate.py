# SPDX-License-Identifier: BSD-3-Clause
"""A kernel's LIO is taken over from its configfs: here a copy of one, made of the tree of another daemon."""

import json
import os

import pytest

from lib.control import RpcError
from lib.saveconfig import IQN, disk, target
from test_saveconfig import ulio

CLIENT = "iqn.2026-01.example.test:wire"
SECRET = "a secret of LIO's own"


def config_of(d):
    acl = {"node_wwn": CLIENT, "chap_userid": "lio", "chap_password": SECRET,
           "mapped_luns": [{"index": 7, "tpg_lun": 1, "write_protect": True, "alias": "m7"}]}
    return {"storage_objects": [disk("r0"), disk("pr"), disk("f0", "fileio", dev=f"{d.dir}/f0.img", write_back=True)],
            "targets": [target(d.port, [(0, "ramdisk/r0"), (1, "ramdisk/pr"), (12, "fileio/f0")], [acl])]}


def copy_tree(c, path, to):
    """What configfs would show, with the modes of its files."""
    os.makedirs(to, exist_ok=True)
    ls = c.call("ls", path=path)
    for a in ls["attrs"]:
        with open(os.path.join(to, a["name"]), "w", encoding="utf-8") as f:
            f.write(SECRET if a["secret"] and a["name"] == "password" and CLIENT in path else
                    "lio" if a["secret"] and a["name"] == "userid" and CLIENT in path else
                    "NULL\n" if a["secret"] else (a["value"] or "") + "\n")
        os.chmod(f.name, {"ro": 0o444, "rw": 0o644, "wo": 0o200}[a["access"]])
    for name in ls["dirs"]:
        if not (path == "/" and name == "isns"):
            copy_tree(c, path.rstrip("/") + "/" + name, os.path.join(to, name))


def copy_links(c, path, to, root):
    ls = c.call("ls", path=path)
    for name, target_path in ls["links"].items():
        os.symlink(os.path.relpath(root + target_path, to), os.path.join(to, name))
    for name in ls["dirs"]:
        if not (path == "/" and name == "isns"):
            copy_links(c, path.rstrip("/") + "/" + name, os.path.join(to, name), root)


@pytest.fixture(name="lio")
def _lio(serve):
    """A configfs, the configuration that it shows, and a daemon that has none."""
    d = serve(config_of)
    root = os.path.join(d.dir, "target")
    with d.control() as c:
        copy_tree(c, "/", root)
        copy_links(c, "/", root, root)
        os.makedirs(root + "/loopback/naa.1/tpgt_1")
        want = c.call("config.dump", secrets=True)["config"]
    d.stop()
    with open(d.config_path, "w", encoding="utf-8") as f:
        f.write("{}")
    return d.start(), root, want


def by_name(config):
    """configfs tells no order in which storage objects were made."""
    config["storage_objects"].sort(key=lambda so: so["name"])
    return config


def test_is_read_as_it_is(lio):
    """What is printed is what LIO would have saved, secrets and all; nothing is changed anywhere."""
    d, root, want = lio
    out = ulio(d, "migrate-from-lio", root)
    assert out.returncode == 0, out.stderr
    got = json.loads(out.stdout)
    assert by_name(got) == by_name(want)
    assert SECRET in out.stdout
    with d.control() as c:
        assert c.call("target.list") == [] and c.call("disk.list") == []


def test_is_taken_over(lio):
    d, root, want = lio
    out = ulio(d, "migrate-from-lio", root, "--apply")
    assert out.returncode == 0, out.stdout + out.stderr
    with d.control() as c:
        assert by_name(c.call("config.dump", secrets=True)["config"]) == by_name(want)
    with d.session(name=CLIENT + "-other") as s:
        s.clear_ua(12)
        s.logout()


def test_what_is_no_lio_is_refused(lio):
    d, root, _ = lio
    with d.control() as c:
        for path, text in [(root + "/core", "no \"core\""), ("/nowhere", "No such file"), ("relative", "absolute"),
                           (root + "/core/alua", "no \"core\"")]:
            with pytest.raises(RpcError, match=text):
                c.call("migrate", root=path, apply=True)
        assert c.call("disk.list") == []

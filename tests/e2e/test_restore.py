# SPDX-License-Identifier: BSD-3-Clause
"""save and restore of other files than the daemon's own, and files that nobody should trust."""

import os

import pytest

from lib.control import RpcError
from lib.saveconfig import IQN, disk, target


def config_of(d):
    return {"storage_objects": [disk("r0")], "targets": [target(d.port, [(0, "ramdisk/r0")])]}


def test_save_and_restore_elsewhere(serve):
    """Another file is written and read; names that are taken are refused, or replaced when it is said."""
    d = serve(config_of)
    path = os.path.join(d.dir, "other.json")
    with d.control() as c:
        assert c.call("save", file=path)["file"] == path
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert c.call("config.status")["generation"] == 0
        with pytest.raises(RpcError, match="there already"):
            c.call("restore", file=path)
        c.call("set", path=f"/iscsi/{IQN}/tpgt_1/attrib/login_timeout", value="12")
        assert c.call("restore", file=path, clear_existing=True) == {"problems": []}
        assert c.call("get", path=f"/iscsi/{IQN}/tpgt_1/attrib/login_timeout") == "15"
        c.call("target.remove", target=IQN)
        assert c.call("restore", file=path, target=IQN) == {"problems": []}
        with d.session() as s:
            s.clear_ua(0)
            s.logout()
        with pytest.raises(RpcError, match="is not in that configuration"):
            c.call("restore", file=path, target=IQN + "-none")
        with pytest.raises(RpcError, match="absolute"):
            c.call("restore", file="other.json")
        with pytest.raises(RpcError, match="absolute"):
            c.call("save", file="other.json")


@pytest.mark.parametrize("text", [
    pytest.param("", id="empty"), pytest.param("{", id="truncated"), pytest.param("[]", id="list"),
    pytest.param('{"storage_objects": 7}', id="number"), pytest.param("[" * 100000, id="deep"),
    pytest.param('{"storage_objects":[' + "{}," * 100000 + "{}]}", id="many"),
    pytest.param("\x00\xff", id="binary"), pytest.param("null", id="null")])
def test_hostile_files_change_nothing(serve, text):
    """Truncated, foreign, nested, repeated: refused by restore, apply and reload, with what runs untouched."""
    d = serve(config_of)
    path = os.path.join(d.dir, "bad.json")
    with open(path, "w", encoding="latin-1") as f:
        f.write(text)
    with d.control() as c:
        before = c.call("config.dump", secrets=True)
        for method, params in [("restore", {"file": path, "clear_existing": True}), ("apply", {"file": path}),
                               ("plan", {"file": path})]:
            with pytest.raises(RpcError, match="nothing has been changed"):
                c.call(method, **params)
        with open(d.config_path, "w", encoding="latin-1") as f:
            f.write(text)
        with pytest.raises(RpcError):
            c.call("reload")
        assert c.call("config.dump", secrets=True) == before


def test_nothing_is_saved_that_could_not_be_loaded(serve):
    """Two storage objects of one name, which the tree may have and LIO's format cannot tell apart."""
    d = serve(config_of)
    with d.control() as c:
        c.call("save")
        before = d.read()
        for hba in (50, 51):
            c.call("transaction", ops=[
                {"op": "mkdir", "path": f"/core/rd_mcp_{hba}"}, {"op": "mkdir", "path": f"/core/rd_mcp_{hba}/x"},
                {"op": "set", "path": f"/core/rd_mcp_{hba}/x/control", "value": "rd_pages=1"},
                {"op": "set", "path": f"/core/rd_mcp_{hba}/x/enable", "value": "1"}])
        with pytest.raises(RpcError, match="/backstores/ramdisk/x is there twice"):
            c.call("save")
        with pytest.raises(RpcError, match="is there twice"):
            c.call("save", file=d.dir + "/other.json")
        assert d.read() == before

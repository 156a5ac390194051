# SPDX-License-Identifier: BSD-3-Clause
"""Events on the control socket, and the two roles of its clients."""

import json
import os
import subprocess
import time

import pytest

from lib.control import Control, RpcError
from lib.initiator import Session
from lib.login import LoginFailed
from lib.saveconfig import IQN, disk, target
from lib.wait import SCALE

CLIENT = "iqn.2026-01.example.test:events"


class Listener(Control):
    """A client that waits for events."""

    def until(self, kind, **fields):
        deadline = time.monotonic() + 10 * SCALE
        while time.monotonic() < deadline:
            line = self.recv_line()
            assert line["method"] == "event" and "id" not in line
            params = line["params"]
            if params["kind"] == kind and all(params.get(k) == v for k, v in fields.items()):
                assert abs(params["time"] - time.time()) < 60
                return params
        raise AssertionError(f"no event {kind} {fields}")


def config_of(d):
    return {"storage_objects": [disk("r0"), disk("late", "fileio", dev=f"{d.dir}/late.img", size=1 << 20)],
            "targets": [target(d.port, [(0, "ramdisk/r0"), (1, "fileio/late")])]}


@pytest.fixture(name="listener")
def _listener(serve):
    d = serve(config_of)
    with Listener(d.control_path) as c:
        yield d, c


def test_sessions(listener):
    """Who came, who was refused and why, who went and how."""
    d, c = listener
    c.call("subscribe", kinds=["login", "login_refused", "logout"])
    s = d.session(name=CLIENT)
    told = c.until("login", initiator=CLIENT, target=IQN, state="normal")
    assert told["peer"].startswith("127.0.0.1:")
    s.logout()
    s.close()
    c.until("logout", initiator=CLIENT, target=IQN, state="logged out")
    s = d.session(name=CLIENT)
    c.until("login", initiator=CLIENT)
    s.close()
    assert c.until("logout", initiator=CLIENT, state="lost")["text"]
    with pytest.raises(LoginFailed):
        Session.open(d.address, IQN + "-no", name=CLIENT)
    assert c.until("login_refused", initiator=CLIENT, target=IQN + "-no")["text"]


def test_units_paths_tree_errors(listener):
    """A LUN that changes, an access state, the tree; and only what was asked for."""
    d, c = listener
    with d.control() as admin:
        c.call("subscribe", kinds=["lun", "alua", "tree"])
        admin.call("set", path="/core/rd_mcp_0/r0/alua/default_tg_pt_gp/alua_access_state", value="1")
        c.until("alua", object="r0", state="Active/NonOptimized", text="default_tg_pt_gp")
        c.until("tree", path="/core/rd_mcp_0/r0/alua/default_tg_pt_gp/alua_access_state", state="set")
        admin.call("set", path=f"/iscsi/{IQN}/tpgt_1/auth/password", value="not for the eyes of others")
        told = c.until("tree", path=f"/iscsi/{IQN}/tpgt_1/auth/password")
        assert "eyes" not in json.dumps(told)
        admin.call("disk.resize", name="late", size=str(1 << 21))
        c.until("lun", object="late", state="resized")
        c.call("subscribe", kinds=["login"])
        admin.call("mkdir", path="/core/rd_mcp_9")
        with d.session(name=CLIENT) as s:
            s.logout()
        assert c.until("login")["initiator"] == CLIENT


def test_a_client_that_does_not_read(listener):
    """It stops nobody, and is told how much it has missed."""
    d, c = listener
    c.call("subscribe", kinds=["tree"])
    with d.control() as admin:
        ops = [{"op": "set", "path": "/core/rd_mcp_0/r0/attrib/emulate_tpu", "value": str(i % 2)} for i in range(4000)]
        for _ in range(3):
            admin.call("transaction", ops=ops)
    n = lost = 0
    while n + lost < 12000:
        params = c.recv_line()["params"]
        if params["kind"] == "lost":
            lost += params["count"]
        else:
            n += 1
    assert lost > 0 and n + lost == 12000


# ---- roles

@pytest.fixture(name="two_sockets")
def _two_sockets(new_daemon):
    return new_daemon(args=("--control-ro", "{dir}/ro.sock"))


def test_read_only_socket(two_sockets):
    """Nothing that changes, nothing secret, nothing that reads files; all else."""
    d = two_sockets
    path = os.path.join(d.dir, "ro.sock")
    assert os.stat(path).st_mode & 0o777 == 0o666
    with Control(path) as c, d.control() as admin:
        assert c.call("version")["role"] == "read-only" and admin.call("version")["role"] == "admin"
        methods = c.call("help")
        assert {m["name"] for m in methods if m["role"] == "admin"} >= {
            "set", "mkdir", "rmdir", "link", "unlink", "transaction", "apply", "plan", "save", "reload", "shutdown"}
        for m in methods:
            if m["role"] == "admin":
                with pytest.raises(RpcError, match="read-only role") as e:
                    c.call(m["name"])
                assert e.value.data["errno"] == "EACCES"
        assert c.call("status")["version"] and c.call("ls", path="/")["dirs"]
        with pytest.raises(RpcError, match="read-only role"):
            c.call("config.dump", secrets=True)
        admin.call("set", path=f"/iscsi/{d.iqn}/tpgt_1/auth/password", value="well hidden secret")
        told = json.dumps([c.call("dump"), c.call("config.dump"), c.call("dump", stats=True)])
        assert "well hidden" not in told
    assert not os.path.exists(path) or d.proc.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_others_on_the_own_socket(two_sockets):
    """Somebody whom a group lets open the daemon's own socket reads, too, and changes nothing."""
    d = two_sockets
    os.chmod(d.control_path, 0o666)
    os.chmod(d.dir, 0o755)
    script = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
              "s.sendall(sys.argv[2].encode() + b'\\n')\nprint(s.makefile().readline())")
    request = {"jsonrpc": "2.0", "id": 1, "method": "mkdir", "params": {"path": "/core/rd_mcp_9"}}
    out = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", script,
                          d.control_path, json.dumps(request)], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(out.stdout)["error"]["data"]["errno"] == "EACCES"
    with d.control() as c:
        assert "rd_mcp_9" not in c.call("ls", path="/core")["dirs"]

# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: JSON-RPC 2.0 as include/ulio/control.h describes it, over a running daemon."""

import json
import os
import socket
import stat

import pytest

from lib import scsi
from lib.control import RpcError

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, FAILED = -32700, -32600, -32601, -32602, -32000


@pytest.fixture
def ctl(daemon):
    with daemon.control() as c:
        yield c


def code(ctl, raw):
    """Error code of the answer to a raw line."""
    ctl.send_raw(raw + b"\n")
    reply = ctl.recv_line()
    assert reply["jsonrpc"] == "2.0" and "result" not in reply
    assert isinstance(reply["error"]["message"], str) and reply["error"]["message"]
    return reply["error"]["code"], reply["id"]


def test_version_and_help(ctl):
    v = ctl.call("version")
    assert v["protocol"] == 1
    text = json.dumps(ctl.call("help"))
    for method in ("ls", "get", "set", "mkdir", "rmdir", "link", "unlink", "dump", "disk.add",
                   "disk.resize", "lun.add", "sessions.list"):
        assert f'"{method}"' in text


@pytest.mark.parametrize("raw, want", [
    (b"{", PARSE_ERROR), (b"nonsense", PARSE_ERROR), (b"\xff\xfe", PARSE_ERROR), (b'"text"', INVALID_REQUEST),
    (b"{}", INVALID_REQUEST), (b"[]", INVALID_REQUEST), (b"1", INVALID_REQUEST),
    (b'{"jsonrpc":"1.0","id":1,"method":"version"}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":5}', INVALID_REQUEST),
    (b'{"jsonrpc":"2.0","id":1,"method":"nobody"}', NO_METHOD),
    (b'{"jsonrpc":"2.0","id":1,"method":"get"}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"get","params":{"path":7}}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"get","params":{"path":"/core","odd":1}}', INVALID_PARAMS),
    (b'{"jsonrpc":"2.0","id":1,"method":"get","params":{"path":"/nobody/x"}}', FAILED),
    (b'{"jsonrpc":"2.0","id":1,"method":"ls","params":{"path":"relative"}}', FAILED),
])
def test_errors(ctl, raw, want):
    """JSON-RPC 2.0, 5.1: the code of each kind of error; the connection goes on."""
    assert code(ctl, raw)[0] == want
    assert ctl.call("version")


def test_notification_gets_no_answer(ctl):
    """JSON-RPC 2.0, 4.1."""
    ctl.send_raw(b'{"jsonrpc":"2.0","method":"version"}\n{"jsonrpc":"2.0","method":"nobody"}\n')
    assert ctl.call("version")


def test_batch(ctl):
    """JSON-RPC 2.0, 6: one array answers an array; notifications in it are left out."""
    ctl.send_raw(b'[{"jsonrpc":"2.0","id":1,"method":"version"},{"jsonrpc":"2.0","method":"version"},'
                 b'{"jsonrpc":"2.0","id":"b","method":"nobody"}]\n')
    got = ctl.recv_line()
    assert {r["id"] for r in got} == {1, "b"} and len(got) == 2


def test_pipelined_requests_keep_their_order(ctl):
    ctl.send_raw(b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"version"}\n' % i for i in range(200)))
    assert [ctl.recv_line()["id"] for _ in range(200)] == list(range(200))


def test_request_byte_by_byte(ctl):
    for b in b'{"jsonrpc":"2.0","id":9,"method":"version"}\n':
        ctl.send_raw(bytes([b]))
    assert ctl.recv_line()["id"] == 9


def test_endless_line(daemon):
    """A line beyond the limit ends that connection and no other."""
    with daemon.control() as c:
        try:
            for _ in range(64):
                c.send_raw(b"x" * 65536)
            c.send_raw(b"\n")
            reply = c.recv_line()
            assert "error" in reply
        except ConnectionError:
            pass
    with daemon.control() as c:
        assert c.call("version")


def test_deep_nesting(ctl):
    assert code(ctl, b"[" * 5000)[0] == PARSE_ERROR


def test_client_that_never_reads(daemon):
    """It does not hold up another client, nor a session."""
    with daemon.control() as slow, daemon.control() as c:
        slow.sock.settimeout(2)
        try:
            for _ in range(2000):
                slow.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"dump"}\n')
        except (socket.timeout, ConnectionError):
            pass
        assert c.call("version")
        with daemon.session() as s:
            s.logout()


def test_many_clients(daemon):
    held = [daemon.control() for _ in range(50)]
    for c in held:
        assert c.call("version")
        c.close()


def test_socket_is_private(daemon):
    """Nobody but the owner may steer the daemon."""
    mode = os.stat(daemon.control_path).st_mode
    assert stat.S_ISSOCK(mode) and not mode & 0o007


def walk(ctl, path):
    """Every directory below path, depth first."""
    here = ctl.call("ls", path=path)
    yield path, here
    for d in here["dirs"]:
        yield from walk(ctl, f"{path.rstrip('/')}/{d}")


def test_every_attribute_reads(ctl):
    """Each readable attribute of the running tree can be read, has a text, and no secret is among them."""
    seen = 0
    for path, here in walk(ctl, "/"):
        for a in here["attrs"]:
            full = f"{path.rstrip('/')}/{a['name']}"
            if a["secret"]:
                assert a["value"] is None
                with pytest.raises(RpcError):
                    ctl.call("get", path=full)
            elif a["access"] != "wo":
                try:
                    assert isinstance(ctl.call("get", path=full), str)
                    seen += 1
                except RpcError as e:
                    assert e.code == FAILED and a["name"] in e.message
    assert seen > 50


def test_every_attribute_refuses_nonsense(ctl, daemon):
    """No value that is nonsense brings the daemon down; what is refused says where and why."""
    nonsense = ["", "\x01", "x" * 5000, "-1", "99999999999999999999999", "%s%n%d", "../..", "\u20ac", "1 2 3"]
    for path, here in list(walk(ctl, "/core")):
        for a in here["attrs"]:
            if a["access"] == "ro" or a["name"] in ("delete",):
                continue
            full = f"{path.rstrip('/')}/{a['name']}"
            for value in nonsense:
                try:
                    ctl.call("set", path=full, value=value)
                except RpcError as e:
                    assert a["name"] in e.message and path in e.message, f"who is meant? {e.message}"
                    assert e.data["path"] == full
                else:
                    if a["value"]:      # a text that was never set cannot be set again
                        ctl.call("set", path=full, value=a["value"])
    daemon.check()


def test_read_only_attribute(ctl):
    for path, here in walk(ctl, "/"):
        for a in here["attrs"]:
            if a["access"] == "ro":
                with pytest.raises(RpcError):
                    ctl.call("set", path=f"{path.rstrip('/')}/{a['name']}", value="1")
                return
    raise AssertionError("no read-only attribute at all")


def test_dump_agrees_with_ls(ctl):
    tree = ctl.call("dump")
    for path, here in walk(ctl, "/"):
        node = tree
        for part in [x for x in path.split("/") if x]:
            node = node["dirs"][part]
        assert sorted(node["dirs"]) == sorted(here["dirs"])


def test_lun_added_and_removed_live(new_daemon, lun):
    """A LUN comes and goes while a session works on another one, which never notices."""
    d = new_daemon()
    with d.session() as s:
        s.clear_ua(lun)
        added = d.add_lun("ram:32M")
        s.clear_ua(lun)
        s.clear_ua(added).good()
        assert s.capacity(added)[0] * 512 == 32 << 20
        s.scsi(scsi.write10(0, 1), lun=added, write=b"n" * 512).good()
        d.remove_lun(added)
        r = s.scsi(scsi.test_unit_ready(), lun=added)
        if r.status == scsi.CHECK_CONDITION and r.sense.key == scsi.UNIT_ATTENTION:
            r = s.scsi(scsi.test_unit_ready(), lun=added)
        r.check(scsi.ILLEGAL_REQUEST, scsi.LU_NOT_SUPPORTED)
        s.clear_ua(lun).good()
        s.logout()


def test_lun_change_tells_initiators(new_daemon, lun):
    """SPC-4 6.33: REPORTED LUNS DATA HAS CHANGED, 3F/0E, on the LUNs that were there."""
    d = new_daemon()
    with d.session() as s:
        s.clear_ua(lun)
        d.add_lun("ram:32M")
        s.scsi(scsi.test_unit_ready(), lun=lun).check(scsi.UNIT_ATTENTION, (0x3F, 0x0E))
        s.clear_ua(lun).good()
        s.logout()


@pytest.mark.parametrize("which", [0, 1], ids=["file", "ram"])
def test_disk_grown_live(new_daemon, lun, which):
    """A grown disk: 2A/09 for every initiator, then the new capacity; the old data stays."""
    d = new_daemon()
    n = lun + which
    with d.session() as s:
        s.clear_ua(n)
        blocks, size = s.capacity(n)
        s.scsi(scsi.write16(blocks - 1, 1), lun=n, write=b"e" * size).good()
        try:
            d.grow_lun(n, blocks * size * 2)
        except RpcError:
            assert which == 1, "a file grows"
            return
        s.scsi(scsi.test_unit_ready(), lun=n).check(scsi.UNIT_ATTENTION, (0x2A, 0x09))
        s.clear_ua(n).good()
        assert s.capacity(n) == (blocks * 2, size)
        assert s.scsi(scsi.read16(blocks - 1, 2), lun=n, read=2 * size).good().data == b"e" * size + bytes(size)
        s.logout()

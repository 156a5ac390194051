# SPDX-License-Identifier: BSD-3-Clause
"""The command ulio: everything that it can do, against a running daemon."""

import json
import os
import subprocess

import pytest

from lib import pdu as p
from lib.daemon import ULIO, ULIOD, sanitizer_env
from lib.ports import give_port, take_port

CLIENT = "iqn.2004-10.com.example:client"


@pytest.fixture
def cli(new_daemon):
    d = new_daemon(disks=["ram:16M"], allow=[])

    def run(*args, ok=True, stdin=None):
        done = subprocess.run([ULIO, "--control", d.control_path, *args], capture_output=True, text=True,
                              timeout=30, env=sanitizer_env(d.dir), input=stdin, check=False)
        assert (done.returncode == 0) == ok, f"{args}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout if ok else done.stderr

    run.daemon = d
    return run


def table(text):
    """Rows of a table as dictionaries, by the columns' titles."""
    lines = text.splitlines()
    return [line.split() for line in lines[1:]]


def test_help(cli):
    text = cli("help")
    for word in ("disk add", "lun remove", "sessions drop", "save", "reload", "status"):
        assert word in text
    assert "--force" in cli("help", "disk", "resize")


def test_status(cli):
    assert "io_uring" in cli("status") or "epoll" in cli("status")
    assert json.loads(cli("--json", "status"))["disks"] == 1
    assert json.loads(cli("status", "--json"))["disks"] == 1
    assert cli("log", "debug").strip() == "debug" == cli("log").strip()
    assert "loud" in cli("log", "loud", ok=False)


def test_a_disk_from_nothing(cli):
    """Disk, LUN, portal, access list: added, used, removed, while it runs."""
    d = cli.daemon
    cli("disk", "add", "a", f"file:{d.dir}/a.img,size=8M")
    cli("lun", "add", "a", "7")
    assert ["a", "fileio", "8M", "512", "1", "no", "ready", f"{d.dir}/a.img"] in table(cli("disk", "list"))
    cli("acl", "add", "iqn.2026-01.example.test:wire")
    with d.session() as s:
        s.clear_ua(7)
        assert s.capacity(7) == (16384, 512)
        cli("disk", "resize", "a", "16M")
        s.clear_ua(7)
        assert s.capacity(7) == (32768, 512)
        assert "shrink" in cli("disk", "resize", "a", "8M", ok=False)
        assert "wire" in cli("sessions")
        cli("sessions", "drop", "iqn.2026-01.example.test:wire")
        s.conn.expect_closed(allow=(p.ASYNC,))
    assert "in use" in cli("disk", "remove", "a", ok=False)
    cli("lun", "remove", "7")
    cli("disk", "remove", "a")
    assert os.path.getsize(f"{d.dir}/a.img") == 16 << 20
    assert "no such disk" in cli("disk", "remove", "a", ok=False)
    cli("acl", "remove", "iqn.2026-01.example.test:wire")


def test_portals(cli):
    d = cli.daemon
    port = take_port()
    cli("portal", "add", f"127.0.0.1:{port}", "--advertise", "192.0.2.1:3260")
    assert f"127.0.0.1:{port}" in cli("target", "list")
    assert cli("get", f"/iscsi/{iqn(cli)}/tpgt_1/np/127.0.0.1:{port}/advertise").strip() == "192.0.2.1:3260"
    cli("portal", "remove", f"127.0.0.1:{port}")
    assert "no such portal" in cli("portal", "remove", f"127.0.0.1:{port}", ok=False)
    give_port(port)
    assert d.running()


def iqn(cli):
    return json.loads(cli("--json", "target", "list"))[0]["target"]


def test_access(cli):
    assert "nobody" in cli("target", "list")
    cli("acl", "add", CLIENT, "--user", "u", "--password-file", "-", stdin="a-long-secret-1\n")
    assert "allow-list" in cli("target", "list") and CLIENT in cli("target", "list")
    assert cli("get", f"/iscsi/{iqn(cli)}/tpgt_1/acls/{CLIENT}/attrib/authentication").strip() == "1"
    assert "secret" in cli("get", f"/iscsi/{iqn(cli)}/tpgt_1/acls/{CLIENT}/auth/password", ok=False)
    cli("target", "access", "anyone-read")
    assert "anyone-read" in cli("target", "list")
    cli("target", "access", "anyone-write")
    assert "anyone-write" in cli("target", "list")
    assert "allow-list" in cli("target", "access", "sometimes", ok=False)
    cli("target", "access", "allow-list")
    cli("acl", "remove", CLIENT)
    assert "nobody" in cli("target", "list")


def test_targets(cli):
    port = take_port()
    cli("target", "add", "iqn.2004-10.com.example:two", "--address", f"127.0.0.1:{port}")
    assert "several targets" in cli("lun", "add", "disk0", ok=False)
    cli("lun", "add", "disk0", "--target", "iqn.2004-10.com.example:two")
    assert "no such target" in cli("target", "remove", "iqn.none", ok=False)
    cli("target", "remove", "iqn.2004-10.com.example:two")
    assert len(json.loads(cli("--json", "target", "list"))) == 1
    give_port(port)


def test_tree(cli):
    assert cli("ls", "/core").splitlines() == ["alua/", "rd_mcp_0/"]
    path = "/core/rd_mcp_0/disk0/alias"
    cli("set", path, "hello")
    assert cli("get", path) == "hello\n"
    cli("set", path, "-", stdin="from stdin\n")
    assert cli("get", path) == "from stdin\n"
    assert json.loads(cli("dump", "/core", "--depth", "0"))["dirs"] == {"alua": None, "rd_mcp_0": None}
    cli("mkdir", "/core/rd_mcp_9")
    cli("rmdir", "/core/rd_mcp_9")
    assert "no such directory" in cli("ls", "/nowhere", ok=False)


def test_isns_servers(cli):
    """A server is meant by its address, whatever the text of it."""
    cli("isns", "add", "192.0.2.9")
    cli("isns", "add", "[2001:DB8:0::5]:3206")
    assert "there is no such server" in cli("isns", "remove", "192.0.2.9:3206", ok=False)
    assert "no address" in cli("isns", "remove", "192.0.2", ok=False)
    cli("isns", "remove", "[2001:db8::0:5]:3206")
    assert [s["server"] for s in json.loads(cli("--json", "isns", "list"))] == ["192.0.2.9:3205"]
    cli("isns", "remove", "192.0.2.9:3205")
    assert json.loads(cli("--json", "isns", "list")) == []


@pytest.mark.parametrize("args, word", [
    (["nonsense"], "no such command"), (["disk", "paint"], "there are: list add remove"),
    (["disk", "add", "x"], "spec is missing"), (["disk", "list", "x"], "one word too many"),
    (["disk", "add", "x", "y", "--colour"], "no such option"), (["lun", "remove", "x"], "a number is meant"),
    (["disk", "add", "x", "tape:/dev/st0"], "tape"), (["acl", "add"], "initiator is missing"),
    (["save"], "save"),
])
def test_refusals(cli, args, word):
    assert word in cli(*args, ok=False)


def test_no_daemon(tmp_path):
    done = subprocess.run([ULIO, "--control", str(tmp_path / "none"), "status"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 1 and "is uliod running?" in done.stderr


def test_captive(tmp_path):
    """--run: a command finds its disk behind a secret of its own, and its status is ours."""
    run = "test -S $ULIO_CONTROL && iscsi-inq $ULIO_URL | grep -q DIRECT_ACCESS && " \
          "qemu-img info --output=json $ULIO_URL | grep -q 16777216 && case $ULIO_URL in *captive%*) exit 7;; esac"
    done = subprocess.run([ULIOD, "--disk", "ram:16M", "--run", run, "--state", str(tmp_path)], timeout=60,
                          capture_output=True, text=True, env=sanitizer_env(str(tmp_path)), check=False)
    assert done.returncode == 7, done.stderr
    assert not list(tmp_path.glob("san.*"))


def test_captive_signal(tmp_path):
    done = subprocess.run([ULIOD, "--disk", "ram:16M", "--run", "kill -9 $$", "--state", str(tmp_path)], timeout=60,
                          capture_output=True, text=True, env=sanitizer_env(str(tmp_path)), check=False)
    assert done.returncode == 128 + 9, done.stderr


def test_start_that_fails(tmp_path):
    """Ends in an orderly way at every stage."""
    for args, word in ((["--state", "/proc/none"], "/proc/none"),
                       (["--plugin", "/nonexistent.so"], "/nonexistent.so"),
                       (["--control", "/nonexistent/c"], "/nonexistent/c"),
                       (["--user", "no-such-user"], "no-such-user"),
                       (["--listen", "0.0.0.0:31999", "--control", "none"], "nobody may use these disks")):
        port = take_port()
        base = [] if "--listen" in args else ["--listen", f"127.0.0.1:{port}", "--allow", "any"]
        base += [] if "--state" in args else ["--state", str(tmp_path)]
        base += [] if "--control" in args else ["--control", str(tmp_path / "c.sock")]
        done = subprocess.run([ULIOD, "--disk", "ram:16M", *base, *args], timeout=60, capture_output=True, text=True,
                              env=sanitizer_env(str(tmp_path)), check=False)
        give_port(port)
        assert done.returncode == 1 and word in done.stderr, f"{args}: {done.returncode} {done.stderr}"
        assert not list(tmp_path.glob("san.*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_other_user(new_daemon):
    """--user: all threads are the user's, disks that are open stay so, the socket is its own."""
    d = new_daemon(disks=["file:{dir}/a.img,size=16M"], args=["--user", "nobody"], start=False)
    os.chmod(d.dir, 0o755)
    mask = os.umask(0)      # the notification socket is open to all, as systemd's is
    try:
        d.start()
    finally:
        os.umask(mask)
    uids = set()
    for task in os.listdir(f"/proc/{d.proc.pid}/task"):
        with open(f"/proc/{d.proc.pid}/task/{task}/status", encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        if not status["Name"].startswith("iou-"):       # the kernel's, with the user of each request
            uids.add(status["Uid"])
    assert uids == {"65534\t65534\t65534\t65534"}
    assert os.stat(d.control_path).st_uid == 65534
    with d.session() as s:
        s.clear_ua(0)
        assert s.capacity(0)[0] == 32768
        s.logout()

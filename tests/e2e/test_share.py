# SPDX-License-Identifier: BSD-3-Clause
"""ulio in one line: share and unshare, top, check-offload, export; and what asks before it does."""

import json
import os
import re
import subprocess
import threading

import pytest

from lib import initiator
from lib import pdu as p
from lib.daemon import ULIO, Daemon
from lib.ports import give_port, take_port

IQN = "iqn.2026-01.example.test:shell"
INITIATOR = "iqn.2026-01.example.test:initiator"
ACLS = f"/iscsi/{IQN}/tpg1/acls"
ACL = f"{ACLS}/{INITIATOR}"


@pytest.fixture
def reachable():
    """A daemon in our own network, with a free port, that serves nothing yet."""
    port = take_port()
    d = Daemon(disks=(), allow=(), port=port)
    d.command = lambda: [*Daemon.command(d)[:1], "--control", d.control_path, "--state", d.state_dir, "--config",
                         os.path.join(d.dir, "saveconfig.json")]
    d.start()
    yield d
    d.stop()
    d.discard()
    give_port(port)


def libiscsi(*args):
    return subprocess.run(args, capture_output=True, text=True, timeout=30, check=False)


def test_share(reachable, tmp_path):
    """A file for one initiator: libiscsi uses it, others do not; unshare takes all of it away, but the data."""
    d, image = reachable, tmp_path / "disk one.img"
    me, portal = "iqn.2026-01.example.test:me", f"127.0.0.1:{reachable.port}"
    said = d.ulio("share", str(image), "--to", me, "--size", "16M", "--portal", portal)
    assert "lasts until the daemon ends" in said
    url = re.search(r"iscsi://\S+/0", said).group()
    assert url.startswith(f"iscsi://{portal}/iqn.") and "iscsiadm" in said
    inq = libiscsi("iscsi-inq", "-i", me, url)
    assert "DIRECT_ACCESS" in inq.stdout, inq.stderr
    assert libiscsi("iscsi-inq", "-i", "iqn.2026-01.example.test:other", url).returncode != 0
    assert "iqn" in libiscsi("iscsi-ls", "-i", me, "-s", f"iscsi://{portal}").stdout
    # a second one, of memory, for anyone: by a target of its own, on the same portal
    other = json.loads(d.ulio("--json", "share", "ram:16M", "--to", "any", "--readonly"))
    assert other["portal"] == portal and other["url"] != url
    assert libiscsi("iscsi-inq", other["url"]).returncode == 0
    assert libiscsi("iscsi-inq", "-i", "iqn.2026-01.example.test:other", url).returncode != 0
    # what is in use is asked for
    target = url.split("/")[3]
    session = initiator.Session.open(("127.0.0.1", d.port), target, name=me)
    assert "this ends 1 session" in d.ulio("unshare", str(image), fails=True)
    d.ulio("--yes", "unshare", url)
    session.conn.expect_closed(allow=(p.ASYNC,))
    d.ulio("unshare", other["disk"])
    with d.control() as c:
        c.call("config.autosave", on=True)
    assert "lasts until" not in d.ulio("share", "ram:16M", "--to", "any", "--name", "kept")
    d.ulio("unshare", "kept")
    assert json.loads(d.ulio("--json", "target", "list")) == [] == json.loads(d.ulio("--json", "disk", "list"))
    assert image.stat().st_size == 16 << 20
    assert "no disk" in d.ulio("unshare", str(image), fails=True)


def test_unshare_of_a_named_target(reachable):
    """All LUNs of the disk go; a target that --target named stays, with its portal and its entry."""
    d = reachable
    d.ulio("share", "ram:16M", "--to", INITIATOR, "--target", IQN, "--portal", f"127.0.0.1:{d.port}", "--name", "one")
    d.ulio("target", "add", f"{IQN}2")
    d.ulio("lun", "add", "one", "5", "--target", f"{IQN}2")
    d.ulio("unshare", "one")
    assert json.loads(d.ulio("--json", "lun", "list")) == [] == json.loads(d.ulio("--json", "disk", "list"))
    rows = {t["target"]: t for t in json.loads(d.ulio("--json", "target", "list"))}
    assert set(rows) == {IQN, f"{IQN}2"}
    assert rows[IQN]["acls"] == [INITIATOR] and len(rows[IQN]["portals"]) == 1


def test_share_refusals(reachable, tmp_path):
    """Nothing stays of a share that fails."""
    d, portal = reachable, f"127.0.0.1:{reachable.port}"
    for args, word in ((["x.img"], "who may use it?"), (["x.img", "--to", "any"], "--size"),
                       (["/", "--to", "any"], "no file"), (["ram:1", "--to", "any"], "4096"),
                       (["ram:16M", "--size", "2G", "--to", "any"], "--size"),
                       (["/" + "x" * 4100, "--size", "2G", "--to", "any"], "too long"),
                       (["ram:" + "1" * 5000, "--to", "any"], "too long"),
                       (["ram:16M", "--to", "any", "--portal", "nowhere"], "nowhere"),
                       (["ram:16M", "--to", "x" * 300, "--portal", portal], "too long")):
        assert word in d.ulio("share", *args, fails=True)
    assert json.loads(d.ulio("--json", "target", "list")) == [] == json.loads(d.ulio("--json", "disk", "list"))
    image = tmp_path / "new.img"
    d.ulio("share", str(image), "--size", "16M", "--to", "x" * 300, "--portal", portal, fails=True)
    assert not image.exists()
    one = json.loads(d.ulio("--json", "share", "ram:16M", "--to", INITIATOR, "--portal", portal))
    assert "would open its 1 other" in d.ulio("share", "ram:16M", "--to", "any", "--target", one["target"], fails=True)
    assert len(json.loads(d.ulio("--json", "disk", "list"))) == 1
    (tmp_path / "a,b.img").write_bytes(b"\0" * 4096)
    assert "comma" in d.ulio("share", str(tmp_path / "a,b.img"), "--to", "any", fails=True)


def test_share_secrets(reachable, tmp_path):
    """--user is never ignored: the secret is asked for whatever the target does, or the share is refused."""
    d, portal, secret = reachable, f"127.0.0.1:{reachable.port}", tmp_path / "secret"
    secret.write_text("a-long-secret-1\n")
    with_secret = ["--user", "u", "--password-file", str(secret)]
    one = json.loads(d.ulio("--json", "share", "ram:16M", "--to", INITIATOR, "--portal", portal))
    to = ["--target", one["target"], *with_secret]
    assert "has an access list entry" in d.ulio("share", "ram:16M", "--to", INITIATOR, *to, fails=True)
    assert len(json.loads(d.ulio("--json", "disk", "list"))) == 1
    other = json.loads(d.ulio("--json", "share", "ram:16M", "--to", f"{INITIATOR}2", *to))
    assert libiscsi("iscsi-inq", "-i", INITIATOR, one["url"]).returncode == 0
    assert libiscsi("iscsi-inq", "-i", f"{INITIATOR}2", other["url"]).returncode != 0
    url = other["url"].replace("iscsi://", "iscsi://u%a-long-secret-1@")
    done = libiscsi("iscsi-inq", "-i", f"{INITIATOR}2", url)
    assert done.returncode == 0, done.stderr


def test_share_of_a_number_in_use(reachable):
    """Where the initiator uses the LUN's number for another one, it sees the disk by the first free number."""
    d = reachable
    d.ulio("disk", "add", "first", "ram:8M")
    d.ulio("target", "add", IQN, "--address", f"127.0.0.1:{d.port}")
    d.ulio("lun", "add", "first", "5")
    d.ulio(f"{ACLS}", "create", INITIATOR, "add_mapped_luns=false")
    d.ulio(f"{ACL}", "create", "0", "5")
    d.ulio("set", f"/iscsi/{IQN}/tpgt_1/attrib/authentication", "0")
    url = json.loads(d.ulio("--json", "share", "ram:16M", "--to", INITIATOR, "--target", IQN))["url"]
    assert url.endswith("/1")
    done = libiscsi("iscsi-readcapacity16", "-i", INITIATOR, url)
    assert str(16 << 20) in done.stdout, done
    # by that number others have another disk: it is not taken for this one
    d.ulio("disk", "add", "third", "ram:8M")
    d.ulio("lun", "add", "third", "1", "--target", IQN)
    assert "no disk" in d.ulio("unshare", url, fails=True)
    assert len(json.loads(d.ulio("--json", "disk", "list"))) == 3


def test_top(reachable):
    d = reachable
    shared = json.loads(d.ulio("--json", "share", "ram:16M", "--to", "any", "--portal", f"127.0.0.1:{d.port}"))
    with initiator.Session.open(("127.0.0.1", d.port), shared["target"]) as s:
        stop = threading.Event()

        def load():
            s.clear_ua(0)
            while not stop.is_set():
                s.capacity(0)

        worker = threading.Thread(target=load)
        worker.start()
        try:
            seen = json.loads(d.ulio("--json", "top", "--once"))
            text = d.ulio("top", "--once")
        finally:
            stop.set()
            worker.join()
        s.logout()
    assert seen["luns"][0]["disk"] == shared["disk"] and seen["luns"][0]["commands_s"] > 0
    assert seen["sessions"][0]["commands_s"] > 0 and seen["sessions"][0]["in_s"] > 0
    assert "COMMANDS/S" in text and "\x1b" not in text


def test_check_offload(reachable, tmp_path):
    seen = json.loads(reachable.ulio("--json", "check-offload"))
    assert {"io_uring", "CRC32C", "locked memory", "daemon"} <= {c["what"] for c in seen["checks"]}
    assert "zero-copy" not in json.dumps(seen)                 # nothing is sent so
    assert seen["verdict"] in ("good", "fair", "poor")
    assert all("cure" in c for c in seen["checks"] if c["verdict"] != "good")
    # without a daemon too
    done = subprocess.run([ULIO, "--control", str(tmp_path / "none"), "check-offload"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0 and "Verdict: " in done.stdout


@pytest.mark.parametrize("preset, words", [
    ("linux", ["replacement_timeout = 120", "iscsiadm -m node -T {target} --login"]),
    ("windows", ["Connect-IscsiTarget -NodeAddress {target} -TargetPortalAddress 127.0.0.1", "TimeOutValue 60"]),
    ("vmware", ["sendtarget add -A vmhba64 -a {portal}", "RecoveryTimeout -v 10"]),
    ("proxmox", ["pvesm add iscsi ulio --portal {portal} --target {target}"]),
    ("kubernetes", ["targetPortal: '{portal}'", "iqn: {target}", "storage: 16Mi", "lun: 0"]),
])
def test_export(reachable, preset, words):
    d = reachable
    portal = f"127.0.0.1:{d.port}"
    assert "no targets" in d.ulio("export", "--preset", preset, fails=True)
    d.ulio("target", "add", IQN, "--address", portal)
    needs_lun = preset in ("proxmox", "kubernetes")
    assert ("has no LUN" if needs_lun else "127.0.0.1") in d.ulio("export", "--preset", preset, fails=needs_lun)
    d.ulio("target", "remove", IQN)
    target = json.loads(d.ulio("--json", "share", "ram:16M", "--to", "any", "--portal", portal))["target"]
    text = d.ulio("export", "--preset", preset)
    for word in words:
        assert word.format(target=target, portal=portal) in text, text
    assert "CHAP" not in text.upper() and not re.search(r"[{](target|portal|host|port|lun|size)[}]", text)
    d.ulio("set", f"/iscsi/{target}/tpgt_1/attrib/authentication", "1")
    d.ulio("portal", "add", f"[::1]:{d.port}")
    text = d.ulio("export", "--preset", preset)
    assert "CHAP" in text.upper()
    assert preset == "proxmox" or "::1" in text
    assert "is meant" in d.ulio("export", "--preset", "amiga", fails=True)


def test_what_is_in_use(reachable, tmp_path):
    """Whatever way takes something from a session asks first, and what takes nothing does not."""
    d, iscsi = reachable, f"/iscsi/{IQN}"
    d.ulio("disk", "add", "r", "ram:16M")
    d.ulio("target", "add", IQN, "--address", f"127.0.0.1:{d.port}")
    d.ulio("lun", "add", "r")
    d.ulio("acl", "add", INITIATOR)
    d.ulio("set", f"{iscsi}/tpgt_1/attrib/authentication", "0")
    d.ulio("save")
    want = tmp_path / "want.json"
    want.write_text('{"storage_objects": [], "targets": []}')
    tpg, luns, acl = f"{iscsi}/tpgt_1", f"{iscsi}/tpgt_1/lun/lun_0", f"{iscsi}/tpgt_1/acls/{INITIATOR}"
    mapped = next(iter(json.loads(d.ulio("dump", f"{acl}/lun_0"))["links"]))
    rows = ((["lun", "remove", "0"], "1 session may be using LUN 0"), (["apply", str(want)], "remove /"),
            ([f"{ACLS}/{INITIATOR}", "delete", "0"], "mapped LUN 0"), (["set", f"{tpg}/enable", "0"], "ends 1 session"),
            (["lio_node", "--dellun", IQN, "1", "0"], "LUN 0"), (["rmdir", acl], "ends 1 session"),
            (["lio_node", "--dellunacl", IQN, "1", INITIATOR, "0"], "mapped LUN 0"), (["rmdir", tpg], "ends 1"),
            (["rmdir", iscsi], "ends 1 session"), (["rmdir", luns], "may be using"),
            (["unlink", f"{acl}/lun_0/{mapped}"], "may be using"))
    with initiator.Session.open(("127.0.0.1", d.port), IQN, name=INITIATOR) as s:
        for args, word in rows:
            said = d.ulio(*args, fails=True)
            assert "--yes" in said and word in said, f"{args}: {said}"
        d.ulio("set", f"{tpg}/enable", "1")
        d.ulio("reload")                                       # nothing to change
        d.ulio("--yes", "unlink", f"{acl}/lun_0/{mapped}")
        assert "1 session may be using" in d.ulio("rmdir", f"{acl}/lun_0", fails=True)
        d.ulio("rmdir", f"{acl}/lun_0", "--yes")
        d.ulio("set", f"{tpg}/enable", "0", "--yes")
        s.conn.expect_closed(allow=(p.ASYNC,))
    d.ulio("apply", str(want))
    assert json.loads(d.ulio("--json", "target", "list")) == []

# SPDX-License-Identifier: BSD-3-Clause
"""uliod's command line: what it takes, what it refuses, what it says."""

import os
import socket
import subprocess

import pytest

from lib import scsi
from lib.daemon import SOURCE, ULIOD, sanitizer_env
from lib.initiator import Session, discover
from lib.ports import give_port, take_port


def uliod(tmp_path, *args, timeout=20):
    """Run uliod to its end."""
    return subprocess.run([ULIOD, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          env=sanitizer_env(str(tmp_path)), cwd=tmp_path, check=False)


def test_version(tmp_path):
    done = uliod(tmp_path, "--version")
    assert done.returncode == 0 and done.stdout.startswith("uliod ")


def test_help(tmp_path):
    """Each option that the tests use is in the help text."""
    done = uliod(tmp_path, "--help")
    assert done.returncode == 0
    for option in ("--disk", "--listen", "--allow", "--chap", "--advertise", "--control", "--state", "--config",
                   "--check", "--run"):
        assert option in done.stdout, f"{option} is not in the help"


REFUSED = [
    (["--nonsense"], "nonsense"),
    (["--disk"], "disk"),
    (["--disk", ""], "disk"),
    (["--disk", "file:"], "file"),
    (["--disk", "tape:/dev/st0"], "tape"),
    (["--disk", "file:/nonexistent/x"], "/nonexistent/x"),
    (["--disk", "file:x,size=banana"], "banana"),
    (["--disk", "ram:0"], "ram"),
    (["--disk", "ram:99999999999T"], "ram"),
    (["--disk", "ram:16M,colour=red"], "colour"),
    (["--listen", "999.1.1.1:3260"], "999.1.1.1"),
    (["--listen", "127.0.0.1:99999"], "99999"),
    (["--chap", "user:/nonexistent/secret"], "/nonexistent/secret"),
    (["--chap", "nofile"], "nofile"),
    (["--chap", "user:credential:none"], "LoadCredential"),
    (["--allow", "not a name"], "not a name"),
    (["--advertise", "nowhere:x"], "nowhere"),
    (["--config", "/nonexistent/config.json"], "/nonexistent/config.json"),
    (["--disk", "ram:16M", "--dbroot", "/nonexistent/a/b"], "/nonexistent/a/b"),
    (["stray"], "stray"),
]


@pytest.mark.parametrize("args, word", REFUSED, ids=[" ".join(a)[:40] for a, _ in REFUSED])
def test_refused(tmp_path, args, word):
    """It ends with a status other than 0 and names what it does not like, in one or a few lines."""
    extra = ["--control", str(tmp_path / "c.sock"), "--state", str(tmp_path)]
    if "--listen" not in args and "--config" not in args:
        port = take_port()
        extra += ["--listen", f"127.0.0.1:{port}"]
        give_port(port)
    if "--disk" not in args and "--config" not in args:
        extra += ["--disk", "ram:16M"]
    done = uliod(tmp_path, *args, *extra)
    assert done.returncode not in (0, 66) and done.returncode > 0, f"status {done.returncode}: {done.stderr}"
    assert word in done.stderr, f"{word!r} is not named: {done.stderr}"
    assert len(done.stderr.splitlines()) <= 12


def test_port_in_use(tmp_path, new_daemon):
    d = new_daemon()
    done = uliod(tmp_path, "--disk", "ram:16M", "--listen", f"127.0.0.1:{d.port}", "--control",
                 str(tmp_path / "c.sock"), "--state", str(tmp_path))
    assert done.returncode > 0 and str(d.port) in done.stderr


def test_control_socket_in_use(tmp_path, new_daemon):
    """A second daemon does not take the control socket away from a running one."""
    d = new_daemon()
    port = take_port()
    done = uliod(tmp_path, "--disk", "ram:16M", "--listen", f"127.0.0.1:{port}", "--control", d.control_path,
                 "--state", str(tmp_path))
    give_port(port)
    assert done.returncode > 0
    with d.control() as c:
        assert c.call("version")


def test_stale_control_socket_is_replaced(new_daemon):
    """One that a killed daemon left behind is no obstacle."""
    d = new_daemon()
    d.kill()
    assert os.path.exists(d.control_path)
    d.start()
    with d.control() as c:
        assert c.call("version")


def test_secret_is_not_in_the_command_line(new_daemon):
    d = new_daemon(chap="u:very-secret-word")
    with open(f"/proc/{d.proc.pid}/cmdline", "rb") as f:
        assert b"very-secret-word" not in f.read()
    with open(f"/proc/{d.proc.pid}/environ", "rb") as f:
        assert b"very-secret-word" not in f.read()


def test_luns_in_order_of_disks(new_daemon):
    """LUNs are numbered from 0 in the order of --disk."""
    d = new_daemon(disks=["ram:16M", "ram:32M", "file:{dir}/d.img,size=48M"])
    with d.session() as s:
        for lun, mib in ((0, 16), (1, 32), (2, 48)):
            s.clear_ua(lun)
            blocks, size = s.capacity(lun)
            assert blocks * size == mib << 20
        s.logout()


def test_many_disks(new_daemon):
    """300 LUNs: above 255 in flat space addressing (SAM-5 4.7.x)."""
    d = new_daemon(disks=["ram:1M"] * 300)
    with d.session() as s:
        data = s.scsi(scsi.report_luns(8192), lun=0, read=8192).data
        if not data:
            s.clear_ua(0)
            data = s.scsi(scsi.report_luns(8192), lun=0, read=8192).good().data
        assert int.from_bytes(data[:4], "big") == 300 * 8
        for lun in (0, 255, 256, 299):
            s.clear_ua(lun).good()
        s.logout()


def test_thin_file_is_made(new_daemon):
    """size= makes a sparse file."""
    d = new_daemon(disks=["file:{dir}/made.img,size=1G"])
    st = os.stat(os.path.join(d.dir, "made.img"))
    assert st.st_size == 1 << 30 and st.st_blocks * 512 < 1 << 20


def test_512e_and_4k(new_daemon, lun):
    """Blocks of 4096 bytes by block=; blocks of 512 bytes over physical ones of 4096 by default."""
    d = new_daemon(disks=["file:{dir}/a.img,size=64M,block=4096", "file:{dir}/b.img,size=64M"])
    with d.session() as s:
        s.clear_ua(0)
        s.clear_ua(1)
        assert s.capacity(0) == (16384, 4096)
        data = s.scsi(scsi.read_capacity16(), lun=1, read=32).good().data
        assert int.from_bytes(data[8:12], "big") == 512 and data[13] & 0x0F == 3
        s.logout()


def test_ipv6(new_daemon):
    """An IPv6 portal: login, and SendTargets with brackets (RFC 7143 13.8)."""
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    port = take_port()
    d = new_daemon(args=["--listen", f"[::1]:{port}"])
    try:
        found = discover(("::1", port))
        assert any(a.startswith(f"[::1]:{port},") for a in found[d.iqn])
        with Session.open(("::1", port), d.iqn) as s:
            s.clear_ua(0).good()
            s.logout()
    finally:
        give_port(port)


def test_run_captive(tmp_path):
    """--run: starts, exports ULIO_URL, runs the command, ends with its status."""
    port = take_port()
    base = ["--disk", "ram:16M", "--allow", "any", "--listen", f"127.0.0.1:{port}", "--control",
            str(tmp_path / "c.sock"), "--state", str(tmp_path)]
    done = uliod(tmp_path, *base, "--run", 'echo "url=$ULIO_URL"; exit 7')
    assert done.returncode == 7, done.stderr
    assert f"url=iscsi://127.0.0.1:{port}/iqn." in done.stdout
    done = uliod(tmp_path, *base, "--run", 'iscsi-inq "$ULIO_URL" >/dev/null && iscsi-ls -s iscsi://127.0.0.1:'
                 f'{port} >/dev/null')
    give_port(port)
    assert done.returncode == 0, done.stderr


def test_check_of_a_good_file(tmp_path):
    """--check takes LIO's own saveconfig.json."""
    path = os.path.join(SOURCE, "examples", "saveconfig.json")
    if not os.path.exists(path):
        pytest.skip("no example of a saveconfig.json in the tree")
    done = uliod(tmp_path, "--check", "--config", path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text, words", [
    ('{\n "storage_objects": [\n  {"name": }\n ]\n}\n', ["3"]),
    ('{"fabric_modules": [], "storage_objects": [{"plugin": "ramdisk", "name": "r", "size": 1048576,'
     ' "wwn": "x", "attributes": {"block_size": 513}}], "targets": []}',
     ["/storage_objects/0/attributes/block_size", "513"]),
    ('[1, 2]', []),
    ('', []),
])
def test_check_of_a_bad_file(tmp_path, text, words):
    """The line of a syntax error; JSON path and value of anything else."""
    path = tmp_path / "bad.json"
    path.write_text(text)
    done = uliod(tmp_path, "--check", "--config", str(path))
    assert done.returncode > 0
    said = done.stderr + done.stdout
    for w in words:
        assert w in said, f"{w!r} is not in: {said}"

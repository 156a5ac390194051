# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's initiator (libiscsi): whole disks there and back, header digest, CHAP, two at once."""

import json
import os
import shutil
import subprocess

import pytest

from lib.capture import Capture

DISKS = {
    "ram": "ram:{size}",
    "file-direct": "file:{{dir}}/d.img,size={size},direct=yes",
    "file-buffered": "file:{{dir}}/d.img,size={size},direct=no",
    "4k": "file:{{dir}}/d.img,size={size},block=4096",
}
USER, SECRET = "qemuuser", "qemusecret-01"


def run(*cmd, timeout=600):
    done = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(cmd)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory, quick):
    """A file of random data; 1 GiB, 64 MiB in a quick run."""
    path = tmp_path_factory.mktemp("qemu") / "random.raw"
    mib = 64 if quick else 1024
    with open("/dev/urandom", "rb") as r, open(path, "wb") as w:
        for _ in range(mib):
            w.write(r.read(1 << 20))
    yield str(path), f"{mib}M"
    shutil.rmtree(path.parent, ignore_errors=True)


@pytest.mark.parametrize("disk", DISKS)
def test_convert_there_and_back(new_daemon, lun, source, tmp_path, disk):
    """qemu-img convert to the disk, back from it, compare: equal to the last byte."""
    path, size = source
    d = new_daemon(disks=[DISKS[disk].format(size=size)])
    back = str(tmp_path / "back.raw")
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", path, d.url(lun))
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", path, d.url(lun))
    run("qemu-img", "convert", "-f", "raw", "-O", "raw", d.url(lun), back)
    run("cmp", path, back)
    os.unlink(back)


def test_convert_of_a_sparse_image(new_daemon, lun, tmp_path, quick):
    """Holes travel as WRITE SAME or UNMAP and arrive as zeroes over whatever was there."""
    d = new_daemon(disks=["file:{dir}/d.img,size=64M"])
    path = str(tmp_path / "sparse.raw")
    with open(path, "wb") as f:
        for at in (0, 5 << 20, 33 << 20):
            f.seek(at)
            f.write(os.urandom(1 << 20))
        f.truncate(64 << 20)
    run("qemu-io", "-f", "raw", "-c", "write -P 0xaa 0 64M", d.url(lun))
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", path, d.url(lun))
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", path, d.url(lun))


def options(d, lun, **more):
    """QEMU's blockdev description of the LUN."""
    return "json:" + json.dumps({"driver": "raw", "file": {
        "driver": "iscsi", "transport": "tcp", "portal": f"{d.host}:{d.port}", "target": d.iqn, "lun": lun,
        **more}})


@pytest.mark.parametrize("digest", ["crc32c", "none", "crc32c-none", "none-crc32c"])
def test_header_digest(new_daemon, lun, digest, tmp_path):
    """Header digest as QEMU can ask for it; writes, reads, zeroes, discard, flush; no fault for tshark."""
    d = new_daemon()
    where = options(d, lun, **{"header-digest": digest})
    with Capture(d.port, str(tmp_path)) as c:
        run("qemu-io", "-c", "write -P 0x5a 1M 3M", "-c", "write -z 2M 64k", "-c", "discard 3M 64k", "-c", "flush",
            "-c", "read -P 0x5a 1M 1M", "-c", "read -P 0 2M 64k", where)
    c.verdict()


def test_chap(new_daemon, lun):
    """CHAP by QEMU; without or with a wrong secret there is no access."""
    d = new_daemon(chap=f"{USER}:{SECRET}")

    def io(password):
        return subprocess.run(
            ["qemu-io", "--object", f"secret,id=s0,data={password}", "-c", "write -P 1 0 64k", "-c",
             "read -P 1 0 64k", options(d, lun, user=USER, **{"password-secret": "s0"})],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    good = io(SECRET)
    assert good.returncode == 0, good.stderr
    assert io("wrong-secret-1").returncode != 0
    none = subprocess.run(["qemu-io", "-c", "read 0 512", options(d, lun)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    assert none.returncode != 0


def test_two_initiators_at_once(new_daemon, lun):
    """Two QEMU initiators write and verify their own halves of one LUN at the same time."""
    d = new_daemon(disks=["file:{dir}/d.img,size=64M"])
    procs = []
    for who in range(2):
        steps = []
        for i in range(64):
            at = f"{who * 32 * 1024 + i * 512}k"
            steps += ["-c", f"write -P {1 + who * 64 + i} {at} 512k"]
        for i in range(64):
            steps += ["-c", f"read -P {1 + who * 64 + i} {who * 32 * 1024 + i * 512}k 512k"]
        where = options(d, lun, **{"initiator-name": f"iqn.2026-01.example.test:qemu{who}"})
        procs.append(subprocess.Popen(["qemu-io", *steps, where], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for proc in procs:
        out, _ = proc.communicate(timeout=300)
        assert proc.returncode == 0 and "failed" not in out and "mismatch" not in out.lower(), out[-3000:]
    run("qemu-io", "-c", "read -P 1 0 512k", "-c", f"read -P {1 + 64} 32M 512k", options(d, lun))


def test_bench_runs(new_daemon, lun):
    """qemu-img bench at depth 64, reads and writes, on the RAM disk."""
    d = new_daemon(disks=["ram:64M"])
    for more in ([], ["-w"]):
        out = run("qemu-img", "bench", "-f", "raw", "-t", "none", "-c", "20000", "-d", "64", "-s", "4k", *more,
                  d.url(lun))
        assert "Run completed" in out

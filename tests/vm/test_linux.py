# SPDX-License-Identifier: BSD-3-Clause
"""A real Linux initiator: open-iscsi on Debian's stock kernel, in a virtual machine.

Discovery, login, ext4 and xfs, fio with verify, logout and second login, CHAP one-way and mutual,
digests, a LUN added and a disk grown online, a daemon killed and restarted under load.
"""

import contextlib
import os
import re
import time

import pytest

from lib.capture import Capture
from lib.daemon import IS_TGT
from lib.wait import SCALE
from machine import HOST

USER, SECRET = "vmuser", "vmsecret-0123456"
BACK_USER, BACK_SECRET = "vmtarget", "vmreverse-654321"


class Node:
    """A target as the guest sees it."""

    def __init__(self, vm, daemon):
        self.vm, self.daemon, self.portal = vm, daemon, f"{HOST}:{daemon.port}"
        self.iqn = daemon.iqn
        self.select = f"iscsiadm -m node -T {self.iqn} -p {self.portal}"

    def discover(self):
        """SendTargets; the advertised address is the one that the guest can reach."""
        out = self.vm.run(f"iscsiadm -m discovery -t sendtargets -p {self.portal}")
        if IS_TGT:
            self.vm.run(f"{self.select} -o new")
        else:
            assert f"{self.portal},1 {self.iqn}" in out, f"SendTargets gave: {out}"
        return out

    def update(self, name, value):
        self.vm.run(f"{self.select} -o update -n '{name}' -v '{value}'")

    def login(self):
        self.vm.run(f"{self.select} --login")

    def logout(self):
        self.vm.run(f"{self.select} --logout")

    def disk(self, lun, timeout=60):
        """/dev/sdX of a LUN; each look is a round trip through the guest."""
        end = time.monotonic() + timeout * SCALE
        while True:
            out = self.vm.run(f"ls -d /sys/class/scsi_device/*:0:0:{lun}/device/block/* 2>/dev/null; true")
            names = re.findall(r"/block/(sd[a-z]+)", out)
            if names and self.vm.run(f"test -b /dev/{names[-1]} && echo yes; true").strip() == "yes":
                assert len(names) == 1, f"LUN {lun} is there more than once: {out}"
                return f"/dev/{names[0]}"
            assert time.monotonic() < end, f"LUN {lun} does not appear: {self.vm.run('iscsiadm -m session -P 3')}"

    def negotiated(self):
        """Parameters of the session as the kernel has them: {name: value}."""
        return dict(re.findall(r"(\w+): (\S+)", self.vm.run("iscsiadm -m session -P 2")))


@pytest.fixture
def serve(request, vm, new_daemon, tmp_path):
    """serve(...) starts a daemon that the guest can reach and returns its Node, discovered.

    In a test that is marked as captured tshark judges every PDU at the end."""
    captures = []
    with contextlib.ExitStack() as stack:
        def start(**kw):
            d = new_daemon(start=False, **kw)
            d.advertise = f"{HOST}:{d.port}"
            d.start()
            if request.node.get_closest_marker("captured"):
                captures.append(stack.enter_context(Capture(d.port, str(tmp_path))))
            node = Node(vm, d)
            if not kw.get("chap"):
                node.discover()
            return node
        yield start
    for c in captures:
        c.verdict()


def fio(vm, where, size="48M", timeout=300, **kw):
    """fio with verification of all it wrote."""
    opts = {"name": "v", "size": size, "rw": "randwrite", "bs": "4k", "iodepth": "16", "ioengine": "libaio",
            "direct": "1", "verify": "crc32c", "verify_fatal": "1", "do_verify": "1", "end_fsync": "1", **kw}
    key = "filename" if where.startswith("/dev/") else "directory"
    out = vm.run(f"fio --{key}={where} " + " ".join(f"--{k}={v}" for k, v in opts.items()), timeout)
    assert "err= 0" in out, out
    return out


@pytest.mark.parametrize("fs, kind", [("ext4", "file"), ("xfs", "ram")])
def test_file_system(serve, vm, lun, fs, kind):
    """mkfs, fio with verify, fsync, logout; after a second login the data is there and fsck is content."""
    disks = {"file": "file:{dir}/d.img,size=512M", "ram": "ram:512M"}
    n = serve(disks=[disks[kind]])
    n.login()
    dev = n.disk(lun)
    vm.run(f"mkfs.{fs} {'-q' if fs == 'ext4' else '-q -f'} {dev} && mkdir -p /mnt/a && mount {dev} /mnt/a", 300)
    fio(vm, "/mnt/a")
    vm.run("dd if=/dev/urandom of=/mnt/a/random bs=64k count=512 conv=fsync && cp /mnt/a/random /mnt/a/copy && sync")
    total = vm.run("sha256sum /mnt/a/random | cut -d' ' -f1")
    vm.run("umount /mnt/a")
    n.logout()
    assert "No active sessions" in vm.run("iscsiadm -m session 2>&1; true")
    n.login()
    dev = n.disk(lun)
    vm.run(f"e2fsck -fn {dev}" if fs == "ext4" else f"xfs_repair -n {dev}", 300)
    vm.run(f"mount {dev} /mnt/a")
    assert vm.run("sha256sum /mnt/a/random /mnt/a/copy | cut -d' ' -f1 | uniq") == total
    vm.run("umount /mnt/a")
    n.logout()
    vm.check()


def test_raw_disk_every_size(serve, vm, lun):
    """fio on the block device: sizes from 512 bytes to 1 MiB, sequential and mixed."""
    n = serve(disks=["file:{dir}/d.img,size=256M"])
    n.login()
    dev = n.disk(lun)
    for bs in ("512", "64k", "1m"):
        fio(vm, dev, size="16M", bs=bs, rw="write" if bs == "1m" else "randwrite")
    fio(vm, dev, size="32M", rw="randrw", bsrange="512-256k", numjobs="1")
    n.logout()
    vm.check()


def test_discard(serve, vm, lun):
    """fstrim of an ext4 file system gives the blocks back: the file on the host shrinks."""
    n = serve(disks=["file:{dir}/d.img,size=256M"])
    n.login()
    dev = n.disk(lun)
    image = os.path.join(n.daemon.dir, "d.img")
    vm.run(f"mkfs.ext4 -q {dev} && mkdir -p /mnt/a && mount {dev} /mnt/a && "
           "dd if=/dev/urandom of=/mnt/a/big bs=1M count=100 conv=fsync", 300)
    full = os.stat(image).st_blocks * 512
    assert full > 100 << 20
    vm.run("rm /mnt/a/big && sync && fstrim -v /mnt/a && sync", 300)
    assert os.stat(image).st_blocks * 512 < full - (90 << 20), "fstrim gave nothing back"
    vm.run("umount /mnt/a")
    n.logout()
    vm.check()


@pytest.mark.captured
@pytest.mark.parametrize("header, data", [("CRC32C", "CRC32C"), ("CRC32C", "None"), ("None", "CRC32C")])
def test_digests(serve, vm, lun, header, data):
    """Header and data digests of the kernel's initiator."""
    n = serve(disks=["ram:128M"])
    n.update("node.conn[0].iscsi.HeaderDigest", header)
    n.update("node.conn[0].iscsi.DataDigest", data)
    n.login()
    got = n.negotiated()
    assert (got["HeaderDigest"], got["DataDigest"]) == (header, data)
    fio(vm, n.disk(lun), size="24M", bsrange="512-128k")
    n.logout()
    vm.check()


@pytest.mark.captured
@pytest.mark.parametrize("immediate, initial_r2t", [("Yes", "No"), ("No", "Yes"), ("No", "No"), ("Yes", "Yes")])
def test_data_modes(serve, vm, lun, immediate, initial_r2t):
    """The four combinations of ImmediateData and InitialR2T from the kernel's side."""
    n = serve(disks=["ram:128M"])
    n.update("node.session.iscsi.ImmediateData", immediate)
    n.update("node.session.iscsi.InitialR2T", initial_r2t)
    n.login()
    got = n.negotiated()
    assert (got["ImmediateData"], got["InitialR2T"]) == (immediate, initial_r2t)
    fio(vm, n.disk(lun), size="24M", bsrange="512-512k")
    n.logout()
    vm.check()


def chap_node(serve, vm, algorithms, mutual=False):
    kw = {"mutual": f"{BACK_USER}:{BACK_SECRET}"} if mutual else {}
    n = serve(disks=["ram:64M"], chap=f"{USER}:{SECRET}", **kw)
    vm.run(f"{n.select} -o new")
    n.update("node.session.auth.authmethod", "CHAP")
    n.update("node.session.auth.chap_algs", algorithms)
    n.update("node.session.auth.username", USER)
    n.update("node.session.auth.password", SECRET)
    if mutual:
        n.update("node.session.auth.username_in", BACK_USER)
        n.update("node.session.auth.password_in", BACK_SECRET)
    return n


@pytest.mark.captured
@pytest.mark.parametrize("algorithms", ["MD5", "SHA1", "SHA256", "SHA3-256", "SHA3-256,SHA256,SHA1,MD5"])
def test_chap(serve, vm, lun, algorithms):
    """One-way CHAP with each algorithm."""
    if IS_TGT and algorithms.startswith("SHA"):
        pytest.skip("tgt has MD5 alone")
    n = chap_node(serve, vm, algorithms)
    n.login()
    fio(vm, n.disk(lun), size="4M")
    n.logout()


@pytest.mark.captured
@pytest.mark.parametrize("algorithms", ["MD5", "SHA256"])
def test_mutual_chap(serve, vm, lun, algorithms):
    """Mutual CHAP: the initiator checks the target as well."""
    if IS_TGT and algorithms.startswith("SHA"):
        pytest.skip("tgt has MD5 alone")
    n = chap_node(serve, vm, algorithms, mutual=True)
    n.login()
    fio(vm, n.disk(lun), size="4M")
    n.logout()


@pytest.mark.captured
def test_wrong_secrets(serve, vm):
    """A wrong secret either way ends the login; the initiator says authorisation failure (24)."""
    n = chap_node(serve, vm, "MD5", mutual=True)
    n.update("node.session.auth.password", "wrong-secret-000")
    assert "authorization failure" in vm.fails(f"{n.select} --login")
    n.update("node.session.auth.password", SECRET)
    n.update("node.session.auth.password_in", "wrong-secret-000")
    vm.fails(f"{n.select} --login")
    n.update("node.session.auth.password_in", BACK_SECRET)
    n.login()
    n.logout()


@pytest.mark.captured
def test_lun_added_online(serve, vm, lun):
    """A LUN that comes while the session is up is found by a rescan, and the other one never notices."""
    n = serve(disks=["file:{dir}/d.img,size=64M"])
    n.login()
    first = n.disk(lun)
    vm.run(f"dd if=/dev/urandom of={first} bs=1M count=8 oflag=direct")
    total = vm.run(f"dd if={first} bs=1M count=8 iflag=direct 2>/dev/null | sha256sum")
    added = n.daemon.add_lun("ram:96M")
    vm.run("iscsiadm -m session --rescan")
    second = n.disk(added)
    assert int(vm.run(f"cat /sys/block/{second[5:]}/size")) * 512 == 96 << 20
    fio(vm, second, size="16M")
    assert vm.run(f"dd if={first} bs=1M count=8 iflag=direct 2>/dev/null | sha256sum") == total
    n.logout()
    vm.check()


@pytest.mark.skipif(IS_TGT, reason="tgt cannot grow a disk")
def test_disk_grown_online(serve, vm, lun):
    """A disk that grows under a mounted file system: the new size is seen, the file system follows."""
    n = serve(disks=["file:{dir}/d.img,size=128M"])
    n.login()
    dev = n.disk(lun)
    vm.run(f"mkdir -p /mnt/a && mkfs.ext4 -q {dev} && mount {dev} /mnt/a", 300)
    vm.run("dd if=/dev/urandom of=/mnt/a/f bs=1M count=16 conv=fsync")
    total = vm.run("sha256sum /mnt/a/f")
    n.daemon.grow_lun(lun, 256 << 20)
    vm.run(f"echo 1 > /sys/block/{dev[5:]}/device/rescan")
    assert int(vm.run(f"cat /sys/block/{dev[5:]}/size")) * 512 == 256 << 20
    fio(vm, dev, size="64M", offset="160M")
    assert vm.run("sha256sum /mnt/a/f") == total
    vm.run("umount /mnt/a")
    n.logout()
    vm.check()


def test_kill_and_restart_under_load(serve, vm, lun):
    """kill -9 under a verifying load: the initiator comes back by itself and nothing acknowledged is lost."""
    n = serve(disks=["file:{dir}/d.img,size=128M"])
    n.login()
    dev = n.disk(lun)
    vm.run(f"fio --name=v --filename={dev} --size=64M --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio --direct=1 "
           "--verify=crc32c --do_verify=1 --verify_fatal=1 --loops=2 --rate_iops=2000 > /tmp/fio.log 2>&1 & "
           "echo $! > /tmp/fio.pid")
    for _ in range(3):
        start = int(vm.run(f"cut -c1- /sys/block/{dev[5:]}/stat").split()[4])
        while int(vm.run(f"cat /sys/block/{dev[5:]}/stat").split()[4]) < start + 500:
            if "gone" in vm.run("kill -0 $(cat /tmp/fio.pid) 2>/dev/null || echo gone; true"):
                break
        n.daemon.kill()
        n.daemon.start()
    vm.run("while kill -0 $(cat /tmp/fio.pid) 2>/dev/null; do usleep 200000; done", 600)
    out = vm.run("cat /tmp/fio.log")
    assert "err= 0" in out and "verify" not in out.lower().replace("verify=crc32c", ""), out
    n.logout()


def test_initiator_dies(serve, vm, lun):
    """The guest's network goes away in mid load; the daemon serves a new session of the same initiator."""
    n = serve(disks=["file:{dir}/d.img,size=128M"])
    n.login()
    dev = n.disk(lun)
    vm.run(f"fio --name=v --filename={dev} --size=64M --rw=randwrite --bs=64k --iodepth=8 --ioengine=libaio --direct=1 "
           "--runtime=5 --time_based=1 > /tmp/fio.log 2>&1 & true")
    vm.run("ip link set eth0 down; ip link set eth0 up; ip route add default via 10.0.2.2; true")
    with n.daemon.session() as s:
        s.clear_ua(lun).good()
        s.logout()
    vm.run("while pidof fio > /dev/null; do usleep 200000; done", 300)
    n.logout()


def test_two_targets_of_one_guest(serve, vm, lun):
    """Two daemons, two sessions, both loaded at once."""
    a, b = serve(disks=["ram:64M"]), serve(disks=["file:{dir}/d.img,size=64M"])
    for n in (a, b):
        n.login()
    disks = vm.run(f"ls -d /sys/class/scsi_device/*:0:0:{lun}/device/block/*").split()
    assert len(disks) == 2
    names = ":".join("/dev/" + x.rsplit("/", 1)[1] for x in disks)
    jobs = (f"--name=j{i} --filename={d} --size=24M --rw=randwrite --bs=4k --iodepth=8 "
            "--ioengine=libaio --direct=1 --verify=crc32c" for i, d in enumerate(names.split(":")))
    vm.run("fio " + " ".join(jobs), 300)
    for n in (a, b):
        n.logout()
    vm.check()

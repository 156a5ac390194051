# SPDX-License-Identifier: BSD-3-Clause
"""The guest: Debian's stock kernel and an initramfs made of this machine's own programs.

The kernel package is downloaded and unpacked, not installed (it would bring initramfs-tools and a
boot loader along); both it and the initramfs are kept in .cache/vm of the source tree.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess

from lib.daemon import SOURCE

CACHE = os.environ.get("ULIO_VM_CACHE", os.path.join(SOURCE, ".cache", "vm"))
HERE = os.path.dirname(os.path.abspath(__file__))

MODULES = ["crc32c_generic", "virtio_pci", "virtio_net", "virtio_blk", "iscsi_tcp", "sd_mod", "ext4", "xfs",
           "dm_multipath", "sg", "scsi_dh_alua", "dm_round_robin", "dm_service_time", "dm_queue_length", "unix"]
PROGRAMS = ["/bin/busybox", "/sbin/iscsid", "/sbin/iscsiadm", "/sbin/iscsi-iname", "/sbin/mkfs.ext4",
            "/sbin/e2fsck", "/sbin/mkfs.xfs", "/sbin/xfs_repair", "/usr/bin/fio",
            "/usr/bin/sg_persist", "/usr/bin/sg_rtpg", "/usr/bin/sg_stpg", "/usr/bin/sg_inq", "/usr/bin/sg_turs",
            "/usr/bin/sg_dd", "/sbin/multipath", "/sbin/multipathd", "/sbin/mpathpersist", "/sbin/dmsetup",
            "/lib/systemd/systemd-udevd", "/bin/udevadm", "/lib/udev/scsi_id",
            *sorted(glob.glob("/lib/multipath/*.so"))]
# multipathd takes what it knows of a device from udev's database, and dmsetup waits for udev.
FILES = [f"/lib/udev/rules.d/{n}.rules" for n in (
    "50-udev-default", "55-dm", "56-dm-mpath", "60-block", "60-multipath", "60-persistent-storage",
    "60-persistent-storage-dm", "95-dm-notify")]


def run(*cmd, **kw):
    return subprocess.run(cmd, check=True, capture_output=True, text=True, **kw).stdout


def kernel():
    """(vmlinuz, directory of modules) of Debian's current amd64 kernel."""
    depends = run("apt-cache", "depends", "linux-image-amd64")
    package = re.search(r"Depends: (linux-image-\S+)", depends)[1]
    release = package.removeprefix("linux-image-")
    root = os.path.join(CACHE, package)
    if not os.path.exists(os.path.join(root, "done")):
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        run("apt-get", "download", package, cwd=root)
        deb = glob.glob(os.path.join(root, "*.deb"))[0]
        run("dpkg-deb", "-x", deb, root)
        os.unlink(deb)
        run("depmod", "-b", root, release)
        with open(os.path.join(root, "done"), "w", encoding="ascii"):
            pass
    return os.path.join(root, "boot", f"vmlinuz-{release}"), os.path.join(root, "lib", "modules", release)


def module_files(directory):
    """Files of MODULES and of all that they depend on, in an order in which insmod takes them."""
    depends, soft = {}, {}
    with open(os.path.join(directory, "modules.dep"), encoding="ascii") as f:
        for line in f:
            path, _, rest = line.partition(":")
            depends[path] = rest.split()
    with open(os.path.join(directory, "modules.softdep"), encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[:1] == ["softdep"]:
                soft[words[1]] = [w for w in words[2:] if not w.endswith(":")]
    by_name = {os.path.basename(p).split(".")[0].replace("-", "_"): p for p in depends}
    order = []

    def add(path):
        for d in depends[path]:
            add(d)
        for name in soft.get(os.path.basename(path).split(".")[0].replace("-", "_"), ()):
            if name.replace("-", "_") in by_name and by_name[name.replace("-", "_")] != path:
                add(by_name[name.replace("-", "_")])
        if path not in order:
            order.append(path)

    for name in MODULES:
        if name in by_name:             # else it is built in
            add(by_name[name])
    return order


def libraries(programs):
    """Shared libraries of programs, loader included."""
    out = set()
    for prog in programs:
        done = subprocess.run(["ldd", prog], capture_output=True, text=True, check=False)
        out.update(re.findall(r"(/\S+) \(0x", done.stdout))
    return sorted(out)


def initramfs(directory):
    """Path of the initramfs; made anew when the modules, the programs or init changed."""
    init = os.path.join(HERE, "init")
    files = [(p, p) for p in PROGRAMS + libraries(PROGRAMS) + FILES]
    files.append((init, "/init"))
    order = module_files(directory)
    files += [(os.path.join(directory, m), f"/modules/{i:03}-{os.path.basename(m)}") for i, m in enumerate(order)]
    key = hashlib.sha256()
    for src, dst in files:
        st = os.stat(src)
        key.update(f"{src} {dst} {st.st_size} {st.st_mtime_ns}\n".encode())
    path = os.path.join(CACHE, f"initramfs-{key.hexdigest()[:16]}.cpio")
    if os.path.exists(path):
        return path
    root = path + ".d"
    shutil.rmtree(root, ignore_errors=True)
    for d in ("dev", "proc", "sys", "run/lock/iscsi", "tmp", "etc/iscsi", "mnt", "var/lib/iscsi", "sbin", "bin",
              "usr/sbin", "root", "run/udev"):
        os.makedirs(os.path.join(root, d), exist_ok=True)
    for src, dst in files:
        to = root + dst
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(src, to)            # follows links, keeps the mode
    with open(os.path.join(root, "etc", "passwd"), "w", encoding="ascii") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\n")
    with open(os.path.join(root, "etc", "group"), "w", encoding="ascii") as f:
        f.writelines(f"{g}:x:{i}:\n" for i, g in enumerate(
            ("root", "tty", "disk", "cdrom", "tape", "kmem", "input", "render", "video", "audio", "lp", "dialout",
             "floppy", "sgx", "kvm", "netdev")))
    for old in glob.glob(os.path.join(CACHE, "initramfs-*.cpio")):
        os.unlink(old)
    names = run("find", ".", "-print0", cwd=root)
    with open(path + ".new", "wb") as out:
        subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--quiet"], input=names.encode(), stdout=out, cwd=root,
                       check=True)
    shutil.rmtree(root)
    os.rename(path + ".new", path)
    return path

# SPDX-License-Identifier: BSD-3-Clause
"""The tree as a file system behaves as Linux's configfs: what each system call does and which errno it gives."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import threading
import time

import pytest

from lib.control import RpcError
from lib.daemon import ULIOD
from lib.mounted import MountedDaemon, mount_of
from lib.wait import SCALE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount for all")

IQN = "iqn.2003-01.org.example:t"
INI = "iqn.1994-05.org.example:i"


@pytest.fixture
def mounted():
    d = MountedDaemon()
    try:
        yield d.start()
        d.stop()
    finally:
        d.discard()


def write(path, text, flags=os.O_WRONLY):
    fd = os.open(path, flags)
    try:
        return os.write(fd, text.encode())
    finally:
        os.close(fd)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@contextlib.contextmanager
def fails(number):
    with pytest.raises(OSError) as e:
        yield
    assert e.value.errno == number, f"{errno.errorcode[e.value.errno]} instead of {errno.errorcode[number]}"


def ramdisk(d, name="r1", hba="rd_mcp_0"):
    """A RAM disk that is ready; its directory."""
    so = d.path("core", hba, name)
    if not os.path.exists(os.path.dirname(so)):
        os.mkdir(os.path.dirname(so))
    os.mkdir(so)
    write(f"{so}/control", "rd_pages=256")
    write(f"{so}/enable", "1\n")
    return so


def group(d, iqn=IQN):
    """A portal group; its directory."""
    if not os.path.exists(d.path("iscsi")):
        os.mkdir(d.path("iscsi"))
    os.mkdir(d.path("iscsi", iqn))
    os.mkdir(d.path("iscsi", iqn, "tpgt_1"))
    return d.path("iscsi", iqn, "tpgt_1")


def lun(d, tpg, so, number=0, name="link"):
    os.mkdir(f"{tpg}/lun/lun_{number}")
    os.symlink(so, f"{tpg}/lun/lun_{number}/{name}")
    return f"{tpg}/lun/lun_{number}"


# --- kinds of nodes


def test_kinds_of_nodes(mounted):
    so = ramdisk(mounted)
    tpg = group(mounted)
    place = lun(mounted, tpg, so)
    modes = {so: (stat.S_IFDIR | 0o755, 0), f"{so}/attrib": (stat.S_IFDIR | 0o755, 0),
             f"{so}/enable": (stat.S_IFREG | 0o644, 4096), f"{so}/info": (stat.S_IFREG | 0o444, 4096),
             f"{so}/control": (stat.S_IFREG | 0o200, 4096), f"{place}/link": (stat.S_IFLNK | 0o777, 0)}
    for path, (mode, size) in modes.items():
        st = os.lstat(path)
        assert (st.st_mode, st.st_size, st.st_uid, st.st_gid) == (mode, size, 0, 0), path
    assert os.lstat(mounted.path()).st_nlink == 2 + len([e for e in os.scandir(mounted.path()) if e.is_dir()])
    assert os.lstat(so).st_nlink == 2 + len([e for e in os.scandir(so) if e.is_dir()])
    assert os.path.ismount(mounted.mount_dir)
    assert "configfs" in mount_of(mounted.mount_dir)


def test_inode_numbers_are_unique_and_stay(mounted):
    so = ramdisk(mounted)
    lun(mounted, group(mounted), so)
    seen = {}
    for folder, dirs, files in os.walk(mounted.path()):
        for name in [*dirs, *files, "."]:
            path = os.path.normpath(os.path.join(folder, name))
            ino = os.lstat(path).st_ino
            assert seen.setdefault(ino, path) == path
        for entry in os.scandir(folder):
            assert entry.inode() == os.lstat(entry.path).st_ino
            assert entry.is_dir(follow_symlinks=False) == stat.S_ISDIR(os.lstat(entry.path).st_mode)
            assert entry.is_symlink() == os.path.islink(entry.path)
    assert len(seen) > 100
    again = {os.lstat(path).st_ino: path for path in seen.values()}
    assert again == seen


def test_what_lio_lacks_is_not_shown(mounted):
    os.mkdir(mounted.path("iscsi"))
    with mounted.control() as c:
        assert "isns" in c.call("ls", path="/")["dirs"]
    assert sorted(os.listdir(mounted.mount_dir)) == ["target"]
    assert sorted(os.listdir(mounted.path())) == ["core", "dbroot", "iscsi", "version"]
    assert not os.path.exists(mounted.path("isns"))
    assert os.lstat(mounted.path()).st_nlink == 4


def test_modes_owners_and_times_are_accepted(mounted):
    so = ramdisk(mounted)
    for path in (so, f"{so}/enable"):
        os.chmod(path, 0o600)
        os.chown(path, 1, 1)
        os.utime(path, (1, 1))
    os.truncate(f"{so}/enable", 0)
    assert read(f"{so}/enable") == "1\n"


# --- making and removing


def test_mkdir(mounted):
    so = ramdisk(mounted)
    tpg = group(mounted)
    place = lun(mounted, tpg, so)
    os.mkdir(f"{tpg}/acls/{INI}")
    for parent in (mounted.mount_dir, so, f"{so}/attrib", f"{so}/wwn", f"{so}/pr", place, tpg, f"{tpg}/attrib",
                   f"{tpg}/auth", f"{tpg}/param", mounted.path("core/alua"), mounted.path("iscsi/discovery_auth"),
                   mounted.path("iscsi", IQN, "param"), mounted.path("iscsi", IQN, "fabric_statistics")):
        with fails(errno.EPERM):
            os.mkdir(f"{parent}/x")
    os.mkdir(f"{tpg}/acls/{INI}/lun_0")
    for parent in (so, place, f"{tpg}/acls/{INI}/lun_0"):
        with fails(errno.ENOSYS):
            os.mkdir(f"{parent}/statistics/x")
    with fails(errno.EEXIST):
        os.mkdir(so)
    with fails(errno.EEXIST):
        os.mkdir(f"{so}/enable")
    with fails(errno.EINVAL):
        os.mkdir(mounted.path("core/nonsense"))
    with fails(errno.EINVAL):
        os.mkdir(mounted.path("nonsense"))
    with fails(errno.EINVAL):
        os.mkdir(f"{tpg}/lun/nonsense")
    with fails(errno.ENAMETOOLONG):
        os.mkdir(f"{tpg}/acls/{'x' * 256}")
    with fails(errno.ENOENT):
        os.mkdir(mounted.path("core/rd_mcp_9/x"))


def test_rmdir(mounted):
    so = ramdisk(mounted)
    tpg = group(mounted)
    place = lun(mounted, tpg, so)
    os.mkdir(f"{tpg}/acls/{INI}")
    os.mkdir(f"{tpg}/acls/{INI}/lun_0")
    os.symlink(place, f"{tpg}/acls/{INI}/lun_0/m")
    for path in (mounted.path(), mounted.path("core"), mounted.path("core/alua"), f"{so}/wwn", f"{tpg}/np",
                 f"{so}/alua/default_tg_pt_gp", mounted.path("iscsi/discovery_auth")):
        with fails(errno.EPERM):
            os.rmdir(path)
    for path in (so, place):
        with fails(errno.EBUSY):
            os.rmdir(path)
    for path in (tpg, mounted.path("iscsi", IQN), mounted.path("iscsi"), f"{tpg}/acls/{INI}", os.path.dirname(so)):
        with fails(errno.ENOTEMPTY):
            os.rmdir(path)
    with fails(errno.ENOTDIR):
        os.rmdir(f"{so}/enable")
    with fails(errno.ENOTDIR):
        os.rmdir(f"{place}/link")
    os.unlink(f"{tpg}/acls/{INI}/lun_0/m")
    with fails(errno.ENOTEMPTY):
        os.rmdir(place)     # its own link
    os.unlink(f"{place}/link")
    os.mkdir(f"{so}/alua/g1")
    with fails(errno.ENOTEMPTY):
        os.rmdir(so)
    os.rmdir(f"{so}/alua/g1")
    # all of it goes at once, whatever the kernel has looked at
    for path in (f"{tpg}/acls/{INI}/lun_0", f"{tpg}/acls/{INI}", place, tpg, mounted.path("iscsi", IQN),
                 mounted.path("iscsi"), so, os.path.dirname(so)):
        for folder, _, files in os.walk(path):
            for name in files:
                os.lstat(os.path.join(folder, name))
        os.rmdir(path)
        assert not os.path.lexists(path)
    with fails(errno.ENOENT):
        os.rmdir(so)


def test_rm_r_stops_at_attributes(mounted):
    so = ramdisk(mounted)
    place = lun(mounted, group(mounted), so)
    done = subprocess.run(["rm", "-rf", place], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Operation not permitted" in done.stderr
    assert not os.path.lexists(f"{place}/link") and os.path.isdir(place)


def test_what_configfs_does_not_have(mounted):
    so = ramdisk(mounted)
    with fails(errno.EACCES):
        os.open(f"{so}/new", os.O_CREAT | os.O_WRONLY)
    with fails(errno.EPERM):
        os.mknod(f"{so}/new", stat.S_IFREG | 0o644)
    with fails(errno.EPERM):
        os.mknod(f"{so}/new", stat.S_IFIFO | 0o644)
    with fails(errno.EPERM):
        os.link(f"{so}/enable", f"{so}/new")
    for old, new in ((so, f"{so}2"), (f"{so}/enable", f"{so}/on"), (mounted.path("core"), mounted.path("kore"))):
        with fails(errno.EPERM):
            os.rename(old, new)
    with fails(errno.EPERM):
        os.unlink(f"{so}/enable")
    assert not os.path.exists(f"{so}/new")
    # and it may be made later: nobody remembers that it was not there
    assert not os.path.exists(f"{so}/alua/later")
    os.mkdir(f"{so}/alua/later")
    assert os.path.isdir(f"{so}/alua/later")


# --- attributes


def test_open_modes(mounted):
    so = ramdisk(mounted)
    for path, flags in ((f"{so}/info", os.O_WRONLY), (f"{so}/info", os.O_RDWR), (f"{so}/control", os.O_RDONLY),
                        (f"{so}/control", os.O_RDWR)):
        with fails(errno.EACCES):
            os.open(path, flags)
    os.close(os.open(f"{so}/enable", os.O_RDWR | os.O_TRUNC | os.O_APPEND))


def test_read_renders_once(mounted):
    so = ramdisk(mounted)
    attribute = f"{so}/attrib/emulate_tas"
    fd = os.open(attribute, os.O_RDWR)
    try:
        assert os.pread(fd, 1, 0) == b"1"
        write(attribute, "0")
        assert os.pread(fd, 10, 0) == b"1\n"        # what was rendered
        assert os.pread(fd, 10, 1) == b"\n"
        assert os.pread(fd, 10, 2) == b""
        assert os.pread(fd, 10, 4000) == b""
        assert os.pwrite(fd, b"0", 3000) == 1       # the offset means nothing
        assert os.pread(fd, 10, 0) == b"0\n"        # rendered anew after a write
        os.ftruncate(fd, 0)
        assert os.pread(fd, 10, 0) == b"0\n"
    finally:
        os.close(fd)
    assert os.stat(attribute).st_size == 4096
    done = subprocess.run(["wc", "-c", f"{so}/attrib/block_size"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "4"


def test_writes(mounted):
    so = ramdisk(mounted)
    assert write(f"{so}/udev_path", "/dev/a\n") == 7
    assert read(f"{so}/udev_path") == "/dev/a\n"
    assert write(f"{so}/udev_path", "/dev/b", os.O_WRONLY | os.O_TRUNC) == 6
    assert write(f"{so}/udev_path", "/dev/c", os.O_WRONLY | os.O_APPEND) == 6
    assert read(f"{so}/udev_path") == "/dev/c\n"
    assert write(f"{so}/udev_path", "") == 0
    assert read(f"{so}/udev_path") == "/dev/c\n"
    with fails(errno.EINVAL):
        write(f"{so}/attrib/emulate_tas", "2")
    with fails(errno.EINVAL), open(f"{so}/attrib/emulate_tas", "w", encoding="utf-8") as f:
        f.write("x")


def test_a_write_is_at_most_4095_bytes(mounted):
    os.mkdir(mounted.path("core/rd_mcp_0"))
    os.mkdir(mounted.path("core/rd_mcp_0/r"))
    # Unknown words of control are passed over, so that every length is accepted.
    assert write(mounted.path("core/rd_mcp_0/r/control"), "x" * 4095) == 4095
    assert write(mounted.path("core/rd_mcp_0/r/control"), "x" * 4096) == 4095
    assert write(mounted.path("core/rd_mcp_0/r/control"), "x" * 20000) == 4095


def test_texts_without_a_line(mounted):
    so = ramdisk(mounted)
    tpg = group(mounted)
    os.mkdir(f"{tpg}/acls/{INI}")
    assert read(f"{so}/alias") == ""
    assert read(f"{tpg}/acls/{INI}/tag") == ""
    write(f"{tpg}/acls/{INI}/tag", "group\n")
    assert read(f"{tpg}/acls/{INI}/tag") == "group"
    assert read(f"{tpg}/auth/userid") == "\n"
    assert read(f"{so}/statistics/scsi_tgt_dev/status") == "deactivated"


def test_secrets_are_for_root(mounted):
    tpg = group(mounted)
    write(f"{tpg}/auth/password", "secret of the test")
    assert read(f"{tpg}/auth/password") == "secret of the test\n"
    os.chmod(os.path.dirname(mounted.mount_dir), 0o755)
    script = ("import os, sys\ntry:\n os.read(os.open(sys.argv[1], os.O_RDONLY), 9)\n"
              "except OSError as e:\n print(e.errno)\n")
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c", script,
                           f"{tpg}/auth/password"], capture_output=True, text=True, check=True)
    assert int(done.stdout) == errno.EPERM
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "mkdir", mounted.path("core/rd_mcp_0")],
                          capture_output=True, text=True, check=False)
    assert "Permission denied" in done.stderr


def test_what_has_gone_is_not_there(mounted):
    so = ramdisk(mounted)
    fds = [os.open(f"{so}/attrib/emulate_tas", os.O_RDWR), os.open(f"{so}/info", os.O_RDONLY)]
    folder = os.open(so, os.O_RDONLY | os.O_DIRECTORY)
    before = os.stat(so).st_ino
    os.rmdir(so)
    os.mkdir(so)
    try:
        for fd in fds:
            with fails(errno.ENOENT):
                os.read(fd, 10)
        with fails(errno.ENOENT):
            os.write(fds[0], b"1")
        with fails(errno.ENOENT):
            os.mkdir("x", dir_fd=folder)
        assert os.stat(so).st_ino != before
    finally:
        for fd in [*fds, folder]:
            os.close(fd)


# --- links


def test_links(mounted):
    so = ramdisk(mounted)
    tpg = group(mounted)
    place = f"{tpg}/lun/lun_0"
    os.mkdir(place)
    with fails(errno.EPERM):
        os.symlink(so, f"{so}/l")
    with fails(errno.EPERM):
        os.symlink(so, f"{tpg}/np/l")
    for text, number in (("/sys/kernel/config/target/core/rd_mcp_0/none", errno.ENOENT),
                         ("/nonexistent/x", errno.ENOENT), ("/proc", errno.EPERM), ("/etc/passwd", errno.EPERM),
                         (f"{so}/enable", errno.ENOTDIR), (f"{so}/wwn", errno.EFAULT),
                         ("../../none", errno.ENOENT), ("", errno.ENOENT)):
        with fails(number):
            os.symlink(text, f"{place}/l")
    os.symlink(so, f"{place}/l")
    with fails(errno.EEXIST):
        os.symlink(so, f"{place}/l")
    with fails(errno.EEXIST):
        os.symlink(so, f"{place}/m")        # one link in a LUN
    assert os.readlink(f"{place}/l") == "../" * 6 + "target/core/rd_mcp_0/r1"
    assert os.path.realpath(f"{place}/l") == so
    assert read(f"{place}/l/enable") == "1\n"
    assert sorted(os.listdir(f"{place}/l")) == sorted(os.listdir(so))
    os.mkdir(f"{tpg}/acls/{INI}")
    os.mkdir(f"{tpg}/acls/{INI}/lun_3")
    os.symlink(place, f"{tpg}/acls/{INI}/lun_3/m")
    assert os.readlink(f"{tpg}/acls/{INI}/lun_3/m") == "../" * 7 + f"target/iscsi/{IQN}/tpgt_1/lun/lun_0"
    os.unlink(f"{tpg}/acls/{INI}/lun_3/m")
    os.unlink(f"{place}/l")
    assert not os.path.lexists(f"{place}/l")
    with fails(errno.ENOENT):
        os.unlink(f"{place}/l")


def test_texts_of_links(mounted):
    """Absolute by LIO's place and by the mount's own; relative to the caller, else to the link."""
    so = ramdisk(mounted)
    place = f"{group(mounted)}/lun/lun_0"
    os.mkdir(place)
    for text, cwd in (("/sys/kernel/config/target/core/rd_mcp_0/r1", "/"), (so, "/"),
                      ("/elsewhere/target/core/rd_mcp_0/r1", "/"), (f"{so}/../r1/./", "/"),
                      ("rd_mcp_0/r1", mounted.path("core")), ("../../core/rd_mcp_0/r1", mounted.path("iscsi", IQN)),
                      ("target/core/rd_mcp_0/r1", mounted.mount_dir),
                      ("../" * 6 + "target/core/rd_mcp_0/r1", "/"), ("../../../../../core/rd_mcp_0/r1", "/")):
        subprocess.run(["ln", "-s", text, f"{place}/l"], cwd=cwd, check=True, timeout=20 * SCALE)
        assert os.path.realpath(f"{place}/l") == so, text
        os.unlink(f"{place}/l")


# --- listing


def test_listing_is_in_the_order_of_making(mounted):
    os.mkdir(mounted.path("iscsi"))
    names = [f"iqn.2003-01.org.example:{i * 7919 % 500}" for i in range(500)]
    for name in names:
        os.mkdir(mounted.path("iscsi", name))
    assert [n for n in os.listdir(mounted.path("iscsi")) if n.startswith("iqn.")] == names
    # entries that go while the directory is read neither hide others nor show them twice
    seen = []
    with os.scandir(mounted.path("iscsi")) as entries:
        for entry in entries:
            if entry.name.startswith("iqn."):
                seen.append(entry.name)
                os.rmdir(entry.path)
    assert seen == names
    assert [n for n in os.listdir(mounted.path("iscsi")) if n.startswith("iqn.")] == []


# --- other ways to change the tree


def test_changes_by_the_socket_are_seen(mounted):
    """At once: when the answer comes, no mount shows what has gone."""
    so = ramdisk(mounted)
    tpg = group(mounted)
    place = lun(mounted, tpg, so)
    with mounted.control() as c:
        for _ in range(50):
            links = os.stat(f"{tpg}/acls").st_nlink
            assert not os.path.exists(f"{tpg}/acls/{INI}")
            c.call("mkdir", path=f"/iscsi/{IQN}/tpgt_1/acls/{INI}")
            assert os.path.isdir(f"{tpg}/acls/{INI}/auth")
            assert os.stat(f"{tpg}/acls").st_nlink == links + 1
            c.call("rmdir", path=f"/iscsi/{IQN}/tpgt_1/acls/{INI}")
            assert not os.path.exists(f"{tpg}/acls/{INI}")
            assert not os.path.exists(f"{tpg}/acls/{INI}/auth")
            assert os.stat(f"{tpg}/acls").st_nlink == links
        c.call("unlink", path=f"/iscsi/{IQN}/tpgt_1/lun/lun_0/link")
        assert not os.path.lexists(f"{place}/link")
        c.call("set", path="/core/rd_mcp_0/r1/attrib/emulate_tas", value="0")
        assert read(f"{so}/attrib/emulate_tas") == "0\n"
        write(f"{so}/attrib/emulate_tas", "1")
        assert c.call("get", path="/core/rd_mcp_0/r1/attrib/emulate_tas") == "1"


def wait_for(true):
    end = time.monotonic() + 10 * SCALE
    while not true():
        assert time.monotonic() < end
        os.sched_yield()


def turmoil(d, seconds):
    """Socket and mount make and remove the same directories: no deadlock, and all agree in the end."""
    tpg = group(d)
    end = time.monotonic() + seconds
    made, errors = [0] * 8, []
    allowed = {errno.EEXIST, errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY}

    def by_mount(k):
        i = 0
        while time.monotonic() < end:
            path = f"{tpg}/acls/{INI}{i % 5}"
            i += 1
            for step in (lambda: os.mkdir(path), lambda: os.mkdir(f"{path}/lun_0"),  # noqa: B023
                         lambda: os.listdir(path), lambda: os.rmdir(f"{path}/lun_0"),  # noqa: B023
                         lambda: os.rmdir(path)):  # noqa: B023
                try:
                    step()
                    made[k] += 1
                except OSError as e:
                    if e.errno not in allowed:
                        errors.append(e)

    def by_socket(k):
        i = 0
        with d.control(timeout=60) as c:
            while time.monotonic() < end:
                path = f"/iscsi/{IQN}/tpgt_1/acls/{INI}{i % 5}"
                i += 1
                for method, at in (("mkdir", path), ("mkdir", f"{path}/lun_0"), ("rmdir", f"{path}/lun_0"),
                                   ("rmdir", path)):
                    try:
                        c.call(method, path=at)
                        made[k] += 1
                    except RpcError as e:
                        if getattr(errno, e.data["errno"]) not in allowed:
                            errors.append(e)

    threads = [threading.Thread(target=by_mount if k % 2 else by_socket, args=(k,), daemon=True) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(seconds + 60 * SCALE)
        assert not t.is_alive(), "a deadlock"
    assert not errors, errors[:5]
    assert min(made) > 0, made
    with d.control() as c:
        assert c.call("ls", path=f"/iscsi/{IQN}/tpgt_1/acls")["dirs"] == os.listdir(f"{tpg}/acls")
        for name in os.listdir(f"{tpg}/acls"):
            wait_for(lambda: os.path.isdir(f"{tpg}/acls/{name}"))  # noqa: B023
    return sum(made)


def test_socket_and_mount_at_once(mounted):
    turmoil(mounted, 3)


@pytest.mark.slow
def test_socket_and_mount_at_once_for_long(mounted):
    turmoil(mounted, 60)


def test_one_of_many_makers_wins(mounted):
    os.mkdir(mounted.path("iscsi"))
    for i in range(20):
        won, path = [], mounted.path("iscsi", f"{IQN}{i}")

        def make():
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)  # noqa: B023
                won.append(1)  # noqa: B023

        threads = [threading.Thread(target=make) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(won) == 1


# --- the life of the mount


def test_end_unmounts(mounted):
    fd = os.open(mounted.path(), os.O_RDONLY)
    mounted.stop()
    assert mount_of(mounted.mount_dir) is None
    with fails(errno.ENOTCONN):
        os.listdir(fd)
    os.close(fd)
    mounted.start()
    assert os.path.isdir(mounted.path("core"))


def test_death_leaves_no_mount(mounted):
    ramdisk(mounted)
    mounted.proc.send_signal(signal.SIGKILL)
    mounted.proc.wait()
    wait_for(lambda: mount_of(mounted.mount_dir) is None)
    assert os.listdir(mounted.mount_dir) == []
    mounted.start()
    assert os.listdir(mounted.path("core")) == ["alua"]


def test_death_while_all_change_the_tree(mounted):
    """Whoever waits for an answer is let go, also when a directory is locked by it that a thread waits for."""
    acls = f"{group(mounted)}/acls"
    gone = []

    def by_mount(k):
        for i in range(10**9):
            try:
                os.mkdir(f"{acls}/{INI}{i % 5}")
                os.listdir(acls)
                os.rmdir(f"{acls}/{INI}{i % 5}")
            except OSError as e:
                if e.errno in (errno.ENOTCONN, errno.ECONNABORTED) or mount_of(mounted.mount_dir) is None:
                    gone.append(k)
                    return

    def by_socket(k):
        with contextlib.suppress(OSError), mounted.control(timeout=60) as c:
            for i in range(10**9):
                for method in ("mkdir", "rmdir"):
                    with contextlib.suppress(RpcError):
                        c.call(method, path=f"/iscsi/{IQN}/tpgt_1/acls/{INI}{i % 5}")
        gone.append(k)

    threads = [threading.Thread(target=by_mount if k % 2 else by_socket, args=(k,), daemon=True) for k in range(6)]
    for t in threads:
        t.start()
    with mounted.control() as c:
        for _ in range(200):
            c.call("status")
    mounted.proc.send_signal(signal.SIGKILL)
    mounted.proc.wait()
    for t in threads:
        t.join(20 * SCALE)
    assert sorted(gone) == list(range(6))
    wait_for(lambda: mount_of(mounted.mount_dir) is None)


def test_dead_mount_is_replaced(mounted):
    """A daemon that was killed together with its watcher leaves a dead mount, and the next one clears it away."""
    children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(mounted.proc.pid)], capture_output=True,
                              text=True, check=True).stdout.split("\n")
    watcher = next(int(line.split()[0]) for line in children if "uliod-unmount" in line)
    os.kill(watcher, signal.SIGKILL)
    mounted.proc.send_signal(signal.SIGKILL)
    mounted.proc.wait()
    assert mount_of(mounted.mount_dir) is not None
    with fails(errno.ENOTCONN):
        os.listdir(mounted.mount_dir)
    mounted.start()
    assert os.listdir(mounted.path("core")) == ["alua"]
    mounted.stop()
    assert mount_of(mounted.mount_dir) is None


def test_unmounting_by_hand(mounted):
    ramdisk(mounted)
    subprocess.run(["umount", mounted.mount_dir], check=True)
    with mounted.control() as c:
        assert "rd_mcp_0" in c.call("ls", path="/core")["dirs"]


def refused(d, *args):
    done = subprocess.run([ULIOD, *d.command()[1:], *args], capture_output=True, text=True, timeout=30 * SCALE,
                          check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_where_it_cannot_be_mounted(mounted):
    other = MountedDaemon(mount=False)
    try:
        missing = os.path.join(other.dir, "missing")
        assert f"--mount {missing}: No such file" in refused(other, f"--mount={missing}")
        plain = os.path.join(other.dir, "file")
        write(plain, "", os.O_WRONLY | os.O_CREAT)
        assert f"--mount {plain}: is no directory" in refused(other, f"--mount={plain}")
        assert "is there already" in refused(other, f"--mount={mounted.mount_dir}")
    finally:
        other.discard()
    assert os.path.isdir(mounted.path("core"))



def test_own_mount_as_a_place(mounted):
    """Paths below the mount are refused where the daemon would have to answer itself, and it lives on."""
    d = mounted
    dbroot, so = d.path("dbroot"), d.path("core", "fileio_0", "f")
    with pytest.raises(OSError):
        write(dbroot, d.path("core") + "\n")
    os.mkdir(os.path.dirname(so))
    os.mkdir(so)
    for path in (dbroot, d.path("core", "nothing")):
        write(os.path.join(so, "control"), f"fd_dev_name={path},fd_dev_size=1048576")
        with pytest.raises(OSError):
            write(os.path.join(so, "enable"), "1\n")
        assert path in read(os.path.join(so, "info"))
    with d.control() as c, pytest.raises(RpcError, match="EDEADLK|[Dd]eadlock"):
        c.call("migrate", root=d.path())
    assert "core" in os.listdir(d.path())


def test_end_while_the_mount_waits():
    """The daemon ends although a request through the mount waits for something slow; nothing stays mounted."""
    d = MountedDaemon()
    ended = []

    def change(path):
        try:
            write(path, "1")
        except OSError as e:
            ended.append(e.errno)

    try:
        d.start()
        group = os.path.join(ramdisk(d), "alua", "default_tg_pt_gp")
        write(os.path.join(group, "trans_delay_msecs"), "30000")
        slow = threading.Thread(target=change, args=(os.path.join(group, "alua_access_state"),))
        slow.start()
        with d.control() as c:
            while c.call("get", path="/core/rd_mcp_0/r1/alua/default_tg_pt_gp/alua_access_state").strip() != "15":
                pass
        d.proc.terminate()
        d.proc.wait(20 * SCALE)
        slow.join(20 * SCALE)
        assert not slow.is_alive() and ended
        wait_for(lambda: mount_of(d.mount_dir) is None)
    finally:
        d.discard()

# SPDX-License-Identifier: BSD-3-Clause
"""The tree beside that of a running LIO: every directory, file, mode and text of its dump, and nothing else.

What differs stands in DIFFERENT and MORE with its reason; an entry there that no longer differs fails
the test as well.
"""

import fnmatch
import os

import pytest

from lib.daemon import SOURCE
from lib.liotree import parse_dump, walk_mount, walk_socket

DUMP = os.path.join(SOURCE, "tests", "data", "lio-configfs-tree.txt")
IQN = "iqn.2003-01.org.linux-iscsi.vmrig:t0"
INI = "iqn.2003-01.org.vmrig:init-a"
TPG = f"/iscsi/{IQN}/tpgt_1"
ACL = f"{TPG}/acls/{INI}"
DISKS = ["fileio_0/disk0", "fileio_1/disk1", "rd_mcp_2/rd0", "iblock_3/blk0"]

# Paths of LIO's dump whose text is another one here, and why.
DIFFERENT = {
    "/version": "the running system's name and release",
    "/dbroot": "a test has a directory of its own",
    "*/statistics/*/creation_time": "when it was made",
    "/core/iblock_3/blk0/info": "the name and the number of this machine's block device",
    "/core/iblock_3/blk0/udev_path": "the path of this machine's block device",
    "/core/*/*/attrib/emulate_3pc": "EXTENDED COPY is not served",
    "/core/[fr]*/*/attrib/max_unmap_block_desc_count": "UNMAP takes more than one descriptor",
    "/core/[fr]*/*/attrib/max_unmap_lba_count": "UNMAP takes any length",
    "/core/[fr]*/*/attrib/max_write_same_len": "WRITE SAME takes what a transfer does",
    "/core/[fr]*/*/attrib/unmap_granularity": "that of the file system, of a page of memory",
    "/core/[fr]*/*/attrib/unmap_zeroes_data": "a hole in a file and a freed page read as zeroes",
    "/core/rd_mcp_2/rd0/attrib/emulate_tp[uw]*": "a RAM disk gives memory back",
    "/core/rd_mcp_2/rd0/attrib/optimal_sectors": "a transfer of more than 8 MiB is not taken",
    "*/tpgt_1/param/FirstBurstLength": "fewer round trips on today's networks",
    "*/tpgt_1/param/MaxBurstLength": "fewer round trips on today's networks",
    "*/tpgt_1/param/MaxOutstandingR2T": "fewer round trips on today's networks",
    "*/tpgt_1/param/MaxRecvDataSegmentLength": "fewer PDUs on today's networks",
    "*/tpgt_1/param/TargetAlias": "it is not LIO",
}
# The same, where that depends on the machine: its CPUs, the disk below the files, the loop device.
MACHINE = {"/iscsi/cpus_allowed_list", "/core/fileio_*/*/attrib/is_nonrot"} | {
    f"/core/iblock_3/blk0/attrib/{name}" for name in (
        "hw_max_sectors", "optimal_sectors", "hw_queue_depth", "queue_depth", "is_nonrot",
        "max_unmap_block_desc_count", "max_unmap_lba_count", "max_write_same_len", "unmap_granularity",
        "unmap_granularity_alignment", "unmap_zeroes_data")}
# What LIO 6.1 has not, but later kernels have.
MORE = {
    "/core/*/*/attrib/emulate_rsoc": "Linux 6.3",
    "/core/*/*/attrib/submit_type": "Linux 6.7",
    "/iscsi/*/tpgt_1/rtpi": "Linux 6.5",
}


def build(ctl, d, block):
    """What Debian's targetcli had made when the dump was written."""
    sizes = (134217728, 268435456)
    for hba, n in (("fileio_0", 0), ("fileio_1", 1)):
        so = f"/core/{hba}/disk{n}"
        ctl.call("mkdir", path=f"/core/{hba}")
        ctl.call("mkdir", path=so)
        ctl.call("set", path=f"{so}/control", value=f"fd_dev_name={d.dir}/disk{n}.img,fd_dev_size={sizes[n]}")
        if n == 1:
            ctl.call("set", path=f"{so}/attrib/emulate_write_cache", value="1")
            ctl.call("set", path=f"{so}/control", value="fd_buffered_io=1")
        ctl.call("set", path=f"{so}/udev_path", value=f"{d.dir}/disk{n}.img")
    for so, words in (("rd_mcp_2/rd0", "rd_pages=16384"), ("iblock_3/blk0", f"udev_path={block},readonly=0")):
        ctl.call("mkdir", path=f"/core/{so.split('/')[0]}")
        ctl.call("mkdir", path=f"/core/{so}")
        ctl.call("set", path=f"/core/{so}/control", value=words)
    ctl.call("set", path="/core/iblock_3/blk0/udev_path", value=block)
    lio = parse_dump(DUMP)
    for so in DISKS:
        ctl.call("set", path=f"/core/{so}/enable", value="1")
        ctl.call("set", path=f"/core/{so}/attrib/emulate_model_alias", value="1")
        serial = lio[f"/core/{so}/wwn/vpd_unit_serial"].text.split(": ")[1]
        ctl.call("set", path=f"/core/{so}/wwn/vpd_unit_serial", value=serial)
    for so in ("fileio_0/disk0", "fileio_1/disk1", "iblock_3/blk0"):
        for name in ("emulate_tpu", "emulate_tpws"):
            ctl.call("set", path=f"/core/{so}/attrib/{name}", value=lio[f"/core/{so}/attrib/{name}"].text)
    build_target(ctl, d, {p.rsplit("/", 1)[0]: p for p, e in lio.items() if e.mode[0] == "l"})


def build_target(ctl, d, links):
    """links: those of the dump by their directory."""
    for path in (f"/iscsi/{IQN}", TPG):
        ctl.call("mkdir", path=path)
    for name, value in (("authentication", 0), ("generate_node_acls", 1), ("demo_mode_write_protect", 0),
                        ("default_erl", 2)):
        ctl.call("set", path=f"{TPG}/attrib/{name}", value=str(value))
    for name, value in (("ErrorRecoveryLevel", 2), ("MaxConnections", 4)):
        ctl.call("set", path=f"{TPG}/param/{name}", value=f"{value}\n")
    for n, so in enumerate(DISKS):
        ctl.call("mkdir", path=f"{TPG}/lun/lun_{n}")
        ctl.call("link", path=links[f"{TPG}/lun/lun_{n}"], target=f"/core/{so}")
    ctl.call("mkdir", path=f"{TPG}/np/127.0.0.1:{d.port}")
    ctl.call("mkdir", path=ACL)
    for n in range(4):
        ctl.call("mkdir", path=f"{ACL}/lun_{n}")
        ctl.call("link", path=links[f"{ACL}/lun_{n}"], target=f"{TPG}/lun/lun_{n}")
    ctl.call("set", path=f"{TPG}/enable", value="1")


def renamed(tree, d):
    """With the paths of the dump: its disks lie in /var/lun, its portal is 0.0.0.0:3260."""
    def text(s):
        return s.replace(f"{d.dir}/", "/var/lun/") if s else s
    return {p.replace(f"127.0.0.1:{d.port}", "0.0.0.0:3260"): e._replace(text=text(e.text)) for p, e in tree.items()}


def is_listed(path, table):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in table)


def compare(lio, here):
    """What is wrong, a line each, and which patterns were needed."""
    wrong, used = [], set()
    for path in sorted(set(lio) | set(here)):
        a, b = lio.get(path), here.get(path)
        if not b:
            wrong.append(f"{path}: LIO has it ({a.mode})")
        elif not a:
            if is_listed(path, MORE):
                used |= {p for p in MORE if fnmatch.fnmatchcase(path, p)}
            else:
                wrong.append(f"{path}: LIO has it not ({b.mode})")
        elif a.mode != b.mode:
            wrong.append(f"{path}: {b.mode}, LIO {a.mode}")
        elif bool(a.error) != bool(b.error):
            wrong.append(f"{path}: read says {b.error}, LIO {a.error}")
        elif a.text != b.text and b.text is not None:
            by = {p for p in DIFFERENT if fnmatch.fnmatchcase(path, p)}
            used |= by
            if not by and not is_listed(path, MACHINE):
                wrong.append(f"{path}: {b.text!r}, LIO {a.text!r}")
    return wrong, used


def test_tree_is_that_of_lio(serve, block):
    """Every entry of LIO's tree with its mode and its text, and none that it has not."""
    d = serve(lambda d: {"storage_objects": [], "targets": [], "fabric_modules": []})
    with d.control() as ctl:
        build(ctl, d, block)
        lio, here = parse_dump(DUMP), renamed(walk_socket(ctl), d)
    wrong, used = compare(lio, here)
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong)
    assert used == set(DIFFERENT) | set(MORE), "listed, but not different"


# Of a mount: what has no newline behind it, and what is a newline if there is nothing else.
NO_NEWLINE = ["*/acls/*/tag", "*/statistics/scsi_tgt_dev/status"]
EMPTY_LINE = ["*/auth/*", "*/discovery_auth/*", "*/param/*", "*/wwn/vendor_id", "*/wwn/product_id", "*/wwn/revision"]


def test_mount_is_that_of_lio(block):
    """The same of the mounted tree, secrets included, and how each text ends."""
    d = pytest.importorskip("lib.mounted").MountedDaemon()
    d.write({"storage_objects": [], "targets": [], "fabric_modules": []})
    try:
        d.start()
        with d.control() as ctl:
            build(ctl, d, block)
            ctl.call("set", path=f"{ACL}/tag", value="a-tag")
            here = renamed(walk_mount(d.path()), d)
    finally:
        d.stop()
        d.discard()
    tag = here.pop(f"{ACL}/tag")
    assert (tag.text, tag.file) == ("a-tag", "text")
    lio = parse_dump(DUMP)
    del lio[f"{ACL}/tag"]
    wrong = compare(lio, here)[0]
    for path, e in here.items():
        want = "text" if is_listed(path, NO_NEWLINE) else \
            "line" if e.text or is_listed(path, EMPTY_LINE) else "empty"
        if e.file and e.file != want:
            wrong.append(f"{path}: {e.text!r} is a {e.file}, in LIO a {want}")
    assert not wrong, "\n".join(wrong)

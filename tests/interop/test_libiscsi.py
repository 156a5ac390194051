# SPDX-License-Identifier: BSD-3-Clause
"""libiscsi's conformance suite over every kind of disk, judged by expected.toml."""

import os

import pytest

import icu
from lib.capture import Capture

DISKS = {
    "ram": "ram:128M",
    "file-direct": "file:{dir}/d.img,size=128M,direct=yes",
    "file-buffered": "file:{dir}/d.img,size=128M,direct=no",
    "512e": "file:{dir}/d.img,size=128M",
    "4k": "file:{dir}/d.img,size=128M,block=4096",
    "removable": "file:{dir}/d.img,size=128M,removable=yes",
}
QUICK = {"ram"}


@pytest.mark.parametrize("disk", DISKS)
def test_iscsi_test_cu(new_daemon, lun, disk, quick):
    """iscsi-test-cu -d -S -t ALL URL URL: nothing fails, nothing is skipped that is not listed."""
    if quick and disk not in QUICK:
        pytest.skip("quick run")
    d = new_daemon(disks=[DISKS[disk]])
    log = os.path.join(d.dir, "iscsi-test-cu.log")
    outcomes = icu.run(d.url(lun), d.url(lun), log)
    bad = icu.Expected().compare(disk, outcomes)
    assert not bad, f"{len(bad)} differences from expected.toml:\n" + "\n".join(bad)
    d.check()


def test_read_only_disk(new_daemon, lun):
    """The suite's ReadOnly family on a write-protected disk: nothing fails; of the writing commands only
    those are left out that are not there."""
    d = new_daemon(disks=["file:{dir}/d.img,size=32M"])
    d.stop()
    d.disks = [d.disks[0] + ",readonly=yes"]
    d.start()
    outcomes = icu.run(d.url(lun), d.url(lun), os.path.join(d.dir, "icu.log"), what="ALL.ReadOnly")
    for o in outcomes.values():
        assert o.state != "failed" and all(w.endswith(" is not implemented.") for w in o.why), o.why


CAPTURED = ["Inquiry", "Mandatory", "ModeSense6", "Read6", "Read10", "ReadCapacity16", "ReportSupportedOpcodes",
            "Reserve6", "TestUnitReady", "Write10", "iSCSIcmdsn", "iSCSIdatasn",
            "iSCSIResiduals", "iSCSITMF", "iSCSISendTargets", "iSCSINop"]


def test_capture_of_the_suite(new_daemon, lun, tmp_path):
    """tshark finds no malformed PDU and no expert error in what the daemon sends during the suite. What
    the suite itself sends is not judged: it breaks rules on purpose."""
    d = new_daemon(disks=["ram:64M"])
    url = d.url(lun)
    with Capture(d.port, str(tmp_path)) as c:
        for suite in CAPTURED:
            icu.run(url, url, str(tmp_path / "icu.log"), what=f"ALL.{suite}")
    c.verdict(ignore=f"tcp.dstport == {d.port}")

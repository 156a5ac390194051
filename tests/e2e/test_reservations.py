# SPDX-License-Identifier: BSD-3-Clause
"""Persistent reservations as an administrator sees them: who has registered, what of it outlives a restart
of uliod, where it lies, and how registrations are cleared that nobody comes back for."""

import glob
import json
import os
import pwd
import re

import pytest

from lib import pr, scsi
from lib.control import RpcError
from lib.initiator import new_isid

NODE = "iqn.2026-01.example.test:node{}"


@pytest.fixture
def served(new_daemon):
    return new_daemon(disks=["file:{dir}/disk.img,size=8M", "ram:8M"])


def node(d, i, isid=None, lun=0):
    """An initiator that is logged in and has been told of its unit attentions."""
    h = pr.Host(d.session(name=NODE.format(i), isid=isid), lun)
    pr.attentions([h])
    return h


def call(d, method, **params):
    with d.control() as c:
        return c.call(method, **params)


def listed(d, disk="disk0"):
    """What reservation.list tells of a disk."""
    found, = call(d, "reservation.list", disk=disk)
    return found


def kept_file(d, disk="disk0"):
    return os.path.join(d.state_dir, "pr", "aptpl_" + listed(d, disk)["serial"])


def test_list(served):
    """Names, ISID, target port, key, age, holder, type, generation, whether it is kept, and the session."""
    d = served
    assert call(d, "reservation.list") == []
    a, b = node(d, 1), node(d, 2)
    a.register(0x123456789ABCDEF0, aptpl=1)
    b.register(2, aptpl=1, all_tg_pt=1)
    a.reserve(pr.WE_RO)
    r = listed(d)
    assert (r["disk"], r["type"], r["type_name"]) == ("disk0", pr.WE_RO, "write exclusive, registrants only")
    assert r["kept"] and r["can_be_kept"] and not r["lost"] and r["generation"] == 2
    one, two = r["registrations"]
    with d.control() as c:
        tsih = {s["initiator"]: (s["tsih"], s["connections"][0]["peer"]) for s in c.call("sessions.list")}
    assert (one["initiator"], one["isid"]) == (NODE.format(1), a.s.isid.hex())
    assert (one["target"], one["tpg"], one["lun"], one["target_lun"]) == (d.iqn, 1, 0, 0)
    assert one["rtpi"] == a.rtpi()
    assert one["key"] == "0x123456789abcdef0" and one["holder"] and not one["all_target_ports"]
    assert 0 <= one["age_s"] < 60
    assert (one["session"], one["peer"]) == tsih[NODE.format(1)]
    assert not two["holder"] and two["all_target_ports"] and two["key"] == "0x0000000000000002"
    # who is gone stays registered
    b.s.logout()
    two = listed(d)["registrations"][1]
    assert two["session"] is None and two["peer"] is None
    # of all disks: those that have something
    assert [x["disk"] for x in call(d, "reservation.list")] == ["disk0"]
    assert listed(d, "disk1")["registrations"] == []
    text = d.ulio("reservation", "list")
    assert "disk0: reservation: write exclusive, registrants only; generation 2; outlives a restart" in text
    assert re.search(rf"{NODE.format(1)} +{a.s.isid.hex()} +{re.escape(d.iqn)} +1 +0x123456789abcdef0 +yes", text)
    assert "no registrations" in d.ulio("reservation", "list", "disk1")
    assert json.loads(d.ulio("--json", "reservation", "list"))[0]["disk"] == "disk0"
    with pytest.raises(RpcError):
        listed(d, "nosuch")
    a.s.logout()


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_restart(served, kill):
    """SPC-4 5.12.5: registrations and reservation are back before the first command, and only those of APTPL."""
    d = served
    isids = [new_isid() for _ in range(3)]
    a, b = node(d, 1, isids[0]), node(d, 2, isids[1])
    a.register(11, aptpl=1)
    b.register(22, aptpl=1)
    a.reserve(pr.EA_RO)
    ram = node(d, 1, lun=1)
    ram.register(33)                        # not to be kept
    ram.reserve(pr.WE)
    before = listed(d)["registrations"]
    for _ in range(2):
        d.kill() if kill else d.stop()      # pylint: disable=expression-not-assigned
        for h in (a, b, ram):
            h.s.close()
        d.start()
        after = listed(d)
        assert [x["registered"] for x in after["registrations"]] == [x["registered"] for x in before]
        assert after["type"] == pr.EA_RO and after["kept"] and after["generation"] == 0
        stranger = d.session(name=NODE.format(3), isid=isids[2])
        cmd = stranger.start(scsi.write10(0, 1), write=bytes(512))
        first = stranger.wait(cmd)          # the unit attention of a new nexus is told before
        assert first.sense and first.sense.key == scsi.UNIT_ATTENTION
        assert stranger.scsi(scsi.write10(0, 1), write=bytes(512)).status == scsi.RESERVATION_CONFLICT
        assert stranger.scsi(scsi.read10(0, 1), read=512).status == scsi.RESERVATION_CONFLICT
        a, b = node(d, 1, isids[0]), node(d, 2, isids[1])
        a.scsi(scsi.write10(0, 1), write=bytes(512)).good()
        b.scsi(scsi.write10(0, 1), write=bytes(512)).good()
        assert sorted(a.keys().keys) == [11, 22] and a.reservation().key == 11
        ram = node(d, 2, lun=1)
        assert ram.keys().keys == [] and ram.reservation().key is None
        stranger.logout()
    # another ISID is another initiator port
    other = node(d, 1)
    assert other.scsi(scsi.write10(0, 1), write=bytes(512)).status == scsi.RESERVATION_CONFLICT
    for h in (a, b, ram, other):
        h.s.logout()


def test_file_of_lio(served):
    """What lies there is LIO's file, with its NUL, for nobody else to read."""
    d = served
    a = node(d, 1)
    a.register(0x1234, aptpl=1)
    a.reserve(pr.WE)
    path = kept_file(d)
    with open(path, "rb") as f:
        text = f.read()
    assert text == (f"PR_REG_START: 0\ninitiator_fabric=iSCSI\ninitiator_node={NODE.format(1)}\n"
                    f"initiator_sid={a.s.isid.hex()}\nsa_res_key=4660\nres_holder=1\nres_type=01\nres_scope=00\n"
                    f"res_all_tg_pt=0\nmapped_lun=0\ntarget_fabric=iSCSI\ntarget_node={d.iqn}\ntpgt=1\n"
                    f"port_rtpi={a.rtpi()}\ntarget_lun=0\nPR_REG_END: 0\n\0").encode()
    assert os.stat(path).st_mode & 0o777 == 0o600
    a.out(pr.CLEAR).good()
    with open(path, "rb") as f:
        assert f.read() == b"No Registrations or Reservations\0"
    a.s.logout()


def test_damaged_file(served):
    """It is found, kept aside and told; the state before it was damaged is in force."""
    d = served
    isid = new_isid()
    a = node(d, 1, isid)
    a.register(7, aptpl=1)
    a.reserve(pr.EA)
    path = kept_file(d)
    d.stop()
    with open(path, "r+b") as f:
        f.truncate(100)
    d.start()
    assert "is damaged" in d.log() and ".damaged-1" in d.log() and " error pr: " in d.log()
    assert os.path.getsize(path + ".damaged-1") == 100
    assert [x["key"] for x in listed(d)["registrations"]] == ["0x0000000000000007"]
    stranger = node(d, 2)
    assert stranger.scsi(scsi.read10(0, 1), read=512).status == scsi.RESERVATION_CONFLICT
    # without a generation it is known to be lost, and nobody is let to the data
    d.stop()
    for g in glob.glob(os.path.join(d.state_dir, "pr", "ulio", "*")):
        os.unlink(g)
    with open(path, "wb"):
        pass
    d.start()
    assert "are lost" in d.log()
    assert listed(d)["lost"]
    assert "LOST" in d.ulio("reservation", "list")
    stranger = pr.Host(d.session(name=NODE.format(2)))
    while (r := stranger.scsi(scsi.read10(0, 1), read=512)).sense.key == scsi.UNIT_ATTENTION:
        pass
    r.check(scsi.DATA_PROTECT, (0x44, 1))        # PERSISTENT RESERVATION INFORMATION LOST
    d.ulio("reservation", "clear", "disk0", "--all")
    stranger.scsi(scsi.read10(0, 1), read=512).good()
    assert not listed(d)["lost"]
    d.stop()
    d.start()
    stranger = node(d, 2)
    stranger.scsi(scsi.read10(0, 1), read=512).good()
    stranger.s.logout()


def test_clear(served):
    """Stale ones, those of one initiator, of one port, all: never of a port at work without force."""
    d = served
    a, b = node(d, 1), node(d, 2)
    again = node(d, 2)                      # the same initiator by another port
    gone = node(d, 3)
    for h, key in ((a, 1), (b, 2), (again, 3), (gone, 4)):
        h.register(key, aptpl=1)
    gone.reserve(pr.WE_RO)
    gone.s.logout()

    def keys():
        return [int(x["key"], 16) for x in listed(d)["registrations"]]

    text = d.ulio("reservation", "clear", "disk0", "--initiator", NODE.format(2), fails=True)
    assert "logged in" in text and "force" in text
    assert "logged in" in d.ulio("reservation", "clear", "disk0", "--all", fails=True)
    assert keys() == [1, 2, 3, 4]
    assert d.ulio("reservation", "clear", "disk0", "--stale").strip() == "1 cleared"
    assert keys() == [1, 2, 3]
    assert listed(d)["type"] == 0
    assert pr.told([a, b]) == [pr.RESERVATIONS_RELEASED] * 2
    assert re.search(r"warn \w+: disk0: the registration of " + NODE.format(3), d.log())
    assert d.ulio("reservation", "clear", "disk0", "--stale").strip() == "0 cleared"
    d.ulio("reservation", "clear", "disk0", "--initiator", NODE.format(2), "--isid", b.s.isid.hex(), "--force")
    assert keys() == [1, 3]
    assert pr.told([b]) == [pr.REGISTRATIONS_PREEMPTED]
    assert "no such registration" in d.ulio("reservation", "clear", "disk0", "--initiator", NODE.format(9), fails=True)
    assert "no such registration" in d.ulio("reservation", "clear", "disk0", "--initiator", NODE.format(1),
                                            "--target", "iqn.2026-01.example.test:other", fails=True)
    assert "which registrations" in d.ulio("reservation", "clear", "disk0", fails=True)
    assert "which registrations" in d.ulio("reservation", "clear", "disk0", "--all", "--stale", fails=True)
    assert d.ulio("reservation", "clear", "disk0", "--all", "--force").strip() == "2 cleared"
    assert keys() == []
    # as durable as what initiators do
    d.kill()
    d.start()
    assert keys() == []


def test_nowhere_to_keep_it(new_daemon):
    """SPC-4 6.16.3: then APTPL is refused, and REPORT CAPABILITIES says so."""
    d = new_daemon(disks=["ram:8M"], args=["--dbroot", "none"])
    a = node(d, 1)
    assert not a.capabilities().ptpl_c
    r = a.out(pr.REGISTER, 0, 5, aptpl=1)
    assert (r.sense.key, r.sense.asc, r.sense.ascq) == (scsi.ILLEGAL_REQUEST, 0x26, 0)
    a.register(5)
    assert not listed(d)["can_be_kept"]
    assert "does not outlive a restart, and cannot" in d.ulio("reservation", "list")
    assert call(d, "get", path="/dbroot") == ""
    a.s.logout()


def test_full_disk_refuses(new_daemon):
    """SPC-4 5.12.5: what cannot be made durable is not GOOD: INSUFFICIENT REGISTRATION RESOURCES."""
    d = new_daemon(disks=["ram:8M"])
    a, b = node(d, 1), node(d, 2)
    a.register(1, aptpl=1)
    # the place is gone: nothing can be written there, whoever we are
    os.rename(os.path.join(d.state_dir, "pr"), os.path.join(d.state_dir, "away"))
    r = b.out(pr.REGISTER, 0, 2, aptpl=1)
    assert (r.sense.asc, r.sense.ascq) == pr.INSUFFICIENT_REGISTRATION_RESOURCES
    assert a.keys().keys == [1]
    assert "cannot be written" in d.log()
    os.rename(os.path.join(d.state_dir, "away"), os.path.join(d.state_dir, "pr"))
    b.out(pr.REGISTER, 0, 2, aptpl=1).good()
    assert sorted(a.keys().keys) == [1, 2]


def open_to_all(d):
    """Start with a notification socket that every user may write to, as systemd's is."""
    mask = os.umask(0)
    try:
        d.start()
    finally:
        os.umask(mask)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_as_another_user(new_daemon):
    """--user: what is kept is given to that user, what a run as root has left too; a link out of it is not."""
    d = new_daemon(start=False, disks=["ram:8M"])
    os.chmod(d.dir, 0o755)
    open_to_all(d)
    isid = new_isid()
    a = node(d, 1, isid)
    a.register(1, aptpl=1)
    path = kept_file(d)
    d.stop()
    outside = os.path.join(d.dir, "outside")
    with open(outside, "w", encoding="ascii"):
        pass
    os.symlink(outside, os.path.join(d.state_dir, "pr", "link"))
    os.link(outside, os.path.join(d.state_dir, "pr", "another name"))
    d.args += ["--user", "nobody"]
    open_to_all(d)
    nobody = pwd.getpwnam("nobody").pw_uid
    assert os.stat(path).st_uid == nobody
    assert os.stat(outside).st_uid == 0
    a = node(d, 1, isid)
    assert a.keys().keys == [1]
    a.register(2, aptpl=1)
    d.kill()
    open_to_all(d)
    assert [x["key"] for x in listed(d)["registrations"]] == ["0x0000000000000002"]


def test_force_aptpl(served):
    """attrib/force_pr_aptpl: kept, whether the initiator asks for it or not; LIO's pr/ files."""
    d = served
    with d.control() as c:
        c.call("lun.remove", lun=0)
        disk = "/core/fileio_0/disk0"
        c.call("set", path=disk + "/attrib/force_pr_aptpl", value="1")
        c.call("lun.add", disk="disk0", lun=0)
    a = node(d, 1)
    a.register(1)
    a.reserve(pr.WE_RO)
    assert a.capabilities().ptpl_a
    port = f"{NODE.format(1)},i,0x{a.s.isid.hex()}"
    assert call(d, "get", path=disk + "/pr/res_aptpl_active") == "APTPL Bit Status: Activated"
    assert call(d, "get", path=disk + "/pr/res_holder") == f"SPC-3 Reservation: iSCSI Initiator: {port}"
    assert call(d, "get", path=disk + "/pr/res_pr_registered_i_pts") == \
        f"SPC-3 PR Registrations:\niSCSI Node: {port} Key: 0x0000000000000001 PRgen: 0x00000000"
    a.s.logout()
    d.kill()
    d.start()
    assert [x["key"] for x in listed(d)["registrations"]] == ["0x0000000000000001"]

# SPDX-License-Identifier: BSD-3-Clause
"""LIO's own tools, as Debian has them, steer uliod: targetcli, targetctl, rtslib, and what initiators see of it.

All run with a /etc/rtslib-fb-target and a home of their own, in the mount namespace of the daemon.
"""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from lib.daemon import ULIO, sanitizer_env
from lib.mounted import MountedDaemon
from lib.ports import give_port, take_port
from lib.wait import SCALE

RTSLIB_DIR = "/etc/rtslib-fb-target"
PYTHON = "/usr/bin/python3"     # Debian's, which has rtslib
T1 = "iqn.2003-01.org.example:t1"
I1, I2 = "iqn.1994-05.org.example:i1", "iqn.1994-05.org.example:i2"
TPG = f"/iscsi/{T1}/tpg1"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="targetcli changes nothing for others than root")


class LioDaemon(MountedDaemon):
    """A daemon in a mount namespace that has its own directory of rtslib's; its tree is in no mount for all."""

    def __init__(self):
        super().__init__(mount=False, args=["--dbroot", RTSLIB_DIR])
        self.etc, self.home = os.path.join(self.dir, "etc"), os.path.join(self.dir, "home")
        for folder in (self.etc, self.home):
            os.makedirs(folder)
        os.makedirs(RTSLIB_DIR, exist_ok=True)
        self.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                        f'mount --bind "$0" {RTSLIB_DIR} && exec "$@"', self.etc]
        self.ports = [take_port(), take_port()]

    def lio(self, *command, stdin=None, status=0, timeout=120):
        """Run a command of LIO's; what it wrote to standard output and error."""
        done = subprocess.run(["nsenter", f"--mount=/proc/{self.proc.pid}/ns/mnt", f"--wd={self.dir}",
                               ULIO, "--control", self.control_path, "exec", "--", *command],
                              input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=timeout * SCALE, check=False,
                              env={**sanitizer_env(self.dir), "HOME": self.home, "TARGETCLI_HOME": self.home})
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}\n{self.log()[-3000:]}"
        return done.stdout

    def targetcli(self, *lines, **kw):
        """Lines of targetcli's language in one process: what it said to each."""
        said = self.lio("targetcli", stdin="\n".join(["set global auto_save_on_exit=false", *lines, ""]), **kw)
        answers = re.split(r"^/> |(?<=/> )/> ", said, flags=re.M)[2:]
        assert len(answers) == len(lines) + 1, said     # and what it says to the end of its input
        return answers

    def discard(self):
        for port in self.ports:
            give_port(port)
        super().discard()


@pytest.fixture
def lio():
    d = LioDaemon()
    try:
        yield d.start()
        d.stop()
    finally:
        d.discard()


def script(d):
    """(line of targetcli, what it has to say)"""
    port = d.ports[0]
    return [
        (f"/backstores/fileio create name=f1 file_or_dev={d.dir}/f1.img size=16M",
         "Created fileio f1 with size 16777216"),
        (f"/backstores/fileio create name=f2 file_or_dev={d.dir}/f2.img size=8M write_back=false sparse=false "
         "wwn=0123456789abcdef0123456789abcdef", "Created fileio f2 with size 8388608"),
        (f"/backstores/fileio create f3 {d.dir}/existing.img", "Created fileio f3 with size 4194304"),
        (f"/backstores/fileio create f4 {d.dir}/f1.img", "already exists: f1"),
        ("/backstores/ramdisk create r1 8M", "Created ramdisk r1 with size 8M."),
        ("/backstores/ramdisk create r2 8M nullio=true", "Created ramdisk r2 with size 8M."),
        ("/backstores/ramdisk create r3 8M", "Created ramdisk r3"),
        ("/backstores/ramdisk delete r3 save=false", "Deleted storage object r3."),
        ("/backstores/fileio/f1 status", "(16.0MiB) write-back deactivated"),
        ("/backstores/fileio/f1 info", "write_back: True"),
        ("/backstores/fileio/f2 info", "wwn: 0123456789abcdef0123456789abcdef"),
        ("/backstores/fileio/f1 version", "Backstore plugin fileio v5.0"),
        ("/backstores/fileio/f1 get attribute block_size", "block_size=512"),
        ("/backstores/fileio/f1 get attribute", "emulate_tpu="),
        ("/backstores/fileio/f1 set attribute emulate_tpu=1 emulate_caw=0", "Parameter emulate_caw is now '0'."),
        ("/backstores/fileio/f1/alua create g 5", "Created ALUA TPG g."),
        ("/backstores/fileio/f1/alua create h 6", "Created ALUA TPG h."),
        ("/backstores/fileio/f1/alua delete h", ""),
        ("/backstores/fileio/f1/alua/g set alua alua_access_state=1", "Parameter alua_access_state is now '1'."),
        ("/backstores/fileio/f1/alua/g get alua tg_pt_gp_id", "tg_pt_gp_id=5"),
        (f"/iscsi create {T1}", f"Created target {T1}."),
        ("/iscsi create", "Created TPG 1."),
        (f"/iscsi create {T1}2", f"Created target {T1}2."),
        (f"/iscsi delete {T1}2", f"Deleted Target {T1}2."),
        (f"/iscsi/{T1} create 2", "Created TPG 2."),
        (f"/iscsi/{T1} delete 2", "Deleted TPGT 2."),
        (f"{TPG} disable", "The TPGT has been disabled."),
        (f"{TPG} enable", "The TPGT has been enabled."),
        (f"{TPG} status", "no-gen-acls, no-auth"),
        (f"{TPG} set attribute authentication=0 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1",
         "Parameter cache_dynamic_acls is now '1'."),
        (f"{TPG} set parameter MaxRecvDataSegmentLength=262144 InitialR2T=No", "Parameter InitialR2T is now 'No'."),
        (f"{TPG} get attribute", "demo_mode_write_protect=0"),
        (f"{TPG} get parameter AuthMethod", "AuthMethod=CHAP,None"),
        (f"{TPG} set auth userid=u password=password1234 mutual_userid=mu mutual_password=mutualpass12",
         "Parameter mutual_password is now 'mutualpass12'."),
        (f"{TPG} get auth userid", "userid=u"),
        (f"{TPG}/portals delete 0.0.0.0 3260", "Deleted network portal 0.0.0.0:3260"),
        (f"{TPG}/portals create 127.0.0.1 {port}", f"Created network portal 127.0.0.1:{port}."),
        (f"{TPG}/portals create ::1 {port}", f"Created network portal ::1:{port}."),
        (f"{TPG}/portals delete ::1 {port}", "Deleted network portal ::1:"),
        (f"{TPG}/portals/127.0.0.1:{port} enable_iser false", "iSER enable now: False"),
        (f"{TPG}/portals/127.0.0.1:{port} enable_iser true", "Cannot change iser"),
        (f"{TPG}/portals/127.0.0.1:{port} enable_offload false", "offload enable now: False"),
        (f"{TPG}/luns create /backstores/fileio/f1 5", "Created LUN 5."),
        (f"{TPG}/luns create /backstores/ramdisk/r1", "Created LUN 0."),
        (f"{TPG}/luns create /backstores/fileio/f3", "Created LUN 1."),
        (f"{TPG}/luns delete lun1", "Deleted LUN 1."),
        (f"{TPG}/luns create /backstores/fileio/f3", "Created LUN 1."),
        (f"{TPG}/luns delete 1", "Deleted LUN 1."),
        (f"{TPG}/luns/lun5 set alua alua_tg_pt_gp_name=g", "Parameter alua_tg_pt_gp_name is now 'g'."),
        (f"{TPG}/acls create {I1}", "Created mapped LUN 5."),
        (f"{TPG}/acls create {I2} add_mapped_luns=false", f"Created Node ACL for {I2}"),
        (f"{TPG}/acls/{I2} create 3 0 write_protect=1", "Created Mapped LUN 3."),
        (f"{TPG}/acls/{I2} create 4 /backstores/ramdisk/r2", "Created Mapped LUN 4."),
        (f"{TPG}/acls/{I2} delete 3", "Deleted Mapped LUN 3."),
        (f"{TPG}/acls/{I2} create 7 0 write_protect=1", "Created Mapped LUN 7."),
        (f"{TPG}/acls/{I2} set auth userid=a password=bbbbbbbbbbbb", "Parameter password is now 'bbbbbbbbbbbb'."),
        (f"{TPG}/acls/{I2} get attribute", "dataout_timeout=3"),
        (f"{TPG}/acls/{I2} set attribute dataout_timeout=20", "Parameter dataout_timeout is now '20'."),
        (f"{TPG}/acls/{I2} info", "chap_userid: a"),
        (f"{TPG}/acls tag {I1} mytag", ""),
        (f"{TPG}/acls untag mytag", ""),
        (f"{TPG}/acls delete {I1}", f"Deleted Node ACL {I1}."),
        ("/iscsi set discovery_auth enable=1 userid=du password=dpassword123 mutual_userid=dmu "
         "mutual_password=dmutualpass1", "Parameter mutual_password is now 'dmutualpass1'."),
        ("/iscsi get discovery_auth userid", "userid=du"),
        ("set global auto_add_default_portal=false", "Parameter auto_add_default_portal is now 'false'."),
        ("get global auto_add_default_portal", "auto_add_default_portal=false"),
        ("ls", "mapped_lun7"),
        ("ls / 2", "Targets: 2"),
        ("/iscsi ls", "lun5"),
        ("status", "Status for /"),
        ("sessions", "(no open sessions)"),
        ("sessions detail", "(no open sessions)"),
        ("version", "targetcli version"),
        ("/loopback ls", "Targets: 0"),
        ("/vhost ls", "Targets: 0"),
    ]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def test_all_that_admins_say(lio):
    """configfs-spec 9: each line and its answer; then save, clear, restore and save: byte by byte the same."""
    with open(os.path.join(lio.dir, "existing.img"), "wb") as f:
        f.truncate(4 << 20)
    lines = script(lio)
    first, second, third = (os.path.join(lio.dir, f"save{i}.json") for i in range(3))
    ends = [(f"saveconfig {first}", "Configuration saved"), ("clearconfig confirm=true", "All configuration cleared"),
            ("ls / 2", "Targets: 0"), (f"restoreconfig {first}", "Configuration restored from"),
            (f"saveconfig {second}", "Configuration saved")]
    answers = lio.targetcli(*(line for line, _ in lines + ends))
    for (line, want), said in zip(lines + ends, answers, strict=False):
        assert want in said, f"{line}: {said}"
        assert "Traceback" not in said, said
    saved = json.loads(read(first))
    assert read(first) == read(second)
    assert [so["name"] for so in saved["storage_objects"]] == ["f1", "f2", "f3", "r1", "r2"]
    assert saved["targets"][0]["tpgs"][0]["luns"][1]["alua_tg_pt_gp_name"] in ("g", "default_tg_pt_gp")
    # the same by targetctl, and ulio's own save and load agree with what rtslib wrote
    lio.lio("targetctl", "save", third)
    assert read(third) == read(first)
    lio.lio("targetctl", "clear")
    assert os.listdir(lio.etc) != []
    with lio.control() as c:
        assert c.call("ls", path="/iscsi")["dirs"] == ["discovery_auth"]
    lio.lio("targetctl", "restore", third)
    lio.lio("targetctl", "save", second)
    assert read(second) == read(first)
    lio.lio("targetcli", "restoreconfig", first, "clear_existing=true", f"target={T1}")
    assert [t["wwn"] for t in saved["targets"]][0] == T1
    with lio.control() as c:
        assert T1 in c.call("ls", path="/iscsi")["dirs"]
    lio.lio("targetcli", "restoreconfig", first, "clear_existing=true")
    lio.lio("targetctl", "save", third)
    assert read(third) == read(first)


def test_one_command_at_a_time(lio):
    """As scripts and agents call it: a process each, its exit status, and saving at exit."""
    lio.lio("targetcli", "/backstores/ramdisk", "create", "r1", "8M")
    lio.lio("targetcli", "/backstores/ramdisk", "create", "r1", "8M", status=1)
    lio.lio("targetcli", "saveconfig")
    assert json.loads(read(f"{lio.etc}/saveconfig.json"))["storage_objects"][0]["name"] == "r1"
    assert "Storage Objects: 1" in lio.lio("targetcli", "ls")


def test_a_disk_of_targetcli_is_used(lio):
    """Made by targetcli, seen by libiscsi, written and read by QEMU, seen by targetcli's sessions, deleted."""
    for tool in ("iscsi-ls", "iscsi-inq", "qemu-io"):
        assert shutil.which(tool), f"{tool} is missing (tools/deps.sh test)"
    port = lio.ports[0]
    lio.targetcli(f"/backstores/fileio create d1 {lio.dir}/d1.img 16M", f"/iscsi create {T1}",
                  f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 127.0.0.1 {port}",
                  f"{TPG}/luns create /backstores/fileio/d1",
                  f"{TPG} set attribute authentication=0 generate_node_acls=1 demo_mode_write_protect=0")
    run = {"capture_output": True, "text": True, "timeout": 60 * SCALE, "check": True}
    seen = subprocess.run(["iscsi-ls", "-s", f"iscsi://127.0.0.1:{port}"], **run).stdout
    assert T1 in seen and "Size:15M" in seen.replace(" ", "").replace("16M", "15M"), seen
    url = f"iscsi://127.0.0.1:{port}/{T1}/0"
    inquiry = subprocess.run(["iscsi-inq", url], **run).stdout
    assert "LIO-ORG" in inquiry and re.search(r"Product:\s*d1", inquiry), inquiry
    subprocess.run(["qemu-io", "-f", "raw", "-c", "write -P 0x5a 1M 64k", url], **run)
    out = subprocess.run(["qemu-io", "-f", "raw", "-c", "read -P 0x5a 1M 64k", url], **run).stdout
    assert "read 65536/65536" in out and "verification failed" not in out
    with open(f"{lio.dir}/d1.img", "rb") as f:
        f.seek(1 << 20)
        assert f.read(65536) == b"\x5a" * 65536
    busy = lio.targetcli("/backstores/fileio delete d1", f"/iscsi delete {T1}", "ls")
    assert "Deleted storage object d1." in busy[0] and "Deleted Target" in busy[1]
    assert subprocess.run(["iscsi-ls", f"iscsi://127.0.0.1:{port}"], capture_output=True, timeout=60 * SCALE,
                          check=False).returncode != 0


RTSLIB = """
import sys
from rtslib_fb import (FabricModule, FileIOStorageObject, LUN, MappedLUN, NetworkPortal, NodeACL, NodeACLGroup,
                       RDMCPStorageObject, RTSRoot, Target, TPG)
folder, port = sys.argv[1], int(sys.argv[2])
root = RTSRoot()
so = FileIOStorageObject('f', dev=folder + '/r.img', size=8 << 20, write_back=True)
ram = RDMCPStorageObject('m', size=4 << 20)
assert so.status == 'deactivated' and so.size == 8 << 20 and so.write_back and not ram.nullio
so.set_attribute('emulate_model_alias', 1)
target = Target(FabricModule('iscsi'), 'iqn.2003-01.org.example:r')
tpg = TPG(target, 1)
tpg.enable = True
lun = LUN(tpg, 0, so)
LUN(tpg, 1, ram)
assert so.status == 'activated' and lun.storage_object.name == 'f' and lun.alua_tg_pt_gp_name == 'default_tg_pt_gp'
portal = NetworkPortal(tpg, '203.0.113.7', port)    # of another host: ceph-iscsi has them
assert (portal.ip_address, portal.port, portal.iser) == ('203.0.113.7', port, False)
acl = NodeACL(tpg, 'iqn.1994-05.org.example:r')
mapped = MappedLUN(acl, 2, 0, True)
assert mapped.write_protect and mapped.tpg_lun.lun == 0 and acl.session is None
acl.tag = 'g1'
assert [n.node_wwn for n in NodeACLGroup(tpg, 'g1')._node_acls] == ['iqn.1994-05.org.example:r']
acl.chap_userid = 'u'
assert acl.chap_userid == 'u' and not acl.authenticate_target
assert tpg.get_attribute('authentication') == '1' and tpg.get_parameter('AuthMethod') == 'CHAP'
assert [t.wwn for t in root.targets] == ['iqn.2003-01.org.example:r']
root.save_to_file(folder + '/r1.json')
root.clear_existing(confirm=True)
assert not list(root.storage_objects) and not list(root.targets)
errors = root.restore_from_file(folder + '/r1.json')
assert not errors, errors
root.save_to_file(folder + '/r2.json')
for lun in list(next(root.targets).tpgs)[0].luns:
    lun.delete()
next(root.targets).delete()
for so in list(root.storage_objects):
    so.delete()
assert not list(root.storage_objects)
print('all is well')
"""


def test_rtslib(lio):
    out = lio.lio(PYTHON, "-W", "error::UserWarning", "-c", RTSLIB, lio.dir, str(lio.ports[0]))
    assert "all is well" in out
    assert read(f"{lio.dir}/r1.json") == read(f"{lio.dir}/r2.json")
    with lio.control() as c:
        assert c.call("ls", path="/core")["dirs"] == ["alua"]


AGENTS = "/usr/lib/ocf/resource.d/heartbeat"


@pytest.fixture
def loop(lio):
    """A block device of 16 MiB."""
    path = f"{lio.dir}/lv.img"
    with open(path, "wb") as f:
        f.truncate(16 << 20)
    made = subprocess.run(["losetup", "--find", "--show", path], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    yield made.stdout.strip()
    subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


def test_cluster_agents(lio, loop):
    """Debian's agents for iSCSI targets and LUNs, in their mode for LIO with targetcli, pass their tester."""
    iqn, portal = "iqn.2003-01.org.example:ocf", f"127.0.0.1:{lio.ports[0]}"
    common = ["-o", "implementation=lio-t"]
    out = lio.lio("ocf-tester", "-n", "ulio-t", *common, "-o", f"iqn={iqn}", "-o", f"portals={portal}",
                  f"{AGENTS}/iSCSITarget", timeout=300)
    assert "iSCSITarget passed all tests" in out
    target = ["env", "OCF_ROOT=/usr/lib/ocf", "OCF_RESKEY_implementation=lio-t", f"OCF_RESKEY_iqn={iqn}",
              f"OCF_RESKEY_portals={portal}", "OCF_RESOURCE_INSTANCE=t", f"{AGENTS}/iSCSITarget"]
    lio.lio(*target, "start")
    out = lio.lio("ocf-tester", "-n", "ulio-lu", *common, "-o", f"target_iqn={iqn}", "-o", "lun=1",
                  "-o", f"path={loop}", "-o", "scsi_sn=ab12cd34", f"{AGENTS}/iSCSILogicalUnit", timeout=300)
    assert "iSCSILogicalUnit passed all tests" in out
    lio.lio(*target, "stop")
    with lio.control() as c:
        assert iqn not in c.call("ls", path="/iscsi")["dirs"]


# --- ulio exec itself


def test_exec_status_and_signals(lio):
    assert lio.lio("sh", "-c", "exit 7", status=7) == ""
    assert "No such file" in lio.lio("no-such-command", status=127)
    lio.lio("/etc", status=126)
    lio.lio("sh", "-c", "kill -KILL $$", status=-signal.SIGKILL)
    proc = subprocess.Popen([ULIO, "--control", lio.control_path, "exec", "--", "sh", "-c",
                             "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.1; done"],
                            stdout=subprocess.PIPE, text=True, env=sanitizer_env(lio.dir))
    assert proc.stdout.readline() == "ready\n"
    proc.send_signal(signal.SIGTERM)
    assert proc.communicate(timeout=60 * SCALE)[0] == "got\n"
    assert proc.returncode == 3


def test_exec_cleans_up(lio):
    before = sorted(os.listdir("/run"))
    said = lio.lio("sh", "-c", "ls -d /run/ulio-exec-*; ls /sys/kernel/config; cat /proc/self/mountinfo; "
                               "grep configfs /proc/filesystems; echo $DBUS_SYSTEM_BUS_ADDRESS; test -d /sys/kernel/mm")
    assert "\ntarget\n" in said and "fuse.ulio" in said and "nodev\tconfigfs" in said
    assert sorted(os.listdir("/run")) == before
    assert "fuse.ulio" not in read("/proc/self/mountinfo")
    assert lio.dir not in subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout.replace(
        f"--control {lio.control_path}", "").replace(lio.config_path, "").replace(lio.state_dir, "")
    with lio.control() as c:
        assert c.call("status")["pid"] == lio.proc.pid


def test_exec_without_a_daemon(lio):
    lio.stop()
    done = subprocess.run([ULIO, "--control", lio.control_path, "exec", "--", "true"], capture_output=True, text=True,
                          timeout=60 * SCALE, check=False)
    assert done.returncode == 1 and "no daemon answers" in done.stderr
    done = subprocess.run([ULIO, "--control", lio.control_path, "exec"], capture_output=True, text=True,
                          timeout=60 * SCALE, check=False)
    assert done.returncode == 2 and "command is missing" in done.stderr
    lio.start()


def test_the_daemon_dies_under_a_command(lio):
    """The command gets an error and no dead mount, and ulio says why."""
    proc = subprocess.Popen([ULIO, "--control", lio.control_path, "exec", "--", "sh", "-c",
                             "ls /sys/kernel/config; read x; ls /sys/kernel/config; echo $?"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=sanitizer_env(lio.dir))
    assert proc.stdout.readline() == "target\n"
    lio.proc.send_signal(signal.SIGKILL)
    lio.proc.wait()
    assert "the daemon has gone" in proc.stderr.readline()
    out, err = proc.communicate("go on\n", timeout=60 * SCALE)
    assert proc.returncode == 0 and "target" not in out, out + err
    lio.start()
    assert "target" in lio.lio("ls", "/sys/kernel/config")


NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def test_exec_for_others_than_root(lio):
    """A daemon of one's own, without root: a user namespace makes its user root in it. Root's is out of reach."""
    os.chmod(lio.dir, 0o755)
    done = subprocess.run([*NOBODY, ULIO, "--control", lio.control_path, "exec", "--", "true"], capture_output=True,
                          text=True, timeout=60 * SCALE, check=False)
    assert done.returncode == 1 and "only the user who runs uliod" in done.stderr
    own = MountedDaemon(mount=False, wrapper=NOBODY)
    try:
        for folder in (own.dir, own.state_dir):
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, 65534, 65534)
        before = os.umask(0)    # the socket by which it says that it is ready
        try:
            own.start()
        finally:
            os.umask(before)
        done = subprocess.run([*NOBODY, ULIO, "--control", own.control_path, "exec", "--", "sh", "-c",
                               "id -u; mkdir /sys/kernel/config/target/core/rd_mcp_0; "
                               "ls -ln /sys/kernel/config/target/core"],
                              capture_output=True, text=True, timeout=60 * SCALE, check=False)
        assert done.returncode == 0, done.stderr
        assert re.search(r"^0\n.*^d.* 0 +0 .* alua\n^d.* 0 +0 .* rd_mcp_0$", done.stdout, re.M | re.S), done.stdout
        with own.control() as c:
            assert c.call("ls", path="/core")["dirs"] == ["alua", "rd_mcp_0"]
        own.stop()
    finally:
        own.discard()

# SPDX-License-Identifier: BSD-3-Clause
"""Several I_T nexuses of one guest: initiators by name, portal groups, what sg_persist and multipathd say."""

import re
import time

from lib.wait import SCALE
from machine import HOST

KEY_1, KEY_2 = 0x1111, 0x2222


def wait_in_guest(vm, condition, timeout=60):
    """Wait until a shell condition of the guest holds."""
    vm.run(f"n=0; until {condition}; do usleep 200000; n=$((n+1)); "
           f"[ $n -lt {int(timeout * SCALE * 5)} ] || exit 1; done", timeout * 3)


class Portals:
    """A daemon whose one disk is shown by several portal groups, each at a portal of its own."""

    def __init__(self, daemon, ports):
        self.daemon = daemon
        self.portals = {1: f"{HOST}:{daemon.port}"}
        self.disk = daemon.disk_of(0)
        with daemon.control() as c:
            for tag, port in enumerate(ports, 2):
                c.call("mkdir", path=f"{self.tpg(tag)}")
                c.call("target.access", access="anyone-write", tpg=tag)
                c.call("set", path=f"{self.tpg(tag)}/attrib/authentication", value="0")
                c.call("lun.add", disk=self.disk, lun=0, tpg=tag)
                c.call("portal.add", address=f"127.0.0.1:{port}", advertise=f"{HOST}:{port}", tpg=tag)
                c.call("set", path=f"{self.tpg(tag)}/enable", value="1")
                self.portals[tag] = f"{HOST}:{port}"

    def tpg(self, tag):
        return f"/iscsi/{self.daemon.iqn}/tpgt_{tag}"

    def get(self, path):
        with self.daemon.control() as c:
            return c.call("get", path=path)

    def set(self, path, value):
        with self.daemon.control() as c:
            c.call("set", path=path, value=str(value))

    def storage(self):
        """The directory of the disk's storage object."""
        with self.daemon.control() as c:
            for hba in c.call("ls", path="/core")["dirs"]:
                if self.disk in c.call("ls", path=f"/core/{hba}")["dirs"]:
                    return f"/core/{hba}/{self.disk}"
        raise AssertionError(f"no storage object {self.disk}")


class Initiator:
    """An initiator port of the guest: a name of its own, and one session for each portal group."""

    def __init__(self, vm, portals, name):
        self.vm, self.portals, self.iface = vm, portals, name
        self.iqn = f"iqn.2026-01.example.test:{name}"
        vm.run(f"iscsiadm -m iface -I {name} -o new; "
               f"iscsiadm -m iface -I {name} -o update -n iface.initiatorname -v {self.iqn}")
        self.disks = {}

    def _select(self, tag):
        return f"iscsiadm -m node -T {self.portals.daemon.iqn} -p {self.portals.portals[tag]},{tag} -I {self.iface}"

    def login(self, tag=1):
        """/dev/sdX of LUN 0 as the new session shows it."""
        before = self._names()
        self.vm.run(f"{self._select(tag)} -o new; {self._select(tag)} --login")
        end = time.monotonic() + 60 * SCALE
        while True:
            new = self._names() - before
            if new:
                assert len(new) == 1, f"more than one disk has come: {new}"
                dev = f"/dev/{new.pop()}"
                self.vm.run(f"test -b {dev}")
                self.disks[tag] = dev
                return dev
            assert time.monotonic() < end, self.vm.run("iscsiadm -m session -P 3")

    def _names(self):
        out = self.vm.run("ls -d /sys/class/scsi_device/*/device/block/* 2>/dev/null; true")
        return set(re.findall(r"/block/(sd[a-z]+)", out))

    def logout(self, tag=1):
        self.disks.pop(tag, None)
        self.vm.run(f"{self._select(tag)} --logout")


# --- sg_persist

def persist(vm, dev, words, ok=True):
    """Output of sg_persist, after the unit attentions; of one that must fail, with what it says."""
    vm.run(f"n=0; until sg_turs {dev} > /dev/null 2>&1; do n=$((n+1)); [ $n -lt 8 ] || exit 1; done")
    cmd = f"sg_persist {words} {dev}"
    return vm.run(cmd) if ok else vm.fails(cmd)


def keys(vm, dev):
    """Registered keys, in order."""
    out = persist(vm, dev, "-n --in --read-keys")
    return [int(k, 16) for k in re.findall(r"^\s+0x([0-9a-f]+)\s*$", out, re.M)]


def reservation(vm, dev):
    """(key, type as sg_persist names it), or None."""
    out = persist(vm, dev, "-n --in --read-reservation")
    key = re.search(r"Key=0x([0-9a-f]+)", out)
    kind = re.search(r"type: (.*)", out)
    return (int(key[1], 16), kind[1].strip()) if key else None


def write_ok(vm, dev, block=0):
    vm.run(f"dd if=/dev/zero of={dev} bs=4096 count=1 seek={block} oflag=direct 2>&1")


def write_refused(vm, dev, block=0):
    """The write ends with RESERVATION CONFLICT, which Linux calls EBADE ("Invalid exchange")."""
    out = vm.fails(f"dd if=/dev/zero of={dev} bs=4096 count=1 seek={block} oflag=direct 2>&1")
    assert "Invalid exchange" in out or "error 52" in out, out


# --- multipathd

CONF = """defaults {
	user_friendly_names yes
	find_multipaths no
	polling_interval 1
	max_polling_interval 2
	reservation_key file
}
"""


def start_multipathd(vm):
    """udevd and multipathd; the guest's other tests never see them."""
    vm.run("mkdir -p /etc/multipath /run/udev /var/lib/multipath; cat > /etc/multipath.conf << 'EOF'\n" + CONF + "EOF\n"
           "/lib/systemd/systemd-udevd --daemon && udevadm trigger --action=add && udevadm settle --timeout=60", 120)
    vm.run("multipathd -d -v 2 > /tmp/multipathd.log 2>&1 & echo $! > /tmp/multipathd.pid")
    wait_in_guest(vm, "multipathd show daemon > /dev/null 2>&1")


def stop_multipathd(vm):
    vm.run("multipathd shutdown; while kill -0 $(cat /tmp/multipathd.pid) 2>/dev/null; do usleep 100000; done; "
           "dmsetup remove_all -f; udevadm control --exit; true", 120, check=False)


def paths(vm):
    """{"sda": (device mapper state, checker state, priority)}."""
    out = vm.run("multipathd show paths raw format '%d %t %T %p'")
    return {m[1]: (m[2], m[3], int(m[4])) for m in re.finditer(r"^(sd\w+) (\S+) (\S+) (\d+)$", out, re.M)}


def wait_for_priorities(vm, want, timeout=90):
    """Wait until multipathd sees these priorities, {"/dev/sda": 50, …}."""
    tests = " && ".join(f"multipathd show paths raw format '%d %p' | grep -q '^{d[5:]} {p}$'" for d, p in want.items())
    try:
        wait_in_guest(vm, f"{{ {tests}; }}", timeout)
    except AssertionError:
        raise AssertionError(f"priorities {want} do not come: {paths(vm)}\n"
                             f"{vm.run('multipath -ll; tail -30 /tmp/multipathd.log')}") from None


def wait_for_map(vm, npaths, timeout=90):
    """/dev/mapper name of the only map, when it has so many active paths."""
    active = "multipathd show paths raw format '%t %T' | grep -c '^active ready$'"
    wait_in_guest(vm, f"[ \"$({active})\" = {npaths} ]", timeout)
    wait_in_guest(vm, "ls /dev/mapper/mpath* > /dev/null 2>&1")
    return vm.run("ls /dev/mapper/mpath* | head -1").strip()

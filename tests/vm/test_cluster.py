# SPDX-License-Identifier: BSD-3-Clause
"""What clusters do with persistent reservations, by Linux's own tools: sg_persist, fence agents' order of
calls, Windows cluster validation's order of calls, mpathpersist, and multipathd with the alua handler."""

import pytest

from cluster import (KEY_1, KEY_2, Initiator, Portals, keys, paths, persist, reservation, start_multipathd,
                     stop_multipathd, wait_for_map, wait_for_priorities, wait_in_guest, write_ok, write_refused)
from lib.daemon import IS_TGT
from lib.ports import give_port, take_port
from machine import HOST

pytestmark = pytest.mark.skipif(IS_TGT, reason="tgt has no ALUA, and reservations without APTPL")

DISK = "file:{dir}/d.img,size=128M"


@pytest.fixture
def portals(vm, new_daemon):
    """portals(n) starts a daemon with one disk behind n portal groups."""
    taken = []

    def make(n=1):
        d = new_daemon(start=False, disks=[DISK])
        d.advertise = f"{HOST}:{d.port}"
        d.start()
        taken.extend(take_port() for _ in range(n - 1))
        return Portals(d, taken)

    yield make
    vm.run("iscsiadm -m session --logout 2>/dev/null; iscsiadm -m node -o delete 2>/dev/null; "
           "rm -rf /etc/iscsi/ifaces; true", check=False)
    for p in taken:
        give_port(p)


def two_nodes(vm, portals):
    p = portals()
    a, b = Initiator(vm, p, "node1"), Initiator(vm, p, "node2")
    return p, a, b, a.login(), b.login()


def test_sg_persist(vm, portals):
    """Every action of sg_persist between two nodes."""
    _, _, _, a, b = two_nodes(vm, portals)
    assert "Report capabilities" in persist(vm, a, "--in --report-capabilities")
    assert not keys(vm, a)
    persist(vm, a, f"--out --register --param-sark={KEY_1:#x}")
    persist(vm, b, f"--out --register-ignore --param-sark={KEY_2:#x}")
    assert sorted(keys(vm, a)) == [KEY_1, KEY_2]
    full = persist(vm, a, "--in --read-full-status")
    assert "node1" in full and "node2" in full, full
    persist(vm, a, f"--out --reserve --param-rk={KEY_1:#x} --prout-type=1")
    assert reservation(vm, b) == (KEY_1, "Write Exclusive")
    write_ok(vm, a)
    write_refused(vm, b)
    persist(vm, b, f"--out --reserve --param-rk={KEY_2:#x} --prout-type=1", ok=False)
    persist(vm, a, f"--out --release --param-rk={KEY_1:#x} --prout-type=1")
    assert reservation(vm, a) is None
    write_ok(vm, b)
    for kind, name in ((3, "Exclusive Access"), (5, "Write Exclusive, registrants only"),
                       (6, "Exclusive Access, registrants only"), (7, "Write Exclusive, all registrants"),
                       (8, "Exclusive Access, all registrants")):
        persist(vm, a, f"--out --reserve --param-rk={KEY_1:#x} --prout-type={kind}")
        assert reservation(vm, a)[1] == name
        (write_refused if kind == 3 else write_ok)(vm, b)
        persist(vm, a, f"--out --release --param-rk={KEY_1:#x} --prout-type={kind}")
    persist(vm, b, f"--out --preempt --param-rk={KEY_2:#x} --param-sark={KEY_1:#x} --prout-type=1")
    assert keys(vm, b) == [KEY_2]
    persist(vm, b, f"--out --clear --param-rk={KEY_2:#x}")
    assert not keys(vm, a)
    vm.run("dmesg -c > /dev/null")


def test_fencing(vm, portals):
    """The order of calls of fence_scsi: each node registers, one reserves (type 5); a node that is fenced loses
    its key by PREEMPT AND ABORT and writes no more until it has registered anew."""
    _, _, _, a, b = two_nodes(vm, portals)
    for dev, key in ((a, KEY_1), (b, KEY_2)):
        persist(vm, dev, f"--out --register-ignore --param-sark={key:#x}")
    persist(vm, a, f"--out --reserve --param-rk={KEY_1:#x} --prout-type=5")
    for dev in (a, b):
        write_ok(vm, dev)
    vm.run(f"dd if=/dev/zero of={a} bs=4096 count=30000 oflag=direct > /tmp/dd.log 2>&1 & echo $! > /tmp/dd.pid")
    persist(vm, b, f"--out --preempt-abort --param-rk={KEY_2:#x} --param-sark={KEY_1:#x} --prout-type=5")
    vm.run("while kill -0 $(cat /tmp/dd.pid) 2>/dev/null; do usleep 100000; done", 300)
    assert keys(vm, b) == [KEY_2] and reservation(vm, b)[0] == KEY_2
    write_refused(vm, a)
    write_ok(vm, b)
    persist(vm, a, f"--out --register-ignore --param-sark={KEY_1:#x}")
    write_ok(vm, a)
    vm.run("dmesg -c > /dev/null")


def test_windows_validation(vm, portals):
    """What Windows' cluster validation calls: register, reserve type 5, the other node is kept out, preempts,
    registrations live through a new login and, with APTPL, through a restart of the target."""
    p, a, b, da, db = two_nodes(vm, portals)
    persist(vm, da, f"--out --register-ignore --param-sark={KEY_1:#x} --param-aptpl")
    persist(vm, da, f"--out --reserve --param-rk={KEY_1:#x} --prout-type=5")
    write_refused(vm, db)
    persist(vm, db, f"--out --reserve --param-rk={KEY_2:#x} --prout-type=5", ok=False)
    persist(vm, db, f"--out --register-ignore --param-sark={KEY_2:#x} --param-aptpl")
    persist(vm, db, f"--out --reserve --param-rk={KEY_2:#x} --prout-type=5", ok=False)
    persist(vm, db, f"--out --preempt --param-rk={KEY_2:#x} --param-sark={KEY_1:#x} --prout-type=5")
    write_refused(vm, da)
    with p.daemon.control() as c:       # the initiator comes back by itself, with the ISID that it had
        assert c.call("sessions.drop", initiator=b.iqn, wait=0)["dropped"] == 1
    write_refused(vm, da)
    assert keys(vm, db) == [KEY_2] and reservation(vm, db)[0] == KEY_2
    write_ok(vm, db)
    p.daemon.kill()
    p.daemon.start()
    wait_in_guest(vm, f"sg_turs {db} > /dev/null 2>&1")
    assert keys(vm, db) == [KEY_2] and reservation(vm, db) == (KEY_2, "Write Exclusive, registrants only")
    write_ok(vm, db)
    write_refused(vm, da)
    persist(vm, db, f"--out --clear --param-rk={KEY_2:#x}")
    write_ok(vm, da)
    vm.run("dmesg -c > /dev/null")


# --- two portal groups, multipathd

@pytest.fixture
def multipath(vm, portals):
    """(portals, initiator, {portal group: /dev/sdX}, storage directory): two paths in two target port groups."""
    p = portals(2)
    so = p.storage()
    with p.daemon.control() as c:
        for tag in (1, 2):
            c.call("mkdir", path=f"{so}/alua/g{tag}")
            c.call("set", path=f"{so}/alua/g{tag}/tg_pt_gp_id", value=str(tag))
            c.call("set", path=f"{so}/alua/g{tag}/nonop_delay_msecs", value="0")
            c.call("set", path=f"{p.tpg(tag)}/lun/lun_0/alua_tg_pt_gp", value=f"g{tag}")
    p.set(f"{so}/alua/g2/alua_access_state", 1)
    start_multipathd(vm)
    try:
        node = Initiator(vm, p, "node1")
        yield p, node, {tag: node.login(tag) for tag in (1, 2)}, so
    finally:
        stop_multipathd(vm)


def rtpg(vm, dev):
    """{target port group: state} by sg_rtpg."""
    out = vm.run(f"sg_rtpg -d {dev}")
    groups, now = {}, None
    for line in out.splitlines():
        if "target port group id" in line:
            now = int(line.split(":")[1].split(",")[0].strip(), 16)
        elif "target port group asymmetric access state" in line:
            groups[now] = int(line.rsplit(":", 1)[1].strip().split()[0], 16)
    return groups


def test_alua_by_multipathd(vm, multipath):
    """Path groups by priority; an implicit and an explicit switch, and a path that stands by, under a verifying
    load, without an I/O error."""
    p, _, disks, so = multipath
    dev = wait_for_map(vm, 2)
    wait_for_priorities(vm, {disks[1]: 50, disks[2]: 10})
    assert vm.run("multipath -ll").count("policy=") == 2
    vm.run(f"fio --name=v --filename={dev} --size=96M --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio --direct=1 "
           "--verify=crc32c --verify_backlog=256 --verify_fatal=1 --time_based=1 --runtime=600 > /tmp/fio.log 2>&1 & "
           "echo $! > /tmp/fio.pid")

    def moves_on(disk):
        done = f"$(awk '{{print $1+$5}}' /sys/block/{disk[5:]}/stat)"
        now = int(vm.run(f"echo {done}"))
        wait_in_guest(vm, f"[ {done} -gt {now + 500} ]", 120)

    moves_on(disks[1])
    # Implicit: the target changes the states by itself.
    p.set(f"{so}/alua/g2/alua_access_state", 0)
    p.set(f"{so}/alua/g1/alua_access_state", 1)
    wait_for_priorities(vm, {disks[1]: 10, disks[2]: 50})
    moves_on(disks[2])
    # One path stands by: nothing may be sent there.
    p.set(f"{so}/alua/g1/alua_access_state", 2)
    wait_for_priorities(vm, {disks[1]: 1, disks[2]: 50})
    moves_on(disks[2])
    # Explicit: by SET TARGET PORT GROUPS. The guest's kernel may just be asking for the other path by one of its own.
    for _ in range(5):
        vm.run(f"sg_stpg --tp=1,2 --state=0,2 {disks[2]}")
        if rtpg(vm, disks[1]) == {1: 0, 2: 2}:
            break
    assert rtpg(vm, disks[1]) == {1: 0, 2: 2}
    wait_for_priorities(vm, {disks[1]: 50, disks[2]: 1})
    moves_on(disks[1])
    # Unavailable and back.
    p.set(f"{so}/alua/g2/alua_access_state", 3)
    moves_on(disks[1])
    p.set(f"{so}/alua/g2/alua_access_state", 0)
    wait_for_priorities(vm, {disks[1]: 50, disks[2]: 50})
    vm.run("kill -INT $(cat /tmp/fio.pid); while kill -0 $(cat /tmp/fio.pid) 2>/dev/null; do usleep 200000; done", 120)
    out = vm.run("cat /tmp/fio.log")
    assert "err= 0" in out and "verify:" not in out and "error=" not in out, out
    vm.check(paths=True)


def test_mpathpersist(vm, multipath):
    """mpathpersist registers all paths of a map, and a foreign node is kept out through either of them."""
    p, node, disks, _ = multipath
    dev = wait_for_map(vm, 2)
    other = Initiator(vm, p, "node2")
    vm.run(f"mpathpersist --out --register --param-sark={KEY_1:#x} {dev}")
    assert keys(vm, disks[1]) == [KEY_1, KEY_1]
    vm.run(f"mpathpersist --out --reserve --param-rk={KEY_1:#x} --prout-type=5 {dev}")
    assert "Write Exclusive, registrants only" in vm.run(f"mpathpersist --in -r {dev}")
    vm.run(f"dd if=/dev/zero of={dev} bs=4096 count=64 oflag=direct 2>&1")
    vm.run("multipathd disablequeueing maps; true")
    # A path that comes later: multipathd registers it by itself, with the key that it keeps.
    node.logout(2)
    wait_in_guest(vm, "[ $(multipathd show paths raw format '%d' | grep -c sd) = 1 ]")
    disks[2] = node.login(2)
    wait_for_map(vm, 2)
    wait_in_guest(vm, f"dd if=/dev/zero of={disks[2]} bs=4096 count=1 oflag=direct > /dev/null 2>&1")
    vm.run("dd if=/dev/zero of=" + dev + " bs=4096 count=64 oflag=direct 2>&1")
    third = other.login(1)
    write_refused(vm, third)
    vm.run(f"mpathpersist --out --clear --param-rk={KEY_1:#x} {dev}")
    assert not keys(vm, disks[1])
    write_ok(vm, third)
    assert paths(vm)
    vm.run("dmesg -c > /dev/null")

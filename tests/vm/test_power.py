# SPDX-License-Identifier: BSD-3-Clause
"""Loss of power: uliod and a Linux initiator in one guest, whose QEMU is killed between any two commands.

What the guest has not flushed is gone with its page cache. Each answer is told on the console, which the
host reads; afterwards the state must be that of the last answer, or of the command that was under way."""

import contextlib
import os
import random
import re
import shutil
import subprocess

import pytest

from guest import libraries
from lib.daemon import DIE_WITH_US, IS_TGT, ULIOD
from lib.wait import SCALE
from machine import Machine

pytestmark = pytest.mark.skipif(IS_TGT, reason="it is uliod whose power is cut")

SERVE = ("mkdir -p /programs /data; mount -o ro /dev/vda /programs && mount /dev/vdb /data && "
         "(LD_LIBRARY_PATH=/programs/lib /programs/uliod --disk file:/data/d.img,size=16M --listen 127.0.0.1:3260 "
         "--allow any --target iqn.2026-01.example.test:power --state /data/state --control /run/ulio.sock "
         "> /dev/console 2>&1 &) && n=0; "
         "until iscsiadm -m discovery -t sendtargets -p 127.0.0.1 > /dev/null 2>&1; do usleep 100000; n=$((n+1)); "
         "[ $n -lt 300 ] || exit 1; done; iscsiadm -m node --login && "
         "until test -b /dev/sda; do usleep 100000; done")

# Each round registers a new key, reserves, preempts itself into another type; each answer is told.
LOAD = """
i=KEY
said() { echo "ANSWERED $1" > /dev/ttyS0; }
while :; do
	sg_persist --out --register-ignore --param-sark=$i --param-aptpl /dev/sda > /dev/null 2>&1 || exit 1
	said "$i none"
	sg_persist --out --reserve --param-rk=$i --prout-type=5 /dev/sda > /dev/null 2>&1 || exit 1
	said "$i 5"
	sg_persist --out --release --param-rk=$i --prout-type=5 /dev/sda > /dev/null 2>&1 || exit 1
	said "$i none"
	i=$(printf %x $((0x$i + 1)))
done
"""


def image(path, size_mib, content=None):
    """An ext4 image, with a directory's content."""
    cmd = ["mkfs.ext4", "-q", "-F", path, f"{size_mib}M"]
    subprocess.run(cmd[:2] + (["-d", content] if content else []) + cmd[2:], check=True)
    return path


@pytest.fixture
def drives(tmp_path):
    programs = tmp_path / "programs"
    (programs / "lib").mkdir(parents=True)
    shutil.copy(ULIOD, programs / "uliod")
    for lib in libraries([ULIOD]):
        shutil.copy(lib, programs / "lib")
    return [image(str(tmp_path / "programs.img"), 256, str(programs)), image(str(tmp_path / "data.img"), 64)]


def answered(vm):
    """States that were told on the console, as (key, type or None)."""
    return [(int(k, 16), None if t == "none" else int(t))
            for k, t in re.findall(r"^ANSWERED ([0-9a-f]+) (\w+)\r?$", vm.console(), re.M)]


def wait_for_answers(vm, n):
    """Wait until the console has told n answers."""
    with subprocess.Popen(DIE_WITH_US + ["timeout", str(int(120 * SCALE)), "tail", "-n", "+1", "-f", vm.console_path],
                          stdout=subprocess.PIPE, text=True, errors="replace") as tail:
        for line in tail.stdout:
            n -= line.startswith("ANSWERED")
            if n == 0:
                break
        tail.kill()
    assert n == 0, f"{n} answers are missing\n{vm.console()[-3000:]}"


def state(vm):
    """(key, type) of the only registration."""
    out = vm.run("sg_persist -n --in --read-keys /dev/sda")
    found = re.findall(r"^\s+0x([0-9a-f]+)\s*$", out, re.M)
    text = vm.run("sg_persist -n --in --read-reservation /dev/sda")
    kind = re.search(r"type: Write Exclusive, registrants only", text)
    assert len(found) <= 1 and (kind or "NO reservation" in text), out + text
    return (int(found[0], 16) if found else 0, 5 if kind else None)


def may_follow(answer):
    """The states that are right after this answer: its own, or that of the command behind it."""
    key, kind = answer
    return {answer, (key, None)} if kind else {answer, (key, 5), (key + 1, None)}


def test_reservations_survive_power_loss(drives, tmp_path):
    """A registration with APTPL that was answered is there after the power was cut, and nothing else is."""
    rng = random.Random(20260112)
    last, key = None, 1
    for n in range(3):
        vm = Machine(str(tmp_path / f"run{n}"), drives=drives)
        os.mkdir(vm.dir)
        vm.start()
        try:
            vm.run(SERVE, 180)
            now = state(vm)
            if last:
                assert now in may_follow(last), f"{now} is there, {last} was answered\n{vm.console()[-3000:]}"
                key = now[0] + 16
            vm.run(f"cat > /tmp/load << 'EOF'\n{LOAD.replace('KEY', f'{key:x}')}EOF\n"
                   "sh /tmp/load > /dev/null 2>&1 & true")
            wait_for_answers(vm, rng.randrange(3, 40))
            with contextlib.suppress(subprocess.TimeoutExpired):
                vm.proc.wait(rng.random() / 5)  # some way into the commands that follow
        finally:
            vm.kill()
        last = answered(vm)[-1]

# SPDX-License-Identifier: BSD-3-Clause
"""The virtual machine: QEMU with TCG (no KVM needed), steered over its second serial port."""

import base64
import os
import re
import socket
import subprocess

import guest
from lib.daemon import DIE_WITH_US
from lib.wait import SCALE, Lines, wait_exit

HOST = "10.0.2.2"                       # the host's loopback in QEMU's user network


class Failed(AssertionError):
    """A command in the guest ended with a status other than 0."""


class Machine:
    """A running guest. run() gives it one shell command and waits for its end."""

    def __init__(self, directory, memory="1536M", drives=()):
        self.dir = directory
        self.drives = drives            # images that the guest sees as /dev/vda, /dev/vdb …
        self.memory = memory
        self.path = os.path.join(directory, "vm.sock")
        self.console_path = os.path.join(directory, "console.log")

    def start(self):
        vmlinuz, modules = guest.kernel()
        initrd = guest.initramfs(modules)
        self.proc = subprocess.Popen(DIE_WITH_US + [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
            "-m", self.memory, "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
            "-kernel", vmlinuz, "-initrd", initrd, "-append",
            "console=ttyS0 quiet panic=-1 net.ifnames=0 no_timer_check",    # on a busy machine ticks come late
            "-serial", f"file:{self.console_path}", "-serial", f"unix:{self.path},server=on,wait=on",
            "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="]
            + [w for d in self.drives for w in ("-drive", f"file={d},format=raw,if=virtio")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        err = Lines(self.proc.stderr)
        err.wait_for("waiting for connection", 30)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)
        self._buf = b""
        line = self._line(180)
        assert line == "READY", f"guest says {line!r}\n{self.console()[-3000:]}"
        return self

    def console(self):
        with open(self.console_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def _line(self, timeout):
        self.sock.settimeout(timeout * SCALE)
        while b"\n" not in self._buf:
            try:
                got = self.sock.recv(65536)
            except socket.timeout:
                raise AssertionError(f"no answer from the guest within {timeout * SCALE} s\n"
                                     f"{self.console()[-3000:]}") from None
            if not got:
                raise AssertionError(f"the guest is gone\n{self.console()[-3000:]}")
            self._buf += got
        line, self._buf = self._buf.split(b"\n", 1)
        return line.decode("ascii", "replace").strip("\r\0")

    def run(self, command, timeout=120, check=True):
        """Output of a shell command; raises Failed when its status is not 0."""
        self.sock.sendall(base64.b64encode(command.encode()) + b"\n")
        word, status, *rest = self._line(timeout).split(" ")
        assert word == "DONE"
        out = base64.b64decode(rest[0] if rest else "").decode("utf-8", "replace")
        if check and status != "0":
            raise Failed(f"status {status} of: {command}\n{out[-4000:]}\n{self.console()[-1500:]}")
        return out

    def fails(self, command, timeout=120):
        """Output of a command that must fail."""
        try:
            out = self.run(command, timeout)
        except Failed as e:
            return str(e)
        raise AssertionError(f"should have failed: {command}\n{out[-2000:]}")

    def check(self, paths=False):
        """Assert that the guest's kernel complained of nothing; paths: but of the paths of a multipath map."""
        dmesg = self.run("dmesg" + (" | grep -v 'I/O error, dev sd'" if paths else ""))
        bad = re.findall(r".*(?:Oops|BUG:|blocked for more than|I/O error|Buffer I/O|critical target|"
                         r"detected conn error|Call Trace).*", dmesg)
        assert not bad, "the guest's kernel says:\n" + "\n".join(bad[:20])

    def kill(self):
        """The power goes: the guest loses all that its disks were not told to keep."""
        self.proc.kill()
        self.proc.wait()
        self.sock.close()

    def stop(self):
        try:
            self.sock.sendall(base64.b64encode(b"sync; poweroff -f") + b"\n")
        except OSError:
            pass
        if not wait_exit(self.proc.pid, 20):
            self.proc.kill()
        self.proc.wait()
        self.sock.close()

# SPDX-License-Identifier: BSD-3-Clause
"""The targets that are measured: each is started on a free loopback port and stopped by its pid."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

START_SECONDS = 20


class PeerError(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def version(*cmd):
    """The first line that a command prints, or None."""
    try:
        r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           check=False, timeout=10)
    except OSError:
        return None
    return r.stdout.strip().splitlines()[0] if r.stdout.strip() else None


class Peer:
    """A target with one disk of `size` bytes. start() returns once it accepts connections."""

    lun = 0

    def __init__(self, opts):
        self.opts = opts
        self.size = opts.size
        self.dir = tempfile.mkdtemp(prefix="ulio-bench.")
        self.port = free_port()
        self.proc = None
        self.target = None
        self.version = None

    @property
    def portal(self):
        return "127.0.0.1:%d" % self.port

    @property
    def url(self):
        return "iscsi://%s/%s/%d" % (self.portal, self.target, self.lun)

    def spawn(self, *cmd, **env):
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         env=dict(os.environ, **env), cwd=self.dir)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                break
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise PeerError("%s does not start:\n%s" % (cmd[0], self.log()))

    def log(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as f:
            return f.read()[-2000:]

    def discover(self):
        """The target's name, as an initiator finds it."""
        r = subprocess.run(["iscsi-ls", "iscsi://" + self.portal], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=START_SECONDS, check=False)
        m = re.search(r"^Target:(\S+)", r.stdout, re.M)
        if not m:
            raise PeerError("iscsi-ls finds no target at %s: %s" % (self.portal, r.stdout))
        self.target = m.group(1)

    def stop(self):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # What /proc tells about the server.

    def threads(self):
        return [int(t) for t in os.listdir("/proc/%d/task" % self.proc.pid)]

    def cpu_seconds(self):
        """User and system time of all threads, also of those that have ended."""
        with open("/proc/%d/stat" % self.proc.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self, field):
        """A number of /proc/PID/status, summed over the threads for the per-thread ones."""
        total = 0
        tids = self.threads() if field.endswith("switches") else [self.proc.pid]
        for tid in tids:
            try:
                with open("/proc/%d/task/%d/status" % (self.proc.pid, tid)) as f:
                    m = re.search(r"^%s:\s+(\d+)" % field, f.read(), re.M)
            except FileNotFoundError:
                continue
            total += int(m.group(1)) if m else 0
        return total

    def pin(self, cpus):
        for tid in self.threads():
            try:
                os.sched_setaffinity(tid, cpus)
            except ProcessLookupError:
                pass


class Bare(Peer):
    """The bare responder: one thread, plain sockets, memory."""

    disk_in_rss = True

    def start(self):
        self.spawn(self.opts.program("bench/bare"), "--listen", self.portal, "--size",
                   str(self.size))
        self.discover()
        self.version = "bench/bare of this tree"


class Tgt(Peer):
    """Debian's tgt as shipped: bstype rdwr on a file in tmpfs, 16 I/O threads."""

    disk_in_rss = False
    lun = 1     # 0 is its controller

    def tgtadm(self, *args):
        r = subprocess.run(["tgtadm", "-C", "1", "--lld", "iscsi", *args],
                           env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=START_SECONDS, check=False)
        if r.returncode:
            raise PeerError("tgtadm %s: %s\n%s" % (" ".join(args), r.stdout, self.log()))

    def env(self):
        return dict(os.environ, TGT_IPC_SOCKET=os.path.join(self.dir, "ctl"))

    def start(self):
        self.file = tempfile.NamedTemporaryFile(prefix="ulio-bench.", dir=self.opts.tmpfs)
        os.truncate(self.file.name, self.size)
        self.spawn("tgtd", "-f", "-C", "1", "--iscsi", "portal=" + self.portal,
                   TGT_IPC_SOCKET=os.path.join(self.dir, "ctl"))
        self.tgtadm("--op", "new", "--mode", "target", "--tid", "1", "-T",
                    "iqn.2026-01.org.ulio:tgt")
        self.tgtadm("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1",
                    "--bstype", "rdwr", "-b", self.file.name)
        self.tgtadm("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        self.discover()
        self.version = version("tgtd", "-V")

    def stop(self):
        super().stop()      # by SIGKILL: it ignores SIGTERM while a target is configured
        if hasattr(self, "file"):
            self.file.close()


class Uliod(Peer):
    """uliod with a RAM disk, loops as it chooses them."""

    disk_in_rss = True

    def disk(self):
        return "ram:%d" % self.size

    def start(self):
        self.spawn(self.opts.uliod, "--disk", self.disk(), "--listen", self.portal, "--allow",
                   "any", "--control", "none", "--state", os.path.join(self.dir, "state"),
                   *self.opts.uliod_args)
        self.discover()
        self.version = version(self.opts.uliod, "--version")


class UliodFile(Uliod):
    """uliod on the same kind of file as tgt: tmpfs."""

    disk_in_rss = False

    def disk(self):
        self.file = tempfile.NamedTemporaryFile(prefix="ulio-bench.", dir=self.opts.tmpfs)
        os.truncate(self.file.name, self.size)
        return "file:" + self.file.name

    def stop(self):
        super().stop()
        if hasattr(self, "file"):
            self.file.close()


PEERS = {"uliod": Uliod, "uliod-file": UliodFile, "tgt": Tgt, "bare": Bare}

# SPDX-License-Identifier: BSD-3-Clause
"""The daemon under test: started captive, awaited by event, watched for crashes and sanitizer reports.

ULIO_BUILD        build directory (default: ./build of the source tree)
ULIO_TEST_TARGET  "tgt" runs the same tests against Debian's tgtd, to prove the test kit itself
ULIO_TEST_LOGS    directory that keeps the logs (default: a temporary one that is removed)
"""

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from . import initiator
from .control import Control
from .ports import give_port, take_port
from .wait import SCALE, wait_exit, wait_readable

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("ULIO_BUILD", os.path.join(SOURCE, "build")))
ULIOD = os.path.join(BUILD, "src", "daemon", "uliod")
ULIO = os.path.join(BUILD, "src", "cli", "ulio")
IS_TGT = os.environ.get("ULIO_TEST_TARGET") == "tgt"

# A test run that is killed takes its daemons and machines with it (prctl(2), PR_SET_PDEATHSIG).
DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL"]

_REPORT = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error: |"
                     r"LeakSanitizer: detected|AddressSanitizer:DEADLYSIGNAL|Assertion .* failed")


def sanitizer_env(log_dir):
    """Environment that makes every sanitizer write into log_dir and end the process."""
    env = dict(os.environ)
    common = f"log_path={log_dir}/san:halt_on_error=1:abort_on_error=0"
    env["ASAN_OPTIONS"] = f"{common}:exitcode=66:detect_stack_use_after_return=1:" \
                          f"allocator_may_return_null=1:detect_leaks=1"
    env["UBSAN_OPTIONS"] = f"{common}:print_stacktrace=1:exitcode=66"
    env["TSAN_OPTIONS"] = f"{common}:exitcode=66:second_deadlock_stack=1"
    return env


class NotifySocket:
    """A systemd notification socket (sd_notify(3)): readiness as an event."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.state = ""

    def wait(self, word, proc, timeout):
        """Wait for a message that holds a line `word`; False if the process ended before."""
        pidfd = os.pidfd_open(proc.pid)
        try:
            while word not in self.state.split("\n"):
                ready = wait_readable([self.sock.fileno(), pidfd], timeout)
                assert ready, f"{word} did not come within {timeout * SCALE} s"
                if self.sock.fileno() in ready:
                    self.state += self.sock.recv(4096).decode() + "\n"
                elif pidfd in ready:
                    return False
            return True
        finally:
            os.close(pidfd)

    def close(self):
        self.sock.close()


class Daemon:
    """uliod with its own port, control socket and state directory below one temporary folder.

    disks   list of --disk values; "{dir}" stands for the temporary folder
    allow   list of --allow values; chap "user:secret" (a file is made of it)
    mutual  "user:secret" by which the target proves itself
    params  {key: value} of the portal group's param/; InitialR2T=No unless given, so that initiators
            can have all four ways of data transfer (LIO's default is Yes)
    args    further arguments
    """

    def __init__(self, disks=("file:{dir}/disk0.img,size=64M", "ram:64M"), allow=("any",), chap=None,
                 mutual=None, params=None, args=(), advertise=None, directory=None, env=None, port=None, wrapper=()):
        self.own_dir = directory is None
        self.dir = directory or tempfile.mkdtemp(prefix="ulio-test.", dir=os.environ.get("ULIO_TEST_LOGS"))
        self.host, self.port = "127.0.0.1", port or take_port()
        self.own_port = port is None
        self.disks = [d.replace("{dir}", self.dir) for d in disks]
        self.allow, self.chap, self.mutual = list(allow), chap, mutual
        self.params = {"InitialR2T": "No"} if params is None else params
        self.args = [a.replace("{dir}", self.dir) for a in args]
        self.advertise, self.wrapper = advertise, list(wrapper)
        self.extra_env = env or {}
        self.control_path = os.path.join(self.dir, "control.sock")
        self.state_dir = os.path.join(self.dir, "state")
        self.log_path = os.path.join(self.dir, "daemon.log")
        self.proc = None
        self._iqn = None
        self.gone = False

    # --- what a test uses

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def iqn(self):
        """Name of the only target, found by SendTargets."""
        if self._iqn is None:
            try:
                found = initiator.discover(self.address)
            except initiator.LoginFailed:
                found = initiator.discover(self.address, chap=self.creds())
            assert len(found) == 1, f"one target expected: {found}"
            self._iqn = next(iter(found))
        return self._iqn

    def creds(self):
        if not self.chap:
            return None
        user, secret = self.chap.split(":", 1)
        back = self.mutual.split(":", 1) if self.mutual else (None, None)
        return initiator.Chap(user, secret, *back)

    def url(self, lun=0, user=None):
        """iscsi:// URL for libiscsi and QEMU."""
        auth = f"{user[0]}%{user[1]}@" if user else ""
        return f"iscsi://{auth}{self.host}:{self.port}/{self.iqn}/{lun}"

    def session(self, **kw):
        """A session in full feature phase of the scripted initiator."""
        kw.setdefault("chap", self.creds())
        return initiator.Session.open(self.address, self.iqn, **kw)

    def connection(self, **kw):
        return initiator.Connection(self.address, **kw)

    def control(self, timeout=10):
        return Control(self.control_path, timeout)

    def ulio(self, *args, fails=False, stdin=None):
        """What `ulio` says: of its standard output, or, where it is to fail, of its errors."""
        done = subprocess.run([ULIO, "--control", self.control_path, *args], capture_output=True, text=True, timeout=60,
                              env=sanitizer_env(self.dir), input=stdin, check=False)
        assert (done.returncode != 0) == fails, f"{args}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stderr if fails else done.stdout

    # --- configuration while running

    def disk_of(self, lun):
        """Name of the disk that a LUN shows."""
        with self.control() as c:
            return next(row["disk"] for row in c.call("lun.list") if row["lun"] == lun)

    def add_lun(self, disk):
        """Make a disk ("ram:32M", "file:path,size=...") and show it as a LUN; returns its number."""
        with self.control() as c:
            name = f"added{len(c.call('disk.list'))}"
            c.call("disk.add", name=name, spec=disk.replace("{dir}", self.dir))
            return c.call("lun.add", disk=name)["lun"]

    def remove_lun(self, lun):
        """Take the LUN and its disk away."""
        name = self.disk_of(lun)
        with self.control() as c:
            c.call("lun.remove", lun=lun)
            c.call("disk.remove", name=name)

    def grow_lun(self, lun, size_bytes):
        """Resize the disk behind a LUN."""
        name = self.disk_of(lun)
        with self.control() as c:
            c.call("disk.resize", name=name, size=str(size_bytes))

    # --- life

    def command(self):
        cmd = [ULIOD]
        for d in self.disks:
            cmd += ["--disk", d]
        cmd += ["--listen", f"{self.host}:{self.port}"]
        for a in self.allow:
            cmd += ["--allow", a]
        if self.chap:
            path = os.path.join(self.dir, "chap.secret")
            with open(path, "w", encoding="ascii") as f:
                f.write(self.chap.split(":", 1)[1] + "\n")
            os.chmod(path, 0o600)
            cmd += ["--chap", f"{self.chap.split(':', 1)[0]}:{path}"]
        if self.advertise:
            cmd += ["--advertise", self.advertise]
        return cmd + ["--control", self.control_path, "--state", self.state_dir] + self.args

    def start(self):
        """Start and wait until it says READY=1. A first start that fails leaves nothing behind."""
        first = self.proc is None
        try:
            return self._start()
        except BaseException:
            if first:
                self.discard()
            raise

    def _start(self):
        if not IS_TGT:
            assert os.access(ULIOD, os.X_OK), f"{ULIOD} is not built (ULIO_BUILD names the build directory)"
        os.makedirs(self.state_dir, exist_ok=True)
        for old in glob.glob(os.path.join(self.dir, "notify")):
            os.unlink(old)
        notify = NotifySocket(self.dir)
        env = sanitizer_env(self.dir)
        env.update(self.extra_env)
        env["NOTIFY_SOCKET"] = notify.path
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(DIE_WITH_US + self.wrapper + self.command(), cwd=self.dir, env=env,
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         start_new_session=True)
        try:
            ready = notify.wait("READY=1", self.proc, 20)
        except AssertionError as e:
            raise AssertionError(f"{e}:\n{self.log()[-8000:]}") from None
        finally:
            notify.close()
        if not ready:
            self.proc.wait()
            raise AssertionError(f"the daemon ended with {self.proc.returncode} before it was ready:\n"
                                 f"{self.log()}")
        self.prepare()
        return self

    def prepare(self):
        """What is to be set after the start: parameters, the secret by which the target proves itself."""
        with self.control() as c:
            for target in c.call("target.list"):
                tpg = f"/iscsi/{target['target']}/tpgt_{target['tpg']}"
                for key, value in self.params.items():
                    c.call("set", path=f"{tpg}/param/{key}", value=value)
                if self.mutual:
                    user, secret = self.mutual.split(":", 1)
                    c.call("set", path=f"{tpg}/auth/userid_mutual", value=user)
                    c.call("set", path=f"{tpg}/auth/password_mutual", value=secret)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def reports(self):
        """Texts of the sanitizers, from their files and from the log."""
        out = []
        for path in sorted(glob.glob(os.path.join(self.dir, "san.*"))):
            with open(path, encoding="utf-8", errors="replace") as f:
                out.append(f.read())
        log = self.log() if os.path.exists(self.log_path) else ""
        if _REPORT.search(log):
            out.append(log)
        return out

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    def check(self):
        """Assert that the daemon runs and no sanitizer spoke."""
        reports = self.reports()
        assert not reports, "sanitizer report:\n" + "\n".join(reports)[:20000]
        if self.proc is not None and self.proc.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.proc.returncode}:\n{self.log()[-8000:]}")

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.proc.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_rss(self):
        """The most resident bytes since its start."""
        with open(f"/proc/{self.proc.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))

    def signal(self, sig):
        self.proc.send_signal(sig)

    def wait(self, timeout=20):
        """Exit status of the ended daemon."""
        assert wait_exit(self.proc.pid, timeout), f"the daemon did not end:\n{self.log()[-4000:]}"
        return self.proc.wait()

    def kill(self):
        """kill -9."""
        self.signal(signal.SIGKILL)
        self.proc.wait()

    def stop(self, expect=0):
        """SIGTERM, wait, assert the exit status and that no sanitizer spoke."""
        if self.running():
            self.signal(signal.SIGTERM)
            try:
                status = self.wait()
            except AssertionError:
                self.kill()
                raise
            reports = self.reports()
            assert not reports, "sanitizer report:\n" + "\n".join(reports)[:20000]
            assert status == expect, f"exit status {status} after SIGTERM:\n{self.log()[-4000:]}"
        self.proc = None

    def discard(self):
        """Forget everything: process, port, files."""
        if self.gone:
            return
        self.gone = True
        if self.running():
            self.kill()
        if self.own_port:
            give_port(self.port)
            self.own_port = False
        if self.own_dir and not os.environ.get("ULIO_TEST_LOGS"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self.stop()
        finally:
            self.discard()


class Tgtd(Daemon):
    """Debian's tgtd in the daemon's place: LUNs start at 1 there, so a test asks for first_lun."""

    def command(self):
        self.tgt_control = self.port
        return ["tgtd", "-f", "-C", str(self.tgt_control), "--iscsi", f"portal={self.host}:{self.port}"]

    def adm(self, *args):
        return subprocess.run(["tgtadm", "-C", str(self.tgt_control), "--lld", "iscsi", *args], check=True,
                              capture_output=True, text=True, timeout=20).stdout

    def prepare(self):
        self._iqn = "iqn.2026-01.example.test:tgt"
        self.adm("--op", "new", "--mode", "target", "--tid", "1", "-T", self._iqn)
        self.luns = 0
        for disk in self.disks:
            self.add_lun(disk)
        for key, value in (("InitialR2T", "No"), ("MaxOutstandingR2T", "8"), ("MaxConnections", "1"),
                           ("HeaderDigest", "CRC32C,None"), ("DataDigest", "CRC32C,None")):
            self.adm("--op", "update", "--mode", "target", "--tid", "1", "--name", key, "--value", value)
        for a in self.allow:
            self.adm("--op", "bind", "--mode", "target", "--tid", "1", *(
                ("-I", "ALL") if a == "any" else ("--initiator-name", a)))
        if self.chap:
            user, secret = self.chap.split(":", 1)
            self.adm("--op", "new", "--mode", "account", "--user", user, "--password", secret)
            self.adm("--op", "bind", "--mode", "account", "--tid", "1", "--user", user)
        if self.mutual:
            user, secret = self.mutual.split(":", 1)
            self.adm("--op", "new", "--mode", "account", "--user", user, "--password", secret)
            self.adm("--op", "bind", "--mode", "account", "--tid", "1", "--user", user, "--outgoing")

    def add_lun(self, disk):
        """Add a LUN while running; returns its number."""
        self.luns += 1
        lun = self.luns
        kind, _, rest = disk.replace("{dir}", self.dir).partition(":")
        words = rest.split(",")
        path = words[0] if kind == "file" else os.path.join(self.dir, f"ram{lun}.img")
        size = next((w[5:] for w in words if w.startswith("size=")), None) if kind == "file" else words[0]
        with open(path, "ab") as f:
            f.truncate(parse_size(size))
        self.adm("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", str(lun), "-b", path)
        self.adm("--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", str(lun), "--params",
                 "thin_provisioning=1")
        return lun

    def stop(self, expect=0):
        # tgtd outlives SIGTERM while a target is configured
        self.check()
        self.kill()
        self.proc = None


def parse_size(text):
    """"64M" -> bytes."""
    unit = {"K": 10, "M": 20, "G": 30, "T": 40}.get(text[-1].upper())
    return int(text[:-1]) << unit if unit else int(text)


def make_daemon(**kw):
    """The target under test, not started."""
    return (Tgtd if IS_TGT else Daemon)(**kw)


class Shared:
    """A daemon that tests share: made when one first asks for it, and anew after one has brought it down."""

    def __init__(self, **kw):
        self.kw, self.daemon = kw, None

    @contextlib.contextmanager
    def use(self):
        if self.daemon and not self.daemon.running():
            self.daemon.discard()
            self.daemon = None
        if self.daemon is None:
            d = make_daemon(**self.kw)
            d.start()                   # leaves nothing behind when it fails
            self.daemon = d
        yield self.daemon
        try:
            self.daemon.check()
        except AssertionError:
            self.daemon.discard()
            self.daemon = None
            raise

    def end(self):
        if self.daemon:
            try:
                self.daemon.stop()
            finally:
                self.daemon.discard()


FIRST_LUN = 1 if IS_TGT else 0

# SPDX-License-Identifier: BSD-3-Clause
"""The shell of ulio: through a terminal, from scripts, and targetcli's language in it."""

import json
import os
import re
import subprocess

import pexpect
import pytest

from lib.daemon import ULIO, Daemon, sanitizer_env

IQN = "iqn.2026-01.example.test:shell"
INITIATOR = "iqn.2026-01.example.test:initiator"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x07\x0f]")


class ShellDaemon(Daemon):
    """A daemon that serves nothing yet, in a network of its own: any port is free."""

    def __init__(self):
        own_net = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
        super().__init__(disks=(), allow=(), wrapper=own_net)

    def command(self):
        cmd = super().command()
        at = cmd.index("--listen")
        return cmd[:at] + cmd[at + 2:] + ["--config", os.path.join(self.dir, "saveconfig.json")]


@pytest.fixture
def daemon():
    d = ShellDaemon()
    d.start()
    yield d
    d.stop()
    d.discard()


def environment(d, **more):
    env = {**os.environ, **sanitizer_env(d.dir), "HOME": d.dir, "TERM": "xterm", "LC_ALL": "C.UTF-8", **more}
    env.pop("XDG_STATE_HOME", None)
    env.pop("NO_COLOR", None)
    env.update(more)
    return env


@pytest.fixture
def run(daemon):
    """Run ulio to its end; standard input is no terminal."""

    def go(*args, stdin="", status=0):
        done = subprocess.run([ULIO, "--control", daemon.control_path, *args], capture_output=True, text=True,
                              timeout=60, env=environment(daemon), input=stdin, check=False)
        assert done.returncode == status, f"{args} {stdin!r}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if not status else done.stderr

    go.daemon = daemon
    return go


class Terminal:
    """The shell in a terminal."""

    def __init__(self, d, columns=80, **more):
        self.child = pexpect.spawn(ULIO, ["--control", d.control_path], encoding="utf-8", timeout=20,
                                   dimensions=(24, columns), env=environment(d, **more))
        self.prompt()

    def prompt(self, path=None):
        """Wait for the prompt; what was said before it, without escapes."""
        self.child.expect(re.escape(path or "/") + "> " if path else r"[^\s>]*> ")
        return ESCAPES.sub("", self.child.before).replace("\r", "")

    def __call__(self, line):
        self.child.sendline(line)
        self.child.expect(r"\n")                        # the line itself
        return self.prompt()

    def type(self, text, until):
        """Type without ending the line, until something is shown."""
        self.child.send(text)
        self.child.expect(until)
        return ESCAPES.sub("", self.child.before + self.child.after)

    def leave(self):
        self.child.sendline("exit")
        self.child.expect(pexpect.EOF)
        self.child.close()
        return ESCAPES.sub("", self.child.before or ""), self.child.exitstatus


@pytest.fixture
def terminal(daemon):
    made = []

    def start(columns=80, **more):
        made.append(Terminal(daemon, columns, **more))
        return made[-1]

    yield start
    for t in made:
        t.child.close(force=True)


# --- through a terminal


def test_places(terminal):
    t = terminal()
    assert "backstores" in t("ls")
    t("cd /backstores/ramdisk")
    assert t("pwd").strip() == "/backstores/ramdisk"
    assert "Created ramdisk storage object r1." in t("create r1 16M")
    t("cd r1")
    t("cd ..")
    assert t("pwd").strip() == "/backstores/ramdisk"
    t("cd")
    assert t("pwd").strip() == "/"
    t("cd -")
    assert t("pwd").strip() == "/backstores/ramdisk"
    assert "no such storage object" in t("cd nothing")
    assert "no such directory" in t("cd /nowhere")
    assert t("pwd").strip() == "/backstores/ramdisk"
    t("/iscsi")
    assert t("pwd").strip() == "/iscsi"
    assert "there is no such command" in t("nonsense")
    assert "there are:" in t("/iscsi/ enable")


def test_colour(terminal, run):
    run("/backstores/ramdisk", "create", "r1", "16M")
    t = terminal()
    t.child.sendline("ls /backstores")
    t.child.expect(r"\[\x1b\[32m\(16.0MiB\) deactivated\x1b\[0m\]")
    assert "\x1b[" not in run("ls")
    t = terminal(NO_COLOR="1")
    t.child.sendline("ls /backstores")
    t.child.expect(r"\[\(16.0MiB\) deactivated\]")


def test_narrow(terminal, run):
    """No line is longer than a window of 40 columns, and the prompt leaves room to type."""
    run("/backstores/fileio", "create", "a-disk-with-a-rather-long-name", f"{run.daemon.dir}/image.img", "16M")
    run("/iscsi", "create", IQN)
    run(f"/iscsi/{IQN}/tpg1/luns", "create", "/backstores/fileio/a-disk-with-a-rather-long-name")
    t = terminal(columns=40)
    for command in ("ls", "help", "get global"):
        lines = t(command).splitlines()
        assert max(len(line) for line in lines) <= 40, [line for line in lines if len(line) > 40]
    t(f"cd /iscsi/{IQN}/tpg1/luns")
    t.child.sendline("")
    t.child.expect(r"\.\.[^\n>]{1,18}> ")
    assert "wrong" not in t("pwd")


def test_completion(terminal, run):
    """Each line is typed in part, and what it does shows what it became."""
    run("/backstores/ramdisk", "create", "r1", "16M")
    run("/iscsi", "create", IQN)
    t = terminal()
    t("cd /ba\tra\tr\t")
    assert t("pwd").strip() == "/backstores/ramdisk/r1"
    t("cd /iscsi/iqn\ttpg\t")
    assert t("pwd").strip() == f"/iscsi/{IQN}/tpg1"
    assert "Parameter generate_node_acls is now '1'." in t("set at\tgen\t1")
    assert "Parameter InitialR2T is now 'No'." in t("set par\tInit\tN\t")
    assert "authentication=0" in t("get at\tauthen\t")
    assert "Created LUN 0." in t("luns/ cr\t/ba\tram\tr\t")
    assert "r1" in t("disk li\t")
    t.type("luns/ create /backstores/\t", r"block/ +fileio/ +pscsi/ +ramdisk/ +user/")     # what there is, listed
    t.child.send("\x03")
    t.prompt(), t.prompt()
    t.type("set attribute generate_node_acls=\t", r"0 +1")
    t.child.send("\x03")
    t.prompt(), t.prompt()
    t.type("disk add \t", "name: a name for it")             # nothing to choose from: what is meant
    t.child.send("\x03")
    t.prompt(), t.prompt()


def test_interrupt(terminal):
    """Ctrl-C gives the line up, and the shell goes on."""
    t = terminal()
    t.type("create something", "something")
    t.child.send("\x03")
    t.child.expect(r"\^C")
    t.prompt()
    assert t("pwd").strip() == "/"


def test_history(terminal, daemon):
    """Lines come back in the next shell, but for those with secrets."""
    t = terminal()
    t("pwd")
    t("/iscsi set discovery_auth userid=me password=a-long-secret-1")
    assert t.leave()[1] == 0
    path = os.path.join(daemon.dir, ".local/state/ulio/history")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert "pwd" in text and "secret" not in text
    t = terminal()
    t.child.send("\x1b[A\x1b[A")
    t.child.expect("pwd")


def test_help(terminal):
    t = terminal()
    assert "saveconfig [savefile]" in t("help")
    assert "clear_existing:" in t("help restoreconfig")
    assert "disk add name spec" in t("help disk add")
    t("cd /iscsi")
    assert "Make a target with portal group 1." in t("help")
    assert "disk resize" in t("help all")


def test_leaving(terminal, daemon):
    """What was changed is saved when the shell is left, if that is wished for; its status is the last one's."""
    saved = os.path.join(daemon.dir, "saveconfig.json")
    t = terminal()
    t("/backstores/ramdisk create r1 16M")
    t("set global auto_save_on_exit=false")
    t.leave()
    assert not os.path.exists(saved)
    t = terminal()
    t("set global auto_save_on_exit=true")
    t("/backstores/ramdisk create r2 16M")
    said, status = t.leave()
    assert "the configuration was saved" in said and status == 0
    with open(saved, encoding="utf-8") as f:
        assert [so["name"] for so in json.load(f)["storage_objects"]] == ["r1", "r2"]
    t = terminal()
    t("pwd")
    assert "saved" not in t.leave()[0]


def test_questions(terminal, run):
    """On a terminal what is dangerous is asked for; without one it needs --yes."""
    run("/backstores/ramdisk", "create", "r1", "16M")
    assert "--yes" in run("clearconfig", status=3)
    t = terminal()
    t.child.sendline("clearconfig")
    t.child.expect(r"Go on\? \[y/N\] ")
    t.child.sendline("n")
    assert "nothing was done" in t.prompt()
    assert "r1" in run("ls")
    t.child.sendline("clearconfig")
    t.child.expect(r"Go on\? \[y/N\] ")
    t.child.sendline("y")
    assert "cleared" in t.prompt()
    assert "r1" not in run("ls")


def test_daemon_gone(terminal, daemon):
    """A daemon that is started anew is found again."""
    t = terminal()
    daemon.stop()
    assert "is uliod running?" in t("ls") + t("ls")
    daemon.start()
    assert "backstores" in t("ls")


# --- scripts


def test_script(run, tmp_path):
    script = tmp_path / "script"
    script.write_text("# disks\n/backstores/ramdisk create r1 16M\n\ncd /backstores/ramdisk\ncreate 'r2' size=16M\n"
                      "create r2 16M\ncreate r3 16M\n")
    said = run("-f", str(script), status=1)
    assert f"{script}, line 6: failed" in said and "r2: there is such a storage object" in said
    assert re.findall(r"o- (r\d)", run("ls", "/backstores/ramdisk")) == ["r1", "r2"]
    assert "line 2: failed" in run("-f", str(script), "--keep-going", status=1)
    assert re.findall(r"o- (r\d)", run("ls", "/backstores/ramdisk")) == ["r1", "r2", "r3"]
    assert run(stdin="cd /iscsi\npwd\nexit\nnonsense\n").splitlines() == ["/iscsi"]
    assert "standard input, line 2" in run(stdin="pwd\nnonsense\npwd\n", status=2)
    assert "no end" in run(stdin="cd 'x\n", status=2)
    assert "No such file" in run("-f", "/nonexistent", status=2)


def test_statuses(run):
    run("nonsense", status=2)
    run("/iscsi", "nonsense", status=2)
    run("/iscsi", "create", "a", "b", status=2)
    run("/iscsi", "create", "colour=red", status=2)
    run("/backstores/fileio", "create", "x", status=2)
    run("/backstores/fileio", "delete", "x", status=1)
    run("clearconfig", status=3)
    run("--nonsense", status=2)


def test_json(run):
    out = json.loads(run("--json", "/backstores/ramdisk", "create", "r1", "16M"))
    assert out["messages"] == ["Created ramdisk storage object r1."]
    tree = json.loads(run("ls", "/backstores", "--json"))
    assert [c["name"] for c in tree["children"]] == ["block", "fileio", "ramdisk"]
    assert tree["children"][2]["children"][0]["summary"] == "(16.0MiB) deactivated"
    block_size = run("--json", "/backstores/ramdisk/r1", "get", "attribute", "block_size")
    assert json.loads(block_size) == {"block_size": "512"}
    assert json.loads(run("--json", "get", "global"))["auto_save_on_exit"] == "true"
    assert json.loads(run("--json", "ls", "/core"))["dirs"] == ["alua", "rd_mcp_0"]

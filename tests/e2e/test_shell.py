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
    # libedit never frees the names of functions that are added to it
    suppressions = os.path.join(d.dir, "lsan.supp")
    with open(suppressions, "w", encoding="ascii") as f:
        f.write("leak:wcsdup\n")
    env["LSAN_OPTIONS"] = f"suppressions={suppressions}:print_suppressions=0"
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
    for path in ("/iscsi", "/iscsi", ".", "/iscsi/"):          # also where one is
        t(path)
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
    assert t("pwd").strip() == f"/iscsi/{IQN}/tpg1/luns"


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
    t.type("luns/ create /backstores/\t", r"block/ +fileio/ +ramdisk/ +user/")     # what there is, listed
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
    t("/iscsi set discovery_auth userid=me password=hidden-words-1")
    t("lio_node --setchapdiscauth me hidden-words-2")
    t("set /iscsi/discovery_auth/password hidden-words-3")
    t("set /iscsi/discovery_auth/password_mutual hidden-words-4")
    assert t.leave()[1] == 0
    path = os.path.join(daemon.dir, ".local/state/ulio/history")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert "pwd" in text and "hidden" not in text
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
    with open(f"{daemon.dir}/want.json", "w", encoding="utf-8") as f:
        f.write('{"storage_objects": [], "targets": []}')
    t = terminal()
    t("pwd")
    assert "saved" not in t.leave()[0]
    t = terminal()
    t("set global auto_save_on_exit=true")
    assert "remove /" in t(f"plan {daemon.dir}/want.json")
    assert "saved" not in t.leave()[0]
    t = terminal()
    t("/backstores/ramdisk create r3 16M")
    t("save")
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
    for args in (["ls"], ["ls", "/iscsi"], ["ls", "/backstores/ramdisk/r"], ["/iscsi", "status"],
                 ["share", "ram:16M", "--to", "any"]):
        done = subprocess.run([ULIO, "--control", "/nonexistent", *args], capture_output=True, text=True, timeout=30,
                              check=False)
        assert done.returncode == 1 and "is uliod running?" in done.stderr, args


def test_exec_keeps_words(run):
    """What follows the command of exec is the command's."""
    assert run("exec", "echo", "a", "--yes", "--json", "b") == "a --yes --json b\n"
    assert run("--yes", "exec", "--", "echo", "--json") == "--json\n"


def test_exclusive(run, block):
    """exclusive=false opens a block device that somebody else has for himself."""
    fd = os.open(block, os.O_RDONLY | os.O_EXCL)
    try:
        run("/backstores/block", "create", "b", block, status=1)
        run("/backstores/block", "create", "b", block, "exclusive=false")
    finally:
        os.close(fd)


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


# --- targetcli's language

SCSI_ID = "b1d5e8a0-0000-4000-8000-000000000001"
TPG, LUNS, ACLS, PORTALS = (f"/iscsi/{IQN}/tpg1{sub}" for sub in ("", "/luns", "/acls", "/portals"))
ACL = f"{ACLS}/{INITIATOR}"
# What is said, and a part of the answer; the exit status if it is not 0. {dir} is a scratch folder.
TARGETCLI = [
    ("/backstores/fileio create name=f1 file_or_dev={dir}/f1.img size=16M write_back=false", "Created fileio"),
    ("/backstores/fileio create f2 {dir}/f2.img 16M sparse=false wwn=" + SCSI_ID, "Created fileio"),
    ("/backstores/fileio create f3 {dir}/f2.img", "has it already", 1),
    ("/backstores/fileio create f3 {dir}/none.img", "needs a size", 2),
    ("/backstores/fileio create f1 {dir}/f9.img 16M", "there is such a storage object", 1),
    ("/backstores/fileio create f4 {dir}/there.img", "Created fileio"),
    ("/backstores/ramdisk create r1 64M", "Created ramdisk"),
    ("/backstores/ramdisk create r2 64M nullio=true", "Created ramdisk"),
    ("/backstores/ramdisk create r3 much", "such as 512M", 2),
    ("/backstores/block create name=b1 dev=/nonexistent readonly=true", "no such file", 1),
    ("/backstores/pscsi create p1 /dev/nonexistent", "or user_N is meant", 1),
    ("/backstores/user:null create u1 16M cfgstring=", "Created user"),
    ("/backstores/fileio/f1 status", "write-thru deactivated"),
    ("/backstores/fileio/f2 info", SCSI_ID),
    ("/backstores/fileio/f1 version", "version"),
    ("/backstores/fileio/f1 get attribute block_size emulate_caw", "block_size=512"),
    ("/backstores/fileio/f1 get attribute", "emulate_tpu="),
    ("/backstores/fileio/f1 get attribute colour", "no such attribute", 2),
    ("/backstores/fileio/f1 set attribute emulate_tpu=1 is_nonrot=1", "Parameter is_nonrot is now '1'."),
    ("/backstores/fileio/f1 set attribute block_size=7", "is none of 512", 1),
    ("/backstores/fileio/f1 set attribute block_size", "NAME=VALUE", 2),
    ("/backstores/fileio/f1/alua create g 5", "Created ALUA group g"),
    ("/backstores/fileio/f1/alua create h 5", "has the id 5", 1),
    ("/backstores/fileio/f1/alua/g set alua alua_access_state=2", "is now '2'"),
    ("/backstores/fileio/f1/alua/g get alua alua_access_state", "alua_access_state=2"),
    ("/backstores/fileio/f1/alua/g get alua", "preferred="),
    (f"/iscsi create {IQN}", "Created TPG 1."),
    (f"{TPG} get attribute authentication", "authentication=0"),
    (f"/iscsi create {IQN}", "there is one already", 1),
    ("/iscsi create", "Created target iqn.2024-07.internal.ulio:"),
    ("/iscsi create not/aname", "no such directory", 1),
    (f"/iscsi/{IQN} create 2", "Created TPG 2."),
    (f"/iscsi/{IQN} create", "Created TPG 3."),
    (f"/iscsi/{IQN} create tpg9", "Created TPG 9."),
    (f"/iscsi/{IQN} create x", "0 to 65535", 2),
    (f"/iscsi/{IQN} delete 2", "Deleted TPG 2."),
    (f"/iscsi/{IQN} delete tpg9", "Deleted TPG 9."),
    (f"{TPG} disable", "disabled"),
    (f"{TPG} status", "disabled"),
    (f"{TPG} enable", "enabled"),
    (f"{TPG} set attribute authentication=0 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1",
     "Parameter cache_dynamic_acls is now '1'."),
    (f"{TPG} set parameter MaxRecvDataSegmentLength=262144 InitialR2T=No", "InitialR2T is now 'No'"),
    (f"{TPG} get attribute", "demo_mode_write_protect=0"),
    (f"{TPG} get parameter AuthMethod", "AuthMethod=CHAP,None"),
    (f"{TPG} set auth userid=u password=long-secret-1 mutual_userid=t mutual_password=long-secret-2",
     "Parameter mutual_password is set."),
    (f"{TPG} get auth", "userid="),
    (f"{TPG} get nonsense", "no such group", 2),
    (f"{PORTALS} create 10.0.0.1 3261", "10.0.0.1:3261"),
    (f"{PORTALS} create 10.0.0.1", "in use", 1),                  # 0.0.0.0:3260 is there: as in LIO
    (f"{PORTALS} create ip_address=10.0.0.1 ip_port=3262", "10.0.0.1:3262"),
    (f"{PORTALS} create ::1", "[::1]:3260"),
    (f"{PORTALS} create 10.0.0.1 x", "1 to 65535", 2),
    (f"{PORTALS} delete 10.0.0.1 3261", "Deleted network portal"),
    (f"{PORTALS} delete ::1 3260", "Deleted network portal"),
    (f"{PORTALS} delete 0.0.0.0 3260", "Deleted network portal"),
    (f"{PORTALS} create", "0.0.0.0:3260"),
    (f"{PORTALS} delete 10.9.9.9", "no such directory", 1),
    (f"{PORTALS}/10.0.0.1:3262 enable_iser false", "disabled"),
    (f"{PORTALS}/10.0.0.1:3262 enable_iser true", "no such transport", 1),
    (f"{PORTALS}/10.0.0.1:3262 enable_offload false", "disabled"),
    (f"{LUNS} create /backstores/fileio/f1", "Created LUN 0."),
    (f"{LUNS} create /backstores/fileio/f1", "is LUN 0", 1),
    (f"{LUNS} create /backstores/ramdisk/r1 5 add_mapped_luns=false", "Created LUN 5."),
    (f"{LUNS} create {{dir}}/lun.img", "Created storage object lun.img."),
    (f"{LUNS} create /nonexistent", "no file or device", 2),
    (f"{LUNS} create {{dir}}/a,b.img", "path with a comma", 2),
    (f"{LUNS} create {{dir}}/link.img", "the storage object lun.img has it already", 1),
    (f"{LUNS}/lun0 set alua alua_tg_pt_gp_name=g", "is now 'g'"),
    (f"{LUNS}/lun0 get alua alua_tg_pt_gp_name", "TG Port Alias: g"),
    (f"{ACLS} create {INITIATOR}", "Created mapped LUN 5 of LUN 5"),
    (f"{ACLS} create {INITIATOR}2 add_mapped_luns=false", "Created node ACL"),
    (f"{LUNS} create /backstores/ramdisk/r2", f"Created mapped LUN 2 of LUN 2 for {INITIATOR}2."),
    (f"{ACL}2 create 3 0 write_protect=1", "Created mapped LUN 3 of LUN 0"),
    (f"{ACL}2 create 4 /backstores/fileio/f4", "Created mapped LUN 4 of LUN 3"),
    (f"{ACL}2 create 4 0", "there is one already", 1),
    (f"ls {ACL}2", "mapped_lun3"),
    (f"{ACL}2 delete 3", "Deleted mapped LUN 3."),
    (f"{ACL} set auth userid=u password=long-secret-1", "Parameter password is set."),
    (f"{ACL} get attribute dataout_timeout", "dataout_timeout=3"),
    (f"{ACL} set attribute dataout_timeout=20", "is now '20'"),
    (f"{ACL} get parameter", "[ro]"),
    (f"{ACL} info", "No active iSCSI Session"),
    (f"{ACLS} tag {INITIATOR}2 name", "tagged name"),
    (f"{ACLS}/name info", "name"),
    (f"{ACLS} tag {INITIATOR} na.me", "belong to initiators' names", 2),
    (f"{ACLS} untag name", "no tag"),
    (f"{ACLS}/name info", "no such directory", 1),
    (f"{ACLS} delete {INITIATOR}2", "Deleted node ACL"),
    (f"{LUNS} delete lun5", "Deleted LUN 5."),
    (f"{LUNS} delete 2", "Deleted LUN 2."),
    ("/iscsi set discovery_auth enable=1 userid=d password=long-secret-3 mutual_userid=e "
     "mutual_password=long-secret-4", "Parameter enable is now '1'."),
    ("/iscsi get discovery_auth enable", "enable=1"),
    ("/iscsi info", "lio_version"),
    ("/iscsi version", "version"),
    ("/iscsi ls", IQN),
    ("ls / 2", "Targets: 2"),
    ("status", "uptime"),
    ("sessions", "no sessions"),
    ("sessions list", "no sessions"),
    ("sessions detail", "no such session", 1),
    ("set global auto_add_default_portal=false auto_save_on_exit=true", "is now 'true'"),
    ("set global export_backstore_name_as_model=perhaps", "true or false", 2),
    ("get global", "auto_add_default_portal=false"),
    (f"/iscsi create {IQN}2", "Created TPG 1."),
    (f"ls /iscsi/{IQN}2", "Portals: 0"),
    ("saveconfig", "Configuration saved"),
    ("version", "version"),
    (f"/iscsi delete {IQN}2", "Deleted target"),
    ("/backstores/fileio delete f1", "Deleted storage object f1."),
    ("/backstores/ramdisk delete r2 save=true", "Deleted storage object r2."),
    ("saveconfig {dir}/copy.json", "copy.json"),
    ("clearconfig confirm=true", "cleared"),
    ("ls", "Targets: 0"),
    ("restoreconfig {dir}/copy.json", "Configuration restored."),
    ("ls", "lun.img"),
    ("restoreconfig {dir}/copy.json clear_existing=true", "Configuration restored."),
    ("clearconfig confirm=true", "cleared"),
    ("restoreconfig {dir}/none.json", "nothing has been changed", 1),
    (f"restoreconfig {{dir}}/copy.json target={IQN}", "Configuration restored.", 0),
    ("clearconfig confirm=true", "cleared"),
    ("restoreconfig {dir}/copy.json storage_object=f2", "Configuration restored."),
    ("ls /backstores/fileio", "f2"),
]


def test_targetcli(run, tmp_path):
    """Every command of targetcli's that is in use, each as arguments of ulio, in this order."""
    for name in ("there.img", "lun.img", "a,b.img"):
        with open(tmp_path / name, "wb") as f:
            f.truncate(16 << 20)
    (tmp_path / "link.img").hardlink_to(tmp_path / "lun.img")
    wrong = []
    for line, want, *status in TARGETCLI:
        try:
            said = run(*line.replace("{dir}", str(tmp_path)).split(), status=status[0] if status else 0)
        except AssertionError as e:
            wrong.append(str(e))
        else:
            if want not in said:
                wrong.append(f"{line}: {want!r} is missing in: {said}")
    assert not wrong, "\n".join(wrong)
    assert not (tmp_path / "a").exists()
    assert os.stat(tmp_path / "f2.img").st_blocks * 512 >= 16 << 20         # sparse=false
    assert os.stat(tmp_path / "f1.img").st_blocks * 512 < 16 << 20


def test_targetcli_script(run, tmp_path):
    """The same commands line by line, at their places."""
    script = tmp_path / "script"
    script.write_text(f"cd /backstores/ramdisk\ncreate r1 16M\ncd /iscsi\ncreate {IQN}\ncd {IQN}/tpg1/luns\n"
                      f"create /backstores/ramdisk/r1\ncd ../acls\ncreate {INITIATOR}\ncd {INITIATOR}\npwd\nls\nexit\n")
    said = run("-f", str(script))
    assert f"{ACL}\n" in said and "mapped_lun0" in said and "[lun0 ramdisk/r1 (rw)]" in said


def test_top_on_a_terminal(terminal):
    """Renewed each second until Ctrl-C, which ends it and not the shell."""
    t = terminal()
    t.child.sendline("top")
    t.child.expect("no sessions")
    t.child.expect("no sessions")
    t.child.send("\x03")
    t.prompt()
    assert t("pwd").strip() == "/"


# --- bash, and lio-utils


def test_bash(run, tmp_path):
    """What bash would offer, by the same function."""
    run("/iscsi", "create", IQN)
    source = os.path.join(os.path.dirname(__file__), "../../src/cli/ulio.bash")

    def offered(line):
        script = f'PATH={os.path.dirname(ULIO)}:$PATH; . {source}; COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; ' \
                 'COMPREPLY=(); _ulio; printf "%s\\n" "${COMPREPLY[@]}"'
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True,
                              env=environment(run.daemon, ULIO_CONTROL=run.daemon.control_path)).stdout.split("\n")[:-1]

    assert offered("ulio disk re") == ["remove", "resize"]
    assert offered("ulio /backstores/") == [f"/backstores/{kind}/" for kind in ("block", "fileio", "ramdisk", "user")]
    assert offered("ulio check") == ["check-offload "]
    assert offered("ulio /iscsi/iqn.2026-01.example.test:sh") == ["shell/"]
    assert offered(f"ulio /iscsi/{IQN}/tpg1 set attribute generate_node_acls=") == ["0", "1"]


@pytest.fixture
def tool(run, tmp_path):
    """tcm_node and lio_node: the same binary by another name."""

    def go(name, *args, status=0):
        link = tmp_path / name
        if not link.exists():
            link.symlink_to(ULIO)
        done = subprocess.run([str(link), *args], capture_output=True, text=True, timeout=60, check=False,
                              env=environment(run.daemon, ULIO_CONTROL=run.daemon.control_path))
        assert done.returncode == status, f"{name} {args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if not status else done.stderr

    return go


TCM_NODE = [
    ("--createdev fileio_0/f0 fd_dev_name={dir}/f0.img,fd_dev_size=16777216", ""),
    ("--fileio fileio_0/f1 {dir}/f1.img 16777216", ""),
    ("--ramdisk rd_mcp_3/r0 4096", ""),
    ("--establishdev rd_mcp_3/r1 4096", ""),
    ("--establishdev rd_mcp_3/r1 4096", "there is one already", 1),
    ("--createdev nonsense 4096", "HBA/DEV is meant", 2),
    ("--iblock iblock_1/b0 /nonexistent", "no such file", 1),
    ("--scsi pscsi_1/s0 1:2:x", "three numbers", 2),
    ("--scsi pscsi_1/s0 1:2:3", "no such directory", 1),
    ("--pscsi pscsi_1/s0 1:2:3", "no such directory", 1),
    ("--pscsibyudev pscsi_1/s0 /dev/nonexistent", "no such directory", 1),
    ("--scsibyudev pscsi_1/s0 /dev/nonexistent", "no such directory", 1),
    ("--block iblock_1/b0 /nonexistent", "no such file", 1),
    ("--listhbas", "rd_mcp_3"),
    ("--setunitserial rd_mcp_3/r0 my-serial", ""),
    ("--setunitserialwithmd rd_mcp_3/r1 other-serial", ""),
    ("--wwn rd_mcp_3/r0", "my-serial"),
    ("--setudevpath rd_mcp_3/r0 /some/path", ""),
    ("--udevpath rd_mcp_3/r0", "/some/path"),
    ("--listdevattr fileio_0/f0", "block_size: 512"),
    ("--setdevattr fileio_0/f0 emulate_tas 0", ""),
    ("--setdevattr fileio_0/f0 colour 0", "no such attribute", 1),
    ("--addlungp lg", ""),
    ("--listlugps", "lg, id"),
    ("--setlugp rd_mcp_3/r0 lg", ""),
    ("--listlugps", "rd_mcp_3/r0"),
    ("--setlugp rd_mcp_3/r0 NULL --dellungp lg", ""),
    ("--addtgptgp fileio_0/f0 g1", ""),
    ("--addaluatpg fileio_0/f0 g3", ""),
    ("--addtgptgpwithmd fileio_0/f0 g2 9", ""),
    ("--addaluatpgwithmd fileio_0/f0 default_tg_pt_gp 0", ""),
    ("--listtgptgps fileio_0/f0", "tg_pt_gp_id: 9"),
    ("--listaluatpgs fileio_0/f0", "tg_pt_gp_id: 9"),
    ("--setaluastate fileio_0/f0 g2 s", ""),
    ("--setaluastate fileio_0/f0 g2 x", "one of these", 2),
    ("--setaluatype fileio_0/f0 g2 both", ""),
    ("--setaluadelay fileio_0/f0 g2 200", ""),
    ("--setaluatransdelay fileio_0/f0 g2 10", ""),
    ("--setaluapref fileio_0/f0 g2", ""),
    ("--listtgptgp fileio_0/f0 g2", "preferred: 1"),
    ("--listaluatpg fileio_0/f0 g2", "alua_access_state: 2"),
    ("--clearaluapref fileio_0/f0 g2", ""),
    ("--deltgptgp fileio_0/f0 g1", ""),
    ("--delaluatpg fileio_0/f0 g1", "no such directory", 1),
    ("--pr fileio_0/f0", "No SPC-3 Reservation holder"),
    ("--praptpl fileio_0/f0", "APTPL"),
    ("--prshowmd fileio_0/f0", "No such file", 1),
    ("--freedev fileio_0/f1", ""),
    ("--delhba rd_mcp_3", ""),
    ("--version", "Target Engine Core"),
    ("--nonsense", "no such option", 2),
    ("--freedev", "1 arguments", 2),
    ("", "--listtgptgps"),
]
LIO_NODE = [
    ("--addtpg {iqn} 1", "has a group 1"),
    ("--addtpg {iqn} 1", "there is one already", 1),
    ("--addnp {iqn} 1 127.0.0.1", "listens"),
    ("--addnp {iqn} 1 [::1]", "listens"),
    ("--addnp {iqn} 1 127.0.0.1:3270", "listens"),
    ("--listnps {iqn} 1", "[::1]:3260"),
    ("--delnp {iqn} 1 127.0.0.1:3270", "any more"),
    ("--addlun {iqn} 1 0 alias fileio_0/f0", "is LUN 0"),
    ("--addlun {iqn} 1 0 alias fileio_0/f0", "there is one already", 1),
    ("--addlun {iqn} 1 1 alias fileio_0/none", "no such directory", 1),
    ("--settgptgp {iqn} 1 0 g2", "in group g2"),
    ("--showtgptgp {iqn} 1 0", "TG Port Alias: g2"),
    ("--settgptoff {iqn} 1 0", "is offline"),
    ("--cleartgptoff {iqn} 1 0", "not offline"),
    ("--setaluatpg {iqn} 1 0 g2", "in group g2"),
    ("--setaluaoff {iqn} 1 0", "is offline"),
    ("--clearaluaoff {iqn} 1 0", "not offline"),
    ("--aluasecmd {iqn} 1 0", ""),
    ("--addnodeacl {iqn} 1 {ini}", "may log in"),
    ("--addlunacl {iqn} 1 {ini} 0 4", "is LUN 4"),
    ("--addlunacl {iqn} 1 {ini}b 0 0", "is LUN 0"),
    ("--listnodeacls {iqn} 1", "initiatorb"),
    ("--listlunacls {iqn} 1", "lun_4 -> lun_0 (rw)"),
    ("--enablelunwp {iqn} 1 {ini} 4", "may read"),
    ("--listlunacls {iqn} 1", "lun_4 -> lun_0 (ro)"),
    ("--disablelunwp {iqn} 1 {ini} 4", "may write"),
    ("--dellunacl {iqn} 1 {ini} 4", "has no LUN 4"),
    ("--setchapauth {iqn} 1 {ini} u long-secret-1", "secret"),
    ("--setchapmutualauth {iqn} 1 {ini} u long-secret-2", "secret"),
    ("--showchapauth {iqn} 1 {ini}", "authenticate_target: 1"),
    ("--setnodeattr {iqn} 1 {ini} nopin_timeout 20", "is 20"),
    ("--listnodeattr {iqn} 1 {ini}", "nopin_timeout=20"),
    ("--listnodeparam {iqn} 1 {ini}", "InitialR2T="),
    ("--setnodetcq {iqn} 1 {ini} 32", "32 commands"),
    ("--shownodetcq {iqn} 1 {ini}", "32"),
    ("--settpgattr {iqn} 1 login_timeout 20", "is 20"),
    ("--listtpgattr {iqn} 1", "login_timeout=20"),
    ("--settpgparam {iqn} 1 InitialR2T No", "is No"),
    ("--listtpgparam {iqn} 1", "InitialR2T=No"),
    ("--permissive {iqn} 1", "needs no ACL"),
    ("--disableauth {iqn} 1 --demomode {iqn} 1 --enabletpg {iqn} 1", "is enabled"),
    ("--listtpgattr {iqn} 1", "generate_node_acls=1"),
    ("--enableauth {iqn} 1 --enableaclmode {iqn} 1 --disabletpg {iqn} 1", "is disabled"),
    ("--setchapdiscauth d long-secret-3", "secret"),
    ("--setchapdiscmutualauth e long-secret-4", "secret"),
    ("--setchapdiscenforce 1", "1"),
    ("--showchapdiscauth", "enforce_discovery_auth: 1"),
    ("--listendpoints", "lun_0/alias -> core/fileio_0/f0"),
    ("--listtargetnames", "{iqn}"),
    ("--delnodeacl {iqn} 1 {ini}", "not log in"),
    ("--dellun {iqn} 1 0", "remove that link first", 1),                     # it is mapped for the other one
    ("--delnodeacl {iqn} 1 {ini}b --dellun {iqn} 1 0", "is removed"),
    ("--addtpg {iqn} 2 --deltpg {iqn} 2", "is removed"),
    ("--deltpg {iqn} 7", "no such directory", 1),
    ("--version", "Target"),
    ("--deliqn {iqn}", "is removed"),
    ("--unload", "are removed"),
    ("--addtpg {iqn}", "2 arguments", 2),
    ("", "--addlunacl"),
]


def test_lio_utils_rows(tool):
    """The rows below try every option that there is, by all of its names."""
    for name, rows in (("tcm_node", TCM_NODE), ("lio_node", LIO_NODE)):
        tried = {word for row in rows for word in row[0].split()} | {"--yes", "--help", "--json", "--unload"}
        assert not set(re.findall(r"--[a-z]+", tool(name, "--help"))) - tried


def test_lio_utils(tool, run, tmp_path):
    """Every option of tcm_node and lio_node of lio-utils; names of targets in any letters."""
    wrong = []
    for name, rows in (("tcm_node", TCM_NODE), ("lio_node", LIO_NODE)):
        for line, want, *status in rows:
            words = {"dir": tmp_path, "iqn": IQN.upper() if "addnp" in line else IQN, "ini": INITIATOR}
            try:
                said = tool(name, *line.format(**words).split(), status=status[0] if status else 0)
            except AssertionError as e:
                wrong.append(str(e))
            else:
                if want.format(**words) not in said:
                    wrong.append(f"{name} {line}: {want!r} is missing in: {said}")
    assert not wrong, "\n".join(wrong)
    assert "--yes" in tool("tcm_node", "--unload", status=3)
    tool("tcm_node", "--unload", "--yes")
    assert json.loads(run("--json", "disk", "list")) == []
    assert "fileio" not in run("tcm_node", "--listhbas")       # as a subcommand, too

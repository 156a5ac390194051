# SPDX-License-Identifier: BSD-3-Clause
"""Who may log in by which account: several users, second secrets, files, the choice of algorithms, and that no
secret is told. RFC 7143 9.2.1, 12.1.3. (The exchange itself is in test_chap.py.)"""

import json
import os
import signal
import subprocess

import pytest

from lib.daemon import IS_TGT, ULIO, make_daemon, sanitizer_env
from lib.initiator import DEFAULT_NAME, OPERATIONAL, SECURITY, Chap, Login, LoginFailed, Session

pytestmark = pytest.mark.skipif(IS_TGT, reason="ulio's own configuration")

USER, SECRET = "general", "general-secret-01"
ALL = (8, 7, 6, 5)


@pytest.fixture
def authd(new_daemon):
    return new_daemon(chap=f"{USER}:{SECRET}")


@pytest.fixture(scope="module")
def _shared_authd():
    d = make_daemon(chap=f"{USER}:{SECRET}")
    try:
        d.start()
        yield d
        d.stop()
    finally:
        d.discard()


@pytest.fixture
def auth(_shared_authd):
    """The daemon with set(file, value) of the portal group's auth/; all is undone after the test."""
    d = _shared_authd
    where, made, changed = f"/iscsi/{d.iqn}/tpgt_1/auth", [], set()

    class Auth:
        daemon = d

        @staticmethod
        def set(name, value):
            changed.add(name)
            with d.control() as c:
                c.call("set", path=name if name[0] == "/" else f"{where}/{name}", value=value)

        @staticmethod
        def user(name, **values):
            with d.control() as c:
                c.call("mkdir", path=f"{where}/users/{name}")
                made.append(name)
                for key, value in values.items():
                    c.call("set", path=f"{where}/users/{name}/{key}", value=value)

        @staticmethod
        def remove(name):
            with d.control() as c:
                c.call("rmdir", path=f"{where}/users/{name}")
                made.remove(name)

    yield Auth
    for name in list(made):
        Auth.remove(name)
    for name in list(changed):
        Auth.set(name, "")
    Auth.set("password", SECRET)
    d.check()


def logs_in(d, user, secret, algorithms=ALL):
    try:
        with d.session(chap=Chap(user, secret, algorithms=algorithms)) as s:
            s.logout()
        return True
    except LoginFailed as e:
        assert e.status == 0x0201
        return False


def test_several_users(auth):
    """12.1.3: Each account opens with its own secret, and no other."""
    d = auth.daemon
    auth.user("alice", password="alice-secret-012")
    auth.user("bob", password="bob-secret-01234")
    assert logs_in(d, "alice", "alice-secret-012") and logs_in(d, "bob", "bob-secret-01234")
    assert logs_in(d, USER, SECRET)
    assert not logs_in(d, "alice", "bob-secret-01234")
    assert not logs_in(d, "alice", SECRET)
    assert not logs_in(d, "carol", "bob-secret-01234")
    auth.remove("alice")
    assert not logs_in(d, "alice", "alice-secret-012")


def test_account_without_secret(auth):
    """9.2.1: An account without a secret lets nobody in."""
    auth.user("empty")
    assert not logs_in(auth.daemon, "empty", "")


def test_user_of_an_acl(authd):
    """9.2, 12.1.3: An ACL's accounts are its own: the portal group's do not open it."""
    with authd.control() as c:
        c.call("acl.add", initiator=DEFAULT_NAME)
        where = f"/iscsi/{authd.iqn}/tpgt_1"
        c.call("mkdir", path=f"{where}/acls/{DEFAULT_NAME}/auth/users/carol")
        c.call("set", path=f"{where}/acls/{DEFAULT_NAME}/auth/users/carol/password", value="carol-secret-012")
    assert logs_in(authd, "carol", "carol-secret-012")
    assert not logs_in(authd, USER, SECRET)


def test_users_of_discovery(authd):
    """9.2, 12.1.3: Discovery has accounts of its own."""
    with authd.control() as c:
        c.call("mkdir", path="/iscsi/discovery_auth/users/dora")
        c.call("set", path="/iscsi/discovery_auth/users/dora/password", value="dora-secret-0123")
        c.call("set", path="/iscsi/discovery_auth/enforce_discovery_auth", value="1")
    Session.open(authd.address, discovery=True, chap=Chap("dora", "dora-secret-0123")).logout()
    with pytest.raises(LoginFailed) as e:
        Session.open(authd.address, discovery=True)
    assert e.value.status == 0x0201
    assert not logs_in(authd, "dora", "dora-secret-0123")


def test_mutual_by_user(auth):
    """12.1.3: an account may have its own name and secret of the target."""
    auth.user("eve", password="eve-secret-01234", userid_mutual="own-target", password_mutual="own-target-secret")
    auth.set("userid_mutual", "all-target")
    auth.set("password_mutual", "all-target-secret")
    for user, secret, name, back in (("eve", "eve-secret-01234", "own-target", "own-target-secret"),
                                     (USER, SECRET, "all-target", "all-target-secret")):
        with auth.daemon.session(chap=Chap(user, secret, name, back)) as s:
            s.logout()


def test_mutual_in_discovery_and_by_acl(authd):
    """12.1.3, both ways: in a discovery session, and by the account of an ACL."""
    with authd.control() as c:
        for user, place in (("disco", {"discovery": True}), ("byacl", {"initiator": DEFAULT_NAME})):
            if "initiator" in place:
                c.call("acl.add", initiator=DEFAULT_NAME)
            c.call("auth.add", user=user, password=f"{user}-secret-012", mutual_user=f"{user}-target",
                   mutual_password=f"{user}-target-secret", **place)
        c.call("set", path="/iscsi/discovery_auth/enforce_discovery_auth", value="1")
    creds = Chap("disco", "disco-secret-012", "disco-target", "disco-target-secret", algorithms=(7,))
    Session.open(authd.address, discovery=True, chap=creds).logout()
    creds = Chap("byacl", "byacl-secret-012", "byacl-target", "byacl-target-secret", algorithms=(8,))
    with authd.session(chap=creds) as s:
        s.logout()


def test_rotation_drops_no_session(auth, lun):
    """9.2.1: The secret changes by way of password_next: at no moment is anybody shut out, and sessions stay."""
    d = auth.daemon
    with d.session() as s:
        s.clear_ua(lun).good()
        auth.set("password_next", "general-secret-02")
        assert logs_in(d, USER, SECRET) and logs_in(d, USER, "general-secret-02")
        assert "by the next password" in d.log()
        auth.set("password", "general-secret-02")
        auth.set("password_next", "")
        assert logs_in(d, USER, "general-secret-02") and not logs_in(d, USER, SECRET)
        s.nop(b"still here")
        s.logout()


def test_secret_in_a_file(auth):
    """9.2.1: A file's first line; read again on demand and by SIGHUP, without a session lost."""
    d = auth.daemon
    path = f"{d.dir}/rotating"

    def put(text):
        with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)

    put("file-secret-0001\n")
    auth.set("password_file", path)
    assert logs_in(d, USER, "file-secret-0001") and not logs_in(d, USER, SECRET)
    put("file-secret-0002\n")
    with d.session(chap=Chap(USER, "file-secret-0001")) as s, d.control() as c:
        assert c.call("auth.refresh") == {"read": 1, "changed": 1, "failed": []}
        assert logs_in(d, USER, "file-secret-0002") and not logs_in(d, USER, "file-secret-0001")
        s.nop(b"still here")
        os.unlink(path)
        got = c.call("auth.refresh")
        assert got["read"] == 0 and [f["source"] for f in got["failed"]] == [path]
        assert "chap" not in json.dumps(got) and logs_in(d, USER, "file-secret-0002")
        s.logout()
    put("file-secret-0003\n")
    d.signal(signal.SIGHUP)
    with d.control() as c:
        c.call("status")            # the signal came before
    assert logs_in(d, USER, "file-secret-0003")


def test_systemd_credential(new_daemon):
    """9.2.1: credential:NAME is a file in $CREDENTIALS_DIRECTORY (systemd.exec(5))."""
    d = new_daemon(chap=f"{USER}:{SECRET}", start=False)
    d.extra_env["CREDENTIALS_DIRECTORY"] = d.dir
    with open(f"{d.dir}/lun-secret", "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o400)) as f:
        f.write("credential-0123\n")
    d.start()
    with d.control() as c:
        c.call("set", path=f"/iscsi/{d.iqn}/tpgt_1/auth/password_file", value="credential:lun-secret")
    assert logs_in(d, USER, "credential-0123")


def test_several_accounts_by_option(new_daemon):
    """12.1.3: --chap repeated, of a file and of a credential: each is an account, of discovery too."""
    d = new_daemon(chap=f"{USER}:{SECRET}", start=False,
                   args=["--chap", "second:{dir}/second", "--chap", "third:credential:third"])
    d.extra_env["CREDENTIALS_DIRECTORY"] = d.dir
    for name in ("second", "third"):
        with open(f"{d.dir}/{name}", "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o400)) as f:
            f.write(f"{name}-secret-0123\n")
    d.start()
    assert all(logs_in(d, *x) for x in ((USER, SECRET), ("second", "second-secret-0123"),
                                        ("third", "third-secret-0123")))
    assert not logs_in(d, "second", SECRET)
    Session.open(d.address, discovery=True, chap=Chap("third", "third-secret-0123")).logout()


def chosen(d, offer):
    with d.connection() as c:
        lg = Login(c)
        lg.exchange([("InitiatorName", DEFAULT_NAME), ("SessionType", "Normal"), ("TargetName", d.iqn),
                     ("AuthMethod", "CHAP")], SECURITY)
        _, got = lg.exchange([("CHAP_A", offer)], SECURITY)
        return int(dict(got)["CHAP_A"])


@pytest.mark.parametrize("where", ["/iscsi/chap_algorithms", "algorithms"])
def test_algorithms(auth, where):
    """12.1.3: the target takes one of those proposed: by its own order where it has one, never one that is off."""
    d = auth.daemon
    assert chosen(d, "5,6,7,8") == 5
    auth.set(where, "SHA3-256,SHA256,SHA1")
    assert chosen(d, "5,6,7,8") == 8 and chosen(d, "5,6") == 6
    with pytest.raises(LoginFailed) as e:
        chosen(d, "5")
    assert e.value.status == 0x0201
    assert not logs_in(d, USER, SECRET, algorithms=(5,)) and logs_in(d, USER, SECRET, algorithms=ALL)
    assert "no algorithm in common" in d.log() and "SHA3-256,SHA256,SHA1" in d.log()


def test_nearest_policy_counts(auth):
    """12.1.3: A portal group's choice goes before the general one."""
    auth.set("/iscsi/chap_algorithms", "SHA3-256")
    auth.set("algorithms", "MD5,SHA1")
    assert chosen(auth.daemon, "8,6,5") == 5


def test_no_secret_is_told(auth):
    """9.2.1: Not by ls, get, dump, the log, or an error: what goes in never comes out again."""
    d = auth.daemon
    secrets = ["alice-secret-xyzzy", "next-secret-xyzzy", "mutual-secret-xyzzy", "file-secret-xyzzy", SECRET]
    auth.user("alice", password=secrets[0], password_next=secrets[1], userid_mutual="t",
              password_mutual=secrets[2])
    with open(f"{d.dir}/xyzzy", "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(secrets[3] + "\n")
    auth.set("password_next_file", f"{d.dir}/xyzzy")
    with d.control() as c:
        c.call("log.level", level="debug")
    assert logs_in(d, "alice", secrets[0]) and logs_in(d, USER, secrets[3])
    assert not logs_in(d, "alice", secrets[2])
    where = f"/iscsi/{d.iqn}/tpgt_1/auth"
    told = ""
    for args in (("ls", where), ("ls", f"{where}/users/alice"), ("dump", "/"), ("get", f"{where}/users/alice/password"),
                 ("set", f"{where}/users/alice/password", "x" * 300), ("sessions",), ("target", "list"),
                 ("status",), ("--json", "dump", "/iscsi")):
        r = subprocess.run([ULIO, "--control", d.control_path, *args], capture_output=True, text=True, timeout=30,
                           env=sanitizer_env(d.dir), check=False)
        told += r.stdout + r.stderr
    with d.control() as c:
        c.call("log.level", level="info")
    assert f"{d.dir}/xyzzy" in told, "where it is may be seen"
    for secret in secrets:
        assert secret not in told and secret not in d.log()


# --- ulio auth


def test_accounts_by_command(authd):
    """12.1.3: A secret changed as an administrator does it: second secret, who has moved, promoted."""
    d = authd
    d.ulio("auth", "add", "ann", "--password-file", "-", stdin="ann-secret-0001\n")
    assert "already" in d.ulio("auth", "add", "ann", "--password-file", "-", stdin="x" * 12, fails=True)
    assert "lets nobody in" in d.ulio("auth", "add", "bob", fails=True)
    assert logs_in(d, "ann", "ann-secret-0001")
    d.ulio("auth", "set", "ann", "--next-password-file", "-", stdin="ann-secret-0002\n")
    assert logs_in(d, "ann", "ann-secret-0001") and logs_in(d, "ann", "ann-secret-0002")
    d.ulio("auth", "promote", "ann")
    assert logs_in(d, "ann", "ann-secret-0002") and not logs_in(d, "ann", "ann-secret-0001")
    assert "no next password" in d.ulio("auth", "promote", "ann", fails=True)
    path = f"{d.dir}/from-a-file"
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write("ann-secret-0003\n")
    d.ulio("auth", "set", "ann", "--next-source", path)
    d.ulio("auth", "promote", "ann")
    with d.control() as c:
        rows = {r["user"]: r for r in c.call("auth.list")
                if r["place"] == f"/iscsi/{d.iqn}/tpgt_1/auth"}
        assert rows["ann"]["password"] == path and rows["ann"]["next_password"] == ""
        assert rows[USER]["password"] == "set" and "secret" not in json.dumps(rows)
    assert logs_in(d, "ann", "ann-secret-0003")
    assert "ann" in d.ulio("auth", "list")
    d.ulio("auth", "remove", "ann")
    assert not logs_in(d, "ann", "ann-secret-0003")
    assert "no account" in d.ulio("auth", "remove", "ann", fails=True)
    d.ulio("auth", "remove", USER)
    assert not logs_in(d, USER, SECRET)


def test_mutual_source_by_command(authd):
    """12.1.3: The secret by which the target answers comes from a file, by "add" and by "set", and is read again."""
    d = authd
    path = f"{d.dir}/mutual"

    def put(text):
        with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text + "\n")

    def answers_by(secret):
        creds = Chap("eve", "eve-secret-0001", "the-target", secret, algorithms=(7,))
        with d.session(chap=creds) as s:
            s.logout()

    put("mutual-secret-01")
    d.ulio("auth", "add", "eve", "--password-file", "-", "--mutual-user", "the-target", "--mutual-source", path,
           stdin="eve-secret-0001\n")
    answers_by("mutual-secret-01")
    put("mutual-secret-02")
    assert d.ulio("auth", "refresh").startswith("1 read, 1 of them new")
    answers_by("mutual-secret-02")
    d.ulio("auth", "set", "eve", "--mutual-password-file", "-", stdin="mutual-secret-03\n")
    answers_by("mutual-secret-03")
    d.ulio("auth", "set", "eve", "--mutual-source", path)
    answers_by("mutual-secret-02")
    with d.control() as c:
        rows = {r["user"]: r for r in c.call("auth.list")}
    assert rows["eve"]["mutual_password"] == path
    assert path in d.ulio("auth", "list")
    assert "No such file" in d.ulio("auth", "set", "eve", "--mutual-source", path + "x", fails=True)
    answers_by("mutual-secret-02")


def test_accounts_of_other_places(authd):
    """12.1: --initiator and --discovery say whose account it is."""
    d = authd
    assert "has no ACL" in d.ulio("auth", "add", "x", "--initiator", DEFAULT_NAME, "--password-file", "-",
                                  stdin="x" * 12, fails=True)
    d.ulio("acl", "add", DEFAULT_NAME)
    d.ulio("auth", "add", "carl", "--initiator", DEFAULT_NAME, "--password-file", "-", stdin="carl-secret-01\n")
    assert logs_in(d, "carl", "carl-secret-01") and not logs_in(d, USER, SECRET)
    d.ulio("auth", "add", "dan", "--discovery", "--password-file", "-", stdin="dan-secret-0001\n")
    with d.control() as c:
        c.call("set", path="/iscsi/discovery_auth/enforce_discovery_auth", value="1")
        places = {r["user"]: r["place"] for r in c.call("auth.list")}
    assert places["dan"] == "/iscsi/discovery_auth" and places["carl"].endswith(f"/acls/{DEFAULT_NAME}/auth")
    Session.open(d.address, discovery=True, chap=Chap("dan", "dan-secret-0001")).logout()

# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 under the load of several initiators, and a restart from the saved configuration.

Each initiator writes to a part of two disks of its own, with CHAP, and comes back by itself when the
connection goes: it tries until it is let in, and reads all that it has written. A killed process does
not lose the page cache, so whatever was answered GOOD is there; a block that was under way holds one
of the two. LUNs, access lists, write protection and secrets are what they were.
"""

import os
import random
import subprocess
import threading
import time

import pytest

from lib import scsi
from lib.daemon import ULIO, sanitizer_env
from lib.initiator import Chap, Closed, LoginFailed, new_isid
from lib.saveconfig import IQN, disk, target
from lib.wait import SCALE

ROUNDS = 6
ACKED_A_ROUND = 120         # by each initiator, before the daemon is killed again
FLIGHT = 12
REGION, CHUNK, PIECE = 512, 8, 64       # blocks: of an initiator, of a write, of a read
ZERO = 0
FUA = 0x08
TARGET_USER = ("the-target", "target-secret-0123")


def client_name(i):
    return f"iqn.2026-01.example.test:client{i}"


def secret(i):
    return f"client-secret-{i:04}"


class Client(threading.Thread):
    """An initiator. Its disks are LUN 0 and 1; LUN 7 is the first of them once more, write protected."""

    def __init__(self, d, i, told):
        super().__init__(daemon=True)
        self.d, self.i, self.told = d, i, told
        self.rng = random.Random(i)
        self.first = i * REGION
        self.maybe = {(lun, lba): {ZERO} for lun in (0, 1) for lba in range(self.first, self.first + REGION)}
        self.version = 0
        self.acked = self.logins = 0
        self.isid = new_isid()
        self.over = threading.Event()
        self.error = None
        mutual = TARGET_USER if i % 2 else (None, None)
        self.chap = Chap(f"user{i}", secret(i), *mutual, algorithms=(7, 5))
        self.keys = [{}, {"HeaderDigest": "CRC32C", "DataDigest": "CRC32C"},
                     {"InitialR2T": "Yes", "ImmediateData": "No"},
                     {"MaxBurstLength": "4096", "FirstBurstLength": "2048"}][i % 4]

    def block(self, lba, version):
        if version == ZERO:
            return bytes(512)
        return (self.i.to_bytes(4, "big") + lba.to_bytes(4, "big") + version.to_bytes(8, "big")) * 32

    def count(self, what):
        with self.told:
            setattr(self, what, getattr(self, what) + 1)
            self.told.notify_all()

    def login(self):
        """Try until it is let in."""
        end = time.monotonic() + 30 * SCALE
        while True:
            try:
                return self.d.session(name=client_name(self.i), chap=self.chap, isid=self.isid, keys=self.keys)
            except LoginFailed as e:
                if e.status != 0x0301:      # service unavailable: it is only starting
                    raise
            except (OSError, Closed):
                pass                        # nobody listens, or no more
            assert time.monotonic() < end, "the daemon does not let it in any more"
            self.over.wait(0.01)

    def check(self, s):
        """Read all that is its own; from now on it is known what is there."""
        for lun in (0, 1):
            for lba in range(self.first, self.first + REGION, PIECE):
                data = s.scsi(scsi.read16(lba, PIECE), lun=lun, read=PIECE * 512).good().data
                for i in range(PIECE):
                    self.check_block(lun, lba + i, data[i * 512:(i + 1) * 512])
        assert s.scsi(scsi.read16(self.first, 1), lun=7, read=512).good().data == \
            s.scsi(scsi.read16(self.first, 1), lun=0, read=512).good().data
        s.scsi(scsi.write16(self.first, 1), lun=7, write=bytes(512)).check(scsi.DATA_PROTECT)

    def check_block(self, lun, lba, data):
        found = [v for v in self.maybe[lun, lba] if self.block(lba, v) == data]
        assert found, f"LUN {lun} block {lba} holds {data[:16].hex()}, not one of {sorted(self.maybe[lun, lba])}"
        self.maybe[lun, lba] = set(found)

    def command(self, s, busy):
        """Start a write, FUA, WRITE SAME of zeroes or UNMAP on blocks where none is under way."""
        while True:
            lun, lba = self.rng.randrange(2), self.first + self.rng.randrange(REGION // CHUNK) * CHUNK
            if (lun, lba) not in busy:
                break
        kind = self.rng.randrange(8)
        self.version += 1
        version = self.version if kind < 6 else ZERO
        for i in range(CHUNK):
            self.maybe[lun, lba + i].add(version)
        if kind == 6:
            cmd = s.start(scsi.write_same16(lba, CHUNK, unmap=1), lun=lun, write=bytes(512))
        elif kind == 7:
            body = scsi.unmap_list((lba, CHUNK))
            cmd = s.start(scsi.unmap(len(body)), lun=lun, write=body)
        else:
            data = b"".join(self.block(lba + i, version) for i in range(CHUNK))
            cmd = s.start(scsi.write16(lba, CHUNK, FUA if kind == 5 else 0), lun=lun, write=data)
        return cmd, lun, lba, version

    def load(self, s):
        flight = []
        while not self.over.is_set():
            while len(flight) < FLIGHT:
                flight.append(self.command(s, {x[1:3] for x in flight}))
            cmd, lun, lba, version = flight.pop(0)
            s.wait(cmd).good()
            for i in range(CHUNK):
                self.maybe[lun, lba + i] = {version}
            self.count("acked")
        for cmd, lun, lba, version in flight:
            s.wait(cmd).good()
            for i in range(CHUNK):
                self.maybe[lun, lba + i] = {version}

    def one_session(self):
        with self.login() as s:
            for lun in (0, 1, 7):
                s.clear_ua(lun).good()
            self.check(s)
            self.count("logins")
            self.load(s)
            self.check(s)
            s.logout()

    def run(self):
        try:
            while not self.over.is_set():
                try:
                    self.one_session()
                except (Closed, ConnectionError):
                    pass
        except BaseException as e:          # pylint: disable=broad-except
            self.error = e
        with self.told:
            self.told.notify_all()


def acl(i):
    back = {"chap_mutual_userid": TARGET_USER[0], "chap_mutual_password": TARGET_USER[1]} if i % 2 else {}
    return {"node_wwn": client_name(i), "attributes": {}, "chap_userid": f"user{i}", "chap_password": secret(i), **back,
            "mapped_luns": [{"index": 0, "tpg_lun": 3, "write_protect": False},
                            {"index": 1, "tpg_lun": 5, "write_protect": False},
                            {"index": 7, "tpg_lun": 3, "write_protect": True}]}


def config(d, clients):
    return {"storage_objects": [
        disk("buffered", "fileio", dev=f"{d.dir}/buffered.img", write_back=True, aio=False),
        disk("through", "fileio", dev=f"{d.dir}/through.img", write_back=False, aio=False)],
        "targets": [target(d.port, [(3, "fileio/buffered"), (5, "fileio/through")], [acl(i) for i in range(clients)],
                           authentication=1, generate_node_acls=0)]}


def dump(d):
    """All of the configuration, as it is in force."""
    return subprocess.run([ULIO, "--control", d.control_path, "--json", "dump"], capture_output=True, text=True,
                          timeout=30, env=sanitizer_env(d.dir), check=True).stdout


def wait_for_all(clients, told, what, wanted):
    """Until each has `what` of at least wanted[i], or has failed."""
    end = time.monotonic() + 60 * SCALE
    with told:
        while not all(getattr(c, what) >= n for c, n in zip(clients, wanted)):
            for c in clients:
                if c.error:
                    raise c.error
            assert told.wait(end - time.monotonic()), f"{what}: {[getattr(c, what) for c in clients]} of {wanted}"


def test_kill_with_many_initiators(serve):
    n = 4
    d = serve(lambda d: config(d, n))
    with d.control() as c:
        c.call("save")
    before, saved = dump(d), d.read()
    told = threading.Condition()
    clients = [Client(d, i, told) for i in range(n)]
    for c in clients:
        c.start()
    try:
        for r in range(ROUNDS):
            wait_for_all(clients, told, "logins", [r + 1] * n)
            wait_for_all(clients, told, "acked", [c.acked + ACKED_A_ROUND for c in clients])
            d.kill()
            d.start()
        wait_for_all(clients, told, "logins", [ROUNDS + 1] * n)
    finally:
        for c in clients:
            c.over.set()
        for c in clients:
            c.join(60 * SCALE)
    for c in clients:
        assert not c.is_alive()
        if c.error:
            raise c.error
    assert dump(d) == before
    assert d.read() == saved
    with pytest.raises(LoginFailed) as wrong:
        d.session(name=client_name(0), chap=Chap("user0", secret(1)))
    assert wrong.value.status == 0x0201
    with pytest.raises(LoginFailed):
        d.session(name=client_name(n), chap=Chap("user0", secret(0)))
    assert os.path.getsize(f"{d.dir}/buffered.img") == 1 << 24
    assert d.iqn == IQN

# SPDX-License-Identifier: BSD-3-Clause
"""Verified reading and writing through a chaos session, and a run of it with everything around."""

import asyncio
import collections
import dataclasses
import random
import time

from lib import scsi

from .model import BLOCK, Disk
from .proxy import QUIET, Profile, Proxy
from .session import Lost, Session

TRANSIENT = {scsi.BUSY, scsi.TASK_SET_FULL, scsi.TASK_ABORTED}
LONGEST = 256               # blocks of a command


@dataclasses.dataclass
class Plan:
    """A run: what is done to which sessions for how long."""
    profile: Profile = QUIET
    level: int = 0
    nconns: int = 1
    nsessions: int = 1
    workers: int = 8
    seconds: float = 5
    seed: int = 1
    keys: dict = None
    strict: bool = False    # the profile has only what the level recovers from
    luns: tuple = (0, 1)
    blind: bool = False     # data are turned although no digest tells of it
    blocks: int = 8192      # of each LUN, for each session


class Load:
    """Workers of one session; each session has its own blocks of each LUN."""

    def __init__(self, session, plan, rng, nth):
        self.session, self.plan, self.rng = session, plan, rng
        self.disks = [Disk(lun, plan.blocks, nth * plan.blocks) for lun in plan.luns]
        self.counts = collections.Counter()
        self.longest = 0

    async def command(self, cdb, **kw):
        start = time.monotonic()
        try:
            return await self.session.run(cdb, **kw)
        finally:
            self.longest = max(self.longest, time.monotonic() - start)

    async def write(self, disk):
        n = self.size()
        at = disk.take(self.rng, n, True)
        if at is None:
            return
        number, data = disk.new_write(at, n)
        try:
            r = await self.command(scsi.write16(disk.first + at, n), lun=disk.lun, write=data)
            if r.status == scsi.GOOD:
                disk.written(at, n, number)
                self.counts["written"] += 1
            else:
                disk.may_be_written(at, n, number)
                self.bad("write", r)
        except Lost:
            disk.may_be_written(at, n, number)
            self.counts["writes lost"] += 1
        finally:
            disk.give(at, n, True)

    async def read(self, disk):
        n = self.size()
        at = disk.take(self.rng, n, False)
        if at is None:
            return
        try:
            await self.read_at(disk, at, n)
        finally:
            disk.give(at, n, False)

    async def read_at(self, disk, at, n):
        """True if it was read and is right."""
        try:
            r = await self.command(scsi.read16(disk.first + at, n), lun=disk.lun, read=n * BLOCK)
        except Lost:
            self.counts["reads lost"] += 1
            return False
        if r.status != scsi.GOOD:
            self.bad("read", r)
            return False
        if len(r.data) != n * BLOCK:
            self.session.violation(f"READ of {n} blocks: {len(r.data)} bytes with GOOD")
        disk.check(at, r.data)
        self.counts["read"] += 1
        return True

    def bad(self, what, r):
        """A command that failed: may that be?"""
        sense = scsi.parse_sense(r.sense)
        if r.status == scsi.CHECK_CONDITION and sense:
            self.counts[f"sense {sense.key:x}/{sense.asc:02x}/{sense.ascq:02x}"] += 1
            if sense.key == scsi.UNIT_ATTENTION:
                return
            if sense.key == scsi.ABORTED_COMMAND and self.session.touched() and not self.plan.strict:
                return
        elif r.status in TRANSIENT:
            self.counts[f"status {r.status:#x}"] += 1
            return
        self.session.violation(f"{what} failed: {r.status:#x} {sense}")

    def size(self):
        return self.rng.choice((1, 1, 2, 8, 8, 16, 33, 64, 127, self.rng.randrange(1, LONGEST + 1)))

    async def worker(self, until):
        while time.monotonic() < until and not self.session.failed:
            disk = self.rng.choice(self.disks)
            await (self.write(disk) if self.rng.random() < .5 else self.read(disk))

    async def sweep(self):
        """Read all of it once more."""
        for disk in self.disks:
            for at in range(0, disk.nblocks, LONGEST):
                while not await self.read_at(disk, at, min(LONGEST, disk.nblocks - at)):
                    pass

    async def run(self, until):
        await asyncio.gather(*(self.worker(until) for _ in range(self.plan.workers)))


class Report:
    """What a run came to."""

    def __init__(self, plan):
        self.plan = plan
        self.faults = {}
        self.counts = collections.Counter()
        self.longest = 0
        self.events = []

    def __str__(self):
        p = self.plan
        words = ", ".join(f"{k} {v}" for k, v in sorted(self.counts.items()))
        faults = ", ".join(f"{k} {v}" for k, v in sorted(self.faults.items()))
        return (f"level {p.level}, {p.nsessions} x {p.nconns} connections, {p.seconds:g} s, seed {p.seed}: "
                f"faults: {faults}; {words}; longest command {self.longest:.2f} s")


async def run_plan(address, target, plan):
    """Run it. Raises what went wrong, with .report; returns the Report."""
    rng = random.Random(plan.seed)
    report, loads, proxies = Report(plan), [], []
    try:
        for nth in range(plan.nsessions):
            proxy = await Proxy(address, random.Random(rng.random())).start()
            proxy.blind = plan.blind
            proxies.append(proxy)
            s = Session(proxy, target, random.Random(rng.random()), f"iqn.2026-01.example.test:chaos{nth}",
                        plan.level, plan.nconns, plan.keys)
            s.strict = plan.strict
            loads.append(Load(await s.open(), plan, rng, nth))
            proxy.profile = plan.profile
        until = time.monotonic() + plan.seconds
        await asyncio.gather(*(load.run(until) for load in loads))
        for proxy in proxies:
            proxy.profile = QUIET
        await asyncio.gather(*(load.sweep() for load in loads))
    except BaseException as e:
        e.report = report
        raise
    finally:
        for proxy in proxies:
            proxy.profile = QUIET
        for load in loads:
            await load.session.close()
            report.counts += load.counts + load.session.counts
            report.longest = max(report.longest, load.longest)
            report.events += load.session.events
        for proxy in proxies:
            for what, n in proxy.totals().items():
                report.faults[what] = report.faults.get(what, 0) + n
            proxy.close()
    return report

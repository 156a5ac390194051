# SPDX-License-Identifier: BSD-3-Clause
"""Lost connections (RFC 7143 7.1.4, 7.2.2, 7.4): how a session of the chaos initiator goes on.

Level 0 with one connection, or when nothing else is left: session recovery, a login with the same ISID and
TSIH 0. Several connections: the lost one is logged out over another, or reinstated by a login with its CID;
commands that the target never saw are retried. At level 2 commands that it saw are reassigned, and none is
lost; below they are Lost, but only when the target has confirmed that their connection is gone.
"""

import asyncio
import time

from lib import pdu as p
from lib.pdu import PDU, ProtocolViolation

from .connection import Conn, Gone, Refused

AGAIN_S = .05               # between logins that the network broke
RECOVERY_S = 40             # no recovery takes longer
CLOSE_CONNECTION, FOR_RECOVERY = 1, 2       # reasons of a Logout, 11.14.1
LOGOUT_DONE, LOGOUT_NO_CID, LOGOUT_NO_RECOVERY = range(3)
TOO_MANY_CONNECTIONS, SESSION_DOES_NOT_EXIST = 0x0206, 0x020A      # 11.13.5
TOO_MANY_S = 12


class Recovery:
    """Mixed into Session."""

    def init_recovery(self):
        self.broken = []                    # connections to be recovered, with their tasks
        self.recovering_session = True      # until the first login
        self.worker = None
        self.wake = asyncio.Event()
        self.closing = False
        self.next_cid = 0
        self.doubtful = set()               # CIDs of logins whose end never came
        self.baseline = 0                   # faults of the proxy when the session began
        self.stall_s = 3
        self.since_all_lost = None
        self.too_many_since = None

    # --- beginning and end

    async def open(self):
        await self._begin_session()
        self.start_ticking()
        self.worker = asyncio.get_running_loop().create_task(self._work())
        return self

    async def close(self):
        """No commands are under way: log out."""
        self.closing = True
        self.stop_ticking()
        if self.worker:
            self.worker.cancel()
            await asyncio.gather(self.worker, return_exceptions=True)
        try:
            if self.live:
                await self.ask(self.live[0], PDU(p.LOGOUT_REQ, immediate=True, flags=p.F), 3)
        except (Gone, TimeoutError):
            pass
        for conn in self.live:
            conn.close()
        self.live = []

    async def _begin_session(self):
        """Log in with TSIH 0 as often as it takes, then the other connections."""
        deadline = time.monotonic() + RECOVERY_S
        while True:
            if time.monotonic() > deadline:
                raise ProtocolViolation(f"no session within {RECOVERY_S} s")
            conn = Conn(self, self.new_cid(), self.rng.choice(self.max_recvs))
            self.cmdsn = self.rng.choice((1, 0xFFFFFFF0, self.rng.randrange(1 << 32)))
            r = await self._try_login(conn, 0)
            if r is not None:
                break
        if r.tsih == 0:
            raise ProtocolViolation("the last Login Response of a new session has TSIH 0 (11.13.5)")
        if r.expcmdsn != self.cmdsn:
            raise ProtocolViolation(f"ExpCmdSN {r.expcmdsn:#x} after a login with {self.cmdsn:#x} (11.12.8)")
        self.tsih, self.expcmdsn, self.maxcmdsn = r.tsih, r.expcmdsn, r.maxcmdsn
        self.level = self.num("ErrorRecoveryLevel")
        conn.splitter.level = self.level
        if self.level != self.wanted_level:
            raise ProtocolViolation(f"ErrorRecoveryLevel {self.level}, {self.wanted_level} was asked for")
        self.baseline = self.proxy.lossy
        self.doubtful.clear()
        self.live.append(conn)
        self.recovering_session = False
        self.counts["sessions begun"] += 1
        try:
            while len(self.live) < self.nconns and not conn.dead:
                await self._add_connection()
        except Refused:
            if self.proxy.lossy == self.baseline:
                raise
        self.pump()

    def new_cid(self):
        self.next_cid = self.next_cid + 1 & 0xFFFF
        return self.next_cid

    async def _try_login(self, conn, tsih):
        """A login; None if the network broke it."""
        try:
            offers = self.offers if tsih == 0 else {k: self.offers[k] for k in ("HeaderDigest", "DataDigest")}
            r = await conn.login(self.proxy.address, tsih,
                                 {**offers, "MaxRecvDataSegmentLength": str(conn.max_recv)})
            self.counts["logins"] += 1
            self.too_many_since = None
            return r
        except Refused as e:
            if e.status != TOO_MANY_CONNECTIONS or not self.touched():
                raise
            # logins whose last response was lost count, until the target learns that they were cut
            self.counts["logins refused for now"] += 1
            self.too_many_since = self.too_many_since or time.monotonic()
            if time.monotonic() - self.too_many_since > TOO_MANY_S:
                raise
            await asyncio.wait((self.fails,), timeout=AGAIN_S)
            return None
        except (Gone, OSError, TimeoutError) as e:
            self.counts["logins broken"] += 1
            self.say(f"login broken: {e!r}")
            if not self.proxy.lossy and not self.closing:
                raise ProtocolViolation(f"a login came to nothing though nobody touched it: {e!r}") from None
            await asyncio.wait((self.fails,), timeout=AGAIN_S)     # no storm of logins while the network is away
            return None

    async def _add_connection(self, cid=None):
        """One more connection of this session. None: the network broke it."""
        if not self.live and self.level < 2:
            return None
        if cid is None:
            cid = self.doubtful.pop() if self.doubtful else self.new_cid()
        conn = Conn(self, cid, self.rng.choice(self.max_recvs))
        r = await self._try_login(conn, self.tsih)
        if r is None:
            self.doubtful.add(cid)          # the target may have it: the next login takes its place
        if r is None or conn.dead:
            return None
        self.doubtful.discard(cid)
        if r.tsih != self.tsih:
            raise ProtocolViolation(f"TSIH {r.tsih:#x} on a further connection, the session's is {self.tsih:#x}")
        self._window(r)
        self.live.append(conn)
        self.counts["connections added"] += 1
        self.pump()
        return conn

    # --- loss

    def conn_lost(self, conn, why):
        """Called once by each connection that ends."""
        if self.closing:
            return
        self.say(f"conn {conn.cid} lost: {why}")
        self.counts["connections lost"] += 1
        if conn in self.live:
            self.live.remove(conn)
        self.forget_waiting(conn)
        if self.proxy.lossy == self.baseline:
            self.violation(f"a connection was lost and the proxy did nothing: {why}")
        link = conn.link
        if self.strict and self.level and link and not link.may_close:
            self.violation(f"a connection was lost by what level {self.level} recovers from: {why}; {link.faults}")
        self.broken.append(conn)
        if not self.live:
            self.since_all_lost = time.monotonic()
        self.wake.set()

    strict = False                          # the run does only what the level recovers from

    async def _work(self):
        try:
            while True:
                await self.wake.wait()
                self.wake.clear()
                while self.broken or len(self.live) < self.nconns:
                    await self._recover()
        except asyncio.CancelledError:
            raise
        except BaseException as e:          # pylint: disable=broad-except
            self.violation(e)

    async def _recover(self):
        try:
            if self.level < 2 and (not self.live or self.nconns == 1):
                await self._session_recovery()
            elif self.broken:
                await self._recover_connection(self.broken[0])
            else:
                await self._add_connection()
        except Refused as e:
            self.say(f"recovery: {e}")
            self._session_is_gone(e)
            await self._session_recovery()

    async def _recover_connection(self, conn):
        deadline = time.monotonic() + RECOVERY_S
        while conn in self.broken:
            if time.monotonic() > deadline:
                raise ProtocolViolation(f"connection {conn.cid} cannot be recovered")
            if self.level < 2 and not self.live:
                return                      # the whole session, then
            conn.let_go |= any(c.cid == conn.cid for c in self.live)    # which took its place
            if conn.let_go and self.live:
                done = True
            elif self.live and not conn.let_go and self.rng.random() < .5:
                done = await self._by_logout(conn)
            else:
                done = await self._by_login(conn)
            if done:
                conn.let_go = True
                self.broken.remove(conn)
                await self._move_tasks(conn)

    def _session_is_gone(self, e):
        if e.status != SESSION_DOES_NOT_EXIST:
            raise ProtocolViolation(f"a login to a session was refused with {e.status:04x}")
        if self.level == 2:
            since = self.since_all_lost and time.monotonic() - self.since_all_lost
            if since is None or since < self.num("DefaultTime2Retain"):
                raise ProtocolViolation(f"the session was gone {since} s after its last connection")

    async def _session_recovery(self):
        """Give the session up, and begin it anew (7.5)."""
        self.recovering_session = True
        self.counts["sessions lost"] += 1
        self.say("session recovery")
        for conn in list(self.live):
            conn.dead = True
            self.forget_waiting(conn)
            conn.transport.abort()
        self.live, self.broken = [], []
        lost = list(self.tasks.values())
        self.tasks.clear()
        await self._begin_session()
        self._give_up(lost)

    def _give_up(self, tasks):
        from .session import Lost
        for task in tasks:
            self.counts["commands lost"] += 1
            if self.level == 2:
                self.violation(f"a command was lost at level 2: {self.describe(task)}")
            if not task.done:
                task.future.set_exception(Lost("its session or its connection was lost"))

    # --- one connection of several, or level 2

    async def _by_logout(self, conn):
        """Log the lost connection out over a living one. True: the target has let go of it."""
        reason = FOR_RECOVERY if self.level == 2 else CLOSE_CONNECTION
        via = self.rng.choice(self.live)
        try:
            r = await self.ask(via, PDU(p.LOGOUT_REQ, immediate=True, flags=p.F | reason, cid=conn.cid), 3)
        except (Gone, TimeoutError):
            return False
        self.counts["logouts of lost connections"] += 1
        if r.response == LOGOUT_NO_CID and self.level < 2:
            return True                     # the target saw the end of it by itself
        if r.response != LOGOUT_DONE:
            self.say(f"logout of conn {conn.cid}: response {r.response}")
            if self.level == 2:
                raise ProtocolViolation(f"Logout for recovery of CID {conn.cid}: response {r.response} (11.15.1)")
            return False
        return True

    async def _by_login(self, conn):
        """Connection reinstatement: a login with its CID (6.3.4)."""
        new = await self._add_connection(conn.cid)
        if new is None:
            return False
        self.counts["connections reinstated"] += 1
        return True

    async def _move_tasks(self, conn):
        """What was on the connection goes on elsewhere, or is lost."""
        tasks = [t for t in self.tasks.values() if t.conn is conn]
        if self.level < 2:
            seen = [t for t in tasks if self.acked(t)]
            for t in seen:
                del self.tasks[t.itt]
            self._give_up(seen)
        for t in tasks:
            if t.done or t.conn is not conn:
                continue
            if not self.live:
                self.broken.append(conn)    # again, when there is a connection
                return
            t.seen.clear()
            if self.level == 2 and self.acked(t):
                await self._reassign(t, conn)
            else:
                self.counts["commands retried elsewhere"] += 1
                self.send_task(t, self.rng.choice(self.live), again=True)

    async def _reassign(self, task, old):
        """TASK REASSIGN until it is on a living connection or has ended (7.2.2, 11.5)."""
        deadline = time.monotonic() + RECOVERY_S
        conn = self.rng.choice(self.live)
        task.have = {0: task.covered()} if task.covered() else {}
        task.conn, task.status, task.end_datasn, task.reassigned = conn, None, None, True
        while not task.done:
            if time.monotonic() > deadline:
                raise ProtocolViolation(f"a task cannot be reassigned: {self.describe(task)}")
            try:
                r = await self.ask(conn, PDU(
                    p.TMF_REQ, immediate=True, flags=p.F | p.TASK_REASSIGN, lun=task.lun, ref_itt=task.itt,
                    expdatasn=task.exp_datasn if task.read else 0), 3)
            except Gone:
                return                      # it is among what this connection has lost
            except TimeoutError:
                continue                    # if it was done all the same the answer is "still allegiant"
            self.counts[f"reassigns, response {r.response}"] += 1
            if r.response in (p.TMF_COMPLETE, p.TMF_STILL_ALLEGIANT):
                return
            if not task.done:
                raise ProtocolViolation(f"TASK REASSIGN: response {r.response}: {self.describe(task)}")

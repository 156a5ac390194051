# SPDX-License-Identifier: BSD-3-Clause
"""A session of the chaos initiator: command window, tasks, data both ways, and recovery inside of commands.

run() is one SCSI command. It comes to a Result, or to Lost: the session, or the command's connection, was
given up, and what became of the command nobody knows. When Lost is raised the target has promised that the
command has no further effect: its session was reinstated or its connection logged out.

Level 1 (RFC 7143 7.2.1, 7.8, 7.9): commands that are not acknowledged are retried, missing Data-In, R2Ts and
statuses asked for by SNACK, recovery R2Ts answered. Levels 0 and 2 are in recovery.py.
"""

import asyncio
import collections
import time

from lib import keys as textkeys
from lib import pdu as p
from lib import scsi
from lib.initiator import new_isid, sn_add, sn_lt
from lib.pdu import PDU, RESERVED_TAG, ProtocolViolation

from .connection import SNACK_AGAIN_S, SNACK_DATA, SNACK_DATA_ACK, Gone
from .recovery import Recovery

RETRY_S = .4                # a command that is not acknowledged is sent again
QUIET_S = .4                # a command without progress: the connection is pinged
PING_S = 5                  # a ping without an answer: the connection has failed
LONG_S = 6                  # a command worth a line
HANG_S = 45                 # a command that has come to nothing
CLOSED_S = 6                # a closed window with nothing under way
TICK_S = .05


class Lost(Exception):
    """Nobody knows what became of the command, but it has no more effects."""


Result = collections.namedtuple("Result", "status data sense")


class Task:
    """A command from run() to its end."""

    def __init__(self, itt, cdb, lun, read, write):
        self.itt, self.cdb, self.lun, self.read, self.write = itt, cdb, lun, read, write
        self.edtl = len(write) or read
        self.cmdsn = None           # set when it is sent
        self.conn = None
        self.future = asyncio.get_running_loop().create_future()
        self.data = bytearray(read)
        self.have = {}              # offset -> length of Data-In segments
        self.exp_datasn = 0         # all before it have come: Data-In, or R2T
        self.seen = set()           # DataSNs beyond it
        self.end_datasn = None      # of all of them, told with the status
        self.status = None          # (status, sense, response)
        self.statsn = None          # of the status
        self.began = self.moved = time.monotonic()
        self.sent_at = 0
        self.snacked = 0
        self.reassigned = False

    @property
    def done(self):
        return self.future.done()

    def covered(self):
        """Bytes from the start that have come without a hole."""
        at = 0
        for off in sorted(self.have):
            if off > at:
                break
            at = max(at, off + self.have[off])
        return at


class Session(Recovery):
    """options: level, nconns, keys (offers beside the usual), max_recvs (MaxRecvDataSegmentLengths to choose from)."""

    def __init__(self, proxy, target, rng, name, level=0, nconns=1, keys=None, max_recvs=(8192, 65536, 262144)):
        self.proxy, self.target, self.rng, self.name = proxy, target, rng, name
        self.nconns, self.max_recvs = nconns, max_recvs
        self.offers = {
            "HeaderDigest": "CRC32C", "DataDigest": "CRC32C", "ErrorRecoveryLevel": str(level),
            "DefaultTime2Wait": "0", "DefaultTime2Retain": "20" if level == 2 else "0",
            "MaxConnections": str(nconns), "InitialR2T": "No", "ImmediateData": "Yes", "MaxBurstLength": "65536",
            "FirstBurstLength": "16384", "MaxOutstandingR2T": "4", "DataPDUInOrder": "Yes",
            "DataSequenceInOrder": "Yes", **(keys or {})}
        self.wanted_level = level
        self.isid = new_isid()
        self.params = {}
        self.level = 0
        self.tsih = 0
        self.cmdsn, self.expcmdsn, self.maxcmdsn = rng.randrange(1 << 32), None, None
        self.next_itt = 1
        self.pending = collections.deque()      # tasks not sent yet
        self.tasks = {}                         # ITT -> Task, sent
        self.waiting = {}                       # ITT -> (future, conn) of other requests
        self.live = []
        self.counts = collections.Counter()
        self.failed = None                      # the first violation
        self.fails = asyncio.get_running_loop().create_future()
        self.ticking = None
        self.closed_since = None
        self.events = collections.deque(maxlen=200)
        self.init_recovery()

    # --- parameters

    def agreed(self, key, value):
        if value not in textkeys.UNSUCCESSFUL:
            self.params[key] = value

    def param(self, key):
        return self.params.get(key, textkeys.KEYS[key].default)

    def num(self, key):
        return textkeys.number(str(self.param(key)))

    def take_itt(self):
        itt = self.next_itt
        self.next_itt = sn_add(itt, 1)
        if self.next_itt == RESERVED_TAG:
            self.next_itt = 1
        return itt

    # --- errors

    def violation(self, why):
        """The target did wrong: the run has failed."""
        if self.failed is None:
            self.failed = why if isinstance(why, BaseException) else ProtocolViolation(why)
            if not self.fails.done():
                self.fails.set_exception(self.failed)
                self.fails.exception()      # looked at
        self.say(f"VIOLATION {why}")

    def say(self, text):
        self.events.append(f"{time.monotonic():.3f} {self.name[-6:]} {text}")

    # --- commands

    async def run(self, cdb, lun=0, read=0, write=b""):
        """One command to its Result; raises Lost, or what the target did wrong."""
        if self.failed:
            raise self.failed.with_traceback(None)
        task = Task(self.take_itt(), bytes(cdb), lun, read, bytes(write))
        self.pending.append(task)
        self.pump()
        await asyncio.wait((task.future, self.fails), return_when=asyncio.FIRST_COMPLETED)
        if self.failed:
            raise self.failed.with_traceback(None)
        return task.future.result()

    def in_order(self):
        """Data of a command come and go from its first byte to its last (13.18, 13.19)."""
        return self.param("DataPDUInOrder") == self.param("DataSequenceInOrder") == "Yes"

    def touched(self):
        """The proxy did something to this session."""
        return self.proxy.lossy != self.baseline

    def window_open(self):
        return not sn_lt(self.maxcmdsn, self.cmdsn)

    def pump(self):
        """Send what may be sent."""
        while self.pending and self.live and not self.recovering_session and self.window_open():
            task = self.pending.popleft()
            task.cmdsn = self.cmdsn
            self.cmdsn = sn_add(self.cmdsn, 1)
            self.tasks[task.itt] = task
            self.send_task(task, self.rng.choice(self.live))

    def send_task(self, task, conn, again=False):
        """The command, and when it is sent for the first time its unsolicited data."""
        task.conn, task.sent_at = conn, time.monotonic()
        first = min(task.edtl, self.num("FirstBurstLength")) if task.write else 0
        imm = min(first, conn.max_xmit) if self.param("ImmediateData") == "Yes" else 0
        if first and self.itt_odd(task, 1):
            imm = 0                                 # sometimes none, though it is allowed
        rest = first - imm if self.param("InitialR2T") == "No" and not self.itt_odd(task, 2) else 0
        flags = p.SIMPLE | (p.R if task.read else 0) | (p.W if task.write else 0) | (0 if rest else p.F)
        conn.send(PDU(p.SCSI_CMD, flags=flags, lun=task.lun, itt=task.itt, edtl=task.edtl, cmdsn=task.cmdsn,
                      cdb=task.cdb, data=task.write[:imm]))
        if rest and not again:
            self.data_out(task, RESERVED_TAG, imm, rest)

    @staticmethod
    def itt_odd(task, bit):
        """A choice that is the same when the command is sent again."""
        return task.itt * 0x9E3779B1 >> 20 + bit & 1

    def data_out(self, task, ttt, offset, length):
        """One sequence; its PDUs in any order where DataPDUInOrder is No."""
        step, end = task.conn.max_xmit, offset + length
        pieces = [(at, min(step, end - at)) for at in range(offset, end, step)]
        if self.param("DataPDUInOrder") == "No":
            self.rng.shuffle(pieces)
        for datasn, (at, n) in enumerate(pieces):
            task.conn.send(PDU(p.DATA_OUT, flags=p.F if datasn == len(pieces) - 1 else 0, lun=task.lun, itt=task.itt,
                               ttt=ttt, datasn=datasn, offset=at, data=task.write[at:at + n]))

    # --- what comes

    def came(self, conn, pdu):
        self._window(pdu)
        handler = self.HANDLERS.get(pdu.opcode)
        if handler is None:
            raise ProtocolViolation(f"not awaited: {pdu}")
        handler(self, conn, pdu)
        self.pump()

    def _window(self, pdu):
        if sn_lt(pdu.maxcmdsn, sn_add(pdu.expcmdsn, -1)):
            raise ProtocolViolation(f"MaxCmdSN < ExpCmdSN-1 (4.2.2.1): {pdu}")
        if sn_lt(self.cmdsn, pdu.expcmdsn):
            raise ProtocolViolation(f"ExpCmdSN {pdu.expcmdsn:#x} is past anything sent ({self.cmdsn:#x})")
        if sn_lt(self.maxcmdsn, pdu.maxcmdsn):
            self.maxcmdsn = pdu.maxcmdsn
        if sn_lt(self.expcmdsn, pdu.expcmdsn):
            self.expcmdsn = pdu.expcmdsn

    def unfinished(self, conn):
        """StatSNs of commands whose status is here and whose data are not: 7.9, they must not be acknowledged."""
        return [t.statsn for t in self.tasks.values() if t.conn is conn and t.status is not None]

    def acked(self, task):
        return sn_lt(task.cmdsn, self.expcmdsn)

    def _task_of(self, conn, pdu):
        """Its task, if this is news of it."""
        task = self.tasks.get(pdu.itt)
        if task is None or task.conn is not conn:
            self.counts["PDUs of no task"] += 1
            if not self.touched():
                raise ProtocolViolation(f"for a task that is not in flight: {pdu}")
            return None
        task.moved = time.monotonic()
        return task

    def _numbered(self, conn, task, sn):
        """A Data-In or R2T with this DataSN has come. False: a duplicate, or nothing to go on with."""
        if sn < task.exp_datasn or sn in task.seen:
            self.counts["duplicate DataSNs"] += 1
            return False
        if sn > task.exp_datasn and self.level == 0:
            conn.lose(f"DataSN {sn}, expected {task.exp_datasn}")
            return False
        task.seen.add(sn)
        if sn > task.exp_datasn:
            self._ask_data(conn, task)
        while task.exp_datasn in task.seen:
            task.seen.remove(task.exp_datasn)
            task.exp_datasn += 1
        return True

    def _ask_data(self, conn, task, again=False):
        """Data/R2T SNACK for the first run that is missing (RFC 7143 11.16)."""
        now = time.monotonic()
        if task.snacked and now - task.snacked < SNACK_AGAIN_S and not again:
            return
        end = task.end_datasn if task.end_datasn is not None else max(task.seen, default=task.exp_datasn) + 1
        run = 0
        while task.exp_datasn + run < end and task.exp_datasn + run not in task.seen:
            run += 1
        if run:
            task.snacked = now
            conn.snack(SNACK_DATA, task.exp_datasn, run, itt=task.itt, lun=task.lun)

    def data_in_damaged(self, conn, pdu):
        """A Data-In whose data digest is wrong: its header is right, so it is known which."""
        task = self.tasks.get(pdu.itt)
        if task is None or task.conn is not conn or task.done:
            return
        if pdu.datasn >= task.exp_datasn and pdu.datasn not in task.seen:
            task.snacked = time.monotonic()
            conn.snack(SNACK_DATA, pdu.datasn, 1, itt=task.itt, lun=task.lun)

    def _data_in(self, conn, pdu):
        task = self._task_of(conn, pdu)
        if task is None:
            return
        end = pdu.offset + len(pdu.data)
        if end > task.edtl or not task.read:
            raise ProtocolViolation(f"Data-In beyond the expected length {task.edtl} (11.7.6): {pdu}")
        if pdu.flags & p.DIN_S:
            task.statsn, task.status = pdu.statsn, (pdu.status, b"", 0)     # before anything is asked for
        if self._numbered(conn, task, pdu.datasn):
            if self.level == 0 and self.in_order() and pdu.offset != task.covered():
                raise ProtocolViolation(f"Data-In at offset {pdu.offset}, expected {task.covered()} (13.18)")
            task.data[pdu.offset:end] = pdu.data
            task.have[pdu.offset] = max(len(pdu.data), task.have.get(pdu.offset, 0))
        elif len(pdu.data) == task.have.get(pdu.offset) and task.data[pdu.offset:end] != pdu.data:
            raise ProtocolViolation(f"Data-In sent again with other data (7.9): {pdu}")
        if pdu.flags & p.DIN_A:
            if self.level == 0:
                raise ProtocolViolation("A bit at ErrorRecoveryLevel 0 (11.7.2)")
            if pdu.datasn < task.exp_datasn:
                conn.snack(SNACK_DATA_ACK, task.exp_datasn, 0, ttt=pdu.ttt, lun=pdu.lun)
        if pdu.flags & p.DIN_S:
            self._status(conn, task, pdu, (pdu.status, b"", 0), pdu.datasn + 1)
        else:
            self._maybe_done(conn, task)

    def _r2t(self, conn, pdu):
        task = self._task_of(conn, pdu)
        if task is None:
            return
        if pdu.length == 0 or pdu.length > self.num("MaxBurstLength") or pdu.offset + pdu.length > task.edtl:
            raise ProtocolViolation(f"R2T for bytes {pdu.offset}+{pdu.length} of {task.edtl} (11.8.4)")
        if pdu.ttt == RESERVED_TAG or not task.write:
            raise ProtocolViolation(f"R2T that cannot be (11.8.5): {pdu}")
        if task.reassigned:
            task.exp_datasn = max(task.exp_datasn, pdu.r2tsn + 1)   # where it begins again is the target's choice
        elif not self._numbered(conn, task, pdu.r2tsn) and conn.dead:
            return
        # one that is sent again is one whose data are wanted again
        self.data_out(task, pdu.ttt, pdu.offset, pdu.length)

    def _response(self, conn, pdu):
        task = self._task_of(conn, pdu)
        if task is None:
            return
        sense = b""
        if len(pdu.data) >= 2:
            sense = pdu.data[2:2 + int.from_bytes(pdu.data[:2], "big")]
        counted = task.read and pdu.response == 0       # ExpDataSN counts Data-In (11.4.8)
        self._status(conn, task, pdu, (pdu.status, sense, pdu.response), pdu.expdatasn if counted else None)

    def _status(self, conn, task, pdu, status, end_datasn):
        task.status, task.end_datasn, task.statsn = status, end_datasn, pdu.statsn
        if end_datasn is not None and task.exp_datasn > end_datasn:
            raise ProtocolViolation(f"ExpDataSN {end_datasn}, {task.exp_datasn} have come (11.4.8)")
        self._maybe_done(conn, task)

    def _maybe_done(self, conn, task):
        """The status counts when all that it tells of has come."""
        if task.status is None:
            return
        status, sense, response = task.status
        if task.read and task.end_datasn is not None and task.exp_datasn < task.end_datasn:
            if self.level == 0:
                conn.lose(f"ExpDataSN {task.end_datasn}, {task.exp_datasn} have come")
            else:
                self._ask_data(conn, task)
            return
        del self.tasks[task.itt]
        if time.monotonic() - task.began > LONG_S:
            self.say(f"took {time.monotonic() - task.began:.1f} s: {self.describe(task)}")
        if task.done:
            return
        if response:
            task.future.set_exception(Lost(f"response {response:#x}"))
        elif status == scsi.GOOD and task.read and task.covered() < task.read:
            self.violation(f"GOOD with {task.covered()} of {task.read} bytes")
        else:
            task.future.set_result(Result(status, bytes(task.data[:task.covered()]), sense))

    def _answer(self, conn, pdu):
        """Of a request that is no SCSI command."""
        future, on = self.waiting.get(pdu.itt, (None, None))
        if future and on is conn and not future.done():
            future.set_result(pdu)

    def _nop_in(self, conn, pdu):
        if pdu.itt == RESERVED_TAG:
            if pdu.ttt != RESERVED_TAG:
                conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, lun=pdu.lun, itt=RESERVED_TAG, ttt=pdu.ttt,
                              cmdsn=self.cmdsn))
        elif conn.ping and conn.ping[0] == pdu.itt:
            conn.pinged_ok = conn.ping[1]
            conn.ping = None
        else:
            self._answer(conn, pdu)

    def _async(self, conn, pdu):
        self.counts[f"async event {pdu.event}"] += 1

    def _reject(self, conn, pdu):
        """11.17: what was rejected is in the data segment."""
        self.counts[f"rejects, reason {pdu.reason:#x}"] += 1
        if not self.touched():
            raise ProtocolViolation(f"Reject for nothing: {pdu} {pdu.data.hex()}")
        if len(pdu.data) < 48:
            raise ProtocolViolation(f"Reject without the header of what it rejects (11.17): {pdu}")
        opcode, task = pdu.data[0] & 0x3F, self.tasks.get(int.from_bytes(pdu.data[16:20], "big"))
        if self.level == 0:
            conn.lose(f"Reject, reason {pdu.reason:#x}")
        elif opcode == p.SCSI_CMD and task and task.conn is conn and not self.acked(task):
            self._retry(task, "after a Reject")

    HANDLERS = {
        p.DATA_IN: _data_in, p.R2T: _r2t, p.SCSI_RSP: _response, p.TMF_RSP: _answer, p.LOGOUT_RSP: _answer,
        p.NOP_IN: _nop_in, p.ASYNC: _async, p.REJECT: _reject,
    }

    # --- requests that are no commands

    async def ask(self, conn, pdu, seconds):
        """Send it; its answer. Raises Gone or TimeoutError."""
        if conn.dead:
            raise Gone
        pdu.fields["itt"] = self.take_itt()
        pdu.fields["cmdsn"] = self.cmdsn
        future = asyncio.get_running_loop().create_future()
        self.waiting[pdu.itt] = (future, conn)
        conn.send(pdu)
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            del self.waiting[pdu.itt]

    def forget_waiting(self, conn):
        for future, on in self.waiting.values():
            if on is conn and not future.done():
                future.set_exception(Gone())

    # --- time

    def start_ticking(self):
        self.ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def stop_ticking(self):
        if self.ticking:
            self.ticking.cancel()

    def _tick(self):
        self.start_ticking()
        now = time.monotonic()
        for conn in list(self.live):
            if self.level:
                conn.tick(now)
            if conn.asked_at and now - conn.asked_at > PING_S and self.touched():
                conn.lose("pings are not answered")
        if self.pending and self.live and not self.window_open():
            self._closed(now)
        else:
            self.closed_since = None
        for task in [*self.tasks.values(), *self.pending]:
            if now - task.began > HANG_S:
                self.violation(f"a command hangs: {self.describe(task)}")
                return
        for task in list(self.tasks.values()):
            if task.conn in self.live and now - max(task.moved, task.sent_at) > QUIET_S:
                self._stalled(task, now)

    def _closed(self, now):
        """The window is closed. When nothing is under way it is the target that has to open it (4.2.2.1); what it
        says may be lost above level 0, so in the end it is asked."""
        if self.tasks or not self.closed_since:
            self.closed_since = now
        elif now - self.closed_since > CLOSED_S and self.touched():
            self.counts["windows asked for"] += 1
            self.closed_since = now
            for conn in self.live:
                self._ping(conn, now)

    def _ping(self, conn, now):
        itt = self.take_itt()
        conn.ping = (itt, now)
        conn.asked_at = conn.asked_at or now
        self.counts["pings"] += 1
        conn.send(PDU(p.NOP_OUT, immediate=True, flags=p.F, itt=itt, ttt=RESERVED_TAG, cmdsn=self.cmdsn))

    def _stalled(self, task, now):
        """A command on a living connection has made no progress for a while."""
        conn = task.conn
        if now - (conn.ping[1] if conn.ping else conn.pinged_ok) > QUIET_S and (self.level or not conn.ping):
            self._ping(conn, now)
        if self.level == 0:
            if now - max(task.moved, task.sent_at) > self.stall_s and self.touched():
                conn.lose("a command stalls")
            return
        if not self.acked(task):
            if now - task.sent_at > RETRY_S:
                self._retry(task, "not acknowledged")
        elif task.seen or (task.end_datasn is not None and task.exp_datasn < task.end_datasn):
            self._ask_data(conn, task)
        elif conn.pinged_ok > max(task.moved, task.sent_at) and not conn.missing and \
                now - max(task.snacked, task.moved) > 2 * SNACK_AGAIN_S:
            # all statuses have come, so it goes on: an R2T, or the last Data-In, may be lost
            task.snacked = now
            self.counts["snacks for the rest"] += 1
            conn.snack(SNACK_DATA, task.exp_datasn, 0, itt=task.itt, lun=task.lun)

    def _retry(self, task, why):
        """RFC 7143 7.2.1: the same command with the same CmdSN, to plug a gap."""
        self.counts["commands retried"] += 1
        self.say(f"retry itt {task.itt:#x} cmdsn {task.cmdsn:#x}: {why}")
        self.send_task(task, task.conn, again=True)

    def describe(self, task):
        c = task.conn
        return (f"itt {task.itt:#x} cdb {task.cdb.hex()} cmdsn {task.cmdsn} (ExpCmdSN {self.expcmdsn}, MaxCmdSN "
                f"{self.maxcmdsn}) exp_datasn {task.exp_datasn} seen {sorted(task.seen)} end {task.end_datasn} "
                f"status {task.status} covered {task.covered()}/{task.read} write {len(task.write)} conn "
                f"{c and c.cid} dead {c and c.dead} missing StatSNs {c and list(c.missing)} "
                f"faults {c and c.link and c.link.faults[-8:]}")

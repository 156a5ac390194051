# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for events: process exit, readable descriptors, lines of output. No sleeps."""

import os
import re
import select
import threading
import time

SCALE = float(os.environ.get("ULIO_TEST_TIMEOUT_SCALE", "1"))


def wait_exit(pid, timeout):
    """True when the process has ended within timeout seconds (it need not be our child)."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(wait_readable([fd], timeout))
    finally:
        os.close(fd)


def wait_readable(fds, timeout):
    """Those of fds that became readable within timeout seconds."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return [fd for fd, _ in poll.poll(timeout * SCALE * 1000)]


class Lines:
    """Collects a stream's lines in a thread; wait_for() blocks until a pattern was seen."""

    def __init__(self, stream, tee=None):
        self.lines = []
        self.eof = False
        self._tee = tee
        self._cond = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(stream,), daemon=True)
        self._thread.start()

    def _run(self, stream):
        for raw in stream:
            line = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
            if self._tee:
                self._tee.write(line)
                self._tee.flush()
            with self._cond:
                self.lines.append(line.rstrip("\r\n"))
                self._cond.notify_all()
        with self._cond:
            self.eof = True
            self._cond.notify_all()

    def wait_for(self, pattern, timeout, start=0):
        """First match of pattern in line number start or later; AssertionError at EOF or timeout."""
        rx = re.compile(pattern)
        deadline = time.monotonic() + timeout * SCALE
        at = start
        with self._cond:
            while True:
                while at < len(self.lines):
                    m = rx.search(self.lines[at])
                    at += 1
                    if m:
                        return m
                left = deadline - time.monotonic()
                if self.eof or left <= 0:
                    tail = "\n".join(self.lines[-20:])
                    raise AssertionError(f"{'end of output' if self.eof else 'timeout'} before "
                                         f"{pattern!r}; last lines:\n{tail}")
                self._cond.wait(left)

    def text(self):
        with self._cond:
            return "\n".join(self.lines)

    def join(self, timeout=5):
        self._thread.join(timeout)

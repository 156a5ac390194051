# SPDX-License-Identifier: BSD-3-Clause
"""TCP ports for tests that run side by side: one lock file a port, below the ephemeral range."""

import fcntl
import os
import random
import socket
import tempfile

_DIR = os.path.join(tempfile.gettempdir(), f"ulio-test-ports.{os.getuid()}")
_held = {}


def take_port():
    """A port on 127.0.0.1 that no other test run holds and nobody listens on."""
    os.makedirs(_DIR, exist_ok=True)
    for port in random.sample(range(20000, 32000), 2000):
        fd = os.open(os.path.join(_DIR, str(port)), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            os.close(fd)
            continue
        _held[port] = fd
        return port
    raise RuntimeError("no free port between 20000 and 32000")


def give_port(port):
    """Return a port taken by take_port()."""
    os.close(_held.pop(port))

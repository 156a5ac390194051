# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces of a test's own, as ip-netns(8) makes them; needs CAP_SYS_ADMIN."""

import contextlib
import ctypes
import itertools
import os
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


class NotPermitted(Exception):
    """This place lets nobody make network namespaces."""


def _ip(*args):
    try:
        subprocess.run(["ip", *args], check=True, capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.CalledProcessError) as e:
        raise NotPermitted(f"ip {' '.join(args)}: {getattr(e, 'stderr', e)}") from None


def _enter(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        err = ctypes.get_errno()
        raise NotPermitted(f"setns: {os.strerror(err)}")


@contextlib.contextmanager
def made():
    """The name of a new namespace with a loopback interface that is up."""
    name = f"ulio-test-{os.getpid()}-{next(_numbers)}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _ip("netns", "delete", name)


@contextlib.contextmanager
def inside(name):
    """Sockets that this thread makes meanwhile are of that namespace, and stay so."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(there)
        try:
            yield
        finally:
            _enter(here)
    finally:
        os.close(here)
        os.close(there)

# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the whole-daemon tests.

daemon       a running daemon with a file disk (LUN 0) and a RAM disk (LUN 1), shared by tests that
             only use it; restarted after a test that brought it down
new_daemon   factory for daemons of a test's own; stopped and checked at its end
session      a full-feature session with the shared daemon
space        a network namespace
"""

import os

import pytest

from lib import daemon as daemon_mod
from lib import netns


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", default=bool(os.environ.get("ULIO_TEST_QUICK")),
                     help="smaller data sets, no slow tests")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--quick"):
        gone = [i for i in items if i.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=gone)
        items[:] = [i for i in items if not i.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def quick(request):
    return request.config.getoption("--quick")


@pytest.fixture(scope="session")
def _shared():
    shared = daemon_mod.Shared()
    yield shared
    shared.end()


@pytest.fixture
def daemon(_shared):
    with _shared.use() as d:
        yield d


@pytest.fixture
def new_daemon():
    made = []

    def make(start=True, **kw):
        d = daemon_mod.make_daemon(**kw)
        made.append(d)
        return d.start() if start else d

    yield make
    errors = []
    for d in made:
        try:
            d.stop()
        except AssertionError as e:
            errors.append(e)
        finally:
            d.discard()
    if errors:
        raise errors[0]


@pytest.fixture(scope="session")
def lun():
    """The first LUN (0; Debian's tgt starts at 1)."""
    return daemon_mod.FIRST_LUN


@pytest.fixture
def session(daemon, lun):
    with daemon.session() as s:
        s.clear_ua(lun)
        yield s


@pytest.fixture
def space():
    try:
        with netns.made() as name:
            yield name
    except netns.NotPermitted as e:
        pytest.skip(str(e))

# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the wire tests, beside those of tests/conftest.py.

wide    a daemon, shared, of which everything that is negotiable can be had: MaxConnections, ErrorRecoveryLevel 2,
        MaxOutstandingR2T, data out of order, both digests; on two I/O loops
four    a session with it of four connections, CIDs 0 to 3
"""

import pytest

from helpers import wide_session
from lib import daemon as daemon_mod

WIDE = {"MaxConnections": "32", "ErrorRecoveryLevel": "2", "InitialR2T": "No", "ImmediateData": "Yes",
        "MaxOutstandingR2T": "8", "DataPDUInOrder": "No", "DataSequenceInOrder": "No",
        "DefaultTime2Wait": "0", "DefaultTime2Retain": "3600"}


@pytest.fixture(scope="session")
def _wide():
    shared = daemon_mod.Shared(params=WIDE, args=("--loops", "2"))
    yield shared
    shared.end()


@pytest.fixture
def wide(_wide):
    if daemon_mod.IS_TGT:
        pytest.skip("tgt has none of this")
    with _wide.use() as d:
        yield d


@pytest.fixture
def four(wide, lun):
    with wide_session(wide, MaxConnections=8) as s:
        s.clear_ua(lun)
        for cid in (1, 2, 3):
            s.join(cid)
        yield s

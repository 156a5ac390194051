# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the wire tests, beside those of tests/conftest.py.

wide    a daemon, shared, of which everything that is negotiable can be had: MaxConnections, ErrorRecoveryLevel 2,
        MaxOutstandingR2T, data out of order, both digests; on two I/O loops
"""

import pytest

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

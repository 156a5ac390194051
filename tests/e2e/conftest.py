# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the tests with a configuration file.

serve       factory: serve(make) writes what make(daemon) returns and starts the daemon with it
"""

import pytest

from lib.saveconfig import ConfigDaemon


@pytest.fixture
def serve():
    made = []

    def start(make):
        d = ConfigDaemon(None)
        made.append(d)
        d.write(make(d))
        return d.start()

    yield start
    for d in made:
        try:
            d.stop()
        finally:
            d.discard()

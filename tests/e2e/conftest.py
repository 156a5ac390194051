# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the tests with a configuration file.

serve       factory: serve(make) writes what make(daemon) returns and starts the daemon with it
block       a block device of 64 MiB: a loop device
"""

import os
import subprocess

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


@pytest.fixture(name="block")
def loop_device(tmp_path):
    image = tmp_path / "block.img"
    image.write_bytes(b"")
    os.truncate(image, 64 << 20)
    device = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True,
                            timeout=20).stdout.strip()
    yield device
    subprocess.run(["losetup", "-d", device], check=True, timeout=20)

# SPDX-License-Identifier: BSD-3-Clause
"""One guest for all tests of this directory; each test brings its own daemon."""

import pytest

from machine import Machine


@pytest.fixture(scope="session")
def _vm(tmp_path_factory):
    vm = Machine(str(tmp_path_factory.mktemp("vm")))
    try:
        vm.start()
        yield vm
    finally:
        vm.stop()


@pytest.fixture
def vm(_vm):
    _vm.run("dmesg -c > /dev/null; rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets")
    yield _vm
    _vm.run("umount /mnt/* 2>/dev/null; iscsiadm -m session --logout 2>/dev/null; iscsiadm -m node -o delete; true",
            check=False)

# SPDX-License-Identifier: BSD-3-Clause
"""The Linux initiator through the proxy of tests/chaos: cut, split, late and, with digests, spoiled.

It is at ErrorRecoveryLevel 0: what goes wrong ends the connection, and the session is logged in anew (RFC 7143
7.1.3). No byte may be wrong, no command be given up, nothing hang.
"""

import re

import pytest

from chaos.proxy import QUIET, Profile, in_thread
from lib.wait import SCALE
from machine import HOST
from test_linux import Node, fio

CUTS = Profile(split=.05, delay=.01, late=.01, cut=.0005, cut_login=.1)
SPOILED = Profile(split=.05, delay=.01, late=.01, cut=.0001, cut_login=.1, header=.0002, length=.0001, data=.0003,
                  digest=.0002)
FEWEST = 4                  # faults that end connections, in each test


@pytest.fixture
def rough(vm, new_daemon):
    """(Node, Proxy): a target that says that its address is the proxy's."""
    d = new_daemon(start=False, disks=["ram:96M"])
    with in_thread(d.address, 1) as proxy:
        d.advertise = f"{HOST}:{proxy.address[1]}"
        d.start()
        n = Node(vm, d)
        n.portal = d.advertise
        n.select = f"iscsiadm -m node -T {n.iqn} -p {n.portal}"
        n.discover()
        yield n, proxy
        proxy.profile = QUIET


def blamed(vm):
    """What the guest's kernel says beyond connections that were lost."""
    return re.findall(r".*(?:Oops|BUG:|blocked for more than|I/O error|Buffer I/O|critical target|Call Trace|"
                      r"session recovery timed out).*", vm.run("dmesg"))


@pytest.mark.parametrize("name, profile, digest", [("cuts", CUTS, "None"), ("spoiled", SPOILED, "CRC32C")])
def test_fio_verifies(rough, vm, lun, record_property, name, profile, digest):
    """fio writes and verifies through it, and once more when the network is well again."""
    n, proxy = rough
    for what in ("Header", "Data"):
        n.update(f"node.conn[0].iscsi.{what}Digest", digest)
    n.update("node.session.timeo.replacement_timeout", int(120 * SCALE))
    n.login()
    got = n.negotiated()
    assert (got["HeaderDigest"], got["DataDigest"]) == (digest, digest)
    dev = n.disk(lun)
    proxy.profile = profile
    for seed, bs in enumerate(("4k-4k", "512-128k")):
        fio(vm, dev, timeout=600, size="24M", bsrange=bs, randseed=seed + 1, offset=f"{seed * 32}M")
    proxy.profile = QUIET
    for seed, bs in enumerate(("4k-4k", "512-128k")):
        fio(vm, dev, timeout=300, size="24M", bsrange=bs, randseed=seed + 1, offset=f"{seed * 32}M", verify_only="1")
    faults = proxy.totals()
    record_property("figures", f"Linux, {name}: {faults}")
    print(faults)
    assert sum(v for k, v in faults.items() if k != "cut_login") >= FEWEST, faults
    assert not blamed(vm), blamed(vm)
    n.logout()

# SPDX-License-Identifier: BSD-3-Clause
"""Steer uliod from Python: its control socket (JSON-RPC 2.0), without dependencies.

    import ulio

    with ulio.connect() as target:
        target.call("disk.add", name="d0", spec="file:/srv/d0.img,size=10G")
        print(target.get("/core/fileio_0/d0/info"))
        with target.transaction() as t:
            t.set("/iscsi/iqn.2024-07.internal.ulio:a/tpgt_1/attrib/login_timeout", 20)
            t.set("/iscsi/iqn.2024-07.internal.ulio:a/tpgt_1/enable", 1)

docs/control.md tells of the protocol, docs/control.schema.json lists all methods.
"""

from .client import Client, ConnectionLost, Event, Change, Plan, Transaction, UlioError, connect, default_path

__all__ = ["Client", "ConnectionLost", "Event", "Change", "Plan", "Transaction", "UlioError", "connect",
           "default_path"]
__version__ = "0.1.0"

PROTOCOL = 1

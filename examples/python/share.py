#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Serve a file as LUN 0 of a target of its own to one initiator, in one step that is done or not done.

usage: share.py FILE SIZE TARGET-IQN INITIATOR-IQN [ADDRESS:PORT]
"""

import sys

import ulio


def share(client, file, size, target, initiator, portal="0.0.0.0:3260"):
    number = 0
    taken = client.ls("/core")["dirs"]
    while f"fileio_{number}" in taken:
        number += 1
    disk, tpg = f"/core/fileio_{number}/disk", f"/iscsi/{target}/tpgt_1"
    if "iscsi" not in client.ls("/")["dirs"]:
        client.mkdir("/iscsi")
    with client.transaction() as t:
        t.mkdir(f"/core/fileio_{number}")
        t.mkdir(disk)
        t.set(f"{disk}/control", f"fd_dev_name={file},fd_dev_size={size}")
        t.set(f"{disk}/enable", 1)
        t.mkdir(f"/iscsi/{target}")
        t.mkdir(tpg)
        t.mkdir(f"{tpg}/lun/lun_0")
        t.link(f"{tpg}/lun/lun_0/disk", disk)
        t.mkdir(f"{tpg}/np/{portal}")
        t.mkdir(f"{tpg}/acls/{initiator}")
        t.mkdir(f"{tpg}/acls/{initiator}/lun_0")
        t.link(f"{tpg}/acls/{initiator}/lun_0/lun", f"{tpg}/lun/lun_0")
        t.set(f"{tpg}/attrib/authentication", 0)
        t.set(f"{tpg}/enable", 1)


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    try:
        with ulio.connect() as c:
            share(c, *sys.argv[1:])
    except OSError as e:
        sys.exit(f"share.py: {e}")

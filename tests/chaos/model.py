# SPDX-License-Identifier: BSD-3-Clause
"""What a disk must hold. Each block carries its place and the number of the write that made it.

After a write of unknown outcome a block may be the old one or the new one, each block by itself (SBC-3 4.8 has
nothing atomic by default). The first read of it decides, and from then on it must stay so: a write that lands
after its initiator was told that it has no more effect is found out.
"""

import hashlib
import struct

BLOCK = 512
_POOL = b"".join(hashlib.sha256(struct.pack(">I", i)).digest() for i in range(2048))


class WrongData(AssertionError):
    """A byte is not what was written."""


def block(lba, write):
    """The bytes of a block made by a write; write 0: nobody has written it."""
    if write == 0:
        return bytes(BLOCK)
    at = (lba * 131 + write * 977) % (len(_POOL) - BLOCK)
    return struct.pack(">QQ", lba, write) + _POOL[at:at + BLOCK - 16]


class Disk:
    """nblocks blocks of a LUN from block first on."""

    def __init__(self, lun, nblocks, first=0):
        self.lun, self.nblocks, self.first = lun, nblocks, first
        self.made_by = [0] * nblocks    # the number of the write, or a set of those that may be
        self.writes = 0
        self.busy = []                  # (start, end, is a write)

    def take(self, rng, nblocks, write):
        """A range that nobody disturbs: not read while it is written. None: the disk is too busy."""
        for _ in range(50):
            start = rng.randrange(self.nblocks - nblocks + 1)
            end = start + nblocks
            if not any(s < end and start < e and (w or write) for s, e, w in self.busy):
                self.busy.append((start, end, write))
                return start
        return None

    def give(self, start, nblocks, write):
        self.busy.remove((start, start + nblocks, write))

    def new_write(self, start, nblocks):
        """(number, bytes) of the next write."""
        self.writes += 1
        n = self.writes
        return n, b"".join(block(self.first + start + i, n) for i in range(nblocks))

    def written(self, start, nblocks, number):
        self.made_by[start:start + nblocks] = [number] * nblocks

    def may_be_written(self, start, nblocks, number):
        """Its outcome is unknown."""
        for i in range(start, start + nblocks):
            old = self.made_by[i]
            self.made_by[i] = (old if isinstance(old, frozenset) else frozenset((old,))) | {number}

    def check(self, start, data):
        """Read of these bytes: raises WrongData."""
        for k in range(len(data) // BLOCK):
            have, i = data[k * BLOCK:(k + 1) * BLOCK], start + k
            may = self.made_by[i]
            if isinstance(may, frozenset):
                right = [n for n in may if block(self.first + i, n) == have]
                if right:
                    self.made_by[i] = right[0]
                    continue
            elif block(self.first + i, may) == have:
                continue
            raise WrongData(self.tell(i, have, may))

    def tell(self, i, have, may):
        lba, number = struct.unpack(">QQ", have[:16])
        want = block(self.first + i, max(may) if isinstance(may, frozenset) else may)
        bad = [k for k in range(BLOCK) if have[k] != want[k]]
        return (f"LUN {self.lun} block {self.first + i} must be of write {may}; it says block {lba} of "
                f"write {number}; bytes {bad[:4]}...{bad[-1:]} differ ({len(bad)}); {have[:32].hex()}")

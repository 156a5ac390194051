# SPDX-License-Identifier: BSD-3-Clause
"""Persistent reservations as SPC-4 5.12 tells them, for tests to compare a target with: a Model, one
command, what it must end with, and who must be told what. Written from the text, in its order.

A verdict is GOOD, CONFLICT, or an (asc, ascq) of ILLEGAL REQUEST. Where the text leaves a choice, what
expect() returns holds several."""

from .pr import (ALL_REGISTRANTS, CLEAR, INVALID_RELEASE, PREEMPT, PREEMPT_AND_ABORT, REGISTER,
                 REGISTER_AND_IGNORE, REGISTER_AND_MOVE, REGISTRANTS_ONLY, REGISTRATIONS_PREEMPTED, RELEASE,
                 RESERVATIONS_PREEMPTED, RESERVATIONS_RELEASED, RESERVE, TYPES)
from .scsi import INVALID_FIELD_IN_CDB, INVALID_FIELD_IN_PARAMETERS

GOOD, CONFLICT = "GOOD", "RESERVATION CONFLICT"


class Model:
    """regs: {nexus: key}; holder: a nexus, None with an all registrants type; generation: PRGENERATION.

    A nexus is anything hashable; told[nexus] is the unit attention that the last command made."""

    def __init__(self):
        self.generation = 0
        self.regs = {}
        self.type = None
        self.holder = None
        self.told = {}

    def copy(self):
        m = Model()
        m.generation, m.regs, m.type, m.holder = self.generation, dict(self.regs), self.type, self.holder
        return m

    def state(self):
        """What READ FULL STATUS must show: {nexus: (key, holder, type)}."""
        return {n: (k, self.holds(n), self.type if self.holds(n) else None) for n, k in self.regs.items()}

    def holds(self, nexus):
        if self.type in ALL_REGISTRANTS:
            return nexus in self.regs
        return self.type is not None and self.holder == nexus

    def _reserve(self, nexus, rtype):
        self.type, self.holder = rtype, None if rtype in ALL_REGISTRANTS else nexus

    def _free(self):
        self.type = self.holder = None

    def _tell(self, nexuses, what, by):
        for n in nexuses:
            if n != by:
                self.told[n] = what

    def _remove(self, nexus):
        """5.12.10: with the registration of the (last) holder the reservation goes."""
        last = self.holds(nexus) and (self.type not in ALL_REGISTRANTS or len(self.regs) == 1)
        del self.regs[nexus]
        if last:
            self._free()

    # --- one command

    def apply(self, nexus, action, key=0, sark=0, rtype=0, scope=0, dest=None, unreg=0):
        """Change the model as the command does and return the set of verdicts that are right. dest: the
        nexus of REGISTER AND MOVE."""
        self.told = {}
        if action in (REGISTER, REGISTER_AND_IGNORE):
            return self._register(nexus, action, key, sark)
        # 5.12.7: what comes from an unregistered nexus; 6.16.3: RESERVATION KEY
        if nexus not in self.regs or self.regs[nexus] != key:
            return {CONFLICT}
        return {RESERVE: self._do_reserve, RELEASE: self._do_release, CLEAR: self._do_clear,
                PREEMPT: self._do_preempt, PREEMPT_AND_ABORT: self._do_preempt,
                REGISTER_AND_MOVE: self._do_move}[action](
                    nexus, sark=sark, rtype=rtype, scope=scope, dest=dest, unreg=unreg)

    def _register(self, nexus, action, key, sark):
        """Tables 67 and 68."""
        if action == REGISTER and key != self.regs.get(nexus, 0):
            return {CONFLICT}
        if nexus not in self.regs and sark == 0:
            return {GOOD}               # "Do nothing except return GOOD status"
        self.generation += 1
        if sark:
            self.regs[nexus] = sark
        else:
            held = self.type if self.holds(nexus) else None
            self._remove(nexus)
            if held in REGISTRANTS_ONLY:
                self._tell(self.regs, RESERVATIONS_RELEASED, nexus)
        return {GOOD}

    def _do_reserve(self, nexus, rtype, scope, **_):
        """5.12.9."""
        wrong = scope != 0 or rtype not in TYPES
        if self.type is not None:
            if self.holds(nexus) and not wrong and rtype == self.type:
                return {GOOD}
            return {CONFLICT, INVALID_FIELD_IN_CDB} if wrong else {CONFLICT}
        if wrong:
            return {INVALID_FIELD_IN_CDB}
        self._reserve(nexus, rtype)
        return {GOOD}

    def _do_release(self, nexus, rtype, scope, **_):
        """5.12.11.2.2."""
        wrong = scope != 0 or rtype not in TYPES
        if not self.holds(nexus):
            return {GOOD, INVALID_FIELD_IN_CDB} if wrong else {GOOD}
        if wrong or rtype != self.type:
            return {INVALID_RELEASE, INVALID_FIELD_IN_CDB} if wrong else {INVALID_RELEASE}
        if self.type in REGISTRANTS_ONLY + ALL_REGISTRANTS:
            self._tell(self.regs, RESERVATIONS_RELEASED, nexus)
        self._free()
        return {GOOD}

    def _do_clear(self, nexus, **_):
        """5.12.11.2.7."""
        self.generation += 1
        self._tell(self.regs, RESERVATIONS_PREEMPTED, nexus)
        self.regs.clear()
        self._free()
        return {GOOD}

    def _do_preempt(self, nexus, sark, rtype, scope, **_):
        """5.12.11.2.4 to .6, table 72."""
        everyone = self.type in ALL_REGISTRANTS and sark == 0
        if sark == 0 and not everyone:
            # Table 72 speaks of reservations, 5.12.11.2.5 of keys that nobody has registered.
            return {INVALID_FIELD_IN_PARAMETERS} if self.type is not None else \
                {INVALID_FIELD_IN_PARAMETERS, CONFLICT}
        lost = {n for n, k in self.regs.items() if everyone or k == sark}
        if not lost:
            return {CONFLICT}
        holders = self.type is not None and self.type not in ALL_REGISTRANTS and \
            self.regs[self.holder] == sark
        if not everyone and not holders:
            self.generation += 1        # 5.12.11.2.5: SCOPE and TYPE are ignored
            self._tell(lost, REGISTRATIONS_PREEMPTED, nexus)
            for n in lost:
                self._remove(n)
            return {GOOD}
        if scope != 0 or rtype not in TYPES:
            return {INVALID_FIELD_IN_CDB}
        self.generation += 1
        changed = rtype != self.type
        for n in lost - {nexus}:
            del self.regs[n]
        self._reserve(nexus, rtype)
        self._tell(lost, REGISTRATIONS_PREEMPTED, nexus)
        if changed:
            self._tell(self.regs, RESERVATIONS_RELEASED, nexus)
        return {GOOD}

    def _do_move(self, nexus, sark, dest, unreg, **_):
        """5.12.8, table 70. dest[0] is an initiator port."""
        verdicts = set()
        if self.type in ALL_REGISTRANTS:
            return {CONFLICT}
        if self.type is None:
            verdicts.add(INVALID_FIELD_IN_CDB)
        elif not self.holds(nexus):
            return {CONFLICT}
        if sark == 0 or dest[0] == nexus[0]:
            verdicts.add(INVALID_FIELD_IN_PARAMETERS)
        if verdicts:
            return verdicts
        self.generation += 1
        self.regs[dest] = sark
        self.holder = dest
        if unreg:
            del self.regs[nexus]
        return {GOOD}

# SPDX-License-Identifier: BSD-3-Clause
"""The runs: profile, ErrorRecoveryLevel, connections. Tests take each for seconds, `make chaos` for minutes."""

import asyncio
import dataclasses
import random

from lib import daemon as daemon_mod

from . import proxy
from .load import Plan, run_plan

PLANS = {
    "0-quiet": Plan(),
    "0-cuts": Plan(profile=proxy.CUTS),
    "0-errors": Plan(profile=proxy.CUTS_AND_ERRORS),
    "0-everything": Plan(profile=proxy.EVERYTHING),
    "0-2-connections": Plan(profile=proxy.CUTS, nconns=2),
    "0-4-connections": Plan(profile=proxy.EVERYTHING, nconns=4, workers=16),
    "0-8-connections": Plan(profile=proxy.CUTS_AND_ERRORS, nconns=8, workers=16),
    "0-outages": Plan(profile=proxy.OUTAGES, nconns=2),
    "0-sessions": Plan(profile=proxy.EVERYTHING, nsessions=4, workers=4, blocks=2048),
    "1-recoverable": Plan(profile=proxy.RECOVERABLE, level=1, strict=True),
    "1-recoverable-4-connections": Plan(profile=proxy.RECOVERABLE, level=1, strict=True, nconns=4, workers=12),
    "1-errors": Plan(profile=proxy.CUTS_AND_ERRORS, level=1),
    "1-everything-8-connections": Plan(profile=proxy.EVERYTHING, level=1, nconns=8, workers=16),
    "2-recoverable": Plan(profile=proxy.RECOVERABLE, level=2, strict=True, nconns=2),
    "2-cuts": Plan(profile=proxy.CUTS, level=2),
    "2-errors": Plan(profile=proxy.CUTS_AND_ERRORS, level=2),
    "2-cuts-3-connections": Plan(profile=proxy.CUTS, level=2, nconns=3, workers=12),
    "2-outages": Plan(profile=proxy.OUTAGES, level=2),
    "2-outages-4-connections": Plan(profile=proxy.OUTAGES, level=2, nconns=4, workers=12),
    "2-everything-4-connections": Plan(profile=proxy.EVERYTHING, level=2, nconns=4, workers=12),
    "2-everything-8-connections": Plan(profile=proxy.EVERYTHING, level=2, nconns=8, workers=16),
}

# What a target agrees to changes the ways that data go; the rest of the offers is in session.py.
KEYS = (
    {},
    {"InitialR2T": "Yes"},
    {"ImmediateData": "No"},
    {"InitialR2T": "Yes", "ImmediateData": "No", "MaxOutstandingR2T": "1"},
    {"MaxBurstLength": "4096", "FirstBurstLength": "4096"},
    {"MaxBurstLength": "1048576", "FirstBurstLength": "65536"},
    {"DataPDUInOrder": "No", "DataSequenceInOrder": "No", "MaxBurstLength": "16384", "FirstBurstLength": "8192"},
    {"DataPDUInOrder": "No", "DataSequenceInOrder": "No", "InitialR2T": "Yes"},
)


def varied(plan, seconds, seed):
    """The plan with keys and frequency of faults that the seed chooses."""
    rng = random.Random(seed)
    return dataclasses.replace(plan, seconds=seconds, seed=seed, keys={**rng.choice(KEYS), **(plan.keys or {})},
                               profile=plan.profile.scaled(rng.choice((.3, 1, 1, 2))))


def daemon_for(**kw):
    """A daemon that lets an initiator have all that the plans ask for."""
    params = {"InitialR2T": "No", "MaxBurstLength": "1048576", "MaxConnections": "16", "ErrorRecoveryLevel": "2",
              "MaxOutstandingR2T": "8", "DataPDUInOrder": "No", "DataSequenceInOrder": "No"}
    return daemon_mod.make_daemon(params=params, **kw)


def run(daemon, plan):
    """The report; what was found wrong tells what led to it."""
    try:
        return asyncio.run(run_plan(daemon.address, daemon.iqn, plan))
    except Exception as e:
        report = getattr(e, "report", None)
        if report:
            e.add_note(f"{report}\n" + "\n".join(report.events[-30:]))
        e.add_note("the daemon's last words:\n" + daemon.log()[-3000:])
        raise

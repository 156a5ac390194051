# SPDX-License-Identifier: BSD-3-Clause
"""Code values that are reserved in SCSI Commands, and the gap that a rejected one leaves. RFC 7143 11 (first page),
7.3, 11.3.1. Of AHS: test_ahs_residuals.py."""

import pytest

from helpers import alive, quiet, reject_or_close
from lib import pdu as p
from lib import scsi
from lib.pdu import PDU

PROTOCOL = (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED, p.REJ_INVALID_FIELD)


@pytest.mark.parametrize("attr", [5, 6, 7])
def test_reserved_task_attribute(session, lun, attr):
    """11.3.1: ATTR 5 to 7 are reserved."""
    if reject_or_close(session, PDU(p.SCSI_CMD, immediate=True, flags=p.F | attr, lun=lun, cdb=bytes(6)), PROTOCOL):
        alive(session)


def test_rejected_command_leaves_a_gap(session, lun):
    """7.3: the CmdSN of a command that was rejected counts as not received; what follows waits until the initiator
    plugs the gap with a command of that number."""
    sn = session.take_cmdsn()
    session.send(PDU(p.SCSI_CMD, flags=p.F | 7, lun=lun, cmdsn=sn, cdb=bytes(6)))
    assert session.wait_pdu(p.REJECT).reason in PROTOCOL
    waits = session.start(scsi.test_unit_ready(), lun=lun)
    assert quiet(session) == []
    assert waits.result is None and session.expcmdsn == sn
    session.scsi(scsi.test_unit_ready(), lun=lun, cmdsn=sn).good()
    session.wait(waits).good()


def test_gap_of_a_rejected_command_plugged_by_abort(session, lun):
    """7.3, 11.5.5: or by an ABORT TASK whose RefCmdSN is that number: the task counts as received and ended."""
    sn = session.take_cmdsn()
    session.send(PDU(p.SCSI_CMD, flags=p.F | 7, lun=lun, itt=0x2222, cmdsn=sn, cdb=bytes(6)))
    assert session.wait_pdu(p.REJECT).reason in PROTOCOL
    waits = session.start(scsi.test_unit_ready(), lun=lun)
    assert session.tmf(p.ABORT_TASK, lun, ref_itt=0x2222, refcmdsn=sn) == p.TMF_COMPLETE
    session.wait(waits).good()

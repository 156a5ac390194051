# SPDX-License-Identifier: BSD-3-Clause
"""The judge is judged: lib/capture.py passes a plain session and convicts faulty PDUs."""

import socket

import pytest

from lib import pdu as p
from lib import scsi
from lib.capture import Capture
from lib.daemon import IS_TGT
from lib.pdu import PDU


@pytest.mark.parametrize("digests", ["None", "CRC32C"])
def test_plain_session(daemon, lun, tmp_path, digests):
    """Login, discovery, data both ways, sense, TMF, NOP, text, logout: nothing to complain about."""
    with Capture(daemon.port, str(tmp_path)) as c:
        with daemon.session(keys={"HeaderDigest": digests, "DataDigest": digests}) as s:
            s.clear_ua(lun)
            for n in (1, 16, 300):
                s.scsi(scsi.write10(0, n), lun=lun, write=bytes(n * 512)).good()
                s.scsi(scsi.read10(0, n), lun=lun, read=n * 512).good()
            s.scsi(scsi.read16(1 << 60, 1), lun=lun, read=512).check(scsi.ILLEGAL_REQUEST)
            s.scsi(scsi.inquiry(20, 0x83), lun=lun, read=20).good()
            s.scsi(scsi.report_luns(), lun=lun, read=1024).good()
            s.tmf(p.ABORT_TASK, lun, ref_itt=0x777)
            s.nop(b"ping")
            if not IS_TGT:
                s.text([("SendTargets", "")])
            s.logout()
    c.verdict()


COMMAND = PDU(p.SCSI_CMD, flags=p.F | p.R | p.SIMPLE, itt=1, edtl=64, cdb=scsi.inquiry(64, 0x83))

FAULTS = {
    "sense-cut-short": (PDU(p.SCSI_RSP, flags=p.F, itt=1, status=2, data=b"\0\x12\x70"), True),
    "reject-without-header": (PDU(p.REJECT, flags=p.F, reason=4, itt=p.RESERVED_TAG), True),
    "page-shorter-than-it-says": (PDU(p.DATA_IN, flags=p.F | p.DIN_S, itt=1,
                                      data=b"\0\x83\0\x40\1\3\0\x20"), True),
    "page-cut-by-allocation": (PDU(p.DATA_IN, flags=p.F | p.DIN_S, itt=1,
                                   data=b"\0\x83\0\x64\1\3\0\x60" + bytes(56)), False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_conviction(tmp_path, fault):
    """A made-up target answers with one PDU: guilty or not as the table says."""
    answer, guilty = FAULTS[fault]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Capture(port, str(tmp_path)) as c, socket.create_connection(("127.0.0.1", port)) as a:
            b, _ = server.accept()
            with b:
                a.sendall(COMMAND.encode())
                assert len(b.recv(100)) == 48
                b.sendall(answer.encode())
                assert a.recv(1000)
    if guilty:
        with pytest.raises(AssertionError, match="tshark finds faults"):
            c.verdict()
    else:
        c.verdict()


def test_an_empty_capture_is_no_success(daemon, tmp_path):
    with Capture(daemon.port, str(tmp_path)) as c:
        pass
    with pytest.raises(AssertionError, match="no iSCSI PDU"):
        c.verdict()

# SPDX-License-Identifier: BSD-3-Clause
"""Discovery sessions, SendTargets, access denied by default. RFC 7143 4.3, 13.3, appendix C."""

import re

import pytest

from lib import pdu as p
from lib import scsi
from lib.initiator import Closed, LoginFailed, Rejected, Session, discover
from lib.pdu import PDU


def test_send_targets_all(daemon):
    """Appendix C: TargetName, then its addresses with portal group tag."""
    found = discover(daemon.address)
    assert list(found) == [daemon.iqn]
    for address in found[daemon.iqn]:
        assert re.fullmatch(r"(\[[0-9a-f:.]+\]|[0-9.]+|[A-Za-z0-9.-]+)(:\d+)?,\d+", address), address
    assert any(a.startswith(f"{daemon.host}:{daemon.port},") for a in found[daemon.iqn])


def test_name_is_well_formed(daemon):
    """4.2.7: iqn., eui. or naa. name of at most 223 bytes."""
    assert re.fullmatch(r"(iqn\.\d{4}-\d{2}\.[a-z0-9.-]+(:.+)?|eui\.[0-9A-Fa-f]{16}|naa\..+)", daemon.iqn)
    assert len(daemon.iqn) <= 223


def test_send_targets_by_name(daemon):
    """13.3: SendTargets=<name> gives that target alone."""
    assert list(discover(daemon.address, what=daemon.iqn)) == [daemon.iqn]


def test_send_targets_unknown_name(daemon):
    """Appendix C: nothing for a name that is not there."""
    assert discover(daemon.address, what="iqn.2026-01.example.test:nobody") == {}


def test_send_targets_of_session(session, daemon):
    """13.3: in a normal session, empty value means the target of the session; All is not for it."""
    got = session.text([("SendTargets", "")])
    assert [v for k, v in got if k == "TargetName"] == [daemon.iqn]
    assert any(k == "TargetAddress" for k, _ in got)


def test_send_targets_all_in_normal_session(session):
    """13.3: All must be supported in a discovery session and must not be in an operational one."""
    try:
        got = session.text([("SendTargets", "All")])
    except (Rejected, Closed):
        return
    assert dict(got).get("SendTargets") == "Reject" or not got, f"answered {got}"


def test_send_targets_twice(daemon):
    """13.3: Nothing of an exchange is left in the next."""
    with Session.open(daemon.address, discovery=True) as s:
        a = s.text([("SendTargets", "All")])
        assert a == s.text([("SendTargets", "All")])
        s.logout()


def test_discovery_with_non_immediate_text(daemon):
    """11.10: text requests may be numbered commands."""
    with Session.open(daemon.address, discovery=True) as s:
        for _ in range(3):
            assert s.text([("SendTargets", "All")], immediate=False)
        s.logout()


@pytest.mark.parametrize("opcode", [p.SCSI_CMD, p.TMF_REQ, p.DATA_OUT])
def test_only_text_nop_logout_in_discovery(daemon, opcode):
    """4.3: a discovery session takes text and logout only; anything else is rejected."""
    with Session.open(daemon.address, discovery=True) as s:
        s.send(PDU(opcode, flags=p.F | (p.LOGICAL_UNIT_RESET if opcode == p.TMF_REQ else 0), immediate=True,
                   itt=5))
        try:
            r = s.wait_pdu(p.REJECT)
            assert r.reason in (p.REJ_PROTOCOL, p.REJ_NOT_SUPPORTED)
        except Closed:
            pass


def test_small_segments_use_text_continuation(daemon):
    """11.11.4: an answer above the initiator's limit comes in parts, asked for with the TTT."""
    with Session.open(daemon.address, discovery=True, keys={"MaxRecvDataSegmentLength": "512"}) as s:
        assert ("TargetName", daemon.iqn) in s.text([("SendTargets", "All")])
        s.logout()


def test_text_with_c_bit(daemon):
    """11.10.2: a text request in parts; each part but the last is answered by an empty response."""
    with Session.open(daemon.address, discovery=True) as s:
        itt = s.take_itt()
        text = b"SendTargets=All\0"
        s.send(PDU(p.TEXT_REQ, immediate=True, flags=p.C, itt=itt, ttt=p.RESERVED_TAG, data=text[:7]))
        r = s.wait_pdu(p.TEXT_RSP, itt)
        assert not r.data and not r.flags & p.F and r.ttt != p.RESERVED_TAG
        s.send(PDU(p.TEXT_REQ, immediate=True, flags=p.F, itt=itt, ttt=r.ttt, data=text[7:]))
        r = s.wait_pdu(p.TEXT_RSP, itt)
        assert daemon.iqn.encode() in r.data and r.flags & p.F
        s.logout()


def test_text_with_unknown_ttt(session):
    """11.10.4: a continuation tag that the target never gave."""
    session.send(PDU(p.TEXT_REQ, immediate=True, flags=p.F, ttt=0x12345678))
    try:
        r = session.wait_pdu(p.REJECT)
        assert r.reason in (p.REJ_PROTOCOL, p.REJ_INVALID_FIELD)
    except Closed:
        pass


def test_denied_by_default(new_daemon):
    """11.13.5: Without --allow nobody logs in, and the refusal is 0202h."""
    d = new_daemon(allow=())
    found = discover(d.address)
    name = next(iter(found), None) or "iqn.2026-01.example.test:hidden"
    with pytest.raises(LoginFailed) as e:
        Session.open(d.address, name)
    assert e.value.status in (0x0202, 0x0203)


def test_allow_one_initiator(new_daemon, lun):
    """11.13.5, Appendix C: Who is named may log in, who is not is refused (0202h) and told nothing."""
    friend = "iqn.2026-01.example.test:friend"
    d = new_daemon(allow=[friend])
    found = discover(d.address, name=friend)
    assert len(found) == 1
    iqn = next(iter(found))
    with Session.open(d.address, iqn, name=friend) as s:
        s.clear_ua(lun).good()
        s.logout()
    with pytest.raises(LoginFailed) as e:
        Session.open(d.address, iqn, name="iqn.2026-01.example.test:stranger")
    assert e.value.status == 0x0202


def test_advertised_address(new_daemon):
    """13.8: The advertised address stands in SendTargets, whatever was bound."""
    d = new_daemon(advertise="192.0.2.7:3299")
    found = discover(d.address)
    assert any(a.startswith("192.0.2.7:3299,") for a in next(iter(found.values())))


def test_scsi_in_discovery_session_touches_nothing(daemon, lun):
    """4.3: A write sent on a discovery session writes nothing."""
    with daemon.session() as a:
        a.clear_ua(lun)
        before = a.scsi(scsi.read10(77, 1), lun=lun, read=512).good().data
        with Session.open(daemon.address, discovery=True) as s:
            s.send(PDU(p.SCSI_CMD, flags=p.F | p.W | p.SIMPLE, lun=lun, edtl=512, cdb=scsi.write10(77, 1),
                       data=b"x" * 512))
            try:
                s.wait_pdu(p.REJECT)
            except Closed:
                pass
        assert a.scsi(scsi.read10(77, 1), lun=lun, read=512).good().data == before
        a.logout()

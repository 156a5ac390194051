# SPDX-License-Identifier: BSD-3-Clause
"""Every text key of RFC 7143 clause 13 as a table: how it is negotiated, range and default.

Used twice: the scripted initiator checks each answer of the target against it, and
wire/test_text_keys.py walks it.
"""

from collections import namedtuple

Key = namedtuple("Key", "kind low high default clause", defaults=(None, None, None, ""))

KEYS = {
    "HeaderDigest": Key("list", default="None", clause="13.1"),
    "DataDigest": Key("list", default="None", clause="13.1"),
    "MaxConnections": Key("min", 1, 65535, 1, "13.2"),
    "SendTargets": Key("ffp", clause="13.3"),
    "TargetName": Key("declare", clause="13.4"),
    "InitiatorName": Key("declare", clause="13.5"),
    "TargetAlias": Key("declare-target", clause="13.6"),
    "InitiatorAlias": Key("declare", clause="13.7"),
    "TargetAddress": Key("declare-target", clause="13.8"),
    "TargetPortalGroupTag": Key("declare-target", clause="13.9"),
    "InitialR2T": Key("or", default="Yes", clause="13.10"),
    "ImmediateData": Key("and", default="Yes", clause="13.11"),
    "MaxRecvDataSegmentLength": Key("declare", 512, 16777215, 8192, "13.12"),
    "MaxBurstLength": Key("min", 512, 16777215, 262144, "13.13"),
    "FirstBurstLength": Key("min", 512, 16777215, 65536, "13.14"),
    "DefaultTime2Wait": Key("max", 0, 3600, 2, "13.15"),
    "DefaultTime2Retain": Key("min", 0, 3600, 20, "13.16"),
    "MaxOutstandingR2T": Key("min", 1, 65535, 1, "13.17"),
    "DataPDUInOrder": Key("or", default="Yes", clause="13.18"),
    "DataSequenceInOrder": Key("or", default="Yes", clause="13.19"),
    "ErrorRecoveryLevel": Key("min", 0, 2, 0, "13.20"),
    "SessionType": Key("declare", default="Normal", clause="13.21"),
    "TaskReporting": Key("list", default="RFC3720", clause="13.23"),
    "iSCSIProtocolLevel": Key("min", 0, 31, 1, "RFC 7144 7.1.1"),
    "AuthMethod": Key("list", default="None", clause="12"),
    "OFMarker": Key("and", default="No", clause="13.25, RFC 3720 A.3.1"),
    "IFMarker": Key("and", default="No", clause="13.25, RFC 3720 A.3.1"),
}

# Irrelevant in a discovery session (13.x "LO" scope, "irrelevant when SessionType=Discovery").
NORMAL_ONLY = {
    "MaxConnections", "InitialR2T", "ImmediateData", "MaxBurstLength", "FirstBurstLength",
    "MaxOutstandingR2T", "DataPDUInOrder", "DataSequenceInOrder", "TaskReporting",
}

UNSUCCESSFUL = {"Reject", "Irrelevant", "NotUnderstood"}


def number(text):
    """iSCSI numerical value: decimal or 0x hex constant (6.1)."""
    return int(text, 16) if text[:2] in ("0x", "0X") else int(text, 10)


def check_answer(key, offered, answered):
    """Assert that `answered` is a lawful answer to `offered` for a negotiated key (6.2)."""
    row = KEYS.get(key)
    if row is None:
        assert answered == "NotUnderstood", f"{key} is unknown: 6.2 wants NotUnderstood, not {answered}"
        return
    if answered in UNSUCCESSFUL:
        return
    where = f"{key}: offered {offered}, answered {answered} (RFC 7143 {row.clause})"
    if row.kind == "list":
        assert answered in offered.split(","), where
    elif row.kind == "and":
        assert answered in ("Yes", "No") and (answered == "No" or offered == "Yes"), where
    elif row.kind == "or":
        assert answered in ("Yes", "No") and (answered == "Yes" or offered == "No"), where
    elif row.kind == "min":
        assert row.low <= number(answered) <= number(offered), where
    elif row.kind == "max":
        assert number(offered) <= number(answered) <= row.high, where


def our_answer(key, value):
    """What the scripted initiator answers to a key that the target offers first."""
    row = KEYS.get(key)
    if row is None:
        return "NotUnderstood"
    if row.kind.startswith("declare"):
        return None
    if row.kind == "list":
        return row.default if row.default in value.split(",") else "Reject"
    if row.kind in ("and", "or"):
        return value
    return value


def encode(pairs):
    """[(key, value)] or dict -> text data segment (6.1)."""
    if isinstance(pairs, (bytes, bytearray)):
        return bytes(pairs)
    if isinstance(pairs, dict):
        pairs = pairs.items()
    return b"".join(f"{k}={v}".encode() + b"\0" for k, v in pairs)


def decode(data):
    """Text data segment -> [(key, value)]; asserts the form that 6.1 demands."""
    if not data:
        return []
    assert data.endswith(b"\0"), f"text without final NUL (6.1): {data!r}"
    pairs = []
    for item in data[:-1].split(b"\0"):
        key, eq, value = item.partition(b"=")
        assert eq and 0 < len(key) <= 63, f"bad key=value pair (6.1): {item!r}"
        pairs.append((key.decode("ascii"), value.decode("utf-8")))
    return pairs

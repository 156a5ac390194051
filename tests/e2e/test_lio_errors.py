# SPDX-License-Identifier: BSD-3-Clause
"""What LIO's configfs refuses, and with which errno; what it accepts, and what it then shows.

A row is a path below the objects of build(), a value, and the errno that LIO's kernel gives; None: it
is accepted; a text behind it is what is then read. The rows of a table run in their order.
"""

import os

import pytest

from lib.control import RpcError

IQN = "iqn.2003-01.org.linux-iscsi.vmrig:t0"
INI = "iqn.2003-01.org.vmrig:init-a"
TPG = f"/iscsi/{IQN}/tpgt_1"
ACL = f"{TPG}/acls/{INI}"
FREE = "/core/rd_mcp_0/free"            # no LUN shows it
SHOWN = "/core/rd_mcp_0/shown"
FILE = "/core/fileio_1/file"            # not enabled
BIG = str(1 << 64)


@pytest.fixture(name="ctl")
def tree(serve):
    d = serve(lambda d: {"storage_objects": [], "targets": [], "fabric_modules": []})
    with d.control() as c:
        build(c, d)
        yield c
    d.check()


def build(c, d):
    for path in ("/core/rd_mcp_0", FREE, SHOWN, "/core/fileio_1", FILE, f"/iscsi/{IQN}", TPG, ACL,
                 f"{TPG}/lun/lun_0", f"{TPG}/lun/lun_1", f"{ACL}/lun_0", f"{ACL}/lun_1", f"{FREE}/alua/g",
                 f"{TPG}/np/127.0.0.1:{d.port}"):
        c.call("mkdir", path=path)
    for so in (FREE, SHOWN):
        c.call("set", path=f"{so}/control", value="rd_pages=16")
        c.call("set", path=f"{so}/enable", value="1")
    c.call("set", path=f"{FREE}/wwn/vpd_unit_serial", value="a-serial")
    c.call("link", path=f"{TPG}/lun/lun_0/a", target=SHOWN)
    c.call("link", path=f"{ACL}/lun_0/a", target=f"{TPG}/lun/lun_0")


def errno_of(c, method, **params):
    try:
        c.call(method, **params)
    except RpcError as e:
        assert e.message, f"{method} {params}: no word about it"
        return e.data["errno"]
    return None


def run(c, rows, base=""):
    """All rows, then what went wrong."""
    wrong = []
    for path, value, want, *then in rows:
        got = errno_of(c, "set", path=base + path, value=value)
        if got != want:
            wrong.append(f"{base}{path} = {value!r:.60}: {got}, LIO {want}")
        elif then and (shown := c.call("get", path=base + path)) != then[0]:
            wrong.append(f"{base}{path} = {value!r:.60}: shows {shown!r}, LIO {then[0]!r}")
    assert not wrong, "\n".join(wrong)


# Numbers and switches of any kind.
PARSING = [
    ("/attrib/max_unmap_lba_count", "0x10", None, "16"), ("/attrib/max_unmap_lba_count", "010\n", None, "8"),
    ("/attrib/max_unmap_lba_count", "+7", None, "7"), ("/attrib/max_unmap_lba_count", "", "EINVAL"),
    ("/attrib/max_unmap_lba_count", " 7", "EINVAL"), ("/attrib/max_unmap_lba_count", "7x", "EINVAL"),
    ("/attrib/max_unmap_lba_count", "7\n\n", "EINVAL"), ("/attrib/max_unmap_lba_count", "-7", "EINVAL"),
    ("/attrib/max_unmap_lba_count", "4294967296", "ERANGE"), ("/attrib/max_unmap_lba_count", BIG, "ERANGE"),
    ("/attrib/emulate_caw", "no", None, "0"), ("/attrib/emulate_caw", "Yes", None, "1"),
    ("/attrib/emulate_caw", "off", None, "0"), ("/attrib/emulate_caw", "on", None, "1"),
    ("/attrib/emulate_caw", "10", None, "1"), ("/attrib/emulate_caw", "false", None, "0"),
    ("/attrib/emulate_caw", "true", None, "1"), ("/attrib/emulate_caw", "2", "EINVAL"),
    ("/attrib/emulate_caw", "o", "EINVAL"), ("/attrib/emulate_caw", "", "EINVAL"),
]

# attrib/ of a disk that no LUN shows.
ATTRIB = [
    ("alua_support", "1", None), ("alua_support", "0", "ENOSYS"), ("alua_support", "x", "EINVAL"),
    ("block_size", "512", None), ("block_size", "1024", None), ("block_size", "2048", None),
    ("block_size", "4096", None, "4096"), ("block_size", "1000", "EINVAL"), ("block_size", "8192", "EINVAL"),
    ("block_size", "x", "EINVAL"), ("block_size", "512", None, "512"),
    ("emulate_3pc", "1", None, "1"), ("emulate_3pc", "3", "EINVAL"),
    ("emulate_dpo", "nonsense", None, "1"), ("emulate_fua_read", "0", None, "1"),
    ("emulate_fua_write", "2", "EINVAL"), ("emulate_fua_write", "0", None, "0"),
    ("emulate_model_alias", "1", None, "1"), ("emulate_model_alias", "7", "EINVAL"),
    ("emulate_pr", "2", "EINVAL"), ("emulate_rest_reord", "1", "ENOSYS"), ("emulate_rest_reord", "0", None),
    ("emulate_rsoc", "0", None, "0"), ("emulate_tas", "0", None, "0"), ("emulate_tas", "9", "EINVAL"),
    ("emulate_tpu", "0", None, "0"), ("emulate_tpws", "5", "EINVAL"),
    ("emulate_ua_intlck_ctrl", "2", None, "2"), ("emulate_ua_intlck_ctrl", "3", "EINVAL"),
    ("emulate_write_cache", "0", None, "0"), ("emulate_write_cache", "3", "EINVAL"),
    ("enforce_pr_isids", "0", None, "0"), ("force_pr_aptpl", "1", None, "1"), ("force_pr_aptpl", "x", "EINVAL"),
    ("hw_block_size", "512", "EACCES"), ("hw_max_sectors", "1", "EACCES"), ("hw_queue_depth", "1", "EACCES"),
    ("hw_pi_prot_type", "0", "EACCES"),
    ("is_nonrot", "0", None, "0"), ("is_nonrot", "x", "EINVAL"),
    ("max_unmap_block_desc_count", "8", None, "8"), ("max_write_same_len", "x", "EINVAL"),
    ("optimal_sectors", "4294967288", None, "4294967288"), ("optimal_sectors", "4294967289", "EINVAL"),
    ("pgr_support", "1", None), ("pgr_support", "0", "ENOSYS"),
    ("pi_prot_format", "0", None), ("pi_prot_format", "1", "ENOSYS"), ("pi_prot_format", "x", "EINVAL"),
    ("pi_prot_type", "0", None), ("pi_prot_type", "1", "ENOSYS"), ("pi_prot_type", "2", "ENOSYS"),
    ("pi_prot_type", "4", "EINVAL"), ("pi_prot_verify", "1", None, "0"), ("pi_prot_verify", "5", "EINVAL"),
    ("queue_depth", "1", None, "1"), ("queue_depth", "128", None, "128"), ("queue_depth", "0", "EINVAL"),
    ("queue_depth", "129", "EINVAL"),
    ("submit_type", "2", None), ("submit_type", "3", "EINVAL"), ("submit_type", "256", "ERANGE"),
    ("unmap_granularity", "x", "EINVAL"), ("unmap_granularity_alignment", "8", None, "8"),
    ("unmap_zeroes_data", "2", "EINVAL"), ("unmap_zeroes_data", "1", None, "1"),
]

# What may not change while a LUN shows the disk; it is said after the value was looked at.
EXPORTED = [("block_size", "512"), ("emulate_tas", "1"), ("emulate_ua_intlck_ctrl", "0"), ("emulate_model_alias", "1"),
            ("force_pr_aptpl", "0"), ("optimal_sectors", "128"), ("queue_depth", "64"), ("unmap_zeroes_data", "0")]
# What may, and scripts rely on it.
LIVE = [("emulate_tpu", "0"), ("emulate_tpu", "1"), ("emulate_3pc", "0"), ("emulate_caw", "0"), ("emulate_caw", "1"),
        ("max_write_same_len", "4096"), ("is_nonrot", "1")]

DEVICE = [
    ("enable", "0", "EINVAL"), ("enable", "", "EINVAL"), ("enable", "1", "EEXIST"),
    ("udev_path", "/dev/x\n", None, "/dev/x"), ("udev_path", "", "EINVAL"), ("udev_path", "x" * 512, "EINVAL"),
    ("alias", "a" * 511, None, "a" * 511), ("alias", "a" * 512, "EINVAL"),
    ("info", "x", "EACCES"),
    ("alua_lu_gp", "nobody", "ENODEV"), ("alua_lu_gp", "x" * 257, "EINVAL"), ("alua_lu_gp", "NULL", None),
    ("lba_map", "nonsense", "EINVAL"),
    ("wwn/vendor_id", "  ACME \n", None, "ACME"), ("wwn/vendor_id", "ninechars", "EOVERFLOW"),
    ("wwn/vendor_id", "\u00e9", "EINVAL"), ("wwn/product_id", "x" * 17, "EOVERFLOW"),
    ("wwn/product_id", "x" * 16, None, "x" * 16), ("wwn/revision", "12345", "EOVERFLOW"),
    ("wwn/company_id", "0x1000000", "EOVERFLOW"), ("wwn/company_id", "0x123456", None, "0x123456"),
    ("wwn/company_id", "x", "EINVAL"), ("wwn/vpd_unit_serial", "x" * 254, "EOVERFLOW"),
    ("wwn/vpd_unit_serial", " abc\n", None, "T10 VPD Unit Serial Number: abc"),
    ("wwn/vpd_assoc_logical_unit", "x", "EACCES"),
    ("pr/res_holder", "x", "EACCES"), ("pr/res_aptpl_metadata", "initiator_node=a", "EINVAL"),
    ("statistics/scsi_lu/num_cmds", "0", "EACCES"),
]

CONTROL = [
    ("", None), ("nonsense=1,more", None), ("fd_buffered_io=0", "EINVAL"), ("fd_async_io=2", "EINVAL"),
    ("fd_dev_size=x", "EINVAL"), ("fd_dev_name=", "EINVAL"), ("fd_buffered_io=1,fd_async_io=1", None),
]

# A target port group; the first ones before it has an id.
ALUA = [
    ("alua_access_state", "0", "EINVAL"),
    ("alua_access_status", "0", "EINVAL"), ("alua_support_standby", "0", "EINVAL"),
    ("tg_pt_gp_id", "0", None, "1"), ("tg_pt_gp_id", "5", "EINVAL"), ("tg_pt_gp_id", "65536", "EINVAL"),
    ("alua_access_state", "1", None, "1"), ("alua_access_state", "5", "EINVAL"), ("alua_access_state", "x", "EINVAL"),
    ("alua_access_state", "16", "EINVAL"), ("alua_access_status", "3", "EINVAL"),
    ("alua_access_status", "0", None, "None"), ("alua_access_status", "1", None, "Altered by Explicit STPG"),
    ("alua_access_status", "2", None, "Altered by Implicit ALUA"),
    ("alua_access_type", "4", "EINVAL"), ("alua_access_type", "0", None, "None"),
    ("alua_access_type", "1", None, "Implicit"), ("alua_access_type", "2", None, "Explicit"),
    ("alua_access_state", "0", "EINVAL"), ("alua_access_type", "3", None, "Implicit and Explicit"),
    ("alua_support_standby", "2", "EINVAL"), ("alua_support_standby", "0", None, "0"),
    ("alua_access_state", "2", "EINVAL"), ("alua_write_metadata", "2", "EINVAL"),
    ("nonop_delay_msecs", "10001", "EINVAL"), ("nonop_delay_msecs", "10000", None, "10000"),
    ("trans_delay_msecs", "30001", "EINVAL"), ("implicit_trans_secs", "256", "EINVAL"),
    ("preferred", "2", "EINVAL"), ("preferred", "1", None, "1"), ("members", "x", "EACCES"),
]

TPG_FILES = [
    ("enable", "2", "EINVAL"), ("enable", "0", None, "0"), ("enable", "1", None, "1"), ("enable", "1", None),
    ("rtpi", "2", "EINVAL"), ("enable", "0", None),
    ("rtpi", "0", "EINVAL"), ("rtpi", "65536", "ERANGE"), ("rtpi", "0x12", None, "0x12"),
    ("dynamic_sessions", "x", "EACCES"),
    ("attrib/authentication", "2", "EINVAL"), ("attrib/authentication", "0", None, "0"),
    ("param/AuthMethod", "CHAP,None\n", None, "CHAP,None"), ("attrib/authentication", "1", None, "1"),
    ("attrib/login_timeout", "4", "EINVAL"), ("attrib/login_timeout", "31", "EINVAL"),
    ("attrib/netif_timeout", "1", "EINVAL"), ("attrib/netif_timeout", "16", "EINVAL"),
    ("attrib/default_cmdsn_depth", "0", "EINVAL"), ("attrib/default_cmdsn_depth", "513", "EINVAL"),
    ("attrib/generate_node_acls", "2", "EINVAL"), ("attrib/generate_node_acls", "1", None, "1"),
    ("attrib/cache_dynamic_acls", "0", None, "1"), ("attrib/cache_dynamic_acls", "2", "EINVAL"),
    ("attrib/demo_mode_write_protect", "2", "EINVAL"), ("attrib/prod_mode_write_protect", "2", "EINVAL"),
    ("attrib/demo_mode_discovery", "2", "EINVAL"), ("attrib/default_erl", "3", "EINVAL"),
    ("attrib/t10_pi", "2", "EINVAL"), ("attrib/fabric_prot_type", "2", "EINVAL"),
    ("attrib/fabric_prot_type", "3", None, "3"), ("attrib/tpg_enabled_sendtargets", "2", "EINVAL"),
    ("attrib/login_keys_workaround", "2", "EINVAL"), ("attrib/login_timeout", "x", "EINVAL"),
    ("attrib/login_timeout", BIG, "ERANGE"),
    ("auth/userid", "x" * 300, "EINVAL"), ("auth/authenticate_target", "1", "EACCES"),
    ("param/AuthMethod", "CHAP,Nonsense", "EINVAL"), ("param/HeaderDigest", "CRC32C", None, "CRC32C"),
    ("param/HeaderDigest", "MD5", "EINVAL"), ("param/DataDigest", "None,CRC32C", None),
    ("param/MaxConnections", "0", "EINVAL"), ("param/MaxConnections", "65536", "EINVAL"),
    ("param/MaxConnections", "1,2", "EINVAL"), ("param/InitialR2T", "yes", "EINVAL"),
    ("param/InitialR2T", "No\n", None, "No"), ("param/ImmediateData", "1", "EINVAL"),
    ("param/MaxRecvDataSegmentLength", "511", "EINVAL"), ("param/MaxRecvDataSegmentLength", "16777216", "EINVAL"),
    ("param/MaxXmitDataSegmentLength", "512", None, "512"), ("param/MaxBurstLength", "511", "EINVAL"),
    ("param/FirstBurstLength", "16777215", None, "16777215"), ("param/MaxBurstLength", "512", None, "512"),
    ("param/DefaultTime2Wait", "3601", "EINVAL"), ("param/DefaultTime2Retain", "3600", None, "3600"),
    ("param/MaxOutstandingR2T", "0", "EINVAL"), ("param/ErrorRecoveryLevel", "3", "EINVAL"),
    ("param/DataPDUInOrder", "Irrelevant", "EINVAL"), ("param/TargetAlias", "x" * 255, None, "x" * 255),
    ("param/TargetAlias", "x" * 256, "EINVAL"), ("param/IFMarker", "No", None), ("param/OFMarkInt", "Reject", None),
    ("../param/cmd_completion_affinity", "-3", "EINVAL"), ("../param/cmd_completion_affinity", "-2", None, "-2"),
    ("../param/cmd_completion_affinity", "100000", "EINVAL"),
    ("lun/lun_1/alua_tg_pt_gp", "default_tg_pt_gp", "ENODEV"), ("lun/lun_1/alua_tg_pt_offline", "1", "ENODEV"),
    ("lun/lun_0/alua_tg_pt_gp", "nobody", "ENODEV"), ("lun/lun_0/alua_tg_pt_gp", "x" * 257, "EINVAL"),
    ("lun/lun_0/alua_tg_pt_gp", "NULL", None), ("lun/lun_0/alua_tg_pt_offline", "2", "EINVAL"),
    ("lun/lun_0/alua_tg_pt_offline", "1", None, "1"), ("lun/lun_0/alua_tg_pt_offline", "0", None, "0"),
    ("lun/lun_0/alua_tg_pt_status", "3", "EINVAL"), ("lun/lun_0/alua_tg_pt_write_md", "2", "EINVAL"),
]

ACL_FILES = [
    ("info", "x", "EACCES"), ("cmdsn_depth", "513", "EINVAL"), ("cmdsn_depth", "0", None, "1"),
    ("cmdsn_depth", "512", None, "512"), ("tag", "x" * 64, "EINVAL"), ("tag", "x" * 63, None, "x" * 63),
    ("tag", "NULL", None, ""),
    ("attrib/dataout_timeout", "1", "EINVAL"), ("attrib/dataout_timeout", "61", "EINVAL"),
    ("attrib/dataout_timeout_retries", "0", "EINVAL"), ("attrib/dataout_timeout_retries", "16", "EINVAL"),
    ("attrib/default_erl", "3", "EINVAL"), ("attrib/nopin_timeout", "2", "EINVAL"),
    ("attrib/nopin_timeout", "0", None, "0"), ("attrib/nopin_timeout", "61", "EINVAL"),
    ("attrib/nopin_response_timeout", "2", "EINVAL"), ("attrib/random_r2t_offsets", "2", "EINVAL"),
    ("attrib/authentication", "-2", "EINVAL"), ("attrib/authentication", "2", "EINVAL"),
    ("attrib/authentication", "-1", None, "-1"), ("param/MaxConnections", "1", "EACCES"),
    ("lun_1/write_protect", "1", None, ""), ("lun_0/write_protect", "2", "EINVAL"),
    ("lun_0/write_protect", "1", None, "1"),
]

ROOT_FILES = [
    ("/version", "x", "EACCES"), ("/dbroot", "/tmp", "EINVAL"),
    ("/core/rd_mcp_0/hba_info", "x", "EACCES"), ("/core/rd_mcp_0/hba_mode", "1", "EINVAL"),
    ("/core/alua/lu_gps/default_lu_gp/lu_gp_id", "1", "EINVAL"),
    ("/core/alua/lu_gps/one/lu_gp_id", "65536", "EINVAL"), ("/core/alua/lu_gps/one/lu_gp_id", "0", None, "1"),
    ("/core/alua/lu_gps/one/lu_gp_id", "2", "EINVAL"), ("/core/alua/lu_gps/two/lu_gp_id", "1", "EINVAL"),
    ("/core/alua/lu_gps/two/lu_gp_id", "7", None, "7"), ("/core/alua/lu_gps/two/members", "x", "EACCES"),
    (f"{FREE}/alua_lu_gp", "two\n", None, "LU Group Alias: two\nLU Group ID: 7"),
    (f"{FILE}/alua_lu_gp", "two", None, ""),
    ("/iscsi/lio_version", "x", "EACCES"), ("/iscsi/cpus_allowed_list", "x", "EINVAL"),
    ("/iscsi/discovery_auth/enforce_discovery_auth", "2", "EINVAL"),
    ("/iscsi/discovery_auth/enforce_discovery_auth", "1", None, "1"),
    ("/iscsi/discovery_auth/userid", "x" * 256, "EINVAL"), ("/iscsi/discovery_auth/userid", "x" * 255, None),
    ("/iscsi/discovery_auth/authenticate_target", "1", "EACCES"),
]

# Directories: what is made where.
MKDIR = [
    ("/nonsense", "EINVAL"), ("/loopback", "EINVAL"), ("/vhost", "EINVAL"), ("/core", "EEXIST"), ("/iscsi", "EEXIST"),
    ("/core/rd_mcp", "EINVAL"), ("/core/nosuch_0", "EINVAL"), ("/core/rd_mcp_x", "EINVAL"), ("/core/pscsi_0", "EINVAL"),
    (f"/core/fileio_{BIG}", "ERANGE"), ("/core/fileio_" + "1" * 60, "ENAMETOOLONG"), ("/core/alua/x", "EPERM"),
    ("/core/fileio_1/file", "EEXIST"), ("/core/user_5", None), ("/core/fileio_7", None),
    (f"{FREE}/x", "EPERM"), (f"{FREE}/attrib/x", "EPERM"), (f"{FREE}/wwn/x", "EPERM"), (f"{FREE}/pr/x", "EPERM"),
    (f"{FREE}/action/x", "EPERM"), (f"{FREE}/statistics/x", "ENOSYS"), (f"{FREE}/statistics/scsi_lu/x", "EPERM"),
    (f"{FREE}/alua/g", "EEXIST"), (f"{FREE}/alua/default_tg_pt_gp", "EEXIST"),
    ("/core/alua/lu_gps/x", None), ("/core/alua/lu_gps/x", "EEXIST"),
    ("/iscsi/" + "i" * 224, "EINVAL"), ("/iscsi/discovery_auth/x", "EPERM"),
    (f"/iscsi/{IQN}/tpgt_65536", "EINVAL"), (f"/iscsi/{IQN}/tpgt_x", "EINVAL"), (f"/iscsi/{IQN}/x", "EINVAL"),
    (f"/iscsi/{IQN}/param/x", "EPERM"), (f"/iscsi/{IQN}/fabric_statistics/x", "EPERM"),
    (f"/iscsi/{IQN}/tpgt_0", None), (f"/iscsi/{IQN}/tpgt_65535", None),
    (f"{TPG}/x", "EPERM"), (f"{TPG}/attrib/x", "EPERM"), (f"{TPG}/auth/x", "EPERM"), (f"{TPG}/param/x", "EPERM"),
    (f"{TPG}/np/nonsense", "EINVAL"), (f"{TPG}/np/10.0.0.256:3260", "EINVAL"), (f"{TPG}/np/10.0.0.1", "EINVAL"),
    (f"{TPG}/np/10.0.0.1:70000", "EINVAL"), (f"{TPG}/np/[::g]:3260", "EINVAL"),
    (f"{TPG}/lun/x", "EINVAL"), (f"{TPG}/lun/lun_x", "EINVAL"), (f"{TPG}/lun/lun_0", "EEXIST"),
    (f"{TPG}/lun/lun_0/x", "EPERM"), (f"{TPG}/lun/lun_0/statistics/x", "ENOSYS"),
    (ACL, "EEXIST"), (f"{ACL}/x", "EINVAL"), (f"{ACL}/lun_x", "EINVAL"), (f"{ACL}/attrib/x", "EPERM"),
    (f"{ACL}/lun_0/x", "EPERM"), (f"{ACL}/lun_0/statistics/x", "ENOSYS"), (f"{ACL}/fabric_statistics/x", "EPERM"),
]
RMDIR = [
    ("/core", "EPERM"), ("/core/alua", "EPERM"), ("/core/alua/lu_gps/default_lu_gp", "EPERM"),
    (f"{FREE}/wwn", "EPERM"), (f"{FREE}/alua/default_tg_pt_gp", "EPERM"), ("/core/rd_mcp_0", "ENOTEMPTY"),
    (FREE, "ENOTEMPTY"), (SHOWN, "EBUSY"), ("/iscsi", "ENOTEMPTY"), ("/iscsi/discovery_auth", "EPERM"),
    (f"/iscsi/{IQN}", "ENOTEMPTY"), (TPG, "ENOTEMPTY"), (f"{TPG}/np", "EPERM"), (f"{TPG}/lun/lun_0", "EBUSY"),
    (ACL, "ENOTEMPTY"), (f"{ACL}/lun_0", "ENOTEMPTY"), (f"{ACL}/attrib", "EPERM"), (f"{ACL}/lun_1", None),
    (f"{FREE}/alua/g", None), (FREE, None),
]
LINK = [
    (f"{TPG}/lun/lun_1/a", "/core/nobody", "ENOENT"), (f"{TPG}/lun/lun_1/a", f"{FREE}/wwn", "EFAULT"),
    (f"{TPG}/lun/lun_1/a", TPG, "EFAULT"), (f"{TPG}/lun/lun_1/a", FILE, "ENODEV"),
    (f"{TPG}/lun/lun_0/b", FREE, "EEXIST"), (f"{TPG}/lun/lun_0/a", FREE, "EEXIST"), (f"{TPG}/lun/a", FREE, "EPERM"),
    (f"{FREE}/a", FREE, "EPERM"), (f"{ACL}/lun_1/a", FREE, "EFAULT"), (f"{ACL}/lun_1/a", f"{TPG}/lun/lun_1", "EINVAL"),
    (f"{ACL}/a", FREE, "EPERM"), (f"{ACL}/lun_0/b", f"{TPG}/lun/lun_0", "EINVAL"),
    ("/core/alua/lu_gps/a", FREE, "EPERM"),
]


def test_numbers_and_switches(ctl):
    """Parsed as the kernel does: base 0, one newline; a switch by its first character."""
    run(ctl, PARSING, FREE)


def test_attributes_of_a_disk(ctl):
    run(ctl, ATTRIB, f"{FREE}/attrib/")


def test_exported(ctl):
    """What is on the wire does not change while a LUN shows it; what may change, may."""
    for name, value in EXPORTED:
        assert errno_of(ctl, "set", path=f"{SHOWN}/attrib/{name}", value=value) == "EINVAL", name
    for name, value in LIVE:
        assert errno_of(ctl, "set", path=f"{SHOWN}/attrib/{name}", value=value) is None, name
    for name in ("vendor_id", "product_id", "revision", "company_id", "vpd_unit_serial"):
        assert errno_of(ctl, "set", path=f"{SHOWN}/wwn/{name}", value="1") == "EINVAL", name


def test_what_is_shown_is_accepted(ctl):
    """LIO's tools save every attribute that can be read and written, and write it back."""
    for where in (f"{FREE}/attrib", f"{TPG}/attrib", f"{TPG}/param", f"{ACL}/attrib", f"/iscsi/{IQN}/param"):
        for a in ctl.call("ls", path=where)["attrs"]:
            if a["access"] == "rw":
                assert errno_of(ctl, "set", path=f"{where}/{a['name']}", value=a["value"]) is None, f"{where}/{a}"


def test_files_of_a_disk(ctl):
    run(ctl, DEVICE, f"{FREE}/")


def test_control(ctl):
    wrong = [f"{v}: {got}, LIO {want}" for v, want in CONTROL
             if (got := errno_of(ctl, "set", path=f"{FILE}/control", value=v)) != want]
    assert not wrong, "\n".join(wrong)
    assert errno_of(ctl, "get", path=f"{FILE}/control") == "EACCES"
    assert errno_of(ctl, "set", path=f"{FILE}/enable", value="1") == "EINVAL", "no name"
    ctl.call("set", path=f"{FILE}/control", value="fd_dev_name=/nonexistent/dir/x,fd_dev_size=1048576")
    assert errno_of(ctl, "set", path=f"{FILE}/enable", value="1") == "ENOENT"


def test_block_device(ctl, block):
    """It is claimed, unless exclusive=0 says otherwise; what cannot be is refused."""
    so = "/core/iblock_9/b"
    for path in ("/core/iblock_9", so):
        ctl.call("mkdir", path=path)
    assert errno_of(ctl, "set", path=f"{so}/enable", value="1") == "EINVAL", "no path"
    ctl.call("set", path=f"{so}/control", value=f"udev_path={block},readonly=0,force=1")
    assert errno_of(ctl, "set", path=f"{so}/control", value="readonly=x") == "EINVAL"
    fd = os.open(block, os.O_RDONLY | os.O_EXCL)
    try:
        assert errno_of(ctl, "set", path=f"{so}/enable", value="1") == "EBUSY"
        ctl.call("set", path=f"{so}/control", value="exclusive=0")
        ctl.call("set", path=f"{so}/enable", value="1")
    finally:
        os.close(fd)
    assert f"iBlock device: {block[5:]}  UDEV PATH: {block}  readonly: 0  exclusive: 0\n" in \
        ctl.call("get", path=f"{so}/info")
    assert errno_of(ctl, "set", path=f"{so}/control", value=f"udev_path={block}") == "EEXIST"
    assert errno_of(ctl, "set", path=f"{so}/attrib/emulate_write_cache", value="1") == "EINVAL"
    depth = ctl.call("get", path=f"{so}/attrib/hw_queue_depth")
    with open(f"/sys/block/{block[5:]}/queue/nr_requests", encoding="ascii") as f:
        assert depth == f.read().strip()
    assert errno_of(ctl, "set", path=f"{so}/attrib/queue_depth", value=depth) is None
    assert errno_of(ctl, "set", path=f"{so}/attrib/queue_depth", value=str(int(depth) + 1)) == "EINVAL"


def test_user(ctl):
    """dev_config names a plugin; without it, or by the name of none, there is no disk."""
    for path in ("/core/user_8", "/core/user_8/u"):
        ctl.call("mkdir", path=path)
    assert errno_of(ctl, "set", path="/core/user_8/u/enable", value="1") == "EINVAL"
    ctl.call("set", path="/core/user_8/u/control", value="dev_config=nobody/x,dev_size=1048576")
    assert errno_of(ctl, "set", path="/core/user_8/u/enable", value="1") == "ENODEV"


def test_target_port_group(ctl):
    run(ctl, ALUA, f"{FREE}/alua/g/")


def test_portal_group(ctl):
    rows = [(os.path.normpath(f"{TPG}/{path}"), *rest) for path, *rest in TPG_FILES]
    run(ctl, rows)


def test_portal(ctl):
    np = f"{TPG}/np/" + ctl.call("ls", path=f"{TPG}/np")["dirs"][0]
    for name in ("iser", "cxgbit"):
        assert errno_of(ctl, "set", path=f"{np}/{name}", value="0") is None
        assert errno_of(ctl, "set", path=f"{np}/{name}", value="1") == "EINVAL"
        assert errno_of(ctl, "set", path=f"{np}/{name}", value="2") == "EINVAL"


def test_acl(ctl):
    run(ctl, ACL_FILES, f"{ACL}/")


def test_root_and_fabric(ctl):
    for name in ("one", "two"):
        ctl.call("mkdir", path=f"/core/alua/lu_gps/{name}")
    run(ctl, ROOT_FILES)


def test_dbroot(serve, tmp_path):
    """A directory that is there; not while there are devices."""
    d = serve(lambda d: {"storage_objects": [], "targets": [], "fabric_modules": []})
    (tmp_path / "file").write_text("")
    rows = [("/dbroot", "", "EINVAL"), ("/dbroot", f"{tmp_path}/none", "ENOENT"),
            ("/dbroot", f"{tmp_path}/file", "ENOTDIR"), ("/dbroot", f"{tmp_path}/file/x", "ENOTDIR"),
            ("/dbroot", "/" + "x" * 4096, "EINVAL"), ("/dbroot", f"{tmp_path}\n", None, str(tmp_path))]
    with d.control() as c:
        run(c, rows)
        for path in ("/core/rd_mcp_0", "/core/rd_mcp_0/r"):
            c.call("mkdir", path=path)
        run(c, [("/dbroot", str(tmp_path), "EINVAL")])


@pytest.mark.parametrize("method, rows", [("mkdir", MKDIR), ("rmdir", RMDIR)])
def test_directories(ctl, method, rows):
    wrong = [f"{method} {path}: {got}, LIO {want}" for path, want in rows
             if (got := errno_of(ctl, method, path=path)) != want]
    assert not wrong, "\n".join(wrong)


def test_links(ctl):
    wrong = [f"{path} -> {target}: {got}, LIO {want}" for path, target, want in LINK
             if (got := errno_of(ctl, "link", path=path, target=target)) != want]
    assert not wrong, "\n".join(wrong)
    assert errno_of(ctl, "unlink", path=f"{TPG}/lun/lun_0/none") == "ENOENT"
    assert errno_of(ctl, "unlink", path=f"{TPG}/lun/lun_0/statistics") == "EPERM"

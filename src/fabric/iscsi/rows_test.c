/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows_test.c: iscsi/ as LIO's tools drive it: the making and unmaking of targets, groups, LUNs,
 * ACLs and portals in their order and out of it, attributes with LIO's texts and errno.
 */
#include "fabric/iscsi/rows_testkit.h"

/* ---- directories ----------------------------------------------------------------------------- */

static void names(void **state)
{
	assert_int_equal(try_mkdir("/iscsi/nonsense"), -EINVAL);
	assert_int_equal(try_mkdir("/iscsi/" IQN), -EEXIST);
	/* Names are compared without case. */
	assert_int_equal(try_mkdir("/iscsi/iqn.2003-01.ORG.example:t0"), -EEXIST);
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_1"), -EEXIST);
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_01"), -EEXIST);
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_65536"), -EINVAL);
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_x"), -EINVAL);
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_"), -EINVAL);
	assert_int_equal(try_mkdir("/iscsi/" IQN "/group"), -EINVAL);
	MKDIR("/iscsi/" IQN "/tpgt_0");
	MKDIR("/iscsi/" IQN "/tpgt_65535");
	assert_int_equal(try_mkdir(TPG "/attrib/x"), -EPERM);
	assert_int_equal(try_mkdir(TPG "/x"), -EPERM);
	assert_int_equal(try_mkdir("/iscsi/discovery_auth/x"), -EPERM);
	assert_int_equal(try_rmdir("/iscsi/discovery_auth"), -EPERM);
	assert_int_equal(try_rmdir(TPG "/lun"), -EPERM);
	assert_int_equal(try_mkdir(TPG "/lun/x0"), -EINVAL);
	assert_int_equal(try_mkdir(TPG "/lun/lun_-1"), -EINVAL);
	assert_int_equal(try_mkdir(TPG "/lun/lun_4294967296"), -EINVAL);
	assert_int_equal(try_mkdir(TPG "/lun/lun_99999999999999999999"), -EINVAL);
	MKDIR(TPG "/lun/lun_0x10");
	assert_int_equal(try_mkdir(TPG "/lun/lun_16"), -EEXIST);
	assert_int_equal(try_mkdir(TPG "/lun/lun_0x10/statistics/x"), -ENOSYS);
	assert_int_equal(try_mkdir(TPG "/acls/somebody"), -EINVAL);
	MKDIR(TPG "/acls/" INI);
	assert_int_equal(try_mkdir(TPG "/acls/" INI), -EEXIST);
	assert_int_equal(try_mkdir(TPG "/acls/" INI "/0"), -EINVAL);
	is("/iscsi/lio_version", "Datera Inc. iSCSI Target v4.1.0");
}

/* Made, linked, and taken down in the wrong order and in the right one. */
static void order(void **state)
{
	MKDIR(TPG "/lun/lun_0");
	assert_int_equal(try_link(TPG "/lun/lun_0/a", TPG), -EFAULT);
	MKDIR("/core/rd_mcp_0/late");
	assert_int_equal(try_link(TPG "/lun/lun_0/a", "/core/rd_mcp_0/late"), -ENODEV);
	LINK(TPG "/lun/lun_0/abc", DISK);
	assert_int_equal(try_link(TPG "/lun/lun_0/b", DISK), -EEXIST);
	MKDIR(TPG "/acls/" INI);
	MKDIR(TPG "/acls/" INI "/lun_5");
	is(TPG "/acls/" INI "/lun_5/write_protect", "");
	SET(TPG "/acls/" INI "/lun_5/write_protect", "1");
	is(TPG "/acls/" INI "/lun_5/write_protect", "");
	assert_int_equal(
		get_error(TPG "/acls/" INI "/lun_5/statistics/scsi_auth_intr/dev"), -ENODEV);
	assert_int_equal(try_link(TPG "/acls/" INI "/lun_5/x", DISK), -EFAULT);
	MKDIR(TPG "/lun/lun_1");
	assert_int_equal(try_link(TPG "/acls/" INI "/lun_5/x", TPG "/lun/lun_1"), -EINVAL);
	/* A LUN of another group. */
	MKDIR("/iscsi/" IQN "/tpgt_2");
	MKDIR("/iscsi/" IQN "/tpgt_2/lun/lun_0");
	LINK("/iscsi/" IQN "/tpgt_2/lun/lun_0/l", DISK);
	assert_int_equal(
		try_link(TPG "/acls/" INI "/lun_5/x", "/iscsi/" IQN "/tpgt_2/lun/lun_0"), -EINVAL);
	LINK(TPG "/acls/" INI "/lun_5/x", TPG "/lun/lun_0");
	is(TPG "/acls/" INI "/lun_5/write_protect", "0");
	SET(TPG "/acls/" INI "/lun_5/write_protect", "1");
	is(TPG "/acls/" INI "/lun_5/write_protect", "1");
	assert_int_equal(try_set(TPG "/acls/" INI "/lun_5/write_protect", "2"), -EINVAL);
	is(TPG "/acls/" INI "/lun_5/statistics/scsi_auth_intr/intr_name", INI);
	assert_int_equal(
		get_error(TPG "/acls/" INI "/lun_5/statistics/scsi_att_intr_port/indx"), -ENODEV);

	assert_int_equal(try_rmdir(DISK), -EBUSY);
	assert_int_equal(try_rmdir(TPG "/lun/lun_0"), -EBUSY);
	assert_int_equal(try_rmdir(TPG "/acls/" INI "/lun_5"), -ENOTEMPTY);
	assert_int_equal(try_rmdir(TPG "/acls/" INI), -ENOTEMPTY);
	assert_int_equal(try_rmdir(TPG), -ENOTEMPTY);
	assert_int_equal(try_rmdir("/iscsi/" IQN), -ENOTEMPTY);
	assert_int_equal(try_rmdir("/iscsi"), -ENOTEMPTY);
	UNLINK(TPG "/acls/" INI "/lun_5/x");
	RMDIR(TPG "/acls/" INI "/lun_5");
	assert_int_equal(try_rmdir(TPG "/lun/lun_0"), -ENOTEMPTY);
	UNLINK(TPG "/lun/lun_0/abc");
	RMDIR(TPG "/lun/lun_0");
	RMDIR(TPG "/lun/lun_1");
	RMDIR(TPG "/acls/" INI);
	RMDIR(TPG);
	assert_int_equal(try_rmdir(DISK), -EBUSY);
	UNLINK("/iscsi/" IQN "/tpgt_2/lun/lun_0/l");
	RMDIR(DISK);
	RMDIR("/iscsi/" IQN "/tpgt_2/lun/lun_0");
	RMDIR("/iscsi/" IQN "/tpgt_2");
	RMDIR("/iscsi/" IQN);
	SET("/iscsi/discovery_auth/userid", "me");
	RMDIR("/iscsi");
	MKDIR("/iscsi");
	is("/iscsi/discovery_auth/userid", "me");
}

static void prod_mode(void **state)
{
	SET(TPG "/attrib/prod_mode_write_protect", "1");
	MKDIR(TPG "/lun/lun_0");
	LINK(TPG "/lun/lun_0/a", DISK);
	MKDIR(TPG "/acls/" INI);
	MKDIR(TPG "/acls/" INI "/lun_0");
	LINK(TPG "/acls/" INI "/lun_0/a", TPG "/lun/lun_0");
	is(TPG "/acls/" INI "/lun_0/write_protect", "1");
	SET(TPG "/acls/" INI "/lun_0/write_protect", "0\n");
	is(TPG "/acls/" INI "/lun_0/write_protect", "0");
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* Every attribute that can be read and written accepts what it shows. */
static void echo_below(struct node *n, unsigned *count)
{
	struct errmsg err = { 0 };
	const struct attr *a;
	struct strbuf b;

	strbuf_init(&b);
	attr_for_each (a, node_type(n)->attrs) {
		if (!a->doc || !a->doc[0])
			fail_msg("%s has no doc", a->name);
		if (!a->get || !a->set)
			continue;
		strbuf_reset(&b);
		if (tree_get(t, n, a->name, &b, &err) == -ENODEV)
			continue;
		if (tree_set(t, n, a->name, b.s, &err))
			fail_msg("%s/%s: \"%s\": %s", node_name(n), a->name, b.s, err.text);
		++*count;
	}
	strbuf_done(&b);
	for (struct node *c = node_first_child(n); c; c = node_next_child(n, c))
		echo_below(c, count);
}

static void echo(void **state)
{
	unsigned count = 0;

	MKDIR(TPG "/lun/lun_0");
	LINK(TPG "/lun/lun_0/a", DISK);
	MKDIR(TPG "/acls/" INI);
	MKDIR(TPG "/acls/" INI "/lun_0");
	LINK(TPG "/acls/" INI "/lun_0/a", TPG "/lun/lun_0");
	MKDIR(TPG "/np/127.0.0.1:39999");
	echo_below(at("/iscsi"), &count);
	assert_true(count > 60);
	/* And a second time, with what was written. */
	echo_below(at("/iscsi"), &count);
}

static void ranges(void **state)
{
	static const struct {
		const char *name, *first, *least, *most, *under, *over;
	} rows[] = {
		{ "authentication", "1", "0", "1", NULL, "2" },
		{ "login_timeout", "15", "5", "30", "4", "31" },
		{ "netif_timeout", "2", "2", "15", "1", "16" },
		{ "generate_node_acls", "0", "0", "1", NULL, "2" },
		{ "default_cmdsn_depth", "64", "1", "512", "0", "513" },
		{ "demo_mode_write_protect", "1", "0", "1", NULL, "2" },
		{ "prod_mode_write_protect", "0", "0", "1", NULL, "2" },
		{ "demo_mode_discovery", "1", "0", "1", NULL, "2" },
		{ "default_erl", "0", "0", "2", NULL, "3" },
		{ "t10_pi", "0", "0", "1", NULL, "2" },
		{ "fabric_prot_type", "0", "0", "3", "2", "4" },
		{ "tpg_enabled_sendtargets", "1", "0", "1", NULL, "2" },
		{ "login_keys_workaround", "1", "0", "1", NULL, "2" },
	};
	char path[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), TPG "/attrib/%s", rows[i].name);
		is(path, rows[i].first);
		if (rows[i].under)
			assert_int_equal(try_set(path, rows[i].under), -EINVAL);
		assert_int_equal(try_set(path, rows[i].over), -EINVAL);
		assert_int_equal(try_set(path, ""), -EINVAL);
		assert_int_equal(try_set(path, "1x"), -EINVAL);
		assert_int_equal(try_set(path, "99999999999"), -ERANGE);
		is(path, rows[i].first);
		ok(try_set(path, rows[i].most), path);
		is(path, rows[i].most);
		ok(try_set(path, rows[i].least), path);
		is(path, rows[i].least);
	}
}

static void coupled(void **state)
{
	/* generate_node_acls takes cache_dynamic_acls along. */
	SET(TPG "/attrib/generate_node_acls", "1");
	is(TPG "/attrib/cache_dynamic_acls", "1");
	SET(TPG "/attrib/cache_dynamic_acls", "0");
	is(TPG "/attrib/cache_dynamic_acls", "1");
	SET(TPG "/attrib/generate_node_acls", "0");
	SET(TPG "/attrib/cache_dynamic_acls", "0");
	is(TPG "/attrib/cache_dynamic_acls", "0");
	/* authentication and AuthMethod. */
	is(TPG "/param/AuthMethod", "CHAP");
	SET(TPG "/attrib/authentication", "0");
	is(TPG "/param/AuthMethod", "CHAP,None");
	SET(TPG "/attrib/authentication", "0");
	is(TPG "/param/AuthMethod", "CHAP,None");
	SET(TPG "/attrib/authentication", "1");
	is(TPG "/param/AuthMethod", "CHAP");
	SET(TPG "/param/AuthMethod", "None");
	SET(TPG "/enable", "1");
	is(TPG "/param/AuthMethod", "CHAP");
	/* The depth of ACLs made from then on; their own. */
	SET(TPG "/attrib/default_cmdsn_depth", "32");
	SET(TPG "/attrib/default_erl", "2");
	MKDIR(TPG "/acls/" INI);
	is(TPG "/acls/" INI "/cmdsn_depth", "32");
	is(TPG "/acls/" INI "/attrib/default_erl", "2");
	SET(TPG "/acls/" INI "/cmdsn_depth", "0");
	is(TPG "/acls/" INI "/cmdsn_depth", "1");
	assert_int_equal(try_set(TPG "/acls/" INI "/cmdsn_depth", "513"), -EINVAL);
	/* The largest time limit of all groups. */
	MKDIR("/iscsi/" IQN "/tpgt_2");
	SET(TPG "/attrib/login_timeout", "5");
	assert_int_equal(atomic_load(&entity->login_timeout_s), 15);
	SET("/iscsi/" IQN "/tpgt_2/attrib/login_timeout", "7");
	assert_int_equal(atomic_load(&entity->login_timeout_s), 7);
	RMDIR("/iscsi/" IQN "/tpgt_2");
	assert_int_equal(atomic_load(&entity->login_timeout_s), 5);
}

static void rtpi(void **state)
{
	MKDIR("/iscsi/" IQN "/tpgt_2");
	is(TPG "/rtpi", "0x1");
	is("/iscsi/" IQN "/tpgt_2/rtpi", "0x2");
	assert_int_equal(try_set(TPG "/rtpi", "0"), -EINVAL);
	assert_int_equal(try_set(TPG "/rtpi", "65536"), -ERANGE);
	/* Nobody chose 2 for the other: it yields. Then it is chosen, and stays. */
	SET(TPG "/rtpi", "2");
	is("/iscsi/" IQN "/tpgt_2/rtpi", "0x3");
	SET("/iscsi/" IQN "/tpgt_2/rtpi", "1");
	assert_int_equal(try_set(TPG "/rtpi", "0x1"), -EINVAL);
	is(TPG "/rtpi", "0x2");
	SET(TPG "/enable", "1");
	assert_int_equal(try_set(TPG "/rtpi", "9"), -EINVAL);
	SET(TPG "/rtpi", "0x2");
}

static void secrets(void **state)
{
	char longest[300];

	is(TPG "/auth/userid", "");
	is(TPG "/auth/authenticate_target", "0");
	SET(TPG "/auth/userid", "u\n");
	is(TPG "/auth/userid", "u");
	SET(TPG "/auth/userid_mutual", "m");
	is(TPG "/auth/authenticate_target", "0");
	SET(TPG "/auth/password_mutual", "secret");
	is(TPG "/auth/authenticate_target", "1");
	SET(TPG "/auth/password_mutual", "NULL");
	is(TPG "/auth/password_mutual", "NULL");
	is(TPG "/auth/authenticate_target", "0");
	SET(TPG "/auth/password_mutual", "other");
	is(TPG "/auth/password_mutual", "other");
	memset(longest, 'x', sizeof(longest));
	longest[255] = '\0';
	assert_int_equal(try_set(TPG "/auth/password", longest), 0);
	is(TPG "/auth/password", longest);
	longest[255] = 'x';
	longest[256] = '\0';
	assert_int_equal(try_set(TPG "/auth/password", longest), -EINVAL);
	assert_int_equal(try_set("/iscsi/discovery_auth/password", longest), -EINVAL);
	MKDIR(TPG "/acls/" INI);
	SET(TPG "/acls/" INI "/auth/password", "p");
	is(TPG "/acls/" INI "/auth/password", "p");
	is(TPG "/acls/" INI "/auth/userid", "");
	assert_true(node_attr(at(TPG "/auth"), "password")->flags & ATTR_SECRET);
	is("/iscsi/discovery_auth/enforce_discovery_auth", "0");
	SET("/iscsi/discovery_auth/enforce_discovery_auth", "1");
	assert_int_equal(try_set("/iscsi/discovery_auth/enforce_discovery_auth", "2"), -EINVAL);
}

static void params(void **state)
{
	const struct attr *a;
	unsigned rows = 0, keys = 0;

	/* A row for each parameter, and no other. */
	attr_for_each (a, node_type(at(TPG "/param"))->attrs)
		rows++;
	for (; keys_config_name(keys); keys++)
		assert_non_null(node_attr(at(TPG "/param"), keys_config_name(keys)));
	assert_int_equal(rows, keys);
	SET(TPG "/param/MaxBurstLength", "65536\n");
	is(TPG "/param/MaxBurstLength", "65536");
	assert_int_equal(try_set(TPG "/param/MaxBurstLength", "511"), -EINVAL);
	assert_int_equal(try_set(TPG "/param/InitialR2T", "yes"), -EINVAL);
	assert_int_equal(try_set(TPG "/param/TargetAlias", "Irrelevant"), 0);
	assert_int_equal(try_set(TPG "/param/IFMarker", "Yes"), -EINVAL);
	/* FirstBurstLength is written before MaxBurstLength: no cross-check. */
	SET(TPG "/param/FirstBurstLength", "1048576");
	SET(TPG "/param/HeaderDigest", "None");
	is(TPG "/param/HeaderDigest", "None");
}

static void acl_attributes(void **state)
{
	static const char *const bad[][2] = { { "dataout_timeout", "1" },
		{ "dataout_timeout", "61" }, { "dataout_timeout_retries", "0" },
		{ "dataout_timeout_retries", "16" }, { "default_erl", "3" },
		{ "nopin_timeout", "2" }, { "nopin_timeout", "61" },
		{ "nopin_response_timeout", "2" }, { "nopin_response_timeout", "61" },
		{ "random_r2t_offsets", "2" }, { "authentication", "2" },
		{ "authentication", "-2" } };
	char path[256], tag[70];

	MKDIR(TPG "/acls/" INI);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(path, sizeof(path), TPG "/acls/" INI "/attrib/%s", bad[i][0]);
		assert_int_equal(try_set(path, bad[i][1]), -EINVAL);
	}
	is(TPG "/acls/" INI "/attrib/authentication", "-1");
	SET(TPG "/acls/" INI "/attrib/authentication", "0");
	SET(TPG "/acls/" INI "/attrib/nopin_timeout", "0");
	is(TPG "/acls/" INI "/attrib/nopin_timeout", "0");
	is(TPG "/acls/" INI "/tag", "");
	SET(TPG "/acls/" INI "/tag", "group 1");
	is(TPG "/acls/" INI "/tag", "group 1");
	SET(TPG "/acls/" INI "/tag", "NULL");
	is(TPG "/acls/" INI "/tag", "");
	memset(tag, 'x', sizeof(tag));
	tag[64] = '\0';
	assert_int_equal(try_set(TPG "/acls/" INI "/tag", tag), -EINVAL);
	tag[63] = '\0';
	assert_int_equal(try_set(TPG "/acls/" INI "/tag", tag), 0);
	is(TPG "/acls/" INI "/info", "No active iSCSI Session for Initiator Endpoint: " INI);
	is(TPG "/acls/" INI "/param/MaxBurstLength", "No Active iSCSI Session");
	is(TPG "/acls/" INI "/fabric_statistics/iscsi_sess_stats/cmd_pdus", "");
	is(TPG "/acls/" INI "/fabric_statistics/iscsi_sess_stats/inst", "0");
}

static const char *const group_shown[][2] = {
	{ "alua_access_state", "0" },
	{ "alua_access_status", "None" },
	{ "alua_access_type", "Implicit and Explicit" },
	{ "alua_support_active_nonoptimized", "1" },
	{ "alua_support_active_optimized", "1" },
	{ "alua_support_lba_dependent", "0" },
	{ "alua_support_offline", "1" },
	{ "alua_support_standby", "1" },
	{ "alua_support_transitioning", "1" },
	{ "alua_support_unavailable", "1" },
	{ "alua_write_metadata", "0" },
	{ "implicit_trans_secs", "0" },
	{ "members", "" },
	{ "nonop_delay_msecs", "100" },
	{ "preferred", "0" },
	{ "tg_pt_gp_id", "0" },
	{ "trans_delay_msecs", "0" },
};
static const struct {
	const char *name, *value;
	int ret;
} group_writes[] = {
	{ "tg_pt_gp_id", "65536", -EINVAL },
	{ "alua_access_state", "1", -EINVAL }, /* before it has an id */
	{ "alua_access_status", "1", -EINVAL },
	{ "alua_support_standby", "1", -EINVAL },
	{ "tg_pt_gp_id", "0", 0 }, /* one that is free */
	{ "tg_pt_gp_id", "7", -EINVAL }, /* once only */
	{ "alua_access_state", "5", -EINVAL },
	{ "alua_access_state", "4", -EINVAL }, /* not supported */
	{ "alua_access_state", "16", -EINVAL },
	{ "alua_access_state", "2", 0 },
	{ "alua_access_status", "3", -EINVAL },
	{ "alua_access_status", "1", 0 },
	{ "alua_access_type", "4", -EINVAL },
	{ "alua_access_type", "2", 0 },
	{ "alua_access_state", "0", -EINVAL }, /* explicit alone */
	{ "alua_access_type", "3", 0 },
	{ "alua_support_lba_dependent", "1", 0 },
	{ "alua_access_state", "4", -EINVAL }, /* not where initiators change it */
	{ "alua_access_type", "1", 0 },
	{ "alua_access_state", "4", 0 },
	{ "alua_support_standby", "2", -EINVAL },
	{ "alua_support_standby", "0", 0 },
	{ "alua_access_state", "2", -EINVAL },
	{ "alua_access_state", "14", 0 },
	{ "alua_access_state", "15", 0 },
	{ "alua_access_state", "1", 0 },
	{ "nonop_delay_msecs", "10001", -EINVAL },
	{ "nonop_delay_msecs", "10000", 0 },
	{ "trans_delay_msecs", "30001", -EINVAL },
	{ "trans_delay_msecs", "30000", 0 },
	{ "implicit_trans_secs", "256", -EINVAL },
	{ "implicit_trans_secs", "255", 0 },
	{ "preferred", "2", -EINVAL },
	{ "preferred", "1", 0 },
	{ "alua_write_metadata", "1", -ENODEV }, /* there is no dbroot */
	{ "members", "x", -EACCES },
};

/* Target port groups of a disk, and how LUNs come into them (reference: LIO's configfs). */
static void alua_groups(void **state)
{
	char path[256];

	for (size_t i = 0; i < sizeof(group_shown) / sizeof(group_shown[0]); i++) {
		snprintf(path, sizeof(path), DISK "/alua/default_tg_pt_gp/%s", group_shown[i][0]);
		is(path, group_shown[i][1]);
	}
	assert_int_equal(try_rmdir(DISK "/alua/default_tg_pt_gp"), -EPERM);
	MKDIR(DISK "/alua/g1");
	is(DISK "/alua/g1/tg_pt_gp_id", "");
	for (size_t i = 0; i < sizeof(group_writes) / sizeof(group_writes[0]); i++) {
		snprintf(path, sizeof(path), DISK "/alua/g1/%s", group_writes[i].name);
		if (try_set(path, group_writes[i].value) != group_writes[i].ret)
			fail_msg(
				"row %zu: %s = %s", i, group_writes[i].name, group_writes[i].value);
	}
	is(DISK "/alua/g1/tg_pt_gp_id", "1");
	is(DISK "/alua/g1/alua_access_state", "1");
	is(DISK "/alua/g1/alua_access_status", "Altered by Implicit ALUA");
	is(DISK "/alua/g1/alua_access_type", "Implicit");
	MKDIR(DISK "/alua/g2");
	assert_int_equal(try_set(DISK "/alua/g2/tg_pt_gp_id", "1"), -EINVAL);
	MKDIR(TPG "/lun/lun_3");
	LINK(TPG "/lun/lun_3/a", DISK);
	is(DISK "/alua/default_tg_pt_gp/members", "iSCSI/" IQN "/tpgt_1/lun_3");
	assert_int_equal(try_set(TPG "/lun/lun_3/alua_tg_pt_gp", "g2"), -ENODEV);
	SET(TPG "/lun/lun_3/alua_tg_pt_gp", " g1 \n");
	is(DISK "/alua/g1/members", "iSCSI/" IQN "/tpgt_1/lun_3");
	is(DISK "/alua/default_tg_pt_gp/members", "");
	is(TPG "/lun/lun_3/alua_tg_pt_gp",
		"TG Port Alias: g1\nTG Port Group ID: 1\n"
		"TG Port Primary Access State: Active/NonOptimized\n"
		"TG Port Primary Access Status: Altered by Implicit ALUA\n"
		"TG Port Secondary Access State: None\n"
		"TG Port Secondary Access Status: None");
	SET(TPG "/lun/lun_3/alua_tg_pt_offline", "1");
	is(TPG "/lun/lun_3/alua_tg_pt_status", "2");
	is(TPG "/lun/lun_3/alua_tg_pt_gp",
		"TG Port Alias: g1\nTG Port Group ID: 1\n"
		"TG Port Primary Access State: Active/NonOptimized\n"
		"TG Port Primary Access Status: Altered by Implicit ALUA\n"
		"TG Port Secondary Access State: Offline\n"
		"TG Port Secondary Access Status: Altered by Implicit ALUA");
	SET(TPG "/lun/lun_3/alua_tg_pt_status", "1");
	assert_int_equal(try_set(TPG "/lun/lun_3/alua_tg_pt_status", "3"), -EINVAL);
	assert_int_equal(try_set(TPG "/lun/lun_3/alua_tg_pt_offline", "2"), -EINVAL);
	assert_int_equal(try_set(TPG "/lun/lun_3/alua_tg_pt_write_md", "1"), -ENODEV);
	SET(TPG "/lun/lun_3/alua_tg_pt_offline", "0");
	/* Its members go home. */
	RMDIR(DISK "/alua/g1");
	is(DISK "/alua/default_tg_pt_gp/members", "iSCSI/" IQN "/tpgt_1/lun_3");
	UNLINK(TPG "/lun/lun_3/a");
	is(DISK "/alua/default_tg_pt_gp/members", "");
	RMDIR(TPG "/lun/lun_3");
	RMDIR(DISK "/alua/g2");
}

static void lu_groups(void **state)
{
	is("/core/alua/lu_gps/default_lu_gp/lu_gp_id", "0");
	is("/core/alua/lu_gps/default_lu_gp/members", "rd_mcp_0/r0");
	is(DISK "/alua_lu_gp", "LU Group Alias: default_lu_gp\nLU Group ID: 0");
	assert_int_equal(try_rmdir("/core/alua/lu_gps/default_lu_gp"), -EPERM);
	MKDIR("/core/alua/lu_gps/pair");
	is("/core/alua/lu_gps/pair/lu_gp_id", "");
	assert_int_equal(try_set(DISK "/alua_lu_gp", "pair"), -ENODEV);
	assert_int_equal(try_set("/core/alua/lu_gps/pair/lu_gp_id", "65536"), -EINVAL);
	SET("/core/alua/lu_gps/pair/lu_gp_id", "9");
	assert_int_equal(try_set("/core/alua/lu_gps/pair/lu_gp_id", "8"), -EINVAL);
	MKDIR("/core/alua/lu_gps/other");
	assert_int_equal(try_set("/core/alua/lu_gps/other/lu_gp_id", "9"), -EINVAL);
	SET("/core/alua/lu_gps/other/lu_gp_id", "0");
	is("/core/alua/lu_gps/other/lu_gp_id", "1");
	assert_int_equal(try_set(DISK "/alua_lu_gp", "nobody"), -ENODEV);
	SET(DISK "/alua_lu_gp", "pair\n");
	is("/core/alua/lu_gps/pair/members", "rd_mcp_0/r0");
	is("/core/alua/lu_gps/default_lu_gp/members", "");
	is(DISK "/alua_lu_gp", "LU Group Alias: pair\nLU Group ID: 9");
	SET(DISK "/alua_lu_gp", "NULL");
	SET(DISK "/alua_lu_gp", "LU Group Alias: pair\nLU Group ID: 9");
	RMDIR("/core/alua/lu_gps/pair");
	is(DISK "/alua_lu_gp", "LU Group Alias: default_lu_gp\nLU Group ID: 0");
	RMDIR("/core/alua/lu_gps/other");
}

static void lba_map(void **state)
{
	static const char *const bad[] = { "64", "64 2", "x 2\n0 63 0:O", "64 2\n0 63",
		"64 2\n63 0 0:O", "64 2\n0 63 0:X", "64 2\n0 63 70000:O", "64 2\n0 63 0:OO",
		"64 2\n0 63 0:O 1:U\n64 127 0:U", "64 2 1\n0 63 0:O" };

	is(DISK "/lba_map", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (try_set(DISK "/lba_map", bad[i]) != -EINVAL)
			fail_msg("%s", bad[i]);
	is(DISK "/lba_map", "");
	SET(DISK "/lba_map", "64 2\n0 2047 0:O 1:U\n64 2047 0:A 1:S\n");
	is(DISK "/lba_map", "64 2\n0 2047 0:O 1:U\n64 2047 0:A 1:S");
	SET(DISK "/lba_map", "");
	is(DISK "/lba_map", "");
}

static void lun_files(void **state)
{
	MKDIR(TPG "/lun/lun_0");
	assert_int_equal(get_error(TPG "/lun/lun_0/alua_tg_pt_gp"), -ENODEV);
	assert_int_equal(try_set(TPG "/lun/lun_0/alua_tg_pt_gp", "default_tg_pt_gp"), -ENODEV);
	assert_int_equal(get_error(TPG "/lun/lun_0/alua_tg_pt_offline"), -ENODEV);
	assert_int_equal(get_error(TPG "/lun/lun_0/statistics/scsi_port/dev"), -ENODEV);
	LINK(TPG "/lun/lun_0/a", DISK);
	is(TPG "/lun/lun_0/alua_tg_pt_gp",
		"TG Port Alias: default_tg_pt_gp\nTG Port Group ID: 0\n"
		"TG Port Primary Access State: Active/Optimized\n"
		"TG Port Primary Access Status: None\nTG Port Secondary Access State: None\n"
		"TG Port Secondary Access Status: None");
	SET(TPG "/lun/lun_0/alua_tg_pt_gp", " default_tg_pt_gp\n");
	SET(TPG "/lun/lun_0/alua_tg_pt_gp", "NULL");
	assert_int_equal(try_set(TPG "/lun/lun_0/alua_tg_pt_gp", "g1"), -ENODEV);
	assert_int_equal(try_set(TPG "/lun/lun_0/alua_tg_pt_gp", ""), -ENODEV);
	is(TPG "/lun/lun_0/statistics/scsi_port/role", "Device1");
	is(TPG "/lun/lun_0/statistics/scsi_tgt_port/name", "iSCSIPort#1");
	is(TPG "/lun/lun_0/statistics/scsi_tgt_port/port_index", IQN "+t+1");
	is(TPG "/lun/lun_0/statistics/scsi_tgt_port/in_cmds", "0");
	is(TPG "/lun/lun_0/statistics/scsi_transport/proto_id", "5");
	is("/iscsi/" IQN "/fabric_statistics/iscsi_tgt_attr/fail_intr_addr", "(einval)");
	is("/iscsi/" IQN "/fabric_statistics/iscsi_instance/fail_rem_name", "None");
}

static void cpus(void **state)
{
	struct strbuf b;

	strbuf_init(&b);
	assert_int_equal(get("/iscsi/cpus_allowed_list", &b), 0);
	assert_true(b.len > 0);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", b.s), 0);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", ""), -EINVAL);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", "a"), -EINVAL);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", "1-0"), -EINVAL);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", "0,"), -EINVAL);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", "0-"), -EINVAL);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", "99999999999999"), -EINVAL);
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", "1023"), -EINVAL);
	/* The first CPU alone. */
	b.s[strcspn(b.s, "-,")] = '\0';
	assert_int_equal(try_set("/iscsi/cpus_allowed_list", b.s), 0);
	is("/iscsi/cpus_allowed_list", b.s);
	strbuf_done(&b);
	is("/iscsi/" IQN "/param/cmd_completion_affinity", "-1");
	SET("/iscsi/" IQN "/param/cmd_completion_affinity", "-2");
	SET("/iscsi/" IQN "/param/cmd_completion_affinity", "0");
	assert_int_equal(try_set("/iscsi/" IQN "/param/cmd_completion_affinity", "4096"), -EINVAL);
}

static void portals(void **state)
{
	static const char *const bad[] = { "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536",
		"10.0.0:3260", "::1:3260", "[::1]", "host:3260", "[10.0.0.1]:3260",
		"10.0.0.1:3260@", "10.0.0.1:3260@.", "10.0.0.1@blue:3260", "10.0.0.1:3260@a@b" };
	char path[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(path, sizeof(path), TPG "/np/%s", bad[i]);
		assert_int_equal(try_mkdir(path), -EINVAL);
	}
	MKDIR(TPG "/np/10.0.0.1:3260");
	MKDIR(TPG "/np/[::1]:3260");
	/* The same address once more, in this group or in another of the target. */
	assert_int_equal(try_mkdir(TPG "/np/[0::1]:3260"), -EINVAL);
	MKDIR("/iscsi/" IQN "/tpgt_2");
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_2/np/10.0.0.1:3260"), -EINVAL);
	/* In a network namespace it is another one. */
	MKDIR("/iscsi/" IQN "/tpgt_2/np/10.0.0.1:3260@blue");
	assert_int_equal(try_mkdir("/iscsi/" IQN "/tpgt_2/np/10.0.0.1:3260@blue"), -EEXIST);
	assert_int_equal(try_mkdir(TPG "/np/10.0.0.1:3260@blue"), -EINVAL);
	MKDIR(TPG "/np/10.0.0.1:3260@red");
	assert_int_equal(try_rmdir(TPG "/np/10.0.0.1:3260@red"), 0);
	MKDIR("/iscsi/iqn.2003-01.org.example:t1");
	MKDIR("/iscsi/iqn.2003-01.org.example:t1/tpgt_1");
	MKDIR("/iscsi/iqn.2003-01.org.example:t1/tpgt_1/np/10.0.0.1:3260");
	is(TPG "/np/[::1]:3260/iser", "0");
	SET(TPG "/np/[::1]:3260/iser", "0");
	assert_int_equal(try_set(TPG "/np/[::1]:3260/iser", "1"), -EINVAL);
	assert_int_equal(try_set(TPG "/np/[::1]:3260/cxgbit", "2"), -EINVAL);
	is(TPG "/np/[::1]:3260/advertise", "");
	SET(TPG "/np/[::1]:3260/advertise", "10.0.2.2:3260");
	is(TPG "/np/[::1]:3260/advertise", "10.0.2.2:3260");
	assert_int_equal(try_set(TPG "/np/[::1]:3260/advertise", "x"), -EINVAL);
	is(TPG "/np/[::1]:3260/redirect", "");
	is(TPG "/np/[::1]:3260/redirect_permanent", "0");
	SET(TPG "/np/[::1]:3260/redirect", "balance");
	is(TPG "/np/[::1]:3260/redirect", "balance");
	assert_int_equal(try_set(TPG "/np/[::1]:3260/redirect_permanent", "1"), -EINVAL);
	assert_int_equal(try_set(TPG "/np/[::1]:3260/redirect", "x"), -EINVAL);
	assert_int_equal(try_set(TPG "/np/[::1]:3260/redirect", "10.0.2.2:3260"), -EINVAL);
	SET(TPG "/np/[::1]:3260/redirect", "10.0.2.3:3260");
	SET(TPG "/np/[::1]:3260/redirect_permanent", "1");
	assert_int_equal(try_set(TPG "/np/[::1]:3260/redirect", "elsewhere"), -EINVAL);
	is(TPG "/np/[::1]:3260/redirect", "10.0.2.3:3260");
	SET(TPG "/np/[::1]:3260/redirect", "");
	is(TPG "/np/[::1]:3260/sendtargets", "1");
	SET(TPG "/np/[::1]:3260/sendtargets", "0");
	assert_int_equal(try_set(TPG "/np/[::1]:3260/sendtargets", "2"), -EINVAL);
	is(TPG "/discovery_by_portal", "0");
	SET(TPG "/discovery_by_portal", "1");
	is("/iscsi/" IQN "/fabric_statistics/iscsi_instance/portals", "3");
	assert_int_equal(try_rmdir(TPG), -ENOTEMPTY);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define SIM(f)                                                                                     \
	{                                                                                          \
		"sim: " #f, f, setup_sim, teardown, NULL                                           \
	}
	const struct CMUnitTest tests[] = {
		CASE(names),
		CASE(order),
		CASE(prod_mode),
		CASE(echo),
		CASE(ranges),
		CASE(coupled),
		CASE(rtpi),
		CASE(secrets),
		CASE(params),
		CASE(acl_attributes),
		CASE(lun_files),
		CASE(alua_groups),
		CASE(lu_groups),
		CASE(lba_map),
		CASE(cpus),
		CASE(portals),
		SIM(names),
		SIM(order),
		SIM(coupled),
		SIM(lun_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

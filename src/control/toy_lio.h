/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * toy_lio.h: a tree laid out as LIO's configfs, for the tests of saveconfig: every value is a text
 * that is stored and shown. Disks whose path begins with "/missing" cannot be opened; LUNs link
 * only to enabled disks; every change is counted.
 */
#ifndef ULIO_CONTROL_TOY_LIO_H
#define ULIO_CONTROL_TOY_LIO_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tree/node.h"

enum { TOY_VALUES = 40, TOY_VALUE_BYTES = 128 };

struct toy {
	char v[TOY_VALUES][TOY_VALUE_BYTES];
	struct toy *parent_obj;
	char control[512];
	bool enabled, pending;
	char name[64];
};

static unsigned toy_sets; /* how often an attribute was set: reset by tests */
static const char *toy_refuse; /* "attribute=value" that is refused */

static int toy_set(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	char what[256];

	snprintf(what, sizeof(what), "%s=%s", a->name, value);
	if (toy_refuse && !strcmp(toy_refuse, what))
		return errmsg_set(
			err, -EINVAL, "%s: \"%s\" is refused by this toy", a->name, value);
	toy_sets++;
	return attr_set_str(a, obj, value, err);
}

#define TOY_FLAGS(i, n, f)                                                                         \
	{                                                                                          \
		.name = n, .get = attr_get_str, .set = toy_set, .doc = n, .flags = f,              \
		.offset = offsetof(struct toy, v) + (i)*TOY_VALUE_BYTES, .max = TOY_VALUE_BYTES,   \
	}
#define TOY(i, n) TOY_FLAGS(i, n, 0)

/* ---- storage objects ------------------------------------------------------------------------- */

static const struct attr toy_attrib_rows[] = { TOY(0, "block_size"), TOY(1, "emulate_write_cache"),
	TOY(2, "emulate_tpu"), TOY(3, "queue_depth"), ATTR_END };
static const struct node_type toy_attrib = { .name = "attributes", .attrs = toy_attrib_rows };

static int toy_serial_get(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "T10 VPD Unit Serial Number: %s", ((struct toy *)obj)->v[4]);
	return 0;
}

static const struct attr toy_wwn_rows[] = {
	{ .name = "vpd_unit_serial",
		.get = toy_serial_get,
		.set = toy_set,
		.offset = offsetof(struct toy, v) + 4 * TOY_VALUE_BYTES,
		.max = TOY_VALUE_BYTES },
	TOY(5, "vendor_id"),
	ATTR_END,
};
static const struct node_type toy_wwn = { .name = "identity", .attrs = toy_wwn_rows };

static int toy_access_type_get(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct toy *t = obj;
	static const char *const names[] = { "None", "Implicit", "Explicit",
		"Implicit and Explicit" };

	strbuf_puts(out, names[t->v[7][0] ? t->v[7][0] - '0' : 3]);
	return 0;
}

static const struct attr toy_group_rows[] = {
	TOY(6, "alua_access_state"),
	{ .name = "alua_access_type",
		.get = toy_access_type_get,
		.set = toy_set,
		.offset = offsetof(struct toy, v) + 7 * TOY_VALUE_BYTES,
		.max = 2 },
	TOY(8, "tg_pt_gp_id"),
	TOY(9, "preferred"),
	ATTR_END,
};

static void *toy_new(const struct toy *parent, const char *name)
{
	struct toy *t = calloc(1, sizeof(*t));

	if (t) {
		t->parent_obj = (struct toy *)parent;
		snprintf(t->name, sizeof(t->name), "%s", name);
	}
	return t;
}

static int toy_free(struct node *n, struct errmsg *err)
{
	free(node_obj(n));
	return 0;
}

static const struct node_type toy_group = {
	.name = "ALUA group", .attrs = toy_group_rows, .rmdir = toy_free
};
static const struct node_type toy_default_group = { .name = "ALUA group", .attrs = toy_group_rows };

static int toy_alua_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	*ret = (struct node_new){ &toy_group, toy_new(node_obj(dir), name) };
	return ret->obj ? 0 : -ENOMEM;
}

static const struct node_default toy_alua_defaults[] = {
	{ "default_tg_pt_gp", &toy_default_group, NULL }, { NULL }
};
static const struct node_type toy_alua = {
	.name = "ALUA groups", .mkdir = toy_alua_mkdir, .defaults = toy_alua_defaults
};

static bool toy_word(const struct toy *t, const char *key, char *ret, size_t cap)
{
	const char *at = NULL, *p = t->control;
	size_t n;

	ret[0] = '\0';
	/* A word begins the text or follows a comma; the last one counts. */
	for (; (p = strstr(p, key)); p += strlen(key)) {
		if (p == t->control || p[-1] == ',')
			at = p + strlen(key);
	}
	if (!at)
		return false;
	n = strcspn(at, ",");
	snprintf(ret, cap, "%.*s", (int)n, at);
	return true;
}

/* What kind it is, by the first word. */
static bool toy_is(const struct toy *t, const char *key)
{
	return !strncmp(t->control, key, strlen(key));
}

static int toy_info_get(const struct attr *a, void *obj, struct strbuf *out)
{
	struct toy *t = obj;
	char path[128], size[32], word[32];

	strbuf_puts(out, "Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 512  "
			 "HwMaxSectors: 16384\n        ");
	if (toy_is(t, "fd_dev_name=")) {
		toy_word(t, "fd_dev_name=", path, sizeof(path));
		toy_word(t, "fd_dev_size=", size, sizeof(size));
		strbuf_printf(out, "TCM FILEIO ID: 0        File: %s  Size: %s  Mode: %s Async: %d",
			path, size,
			strstr(t->control, "fd_buffered_io=1") ? "Buffered-WCE" : "O_DSYNC",
			!!strstr(t->control, "fd_async_io=1"));
	} else if (toy_is(t, "rd_pages=")) {
		toy_word(t, "rd_pages=", size, sizeof(size));
		strbuf_printf(out,
			"TCM RamDisk ID: 0  RamDisk Makeup: rd_mcp\n        PAGES/PAGE_SIZE: "
			"%s*4096"
			"  SG_table_count: 1  nullio: %d dummy: 0",
			size, !!strstr(t->control, "rd_nullio=1"));
	} else if (toy_is(t, "dev_config=")) {
		toy_word(t, "dev_config=", path, sizeof(path));
		toy_word(t, "dev_size=", size, sizeof(size));
		strbuf_printf(out, "Config: %s Size: %s MaxDataAreaMB: 8", path, size);
	} else {
		toy_word(t, "readonly=", word, sizeof(word));
		strbuf_printf(out,
			"iBlock device: vdb  UDEV PATH: /dev/vdb  readonly: %s\n"
			"        Major: 254 Minor: 16  CLAIMED: IBLOCK",
			word[0] ? word : "0");
	}
	return 0;
}

static int toy_control_set(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct toy *t = obj;
	size_t n = strlen(t->control);

	snprintf(t->control + n, sizeof(t->control) - n, "%s,", value);
	return 0;
}

static int toy_enable_set(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct toy *t = obj;
	char config[sizeof(t->control)];

	if (strstr(t->control, "=/missing"))
		return errmsg_set(err, -ENOENT, "enable: /missing: No such file or directory");
	if (toy_is(t, "dev_config=") && toy_word(t, "dev_config=", config, sizeof(config)) &&
		!config[0])
		return errmsg_set(err, -EINVAL, "enable: dev_config names no kind of disk");
	t->enabled = true;
	return 0;
}

static int toy_enable_get(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, ((struct toy *)obj)->enabled ? "1" : "0");
	return 0;
}

static const struct attr toy_dev_rows[] = {
	{ .name = "control", .set = toy_control_set },
	{ .name = "enable", .get = toy_enable_get, .set = toy_enable_set },
	{ .name = "info", .get = toy_info_get },
	TOY(10, "udev_path"),
	TOY(11, "alias"),
	ATTR_END,
};
static const struct node_default toy_dev_defaults[] = { { "attrib", &toy_attrib, NULL },
	{ "wwn", &toy_wwn, NULL }, { "alua", &toy_alua, NULL }, { NULL } };
static const struct node_type toy_dev = { .name = "storage object",
	.attrs = toy_dev_rows,
	.defaults = toy_dev_defaults,
	.rmdir = toy_free };

static int toy_hba_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct toy *t = toy_new(NULL, name);

	*ret = (struct node_new){ &toy_dev, t };
	if (!t)
		return -ENOMEM;
	strcpy(t->v[0], "512");
	strcpy(t->v[1], "0");
	strcpy(t->v[2], "0");
	strcpy(t->v[3], "128");
	strcpy(t->v[5], "LIO-ORG");
	strcpy(t->v[6], "0");
	strcpy(t->v[8], "0");
	strcpy(t->v[9], "0");
	return 0;
}

static const struct node_type toy_hba = {
	.name = "HBA", .mkdir = toy_hba_mkdir, .rmdir = toy_free
};

static int toy_core_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	*ret = (struct node_new){ &toy_hba, NULL };
	return strchr(name, '_') ? 0 : -EINVAL;
}

static const struct node_type toy_core = { .name = "core", .mkdir = toy_core_mkdir };

/* ---- iSCSI ----------------------------------------------------------------------------------- */

static const struct attr toy_auth_rows[] = { TOY_FLAGS(20, "userid", ATTR_SECRET),
	TOY_FLAGS(21, "password", ATTR_SECRET), TOY_FLAGS(22, "userid_mutual", ATTR_SECRET),
	TOY_FLAGS(23, "password_mutual", ATTR_SECRET), ATTR_END };
static const struct node_type toy_auth = { .name = "secrets", .attrs = toy_auth_rows };
static const struct attr toy_discovery_rows[] = { TOY_FLAGS(20, "userid", ATTR_SECRET),
	TOY_FLAGS(21, "password", ATTR_SECRET), TOY_FLAGS(22, "userid_mutual", ATTR_SECRET),
	TOY_FLAGS(23, "password_mutual", ATTR_SECRET), TOY(24, "enforce_discovery_auth"),
	ATTR_END };
static const struct node_type toy_discovery = { .name = "discovery", .attrs = toy_discovery_rows };

static const struct attr toy_ml_rows[] = { TOY(0, "write_protect"), ATTR_END };

static int toy_link_lun(
	struct node *dir, const char *name, struct node *target, struct errmsg *err);

static int toy_ml_link(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	return strncmp(node_name(target), "lun_", 4) ? errmsg_set(err, -EFAULT, "no LUN") : 0;
}

static const struct node_type toy_ml = {
	.name = "mapped LUN", .attrs = toy_ml_rows, .link = toy_ml_link, .rmdir = toy_free
};
static const struct node_type toy_lun = { .name = "LUN", .link = toy_link_lun, .rmdir = toy_free };

static int toy_link_lun(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	struct toy *t = node_obj(target);

	if (node_type(target) != &toy_dev)
		return errmsg_set(err, -EFAULT, "no storage object");
	return t->enabled || t->pending ? 0 : errmsg_set(err, -ENODEV, "not enabled");
}

/* Below lun/, np/, acls/, an ACL: the directory's object says what is made there. */
static int toy_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err);

static const struct attr toy_np_rows[] = { TOY(0, "iser"), TOY(1, "cxgbit"), TOY(2, "advertise"),
	ATTR_END };
static const struct node_type toy_np = {
	.name = "portal", .attrs = toy_np_rows, .rmdir = toy_free
};
static const struct attr toy_acl_attrib_rows[] = { TOY(0, "authentication"),
	TOY(1, "dataout_timeout"), ATTR_END };
static const struct node_type toy_acl_attrib = { .name = "attributes",
	.attrs = toy_acl_attrib_rows };
static const struct attr toy_acl_rows[] = { TOY(2, "tag"), TOY(3, "cmdsn_depth"), ATTR_END };
static const struct node_default toy_acl_defaults[] = { { "attrib", &toy_acl_attrib, NULL },
	{ "auth", &toy_auth, NULL }, { NULL } };
static const struct node_type toy_acl = { .name = "ACL",
	.attrs = toy_acl_rows,
	.defaults = toy_acl_defaults,
	.mkdir = toy_mkdir,
	.rmdir = toy_free };
static const struct node_type toy_luns = { .name = "LUNs", .mkdir = toy_mkdir };
static const struct node_type toy_nps = { .name = "portals", .mkdir = toy_mkdir };
static const struct node_type toy_acls = { .name = "ACLs", .mkdir = toy_mkdir };
static const struct attr toy_tpg_attrib_rows[] = { TOY(0, "authentication"),
	TOY(1, "generate_node_acls"), TOY(2, "login_timeout"), ATTR_END };
static const struct node_type toy_tpg_attrib = { .name = "attributes",
	.attrs = toy_tpg_attrib_rows };
static const struct attr toy_tpg_param_rows[] = { TOY(10, "AuthMethod"), TOY(11, "MaxBurstLength"),
	ATTR_END };
static const struct node_type toy_tpg_param = { .name = "parameters", .attrs = toy_tpg_param_rows };
static const struct attr toy_tpg_rows[] = { TOY(12, "enable"), ATTR_END };
static const struct node_default toy_tpg_defaults[] = { { "lun", &toy_luns, NULL },
	{ "np", &toy_nps, NULL }, { "acls", &toy_acls, NULL }, { "attrib", &toy_tpg_attrib, NULL },
	{ "auth", &toy_auth, NULL }, { "param", &toy_tpg_param, NULL }, { NULL } };
static const struct node_type toy_tpg = { .name = "portal group",
	.attrs = toy_tpg_rows,
	.defaults = toy_tpg_defaults,
	.rmdir = toy_free };
static const struct attr toy_target_param_rows[] = { TOY(0, "cmd_completion_affinity"), ATTR_END };
static const struct node_type toy_target_param = { .name = "parameters",
	.attrs = toy_target_param_rows };
static const struct node_default toy_target_defaults[] = { { "param", &toy_target_param, NULL },
	{ NULL } };
static const struct node_type toy_target = {
	.name = "target", .defaults = toy_target_defaults, .mkdir = toy_mkdir, .rmdir = toy_free
};
static const struct node_default toy_iscsi_defaults[] = {
	{ "discovery_auth", &toy_discovery, NULL }, { NULL }
};
static const struct node_type toy_iscsi = {
	.name = "iSCSI", .defaults = toy_iscsi_defaults, .mkdir = toy_mkdir, .rmdir = toy_free
};

static const struct {
	const struct node_type *dir, *made;
	const char *prefix;
	const char *values[3];
} toy_makes[] = {
	{ &toy_iscsi, &toy_target, "", { "-1" } },
	{ &toy_target, &toy_tpg, "tpgt_", { "1", "0", "15" } },
	{ &toy_luns, &toy_lun, "lun_", { NULL } },
	{ &toy_nps, &toy_np, "", { "0", "0" } },
	{ &toy_acls, &toy_acl, "", { "-1", "3" } },
	{ &toy_acl, &toy_ml, "lun_", { "0" } },
};

static int toy_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	for (size_t i = 0; i < sizeof(toy_makes) / sizeof(toy_makes[0]); i++) {
		struct toy *t;

		if (toy_makes[i].dir != node_type(dir))
			continue;
		if (strncmp(name, toy_makes[i].prefix, strlen(toy_makes[i].prefix)) != 0)
			return errmsg_set(err, -EINVAL, "%s: no such name here", name);
		t = toy_new(node_obj(dir), name);
		*ret = (struct node_new){ toy_makes[i].made, t };
		for (int k = 0; t && k < 3 && toy_makes[i].values[k]; k++)
			strcpy(t->v[k], toy_makes[i].values[k]);
		if (t && toy_makes[i].made == &toy_tpg) {
			strcpy(t->v[10], "CHAP");
			strcpy(t->v[11], "262144");
			strcpy(t->v[12], "0");
		}
		return t ? 0 : -ENOMEM;
	}
	return errmsg_set(err, -EPERM, "nothing is made here");
}

static int toy_root_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	if (strcmp(name, "iscsi") != 0)
		return errmsg_set(err, -EINVAL, "%s: there is no such fabric", name);
	*ret = (struct node_new){ &toy_iscsi, toy_new(NULL, name) };
	return ret->obj ? 0 : -ENOMEM;
}

static const struct node_default toy_lio_defaults[] = { { "core", &toy_core, NULL }, { NULL } };
static const struct node_type toy_lio = {
	.name = "root", .mkdir = toy_root_mkdir, .defaults = toy_lio_defaults
};

#endif

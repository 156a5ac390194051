/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_lun.c: lun/lun_N: the LUNs of a portal group and the storage objects behind them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/lu.h"
#include "engine/storage.h"
#include "fabric/iscsi/rows_priv.h"

static const struct tpg *tpg_of(const struct port_lun *pl)
{
	return pl->port->fabric_data;
}

/* ---- the target port group of the LU at this port -------------------------------------------- */

/*
 * Every LU is in one group, which has always the same state; a LUN without a storage object is in
 * none (ENODEV, as in LIO).
 */
static const char default_group[] = "default_tg_pt_gp";

static int get_group(const struct attr *a, void *obj, struct strbuf *out)
{
	if (!((struct port_lun *)obj)->lu)
		return -ENODEV;
	strbuf_printf(out,
		"TG Port Alias: %s\nTG Port Group ID: 0\n"
		"TG Port Primary Access State: Active/Optimized\n"
		"TG Port Primary Access Status: None\n"
		"TG Port Secondary Access State: None\n"
		"TG Port Secondary Access Status: None",
		default_group);
	return 0;
}

static int no_storage(const struct attr *a, const struct port_lun *pl, struct errmsg *err)
{
	if (pl->lu)
		return 0;
	return errmsg_set(
		err, -ENODEV, "%s: LUN %u is not linked to a storage object", a->name, pl->lun);
}

/* A name, or the text that is shown. */
static int set_group(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	static const char alias[] = "TG Port Alias:";
	int r = no_storage(a, obj, err);
	size_t n;

	if (r)
		return r;
	if (strlen(value) > 256)
		return errmsg_set(err, -EINVAL, "%s: names have at most 256 bytes", a->name);
	if (!strncmp(value, alias, strlen(alias)))
		value += strlen(alias);
	value += strspn(value, " \t");
	n = strcspn(value, " \t\n");
	if ((n == 4 && !memcmp(value, "NULL", 4)) ||
		(n == strlen(default_group) && !memcmp(value, default_group, n)))
		return 0;
	return errmsg_set(err, -ENODEV, "%s: there is no group \"%.64s\": only %s", a->name, value,
		default_group);
}

static int get_zero(const struct attr *a, void *obj, struct strbuf *out)
{
	if (!((struct port_lun *)obj)->lu)
		return -ENODEV;
	strbuf_putc(out, '0');
	return 0;
}

static int set_zero(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int r = no_storage(a, obj, err);
	uint64_t v;

	return r ? r : attr_parse_u64(a, value, 0, 0, &v, err);
}

static const struct attr lun_attrs[] = {
	{ .name = "alua_tg_pt_gp",
		.get = get_group,
		.set = set_group,
		.flags = ATTR_UNSAVED,
		.doc = "Target port group of the LUN: there is one, default_tg_pt_gp." },
	{ .name = "alua_tg_pt_offline",
		.get = get_zero,
		.set = set_zero,
		.flags = ATTR_UNSAVED,
		.doc = "Always 0: the port has no secondary state." },
	{ .name = "alua_tg_pt_status",
		.get = get_zero,
		.set = set_zero,
		.flags = ATTR_UNSAVED,
		.doc = "Always 0: the secondary state was never altered." },
	{ .name = "alua_tg_pt_write_md",
		.get = get_zero,
		.set = set_zero,
		.flags = ATTR_UNSAVED,
		.doc = "Always 0: there is no state that could be kept." },
	ATTR_END,
};

/* ---- statistics/ ----------------------------------------------------------------------------- */

uint64_t lun_stat(struct lu *lu, enum lun_stat which)
{
	struct lu_stats st;

	lu_get_stats(lu, &st);
	const uint64_t values[] = {
		[LUN_CMDS] = st.read_cmds + st.write_cmds + st.other_cmds,
		[LUN_READ_MBYTES] = st.read_bytes >> 20,
		[LUN_WRITE_MBYTES] = st.write_bytes >> 20,
		[LUN_UNDER_WAY] = st.under_way,
	};
	return values[which];
}

enum { L_DEV, L_RTPI, L_TARGET_INDEX, L_ROLE, L_PORT_NAME, L_PORT_INDEX, L_DEV_NAME };

static void put_dev_name(const struct port_lun *pl, struct strbuf *out)
{
	struct lu_conf conf;

	lu_get_conf(pl->lu, &conf);
	strbuf_printf(out, "%s+%s", tpg_of(pl)->target->name, conf.a.unit_serial);
}

static int get_ident(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct port_lun *pl = obj;
	const struct tpg *tpg = tpg_of(pl);

	if (!pl->lu)
		return -ENODEV;
	switch (a->min) {
	case L_DEV:
		strbuf_printf(out, "%u", storage_number(pl->lu));
		break;
	case L_RTPI:
		strbuf_printf(out, "%u", pl->port->rtpi);
		break;
	case L_TARGET_INDEX:
		strbuf_printf(out, "%u", tpg->target->index);
		break;
	case L_ROLE:
		strbuf_printf(out, "Device%u", storage_number(pl->lu));
		break;
	case L_PORT_NAME:
		strbuf_printf(out, "iSCSIPort#%u", pl->port->rtpi);
		break;
	case L_PORT_INDEX:
		strbuf_printf(out, "%s+t+%u", tpg->target->name, tpg->tag);
		break;
	default:
		put_dev_name(pl, out);
	}
	return 0;
}

static int get_fixed(const struct attr *a, void *obj, struct strbuf *out)
{
	return ((struct port_lun *)obj)->lu ? row_get_fixed(a, obj, out) : -ENODEV;
}

static int get_count(const struct attr *a, void *obj, struct strbuf *out)
{
	struct port_lun *pl = obj;

	if (!pl->lu)
		return -ENODEV;
	strbuf_printf(out, "%" PRIu64, lun_stat(pl->lu, (enum lun_stat)a->min));
	return 0;
}

#define FIXED(n, value, text)                                                                      \
	{                                                                                          \
		.name = n, .get = get_fixed, .flags = ATTR_STAT, .doc = text,                      \
		.words = (const char *const[]){ value, NULL },                                     \
	}

static const struct attr port_attrs[] = {
	STAT_ID("inst", get_ident, L_DEV, "Number of the HBA."),
	STAT_ID("dev", get_ident, L_DEV, "Number of the device."),
	STAT_ID("indx", get_ident, L_RTPI, "Relative target port identifier."),
	STAT_ID("role", get_ident, L_ROLE, "Device and its number."),
	FIXED("busy_count", "0", "Always 0, as in LIO."),
	ATTR_END,
};

static const struct attr tgt_port_attrs[] = {
	STAT_ID("inst", get_ident, L_DEV, "Number of the HBA."),
	STAT_ID("dev", get_ident, L_DEV, "Number of the device."),
	STAT_ID("indx", get_ident, L_RTPI, "Relative target port identifier."),
	STAT_ID("name", get_ident, L_PORT_NAME, "iSCSIPort# and that."),
	STAT_ID("port_index", get_ident, L_PORT_INDEX, "Target name and portal group tag."),
	STAT_ID("in_cmds", get_count, LUN_CMDS, "Commands of the logical unit, at all its LUNs."),
	STAT_ID("write_mbytes", get_count, LUN_WRITE_MBYTES,
		"MiB written to the logical unit, at all its LUNs."),
	STAT_ID("read_mbytes", get_count, LUN_READ_MBYTES,
		"MiB read from the logical unit, at all its LUNs."),
	FIXED("hs_in_cmds", "0", "Always 0, as in LIO."),
	ATTR_END,
};

static const struct attr transport_attrs[] = {
	STAT_ID("inst", get_ident, L_DEV, "Number of the HBA."),
	FIXED("device", "scsiTransportiSCSI", "The transport."),
	STAT_ID("indx", get_ident, L_TARGET_INDEX, "Number of the target."),
	STAT_ID("dev_name", get_ident, L_DEV_NAME, "Target name and unit serial number."),
	FIXED("proto_id", "5", "SPC-4 7.6.1: iSCSI."),
	ATTR_END,
};

static const struct node_type port_stats_type = {
	.name = "SCSI port", .doc = "The LUN's port.", .attrs = port_attrs
};
static const struct node_type tgt_port_stats_type = {
	.name = "SCSI target port", .doc = "Counters of the LUN.", .attrs = tgt_port_attrs
};
static const struct node_type transport_stats_type = {
	.name = "SCSI transport", .doc = "The LUN's transport.", .attrs = transport_attrs
};

static const struct node_default stats_defaults[] = {
	{ "scsi_port", &port_stats_type, NULL },
	{ "scsi_tgt_port", &tgt_port_stats_type, NULL },
	{ "scsi_transport", &transport_stats_type, NULL },
	{ NULL },
};

static int stats_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	return errmsg_set(err, -ENOSYS, "%s: nothing is made here", name);
}

static const struct node_type stats_type = {
	.name = "LUN statistics",
	.doc = "Statistics of the LUN.",
	.defaults = stats_defaults,
	.mkdir = stats_mkdir,
};

/* ---- life ------------------------------------------------------------------------------------ */

static int lun_link(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	struct lu *lu;
	int r = storage_lu(target, &lu, err);

	return r ? r : port_lun_link(node_obj(dir), lu, name, err);
}

static int lun_unlink(struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	return port_lun_unlink(node_obj(dir), err);
}

static int lun_rmdir(struct node *node, struct errmsg *err)
{
	return port_lun_remove(node_obj(node), err);
}

static const struct node_default lun_defaults[] = {
	{ "statistics", &stats_type, NULL },
	{ NULL },
};

const struct node_type port_lun_type = {
	.name = "LUN",
	.doc = "A LUN of the portal group; link it to a storage object.",
	.attrs = lun_attrs,
	.defaults = lun_defaults,
	.rmdir = lun_rmdir,
	.link = lun_link,
	.unlink = lun_unlink,
};

static int luns_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct tpg *tpg = node_obj(dir);
	struct port_lun *pl;
	uint64_t lun;
	int r = row_index(name, "lun_", PORT_MAX_LUN, &lun, err);

	if (!r)
		r = port_lun_add(tpg->port, (uint32_t)lun, &pl, err);
	if (!r)
		*ret = (struct node_new){ &port_lun_type, pl };
	return r;
}

const struct node_type luns_type = {
	.name = "LUNs",
	.doc = "LUNs of the portal group: lun_<N>.",
	.mkdir = luns_mkdir,
};

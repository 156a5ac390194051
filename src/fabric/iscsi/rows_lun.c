/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_lun.c: lun/lun_N: the LUNs of a portal group and the storage objects behind them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/alua.h"
#include "engine/lu.h"
#include "engine/storage.h"
#include "fabric/iscsi/rows_priv.h"

static const struct tpg *tpg_of(const struct port_lun *pl)
{
	return pl->port->fabric_data;
}

/* ---- asymmetric access ----------------------------------------------------------------------- */

static int no_storage(const struct attr *a, const struct port_lun *pl, struct errmsg *err)
{
	if (pl->lu)
		return 0;
	return errmsg_set(
		err, -ENODEV, "%s: LUN %u is not linked to a storage object", a->name, pl->lun);
}

/* A LUN without a storage object is in no group: ENODEV, as in LIO. */
static int get_group(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct port_lun *pl = obj;
	const struct alua_group *g = atomic_load(&pl->alua_group);

	if (!g)
		return -ENODEV;
	pthread_mutex_lock(&pl->lu->lock);
	strbuf_printf(out,
		"TG Port Alias: %s\nTG Port Group ID: %u\n"
		"TG Port Primary Access State: %s\n"
		"TG Port Primary Access Status: %s\n"
		"TG Port Secondary Access State: %s\n"
		"TG Port Secondary Access Status: %s",
		g->name, g->id, alua_state_text(g->state), alua_status_text(g->status),
		pl->alua_offline ? "Offline" : "None", alua_status_text(pl->alua_status));
	pthread_mutex_unlock(&pl->lu->lock);
	return 0;
}

/* A name, or the text that is shown. */
static int set_group(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	static const char alias[] = "TG Port Alias:";
	struct port_lun *pl = obj;
	int r = no_storage(a, obj, err);
	struct alua_group *g;
	char name[257];
	size_t n;

	if (r)
		return r;
	if (strlen(value) > 256)
		return errmsg_set(err, -EINVAL, "%s: names have at most 256 bytes", a->name);
	if (!strncmp(value, alias, strlen(alias)))
		value += strlen(alias);
	value += strspn(value, " \t\n");
	n = strcspn(value, "\n");
	while (n && strchr(" \t", value[n - 1]))
		n--;
	snprintf(name, sizeof(name), "%.*s", (int)n, value);
	g = strcmp(name, "NULL") ? alua_group_find(pl->lu, name) : alua_group_default(pl->lu);
	if (!g)
		return errmsg_set(err, -ENODEV,
			"%s: %s has no group \"%.64s\": make it in its alua/ first", a->name,
			pl->lu->name, name);
	return alua_move(pl, g, err);
}

static int get_offline(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct port_lun *pl = obj;

	if (!pl->lu)
		return -ENODEV;
	strbuf_putc(out, pl->alua_offline ? '1' : '0');
	return 0;
}

static int set_offline(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int r = no_storage(a, obj, err);
	uint64_t v;

	if (!r)
		r = attr_parse_u64(a, value, 0, 1, &v, err);
	return r ? r : alua_set_offline(obj, v, err);
}

static int get_status(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct port_lun *pl = obj;

	if (!pl->lu)
		return -ENODEV;
	strbuf_printf(out, "%u", pl->alua_status);
	return 0;
}

static int set_status(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct port_lun *pl = obj;
	int r = no_storage(a, pl, err);
	uint64_t v;

	if (!r)
		r = attr_parse_u64(a, value, 0, TPG_STATUS_IMPLICIT, &v, err);
	if (r)
		return r;
	pthread_mutex_lock(&pl->lu->lock);
	pl->alua_status = (uint8_t)v;
	pthread_mutex_unlock(&pl->lu->lock);
	return 0;
}

static int get_write_md(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct port_lun *pl = obj;

	if (!pl->lu)
		return -ENODEV;
	strbuf_putc(out, pl->alua_write_metadata ? '1' : '0');
	return 0;
}

static int set_write_md(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int r = no_storage(a, obj, err);
	uint64_t v;

	if (!r)
		r = attr_parse_u64(a, value, 0, 1, &v, err);
	return r ? r : alua_set_offline_metadata(obj, v, err);
}

static const struct attr lun_attrs[] = {
	{ .name = "alua_tg_pt_gp",
		.get = get_group,
		.set = set_group,
		.flags = ATTR_UNSAVED,
		.doc = "Target port group of the LUN: a name in alua/ of its storage object, NULL: "
		       "default_tg_pt_gp. Reads as its state in words." },
	{ .name = "alua_tg_pt_offline",
		.get = get_offline,
		.set = set_offline,
		.doc = "1: the secondary state offline: commands by this LUN are refused as if the "
		       "port were not there." },
	{ .name = "alua_tg_pt_status",
		.get = get_status,
		.set = set_status,
		.flags = ATTR_UNSAVED,
		.doc = "What brought the secondary state about: 0 nothing, 1 an initiator, 2 the "
		       "target." },
	{ .name = "alua_tg_pt_write_md",
		.get = get_write_md,
		.set = set_write_md,
		.doc = "The secondary state is kept in alua/iSCSI/<target>+<tag>/lun_<n> below "
		       "dbroot; when this is set on a portal group without sessions, as while a "
		       "configuration is loaded, what is kept there is taken over." },
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

enum { L_INST, L_DEV, L_RTPI, L_TARGET_INDEX, L_ROLE, L_PORT_NAME, L_PORT_INDEX, L_DEV_NAME };

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
	case L_INST:
		strbuf_printf(out, "%u", storage_hba_number(pl->lu));
		break;
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
	STAT_ID("inst", get_ident, L_INST, "Number of the HBA."),
	STAT_ID("dev", get_ident, L_DEV, "Number of the device."),
	STAT_ID("indx", get_ident, L_RTPI, "Relative target port identifier."),
	STAT_ID("role", get_ident, L_ROLE, "Device and its number."),
	FIXED("busy_count", "0", "Always 0, as in LIO."),
	ATTR_END,
};

static const struct attr tgt_port_attrs[] = {
	STAT_ID("inst", get_ident, L_INST, "Number of the HBA."),
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
	STAT_ID("inst", get_ident, L_INST, "Number of the HBA."),
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

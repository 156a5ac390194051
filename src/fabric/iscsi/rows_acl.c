/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_acl.c: acls/<initiator>: who may log in, with what secrets, and the LUNs that it sees. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "engine/lu.h"
#include "engine/nexus.h"
#include "engine/storage.h"
#include "fabric/iscsi/name.h"
#include "fabric/iscsi/rows_priv.h"
#include "fabric/iscsi/sessions.h"

#define DROP_NS 10000000000ull

static struct node_data *data_of(const struct acl *acl)
{
	return acl->fabric_data;
}

/* ---- the ACL's own files --------------------------------------------------------------------- */

static int get_depth(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, obj, out);
}

static int set_depth(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct acl *acl = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 512, &v, err);

	if (r)
		return r;
	if (!v)
		v = 1;
	if (v == acl->queue_depth)
		return 0;
	engine_lock(acl->port->eng);
	acl->queue_depth = (uint32_t)v;
	engine_unlock(acl->port->eng);
	if (port_drop_nexuses(acl->port, acl, "its cmdsn_depth has changed", DROP_NS))
		return errmsg_set(err, -EBUSY, "%s: a session of %s does not end: it keeps the old",
			a->name, acl->initiator);
	return 0;
}

static int get_tag(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_str(a, obj, out);
}

static int set_tag(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return attr_set_str(a, obj, strncmp(value, "NULL", 4) ? value : "", err);
}

static const struct attr acl_attrs[] = {
	{ .name = "cmdsn_depth",
		.get = get_depth,
		.set = set_depth,
		.offset = offsetof(struct acl, queue_depth),
		.doc = "Commands that a session may have under way, 1 to 512. A change ends the "
		       "initiator's sessions; it logs in anew." },
	{ .name = "info", .get = acl_get_info, .flags = ATTR_STAT, .doc = "Its newest session." },
	{ .name = "tag",
		.get = get_tag,
		.set = set_tag,
		.flags = ATTR_NO_NEWLINE,
		.offset = offsetof(struct acl, tag),
		.max = sizeof(((struct acl *)0)->tag),
		.doc = "A name for a group of ACLs, for tools; NULL: none." },
	ATTR_END,
};

/* ---- attrib/ --------------------------------------------------------------------------------- */

static int get_attrib(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, &data_of(obj)->attribs, out);
}

static int set_attrib(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct acl *acl = obj;
	int r;

	engine_lock(acl->port->eng);
	r = attr_set_u32(a, &data_of(acl)->attribs, value, err);
	engine_unlock(acl->port->eng);
	return r;
}

static int set_nopin(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, a->max, &v, err);

	if (!r && v && v < 3)
		return errmsg_set(err, -EINVAL, "%s: 0 or 3 to 60 seconds", a->name);
	return r ? r : set_attrib(a, obj, value, err);
}

static int get_authentication(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%d", data_of(obj)->attribs.authentication);
	return 0;
}

static int set_authentication(
	const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct acl *acl = obj;
	int64_t v;
	int r = attr_parse_s64(a, value, -1, 1, &v, err);

	if (r)
		return r;
	engine_lock(acl->port->eng);
	data_of(acl)->attribs.authentication = (int32_t)v;
	engine_unlock(acl->port->eng);
	return 0;
}

#define ATTRIB(n, lo, hi, setter, text)                                                            \
	{                                                                                          \
		.name = #n, .get = get_attrib, .set = setter, .min = lo, .max = hi, .doc = text,   \
		.offset = offsetof(struct node_attribs, n),                                        \
	}

static const struct attr attrib_attrs[] = {
	{ .name = "authentication",
		.get = get_authentication,
		.set = set_authentication,
		.doc = "1: it must authenticate, 0: it need not, -1: as the portal group says." },
	ATTRIB(dataout_timeout, 2, 60, set_attrib,
		"Seconds without Data-Out that were asked for: then they are asked for again (from "
		"ErrorRecoveryLevel 1 on)."),
	ATTRIB(dataout_timeout_retries, 1, 15, set_attrib,
		"After so many dataout_timeouts one after the other the connection ends."),
	ATTRIB(default_erl, 0, 2, set_attrib,
		"ErrorRecoveryLevel that it may have, if that is more than "
		"param/ErrorRecoveryLevel "
		"of the portal group."),
	ATTRIB(nopin_response_timeout, 3, 60, set_attrib,
		"Seconds that it has to answer a ping; then its connection ends."),
	ATTRIB(nopin_timeout, 0, 60, set_nopin,
		"Seconds of silence after which it is pinged, 0: never."),
	ATTRIB(random_datain_pdu_offsets, 0, 1, set_attrib,
		"1: Data-In PDUs of a sequence go in disorder, if DataPDUInOrder=No is agreed."),
	ATTRIB(random_datain_seq_offsets, 0, 1, set_attrib,
		"1: sequences of Data-In go in disorder, if DataSequenceInOrder=No is agreed."),
	ATTRIB(random_r2t_offsets, 0, 1, set_attrib,
		"1: R2Ts ask for data in disorder, if DataSequenceInOrder=No is agreed."),
	ATTR_END,
};

static const struct node_type attrib_type = {
	.name = "ACL attributes",
	.doc = "Rules for the initiator, from its next login on.",
	.attrs = attrib_attrs,
};

/* ---- auth/ ----------------------------------------------------------------------------------- */

static const struct attr auth_attrs[] = {
	AUTH_ROWS,
	ATTR_END,
};

static const struct node_type auth_type = {
	.name = "ACL secrets",
	.doc = "CHAP names and secrets of the initiator.",
	.attrs = auth_attrs,
	.defaults = auth_defaults,
};

static void *auth_of(void *acl)
{
	return &data_of(acl)->auth.own;
}

/* ---- lun_N/ ---------------------------------------------------------------------------------- */

static bool read_only_lu(struct lu *lu)
{
	struct lu_conf conf;

	lu_get_conf(lu, &conf);
	return conf.medium_read_only;
}

/* Before it is linked there is nothing to show, and what is written is not kept: as LIO. */
static int get_protect(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct acl_lun *al = obj;

	if (!al->target)
		return 0;
	strbuf_putc(out,
		al->write_protect || (al->target->lu && read_only_lu(al->target->lu)) ? '1' : '0');
	return 0;
}

static int set_protect(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct acl_lun *al = obj;
	uint64_t v;
	int r;

	if (!al->target)
		return 0;
	r = attr_parse_u64(a, value, 0, 1, &v, err);
	return r ? r : acl_lun_set_write_protect(al, v, err);
}

static const struct attr acl_lun_attrs[] = {
	{ .name = "write_protect",
		.get = get_protect,
		.set = set_protect,
		.doc = "1: the initiator may only read. Takes effect at once." },
	ATTR_END,
};

enum { M_TARGET, M_DEV, M_TPGT, M_ACL, M_NAME, M_CREATED, M_CMDS, M_READ, M_WRITE };

/* Position among the ACLs of the group, from 1. */
static unsigned acl_number(const struct acl *acl)
{
	const struct acl *other;
	unsigned n = 0, at = 0;

	engine_lock(acl->port->eng);
	list_for_each (other, &acl->port->acl_list, struct acl, link) {
		n++;
		if (other == acl)
			at = n;
	}
	engine_unlock(acl->port->eng);
	return at;
}

/* Counters of the initiator's sessions at this LUN. */
static uint64_t sum_sessions(const struct acl_lun *al, uint64_t which)
{
	struct lu *lu = al->target->lu;
	uint64_t cmds = 0, rd = 0, wr = 0;
	struct itl *itl;

	pthread_mutex_lock(&lu->lock);
	list_for_each (itl, &lu->itls, struct itl, lu_link) {
		if (itl->nexus->port != al->acl->port ||
			strcmp(itl->nexus->initiator, al->acl->initiator) != 0)
			continue;
		cmds += atomic_load(&itl->num_cmds);
		rd += atomic_load(&itl->read_bytes);
		wr += atomic_load(&itl->write_bytes);
	}
	pthread_mutex_unlock(&lu->lock);
	return which == M_CMDS ? cmds : (which == M_READ ? rd : wr) >> 20;
}

static int get_number(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct acl_lun *al = obj;
	const struct tpg *tpg = al->acl->port->fabric_data;
	uint64_t v;

	if (!al->target || !al->target->lu)
		return -ENODEV;
	switch (a->min) {
	case M_TARGET:
		v = tpg->target->index;
		break;
	case M_DEV:
		v = storage_number(al->target->lu);
		break;
	case M_TPGT:
		v = tpg->tag;
		break;
	case M_ACL:
		v = acl_number(al->acl);
		break;
	case M_CREATED:
		v = al->created_ns / (NS_PER_S / 100);
		break;
	default:
		v = sum_sessions(al, a->min);
	}
	strbuf_printf(out, "%" PRIu64, v);
	return 0;
}

static int get_name(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct acl_lun *al = obj;

	if (!al->target)
		return -ENODEV;
	strbuf_puts(out, al->acl->initiator);
	return 0;
}

static int get_fixed(const struct attr *a, void *obj, struct strbuf *out)
{
	return ((struct acl_lun *)obj)->target ? row_get_fixed(a, obj, out) : -ENODEV;
}

/* Of the initiator's newest session; ENODEV without one. */
static int get_session(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct acl_lun *al = obj;
	struct session_info s;
	const uint8_t *i = s.isid;

	if (!al->target || session_newest(al->acl->port->fabric_data, al->acl->initiator, &s))
		return -ENODEV;
	if (a->min)
		strbuf_printf(out, "%s+i+%02x%02x%02x%02x%02x%02x", al->acl->initiator, i[0], i[1],
			i[2], i[3], i[4], i[5]);
	else
		strbuf_printf(out, "%u", s.tsih);
	return 0;
}

#define FIXED(n, value, text)                                                                      \
	{                                                                                          \
		.name = n, .get = get_fixed, .flags = ATTR_STAT, .doc = text,                      \
		.words = (const char *const[]){ value, NULL },                                     \
	}

static const struct attr auth_intr_attrs[] = {
	STAT_ID("inst", get_number, M_TARGET, "Number of the target."),
	STAT_ID("dev", get_number, M_DEV, "Number of the device."),
	STAT_ID("port", get_number, M_TPGT, "Portal group tag."),
	STAT_ID("indx", get_number, M_ACL, "Number of the ACL."),
	FIXED("dev_or_port", "1", "1: the ACL is for a device."),
	STAT("intr_name", get_name, "The initiator."),
	FIXED("map_indx", "0", "Always 0, as in LIO."),
	FIXED("att_count", "1", "How often it was mapped since: 1, as in LIO."),
	STAT_ID("creation_time", get_number, M_CREATED,
		"When it was mapped, in 1/100 s of the monotonic clock."),
	STAT_ID("num_cmds", get_number, M_CMDS, "Commands of these sessions here."),
	STAT_ID("read_mbytes", get_number, M_READ, "MiB that they have read."),
	STAT_ID("write_mbytes", get_number, M_WRITE, "MiB that they have written."),
	FIXED("hs_num_cmds", "0", "Always 0, as in LIO."),
	FIXED("row_status", "Ready", "Ready."),
	ATTR_END,
};

static const struct attr att_intr_port_attrs[] = {
	STAT_ID("inst", get_number, M_TARGET, "Number of the target."),
	STAT_ID("dev", get_number, M_DEV, "Number of the device."),
	STAT_ID("port", get_number, M_TPGT, "Portal group tag."),
	STAT_ID("indx", get_session, 0, "TSIH of the newest session."),
	STAT_ID("port_auth_indx", get_number, M_ACL, "Number of the ACL."),
	STAT_ID("port_ident", get_session, 1, "Initiator port name of the newest session."),
	ATTR_END,
};

static const struct node_type auth_intr_type = { .name = "authorised initiator",
	.doc = "Counters of the initiator at this LUN.",
	.attrs = auth_intr_attrs };
static const struct node_type att_intr_port_type = { .name = "attached initiator port",
	.doc = "The initiator's newest session.",
	.attrs = att_intr_port_attrs };

static const struct node_default acl_lun_stats_defaults[] = {
	{ "scsi_att_intr_port", &att_intr_port_type, NULL },
	{ "scsi_auth_intr", &auth_intr_type, NULL },
	{ NULL },
};

static int stats_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	return errmsg_set(err, -ENOSYS, "%s: nothing is made here", name);
}

static const struct node_type acl_lun_stats_type = {
	.name = "mapped LUN statistics",
	.doc = "Statistics of the mapped LUN.",
	.defaults = acl_lun_stats_defaults,
	.mkdir = stats_mkdir,
};

static int acl_lun_make_link(
	struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	struct acl_lun *al = node_obj(dir);
	struct port_lun *pl = node_obj(target);

	if (node_type(target) != &port_lun_type)
		return errmsg_set(
			err, -EFAULT, "%s is no LUN of a portal group", node_name(target));
	if (!pl->lu)
		return errmsg_set(err, -EINVAL,
			"LUN %u has no storage object: link it to one first", pl->lun);
	return acl_lun_link(al, pl, name, err);
}

static int acl_lun_drop_link(
	struct node *dir, const char *name, struct node *target, struct errmsg *err)
{
	return acl_lun_unlink(node_obj(dir), err);
}

static int acl_lun_rmdir(struct node *node, struct errmsg *err)
{
	return acl_lun_remove(node_obj(node), err);
}

static const struct node_default acl_lun_defaults[] = {
	{ "statistics", &acl_lun_stats_type, NULL },
	{ NULL },
};

const struct node_type acl_lun_type = {
	.name = "mapped LUN",
	.doc = "A LUN as the initiator sees it; link it to a LUN of the portal group.",
	.attrs = acl_lun_attrs,
	.defaults = acl_lun_defaults,
	.rmdir = acl_lun_rmdir,
	.link = acl_lun_make_link,
	.unlink = acl_lun_drop_link,
};

/* ---- life ------------------------------------------------------------------------------------ */

static int acl_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct acl_lun *al;
	uint64_t lun;
	int r = row_index(name, "lun_", PORT_MAX_LUN, &lun, err);

	if (!r)
		r = acl_lun_add(node_obj(dir), (uint32_t)lun, &al, err);
	if (!r)
		*ret = (struct node_new){ &acl_lun_type, al };
	return r;
}

static int acl_rmdir(struct node *node, struct errmsg *err)
{
	return acl_remove(node_obj(node), err);
}

static const struct node_default acl_defaults[] = {
	{ "attrib", &attrib_type, NULL },
	{ "auth", &auth_type, auth_of },
	{ "fabric_statistics", &acl_stats_type, NULL },
	{ "param", &acl_param_type, NULL },
	{ NULL },
};

const struct node_type acl_type = {
	.name = "ACL",
	.doc = "An initiator that may log in, and the LUNs that it sees: lun_<N>.",
	.attrs = acl_attrs,
	.defaults = acl_defaults,
	.mkdir = acl_mkdir,
	.rmdir = acl_rmdir,
};

static int acls_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct tpg *tpg = node_obj(dir);
	char normal[NODE_NAME_BYTES_MAX + 1];
	const char *why = NULL;
	struct acl *acl;
	int r;

	if (node_name_normalize(name, normal, &why))
		return errmsg_set(err, -EINVAL, "\"%.230s\" is no iSCSI name: %s", name, why);
	r = acl_add(tpg->port, normal, &acl, err);
	if (!r)
		*ret = (struct node_new){ &acl_type, acl };
	return r;
}

const struct node_type acls_type = {
	.name = "ACLs",
	.doc = "Initiators that may log in, by name.",
	.mkdir = acls_mkdir,
};

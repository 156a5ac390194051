/* SPDX-License-Identifier: BSD-3-Clause */
/* storage_wwn.c: wwn/ of a storage object (who it says it is) and statistics/. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "block/backstore.h"
#include "engine/storage_priv.h"

/* ---- wwn/ ------------------------------------------------------------------------------------ */

static int get_inquiry(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_str(a, &((struct storage *)obj)->lu->attribs, out);
}

static int get_product(const struct attr *a, void *obj, struct strbuf *out)
{
	struct lu_conf conf;

	lu_get_conf(((struct storage *)obj)->lu, &conf);
	strbuf_puts(out, conf.product);
	return 0;
}

/* Printable ASCII of at most a->max bytes, blanks around it taken off (SPC-4 4.3.1). */
static int set_inquiry(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	char *at = (char *)&s->lu->attribs + a->offset;
	size_t n;

	value += strspn(value, " \t\n");
	n = strlen(value);
	while (n && strchr(" \t\n", value[n - 1]))
		n--;
	if (n > a->max)
		return errmsg_set(err, -EOVERFLOW,
			"%s: %zu characters are too many, at most %" PRIu64, a->name, n, a->max);
	for (size_t i = 0; i < n; i++) {
		if (value[i] < 0x20 || value[i] > 0x7e)
			return errmsg_set(
				err, -EINVAL, "%s: printable ASCII alone is possible", a->name);
	}
	memcpy(at, value, n);
	at[n] = '\0';
	return storage_changed(s, err);
}

/* Setting the product that the alias makes is no change. */
static int set_product(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	struct lu_conf conf;

	lu_get_conf(s->lu, &conf);
	if (conf.a.emulate_model_alias && !strcmp(conf.product, value))
		return 0;
	return set_inquiry(a, obj, value, err);
}

static int get_company_id(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%#08x", ((struct storage *)obj)->lu->attribs.company_id);
	return 0;
}

static int set_company_id(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT32_MAX, &v, err);

	if (r)
		return r;
	if (v >= 0x1000000)
		return errmsg_set(
			err, -EOVERFLOW, "company_id: \"%.32s\" has more than 24 bits", value);
	s->lu->attribs.company_id = (uint32_t)v;
	return storage_changed(s, err);
}

static int get_serial(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "T10 VPD Unit Serial Number: %s",
		((struct storage *)obj)->lu->attribs.unit_serial);
	return 0;
}

static int get_nothing(const struct attr *a, void *obj, struct strbuf *out)
{
	return 0;
}

#define INQUIRY(n, field, most, getter, setter, text)                                              \
	{                                                                                          \
		.name = n, .get = getter, .set = setter, .may_set = storage_not_exported,          \
		.offset = offsetof(struct lu_attribs, field), .max = most, .doc = text,            \
		.flags = ATTR_EMPTY_LINE,                                                          \
	}
#define EMPTY(n)                                                                                   \
	{                                                                                          \
		.name = n, .get = get_nothing, .doc = "Empty: of pass-through devices in LIO.",    \
	}

static const struct attr wwn_rows[] = {
	INQUIRY("vendor_id", vendor_id, 8, get_inquiry, set_inquiry, "T10 VENDOR IDENTIFICATION."),
	INQUIRY("product_id", product_id, 16, get_product, set_product, "PRODUCT IDENTIFICATION."),
	INQUIRY("revision", revision, 4, get_inquiry, set_inquiry, "PRODUCT REVISION LEVEL."),
	INQUIRY("company_id", company_id, 0, get_company_id, set_company_id,
		"IEEE company id of the NAA designator."),
	INQUIRY("vpd_unit_serial", unit_serial, 253, get_serial, set_inquiry,
		"UNIT SERIAL NUMBER; the NAA designator follows from it."),
	EMPTY("vpd_protocol_identifier"),
	EMPTY("vpd_assoc_logical_unit"),
	EMPTY("vpd_assoc_target_port"),
	EMPTY("vpd_assoc_scsi_target_device"),
	ATTR_END,
};

const struct node_type storage_wwn_type = {
	.name = "identity",
	.doc = "Who the logical unit says it is.",
	.attrs = wwn_rows,
};

/* ---- statistics/ ----------------------------------------------------------------------------- */

enum stat_id {
	ST_NUM_CMDS,
	ST_READ_MBYTES,
	ST_WRITE_MBYTES,
	ST_RESETS,
	ST_ERRORS,
	ST_CONFLICTS,
	ST_UNDER_WAY,
	ST_OLDEST_MS
};

static int get_stat(const struct attr *a, void *obj, struct strbuf *out)
{
	struct storage *s = obj;
	struct backstore_load load = { 0 };
	struct lu_stats st;
	uint64_t v = 0;

	lu_get_stats(s->lu, &st);
	if (s->lu->bs)
		backstore_get_load(s->lu->bs, clock_now_ns(), &load);
	const uint64_t values[] = {
		[ST_NUM_CMDS] = st.read_cmds + st.write_cmds + st.other_cmds,
		[ST_READ_MBYTES] = st.read_bytes >> 20,
		[ST_WRITE_MBYTES] = st.write_bytes >> 20,
		[ST_RESETS] = st.resets,
		[ST_ERRORS] = st.errors,
		[ST_CONFLICTS] = st.conflicts,
		[ST_UNDER_WAY] = st.under_way,
		[ST_OLDEST_MS] = load.oldest_ns / NS_PER_MS,
	};
	v = values[a->min];
	strbuf_printf(out, "%" PRIu64, v);
	return 0;
}

static int get_creation(const struct attr *a, void *obj, struct strbuf *out)
{
	struct storage *s = obj;

	strbuf_printf(out, "%" PRIu64, s->lu->created_ns / (NS_PER_S / 100));
	return 0;
}

static int get_ports(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", ((struct storage *)obj)->lu->exports);
	return 0;
}

static int get_hba_id(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", ((struct storage *)obj)->hba->id);
	return 0;
}

static int get_role(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, "Target");
	return 0;
}

static int get_status(const struct attr *a, void *obj, struct strbuf *out)
{
	struct lu_conf conf;

	lu_get_conf(((struct storage *)obj)->lu, &conf);
	strbuf_puts(out, conf.readiness == LU_READY ? "available" : "notavailable");
	return 0;
}

#define STAT(n, id, text)                                                                          \
	{                                                                                          \
		.name = n, .get = get_stat, .min = id, .flags = ATTR_STAT, .doc = text,            \
	}
#define OUR_STAT(n, id, text)                                                                      \
	{                                                                                          \
		.name = n, .get = get_stat, .min = id, .flags = ATTR_STAT | ATTR_OURS,             \
		.doc = text,                                                                       \
	}
#define SHOW(n, getter, text)                                                                      \
	{                                                                                          \
		.name = n, .get = getter, .flags = ATTR_STAT, .doc = text,                         \
	}

static const struct attr dev_rows[] = {
	SHOW("inst", get_hba_id, "Number of the HBA."),
	SHOW("indx", get_hba_id, "Number of the device."),
	SHOW("role", get_role, "Target."),
	SHOW("ports", get_ports, "LUNs that show it."),
	ATTR_END,
};

static const struct attr lu_rows[] = {
	SHOW("inst", get_hba_id, "Number of the HBA."),
	SHOW("dev", get_hba_id, "Number of the device."),
	SHOW("status", get_status, "available or notavailable."),
	SHOW("creation_time", get_creation, "When it was made, in 1/100 s of the monotonic clock."),
	STAT("num_cmds", ST_NUM_CMDS, "Commands."),
	STAT("read_mbytes", ST_READ_MBYTES, "MiB read."),
	STAT("write_mbytes", ST_WRITE_MBYTES, "MiB written."),
	STAT("resets", ST_RESETS, "Resets."),
	OUR_STAT("errors", ST_ERRORS, "Commands that ended with CHECK CONDITION."),
	OUR_STAT("conflicts", ST_CONFLICTS, "Commands that met a reservation."),
	OUR_STAT("under_way", ST_UNDER_WAY, "Commands under way."),
	OUR_STAT("oldest_ms", ST_OLDEST_MS, "Age in ms of the oldest request that the disk has."),
	ATTR_END,
};

static const struct node_type dev_type = {
	.name = "device", .doc = "SCSI device.", .attrs = dev_rows
};
static const struct node_type lu_type = {
	.name = "logical unit", .doc = "Counters.", .attrs = lu_rows
};

static const struct node_default stats_defaults[] = {
	{ "scsi_dev", &dev_type, NULL },
	{ "scsi_lu", &lu_type, NULL },
	{ NULL },
};

const struct node_type storage_stats_type = {
	.name = "statistics",
	.doc = "Counters of the logical unit.",
	.defaults = stats_defaults,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* storage_stats.c: statistics/ of a storage object, as LIO has them (the MIB of RFC 4455). */
#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "block/backstore.h"
#include "engine/storage_priv.h"

enum stat_id {
	ST_NUM_CMDS,
	ST_READ_MBYTES,
	ST_WRITE_MBYTES,
	ST_RESETS,
	ST_ABORTS_COMPLETE,
	ST_ABORTS_NO_TASK,
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

	lu_get_stats(s->lu, &st);
	if (s->lu->bs)
		backstore_get_load(s->lu->bs, clock_now_ns(), &load);
	const uint64_t values[] = {
		[ST_NUM_CMDS] = st.read_cmds + st.write_cmds + st.other_cmds,
		[ST_READ_MBYTES] = st.read_bytes >> 20,
		[ST_WRITE_MBYTES] = st.write_bytes >> 20,
		[ST_RESETS] = st.resets,
		[ST_ABORTS_COMPLETE] = st.abort_tasks,
		[ST_ABORTS_NO_TASK] = st.abort_no_tasks,
		[ST_ERRORS] = st.errors,
		[ST_CONFLICTS] = st.conflicts,
		[ST_UNDER_WAY] = st.under_way,
		[ST_OLDEST_MS] = load.oldest_ns / NS_PER_MS,
	};
	strbuf_printf(out, "%" PRIu64, values[a->min]);
	return 0;
}

static int get_creation(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%" PRIu64, ((struct storage *)obj)->lu->created_ns / (NS_PER_S / 100));
	return 0;
}

static int get_ports(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", ((struct storage *)obj)->lu->exports);
	return 0;
}

static int get_inst(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", storage_hba_number(((struct storage *)obj)->lu));
	return 0;
}

static int get_device(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", ((struct storage *)obj)->id);
	return 0;
}

static int get_word(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, a->words[0]);
	return 0;
}

/* a->words: if a LUN shows it, if none does. */
static int get_if_shown(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, a->words[((struct storage *)obj)->lu->exports ? 0 : 1]);
	return 0;
}

static int get_status(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct storage *s = obj;
	struct lu_conf conf;

	lu_get_conf(s->lu, &conf);
	strbuf_puts(
		out, s->lu->exports && conf.readiness == LU_READY ? "available" : "notavailable");
	return 0;
}

static int get_lu_name(const struct attr *a, void *obj, struct strbuf *out)
{
	const char *serial = ((struct storage *)obj)->lu->attribs.unit_serial;

	strbuf_puts(out, *serial ? serial : "None");
	return 0;
}

/* INQUIRY's fields, with the blanks that they have on the wire. */
enum { INQ_VENDOR, INQ_PRODUCT, INQ_REVISION };

static int get_inquiry(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct lu *lu = ((struct storage *)obj)->lu;
	char product[17];

	lu_product(lu, product);
	if (a->min == INQ_VENDOR)
		strbuf_printf(out, "%-8s", lu->attribs.vendor_id);
	else if (a->min == INQ_PRODUCT)
		strbuf_printf(out, "%-16s", product);
	else
		strbuf_printf(out, "%-4s", lu->attribs.revision);
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
#define INQUIRY(n, which, text)                                                                    \
	{                                                                                          \
		.name = n, .get = get_inquiry, .min = which, .flags = ATTR_STAT, .doc = text,      \
	}
#define WORD(n, word, text)                                                                        \
	{                                                                                          \
		.name = n, .get = get_word, .flags = ATTR_STAT, .doc = text,                       \
		.words = (const char *const[]){ word, NULL },                                      \
	}
#define IF_SHOWN(n, yes, no, more, text)                                                           \
	{                                                                                          \
		.name = n, .get = get_if_shown, .flags = ATTR_STAT | more, .doc = text,            \
		.words = (const char *const[]){ yes, no, NULL },                                   \
	}

static const struct attr dev_rows[] = {
	SHOW("indx", get_device, "Number of the device."),
	SHOW("inst", get_inst, "Number of the HBA."),
	SHOW("ports", get_ports, "LUNs that show it."),
	WORD("role", "Target", "Target."),
	ATTR_END,
};

static const struct attr tgt_dev_rows[] = {
	STAT("aborts_complete", ST_ABORTS_COMPLETE, "ABORT TASK that found their tasks."),
	STAT("aborts_no_task", ST_ABORTS_NO_TASK, "ABORT TASK that found none."),
	SHOW("indx", get_device, "Number of the device."),
	SHOW("inst", get_inst, "Number of the HBA."),
	IF_SHOWN("non_access_lus", "0", "1", 0, "1: no LUN shows it."),
	WORD("num_lus", "1", "Logical units: 1."),
	STAT("resets", ST_RESETS, "Resets."),
	IF_SHOWN("status", "activated", "deactivated", ATTR_NO_NEWLINE,
		"activated: a LUN shows it; deactivated."),
	ATTR_END,
};

static const struct attr lu_rows[] = {
	SHOW("creation_time", get_creation, "When it was made, in 1/100 s of the monotonic clock."),
	SHOW("dev", get_device, "Number of the device."),
	WORD("dev_type", "0", "PERIPHERAL DEVICE TYPE: 0, a disk."),
	WORD("full_stat", "0", "Always 0, as in LIO: tasks refused by TASK SET FULL."),
	WORD("hs_num_cmds", "0", "Always 0, as in LIO."),
	WORD("indx", "1", "Number of the logical unit in the device: 1."),
	SHOW("inst", get_inst, "Number of the HBA."),
	SHOW("lu_name", get_lu_name, "Unit serial number, or None."),
	WORD("lun", "0", "Always 0, as in LIO."),
	STAT("num_cmds", ST_NUM_CMDS, "Commands."),
	INQUIRY("prod", INQ_PRODUCT, "PRODUCT IDENTIFICATION."),
	STAT("read_mbytes", ST_READ_MBYTES, "MiB read."),
	STAT("resets", ST_RESETS, "Resets."),
	INQUIRY("rev", INQ_REVISION, "PRODUCT REVISION LEVEL."),
	WORD("state_bit", "exposed", "exposed."),
	SHOW("status", get_status, "available: it is ready, and a LUN shows it; notavailable."),
	INQUIRY("vend", INQ_VENDOR, "T10 VENDOR IDENTIFICATION."),
	STAT("write_mbytes", ST_WRITE_MBYTES, "MiB written."),
	OUR_STAT("errors", ST_ERRORS, "Commands that ended with CHECK CONDITION."),
	OUR_STAT("conflicts", ST_CONFLICTS, "Commands that met a reservation."),
	OUR_STAT("under_way", ST_UNDER_WAY, "Commands under way."),
	OUR_STAT("oldest_ms", ST_OLDEST_MS, "Age in ms of the oldest request that the disk has."),
	ATTR_END,
};

static const struct node_type dev_type = {
	.name = "device", .doc = "SCSI device.", .attrs = dev_rows
};
static const struct node_type tgt_dev_type = {
	.name = "target device", .doc = "SCSI target device.", .attrs = tgt_dev_rows
};
static const struct node_type lu_type = {
	.name = "logical unit", .doc = "Counters.", .attrs = lu_rows
};

static const struct node_default stats_defaults[] = {
	{ "scsi_dev", &dev_type, NULL },
	{ "scsi_lu", &lu_type, NULL },
	{ "scsi_tgt_dev", &tgt_dev_type, NULL },
	{ NULL },
};

static int stats_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	return errmsg_set(err, -ENOSYS, "%s: nothing is made here", name);
}

const struct node_type storage_stats_type = {
	.name = "statistics",
	.doc = "Counters of the logical unit.",
	.defaults = stats_defaults,
	.mkdir = stats_mkdir,
};

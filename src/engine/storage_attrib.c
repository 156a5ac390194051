/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_attrib.c: attrib/ of a storage object, with LIO's names, defaults and refusals. Each
 * attribute accepts the value that LIO shows for the same disk, so that its saved files load
 * without complaint; what decides what is on the wire is checked against what the disk can do.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "block/backstore.h"
#include "engine/pr/pr.h"
#include "engine/storage_priv.h"

bool storage_not_exported(const struct attr *a, void *obj, struct errmsg *err)
{
	struct storage *s = obj;

	if (s->lu->exports)
		errmsg_set(err, -EINVAL,
			"%s: cannot change while %s is shown as a LUN: remove its LUNs "
			"first",
			a->name, s->lu->name);
	return !s->lu->exports;
}

int storage_changed(struct storage *s, struct errmsg *err)
{
	s->dirty = true;
	if (!s->lu->exports)
		return 0;
	if (lu_refresh(s->lu))
		return errmsg_set(err, -ENOMEM, "%s: out of memory", s->lu->name);
	s->dirty = false;
	return 0;
}

/* What is registered is so by a name that this decides. */
static bool nobody_registered(const struct attr *a, void *obj, struct errmsg *err)
{
	struct lu *lu = ((struct storage *)obj)->lu;

	if (!pr_count(lu))
		return true;
	errmsg_set(err, -EBUSY,
		"%s: cannot change while initiators are registered with %s: clear their "
		"registrations first",
		a->name, lu->name);
	return false;
}

/* ---- getters and setters --------------------------------------------------------------------- */

static void mark_written(struct storage *s, const struct attr *a);

static int get_field(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, &((struct storage *)obj)->lu->attribs, out);
}

static int store(struct storage *s, const struct attr *a, uint32_t value, struct errmsg *err)
{
	uint32_t *at = (uint32_t *)((char *)&s->lu->attribs + a->offset);

	mark_written(s, a);
	if (*at == value)
		return 0;
	*at = value;
	return storage_changed(s, err);
}

static int set_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, a->min, a->max ? a->max : UINT32_MAX, &v, err);

	return r ? r : store(obj, a, (uint32_t)v, err);
}

static int set_switch(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	bool v;
	int r = attr_parse_bool(a, value, &v, err);

	return r ? r : store(obj, a, v, err);
}

/* Values that are what they are: a->min. */
static int get_fixed(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%" PRIu64, a->min);
	return 0;
}

static int set_fixed(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	bool v;
	int r = attr_parse_bool(a, value, &v, err);

	if (r)
		return r;
	if (v == a->min)
		return 0;
	return errmsg_set(err, -ENOSYS, "%s: is always %" PRIu64, a->name, a->min);
}

/* Deprecated in LIO: accepts anything, changes nothing. */
static int set_ignored(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return 0;
}

static int set_block_size(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	struct ulio_backstore_info info = { .size = sizeof(info) };
	uint64_t v;
	int r = attr_parse_u64(a, value, 512, 4096, &v, err);

	if (r || v & (v - 1))
		return errmsg_set(err, r ? r : -EINVAL,
			"block_size: \"%.32s\" is none of 512, 1024, 2048, 4096", value);
	if (s->lu->bs)
		backstore_info(s->lu->bs, &info);
	if (v < info.block_bytes)
		return errmsg_set(err, -EINVAL,
			"block_size: the disk cannot access less than %u bytes: use %u or more",
			info.block_bytes, info.block_bytes);
	return store(s, a, (uint32_t)v, err);
}

static bool can_unmap(const struct storage *s)
{
	struct ulio_backstore_info info = { .size = sizeof(info) };

	if (!s->lu->bs)
		return true; /* it will be seen when the disk is opened */
	backstore_info(s->lu->bs, &info);
	return info.flags & ULIO_INFO_DISCARD;
}

static int set_unmap(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	bool v;
	int r = attr_parse_bool(a, value, &v, err);

	if (r)
		return r;
	if (v && !can_unmap(obj))
		return errmsg_set(err, -ENOSYS, "%s: the disk cannot give space back", a->name);
	return store(obj, a, v, err);
}

/*
 * WCE says what the disk does and is no choice: before it is opened this chooses, for a file, how;
 * for a block device it is not shown, as in LIO.
 */
static int set_write_cache(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	const char *hba = s->hba->kind->hba;
	bool v;
	int r = attr_parse_bool(a, value, &v, err);

	if (r)
		return r;
	if (!s->enabled && !strcmp(hba, "fileio")) {
		s->buffered |= v;
		return store(s, a, v, err);
	}
	if (v == (bool)s->lu->attribs.emulate_write_cache)
		return 0;
	return errmsg_set(err, -EINVAL,
		"emulate_write_cache: follows from how the disk was opened: it stays %u%s",
		s->lu->attribs.emulate_write_cache,
		strcmp(hba, "fileio") ? ""
				      : "; make the storage object with or without write_back");
}

static int set_queue_depth(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return set_number(a, obj, value, err);
}

static int get_hw_max_sectors(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct storage *s = obj;
	const struct storage_kind *k = s->hba->kind;

	strbuf_printf(out, "%u",
		k->hw_max_bytes ? k->hw_max_bytes / s->lu->attribs.block_size : 4294967288u);
	return 0;
}

static int get_hw_block_size(const struct attr *a, void *obj, struct strbuf *out)
{
	struct ulio_backstore_info info = { .size = sizeof(info), .block_bytes = 512 };
	struct storage *s = obj;

	if (s->lu->bs)
		backstore_info(s->lu->bs, &info);
	strbuf_printf(out, "%u", info.block_bytes);
	return 0;
}

static int set_pi_type(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 3, &v, err);

	if (r || !v)
		return r;
	return errmsg_set(
		err, -ENOSYS, "%s: protection information is not served: 0 is possible", a->name);
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define F(field) .offset = offsetof(struct lu_attribs, field)
#define SWITCH(field, text)                                                                        \
	{                                                                                          \
		.name = #field, .get = get_field, .set = set_switch, F(field), .doc = text,        \
	}
#define EXPORTED_SWITCH(field, text)                                                               \
	{                                                                                          \
		.name = #field, .get = get_field, .set = set_switch, F(field), .doc = text,        \
		.may_set = storage_not_exported,                                                   \
	}
#define NUMBER(field, text)                                                                        \
	{                                                                                          \
		.name = #field, .get = get_field, .set = set_number, F(field), .doc = text,        \
	}
#define FIXED(n, value, setter, text)                                                              \
	{                                                                                          \
		.name = n, .get = get_fixed, .set = setter, .min = value, .doc = text,             \
	}
#define SHOWN(n, value, text)                                                                      \
	{                                                                                          \
		.name = n, .get = get_fixed, .min = value, .doc = text,                            \
	}

static const struct attr attrib_rows[] = {
	FIXED("alua_support", 1, set_fixed, "Kept for LIO's files: always 1."),
	{ .name = "block_size",
		.get = get_field,
		.set = set_block_size,
		.may_set = storage_not_exported,
		F(block_size),
		.doc = "Logical block length in bytes: 512, 1024, 2048 or 4096." },
	SWITCH(emulate_3pc, "EXTENDED COPY, which is not served yet: no effect."),
	SWITCH(emulate_caw, "COMPARE AND WRITE."),
	FIXED("emulate_dpo", 1, set_ignored, "Kept for LIO's files: no effect."),
	FIXED("emulate_fua_read", 1, set_ignored, "Kept for LIO's files: no effect."),
	SWITCH(emulate_fua_write, "Force unit access of writes."),
	EXPORTED_SWITCH(
		emulate_model_alias, "PRODUCT IDENTIFICATION is the name of the storage object."),
	SWITCH(emulate_pr,
		"Persistent reservations, RESERVE and RELEASE; 0: they are unknown commands, and "
		"nothing that was reserved is heeded."),
	FIXED("emulate_rest_reord", 0, set_fixed, "Kept for LIO's files: always 0."),
	SWITCH(emulate_rsoc, "REPORT SUPPORTED OPERATION CODES."),
	EXPORTED_SWITCH(emulate_tas, "Aborted commands end with TASK ABORTED for other nexuses."),
	{ .name = "emulate_tpu",
		.get = get_field,
		.set = set_unmap,
		F(emulate_tpu),
		.doc = "UNMAP." },
	{ .name = "emulate_tpws",
		.get = get_field,
		.set = set_unmap,
		F(emulate_tpws),
		.doc = "WRITE SAME with UNMAP." },
	{ .name = "emulate_ua_intlck_ctrl",
		.get = get_field,
		.set = set_number,
		.may_set = storage_not_exported,
		F(emulate_ua_intlck_ctrl),
		.max = 2,
		.doc = "Kept for LIO's files (0, 1 or 2): no effect yet." },
	{ .name = "emulate_write_cache",
		.get = get_field,
		.set = set_write_cache,
		F(emulate_write_cache),
		.doc = "A file is written through its cache (WCE); decided when it is opened." },
	{ .name = "enforce_pr_isids",
		.get = get_field,
		.set = set_switch,
		.may_set = nobody_registered,
		F(enforce_pr_isids),
		.doc = "Registrations are of initiator ports, name and ISID; 0: of initiators, by "
		       "whatever port they come." },
	EXPORTED_SWITCH(force_pr_aptpl,
		"Every registration outlives a restart, whether its initiator asks for it (APTPL) "
		"or not."),
	{ .name = "hw_block_size",
		.get = get_hw_block_size,
		.doc = "Smallest access of the disk in bytes." },
	{ .name = "hw_max_sectors",
		.get = get_hw_max_sectors,
		.doc = "Longest access of the disk in blocks, as LIO says it." },
	SHOWN("hw_pi_prot_type", 0, "Protection information of the disk."),
	SHOWN("hw_queue_depth", 65536, "Commands that the disk takes at once."),
	SWITCH(is_nonrot, "The medium does not rotate."),
	NUMBER(max_unmap_block_desc_count, "UNMAP: descriptors in a command."),
	NUMBER(max_unmap_lba_count, "UNMAP: blocks in a command."),
	NUMBER(max_write_same_len, "WRITE SAME: blocks in a command, 0: any."),
	{ .name = "optimal_sectors",
		.get = get_field,
		.set = set_number,
		.may_set = storage_not_exported,
		F(optimal_sectors),
		.doc = "Best length of a transfer in blocks." },
	FIXED("pgr_support", 1, set_fixed, "Kept for LIO's files: always 1."),
	FIXED("pi_prot_format", 0, set_fixed, "Kept for LIO's files: always 0."),
	FIXED("pi_prot_type", 0, set_pi_type, "Protection information: 0, none."),
	FIXED("pi_prot_verify", 0, set_ignored, "Kept for LIO's files: no effect."),
	{ .name = "queue_depth",
		.get = get_field,
		.set = set_queue_depth,
		.may_set = storage_not_exported,
		F(queue_depth),
		.min = 1,
		.max = 65536,
		.doc = "Commands at once, as LIO says it." },
	FIXED("submit_type", 0, set_ignored, "Kept for LIO's files: no effect."),
	NUMBER(unmap_granularity, "UNMAP: best in multiples of so many blocks."),
	NUMBER(unmap_granularity_alignment, "UNMAP: first block of such a multiple."),
	{ .name = "unmap_zeroes_data",
		.get = get_field,
		.set = set_unmap,
		.may_set = storage_not_exported,
		F(unmap_zeroes_data),
		.doc = "Unmapped blocks read as zeroes, if the disk can promise that." },
	ATTR_END,
};

const struct node_type storage_attrib_type = {
	.name = "attributes",
	.doc = "What the logical unit offers.",
	.attrs = attrib_rows,
};

_Static_assert(sizeof(attrib_rows) / sizeof(attrib_rows[0]) <= 64, "storage.written has 64 bits");

static void mark_written(struct storage *s, const struct attr *a)
{
	if (!s->enabled)
		s->written |= UINT64_C(1) << (a - attrib_rows);
}

/* ---- when the disk comes --------------------------------------------------------------------- */

int storage_attach(struct storage *s, struct backstore *bs, struct errmsg *err)
{
	struct ulio_backstore_info info = { .size = sizeof(info) };
	struct lu_attribs *now = &s->lu->attribs, before = *now;
	const struct attr *a;
	int r;

	backstore_info(bs, &info);
	lu_attribs_default(now, s->hba->kind->hba, bs);
	/* What is not in attrib/ stays as it was set. */
	now->removable = before.removable;
	now->read_only = before.read_only;
	now->company_id = before.company_id;
	memcpy(now->vendor_id, before.vendor_id, sizeof(now->vendor_id));
	memcpy(now->product_id, before.product_id, sizeof(now->product_id));
	memcpy(now->revision, before.revision, sizeof(now->revision));
	memcpy(now->unit_serial, before.unit_serial, sizeof(now->unit_serial));
	attr_for_each (a, attrib_rows) {
		if (a->get == get_field && s->written >> (a - attrib_rows) & 1)
			memcpy((char *)now + a->offset, (char *)&before + a->offset,
				sizeof(uint32_t));
	}
	if (!(info.flags & ULIO_INFO_DISCARD) && (now->emulate_tpu || now->emulate_tpws)) {
		log_obj(LOG_LEVEL_WARN, "engine", s->lu->name,
			"its disk cannot give space back: UNMAP is not offered");
		now->emulate_tpu = now->emulate_tpws = now->unmap_zeroes_data = 0;
	}
	/* Not a choice, and for block devices not shown. */
	now->emulate_write_cache =
		info.flags & ULIO_INFO_VOLATILE_CACHE && strcmp(s->hba->kind->hba, "iblock") != 0;
	r = lu_attach(s->lu, bs, err);
	if (r)
		*now = before;
	else
		s->dirty = false;
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_attrib.c: attrib/ of a storage object, with LIO's names, defaults and refusals. Each
 * attribute accepts the value that LIO shows for the same disk, so that its saved files load
 * without complaint; what decides what is on the wire is checked against what the disk can do.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

/* Likewise, but it must be a switch. */
static int set_ignored_switch(
	const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	bool v;

	return attr_parse_bool(a, value, &v, err);
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
	r = store(s, a, (uint32_t)v, err);
	if (!r && s->lu->attribs.optimal_sectors > storage_hw_max_sectors(s)) {
		s->lu->attribs.optimal_sectors = storage_hw_max_sectors(s);
		r = storage_changed(s, err);
	}
	return r;
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
		s->write_back = v;
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

enum {
	HW_QUEUE_DEPTH = 128, /* of all but block devices, as LIO */
	QUEUE_DEPTH_MAX = 65536,
};

/* Of a block device its own. */
static uint32_t hw_queue_depth(const struct storage *s)
{
	char path[128];
	unsigned depth = 0;
	struct stat st;
	FILE *f;

	if (strcmp(s->hba->kind->hba, "iblock") != 0 || !s->lu->bs || !s->dev ||
		stat(s->dev, &st) || !S_ISBLK(st.st_mode))
		return HW_QUEUE_DEPTH;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/nr_requests", major(st.st_rdev),
		minor(st.st_rdev));
	f = fopen(path, "re");
	if (!f)
		return HW_QUEUE_DEPTH;
	if (fscanf(f, "%u", &depth) != 1)
		depth = 0;
	fclose(f);
	return depth ? depth : HW_QUEUE_DEPTH;
}

static int get_hw_queue_depth(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", hw_queue_depth(obj));
	return 0;
}

static int set_queue_depth(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	/* What the disk takes is known when it is open; LIO's files have up to that of theirs. */
	uint32_t most = s->enabled ? hw_queue_depth(s) : QUEUE_DEPTH_MAX;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT32_MAX, &v, err);

	if (!r && (!v || v > most))
		return errmsg_set(err, -EINVAL, "queue_depth: %" PRIu64 " is not from 1 to %u%s", v,
			most, s->enabled ? ", the hw_queue_depth" : "");
	if (r)
		return r;
	s->depth_set = true;
	return store(s, a, (uint32_t)v, err);
}

uint32_t storage_hw_max_sectors(const struct storage *s)
{
	uint32_t most = s->hba->kind->hw_max_bytes;

	if (s->user.hw_max_sectors)
		return s->user.hw_max_sectors;
	return most ? most / s->lu->attribs.block_size : 4294967288u;
}

static int get_hw_max_sectors(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", storage_hw_max_sectors(obj));
	return 0;
}

static int set_optimal(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT32_MAX, &v, err);

	if (!r && s->enabled && v > storage_hw_max_sectors(s))
		return errmsg_set(err, -EINVAL,
			"optimal_sectors: %" PRIu64 " is more than hw_max_sectors, %u", v,
			storage_hw_max_sectors(s));
	return r ? r : store(s, a, (uint32_t)v, err);
}

static int set_submit_type(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT32_MAX, &v, err);

	if (!r && v > 2)
		r = errmsg_set(err, v > UINT8_MAX ? -ERANGE : -EINVAL,
			"submit_type: %" PRIu64 " is not 0, 1 or 2", v);
	return r;
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
#include "engine/storage_attrib.tbl.h"
	ATTR_END,
};

static const struct attr user_rows[] = {
#include "engine/storage_attrib.tbl.h"
	/* LIO's own of this kind. */
	{ .name = "cmd_ring_size_mb",
		.get = storage_get_user_number,
		.offset = offsetof(struct storage, user.cmd_ring_size_mb),
		.doc = "Kept for LIO's tools, by control: there is no ring." },
	{ .name = "cmd_time_out",
		.get = storage_get_user_number,
		.set = storage_set_user_number,
		.may_set = storage_not_exported,
		.offset = offsetof(struct storage, user.cmd_time_out),
		.max = UINT32_MAX / 1000,
		.doc = "Kept for LIO's tools, in seconds: no effect." },
	{ .name = "data_pages_per_blk",
		.get = storage_get_user_number,
		.offset = offsetof(struct storage, user.data_pages_per_blk),
		.doc = "Kept for LIO's tools, by control: there is no ring." },
	{ .name = "dev_config",
		.get = storage_get_user_config,
		.set = storage_set_user_config,
		.flags = ATTR_EMPTY_LINE,
		.doc = "What the disk is, as dev_config= in control; stays once it is enabled." },
	{ .name = "dev_size",
		.get = storage_get_user_size,
		.set = storage_set_user_size,
		.doc = "Size in bytes; may be set while LUNs show it, but not to less." },
	{ .name = "max_data_area_mb",
		.get = storage_get_user_number,
		.offset = offsetof(struct storage, user.max_data_area_mb),
		.doc = "Kept for LIO's tools, by control: there is no ring." },
	{ .name = "nl_reply_supported",
		.get = storage_get_user_reply,
		.set = storage_set_user_reply,
		.doc = "Kept for LIO's tools, -128 to 127: no effect." },
	{ .name = "qfull_time_out",
		.get = storage_get_user_qfull,
		.set = storage_set_user_qfull,
		.doc = "Kept for LIO's tools, in seconds, -1: by itself: no effect." },
	{ .name = "tmr_notification",
		.get = storage_get_user_number,
		.set = storage_set_user_number,
		.offset = offsetof(struct storage, user.tmr_notification),
		.max = 1,
		.doc = "Kept for LIO's tools: no effect." },
	ATTR_END,
};

const struct node_type storage_attrib_type = {
	.name = "attributes",
	.doc = "What the logical unit offers.",
	.attrs = attrib_rows,
};

const struct node_type storage_user_attrib_type = {
	.name = "attributes",
	.doc = "What the logical unit offers.",
	.attrs = user_rows,
};

/* A bit for each number in struct lu_attribs. */
_Static_assert(offsetof(struct lu_attribs, read_only) / sizeof(uint32_t) < 64,
	"storage.written has 64 bits");

static void mark_written(struct storage *s, const struct attr *a)
{
	if (!s->enabled)
		s->written |= UINT64_C(1) << (a->offset / sizeof(uint32_t));
}

/* ---- when the disk comes --------------------------------------------------------------------- */

int storage_attach(struct storage *s, struct backstore *bs, struct errmsg *err)
{
	struct ulio_backstore_info info = { .size = sizeof(info) };
	struct lu_attribs *now = &s->lu->attribs, before = *now;
	int r;

	backstore_info(bs, &info);
	if (s->user.hw_block_size && s->user.hw_block_size < info.block_bytes)
		return errmsg_set(err, -EINVAL,
			"enable: hw_block_size=%u: the disk cannot access less than %u bytes",
			s->user.hw_block_size, info.block_bytes);
	lu_attribs_default(now, s->hba->kind->hba, bs);
	/* What is not in attrib/ stays as it was set. */
	now->removable = before.removable;
	now->read_only = before.read_only;
	now->company_id = before.company_id;
	memcpy(now->vendor_id, before.vendor_id, sizeof(now->vendor_id));
	memcpy(now->product_id, before.product_id, sizeof(now->product_id));
	memcpy(now->revision, before.revision, sizeof(now->revision));
	memcpy(now->unit_serial, before.unit_serial, sizeof(now->unit_serial));
	now->queue_depth = hw_queue_depth(s);
	if (s->user.hw_block_size)
		now->block_size = s->user.hw_block_size;
	now->optimal_sectors = LU_MAX_TRANSFER_BYTES / now->block_size;
	if (now->optimal_sectors > storage_hw_max_sectors(s))
		now->optimal_sectors = storage_hw_max_sectors(s);
	for (size_t i = 0; i < 64; i++) {
		size_t offset = i * sizeof(uint32_t);

		if (s->written >> i & 1)
			memcpy((char *)now + offset, (char *)&before + offset, sizeof(uint32_t));
	}
	/* Written when it was not known what the disk takes. */
	if (now->queue_depth > hw_queue_depth(s))
		now->queue_depth = hw_queue_depth(s);
	if (now->optimal_sectors > storage_hw_max_sectors(s))
		now->optimal_sectors = storage_hw_max_sectors(s);
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

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_user.c: what LIO has only where a disk is served by a program in user space: attributes
 * in attrib/, and action/. Here the plugin named in dev_config serves it: there is no ring to it
 * and no program beside the daemon, so most of this is only kept for LIO's tools.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/storage_priv.h"

enum { USER_CONFIG_MAX = 255 }; /* as in LIO */

void storage_user_default(struct storage_user *u)
{
	*u = (struct storage_user){
		.max_data_area_mb = 1024,
		.data_pages_per_blk = 1,
		.cmd_ring_size_mb = 8,
		.cmd_time_out = 30,
		.qfull_time_out = -1,
	};
}

/* ---- attrib/ --------------------------------------------------------------------------------- */

int storage_get_user_number(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, obj, out);
}

int storage_set_user_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return attr_set_u32(a, obj, value, err);
}

int storage_get_user_qfull(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%" PRId32, ((struct storage *)obj)->user.qfull_time_out);
	return 0;
}

int storage_set_user_qfull(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int64_t v;
	int r = attr_parse_s64(a, value, -1, INT32_MAX, &v, err);

	if (!r)
		((struct storage *)obj)->user.qfull_time_out = (int32_t)v;
	return r;
}

int storage_get_user_reply(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%d", ((struct storage *)obj)->user.nl_reply_supported);
	return 0;
}

int storage_set_user_reply(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int64_t v;
	int r = attr_parse_s64(a, value, INT8_MIN, INT8_MAX, &v, err);

	if (!r)
		((struct storage *)obj)->user.nl_reply_supported = (int8_t)v;
	return r;
}

int storage_get_user_config(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct storage *s = obj;

	strbuf_puts(out, s->dev ? s->dev : "");
	return 0;
}

int storage_set_user_config(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	char *copy;

	if (strlen(value) > USER_CONFIG_MAX)
		return errmsg_set(
			err, -EINVAL, "dev_config: at most %d bytes are possible", USER_CONFIG_MAX);
	if (s->dev && !strcmp(s->dev, value))
		return 0;
	if (s->enabled)
		return errmsg_set(err, -EINVAL,
			"dev_config: is decided before the disk is opened: remove %s and make it "
			"anew",
			s->lu->name);
	if (!*value)
		return errmsg_set(err, -EINVAL, "dev_config: must not be empty");
	copy = strdup(value);
	if (!copy)
		return errmsg_set(err, -ENOMEM, "dev_config: out of memory");
	free(s->dev);
	s->dev = copy;
	return 0;
}

int storage_get_user_size(const struct attr *a, void *obj, struct strbuf *out)
{
	struct storage *s = obj;
	struct lu_conf conf;

	lu_get_conf(s->lu, &conf);
	strbuf_printf(out, "%" PRIu64, storage_size_bytes(s, &conf));
	return 0;
}

int storage_set_user_size(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	struct lu_conf conf;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT64_MAX, &v, err);

	if (r)
		return r;
	lu_get_conf(s->lu, &conf);
	if (s->enabled && v != storage_size_bytes(s, &conf)) {
		r = v ? lu_resize(s->lu, v, false, err)
		      : errmsg_set(err, -EINVAL, "dev_size: 0 bytes are no disk");
		if (r)
			return r;
	}
	s->size_bytes = v;
	return 0;
}

/* ---- action/ --------------------------------------------------------------------------------- */

static int get_block(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, "unblocked");
	return 0;
}

static int set_block(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	if (r || !v)
		return r;
	return errmsg_set(err, -ENOSYS,
		"%s: there are no messages to a program beside the daemon that could be held back",
		a->name);
}

static int set_no_ring(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, a->min, a->max, &v, err);

	if (!r && !s->enabled)
		return errmsg_set(err, -ENODEV, "%s: %s has no disk yet", a->name, s->lu->name);
	return r ? r
		 : errmsg_set(err, -ENOSYS, "%s: %s has no ring to a program in user space",
			   a->name, s->lu->name);
}

static const struct attr action_rows[] = {
	{ .name = "block_dev",
		.get = get_block,
		.set = set_block,
		.flags = ATTR_UNSAVED,
		.doc = "Kept for LIO's tools: unblocked; 0 may be written." },
	{ .name = "free_kept_buf",
		.set = set_no_ring,
		.max = UINT16_MAX,
		.flags = ATTR_UNSAVED,
		.doc = "Kept for LIO's tools: refused, there is no ring." },
	{ .name = "reset_ring",
		.set = set_no_ring,
		.min = 1,
		.max = 2,
		.flags = ATTR_UNSAVED,
		.doc = "Kept for LIO's tools: refused, there is no ring." },
	ATTR_END,
};

const struct node_type storage_user_action_type = {
	.name = "actions",
	.doc = "Orders to a program that serves the disk.",
	.attrs = action_rows,
};

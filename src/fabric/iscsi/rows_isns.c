/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_isns.c: /isns: the iSNS servers that are told of the targets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/isns.h"
#include "fabric/iscsi/rows_priv.h"

/* While the daemon ends there is no client any more. */
static const struct isns_settings *settings_of(void *obj)
{
	static const struct isns_settings none;
	const struct entity *e = obj;

	return e->isns ? isns_settings(e->isns) : &none;
}

static int get_text(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_str(a, (void *)settings_of(obj), out);
}

static int get_number(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, (void *)settings_of(obj), out);
}

static int set(const struct attr *a, void *obj, const char *value, struct errmsg *err,
	int (*parse)(const struct attr *a, void *to, const char *value, struct errmsg *err))
{
	struct entity *e = obj;
	struct isns_settings s = *settings_of(obj);
	int r;

	if (!e->isns)
		return errmsg_set(err, -EBUSY, "%s: the daemon is ending", a->name);
	r = parse(a, &s, value, err);
	return r ? r : isns_configure(e->isns, &s, err);
}

static int set_text(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return set(a, obj, value, err, attr_set_str);
}

static int set_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return set(a, obj, value, err, attr_set_u32);
}

static int get_state(const struct attr *a, void *obj, struct strbuf *out)
{
	struct isns_server_info *info = calloc(ISNS_SERVERS_MAX, sizeof(*info));
	struct entity *e = obj;
	unsigned n;

	if (!info)
		return -ENOMEM;
	n = e->isns ? isns_info(e->isns, info) : 0;
	for (unsigned i = 0; i < n; i++)
		strbuf_printf(out, "%s%s %s, targets %u, portals %u%s%s", i ? "\n" : "",
			info[i].address, info[i].state, info[i].targets, info[i].portals,
			*info[i].error ? "; " : "", info[i].error);
	free(info);
	return 0;
}

static const struct attr isns_attrs[] = {
	{ .name = "servers",
		.get = get_text,
		.set = set_text,
		.offset = offsetof(struct isns_settings, servers),
		.max = sizeof(((struct isns_settings *)0)->servers),
		.doc = "iSNS servers that are told of the targets (RFC 4171): addresses, with a "
		       "port if it is not 3205, separated by commas; empty: none." },
	{ .name = "entity",
		.get = get_text,
		.set = set_text,
		.offset = offsetof(struct isns_settings, entity),
		.max = sizeof(((struct isns_settings *)0)->entity),
		.doc = "Name of this host there, its entity identifier; no other host may have it. "
		       "Empty: the host's name." },
	{ .name = "period",
		.get = get_number,
		.set = set_number,
		.offset = offsetof(struct isns_settings, period_s),
		.max = 31536000,
		.doc = "Seconds that a registration lasts after the last sign of life, which is "
		       "sent three times as often; 0: until it is withdrawn." },
	{ .name = "esi_interval",
		.get = get_number,
		.set = set_number,
		.offset = offsetof(struct isns_settings, esi_interval_s),
		.max = 86400,
		.doc = "Seconds between a server's questions whether each portal is alive (entity "
		       "status inquiry); 0: it does not ask." },
	STAT("state", get_state, "The servers, one a line, and how it goes with each."),
	ATTR_END,
};

const struct node_type isns_type = {
	.name = "iSNS",
	.doc = "Registration of the targets with iSNS servers.",
	.ours = true,
	.unit = true,
	.attrs = isns_attrs,
};

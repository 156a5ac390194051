/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_portal.c: np/: the portals of a group, and where each sends its logins. */
#include <errno.h>
#include <string.h>

#include "fabric/iscsi/rows_priv.h"

static int get_transport(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_bool(a, obj, out);
}

static int set_transport(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	if (!r && v)
		return errmsg_set(err, -EINVAL, "%s: there is no such transport here", a->name);
	return r;
}

static int get_advertise(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct portal *p = obj;

	strbuf_puts(out, p->advertise ? p->advertise : "");
	return 0;
}

static int set_advertise(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return portal_set_advertise(obj, value, err);
}

static int get_redirect(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct portal *p = obj;

	strbuf_puts(out, p->redirect ? p->redirect : "");
	return 0;
}

static int set_redirect(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return portal_set_redirect(obj, value, err);
}

static int set_permanent(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	return r ? r : portal_set_redirect_permanent(obj, v, err);
}

static int get_number(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, obj, out);
}

static int set_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct engine *eng = ((struct portal *)obj)->tpg->target->entity->eng;
	int r;

	engine_lock(eng);
	r = attr_set_u32(a, obj, value, err);
	engine_unlock(eng);
	return r;
}

static const struct attr portal_attrs[] = {
	{ .name = "cxgbit",
		.get = get_transport,
		.set = set_transport,
		.offset = offsetof(struct portal, offload),
		.doc = "Always 0: there is no offload." },
	{ .name = "iser",
		.get = get_transport,
		.set = set_transport,
		.offset = offsetof(struct portal, iser),
		.doc = "Always 0: there is no iSER." },
	{ .name = "advertise",
		.get = get_advertise,
		.set = set_advertise,
		.flags = ATTR_OURS,
		.doc = "HOST:PORT that initiators are told instead of the address (behind NAT); "
		       "empty: the address." },
	{ .name = "sendtargets",
		.get = get_number,
		.set = set_number,
		.flags = ATTR_OURS,
		.max = 1,
		.offset = offsetof(struct portal, sendtargets),
		.doc = "1: SendTargets tells of this portal; 0: initiators come to it by "
		       "redirection, or know it." },
	{ .name = "redirect",
		.get = get_redirect,
		.set = set_redirect,
		.flags = ATTR_OURS,
		.doc = "Where logins that come by this portal are sent: empty: nowhere; HOST:PORT; "
		       "balance: the least used portal of the group; elsewhere: the same, but "
		       "this one only if there is no other. Sessions that exist stay." },
	{ .name = "redirect_permanent",
		.get = get_number,
		.set = set_permanent,
		.flags = ATTR_OURS,
		.offset = offsetof(struct portal, redirect_permanent),
		.doc = "1: redirect, a HOST:PORT, holds for good (status 0102h); 0: for this login "
		       "(0101h)." },
	ATTR_END,
};

static int portal_rmdir(struct node *node, struct errmsg *err)
{
	return portal_free(node_obj(node), err);
}

const struct node_type portal_type = {
	.name = "portal",
	.doc = "An address that the group listens on.",
	.attrs = portal_attrs,
	.rmdir = portal_rmdir,
};

/* As in LIO: whatever is wrong with the address is EINVAL. */
static int portals_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct tpg *tpg = node_obj(dir), *other;
	struct portal *p, *q;
	int r = portal_new(tpg, name, &p, err);

	if (r)
		return errmsg_set(err, r == -ENOMEM ? r : -EINVAL, "%s", err ? err->text : "");
	list_for_each (other, &tpg->target->tpgs, struct tpg, link) {
		list_for_each (q, &other->portals, struct portal, link) {
			if (other == tpg || !portal_same_place(q, p))
				continue;
			(void)portal_free(p, NULL);
			return errmsg_set(err, -EINVAL,
				"portal group %u of the target has %s already", other->tag, name);
		}
	}
	*ret = (struct node_new){ &portal_type, p };
	return 0;
}

const struct node_type portals_type = {
	.name = "portals",
	.doc = "Addresses of the group: 10.0.0.1:3260, [2001:db8::1]:3260, 0.0.0.0:3260, "
	       "[::]:3260, [fe80::1%eth0]:3260; 10.0.0.1:3260@blue in network namespace blue.",
	.mkdir = portals_mkdir,
};

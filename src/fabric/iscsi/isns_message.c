/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_message.c: the requests of an iSNS client (RFC 4171 5.6.5). */
#include <netinet/in.h>
#include <string.h>

#include "fabric/iscsi/isns_priv.h"

/* 5.6.1: who asks; one of our targets that is registered, or is with this message. */
static void put_source(const struct isns_server *s, struct strbuf *b, const struct isns_snap *of)
{
	isns_put_text(b, ISNS_ISCSI_NAME, of->targets[0].name);
}

static void put_delimiter(struct strbuf *b)
{
	isns_put(b, ISNS_DELIMITER, NULL, 0);
}

/* The address that a portal is registered with; false: this server cannot be told of it. */
static bool resolve(const struct isns_server *s, const struct isns_snap *of, uint32_t i,
	struct sockaddr_storage *ret)
{
	const struct sockaddr_storage *addr = &of->portals[i].addr;
	uint16_t port = address_port(addr);

	*ret = *addr;
	if (!address_is_any(addr))
		return true;
	if (address_family(&s->local) != addr->ss_family)
		return false;
	*ret = s->local;
	if (ret->ss_family == AF_INET6)
		((struct sockaddr_in6 *)ret)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)ret)->sin_port = htons(port);
	return true;
}

/* Whether this server is to know a portal at that address, whatever it is called here. */
static bool is_wanted(const struct isns_server *s, const struct sockaddr_storage *at)
{
	struct sockaddr_storage any = { .ss_family = (sa_family_t)address_family(at) };

	if (isns_snap_has_portal(s->wanted, at))
		return true;
	if (!address_same_host(at, &s->local))
		return false;
	if (any.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&any)->sin6_port = htons(address_port(at));
	else
		((struct sockaddr_in *)&any)->sin_port = htons(address_port(at));
	return isns_snap_has_portal(s->wanted, &any);
}

/* A message is ended when it has no room any more. */
static bool has_room(const struct strbuf *b)
{
	return b->len < ISNS_MESSAGE_BYTES;
}

static void put_portal(struct strbuf *b, enum isns_tag address, enum isns_tag port,
	const struct sockaddr_storage *at)
{
	isns_put_address(b, address, at);
	isns_put_u32(b, port, address_port(at)); /* 6.3.2: bit 16 clear: TCP */
}

/* 6.3: a portal, and where the server asks and tells us: at the same address. */
static void put_portal_object(
	const struct isns_server *s, struct strbuf *b, const struct sockaddr_storage *at)
{
	const struct isns *in = s->isns;
	const struct isns_port *p = &in->ports[address_family(at) == AF_INET6];

	put_portal(b, ISNS_PORTAL_ADDRESS, ISNS_PORTAL_PORT, at);
	if (p->fd < 0)
		return;
	if (in->settings.esi_interval_s && !s->no_esi) {
		isns_put_u32(b, ISNS_ESI_INTERVAL, in->settings.esi_interval_s);
		isns_put_u32(b, ISNS_ESI_PORT, p->port);
	}
	isns_put_u32(b, ISNS_SCN_PORT, p->port);
}

static void put_entity(const struct isns_server *s, struct strbuf *b)
{
	isns_put_text(b, ISNS_ENTITY_ID, s->eid);
	isns_put_u32(b, ISNS_ENTITY_PROTOCOL, ISNS_ENTITY_PROTOCOL_ISCSI);
	if (s->isns->settings.period_s)
		isns_put_u32(b, ISNS_REGISTRATION_PERIOD, s->isns->settings.period_s);
}

/* 6.4: a target. */
static void put_node(struct strbuf *b, const struct isns_snap_target *t)
{
	isns_put_text(b, ISNS_ISCSI_NAME, t->name);
	isns_put_u32(b, ISNS_ISCSI_NODE_TYPE, ISNS_NODE_TARGET);
	if (*t->alias)
		isns_put_text(b, ISNS_ISCSI_ALIAS, t->alias);
}

/*
 * A target, and the tag of its group at its portals (6.5) from *member on: one at least, and as
 * many as there is room for. True: those are all.
 */
static bool put_target(const struct isns_server *s, struct strbuf *b,
	const struct isns_snap_target *t, uint32_t *member)
{
	struct sockaddr_storage at;

	put_node(b, t);
	do {
		const struct isns_snap_member *m = &s->wanted->members[t->first + *member];

		if (!resolve(s, s->wanted, m->portal, &at))
			continue;
		isns_put_text(b, ISNS_PG_ISCSI_NAME, t->name);
		put_portal(b, ISNS_PG_PORTAL_ADDRESS, ISNS_PG_PORTAL_PORT, &at);
		isns_put_u32(b, ISNS_PG_TAG, m->tag);
	} while (++*member < t->n && has_room(b));
	return *member == t->n;
}

/* Whether the server knows the target as it is. */
static bool is_known(const struct isns_server *s, const struct isns_snap_target *t)
{
	return !s->full && isns_snap_same_target(s->wanted, t, s->done);
}

/* The portals from *i on that the server does not know: as many as there is room for. */
static bool put_portals(const struct isns_server *s, struct strbuf *b, uint32_t *i)
{
	const struct isns_snap *w = s->wanted;
	struct sockaddr_storage at;
	bool any = false;

	for (; *i < w->nportals && has_room(b); ++*i) {
		if (!resolve(s, w, *i, &at) ||
			(!s->full && isns_snap_has_portal(s->done, &w->portals[*i].addr)))
			continue;
		put_portal_object(s, b, &at);
		any = true;
	}
	return any;
}

/*
 * 5.6.5.1 DevAttrReg: the entity, then its portals, then its targets, in as many messages as that
 * takes. All but the first add to the entity, whose identifier is the key of each.
 */
static int message_register(
	const struct isns_server *s, struct strbuf *b, struct isns_cursor *ret_next)
{
	const struct isns_snap *w = s->wanted;
	struct isns_cursor at = s->next;
	bool first = at.i == 0, replace = first && s->full && !s->ever, any = first;

	isns_begin(b, ISNS_DEV_ATTR_REG, ISNS_FLAG_CLIENT | (replace ? ISNS_FLAG_REPLACE : 0),
		s->transaction);
	put_source(s, b, w);
	isns_put_text(b, ISNS_ENTITY_ID, s->eid);
	put_delimiter(b);
	if (first)
		put_entity(s, b);
	any = put_portals(s, b, &at.i) || any;
	if (first && at.i < w->nportals)
		put_node(b, &w->targets[0]); /* 5.6.1: who asks must be there */
	while (at.i >= w->nportals && at.i - w->nportals < w->ntargets && (has_room(b) || !any)) {
		const struct isns_snap_target *t = &w->targets[at.i - w->nportals];
		bool known = is_known(s, t);

		any = any || !known;
		if (known || put_target(s, b, t, &at.member))
			at = (struct isns_cursor){ .i = at.i + 1 };
	}
	*ret_next = at;
	return any;
}

/* 5.6.5.4 DevDereg: what the server knows and is not any more. */
static int message_deregister(
	const struct isns_server *s, struct strbuf *b, struct isns_cursor *ret_next)
{
	const struct isns_snap *d = s->done;
	struct sockaddr_storage at;
	uint32_t i = s->next.i;
	bool any = false;

	if (!d)
		return 0;
	isns_begin(b, ISNS_DEV_DEREG, ISNS_FLAG_CLIENT, s->transaction);
	put_source(s, b, s->wanted);
	put_delimiter(b);
	for (; i < d->ntargets && b->len < ISNS_MESSAGE_BYTES; i++) {
		if (isns_snap_has_target(s->wanted, d->targets[i].name))
			continue;
		isns_put_text(b, ISNS_ISCSI_NAME, d->targets[i].name);
		any = true;
	}
	for (; i < d->ntargets + d->nportals && b->len < ISNS_MESSAGE_BYTES; i++) {
		/* 10.0.0.1 in place of 0.0.0.0 may be what that was registered as. */
		if (!resolve(s, d, i - d->ntargets, &at) || is_wanted(s, &at))
			continue;
		put_portal(b, ISNS_PORTAL_ADDRESS, ISNS_PORTAL_PORT, &at);
		any = true;
	}
	*ret_next = (struct isns_cursor){ .i = i };
	return any;
}

/* 5.6.5.5 SCNReg, one for each target: initiators of its domains, and itself. */
static int message_scn(const struct isns_server *s, struct strbuf *b, struct isns_cursor *ret_next)
{
	const struct isns_snap *w = s->wanted;
	uint32_t i = s->next.i;

	while (i < w->ntargets && !s->full && s->done &&
		isns_snap_has_target(s->done, w->targets[i].name))
		i++;
	if (i >= w->ntargets || (s->isns->ports[0].fd < 0 && s->isns->ports[1].fd < 0))
		return 0;
	isns_begin(b, ISNS_SCN_REG, ISNS_FLAG_CLIENT, s->transaction);
	isns_put_text(b, ISNS_ISCSI_NAME, w->targets[i].name);
	isns_put_text(b, ISNS_ISCSI_NAME, w->targets[i].name);
	put_delimiter(b);
	isns_put_u32(b, ISNS_ISCSI_SCN_BITMAP,
		ISNS_SCN_INITIATORS_AND_SELF | ISNS_SCN_OBJECT_REMOVED | ISNS_SCN_OBJECT_ADDED |
			ISNS_SCN_OBJECT_UPDATED);
	*ret_next = (struct isns_cursor){ .i = i + 1 };
	return 1;
}

int isns_message(const struct isns_server *s, struct strbuf *b, struct isns_cursor *ret_next)
{
	static int (*const steps[])(
		const struct isns_server *s, struct strbuf *b, struct isns_cursor *ret_next) = {
		[ISNS_STEP_REGISTER] = message_register,
		[ISNS_STEP_DEREGISTER] = message_deregister,
		[ISNS_STEP_SCN] = message_scn,
	};

	return steps[s->step](s, b, ret_next);
}

/* 5.6.5.2 DevAttrQry: whether the entity is there; any message of ours keeps it there. */
void isns_message_query(const struct isns_server *s, struct strbuf *b)
{
	isns_begin(b, ISNS_DEV_ATTR_QRY, ISNS_FLAG_CLIENT, s->transaction);
	put_source(s, b, s->done);
	isns_put_text(b, ISNS_ENTITY_ID, s->eid);
	put_delimiter(b);
	isns_put(b, ISNS_ENTITY_ID, NULL, 0);
}

/* 5.6.5.4: the whole entity. */
void isns_message_leave(const struct isns_server *s, struct strbuf *b)
{
	isns_begin(b, ISNS_DEV_DEREG, ISNS_FLAG_CLIENT, s->transaction);
	put_source(s, b, s->done);
	put_delimiter(b);
	isns_put_text(b, ISNS_ENTITY_ID, s->eid);
}

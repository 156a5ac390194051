/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * redirect.c: portals that send logins to another place (RFC 7143 6.3.1, 11.13.5): one that an
 * administrator has named, for a while or for good; or the least used portal of the group, which
 * spreads sessions over network interfaces. What is counted are sessions by listening socket, so
 * that many targets with few sessions each are spread too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/login.h"
#include "fabric/iscsi/target.h"

/* ---- configuration --------------------------------------------------------------------------- */

/* Whether HOST:PORT is what initiators are told of the portal itself. */
static bool is_itself(const struct portal *p, const char *endpoint)
{
	char own[ADDRESS_TEXT_BYTES];

	address_format(&p->addr, address_port(&p->addr), own, sizeof(own));
	return !strcmp(endpoint, p->advertise ? p->advertise : own);
}

int portal_set_redirect(struct portal *p, const char *text, struct errmsg *err)
{
	enum redirect_kind kind = REDIRECT_NONE;
	char *now, *was;

	if (!strcmp(text, "balance"))
		kind = REDIRECT_BALANCE;
	else if (!strcmp(text, "elsewhere"))
		kind = REDIRECT_ELSEWHERE;
	else if (*text)
		kind = REDIRECT_FIXED;
	if (kind == REDIRECT_FIXED && !address_is_endpoint(text))
		return errmsg_set(err, -EINVAL,
			"redirect: \"%.100s\" is no place: use HOST:PORT (an IPv6 address in "
			"brackets), balance, elsewhere, or nothing",
			text);
	if (kind == REDIRECT_FIXED && is_itself(p, text))
		return errmsg_set(err, -EINVAL,
			"redirect: %.100s is this portal: initiators would run in a circle", text);
	if (kind != REDIRECT_FIXED && kind != REDIRECT_NONE && p->redirect_permanent)
		return errmsg_set(err, -EINVAL,
			"redirect: %s is for the moment only: set redirect_permanent to 0 first",
			text);
	now = *text ? strdup(text) : NULL;
	if (*text && !now)
		return errmsg_set(err, -ENOMEM, "redirect: out of memory");
	engine_lock(p->tpg->target->entity->eng);
	p->redirect_kind = kind;
	was = p->redirect;
	p->redirect = now;
	engine_unlock(p->tpg->target->entity->eng);
	free(was);
	return 0;
}

int portal_set_redirect_permanent(struct portal *p, bool on, struct errmsg *err)
{
	if (on && p->redirect_kind > REDIRECT_FIXED)
		return errmsg_set(err, -EINVAL,
			"redirect_permanent: redirect is %s, which is for the moment only: name "
			"the place as HOST:PORT first",
			p->redirect);
	engine_lock(p->tpg->target->entity->eng);
	p->redirect_permanent = on;
	engine_unlock(p->tpg->target->entity->eng);
	return 0;
}

/* ---- balancing ------------------------------------------------------------------------------- */

/* Logins that were sent to this socket and may still come. */
static uint32_t *coming(struct inlet *in, uint64_t now_ns)
{
	/* Another loop may have noted a time that this one has yet to come to. */
	if (in->sent && now_ns > in->sent_ns && now_ns - in->sent_ns > REDIRECT_ARRIVES_NS)
		in->sent = 0;
	return &in->sent;
}

/* Whether sessions of the portal could go to p. */
static bool takes_others(const struct portal *p, const struct portal *from)
{
	if (p == from)
		return from->redirect_kind == REDIRECT_BALANCE;
	return p->listener &&
	       (p->redirect_kind == REDIRECT_NONE || p->redirect_kind == REDIRECT_BALANCE);
}

/* An address that this host does not have at the moment (IP_FREEBIND) helps nobody. */
static bool is_there(struct conn *conn, const struct portal *p)
{
	return p->advertise || *p->netns || address_is_any(&p->addr) ||
	       loops_has_address(conn->entity->loops, (const struct sockaddr *)&p->addr,
		       address_bytes(&p->addr));
}

static struct portal *least_used(struct conn *conn, struct portal *from)
{
	uint64_t now_ns = loop_now_ns(conn->loop), least = UINT64_MAX;
	struct portal *p, *best = from;
	char endpoint[ENDPOINT_TEXT_BYTES];

	/* With equals the initiator stays where it is. */
	if (from->redirect_kind == REDIRECT_BALANCE)
		least = atomic_load(&from->listener->inlet->nconns) +
			(uint64_t)*coming(from->listener->inlet, now_ns);
	list_for_each (p, &from->tpg->portals, struct portal, link) {
		struct inlet *in = p->listener ? p->listener->inlet : NULL;
		uint64_t load;

		if (p == from || !in || in == from->listener->inlet || !takes_others(p, from))
			continue;
		load = atomic_load(&in->nconns) + (uint64_t)*coming(in, now_ns);
		if (load >= least || !portal_endpoint(p, conn, endpoint, sizeof(endpoint)) ||
			!is_there(conn, p))
			continue;
		best = p;
		least = load;
	}
	return best;
}

static uint16_t balance(struct conn *conn, struct portal *from, struct login_grant *g)
{
	struct inlet *in = from->listener->inlet;
	uint64_t now_ns = loop_now_ns(conn->loop);
	uint32_t *sent = coming(in, now_ns);
	struct portal *to;

	/* Sent here a moment ago: it is not sent on, whatever has changed meanwhile. */
	if (*sent && from->redirect_kind == REDIRECT_BALANCE)
		return LOGIN_STATUS_SUCCESS;
	to = least_used(conn, from);
	if (to == from)
		return LOGIN_STATUS_SUCCESS;
	(void)portal_endpoint(to, conn, g->target_address, sizeof(g->target_address));
	(*coming(to->listener->inlet, now_ns))++;
	to->listener->inlet->sent_ns = now_ns;
	return LOGIN_STATUS_TARGET_MOVED_TEMPORARILY;
}

uint16_t redirect_login(
	struct conn *conn, struct portal *from, const struct login_id *id, struct login_grant *g)
{
	/* 6.3.4: a session has its connections where it is. */
	if (id->tsih)
		return LOGIN_STATUS_SUCCESS;
	switch (from->redirect_kind) {
	case REDIRECT_NONE:
		break;
	case REDIRECT_FIXED:
		strcpy(g->target_address, from->redirect);
		return from->redirect_permanent ? LOGIN_STATUS_TARGET_MOVED_PERMANENTLY
						: LOGIN_STATUS_TARGET_MOVED_TEMPORARILY;
	case REDIRECT_BALANCE:
	case REDIRECT_ELSEWHERE:
		return balance(conn, from, g);
	}
	return LOGIN_STATUS_SUCCESS;
}

/* ---- counting -------------------------------------------------------------------------------- */

void redirect_login_done(struct conn *conn)
{
	struct inlet *in = conn->inlet;

	engine_lock(conn->entity->eng);
	if (*coming(in, loop_now_ns(conn->loop)))
		in->sent--;
	engine_unlock(conn->entity->eng);
	atomic_fetch_add(&in->nconns, 1);
	conn->inlet_counted = true;
}

void redirect_conn_ended(struct conn *conn)
{
	if (conn->inlet_counted)
		atomic_fetch_sub(&conn->inlet->nconns, 1);
	inlet_unref(conn->inlet);
	conn->inlet = NULL;
}

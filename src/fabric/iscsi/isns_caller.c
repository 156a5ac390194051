/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_caller.c: what iSNS servers ask of us, on connections that they make: whether we live (ESI,
 * RFC 4171 5.7.5.13), and that something has changed (SCN, 5.7.5.8). Who calls is not proved, so
 * whatever is said makes us ask the server at most.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/isns_priv.h"
#include "fabric/iscsi/target.h"

/* ---- answers --------------------------------------------------------------------------------- */

static bool is_servers(const struct isns *in, const struct sockaddr_storage *peer)
{
	const struct isns_server *s;

	list_for_each (s, &in->servers, struct isns_server, at)
		if (address_same_host(&s->addr, peer))
			return true;
	return false;
}

/* Of a host with several addresses the call may come from another one: then it is anyone's. */
static struct isns_server *next_server(
	struct isns *in, const struct sockaddr_storage *peer, struct isns_server *after)
{
	bool known = is_servers(in, peer), seen = !after;
	struct isns_server *s;

	list_for_each (s, &in->servers, struct isns_server, at) {
		if (seen && (!known || address_same_host(&s->addr, peer)))
			return s;
		seen |= s == after;
	}
	return NULL;
}

/* 5.7.5.8: to whom, when, then of each change its kind and whom it concerns. */
static void take_scn(
	struct isns *in, const struct sockaddr_storage *peer, const uint8_t *p, size_t n)
{
	struct isns_reader r = { p, n };
	const char *who = NULL, *text;
	bool addressed = false, removed = false;
	uint32_t bits = 0, v;
	struct isns_server *s = NULL;
	struct isns_attr a;

	while (isns_next(&r, &a) > 0) {
		if (a.tag == ISNS_ISCSI_SCN_BITMAP && isns_u32(&a, &v))
			bits = v;
		text = a.tag == ISNS_ISCSI_NAME ? isns_text(&a) : NULL;
		if (!text)
			continue;
		if (addressed) {
			who = text;
			removed |= (bits & ISNS_SCN_OBJECT_REMOVED) && in->now &&
				   isns_snap_has_target(in->now, text);
		}
		addressed = true;
	}
	while ((s = next_server(in, peer, s))) {
		s->info.scns++;
		snprintf(s->info.last_scn, sizeof(s->info.last_scn), "%s%s%s%.223s",
			bits & ISNS_SCN_OBJECT_ADDED ? "added " : "",
			bits & ISNS_SCN_OBJECT_REMOVED ? "removed " : "",
			bits & ISNS_SCN_OBJECT_UPDATED ? "updated " : "", who ? who : "");
		if (removed)
			isns_server_recheck(s);
	}
}

bool isns_answer(struct isns *in, struct isns_link *l, const struct sockaddr_storage *peer,
	const struct isns_header *h, const uint8_t *payload, size_t n)
{
	uint16_t function = be16_get(h->function);
	struct isns_reader r = { payload, n };
	uint32_t status = ISNS_SUCCESS;
	struct isns_server *s = NULL;
	struct isns_attr a;
	struct strbuf b;
	uint8_t word[4];
	bool sent;

	if (function == ISNS_SCN)
		take_scn(in, peer, payload, n);
	else if (function != ISNS_ESI)
		status = ISNS_NOT_SUPPORTED;
	while (function == ISNS_ESI && (s = next_server(in, peer, s)))
		s->info.esis++;
	strbuf_init(&b);
	isns_begin(&b, function | ISNS_RESPONSE, ISNS_FLAG_CLIENT, be16_get(h->transaction));
	put_be32(word, status);
	strbuf_write(&b, word, sizeof(word));
	/* 5.7.5.13: of an ESI all of it comes back; of an SCN whom it was for (5.7.5.8). */
	while (isns_next(&r, &a) > 0) {
		if (function == ISNS_ESI || (function == ISNS_SCN && a.tag == ISNS_ISCSI_NAME))
			isns_put(&b, a.tag, a.value, a.n);
		if (function == ISNS_SCN && a.tag == ISNS_ISCSI_NAME)
			break;
	}
	sent = isns_link_send(l, &b);
	strbuf_done(&b);
	return sent;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void caller_got(
	struct isns_link *l, const struct isns_header *h, const uint8_t *payload, size_t n)
{
	struct isns_caller *c = container_of(l, struct isns_caller, link);

	if (be16_get(h->function) & ISNS_RESPONSE)
		isns_link_close(l, "a response where requests are due");
	else if (!isns_answer(c->isns, l, &c->peer, h, payload, n))
		isns_link_close(l, "it does not read answers");
}

static void caller_ended(struct isns_link *l)
{
	struct isns_caller *c = container_of(l, struct isns_caller, link);
	struct isns *in = c->isns;

	list_del(&c->at);
	in->ncallers--;
	free(c);
	isns_check_gone(in);
}

/* The oldest that is not from a server's address; else the oldest. */
static void give_way(struct isns *in)
{
	struct isns_caller *c, *who = NULL;

	list_for_each (c, &in->callers, struct isns_caller, at)
		if (isns_link_is_open(&c->link) && !is_servers(in, &c->peer) && !who)
			who = c;
	list_for_each (c, &in->callers, struct isns_caller, at)
		if (isns_link_is_open(&c->link) && !who)
			who = c;
	if (who)
		isns_link_close(&who->link, "too many connections");
}

static void called(struct isns *in, int fd)
{
	struct sockaddr_storage peer;
	struct isns_caller *c;

	if (in->stopping || loops_peername(in->entity->loops, fd, &peer) ||
		in->ncallers >= 2 * ISNS_CALLERS_MAX || !(c = calloc(1, sizeof(*c)))) {
		loop_close(in->loop, fd);
		return;
	}
	if (in->ncallers >= ISNS_CALLERS_MAX)
		give_way(in);
	c->isns = in;
	c->peer = peer;
	c->link.fd = -1;
	c->link.got = caller_got;
	c->link.ended = caller_ended;
	if (isns_link_start(&c->link, in->loop, fd)) {
		free(c);
		return;
	}
	list_push_back(&in->callers, &c->at);
	in->ncallers++;
}

static void accepted(struct loop_op *op, int res)
{
	struct isns_port *p = container_of(op, struct isns_port, accept);

	if (res >= 0) {
		called(p->isns, res);
		return;
	}
	loop_close(p->isns->loop, p->fd);
	p->fd = -1;
	isns_check_gone(p->isns);
}

void isns_port_start(struct isns_port *p)
{
	p->accept.done = accepted;
	loop_accept(p->isns->loop, &p->accept, p->fd);
}

void isns_port_stop(struct isns_port *p)
{
	if (p->fd >= 0)
		loop_cancel(p->isns->loop, &p->accept);
}

void isns_callers_end(struct isns *in)
{
	struct isns_caller *c;

	list_for_each (c, &in->callers, struct isns_caller, at)
		isns_link_close(&c->link, "");
}

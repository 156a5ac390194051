/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_server.c: what goes on with one iSNS server: connect, make its data ours in a round of
 * requests (isns_message.c), stay known there, and try again with growing pauses when it fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/iscsi/isns_priv.h"

static void try_connect(struct isns_server *s);
static void begin_round(struct isns_server *s);

/* ---- good and bad ---------------------------------------------------------------------------- */

static void forget_round(struct isns_server *s)
{
	isns_snap_unref(s->wanted);
	s->wanted = NULL;
	s->awaited = 0;
}

static void forget_done(struct isns_server *s)
{
	isns_snap_unref(s->done);
	s->done = NULL;
	s->info.targets = s->info.portals = 0;
}

/* What it has of us is not what is wanted: it is replaced. */
static void forget_all(struct isns_server *s)
{
	forget_done(s);
	s->ever = false;
}

static uint64_t pause_ns(struct isns_server *s)
{
	uint64_t ns = ISNS_RETRY_FIRST_NS;

	for (unsigned i = 1; i < s->failures && ns < ISNS_RETRY_MAX_NS; i++)
		ns *= 2;
	if (ns > ISNS_RETRY_MAX_NS)
		ns = ISNS_RETRY_MAX_NS;
	/* Hosts that lost their server together do not come back together. */
	return ns + rng_below(&s->isns->rng, ns / 4);
}

static void fail(struct isns_server *s, const char *what, const char *why)
{
	if (s->state == ISNS_LEAVING) {
		isns_link_close(&s->link, why);
		return;
	}
	snprintf(s->info.error, sizeof(s->info.error), "%s: %s", what, why);
	if (!s->told)
		log_limited(&s->isns->log, LOG_LEVEL_WARN, "isns", s->name, "%s; it is tried again",
			s->info.error);
	s->told = true;
	s->failures++;
	s->state = ISNS_WAITING;
	/* In the midst of a round: what it has is not what we believe it has. */
	if (s->wanted)
		forget_all(s);
	forget_round(s);
	isns_link_close(&s->link, why);
	loop_timer_arm(s->isns->loop, &s->timer, pause_ns(s));
}

static void is_registered(struct isns_server *s)
{
	const struct isns *in = s->isns;
	uint64_t sign_s = s->period_s && s->period_s < 3 ? 1 : s->period_s / 3;

	s->state = ISNS_REGISTERED;
	s->failures = 0;
	s->info.error[0] = '\0';
	if (s->told)
		log_msg(LOG_LEVEL_INFO, "isns", "%s: registered again", s->name);
	s->told = false;
	/*
	 * 6.2.6: at the latest when the period is over it wants to hear of us. And where inquiries
	 * are due it may have given us up because they did not reach us.
	 */
	if (s->esi_interval_s && (!sign_s || s->esi_interval_s * 3ull < sign_s))
		sign_s = s->esi_interval_s * 3ull;
	if (sign_s)
		loop_timer_arm(in->loop, &s->timer, sign_s * NS_PER_S);
	else
		loop_timer_disarm(in->loop, &s->timer);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void request(struct isns_server *s, struct strbuf *b)
{
	s->awaited = be16_get(((const struct isns_header *)b->s)->function);
	if (isns_link_send(&s->link, b)) {
		loop_timer_arm(s->isns->loop, &s->timer,
			s->state == ISNS_LEAVING ? ISNS_LEAVE_NS : ISNS_ANSWER_NS);
		return;
	}
	fail(s, "a request cannot be sent", "it is too long, or memory is short");
}

static void round_over(struct isns_server *s)
{
	struct isns_snap *w = s->wanted;

	s->wanted = NULL;
	forget_done(s);
	s->done = w;
	s->ever = true;
	s->registered_from = s->local;
	s->info.targets = w->ntargets;
	s->info.portals = w->nportals;
	is_registered(s);
	isns_server_wake(s, s->again);
}

static void send_next(struct isns_server *s)
{
	struct strbuf b;
	int got = 0;

	strbuf_init(&b);
	s->transaction++;
	while (s->step != ISNS_STEP_END && !(got = isns_message(s, &b, &s->next))) {
		strbuf_reset(&b);
		s->step++;
		s->next = (struct isns_cursor){ 0 };
	}
	if (got) {
		s->info.registrations += s->step == ISNS_STEP_REGISTER;
		request(s, &b);
	} else {
		round_over(s);
	}
	strbuf_done(&b);
}

static void leave_entity(struct isns_server *s)
{
	struct strbuf b;

	strbuf_init(&b);
	s->transaction++;
	isns_message_leave(s, &b);
	request(s, &b);
	strbuf_done(&b);
}

static void query(struct isns_server *s)
{
	struct strbuf b;

	strbuf_init(&b);
	s->transaction++;
	isns_message_query(s, &b);
	request(s, &b);
	strbuf_done(&b);
}

/* It knows this host by another name than it is to have now. */
static bool is_renamed(const struct isns_server *s)
{
	return s->done && strcmp(s->eid, s->isns->eid) != 0;
}

static void begin_round(struct isns_server *s)
{
	struct isns_snap *now = s->isns->now;

	s->state = ISNS_REGISTERING;
	/* An entity without targets is none; one of another name is left before it is made. */
	if (s->done && (!now->ntargets || is_renamed(s))) {
		leave_entity(s);
		return;
	}
	if (!now->ntargets) {
		s->state = ISNS_IDLE;
		loop_timer_disarm(s->isns->loop, &s->timer);
		isns_link_close(&s->link, "");
		return;
	}
	strcpy(s->eid, s->isns->eid);
	s->wanted = isns_snap_ref(now);
	s->again = false;
	s->period_s = s->isns->settings.period_s;
	s->esi_interval_s = 0;
	s->full = !s->done || !s->done->ntargets;
	s->step = ISNS_STEP_REGISTER;
	s->next = (struct isns_cursor){ 0 };
	send_next(s);
}

/* ---- responses ------------------------------------------------------------------------------- */

/* Whether the response to the query says that the entity is there. */
static bool entity_is_there(const struct isns_server *s, const uint8_t *p, size_t n)
{
	struct isns_reader r = { p, n };
	bool behind = false;
	struct isns_attr a;

	while (isns_next(&r, &a) > 0) {
		const char *text = a.tag == ISNS_ENTITY_ID ? isns_text(&a) : NULL;

		if (a.tag == ISNS_DELIMITER)
			behind = true;
		else if (behind && text && !strcasecmp(text, s->eid))
			return true;
	}
	return false;
}

static void query_answered(struct isns_server *s, uint32_t status, const uint8_t *p, size_t n)
{
	if (status == ISNS_SUCCESS && entity_is_there(s, p, n)) {
		is_registered(s);
		isns_server_wake(s, false);
		return;
	}
	log_limited(&s->isns->log, LOG_LEVEL_INFO, "isns", s->name,
		"it does not know this host any more: registering anew");
	forget_all(s);
	begin_round(s);
}

static void leave_answered(struct isns_server *s)
{
	forget_all(s);
	if (s->state == ISNS_LEAVING)
		isns_link_close(&s->link, "");
	else
		begin_round(s);
}

/* 5.7.5.1: the server says which values it has really taken. */
static void take_granted(struct isns_server *s, const uint8_t *p, size_t n)
{
	struct isns_reader r = { p, n };
	struct isns_attr a;
	uint32_t v;

	while (isns_next(&r, &a) > 0) {
		if (a.tag == ISNS_REGISTRATION_PERIOD && isns_u32(&a, &v))
			s->period_s = v;
		else if (a.tag == ISNS_ESI_INTERVAL && isns_u32(&a, &v))
			s->esi_interval_s = v;
	}
}

static void registration_answered(
	struct isns_server *s, uint32_t status, const uint8_t *p, size_t n)
{
	if (status == ISNS_SUCCESS) {
		take_granted(s, p, n);
		send_next(s);
		return;
	}
	if (status == ISNS_ESI_NOT_AVAILABLE && !s->no_esi) {
		/* 6.3.4: it may have no inquiries to give; then signs of life have to do. */
		s->no_esi = true;
		forget_round(s);
		begin_round(s);
		return;
	}
	fail(s, "the server refuses the registration", isns_status_name(status));
}

/* The first part of a response (5.1.6: its status is there). */
static void answered(struct isns_server *s, uint16_t function, const uint8_t *p, size_t n)
{
	uint32_t status = n >= 4 ? get_be32(p) : ISNS_FORMAT_ERROR;
	enum isns_step step = s->step;

	s->awaited = 0;
	if (function == ISNS_DEV_ATTR_QRY) {
		query_answered(s, status, p + 4, n >= 4 ? n - 4 : 0);
	} else if (!s->wanted) {
		leave_answered(s);
	} else if (step == ISNS_STEP_REGISTER) {
		registration_answered(s, status, p + 4, n >= 4 ? n - 4 : 0);
	} else {
		/* Notes are a help, and what it does not have need not be removed. */
		if (status != ISNS_SUCCESS)
			log_limited(&s->isns->log, LOG_LEVEL_INFO, "isns", s->name,
				"a %s was refused: %s",
				step == ISNS_STEP_SCN ? "registration for notes of change"
						      : "deregistration",
				isns_status_name(status));
		send_next(s);
	}
}

static void got(struct isns_link *l, const struct isns_header *h, const uint8_t *payload, size_t n)
{
	struct isns_server *s = container_of(l, struct isns_server, link);
	uint16_t function = be16_get(h->function);

	if (!(function & ISNS_RESPONSE)) {
		if (!isns_answer(s->isns, l, &s->addr, h, payload, n))
			isns_link_close(l, "it does not read answers");
		return;
	}
	function &= (uint16_t)~ISNS_RESPONSE;
	if (s->awaited != function || be16_get(h->transaction) != s->transaction ||
		be16_get(h->sequence))
		return; /* late, or the rest of a long response */
	answered(s, function, payload, n);
}

/* ---- the connection -------------------------------------------------------------------------- */

static void connected(struct loop_op *op, int res)
{
	struct isns_server *s = container_of(op, struct isns_server, connect);
	struct isns *in = s->isns;

	if (s->state != ISNS_CONNECTING) {
		if (res >= 0)
			loop_close(in->loop, res);
		if (s->state == ISNS_LEAVING)
			s->link.ended(&s->link);
		return;
	}
	if (res < 0) {
		fail(s, "it cannot be reached", strerror(-res));
		return;
	}
	(void)loops_sockname(in->entity->loops, res, &s->local);
	if (isns_link_start(&s->link, in->loop, res)) {
		fail(s, "it cannot be reached", "memory is short");
		return;
	}
	/* What was registered for "any address" was for the one that it was reached from. */
	if (s->done && !address_same_host(&s->local, &s->registered_from))
		forget_all(s);
	/* Before it is told of changes: it may have come back without what it knew. */
	if (s->done) {
		s->state = ISNS_REGISTERING;
		query(s);
	} else {
		begin_round(s);
	}
}

static void try_connect(struct isns_server *s)
{
	s->state = ISNS_CONNECTING;
	loop_timer_arm(s->isns->loop, &s->timer, ISNS_ANSWER_NS);
	loop_connect(s->isns->loop, &s->connect, (const struct sockaddr *)&s->addr,
		address_bytes(&s->addr));
}

static void timer_fired(struct loop_timer *t)
{
	struct isns_server *s = container_of(t, struct isns_server, timer);

	switch (s->state) {
	case ISNS_CONNECTING:
		fail(s, "it cannot be reached", "no answer");
		loop_cancel(s->isns->loop, &s->connect);
		break;
	case ISNS_REGISTERING:
		fail(s, "it does not answer", "time is up");
		break;
	case ISNS_REGISTERED:
		if (s->awaited)
			fail(s, "it does not answer", "time is up");
		else
			query(s);
		break;
	case ISNS_WAITING:
		/* The old connection may take a moment yet. */
		if (s->link.fd >= 0 || loop_op_busy(&s->connect)) {
			loop_timer_arm(s->isns->loop, &s->timer, ISNS_RETRY_FIRST_NS);
			break;
		}
		s->state = ISNS_IDLE;
		isns_server_wake(s, false);
		break;
	case ISNS_LEAVING:
		isns_link_close(&s->link, "");
		break;
	case ISNS_IDLE:
		break;
	}
}

static void server_free(struct isns_server *s)
{
	struct isns *in = s->isns;

	loop_timer_disarm(in->loop, &s->timer);
	forget_round(s);
	forget_done(s);
	list_del(&s->at);
	free(s);
	isns_check_gone(in);
}

static void link_ended(struct isns_link *l)
{
	struct isns_server *s = container_of(l, struct isns_server, link);

	switch (s->state) {
	case ISNS_LEAVING:
		if (l->fd < 0 && !loop_op_busy(&s->connect))
			server_free(s);
		break;
	case ISNS_WAITING:
		break;
	case ISNS_IDLE:
		isns_server_wake(s, false);
		break;
	default:
		fail(s, "the connection is lost", l->why);
		break;
	}
}

/* ---- what the client asks of it -------------------------------------------------------------- */

struct isns_server *isns_server_new(struct isns *in, const struct sockaddr_storage *addr)
{
	struct isns_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->isns = in;
	s->addr = *addr;
	address_format(addr, address_port(addr), s->name, sizeof(s->name));
	s->link.fd = -1;
	s->link.got = got;
	s->link.ended = link_ended;
	s->connect.done = connected;
	s->timer.fire = timer_fired;
	list_push_back(&in->servers, &s->at);
	return s;
}

void isns_server_wake(struct isns_server *s, bool again)
{
	const struct isns_snap *now = s->isns->now;

	if (again && s->wanted) {
		s->again = true;
	} else if (again && !is_renamed(s)) {
		/* With other settings than it was told. */
		forget_all(s);
	}
	if (!now)
		return;
	if (s->state == ISNS_IDLE && s->link.fd < 0 && (now->ntargets || s->done))
		try_connect(s);
	else if (s->state == ISNS_REGISTERED && !s->awaited && (s->done != now || is_renamed(s)))
		begin_round(s);
}

void isns_server_recheck(struct isns_server *s)
{
	uint64_t now_ns = loop_now_ns(s->isns->loop);

	if (s->state != ISNS_REGISTERED || s->awaited || !s->done ||
		(s->recheck_ns && now_ns - s->recheck_ns < ISNS_RECHECK_NS))
		return;
	s->recheck_ns = now_ns;
	query(s);
}

void isns_server_leave(struct isns_server *s)
{
	bool says = s->done && s->done->ntargets && isns_link_is_open(&s->link);

	forget_round(s);
	s->state = ISNS_LEAVING;
	loop_timer_arm(s->isns->loop, &s->timer, ISNS_LEAVE_NS);
	if (loop_op_busy(&s->connect))
		loop_cancel(s->isns->loop, &s->connect);
	else if (says)
		leave_entity(s);
	else if (s->link.fd >= 0)
		isns_link_close(&s->link, "");
	else
		server_free(s);
}

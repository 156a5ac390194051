/* SPDX-License-Identifier: BSD-3-Clause */
/* events.c: events from whoever tells them to the queues of those who want them. */
#include "control/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/limits.h"
#include "control/rpc.h"

struct events {
	pthread_mutex_t lock; /* of queues and of all in them */
	struct list queues;
	_Atomic unsigned wanted; /* by any of them */
};

static const char *const names[EVENT_KINDS] = {
	[NOTICE_LOGIN] = "login",
	[NOTICE_LOGIN_REFUSED] = "login_refused",
	[NOTICE_LOGOUT] = "logout",
	[NOTICE_LUN] = "lun",
	[NOTICE_ALUA] = "alua",
	[NOTICE_ERROR] = "error",
	[EVENT_TREE] = "tree",
};

int event_kind(const char *name)
{
	for (int i = 0; i < EVENT_KINDS; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	return -1;
}

const char *event_kind_name(unsigned kind)
{
	return names[kind];
}

int events_new(struct events **ret)
{
	struct events *ev = calloc(1, sizeof(*ev));

	if (!ev)
		return -ENOMEM;
	pthread_mutex_init(&ev->lock, NULL);
	list_init(&ev->queues);
	*ret = ev;
	return 0;
}

struct events *events_free(struct events *ev)
{
	if (!ev)
		return NULL;
	pthread_mutex_destroy(&ev->lock);
	free(ev);
	return NULL;
}

/* ---- telling --------------------------------------------------------------------------------- */

bool event_wanted(const struct events *ev, unsigned kind)
{
	return atomic_load_explicit(&ev->wanted, memory_order_relaxed) >> kind & 1;
}

/* A place for one more? If not it is counted as lost. Under the lock. */
static bool has_place(struct event_queue *q, uint64_t now_ns)
{
	if (now_ns - q->second_ns >= NS_PER_S) {
		q->second_ns = now_ns;
		q->in_second = 0;
	}
	if (q->n < EVENTS_QUEUED_MAX && q->in_second < EVENTS_PER_SECOND) {
		q->in_second++;
		return true;
	}
	q->lost++;
	return false;
}

static void append_lost(struct event_queue *q, struct strbuf *out)
{
	if (q->lost)
		strbuf_printf(out,
			"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"kind\":\"lost\","
			"\"count\":%" PRIu64 "}}\n",
			q->lost);
	q->lost = 0;
}

static void append(struct event_queue *q, const char *line)
{
	strbuf_puts(&q->lines, line);
	strbuf_putc(&q->lines, '\n');
	q->n++;
}

void event_tell(struct events *ev, unsigned kind, const json_t *fields)
{
	uint64_t now_ns = clock_now_ns(), wall_ms = clock_wall_ns() / NS_PER_MS;
	json_t *params, *j;
	struct event_queue *q;
	char *line;

	if (!event_wanted(ev, kind))
		return;
	params = json_pack("{s:s, s:f}", "kind", names[kind], "time", (double)wall_ms / 1000.0);
	if (params)
		json_object_update(params, (json_t *)fields);
	j = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "event", "params", params);
	line = j ? json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(14)) : NULL;
	json_decref(j);
	pthread_mutex_lock(&ev->lock);
	list_for_each (q, &ev->queues, struct event_queue, link) {
		bool empty = !q->n && !q->lost;

		if (!(q->kinds >> kind & 1))
			continue;
		if (!line)
			q->lost++;
		else if (has_place(q, now_ns))
			append(q, line);
		if (empty)
			q->wake(q->arg);
	}
	pthread_mutex_unlock(&ev->lock);
	free(line);
}

static void put(json_t *j, const char *key, const char *text)
{
	if (text)
		json_object_set_new(j, key, json_text(text));
}

static void on_notice(void *arg, const struct notice *n)
{
	json_t *j = json_object();

	put(j, "object", n->object);
	put(j, "target", n->target);
	put(j, "initiator", n->initiator);
	put(j, "peer", n->peer);
	put(j, "state", n->state);
	put(j, "text", n->text);
	event_tell(arg, n->kind, j);
	json_decref(j);
}

struct notices events_notices(struct events *ev)
{
	return (struct notices){ on_notice, ev, &ev->wanted };
}

/* ---- one client ------------------------------------------------------------------------------ */

void event_queue_init(struct event_queue *q, struct events *ev, void (*wake)(void *arg), void *arg)
{
	*q = (struct event_queue){ .ev = ev, .wake = wake, .arg = arg };
	list_init(&q->link);
	strbuf_init(&q->lines);
}

void event_queue_want(struct event_queue *q, unsigned kinds)
{
	struct event_queue *o;
	unsigned wanted = 0;

	if (!q->ev)
		return;
	pthread_mutex_lock(&q->ev->lock);
	q->kinds = kinds;
	list_del(&q->link);
	if (kinds)
		list_push_back(&q->ev->queues, &q->link);
	list_for_each (o, &q->ev->queues, struct event_queue, link)
		wanted |= o->kinds;
	atomic_store(&q->ev->wanted, wanted);
	pthread_mutex_unlock(&q->ev->lock);
}

unsigned event_queue_wanted(const struct event_queue *q)
{
	return q->kinds;
}

void event_queue_done(struct event_queue *q)
{
	event_queue_want(q, 0);
	strbuf_done(&q->lines);
}

uint64_t event_queue_take(struct event_queue *q, struct strbuf *out)
{
	uint64_t now_ns, again = 0;

	if (!q->ev)
		return 0;
	pthread_mutex_lock(&q->ev->lock);
	now_ns = clock_now_ns();
	if (q->lines.len)
		strbuf_write(out, q->lines.s, q->lines.len);
	strbuf_done(&q->lines);
	strbuf_init(&q->lines);
	q->n = 0;
	/* How many is told once, when it is over: not with each. */
	if (q->lost && q->in_second >= EVENTS_PER_SECOND && now_ns - q->second_ns < NS_PER_S)
		again = NS_PER_S - (now_ns - q->second_ns);
	else
		append_lost(q, out);
	pthread_mutex_unlock(&q->ev->lock);
	return again;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h: what happens, told to the clients of the control socket that asked for it, as
 * notifications of JSON-RPC:
 *
 *	{"jsonrpc":"2.0","method":"event","params":{"kind":"login","time":1767225600.123,…}}
 *
 * A client has a queue of at most EVENTS_QUEUED_MAX, and gets at most EVENTS_PER_SECOND. What does
 * not fit, since it reads too slowly or too much happens, is dropped and counted, and the count
 * told in a record of kind "lost". Nobody who tells an event ever waits.
 */
#ifndef ULIO_CONTROL_EVENTS_H
#define ULIO_CONTROL_EVENTS_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/notice.h"
#include "base/strbuf.h"

enum { EVENT_TREE = NOTICE_KINDS, EVENT_KINDS }; /* behind those of notices */

struct events;

/* 0 or -ENOMEM. */
int events_new(struct events **ret);
/* All queues have gone. Returns NULL. */
struct events *events_free(struct events *ev);
/* For those who tell. */
struct notices events_notices(struct events *ev);

/* The kind of that name, -1: there is none; and back. */
int event_kind(const char *name);
const char *event_kind_name(unsigned kind);

/* Any thread. */
bool event_wanted(const struct events *ev, unsigned kind);
/* fields: an object, borrowed. Any thread. */
void event_tell(struct events *ev, unsigned kind, const json_t *fields);

/* ---- one client ------------------------------------------------------------------------------ */

struct event_queue {
	struct events *ev; /* NULL: there are none */
	struct list link; /* in ev->queues, while anything is wanted */
	unsigned kinds; /* set of 1 << kind */
	struct strbuf lines;
	unsigned n; /* lines */
	uint64_t lost;
	uint64_t second_ns; /* when the second that runs began */
	unsigned in_second;
	void (*wake)(void *arg); /* there is something to take; any thread, must not wait */
	void *arg;
};

/* ev may be NULL: then nothing can be wanted. */
void event_queue_init(struct event_queue *q, struct events *ev, void (*wake)(void *arg), void *arg);
/* After this it is not woken any more. */
void event_queue_done(struct event_queue *q);
/* What is wanted from now on; 0: nothing. */
void event_queue_want(struct event_queue *q, unsigned kinds);
unsigned event_queue_wanted(const struct event_queue *q);
/*
 * Append what waits to out, for its client. Returns after how many ns to ask again though nothing
 * wakes, 0: never.
 */
uint64_t event_queue_take(struct event_queue *q, struct strbuf *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* drain.c: a question to every loop, and the last answer brought back. */
#include "engine/drain.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/engine_priv.h"

struct drain_slot {
	struct drain *drain;
	struct loop_msg msg;
	struct list link; /* in engine_loop.waits */
};

static void drain_back(struct loop *loop, struct loop_msg *msg)
{
	struct drain *d = container_of(msg, struct drain, back);

	free(d->slots);
	d->slots = NULL;
	d->done(d);
}

static void slot_answer(struct drain_slot *s)
{
	struct drain *d = s->drain;

	/* The last answer hands over to the origin; after it neither slot nor drain is ours. */
	if (atomic_fetch_sub_explicit(&d->missing, 1, memory_order_acq_rel) == 1)
		loop_post(d->origin, &d->back);
}

static void slot_begin(struct loop *loop, struct loop_msg *msg)
{
	struct drain_slot *s = container_of(msg, struct drain_slot, msg);
	struct drain *d = s->drain;

	if (d->begin)
		d->begin(d, loop);
	if (d->clear(d, loop))
		slot_answer(s);
	else
		list_push_back(&engine_loop(d->eng, loop)->waits, &s->link);
}

int drain_start(struct drain *d, struct engine *eng, struct loop *loop)
{
	unsigned n = loops_count(eng->loops);

	d->slots = calloc(n, sizeof(*d->slots));
	if (!d->slots)
		return -ENOMEM;
	d->eng = eng;
	d->origin = loop;
	d->back = (struct loop_msg){ .fn = drain_back };
	atomic_init(&d->missing, n);
	for (unsigned i = 0; i < n; i++) {
		d->slots[i].drain = d;
		d->slots[i].msg.fn = slot_begin;
		list_init(&d->slots[i].link);
	}
	for (unsigned i = 0; i < n; i++)
		loop_post(loops_get(eng->loops, i), &d->slots[i].msg);
	return 0;
}

void drain_poke(struct engine *eng, struct loop *loop)
{
	struct list *waits = &engine_loop(eng, loop)->waits;
	struct drain_slot *s, *tmp;

	list_for_each_safe (s, tmp, waits, struct drain_slot, link) {
		if (!s->drain->clear(s->drain, loop))
			continue;
		list_del(&s->link);
		slot_answer(s);
	}
}

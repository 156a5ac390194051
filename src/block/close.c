/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * close.c: the end of a backstore. It is closed when every bio that was taken of it has been given
 * back. If that takes too long the control thread gives up; the backstore then closes itself when
 * the last bio comes back: barrier over all loops (which may still be in a callback that came from
 * it), then close on a worker thread, where it may block.
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "block/backstore_priv.h"

/* What frees a backstore that was given up. Not part of it: the loop uses op after it is gone. */
struct orphan {
	struct backstore *bs;
	struct backstore_registry *reg; /* counted there */
	struct loop *loop; /* where the last bio came back */
	struct loop_barrier barrier;
	struct loop_op op;
};

void backstore_destroy(struct backstore *bs)
{
	while (bs) {
		struct backstore *below = bs->below;

		if (bs->opened)
			bs->kind.ops.close(bs->handle);
		for (unsigned i = 0; bs->slots && i < bs->nslots; i++) {
			assert(bs->slots[i].nout == 0);
			bio_stock_done(&bs->slots[i]);
		}
		free(bs->slots);
		free(bs->name);
		free(bs->orphan);
		registry_unref(bs->reg);
		free(bs);
		/* Its requests were made for requests of this one: they are back too. */
		bs = below;
	}
}

static int orphan_work(void *arg)
{
	struct backstore *bs = arg;

	log_obj(LOG_LEVEL_INFO, "block", bs->name,
		"its last request came back after it was given up: closed");
	backstore_destroy(bs);
	return 0;
}

static void orphan_done(struct loop_op *op, int res)
{
	struct orphan *o = container_of(op, struct orphan, op);
	struct backstore_registry *reg = o->reg;

	free(o);
	registry_orphan_gone(reg);
}

static void orphan_alone(struct loop_barrier *b)
{
	struct orphan *o = container_of(b, struct orphan, barrier);

	o->op.done = orphan_done;
	loop_work(o->loop, &o->op, orphan_work, o->bs);
}

static void orphan_start(struct backstore *bs, struct loop *loop)
{
	struct orphan *o = bs->orphan;

	/* Without memory it stays: a leak, but no harm. */
	if (!o)
		return;
	bs->orphan = NULL;
	o->bs = bs;
	o->reg = bs->reg;
	o->loop = loop;
	o->barrier.done = orphan_alone;
	if (loop_barrier_start(loop, &o->barrier) < 0)
		bs->orphan = o;
}

void backstore_slot_drained(struct backstore *bs, struct loop *loop)
{
	if (atomic_fetch_sub_explicit(&bs->undrained, 1, memory_order_acq_rel) != 1)
		return;
	if (atomic_exchange_explicit(&bs->close_state, CLOSE_DRAINED, memory_order_acq_rel) ==
		CLOSE_WAITING)
		loop_event_signal(&bs->drained);
	else
		orphan_start(bs, loop);
}

/* Ask for the early end of all that is under way on this loop. */
static void drain_on_loop(struct loop *loop, void *arg)
{
	struct backstore *bs = arg;
	struct backstore_slot *slot = &bs->slots[loop_index(loop)];
	struct bio *bio;

	slot->draining = true;
	/* Nothing leaves the list meanwhile: answers given inside of cancel() come back later. */
	list_for_each (bio, &slot->under_way, struct bio, link)
		backstore_cancel(bs, bio);
	if (slot->nout == 0)
		backstore_slot_drained(bs, loop);
}

int backstore_close(struct backstore *bs, uint64_t timeout_ns)
{
	struct backstore_registry *reg;
	int waiting = CLOSE_WAITING;

	if (!bs)
		return 0;
	reg = bs->reg;
	bs->orphan = calloc(1, sizeof(*bs->orphan));
	atomic_store(&bs->undrained, bs->nslots);
	atomic_store(&bs->close_state, CLOSE_WAITING);
	loop_event_init(&bs->drained, bs->loops);
	loops_barrier(bs->loops, drain_on_loop, bs);
	if (loop_event_wait_aside(&bs->drained, timeout_ns) < 0) {
		/* From a successful exchange on it may be gone at any moment. */
		log_obj(LOG_LEVEL_ERROR, "block", bs->name,
			"requests under way did not come back in time: not waiting any more");
		registry_orphan_add(reg);
		if (atomic_compare_exchange_strong(&bs->close_state, &waiting, CLOSE_GAVE_UP))
			return -EBUSY;
		registry_orphan_gone(reg);
		while (loop_event_wait_aside(&bs->drained, UINT64_C(1000000000)) < 0)
			; /* about to be signalled */
	}
	/* Whoever gave back the last bio has left this backstore's callbacks. */
	loops_barrier(bs->loops, NULL, NULL);
	backstore_destroy(bs);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* filter.c: what all filters share; see filter.h. */
#include "backstore/filter/filter.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert(ULIO_OP_READ == 0 && ULIO_OP_WRITE == 1 && ULIO_OP_FLUSH == 2 &&
		      ULIO_OP_DISCARD == 3 && ULIO_OP_ZERO == 4,
	"the order of FILTER_OPS");

void filter_pass(struct backstore *self, struct ulio_bio *b, bio_done_fn *done)
{
	struct backstore *below = backstore_below(self);
	struct bio *upper = bio_of(b);
	struct bio *lower = bio_new(below, upper->loop);

	if (!lower) {
		ulio_bio_answer(b, b->id, -ENOMEM);
		return;
	}
	bio_init_rw(lower, (enum ulio_bio_op)b->op, b->flags, b->off_bytes, b->len_bytes, b->iov,
		b->niov, b->iov_cap);
	lower->done = done;
	lower->owner = upper;
	b->backstore_data = lower;
	backstore_submit(below, upper->loop, lower);
}

void filter_answer(struct bio *lower, int res)
{
	struct bio *upper = lower->owner;
	struct ulio_bio *b = &upper->b;
	bool data = b->op == ULIO_OP_READ || b->op == ULIO_OP_WRITE;

	b->niov = lower->b.niov;
	b->backstore_data = NULL;
	bio_free(lower);
	ulio_bio_answer(b, b->id, res < 0 ? res : data ? (int64_t)b->len_bytes : 0);
}

void filter_passed(struct bio *lower)
{
	filter_answer(lower, lower->b.result);
}

void filter_cancel_below(struct ulio_bio *b)
{
	struct bio *lower = b->backstore_data;

	if (lower)
		backstore_cancel(lower->bs, lower);
}

/* ---- held requests -------------------------------------------------------------------------- */

struct held_slot {
	alignas(64) struct list list; /* struct filter_hold */
};

struct filter_held {
	unsigned n;
	struct held_slot *slots; /* one per loop */
};

struct filter_held *filter_held_new(struct loops *loops)
{
	struct filter_held *held = calloc(1, sizeof(*held));

	if (!held)
		return NULL;
	held->n = loops_count(loops);
	held->slots = aligned_alloc(alignof(struct held_slot), held->n * sizeof(*held->slots));
	if (!held->slots) {
		free(held);
		return NULL;
	}
	for (unsigned i = 0; i < held->n; i++)
		list_init(&held->slots[i].list);
	return held;
}

struct filter_held *filter_held_free(struct filter_held *held)
{
	if (!held)
		return NULL;
	for (unsigned i = 0; i < held->n; i++)
		assert(list_empty(&held->slots[i].list));
	free(held->slots);
	free(held);
	return NULL;
}

static struct list *held_list(struct filter_held *held, struct loop *loop)
{
	return &held->slots[loop_index(loop)].list;
}

struct filter_hold *filter_hold(struct filter_held *held, void *filter, struct ulio_bio *b)
{
	struct filter_hold *h = calloc(1, sizeof(*h));

	if (!h) {
		ulio_bio_answer(b, b->id, -ENOMEM);
		return NULL;
	}
	h->bio = bio_of(b);
	h->filter = filter;
	b->backstore_data = NULL;
	list_push_back(held_list(held, h->bio->loop), &h->link);
	return h;
}

struct bio *filter_let_go(struct filter_hold *h)
{
	struct bio *bio = h->bio;

	if (loop_timer_armed(&h->timer))
		loop_timer_disarm(bio->loop, &h->timer);
	list_del(&h->link);
	free(h);
	return bio;
}

struct filter_hold *filter_hold_first(struct filter_held *held, struct loop *loop)
{
	return list_first(held_list(held, loop), struct filter_hold, link);
}

void filter_cancel(struct filter_held *held, struct ulio_bio *b)
{
	struct filter_hold *h;

	if (b->backstore_data) {
		filter_cancel_below(b);
		return;
	}
	list_for_each (h, held_list(held, bio_of(b)->loop), struct filter_hold, link) {
		if (h->bio != bio_of(b))
			continue;
		if (!h->deaf) {
			filter_let_go(h);
			ulio_bio_answer(b, b->id, -ECANCELED);
		}
		return;
	}
}

/* ---- what is the same as below -------------------------------------------------------------- */

void filter_info(struct backstore *self, struct ulio_backstore_info *info)
{
	backstore_info(backstore_below(self), info);
}

int filter_map(struct backstore *self, uint64_t off_bytes, uint64_t len_bytes,
	struct ulio_extent *ret, uint32_t max)
{
	return backstore_map(backstore_below(self), off_bytes, len_bytes, ret, max);
}

int filter_resize(struct backstore *self, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	struct errmsg e;
	int r = backstore_resize(backstore_below(self), size_bytes, &e);

	if (r < 0)
		snprintf(err, err_bytes, "%s", e.text);
	return r;
}

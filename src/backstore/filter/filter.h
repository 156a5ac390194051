/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.h: backstores that stand on another one and change what passes: delay, error, stats. What
 * they do not change goes on by the functions here.
 */
#ifndef ULIO_BACKSTORE_FILTER_H
#define ULIO_BACKSTORE_FILTER_H

#include "block/backstore.h"

extern const struct backstore_internal_ops backstore_delay; /* delay.c */
extern const struct backstore_internal_ops backstore_error; /* error.c */
extern const struct backstore_internal_ops backstore_stats; /* stats.c */

/*
 * Send the request on to the backstore below; done runs with the lower bio, whose owner is the
 * upper one, and must call filter_answer(). b->backstore_data is the lower bio meanwhile. If there
 * is no memory the request is answered with -ENOMEM.
 */
void filter_pass(struct backstore *self, struct ulio_bio *b, bio_done_fn *done);
/*
 * Answer the upper request as the lower one was, and give the lower one back. res: 0 or -errno, in
 * place of the lower one's result.
 */
void filter_answer(struct bio *lower, int res);
/* A done function that changes nothing. */
void filter_passed(struct bio *lower);
/* Cancel a request that was passed on. */
void filter_cancel_below(struct ulio_bio *b);

/*
 * Requests that a filter holds back, kept by loop. All functions but new and free: on the loop of
 * the bio.
 */
struct filter_held;
struct filter_hold {
	struct list link;
	struct bio *bio;
	void *filter; /* whoever holds it */
	struct loop_timer timer; /* for those that hold it for a time */
	bool deaf; /* not let go by a cancel */
};
struct filter_held *filter_held_new(struct loops *loops);
struct filter_held *filter_held_free(struct filter_held *held); /* nothing may be held */
/* Hold b. NULL: no memory, b has been answered so. */
struct filter_hold *filter_hold(struct filter_held *held, void *filter, struct ulio_bio *b);
/* Let go: frees h, and the timer is off. */
struct bio *filter_let_go(struct filter_hold *h);
/* The one that has been held longest on this loop, or NULL. */
struct filter_hold *filter_hold_first(struct filter_held *held, struct loop *loop);
/* Answer a held request with -ECANCELED, or cancel it below if it has been passed on. */
void filter_cancel(struct filter_held *held, struct ulio_bio *b);

/* Info, map and resize of what is below. */
void filter_info(struct backstore *self, struct ulio_backstore_info *info);
int filter_map(struct backstore *self, uint64_t off_bytes, uint64_t len_bytes,
	struct ulio_extent *ret, uint32_t max);
int filter_resize(struct backstore *self, uint64_t size_bytes, char *err, uint64_t err_bytes);

/* "any|read|write|flush|discard|zero": which operations a filter is for. */
#define FILTER_OPS "any|read|write|flush|discard|zero"
static inline bool filter_op_is(unsigned choice, uint16_t op)
{
	return choice == 0 || choice == op + 1u;
}

#endif

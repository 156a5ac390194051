/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bio.h: one block request on its way through the block layer.
 *
 * The engine embeds nothing of this: it takes a struct bio from bio_new(), fills it, submits it with
 * backstore_submit() on a loop, and its done function runs on that same loop, whichever thread the
 * backstore answered from.
 */
#ifndef ULIO_BLOCK_BIO_H
#define ULIO_BLOCK_BIO_H

#include <ulio/backstore.h>

#include "base/list.h"
#include "loop/loop.h"

struct backstore;
struct bio;

typedef void bio_done_fn(struct bio *bio);

/* The life of a request. A transition that is not in the table of bio.c is our bug. */
enum bio_state {
	BIO_IDLE, /* the caller's: being filled, or completed and not yet reused */
	BIO_SUBMITTED, /* the backstore's */
	BIO_ANSWERED, /* answered on another thread, on its way back to its loop */
};

struct bio {
	struct ulio_bio b; /* what the backstore sees: first, so that one is found from the other */

	bio_done_fn *done; /* runs on loop */
	void *owner; /* the caller's */
	struct loop *loop; /* where it was submitted */
	struct backstore *bs; /* borrowed while under way */
	uint64_t submitted_ns;
	struct loop_msg msg;
	struct list link; /* in the backstore's list of requests under way on this loop */
	_Atomic int state; /* enum bio_state */
	uint32_t generation; /* tells a second answer for the same request */
};

/*
 * Take a request from the loop's stock; b.size is set, all else zero. NULL: no memory.
 * Loop: the one that will submit it.
 */
struct bio *bio_new(struct loop *loop);
/* Give it back; must be BIO_IDLE. Returns NULL. NULL is fine. */
struct bio *bio_free(struct bio *bio);

/* Fill in an operation. off and len in bytes. */
void bio_init_rw(struct bio *bio, enum ulio_bio_op op, uint16_t flags, uint64_t off_bytes,
	uint64_t len_bytes, struct iovec *iov, uint32_t niov, uint32_t iov_cap);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bio.h: one block request on its way through the block layer.
 *
 * The engine embeds nothing of this: it takes a struct bio from bio_new(), fills it, submits it
 * with backstore_submit() on a loop, and its done function runs on that same loop, whichever
 * thread the backstore answered from. In done, bio->b.result is 0 or -errno; nothing between: what
 * was transferred in part counts as failed.
 *
 * Whose memory the data lie in:
 *
 *	plain	iov is the caller's memory, any alignment. A READ is copied into it, a WRITE out of
 *		it. The array stays as it is.
 *	READ with ULIO_BIO_LEND (info has ULIO_INFO_LENDS)
 *		iov is an empty array with room for iov_cap entries, niov is 0. On success the
 *		backstore has filled in niov entries of pool pages, which add up to len_bytes and do
 *		not change while the caller holds them: the caller owns one reference to each page
 *		that an entry touches and drops them with pages_unref(). On failure niov is 0.
 *		iov_cap of len / ZERO_RUN_BYTES + 2 is enough where memory is not scattered; with
 *		less the pages are copied together, which may end in -EMSGSIZE.
 *	WRITE with ULIO_BIO_GIVE (info has ULIO_INFO_TAKES)
 *		The caller promises that pool pages (pool.h) to which entries point will never be
 *		written to again while anybody else holds a reference: the backstore may keep whole
 *		pages by taking references of its own. The caller's references stay the caller's: it
 *		drops them after done, as ever. Entries outside of the pool are copied.
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
	BIO_ANSWERED, /* answered, on its way back to the caller */
	BIO_STATES
};

struct bio {
	struct ulio_bio b; /* what the backstore sees: first, so that one is found from the other */

	bio_done_fn *done; /* runs on loop */
	void *owner; /* the caller's */

	/* The block layer's. */
	struct loop *loop; /* where it is submitted and completed */
	struct backstore
		*bs; /* borrowed; outlives the bio (backstore_close() waits for bio_free()) */
	struct backstore_slot *slot; /* what this loop has of bs */
	uint64_t submitted_ns;
	int64_t answer; /* res of ulio_bio_answer() */
	struct loop_msg msg;
	struct list link; /* in the backstore's list of requests under way on this loop, or stock */
	_Atomic uint64_t word; /* b.id << 2 | enum bio_state: tells a second answer */
	bool zeroing; /* a ZERO made of WRITEs (zero.c): the backstore does not know of it */
};

/*
 * Take a request for bs from the loop's stock; b.size is set, the rest of b, done and owner are
 * zero. NULL: no memory. Loop: the one that will submit it.
 */
struct bio *bio_new(struct backstore *bs, struct loop *loop);
/*
 * Give it back; must be BIO_IDLE. Returns NULL. NULL is fine. On the loop that it was taken on. A
 * bio is used for one request or for several one after the other, but keep none without need:
 * backstore_close() waits for every one.
 */
struct bio *bio_free(struct bio *bio);

/* Fill in an operation. off and len in bytes. iov may be NULL where there are no data. */
void bio_init_rw(struct bio *bio, enum ulio_bio_op op, uint16_t flags, uint64_t off_bytes,
	uint64_t len_bytes, struct iovec *iov, uint32_t niov, uint32_t iov_cap);

static inline struct bio *bio_of(struct ulio_bio *b)
{
	return container_of(b, struct bio, b);
}

#endif

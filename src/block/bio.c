/* SPDX-License-Identifier: BSD-3-Clause */
/* bio.c: block requests: stock, states and answers; see bio.h. */
#include "block/bio.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "block/backstore_priv.h"
#include "block/limits.h"

/* Which state may follow which. */
static const bool bio_transitions[BIO_STATES][BIO_STATES] = {
	/* backstore_submit() */
	[BIO_IDLE][BIO_SUBMITTED] = true,
	/* ulio_bio_answer(), the first one */
	[BIO_SUBMITTED][BIO_ANSWERED] = true,
	/* just before done */
	[BIO_ANSWERED][BIO_IDLE] = true,
};

static uint64_t word_make(uint64_t id, enum bio_state state)
{
	return id << 2 | (uint64_t)state;
}

enum bio_state bio_state(const struct bio *bio)
{
	return (enum bio_state)(atomic_load_explicit(&bio->word, memory_order_relaxed) & 3);
}

void bio_begin(struct bio *bio)
{
	assert(bio_transitions[bio_state(bio)][BIO_SUBMITTED]);
	bio->b.id++;
	atomic_store_explicit(
		&bio->word, word_make(bio->b.id, BIO_SUBMITTED), memory_order_release);
}

/* From SUBMITTED to ANSWERED, if this is the first answer to this use of the bio. Any thread. */
bool bio_take_answer(struct bio *bio, uint64_t id)
{
	uint64_t want = word_make(id, BIO_SUBMITTED);

	return atomic_compare_exchange_strong_explicit(&bio->word, &want,
		word_make(id, BIO_ANSWERED), memory_order_acq_rel, memory_order_relaxed);
}

void bio_end(struct bio *bio)
{
	assert(bio_transitions[bio_state(bio)][BIO_IDLE]);
	atomic_store_explicit(&bio->word, word_make(bio->b.id, BIO_IDLE), memory_order_relaxed);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void bio_returned(struct loop *loop, struct loop_msg *msg)
{
	backstore_answered(container_of(msg, struct bio, msg));
}

static void host_answer(struct ulio_bio *b, uint64_t id, int64_t res)
{
	struct bio *bio = bio_of(b);
	struct loop *loop = bio->loop;

	if (!bio_take_answer(bio, id)) {
		backstore_bad_answer(bio->bs, "answered a request that it was not asked");
		return;
	}
	bio->answer = res;
	bio->msg.fn = bio_returned;
	if (!loop_is_current(loop))
		loop_post(loop, &bio->msg);
	else if (bio->slot->entered)
		loop_defer(loop, &bio->msg);
	else
		backstore_answered(bio);
}

static void host_log(int level, const char *name, const char *text)
{
	static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
		LOG_LEVEL_DEBUG };

	if (level < 0 || level > 3)
		level = 3;
	log_obj(levels[level], "block", name, "%s", text);
}

const struct ulio_host backstore_host = {
	.size = sizeof(struct ulio_host),
	.abi = ULIO_BACKSTORE_ABI,
	.answer = host_answer,
	.log = host_log,
};

/* ---- stock ---------------------------------------------------------------------------------- */

void bio_stock_init(struct backstore_slot *slot)
{
	list_init(&slot->stock);
}

void bio_stock_done(struct backstore_slot *slot)
{
	struct bio *bio, *tmp;

	list_for_each_safe (bio, tmp, &slot->stock, struct bio, link)
		free(bio);
}

/* All of it but host and id, which a plugin that answers twice may be reading. */
static void bio_clear(struct bio *bio)
{
	bio_init_rw(bio, ULIO_OP_READ, 0, 0, 0, NULL, 0, 0);
	bio->b.backstore_data = NULL;
	bio->b.result = 0;
	bio->done = NULL;
	bio->owner = NULL;
}

struct bio *bio_new(struct backstore *bs, struct loop *loop)
{
	struct backstore_slot *slot = &bs->slots[loop_index(loop)];
	struct list *n = list_pop_front(&slot->stock);
	struct bio *bio;

	assert(!slot->draining || slot->nout > 0);
	if (n) {
		bio = container_of(n, struct bio, link);
		slot->nstock--;
		bio_clear(bio);
	} else {
		bio = calloc(1, sizeof(*bio));
		if (!bio)
			return NULL;
		list_init(&bio->link);
		bio->b.size = sizeof(bio->b);
		bio->b.host = &backstore_host;
		bio->bs = bs;
		bio->slot = slot;
		bio->loop = loop;
	}
	slot->nout++;
	return bio;
}

struct bio *bio_free(struct bio *bio)
{
	struct backstore_slot *slot;
	struct backstore *bs;
	struct loop *loop;

	if (!bio)
		return NULL;
	assert(bio_state(bio) == BIO_IDLE);
	slot = bio->slot;
	bs = bio->bs;
	loop = bio->loop;
	/* A plugin may still answer a request of old: then its memory must be there to tell. */
	if (slot->nstock < BIO_STOCK_MAX || !bs->kind.internal) {
		list_push_front(&slot->stock, &bio->link);
		slot->nstock++;
	} else {
		free(bio);
	}
	if (--slot->nout == 0 && slot->draining)
		backstore_slot_drained(bs, loop);
	return NULL;
}

void bio_init_rw(struct bio *bio, enum ulio_bio_op op, uint16_t flags, uint64_t off_bytes,
	uint64_t len_bytes, struct iovec *iov, uint32_t niov, uint32_t iov_cap)
{
	bio->b.op = (uint16_t)op;
	bio->b.flags = flags;
	bio->b.off_bytes = off_bytes;
	bio->b.len_bytes = len_bytes;
	bio->b.iov = iov;
	bio->b.niov = niov;
	bio->b.iov_cap = iov_cap;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zero.c: runs of zeroes (zero.h), and ZERO for backstores that have none: a series of WRITEs of
 * such runs, one after the other.
 */
#include "block/zero.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/backstore_priv.h"
#include "block/limits.h"
#include "loop/pool.h"

enum {
	ZERO_PAGES = ZERO_RUN_BYTES / POOL_PAGE_BYTES,
	ZERO_IOV = ZERO_WRITE_BYTES / ZERO_RUN_BYTES
};

const void *zero_run_get(struct bio *bio, uint32_t *ret_bytes)
{
	struct zero_run *run = registry_zero_run(bio->bs->reg, loop_index(bio->loop));
	struct iovec iov[ZERO_PAGES];
	int n;

	if (!run->pages) {
		n = pages_alloc(bio->bs->loops, bio->loop, ZERO_RUN_BYTES, iov, ZERO_PAGES);
		if (n < 0)
			return NULL;
		/* Memory may be scattered: one of its runs will do. */
		if (n > 1)
			pages_unref(bio->bs->loops, iov + 1, (unsigned)n - 1);
		memset(iov[0].iov_base, 0, iov[0].iov_len);
		run->pages = iov[0].iov_base;
		run->bytes = (uint32_t)iov[0].iov_len;
	}
	*ret_bytes = run->bytes;
	return run->pages;
}

int zero_run_lend(struct bio *bio, uint64_t n, struct iovec *iov, uint32_t niov, uint32_t iov_cap)
{
	struct loops *loops = bio->bs->loops;
	uint32_t run_bytes, first = niov;
	const void *run = zero_run_get(bio, &run_bytes);

	if (!run)
		return -ENOMEM;
	for (; n > 0; niov++) {
		if (niov == iov_cap) {
			pages_unref(loops, iov + first, niov - first);
			return -EMSGSIZE;
		}
		iov[niov].iov_base = (void *)run;
		iov[niov].iov_len = n < run_bytes ? (size_t)n : run_bytes;
		n -= iov[niov].iov_len;
		pages_ref(loops, &iov[niov], 1);
	}
	return (int)niov;
}

/* ---- ZERO by WRITEs ------------------------------------------------------------------------- */

struct zero_op {
	struct bio *parent; /* the ZERO */
	uint64_t parent_id;
	struct bio *sub; /* owned */
	uint64_t off_bytes, left_bytes;
	uint32_t step_bytes; /* of the WRITE under way */
	bool stop; /* cancelled */
	struct iovec iov[ZERO_IOV];
};

static void zero_finish(struct zero_op *z, int res)
{
	struct bio *parent = z->parent;
	uint64_t id = z->parent_id;

	bio_free(z->sub);
	free(z);
	ulio_bio_answer(&parent->b, id, res);
}

static void zero_step(struct zero_op *z)
{
	struct backstore *bs = z->parent->bs;
	uint32_t max_io = atomic_load_explicit(&bs->max_io_bytes, memory_order_relaxed);
	uint32_t run_bytes, n, at, i;
	const void *run = zero_run_get(z->sub, &run_bytes);

	if (!run) {
		zero_finish(z, -ENOMEM);
		return;
	}
	n = ZERO_IOV * run_bytes;
	if (max_io && n > max_io)
		n = max_io;
	if (n > z->left_bytes)
		n = (uint32_t)z->left_bytes;
	n -= n % bs->block_bytes;
	for (i = 0, at = 0; at < n; i++) {
		z->iov[i].iov_base = (void *)run;
		z->iov[i].iov_len = n - at < run_bytes ? n - at : run_bytes;
		at += (uint32_t)z->iov[i].iov_len;
	}
	z->step_bytes = n;
	bio_init_rw(z->sub, ULIO_OP_WRITE, z->parent->b.flags & ULIO_BIO_FUA, z->off_bytes, n,
		z->iov, i, ZERO_IOV);
	backstore_submit(bs, z->sub->loop, z->sub);
}

static void zero_written(struct bio *sub)
{
	struct zero_op *z = sub->owner;

	if (sub->b.result < 0) {
		zero_finish(z, sub->b.result);
		return;
	}
	z->off_bytes += z->step_bytes;
	z->left_bytes -= z->step_bytes;
	if (z->left_bytes == 0)
		zero_finish(z, 0);
	else if (z->stop)
		zero_finish(z, -ECANCELED);
	else
		zero_step(z);
}

/* In backstore_submit(): carry out a ZERO that the backstore cannot. */
void backstore_zero_by_write(struct bio *bio)
{
	struct zero_op *z;

	if (bio->b.len_bytes == 0) {
		ulio_bio_answer(&bio->b, bio->b.id, 0);
		return;
	}
	z = calloc(1, sizeof(*z));
	if (z)
		z->sub = bio_new(bio->bs, bio->loop);
	if (!z || !z->sub) {
		free(z);
		ulio_bio_answer(&bio->b, bio->b.id, -ENOMEM);
		return;
	}
	z->parent = bio;
	z->parent_id = bio->b.id;
	z->off_bytes = bio->b.off_bytes;
	z->left_bytes = bio->b.len_bytes;
	z->sub->done = zero_written;
	z->sub->owner = z;
	bio->b.backstore_data = z;
	zero_step(z);
}

void backstore_zero_cancel(struct bio *bio)
{
	struct zero_op *z = bio->b.backstore_data;

	z->stop = true;
	if (bio_state(z->sub) == BIO_SUBMITTED)
		backstore_cancel(bio->bs, z->sub);
}

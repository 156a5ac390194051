/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool_priv.h: what the page pool consists of, for pool.c (at work) and pool_life.c (its making
 * and end).
 */
#ifndef ULIO_LOOP_POOL_PRIV_H
#define ULIO_LOOP_POOL_PRIV_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop_priv.h"
#include "loop/pool.h"

enum { CHUNK_PAGES = 64, NO_OWNER = 0 };
#define CHUNK_BYTES ((uint64_t)CHUNK_PAGES * POOL_PAGE_BYTES)
#define ALL_FREE    UINT64_MAX

struct chunk {
	_Atomic uint64_t free; /* bit i: page i; 0 in the global pool */
	_Atomic uint32_t owner; /* number of the cache plus one, NO_OWNER in the global pool */
	_Atomic uint32_t pins;
	_Atomic bool listed;
	bool warm; /* in the global pool, and its memory was kept */
	/* In a list of the owner: the owner's thread alone. Else in `warm`: under its lock. */
	struct list link;
	_Atomic(struct chunk *) next; /* in `returned` */
	char pad[16];
};
static_assert(sizeof(struct chunk) == CACHE_LINE, "chunks share no cache line");

struct cache {
	struct list partial; /* tried first for what is smaller than a chunk */
	struct list whole; /* had all pages free when they were listed */
	struct loop *loop; /* NULL: the shared one */
	_Alignas(CACHE_LINE) _Atomic(struct chunk *) returned;
	_Atomic uint32_t nwhole; /* chunks that became wholly free since the last trim */
	_Atomic bool trim_posted;
	struct loop_msg trim_msg;
};

struct pages {
	char *base;
	uint64_t npages, limit_bytes;
	uint32_t nchunks;
	struct chunk *chunks;
	_Atomic uint32_t *refs; /* one per page */
	unsigned ncaches; /* loops, and the shared one at the end */
	struct cache *caches;
	pthread_mutex_t shared_lock; /* of the shared cache */

	pthread_mutex_t lock; /* of the global pool */
	uint64_t *avail; /* bit per chunk: in the global pool */
	uint32_t navail, nwarm;
	struct list warm; /* chunks there whose memory was kept, the last one first */
	uint32_t first_avail; /* no lower word has a bit */
	uint32_t nused; /* no chunk from here on was ever taken, but for the odd last one */
	/* Is much free in pieces? Was found out last for the next verdict_pages pages. */
	bool scattered;
	uint64_t verdict_pages;
	_Atomic uint32_t hand; /* where the next pieces are looked for */
};

static inline uint64_t mask_of(unsigned first, unsigned n)
{
	return n == CHUNK_PAGES ? ALL_FREE : ((UINT64_C(1) << n) - 1) << first;
}

/* A cache's loop gives back what is beyond its share. On the loop of the message. */
void pool_trim_fn(struct loop *loop, struct loop_msg *msg);

#endif

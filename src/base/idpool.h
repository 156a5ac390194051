/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * idpool.h: numbers of a range, each given out to one holder at a time.
 *
 * idpool_alloc() goes round the range, so that a number that was given back is not met again
 * soon: a late message that bears it finds nobody. Memory is a bit for each number up to the
 * highest that was ever given out. Not thread-safe.
 */
#ifndef ULIO_BASE_IDPOOL_H
#define ULIO_BASE_IDPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/bitmap.h"

enum { IDPOOL_IDS_MAX = 1 << 24 }; /* numbers in a range: 2 MiB of bits */

struct idpool {
	uint32_t min, max;
	uint32_t next; /* where idpool_alloc() looks first */
	uint32_t used; /* numbers given out */
	struct bitmap bits; /* bit i: min + i is given out */
};

/* The range min to max, both included, of at most IDPOOL_IDS_MAX numbers. */
void idpool_init(struct idpool *p, uint32_t min, uint32_t max);
void idpool_done(struct idpool *p);

/* Give out the next free number, or the lowest: 0, -ENOSPC if none is free, -ENOMEM. */
int idpool_alloc(struct idpool *p, uint32_t *ret_id);
int idpool_alloc_lowest(struct idpool *p, uint32_t *ret_id);

/* Give out this one: 0, -EBUSY if it is given out, -ERANGE if outside the range, -ENOMEM. */
int idpool_take(struct idpool *p, uint32_t id);

/* Give a number back, which must be given out. */
void idpool_free(struct idpool *p, uint32_t id);

/* True if id is given out (any number may be asked for). */
bool idpool_is_used(const struct idpool *p, uint32_t id);

#endif

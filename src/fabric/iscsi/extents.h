/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extents.h: sets of byte ranges, for data that come out of order: which of a burst have come, and
 * which of a command are missing. Most bursts come in order and have none: a set that was never
 * added to is a NULL pointer and takes no memory. Pure functions.
 */
#ifndef ULIO_FABRIC_ISCSI_EXTENTS_H
#define ULIO_FABRIC_ISCSI_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

struct extent {
	uint32_t from, to; /* bytes [from, to), from < to */
};

/* In rising order; none touches the next. */
struct extents {
	uint32_t n, cap;
	struct extent e[];
};

/* What the sets of one connection hold together: pieces that there is memory for. */
struct extents_pool {
	uint32_t used, most;
};

/*
 * Add [from, to) to the set, which is allocated when it was NULL. An empty range changes nothing.
 *	pool	that the set belongs to; NULL: none
 * Returns the bytes that were not in it before; -ENOMEM, or -ENOSPC with more than EXTENTS_MAX
 * pieces or none left in the pool, and the set is as it was.
 */
int64_t extents_add(struct extents **set, struct extents_pool *pool, uint32_t from, uint32_t to);
/* Bytes of [from, to) that are in the set. */
uint32_t extents_have(const struct extents *set, uint32_t from, uint32_t to);
/* The first range within [from, to) that the set lacks. False: it lacks nothing of it. */
bool extents_gap(const struct extents *set, uint32_t from, uint32_t to, struct extent *ret);
/* Take the lowest bytes of the set off it, at most max of them. False: it is empty. */
bool extents_pop(struct extents *set, uint32_t max, struct extent *ret);
/* Free it, which gives back to its pool. Returns NULL. */
struct extents *extents_free(struct extents *set, struct extents_pool *pool);
/* It belongs to another pool from now on; NULL: to none. That one may hold too much then. */
void extents_move(const struct extents *set, struct extents_pool *from, struct extents_pool *to);

static inline bool extents_empty(const struct extents *set)
{
	return !set || !set->n;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bitmap.h: a set of bits of a size given at its start, growable. Bit numbers are below nbits;
 * the functions assert it. Not thread-safe.
 */
#ifndef ULIO_BASE_BITMAP_H
#define ULIO_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITMAP_BITS_MAX (UINT64_C(1) << 36) /* 8 GiB of memory: more is a mistake of the caller */

struct bitmap {
	uint64_t *words; /* owned; bits at nbits and above are 0 */
	size_t nbits;
};

/* All bits clear. 0 or -ENOMEM, so also above BITMAP_BITS_MAX. nbits may be 0. */
int bitmap_init(struct bitmap *m, size_t nbits);

void bitmap_done(struct bitmap *m);

/* Change the size; new bits are clear. 0 or -ENOMEM, then nothing has changed. */
int bitmap_resize(struct bitmap *m, size_t nbits);

void bitmap_set(struct bitmap *m, size_t bit);
void bitmap_clear(struct bitmap *m, size_t bit);
bool bitmap_test(const struct bitmap *m, size_t bit);

/* The n bits from bit on. */
void bitmap_set_range(struct bitmap *m, size_t bit, size_t n);
void bitmap_clear_range(struct bitmap *m, size_t bit, size_t n);

/* The first set (clear) bit at from or above; nbits if there is none. from <= nbits. */
size_t bitmap_next_set(const struct bitmap *m, size_t from);
size_t bitmap_next_clear(const struct bitmap *m, size_t from);

/* How many bits are set. */
size_t bitmap_count(const struct bitmap *m);

#endif

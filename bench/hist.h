/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.h: histogram of latencies in nanoseconds, 64 steps per power of two: a percentile is told
 * to within 1.6 %.
 */
#ifndef ULIO_BENCH_HIST_H
#define ULIO_BENCH_HIST_H

#include <stdint.h>

enum { HIST_STEP_BITS = 6, HIST_SLOTS = (64 - HIST_STEP_BITS + 1) << HIST_STEP_BITS };

struct hist {
	uint64_t count, sum, max;
	uint64_t slots[HIST_SLOTS];
};

/* The slot of a value. */
static inline unsigned hist_slot(uint64_t v)
{
	unsigned shift;

	if (v < 1u << HIST_STEP_BITS)
		return (unsigned)v;
	shift = 63u - (unsigned)__builtin_clzll(v) - HIST_STEP_BITS;
	return ((shift + 1) << HIST_STEP_BITS) + (unsigned)(v >> shift) - (1u << HIST_STEP_BITS);
}

static inline void hist_add(struct hist *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	h->max = v > h->max ? v : h->max;
	h->slots[hist_slot(v)]++;
}

void hist_merge(struct hist *to, const struct hist *from);

/* The value that the given share (0 to 1) of all values does not exceed: its slot's upper end. */
uint64_t hist_quantile(const struct hist *h, double share);

#endif

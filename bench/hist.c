/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.c: histogram of latencies. See hist.h.
 */
#include "bench/hist.h"

#include <stddef.h>

void hist_merge(struct hist *to, const struct hist *from)
{
	to->count += from->count;
	to->sum += from->sum;
	to->max = from->max > to->max ? from->max : to->max;
	for (size_t i = 0; i < HIST_SLOTS; i++)
		to->slots[i] += from->slots[i];
}

/* The largest value that falls into a slot. */
static uint64_t slot_end(unsigned slot)
{
	unsigned shift = slot >> HIST_STEP_BITS;
	uint64_t step = slot & ((1u << HIST_STEP_BITS) - 1);

	if (!shift)
		return step;
	return ((step + (1u << HIST_STEP_BITS) + 1) << (shift - 1)) - 1;
}

uint64_t hist_quantile(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->count), seen = 0;

	if (!h->count)
		return 0;
	for (unsigned i = 0; i < HIST_SLOTS; i++) {
		seen += h->slots[i];
		if (seen && seen >= want)
			return slot_end(i) < h->max ? slot_end(i) : h->max;
	}
	return h->max;
}

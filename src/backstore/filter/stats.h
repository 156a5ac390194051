/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.h: what the filter "stats" has counted. */
#ifndef ULIO_BACKSTORE_FILTER_STATS_H
#define ULIO_BACKSTORE_FILTER_STATS_H

#include "block/backstore.h"

/* Latencies: bucket 0 is below 1 us, bucket i below 2^i us, the last everything above. */
enum { STATS_BUCKETS = 28 };

struct stats_op {
	uint64_t count; /* answered */
	uint64_t errors; /* of these */
	uint64_t bytes; /* of those without error */
	uint64_t latency_ns; /* sum */
	uint64_t buckets[STATS_BUCKETS];
};

/*
 * Sum over all loops, by operation. bs: a backstore of kind "stats", else -EINVAL. Any thread;
 * what is under way meanwhile may be counted in part.
 */
int stats_read(struct backstore *bs, struct stats_op ret[ULIO_OP_N]);

#endif

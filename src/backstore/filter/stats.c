/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c: a filter that counts what passes, by operation; see stats.h. Counters are per loop. */
#include "backstore/filter/stats.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backstore/filter/filter.h"

enum { STATS_WORDS = sizeof(struct stats_op) / sizeof(uint64_t) };
static_assert(sizeof(struct stats_op) % sizeof(uint64_t) == 0, "struct stats_op");

/* The fields of struct stats_op, written by one loop, read by all. */
struct stats_slot {
	alignas(128) _Atomic uint64_t words[ULIO_OP_N][STATS_WORDS];
};

struct stats {
	struct backstore *self; /* borrowed: this filter's own */
	unsigned n;
	struct stats_slot *slots; /* one per loop */
};

#define WORD(field) (offsetof(struct stats_op, field) / sizeof(uint64_t))

static void word_add(_Atomic uint64_t *word, uint64_t n)
{
	atomic_store_explicit(
		word, atomic_load_explicit(word, memory_order_relaxed) + n, memory_order_relaxed);
}

static unsigned bucket_of(uint64_t ns)
{
	uint64_t us = ns / 1000;
	unsigned i = us ? 64 - (unsigned)__builtin_clzll(us) : 0;

	return i < STATS_BUCKETS ? i : STATS_BUCKETS - 1;
}

static void stats_done(struct bio *lower)
{
	const struct bio *upper = lower->owner;
	struct stats *s = backstore_handle(upper->bs, "stats");
	_Atomic uint64_t *words = s->slots[loop_index(lower->loop)].words[lower->b.op];
	uint64_t now = loop_now_ns(lower->loop);
	uint64_t ns = now > upper->submitted_ns ? now - upper->submitted_ns : 0;

	word_add(&words[WORD(count)], 1);
	word_add(&words[WORD(latency_ns)], ns);
	word_add(&words[WORD(buckets) + bucket_of(ns)], 1);
	if (lower->b.result < 0)
		word_add(&words[WORD(errors)], 1);
	else
		word_add(&words[WORD(bytes)], upper->b.len_bytes);
	filter_passed(lower);
}

static void stats_submit(void *handle, struct ulio_bio *b)
{
	filter_pass(((struct stats *)handle)->self, b, stats_done);
}

static void stats_cancel(void *handle, struct ulio_bio *b, uint64_t id)
{
	filter_cancel_below(b);
}

int stats_read(struct backstore *bs, struct stats_op ret[ULIO_OP_N])
{
	struct stats *s = backstore_handle(bs, "stats");
	uint64_t words[ULIO_OP_N][STATS_WORDS];

	if (!s)
		return -EINVAL;
	memset(words, 0, sizeof(words));
	for (unsigned i = 0; i < s->n; i++)
		for (unsigned op = 0; op < ULIO_OP_N; op++)
			for (unsigned w = 0; w < STATS_WORDS; w++)
				words[op][w] += atomic_load_explicit(
					&s->slots[i].words[op][w], memory_order_relaxed);
	memcpy(ret, words, sizeof(words));
	return 0;
}

static int stats_open(struct loops *loops, struct backstore *self,
	const struct ulio_open_args *args, void **ret_handle)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->self = self;
	s->n = loops_count(loops);
	s->slots = aligned_alloc(alignof(struct stats_slot), s->n * sizeof(*s->slots));
	if (!s->slots) {
		free(s);
		return -ENOMEM;
	}
	memset(s->slots, 0, s->n * sizeof(*s->slots));
	*ret_handle = s;
	return 0;
}

static void stats_close(void *handle)
{
	struct stats *s = handle;

	free(s->slots);
	free(s);
}

static void stats_info(void *handle, struct ulio_backstore_info *info)
{
	filter_info(((struct stats *)handle)->self, info);
}

static int stats_map(
	void *handle, uint64_t off_bytes, uint64_t len_bytes, struct ulio_extent *ret, uint32_t max)
{
	return filter_map(((struct stats *)handle)->self, off_bytes, len_bytes, ret, max);
}

static int stats_resize(void *handle, uint64_t size_bytes, char *err, uint64_t err_bytes)
{
	return filter_resize(((struct stats *)handle)->self, size_bytes, err, err_bytes);
}

const struct backstore_internal_ops backstore_stats = {
	.ops = {
		ULIO_BACKSTORE_HEADER,
		.kind = "stats",
		.text = "Filter: counts what passes and how long it takes.",
		.close = stats_close,
		.info = stats_info,
		.submit = stats_submit,
		.cancel = stats_cancel,
		.map = stats_map,
		.resize = stats_resize,
	},
	.open = stats_open,
	.filter = true,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timer.c: the timers of a loop, a heap with four children per node ordered by due time. The
 * entries carry the time, so that sifting does not touch the timers' own memory until one moves.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "loop/loop_priv.h"

enum { ARITY = 4 };

struct timer_entry {
	uint64_t at_ns;
	struct loop_timer *t;
};

static size_t heap_bytes(void)
{
	return (size_t)LOOP_TIMERS_MAX * sizeof(struct timer_entry);
}

int timers_init(struct timer_heap *h)
{
	/* Address space alone; pages come as timers are armed. So arming cannot fail. */
	void *p = mmap(NULL, heap_bytes(), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	h->v = p;
	h->n = 0;
	return 0;
}

void timers_done(struct timer_heap *h)
{
	if (h->v)
		munmap(h->v, heap_bytes());
	h->v = NULL;
	h->n = 0;
}

static void heap_set(struct timer_heap *h, uint32_t i, struct timer_entry e)
{
	h->v[i] = e;
	e.t->slot = i + 1;
}

static void sift_up(struct timer_heap *h, uint32_t i, struct timer_entry e)
{
	while (i > 0) {
		uint32_t up = (i - 1) / ARITY;

		if (h->v[up].at_ns <= e.at_ns)
			break;
		heap_set(h, i, h->v[up]);
		i = up;
	}
	heap_set(h, i, e);
}

static void sift_down(struct timer_heap *h, uint32_t i, struct timer_entry e)
{
	for (;;) {
		uint64_t first = (uint64_t)i * ARITY + 1, least = first;

		if (first >= h->n)
			break;
		for (uint64_t k = first + 1; k < first + ARITY && k < h->n; k++)
			if (h->v[k].at_ns < h->v[least].at_ns)
				least = k;
		if (h->v[least].at_ns >= e.at_ns)
			break;
		heap_set(h, i, h->v[least]);
		i = (uint32_t)least;
	}
	heap_set(h, i, e);
}

void timers_insert(struct timer_heap *h, struct loop_timer *t)
{
	assert(t->slot == 0);
	assert(h->n < LOOP_TIMERS_MAX);
	sift_up(h, h->n++, (struct timer_entry){ t->at_ns, t });
}

void timers_remove(struct timer_heap *h, struct loop_timer *t)
{
	uint32_t i = t->slot - 1;
	struct timer_entry last;

	assert(t->slot != 0 && i < h->n && h->v[i].t == t);
	t->slot = 0;
	last = h->v[--h->n];
	if (i == h->n)
		return;
	if (i > 0 && last.at_ns < h->v[(i - 1) / ARITY].at_ns)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

uint64_t timers_next_ns(const struct timer_heap *h)
{
	return h->n ? h->v[0].at_ns : LOOP_FOREVER;
}

struct loop_timer *timers_pop(struct timer_heap *h, uint64_t now_ns)
{
	struct loop_timer *t;

	if (!h->n || h->v[0].at_ns > now_ns)
		return NULL;
	t = h->v[0].t;
	timers_remove(h, t);
	return t;
}

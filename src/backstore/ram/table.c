/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c: see table.h. */
#include "backstore/ram/table.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct ram_leaf {
	ram_entry entries[RAM_LEAF_PAGES];
};

/* What loops see; replaced as a whole when the disk grows. */
struct ram_top {
	uint64_t nleaves;
	uint64_t npages;
	_Atomic(struct ram_leaf *) leaves[];
};

struct ram_table {
	struct loops *loops; /* borrowed */
	_Atomic(struct ram_top *) top; /* owned; reclaimed after a barrier of the loops */
	pthread_mutex_t making; /* a leaf is made, or top is replaced */
	pthread_mutex_t resizing; /* keeps top and leaves for readers that are no loops */
};

static struct ram_top *top_new(uint64_t npages)
{
	uint64_t n = (npages + RAM_LEAF_PAGES - 1) / RAM_LEAF_PAGES;
	struct ram_top *top;

	if (n > (SIZE_MAX - sizeof(*top)) / sizeof(top->leaves[0]))
		return NULL;
	top = calloc(1, sizeof(*top) + n * sizeof(top->leaves[0]));
	if (top) {
		top->nleaves = n;
		top->npages = npages;
	}
	return top;
}

struct ram_table *ram_table_new(struct loops *loops, uint64_t npages)
{
	struct ram_table *t = calloc(1, sizeof(*t));
	struct ram_top *top = top_new(npages);

	if (!t || !top) {
		free(t);
		free(top);
		return NULL;
	}
	t->loops = loops;
	atomic_init(&t->top, top);
	pthread_mutex_init(&t->making, NULL);
	pthread_mutex_init(&t->resizing, NULL);
	return t;
}

/* ---- entries -------------------------------------------------------------------------------- */

void *ram_entry_lock(ram_entry *e)
{
	unsigned spins = 0;
	uintptr_t v = atomic_load_explicit(e, memory_order_relaxed) & ~(uintptr_t)1;

	while (!atomic_compare_exchange_weak_explicit(
		e, &v, v | 1, memory_order_acquire, memory_order_relaxed)) {
		v &= ~(uintptr_t)1;
		/* The holder copies a page; if it takes longer, it lost its CPU. */
		if (++spins % 64 == 0)
			sched_yield();
	}
	return (void *)v;
}

void ram_entry_unlock(ram_entry *e, void *page)
{
	atomic_store_explicit(e, (uintptr_t)page, memory_order_release);
}

static void leaf_drop_pages(struct ram_table *t, struct ram_leaf *leaf, unsigned first)
{
	for (unsigned i = first; i < RAM_LEAF_PAGES; i++) {
		void *page = (void *)atomic_exchange_explicit(
			&leaf->entries[i], 0, memory_order_acq_rel);

		if (page)
			page_unref(t->loops, page);
	}
}

struct ram_table *ram_table_free(struct ram_table *t)
{
	struct ram_top *top;

	if (!t)
		return NULL;
	top = atomic_load(&t->top);
	for (uint64_t i = 0; i < top->nleaves; i++) {
		struct ram_leaf *leaf = atomic_load_explicit(&top->leaves[i], memory_order_acquire);

		if (!leaf)
			continue;
		leaf_drop_pages(t, leaf, 0);
		free(leaf);
	}
	free(top);
	pthread_mutex_destroy(&t->making);
	pthread_mutex_destroy(&t->resizing);
	free(t);
	return NULL;
}

/* ---- finding -------------------------------------------------------------------------------- */

ram_entry *ram_table_find(struct ram_table *t, uint64_t page)
{
	struct ram_top *top = atomic_load_explicit(&t->top, memory_order_acquire);
	struct ram_leaf *leaf;

	if (page >= top->npages)
		return NULL;
	leaf = atomic_load_explicit(&top->leaves[page / RAM_LEAF_PAGES], memory_order_acquire);
	return leaf ? &leaf->entries[page % RAM_LEAF_PAGES] : NULL;
}

ram_entry *ram_table_make(struct ram_table *t, uint64_t page)
{
	ram_entry *e = ram_table_find(t, page);
	struct ram_leaf *leaf;
	struct ram_top *top;

	if (e)
		return e;
	leaf = calloc(1, sizeof(*leaf));
	if (!leaf)
		return NULL;
	pthread_mutex_lock(&t->making);
	/* Another loop may have been faster, and top may be a larger one by now. */
	top = atomic_load_explicit(&t->top, memory_order_acquire);
	if (page < top->npages && !atomic_load(&top->leaves[page / RAM_LEAF_PAGES])) {
		atomic_store_explicit(
			&top->leaves[page / RAM_LEAF_PAGES], leaf, memory_order_release);
		leaf = NULL;
	}
	pthread_mutex_unlock(&t->making);
	free(leaf);
	return ram_table_find(t, page);
}

uint64_t ram_table_run(struct ram_table *t, uint64_t page, uint64_t max, bool *ret_hole)
{
	uint64_t n = 0;
	bool hole = false;

	pthread_mutex_lock(&t->resizing);
	while (n < max && page + n < atomic_load(&t->top)->npages) {
		ram_entry *e = ram_table_find(t, page + n);
		bool this_hole = !e || atomic_load_explicit(e, memory_order_relaxed) <= 1;
		uint64_t step = e ? 1 : RAM_LEAF_PAGES - (page + n) % RAM_LEAF_PAGES;

		if (n > 0 && this_hole != hole)
			break;
		hole = this_hole;
		n += step;
	}
	pthread_mutex_unlock(&t->resizing);
	*ret_hole = hole;
	return n < max ? n : max;
}

/* ---- size ----------------------------------------------------------------------------------- */

static int table_grow(struct ram_table *t, uint64_t npages)
{
	struct ram_top *top = top_new(npages), *old;

	if (!top)
		return -ENOMEM;
	pthread_mutex_lock(&t->resizing);
	pthread_mutex_lock(&t->making);
	old = atomic_load(&t->top);
	for (uint64_t i = 0; i < old->nleaves; i++)
		atomic_init(&top->leaves[i], atomic_load(&old->leaves[i]));
	atomic_store_explicit(&t->top, top, memory_order_release);
	pthread_mutex_unlock(&t->making);
	pthread_mutex_unlock(&t->resizing);
	/* Whoever is no loop had the old one under the lock only. */
	loops_barrier(t->loops, NULL, NULL);
	free(old);
	return 0;
}

/* The table keeps its length: a smaller disk only uses less of it. */
static void table_shrink(struct ram_table *t, uint64_t npages)
{
	struct ram_top *top = atomic_load(&t->top);
	uint64_t first = (npages + RAM_LEAF_PAGES - 1) / RAM_LEAF_PAGES;

	if (npages % RAM_LEAF_PAGES) {
		struct ram_leaf *leaf = atomic_load(&top->leaves[npages / RAM_LEAF_PAGES]);

		if (leaf)
			leaf_drop_pages(t, leaf, (unsigned)(npages % RAM_LEAF_PAGES));
	}
	for (uint64_t i = first; i < top->nleaves; i++) {
		struct ram_leaf *leaf = atomic_exchange(&top->leaves[i], NULL);

		if (!leaf)
			continue;
		leaf_drop_pages(t, leaf, 0);
		free(leaf);
	}
}

int ram_table_resize(struct ram_table *t, uint64_t npages)
{
	if (npages > atomic_load(&t->top)->npages)
		return table_grow(t, npages);
	pthread_mutex_lock(&t->resizing);
	table_shrink(t, npages);
	pthread_mutex_unlock(&t->resizing);
	return 0;
}

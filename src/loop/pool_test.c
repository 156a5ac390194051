/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of pool.c: sizes and contiguity, the quota, references, use by many threads at once, that
 * memory which one loop has freed is there for all others, and that pinned chunks are used up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/loop.h"
#include "loop/pool.h"

#define PAGE  ((uint64_t)POOL_PAGE_BYTES)
#define CHUNK (64 * PAGE)

static struct loops *set_new(uint64_t limit)
{
	struct loops_config cfg = { .kind = LOOP_AUTO, .nloops = 2, .page_limit_bytes = limit };
	struct loops *loops;
	struct errmsg err;

	errmsg_init(&err);
	if (loops_new(&cfg, &loops, &err))
		fail_msg("loops_new: %s", err.text);
	return loops;
}

/* An allocation on a loop. */
struct want {
	struct loops *loops;
	uint64_t n;
	struct iovec iov[128];
	unsigned max;
	int ret;
};

static void want_fn(struct loop *loop, void *arg)
{
	struct want *w = arg;

	w->ret = pages_alloc(w->loops, loop, w->n, w->iov, w->max);
}

static int want_on(struct want *w, unsigned loop, uint64_t n, unsigned max)
{
	w->n = n;
	w->max = max;
	loops_call(w->loops, loops_get(w->loops, loop), want_fn, w);
	return w->ret;
}

static uint64_t bytes_of(const struct want *w)
{
	uint64_t n = 0;

	for (int i = 0; i < w->ret; i++) {
		assert_int_equal((uintptr_t)w->iov[i].iov_base % PAGE, 0);
		n += w->iov[i].iov_len;
	}
	return n;
}

static void test_sizes(void **state)
{
	static const uint64_t sizes[] = { 1, 512, PAGE, PAGE + 1, 3 * PAGE, CHUNK - PAGE, CHUNK,
		CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 3 * PAGE + 7 };
	struct loops *loops = set_new(64 * CHUNK);
	struct want w = { .loops = loops };
	uint64_t used = 0;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* much is free: each is one run */
		assert_int_equal(want_on(&w, i % 2, sizes[i], 1), 1);
		assert_int_equal(bytes_of(&w), sizes[i]);
		memset(w.iov[0].iov_base, 0xaa, w.iov[0].iov_len);
		used += (sizes[i] + PAGE - 1) / PAGE * PAGE;
		assert_int_equal(pages_used_bytes(loops), used);
		assert_true(page_owned(loops, w.iov[0].iov_base));
		if (i % 2) {
			pages_unref(loops, w.iov, 1);
			used -= (sizes[i] + PAGE - 1) / PAGE * PAGE;
		}
	}
	assert_int_equal(pages_used_bytes(loops), used);
	assert_false(page_owned(loops, &w));
	assert_int_equal(want_on(&w, 0, 0, 1), 0);
	loops_free(loops);
}

static void test_references(void **state)
{
	struct loops *loops = set_new(4 * CHUNK);
	struct want w = { .loops = loops };
	struct iovec part, outside = { &part, sizeof(part) };
	char *p;

	assert_int_equal(want_on(&w, 0, 4 * PAGE, 1), 1);
	p = w.iov[0].iov_base;
	/* bytes [PAGE - 1, 2 * PAGE + 1) touch three pages */
	part = (struct iovec){ p + PAGE - 1, PAGE + 2 };
	pages_ref(loops, &part, 1);
	pages_ref(loops, &outside, 1);
	assert_false(page_exclusive(loops, p));
	assert_false(page_exclusive(loops, p + 2 * PAGE + 5));
	assert_true(page_exclusive(loops, p + 3 * PAGE));
	page_ref(loops, p + 3 * PAGE);
	pages_unref(loops, w.iov, 1);
	assert_int_equal(pages_used_bytes(loops), 4 * PAGE);
	assert_true(page_exclusive(loops, p));
	pages_unref(loops, &part, 1);
	pages_unref(loops, &outside, 1);
	assert_int_equal(pages_used_bytes(loops), PAGE);
	page_unref(loops, p + 3 * PAGE);
	assert_int_equal(pages_used_bytes(loops), 0);
	loops_free(loops);
}

/* Not a page more than the quota, and all of it usable by each loop and by others. */
static void test_quota(void **state)
{
	static const uint64_t limits[] = { PAGE, 10 * PAGE, CHUNK, 3 * CHUNK + 5 * PAGE + 100 };

	for (unsigned k = 0; k < 4; k++) {
		struct loops *loops = set_new(limits[k]);
		uint64_t npages = limits[k] / PAGE;
		struct iovec *v = calloc(npages + 1, sizeof(*v));
		struct want w = { .loops = loops };

		assert_int_equal(pages_limit_bytes(loops), limits[k]);
		for (unsigned round = 0; round < 3; round++) {
			for (uint64_t i = 0; i < npages; i++) {
				if ((i + round) % 3 == 2)
					w.ret = pages_alloc(loops, NULL, PAGE, w.iov, 1);
				else
					want_on(&w, (i + round) % 3, PAGE, 1);
				assert_int_equal(w.ret, 1);
				v[i] = w.iov[0];
				memset(v[i].iov_base, (int)i, PAGE);
			}
			assert_int_equal(pages_used_bytes(loops), npages * PAGE);
			assert_int_equal(want_on(&w, 0, 1, 1), -ENOMEM);
			assert_int_equal(want_on(&w, 1, PAGE, 128), -ENOMEM);
			assert_int_equal(pages_alloc(loops, NULL, 1, w.iov, 1), -ENOMEM);
			for (uint64_t i = 0; i < npages; i++)
				for (unsigned j = 0; j < PAGE; j += 511)
					assert_int_equal(((uint8_t *)v[i].iov_base)[j], (uint8_t)i);
			pages_unref(loops, v, (unsigned)npages);
			assert_int_equal(pages_used_bytes(loops), 0);
		}
		assert_int_equal(want_on(&w, 0, limits[k] + PAGE, 128), -ENOMEM);
		free(v);
		loops_free(loops);
	}
}

/* Every second page taken: larger requests come in pieces, or say that they would. */
static void test_scattered(void **state)
{
	enum { N = 128 };
	struct loops *loops = set_new(N * PAGE);
	struct want w = { .loops = loops };
	struct iovec v[N];

	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(want_on(&w, i % 2, PAGE, 1), 1);
		v[(uintptr_t)w.iov[0].iov_base / PAGE % N] = w.iov[0];
	}
	for (unsigned i = 0; i < N; i += 2)
		pages_unref(loops, &v[i], 1);
	assert_int_equal(want_on(&w, 0, 10 * PAGE, 9), -EMSGSIZE);
	assert_int_equal(pages_used_bytes(loops), N / 2 * PAGE);
	assert_int_equal(want_on(&w, 0, 10 * PAGE, 10), 10);
	assert_int_equal(bytes_of(&w), 10 * PAGE);
	pages_unref(loops, w.iov, 10);
	assert_int_equal(want_on(&w, 1, N / 2 * PAGE - 5, N / 2), N / 2);
	assert_int_equal(bytes_of(&w), N / 2 * PAGE - 5);
	assert_int_equal(pages_used_bytes(loops), N * PAGE);
	pages_unref(loops, w.iov, N / 2);
	for (unsigned i = 1; i < N; i += 2)
		pages_unref(loops, &v[i], 1);
	assert_int_equal(pages_used_bytes(loops), 0);
	loops_free(loops);
}

/* What one loop took and others freed is there, in large pieces, for the next one. */
static void test_handed_on(void **state)
{
	enum { CHUNKS = 400 };
	struct loops *loops = set_new(CHUNKS * CHUNK);
	struct iovec *v = calloc(CHUNKS, sizeof(*v));
	struct want w = { .loops = loops };

	for (unsigned round = 0; round < 6; round++) {
		unsigned n = 0;

		while (want_on(&w, round % 2, CHUNK, 1) == 1)
			v[n++] = w.iov[0];
		assert_int_equal(n, CHUNKS);
		pages_unref(loops, v, n); /* on this thread */
		loops_barrier(loops, NULL, NULL);
		/* two turns later the loop has given back most of it */
		for (unsigned i = 0; i < CHUNKS; i++)
			loops_barrier(loops, NULL, NULL);
		assert_int_equal(pages_used_bytes(loops), 0);
		assert_in_range(want_on(&w, (round + 1) % 2, CHUNKS / 2 * CHUNK, 128), 1, 40);
		assert_int_equal(bytes_of(&w), CHUNKS / 2 * CHUNK);
		pages_unref(loops, w.iov, (unsigned)w.ret);
	}
	free(v);
	loops_free(loops);
}

/* ---- pinned chunks ------------------------------------------------------------------------ */

enum { DISK_CHUNKS = 768, DISK_PAGES = DISK_CHUNKS * 64, PINNED_TURNS = 4 };

/* A set of pages in use, as a RAM disk's, and every page that was ever handed out. */
struct disk {
	struct loops *loops;
	char *base; /* a page; others are told by how far they lie from it */
	void *pages[DISK_PAGES];
	bool seen[8 * DISK_PAGES]; /* from 4 disks below base on */
	uint32_t nseen, seed, nruns;
	bool failed;
};

/* n new pages instead of those from `at` on. */
static void disk_put(struct disk *d, struct loop *loop, unsigned at, unsigned n)
{
	struct iovec iov[64];
	int k = pages_alloc(d->loops, loop, n * PAGE, iov, 64);

	if (k < 0) {
		d->failed = true;
		return;
	}
	d->nruns += (unsigned)k;
	for (int i = 0; i < k; i++) {
		for (size_t b = 0; b < iov[i].iov_len; b += PAGE, at++) {
			char *p = (char *)iov[i].iov_base + b;
			int64_t nr;

			if (!d->base)
				d->base = p;
			nr = (p - d->base) / (int64_t)PAGE + 4 * DISK_PAGES;
			d->nseen += !d->seen[nr];
			d->seen[nr] = true;
			if (d->pages[at])
				page_unref(d->loops, d->pages[at]);
			d->pages[at] = p;
		}
	}
}

static void disk_fill(struct loop *loop, void *arg)
{
	for (unsigned i = 0; i < DISK_PAGES; i += 64)
		disk_put(arg, loop, i, 64);
}

static void disk_shuffle(struct loop *loop, void *arg)
{
	struct disk *d = arg;

	for (unsigned i = 0; i < 2 * DISK_PAGES; i++) {
		d->seed = d->seed * 1103515245 + 12345;
		disk_put(d, loop, (d->seed >> 8) % DISK_PAGES, 1);
	}
}

/*
 * Single pages are replaced all over a full disk, by the loop that filled it or by another one.
 * Then it is written over in chunks: chunks that few pages pin are used up, not passed over, so
 * that not many more pages are ever touched than are in use.
 */
static void test_pinned(void **state)
{
	for (unsigned other = 0; other < 2; other++) {
		struct disk *d = calloc(1, sizeof(*d));
		uint64_t used;

		d->loops = set_new(4 * DISK_CHUNKS * CHUNK);
		loops_call(d->loops, loops_get(d->loops, 0), disk_fill, d);
		for (unsigned i = 0; i < PINNED_TURNS; i++) {
			struct loop *loop = loops_get(d->loops, (i / 2 + other) % 2);

			loops_call(d->loops, loop, i % 2 ? disk_fill : disk_shuffle, d);
		}
		assert_false(d->failed);
		assert_int_equal(pages_used_bytes(d->loops), DISK_PAGES * PAGE);
		print_message(
			"%u pages in use, %u touched, %u runs\n", DISK_PAGES, d->nseen, d->nruns);
		/* and 16 MiB for what caches keep */
		assert_in_range(d->nseen, DISK_PAGES, DISK_PAGES + DISK_PAGES / 8 + 4096);
		for (unsigned i = 0; i < DISK_PAGES; i++)
			page_unref(d->loops, d->pages[i]);
		/* A chunk on its way back is counted as used; each round lets the loops go on. */
		used = pages_used_bytes(d->loops);
		for (unsigned i = 0; i < 1000 && used; i++) {
			loops_barrier(d->loops, NULL, NULL);
			used = pages_used_bytes(d->loops);
		}
		assert_int_equal(used, 0);
		loops_free(d->loops);
		free(d);
	}
}

/* ---- many threads ------------------------------------------------------------------------- */

enum { SLOTS = 64, TURNS = 20000 };

/* Allocations that wander between threads: whoever takes one out of a slot checks and frees it. */
struct shared {
	struct loops *loops;
	_Atomic(struct iovec *) slots[SLOTS];
	_Atomic unsigned failed;
	struct loop_event done[3];
};

static void entry_check_free(struct shared *s, struct iovec *v)
{
	uint8_t *p = v->iov_base;

	for (size_t i = 0; i < v->iov_len; i += 1021)
		if (p[i] != (uint8_t)(v->iov_len >> 3))
			atomic_fetch_add(&s->failed, 1);
	if (v->iov_len & 8) { /* page by page */
		for (size_t i = 0; i < v->iov_len; i += PAGE)
			page_unref(s->loops, p + i);
	} else {
		pages_unref(s->loops, v, 1);
	}
	free(v);
}

static void shared_turns(struct shared *s, struct loop *loop, unsigned seed)
{
	for (unsigned i = 0; i < TURNS; i++) {
		struct iovec *v = NULL;
		uint64_t n;

		seed = seed * 1103515245 + 12345;
		n = 8 + (seed >> 8) % ((seed >> 4) % 8 ? 8 * PAGE : 70 * PAGE);
		if ((seed >> 20) % 3) {
			v = malloc(sizeof(*v));
			if (pages_alloc(s->loops, loop, n, v, 1) == 1) {
				memset(v->iov_base, (uint8_t)(n >> 3), n);
			} else {
				free(v);
				v = NULL;
			}
		}
		v = atomic_exchange(&s->slots[(seed >> 16) % SLOTS], v);
		if (v)
			entry_check_free(s, v);
	}
}

struct turn {
	struct loop_msg msg;
	struct shared *s;
	unsigned rounds;
};

static void turn_fn(struct loop *loop, struct loop_msg *msg)
{
	struct turn *t = container_of(msg, struct turn, msg);

	shared_turns(t->s, loop, 77 + loop_index(loop) + t->rounds);
	if (--t->rounds)
		loop_post(loop, msg); /* let trims have their turn */
	else
		loop_event_signal(&t->s->done[loop_index(loop)]);
}

static void *turns_thread(void *arg)
{
	shared_turns(arg, NULL, 1);
	return NULL;
}

static void test_threads(void **state)
{
	struct shared s = { .loops = set_new(24 * CHUNK + 3 * PAGE) };
	struct turn t[2] = { { .msg.fn = turn_fn, .s = &s, .rounds = 4 },
		{ .msg.fn = turn_fn, .s = &s, .rounds = 4 } };
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++) {
		loop_event_init(&s.done[i], s.loops);
		loop_post(loops_get(s.loops, i), &t[i].msg);
		assert_int_equal(pthread_create(&threads[i], NULL, turns_thread, &s), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(loop_event_wait(&s.done[i], 200 * NS_PER_S), 0);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		if (atomic_load(&s.slots[i]))
			entry_check_free(&s, atomic_load(&s.slots[i]));
	assert_int_equal(atomic_load(&s.failed), 0);
	assert_int_equal(pages_used_bytes(s.loops), 0);
	loops_free(s.loops);
}

/* ---- cost --------------------------------------------------------------------------------- */

struct cost {
	struct loops *loops;
	uint64_t n;
	uint64_t ns;
};

static void cost_fn(struct loop *loop, void *arg)
{
	struct cost *c = arg;
	struct iovec iov[4];

	c->ns = UINT64_MAX;
	for (unsigned round = 0; round < 20; round++) {
		uint64_t t = clock_now_ns();

		for (unsigned i = 0; i < 1000; i++)
			pages_unref(
				c->loops, iov, (unsigned)pages_alloc(c->loops, loop, c->n, iov, 4));
		t = (clock_now_ns() - t) / 1000;
		if (t < c->ns)
			c->ns = t;
	}
}

/* Told, and bounded so generously that only a change of kind (a lock, a scan) fails. */
static void test_cost(void **state)
{
	struct cost c = { .loops = set_new(1024 * CHUNK) };
	static const unsigned npages[] = { 1, 2, 16, 64 };

	for (unsigned i = 0; i < 4; i++) {
		c.n = npages[i] * PAGE;
		loops_call(c.loops, loops_get(c.loops, 0), cost_fn, &c);
		print_message("%u pages: %llu ns to take and release\n", npages[i],
			(unsigned long long)c.ns);
		assert_true(c.ns < 100000);
	}
	loops_free(c.loops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_scattered),
		cmocka_unit_test(test_handed_on),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}

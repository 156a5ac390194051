/* SPDX-License-Identifier: BSD-3-Clause */
/* bitmap_test.c: every operation against an array of bool, at sizes around the word's. */
#include "base/bitmap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"

enum { MAX = 200 };

static void same(const struct bitmap *m, const bool *want)
{
	size_t count = 0, set = m->nbits, clear = m->nbits;

	for (size_t i = m->nbits; i-- > 0;) {
		assert_int_equal(bitmap_test(m, i), want[i]);
		count += want[i];
		if (want[i])
			set = i;
		else
			clear = i;
		assert_int_equal(bitmap_next_set(m, i), set);
		assert_int_equal(bitmap_next_clear(m, i), clear);
	}
	assert_int_equal(bitmap_count(m), count);
	assert_int_equal(bitmap_next_set(m, m->nbits), m->nbits);
	assert_int_equal(bitmap_next_clear(m, m->nbits), m->nbits);
}

static void random_walk(void **state)
{
	bool want[MAX] = { false };
	struct bitmap m;
	struct rng r;

	rng_seed(&r, 7);
	assert_int_equal(bitmap_init(&m, 0), 0);
	same(&m, want);
	for (int step = 0; step < 5000; step++) {
		size_t from = rng_below(&r, m.nbits + 1), n = rng_below(&r, m.nbits - from + 1);
		uint64_t what = rng_below(&r, 100);

		if (what < 5) {
			size_t nbits = rng_below(&r, MAX + 1);

			assert_int_equal(bitmap_resize(&m, nbits), 0);
			memset(want + nbits, 0, MAX - nbits);
		} else if (what < 25) {
			bitmap_set_range(&m, from, n);
			memset(want + from, true, n);
		} else if (what < 45) {
			bitmap_clear_range(&m, from, n);
			memset(want + from, false, n);
		} else if (from < m.nbits) {
			want[from] = what & 1;
			if (want[from])
				bitmap_set(&m, from);
			else
				bitmap_clear(&m, from);
		}
		same(&m, want);
	}
	bitmap_done(&m);
	bitmap_done(&m);
}

static void too_large(void **state)
{
	struct bitmap m;

	assert_int_equal(bitmap_init(&m, 10), 0);
	bitmap_set(&m, 9);
	assert_int_equal(bitmap_resize(&m, BITMAP_BITS_MAX + 1), -ENOMEM);
	assert_int_equal(m.nbits, 10);
	assert_true(bitmap_test(&m, 9));
	bitmap_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_walk),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

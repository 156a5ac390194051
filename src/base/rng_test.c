/* SPDX-License-Identifier: BSD-3-Clause */
/* rng_test.c: the known sequence of xoshiro256**, fairness of rng_below(), and that the kernel's
 * bytes differ from call to call. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

/* From the state 1, 2, 3, 4 the published generator begins so. */
static void known_sequence(void **state)
{
	static const uint64_t want[] = { 11520, 0, 1509978240, UINT64_C(1215971899390074240) };
	struct rng r = { .s = { 1, 2, 3, 4 } };

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(rng_next(&r), want[i]);
}

static void same_seed_same_numbers(void **state)
{
	struct rng a, b, c;
	unsigned equal = 0;

	rng_seed(&a, 0);
	rng_seed(&b, 0);
	rng_seed(&c, 1);
	for (int i = 0; i < 100; i++) {
		uint64_t v = rng_next(&a);

		assert_int_equal(v, rng_next(&b));
		equal += v == rng_next(&c);
	}
	assert_int_equal(equal, 0);
}

static void below_is_bounded_and_fair(void **state)
{
	unsigned seen[7] = { 0 };
	struct rng r;

	rng_seed(&r, 42);
	for (int i = 0; i < 70000; i++) {
		uint64_t v = rng_below(&r, 7);

		assert_in_range(v, 0, 6);
		seen[v]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 9500, 10500);
	assert_int_equal(rng_below(&r, 1), 0);
	for (int i = 0; i < 100; i++) {
		assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
		assert_false(rng_chance(&r, 0, 3));
		assert_true(rng_chance(&r, 3, 3));
	}
}

static void bytes_stay_in_bounds(void **state)
{
	for (size_t n = 0; n < 40; n++) {
		uint8_t buf[41];
		struct rng r, again;
		uint64_t first;

		memset(buf, 0xee, sizeof(buf));
		rng_seed(&r, n);
		rng_bytes(&r, buf, n);
		assert_int_equal(buf[n], 0xee);
		rng_seed(&again, n);
		first = rng_next(&again);
		assert_memory_equal(buf, &first, n < 8 ? n : 8);
	}
}

static void kernel_bytes(void **state)
{
	uint8_t a[300], b[300];

	assert_int_equal(rng_fill(a, 0), 0);
	assert_int_equal(rng_fill(a, sizeof(a)), 0);
	assert_int_equal(rng_fill(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(rng_u64() != rng_u64());
	assert_true(rng_u32() != rng_u32() || rng_u32() != rng_u32());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sequence),
		cmocka_unit_test(same_seed_same_numbers),
		cmocka_unit_test(below_is_bounded_and_fair),
		cmocka_unit_test(bytes_stay_in_bounds),
		cmocka_unit_test(kernel_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist_test.c: slots are in order and without gaps, quantiles are within their promised error.
 */
#include "bench/hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_slots(void **state)
{
	unsigned last = 0;

	for (uint64_t v = 1; v < 100000; v++) {
		unsigned s = hist_slot(v);

		assert_true(s == last || s == last + 1);
		last = s;
	}
	assert_true(hist_slot(UINT64_MAX) < HIST_SLOTS);
	assert_true(hist_slot(UINT64_MAX) > hist_slot(UINT64_MAX / 2));
}

static void test_quantiles(void **state)
{
	struct hist *h = calloc(1, sizeof(*h)), *sum = calloc(1, sizeof(*h));

	assert_int_equal(hist_quantile(h, 0.5), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		hist_add(h, v);
	hist_merge(sum, h);
	hist_merge(sum, h);
	assert_int_equal(sum->count, 200000);
	for (int p = 1; p <= 100; p++) {
		uint64_t want = 1000u * (unsigned)p, got = hist_quantile(sum, p / 100.0);

		assert_in_range(got, want - 1, want + want / 60);
	}
	assert_int_equal(hist_quantile(sum, 1.0), 100000);
	free(h);
	free(sum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_quantiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* clock_test.c: the real clock does not go back, the fake one moves only when told. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

static void real_is_monotonic(void **state)
{
	struct clock c;
	uint64_t last = clock_now_ns();

	clock_init_real(&c);
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_get_ns(&c);

		assert_true(now >= last);
		last = now;
	}
}

static void wall_is_the_date(void **state)
{
	time_t before = time(NULL);
	uint64_t s = clock_wall_ns() / NS_PER_S;

	/* time() may lag by a tick */
	assert_in_range(s, (uint64_t)before, (uint64_t)time(NULL) + 1);
}

static void fake_stands_still(void **state)
{
	struct clock c;

	clock_init_fake(&c, 5 * NS_PER_S);
	assert_int_equal(clock_get_ns(&c), 5000000000);
	assert_int_equal(clock_get_ns(&c), 5000000000);
	clock_advance(&c, 3 * NS_PER_MS + 2 * NS_PER_US);
	assert_int_equal(clock_get_ns(&c), 5003002000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_is_monotonic),
		cmocka_unit_test(wall_is_the_date),
		cmocka_unit_test(fake_stands_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* idpool_test.c: no number twice, going round, exhaustion, ranges at the ends of uint32_t. */
#include "base/idpool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/rng.h"

static void goes_round(void **state)
{
	struct idpool p;
	uint32_t id;

	idpool_init(&p, 1, 3);
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(idpool_alloc(&p, &id), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(idpool_alloc(&p, &id), -ENOSPC);
	assert_int_equal(idpool_alloc_lowest(&p, &id), -ENOSPC);
	idpool_free(&p, 2);
	assert_int_equal(idpool_alloc(&p, &id), 0);
	assert_int_equal(id, 2);
	idpool_free(&p, 2);
	idpool_free(&p, 1);
	assert_int_equal(idpool_alloc(&p, &id), 0);
	assert_int_equal(id, 1); /* after 2 came 3, which is held, then 1 */
	idpool_done(&p);
}

static void not_reused_at_once(void **state)
{
	struct idpool p;
	uint32_t id;

	idpool_init(&p, 0, 65535);
	for (uint32_t i = 0; i < 65536; i++) {
		assert_int_equal(idpool_alloc(&p, &id), 0);
		assert_int_equal(id, i);
		idpool_free(&p, id);
	}
	assert_int_equal(p.used, 0);
	assert_int_equal(p.bits.nbits, 65536);
	idpool_done(&p);
}

static void lowest(void **state)
{
	struct idpool p;
	uint32_t id;

	idpool_init(&p, 10, 5000);
	for (uint32_t i = 10; i <= 3000; i++) {
		assert_int_equal(idpool_alloc_lowest(&p, &id), 0);
		assert_int_equal(id, i);
	}
	idpool_free(&p, 700);
	idpool_free(&p, 30);
	assert_int_equal(idpool_alloc_lowest(&p, &id), 0);
	assert_int_equal(id, 30);
	assert_int_equal(idpool_alloc_lowest(&p, &id), 0);
	assert_int_equal(id, 700);
	assert_int_equal(idpool_alloc_lowest(&p, &id), 0);
	assert_int_equal(id, 3001);
	idpool_done(&p);
}

static void taking(void **state)
{
	struct idpool p;
	uint32_t id;

	idpool_init(&p, 5, 5000);
	assert_int_equal(idpool_take(&p, 4), -ERANGE);
	assert_int_equal(idpool_take(&p, 5001), -ERANGE);
	assert_int_equal(idpool_take(&p, 5000), 0);
	assert_int_equal(idpool_take(&p, 5000), -EBUSY);
	assert_int_equal(idpool_take(&p, 5), 0);
	assert_int_equal(idpool_alloc(&p, &id), 0);
	assert_int_equal(id, 6);
	assert_true(idpool_is_used(&p, 5000));
	assert_false(idpool_is_used(&p, 4999));
	assert_false(idpool_is_used(&p, 0));
	assert_false(idpool_is_used(&p, UINT32_MAX));
	assert_int_equal(p.used, 3);
	idpool_done(&p);

	idpool_init(&p, UINT32_MAX - 1, UINT32_MAX);
	assert_int_equal(idpool_alloc(&p, &id), 0);
	assert_int_equal(id, UINT32_MAX - 1);
	assert_int_equal(idpool_alloc(&p, &id), 0);
	assert_int_equal(id, UINT32_MAX);
	assert_int_equal(idpool_alloc(&p, &id), -ENOSPC);
	idpool_free(&p, UINT32_MAX - 1);
	assert_int_equal(idpool_alloc(&p, &id), 0);
	assert_int_equal(id, UINT32_MAX - 1);
	idpool_done(&p);
}

static void random_holders(void **state)
{
	enum { N = 300 };
	bool held[N] = { false };
	uint32_t used = 0;
	struct idpool p;
	struct rng r;

	rng_seed(&r, 3);
	idpool_init(&p, 100, 100 + N - 1);
	for (int step = 0; step < 20000; step++) {
		uint32_t id = 100 + (uint32_t)rng_below(&r, N);

		/* let the level wander between empty and full */
		if (rng_chance(&r, step / 2500 % 2 ? 1 : 3, 4)) {
			int rc = idpool_alloc(&p, &id);

			assert_int_equal(rc, used == N ? -ENOSPC : 0);
			if (rc == 0) {
				assert_in_range(id, 100, 100 + N - 1);
				assert_false(held[id - 100]);
				held[id - 100] = true;
				used++;
			}
		} else if (held[id - 100]) {
			idpool_free(&p, id);
			held[id - 100] = false;
			used--;
		}
		assert_int_equal(p.used, used);
	}
	idpool_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_round),
		cmocka_unit_test(not_reused_at_once),
		cmocka_unit_test(lowest),
		cmocka_unit_test(taking),
		cmocka_unit_test(random_holders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* extents_test.c: sets of ranges against a plain array of bytes. */
#include "fabric/iscsi/extents.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fabric/iscsi/limits.h"

enum { SPACE = 200 };

static void whole_and_sorted(const struct extents *s)
{
	for (uint32_t i = 0; s && i < s->n; i++) {
		assert_true(s->e[i].from < s->e[i].to);
		if (i)
			assert_true(s->e[i - 1].to < s->e[i].from);
	}
}

/* The gap that a walk over the bytes finds. */
static bool model_gap(const uint8_t *has, uint32_t from, uint32_t to, struct extent *ret)
{
	while (from < to && has[from])
		from++;
	*ret = (struct extent){ from, from };
	while (ret->to < to && !has[ret->to])
		ret->to++;
	return from < to;
}

static void against_bytes(void **state)
{
	for (unsigned seed = 0; seed < 300; seed++) {
		struct extents *s = NULL;
		uint8_t has[SPACE] = { 0 };

		srand(seed);
		for (unsigned n = 0; n < 60; n++) {
			uint32_t from = (uint32_t)rand() % SPACE, fresh = 0, have = 0;
			uint32_t to = from + (uint32_t)rand() % (SPACE - from) % 17;
			struct extent a = { 0 }, b = { 0 };

			for (uint32_t i = from; i < to; i++) {
				have += has[i];
				fresh += !has[i];
			}
			assert_int_equal(extents_have(s, from, to), have);
			assert_int_equal(
				extents_gap(s, from, to, &a), model_gap(has, from, to, &b));
			if (fresh)
				assert_true(a.from == b.from && a.to == b.to);
			assert_int_equal(extents_add(&s, from, to), fresh);
			memset(has + from, 1, to - from);
			whole_and_sorted(s);
			if (n % 20 == 19 && extents_pop(s, 5, &a)) {
				assert_true(a.to - a.from <= 5 && a.from < a.to);
				for (uint32_t i = 0; i < a.to; i++) {
					assert_int_equal(has[i], i >= a.from);
					has[i] = 0;
				}
				whole_and_sorted(s);
			}
		}
		s = extents_free(s);
	}
}

static void empty(void **state)
{
	struct extents *s = NULL;
	struct extent e;

	assert_true(extents_empty(s));
	assert_int_equal(extents_add(&s, 7, 7), 0);
	assert_null(s);
	assert_false(extents_pop(s, 1, &e));
	assert_false(extents_gap(s, 7, 7, &e));
	assert_true(extents_gap(s, 7, 9, &e));
	assert_true(e.from == 7 && e.to == 9);
	assert_int_equal(extents_add(&s, 7, 9), 2);
	assert_false(extents_empty(s));
	assert_true(extents_pop(s, UINT32_MAX, &e));
	assert_true(extents_empty(s));
	extents_free(s);
}

/* To the end of what 32 bits count, and no more pieces than the limit. */
static void bounds(void **state)
{
	struct extents *s = NULL;
	uint32_t n = 0;
	int64_t rc;

	assert_int_equal(extents_add(&s, UINT32_MAX - 4, UINT32_MAX), 4);
	assert_int_equal(extents_have(s, 0, UINT32_MAX), 4);
	s = extents_free(s);
	while ((rc = extents_add(&s, 2 * n, 2 * n + 1)) == 1)
		n++;
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(n, EXTENTS_MAX);
	assert_int_equal(s->n, n);
	assert_int_equal(extents_have(s, 0, UINT32_MAX), n);
	extents_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_bytes),
		cmocka_unit_test(empty),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

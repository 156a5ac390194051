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
			assert_int_equal(extents_add(&s, NULL, from, to), fresh);
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
		s = extents_free(s, NULL);
	}
}

static void empty(void **state)
{
	struct extents *s = NULL;
	struct extent e;

	assert_true(extents_empty(s));
	assert_int_equal(extents_add(&s, NULL, 7, 7), 0);
	assert_null(s);
	assert_false(extents_pop(s, 1, &e));
	assert_false(extents_gap(s, 7, 7, &e));
	assert_true(extents_gap(s, 7, 9, &e));
	assert_true(e.from == 7 && e.to == 9);
	assert_int_equal(extents_add(&s, NULL, 7, 9), 2);
	assert_false(extents_empty(s));
	assert_true(extents_pop(s, UINT32_MAX, &e));
	assert_true(extents_empty(s));
	extents_free(s, NULL);
}

/* To the end of what 32 bits count, and no more pieces than the limit. */
static void bounds(void **state)
{
	struct extents *s = NULL;
	uint32_t n = 0;
	int64_t rc;

	assert_int_equal(extents_add(&s, NULL, UINT32_MAX - 4, UINT32_MAX), 4);
	assert_int_equal(extents_have(s, 0, UINT32_MAX), 4);
	s = extents_free(s, NULL);
	while ((rc = extents_add(&s, NULL, 2 * n, 2 * n + 1)) == 1)
		n++;
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(n, EXTENTS_MAX);
	assert_int_equal(s->n, n);
	assert_int_equal(extents_have(s, 0, UINT32_MAX), n);
	extents_free(s, NULL);
}

/* Sets of one pool: all together no more than it has; what is freed can be had again. */
static void pool(void **state)
{
	struct extents_pool p = { .most = 1000 }, other = { .most = 8 };
	struct extents *s[64] = { NULL };
	uint32_t pieces = 0, n = 0, had;

	/* Piece after piece in each of them, until none takes one more. */
	for (bool any = true; any; n++) {
		any = false;
		for (unsigned i = 0; i < 64; i++) {
			int64_t rc = extents_add(&s[i], &p, 4 * n, 4 * n + 1);

			assert_true(rc == 1 || rc == -ENOSPC);
			pieces += rc == 1;
			any = any || rc == 1;
		}
		assert_in_range(p.used, pieces, p.most);
	}
	assert_in_range(pieces, p.most / 2 - 8, p.most);
	/* With its memory full a set takes no more, even what would touch what it has. */
	assert_int_equal(extents_add(&s[0], &p, 1, 2), -ENOSPC);
	had = s[1]->cap;
	extents_move(s[1], &p, &other);
	assert_int_equal(other.used, had);
	assert_int_equal(extents_add(&s[1], &other, 4 * n, 4 * n + 1), -ENOSPC);
	s[1] = extents_free(s[1], &other);
	assert_int_equal(other.used, 0);
	assert_int_equal(extents_add(&s[1], &p, 0, 1), 1);
	for (unsigned i = 0; i < 64; i++)
		s[i] = extents_free(s[i], &p);
	assert_int_equal(p.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_bytes),
		cmocka_unit_test(empty),
		cmocka_unit_test(bounds),
		cmocka_unit_test(pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

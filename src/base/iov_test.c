/* SPDX-License-Identifier: BSD-3-Clause */
/* iov_test.c: every offset and length over lists with empty elements, against flat bytes. */
#include "base/iov.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { TOTAL = 30, NA = 6, NB = 3 };

/* Two layouts of the same 30 bytes, the second in a store of its own. */
struct layout {
	uint8_t a[TOTAL], b[TOTAL];
	struct iovec va[NA], vb[NB];
};

static void layout_make(struct layout *l)
{
	const size_t la[NA] = { 0, 3, 0, 17, 10, 0 }, lb[NB] = { 11, 1, 18 };
	size_t at = 0;

	for (size_t i = 0; i < NA; at += la[i++])
		l->va[i] = (struct iovec){ l->a + at, la[i] };
	at = 0;
	for (size_t i = 0; i < NB; at += lb[i++])
		l->vb[i] = (struct iovec){ l->b + at, lb[i] };
	for (uint8_t i = 0; i < TOTAL; i++) {
		l->a[i] = i + 1;
		l->b[i] = i + 101;
	}
}

/* How many of n bytes from off are there. */
static size_t there(size_t off, size_t n)
{
	size_t left = off < TOTAL ? TOTAL - off : 0;

	return n < left ? n : left;
}

static void flat_copies(void **state)
{
	struct layout l;
	uint8_t buf[TOTAL + 3], want[TOTAL];

	layout_make(&l);
	assert_int_equal(iov_bytes(l.va, NA), TOTAL);
	assert_int_equal(iov_bytes(NULL, 0), 0);
	for (size_t off = 0; off < TOTAL + 3; off++) {
		for (size_t n = 0; n < TOTAL + 3; n++) {
			size_t k = there(off, n);

			layout_make(&l);
			memset(buf, 0xee, sizeof(buf));
			assert_int_equal(iov_copy_out(buf, l.va, NA, off, n), k);
			assert_memory_equal(buf, l.a + (k ? off : 0), k);
			if (k < sizeof(buf))
				assert_int_equal(buf[k], 0xee);
			memcpy(want, l.a, TOTAL);
			memset(buf, 0xdd, sizeof(buf));
			memset(want + (k ? off : 0), 0xdd, k);
			assert_int_equal(iov_copy_in(l.va, NA, off, buf, n), k);
			assert_memory_equal(l.a, want, TOTAL);
			memset(want + (k ? off : 0), 0, k);
			assert_int_equal(iov_zero(l.va, NA, off, n), k);
			assert_memory_equal(l.a, want, TOTAL);
		}
	}
}

static void copies_between_lists(void **state)
{
	struct layout l;

	for (size_t d = 0; d <= TOTAL; d++) {
		for (size_t s = 0; s <= TOTAL; s++) {
			for (size_t n = 0; n <= TOTAL + 1; n++) {
				uint8_t want[TOTAL];
				size_t k = there(d, there(s, n));

				layout_make(&l);
				memcpy(want, l.b, TOTAL);
				memcpy(want + d, l.a + s, k);
				assert_int_equal(iov_copy(l.vb, NB, d, l.va, NA, s, n), k);
				assert_memory_equal(l.b, want, TOTAL);
			}
		}
	}
}

static void comparing(void **state)
{
	struct layout l;

	layout_make(&l);
	memcpy(l.b, l.a, TOTAL);
	assert_int_equal(iov_compare(l.va, NA, 0, l.vb, NB, 0, 0), 0);
	for (size_t off = 0; off < TOTAL; off++) {
		size_t n = TOTAL - off;

		assert_int_equal(iov_compare(l.va, NA, off, l.vb, NB, off, n), n);
		for (size_t bad = off; bad < TOTAL; bad++) {
			l.b[bad] ^= 0x80;
			assert_int_equal(iov_compare(l.va, NA, off, l.vb, NB, off, n), bad - off);
			/* a difference just behind does not count */
			n = bad - off;
			assert_int_equal(iov_compare(l.va, NA, off, l.vb, NB, off, n), n);
			n = TOTAL - off;
			l.b[bad] ^= 0x80;
		}
	}
	/* different offsets: a[i] against b[i + 1] differ at once */
	assert_int_equal(iov_compare(l.va, NA, 0, l.vb, NB, 1, 5), 0);
}

static void slicing(void **state)
{
	struct iovec v[NA];
	struct layout l;

	layout_make(&l);
	for (size_t off = 0; off <= TOTAL; off++) {
		for (size_t n = 0; n <= TOTAL - off; n++) {
			ssize_t k = iov_slice(v, NA, l.va, NA, off, n);

			assert_in_range(k, n ? 1 : 0, 3);
			assert_int_equal(iov_bytes(v, (size_t)k), n);
			if (n)
				assert_ptr_equal(v[0].iov_base, l.a + off);
			for (ssize_t i = 0; i < k; i++)
				assert_true(v[i].iov_len > 0);
			if (k > 0)
				assert_int_equal(
					iov_slice(v, (size_t)k - 1, l.va, NA, off, n), -ENOBUFS);
		}
		assert_int_equal(iov_slice(v, NA, l.va, NA, off, TOTAL - off + 1), -ERANGE);
	}
	assert_int_equal(iov_slice(v, NA, l.va, NA, TOTAL + 5, 0), 0);
	assert_int_equal(iov_slice(v, NA, l.va, NA, TOTAL + 5, 1), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat_copies),
		cmocka_unit_test(copies_between_lists),
		cmocka_unit_test(comparing),
		cmocka_unit_test(slicing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

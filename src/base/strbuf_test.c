/* SPDX-License-Identifier: BSD-3-Clause */
/* strbuf_test.c: growth, termination at every step, and what is left after a failure. */
#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void empty_is_a_string(void **state)
{
	struct strbuf b;

	strbuf_init(&b);
	assert_string_equal(b.s, "");
	strbuf_reset(&b);
	strbuf_truncate(&b, 0);
	strbuf_puts(&b, "");
	assert_string_equal(b.s, "");
	assert_int_equal(b.len, 0);
	strbuf_done(&b);
	strbuf_done(&b);
}

static void appends(void **state)
{
	struct strbuf b;

	strbuf_init(&b);
	strbuf_puts(&b, "lun ");
	strbuf_printf(&b, "%d of %s", 7, "tpg1");
	strbuf_putc(&b, '!');
	strbuf_write(&b, "a\0b", 3);
	assert_int_equal(b.len, 17);
	assert_memory_equal(b.s, "lun 7 of tpg1!a\0b", 18);
	strbuf_truncate(&b, 5);
	assert_string_equal(b.s, "lun 7");
	strbuf_truncate(&b, 50);
	assert_int_equal(b.len, 5);
	assert_false(b.failed);
	strbuf_done(&b);
}

static void grows_at_each_length(void **state)
{
	for (size_t n = 0; n < 600; n++) {
		struct strbuf b, c;

		strbuf_init(&b);
		strbuf_init(&c);
		for (size_t i = 0; i < n; i++) {
			strbuf_putc(&b, (char)('a' + i % 26));
			assert_int_equal(strlen(b.s), i + 1);
			assert_true(b.cap > b.len);
		}
		strbuf_printf(&c, "%s", b.s);
		assert_int_equal(c.len, n);
		assert_string_equal(b.s, c.s);
		strbuf_done(&b);
		strbuf_done(&c);
	}
}

static void steal_hands_over(void **state)
{
	struct strbuf b;
	char *s;

	strbuf_init(&b);
	s = strbuf_steal(&b);
	assert_string_equal(s, "");
	free(s);
	strbuf_puts(&b, "text");
	s = strbuf_steal(&b);
	assert_string_equal(s, "text");
	free(s);
	assert_int_equal(b.cap, 0);
	strbuf_puts(&b, "again");
	assert_string_equal(b.s, "again");
	strbuf_done(&b);
}

static void failure_sticks_and_keeps_text(void **state)
{
	struct strbuf b;

	strbuf_init(&b);
	strbuf_puts(&b, "kept");
	assert_false(strbuf_reserve(&b, SIZE_MAX - 2));
	assert_true(b.failed);
	strbuf_puts(&b, "dropped");
	strbuf_printf(&b, "%d", 1);
	assert_string_equal(b.s, "kept");
	assert_null(strbuf_steal(&b));
	assert_false(b.failed);

	strbuf_puts(&b, "x");
	assert_false(strbuf_reserve(&b, SIZE_MAX / 2));
	strbuf_reset(&b);
	strbuf_puts(&b, "fresh");
	assert_string_equal(b.s, "fresh");
	assert_false(b.failed);
	strbuf_done(&b);
}

static void numbers(void **state)
{
	struct strbuf b;

	strbuf_init(&b);
	strbuf_put_u64(&b, 0);
	strbuf_putc(&b, ' ');
	strbuf_put_u64(&b, UINT64_MAX);
	strbuf_putc(&b, ' ');
	strbuf_put_i64(&b, INT64_MIN);
	strbuf_putc(&b, ' ');
	strbuf_put_i64(&b, -7);
	strbuf_putc(&b, ' ');
	strbuf_put_i64(&b, INT64_MAX);
	assert_string_equal(
		b.s, "0 18446744073709551615 -9223372036854775808 -7 9223372036854775807");
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_is_a_string),
		cmocka_unit_test(appends),
		cmocka_unit_test(grows_at_each_length),
		cmocka_unit_test(steal_hands_over),
		cmocka_unit_test(failure_sticks_and_keeps_text),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

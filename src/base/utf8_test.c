/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8_test.c: every code point is taken in its shortest form, everything else refused. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Encode c with len bytes, be it the shortest form or not. */
static void encode(uint8_t *b, uint32_t c, size_t len)
{
	static const uint8_t lead[] = { 0, 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len; i-- > 1; c >>= 6)
		b[i] = 0x80 | (c & 0x3f);
	b[0] = (uint8_t)(lead[len] | c);
}

static void all_code_points(void **state)
{
	static const uint32_t end[] = { 0, 0x80, 0x800, 0x10000, 0x200000 };

	for (uint32_t c = 0; c < 0x200000; c++) {
		for (size_t len = 1; len <= 4; len++) {
			bool shortest = c >= end[len - 1], scalar;
			uint8_t b[5] = { 0 };

			if (c >= end[len])
				continue;
			scalar = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
			encode(b, c, len);
			/* assert_*() is slow for four million cases */
			if (utf8_valid(b, len) != (shortest && scalar))
				fail_msg("U+%X in %zu bytes", c, len);
			for (size_t cut = 1; cut < len; cut++) {
				if (utf8_valid(b, cut))
					fail_msg("U+%X cut to %zu bytes", c, cut);
			}
		}
	}
}

static void texts(void **state)
{
	static const char *const bad[] = { "a\x80", "\xc3(", "\xe2\x82(", "\xf0\x9f\x92(", "\xfe",
		"\xff", "\xf8\x88\x80\x80\x80", "\xc3\xa4\xbf" };

	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("b\xc3\xbcro \xe2\x82\xac \xf0\x9f\x92\xbe", 14));
	assert_true(utf8_valid("a\0b", 3));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_code_points),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

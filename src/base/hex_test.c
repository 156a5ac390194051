/* SPDX-License-Identifier: BSD-3-Clause */
/* hex_test.c: both ways over all bytes, bounds, and what is refused. */
#include "base/hex.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void both_ways(void **state)
{
	uint8_t b[256], back[256];
	char text[513];

	for (size_t i = 0; i < 256; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(hex_encode(text, sizeof(text), b, 256), 512);
	assert_memory_equal(text, "000102030405060708090a0b", 24);
	assert_string_equal(text + 508, "feff");
	assert_int_equal(hex_decode(back, sizeof(back), text, 512), 256);
	assert_memory_equal(back, b, 256);
	assert_int_equal(hex_decode(back, sizeof(back), "aBCdEF", 6), 3);
	assert_memory_equal(back, "\xab\xcd\xef", 3);
	assert_int_equal(hex_encode(text, 1, b, 0), 0);
	assert_string_equal(text, "");
	assert_int_equal(hex_decode(back, 0, "", 0), 0);
}

static void bounds(void **state)
{
	char text[5];
	uint8_t back[2];

	assert_int_equal(hex_encode(text, 0, "", 0), -ENOBUFS);
	assert_int_equal(hex_encode(text, 4, "ab", 2), -ENOBUFS);
	assert_int_equal(hex_encode(text, 5, "ab", 2), 4);
	assert_string_equal(text, "6162");
	assert_int_equal(hex_decode(back, 1, "6162", 4), -ENOBUFS);
	assert_int_equal(hex_decode(back, 2, "6162", 4), 2);
}

static void refused(void **state)
{
	static const char *const bad[] = { "6", "616", "6g", "g6", "0x", " 6", "6 ", "-1",
		"\xff\xff", "/:", "@G", "`g" };
	uint8_t back[8];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hex_decode(back, sizeof(back), bad[i], strlen(bad[i])), -EINVAL);
	assert_int_equal(hex_decode(back, sizeof(back), "6\0", 2), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(bounds),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* num_test.c: limits and everything that strict parsing refuses. */
#include "base/num.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const char *const not_numbers[] = { "", " 1", "1 ", "+1", "1.0", "1e3", "0x", "x", "-",
	"--1", "1\n", "1,0", "\xb2" };

enum { NBAD = sizeof(not_numbers) / sizeof(not_numbers[0]) };

static void unsigned_integers(void **state)
{
	uint64_t v = 77;
	uint32_t w = 77;

	assert_int_equal(num_parse_u64("0", 0, 9, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(num_parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	v = 77;
	assert_int_equal(num_parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(num_parse_u64("99999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(num_parse_u64("99999999999999999999999x", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(num_parse_u64("4", 5, 9, &v), -ERANGE);
	assert_int_equal(num_parse_u64("10", 5, 9, &v), -ERANGE);
	assert_int_equal(num_parse_u64("-1", 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(num_parse_u64("0x10", 0, 99, &v), -EINVAL);
	for (size_t i = 0; i < NBAD; i++)
		assert_int_equal(num_parse_u64(not_numbers[i], 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(v, 77);
	assert_int_equal(num_parse_u64("007", 5, 9, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(num_parse_u32("4294967296", 0, UINT32_MAX, &w), -ERANGE);
	assert_int_equal(w, 77);
	assert_int_equal(num_parse_u32("4294967295", 0, UINT32_MAX, &w), 0);
	assert_true(w == UINT32_MAX);
}

static void signed_integers(void **state)
{
	int64_t v = 77;

	assert_int_equal(num_parse_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &v), 0);
	assert_true(v == INT64_MIN);
	assert_int_equal(num_parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &v), 0);
	assert_true(v == INT64_MAX);
	assert_int_equal(num_parse_i64("-0", INT64_MIN, INT64_MAX, &v), 0);
	assert_int_equal(v, 0);
	v = 77;
	assert_int_equal(num_parse_i64("9223372036854775808", INT64_MIN, INT64_MAX, &v), -ERANGE);
	assert_int_equal(num_parse_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &v), -ERANGE);
	assert_int_equal(num_parse_i64("-6", -5, 5, &v), -ERANGE);
	for (size_t i = 0; i < NBAD; i++)
		assert_int_equal(num_parse_i64(not_numbers[i], INT64_MIN, INT64_MAX, &v), -EINVAL);
	assert_int_equal(v, 77);
}

static void hexadecimal(void **state)
{
	uint64_t v = 77;

	assert_int_equal(num_parse_any("0xfF", 0, 255, &v), 0);
	assert_int_equal(v, 255);
	assert_int_equal(num_parse_any("0X10", 0, 255, &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(num_parse_any("10", 0, 255, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(num_parse_any("0xffffffffffffffff", 0, UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(num_parse_any("0x10000000000000000", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(num_parse_any("0x100", 0, 255, &v), -ERANGE);
	assert_int_equal(num_parse_any("0xg", 0, 255, &v), -EINVAL);
	assert_int_equal(num_parse_any("ff", 0, 255, &v), -EINVAL);
	for (size_t i = 0; i < NBAD; i++)
		assert_int_equal(num_parse_any(not_numbers[i], 0, UINT64_MAX, &v), -EINVAL);
}

static void sizes(void **state)
{
	static const struct {
		const char *s;
		uint64_t want;
	} good[] = { { "0", 0 }, { "512", 512 }, { "512B", 512 }, { "1k", 1024 },
		{ "10G", 10737418240 }, { "10GiB", 10737418240 }, { "10gb", 10737418240 },
		{ "3M", 3145728 }, { "2T", 2199023255552 }, { "1P", UINT64_C(1) << 50 },
		{ "15E", UINT64_C(15) << 60 }, { "18446744073709551615", UINT64_MAX } };
	static const char *const bad[] = { "G", "10 G", "10GG", "10GiBs", "10Gi", "1.5G", "10BB",
		"10iB", "-1G", "10X", "10\xc7", "10'", "1K0", "\x01", "1\x02" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(num_parse_size(good[i].s, &v), 0);
		assert_true(v == good[i].want);
	}
	v = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(num_parse_size(bad[i], &v), -EINVAL);
	assert_int_equal(num_parse_size("16E", &v), -ERANGE);
	assert_int_equal(num_parse_size("18446744073709551616", &v), -ERANGE);
	assert_int_equal(v, 77);
}

static void sizes_as_text(void **state)
{
	static const struct {
		uint64_t v;
		const char *want;
	} rows[] = { { 0, "0" }, { 513, "513" }, { 1024, "1K" }, { 10737418240, "10G" },
		{ 1610612736, "1536M" }, { UINT64_C(1) << 63, "8E" },
		{ UINT64_MAX, "18446744073709551615" } };
	char buf[NUM_SIZE_CHARS];
	uint64_t back;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(num_format_size(buf, rows[i].v), rows[i].want);
		assert_int_equal(num_parse_size(buf, &back), 0);
		assert_true(back == rows[i].v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_integers),
		cmocka_unit_test(signed_integers),
		cmocka_unit_test(hexadecimal),
		cmocka_unit_test(sizes),
		cmocka_unit_test(sizes_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* attr_test.c: ready-made attribute functions and configfs's number and bool syntax. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "tree/attr.h"

struct obj {
	uint32_t n;
	bool on;
	char text[8];
};

static const struct attr rows[] = {
	{ .name = "n",
		.get = attr_get_u32,
		.set = attr_set_u32,
		.doc = "A number.",
		.offset = offsetof(struct obj, n),
		.min = 5,
		.max = 30 },
	{ .name = "on",
		.get = attr_get_bool,
		.set = attr_set_bool,
		.doc = "A switch.",
		.offset = offsetof(struct obj, on) },
	{ .name = "text",
		.get = attr_get_str,
		.set = attr_set_str,
		.doc = "A text.",
		.offset = offsetof(struct obj, text),
		.max = sizeof(((struct obj *)0)->text) },
	{ .name = "any",
		.get = attr_get_u32,
		.set = attr_set_u32,
		.doc = "Any number.",
		.offset = offsetof(struct obj, n) },
	ATTR_END,
};

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "10", 0, 10 },
		{ "+10", 0, 10 },
		{ "0x1f", 0, 31 },
		{ "0X1F", 0, 31 },
		{ "017", 0, 15 },
		{ "4294967295", 0, 4294967295u },
		{ "4294967296", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "+", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "++1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "12abc", -EINVAL, 0 },
		{ "08", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "0xg", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errmsg err = { 0 };
		uint64_t v = 0;
		int r = attr_parse_u64(&rows[3], cases[i].text, 0, UINT32_MAX, &v, &err);

		if (r != cases[i].ret || v != cases[i].value)
			fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)v);
		if (r)
			assert_non_null(strstr(err.text, "any: \""));
	}
}

static void signed_numbers(void **state)
{
	int64_t v = 7;

	assert_int_equal(attr_parse_s64(&rows[3], "-1", -1, 1, &v, NULL), 0);
	assert_int_equal(v, -1);
	assert_int_equal(attr_parse_s64(&rows[3], "1", -1, 1, &v, NULL), 0);
	assert_int_equal(v, 1);
	assert_int_equal(attr_parse_s64(&rows[3], "-2", -1, 1, &v, NULL), -EINVAL);
	assert_int_equal(attr_parse_s64(&rows[3], "--1", -1, 1, &v, NULL), -EINVAL);
	assert_int_equal(attr_parse_s64(&rows[3], "9223372036854775808", -1, 1, &v, NULL), -ERANGE);
	assert_int_equal(v, 1);
}

static void bools(void **state)
{
	static const char *const yes[] = { "1", "y", "Yes", "t", "TRUE", "on", "ON", "10", NULL };
	static const char *const no[] = { "0", "n", "No", "f", "FALSE", "off", "OF", "01", NULL };
	static const char *const bad[] = { "", "2", "o", "ox", " 1", "maybe", NULL };
	bool v;

	for (unsigned i = 0; yes[i]; i++) {
		v = false;
		assert_int_equal(attr_parse_bool(&rows[1], yes[i], &v, NULL), 0);
		assert_true(v);
	}
	for (unsigned i = 0; no[i]; i++) {
		v = true;
		assert_int_equal(attr_parse_bool(&rows[1], no[i], &v, NULL), 0);
		assert_false(v);
	}
	for (unsigned i = 0; bad[i]; i++)
		assert_int_equal(attr_parse_bool(&rows[1], bad[i], &v, NULL), -EINVAL);
}

static void check_get(const struct attr *a, struct obj *o, const char *want)
{
	struct strbuf b;

	strbuf_init(&b);
	assert_int_equal(a->get(a, o, &b), 0);
	assert_string_equal(b.s, want);
	strbuf_done(&b);
}

static void fields(void **state)
{
	struct obj o = { .n = 6 };
	struct errmsg err = { 0 };

	check_get(&rows[0], &o, "6");
	assert_int_equal(rows[0].set(&rows[0], &o, "30", &err), 0);
	check_get(&rows[0], &o, "30");
	assert_int_equal(rows[0].set(&rows[0], &o, "31", &err), -EINVAL);
	assert_string_equal(err.text, "n: \"31\" is not a number from 5 to 30");
	assert_int_equal(rows[0].set(&rows[0], &o, "4", &err), -EINVAL);
	assert_int_equal(o.n, 30);
	assert_int_equal(rows[3].set(&rows[3], &o, "4294967295", &err), 0);
	check_get(&rows[3], &o, "4294967295");

	check_get(&rows[1], &o, "0");
	assert_int_equal(rows[1].set(&rows[1], &o, "yes", &err), 0);
	check_get(&rows[1], &o, "1");
	assert_int_equal(rows[1].set(&rows[1], &o, "2", &err), -EINVAL);
	assert_true(o.on);

	assert_int_equal(rows[2].set(&rows[2], &o, "1234567", &err), 0);
	check_get(&rows[2], &o, "1234567");
	assert_int_equal(rows[2].set(&rows[2], &o, "12345678", &err), -EINVAL);
	assert_string_equal(err.text, "text: 8 bytes are too long, at most 7 fit");
	assert_int_equal(rows[2].set(&rows[2], &o, "", &err), 0);
	check_get(&rows[2], &o, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(bools),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* params_test.c: settings are checked against their table, and read back as they were meant. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "block/limits.h"
#include "block/params.h"

static const struct ulio_param_doc docs[] = {
	{ .key = "path",
		.type = ULIO_PARAM_STRING,
		.flags = ULIO_PARAM_REQUIRED,
		.text = "where it is" },
	{ .key = "size", .type = ULIO_PARAM_SIZE, .min = 512, .max = 1 << 20 },
	{ .key = "n", .type = ULIO_PARAM_UINT, .flags = ULIO_PARAM_LIVE, .max = 7, .preset = "3" },
	{ .key = "create", .type = ULIO_PARAM_BOOL, .preset = "yes" },
	{ .key = "direct", .type = ULIO_PARAM_CHOICE, .choices = "yes|no|auto", .preset = "auto" },
	{ NULL },
};

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "512", 512 },
		{ "1K", 1024 },
		{ "3m", 3 << 20 },
		{ "10G", UINT64_C(10) << 30 },
		{ "2TiB", UINT64_C(2) << 40 },
		{ "2tb", UINT64_C(2) << 40 },
		{ "1P", UINT64_C(1) << 50 },
		{ "16383P", UINT64_C(16383) << 50 },
		{ "7b", 7 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "", "K", "-1", "1.5G", "1X", "1KK", "1 K", "16384P",
		"18446744073709551616", "0x10", "+1", "1iB", "1Kx" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		v = 1;
		assert_int_equal(param_parse_size(good[i].text, &v), 0);
		assert_true(v == good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(param_parse_size(bad[i], &v), -EINVAL);
}

static void words(void **state)
{
	unsigned u;
	bool b;

	assert_int_equal(param_parse_bool("YES", &b), 0);
	assert_true(b);
	assert_int_equal(param_parse_bool("off", &b), 0);
	assert_false(b);
	assert_int_equal(param_parse_bool("maybe", &b), -EINVAL);
	assert_int_equal(param_parse_choice("yes|no|auto", "auto", &u), 0);
	assert_int_equal(u, 2);
	assert_int_equal(param_parse_choice("yes|no|auto", "aut", &u), -EINVAL);
	assert_int_equal(param_parse_choice("yes|no|auto", "yes|no", &u), -EINVAL);
	assert_int_equal(param_parse_choice("yes|no|auto", "", &u), -EINVAL);
}

/* Each is refused, and the sentence says what was wrong. */
static void refused(void **state)
{
	static const struct {
		struct ulio_param p[2];
		bool live;
		const char *says;
	} rows[] = {
		{ { { "path", "/x" }, { "colour", "red" } }, false, "no such setting" },
		{ { { "path", "/x" }, { "path", "/y" } }, false, "twice" },
		{ { { "path", "" }, { "n", "1" } }, false, "empty" },
		{ { { "size", "512" }, { "n", "1" } }, false, "path: must be given" },
		{ { { "path", "/x" }, { "size", "511" } }, false, "at least 512" },
		{ { { "path", "/x" }, { "size", "2M" } }, false, "at most 1048576" },
		{ { { "path", "/x" }, { "size", "big" } }, false, "number of bytes" },
		{ { { "path", "/x" }, { "n", "8" } }, false, "at most 7" },
		{ { { "path", "/x" }, { "n", "5K" } }, false, "whole number" },
		{ { { "path", "/x" }, { "create", "2" } }, false, "yes or no" },
		{ { { "path", "/x" }, { "direct", "perhaps" } }, false, "yes|no|auto" },
		{ { { "n", "1" }, { "create", "no" } }, true, "cannot be changed" },
	};
	struct errmsg err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errmsg_init(&err);
		assert_int_equal(params_check(docs, rows[i].p, 2, rows[i].live, &err), -EINVAL);
		if (!strstr(err.text, rows[i].says))
			fail_msg("row %zu says \"%s\"", i, err.text);
	}
	assert_int_equal(params_check(NULL, rows[0].p, 1, false, &err), -EINVAL);
}

static void too_many(void **state)
{
	static char keys[BACKSTORE_PARAMS_MAX + 1][8];
	static struct ulio_param p[BACKSTORE_PARAMS_MAX + 1];
	static struct ulio_param_doc many[BACKSTORE_PARAMS_MAX + 2];
	struct errmsg err;

	for (unsigned i = 0; i <= BACKSTORE_PARAMS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		many[i].key = p[i].key = keys[i];
		p[i].value = "v";
	}
	assert_int_equal(params_check(many, p, BACKSTORE_PARAMS_MAX, false, &err), 0);
	assert_int_equal(params_check(many, p, BACKSTORE_PARAMS_MAX + 1, false, &err), -EINVAL);
}

static void read_back(void **state)
{
	static const struct ulio_param p[] = {
		{ "path", "/dev/x" },
		{ "size", "4K" },
		{ "create", "off" },
	};
	struct errmsg err;

	assert_int_equal(params_check(docs, p, 3, false, &err), 0);
	assert_int_equal(params_check(docs, &(struct ulio_param){ "n", "7" }, 1, true, &err), 0);
	assert_string_equal(param_str(docs, p, 3, "path"), "/dev/x");
	assert_int_equal(param_u64(docs, p, 3, "size"), 4096);
	assert_int_equal(param_u64(docs, p, 1, "size"), 0);
	assert_int_equal(param_u64(docs, p, 3, "n"), 3);
	assert_false(param_bool(docs, p, 3, "create"));
	assert_true(param_bool(docs, p, 2, "create"));
	assert_int_equal(param_choice(docs, p, 3, "direct"), 2);
	assert_true(param_given(p, 3, "size"));
	assert_false(param_given(p, 3, "n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(words),
		cmocka_unit_test(refused),
		cmocka_unit_test(too_many),
		cmocka_unit_test(read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

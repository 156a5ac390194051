/* SPDX-License-Identifier: BSD-3-Clause */
/* words_test.c: lines of the shell and back. */
#include "cli/words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* The words of a line, joined by '|'. */
static void same(const char *line, const char *want)
{
	char got[512] = "";
	struct errmsg err = { 0 };
	struct words w;

	assert_int_equal(words_split(&w, line, false, &err), 0);
	for (int i = 0; i < w.n; i++) {
		strcat(got, i ? "|" : "");
		strcat(got, w.v[i]);
	}
	assert_string_equal(got, want);
	assert_null(w.v[w.n]);
	words_done(&w);
}

static void splits(void **state)
{
	same("", "");
	same("  \t ", "");
	same("ls", "ls");
	same("  cd   /iscsi \n", "cd|/iscsi");
	same("a 'b c' d", "a|b c|d");
	same("a \"b c\"d", "a|b cd");
	same("a\\ b", "a b");
	same("'a\\b' \"a\\\"b\"", "a\\b|a\"b");
	same("x='' y", "x=|y");
	same("'' b", "|b");
	same("a # b", "a");
	same("# all of it", "");
	same("a#b", "a#b");
	same("set auth password='it''s # long'", "set|auth|password=its # long");
}

static void refuses(void **state)
{
	char many[2 * WORDS_MAX + 3] = "";
	struct errmsg err = { 0 };
	struct words w;

	assert_int_equal(words_split(&w, "a 'b c", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "began with '"));
	words_done(&w);
	assert_int_equal(words_split(&w, "a b\\", false, &err), -EINVAL);
	assert_non_null(strstr(err.text, "backslash"));
	words_done(&w);
	for (int i = 0; i <= WORDS_MAX; i++)
		strcat(many, "a ");
	assert_int_equal(words_split(&w, many, false, &err), -EINVAL);
	words_done(&w);
	many[2 * WORDS_MAX] = '\0';
	assert_int_equal(words_split(&w, many, false, &err), 0);
	assert_int_equal(w.n, WORDS_MAX);
	words_done(&w);
}

/* What is being typed: the word under the cursor and where it begins. */
static void open_lines(void **state)
{
	static const struct {
		const char *line;
		int n;
		bool open;
		size_t at;
		char quote;
	} rows[] = {
		{ "", 0, false, 0, 0 },
		{ "cd", 1, true, 0, 0 },
		{ "cd ", 1, false, 3, 0 },
		{ "cd /is", 2, true, 3, 0 },
		{ "set auth 'pass", 3, true, 9, '\'' },
		{ "a \"b ", 2, true, 2, '"' },
		{ "a b\\", 2, true, 2, 0 },
		{ "a b\\ ", 2, true, 2, 0 },
	};
	struct errmsg err = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct words w;

		assert_int_equal(words_split(&w, rows[i].line, true, &err), 0);
		assert_int_equal(w.n, rows[i].n);
		assert_int_equal(w.open, rows[i].open);
		assert_int_equal(w.last_at, rows[i].at);
		assert_int_equal(w.quote, rows[i].quote);
		words_done(&w);
	}
}

static void quotes(void **state)
{
	static const char *const words[] = { "a", "", "a b", "it's", "\"", "\\", "#x", "x#", "a\tb",
		"iqn.2004-10.com.example:x" };
	struct errmsg err = { 0 };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char buf[64];
		struct words w;

		words_quote(words[i], buf);
		assert_int_equal(words_split(&w, buf, false, &err), 0);
		assert_int_equal(w.n, 1);
		assert_string_equal(w.v[0], words[i]);
		words_done(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits),
		cmocka_unit_test(refuses),
		cmocka_unit_test(open_lines),
		cmocka_unit_test(quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

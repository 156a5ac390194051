/* SPDX-License-Identifier: BSD-3-Clause */
/* render_test.c: trees and columns at several widths. */
#include "cli/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static json_t *tree_of(const char *text)
{
	json_t *t = json_loads(text, 0, NULL);

	assert_non_null(t);
	return t;
}

static const char small[] = "{\"name\":\"/\",\"summary\":\"...\",\"children\":["
			    "{\"name\":\"a\",\"summary\":\"n: 2\",\"children\":["
			    "{\"name\":\"x\",\"summary\":\"fine\",\"ok\":true},"
			    "{\"name\":\"y\",\"summary\":\"bad\",\"ok\":false}]},"
			    "{\"name\":\"b\",\"summary\":\"\"}]}";

static void trees(void **state)
{
	json_t *t = tree_of(small);
	struct strbuf b;

	strbuf_init(&b);
	render_tree(&b, t, 24, false);
	assert_string_equal(b.s, "o- / ............. [...]\n"
				 "  o- a .......... [n: 2]\n"
				 "  | o- x ........ [fine]\n"
				 "  | o- y ......... [bad]\n"
				 "  o- b\n");
	strbuf_reset(&b);
	render_tree(&b, t, 0, false);
	assert_null(strchr(b.s, '\033'));
	assert_int_equal(strcspn(b.s, "\n"), RENDER_WIDTH);
	strbuf_reset(&b);
	render_tree(&b, t, 40, true);
	assert_non_null(strstr(b.s, "[\033[32mfine\033[0m]"));
	assert_non_null(strstr(b.s, "[\033[31mbad\033[0m]"));
	strbuf_done(&b);
	json_decref(t);
}

/* No line is longer than the window. */
static void narrow(void **state)
{
	json_t *t = tree_of("{\"name\":\"/\",\"summary\":\"...\",\"children\":[{\"name\":"
			    "\"iqn.2024-07.internal.ulio:a-rather-long-host-name\",\"summary\":"
			    "\"TPGs: 1\",\"children\":[{\"name\":\"lun0\",\"summary\":"
			    "\"fileio/f1 (/srv/a/long/päth/of/a/disk.img) (default)\"}]}]}");
	struct strbuf b;

	strbuf_init(&b);
	for (int width = RENDER_WIDTH_MIN; width < 90; width++) {
		strbuf_reset(&b);
		render_tree(&b, t, width, false);
		for (char *line = strtok(b.s, "\n"); line; line = strtok(NULL, "\n"))
			assert_true(render_width(line) <= width);
	}
	strbuf_reset(&b);
	render_tree(&b, t, 40, false);
	assert_non_null(strstr(b.s, "      [fileio/f1 (/srv/a/long/päth/of/…]\n"));
	strbuf_done(&b);
	json_decref(t);
}

static void columns(void **state)
{
	static const char *const words[] = { "one", "two", "three", "four", "five" };
	struct strbuf b;

	strbuf_init(&b);
	render_columns(&b, words, 5, 19);
	assert_string_equal(b.s, "one    three  five\ntwo    four\n");
	strbuf_reset(&b);
	render_columns(&b, words, 5, 4);
	assert_string_equal(b.s, "one\ntwo\nthree\nfour\nfive\n");
	strbuf_reset(&b);
	render_paragraph(&b, "some words to be broken", 2, 14);
	assert_string_equal(b.s, "  some words\n  to be broken\n");
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees),
		cmocka_unit_test(narrow),
		cmocka_unit_test(columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* err_test.c: texts, prefixes, cutting, and the NULL message. */
#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void set_and_prefix(void **state)
{
	struct errmsg e;

	errmsg_init(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.text, "");
	assert_int_equal(errmsg_set(&e, -EINVAL, "block_size %d: must be 512 or 4096", 7), -EINVAL);
	assert_int_equal(e.code, -EINVAL);
	assert_string_equal(e.text, "block_size 7: must be 512 or 4096");
	assert_int_equal(errmsg_prefix(&e, "/storage_objects/%d", 3), -EINVAL);
	assert_string_equal(e.text, "/storage_objects/3: block_size 7: must be 512 or 4096");
	assert_int_equal(errmsg_set(&e, -EIO, "disk: %s", e.text), -EIO);
	assert_string_equal(e.text, "disk: /storage_objects/3: block_size 7: must be 512 or 4096");
}

static void null_message(void **state)
{
	assert_int_equal(errmsg_set(NULL, -ENOMEM, "unused"), -ENOMEM);
	assert_int_equal(errmsg_prefix(NULL, "unused"), 0);
}

static void long_texts_are_cut(void **state)
{
	struct errmsg e;
	char big[2 * ERRMSG_TEXT_MAX];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	errmsg_set(&e, -EINVAL, "%.*s", ERRMSG_TEXT_MAX - 1, big);
	assert_int_equal(strlen(e.text), ERRMSG_TEXT_MAX - 1);
	assert_string_equal(e.text + ERRMSG_TEXT_MAX - 4, "xxx");
	errmsg_set(&e, -EINVAL, "%s", big);
	assert_int_equal(strlen(e.text), ERRMSG_TEXT_MAX - 1);
	assert_string_equal(e.text + ERRMSG_TEXT_MAX - 4, "...");
	errmsg_set(&e, -EINVAL, "why");
	errmsg_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), ERRMSG_TEXT_MAX - 1);
	assert_string_equal(e.text + ERRMSG_TEXT_MAX - 4, "...");
}

static void names(void **state)
{
	assert_string_equal(err_name(-ENOENT), "ENOENT");
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_string_equal(err_name(-99999), "E???");
	assert_string_equal(err_text(INT_MIN), "Unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_prefix),
		cmocka_unit_test(null_message),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

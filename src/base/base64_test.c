/* SPDX-License-Identifier: BSD-3-Clause */
/* base64_test.c: the vectors of RFC 4648 clause 10, and what strict decoding refuses. */
#include "base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void rfc_vectors(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i][0]), len = strlen(rows[i][1]);
		char text[16], back[16];

		assert_int_equal(BASE64_CHARS(n), len);
		assert_int_equal(base64_encode(text, sizeof(text), rows[i][0], n), len);
		assert_string_equal(text, rows[i][1]);
		assert_int_equal(base64_encode(text, len + 1, rows[i][0], n), len);
		assert_int_equal(base64_encode(text, len, rows[i][0], n), -ENOBUFS);
		assert_int_equal(base64_decode(back, sizeof(back), rows[i][1], len), n);
		assert_memory_equal(back, rows[i][0], n);
		assert_int_equal(base64_decode(back, n, rows[i][1], len), n);
		if (n)
			assert_int_equal(base64_decode(back, n - 1, rows[i][1], len), -ENOBUFS);
	}
}

static void all_bytes(void **state)
{
	uint8_t b[256], back[256];
	char text[BASE64_CHARS(256) + 1];

	for (size_t i = 0; i < 256; i++)
		b[i] = (uint8_t)(i * 7 + (i >> 4));
	for (size_t n = 0; n <= 256; n++) {
		ssize_t len = base64_encode(text, sizeof(text), b, n);

		assert_int_equal(len, BASE64_CHARS(n));
		assert_int_equal(base64_decode(back, sizeof(back), text, (size_t)len), n);
		assert_memory_equal(back, b, n);
	}
	assert_non_null(strchr(text, '+'));
	assert_non_null(strchr(text, '/'));
}

static void refused(void **state)
{
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zg= ", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-",
		"Zm9_", "=m9v", "Zm=v", "Zm9\x80" };
	char back[16];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			base64_decode(back, sizeof(back), bad[i], strlen(bad[i])), -EINVAL);
	assert_int_equal(base64_decode(back, sizeof(back), "Zm9\0", 4), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_vectors),
		cmocka_unit_test(all_bytes),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

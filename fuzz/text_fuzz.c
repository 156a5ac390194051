/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text_fuzz.c: the decoders of text that peers and administrators send: base64, hex, UTF-8,
 * numbers, sizes, and the escapes of the log. What decodes must encode to the same text again.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/base64.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/num.h"
#include "base/utf8.h"

static void base64_and_hex(const char *s, size_t n)
{
	uint8_t *bytes = malloc(n + 1);
	char *text = malloc(2 * n + 8);
	ssize_t len;

	if (!bytes || !text)
		abort();
	len = base64_decode(bytes, n, s, n);
	if (len >= 0) {
		assert(base64_encode(text, 2 * n + 8, bytes, (size_t)len) == (ssize_t)n);
		assert(memcmp(text, s, n) == 0);
	}
	len = hex_decode(bytes, n, s, n);
	if (len >= 0) {
		assert(hex_encode(text, 2 * n + 8, bytes, (size_t)len) == (ssize_t)n);
		assert(strncasecmp(text, s, n) == 0);
	}
	free(bytes);
	free(text);
}

static void numbers(const char *s)
{
	char text[NUM_SIZE_CHARS];
	uint64_t v, again;
	int64_t i;

	if (num_parse_u64(s, 5, 1000, &v) == 0)
		assert(v >= 5 && v <= 1000);
	if (num_parse_any(s, 0, 255, &v) == 0)
		assert(v <= 255);
	if (num_parse_i64(s, -7, 7, &i) == 0)
		assert(i >= -7 && i <= 7);
	if (num_parse_size(s, &v) == 0) {
		assert(num_parse_size(num_format_size(text, v), &again) == 0);
		assert(again == v);
	}
}

static void escapes(const uint8_t *p, size_t n)
{
	char out[300];
	size_t len = log_escape(out, sizeof(out), p, n);

	assert(len < sizeof(out) && strlen(out) == len);
	for (size_t i = 0; i < len; i++)
		assert(out[i] >= 0x20 && out[i] < 0x7f);
	assert(utf8_valid(out, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		abort();
	memcpy(s, data, size);
	s[size] = '\0';
	base64_and_hex(s, size);
	numbers(s);
	escapes(data, size);
	utf8_valid(data, size);
	free(s);
	return 0;
}

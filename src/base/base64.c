/* SPDX-License-Identifier: BSD-3-Clause */
/* base64.c: RFC 4648 clause 4. */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>

static const char base64_chars[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

ssize_t base64_encode(char *dst, size_t cap, const void *src, size_t n)
{
	const uint8_t *b = src;
	char *at = dst;

	if (n > SIZE_MAX / 4 || BASE64_CHARS(n) >= cap)
		return -ENOBUFS;
	for (; n; b += 3) {
		uint32_t v = (uint32_t)b[0] << 16;

		if (n > 1)
			v |= (uint32_t)b[1] << 8;
		if (n > 2)
			v |= b[2];
		*at++ = base64_chars[v >> 18];
		*at++ = base64_chars[v >> 12 & 63];
		*at++ = n > 1 ? base64_chars[v >> 6 & 63] : '=';
		*at++ = n > 2 ? base64_chars[v & 63] : '=';
		n -= n < 3 ? n : 3;
	}
	*at = '\0';
	return at - dst;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decode four characters of which the last npad are '='. -EINVAL if they are not base64. */
static int base64_group(uint8_t out[3], const char *s, unsigned npad)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++) {
		int k = i < 4 - npad ? base64_value(s[i]) : 0;

		if (k < 0)
			return -EINVAL;
		v = v << 6 | (uint32_t)k;
	}
	if (v & ((1u << 8 * npad) - 1)) /* pad bits must be zero */
		return -EINVAL;
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return 0;
}

ssize_t base64_decode(void *dst, size_t cap, const char *src, size_t n)
{
	uint8_t *out = dst;
	size_t len = 0;

	if (n % 4)
		return -EINVAL;
	for (size_t i = 0; i < n; i += 4) {
		unsigned npad = 0;
		uint8_t b[3];

		if (i + 4 == n && src[i + 3] == '=')
			npad = src[i + 2] == '=' ? 2 : 1;
		if (base64_group(b, src + i, npad) < 0)
			return -EINVAL;
		for (unsigned k = 0; k < 3 - npad; k++) {
			if (len == cap)
				return -ENOBUFS;
			out[len++] = b[k];
		}
	}
	return (ssize_t)len;
}

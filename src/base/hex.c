/* SPDX-License-Identifier: BSD-3-Clause */
/* hex.c: bytes as pairs of hexadecimal digits. */
#include "base/hex.h"

#include <errno.h>
#include <stdint.h>

ssize_t hex_encode(char *dst, size_t cap, const void *src, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = src;

	if (cap == 0 || n > (cap - 1) / 2)
		return -ENOBUFS;
	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[b[i] >> 4];
		dst[2 * i + 1] = digits[b[i] & 15];
	}
	dst[2 * n] = '\0';
	return (ssize_t)(2 * n);
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ssize_t hex_decode(void *dst, size_t cap, const char *src, size_t n)
{
	uint8_t *out = dst;

	if (n % 2)
		return -EINVAL;
	for (size_t i = 0; i < n / 2; i++) {
		int hi = hex_digit(src[2 * i]), lo = hex_digit(src[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		if (i == cap)
			return -ENOBUFS;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return (ssize_t)(n / 2);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.c: validation by the table of RFC 3629 clause 4. */
#include "base/utf8.h"

#include <stdint.h>

/* First bytes of a kind, how many bytes follow, and the range of the first that follows. */
static const struct {
	uint8_t first, last, follow, low, high;
} utf8_rows[] = {
	{ 0x00, 0x7f, 0, 0, 0 },
	{ 0xc2, 0xdf, 1, 0x80, 0xbf },
	{ 0xe0, 0xe0, 2, 0xa0, 0xbf },
	{ 0xe1, 0xec, 2, 0x80, 0xbf },
	{ 0xed, 0xed, 2, 0x80, 0x9f },
	{ 0xee, 0xef, 2, 0x80, 0xbf },
	{ 0xf0, 0xf0, 3, 0x90, 0xbf },
	{ 0xf1, 0xf3, 3, 0x80, 0xbf },
	{ 0xf4, 0xf4, 3, 0x80, 0x8f },
};

enum { NROWS = sizeof(utf8_rows) / sizeof(utf8_rows[0]) };

/* Bytes of the character at b, of which n are left; 0 if it is none. */
static size_t utf8_char(const uint8_t *b, size_t n)
{
	size_t row = 0, follow;

	while (row < NROWS && (b[0] < utf8_rows[row].first || b[0] > utf8_rows[row].last))
		row++;
	if (row == NROWS)
		return 0;
	follow = utf8_rows[row].follow;
	if (follow >= n)
		return 0;
	if (follow && (b[1] < utf8_rows[row].low || b[1] > utf8_rows[row].high))
		return 0;
	for (size_t i = 2; i <= follow; i++) {
		if (b[i] < 0x80 || b[i] > 0xbf)
			return 0;
	}
	return follow + 1;
}

bool utf8_valid(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n) {
		size_t k = utf8_char(b, n);

		if (k == 0)
			return false;
		b += k;
		n -= k;
	}
	return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* cursor.h: walk once along scattered data, for backstores that copy. Never beyond the end. */
#ifndef ULIO_BLOCK_CURSOR_H
#define ULIO_BLOCK_CURSOR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

struct cursor {
	const struct iovec *iov;
	unsigned niov;
	size_t off; /* into the first entry */
};

static inline struct cursor cursor_begin(const struct iovec *iov, unsigned niov)
{
	return (struct cursor){ .iov = iov, .niov = niov };
}

/* What lies at the cursor in one piece: its address, and up to n bytes in *ret_n (at least 1). */
static inline uint8_t *cursor_at(struct cursor *c, size_t n, size_t *ret_n)
{
	size_t left;

	while (c->niov && c->off == c->iov->iov_len) {
		c->iov++;
		c->niov--;
		c->off = 0;
	}
	assert(c->niov);
	left = c->iov->iov_len - c->off;
	*ret_n = left < n ? left : n;
	return (uint8_t *)c->iov->iov_base + c->off;
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
	while (n) {
		size_t piece;

		cursor_at(c, n, &piece);
		c->off += piece;
		n -= piece;
	}
}

/* Copy the next n bytes to dst, or from src; src NULL: zero them. */
static inline void cursor_get(struct cursor *c, void *dst, size_t n)
{
	for (uint8_t *d = dst; n;) {
		size_t piece;
		const uint8_t *p = cursor_at(c, n, &piece);

		memcpy(d, p, piece);
		c->off += piece;
		d += piece;
		n -= piece;
	}
}

static inline void cursor_put(struct cursor *c, const void *src, size_t n)
{
	for (const uint8_t *s = src; n;) {
		size_t piece;
		uint8_t *p = cursor_at(c, n, &piece);

		if (s) {
			memcpy(p, s, piece);
			s += piece;
		} else {
			memset(p, 0, piece);
		}
		c->off += piece;
		n -= piece;
	}
}

/* Are the next n bytes all zero? The cursor stays where it is. */
static inline bool cursor_is_zero(struct cursor c, size_t n)
{
	while (n) {
		size_t piece;
		const uint8_t *p = cursor_at(&c, n, &piece);

		/* Equal to itself moved by one, and the first is zero: all are. */
		if (p[0] || memcmp(p, p + 1, piece - 1) != 0)
			return false;
		c.off += piece;
		n -= piece;
	}
	return true;
}

#endif

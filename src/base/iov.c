/* SPDX-License-Identifier: BSD-3-Clause */
/* iov.c: bounded work on scattered bytes. */
#include "base/iov.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A position in a list. */
struct iov_pos {
	const struct iovec *iov, *end;
	size_t off; /* into *iov, below its length unless iov == end */
};

static struct iov_pos iov_seek(const struct iovec *iov, size_t niov, size_t off)
{
	struct iov_pos p = { iov, iov + niov, off };

	while (p.iov != p.end && p.off >= p.iov->iov_len) {
		p.off -= p.iov->iov_len;
		p.iov++;
	}
	return p;
}

/*
 * The bytes at the position that lie together, at most n; the position moves behind them.
 * Returns their number, 0 at the end of the list.
 */
static size_t iov_step(struct iov_pos *p, size_t n, uint8_t **ret_bytes)
{
	size_t part;

	while (p->iov != p->end && p->off == p->iov->iov_len) {
		p->iov++;
		p->off = 0;
	}
	if (p->iov == p->end)
		return 0;
	part = p->iov->iov_len - p->off;
	if (part > n)
		part = n;
	*ret_bytes = (uint8_t *)p->iov->iov_base + p->off;
	p->off += part;
	return part;
}

size_t iov_bytes(const struct iovec *iov, size_t niov)
{
	size_t n = 0;

	for (size_t i = 0; i < niov; i++)
		n += iov[i].iov_len;
	return n;
}

size_t iov_copy_in(const struct iovec *iov, size_t niov, size_t off, const void *src, size_t n)
{
	struct iov_pos p = iov_seek(iov, niov, off);
	size_t done = 0, part;
	uint8_t *b;

	while (done < n && (part = iov_step(&p, n - done, &b)) > 0) {
		memcpy(b, (const uint8_t *)src + done, part);
		done += part;
	}
	return done;
}

size_t iov_copy_out(void *dst, const struct iovec *iov, size_t niov, size_t off, size_t n)
{
	struct iov_pos p = iov_seek(iov, niov, off);
	size_t done = 0, part;
	uint8_t *b;

	while (done < n && (part = iov_step(&p, n - done, &b)) > 0) {
		memcpy((uint8_t *)dst + done, b, part);
		done += part;
	}
	return done;
}

size_t iov_copy(const struct iovec *dst, size_t ndst, size_t dst_off, const struct iovec *src,
	size_t nsrc, size_t src_off, size_t n)
{
	struct iov_pos p = iov_seek(src, nsrc, src_off), to = iov_seek(dst, ndst, dst_off);
	size_t done = 0, part, put;
	uint8_t *b, *d;

	while (done < n && (part = iov_step(&p, n - done, &b)) > 0) {
		for (; part; part -= put, b += put, done += put) {
			put = iov_step(&to, part, &d);
			if (put == 0)
				return done;
			memcpy(d, b, put);
		}
	}
	return done;
}

size_t iov_zero(const struct iovec *iov, size_t niov, size_t off, size_t n)
{
	struct iov_pos p = iov_seek(iov, niov, off);
	size_t done = 0, part;
	uint8_t *b;

	while (done < n && (part = iov_step(&p, n - done, &b)) > 0) {
		memset(b, 0, part);
		done += part;
	}
	return done;
}

/* The number of bytes that are equal from the start, at most n. */
static size_t equal_bytes(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	if (memcmp(a, b, n) == 0)
		return n;
	while (a[i] == b[i])
		i++;
	return i;
}

size_t iov_compare(const struct iovec *a, size_t na, size_t a_off, const struct iovec *b, size_t nb,
	size_t b_off, size_t n)
{
	struct iov_pos pa = iov_seek(a, na, a_off), pb = iov_seek(b, nb, b_off);
	size_t done = 0;

	while (done < n) {
		uint8_t *ba, *bb;
		size_t k = iov_step(&pa, n - done, &ba);

		assert(k > 0);
		while (k) {
			size_t j = iov_step(&pb, k, &bb), same;

			assert(j > 0);
			same = equal_bytes(ba, bb, j);
			done += same;
			if (same < j)
				return done;
			ba += j;
			k -= j;
		}
	}
	return n;
}

ssize_t iov_slice(
	struct iovec *dst, size_t max, const struct iovec *iov, size_t niov, size_t off, size_t n)
{
	struct iov_pos p = iov_seek(iov, niov, off);
	size_t used = 0;

	while (n) {
		uint8_t *b;
		size_t part = iov_step(&p, n, &b);

		if (part == 0)
			return -ERANGE;
		if (used == max)
			return -ENOBUFS;
		dst[used++] = (struct iovec){ b, part };
		n -= part;
	}
	return (ssize_t)used;
}

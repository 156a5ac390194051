/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iov.h: bounded work on scattered bytes: lists of struct iovec, addressed by an offset from
 * their first byte. Whatever is asked for beyond the end of a list is not done, and the number of
 * bytes that are returned says so. Pure functions; elements of length 0 are allowed.
 */
#ifndef ULIO_BASE_IOV_H
#define ULIO_BASE_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Bytes of the whole list. */
size_t iov_bytes(const struct iovec *iov, size_t niov);

/* Copy n bytes from src into the list, off bytes into it. Returns the bytes copied, <= n. */
size_t iov_copy_in(const struct iovec *iov, size_t niov, size_t off, const void *src, size_t n);

/* Copy n bytes out of the list, from off bytes into it, to dst. Returns the bytes copied, <= n. */
size_t iov_copy_out(void *dst, const struct iovec *iov, size_t niov, size_t off, size_t n);

/* Copy n bytes from list to list (which do not overlap). Returns the bytes copied, <= n. */
size_t iov_copy(const struct iovec *dst, size_t ndst, size_t dst_off, const struct iovec *src,
	size_t nsrc, size_t src_off, size_t n);

/* Zero n bytes, off bytes into the list. Returns the bytes zeroed, <= n. */
size_t iov_zero(const struct iovec *iov, size_t niov, size_t off, size_t n);

/*
 * Compare n bytes of two lists, which both must have that many from their offsets.
 * Returns n if all are equal, else the offset (below n) of the first that differs.
 */
size_t iov_compare(const struct iovec *a, size_t na, size_t a_off, const struct iovec *b, size_t nb,
	size_t b_off, size_t n);

/*
 * Describe the n bytes from off by at most max elements of dst (no empty ones).
 * Returns the elements used; -ENOBUFS if max are too few, -ERANGE if the list ends before.
 */
ssize_t iov_slice(
	struct iovec *dst, size_t max, const struct iovec *iov, size_t niov, size_t off, size_t n);

#endif

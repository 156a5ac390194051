/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base64.h: the encoding of RFC 4648 clause 4, strictly: padded, without line breaks, pad bits
 * zero, so each byte string has exactly one text. Pure functions.
 */
#ifndef ULIO_BASE_BASE64_H
#define ULIO_BASE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Characters that n bytes become, without the NUL. */
#define BASE64_CHARS(n) (((size_t)(n) + 2) / 3 * 4)

/*
 * Encode n bytes as a NUL-terminated string in dst, which has cap bytes.
 * Returns the number of characters, -ENOBUFS if they and the NUL do not fit.
 */
ssize_t base64_encode(char *dst, size_t cap, const void *src, size_t n);

/*
 * Decode n characters.
 * Returns the number of bytes; -EINVAL if the text is not strict base64, -ENOBUFS if the bytes do
 * not fit into cap. dst may then have been written to.
 */
ssize_t base64_decode(void *dst, size_t cap, const char *src, size_t n);

#endif

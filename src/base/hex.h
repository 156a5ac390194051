/* SPDX-License-Identifier: BSD-3-Clause */
/* hex.h: bytes as pairs of hexadecimal digits, strictly. Pure functions. */
#ifndef ULIO_BASE_HEX_H
#define ULIO_BASE_HEX_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Encode n bytes, lower case, as a NUL-terminated string in dst, which has cap bytes.
 * Returns the number of characters, -ENOBUFS if they and the NUL do not fit.
 */
ssize_t hex_encode(char *dst, size_t cap, const void *src, size_t n);

/*
 * Decode n digits of either case, without prefix.
 * Returns the number of bytes; -EINVAL if n is odd or a character is no digit, -ENOBUFS if the
 * bytes do not fit into cap. dst may then have been written to.
 */
ssize_t hex_decode(void *dst, size_t cap, const char *src, size_t n);

/* The value of a digit, -1 if it is none. */
int hex_digit(char c);

#endif

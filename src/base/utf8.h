/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.h: is this text UTF-8 (RFC 3629)? Names in login keys and in files have to be. */
#ifndef ULIO_BASE_UTF8_H
#define ULIO_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True if the n bytes are whole characters in their shortest form, none a surrogate or above
 * U+10FFFF. NUL counts as a character. Pure function.
 */
bool utf8_valid(const void *p, size_t n);

#endif

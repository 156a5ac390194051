/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * num.h: numbers and sizes as text, strictly: the whole string is the number, without spaces or
 * signs; what does not fit is refused, never cut. Pure functions.
 */
#ifndef ULIO_BASE_NUM_H
#define ULIO_BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * A decimal integer from min to max. 0; -EINVAL if it is no such number, -ERANGE if it lies
 * outside. *ret is set only on success. (Leading zeros are allowed.)
 */
int num_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
int num_parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret);

/* The same with a leading '-' allowed. */
int num_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* The same as num_parse_u64(), hexadecimal if it begins with "0x" or "0X". */
int num_parse_any(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/*
 * A number of bytes: digits, then nothing or one of B K M G T P E, also as KB or KiB (all powers
 * of 1024; either case). "10G" is 10737418240. 0, -EINVAL or -ERANGE (2^64 and above).
 */
int num_parse_size(const char *s, uint64_t *ret_bytes);

enum { NUM_SIZE_CHARS = 24 };

/*
 * Write bytes as num_parse_size() reads it, exactly, with the largest unit that divides it:
 * "10G", "1536M", "513". buf has at least NUM_SIZE_CHARS bytes. Returns buf.
 */
const char *num_format_size(char *buf, uint64_t bytes);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_priv.h: what the unit tests of this folder share.
 */
#ifndef ULIO_SCSI_TEST_PRIV_H
#define ULIO_SCSI_TEST_PRIV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Exactly these bytes, by value: expect_bytes(buf, len, 0x70, 0, 5). */
#define expect_bytes(buf, len, ...)                                                                \
	do {                                                                                       \
		static const uint8_t want_[] = { __VA_ARGS__ };                                    \
		assert_int_equal(len, sizeof(want_));                                              \
		assert_memory_equal(buf, want_, sizeof(want_));                                    \
	} while (0)

/* A copy in a heap block of exactly its size, so that the sanitizer sees a byte read beyond it. */
static inline uint8_t *exact_copy(const void *p, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

/*
 * A builder cut at every capacity must write the same bytes, no more, and return the same length.
 * expr is the builder's call, with `cut` and `cap` for its buffer and capacity.
 */
#define expect_truncation(full, full_len, expr)                                                    \
	do {                                                                                       \
		for (size_t cap = 0; cap <= (full_len); cap++) {                                   \
			uint8_t *cut = malloc(cap + 1);                                            \
			assert_non_null(cut);                                                      \
			memset(cut, 0xee, cap + 1);                                                \
			assert_int_equal(expr, full_len);                                          \
			assert_memory_equal(cut, full, cap);                                       \
			assert_int_equal(cut[cap], 0xee);                                          \
			free(cut);                                                                 \
		}                                                                                  \
	} while (0)

#endif

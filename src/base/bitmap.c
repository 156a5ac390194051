/* SPDX-License-Identifier: BSD-3-Clause */
/* bitmap.c: a set of bits. */
#include "base/bitmap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64 };

static size_t words_of(size_t nbits)
{
	return nbits / WORD_BITS + (nbits % WORD_BITS != 0);
}

int bitmap_init(struct bitmap *m, size_t nbits)
{
	*m = (struct bitmap){ .nbits = 0 };
	return bitmap_resize(m, nbits);
}

void bitmap_done(struct bitmap *m)
{
	free(m->words);
	*m = (struct bitmap){ .nbits = 0 };
}

int bitmap_resize(struct bitmap *m, size_t nbits)
{
	size_t had = words_of(m->nbits), want = words_of(nbits);
	uint64_t *words = m->words;

	if (nbits > BITMAP_BITS_MAX)
		return -ENOMEM;
	if (want > had) {
		words = reallocarray(words, want, sizeof(*words));
		if (!words)
			return -ENOMEM;
		memset(words + had, 0, (want - had) * sizeof(*words));
		m->words = words;
	} else if (nbits < m->nbits) {
		bitmap_clear_range(m, nbits, m->nbits - nbits);
	}
	m->nbits = nbits;
	return 0;
}

void bitmap_set(struct bitmap *m, size_t bit)
{
	assert(bit < m->nbits);
	m->words[bit / WORD_BITS] |= UINT64_C(1) << bit % WORD_BITS;
}

void bitmap_clear(struct bitmap *m, size_t bit)
{
	assert(bit < m->nbits);
	m->words[bit / WORD_BITS] &= ~(UINT64_C(1) << bit % WORD_BITS);
}

bool bitmap_test(const struct bitmap *m, size_t bit)
{
	assert(bit < m->nbits);
	return m->words[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

/* The bits of the word that holds bit, from bit on, at most n; *ret_n is their number. */
static uint64_t range_mask(size_t bit, size_t n, size_t *ret_n)
{
	size_t at = bit % WORD_BITS, k = WORD_BITS - at;

	if (k > n)
		k = n;
	*ret_n = k;
	return (k == WORD_BITS ? UINT64_MAX : (UINT64_C(1) << k) - 1) << at;
}

void bitmap_set_range(struct bitmap *m, size_t bit, size_t n)
{
	assert(bit <= m->nbits && n <= m->nbits - bit);
	for (size_t k; n; bit += k, n -= k)
		m->words[bit / WORD_BITS] |= range_mask(bit, n, &k);
}

void bitmap_clear_range(struct bitmap *m, size_t bit, size_t n)
{
	assert(bit <= m->nbits && n <= m->nbits - bit);
	for (size_t k; n; bit += k, n -= k)
		m->words[bit / WORD_BITS] &= ~range_mask(bit, n, &k);
}

/* The first bit at from or above that is set once all are xored with flip. */
static size_t next_bit(const struct bitmap *m, size_t from, uint64_t flip)
{
	assert(from <= m->nbits);
	while (from < m->nbits) {
		uint64_t w = (m->words[from / WORD_BITS] ^ flip) >> from % WORD_BITS;

		if (w) {
			from += (size_t)__builtin_ctzll(w);
			return from < m->nbits ? from : m->nbits;
		}
		from += WORD_BITS - from % WORD_BITS;
	}
	return m->nbits;
}

size_t bitmap_next_set(const struct bitmap *m, size_t from)
{
	return next_bit(m, from, 0);
}

size_t bitmap_next_clear(const struct bitmap *m, size_t from)
{
	return next_bit(m, from, UINT64_MAX);
}

size_t bitmap_count(const struct bitmap *m)
{
	size_t n = 0;

	for (size_t i = 0; i < words_of(m->nbits); i++)
		n += (size_t)__builtin_popcountll(m->words[i]);
	return n;
}

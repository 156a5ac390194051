/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen_data.c: the data of verified runs. Every eight bytes are a hash of where they lie, of how
 * often the block was written, and of the seed, so that a lost, stale, torn or misplaced block
 * shows.
 */
#include "bench/gen.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t word(uint64_t seed, uint64_t at, uint32_t gen)
{
	return mix(at ^ mix(seed + 0x9e3779b97f4a7c15ull * (gen + 1ull)));
}

void gen_fill(const struct gen_options *o, uint8_t *buf, uint64_t at, uint32_t gen)
{
	for (uint32_t i = 0; i < o->bytes; i += 8) {
		uint64_t w = word(o->seed, at + i, gen);

		memcpy(buf + i, &w, 8);
	}
}

long gen_check(const struct gen_options *o, const uint8_t *buf, uint64_t at, uint32_t off,
	uint32_t bytes, uint32_t gen)
{
	uint8_t w[8];

	for (uint32_t i = 0; i < bytes; i++) {
		uint64_t v = word(o->seed, at + ((off + i) & ~7ull), gen);

		memcpy(w, &v, 8);
		if (buf[i] != w[(off + i) & 7])
			return (long)off + (long)i;
		if (((off + i) & 7) || bytes - i < 8)
			continue;
		if (!memcmp(buf + i, w, 8))
			i += 7;
	}
	return -1;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* rng.c: random numbers from the kernel, and repeatable ones from a seed. */
#include "base/rng.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

int rng_fill(void *p, size_t n)
{
	uint8_t *b = p;

	while (n) {
		ssize_t got = getrandom(b, n, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		b += got;
		n -= (size_t)got;
	}
	return 0;
}

uint32_t rng_u32(void)
{
	return (uint32_t)rng_u64();
}

uint64_t rng_u64(void)
{
	uint64_t v = 0;
	int rc = rng_fill(&v, sizeof(v));

	assert(rc == 0);
	return v;
}

static uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

/* The state must not be all zero: the seed is spread by splitmix64, as the authors advise. */
void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		r->s[i] = z ^ z >> 31;
	}
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t v, reject;

	assert(n > 0);
	reject = -n % n; /* 2^64 mod n: numbers below it would favour some results */
	do
		v = rng_next(r);
	while (v < reject);
	return v % n;
}

bool rng_chance(struct rng *r, uint64_t num, uint64_t den)
{
	return rng_below(r, den) < num;
}

void rng_bytes(struct rng *r, void *p, size_t n)
{
	uint8_t *b = p;

	while (n) {
		uint64_t v = rng_next(r);
		size_t part = n < sizeof(v) ? n : sizeof(v);

		memcpy(b, &v, part);
		b += part;
		n -= part;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rng.h: random numbers.
 *
 * rng_fill(), rng_u32() and rng_u64() come from the kernel and are fit for secrets. struct rng is
 * xoshiro256** (Blackman and Vigna, 2018): the same seed gives the same numbers, for the
 * simulator and for tests, never for secrets.
 */
#ifndef ULIO_BASE_RNG_H
#define ULIO_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Fill n bytes from getrandom(2). Returns 0, or -errno where the kernel or a seccomp filter
 * refuses the call; then nothing may be used of p. Any thread.
 */
int rng_fill(void *p, size_t n);

/* Numbers from rng_fill(), which must work: the daemon checks it once at start. Any thread. */
uint32_t rng_u32(void);
uint64_t rng_u64(void);

struct rng {
	uint64_t s[4];
};

/* Start the sequence that belongs to seed (any value, 0 too). */
void rng_seed(struct rng *r, uint64_t seed);

/* The next 64 bits. */
uint64_t rng_next(struct rng *r);

/* A number from 0 to n - 1, each equally likely; n is above 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* True in num out of den cases. */
bool rng_chance(struct rng *r, uint64_t num, uint64_t den);

/* Fill n bytes from the sequence. */
void rng_bytes(struct rng *r, void *p, size_t n);

#endif

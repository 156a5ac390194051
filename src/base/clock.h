/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h: monotonic time in nanoseconds, real or set by a test.
 *
 * Code that has to be tested against time takes a struct clock; the rest calls clock_now_ns().
 */
#ifndef ULIO_BASE_CLOCK_H
#define ULIO_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

struct clock {
	bool fake;
	uint64_t fake_ns; /* the time while fake */
};

/* CLOCK_MONOTONIC now. Any thread. */
uint64_t clock_now_ns(void);

/* Time since the epoch, for file dates and log lines alone; it may jump. Any thread. */
uint64_t clock_wall_ns(void);

/* A clock that follows clock_now_ns(), and one that stands at start_ns until it is advanced. */
void clock_init_real(struct clock *c);
void clock_init_fake(struct clock *c, uint64_t start_ns);

/* The time of c in nanoseconds. */
uint64_t clock_get_ns(const struct clock *c);

/* Let a fake clock advance. */
void clock_advance(struct clock *c, uint64_t ns);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.c: monotonic time, real or fake. */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);

	assert(rc == 0);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

void clock_init_real(struct clock *c)
{
	*c = (struct clock){ .fake = false };
}

void clock_init_fake(struct clock *c, uint64_t start_ns)
{
	*c = (struct clock){ .fake = true, .fake_ns = start_ns };
}

uint64_t clock_get_ns(const struct clock *c)
{
	return c->fake ? c->fake_ns : clock_now_ns();
}

void clock_advance(struct clock *c, uint64_t ns)
{
	assert(c->fake);
	c->fake_ns += ns;
}

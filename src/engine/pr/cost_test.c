/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cost_test.c: READs of one nexus in the simulator, without and under a persistent reservation with
 * 64 registrations, for counting instructions: bench/pr_cost.py runs it under callgrind, which
 * collects inside of cost_measured() alone, and compares.
 *
 * usage: cost_test [none|holder|registrant|reader [reads]]
 * Without arguments all cases run once, which shows that each READ is answered with GOOD.
 */
#include "engine/pr/testkit.h"

#include <stdlib.h>

enum { NEXUSES = 64, WARM_UP = 200 };

static const struct cost_case {
	const char *name;
	uint8_t type; /* 0: nothing is registered */
	unsigned who; /* reads: the first one holds the reservation, the last is not registered */
} cases[] = {
	{ "none", RESERVATION_NONE, 0 },
	{ "holder", RESERVATION_EXCLUSIVE_ACCESS, 0 },
	{ "registrant", RESERVATION_EXCLUSIVE_ACCESS_RO, 1 },
	{ "reader", RESERVATION_WRITE_EXCLUSIVE_RO, NEXUSES },
};

static struct rig cost_rig;
static struct loopback *cost_lb[NEXUSES + 1];
static const char *only;
static unsigned nreads = 10;

static void reads(struct loopback *lb, unsigned n)
{
	static uint8_t buf[4096];

	for (unsigned i = 0; i < n; i++)
		io_read(&cost_rig, lb, 0, 8 * (i % 64), 8, buf);
}

/* Named, and not inlined, for --toggle-collect. */
__attribute__((noinline)) static void cost_measured(struct loopback *lb, unsigned n)
{
	reads(lb, n);
}

static void set_up(const struct cost_case *c)
{
	rig_init(&cost_rig, LOOP_SIM, 1, 1);
	rig_add(&cost_rig, 0, "ram:1M");
	for (unsigned i = 0; i <= NEXUSES; i++) {
		char name[24];

		snprintf(name, sizeof(name), "iqn.nexus-%u", i);
		cost_lb[i] = rig_login(&cost_rig, name, 0);
		io_settle(&cost_rig, cost_lb[i], 0);
		if (c->type && i < NEXUSES)
			pr_register(&cost_rig, cost_lb[i], 0, 1 + i);
	}
	if (c->type)
		pr_reserve(&cost_rig, cost_lb[0], 0, 1, c->type);
}

static void one_case(const struct cost_case *c)
{
	set_up(c);
	reads(cost_lb[c->who], WARM_UP);
	cost_measured(cost_lb[c->who], nreads);
	for (unsigned i = 0; i <= NEXUSES; i++)
		rig_logout(cost_lb[i]);
	rig_remove(&cost_rig, 0);
	rig_done(&cost_rig);
}

static void all_cases(void **state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (only && strcmp(only, cases[i].name))
			continue;
		one_case(&cases[i]);
		n++;
	}
	assert_int_equal(n, only ? 1 : sizeof(cases) / sizeof(cases[0]));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_cases) };

	if (argc > 1)
		only = argv[1];
	if (argc > 2)
		nreads = (unsigned)strtoul(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

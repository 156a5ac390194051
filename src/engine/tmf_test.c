/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmf_test.c: the functions that ask (QUERY TASK, QUERY TASK SET, QUERY ASYNCHRONOUS EVENT: SAM-5
 * 7.7 to 7.9), I_T NEXUS RESET (7.6), which commands a function is about when its nexus has some on
 * several loops (RFC 7143 4.2.3), and what commands carry for the fabric: fences, qualifiers of
 * their status, priorities.
 */
#include "engine/testkit.h"

#include "engine/tmf.h"

static struct rig rig;
static struct loopback *a, *b;

static void begin(const char *spec, uint64_t seed)
{
	rig_init(&rig, LOOP_SIM, 3, seed);
	rig_add(&rig, 0, spec);
	rig_add(&rig, 1, spec);
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	for (unsigned lun = 0; lun < 2; lun++) {
		io_settle(&rig, a, lun);
		io_settle(&rig, b, lun);
	}
}

static void end(void)
{
	rig_logout(a);
	rig_logout(b);
	rig_remove(&rig, 0);
	rig_remove(&rig, 1);
	rig_done(&rig);
}

/* A function of nexus lb for that LUN, from loop 0. */
static uint8_t run(
	struct loopback_tmf *t, struct loopback *lb, uint8_t function, uint64_t lun, uint64_t tag)
{
	*t = (struct loopback_tmf){ .lb = lb,
		.loop = rig_loop(&rig, 0),
		.function = function,
		.lun = lun,
		.ref_tag = tag };
	loopback_tmf_start(t);
	assert_int_equal(loopback_tmf_wait(t, RIG_WAIT_NS), 0);
	return t->response;
}

static void settle_loops(void)
{
	for (unsigned i = 0; i < 4; i++)
		loops_barrier(rig.k.loops, NULL, NULL);
}

/* A READ that its disk keeps for a while. */
static void read_slow(struct loopback_cmd *c, struct loopback *lb, unsigned loop, uint64_t lun)
{
	static uint8_t buf[512];

	io_init(&rig, c, lb, loop);
	c->lun = lun;
	io_blocks(c, OP_READ_16, 0, 1, buf, 512);
	loopback_start(c);
	settle_loops();
}

/* SAM-5 7.8: SUCCEEDED while the command is in the task set, on whatever loop; else COMPLETE. */
static void query_task(void **state)
{
	for (unsigned loop = 0; loop < 3; loop++) {
		struct loopback_cmd c;
		struct loopback_tmf t;

		begin("delay:ms=50|ram:1M", loop + 1);
		read_slow(&c, a, loop, 0);
		assert_int_equal(run(&t, a, TMF_QUERY_TASK, 0, c.tag), TMF_FUNCTION_SUCCEEDED);
		/* Another tag, another nexus, another LU: not this one. */
		assert_int_equal(run(&t, a, TMF_QUERY_TASK, 0, c.tag + 1), TMF_FUNCTION_COMPLETE);
		assert_int_equal(run(&t, b, TMF_QUERY_TASK, 0, c.tag), TMF_FUNCTION_COMPLETE);
		assert_int_equal(run(&t, a, TMF_QUERY_TASK, 1, c.tag), TMF_FUNCTION_COMPLETE);
		assert_int_equal(
			run(&t, a, TMF_QUERY_TASK, 7, c.tag), TMF_INCORRECT_LOGICAL_UNIT_NUMBER);
		/* It was asked after, and nothing else. */
		io_wait(&c);
		io_good(&c);
		assert_int_equal(run(&t, a, TMF_QUERY_TASK, 0, c.tag), TMF_FUNCTION_COMPLETE);
		end();
	}
}

/* SAM-5 7.9: any command of the nexus at the LU. */
static void query_task_set(void **state)
{
	struct loopback_cmd c;
	struct loopback_tmf t;

	begin("delay:ms=50|ram:1M", 1);
	assert_int_equal(run(&t, a, TMF_QUERY_TASK_SET, 0, 0), TMF_FUNCTION_COMPLETE);
	read_slow(&c, a, 2, 0);
	assert_int_equal(run(&t, a, TMF_QUERY_TASK_SET, 0, 0), TMF_FUNCTION_SUCCEEDED);
	assert_int_equal(run(&t, a, TMF_QUERY_TASK_SET, 1, 0), TMF_FUNCTION_COMPLETE);
	assert_int_equal(run(&t, b, TMF_QUERY_TASK_SET, 0, 0), TMF_FUNCTION_COMPLETE);
	io_wait(&c);
	io_good(&c);
	assert_int_equal(run(&t, a, TMF_QUERY_TASK_SET, 0, 0), TMF_FUNCTION_COMPLETE);
	end();
}

/* SAM-5 7.7: depth, sense key and code of what would be reported, which stays pending. */
static void query_async_event(void **state)
{
	static const uint8_t tur[6] = { OP_TEST_UNIT_READY };
	static const uint8_t none[3], one[3] = { 0x16, 0x29, 0x03 }, two[3] = { 0x26, 0x29, 0x03 };
	struct loopback_cmd c;
	struct loopback_tmf t;

	begin("ram:1M", 1);
	assert_int_equal(run(&t, a, TMF_QUERY_ASYNC_EVENT, 0, 0), TMF_FUNCTION_COMPLETE);
	assert_memory_equal(t.info, none, 3);
	assert_int_equal(run(&t, b, TMF_LOGICAL_UNIT_RESET, 0, 0), TMF_FUNCTION_COMPLETE);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(run(&t, a, TMF_QUERY_ASYNC_EVENT, 0, 0), TMF_FUNCTION_SUCCEEDED);
		assert_memory_equal(t.info, one, 3);
	}
	assert_int_equal(run(&t, a, TMF_QUERY_ASYNC_EVENT, 1, 0), TMF_FUNCTION_COMPLETE);
	assert_int_equal(
		run(&t, a, TMF_QUERY_ASYNC_EVENT, 9, 0), TMF_INCORRECT_LOGICAL_UNIT_NUMBER);
	/* A second condition. */
	assert_int_equal(run(&t, a, TMF_I_T_NEXUS_RESET, 0, 0), TMF_FUNCTION_COMPLETE);
	assert_int_equal(run(&t, a, TMF_QUERY_ASYNC_EVENT, 0, 0), TMF_FUNCTION_SUCCEEDED);
	assert_int_equal(t.info[0] & 0xf0, two[0] & 0xf0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(io_six(&rig, &c, a, 0, tur, NULL, 0), STATUS_CHECK_CONDITION);
		/* RFC 7143 4.2.2.3.4 a */
		assert_true(c.fenced);
	}
	assert_int_equal(io_six(&rig, &c, a, 0, tur, NULL, 0), STATUS_GOOD);
	assert_false(c.fenced);
	assert_int_equal(run(&t, a, TMF_QUERY_ASYNC_EVENT, 0, 0), TMF_FUNCTION_COMPLETE);
	end();
}

/*
 * SAM-5 7.6, 6.3.4: the commands of the nexus on all LUs and loops, and what it reserved; others
 * notice nothing, and the nexus goes on.
 */
static void i_t_nexus_reset(void **state)
{
	static const uint8_t take[6] = { OP_RESERVE_6 };
	struct loopback_cmd mine[4], other, c;
	struct loopback_tmf t;

	begin("delay:ms=50|ram:1M", 3);
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	for (unsigned i = 0; i < 4; i++)
		read_slow(&mine[i], a, i % 3, i % 2);
	read_slow(&other, b, 2, 1);
	assert_int_equal(run(&t, a, TMF_I_T_NEXUS_RESET, 0, 0), TMF_FUNCTION_COMPLETE);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(loopback_ended(&mine[i]) && mine[i].aborted);
		assert_int_equal(mine[i].cleared_by, t.id);
	}
	io_wait(&other);
	io_good(&other);
	assert_int_equal(io_tur(&rig, &c, b, 1), STATUS_GOOD);
	for (unsigned lun = 0; lun < 2; lun++) {
		static const uint8_t tur[6] = { OP_TEST_UNIT_READY };

		io_init(&rig, &c, a, 0);
		c.lun = lun;
		c.cdb_len = 6;
		memcpy(c.cdb, tur, 6);
		io_run(&c);
		io_sense(&c, SENSE_I_T_NEXUS_LOSS);
	}
	assert_int_equal(io_tur(&rig, &c, a, 0), STATUS_GOOD);
	end();
}

/*
 * RFC 7143 4.2.3: of the nexus's commands only those with a lower number are affected, on whatever
 * loop; of those with the same one that came before, on the same loop. Without numbers all that are
 * there.
 */
static void order_over_loops(void **state)
{
	static const struct {
		bool has_order;
		unsigned loop;
		uint32_t tmf, cmd;
		bool aborted;
	} rows[] = {
		{ true, 1, 7, 6, true },
		{ true, 1, 7, 7, false },
		{ true, 1, 7, 8, false },
		{ true, 1, 2, 0xfffffffe, true },
		{ true, 1, 0xfffffffe, 2, false },
		{ false, 1, 7, 8, true },
		/* Of several connections on one loop a younger command may be there first. */
		{ true, 0, 7, 8, false },
		{ true, 0, 7, 7, true },
		{ true, 0, 7, 6, true },
		{ false, 0, 7, 8, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loopback_cmd c = { 0 };
		struct loopback_tmf t;
		static uint8_t buf[512];

		begin("delay:ms=50|ram:1M", i + 1);
		io_init(&rig, &c, a, rows[i].loop);
		io_blocks(&c, OP_READ_16, 0, 1, buf, 512);
		c.order = rows[i].cmd;
		loopback_start(&c);
		settle_loops();
		t = (struct loopback_tmf){ .lb = a,
			.loop = rig_loop(&rig, 0),
			.function = TMF_ABORT_TASK_SET,
			.has_order = rows[i].has_order,
			.order = rows[i].tmf };
		loopback_tmf_start(&t);
		assert_int_equal(loopback_tmf_wait(&t, RIG_WAIT_NS), 0);
		assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
		io_wait(&c);
		assert_int_equal(c.aborted, rows[i].aborted);
		/* A tag names one, whatever its number (11.5.6: an immediate one has the same). */
		if (!rows[i].aborted) {
			loopback_start(&c);
			settle_loops();
			t.function = TMF_ABORT_TASK;
			t.ref_tag = c.tag;
			loopback_tmf_start(&t);
			assert_int_equal(loopback_tmf_wait(&t, RIG_WAIT_NS), 0);
			assert_false(t.no_task);
			io_wait(&c);
			assert_true(c.aborted);
		}
		end();
	}
}

/* SAM-5 7.1: which functions there are, and RFC 7143 4.2.3.1: which end more than one task. */
static void kinds(void **state)
{
	struct loopback_tmf t;

	for (unsigned f = 0; f < TMF_FUNCTION_COUNT; f++) {
		bool multi = f == TMF_ABORT_TASK_SET || f == TMF_CLEAR_TASK_SET ||
			     f == TMF_I_T_NEXUS_RESET || f == TMF_LOGICAL_UNIT_RESET ||
			     f == TMF_TARGET_WARM_RESET || f == TMF_TARGET_COLD_RESET;

		assert_int_equal(tmf_supported((enum tmf_function)f), f != TMF_CLEAR_ACA);
		assert_int_equal(tmf_is_multi_task((enum tmf_function)f), multi);
	}
	assert_false(tmf_supported((enum tmf_function)77));
	begin("ram:1M", 1);
	assert_int_equal(run(&t, a, 77, 0, 0), TMF_FUNCTION_REJECTED);
	assert_true(t.unsupported);
	end();
}

static unsigned nended;

static void count_end(struct loopback_cmd *c)
{
	*(unsigned *)c->arg = ++nended;
	loop_event_signal(&c->ended);
}

/*
 * SAM-5 8.7: of SIMPLE tasks that wait, those of higher priority first, those of the same in their
 * order, those without one last; an ORDERED one keeps its place.
 */
static void priority(void **state)
{
	static const struct {
		uint8_t attr, priority;
		unsigned place; /* in the order of ends, from the ORDERED one on */
	} rows[] = {
		{ TASK_ATTR_ORDERED, 0, 1 },
		{ TASK_ATTR_SIMPLE, 0, 5 },
		{ TASK_ATTR_SIMPLE, 15, 4 },
		{ TASK_ATTR_SIMPLE, 2, 2 },
		{ TASK_ATTR_SIMPLE, 2, 3 },
		{ TASK_ATTR_ORDERED, 1, 6 },
		{ TASK_ATTR_SIMPLE, 1, 7 },
	};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	static const uint8_t tur[6] = { OP_TEST_UNIT_READY };
	struct loopback_cmd first, c[N];
	unsigned at[N];

	begin("delay:ms=20|ram:1M", 1);
	nended = 0;
	read_slow(&first, a, 0, 0);
	for (unsigned i = 0; i < N; i++) {
		io_init(&rig, &c[i], a, 0);
		c[i].cdb_len = 6;
		memcpy(c[i].cdb, tur, 6);
		c[i].attr = rows[i].attr;
		c[i].priority = rows[i].priority;
		c[i].done = count_end;
		c[i].arg = &at[i];
		loopback_start(&c[i]);
		settle_loops();
	}
	assert_int_equal(nended, 0);
	for (unsigned i = 0; i < N; i++) {
		io_wait(&c[i]);
		io_good(&c[i]);
		assert_int_equal(at[i], rows[i].place);
	}
	io_wait(&first);
	end();
}

/* SAM-5 5.3.2: BUSY says when it is worth another try; other answers say nothing. */
static void status_qualifier(void **state)
{
	static const uint8_t take[6] = { OP_RESERVE_6 };
	struct loopback_cmd c;
	uint8_t buf[512];

	begin("error:op=read,errno=ENOMEM|ram:1M", 1);
	io_init(&rig, &c, a, 0);
	io_blocks(&c, OP_READ_16, 0, 1, buf, 512);
	assert_int_equal(io_run(&c), STATUS_BUSY);
	assert_int_equal(c.status_qualifier, CMD_RETRY_100MS);
	assert_int_equal(io_six(&rig, &c, a, 0, take, NULL, 0), STATUS_GOOD);
	assert_int_equal(c.status_qualifier, 0);
	assert_int_equal(io_tur(&rig, &c, b, 1), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(c.status_qualifier, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_task),
		cmocka_unit_test(query_task_set),
		cmocka_unit_test(query_async_event),
		cmocka_unit_test(i_t_nexus_reset),
		cmocka_unit_test(order_over_loops),
		cmocka_unit_test(kinds),
		cmocka_unit_test(priority),
		cmocka_unit_test(status_qualifier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * taskset_test.c: the order of tasks (SAM-5 8), and how tasks end before their time: ABORT TASK and
 * resets that race completion, on one loop and on two, over many seeds of the simulator. Every
 * command is answered or aborted once (the loopback fabric asserts it), and no page of data is lost
 * (the rig counts).
 */
#include "engine/testkit.h"

static struct rig rig;
static struct loopback *a, *b;
static struct lu *lu;

static void begin(const char *spec, uint64_t seed)
{
	rig_init(&rig, LOOP_SIM, 2, seed);
	lu = rig_add(&rig, 0, spec);
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
}

static void end(void)
{
	rig_logout(a);
	rig_logout(b);
	rig_remove(&rig, 0);
	rig_done(&rig);
}

/* ---- order ---------------------------------------------------------------------------------- */

static unsigned nended;

/* Commands are told apart by their place in the order of ends. */
static void count_end(struct loopback_cmd *c)
{
	*(unsigned *)c->arg = ++nended;
	loop_event_signal(&c->ended);
}

static void read_later(
	struct loopback_cmd *c, struct loopback *lb, unsigned loop, uint8_t attr, unsigned *place)
{
	static uint8_t buf[8][512];

	io_init(&rig, c, lb, loop);
	io_blocks(c, OP_READ_16, 0, 1, buf[c->tag % 8], 512);
	c->attr = attr;
	c->done = count_end;
	c->arg = place;
	loopback_start(c);
	/* Also the gate of an ORDERED one is known everywhere: messages of messages. */
	for (unsigned i = 0; i < 4; i++)
		loops_barrier(rig.k.loops, NULL, NULL);
}

/* SAM-5 8.6.4: an ORDERED task comes after all older and before all younger SIMPLE ones. */
static void ordered(void **state)
{
	for (unsigned other = 0; other < 2; other++) {
		struct loopback_cmd c[5];
		unsigned at[5];

		begin("delay:ms=5|ram:1M", 3);
		nended = 0;
		read_later(&c[0], a, 0, TASK_ATTR_SIMPLE, &at[0]);
		read_later(&c[1], b, 1, TASK_ATTR_SIMPLE, &at[1]);
		read_later(&c[2], a, 0, TASK_ATTR_ORDERED, &at[2]);
		read_later(&c[3], other ? b : a, other, TASK_ATTR_SIMPLE, &at[3]);
		read_later(&c[4], b, 1, TASK_ATTR_HEAD_OF_QUEUE, &at[4]);
		for (unsigned i = 0; i < 5; i++)
			io_wait(&c[i]);
		assert_true(at[0] < at[2] && at[1] < at[2] && at[2] < at[3]);
		/* 8.6.2: HEAD OF QUEUE waits for nobody. */
		assert_true(at[4] < at[3]);
		end();
	}
}

/* Two of them, and nothing waits for ever. */
static void ordered_many(void **state)
{
	struct loopback_cmd c[40];
	unsigned at[40];

	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin("delay:ms=1|ram:1M", seed);
		nended = 0;
		for (unsigned i = 0; i < 40; i++)
			read_later(&c[i], i % 2 ? b : a, i / 2 % 2,
				i % 3 ? TASK_ATTR_SIMPLE : TASK_ATTR_ORDERED, &at[i]);
		for (unsigned i = 0; i < 40; i++)
			io_wait(&c[i]);
		end();
	}
}

/* An ORDERED task that is aborted while it waits keeps nobody back. */
static void ordered_aborted(void **state)
{
	struct loopback_cmd c[3];
	struct loopback_tmf t;
	struct lu_stats st;
	unsigned at[3];

	begin("delay:ms=50|ram:1M", 1);
	read_later(&c[0], b, 1, TASK_ATTR_SIMPLE, &at[0]);
	read_later(&c[1], a, 0, TASK_ATTR_ORDERED, &at[1]);
	read_later(&c[2], a, 0, TASK_ATTR_SIMPLE, &at[2]);
	assert_int_equal(tmf_run(&rig, &t, a, 0, TMF_ABORT_TASK, c[1].tag), TMF_FUNCTION_COMPLETE);
	assert_false(t.no_task);
	io_wait(&c[1]);
	assert_true(c[1].aborted);
	io_wait(&c[2]);
	io_good(&c[2]);
	io_wait(&c[0]);
	io_good(&c[0]);
	/* By now it is unknown, and both are counted. */
	assert_int_equal(tmf_run(&rig, &t, a, 0, TMF_ABORT_TASK, c[1].tag), TMF_FUNCTION_COMPLETE);
	assert_true(t.no_task);
	lu_get_stats(engine_next_lu(rig.eng, NULL), &st);
	assert_int_equal(st.abort_tasks, 1);
	assert_int_equal(st.abort_no_tasks, 1);
	end();
}

/* RFC 7143 4.2.3.3: what comes after a function from the same initiator is not among its tasks. */
static void sent_after_reset(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct loopback_tmf t = { .function = TMF_LOGICAL_UNIT_RESET };
		struct loopback_cmd c[2];
		unsigned at[2];

		begin("delay:ms=5|ram:1M", seed);
		read_later(&c[0], a, 0, TASK_ATTR_SIMPLE, &at[0]);
		t.lb = a;
		t.loop = rig_loop(&rig, 0);
		loopback_tmf_start(&t);
		read_later(&c[1], a, 0, TASK_ATTR_SIMPLE, &at[1]);
		assert_int_equal(loopback_tmf_wait(&t, RIG_WAIT_NS), 0);
		assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
		io_wait(&c[0]);
		assert_true(c[0].aborted);
		io_wait(&c[1]);
		assert_false(c[1].aborted);
		end();
	}
}

/* ---- aborts --------------------------------------------------------------------------------- */

/* What is sent under way of aborts: everything that holds memory at a disk. */
static void any_command(struct loopback_cmd *c, unsigned kind, uint8_t *buf)
{
	switch (kind % 6) {
	case 0:
		io_blocks(c, OP_READ_16, 0, 64, buf, 64 * 512);
		break;
	case 1:
		io_blocks(c, OP_WRITE_16, 8, 64, buf, 64 * 512);
		break;
	case 2:
		io_blocks(c, OP_VERIFY_16, 0, 128, NULL, 0);
		break;
	case 3:
		buf[0] = 1; /* a pattern */
		io_blocks(c, OP_WRITE_SAME_16, 200, 100, buf, 512);
		break;
	case 4:
		c->cdb[0] = OP_COMPARE_AND_WRITE;
		put_be64(c->cdb + 2, 300);
		c->cdb[13] = 2;
		c->out = buf;
		c->out_bytes = 4 * 512;
		break;
	default:
		c->cdb[0] = OP_SYNCHRONIZE_CACHE_16;
		break;
	}
}

enum { NCMDS = 24 };

static void abort_races(const char *spec, uint64_t seed, uint8_t function)
{
	static uint8_t buf[NCMDS][64 * 512];
	struct loopback_cmd c[NCMDS];
	struct loopback_tmf t;

	begin(spec, seed);
	for (unsigned i = 0; i < NCMDS; i++) {
		io_init(&rig, &c[i], i % 2 ? b : a, i / 2 % 2);
		any_command(&c[i], i + (unsigned)seed, buf[i]);
		c[i].attr = i % 5 == 0 ? TASK_ATTR_ORDERED : TASK_ATTR_SIMPLE;
		loopback_start(&c[i]);
	}
	sim_run(rig.k.loops, NULL, NULL, 20 + 9 * seed);
	tmf_run(&rig, &t, a, 0, function, c[seed % NCMDS].tag);
	assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
	for (unsigned i = 0; i < NCMDS; i++)
		io_wait(&c[i]);
	end();
}

static void abort_task(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++)
		abort_races("delay:ms=1|ram:1M", seed, TMF_ABORT_TASK);
}

static void lu_reset(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++)
		abort_races("delay:ms=1|ram:1M", seed, TMF_LOGICAL_UNIT_RESET);
}

static void clear_task_set(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++)
		abort_races("file:/disk,size=1M", seed, TMF_CLEAR_TASK_SET);
}

/* The loss of a nexus in the midst of its commands. */
static void nexus_loss(void **state)
{
	static uint8_t buf[NCMDS][64 * 512];
	struct loopback_cmd c[NCMDS];

	for (uint64_t seed = 1; seed <= 100; seed++) {
		begin(seed % 2 ? "delay:ms=1|ram:1M" : "file:/disk,size=1M", seed);
		for (unsigned i = 0; i < NCMDS; i++) {
			io_init(&rig, &c[i], i % 2 ? b : a, i / 2 % 2);
			any_command(&c[i], i + (unsigned)seed, buf[i]);
			c[i].attr = i % 7 == 0   ? TASK_ATTR_ORDERED
				    : i % 5 == 0 ? TASK_ATTR_HEAD_OF_QUEUE
						 : TASK_ATTR_SIMPLE;
			loopback_start(&c[i]);
		}
		sim_run(rig.k.loops, NULL, NULL, 20 + 5 * seed);
		loopback_close(a);
		assert_int_equal(loopback_closed(a, RIG_WAIT_NS), 0);
		for (unsigned i = 0; i < NCMDS; i++)
			io_wait(&c[i]);
		end();
	}
}

/* START STOP UNIT changes the LU with its flush done, and is then neither at a disk nor waiting. */
static void stop_racing_loss(void **state)
{
	struct loopback_cmd c;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		begin("file:/disk,size=1M", seed);
		io_init(&rig, &c, a, 0);
		c.cdb_len = 6;
		c.cdb[0] = OP_START_STOP_UNIT;
		loopback_start(&c);
		sim_run(rig.k.loops, NULL, NULL, seed);
		loopback_close(a);
		assert_int_equal(loopback_closed(a, RIG_WAIT_NS), 0);
		io_wait(&c);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordered),
		cmocka_unit_test(ordered_many),
		cmocka_unit_test(ordered_aborted),
		cmocka_unit_test(sent_after_reset),
		cmocka_unit_test(abort_task),
		cmocka_unit_test(lu_reset),
		cmocka_unit_test(clear_task_set),
		cmocka_unit_test(nexus_loss),
		cmocka_unit_test(stop_racing_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stuck_test.c: a disk that does not answer holds its own commands and nothing else. Sessions end,
 * the task set goes on, functions are answered as rejected, a newer write of the same blocks waits
 * and is then BUSY, the LU can be taken away; and when the disk comes back all is well.
 */
#include "engine/testkit.h"

static struct rig rig;
static struct loopback *a, *b;
static struct lu *lu;
static uint8_t buf[8 * 512];

/* Writes and flushes stick. */
static int setup(void **state)
{
	rig_init(&rig, LOOP_SIM, 2, 11);
	lu = rig_add(&rig, 0, "error:op=write,mode=stuck|ram:1M");
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
	memset(buf, 0xaa, sizeof(buf));
	return 0;
}

static int teardown(void **state)
{
	rig_set(lu, "mode", "off");
	if (a)
		rig_logout(a);
	if (b)
		rig_logout(b);
	rig_remove(&rig, 0);
	rig_done(&rig);
	return 0;
}

static void write_start(struct loopback_cmd *c, struct loopback *lb, unsigned loop, uint8_t attr)
{
	io_init(&rig, c, lb, loop);
	io_blocks(c, OP_WRITE_16, 0, 8, buf, sizeof(buf));
	c->attr = attr;
	loopback_start(c);
	loops_barrier(rig.k.loops, NULL, NULL);
	loops_barrier(rig.k.loops, NULL, NULL);
	assert_false(loopback_ended(c));
}

static void lose(struct loopback **lb)
{
	loopback_close(*lb);
	assert_int_equal(loopback_closed(*lb, NS_PER_S), 0);
	*lb = loopback_free(*lb);
}

static void session_ends(void **state)
{
	uint8_t back[512];
	struct loopback_cmd c, d;
	uint64_t start;

	write_start(&c, a, 0, TASK_ATTR_SIMPLE);
	lose(&a);
	assert_true(loopback_ended(&c) && c.aborted);
	/* Elsewhere all goes on. */
	io_read(&rig, b, 1, 64, 1, back);
	/* A command of the same blocks waits, and is BUSY at last: the old write may yet land. */
	start = sim_now_ns(rig.k.loops);
	io_init(&rig, &d, b, 1);
	io_blocks(&d, OP_WRITE_16, 4, 1, buf, 512);
	assert_int_equal(io_run(&d), STATUS_BUSY);
	assert_true(sim_now_ns(rig.k.loops) - start >= RANGE_WAIT_NS);
	/* And when it has landed, the newer one is the one that stays. */
	loopback_start(&d);
	loops_barrier(rig.k.loops, NULL, NULL);
	rig_set(lu, "mode", "off");
	io_wait(&d);
	io_good(&d);
	io_read(&rig, b, 1, 0, 1, back);
	assert_memory_equal(back, buf, 512);
}

/* A read that sticks changes nothing, so that it is in nobody's way. */
static void reads_hold_nothing(void **state)
{
	uint8_t back[512];
	struct loopback_cmd c;

	rig_set(lu, "op", "read");
	io_init(&rig, &c, a, 0);
	io_blocks(&c, OP_READ_16, 0, 8, buf, sizeof(buf));
	loopback_start(&c);
	loops_barrier(rig.k.loops, NULL, NULL);
	lose(&a);
	memset(back, 0x31, sizeof(back));
	assert_int_equal(io_write(&rig, b, 1, 0, 1, back), STATUS_GOOD);
}

static void function_rejected(void **state)
{
	struct loopback_cmd c;
	struct loopback_tmf t;
	uint64_t start = sim_now_ns(rig.k.loops);

	write_start(&c, a, 0, TASK_ATTR_SIMPLE);
	assert_int_equal(tmf_run(&rig, &t, b, 1, TMF_LOGICAL_UNIT_RESET, 0), TMF_FUNCTION_REJECTED);
	assert_true(t.stuck);
	assert_true(sim_now_ns(rig.k.loops) - start >= TMF_STUCK_NS);
	assert_false(loopback_ended(&c));
	rig_set(lu, "mode", "off");
	io_wait(&c);
	assert_true(c.aborted || c.status == STATUS_TASK_ABORTED);
}

/* Also when the initiator tried to abort the command first: its session ends all the same. */
static void abort_then_loss(void **state)
{
	struct loopback_cmd c;
	struct loopback_tmf t = { .lb = a, .loop = rig_loop(&rig, 0), .function = TMF_ABORT_TASK };

	write_start(&c, a, 0, TASK_ATTR_SIMPLE);
	t.ref_tag = c.tag;
	loopback_tmf_start(&t);
	loops_barrier(rig.k.loops, NULL, NULL);
	loops_barrier(rig.k.loops, NULL, NULL);
	lose(&a);
	assert_true(loopback_ended(&c) && c.aborted);
	/* Not "complete" while the write may still land. */
	assert_int_equal(loopback_tmf_wait(&t, RIG_WAIT_NS), 0);
	assert_int_equal(t.response, TMF_FUNCTION_REJECTED);
}

/* Who has left the task set keeps nobody back there, whatever its attribute. */
static void task_set_goes_on(void **state)
{
	static const uint8_t attrs[] = { TASK_ATTR_HEAD_OF_QUEUE, TASK_ATTR_ORDERED };
	struct loopback_cmd c, d;
	uint8_t back[512];

	for (unsigned i = 0; i < sizeof(attrs); i++) {
		write_start(&c, a, 1, attrs[i]);
		/* This one waits for it. */
		io_init(&rig, &d, b, 1);
		io_blocks(&d, OP_READ_16, 64, 1, back, 512);
		loopback_start(&d);
		loops_barrier(rig.k.loops, NULL, NULL);
		assert_false(loopback_ended(&d));
		lose(&a);
		if (loopback_wait(&d, NS_PER_S))
			fail_msg("attribute %u keeps others back", attrs[i]);
		io_good(&d);
		a = rig_login(&rig, "iqn.a", 0);
		io_settle(&rig, a, 0);
	}
}

/* An ORDERED one that waits for a task that is then left to its disk. */
static void ordered_behind(void **state)
{
	struct loopback_cmd c, d;
	uint8_t back[512];

	write_start(&c, a, 0, TASK_ATTR_SIMPLE);
	io_init(&rig, &d, b, 1);
	io_blocks(&d, OP_READ_16, 64, 1, back, 512);
	d.attr = TASK_ATTR_ORDERED;
	loopback_start(&d);
	loops_barrier(rig.k.loops, NULL, NULL);
	lose(&a);
	if (loopback_wait(&d, NS_PER_S))
		fail_msg("the ORDERED task waits for one that has left");
	io_good(&d);
}

static void lun_removed(void **state)
{
	struct loopback_cmd c, d;
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	write_start(&c, a, 0, TASK_ATTR_SIMPLE);
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	io_wait(&c);
	assert_int_equal(c.status, STATUS_TASK_ABORTED);
	io_tur(&rig, &d, a, 0); /* 3F/0E */
	io_sense(&d, SENSE_REPORTED_LUNS_DATA_HAS_CHANGED);
	io_tur(&rig, &d, a, 0);
	io_sense(&d, SENSE_LU_NOT_SUPPORTED);
	/* Shown again, to the same and to others. */
	assert_int_equal(port_lun_add(rig.port, 0, &pl, &err), 0);
	assert_int_equal(port_lun_link(pl, lu, "link", &err), 0);
	io_settle(&rig, a, 0);
}

/* TASK ABORTED comes without data: those that a disk may still fill are not for the initiator. */
static void read_aborted(void **state)
{
	struct loopback_cmd c;
	struct lu *file;

	file = rig_add(&rig, 1, "error:op=read,mode=stuck|file:/disk,size=1M");
	io_settle(&rig, a, 1);
	io_init(&rig, &c, a, 0);
	io_blocks(&c, OP_READ_16, 0, 8, buf, sizeof(buf));
	c.lun = 1;
	loopback_start(&c);
	loops_barrier(rig.k.loops, NULL, NULL);
	assert_ptr_equal(rig_unmap(&rig, 1), file);
	io_wait(&c);
	assert_int_equal(c.status, STATUS_TASK_ABORTED);
	assert_int_equal(c.in_moved, 0);
	rig_set(file, "mode", "off");
	assert_int_equal(lu_free(file, &(struct errmsg){ .text = "" }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(session_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_hold_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(function_rejected, setup, teardown),
		cmocka_unit_test_setup_teardown(abort_then_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(task_set_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(ordered_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(lun_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(read_aborted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exclude_test.c: a PERSISTENT RESERVE OUT is answered only when no command that it excludes can
 * reach the disk any more: writes that the disk has, data that come late, writes of lost sessions,
 * disks that do not answer; and what becomes of it when it is aborted itself in the middle.
 */
#include "engine/pr/three_testkit.h"

/* ---- what is excluded never lands ----------------------------------------------------------- */

static void write_start(struct loopback_cmd *w, struct loopback *lb, uint64_t lba, uint8_t mode)
{
	io_init(&rig, w, lb, lb == a ? 0 : lb == b ? 1 : 2);
	io_blocks(w, OP_WRITE_16, lba, 1, buf, 512);
	w->data_mode = mode;
	loopback_start(w);
	settle();
	assert_false(loopback_ended(w));
}

static void assert_not_written(uint64_t lba)
{
	uint8_t back[512], zero[512] = { 0 };

	io_read(&rig, a, 0, lba, 1, back);
	assert_memory_equal(back, zero, 512);
}

/* Its Data-Out comes after it was excluded: by RESERVE, by PREEMPT. */
static void late_data(void **state)
{
	struct loopback_cmd w, v;

	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	write_start(&w, c, 8, LOOPBACK_LATE);
	write_start(&v, b, 9, LOOPBACK_LATE);
	/* A slow initiator does not delay it. */
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	loopback_send_data(&w);
	io_wait(&w);
	assert_int_equal(w.status, STATUS_RESERVATION_CONFLICT);
	assert_int_equal(out(a, SA_PREEMPT, WE_RO, KEY_A, KEY_B), STATUS_GOOD);
	loopback_send_data(&v);
	io_wait(&v);
	assert_int_equal(v.status, STATUS_RESERVATION_CONFLICT);
	assert_not_written(8);
	assert_not_written(9);
}

static void begin_preemption(struct prout *p, uint8_t action)
{
	pr_register(&rig, a, 0, KEY_A);
	pr_register(&rig, b, 1, KEY_B);
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	prout_init(&rig, p, a, 0, action, WE_RO, KEY_A, KEY_B);
}

/* A write is at the disk already. */
static void preempt_waits(void **state)
{
	struct loopback_cmd w;
	struct prout p;
	uint8_t back[512];

	begin_preemption(&p, SA_PREEMPT);
	write_start(&w, b, 8, 0);
	loopback_start(&p.c);
	settle();
	assert_false(loopback_ended(&p.c));
	/* It is so already for whoever asks, only the answer waits. */
	assert_int_equal(pr_keys(&rig, c, 2), 1);
	assert_int_equal(write_at(b, 9), STATUS_CHECK_CONDITION); /* the unit attention */
	assert_int_equal(write_at(b, 9), STATUS_RESERVATION_CONFLICT);
	rig_set(lu, "mode", "off");
	io_wait(&p.c);
	io_good(&p.c);
	assert_true(loopback_ended(&w));
	io_good(&w);
	io_read(&rig, a, 0, 8, 1, back);
	assert_memory_equal(back, buf, 512);
}

/* Who reads under a write exclusive type is not excluded, and so not waited for. */
static void reads_are_left_alone(void **state)
{
	struct loopback_cmd r;
	uint8_t back[512];

	rig_set(lu, "op", "read");
	pr_register(&rig, a, 0, KEY_A);
	io_init(&rig, &r, b, 1);
	io_blocks(&r, OP_READ_16, 0, 1, back, 512);
	loopback_start(&r);
	settle();
	pr_reserve(&rig, a, 0, KEY_A, WE);
	assert_false(loopback_ended(&r));
	rig_set(lu, "mode", "off");
	io_wait(&r);
	io_good(&r);
}

static void stuck(void **state)
{
	uint64_t start = sim_now_ns(rig.k.loops);
	struct loopback_cmd w;
	struct prout p;

	begin_preemption(&p, SA_PREEMPT_AND_ABORT);
	write_start(&w, b, 8, 0);
	assert_int_equal(io_run(&p.c), STATUS_BUSY);
	assert_true(sim_now_ns(rig.k.loops) - start >= TMF_STUCK_NS);
	assert_false(loopback_ended(&w));
	/* The next one goes on; GOOD it is not while what is excluded may still reach the disk. */
	prout_init(&rig, &p, a, 0, SA_RESERVE, WE_RO, KEY_A, 0);
	assert_int_equal(io_run(&p.c), STATUS_BUSY);
	prout_init(&rig, &p, a, 0, SA_REGISTER, 0, KEY_A, KEY_C);
	loopback_start(&p.c);
	settle();
	assert_int_equal(pr_keys(&rig, c, 2), 1);
	assert_false(loopback_ended(&p.c) || loopback_ended(&w));
	rig_set(lu, "mode", "off");
	io_wait(&p.c);
	io_good(&p.c);
	assert_true(loopback_ended(&w));
	assert_int_equal(w.status, STATUS_TASK_ABORTED);
}

/* PREEMPT AND ABORT: what has not reached the disk ends at once and never does. */
static void preempt_and_abort(void **state)
{
	struct loopback_cmd late, held, mine;
	struct prout p;

	begin_preemption(&p, SA_PREEMPT_AND_ABORT);
	write_start(&late, b, 10, LOOPBACK_LATE);
	write_start(&mine, a, 11, LOOPBACK_LATE); /* not preempted */
	write_start(&held, b, 12, 0);
	loopback_start(&p.c);
	settle();
	assert_true(loopback_ended(&late));
	assert_int_equal(late.status, STATUS_TASK_ABORTED); /* TAS is 1 */
	assert_false(loopback_ended(&held) || loopback_ended(&p.c));
	rig_set(lu, "mode", "off");
	io_wait(&p.c);
	io_good(&p.c);
	assert_true(loopback_ended(&held));
	assert_int_equal(held.status, STATUS_TASK_ABORTED);
	ATTENTIONS(b, SENSE_REGISTRATIONS_PREEMPTED);
	loopback_send_data(&late);
	loopback_send_data(&mine);
	io_wait(&mine);
	io_good(&mine);
	assert_not_written(10);
}

static void clear_tas(struct lu_conf *conf, void *arg)
{
	conf->tas = false;
}

/* SAM-5 5.6: with TAS 0 there is no status, and the unit attention is that of the preemption. */
static void abort_without_status(void **state)
{
	struct loopback_cmd late;
	struct prout p;

	assert_int_equal(lu_change(lu, clear_tas, NULL), 0);
	begin_preemption(&p, SA_PREEMPT_AND_ABORT);
	write_start(&late, b, 10, LOOPBACK_LATE);
	io_run(&p.c);
	io_good(&p.c);
	io_wait(&late);
	assert_true(late.aborted);
	ATTENTIONS(b, SENSE_REGISTRATIONS_PREEMPTED);
}

/* One's own key: its other commands end without a status, the PERSISTENT RESERVE OUT does not. */
static void abort_own(void **state)
{
	struct loopback_cmd late;

	pr_register(&rig, a, 0, KEY_A);
	pr_reserve(&rig, a, 0, KEY_A, EA_AR);
	pr_register(&rig, b, 1, KEY_B);
	write_start(&late, a, 10, LOOPBACK_LATE);
	assert_int_equal(out(a, SA_PREEMPT_AND_ABORT, EA, KEY_A, KEY_A), STATUS_GOOD);
	io_wait(&late);
	assert_true(late.aborted);
}

/* The session of who is preempted is gone, but the disk still writes for it. */
static void orphans(void **state)
{
	static const uint8_t actions[] = { SA_PREEMPT, SA_PREEMPT_AND_ABORT };
	struct loopback_cmd w;
	struct prout p;

	for (unsigned i = 0; i < sizeof(actions); i++) {
		rig_set(lu, "mode", "stuck");
		begin_preemption(&p, actions[i]);
		write_start(&w, b, 8, 0);
		rig_logout(b);
		assert_true(loopback_ended(&w) && w.aborted);
		loopback_start(&p.c);
		settle();
		assert_false(loopback_ended(&p.c));
		rig_set(lu, "mode", "off");
		io_wait(&p.c);
		io_good(&p.c);
		assert_int_equal(out(a, SA_CLEAR, 0, KEY_A, 0), STATUS_GOOD);
		b = rig_login(&rig, "iqn.b", 1);
		io_settle(&rig, b, 0);
	}
}

/* Of a nexus that keeps its rights an orphan is no reason to wait. */
static void orphan_of_another(void **state)
{
	struct loopback_cmd w;
	struct prout p;

	begin_preemption(&p, SA_PREEMPT);
	pr_register(&rig, c, 2, KEY_C);
	write_start(&w, c, 8, 0);
	rig_logout(c);
	c = NULL;
	assert_int_equal(io_run(&p.c), STATUS_GOOD);
	rig_set(lu, "mode", "off");
}

/* ---- in the middle of it -------------------------------------------------------------------- */

static void loss_in_the_middle(void **state)
{
	struct loopback_cmd w;
	struct prout p;

	begin_preemption(&p, SA_PREEMPT);
	write_start(&w, b, 8, 0);
	loopback_start(&p.c);
	settle();
	/* The session ends at once, and what it began stays begun. */
	loopback_close(a);
	assert_int_equal(loopback_closed(a, NS_PER_S), 0);
	a = loopback_free(a);
	assert_true(loopback_ended(&p.c) && p.c.aborted);
	assert_int_equal(pr_keys(&rig, c, 2), 1);
	a = rig_login(&rig, "iqn.a", 0);
	rig_set(lu, "mode", "off");
	io_wait(&w);
	io_settle(&rig, a, 0);
	/* Its registration and its reservation are still its own. */
	assert_int_equal(write_at(a, 0), STATUS_GOOD);
	assert_int_equal(out(a, SA_RELEASE, WE_RO, KEY_A, 0), STATUS_GOOD);
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), RESERVATION_NONE);
}

/* What waits behind another one when its nexus is lost has not been. */
static void loss_in_the_queue(void **state)
{
	struct loopback_cmd w;
	struct prout p, q;

	begin_preemption(&p, SA_PREEMPT);
	pr_register(&rig, c, 2, KEY_C);
	write_start(&w, b, 8, 0);
	loopback_start(&p.c);
	settle();
	prout_init(&rig, &q, c, 2, SA_CLEAR, 0, KEY_C, 0);
	loopback_start(&q.c);
	settle();
	rig_logout(c);
	assert_true(loopback_ended(&q.c) && q.c.aborted);
	rig_set(lu, "mode", "off");
	io_wait(&p.c);
	io_good(&p.c);
	io_wait(&w);
	c = rig_login(&rig, "iqn.c", 2);
	io_settle(&rig, c, 0);
	assert_int_equal(pr_keys(&rig, c, 2), 2);
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), WE_RO);
}

static void reset_in_the_middle(void **state)
{
	struct loopback_tmf t = {
		.lb = c, .loop = rig_loop(&rig, 2), .function = TMF_LOGICAL_UNIT_RESET
	};
	struct loopback_cmd w;
	struct prout p, q;

	begin_preemption(&p, SA_PREEMPT);
	write_start(&w, b, 8, 0);
	loopback_start(&p.c);
	prout_init(&rig, &q, a, 0, SA_CLEAR, 0, KEY_A, 0);
	loopback_start(&q.c);
	settle();
	loopback_tmf_start(&t);
	settle();
	/* Both have ended; only the write is waited for. */
	assert_true(loopback_ended(&p.c) && loopback_ended(&q.c));
	assert_int_equal(p.c.status, STATUS_TASK_ABORTED);
	assert_int_equal(q.c.status, STATUS_TASK_ABORTED);
	rig_set(lu, "mode", "off");
	assert_int_equal(loopback_tmf_wait(&t, RIG_WAIT_NS), 0);
	assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
	io_wait(&w);
	/* The first one was done but for its answer, the second one never began. */
	io_settle(&rig, a, 0);
	assert_int_equal(pr_keys(&rig, a, 0), 1);
	assert_int_equal(pr_reserved(&rig, a, 0, NULL), WE_RO);
}

/* The LUN goes away while a change of its LU waits for the disk. */
static void unmapped_in_the_middle(void **state)
{
	struct loopback_cmd w;
	struct port_lun *pl;
	struct errmsg err;
	struct prout p;

	errmsg_init(&err);
	begin_preemption(&p, SA_PREEMPT);
	write_start(&w, b, 8, 0);
	loopback_start(&p.c);
	settle();
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	io_wait(&p.c);
	assert_int_equal(p.c.status, STATUS_TASK_ABORTED);
	rig_set(lu, "mode", "off");
	assert_int_equal(port_lun_add(rig.port, 0, &pl, &err), 0);
	assert_int_equal(port_lun_link(pl, lu, "link", &err), 0);
	io_settle(&rig, a, 0);
	/* Registrations are of the LU, not of the LUN. */
	assert_int_equal(pr_keys(&rig, a, 0), 1);
	assert_int_equal(write_at(a, 0), STATUS_GOOD);
}

#define T(test, set) cmocka_unit_test_setup_teardown(test, set, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(late_data, setup),
		T(preempt_waits, setup_stuck),
		T(reads_are_left_alone, setup_stuck),
		T(stuck, setup_stuck),
		T(preempt_and_abort, setup_stuck),
		T(abort_without_status, setup_stuck),
		T(abort_own, setup_stuck),
		T(orphans, setup_stuck),
		T(orphan_of_another, setup_stuck),
		T(loss_in_the_middle, setup_stuck),
		T(loss_in_the_queue, setup_stuck),
		T(reset_in_the_middle, setup_stuck),
		T(unmapped_in_the_middle, setup_stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

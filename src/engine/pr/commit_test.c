/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commit_test.c: what happens to a PERSISTENT RESERVE OUT while its state is on the way to stable
 * storage. Its nexus is lost, the LU is reset, another initiator sends RESERVE(6), its LUN goes
 * away: the state that is kept is the one in force in the end, whoever is told so.
 */
#include "engine/pr/three_testkit.h"

#include "engine/change.h"
#include "engine/pr/aptpl.h"

#define SERIAL "kept-1"

enum { SEEDS = 40 };

static struct prout reg; /* the one that is being committed */

static void start(uint64_t seed)
{
	struct lu_attribs attribs;
	struct backstore *bs;
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	rig_init(&rig, LOOP_SIM, NLOOPS, seed);
	if (engine_set_dbroot(rig.eng, "/db", &err))
		fail_msg("%s", err.text);
	bs = kit_open(&rig.k, "ram:1M");
	lu_attribs_default(&attribs, "ramdisk", bs);
	snprintf(attribs.unit_serial, sizeof(attribs.unit_serial), SERIAL);
	if (lu_new(rig.eng, "lu0", "ramdisk", bs, &attribs, &lu, &err) ||
		port_lun_add(rig.port, 0, &pl, &err) || port_lun_link(pl, lu, "link", &err))
		fail_msg("%s", err.text);
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	c = rig_login(&rig, "iqn.c", 2);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
	io_settle(&rig, c, 0);
	prout_init(&rig, &reg, a, 0, SA_REGISTER, 0, 0, KEY_A);
	reg.list[20] = PR_APTPL;
	loopback_start(&reg.c);
}

/* Go on until it is at the storage, if it is ever caught there. */
static bool catch_commit(void)
{
	while (!loopback_ended(&reg.c)) {
		const struct cmd *cmd = reg.c.cmd;

		if (cmd && cmd->change && cmd->change->state == STEP_COMMITTING)
			return true;
		loops_barrier(rig.k.loops, NULL, NULL);
	}
	return false;
}

/* What is in force is what is kept. */
static void end(uint32_t registered)
{
	struct pr_state *kept = NULL;
	struct errmsg err;

	errmsg_init(&err);
	while (atomic_load(&lu->holds))
		loops_barrier(rig.k.loops, NULL, NULL);
	assert_int_equal(pr_count(lu), registered);
	assert_int_equal(aptpl_load(rig.eng, SERIAL, &kept, &err), 0);
	assert_int_equal(kept ? kept->n : 0, registered);
	pr_state_free(kept);
	teardown(NULL);
}

static void each(void (*in_the_middle)(void), uint32_t registered)
{
	unsigned caught = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		start(seed);
		if (catch_commit()) {
			caught++;
			in_the_middle();
			end(registered);
		} else {
			io_good(&reg.c);
			end(1);
		}
	}
	assert_true(caught > SEEDS / 4);
}

static unsigned nearly; /* losses that did not wait for the storage */

/* The session ends whatever the storage does; the change is carried through. */
static void lose(void)
{
	loopback_close(a);
	while (!loopback_ended(&reg.c))
		loops_barrier(rig.k.loops, NULL, NULL);
	assert_true(reg.c.aborted);
	nearly += !list_empty(&lu->steps);
	assert_int_equal(loopback_closed(a, RIG_WAIT_NS), 0);
	loopback_free(a);
	a = rig_login(&rig, "iqn.a", 0);
	io_settle(&rig, a, 0);
}

static void nexus_lost(void **state)
{
	each(lose, 1);
	assert_true(nearly > 0);
}

/* Nobody is told of a reset while what it covers may still change the LU. */
static void reset(void)
{
	struct loopback_tmf t;

	tmf_run(&rig, &t, b, 1, TMF_LOGICAL_UNIT_RESET, 0);
	assert_int_equal(t.response, TMF_FUNCTION_COMPLETE);
	assert_true(loopback_ended(&reg.c));
	assert_int_equal(reg.c.status, STATUS_TASK_ABORTED);
	assert_int_equal(pr_count(lu), 1);
}

static void lu_reset(void **state)
{
	each(reset, 1);
}

/* SPC-4 5.12.3: there is no moment in which both kinds of reservation can be had. */
static void reserve6(void)
{
	uint8_t status = six(b, OP_RESERVE_6, 0);

	assert_int_equal(
		status, loopback_ended(&reg.c) ? STATUS_RESERVATION_CONFLICT : STATUS_BUSY);
	io_wait(&reg.c);
	io_good(&reg.c);
	assert_int_equal(six(b, OP_RESERVE_6, 0), STATUS_RESERVATION_CONFLICT);
	assert_null(atomic_load(&lu->reserve6));
}

static void reserve6_meanwhile(void **state)
{
	each(reserve6, 1);
}

static void unmap(void)
{
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	assert_true(loopback_ended(&reg.c));
	while (atomic_load(&lu->holds))
		loops_barrier(rig.k.loops, NULL, NULL);
	assert_int_equal(port_lun_add(rig.port, 0, &pl, &err), 0);
	assert_int_equal(port_lun_link(pl, lu, "link", &err), 0);
}

static void unmapped(void **state)
{
	each(unmap, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nexus_lost),
		cmocka_unit_test(lu_reset),
		cmocka_unit_test(reserve6_meanwhile),
		cmocka_unit_test(unmapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_recover_test.c: ErrorRecoveryLevel 2 in the simulator, over many seeds (RFC 7143 7.2, 8.2,
 * 6.3.4, 6.3.6): connections on two loops lose their transport at any time; the initiator logs them
 * out for recovery or reinstates them, has its tasks reassigned, sends again what the target never
 * got, and goes on.
 */
#include <stdlib.h>

#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/sim_recover_testkit.h"

static unsigned times = 1; /* as many seeds as that */

/*
 * 7.2.1, 11.14: a connection is lost, another one logs it out for recovery and takes its tasks;
 * then the lost one is replaced by one with a new CID.
 */
static void explicit_logout(void **state)
{
	uint64_t reassigned = 0, retried = 0, rewound = 0, midway = 0, twice = 0;

	for (unsigned s = 0; s < 96 * times; s++) {
		begin(s, 2 + s % 3);
		for (unsigned round = 0; round < 6; round++) {
			struct rconn *c;

			work(6);
			c = ini.torn = some_conn();
			work(6);
			pump(pick(60));
			lose(c);
			ini.torn = NULL;
			if (pick(2))
				pump(pick(100));
			logout_wait(some_conn(), c->cid);
			recover_tasks();
			if (pick(2))
				login(c, ini.next_cid++, ini.tsih);
			else
				login(c, c->cid, ini.tsih);
			if (pick(2))
				pump_until(idle());
		}
		for (unsigned i = 0; i < TASKS; i++)
			twice += ini.tasks[i].moves > 1;
		finish();
		reassigned += ini.reassigned;
		retried += ini.retried;
		rewound += ini.rewound;
		midway += ini.midway;
	}
	if (reassigned < 500 || retried < 100 || rewound < 5 || midway < 100 || twice < 5)
		fail_msg("%u reassigned, %u sent again, %u rewound, %u midway, %u twice",
			(unsigned)reassigned, (unsigned)retried, (unsigned)rewound,
			(unsigned)midway, (unsigned)twice);
}

static void lose_all(void)
{
	for (unsigned i = 0; i < CONNS; i++)
		if (ini.conns[i].up)
			lose(&ini.conns[i]);
}

static struct sess *the_session(void)
{
	struct sess *sess = list_first(&ini.t.tpg->sessions, struct sess, tpg_link);

	assert_non_null(sess);
	return sess;
}

/* All connections of the session on that loop fail at one moment. */
static void fail_all(struct loop *loop, void *arg)
{
	struct conn *conn, *tmp;

	list_for_each_safe (conn, tmp, &the_session()->conns, struct conn, sess_link)
		if (conn->loop == loop)
			conn_close(conn, "of the test");
}

static void do_nothing(struct loop *loop, void *arg)
{
}

static void on_each_loop(void (*fn)(struct loop *loop, void *arg))
{
	struct loops *loops = ini.t.rig.k.loops;

	for (unsigned i = 0; i < loops_count(loops); i++)
		loops_call(loops, loops_get(loops, i), fn, NULL);
}

/*
 * Connections that failed are kept up to a number (RECOVER_CONNS_MORE), also when several of them
 * fail at one moment; the oldest give way.
 */
static void kept_at_most(void **state)
{
	for (unsigned s = 0; s < 12 * times; s++) {
		uint32_t most, seen = 0;

		begin_with(s, CONNS, "ram:256k", 60);
		most = 2 * the_session()->params.max_connections + RECOVER_CONNS_MORE;
		for (unsigned round = 0; round < 10; round++) {
			on_each_loop(fail_all);
			/* Those that give way do so now, before any time has passed. */
			on_each_loop(do_nothing);
			assert_in_range(the_session()->nfailed, 0, most);
			lose_all();
			seen = the_session()->nfailed > seen ? the_session()->nfailed : seen;
			for (unsigned i = 0; i < CONNS; i++)
				login(&ini.conns[i], ini.next_cid++, ini.tsih);
		}
		assert_int_equal(seen, most);
		end();
	}
}

/* Each connection that was lost is reinstated, or logged out by another that is there. */
static void restore(void)
{
	for (unsigned i = 0; i < CONNS; i++) {
		struct rconn *c = &ini.conns[i];

		if (c->up || !c->used)
			continue;
		if (!some_conn() && pick(2)) {
			/* 6.3.6: a connection with a new CID continues the session. */
			uint16_t old = c->cid;

			login(c, ini.next_cid++, ini.tsih);
			logout_wait(c, old);
		} else if (!some_conn() || pick(2)) {
			login(c, c->cid, ini.tsih);
		} else {
			logout_wait(some_conn(), c->cid);
			login(c, c->cid, ini.tsih);
		}
	}
}

/*
 * 6.3.4, 6.3.6: some connections or all of them are lost; the session waits for its initiator, who
 * comes back with the same CIDs or others.
 */
static void continued(void **state)
{
	uint64_t reassigned = 0, midway = 0;

	for (unsigned s = 0; s < 96 * times; s++) {
		begin(s, 1 + s % 4);
		for (unsigned round = 0; round < 6; round++) {
			work(6);
			ini.torn = some_conn();
			work(6);
			pump(pick(60));
			if (pick(2))
				lose_all();
			else
				lose(ini.torn);
			ini.torn = NULL;
			if (some_conn() && pick(2))
				pump(pick(100));
			restore();
			recover_tasks();
			if (pick(2))
				pump_until(idle());
		}
		finish();
		reassigned += ini.reassigned;
		midway += ini.midway;
	}
	assert_true(reassigned > 300 && midway > 50);
}

/* 11.14: a connection removes itself; what its tasks come to is told elsewhere. */
static void removes_itself(void **state)
{
	uint64_t reassigned = 0;

	for (unsigned s = 0; s < 48 * times; s++) {
		struct rconn *c;

		begin(s, 2 + s % 3);
		for (unsigned round = 0; round < 4; round++) {
			c = ini.torn = some_conn();
			work(12);
			logout_wait(c, c->cid);
			/* 11.15: nothing comes after the response. */
			pump_until(c->fd < 0);
			lost_tasks(c);
			ini.torn = NULL;
			recover_tasks();
			login(c, c->cid, ini.tsih);
			if (pick(2))
				pump_until(idle());
		}
		finish();
		reassigned += ini.reassigned;
	}
	assert_true(reassigned > 48);
}

/* A write whose data are awaited, at this connection. */
static struct rtask *hanging_write(struct rconn *c)
{
	struct rtask *k;

	ini.immediate = false;
	ini.initial_r2t = true;
	ini.never = c;
	k = start(c, true, 8, 64);
	assert_non_null(k);
	pump_until(k->r2tsn > 0);
	return k;
}

static int tmf_wait(struct rconn *c, uint8_t function, uint32_t itt, uint32_t cmdsn)
{
	send_tmf(c, function, itt, cmdsn);
	pump_until(ini.tmf_response >= 0);
	return ini.tmf_response;
}

static int reassign_wait(struct rconn *c, uint32_t itt)
{
	return tmf_wait(c, ISCSI_TMF_TASK_REASSIGN, itt, 0);
}

/* 11.6.1: what a reassignment is answered that cannot be; 11.15.1: the same of a logout. */
static void refused(void **state)
{
	for (unsigned s = 0; s < 8 * times; s++) {
		struct rconn *a = &ini.conns[0], *b = &ini.conns[1];
		struct rtask *k;

		begin(4 * s, 2);
		k = hanging_write(b);
		assert_int_equal(reassign_wait(a, 0x7777), ISCSI_TMF_TASK_DOES_NOT_EXIST);
		/* Its connection lives; also its own one. */
		assert_int_equal(reassign_wait(a, k->itt), ISCSI_TMF_TASK_STILL_ALLEGIANT);
		assert_int_equal(reassign_wait(b, k->itt), ISCSI_TMF_TASK_STILL_ALLEGIANT);
		lose(b);
		/* 7.2.2: no logout for recovery has been. */
		assert_int_equal(reassign_wait(a, k->itt), ISCSI_TMF_TASK_STILL_ALLEGIANT);
		send_logout(a, ISCSI_LOGOUT_REMOVE_FOR_RECOVERY, 77);
		pump_until(ini.logout_response >= 0);
		assert_int_equal(ini.logout_response, ISCSI_LOGOUT_CID_NOT_FOUND);
		logout_wait(a, b->cid);
		ini.never = NULL;
		recover_tasks();
		finish();
	}
}

/* 11.14, reason 1, of a connection that is lost: its tasks end, and nothing is kept. */
static void closed_by_another(void **state)
{
	for (unsigned s = 0; s < 16 * times; s++) {
		struct rconn *a = &ini.conns[0], *b = &ini.conns[1];
		struct rtask *k;

		begin(s, 2);
		k = hanging_write(b);
		lose(b);
		if (s % 3)
			pump(20);
		send_logout(a, ISCSI_LOGOUT_CLOSE_CONNECTION, b->cid);
		pump_until(ini.logout_response >= 0);
		assert_int_equal(ini.logout_response, ISCSI_LOGOUT_SUCCESS);
		assert_int_equal(ini.logout_retain, 0);
		assert_int_equal(reassign_wait(a, k->itt), ISCSI_TMF_TASK_DOES_NOT_EXIST);
		k->active = false;
		finish();
	}
}

static void wait_ns(uint64_t ns)
{
	uint64_t until = sim_now_ns(ini.t.rig.k.loops) + ns;

	/* When nothing is to happen any more, time stands still. */
	for (unsigned i = 0; i < 2000 && sim_now_ns(ini.t.rig.k.loops) < until; i++)
		pump(1);
}

/* 13.15, 13.16: after Time2Wait + Time2Retain tasks are gone, and sessions without connections. */
static void time_is_up(void **state)
{
	for (unsigned s = 0; s < 16 * times; s++) {
		struct rconn *a = &ini.conns[0], *b = &ini.conns[1];
		struct rtask *k;

		begin_with(s, 2, "ram:256k", 3);
		k = hanging_write(b);
		lose(b);
		if (s % 2)
			logout_wait(a, b->cid);
		wait_ns(20000000000);
		assert_int_equal(reassign_wait(a, k->itt), ISCSI_TMF_TASK_DOES_NOT_EXIST);
		k->active = false;
		lose(a);
		wait_ns(20000000000);
		login_send(a, 0, ini.tsih);
		pump_until(a->up || a->refused);
		assert_true(a->refused);
		sim_close(ini.t.rig.k.loops, a->fd, false);
		a->fd = -1;
		login(a, 0, 0);
		while (ini.attention < 2) {
			k = start(a, false, 0, 0);
			pump_until(!k->active);
		}
		ini.never = NULL;
		finish();
	}
}

/* Tasks that went to another loop are aborted, one by one or all at once. */
static void aborted_abroad(void **state)
{
	static const uint8_t functions[] = { ISCSI_TMF_ABORT_TASK, ISCSI_TMF_ABORT_TASK_SET,
		ISCSI_TMF_LOGICAL_UNIT_RESET };

	for (unsigned s = 0; s < 24 * times; s++) {
		struct rconn *a = &ini.conns[0], *b = &ini.conns[1];
		struct rtask *k;
		uint32_t r2tsn;

		begin(s, 2);
		k = hanging_write(b);
		lose(b);
		logout_wait(a, b->cid);
		ini.never = a;
		r2tsn = k->r2tsn;
		recover_tasks();
		pump_until(k->r2tsn > r2tsn);
		assert_int_equal(tmf_wait(a, functions[s % 3], k->itt, k->cmdsn),
			ISCSI_TMF_FUNCTION_COMPLETE);
		k->active = false;
		ini.never = NULL;
		finish();
	}
}

/* The target is taken away with lost connections, tasks on their way and tasks abroad. */
static void taken_away(void **state)
{
	for (unsigned s = 0; s < 64 * times; s++) {
		begin(s, 2 + s % 3);
		for (unsigned round = 0; round < 2; round++) {
			struct rconn *c = ini.torn = some_conn();

			work(8);
			pump(pick(40));
			lose(c);
			logout_wait(some_conn(), c->cid);
			recover_tasks();
			pump(pick(30));
			login(c, c->cid, ini.tsih);
			ini.torn = NULL;
			work(4);
		}
		if (s % 2)
			lose(some_conn());
		pump(pick(30));
		end();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explicit_logout),
		cmocka_unit_test(continued),
		cmocka_unit_test(kept_at_most),
		cmocka_unit_test(removes_itself),
		cmocka_unit_test(refused),
		cmocka_unit_test(closed_by_another),
		cmocka_unit_test(time_is_up),
		cmocka_unit_test(aborted_abroad),
		cmocka_unit_test(taken_away),
	};

	if (argc > 1)
		times = (unsigned)atoi(argv[1]);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

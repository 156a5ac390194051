/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the simulator itself: a seed is a run, time jumps, and peers can stall, close, reset.
 * That its loops behave as loops is the business of the tests over all implementations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "loop/testlib.h"

/* ---- a seed is a run ---------------------------------------------------------------------- */

enum { NMSGS = 4, NFILEOPS = 20, NWORK = 6 };

/* A bit of everything, and what happened in which order. */
struct mess {
	struct env *e;
	struct loop_msg msgs[NMSGS];
	struct loop_timer timers[NMSGS];
	struct call ops[NFILEOPS], works[NWORK];
	struct loop_op recv;
	char data[NFILEOPS];
	struct iovec iov[NFILEOPS];
	unsigned n, hops;
	uint32_t trace;
};

static struct mess *the_mess;

static void note(struct mess *m, unsigned what)
{
	uint64_t v[3] = { m->trace, what, sim_now_ns(m->e->loops) };

	m->trace = crc32c(v, sizeof(v));
	m->n++;
}

static void mess_msg(struct loop *loop, struct loop_msg *msg)
{
	struct mess *m = the_mess;

	note(m, 100 + (unsigned)(msg - m->msgs) * 10 + loop_index(loop));
	if (m->hops++ < 100)
		loop_post(loops_get(m->e->loops, m->hops % TEST_LOOPS), msg);
}

static void mess_timer(struct loop_timer *t)
{
	note(the_mess, 200 + (unsigned)(t - the_mess->timers));
}

static void mess_op(struct loop_op *op, int res)
{
	struct call *c = container_of(op, struct call, op);

	note(the_mess, 300 + c->len + (unsigned)res);
}

static int mess_work(void *arg)
{
	note(the_mess, 400);
	return (int)(uintptr_t)arg;
}

static void mess_start(struct loop *loop, void *arg)
{
	struct mess *m = arg;

	for (unsigned i = 0; i < NMSGS; i++) {
		m->msgs[i].fn = mess_msg;
		loop_post(loop, &m->msgs[i]);
		m->timers[i].fire = mess_timer;
		loop_timer_arm(loop, &m->timers[i], (i + 1) * 10 * NS_PER_US);
	}
	for (unsigned i = 0; i < NFILEOPS; i++) {
		struct call *c = &m->ops[i];

		m->iov[i] = (struct iovec){ &m->data[i], 1 };
		c->op.done = mess_op;
		c->len = i;
		loop_write(loop, &c->op, m->ops[0].fd, &m->iov[i], 1, i, 0);
	}
	for (unsigned i = 0; i < NWORK; i++) {
		m->works[i].op.done = mess_op;
		m->works[i].len = 50 + i;
		loop_work(loop, &m->works[i].op, mess_work, (void *)(uintptr_t)i);
	}
}

static struct env *sim_env(uint64_t seed)
{
	struct loops_config cfg = { .kind = LOOP_SIM,
		.nloops = TEST_LOOPS,
		.sim_seed = seed,
		.page_limit_bytes = 1 << 20 };
	struct env *e = calloc(1, sizeof(*e));

	e->kind = LOOP_SIM;
	assert_int_equal(loops_new(&cfg, &e->loops, NULL), 0);
	return e;
}

static uint32_t mess_run(uint64_t seed)
{
	struct sim_faults f = { .reorder = 500, .io_error = 100, .delay_max_us = 3000 };
	struct env *e = sim_env(seed);
	struct mess *m = calloc(1, sizeof(*m));
	void *state = e;
	uint32_t trace;

	m->e = e;
	the_mess = m;
	sim_set_faults(e->loops, &f);
	m->ops[0].fd = loops_open(e->loops, "/f", O_RDWR | O_CREAT, 0600);
	loops_call(e->loops, loops_get(e->loops, 0), mess_start, m);
	assert_false(sim_run(e->loops, NULL, NULL, 100000));
	assert_true(m->n >= 100 + NMSGS + NFILEOPS + 2 * NWORK);
	trace = m->trace;
	free(m);
	env_free(&state);
	return trace;
}

static void test_seeds(void **state)
{
	uint32_t traces[20];

	for (unsigned i = 0; i < 20; i++) {
		traces[i] = mess_run(i);
		assert_int_equal(traces[i], mess_run(i));
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(traces[i], traces[k]);
	}
}

/* ---- time --------------------------------------------------------------------------------- */

struct alarm {
	struct loop_timer t;
	bool rang;
};

static void alarm_fire(struct loop_timer *t)
{
	container_of(t, struct alarm, t)->rang = true;
}

static void alarm_start(struct loop *loop, void *arg)
{
	loop_timer_arm(loop, arg, 365 * 86400 * NS_PER_S);
}

static bool alarm_rang(void *arg)
{
	return ((struct alarm *)arg)->rang;
}

static void test_time_jumps(void **state)
{
	struct env *e = sim_env(1);
	struct alarm a = { .t.fire = alarm_fire };
	uint64_t start = sim_now_ns(e->loops);
	struct loop_event never;
	void *s = e;

	loops_call(e->loops, loops_get(e->loops, 1), alarm_start, &a.t);
	loop_event_init(&never, e->loops);
	assert_int_equal(loop_event_wait(&never, 100 * 86400 * NS_PER_S), -ETIMEDOUT);
	assert_false(a.rang);
	assert_in_range(
		sim_now_ns(e->loops) - start, 100 * 86400 * NS_PER_S, 101 * 86400 * NS_PER_S);
	assert_true(sim_run(e->loops, alarm_rang, &a, 100));
	assert_in_range(
		sim_now_ns(e->loops) - start, 365 * 86400 * NS_PER_S, 366 * 86400 * NS_PER_S);
	/* nothing can happen any more */
	assert_false(sim_run(e->loops, NULL, NULL, UINT64_MAX));
	assert_int_equal(loop_event_wait(&never, UINT64_MAX), -ETIMEDOUT);
	env_free(&s);
}

/* ---- peers -------------------------------------------------------------------------------- */

static void test_peer_stall(void **state)
{
	enum { N = 1 << 20 };
	uint8_t *out = malloc(N), *in = malloc(N);

	fill(out, N, 9);
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct env *e = sim_env(seed);
		struct conn c = conn_new(e);
		struct iovec iov = { out, N };
		struct call s = { .start = start_send, .fd = c.fd, .iov = &iov, .niov = 1 };
		void *st = e;

		sim_stall(e->loops, c.peer, true);
		call_start(e, 0, &s);
		assert_false(sim_run(e->loops, NULL, NULL, 1000));
		assert_true(loop_op_busy(&s.op));
		sim_stall(e->loops, c.peer, false);
		assert_int_equal(call_wait(&s), N);
		peer_recv(e, c.peer, in, N);
		assert_memory_equal(in, out, N);
		conn_free(e, &c, 0);
		env_free(&st);
	}
	free(in);
	free(out);
}

static void test_peer_reset(void **state)
{
	unsigned got = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		struct env *e = sim_env(seed);
		struct conn c = conn_new(e);
		char in[2];
		struct iovec iov = { in, 1 };
		struct call r = { .start = start_recv, .fd = c.fd, .iov = &iov, .niov = 1 };
		void *st = e;

		call_start(e, 0, &r);
		peer_send(e, c.peer, "x", 1);
		sim_close(e->loops, c.peer, true);
		c.peer = -1;
		/* what was sent may have arrived before the reset */
		if (call_wait(&r) == 1) {
			got++;
			iov = (struct iovec){ in, 1 };
			call_run(e, 0, &r);
		}
		assert_int_equal(r.res, -ECONNRESET);
		iov = (struct iovec){ in, 1 };
		r.start = start_send;
		assert_true(call_run(e, 0, &r) < 0);
		conn_free(e, &c, 0);
		env_free(&st);
	}
	assert_in_range(got, 5, 55);
}

/* What the target sent before it closed arrives, and then the end. */
static void test_target_closes(void **state)
{
	struct env *e = sim_env(4);
	struct conn c = conn_new(e);
	char byte = 'b', in[2];
	struct iovec iov = { &byte, 1 };
	struct call s = { .start = start_send, .fd = c.fd, .iov = &iov, .niov = 1 };
	struct acceptor a;
	void *st = e;
	int fd;

	assert_int_equal(call_run(e, 0, &s), 1);
	fd_close(e, 0, c.fd);
	assert_int_equal(sim_recv(e->loops, c.peer, in, 2), 1);
	assert_int_equal(sim_recv(e->loops, c.peer, in, 2), -EPIPE);
	assert_int_equal(sim_send(e->loops, c.peer, "x", 1), -EPIPE);
	sim_close(e->loops, c.peer, false);
	/* a connection that is never accepted */
	acceptor_listen(e, &a, 1);
	fd = peer_connect(e, &a.addr);
	fd_close(e, 0, a.fd);
	assert_int_equal(sim_recv(e->loops, fd, in, 2), -EPIPE);
	sim_close(e->loops, fd, true);
	assert_int_equal(
		sim_connect(e->loops, (struct sockaddr *)&a.addr, sizeof(a.addr)), -ECONNREFUSED);
	env_free(&st);
}

/* ---- files -------------------------------------------------------------------------------- */

/* Writes to one place land in order unless reordering was asked for; then not always. */
static void test_file_order(void **state)
{
	unsigned swapped[2] = { 0, 0 };

	for (unsigned reorder = 0; reorder < 2; reorder++) {
		for (uint64_t seed = 0; seed < 100; seed++) {
			struct sim_faults f = { .reorder = reorder * 500 };
			struct env *e = sim_env(seed);
			char a = 'a', b = 'b', in = 0;
			struct iovec ia = { &a, 1 }, ib = { &b, 1 };
			struct call ca = { .start = start_write, .iov = &ia, .niov = 1 };
			struct call cb = { .start = start_write, .iov = &ib, .niov = 1 };
			void *st = e;

			sim_set_faults(e->loops, &f);
			ca.fd = cb.fd = loops_open(e->loops, "/f", O_RDWR | O_CREAT, 0600);
			call_start(e, 0, &ca);
			call_start(e, 0, &cb);
			assert_int_equal(call_wait(&ca), 1);
			assert_int_equal(call_wait(&cb), 1);
			assert_int_equal(loops_pread(e->loops, ca.fd, &in, 1, 0), 1);
			swapped[reorder] += in == 'a';
			loops_close(e->loops, ca.fd);
			env_free(&st);
		}
	}
	assert_int_equal(swapped[0], 0);
	assert_in_range(swapped[1], 1, 99);
}

/* A cancelled file operation was done or was not, and says which. */
static void test_file_cancel(void **state)
{
	unsigned done = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct env *e = sim_env(seed);
		char a = 'a', in = 0;
		struct iovec ia = { &a, 1 };
		struct call c = { .start = start_write, .iov = &ia, .niov = 1 };
		void *st = e;
		int64_t n;

		c.fd = loops_open(e->loops, "/f", O_RDWR | O_CREAT, 0600);
		call_start(e, 0, &c);
		call_cancel(e, 0, &c);
		assert_true(call_wait(&c) == 1 || c.res == -ECANCELED);
		n = loops_pread(e->loops, c.fd, &in, 1, 0);
		assert_int_equal(n, c.res == 1);
		done += c.res == 1;
		loops_close(e->loops, c.fd);
		env_free(&st);
	}
	assert_in_range(done, 10, 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_time_jumps),
		cmocka_unit_test(test_peer_stall),
		cmocka_unit_test(test_peer_reset),
		cmocka_unit_test(test_target_closes),
		cmocka_unit_test(test_file_order),
		cmocka_unit_test(test_file_cancel),
	};

	return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}

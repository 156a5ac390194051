/* SPDX-License-Identifier: BSD-3-Clause */
/* poller_test.c: descriptors, timers and messages of the control thread's loop. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "control/poller.h"

struct world {
	struct poller *p;
	int a[2], b[2];
	unsigned calls, fired;
	struct poller_timer t1, t2;
	struct poller_msg msg;
	char order[8];
	unsigned norder;
};

static struct world w;

static int setup(void **state)
{
	w = (struct world){ 0 };
	assert_int_equal(poller_new(&w.p), 0);
	assert_int_equal(pipe(w.a), 0);
	assert_int_equal(pipe(w.b), 0);
	return 0;
}

static int teardown(void **state)
{
	assert_null(poller_free(w.p));
	for (int i = 0; i < 2; i++) {
		close(w.a[i]);
		close(w.b[i]);
	}
	return 0;
}

static void on_byte(void *arg, int fd, short revents)
{
	char c;

	assert_ptr_equal(arg, &w);
	assert_true(revents & POLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	w.calls++;
}

static void descriptors(void **state)
{
	assert_int_equal(poller_add(w.p, w.a[0], POLLIN, on_byte, &w), 0);
	assert_int_equal(poller_add(w.p, w.b[0], POLLIN, on_byte, &w), 0);
	assert_int_equal(poller_step(w.p, 0), 0);
	assert_int_equal(w.calls, 0);
	assert_int_equal(write(w.a[1], "xy", 2), 2);
	assert_int_equal(write(w.b[1], "z", 1), 1);
	assert_int_equal(poller_step(w.p, -1), 0);
	assert_int_equal(w.calls, 2);
	poller_want(w.p, w.a[0], 0);
	assert_int_equal(poller_step(w.p, 0), 0);
	assert_int_equal(w.calls, 2);
	poller_want(w.p, w.a[0], POLLIN);
	poller_del(w.p, w.b[0]);
	poller_del(w.p, w.b[0]);
	assert_int_equal(write(w.b[1], "z", 1), 1);
	assert_int_equal(poller_step(w.p, -1), 0);
	assert_int_equal(w.calls, 3);
}

/* The first to be called deletes the other, which is ready too and must not be called. */
static void delete_other(void *arg, int fd, short revents)
{
	w.calls++;
	poller_del(w.p, w.a[0]);
	poller_del(w.p, w.b[0]);
}

static void delete_inside(void **state)
{
	assert_int_equal(poller_add(w.p, w.a[0], POLLIN, delete_other, &w), 0);
	assert_int_equal(poller_add(w.p, w.b[0], POLLIN, delete_other, &w), 0);
	assert_int_equal(write(w.a[1], "x", 1), 1);
	assert_int_equal(write(w.b[1], "x", 1), 1);
	assert_int_equal(poller_step(w.p, -1), 0);
	assert_int_equal(w.calls, 1);
	assert_int_equal(poller_step(w.p, 0), 0);
	assert_int_equal(w.calls, 1);
	assert_int_equal(poller_add(w.p, w.b[0], POLLIN, on_byte, &w), 0);
	assert_int_equal(poller_step(w.p, -1), 0);
	assert_int_equal(w.calls, 2);
}

static void fire1(struct poller_timer *t)
{
	w.order[w.norder++] = '1';
	poller_stop(w.p);
}

static void fire2(struct poller_timer *t)
{
	w.order[w.norder++] = '2';
}

static void timers(void **state)
{
	uint64_t start = clock_now_ns();

	poller_timer_init(&w.t1, fire1);
	poller_timer_init(&w.t2, fire2);
	poller_timer_disarm(&w.t1);
	poller_timer_arm(w.p, &w.t1, 20 * NS_PER_MS);
	poller_timer_arm(w.p, &w.t2, 50 * NS_PER_MS);
	poller_timer_arm(w.p, &w.t2, 5 * NS_PER_MS); /* rearmed: once, earlier */
	assert_int_equal(poller_run(w.p), 0);
	assert_string_equal(w.order, "21");
	assert_true(clock_now_ns() - start >= 20 * NS_PER_MS);
	poller_timer_arm(w.p, &w.t1, 0);
	poller_timer_disarm(&w.t1);
	assert_int_equal(poller_step(w.p, 0), 0);
	assert_string_equal(w.order, "21");
}

static void on_msg(struct poller_msg *msg)
{
	w.calls++;
	poller_stop(w.p);
}

static void *other_thread(void *arg)
{
	poller_post(w.p, &w.msg);
	return NULL;
}

static void messages(void **state)
{
	pthread_t th;

	w.msg.fn = on_msg;
	poller_post(w.p, &w.msg);
	poller_post(w.p, &w.msg);
	assert_int_equal(poller_step(w.p, 0), 0);
	assert_int_equal(w.calls, 1);
	assert_int_equal(pthread_create(&th, NULL, other_thread, NULL), 0);
	assert_int_equal(poller_run(w.p), 0);
	assert_int_equal(pthread_join(th, NULL), 0);
	assert_int_equal(w.calls, 2);
}

static int turns; /* 1: the turn is ours */

static void leave(void *arg)
{
	assert_ptr_equal(arg, &turns);
	assert_int_equal(turns--, 1);
}

static void enter(void *arg)
{
	assert_int_equal(turns++, 0);
}

static void on_msg_in_turn(struct poller_msg *msg)
{
	assert_int_equal(turns, 1);
	w.calls++;
}

static void turn(void **state)
{
	turns = 1;
	poller_set_turn(w.p, leave, enter, &turns);
	w.msg.fn = on_msg_in_turn;
	poller_post(w.p, &w.msg);
	assert_int_equal(poller_step(w.p, 0), 0);
	assert_int_equal(w.calls, 1);
	assert_int_equal(turns, 1);
}

#define with_world(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(descriptors),
		with_world(delete_inside),
		with_world(timers),
		with_world(messages),
		with_world(turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

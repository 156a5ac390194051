/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the loop seam over each implementation: messages, deferral, barriers, timers, workers,
 * and that an idle loop sleeps.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "loop/testlib.h"

/* ---- messages ----------------------------------------------------------------------------- */

enum { NPOSTS = 2000 };

struct numbered {
	struct loop_msg msg;
	unsigned sender, number;
	struct collect *to;
};

struct collect {
	unsigned next[8], seen, want;
	struct loop_event done;
};

static void collect_fn(struct loop *loop, struct loop_msg *msg)
{
	struct numbered *m = container_of(msg, struct numbered, msg);
	struct collect *to = m->to;

	assert_int_equal(m->number, to->next[m->sender]++);
	if (++to->seen == to->want)
		loop_event_signal(&to->done);
}

struct sender {
	struct env *e;
	struct collect *to;
	unsigned number;
	struct numbered *msgs;
	pthread_t thread;
};

static void *sender_main(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < NPOSTS; i++) {
		s->msgs[i] = (struct numbered){
			.msg.fn = collect_fn, .sender = s->number, .number = i, .to = s->to
		};
		loop_post(loops_get(s->e->loops, 0), &s->msgs[i].msg);
		if (i % 64 == 0)
			sched_yield(); /* let the loop fall asleep now and then */
	}
	return NULL;
}

/* Nothing is lost and each sender's order is kept, with the loop falling asleep in between. */
static void test_post_from_threads(void **state)
{
	struct env *e = *state;
	struct collect to = { .want = 4 * NPOSTS };
	struct sender s[4];

	loop_event_init(&to.done, e->loops);
	for (unsigned i = 0; i < 4; i++) {
		s[i] = (struct sender){ e, &to, i, calloc(NPOSTS, sizeof(struct numbered)), 0 };
		if (e->kind == LOOP_SIM)
			sender_main(&s[i]);
		else
			pthread_create(&s[i].thread, NULL, sender_main, &s[i]);
	}
	assert_int_equal(loop_event_wait(&to.done, WAIT_NS), 0);
	for (unsigned i = 0; i < 4; i++) {
		if (e->kind != LOOP_SIM)
			pthread_join(s[i].thread, NULL);
		free(s[i].msgs);
	}
}

struct ball {
	struct loop_msg msg;
	unsigned left;
	struct env *e;
	struct loop_event done;
};

static void ball_fn(struct loop *loop, struct loop_msg *msg)
{
	struct ball *b = container_of(msg, struct ball, msg);

	if (!b->left--)
		loop_event_signal(&b->done);
	else
		loop_post(loops_get(b->e->loops, (loop_index(loop) + 1) % TEST_LOOPS), msg);
}

/* A message that goes round all loops: every hop wakes a sleeping loop. */
static void test_post_round(void **state)
{
	struct env *e = *state;
	struct ball b = { .msg.fn = ball_fn, .left = 3000, .e = e };

	loop_event_init(&b.done, e->loops);
	loop_post(loops_get(e->loops, 0), &b.msg);
	assert_int_equal(loop_event_wait(&b.done, WAIT_NS), 0);
}

struct order {
	struct loop_msg deferred, posted, again;
	char text[8];
	unsigned n;
	struct loop_event done;
};

static void order_again(struct loop *loop, struct loop_msg *msg)
{
	struct order *o = container_of(msg, struct order, again);

	o->text[o->n++] = 'a';
	loop_event_signal(&o->done);
}

static void order_deferred(struct loop *loop, struct loop_msg *msg)
{
	struct order *o = container_of(msg, struct order, deferred);

	o->text[o->n++] = 'd';
	o->again.fn = order_again;
	loop_defer(loop, &o->again);
}

static void order_posted(struct loop *loop, struct loop_msg *msg)
{
	struct order *o = container_of(msg, struct order, posted);

	assert_false(loop_msg_queued(msg));
	loop_defer(loop, &o->deferred);
	assert_true(loop_msg_queued(&o->deferred));
	o->text[o->n++] = 'p';
}

/* A deferred function runs after what deferred it, and once more after deferring again. */
static void test_defer(void **state)
{
	struct env *e = *state;
	struct order o = { .deferred.fn = order_deferred, .posted.fn = order_posted };

	loop_event_init(&o.done, e->loops);
	loop_post(loops_get(e->loops, 1), &o.posted);
	assert_int_equal(loop_event_wait(&o.done, WAIT_NS), 0);
	assert_string_equal(o.text, "pda");
}

/* ---- barrier ------------------------------------------------------------------------------ */

struct bar {
	struct loop_barrier b;
	_Atomic unsigned ran;
	unsigned seen;
	struct loop_event done;
};

static void bar_on_loop(struct loop *loop, struct loop_barrier *b)
{
	assert_true(loop_is_current(loop));
	atomic_fetch_add(&container_of(b, struct bar, b)->ran, 1);
}

static void bar_done(struct loop_barrier *b)
{
	struct bar *bar = container_of(b, struct bar, b);

	assert_true(loop_is_current(b->origin));
	bar->seen = atomic_load(&bar->ran);
	loop_event_signal(&bar->done);
}

static void bar_start(struct loop *loop, void *arg)
{
	assert_int_equal(loop_barrier_start(loop, arg), 0);
}

static void count_fn(struct loop *loop, void *arg)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static void test_barrier(void **state)
{
	struct env *e = *state;
	struct bar bar = { .b.on_loop = bar_on_loop, .b.done = bar_done };
	_Atomic unsigned n = 0;

	loop_event_init(&bar.done, e->loops);
	loops_call(e->loops, loops_get(e->loops, 1), bar_start, &bar.b);
	assert_int_equal(loop_event_wait(&bar.done, WAIT_NS), 0);
	assert_int_equal(bar.seen, TEST_LOOPS);
	loops_barrier(e->loops, count_fn, &n);
	assert_int_equal(atomic_load(&n), TEST_LOOPS);
	loops_barrier(e->loops, NULL, NULL);
}

static void test_event_timeout(void **state)
{
	struct env *e = *state;
	struct loop_event ev;

	loop_event_init(&ev, e->loops);
	assert_int_equal(loop_event_wait(&ev, NS_PER_MS), -ETIMEDOUT);
	loop_event_signal(&ev);
	assert_int_equal(loop_event_wait(&ev, 0), 0);
}

static void test_set(void **state)
{
	struct env *e = *state;

	assert_int_equal(loops_count(e->loops), TEST_LOOPS);
	assert_int_equal(loops_kind(e->loops), e->kind);
	assert_true(strlen(loops_describe(e->loops)) > 4);
	assert_ptr_equal(loop_set(loops_get(e->loops, 2)), e->loops);
	loop_load_add(loops_get(e->loops, 0), 2);
	loop_load_add(loops_get(e->loops, 1), 1);
	assert_int_equal(loop_index(loops_least_loaded(e->loops)), 2);
	loop_load_add(loops_get(e->loops, 2), 3);
	assert_int_equal(loop_index(loops_least_loaded(e->loops)), 1);
}

/* ---- timers ------------------------------------------------------------------------------- */

enum { NTIMERS = 200 };

struct ticks {
	struct loop_timer t[NTIMERS];
	uint64_t due[NTIMERS];
	struct loop *loop;
	unsigned fired, left;
	uint64_t last;
	struct loop_event done;
};

struct tick_of {
	struct ticks *all;
};

static struct ticks *the_ticks(struct loop_timer *t, unsigned *ret_i);

static void tick_fire(struct loop_timer *t)
{
	unsigned i;
	struct ticks *k = the_ticks(t, &i);

	assert_false(loop_timer_armed(t));
	assert_true(loop_now_ns(k->loop) >= k->due[i]);
	assert_true(k->due[i] >= k->last);
	assert_int_not_equal(i % 3, 1); /* those were disarmed */
	k->last = k->due[i];
	if (++k->fired == k->left)
		loop_event_signal(&k->done);
}

static struct ticks ticks;

static struct ticks *the_ticks(struct loop_timer *t, unsigned *ret_i)
{
	*ret_i = (unsigned)(t - ticks.t);
	return &ticks;
}

static void ticks_arm(struct loop *loop, void *arg)
{
	struct ticks *k = arg;

	k->loop = loop;
	for (unsigned i = 0; i < NTIMERS; i++) {
		uint64_t ns = (i * 7919 % NTIMERS) * 50 * NS_PER_US;

		k->t[i].fire = tick_fire;
		loop_timer_arm(
			loop, &k->t[i], 3600 * NS_PER_S); /* armed twice: the last one counts */
		loop_timer_arm(loop, &k->t[i], ns);
		k->due[i] = loop_now_ns(loop) + ns;
	}
	k->left = NTIMERS;
	for (unsigned i = 1; i < NTIMERS; i += 3) {
		loop_timer_disarm(loop, &k->t[i]);
		loop_timer_disarm(loop, &k->t[i]);
		k->left--;
	}
}

static void test_timers(void **state)
{
	struct env *e = *state;

	memset(&ticks, 0, sizeof(ticks));
	loop_event_init(&ticks.done, e->loops);
	loops_call(e->loops, loops_get(e->loops, 2), ticks_arm, &ticks);
	assert_int_equal(loop_event_wait(&ticks.done, WAIT_NS), 0);
}

struct busy {
	struct loop_timer t;
	struct loop *loop;
	unsigned n;
	struct loop_event done;
};

static void busy_fire(struct loop_timer *t)
{
	struct busy *b = container_of(t, struct busy, t);

	if (++b->n < 100)
		loop_timer_arm(b->loop, t, 0);
	else
		loop_event_signal(&b->done);
}

static void busy_start(struct loop *loop, void *arg)
{
	struct busy *b = arg;

	b->loop = loop;
	loop_timer_arm(loop, &b->t, 0);
}

/* A timer that rearms itself with no delay lets others have their turn. */
static void test_timer_zero(void **state)
{
	struct env *e = *state;
	struct busy b = { .t.fire = busy_fire };

	loop_event_init(&b.done, e->loops);
	loops_call(e->loops, loops_get(e->loops, 0), busy_start, &b);
	assert_int_equal(loop_event_wait(&b.done, WAIT_NS), 0);
}

/* ---- workers ------------------------------------------------------------------------------ */

static int work_answer(void *arg)
{
	return *(int *)arg;
}

static void test_work(void **state)
{
	struct env *e = *state;
	int answers[3] = { 42, -EIO, 0 };

	for (unsigned i = 0; i < 3; i++) {
		struct call c = { .start = start_work, .fn = work_answer, .arg = &answers[i] };

		assert_int_equal(call_run(e, i, &c), answers[i]);
	}
}

static int work_stuck(void *arg)
{
	while (sem_wait(arg))
		;
	return 7;
}

/* Calls that hang do not keep others from running; more than there are threads queue up. */
static void test_work_stuck(void **state)
{
	enum { STUCK = WORKERS_MAX - 1, MORE = 8 };
	struct env *e = *state;
	struct call *stuck = calloc(STUCK, sizeof(*stuck)), more[MORE], *last = &more[MORE - 1];
	int answer = 5;
	sem_t sem;

	if (e->kind == LOOP_SIM) {
		free(stuck);
		skip(); /* its work runs on the one thread and cannot hang */
	}
	sem_init(&sem, 0, 0);
	for (unsigned i = 0; i < STUCK; i++) {
		stuck[i] = (struct call){ .start = start_work, .fn = work_stuck, .arg = &sem };
		call_start(e, i % TEST_LOOPS, &stuck[i]);
	}
	for (unsigned i = 0; i < MORE; i++) {
		more[i] = (struct call){ .start = start_work, .fn = work_answer, .arg = &answer };
		call_start(e, i % TEST_LOOPS, &more[i]);
	}
	for (unsigned i = 0; i < MORE; i++)
		assert_int_equal(call_wait(&more[i]), 5);
	/* the last thread hangs, too: what is queued can be cancelled */
	*last = (struct call){ .start = start_work, .fn = work_stuck, .arg = &sem };
	call_start(e, 0, last);
	more[0] = (struct call){ .start = start_work, .fn = work_stuck, .arg = &sem };
	call_start(e, 0, &more[0]);
	call_cancel(e, 0, &more[0]);
	assert_int_equal(call_wait(&more[0]), -ECANCELED);
	for (unsigned i = 0; i < STUCK + 1; i++)
		sem_post(&sem);
	for (unsigned i = 0; i < STUCK; i++)
		assert_int_equal(call_wait(&stuck[i]), 7);
	assert_int_equal(call_wait(last), 7);
	sem_destroy(&sem);
	free(stuck);
}

static void usage_fn(struct loop *loop, void *arg)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	*(long *)arg = u.ru_nvcsw;
}

/* A loop with a connection and a far timer sleeps: it is not scheduled until it is asked. */
static void test_idle(void **state)
{
	struct env *e = *state;
	struct conn c = conn_new(e);
	struct call r = { .start = start_recv_buf, .fd = c.fd };
	struct loop_event never;
	long before, after;

	if (e->kind != LOOP_SIM) {
		call_start(e, 1, &r);
		loops_call(e->loops, loops_get(e->loops, 1), usage_fn, &before);
		loop_event_init(&never, e->loops);
		assert_int_equal(loop_event_wait(&never, 300 * NS_PER_MS), -ETIMEDOUT);
		loops_call(e->loops, loops_get(e->loops, 1), usage_fn, &after);
		/* it went to sleep after the first question, and the second woke it */
		assert_in_range(after - before, 0, 4);
		call_cancel(e, 1, &r);
		assert_int_equal(call_wait(&r), -ECANCELED);
	}
	conn_free(e, &c, 1);
}

#define TESTS(kind)                                                                                \
	LOOP_TEST(post_from_threads, kind), LOOP_TEST(post_round, kind), LOOP_TEST(defer, kind),   \
		LOOP_TEST(barrier, kind), LOOP_TEST(event_timeout, kind), LOOP_TEST(set, kind),    \
		LOOP_TEST(timers, kind), LOOP_TEST(timer_zero, kind), LOOP_TEST(work, kind),       \
		LOOP_TEST(work_stuck, kind), LOOP_TEST(idle, kind)

int main(void)
{
	const struct CMUnitTest tests[] = { TESTS(uring), TESTS(epoll), TESTS(sim) };

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}

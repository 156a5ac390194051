/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * call.c: barriers over all loops, and how the control thread calls loops and waits for them.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "loop/loop_priv.h"

/* ---- barrier ------------------------------------------------------------------------------ */

struct loop_barrier_slot {
	struct loop_msg msg;
	struct loop_barrier *b;
};

static void barrier_back(struct loop *loop, struct loop_msg *msg)
{
	struct loop_barrier *b = container_of(msg, struct loop_barrier, back);

	free(b->slots);
	b->slots = NULL;
	b->done(b);
}

static void barrier_on_loop(struct loop *loop, struct loop_msg *msg)
{
	struct loop_barrier *b = container_of(msg, struct loop_barrier_slot, msg)->b;

	if (b->on_loop)
		b->on_loop(loop, b);
	if (atomic_fetch_sub(&b->missing, 1) == 1)
		loop_post(b->origin, &b->back);
}

int loop_barrier_start(struct loop *loop, struct loop_barrier *b)
{
	struct loops *loops = loop->loops;
	struct loop_barrier_slot *slots = calloc(loops->n, sizeof(*slots));

	assert(loop_is_current(loop) && b->done);
	if (!slots)
		return -ENOMEM;
	b->origin = loop;
	b->loops = loops;
	b->slots = slots;
	b->back.fn = barrier_back;
	b->back.queued = false;
	atomic_store(&b->missing, loops->n);
	for (unsigned i = 0; i < loops->n; i++) {
		slots[i].b = b;
		slots[i].msg.fn = barrier_on_loop;
		loop_post(&loops->v[i], &slots[i].msg);
	}
	return 0;
}

/* ---- the control thread ------------------------------------------------------------------- */

void loop_event_init(struct loop_event *ev, struct loops *loops)
{
	atomic_init(&ev->set, false);
	ev->loops = loops;
}

void loop_event_signal(struct loop_event *ev)
{
	struct loops *loops = ev->loops;

	/* Under the lock: ev may be gone as soon as the waiter gets it. */
	pthread_mutex_lock(&loops->lock);
	atomic_store(&ev->set, true);
	pthread_cond_broadcast(&loops->cond);
	pthread_mutex_unlock(&loops->lock);
}

int loop_event_wait(struct loop_event *ev, uint64_t timeout_ns)
{
	struct loops *loops = ev->loops;
	uint64_t end;
	struct timespec ts;
	bool set;

	if (loops->kind == LOOP_SIM)
		return sim_wait(ev, timeout_ns);
	if (__builtin_add_overflow(clock_now_ns(), timeout_ns, &end))
		end = LOOP_FOREVER;
	ts.tv_sec = (time_t)(end / NS_PER_S);
	ts.tv_nsec = (long)(end % NS_PER_S);
	pthread_mutex_lock(&loops->lock);
	while (!(set = atomic_load(&ev->set))) {
		int ret = end == LOOP_FOREVER
				  ? pthread_cond_wait(&loops->cond, &loops->lock)
				  : pthread_cond_timedwait(&loops->cond, &loops->lock, &ts);

		if (ret == ETIMEDOUT)
			break;
	}
	set = atomic_load(&ev->set);
	pthread_mutex_unlock(&loops->lock);
	return set ? 0 : -ETIMEDOUT;
}

void loops_set_aside(
	struct loops *loops, bool (*leave)(void *arg), void (*enter)(void *arg), void *arg)
{
	loops->leave = leave;
	loops->enter = enter;
	loops->aside_arg = arg;
}

bool loops_step_aside(struct loops *loops)
{
	return loops->leave && loops->leave(loops->aside_arg);
}

void loops_step_back(struct loops *loops, bool stepped)
{
	if (stepped)
		loops->enter(loops->aside_arg);
}

int loop_event_wait_aside(struct loop_event *ev, uint64_t timeout_ns)
{
	struct loops *loops = ev->loops;
	bool stepped = loops_step_aside(loops);
	int r = loop_event_wait(ev, timeout_ns);

	loops_step_back(loops, stepped);
	return r;
}

struct call {
	struct loop_msg msg;
	void (*fn)(struct loop *loop, void *arg);
	void *arg;
	_Atomic unsigned *missing;
	struct loop_event *ev;
};

static void call_run(struct loop *loop, struct loop_msg *msg)
{
	struct call *c = container_of(msg, struct call, msg);
	struct loop_event *ev = c->ev;

	if (c->fn)
		c->fn(loop, c->arg);
	if (atomic_fetch_sub(c->missing, 1) == 1)
		loop_event_signal(ev);
}

static void call_wait(struct loop_event *ev)
{
	int ret = loop_event_wait(ev, LOOP_FOREVER);

	assert(ret == 0); /* not so in a simulation in which nothing can happen any more */
}

void loops_call(
	struct loops *loops, struct loop *loop, void (*fn)(struct loop *, void *), void *arg)
{
	_Atomic unsigned missing = 1;
	struct loop_event ev;
	struct call c = {
		.msg.fn = call_run, .fn = fn, .arg = arg, .missing = &missing, .ev = &ev
	};

	loop_event_init(&ev, loops);
	loop_post(loop, &c.msg);
	call_wait(&ev);
}

void loops_barrier(struct loops *loops, void (*on_loop)(struct loop *, void *), void *arg)
{
	_Atomic unsigned missing = loops->n;
	struct call v[LOOPS_MAX];
	struct loop_event ev;

	loop_event_init(&ev, loops);
	for (unsigned i = 0; i < loops->n; i++) {
		v[i] = (struct call){ .msg.fn = call_run,
			.fn = on_loop,
			.arg = arg,
			.missing = &missing,
			.ev = &ev };
		loop_post(&loops->v[i], &v[i].msg);
	}
	call_wait(&ev);
}

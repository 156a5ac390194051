/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop_sim.c: the loop in one thread and virtual time.
 *
 * The loops run their rounds one after the other, in an order that the seed chooses, and a round
 * finishes those of its ready operations that the seed chooses. Between rounds events happen (data
 * arrive, a disk answers, a worker has run) as their time comes. Time passes a little with each
 * round; when no loop has anything to do it jumps to the next event or timer. So the same seed
 * gives the same run, and nothing in a run depends on real time or on addresses.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/sim_priv.h"

enum {
	ROUND_NS = 4000, /* what a round takes at most */
	WORK_US = 300, /* until a worker runs something, at most */
};

/* ---- events ------------------------------------------------------------------------------- */

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->tie < b->tie;
}

void sim_at_time(struct sim *sim, uint64_t at_ns, sim_event_fn *fn, void *arg)
{
	struct sim_event e = { at_ns, rng_next(&sim->rng), fn, arg };
	unsigned i = sim->nevents++;

	if (sim->nevents > sim->events_cap) {
		sim->events_cap = 2 * sim->nevents + 64;
		sim->events = sim_grow(sim->events, sim->events_cap * sizeof(e));
	}
	for (; i && event_before(&e, &sim->events[(i - 1) / 2]); i = (i - 1) / 2)
		sim->events[i] = sim->events[(i - 1) / 2];
	sim->events[i] = e;
}

void sim_at(struct sim *sim, uint64_t max_ns, sim_event_fn *fn, void *arg)
{
	sim_at_time(sim, sim->now_ns + rng_below(&sim->rng, max_ns + 1), fn, arg);
}

static struct sim_event event_pop(struct sim *sim)
{
	struct sim_event first = sim->events[0], last = sim->events[--sim->nevents];
	unsigned i = 0, k;

	while ((k = 2 * i + 1) < sim->nevents) {
		if (k + 1 < sim->nevents && event_before(&sim->events[k + 1], &sim->events[k]))
			k++;
		if (!event_before(&sim->events[k], &last))
			break;
		sim->events[i] = sim->events[k];
		i = k;
	}
	sim->events[i] = last;
	return first;
}

/* ---- time and rounds ---------------------------------------------------------------------- */

static void time_set(struct sim *sim, uint64_t now_ns)
{
	assert(now_ns >= sim->now_ns);
	sim->now_ns = now_ns;
	for (unsigned i = 0; i < sim->loops->n; i++)
		sim->loops->v[i].now_ns = now_ns;
}

void sim_fin_push(struct loop *loop, struct loop_op *op)
{
	struct sim_loop *sl = sim_loop_of(loop);

	if (sl->nfin == sl->fin_cap) {
		sl->fin_cap = 2 * sl->fin_cap + 16;
		sl->fin = sim_grow(sl->fin, sl->fin_cap * sizeof(struct loop_op *));
	}
	sl->fin[sl->nfin++] = op;
}

static void fin_remove(struct sim_loop *sl, struct loop_op *op)
{
	for (unsigned i = 0; i < sl->nfin; i++) {
		if (sl->fin[i] != op)
			continue;
		sl->fin[i] = sl->fin[--sl->nfin];
		return;
	}
}

static void op_answered(struct loop *loop, struct loop_op *op)
{
	loop_op_finish(op, op_priv(op)->res);
}

static void (*const op_tries[])(struct loop *loop, struct loop_op *op) = {
	[OP_ACCEPT] = sim_net_try,
	[OP_RECV_BUF] = sim_net_try,
	[OP_RECV] = sim_net_try,
	[OP_SEND] = sim_net_try,
	[OP_CONNECT] = sim_net_try,
	[OP_READ] = op_answered,
	[OP_WRITE] = op_answered,
	[OP_FSYNC] = op_answered,
	[OP_FALLOCATE] = op_answered,
	[OP_WORK] = op_answered,
};

static void sim_round(struct sim *sim, struct loop *loop)
{
	struct sim_loop *sl = sim_loop_of(loop);
	uint64_t n = sl->nfin ? 1 + rng_below(&sim->rng, sl->nfin) : 0;

	assert(!sim->in_round);
	sim->in_round = true;
	while (n-- && sl->nfin) {
		unsigned i = (unsigned)rng_below(&sim->rng, sl->nfin);
		struct loop_op *op = sl->fin[i];

		sl->fin[i] = sl->fin[--sl->nfin];
		op_tries[op_priv(op)->kind](loop, op);
	}
	loop_run_ready(loop);
	loop_run_inbox(loop);
	loop_run_timers(loop);
	loop_run_deferred(loop);
	sim->in_round = false;
	time_set(sim, sim->now_ns + rng_below(&sim->rng, ROUND_NS) + 1);
}

static bool loop_can_run(const struct sim *sim, struct loop *loop)
{
	return sim_loop_of(loop)->nfin || loop_has_work(loop) ||
	       timers_next_ns(&loop->timers) <= sim->now_ns;
}

/* When something will happen although no loop has anything to do now. */
static uint64_t next_ns(const struct sim *sim)
{
	uint64_t next = sim->nevents ? sim->events[0].at_ns : LOOP_FOREVER;

	for (unsigned i = 0; i < sim->loops->n; i++) {
		uint64_t t = timers_next_ns(&sim->loops->v[i].timers);

		if (t < next)
			next = t;
	}
	return next;
}

/* One thing, not after until_ns. False if there is none. */
static bool sim_step(struct sim *sim, uint64_t until_ns)
{
	struct loop *run = NULL;
	unsigned n = 0;
	uint64_t next;

	if (sim->nevents && sim->events[0].at_ns <= sim->now_ns) {
		struct sim_event e = event_pop(sim);

		e.fn(sim, e.arg);
		return true;
	}
	for (unsigned i = 0; i < sim->loops->n; i++)
		if (loop_can_run(sim, &sim->loops->v[i]) && !rng_below(&sim->rng, ++n))
			run = &sim->loops->v[i];
	if (run) {
		sim_round(sim, run);
		return true;
	}
	next = next_ns(sim);
	if (next == LOOP_FOREVER || next > until_ns)
		return false;
	time_set(sim, next);
	return true;
}

bool sim_run(struct loops *loops, bool (*pred)(void *arg), void *arg, uint64_t max_steps)
{
	struct sim *sim = sim_of(loops);

	assert(!sim->in_round);
	while (max_steps--) {
		if (pred && pred(arg))
			return true;
		if (!sim_step(sim, LOOP_FOREVER))
			break;
	}
	return pred && pred(arg);
}

int sim_wait(struct loop_event *ev, uint64_t timeout_ns)
{
	struct sim *sim = sim_of(ev->loops);
	uint64_t end;

	assert(!sim->in_round); /* a loop must not wait */
	if (__builtin_add_overflow(sim->now_ns, timeout_ns, &end))
		end = LOOP_FOREVER;
	while (!atomic_load(&ev->set)) {
		if (sim->now_ns < end && sim_step(sim, end))
			continue;
		if (end != LOOP_FOREVER && sim->now_ns < end)
			time_set(sim, end);
		return -ETIMEDOUT;
	}
	return 0;
}

uint64_t sim_now_ns(const struct loops *loops)
{
	return sim_of(loops)->now_ns;
}

uint64_t sim_random(struct loops *loops, uint64_t below)
{
	return rng_below(&sim_of(loops)->rng, below);
}

/* ---- workers ------------------------------------------------------------------------------ */

static void work_answer(struct sim *sim, void *arg)
{
	struct loop_op *op = arg;

	sim_fin_push(op->loop, op);
}

static void work_run(struct sim *sim, void *arg)
{
	struct loop_op *op = arg;
	struct op_priv *p = op_priv(op);

	if ((p->flags & OPF_CANCELLED) && rng_chance(&sim->rng, 1, 2))
		p->res = -ECANCELED;
	else
		p->res = p->file.fn((void *)p->file.iov);
	sim_at(sim, WORK_US * NS_PER_US, work_answer, op);
}

static void sim_work(struct loop *loop, struct loop_op *op)
{
	struct sim *sim = sim_of(loop->loops);

	sim_at(sim, WORK_US * NS_PER_US, work_run, op);
}

/* ---- descriptors -------------------------------------------------------------------------- */

int sim_fd_new(struct sim *sim, enum sim_fd_kind kind, void *obj)
{
	if (sim->nfds == sim->fds_cap) {
		sim->fds_cap = 2 * sim->fds_cap + 64;
		sim->fds = sim_grow(sim->fds, sim->fds_cap * sizeof(*sim->fds));
	}
	sim->fds[sim->nfds] = (struct sim_fd){ kind, obj };
	return (int)sim->nfds++;
}

void *sim_fd_get(const struct sim *sim, int fd, enum sim_fd_kind kind)
{
	if (fd < 0 || (unsigned)fd >= sim->nfds || sim->fds[fd].kind != kind)
		return NULL;
	return sim->fds[fd].obj;
}

void sim_fd_close(struct sim *sim, int fd)
{
	assert(fd >= 0 && (unsigned)fd < sim->nfds && sim->fds[fd].kind != SIM_FD_NONE);
	if (sim->fds[fd].kind == SIM_FD_FILE)
		sim_file_close(sim, fd);
	else
		sim_net_close(sim, fd);
	sim->fds[fd] = (struct sim_fd){ SIM_FD_NONE, NULL };
}

/* ---- the implementation ------------------------------------------------------------------- */

static void sim_buf_put(struct loop *loop, void *buf)
{
	struct sim_loop *sl = sim_loop_of(loop);
	struct loop_op *op;

	bufs_put(&loop->bufs, bufs_index(&loop->bufs, buf));
	op = op_queue_pop(&sl->starved);
	if (op)
		sim_net_retry(op);
}

static void sim_cancel(struct loop *loop, struct loop_op *op)
{
	struct sim_loop *sl = sim_loop_of(loop);
	struct op_priv *p = op_priv(op);

	if (p->kind >= OP_READ)
		return; /* its event decides whether the cancel was in time */
	if (p->flags & OPF_WAITING)
		op_queue_remove(&sl->starved, op);
	fin_remove(sl, op);
	sim_net_cancel(loop, op);
	loop_op_ready(loop, op, -ECANCELED);
}

static void sim_close_op(struct loop *loop, int fd)
{
	sim_fd_close(sim_of(loop->loops), fd);
}

const struct loop_impl loop_sim = {
	.name = "simulator",
	.accept = sim_net_start,
	.connect = sim_net_connect,
	.recv_buf = sim_net_start,
	.buf_put = sim_buf_put,
	.recv = sim_net_start,
	.send = sim_net_start,
	.file = sim_file_start,
	.work = sim_work,
	.cancel = sim_cancel,
	.shutdown = sim_net_shutdown,
	.close = sim_close_op,
};

int sim_new(struct loops *loops, uint64_t seed, struct errmsg *err)
{
	struct sim *sim = sim_alloc(sizeof(*sim));
	int ret = 0;

	loops->kind = LOOP_SIM;
	loops->sys = &loop_sys_sim;
	loops->impl = &loop_sim;
	loops->sim = sim;
	sim->loops = loops;
	sim->next_port = 32768;
	rng_seed(&sim->rng, seed);
	list_init(&sim->conns);
	list_init(&sim->listens);
	list_init(&sim->servers);
	list_init(&sim->files);
	sim->disk = sim_disk_new(rng_next(&sim->rng));
	sim->own_disk = true;
	for (int i = 0; i < 3; i++) /* like those of a process: 0 is no mark of "none" */
		sim_fd_new(sim, SIM_FD_NONE, NULL);
	for (unsigned i = 0; i < loops->n && !ret; i++) {
		loops->v[i].impl = &loop_sim;
		loops->v[i].impl_data = sim_alloc(sizeof(struct sim_loop));
		ret = loop_parts_init(&loops->v[i], err);
	}
	time_set(sim, NS_PER_S); /* 0 is no mark of "never" */
	snprintf(loops->text, sizeof(loops->text), "simulator (seed %llu), %u loops",
		(unsigned long long)seed, loops->n);
	return ret;
}

void sim_free(struct loops *loops)
{
	struct sim *sim = loops->sim;

	if (!sim)
		return;
	for (unsigned i = 0; i < loops->n; i++) {
		struct sim_loop *sl = sim_loop_of(&loops->v[i]);

		if (sl)
			free(sl->fin);
		free(sl);
		loop_parts_done(&loops->v[i]);
	}
	sim_net_free(sim);
	sim_file_free(sim);
	if (sim->own_disk)
		sim_disk_free(sim->disk);
	free(sim->events);
	free(sim->fds);
	free(sim);
	loops->sim = NULL;
}

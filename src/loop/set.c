/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * set.c: the set of loops: choice of the implementation, threads, and the rounds that each runs.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "loop/hostaddr.h"
#include "loop/loop_priv.h"

uint64_t loop_sleep_ns(struct loop *loop)
{
	uint64_t next;

	if ((loop->stop && !loop->closes) || loop_has_work(loop))
		return 0;
	next = timers_next_ns(&loop->timers);
	if (next <= loop->now_ns)
		return 0;
	atomic_store(&loop->asleep, true);
	if (atomic_load(&loop->inbox)) {
		atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
		return 0;
	}
	return next == LOOP_FOREVER ? LOOP_FOREVER : next - loop->now_ns;
}

void loop_awake(struct loop *loop)
{
	atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
	loop->now_ns = clock_now_ns();
}

static void loop_rounds(struct loop *loop)
{
	while (!loop->stop || loop->closes || loop_has_work(loop)) {
		loop->impl->wait(loop);
		loop_run_ready(loop);
		loop_run_inbox(loop);
		loop_run_timers(loop);
		/* What is deferred meanwhile is for this round too, unless it goes on and on. */
		for (unsigned n = 0; n < DEFER_PASSES && loop->deferred; n++)
			loop_run_deferred(loop);
	}
}

static void stop_fn(struct loop *loop, struct loop_msg *msg)
{
	loop->stop = true;
}

/* ---- threads ------------------------------------------------------------------------------ */

int loop_parts_init(struct loop *loop, struct errmsg *err)
{
	int ret = timers_init(&loop->timers);

	if (!ret)
		ret = bufs_init(&loop->bufs);
	if (ret)
		errmsg_set(err, ret, "loop %u: no address space for its timers and buffers",
			loop->index);
	return ret;
}

void loop_parts_done(struct loop *loop)
{
	bufs_done(&loop->bufs);
	timers_done(&loop->timers);
}

static int loop_init(struct loop *loop, struct errmsg *err)
{
	int ret;

	loop->stop = false;
	loop->now_ns = clock_now_ns();
	ret = loop_parts_init(loop, err);
	return ret ? ret : loop->impl->init(loop, err);
}

static void loop_done(struct loop *loop)
{
	loop->impl->done(loop);
	loop_parts_done(loop);
}

static void pin_self(unsigned index)
{
	cpu_set_t may, one;
	unsigned n;

	if (sched_getaffinity(0, sizeof(may), &may) || !CPU_COUNT(&may))
		return;
	n = index % (unsigned)CPU_COUNT(&may);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &may) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		/* A wish; a thread that runs elsewhere is right, too. */
		(void)sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *loop_thread(void *arg)
{
	struct loop *loop = arg;
	struct loops *loops = loop->loops;
	struct errmsg err = { 0 };
	char name[16];
	int ret;

	loop->thread = pthread_self();
	snprintf(name, sizeof(name), "loop%u", loop->index);
	pthread_setname_np(pthread_self(), name);
	if (loops->pin)
		pin_self(loop->index);
	ret = loop_init(loop, &err);

	pthread_mutex_lock(&loops->lock);
	loops->nstarted++;
	if (ret && !loops->start_result) {
		loops->start_result = ret;
		loops->start_err = err;
	}
	pthread_cond_broadcast(&loops->cond);
	pthread_mutex_unlock(&loops->lock);

	if (!ret)
		loop_rounds(loop);
	assert(loop->under_way == 0);
	loop_done(loop);
	return NULL;
}

static int thread_start(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all); /* signals are for the control thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(ret_thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

static void loops_stop(struct loops *loops)
{
	for (unsigned i = 0; i < loops->n; i++) {
		struct loop *loop = &loops->v[i];

		if (!loop->running)
			continue;
		loop->stop_msg.fn = stop_fn;
		loop_post(loop, &loop->stop_msg);
	}
	for (unsigned i = 0; i < loops->n; i++) {
		struct loop *loop = &loops->v[i];

		if (!loop->running)
			continue;
		pthread_join(loop->handle, NULL);
		loop->running = false;
		atomic_store(&loop->inbox, NULL); /* of one whose start failed */
		loop->stop_msg.queued = false;
	}
}

/* When nobody can be about to wake a loop any more. */
static void loops_close_wakes(struct loops *loops)
{
	for (unsigned i = 0; i < loops->n; i++) {
		if (loops->v[i].wake_fd >= 0)
			close(loops->v[i].wake_fd);
		loops->v[i].wake_fd = -1;
	}
}

static int loop_start(struct loop *loop, const struct loop_impl *impl, struct errmsg *err)
{
	int ret;

	loop->impl = impl;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (loop->wake_fd < 0)
		return errmsg_set(
			err, -errno, "loop %u: eventfd: %s", loop->index, err_text(-errno));
	ret = thread_start(&loop->handle, loop_thread, loop);
	if (ret)
		return errmsg_set(err, ret, "cannot start the thread of loop %u: %s", loop->index,
			err_text(ret));
	loop->running = true;
	return 0;
}

static int loops_start(struct loops *loops, const struct loop_impl *impl, struct errmsg *err)
{
	unsigned started = 0;
	int ret = 0;

	loops->impl = impl;
	loops->nstarted = 0;
	loops->start_result = 0;
	for (; started < loops->n && !ret; started += !ret)
		ret = loop_start(&loops->v[started], impl, err);
	pthread_mutex_lock(&loops->lock);
	while (loops->nstarted < started)
		pthread_cond_wait(&loops->cond, &loops->lock);
	pthread_mutex_unlock(&loops->lock);
	if (!ret && loops->start_result) {
		ret = loops->start_result;
		if (err)
			*err = loops->start_err;
	}
	if (ret) {
		loops_stop(loops);
		loops_close_wakes(loops);
	}
	return ret;
}

/* ---- making the set ----------------------------------------------------------------------- */

static int start_uring(struct loops *loops, struct errmsg *err)
{
	char features[128];
	int ret = uring_probe(err, features, sizeof(features));

	if (ret)
		return ret;
	ret = loops_start(loops, &loop_uring, err);
	if (ret)
		return ret;
	loops->kind = LOOP_URING;
	snprintf(loops->text, sizeof(loops->text), "io_uring (%s), %u loops", features, loops->n);
	return 0;
}

static int start_epoll(struct loops *loops, const char *why, struct errmsg *err)
{
	int ret = loops_start(loops, &loop_epoll, err);

	if (ret)
		return ret;
	loops->kind = LOOP_EPOLL;
	snprintf(loops->text, sizeof(loops->text),
		"epoll with worker threads for files, %u loops%s%.*s", loops->n,
		*why ? "; not io_uring: " : "", 160, why);
	return 0;
}

static int start_kind(struct loops *loops, const struct loops_config *cfg, struct errmsg *err)
{
	struct errmsg why;
	int ret;

	loops->kind = cfg->kind;
	errmsg_init(&why);
	if (cfg->kind == LOOP_SIM)
		return sim_new(loops, cfg->sim_seed, err);
	if (cfg->kind == LOOP_EPOLL)
		return start_epoll(loops, "", err);
	if (cfg->kind == LOOP_URING)
		return start_uring(loops, err);
	assert(cfg->kind == LOOP_AUTO);
	ret = start_uring(loops, &why);
	return ret ? start_epoll(loops, why.text, err) : 0;
}

static unsigned cpus_permitted(void)
{
	cpu_set_t may;

	if (sched_getaffinity(0, sizeof(may), &may) || CPU_COUNT(&may) < 1)
		return 1;
	return (unsigned)CPU_COUNT(&may);
}

static void loops_sync_init(struct loops *loops)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&loops->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&loops->cond, &attr);
	pthread_condattr_destroy(&attr);
}

static struct loops *loops_alloc(unsigned n)
{
	struct loops *loops = calloc(1, sizeof(*loops));

	if (!loops)
		return NULL;
	loops_sync_init(loops);
	loops->n = n;
	loops->hostaddrs = hostaddrs_new();
	loops->v = aligned_alloc(CACHE_LINE, n * sizeof(*loops->v));
	if (!loops->v || !loops->hostaddrs)
		return loops_free(loops);
	memset(loops->v, 0, n * sizeof(*loops->v));
	for (unsigned i = 0; i < n; i++) {
		loops->v[i].loops = loops;
		loops->v[i].index = i;
		loops->v[i].wake_fd = -1;
	}
	return loops;
}

int loops_new(const struct loops_config *cfg, struct loops **ret, struct errmsg *err)
{
	unsigned n = cfg->nloops ? cfg->nloops : cpus_permitted();
	struct loops *loops;
	int r;

	if (cfg->nloops > LOOPS_MAX)
		return errmsg_set(
			err, -EINVAL, "%u loops: at most %u are possible", n, (unsigned)LOOPS_MAX);
	loops = loops_alloc(n < LOOPS_MAX ? n : LOOPS_MAX);
	if (!loops)
		return errmsg_set(err, -ENOMEM, "out of memory for %u loops", n);
	loops->pin = cfg->pin;
	loops->sys = &loop_sys_host;
	r = pages_new(loops, cfg->page_limit_bytes, err);
	if (r)
		goto fail;
	if (cfg->kind != LOOP_SIM)
		r = workers_new(&loops->workers, cfg->nworkers);
	if (r) {
		errmsg_set(err, r, "cannot start a worker thread: %s", err_text(r));
		goto fail;
	}
	r = start_kind(loops, cfg, err);
	if (r)
		goto fail;
	*ret = loops;
	return 0;
fail:
	loops_free(loops);
	return r;
}

struct loops *loops_free(struct loops *loops)
{
	if (!loops)
		return NULL;
	if (loops->v)
		loops_stop(loops);
	workers_free(loops->workers); /* they post to loops */
	sim_free(loops);
	if (loops->v)
		loops_close_wakes(loops);
	pages_free(loops);
	hostaddrs_free(loops->hostaddrs);
	pthread_cond_destroy(&loops->cond);
	pthread_mutex_destroy(&loops->lock);
	free(loops->v);
	free(loops);
	return NULL;
}

unsigned loops_count(const struct loops *loops)
{
	return loops->n;
}

struct loop *loops_get(struct loops *loops, unsigned i)
{
	assert(i < loops->n);
	return &loops->v[i];
}

enum loop_kind loops_kind(const struct loops *loops)
{
	return loops->kind;
}

const char *loops_describe(const struct loops *loops)
{
	return loops->text;
}

struct loop *loops_least_loaded(struct loops *loops)
{
	struct loop *best = &loops->v[0];
	int least = atomic_load_explicit(&best->load, memory_order_relaxed);

	for (unsigned i = 1; i < loops->n; i++) {
		int load = atomic_load_explicit(&loops->v[i].load, memory_order_relaxed);

		if (load < least) {
			least = load;
			best = &loops->v[i];
		}
	}
	return best;
}

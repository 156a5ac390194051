/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c: threads for what blocks: loop_work(), and files where the loop is epoll.
 *
 * A thread is started when work waits and no thread is idle, up to a limit, and ends when it has
 * been idle for WORKER_IDLE_S. The requests of one descriptor hold at most WORKERS_PER_FILE_MAX
 * threads and all files together leave WORKERS_RESERVED to loop_work(), so that a disk that hangs
 * stops itself alone. Requests queue through memory of their own; nothing is allocated.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop_priv.h"

/* Descriptors are spread over this many queues; two that share one share its limit as well. */
enum { LANES = 1024 };

struct lane {
	struct list items; /* waiting, struct work_item */
	struct list runnable; /* in workers.files while something may be started */
	unsigned nrunning;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t ended;
	struct list calls; /* waiting items of OP_WORK */
	struct list files; /* lanes that have items waiting and room for one more */
	unsigned nthreads;
	unsigned nidle; /* threads that sleep and were not given a wake-up yet */
	unsigned nwake; /* wake-ups given and not taken yet */
	unsigned nfiles; /* threads that run file operations */
	unsigned max, files_max, lane_max;
	bool stop;
	struct lane lanes[LANES];
};

static struct loop_op *op_of_item(struct work_item *it)
{
	return op_of_priv(container_of(it, struct op_priv, file.item));
}

/* ---- the blocking forms ------------------------------------------------------------------- */

static int64_t run_read(struct op_priv *p)
{
	return preadv(p->fd, p->file.iov, (int)p->niov, (off_t)p->file.off);
}

static int64_t run_write(struct op_priv *p)
{
	return pwritev2(p->fd, p->file.iov, (int)p->niov, (off_t)p->file.off,
		p->file.mode & LOOP_DSYNC ? RWF_DSYNC : 0);
}

static int64_t run_fsync(struct op_priv *p)
{
	return p->file.mode ? fdatasync(p->fd) : fsync(p->fd);
}

static int64_t run_fallocate(struct op_priv *p)
{
	return fallocate(p->fd, p->file.mode, (off_t)p->file.off, (off_t)p->file.len);
}

static int64_t (*const file_calls[])(struct op_priv *) = {
	[OP_READ] = run_read,
	[OP_WRITE] = run_write,
	[OP_FSYNC] = run_fsync,
	[OP_FALLOCATE] = run_fallocate,
};

static int item_run(struct op_priv *p)
{
	int64_t n;

	if (p->kind == OP_WORK)
		return p->file.fn((void *)p->file.iov);
	do {
		n = file_calls[p->kind](p);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n; /* one call moves less than 2 GiB */
}

/* On the loop: the answer of a worker. */
static void item_back(struct loop *loop, struct loop_msg *msg)
{
	struct loop_op *op = op_of_item(container_of(msg, struct work_item, back));

	loop_op_finish(op, op_priv(op)->res);
}

/* ---- threads ------------------------------------------------------------------------------ */

static bool lane_startable(const struct workers *w, const struct lane *l)
{
	return !list_empty(&l->items) && l->nrunning < w->lane_max;
}

/* Put the lane into or out of the runnable list, as it is now. */
static void lane_update(struct workers *w, struct lane *l)
{
	if (!lane_startable(w, l))
		list_del(&l->runnable);
	else if (!list_linked(&l->runnable))
		list_push_back(&w->files, &l->runnable);
}

/* The next item that may run now, marked as running; NULL if there is none. Lock held. */
static struct work_item *item_take(struct workers *w)
{
	struct work_item *it = list_first(&w->calls, struct work_item, link);
	struct lane *l = NULL;

	if (!it) {
		if (w->nfiles >= w->files_max)
			return NULL;
		l = list_first(&w->files, struct lane, runnable);
		if (!l)
			return NULL;
		it = list_first(&l->items, struct work_item, link);
	}
	list_del(&it->link);
	it->running = true;
	if (l) {
		w->nfiles++;
		l->nrunning++;
		list_del(&l->runnable); /* lanes take turns */
		lane_update(w, l);
	}
	return it;
}

static void item_ended(struct workers *w, int32_t lane)
{
	if (lane < 0)
		return;
	w->nfiles--;
	w->lanes[lane].nrunning--;
	lane_update(w, &w->lanes[lane]);
}

/* True if the thread should look for work again, false if it should end. Lock held. */
static bool worker_idle(struct workers *w)
{
	struct timespec until;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WORKER_IDLE_S;
	w->nidle++;
	while (!w->nwake && !w->stop && ret != ETIMEDOUT)
		ret = w->nthreads == 1 ? pthread_cond_wait(&w->wake, &w->lock)
				       : pthread_cond_timedwait(&w->wake, &w->lock, &until);
	if (w->nwake) {
		w->nwake--;
		return true;
	}
	w->nidle--;
	return !w->stop && w->nthreads == 1;
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	struct work_item *it;

	pthread_setname_np(pthread_self(), "worker");
	pthread_mutex_lock(&w->lock);
	for (;;) {
		it = item_take(w);
		if (it) {
			struct loop_op *op = op_of_item(it);
			struct loop *loop = op->loop;
			int32_t lane = it->lane;

			pthread_mutex_unlock(&w->lock);
			op_priv(op)->res = item_run(op_priv(op));
			loop_post(loop, &it->back); /* op is no longer ours */
			pthread_mutex_lock(&w->lock);
			item_ended(w, lane);
		} else if (!worker_idle(w)) {
			break;
		}
	}
	w->nthreads--;
	pthread_cond_broadcast(&w->ended);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Lock held. -errno if no thread could be started. */
static int worker_start(struct workers *w)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t t;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&t, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!ret)
		w->nthreads++;
	return -ret;
}

/* ---- interface ---------------------------------------------------------------------------- */

int workers_new(struct workers **ret, unsigned max)
{
	struct workers *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (!w)
		return -ENOMEM;
	w->max = max && max < WORKERS_MAX ? max : WORKERS_MAX;
	w->files_max = w->max > 2 * WORKERS_RESERVED ? w->max - WORKERS_RESERVED : (w->max + 1) / 2;
	w->lane_max =
		w->files_max > WORKERS_PER_FILE_MAX ? WORKERS_PER_FILE_MAX : (w->files_max + 1) / 2;
	list_init(&w->calls);
	list_init(&w->files);
	for (unsigned i = 0; i < LANES; i++) {
		list_init(&w->lanes[i].items);
		list_init(&w->lanes[i].runnable);
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->ended, &attr);
	pthread_condattr_destroy(&attr);
	/* One always: later ones are wishes, so that submitting cannot fail. */
	pthread_mutex_lock(&w->lock);
	r = worker_start(w);
	pthread_mutex_unlock(&w->lock);
	if (r) {
		workers_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct workers *workers_free(struct workers *w)
{
	if (!w)
		return NULL;
	pthread_mutex_lock(&w->lock);
	assert(list_empty(&w->calls) && list_empty(&w->files));
	w->stop = true;
	pthread_cond_broadcast(&w->wake);
	while (w->nthreads)
		pthread_cond_wait(&w->ended, &w->lock);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&w->ended);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

void workers_submit(struct workers *w, struct loop_op *op)
{
	struct op_priv *p = op_priv(op);
	struct work_item *it = &p->file.item;
	bool startable = true;

	list_init(&it->link);
	it->running = false;
	it->back = (struct loop_msg){ .fn = item_back };
	it->lane = p->kind == OP_WORK ? -1 : (int32_t)((uint32_t)p->fd % LANES);
	p->flags |= OPF_QUEUED;
	pthread_mutex_lock(&w->lock);
	if (it->lane < 0) {
		list_push_back(&w->calls, &it->link);
	} else {
		struct lane *l = &w->lanes[it->lane];

		list_push_back(&l->items, &it->link);
		lane_update(w, l);
		startable = list_linked(&l->runnable) && w->nfiles < w->files_max;
	}
	if (startable) {
		if (w->nidle) {
			w->nidle--;
			w->nwake++;
			pthread_cond_signal(&w->wake);
		} else if (w->nthreads < w->max) {
			(void)worker_start(w); /* else one of those running takes it */
		}
	}
	pthread_mutex_unlock(&w->lock);
}

void workers_cancel(struct workers *w, struct loop_op *op)
{
	struct work_item *it = &op_priv(op)->file.item;
	bool taken;

	pthread_mutex_lock(&w->lock);
	taken = it->running;
	if (!taken) {
		list_del(&it->link);
		if (it->lane >= 0)
			lane_update(w, &w->lanes[it->lane]);
	}
	pthread_mutex_unlock(&w->lock);
	if (!taken)
		loop_op_ready(op->loop, op, -ECANCELED);
}

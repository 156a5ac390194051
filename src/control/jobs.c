/* SPDX-License-Identifier: BSD-3-Clause */
/* jobs.c: threads that come when there is work and none is idle, and stay. */
#include "control/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/list.h"
#include "control/limits.h"
#include "tree/node.h"

struct jobs {
	struct poller *poller;
	struct tree *tree;
	pthread_mutex_t lock; /* of all below; the turn may be held when it is taken, not after */
	pthread_cond_t work, ended;
	struct list todo; /* struct job */
	unsigned nidle, nthreads, ntodo;
	bool stop;
};

int jobs_new(struct poller *p, struct tree *t, struct jobs **ret)
{
	struct jobs *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return -ENOMEM;
	w->poller = p;
	w->tree = t;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &attr);
	pthread_cond_init(&w->ended, &attr);
	pthread_condattr_destroy(&attr);
	list_init(&w->todo);
	*ret = w;
	return 0;
}

static void job_done(struct poller_msg *msg)
{
	struct job *job = container_of(msg, struct job, msg);

	job->done(job);
}

static void run(struct jobs *w, struct job *job)
{
	bool tell = job->done;

	tree_enter(w->tree);
	job->run(job);
	tree_leave(w->tree);
	/* Without done() the job may be gone. */
	if (tell)
		poller_post(w->poller, &job->msg);
}

static void *worker(void *arg)
{
	struct jobs *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct list *l = list_pop_front(&w->todo);

		if (!l) {
			w->nidle++;
			pthread_cond_wait(&w->work, &w->lock);
			w->nidle--;
			continue;
		}
		w->ntodo--;
		pthread_mutex_unlock(&w->lock);
		run(w, container_of(l, struct job, link));
		pthread_mutex_lock(&w->lock);
	}
	w->nthreads--;
	pthread_cond_broadcast(&w->ended);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int one_more(struct jobs *w)
{
	pthread_attr_t attr;
	pthread_t th;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&th, &attr, worker, w);
	pthread_attr_destroy(&attr);
	if (!r)
		w->nthreads++;
	return r;
}

int jobs_post(struct jobs *w, struct job *job)
{
	int r = 0;

	job->w = w;
	job->msg = (struct poller_msg){ .fn = job_done };
	list_init(&job->link);
	pthread_mutex_lock(&w->lock);
	if (w->stop)
		r = -EAGAIN;
	else if (w->nidle <= w->ntodo && w->nthreads < CONTROL_WORKERS_MAX && one_more(w) &&
		 !w->nthreads)
		r = -EAGAIN;
	if (!r) {
		list_push_back(&w->todo, &job->link);
		w->ntodo++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

bool jobs_stop(struct jobs *w, uint64_t timeout_ns)
{
	uint64_t end = clock_now_ns() + timeout_ns;
	struct timespec ts = { .tv_sec = (time_t)(end / NS_PER_S),
		.tv_nsec = (long)(end % NS_PER_S) };
	bool ended;
	int r = 0;

	tree_leave(w->tree);
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	while (list_pop_front(&w->todo))
		;
	pthread_cond_broadcast(&w->work);
	while (w->nthreads && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&w->ended, &w->lock, &ts);
	ended = !w->nthreads;
	pthread_mutex_unlock(&w->lock);
	tree_enter(w->tree);
	return ended;
}

struct jobs *jobs_free(struct jobs *w)
{
	if (!w)
		return NULL;
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}

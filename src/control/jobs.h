/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.h: threads for what may take long: requests of the control socket, loading, saving. The
 * control thread itself only waits for events and hands work on.
 */
#ifndef ULIO_CONTROL_JOBS_H
#define ULIO_CONTROL_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/poller.h"

struct jobs;
struct tree;

/*
 * A piece of work, embedded in its owner's object. run() runs on a worker, with the tree's turn;
 * then done() on the control thread, with the turn too: from then on the job may be posted again.
 */
struct job {
	void (*run)(struct job *job);
	void (*done)(struct job *job); /* NULL: nothing is to be done then */
	/* The rest belongs to the workers. */
	struct list link;
	struct jobs *w;
	struct poller_msg msg;
};

/* poller and tree are borrowed. 0 or -ENOMEM. Control thread, as all below. */
int jobs_new(struct poller *p, struct tree *t, struct jobs **ret);
/*
 * Nothing is begun any more; jobs that wait are dropped, without done(). The caller has the turn
 * and gives it up while it waits for those that run. False: after timeout_ns some still do, and w
 * lives on with them; the caller must not take down what they use.
 */
bool jobs_stop(struct jobs *w, uint64_t timeout_ns);
/* After jobs_stop() was true. Returns NULL. */
struct jobs *jobs_free(struct jobs *w);

/*
 * Have job run as soon as a worker is free; jobs begin in the order in which they were posted. 0,
 * or -EAGAIN: no thread can be had, or the workers have been stopped; then it will not run.
 */
int jobs_post(struct jobs *w, struct job *job);

#endif

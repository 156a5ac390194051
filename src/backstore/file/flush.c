/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush.c: one fdatasync at a time for all requests that wait for one. That is faster than one for
 * each, and it is needed: the kernel tells a lost write to one fdatasync only, so a second that ran
 * beside it would be told that all is well.
 */
#include <errno.h>
#include <stdlib.h>

#include "backstore/file/file_priv.h"
#include "base/log.h"

void file_fail(struct file *f, const char *what, int res)
{
	if (!atomic_exchange(&f->failed, true))
		log_obj(LOG_LEVEL_ERROR, "file", f->name,
			"%s: %s (%s): data may be lost; every request fails until it is opened "
			"again",
			f->path, what, err_text(res));
}

static void flush_back(struct loop *loop, struct loop_msg *msg)
{
	struct flush_wait *w = container_of(msg, struct flush_wait, msg);

	w->done(w);
}

/* Tell all of the batch, each on its loop. */
static void flush_tell(struct file *f, struct loop *loop, int res)
{
	struct list batch;
	struct list *n;

	list_init(&batch);
	list_splice_back(&batch, &f->flush_batch);
	while ((n = list_pop_front(&batch))) {
		struct flush_wait *w = container_of(n, struct flush_wait, link);

		w->res = res;
		if (w->loop == loop) {
			w->done(w);
			continue;
		}
		w->msg.fn = flush_back;
		loop_post(w->loop, &w->msg);
	}
}

/* Those that wait become the batch. False: nobody waits, and this was the last. */
static bool flush_take(struct file *f)
{
	bool more;

	pthread_mutex_lock(&f->flush_lock);
	more = !list_empty(&f->flush_waiting);
	list_splice_back(&f->flush_batch, &f->flush_waiting);
	f->flushing = more;
	pthread_mutex_unlock(&f->flush_lock);
	return more;
}

static void flush_done(struct loop_op *op, int res);

static void flush_go(struct file *f, struct loop *loop)
{
	while (flush_take(f)) {
		if (!atomic_load(&f->failed)) {
			f->flush_loop = loop;
			f->flush_op.done = flush_done;
			loop_fsync(loop, &f->flush_op, f->fd, true);
			return;
		}
		flush_tell(f, loop, -EIO);
	}
}

static void flush_done(struct loop_op *op, int res)
{
	struct file *f = container_of(op, struct file, flush_op);
	struct loop *loop = f->flush_loop;

	if (res < 0)
		file_fail(f, "flush failed", res);
	flush_tell(f, loop, res < 0 ? -EIO : 0);
	flush_go(f, loop);
}

void file_flush(struct file *f, struct flush_wait *w)
{
	bool start;

	pthread_mutex_lock(&f->flush_lock);
	list_push_back(&f->flush_waiting, &w->link);
	start = !f->flushing;
	f->flushing = true;
	pthread_mutex_unlock(&f->flush_lock);
	if (start)
		flush_go(f, w->loop);
}

/* ---- for the control thread ----------------------------------------------------------------- */

struct flush_call {
	struct flush_wait wait;
	struct file *f;
	struct loop_event event;
};

static void call_done(struct flush_wait *w)
{
	loop_event_signal(&container_of(w, struct flush_call, wait)->event);
}

static void call_start(struct loop *loop, void *arg)
{
	struct flush_call *c = arg;

	c->wait.loop = loop;
	c->wait.done = call_done;
	file_flush(c->f, &c->wait);
}

int file_flush_blocking(struct file *f)
{
	struct flush_call *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->f = f;
	loop_event_init(&c->event, f->loops);
	loops_call(f->loops, loops_get(f->loops, 0), call_start, c);
	while (loop_event_wait(&c->event, UINT64_C(1000000000) * FILE_WAIT_S) < 0)
		; /* as long as it takes: it has our memory */
	r = c->wait.res;
	free(c);
	return r;
}

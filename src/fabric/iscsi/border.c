/* SPDX-License-Identifier: BSD-3-Clause */
/* border.c: a task and its command on different loops, and how a task gets there. */
#include "fabric/iscsi/border.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/cmd.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

/* It has a border from its first move on. */
struct border {
	struct task *task;
	struct sess *sess; /* ref: tasks end before the entity does */

	/* The home loop's. */
	struct loop *at; /* where the task is, or goes to; NULL: it is here */

	/* Under sess->lock. */
	unsigned events; /* enum border_event: not taken yet */
	bool posted; /* `told` is on its way */
	bool moving; /* events are taken when it has arrived */
	bool leaving; /* it moves as soon as `told` has come */
	uint32_t want; /* bytes; of which there is memory for … */
	uint32_t room;
	bool no_memory;

	/* The task's loop's. */
	bool gave_up;
	enum sense_name error; /* of the data */
	struct conn *to; /* pinned by who moves it */
	border_arrived_fn *arrived;
	void *arg;

	struct loop_msg told; /* home to task: look at events */
	struct loop_msg move; /* the task itself */
	/* Task to home, in this order. */
	struct loop_msg data, quit, gone;
};

static void told(struct loop *loop, struct loop_msg *msg);
static void moved(struct loop *loop, struct loop_msg *msg);
static void data_came(struct loop *loop, struct loop_msg *msg);
static void quit_came(struct loop *loop, struct loop_msg *msg);
static void gone_came(struct loop *loop, struct loop_msg *msg);

static struct border *border_new(struct task *task)
{
	struct border *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->task = task;
	b->sess = task->conn->sess;
	sess_ref(b->sess);
	b->told.fn = told;
	b->move.fn = moved;
	b->data.fn = data_came;
	b->quit.fn = quit_came;
	b->gone.fn = gone_came;
	return b;
}

static struct loop *home_of(const struct task *task)
{
	return task->cmd->loop;
}

/* ---- from home ------------------------------------------------------------------------------- */

bool border_is_away(const struct task *task)
{
	return task->border && task->border->at;
}

void border_tell(struct task *task, enum border_event event)
{
	struct border *b = task->border;

	pthread_mutex_lock(&b->sess->lock);
	b->events |= event;
	if (!b->posted && !b->moving) {
		b->posted = true;
		loop_post(b->at, &b->told);
	}
	pthread_mutex_unlock(&b->sess->lock);
}

void border_want(struct task *task, uint32_t bytes)
{
	struct border *b = task->border;
	uint32_t more = bytes > b->room ? bytes - b->room : 0;
	/* Without room there are no data of it yet, so nobody looks at cmd->out now. */
	bool lacking = more && cmd_data_add_pages(task->cmd, &task->cmd->out, more);

	pthread_mutex_lock(&b->sess->lock);
	b->want = bytes;
	b->no_memory = lacking;
	if (!lacking)
		b->room += more;
	pthread_mutex_unlock(&b->sess->lock);
	border_tell(task, BORDER_WANT);
}

/* What the engine has said, on the task's loop. */
static void act(struct border *b, unsigned events)
{
	struct task *task = b->task;

	if (events & BORDER_ABORTED) {
		task_gone(task);
	} else if (events & BORDER_STATUS) {
		task_ended(task);
	} else if (events & BORDER_WANT) {
		if (b->no_memory && task->data_error == SENSE_NO_SENSE)
			task->data_error = SENSE_ABORTED_COMMAND;
		task->room = b->room;
		task_collect(task, b->want);
	}
}

static void travel(struct border *b, struct loop *here);

static void told(struct loop *loop, struct loop_msg *msg)
{
	struct border *b = container_of(msg, struct border, told);
	bool leaving;
	unsigned events = 0;

	pthread_mutex_lock(&b->sess->lock);
	b->posted = false;
	leaving = b->leaving;
	b->leaving = false;
	if (leaving)
		b->moving = true;
	else
		events = b->events;
	if (!leaving)
		b->events = 0;
	pthread_mutex_unlock(&b->sess->lock);
	if (leaving)
		travel(b, loop);
	else
		act(b, events);
}

/* ---- to home --------------------------------------------------------------------------------- */

bool border_is_foreign(const struct task *task)
{
	return task->border && task->conn->loop != home_of(task);
}

void border_data_done(struct task *task, enum sense_name error)
{
	struct border *b = task->border;

	b->error = error;
	loop_post(home_of(task), &b->data);
}

static void data_came(struct loop *loop, struct loop_msg *msg)
{
	struct border *b = container_of(msg, struct border, data);
	struct cmd *cmd = b->task->cmd;

	/* Aborted meanwhile: the task is being told. */
	if (cmd->state != CMD_DATA_OUT)
		return;
	if (b->error == SENSE_NO_SENSE)
		cmd_data_cut(cmd, &cmd->out, b->want);
	cmd_data_out_done(cmd, b->error);
}

void border_give_up(struct task *task)
{
	struct border *b = task->border;

	if (b->gave_up)
		return;
	b->gave_up = true;
	loop_post(home_of(task), &b->quit);
}

static void quit_came(struct loop *loop, struct loop_msg *msg)
{
	cmd_give_up(container_of(msg, struct border, quit)->task->cmd);
}

void border_free(struct task *task)
{
	loop_post(home_of(task), &task->border->gone);
}

static void gone_came(struct loop *loop, struct loop_msg *msg)
{
	struct border *b = container_of(msg, struct border, gone);
	struct sess *sess = b->sess;

	assert(!b->posted && !b->moving && !b->events);
	task_release(b->task, sess->entity, loop);
	free(b);
	sess_unref(sess);
}

void border_done(struct task *task)
{
	struct border *b = task->border;

	if (!b)
		return;
	assert(!b->posted && !b->moving && !b->at);
	task->border = NULL;
	sess_unref(b->sess);
	free(b);
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* It is at its new connection. */
static void arrive(struct border *b, struct loop *loop)
{
	struct task *task = b->task;
	unsigned events;

	if (loop == home_of(task))
		b->at = NULL;
	task_attach(task, b->to);
	pthread_mutex_lock(&b->sess->lock);
	b->moving = false;
	events = b->events;
	b->events = 0;
	pthread_mutex_unlock(&b->sess->lock);
	b->arrived(task, b->arg, events & BORDER_ABORTED);
	/* A task that had its status may be over now, and b with it. */
	if (events)
		act(b, events);
}

/* Events are kept from here on until it arrives. */
static void travel(struct border *b, struct loop *here)
{
	struct loop *home = home_of(b->task), *dest = b->to->loop;

	if (here == home) {
		b->room = b->task->room;
		b->want = b->task->want;
		b->at = dest;
		loop_post(dest, &b->move);
	} else {
		loop_post(home, &b->move);
	}
}

static void moved(struct loop *loop, struct loop_msg *msg)
{
	struct border *b = container_of(msg, struct border, move);

	if (loop == b->to->loop && loop == b->at)
		arrive(b, loop);
	else
		travel(b, loop);
}

int border_move(struct task *task, struct conn *to, border_arrived_fn *arrived, void *arg)
{
	struct loop *here = task->conn->loop;
	struct border *b = task->border;
	bool wait;

	assert(!task->receiving && !task->sending);
	if (!b)
		b = task->border = border_new(task);
	if (!b)
		return -ENOMEM;
	b->to = to;
	b->arrived = arrived;
	b->arg = arg;
	task_detach(task);
	pthread_mutex_lock(&b->sess->lock);
	wait = b->posted;
	b->leaving = wait;
	b->moving = !wait;
	pthread_mutex_unlock(&b->sess->lock);
	if (!wait)
		travel(b, here);
	return 0;
}

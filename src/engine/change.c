/* SPDX-License-Identifier: BSD-3-Clause */
/* change.c: the queue of an LU's changes, and the way of one through it. */
#include "engine/change.h"

#include <assert.h>

#include "base/log.h"
#include "engine/engine_priv.h"

/* Of lu_step_run(): outlives done(), which the step need not. */
struct lu_step_wait {
	struct lu_step *s;
	struct lu *lu;
	struct loop_event over;
	int error;
	bool stuck;
};

static void turn_post(struct lu_step *s, loop_msg_fn *fn)
{
	s->turn = (struct loop_msg){ .fn = fn };
	loop_post(s->loop, &s->turn);
}

static void step_turn(struct loop *loop, struct loop_msg *msg);

/* Out of the queue; whoever waits behind it goes on. */
static void step_leave(struct lu_step *s)
{
	struct lu_step *next;

	pthread_mutex_lock(&s->lu->lock);
	list_del(&s->link);
	next = list_first(&s->lu->steps, struct lu_step, link);
	pthread_mutex_unlock(&s->lu->lock);
	if (next)
		turn_post(next, step_turn);
}

static void step_release(struct lu_step *s)
{
	struct lu *lu = s->lu;

	s->ops->release(s);
	atomic_fetch_sub(&lu->holds, 1);
}

static void step_tell(struct lu_step *s, int error, bool stuck)
{
	struct lu_step_wait *wait = s->wait;

	s->told = true;
	if (s->cmd)
		s->cmd->change = NULL;
	s->ops->done(s, error, stuck);
	s->cmd = NULL;
	if (!wait)
		return;
	wait->error = error;
	wait->stuck = stuck;
	loop_event_signal(&wait->over);
}

/* It ends without having changed anything. */
static void step_end(struct lu_step *s, int error)
{
	if (!s->given_up)
		step_tell(s, error, false);
	step_leave(s);
	step_release(s);
}

/* ---- drain ---------------------------------------------------------------------------------- */

static void drain_begin(struct drain *d, struct loop *loop)
{
	struct lu_step *s = container_of(d, struct lu_step, drain);

	if (s->aborts)
		abort_commands(&s->scope, s->lu, loop);
}

static bool drain_clear(struct drain *d, struct loop *loop)
{
	const struct lu_step *s = container_of(d, struct lu_step, drain);
	const struct cmd *cmd;

	if (s->aborts && !abort_has_ended(&s->scope, s->lu, loop))
		return false;
	if (!s->ops->excludes)
		return true;
	list_for_each (cmd, &lu_loop(s->lu, loop)->cmds, struct cmd, link)
		if ((cmd->in_io || cmd->state == CMD_GATED) && s->ops->excludes(s, cmd))
			return false;
	return true;
}

static void drained(struct drain *d)
{
	struct lu_step *s = container_of(d, struct lu_step, drain);

	loop_timer_disarm(s->loop, &s->timer);
	if (!s->told) {
		step_tell(s, 0, false);
		step_leave(s);
	}
	step_release(s);
}

static void step_stuck(struct loop_timer *t)
{
	struct lu_step *s = container_of(t, struct lu_step, timer);

	log_obj(LOG_LEVEL_ERROR, "engine", s->lu->name,
		"the disk does not give back a command that a change of reservations or access "
		"states waits for: look after the disk");
	step_tell(s, 0, true);
	step_leave(s);
}

static void step_drain(struct loop *loop, struct loop_msg *msg)
{
	struct lu_step *s = container_of(msg, struct lu_step, turn);

	/* What is published stays so: without memory the try is repeated. */
	if (drain_start(&s->drain, s->lu->eng, loop))
		loop_post(loop, &s->turn);
}

/* ---- the way -------------------------------------------------------------------------------- */

static void step_publish(struct lu_step *s)
{
	pthread_mutex_lock(&s->lu->lock);
	s->ops->publish(s);
	pthread_mutex_unlock(&s->lu->lock);
	s->state = STEP_PUBLISHED;
	loop_timer_arm(s->loop, &s->timer, TMF_STUCK_NS);
	s->turn = (struct loop_msg){ .fn = step_drain };
	step_drain(s->loop, &s->turn);
}

static int commit_run(void *arg)
{
	struct lu_step *s = arg;

	return s->ops->commit(s);
}

static void committed(struct loop_op *op, int res)
{
	struct lu_step *s = container_of(op, struct lu_step, op);

	if (res < 0)
		step_end(s, res);
	else
		step_publish(s);
}

static void step_turn(struct loop *loop, struct loop_msg *msg)
{
	struct lu_step *s = container_of(msg, struct lu_step, turn);

	if (s->given_up || (s->ops->decide && !s->ops->decide(s))) {
		step_end(s, 0);
		return;
	}
	if (!s->ops->commit || s->no_commit) {
		step_publish(s);
		return;
	}
	s->state = STEP_COMMITTING;
	s->op.done = committed;
	loop_work(loop, &s->op, commit_run, s);
}

void lu_step_start(struct lu_step *s, struct lu *lu, struct loop *loop)
{
	bool first;

	assert(!s->cmd || (s->cmd->loop == loop && s->cmd->state == CMD_ENABLED));
	s->lu = lu;
	s->loop = loop;
	s->state = STEP_QUEUED;
	s->given_up = s->told = false;
	s->timer = (struct loop_timer){ .fire = step_stuck };
	s->drain = (struct drain){ .begin = drain_begin, .clear = drain_clear, .done = drained };
	if (s->cmd)
		s->cmd->change = s;
	atomic_fetch_add(&lu->holds, 1);
	pthread_mutex_lock(&lu->lock);
	first = list_empty(&lu->steps);
	list_push_back(&lu->steps, &s->link);
	pthread_mutex_unlock(&lu->lock);
	if (first)
		turn_post(s, step_turn);
}

bool lu_step_detach(struct lu_step *s, bool nexus_lost)
{
	if (s->state == STEP_COMMITTING && !nexus_lost)
		return false;
	if (s->state == STEP_QUEUED)
		s->given_up = true;
	s->cmd->change = NULL;
	s->cmd = NULL;
	return true;
}

static void run_on_loop(struct loop *loop, void *arg)
{
	struct lu_step_wait *wait = arg;

	lu_step_start(wait->s, wait->lu, loop);
}

int lu_step_run(struct lu_step *s, struct lu *lu, bool *ret_stuck)
{
	struct loops *loops = lu->eng->loops;
	struct lu_step_wait wait = { .s = s, .lu = lu };

	s->cmd = NULL;
	s->wait = &wait;
	loop_event_init(&wait.over, loops);
	loops_call(loops, loops_get(loops, 0), run_on_loop, &wait);
	loop_event_wait_aside(&wait.over, UINT64_MAX);
	if (ret_stuck)
		*ret_stuck = wait.stuck;
	return wait.error;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c: the command window of a session, and whose turn it is (RFC 7143 4.2.2.1): by CmdSN over
 * all connections, whatever loops they are on.
 */
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

/* Under sess->lock. MaxCmdSN grows as commands end and never shrinks. */
static void open_window(struct sess *sess)
{
	uint32_t max = sess->exp_cmdsn + sess->depth - sess->active - 1;

	if (sna_lt(sess->max_cmdsn, max))
		sess->max_cmdsn = max;
}

void sess_window(struct sess *sess, uint32_t *ret_exp, uint32_t *ret_max)
{
	pthread_mutex_lock(&sess->lock);
	*ret_exp = sess->exp_cmdsn;
	*ret_max = sess->max_cmdsn;
	pthread_mutex_unlock(&sess->lock);
}

void sess_release_slot(struct sess *sess)
{
	pthread_mutex_lock(&sess->lock);
	sess->active--;
	open_window(sess);
	pthread_mutex_unlock(&sess->lock);
}

/* ---- turns: all of these under sess->lock ---------------------------------------------------- */

static bool must_wait(const struct sess *sess, const struct sess_turn *turn)
{
	if (!sess->many)
		return false;
	return sess->barrier || (turn->barrier && sess->entering) || (turn->scsi && sess->ordered);
}

static void begin_turn(struct sess *sess, struct sess_turn *turn)
{
	turn->counted = sess->many;
	if (!turn->counted)
		return;
	sess->entering++;
	if (turn->barrier)
		sess->barrier = true;
}

static void end_turn(struct sess *sess, const struct sess_turn *turn)
{
	if (!turn->counted)
		return;
	sess->entering--;
	if (turn->barrier)
		sess->barrier = false;
}

static void take_number(struct sess *sess, const struct sess_turn *turn)
{
	sess->exp_cmdsn++;
	if (turn->scsi)
		sess->active++;
	open_window(sess);
}

/* Under sess->lock: one of that number waits for its turn. */
static bool is_held(const struct sess *sess, uint32_t cmdsn)
{
	const struct task *t;

	list_for_each (t, &sess->held, struct task, link) {
		if (sna_lt(cmdsn, t->cmdsn))
			return false;
		if (t->cmdsn == cmdsn && !t->immediate)
			return true;
	}
	return false;
}

bool sess_is_early(struct sess *sess, uint32_t cmdsn)
{
	bool early;

	pthread_mutex_lock(&sess->lock);
	early = (sess->many || sna_lt(sess->exp_cmdsn, cmdsn)) &&
		sna_le(cmdsn, sess->max_cmdsn + 1);
	pthread_mutex_unlock(&sess->lock);
	return early;
}

enum sess_order sess_order_of(struct sess *sess, uint32_t cmdsn, struct sess_turn *turn)
{
	enum sess_order order = SESS_HELD;

	pthread_mutex_lock(&sess->lock);
	if (sna_lt(cmdsn, sess->exp_cmdsn) || sna_lt(sess->max_cmdsn, cmdsn)) {
		order = SESS_IGNORE;
	} else if (is_held(sess, cmdsn)) {
		order = SESS_IGNORE;
	} else if (cmdsn == sess->exp_cmdsn && !must_wait(sess, turn)) {
		order = SESS_NOW;
		take_number(sess, turn);
		begin_turn(sess, turn);
	}
	pthread_mutex_unlock(&sess->lock);
	return order;
}

/* ---- what is held ---------------------------------------------------------------------------- */

/*
 * While commands wait for an ORDERED one that may not end: an immediate function for which all that
 * is older has come (4.2.3.3 b). Those that wait have no part in the engine; tmf.c sees to them.
 */
static struct task *next_function(const struct sess *sess)
{
	uint32_t next = sess->exp_cmdsn;
	struct task *t;

	list_for_each (t, &sess->held, struct task, link) {
		if (t->immediate && t->turn.function && sna_le(t->cmdsn, next))
			return t;
		if (!t->immediate && t->cmdsn != next++)
			break;
	}
	return NULL;
}

/* The oldest one, if it may have its turn now. */
static struct task *next_in_order(const struct sess *sess)
{
	struct task *t = list_first(&sess->held, struct task, link);

	/* An immediate function waits for what is older than it, and takes no number. */
	if (!t || (t->immediate ? sna_lt(sess->exp_cmdsn, t->cmdsn) : t->cmdsn != sess->exp_cmdsn))
		return NULL;
	return must_wait(sess, &t->turn) ? NULL : t;
}

/* Under sess->lock: the one whose turn is now; it has it then. */
static struct task *next_turn(struct sess *sess)
{
	struct task *t = next_in_order(sess);

	if (!t && sess->ordered && !sess->barrier && !sess->entering)
		t = next_function(sess);
	if (!t)
		return NULL;
	if (!t->immediate)
		take_number(sess, &t->turn);
	begin_turn(sess, &t->turn);
	list_del(&t->link);
	return t;
}

/* Under sess->lock, which is not held while it runs. */
static void run_here(struct sess *sess, struct task *t)
{
	struct sess_turn turn = t->turn;

	pthread_mutex_unlock(&sess->lock);
	task_run_held(t);
	pthread_mutex_lock(&sess->lock);
	end_turn(sess, &turn);
}

/* Under sess->lock: to the loop of its connection, which its task keeps. */
static void hand_over(struct task *t)
{
	struct conn *conn = t->conn;

	list_push_back(&conn->turns, &t->link);
	if (!conn->turns_posted)
		loop_post(conn->loop, &conn->turns_msg);
	conn->turns_posted = true;
}

/* Under sess->lock. */
static void run_held(struct sess *sess, struct loop *loop)
{
	struct task *t;

	while ((t = next_turn(sess))) {
		if (t->conn->loop == loop)
			run_here(sess, t);
		else
			hand_over(t);
	}
}

void sess_run_held(struct sess *sess, struct loop *loop)
{
	pthread_mutex_lock(&sess->lock);
	run_held(sess, loop);
	pthread_mutex_unlock(&sess->lock);
}

void sess_turns_came(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, turns_msg);
	struct sess *sess = conn->sess;
	struct list *n;

	pthread_mutex_lock(&sess->lock);
	while ((n = list_pop_front(&conn->turns)))
		run_here(sess, container_of(n, struct task, link));
	conn->turns_posted = false;
	run_held(sess, loop);
	pthread_mutex_unlock(&sess->lock);
}

void sess_turn_over(struct sess *sess, struct loop *loop, const struct sess_turn *turn)
{
	/* With one connection nobody else touches the list. */
	if (!turn->counted && list_empty(&sess->held))
		return;
	pthread_mutex_lock(&sess->lock);
	end_turn(sess, turn);
	run_held(sess, loop);
	pthread_mutex_unlock(&sess->lock);
}

bool sess_hold(struct sess *sess, struct task *task)
{
	struct list *at;
	bool held = true;

	task->state = TASK_HELD;
	pthread_mutex_lock(&sess->lock);
	if (!task->immediate &&
		(sna_lt(task->cmdsn, sess->exp_cmdsn) || sna_lt(sess->max_cmdsn, task->cmdsn)))
		held = false;
	for (at = sess->held.prev; held && at != &sess->held; at = at->prev) {
		const struct task *t = container_of(at, struct task, link);

		if (t->cmdsn == task->cmdsn && !task->immediate && !t->immediate)
			held = false;
		/* What is immediate was sent before what has the number that it came with. */
		if (sna_lt(t->cmdsn, task->cmdsn) || (t->cmdsn == task->cmdsn && t->immediate))
			break;
	}
	if (held) {
		list_push_front(at, &task->link);
		/* On its way here its turn may have come. */
		run_held(sess, task->conn->loop);
	}
	pthread_mutex_unlock(&sess->lock);
	return held;
}

void sess_drop_held(struct sess *sess, struct conn *conn)
{
	struct list mine = LIST_INIT(mine), *n;
	struct task *t, *tmp;

	pthread_mutex_lock(&sess->lock);
	list_for_each_safe (t, tmp, &sess->held, struct task, link) {
		if (t->conn != conn)
			continue;
		list_del(&t->link);
		list_push_back(&mine, &t->link);
	}
	pthread_mutex_unlock(&sess->lock);
	while ((n = list_pop_front(&mine)))
		task_kill(container_of(n, struct task, link));
}

/* ---- ORDERED over loops ---------------------------------------------------------------------- */

void sess_ordered_begin(struct sess *sess, const struct task *task)
{
	pthread_mutex_lock(&sess->lock);
	sess->ordered = task;
	pthread_mutex_unlock(&sess->lock);
}

void sess_ordered_end(struct sess *sess, const struct task *task, struct loop *loop)
{
	pthread_mutex_lock(&sess->lock);
	if (sess->ordered == task)
		sess->ordered = NULL;
	run_held(sess, loop);
	pthread_mutex_unlock(&sess->lock);
}

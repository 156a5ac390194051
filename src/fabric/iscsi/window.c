/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c: the command window of a session, and whose turn it is (RFC 7143 4.2.2.1): by CmdSN over
 * all connections, whatever loops they are on.
 */
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

/* Under sess->lock. MaxCmdSN grows as commands have ended and never shrinks. */
static void open_window(struct sess *sess)
{
	uint32_t max = sess->exp_cmdsn + sess->depth - atomic_load(&sess->active) - 1;

	if (sna_lt(sess->max_cmdsn, max))
		sess->max_cmdsn = max;
}

void sess_window(struct sess *sess, uint32_t *ret_exp, uint32_t *ret_max)
{
	pthread_mutex_lock(&sess->lock);
	open_window(sess);
	*ret_exp = sess->exp_cmdsn;
	*ret_max = sess->max_cmdsn;
	pthread_mutex_unlock(&sess->lock);
}

void sess_release_slot(struct sess *sess)
{
	atomic_fetch_sub(&sess->active, 1);
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
		atomic_fetch_add(&sess->active, 1);
}

/* One with the number that is next waits for its turn. */
static bool next_is_held(const struct sess *sess)
{
	const struct task *t;

	list_for_each (t, &sess->held, struct task, link) {
		if (sna_lt(sess->exp_cmdsn, t->cmdsn))
			return false;
		if (!t->immediate)
			return true;
	}
	return false;
}

/* HELD: unless one with that number is held already, which hold() tells. */
static enum sess_order order_of(struct sess *sess, uint32_t cmdsn, struct sess_turn *turn)
{
	if (sna_lt(cmdsn, sess->exp_cmdsn) || sna_lt(sess->max_cmdsn, cmdsn))
		return SESS_IGNORE;
	if (cmdsn != sess->exp_cmdsn || must_wait(sess, turn))
		return SESS_HELD;
	if (next_is_held(sess))
		return SESS_IGNORE;
	take_number(sess, turn);
	begin_turn(sess, turn);
	return SESS_NOW;
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
	enum sess_order order;

	pthread_mutex_lock(&sess->lock);
	order = order_of(sess, cmdsn, turn);
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
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): all in it are tasks */
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

/* Tasks that have their turn: those of this loop, and connections of others (turns_link). */
struct given {
	struct list mine, others;
};

/* Under sess->lock: for the loop of its connection, which its task keeps. */
static void hand_over(struct task *t, struct list *others)
{
	struct conn *conn = t->conn;

	list_push_back(&conn->turns, &t->link);
	if (!conn->turns_posted)
		list_push_back(others, &conn->turns_link);
	conn->turns_posted = true;
}

/* Under sess->lock: to all whose turn it is now, in order. */
static void give_turns(struct sess *sess, struct loop *loop, struct given *g)
{
	struct task *t;

	while ((t = next_turn(sess))) {
		if (t->conn->loop == loop)
			list_push_back(&g->mine, &t->link);
		else
			hand_over(t, &g->others);
		/* A logout drops what is held behind it. */
		if (t->turn.barrier)
			break;
	}
}

/* A loop that is woken takes the lock at once. */
static void unlock_and_post(struct sess *sess, struct list *others)
{
	struct list *n;

	pthread_mutex_unlock(&sess->lock);
	while ((n = list_pop_front(others))) {
		struct conn *conn = container_of(n, struct conn, turns_link);

		loop_post(conn->loop, &conn->turns_msg);
	}
}

/* They enter the engine, or end; under sess->lock again. */
static void run_mine(struct sess *sess, struct list *mine)
{
	uint32_t counted = 0;
	bool barrier = false;
	struct list *n;

	while ((n = list_pop_front(mine))) {
		struct task *t = container_of(n, struct task, link);

		counted += t->turn.counted;
		barrier |= t->turn.counted && t->turn.barrier;
		task_run(t);
	}
	pthread_mutex_lock(&sess->lock);
	sess->entering -= counted;
	if (barrier)
		sess->barrier = false;
}

/*
 * Under sess->lock, which it lets go of: those in g->mine have their turn, then what that lets go
 * on. Other loops are told before, so that they need not wait for ours.
 */
static void run_turns(struct sess *sess, struct loop *loop, struct given *g)
{
	for (;;) {
		give_turns(sess, loop, g);
		unlock_and_post(sess, &g->others);
		if (list_empty(&g->mine))
			return;
		run_mine(sess, &g->mine);
	}
}

static void given_init(struct given *g)
{
	list_init(&g->mine);
	list_init(&g->others);
}

/* Under sess->lock, which it lets go of. */
static void run_held(struct sess *sess, struct loop *loop)
{
	struct given g;

	given_init(&g);
	run_turns(sess, loop, &g);
}

void sess_run_held(struct sess *sess, struct loop *loop)
{
	pthread_mutex_lock(&sess->lock);
	run_held(sess, loop);
}

void sess_turns_came(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, turns_msg);
	struct sess *sess = conn->sess;
	struct given g;

	given_init(&g);
	pthread_mutex_lock(&sess->lock);
	while (!list_empty(&conn->turns)) {
		list_splice_back(&g.mine, &conn->turns);
		pthread_mutex_unlock(&sess->lock);
		run_mine(sess, &g.mine);
	}
	conn->turns_posted = false;
	run_turns(sess, loop, &g);
}

void sess_turn_over(struct sess *sess, struct loop *loop, const struct sess_turn *turn)
{
	/* With one connection nobody else touches the list. */
	if (!turn->counted && list_empty(&sess->held))
		return;
	pthread_mutex_lock(&sess->lock);
	end_turn(sess, turn);
	run_held(sess, loop);
}

/* Under sess->lock: keep it until its turn. False: another one has that CmdSN. */
static bool hold(struct sess *sess, struct task *task)
{
	struct list *at;

	task->state = TASK_HELD;
	if (!task->immediate &&
		(sna_lt(task->cmdsn, sess->exp_cmdsn) || sna_lt(sess->max_cmdsn, task->cmdsn)))
		return false;
	for (at = sess->held.prev; at != &sess->held; at = at->prev) {
		const struct task *t = container_of(at, struct task, link);

		if (t->cmdsn == task->cmdsn && !task->immediate && !t->immediate)
			return false;
		/* What is immediate was sent before what has the number that it came with. */
		if (sna_lt(t->cmdsn, task->cmdsn) || (t->cmdsn == task->cmdsn && t->immediate))
			break;
	}
	list_push_front(at, &task->link);
	return true;
}

bool sess_hold(struct sess *sess, struct task *task)
{
	bool held;

	pthread_mutex_lock(&sess->lock);
	held = hold(sess, task);
	/* On its way here its turn may have come. */
	if (held)
		run_held(sess, task->conn->loop);
	else
		pthread_mutex_unlock(&sess->lock);
	return held;
}

void sess_arrived(struct conn *conn)
{
	struct list ignored = LIST_INIT(ignored), *n;
	struct sess *sess = conn->sess;
	struct given g;

	if (list_empty(&conn->arrivals))
		return;
	given_init(&g);
	pthread_mutex_lock(&sess->lock);
	while ((n = list_pop_front(&conn->arrivals))) {
		struct task *t = container_of(n, struct task, link);
		enum sess_order order = order_of(sess, t->cmdsn, &t->turn);

		if (order == SESS_NOW)
			list_push_back(&g.mine, n);
		else if (order == SESS_IGNORE || conn->left_sess || !hold(sess, t))
			list_push_back(&ignored, n);
	}
	run_turns(sess, conn->loop, &g);
	/* 4.2.2.1: silently */
	while ((n = list_pop_front(&ignored)))
		task_kill(container_of(n, struct task, link));
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
}

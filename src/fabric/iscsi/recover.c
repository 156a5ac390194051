/* SPDX-License-Identifier: BSD-3-Clause */
/* recover.c: connections that have failed and are kept for the recovery of their tasks. */
#include "fabric/iscsi/recover.h"

#include "base/clock.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

/* ---- keeping --------------------------------------------------------------------------------- */

static uint64_t time_ns(const struct sess *sess)
{
	return (sess->params.default_time2wait + sess->params.default_time2retain) * NS_PER_S;
}

static bool may_keep(const struct conn *conn)
{
	const struct sess *sess = conn->sess;

	/* 13.16: with Time2Retain 0 the state of tasks is given up at once. */
	return sess && !atomic_load(&conn->entity->stopping) && !sess->discovery &&
	       sess->params.error_recovery_level >= 2 && sess->params.default_time2retain > 0 &&
	       (!conn->logged_out || conn->recovered);
}

static void end_here(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, abort);

	recover_end(conn);
	conn_reap(conn);
}

/* Under sess->lock. */
static void end_later(struct conn *conn)
{
	if (conn->end_posted)
		return;
	conn->end_posted = true;
	conn->abort.fn = end_here;
	loop_post(conn->loop, &conn->abort);
}

/* Under sess->lock: an initiator that only loses connections does not get more of them. */
static void end_surplus(struct sess *sess)
{
	uint32_t most = 2 * sess->params.max_connections + RECOVER_CONNS_MORE, n = sess->nfailed;
	struct conn *conn;

	/* Those that were told to end before are counted until they have. */
	list_for_each (conn, &sess->failed, struct conn, failed_link) {
		if (n-- <= most)
			return;
		end_later(conn);
	}
}

/* Under sess->lock: into the list, by the order in which they joined. */
static void list_failed(struct sess *sess, struct conn *conn)
{
	struct list *at = sess->failed.prev;

	while (at != &sess->failed && container_of(at, struct conn, failed_link)->join > conn->join)
		at = at->prev;
	list_push_front(at, &conn->failed_link);
	sess->nfailed++;
	end_surplus(sess);
}

void recover_begin(struct conn *conn)
{
	struct sess *sess = conn->sess;

	if (!may_keep(conn))
		return;
	pthread_mutex_lock(&sess->lock);
	if (!sess->ending) {
		conn->keeps = true;
		conn->pins++;
		list_failed(sess, conn);
	}
	pthread_mutex_unlock(&sess->lock);
	if (conn->keeps)
		loop_timer_arm(conn->loop, &conn->timer, time_ns(sess));
}

void recover_end_all(struct sess *sess)
{
	struct conn *conn;

	list_for_each (conn, &sess->failed, struct conn, failed_link)
		end_later(conn);
}

void recover_stop(struct entity *e)
{
	struct sess *sess;

	engine_lock(e->eng);
	list_for_each (sess, &e->sessions, struct sess, entity_link) {
		pthread_mutex_lock(&sess->lock);
		recover_end_all(sess);
		pthread_mutex_unlock(&sess->lock);
	}
	engine_unlock(e->eng);
}

/* ---- logging out for recovery ---------------------------------------------------------------- */

static void answer(struct loop *loop, struct loop_msg *msg)
{
	struct recover *r = container_of(msg, struct recover, msg);

	r->done(r);
}

static void answer_later(struct recover *r)
{
	r->msg.fn = answer;
	loop_post(r->conn->loop, &r->msg);
}

/* The old connection is done with. */
static void let_go(struct recover *r)
{
	struct conn *old = r->old;

	pthread_mutex_lock(&old->sess->lock);
	old->visits--;
	pthread_mutex_unlock(&old->sess->lock);
	r->found = true;
	answer_later(r);
}

static void answer_all(struct conn *conn)
{
	struct list *n;

	while ((n = list_pop_front(&conn->recovers)))
		let_go(container_of(n, struct recover, link));
}

/* Tasks are on their way to it, from another connection or out of what was held. */
static bool expects_tasks(struct conn *conn)
{
	bool turns;

	pthread_mutex_lock(&conn->sess->lock);
	turns = conn->turns_posted;
	pthread_mutex_unlock(&conn->sess->lock);
	return turns || !list_empty(&conn->reassigns);
}

void recover_quiet(struct conn *conn)
{
	if (!conn->keeps || expects_tasks(conn))
		return;
	if (!conn->quiet) {
		conn->quiet = true;
		rx_done(conn);
		answer_all(conn);
	}
	if (conn->recovered && !conn->ntasks)
		recover_end(conn);
}

void recover_gone(struct conn *conn)
{
	answer_all(conn);
}

static void begin_cleanup(struct conn *conn)
{
	conn->recovered = true;
	/* 11.15.3, 11.15.4: the times begin with the logout. */
	if (conn->keeps)
		loop_timer_arm(conn->loop, &conn->timer, time_ns(conn->sess));
}

static void logout_old(struct loop *loop, struct loop_msg *msg)
{
	struct recover *r = container_of(msg, struct recover, msg);
	struct conn *old = r->old;

	old->by_peer = true;
	if (r->close) {
		old->logged_out = true;
		conn_close(old, "logged out by another connection");
		recover_end(old);
	} else {
		conn_close(old, "logged out for recovery by another connection");
		begin_cleanup(old);
	}
	if (old->keeps && old->quiet)
		let_go(r);
	else
		list_push_back(&old->recovers, &r->link);
	conn_reap(old);
}

static bool is_meant(const struct recover *r, const struct conn *conn)
{
	return r->exact ? conn->join == r->join : conn->cid == r->cid;
}

/* Under sess->lock: one that lives before those that are gone, and of these the last one. */
static struct conn *find_old(struct sess *sess, const struct recover *r)
{
	struct conn *conn, *found = NULL;

	list_for_each (conn, &sess->conns, struct conn, sess_link)
		if (is_meant(r, conn) && conn != r->conn)
			return conn;
	list_for_each (conn, &sess->failed, struct conn, failed_link)
		if (is_meant(r, conn))
			found = conn;
	return found;
}

void recover_logout(struct recover *r)
{
	struct sess *sess = r->sess;

	list_init(&r->link);
	r->found = false;
	pthread_mutex_lock(&sess->lock);
	r->old = find_old(sess, r);
	if (r->old)
		r->old->visits++;
	pthread_mutex_unlock(&sess->lock);
	if (!r->old) {
		answer_later(r);
		return;
	}
	r->msg.fn = logout_old;
	loop_post(r->old->loop, &r->msg);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void recover_end(struct conn *conn)
{
	struct sess *sess = conn->sess;
	bool last;

	if (!conn->keeps)
		return;
	conn->keeps = false;
	loop_timer_disarm(conn->loop, &conn->timer);
	pthread_mutex_lock(&sess->lock);
	list_del(&conn->failed_link);
	sess->nfailed--;
	last = !sess->nconns && !sess->joining && !sess->nfailed;
	if (last)
		sess->ending = true;
	pthread_mutex_unlock(&sess->lock);
	task_abort_all(conn);
	tx_drop(conn);
	conn->pins--;
	if (last)
		sess_end(sess);
	conn_reap(conn);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * visit.c: something done at each connection of a session. One message goes from loop to loop, so a
 * visit needs no memory and what it does at one connection happens before what it does at the next.
 */
#include "fabric/iscsi/visit.h"

#include "fabric/iscsi/sess.h"

static void visit_here(struct loop *loop, struct loop_msg *msg);

/* Under sess->lock: the first failed connection that joined after this one (NULL: of all). */
static struct conn *next_failed(struct sess *sess, const struct conn *conn)
{
	struct conn *c;

	list_for_each (c, &sess->failed, struct conn, failed_link)
		if (!conn || c->join > conn->join)
			return c;
	return NULL;
}

/* Under sess->lock: the first connection that joined after this one (NULL: of all). */
static struct conn *next_of(struct sess *sess, const struct conn *conn)
{
	struct conn *c;

	if (!conn)
		return list_first(&sess->conns, struct conn, sess_link);

	if (list_linked(&conn->sess_link)) {
		struct list *n = conn->sess_link.next;

		return n == &sess->conns ? NULL : container_of(n, struct conn, sess_link);
	}
	list_for_each (c, &sess->conns, struct conn, sess_link)
		if (c->join > conn->join)
			return c;
	return NULL;
}

/* Under sess->lock: the next one to visit. */
static struct conn *next(struct sess_visit *v, struct sess *sess, const struct conn *conn)
{
	struct conn *c = v->in_failed ? next_failed(sess, conn) : next_of(sess, conn);

	if (c || v->in_failed || v->which != VISIT_ALL)
		return c;
	v->in_failed = true;
	return next_failed(sess, NULL);
}

/* From conn (NULL: the beginning) to the one after it, which stays until it has been visited. */
static void step(struct sess_visit *v, struct conn *conn)
{
	struct sess *sess = v->sess;

	pthread_mutex_lock(&sess->lock);
	v->at = next(v, sess, conn);
	if (v->at)
		v->at->visits++;
	if (conn)
		conn->visits--;
	pthread_mutex_unlock(&sess->lock);
	if (conn && conn->closing)
		conn_reap(conn);
}

static void visit_over(struct loop *loop, struct loop_msg *msg)
{
	struct sess_visit *v = container_of(msg, struct sess_visit, msg);
	struct sess *sess = v->sess;

	v->done(v);
	sess_unref(sess);
}

static void go_on(struct sess_visit *v)
{
	v->msg.fn = v->at ? visit_here : visit_over;
	loop_post(v->at ? v->at->loop : v->loop, &v->msg);
}

static void visit_here(struct loop *loop, struct loop_msg *msg)
{
	struct sess_visit *v = container_of(msg, struct sess_visit, msg);

	while (v->at && v->at->loop == loop) {
		struct conn *conn = v->at;

		/* It may have been closed while the message was on its way. */
		if (v->in_failed ? conn->keeps : !conn->left_sess)
			v->fn(v, conn);
		step(v, conn);
	}
	go_on(v);
}

void sess_visit(struct sess *sess, struct sess_visit *v)
{
	sess_ref(sess);
	v->sess = sess;
	v->in_failed = v->which == VISIT_FAILED;
	step(v, NULL);
	go_on(v);
}

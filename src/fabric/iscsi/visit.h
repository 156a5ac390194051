/* SPDX-License-Identifier: BSD-3-Clause */
/* visit.h: something done at each connection of a session, whatever loops they are on. */
#ifndef ULIO_FABRIC_ISCSI_VISIT_H
#define ULIO_FABRIC_ISCSI_VISIT_H

#include "loop/loop.h"

struct conn;
struct sess;

enum visit_which {
	VISIT_LIVE, /* that belong to the session */
	VISIT_FAILED, /* that are kept for recovery (recover.h) */
	VISIT_ALL, /* first those that live; one that fails meanwhile may be visited twice */
};

/* A round through the connections of a session: sess_visit(). */
struct sess_visit {
	void (*fn)(struct sess_visit *v, struct conn *conn);
	void (*done)(struct sess_visit *v);
	struct loop *loop; /* where done runs */
	enum visit_which which;
	/* Private. */
	bool in_failed;
	struct sess *sess; /* ref, dropped when done has run */
	struct conn *at; /* the next one, kept by its ->visits; NULL: none is left */
	struct loop_msg msg;
};

/*
 * Run v->fn for each connection of the session on that connection's loop, one after the other, so
 * that fn may change what v lies in without a lock; then v->done on v->loop, which may free v.
 * Neither runs from inside of this call. It cannot fail, and the session stays until done has run.
 * fn may close the connection. A connection that joins meanwhile is visited too; one that is being
 * closed is not. Any thread; not under sess->lock.
 *	v	fn, done and loop are set
 */
void sess_visit(struct sess *sess, struct sess_visit *v);

#endif

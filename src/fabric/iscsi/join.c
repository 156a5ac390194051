/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * join.c: a login with a TSIH that is not 0 (RFC 7143 6.3.1, 6.3.4): a further connection comes to
 * a session, or takes the place of one with the same CID (connection reinstatement), whose tasks
 * end with it.
 */
#include <string.h>

#include "fabric/iscsi/login.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

/* Under sess->lock. */
static bool has_cid(const struct sess *sess, uint16_t cid)
{
	const struct conn *c;

	list_for_each (c, &sess->conns, struct conn, sess_link)
		if (c->cid == cid)
			return true;
	return false;
}

/* Under sess->lock: 11.13.5. */
static uint16_t judge(const struct sess *sess, uint16_t cid)
{
	/* 6.3.4: at level 2 there is always room for one more, to clean up another. */
	uint32_t most = sess->params.max_connections + (sess->params.error_recovery_level >= 2);

	/* 6.3.6: one that has failed is continued while it waits, or another login is about to. */
	if (sess->ending || (sess->state != SESS_LOGGED_IN && !sess->nfailed && !sess->joining))
		return LOGIN_STATUS_SESSION_DOES_NOT_EXIST;
	if (sess->nconns >= most && !has_cid(sess, cid))
		return LOGIN_STATUS_TOO_MANY_CONNECTIONS;
	return LOGIN_STATUS_SUCCESS;
}

uint16_t join_find(struct conn *conn, struct tpg *tpg, const struct login_id *id)
{
	uint16_t status;
	struct sess *s;

	list_for_each (s, &tpg->sessions, struct sess, tpg_link) {
		if (s->tsih != id->tsih || strcmp(s->initiator, id->initiator_name) ||
			memcmp(s->isid, id->isid, sizeof(s->isid)))
			continue;
		pthread_mutex_lock(&s->lock);
		status = judge(s, id->cid);
		pthread_mutex_unlock(&s->lock);
		if (status != LOGIN_STATUS_SUCCESS)
			return status;
		sess_ref(s);
		conn->joins = s;
		return LOGIN_STATUS_SUCCESS;
	}
	return LOGIN_STATUS_SESSION_DOES_NOT_EXIST;
}

/* 6.3.4: the connection that this one replaces, and its tasks. */
static void look_at(struct sess_visit *v, struct conn *c)
{
	const struct conn *conn = container_of(v, struct conn, look);

	if (c->cid != conn->cid)
		return;
	c->by_peer = true;
	conn_close(c, "the initiator has logged in anew with CID %u (connection reinstatement)",
		c->cid);
	task_abort_all(c);
}

/* True: it is one of them now, or *ret_status says why not. False: look again. */
static bool join(struct sess *sess, struct conn *conn, uint16_t *ret_status)
{
	bool again;

	pthread_mutex_lock(&sess->lock);
	*ret_status = judge(sess, conn->cid);
	/* Another one of that CID was faster. */
	again = *ret_status == LOGIN_STATUS_SUCCESS && has_cid(sess, conn->cid);
	if (*ret_status == LOGIN_STATUS_SUCCESS && !again)
		sess_add_conn(sess, conn);
	pthread_mutex_unlock(&sess->lock);
	return !again;
}

/* No other connection has its CID. */
static void looked(struct conn *conn)
{
	struct sess *sess = conn->joins;
	uint16_t status = LOGIN_STATUS_SUCCESS;

	conn->pins--;
	conn->joining = false;
	if (!conn->closing && !join(sess, conn, &status)) {
		join_begin(conn);
		sess_joining(sess, -1);
		return;
	}
	sess_joining(sess, -1);
	if (conn->closing)
		conn_reap(conn);
	else
		login_joined(conn, status);
}

static void visited(struct sess_visit *v)
{
	looked(container_of(v, struct conn, look));
}

/*
 * The round also sees to it that no connection is in the midst of a turn that was not counted
 * (sess->many).
 */
static void look(struct conn *conn)
{
	conn->look = (struct sess_visit){ .fn = look_at, .done = visited, .loop = conn->loop };
	sess_visit(conn->joins, &conn->look);
}

/* At level 2 the tasks of the old one are kept, and may be reassigned now. */
static void recovered(struct recover *r)
{
	look(r->conn);
}

void join_begin(struct conn *conn)
{
	struct sess *sess = conn->joins;

	sess_joining(sess, 1);
	conn->joining = true;
	conn->pins++;
	if (sess->params.error_recovery_level < 2) {
		look(conn);
		return;
	}
	conn->reinstate =
		(struct recover){ .sess = sess, .conn = conn, .cid = conn->cid, .done = recovered };
	recover_logout(&conn->reinstate);
}

void join_done(struct conn *conn)
{
	if (conn->joins)
		sess_unref(conn->joins);
	conn->joins = NULL;
}

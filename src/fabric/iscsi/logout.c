/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * logout.c: Logout (RFC 7143 11.14, 11.15). The answer comes when the commands and task management
 * functions of the connection have ended: after it nothing of them reaches a disk, and it is the
 * last PDU. Other connections, when they or the session are logged out, are closed at once; their
 * commands are aborted.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/recover.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

#define COMMANDS_WAIT_NS 10000000000ull

void logout_respond(
	struct conn *conn, uint32_t itt, enum iscsi_logout_response response, uint32_t time2retain)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_LOGOUT_RESPONSE, itt);
	struct bhs_logout_response *h;

	if (!p)
		return;
	h = (struct bhs_logout_response *)&p->bhs;
	h->response = (uint8_t)response;
	h->time2wait = be16_put((uint16_t)conn->sess->params.default_time2wait);
	h->time2retain = be16_put((uint16_t)time2retain);
	tx_send(conn, p);
}

/* The nexus is closed: reservations of it have ended, and its initiator may be told so. */
void logout_answer(struct conn *conn)
{
	conn->logging_out = LOGOUT_NONE;
	conn->logged_out = true;
	logout_respond(conn, conn->logout_itt, ISCSI_LOGOUT_SUCCESS, 0);
	conn_close_when_sent(conn);
}

/* Whether the session ends with it: it is meant, or no other connection is there or coming. */
static bool ends_session(const struct conn *conn)
{
	struct sess *sess = conn->sess;
	bool last;

	pthread_mutex_lock(&sess->lock);
	last = sess->nconns + sess->joining + sess->nfailed <= 1;
	pthread_mutex_unlock(&sess->lock);
	return conn->logout_session || last;
}

void logout_finish(struct conn *conn)
{
	bool whole = ends_session(conn);

	if (conn->logging_out != LOGOUT_COMMANDS || conn->closing)
		return;
	conn->logging_out = LOGOUT_NEXUS;
	sess_count_logout(conn->sess, whole);
	loop_timer_disarm(conn->loop, &conn->timer);
	if (whole)
		sess_end(conn->sess);
	else
		logout_answer(conn);
}

void logout_go_on(struct conn *conn)
{
	/* Until the nexus is being closed task management functions alone pin the connection. */
	if (conn->logging_out == LOGOUT_COMMANDS && !conn->ntasks && !conn->pins)
		logout_finish(conn);
}

void logout_ask(struct conn *conn, uint16_t seconds)
{
	if (conn->closing || conn->close_after_send ||
		(conn->state != CONN_LOGGED_IN && conn->state != CONN_LOGOUT_REQUESTED))
		return;
	async_send(conn, ISCSI_ASYNC_REQUEST_LOGOUT, 0, 0, seconds);
	if (conn->closing)
		return;
	conn_event(conn, EV_ASYNC_LOGOUT);
	loop_timer_arm(conn->loop, &conn->timer, seconds * NS_PER_S);
}

/* 11.9.1: who does not log out in time is told that the connection is dropped, and it is. */
void logout_overdue(struct conn *conn)
{
	log_limited(&conn->entity->peer_log, LOG_LEVEL_INFO, "iscsi", conn->peer,
		"%s did not log out in time, as it was asked to", conn->sess->initiator);
	async_send(conn, ISCSI_ASYNC_DROP_CONNECTION, conn->cid,
		(uint16_t)conn->sess->params.default_time2wait, 0);
	conn_close_when_sent(conn);
}

static void give_up_data(struct conn *conn)
{
	struct hash_node *n, *tmp;

	hash_for_each_safe(n, tmp, &conn->tasks)
		task_give_up_data(container_of(n, struct task, hash.node));
}

/* ---- other connections ----------------------------------------------------------------------- */

static void close_other(struct conn *c)
{
	c->logged_out = true;
	conn_close(c, NULL);
	task_abort_all(c);
}

static void close_unless_own(struct sess_visit *v, struct conn *c)
{
	if (c != container_of(v, struct conn, look))
		close_other(c);
}

static void others_closed(struct sess_visit *v)
{
	struct conn *conn = container_of(v, struct conn, look);

	conn->pins--;
	if (conn->closing)
		conn_reap(conn);
	else
		logout_go_on(conn);
}

/* The logout of another connection. */
struct other {
	struct sess_visit visit;
	struct conn *conn; /* that asked; pinned */
	uint32_t itt;
	uint16_t cid;
	bool found;
};

static void close_if_it(struct sess_visit *v, struct conn *c)
{
	struct other *o = container_of(v, struct other, visit);

	if (c->cid != o->cid)
		return;
	o->found = true;
	sess_count_logout(c->sess, false);
	close_other(c);
}

static void other_closed(struct sess_visit *v)
{
	struct other *o = container_of(v, struct other, visit);
	struct conn *conn = o->conn;

	conn->pins--;
	if (conn->closing)
		conn_reap(conn);
	else if (!conn->logged_out)
		logout_respond(conn, o->itt,
			o->found ? ISCSI_LOGOUT_SUCCESS : ISCSI_LOGOUT_CID_NOT_FOUND, 0);
	if (!conn->closing)
		logout_go_on(conn);
	free(o);
}

static void log_out_other(struct conn *conn, uint32_t itt, uint16_t cid)
{
	struct other *o = conn->pins < CONN_TMFS_MAX ? calloc(1, sizeof(*o)) : NULL;

	if (!o) {
		logout_respond(conn, itt, ISCSI_LOGOUT_CLEANUP_FAILED, 0);
		return;
	}
	o->visit =
		(struct sess_visit){ .fn = close_if_it, .done = other_closed, .loop = conn->loop };
	o->conn = conn;
	o->itt = itt;
	o->cid = cid;
	conn->pins++;
	sess_visit(conn->sess, &o->visit);
}

/* ---- the request ----------------------------------------------------------------------------- */

static void log_out(struct conn *conn, uint32_t itt, bool session)
{
	struct sess *sess = conn->sess;

	conn->logging_out = LOGOUT_COMMANDS;
	conn->logout_session = session;
	conn->logout_itt = itt;
	conn_event(conn, EV_LOGOUT);
	loop_timer_arm(conn->loop, &conn->timer, COMMANDS_WAIT_NS);
	if (session) {
		pthread_mutex_lock(&sess->lock);
		sess->ending = true;
		pthread_mutex_unlock(&sess->lock);
		conn->pins++;
		conn->look = (struct sess_visit){
			.fn = close_unless_own, .done = others_closed, .loop = conn->loop
		};
		sess_visit(sess, &conn->look);
	}
	fence_forgo(conn);
	give_up_data(conn);
	/* Commands that were answered are over, whether that is acknowledged or not. */
	retain_stop(conn);
	sess_drop_held(sess, conn);
	logout_go_on(conn);
}

void logout_request(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	const struct bhs_logout_request *r = (const struct bhs_logout_request *)&pdu->bhs;
	uint32_t itt = bhs_itt(&pdu->bhs);

	switch (r->reason & ISCSI_LOGOUT_REASON_MASK) {
	case ISCSI_LOGOUT_CLOSE_SESSION:
		log_out(conn, itt, true);
		break;
	case ISCSI_LOGOUT_CLOSE_CONNECTION:
		if (be16_get(r->cid) == conn->cid)
			log_out(conn, itt, false);
		else if (conn->sess->params.error_recovery_level >= 2)
			cleanup_close(conn, itt, be16_get(r->cid));
		else
			log_out_other(conn, itt, be16_get(r->cid));
		break;
	case ISCSI_LOGOUT_REMOVE_FOR_RECOVERY:
		cleanup_request(conn, itt, be16_get(r->cid));
		break;
	default:
		logout_respond(conn, itt, ISCSI_LOGOUT_CLEANUP_FAILED, 0);
		break;
	}
}

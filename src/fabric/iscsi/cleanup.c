/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cleanup.c: Logout Requests of level 2 about other connections, live or failed (RFC 7143 11.14,
 * 8.2): removed for recovery their tasks may be reassigned, closed they end.
 */
#include <stdlib.h>

#include "fabric/iscsi/recover.h"
#include "fabric/iscsi/sess.h"

struct cleanup {
	struct recover recover;
	uint32_t itt;
};

static void cleaned_up(struct recover *r)
{
	struct cleanup *c = container_of(r, struct cleanup, recover);
	struct conn *conn = r->conn;
	uint32_t retain = r->found && !r->close ? conn->sess->params.default_time2retain : 0;

	conn->pins--;
	if (r->found)
		sess_count_logout(conn->sess, false);
	if (conn->closing)
		conn_reap(conn);
	else if (!conn->logged_out)
		logout_respond(conn, c->itt,
			r->found ? ISCSI_LOGOUT_SUCCESS : ISCSI_LOGOUT_CID_NOT_FOUND, retain);
	free(c);
	if (!conn->closing)
		logout_go_on(conn);
}

static void begin(struct conn *conn, uint32_t itt, uint16_t cid, bool close)
{
	struct cleanup *c = conn->pins < CONN_TMFS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		logout_respond(conn, itt, ISCSI_LOGOUT_CLEANUP_FAILED, 0);
		return;
	}
	conn->pins++;
	c->itt = itt;
	c->recover = (struct recover){
		.sess = conn->sess, .conn = conn, .cid = cid, .close = close, .done = cleaned_up
	};
	recover_logout(&c->recover);
}

void cleanup_close(struct conn *conn, uint32_t itt, uint16_t cid)
{
	begin(conn, itt, cid, true);
}

void cleanup_request(struct conn *conn, uint32_t itt, uint16_t cid)
{
	if (conn->sess->params.error_recovery_level < 2) {
		logout_respond(conn, itt, ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED, 0);
	} else if (cid != conn->cid) {
		begin(conn, itt, cid, false);
	} else {
		/* Its tasks stay as they are; what they come to is told to who takes them over. */
		conn->recovered = conn->logged_out = true;
		/* What has not had its turn is as if it had never come: it is sent again. */
		sess_drop_held(conn->sess, conn);
		conn_event(conn, EV_LOGOUT);
		sess_count_logout(conn->sess, false);
		logout_respond(
			conn, itt, ISCSI_LOGOUT_SUCCESS, conn->sess->params.default_time2retain);
		conn_close_when_sent(conn);
	}
}

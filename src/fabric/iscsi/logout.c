/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * logout.c: Logout (RFC 7143 11.14, 11.15). The answer comes when the commands and task management
 * functions of the connection have ended: after it nothing of them reaches a disk, and it is the
 * last PDU.
 */
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

#define COMMANDS_WAIT_NS 10000000000ull

static enum iscsi_logout_response judge(const struct conn *conn, const struct bhs_logout_request *r)
{
	switch (r->reason & ISCSI_LOGOUT_REASON_MASK) {
	case ISCSI_LOGOUT_CLOSE_SESSION:
		return ISCSI_LOGOUT_SUCCESS;
	case ISCSI_LOGOUT_CLOSE_CONNECTION:
		return be16_get(r->cid) == conn->cid ? ISCSI_LOGOUT_SUCCESS
						     : ISCSI_LOGOUT_CID_NOT_FOUND;
	default: /* recovery is of level 2 */
		return ISCSI_LOGOUT_RECOVERY_NOT_SUPPORTED;
	}
}

static void answer(struct conn *conn, uint32_t itt, enum iscsi_logout_response response)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_LOGOUT_RESPONSE, itt);
	struct bhs_logout_response *h;

	if (!p)
		return;
	h = (struct bhs_logout_response *)&p->bhs;
	h->response = (uint8_t)response;
	h->time2wait = be16_put((uint16_t)conn->sess->params.default_time2wait);
	/* Nothing is kept for a later connection at level 0. */
	h->time2retain = be16_put(0);
	tx_send(conn, p);
}

/* The nexus is closed: reservations of it have ended, and its initiator may be told so. */
void logout_answer(struct conn *conn)
{
	conn->logging_out = LOGOUT_NONE;
	conn->logged_out = true;
	answer(conn, conn->logout_itt, ISCSI_LOGOUT_SUCCESS);
	conn_close_when_sent(conn);
}

void logout_finish(struct conn *conn)
{
	if (conn->logging_out != LOGOUT_COMMANDS || conn->closing)
		return;
	conn->logging_out = LOGOUT_NEXUS;
	sess_count_logout(conn->sess);
	loop_timer_disarm(conn->loop, &conn->timer);
	sess_end(conn->sess);
}

void logout_go_on(struct conn *conn)
{
	/* Until the nexus is being closed task management functions alone pin the connection. */
	if (conn->logging_out == LOGOUT_COMMANDS && !conn->ntasks && !conn->pins)
		logout_finish(conn);
}

static void give_up_data(struct conn *conn)
{
	struct hash_node *n, *tmp;

	hash_for_each_safe(n, tmp, &conn->tasks)
		task_give_up_data(container_of(n, struct task, hash.node));
}

void logout_request(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	enum iscsi_logout_response r = judge(conn, (const struct bhs_logout_request *)&pdu->bhs);

	if (r != ISCSI_LOGOUT_SUCCESS) {
		answer(conn, bhs_itt(&pdu->bhs), r);
		return;
	}
	conn->logging_out = LOGOUT_COMMANDS;
	conn->logout_itt = bhs_itt(&pdu->bhs);
	conn_event(conn, EV_LOGOUT);
	loop_timer_arm(conn->loop, &conn->timer, COMMANDS_WAIT_NS);
	give_up_data(conn);
	sess_drop_held(conn->sess, conn);
	logout_go_on(conn);
}

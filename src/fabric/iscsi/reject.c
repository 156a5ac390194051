/* SPDX-License-Identifier: BSD-3-Clause */
/* reject.c: Reject and Asynchronous Message (RFC 7143 11.17, 11.9). */
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/sess.h"

void reject_send_datasn(
	struct conn *conn, const struct pdu *pdu, enum iscsi_reject reason, uint32_t datasn)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_REJECT, TAG_RESERVED);
	struct bhs_reject *h;

	if (!p)
		return;
	h = (struct bhs_reject *)&p->bhs;
	h->reason = (uint8_t)reason;
	h->datasn = be32_put(datasn);
	p->data = malloc(BHS_BYTES);
	if (p->data) {
		memcpy(p->data, &pdu->bhs, BHS_BYTES);
		p->data_bytes = BHS_BYTES;
	}
	log_limited(&conn->entity->peer_log, LOG_LEVEL_INFO, "iscsi", conn->peer,
		"PDU with opcode 0x%02x rejected, reason 0x%02x", bhs_opcode(&pdu->bhs), reason);
	sess_count_error(conn->sess,
		reason == ISCSI_REJECT_DATA_DIGEST_ERROR ? SESS_DIGEST_ERROR : SESS_FORMAT_ERROR);
	tx_send(conn, p);
}

void reject_send(struct conn *conn, const struct pdu *pdu, enum iscsi_reject reason)
{
	reject_send_datasn(conn, pdu, reason, 0);
}

void async_send(
	struct conn *conn, enum iscsi_async_event event, uint16_t p1, uint16_t p2, uint16_t p3)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_ASYNC_MESSAGE, TAG_RESERVED);
	struct bhs_async_message *h;

	if (!p)
		return;
	h = (struct bhs_async_message *)&p->bhs;
	h->async_event = (uint8_t)event;
	h->parameter1 = be16_put(p1);
	h->parameter2 = be16_put(p2);
	h->parameter3 = be16_put(p3);
	tx_send(conn, p);
	if (event == ISCSI_ASYNC_REQUEST_LOGOUT)
		conn_event(conn, EV_ASYNC_LOGOUT);
}

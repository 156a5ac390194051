/* SPDX-License-Identifier: BSD-3-Clause */
/* nop.c: NOP-Out and NOP-In, pings either way (RFC 7143 11.18, 11.19). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/iov.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/sess.h"

void nop_out(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	const struct bhs_nop_out *o = (const struct bhs_nop_out *)&pdu->bhs;
	uint32_t itt = bhs_itt(&pdu->bhs);
	uint32_t bytes = pdu->data_bytes < conn->max_xmit ? pdu->data_bytes : conn->max_xmit;
	struct tx_pdu *p;
	struct bhs_nop_in *h;

	/* With the reserved tag it answers our ping, or is none at all: no answer either way. */
	if (itt == TAG_RESERVED) {
		cleared_acked(conn);
		if (conn->ping_sent && be32_get(o->target_transfer_tag) == conn->ping_ttt) {
			conn->ping_sent = false;
			conn->ping_ns = loop_now_ns(conn->loop) - conn->ping_sent_ns;
			/* From here on the silence counts anew. */
			if (conn->state == CONN_LOGGED_IN && !conn->close_after_send &&
				conn->sess->node.nopin_timeout)
				loop_timer_arm(conn->loop, &conn->timer,
					conn->sess->node.nopin_timeout * NS_PER_S);
		}
		return;
	}
	p = tx_pdu_new(conn, ISCSI_OP_NOP_IN, itt);
	if (!p)
		return;
	h = (struct bhs_nop_in *)&p->bhs;
	h->target_transfer_tag = be32_put(TAG_RESERVED);
	if (bytes) {
		p->data = malloc(bytes);
		if (!p->data) {
			free(p);
			conn_close(conn, "out of memory");
			return;
		}
		p->data_bytes = (uint32_t)iov_copy_out(p->data, data, n, 0, bytes);
	}
	tx_send(conn, p);
}

void nop_solicit(struct conn *conn, void (*sent)(struct conn *conn, struct tx_pdu *p))
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_NOP_IN, TAG_RESERVED);

	if (!p)
		return;
	if (++conn->ping_ttt == TAG_RESERVED)
		conn->ping_ttt = 0;
	((struct bhs_nop_in *)&p->bhs)->target_transfer_tag = be32_put(conn->ping_ttt);
	p->takes_statsn = false;
	p->sent = sent;
	conn->ping_sent = true;
	conn->ping_sent_ns = loop_now_ns(conn->loop);
	tx_send(conn, p);
	if (conn->retain.on)
		retain_pinged(conn);
}

void nop_ask_ack(struct conn *conn)
{
	/* 11.19: the answer to a ping is immediate, so that it needs no place in the window. */
	if (!conn->logging_out && !conn->close_after_send)
		nop_solicit(conn, NULL);
}

/* The timer of an idle connection. */
void nop_ping(struct conn *conn)
{
	const struct node_attribs *a = &conn->sess->node;
	uint64_t now = loop_now_ns(conn->loop), quiet = now - conn->last_rx_ns;
	uint64_t limit = a->nopin_timeout * NS_PER_S;
	uint64_t patience = a->nopin_response_timeout * NS_PER_S;

	if (quiet < limit) {
		/* Anything that came in shows that the initiator is alive. */
		conn->ping_sent = false;
		loop_timer_arm(conn->loop, &conn->timer, limit - quiet);
	} else if (conn->ping_sent && now - conn->ping_sent_ns < patience) {
		/* Somebody else has just sent one (nop_solicit()). */
		loop_timer_arm(conn->loop, &conn->timer, patience - (now - conn->ping_sent_ns));
	} else if (conn->ping_sent) {
		sess_count_error(conn->sess, SESS_CONNECTION_ERROR);
		conn_close(conn, "no answer to a ping for %u s", a->nopin_response_timeout);
	} else {
		nop_solicit(conn, NULL);
		loop_timer_arm(conn->loop, &conn->timer, patience);
	}
}

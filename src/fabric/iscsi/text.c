/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.c: Text Request and Response, SendTargets among them (RFC 7143 11.10, 11.11, 6.2, appendix
 * C).
 */
#include <stdlib.h>

#include "base/iov.h"
#include "fabric/iscsi/discovery.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/sess.h"

/* A negotiation that may take several PDUs either way. At most one per connection (6.2). */
struct text_exchange {
	struct keys_text in, out;
	uint32_t itt, ttt;
	bool sending; /* out is being handed over piece by piece */
};

void text_done(struct conn *conn)
{
	struct text_exchange *x = conn->text;

	if (!x)
		return;
	keys_text_done(&x->in);
	keys_text_done(&x->out);
	free(x);
	conn->text = NULL;
}

static struct text_exchange *text_new(struct conn *conn, uint32_t itt)
{
	struct text_exchange *x;

	text_done(conn);
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	keys_text_init(&x->in, KEYS_TEXT_BYTES_MAX);
	keys_text_init(&x->out, DISCOVERY_BYTES_MAX);
	x->itt = itt;
	x->ttt = conn->next_ttt++ & 0x7fffffff;
	conn->text = x;
	return x;
}

static bool take_data(struct text_exchange *x, const struct iovec *data, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (keys_text_append(&x->in, data[i].iov_base, data[i].iov_len))
			return false;
	return true;
}

/* One response: a piece of out; last: it may be the end of the negotiation. */
static void respond(struct conn *conn, struct text_exchange *x, bool last, const uint8_t *lun)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_TEXT_RESPONSE, x->itt);
	const char *text;
	size_t n = keys_text_take(&x->out, conn->max_xmit, &text);
	bool more = keys_text_left(&x->out) > 0;
	struct bhs_text_response *h;

	if (!p)
		return;
	h = (struct bhs_text_response *)&p->bhs;
	h->flags = more ? TEXT_CONTINUE : last ? TEXT_FINAL : 0;
	h->target_transfer_tag = be32_put(h->flags & TEXT_FINAL ? TAG_RESERVED : x->ttt);
	for (unsigned i = 0; i < sizeof(h->lun); i++)
		h->lun[i] = lun[i];
	if (n) {
		p->data = malloc(n);
		if (!p->data) {
			free(p);
			conn_close(conn, "out of memory");
			return;
		}
		for (size_t i = 0; i < n; i++)
			p->data[i] = (uint8_t)text[i];
		p->data_bytes = (uint32_t)n;
	}
	x->sending = more;
	tx_send(conn, p);
	if (h->flags & TEXT_FINAL)
		text_done(conn);
}

/* The whole request is there: answer its keys. False: it was rejected. */
static bool answer(struct conn *conn, struct text_exchange *x, const struct pdu *pdu)
{
	struct keys_values values = { .sess = conn->sess->params };
	struct keys_config config;
	struct keys_pairs pairs;
	struct keys_fault fault;
	struct keys_nego nego;
	int rc;

	values.conn.max_recv_data_segment_length = conn->max_recv;
	values.conn.max_xmit_data_segment_length = conn->max_xmit;
	keys_config_init(&config);
	keys_nego_init(&nego, KEYS_FULL_FEATURE, false, &config, &values);
	rc = keys_parse(&x->in, &pairs, &fault);
	if (!rc)
		rc = keys_negotiate(&nego, &pairs, &x->out, &fault);
	if (!rc && nego.send_targets)
		rc = discovery_send_targets(conn, nego.send_targets, &x->out);
	keys_text_reset(&x->in);
	if (rc) {
		/* RFC 7143 6.2: a negotiation that fails in the Full Feature Phase is rejected. */
		reject_send(conn, pdu, ISCSI_REJECT_PROTOCOL_ERROR);
		text_done(conn);
		return false;
	}
	conn->max_xmit = values.conn.max_xmit_data_segment_length;
	if (conn->max_xmit > CONN_DATA_SEGMENT_BYTES_MAX)
		conn->max_xmit = CONN_DATA_SEGMENT_BYTES_MAX;
	return true;
}

void text_request(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	const struct bhs_text_request *q = (const struct bhs_text_request *)&pdu->bhs;
	bool final = q->flags & TEXT_FINAL, more = q->flags & TEXT_CONTINUE;
	uint32_t ttt = be32_get(q->target_transfer_tag), itt = bhs_itt(&pdu->bhs);
	struct text_exchange *x = conn->text;

	/* 11.10.1, 11.10.2: C and F are not both set. */
	if ((final && more) || itt == TAG_RESERVED) {
		reject_send(conn, pdu, ISCSI_REJECT_PROTOCOL_ERROR);
		return;
	}
	if (ttt == TAG_RESERVED) {
		/* 11.10.4: a new negotiation; an unfinished one is forgotten. */
		x = text_new(conn, itt);
		if (!x) {
			conn_close(conn, "out of memory");
			return;
		}
	} else if (!x || x->ttt != ttt || x->itt != itt) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	if (!take_data(x, data, n)) {
		reject_send(conn, pdu, ISCSI_REJECT_PROTOCOL_ERROR);
		text_done(conn);
		return;
	}
	if (more || x->sending) {
		/* An empty response asks for the rest; an empty request, for the rest of ours. */
		respond(conn, x, x->sending && final, q->lun);
		return;
	}
	if (answer(conn, x, pdu))
		respond(conn, x, final, q->lun);
}

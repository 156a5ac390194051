/* SPDX-License-Identifier: BSD-3-Clause */
/* rx.c: from bytes to PDUs (RFC 7143 11.1, 11.2). */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/iov.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/dataout.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "loop/pool.h"

static void rx_next(struct conn *conn);

static uint8_t *header_bytes(struct rx *rx)
{
	return (uint8_t *)&rx->pdu;
}

static void expect_header(struct rx *rx)
{
	rx->phase = RX_HEADER;
	rx->have = 0;
	rx->need = BHS_BYTES;
	rx->task = NULL;
	rx->sink.niov = 0;
	rx->sink.left = 0;
	rx->sink.at = 0;
	rx->sink.at_off = 0;
	rx->sink.pages = rx->sink.discard = rx->skip = false;
}

/* ---- sinks ---------------------------------------------------------------------------------- */

void rx_sink_discard(struct conn *conn)
{
	conn->rx.sink.discard = true;
}

bool rx_sink_pages(struct conn *conn)
{
	struct rx *rx = &conn->rx;
	int n = pages_alloc(
		loop_set(conn->loop), conn->loop, rx->pdu.data_bytes, rx->sink.iov, RX_SINK_IOV);

	if (n < 0)
		return false;
	rx->sink.niov = (unsigned)n;
	rx->sink.pages = true;
	return true;
}

uint32_t rx_sink_copy(const struct conn *conn, void *buf, uint32_t cap)
{
	const struct rx_sink *s = &conn->rx.sink;
	uint32_t n = conn->rx.pdu.data_bytes < cap ? conn->rx.pdu.data_bytes : cap;

	return (uint32_t)iov_copy_out(buf, s->iov, s->niov, 0, n);
}

static void sink_release(struct conn *conn)
{
	struct rx_sink *s = &conn->rx.sink;

	if (s->pages)
		pages_unref(loop_set(conn->loop), s->iov, s->niov);
	s->pages = false;
	s->niov = 0;
}

/* Take bytes of the data segment. Returns how many. */
static size_t sink_take(struct rx_sink *s, const uint8_t *p, size_t n)
{
	size_t taken = n < s->left ? n : s->left, left = taken;

	s->left -= (uint32_t)taken;
	if (s->discard)
		return taken;
	while (left) {
		struct iovec *v = &s->iov[s->at];
		size_t k = v->iov_len - s->at_off < left ? v->iov_len - s->at_off : left;

		memcpy((char *)v->iov_base + s->at_off, p, k);
		p += k;
		left -= k;
		s->at_off += k;
		if (s->at_off == v->iov_len) {
			s->at++;
			s->at_off = 0;
		}
	}
	return taken;
}

/* ---- PDUs ----------------------------------------------------------------------------------- */

static bool data_digest_ok(const struct conn *conn)
{
	const struct rx *rx = &conn->rx;
	uint32_t pad = pad_bytes(rx->pdu.data_bytes), crc = crc32c_init();

	if (!conn->data_digest || !rx->pdu.data_bytes || rx->sink.discard)
		return true;
	crc = crc32c_iov(crc, rx->sink.iov, rx->sink.niov, 0, rx->pdu.data_bytes);
	crc = crc32c_final(crc32c_update(crc, rx->tail, pad));
	return crc == crc32c_get(rx->tail + pad);
}

static void pdu_complete(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	conn->rx_pdus++;
	rx->in_pdu = true;
	if (conn->state == CONN_XPT_UP || conn->state == CONN_IN_LOGIN)
		login_end_pdu(conn, &rx->pdu);
	else if (!rx->skip)
		ffp_end(conn, &rx->pdu, data_digest_ok(conn));
	rx->in_pdu = false;
	sink_release(conn);
	expect_header(rx);
}

static void data_complete(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	rx->have = 0;
	rx->need = pad_bytes(rx->pdu.data_bytes) + (conn->data_digest ? DIGEST_BYTES : 0);
	rx->phase = RX_TAIL;
	if (!rx->need)
		pdu_complete(conn);
}

static bool header_digest_ok(struct conn *conn)
{
	uint32_t n = BHS_BYTES + bhs_ahs_bytes(&conn->rx.pdu.bhs);

	return !conn->header_digest ||
	       crc32c(header_bytes(&conn->rx), n) == crc32c_get(header_bytes(&conn->rx) + n);
}

static void resync_by(struct conn *conn);

/* What came after a header that was wrong is not what was taken for it: its end does not come. */
static void resync_late(struct loop_timer *t)
{
	struct conn *conn = container_of(t, struct conn, rx.resync);
	const struct rx *rx = &conn->rx;

	if (rx->phase == RX_HEADER && !rx->have)
		return;
	if (rx->resync_pdus == conn->rx_pdus)
		conn_close(conn, "header digest error, and no header behind it");
	else if (rx->bad_headers)
		resync_by(conn);
}

/* From now on a PDU is to come to its end within some time. */
static void resync_by(struct conn *conn)
{
	conn->rx.resync_pdus = conn->rx_pdus;
	loop_timer_arm(conn->loop, &conn->rx.resync, RX_RESYNC_WAIT_NS);
}

/*
 * RFC 7143 7.7: nothing of the PDU is of use, nor is its length: where the next one begins is
 * certain only when a digest there is right. Above level 0 that is tried. False: it is not.
 */
static bool skip_header(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	sess_count_error(conn->sess, SESS_DIGEST_ERROR);
	if (!conn->retain.on || rx->pdu.data_bytes > conn->max_recv ||
		rx->bad_headers >= RX_BAD_HEADERS_MAX) {
		conn_close(conn, "header digest error");
		return false;
	}
	rx->bad_headers++;
	resync_by(conn);
	rx->skip = true;
	rx_sink_discard(conn);
	task_data_lost(conn);
	return true;
}

static void expect_data(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	rx->sink.left = rx->pdu.data_bytes;
	rx->phase = RX_DATA;
	if (!rx->pdu.data_bytes)
		pdu_complete(conn);
}

static void header_complete(struct conn *conn)
{
	struct rx *rx = &conn->rx;
	bool login = conn->state == CONN_XPT_UP || conn->state == CONN_IN_LOGIN;

	rx->pdu.data_bytes = bhs_data_bytes(&rx->pdu.bhs);
	if (!header_digest_ok(conn)) {
		if (skip_header(conn))
			expect_data(conn);
		return;
	}
	rx->bad_headers = 0;
	if (rx->pdu.data_bytes > conn->max_recv) {
		sess_count_error(conn->sess, SESS_FORMAT_ERROR);
		conn_close(conn, "data segment of %u bytes, MaxRecvDataSegmentLength is %u",
			rx->pdu.data_bytes, conn->max_recv);
		return;
	}
	rx->in_pdu = true;
	if (!(login ? login_begin_pdu : ffp_begin)(conn, &rx->pdu)) {
		rx->in_pdu = false;
		return;
	}
	rx->in_pdu = false;
	expect_data(conn);
}

/* The part of the header that was waited for is there: more of it may be known to follow now. */
static void header_part(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	if (rx->need == BHS_BYTES)
		rx->need += bhs_ahs_bytes(&rx->pdu.bhs) + (conn->header_digest ? DIGEST_BYTES : 0);
	if (rx->have == rx->need)
		header_complete(conn);
	else if (rx->pdu.bhs.total_ahs_length && conn->retain.on)
		resync_by(conn); /* the length of AHSs that nobody sends is wrong as well */
}

/* Take bytes as they come. Returns how many were taken: all, or as far as receiving goes on. */
static size_t feed(struct conn *conn, const uint8_t *p, size_t n)
{
	struct rx *rx = &conn->rx;
	size_t at = 0, k;

	while (at < n && !conn->closing && !rx->stopped) {
		switch (rx->phase) {
		case RX_HEADER:
			k = rx->need - rx->have < n - at ? rx->need - rx->have : n - at;
			memcpy(header_bytes(rx) + rx->have, p + at, k);
			at += k;
			rx->have += (uint32_t)k;
			if (rx->have == rx->need)
				header_part(conn);
			break;
		case RX_DATA:
			at += sink_take(&rx->sink, p + at, n - at);
			if (!rx->sink.left)
				data_complete(conn);
			break;
		case RX_TAIL:
			k = rx->need - rx->have < n - at ? rx->need - rx->have : n - at;
			memcpy(rx->tail + rx->have, p + at, k);
			at += k;
			rx->have += (uint32_t)k;
			if (rx->have == rx->need)
				pdu_complete(conn);
			break;
		}
		if (rx->phase == RX_HEADER && rx->have == 0 && tx_full(conn))
			rx->stopped = true;
	}
	return at;
}

/* ---- the two ways of receiving -------------------------------------------------------------- */

static void rx_ended(struct conn *conn, int res)
{
	/* Without a Logout before it this is no way to end (RFC 7143 7.1.4.3). */
	if (!conn->closing && !conn->close_after_send)
		sess_count_error(conn->sess, SESS_CONNECTION_ERROR);
	conn->by_peer = conn->by_peer || !conn->closing;
	if (!conn->closing && res == 0)
		conn_close(conn, conn->state == CONN_LOGGED_IN ||
						 conn->state == CONN_LOGOUT_REQUESTED || conn->login
					 ? "closed by the initiator"
					 : NULL);
	else if (!conn->closing)
		conn_close(conn, "receiving failed: %s", strerror(-res));
	conn_reap(conn);
}

/* Nothing more is there now: commands that came one after the other have their turn together. */
static void arrived(struct conn *conn)
{
	conn->rx.in_pdu = true;
	sess_arrived(conn);
	conn->rx.in_pdu = false;
}

/* Give the rest of a buffer to the parser; the buffer goes back when it is used up. */
static void feed_buffer(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	rx->buf_at += (uint32_t)feed(conn, rx->buf + rx->buf_at, rx->buf_bytes - rx->buf_at);
	arrived(conn);
	if (rx->buf_at < rx->buf_bytes && !conn->closing)
		return;
	loop_buf_put(conn->loop, rx->buf);
	rx->buf = NULL;
	rx_next(conn);
}

static void buffer_came(struct loop_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, rx.op);
	struct rx *rx = &conn->rx;

	if (res > 0) {
		rx->buf = op->buf;
		rx->buf_at = 0;
		rx->buf_bytes = (uint32_t)res;
		conn->rx_bytes += (uint64_t)res;
		conn->last_rx_ns = loop_now_ns(conn->loop);
	}
	if (res <= 0 || conn->closing) {
		if (rx->buf)
			loop_buf_put(conn->loop, rx->buf);
		rx->buf = NULL;
		rx_ended(conn, res);
		return;
	}
	feed_buffer(conn);
}

static void direct_came(struct loop_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, rx.op);
	struct rx *rx = &conn->rx;
	uint32_t want;

	want = rx->phase == RX_HEADER ? BHS_BYTES : rx->sink.left + rx->need;
	if (conn->closing || res != (int)want) {
		rx_ended(conn, res < 0 ? res : 0);
		return;
	}
	conn->rx_bytes += (uint64_t)res;
	conn->last_rx_ns = loop_now_ns(conn->loop);
	if (rx->phase == RX_HEADER) {
		rx->have = BHS_BYTES;
		rx->large = false;
		header_part(conn);
	} else {
		rx->large = true;
		rx->sink.left = 0;
		pdu_complete(conn);
	}
	arrived(conn);
	if (tx_full(conn) && rx->phase == RX_HEADER)
		rx->stopped = true;
	rx_next(conn);
}

/* The rest of a large data segment, with its padding and digest, straight to its place. */
static void receive_data(struct conn *conn)
{
	struct rx *rx = &conn->rx;
	unsigned n = 0;

	for (unsigned i = rx->sink.at; i < rx->sink.niov; i++, n++) {
		size_t off = i == rx->sink.at ? rx->sink.at_off : 0;

		rx->direct_iov[n].iov_base = (char *)rx->sink.iov[i].iov_base + off;
		rx->direct_iov[n].iov_len = rx->sink.iov[i].iov_len - off;
	}
	rx->need = pad_bytes(rx->pdu.data_bytes) + (conn->data_digest ? DIGEST_BYTES : 0);
	if (rx->need)
		rx->direct_iov[n++] = (struct iovec){ rx->tail, rx->need };
	rx->op.done = direct_came;
	loop_recv(conn->loop, &rx->op, conn->fd, rx->direct_iov, n, LOOP_WAITALL);
}

static void receive_header(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	rx->direct_iov[0] = (struct iovec){ header_bytes(rx), BHS_BYTES };
	rx->op.done = direct_came;
	loop_recv(conn->loop, &rx->op, conn->fd, rx->direct_iov, 1, LOOP_WAITALL);
}

/* Wait for what comes next. */
static void rx_next(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	if (conn->closing) {
		conn_reap(conn);
		return;
	}
	if (rx->stopped || loop_op_busy(&rx->op))
		return;
	if (rx->phase == RX_DATA && !rx->sink.discard && rx->sink.left >= RX_DIRECT_BYTES) {
		receive_data(conn);
	} else if (rx->phase == RX_HEADER && !rx->have && rx->large) {
		receive_header(conn);
	} else {
		rx->op.done = buffer_came;
		loop_recv_buf(conn->loop, &rx->op, conn->fd);
	}
}

void rx_start(struct conn *conn)
{
	conn->rx.resync.fire = resync_late;
	expect_header(&conn->rx);
	rx_next(conn);
}

void rx_resume(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	if (!rx->stopped || rx->in_pdu || conn->closing)
		return;
	rx->stopped = false;
	if (rx->buf)
		feed_buffer(conn);
	else
		rx_next(conn);
}

void rx_done(struct conn *conn)
{
	struct rx *rx = &conn->rx;

	sink_release(conn);
	if (rx->buf)
		loop_buf_put(conn->loop, rx->buf);
	rx->buf = NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dataout.c: R2T and Data-Out: how a command's data come in (RFC 7143 4.2.5.2, 11.7, 11.8).
 *
 * A burst is what answers an R2T, or what comes unsolicited. Above ErrorRecoveryLevel 0 PDUs of it
 * may be lost (7.8): when it has ended, by its F bit or by time, what it lacks is asked for by
 * further R2Ts. What nobody waits for any more is dropped.
 */
#include "fabric/iscsi/dataout.h"

#include <assert.h>

#include "base/clock.h"
#include "base/iov.h"
#include "engine/cmd.h"
#include "fabric/iscsi/border.h"
#include "fabric/iscsi/datain.h"
#include "fabric/iscsi/extents.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tmf.h"

enum { R2T_BITS = (1u << TASK_R2TS_MAX) - 1 };
static_assert(R2T_BITS <= UINT8_MAX, "task->r2ts_open has a bit for each");

static void go_on(struct task *task);

static bool recovers(const struct task *task)
{
	return task->conn->retain.on;
}

/* ---- R2T ------------------------------------------------------------------------------------ */

static struct r2t *free_r2t(struct task *task)
{
	unsigned i = task->r2tsn % TASK_R2TS_MAX;

	/* One after the other: a SNACK may be about the last of those that are closed. */
	if (task->r2ts_open & 1u << i)
		i = (unsigned)__builtin_ctz(~task->r2ts_open & R2T_BITS);
	task->r2ts_open |= (uint8_t)(1u << i);
	task->r2ts_used |= (uint8_t)(1u << i);
	return &task->r2ts[i];
}

static struct r2t *find_r2t(struct task *task, uint32_t ttt)
{
	for (unsigned left = task->r2ts_open; left; left &= left - 1) {
		struct r2t *r = &task->r2ts[__builtin_ctz(left)];

		if (r->ttt == ttt)
			return r;
	}
	return NULL;
}

/* Data are waited for from now on. */
static void watch(struct task *task)
{
	struct conn *conn = task->conn;

	task->data_ns = loop_now_ns(conn->loop);
	if (!loop_timer_armed(&conn->data_timer) && !conn->closing)
		loop_timer_arm(
			conn->loop, &conn->data_timer, conn->sess->node.dataout_timeout * NS_PER_S);
}

static bool send_r2t(struct task *task, const struct r2t *r)
{
	struct conn *conn = task->conn;
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_R2T, task->itt);
	struct bhs_r2t *h;

	if (!p)
		return false;
	h = (struct bhs_r2t *)&p->bhs;
	for (unsigned i = 0; i < sizeof(h->lun); i++)
		h->lun[i] = task->cmd->lun[i];
	h->target_transfer_tag = be32_put(r->ttt);
	h->r2tsn = be32_put(r->r2tsn);
	h->buffer_offset = be32_put(r->off);
	h->desired_data_transfer_length = be32_put(r->len);
	p->takes_statsn = false;
	/* 7.2.2: behind the answer to its reassignment, which may wait for a fence. */
	if (task->moved)
		fence_send(conn, p, false);
	else
		tx_send(conn, p);
	watch(task);
	return true;
}

/* The bytes of the burst that is asked for when next_off bytes have been. */
static struct extent next_burst(struct task *task)
{
	uint32_t burst = task->conn->sess->params.max_burst_length, off = task->next_off, n, left;

	if (task->conn->shuffles & SHUFFLE_R2TS) {
		left = task->want - task->r2t_start;
		n = left / burst + !!(left % burst);
		off = task->r2t_start +
		      burst * disorder((off - task->r2t_start) / burst, n, task->itt);
	}
	left = task->want - off;
	n = left < burst ? left : burst;
	task->next_off += off == task->next_off ? n : burst;
	return (struct extent){ off, off + n };
}

/* What to ask for now: first what was lost. False: nothing. */
static bool next_range(struct task *task, struct extent *ret)
{
	while (!extents_empty(task->missing) &&
		extents_pop(task->missing, task->conn->sess->params.max_burst_length, ret)) {
		if (ret->to > task->want)
			ret->to = task->want;
		if (ret->from < ret->to)
			return true;
	}
	if (task->next_off >= task->want)
		return false;
	*ret = next_burst(task);
	return true;
}

/* Ask for what is still missing, as many bursts at once as was agreed. */
static void ask(struct task *task)
{
	struct conn *conn = task->conn;
	struct extent e;

	if (!task->asking) {
		task->asking = true;
		task->r2t_start = task->next_off;
	}
	while (task->nr2ts < conn->max_r2ts && next_range(task, &e)) {
		struct r2t *r = free_r2t(task);

		if (conn->next_ttt == TAG_RESERVED)
			conn->next_ttt = 0;
		*r = (struct r2t){
			.ttt = conn->next_ttt++,
			.r2tsn = task->r2tsn++,
			.off = e.from,
			.len = e.to - e.from,
		};
		task->nr2ts++;
		if (!send_r2t(task, r))
			return;
	}
}

/*
 * ---- the end of a burst
 * ---------------------------------------------------------------------------
 */

static void add_missing(struct task *task, uint32_t from, uint32_t to)
{
	task->disordered = true;
	if (extents_add(&task->missing, &task->conn->extents, from, to) < 0 &&
		task->data_error == SENSE_NO_SENSE)
		task->data_error = SENSE_ABORTED_COMMAND;
}

/* No more comes of it. What it lacks is asked for anew, unless the command has failed anyhow. */
static void close_burst(struct task *task, struct r2t *r)
{
	uint32_t end = r->off + r->len;
	struct extent e = { r->off, r->off };

	if (r->got < r->len && task->data_error == SENSE_NO_SENSE &&
		task->state != TASK_RESPONDING) {
		if (!r->ext)
			add_missing(task, r->off + r->got, end);
		else
			while (extents_gap(r->ext, e.to, end, &e))
				add_missing(task, e.from, e.to);
	}
	r->ext = extents_free(r->ext, &task->conn->extents);
	if (r == &task->unsol) {
		task->unsolicited = false;
		if (task->next_off < end)
			task->next_off = end;
	} else {
		task->r2ts_open &= (uint8_t) ~(1u << (r - task->r2ts));
		task->nr2ts--;
	}
}

/* Unsolicited data end where they end, at the latest at FirstBurstLength. */
static void cut_unsolicited(struct task *task, uint32_t end)
{
	struct r2t *r = &task->unsol;
	uint32_t had = r->off + r->got;

	if (r->ext && r->ext->n)
		had = r->ext->e[r->ext->n - 1].to;
	r->len = (had > end ? had : end) - r->off;
}

static void close_all(struct task *task)
{
	if (task->unsolicited) {
		cut_unsolicited(task, task->unsol.off);
		close_burst(task, &task->unsol);
	}
	while (task->r2ts_open)
		close_burst(task, &task->r2ts[__builtin_ctz(task->r2ts_open)]);
}

/*
 * ---- collecting
 * ---------------------------------------------------------------------------------
 */

void task_data_expect(struct task *task, uint32_t immediate)
{
	const struct sess_params *p = &task->conn->sess->params;
	uint32_t most = task->cmd->edtl_out;

	task->next_off = immediate;
	if (!task->unsolicited)
		return;
	if (most > p->first_burst_length)
		most = p->first_burst_length;
	/* With more immediate data than may come it is in error, and takes no more. */
	task->unsol =
		(struct r2t){ .off = immediate, .len = most > immediate ? most - immediate : 0 };
	watch(task);
}

void task_collect(struct task *task, uint32_t bytes)
{
	task->state = TASK_COLLECTING;
	task->want = bytes;
	go_on(task);
}

void task_want_data_out(struct cmd *cmd, uint32_t bytes)
{
	struct task *task = cmd->task;

	if (border_is_away(task)) {
		border_want(task, bytes);
		return;
	}
	if (task->room < bytes && task->data_error == SENSE_NO_SENSE) {
		if (cmd_data_add_pages(cmd, &cmd->out, bytes - task->room))
			task->data_error = SENSE_ABORTED_COMMAND;
		else
			task->room = bytes;
	}
	task_collect(task, bytes);
}

/* All that is on its way has come in. */
static bool quiet(const struct task *task)
{
	return !task->unsolicited && !task->nr2ts && !task->receiving;
}

/* Something is still to be asked for. */
static bool lacks_data(const struct task *task)
{
	return task->next_off < task->want || !extents_empty(task->missing);
}

static void collected(struct task *task)
{
	struct cmd *cmd = task->cmd;

	task->state = TASK_ENGINE;
	if (border_is_foreign(task)) {
		border_data_done(task, task->data_error);
		return;
	}
	if (task->data_error == SENSE_NO_SENSE)
		cmd_data_cut(cmd, &cmd->out, task->want);
	cmd_data_out_done(cmd, task->data_error);
}

static void go_on(struct task *task)
{
	if (task->state == TASK_RESPONDING) {
		task_answer(task);
		return;
	}
	if (task->state != TASK_COLLECTING || task->unsolicited || task->receiving)
		return;
	if (task->frozen) {
		if (task->awaited && quiet(task))
			tmf_data_came(task);
		return;
	}
	if (task->data_error == SENSE_NO_SENSE) {
		if (task_is_kept(task) && lacks_data(task))
			return;
		ask(task);
	}
	/*
	 * All that was wanted has been asked for, and has come. Of a command in error the rest of
	 * what was asked for is let in before it ends (RFC 7143 7.8).
	 */
	if (quiet(task))
		collected(task);
}

void task_answer(struct task *task)
{
	/*
	 * RFC 7143 11.7: data that were announced or asked for belong to the command until their
	 * last PDU; a tag that was answered before could be used anew while they still come.
	 */
	if (!quiet(task))
		return;
	if (task->awaited)
		tmf_data_came(task);
	if (!task->sending && !task->status_sent && !task_is_kept(task))
		fence_send_task(task->conn, task);
}

/*
 * ---- Data-Out
 * -------------------------------------------------------------------------------------
 */

enum place {
	PLACE_NEXT, /* follows what has come */
	PLACE_APART, /* belongs to the burst, but something before it has not come */
	PLACE_DROP, /* has come already, or is not waited for any more */
	PLACE_FAULT, /* does not belong there */
};

static struct r2t *burst_of(struct task *task, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;
	uint32_t ttt = be32_get(d->target_transfer_tag);

	if (ttt == TAG_RESERVED)
		return task->unsolicited ? &task->unsol : NULL;
	return find_r2t(task, ttt);
}

static bool is_next(const struct r2t *r, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;

	return be32_get(d->buffer_offset) == r->off + r->got && !r->ext;
}

/* Bytes of [from, to) that the burst has. */
static uint32_t has(const struct r2t *r, uint32_t from, uint32_t to)
{
	uint32_t end = r->off + r->got;

	if (r->ext)
		return extents_have(r->ext, from, to);
	end = end < to ? end : to;
	return end > from ? end - from : 0;
}

/* Where a PDU belongs that is not the next one (DataPDUInOrder=No, or something was lost). */
static enum place place_apart(const struct task *task, const struct r2t *r, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;
	uint32_t off = be32_get(d->buffer_offset), datasn = be32_get(d->datasn);
	bool in_order = task->conn->sess->params.data_pdu_in_order;

	if (off < r->off || off - r->off > r->len || pdu->data_bytes > r->len - (off - r->off))
		return PLACE_FAULT;
	if (recovers(task))
		return sna_lt(datasn, r->datasn) || has(r, off, off + pdu->data_bytes)
			       ? PLACE_DROP
			       : PLACE_APART;
	/* 13.18: without order overlays are allowed too. */
	return in_order || datasn != r->datasn ? PLACE_FAULT : PLACE_APART;
}

static enum place place(const struct task *task, const struct r2t *r, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;

	if (!r)
		return recovers(task) ? PLACE_DROP : PLACE_FAULT;
	if (is_next(r, pdu) && be32_get(d->datasn) == r->datasn &&
		pdu->data_bytes <= r->len - r->got)
		return PLACE_NEXT;
	return place_apart(task, r, pdu);
}

static bool ended_lately(const struct conn *conn, uint32_t itt)
{
	for (unsigned i = 0; i < CONN_ENDED_ITTS; i++)
		if (conn->ended_itts[i] == itt)
			return true;
	return false;
}

void task_data_begin(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;
	uint32_t itt = bhs_itt(&pdu->bhs), off = be32_get(d->buffer_offset);
	struct task *task = task_find(conn, itt);
	enum place at;
	ssize_t n;

	rx_sink_discard(conn);
	if (!task) {
		/* Above level 0 its command may have been lost, or is done after all. */
		if (!conn->retain.on && !ended_lately(conn, itt) && !conn->cleared.pending)
			reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	at = place(task, burst_of(task, pdu), pdu);
	if (at == PLACE_DROP)
		return;
	if (at == PLACE_FAULT && task->data_error == SENSE_NO_SENSE)
		task->data_error = SENSE_DATA_PHASE_ERROR;
	conn->rx.task = task;
	task->receiving = true;
	if (task->data_error != SENSE_NO_SENSE || !pdu->data_bytes ||
		(uint64_t)off + pdu->data_bytes > task->room || task->state == TASK_RESPONDING)
		return;
	n = iov_slice(conn->rx.sink.iov, RX_SINK_IOV, task->cmd->out.iov, task->cmd->out.niov, off,
		pdu->data_bytes);
	if (n <= 0) {
		task->data_error = SENSE_ABORTED_COMMAND;
		return;
	}
	conn->rx.sink.niov = (unsigned)n;
	conn->rx.sink.discard = false;
}

/* Bytes have come with something missing before them. Returns how many were not there yet. */
static uint32_t add_apart(struct task *task, struct r2t *r, uint32_t off, uint32_t n)
{
	struct extents_pool *pool = &task->conn->extents;
	int64_t fresh = 0;

	task->disordered = true;
	if (!r->ext)
		fresh = extents_add(&r->ext, pool, r->off, r->off + r->got);
	if (fresh >= 0)
		fresh = extents_add(&r->ext, pool, off, off + n);
	if (fresh >= 0)
		return (uint32_t)fresh;
	/* They are as good as lost. */
	if (!recovers(task))
		task->data_error = SENSE_ABORTED_COMMAND;
	return 0;
}

/* The burst that the PDU belongs to has got it, and may be at its end. */
static void count_data(struct task *task, const struct pdu *pdu, bool digest_ok)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;
	uint32_t off = be32_get(d->buffer_offset), n = pdu->data_bytes;
	struct r2t *r = burst_of(task, pdu);
	bool final = bhs_final(&pdu->bhs), failed = task->data_error != SENSE_NO_SENSE;

	if (!r)
		return;
	r->datasn = be32_get(d->datasn) + 1;
	if (failed || (digest_ok && is_next(r, pdu)))
		r->got += n;
	else if (digest_ok)
		r->got += add_apart(task, r, off, n);
	if (r == &task->unsol) {
		if (!final)
			return;
		cut_unsolicited(task, failed ? r->off : off + n);
	}
	/* F is on the last PDU of the burst and on no other (11.7.1). */
	if (final != (r->got >= r->len) && !failed && !(final && recovers(task)))
		task->data_error = SENSE_DATA_PHASE_ERROR;
	if (final || r->got >= r->len)
		close_burst(task, r);
}

void task_data_end(struct conn *conn, const struct pdu *pdu, bool digest_ok)
{
	struct task *task = conn->rx.task;

	if (!task)
		return;
	conn->rx.task = NULL;
	task->receiving = false;
	/* Aborted, or answered while they came in: they were not asked for. */
	if (task->state == TASK_DEAD || task->status_sent) {
		task_unuse(task);
		return;
	}
	if (!digest_ok) {
		/*
		 * RFC 7143 7.8: at level 0 the command ends with PROTOCOL SERVICE CRC ERROR, above
		 * it what was lost is asked for again.
		 */
		if (!recovers(task))
			task->data_error = SENSE_CRC_ERROR_DETECTED;
		reject_send(conn, pdu, ISCSI_REJECT_DATA_DIGEST_ERROR);
	}
	task->data_ns = conn->last_rx_ns;
	task->data_tries = 0;
	count_data(task, pdu, digest_ok);
	go_on(task);
}

void task_thaw(struct task *task)
{
	task->frozen = false;
	go_on(task);
}

/*
 * ---- data that do not come
 * ------------------------------------------------------------------------
 */

/* Nothing has come for it for so long. */
static void data_late(struct task *task, uint64_t idle_ns, bool lost)
{
	struct conn *conn = task->conn;
	const struct node_attribs *a = &conn->sess->node;
	bool too_late;

	/* What asks for them may not have gone out yet. */
	if (task->moved && conn->fence.nheld) {
		task->data_ns = loop_now_ns(conn->loop);
		return;
	}
	too_late = recovers(task) ? !lost && task->data_tries >= a->dataout_timeout_retries
				  : idle_ns >= (uint64_t)a->dataout_timeout *
						       a->dataout_timeout_retries * NS_PER_S;

	if (too_late) {
		sess_count_error(conn->sess, SESS_CONNECTION_ERROR);
		conn_close(conn, "no Data-Out came for %u times %u s (dataout_timeout)",
			a->dataout_timeout_retries, a->dataout_timeout);
		return;
	}
	if (!recovers(task))
		return;
	if (!lost)
		task->data_tries++;
	task->data_ns = loop_now_ns(conn->loop);
	/*
	 * 7.1.4.1, 13.17: they are not outstanding any more. An R2T that was lost itself shows by
	 * the number of the next one, and a SNACK may still ask for it.
	 */
	close_all(task);
	go_on(task);
}

static void data_timer_fired(struct loop_timer *t)
{
	struct conn *conn = container_of(t, struct conn, data_timer);
	uint64_t now = loop_now_ns(conn->loop), whole, limit, next = UINT64_MAX;
	bool lost = conn->data_lost;
	struct hash_node *n, *tmp;

	whole = conn->sess->node.dataout_timeout * NS_PER_S;
	limit = lost ? DATA_LOST_WAIT_NS : whole;
	conn->data_lost = false;
	hash_for_each_safe(n, tmp, &conn->tasks)
	{
		struct task *task = container_of(n, struct task, hash.node);
		uint64_t idle;

		if (task->receiving || (!task->unsolicited && !task->nr2ts))
			continue;
		idle = now - task->data_ns;
		if (idle >= limit)
			data_late(task, idle, lost);
		if (conn->closing)
			return;
		idle = now - task->data_ns;
		if (next > (idle < whole ? whole - idle : whole))
			next = idle < whole ? whole - idle : whole;
	}
	if (next != UINT64_MAX)
		loop_timer_arm(conn->loop, &conn->data_timer, next);
}

void task_data_lost(struct conn *conn)
{
	/* Nobody waits for data, or has been told already. */
	if (!loop_timer_armed(&conn->data_timer) || conn->data_lost)
		return;
	conn->data_lost = true;
	loop_timer_arm(conn->loop, &conn->data_timer, DATA_LOST_WAIT_NS);
}

/*
 * ---- for others
 * ---------------------------------------------------------------------------------
 */

void task_data_start(struct conn *conn)
{
	const struct sess_params *p = &conn->sess->params;
	const struct node_attribs *a = &conn->sess->node;

	conn->data_timer.fire = data_timer_fired;
	conn->max_r2ts = p->max_outstanding_r2t;
	if (conn->max_r2ts > TASK_R2TS_MAX)
		conn->max_r2ts = TASK_R2TS_MAX;
	/* 13.19: with sequences in order no more than the last R2T is ever asked for anew. */
	if (p->error_recovery_level && p->data_sequence_in_order)
		conn->max_r2ts = 1;
	if (!p->data_pdu_in_order && a->random_datain_pdu_offsets)
		conn->shuffles |= SHUFFLE_PDUS;
	if (!p->data_sequence_in_order && a->random_datain_seq_offsets)
		conn->shuffles |= SHUFFLE_SEQUENCES;
	if (!p->data_sequence_in_order && a->random_r2t_offsets)
		conn->shuffles |= SHUFFLE_R2TS;
}

void task_data_done(struct task *task)
{
	struct extents_pool *pool = &task->conn->extents;

	task->missing = extents_free(task->missing, pool);
	task->unsol.ext = extents_free(task->unsol.ext, pool);
	for (unsigned left = task->r2ts_open; left; left &= left - 1) {
		struct r2t *r = &task->r2ts[__builtin_ctz(left)];

		r->ext = extents_free(r->ext, pool);
	}
}

void task_data_moves(const struct task *task, struct extents_pool *from, struct extents_pool *to)
{
	if (!task->disordered)
		return;
	extents_move(task->missing, from, to);
	extents_move(task->unsol.ext, from, to);
	for (unsigned left = task->r2ts_open; left; left &= left - 1)
		extents_move(task->r2ts[__builtin_ctz(left)].ext, from, to);
}

void task_give_up_data(struct task *task)
{
	if (task->state != TASK_COLLECTING && task->state != TASK_RESPONDING)
		return;
	if (task->state == TASK_COLLECTING && task->data_error == SENSE_NO_SENSE)
		task->data_error = SENSE_ABORTED_COMMAND;
	close_all(task);
	go_on(task);
}

void task_data_restart(struct task *task)
{
	close_all(task);
	task->r2ts_used = 0;
	go_on(task);
}

/* Sent, and no Data-Out has come that answers it; among the latest that are remembered. */
static bool unanswered(const struct r2t *r, uint32_t from, uint32_t to)
{
	return !r->datasn && !sna_lt(r->r2tsn, from) && sna_lt(r->r2tsn, to);
}

bool task_r2ts_again(struct task *task, uint32_t from, uint32_t to, bool all)
{
	uint32_t n = 0;

	for (unsigned left = task->r2ts_used; left; left &= left - 1)
		n += unanswered(&task->r2ts[__builtin_ctz(left)], from, to);
	if (!n || (all && n != to - from))
		return false;
	for (unsigned left = task->r2ts_used; left; left &= left - 1) {
		const struct r2t *r = &task->r2ts[__builtin_ctz(left)];

		if (unanswered(r, from, to) && !send_r2t(task, r))
			break;
	}
	return true;
}

uint32_t task_first_r2t(const struct task *task)
{
	uint32_t first = task->r2tsn;

	for (unsigned left = task->r2ts_used; left; left &= left - 1) {
		const struct r2t *r = &task->r2ts[__builtin_ctz(left)];

		if (!r->datasn && sna_lt(r->r2tsn, first))
			first = r->r2tsn;
	}
	return first;
}

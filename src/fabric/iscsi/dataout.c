/* SPDX-License-Identifier: BSD-3-Clause */
/* dataout.c: R2T and Data-Out: how a command's data come in (RFC 7143 4.2.5.2, 11.7, 11.8). */
#include <assert.h>

#include "base/iov.h"
#include "engine/cmd.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tmf.h"

static void go_on(struct task *task);

/* ---- R2T ------------------------------------------------------------------------------------ */

static struct r2t *free_r2t(struct task *task)
{
	for (unsigned i = 0; i < TASK_R2TS_MAX; i++)
		if (!task->r2ts[i].open)
			return &task->r2ts[i];
	return NULL;
}

static struct r2t *find_r2t(struct task *task, uint32_t ttt)
{
	for (unsigned i = 0; i < TASK_R2TS_MAX; i++)
		if (task->r2ts[i].open && task->r2ts[i].ttt == ttt)
			return &task->r2ts[i];
	return NULL;
}

static bool send_r2t(struct task *task, struct r2t *r)
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
	h->r2tsn = be32_put(task->r2tsn++);
	h->buffer_offset = be32_put(r->off);
	h->desired_data_transfer_length = be32_put(r->len);
	p->takes_statsn = false;
	tx_send(conn, p);
	return true;
}

/* Ask for what is still missing, as many bursts at once as was agreed. */
static void ask(struct task *task)
{
	struct conn *conn = task->conn;
	const struct sess *sess = conn->sess;
	uint32_t most = sess->params.max_outstanding_r2t;

	if (most > TASK_R2TS_MAX)
		most = TASK_R2TS_MAX;
	while (task->nr2ts < most && task->next_off < task->want) {
		struct r2t *r = free_r2t(task);
		uint32_t left = task->want - task->next_off;

		if (conn->next_ttt == TAG_RESERVED)
			conn->next_ttt = 0;
		*r = (struct r2t){
			.ttt = conn->next_ttt++,
			.off = task->next_off,
			.len = left < sess->params.max_burst_length ? left
								    : sess->params.max_burst_length,
			.open = true,
		};
		task->nr2ts++;
		task->next_off += r->len;
		if (!send_r2t(task, r))
			return;
	}
}

/*
 * ---- collecting
 * ---------------------------------------------------------------------------------
 */

void task_want_data_out(struct cmd *cmd, uint32_t bytes)
{
	struct task *task = cmd->task;

	task->state = TASK_COLLECTING;
	task->want = bytes;
	if (task->room < bytes && task->data_error == SENSE_NO_SENSE) {
		if (cmd_data_add_pages(cmd, &cmd->out, bytes - task->room))
			task->data_error = SENSE_ABORTED_COMMAND;
		else
			task->room = bytes;
	}
	go_on(task);
}

/* All that is on its way has come in. */
static bool quiet(const struct task *task)
{
	return !task->unsolicited && !task->nr2ts && !task->receiving;
}

static void collected(struct task *task)
{
	struct cmd *cmd = task->cmd;

	task->state = TASK_ENGINE;
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
	if (task->data_error != SENSE_NO_SENSE) {
		/* The rest of what was asked for is let in before the command ends. */
		if (quiet(task))
			collected(task);
		return;
	}
	if (task->next_off < task->got)
		task->next_off = task->got;
	if (task->got >= task->want && !task->nr2ts)
		collected(task);
	else
		ask(task);
}

void task_answer(struct task *task)
{
	/*
	 * RFC 7143 11.7: data that were announced or asked for belong to the command until their
	 * last PDU; a tag that was answered before could be used anew while they still come.
	 */
	if (quiet(task) && !task->sending && !task->status_sent)
		fence_send_task(task->conn, task);
}

/*
 * ---- Data-Out
 * -------------------------------------------------------------------------------------
 */

/* Where the PDU belongs, in order (DataPDUInOrder, DataSequenceInOrder). False: it does not. */
static bool place(struct task *task, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;
	uint32_t ttt = be32_get(d->target_transfer_tag), off = be32_get(d->buffer_offset);
	const struct sess_params *p = &task->conn->sess->params;
	const struct r2t *r;

	if (ttt == TAG_RESERVED)
		return task->unsolicited && off == task->got &&
		       be32_get(d->datasn) == task->unsol_datasn &&
		       (uint64_t)off + pdu->data_bytes <= p->first_burst_length &&
		       (uint64_t)off + pdu->data_bytes <= task->cmd->edtl_out;
	r = find_r2t(task, ttt);
	return r && off == r->off + r->got && be32_get(d->datasn) == r->datasn &&
	       pdu->data_bytes <= r->len - r->got;
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
	ssize_t n;

	rx_sink_discard(conn);
	if (!task) {
		if (!ended_lately(conn, itt) && !conn->cleared.pending)
			reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	if (!place(task, pdu) && task->data_error == SENSE_NO_SENSE)
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

/* The burst that the PDU belongs to has got it, and may be at its end. */
static void count_data(struct task *task, const struct pdu *pdu)
{
	const struct bhs_data_out *d = (const struct bhs_data_out *)&pdu->bhs;
	uint32_t ttt = be32_get(d->target_transfer_tag);
	struct r2t *r = ttt == TAG_RESERVED ? NULL : find_r2t(task, ttt);
	bool final = bhs_final(&pdu->bhs);

	if (ttt == TAG_RESERVED) {
		task->unsol_datasn++;
		if (final)
			task->unsolicited = false;
		if (task->data_error == SENSE_NO_SENSE)
			task->got += pdu->data_bytes;
		return;
	}
	if (!r)
		return;
	r->datasn++;
	r->got += pdu->data_bytes;
	if (task->data_error == SENSE_NO_SENSE)
		task->got += pdu->data_bytes;
	/* F is on the last PDU of the burst and on no other (11.7.1). */
	if (final != (r->got >= r->len) && task->data_error == SENSE_NO_SENSE)
		task->data_error = SENSE_DATA_PHASE_ERROR;
	if (final || r->got >= r->len) {
		r->open = false;
		task->nr2ts--;
	}
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
		/* RFC 7143 7.8: at level 0 the command ends with PROTOCOL SERVICE CRC ERROR. */
		task->data_error = SENSE_CRC_ERROR_DETECTED;
		reject_send(conn, pdu, ISCSI_REJECT_DATA_DIGEST_ERROR);
	}
	count_data(task, pdu);
	go_on(task);
}

void task_thaw(struct task *task)
{
	task->frozen = false;
	go_on(task);
}

void task_give_up_data(struct task *task)
{
	if (task->state != TASK_COLLECTING && task->state != TASK_RESPONDING)
		return;
	for (unsigned i = 0; i < TASK_R2TS_MAX; i++)
		task->r2ts[i].open = false;
	task->nr2ts = 0;
	task->unsolicited = false;
	if (task->state == TASK_COLLECTING)
		task->data_error = SENSE_ABORTED_COMMAND;
	go_on(task);
}

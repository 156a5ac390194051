/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.c: from responses to bytes. What is queued during one round of the loop goes out in one
 * submission; StatSN and the command window are put in when a PDU is laid into it, so they are in
 * the order of the wire and as fresh as can be.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/tx.h"

#include "base/crc32c.h"
#include "base/iov.h"
#include "engine/cmd.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/datain.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "loop/pool.h"

struct tx_head {
	struct bhs bhs;
	uint8_t digest[DIGEST_BYTES]; /* follows the header on the wire */
	uint8_t length[2]; /* SenseLength */
	uint8_t tail[3 + DIGEST_BYTES];
};

struct tx_batch {
	struct list link; /* in node_loop.free_batches */
	struct list items; /* done with when it has been sent */
	struct iovec iov[TX_BATCH_IOV];
	struct tx_head heads[TX_BATCH_PDUS];
	unsigned niov, nheads;
	uint32_t bytes;
	uint32_t exp_cmdsn, max_cmdsn;
};

/* Something that is sent once more. */
struct tx_again {
	struct tx_item item;
	struct tx_item *of; /* held */
	uint32_t from, to; /* DataSNs of Data-In */
	bool status; /* then the status */
};

/* Slices that one PDU may take besides its header and tail. */
#define PDU_IOV (RX_SINK_IOV + 4)

static void flush(struct loop *loop, struct loop_msg *msg);
static void tx_flush(struct conn *conn);

static struct node_loop *node_loop(const struct conn *conn)
{
	return &conn->entity->per_loop[loop_index(conn->loop)];
}

void tx_init(struct conn *conn)
{
	list_init(&conn->tx.queue);
	retain_init(conn);
	conn->tx.flush.fn = flush;
}

bool tx_full(const struct conn *conn)
{
	return conn->tx.items >= TX_PDUS_MAX || conn->tx.queued_bytes >= TX_QUEUED_BYTES_MAX ||
	       conn->tx.tasks >= TX_TASKS_MAX || conn->tx.task_bytes >= TX_TASK_BYTES_MAX;
}

bool tx_idle(const struct conn *conn)
{
	return list_empty(&conn->tx.queue) && !conn->tx.batch;
}

/* ---- plain PDUs ------------------------------------------------------------------------------ */

struct tx_pdu *tx_pdu_new(struct conn *conn, uint8_t opcode, uint32_t itt)
{
	struct tx_pdu *p = calloc(1, sizeof(*p));

	if (!p) {
		conn_close(conn, "out of memory");
		return NULL;
	}
	list_init(&p->item.link);
	p->bhs.opcode = opcode;
	p->bhs.flags = ISCSI_FINAL;
	p->bhs.initiator_task_tag = be32_put(itt);
	p->takes_statsn = true;
	return p;
}

void tx_pdu_free(struct conn *conn, struct tx_pdu *p)
{
	if (p->pages.iov_len)
		pages_unref(loop_set(conn->loop), &p->pages, 1);
	free(p->data);
	free(p);
}

static void queue(struct conn *conn, struct tx_item *item)
{
	list_push_back(&conn->tx.queue, &item->link);
	if (!conn->tx.batch && !loop_msg_queued(&conn->tx.flush))
		loop_defer(conn->loop, &conn->tx.flush);
}

void tx_send(struct conn *conn, struct tx_pdu *p)
{
	if (conn->closing) {
		tx_pdu_free(conn, p);
		return;
	}
	conn->tx.items++;
	conn->tx.queued_bytes += p->data_bytes;
	queue(conn, &p->item);
}

void tx_send_task(struct conn *conn, struct task *task)
{
	/* A fence lets go of it, but it is kept for another connection. */
	if (conn->keeps || conn->recovered) {
		task->sending = false;
		return;
	}
	task->sending = true;
	conn->tx.tasks++;
	conn->tx.task_bytes += task->cmd->in.bytes;
	task->tx.task = task;
	task->tx.kind = TX_TASK;
	datain_begin(task);
	queue(conn, &task->tx);
}

/*
 * ---- laying PDUs into a batch
 * ------------------------------------------------------------------
 */

static struct tx_head *head_add(struct conn *conn, struct tx_batch *b)
{
	struct tx_head *h = &b->heads[b->nheads++];

	b->iov[b->niov++] = (struct iovec){ &h->bhs, BHS_BYTES };
	b->bytes += BHS_BYTES;
	conn->tx_pdus++;
	return h;
}

/* ExpCmdSN and MaxCmdSN are at the same place in all PDUs to the initiator that have them. */
static void put_window(struct bhs_nop_in *h, const struct tx_batch *b)
{
	h->expcmdsn = be32_put(b->exp_cmdsn);
	h->maxcmdsn = be32_put(b->max_cmdsn);
}

/*
 * The slices from `first` on are the data segment: padding and digest behind, header digest in
 * front.
 */
static void head_finish(struct conn *conn, struct tx_batch *b, struct tx_head *h, unsigned first,
	uint32_t data_bytes)
{
	uint32_t pad = pad_bytes(data_bytes), n = pad;
	/*
	 * RFC 7143 13.1: digests begin with the Full Feature Phase, after the last Login
	 * Response.
	 */
	bool digests = bhs_opcode(&h->bhs) != ISCSI_OP_LOGIN_RESPONSE;

	h->bhs.data_segment_length = be24_put(data_bytes);
	if (conn->header_digest && digests) {
		crc32c_put(h->digest, crc32c(&h->bhs, BHS_BYTES));
		b->iov[first - 1].iov_len += DIGEST_BYTES;
	}
	if (!data_bytes)
		return;
	memset(h->tail, 0, pad);
	if (conn->data_digest && digests) {
		uint32_t crc =
			crc32c_iov(crc32c_init(), b->iov + first, b->niov - first, 0, data_bytes);

		crc32c_put(h->tail + pad, crc32c_final(crc32c_update(crc, h->tail, pad)));
		n += DIGEST_BYTES;
	}
	if (n)
		b->iov[b->niov++] = (struct iovec){ h->tail, n };
	b->bytes += data_bytes;
}

static void lay_pdu(struct conn *conn, struct tx_batch *b, struct tx_pdu *p, uint32_t statsn)
{
	struct tx_head *h = head_add(conn, b);
	struct bhs_nop_in *out = (struct bhs_nop_in *)&h->bhs;
	unsigned first = b->niov;

	h->bhs = p->bhs;
	out->statsn = be32_put(statsn);
	put_window(out, b);
	if (p->pages.iov_len)
		b->iov[b->niov++] = p->pages;
	else if (p->data_bytes)
		b->iov[b->niov++] = (struct iovec){ p->data, p->data_bytes };
	head_finish(
		conn, b, h, first, (uint32_t)(p->pages.iov_len ? p->pages.iov_len : p->data_bytes));
}

/* The next n bytes of the task's Data-In as slices. */
static void lay_data(struct tx_batch *b, struct task *task, uint32_t n)
{
	const struct iovec *iov = task->cmd->in.iov;

	while (n) {
		const struct iovec *v = &iov[task->at];
		size_t k = v->iov_len - task->at_off < n ? v->iov_len - task->at_off : n;

		b->iov[b->niov++] = (struct iovec){ (char *)v->iov_base + task->at_off, k };
		n -= (uint32_t)k;
		task->at_off += k;
		if (task->at_off == v->iov_len) {
			task->at++;
			task->at_off = 0;
		}
	}
}

/*
 * RFC 7143 11.4.5: the residual of the one direction, or of the write of a bidirectional command.
 */
static uint8_t residual_flags(const struct task *task, be32 *ret_count)
{
	const struct cmd *cmd = task->cmd;
	bool write = task->bidirectional || cmd->edtl_out || !cmd->residual_in_kind;
	uint8_t kind = write ? cmd->residual_out_kind : cmd->residual_in_kind;

	*ret_count = be32_put(write ? cmd->residual_out : cmd->residual_in);
	return kind == RESIDUAL_OVERFLOW    ? RSP_OVERFLOW
	       : kind == RESIDUAL_UNDERFLOW ? RSP_UNDERFLOW
					    : 0;
}

/* The same for any bytes of them. */
static void lay_data_at(struct tx_batch *b, const struct task *task, uint32_t off, uint32_t n)
{
	const struct cmd_data *in = &task->cmd->in;
	ssize_t k = iov_slice(b->iov + b->niov, RX_SINK_IOV, in->iov, in->niov, off, n);

	assert(k > 0); /* as many pieces as when they went in order, and one */
	b->niov += (unsigned)k;
}

/* The status goes with the last Data-In where it may (RFC 7143 11.7.3, 11.16.3). */
static bool status_with_data(const struct task *task)
{
	return task->cmd->status == STATUS_GOOD && !task->bidirectional && !task->snack_tag;
}

/* The task has been told its status: it is over but for being kept. */
static void status_laid(struct conn *conn, struct task *task, bool in_data)
{
	task->tx.statsn = conn->statsn++;
	task->status_sent = true;
	task->status_in_data = in_data;
	task_forget_itt(task);
}

/* 11.7.2: at the end of a sequence, if it is the first one behind so many bytes. */
static bool asks_ack(const struct conn *conn, const struct datain *d)
{
	uint32_t burst = conn->sess->params.max_burst_length, end = d->off + d->len;

	return end / DATAIN_ACK_BYTES != (end - burst) / DATAIN_ACK_BYTES;
}

/*
 * RFC 7143 11.7. One Data-In; statsn is that of the status that is in it, if one is.
 *	cursor	it follows the one before
 */
static void lay_data_in(struct conn *conn, struct tx_batch *b, struct task *task,
	const struct datain *d, uint32_t statsn, bool cursor)
{
	const struct cmd *cmd = task->cmd;
	struct tx_head *head = head_add(conn, b);
	struct bhs_data_in *h = (struct bhs_data_in *)&head->bhs;
	unsigned first = b->niov;

	*h = (struct bhs_data_in){
		.opcode = ISCSI_OP_DATA_IN,
		.initiator_task_tag = be32_put(task->itt),
		.target_transfer_tag = be32_put(TAG_RESERVED),
		.datasn = be32_put(d->sn),
		.buffer_offset = be32_put(d->off),
	};
	if (cursor)
		lay_data(b, task, d->len);
	else
		lay_data_at(b, task, d->off, d->len);
	if (d->final)
		h->flags |= DATA_IN_FINAL;
	if (d->final && conn->retain.on && !d->last && !conn->shuffles && asks_ack(conn, d)) {
		/* The tag is that of the task. */
		h->flags |= DATA_IN_ACKNOWLEDGE;
		h->target_transfer_tag = h->initiator_task_tag;
		memcpy(h->lun, cmd->lun, sizeof(h->lun));
	}
	if (d->last && status_with_data(task)) {
		h->flags |= DATA_IN_STATUS | residual_flags(task, &h->residual_count);
		h->status = cmd->status;
		h->statsn = be32_put(statsn);
	}
	put_window((struct bhs_nop_in *)h, b);
	head_finish(conn, b, head, first, d->len);
}

/* The next Data-In of a task, and with the last one its status. */
static void lay_next_data_in(struct conn *conn, struct tx_batch *b, struct task *task)
{
	const struct sess_params *p = &conn->sess->params;
	uint32_t left = task->cmd->in.bytes - task->sent, n = left;
	struct datain d;

	if (conn->shuffles & (SHUFFLE_PDUS | SHUFFLE_SEQUENCES)) {
		d = datain_at(task, task->datasn);
	} else {
		if (n > task->seg)
			n = task->seg;
		if (n > p->max_burst_length - task->burst)
			n = p->max_burst_length - task->burst;
		task->burst += n;
		d = (struct datain){ task->datasn, task->sent, n, false, n == left };
		d.final = d.last || task->burst == p->max_burst_length;
		if (d.final)
			task->burst = 0;
	}
	task->datasn++;
	task->sent += d.len;
	lay_data_in(conn, b, task, &d, conn->statsn, !conn->shuffles);
	if (d.last && status_with_data(task))
		status_laid(conn, task, true);
}

/* RFC 7143 11.4 */
static void lay_response(
	struct conn *conn, struct tx_batch *b, const struct task *task, uint32_t statsn)
{
	struct cmd *cmd = task->cmd;
	struct tx_head *h = head_add(conn, b);
	struct bhs_scsi_response *r = (struct bhs_scsi_response *)&h->bhs;
	unsigned first = b->niov;
	uint32_t n = 0;

	*r = (struct bhs_scsi_response){
		.opcode = ISCSI_OP_SCSI_RESPONSE,
		.flags = ISCSI_FINAL,
		.response = ISCSI_RESPONSE_COMMAND_COMPLETED,
		.status = cmd->status,
		.initiator_task_tag = be32_put(task->itt),
		.snack_tag = be32_put(task->snack_tag),
		.statsn = be32_put(statsn),
		/* 11.4.8: R2Ts and Data-In of the command; 0 if there was no Data-In */
		.expdatasn = be32_put(cmd->in.bytes ? task->datasn : 0),
	};
	r->flags |= residual_flags(task, &r->residual_count);
	if (conn->sess->params.iscsi_protocol_level >= PROTOCOL_LEVEL_SAM5)
		r->status_qualifier = be16_put(cmd->status_qualifier);
	if (task->bidirectional && cmd->residual_in_kind) {
		r->flags |= cmd->residual_in_kind == RESIDUAL_OVERFLOW ? RSP_BIDI_OVERFLOW
								       : RSP_BIDI_UNDERFLOW;
		r->bidi_read_residual_count = be32_put(cmd->residual_in);
	}
	put_window((struct bhs_nop_in *)r, b);
	if (cmd->status == STATUS_CHECK_CONDITION && cmd->sense_len) {
		put_be16(h->length, cmd->sense_len);
		b->iov[b->niov++] = (struct iovec){ h->length, 2 };
		b->iov[b->niov++] = (struct iovec){ cmd->sense_buf, cmd->sense_len };
		n = 2u + cmd->sense_len;
	}
	head_finish(conn, b, h, first, n);
}

static bool has_room(const struct tx_batch *b)
{
	return b->nheads < TX_BATCH_PDUS && b->niov + PDU_IOV <= TX_BATCH_IOV &&
	       b->bytes < TX_BATCH_BYTES;
}

static void lay_task(struct conn *conn, struct tx_batch *b, struct task *task)
{
	while (!task->status_sent && has_room(b)) {
		if (task->sent < task->cmd->in.bytes) {
			lay_next_data_in(conn, b, task);
		} else {
			lay_response(conn, b, task, conn->statsn);
			status_laid(conn, task, false);
		}
	}
}

static struct tx_pdu *pdu_of(struct tx_item *item)
{
	return container_of(item, struct tx_pdu, item);
}

static void lay_new_pdu(struct conn *conn, struct tx_batch *b, struct tx_pdu *p)
{
	p->item.statsn = p->statsn = conn->statsn;
	lay_pdu(conn, b, p, conn->statsn);
	if (p->takes_statsn)
		conn->statsn++;
}

/* 11.16: as it was, but for ExpCmdSN, MaxCmdSN and ExpDataSN. */
static void lay_status_again(struct conn *conn, struct tx_batch *b, struct tx_item *of)
{
	struct task *task = of->task;
	struct datain d;

	if (of->kind == TX_PDU) {
		lay_pdu(conn, b, pdu_of(of), of->statsn);
	} else if (task->status_in_data && !task->snack_tag) {
		d = datain_at(task, task->datasn - 1);
		lay_data_in(conn, b, task, &d, of->statsn, false);
	} else {
		lay_response(conn, b, task, of->statsn);
	}
}

/* True: all of it is laid. */
static bool lay_again(struct conn *conn, struct tx_batch *b, struct tx_again *a)
{
	while (a->from != a->to && has_room(b)) {
		struct datain d = datain_at(a->of->task, a->from++);

		lay_data_in(conn, b, a->of->task, &d, a->of->statsn, false);
	}
	if (a->from != a->to || (a->status && !has_room(b)))
		return false;
	if (a->status) {
		a->of->again = false;
		lay_status_again(conn, b, a->of);
	}
	return true;
}

static struct tx_again *again_of(struct tx_item *item)
{
	return container_of(item, struct tx_again, item);
}

/* True: all of it is laid. */
static bool lay_item(struct conn *conn, struct tx_batch *b, struct tx_item *item)
{
	switch (item->kind) {
	case TX_TASK:
		lay_task(conn, b, item->task);
		return item->task->status_sent;
	case TX_AGAIN:
		return lay_again(conn, b, again_of(item));
	default:
		lay_new_pdu(conn, b, pdu_of(item));
		return true;
	}
}

static void fill(struct conn *conn, struct tx_batch *b)
{
	struct tx_item *item;

	while (has_room(b) && (item = list_first(&conn->tx.queue, struct tx_item, link))) {
		if (!lay_item(conn, b, item))
			break;
		list_del(&item->link);
		list_push_back(&b->items, &item->link);
	}
}

/*
 * ---- sending
 * -----------------------------------------------------------------------------------
 */

static struct tx_batch *batch_new(struct conn *conn)
{
	struct node_loop *nl = node_loop(conn);
	struct list *n = list_pop_front(&nl->free_batches);
	struct tx_batch *b;

	if (n) {
		nl->nfree_batches--;
		b = container_of(n, struct tx_batch, link);
	} else {
		b = malloc(sizeof(*b));
		if (!b)
			return NULL;
		list_init(&b->link);
	}
	list_init(&b->items);
	b->niov = b->nheads = 0;
	b->bytes = 0;
	return b;
}

static void batch_free(struct conn *conn, struct tx_batch *b)
{
	struct node_loop *nl = node_loop(conn);

	if (nl->nfree_batches >= FREE_BATCHES_KEPT) {
		free(b);
		return;
	}
	nl->nfree_batches++;
	list_push_front(&nl->free_batches, &b->link);
}

static void uncount_task(struct conn *conn, struct task *task)
{
	task->sending = false;
	conn->tx.tasks--;
	conn->tx.task_bytes -= task->cmd->in.bytes;
}

bool tx_has_statsn(const struct tx_item *item)
{
	if (item->kind == TX_PDU)
		return container_of(item, const struct tx_pdu, item)->takes_statsn;
	return item->kind == TX_TASK;
}

/* Nothing of it is in the queue or in a batch any more. */
static void uncount(struct conn *conn, struct tx_item *item)
{
	if (item->kind == TX_TASK) {
		uncount_task(conn, item->task);
		return;
	}
	conn->tx.items--;
	if (item->kind == TX_PDU)
		conn->tx.queued_bytes -= pdu_of(item)->data_bytes;
}

static void tell_sent(struct conn *conn, struct tx_item *item)
{
	struct tx_pdu *p = pdu_of(item);

	if (item->kind == TX_PDU && p->sent)
		p->sent(conn, p);
	if (item->kind == TX_PDU)
		p->sent = NULL;
}

/* It has no further use: it has been sent, or never will be. */
static void item_done(struct conn *conn, struct tx_item *item)
{
	struct tx_again *a;

	switch (item->kind) {
	case TX_TASK:
		task_unuse(item->task);
		break;
	case TX_AGAIN:
		a = again_of(item);
		retain_unhold(conn, a->of);
		free(a);
		break;
	default:
		tell_sent(conn, item);
		/* The last of those that are to send it again frees it. */
		if (!item->holds)
			tx_pdu_free(conn, pdu_of(item));
	}
}

static void item_sent(struct conn *conn, struct tx_item *item)
{
	uncount(conn, item);
	if (conn->retain.on && (!conn->closing || conn->keeps) && tx_has_statsn(item)) {
		tell_sent(conn, item);
		retain_sent(conn, item);
	} else {
		item_done(conn, item);
	}
}

static void batch_sent(struct loop_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, tx.op);
	struct tx_batch *b = conn->tx.batch;
	struct list *n;

	conn->by_peer = conn->by_peer || (res <= 0 && !conn->closing);
	if (res > 0)
		conn->tx_bytes += (uint64_t)res;
	else
		conn_close(conn, "sending failed: %s", strerror(-res));
	while ((n = list_pop_front(&b->items)))
		item_sent(conn, container_of(n, struct tx_item, link));
	conn->tx.batch = NULL;
	batch_free(conn, b);
	if (conn->closing) {
		tx_drop(conn);
		conn_reap(conn);
		return;
	}
	if (!list_empty(&conn->tx.queue))
		tx_flush(conn);
	else if (conn->close_after_send)
		conn_close(conn, NULL);
	if (!conn->logging_out && !conn->close_after_send)
		rx_resume(conn);
}

static void tx_flush(struct conn *conn)
{
	struct tx_batch *b;

	if (conn->tx.batch || conn->closing || list_empty(&conn->tx.queue))
		return;
	b = batch_new(conn);
	if (!b) {
		conn_close(conn, "out of memory");
		return;
	}
	/*
	 * RFC 7143 11.13.4: during login there is no window but the CmdSN that the login came
	 * with, unless it is a login to a session that is there.
	 */
	b->exp_cmdsn = b->max_cmdsn = conn->login_cmdsn;
	if (conn->sess || conn->joins)
		sess_window(conn->sess ? conn->sess : conn->joins, &b->exp_cmdsn, &b->max_cmdsn);
	fill(conn, b);
	conn->tx.batch = b;
	conn->tx.op.done = batch_sent;
	loop_send(conn->loop, &conn->tx.op, conn->fd, b->iov, b->niov);
}

static void flush(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, tx.flush);

	if (conn->closing)
		conn_reap(conn);
	else
		tx_flush(conn);
}

void tx_drop(struct conn *conn)
{
	struct list *n;

	/* A task may lie in the batch in part: its memory is in use until that has been sent. */
	if (conn->tx.batch)
		return;
	while ((n = list_pop_front(&conn->tx.queue))) {
		struct tx_item *item = container_of(n, struct tx_item, link);

		uncount(conn, item);
		if (item->kind != TX_TASK)
			item_done(conn, item);
		else if (!conn->keeps)
			task_kill(item->task);
	}
	if (conn->keeps)
		retain_drop_pdus(conn);
	else
		retain_drop(conn);
}

/*
 * ---- once more
 * -------------------------------------------------------------------------------------
 */

struct list *tx_in_flight(struct conn *conn)
{
	return conn->tx.batch ? &conn->tx.batch->items : NULL;
}

static bool again(struct conn *conn, struct tx_item *of, uint32_t from, uint32_t to, bool status)
{
	struct tx_again *a = calloc(1, sizeof(*a));

	if (!a) {
		conn_close(conn, "out of memory");
		return false;
	}
	list_init(&a->item.link);
	a->item.kind = TX_AGAIN;
	a->of = of;
	a->from = from;
	a->to = to;
	a->status = status;
	of->holds++;
	conn->tx.items++;
	queue(conn, &a->item);
	return true;
}

bool tx_status_again(struct conn *conn, struct tx_item *item)
{
	/* Once is enough for those that are on their way. */
	if (item->again)
		return true;
	/* Without memory the connection is closed by now, and the item gone. */
	if (!again(conn, item, 0, 0, true))
		return false;
	item->again = true;
	return true;
}

bool tx_data_again(struct conn *conn, struct task *task, uint32_t from, uint32_t to)
{
	return again(conn, &task->tx, from, to, false);
}

bool tx_all_again(struct conn *conn, struct task *task)
{
	uint32_t from = task->base_sn;

	task->datasn = from + datain_count(task);
	return again(conn, &task->tx, from, task->datasn, true);
}

void tx_no_more_again(struct conn *conn, struct task *task)
{
	struct tx_item *item;

	list_for_each (item, &conn->tx.queue, struct tx_item, link)
		if (item->kind == TX_AGAIN && again_of(item)->of == &task->tx) {
			again_of(item)->from = again_of(item)->to;
			again_of(item)->status = false;
		}
	task->tx.again = false;
}

void tx_free_batches(struct node_loop *nl)
{
	struct list *n;

	while ((n = list_pop_front(&nl->free_batches)))
		free(container_of(n, struct tx_batch, link));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* ffp.c: PDUs of the Full Feature Phase: which there are, and in which order they run. */
#include "fabric/iscsi/ffp.h"

#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "fabric/iscsi/reassign.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

enum {
	FFP_DATA = 1 << 0, /* its data segment is wanted */
	FFP_DISCOVERY = 1 << 1, /* allowed in a discovery session (RFC 7143 4.3) */
	FFP_UNNUMBERED = 1 << 2, /* has no CmdSN */
	FFP_BARRIER = 1 << 3, /* what comes before it is over before it runs */
};

struct ffp_row {
	ffp_run_fn *run;
	void (*begin)(struct conn *conn, const struct pdu *pdu);
	void (*end)(struct conn *conn, const struct pdu *pdu, bool digest_ok);
	unsigned flags;
};

static void no_data(struct conn *conn, const struct pdu *pdu)
{
	rx_sink_discard(conn);
}

static const struct ffp_row rows[ISCSI_OP_MASK + 1] = {
	[ISCSI_OP_NOP_OUT] = { .run = nop_out, .flags = FFP_DATA | FFP_DISCOVERY },
	[ISCSI_OP_SCSI_COMMAND] = { .begin = task_begin, .end = task_end },
	[ISCSI_OP_TASK_MANAGEMENT_REQUEST] = { .run = tmf_request, .flags = FFP_BARRIER },
	[ISCSI_OP_TEXT_REQUEST] = { .run = text_request, .flags = FFP_DATA | FFP_DISCOVERY },
	[ISCSI_OP_DATA_OUT] = { .begin = task_data_begin,
		.end = task_data_end,
		.flags = FFP_UNNUMBERED },
	[ISCSI_OP_SNACK_REQUEST] = { .begin = no_data,
		.end = snack_request,
		.flags = FFP_UNNUMBERED },
	[ISCSI_OP_LOGOUT_REQUEST] = { .run = logout_request, .flags = FFP_DISCOVERY | FFP_BARRIER },
};

/* Why there is no row for an opcode. */
static enum iscsi_reject no_row(uint8_t opcode)
{
	switch (opcode) {
	case ISCSI_OP_LOGIN_REQUEST: /* 6.3: the login phase is over */
		return ISCSI_REJECT_PROTOCOL_ERROR;
	default:
		return ISCSI_REJECT_COMMAND_NOT_SUPPORTED;
	}
}

static const struct ffp_row *row_of(const struct conn *conn, const struct pdu *pdu)
{
	const struct ffp_row *row = &rows[bhs_opcode(&pdu->bhs)];

	if (!row->run && !row->begin)
		return NULL;
	return conn->sess->discovery && !(row->flags & FFP_DISCOVERY) ? NULL : row;
}

bool ffp_begin(struct conn *conn, const struct pdu *pdu)
{
	const struct ffp_row *row = row_of(conn, pdu);

	/* What is no command may be about those that came before it. */
	if (bhs_opcode(&pdu->bhs) != ISCSI_OP_SCSI_COMMAND)
		sess_arrived(conn);
	if (conn->closing)
		return false;
	if (!row) {
		rx_sink_discard(conn);
		reject_send(conn, pdu,
			rows[bhs_opcode(&pdu->bhs)].begin ? ISCSI_REJECT_PROTOCOL_ERROR
							  : no_row(bhs_opcode(&pdu->bhs)));
	} else if (row->begin) {
		row->begin(conn, pdu);
	} else if (!pdu->data_bytes || !(row->flags & FFP_DATA) || !rx_sink_pages(conn)) {
		rx_sink_discard(conn);
	}
	return !conn->closing;
}

void ffp_run(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	rows[bhs_opcode(&pdu->bhs)].run(conn, pdu, data, n);
}

/* A request that came before its turn, with its data, as a task without a command. */
static void hold(
	struct conn *conn, const struct pdu *pdu, uint32_t cmdsn, const struct sess_turn *turn)
{
	struct task *task = task_new(conn);

	if (!task) {
		conn_close(conn, "out of memory");
		return;
	}
	task->cmdsn = cmdsn;
	task->turn = *turn;
	if (bhs_immediate(&pdu->bhs) && !task_take_immediate(task)) {
		reject_send(conn, pdu, ISCSI_REJECT_IMMEDIATE_COMMAND);
		task_kill(task);
		return;
	}
	task->held_pdu = malloc(sizeof(*pdu));
	task->held_data = malloc(pdu->data_bytes + 1u);
	if (!task->held_pdu || !task->held_data) {
		task_kill(task);
		conn_close(conn, "out of memory");
		return;
	}
	*task->held_pdu = *pdu;
	rx_sink_copy(conn, task->held_data, pdu->data_bytes);
	if (!sess_hold(conn->sess, task))
		task_kill(task);
}

/* Memory was short when its data came: they are gone. */
static bool lacks_data(const struct conn *conn, const struct ffp_row *row, const struct pdu *pdu)
{
	return row->flags & FFP_DATA && pdu->data_bytes && !conn->rx.sink.niov;
}

/* 11.2.1.8: the tag of a task that is under way names that and nothing else. */
static bool tag_in_use(const struct conn *conn, const struct pdu *pdu)
{
	uint32_t itt = bhs_itt(&pdu->bhs);

	return itt != TAG_RESERVED && (task_find(conn, itt) || reassign_expects(conn, itt));
}

static void run_in_order(struct conn *conn, const struct pdu *pdu)
{
	/* CmdSN is at the same place in all of them. */
	uint32_t cmdsn = be32_get(((const struct bhs_nop_out *)&pdu->bhs)->cmdsn);
	uint8_t opcode = bhs_opcode(&pdu->bhs);
	const struct rx_sink *s = &conn->rx.sink;
	struct sess *sess = conn->sess;
	struct sess_turn turn = { .barrier = rows[opcode].flags & FFP_BARRIER,
		.function = opcode == ISCSI_OP_TASK_MANAGEMENT_REQUEST };

	if (bhs_immediate(&pdu->bhs)) {
		/*
		 * 4.2.3: a function waits for the commands before it, also if it is immediate; but
		 * ABORT TASK, which may be about one that never comes, and TASK REASSIGN, while
		 * what was sent on the connection that failed is sent anew.
		 */
		if (opcode == ISCSI_OP_TASK_MANAGEMENT_REQUEST &&
			(pdu->bhs.flags & ISCSI_TMF_MASK) != ISCSI_TMF_ABORT_TASK &&
			(pdu->bhs.flags & ISCSI_TMF_MASK) != ISCSI_TMF_TASK_REASSIGN &&
			sess_is_early(sess, cmdsn))
			hold(conn, pdu, cmdsn, &turn);
		else
			ffp_run(conn, pdu, s->iov, s->niov);
		return;
	}
	switch (sess_order_of(sess, cmdsn, &turn)) {
	case SESS_NOW:
		ffp_run(conn, pdu, s->iov, s->niov);
		sess_turn_over(sess, conn->loop, &turn);
		break;
	case SESS_HELD:
		hold(conn, pdu, cmdsn, &turn);
		break;
	case SESS_IGNORE:
		break;
	}
}

void ffp_end(struct conn *conn, const struct pdu *pdu, bool digest_ok)
{
	const struct ffp_row *row = row_of(conn, pdu);

	conn->exp_statsn = be32_get(((const struct bhs_nop_out *)&pdu->bhs)->expstatsn);
	if (conn->retain.on)
		retain_ack(conn, conn->exp_statsn);
	if (conn->fence.waits)
		fence_acked(conn);
	if (!row)
		return;
	if (row->end)
		row->end(conn, pdu, digest_ok);
	else if (!digest_ok)
		reject_send(conn, pdu, ISCSI_REJECT_DATA_DIGEST_ERROR);
	else if (tag_in_use(conn, pdu))
		reject_send(conn, pdu, ISCSI_REJECT_TASK_IN_PROGRESS);
	else if (lacks_data(conn, row, pdu))
		reject_send(conn, pdu, ISCSI_REJECT_LONG_OPERATION);
	else
		run_in_order(conn, pdu);
}

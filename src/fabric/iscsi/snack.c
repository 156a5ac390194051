/* SPDX-License-Identifier: BSD-3-Clause */
/* snack.c: SNACK Request (RFC 7143 11.16): what the initiator lacks is sent once more. */
#include "engine/cmd.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/datain.h"
#include "fabric/iscsi/dataout.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tx.h"

/* A run of numbers that a SNACK names, [from, to). */
struct run {
	uint32_t from, to;
};

/*
 * 11.16.6, 11.16.7: RunLength 0 is all from BegRun on, and BegRun 0 with it all that is not
 * acknowledged. False: it names what was acknowledged, or was not sent.
 */
static bool run_of(const struct bhs_snack_request *q, uint32_t first, uint32_t end, struct run *ret)
{
	uint32_t from = be32_get(q->begrun), n = be32_get(q->runlength);

	if (!from && !n) {
		*ret = (struct run){ first, end };
		return true;
	}
	*ret = (struct run){ from, n ? from + n : end };
	/* Serial numbers: each is a distance from the first. */
	return from - first < end - first && (!n || n <= end - from);
}

/* ---- Status SNACK --------------------------------------------------------------------------- */

/* 11.16.1: who cannot send again what it should asks for a logout. */
static void cannot(struct conn *conn)
{
	if (conn->state == CONN_LOGGED_IN)
		async_send(conn, ISCSI_ASYNC_REQUEST_LOGOUT, 0, 0, LOGOUT_REQUEST_WAIT_S);
}

static void status_snack(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_snack_request *q = (const struct bhs_snack_request *)&pdu->bhs;
	struct run run;

	if (bhs_itt(&pdu->bhs) != TAG_RESERVED) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	if (!run_of(q, conn->retain.acked, conn->statsn, &run)) {
		reject_send(conn, pdu, ISCSI_REJECT_PROTOCOL_ERROR);
		return;
	}
	if (!retain_again(conn, run.from, run.to) && !conn->closing)
		cannot(conn);
}

/* ---- Data/R2T SNACK ------------------------------------------------------------------------- */

static struct task *task_of(struct conn *conn, uint32_t itt)
{
	struct task *task = task_find(conn, itt);

	return task ? task : retain_find_task(conn, itt);
}

/*
 * R2Ts and Data-In of a command are numbered together (11.7.5), and all R2Ts come first: what there
 * is to send again are either Data-In behind the last DataACK, or R2Ts without an answer.
 */
static bool sends_data(const struct task *task)
{
	return task->seg && task->cmd->in.bytes;
}

/* With the next number that the task would give to a Data-In or R2T (11.17.3). */
static void refuse(struct conn *conn, const struct pdu *pdu, const struct task *task)
{
	uint32_t next = !task ? 0 : sends_data(task) ? task->datasn : task->r2tsn;

	reject_send_datasn(conn, pdu, ISCSI_REJECT_PROTOCOL_ERROR, next);
}

static void data_snack(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_snack_request *q = (const struct bhs_snack_request *)&pdu->bhs;
	struct task *task = task_of(conn, bhs_itt(&pdu->bhs));
	struct run run;

	if (be32_get(q->target_transfer_tag) != TAG_RESERVED) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	if (!task || !task->cmd) {
		refuse(conn, pdu, NULL);
	} else if (sends_data(task)) {
		/* With a smaller MaxRecvDataSegmentLength by now it has to be an R-Data SNACK. */
		if (!run_of(q, task->acked_sn, task->datasn, &run) || task->seg > conn->max_xmit)
			refuse(conn, pdu, task);
		else if (run.from != run.to)
			tx_data_again(conn, task, run.from, run.to);
	} else if (!run_of(q, task_first_r2t(task), task->r2tsn, &run) ||
		   (run.from != run.to &&
			   !task_r2ts_again(task, run.from, run.to, be32_get(q->runlength) > 0))) {
		refuse(conn, pdu, task);
	}
}

/* ---- DataACK -------------------------------------------------------------------------------- */

/* 11.16.2: the tag is the one that came with the A bit: the task's own. */
static void data_ack(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_snack_request *q = (const struct bhs_snack_request *)&pdu->bhs;
	uint32_t sn = be32_get(q->begrun);
	struct task *task = task_of(conn, be32_get(q->target_transfer_tag));

	if (bhs_itt(&pdu->bhs) != TAG_RESERVED || be32_get(q->runlength)) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	if (!task || !task->seg || conn->shuffles || sna_lt(sn, task->acked_sn) ||
		sna_lt(task->datasn, sn)) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_DATA_ACK);
		return;
	}
	task->acked_sn = sn;
}

/* ---- R-Data SNACK --------------------------------------------------------------------------- */

/* 11.16.3: the Data-In that are not acknowledged, cut anew, then a response with the SNACK Tag. */
static void r_data_snack(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_snack_request *q = (const struct bhs_snack_request *)&pdu->bhs;
	uint32_t tag = be32_get(q->target_transfer_tag);
	struct task *task = task_of(conn, bhs_itt(&pdu->bhs));

	if (!tag || tag == TAG_RESERVED || be32_get(q->begrun) || be32_get(q->runlength)) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		return;
	}
	/* A command that has no status yet has sent no Data-In. */
	if (!task || !task->seg || !datain_rewind(task, task->acked_sn)) {
		refuse(conn, pdu, task);
		return;
	}
	tx_no_more_again(conn, task);
	task->snack_tag = tag;
	if (task->status_sent)
		tx_all_again(conn, task);
}

void snack_request(struct conn *conn, const struct pdu *pdu, bool digest_ok)
{
	static void (*const kinds[])(struct conn * conn, const struct pdu *pdu) = {
		[ISCSI_SNACK_DATA_R2T] = data_snack,
		[ISCSI_SNACK_STATUS] = status_snack,
		[ISCSI_SNACK_DATA_ACK] = data_ack,
		[ISCSI_SNACK_R_DATA] = r_data_snack,
	};
	uint8_t type = pdu->bhs.flags & ISCSI_SNACK_MASK;

	/* 11.16: retransmission is of level 1. */
	if (!conn->retain.on)
		reject_send(conn, pdu, ISCSI_REJECT_SNACK_REJECT);
	else if (type >= sizeof(kinds) / sizeof(kinds[0]))
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
	else
		kinds[type](conn, pdu);
}

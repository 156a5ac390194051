/* SPDX-License-Identifier: BSD-3-Clause */
/* task.c: SCSI commands from their PDU to the engine, and what comes back (RFC 7143 11.3, 11.4). */
#include "fabric/iscsi/task.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "engine/cmd.h"
#include "engine/nexus.h"
#include "fabric/iscsi/border.h"
#include "fabric/iscsi/dataout.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/reassign.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/tmf.h"
#include "loop/poison.h"

static struct node_loop *node_loop(const struct conn *conn)
{
	return &conn->entity->per_loop[loop_index(conn->loop)];
}

/* ---- life ----------------------------------------------------------------------------------- */

struct task *task_new(struct conn *conn)
{
	struct node_loop *nl = node_loop(conn);
	struct list *n = list_pop_front(&nl->free_tasks);
	struct task *task;

	if (n) {
		nl->nfree_tasks--;
		task = container_of(n, struct task, link);
	} else {
		task = malloc(sizeof(*task));
		if (!task)
			return NULL;
	}
	memset(task, 0, offsetof(struct task, r2ts));
	list_init(&task->tx.link);
	list_init(&task->link);
	task->conn = conn;
	conn->ntasks++;
	return task;
}

static void end_order(struct task *task)
{
	if (task->ordered)
		sess_ordered_end(task->conn->sess, task, task->conn->loop);
	task->ordered = false;
}

static void leave_window(struct task *task)
{
	if (task->in_window)
		sess_release_slot(task->conn->sess);
	task->in_window = false;
}

/* For AddressSanitizer each task is memory of its own: it sees one that is used after its end. */
static uint32_t tasks_kept(void)
{
#ifdef ULIO_ASAN
	return 0;
#else
	return FREE_TASKS_KEPT;
#endif
}

void task_release(struct task *task, struct entity *entity, struct loop *loop)
{
	struct node_loop *nl = &entity->per_loop[loop_index(loop)];

	cmd_free(task->cmd);
	if (nl->nfree_tasks < tasks_kept()) {
		nl->nfree_tasks++;
		list_push_front(&nl->free_tasks, &task->link);
	} else {
		free(task);
	}
}

/* What its connection counts of it. */
static void leave_conn(struct task *task)
{
	struct conn *conn = task->conn;

	if (conn->retain.tasks)
		retain_forget(conn, task);
	if (task->immediate)
		conn->nimmediate--;
	conn->ntasks--;
}

static void tell_fewer(struct conn *conn)
{
	if (conn->closing)
		conn_reap(conn);
	else
		logout_go_on(conn);
}

static void task_free(struct task *task)
{
	struct conn *conn = task->conn;

	assert(!list_linked(&task->link) && !list_linked(&task->tx.link) && !task->hashed);
	leave_window(task);
	leave_conn(task);
	if (task->disordered)
		task_data_done(task);
	free(task->held_pdu);
	free(task->held_data);
	if (border_is_foreign(task)) {
		border_free(task);
	} else {
		border_done(task);
		task_release(task, conn->entity, conn->loop);
	}
	tell_fewer(conn);
}

bool task_take_immediate(struct task *task)
{
	if (task->conn->nimmediate >= CONN_IMMEDIATE_MAX)
		return false;
	task->conn->nimmediate++;
	task->immediate = true;
	return true;
}

void task_unuse(struct task *task)
{
	if (task->receiving || task->sending || task->tx.kept || task->tx.holds)
		return;
	if (task->state == TASK_DEAD || task->status_sent)
		task_free(task);
}

struct task *task_find_kept(struct conn *conn, uint32_t itt)
{
	struct task *task = task_find(conn, itt);

	return task ? task : retain_find_task(conn, itt);
}

bool task_is_kept(const struct task *task)
{
	return task->conn->closing || task->conn->recovered;
}

void task_detach(struct task *task)
{
	struct conn *conn = task->conn;

	assert(!list_linked(&task->link) && !task->sending && !task->tx.holds);
	if (task->tx.kept)
		retain_take(conn, task);
	task_forget_itt(task);
	task_data_moves(task, &conn->extents, NULL);
	leave_conn(task);
	tell_fewer(conn);
}

void task_attach(struct task *task, struct conn *conn)
{
	task->conn = conn;
	task_data_moves(task, NULL, &conn->extents);
	conn->ntasks++;
	if (task->immediate)
		conn->nimmediate++;
	hash_u64_insert(&conn->tasks, &task->hash, task->itt);
	task->hashed = true;
	if (task->state == TASK_RESPONDING && retain_answered(conn, task))
		leave_window(task);
}

struct task *task_find(const struct conn *conn, uint32_t itt)
{
	struct hash_u64_node *n = hash_u64_find(&conn->tasks, itt);

	return n ? container_of(n, struct task, hash) : NULL;
}

void task_forget_itt(struct task *task)
{
	if (!task->hashed)
		return;
	hash_u64_remove(&task->conn->tasks, &task->hash);
	task->hashed = false;
}

void task_remember_ended(struct task *task)
{
	struct conn *conn = task->conn;

	conn->ended_itts[conn->next_ended++ % CONN_ENDED_ITTS] = task->itt;
}

void task_kill(struct task *task)
{
	if (task->awaited)
		tmf_data_came(task);
	/* Data that are on their way for it are then no reason for a Reject. */
	if (task->hashed && (task->unsolicited || task->nr2ts))
		task_remember_ended(task);
	task_forget_itt(task);
	end_order(task);
	leave_window(task);
	task->state = TASK_DEAD;
	task_unuse(task);
}

/*
 * ---- SCSI Command
 * -------------------------------------------------------------------------------
 */

static const uint8_t attrs[] = {
	[ISCSI_ATTR_UNTAGGED] = TASK_ATTR_SIMPLE,
	[ISCSI_ATTR_SIMPLE] = TASK_ATTR_SIMPLE,
	[ISCSI_ATTR_ORDERED] = TASK_ATTR_ORDERED,
	[ISCSI_ATTR_HEAD_OF_QUEUE] = TASK_ATTR_HEAD_OF_QUEUE,
	[ISCSI_ATTR_ACA] = TASK_ATTR_ACA,
};

static bool fill_cmd(struct cmd *cmd, const struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_scsi_command *c = (const struct bhs_scsi_command *)&pdu->bhs;
	uint32_t edtl = be32_get(c->expected_data_transfer_length);

	memcpy(cmd->lun, c->lun, sizeof(cmd->lun));
	memcpy(cmd->cdb, c->cdb, CDB_BHS_BYTES);
	cmd->tag = be32_get(c->initiator_task_tag);
	cmd->order = sess_order(be32_get(c->cmdsn), bhs_immediate(&pdu->bhs));
	cmd->attr = attrs[c->flags & CMD_ATTR_MASK];
	if (conn->sess->params.iscsi_protocol_level >= PROTOCOL_LEVEL_SAM5)
		cmd->priority = c->priority >> CMD_PRIORITY_SHIFT;
	cmd->cdb_len = CDB_BHS_BYTES;
	cmd->edtl_out = c->flags & CMD_WRITE ? edtl : 0;
	cmd->edtl_in = c->flags & CMD_READ && !(c->flags & CMD_WRITE) ? edtl : 0;
	return !pdu->bhs.total_ahs_length || ahs_take(cmd, pdu);
}

/* 4.2.2.1: a command that is here already is ignored when it comes again (7.2.1, retry). */
static bool is_repeated(const struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_scsi_command *c = (const struct bhs_scsi_command *)&pdu->bhs;
	const struct task *t;

	if (bhs_immediate(&pdu->bhs))
		return false;
	t = task_find(conn, be32_get(c->initiator_task_tag));
	return t && !t->immediate && t->cmdsn == be32_get(c->cmdsn);
}

/* What RFC 7143 11.3 and 4.2.5 do not allow. 0, or why the PDU is rejected. */
static int command_fault(const struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_scsi_command *c = (const struct bhs_scsi_command *)&pdu->bhs;
	uint32_t itt = be32_get(c->initiator_task_tag);

	if (itt == TAG_RESERVED)
		return ISCSI_REJECT_INVALID_PDU_FIELD;
	/* 11: a reserved value, here of ATTR, is a protocol error. */
	if ((c->flags & CMD_ATTR_MASK) > ISCSI_ATTR_ACA)
		return ISCSI_REJECT_PROTOCOL_ERROR;
	if (task_find(conn, itt) || reassign_expects(conn, itt))
		return ISCSI_REJECT_TASK_IN_PROGRESS;
	/* 11.3.1: F=0 announces unsolicited data, which only a write can have. */
	if (!(c->flags & CMD_FINAL) && !(c->flags & CMD_WRITE))
		return ISCSI_REJECT_INVALID_PDU_FIELD;
	return 0;
}

/* Data that come with or right after the command but may not (11.4.7.2). */
static enum sense_name unsolicited_fault(const struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_scsi_command *c = (const struct bhs_scsi_command *)&pdu->bhs;
	const struct sess_params *p = &conn->sess->params;
	uint32_t edtl = c->flags & CMD_WRITE ? be32_get(c->expected_data_transfer_length) : 0;

	if (pdu->data_bytes && !p->immediate_data)
		return SENSE_UNEXPECTED_UNSOLICITED_DATA;
	if (!(c->flags & CMD_FINAL) && p->initial_r2t)
		return SENSE_UNEXPECTED_UNSOLICITED_DATA;
	if (pdu->data_bytes > edtl || pdu->data_bytes > p->first_burst_length)
		return SENSE_UNEXPECTED_UNSOLICITED_DATA;
	return SENSE_NO_SENSE;
}

static void begin_data(struct conn *conn, struct task *task, const struct pdu *pdu)
{
	struct cmd *cmd = task->cmd;
	uint32_t room = cmd->edtl_out;
	ssize_t n;

	task->unsolicited = !(pdu->bhs.flags & CMD_FINAL);
	task->data_error = unsolicited_fault(conn, pdu);
	if (!pdu->data_bytes && !task->unsolicited)
		return;
	if (room > LU_MAX_TRANSFER_BYTES)
		room = LU_MAX_TRANSFER_BYTES;
	if (task->data_error == SENSE_NO_SENSE && room) {
		if (cmd_data_add_pages(cmd, &cmd->out, room))
			/* no memory now: the initiator tries again */
			task->data_error = SENSE_ABORTED_COMMAND;
		else
			task->room = room;
	}
	if (task->data_error != SENSE_NO_SENSE || !pdu->data_bytes) {
		rx_sink_discard(conn);
		return;
	}
	n = iov_slice(
		conn->rx.sink.iov, RX_SINK_IOV, cmd->out.iov, cmd->out.niov, 0, pdu->data_bytes);
	assert(n > 0); /* the segment is no longer than CONN_DATA_SEGMENT_BYTES_MAX */
	conn->rx.sink.niov = (unsigned)n;
	task->receiving = true;
}

void task_begin(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_scsi_command *c = (const struct bhs_scsi_command *)&pdu->bhs;
	int fault = command_fault(conn, pdu);
	struct task *task;

	rx_sink_discard(conn);
	if (is_repeated(conn, pdu))
		return;
	if (fault) {
		reject_send(conn, pdu, (enum iscsi_reject)fault);
		return;
	}
	task = task_new(conn);
	if (!task || !(task->cmd = cmd_new(conn->sess->nexus, conn->loop))) {
		if (task)
			task_kill(task);
		conn_close(conn, "out of memory");
		return;
	}
	task->cmd->task = task;
	task->itt = be32_get(c->initiator_task_tag);
	task->cmdsn = be32_get(c->cmdsn);
	task->bidirectional = c->flags & CMD_READ && c->flags & CMD_WRITE;
	if (bhs_immediate(&pdu->bhs) && !task_take_immediate(task)) {
		reject_send(conn, pdu, ISCSI_REJECT_IMMEDIATE_COMMAND);
		task_kill(task);
		return;
	}
	if (!fill_cmd(task->cmd, conn, pdu)) {
		reject_send(conn, pdu, ISCSI_REJECT_INVALID_PDU_FIELD);
		task_kill(task);
		return;
	}
	conn->rx.task = task;
	conn->rx.sink.discard = false;
	begin_data(conn, task, pdu);
}

static void task_start(struct task *task)
{
	if (task->turn.counted && task->cmd->attr == TASK_ATTR_ORDERED) {
		task->ordered = true;
		sess_ordered_begin(task->conn->sess, task);
	}
	task->state = TASK_ENGINE;
	cmd_submit(task->cmd);
}

/* It has all of its PDU, and its CmdSN says when it runs. */
static void arrive(struct conn *conn, struct task *task)
{
	task->turn =
		(struct sess_turn){ .scsi = true, .barrier = task->cmd->attr != TASK_ATTR_SIMPLE };
	task->state = TASK_HELD;
	list_push_back(&conn->arrivals, &task->link);
}

void task_end(struct conn *conn, const struct pdu *pdu, bool digest_ok)
{
	struct task *task = conn->rx.task;

	if (!task)
		return;
	conn->rx.task = NULL;
	task->receiving = false;
	if (!digest_ok) {
		/* RFC 7143 7.8: with its data the command is lost; the initiator sees to it. */
		reject_send(conn, pdu, ISCSI_REJECT_DATA_DIGEST_ERROR);
		task_remember_ended(task);
		task_kill(task);
		return;
	}
	task_data_expect(task, conn->rx.sink.discard ? 0 : pdu->data_bytes);
	conn->cmd_pdus++;
	hash_u64_insert(&conn->tasks, &task->hash, task->itt);
	task->hashed = true;
	if (!task->immediate) {
		arrive(conn, task);
		return;
	}
	sess_arrived(conn);
	task_run(task);
}

void task_run(struct task *task)
{
	struct conn *conn = task->conn;
	struct iovec data;

	task->in_window = task->turn.scsi && !task->immediate;
	/* Level 2: the initiator may have been told that it has its turn. */
	if (task->cmd && !task->cancelled && (!conn->closing || conn->keeps)) {
		task_start(task);
		return;
	}
	if (task->held_pdu && !conn->closing) {
		data = (struct iovec){ task->held_data, task->held_pdu->data_bytes };
		ffp_run(conn, task->held_pdu, &data, 1);
	}
	task_kill(task);
}

void task_abort(struct task *task)
{
	if (task->state == TASK_ENGINE || task->state == TASK_COLLECTING) {
		if (border_is_foreign(task))
			border_give_up(task);
		else
			cmd_give_up(task->cmd);
	} else if (task->state == TASK_RESPONDING && !task->sending) {
		task_kill(task);
	}
}

void task_abort_all(struct conn *conn)
{
	struct hash_node *n, *tmp;

	hash_for_each_safe(n, tmp, &conn->tasks)
		task_abort(container_of(n, struct task, hash.node));
}

/*
 * ---- what the engine says
 * -------------------------------------------------------------------------
 */

int task_get_data_in(struct cmd *cmd, uint32_t bytes)
{
	return cmd_data_add_pages(cmd, &cmd->in, bytes);
}

void task_ended(struct task *task)
{
	struct conn *conn = task->conn;

	if (conn->closing && !conn->keeps) {
		task_kill(task);
		return;
	}
	end_order(task);
	if (!conn->retain.on || retain_answered(conn, task))
		leave_window(task);
	conn->rsp_pdus++;
	task->state = TASK_RESPONDING;
	/* TASK ABORTED (TAS): with fast abort there is nothing to wait for. */
	if (task->cmd->cleared_by && cleared_tell(conn, task->cmd))
		task_give_up_data(task);
	else
		task_answer(task);
}

void task_send_status(struct cmd *cmd)
{
	if (border_is_away(cmd->task))
		border_tell(cmd->task, BORDER_STATUS);
	else
		task_ended(cmd->task);
}

void task_gone(struct task *task)
{
	if (task->cmd->cleared_by)
		cleared_tell(task->conn, task->cmd);
	task_kill(task);
}

void task_aborted(struct cmd *cmd)
{
	if (border_is_away(cmd->task))
		border_tell(cmd->task, BORDER_ABORTED);
	else
		task_gone(cmd->task);
}

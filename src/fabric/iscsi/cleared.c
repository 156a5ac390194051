/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cleared.c: fast abort (RFC 7143 4.2.3.4, 11.9.1): connections whose tasks were ended by a task
 * management function from elsewhere are told of it, once for each LU, so that they stop sending
 * data for these. What still comes until that is acknowledged is let go.
 */
#include <string.h>

#include "base/bytes.h"
#include "engine/cmd.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tmf.h"

static void told(struct conn *conn, struct tx_pdu *p)
{
	conn->cleared.marked = true;
	conn->cleared.statsn = p->statsn + 1;
}

bool cleared_tell(struct conn *conn, const struct cmd *cmd)
{
	struct conn_cleared *c = &conn->cleared;
	uint64_t lun = get_be64(cmd->lun);
	struct bhs_async_message *h;
	struct tx_pdu *p;

	/* 4.2.3.5: sessions that have not agreed to it hear nothing. */
	if (conn->closing || conn->sess->params.task_reporting != TASK_REPORTING_FAST_ABORT)
		return false;
	/* Who has asked for it knows already. */
	if (tmf_is_from(conn, cmd->cleared_by) || (c->id == cmd->cleared_by && c->lun == lun))
		return true;
	p = tx_pdu_new(conn, ISCSI_OP_ASYNC_MESSAGE, TAG_RESERVED);
	if (!p)
		return false;
	h = (struct bhs_async_message *)&p->bhs;
	memcpy(h->lun, cmd->lun, sizeof(h->lun));
	h->async_event = ISCSI_ASYNC_TASKS_TERMINATED;
	p->sent = told;
	*c = (struct conn_cleared){ .id = cmd->cleared_by, .lun = lun, .pending = true };
	tx_send(conn, p);
	return true;
}

void cleared_acked(struct conn *conn)
{
	struct conn_cleared *c = &conn->cleared;

	if (c->pending && c->marked && sna_le(c->statsn, conn->exp_statsn))
		c->pending = false;
}

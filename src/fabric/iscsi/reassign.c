/* SPDX-License-Identifier: BSD-3-Clause */
/* reassign.c: TASK REASSIGN: the task is looked for, moved, answered, and goes on. */
#include "fabric/iscsi/reassign.h"

#include <assert.h>
#include <stdlib.h>

#include "engine/cmd.h"
#include "fabric/iscsi/border.h"
#include "fabric/iscsi/datain.h"
#include "fabric/iscsi/dataout.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

struct reassign {
	struct conn *conn; /* pinned */
	struct list link; /* in conn->reassigns */
	uint32_t itt, ref_itt, exp_datasn;
	struct sess_visit visit;
	struct recover recover; /* of its connection, if that is not through with its end */
	bool wait;
	bool visited, arrived;
	bool found; /* the task is on its way here */
	bool taken; /* a connection that lives has a task of that tag */
	enum iscsi_tmf_response response; /* if it is not */
};

static void respond(const struct reassign *r, enum iscsi_tmf_response response)
{
	if (!r->conn->closing && !r->conn->logged_out)
		tmf_respond(r->conn, r->itt, response);
}

static void end(struct reassign *r)
{
	struct conn *conn = r->conn;

	list_del(&r->link);
	conn->pins--;
	if (conn->closing)
		conn_reap(conn);
	else
		logout_go_on(conn);
	free(r);
}

/* ---- the task goes on ------------------------------------------------------------------------ */

/*
 * 11.5.6: what is sent of its Data-In: from the first PDU on that the initiator has not
 * acknowledged; what makes no sense is ignored, as 0 is.
 */
static void resume_data_in(struct task *task, uint32_t exp_datasn)
{
	task->status_sent = false;
	task->snack_tag = 0; /* 7.2.2 */
	/* None of it was sent before. */
	if (!task->seg || !task->cmd->in.bytes)
		return;
	if (exp_datasn && sna_lt(task->acked_sn, exp_datasn) && sna_le(exp_datasn, task->datasn))
		task->acked_sn = exp_datasn;
	if (datain_rewind(task, task->acked_sn))
		return;
	/* In disorder, and PDUs must be smaller now: all of it anew, with numbers that go on. */
	task->base_sn = task->acked_sn;
	(void)datain_rewind(task, task->base_sn);
}

/*
 * 7.2.2: what it was asked for and has not come is asked for again, by R2Ts that are numbered from
 * the first one on that the initiator has not acknowledged or not answered in full.
 */
static void resume_data_out(struct task *task, uint32_t exp_datasn)
{
	uint32_t sent = task->r2tsn;

	for (unsigned left = task->r2ts_open; left; left &= left - 1) {
		const struct r2t *r = &task->r2ts[__builtin_ctz(left)];

		if (sna_lt(r->r2tsn, task->r2tsn))
			task->r2tsn = r->r2tsn;
	}
	if (exp_datasn && sna_le(exp_datasn, sent))
		task->r2tsn = exp_datasn;
}

/*
 * 7.2.2: continue from where it was: what has come of its data is there, what the initiator has not
 * acknowledged is sent again, and the status in any case.
 */
static void resume(struct task *task, uint32_t exp_datasn)
{
	if (task->state == TASK_RESPONDING)
		resume_data_in(task, exp_datasn);
	else
		resume_data_out(task, exp_datasn);
	task_data_restart(task);
}

static void arrived(struct task *task, void *arg, bool aborted)
{
	struct reassign *r = arg;

	/* 7.2.2: the answer comes before anything of the task. */
	respond(r, aborted ? ISCSI_TMF_TASK_DOES_NOT_EXIST : ISCSI_TMF_FUNCTION_COMPLETE);
	if (r->conn->closing && !r->conn->keeps) {
		task_abort(task);
	} else if (!aborted) {
		task->moved = true;
		resume(task, r->exp_datasn);
	}
	r->arrived = true;
	if (r->visited)
		end(r);
}

/* ---- looking for it -------------------------------------------------------------------------- */

/* It has a command of that tag, at least its header, and has not told its status. */
static bool has_command(const struct conn *conn, uint32_t itt)
{
	const struct task *coming = conn->rx.task;

	return task_find(conn, itt) ||
	       (coming && coming->state == TASK_RECEIVING && coming->itt == itt);
}

/* At those that live first: one that fails meanwhile is looked at again. */
static void look_at(struct sess_visit *v, struct conn *conn)
{
	struct reassign *r = container_of(v, struct reassign, visit);
	struct task *task;

	/*
	 * 11.2.1.8: a tag is one task's in the whole session. Who gives it to a second one does not
	 * get both to one connection, where data and status of the one could go to the other.
	 */
	if (!conn->recovered && has_command(conn, r->ref_itt)) {
		r->response = ISCSI_TMF_TASK_STILL_ALLEGIANT;
		r->taken = true;
	}
	task = r->found || r->taken ? NULL : task_find_kept(conn, r->ref_itt);

	/* It has ended, but for what still uses its memory. */
	if (!task || task->state == TASK_DEAD)
		return;
	/* 7.2.2: its connection must have been logged out for recovery. */
	if (!conn->recovered) {
		r->response = ISCSI_TMF_TASK_STILL_ALLEGIANT;
		return;
	}
	if (!conn->keeps || !conn->quiet) {
		r->wait = true;
		r->recover.exact = true;
		r->recover.join = conn->join;
		return;
	}
	r->found = !border_move(task, r->conn, arrived, r);
	if (!r->found)
		r->response = ISCSI_TMF_FUNCTION_REJECTED;
}

static void look(struct reassign *r);

/* Its connection has come to its end. */
static void waited(struct recover *w)
{
	look(container_of(w, struct reassign, recover));
}

static void visited(struct sess_visit *v)
{
	struct reassign *r = container_of(v, struct reassign, visit);

	/* Two that end could else wait for each other. */
	if (!r->found && r->wait && !r->conn->closing && !r->conn->recovered) {
		recover_logout(&r->recover);
		return;
	}
	r->visited = true;
	if (!r->found)
		respond(r, r->response);
	if (!r->found || r->arrived)
		end(r);
}

static void look(struct reassign *r)
{
	r->wait = r->taken = false;
	r->visit = (struct sess_visit){
		.fn = look_at, .done = visited, .loop = r->conn->loop, .which = VISIT_ALL
	};
	sess_visit(r->conn->sess, &r->visit);
}

bool reassign_expects(const struct conn *conn, uint32_t itt)
{
	const struct reassign *r;

	list_for_each (r, &conn->reassigns, struct reassign, link)
		if (r->ref_itt == itt)
			return true;
	return false;
}

void reassign_request(struct conn *conn, const struct bhs_tmf_request *q)
{
	uint32_t itt = be32_get(q->initiator_task_tag);
	struct reassign *r;

	if (conn->sess->params.error_recovery_level < 2) {
		tmf_respond(conn, itt, ISCSI_TMF_REASSIGNMENT_NOT_SUPPORTED);
		return;
	}
	r = conn->pins < CONN_TMFS_MAX ? calloc(1, sizeof(*r)) : NULL;
	if (!r) {
		tmf_respond(conn, itt, ISCSI_TMF_FUNCTION_REJECTED);
		return;
	}
	conn->pins++;
	list_push_back(&conn->reassigns, &r->link);
	r->conn = conn;
	r->itt = itt;
	r->ref_itt = be32_get(q->referenced_task_tag);
	r->exp_datasn = be32_get(q->expdatasn);
	r->response = ISCSI_TMF_TASK_DOES_NOT_EXIST;
	r->recover = (struct recover){ .sess = conn->sess, .conn = conn, .done = waited };
	look(r);
}

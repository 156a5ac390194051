/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmf.c: Task Management Function Request and Response (RFC 7143 11.5, 11.6, 4.2.3), over all
 * connections of the session.
 */
#include "engine/tmf.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cmd.h"
#include "engine/nexus.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/reassign.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tmf.h"
#include "scsi/lun.h"

/* Where the task is that an ABORT TASK or a query is about. */
enum where { NOWHERE, IN_ENGINE, HERE };

struct tmf_request {
	struct conn *conn; /* pinned until it is answered; it all goes on on its loop */
	struct loop *loop;
	struct list link; /* in conn->tmfs */
	struct tmf *tmf; /* owned, until tmf_submit() */
	uint64_t id;
	uint32_t itt, ref_itt, cmdsn, refcmdsn;
	uint32_t order; /* sess_order() */
	uint8_t function; /* enum tmf_function */
	bool submitted;
	enum iscsi_tmf_response response;
	_Atomic unsigned refs; /* its own, of tasks that it waits for, of the message */
	_Atomic unsigned waits; /* such tasks, and the visit that finds them */
	struct loop_timer timer;
	struct loop_msg go;
	struct sess_visit visit;
	enum where where;
};

/* 11.5.1, RFC 7144; TASK REASSIGN is no function of the engine. */
static const struct function {
	uint8_t iscsi, engine;
	uint8_t level; /* iSCSIProtocolLevel from which on there is such a one */
} functions[] = {
	{ ISCSI_TMF_ABORT_TASK, TMF_ABORT_TASK, 0 },
	{ ISCSI_TMF_ABORT_TASK_SET, TMF_ABORT_TASK_SET, 0 },
	{ ISCSI_TMF_CLEAR_ACA, TMF_CLEAR_ACA, 0 },
	{ ISCSI_TMF_CLEAR_TASK_SET, TMF_CLEAR_TASK_SET, 0 },
	{ ISCSI_TMF_LOGICAL_UNIT_RESET, TMF_LOGICAL_UNIT_RESET, 0 },
	{ ISCSI_TMF_TARGET_WARM_RESET, TMF_TARGET_WARM_RESET, 0 },
	{ ISCSI_TMF_TARGET_COLD_RESET, TMF_TARGET_COLD_RESET, 0 },
	{ ISCSI_TMF_QUERY_TASK, TMF_QUERY_TASK, PROTOCOL_LEVEL_SAM5 },
	{ ISCSI_TMF_QUERY_TASK_SET, TMF_QUERY_TASK_SET, PROTOCOL_LEVEL_SAM5 },
	{ ISCSI_TMF_I_T_NEXUS_RESET, TMF_I_T_NEXUS_RESET, PROTOCOL_LEVEL_SAM5 },
	{ ISCSI_TMF_QUERY_ASYNCHRONOUS_EVENT, TMF_QUERY_ASYNC_EVENT, PROTOCOL_LEVEL_SAM5 },
};

#define NFUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static bool carried(const struct sess *sess, const struct function *f)
{
	return sess->params.iscsi_protocol_level >= f->level;
}

/* What the session of that level has under that number; NULL: none. */
static const struct function *function_of(const struct sess *sess, uint8_t number)
{
	for (size_t i = 0; i < NFUNCTIONS; i++)
		if (functions[i].iscsi == number)
			return carried(sess, &functions[i]) ? &functions[i] : NULL;
	return NULL;
}

uint32_t tmf_not_carried(const struct sess *sess)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < NFUNCTIONS; i++)
		if (!carried(sess, &functions[i]))
			bits |= 1u << functions[i].engine;
	return bits;
}

static void respond_with(struct conn *conn, uint32_t itt, enum iscsi_tmf_response response,
	const uint8_t additional[3], bool fenced)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_TASK_MANAGEMENT_RESPONSE, itt);
	struct bhs_tmf_response *h;

	if (!p)
		return;
	h = (struct bhs_tmf_response *)&p->bhs;
	h->response = (uint8_t)response;
	memcpy(h->additional_information, additional, sizeof(h->additional_information));
	fence_send(conn, p, fenced);
}

void tmf_respond(struct conn *conn, uint32_t itt, enum iscsi_tmf_response response)
{
	static const uint8_t nothing[3];

	respond_with(conn, itt, response, nothing, false);
}

static enum iscsi_tmf_response map_response(const struct tmf *tmf)
{
	switch (tmf->response) {
	case TMF_FUNCTION_COMPLETE:
		return tmf->no_task ? ISCSI_TMF_TASK_DOES_NOT_EXIST : ISCSI_TMF_FUNCTION_COMPLETE;
	case TMF_FUNCTION_SUCCEEDED:
		return ISCSI_TMF_FUNCTION_SUCCEEDED;
	case TMF_INCORRECT_LOGICAL_UNIT_NUMBER:
		return ISCSI_TMF_LUN_DOES_NOT_EXIST;
	default:
		return tmf->unsupported ? ISCSI_TMF_NOT_SUPPORTED : ISCSI_TMF_FUNCTION_REJECTED;
	}
}

/* 11.5.1: TARGET COLD RESET ends all sessions of the target. */
static void drop_all(struct conn *conn)
{
	struct tpg *tpg;
	struct sess *sess;

	engine_lock(conn->entity->eng);
	/* A session that has ended meanwhile has no group any more. */
	if (conn->sess->tpg)
		list_for_each (tpg, &conn->sess->tpg->target->tpgs, struct tpg, link)
			list_for_each (sess, &tpg->sessions, struct sess, tpg_link)
				if (sess != conn->sess)
					sess_drop(sess, "TARGET COLD RESET");
	engine_unlock(conn->entity->eng);
	conn_close_when_sent(conn);
}

/* ---- a function under way -------------------------------------------------------------------- */

static struct tmf_request *request_new(
	struct conn *conn, const struct bhs_tmf_request *q, uint8_t function)
{
	struct tmf_request *r = conn->pins < CONN_TMFS_MAX ? calloc(1, sizeof(*r)) : NULL;
	struct tmf *tmf = r ? tmf_new(conn->sess->nexus, conn->loop) : NULL;

	if (!tmf) {
		free(r);
		return NULL;
	}
	*r = (struct tmf_request){ .conn = conn,
		.loop = conn->loop,
		.tmf = tmf,
		.id = tmf->id,
		.itt = be32_get(q->initiator_task_tag),
		.ref_itt = be32_get(q->referenced_task_tag),
		.cmdsn = be32_get(q->cmdsn),
		.order = sess_order(be32_get(q->cmdsn), q->opcode & ISCSI_OP_IMMEDIATE),
		.refcmdsn = be32_get(q->refcmdsn),
		.function = function };
	atomic_init(&r->refs, 1);
	atomic_init(&r->waits, 1);
	list_push_back(&conn->tmfs, &r->link);
	conn->pins++;
	tmf->task = r;
	tmf->function = function;
	tmf->ref_tag = r->ref_itt;
	tmf->has_order = true;
	tmf->order = r->order;
	memcpy(tmf->lun, q->lun, sizeof(tmf->lun));
	return r;
}

static void request_unref(struct tmf_request *r)
{
	if (atomic_fetch_sub(&r->refs, 1) == 1)
		free(r);
}

bool tmf_is_from(const struct conn *conn, uint64_t id)
{
	const struct tmf_request *r;

	list_for_each (r, &conn->tmfs, struct tmf_request, link)
		if (r->id == id)
			return true;
	return false;
}

/* It is answered, or there is nobody to tell. */
static void request_over(struct tmf_request *r)
{
	struct conn *conn = r->conn;

	list_del(&r->link);
	request_unref(r);
	conn->pins--;
	if (conn->closing)
		conn_reap(conn);
	else
		logout_go_on(conn);
}

/* Without the engine. */
static void request_answer(struct tmf_request *r, enum iscsi_tmf_response response)
{
	r->tmf = tmf_free(r->tmf);
	if (!r->conn->closing)
		tmf_respond(r->conn, r->itt, response);
	request_over(r);
}

static void submit(struct tmf_request *r)
{
	struct tmf *tmf = r->tmf;

	if (r->submitted)
		return;
	r->submitted = true;
	r->tmf = NULL;
	loop_timer_disarm(r->conn->loop, &r->timer);
	tmf_submit(tmf);
}

/*
 * Without memory for an R2T the connection is closed in the midst of this, and with it tasks may go
 * that the walk would come to: it begins anew then.
 */
static void thaw(struct sess_visit *v, struct conn *conn)
{
	struct hash_node *n, *tmp;
	bool closing;

	do {
		closing = conn->closing;
		hash_for_each_safe(n, tmp, &conn->tasks)
		{
			struct task *t = container_of(n, struct task, hash.node);

			if (t->frozen)
				task_thaw(t);
			if (conn->closing != closing)
				break;
		}
	} while (conn->closing != closing);
}

static void thawed(struct sess_visit *v)
{
	request_over(container_of(v, struct tmf_request, visit));
}

void task_tmf_done(struct tmf *tmf)
{
	struct tmf_request *r = tmf->task;
	struct conn *conn = r->conn;
	bool complete = tmf->response == TMF_FUNCTION_COMPLETE;
	bool multi = tmf_is_multi_task((enum tmf_function)r->function);
	bool cold = r->function == TMF_TARGET_COLD_RESET;

	/*
	 * A Logout Response that did not wait for it is the last PDU (11.15). After a cold reset no
	 * connection is left to be fenced off.
	 */
	if (!conn->closing && !conn->logged_out)
		respond_with(conn, r->itt, map_response(tmf), tmf->info, multi && !cold);
	if (!conn->closing && cold && complete)
		drop_all(conn);
	tmf_free(tmf);
	if (!multi || complete) {
		request_over(r);
		return;
	}
	r->visit = (struct sess_visit){
		.fn = thaw, .done = thawed, .which = VISIT_ALL, .loop = conn->loop
	};
	sess_visit(conn->sess, &r->visit);
}

/* ---- many tasks: RFC 7143 4.2.3.3, 4.2.3.4 --------------------------------------------------- */

static bool is_for_all(uint8_t function)
{
	return function == TMF_I_T_NEXUS_RESET || function == TMF_TARGET_WARM_RESET ||
	       function == TMF_TARGET_COLD_RESET;
}

static bool concerns(const struct tmf_request *r, const struct task *t)
{
	uint64_t lun, its;

	if (!sna_lt(t->cmd->order, r->order))
		return false;
	if (is_for_all(r->function))
		return true;
	return lun_decode(r->tmf->lun, &lun) == LUN_NORMAL &&
	       lun_decode(t->cmd->lun, &its) == LUN_NORMAL && lun == its;
}

/* One of those that were waited for; it gives its reference. */
static void came(struct tmf_request *r)
{
	if (atomic_fetch_sub(&r->waits, 1) == 1)
		loop_post(r->loop, &r->go);
	else
		request_unref(r);
}

void tmf_data_came(struct task *task)
{
	struct tmf_request *r = task->awaited;

	task->awaited = NULL;
	came(r);
}

static void all_came(struct loop *loop, struct loop_msg *msg)
{
	struct tmf_request *r = container_of(msg, struct tmf_request, go);

	submit(r);
	request_unref(r);
}

static void waited_long_enough(struct loop_timer *t)
{
	submit(container_of(t, struct tmf_request, timer));
}

/* One that the engine has not seen yet, or is done with. */
static enum iscsi_tmf_response abort_here(struct task *t)
{
	if (t->state == TASK_HELD) {
		/*
		 * Its CmdSN still counts: it stays in its place. So does its memory, which data may
		 * be coming in to.
		 */
		task_remember_ended(t);
		task_forget_itt(t);
		t->cancelled = true;
		return ISCSI_TMF_FUNCTION_COMPLETE;
	}
	/* Its answer is on the way. */
	if (t->sending || t->status_sent)
		return ISCSI_TMF_TASK_DOES_NOT_EXIST;
	/* It has a status but waits for data, which the initiator will not send any more. */
	task_kill(t);
	return ISCSI_TMF_FUNCTION_COMPLETE;
}

/*
 * What was asked for is let in before the function goes to the engine; with fast aborts it may come
 * later and is let go then. What waits for an ORDERED command, or only for data to be told its
 * status, has no part in the engine: it ends here.
 */
static void look_at(struct tmf_request *r, struct task *t, bool fast)
{
	if (!t->cmd || !concerns(r, t))
		return;
	if (t->state == TASK_HELD || t->state == TASK_RESPONDING) {
		abort_here(t);
	} else if (t->state == TASK_COLLECTING && t->nr2ts && !fast && !t->awaited &&
		   !task_is_kept(t)) {
		t->frozen = true;
		t->awaited = r;
		atomic_fetch_add(&r->refs, 1);
		atomic_fetch_add(&r->waits, 1);
	}
}

static void find_tasks(struct sess_visit *v, struct conn *conn)
{
	struct tmf_request *r = container_of(v, struct tmf_request, visit);
	bool fast = conn->sess->params.task_reporting == TASK_REPORTING_FAST_ABORT;
	struct hash_node *n, *tmp;

	hash_for_each_safe(n, tmp, &conn->tasks)
		look_at(r, container_of(n, struct task, hash.node), fast);
}

static void tasks_found(struct sess_visit *v)
{
	struct tmf_request *r = container_of(v, struct tmf_request, visit);

	loop_timer_arm(r->conn->loop, &r->timer, TMF_DATA_WAIT_NS);
	came(r);
}

static void many_tasks(struct tmf_request *r)
{
	r->timer.fire = waited_long_enough;
	r->go.fn = all_came;
	atomic_fetch_add(&r->refs, 1);
	r->visit = (struct sess_visit){
		.fn = find_tasks, .done = tasks_found, .which = VISIT_ALL, .loop = r->conn->loop
	};
	/* Here at once: what comes next may be the data. */
	find_tasks(&r->visit, r->conn);
	sess_visit(r->conn->sess, &r->visit);
}

/* ---- ABORT TASK ------------------------------------------------------------------------------ */

/*
 * ABORT TASK of a task that the engine does not have (11.5.1, RFC 7143 11.6.1 a): one that was not
 * received but whose CmdSN is in the window counts as received, so that it is never run.
 */
static enum iscsi_tmf_response abort_absent(const struct tmf_request *r)
{
	struct conn *conn = r->conn;
	struct sess *sess = conn->sess;
	uint32_t ref = r->refcmdsn, exp, max;
	struct task *t;

	sess_window(sess, &exp, &max);
	if (conn->closing || sna_lt(ref, exp) || sna_lt(max, ref) || !sna_lt(ref, r->cmdsn))
		return ISCSI_TMF_TASK_DOES_NOT_EXIST;
	t = task_new(conn);
	if (!t)
		return ISCSI_TMF_FUNCTION_REJECTED;
	t->cmdsn = ref;
	if (!sess_hold(sess, t))
		task_kill(t);
	return ISCSI_TMF_FUNCTION_COMPLETE;
}

static void look_for(struct tmf_request *r, const struct conn *conn)
{
	struct task *t = task_find(conn, r->ref_itt);

	if (!t)
		return;
	r->where = IN_ENGINE;
	if (t->state != TASK_HELD && t->state != TASK_RESPONDING)
		return;
	r->response = abort_here(t);
	r->where = HERE;
}

static void find_task(struct sess_visit *v, struct conn *conn)
{
	struct tmf_request *r = container_of(v, struct tmf_request, visit);

	if (r->where == NOWHERE)
		look_for(r, conn);
}

static void looked_for(struct tmf_request *r)
{
	if (r->where == NOWHERE)
		r->response = abort_absent(r);
	/* One that waits to be given to a connection (level 2) is known to the engine alone. */
	if (r->where == IN_ENGINE ||
		(r->where == NOWHERE && r->response == ISCSI_TMF_TASK_DOES_NOT_EXIST))
		submit(r);
	else
		request_answer(r, r->response);
}

static void task_found(struct sess_visit *v)
{
	looked_for(container_of(v, struct tmf_request, visit));
}

/* It may be on another connection (4.2.2): nothing says that it is on this one. */
static void one_task(struct tmf_request *r)
{
	struct conn *conn = r->conn;

	look_for(r, conn);
	if (r->where != NOWHERE || !sess_has_several(conn->sess)) {
		looked_for(r);
		return;
	}
	r->visit = (struct sess_visit){
		.fn = find_task, .done = task_found, .which = VISIT_ALL, .loop = conn->loop
	};
	sess_visit(conn->sess, &r->visit);
}

/* ---- QUERY TASK, QUERY TASK SET -------------------------------------------------------------- */

/* One that waits for its turn has come before the function, but the engine does not know it. */
static void find_held(struct sess_visit *v, struct conn *conn)
{
	struct tmf_request *r = container_of(v, struct tmf_request, visit);
	struct hash_node *n, *tmp;

	hash_for_each_safe(n, tmp, &conn->tasks)
	{
		const struct task *t = container_of(n, struct task, hash.node);

		if (t->state == TASK_HELD && t->cmd && concerns(r, t) &&
			(r->function == TMF_QUERY_TASK_SET || t->itt == r->ref_itt))
			r->where = HERE;
	}
}

static void held_found(struct sess_visit *v)
{
	struct tmf_request *r = container_of(v, struct tmf_request, visit);

	if (r->where == HERE)
		request_answer(r, ISCSI_TMF_FUNCTION_SUCCEEDED);
	else
		submit(r);
}

static void query(struct tmf_request *r)
{
	struct conn *conn = r->conn;

	if (!sess_has_several(conn->sess)) {
		submit(r);
		return;
	}
	r->visit = (struct sess_visit){ .fn = find_held, .done = held_found, .loop = conn->loop };
	sess_visit(conn->sess, &r->visit);
}

void tmf_request(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	const struct bhs_tmf_request *q = (const struct bhs_tmf_request *)&pdu->bhs;
	uint8_t function = q->function & ISCSI_TMF_MASK;
	uint32_t itt = bhs_itt(&pdu->bhs);
	const struct function *f = function_of(conn->sess, function);
	struct tmf_request *r;

	if (function == ISCSI_TMF_TASK_REASSIGN) {
		reassign_request(conn, q);
		return;
	}
	r = f ? request_new(conn, q, f->engine) : NULL;
	if (!r)
		tmf_respond(conn, itt, f ? ISCSI_TMF_FUNCTION_REJECTED : ISCSI_TMF_NOT_SUPPORTED);
	else if (r->function == TMF_ABORT_TASK)
		one_task(r);
	else if (tmf_is_multi_task((enum tmf_function)r->function) && !tmf_is_refused(r->tmf))
		many_tasks(r);
	else if (r->function == TMF_QUERY_TASK || r->function == TMF_QUERY_TASK_SET)
		query(r);
	else
		submit(r);
}

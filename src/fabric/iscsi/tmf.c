/* SPDX-License-Identifier: BSD-3-Clause */
/* tmf.c: Task Management Function Request and Response (RFC 7143 11.5, 11.6, 4.2.3). */
#include "engine/tmf.h"

#include <stdlib.h>
#include <string.h>

#include "engine/cmd.h"
#include "engine/nexus.h"
#include "fabric/iscsi/ffp.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

struct tmf_request {
	struct conn *conn; /* pinned */
	uint32_t itt;
	bool cold_reset;
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
	const uint8_t additional[3])
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_TASK_MANAGEMENT_RESPONSE, itt);
	struct bhs_tmf_response *h;

	if (!p)
		return;
	h = (struct bhs_tmf_response *)&p->bhs;
	h->response = (uint8_t)response;
	memcpy(h->additional_information, additional, sizeof(h->additional_information));
	tx_send(conn, p);
}

static void respond(struct conn *conn, uint32_t itt, enum iscsi_tmf_response response)
{
	static const uint8_t nothing[3];

	respond_with(conn, itt, response, nothing);
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
	tpg = conn->sess->tpg;
	/* A session that has ended meanwhile has no group any more. */
	if (tpg)
		list_for_each (sess, &tpg->sessions, struct sess, tpg_link)
			if (sess != conn->sess)
				sess_drop(sess, "TARGET COLD RESET");
	engine_unlock(conn->entity->eng);
	conn_close_when_sent(conn);
}

void task_tmf_done(struct tmf *tmf)
{
	struct tmf_request *r = tmf->task;
	struct conn *conn = r->conn;

	conn->pins--;
	if (conn->closing) {
		conn_reap(conn);
	} else {
		/* A Logout Response that did not wait for it is the last PDU (11.15). */
		if (!conn->logged_out)
			respond_with(conn, r->itt, map_response(tmf), tmf->info);
		if (r->cold_reset && tmf->response == TMF_FUNCTION_COMPLETE)
			drop_all(conn);
		if (!conn->closing)
			logout_go_on(conn);
	}
	free(r);
	tmf_free(tmf);
}

/*
 * ABORT TASK of a task that the engine does not have (11.5.1, RFC 7143 11.6.1 a): one that was not
 * received but whose CmdSN is in the window counts as received, so that it is never run.
 */
static enum iscsi_tmf_response abort_absent(struct conn *conn, const struct bhs_tmf_request *q)
{
	uint32_t ref = be32_get(q->refcmdsn), exp, max;
	struct sess *sess = conn->sess;
	struct task *t;

	sess_window(sess, &exp, &max);
	if (sna_lt(ref, exp) || sna_lt(max, ref) || !sna_lt(ref, be32_get(q->cmdsn)))
		return ISCSI_TMF_TASK_DOES_NOT_EXIST;
	t = task_new(conn);
	if (!t)
		return ISCSI_TMF_FUNCTION_REJECTED;
	t->cmdsn = ref;
	if (!sess_hold(sess, t))
		task_kill(t);
	return ISCSI_TMF_FUNCTION_COMPLETE;
}

/* ABORT TASK of one that the engine has not seen yet, or is done with. */
static enum iscsi_tmf_response abort_here(struct task *t)
{
	if (t->state == TASK_HELD) {
		/* Its CmdSN still counts: the rest of it stays in its place. */
		task_remember_ended(t);
		task_forget_itt(t);
		t->cmd = cmd_free(t->cmd);
		return ISCSI_TMF_FUNCTION_COMPLETE;
	}
	/* Its answer is on the way. */
	if (t->sending || t->status_sent)
		return ISCSI_TMF_TASK_DOES_NOT_EXIST;
	/* It has a status but waits for data, which the initiator will not send any more. */
	task_kill(t);
	return ISCSI_TMF_FUNCTION_COMPLETE;
}

static void submit(struct conn *conn, const struct bhs_tmf_request *q, uint8_t function)
{
	struct tmf_request *r = conn->pins < CONN_TMFS_MAX ? calloc(1, sizeof(*r)) : NULL;
	struct tmf *tmf = r ? tmf_new(conn->sess->nexus, conn->loop) : NULL;

	if (!tmf) {
		free(r);
		respond(conn, be32_get(q->initiator_task_tag), ISCSI_TMF_FUNCTION_REJECTED);
		return;
	}
	r->conn = conn;
	r->itt = be32_get(q->initiator_task_tag);
	r->cold_reset = function == TMF_TARGET_COLD_RESET;
	conn->pins++;
	tmf->task = r;
	tmf->function = function;
	tmf->ref_tag = be32_get(q->referenced_task_tag);
	tmf->has_order = true;
	tmf->order = be32_get(q->cmdsn);
	memcpy(tmf->lun, q->lun, sizeof(tmf->lun));
	tmf_submit(tmf);
}

void tmf_request(struct conn *conn, const struct pdu *pdu, const struct iovec *data, unsigned n)
{
	const struct bhs_tmf_request *q = (const struct bhs_tmf_request *)&pdu->bhs;
	uint8_t function = q->function & ISCSI_TMF_MASK;
	uint32_t itt = bhs_itt(&pdu->bhs);
	const struct function *f;

	if (function == ISCSI_TMF_TASK_REASSIGN) {
		respond(conn, itt, ISCSI_TMF_REASSIGNMENT_NOT_SUPPORTED);
		return;
	}
	if (function == ISCSI_TMF_ABORT_TASK) {
		struct task *t = task_find(conn, be32_get(q->referenced_task_tag));

		if (!t || t->state == TASK_HELD || t->state == TASK_RESPONDING) {
			respond(conn, itt, t ? abort_here(t) : abort_absent(conn, q));
			return;
		}
	}
	f = function_of(conn->sess, function);
	if (f)
		submit(conn, q, f->engine);
	else
		respond(conn, itt, ISCSI_TMF_NOT_SUPPORTED);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* method_session.c: sessions.list and sessions.drop. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "daemon/methods.h"
#include "fabric/iscsi/sessions.h"

static json_t *conn_json(const struct session_conn *c)
{
	return json_pack("{s:i, s:i, s:s, s:o, s:i, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"id", (int)c->id, "cid", c->cid, "state", conn_state_name(c->state), "peer",
		json_text(c->peer), "loop", (int)c->loop, "header_digest", c->header_digest,
		"data_digest", c->data_digest, "max_recv", (json_int_t)c->max_recv_bytes,
		"max_xmit", (json_int_t)c->max_xmit_bytes, "rx_pdus", (json_int_t)c->rx_pdus,
		"tx_pdus", (json_int_t)c->tx_pdus, "rx_bytes", (json_int_t)c->rx_bytes, "tx_bytes",
		(json_int_t)c->tx_bytes, "idle_ms", (json_int_t)(c->idle_ns / NS_PER_MS));
}

static json_t *params_json(const struct sess_params *p)
{
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "InitialR2T", p->initial_r2t,
		"ImmediateData", p->immediate_data, "MaxBurstLength",
		(json_int_t)p->max_burst_length, "FirstBurstLength",
		(json_int_t)p->first_burst_length, "MaxOutstandingR2T",
		(json_int_t)p->max_outstanding_r2t, "MaxConnections",
		(json_int_t)p->max_connections, "ErrorRecoveryLevel",
		(json_int_t)p->error_recovery_level);
}

static void add_session(const struct session_info *s, void *arg)
{
	json_t *conns = json_array();
	char isid[16];

	snprintf(isid, sizeof(isid), "%02x%02x%02x%02x%02x%02x", s->isid[0], s->isid[1], s->isid[2],
		s->isid[3], s->isid[4], s->isid[5]);
	for (unsigned i = 0; i < s->nconns_told; i++)
		json_array_append_new(conns, conn_json(&s->conns[i]));
	json_array_append_new(arg,
		json_pack("{s:i, s:o, s:o, s:o, s:i, s:s, s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, "
			  "s:o, "
			  "s:o, s:o}",
			"tsih", s->tsih, "initiator", json_text(s->params.initiator_name), "alias",
			json_text(s->params.initiator_alias), "target", json_text(s->target), "tpg",
			s->tpgt, "isid", isid, "state", sess_state_name(s->state), "discovery",
			s->discovery, "luns", (int)s->luns, "under_way", (int)s->active, "depth",
			(int)s->depth, "age_s", (json_int_t)(s->age_ns / NS_PER_S), "commands",
			(json_int_t)s->cmd_pdus, "digest_errors", (json_int_t)s->digest_errors,
			"last_error", json_text(s->last_error), "negotiated",
			params_json(&s->params), "connections", conns));
}

static int method_list(void *arg, struct control_call *call)
{
	struct daemon *d = arg;

	call->result = json_array();
	return sessions_each(d->iscsi, NULL, add_session, call->result);
}

static int method_drop(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	int64_t tsih = call_integer(call, "tsih", 0);
	struct session_filter f = { .tsih = (uint16_t)tsih,
		.initiator = call_string(call, "initiator"),
		.target = call_string(call, "target") };
	unsigned n;

	if (tsih < 0 || tsih > UINT16_MAX)
		return call_fail(
			call, -EINVAL, "tsih %lld: must be from 1 to 65535", (long long)tsih);
	if (!f.tsih && !f.initiator && !f.target)
		return call_fail(call, -EINVAL,
			"which sessions? \"initiator\", \"target\" or \"tsih\" says it");
	n = sessions_drop(d->iscsi, &f, "an administrator ended it");
	if (!n)
		return call_fail(
			call, -ENOENT, "there is no such session; \"ulio sessions\" shows them");
	call->result = json_pack("{s:i}", "dropped", (int)n);
	return 0;
}

const struct control_method session_methods[] = {
	{ .name = "sessions.list",
		.doc = "All sessions with their connections and what they negotiated.",
		.fn = method_list },
	{ .name = "sessions.drop",
		.doc = "End sessions; their initiators are told and may log in again.",
		.fn = method_drop,
		.changes = true,
		.params = { { "initiator", PARAM_STRING, false, "those of this initiator" },
			{ "target", PARAM_STRING, false, "those with this target" },
			{ "tsih", PARAM_INTEGER, false, "the one with this handle" } } },
	{ .name = NULL },
};

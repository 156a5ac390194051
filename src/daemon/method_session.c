/* SPDX-License-Identifier: BSD-3-Clause */
/* method_session.c: sessions.list and sessions.drop. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "daemon/methods.h"
#include "fabric/iscsi/sessions.h"

static json_t *conn_json(const struct session_conn *c)
{
	json_t *out = json_pack("{s:i, s:i, s:s, s:o, s:o, s:i, s:b, s:b, s:I, s:I}", "id",
		(int)c->id, "cid", c->cid, "state", conn_state_name(c->state), "peer",
		json_text(c->peer), "local", json_text(c->local), "loop", (int)c->loop,
		"header_digest", c->header_digest, "data_digest", c->data_digest, "max_recv",
		(json_int_t)c->max_recv_bytes, "max_xmit", (json_int_t)c->max_xmit_bytes);
	json_t *counters = json_pack("{s:I, s:I, s:I, s:I, s:i, s:I, s:f}", "rx_pdus",
		(json_int_t)c->rx_pdus, "tx_pdus", (json_int_t)c->tx_pdus, "rx_bytes",
		(json_int_t)c->rx_bytes, "tx_bytes", (json_int_t)c->tx_bytes, "tasks",
		(int)c->tasks, "idle_ms", (json_int_t)(c->idle_ns / NS_PER_MS), "ping_ms",
		(double)c->ping_ns / NS_PER_MS);

	json_object_update(out, counters);
	json_decref(counters);
	return out;
}

/* As RFC 7143 13 calls them, with values as they are negotiated. */
static json_t *params_json(const struct sess_params *p)
{
	static const char *const reporting[] = { [TASK_REPORTING_RFC3720] = "RFC3720",
		[TASK_REPORTING_RESPONSE_FENCE] = "ResponseFence",
		[TASK_REPORTING_FAST_ABORT] = "FastAbort" };

	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s, s:I}",
		"InitialR2T", p->initial_r2t, "ImmediateData", p->immediate_data, "MaxBurstLength",
		(json_int_t)p->max_burst_length, "FirstBurstLength",
		(json_int_t)p->first_burst_length, "MaxOutstandingR2T",
		(json_int_t)p->max_outstanding_r2t, "MaxConnections",
		(json_int_t)p->max_connections, "ErrorRecoveryLevel",
		(json_int_t)p->error_recovery_level, "DefaultTime2Wait",
		(json_int_t)p->default_time2wait, "DefaultTime2Retain",
		(json_int_t)p->default_time2retain, "DataPDUInOrder", p->data_pdu_in_order,
		"DataSequenceInOrder", p->data_sequence_in_order, "TaskReporting",
		reporting[p->task_reporting], "iSCSIProtocolLevel",
		(json_int_t)p->iscsi_protocol_level);
}

/* Who has proved what. null: no authentication. */
static json_t *auth_json(const struct session_info *s)
{
	if (!s->algorithm)
		return json_null();
	return json_pack("{s:o, s:s, s:b, s:b}", "user", json_text(s->user), "algorithm",
		s->algorithm, "mutual", s->mutual, "next_password", s->by_next);
}

static json_t *luns_json(const struct session_info *s)
{
	json_t *out = json_array();

	for (uint32_t i = 0; i < s->nluns_told; i++) {
		const struct session_lun *l = &s->luns_told[i];

		json_array_append_new(out,
			json_pack("{s:I, s:o, s:b, s:I, s:I, s:I}", "lun", (json_int_t)l->lun,
				"disk", json_text(l->disk), "read_only", l->read_only, "commands",
				(json_int_t)l->commands, "read_bytes", (json_int_t)l->read_bytes,
				"write_bytes", (json_int_t)l->write_bytes));
	}
	return out;
}

static void add_session(const struct session_info *s, void *arg)
{
	json_t *conns = json_array(), *out, *counters;
	char isid[16];

	snprintf(isid, sizeof(isid), "%02x%02x%02x%02x%02x%02x", s->isid[0], s->isid[1], s->isid[2],
		s->isid[3], s->isid[4], s->isid[5]);
	for (unsigned i = 0; i < s->nconns_told; i++)
		json_array_append_new(conns, conn_json(&s->conns[i]));
	out = json_pack("{s:i, s:o, s:o, s:o, s:i, s:s, s:s, s:b, s:i, s:o, s:o, s:i, s:o}", "tsih",
		s->tsih, "initiator", json_text(s->params.initiator_name), "alias",
		json_text(s->params.initiator_alias), "target", json_text(s->target), "tpg",
		s->tpgt, "isid", isid, "state", sess_state_name(s->state), "discovery",
		s->discovery, "luns", (int)s->luns, "authentication", auth_json(s), "negotiated",
		params_json(&s->params), "nconns", (int)s->nconns, "connections", conns);
	counters = json_pack("{s:i, s:i, s:I, s:I, s:I, s:o}", "under_way", (int)s->active, "depth",
		(int)s->depth, "age_s", (json_int_t)(s->age_ns / NS_PER_S), "commands",
		(json_int_t)s->cmd_pdus, "digest_errors", (json_int_t)s->digest_errors,
		"last_error", json_text(s->last_error));
	json_object_update(out, counters);
	json_decref(counters);
	if (s->luns_told)
		json_object_set_new(out, "lun_list", luns_json(s));
	json_array_append_new(arg, out);
}

/* Which sessions the parameters mean. 0 or -EINVAL. */
static int filter_of(struct control_call *call, struct session_filter *ret)
{
	int64_t tsih = call_integer(call, "tsih", 0);

	if (tsih < 0 || tsih > UINT16_MAX)
		return call_fail(
			call, -EINVAL, "tsih %lld: must be from 1 to 65535", (long long)tsih);
	*ret = (struct session_filter){ .tsih = (uint16_t)tsih,
		.initiator = call_string(call, "initiator"),
		.target = call_string(call, "target") };
	return 0;
}

static int method_list(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	struct session_filter f;
	int r = filter_of(call, &f);

	if (r)
		return r;
	f.tell_luns = call_bool(call, "luns", false);
	call->result = json_array();
	return sessions_each(d->iscsi, &f, add_session, call->result);
}

enum { DROP_WAIT_S = 3, DROP_WAIT_MAX_S = 3600 };

static int method_drop(void *arg, struct control_call *call)
{
	static const char why[] = "an administrator ended it";
	struct daemon *d = arg;
	int64_t wait = call_integer(call, "wait", DROP_WAIT_S);
	struct session_filter f;
	unsigned n;
	int r = filter_of(call, &f);

	if (r)
		return r;
	if (!f.tsih && !f.initiator && !f.target)
		return call_fail(call, -EINVAL,
			"which sessions? \"initiator\", \"target\" or \"tsih\" says it");
	if (wait < 0 || wait > DROP_WAIT_MAX_S)
		return call_fail(call, -EINVAL, "wait %lld: 0 to %d seconds are possible",
			(long long)wait, DROP_WAIT_MAX_S);
	n = wait ? sessions_ask_logout(d->iscsi, &f, why, (uint16_t)wait)
		 : sessions_drop(d->iscsi, &f, why);
	if (!n)
		return call_fail(
			call, -ENOENT, "there is no such session; \"ulio sessions\" shows them");
	call->result = json_pack("{s:i, s:I}", "dropped", (int)n, "wait", (json_int_t)wait);
	return 0;
}

const struct control_method session_methods[] = {
	{ .name = "sessions.list",
		.doc = "Sessions with their connections and what they negotiated; absent: all.",
		.fn = method_list,
		.params = { { "initiator", PARAM_STRING, false, "those of this initiator" },
			{ "target", PARAM_STRING, false, "those with this target" },
			{ "tsih", PARAM_INTEGER, false, "the one with this handle" },
			{ "luns", PARAM_BOOL, false, "tell their LUNs, too" } } },
	{ .name = "sessions.drop",
		.doc = "Ask for the logout of sessions, and end them if it does not come in "
		       "time; their initiators may log in again.",
		.fn = method_drop,
		.changes = true,
		.params = { { "initiator", PARAM_STRING, false, "those of this initiator" },
			{ "target", PARAM_STRING, false, "those with this target" },
			{ "tsih", PARAM_INTEGER, false, "the one with this handle" },
			{ "wait", PARAM_INTEGER, false,
				"seconds that initiators have to log out; absent: 3, 0: end them "
				"at once" } } },
	{ .name = NULL },
};

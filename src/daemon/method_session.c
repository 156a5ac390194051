/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * method_session.c: sessions.list and sessions.drop. Each loop is asked for its own connections, so
 * what is told was true at one moment and nothing is read that another thread changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/methods.h"
#include "engine/port.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/sess.h"

/* A connection that has logged in, copied on its loop. */
struct row {
	struct sess_params params;
	const struct target *target; /* NULL: a discovery session */
	char target_name[NODE_NAME_BYTES_MAX + 1];
	char initiator[NODE_NAME_BYTES_MAX + 1], peer[64], last_error[128];
	uint8_t isid[6];
	uint16_t tsih, tpg, cid;
	bool header_digest, data_digest;
	uint32_t max_recv, max_xmit, ntasks;
	uint64_t rx_bytes, tx_bytes, created_ns;
	unsigned loop;
};

struct rows {
	struct entity *entity;
	struct row *list;
	size_t n, cap;
	bool failed;
};

static void copy_row(struct row *r, const struct conn *c)
{
	const struct sess *s = c->sess;

	*r = (struct row){ .params = s->params,
		.tsih = s->tsih,
		.cid = c->cid,
		.header_digest = c->header_digest,
		.data_digest = c->data_digest,
		.max_recv = c->max_recv,
		.max_xmit = c->max_xmit,
		.ntasks = c->ntasks,
		.rx_bytes = c->rx_bytes,
		.tx_bytes = c->tx_bytes,
		.created_ns = s->created_ns,
		.loop = loop_index(c->loop) };
	memcpy(r->isid, s->isid, sizeof(r->isid));
	snprintf(r->initiator, sizeof(r->initiator), "%s", s->initiator);
	snprintf(r->peer, sizeof(r->peer), "%s", c->peer);
	snprintf(r->last_error, sizeof(r->last_error), "%s", s->last_error);
	if (!s->tpg)
		return;
	r->target = s->tpg->target;
	r->tpg = s->tpg->tag;
	snprintf(r->target_name, sizeof(r->target_name), "%s", s->tpg->target->name);
}

static void collect(struct loop *loop, void *arg)
{
	struct rows *rows = arg;
	struct node_loop *nl = &rows->entity->per_loop[loop_index(loop)];
	struct conn *c;

	list_for_each (c, &nl->conns, struct conn, loop_link) {
		if (!c->sess || c->closing)
			continue;
		if (rows->n == rows->cap) {
			size_t cap = rows->cap ? 2 * rows->cap : 64;
			struct row *list = realloc(rows->list, cap * sizeof(*list));

			if (!list) {
				rows->failed = true;
				return;
			}
			rows->list = list;
			rows->cap = cap;
		}
		copy_row(&rows->list[rows->n++], c);
	}
}

static json_t *conn_json(const struct row *r)
{
	return json_pack("{s:i, s:o, s:b, s:b, s:I, s:I, s:i, s:I, s:I, s:i}", "cid", r->cid,
		"peer", json_text(r->peer), "header_digest", r->header_digest, "data_digest",
		r->data_digest, "max_recv", (json_int_t)r->max_recv, "max_xmit",
		(json_int_t)r->max_xmit, "under_way", (int)r->ntasks, "rx_bytes",
		(json_int_t)r->rx_bytes, "tx_bytes", (json_int_t)r->tx_bytes, "loop", (int)r->loop);
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

static json_t *session_json(const struct row *r)
{
	char isid[16];

	snprintf(isid, sizeof(isid), "%02x%02x%02x%02x%02x%02x", r->isid[0], r->isid[1], r->isid[2],
		r->isid[3], r->isid[4], r->isid[5]);
	return json_pack("{s:o, s:o, s:i, s:i, s:s, s:o, s:b, s:I, s:o, s:o, s:[]}", "initiator",
		json_text(r->initiator), "target",
		r->target ? json_text(r->target_name) : json_null(), "tpg", r->tpg, "tsih", r->tsih,
		"isid", isid, "alias", json_text(r->params.initiator_alias), "discovery",
		!r->target, "age_s", (json_int_t)((clock_now_ns() - r->created_ns) / NS_PER_S),
		"last_error", json_text(r->last_error), "negotiated", params_json(&r->params),
		"connections");
}

static int by_session(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	if (a->tsih != b->tsih)
		return a->tsih < b->tsih ? -1 : 1;
	return a->cid < b->cid ? -1 : a->cid > b->cid;
}

static int method_list(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	struct rows rows = { .entity = d->iscsi };
	json_t *session = NULL;

	for (unsigned i = 0; i < loops_count(d->loops); i++)
		loops_call(d->loops, loops_get(d->loops, i), collect, &rows);
	if (rows.failed) {
		free(rows.list);
		return call_fail(call, -ENOMEM, "out of memory");
	}
	if (rows.n)
		qsort(rows.list, rows.n, sizeof(*rows.list), by_session);
	call->result = json_array();
	for (size_t i = 0; i < rows.n; i++) {
		const struct row *r = &rows.list[i];

		if (!i || r->tsih != rows.list[i - 1].tsih) {
			session = session_json(r);
			json_array_append_new(call->result, session);
		}
		json_array_append_new(json_object_get(session, "connections"), conn_json(r));
	}
	free(rows.list);
	return 0;
}

struct drop {
	const char *initiator; /* NULL: any */
	int64_t tsih; /* below 0: any */
	unsigned n;
};

static void drop_one(struct sess *s, void *arg)
{
	struct drop *dr = arg;

	if ((dr->initiator && strcmp(dr->initiator, s->initiator) != 0) ||
		(dr->tsih >= 0 && dr->tsih != s->tsih))
		return;
	sess_drop(s, "an administrator ended it");
	dr->n++;
}

static int method_drop(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	struct drop dr = { call_string(call, "initiator"), call_integer(call, "tsih", -1), 0 };
	struct target *t;
	struct tpg *tpg;

	if (!dr.initiator && dr.tsih < 0)
		return call_fail(call, -EINVAL, "which session? \"initiator\" or \"tsih\" says it");
	list_for_each (t, &d->iscsi->targets, struct target, link) {
		list_for_each (tpg, &t->tpgs, struct tpg, link)
			sess_each(tpg, drop_one, &dr);
	}
	if (!dr.n)
		return call_fail(
			call, -ENOENT, "there is no such session; \"ulio sessions\" shows them");
	call->result = json_pack("{s:i}", "dropped", (int)dr.n);
	return 0;
}

const struct control_method session_methods[] = {
	{ .name = "sessions.list",
		.doc = "All sessions with their connections and what they negotiated.",
		.fn = method_list },
	{ .name = "sessions.drop",
		.doc = "End sessions; initiators may log in again.",
		.fn = method_drop,
		.changes = true,
		.params = { { "initiator", PARAM_STRING, false, "those of this initiator" },
			{ "tsih", PARAM_INTEGER, false, "the one with this handle" } } },
	{ .name = NULL },
};

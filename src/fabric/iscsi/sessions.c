/* SPDX-License-Identifier: BSD-3-Clause */
/* sessions.c: copies of sessions, taken on their loops. */
#include "fabric/iscsi/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/nexus.h"

void peer_host(const char *peer, char *buf, size_t cap)
{
	const char *colon = strrchr(peer, ':');
	size_t n = colon ? (size_t)(colon - peer) : strlen(peer);

	if (n >= 2 && peer[0] == '[' && peer[n - 1] == ']') {
		peer++;
		n -= 2;
	}
	snprintf(buf, cap, "%.*s", (int)n, peer);
}

/*
 * The session that is told of by this connection: the first of its connections, or the one that
 * is kept until its nexus is closed. NULL: another one tells. A session that is not closed is in
 * its portal group's list, which keeps the group and its target.
 */
static struct sess *sess_told_by(const struct conn *conn)
{
	struct sess *sess = conn->sess;

	if (!sess || sess->state == SESS_CLOSED)
		return NULL;
	if (list_empty(&sess->conns))
		return sess->last_conn == conn ? sess : NULL;
	return list_first(&sess->conns, struct conn, sess_link) == conn ? sess : NULL;
}

static bool matches(const struct session_filter *f, const struct sess *sess)
{
	if (!f)
		return true;
	return (!f->tsih || f->tsih == sess->tsih) && (!f->tpg || f->tpg == sess->tpg) &&
	       (!f->initiator || !strcmp(f->initiator, sess->initiator)) &&
	       (!f->target || !strcmp(f->target, sess->tpg ? sess->tpg->target->name : ""));
}

/* ---- copying --------------------------------------------------------------------------------- */

static void copy_conn(const struct conn *conn, struct session_conn *c)
{
	uint64_t now = loop_now_ns(conn->loop);

	c->id = conn->id;
	c->cid = conn->cid;
	c->state = conn->state;
	memcpy(c->peer, conn->peer, sizeof(c->peer));
	c->loop = loop_index(conn->loop);
	c->header_digest = conn->header_digest;
	c->data_digest = conn->data_digest;
	c->max_recv_bytes = conn->max_recv;
	c->max_xmit_bytes = conn->max_xmit;
	c->statsn = conn->statsn;
	c->rx_pdus = conn->rx_pdus;
	c->tx_pdus = conn->tx_pdus;
	c->rx_bytes = conn->rx_bytes;
	c->tx_bytes = conn->tx_bytes;
	c->idle_ns = now > conn->last_rx_ns ? now - conn->last_rx_ns : 0;
}

/* On the session's loop. */
static void copy_sess(struct sess *sess, struct session_info *s)
{
	const struct lunmap *map = sess->nexus ? atomic_load(&sess->nexus->map) : NULL;
	uint64_t now = clock_now_ns();
	const struct conn *conn;

	memset(s, 0, sizeof(*s));
	s->tsih = sess->tsih;
	memcpy(s->isid, sess->isid, sizeof(s->isid));
	s->discovery = sess->discovery;
	s->state = sess->state;
	if (sess->tpg) {
		memcpy(s->target, sess->tpg->target->name, sizeof(s->target));
		s->tpgt = sess->tpg->tag;
	}
	s->params = sess->params;
	s->depth = sess->depth;
	pthread_mutex_lock(&sess->lock);
	s->exp_cmdsn = sess->exp_cmdsn;
	s->max_cmdsn = sess->max_cmdsn;
	s->active = sess->active;
	pthread_mutex_unlock(&sess->lock);
	s->next_ttt = sess->next_ttt;
	s->luns = map ? map->n : 0;
	s->age_ns = now > sess->created_ns ? now - sess->created_ns : 0;
	s->cmd_pdus = sess->cmd_pdus;
	s->rsp_pdus = sess->rsp_pdus;
	s->digest_errors = sess->digest_errors;
	memcpy(s->last_error, sess->last_error, sizeof(s->last_error));
	list_for_each (conn, &sess->conns, struct conn, sess_link)
		if (s->nconns < SESSION_CONNS_TOLD)
			copy_conn(conn, &s->conns[s->nconns++]);
}

/* What one loop has found. */
struct found {
	struct session_info *s;
	size_t n, cap;
	bool failed;
};

struct query {
	struct entity *entity;
	const struct session_filter *filter;
	struct found *per_loop;
};

static bool grow(struct found *f)
{
	size_t cap = f->cap ? f->cap * 2 : 8;
	struct session_info *s;

	if (f->n < f->cap)
		return true;
	s = realloc(f->s, cap * sizeof(*s));
	if (!s)
		return false;
	f->s = s;
	f->cap = cap;
	return true;
}

static void find_on_loop(struct loop *loop, void *arg)
{
	struct query *q = arg;
	struct found *f = &q->per_loop[loop_index(loop)];
	struct conn *conn;

	list_for_each (conn, &q->entity->per_loop[loop_index(loop)].conns, struct conn, loop_link) {
		struct sess *sess = sess_told_by(conn);

		if (!sess || !matches(q->filter, sess))
			continue;
		if (!grow(f)) {
			f->failed = true;
			return;
		}
		copy_sess(sess, &f->s[f->n++]);
	}
}

static int by_tsih(const void *a, const void *b)
{
	const struct session_info *const *x = a, *const *y = b;

	return (int)(*x)->tsih - (int)(*y)->tsih;
}

/* All that was found, in order. */
static int tell(const struct query *q, unsigned nloops,
	void (*fn)(const struct session_info *s, void *arg), void *arg)
{
	const struct session_info **all;
	size_t n = 0, at = 0;

	for (unsigned i = 0; i < nloops; i++) {
		if (q->per_loop[i].failed)
			return -ENOMEM;
		n += q->per_loop[i].n;
	}
	if (!n)
		return 0;
	all = malloc(n * sizeof(all[0]));
	if (!all)
		return -ENOMEM;
	for (unsigned i = 0; i < nloops; i++)
		for (size_t k = 0; k < q->per_loop[i].n; k++)
			all[at++] = &q->per_loop[i].s[k];
	qsort(all, n, sizeof(all[0]), by_tsih);
	for (size_t k = 0; k < n; k++)
		fn(all[k], arg);
	free(all);
	return 0;
}

int sessions_each(struct entity *e, const struct session_filter *f,
	void (*fn)(const struct session_info *s, void *arg), void *arg)
{
	unsigned nloops = loops_count(e->loops);
	struct query q = { .entity = e, .filter = f };
	int rc;

	q.per_loop = calloc(nloops, sizeof(q.per_loop[0]));
	if (!q.per_loop)
		return -ENOMEM;
	loops_barrier(e->loops, find_on_loop, &q);
	rc = tell(&q, nloops, fn, arg);
	for (unsigned i = 0; i < nloops; i++)
		free(q.per_loop[i].s);
	free(q.per_loop);
	return rc;
}

/* ---- one of them ----------------------------------------------------------------------------- */

struct newest {
	struct entity *entity;
	struct session_filter filter;
	struct loop *loop;
	struct session_info *ret;
	bool found;
};

static void copy_newest(struct loop *loop, void *arg)
{
	struct newest *n = arg;
	struct conn *conn;

	list_for_each (conn, &n->entity->per_loop[loop_index(loop)].conns, struct conn, loop_link) {
		struct sess *sess = sess_told_by(conn);

		if (!sess || !matches(&n->filter, sess))
			continue;
		copy_sess(sess, n->ret);
		n->found = true;
		return;
	}
}

int session_newest(struct tpg *tpg, const char *initiator, struct session_info *ret)
{
	struct newest n = { .entity = tpg->target->entity, .ret = ret };
	struct sess *sess;

	/* What is read here of a session never changes; the rest is read on its loop. */
	engine_lock(n.entity->eng);
	list_for_each (sess, &tpg->sessions, struct sess, tpg_link) {
		if (strcmp(sess->initiator, initiator) != 0)
			continue;
		n.loop = sess->loop;
		n.filter = (struct session_filter){ .tsih = sess->tsih, .tpg = tpg };
	}
	engine_unlock(n.entity->eng);
	if (n.loop)
		loops_call(n.entity->loops, n.loop, copy_newest, &n);
	return n.found ? 0 : -ENOENT;
}

/* ---- ending them ----------------------------------------------------------------------------- */

struct dropping {
	struct entity *entity;
	const struct session_filter *filter;
	const char *why;
	_Atomic unsigned n;
};

static void drop_on_loop(struct loop *loop, void *arg)
{
	struct dropping *d = arg;
	struct conn *conn, *tmp;

	list_for_each_safe (
		conn, tmp, &d->entity->per_loop[loop_index(loop)].conns, struct conn, loop_link) {
		struct sess *sess = sess_told_by(conn);

		if (!sess || list_empty(&sess->conns) || !matches(d->filter, sess))
			continue;
		atomic_fetch_add(&d->n, 1);
		if (sess->nexus)
			sess_fabric_ops.drop_nexus(sess->nexus, d->why);
		else
			conn_close(conn, "%s", d->why);
	}
}

unsigned sessions_drop(struct entity *e, const struct session_filter *f, const char *why)
{
	struct dropping d = { .entity = e, .filter = f, .why = why };

	loops_barrier(e->loops, drop_on_loop, &d);
	return atomic_load(&d.n);
}

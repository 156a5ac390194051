/* SPDX-License-Identifier: BSD-3-Clause */
/* sessions.c: copies of sessions, taken on their loops. */
#include "fabric/iscsi/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/lu.h"
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
	conn_address_text(&conn->local, c->local, sizeof(c->local));
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
	c->tasks = conn->ntasks;
	c->ping_ns = conn->ping_ns;
	c->idle_ns = now > conn->last_rx_ns ? now - conn->last_rx_ns : 0;
}

/* The LUN map at hand. False: out of memory. */
static bool copy_luns(const struct lunmap *map, struct session_info *s)
{
	s->luns_told = calloc(map->n, sizeof(s->luns_told[0]));
	if (!s->luns_told)
		return !map->n;
	for (uint32_t i = 0; i < map->n; i++) {
		const struct lunmap_entry *e = &map->e[i];
		struct session_lun *l = &s->luns_told[s->nluns_told++];

		l->lun = e->lun;
		l->read_only = e->read_only;
		snprintf(l->disk, sizeof(l->disk), "%s", e->lu->name);
		l->commands = atomic_load(&e->itl->num_cmds);
		l->read_bytes = atomic_load(&e->itl->read_bytes);
		l->write_bytes = atomic_load(&e->itl->write_bytes);
	}
	return true;
}

/* At the session's home, which keeps its group and target while it has not been closed. */
static bool copy_sess(struct sess *sess, bool luns, struct session_info *s)
{
	const struct lunmap *map = sess->nexus ? atomic_load(&sess->nexus->map) : NULL;
	uint64_t now = clock_now_ns();

	s->tsih = sess->tsih;
	memcpy(s->isid, sess->isid, sizeof(s->isid));
	s->discovery = sess->discovery;
	if (sess->tpg) {
		memcpy(s->target, sess->tpg->target->name, sizeof(s->target));
		s->tpgt = sess->tpg->tag;
	}
	snprintf(s->user, sizeof(s->user), "%s", sess->user ? sess->user : "");
	s->by_next = sess->by_next;
	s->mutual = sess->mutual;
	s->algorithm = sess->algorithm;
	s->params = sess->params;
	s->depth = sess->depth;
	sess_window(sess, &s->exp_cmdsn, &s->max_cmdsn);
	pthread_mutex_lock(&sess->lock);
	s->state = sess->state;
	s->active = atomic_load(&sess->active);
	s->cmd_pdus = sess->cmd_pdus;
	s->rsp_pdus = sess->rsp_pdus;
	s->digest_errors = sess->digest_errors;
	memcpy(s->last_error, sess->last_error, sizeof(s->last_error));
	pthread_mutex_unlock(&sess->lock);
	s->luns = map ? map->n : 0;
	s->age_ns = now > sess->created_ns ? now - sess->created_ns : 0;
	return !luns || !map || copy_luns(map, s);
}

/* ---- looking for them ------------------------------------------------------------------------ */

/* A session that may be told of. */
struct told {
	struct sess *sess; /* ref */
	struct session_info *info; /* NULL: it does not match, or is closed */
};

/* A connection of one of them. */
struct told_conn {
	size_t at;
	uint64_t cmd_pdus, rsp_pdus;
	uint32_t next_ttt;
	struct session_conn c;
};

struct told_conns {
	struct told_conn *v;
	size_t n, cap;
};

struct query {
	struct entity *entity;
	const struct session_filter *filter;
	struct told *all; /* by address */
	size_t n;
	struct told_conns *per_loop;
	_Atomic bool failed;
};

static int by_address(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	return x->sess < y->sess ? -1 : x->sess > y->sess;
}

/* Every session that there is, or the newest one of an initiator at a group; held. */
static int find_all(struct query *q, const struct tpg *tpg, const char *initiator)
{
	struct sess *sess;
	size_t n = 0;

	engine_lock(q->entity->eng);
	list_for_each (sess, &q->entity->sessions, struct sess, entity_link)
		n++;
	q->all = calloc(n + 1, sizeof(q->all[0]));
	list_for_each (sess, &q->entity->sessions, struct sess, entity_link) {
		if (!q->all || (tpg && (sess->tpg != tpg || strcmp(sess->initiator, initiator))))
			continue;
		if (tpg && q->n)
			sess_unref(q->all[--q->n].sess);
		sess_ref(sess);
		q->all[q->n++].sess = sess;
	}
	engine_unlock(q->entity->eng);
	if (!q->all)
		return -ENOMEM;
	qsort(q->all, q->n, sizeof(q->all[0]), by_address);
	return 0;
}

static void find_done(struct query *q)
{
	for (size_t i = 0; i < q->n; i++) {
		sess_unref(q->all[i].sess);
		if (q->all[i].info)
			free(q->all[i].info->luns_told);
		free(q->all[i].info);
	}
	free(q->all);
}

/* ---- their parts, each on its loop ----------------------------------------------------------- */

static bool is_closed(struct sess *sess)
{
	bool yes;

	pthread_mutex_lock(&sess->lock);
	yes = sess->state == SESS_CLOSED;
	pthread_mutex_unlock(&sess->lock);
	return yes;
}

static void copy_at_home(struct loop *loop, void *arg)
{
	struct query *q = arg;

	for (size_t i = 0; i < q->n; i++) {
		struct told *t = &q->all[i];

		if (t->sess->loop != loop || is_closed(t->sess) || !matches(q->filter, t->sess))
			continue;
		t->info = calloc(1, sizeof(*t->info));
		if (!t->info || !copy_sess(t->sess, q->filter && q->filter->tell_luns, t->info))
			atomic_store(&q->failed, true);
	}
}

static struct told_conn *add_conn(struct told_conns *f)
{
	size_t cap = f->cap ? f->cap * 2 : 8;
	struct told_conn *v;

	if (f->n == f->cap) {
		v = realloc(f->v, cap * sizeof(*v));
		if (!v)
			return NULL;
		f->v = v;
		f->cap = cap;
	}
	return &f->v[f->n++];
}

static void copy_conns(struct loop *loop, void *arg)
{
	struct query *q = arg;
	struct conn *conn;

	list_for_each (conn, &q->entity->per_loop[loop_index(loop)].conns, struct conn, loop_link) {
		struct told key = { .sess = conn->sess }, *t;
		struct told_conn *c;

		t = conn->left_sess ? NULL : bsearch(&key, q->all, q->n, sizeof(key), by_address);
		if (!conn->sess || !t || !t->info)
			continue;
		c = add_conn(&q->per_loop[loop_index(loop)]);
		if (!c) {
			atomic_store(&q->failed, true);
			return;
		}
		c->at = (size_t)(t - q->all);
		c->cmd_pdus = conn->cmd_pdus;
		c->rsp_pdus = conn->rsp_pdus;
		c->next_ttt = conn->next_ttt;
		copy_conn(conn, &c->c);
	}
}

/* ---- all of it together ---------------------------------------------------------------------- */

static void put_conn(struct session_info *s, const struct told_conn *c)
{
	s->cmd_pdus += c->cmd_pdus;
	s->rsp_pdus += c->rsp_pdus;
	s->next_ttt = c->next_ttt;
	if (s->nconns_told < SESSION_CONNS_TOLD)
		s->conns[s->nconns_told++] = c->c;
	s->nconns++;
}

static int by_cid(const void *a, const void *b)
{
	const struct session_conn *x = a, *y = b;

	return (int)x->cid - (int)y->cid;
}

/* The sessions that were found are told of in q->all[].info. 0 or -ENOMEM. */
static int look(struct query *q)
{
	unsigned nloops = loops_count(q->entity->loops);

	q->per_loop = calloc(nloops, sizeof(q->per_loop[0]));
	if (!q->per_loop)
		return -ENOMEM;
	loops_barrier(q->entity->loops, copy_at_home, q);
	loops_barrier(q->entity->loops, copy_conns, q);
	for (unsigned i = 0; i < nloops; i++) {
		const struct told_conns *f = &q->per_loop[i];

		for (size_t k = 0; k < f->n; k++)
			put_conn(q->all[f->v[k].at].info, &f->v[k]);
		free(f->v);
	}
	free(q->per_loop);
	for (size_t i = 0; i < q->n; i++)
		if (q->all[i].info)
			qsort(q->all[i].info->conns, q->all[i].info->nconns_told,
				sizeof(q->all[i].info->conns[0]), by_cid);
	return atomic_load(&q->failed) ? -ENOMEM : 0;
}

/* Those that are not told of, last. */
static int by_tsih(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	return (x->info ? x->info->tsih : UINT16_MAX + 1) -
	       (y->info ? y->info->tsih : UINT16_MAX + 1);
}

int sessions_each(struct entity *e, const struct session_filter *f,
	void (*fn)(const struct session_info *s, void *arg), void *arg)
{
	struct query q = { .entity = e, .filter = f };
	int rc = find_all(&q, NULL, NULL);

	if (rc)
		return rc;
	rc = look(&q);
	qsort(q.all, q.n, sizeof(q.all[0]), by_tsih);
	for (size_t i = 0; !rc && i < q.n && q.all[i].info; i++)
		fn(q.all[i].info, arg);
	find_done(&q);
	return rc;
}

int session_newest(struct tpg *tpg, const char *initiator, struct session_info *ret)
{
	struct query q = { .entity = tpg->target->entity };
	int rc = find_all(&q, tpg, initiator);

	if (!rc && q.n)
		rc = look(&q);
	if (!rc && !(q.n && q.all[0].info))
		rc = -ENOENT;
	if (!rc)
		*ret = *q.all[0].info;
	find_done(&q);
	return rc;
}

/* ---- ending them ----------------------------------------------------------------------------- */

struct ending {
	const char *why;
	uint16_t seconds; /* 0: at once */
};

static unsigned end_all(struct entity *e, const struct session_filter *f, const struct ending *how)
{
	struct query q = { .entity = e, .filter = f };
	unsigned n = 0;

	if (find_all(&q, NULL, NULL))
		return 0;
	loops_barrier(e->loops, copy_at_home, &q);
	for (size_t i = 0; i < q.n; i++) {
		if (!q.all[i].info)
			continue;
		if (how->seconds)
			sess_ask_logout(q.all[i].sess, how->why, how->seconds);
		else
			sess_dismiss(q.all[i].sess, how->why);
		n++;
	}
	find_done(&q);
	return n;
}

unsigned sessions_ask_logout(
	struct entity *e, const struct session_filter *f, const char *why, uint16_t seconds)
{
	return end_all(e, f, &(struct ending){ why, seconds ? seconds : 1 });
}

unsigned sessions_drop(struct entity *e, const struct session_filter *f, const char *why)
{
	return end_all(e, f, &(struct ending){ why, 0 });
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* login_log.c: refused logins: counted, kept, and logged once for each kind. */
#include "fabric/iscsi/login_log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/login.h"
#include "fabric/iscsi/sessions.h"
#include "fabric/iscsi/target.h"

static const struct {
	uint16_t status;
	const char *name;
} names[] = {
	{ LOGIN_STATUS_SUCCESS, "no answer" },
	{ LOGIN_STATUS_TARGET_MOVED_TEMPORARILY, "target moved temporarily" },
	{ LOGIN_STATUS_TARGET_MOVED_PERMANENTLY, "target moved permanently" },
	{ LOGIN_STATUS_INITIATOR_ERROR, "initiator error" },
	{ LOGIN_STATUS_AUTHENTICATION_FAILURE, "authentication failure" },
	{ LOGIN_STATUS_AUTHORIZATION_FAILURE, "authorization failure" },
	{ LOGIN_STATUS_NOT_FOUND, "not found" },
	{ LOGIN_STATUS_TARGET_REMOVED, "target removed" },
	{ LOGIN_STATUS_UNSUPPORTED_VERSION, "unsupported version" },
	{ LOGIN_STATUS_TOO_MANY_CONNECTIONS, "too many connections" },
	{ LOGIN_STATUS_MISSING_PARAMETER, "missing parameter" },
	{ LOGIN_STATUS_CANNOT_INCLUDE_IN_SESSION, "cannot include in session" },
	{ LOGIN_STATUS_SESSION_TYPE_NOT_SUPPORTED, "session type not supported" },
	{ LOGIN_STATUS_SESSION_DOES_NOT_EXIST, "session does not exist" },
	{ LOGIN_STATUS_INVALID_DURING_LOGIN, "invalid during login" },
	{ LOGIN_STATUS_TARGET_ERROR, "target error" },
	{ LOGIN_STATUS_SERVICE_UNAVAILABLE, "service unavailable" },
	{ LOGIN_STATUS_OUT_OF_RESOURCES, "out of resources" },
};

const char *login_status_name(uint16_t status)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].status == status)
			return names[i].name;
	}
	return "?";
}

int login_log_init(struct login_log *l)
{
	memset(l, 0, sizeof(*l));
	l->records = calloc(LOGIN_RECORDS_MAX, sizeof(l->records[0]));
	if (!l->records)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	log_limit_init(&l->limit, 20, 10000000000ull);
	return 0;
}

void login_log_done(struct login_log *l)
{
	if (!l->records)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l->records);
}

/* ---- the record ------------------------------------------------------------------------------ */

static bool same_peer(const char *a, const char *b)
{
	char x[64], y[64];

	peer_host(a, x, sizeof(x));
	peer_host(b, y, sizeof(y));
	return !strcmp(x, y);
}

static bool same_kind(const struct login_record *a, const struct login_record *b)
{
	return a->status == b->status && a->discovery == b->discovery &&
	       !strcmp(a->stage, b->stage) && !strcmp(a->initiator, b->initiator) &&
	       !strcmp(a->target, b->target) && !strcmp(a->cause, b->cause) &&
	       same_peer(a->peer, b->peer);
}

/* The record of this kind; else the place of the oldest, which it takes. Under the lock. */
static struct login_record *place_of(struct login_log *l, const struct login_record *r)
{
	struct login_record *oldest = &l->records[0];

	for (unsigned i = 0; i < l->n; i++) {
		if (same_kind(&l->records[i], r))
			return &l->records[i];
		if (l->records[i].last_s < oldest->last_s)
			oldest = &l->records[i];
	}
	if (l->n < LOGIN_RECORDS_MAX)
		oldest = &l->records[l->n++];
	memset(oldest, 0, sizeof(*oldest));
	return oldest;
}

/* Keep it. Returns how often it came since it was logged last; 0: it is not to be logged now. */
static uint64_t keep(struct login_log *l, const struct login_record *r, uint64_t now_ns)
{
	struct login_record *at;
	uint64_t told = 0;

	pthread_mutex_lock(&l->lock);
	at = place_of(l, r);
	if (!at->count) {
		*at = *r;
		at->first_s = r->last_s;
	}
	at->count++;
	at->untold++;
	at->last_s = r->last_s;
	memcpy(at->peer, r->peer, sizeof(at->peer));
	/* Another loop may have noted a time that this one has yet to come to. */
	if (at->count == 1 ||
		(now_ns > at->told_ns && now_ns - at->told_ns >= LOGIN_RECORD_QUIET_NS)) {
		told = at->untold;
		at->untold = 0;
		at->told_ns = now_ns;
	}
	pthread_mutex_unlock(&l->lock);
	return told;
}

/* What a peer sent ends no quotation in the log, behind which it could tell a story of its own. */
static void unquote(char *s)
{
	for (; *s; s++)
		if (*s == '"')
			*s = '\'';
}

static void record(struct conn *conn, struct login_record *r)
{
	struct login_log *l = &conn->entity->refused;
	char times[48] = "";
	uint64_t told;

	r->last_s = (uint64_t)time(NULL);
	memcpy(r->peer, conn->peer, sizeof(r->peer));
	unquote(r->initiator);
	unquote(r->target);
	unquote(r->cause);
	notice_tell(engine_notices(conn->entity->eng),
		&(struct notice){ .kind = NOTICE_LOGIN_REFUSED,
			.target = r->discovery ? NULL : r->target,
			.initiator = r->initiator,
			.peer = r->peer,
			.state = login_status_name(r->status),
			.text = r->cause });
	told = keep(l, r, loop_now_ns(conn->loop));
	if (!told)
		return;
	if (told > 1)
		snprintf(times, sizeof(times), " times=%llu", (unsigned long long)told);
	log_limited(&l->limit, LOG_LEVEL_WARN, "iscsi", "login refused",
		"peer=%s initiator=\"%s\" target=\"%s\" stage=%s status=0x%04x (%s) cause=\"%s\" "
		"cure=\"%s\"%s",
		r->peer, r->initiator, r->discovery ? "(discovery)" : r->target, r->stage,
		r->status, login_status_name(r->status), r->cause, r->cure, times);
}

/* ---- what is recorded ------------------------------------------------------------------------ */

/* LIO's fabric_statistics/iscsi_login_stats and iscsi_instance of the target. */
static void count(struct conn *conn, const struct login_failure *f, const struct login_id *id)
{
	struct target_stats *s;
	struct target *t;

	engine_lock(conn->entity->eng);
	t = target_find(conn->entity, id->target_name);
	if (t) {
		s = &t->stats;
		atomic_fetch_add(f->status == LOGIN_STATUS_AUTHENTICATION_FAILURE
					 ? &s->login_authenticate_fails
				 : f->status == LOGIN_STATUS_AUTHORIZATION_FAILURE
					 ? &s->login_authorize_fails
				 : f->status >> 8 == 1 ? &s->login_redirects
				 : f->status == LOGIN_STATUS_INITIATOR_ERROR
					 ? &s->login_negotiate_fails
					 : &s->login_other_fails,
			1);
		atomic_store(&s->fail_time, (uint64_t)time(NULL));
		atomic_store(&s->fail_type, f->status);
		strcpy(s->fail_initiator, id->initiator_name);
		strcpy(s->fail_address, conn->peer);
	}
	engine_unlock(conn->entity->eng);
}

static void take_id(struct login_record *r, const struct login_id *id)
{
	snprintf(r->initiator, sizeof(r->initiator), "%s", id->initiator_name);
	snprintf(r->target, sizeof(r->target), "%s", id->target_name);
	r->discovery = id->discovery;
}

void login_log_refused(struct conn *conn)
{
	const struct login_failure *f = login_failure(conn->login);
	const struct login_id *id = login_id(conn->login);
	struct login_record r = { 0 };

	if (!f)
		return;
	count(conn, f, id);
	if (f->status >> 8 == 1) { /* as it is configured: nothing to mend */
		log_limited(&conn->entity->refused.limit, LOG_LEVEL_INFO, "iscsi", conn->peer,
			"login of \"%s\" to \"%s\" %s", id->initiator_name, id->target_name,
			f->cause);
		return;
	}
	take_id(&r, id);
	r.stage = login_state_name(f->state);
	r.status = f->status;
	snprintf(r.cause, sizeof(r.cause), "%s", f->cause);
	r.cure = f->cure ? f->cure : "";
	record(conn, &r);
}

void login_log_closed(struct conn *conn, const char *why)
{
	struct login_record r = { .cure = "" };

	if (login_mutual(conn->login))
		r.cure = "the initiator may not accept the target's proof: compare its name and "
			 "secret for the target with auth/userid_mutual and password_mutual";
	take_id(&r, login_id(conn->login));
	r.stage = login_state_name(login_state(conn->login));
	snprintf(r.cause, sizeof(r.cause), "%s", why);
	record(conn, &r);
}

/* ---- telling --------------------------------------------------------------------------------- */

static int latest_first(const void *a, const void *b)
{
	const struct login_record *x = a, *y = b;

	return (x->last_s < y->last_s) - (x->last_s > y->last_s);
}

unsigned login_log_each(
	struct login_log *l, void (*fn)(const struct login_record *r, void *arg), void *arg)
{
	struct login_record *copy = malloc(LOGIN_RECORDS_MAX * sizeof(*copy));
	unsigned n;

	if (!copy)
		return 0;
	pthread_mutex_lock(&l->lock);
	n = l->n;
	memcpy(copy, l->records, n * sizeof(*copy));
	pthread_mutex_unlock(&l->lock);
	qsort(copy, n, sizeof(*copy), latest_first);
	for (unsigned i = 0; i < n; i++)
		fn(&copy[i], arg);
	free(copy);
	return n;
}

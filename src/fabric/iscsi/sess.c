/* SPDX-License-Identifier: BSD-3-Clause */
/* sess.c: sessions from login to the loss of their nexus (RFC 7143 4.2.4, 8.3). */
#include "fabric/iscsi/sess.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/fabric.h"
#include "engine/nexus.h"
#include "fabric/iscsi/login.h"
#include "fabric/iscsi/recover.h"
#include "fabric/iscsi/task.h"
#include "scsi/transportid.h"

static const char *const state_names[SESS_STATES] = {
	[SESS_FREE] = "FREE",
	[SESS_LOGGED_IN] = "LOGGED_IN",
	[SESS_FAILED] = "FAILED",
	[SESS_CLOSED] = "CLOSED",
};

const char *sess_state_name(enum sess_state s)
{
	return (unsigned)s < SESS_STATES ? state_names[s] : "?";
}

static void closed(struct sess *sess);
static void end_at_home(struct loop *loop, struct loop_msg *msg);
static void leave_lists(struct sess *sess);

/* ---- the engine's calls --------------------------------------------------------------------- */

static void nexus_closed(struct nexus *nexus)
{
	closed(nexus->session);
}

/* SPC-4 7.6.4.6: TransportID of an initiator port, format 01b: "<name>,i,0x<ISID>". */
static size_t transport_id(const struct nexus *nexus, uint8_t *buf, size_t cap)
{
	const struct sess *sess = nexus->session;
	struct transportid id = { .has_isid = true };

	snprintf(id.name, sizeof(id.name), "%s", sess->initiator);
	memcpy(id.isid, sess->isid, sizeof(id.isid));
	return transportid_encode(&id, buf, cap);
}

static void drop_nexus(struct nexus *nexus, const char *why)
{
	sess_dismiss(nexus->session, why);
}

const struct fabric_ops sess_fabric_ops = {
	.name = "iSCSI",
	.protocol = 5, /* SPC-4 7.6.1, table 445 */
	.takes_lent_pages = true,
	.want_data_out = task_want_data_out,
	.get_data_in = task_get_data_in,
	.send_status = task_send_status,
	.aborted = task_aborted,
	.tmf_done = task_tmf_done,
	.nexus_closed = nexus_closed,
	.transport_id = transport_id,
	.drop_nexus = drop_nexus,
};

/*
 * ---- beginning
 * ----------------------------------------------------------------------------------
 */

static bool take_tsih(struct sess *sess)
{
	struct entity *e = sess->entity;
	uint32_t id;
	int rc;

	pthread_mutex_lock(&e->tsih_lock);
	rc = idpool_alloc(&e->tsihs, &id);
	pthread_mutex_unlock(&e->tsih_lock);
	sess->tsih = rc ? 0 : (uint16_t)id;
	return !rc;
}

static void sess_free(struct sess *sess)
{
	struct entity *e = sess->entity;

	if (sess->tsih) {
		pthread_mutex_lock(&sess->entity->tsih_lock);
		idpool_free(&sess->entity->tsihs, sess->tsih);
		pthread_mutex_unlock(&sess->entity->tsih_lock);
	}
	pthread_mutex_destroy(&sess->lock);
	free(sess->user);
	free(sess);
	atomic_fetch_sub(&e->nsess, 1);
}

void sess_ref(struct sess *sess)
{
	atomic_fetch_add_explicit(&sess->refs, 1, memory_order_relaxed);
}

void sess_unref(struct sess *sess)
{
	if (atomic_fetch_sub_explicit(&sess->refs, 1, memory_order_acq_rel) == 1)
		sess_free(sess);
}

static struct sess *sess_alloc(struct conn *conn, const struct keys_values *values,
	const uint8_t isid[6], uint32_t cmdsn, uint32_t depth)
{
	struct sess *sess = calloc(1, sizeof(*sess));

	if (!sess)
		return NULL;
	atomic_fetch_add(&conn->entity->nsess, 1);
	atomic_init(&sess->refs, 1);
	sess->entity = conn->entity;
	sess->loop = conn->loop;
	sess->params = values->sess;
	sess->discovery = values->sess.session_type == SESSION_TYPE_DISCOVERY;
	memcpy(sess->isid, isid, sizeof(sess->isid));
	memcpy(sess->initiator, values->sess.initiator_name, sizeof(sess->initiator));
	pthread_mutex_init(&sess->lock, NULL);
	list_init(&sess->conns);
	list_init(&sess->failed);
	list_init(&sess->held);
	list_init(&sess->fences);
	list_init(&sess->tpg_link);
	list_init(&sess->entity_link);
	sess->end_msg.fn = end_at_home;
	sess->depth = depth < 1 ? 1 : depth > SESS_DEPTH_MAX ? SESS_DEPTH_MAX : depth;
	/* RFC 7143 11.12.8: the login's CmdSN is the one that the first command has too. */
	sess->exp_cmdsn = cmdsn;
	sess->max_cmdsn = cmdsn + sess->depth - 1;
	sess->created_ns = clock_now_ns();
	if (take_tsih(sess))
		return sess;
	sess_unref(sess);
	return NULL;
}

static uint16_t make_nexus(struct sess *sess, struct tpg *tpg)
{
	const uint8_t *i = sess->isid;
	char suffix[32];
	int rc;

	snprintf(suffix, sizeof(suffix), ",i,0x%02x%02x%02x%02x%02x%02x", i[0], i[1], i[2], i[3],
		i[4], i[5]);
	rc = nexus_new(tpg->port, sess->initiator, suffix, &sess_fabric_ops, sess, sess->loop,
		&sess->nexus);
	if (!rc)
		sess->nexus->no_tmfs = tmf_not_carried(sess);
	if (rc == -EACCES)
		return LOGIN_STATUS_AUTHORIZATION_FAILURE;
	return rc ? LOGIN_STATUS_OUT_OF_RESOURCES : LOGIN_STATUS_SUCCESS;
}

struct sess *sess_of_port(struct tpg *tpg, const uint8_t isid[6], const char *initiator)
{
	struct sess *s;

	list_for_each (s, &tpg->sessions, struct sess, tpg_link)
		if (!memcmp(s->isid, isid, sizeof(s->isid)) && !strcmp(s->initiator, initiator))
			return s;
	return NULL;
}

void sess_add_conn(struct sess *sess, struct conn *conn)
{
	sess_ref(sess);
	conn->sess = sess;
	conn->left_sess = false;
	conn->turns_msg.fn = sess_turns_came;
	conn->join = sess->next_join++;
	list_push_back(&sess->conns, &conn->sess_link);
	sess->nconns++;
	sess->state = SESS_LOGGED_IN;
}

/* It never comes to anything; somebody may have seen it already. */
static void give_up(struct sess *sess, struct conn *conn)
{
	pthread_mutex_lock(&sess->lock);
	list_del(&conn->sess_link);
	sess->nconns--;
	sess->state = SESS_FAILED;
	sess->ending = true;
	pthread_mutex_unlock(&sess->lock);
	conn->left_sess = true;
	conn->sess = NULL;
	sess_end(sess);
	sess_unref(sess);
}

uint16_t sess_new(struct conn *conn, struct tpg *tpg, const struct keys_values *values,
	const uint8_t isid[6], uint32_t cmdsn, const struct node_attribs *node, uint32_t depth)
{
	struct sess *sess = sess_alloc(conn, values, isid, cmdsn, depth);
	uint16_t status = LOGIN_STATUS_SUCCESS;

	if (!sess) {
		if (tpg) {
			engine_lock(conn->entity->eng);
			tpg->nsessions--;
			engine_unlock(conn->entity->eng);
		}
		return LOGIN_STATUS_OUT_OF_RESOURCES;
	}
	sess->node = *node;
	sess->tpg = tpg;
	sess->state = SESS_LOGGED_IN;
	pthread_mutex_lock(&sess->lock);
	sess_add_conn(sess, conn);
	pthread_mutex_unlock(&sess->lock);
	engine_lock(sess->entity->eng);
	if (tpg && sess_of_port(tpg, isid, sess->initiator)) {
		status = SESS_AGAIN;
	} else {
		list_push_back(&sess->entity->sessions, &sess->entity_link);
		if (tpg)
			list_push_back(&tpg->sessions, &sess->tpg_link);
	}
	engine_unlock(sess->entity->eng);
	if (tpg && status == LOGIN_STATUS_SUCCESS)
		status = make_nexus(sess, tpg);
	if (status != LOGIN_STATUS_SUCCESS)
		give_up(sess, conn);
	return status;
}

/*
 * ---- end
 * ------------------------------------------------------------------------------------------
 */

/* Under the configuration lock: logins that wait for a session to go look again. */
static void tell_waiters(struct tpg *tpg)
{
	struct list *n;

	while ((n = list_pop_front(&tpg->waiters))) {
		struct conn *conn = container_of(n, struct conn, wait_link);

		loop_post(conn->loop, &conn->wait_msg);
	}
}

/* Under the configuration lock. */
static void tell_end(struct sess *sess)
{
	char why[sizeof(sess->last_error)];
	bool logged_out;

	pthread_mutex_lock(&sess->lock);
	logged_out = sess->logged_out;
	memcpy(why, sess->last_error, sizeof(why));
	pthread_mutex_unlock(&sess->lock);
	notice_tell(engine_notices(sess->entity->eng),
		&(struct notice){ .kind = NOTICE_LOGOUT,
			.target = sess->tpg ? sess->tpg->target->name : NULL,
			.initiator = sess->initiator,
			.state = logged_out ? "logged out" : "lost",
			.text = !logged_out && why[0] ? why : NULL });
}

/* Out of all lists; from here on the group may go. */
static void leave_lists(struct sess *sess)
{
	hosts_session_ended(&sess->entity->hosts, sess->host);
	sess->host = NULL;
	engine_lock(sess->entity->eng);
	if (notice_wanted(engine_notices(sess->entity->eng), NOTICE_LOGOUT))
		tell_end(sess);
	list_del(&sess->entity_link);
	if (sess->tpg) {
		list_del(&sess->tpg_link);
		sess->tpg->nsessions--;
		tell_waiters(sess->tpg);
		sess->tpg = NULL;
	}
	engine_unlock(sess->entity->eng);
}

bool sess_has_several(struct sess *sess)
{
	bool several;

	pthread_mutex_lock(&sess->lock);
	several = sess->nconns + sess->nfailed > 1;
	pthread_mutex_unlock(&sess->lock);
	return several;
}

void sess_set_error(struct sess *sess, const char *why)
{
	pthread_mutex_lock(&sess->lock);
	snprintf(sess->last_error, sizeof(sess->last_error), "%.127s", why);
	pthread_mutex_unlock(&sess->lock);
}

/* Counters of a target: the group of an ended session, and with it the target, may be gone. */
static void count(struct sess *sess, size_t counter)
{
	engine_lock(sess->entity->eng);
	if (sess->tpg) {
		char *stats = (char *)&sess->tpg->target->stats;

		atomic_fetch_add((_Atomic uint64_t *)(stats + counter), 1);
	}
	engine_unlock(sess->entity->eng);
}

void sess_count_error(struct sess *sess, enum sess_error kind)
{
	static const size_t counters[] = {
		[SESS_DIGEST_ERROR] = offsetof(struct target_stats, digest_errors),
		[SESS_CONNECTION_ERROR] = offsetof(struct target_stats, connection_errors),
		[SESS_FORMAT_ERROR] = offsetof(struct target_stats, format_errors),
	};

	if (!sess)
		return;
	if (kind == SESS_DIGEST_ERROR) {
		pthread_mutex_lock(&sess->lock);
		sess->digest_errors++;
		pthread_mutex_unlock(&sess->lock);
	}
	count(sess, counters[kind]);
}

void sess_count_login(struct sess *sess)
{
	count(sess, offsetof(struct target_stats, login_accepts));
}

void sess_count_logout(struct sess *sess, bool whole)
{
	if (whole) {
		pthread_mutex_lock(&sess->lock);
		sess->logged_out = true;
		pthread_mutex_unlock(&sess->lock);
	}
	count(sess, offsetof(struct target_stats, logout_normal));
}

/*
 * Under sess->lock: there is no connection, and none is coming. It ends: sess_end(), and nobody
 * joins it before that is called; but at level 2 it waits while there is something to recover.
 */
static bool is_deserted(struct sess *sess)
{
	if (sess->nconns || sess->joining)
		return false;
	if (sess->state == SESS_LOGGED_IN)
		sess->state = SESS_FAILED;
	if (!sess->nfailed)
		sess->ending = true;
	return sess->ending;
}

void sess_joining(struct sess *sess, int by)
{
	bool deserted;

	pthread_mutex_lock(&sess->lock);
	sess->joining += (uint32_t)by;
	sess->many = true;
	deserted = is_deserted(sess);
	pthread_mutex_unlock(&sess->lock);
	if (deserted)
		sess_end(sess);
}

void sess_conn_gone(struct sess *sess, struct conn *conn)
{
	bool deserted, logged_out;

	sess_drop_held(sess, conn);
	pthread_mutex_lock(&sess->lock);
	list_del(&conn->sess_link);
	sess->nconns--;
	sess->cmd_pdus += conn->cmd_pdus;
	sess->rsp_pdus += conn->rsp_pdus;
	deserted = is_deserted(sess);
	logged_out = sess->logged_out || conn->logged_out;
	pthread_mutex_unlock(&sess->lock);
	if (!deserted)
		return;
	if (!logged_out)
		count(sess, offsetof(struct target_stats, logout_abnormal));
	sess_end(sess);
}

/* ---- at home --------------------------------------------------------------------------------- */

static void tell_closed(struct sess_visit *v, struct conn *conn)
{
	if (conn->logging_out == LOGOUT_NEXUS)
		logout_answer(conn);
}

static void told_closed(struct sess_visit *v)
{
	sess_unref(container_of(v, struct sess, closed));
}

/* There is no nexus any more. */
static void closed(struct sess *sess)
{
	pthread_mutex_lock(&sess->lock);
	sess->state = SESS_CLOSED;
	pthread_mutex_unlock(&sess->lock);
	sess->nexus = NULL;
	leave_lists(sess);
	sess->closed =
		(struct sess_visit){ .fn = tell_closed, .done = told_closed, .loop = sess->loop };
	sess_visit(sess, &sess->closed);
}

static void end_at_home(struct loop *loop, struct loop_msg *msg)
{
	struct sess *sess = container_of(msg, struct sess, end_msg);

	if (!sess->closing) {
		sess->closing = true;
		if (sess->nexus)
			nexus_close(sess->nexus);
		else
			closed(sess);
	}
	sess_unref(sess);
}

void sess_end(struct sess *sess)
{
	bool posted;

	pthread_mutex_lock(&sess->lock);
	sess->ending = true;
	recover_end_all(sess);
	posted = sess->end_posted;
	sess->end_posted = true;
	pthread_mutex_unlock(&sess->lock);
	if (posted)
		return;
	sess_ref(sess);
	loop_post(sess->loop, &sess->end_msg);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void drop_conn(struct sess_visit *v, struct conn *conn)
{
	conn_close(conn, "%s", container_of(v, struct sess, drop)->drop_why);
}

/* RFC 7143 11.9.1, 3: the target will drop all connections; reconnect after Time2Wait. */
static void dismiss_conn(struct sess_visit *v, struct conn *conn)
{
	struct sess *sess = container_of(v, struct sess, drop);

	if (conn->state == CONN_LOGGED_IN || conn->state == CONN_LOGOUT_REQUESTED)
		async_send(conn, ISCSI_ASYNC_DROP_ALL_CONNECTIONS, 0, 2, 0);
	sess_set_error(sess, sess->drop_why);
	conn_close_when_sent(conn);
}

static void ask_conn(struct sess_visit *v, struct conn *conn)
{
	struct sess *sess = container_of(v, struct sess, drop);

	sess_set_error(sess, sess->drop_why);
	logout_ask(conn, sess->drop_s);
}

static void begin_drop(struct sess *sess);

static void dropped(struct sess_visit *v)
{
	struct sess *sess = container_of(v, struct sess, drop);
	bool again, empty;

	pthread_mutex_lock(&sess->lock);
	again = sess->drop_way > sess->drop_done;
	sess->dropping = again;
	empty = !sess->nconns;
	pthread_mutex_unlock(&sess->lock);
	if (again)
		begin_drop(sess);
	else if (empty)
		sess_end(sess);
}

static void (*const drop_fns[])(struct sess_visit *v, struct conn *conn) = {
	[SESS_DROP_ASK] = ask_conn,
	[SESS_DROP_DISMISS] = dismiss_conn,
	[SESS_DROP_CLOSE] = drop_conn,
};

static void begin_drop(struct sess *sess)
{
	pthread_mutex_lock(&sess->lock);
	sess->drop_done = sess->drop_way;
	pthread_mutex_unlock(&sess->lock);
	sess->drop = (struct sess_visit){
		.fn = drop_fns[sess->drop_done], .done = dropped, .loop = sess->loop
	};
	sess_visit(sess, &sess->drop);
}

/* What is asked for while another round is under way is done after it, if it is more. */
static void drop(struct sess *sess, const char *why, uint16_t seconds, enum sess_drop_way way)
{
	bool busy;

	pthread_mutex_lock(&sess->lock);
	busy = sess->dropping;
	sess->dropping = sess->ending = true;
	if (!busy) {
		snprintf(sess->drop_why, sizeof(sess->drop_why), "%.127s", why);
		sess->drop_s = seconds;
		sess->drop_way = way;
	} else if (way > sess->drop_way) {
		sess->drop_way = way;
	}
	pthread_mutex_unlock(&sess->lock);
	if (!busy)
		begin_drop(sess);
}

void sess_drop(struct sess *sess, const char *why)
{
	drop(sess, why, 0, SESS_DROP_CLOSE);
}

void sess_dismiss(struct sess *sess, const char *why)
{
	drop(sess, why, 0, SESS_DROP_DISMISS);
}

void sess_ask_logout(struct sess *sess, const char *why, uint16_t seconds)
{
	drop(sess, why, seconds, SESS_DROP_ASK);
}

void sess_each(struct tpg *tpg, void (*fn)(struct sess *sess, void *arg), void *arg)
{
	struct sess *sess;

	engine_lock(tpg->port->eng);
	list_for_each (sess, &tpg->sessions, struct sess, tpg_link)
		fn(sess, arg);
	engine_unlock(tpg->port->eng);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sess.c: sessions from login to the loss of their nexus, and the command window (RFC 7143
 * 4.2.2).
 */
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

/* ---- the engine's calls --------------------------------------------------------------------- */

static void nexus_closed(struct nexus *nexus)
{
	sess_nexus_closed(nexus->session);
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
	struct sess *sess = nexus->session;
	struct conn *conn, *tmp;

	list_for_each_safe (conn, tmp, &sess->conns, struct conn, sess_link) {
		/*
		 * RFC 7143 11.9.1, 3: the target will drop all connections; reconnect after
		 * Time2Wait.
		 */
		if (conn->state == CONN_LOGGED_IN)
			async_send(conn, ISCSI_ASYNC_DROP_ALL_CONNECTIONS, 0, 2, 0);
		snprintf(sess->last_error, sizeof(sess->last_error), "%.127s", why);
		conn_close_when_sent(conn);
	}
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

static struct sess *sess_free(struct sess *sess)
{
	if (!sess)
		return NULL;
	if (sess->tsih) {
		pthread_mutex_lock(&sess->entity->tsih_lock);
		idpool_free(&sess->entity->tsihs, sess->tsih);
		pthread_mutex_unlock(&sess->entity->tsih_lock);
	}
	hash_done(&sess->tasks);
	pthread_mutex_destroy(&sess->lock);
	free(sess);
	return NULL;
}

static struct sess *sess_alloc(struct conn *conn, const struct keys_values *values,
	const uint8_t isid[6], uint32_t cmdsn, uint32_t depth)
{
	struct sess *sess = calloc(1, sizeof(*sess));

	if (!sess)
		return NULL;
	sess->entity = conn->entity;
	sess->loop = conn->loop;
	sess->params = values->sess;
	sess->discovery = values->sess.session_type == SESSION_TYPE_DISCOVERY;
	memcpy(sess->isid, isid, sizeof(sess->isid));
	memcpy(sess->initiator, values->sess.initiator_name, sizeof(sess->initiator));
	pthread_mutex_init(&sess->lock, NULL);
	list_init(&sess->conns);
	list_init(&sess->held);
	list_init(&sess->tpg_link);
	hash_init(&sess->tasks);
	sess->depth = depth < 1 ? 1 : depth > SESS_DEPTH_MAX ? SESS_DEPTH_MAX : depth;
	/* RFC 7143 11.12.8: the login's CmdSN is the one that the first command has too. */
	sess->exp_cmdsn = cmdsn;
	sess->max_cmdsn = cmdsn + sess->depth - 1;
	sess->created_ns = clock_now_ns();
	for (unsigned i = 0; i < SESS_ENDED_ITTS; i++)
		sess->ended_itts[i] = TAG_RESERVED;
	if (!take_tsih(sess))
		return sess_free(sess);
	return sess;
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
	if (tpg) {
		engine_lock(sess->entity->eng);
		list_push_back(&tpg->sessions, &sess->tpg_link);
		engine_unlock(sess->entity->eng);
		status = make_nexus(sess, tpg);
		if (status != LOGIN_STATUS_SUCCESS)
			sess_leave_tpg(sess);
	}
	if (status != LOGIN_STATUS_SUCCESS) {
		sess_free(sess);
		return status;
	}
	sess->state = SESS_LOGGED_IN;
	sess->nconns = 1;
	conn->sess = sess;
	list_push_back(&sess->conns, &conn->sess_link);
	return LOGIN_STATUS_SUCCESS;
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

void sess_leave_tpg(struct sess *sess)
{
	engine_lock(sess->entity->eng);
	if (list_linked(&sess->tpg_link)) {
		list_del(&sess->tpg_link);
		sess->tpg->nsessions--;
		tell_waiters(sess->tpg);
		/* From here on the group may go. */
		sess->tpg = NULL;
	}
	engine_unlock(sess->entity->eng);
}

/*
 * Tasks that have their status but wait for data before they answer: the engine has no part in
 * them.
 */
static void kill_unanswered(struct sess *sess)
{
	struct hash_node *n, *tmp;

	hash_for_each_safe(n, tmp, &sess->tasks)
	{
		struct task *t = container_of(n, struct task, hash.node);

		if (t->state == TASK_RESPONDING && !t->sending)
			task_kill(t);
	}
}

void sess_drop_held(struct sess *sess)
{
	struct list *n;

	while ((n = list_pop_front(&sess->held)))
		task_drop_held(container_of(n, struct task, link));
}

void sess_count_error(struct sess *sess, enum sess_error kind)
{
	struct target_stats *stats = sess && sess->tpg ? &sess->tpg->target->stats : NULL;

	if (!sess)
		return;
	if (kind == SESS_DIGEST_ERROR)
		sess->digest_errors++;
	if (stats)
		atomic_fetch_add(kind == SESS_DIGEST_ERROR       ? &stats->digest_errors
				 : kind == SESS_CONNECTION_ERROR ? &stats->connection_errors
								 : &stats->format_errors,
			1);
}

void sess_conn_gone(struct sess *sess, struct conn *conn)
{
	list_del(&conn->sess_link);
	if (!list_empty(&sess->conns))
		return;
	sess->state = SESS_FAILED;
	if (sess->tpg && !sess->logged_out)
		atomic_fetch_add(&sess->tpg->target->stats.logout_abnormal, 1);
	kill_unanswered(sess);
	sess_drop_held(sess);
	if (!sess_close_nexus(sess, conn))
		sess->state = SESS_CLOSED;
}

bool sess_close_nexus(struct sess *sess, struct conn *conn)
{
	if (!sess->nexus)
		return false;
	if (sess->last_conn)
		return true; /* under way */
	conn->pins++;
	sess->last_conn = conn;
	nexus_close(sess->nexus);
	return true;
}

void sess_nexus_closed(struct sess *sess)
{
	struct conn *conn = sess->last_conn;

	sess->state = SESS_CLOSED;
	sess->nexus = NULL;
	sess_leave_tpg(sess);
	conn->pins--;
	if (conn->closing)
		conn_reap(conn);
	else if (conn->logging_out == LOGOUT_NEXUS)
		logout_answer(conn);
}

void sess_conn_freed(struct sess *sess)
{
	if (--sess->nconns == 0)
		sess_free(sess);
}

bool sess_busy(const struct sess *sess)
{
	return atomic_load(&sess->drop_posted);
}

static void drop_on_loop(struct loop *loop, struct loop_msg *msg)
{
	struct sess *sess = container_of(msg, struct sess, drop_msg);
	struct conn *conn, *tmp, *last = sess->last_conn;

	atomic_store(&sess->drop_posted, false);
	list_for_each_safe (conn, tmp, &sess->conns, struct conn, sess_link)
		conn_close(conn, "%s", sess->drop_why);
	if (last)
		conn_reap(last);
}

void sess_drop(struct sess *sess, const char *why)
{
	if (atomic_exchange(&sess->drop_posted, true))
		return;
	sess->drop_why = why;
	sess->drop_msg.fn = drop_on_loop;
	loop_post(sess->loop, &sess->drop_msg);
}

void sess_each(struct tpg *tpg, void (*fn)(struct sess *sess, void *arg), void *arg)
{
	struct sess *sess;

	engine_lock(tpg->port->eng);
	list_for_each (sess, &tpg->sessions, struct sess, tpg_link)
		fn(sess, arg);
	engine_unlock(tpg->port->eng);
}

/*
 * ---- the command window: RFC 7143 4.2.2.1
 * ---------------------------------------------------------
 */

/* Under sess->lock. MaxCmdSN grows as commands end and never shrinks. */
static void open_window(struct sess *sess)
{
	uint32_t max = sess->exp_cmdsn + sess->depth - sess->active - 1;

	if (sna_lt(sess->max_cmdsn, max))
		sess->max_cmdsn = max;
}

void sess_window(struct sess *sess, uint32_t *ret_exp, uint32_t *ret_max)
{
	pthread_mutex_lock(&sess->lock);
	*ret_exp = sess->exp_cmdsn;
	*ret_max = sess->max_cmdsn;
	pthread_mutex_unlock(&sess->lock);
}

void sess_release_slot(struct sess *sess)
{
	pthread_mutex_lock(&sess->lock);
	sess->active--;
	open_window(sess);
	pthread_mutex_unlock(&sess->lock);
}

enum sess_order sess_order_of(struct sess *sess, uint32_t cmdsn, bool scsi)
{
	enum sess_order order = SESS_HELD;

	pthread_mutex_lock(&sess->lock);
	if (sna_lt(cmdsn, sess->exp_cmdsn) || sna_lt(sess->max_cmdsn, cmdsn)) {
		order = SESS_IGNORE;
	} else if (cmdsn == sess->exp_cmdsn) {
		order = SESS_NOW;
		sess->exp_cmdsn++;
		if (scsi)
			sess->active++;
		open_window(sess);
	}
	pthread_mutex_unlock(&sess->lock);
	return order;
}

bool sess_hold(struct sess *sess, struct task *task)
{
	struct task *t;

	list_for_each (t, &sess->held, struct task, link) {
		if (t->cmdsn == task->cmdsn && !task->immediate && !t->immediate)
			return false;
		if (sna_lt(task->cmdsn, t->cmdsn))
			break;
	}
	list_push_back(&t->link, &task->link);
	task->state = TASK_HELD;
	return true;
}

/* After ExpCmdSN has advanced: what it was waited for. */
void sess_run_held(struct sess *sess)
{
	struct task *t;

	while ((t = list_first(&sess->held, struct task, link))) {
		/* An immediate function waits for what is older than it, and takes no number. */
		if (t->immediate ? sna_lt(sess->exp_cmdsn, t->cmdsn)
				 : sess_order_of(sess, t->cmdsn, t->cmd != NULL) != SESS_NOW)
			return;
		list_del(&t->link);
		task_run_held(t);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* conn.c: the life of a connection (RFC 7143 8.1). */
#include "fabric/iscsi/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fabric/iscsi/dataout.h"
#include "fabric/iscsi/login.h"
#include "fabric/iscsi/login_log.h"
#include "fabric/iscsi/recover.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

static void conn_enter_ffp(struct conn *conn);
static void conn_stop_receiving(struct conn *conn);
static void conn_cleanup(struct conn *conn);

static const struct {
	enum conn_state from;
	enum conn_event on;
	void (*action)(struct conn *conn);
	enum conn_state to;
} transitions[] = {
#define FSM(from, on, action, to) { from, on, action, to },
#include "fabric/iscsi/conn.fsm.h"
#undef FSM
};

static const char *const state_names[CONN_STATES] = {
	[CONN_FREE] = "FREE",
	[CONN_XPT_UP] = "XPT_UP",
	[CONN_IN_LOGIN] = "IN_LOGIN",
	[CONN_LOGGED_IN] = "LOGGED_IN",
	[CONN_IN_LOGOUT] = "IN_LOGOUT",
	[CONN_LOGOUT_REQUESTED] = "LOGOUT_REQUESTED",
	[CONN_CLEANUP_WAIT] = "CLEANUP_WAIT",
};

const char *conn_state_name(enum conn_state s)
{
	return (unsigned)s < CONN_STATES ? state_names[s] : "?";
}

static struct node_loop *node_loop(const struct conn *conn)
{
	return &conn->entity->per_loop[loop_index(conn->loop)];
}

static void conn_log(struct conn *conn, enum log_level level, const char *text)
{
	char obj[384];

	snprintf(obj, sizeof(obj), "conn %u (%s%s%s)", conn->id, conn->peer, conn->sess ? ", " : "",
		conn->sess ? conn->sess->initiator : "");
	log_limited(&conn->entity->peer_log, level, "iscsi", obj, "%s", text);
}

void conn_event(struct conn *conn, enum conn_event ev)
{
	enum conn_state from = conn->state;

	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		if (transitions[i].from != from || transitions[i].on != ev)
			continue;
		conn->state = transitions[i].to;
		if (log_enabled(LOG_LEVEL_DEBUG))
			log_msg(LOG_LEVEL_DEBUG, "iscsi", "conn %u: %s -> %s", conn->id,
				conn_state_name(from), conn_state_name(conn->state));
		if (transitions[i].action)
			transitions[i].action(conn);
		return;
	}
	if (ev != EV_CLOSE)
		conn_close(conn, "an event that state %s does not have", conn_state_name(from));
}

/*
 * ---- beginning
 * ----------------------------------------------------------------------------------
 */

void conn_address_text(const struct sockaddr_storage *ss, char *buf, size_t cap)
{
	char ip[INET6_ADDRSTRLEN] = "?";

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(buf, cap, "%s:%u", ip, ntohs(in->sin_port));
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(buf, cap, "[%s]:%u", ip, ntohs(in6->sin6_port));
	} else {
		snprintf(buf, cap, "local");
	}
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	if (a->ss_family == AF_INET6)
		return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			&((const struct sockaddr_in6 *)b)->sin6_addr, 16);
	return true;
}

/* Make room for a newcomer: the oldest that has not logged in gives way, of its own peer first. */
static void limit_logins(struct conn *newcomer)
{
	struct node_loop *nl = node_loop(newcomer);
	uint32_t per_loop = LOGINS_PENDING_MAX / loops_count(newcomer->entity->loops) + 1;
	uint32_t per_peer = LOGINS_PENDING_PER_PEER / loops_count(newcomer->entity->loops) + 1,
		 n = 0;
	struct conn *c, *oldest = NULL;

	if (nl->nlogins > per_peer) {
		list_for_each (c, &nl->logins, struct conn, login_link) {
			if (!same_host(&c->remote, &newcomer->remote))
				continue;
			if (!oldest)
				oldest = c;
			n++;
		}
		if (n <= per_peer)
			oldest = NULL;
	}
	if (!oldest && nl->nlogins > per_loop)
		oldest = list_first(&nl->logins, struct conn, login_link);
	if (oldest)
		conn_close(oldest, "too many connections that have not logged in");
}

static void timer_fired(struct loop_timer *t)
{
	struct conn *conn = container_of(t, struct conn, timer);

	if (conn->keeps)
		recover_end(conn);
	else if (conn->state == CONN_XPT_UP || conn->state == CONN_IN_LOGIN)
		conn_close(conn, "the login took too long");
	else if (conn->logging_out)
		logout_finish(conn);
	else if (conn->state == CONN_LOGOUT_REQUESTED && !conn->close_after_send)
		logout_overdue(conn);
	else if (conn->state == CONN_IN_LOGOUT || conn->close_after_send)
		conn_close(conn, "the initiator does not take what is sent");
	else
		nop_ping(conn);
}

void conn_start(struct entity *entity, struct listener *listener, struct loop *loop, int fd)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	struct node_loop *nl = &entity->per_loop[loop_index(loop)];

	if (!conn || atomic_load(&entity->nconns) >= CONNS_MAX || atomic_load(&entity->stopping)) {
		free(conn);
		loop_close(loop, fd);
		return;
	}
	atomic_fetch_add(&entity->nconns, 1);
	loop_load_add(loop, 1);
	conn->entity = entity;
	conn->listener = listener;
	conn->inlet = inlet_ref(listener->inlet);
	conn->loop = loop;
	conn->fd = fd;
	conn->id = atomic_fetch_add(&entity->next_conn_id, 1);
	conn->max_recv = LOGIN_DATA_SEGMENT_BYTES_MAX;
	conn->max_xmit = LOGIN_DATA_SEGMENT_BYTES_MAX;
	conn->timer.fire = timer_fired;
	list_init(&conn->loop_link);
	list_init(&conn->login_link);
	list_init(&conn->sess_link);
	list_init(&conn->wait_link);
	list_init(&conn->turns);
	list_init(&conn->turns_link);
	list_init(&conn->arrivals);
	list_init(&conn->failed_link);
	list_init(&conn->recovers);
	list_init(&conn->reassigns);
	conn->extents.most = CONN_EXTENTS_MAX;
	hash_init(&conn->tasks);
	for (unsigned i = 0; i < CONN_ENDED_ITTS; i++)
		conn->ended_itts[i] = TAG_RESERVED;
	tx_init(conn);
	fence_init(conn);
	list_init(&conn->tmfs);
	(void)loops_peername(entity->loops, fd, &conn->remote);
	(void)loops_sockname(entity->loops, fd, &conn->local);
	conn_address_text(&conn->remote, conn->peer, sizeof(conn->peer));
	conn->host = hosts_enter(&entity->hosts, &conn->remote, &conn->over_limit);
	list_push_back(&nl->conns, &conn->loop_link);
	list_push_back(&nl->logins, &conn->login_link);
	nl->nlogins++;
	conn_event(conn, EV_ACCEPTED);
	loop_timer_arm(loop, &conn->timer, atomic_load(&entity->login_timeout_s) * NS_PER_S);
	limit_logins(conn);
	rx_start(conn);
}

static void leave_logins(struct conn *conn)
{
	if (!list_linked(&conn->login_link))
		return;
	list_del(&conn->login_link);
	node_loop(conn)->nlogins--;
}

/* The last Login Response is queued: from the next PDU on it is the Full Feature Phase. */
static void conn_enter_ffp(struct conn *conn)
{
	const struct keys_values *v = login_values(conn->login);

	leave_logins(conn);
	loop_timer_disarm(conn->loop, &conn->timer);
	conn->max_recv = v->conn.max_recv_data_segment_length;
	conn->max_xmit = v->conn.max_xmit_data_segment_length;
	conn->listener = NULL;
	conn->last_rx_ns = loop_now_ns(conn->loop);
	retain_start(conn);
	task_data_start(conn);
	if (conn->sess->node.nopin_timeout)
		loop_timer_arm(conn->loop, &conn->timer, conn->sess->node.nopin_timeout * NS_PER_S);
}

/*
 * ---- end
 * ------------------------------------------------------------------------------------------
 */

/* After a logout or a refused login nothing more is received. */
static void conn_stop_receiving(struct conn *conn)
{
	conn->rx.stopped = true;
}

void conn_close_when_sent(struct conn *conn)
{
	if (conn->closing)
		return;
	conn->close_after_send = true;
	/* A peer that does not read is not waited for. */
	loop_timer_arm(conn->loop, &conn->timer, 5 * NS_PER_S);
	if (tx_idle(conn))
		conn_close(conn, NULL);
}

void conn_close(struct conn *conn, const char *why_fmt, ...)
{
	va_list ap;

	if (conn->closing)
		return;
	if (why_fmt) {
		va_start(ap, why_fmt);
		vsnprintf(conn->close_why, sizeof(conn->close_why), why_fmt, ap);
		va_end(ap);
		conn_log(conn, LOG_LEVEL_INFO, conn->close_why);
		if (conn->login && !conn->close_after_send)
			login_log_closed(conn, conn->close_why);
		if (conn->sess)
			sess_set_error(conn->sess, conn->close_why);
	}
	conn->closing = true;
	conn_event(conn, EV_CLOSE);
}

/* RFC 7143 7.1.4.4, 11.14.1: at levels below 2 its tasks end with the connection. */
static void abort_tasks(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, abort);

	task_abort_all(conn);
	conn_reap(conn);
}

static void conn_cleanup(struct conn *conn)
{
	leave_logins(conn);
	loop_timer_disarm(conn->loop, &conn->timer);
	loop_timer_disarm(conn->loop, &conn->data_timer);
	loop_timer_disarm(conn->loop, &conn->rx.resync);
	loop_timer_disarm(conn->loop, &conn->retain.timer);
	loop_shutdown(conn->loop, conn->fd);
	if (loop_op_busy(&conn->rx.op))
		loop_cancel(conn->loop, &conn->rx.op);
	recover_begin(conn);
	fence_conn_gone(conn);
	tx_drop(conn);
	login_stop_waiting(conn);
	if (conn->sess && !conn->left_sess) {
		conn->left_sess = true;
		dropped_tell(conn);
		sess_conn_gone(conn->sess, conn);
		/* Not from inside of what the engine has called. */
		if (!conn->keeps) {
			conn->abort.fn = abort_tasks;
			loop_post(conn->loop, &conn->abort);
		}
	}
	conn_reap(conn);
}

static void conn_free_msg(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, reap);
	struct entity *entity = conn->entity;

	if (loop_op_busy(&conn->rx.op) || conn->tx.batch || conn->rx.in_pdu ||
		loop_msg_queued(&conn->tx.flush))
		return;
	recover_quiet(conn);
	if (conn->ntasks || loop_msg_queued(&conn->abort) || conn->pins || conn->turns_posted ||
		conn->waiting || loop_msg_queued(&conn->reap))
		return;
	recover_gone(conn);
	if (conn->visits)
		return;
	rx_done(conn);
	text_done(conn);
	login_free(conn->login);
	free(conn->login_data);
	free(conn->login_reply);
	join_done(conn);
	hash_done(&conn->tasks);
	if (conn->sess)
		sess_unref(conn->sess);
	redirect_conn_ended(conn);
	list_del(&conn->loop_link);
	loop_close(loop, conn->fd);
	loop_load_add(loop, -1);
	hosts_leave(&entity->hosts, conn->host);
	atomic_fetch_sub(&entity->nconns, 1);
	free(conn);
}

void conn_reap(struct conn *conn)
{
	struct task *task = conn->rx.task;

	if (!conn->closing)
		return;
	/* What was coming in for a task comes no more. */
	if (task && !loop_op_busy(&conn->rx.op) && !conn->rx.in_pdu) {
		conn->rx.task = NULL;
		task->receiving = false;
		if (task->state == TASK_RECEIVING)
			task_kill(task);
		else
			task_unuse(task);
	}
	if (!loop_msg_queued(&conn->reap)) {
		conn->reap.fn = conn_free_msg;
		loop_defer(conn->loop, &conn->reap);
	}
}

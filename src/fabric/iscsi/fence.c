/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fence.c: response fences (RFC 7143 4.2.2.3.3). The fences of a session come one after the other.
 * One has three parts: wait until all connections have everything acknowledged; send its answer,
 * and wait until that is; let go of what was held meanwhile. Acknowledgements are asked for with
 * pings.
 */
#include "fabric/iscsi/fence.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "engine/cmd.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"

struct fence {
	struct list link; /* in sess->fences */
	struct sess *sess; /* ref */
	struct conn *conn; /* where its answer goes, pinned; it all happens on its loop */
	struct tx_item *item; /* the answer, until it is sent or the connection is closed */
	uint32_t number;
	bool answered;
	_Atomic unsigned missing; /* acknowledgements */
	struct loop_msg msg; /* the last of them has come */
	struct sess_visit visit;
};

static void phase_over(struct fence *f);

/* ---- sending --------------------------------------------------------------------------------- */

static void let_go(struct conn *conn, struct tx_item *item)
{
	if (item->task)
		tx_send_task(conn, item->task);
	else
		tx_send(conn, container_of(item, struct tx_pdu, item));
}

static void hold(struct conn *conn, struct tx_item *item, uint32_t number)
{
	item->fence = number;
	list_push_back(&conn->fence.held, &item->link);
	/* What commands tell anyway is not acknowledged: that is no initiator. */
	if (++conn->fence.nheld > FENCE_HELD_MAX)
		conn_close(conn, "its initiator does not acknowledge responses");
}

/* What came before the next fence: up to `passed` they have gone. */
static void release(struct conn *conn, uint32_t passed)
{
	struct tx_item *item;

	if (sna_lt(conn->fence.passed, passed))
		conn->fence.passed = passed;
	while ((item = list_first(&conn->fence.held, struct tx_item, link)) &&
		sna_le(item->fence, passed)) {
		list_del(&item->link);
		conn->fence.nheld--;
		let_go(conn, item);
	}
}

/* ---- acknowledgements ------------------------------------------------------------------------ */

/* One less is missing. Any loop. */
static void came(struct fence *f)
{
	if (atomic_fetch_sub(&f->missing, 1) == 1)
		loop_post(f->conn->loop, &f->msg);
}

static void last_came(struct loop *loop, struct loop_msg *msg)
{
	phase_over(container_of(msg, struct fence, msg));
}

void fence_forgo(struct conn *conn)
{
	struct fence *f = conn->fence.waits;

	if (!f)
		return;
	conn->fence.waits = NULL;
	loop_timer_disarm(conn->loop, &conn->fence.timer);
	came(f);
}

void fence_acked(struct conn *conn)
{
	if (conn->fence.waits && conn->fence.marked && sna_le(conn->fence.statsn, conn->exp_statsn))
		fence_forgo(conn);
}

/* The ping is on its way behind all that was to be waited for. */
static void ping_sent(struct conn *conn, struct tx_pdu *p)
{
	if (!conn->fence.waits || conn->closing)
		return;
	conn->fence.marked = true;
	conn->fence.statsn = p->statsn;
	fence_acked(conn);
}

/* Nothing that came has told enough. */
static void ask_again(struct loop_timer *t)
{
	struct conn *conn = container_of(t, struct conn, fence.timer);

	if (loop_now_ns(conn->loop) - conn->fence.since_ns < FENCE_ACK_NS) {
		loop_timer_arm(conn->loop, t, FENCE_PING_NS);
		if (conn->fence.marked)
			nop_solicit(conn, NULL);
		return;
	}
	sess_count_error(conn->sess, SESS_CONNECTION_ERROR);
	conn_close(conn, "its initiator does not acknowledge responses");
}

/* Wait until all that this connection has sent and is to send is acknowledged. */
static void wait_for(struct fence *f, struct conn *conn)
{
	if (conn->closing || conn->close_after_send || conn->logging_out)
		return;
	if (tx_idle(conn) && conn->exp_statsn == conn->statsn)
		return;
	atomic_fetch_add(&f->missing, 1);
	conn->fence.waits = f;
	conn->fence.marked = false;
	conn->fence.since_ns = loop_now_ns(conn->loop);
	loop_timer_arm(conn->loop, &conn->fence.timer, FENCE_PING_NS);
	nop_solicit(conn, ping_sent);
}

/* ---- the parts of a fence -------------------------------------------------------------------- */

static void visit_wait(struct sess_visit *v, struct conn *conn)
{
	wait_for(container_of(v, struct fence, visit), conn);
}

static void visit_waited(struct sess_visit *v)
{
	came(container_of(v, struct fence, visit));
}

static void start(struct fence *f)
{
	atomic_store(&f->missing, 1);
	f->visit = (struct sess_visit){
		.fn = visit_wait, .done = visit_waited, .loop = f->conn->loop
	};
	sess_visit(f->sess, &f->visit);
}

static void visit_release(struct sess_visit *v, struct conn *conn)
{
	struct fence *f = container_of(v, struct fence, visit);

	release(conn, f->number);
}

/* It is over: the next one may begin, wherever its connection is. */
static void visit_released(struct sess_visit *v)
{
	struct fence *f = container_of(v, struct fence, visit), *next;
	struct conn *conn = f->conn;
	struct sess *sess = f->sess;

	pthread_mutex_lock(&sess->lock);
	list_del(&f->link);
	next = list_first(&sess->fences, struct fence, link);
	pthread_mutex_unlock(&sess->lock);
	free(f);
	if (next)
		start(next);
	conn->pins--;
	if (conn->closing)
		conn_reap(conn);
	else
		logout_go_on(conn);
	sess_unref(sess);
}

static void phase_over(struct fence *f)
{
	if (!f->answered && f->item) {
		struct tx_item *item = f->item;

		f->answered = true;
		f->item = NULL;
		let_go(f->conn, item);
		atomic_store(&f->missing, 1);
		wait_for(f, f->conn);
		came(f);
		return;
	}
	pthread_mutex_lock(&f->sess->lock);
	f->sess->fence_passed = f->number;
	pthread_mutex_unlock(&f->sess->lock);
	f->visit = (struct sess_visit){
		.fn = visit_release, .done = visit_released, .loop = f->conn->loop
	};
	sess_visit(f->sess, &f->visit);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void fence_begin(struct fence *f, struct conn *conn, struct tx_item *item)
{
	struct sess *sess = conn->sess;
	bool first;

	f->sess = sess;
	f->conn = conn;
	f->item = item;
	f->msg.fn = last_came;
	sess_ref(sess);
	conn->pins++;
	pthread_mutex_lock(&sess->lock);
	first = list_empty(&sess->fences);
	f->number = atomic_fetch_add(&sess->fence_last, 1) + 1;
	list_push_back(&sess->fences, &f->link);
	pthread_mutex_unlock(&sess->lock);
	if (first)
		start(f);
}

/*
 * Whether something has to wait. A connection that has joined while there were fences, or has not
 * been told of the end of one yet, looks at the session.
 */
static bool has_to_wait(struct conn *conn, uint32_t *ret_number)
{
	struct sess *sess = conn->sess;
	uint32_t last = atomic_load(&sess->fence_last), passed;

	*ret_number = last;
	if (last == conn->fence.passed)
		return false;
	pthread_mutex_lock(&sess->lock);
	passed = sess->fence_passed;
	pthread_mutex_unlock(&sess->lock);
	if (last != passed || conn->fence.nheld)
		return true;
	conn->fence.passed = passed;
	return false;
}

static void answer(struct conn *conn, struct tx_item *item, bool fenced)
{
	struct fence *f = NULL;
	uint32_t number;

	if (fenced && !conn->closing && sess_has_several(conn->sess)) {
		f = calloc(1, sizeof(*f));
		if (f)
			fence_begin(f, conn, item);
		else
			conn_close(conn, "out of memory");
	}
	if (f)
		return;
	if (!conn->closing && has_to_wait(conn, &number))
		hold(conn, item, number);
	else
		let_go(conn, item);
}

void fence_send_task(struct conn *conn, struct task *task)
{
	task->sending = true;
	task->tx.task = task;
	answer(conn, &task->tx, task->cmd->fenced);
}

void fence_send(struct conn *conn, struct tx_pdu *p, bool fenced)
{
	answer(conn, &p->item, fenced);
}

/* ---- life ------------------------------------------------------------------------------------ */

void fence_init(struct conn *conn)
{
	list_init(&conn->fence.held);
	conn->fence.timer.fire = ask_again;
}

/* The answers of fences that are not over. */
static void drop_answers(struct conn *conn)
{
	struct sess *sess = conn->sess;
	struct list mine = LIST_INIT(mine);
	struct fence *f;
	struct list *n;

	pthread_mutex_lock(&sess->lock);
	list_for_each (f, &sess->fences, struct fence, link) {
		if (f->conn != conn || !f->item)
			continue;
		list_push_back(&mine, &f->item->link);
		f->item = NULL;
	}
	pthread_mutex_unlock(&sess->lock);
	while ((n = list_pop_front(&mine)))
		let_go(conn, container_of(n, struct tx_item, link));
}

void fence_conn_gone(struct conn *conn)
{
	if (!conn->sess)
		return;
	fence_forgo(conn);
	release(conn, atomic_load(&conn->sess->fence_last));
	drop_answers(conn);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* retain.c: PDUs and commands between their being sent and their being acknowledged. */
#include "fabric/iscsi/retain.h"

#include "engine/cmd.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/task.h"
#include "fabric/iscsi/tx.h"

static void ask_again(struct loop_timer *t)
{
	struct conn *conn = container_of(t, struct conn, retain.timer);

	if (conn->retain.slots || conn->ping_sent)
		nop_ask_ack(conn);
}

void retain_pinged(struct conn *conn)
{
	if (!conn->closing)
		loop_timer_arm(conn->loop, &conn->retain.timer, RETAIN_ASK_NS);
}

void retain_init(struct conn *conn)
{
	conn->retain.timer.fire = ask_again;
	list_init(&conn->retain.items);
}

void retain_start(struct conn *conn)
{
	conn->retain.on = conn->sess->params.error_recovery_level > 0;
	conn->retain.acked = conn->statsn;
}

/*
 * ---- commands and the window
 * ----------------------------------------------------------------------
 */

bool retain_answered(struct conn *conn, struct task *task)
{
	struct retain *r = &conn->retain;
	bool room = r->tasks < conn->sess->depth && r->task_bytes < RETAIN_TASK_BYTES;

	task->retained = true;
	r->tasks++;
	r->task_bytes += task->cmd->in.bytes;
	if (!room && task->in_window) {
		task->slot_kept = true;
		r->slots++;
	}
	return !task->slot_kept;
}

void retain_forget(struct conn *conn, struct task *task)
{
	struct retain *r = &conn->retain;

	if (!task->retained)
		return;
	task->retained = false;
	r->tasks--;
	r->task_bytes -= task->cmd->in.bytes;
	if (task->slot_kept)
		r->slots--;
	task->slot_kept = false;
}

/*
 * ---- the list
 * ------------------------------------------------------------------------------------
 */

static struct tx_pdu *pdu_of(struct tx_item *item)
{
	return container_of(item, struct tx_pdu, item);
}

static void let_go(struct conn *conn, struct tx_item *item)
{
	if (item->holds || item->kept)
		return;
	if (item->kind == TX_TASK)
		task_unuse(item->task);
	else
		tx_pdu_free(conn, pdu_of(item));
}

static void remove(struct conn *conn, struct tx_item *item)
{
	struct retain *r = &conn->retain;

	list_del(&item->link);
	item->kept = false;
	if (item->kind == TX_PDU) {
		r->pdus--;
		r->pdu_bytes -= pdu_of(item)->data_bytes;
	}
	let_go(conn, item);
}

void retain_unhold(struct conn *conn, struct tx_item *item)
{
	item->holds--;
	/* While it is on its way for the first time, its being sent sees to the rest. */
	if (!item->kept && !list_linked(&item->link))
		let_go(conn, item);
}

/* Plain PDUs beyond the bounds: the oldest. */
static void forget_oldest(struct conn *conn)
{
	struct retain *r = &conn->retain;
	struct tx_item *item, *tmp;

	list_for_each_safe (item, tmp, &r->items, struct tx_item, link) {
		if (r->pdus <= RETAIN_PDUS_MAX && r->pdu_bytes <= RETAIN_PDU_BYTES)
			return;
		if (item->kind == TX_PDU)
			remove(conn, item);
	}
}

void retain_sent(struct conn *conn, struct tx_item *item)
{
	struct retain *r = &conn->retain;

	if (sna_lt(item->statsn, r->acked)) {
		let_go(conn, item);
		return;
	}
	item->kept = true;
	list_push_back(&r->items, &item->link);
	if (item->kind == TX_PDU) {
		r->pdus++;
		r->pdu_bytes += pdu_of(item)->data_bytes;
		if (r->pdus > RETAIN_PDUS_MAX || r->pdu_bytes > RETAIN_PDU_BYTES)
			forget_oldest(conn);
	} else if (r->slots && !loop_timer_armed(&r->timer)) {
		/* It may have no place in the window for a command that would acknowledge. */
		nop_ask_ack(conn);
	}
}

void retain_ack(struct conn *conn, uint32_t exp_statsn)
{
	struct retain *r = &conn->retain;
	uint32_t slots = r->slots;
	struct tx_item *item;

	/* Neither what was acknowledged already nor what was never sent. */
	if (!sna_lt(r->acked, exp_statsn) || sna_lt(conn->statsn, exp_statsn))
		return;
	r->acked = exp_statsn;
	while ((item = list_first(&r->items, struct tx_item, link)) &&
		sna_lt(item->statsn, exp_statsn))
		remove(conn, item);
	/* The window opens, and no answer is to come that would tell. */
	if (r->slots < slots && r->tasks == conn->ntasks)
		nop_ask_ack(conn);
}

/* Returns how many there were. */
static uint32_t again(struct conn *conn, struct list *items, uint32_t from, uint32_t to)
{
	struct tx_item *item;
	uint32_t n = 0;

	list_for_each (item, items, struct tx_item, link) {
		if (!tx_has_statsn(item) || sna_lt(item->statsn, from) || !sna_lt(item->statsn, to))
			continue;
		n++;
		if (!tx_status_again(conn, item))
			break;
	}
	return n;
}

bool retain_again(struct conn *conn, uint32_t from, uint32_t to)
{
	struct list *in_flight = tx_in_flight(conn);
	uint32_t n = again(conn, &conn->retain.items, from, to);

	if (in_flight && !conn->closing)
		n += again(conn, in_flight, from, to);
	return n == to - from;
}

/* The newest, should a tag have been used twice before an acknowledgement. */
static struct task *newest(struct list *items, uint32_t itt)
{
	struct task *found = NULL;
	struct tx_item *item;

	list_for_each (item, items, struct tx_item, link)
		if (item->kind == TX_TASK && item->task->itt == itt &&
			item->task->state != TASK_DEAD)
			found = item->task;
	return found;
}

struct task *retain_find_task(struct conn *conn, uint32_t itt)
{
	struct list *in_flight = tx_in_flight(conn);
	struct task *task = in_flight ? newest(in_flight, itt) : NULL;

	return task ? task : newest(&conn->retain.items, itt);
}

void retain_take(struct conn *conn, struct task *task)
{
	list_del(&task->tx.link);
	task->tx.kept = false;
}

/*
 * ---- endings
 * -------------------------------------------------------------------------------------
 */

static void drop(struct conn *conn, bool tasks, bool pdus)
{
	struct tx_item *item, *tmp;

	list_for_each_safe (item, tmp, &conn->retain.items, struct tx_item, link)
		if (item->kind == TX_TASK ? tasks : pdus)
			remove(conn, item);
}

void retain_stop(struct conn *conn)
{
	conn->retain.on = false;
	drop(conn, true, false);
}

void retain_drop(struct conn *conn)
{
	drop(conn, true, true);
}

void retain_drop_pdus(struct conn *conn)
{
	drop(conn, false, true);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fence.h: answers that no other answer of the session may overtake or be overtaken by, on whatever
 * connection it goes (RFC 7143 4.2.2.3): all that was sent before is acknowledged before such a one
 * is sent, and it is acknowledged before anything that comes after.
 *
 * Which they are is told by the engine (cmd->fenced) and by what answers task management functions
 * that are about more than one task (4.2.2.3.4). Sessions with one connection need no fences, and
 * those pay nothing for them. All of it is on the connection's loop.
 */
#ifndef ULIO_FABRIC_ISCSI_FENCE_H
#define ULIO_FABRIC_ISCSI_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"

struct conn;
struct fence;
struct sess;
struct task;
struct tx_pdu;

/* What a connection has of it. */
struct conn_fence {
	struct list held; /* struct tx_item: they go out when the fences before them have gone */
	uint32_t nheld;
	uint32_t passed; /* fences up to this one are no reason to hold anything here any more */
	struct fence *waits; /* for what this connection's initiator has not acknowledged yet */
	bool marked; /* StatSNs before `statsn` are it */
	uint32_t statsn;
	uint64_t since_ns; /* it waits */
	struct loop_timer timer; /* for the next ping */
};

void fence_init(struct conn *conn);
/* Send the status of a task when fences allow. */
void fence_send_task(struct conn *conn, struct task *task);
/* The same for a response of task management, which may be a fenced one. Takes ownership. */
void fence_send(struct conn *conn, struct tx_pdu *p, bool fenced);
/* ExpStatSN has come. */
void fence_acked(struct conn *conn);
/* No more is acknowledged on this connection: it is logged out. */
void fence_forgo(struct conn *conn);
/* It is being closed: what it holds goes the way of what is queued to be sent. */
void fence_conn_gone(struct conn *conn);

#endif

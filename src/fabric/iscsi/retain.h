/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retain.h: what was sent and not acknowledged yet, kept so that it can be sent again (RFC 7143
 * 4.2.2.2, 7.2.2, 11.16): everything that has a StatSN, commands with their Data-In. Nothing is
 * kept at ErrorRecoveryLevel 0. Loop: the connection's.
 *
 * Bounds: the place of a command in the window is free again only when its status is acknowledged,
 * once RETAIN_TASK_BYTES or as many commands as the window has are kept. The initiator may have
 * nothing to send then, and does not hear of a window that has opened: pings see to both, and are
 * repeated, as one may get lost. Of other PDUs the oldest are forgotten beyond RETAIN_PDUS_MAX
 * and RETAIN_PDU_BYTES.
 */
#ifndef ULIO_FABRIC_ISCSI_RETAIN_H
#define ULIO_FABRIC_ISCSI_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"

struct conn;
struct task;
struct tx_item;

struct retain {
	bool on; /* ErrorRecoveryLevel is above 0 */
	struct list items; /* struct tx_item by link, by rising StatSN: they have been sent */
	uint32_t acked; /* the ExpStatSN that is in force */
	uint32_t pdus; /* in the list, that are no commands; and their data */
	uint64_t pdu_bytes;
	uint32_t tasks; /* that have a status, and it is not acknowledged; and their Data-In */
	uint64_t task_bytes;
	uint32_t slots; /* of those, that still have their place in the window */
	struct loop_timer timer; /* the next ping, while one has no answer or a slot is kept */
};

void retain_init(struct conn *conn);
/* The Full Feature Phase begins. */
void retain_start(struct conn *conn);
/* The engine has ended a command: true if its place in the window is free now. */
bool retain_answered(struct conn *conn, struct task *task);
/* The task is freed. */
void retain_forget(struct conn *conn, struct task *task);
/* It has been sent, with a StatSN: keep it. */
void retain_sent(struct conn *conn, struct tx_item *item);
/* An ExpStatSN has come: let go of what it acknowledges. */
void retain_ack(struct conn *conn, uint32_t exp_statsn);
/* A ping is on its way, which may get lost. */
void retain_pinged(struct conn *conn);
/* One use of it less; it may be gone after that. */
void retain_unhold(struct conn *conn, struct tx_item *item);

/* Send again what has StatSNs [from, to). False: some of it was forgotten. */
bool retain_again(struct conn *conn, uint32_t from, uint32_t to);
/* The command of that tag which has its status and waits for the acknowledgement. */
struct task *retain_find_task(struct conn *conn, uint32_t itt);
/* Take it off the list; it is the caller's then. */
void retain_take(struct conn *conn, struct task *task);

/* A logout: commands are over, acknowledged or not, and nothing is kept any more. */
void retain_stop(struct conn *conn);
/* The connection has ended: forget all; or all but commands. */
void retain_drop(struct conn *conn);
void retain_drop_pdus(struct conn *conn);

#endif

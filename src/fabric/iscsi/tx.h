/* SPDX-License-Identifier: BSD-3-Clause */
/* tx.h: the send side, for those that keep what was sent and send it again. */
#ifndef ULIO_FABRIC_ISCSI_TX_H
#define ULIO_FABRIC_ISCSI_TX_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct list;
struct node_loop;
struct task;
struct tx_item;
struct tx_pdu;

/*
 * Send again what was sent (snack.c, ErrorRecoveryLevel above 0), after what is queued:
 *	tx_status_again	what has a StatSN, with that StatSN
 *	tx_data_again	Data-In PDUs [from, to) of the task, by DataSN, as they were
 *	tx_all_again	its Data-In from task->datasn on, then its status, after datain_rewind()
 * Returns false when there is no memory: the connection is closed then.
 */
bool tx_status_again(struct conn *conn, struct tx_item *item);
bool tx_data_again(struct conn *conn, struct task *task, uint32_t from, uint32_t to);
bool tx_all_again(struct conn *conn, struct task *task);
/* Data-In of the task that were queued to be sent again: no more. */
void tx_no_more_again(struct conn *conn, struct task *task);
/* What is being sent, as a list of struct tx_item; NULL: nothing. */
struct list *tx_in_flight(struct conn *conn);
/* It has, or is to be given, a StatSN of its own. */
bool tx_has_statsn(const struct tx_item *item);
void tx_pdu_free(struct conn *conn, struct tx_pdu *p);

/* Free what was kept for reuse; no connection is left. */
void tx_free_batches(struct node_loop *nl);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* tx.h: memory of the send side that outlives connections. */
#ifndef ULIO_FABRIC_ISCSI_TX_H
#define ULIO_FABRIC_ISCSI_TX_H

struct node_loop;

/* Free what was kept for reuse; no connection is left. */
void tx_free_batches(struct node_loop *nl);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txq.h: PDUs waiting to be sent on one connection. All that are ready leave in one sendmsg; data
 * segments are sent from where they lie.
 */
#ifndef ULIO_BENCH_TXQ_H
#define ULIO_BENCH_TXQ_H

#include "bench/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct tx_pdu {
	struct bhs h;
	const void *data; /* borrowed until sent, or owned: see flags */
	uint32_t bytes; /* of data, padding included */
	uint32_t flags;
};

enum { TXQ_OWNED = 1 }; /* data is freed once sent */

struct txq {
	struct tx_pdu *ring; /* cap entries, a power of two */
	uint32_t cap;
	uint32_t head, tail; /* free running */
	size_t sent; /* bytes of the first PDU that are gone already */
};

void txq_init(struct txq *q);
void txq_done(struct txq *q);

static inline uint32_t txq_count(const struct txq *q)
{
	return q->tail - q->head;
}

/*
 * Append a PDU and return its header, zeroed but for DataSegmentLength, to be filled in before the
 * next call.
 *   data	bytes to send behind it, rounded up to 4 by the caller's buffer; stays until sent
 *   bytes	length without padding
 *   flags	TXQ_OWNED: from malloc, freed when sent
 */
struct bhs *txq_push(struct txq *q, const void *data, uint32_t bytes, uint32_t flags);

/* Send what the socket takes now. 0, also when something is left; -errno when the peer is gone. */
int txq_flush(struct txq *q, int fd);

#endif

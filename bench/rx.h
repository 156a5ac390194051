/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx.h: bytes of one connection cut into PDUs. Many small PDUs are taken by one recv; the data of
 * large ones is received straight to where it belongs, or dropped inside the kernel.
 */
#ifndef ULIO_BENCH_RX_H
#define ULIO_BENCH_RX_H

#include "bench/wire.h"

#include <stdbool.h>

/* What is to be done with a large data segment. */
enum rx_place {
	RX_WHOLE, /* keep it in the receive buffer until it is complete */
	RX_INTO, /* receive it straight into *ret_into */
	RX_DROP, /* throw it away unseen */
};

struct rx_ops {
	/* Asked for a data segment of which a part is still to come. */
	enum rx_place (*place)(void *ctx, const struct bhs *h, uint32_t bytes, void **ret_into);
	/*
	 * One complete PDU. data is in the receive buffer, or what place() gave, or NULL if dropped
	 * or absent. 0, or -errno to end the connection.
	 */
	int (*pdu)(void *ctx, const struct bhs *h, const void *data, uint32_t bytes);
};

struct rx {
	uint8_t *buf;
	uint32_t cap, head, tail;
	bool large; /* the last PDU was large: fetch the next header alone */
	enum rx_place state; /* RX_WHOLE while nothing is being placed */
	struct bhs cur; /* header of the segment that is being placed */
	uint8_t *into; /* RX_INTO: its start */
	uint32_t bytes, left; /* length of it, bytes still to come */
};

void rx_init(struct rx *rx);
void rx_done(struct rx *rx);

/*
 * Receive once. Bytes received, 0 if there are none now, -ECONNRESET at the end of the stream, else
 * -errno.
 *   flags	MSG_DONTWAIT or 0
 */
long rx_fill(struct rx *rx, int fd, int flags);

/* Hand on all PDUs that are complete. 0 or the error of ops->pdu, -EPROTO if that is no PDU. */
int rx_parse(struct rx *rx, const struct rx_ops *ops, void *ctx);

#endif

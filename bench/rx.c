/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx.c: bytes of one connection cut into PDUs. See rx.h.
 */
#include "bench/rx.h"
#include "bench/limits.h"
#include "bench/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	RX_LARGE = 16384, /* data segments from here on are placed, not copied */
	RX_BATCH = 131072, /* most that one receive takes into the buffer */
	RX_AHS_MAX = 255 * 4,
	RX_CAP = sizeof(struct bhs) + RX_AHS_MAX + BENCH_MRDSL + 65536,
};

void rx_init(struct rx *rx)
{
	memset(rx, 0, sizeof(*rx));
	rx->cap = RX_CAP;
	rx->buf = xalloc(rx->cap);
}

void rx_done(struct rx *rx)
{
	free(rx->buf);
	rx->buf = NULL;
}

/* Where the next bytes go: the rest of a placed segment, then the buffer. */
static int rx_targets(struct rx *rx, struct iovec *iov)
{
	int n = 0;

	if (rx->state == RX_INTO) {
		iov[n].iov_base = rx->into + (rx->bytes - rx->left);
		iov[n++].iov_len = rx->left;
	}
	iov[n].iov_base = rx->buf + rx->tail;
	iov[n].iov_len = rx->cap - rx->tail < RX_BATCH ? rx->cap - rx->tail : RX_BATCH;
	/* After large ones a large one follows: do not swallow its data with its header. */
	if (rx->large && rx->tail - rx->head < sizeof(struct bhs))
		iov[n].iov_len = sizeof(struct bhs) - (rx->tail - rx->head);
	return n + 1;
}

long rx_fill(struct rx *rx, int fd, int flags)
{
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	do {
		if (rx->state == RX_DROP) {
			n = recv(fd, NULL, rx->left, flags | MSG_TRUNC);
		} else {
			m.msg_iovlen = (size_t)rx_targets(rx, iov);
			n = recvmsg(fd, &m, flags);
		}
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (rx->state != RX_WHOLE) {
		uint32_t placed = (size_t)n < rx->left ? (uint32_t)n : rx->left;

		rx->left -= placed;
		rx->tail += (uint32_t)n - placed;
	} else {
		rx->tail += (uint32_t)n;
	}
	return n;
}

/* Move what is left to the start of the buffer, so that a whole PDU fits behind it. */
static void rx_compact(struct rx *rx)
{
	if (rx->head == rx->tail) {
		rx->head = rx->tail = 0;
	} else if (rx->head) {
		memmove(rx->buf, rx->buf + rx->head, rx->tail - rx->head);
		rx->tail -= rx->head;
		rx->head = 0;
	}
}

/* Begin to place the data segment of the PDU at head, of which a part is in the buffer. */
static void rx_begin(struct rx *rx, enum rx_place how, void *into, uint32_t skip, uint32_t bytes)
{
	uint32_t have = rx->tail - rx->head - skip;

	rx->cur = *(const struct bhs *)(rx->buf + rx->head);
	rx->state = how;
	rx->into = into;
	rx->bytes = bytes;
	rx->left = bytes - have;
	if (how == RX_INTO)
		memcpy(into, rx->buf + rx->head + skip, have);
	rx->head = rx->tail = 0;
}

int rx_parse(struct rx *rx, const struct rx_ops *ops, void *ctx)
{
	for (;;) {
		const struct bhs *h = (const void *)(rx->buf + rx->head);
		uint32_t have = rx->tail - rx->head, skip, bytes, whole;
		enum rx_place how = RX_WHOLE;
		void *into = NULL;
		int r;

		if (rx->state != RX_WHOLE) {
			if (rx->left)
				return 0;
			into = rx->state == RX_INTO ? rx->into : NULL;
			rx->state = RX_WHOLE;
			r = ops->pdu(ctx, &rx->cur, into, rx->bytes);
			if (r)
				return r;
			continue;
		}
		if (have < sizeof(*h)) {
			rx_compact(rx);
			return 0;
		}
		skip = sizeof(*h) + h->ahs_words * 4u;
		bytes = be24_get(h->data_len);
		whole = skip + ((bytes + 3) & ~3u);
		if (bytes > BENCH_MRDSL)
			return -EPROTO;
		rx->large = bytes >= RX_LARGE;
		if (have < whole) {
			if (rx->large && have >= skip && bytes % 4 == 0)
				how = ops->place(ctx, h, bytes, &into);
			if (how == RX_WHOLE) {
				rx_compact(rx);
				rx->large = false; /* fetch the rest into the buffer */
				return 0;
			}
			rx_begin(rx, how, into, skip, bytes);
			continue;
		}
		r = ops->pdu(ctx, h, bytes ? rx->buf + rx->head + skip : NULL, bytes);
		if (r)
			return r;
		rx->head += whole;
	}
}

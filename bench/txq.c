/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * txq.c: PDUs waiting to be sent on one connection. See txq.h.
 */
#include "bench/txq.h"
#include "bench/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { TXQ_FIRST = 64, TXQ_IOVECS = 1024 }; /* the latter is Linux's UIO_MAXIOV */

static_assert(sizeof(struct tx_pdu) == 64, "one cache line");

void txq_init(struct txq *q)
{
	memset(q, 0, sizeof(*q));
	q->cap = TXQ_FIRST;
	q->ring = xalloc(q->cap * sizeof(*q->ring));
}

static void txq_drop_head(struct txq *q)
{
	struct tx_pdu *p = &q->ring[q->head & (q->cap - 1)];

	if (p->flags & TXQ_OWNED)
		free((void *)p->data);
	q->head++;
	q->sent = 0;
}

void txq_done(struct txq *q)
{
	while (txq_count(q))
		txq_drop_head(q);
	free(q->ring);
	q->ring = NULL;
}

static void txq_grow(struct txq *q)
{
	struct tx_pdu *ring = xalloc(2 * (size_t)q->cap * sizeof(*ring));
	uint32_t n = txq_count(q);

	for (uint32_t i = 0; i < n; i++)
		ring[i] = q->ring[(q->head + i) & (q->cap - 1)];
	free(q->ring);
	q->ring = ring;
	q->cap *= 2;
	q->head = 0;
	q->tail = n;
}

struct bhs *txq_push(struct txq *q, const void *data, uint32_t bytes, uint32_t flags)
{
	struct tx_pdu *p;

	if (txq_count(q) == q->cap)
		txq_grow(q);
	p = &q->ring[q->tail++ & (q->cap - 1)];
	memset(&p->h, 0, sizeof(p->h));
	p->h.data_len = be24_put(bytes);
	p->data = data;
	p->bytes = (bytes + 3) & ~3u;
	p->flags = flags;
	return &p->h;
}

/* Fill iov with what is to be sent next. Returns the number of entries and their bytes. */
static int txq_gather(const struct txq *q, struct iovec *iov, size_t *ret_bytes)
{
	size_t skip = q->sent, bytes = 0;
	int n = 0;

	for (uint32_t i = q->head; i != q->tail && n + 2 <= TXQ_IOVECS; i++) {
		struct tx_pdu *p = &q->ring[i & (q->cap - 1)];

		if (skip < sizeof(p->h)) {
			iov[n].iov_base = (uint8_t *)&p->h + skip;
			iov[n].iov_len = sizeof(p->h) - skip;
			bytes += iov[n++].iov_len;
			skip = 0;
		} else {
			skip -= sizeof(p->h);
		}
		if (p->bytes > skip) {
			iov[n].iov_base = (uint8_t *)(uintptr_t)p->data + skip;
			iov[n].iov_len = p->bytes - skip;
			bytes += iov[n++].iov_len;
		}
		skip = 0;
	}
	*ret_bytes = bytes;
	return n;
}

/* Take n sent bytes off the front. */
static void txq_consume(struct txq *q, size_t n)
{
	n += q->sent;
	while (txq_count(q)) {
		const struct tx_pdu *p = &q->ring[q->head & (q->cap - 1)];
		size_t whole = sizeof(p->h) + p->bytes;

		if (n < whole)
			break;
		n -= whole;
		txq_drop_head(q);
	}
	q->sent = n;
}

int txq_flush(struct txq *q, int fd)
{
	struct iovec iov[TXQ_IOVECS];

	while (txq_count(q)) {
		struct msghdr m = { .msg_iov = iov };
		size_t want;
		ssize_t n;

		m.msg_iovlen = (size_t)txq_gather(q, iov, &want);
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		txq_consume(q, (size_t)n);
		if ((size_t)n < want)
			return 0;
	}
	return 0;
}

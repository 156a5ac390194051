/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_link.c: iSNS messages over TCP. */
#include "fabric/iscsi/isns_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reap(struct loop *loop, struct loop_msg *msg)
{
	struct isns_link *l = container_of(msg, struct isns_link, reap);

	if (loop_op_busy(&l->rx) || loop_op_busy(&l->tx) || l->in_got)
		return;
	free(l->payload);
	free(l->out);
	free(l->next);
	l->payload = NULL;
	l->out = l->next = NULL;
	loop_close(loop, l->fd);
	l->fd = -1;
	l->ended(l);
}

static void reap_soon(struct isns_link *l)
{
	if (l->closing && !loop_msg_queued(&l->reap))
		loop_defer(l->loop, &l->reap);
}

void isns_link_close(struct isns_link *l, const char *why)
{
	if (l->closing || l->fd < 0)
		return;
	l->closing = true;
	snprintf(l->why, sizeof(l->why), "%s", why);
	loop_shutdown(l->loop, l->fd);
	if (loop_op_busy(&l->rx))
		loop_cancel(l->loop, &l->rx);
	if (loop_op_busy(&l->tx))
		loop_cancel(l->loop, &l->tx);
	reap_soon(l);
}

static void receive(struct isns_link *l)
{
	if (l->want)
		l->rx_iov = (struct iovec){ l->payload, l->want };
	else
		l->rx_iov = (struct iovec){ &l->header, sizeof(l->header) };
	loop_recv(l->loop, &l->rx, l->fd, &l->rx_iov, 1, LOOP_WAITALL);
}

/* 5.1: what cannot be a header of version 1 ends the connection: what follows cannot be read. */
static bool header_is_good(const struct isns_link *l)
{
	return be16_get(l->header.version) == ISNS_VERSION && !(be16_get(l->header.length) & 3);
}

static void deliver(struct isns_link *l)
{
	size_t n = be16_get(l->header.length);

	l->want = 0;
	l->in_got = true;
	l->got(l, &l->header, l->payload, n);
	l->in_got = false;
	if (l->closing)
		reap_soon(l);
	else
		receive(l);
}

static void received(struct loop_op *op, int res)
{
	struct isns_link *l = container_of(op, struct isns_link, rx);
	size_t asked = l->want ? l->want : sizeof(l->header);

	if (l->closing) {
		reap_soon(l);
	} else if (res < 0) {
		isns_link_close(l, strerror(-res));
	} else if ((size_t)res < asked) {
		isns_link_close(l, "it closed the connection");
	} else if (l->want) {
		deliver(l);
	} else if (!header_is_good(l)) {
		isns_link_close(l, "it does not speak iSNS version 1");
	} else {
		l->want = be16_get(l->header.length);
		if (l->want)
			receive(l);
		else
			deliver(l);
	}
}

static void transmit(struct isns_link *l, char *out, size_t n)
{
	l->out = out;
	l->tx_iov = (struct iovec){ out, n };
	loop_send(l->loop, &l->tx, l->fd, &l->tx_iov, 1);
}

static void sent(struct loop_op *op, int res)
{
	struct isns_link *l = container_of(op, struct isns_link, tx);
	char *next = l->next;

	free(l->out);
	l->out = NULL;
	if (l->closing) {
		reap_soon(l);
	} else if (res < 0) {
		isns_link_close(l, strerror(-res));
	} else if (next) {
		l->next = NULL;
		transmit(l, next, l->next_bytes);
	}
}

int isns_link_start(struct isns_link *l, struct loop *loop, int fd)
{
	l->payload = malloc(ISNS_PAYLOAD_BYTES_MAX);
	if (!l->payload) {
		loop_close(loop, fd);
		return -ENOMEM;
	}
	l->loop = loop;
	l->fd = fd;
	l->closing = false;
	l->want = 0;
	l->why[0] = '\0';
	l->rx.done = received;
	l->tx.done = sent;
	l->reap.fn = reap;
	receive(l);
	return 0;
}

bool isns_link_is_open(const struct isns_link *l)
{
	return l->payload && !l->closing;
}

bool isns_link_send(struct isns_link *l, struct strbuf *b)
{
	size_t n = b->len;
	char *out;

	if (!isns_link_is_open(l) || l->next || !isns_end(b))
		return false;
	out = strbuf_steal(b);
	if (!out)
		return false;
	if (loop_op_busy(&l->tx)) {
		l->next = out;
		l->next_bytes = n;
	} else {
		transmit(l, out, n);
	}
	return true;
}

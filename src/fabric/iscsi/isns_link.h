/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_link.h: one TCP connection that carries iSNS messages (RFC 4171 5.1), either way: read one
 * by one, sent one at a time. Everything here is for the loop that it belongs to.
 */
#ifndef ULIO_FABRIC_ISCSI_ISNS_LINK_H
#define ULIO_FABRIC_ISCSI_ISNS_LINK_H

#include "base/strbuf.h"
#include "fabric/iscsi/isns_pdu.h"
#include "loop/loop.h"

struct isns_link {
	/* A message came, whole; its payload is the link's. May close the link, not free it. */
	void (*got)(
		struct isns_link *l, const struct isns_header *h, const uint8_t *payload, size_t n);
	/* It is closed, and nothing of it is under way any more: the owner may free or start it. */
	void (*ended)(struct isns_link *l);
	char why[96]; /* it was closed */

	/* Private. */
	struct loop *loop;
	int fd; /* -1: none */
	struct loop_op rx, tx;
	struct iovec rx_iov, tx_iov;
	struct isns_header header;
	uint8_t *payload; /* ISNS_PAYLOAD_BYTES_MAX, owned */
	size_t want; /* bytes of the payload that are awaited; 0: a header is */
	char *out, *next; /* the message being sent, and the one after it; owned */
	size_t next_bytes;
	struct loop_msg reap;
	bool in_got, closing;
};

/* Carry on with a connected socket, which is the link's from now on. 0 or -ENOMEM: fd is closed. */
int isns_link_start(struct isns_link *l, struct loop *loop, int fd);
bool isns_link_is_open(const struct isns_link *l);
/*
 * Send a message; its text is taken. False: two are on their way already (the other end does not
 * read), it is too long, or memory ran out; then nothing is sent.
 */
bool isns_link_send(struct isns_link *l, struct strbuf *b);
/* End it; ended() comes later. why may be "". */
void isns_link_close(struct isns_link *l, const char *why);

#endif

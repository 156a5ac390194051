/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sock.h: the control socket: JSON-RPC lines over a Unix stream socket (ulio/control.h), served by
 * the control thread. A client that does not read holds up itself alone: its further requests wait
 * until it has taken the answers that it has. The control thread takes and sends; what is asked for
 * workers do: the requests of one client one after the other, those of several side by side.
 */
#ifndef ULIO_CONTROL_SOCK_H
#define ULIO_CONTROL_SOCK_H

#include "base/err.h"
#include "control/events.h"
#include "control/poller.h"
#include "control/rpc.h"
#include "control/jobs.h"

struct control_sock;

enum control_sock_kind {
	/*
	 * Mode 0600. Root and the user that the daemon runs as have the role of administrators;
	 * others, whom somebody lets open it (a group), may only read.
	 */
	CONTROL_SOCK_ADMIN,
	/* Mode 0666: everybody who can reach it may read, nobody may do more. */
	CONTROL_SOCK_READ_ONLY,
};

/*
 * Listen at path. A socket that a dead daemon left is replaced; one that answers is -EADDRINUSE.
 * events (may be NULL) is borrowed. Control thread. 0 or -errno with *err.
 */
int control_sock_new(struct poller *p, struct control *c, struct events *events, const char *path,
	enum control_sock_kind kind, struct control_sock **ret, struct errmsg *err);
/*
 * Have requests carried out by w (borrowed); as long as there is none, the control thread does
 * it.
 */
void control_sock_use(struct control_sock *s, struct jobs *w);
/*
 * Serve a connected stream socket too (of socketpair(2)); it passes to the server. 0 or -errno.
 */
int control_sock_add(struct control_sock *s, int fd);
/*
 * Close the socket and all connections, remove the path. Answers under way are lost:
 * control_sock_flush() before. The workers have been stopped. Returns NULL.
 */
struct control_sock *control_sock_free(struct control_sock *s);
/* Try once to send what waits to be sent. */
void control_sock_flush(struct control_sock *s);

#endif

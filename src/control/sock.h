/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sock.h: the control socket: JSON-RPC lines over a Unix stream socket (ulio/control.h), served by
 * the control thread. A client that does not read holds up itself alone: its further requests wait
 * until it has taken the answers that it has.
 */
#ifndef ULIO_CONTROL_SOCK_H
#define ULIO_CONTROL_SOCK_H

#include "base/err.h"
#include "control/poller.h"
#include "control/rpc.h"

struct control_sock;

/*
 * Listen at path, mode 0600 (whoever may open it may do everything). A socket that a dead daemon
 * left is replaced; one that answers is -EADDRINUSE. Control thread. 0 or -errno with *err.
 */
int control_sock_new(struct poller *p, struct control *c, const char *path,
	struct control_sock **ret, struct errmsg *err);
/*
 * Serve a connected stream socket too (of socketpair(2)); it passes to the server. 0 or -errno.
 */
int control_sock_add(struct control_sock *s, int fd);
/*
 * Close the socket and all connections, remove the path. Answers under way are lost:
 * control_sock_flush() before. Returns NULL.
 */
struct control_sock *control_sock_free(struct control_sock *s);
/* Try once to send what waits to be sent. */
void control_sock_flush(struct control_sock *s);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.h: which target, portal group, LUN or ACL the parameters of a method mean: all that is
 * unambiguous need not be said. For the methods of the socket. Control thread.
 */
#ifndef ULIO_DAEMON_PLACE_H
#define ULIO_DAEMON_PLACE_H

#include "control/rpc.h"
#include "tree/node.h"

/* The directory target/iscsi, NULL if there is none yet. */
struct node *place_iscsi(struct tree *t);
/* The target by parameter "target", or the only one. NULL: told in call->err, *ret_error. */
struct node *place_target(struct control_call *call, int *ret_error);
/* The portal group by parameters "target" and "tpg", or the only one. NULL: told. */
struct node *place_tpg(struct control_call *call, int *ret_error);
/* Appends an attribute's value, nothing if it cannot be had. */
void place_value(
	struct tree *t, struct node *dir, const char *sub, const char *attr, struct strbuf *out);
bool place_is(
	struct tree *t, struct node *dir, const char *sub, const char *attr, const char *value);
/* Set a value below dir. 0 or -errno, told. */
int place_set(struct control_call *call, struct node *dir, const char *sub, const char *attr,
	const char *value);
/* Remove a directory and all that users made in it. 0 or -errno, told. */
int place_remove(struct control_call *call, struct node *n);
/* N of lun_N, tpgt_N. */
uint64_t place_index(struct node *n);

/* "10.0.0.1" -> "10.0.0.1:3260", "[::1]@blue" -> "[::1]:3260@blue"; a port that is there stays. */
void place_portal_name(const char *address, char *buf, size_t cap);

#endif

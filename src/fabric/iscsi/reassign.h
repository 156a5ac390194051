/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reassign.h: TASK REASSIGN (RFC 7143 7.2.2, 11.5): a task whose connection was logged out for
 * recovery goes on at the connection that asks for it. Loop: that connection's.
 */
#ifndef ULIO_FABRIC_ISCSI_REASSIGN_H
#define ULIO_FABRIC_ISCSI_REASSIGN_H

#include <stdbool.h>
#include <stdint.h>

struct bhs_tmf_request;
struct conn;

/* The function has come; it is answered, and the task goes on, now or later. */
void reassign_request(struct conn *conn, const struct bhs_tmf_request *q);

/* A task of that tag is asked for and not here yet: the tag is not free for a command. */
bool reassign_expects(const struct conn *conn, uint32_t itt);

#endif

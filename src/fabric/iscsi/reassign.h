/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reassign.h: TASK REASSIGN (RFC 7143 7.2.2, 11.5): a task whose connection was logged out for
 * recovery goes on at the connection that asks for it. Loop: that connection's.
 */
#ifndef ULIO_FABRIC_ISCSI_REASSIGN_H
#define ULIO_FABRIC_ISCSI_REASSIGN_H

struct bhs_tmf_request;
struct conn;

/* The function has come; it is answered, and the task goes on, now or later. */
void reassign_request(struct conn *conn, const struct bhs_tmf_request *q);

#endif

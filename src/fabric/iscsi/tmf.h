/* SPDX-License-Identifier: BSD-3-Clause */
/* tmf.h: what the rest of the fabric sees of task management functions under way. */
#ifndef ULIO_FABRIC_ISCSI_TMF_H
#define ULIO_FABRIC_ISCSI_TMF_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct task;

/* The function of this number (struct tmf, id) has come on this connection. On its loop. */
bool tmf_is_from(const struct conn *conn, uint64_t id);
/*
 * What the function that task->awaited is has waited for has come, or never will. On the loop of
 * the task's connection.
 */
void tmf_data_came(struct task *task);

#endif

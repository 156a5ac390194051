/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * border.h: between a task and its command when they are on different loops.
 *
 * A command stays on the loop that it was submitted on, its home; so does its memory. TASK REASSIGN
 * (RFC 7143 7.2.2) may give the task, which is iSCSI's part, to a connection on another loop. What
 * engine and task then have to tell each other goes by messages: from home that data are wanted,
 * that there is a status, that the command was aborted; to home that the data are there, that
 * nobody waits for the command any more, that its memory is done with. Between the two, the task's
 * loop may write to cmd->out while data are wanted and read all of the command once it has ended.
 *
 * A task goes to another connection by way of its home. What the engine says meanwhile is kept.
 */
#ifndef ULIO_FABRIC_ISCSI_BORDER_H
#define ULIO_FABRIC_ISCSI_BORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "scsi/sense.h"

struct conn;
struct task;

enum border_event { BORDER_WANT = 1, BORDER_STATUS = 2, BORDER_ABORTED = 4 };

/* ---- on the command's loop ---- */

/* Its task is elsewhere, or on its way: tell it by border_tell(). */
bool border_is_away(const struct task *task);
void border_tell(struct task *task, enum border_event event);
/* The engine wants so many bytes of Data-Out; there is memory for them afterwards. */
void border_want(struct task *task, uint32_t bytes);

/* ---- on the task's loop ---- */

/* Its command is elsewhere. */
bool border_is_foreign(const struct task *task);
/* What was wanted has come, or this is what was wrong with it. */
void border_data_done(struct task *task, enum sense_name error);
/* Nobody waits for the command any more: BORDER_ABORTED follows if it has not ended yet. */
void border_give_up(struct task *task);
/* The task is over: command and task are freed at home. It must not be used any more. */
void border_free(struct task *task);
/* The task is at home and is being freed. */
void border_done(struct task *task);

/*
 * Give a task that nothing of its connection uses any more to another connection, which the caller
 * has pinned. arrived() follows on that one's loop, never from inside: the task is the connection's
 * then, and what the engine has said meanwhile comes after it. aborted: it was aborted on its way
 * and ends now. 0 or -ENOMEM.
 */
typedef void border_arrived_fn(struct task *task, void *arg, bool aborted);
int border_move(struct task *task, struct conn *to, border_arrived_fn *arrived, void *arg);

#endif

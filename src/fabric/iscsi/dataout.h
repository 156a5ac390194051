/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dataout.h: a command's Data-Out, beside what task.h tells of it. Loop: the connection's.
 */
#ifndef ULIO_FABRIC_ISCSI_DATAOUT_H
#define ULIO_FABRIC_ISCSI_DATAOUT_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct task;

/* The Full Feature Phase begins: what the session agreed on, and its node's attributes. */
void task_data_start(struct conn *conn);
/* The command's PDU is there, with so many bytes of immediate data. */
void task_data_expect(struct task *task, uint32_t immediate);
/* A PDU was lost that could have been Data-Out of any task. */
void task_data_lost(struct conn *conn);
/*
 * Nothing of what was asked for comes any more: what has come is kept, and what is missing is asked
 * for by new R2Ts, at task->r2tsn and on (reassignment to another connection).
 */
void task_data_restart(struct task *task);
/* Free what a task keeps about data that came in disorder. */
void task_data_done(struct task *task);
/* It goes from one connection to another, and is nobody's (NULL) on its way. */
struct extents_pool;
void task_data_moves(const struct task *task, struct extents_pool *from, struct extents_pool *to);

/*
 * For R2T SNACKs (RFC 7143 11.16): of the R2Ts [from, to) by R2TSN send those as they were that
 * nothing has answered. False: there is none; or some were answered, with all set.
 */
bool task_r2ts_again(struct task *task, uint32_t from, uint32_t to, bool all);
/* The lowest R2TSN of those; task->r2tsn: none. */
uint32_t task_first_r2t(const struct task *task);

#endif

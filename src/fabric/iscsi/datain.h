/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * datain.h: how a command's Data-In is cut into PDUs and sequences (RFC 7143 11.7), as a function
 * of DataSN: what was sent can be told, and sent again, without a record of it. tx.c cuts data that
 * go in order as it goes along; the result is the same. Loop: the connection's.
 */
#ifndef ULIO_FABRIC_ISCSI_DATAIN_H
#define ULIO_FABRIC_ISCSI_DATAIN_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct task;

/* One Data-In PDU. */
struct datain {
	uint32_t sn; /* DataSN */
	uint32_t off, len; /* bytes from the start of the command's data */
	bool final; /* ends a sequence: F */
	bool last; /* the last one that is sent */
};

/*
 * Begin to lay its data: the largest data segment is fixed, and DataSN, which a bidirectional
 * command shares with its R2Ts (11.7.5). Once per task.
 */
void datain_begin(struct task *task);
/* PDUs of all its data, from task->base_sn on. */
uint32_t datain_count(const struct task *task);
/* The PDU of that DataSN: base_sn <= sn < base_sn + datain_count(). */
struct datain datain_at(const struct task *task, uint32_t sn);
/*
 * Lay what follows on the PDU of that DataSN anew, with data segments as large as the connection
 * takes now: R-Data SNACK, and reassignment to another connection. False: there is no such PDU; or
 * data go in disorder and sn is none to begin anew at.
 */
bool datain_rewind(struct task *task, uint32_t sn);

/*
 * The order in which n things are sent when any will do: a permutation of 0..n-1 that a seed picks.
 * It is its own inverse.
 */
uint32_t disorder(uint32_t i, uint32_t n, uint32_t seed);

#endif

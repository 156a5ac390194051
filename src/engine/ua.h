/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ua.h: the I_T_L nexus: what an LU remembers of one nexus, above all its unit attention conditions
 * (SAM-5 5.14). An itl lives as long as a LUN map of the nexus shows the LU.
 */
#ifndef ULIO_ENGINE_UA_H
#define ULIO_ENGINE_UA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "engine/limits.h"
#include "scsi/sense.h"

struct lu;
struct nexus;
struct port_lun;

struct itl {
	struct lu *lu; /* NULL: stands for the LUNs of this nexus that have no LU */
	struct nexus *nexus; /* borrowed; outlives it */
	struct port_lun *pl; /* borrowed; the port's LUN by which the nexus sees lu */
	struct list lu_link; /* in lu->itls, under lu->lock */
	/*
	 * What stands between the nexus and the LU: BAR_* of bars.h, 0: nothing. Read without a
	 * lock on the way of every command, written under lu->lock.
	 */
	_Atomic uint32_t bars;
	_Atomic uint64_t preempted; /* mark of the last PREEMPT AND ABORT that was for it */
	_Atomic uint32_t alua_delay_ms; /* of a command in active/non-optimized (alua.h) */
	_Atomic bool retired; /* no map shows it any more; it goes when its commands have */
	_Atomic uint32_t nua; /* read without the lock on the way of every command */
	pthread_mutex_t lock;
	enum sense_name ua[ITL_MAX_UA]; /* oldest first */
	bool prevents_removal; /* PREVENT ALLOW MEDIUM REMOVAL, under lock */
	_Atomic uint64_t num_cmds, read_bytes,
		write_bytes; /* approximate with several connections */
};

/* Establish a condition; one that is pending already is not doubled. Any thread. */
void ua_add(struct itl *itl, enum sense_name ua);
/* Take the one to report now. False: none. Any thread. */
bool ua_take(struct itl *itl, enum sense_name *ret);
/* How many there are, and the one that would be reported now. Any thread. */
uint32_t ua_peek(struct itl *itl, enum sense_name *ret);
/*
 * It tells that commands were ended by others, so that its report must not overtake other answers
 * or be overtaken (RFC 7143 4.2.2.3.4 a): resets and nexus loss, commands cleared.
 */
static inline bool ua_is_fenced(enum sense_name ua)
{
	return sense_asc(ua) == 0x29 || sense_asc(ua) == 0x2f;
}
/* For every nexus of lu but except (may be NULL). Any thread. */
void ua_add_all(struct lu *lu, enum sense_name ua, const struct nexus *except);

/* PREVENT ALLOW MEDIUM REMOVAL of one nexus; of all, none any more (a reset). Any thread. */
void itl_prevent_removal(struct itl *itl, bool prevent);
void itl_allow_removal_all(struct lu *lu);

static inline bool ua_pending(const struct itl *itl)
{
	return atomic_load_explicit(&itl->nua, memory_order_acquire) != 0;
}

#endif

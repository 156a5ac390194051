/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.h: the rules of persistent reservations (SPC-4 5.12, with the amendments of SPC-5), as
 * pure functions: a state and a request give the next state, an answer, and what is to be told to
 * whom. No I/O, no locks, no clock; any thread. A state that has been handed on is never changed.
 */
#ifndef ULIO_ENGINE_PR_STATE_H
#define ULIO_ENGINE_PR_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "engine/limits.h"
#include "scsi/reservation.h"
#include "scsi/sense.h"

/*
 * An I_T nexus: an initiator port at a target port. Names are in lower case, and no longer than
 * PORT_NAME_BYTES - 1. What identifies it: initiator_port, device, tpgt.
 */
struct pr_nexus {
	const char *initiator; /* SCSI device name: iqn… */
	/* SCSI port name: iqn…,i,0x<12 digits>; the device name when ISIDs are not enforced. */
	const char *initiator_port;
	const char *device; /* the target port's: SCSI device name */
	uint16_t tpgt; /* and target portal group tag */
	uint16_t rtpi; /* RELATIVE TARGET PORT IDENTIFIER, what it is called now */
};

struct pr_registration {
	struct pr_nexus nexus; /* its strings are owned by this registration */
	uint64_t key; /* never 0 */
	bool all_tg_pt; /* was made with ALL_TG_PT; there is one for each target port still */
	bool holder; /* with an all registrants type every registration is */
	uint32_t generation; /* PRGENERATION before the command that made or changed it */
	uint32_t lun; /* LUN by which that initiator sees the LU */
	uint32_t target_lun; /* LUN of the target port */
	uint64_t registered_s; /* when, seconds since 1970 */
	/* Private to this folder. */
	struct hash_node node;
	uint32_t at; /* its place in state->r */
};

/*
 * What an LU knows. An LU that no initiator has registered with has an empty one: never NULL.
 * Holders: none with type RESERVATION_NONE, all with an all registrants type, else exactly one.
 */
struct pr_state {
	uint32_t generation; /* PRGENERATION; 0 after each power on (SPC-4 6.15.2) */
	bool aptpl; /* the last APTPL bit */
	/*
	 * What was to be kept over the loss of power could not be read again: until REPLACE LOST
	 * RESERVATION, what an exclusive access type would not let others do is DATA PROTECT
	 * (SPC-5 5.14.5.4, PERSISTENT RESERVATION INFORMATION LOST). No registrations then.
	 */
	bool lost;
	uint8_t type; /* enum reservation_type */
	uint8_t scope;
	uint32_t n;
	struct pr_registration **r; /* n, in the order in which they were made */
	/* Private to this folder. */
	uint32_t room;
	struct hash by_nexus;
};

struct pr_state *pr_state_new(void); /* empty; NULL: no memory */
struct pr_state *pr_state_free(struct pr_state *s); /* NULL allowed; returns NULL */
int pr_state_copy(const struct pr_state *s, struct pr_state **ret); /* 0, -ENOMEM */
/*
 * For those who build a state (a file, res_aptpl_metadata): add a registration like *r, whose
 * strings are copied, and whose holder is ignored: it holds if the type is all registrants. 0;
 * -EINVAL: a key of 0, or names that are none or too long; -EEXIST: that nexus is registered;
 * -ENOSPC: PR_MAX_REGISTRATIONS; -ENOMEM.
 */
int pr_state_add(struct pr_state *s, const struct pr_registration *r);
/* Reserve for s->r[holder]; with an all registrants type for all, and holder says nothing. */
void pr_state_reserve(struct pr_state *s, uint32_t holder, uint8_t scope, uint8_t type);

/* The registration of a nexus, NULL if it has none. */
const struct pr_registration *pr_find(const struct pr_state *s, const struct pr_nexus *nexus);
bool pr_nexus_equal(const struct pr_nexus *a, const struct pr_nexus *b);
/* Some holder, NULL if nothing is reserved. */
const struct pr_registration *pr_holder(const struct pr_state *s);

/* What the reservation keeps a nexus from, which need not be registered. A set. */
enum pr_bar {
	PR_BAR = 1 << 0, /* all but what every type allows, and but reads */
	PR_BAR_READ = 1 << 1, /* reads, too: what a write exclusive type allows */
	PR_BAR_LOST = 1 << 2, /* with both: state->lost; DATA PROTECT instead of a conflict */
};
uint32_t pr_bars(const struct pr_state *s, const struct pr_nexus *nexus);

/* A target port that shows the LU. */
struct pr_port {
	const char *device;
	uint16_t tpgt;
	uint16_t rtpi;
	uint32_t target_lun;
};

/* An initiator port that the device server knows of: logged in anywhere. */
struct pr_initiator {
	const char *initiator;
	const char *initiator_port;
};

struct pr_request {
	uint8_t action; /* enum sa_prout */
	uint8_t scope, type; /* of the CDB */
	struct pr_nexus self; /* whose command it is */
	struct prout_list list;
	/*
	 * The administrator's: no key is asked for. SA_CLEAR: all registrations go. SA_REGISTER
	 * with a key of 0: that of self goes, which need not be logged in; it is told, too. For
	 * SA_CLEAR self may be left out, all zero.
	 */
	bool admin;
	bool isids; /* initiator ports are told apart (enforce_pr_isids) */
	bool can_persist; /* APTPL may be set */
	uint32_t lun, target_lun; /* by which self sees the LU */
	uint64_t now_s; /* seconds since 1970 */
	/*
	 * Every target port that shows the LU, that of self too, for ALL_TG_PT and REGISTER AND
	 * MOVE. One that is there twice (as two LUNs) is no harm.
	 */
	const struct pr_port *ports;
	size_t nports;
	/* For TransportIDs of all ports of an initiator (format 00b); more than once is no harm. */
	const struct pr_initiator *initiators;
	size_t ninitiators;
};

enum pr_verdict {
	PR_DONE, /* GOOD */
	PR_CONFLICT, /* RESERVATION CONFLICT */
	PR_SENSE, /* CHECK CONDITION with outcome.sense */
};

/* What has happened to a nexus that must be told or stopped. */
struct pr_note {
	const struct pr_registration *who; /* in the state before the command: borrowed */
	/* Unit attention for it: RESERVATIONS PREEMPTED, RESERVATIONS RELEASED, REGISTRATIONS
	 * PREEMPTED; SENSE_NO_SENSE: none. */
	enum sense_name ua;
	bool abort; /* PREEMPT AND ABORT: its commands end, but not the one that asked */
};

struct pr_outcome {
	enum pr_verdict verdict;
	struct sense sense; /* of PR_SENSE, with a field pointer where there is a field */
	struct pr_state *next; /* owned by the caller; NULL: nothing has changed */
	bool generation_changed;
	struct pr_note *notes; /* owned */
	uint32_t nnotes;
};

/*
 * Judge a request. 0 and *ret, to be freed with pr_outcome_done(); -ENOMEM: nothing was decided.
 * Reservations of RESERVE(6) are none of its business: 5.12.3 is judged before.
 * Source: SPC-4 5.12.5 to 5.12.11, 6.16.
 */
int pr_apply(const struct pr_state *now, const struct pr_request *rq, struct pr_outcome *ret);
/* Frees notes, and next unless the caller has taken it and set it to NULL. */
void pr_outcome_done(struct pr_outcome *o);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_fuzz.h: a run of the target pdu: the target, its initiators, and what is done to them. */
#ifndef ULIO_FUZZ_PDU_FUZZ_H
#define ULIO_FUZZ_PDU_FUZZ_H

#include "fabric/iscsi/target.h"
#include "pdu_peer.h"
#include "rig.h"

#define TARGET    "iqn.2003-01.test:fuzz"
#define PEER_NAME "iqn.2003-01.test:peer"

/* Connections; the first ones lead sessions of their own, any may be of the session of another. */
enum { NLEADS = 3, NPEERS = 6 };

struct fuzz {
	struct rig rig;
	struct entity *entity;
	struct target *target;
	struct tpg *tpg;
	struct portal *portal;
	struct lu *lu;
	struct acl *acl; /* NULL: none */
	bool filter; /* the disk has an error filter */
	bool may_close; /* there is a reason for the target to end connections */
	struct peer_params params;
	uint8_t how;
	const uint8_t *data; /* PEER_DATA_BYTES to write */
	bool wide; /* records of recovery and of several connections as well */
	uint32_t connections; /* made so far */
	struct peer_sess sessions[NPEERS + 1];
	struct peer peers[NPEERS], *peer;
};

typedef void record_fn(struct fuzz *f, struct input *in);

/* Let the simulation go on, and take what has come. */
void run(struct fuzz *f, uint64_t ns);
/* Connect f->peer and log it in, to its session; or leave the login to what is to come. */
void connect_peer(struct fuzz *f, bool login);
/* A session of its own; others of that initiator port end with their connections. */
void session_new(struct fuzz *f, struct peer *p, uint8_t isid);
/* Another connection is of a session of that initiator port. */
bool others_of(const struct fuzz *f, uint8_t isid);
/* A logout of p may concern all of its session. */
void end_others(struct fuzz *f, struct peer *p);
/* Commands of all may have been ended. */
void loosen_all(struct fuzz *f);
/* The fields of a record of that kind, and what it does. */
void do_record(struct fuzz *f, unsigned kind, struct input *in);

/* ---- pdu_recover.c ---- */

/*
 * All of a session that was lost is made good: connections are logged out, their commands taken
 * over, numbers that never came are used.
 */
void recover(struct fuzz *f, struct peer_sess *s);
/* Something is lost, and can be made good. */
bool recoverable(const struct fuzz *f, const struct peer_sess *s);

extern record_fn *const recovery_records[];
extern const unsigned recovery_records_n;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* pdu_fuzz.h: a run of the target pdu: the target, its initiators, and what is done to them. */
#ifndef ULIO_FUZZ_PDU_FUZZ_H
#define ULIO_FUZZ_PDU_FUZZ_H

#include "fabric/iscsi/target.h"
#include "pdu_peer.h"
#include "rig.h"

#define TARGET "iqn.2003-01.test:fuzz"

enum { NPEERS = 3 };

struct fuzz {
	struct rig rig;
	struct entity *entity;
	struct target *target;
	struct tpg *tpg;
	struct portal *portal;
	struct lu *lu;
	bool filter; /* the disk has an error filter */
	bool may_close; /* there is a reason for the target to end connections */
	struct peer_params params;
	uint8_t how;
	const uint8_t *data; /* PEER_DATA_BYTES to write */
	struct peer peers[NPEERS], *peer;
};

/* Let the simulation go on, and take what has come. */
void run(struct fuzz *f, uint64_t ns);
/* Connect f->peer and log it in; or leave the login to what is to come. */
void connect_peer(struct fuzz *f, bool login);
/* The fields of a record of that kind, and what it does. */
void do_record(struct fuzz *f, unsigned kind, struct input *in);

#endif

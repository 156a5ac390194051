/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pdu_peer.h: an initiator at the other end of a simulated connection. It makes PDUs, right or, by
 * order, wrong ones, and checks every PDU that comes: form, digests, lengths, StatSN, command
 * window; and as long as it has sent nothing wrong itself, data, residuals, and that each command
 * is answered once.
 */
#ifndef ULIO_FUZZ_PDU_PEER_H
#define ULIO_FUZZ_PDU_PEER_H

#include "fabric/iscsi/wire.h"
#include "loop/loop.h"

enum { PEER_TASKS = 64, PEER_R2TS = 32, PEER_DATA_BYTES = 1 << 18, PEER_RX_BYTES = 1 << 20 };

/* What a login offers, and what a target declares. */
struct peer_params {
	bool header_digest, data_digest, immediate, initial_r2t;
	uint32_t first_burst, max_burst, recv, r2ts;
	uint32_t target_recv; /* MaxRecvDataSegmentLength of the target */
};

struct peer_task {
	bool active, write, read;
	bool loose; /* it may be aborted, or its tag may be that of another */
	uint32_t itt, cmdsn, edtl;
	uint32_t in, datasn, burst; /* Data-In so far */
	uint32_t r2tsn, r2t_next;
};

struct peer_r2t {
	uint32_t itt, ttt, off, len;
};

/* A change of the next PDU. */
struct peer_tweak {
	bool on;
	uint8_t at; /* byte of the header; from BHS_BYTES on: a bit of a digest */
	uint8_t flip;
};

struct peer {
	struct loops *loops;
	struct peer_params p;
	int fd; /* -1: not connected */
	bool full_feature, closed, stalled;
	bool loose; /* something wrong was sent: answers are only checked for their form */
	bool may_reject; /* a text was sent that need not please the target */
	bool any_length; /* the length that it declared is not known any more */
	bool blind; /* nor are digests: what comes cannot be told apart */
	bool header_digest, data_digest; /* in force */
	bool counts; /* statsn is known */
	bool logged_out;
	uint8_t isid;
	uint32_t max_recv; /* it has declared */
	uint32_t itt, cmdsn, statsn, exp_cmdsn, max_cmdsn;
	uint32_t ping_ttt, text_itt, text_ttt;
	struct peer_tweak tweak;
	struct peer_task tasks[PEER_TASKS];
	struct peer_r2t r2ts[PEER_R2TS];
	unsigned nactive, nr2ts;
	uint8_t *rx; /* PEER_RX_BYTES */
	size_t rx_bytes;
	const uint8_t *data; /* PEER_DATA_BYTES to write */
};

/* Connect to the target; nothing is known of an earlier connection. */
void peer_connect(struct peer *peer);
void peer_close(struct peer *peer, bool reset);
/* Take what has come. */
void peer_take(struct peer *peer);

/* A PDU with its length, padding and digests, changed as peer->tweak says. */
void peer_send_pdu(struct peer *peer, void *bhs, const void *ahs, uint32_t ahs_bytes,
	const void *data, uint32_t n);
void peer_send_raw(struct peer *peer, const void *data, size_t n);
/* A PDU with a wrong or no expectable answer follows. */
void peer_set_loose(struct peer *peer);

/* A Login Request. */
void peer_send_login(struct peer *peer, uint8_t flags, uint16_t tsih, const void *text, uint32_t n);
/* The one that asks for what peer->p says and goes on to the Full Feature Phase. */
void peer_send_login_plain(struct peer *peer, const char *target);

/* Room in the command window for one more. */
bool peer_has_room(const struct peer *peer);
/* Take a number: the CmdSN of a request; immediate ones take none. */
uint32_t peer_take_cmdsn(struct peer *peer, bool immediate);
uint32_t peer_take_itt(struct peer *peer);

/*
 * A SCSI command with the data that may come with it or follow it unasked for.
 *	flags	CMD_READ, CMD_WRITE and the attribute
 */
void peer_send_command(struct peer *peer, uint8_t flags, uint8_t lun, const uint8_t *cdb,
	uint32_t cdb_bytes, uint32_t edtl, const void *data, bool immediate);
/* Data-Out for the R2T that came first, all of it. False: there is none. */
bool peer_answer_r2t(struct peer *peer);
/* Forget what a task management function or an administrator may have ended. */
void peer_loosen_tasks(struct peer *peer);

#endif

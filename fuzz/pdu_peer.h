/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pdu_peer.h: an initiator at the other end of a simulated connection, alone or with others of the
 * same session. It makes PDUs, right or, by order, wrong ones, and checks every PDU that comes:
 * form, digests, lengths, StatSN, command window; and as long as its session has sent nothing
 * wrong, data, residuals, that each command is answered once and on its connection, and that what
 * comes once more was asked for and is as it was.
 */
#ifndef ULIO_FUZZ_PDU_PEER_H
#define ULIO_FUZZ_PDU_PEER_H

#include "fabric/iscsi/wire.h"
#include "loop/loop.h"

enum {
	PEER_TASKS = 64,
	PEER_R2TS = 32,
	PEER_DATA_BYTES = 1 << 18,
	PEER_RX_BYTES = 1 << 20,
	PEER_RING = 64, /* of each kind of numbers as many are remembered */
	PEER_UNIT = 512, /* Data-In in disorder begin at multiples of it */
	PEER_AHS_BYTES = 24,
};

/* What a login offers, and what a target declares. */
struct peer_params {
	bool header_digest, data_digest, immediate, initial_r2t;
	bool disorder; /* DataPDUInOrder=No, DataSequenceInOrder=No */
	uint8_t level; /* ErrorRecoveryLevel */
	uint32_t first_burst, max_burst, recv, r2ts;
	uint32_t target_recv; /* MaxRecvDataSegmentLength of the target */
};

/* The latest PDUs of a series of numbers, which may be asked for again (RFC 7143 11.16). */
struct peer_ring {
	uint32_t crc[PEER_RING];
	uint8_t asked[PEER_RING]; /* so many times it may come again */
	uint64_t due; /* by bits: it has to */
};

struct peer_task {
	bool active, write, read;
	bool kept; /* it is answered; the target knows it as long as that is not acknowledged */
	bool loose; /* it may be aborted, or its tag may be that of another */
	bool free; /* its data come as they like: cut anew, or moved */
	bool lossy; /* Data-Out of it got lost, or came too late: they are asked for again */
	bool unsent; /* its command was spoiled and has to be sent again */
	bool ready; /* its connection is lost and logged out */
	bool wants_ack; /* Data-In with A: by the tag ack_ttt */
	bool tag_due; /* a response with its SNACK Tag has to come */
	uint16_t cid; /* of the connection that it has lost */
	uint32_t itt, cmdsn, edtl;
	uint32_t in, datasn, burst; /* Data-In so far */
	uint32_t r2tsn, r2t_next;
	uint32_t acked, ack_sn, ack_ttt; /* DataACK */
	uint32_t statsn, snack_tag;
	uint32_t tmf_itt; /* of its reassignment, TAG_RESERVED: none */
	struct peer_ring ring; /* Data-In, or R2Ts */
	uint8_t seen[PEER_DATA_BYTES / PEER_UNIT / 8]; /* Data-In in disorder */
	struct bhs_scsi_command bhs; /* as it was sent */
	uint8_t ahs[PEER_AHS_BYTES];
	uint32_t ahs_bytes, imm;
};

struct peer_r2t {
	uint32_t itt, ttt, off, len, r2tsn;
};

/* A change of the next PDU. */
struct peer_tweak {
	bool on;
	uint8_t at; /* byte of the header; from BHS_BYTES on: a bit of a digest */
	uint8_t flip;
};

/* What the next PDU that can be lost suffers; what is lost is sent again. */
enum peer_spoil { SPOIL_NOTHING, SPOIL_HEADER, SPOIL_DATA };

/* What the connections of a session share. */
struct peer_sess {
	uint8_t isid;
	uint16_t tsih; /* 0: not logged in */
	bool loose; /* something wrong was sent: answers are only checked for their form */
	bool ended; /* logged out, or replaced */
	uint32_t itt, cmdsn, exp_cmdsn, max_cmdsn;
	uint32_t owner[PEER_RING]; /* by CmdSN: the connection, peer->id; 0: it was lost */
	/* Level 2: of connections that were lost; `gone` has a bit for each of their CIDs. */
	struct peer_task lost[PEER_TASKS];
	unsigned nlost;
	uint32_t gone;
	uint64_t lost_ns;
};

struct peer {
	struct loops *loops;
	struct peer_params p;
	struct peer_sess *s; /* borrowed */
	uint32_t id; /* of the connection */
	uint16_t cid;
	int fd; /* -1: not connected */
	bool full_feature, closed, stalled;
	bool may_end; /* the target has a reason to close it */
	bool leaving; /* it has asked for its own logout */
	bool any_again; /* it has asked for this and that: what comes again is not judged */
	bool holds; /* it acknowledges nothing from held_statsn on */
	bool may_reject; /* something was sent that need not please the target */
	bool any_length; /* the length that it declared is not known any more */
	bool blind; /* nor are digests: what comes cannot be told apart */
	bool header_digest, data_digest; /* in force */
	bool counts; /* statsn is known */
	bool logged_out;
	bool forgot; /* a task gave way to another before its answer came */
	uint16_t login_status, logout_retain;
	int logout_response; /* to a Logout about another connection; -1: none yet */
	uint32_t max_recv; /* it has declared */
	uint32_t statsn, held_statsn, exp_cmdsn, max_cmdsn;
	uint32_t ping_ttt, text_itt, text_ttt, logout_itt, logout_own_itt;
	struct peer_tweak tweak;
	enum peer_spoil spoil;
	struct peer_ring ring; /* what has a StatSN */
	struct peer_task *last; /* that it has sent */
	struct peer_task tasks[PEER_TASKS];
	struct peer_r2t r2ts[PEER_R2TS];
	unsigned nactive, nr2ts;
	uint8_t *rx; /* PEER_RX_BYTES */
	size_t rx_bytes;
	const uint8_t *data; /* PEER_DATA_BYTES to write */
};

static inline bool peer_loose(const struct peer *peer)
{
	return peer->s->loose;
}

/* Begin a session anew. */
void peer_sess_init(struct peer_sess *s, uint8_t isid);
/* Connect to the target; nothing is known of an earlier connection but its session. */
void peer_connect(struct peer *peer, uint32_t id, uint16_t cid);
/* At level 2 its commands are its session's until they are taken over by another connection. */
void peer_close(struct peer *peer, bool reset);
/* It is of use. */
bool peer_up(const struct peer *peer);
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
/*
 * The one that asks for what peer->p says and goes on to the Full Feature Phase: of a new session,
 * or of one that has a TSIH.
 */
void peer_send_login_plain(struct peer *peer, const char *target);

/* Room in the command window for one more. */
bool peer_has_room(const struct peer *peer);
/* Take a number: the CmdSN of a request; immediate ones take none. */
uint32_t peer_take_cmdsn(struct peer *peer, bool immediate);
uint32_t peer_take_itt(struct peer *peer);
/* What a request is to acknowledge: it does. */
uint32_t peer_ack(struct peer *peer);

/*
 * A SCSI command with the data that may come with it or follow it unasked for.
 *	flags	CMD_READ, CMD_WRITE and the attribute
 */
void peer_send_command(struct peer *peer, uint8_t flags, uint8_t lun, const uint8_t *cdb,
	uint32_t cdb_bytes, uint32_t edtl, const void *data, bool immediate);
/* The command once more, here, as its connection or its PDU was lost: with the data that follow. */
void peer_send_again(struct peer *peer, struct peer_task *k);
/* The same PDU without need: it has to be ignored (RFC 7143 7.2.1). */
void peer_repeat(struct peer *peer, const struct peer_task *k);
/* Data-Out for one of the R2Ts, all of it; 0: that came first. False: there is none. */
bool peer_answer_r2t(struct peer *peer, unsigned i);
/* Answer a ping that the target has sent. */
void peer_answer_ping(struct peer *peer);
/* Forget what a task management function or an administrator may have ended. */
void peer_loosen_tasks(struct peer *peer);
/* Of any state, by its tag. */
struct peer_task *peer_task(struct peer *peer, uint32_t itt);
/* The target knows it. */
bool peer_task_known(const struct peer *peer, const struct peer_task *k);
/* A place for one more; NULL: all are taken. */
struct peer_task *peer_task_new(struct peer *peer);
/* Answers to SNACKs have yet to come. */
bool peer_is_due(const struct peer *peer);
/* That number is asked for again. */
void peer_ring_ask(struct peer_ring *ring, uint32_t sn);

#endif

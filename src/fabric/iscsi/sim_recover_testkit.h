/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_recover_testkit.h: for tests only: an initiator of ErrorRecoveryLevel 2 in the simulator,
 * with several connections to a target with two loops. It keeps what the disk must hold: no command
 * may be lost, whatever happens to connections, and no byte be wrong. Every PDU is checked: StatSN,
 * DataSN, R2TSN, offsets, and that it comes on the connection that its task belongs to.
 */
#ifndef ULIO_FABRIC_ISCSI_SIM_RECOVER_TESTKIT_H
#define ULIO_FABRIC_ISCSI_SIM_RECOVER_TESTKIT_H

#include "fabric/iscsi/sim_peer_testkit.h"

enum { CONNS = 4, TASKS = 12, BLOCK = 512, MOST_BLOCKS = 96 };

struct rconn {
	int fd; /* -1: none */
	bool up, refused, used;
	uint16_t cid;
	uint32_t statsn;
	uint8_t *rx;
	size_t rx_bytes, rx_cap;
	uint32_t recv; /* MaxRecvDataSegmentLength that it declared */
};

struct rtask {
	bool active, write, lost; /* lost: its connection is */
	bool acked; /* the target knows of some of its Data-In that it has come */
	bool stuck; /* its data stopped in their midst */
	uint32_t itt, cmdsn, lba, n, bytes;
	uint8_t cdb[16];
	struct rconn *conn;
	uint32_t got, datasn; /* Data-In */
	uint8_t have[MOST_BLOCKS]; /* what has come of it, if it does not come in order */
	uint32_t burst;
	uint32_t sent; /* Data-Out, all below was asked for */
	uint32_t r2tsn; /* the next one that is expected */
	uint32_t tmf_itt; /* of its reassignment under way */
	uint32_t moves, gen;
	uint8_t data[MOST_BLOCKS * BLOCK];
};

struct ini {
	struct sim_target t;
	struct rconn conns[CONNS];
	struct rtask tasks[TASKS];
	uint32_t cmdsn, exp_cmdsn, max_cmdsn, itt, gen;
	uint16_t tsih, next_cid;
	bool immediate, initial_r2t;
	bool disorder; /* DataPDUInOrder=No, DataSequenceInOrder=No */
	struct rconn *never; /* where no Data-Out is sent at all */
	struct rconn *torn; /* where Data-Out stops in its midst now and then */
	uint32_t first_burst, max_burst;
	uint32_t retain; /* DefaultTime2Retain, seconds */
	uint32_t logout_itt;
	int logout_response; /* -1: none yet */
	uint32_t logout_retain;
	int tmf_response; /* the last one, -1: none yet */
	uint8_t disk[DISK_BLOCKS * BLOCK];
	uint64_t good, attention, reassigned, retried, rewound, midway;
};

/* There is one. */
extern struct ini ini;
extern unsigned seed; /* of the test under way, for messages */

uint32_t pick(uint32_t n);

/*
 * A target, and a session with so many connections, CIDs 0 and on; what is agreed follows from the
 * seed.
 *	retain	DefaultTime2Retain, seconds
 */
void begin_with(unsigned s, unsigned conns, const char *disk, uint32_t retain);
/* On a disk that the seed chooses, and with all time. */
void begin(unsigned s, unsigned conns);
/* The target goes, whatever is under way. */
void end(void);
/* All that is under way ends, and the disk is compared; then the target goes. */
void finish(void);

/* Let the simulation go on, and take what has come. */
void pump(uint64_t steps);
#define pump_until(cond)                                                                           \
	do {                                                                                       \
		for (unsigned spins = 0; !(cond); spins++) {                                       \
			if (spins == 40000)                                                        \
				fail_msg("seed %u: never: %s", seed, #cond);                       \
			pump(50);                                                                  \
		}                                                                                  \
	} while (0)

/* A connection; tsih 0: of a new session. login() waits until it is there. */
void login_send(struct rconn *c, uint16_t cid, uint16_t tsih);
void login(struct rconn *c, uint16_t cid, uint16_t tsih);
/* One that is up; NULL: none is. */
struct rconn *some_conn(void);
/* Its transport is gone; or the target has closed it. */
void lose(struct rconn *c);
void lost_tasks(const struct rconn *c);
void send_logout(struct rconn *c, uint8_t reason, uint16_t cid);
/* Remove it for recovery. */
void logout_wait(struct rconn *by, uint16_t cid);

/* A command; n 0: TEST UNIT READY. NULL: the window is closed, or the blocks are in use. */
struct rtask *start(struct rconn *c, bool write, uint32_t lba, uint32_t n);
/* Some commands, anywhere. */
void work(unsigned commands);
/* No command is under way. */
bool idle(void);
/*
 * Tasks that lost their connection, which is logged out: those that arrived are reassigned, others
 * sent again.
 */
void recover_tasks(void);
/* A function of the test's own; its response comes into ini.tmf_response. */
void send_tmf(struct rconn *c, uint8_t function, uint32_t ref_itt, uint32_t ref_cmdsn);

#endif

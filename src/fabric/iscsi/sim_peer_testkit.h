/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_peer_testkit.h: for tests only: a target in the simulator and an initiator at the other end
 * of its sockets, which keeps a model of what the disk must hold and checks every PDU that comes:
 * StatSN, order and flags of Data-In, R2Ts, the command window, one answer for each command.
 */
#ifndef ULIO_FABRIC_ISCSI_SIM_PEER_TESTKIT_H
#define ULIO_FABRIC_ISCSI_SIM_PEER_TESTKIT_H

#include "engine/testkit.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/target.h"
#include "fabric/iscsi/wire.h"

enum { DISK_BLOCKS = 512, PEER_TASKS = 16, TASK_BLOCKS = 96, MAYBE_MAX = 12, PEERS_MAX = 8 };

#define SIM_TARGET "iqn.2003-01.test:sim"
#define SIM_PEER   "iqn.2003-01.test:peer" /* the name of all initiators; their ISIDs differ */
#define SIM_SERIAL "sim-0001" /* of the disk, if its reservations are kept */

/* What each block may hold: numbers of writes, 0: never written. */
struct model {
	uint32_t maybe[DISK_BLOCKS][MAYBE_MAX];
	unsigned n[DISK_BLOCKS];
	uint32_t next;
};

struct sim_target {
	struct rig rig; /* its port is not used */
	struct entity *entity;
	struct target *target;
	struct tpg *tpg;
	struct portal *portal;
	struct lu *lu;
	struct model model;
};

struct sim_boot {
	uint64_t seed;
	const char *spec; /* its disk, LUN 0 */
	uint32_t recv; /* MaxRecvDataSegmentLength that it declares */
	struct sim_disk *medium; /* borrowed; holds the files. NULL: one of its own */
	uint64_t cut_at; /* the power goes at this operation of the medium; 0: never */
	const char *dbroot; /* on the medium, for reservations that are kept; NULL: none */
};

/*
 * False, and nothing is left of it: the power went while the disk was being opened, or with dbroot,
 * before it was shown.
 */
bool sim_target_boot(struct sim_target *t, const struct sim_boot *b);
void sim_target_init(struct sim_target *t, uint64_t seed, const char *spec, uint32_t recv);
void sim_target_done(struct sim_target *t);

/* What the initiator offers. */
struct peer_params {
	bool immediate, initial_r2t, header_digest, data_digest;
	uint32_t first_burst, max_burst, recv, r2ts;
	uint32_t conns; /* MaxConnections, 0: 1 */
	const char *task_reporting; /* NULL: RFC3720 */
	bool answers_r2ts; /* also of tasks that a function is to end (RFC 7143 4.2.3.3) */
};

/* What the connections of a session share: numbers of commands and tags. */
struct peer_window {
	uint32_t cmdsn, exp_cmdsn, max_cmdsn, itt;
};

struct peer;
struct peer_task;

/* A command was answered. sense: n bytes, fixed format. */
typedef void peer_done_fn(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n);

/* A command of the test's own, which the model knows nothing of. At most one direction has data. */
struct peer_cmd {
	uint8_t cdb[16], attr;
	const void *out;
	uint32_t out_bytes, in_bytes; /* <= sizeof(peer_task.data) */
	peer_done_fn *done; /* NULL: nobody wants to know */
	void *arg;
};

struct peer_task {
	bool active, write, aborted;
	uint32_t itt, cmdsn, lba, n, gen; /* n: blocks */
	uint32_t bytes; /* of data, in or out */
	peer_done_fn *done;
	void *arg;
	uint32_t got; /* Data-In bytes */
	uint32_t burst; /* since the last F */
	uint32_t datasn, r2tsn, r2t_next; /* expected; r2t_next: offset of the next R2T */
	uint32_t sent; /* Data-Out bytes */
	uint8_t data[TASK_BLOCKS * 512];
};

struct peer {
	struct sim_target *t;
	struct peer_params p;
	int fd; /* -1: none */
	uint8_t port; /* of its ISID: peers that differ in it are different initiator ports */
	struct peer_window own, *w; /* of its session: its own, or that of the leading connection */
	uint16_t tsih, cid;
	uint32_t statsn, last_max; /* MaxCmdSN, as this connection was told last */
	bool holds; /* it stops in the midst of Data-Out now and then: the command hangs */
	bool full_feature, closed, digests, loose; /* loose: it sent nonsense, answers may be so */
	struct peer_task tasks[PEER_TASKS];
	unsigned nactive;
	uint8_t *rx;
	size_t rx_bytes, rx_cap;
	uint64_t good, failed, rejects, answered; /* counters for the test */
	uint64_t lost,
		torn; /* ended without an answer; of those: writes in the midst of Data-Out */
	uint64_t disk_errors; /* of the failed: those with the sense of a disk's error */
	/* How it waits: where nobody takes what comes for others time passes. NULL: alone. */
	void (*pump)(struct peer *peer, uint64_t steps);
	/* A function was answered that came on this connection; NULL: peer_lose_aborted(peer). */
	void (*on_tmf)(struct peer *peer);
	uint32_t tmf_itt; /* of the function under way, TAG_RESERVED: none */
	uint8_t tmf_response;
	uint16_t login_status;
	uint32_t logout_itt;
	uint8_t logout_response;
	bool logged_out; /* a Logout Response has come */
};

void peer_init(struct peer *peer, struct sim_target *t, const struct peer_params *p);
void peer_done(struct peer *peer);
/* Send a login without waiting for its end. */
void peer_login_begin(struct peer *peer);
/* Connect and log in. */
void peer_login(struct peer *peer);
/*
 * Connect as a further connection of the session of lead, or in place of one with that CID (RFC
 * 7143 6.3.4). Returns the status of the login; what it says of the model is of its own blocks.
 */
uint16_t peer_join(struct peer *peer, const struct peer *lead, uint16_t cid);
/* The connection goes, with a goodbye or without. What was under way may or may not be done. */
void peer_drop(struct peer *peer, bool reset);
void peer_logout(struct peer *peer);
/*
 * Log out, by a Logout Request on this connection, for a reason of 11.14.1; the response, which is
 * waited for. After a successful logout of itself the connection is closed.
 */
uint8_t peer_logout_for(struct peer *peer, uint8_t reason, uint16_t cid);
/* Start a command on free blocks. False: no room in the window, or no free blocks. */
bool peer_start(struct peer *peer, bool write, uint32_t lba, uint32_t n, uint8_t attr, bool fua);
/* Start any command. False: no room in the window. */
bool peer_command(struct peer *peer, const struct peer_cmd *c);
/* Let the simulation go on for some steps and take what has come. */
void peer_pump(struct peer *peer, uint64_t steps);
/* The same with several initiators of one target. */
void peers_pump(struct peer *const *peers, unsigned n, uint64_t steps);
/* Those of n <= PEERS_MAX that are connected: into list. Returns how many. */
unsigned peers_alive(struct peer *all, unsigned n, struct peer **list);
/* The same as peers_pump() with those, if there are any. */
void peers_pump_alive(struct peer *all, unsigned n, uint64_t steps);
/* … until nothing is under way. */
void peer_drain(struct peer *peer);
void peer_tmf(struct peer *peer, uint8_t function, uint32_t ref_itt, uint32_t ref_cmdsn);
/* Its tasks that are marked `aborted` have ended without an answer. Returns how many. */
unsigned peer_lose_aborted(struct peer *peer);
void peer_nop(struct peer *peer);
/* A ping that takes the number cmdsn: it fills a hole that a lost command has left. */
void peer_fill(struct peer *peer, uint32_t cmdsn);
void peer_send(struct peer *peer, const void *data, size_t n);
/* Read the whole disk and compare it with the model. */
void peer_check_disk(struct peer *peer);

#endif

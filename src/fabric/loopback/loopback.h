/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loopback.h: a fabric whose initiator is in the process itself: it sends commands with their data
 * to a port, from a loop of the caller's choice, and gets status, sense, residuals and data.
 *
 * It is asynchronous on the loops and has a waiting wrapper for the control thread. Commands of one
 * nexus may come from several loops at once, which is more than iSCSI does.
 */
#ifndef ULIO_FABRIC_LOOPBACK_LOOPBACK_H
#define ULIO_FABRIC_LOOPBACK_LOOPBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/limits.h"
#include "loop/loop.h"

struct cmd;
struct fabric_ops;
struct loopback;
struct port;
struct tmf;

/* For port_new(). */
extern const struct fabric_ops loopback_ops;

/*
 * Log in as `initiator`; loop is where the nexus itself lives. Control thread.
 * 0, -EACCES (no ACL, and the port is not open to all) or -ENOMEM.
 */
int loopback_login(
	struct port *port, const char *initiator, struct loop *loop, struct loopback **ret);
/* Begin the loss of the nexus: commands that are under way are aborted. Control thread. */
void loopback_close(struct loopback *lb);
/* Wait for its end: 0 or -ETIMEDOUT. Control thread. */
int loopback_closed(struct loopback *lb, uint64_t timeout_ns);
/* The nexus must be closed and none of its commands under way. Returns NULL. Control thread. */
struct loopback *loopback_free(struct loopback *lb);

/* When the data of a write come. */
enum loopback_data {
	LOOPBACK_ON_DEMAND, /* when the engine asks for them, at once */
	LOOPBACK_IMMEDIATE, /* with the command */
	LOOPBACK_LATE, /* when they were asked for and loopback_send_data() was called */
};

/* A command. All zero, then filled in by the caller, whose memory it stays. */
struct loopback_cmd {
	struct loopback *lb;
	struct loop *loop;
	uint64_t lun;
	uint64_t tag;
	uint8_t attr; /* enum task_attr */
	uint8_t data_mode; /* enum loopback_data */
	uint8_t priority;
	uint32_t order; /* as in struct cmd */
	uint16_t cdb_len;
	uint8_t cdb[CMD_CDB_BYTES];
	const void *out; /* Data-Out: what the initiator has, also its Expected Transfer Length */
	uint32_t out_bytes;
	void *in; /* room for Data-In */
	uint32_t in_bytes;
	void (*done)(struct loopback_cmd *c); /* on loop, may be NULL; c may be used anew in it */
	void *arg; /* the caller's */

	/* The answer. */
	bool aborted; /* no status: the command was aborted */
	bool refused; /* no status: there was no memory for it */
	bool fenced; /* as in struct cmd; also the next two */
	uint16_t status_qualifier;
	uint64_t cleared_by;
	uint8_t status; /* enum status */
	uint8_t sense_len;
	uint8_t residual_out_kind, residual_in_kind; /* enum residual_kind */
	uint32_t residual_out, residual_in;
	uint32_t in_moved; /* bytes of Data-In that came */
	uint8_t sense[CMD_SENSE_BYTES];

	/* Private. */
	struct cmd *cmd;
	uint32_t wanted; /* the engine waits for so many bytes */
	bool released; /* loopback_send_data() was called */
	struct loop_msg start, data;
	struct loop_event ended;
};

/* Send it. Any thread; c must not be under way. */
void loopback_start(struct loopback_cmd *c);
/* LOOPBACK_LATE: let the data come. Any thread, once for each start. */
void loopback_send_data(struct loopback_cmd *c);
/* Wait for its end: 0 or -ETIMEDOUT. Control thread. */
int loopback_wait(struct loopback_cmd *c, uint64_t timeout_ns);
/* Whether it has ended. Any thread. */
bool loopback_ended(const struct loopback_cmd *c);

/* A task management function. */
struct loopback_tmf {
	struct loopback *lb;
	struct loop *loop;
	uint8_t function; /* enum tmf_function */
	uint64_t lun;
	uint64_t ref_tag;
	bool has_order; /* as in struct tmf */
	uint32_t order;

	/* The answer. */
	uint64_t id;
	uint8_t info[3];
	uint8_t response; /* enum tmf_response */
	bool no_task, unsupported, stuck; /* as in struct tmf */

	/* Private. */
	struct loop_msg start;
	struct loop_event ended;
};

void loopback_tmf_start(struct loopback_tmf *t); /* any thread */
int loopback_tmf_wait(struct loopback_tmf *t, uint64_t timeout_ns); /* control thread */

#endif

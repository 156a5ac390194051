/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sess.h: a session (RFC 7143 4.2.4, 8.3): the command window that its connections share, its
 * tasks, and its life from login to I_T nexus loss.
 *
 * What connections of different loops share is under sess->lock, which is held for a few
 * instructions.
 */
#ifndef ULIO_FABRIC_ISCSI_SESS_H
#define ULIO_FABRIC_ISCSI_SESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/target.h"

struct nexus;

/* RFC 7143 8.3.1 */
enum sess_state {
	SESS_FREE, /* Q1 */
	SESS_LOGGED_IN, /* Q3 */
	SESS_FAILED, /* Q4: its connections are gone, it ends (Time2Retain is 0 at level 0) */
	SESS_CLOSED, /* no more than what engine and loops still hold */
	SESS_STATES
};

struct sess {
	struct entity *entity;
	struct tpg *tpg; /* NULL: a discovery session, or one that has ended */
	struct list tpg_link; /* in tpg->sessions, under the configuration lock */
	struct nexus *nexus; /* NULL: a discovery session */
	struct loop *loop; /* of the leading connection */
	enum sess_state state;
	uint16_t tsih;
	uint8_t isid[6];
	struct sess_params params;
	char initiator[NODE_NAME_BYTES_MAX + 1];
	struct node_attribs node; /* of its ACL, as they were at login */
	bool discovery;
	bool logged_out; /* by a Logout, not by the loss of its connections */
	struct list conns; /* struct conn by sess_link; of one loop while MaxConnections is 1 */
	unsigned nconns; /* that are not freed */
	struct conn *last_conn; /* kept until the nexus is closed */
	_Atomic bool drop_posted;
	const char *drop_why;
	struct loop_msg drop_msg;

	pthread_mutex_t lock;
	uint32_t exp_cmdsn, max_cmdsn; /* RFC 7143 4.2.2.1 */
	uint32_t depth; /* commands that may be under way */
	uint32_t active; /* that are */
	struct list held; /* commands that came before their turn, by CmdSN */

	struct hash tasks; /* struct task by ITT; on the loop of the connection */
	uint32_t nimmediate; /* immediate requests among the tasks; likewise */
	uint32_t next_ttt;
	uint32_t ended_itts[SESS_ENDED_ITTS]; /* of writes whose data may still be coming */
	uint32_t next_ended;
	uint64_t created_ns;
	uint64_t cmd_pdus, rsp_pdus, digest_errors;
	char last_error[128];
};

/* RFC 7143 4.2.2.1: serial number arithmetic of RFC 1982. */
static inline bool sna_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool sna_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

/*
 * Make the session of a connection whose login has come to its end: TSIH, nexus. Returns the
 * login_status to refuse with if that fails. On the connection's loop.
 *	tpg	counted in tpg->nsessions by the caller; NULL: a discovery session
 */
uint16_t sess_new(struct conn *conn, struct tpg *tpg, const struct keys_values *values,
	const uint8_t isid[6], uint32_t cmdsn, const struct node_attribs *node, uint32_t depth);
/* A connection is being closed: the last one takes the session with it. */
void sess_conn_gone(struct sess *sess, struct conn *conn);
/* A connection is freed: the last one frees the session. */
void sess_conn_freed(struct sess *sess);
/* A message to it is under way: its last connection must stay. */
bool sess_busy(const struct sess *sess);
/* End it, from any thread, under the configuration lock; why is static. */
void sess_drop(struct sess *sess, const char *why);
/* Close the nexus of a session whose last connection ends. False: there is none any more. */
bool sess_close_nexus(struct sess *sess, struct conn *conn);
/* The nexus is closed. */
void sess_nexus_closed(struct sess *sess);
/* Out of the portal group's list. */
void sess_leave_tpg(struct sess *sess);

/* One more error of a kind that statistics tell; sess NULL: nobody's yet. */
enum sess_error { SESS_DIGEST_ERROR, SESS_CONNECTION_ERROR, SESS_FORMAT_ERROR };
void sess_count_error(struct sess *sess, enum sess_error kind);

/* What is to be told in every PDU to the initiator. */
void sess_window(struct sess *sess, uint32_t *ret_exp, uint32_t *ret_max);
/* A command of the window has ended. */
void sess_release_slot(struct sess *sess);

enum sess_order { SESS_NOW, SESS_HELD, SESS_IGNORE };
/*
 * A request that is not immediate has come with this CmdSN. NOW: it is its turn, and ExpCmdSN has
 * advanced; HELD: keep it (sess_hold()); IGNORE: outside of the window, or a duplicate.
 *	scsi	it is a SCSI command, which takes a place in the window until sess_release_slot()
 */
enum sess_order sess_order_of(struct sess *sess, uint32_t cmdsn, bool scsi);
/* Keep it until its turn. False: another one has that CmdSN. */
bool sess_hold(struct sess *sess, struct task *task);
/* What is held never gets its turn: the session ends. */
void sess_drop_held(struct sess *sess);
/* Run what is held and has its turn now. */
void sess_run_held(struct sess *sess);

/* Bits by enum tmf_function of what its protocol level does not have (tmf.c). Any thread. */
uint32_t tmf_not_carried(const struct sess *sess);

extern const struct fabric_ops sess_fabric_ops;
const char *sess_state_name(enum sess_state s);

/*
 * For lists and statistics: fn for each session of the portal group, under the configuration
 * lock.
 */
void sess_each(struct tpg *tpg, void (*fn)(struct sess *sess, void *arg), void *arg);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sess.h: a session (RFC 7143 4.2.4, 8.3): the command window that its connections share, and its
 * life from login to I_T nexus loss.
 *
 * Its connections may lie on different loops; tasks are theirs (connection allegiance, 4.2.4). The
 * session has a home loop of its own, that of its nexus, which does not depend on any connection.
 * What loops share is under sess->lock, which is held for a few instructions and is the innermost
 * lock but for those of the loops. What is agreed at login never changes.
 */
#ifndef ULIO_FABRIC_ISCSI_SESS_H
#define ULIO_FABRIC_ISCSI_SESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/target.h"
#include "fabric/iscsi/visit.h"

struct nexus;
struct task;

/* RFC 7143 8.3.1 */
enum sess_state {
	SESS_FREE, /* Q1 */
	SESS_LOGGED_IN, /* Q3 */
	SESS_FAILED, /* Q4: its connections are gone: it ends, or at level 2 waits (recover.h) */
	SESS_CLOSED, /* no more than what engine and loops still hold */
	SESS_STATES
};

/* How a session is ended from outside, the gentlest way first. */
enum sess_drop_way { SESS_DROP_ASK, SESS_DROP_DISMISS, SESS_DROP_CLOSE };

struct sess {
	struct entity *entity;
	_Atomic unsigned refs; /* connections, messages and visits; one until it is closed */
	struct loop *loop; /* its home */

	/* Agreed at login. */
	uint16_t tsih;
	uint8_t isid[6];
	struct sess_params params;
	char initiator[NODE_NAME_BYTES_MAX + 1];
	struct host *host; /* under whose limits it counts (hosts.h); NULL: nobody's */
	struct node_attribs node; /* of its ACL, as they were at login */
	char *user; /* that CHAP has authenticated, or NULL */
	bool by_next, mutual; /* by the account's next secret; and the target has proved itself */
	const char *algorithm; /* static, NULL without CHAP */
	bool discovery;
	uint32_t depth; /* commands that may be under way */
	uint64_t created_ns;

	/* Changed on the home loop, under the configuration lock. */
	struct tpg *tpg; /* NULL: a discovery session, or one that has ended */
	struct list tpg_link; /* in tpg->sessions */
	struct list entity_link; /* in entity->sessions, until it is closed */

	/* The home loop's; the nexus stays as long as a connection has commands. */
	struct nexus *nexus; /* NULL: a discovery session, or closed */
	bool closing; /* the nexus is being closed */
	struct loop_msg end_msg; /* queued while end_posted */
	struct sess_visit closed; /* tells connections that wait for the end of the nexus */

	pthread_mutex_t lock;
	enum sess_state state;
	bool ending; /* takes no more connections */
	bool end_posted;
	bool logged_out; /* by a Logout, not by the loss of its connections */
	struct list conns; /* struct conn by sess_link, by conn->join */
	uint32_t nconns, next_join;
	uint32_t joining; /* logins that are about to join: while there are any it does not end */
	struct list failed; /* struct conn by failed_link, by conn->join (recover.h) */
	uint32_t nfailed;
	bool dropping; /* `drop` is under way, by drop_done; drop_way has been asked for */
	enum sess_drop_way drop_way, drop_done;
	struct sess_visit drop;
	char drop_why[128];
	uint16_t drop_s; /* seconds that the initiator has to log out */
	char last_error[128];
	uint64_t cmd_pdus, rsp_pdus, digest_errors; /* of connections that have gone */

	uint32_t exp_cmdsn, max_cmdsn; /* RFC 7143 4.2.2.1; the latter as it was told last */
	_Atomic uint32_t active; /* commands under way; grows under the lock */
	struct list held; /* struct task: what came before its turn, by CmdSN */
	bool many; /* it has, or had, several connections: turns are counted */
	uint32_t entering; /* turns that were given and have not been taken to their end yet */
	bool barrier; /* one of these is for something that has to be alone */
	const struct task *ordered; /* what comes after it waits for its end */

	struct list fences; /* struct fence, the first one is at work (fence.c) */
	_Atomic uint32_t fence_last; /* number of the youngest; changed under the lock */
	uint32_t fence_passed; /* of the last one that is no reason to hold anything any more */
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
 * The order in which an initiator has sent requests, as a serial number: one that is immediate
 * bears the number of what comes next (RFC 7143 4.2.2.1).
 */
static inline uint32_t sess_order(uint32_t cmdsn, bool immediate)
{
	return cmdsn << 1 | !immediate;
}

/*
 * Make the session of a connection whose login has come to its end: TSIH, nexus, home loop (the
 * connection's). Returns the login_status to refuse with if that fails, or SESS_AGAIN: another
 * login has made one of the same initiator port meanwhile (6.3.5). On the connection's loop.
 *	tpg	counted in tpg->nsessions by the caller; NULL: a discovery session
 */
#define SESS_AGAIN 0xffff
uint16_t sess_new(struct conn *conn, struct tpg *tpg, const struct keys_values *values,
	const uint8_t isid[6], uint32_t cmdsn, const struct node_attribs *node, uint32_t depth);
/* 6.3.5: the session of that initiator port in the group. Under the configuration lock. */
struct sess *sess_of_port(struct tpg *tpg, const uint8_t isid[6], const char *initiator);
/* Any thread. */
void sess_ref(struct sess *sess);
void sess_unref(struct sess *sess);
/* Under sess->lock, on the connection's loop: it belongs to the session from now on. */
void sess_add_conn(struct sess *sess, struct conn *conn);
/* A login begins (1) or ends (-1) to join it. Any loop. */
void sess_joining(struct sess *sess, int by);
/*
 * A connection is being closed: it leaves the session, and the last one takes it with it. On the
 * connection's loop; its reference stays until it is freed.
 */
void sess_conn_gone(struct sess *sess, struct conn *conn);
/*
 * Close the nexus on the home loop: no connection has commands any more, or none is left. Those
 * that wait for it (LOGOUT_NEXUS) get logout_answer(). Any thread; more than once is no matter.
 */
void sess_end(struct sess *sess);
/*
 * End it, from any thread, also under the configuration lock: close its connections; why is copied,
 * for the log. sess_dismiss() tells the initiator first (RFC 7143 11.9.1, event 3).
 */
void sess_drop(struct sess *sess, const char *why);
void sess_dismiss(struct sess *sess, const char *why);
/* It has more than one connection. Any loop. */
bool sess_has_several(struct sess *sess);
/*
 * Ask the initiator to log out (event 1); a connection that has not within that many seconds is
 * closed. Any thread, also under the configuration lock; why is copied.
 */
void sess_ask_logout(struct sess *sess, const char *why, uint16_t seconds);
/* What went wrong last. Any loop. */
void sess_set_error(struct sess *sess, const char *why);

/* One more of a kind that statistics tell; sess NULL: nobody's yet. On the connection's loop. */
enum sess_error { SESS_DIGEST_ERROR, SESS_CONNECTION_ERROR, SESS_FORMAT_ERROR };
void sess_count_error(struct sess *sess, enum sess_error kind);
/* It, or a connection of it, ends by a Logout. Any loop. */
void sess_count_logout(struct sess *sess, bool whole);
void sess_count_login(struct sess *sess);

/* ---- window.c: the command window, RFC 7143 4.2.2.1 ---- */

/* What is to be told in every PDU to the initiator. */
void sess_window(struct sess *sess, uint32_t *ret_exp, uint32_t *ret_max);
/* A command of the window has ended: MaxCmdSN grows when it is told next. Any thread. */
void sess_release_slot(struct sess *sess);

enum sess_order { SESS_NOW, SESS_HELD, SESS_IGNORE };

/*
 * The turn of a request. Commands that are SIMPLE may be on their way into the engine on several
 * loops at once: SAM-5 orders nothing among them. Anything else is a barrier: it has its turn when
 * all before it are through with theirs, and nothing has its turn before it is.
 */
struct sess_turn {
	bool scsi; /* a SCSI command, which takes a place in the window until sess_release_slot() */
	bool barrier;
	bool function; /* task management: what is older must have come, and not have begun */
	bool counted; /* in sess->entering */
};

/*
 * A request that is not immediate has come with this CmdSN. NOW: it is its turn, and ExpCmdSN has
 * advanced: run it and call sess_turn_over(); HELD: keep it (sess_hold()); IGNORE: outside of the
 * window, or a duplicate. On the connection's loop, as the following three.
 */
enum sess_order sess_order_of(struct sess *sess, uint32_t cmdsn, struct sess_turn *turn);
/* An immediate request with this CmdSN may be before its turn: sess_hold() tells. */
bool sess_is_early(struct sess *sess, uint32_t cmdsn);
/*
 * What was collected in conn->arrivals, SCSI commands in the order of their coming, has its turn,
 * is held, or is ignored. Commands that come together are collected, so that the session's lock is
 * taken for all of them once; nothing else of the connection is looked at before they are ordered.
 * What came before the connection was closed has taken its number; others need not wait for it.
 */
void sess_arrived(struct conn *conn);
/* It has entered the engine, or is done: what was held may go on, here or on other loops. */
void sess_turn_over(struct sess *sess, struct loop *loop, const struct sess_turn *turn);
/*
 * Keep a task until its turn (task->cmdsn, ->immediate, ->turn), and run it if that has come. An
 * immediate one takes no number: it waits for what is older. False: another one has that CmdSN.
 */
bool sess_hold(struct sess *sess, struct task *task);
/* What is held of this connection never gets its turn. */
void sess_drop_held(struct sess *sess, struct conn *conn);
/* What was waited for may no longer be needed: look again. */
void sess_run_held(struct sess *sess, struct loop *loop);
/* This ORDERED command has its turn: commands after it wait until it has ended. */
void sess_ordered_begin(struct sess *sess, const struct task *task);
void sess_ordered_end(struct sess *sess, const struct task *task, struct loop *loop);
/* A turn was given to held tasks of the connection from another loop: conn->turn_msg. */
void sess_turns_came(struct loop *loop, struct loop_msg *msg);

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

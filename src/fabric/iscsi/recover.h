/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recover.h: connections of ErrorRecoveryLevel 2 that have failed (RFC 7143 7.1.4.4, 7.2, 8.2).
 *
 * Such a connection stays as an object, without a socket: its tasks stay with it, and what the
 * engine says of them is kept in them. It is in sess->failed until
 *	Time2Wait + Time2Retain have passed, since it failed or since it was logged out for
 *	recovery: then its tasks are aborted; or
 *	it is logged out for recovery, explicitly or by a login with its CID, and its last task has
 *	gone to another connection (reassign.h); or
 *	the session ends.
 * A session without any other connection waits for its initiator as long as it has one of these
 * (8.3, Q4), and a login continues it (6.3.6).
 *
 * States of 8.2: CLEANUP_WAIT is conn->keeps, IN_CLEANUP is keeps and recovered, CLEANUP_FREE
 * neither. Loop: the connection's, unless it says otherwise.
 */
#ifndef ULIO_FABRIC_ISCSI_RECOVER_H
#define ULIO_FABRIC_ISCSI_RECOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"

struct conn;
struct entity;
struct sess;

/* It is being closed: keep it (conn->keeps) if there is something to recover by the level. */
void recover_begin(struct conn *conn);
/* Nothing of it is under way in the loop any more. More than once is no matter. */
void recover_quiet(struct conn *conn);
/* Nothing of it is left but who waits for that. */
void recover_gone(struct conn *conn);
/* Keep it no longer: its time is up. */
void recover_end(struct conn *conn);
/* The session ends, and all of them with it. Any thread, under sess->lock. */
void recover_end_all(struct sess *sess);

/* The fabric stops: no connection is kept any more. Control thread. */
void recover_stop(struct entity *e);

/* Logout of another connection, for recovery. */
struct recover {
	/* Set by who asks. */
	struct sess *sess; /* there is a reference */
	struct conn *conn; /* pinned; done runs on its loop; itself is not meant */
	uint16_t cid;
	bool exact; /* the one with this conn->join is meant, whoever has its CID by now */
	uint32_t join;
	bool close; /* its tasks end: no reassignment (11.14, reason 1) */
	void (*done)(struct recover *r);
	void *arg;
	/*
	 * The answer: there was one of that CID. Its tasks may be reassigned now, or below level 2
	 * have ended.
	 */
	bool found;
	/* Private. */
	struct conn *old; /* counted in its ->visits */
	struct list link; /* in old->recovers */
	struct loop_msg msg;
};

/*
 * Close the session's connection of that CID if it still lives, and make its tasks ready for their
 * reassignment: explicit logout for recovery (11.14, reason 2), connection reinstatement (6.3.4).
 * done never runs from inside.
 */
void recover_logout(struct recover *r);

/* ---- cleanup.c: Logout Requests about recovery, and about others at level 2 ---- */

/* Reason 2: of any connection, also itself. */
void cleanup_request(struct conn *conn, uint32_t itt, uint16_t cid);
/* Reason 1 of another connection. */
void cleanup_close(struct conn *conn, uint32_t itt, uint16_t cid);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * login.h: the login phase (RFC 7143 6.3, 11.12, 11.13) as a state machine without sockets.
 *
 * The connection hands over every Login Request with its data segment; it gets back a Login
 * Response to send and a verdict. What the machine has to know of targets, access lists and
 * sessions it asks through login_ops. Sequence numbers, timers, and what a successful login does to
 * sessions (TSIH, reinstatement) are the connection's. Loop: the connection's.
 */
#ifndef ULIO_FABRIC_ISCSI_LOGIN_H
#define ULIO_FABRIC_ISCSI_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fabric/iscsi/chap.h"
#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/limits.h"
#include "fabric/iscsi/wire.h"

/* Who wants to log in to what. Names are normalised; pointers live as long as the login. */
struct login_id {
	const char *initiator_name;
	const char *target_name; /* "" in a discovery session */
	bool discovery;
	uint8_t isid[6];
	uint16_t tsih; /* 0: a new session, or one that replaces its predecessor (6.3.5) */
	uint16_t cid;
};

/*
 * What the answers of login_ops are put into; zeroed before, copied after, wiped with the login.
 * keys.auth_method decides on authentication: CHAP alone demands it, None alone forgoes it, both
 * leave the choice to the initiator (the first of its list that is allowed; only None while chap
 * has no account that could be proved).
 */
struct login_grant {
	struct keys_config keys; /* begins as keys_config_init() */
	struct chap_auth chap; /* chap.more: a reference of its own, which the login drops */
	uint16_t target_portal_group_tag;
	/* With status LOGIN_STATUS_TARGET_MOVED_x: the TargetAddress to send (13.8). */
	char target_address[KEY_VALUE_BYTES_MAX + 1];
	/* With any other status but success: for the log; static text or NULL. */
	const char *cause;
	const char *cure;
};

/*
 * Questions, asked in this order once the first request's text is complete. Each returns an
 * enum login_status: LOGIN_STATUS_SUCCESS, or what the initiator is refused or redirected with.
 */
struct login_ops {
	/*
	 * The target of that name and the portal group that this connection came through: set
	 * g->keys, g->target_portal_group_tag. Not asked for a discovery session.
	 */
	uint16_t (*find_target)(void *arg, const struct login_id *id, struct login_grant *g);
	/*
	 * May this initiator come in (access list of the target; in a discovery session, the rules
	 * for discovery), and how does it prove who it is: set g->keys.auth_method, g->chap; in a
	 * discovery session g->keys too.
	 */
	uint16_t (*find_node)(void *arg, const struct login_id *id, struct login_grant *g);
	/*
	 * id->tsih is not 0: the session it names, of the same initiator, ISID, target and portal
	 * group, to which this connection is added or in which it reinstates one (6.3.4):
	 * set *params. LOGIN_STATUS_SESSION_DOES_NOT_EXIST, _TOO_MANY_CONNECTIONS,
	 * _CANNOT_INCLUDE_IN_SESSION as 11.13.5 has them. Not asked for tsih 0.
	 */
	uint16_t (*find_session)(void *arg, const struct login_id *id, struct sess_params *params);
};

enum login_verdict {
	LOGIN_PENDING, /* send the response, wait for the next request */
	LOGIN_COMPLETE, /* set TSIH of the response to the session's, send it, enter full feature */
	LOGIN_REFUSED, /* send the response, close */
};

/*
 * A response ready to send, but for StatSN, ExpCmdSN and MaxCmdSN (and TSIH of the last one of a
 * new session). text lives until the next call for this login.
 */
struct login_reply {
	struct bhs_login_response bhs;
	const char *text;
	size_t text_bytes; /* also in bhs.data_segment_length */
};

enum login_state {
	LOGIN_START, /* nothing received */
	LOGIN_SECURITY, /* SecurityNegotiation */
	LOGIN_OPERATIONAL, /* LoginOperationalNegotiation */
	LOGIN_FULL_FEATURE,
	LOGIN_FAILED,
	LOGIN_STATES,
};

/* Why a login was refused: for the log and for the counters of failed logins. */
struct login_failure {
	enum login_state state; /* where it was */
	uint16_t status; /* enum login_status */
	char cause[192]; /* one line, printable, no secrets */
	const char *cure; /* what the administrator can do; static; "" if nothing is known */
};

struct login;

/* ops and arg outlive the login. NULL when memory is short. */
struct login *login_new(const struct login_ops *ops, void *arg);

/* Wipes secrets; takes NULL; returns NULL. */
struct login *login_free(struct login *l);

/*
 * One Login Request, header and data segment (of the length that the header says; the caller has
 * read it and refused AHS and segments over LOGIN_DATA_SEGMENT_BYTES_MAX). *ret is set whatever the
 * verdict is. After LOGIN_COMPLETE or LOGIN_REFUSED no further request may be handed over.
 */
enum login_verdict login_request(struct login *l, const struct bhs_login_request *req,
	const void *text, size_t text_bytes, struct login_reply *ret);

/*
 * Refuse from outside: something else than a Login Request came (LOGIN_STATUS_INVALID_DURING_LOGIN;
 * 11.13.5), the time limit passed, the session could not be made after LOGIN_COMPLETE. cause is
 * copied, cure is static or NULL. Always LOGIN_REFUSED.
 */
enum login_verdict login_refuse(struct login *l, uint16_t status, const char *cause,
	const char *cure, struct login_reply *ret);

/* Who; its names are "" until they are known. */
const struct login_id *login_id(const struct login *l);

/* The results, valid after LOGIN_COMPLETE. */
const struct keys_values *login_values(const struct login *l);

/* CmdSN of the first request: a new session's first CmdSN (11.12.8). */
uint32_t login_cmdsn(const struct login *l);

/*
 * The name that CHAP authenticated, or NULL; whether by its next secret (chap_user.password_next);
 * whether we proved ours too.
 */
const char *login_user(const struct login *l);
bool login_by_next(const struct login *l);
/* The CHAP algorithm, static; NULL without CHAP. */
const char *login_algorithm(const struct login *l);
bool login_mutual(const struct login *l);

/* Why it failed, or NULL while it has not. */
const struct login_failure *login_failure(const struct login *l);

/* The next complete request should bring the answer to our challenge. */
bool login_awaits_response(const struct login *l);
/* It failed because name or secret were wrong: somebody may be guessing. */
bool login_guessed_wrong(const struct login *l);

/* Where it is. */
enum login_state login_state(const struct login *l);

/* "SecurityNegotiation" and so on, for logs. */
const char *login_state_name(enum login_state s);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * login_log.h: the record of refused logins: who, where in the login, with which status, why, and
 * what an administrator can do. The last LOGIN_RECORDS_MAX of them are kept for `ulio logins`; each
 * is logged when it is new, and after that once in LOGIN_RECORD_QUIET_NS with the number of times:
 * an initiator that tries for ever does not fill the log. Nothing in it is secret.
 *
 * login_log_refused() and login_log_closed() are for the loop of the connection, the rest for the
 * control thread.
 */
#ifndef ULIO_FABRIC_ISCSI_LOGIN_LOG_H
#define ULIO_FABRIC_ISCSI_LOGIN_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "fabric/iscsi/limits.h"

struct conn;
struct login_failure;

/* Refusals of one kind, by one peer. Texts are made printable where they are shown. */
struct login_record {
	uint64_t first_s, last_s; /* since 1970 */
	uint64_t count;
	char peer[64]; /* of the last one, "10.0.0.2:51000" */
	char initiator[NODE_NAME_BYTES_MAX + 1]; /* "": it had not said */
	char target[NODE_NAME_BYTES_MAX + 1];
	bool discovery;
	const char *stage; /* static */
	uint16_t status; /* enum login_status; 0: it ended without an answer */
	char cause[192];
	const char *cure; /* static; "": none is known */
	/* Of no meaning outside: when it was logged last, and how many were not. */
	uint64_t told_ns, untold;
};

struct login_log {
	pthread_mutex_t lock;
	struct login_record *records; /* LOGIN_RECORDS_MAX; n of them are used */
	unsigned n;
	struct log_limit limit;
};

/* 0 or -ENOMEM. */
int login_log_init(struct login_log *l);
void login_log_done(struct login_log *l);

/* The login of this connection was refused: login_failure() says why. */
void login_log_refused(struct conn *conn);
/* A login was begun, and the connection closed before it came to an end. */
void login_log_closed(struct conn *conn, const char *why);

/*
 * fn for each record, the latest first. Returns how many. A copy is told, so fn may take its time.
 * 0 records are told when memory is short.
 */
unsigned login_log_each(
	struct login_log *l, void (*fn)(const struct login_record *r, void *arg), void *arg);

/* "authentication failure" and so on (RFC 7143 11.13.5). */
const char *login_status_name(uint16_t status);

#endif

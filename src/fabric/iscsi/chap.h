/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chap.h: CHAP, the target's side (RFC 7143 12.1.3, RFC 1994), one-way and mutual.
 *
 * Digests come from libcrypto; one that the provider does not have (MD5 under FIPS rules) is not
 * offered. The object holds secrets: it is wiped by chap_done(). Any thread, one at a time per
 * object.
 */
#ifndef ULIO_FABRIC_ISCSI_CHAP_H
#define ULIO_FABRIC_ISCSI_CHAP_H

#include <stdbool.h>
#include <stdint.h>

#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/limits.h"

/* CHAP algorithms, one bit each; their numbers on the wire are the IANA PPP ones. */
enum {
	CHAP_MD5 = 1, /* 5 */
	CHAP_SHA1 = 2, /* 6 */
	CHAP_SHA256 = 4, /* 7 */
	CHAP_SHA3_256 = 8, /* 8 */
	CHAP_ALGORITHMS_ALL = 15,
};

/* What the configuration says of one initiator; LIO's auth/ files. All NUL-terminated. */
struct chap_auth {
	char userid[CHAP_NAME_BYTES_MAX + 1];
	char password[CHAP_SECRET_BYTES_MAX + 1];
	char userid_mutual[CHAP_NAME_BYTES_MAX + 1]; /* empty: no mutual CHAP */
	char password_mutual[CHAP_SECRET_BYTES_MAX + 1]; /* empty: no mutual CHAP */
	uint32_t algorithms; /* mask; 0 means all */
	/* Of no meaning here: which of the four were cleared by "NULL", and are shown so. */
	unsigned cleared;
};

enum chap_state {
	CHAP_WAIT_ALGORITHM, /* for CHAP_A */
	CHAP_WAIT_RESPONSE, /* challenge sent, for CHAP_N and CHAP_R */
	CHAP_ACCEPTED,
	CHAP_REFUSED,
	CHAP_STATES,
};

struct chap {
	enum chap_state state;
	struct chap_auth auth;
	const struct chap_algorithm *algorithm; /* chosen one, static */
	uint8_t identifier;
	uint8_t challenge[CHAP_OUR_CHALLENGE_BYTES];
	bool mutual; /* the initiator asked for our response and got it */
};

/* The algorithms that libcrypto's providers allow here: a mask. */
uint32_t chap_algorithms(void);

/* Begin. auth is copied. */
void chap_init(struct chap *c, const struct chap_auth *auth);

/* Wipe. */
void chap_done(struct chap *c);

/*
 * One step: take the CHAP_ keys out of in (others are not looked at), append our CHAP_ keys to out.
 * Returns 0 while all is well (c->state tells: CHAP_ACCEPTED when the initiator is authenticated
 * and, if it asked, our own response is in out); -EACCES when authentication failed; -EPROTO when
 * the keys are malformed or out of order; -EMSGSIZE, -ENOMEM from out; -EIO when libcrypto or the
 * random source failed. After an error the state is CHAP_REFUSED; the cause is in *f, fit for a
 * log, without secrets.
 */
int chap_step(
	struct chap *c, const struct keys_pairs *in, struct keys_text *out, struct keys_fault *f);

#endif

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
	CHAP_ALGORITHMS = 4, /* so many */
};

/* An account: who an initiator may prove to be, and by what. All with zeros up to their end. */
struct chap_user {
	char userid[CHAP_NAME_BYTES_MAX + 1];
	char password[CHAP_SECRET_BYTES_MAX + 1];
	/* Accepted as well, so that a secret can be changed without a gap; empty: none. */
	char password_next[CHAP_SECRET_BYTES_MAX + 1];
	char userid_mutual[CHAP_NAME_BYTES_MAX + 1]; /* empty: no mutual CHAP */
	char password_mutual[CHAP_SECRET_BYTES_MAX + 1]; /* empty: no mutual CHAP */
};

/* Further accounts: immutable, shared by the logins that look at them. */
struct chap_users {
	_Atomic unsigned refs;
	unsigned n;
	struct chap_user v[];
};

/*
 * Which algorithms may be used. With n == 0 all that there are, by the initiator's order; else
 * these alone, by this order: 12.1.3 leaves the choice among those proposed to the target.
 */
struct chap_policy {
	uint8_t n;
	uint8_t number[CHAP_ALGORITHMS]; /* on the wire */
};

/* What the configuration says of one initiator. */
struct chap_auth {
	struct chap_user user; /* LIO's auth/ files */
	struct chap_users *more; /* ref, or NULL */
	struct chap_policy policy;
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
	struct chap_auth auth; /* with a reference of its own to auth.more */
	const struct chap_algorithm *algorithm; /* chosen one, static */
	const struct chap_user *who; /* in auth; whose response came, with CHAP_ACCEPTED */
	bool by_next; /* by its password_next */
	bool wrong; /* name or secret were */
	uint8_t identifier;
	uint8_t challenge[CHAP_OUR_CHALLENGE_BYTES];
	bool mutual; /* the initiator asked for our response and got it */
};

/* The algorithms that libcrypto's providers allow here: a mask. */
uint32_t chap_algorithms(void);

/* "MD5", "SHA1", "SHA256", "SHA3-256", as open-iscsi calls them; NULL for another number. */
const char *chap_algorithm_name(unsigned number);

/*
 * A list of names or numbers, "SHA3-256,SHA256"; "" is the policy that allows all. 0 or -EINVAL:
 * one that is unknown, or named twice. And back, into a buffer of CHAP_POLICY_TEXT bytes.
 */
#define CHAP_POLICY_TEXT 40
int chap_policy_parse(const char *text, struct chap_policy *ret);
void chap_policy_print(const struct chap_policy *p, char *buf);

/* One more user of the accounts; NULL stays NULL. The last one who goes wipes them. */
struct chap_users *chap_users_ref(struct chap_users *u);
struct chap_users *chap_users_unref(struct chap_users *u);

/* Wipe, and drop the reference. */
void chap_auth_done(struct chap_auth *auth);

/* Is there any account that an initiator could prove to have? */
bool chap_auth_usable(const struct chap_auth *auth);

/* The name of the algorithm that was chosen; once one was. */
const char *chap_algorithm_used(const struct chap *c);

/* Begin. auth is copied, with a reference. */
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

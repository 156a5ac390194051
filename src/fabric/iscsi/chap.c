/* SPDX-License-Identifier: BSD-3-Clause */
/* chap.c: CHAP as the authenticator (RFC 7143 12.1.3, RFC 1994 4.1) and, if asked, the peer. */
#include "fabric/iscsi/chap.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "base/rng.h"

/* IANA "PPP Authentication Algorithms"; 7 and 8 came in with RFC 7143's registry. */
static const struct chap_algorithm {
	uint32_t bit;
	uint8_t number; /* in CHAP_A */
	uint8_t digest_bytes;
	const char *name; /* libcrypto's */
} algorithms[] = {
	{ CHAP_MD5, 5, 16, "MD5" },
	{ CHAP_SHA1, 6, 20, "SHA1" },
	{ CHAP_SHA256, 7, 32, "SHA2-256" },
	{ CHAP_SHA3_256, 8, 32, "SHA3-256" },
};

#define NALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))

static bool algorithm_available(const struct chap_algorithm *a)
{
	EVP_MD *md = EVP_MD_fetch(NULL, a->name, NULL);

	EVP_MD_free(md);
	return md != NULL;
}

uint32_t chap_algorithms(void)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < NALGORITHMS; i++) {
		if (algorithm_available(&algorithms[i]))
			mask |= algorithms[i].bit;
	}
	return mask;
}

void chap_init(struct chap *c, const struct chap_auth *auth)
{
	*c = (struct chap){ .state = CHAP_WAIT_ALGORITHM, .auth = *auth };
}

void chap_done(struct chap *c)
{
	OPENSSL_cleanse(c, sizeof(*c));
	c->state = CHAP_REFUSED;
}

/* RFC 1994 4.1: digest of identifier, secret, challenge. 0 or -EIO. */
static int digest(const struct chap_algorithm *a, uint8_t identifier, const char *secret,
	const uint8_t *challenge, size_t challenge_bytes, uint8_t *ret)
{
	EVP_MD *md = EVP_MD_fetch(NULL, a->name, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;
	int ok;

	ok = md && ctx && EVP_MD_get_size(md) == a->digest_bytes && EVP_DigestInit(ctx, md) == 1 &&
	     EVP_DigestUpdate(ctx, &identifier, 1) == 1 &&
	     EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1 &&
	     EVP_DigestUpdate(ctx, challenge, challenge_bytes) == 1 &&
	     EVP_DigestFinal(ctx, ret, &len) == 1 && len == a->digest_bytes;
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return ok ? 0 : -EIO;
}

/* The CHAP_ keys of one step, NULL for each that is absent. */
struct items {
	const struct keys_pair *a, *i, *c, *n, *r;
};

static int add_binary(struct keys_text *out, const char *key, const uint8_t *bytes, size_t n)
{
	char text[2 + 2 * CHAP_DIGEST_BYTES_MAX + 1] = "0x";
	ssize_t len = hex_encode(text + 2, sizeof(text) - 2, bytes, n);

	assert(len > 0);
	return keys_text_add(out, key, text);
}

static int add_number(struct keys_text *out, const char *key, unsigned n)
{
	char text[4];

	snprintf(text, sizeof(text), "%u", n & 0xff);
	return keys_text_add(out, key, text);
}

/* ---- What the rows of the state table do ---- */

/* The first algorithm of the initiator's list that we have and may use; NULL if there is none. */
static const struct chap_algorithm *choose(const char *list, uint32_t mask)
{
	for (int n = 0; n < CHAP_ALGORITHMS_LIST_MAX; n++) {
		size_t len = strcspn(list, ",");
		char number[4];
		uint64_t x;

		snprintf(number, sizeof(number), "%.*s", len < 4 ? (int)len : 0, list);
		for (size_t i = 0; keys_number(number, &x) == 0 && i < NALGORITHMS; i++) {
			if (algorithms[i].number == x && (algorithms[i].bit & mask) &&
				algorithm_available(&algorithms[i]))
				return &algorithms[i];
		}
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	return NULL;
}

static int send_challenge(
	struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	uint32_t mask = c->auth.algorithms ? c->auth.algorithms : CHAP_ALGORITHMS_ALL;
	int rc;

	if (!c->auth.userid[0] || !c->auth.password[0]) {
		keys_fault_set(f, "CHAP is demanded, but no userid and password are configured");
		return -EACCES;
	}
	c->algorithm = choose(x->a->value, mask);
	if (!c->algorithm) {
		keys_fault_set(f, "CHAP_A=%.60s: no algorithm in common", x->a->value);
		return -EACCES;
	}
	if (rng_fill(c->challenge, sizeof(c->challenge)) < 0 || rng_fill(&c->identifier, 1) < 0) {
		keys_fault_set(f, "no random numbers from the kernel");
		return -EIO;
	}
	rc = add_number(out, "CHAP_A", c->algorithm->number);
	if (rc == 0)
		rc = add_number(out, "CHAP_I", c->identifier);
	if (rc == 0)
		rc = add_binary(out, "CHAP_C", c->challenge, sizeof(c->challenge));
	return rc;
}

static int verify(
	struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	uint8_t want[CHAP_DIGEST_BYTES_MAX], got[CHAP_DIGEST_BYTES_MAX] = { 0 };
	bool same, user;
	int n;

	n = keys_binary(x->r->value, got, sizeof(got));
	if (n != c->algorithm->digest_bytes) {
		keys_fault_set(f, "CHAP_R is not %u bytes in hexadecimal or base64",
			c->algorithm->digest_bytes);
		return -EPROTO;
	}
	if (digest(c->algorithm, c->identifier, c->auth.password, c->challenge,
		    sizeof(c->challenge), want) < 0) {
		keys_fault_set(f, "libcrypto refuses %s", c->algorithm->name);
		return -EIO;
	}
	same = CRYPTO_memcmp(want, got, c->algorithm->digest_bytes) == 0;
	user = strcmp(x->n->value, c->auth.userid) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	if (same && user)
		return 0;
	keys_fault_set(f, "CHAP_N=%.60s: %s", x->n->value,
		user ? "wrong password" : "not the userid configured for this initiator");
	return -EACCES;
}

/* 9.2.1: a challenge that is ours come back, or a secret used in both directions, gives access. */
static int mutual_check(
	const struct chap *c, const uint8_t *challenge, size_t n, struct keys_fault *f)
{
	if (!c->auth.userid_mutual[0] || !c->auth.password_mutual[0]) {
		keys_fault_set(f, "the initiator asks for mutual CHAP, which is not configured");
		return -EACCES;
	}
	if (strcmp(c->auth.password, c->auth.password_mutual) == 0) {
		keys_fault_set(f, "the CHAP passwords of both directions are the same");
		return -EACCES;
	}
	if (n == sizeof(c->challenge) && memcmp(challenge, c->challenge, n) == 0) {
		keys_fault_set(f, "CHAP_C is our own challenge sent back");
		return -EACCES;
	}
	return 0;
}

static int respond(
	struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	uint8_t challenge[CHAP_CHALLENGE_BYTES_MAX], response[CHAP_DIGEST_BYTES_MAX];
	uint64_t identifier;
	int n, rc;

	n = keys_binary(x->c->value, challenge, sizeof(challenge));
	if (n < 0 || keys_number(x->i->value, &identifier) < 0 || identifier > UINT8_MAX) {
		keys_fault_set(f, "malformed CHAP_I or CHAP_C");
		return -EPROTO;
	}
	rc = mutual_check(c, challenge, (size_t)n, f);
	if (rc)
		return rc;
	if (digest(c->algorithm, (uint8_t)identifier, c->auth.password_mutual, challenge, (size_t)n,
		    response) < 0) {
		keys_fault_set(f, "libcrypto refuses %s", c->algorithm->name);
		return -EIO;
	}
	c->mutual = true;
	rc = keys_text_add(out, "CHAP_N", c->auth.userid_mutual);
	return rc ? rc : add_binary(out, "CHAP_R", response, c->algorithm->digest_bytes);
}

static int verify_respond(
	struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	int rc = verify(c, x, out, f);

	return rc ? rc : respond(c, x, out, f);
}

static int idle(struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	return 0;
}

/* ---- The state table ---- */

/* Which CHAP_ keys a step has. */
enum event {
	EV_OTHER,
	EV_NOTHING,
	EV_A, /* CHAP_A */
	EV_NR, /* CHAP_N, CHAP_R */
	EV_NRIC, /* CHAP_N, CHAP_R, CHAP_I, CHAP_C */
};

static enum event event_of(const struct items *x)
{
	static const enum event by_keys[32] = {
		[0x00] = EV_NOTHING,
		[0x01] = EV_A,
		[0x18] = EV_NR,
		[0x1e] = EV_NRIC,
	};
	unsigned keys = (x->a ? 0x01 : 0) | (x->i ? 0x02 : 0) | (x->c ? 0x04 : 0) |
			(x->n ? 0x08 : 0) | (x->r ? 0x10 : 0);

	return by_keys[keys];
}

/* RFC 7143 12.1.3. No row: a protocol error. */
static const struct transition {
	enum chap_state from;
	enum event on;
	int (*run)(struct chap *, const struct items *, struct keys_text *, struct keys_fault *);
	enum chap_state to; /* when run returns 0 */
} transitions[] = {
	{ CHAP_WAIT_ALGORITHM, EV_NOTHING, idle, CHAP_WAIT_ALGORITHM },
	{ CHAP_WAIT_ALGORITHM, EV_A, send_challenge, CHAP_WAIT_RESPONSE },
	{ CHAP_WAIT_RESPONSE, EV_NOTHING, idle, CHAP_WAIT_RESPONSE },
	{ CHAP_WAIT_RESPONSE, EV_NR, verify, CHAP_ACCEPTED },
	{ CHAP_WAIT_RESPONSE, EV_NRIC, verify_respond, CHAP_ACCEPTED },
	{ CHAP_ACCEPTED, EV_NOTHING, idle, CHAP_ACCEPTED },
};

int chap_step(
	struct chap *c, const struct keys_pairs *in, struct keys_text *out, struct keys_fault *f)
{
	struct items x = {
		.a = keys_find(in, "CHAP_A"),
		.i = keys_find(in, "CHAP_I"),
		.c = keys_find(in, "CHAP_C"),
		.n = keys_find(in, "CHAP_N"),
		.r = keys_find(in, "CHAP_R"),
	};
	enum event on = event_of(&x);

	for (size_t i = 0; i < sizeof(transitions) / sizeof(transitions[0]); i++) {
		const struct transition *t = &transitions[i];
		int rc;

		if (t->from != c->state || t->on != on)
			continue;
		rc = t->run(c, &x, out, f);
		c->state = rc ? CHAP_REFUSED : t->to;
		if (rc == -EMSGSIZE || rc == -ENOMEM)
			keys_fault_set(f, "no room for the CHAP answer");
		return rc;
	}
	c->state = CHAP_REFUSED;
	keys_fault_set(f, "CHAP keys out of order");
	return -EPROTO;
}

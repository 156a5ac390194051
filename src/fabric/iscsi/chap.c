/* SPDX-License-Identifier: BSD-3-Clause */
/* chap.c: CHAP as the authenticator (RFC 7143 12.1.3, RFC 1994 4.1) and, if asked, the peer. */
#include "fabric/iscsi/chap.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
	const char *told; /* to people */
} algorithms[] = {
	{ CHAP_MD5, 5, 16, "MD5", "MD5" },
	{ CHAP_SHA1, 6, 20, "SHA1", "SHA1" },
	{ CHAP_SHA256, 7, 32, "SHA2-256", "SHA256" },
	{ CHAP_SHA3_256, 8, 32, "SHA3-256", "SHA3-256" },
};

#define NALGORITHMS (sizeof(algorithms) / sizeof(algorithms[0]))
static_assert(NALGORITHMS == CHAP_ALGORITHMS, "a policy has room for all");

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

/* ---- Policies and accounts ---- */

const char *chap_algorithm_name(unsigned number)
{
	for (size_t i = 0; i < NALGORITHMS; i++) {
		if (algorithms[i].number == number)
			return algorithms[i].told;
	}
	return NULL;
}

/* The algorithm that len bytes of text name. */
static const struct chap_algorithm *named(const char *text, size_t len)
{
	char word[16];
	uint64_t x;

	if (len >= sizeof(word))
		return NULL;
	memcpy(word, text, len);
	word[len] = '\0';
	for (size_t i = 0; i < NALGORITHMS; i++) {
		const struct chap_algorithm *a = &algorithms[i];

		if (!strcasecmp(word, a->told) || !strcasecmp(word, a->name) ||
			(keys_number(word, &x) == 0 && x == a->number))
			return a;
	}
	return NULL;
}

int chap_policy_parse(const char *text, struct chap_policy *ret)
{
	struct chap_policy p = { 0 };
	uint32_t seen = 0;

	while (*text) {
		size_t len = strcspn(text, ",");
		const struct chap_algorithm *a = named(text, len);

		if (!a || (seen & a->bit))
			return -EINVAL;
		seen |= a->bit;
		p.number[p.n++] = a->number;
		text += len;
		if (*text == ',' && !*++text)
			return -EINVAL;
	}
	*ret = p;
	return 0;
}

void chap_policy_print(const struct chap_policy *p, char *buf)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < p->n; i++) {
		int n = snprintf(buf + at, CHAP_POLICY_TEXT - at, "%s%s", i ? "," : "",
			chap_algorithm_name(p->number[i]));

		assert(n > 0 && (size_t)n < CHAP_POLICY_TEXT - at);
		at += (size_t)n;
	}
}

struct chap_users *chap_users_ref(struct chap_users *u)
{
	if (u)
		atomic_fetch_add(&u->refs, 1);
	return u;
}

struct chap_users *chap_users_unref(struct chap_users *u)
{
	if (u && atomic_fetch_sub(&u->refs, 1) == 1) {
		OPENSSL_cleanse(u->v, u->n * sizeof(u->v[0]));
		free(u);
	}
	return NULL;
}

void chap_auth_done(struct chap_auth *auth)
{
	chap_users_unref(auth->more);
	OPENSSL_cleanse(auth, sizeof(*auth));
}

/* All accounts of auth, one after the other; NULL at the end. */
static const struct chap_user *user_at(const struct chap_auth *auth, unsigned i)
{
	if (i == 0)
		return &auth->user;
	return auth->more && i <= auth->more->n ? &auth->more->v[i - 1] : NULL;
}

static bool user_usable(const struct chap_user *u)
{
	return u->userid[0] && (u->password[0] || u->password_next[0]);
}

bool chap_auth_usable(const struct chap_auth *auth)
{
	const struct chap_user *u;

	for (unsigned i = 0; (u = user_at(auth, i)); i++) {
		if (user_usable(u))
			return true;
	}
	return false;
}

/* ---- The exchange ---- */

const char *chap_algorithm_used(const struct chap *c)
{
	return c->algorithm->told;
}

void chap_init(struct chap *c, const struct chap_auth *auth)
{
	*c = (struct chap){ .state = CHAP_WAIT_ALGORITHM, .auth = *auth };
	chap_users_ref(c->auth.more);
}

void chap_done(struct chap *c)
{
	chap_auth_done(&c->auth);
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

/* Is the algorithm in the initiator's list? */
static bool proposed(const char *list, unsigned number)
{
	for (int n = 0; n < CHAP_ALGORITHMS_LIST_MAX; n++) {
		size_t len = strcspn(list, ",");
		char text[4];
		uint64_t x;

		snprintf(text, sizeof(text), "%.*s", len < 4 ? (int)len : 0, list);
		if (keys_number(text, &x) == 0 && x == number)
			return true;
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	return false;
}

/* The first algorithm of the initiator's list that we have. */
static const struct chap_algorithm *first_proposed(const char *list)
{
	for (int n = 0; n < CHAP_ALGORITHMS_LIST_MAX; n++) {
		size_t len = strcspn(list, ",");
		char text[4];
		uint64_t x;

		snprintf(text, sizeof(text), "%.*s", len < 4 ? (int)len : 0, list);
		for (size_t i = 0; keys_number(text, &x) == 0 && i < NALGORITHMS; i++) {
			if (algorithms[i].number == x && algorithm_available(&algorithms[i]))
				return &algorithms[i];
		}
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	return NULL;
}

/* 12.1.3: one of those that the initiator proposes; NULL if none may be used. */
static const struct chap_algorithm *choose(const char *list, const struct chap_policy *p)
{
	if (!p->n)
		return first_proposed(list);
	for (unsigned i = 0; i < p->n; i++) {
		for (size_t k = 0; k < NALGORITHMS; k++) {
			const struct chap_algorithm *a = &algorithms[k];

			if (a->number == p->number[i] && proposed(list, a->number) &&
				algorithm_available(a))
				return a;
		}
	}
	return NULL;
}

static int send_challenge(
	struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	char allowed[CHAP_POLICY_TEXT];
	int rc;

	if (!chap_auth_usable(&c->auth)) {
		keys_fault_set(f, "CHAP is demanded, but no userid and password are configured");
		return -EACCES;
	}
	c->algorithm = choose(x->a->value, &c->auth.policy);
	if (!c->algorithm) {
		chap_policy_print(&c->auth.policy, allowed);
		keys_fault_set(f, "CHAP_A=%.60s: no algorithm in common%s%s", x->a->value,
			allowed[0] ? "; allowed here: " : "", allowed);
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

/* Does the response come from this secret? 1, 0, or -EIO. */
static int secret_fits(const struct chap *c, const char *secret, const uint8_t *got)
{
	uint8_t want[CHAP_DIGEST_BYTES_MAX];
	int rc = digest(
		c->algorithm, c->identifier, secret, c->challenge, sizeof(c->challenge), want);

	if (!rc)
		rc = CRYPTO_memcmp(want, got, c->algorithm->digest_bytes) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	return rc;
}

/* Both are followed by zeros to their end; how long this takes does not tell where they differ. */
static bool same_name(const char a[CHAP_NAME_BYTES_MAX + 1], const char b[CHAP_NAME_BYTES_MAX + 1])
{
	return CRYPTO_memcmp(a, b, CHAP_NAME_BYTES_MAX + 1) == 0;
}

/*
 * Look for the account of that name and for the secret that the response was made with. The time
 * that this takes tells neither which names there are nor whose secret is being changed: all names
 * are compared, and always so many digests made as two accounts with two secrets each need: one
 * name can be that of the general account and that of one of the others. A digest that stands for
 * a secret that is not there lets nobody in.
 * *ret_known: the name is one of ours. 0 or -EIO.
 */
static int find_user(struct chap *c, const char *name, const uint8_t *got, bool *ret_known)
{
	const struct chap_user *found[2] = { NULL }, *u;
	char padded[CHAP_NAME_BYTES_MAX + 1] = { 0 };
	size_t len = strlen(name);
	unsigned n = 0;

	/* One that is longer is nobody's, and nobody's is the empty one. */
	if (len < sizeof(padded))
		memcpy(padded, name, len);
	for (unsigned i = 0; (u = user_at(&c->auth, i)); i++) {
		bool is = same_name(padded, u->userid);

		if (is && n < 2 && user_usable(u))
			found[n++] = u;
	}
	*ret_known = n > 0;
	for (unsigned i = 0; i < 4; i++) {
		const struct chap_user *of = found[i / 2];
		bool next = i % 2;
		const char *secret = !of ? "" : next ? of->password_next : of->password;
		int fits = secret_fits(c, secret, got);

		if (fits < 0)
			return fits;
		if (fits && *secret && !c->who) {
			c->who = of;
			c->by_next = next;
		}
	}
	return 0;
}

static int verify(
	struct chap *c, const struct items *x, struct keys_text *out, struct keys_fault *f)
{
	uint8_t got[CHAP_DIGEST_BYTES_MAX] = { 0 };
	bool known;
	int n;

	n = keys_binary(x->r->value, got, sizeof(got));
	if (n != c->algorithm->digest_bytes) {
		keys_fault_set(f, "CHAP_R is not %u bytes in hexadecimal or base64",
			c->algorithm->digest_bytes);
		return -EPROTO;
	}
	if (find_user(c, x->n->value, got, &known) < 0) {
		keys_fault_set(f, "libcrypto refuses %s", c->algorithm->name);
		return -EIO;
	}
	if (c->who)
		return 0;
	c->wrong = true;
	keys_fault_set(f, "CHAP_N=%.60s: %s", x->n->value,
		known ? "wrong password" : "no userid configured for this initiator");
	return -EACCES;
}

/* The account by which we prove who we are: that of the initiator, or the general one. */
static const struct chap_user *mutual_user(const struct chap *c)
{
	return c->who->userid_mutual[0] && c->who->password_mutual[0] ? c->who : &c->auth.user;
}

/* 9.2.1: a challenge that is ours come back, or a secret used in both directions, gives access. */
static int mutual_check(
	const struct chap *c, const uint8_t *challenge, size_t n, struct keys_fault *f)
{
	const struct chap_user *m = mutual_user(c);

	if (!m->userid_mutual[0] || !m->password_mutual[0]) {
		keys_fault_set(f, "the initiator asks for mutual CHAP, which is not configured");
		return -EACCES;
	}
	if (strcmp(c->by_next ? c->who->password_next : c->who->password, m->password_mutual) ==
		0) {
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
	if (digest(c->algorithm, (uint8_t)identifier, mutual_user(c)->password_mutual, challenge,
		    (size_t)n, response) < 0) {
		keys_fault_set(f, "libcrypto refuses %s", c->algorithm->name);
		return -EIO;
	}
	c->mutual = true;
	rc = keys_text_add(out, "CHAP_N", mutual_user(c)->userid_mutual);
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

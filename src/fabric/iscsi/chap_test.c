/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chap_test.c: CHAP with an initiator played by the test, which computes its digests by itself
 * (EVP_Digest over one buffer, from RFC 1994 4.1), over every algorithm, and what must be refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "base/hex.h"
#include "fabric/iscsi/chap.h"

struct fixture {
	struct chap chap;
	struct chap_auth auth;
	struct keys_text in, out;
	struct keys_pairs pairs, reply;
	struct keys_fault fault;
	/* From the target's challenge. */
	unsigned identifier;
	uint8_t challenge[CHAP_CHALLENGE_BYTES_MAX];
	size_t challenge_bytes;
};

static const struct chap_auth auth = {
	.user = { .userid = "mallory.jr",
		.password = "s3cret\xc3\xa4=,/ 12",
		.userid_mutual = "target",
		.password_mutual = "another secret" },
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->auth = auth;
	keys_text_init(&x->in, KEYS_TEXT_BYTES_MAX);
	keys_text_init(&x->out, KEYS_REPLY_BYTES_MAX);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	chap_done(&x->chap);
	chap_users_unref(x->auth.more);
	keys_text_done(&x->in);
	keys_text_done(&x->out);
	free(x);
	return 0;
}

/* Send what x->in has been filled with. */
static int step(struct fixture *x)
{
	int rc;

	keys_text_reset(&x->out);
	assert_int_equal(keys_parse(&x->in, &x->pairs, &x->fault), 0);
	rc = chap_step(&x->chap, &x->pairs, &x->out, &x->fault);
	keys_text_reset(&x->in);
	if (rc == 0)
		assert_int_equal(keys_parse(&x->out, &x->reply, &x->fault), 0);
	else
		assert_int_equal(x->chap.state, CHAP_REFUSED);
	return rc;
}

static void add(struct fixture *x, const char *key, const char *value)
{
	assert_int_equal(keys_text_add(&x->in, key, value), 0);
}

static const char *answer(struct fixture *x, const char *key)
{
	const struct keys_pair *p = keys_find(&x->reply, key);

	assert_non_null(p);
	return p->value;
}

/* CHAP_A=list, up to the challenge; the target must choose want. */
static void begin(struct fixture *x, const char *list, const char *want)
{
	uint64_t n;
	int len;

	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", list);
	assert_int_equal(step(x), 0);
	assert_int_equal(x->chap.state, CHAP_WAIT_RESPONSE);
	assert_int_equal(x->reply.n, 3);
	assert_string_equal(answer(x, "CHAP_A"), want);
	assert_int_equal(keys_number(answer(x, "CHAP_I"), &n), 0);
	assert_true(n <= 255);
	x->identifier = (unsigned)n;
	len = keys_binary(answer(x, "CHAP_C"), x->challenge, sizeof(x->challenge));
	assert_int_equal(len, CHAP_OUR_CHALLENGE_BYTES);
	x->challenge_bytes = (size_t)len;
}

/* RFC 1994 4.1; returns the digest's length. */
static unsigned response(const char *algorithm, unsigned identifier, const char *secret,
	const uint8_t *challenge, size_t n, uint8_t ret[EVP_MAX_MD_SIZE])
{
	uint8_t buf[1 + 255 + CHAP_CHALLENGE_BYTES_MAX];
	size_t secret_bytes = strlen(secret);
	unsigned len;

	buf[0] = (uint8_t)identifier;
	memcpy(buf + 1, secret, secret_bytes);
	memcpy(buf + 1 + secret_bytes, challenge, n);
	assert_int_equal(EVP_Digest(buf, 1 + secret_bytes + n, ret, &len,
				 EVP_get_digestbyname(algorithm), NULL),
		1);
	return len;
}

static void add_hex(struct fixture *x, const char *key, const uint8_t *p, size_t n)
{
	char text[2 + 2 * CHAP_CHALLENGE_BYTES_MAX + 3] = "0x";

	assert_true(hex_encode(text + 2, sizeof(text) - 2, p, n) >= 0);
	add(x, key, text);
}

static void add_response(struct fixture *x, const char *algorithm, const char *secret)
{
	uint8_t r[EVP_MAX_MD_SIZE];
	unsigned n =
		response(algorithm, x->identifier, secret, x->challenge, x->challenge_bytes, r);

	add_hex(x, "CHAP_R", r, n);
}

static const struct {
	const char *number, *name;
} algorithms[] = {
	{ "5", "MD5" },
	{ "6", "SHA1" },
	{ "7", "SHA256" },
	{ "8", "SHA3-256" },
};

static void test_one_way(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(chap_algorithms(), CHAP_ALGORITHMS_ALL);
	for (size_t i = 0; i < 4; i++) {
		begin(x, algorithms[i].number, algorithms[i].number);
		add(x, "CHAP_N", auth.user.userid);
		add_response(x, algorithms[i].name, auth.user.password);
		assert_int_equal(step(x), 0);
		assert_int_equal(x->chap.state, CHAP_ACCEPTED);
		assert_false(x->chap.mutual);
		assert_int_equal(x->reply.n, 0);
		assert_int_equal(step(x), 0); /* an empty step changes nothing */
		assert_int_equal(x->chap.state, CHAP_ACCEPTED);
	}
}

/* RFC 1994's digest with numbers that were computed elsewhere: md5(01 'secret' 00..0f). */
static void test_vector(void **state)
{
	uint8_t challenge[16], r[EVP_MAX_MD_SIZE];
	char hex[33];

	for (unsigned i = 0; i < sizeof(challenge); i++)
		challenge[i] = (uint8_t)i;
	assert_int_equal(response("MD5", 1, "secret", challenge, sizeof(challenge), r), 16);
	hex_encode(hex, sizeof(hex), r, 16);
	assert_string_equal(hex, "740e86463bda3a4d7017d6e0fba0699d");
}

static void test_base64_response(void **state)
{
	struct fixture *x = *state;
	uint8_t r[EVP_MAX_MD_SIZE];
	char text[100] = "0b";
	unsigned n;

	begin(x, "7", "7");
	n = response(
		"SHA256", x->identifier, auth.user.password, x->challenge, x->challenge_bytes, r);
	assert_true(base64_encode(text + 2, sizeof(text) - 2, r, n) > 0);
	add(x, "CHAP_N", auth.user.userid);
	add(x, "CHAP_R", text);
	assert_int_equal(step(x), 0);
	assert_int_equal(x->chap.state, CHAP_ACCEPTED);
}

/* The initiator's order decides; what we do not know is passed over. */
static void test_choice(void **state)
{
	struct fixture *x = *state;

	begin(x, "8,7,6,5", "8");
	begin(x, "99,foo,,0x1,5555,256,5,7", "5");
	/* A list longer than the limit is not searched to its end. */
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,7");
	assert_int_equal(step(x), -EACCES);
}

/* 12.1.3: a policy takes one of those proposed by its own order, or none of them. */
static void test_policy(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(chap_policy_parse("SHA3-256,SHA256", &x->auth.policy), 0);
	begin(x, "5,6,7,8", "8");
	begin(x, "5,7", "7");
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "5,6");
	assert_int_equal(step(x), -EACCES);
	assert_non_null(strstr(x->fault.cause, "no algorithm in common"));
	assert_non_null(strstr(x->fault.cause, "SHA3-256,SHA256"));
	assert_int_equal(chap_policy_parse("MD5", &x->auth.policy), 0);
	begin(x, "8,7,5", "5");
}

static void test_policy_text(void **state)
{
	static const char *const bad[] = { "MD4", "MD5,", ",MD5", "MD5,,SHA1", "MD5,MD5", "MD5,5",
		"5 ", "all", "SHA3-256-and-more-of-it", "4" };
	struct chap_policy p;
	char text[CHAP_POLICY_TEXT];

	assert_int_equal(chap_policy_parse("8,sha256,SHA1,MD5", &p), 0);
	chap_policy_print(&p, text);
	assert_string_equal(text, "SHA3-256,SHA256,SHA1,MD5");
	assert_int_equal(chap_policy_parse("", &p), 0);
	assert_int_equal(p.n, 0);
	chap_policy_print(&p, text);
	assert_string_equal(text, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(chap_policy_parse(bad[i], &p), -EINVAL);
}

/* One more account beside that of the fixture. */
static void add_user(struct fixture *x, const char *name, const char *password, const char *next)
{
	unsigned n = x->auth.more ? x->auth.more->n : 0;
	struct chap_users *u = calloc(1, sizeof(*u) + (n + 1) * sizeof(u->v[0]));

	assert_non_null(u);
	if (n)
		memcpy(u->v, x->auth.more->v, n * sizeof(u->v[0]));
	u->refs = 1;
	u->n = n + 1;
	strcpy(u->v[n].userid, name);
	strcpy(u->v[n].password, password);
	strcpy(u->v[n].password_next, next);
	chap_users_unref(x->auth.more);
	x->auth.more = u;
}

static int try_user(struct fixture *x, const char *name, const char *password)
{
	chap_done(&x->chap);
	begin(x, "7", "7");
	add(x, "CHAP_N", name);
	add_response(x, "SHA256", password);
	return step(x);
}

/* Several accounts: each opens with its own secret alone. */
static void test_users(void **state)
{
	struct fixture *x = *state;

	add_user(x, "alice", "alice's secret", "");
	add_user(x, "bob", "bob's secret", "");
	assert_int_equal(try_user(x, "alice", "alice's secret"), 0);
	assert_string_equal(x->chap.who->userid, "alice");
	assert_false(x->chap.by_next);
	assert_int_equal(try_user(x, "bob", "bob's secret"), 0);
	assert_int_equal(try_user(x, auth.user.userid, auth.user.password), 0);
	assert_int_equal(try_user(x, "bob", "alice's secret"), -EACCES);
	assert_int_equal(try_user(x, "carol", "bob's secret"), -EACCES);
	assert_int_equal(try_user(x, "", ""), -EACCES);
	/* The general account may be empty, and lets nobody in then. */
	memset(&x->auth.user, 0, sizeof(x->auth.user));
	assert_int_equal(try_user(x, "alice", "alice's secret"), 0);
	assert_int_equal(try_user(x, "", ""), -EACCES);
	chap_done(&x->chap);
	x->auth.more = chap_users_unref(x->auth.more);
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "7");
	assert_int_equal(step(x), -EACCES);
}

/* A secret is changed without a gap: old and new are both good, and it is known which one came. */
static void test_next_secret(void **state)
{
	struct fixture *x = *state;

	strcpy(x->auth.user.password_next, "the next secret");
	assert_int_equal(try_user(x, auth.user.userid, auth.user.password), 0);
	assert_false(x->chap.by_next);
	assert_int_equal(try_user(x, auth.user.userid, "the next secret"), 0);
	assert_true(x->chap.by_next);
	assert_int_equal(try_user(x, auth.user.userid, "a third secret"), -EACCES);
	/* With a new one only. */
	x->auth.user.password[0] = '\0';
	assert_int_equal(try_user(x, auth.user.userid, "the next secret"), 0);
	assert_int_equal(try_user(x, auth.user.userid, ""), -EACCES);
}

/* libcrypto's, with a count: chap.c calls this one. */
static unsigned ndigests;

int EVP_DigestFinal(EVP_MD_CTX *ctx, unsigned char *md, unsigned int *n)
{
	ndigests++;
	return EVP_DigestFinal_ex(ctx, md, n);
}

/* How many digests the judgement of a name and secret takes. */
static unsigned digests_of(struct fixture *x, const char *name, const char *secret, int result)
{
	ndigests = 0;
	assert_int_equal(try_user(x, name, secret), result);
	return ndigests;
}

/* The work tells neither which names there are nor that a secret is being changed (9.2.1). */
static void test_equal_work(void **state)
{
	struct fixture *x = *state;
	char name[CHAP_NAME_BYTES_MAX + 2] = "";
	unsigned want;

	add_user(x, "alice", "alice's secret", "");
	add_user(x, "bob", "bob's secret", "bob's next secret");
	add_user(x, "carol", "", "");
	add_user(x, "dave", "", "dave's next secret");
	/* The same name as the general account has. */
	add_user(x, auth.user.userid, "another secret of it", "");
	want = digests_of(x, "alice", "alice's secret", 0);
	assert_true(want > 0);
	assert_int_equal(digests_of(x, "alice", "wrong", -EACCES), want);
	assert_int_equal(digests_of(x, "bob", "bob's secret", 0), want);
	assert_int_equal(digests_of(x, "bob", "bob's next secret", 0), want);
	assert_int_equal(digests_of(x, "bob", "wrong", -EACCES), want);
	assert_int_equal(digests_of(x, "carol", "", -EACCES), want);
	assert_int_equal(digests_of(x, "dave", "", -EACCES), want);
	assert_int_equal(digests_of(x, "dave", "dave's next secret", 0), want);
	assert_int_equal(digests_of(x, "nobody", "wrong", -EACCES), want);
	assert_int_equal(digests_of(x, "", "", -EACCES), want);
	assert_int_equal(digests_of(x, auth.user.userid, auth.user.password, 0), want);
	assert_int_equal(digests_of(x, auth.user.userid, "another secret of it", 0), want);
	assert_ptr_equal(x->chap.who, &x->auth.more->v[4]);
	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(digests_of(x, name, "wrong", -EACCES), want);
	/* Also where there is but one account. */
	chap_done(&x->chap);
	x->auth.more = chap_users_unref(x->auth.more);
	assert_int_equal(digests_of(x, auth.user.userid, auth.user.password, 0), want);
	assert_int_equal(digests_of(x, "nobody", "wrong", -EACCES), want);
}

/* Where the provider has no such digest it is not offered. */
static void test_forbidden(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(EVP_set_default_properties(NULL, "fips=yes"), 1);
	assert_int_equal(chap_algorithms(), 0);
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "5,7");
	assert_int_equal(step(x), -EACCES);
	assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
	assert_int_equal(chap_algorithms(), CHAP_ALGORITHMS_ALL);
}

static void test_fresh_challenge(void **state)
{
	struct fixture *x = *state;
	uint8_t before[CHAP_OUR_CHALLENGE_BYTES];

	begin(x, "7", "7");
	memcpy(before, x->challenge, sizeof(before));
	begin(x, "7", "7");
	assert_memory_not_equal(before, x->challenge, sizeof(before));
}

static void test_refused(void **state)
{
	struct fixture *x = *state;

	begin(x, "7", "7");
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "SHA256", "wrong secret");
	assert_int_equal(step(x), -EACCES);
	assert_non_null(strstr(x->fault.cause, "wrong password"));
	assert_null(strstr(x->fault.cause, "wrong secret"));

	begin(x, "7", "7");
	add(x, "CHAP_N", "someone");
	add_response(x, "SHA256", auth.user.password);
	assert_int_equal(step(x), -EACCES);
	assert_non_null(strstr(x->fault.cause, "userid"));
	/* And there is no second try. */
	x->identifier = x->chap.identifier;
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "SHA256", auth.user.password);
	assert_int_equal(step(x), -EPROTO);
}

/* An account without password lets nobody in, even with the digest of an empty secret. */
static void test_no_secret(void **state)
{
	struct fixture *x = *state;

	x->auth.user.password[0] = '\0';
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "7");
	assert_int_equal(step(x), -EACCES);
	x->auth = auth;
	x->auth.user.userid[0] = '\0';
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "7");
	assert_int_equal(step(x), -EACCES);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = { "", "0x", "0x00", "0xzz", "1234", "0b", "0b!!!!",
		"0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1", /* odd */
		"0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20" };
	static char huge[3000];
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(x, "7", "7");
		add(x, "CHAP_N", auth.user.userid);
		add(x, "CHAP_R", bad[i]);
		assert_int_equal(step(x), -EPROTO);
	}
	/* CVE-2018-14633, CVE-2026-63886: values far longer than the digest. */
	for (int b64 = 0; b64 < 2; b64++) {
		memset(huge, 'A', sizeof(huge) - 1);
		memcpy(huge, b64 ? "0b" : "0x", 2);
		huge[2998] = '\0';
		begin(x, "5", "5");
		add(x, "CHAP_N", auth.user.userid);
		add(x, "CHAP_R", huge);
		assert_int_equal(step(x), -EPROTO);
	}
}

static void test_order(void **state)
{
	static const char *const wrong_first[][2] = { { "CHAP_N", "x" }, { "CHAP_R", "0x00" },
		{ "CHAP_I", "1" }, { "CHAP_C", "0x00" } };
	struct fixture *x = *state;

	for (size_t i = 0; i < 4; i++) {
		chap_init(&x->chap, &x->auth);
		add(x, wrong_first[i][0], wrong_first[i][1]);
		assert_int_equal(step(x), -EPROTO);
	}
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "7");
	add(x, "CHAP_N", "x");
	assert_int_equal(step(x), -EPROTO);
	begin(x, "7", "7"); /* the choice stands */
	add(x, "CHAP_A", "5");
	assert_int_equal(step(x), -EPROTO);
	begin(x, "7", "7"); /* a challenge without identifier */
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "SHA256", auth.user.password);
	add(x, "CHAP_C", "0x0102");
	assert_int_equal(step(x), -EPROTO);
	begin(x, "7", "7"); /* nothing: still waiting */
	add(x, "AuthMethod", "CHAP");
	assert_int_equal(step(x), 0);
	assert_int_equal(x->chap.state, CHAP_WAIT_RESPONSE);
	/* Not accepted before the response came. */
	chap_init(&x->chap, &x->auth);
	assert_int_equal(step(x), 0);
	assert_int_equal(x->chap.state, CHAP_WAIT_ALGORITHM);
}

/* Complete a good response and ask the target to authenticate itself. */
static int ask_mutual(struct fixture *x, const char *algorithm, const char *identifier,
	const uint8_t *challenge, size_t n)
{
	add(x, "CHAP_N", x->auth.user.userid);
	add_response(x, algorithm, x->auth.user.password);
	add(x, "CHAP_I", identifier);
	add_hex(x, "CHAP_C", challenge, n);
	return step(x);
}

static void test_mutual(void **state)
{
	static const size_t lengths[] = { 1, 16, CHAP_CHALLENGE_BYTES_MAX };
	struct fixture *x = *state;
	uint8_t challenge[CHAP_CHALLENGE_BYTES_MAX], got[64], want[EVP_MAX_MD_SIZE];

	memset(challenge, 0x5a, sizeof(challenge));
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < 3; j++) {
			unsigned n;

			begin(x, algorithms[i].number, algorithms[i].number);
			assert_int_equal(
				ask_mutual(x, algorithms[i].name, "255", challenge, lengths[j]), 0);
			assert_int_equal(x->chap.state, CHAP_ACCEPTED);
			assert_true(x->chap.mutual);
			assert_int_equal(x->reply.n, 2);
			assert_string_equal(answer(x, "CHAP_N"), "target");
			n = response(algorithms[i].name, 255, auth.user.password_mutual, challenge,
				lengths[j], want);
			assert_int_equal(keys_binary(answer(x, "CHAP_R"), got, sizeof(got)), n);
			assert_memory_equal(got, want, n);
		}
	}
}

static void test_mutual_refused(void **state)
{
	struct fixture *x = *state;
	uint8_t challenge[CHAP_CHALLENGE_BYTES_MAX + 1] = { 1, 2, 3 };

	/* Our own challenge sent back (RFC 7143 9.2.1). */
	begin(x, "7", "7");
	assert_int_equal(ask_mutual(x, "SHA256", "1", x->challenge, x->challenge_bytes), -EACCES);
	assert_non_null(strstr(x->fault.cause, "own challenge"));
	assert_false(x->chap.mutual);
	assert_int_equal(x->out.len, 0);
	/* Malformed. */
	begin(x, "7", "7");
	assert_int_equal(ask_mutual(x, "SHA256", "256", challenge, 16), -EPROTO);
	begin(x, "7", "7");
	assert_int_equal(ask_mutual(x, "SHA256", "1", challenge, 0), -EPROTO);
	begin(x, "7", "7");
	assert_int_equal(ask_mutual(x, "SHA256", "1", challenge, sizeof(challenge)), -EPROTO);
	/* Who is not authenticated learns nothing of ours. */
	begin(x, "7", "7");
	strcpy(x->auth.user.password, "not it");
	assert_int_equal(ask_mutual(x, "SHA256", "1", challenge, 16), -EACCES);
	assert_int_equal(x->out.len, 0);
	/* Same secret both ways. */
	x->auth = auth;
	strcpy(x->auth.user.password_mutual, auth.user.password);
	begin(x, "7", "7");
	assert_int_equal(ask_mutual(x, "SHA256", "1", challenge, 16), -EACCES);
	assert_non_null(strstr(x->fault.cause, "the same"));
	/* Not configured. */
	x->auth.user.password_mutual[0] = '\0';
	begin(x, "7", "7");
	assert_int_equal(ask_mutual(x, "SHA256", "1", challenge, 16), -EACCES);
}

/* Secrets of 1 and of 255 bytes. */
static void test_secret_lengths(void **state)
{
	struct fixture *x = *state;

	strcpy(x->auth.user.password, "x");
	begin(x, "5", "5");
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "MD5", "x");
	assert_int_equal(step(x), 0);
	memset(x->auth.user.password, 0xfe, CHAP_SECRET_BYTES_MAX);
	x->auth.user.password[CHAP_SECRET_BYTES_MAX] = '\0';
	begin(x, "8", "8");
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "SHA3-256", x->auth.user.password);
	assert_int_equal(step(x), 0);
}

/* Mutual names and secrets of the account that logs in, else the general ones. */
static void test_mutual_of_user(void **state)
{
	struct fixture *x = *state;
	uint8_t challenge[16] = { 1 };
	struct chap_user *u;

	add_user(x, auth.user.userid, "of the second", "");
	u = &x->auth.more->v[0];
	strcpy(u->userid_mutual, "its own");
	strcpy(u->password_mutual, "secret of its own");
	begin(x, "7", "7");
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "SHA256", "of the second");
	add(x, "CHAP_I", "1");
	add_hex(x, "CHAP_C", challenge, sizeof(challenge));
	assert_int_equal(step(x), 0);
	assert_string_equal(keys_find(&x->reply, "CHAP_N")->value, "its own");
	chap_done(&x->chap);
	/* Its secret is also that of the other direction (9.2.1). */
	strcpy(u->password_mutual, "of the second");
	begin(x, "7", "7");
	add(x, "CHAP_N", auth.user.userid);
	add_response(x, "SHA256", "of the second");
	add(x, "CHAP_I", "1");
	add_hex(x, "CHAP_C", challenge, sizeof(challenge));
	assert_int_equal(step(x), -EACCES);
	chap_done(&x->chap);
}

static void test_wiped(void **state)
{
	struct fixture *x = *state;

	begin(x, "7", "7");
	chap_done(&x->chap);
	assert_int_equal(x->chap.state, CHAP_REFUSED);
	for (size_t i = 0; i < sizeof(x->chap.auth); i++)
		assert_int_equal(((const uint8_t *)&x->chap.auth)[i], 0);
}

/* No room for the answer: refused, not cut. */
static void test_no_room(void **state)
{
	struct fixture *x = *state;

	keys_text_done(&x->out);
	keys_text_init(&x->out, 20);
	chap_init(&x->chap, &x->auth);
	add(x, "CHAP_A", "7");
	assert_int_equal(step(x), -EMSGSIZE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_way),
		T(test_vector),
		T(test_base64_response),
		T(test_choice),
		T(test_policy),
		T(test_policy_text),
		T(test_users),
		T(test_next_secret),
		T(test_equal_work),
		T(test_mutual_of_user),
		T(test_forbidden),
		T(test_fresh_challenge),
		T(test_refused),
		T(test_no_secret),
		T(test_malformed),
		T(test_order),
		T(test_mutual),
		T(test_mutual_refused),
		T(test_secret_lengths),
		T(test_wiped),
		T(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

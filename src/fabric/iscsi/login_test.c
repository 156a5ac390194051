/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * login_test.c: the login phase, driven request by request as RFC 7143 Appendix B shows it, and
 * what has to be refused with which status. Text is written with '|' for NUL. A small directory of
 * targets and initiators stands for the daemon's configuration behind login_ops.
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

#include "base/hex.h"
#include "fabric/iscsi/login.h"

#define INITIATOR "InitiatorName=iqn.1999-07.com.os:hostid.77|"
#define TARGET    "TargetName=iqn.1999-07.com.example:diskarray.sn.88|"
#define DISCOVERY "SessionType=Discovery|"
#define TPGT      "TargetPortalGroupTag=3|"

/* CSG, NSG, T and C as the RFC's examples write them. */
#define FLAGS(csg, nsg, t) ((csg) << LOGIN_CSG_SHIFT | (nsg) | ((t) ? LOGIN_TRANSIT : 0))
#define MORE(csg)          ((csg) << LOGIN_CSG_SHIFT | LOGIN_CONTINUE)

struct fixture {
	struct login *l;
	struct bhs_login_request req;
	struct login_reply reply;
	enum login_verdict verdict;
	/* Behind login_ops. */
	struct keys_config config;
	struct chap_auth chap;
	uint16_t target_status, node_status, session_status;
	struct sess_params session;
	unsigned asked;
	char *text; /* the last reply's, NULs as '|' */
};

static uint16_t find_target(void *arg, const struct login_id *id, struct login_grant *g)
{
	struct fixture *x = arg;

	assert_false(id->discovery);
	assert_string_equal(id->initiator_name, "iqn.1999-07.com.os:hostid.77");
	x->asked |= 1;
	g->keys = x->config;
	g->target_portal_group_tag = 3;
	strcpy(g->target_address, "192.0.2.1:3260,4");
	if (strcmp(id->target_name, "iqn.1999-07.com.example:diskarray.sn.88") != 0)
		return LOGIN_STATUS_NOT_FOUND;
	return x->target_status;
}

static uint16_t find_node(void *arg, const struct login_id *id, struct login_grant *g)
{
	struct fixture *x = arg;

	if (id->discovery) {
		assert_string_equal(id->target_name, "");
		g->keys = x->config;
	}
	x->asked |= 2;
	g->chap = x->chap;
	if (x->node_status) {
		g->cause = "not on the list";
		g->cure = "put it there";
	}
	return x->node_status;
}

static uint16_t find_session(void *arg, const struct login_id *id, struct sess_params *params)
{
	struct fixture *x = arg;

	assert_int_equal(id->tsih, 0x1234);
	assert_int_equal(id->cid, 7);
	assert_memory_equal(id->isid, "\x80\x01\x02\x03\x04\x05", 6);
	x->asked |= 4;
	*params = x->session;
	return x->session_status;
}

static const struct login_ops ops = {
	.find_target = find_target,
	.find_node = find_node,
	.find_session = find_session,
};

static void restart(struct fixture *x)
{
	x->l = login_free(x->l);
	x->l = login_new(&ops, x);
	assert_non_null(x->l);
	x->asked = 0;
	memset(&x->req, 0, sizeof(x->req));
	x->req.opcode = ISCSI_OP_IMMEDIATE | ISCSI_OP_LOGIN_REQUEST;
	memcpy(x->req.isid, "\x80\x01\x02\x03\x04\x05", 6);
	x->req.cid = be16_put(7);
	x->req.cmdsn = be32_put(0xfffffff0);
	x->req.initiator_task_tag = be32_put(0x11223344);
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	keys_config_init(&x->config);
	x->config.auth_method = AUTH_METHOD_NONE;
	restart(x);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	login_free(x->l);
	free(x->text);
	free(x);
	return 0;
}

static enum login_verdict send_bytes(struct fixture *x, unsigned flags, const char *text, size_t n)
{
	const struct bhs_login_response *b = &x->reply.bhs;

	x->req.flags = (uint8_t)flags;
	x->req.data_segment_length = be24_put((uint32_t)n);
	x->verdict = login_request(x->l, &x->req, text, n, &x->reply);
	assert_int_equal(b->opcode, ISCSI_OP_LOGIN_RESPONSE);
	assert_int_equal(b->version_max, 0);
	assert_int_equal(b->version_active, 0);
	assert_int_equal(b->total_ahs_length, 0);
	assert_memory_equal(b->isid, x->req.isid, 6);
	assert_int_equal(be16_get(b->tsih), be16_get(x->req.tsih));
	assert_int_equal(be32_get(b->initiator_task_tag), be32_get(x->req.initiator_task_tag));
	assert_int_equal(be24_get(b->data_segment_length), x->reply.text_bytes);
	assert_true(x->reply.text_bytes <= LOGIN_DATA_SEGMENT_BYTES_MAX);
	free(x->text);
	x->text = calloc(1, x->reply.text_bytes + 1);
	assert_non_null(x->text);
	for (size_t i = 0; i < x->reply.text_bytes; i++)
		x->text[i] = x->reply.text[i] ? x->reply.text[i] : '|';
	return x->verdict;
}

static enum login_verdict request(struct fixture *x, unsigned flags, const char *text)
{
	char *copy = strdup(text);
	size_t n = strlen(text);

	assert_non_null(copy);
	for (size_t i = 0; i < n; i++) {
		if (copy[i] == '|')
			copy[i] = '\0';
	}
	send_bytes(x, flags, copy, n);
	free(copy);
	return x->verdict;
}

/* Request and the response that must come. */
static void step(
	struct fixture *x, unsigned flags, const char *text, unsigned want_flags, const char *want)
{
	enum login_verdict verdict = request(x, flags, text);

	if (login_failure(x->l))
		fail_msg("%04x %s", login_failure(x->l)->status, login_failure(x->l)->cause);
	assert_int_equal(x->reply.bhs.status_class, 0);
	assert_int_equal(x->reply.bhs.status_detail, 0);
	assert_int_equal(x->reply.bhs.flags, want_flags);
	assert_string_equal(x->text, want);
	assert_int_equal(verdict, (want_flags & LOGIN_TRANSIT) && (want_flags & 3) == 3
					  ? LOGIN_COMPLETE
					  : LOGIN_PENDING);
}

static void refused_as(struct fixture *x, uint16_t status, const char *cause)
{
	const struct login_failure *f = login_failure(x->l);

	assert_int_equal(x->verdict, LOGIN_REFUSED);
	assert_int_equal(x->reply.bhs.status_class << 8 | x->reply.bhs.status_detail, status);
	assert_int_equal(x->reply.bhs.flags, 0);
	assert_non_null(f);
	assert_int_equal(f->status, status);
	if (!strstr(f->cause, cause))
		fail_msg("\"%s\" is not in \"%s\"", cause, f->cause);
	assert_non_null(f->cure);
	if (status >> 8 != 1)
		assert_int_equal(x->reply.text_bytes, 0);
	restart(x);
}

static void refused(
	struct fixture *x, unsigned flags, const char *text, uint16_t status, const char *cause)
{
	request(x, flags, text);
	refused_as(x, status, cause);
}

/* ---- Good logins ---- */

/* Straight into operational negotiation, one request. */
static void test_one_request(void **state)
{
	struct fixture *x = *state;
	const struct keys_values *v;

	step(x, FLAGS(1, 3, 1),
		INITIATOR TARGET "InitiatorAlias=me|HeaderDigest=CRC32C,None|MaxBurstLength=65536|"
				 "MaxRecvDataSegmentLength=65536|ImmediateData=Yes|",
		FLAGS(1, 3, 1),
		"HeaderDigest=CRC32C|MaxBurstLength=65536|ImmediateData=Yes|" TPGT
		"MaxRecvDataSegmentLength=262144|TargetAlias=ulio|");
	v = login_values(x->l);
	assert_string_equal(v->sess.initiator_name, "iqn.1999-07.com.os:hostid.77");
	assert_string_equal(v->sess.target_name, "iqn.1999-07.com.example:diskarray.sn.88");
	assert_string_equal(v->sess.initiator_alias, "me");
	assert_int_equal(v->sess.max_burst_length, 65536);
	assert_int_equal(v->sess.first_burst_length, 65536);
	assert_int_equal(v->conn.header_digest, DIGEST_CRC32C);
	assert_int_equal(v->conn.max_xmit_data_segment_length, 65536);
	assert_int_equal(v->conn.max_recv_data_segment_length, 262144);
	assert_int_equal(login_cmdsn(x->l), 0xfffffff0);
	assert_null(login_user(x->l));
	assert_null(login_failure(x->l));
	assert_int_equal(login_id(x->l)->tsih, 0);
	assert_int_equal(x->asked, 3);
}

/* Appendix B: AuthMethod None chosen in SecurityNegotiation, then parameters in two exchanges. */
static void test_none(void **state)
{
	struct fixture *x = *state;

	step(x, FLAGS(0, 1, 1), INITIATOR TARGET "SessionType=Normal|AuthMethod=KRB5,None|",
		FLAGS(0, 1, 1), "AuthMethod=None|" TPGT);
	step(x, FLAGS(1, 0, 0), "HeaderDigest=None|", FLAGS(1, 0, 0), "HeaderDigest=None|");
	step(x, FLAGS(1, 0, 0), "", FLAGS(1, 0, 0), "");
	step(x, FLAGS(1, 3, 1), "ErrorRecoveryLevel=2|MaxConnections=4|", FLAGS(1, 3, 1),
		"ErrorRecoveryLevel=0|MaxConnections=1|"
		"MaxRecvDataSegmentLength=262144|TargetAlias=ulio|");
}

/* SecurityNegotiation straight to the Full Feature Phase: defaults hold. */
static void test_security_to_full_feature(void **state)
{
	struct fixture *x = *state;

	step(x, FLAGS(0, 3, 1), INITIATOR TARGET, FLAGS(0, 3, 1), TPGT);
	assert_int_equal(login_values(x->l)->conn.max_recv_data_segment_length, 8192);
	assert_int_equal(login_values(x->l)->conn.max_xmit_data_segment_length, 8192);
	assert_int_equal(login_values(x->l)->conn.header_digest, DIGEST_NONE);
	/* Not if the configuration wants something that can no longer be agreed. */
	restart(x);
	x->config.header_digest = DIGEST_CRC32C;
	refused(x, FLAGS(0, 3, 1), INITIATOR TARGET, LOGIN_STATUS_INITIATOR_ERROR, "HeaderDigest");
}

static void test_discovery(void **state)
{
	struct fixture *x = *state;

	step(x, FLAGS(0, 1, 1), DISCOVERY INITIATOR "AuthMethod=None|", FLAGS(0, 1, 1),
		"AuthMethod=None|");
	step(x, FLAGS(1, 3, 1), "MaxConnections=1|DefaultTime2Wait=2|", FLAGS(1, 3, 1),
		"MaxConnections=Irrelevant|DefaultTime2Wait=2|MaxRecvDataSegmentLength=262144|");
	assert_true(login_id(x->l)->discovery);
	assert_int_equal(login_values(x->l)->sess.session_type, SESSION_TYPE_DISCOVERY);
	assert_int_equal(x->asked, 2);
	/* SessionType behind keys that depend on it. */
	restart(x);
	step(x, FLAGS(1, 3, 1), "MaxBurstLength=512|" INITIATOR DISCOVERY, FLAGS(1, 3, 1),
		"MaxBurstLength=Irrelevant|MaxRecvDataSegmentLength=262144|");
}

/* What initiators in use send, word for word; what they cannot take is never said to them. */
static void test_initiators(void **state)
{
	struct fixture *x = *state;

	/* libiscsi 1.19, discovery */
	step(x, FLAGS(1, 3, 1),
		INITIATOR DISCOVERY
		"HeaderDigest=None|DataDigest=None|InitialR2T=No|ImmediateData=Yes|"
		"MaxBurstLength=262144|FirstBurstLength=262144|DefaultTime2Wait=2|"
		"DefaultTime2Retain=0|MaxOutstandingR2T=1|ErrorRecoveryLevel=0|IFMarker=No|"
		"OFMarker=No|MaxConnections=1|MaxRecvDataSegmentLength=262144|DataPDUInOrder=Yes|"
		"DataSequenceInOrder=Yes|",
		FLAGS(1, 3, 1),
		"HeaderDigest=None|DataDigest=None|InitialR2T=Irrelevant|ImmediateData=Irrelevant|"
		"MaxBurstLength=Irrelevant|DefaultTime2Wait=2|DefaultTime2Retain=0|"
		"ErrorRecoveryLevel=0|IFMarker=Reject|"
		"OFMarker=Reject|MaxConnections=Irrelevant|DataPDUInOrder=Irrelevant|"
		"DataSequenceInOrder=Irrelevant|FirstBurstLength=Irrelevant|"
		"MaxOutstandingR2T=Irrelevant|"
		"MaxRecvDataSegmentLength=262144|");
	/* open-iscsi: takes only keys that it knows, and only 1 and 0 where it said so */
	restart(x);
	step(x, FLAGS(0, 1, 1),
		INITIATOR "InitiatorAlias=host|" TARGET "SessionType=Normal|AuthMethod=None|",
		FLAGS(0, 1, 1), "AuthMethod=None|" TPGT);
	step(x, FLAGS(1, 3, 1),
		"HeaderDigest=None|DataDigest=None|DefaultTime2Wait=2|DefaultTime2Retain=0|"
		"IFMarker=No|OFMarker=No|ErrorRecoveryLevel=0|InitialR2T=No|ImmediateData=Yes|"
		"MaxBurstLength=16776192|FirstBurstLength=262144|MaxOutstandingR2T=1|"
		"MaxConnections=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
		"MaxRecvDataSegmentLength=262144|",
		FLAGS(1, 3, 1),
		"HeaderDigest=None|DataDigest=None|DefaultTime2Wait=2|DefaultTime2Retain=0|"
		"IFMarker=Reject|OFMarker=Reject|ErrorRecoveryLevel=0|InitialR2T=Yes|"
		"ImmediateData=Yes|MaxBurstLength=1048576|MaxConnections=1|"
		"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|FirstBurstLength=262144|"
		"MaxOutstandingR2T=1|"
		"MaxRecvDataSegmentLength=262144|TargetAlias=ulio|");
}

/* Names are compared in lower case (4.2.7). */
static void test_case(void **state)
{
	step(*state, FLAGS(1, 3, 1),
		"InitiatorName=IQN.1999-07.com.OS:HostID.77|"
		"TargetName=iqn.1999-07.COM.example:DiskArray.sn.88|",
		FLAGS(1, 3, 1), TPGT "MaxRecvDataSegmentLength=262144|TargetAlias=ulio|");
}

/* 6.3.4: a further connection: its session's parameters, no LO keys. */
static void test_join(void **state)
{
	struct fixture *x = *state;
	const struct sess_params *s;

	x->req.tsih = be16_put(0x1234);
	x->session.max_burst_length = 131072;
	x->session.first_burst_length = 4096;
	x->session.max_connections = 2;
	step(x, FLAGS(1, 3, 1), INITIATOR TARGET "SessionType=Normal|MaxBurstLength=512|",
		FLAGS(1, 3, 1), "MaxBurstLength=Reject|" TPGT "MaxRecvDataSegmentLength=262144|");
	assert_int_equal(x->asked, 7);
	s = &login_values(x->l)->sess;
	assert_int_equal(s->max_burst_length, 131072);
	assert_int_equal(s->first_burst_length, 4096);
	assert_string_equal(s->initiator_name, "iqn.1999-07.com.os:hostid.77");
	restart(x);
	x->req.tsih = be16_put(0x1234);
	x->session_status = LOGIN_STATUS_SESSION_DOES_NOT_EXIST;
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET, 0x020a, "TSIH 4660");
}

/* ---- The C bit ---- */

/* A text cut at every byte, and even one byte per request. */
static void test_continue_in(void **state)
{
	static const char text[] = INITIATOR TARGET "HeaderDigest=CRC32C|";
	struct fixture *x = *state;
	char part[sizeof(text)];

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		restart(x);
		snprintf(part, cut + 1, "%s", text);
		step(x, MORE(1), part, FLAGS(1, 0, 0), "");
		step(x, FLAGS(1, 0, 0), text + cut, FLAGS(1, 0, 0), "HeaderDigest=CRC32C|" TPGT);
	}
}

/* Our own text in pieces: small MaxRecvDataSegmentLength of the initiator. */
static void test_continue_out(void **state)
{
	struct fixture *x = *state;
	char key[KEY_NAME_BYTES_MAX + 1], text[4000] = "MaxRecvDataSegmentLength=512|", all[8192];

	step(x, FLAGS(1, 0, 0), INITIATOR TARGET, FLAGS(1, 0, 0), TPGT);
	for (int i = 0; i < 20; i++) {
		memset(key, 'X', sizeof(key));
		snprintf(key + 57, 7, "%06d", i);
		strcat(text, key);
		strcat(text, "=1|");
	}
	assert_int_equal(request(x, FLAGS(1, 3, 1), text), LOGIN_PENDING);
	assert_int_equal(x->reply.bhs.flags, MORE(1));
	assert_int_equal(x->reply.text_bytes, 512);
	all[0] = '\0';
	strcat(all, x->text);
	while (x->reply.bhs.flags & LOGIN_CONTINUE) {
		assert_int_equal(x->verdict, LOGIN_PENDING);
		request(x, FLAGS(1, 3, 1), "");
		assert_true(x->reply.text_bytes > 0 && x->reply.text_bytes <= 512);
		strcat(all, x->text);
	}
	assert_int_equal(x->verdict, LOGIN_COMPLETE); /* T with the last piece */
	assert_int_equal(x->reply.bhs.flags, FLAGS(1, 3, 1));
	assert_int_equal(
		strlen(all), 20 * (KEY_NAME_BYTES_MAX + 15) +
				     strlen("MaxRecvDataSegmentLength=262144|TargetAlias=ulio|"));
	assert_non_null(strstr(all, "000019=NotUnderstood|MaxRecv"));
	/* Talking over it is an error. */
	restart(x);
	step(x, FLAGS(1, 0, 0), INITIATOR TARGET, FLAGS(1, 0, 0), TPGT);
	request(x, FLAGS(1, 3, 1), text);
	refused(x, FLAGS(1, 3, 1), "InitialR2T=Yes|", LOGIN_STATUS_INITIATOR_ERROR, "C bit");
}

static void test_limits(void **state)
{
	struct fixture *x = *state;
	char *big = malloc(LOGIN_DATA_SEGMENT_BYTES_MAX);

	assert_non_null(big);
	memset(big, 'A', LOGIN_DATA_SEGMENT_BYTES_MAX);
	for (int i = 0; i < KEYS_TEXT_BYTES_MAX / LOGIN_DATA_SEGMENT_BYTES_MAX; i++)
		assert_int_equal(
			send_bytes(x, MORE(1), big, LOGIN_DATA_SEGMENT_BYTES_MAX), LOGIN_PENDING);
	send_bytes(x, MORE(1), big, 1);
	refused_as(x, LOGIN_STATUS_INITIATOR_ERROR, "more than 16384 bytes");
	free(big);
	for (int i = 0; i < LOGIN_REQUESTS_MAX; i++)
		assert_int_equal(request(x, MORE(1), ""), LOGIN_PENDING);
	refused(x, MORE(1), "", LOGIN_STATUS_INITIATOR_ERROR, "more than 64");
}

/* CVE-2026-63887: keys of four bytes, as many as fit. */
static void test_many_keys(void **state)
{
	struct fixture *x = *state;
	char *text = calloc(1, 2048 * 4 + 200), *p = text;

	assert_non_null(text);
	p += sprintf(p, "%s", INITIATOR TARGET);
	for (int i = 0; i < 2048 - 40; i++)
		p += sprintf(p, "%c%c=|", 'A' + i % 26, 'A' + i / 26 % 26);
	refused(x, FLAGS(1, 3, 1), text, LOGIN_STATUS_INITIATOR_ERROR, "");
	free(text);
}

/* ---- CHAP, Appendix B ---- */

static void use_chap(struct fixture *x)
{
	x->config.auth_method = AUTH_METHOD_CHAP;
	strcpy(x->chap.user.userid, "user");
	strcpy(x->chap.user.password, "secretsecret");
	strcpy(x->chap.user.userid_mutual, "target");
	strcpy(x->chap.user.password_mutual, "othersecret!");
}

/* "0x" and the SHA-256 response to the challenge in the last reply. */
static void chap_response(struct fixture *x, const char *secret, char ret[67])
{
	uint8_t buf[1 + 255 + CHAP_OUR_CHALLENGE_BYTES], md[32];
	const char *c = strstr(x->text, "CHAP_C=0x");
	size_t n = strlen(secret);

	assert_non_null(c);
	assert_non_null(strstr(x->text, "CHAP_I="));
	buf[0] = (uint8_t)atoi(strstr(x->text, "CHAP_I=") + 7);
	memcpy(buf + 1, secret, n);
	assert_int_equal(hex_decode(buf + 1 + n, CHAP_OUR_CHALLENGE_BYTES, c + 9, 64), 32);
	assert_int_equal(EVP_Digest(buf, 1 + n + 32, md, NULL, EVP_sha256(), NULL), 1);
	strcpy(ret, "0x");
	hex_encode(ret + 2, 65, md, 32);
}

/* Up to and with the challenge. */
static void chap_begin(struct fixture *x)
{
	step(x, FLAGS(0, 1, 0), INITIATOR TARGET "AuthMethod=KRB5,CHAP,None|", FLAGS(0, 0, 0),
		"AuthMethod=CHAP|" TPGT);
	assert_int_equal(request(x, FLAGS(0, 1, 0), "CHAP_A=7,5|"), LOGIN_PENDING);
	assert_int_equal(x->reply.bhs.flags, 0);
	assert_int_equal(strncmp(x->text, "CHAP_A=7|CHAP_I=", 16), 0);
}

static void test_chap(void **state)
{
	struct fixture *x = *state;
	char r[67], text[300];

	use_chap(x);
	chap_begin(x);
	chap_response(x, "secretsecret", r);
	snprintf(text, sizeof(text), "CHAP_N=user|CHAP_R=%s|", r);
	step(x, FLAGS(0, 1, 1), text, FLAGS(0, 1, 1), "");
	assert_string_equal(login_user(x->l), "user");
	assert_false(login_mutual(x->l));
	step(x, FLAGS(1, 3, 1), "", FLAGS(1, 3, 1),
		"MaxRecvDataSegmentLength=262144|TargetAlias=ulio|");
	assert_int_equal(login_values(x->l)->conn.auth_method, AUTH_METHOD_CHAP);
}

static void test_chap_mutual(void **state)
{
	struct fixture *x = *state;
	char r[67], text[400];

	use_chap(x);
	chap_begin(x);
	chap_response(x, "secretsecret", r);
	snprintf(text, sizeof(text), "CHAP_N=user|CHAP_R=%s|CHAP_I=9|CHAP_C=0b3q2+7w==|", r);
	assert_int_equal(request(x, FLAGS(0, 1, 1), text), LOGIN_PENDING);
	assert_int_equal(x->reply.bhs.flags, FLAGS(0, 1, 1));
	assert_int_equal(strncmp(x->text, "CHAP_N=target|CHAP_R=0x", 23), 0);
	assert_int_equal(strlen(x->text), 23 + 64 + 1);
	assert_true(login_mutual(x->l));
}

static void test_chap_refused(void **state)
{
	struct fixture *x = *state;
	char r[67], text[300];

	use_chap(x);
	chap_begin(x);
	chap_response(x, "a wrong one", r);
	snprintf(text, sizeof(text), "CHAP_N=user|CHAP_R=%s|", r);
	request(x, FLAGS(0, 1, 1), text);
	assert_int_equal(login_failure(x->l)->state, LOGIN_SECURITY);
	assert_non_null(strstr(login_failure(x->l)->cure, "CHAP"));
	refused_as(x, 0x0201, "wrong password");
	/* T is not granted before the end of CHAP, nor can the stage be left by other means. */
	chap_begin(x);
	request(x, FLAGS(0, 1, 1), "");
	assert_int_equal(x->reply.bhs.flags, FLAGS(0, 0, 0));
	refused(x, FLAGS(1, 3, 1), "", LOGIN_STATUS_INITIATOR_ERROR, "CSG=1 while in Security");
	chap_begin(x);
	refused(x, FLAGS(0, 1, 1), "AuthMethod=None|", LOGIN_STATUS_INITIATOR_ERROR, "second time");
	chap_begin(x);
	request(x, FLAGS(0, 3, 1), "");
	assert_int_equal(x->verdict, LOGIN_PENDING);
	refused(x, FLAGS(0, 3, 1), "CHAP_N=user|CHAP_R=0x00|", 0x0201, "CHAP_R");
	/* Evasions. */
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET, 0x0201, "skips SecurityNegotiation");
	refused(x, FLAGS(0, 1, 1), INITIATOR TARGET, 0x0201, "offers no AuthMethod");
	refused(x, FLAGS(0, 3, 1), INITIATOR TARGET, 0x0201, "offers no AuthMethod");
	refused(x, FLAGS(0, 1, 1), INITIATOR TARGET "AuthMethod=None,SRP|", 0x0201,
		"AuthMethod=None,SRP");
	refused(x, FLAGS(0, 1, 0), INITIATOR TARGET "AuthMethod=CHAP|CHAP_N=user|CHAP_R=0x00|",
		0x0201, "out of order");
	refused(x, FLAGS(0, 1, 0), INITIATOR TARGET "CHAP_A=7|", LOGIN_STATUS_INITIATOR_ERROR,
		"without AuthMethod");
	/* The credentials are missing here. */
	memset(&x->chap, 0, sizeof(x->chap));
	step(x, FLAGS(0, 1, 0), INITIATOR TARGET "AuthMethod=CHAP|", 0, "AuthMethod=CHAP|" TPGT);
	refused(x, FLAGS(0, 1, 0), "CHAP_A=7|", 0x0201, "no userid and password");
}

/* Both allowed: the initiator's first choice, and None where there is nothing to check against. */
static void test_chap_or_none(void **state)
{
	struct fixture *x = *state;

	use_chap(x);
	x->config.auth_method = AUTH_METHOD_CHAP | AUTH_METHOD_NONE;
	step(x, FLAGS(0, 1, 1), INITIATOR TARGET "AuthMethod=None,CHAP|", FLAGS(0, 1, 1),
		"AuthMethod=None|" TPGT);
	restart(x);
	step(x, FLAGS(0, 1, 1), INITIATOR TARGET "AuthMethod=CHAP,None|", FLAGS(0, 0, 0),
		"AuthMethod=CHAP|" TPGT);
	restart(x);
	memset(&x->chap, 0, sizeof(x->chap));
	step(x, FLAGS(0, 1, 1), INITIATOR TARGET "AuthMethod=CHAP,None|", FLAGS(0, 1, 1),
		"AuthMethod=None|" TPGT);
}

/* Demanded of a discovery session too. */
static void test_chap_discovery(void **state)
{
	struct fixture *x = *state;

	use_chap(x);
	refused(x, FLAGS(1, 3, 1), INITIATOR DISCOVERY, 0x0201, "skips SecurityNegotiation");
}

/* ---- Offers of the target ---- */

static void test_offer(void **state)
{
	struct fixture *x = *state;

	x->config.max_burst_length = 131072;
	x->config.immediate_data = false;
	step(x, FLAGS(1, 3, 1), INITIATOR TARGET, FLAGS(1, 0, 0),
		TPGT "MaxRecvDataSegmentLength=262144|TargetAlias=ulio|ImmediateData=No|"
		     "MaxBurstLength=131072|");
	step(x, FLAGS(1, 3, 1), "MaxBurstLength=131072|", FLAGS(1, 3, 1), "");
	assert_false(login_values(x->l)->sess.immediate_data);
	assert_int_equal(login_values(x->l)->sess.max_burst_length, 131072);
	restart(x);
	request(x, FLAGS(1, 3, 1), INITIATOR TARGET);
	refused(x, FLAGS(1, 3, 1), "MaxBurstLength=262144|", LOGIN_STATUS_INITIATOR_ERROR,
		"does not answer");
	/* Silence: refused, or not with LIO's workaround. */
	x->config.login_keys_workaround = false;
	restart(x);
	request(x, FLAGS(1, 3, 1), INITIATOR TARGET);
	refused(x, FLAGS(1, 3, 1), "", LOGIN_STATUS_INITIATOR_ERROR, "not answered");
	x->config.login_keys_workaround = true;
	request(x, FLAGS(1, 3, 1), INITIATOR TARGET);
	step(x, FLAGS(1, 3, 1), "", FLAGS(1, 3, 1), "");
}

/* Offers in pieces: the initiator, whose T is set all along, must have seen them all. */
static void test_offer_in_pieces(void **state)
{
	struct fixture *x = *state;
	char text[700] = INITIATOR TARGET "MaxRecvDataSegmentLength=512|", key[80];

	x->config.max_burst_length = 131072;
	for (int i = 0; i < 6; i++) {
		memset(key, 'X', KEY_NAME_BYTES_MAX);
		sprintf(key + KEY_NAME_BYTES_MAX - 1, "%d=|", i);
		strcat(text, key);
	}
	request(x, FLAGS(1, 3, 1), text);
	assert_int_equal(x->reply.bhs.flags, MORE(1));
	request(x, FLAGS(1, 3, 1), "");
	assert_int_equal(x->reply.bhs.flags, FLAGS(1, 0, 0));
	assert_non_null(strstr(x->text, "MaxBurstLength=131072|"));
	step(x, FLAGS(1, 3, 1), "MaxBurstLength=512|", FLAGS(1, 3, 1), "");
	assert_int_equal(login_values(x->l)->sess.max_burst_length, 512);
	assert_int_equal(login_values(x->l)->sess.first_burst_length, 512);
}

/* ---- Refused ---- */

static void test_bad_header(void **state)
{
	struct fixture *x = *state;
	const uint16_t error = LOGIN_STATUS_INITIATOR_ERROR;

	x->req.version_min = x->req.version_max = 1;
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET, 0x0205, "version");
	x->req.total_ahs_length = 1;
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET, error, "AHS");
	refused(x, FLAGS(1, 3, 1) | LOGIN_CONTINUE, INITIATOR TARGET, error, "T and C");
	refused(x, FLAGS(2, 3, 1), INITIATOR TARGET, error, "CSG=2");
	refused(x, FLAGS(3, 3, 1), INITIATOR TARGET, error, "CSG=3");
	refused(x, FLAGS(0, 0, 1), INITIATOR TARGET, error, "NSG=0");
	refused(x, FLAGS(0, 2, 1), INITIATOR TARGET, error, "NSG=2");
	refused(x, FLAGS(1, 1, 1), INITIATOR TARGET, error, "NSG=1");
	refused(x, FLAGS(1, 0, 1), INITIATOR TARGET, error, "NSG=0");
	/* Back to security; another stage within one text. */
	request(x, FLAGS(1, 0, 0), INITIATOR TARGET);
	refused(x, FLAGS(0, 1, 1), "", error, "CSG=0 while in LoginOperational");
	request(x, MORE(0), INITIATOR);
	refused(x, FLAGS(1, 3, 1), TARGET, error, "CSG=1 while in the first");
	/* NSG means nothing without T. */
	step(x, FLAGS(1, 2, 0), INITIATOR TARGET, FLAGS(1, 0, 0), TPGT);
}

/* 11.12: these fields stay. */
static void test_header_changes(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < 4; i++) {
		request(x, FLAGS(1, 0, 0), INITIATOR TARGET);
		if (i == 0)
			x->req.isid[5]++;
		else if (i == 1)
			x->req.tsih = be16_put(1);
		else if (i == 2)
			x->req.cid = be16_put(8);
		else
			x->req.version_max = 1;
		refused(x, FLAGS(1, 3, 1), "", LOGIN_STATUS_INITIATOR_ERROR, "changed");
	}
	/* The tag and CmdSN may; a response carries the tag of its request. */
	request(x, FLAGS(1, 0, 0), INITIATOR TARGET);
	x->req.initiator_task_tag = be32_put(5);
	x->req.cmdsn = be32_put(77);
	assert_int_equal(request(x, FLAGS(1, 3, 1), ""), LOGIN_COMPLETE);
	assert_int_equal(login_cmdsn(x->l), 0xfffffff0);
}

static void test_bad_names(void **state)
{
	struct fixture *x = *state;

	refused(x, FLAGS(1, 3, 1), "", 0x0207, "no InitiatorName");
	refused(x, FLAGS(1, 3, 1), TARGET, 0x0207, "no InitiatorName");
	refused(x, FLAGS(1, 3, 1), INITIATOR, 0x0207, "no TargetName");
	refused(x, FLAGS(1, 3, 1), INITIATOR "SessionType=Normal|", 0x0207, "no TargetName");
	refused(x, FLAGS(1, 3, 1), "InitiatorName=me|" TARGET, 0x0200, "InitiatorName=me");
	refused(x, FLAGS(1, 3, 1), INITIATOR "TargetName=disk|", 0x0203, "TargetName=disk");
	refused(x, FLAGS(1, 3, 1), INITIATOR "TargetName=iqn.1999-07.com.example:x|", 0x0203,
		"no such target");
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET "SessionType=Boot|", 0x0209, "Boot");
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET INITIATOR, 0x0200, "twice");
	assert_int_equal(x->asked, 0);
	/* Another name, in a later step; the same one again is let pass. */
	request(x, FLAGS(1, 0, 0), INITIATOR TARGET);
	request(x, FLAGS(1, 0, 0), INITIATOR);
	refused(x, FLAGS(1, 3, 1), "InitiatorName=iqn.1999-07.com.example:other|", 0x0200,
		"second time");
}

static void test_ops_refuse(void **state)
{
	struct fixture *x = *state;

	x->target_status = LOGIN_STATUS_SERVICE_UNAVAILABLE;
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET, 0x0301, "");
	x->target_status = LOGIN_STATUS_TARGET_MOVED_TEMPORARILY;
	request(x, FLAGS(1, 3, 1), INITIATOR TARGET);
	assert_string_equal(x->text, "TargetAddress=192.0.2.1:3260,4|");
	refused_as(x, 0x0101, "redirected to 192.0.2.1:3260,4");
	x->target_status = 0;
	x->node_status = LOGIN_STATUS_AUTHORIZATION_FAILURE;
	request(x, FLAGS(0, 1, 1), INITIATOR TARGET);
	assert_string_equal(login_failure(x->l)->cure, "put it there");
	assert_int_equal(login_failure(x->l)->state, LOGIN_START);
	refused_as(x, 0x0202, "not on the list");
	refused(x, FLAGS(0, 1, 1), INITIATOR DISCOVERY, 0x0202, "not on the list");
}

static void test_bad_text(void **state)
{
	struct fixture *x = *state;

	refused(x, FLAGS(1, 3, 1), "garbage|", 0x0200, "garbage");
	refused(x, FLAGS(1, 3, 1), INITIATOR "TargetName=x", 0x0200, "NUL");
	refused(x, FLAGS(1, 3, 1), INITIATOR TARGET "ImmediateData=Irrelevant|", 0x0200,
		"answer to nothing");
	request(x, FLAGS(1, 0, 0), INITIATOR TARGET "MaxBurstLength=65536|");
	refused(x, FLAGS(1, 3, 1), "MaxBurstLength=65536|", 0x0200, "second time");
	send_bytes(x, FLAGS(1, 3, 1), "\x1b]0;x\a=1", 8);
	assert_null(strchr(login_failure(x->l)->cause, '\x1b'));
	refused_as(x, 0x0200, "");
}

static void test_refuse_from_outside(void **state)
{
	struct fixture *x = *state;

	x->verdict = login_refuse(
		x->l, LOGIN_STATUS_INVALID_DURING_LOGIN, "a SCSI Command", NULL, &x->reply);
	refused_as(x, 0x020b, "a SCSI Command");
	request(x, FLAGS(1, 3, 1), INITIATOR TARGET);
	assert_int_equal(x->verdict, LOGIN_COMPLETE);
	x->verdict = login_refuse(
		x->l, LOGIN_STATUS_OUT_OF_RESOURCES, "no session", "buy memory", &x->reply);
	assert_string_equal(login_failure(x->l)->cure, "buy memory");
	assert_int_equal(be32_get(x->reply.bhs.initiator_task_tag), 0x11223344);
	refused_as(x, 0x0302, "no session");
	for (int s = 0; s < LOGIN_STATES; s++)
		assert_non_null(login_state_name((enum login_state)s));
	assert_null(login_free(NULL));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_request),
		T(test_none),
		T(test_security_to_full_feature),
		T(test_discovery),
		T(test_initiators),
		T(test_case),
		T(test_join),
		T(test_continue_in),
		T(test_continue_out),
		T(test_limits),
		T(test_many_keys),
		T(test_chap),
		T(test_chap_mutual),
		T(test_chap_refused),
		T(test_chap_or_none),
		T(test_chap_discovery),
		T(test_offer),
		T(test_offer_in_pieces),
		T(test_bad_header),
		T(test_header_changes),
		T(test_bad_names),
		T(test_ops_refuse),
		T(test_bad_text),
		T(test_refuse_from_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

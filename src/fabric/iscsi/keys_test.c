/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys_test.c: text keys: the table against RFC 7143 13, the format of 6.1, negotiation by 6.2.
 * A step is written as the text that goes over the wire, with '|' for NUL.
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

#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/keys_priv.h"

struct fixture {
	struct keys_config config;
	struct keys_values values;
	struct keys_nego nego;
	struct keys_text in, out;
	struct keys_pairs pairs;
	struct keys_fault fault;
	char reply[KEYS_REPLY_BYTES_MAX + 1];
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	keys_config_init(&x->config);
	keys_values_init(&x->values);
	keys_text_init(&x->in, KEYS_TEXT_BYTES_MAX);
	keys_text_init(&x->out, KEYS_REPLY_BYTES_MAX);
	keys_nego_init(&x->nego, KEYS_OPERATIONAL, true, &x->config, &x->values);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	keys_text_done(&x->in);
	keys_text_done(&x->out);
	free(x);
	return 0;
}

static int parse(struct fixture *x, const char *text)
{
	keys_text_reset(&x->in);
	assert_int_equal(keys_text_append(&x->in, text, strlen(text)), 0);
	for (size_t i = 0; i < x->in.len; i++) {
		if (x->in.data[i] == '|')
			x->in.data[i] = '\0';
	}
	return keys_parse(&x->in, &x->pairs, &x->fault);
}

/* What is in out, NULs as '|'. */
static const char *reply(struct fixture *x)
{
	const char *p;
	size_t n = keys_text_take(&x->out, SIZE_MAX, &p);

	for (size_t i = 0; i < n; i++)
		x->reply[i] = p[i] ? p[i] : '|';
	x->reply[n] = '\0';
	keys_text_reset(&x->out);
	return x->reply;
}

static void step(struct fixture *x, const char *text, const char *want)
{
	assert_int_equal(parse(x, text), 0);
	assert_int_equal(keys_negotiate(&x->nego, &x->pairs, &x->out, &x->fault), 0);
	assert_string_equal(reply(x), want);
}

static void step_fails(struct fixture *x, const char *text, const char *cause)
{
	assert_int_equal(parse(x, text), 0);
	assert_int_equal(keys_negotiate(&x->nego, &x->pairs, &x->out, &x->fault), -EPROTO);
	assert_non_null(strstr(x->fault.cause, cause));
	keys_text_reset(&x->out);
}

/* ---- The table ---- */

static void test_table(void **state)
{
	for (size_t i = 0; i < KEYS_N; i++) {
		const struct key *k = &keys_table[i];

		assert_non_null(k->name);
		assert_true(strlen(k->name) <= KEY_NAME_BYTES_MAX);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(k->name, keys_table[j].name);
		assert_ptr_equal(key_find(k->name), k->kind == KEY_LOCAL ? NULL : k);
		assert_true(k->scope == SCOPE_SW || k->scope == SCOPE_CO);
		assert_true(k->kind == KEY_LOCAL || (k->senders && k->use && k->stages));
		/* 13: LO and IO keys do not exist in the Full Feature Phase. */
		if (k->use == USE_LO || k->use == USE_IO)
			assert_true(
				k->kind == KEY_DECLARED_TEXT || !(k->stages & KEYS_FULL_FEATURE));
		/* Scope and place of the result agree. */
		if (k->value_at)
			assert_int_equal(k->scope == SCOPE_CO,
				(size_t)(k->value_at - 1) >= offsetof(struct keys_values, conn));
		if (k->kind == KEY_LIST)
			assert_true(k->words && k->supported && (k->def & k->supported));
	}
}

/* RFC 7143 13.x, the defaults. */
static void test_defaults(void **state)
{
	struct keys_values v;

	memset(&v, 0xff, sizeof(v));
	keys_values_init(&v);
	assert_string_equal(v.sess.initiator_name, "");
	assert_string_equal(v.sess.initiator_alias, "");
	assert_string_equal(v.sess.target_name, "");
	assert_int_equal(v.sess.session_type, SESSION_TYPE_NORMAL);
	assert_int_equal(v.sess.max_connections, 1);
	assert_true(v.sess.initial_r2t);
	assert_true(v.sess.immediate_data);
	assert_true(v.sess.data_pdu_in_order);
	assert_true(v.sess.data_sequence_in_order);
	assert_int_equal(v.sess.max_burst_length, 262144);
	assert_int_equal(v.sess.first_burst_length, 65536);
	assert_int_equal(v.sess.default_time2wait, 2);
	assert_int_equal(v.sess.default_time2retain, 20);
	assert_int_equal(v.sess.max_outstanding_r2t, 1);
	assert_int_equal(v.sess.error_recovery_level, 0);
	assert_int_equal(v.sess.task_reporting, TASK_REPORTING_RFC3720);
	assert_int_equal(v.sess.iscsi_protocol_level, 1);
	assert_int_equal(v.conn.header_digest, DIGEST_NONE);
	assert_int_equal(v.conn.data_digest, DIGEST_NONE);
	assert_int_equal(v.conn.auth_method, AUTH_METHOD_NONE);
	assert_int_equal(v.conn.max_recv_data_segment_length, 8192);
	assert_int_equal(v.conn.max_xmit_data_segment_length, 8192);
}

/* ---- Format, 6.1 ---- */

static void test_parse(void **state)
{
	struct fixture *x = *state;
	const struct keys_pair *p;

	assert_int_equal(parse(x, "A=1|Key.with-all+chars@x_9=a=b||X#Y=|"), 0);
	assert_int_equal(x->pairs.n, 3);
	assert_string_equal(x->pairs.pair[1].key, "Key.with-all+chars@x_9");
	assert_string_equal(x->pairs.pair[1].value, "a=b");
	assert_int_equal(x->pairs.pair[1].value_bytes, 3);
	p = keys_find(&x->pairs, "X#Y");
	assert_non_null(p);
	assert_string_equal(p->value, "");
	assert_null(keys_find(&x->pairs, "a"));
	assert_int_equal(parse(x, ""), 0);
	assert_int_equal(x->pairs.n, 0);
}

static void test_parse_bad(void **state)
{
	static const char *const bad[] = {
		"A=1", /* no NUL */
		"A=1|B=2", /* the same of the last one */
		"A|", /* no '=' */
		"=1|", /* no key */
		"9A=1|", /* begins with a digit */
		"A B=1|", /* space in the key */
		"A\x80=1|", /* no ASCII */
		"A=1|A=1|", /* twice */
		"MaxBurstLength=1|X=2|MaxBurstLength=3|",
	};
	struct fixture *x = *state;
	char key[KEY_NAME_BYTES_MAX + 8];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(x, bad[i]), -EPROTO);
	memset(key, 'k', sizeof(key));
	strcpy(key + KEY_NAME_BYTES_MAX, "=1|");
	assert_int_equal(parse(x, key), 0);
	key[KEY_NAME_BYTES_MAX] = 'k';
	strcpy(key + KEY_NAME_BYTES_MAX + 1, "=1|");
	assert_int_equal(parse(x, key), -EPROTO);
	assert_int_equal(parse(x, "A\x1b[31m=1|"), -EPROTO);
	assert_null(strchr(x->fault.cause, '\x1b'));
}

/* CVE-2026-63887: thousands of four-byte keys, each of which would be answered. */
static void test_many_keys(void **state)
{
	struct fixture *x = *state;
	char text[8];

	for (int i = 0; i < 2048; i++) {
		snprintf(text, sizeof(text), "%c%02x=", 'A' + i / 256, i % 256);
		assert_int_equal(keys_text_append(&x->in, text, strlen(text) + 1), 0);
	}
	assert_int_equal(keys_parse(&x->in, &x->pairs, &x->fault), -EPROTO);
	/* As many as are let through are answered within the bound. */
	keys_text_reset(&x->in);
	for (int i = 0; i < KEYS_PAIRS_MAX; i++) {
		char key[80];

		memset(key, 'K', sizeof(key));
		snprintf(key + KEY_NAME_BYTES_MAX - 4, 8, "%04x=", i);
		assert_int_equal(keys_text_append(&x->in, key, strlen(key) + 1), 0);
	}
	assert_int_equal(keys_parse(&x->in, &x->pairs, &x->fault), 0);
	assert_int_equal(keys_negotiate(&x->nego, &x->pairs, &x->out, &x->fault), 0);
	assert_int_equal(x->out.len, KEYS_PAIRS_MAX * (KEY_NAME_BYTES_MAX + 15));
	/* An answer beyond the bound fails and leaves nothing half-written. */
	keys_text_done(&x->out);
	keys_text_init(&x->out, 100);
	assert_int_equal(keys_negotiate(&x->nego, &x->pairs, &x->out, &x->fault), -EMSGSIZE);
	assert_int_equal(x->out.len, KEY_NAME_BYTES_MAX + 15);
	assert_true(x->out.cap <= 100);
}

static void test_text_buffer(void **state)
{
	struct keys_text t;
	const char *p;
	char byte = 'x';

	keys_text_init(&t, 1000);
	assert_int_equal(keys_text_take(&t, 10, &p), 0);
	assert_int_equal(keys_text_add(&t, "Key", "value"), 0);
	assert_int_equal(keys_text_take(&t, 4, &p), 4);
	assert_memory_equal(p, "Key=", 4);
	assert_int_equal(keys_text_left(&t), 6);
	assert_int_equal(keys_text_take(&t, 400, &p), 6);
	assert_memory_equal(p, "value\0", 6);
	assert_int_equal(keys_text_take(&t, 400, &p), 0);
	for (int i = 10; i < 1000; i++)
		assert_int_equal(keys_text_append(&t, &byte, 1), 0);
	assert_int_equal(keys_text_append(&t, &byte, 1), -EMSGSIZE);
	assert_int_equal(keys_text_add(&t, "", ""), -EMSGSIZE);
	assert_int_equal(keys_text_append(&t, &byte, SIZE_MAX), -EMSGSIZE);
	assert_int_equal(t.len, 1000);
	keys_text_done(&t);
	assert_int_equal(t.len, 0);
}

static void test_values(void **state)
{
	static const char *const bad_numbers[] = { "", "x", "-1", "+1", " 1", "1 ", "01", "0x",
		"0xg", "1.5", "18446744073709551616", "0x10000000000000000", "12abc", "0b11" };
	uint64_t n;
	bool b;

	for (size_t i = 0; i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++)
		assert_int_equal(keys_number(bad_numbers[i], &n), -EINVAL);
	assert_int_equal(keys_number("0", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(keys_number("18446744073709551615", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(keys_number("0xFFFFffffFFFFffff", &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(keys_number("0X0010", &n), 0);
	assert_int_equal(n, 16);
	assert_int_equal(keys_boolean("Yes", &b), 0);
	assert_true(b);
	assert_int_equal(keys_boolean("No", &b), 0);
	assert_false(b);
	assert_int_equal(keys_boolean("yes", &b), -EINVAL);
	assert_int_equal(keys_boolean("", &b), -EINVAL);
	assert_int_equal(keys_boolean("Yes,No", &b), -EINVAL);
}

static void test_binary(void **state)
{
	static const char *const bad[] = { "", "0", "0x", "0b", "0x1", "0x123", "0xgg", "12",
		"1234", "0bAA", "0bAAA", "0b====", "0bAA=A", "0b AAAA", "0xab ", "x12" };
	uint8_t out[5] = { 0, 0, 0, 0, 0xee };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(keys_binary(bad[i], out, 4), -EINVAL);
	assert_int_equal(keys_binary("0x0102fFA0", out, 4), 4);
	assert_memory_equal(out, "\x01\x02\xff\xa0", 4);
	assert_int_equal(keys_binary("0bAQL/oA==", out, 4), 4);
	assert_memory_equal(out, "\x01\x02\xff\xa0", 4);
	assert_int_equal(keys_binary("0B/w==", out, 4), 1);
	assert_int_equal(keys_binary("0x0102030405", out, 4), -EMSGSIZE);
	assert_int_equal(keys_binary("0bAQL/oKCg", out, 4), -EMSGSIZE);
	assert_int_equal(out[4], 0xee);
}

/* ---- Negotiation, 6.2 and 13 ---- */

/* What a usual initiator proposes; every result function once. */
static void test_usual(void **state)
{
	struct fixture *x = *state;
	const struct sess_params *s = &x->values.sess;

	x->config.initial_r2t = false;
	step(x,
		"HeaderDigest=CRC32C,None|DataDigest=None|MaxConnections=8|InitialR2T=No|"
		"ImmediateData=Yes|MaxRecvDataSegmentLength=131072|MaxBurstLength=16776192|"
		"FirstBurstLength=262144|DefaultTime2Wait=5|DefaultTime2Retain=0|"
		"MaxOutstandingR2T=16|DataPDUInOrder=No|DataSequenceInOrder=Yes|"
		"ErrorRecoveryLevel=2|TaskReporting=FastAbort,RFC3720|iSCSIProtocolLevel=2|",
		"HeaderDigest=CRC32C|DataDigest=None|MaxConnections=1|InitialR2T=No|"
		"ImmediateData=Yes|MaxBurstLength=1048576|DefaultTime2Wait=5|DefaultTime2Retain=0|"
		"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
		"ErrorRecoveryLevel=0|TaskReporting=FastAbort|iSCSIProtocolLevel=2|"
		"FirstBurstLength=262144|MaxOutstandingR2T=8|");
	assert_int_equal(x->values.conn.header_digest, DIGEST_CRC32C);
	assert_int_equal(x->values.conn.data_digest, DIGEST_NONE);
	assert_int_equal(x->values.conn.max_xmit_data_segment_length, 131072);
	assert_int_equal(s->max_connections, 1);
	assert_false(s->initial_r2t);
	assert_true(s->immediate_data);
	assert_int_equal(s->max_burst_length, 1048576);
	assert_int_equal(s->first_burst_length, 262144);
	assert_int_equal(s->default_time2wait, 5);
	assert_int_equal(s->default_time2retain, 0);
	assert_int_equal(s->max_outstanding_r2t, 8);
	assert_true(s->data_pdu_in_order);
	assert_int_equal(s->error_recovery_level, 0);
	assert_int_equal(keys_offer(&x->nego, &x->out), 0);
	assert_string_equal(reply(x), "MaxRecvDataSegmentLength=262144|TargetAlias=ulio|");
	assert_int_equal(x->values.conn.max_recv_data_segment_length, 262144);
	assert_int_equal(x->nego.offered, 0);
	assert_int_equal(keys_offer(&x->nego, &x->out), 0); /* only once */
	assert_string_equal(reply(x), "");
	assert_int_equal(keys_complete(&x->nego, &x->fault), 0);
}

static void test_boolean(void **state)
{
	struct fixture *x = *state;

	step(x, "ImmediateData=No|", "ImmediateData=No|"); /* AND */
	step(x, "InitialR2T=No|", "InitialR2T=Yes|"); /* OR with our Yes */
	step(x, "DataPDUInOrder=maybe|", "DataPDUInOrder=Reject|");
	assert_false(x->values.sess.immediate_data);
	assert_true(x->values.sess.initial_r2t);
	assert_true(x->values.sess.data_pdu_in_order);
}

static void test_list(void **state)
{
	struct fixture *x = *state;

	/* The initiator's order decides; unknown and extension values are passed over. */
	step(x, "HeaderDigest=X-com.example.crc64,None,CRC32C|", "HeaderDigest=None|");
	x->config.data_digest = DIGEST_CRC32C;
	step(x, "DataDigest=None|", "DataDigest=Reject|");
	assert_int_equal(x->values.conn.data_digest, DIGEST_NONE);
	assert_int_equal(keys_complete(&x->nego, &x->fault), -EPROTO);
	assert_non_null(strstr(x->fault.cause, "DataDigest"));
	step(x, "TaskReporting=,CRC32C,rfc3720|", "TaskReporting=Reject|");
}

static void test_number_bounds(void **state)
{
	struct fixture *x = *state;

	step(x, "MaxBurstLength=511|", "MaxBurstLength=Reject|");
	step(x, "MaxOutstandingR2T=0|", "MaxOutstandingR2T=Reject|");
	step(x, "MaxConnections=70000|", "MaxConnections=1|"); /* a minimum: admissible result */
	step(x, "DefaultTime2Wait=3601|", "DefaultTime2Wait=Reject|");
	step(x, "DefaultTime2Retain=0x10|", "DefaultTime2Retain=16|");
	step(x, "ErrorRecoveryLevel=1x|", "ErrorRecoveryLevel=Reject|");
	assert_int_equal(x->values.sess.max_burst_length, 262144);
	assert_int_equal(x->values.sess.default_time2wait, 2);
}

static void test_declared_length(void **state)
{
	struct fixture *x = *state;

	step(x, "MaxRecvDataSegmentLength=16777216|", "");
	assert_int_equal(x->values.conn.max_xmit_data_segment_length, 262144); /* our own cap */
	keys_nego_init(&x->nego, KEYS_OPERATIONAL, true, &x->config, &x->values);
	step(x, "MaxRecvDataSegmentLength=511|", "MaxRecvDataSegmentLength=Reject|");
	keys_nego_init(&x->nego, KEYS_OPERATIONAL, true, &x->config, &x->values);
	step(x, "MaxRecvDataSegmentLength=512|", "");
	assert_int_equal(x->values.conn.max_xmit_data_segment_length, 512);
	x->config.max_xmit_data_segment_length = 1024;
	keys_values_init(&x->values);
	assert_int_equal(keys_complete(&x->nego, &x->fault), 0);
	assert_int_equal(x->values.conn.max_xmit_data_segment_length, 1024);
}

/* 13.14: irrelevant without unsolicited data, wherever in the text the other keys stand. */
static void test_first_burst(void **state)
{
	struct fixture *x = *state;

	step(x, "FirstBurstLength=65536|InitialR2T=Yes|ImmediateData=No|",
		"InitialR2T=Yes|ImmediateData=No|FirstBurstLength=Irrelevant|");
	/* Never above MaxBurstLength. */
	setup((void **)&x);
	step(x, "FirstBurstLength=65536|MaxBurstLength=4096|",
		"MaxBurstLength=4096|FirstBurstLength=4096|");
	assert_int_equal(keys_complete(&x->nego, &x->fault), 0);
	teardown((void **)&x);
	/* The default is cut down with it. */
	setup((void **)&x);
	step(x, "MaxBurstLength=4096|", "MaxBurstLength=4096|");
	assert_int_equal(keys_complete(&x->nego, &x->fault), 0);
	assert_int_equal(x->values.sess.first_burst_length, 4096);
	teardown((void **)&x);
	/* But what was agreed is not. */
	setup((void **)&x);
	step(x, "FirstBurstLength=65536|", "FirstBurstLength=65536|");
	step(x, "MaxBurstLength=4096|", "MaxBurstLength=4096|");
	assert_int_equal(keys_complete(&x->nego, &x->fault), -EPROTO);
	teardown((void **)&x);
}

/* Another negotiation, with the configuration as it is. */
static void reset(struct fixture *x)
{
	keys_values_init(&x->values);
	keys_nego_init(&x->nego, KEYS_OPERATIONAL, true, &x->config, &x->values);
}

/* 13.19: recovery and sequences in order leave room for one R2T, whatever the keys' order. */
static void test_one_r2t(void **state)
{
	struct fixture *x = *state;

	x->config.error_recovery_level = 2;
	step(x, "MaxOutstandingR2T=8|ErrorRecoveryLevel=1|DataSequenceInOrder=Yes|",
		"ErrorRecoveryLevel=1|DataSequenceInOrder=Yes|MaxOutstandingR2T=1|");
	reset(x);
	x->config.error_recovery_level = 2;
	x->config.data_sequence_in_order = false;
	step(x, "MaxOutstandingR2T=8|DataSequenceInOrder=No|ErrorRecoveryLevel=1|",
		"DataSequenceInOrder=No|ErrorRecoveryLevel=1|MaxOutstandingR2T=8|");
	reset(x);
	x->config.error_recovery_level = 0;
	step(x, "MaxOutstandingR2T=8|ErrorRecoveryLevel=1|",
		"ErrorRecoveryLevel=0|MaxOutstandingR2T=8|");
}

/* 13.18, 13.19: No is agreed when both sides say so. */
static void test_disorder(void **state)
{
	struct fixture *x = *state;

	step(x, "DataPDUInOrder=No|DataSequenceInOrder=No|",
		"DataPDUInOrder=Yes|DataSequenceInOrder=Yes|");
	reset(x);
	x->config.data_pdu_in_order = x->config.data_sequence_in_order = false;
	step(x, "DataPDUInOrder=No|DataSequenceInOrder=Yes|",
		"DataPDUInOrder=No|DataSequenceInOrder=Yes|");
}

static void test_discovery(void **state)
{
	struct fixture *x = *state;

	x->values.sess.session_type = SESSION_TYPE_DISCOVERY;
	step(x,
		"MaxConnections=1|InitialR2T=Yes|ImmediateData=Yes|MaxBurstLength=512|"
		"MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"
		"ErrorRecoveryLevel=0|DefaultTime2Wait=2|HeaderDigest=None|TaskReporting=RFC3720|"
		"iSCSIProtocolLevel=1|FirstBurstLength=512|",
		"MaxConnections=Irrelevant|InitialR2T=Irrelevant|ImmediateData=Irrelevant|"
		"MaxBurstLength=Irrelevant|"
		"DataPDUInOrder=Irrelevant|DataSequenceInOrder=Irrelevant|ErrorRecoveryLevel=0|"
		"DefaultTime2Wait=2|HeaderDigest=None|TaskReporting=Irrelevant|"
		"iSCSIProtocolLevel=Irrelevant|MaxOutstandingR2T=Irrelevant|"
		"FirstBurstLength=Irrelevant|");
	x->config.max_burst_length = 4096; /* nothing of that is offered either */
	assert_int_equal(keys_offer(&x->nego, &x->out), 0);
	assert_string_equal(reply(x), "MaxRecvDataSegmentLength=262144|");
	assert_int_equal(x->nego.offered, 0);
}

static void test_unknown(void **state)
{
	struct fixture *x = *state;

	step(x,
		"X-com.example.foo=1|RDMAExtensions=Yes|maxburstlength=512|"
		"MaxXmitDataSegmentLength=512|X#NodeArchitecture=x86|InitiatorAlias=me, you|",
		"X-com.example.foo=NotUnderstood|RDMAExtensions=NotUnderstood|"
		"maxburstlength=NotUnderstood|MaxXmitDataSegmentLength=NotUnderstood|");
	assert_string_equal(x->values.sess.initiator_alias, "me, you");
	/* No answer to an answer: two peers would answer each other for ever. */
	step_fails(x, "X-com.example.bar=NotUnderstood|", "answer to nothing");
}

/* 13.7: an alias is shown to people: nothing in it moves a cursor or begins a line. */
static void test_alias(void **state)
{
	struct fixture *x = *state;

	step(x, "InitiatorAlias=a\nTSIH: 1\x1b[2J\x7f \xc2\x9b J\xc3\xbcrgen\xc2|", "");
	assert_string_equal(x->values.sess.initiator_alias, "a?TSIH: 1?[2J? ?? J\xc3\xbcrgen\xc2");
}

/* 13.25: Reject, never NotUnderstood. */
static void test_obsolete(void **state)
{
	step(*state, "IFMarker=Yes|OFMarker=No|IFMarkInt=2048~8192|OFMarkInt=1~65535|",
		"IFMarker=Reject|OFMarker=Reject|IFMarkInt=Reject|OFMarkInt=Reject|");
}

static void test_errors(void **state)
{
	struct fixture *x = *state;
	char text[400];

	step(x, "MaxBurstLength=65536|", "MaxBurstLength=65536|");
	step_fails(x, "MaxBurstLength=65536|", "second time");
	step_fails(x, "ImmediateData=Irrelevant|", "answer to nothing");
	step_fails(x, "HeaderDigest=Reject|", "answer to nothing");
	step_fails(x, "TargetAlias=x|", "target's to send");
	step_fails(x, "TargetPortalGroupTag=1|", "target's to send");
	step_fails(x, "SessionType=normal|", "SessionType");
	step_fails(x, "InitiatorName=foo|", "begins with");
	memset(text, 'a', sizeof(text));
	memcpy(text, "InitiatorAlias=", 15);
	strcpy(text + 15 + KEY_VALUE_BYTES_MAX + 1, "|");
	step_fails(x, text, "longer than 255");
}

/* Keys in the wrong stage or on the wrong connection. */
static void test_stages(void **state)
{
	struct fixture *x = *state;

	step(x, "AuthMethod=None|SendTargets=All|SRP_U=x|",
		"AuthMethod=Reject|SendTargets=Reject|SRP_U=Reject|");
	x->nego.stage = KEYS_SECURITY;
	step_fails(x, "CHAP_R=0x00|", "AuthMethod");
	step(x, "AuthMethod=KRB5,CHAP,None|MaxBurstLength=65536|HeaderDigest=None|",
		"AuthMethod=CHAP|MaxBurstLength=Reject|HeaderDigest=Reject|");
	assert_int_equal(x->values.conn.auth_method, AUTH_METHOD_CHAP);
	step(x, "CHAP_A=7|", ""); /* chap.c's */
	/* Another connection of a session: LO keys are the session's already. */
	keys_nego_init(&x->nego, KEYS_OPERATIONAL, false, &x->config, &x->values);
	x->config.max_burst_length = 4096;
	step(x, "MaxBurstLength=65536|HeaderDigest=CRC32C|SessionType=Normal|",
		"MaxBurstLength=Reject|HeaderDigest=CRC32C|");
	assert_int_equal(keys_offer(&x->nego, &x->out), 0);
	assert_string_equal(reply(x), "MaxRecvDataSegmentLength=262144|");
}

/* 6.4: the Full Feature Phase. */
static void test_full_feature(void **state)
{
	struct fixture *x = *state;

	keys_nego_init(&x->nego, KEYS_FULL_FEATURE, true, &x->config, &x->values);
	step(x, "SendTargets=All|", "");
	assert_string_equal(x->nego.send_targets, "All");
	step(x,
		"MaxRecvDataSegmentLength=65536|InitiatorAlias=x|MaxBurstLength=512|"
		"InitiatorName=iqn.2001-04.com.example|HeaderDigest=None|X-a=b|",
		"MaxBurstLength=Reject|InitiatorName=Reject|HeaderDigest=Reject|"
		"X-a=NotUnderstood|");
	assert_null(x->nego.send_targets);
	assert_int_equal(x->values.conn.max_xmit_data_segment_length, 65536);
	assert_string_equal(x->values.sess.initiator_name, "");
	step_fails(x, "SendTargets=|", "second time");
	/* A new sequence. */
	keys_nego_init(&x->nego, KEYS_FULL_FEATURE, true, &x->config, &x->values);
	step(x, "SendTargets=|", "");
	assert_string_equal(x->nego.send_targets, "");
}

/* Nonsense does not win the default back where the configuration forbids it. */
static void test_inadmissible(void **state)
{
	struct fixture *x = *state;

	x->config.immediate_data = false;
	x->config.max_burst_length = 65536;
	x->config.default_time2wait = 5;
	step(x,
		"ImmediateData=YesM|InitialR2T=Maybe|MaxBurstLength=511|DefaultTime2Wait=3601|"
		"DefaultTime2Retain=x|",
		"ImmediateData=No|InitialR2T=Reject|MaxBurstLength=65536|DefaultTime2Wait=5|"
		"DefaultTime2Retain=Reject|");
	assert_false(x->values.sess.immediate_data);
	assert_int_equal(x->values.sess.max_burst_length, 65536);
	assert_int_equal(x->values.sess.default_time2wait, 5);
	assert_int_equal(x->values.sess.default_time2retain, 20);
}

/* ---- What the target brings up ---- */

static void restrictive(struct keys_config *c)
{
	c->target_alias[0] = '\0';
	c->header_digest = DIGEST_CRC32C;
	c->immediate_data = false;
	c->max_burst_length = 65536;
	c->first_burst_length = 262144;
	c->default_time2wait = 5;
	c->default_time2retain = 0;
}

static const char restrictive_offer[] =
	"MaxRecvDataSegmentLength=262144|HeaderDigest=CRC32C|ImmediateData=No|"
	"MaxBurstLength=65536|DefaultTime2Wait=5|DefaultTime2Retain=0|";

static void test_offer(void **state)
{
	struct fixture *x = *state;

	restrictive(&x->config);
	step(x, "FirstBurstLength=262144|", "FirstBurstLength=65536|");
	assert_int_equal(keys_offer(&x->nego, &x->out), 0);
	assert_string_equal(reply(x), restrictive_offer);
	assert_true(x->nego.offered != 0);
	step(x,
		"HeaderDigest=CRC32C|MaxBurstLength=32768|DefaultTime2Wait=7|"
		"DefaultTime2Retain=Reject|",
		"");
	/* ImmediateData=No decides alone; its answer may be left out. */
	x->values.sess.first_burst_length = 32768;
	assert_int_equal(keys_complete(&x->nego, &x->fault), 0);
	assert_int_equal(x->values.conn.header_digest, DIGEST_CRC32C);
	assert_false(x->values.sess.immediate_data);
	assert_int_equal(x->values.sess.max_burst_length, 32768);
	assert_int_equal(x->values.sess.default_time2wait, 7);
	assert_int_equal(x->values.sess.default_time2retain, 20);
}

static void offer(struct fixture *x)
{
	keys_values_init(&x->values);
	restrictive(&x->config);
	keys_nego_init(&x->nego, KEYS_OPERATIONAL, true, &x->config, &x->values);
	assert_int_equal(keys_offer(&x->nego, &x->out), 0);
	reply(x);
}

static void test_offer_bad_answers(void **state)
{
	static const char *const bad[] = { "HeaderDigest=None|", "MaxBurstLength=65537|",
		"MaxBurstLength=511|", "DefaultTime2Wait=4|", "ImmediateData=Perhaps|",
		"HeaderDigest=NotUnderstood|" };
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		offer(x);
		step_fails(x, bad[i], "does not answer");
	}
	offer(x);
	step(x, "ImmediateData=Yes|", ""); /* AND with our No */
	assert_false(x->values.sess.immediate_data);
	step_fails(x, "ImmediateData=No|", "second time");
}

static void test_offer_unanswered(void **state)
{
	struct fixture *x = *state;

	offer(x);
	step(x, "HeaderDigest=CRC32C|", "");
	x->config.login_keys_workaround = false;
	assert_int_equal(keys_complete(&x->nego, &x->fault), -EPROTO);
	assert_non_null(strstr(x->fault.cause, "MaxBurstLength"));
	offer(x);
	x->config.login_keys_workaround = true;
	step(x, "HeaderDigest=CRC32C|", "");
	assert_int_equal(keys_complete(&x->nego, &x->fault), 0);
	assert_int_equal(x->values.sess.max_burst_length, 262144);
	/* A demanded digest is not given up. */
	offer(x);
	assert_int_equal(keys_complete(&x->nego, &x->fault), -EPROTO);
	assert_non_null(strstr(x->fault.cause, "HeaderDigest"));
}

/* ---- Configuration as LIO's param/ files ---- */

static void test_config(void **state)
{
	static const char *const lio[] = { "AuthMethod", "HeaderDigest", "DataDigest",
		"MaxConnections", "TargetAlias", "InitialR2T", "ImmediateData",
		"MaxRecvDataSegmentLength", "MaxXmitDataSegmentLength", "MaxBurstLength",
		"FirstBurstLength", "DefaultTime2Wait", "DefaultTime2Retain", "MaxOutstandingR2T",
		"DataPDUInOrder", "DataSequenceInOrder", "ErrorRecoveryLevel", "IFMarker",
		"OFMarker", "IFMarkInt", "OFMarkInt" };
	const size_t nlio = sizeof(lio) / sizeof(lio[0]);
	struct keys_config c, again;
	size_t n = 0;
	char buf[300];

	keys_config_init(&c);
	for (const char *name; (name = keys_config_name(n)); n++) {
		size_t i = 0;

		while (i < nlio && strcmp(lio[i], name) != 0)
			i++;
		assert_true(i < nlio);
		/* Whatever is read can be written back, and is the same. */
		assert_true(keys_config_get(&c, name, buf, sizeof(buf)) >= 0);
		again = c;
		assert_int_equal(keys_config_set(&again, name, buf), 0);
		assert_memory_equal(&again, &c, sizeof(c));
	}
	assert_int_equal(n, nlio);
}

static void test_config_values(void **state)
{
	struct keys_config c;
	char buf[300];

	keys_config_init(&c);
	assert_int_equal(keys_config_set(&c, "AuthMethod", "None,CHAP"), 0);
	assert_int_equal(c.auth_method, AUTH_METHOD_CHAP | AUTH_METHOD_NONE);
	assert_int_equal(keys_config_get(&c, "AuthMethod", buf, sizeof(buf)), 9);
	assert_string_equal(buf, "CHAP,None");
	assert_int_equal(keys_config_get(&c, "AuthMethod", buf, 9), -ENOBUFS);
	assert_int_equal(keys_config_set(&c, "InitialR2T", "No"), 0);
	assert_false(c.initial_r2t);
	assert_int_equal(keys_config_set(&c, "MaxBurstLength", "16777215"), 0);
	assert_int_equal(c.max_burst_length, 16777215);
	assert_int_equal(keys_config_set(&c, "TargetAlias", "my disk"), 0);
	assert_int_equal(keys_config_set(&c, "iSCSIProtocolLevel", "0"), 0);
	assert_int_equal(keys_config_set(&c, "MaxBurstLength", "16777216"), -EINVAL);
	assert_int_equal(keys_config_set(&c, "MaxBurstLength", "12abc"), -EINVAL);
	assert_int_equal(keys_config_set(&c, "MaxConnections", "0"), -EINVAL);
	assert_int_equal(keys_config_set(&c, "InitialR2T", "no"), -EINVAL);
	assert_int_equal(keys_config_set(&c, "HeaderDigest", "CRC32C,"), -EINVAL);
	assert_int_equal(keys_config_set(&c, "HeaderDigest", ""), -EINVAL);
	assert_int_equal(keys_config_set(&c, "IFMarker", "Yes"), -EINVAL);
	assert_int_equal(keys_config_set(&c, "SendTargets", "All"), -ENOENT);
	memset(buf, 'a', sizeof(buf));
	buf[KEY_VALUE_BYTES_MAX + 1] = '\0';
	assert_int_equal(keys_config_set(&c, "TargetAlias", buf), -EINVAL);
	assert_string_equal(c.target_alias, "my disk");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_table),
		T(test_defaults),
		T(test_parse),
		T(test_parse_bad),
		T(test_many_keys),
		T(test_text_buffer),
		T(test_values),
		T(test_binary),
		T(test_usual),
		T(test_boolean),
		T(test_list),
		T(test_number_bounds),
		T(test_declared_length),
		T(test_first_burst),
		T(test_one_r2t),
		T(test_disorder),
		T(test_discovery),
		T(test_unknown),
		T(test_alias),
		T(test_obsolete),
		T(test_errors),
		T(test_stages),
		T(test_full_feature),
		T(test_inadmissible),
		T(test_offer),
		T(test_offer_bad_answers),
		T(test_offer_unanswered),
		T(test_config),
		T(test_config_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

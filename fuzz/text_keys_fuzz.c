/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text_keys_fuzz.c: text keys of iSCSI, parsed and negotiated.
 *
 * Byte 0 chooses stage, session and configuration; the rest is the text of one or more steps, each
 * ended by 0xff. Checked: what comes out is text that parses again, and whatever the peer said, the
 * agreed values lie in the RFC's ranges and in those of the configuration.
 */
#include "fuzz.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "fabric/iscsi/keys.h"
#include "fabric/iscsi/name.h"

enum { STAGE = 0x03, JOINING = 0x04, DISCOVERY = 0x08, RESTRICTIVE = 0x10, CHAP = 0x20 };

static void configure(struct keys_config *c, uint8_t how)
{
	keys_config_init(c);
	if (!(how & CHAP))
		c->auth_method = AUTH_METHOD_NONE;
	if (!(how & RESTRICTIVE)) {
		c->initial_r2t = false;
		c->max_connections = 4;
		c->error_recovery_level = 2;
		c->iscsi_protocol_level = 31;
		return;
	}
	c->header_digest = DIGEST_CRC32C;
	c->immediate_data = false;
	c->max_burst_length = 4096;
	c->first_burst_length = 1024;
	c->default_time2wait = 3;
	c->default_time2retain = 1;
	c->max_xmit_data_segment_length = 512;
	c->login_keys_workaround = false;
}

static bool one_bit(uint32_t mask, uint32_t allowed)
{
	return mask && !(mask & (mask - 1)) && (mask & allowed) == mask;
}

static void check_values(const struct keys_values *v, const struct keys_config *c)
{
	const struct sess_params *s = &v->sess;

	assert(strnlen(s->initiator_name, sizeof(s->initiator_name)) <= NODE_NAME_BYTES_MAX);
	assert(strnlen(s->target_name, sizeof(s->target_name)) <= NODE_NAME_BYTES_MAX);
	assert(strnlen(s->initiator_alias, sizeof(s->initiator_alias)) <= KEY_VALUE_BYTES_MAX);
	assert(one_bit(s->session_type, SESSION_TYPE_NORMAL | SESSION_TYPE_DISCOVERY));
	assert(s->max_connections >= 1 && s->max_connections <= c->max_connections);
	assert(s->max_burst_length >= 512 && s->max_burst_length <= 16777215);
	assert(s->first_burst_length >= 512 && s->first_burst_length <= 16777215);
	assert(s->default_time2wait <= 3600 && s->default_time2retain <= 3600);
	assert(s->max_outstanding_r2t >= 1 && s->max_outstanding_r2t <= c->max_outstanding_r2t);
	assert(s->error_recovery_level <= KEYS_ERROR_RECOVERY_LEVEL_SUPPORTED);
	assert(s->iscsi_protocol_level <= KEYS_PROTOCOL_LEVEL_SUPPORTED);
	assert(s->data_pdu_in_order && s->data_sequence_in_order);
	assert(one_bit(s->task_reporting, KEYS_TASK_REPORTING_SUPPORTED));
	assert(one_bit(v->conn.header_digest, DIGEST_CRC32C | DIGEST_NONE));
	assert(one_bit(v->conn.data_digest, DIGEST_CRC32C | DIGEST_NONE));
	assert(one_bit(v->conn.auth_method, AUTH_METHOD_CHAP | AUTH_METHOD_NONE));
	assert(v->conn.max_xmit_data_segment_length >= 512);
}

static void check_complete(const struct keys_values *v, const struct keys_config *c)
{
	assert(v->sess.first_burst_length <= v->sess.max_burst_length);
	assert(v->conn.max_xmit_data_segment_length <= c->max_xmit_data_segment_length);
	assert(v->conn.header_digest & c->header_digest);
	assert(c->immediate_data || v->sess.session_type == SESSION_TYPE_DISCOVERY ||
		!v->sess.immediate_data);
}

/* What we say must be text that our own parser takes. */
static void check_reply(struct keys_text *out)
{
	static struct keys_pairs pairs;
	struct keys_fault f;

	assert(out->len <= out->max && out->cap <= out->max);
	assert(keys_parse(out, &pairs, &f) == 0);
	keys_text_reset(out);
}

static void check_fault(const struct keys_fault *f)
{
	size_t n = strnlen(f->cause, sizeof(f->cause));

	assert(n > 0 && n < sizeof(f->cause));
	for (size_t i = 0; i < n; i++)
		assert(f->cause[i] >= 0x20 && f->cause[i] <= 0x7e);
}

/* Returns 0 while the negotiation may go on. */
static int step(struct keys_nego *n, struct keys_text *in, struct keys_text *out)
{
	static struct keys_pairs pairs;
	struct keys_fault f = { "" };
	int rc = keys_parse(in, &pairs, &f);

	assert(pairs.n <= KEYS_PAIRS_MAX);
	if (rc == 0)
		rc = keys_negotiate(n, &pairs, out, &f);
	check_values(n->values, n->config);
	if (rc == -EPROTO)
		check_fault(&f);
	else if (rc == 0)
		check_reply(out);
	assert(rc == 0 || rc == -EPROTO || rc == -EMSGSIZE);
	keys_text_reset(in);
	return rc;
}

static void finish(struct keys_nego *n, struct keys_text *out)
{
	struct keys_fault f = { "" };

	if (n->stage != KEYS_OPERATIONAL)
		return;
	assert(keys_offer(n, out) == 0);
	check_reply(out);
	if (keys_complete(n, &f) == 0) {
		if (n->leading)
			check_complete(n->values, n->config);
	} else {
		check_fault(&f);
	}
	check_values(n->values, n->config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum keys_stage stages[] = { KEYS_OPERATIONAL, KEYS_SECURITY,
		KEYS_FULL_FEATURE, KEYS_OPERATIONAL };
	struct keys_config config;
	struct keys_values values;
	struct keys_nego nego;
	struct keys_text in, out;
	uint8_t how = size ? data[0] : 0;
	int rc = 0;

	configure(&config, how);
	keys_values_init(&values);
	if (how & DISCOVERY)
		values.sess.session_type = SESSION_TYPE_DISCOVERY;
	keys_nego_init(&nego, stages[how & STAGE], !(how & JOINING), &config, &values);
	keys_text_init(&in, KEYS_TEXT_BYTES_MAX);
	keys_text_init(&out, KEYS_REPLY_BYTES_MAX);
	for (size_t at = 1; at < size && rc == 0;) {
		const uint8_t *end = memchr(data + at, 0xff, size - at);
		size_t n = end ? (size_t)(end - data) - at : size - at;

		rc = keys_text_append(&in, data + at, n);
		if (rc == 0)
			rc = step(&nego, &in, &out);
		at += n + 1;
	}
	if (rc == 0)
		finish(&nego, &out);
	keys_text_done(&in);
	keys_text_done(&out);
	return 0;
}

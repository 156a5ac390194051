/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys.c: negotiation of text keys (RFC 7143 6.2), driven by the rows of keys.tbl.h.
 */
#include "fabric/iscsi/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fabric/iscsi/keys_priv.h"
#include "fabric/iscsi/name.h"

static const struct key_word words_auth_method[] = {
	{ "CHAP", AUTH_METHOD_CHAP },
	{ "None", AUTH_METHOD_NONE },
	{ "SRP", AUTH_METHOD_SRP },
	{ "SPKM1", AUTH_METHOD_SPKM1 },
	{ "SPKM2", AUTH_METHOD_SPKM2 },
	{ "KRB5", AUTH_METHOD_KRB5 },
	{ NULL, 0 },
};

static const struct key_word words_digest[] = {
	{ "CRC32C", DIGEST_CRC32C },
	{ "None", DIGEST_NONE },
	{ NULL, 0 },
};

static const struct key_word words_session_type[] = {
	{ "Normal", SESSION_TYPE_NORMAL },
	{ "Discovery", SESSION_TYPE_DISCOVERY },
	{ NULL, 0 },
};

static const struct key_word words_task_reporting[] = {
	{ "RFC3720", TASK_REPORTING_RFC3720 },
	{ "ResponseFence", TASK_REPORTING_RESPONSE_FENCE },
	{ "FastAbort", TASK_REPORTING_FAST_ABORT },
	{ NULL, 0 },
};

#define VALUE(field)  .value_at = 1 + offsetof(struct keys_values, field)
#define CONFIG(field) .config_at = 1 + offsetof(struct keys_config, field)
#define KEY(id, ...)  [K_##id] = { __VA_ARGS__ },
const struct key keys_table[KEYS_N] = {
#include "fabric/iscsi/keys.tbl.h"
};
#undef KEY
#undef CONFIG
#undef VALUE

static_assert(KEYS_N <= 64, "a row is a bit of a 64-bit mask");

const struct key *key_find(const char *name)
{
	for (const struct key *k = keys_table; k < keys_table + KEYS_N; k++) {
		if (k->kind != KEY_LOCAL && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

uint32_t key_word_bit(const struct key *k, const char *word, size_t len)
{
	for (const struct key_word *w = k->words; w->word; w++) {
		if (strlen(w->word) == len && memcmp(w->word, word, len) == 0)
			return w->bit;
	}
	return 0;
}

int key_words_print(const struct key *k, uint32_t mask, char *buf, size_t size)
{
	size_t len = 0;

	if (size == 0)
		return -ENOBUFS;
	buf[0] = '\0';
	for (const struct key_word *w = k->words; w->word; w++) {
		int n;

		if (!(mask & w->bit))
			continue;
		n = snprintf(buf + len, size - len, "%s%s", len ? "," : "", w->word);
		if (n < 0 || (size_t)n >= size - len)
			return -ENOBUFS;
		len += (size_t)n;
	}
	return (int)len;
}

/* ---- Fields by row ---- */

static void *value_field(const struct key *k, struct keys_values *v)
{
	assert(k->value_at);
	return (char *)v + k->value_at - 1;
}

static const void *config_field(const struct key *k, const struct keys_config *c)
{
	assert(k->config_at);
	return (const char *)c + k->config_at - 1;
}

static bool kind_boolean(enum key_kind kind)
{
	return kind == KEY_BOOLEAN_AND || kind == KEY_BOOLEAN_OR;
}

static bool kind_number(enum key_kind kind)
{
	return kind == KEY_NUMBER_MIN || kind == KEY_NUMBER_MAX;
}

static void value_set(const struct key *k, struct keys_values *v, uint32_t x)
{
	if (kind_boolean(k->kind))
		*(bool *)value_field(k, v) = x;
	else
		*(uint32_t *)value_field(k, v) = x;
}

/* What config wants for a key, within what the implementation can do: a number, mask or 0/1. */
static uint32_t own_value(const struct keys_nego *n, const struct key *k)
{
	const void *field = config_field(k, n->config);
	uint32_t x;

	if (kind_boolean(k->kind)) {
		bool yes = *(const bool *)field;

		return (k->supported & (yes ? CAN_YES : CAN_NO)) ? yes : !yes;
	}
	x = *(const uint32_t *)field;
	if (k->kind == KEY_LIST)
		return x & k->supported;
	if (x > k->supported)
		x = k->supported;
	if (k == &keys_table[K_FIRST_BURST_LENGTH]) { /* 13.14: not above MaxBurstLength */
		if (x > n->config->max_burst_length)
			x = n->config->max_burst_length;
		if (x > n->values->sess.max_burst_length)
			x = n->values->sess.max_burst_length;
	}
	/* 13.19: no more than the last R2T may be recovered, so there is only one. */
	if (k == &keys_table[K_MAX_OUTSTANDING_R2T] && n->values->sess.error_recovery_level &&
		n->values->sess.data_sequence_in_order)
		x = 1;
	return x;
}

void keys_values_init(struct keys_values *v)
{
	memset(v, 0, sizeof(*v));
	for (const struct key *k = keys_table; k < keys_table + KEYS_N; k++) {
		if (k->value_at && k->kind != KEY_DECLARED_TEXT && k->kind != KEY_DECLARED_NAME)
			value_set(k, v, k->def);
	}
	v->conn.max_recv_data_segment_length = keys_table[K_MAX_RECV_DATA_SEGMENT_LENGTH].def;
}

void keys_nego_init(struct keys_nego *n, enum keys_stage stage, bool leading,
	const struct keys_config *config, struct keys_values *values)
{
	*n = (struct keys_nego){
		.config = config,
		.values = values,
		.stage = stage,
		.leading = leading,
	};
}

/* ---- Answers ---- */

static int answer(struct keys_text *out, const struct key *k, const char *value)
{
	return keys_text_add(out, k->name, value);
}

static int answer_value(struct keys_text *out, const struct key *k, uint32_t x)
{
	char buf[128];

	if (kind_boolean(k->kind))
		return answer(out, k, x ? "Yes" : "No");
	if (k->kind == KEY_LIST) {
		int rc = key_words_print(k, x, buf, sizeof(buf));

		assert(rc > 0);
	} else {
		snprintf(buf, sizeof(buf), "%u", x);
	}
	return answer(out, k, buf);
}

/* The first value of a comma-separated list that mask allows (6.2.1), or 0. */
static uint32_t list_choose(const struct key *k, const char *list, uint32_t mask)
{
	for (;;) {
		size_t len = strcspn(list, ",");
		uint32_t bit = key_word_bit(k, list, len) & mask;

		if (bit || list[len] == '\0')
			return bit;
		list += len + 1;
	}
}

static uint32_t number_result(const struct key *k, uint32_t a, uint32_t b)
{
	if (k->kind == KEY_NUMBER_MIN)
		return a < b ? a : b;
	return a > b ? a : b;
}

static uint32_t boolean_result(const struct key *k, bool a, bool b)
{
	return k->kind == KEY_BOOLEAN_AND ? (a && b) : (a || b);
}

/* ---- One handler per kind: a proposal or declaration of the initiator ---- */

typedef int key_handler(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f);

static int agree(struct keys_nego *n, const struct key *k, uint32_t x, struct keys_text *out)
{
	value_set(k, n->values, x);
	n->agreed |= key_bit(k);
	return answer_value(out, k, x);
}

/* Would the RFC's default, in force while nobody speaks of the key, break the configuration? */
static bool default_forbidden(const struct keys_nego *n, const struct key *k)
{
	uint32_t own;

	if (!k->config_at || !k->value_at)
		return false;
	if (k->kind == KEY_LIST)
		return !(own_value(n, k) & k->def) && own_value(n, k);
	own = own_value(n, k);
	if (kind_boolean(k->kind))
		return boolean_result(k, k->def, own) != k->def;
	if (kind_number(k->kind))
		return number_result(k, k->def, own) != k->def;
	return false;
}

/*
 * 6.2.2: a proposal that is not admissible is answered Reject, which leaves the default in force;
 * where the configuration forbids the default, by an admissible value: our own.
 */
static int inadmissible(struct keys_nego *n, const struct key *k, struct keys_text *out)
{
	if (default_forbidden(n, k))
		return agree(n, k, own_value(n, k), out);
	return answer(out, k, "Reject");
}

static int take_boolean(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	bool theirs;

	if (keys_boolean(p->value, &theirs) < 0)
		return inadmissible(n, k, out);
	return agree(n, k, boolean_result(k, theirs, own_value(n, k)), out);
}

/*
 * A value below the range, or above it where that would be the result, is inadmissible. Above the
 * range of a minimum the result is admissible all the same.
 */
static int take_number(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	uint64_t x;

	if (keys_number(p->value, &x) < 0 || x < k->min)
		return inadmissible(n, k, out);
	if (x > k->max) {
		if (k->kind == KEY_NUMBER_MAX)
			return inadmissible(n, k, out);
		x = k->max;
	}
	return agree(n, k, number_result(k, (uint32_t)x, own_value(n, k)), out);
}

static int take_list(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	uint32_t bit = list_choose(k, p->value, own_value(n, k));

	return bit ? agree(n, k, bit, out) : answer(out, k, "Reject");
}

/* 13.12. Larger than the RFC knows is taken as the largest: we send less than that anyway. */
static int take_length(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	uint32_t cap = n->config->max_xmit_data_segment_length;
	uint64_t x;

	if (keys_number(p->value, &x) < 0 || x < k->min)
		return answer(out, k, "Reject");
	value_set(k, n->values, x < cap ? (uint32_t)x : cap);
	n->agreed |= key_bit(k);
	return 0;
}

static int take_name(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	const char *why;

	if (node_name_normalize(p->value, value_field(k, n->values), &why) < 0) {
		keys_fault_set(f, "%s=%.100s: %s", k->name, p->value, why);
		return -EPROTO;
	}
	n->agreed |= key_bit(k);
	return 0;
}

/*
 * 6.1: text is for people. Without control characters, in UTF-8 those from 80h to 9Fh too: it goes
 * to terminals, and into lines of session/info that tools take apart.
 */
static void copy_text(char *to, const char *from, size_t n)
{
	memcpy(to, from, n + 1);
	for (unsigned char *p = (unsigned char *)to; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

static int take_text(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	if (p->value_bytes > k->max) {
		keys_fault_set(f, "%s is longer than %u bytes", k->name, k->max);
		return -EPROTO;
	}
	if (k->value_at)
		copy_text(value_field(k, n->values), p->value, p->value_bytes);
	n->agreed |= key_bit(k);
	return 0;
}

static int take_word(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	uint32_t bit = key_word_bit(k, p->value, p->value_bytes);

	if (!bit) {
		keys_fault_set(f, "%s=%.60s is no value of that key", k->name, p->value);
		return -EPROTO;
	}
	value_set(k, n->values, bit);
	n->agreed |= key_bit(k);
	return 0;
}

static int take_send_targets(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	n->send_targets = p->value;
	return 0;
}

/* Outside of a CHAP exchange its keys mean nothing. */
static int take_chap(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	if (n->values->conn.auth_method == AUTH_METHOD_CHAP)
		return 0;
	keys_fault_set(f, "%s without AuthMethod=CHAP", k->name);
	return -EPROTO;
}

/* 12: methods that are never agreed on; 13.25: markers, never NotUnderstood. */
static int take_reject(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	return answer(out, k, "Reject");
}

static key_handler *const handlers[KEY_KINDS] = {
	[KEY_BOOLEAN_AND] = take_boolean,
	[KEY_BOOLEAN_OR] = take_boolean,
	[KEY_NUMBER_MIN] = take_number,
	[KEY_NUMBER_MAX] = take_number,
	[KEY_LIST] = take_list,
	[KEY_DECLARED_LENGTH] = take_length,
	[KEY_DECLARED_NAME] = take_name,
	[KEY_DECLARED_TEXT] = take_text,
	[KEY_DECLARED_WORD] = take_word,
	[KEY_SEND_TARGETS] = take_send_targets,
	[KEY_CHAP] = take_chap,
	[KEY_OTHER_METHOD] = take_reject,
	[KEY_OBSOLETE] = take_reject,
};

/* ---- The initiator's answers to keys that we originated ---- */

/* Returns 0 with the result, or -EINVAL if the answer is none of those allowed. */
static int answer_check(
	struct keys_nego *n, const struct key *k, const struct keys_pair *p, uint32_t *ret)
{
	uint32_t own = own_value(n, k);
	uint64_t x;
	bool theirs;

	if (kind_boolean(k->kind)) {
		if (keys_boolean(p->value, &theirs) < 0)
			return -EINVAL;
		*ret = boolean_result(k, theirs, own);
		return 0;
	}
	if (k->kind == KEY_LIST) {
		*ret = key_word_bit(k, p->value, p->value_bytes) & own;
		return *ret ? 0 : -EINVAL;
	}
	assert(kind_number(k->kind));
	if (keys_number(p->value, &x) < 0 || x < k->min || x > k->max)
		return -EINVAL;
	*ret = (uint32_t)x;
	return number_result(k, *ret, own) == *ret ? 0 : -EINVAL;
}

static int take_answer(
	struct keys_nego *n, const struct key *k, const struct keys_pair *p, struct keys_fault *f)
{
	uint32_t x;

	n->offered &= ~key_bit(k);
	if (strcmp(p->value, "Reject") == 0 || strcmp(p->value, "Irrelevant") == 0)
		return 0; /* 6.2: the value stays what it was */
	if (answer_check(n, k, p, &x) < 0) {
		keys_fault_set(f, "%s=%.60s does not answer what was offered", k->name, p->value);
		return -EPROTO;
	}
	value_set(k, n->values, x);
	n->agreed |= key_bit(k);
	return 0;
}

/* ---- One step ---- */

static bool reserved_word(const char *value)
{
	return strcmp(value, "Reject") == 0 || strcmp(value, "Irrelevant") == 0 ||
	       strcmp(value, "NotUnderstood") == 0;
}

static bool key_irrelevant(const struct keys_nego *n, const struct key *k)
{
	const struct sess_params *s = &n->values->sess;

	if ((k->irrelevant & IN_DISCOVERY) && s->session_type == SESSION_TYPE_DISCOVERY)
		return true;
	return (k->irrelevant & WITHOUT_UNSOLICITED) && s->initial_r2t && !s->immediate_data;
}

static bool key_usable(const struct keys_nego *n, const struct key *k)
{
	return (k->stages & n->stage) && (k->use != USE_LO || n->leading);
}

/*
 * A name that is said again as it was said before changes nothing: initiators in use (libiscsi in a
 * discovery session with credentials) begin each stage with it.
 */
static bool same_name_again(
	const struct keys_nego *n, const struct key *k, const struct keys_pair *p)
{
	char name[NODE_NAME_BYTES_MAX + 1];

	return k->kind == KEY_DECLARED_NAME && !node_name_normalize(p->value, name, NULL) &&
	       !strcmp(name, value_field(k, n->values));
}

static int take_key(struct keys_nego *n, const struct key *k, const struct keys_pair *p,
	struct keys_text *out, struct keys_fault *f)
{
	if (k->senders == BY_TARGET) {
		keys_fault_set(f, "%s is the target's to send", k->name);
		return -EPROTO;
	}
	if ((n->seen & key_bit(k)) && same_name_again(n, k, p))
		return 0;
	if (n->seen & key_bit(k)) {
		keys_fault_set(f, "%s is negotiated a second time", k->name);
		return -EPROTO;
	}
	if (n->offered & key_bit(k)) {
		n->seen |= key_bit(k);
		return take_answer(n, k, p, f);
	}
	if (reserved_word(p->value) && k->kind != KEY_DECLARED_TEXT && k->kind != KEY_CHAP) {
		keys_fault_set(f, "%s=%s is an answer to nothing", k->name, p->value);
		return -EPROTO;
	}
	if (!key_usable(n, k))
		return answer(out, k, "Reject");
	n->seen |= key_bit(k);
	if (key_irrelevant(n, k))
		return answer(out, k, "Irrelevant");
	return handlers[k->kind](n, k, p, out, f);
}

/* 6.2: comprehension precedes processing; this also keeps answers from being answered. */
static int take_unknown(const struct keys_pair *p, struct keys_text *out, struct keys_fault *f)
{
	if (reserved_word(p->value)) {
		keys_fault_set(f, "%s=%s is an answer to nothing", p->key, p->value);
		return -EPROTO;
	}
	return keys_text_add(out, p->key, "NotUnderstood");
}

int keys_negotiate(struct keys_nego *n, const struct keys_pairs *in, struct keys_text *out,
	struct keys_fault *f)
{
	int rc = 0;

	n->send_targets = NULL;
	for (int late = 0; late < 2; late++) {
		for (size_t i = 0; i < in->n && rc == 0; i++) {
			const struct keys_pair *p = &in->pair[i];
			const struct key *k = key_find(p->key);

			if ((k && k->late) != late)
				continue;
			rc = k ? take_key(n, k, p, out, f) : take_unknown(p, out, f);
		}
	}
	if (rc == -EMSGSIZE)
		keys_fault_set(f, "the answer would exceed %zu bytes", out->max);
	return rc;
}

/* ---- What the target originates ---- */

static int declare(struct keys_nego *n, struct keys_text *out)
{
	const struct keys_config *c = n->config;
	char buf[16];
	int rc;

	snprintf(buf, sizeof(buf), "%u", c->max_recv_data_segment_length);
	rc = answer(out, &keys_table[K_MAX_RECV_DATA_SEGMENT_LENGTH], buf);
	if (rc)
		return rc;
	n->values->conn.max_recv_data_segment_length = c->max_recv_data_segment_length;
	if (c->target_alias[0] && n->leading && !key_irrelevant(n, &keys_table[K_TARGET_ALIAS]))
		return answer(out, &keys_table[K_TARGET_ALIAS], c->target_alias);
	return 0;
}

int keys_offer(struct keys_nego *n, struct keys_text *out)
{
	int rc;

	if (n->declared)
		return 0;
	rc = declare(n, out);
	if (rc)
		return rc;
	n->declared = true;
	for (const struct key *k = keys_table; k < keys_table + KEYS_N; k++) {
		if ((n->seen & key_bit(k)) || !key_usable(n, k) || key_irrelevant(n, k) ||
			!default_forbidden(n, k))
			continue;
		rc = answer_value(out, k, own_value(n, k));
		if (rc)
			return rc;
		n->offered |= key_bit(k);
	}
	return 0;
}

/* An offer that was passed over in silence. */
static int settle(struct keys_nego *n, const struct key *k, struct keys_fault *f)
{
	if (kind_boolean(k->kind)) { /* 6.2.2: ours decided alone, so no answer was due */
		value_set(k, n->values, own_value(n, k));
		return 0;
	}
	if (n->config->login_keys_workaround)
		return 0;
	keys_fault_set(f, "%s was offered and not answered", k->name);
	return -EPROTO;
}

static int digest_check(struct keys_nego *n, enum key_id id, struct keys_fault *f)
{
	const struct key *k = &keys_table[id];

	if (*(const uint32_t *)value_field(k, n->values) & own_value(n, k))
		return 0;
	keys_fault_set(f, "%s: no value that the configuration allows was agreed", k->name);
	return -EPROTO;
}

int keys_complete(struct keys_nego *n, struct keys_fault *f)
{
	struct sess_params *s = &n->values->sess;
	int rc = 0;

	for (const struct key *k = keys_table; k < keys_table + KEYS_N && rc == 0; k++) {
		if (n->offered & key_bit(k))
			rc = settle(n, k, f);
	}
	n->offered = 0;
	if (rc == 0)
		rc = digest_check(n, K_HEADER_DIGEST, f);
	if (rc == 0)
		rc = digest_check(n, K_DATA_DIGEST, f);
	if (n->values->conn.max_xmit_data_segment_length > n->config->max_xmit_data_segment_length)
		n->values->conn.max_xmit_data_segment_length =
			n->config->max_xmit_data_segment_length;
	if (rc || s->first_burst_length <= s->max_burst_length)
		return rc;
	if (n->agreed & key_bit(&keys_table[K_FIRST_BURST_LENGTH])) {
		keys_fault_set(f, "FirstBurstLength=%u exceeds MaxBurstLength=%u",
			s->first_burst_length, s->max_burst_length);
		return -EPROTO;
	}
	s->first_burst_length = s->max_burst_length; /* the default, cut to what 13.14 allows */
	return 0;
}

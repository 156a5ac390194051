/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys_config.c: the target's side of negotiations as LIO's param/ files: text in, text out.
 */
#include "fabric/iscsi/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fabric/iscsi/keys_priv.h"

void keys_config_init(struct keys_config *c)
{
	*c = (struct keys_config){
		.auth_method = AUTH_METHOD_CHAP,
		.header_digest = DIGEST_CRC32C | DIGEST_NONE,
		.data_digest = DIGEST_CRC32C | DIGEST_NONE,
		.max_connections = 1,
		.target_alias = "ulio",
		.initial_r2t = true,
		.immediate_data = true,
		.data_pdu_in_order = true,
		.data_sequence_in_order = true,
		.max_recv_data_segment_length = 262144,
		.max_xmit_data_segment_length = 262144,
		.max_burst_length = 1048576,
		.first_burst_length = 262144,
		.default_time2wait = 2,
		.default_time2retain = 20,
		.max_outstanding_r2t = 8,
		.error_recovery_level = 0,
		.task_reporting = KEYS_TASK_REPORTING_SUPPORTED,
		.iscsi_protocol_level = PROTOCOL_LEVEL_SAM5,
		.login_keys_workaround = true,
	};
}

static const struct key *param_find(const char *name)
{
	for (const struct key *k = keys_table; k < keys_table + KEYS_N; k++) {
		if ((k->config_at || k->kind == KEY_OBSOLETE) && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

const char *keys_config_name(size_t i)
{
	for (const struct key *k = keys_table; k < keys_table + KEYS_N; k++) {
		if ((!k->config_at && k->kind != KEY_OBSOLETE) || k->own)
			continue;
		if (i-- == 0)
			return k->name;
	}
	return NULL;
}

/* A mask of one or more words of the key. */
static int list_parse(const struct key *k, const char *value, uint32_t *ret)
{
	uint32_t mask = 0;

	for (;;) {
		size_t len = strcspn(value, ",");
		uint32_t bit = key_word_bit(k, value, len);

		if (!bit)
			return -EINVAL;
		mask |= bit;
		if (value[len] == '\0')
			break;
		value += len + 1;
	}
	*ret = mask;
	return 0;
}

/* ---- Text to field and back, by kind ---- */

static int set_boolean(const struct key *k, void *field, const char *value)
{
	return keys_boolean(value, field);
}

static int set_list(const struct key *k, void *field, const char *value)
{
	return list_parse(k, value, field);
}

static int set_text(const struct key *k, void *field, const char *value)
{
	if (strlen(value) > k->max)
		return -EINVAL;
	strcpy(field, value);
	return 0;
}

static int set_number(const struct key *k, void *field, const char *value)
{
	uint64_t x;

	if (keys_number(value, &x) < 0 || x < k->min || x > k->max)
		return -EINVAL;
	*(uint32_t *)field = (uint32_t)x;
	return 0;
}

static int set_fixed(const struct key *k, void *field, const char *value)
{
	return strcmp(value, k->fixed) == 0 ? 0 : -EINVAL;
}

static int get_boolean(const struct key *k, const void *field, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", *(const bool *)field ? "Yes" : "No");
}

static int get_list(const struct key *k, const void *field, char *buf, size_t size)
{
	return key_words_print(k, *(const uint32_t *)field, buf, size);
}

static int get_text(const struct key *k, const void *field, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", (const char *)field);
}

static int get_number(const struct key *k, const void *field, char *buf, size_t size)
{
	return snprintf(buf, size, "%u", *(const uint32_t *)field);
}

static int get_fixed(const struct key *k, const void *field, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", k->fixed);
}

static const struct {
	int (*set)(const struct key *k, void *field, const char *value);
	int (*get)(const struct key *k, const void *field, char *buf, size_t size);
} kinds[KEY_KINDS] = {
	[KEY_BOOLEAN_AND] = { set_boolean, get_boolean },
	[KEY_BOOLEAN_OR] = { set_boolean, get_boolean },
	[KEY_NUMBER_MIN] = { set_number, get_number },
	[KEY_NUMBER_MAX] = { set_number, get_number },
	[KEY_DECLARED_LENGTH] = { set_number, get_number },
	[KEY_LOCAL] = { set_number, get_number },
	[KEY_LIST] = { set_list, get_list },
	[KEY_DECLARED_TEXT] = { set_text, get_text },
	[KEY_OBSOLETE] = { set_fixed, get_fixed },
};

int keys_config_set(struct keys_config *c, const char *name, const char *value)
{
	const struct key *k = param_find(name);
	void *field;

	if (!k)
		return -ENOENT;
	field = k->config_at ? (char *)c + k->config_at - 1 : NULL;
	return kinds[k->kind].set(k, field, value);
}

int keys_config_get(const struct keys_config *c, const char *name, char *buf, size_t size)
{
	const struct key *k = param_find(name);
	const void *field;
	int n;

	if (!k)
		return -ENOENT;
	field = k->config_at ? (const char *)c + k->config_at - 1 : NULL;
	n = kinds[k->kind].get(k, field, buf, size);
	return n >= 0 && (size_t)n < size ? n : -ENOBUFS;
}

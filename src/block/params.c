/* SPDX-License-Identifier: BSD-3-Clause */
/* params.c: see params.h. */
#include "block/params.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "block/limits.h"

static const struct {
	char letter;
	unsigned shift;
} size_units[] = {
	{ 'K', 10 },
	{ 'M', 20 },
	{ 'G', 30 },
	{ 'T', 40 },
	{ 'P', 50 },
};

static const struct {
	const char *word;
	bool value;
} bool_words[] = {
	{ "yes", true },
	{ "no", false },
	{ "true", true },
	{ "false", false },
	{ "on", true },
	{ "off", false },
	{ "1", true },
	{ "0", false },
};

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Decimal digits; *ret_end is what follows them. */
static int parse_digits(const char *s, uint64_t *ret, const char **ret_end)
{
	uint64_t v = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		unsigned d = (unsigned)(*s - '0');

		if (v > (UINT64_MAX - d) / 10)
			return -EINVAL;
		v = v * 10 + d;
	}
	*ret = v;
	*ret_end = s;
	return 0;
}

int param_parse_size(const char *s, uint64_t *ret)
{
	const char *end;
	uint64_t v;
	unsigned shift = 0;

	if (parse_digits(s, &v, &end) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_LEN(size_units); i++) {
		if ((*end & ~0x20) == size_units[i].letter) {
			shift = size_units[i].shift;
			end++;
			break;
		}
	}
	if (*end && strcasecmp(end, "b") != 0 && !(shift && strcasecmp(end, "ib") == 0))
		return -EINVAL;
	if (v > UINT64_MAX >> shift)
		return -EINVAL;
	*ret = v << shift;
	return 0;
}

int param_parse_bool(const char *s, bool *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(bool_words); i++) {
		if (strcasecmp(s, bool_words[i].word) == 0) {
			*ret = bool_words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

int param_parse_choice(const char *choices, const char *s, unsigned *ret)
{
	size_t n = strlen(s);

	for (unsigned i = 0; *choices; i++) {
		size_t len = strcspn(choices, "|");

		if (len == n && memcmp(choices, s, n) == 0) {
			*ret = i;
			return 0;
		}
		choices += len;
		choices += *choices == '|';
	}
	return -EINVAL;
}

/* ---- checks, one per type ------------------------------------------------------------------- */

typedef int check_fn(const struct ulio_param_doc *doc, const char *value, struct errmsg *err);

static int check_string(const struct ulio_param_doc *doc, const char *value, struct errmsg *err)
{
	if (!*value)
		return errmsg_set(err, -EINVAL, "%s: must not be empty", doc->key);
	return 0;
}

static int check_bool(const struct ulio_param_doc *doc, const char *value, struct errmsg *err)
{
	bool v;

	if (param_parse_bool(value, &v) < 0)
		return errmsg_set(err, -EINVAL, "%s=%.64s: must be yes or no", doc->key, value);
	return 0;
}

static int check_range(
	const struct ulio_param_doc *doc, const char *value, uint64_t v, struct errmsg *err)
{
	if (v < doc->min)
		return errmsg_set(err, -EINVAL, "%s=%.64s: must be at least %" PRIu64, doc->key,
			value, doc->min);
	if (doc->max && v > doc->max)
		return errmsg_set(err, -EINVAL, "%s=%.64s: must be at most %" PRIu64, doc->key,
			value, doc->max);
	return 0;
}

static int check_uint(const struct ulio_param_doc *doc, const char *value, struct errmsg *err)
{
	const char *end;
	uint64_t v;

	if (parse_digits(value, &v, &end) < 0 || *end)
		return errmsg_set(
			err, -EINVAL, "%s=%.64s: must be a whole number", doc->key, value);
	return check_range(doc, value, v, err);
}

static int check_size(const struct ulio_param_doc *doc, const char *value, struct errmsg *err)
{
	uint64_t v;

	if (param_parse_size(value, &v) < 0)
		return errmsg_set(err, -EINVAL,
			"%s=%.64s: must be a number of bytes, such as 4096, 512M or 10G", doc->key,
			value);
	return check_range(doc, value, v, err);
}

static int check_choice(const struct ulio_param_doc *doc, const char *value, struct errmsg *err)
{
	unsigned v;

	if (param_parse_choice(doc->choices, value, &v) < 0)
		return errmsg_set(
			err, -EINVAL, "%s=%.64s: must be one of %s", doc->key, value, doc->choices);
	return 0;
}

static check_fn *const checks[] = {
	[ULIO_PARAM_STRING] = check_string,
	[ULIO_PARAM_BOOL] = check_bool,
	[ULIO_PARAM_UINT] = check_uint,
	[ULIO_PARAM_SIZE] = check_size,
	[ULIO_PARAM_CHOICE] = check_choice,
};

static const struct ulio_param_doc *doc_find(const struct ulio_param_doc *docs, const char *key)
{
	for (; docs && docs->key; docs++)
		if (strcmp(docs->key, key) == 0)
			return docs;
	return NULL;
}

static int unknown_key(const struct ulio_param_doc *docs, const char *key, struct errmsg *err)
{
	char known[256] = "none";
	size_t n = 0;

	for (; docs && docs->key && n < sizeof(known); docs++)
		n += (size_t)snprintf(
			known + n, sizeof(known) - n, "%s%s", n ? ", " : "", docs->key);
	return errmsg_set(err, -EINVAL, "%.64s: no such setting; there are: %s", key, known);
}

static int check_one(const struct ulio_param_doc *docs, const struct ulio_param *params, unsigned i,
	bool live, struct errmsg *err)
{
	const struct ulio_param_doc *doc = doc_find(docs, params[i].key);

	if (!doc)
		return unknown_key(docs, params[i].key, err);
	if (live && !(doc->flags & ULIO_PARAM_LIVE))
		return errmsg_set(err, -EINVAL, "%s: cannot be changed while open", doc->key);
	for (unsigned j = 0; j < i; j++)
		if (strcmp(params[j].key, params[i].key) == 0)
			return errmsg_set(err, -EINVAL, "%s: given twice", doc->key);
	/* A plugin built for a later version may have types that this one does not know. */
	if (doc->type >= ARRAY_LEN(checks))
		return 0;
	return checks[doc->type](doc, params[i].value, err);
}

int params_check(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, bool live, struct errmsg *err)
{
	int r;

	if (nparams > BACKSTORE_PARAMS_MAX)
		return errmsg_set(err, -EINVAL, "more than %d settings", BACKSTORE_PARAMS_MAX);
	for (unsigned i = 0; i < nparams; i++) {
		r = check_one(docs, params, i, live, err);
		if (r < 0)
			return r;
	}
	for (const struct ulio_param_doc *d = docs; !live && d && d->key; d++) {
		if ((d->flags & ULIO_PARAM_REQUIRED) && !param_given(params, nparams, d->key))
			return errmsg_set(err, -EINVAL, "%s: must be given (%s)", d->key,
				d->text ? d->text : "");
	}
	return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

bool param_given(const struct ulio_param *params, unsigned nparams, const char *key)
{
	for (unsigned i = 0; i < nparams; i++)
		if (strcmp(params[i].key, key) == 0)
			return true;
	return false;
}

const char *param_str(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key)
{
	const struct ulio_param_doc *doc = doc_find(docs, key);

	assert(doc);
	for (unsigned i = 0; i < nparams; i++)
		if (strcmp(params[i].key, key) == 0)
			return params[i].value;
	return doc->preset;
}

uint64_t param_u64(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key)
{
	const char *s = param_str(docs, params, nparams, key);
	uint64_t v = 0;
	int r;

	if (!s)
		return 0;
	r = param_parse_size(s, &v);
	assert(r == 0);
	return v;
}

bool param_bool(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key)
{
	const char *s = param_str(docs, params, nparams, key);
	bool v = false;
	int r;

	if (!s)
		return false;
	r = param_parse_bool(s, &v);
	assert(r == 0);
	return v;
}

unsigned param_choice(const struct ulio_param_doc *docs, const struct ulio_param *params,
	unsigned nparams, const char *key)
{
	const struct ulio_param_doc *doc = doc_find(docs, key);
	const char *s = param_str(docs, params, nparams, key);
	unsigned v = 0;
	int r;

	if (!s)
		return 0;
	r = param_parse_choice(doc->choices, s, &v);
	assert(r == 0);
	return v;
}

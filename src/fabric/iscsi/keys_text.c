/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keys_text.c: the text format of RFC 7143 6.1: a bounded buffer, pairs, and simple values.
 */
#include "fabric/iscsi/keys.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/hex.h"

void keys_fault_set(struct keys_fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->cause, sizeof(f->cause), fmt, ap);
	va_end(ap);
	for (char *p = f->cause; *p; p++) {
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	}
}

void keys_text_init(struct keys_text *t, size_t max)
{
	*t = (struct keys_text){ .max = max };
}

void keys_text_done(struct keys_text *t)
{
	if (t->data)
		OPENSSL_cleanse(t->data, t->cap);
	free(t->data);
	*t = (struct keys_text){ .max = t->max };
}

void keys_text_reset(struct keys_text *t)
{
	t->len = t->taken = 0;
}

/* Room for n more bytes; old memory is wiped, so no realloc. */
static int text_reserve(struct keys_text *t, size_t n)
{
	size_t cap;
	char *data;

	if (n > t->max - t->len)
		return -EMSGSIZE;
	if (n <= t->cap - t->len)
		return 0;
	cap = t->cap ? t->cap : 512;
	while (cap < t->len + n)
		cap *= 2;
	if (cap > t->max)
		cap = t->max;
	data = malloc(cap);
	if (!data)
		return -ENOMEM;
	if (t->data) {
		memcpy(data, t->data, t->len);
		OPENSSL_cleanse(t->data, t->cap);
		free(t->data);
	}
	t->data = data;
	t->cap = cap;
	return 0;
}

int keys_text_append(struct keys_text *t, const void *bytes, size_t len)
{
	int rc;

	if (len == 0)
		return 0;
	rc = text_reserve(t, len);
	if (rc)
		return rc;
	memcpy(t->data + t->len, bytes, len);
	t->len += len;
	return 0;
}

int keys_text_add(struct keys_text *t, const char *key, const char *value)
{
	size_t key_bytes = strlen(key), value_bytes = strlen(value);
	int rc;

	rc = text_reserve(t, key_bytes + 1 + value_bytes + 1);
	if (rc)
		return rc;
	memcpy(t->data + t->len, key, key_bytes);
	t->data[t->len + key_bytes] = '=';
	memcpy(t->data + t->len + key_bytes + 1, value, value_bytes + 1);
	t->len += key_bytes + 1 + value_bytes + 1;
	return 0;
}

size_t keys_text_take(struct keys_text *t, size_t max, const char **ret)
{
	size_t n = keys_text_left(t);

	if (n > max)
		n = max;
	*ret = n ? t->data + t->taken : NULL;
	t->taken += n;
	return n;
}

/*
 * 6.1: a standard label: a capital letter, then letters, digits, ".-+@_". '#' is what keys of the
 * X# form have (13.26), and "iSCSIProtocolLevel" (13.24) begins with a small letter, so letters of
 * both cases may begin a label.
 */
static bool label_valid(const char *s, size_t len)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789.-+@_#";
	const size_t letters = 52;

	if (len == 0 || len > KEY_NAME_BYTES_MAX || !memchr(chars, s[0], letters))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!memchr(chars, s[i], sizeof(chars) - 1))
			return false;
	}
	return true;
}

int keys_parse(struct keys_text *t, struct keys_pairs *ret, struct keys_fault *f)
{
	char *p = t->data, *end;

	ret->n = 0;
	if (t->len == 0) /* there may be no memory to point into */
		return 0;
	end = p + t->len;
	if (end[-1] != '\0') {
		keys_fault_set(f, "text does not end in NUL");
		return -EPROTO;
	}
	while (p < end) {
		size_t len = strlen(p);
		char *eq = memchr(p, '=', len);
		struct keys_pair *pair;

		if (len == 0) { /* 6.1 knows no empty pair; some initiators pad with NULs */
			p++;
			continue;
		}
		if (!eq || !label_valid(p, (size_t)(eq - p))) {
			keys_fault_set(f, "no key=value pair: \"%.80s\"", p);
			return -EPROTO;
		}
		if (ret->n == KEYS_PAIRS_MAX) {
			keys_fault_set(f, "more than %d keys in one step", KEYS_PAIRS_MAX);
			return -EPROTO;
		}
		*eq = '\0';
		if (keys_find(ret, p)) {
			keys_fault_set(f, "%s is given twice", p);
			return -EPROTO;
		}
		pair = &ret->pair[ret->n++];
		pair->key = p;
		pair->value = eq + 1;
		pair->value_bytes = len - (size_t)(eq + 1 - p);
		p += len + 1;
	}
	return 0;
}

const struct keys_pair *keys_find(const struct keys_pairs *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->pair[i].key, key) == 0)
			return &p->pair[i];
	}
	return NULL;
}

int keys_boolean(const char *value, bool *ret)
{
	if (strcmp(value, "Yes") == 0)
		*ret = true;
	else if (strcmp(value, "No") == 0)
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

int keys_number(const char *value, uint64_t *ret)
{
	bool hex = value[0] == '0' && (value[1] == 'x' || value[1] == 'X');
	const char *p = hex ? value + 2 : value;
	uint64_t base = hex ? 16 : 10, n = 0;

	if (*p == '\0')
		return -EINVAL;
	if (!hex && p[0] == '0' && p[1] != '\0') /* 6.1: no leading zero in a decimal constant */
		return -EINVAL;
	for (; *p; p++) {
		int digit = hex_digit(*p);

		if (digit < 0 || (uint64_t)digit >= base)
			return -EINVAL;
		if (n > (UINT64_MAX - (uint64_t)digit) / base)
			return -EINVAL;
		n = n * base + (uint64_t)digit;
	}
	*ret = n;
	return 0;
}

int keys_binary(const char *value, uint8_t *out, size_t max)
{
	size_t len = strlen(value);
	ssize_t n;

	if (len < 3 || value[0] != '0')
		return -EINVAL;
	if (value[1] == 'x' || value[1] == 'X')
		n = hex_decode(out, max, value + 2, len - 2);
	else if (value[1] == 'b' || value[1] == 'B')
		n = base64_decode(out, max, value + 2, len - 2);
	else
		return -EINVAL;
	if (n == -ENOBUFS)
		return -EMSGSIZE;
	return n > 0 ? (int)n : -EINVAL;
}
